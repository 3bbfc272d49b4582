//! The promises of `bptt train series` and `bptt forecast` about dates: rows out of order, day and month, later rows that
//! are not like the earlier ones.

use crate::start::{bptt, json};
use std::path::Path;

/// A hundred and twenty days from a day of 2023, which rise with a wave.
fn days(from: i64, pattern: &str, scale: f64) -> Vec<String> {
    let first = jiff::civil::date(2023, 1, 1);
    (from..from + 120)
        .map(|row| {
            let day = first + jiff::Span::new().days(row);
            let value = 100.0 + row as f64 + 5.0 * (row as f64 / 2.0).sin();
            format!("{},{:.3}", day.strftime(pattern), scale * value)
        })
        .collect()
}

fn write(folder: &Path, name: &str, rows: impl IntoIterator<Item = String>) {
    let rows: Vec<String> = rows.into_iter().collect();
    std::fs::write(folder.join(name), format!("date,y\n{}\n", rows.join("\n"))).unwrap();
}

const AR: [&str; 5] = ["--cell", "ar", "--lags", "3", "--difference=1"];

/// Standard error of a training that succeeds.
#[track_caller]
fn trained(arguments: &[&str], folder: &Path) -> String {
    let output = bptt(&[&["train", "series"], arguments, &AR].concat(), folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn refused(arguments: &[&str], folder: &Path, parts: &[&str]) {
    let output = bptt(arguments, folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.starts_with("error: ") && said.lines().count() == 1, "{arguments:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?}: no '{part}' in: {said}");
    }
}

#[test]
fn the_newest_row_is_never_taken_for_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "oldest.csv", days(0, "%Y-%m-%d", 1.0));
    write(folder, "newest.csv", days(0, "%Y-%m-%d", 1.0).into_iter().rev());
    refused(
        &["train", "series", "newest.csv", "--quiet"],
        folder,
        &[
            "newest.csv, line 3, column 'date': 2023-04-29 stands below 2023-04-30",
            "--sort",
            "--ignore-dates",
        ],
    );
    assert!(!folder.join("runs").exists());
    trained(&["oldest.csv", "--quiet"], folder);
    let said = trained(&["newest.csv", "--sort", "--out", "sorted"], folder);
    assert!(said.contains("note: newest.csv: column 'date': the newest row was first"), "{said}");
    let quiet = trained(&["newest.csv", "--sort", "--quiet", "--out", "quiet"], folder);
    assert_eq!(quiet, "");
    let rows = |run: &str| json(&["forecast", run, "--json"], folder)["rows"].clone();
    assert_eq!(rows("sorted"), rows("runs/series"));
    assert_eq!(rows("sorted")[0]["date"], "2023-05-01");
    let mean = rows("sorted")[0]["mean"].as_f64().unwrap();
    let truth = 220.0 + 5.0 * 60.0f64.sin();
    assert!((mean - truth).abs() < 0.1, "{mean}, and it is {truth}");
    let config = std::fs::read_to_string(folder.join("sorted/config.toml")).unwrap();
    assert!(config.contains("sort = true") && config.contains("season = 7"), "{config}");

    trained(&["newest.csv", "--ignore-dates", "--quiet", "--out", "ignored"], folder);
    let ignored = rows("ignored");
    assert!(ignored[0]["date"].is_null());
    assert!((ignored[0]["mean"].as_f64().unwrap() - 99.0).abs() < 10.0, "{}", ignored[0]);

    write(folder, "later.csv", days(30, "%Y-%m-%d", 1.0).into_iter().rev());
    refused(
        &["forecast", "runs/series", "--from", "later.csv"],
        folder,
        &["later.csv, line 3", "--sort"],
    );
    let from = ["forecast", "runs/series", "--from", "later.csv", "--sort", "--json"];
    assert_eq!(json(&from, folder)["rows"][0]["date"], "2023-05-31");
    // A run that sorts goes on doing so.
    let from = ["forecast", "sorted", "--from", "later.csv", "--json"];
    assert_eq!(json(&from, folder)["rows"][0]["date"], "2023-05-31");
    refused(
        &["train", "series", "oldest.csv", "--id", "store"],
        folder,
        &["oldest.csv", "no column 'store'"],
    );
    refused(&["train", "series", "--sort"], folder, &["--sort", "FILE"]);
}

