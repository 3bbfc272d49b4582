//! `bptt compare`: what it prints are the errors of the same rows, and it says when a difference may be chance.

use crate::page;
use crate::start::{bptt, json, refused};
use bptt::nn::Random;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

fn train(task: &str, arguments: &[&str], run: &str, folder: &Path) -> Value {
    json(&[&["train", task], arguments, &["--quiet", "--json", "--out", run]].concat(), folder)
}

fn compared(runs: &[&str], flags: &[&str], folder: &Path) -> Value {
    json(&[&["compare", "--json"], runs, flags].concat(), folder)
}

fn measure(report: &Value, row: usize, name: &str) -> f64 {
    report["rows"][row]["measures"][name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"))
}

fn near(a: f64, b: &Value, what: &str) {
    let b = b.as_f64().unwrap();
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{what}: {a} {b}");
}

#[test]
fn runs_on_a_series_are_compared_on_the_rows_that_test_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = ["--epochs", "6", "--hidden", "8"];
    let a = train("series", &[&small[..], &["--horizon", "12"]].concat(), "a", folder);
    train(
        "series",
        &["--horizon", "12", "--cell", "ar", "--log=false", "--difference", "0"],
        "b",
        folder,
    );
    train(
        "series",
        &[&small[..], &["--horizon", "6", "--test-share", "0.3"]].concat(),
        "c",
        folder,
    );

    // With itself: the errors of its own test, and no difference.
    let same = compared(&["a", "a"], &[], folder);
    let errors = &a["columns"][0]["errors"][0];
    for (name, key) in [
        ("MAE", "mean_absolute"),
        ("RMSE", "root_mean_squared"),
        ("sMAPE", "symmetric_percentage"),
        ("MASE", "scaled"),
    ] {
        near(measure(&same, 0, name), &errors[key], name);
        assert_eq!(measure(&same, 0, name), measure(&same, 1, name));
    }
    near(measure(&same, 0, "in 80 %"), &errors["intervals"][0]["coverage"], "coverage");
    near(measure(&same, 0, "in 95 %"), &errors["intervals"][1]["coverage"], "coverage");
    near(measure(&same, 0, "MSIS"), &errors["intervals"][1]["scaled_score"], "MSIS");
    assert_eq!(same["rows"][1]["difference"]["mean"], 0.0);
    assert!(same["verdicts"][0].as_str().unwrap().contains("forecasts as a does"), "{same}");
    assert!(same["on"].as_str().unwrap().contains("11 forecasts of the next 12 rows"), "{same}");

    // One network against the other, where both runs forecast by the combination.
    let networks = compared(&["a", "c"], &["--method", "network"], folder);
    assert!(networks["rows"][0]["method"].as_str().unwrap().starts_with("elman"), "{networks}");
    refused(&["compare", "a", "b", "--method", "network"], folder, &["--method", "combination"]);

    // The rows of the shortest test, as far ahead as both forecast, in either order.
    let both = compared(&["a", "c"], &[], folder);
    let other = compared(&["c", "a"], &[], folder);
    let on = both["on"].as_str().unwrap();
    assert!(on.contains("17 forecasts of the next 6 rows from 1959-03 to 1960-12"), "{on}");
    assert_eq!(both["on"], other["on"]);
    for name in ["MAE", "RMSE", "sMAPE", "in 95 %"] {
        assert_eq!(measure(&both, 0, name), measure(&other, 1, name), "{name}");
        assert_eq!(measure(&both, 1, name), measure(&other, 0, name), "{name}");
    }
    let difference =
        |report: &Value, end: &str| report["rows"][1]["difference"][end].as_f64().unwrap();
    let apart = measure(&both, 1, "MAE") - measure(&both, 0, "MAE");
    assert!((difference(&both, "mean") - apart).abs() < 1e-9);
    assert!((difference(&both, "lower") + difference(&other, "upper")).abs() < 1e-9);
    assert!(difference(&both, "lower") < apart && apart < difference(&both, "upper"));

    let text = bptt(&["compare", "a", "b", "c", "--out", "page.html"], folder);
    let printed = String::from_utf8(text.stdout).unwrap();
    assert!(text.status.success() && printed.lines().count() >= 8, "{printed}");
    assert!(printed.contains("MAE to the first") && printed.contains("with 95 %"), "{printed}");
    let html = std::fs::read_to_string(folder.join("page.html")).unwrap();
    page::page(&html).unwrap();
    // The forecasts and the learning curves; the run without a network has none.
    assert_eq!(html.matches("<svg ").count(), 2);
    assert!(html.contains("What was trained: c"));
    let line =
        refused(&["compare", "a", "b", "--out", "page.html"], folder, &["--out", "page.html"]);
    assert!(line.contains("name another"), "{line}");
    refused(&["compare", "a", "b", "--out", "a/series.csv"], folder, &["a/series.csv", "a run"]);
    assert_eq!(std::fs::read_to_string(folder.join("page.html")).unwrap(), html);
}

