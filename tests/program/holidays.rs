//! `--holidays` of a training: days that are known ahead.

use crate::start::{bptt, json, refused};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// The day so many days after 1 January 2021, as 2021-01-01.
pub fn day(number: i64) -> String {
    let date = jiff::civil::date(2021, 1, 1).checked_add(jiff::Span::new().days(number)).unwrap();
    date.to_string()
}

/// Whether it is the 10th of a month, or the 25th.
fn holiday(number: i64) -> Option<&'static str> {
    match &day(number)[8..] {
        "10" => Some("tenth"),
        "25" => Some("end"),
        _ => None,
    }
}

/// Sales of a day: a week, minus 50 or 20 on a holiday, plus 9 on the day after one.
fn sold(number: i64) -> f64 {
    let week = [0.0, -12.0, -8.0, 5.0, 30.0, 70.0, 25.0][(number % 7) as usize];
    let here = holiday(number).map_or(0.0, |name| if name == "tenth" { -50.0 } else { -20.0 });
    200.0 + week + here + if holiday(number - 1).is_some() { 9.0 } else { 0.0 }
}

fn list(days: i64) -> String {
    let named = (0..days).filter_map(|number| Some((number, holiday(number)?)));
    named.fold("day,kind,name\n".into(), |mut text: String, (number, name)| {
        writeln!(text, "{},public,{name}", day(number)).unwrap();
        text
    })
}

fn sales(days: i64) -> String {
    let rows = (0..days).map(|number| format!("{},{}\n", day(number), sold(number)));
    format!("date,sales\n{}", rows.collect::<String>())
}

const FLAGS: [&str; 5] = ["--horizon", "21", "--cell", "ar", "--json"];

fn train(file: &str, flags: &[&str], folder: &Path) -> Value {
    json(&[&["train", "series", file], &FLAGS[..], flags].concat(), folder)
}

#[test]
fn holidays_of_a_file_are_in_the_forecast_without_being_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("sales.csv"), sales(500)).unwrap();
    std::fs::write(folder.join("days.csv"), list(560)).unwrap();
    let report = train("sales.csv", &["--holidays", "days.csv", "--out", "run"], folder);
    let errors = &report["columns"][0]["errors"][0];
    assert!(errors["mean_absolute"].as_f64().unwrap() < 1.0, "{errors}");
    let plain = train("sales.csv", &["--out", "plain"], folder);
    let without = plain["columns"][0]["errors"][0]["mean_absolute"].as_f64().unwrap();
    assert!(without > 2.0, "{without}");

    // The run holds the list.
    std::fs::remove_file(folder.join("days.csv")).unwrap();
    let check = |arguments: &[&str], from: i64| {
        let forecast = json(&[&["forecast", "run", "--json"], arguments].concat(), folder);
        for (row, number) in forecast["rows"].as_array().unwrap().iter().zip(from..) {
            assert_eq!(row["date"], day(number));
            let error = row["mean"].as_f64().unwrap() - sold(number);
            assert!(error.abs() < 2.5, "{row} {}", sold(number));
        }
    };
    check(&[], 500);
    let score = bptt(&["score", "run", "sales.csv"], folder);
    assert!(score.status.success(), "{score:?}");
    // From later rows, too.
    let later: String =
        sales(520).lines().skip(300).fold("date,sales\n".into(), |text, line| text + line + "\n");
    std::fs::write(folder.join("later.csv"), later).unwrap();
    check(&["--from", "later.csv"], 520);
    // Where the list ends before the forecast does, that is said.
    let said = |steps: &str| {
        let output = bptt(&["forecast", "run", "--steps", steps, "--json"], folder);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(!said("40").contains("list of holidays ends"), "{}", said("40"));
    assert!(said("90").contains("list of holidays ends on 2022-07-10"), "{}", said("90"));
    let future = ["forecast", "run", "--future", "later.csv"];
    refused(&future, folder, &["--future", "--future-known"]);
    for command in ["report", "flow"] {
        assert!(bptt(&[command, "run"], folder).status.success() || command == "flow");
    }
}

