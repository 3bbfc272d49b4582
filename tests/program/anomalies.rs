//! `bptt score` of a run on series: what stands out comes first, what does not has the probability that it says, and nothing of
//! the future is used.

use crate::start::{bptt, json, refused};
use bptt::nn::Random;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Daily values with a week and noise around a level that wanders, in two columns.
fn drawn(rows: usize, seed: u64) -> Vec<[f64; 2]> {
    let mut random = Random::seed_from_u64(seed);
    let mut noise = || -> f64 { StandardNormal.sample(&mut random) };
    let mut level = 0.0;
    let row = |row: usize| {
        level += 0.1 * noise();
        let week = [0.0, 1.0, 2.0, 1.0, 0.0, 5.0, 6.0][row % 7];
        [100.0 + level + week + noise(), 50.0 - week + noise()]
    };
    (0..rows).map(row).collect()
}

fn date(row: usize) -> String {
    // Months of 28 days have all their dates.
    format!("{}-{:02}-{:02}", 2000 + row / 336, row / 28 % 12 + 1, row % 28 + 1)
}

/// Every row, without regular dates.
fn csv(rows: &[[f64; 2]]) -> String {
    let mut text = String::from("place,north,south\n");
    for (row, [north, south]) in rows.iter().enumerate() {
        writeln!(text, "d{row},{north},{south}").unwrap();
    }
    text
}

/// The scores of all rows: of each column, row and line with forecast, p and bits, as text.
type Scores = BTreeMap<(String, usize), [String; 6]>;

fn scores(run: &str, file: &str, flags: &[&str], folder: &Path) -> Scores {
    let arguments = [&["score", run, file, "--csv", "scores.csv", "--json"], flags].concat();
    json(&arguments, folder);
    let mut reader = csv::Reader::from_path(folder.join("scores.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|other| other == name).unwrap();
    let name = header.iter().position(|other| other == "id").unwrap_or_else(|| place("column"));
    let places = ["line", "part", "value", "forecast", "p", "bits"].map(place);
    let row = place("row");
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let key = (record[name].to_string(), record[row].parse().unwrap());
            (key, places.map(|place| record[place].to_string()))
        })
        .collect()
}

#[test]
fn a_spike_comes_first_and_calm_rows_are_as_improbable_as_they_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut rows = drawn(4000, 1);
    std::fs::write(folder.join("known.csv"), csv(&rows[..2000])).unwrap();
    let train = ["train", "series", "known.csv", "--season", "7", "--epochs", "4", "--hidden", "8"];
    json(&[&train[..], &["--quiet", "--json", "--out", "run"]].concat(), folder);
    std::fs::write(folder.join("calm.csv"), csv(&rows)).unwrap();
    for method in ["combination", "network", "ar"] {
        let all = scores("run", "calm.csv", &["--method", method], folder);
        assert_eq!(all.len(), 8000);
        let new: Vec<f64> = all
            .values()
            .filter(|score| score[1] == "new")
            .map(|score| score[4].parse().unwrap())
            .collect();
        assert_eq!(new.len(), 4000);
        for level in [0.05, 0.5] {
            let share = new.iter().filter(|p| **p < level).count() as f64 / 4000.0;
            println!("{method}: {share} below {level}");
            assert!((share / level - 1.0).abs() < 0.3, "{method}: {share} below {level}");
        }
    }

    // Far from their forecasts, and not from the values of the series.
    rows[2500][0] += 9.0;
    rows[2707][1] += 9.0;
    std::fs::write(folder.join("spiked.csv"), csv(&rows)).unwrap();
    let report = json(&["score", "run", "spiked.csv", "--json", "--top", "2"], folder);
    let top = report["rows"].as_array().unwrap();
    let found: Vec<(u64, &str)> = top
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["column"].as_str().unwrap()))
        .collect();
    // The header is line 1.
    assert!(found.contains(&(2502, "north")) && found.contains(&(2709, "south")), "{report}");
    for row in top {
        let (p, bits) = (row["p"].as_f64().unwrap(), row["bits"].as_f64().unwrap());
        assert!(p < 1e-4 && (bits + p.log2()).abs() < 1e-6, "{row}");
        assert_eq!(row["part"], "new");
    }
    let text = bptt(&["score", "run", "spiked.csv", "--top", "1"], folder);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().count() > 2 && text.contains("part"), "{text}");
}

