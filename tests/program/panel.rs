//! `bptt train panel`: many series, one network.

use crate::start::{bptt, json, refused};
use bptt::nn::Random;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const SEASON: usize = 4;
const HORIZON: usize = 4;

/// Series of a season that multiplies a level, with noise, so that the mean over some seasons forecasts better than the last
/// one; levels differ by factors of thousand, lengths by some rows.
fn drawn(series: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Random::seed_from_u64(seed);
    let factors = [0.6, 1.0, 1.5, 0.9];
    (0..series)
        .map(|number| {
            let mut level = 10f64.powi(number as i32 % 4);
            let rows = 60 + 3 * (number % 5);
            let row = |row: usize| {
                level *= 1.0 + 0.005 * random.random_range(-1.0..1.0);
                level * factors[row % SEASON] * (1.0 + 0.1 * random.random_range(-1.0..1.0))
            };
            (0..rows).map(row).collect()
        })
        .collect()
}

fn wide(series: &[Vec<f64>]) -> String {
    let longest = series.iter().map(Vec::len).max().unwrap_or(0);
    let titles = (1..=longest).map(|row| format!("V{row}")).collect::<Vec<_>>().join(",");
    let mut text = format!("id,{titles}\n");
    for (number, values) in series.iter().enumerate() {
        let cells = (0..longest).map(|row| values.get(row).map_or(String::new(), f64::to_string));
        writeln!(text, "S{number},{}", cells.collect::<Vec<_>>().join(",")).unwrap();
    }
    text
}

fn long(series: &[Vec<f64>]) -> String {
    let mut text = String::from("shop,month,sold\n");
    for (number, values) in series.iter().enumerate() {
        for (row, value) in values.iter().enumerate() {
            writeln!(text, "S{number},{}-{:02},{value}", 1990 + row / 12, row % 12 + 1).unwrap();
        }
    }
    text
}

const SMALL: [&str; 14] = [
    "--season",
    "4",
    "--horizon",
    "4",
    "--window",
    "12",
    "--ensemble",
    "2",
    "--hidden",
    "6",
    "--epochs",
    "30",
    "--batch",
    "32",
];

fn train(file: &str, flags: &[&str], folder: &Path) -> Value {
    json(&[&["train", "panel", file, "--json", "--quiet"], &SMALL[..], flags].concat(), folder)
}

/// The weights of the best epoch.
fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("checkpoint/best.safetensors")).unwrap()
}

