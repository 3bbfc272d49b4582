//! Bad input gets one clear line on standard error and exit code 2, and leaves nothing half-written.

#[cfg(unix)]
use crate::start::shell;
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
    refused(&["train", "series", "--window", "200"], folder, &["200", "86"]);
    refused(&["train", "series", "--season", "0"], folder, &["--season"]);
    refused(&["train", "series", "--season", "130"], folder, &["130", "86"]);
    refused(&["train", "series", "--column", "passengers"], folder, &["--column", "FILE"]);
    refused(&["train", "adding", "--seed", "18446744073709551615"], folder, &["--seed"]);
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
    series("short.csv", &["4 rows leave less than 8"]);
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
    let least = "the least possible is";
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

/// A small training on each kind of data, in `run`.
const TRAININGS: [&[&str]; 4] = [
    &["text", "novel.txt", "--batch", "1", "--window", "5", "--epochs", "1"],
    &["sound", "--rate", "200", "--batch", "1", "--window", "200", "--epochs", "1"],
    &["series", "--epochs", "1"],
    &["adding", "--time", "10", "--steps", "2"],
];

/// Trains, and returns the folder of the run.
fn trained(training: &[&str], folder: &Path) -> PathBuf {
    file(folder, "novel.txt", &"It was the best of times, it was the worst of times. ".repeat(3));
    let common = ["--hidden", "4", "--layers", "1", "--out", "run", "--quiet"];
    let output = bptt(&[&["train"], training, &common].concat(), folder);
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{training:?}: {line}");
    folder.join("run")
}

/// What uses the run of such a training.
fn uses(training: &[&str]) -> Vec<Vec<&'static str>> {
    let uses: &[&[&str]] = match training[0] {
        "text" => &[
            &["generate", "run"],
            &["score", "run", "novel.txt"],
            &["report", "run"],
            &["flow", "run"],
        ],
        "sound" => {
            &[&["generate", "run", "--seconds", "0.1"], &["report", "run"], &["flow", "run"]]
        }
        "series" => &[&["forecast", "run"], &["report", "run"], &["flow", "run"]],
        _ => &[&["flow", "run"], &["report", "run"]],
    };
    uses.iter().map(|arguments| arguments.to_vec()).collect()
}

#[test]
fn sizes_that_somebody_has_changed_in_a_run() {
    for training in TRAININGS {
        let folder = tempfile::tempdir().unwrap();
        let config = trained(training, folder.path()).join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        for key in ["hidden = 4", "layers = 1"] {
            assert!(text.contains(key), "{text}");
            for size in ["0", "1000000", "10000000000000", "9223372036854775807", "-1", "true"] {
                let name = key.split(' ').next().unwrap();
                std::fs::write(&config, text.replace(key, &format!("{name} = {size}"))).unwrap();
                for arguments in uses(training) {
                    // What a flow needs is estimated first.
                    let words: &[&str] = if arguments[0] == "flow" { &[] } else { &["run"] };
                    refused(&arguments, folder.path(), words);
                }
            }
        }
        if training[0] == "adding" {
            std::fs::write(&config, text.replace("time = 10", "time = 9000000000000000")).unwrap();
            refused(&["flow", "run"], folder.path(), &["memory"]);
        }
    }
}

#[test]
fn files_of_a_run_that_are_folders_or_empty_or_noise() {
    let noise: Vec<u8> =
        (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for training in TRAININGS {
        let folder = tempfile::tempdir().unwrap();
        let run = trained(training, folder.path());
        let mut files: Vec<Vec<&str>> = vec![vec!["config.toml"]];
        if training[0] != "adding" {
            files.push(vec!["data.toml"]);
        }
        if training[0] == "series" {
            files.push(vec!["series.csv"]);
        }
        files.push(vec!["checkpoint/best.safetensors", "checkpoint/last.safetensors"]);
        for names in files {
            let paths: Vec<PathBuf> = names.iter().map(|name| run.join(name)).collect();
            let before: Vec<_> = paths.iter().map(|path| std::fs::read(path).ok()).collect();
            for broken in [None, Some([].as_slice()), Some(&noise[..]), Some(&noise[..9])] {
                for path in &paths {
                    let _ = std::fs::remove_file(path);
                    match broken {
                        None => std::fs::create_dir(path).unwrap(),
                        Some(bytes) => std::fs::write(path, bytes).unwrap(),
                    }
                }
                for arguments in uses(training) {
                    refused(&arguments, folder.path(), &["run"]);
                }
                for path in paths.iter().filter(|path| path.is_dir()) {
                    std::fs::remove_dir(path).unwrap();
                }
            }
            for (path, before) in paths.iter().zip(before) {
                match before {
                    Some(bytes) => std::fs::write(path, bytes).unwrap(),
                    None => std::fs::remove_file(path).unwrap(),
                }
            }
            // And then it is as good as new.
            for arguments in uses(training) {
                let output = bptt(&arguments, folder.path());
                let line = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(0), "{arguments:?}: {line}");
            }
        }
    }
}