#[test]
fn a_list_that_cannot_be_used_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("sales.csv"), sales(200)).unwrap();
    std::fs::write(folder.join("undated.csv"), sales(200).replace("20", "x")).unwrap();
    std::fs::write(folder.join("days.csv"), list(220)).unwrap();
    std::fs::write(folder.join("names.csv"), "name\nChristmas\nEaster\n").unwrap();
    std::fs::write(folder.join("bad.csv"), "2021-02-10,a\n2021-02-30,b\n2021-03-01,c\n").unwrap();
    let refuses = |file: &str, holidays: &str, words: &[&str]| {
        let arguments = ["train", "series", file, "--holidays", holidays, "--out", "run"];
        refused(&arguments, folder, words);
        assert!(!folder.join("run").exists());
    };
    refuses("sales.csv", "DE", &["--holidays DE", "no such file", "2024-12-25,Christmas"]);
    refuses("sales.csv", "names.csv", &["names.csv", "no column holds dates"]);
    refuses("sales.csv", "bad.csv", &["bad.csv, line 2", "2021-02-30"]);
    let counted: String = (0..200).map(|row| format!("{}\n", 5 + row * row % 7)).collect();
    std::fs::write(folder.join("undated.csv"), format!("sales\n{counted}")).unwrap();
    refuses("undated.csv", "days.csv", &["--holidays", "no dates"]);
    // A list of other years is used, and said to do nothing.
    std::fs::write(folder.join("old.csv"), "1999-12-25\n2000-12-25\n").unwrap();
    let old = ["train", "series", "sales.csv", "--holidays", "old.csv", "--cell", "ar"];
    let output = bptt(&old, folder);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("none of them is on a row before the test"), "{said}");
}

/// Weeks, months and hours: how many holidays are in a row.
#[test]
fn rows_of_other_lengths_have_their_holidays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("days.csv"), list(1500)).unwrap();
    let count = |from: i64, to: i64| (from..to).filter(|&number| holiday(number).is_some()).count();
    let weeks = (0..200).map(|week| {
        let holidays = count(7 * week, 7 * week + 7) as f64;
        format!("{},{}\n", day(7 * week), 500.0 - 40.0 * holidays + (week % 4) as f64)
    });
    std::fs::write(folder.join("weeks.csv"), format!("week,sales\n{}", weeks.collect::<String>()))
        .unwrap();
    let hours = (0..24 * 120).map(|hour| {
        let closed = if holiday(hour / 24).is_some() { -40.0 } else { 0.0 };
        format!("{} {:02}:00,{}\n", day(hour / 24), hour % 24, 100.0 + closed + (hour % 24) as f64)
    });
    std::fs::write(folder.join("hours.csv"), format!("time,load\n{}", hours.collect::<String>()))
        .unwrap();
    for (file, names) in
        [("weeks.csv", ["weeks", "weeks_plain"]), ("hours.csv", ["hours", "hours_plain"])]
    {
        let flags = ["--holidays", "days.csv", "--stride", "24", "--out", names[0]];
        let known = train(file, &flags, folder);
        let plain = train(file, &["--stride", "24", "--out", names[1]], folder);
        let error =
            |report: &Value| report["columns"][0]["errors"][0]["mean_absolute"].as_f64().unwrap();
        assert!(error(&known) < 1.5, "{file}: {}", error(&known));
        assert!(error(&plain) > 2.0 * error(&known), "{file}: {}", error(&plain));
    }
}

