//! How long does a forecast take with nothing chosen?
//!
//! `cargo bench --bench forecast` runs `bptt train series` on series of 144, 300 and 800 rows, with horizons of 1 and of a
//! season, and prints the seconds from start to end, reading, choice, training, test and page among them: at most 20 on two
//! cores. `cargo bench --bench forecast -- m4` trains on and forecasts the 414 hourly series of the M4 competition, at most
//! 600 seconds, and prints OWA and MSIS on their test rows.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Seconds that a single series may take, and the M4 series together.
const BUDGETS: [f64; 2] = [20.0, 600.0];

/// What the program prints with those arguments as JSON, and the seconds that it takes.
fn timed(arguments: &[&str]) -> (Value, f64) {
    let start = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_bptt"));
    let output = program.args(arguments).args(["--quiet", "--json"]).output().expect("it starts");
    let seconds = start.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bptt {}: {errors}", arguments.join(" "));
    (serde_json::from_slice(&output.stdout).expect("one object"), seconds)
}

fn within(seconds: f64, budget: f64) -> &'static str {
    if seconds <= budget { "within" } else { "OVER" }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// Files of 144 monthly, 300 weekly and 800 hourly rows, with their seasons.
fn files(folder: &Path) -> Vec<(usize, usize, PathBuf)> {
    let weeks = std::fs::read_to_string(data("mauna_loa_co2.csv")).expect("it is there");
    let weeks: Vec<&str> = weeks.lines().filter(|line| !line.starts_with('#')).collect();
    // The date and the value; the last column says which values were filled in.
    let cells = |line: &str| line.rsplit_once(',').map_or("", |(cells, _)| cells).to_string();
    let lines = weeks[..1].iter().chain(&weeks[weeks.len() - 300..]);
    let weekly = lines.map(|line| cells(line)).collect::<Vec<_>>().join("\n");
    let hours = std::fs::read_to_string(data("m4_hourly_train.csv")).expect("it is there");
    let row: Vec<&str> = hours.lines().last().expect("a series").split(',').collect();
    let values: Vec<&str> = row[1..]
        .iter()
        .map(|cell| cell.trim_matches('"'))
        .filter(|cell| !cell.is_empty())
        .collect();
    let hourly = format!("value\n{}\n", values[values.len() - 800..].join("\n"));
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    };
    vec![
        (144, 12, data("airline_passengers.csv")),
        (300, 52, write("weekly.csv", weekly)),
        (800, 24, write("hourly.csv", hourly)),
    ]
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let out = out.to_str().expect("its name is text");
    if std::env::args().any(|argument| argument == "m4") {
        let [train, test] = ["m4_hourly_train.csv", "m4_hourly_test.csv"].map(data);
        let [train, test] = [&train, &test].map(|path| path.to_str().expect("its name is text"));
        let sizes = ["--wide", "--season", "24", "--horizon", "48", "--test", test, "--out", out];
        let (report, seconds) = timed(&[&["train", "panel", train][..], &sizes].concat());
        println!(
            "414 hourly series: {seconds:.0} s, {} {} s",
            within(seconds, BUDGETS[1]),
            BUDGETS[1]
        );
        for method in report["test"].as_array().expect("methods") {
            println!(
                "{}: OWA {:.3}",
                method["name"],
                method["overall"].as_f64().unwrap_or(f64::NAN)
            );
        }
        for interval in report["intervals"].as_array().expect("intervals") {
            println!("interval {}: MSIS {:.3}", interval["level"], interval["scaled_score"]);
        }
        return;
    }
    println!("bptt train series with everything chosen, at most {} s\n", BUDGETS[0]);
    println!("{:>5} {:>8} {:>8} {:>7}", "rows", "horizon", "seconds", "budget");
    for (rows, season, file) in files(folder.path()) {
        let file = file.to_str().expect("its name is text");
        for horizon in [1, season] {
            let horizon_text = horizon.to_string();
            let arguments =
                ["train", "series", file, "--horizon", &horizon_text, "--out", out, "--overwrite"];
            let (report, seconds) = timed(&arguments);
            let method = report["method"].as_str().unwrap_or_default();
            let budget = within(seconds, BUDGETS[0]);
            println!("{rows:>5} {horizon:>8} {seconds:>8.1} {budget:>7}  {method}");
        }
    }
}
