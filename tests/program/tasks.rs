//! The promises of `bptt train` on a generated task: it goes on after any end, and says what it keeps.

use crate::checkpoint::last;
use crate::start::{bptt, command, json, kill_and_resume, wait_for_end, wait_for_file};
use serde_json::Value;
use std::process::{Command, Stdio};

#[test]
fn a_training_that_is_killed_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "train",
        "adding",
        "--time",
        "24",
        "--hidden",
        "12",
        "--steps",
        "330",
        "--test-every",
        "40",
        "--test",
        "50",
        "--batch",
        "8",
        "--checkpoint-every",
        "9",
        "--truncate",
        "random:0.05",
    ];
    kill_and_resume(&arguments, folder.path(), 20, last);
}

#[test]
fn other_settings_go_on_to_the_bit_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (number, (task, more)) in [
        ("reber", &["--dtype", "f64", "--optimizer", "sgd", "--schedule", "warmup:20"][..]),
        ("copy", &["--delay", "5", "--layers", "2", "--dropout", "0.2", "--accumulate", "2"]),
        ("order", &["--time", "20", "--cell", "gru", "--schedule", "cosine", "--clip", "0.1"]),
    ]
    .into_iter()
    .enumerate()
    {
        let sizes = ["--hidden", "8", "--test", "30", "--test-every", "20", "--quiet"];
        let begin = |run: &str, steps: &str| {
            let fixed = ["train", task, "--out", run, "--steps", steps, "--checkpoint-every", "7"];
            let output = bptt(&[&fixed, &sizes[..], more].concat(), folder);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let [whole, part] = ["whole", "part"].map(|name| format!("{name}{number}"));
        begin(&whole, "50");
        begin(&part, "50");
        // The checkpoint before the last is gone on from: the last one is torn.
        let file = folder.join(&part).join("checkpoint/last.safetensors");
        let mut bytes = std::fs::read(&file).unwrap();
        let end = bytes.len() - 9;
        bytes[end] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let on = bptt(&["train", task, "--resume", &part, "--quiet"], folder);
        let warned = String::from_utf8(on.stderr).unwrap();
        assert!(on.status.success() && warned.contains("checksum"), "{warned}");
        assert!(last(&folder.join(&part)) == last(&folder.join(&whole)), "{task} {more:?}");
        let metrics = |run: &str| std::fs::read(folder.join(run).join("metrics.jsonl")).unwrap();
        assert_eq!(metrics(&part), metrics(&whole));
    }
}

#[test]
fn an_ended_training_goes_on_for_more_steps() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let flags = ["--time", "12", "--hidden", "6", "--test-every", "20", "--test", "20", "--quiet"];
    let new = [&["train", "adding", "--out", "a", "--steps", "30", "--json"], &flags[..]].concat();
    assert_eq!(json(&new, folder)["epochs"], 2);
    let on = json(&["train", "adding", "--resume", "a", "--steps", "60", "--json"], folder);
    // Tests after 20, 30, 40 and 60 steps.
    assert_eq!((&on["steps"], &on["epochs"], &on["done"]), (&60.into(), &4.into(), &true.into()));
    let whole = [&["train", "adding", "--out", "b", "--steps", "60"], &flags[..]].concat();
    assert!(bptt(&whole, folder).status.success());
    let [a, b] = ["a", "b"].map(|run| last(&folder.join(run)).0);
    assert!(a == b, "other weights than those of 60 steps at once");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let new = [
        "train",
        "adding",
        "--time",
        "50",
        "--hidden",
        "16",
        "--steps",
        "1000000",
        "--test-every",
        "50",
        "--test",
        "50",
        "--checkpoint-every",
        "10",
        "--out",
        "a",
    ];
    let mut child =
        command(&new, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_file(&mut child, &folder.join("a/checkpoint/last.safetensors"));
    let interrupted =
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(wait_for_end(&mut child).code(), Some(130));
    let (_, progress) = last(&folder.join("a"));
    assert!(!progress.done && progress.step > 0);
    let more = (progress.step + 60).to_string();
    let on = ["train", "adding", "--resume", "a", "--steps", &more, "--quiet", "--json"];
    let on = json(&on, folder);
    assert_eq!((&on["done"], &on["steps"]), (&true.into(), &(progress.step + 60).into()));
    for file in ["report.html", "learning_curve.svg", "flow.svg", "metrics.jsonl"] {
        assert!(folder.join("a").join(file).exists(), "{file}");
    }
}

#[test]
fn losses_are_those_of_the_model_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "train",
        "adding",
        "--time",
        "12",
        "--hidden",
        "8",
        "--lr",
        "0.3",
        "--steps",
        "200",
        "--test-every",
        "10",
        "--test",
        "50",
        "--all-steps",
        "--quiet",
        "--json",
    ];
    let result = json(&arguments, folder.path());
    let metrics = std::fs::read_to_string(folder.path().join("runs/adding/metrics.jsonl")).unwrap();
    let epochs: Vec<Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let loss = |epoch: &&Value| epoch["valid_loss"].as_f64().unwrap();
    let best = epochs.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    // With so large a rate the last test is not the best one.
    assert_ne!(best, epochs.last().unwrap());
    for (key, of_epoch) in
        [("train_loss", "train_loss"), ("valid_loss", "valid_loss"), ("valid_right", "right")]
    {
        assert_eq!(result[key], best[of_epoch], "{key}");
    }
    assert_eq!(result["tests"].as_array().unwrap().len(), 20);
}