#[test]
fn one_network_forecasts_many_series_better_than_their_last_season() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series = drawn(12, 1);
    std::fs::write(folder.join("wide.csv"), wide(&series)).unwrap();
    let report = train("wide.csv", &["--wide", "--out", "run"], folder);
    assert_eq!(report["series"], 12);
    let overall = |method: usize| report["test"][method]["overall"].as_f64().unwrap();
    assert_eq!(report["test"][1]["forecast"], "season-ago");
    assert_eq!(report["method"], "network");
    assert!(overall(0) < overall(1), "{report}");
    assert_eq!(report["test"][2]["overall"], 1.0, "Naive 2 against itself");
    for file in ["report.html", "backtest.csv", "learning_curve.svg", "forecast_1.png"] {
        assert!(folder.join("run").join(file).exists(), "{file}");
    }

    let past = &report["importance"]["inputs"][0];
    let lags: Vec<f64> =
        past["lags"].as_array().unwrap().iter().map(|lag| lag.as_f64().unwrap()).collect();
    assert!(lags.len() == 12 && lags.iter().all(|lag| *lag > 0.0), "{past}");
    assert!(folder.join("run/importance.svg").exists());

    // What is printed is what `backtest.csv` holds.
    let text = std::fs::read_to_string(folder.join("run/backtest.csv")).unwrap();
    let mut lines = text.lines();
    let header = "id,step,actual,forecast,lower_80,upper_80,lower_95,upper_95";
    assert_eq!(lines.next(), Some(header));
    let (mut relative, mut inside, mut count) = (0.0, [0usize; 2], 0usize);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number: usize = cells[0][1..].parse().unwrap();
        let step: usize = cells[1].parse().unwrap();
        let values: Vec<f64> = cells[2..].iter().map(|cell| cell.parse().unwrap()).collect();
        let known = series[number].len() - HORIZON;
        assert_eq!(values[0], series[number][known + step - 1]);
        relative += 200.0 * (values[0] - values[1]).abs() / (values[0] + values[1]);
        for level in 0..2 {
            let ends = &values[2 + 2 * level..][..2];
            inside[level] += usize::from((ends[0]..=ends[1]).contains(&values[0]));
        }
        assert!(values[4] <= values[2] && values[2] <= values[1] && values[1] <= values[3]);
        count += 1;
    }
    assert_eq!(count, 12 * HORIZON);
    let near = |said: &Value, found: f64| (said.as_f64().unwrap() - found).abs() < 1e-9;
    assert!(near(&report["test"][0]["smape"], relative / count as f64));
    for level in 0..2 {
        let share = inside[level] as f64 / count as f64;
        assert!(near(&report["intervals"][level]["coverage"], share));
    }

    // Every series has its rows to come, and one that was never seen is forecast from its own past.
    let forecast = json(&["forecast", "run", "--json"], folder);
    assert_eq!(forecast["rows"].as_array().unwrap().len(), 12 * HORIZON);
    let stranger = vec![(0..30).map(|row| 5e4 * [0.6, 1.0, 1.5, 0.9][row % SEASON]).collect()];
    std::fs::write(folder.join("stranger.csv"), wide(&stranger)).unwrap();
    let forecast = json(&["forecast", "run", "--from", "stranger.csv", "--json"], folder);
    for (step, row) in forecast["rows"].as_array().unwrap().iter().enumerate() {
        let truth = 5e4 * [0.6, 1.0, 1.5, 0.9][(30 + step) % SEASON];
        let mean = row["mean"].as_f64().unwrap();
        assert!((mean / truth - 1.0).abs() < 0.1, "{row} {truth}");
    }
    // Another method, asked for.
    let ago = json(&["forecast", "run", "--method", "season-ago", "--json"], folder);
    for (place, row) in ago["rows"].as_array().unwrap().iter().enumerate() {
        let values = &series[place / HORIZON];
        let expected = values[values.len() - SEASON + place % HORIZON];
        // The reader of JSON rounds the last digit.
        assert!((row["mean"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12);
        assert!(row["lower"].as_f64() < row["mean"].as_f64());
    }
    refused(&["forecast", "run", "--method", "ar"], folder, &["--method", "network", "naive2"]);
    let json = json(&["flow", "run", "--json"], folder);
    assert_eq!(json["lag_map"].as_array().unwrap().len(), 3, "a window of three seasons");
    let page = bptt(&["report", "run"], folder);
    assert!(page.status.success());
    let list = bptt(&["runs", "."], folder);
    assert!(String::from_utf8_lossy(&list.stdout).contains("panel"), "{list:?}");
}

#[test]
fn the_layouts_of_a_file_are_one_and_the_same_training() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series = drawn(5, 2);
    std::fs::write(folder.join("wide.csv"), wide(&series)).unwrap();
    std::fs::write(folder.join("long.csv"), long(&series)).unwrap();
    let a = train("wide.csv", &["--wide", "--out", "a"], folder);
    // By its other name.
    let arguments = ["train", "series", "long.csv", "--id", "shop", "--json", "--out", "b"];
    let b = json(&[&arguments[..], &SMALL].concat(), folder);
    assert_eq!(a["test"], b["test"]);
    assert_eq!(a["train_loss"], b["train_loss"]);
    // Dates go on, each series from its own end.
    let forecast = json(&["forecast", "b", "--json"], folder);
    for row in forecast["rows"].as_array().unwrap() {
        let number: usize = row["id"].as_str().unwrap()[1..].parse().unwrap();
        let next = series[number].len() + row["step"].as_u64().unwrap() as usize - 1;
        assert_eq!(row["date"], format!("{}-{:02}", 1990 + next / 12, next % 12 + 1));
    }
}

/// Whatever comes in the rows that test, weights, epochs and the width of the intervals are the same.
#[test]
fn the_rows_that_test_choose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut series = drawn(6, 3);
    std::fs::write(folder.join("a.csv"), wide(&series)).unwrap();
    for values in &mut series {
        let known = values.len() - HORIZON;
        values[known..].iter_mut().enumerate().for_each(|(row, value)| *value *= 7.0 + row as f64);
    }
    std::fs::write(folder.join("b.csv"), wide(&series)).unwrap();
    let known: Vec<Vec<f64>> =
        series.iter().map(|values| values[..values.len() - HORIZON].to_vec()).collect();
    let rest: Vec<Vec<f64>> =
        series.iter().map(|values| values[values.len() - HORIZON..].to_vec()).collect();
    std::fs::write(folder.join("known.csv"), wide(&known)).unwrap();
    std::fs::write(folder.join("rest.csv"), wide(&rest)).unwrap();
    let a = train("a.csv", &["--wide", "--out", "a"], folder);
    let b = train("b.csv", &["--wide", "--out", "b"], folder);
    let c = train("known.csv", &["--wide", "--test", "rest.csv", "--out", "c"], folder);
    assert_ne!(a["test"], b["test"]);
    for (key, other) in [("train_loss", &b), ("valid_loss", &b), ("valid", &b)] {
        assert_eq!(a[key], other[key], "{key}");
    }
    assert_eq!(b["test"], c["test"], "the same rows, in a file of their own");
    assert_eq!(b["train_loss"], c["train_loss"]);
    let tensors = |run: &str| {
        let bytes = weights(&folder.join(run));
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let weight = |name: &str| file.tensor(name).unwrap().data().to_vec();
        ["members.1.recurrent.weight_hh_l0", "members.0.linear.weight"].map(weight)
    };
    assert_eq!(tensors("a"), tensors("b"));
    // The same training once more has the same bytes.
    let again = train("a.csv", &["--wide", "--out", "again"], folder);
    assert_eq!(again["train_loss"], a["train_loss"]);
    assert_eq!(weights(&folder.join("again")), weights(&folder.join("a")));
}

