//! Bad input gets one clear line on standard error and exit code 2, and leaves nothing half-written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn bptt(arguments: &[&str], folder: &Path) -> Output {
    let binary = env!("CARGO_BIN_EXE_bptt");
    Command::new(binary).args(arguments).current_dir(folder).output().expect("the binary runs")
}

/// Runs it and sees that it is refused in one line that has all of `words`.
fn refused(arguments: &[&str], folder: &Path, words: &[&str]) {
    let output = bptt(arguments, folder);
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed results");
    for word in words {
        assert!(line.contains(word), "{arguments:?}: no '{word}' in: {line}");
    }
    assert!(!folder.join("runs").exists(), "{arguments:?} wrote something");
}

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn an_instruction_set_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
    command.args(["train", "count"]).current_dir(&folder).env("BPTT_INSTRUCTION_SET", "abacus");
    let output = command.output().expect("the binary runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(line.lines().count() == 1 && line.contains("portable"), "{line}");
}

#[test]
fn arguments_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(&["train", "count", "--sequences", "0"], folder, &["0", "--sequences", "from 1"]);
    refused(&["train", "count", "--length", "-3"], folder, &["-3"]);
    refused(&["train", "count", "--length", "99999999999999999999"], folder, &["--length"]);
    refused(
        &["train", "count", "--sequences", "1000000", "--length", "1000000"],
        folder,
        &["memory", "--length"],
    );
    refused(&["train", "count", "--start", "one,two"], folder, &["--start", "-1.5,2.0"]);
    refused(&["train", "count", "--start", "nan,1"], folder, &["--start"]);
    refused(&["train", "count", "--lr", "0"], folder, &["--lr", "above 0"]);
    refused(&["train", "count", "--backend", "abacus"], folder, &["abacus", "ndarray", "flex"]);
    refused(&["train", "series", "--valid-share", "1"], folder, &["--valid-share"]);
    refused(&["train", "series", "--window", "200"], folder, &["200", "108"]);
    refused(&["train", "series", "--season", "0"], folder, &["--season"]);
    refused(&["train", "series", "--season", "130"], folder, &["130", "108"]);
    refused(&["train", "series", "--column", "passengers"], folder, &["--column", "FILE"]);
    refused(&["gradcheck", "--cell", "abacus"], folder, &["abacus", "elman"]);
    refused(&["gradcheck", "--hidden", "100000"], folder, &["--hidden"]);
    refused(&["train", "everything"], folder, &["everything"]);
    refused(&["count"], folder, &["count"]);
}

#[test]
fn files_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series = |name: &str, words: &[&str]| refused(&["train", "series", name], folder, words);
    series("missing.csv", &["missing.csv"]);
    std::fs::create_dir(folder.join("folder.csv")).unwrap();
    series("folder.csv", &["folder.csv"]);
    file(folder, "empty.csv", "");
    series("empty.csv", &["empty.csv"]);
    file(folder, "one.csv", "x\n1\n");
    series("one.csv", &["one.csv"]);
    file(folder, "text.csv", "x\n1\n2\nthree\n4\n");
    series("text.csv", &["text.csv", "line 4", "'x'"]);
    file(folder, "nan.csv", "x\n1\nNaN\n3\n4\n");
    series("nan.csv", &["nan.csv", "line 3", "'x'"]);
    file(folder, "infinity.csv", "x\n1\n2\n1e999\n4\n");
    series("infinity.csv", &["infinity.csv", "line 4", "'x'"]);
    file(folder, "short.csv", "x\n1\n2\n3\n4\n");
    series("short.csv", &["window", "24"]);
    file(folder, "two.csv", "x,y\n1,2\n3,4\n");
    refused(
        &["train", "series", "two.csv", "--column", "z"],
        folder,
        &["two.csv", "'z'", "1 x, 2 y"],
    );
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "taken", "a file");
    for task in ["count", "series"] {
        refused(&["train", task, "--out", "taken"], folder.path(), &["taken", "--out"]);
        refused(&["train", task, "--out", "taken/below"], folder.path(), &["taken/below", "--out"]);
        refused(
            &["train", task, "--out", "/proc/nothing"],
            folder.path(),
            &["/proc/nothing", "--out"],
        );
    }
}

