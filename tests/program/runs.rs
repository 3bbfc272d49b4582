//! What can be done with each kind of run, and how runs are listed.

use crate::start::{bptt, json};
use bptt::data::task::NAMES;
use bptt::train::run::{Run, Use};
use serde_json::Value;
use std::path::Path;

/// A small training of each kind, and the table that its pages have.
const KINDS: [(&str, &[&str]); 5] = [
    ("count", &["--iterations", "40", "--sequences", "10"]),
    ("text", &["novel.txt", "--batch", "1", "--window", "8", "--epochs", "2", "--hidden", "6"]),
    (
        "sound",
        &["--rate", "300", "--batch", "2", "--window", "20", "--epochs", "1", "--hidden", "6"],
    ),
    ("series", &["--epochs", "3", "--hidden", "6"]),
    ("series", &["--cell", "ar"]),
];

const TASK: [&str; 8] = ["--steps", "40", "--test-every", "20", "--test", "20", "--hidden", "6"];

/// Trains each kind, and returns the folders of the runs with the names of their tasks.
fn runs(folder: &Path) -> Vec<(String, &'static str)> {
    let text = "It was the best of times, it was the worst of times. ".repeat(4);
    std::fs::write(folder.join("novel.txt"), text).unwrap();
    let kinds = KINDS.into_iter().chain(NAMES.map(|name| (name, &TASK[..])));
    let mut runs = Vec::new();
    for (number, (task, flags)) in kinds.enumerate() {
        let run = format!("runs/{number}");
        let arguments = [&["train", task, "--quiet", "--out", &run], flags].concat();
        let output = bptt(&arguments, folder);
        let line = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {line}");
        runs.push((run, task));
    }
    runs
}

#[test]
fn report_and_flow_serve_every_kind_of_run_and_each_says_what_does_not_fit_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (run, task) in runs(folder) {
        let opened = Run::open(&folder.join(&run)).unwrap();
        assert_eq!((opened.task(), opened.folder()), (task, &*folder.join(&run)));
        let page = folder.join(&run).join("report.html");
        let before = std::fs::read_to_string(&page).unwrap();
        std::fs::remove_file(&page).unwrap();
        let report = bptt(&["report", &run], folder);
        assert!(report.status.success(), "{task}: {}", String::from_utf8_lossy(&report.stderr));
        assert_eq!(std::fs::read_to_string(&page).unwrap(), before, "{task}");
        assert!(before.contains("What was trained"), "{task}");
        let linear = std::fs::read_to_string(folder.join(&run).join("config.toml")).unwrap();
        let linear = linear.contains("cell = \"ar\"");
        if !linear && task != "count" {
            assert!(before.contains("How far back it listens"), "{task}");
        }

        let flow = ["flow", &run, "--batch", "3", "--json"];
        if linear {
            let output = bptt(&flow, folder);
            let line = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{line}");
            assert!(line.contains("no network") && line.lines().count() == 1, "{line}");
        } else {
            let flow = json(&flow, folder);
            let moments: Vec<&Value> =
                flow["rows"].as_array().unwrap().iter().map(|row| &row["moment"]).collect();
            assert_eq!(moments, ["before", "after"], "{task}");
            let time = flow["gradient_norm"].as_array().unwrap().len();
            assert_eq!(flow["lag_map"].as_array().unwrap().len(), time, "{task}");
            assert!(folder.join(&run).join("flow.html").exists(), "{task}");
        }

        for (wanted, arguments) in [
            (Use::Generate, &["generate", &run, "--temperature", "0.5"][..]),
            (Use::Score, &["score", &run, "novel.txt"]),
            (Use::Forecast, &["forecast", &run]),
        ] {
            if opened.uses().contains(&wanted) {
                continue;
            }
            let output = bptt(arguments, folder);
            let line = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
            let serves = opened.uses().iter().map(Use::to_string).collect::<Vec<_>>().join(", ");
            for word in [task, &serves, &wanted.to_string()] {
                assert!(line.contains(word), "{arguments:?}: no '{word}' in {line}");
            }
        }
    }
}

#[test]
fn runs_are_listed_by_task_and_the_best_one_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = |run: &str, arguments: &[&str]| {
        let out = format!("runs/{run}");
        let output = bptt(&[&["train"], arguments, &["--quiet", "--out", &out]].concat(), folder);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    // Their losses are those of other transformed values each; half a year ahead is harder than a month.
    train("a", &["series", "--cell", "ar", "--difference", "0"]);
    let half_a_year = ["series", "--cell", "ar", "--log", "--difference", "1", "--horizon", "6"];
    train("b", &half_a_year);
    train("c", &["order", "--time", "12", "--steps", "10", "--test", "20"]);
    train("d", &["order", "--time", "12", "--steps", "400", "--test", "200"]);
    train("e", &["count", "--iterations", "3"]);
    std::fs::create_dir(folder.join("runs/f")).unwrap();
    let before = std::fs::read_to_string(folder.join("runs/a/config.toml")).unwrap();
    std::fs::create_dir(folder.join("runs/g")).unwrap();
    let newer = before.replace("format = 2", "format = 7");
    std::fs::write(folder.join("runs/g/config.toml"), newer).unwrap();

    let output = bptt(&["runs", "--json"], folder);
    let warned = String::from_utf8(output.stderr).unwrap();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("runs/g") && warned.contains("format 7"), "{warned}");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = list["rows"].as_array().unwrap();
    let runs: Vec<&str> = rows.iter().map(|row| row["run"].as_str().unwrap()).collect();
    assert_eq!(runs, ["runs/e", "runs/d", "runs/c", "runs/a", "runs/b"]);
    let measure = |row: usize, name: &str| rows[row]["measures"][name].as_f64().unwrap();
    assert!(measure(1, "right answers") > measure(2, "right answers"));
    assert!(measure(3, "MASE") < measure(4, "MASE"));
    // As `train series` prints it, in thousands of passengers.
    let again =
        ["train", "series", "--cell", "ar", "--difference", "0", "--json", "--out", "again"];
    let again = json(&again, folder);
    let errors = &again["columns"][0]["errors"][0];
    for (name, key) in [
        ("RMSE of passengers", "root_mean_squared"),
        ("MAE of passengers", "mean_absolute"),
        ("MASE", "scaled"),
    ] {
        let apart = measure(3, name) - errors[key].as_f64().unwrap();
        assert!(apart.abs() < 1e-9, "{name}: {apart}");
    }
    let text = String::from_utf8(bptt(&["runs"], folder).stdout).unwrap();
    assert_eq!(text.lines().count(), 1 + 5, "{text}");
}

#[test]
fn an_older_run_is_read_or_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (run, task) in runs(folder) {
        let config = folder.join(&run).join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.starts_with("format = 2\n"), "{text}");
        if ["text", "sound", "series"].contains(&task) {
            // Their first format had all that there is now, but its number.
            std::fs::write(&config, text.replace("format = 2\n", "")).unwrap();
            let report = bptt(&["report", &run], folder);
            assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
        }
    }
    // So began the configuration of a generated task in the first format.
    let old = "version = \"0.1.0\"\ncell = \"lstm\"\nsteps = 12\n\n[task]\nname = \"adding\"\ntime = 40\n";
    std::fs::create_dir(folder.join("old")).unwrap();
    std::fs::write(folder.join("old/config.toml"), old).unwrap();
    for command in ["flow", "report"] {
        let output = bptt(&[command, "old"], folder);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains("old") && line.contains("train anew"), "{line}");
    }
}