#[test]
fn a_clear_difference_is_told_from_chance_and_other_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Random::seed_from_u64(5);
    let mut noise = || -> f64 { StandardNormal.sample(&mut random) };
    let values: Vec<f64> = (0..600)
        .map(|row| 50.0 + [0.0, 3.0, 8.0, 2.0, 9.0, 1.0, 4.0][row % 7] + 0.5 * noise())
        .collect();
    let file = |name: &str, from: usize, to: usize, factor: f64| {
        let mut text = String::from("day,sold\n");
        for (row, value) in values.iter().enumerate().take(to).skip(from) {
            let (year, month, day) = (2001 + row / 336, row / 28 % 12 + 1, row % 28 + 1);
            writeln!(text, "{year}-{month:02}-{day:02},{}", factor * value).unwrap();
        }
        std::fs::write(folder.join(name), text).unwrap();
    };
    file("all.csv", 0, 600, 1.0);
    file("late.csv", 40, 580, 1.0);
    file("early.csv", 0, 400, 1.0);
    file("other.csv", 0, 600, 7.0);
    let ar = |file: &str, flags: &[&str], run: &str| {
        let arguments =
            [&[file, "--cell", "ar", "--horizon", "3", "--ignore-dates"], flags].concat();
        train("series", &arguments, run, folder);
    };
    ar("all.csv", &["--season", "7"], "good");
    ar("all.csv", &["--season", "7", "--lags", "7"], "same");
    // Without the week nothing is left but the mean.
    ar("all.csv", &["--season", "1", "--lags", "1"], "blind");
    ar("early.csv", &["--season", "7"], "early");
    ar("other.csv", &["--season", "7"], "other");
    let report = compared(&["good", "blind", "same"], &[], folder);
    let verdicts: Vec<&str> =
        report["verdicts"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(report["rows"][1]["difference"]["lower"].as_f64().unwrap() > 0.0, "{report}");
    assert!(verdicts[0].contains("above that of good, more than chance"), "{verdicts:?}");
    assert!(!verdicts[1].contains("more than chance"), "{verdicts:?}");

    refused(&["compare", "good", "early"], folder, &["good and early", "test part"]);
    refused(&["compare", "good", "other"], folder, &["good and other", "same rows"]);
    refused(&["compare", "good", "same", "--on", "all.csv"], folder, &["--on", "test rows"]);
    refused(&["compare", "good"], folder, &["2 values"]);
    refused(&["compare", "good", "none"], folder, &["none"]);
    ar("all.csv", &["--season", "7", "--test-share", "0"], "untested");
    refused(&["compare", "good", "untested"], folder, &["untested", "--test-share"]);

    // By their dates, where one begins and ends elsewhere.
    let dated = ["--cell", "ar", "--horizon", "3", "--missing", "previous"];
    train("series", &[&["all.csv"], &dated[..]].concat(), "dated", folder);
    train("series", &[&["late.csv"], &dated[..]].concat(), "late", folder);
    let report = compared(&["dated", "late"], &[], folder);
    assert!(report["on"].as_str().unwrap().contains("2002-09-20"), "{report}");
}

