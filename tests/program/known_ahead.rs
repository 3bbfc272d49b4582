//! Columns that are known ahead: `--future-known` of a training, `--future` of a forecast.

use crate::start::{bptt, json, refused};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// A file among the test data.
fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/series");
    folder.join(name).to_str().unwrap().into()
}

const KNOWN: [&str; 8] =
    ["--column", "sales", "--future-known", "promo", "--horizon", "7", "--quiet", "--json"];

fn train(file: &str, flags: &[&str], folder: &Path) -> Value {
    json(&[&["train", "series", file], &KNOWN[..], flags].concat(), folder)
}

/// Sales are twice the promotion, and what the day of the week adds.
#[test]
fn what_is_known_of_the_rows_to_come_is_in_their_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (known, to_come) = (file("promo.csv"), file("promo_to_come.csv"));
    let report = train(&known, &["--out", "run"], folder);
    let errors = &report["columns"][0]["errors"][0];
    assert!(errors["mean_absolute"].as_f64().unwrap() < 1e-6, "{errors}");

    let forecast = json(&["forecast", "run", "--future", &to_come, "--json"], folder);
    let rows = forecast["rows"].as_array().unwrap();
    let text = std::fs::read_to_string(&to_come).unwrap();
    let ahead: Vec<&str> = text.lines().filter(|line| line.contains(",,")).collect();
    assert_eq!((rows.len(), ahead.len()), (10, 10));
    let history = std::fs::read_to_string(&known).unwrap();
    let added = |line: &str| {
        let cells: Vec<f64> = line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
        cells[0] - 2.0 * cells[1]
    };
    let added: Vec<f64> = history.lines().skip(1).map(added).collect();
    for (step, (row, line)) in rows.iter().zip(&ahead).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(row["date"], cells[0]);
        let promotion: f64 = cells[2].parse().unwrap();
        let mean = row["mean"].as_f64().unwrap();
        let expected = 2.0 * promotion + added[added.len() - 7 + step % 7];
        assert!((mean - expected).abs() < 1e-6, "{row} {line} {expected}");
    }
    // A file of nothing but the rows to come says the same.
    let mut alone = String::from("date,promo\n");
    for line in ahead {
        let cells: Vec<&str> = line.split(',').collect();
        writeln!(alone, "{},{}", cells[0], cells[2]).unwrap();
    }
    std::fs::write(folder.join("alone.csv"), alone).unwrap();
    let same = json(&["forecast", "run", "--future", "alone.csv", "--json"], folder);
    assert_eq!(same["rows"], forecast["rows"]);

    // The rows to come of a file are left out where it is trained on, and it is the same run.
    let again = train(&to_come, &["--out", "again"], folder);
    assert_eq!(again["columns"], report["columns"]);
    assert!(bptt(&["report", "run"], folder).status.success());
    assert!(bptt(&["flow", "run"], folder).status.success());

    refused(&["forecast", "run"], folder, &["promo", "--future"]);
    let known = ["forecast", "run", "--future", &known];
    refused(&known, folder, &["promo.csv", "0 rows", "--steps"]);
    let many = ["forecast", "run", "--future", &to_come, "--steps", "11"];
    refused(&many, folder, &["10 rows", "11", "--steps"]);
    std::fs::write(folder.join("other.csv"), "date,price\n2023-05-01,3\n2023-05-02,4\n").unwrap();
    refused(&["forecast", "run", "--future", "other.csv"], folder, &["other.csv", "'promo'"]);
    let other = ["train", "series", &file("promo.csv"), "--future-known", "weather"];
    refused(&other, folder, &["'weather'"]);
    json(
        &[
            "train",
            "series",
            &file("promo.csv"),
            "--column",
            "sales",
            "--cell",
            "ar",
            "--out",
            "plain",
            "--json",
        ],
        folder,
    );
    refused(&["forecast", "plain", "--future", &to_come], folder, &["--future", "--future-known"]);
}

/// What a column does is measured on the rows before the test, and a training goes on with it.
#[test]
fn effects_know_nothing_of_the_test_and_a_run_goes_on_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = std::fs::read_to_string(file("promo.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut other = String::new();
    for (row, line) in lines.iter().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        match row + 5 < lines.len() {
            true => writeln!(other, "{line}").unwrap(),
            false => writeln!(other, "{},{},{}", cells[0], 999 + row, cells[2]).unwrap(),
        }
    }
    std::fs::write(folder.join("a.csv"), &text).unwrap();
    std::fs::write(folder.join("b.csv"), other).unwrap();
    let constant = ["--schedule", "constant", "--hidden", "4", "--epochs", "6"];
    let a = train("a.csv", &[&constant[..], &["--out", "a"]].concat(), folder);
    let b = train("b.csv", &[&constant[..], &["--out", "b"]].concat(), folder);
    assert_ne!(a["columns"], b["columns"]);
    for key in ["chosen", "method", "train_loss", "valid_loss"] {
        assert_eq!(a[key], b[key], "{key}");
    }
    let effects = |run: &str| {
        let text = std::fs::read_to_string(folder.join(run).join("data.toml")).unwrap();
        text[text.find("[effects").unwrap()..].to_string()
    };
    let coefficients = |text: &str| {
        let start = text.find("coefficients").unwrap();
        text[start..].lines().next().unwrap().to_string()
    };
    assert_eq!(coefficients(&effects("a")), coefficients(&effects("b")));

    let mut short = constant;
    short[5] = "3";
    train("a.csv", &[&short[..], &["--out", "short"]].concat(), folder);
    let resumed = ["train", "series", "--resume", "short", "--epochs", "6", "--quiet", "--json"];
    let resumed = json(&resumed, folder);
    assert_eq!(resumed["columns"], a["columns"]);
    assert_eq!(resumed["train_loss"], a["train_loss"]);
}