#[test]
fn day_and_month_are_read_alike_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "days.csv", days(0, "%d/%m/%Y", 1.0));
    trained(&["days.csv", "--quiet"], folder);
    let config = std::fs::read_to_string(folder.join("runs/series/config.toml")).unwrap();
    assert!(config.contains("day-first = true"), "{config}");
    // From 1 May on, twelve days: by themselves they could be months.
    let later = days(120, "%d/%m/%Y", 1.0);
    write(folder, "later.csv", later.into_iter().take(12));
    let from = ["forecast", "runs/series", "--from", "later.csv", "--json"];
    assert_eq!(json(&from, folder)["rows"][0]["date"], "13/05/2023");
    write(folder, "american.csv", days(120, "%m/%d/%Y", 1.0));
    refused(
        &["forecast", "runs/series", "--from", "american.csv"],
        folder,
        &["american.csv, line 14", "05/13/2023"],
    );
    let first =
        ["forecast", "runs/series", "--from", "american.csv", "--day-first=false", "--json"];
    assert_eq!(json(&first, folder)["rows"][0]["date"], "08/29/2023");
}

#[test]
fn later_rows_that_are_not_like_the_earlier_ones_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "days.csv", days(0, "%Y-%m-%d", 1.0));
    trained(&["days.csv", "--quiet"], folder);
    let said = |name: &str| {
        let output = bptt(&["forecast", "runs/series", "--from", name], folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    write(folder, "same.csv", days(60, "%Y-%m-%d", 1.0));
    assert!(!said("same.csv").contains("warning"), "{}", said("same.csv"));
    write(folder, "form.csv", days(60, "%d.%m.%Y", 1.0));
    assert!(said("form.csv").contains(
        "warning: the dates are written as 29.06.2023, and those of the training as 2023-04-30"
    ));
    write(folder, "units.csv", days(60, "%Y-%m-%d", 1000.0));
    assert!(said("units.csv").contains("warning: y is from "), "{}", said("units.csv"));
    write(folder, "weekly.csv", days(60, "%Y-%m-%d", 1.0).into_iter().step_by(7));
    assert!(
        said("weekly.csv").contains("warning: the rows are 7 days apart"),
        "{}",
        said("weekly.csv")
    );
    write(folder, "before.csv", days(-60, "%Y-%m-%d", 1.0));
    assert!(
        said("before.csv").contains("before the last row of the training"),
        "{}",
        said("before.csv")
    );
    let mut gap = days(60, "%Y-%m-%d", 1.0);
    gap.remove(100);
    write(folder, "gap.csv", gap);
    refused(
        &["forecast", "runs/series", "--from", "gap.csv"],
        folder,
        &["gap.csv, line 102", "is missing", "--missing"],
    );
}

#[test]
fn hours_go_on_through_the_end_of_summer_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let start = zone.to_timestamp(jiff::civil::date(2023, 10, 26).at(2, 0, 0, 0)).unwrap();
    let rows = (0..168).map(|hour| {
        let local = zone.to_datetime(start + jiff::SignedDuration::from_hours(hour));
        format!(
            "{},{:.3}",
            local.strftime("%Y-%m-%d %H:%M"),
            50.0 + 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin()
        )
    });
    write(folder, "hours.csv", rows);
    let said = trained(&["hours.csv", "--out", "first"], folder);
    assert!(said.contains("line 75: at 2023-10-29 02:00 an hour is there twice"), "{said}");
    for (flags, out) in [(&[][..], "runs/series"), (&["--time-zone", "Europe/Berlin"], "zone")] {
        trained(&[&["hours.csv", "--quiet", "--out", out], flags].concat(), folder);
        let config = std::fs::read_to_string(folder.join(out).join("config.toml")).unwrap();
        assert!(config.contains("season = 24"), "{config}");
        let forecast = json(&["forecast", out, "--json"], folder);
        assert_eq!(forecast["rows"][0]["date"], "2023-11-02 01:00");
    }
    refused(
        &["train", "series", "hours.csv", "--time-zone", "Berlin", "--out", "c"],
        folder,
        &["--time-zone", "'Berlin'"],
    );
}