/// Whatever comes after a row, and in the rows that test, its score is the same to the last digit; and a spike that it did not
/// see is one.
#[test]
fn nothing_of_the_future_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = drawn(420, 2);
    let file = |name: &str, rows: &[[f64; 2]], from: usize| {
        let mut text = String::from("day,north,south\n");
        for (row, [north, south]) in rows.iter().enumerate() {
            writeln!(text, "{},{north},{south}", date(from + row)).unwrap();
        }
        std::fs::write(folder.join(name), text).unwrap();
    };
    file("known.csv", &rows[..300], 0);
    let train = ["train", "series", "known.csv", "--ignore-dates", "--season", "7", "--quiet"];
    let small = ["--epochs", "4", "--hidden", "8", "--json", "--out", "run"];
    json(&[&train[..], &small].concat(), folder);
    // Of the run's own beginning, of its end alone, and of rows that it does not know.
    for (from, cut) in [(0, 330), (60, 300), (250, 360)] {
        let mut other = rows.clone();
        other[cut..].iter_mut().for_each(|row| *row = [-7.0 * row[0], 1e4 + row[1]]);
        file("a.csv", &rows[from..], from);
        file("b.csv", &other[from..], from);
        file("c.csv", &rows[from..cut], from);
        for method in ["combination", "network", "smoothing"] {
            let [a, b, c] = ["a.csv", "b.csv", "c.csv"]
                .map(|file| scores("run", file, &["--method", method], folder));
            assert_eq!(c.len(), 2 * (cut - from));
            let scored = c.values().filter(|score| !score[3].is_empty()).count();
            assert!(scored > c.len() / 3, "{method} {from}: {scored}");
            for (key, score) in &c {
                assert_eq!((score, score), (&a[key], &b[key]), "{method} {from} {key:?}");
            }
        }
    }
    // The rows that test have no part in the score of themselves.
    let mut other = rows.clone();
    other[280..].iter_mut().for_each(|row| row[0] += 40.0);
    file("other.csv", &other[..300], 0);
    let arguments = ["train", "series", "other.csv", "--ignore-dates", "--season", "7", "--quiet"];
    json(
        &[&arguments[..], &["--epochs", "4", "--hidden", "8", "--json", "--out", "b"]].concat(),
        folder,
    );
    file("a.csv", &rows[..281], 0);
    file("b.csv", &other[..281], 0);
    let (a, b) = (scores("run", "a.csv", &[], folder), scores("b", "b.csv", &[], folder));
    for row in 250..=280 {
        let key = ("north".to_string(), row);
        assert_eq!(a[&key][1..], b[&key][1..], "{row}");
    }
    let key = ("north".to_string(), 281);
    assert_eq!(a[&key][3], b[&key][3]);
    assert!(b[&key][4].parse::<f64>().unwrap() < 1e-6 && b[&key][1] == "test");
}

#[test]
fn gaps_have_no_score_and_what_does_not_fit_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = drawn(400, 3);
    std::fs::write(folder.join("known.csv"), csv(&rows[..300])).unwrap();
    let train = ["train", "series", "known.csv", "--season", "7", "--cell", "ar", "--quiet"];
    json(&[&train[..], &["--json", "--out", "run"]].concat(), folder);
    let text = csv(&rows);
    std::fs::write(folder.join("whole.csv"), &text).unwrap();
    let line = text.lines().nth(351).unwrap();
    let [day, _, south] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let gap = text.replace(line, &format!("{day},,{south}"));
    std::fs::write(folder.join("gap.csv"), &gap).unwrap();
    refused(&["score", "run", "gap.csv"], folder, &["gap.csv", "line 352", "--missing"]);
    let whole = scores("run", "whole.csv", &[], folder);
    let held = scores("run", "gap.csv", &["--missing", "previous"], folder);
    // A line to the value after the gap would look ahead.
    let line = scores("run", "gap.csv", &["--missing", "interpolate"], folder);
    assert_eq!(held, line);
    let key = |row: usize, column: &str| (column.to_string(), row);
    assert_eq!(held[&key(351, "north")][2..], [""; 4]);
    assert_eq!(held[&key(351, "south")], whole[&key(351, "south")]);
    assert_eq!(held[&key(350, "north")], whole[&key(350, "north")]);
    assert_ne!(held[&key(352, "north")][3], whole[&key(352, "north")][3]);
    assert_eq!(held[&key(352, "north")][0], "353", "the line");
    assert_eq!((&*held[&key(1, "north")][3], &*held[&key(1, "north")][1]), ("", "train"));
    let output = bptt(&["score", "run", "gap.csv", "--missing", "interpolate"], folder);
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(note.contains("look ahead"), "{note}");

    std::fs::write(folder.join("other.csv"), "day,east\n1,2\n2,3\n3,4\n").unwrap();
    std::fs::write(folder.join("short.csv"), csv(&rows[..5])).unwrap();
    refused(&["score", "run", "other.csv"], folder, &["other.csv", "north"]);
    refused(&["score", "run", "short.csv"], folder, &["short.csv", "5 rows", "--method"]);
    refused(&["score", "run", "none.csv"], folder, &["none.csv"]);
    refused(&["score", "run", "whole.csv", "gap.csv"], folder, &["one file"]);
    refused(&["score", "run", "whole.csv", "--method", "network"], folder, &["smoothing"]);
    refused(&["score", "run", "whole.csv", "--forget", "3"], folder, &["--forget", "--csv"]);
    refused(&["score", "run", "whole.csv", "--csv", "whole.csv"], folder, &["--csv", "is read"]);
    refused(&["score", "run", "whole.csv", "--csv", "run/series.csv"], folder, &["to a run"]);
    refused(&["score", "run", "whole.csv", "--csv", "absent/a.csv"], folder, &["--csv", "absent"]);
    assert_eq!(std::fs::read_to_string(folder.join("whole.csv")).unwrap(), text);

    std::fs::write(folder.join("novel.txt"), "It was the best of times. ".repeat(20)).unwrap();
    let text = ["train", "text", "novel.txt", "--batch", "1", "--window", "5", "--hidden", "4"];
    json(&[&text[..], &["--epochs", "1", "--quiet", "--json", "--out", "text"]].concat(), folder);
    refused(&["score", "text", "novel.txt", "--top", "3"], folder, &["--top", "--per-step"]);
    refused(&["score", "text", "novel.txt", "--missing", "zero"], folder, &["how a file is read"]);
}