#[test]
fn texts_are_compared_by_bits_a_character_on_the_same_part() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = "Über den Wolken war es die beste aller Zeiten, wer weiß. ".repeat(30);
    std::fs::write(folder.join("novel.txt"), &text).unwrap();
    std::fs::write(folder.join("other.txt"), "Es war die schlechteste aller Zeiten. ".repeat(9))
        .unwrap();
    let small = ["novel.txt", "--batch", "2", "--window", "16", "--hidden", "12", "--layers", "1"];
    let with = |flags: &[&str], run: &str| {
        train("text", &[&small[..], flags].concat(), run, folder);
    };
    with(&["--epochs", "1"], "one");
    with(&["--epochs", "12", "--lr", "0.01"], "twelve");
    with(&["--epochs", "4", "--bytes", "--valid-share", "0.2"], "bytes");
    // On a file, as `score` scores it.
    let on = compared(&["one", "twelve", "bytes"], &["--on", "other.txt"], folder);
    for (row, run) in ["one", "twelve", "bytes"].into_iter().enumerate() {
        let score = json(&["score", run, "other.txt", "--json"], folder);
        let nats = score["nats"].as_f64().unwrap();
        let characters = "Es war die schlechteste aller Zeiten. ".chars().count() * 9;
        let bits = nats / std::f64::consts::LN_2 / characters as f64;
        near(measure(&on, row, "bits a character"), &bits.into(), run);
    }
    let part = compared(&["one", "twelve", "bytes"], &[], folder);
    let bits = |row| measure(&part, row, "bits a character");
    assert!(bits(1) < bits(0) && bits(1) < bits(2), "{part}");
    // The shorter of the parts that validate: 10 % of the characters of the two, and not 20 % of the bytes of the third.
    let count = text.chars().count() / 10;
    assert!(part["on"].as_str().unwrap().starts_with(&format!("{count} characters")), "{part}");
    assert!(part["rows"][1]["difference"]["upper"].as_f64().unwrap() < 0.0, "{part}");
    let text = bptt(&["compare", "one", "twelve", "--out", "a.html"], folder);
    assert!(text.status.success());
    page::page(&std::fs::read_to_string(folder.join("a.html")).unwrap()).unwrap();

    let other = ["other.txt", "--batch", "1", "--window", "8", "--hidden", "4", "--epochs", "1"];
    train("text", &other, "other", folder);
    refused(&["compare", "one", "other"], folder, &["one and other", "--on FILE"]);
    compared(&["one", "other"], &["--on", "novel.txt"], folder);
    std::fs::remove_file(folder.join("novel.txt")).unwrap();
    refused(&["compare", "one", "twelve"], folder, &["novel.txt"]);

    let sound = ["--rate", "300", "--batch", "2", "--window", "20", "--hidden", "6"];
    train("sound", &[&sound[..], &["--epochs", "1"]].concat(), "s1", folder);
    train("sound", &[&sound[..], &["--epochs", "3"]].concat(), "s3", folder);
    let sounds = compared(&["s1", "s3"], &[], folder);
    assert!(
        measure(&sounds, 1, "bits a sample") < measure(&sounds, 0, "bits a sample"),
        "{sounds}"
    );
    refused(&["compare", "one", "s1"], folder, &["one is a run of text", "sound"]);
}

#[test]
fn panels_and_generated_tasks_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Random::seed_from_u64(7);
    let mut noise = || -> f64 { StandardNormal.sample(&mut random) };
    let mut text = String::from("shop,day,sold\n");
    for shop in 0..9 {
        for row in 0..80 {
            let week = [0.0, 1.0, 2.0, 1.0][row % 4];
            let value = 10f64.powi(shop % 3) * (20.0 + 5.0 * week + noise());
            writeln!(text, "S{shop},{row},{value}").unwrap();
        }
    }
    std::fs::write(folder.join("sold.csv"), text).unwrap();
    let small = ["sold.csv", "--id", "shop", "--season", "4", "--window", "8", "--hidden", "6"];
    let with = |flags: &[&str], run: &str| {
        let more = ["--ignore-dates", "--column", "sold", "--ensemble", "1"];
        train("panel", &[&small[..], &more, flags].concat(), run, folder)
    };
    let a = with(&["--horizon", "8", "--epochs", "20"], "a");
    with(&["--horizon", "4", "--epochs", "20", "--seed", "2"], "b");
    let same = compared(&["a", "a"], &[], folder);
    let used =
        a["test"].as_array().unwrap().iter().find(|method| method["forecast"] == a["method"]);
    let used = used.unwrap();
    for (name, key) in [("OWA", "overall"), ("MASE", "mase"), ("MAE", "mean_absolute")] {
        near(measure(&same, 0, name), &used[key], name);
    }
    near(measure(&same, 0, "in 80 %"), &a["intervals"][0]["coverage"], "coverage");
    near(measure(&same, 0, "MSIS"), &a["intervals"][1]["scaled_score"], "MSIS");
    let both = compared(&["a", "b"], &["--out", "a.html"], folder);
    assert!(both["on"].as_str().unwrap().starts_with("9 series, of each 4 rows"), "{both}");
    assert!(both["rows"][1]["difference"]["lower"].is_number());
    page::page(&std::fs::read_to_string(folder.join("a.html")).unwrap()).unwrap();

    let order = ["--time", "12", "--test", "50", "--hidden", "8", "--steps"];
    train("order", &[&order[..], &["10"]].concat(), "few", folder);
    train("order", &[&order[..], &["300"]].concat(), "many", folder);
    let tasks = compared(&["few", "many"], &[], folder);
    assert!(measure(&tasks, 1, "test loss") < measure(&tasks, 0, "test loss"), "{tasks}");
    assert!(tasks["on"].as_str().unwrap().contains("the same 50 sequences"), "{tasks}");
    train(
        "order",
        &["--time", "13", "--test", "50", "--hidden", "8", "--steps", "5"],
        "long",
        folder,
    );
    refused(&["compare", "few", "long"], folder, &["few and long", "sizes"]);
    train("count", &["--iterations", "3"], "count", folder);
    refused(&["compare", "few", "count"], folder, &["few is a run of order", "count"]);
    refused(&["compare", "count", "count"], folder, &["count", "no test"]);
}
