//! A loss, a gradient, a validation or a weight that stops being a number never reaches a checkpoint, and what an older
//! training has left of the kind is not used.

use crate::checkpoint::{Parts, checkpoint, file, last};
use crate::start::bptt;
use std::path::Path;

const TEXT: [&str; 16] = [
    "text",
    "novel.txt",
    "--batch",
    "1",
    "--window",
    "50",
    "--hidden",
    "4",
    "--layers",
    "1",
    "--cell",
    "elman",
    "--schedule",
    "constant",
    "--quiet",
    "--out",
];

fn train(more: &[&str], folder: &Path) -> (Option<i32>, String) {
    let text = "It was the best of times, it was the worst of times. ".repeat(4);
    std::fs::write(folder.join("novel.txt"), text).unwrap();
    run(&[&["train"], &TEXT[..], &["run"], more].concat(), folder)
}

fn run(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = bptt(arguments, folder);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// It is refused in one line that has all of the words.
fn refused((code, line): (Option<i32>, String), words: &[&str]) {
    assert_eq!((code, line.lines().count()), (Some(2), 1), "{line}");
    for word in words {
        assert!(line.contains(word), "no '{word}' in: {line}");
    }
}

#[test]
fn an_infinite_gradient_of_a_finite_loss_is_not_stepped_along() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, run_folder) = (folder.path(), folder.path().join("run"));
    assert_eq!(train(&["--epochs", "1"], folder).0, Some(0));
    // Of a state that stays 0 the loss is a number, and 10^49 of single precision is none.
    let mut parts = Parts::of(&run_folder);
    parts.set("recurrent.weight_hh_l0", |place| if place % 5 == 0 { 10.0 } else { 0.0 });
    for name in ["weight_ih_l0", "bias_ih_l0", "bias_hh_l0"] {
        parts.set(&format!("recurrent.{name}"), |_| 0.0);
    }
    parts.replace(&run_folder);
    let resume = ["train", "text", "--resume", "run", "--epochs", "2", "--quiet"];
    let words =
        ["norm of the gradient", "step 4", "--lr", "--clip", "of step 3", "last.safetensors"];
    refused(run(&resume, folder), &words);
    for name in ["last", "previous", "best"] {
        assert_eq!(std::fs::read(file(&run_folder, name)).unwrap(), parts.bytes(), "{name}");
    }
}

#[test]
fn weights_that_a_step_has_made_infinite_are_never_saved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A text of one window: no loss comes after the step.
    let more = ["--epochs", "1", "--window", "180", "--lr", "1e300", "--optimizer", "sgd"];
    let fixed: Vec<&str> =
        TEXT.iter().copied().filter(|flag| !["--window", "50"].contains(flag)).collect();
    train(&["--epochs", "1"], folder);
    std::fs::remove_dir_all(folder.join("run")).unwrap();
    let stopped = run(&[&["train"], &fixed[..], &["run"], &more].concat(), folder);
    refused(stopped, &["a weight became", "step 1", "--lr", "no checkpoint yet"]);
    refused(run(&["generate", "run"], folder), &["run", "no checkpoint"]);
    // It goes on with a rate that is one.
    let on = ["train", "text", "--resume", "run", "--lr", "0.01", "--quiet"];
    assert_eq!(run(&on, folder), (Some(0), String::new()));
    assert_eq!(last(&folder.join("run")).1.step, 1);
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_what_uses_them() {
    for (training, uses) in [
        (
            &["text", "novel.txt", "--batch", "1", "--window", "20", "--epochs", "2"][..],
            &[&["generate", "run"][..], &["score", "run", "novel.txt"]][..],
        ),
        (&["series", "--epochs", "2"], &[&["forecast", "run"]]),
        (&["adding", "--time", "10", "--steps", "4", "--test-every", "2"], &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("novel.txt"), "It was the best of times. ".repeat(9)).unwrap();
        let common = ["--hidden", "4", "--layers", "1", "--quiet", "--out", "run"];
        let trained = run(&[&["train"], training, &common].concat(), folder);
        assert_eq!(trained, (Some(0), String::new()));
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut parts = Parts::of(&folder.join("run"));
            parts.set("readout.bias", |_| none);
            let good = ["last", "previous", "best"].map(|name| {
                let file = file(&folder.join("run"), name);
                (file.clone(), std::fs::read(file).unwrap())
            });
            parts.replace(&folder.join("run"));
            let shared: [&[&str]; 2] = [&["flow", "run"], &["report", "run"]];
            let resume = ["train", training[0], "--resume", "run", "--quiet"];
            for command in uses.iter().chain(&shared).chain(&[&resume[..]]) {
                refused(run(command, folder), &["run", "no number", "readout.bias"]);
            }
            good.into_iter().for_each(|(file, bytes)| std::fs::write(file, bytes).unwrap());
        }
    }
}