#[test]
fn a_spike_in_one_of_many_series_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let series: Vec<Vec<f64>> = (0..10)
        .map(|number| {
            let unit = 10f64.powi(number % 4);
            drawn(120, 10 + number as u64).iter().map(|row| unit * row[0]).collect()
        })
        .collect();
    let long = |rows: usize, spike: Option<(usize, usize)>| {
        let mut text = String::from("shop,day,sold\n");
        for (number, values) in series.iter().enumerate() {
            for (row, value) in values[..rows].iter().enumerate() {
                let factor = if spike == Some((number, row)) { 1.12 } else { 1.0 };
                writeln!(text, "S{number},{},{}", date(row), factor * value).unwrap();
            }
        }
        text
    };
    std::fs::write(folder.join("known.csv"), long(90, None)).unwrap();
    let train = ["train", "panel", "known.csv", "--id", "shop", "--ignore-dates", "--season", "7"];
    let small = ["--horizon", "7", "--window", "14", "--ensemble", "1", "--hidden", "6"];
    let more = ["--epochs", "20", "--quiet", "--json", "--out", "run"];
    json(&[&train[..], &small, &more].concat(), folder);
    // A series that the run does not know is scored too.
    let spiked = long(120, Some((6, 110))).replace("S6,", "stranger,");
    std::fs::write(folder.join("spiked.csv"), &spiked).unwrap();
    std::fs::write(folder.join("cut.csv"), long(100, None)).unwrap();
    for method in ["network", "season-ago", "last-value"] {
        let flags = ["--method", method];
        let report =
            json(&[&["score", "run", "spiked.csv", "--json"], &flags[..]].concat(), folder);
        let first = &report["rows"][0];
        assert_eq!((&first["id"], &first["row"]), (&"stranger".into(), &111.into()), "{first}");
        assert_eq!(first["line"], 6 * 120 + 111 + 1);
        let all = scores("run", "spiked.csv", &flags, folder);
        assert_eq!(all.len(), 1200);
        for (number, part) in [(60, "train"), (80, "valid"), (90, "test"), (91, "new")] {
            assert_eq!(all[&("S3".to_string(), number)][1], part, "{number}");
        }
        assert_eq!(all[&("stranger".to_string(), 60)][1], "new");
        let new = all.values().filter(|score| score[1] == "new" && !score[4].is_empty());
        let p: Vec<f64> = new.map(|score| score[4].parse().unwrap()).collect();
        let share = p.iter().filter(|p| **p < 0.05).count() as f64 / p.len() as f64;
        println!("{method}: {share} of {}", p.len());
        assert!((0.02..0.11).contains(&share), "{method}: {share}");
        // Rows after it change nothing.
        for (key, score) in scores("run", "cut.csv", &flags, folder) {
            if key.0 != "S6" {
                assert_eq!(score[1..], all[&key][1..], "{method} {key:?}");
            }
        }
    }
    std::fs::write(folder.join("short.csv"), "shop,day,sold\na,1,2\na,2,3\n").unwrap();
    refused(
        &["score", "run", "short.csv", "--ignore-dates"],
        folder,
        &["short.csv", "14", "2 rows"],
    );
    refused(&["score", "run", "spiked.csv", "--method", "ar"], folder, &["--method", "network"]);
}
