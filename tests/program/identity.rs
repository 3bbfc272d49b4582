//! A checkpoint serves the configuration and the data that it was trained with, and no others.

use crate::start::{bptt, refused};
use std::path::Path;

/// What a file of a run says, and what somebody makes of it.
type Edit = [&'static str; 2];

/// A small training of each kind, a setting of it that may not change, and a value of `data.toml`.
const KINDS: [(&[&str], Edit, Option<Edit>); 5] = [
    (
        &["text", "novel.txt", "--batch", "1", "--window", "8", "--epochs", "1", "--hidden", "6"],
        ["hidden = 6", "hidden = 7"],
        Some(["characters = \" ", "characters = \"_"]),
    ),
    (
        &["sound", "--rate", "300", "--batch", "2", "--epochs", "1", "--hidden", "6"],
        ["rate = 300", "rate = 8000"],
        Some(["valid = ", "valid = 1"]),
    ),
    (
        &["series", "--epochs", "2", "--hidden", "6"],
        ["horizon = 1", "horizon = 2"],
        Some(["passengers", "travellers"]),
    ),
    (
        &["adding", "--time", "20", "--steps", "9", "--test", "20", "--hidden", "6"],
        ["time = 20", "time = 40"],
        None,
    ),
    (&["count", "--iterations", "3"], ["seed = 1", "seed = 2"], None),
];

/// All that reads a checkpoint of such a run.
fn uses(task: &str) -> Vec<Vec<&str>> {
    let mut uses = vec![vec!["report", "run"], vec!["flow", "run"]];
    match task {
        "text" => uses
            .extend([vec!["generate", "run", "--length", "9"], vec!["score", "run", "novel.txt"]]),
        "sound" => uses.extend([
            vec!["generate", "run", "--seconds", "0.1", "--out", "drawn.wav"],
            vec!["score", "run", "run/validation.wav"],
        ]),
        "series" => uses.push(vec!["forecast", "run"]),
        _ => {}
    }
    if task != "count" {
        uses.push(vec!["train", task, "--resume", "run", "--quiet"]);
    }
    uses
}

/// Writes what `change` makes of a file of the run, and returns what it was.
fn change(file: &Path, [from, to]: Edit) -> String {
    let was = std::fs::read_to_string(file).unwrap();
    assert!(was.contains(from), "no {from} in {was}");
    std::fs::write(file, was.replacen(from, to, 1)).unwrap();
    was
}

#[test]
fn a_run_changed_by_hand_is_refused_and_free_settings_are_not() {
    for (arguments, config, data) in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let novel = "It was the best of times, it was the worst of times. ".repeat(4);
        std::fs::write(folder.join("novel.txt"), novel).unwrap();
        let output = bptt(&[&["train"], arguments, &["--quiet", "--out", "run"]].concat(), folder);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let changes = [Some(("config.toml", config)), data.map(|data| ("data.toml", data))];
        for (name, edit) in changes.into_iter().flatten() {
            let file = folder.join("run").join(name);
            let was = change(&file, edit);
            for arguments in uses(arguments[0]) {
                refused(&arguments, folder, &["run"]);
            }
            std::fs::write(&file, was).unwrap();
        }
        // A comment, and settings that say how it was trained and not what.
        if arguments[0] != "count" {
            let file = folder.join("run/config.toml");
            change(&file, ["clip = ", "# by hand\nclip = 1"]);
            change(&file, ["checkpoint-every = ", "checkpoint-every = 1"]);
        }
        for arguments in uses(arguments[0]) {
            let output = bptt(&arguments, folder);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = |run: &str, more: &[&str]| {
        let sizes = ["--steps", "20", "--test-every", "20", "--test", "20", "--hidden", "6"];
        let fixed = ["train", "adding", "--time", "12", "--quiet", "--out", run];
        assert!(bptt(&[&fixed, &sizes[..], more].concat(), folder).status.success());
    };
    train("run", &[]);
    train("again", &["--lr", "0.1", "--clip", "2"]);
    train("other", &["--seed", "2"]);
    let copy = |from: &str, name: &str| {
        let [from, to] = [from, "run"]
            .map(|run| folder.join(run).join(format!("checkpoint/{name}.safetensors")));
        std::fs::copy(from, to).unwrap();
    };
    // One of the same model and data, however it was trained.
    copy("again", "best");
    assert!(bptt(&["flow", "run"], folder).status.success());
    copy("other", "best");
    refused(&["flow", "run"], folder, &["best.safetensors", "another run"]);
    copy("other", "last");
    let on = ["train", "adding", "--resume", "run", "--steps", "40"];
    refused(&on, folder, &["last.safetensors", "another run"]);
}
