//! Series files as people have them, from the command line: what was decided and what may be lost is said, refusals are one
//! line and leave nothing behind, and a run reads later files as its own.

use crate::start::{bptt, json};
use std::path::Path;

/// A file among the test data.
fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/series");
    folder.join(name).to_str().unwrap().into()
}

/// Trains AR(τ) on a file: what it says on standard error.
fn trained(name: &str, flags: &[&str], folder: &Path) -> String {
    let name = file(name);
    let arguments = [&["train", "series", &name, "--cell", "ar", "--out", "run"], flags].concat();
    let output = bptt(&arguments, folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    said
}

#[test]
fn warnings_are_shown_even_where_notes_are_not() {
    for (name, note, warning) in [
        ("percent.csv", Some("note: "), None),
        ("thousands_quoted.csv", None, Some("'5,032' on line 2 is read as 5032")),
        ("minus_999.csv", None, Some("-999, 3 times, is far from all other values")),
        ("unnamed_index.csv", Some("not used: column 1 (a counter)"), None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let said = trained(name, &[], folder.path());
        for words in note.iter().chain(&warning) {
            assert!(said.contains(words), "{name}: no '{words}' in: {said}");
        }
        let folder = tempfile::tempdir().unwrap();
        let quiet = trained(name, &["--quiet"], folder.path());
        assert!(!quiet.contains("note: "), "{name}: {quiet}");
        match warning {
            Some(words) => assert!(quiet.contains(words), "{name}: {quiet}"),
            None => assert_eq!(quiet, "", "{name}"),
        }
    }
}

#[test]
fn what_is_refused_is_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, flags, words) in [
        ("decimal_comma_unquoted.csv", &[][..], "--decimal point"),
        ("three_header_rows.csv", &[], "--skip-rows 2"),
        ("three_header_rows.csv", &["--skip-rows", "500"], "--skip-rows 500"),
        ("total_row.csv", &[], "'Total'"),
        ("empty_cells.csv", &[], "--missing interpolate"),
        ("empty_cells.csv", &["--missing", "guess"], "interpolate, previous, zero, drop"),
        ("promo_to_come.csv", &["--exogenous", "promo"], "the last 10 rows"),
        ("decimal_comma.csv", &["--decimal", "point"], "'101,58'"),
        ("decimal_comma.csv", &["--decimal", "dot"], "point, comma"),
        ("name_twice.csv", &["--column", "y"], "2 columns named 'y'"),
    ] {
        let path = file(name);
        let arguments = [&["train", "series", &path], flags].concat();
        let output = bptt(&arguments, folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: no '{words}' in: {said}");
        assert!(said.starts_with("error: ") && said.trim_end().lines().count() <= 3, "{said}");
        assert!(!folder.join("runs").exists(), "{arguments:?} wrote something");
    }
}

#[test]
fn a_run_reads_later_files_as_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(
        "decimal_comma.csv",
        &["--missing", "previous", "--missing-mark=-1", "--quiet"],
        folder,
    );
    let config = std::fs::read_to_string(folder.join("run/config.toml")).unwrap();
    for key in ["missing = \"previous\"", "missing-mark = [\"-1\"]"] {
        assert!(config.contains(key), "{config}");
    }
    assert!(!config.contains("skip-rows") && !config.contains("\ndecimal ="), "{config}");
    // No number of the later file tells which mark it has, and one of them is missing.
    let rows: String = (1..=60)
        .map(|day| match day {
            30 => "-1\n".into(),
            _ => format!("{},{:03}\n", 100 + day, 111 * (day % 9) + 1),
        })
        .collect();
    std::fs::write(folder.join("later.csv"), format!("Wert;\n{}", rows.replace('\n', ";\n")))
        .unwrap();
    let last = ["forecast", "run", "--from", "later.csv", "--method", "last-value", "--json"];
    let mean = |said: &serde_json::Value| said["rows"][0]["mean"].as_f64().unwrap();
    assert!((mean(&json(&last, folder)) - 160.667).abs() < 1e-9);
    let point = json(&[&last[..], &["--decimal", "point"]].concat(), folder);
    assert!((mean(&point) - 160_667.0).abs() < 1e-6);

    // A run without those keys, as they were before there were any.
    let folder = tempfile::tempdir().unwrap();
    trained("daily.csv", &["--quiet"], folder.path());
    let config = std::fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(!config.contains("missing") && !config.contains("skip-rows"), "{config}");
    let resumed = ["train", "series", "--resume", "run", "--quiet", "--json"];
    let resumed = [&resumed[..], &["--missing", "zero"]].concat();
    let output = bptt(&resumed, folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    json(&["forecast", "run", "--json"], folder.path());
}

#[test]
fn the_next_value_is_that_of_the_plain_file_however_it_is_written() {
    let plain = std::fs::read_to_string(file("daily.csv")).unwrap();
    let rows: Vec<(&str, &str)> =
        plain.lines().skip(1).map(|line| line.split_once(',').unwrap()).collect();
    let dated = |write: &dyn Fn(usize, &str) -> String| -> String {
        let row = |(day, &(date, value)): (usize, &(&str, &str))| {
            format!("{},{value}\n", write(day, date))
        };
        format!("date,y\n{}", rows.iter().enumerate().map(row).collect::<String>())
    };
    let months = ["Jan", "Feb", "Mar", "Apr"];
    let parts = |date: &str| -> [String; 3] {
        let parts: Vec<String> = date.split('-').map(String::from).collect();
        parts.try_into().unwrap()
    };
    let newest_first = |text: String| {
        let (header, rows) = text.split_once('\n').unwrap();
        let turned: Vec<&str> = rows.lines().rev().collect();
        format!("{header}\n{}\n", turned.join("\n"))
    };
    let seconds = 1_672_531_200; // the first of January 2023
    let written: [(&str, String, &[&str]); 6] = [
        ("newest first", newest_first(plain.clone()), &["--sort"]),
        ("seconds since 1970", dated(&|day, _| (seconds + 86_400 * day).to_string()), &[]),
        ("a spreadsheet's days", dated(&|day, _| (44_927 + day).to_string()), &[]),
        ("digits alone", dated(&|_, date| date.replace('-', "")), &[]),
        (
            "months by name",
            dated(&|_, date| {
                let [year, month, day] = parts(date);
                format!("{day}-{}-{year}", months[month.parse::<usize>().unwrap() - 1])
            }),
            &[],
        ),
        (
            "two digits of a year",
            dated(&|_, date| {
                let [year, month, day] = parts(date);
                format!("{month}/{day}/{}", &year[2..])
            }),
            &[],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<(String, String, &[&str])> = ["daily", "sep_line", "unnamed_index"]
        .into_iter()
        .chain(["decimal_comma", "dollars", "name_twice"])
        .map(|name| (name.to_string(), file(&format!("{name}.csv")), &[][..]))
        .collect();
    for (name, text, flags) in written {
        let path = folder.path().join(format!("{name}.csv"));
        std::fs::write(&path, text).unwrap();
        files.push((name.into(), path.to_str().unwrap().into(), flags));
    }
    for (name, path, flags) in &files {
        let train =
            ["train", "series", path, "--cell", "ar", "--out", "run", "--overwrite", "--quiet"];
        let output = bptt(&[&train[..], flags].concat(), folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        let forecast = json(&["forecast", "run", "--json"], folder.path());
        let mean = forecast["rows"][0]["mean"].as_f64().unwrap();
        assert!((mean - 223.9).abs() < 0.2, "{name}: {mean}");
    }
}

#[test]
fn a_series_that_was_damaged_in_its_run_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = ["train", "series", "--hidden", "4", "--window", "7", "--out", "run", "--quiet"];
    let said = bptt(&[&train[..], &["--epochs", "1"]].concat(), folder);
    assert_eq!(said.status.code(), Some(0));
    let series = folder.join("run/series.csv");
    let whole = std::fs::read(&series).unwrap();
    std::fs::write(&series, &whole[..500]).unwrap();
    let resume = ["train", "series", "--resume", "run", "--epochs", "2", "--quiet"];
    let said = bptt(&resume, folder);
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(std::fs::read(&series).unwrap() == whole);
    assert_eq!(bptt(&["forecast", "run"], folder).status.code(), Some(0));
}
