//! What the commands print and write, and their exit codes.

use crate::page;
use bptt::backend::Backend;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn bptt(arguments: &[&str], folder: &Path) -> Output {
    let binary = env!("CARGO_BIN_EXE_bptt");
    Command::new(binary).args(arguments).current_dir(folder).output().expect("the binary runs")
}

fn json(arguments: &[&str], folder: &Path) -> Value {
    let output = bptt(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// What the run of a series names is there: a page, a table, pictures.
fn files(result: &Value, folder: &Path) {
    let files = result["files"].as_array().unwrap();
    assert_eq!(files.len(), 12, "{result}");
    for file in files {
        let bytes = std::fs::read(folder.join(file.as_str().unwrap())).unwrap();
        let starts = [&b"\x89PNG"[..], b"<svg", b"<!DOCTYPE html>", b"known_rows,"];
        assert!(
            starts.iter().any(|start| bytes.starts_with(start)) && bytes.len() > 1_000,
            "{file}"
        );
    }
}

#[test]
fn counting_reaches_one_and_one() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(&["train", "count", "--json"], folder.path());
    for weight in ["w_x", "w_rec"] {
        assert!((result[weight].as_f64().unwrap() - 1.0).abs() <= 0.002, "{weight}: {result}");
    }
    assert_eq!(result["iterations"], 500);
    for row in result["gradient_check"].as_array().unwrap() {
        assert!(row["manual_vs_autodiff"].as_f64().unwrap() <= 1e-5, "{row}");
        assert!(row["manual_vs_difference"].as_f64().unwrap() <= 1e-5, "{row}");
    }
    for row in result["predictions"].as_array().unwrap() {
        let apart = row["predicted"].as_f64().unwrap() - row["ones"].as_f64().unwrap();
        assert!(apart.abs() < 0.02 * row["length"].as_f64().unwrap(), "{row}");
    }
    let files = result["files"].as_array().unwrap();
    assert_eq!(files.len(), 5, "a page, and two pictures in two formats each");
    for file in files {
        let bytes = std::fs::read(folder.path().join(file.as_str().unwrap())).unwrap();
        let starts = [&b"\x89PNG"[..], b"<svg", b"<!DOCTYPE html>"];
        let known = starts.iter().any(|start| bytes.starts_with(start));
        assert!(known && bytes.len() > 5_000, "{file}");
    }
    // And the configuration, the metrics and the checkpoint: nothing else is left behind.
    assert_eq!(std::fs::read_dir(folder.path().join("runs/count")).unwrap().count(), 5 + 3);
    let metrics = std::fs::read_to_string(folder.path().join("runs/count/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!((metrics.lines().count(), &last["w_x"]), (501, &result["w_x"]));
}

#[test]
fn passengers_are_forecast_better_than_by_the_last_value() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(&["train", "series", "--json", "--out", "out"], folder.path());
    let (valid, last) = (&result["valid_loss"], &result["baselines"]["last_value"]);
    assert!(valid.as_f64().unwrap() < 0.6 * last.as_f64().unwrap(), "{result}");
    assert_eq!((&result["task"], &result["run"]), (&"series".into(), &"out".into()));
    files(&result, folder.path());
}

#[test]
fn an_awkward_file_is_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..150_i64)
        .map(|t| {
            let day = jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(t));
            let sales =
                100.0 + 20.0 * (t as f64 * std::f64::consts::TAU / 7.0).sin() + 0.1 * t as f64;
            format!("{};\"{sales:.2}\" ; shop {}", day.strftime("%d.%m.%Y"), t % 3)
        })
        .collect();
    let text = format!(
        "\u{feff}\r\n\"Day, local\" ; \"Sales (EUR)\";note\r\n\r\n{}\r\n\r\n",
        rows.join("\r\n")
    );
    std::fs::write(folder.path().join("awkward.csv"), text).unwrap();
    let arguments = [
        "train",
        "series",
        "awkward.csv",
        "--season",
        "7",
        "--window",
        "14",
        "--epochs",
        "60",
        "--json",
    ];
    let result = json(&arguments, folder.path());
    assert_eq!(result["columns"][0]["column"], "Sales (EUR)");
    let (valid, last) = (&result["valid_loss"], &result["baselines"]["last_value"]);
    assert!(valid.as_f64().unwrap() < 0.3 * last.as_f64().unwrap(), "{result}");
    files(&result, folder.path());
}

#[test]
fn gradcheck_passes_on_every_cell() {
    let folder = tempfile::tempdir().unwrap();
    for dtype in ["f32", "f64"] {
        let result = json(
            &["gradcheck", "--dtype", dtype, "--lengths", "--bidirectional", "--json"],
            folder.path(),
        );
        assert_eq!(result["passed"], true, "{result}");
        let rows = result["rows"].as_array().unwrap();
        for name in bptt::cell::names() {
            assert!(
                rows.iter().any(|row| row["cell"] == name && row["parameter"] == "w_x_l0_reverse")
            );
        }
    }
}

#[test]
fn gradcheck_takes_every_option() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [
        "--time", "3", "--batch", "2", "--hidden", "4", "--layers", "2", "--dtype", "f64", "--json",
    ];
    let last = Backend::available().last().expect("a backend").to_string();
    for options in [
        &["--projection", "--regularised", "--lengths"][..],
        &["--layer-norm", "--reverse", "--no-bias", "--backend", &last],
    ] {
        let result =
            json(&[&["gradcheck", "--cell", "lstm"], &sizes[..], options].concat(), folder.path());
        assert_eq!(result["passed"], true, "{result}");
        let has = |name: &str| {
            result["rows"].as_array().unwrap().iter().any(|row| row["parameter"] == name)
        };
        assert_eq!(has("w_p_l1"), options.contains(&"--projection"));
        assert_eq!(has("gain_h_l1"), options.contains(&"--layer-norm"));
        assert_eq!(has("b_h_l0"), !options.contains(&"--no-bias"));
    }
}

