//! Which folder a training writes in: never over what is there, and never two at once.

use crate::checkpoint::last;
use crate::start::{bptt, command, json, refused, wait_for_file};
use bptt::train::checkpoint::Checkpoints;
use std::fs;
use std::path::Path;
use std::process::Stdio;

const SMALL: [&str; 12] = [
    "train",
    "adding",
    "--time",
    "12",
    "--hidden",
    "6",
    "--steps",
    "30",
    "--test-every",
    "10",
    "--test",
    "20",
];

/// Runs it and returns what it said on standard error.
fn said(arguments: &[&str], folder: &Path) -> String {
    let output = bptt(arguments, folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

/// All files of a folder with their content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    files.sort();
    files
}

#[test]
fn a_folder_in_training_is_locked_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let novel = "It was the best of times, it was the worst of times. ".repeat(40);
    fs::write(folder.join("novel.txt"), novel).unwrap();
    let sizes = ["--batch", "2", "--window", "20", "--hidden", "8", "--checkpoint-every", "3"];
    let new = [&["train", "text", "novel.txt", "--quiet", "--out", "run"], &sizes[..]].concat();
    let long = [&new[..], &["--epochs", "100000", "--schedule", "constant"]].concat();
    let mut child =
        command(&long, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_file(&mut child, &folder.join("run/checkpoint/best.safetensors"));
    let holder = format!("process {} since 20", child.id());
    let resume = ["train", "text", "--resume", "run"];
    // Short ones, which would end if they were let in.
    let short = [&resume[..], &["--epochs", "1"]].concat();
    let over = [&new[..], &["--epochs", "1", "--overwrite"]].concat();
    // It is a trained run too, but nothing that is said of those can be done now.
    for second in [&short, &over, &new] {
        refused(second, folder, &["run is in training", &holder]);
    }
    for read in [
        &["generate", "run", "--length", "5"][..],
        &["score", "run", "novel.txt"],
        &["report", "run"],
        &["flow", "run"],
        &["runs", "."],
    ] {
        said(read, folder);
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock has ended with the process; its file is there and says nothing.
    assert!(folder.join("run/.lock").exists());
    fs::write(folder.join("run/.unfinished-1-0"), "half").unwrap();
    // Killed between two renames, it has no last checkpoint, and the one before counts.
    let left = Checkpoints::of(&folder.join("run")).progress().unwrap();
    let done = (left.epochs.len() + 1).to_string();
    let on = [&resume[..], &["--quiet", "--epochs", &done]].concat();
    said(&on, folder);
    assert!(last(&folder.join("run")).1.done);
    assert!(!folder.join("run/.lock").exists() && !folder.join("run/.unfinished-1-0").exists());
}

#[test]
fn of_trainings_started_at_once_one_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    said(&[&SMALL[..], &["--out", "alone"]].concat(), folder);
    for round in 0..4 {
        let run = format!("run{round}");
        let one = [&SMALL[..], &["--quiet", "--out", &run]].concat();
        let started = (0..4).map(|_| {
            command(&one, folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        });
        let started: Vec<_> = started.collect();
        let ended = started.into_iter().map(|child| child.wait_with_output().unwrap());
        let (had, others): (Vec<_>, Vec<_>) = ended.partition(|output| output.status.success());
        assert_eq!((had.len(), others.len()), (1, 3));
        for output in others {
            let line = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
            assert!(line.contains("in training") || line.contains("trained run"), "{line}");
        }
        assert!(last(&folder.join(run)) == last(&folder.join("alone")));
    }
    // Without --out each has one of its own.
    let quiet = [&SMALL[..], &["--quiet"]].concat();
    let start = || command(&quiet, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let started: Vec<_> = (0..4).map(|_| start().unwrap()).collect();
    assert!(started.into_iter().all(|mut child| child.wait().unwrap().success()));
    for run in ["adding", "adding-2", "adding-3", "adding-4"] {
        assert!(last(&folder.join("runs").join(run)) == last(&folder.join("alone")), "{run}");
    }
}

#[test]
fn a_new_training_writes_over_nothing_unless_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(!said(&SMALL, folder).contains("taken"));
    let before = files(&folder.join("runs/adding"));
    let again = [&SMALL[..], &["--seed", "2", "--json"]].concat();
    assert_eq!(json(&again, folder)["run"], "runs/adding-2");
    let note = said(&[&again[..], &["--quiet"]].concat(), folder);
    assert!(note.contains("runs/adding is taken: this run is runs/adding-3"), "{note}");
    let count = ["train", "count", "--iterations", "3"];
    said(&count, folder);
    assert!(said(&count, folder).contains("runs/count-2"));
    for name in ["runs/adding", "runs/count"] {
        refused(&[&SMALL[..], &["--out", name]].concat(), folder, &[name, "--overwrite"]);
        refused(&[&count[..], &["--out", name]].concat(), folder, &[name, "--overwrite"]);
    }
    assert!(files(&folder.join("runs/adding")) == before);

    // Files that are none of a run stay, told or not.
    fs::create_dir(folder.join("home")).unwrap();
    for (name, text) in [("diary.txt", "dear diary"), ("config.toml", "color = \"blue\"\n")] {
        fs::write(folder.join("home").join(name), text).unwrap();
    }
    let at_home = [&SMALL[..], &["--out", "home"]].concat();
    let home = files(&folder.join("home"));
    refused(&at_home, folder, &["home", "config.toml", "--overwrite", "--out"]);
    assert!(files(&folder.join("home")) == home);
    said(&[&at_home[..], &["--overwrite"]].concat(), folder);
    assert_eq!(fs::read_to_string(folder.join("home/diary.txt")).unwrap(), "dear diary");
    assert!(last(&folder.join("home")) == last(&folder.join("runs/adding")));

    // A run that is trained over is the new one alone.
    let series = ["train", "series", "--cell", "ar", "--quiet", "--overwrite", "--out", "home"];
    said(&series, folder);
    for gone in ["metrics.jsonl", "checkpoint/last.safetensors", "checkpoint/best.safetensors"] {
        assert!(!folder.join("home").join(gone).exists(), "{gone}");
    }
    refused(&["train", "adding", "--resume", "home", "--overwrite"], folder, &["--overwrite"]);

    // What a training left that was killed before its first checkpoint can be taken.
    fs::create_dir_all(folder.join("left/checkpoint")).unwrap();
    fs::copy(folder.join("runs/adding/config.toml"), folder.join("left/config.toml")).unwrap();
    fs::write(folder.join("left/checkpoint/.unfinished-1-0"), "half").unwrap();
    fs::write(folder.join("left/.lock"), "process 1 since 1999-01-01T00:00:00Z\n").unwrap();
    said(&[&SMALL[..], &["--out", "left", "--quiet"]].concat(), folder);
    assert_eq!(fs::read_dir(folder.join("left/checkpoint")).unwrap().count(), 3);
}

/// A run that is trained over stays until the new one stands.
#[test]
fn a_training_that_fails_at_its_start_loses_no_run() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    let old =
        ["train", "series", "--hidden", "4", "--window", "7", "--epochs", "2", "--out", "run"];
    said(&[&old[..], &["--quiet"]].concat(), folder);
    let before = files(&folder.join("run"));
    let huge = "y\n".to_string() + &(1..60).map(|n| format!("{n}e306\n")).collect::<String>();
    fs::write(folder.join("huge.csv"), huge).unwrap();
    for (given, words) in [
        (&["--hidden", "4", "--window", "7", "--accumulate", "100000"][..], "accumulate"),
        (&["--hidden", "4", "--lr", "1e300", "--optimizer", "sgd"], "--lr"),
        (&["huge.csv", "--cell", "ar"], ""),
    ] {
        let train = ["train", "series", "--out", "run", "--overwrite", "--quiet"];
        refused(&[&train[..], given].concat(), folder, &[words]);
        let after = files(&folder.join("run"));
        for file in before.iter().filter(|(name, _)| !name.ends_with("g")) {
            assert!(after.contains(file), "{} after {given:?}", file.0);
        }
    }
    said(&["forecast", "run"], folder);
    assert!(!folder.join("run/.replaced").exists());
}

#[test]
fn the_configuration_changes_with_the_first_checkpoint_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = folder.join("run");
    said(&[&SMALL[..], &["--out", "run", "--schedule", "cosine"]].concat(), folder);
    let before = files(&run);
    let on = ["train", "adding", "--resume", "run"];
    let other = ["--lr", "0.5", "--clip", "9", "--early-stop", "7", "--schedule", "constant"];
    let note = said(&[&on[..], &other].concat(), folder);
    assert!(note.contains("no step was taken") && note.contains("--steps"), "{note}");
    assert!(files(&run) == before, "a run that had ended is another one");

    // At its end the cosine has come to nothing.
    let note = said(&[&on[..], &["--steps", "60"]].concat(), folder);
    assert!(note.contains("learning rate jumps") && note.contains("step 30"), "{note}");
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("steps = 60") && config.contains("lr = 0.003"), "{config}");
    let note = said(&[&on[..], &["--steps", "90", "--schedule", "constant"]].concat(), folder);
    assert!(note.contains("and is 3.00e-3"), "{note}");
    let note = said(&[&on[..], &["--steps", "120"]].concat(), folder);
    assert!(!note.contains("jumps"), "{note}");
}

