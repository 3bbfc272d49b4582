//! Equal trainings have equal files, to the byte: checksums of files compare runs.

use crate::start::bptt;
use std::collections::BTreeMap;
use std::path::Path;

/// Every file of a run, by its path in the folder.
fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "checkpoint"] {
        for entry in std::fs::read_dir(run.join(folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            // The lock names the process that has it.
            if entry.file_type().unwrap().is_file() && name != ".lock" {
                let bytes = std::fs::read(entry.path()).unwrap();
                files.insert(format!("{folder}/{name}"), bytes);
            }
        }
    }
    files
}

#[test]
fn the_same_command_twice_writes_the_same_bytes() {
    let text = "It was the best of times, it was the worst of times. ".repeat(5);
    for training in [
        &["text", "novel.txt", "--batch", "2", "--window", "9", "--hidden", "5", "--epochs", "2"][..],
        &[
            "text",
            "novel.txt",
            "--batch",
            "1",
            "--hidden",
            "4",
            "--epochs",
            "1",
            "--optimizer",
            "rprop",
            "--lr",
            "0.001",
        ],
        &[
            "sound", "--rate", "200", "--batch", "2", "--window", "50", "--hidden", "5",
            "--epochs", "1",
        ],
        &["series", "--epochs", "2", "--optimizer", "sgd"],
        &["series", "--cell", "ar"],
        &["adding", "--time", "10", "--steps", "6", "--test-every", "3", "--optimizer", "rmsprop"],
        &["count", "--iterations", "9", "--sequences", "9"],
    ] {
        let [first, second] = [(); 2].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("novel.txt"), &text).unwrap();
            let output = bptt(&[&["train"], training, &["--quiet"]].concat(), folder.path());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            files(&folder.path().join("runs").join(training[0]))
        });
        assert!(first.keys().eq(second.keys()), "{:?} {:?}", first.keys(), second.keys());
        for (name, bytes) in &first {
            assert!(*bytes == second[name], "{training:?}: {name} differs");
        }
        assert!(first.len() >= 4, "{:?}", first.keys());
    }
}

#[test]
fn a_run_of_every_cell_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for cell in bptt::cell::names() {
        let begin =
            ["train", "adding", "--cell", cell, "--out", cell, "--steps", "4", "--time", "10"];
        let sizes = ["--test-every", "2", "--hidden", "4", "--layers", "2", "--quiet"];
        let resume = ["train", "adding", "--resume", cell, "--steps", "6", "--quiet"];
        for arguments in [[&begin[..], &sizes].concat(), resume.to_vec()] {
            let output = bptt(&arguments, folder);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{cell}: {said}");
        }
    }
}