/// Twenty shops of a week, whose level differs, and which sell half on a holiday; the last one a tenth.
fn shops(days: i64) -> String {
    let mut text = String::from("shop,date,sold\n");
    for shop in 0..20 {
        for number in 0..days {
            let closed = if shop == 19 { 0.1 } else { 0.5 };
            let factor = if holiday(number).is_some() { closed } else { 1.0 };
            let week = [1.0, 0.9, 0.95, 1.1, 1.3, 1.8, 1.2][(number % 7) as usize];
            let noise = 1.0 + 0.02 * (((number * 7919 + shop * 104_729) % 13) as f64 - 6.0) / 6.0;
            let sold = 10f64.powi(1 + shop as i32 % 3) * week * factor * noise;
            writeln!(text, "shop{shop},{},{sold}", day(number)).unwrap();
        }
    }
    text
}

#[test]
fn holidays_of_many_series_are_shared_and_each_has_its_own() {
    const DAYS: i64 = 199;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("shops.csv"), shops(DAYS)).unwrap();
    std::fs::write(folder.join("days.csv"), list(DAYS + 30)).unwrap();
    let small =
        ["--horizon", "14", "--window", "14", "--ensemble", "1", "--hidden", "6", "--epochs", "8"];
    let train = |flags: &[&str]| {
        let fixed = ["train", "panel", "shops.csv", "--id", "shop", "--json", "--stride", "2"];
        json(&[&fixed[..], &small, flags].concat(), folder)
    };
    let known = train(&["--holidays", "days.csv", "--out", "run"]);
    let plain = train(&["--out", "plain"]);
    let error = |report: &Value, method: usize| report["test"][method]["smape"].as_f64().unwrap();
    assert!(error(&known, 0) < 4.0, "{}", error(&known, 0));
    assert!(error(&known, 0) < 0.6 * error(&plain, 0), "{}", error(&plain, 0));
    // The other methods are as they were.
    assert_eq!(error(&known, 1), error(&plain, 1));

    for arguments in [["score", "run", "shops.csv"], ["compare", "run", "plain"]] {
        let output = bptt(&arguments, folder);
        assert!(output.status.success(), "{output:?}");
    }
    std::fs::remove_file(folder.join("days.csv")).unwrap();
    let check = |arguments: &[&str], shop: &str, closed: f64| {
        let fixed = ["forecast", "run", "--method", "network", "--json"];
        let forecast = json(&[&fixed[..], arguments].concat(), folder);
        let rows = forecast["rows"].as_array().unwrap();
        let rows: Vec<&Value> = rows.iter().filter(|row| row["id"] == shop).collect();
        let mut seen = 0;
        for (row, number) in rows.iter().zip(DAYS..) {
            assert_eq!(row["date"], day(number));
            let size = 10f64.powi(1 + shop[4..].parse::<i32>().unwrap() % 3);
            let week = [1.0, 0.9, 0.95, 1.1, 1.3, 1.8, 1.2][(number % 7) as usize];
            let share = row["mean"].as_f64().unwrap() / size / week;
            let expected = if holiday(number).is_some() { closed } else { 1.0 };
            assert!((share / expected - 1.0).abs() < 0.25, "{row} {share} {expected}");
            seen += usize::from(holiday(number).is_some());
        }
        assert!(rows.len() == 14 && seen == 1, "{seen}");
    };
    check(&[], "shop0", 0.5);
    check(&[], "shop19", 0.1);
    // A shop that has not seen a holiday sells half on one, as most do.
    let new: Vec<String> = shops(DAYS).lines().map(String::from).collect();
    let rows = new.iter().skip(1 + 3 * DAYS as usize + 192).take(7);
    let text: String = rows.map(|line| line.clone() + "\n").collect();
    std::fs::write(folder.join("new.csv"), format!("shop,date,sold\n{text}")).unwrap();
    check(&["--from", "new.csv"], "shop3", 0.5);
    let resumed = ["train", "panel", "--resume", "run", "--epochs", "8", "--json"];
    std::fs::remove_file(folder.join("shops.csv")).unwrap();
    assert_eq!(json(&resumed, folder)["test"], known["test"]);
    assert!(bptt(&["flow", "run"], folder).status.success());
}
