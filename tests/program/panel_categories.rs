//! What many series are: `--categorical` of `bptt train panel`, and columns of words that stay the same in each series.

use crate::start::{bptt, json, refused};
use bptt::nn::Random;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const KINDS: [&str; 2] = ["grows", "shrinks"];

/// Series that grow or shrink by three percent a row, as their kind says, with noise that hides it from a few rows.
fn drawn(series: usize, seed: u64) -> Vec<(String, usize, Vec<f64>)> {
    let mut random = Random::seed_from_u64(seed);
    (0..series)
        .map(|number| {
            let kind = number % 2;
            let rate = if kind == 0 { 0.03 } else { -0.03 };
            let level: f64 = random.random_range(3.0..6.0);
            let rows = 40 + number % 4;
            let noise =
                |random: &mut Random| (0..4).map(|_| random.random_range(-0.13..0.13)).sum::<f64>();
            let value = |row: usize| (level + rate * row as f64 + noise(&mut random)).exp();
            (format!("S{number}"), kind, (0..rows).map(value).collect())
        })
        .collect()
}

/// A long file; the columns after the value have what is asked for of a series.
fn write(
    path: &Path,
    title: &str,
    series: &[(String, usize, Vec<f64>)],
    cell: impl Fn(usize) -> String,
) {
    let mut text = format!("shop,month,sold{title}\n");
    for (id, kind, values) in series {
        for (row, value) in values.iter().enumerate() {
            let (year, month) = (2000 + row / 12, row % 12 + 1);
            writeln!(text, "{id},{year}-{month:02},{value}{}", cell(*kind)).unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

const SMALL: [&str; 14] = [
    "--season",
    "1",
    "--horizon",
    "4",
    "--window",
    "4",
    "--ensemble",
    "2",
    "--hidden",
    "8",
    "--epochs",
    "40",
    "--batch",
    "64",
];

fn train(file: &str, flags: &[&str], folder: &Path) -> Value {
    let fixed = ["train", "series", file, "--id", "shop", "--json"];
    json(&[&fixed[..], &SMALL, flags].concat(), folder)
}

#[test]
fn what_a_series_is_helps_its_forecast_and_that_of_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series = drawn(60, 1);
    let word = |kind: usize| format!(",{}", KINDS[kind]);
    write(&folder.join("kinds.csv"), ",kind", &series, word);
    write(&folder.join("codes.csv"), ",kind", &series, |kind| format!(",{}", [7, 12][kind]));
    write(&folder.join("plain.csv"), "", &series, |_| String::new());
    let plain = train("plain.csv", &["--out", "plain"], folder);
    let kinds = train("kinds.csv", &["--out", "run"], folder);
    let error = |report: &Value| report["test"][0]["smape"].as_f64().unwrap();
    assert!(error(&kinds) < 0.93 * error(&plain), "{} {}", error(&kinds), error(&plain));
    // Numbers that are codes are the same categories.
    let codes = train(
        "codes.csv",
        &["--categorical", "kind", "--column", "sold", "--out", "codes"],
        folder,
    );
    assert_eq!(codes["test"], kinds["test"]);
    assert_eq!(codes["valid_loss"], kinds["valid_loss"]);

    // One and the same past as each of them, and as what nobody knows.
    let past: Vec<f64> = series[0].2[..8].to_vec();
    let ahead = |kind: &str| {
        let text = past
            .iter()
            .enumerate()
            .fold("shop,month,sold,kind\n".to_string(), |text, (row, value)| {
                text + &format!("new,2020-{:02},{value},{kind}\n", row + 1)
            });
        std::fs::write(folder.join("new.csv"), text).unwrap();
        let arguments = ["forecast", "run", "--from", "new.csv", "--method", "network", "--json"];
        let output = bptt(&arguments, folder);
        assert!(output.status.success(), "{output:?}");
        let forecast: Value = serde_json::from_slice(&output.stdout).unwrap();
        let last = forecast["rows"][3]["mean"].as_f64().unwrap();
        (last, String::from_utf8(output.stderr).unwrap())
    };
    let ((grows, said), (shrinks, _), (strange, warned)) =
        (ahead("grows"), ahead("shrinks"), ahead("stands"));
    assert!(grows > 1.1 * shrinks, "{grows} {shrinks}");
    assert!(shrinks < strange && strange < grows, "{shrinks} {strange} {grows}");
    assert!(!said.contains("not among"), "{said}");
    assert!(warned.contains("kind: 'stands' in 1 row"), "{warned}");
    let none = "shop,month,sold\nnew,2020-01,5\nnew,2020-02,6\n";
    std::fs::write(folder.join("none.csv"), none).unwrap();
    refused(&["forecast", "run", "--from", "none.csv"], folder, &["none.csv", "'kind'"]);
    assert!(bptt(&["flow", "run"], folder).status.success());

    for arguments in [["score", "run", "kinds.csv"], ["compare", "run", "codes"]] {
        let output = bptt(&arguments, folder);
        assert!(output.status.success(), "{output:?}");
    }
    // The run holds them.
    std::fs::remove_file(folder.join("kinds.csv")).unwrap();
    let forecast = json(&["forecast", "run", "--json"], folder);
    assert_eq!(forecast["rows"].as_array().unwrap().len(), 60 * 4);
    assert!(bptt(&["report", "run"], folder).status.success());
    let resumed = ["train", "panel", "--resume", "run", "--epochs", "40", "--json"];
    assert_eq!(json(&resumed, folder)["test"], kinds["test"]);
}

#[test]
fn what_changes_within_a_series_or_is_a_name_is_no_category() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut text = String::from("shop,month,sold,promo,address,kind\n");
    for shop in 0..6 {
        for row in 0..30 {
            let promo = if row % 5 == 0 { "tv" } else { "no" };
            let value = 50 + shop + 7 * row % 11;
            let (year, month) = (2000 + row / 12, row % 12 + 1);
            let kind = ["a", "b"][shop % 2];
            writeln!(text, "s{shop},{year}-{month:02},{value},{promo},{shop} Long Road,{kind}")
                .unwrap();
        }
    }
    std::fs::write(folder.join("shops.csv"), &text).unwrap();
    let run = |flags: &[&str]| {
        let fixed =
            ["train", "panel", "shops.csv", "--id", "shop", "--horizon", "3", "--epochs", "1"];
        bptt(&[&fixed[..], &["--season", "1", "--ensemble", "1"], flags].concat(), folder)
    };
    let output = run(&["--out", "run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the network reads what each series is: kind (2)"), "{said}");
    assert!(said.contains("promo (words), address (words)"), "{said}");
    let kept = std::fs::read_to_string(folder.join("run/panel.csv")).unwrap();
    assert!(kept.starts_with("id,date,value,category 1\ns0,2000-01,50,a\n"), "{}", &kept[..60]);
    let refuses = |flags: &[&str], words: &[&str]| {
        let fixed = ["train", "panel", "shops.csv", "--out", "no", "--horizon", "3"];
        refused(&[&fixed[..], flags].concat(), folder, words);
        assert!(!folder.join("no").exists());
    };
    refuses(&["--id", "shop", "--categorical", "promo"], &["line 3", "'promo'", "'tv'", "line 2"]);
    refuses(&["--id", "shop", "--categorical", "region"], &["'region'"]);
    refuses(&["--wide", "--categorical", "kind"], &["--categorical", "--id"]);
}
