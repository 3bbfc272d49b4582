//! `bptt compare`: runs side by side.

use super::Failure;
use super::output::{note, notes, page_table, show, warn, writable_beside};
use bptt::report::comparison::{comparison_table, page};
use bptt::train::comparison::{Comparison, Difference};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs side by side, on the same test rows
///
/// Runs on a series are forecast again from their checkpoints on the rows that test in every one: from the same origins,
/// as far ahead as all of them can, each by the method that bptt forecast takes. Runs on many series likewise, series by
/// series. Runs on text or sound are scored on the part that validates in every one, or on FILE; runs on a generated task
/// have the loss of their best test. The difference to the first run is given with the interval that holds it with a
/// probability of 95 %, which counts that neighbouring errors depend on each other (Diebold & Mariano 1995).
///
/// Example: bptt compare runs/series runs/series-2 --out compare.html
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folders of the runs; the others are compared with the first
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Score runs on text or sound on this file
    #[arg(long, value_name = "FILE")]
    on: Option<PathBuf>,
    /// What forecasts in each run on series: combination, network, ar, … [default: what bptt forecast takes]
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Write a page with the tables, the forecasts and the learning curves to this file, which must not be there yet
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report<'a> {
    task: &'a str,
    on: &'a str,
    rows: Vec<Row<'a>>,
    verdicts: Vec<String>,
}

/// The measures of a run, of one of the columns where there are several.
#[derive(serde::Serialize)]
struct Row<'a> {
    run: &'a Path,
    #[serde(skip_serializing_if = "str::is_empty")]
    column: &'a str,
    method: &'a str,
    measures: BTreeMap<&'static str, Option<f64>>,
    /// To the first run, in `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    by: &'static str,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(out) = &arguments.out {
        let read: Vec<&Path> = arguments.on.iter().map(PathBuf::as_path).collect();
        writable_beside("--out", out, &read)?;
        if out.is_file() {
            return Err(Failure(format!(
                "--out {}: there is such a file, which would be lost; name another",
                out.display()
            )));
        }
    }
    let comparison =
        Comparison::of(&arguments.runs, arguments.on.as_deref(), arguments.method.as_deref())?;
    notes(&comparison.notes);
    warn(&comparison.warnings);
    if let Some(out) = &arguments.out {
        bptt::files::write(out, page(&comparison)?.html().as_bytes())?;
    }
    if arguments.json {
        show(format_args!(
            "{}\n",
            serde_json::to_string(&report(&comparison)).expect("plain data")
        ))?;
    } else {
        let mut text = format!("on {}\n", comparison.on);
        for group in &comparison.groups {
            text += &format!("\n{}", page_table(&comparison_table(&comparison, group)));
        }
        let verdicts = comparison.verdicts();
        if !verdicts.is_empty() {
            text += &format!("\n{}\n", verdicts.join("\n"));
        }
        show(format_args!("{text}"))?;
    }
    if let Some(out) = &arguments.out {
        note(format_args!("wrote {}", out.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn report(comparison: &Comparison) -> Report<'_> {
    let mut rows = Vec::new();
    for group in &comparison.groups {
        for (run, folder) in group.runs.iter().zip(&comparison.runs) {
            let measures = run.measures.iter().map(|measure| (measure.name, measure.value));
            rows.push(Row {
                run: folder,
                column: &group.name,
                method: &run.method,
                measures: measures.collect(),
                difference: run.difference,
                by: group.by,
            });
        }
    }
    let (task, on) = (comparison.task.as_str(), comparison.on.as_str());
    Report { task, on, rows, verdicts: comparison.verdicts() }
}
