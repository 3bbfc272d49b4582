//! `bptt runs` and `bptt report`: what has been trained.

use super::Failure;
use super::output::{show, table};
use super::sequence::{Described, unknown_cell};
use super::series_report;
use bptt::backend::Backend;
use bptt::cell::{self, Cell};
use bptt::train::run::{Run, Subject, Summary, task};
use bptt::train::series_run::{AUTOREGRESSION, SeriesSubject};
use bptt::train::sound_run::SoundSubject;
use bptt::train::task_run::TaskRun;
use bptt::train::text_run::TextSubject;
use burn::tensor::DType;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The runs in a folder: what was trained and how far it is
///
/// Example: bptt runs
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct List {
    /// Folder whose folders are looked at
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Write the page of a run again: report.html and its pictures
///
/// Example: bptt report runs/text
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Report {
    /// Folder of the run
    run: PathBuf,
}

/// A line of the list.
#[derive(serde::Serialize)]
struct Row {
    run: PathBuf,
    task: String,
    cell: String,
    epochs: Option<usize>,
    valid_loss: Option<f64>,
    done: Option<bool>,
}

fn row(run: PathBuf) -> Option<Row> {
    if let Ok(Summary { task, cell, progress }) = Summary::of(&run) {
        if cell == AUTOREGRESSION {
            // It is fitted as soon as it is there.
            return Some(Row { run, task, cell, epochs: None, valid_loss: None, done: Some(true) });
        }
        let (epochs, done) = (Some(progress.epochs.len()), Some(progress.done));
        let valid_loss = progress.best().map(|best| best.valid_loss);
        return Some(Row { run, task, cell, epochs, valid_loss, done });
    }
    let opened = TaskRun::open(&run).ok()?;
    let task = opened.task().ok()?.name().to_string();
    let cell = opened.config.cell;
    Some(Row { run, task, cell, epochs: None, valid_loss: None, done: None })
}

pub fn list(arguments: &List) -> Result<ExitCode, Failure> {
    let refused = |error: std::io::Error| {
        Failure(format!("cannot read the folder {}: {error}", arguments.folder.display()))
    };
    let entries = std::fs::read_dir(&arguments.folder).map_err(refused)?;
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let mut folders: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    folders.sort();
    let rows: Vec<Row> = folders.into_iter().filter_map(row).collect();
    if arguments.json {
        show(format_args!("{}\n", serde_json::json!({ "rows": rows })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.run.display().to_string(),
                row.task.clone(),
                row.cell.clone(),
                row.epochs.map_or_else(|| "-".into(), |epochs| epochs.to_string()),
                row.valid_loss.map_or_else(|| "-".into(), |loss| format!("{loss:.4}")),
                row.done.map_or("-", |done| if done { "done" } else { "can go on" }).into(),
            ]
        })
        .collect();
    show(format_args!("{}", table(&["run", "task", "cell", "epochs", "validation", ""], &cells)))?;
    Ok(ExitCode::SUCCESS)
}

struct Reporter<'a, S: Described>(&'a Run<S>);

impl<S: Described> cell::Visitor for Reporter<'_, S> {
    type Output = Result<Vec<PathBuf>, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let backend: Backend = self.0.config.backend.parse().map_err(Failure)?;
        let dtype = if self.0.config.dtype == "f64" { DType::F64 } else { DType::F32 };
        S::write(cell, self.0, &backend.device()?, dtype)
    }
}

fn written<S: Described>(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let run = Run::<S>::open(folder)?;
    cell::visit(&run.config.cell, Reporter(&run)).ok_or_else(|| unknown_cell(&run))?
}

pub fn report(arguments: &Report) -> Result<ExitCode, Failure> {
    let folder = Path::new(&arguments.run);
    let files = match task(folder)?.as_str() {
        SeriesSubject::TASK => {
            show(format_args!("{}", series_report::rewrite(folder)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        SoundSubject::TASK => written::<SoundSubject>(folder)?,
        _ => written::<TextSubject>(folder)?,
    };
    let mut text = String::new();
    super::output::wrote(&mut text, &files);
    show(format_args!("{text}"))?;
    Ok(ExitCode::SUCCESS)
}
