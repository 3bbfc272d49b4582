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
    refused(&arguments, folder.path(), &["epoch", "--lr"]);
    assert_eq!(std::fs::read_dir(folder.path().join("there")).unwrap().count(), 0);
}