#[test]
fn every_cell_forecasts_and_none_looks_ahead() {
    let folder = tempfile::tempdir().unwrap();
    for cell in ["gru", "lstm"] {
        let arguments =
            ["train", "series", "--cell", cell, "--layers", "2", "--dropout", "0.1", "--json"];
        let result = json(&arguments, folder.path());
        let (valid, last) = (&result["valid_loss"], &result["baselines"]["last_value"]);
        assert!(valid.as_f64().unwrap() < last.as_f64().unwrap(), "{cell}: {result}");
    }
    let output = bptt(&["train", "series", "--bidirectional"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("look ahead"));
}

#[test]
fn a_repeated_run_prints_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["train", "count", "--iterations", "50", "--json", "--overwrite"];
    let run = || bptt(&arguments, folder.path()).stdout;
    assert_eq!(run(), run());
}

#[test]
fn a_task_is_learnt_and_its_run_shows_its_flow_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["train", "reber", "--hidden", "24", "--test", "100", "--threads", "1", "--json"];
    let result = json(&arguments, folder.path());
    assert_eq!((&result["task"], &result["run"]), (&"reber".into(), &"runs/reber".into()));
    assert_eq!(result["solved"], true, "{result}");
    assert!(result["valid_right"].as_f64().unwrap() >= 0.99);
    for key in ["train_loss", "valid_loss", "epochs", "seconds", "steps_per_second"] {
        assert!(result[key].as_f64().unwrap() > 0.0, "{key}: {result}");
    }
    assert!(
        result["baselines"]["chance"].as_f64().unwrap() > result["valid_loss"].as_f64().unwrap()
    );
    for file in ["config.toml", "checkpoint/last.safetensors", "learning_curve.png", "report.html"]
    {
        assert!(folder.path().join("runs/reber").join(file).metadata().unwrap().len() > 200);
    }

    let flow = json(&["flow", "runs/reber", "--json"], folder.path());
    let rows = flow["rows"].as_array().unwrap();
    let moments: Vec<&Value> = rows.iter().map(|row| &row["moment"]).collect();
    assert_eq!(moments, ["before", "after"]);
    let time = flow["gradient_norm"].as_array().unwrap().len();
    let map = flow["lag_map"].as_array().unwrap();
    assert_eq!((map.len(), map[time - 1].as_array().unwrap().len()), (time, time));
    assert_eq!(flow["jacobian_norm"].as_array().unwrap().len(), time);
    for name in ["flow.png", "flow.svg", "lag_map.png", "gates.svg", "flow.html"] {
        assert!(folder.path().join("runs/reber").join(name).exists(), "{name}");
    }
    assert_eq!(page::check_all(folder.path()), 2, "report.html and flow.html");
}

#[test]
fn the_page_of_the_flow_is_whole_and_has_the_numbers_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["flow", "--cell", "elman,lstm", "--time", "30", "--out", "out"];
    let output = bptt(&arguments, folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(page::check_all(&folder.path().join("out")), 1);
    let html = std::fs::read_to_string(folder.path().join("out/flow.html")).unwrap();
    assert_eq!(html.matches("<svg ").count(), 3);
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().find(|line| line.starts_with("lstm, cell")).unwrap();
    for number in row.trim_start_matches("lstm, cell").split_whitespace() {
        assert!(html.contains(&format!("<td>{number}</td>")), "{number} of the table");
    }
}

#[test]
fn a_layer_is_measured_with_and_without_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = ["--time", "200", "--batch", "2", "--input", "3", "--hidden", "16"];
    let measured = |more: &[&str]| {
        let fixed =
            ["bench", "--json", "--seconds", "0.01", "--cell", "lstm", "--gradient", "manual"];
        json(&[&fixed[..], &sizes, more].concat(), folder.path())["rows"][0].clone()
    };
    let (free, bound) = (measured(&[]), measured(&["--memory-budget", "8KiB"]));
    for key in ["forward_ms", "forward_backward_ms", "gflops", "peak_share"] {
        assert!(free[key].as_f64().unwrap() > 0.0, "{key}: {free}");
    }
    let memory = |row: &Value| row["peak_memory_bytes"].as_u64().unwrap();
    // A tape of 200 steps of two rows is 128 KiB.
    assert!(memory(&bound) + 100_000 < memory(&free), "{bound} {free}");
}

#[test]
fn every_help_shows_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let mut shown = 0;
    let mut look = |command: &[&str]| {
        let help = bptt(&[command, &["--help"]].concat(), folder.path());
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(help.status.success() && text.contains("Example: bptt "), "{command:?}: {text}");
        shown += 1;
    };
    for task in ["count", "adding", "copy", "order", "reber", "series", "panel", "text", "sound"] {
        look(&["train", task]);
    }
    for command in [
        "train",
        "generate",
        "score",
        "forecast",
        "gradcheck",
        "flow",
        "bench",
        "runs",
        "report",
        "compare",
    ] {
        look(&[command]);
    }
    look(&["print", "completions"]);
    look(&["print", "manual"]);
    // None is left out: the help of the whole lists as many.
    let all = String::from_utf8(bptt(&["--help"], folder.path()).stdout).unwrap();
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).filter(|line| {
        line.starts_with("  ") && !line.starts_with("   ") && !line.contains("  help ")
    });
    assert_eq!(commands.count(), 10 + 1, "{all}");
    assert_eq!(shown, 9 + 10 + 2);
}