#[test]
fn a_loss_that_is_no_number_stops_with_its_step_and_an_advice() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["train", "count", "--start", "1e30,1e10", "--out", "here"];
    refused(&arguments, folder.path(), &["iteration 1", "--start"]);
    assert_eq!(std::fs::read_dir(folder.path().join("here")).unwrap().count(), 0);
    let arguments = ["train", "series", "--lr", "1e30", "--cell", "linear", "--out", "there"];
    refused(&arguments, folder.path(), &["step", "--lr"]);
    // It can go on with another rate, and there is nothing that could be taken for a result.
    let mut left: Vec<_> = std::fs::read_dir(folder.path().join("there"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["checkpoint", "config.toml", "data.toml", "series.csv"]);
}

#[test]
fn truncations_budgets_and_sizes_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (how, words) in [
        ("window", "window:K"),
        ("window:0", "0"),
        ("window:1.5", "1.5"),
        ("sliding:4,2", "sliding"),
        ("sliding:4", "sliding:K1,K2"),
        ("random:1", "random"),
        ("random:-0.1", "random"),
        ("everything", "full"),
    ] {
        refused(&["gradcheck", "--truncate", how], folder, &["--truncate", words]);
        refused(&["train", "adding", "--truncate", how], folder, &["--truncate", words]);
    }
    let sliding = ["gradcheck", "--truncate", "sliding:2,3", "--bidirectional"];
    refused(&sliding, folder, &["sliding", "--bidirectional"]);
    for size in ["0", "many", "1 parsec"] {
        refused(&["bench", "--memory-budget", size], folder, &["--memory-budget"]);
    }
    let least = "the least that would do is";
    refused(&["bench", "--cell", "lstm", "--memory-budget", "1KiB"], folder, &["1024", least]);
    refused(&["gradcheck", "--cell", "lstm", "--memory-budget", "1B"], folder, &[least]);
    refused(&["train", "adding", "--memory-budget", "1KiB"], folder, &["1024", least]);
    refused(
        &["train", "adding", "--memory-budget", "1MiB", "--gradient", "autodiff"],
        folder,
        &["--memory-budget", "manual"],
    );
    refused(&["train", "adding", "--time", "3"], folder, &["time", "4", "3"]);
    refused(&["train", "order", "--time", "9"], folder, &["time", "10", "9"]);
    refused(&["train", "copy", "--delay", "0"], folder, &["--delay"]);
    refused(&["train", "adding", "--time", "1000000", "--batch", "100000"], folder, &["memory"]);
    refused(&["train", "adding", "--start", "irnn"], folder, &["irnn", "elman-relu"]);
    let no_gate = ["train", "adding", "--cell", "elman", "--forget-bias", "1"];
    refused(&no_gate, folder, &["--forget-bias", "elman"]);
    refused(&["bench", "--time", "1000000", "--batch", "1000000"], folder, &["memory", "--time"]);
    refused(&["bench", "--threads", "0"], folder, &["--threads"]);
    refused(&["bench", "--cell", "lstm,abacus"], folder, &["abacus"]);
    refused(&["flow", "--cell", "abacus"], folder, &["abacus"]);
    refused(&["flow", "--time", "1"], folder, &["time", "4", "1"]);
    refused(&["flow", "--time", "100000", "--hidden", "1000"], folder, &["memory"]);
    refused(&["flow", "nowhere"], folder, &["nowhere"]);
    refused(&["flow", "nowhere", "--cell", "gru"], folder, &["--cell"]);
}

#[test]
fn a_run_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    refused(&["flow", "run"], folder.path(), &["config.toml"]);
    for content in ["", "what = \"else\"\n", "steps = [", "\u{0}\u{1}"] {
        file(&run, "config.toml", content);
        refused(&["flow", "run"], folder.path(), &["config.toml"]);
    }
    std::fs::write(run.join("config.toml"), [0xff, 0xfe, 0x00]).unwrap();
    refused(&["flow", "run"], folder.path(), &["config.toml"]);
}