#[test]
fn a_training_that_is_killed_before_its_first_checkpoint_has_changed_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = folder.join("run");
    let sizes = ["--time", "12", "--hidden", "6", "--test", "20", "--steps", "5"];
    let rare = ["--test-every", "1000000", "--checkpoint-every", "1000000", "--out", "run"];
    said(&[&["train", "adding"], &sizes[..], &rare].concat(), folder);
    let before = files(&run);
    let on = ["train", "adding", "--resume", "run"];
    let long = [&on[..], &["--steps", "1000000", "--lr", "0.0001", "--quiet"]].concat();
    let mut child =
        command(&long, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let next = run.join("config.next.toml");
    wait_for_file(&mut child, &next);
    // A step takes less than a thousandth of this.
    std::thread::sleep(std::time::Duration::from_secs(1));
    child.kill().unwrap();
    child.wait().unwrap();
    let was = before.iter().find(|(name, _)| name.ends_with("config.toml")).unwrap();
    assert!(fs::read(run.join("config.toml")).unwrap() == was.1);
    let waiting = fs::read_to_string(&next).unwrap();
    assert!(waiting.contains("steps = 1000000") && waiting.contains("lr = 0.0001"), "{waiting}");
    let note = said(&on, folder);
    assert!(note.contains("no step was taken"), "{note}");
    assert!(files(&run) == before, "a run that was not trained further is another one");

    // Killed after a checkpoint, before its settings are those of the run.
    said(&[&on[..], &["--steps", "9", "--lr", "0.0001"]].concat(), folder);
    let after = files(&run);
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(&next, format!("# for checkpoints after step 5\n{config}")).unwrap();
    fs::write(run.join("config.toml"), &was.1).unwrap();
    let note = said(&on, folder);
    assert!(note.contains("no step was taken"), "{note}");
    assert!(files(&run) == after, "the settings of a checkpoint are lost");
}

