//! `bptt runs`: what has been trained.

use super::Failure;
use super::output::{note, show, table};
use bptt::train::run::{Run, Standing};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The runs in a folder, by task, the best one first
///
/// Runs are compared in the measure of their task: nats a character or sample, MASE and errors in the units of a
/// column, right answers and test loss of a generated task.
///
/// Example: bptt runs
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder whose folders are looked at
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// A line of the list.
#[derive(serde::Serialize)]
struct Row {
    run: String,
    task: String,
    cell: String,
    epochs: usize,
    done: bool,
    measures: BTreeMap<String, f64>,
}

/// A run of the folder; a folder without a configuration is none.
fn standing(folder: PathBuf) -> Option<(PathBuf, Standing)> {
    if !folder.join("config.toml").exists() {
        return None;
    }
    match Run::open(&folder).and_then(|run| run.standing()) {
        Ok(standing) => Some((folder, standing)),
        Err(error) => {
            note(format_args!("warning: {error}"));
            None
        }
    }
}

/// By task, then the best one first; without a measure last.
fn rank(a: &Standing, b: &Standing) -> std::cmp::Ordering {
    let key = |standing: &Standing| {
        let first = standing.measures.first();
        let name = first.map(|measure| measure.name.clone());
        (standing.task.clone(), first.is_none(), name)
    };
    key(a).cmp(&key(b)).then_with(|| match (a.measures.first(), b.measures.first()) {
        (Some(a), Some(b)) => a.compare(b),
        _ => std::cmp::Ordering::Equal,
    })
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let refused = |error: std::io::Error| {
        Failure(format!("cannot read the folder {}: {error}", arguments.folder.display()))
    };
    let entries = std::fs::read_dir(&arguments.folder).map_err(refused)?;
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let mut folders: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    folders.sort();
    let mut runs: Vec<(PathBuf, Standing)> = folders.into_iter().filter_map(standing).collect();
    runs.sort_by(|(_, a), (_, b)| rank(a, b));
    if arguments.json {
        let rows = runs.into_iter().map(|(run, standing)| {
            let Standing { task, cell, progress, done, measures } = standing;
            let measures = measures.into_iter().map(|measure| (measure.name, measure.value));
            let (epochs, measures) = (progress.epochs.len(), measures.collect());
            Row { run: run.to_string_lossy().into(), task, cell, epochs, done, measures }
        });
        let rows: Vec<Row> = rows.collect();
        show(format_args!("{}\n", serde_json::json!({ "rows": rows })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let cells: Vec<Vec<String>> = runs.iter().map(|(run, standing)| cells(run, standing)).collect();
    show(format_args!("{}", table(&["run", "task", "cell", "epochs", "", "best"], &cells)))?;
    Ok(ExitCode::SUCCESS)
}

fn cells(run: &Path, standing: &Standing) -> Vec<String> {
    let measures = standing.measures.iter();
    let measures: Vec<String> =
        measures.map(|measure| format!("{} {:.5}", measure.name, measure.value)).collect();
    vec![
        run.display().to_string(),
        standing.task.clone(),
        standing.cell.clone(),
        standing.progress.epochs.len().to_string(),
        if standing.done { "done" } else { "can go on" }.into(),
        if measures.is_empty() { "-".into() } else { measures.join(", ") },
    ]
}