#[test]
fn a_training_goes_on_from_the_checkpoint_before_one_of_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, run_folder) = (folder.path(), folder.path().join("run"));
    assert_eq!(train(&["--epochs", "2"], folder).0, Some(0));
    let whole = last(&run_folder);
    let parts = Parts::of(&run_folder);
    let previous = checkpoint(&run_folder, "previous");
    assert!(previous.1.step < whole.1.step);
    let mut weights = parts.clone();
    weights.set("readout.bias", |_| f32::NAN);
    // The averages stand at the end of the record.
    let mut averages = parts;
    let record = &mut averages.tensors.get_mut("training.optimizer").unwrap().2;
    let end = record.len();
    record[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    for (parts, tensor) in [(weights, "readout.bias"), (averages, "training.optimizer")] {
        for name in ["last", "best"] {
            std::fs::write(file(&run_folder, name), parts.bytes()).unwrap();
        }
        let (code, said) = run(&["train", "text", "--resume", "run", "--quiet"], folder);
        assert_eq!(code, Some(0), "{said}");
        let words = said.contains("no number") && said.contains(tensor);
        assert!(said.starts_with("warning: ") && words, "{said}");
        assert_eq!(last(&run_folder), whole);
        // What was good is kept, and what was not has not taken its place.
        assert_eq!(checkpoint(&run_folder, "previous"), previous);
    }
}

#[test]
fn weights_too_large_for_single_precision_are_refused_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(train(&["--epochs", "1", "--dtype", "f64"], folder).0, Some(0));
    let mut parts = Parts::of(&folder.join("run"));
    let bias = &mut parts.tensors.get_mut("readout.bias").unwrap().2;
    bias[..8].copy_from_slice(&1e300f64.to_le_bytes());
    parts.replace(&folder.join("run"));
    for command in [&["generate", "run", "--length", "5"][..], &["score", "run", "novel.txt"]] {
        let single = [command, &["--dtype", "f32"]].concat();
        refused(run(&single, folder), &["run", "no number", "readout.bias"]);
        let double = [command, &["--dtype", "f64"]].concat();
        assert_eq!(run(&double, folder), (Some(0), String::new()));
    }
}

#[test]
fn a_validation_that_is_no_number_stops_the_training_and_its_resumption_at_the_same_step() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, run_folder) = (folder.path(), folder.path().join("run"));
    let text = "It was the best of times, it was the worst of times. ".repeat(60);
    std::fs::write(folder.join("long.txt"), text).unwrap();
    // A state that grows a little in a window of 4 steps outgrows every number in a thousand.
    let arguments = [
        "train",
        "text",
        "long.txt",
        "--batch",
        "4",
        "--window",
        "4",
        "--valid-share",
        "0.5",
        "--cell",
        "linear",
        "--optimizer",
        "adam",
        "--lr",
        "0.25",
        "--hidden",
        "8",
        "--layers",
        "1",
        "--epochs",
        "30",
        "--checkpoint-every",
        "10",
        "--quiet",
        "--out",
        "run",
    ];
    let (code, line) = run(&arguments, folder);
    refused((code, line.clone()), &["the validation loss became", "--lr", "last.safetensors"]);
    let kept = last(&run_folder);
    assert!(line.contains(&format!("of step {},", kept.1.step)) && kept.1.step > 0, "{line}");
    let files = || ["last", "previous"].map(|name| std::fs::read(file(&run_folder, name)).unwrap());
    let before = files();
    // The run that is resumed agrees with the one that was not.
    assert_eq!(run(&["train", "text", "--resume", "run", "--quiet"], folder), (code, line));
    assert!(files() == before, "the checkpoints have changed");
}