#[test]
fn a_run_goes_on_without_its_file_where_it_holds_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = (0..90_i64)
        .map(|day| (jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(day)), day))
        .map(|(date, day)| format!("{date},{}\n", (day % 7) * 9));
    fs::write(folder.join("sales.csv"), format!("date,sold\n{}", rows.collect::<String>()))
        .unwrap();
    let novel = "It was the best of times, it was the worst of times. ".repeat(8);
    fs::write(folder.join("novel.txt"), novel).unwrap();
    let more = ["--hidden", "4", "--batch", "2", "--window", "10", "--quiet"];
    for (task, file) in [("series", "sales.csv"), ("text", "novel.txt")] {
        let train = |run: &str, epochs: &str| {
            let new = ["train", task, file, "--schedule", "constant", "--out", run];
            said(&[&new[..], &["--epochs", epochs], &more].concat(), folder)
        };
        let [run, whole] = [task.to_string(), format!("{task}-whole")];
        train(&run, "1");
        train(&whole, "2");
        let place = folder.join("moved").join(file);
        fs::create_dir_all(folder.join("moved")).unwrap();
        fs::rename(folder.join(file), &place).unwrap();
        let on = ["train", task, "--resume", &run, "--epochs", "2", "--quiet"];
        match task {
            "series" => {
                let note = said(&on, folder);
                assert!(note.contains("sales.csv is not there"), "{note}");
            }
            _ => {
                refused(&on, folder, &["novel.txt", "--resume text"]);
                said(&[&on[..], &[place.to_str().unwrap()]].concat(), folder);
            }
        }
        assert!(last(&folder.join(run)) == last(&folder.join(whole)), "{task}");
    }
}
