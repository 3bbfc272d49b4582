//! Columns of words, and of numbers that are codes, as inputs.

use crate::holidays::day;
use crate::start::{bptt, json, refused};
use serde_json::Value;
use std::path::Path;

/// The promotion of a day: none mostly, a flyer, television, or one that is rare.
fn promotion(number: i64) -> &'static str {
    match number * number % 31 {
        0..4 => "flyer",
        7..=9 => "tv",
        _ => "none",
    }
}

fn sold(number: i64, promotion: &str) -> f64 {
    let does = match promotion {
        "flyer" => 30.0,
        "tv" => 75.0,
        _ => 0.0,
    };
    100.0 + [0.0, 5.0, 9.0, 2.0, 20.0, 40.0, 11.0][(number % 7) as usize] + does
}

const DAYS: i64 = 300;

fn write(folder: &Path) {
    let row = |number: i64| {
        let promotion = promotion(number);
        let code = ["none", "flyer", "tv"].iter().position(|word| *word == promotion).unwrap();
        let is_tv = if promotion == "tv" { "TRUE" } else { "FALSE" };
        let sales = sold(number, promotion);
        format!("{},{sales},{promotion},{},{is_tv},r{number}\n", day(number), [4, 9, 2][code])
    };
    let rows: String = (0..DAYS).map(row).collect();
    std::fs::write(folder.join("sales.csv"), format!("date,sales,promo,code,tv,note\n{rows}"))
        .unwrap();
    let to_come: String = ["tv", "none", "radio", "Flyer", "tv"]
        .iter()
        .zip(DAYS..)
        .map(|(promotion, number)| format!("{},,{promotion},2,FALSE\n", day(number)))
        .collect();
    let to_come = format!("date,sales,promo,code,tv\n{to_come}");
    std::fs::write(folder.join("to_come.csv"), to_come).unwrap();
}

fn train(flags: &[&str], folder: &Path) -> Value {
    let fixed = ["train", "series", "sales.csv", "--column", "sales", "--horizon", "5", "--json"];
    json(&[&fixed[..], flags].concat(), folder)
}

fn error(report: &Value) -> f64 {
    report["columns"][0]["errors"][0]["mean_absolute"].as_f64().unwrap()
}

#[test]
fn words_are_categories_and_one_that_was_not_seen_is_none_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder);
    let known = ["--cell", "ar", "--future-known", "promo", "--out", "run"];
    assert!(error(&train(&known, folder)) < 1e-6);

    let output = bptt(&["forecast", "run", "--future", "to_come.csv", "--json"], folder);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("promo: 'radio' in 1 row: not among the categories"), "{said}");
    let forecast: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = |step: usize| forecast["rows"][step]["mean"].as_f64().unwrap();
    for (step, promotion) in [(0, "tv"), (1, "none"), (3, "flyer"), (4, "tv")] {
        let expected = sold(DAYS + step as i64, promotion);
        assert!((row(step) - expected).abs() < 1e-6, "{step}: {} {expected}", row(step));
    }
    // What is not known has the effect of an average row, as the rows before the test have it.
    let before = (0..255).map(|number| sold(number, promotion(number)) - sold(number, "none"));
    let expected = sold(DAYS + 2, "none") + before.sum::<f64>() / 255.0;
    assert!((row(2) - expected).abs() < 1e-6, "{} {expected}", row(2));

    // From later rows, with the coding of the run.
    let later: String = (200..DAYS + 3)
        .map(|number| {
            format!("{},{},{}\n", day(number), sold(number, promotion(number)), promotion(number))
        })
        .collect();
    std::fs::write(folder.join("later.csv"), format!("date,sales,promo\n{later}")).unwrap();
    let ahead: String =
        (DAYS + 3..DAYS + 6).map(|number| format!("{},tv\n", day(number))).collect();
    std::fs::write(folder.join("ahead.csv"), format!("date,promo\n{ahead}")).unwrap();
    let from = ["forecast", "run", "--from", "later.csv", "--future", "ahead.csv", "--json"];
    for (row, number) in json(&from, folder)["rows"].as_array().unwrap().iter().zip(DAYS + 3..) {
        assert!((row["mean"].as_f64().unwrap() - sold(number, "tv")).abs() < 1e-6, "{row}");
    }
    // A run goes on without its file.
    let network = ["--hidden", "4", "--schedule", "constant", "--epochs"];
    let known = ["--future-known", "promo", "--exogenous", "tv", "--out"];
    let whole = train(&[&network[..], &["4"], &known, &["whole"]].concat(), folder);
    train(&[&network[..], &["2"], &known, &["half"]].concat(), folder);
    std::fs::remove_file(folder.join("sales.csv")).unwrap();
    let resumed = ["train", "series", "--resume", "half", "--epochs", "4", "--json"];
    assert_eq!(json(&resumed, folder)["columns"], whole["columns"]);
}

#[test]
fn numbers_are_codes_where_that_is_said_and_truths_are_words() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder);
    let ar = ["--cell", "ar", "--future-known"];
    let numbers = train(&[&ar[..], &["code", "--out", "numbers"]].concat(), folder);
    let codes = ["code", "--categorical", "code", "--out", "codes"];
    let codes = train(&[&ar[..], &codes].concat(), folder);
    assert!(error(&codes) < 1e-6 && error(&numbers) > 1.0, "{} {}", error(&codes), error(&numbers));
    let truths = train(&[&ar[..], &["tv", "--out", "truths"]].concat(), folder);
    let plain = train(&["--cell", "ar", "--out", "plain"], folder);
    assert!(error(&truths) < 0.8 * error(&plain), "{} {}", error(&truths), error(&plain));
    let forecast = ["forecast", "codes", "--future", "to_come.csv", "--json"];
    let first = &json(&forecast, folder)["rows"][0];
    assert!((first["mean"].as_f64().unwrap() - sold(DAYS, "tv")).abs() < 1e-6, "{first}");

    let refuses = |flags: &[&str], words: &[&str]| {
        let fixed = ["train", "series", "sales.csv", "--column", "sales", "--out", "no"];
        refused(&[&fixed[..], flags].concat(), folder, words);
        assert!(!folder.join("no").exists());
    };
    refuses(&["--future-known", "note"], &["'note'", "300 different words in 300 rows", "100"]);
    refuses(&["--categorical", "code"], &["--categorical", "'code'", "--future-known"]);
    refuses(&["--exogenous", "code", "--categorical", "kode"], &["'kode'"]);
    // A column of numbers stays one.
    std::fs::write(folder.join("words.csv"), "date,code\n2021-10-28,tv\n2021-10-29,flyer\n")
        .unwrap();
    refused(&["forecast", "numbers", "--future", "words.csv"], folder, &["words.csv", "'code'"]);
}