#[test]
fn a_run_goes_on_to_the_bit_and_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("wide.csv"), wide(&drawn(6, 4))).unwrap();
    let constant = ["--schedule", "constant", "--wide"];
    let whole = train("wide.csv", &[&constant[..], &["--out", "whole"]].concat(), folder);
    let short = [&constant[..], &["--out", "short"]].concat();
    let mut half = SMALL;
    half[11] = "11";
    let arguments = [&["train", "panel", "wide.csv", "--json", "--quiet"], &half[..], &short];
    json(&arguments.concat(), folder);
    // The run holds what its file held.
    std::fs::remove_file(folder.join("wide.csv")).unwrap();
    let resumed = json(
        &["train", "panel", "--resume", "short", "--epochs", "30", "--json", "--quiet"],
        folder,
    );
    assert_eq!(whole["test"], resumed["test"]);
    assert_eq!(whole["valid_loss"], resumed["valid_loss"]);
    json(&["forecast", "short", "--json"], folder);
}

#[test]
fn what_cannot_be_learnt_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series = drawn(3, 5);
    std::fs::write(folder.join("wide.csv"), wide(&series)).unwrap();
    std::fs::write(folder.join("long.csv"), long(&series)).unwrap();
    std::fs::write(folder.join("twice.csv"), "id,a,b\nx,1,2\nx,3,4\n").unwrap();
    std::fs::write(folder.join("word.csv"), "id,a,b,c\nx,1,2,3\ny,4,five,6\n").unwrap();
    std::fs::write(folder.join("gap.csv"), "id,a,b,c\nx,1,2,3\ny,4,,6\n").unwrap();
    std::fs::write(folder.join("still.csv"), wide(&vec![vec![5.0; 60]; 3])).unwrap();
    std::fs::write(folder.join("test.csv"), wide(&series[..2])).unwrap();
    let refuses = |file: &str, flags: &[&str], words: &[&str]| {
        let arguments = [&["train", "panel", file, "--out", "run"], flags];
        refused(&arguments.concat(), folder, words);
        assert!(!folder.join("run").exists(), "{file}");
    };
    let sizes = ["--season", "4", "--horizon", "4"];
    let wide = [&sizes[..], &["--wide"]].concat();
    refuses("none.csv", &wide, &["none.csv"]);
    refuses("twice.csv", &wide, &["line 3", "'x'", "line 2", "--id"]);
    refuses("word.csv", &wide, &["line 3", "'y'", "'five'"]);
    refuses("gap.csv", &wide, &["line 3", "'y'", "--missing"]);
    refuses("still.csv", &wide, &["nothing to learn"]);
    refuses("wide.csv", &["--wide", "--horizon", "40"], &["--horizon", "122"]);
    refuses("wide.csv", &[&wide[..], &["--window", "10"]].concat(), &["--window 10", "8", "12"]);
    refuses("wide.csv", &[&wide[..], &["--test", "test.csv"]].concat(), &["test.csv", "'S2'"]);
    refuses("long.csv", &[&sizes[..], &["--id", "store"]].concat(), &["'store'"]);
    refused(&["train", "panel", "--wide"], folder, &["FILE"]);

    train("wide.csv", &["--wide", "--out", "run"], folder);
    refused(&["forecast", "run", "--steps", "9"], folder, &["--steps", "4"]);
    refused(&["forecast", "run", "--level", "0.5"], folder, &["--level 0.5", "0.8 and 0.95"]);
    std::fs::write(folder.join("zero.csv"), "id,a,b,c,d\nz,1,0,3,4\n").unwrap();
    let network = ["forecast", "run", "--from", "zero.csv", "--method", "network"];
    refused(&network, folder, &["zero.csv", "'z'", "0 or below"]);
    refused(&["generate", "run"], folder, &["panel", "forecast"]);
    std::fs::write(folder.join("run/panel.csv"), "id,value\na,1\na,2\n").unwrap();
    refused(&["forecast", "run"], folder, &["panel.csv", "checksum"]);
}