#[test]
fn more_columns_and_characters_than_memory_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let row = "1,".repeat(10_000_000) + "1\n";
    file(folder.path(), "wide.csv", &row.repeat(2));
    refused(&["train", "series", "wide.csv"], folder.path(), &["wide.csv", "line 1", "1 MiB"]);
    let every: String = ('\u{1}'..=char::MAX).collect();
    file(folder.path(), "every.txt", &every);
    let arguments = ["train", "text", "every.txt", "--batch", "1000", "--window", "1000"];
    refused(&arguments, folder.path(), &["memory", "--batch"]);
    file(folder.path(), "a.txt", &"ab".repeat(5000));
    let arguments = ["train", "text", "a.txt", "--hidden", "1000000", "--layers", "1000"];
    refused(&arguments, folder.path(), &["memory", "--hidden"]);
    refused(&["train", "series", "--hidden", "1000000"], folder.path(), &["memory", "--hidden"]);
}

#[cfg(unix)]
#[test]
fn links_that_lead_to_themselves_or_to_no_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("loop", at("loop")).unwrap();
    for task in ["text", "series", "sound"] {
        refused(&["train", task, "loop"], folder.path(), &["loop", "check the path"]);
    }
    refused(&["train", "text", "--config", "loop"], folder.path(), &["loop"]);
    let run = trained(TRAININGS[0], folder.path());
    for name in ["best", "last"] {
        let path = run.join(format!("checkpoint/{name}.safetensors"));
        std::fs::remove_file(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
    }
    refused(&["generate", "run"], folder.path(), &["run"]);
    std::fs::remove_file(run.join("config.toml")).unwrap();
    symlink("/dev/zero", run.join("config.toml")).unwrap();
    refused(&["generate", "run"], folder.path(), &["config.toml"]);
}

/// The steps of the run's last checkpoint.
#[cfg(unix)]
fn epochs(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default().lines().count()
}

#[cfg(unix)]
fn unfinished(run: &Path) -> usize {
    let folders = [run.to_path_buf(), run.join("checkpoint")];
    let names = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).count()
}

/// A checkpoint that does not fit: the one before it is still the last, and the training goes on when there is room.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_while_it_learns() {
    for training in &TRAININGS[..3] {
        let folder = tempfile::tempdir().unwrap();
        let run = trained(training, folder.path());
        let last = run.join("checkpoint/last.safetensors");
        let before = std::fs::read(&last).unwrap();
        let resume = format!("train {} --resume run --epochs 2 --quiet", training[0]);
        let script = format!("ulimit -f 4; exec \"$BPTT\" {resume}");
        let output = shell(&script, folder.path());
        let line = String::from_utf8(output.stderr).unwrap();
        // Before it there is a note that the learning rate jumps.
        let line = line.lines().skip_while(|line| !line.starts_with("error: ")).collect::<String>();
        assert_eq!(output.status.code(), Some(2), "{training:?}: {line}");
        assert!(line.contains("cannot write"), "{line}");
        assert!(!line.contains(".unfinished"), "{line}");
        assert_eq!((epochs(&run), unfinished(&run)), (1, 0));
        assert!(std::fs::read(&last).unwrap() == before, "{training:?}: the last one is gone");
        let output = shell(&format!("exec \"$BPTT\" {resume}"), folder.path());
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{training:?}: {line}");
        assert_eq!(epochs(&run), 2);
    }
}

/// Where a disk of 100 KiB can be mounted without being root: the best checkpoint fits and the last one does not.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_while_it_learns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("disk")).unwrap();
    file(path, "novel.txt", &"It was the best of times, it was the worst of times. ".repeat(20));
    let flags = "--batch 1 --window 5 --hidden 32 --layers 1 --quiet";
    let script = format!(
        "mount -t tmpfs -o size=100k none disk || exit 77
         \"$BPTT\" train text novel.txt {flags} --epochs 2 --out disk/run; echo $?
         ls -A disk/run disk/run/checkpoint; mount -o remount,size=4m disk
         \"$BPTT\" train text novel.txt {flags} --epochs 2 --resume disk/run >/dev/null; echo $?
         wc -l < disk/run/metrics.jsonl"
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).env("BPTT", env!("CARGO_BIN_EXE_bptt"));
    let output = match command.current_dir(path).output() {
        Ok(output) if output.status.code() != Some(77) && !output.stdout.is_empty() => output,
        _ => return eprintln!("no disk can be mounted here"),
    };
    let (told, line) = (String::from_utf8_lossy(&output.stdout), output.stderr);
    let line = String::from_utf8_lossy(&line);
    assert!(line.lines().count() == 1 && line.contains("cannot write disk/run"), "{line}");
    assert!(line.contains("make room"), "{line}");
    let told: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(told[0], "2", "{told:?}");
    assert!(told.contains(&"best.safetensors"), "{told:?}");
    assert!(!told.iter().any(|name| name.starts_with(".unfinished")), "{told:?}");
    assert_eq!(told[told.len() - 2..], ["0", "2"], "{told:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_or_closed() {
    let folder = tempfile::tempdir().unwrap();
    trained(TRAININGS[0], folder.path());
    let generate = ["generate", "run", "--length", "50"];
    for arguments in [&["runs", "."][..], &["print", "manual"], &["gradcheck"], &generate] {
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
            command.args(arguments).current_dir(&folder);
            command
        };
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command().stdout(full).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
        assert!(line.lines().count() == 1 && line.contains("standard output"), "{line}");
        // As `| head` does when it has read enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command().stdout(writer).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.as_str()), (Some(0), ""), "{arguments:?}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
    let status = command.args(["train", "series", "nowhere"]).current_dir(&folder).stderr(full);
    assert_eq!(status.status().unwrap().code(), Some(2));
}
