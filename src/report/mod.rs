//! The page and the pictures of a run, made from its folder. [`write()`] does all of it in one call, here after a training on
//! a text (`examples/text.rs`):
//!
//! ```no_run
#![doc = include_str!("../../examples/text.rs")]
//! ```
//!
//! and for a run on a series, which is forecast first (`examples/forecast.rs`):
//!
//! ```no_run
#![doc = include_str!("../../examples/forecast.rs")]
//! ```

pub mod comparison;
pub mod count;
mod gradient_flow;
pub mod importance;
pub mod panel;
mod sequence;
pub mod series;
mod sound;
mod task;
mod text;

pub use gradient_flow::{brief, lags};
pub use sequence::{Sample, SequencePage, comparison};
pub use task::task_comparison;

use crate::backend::NotBuilt;
use crate::data::count::CountError;
use crate::files;
use crate::model::forecast::OutlookError;
use crate::nn::FlowError;
use crate::plot;
use crate::plot::page::{Section, Table};
use crate::train::checkpoint::CheckpointError;
use crate::train::lessons::{LearningError, Progress};
use crate::train::memory::TooMuchMemory;
use crate::train::panel_run::PanelRunError;
use crate::train::run::{Run, RunError};
use crate::train::sequence::SequenceError;
use crate::train::series_run::SeriesRunError;
use crate::train::task_run::TaskRunError;
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The page, the pictures and whatever else, in the order in which they are listed.
    pub files: Vec<PathBuf>,
    /// What did not hinder it, a line each: a better checkpoint that could not be read.
    pub warnings: Vec<String>,
}

/// Why a page could not be written; one line of text each.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The series of the run cannot be read, or not be forecast.
    #[error(transparent)]
    Series(#[from] SeriesRunError),
    /// The series of the run cannot be read.
    #[error(transparent)]
    Panel(#[from] PanelRunError),
    /// The sound that the run keeps cannot be read.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The task of the run makes no sense, or its networks cannot be read.
    #[error(transparent)]
    Task(#[from] TaskRunError),
    /// The sequences of the exercise make no sense.
    #[error(transparent)]
    Count(#[from] CountError),
    /// This build does not have the backend of the run.
    #[error(transparent)]
    Backend(#[from] NotBuilt),
    /// Its checkpoints cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its model cannot be read.
    #[error(transparent)]
    Model(#[from] LearningError),
    /// No epoch is done yet.
    #[error("the run {0} has no epoch yet: go on with --resume")]
    NoEpoch(String),
    /// Too large for the machine.
    #[error(transparent)]
    Memory(#[from] TooMuchMemory),
    /// The gradient cannot be followed through time.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The series cannot be forecast.
    #[error(transparent)]
    Outlook(#[from] OutlookError),
    /// A picture cannot be drawn.
    #[error(transparent)]
    Picture(#[from] plot::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// Writes `report.html` and the pictures of the run in that folder.
///
/// # Errors
/// If the run cannot be read, has no epoch yet, or a file cannot be written.
pub fn write(folder: &Path) -> Result<Written, ReportError> {
    match Run::open(folder)? {
        Run::Series(run) => series::write(&run.backtests()?),
        Run::Sound(run) => sequence::write(&run),
        Run::Text(run) => sequence::write(&run),
        Run::Panel(run) => panel::write(&run.backtest()?),
        Run::Task(run) => task::write(&run),
        Run::Count(run) => count::write(&run),
    }
}

/// The section that shows the configuration of a run.
fn configuration(folder: &Path) -> Result<Section, ReportError> {
    const LONGEST: u64 = 1 << 20;
    Ok(Section {
        heading: "What was trained".into(),
        text: vec!["This is config.toml of the run; its keys are the flags of the command.".into()],
        code: files::read_regular_text(&folder.join("config.toml"), LONGEST)?,
        ..Section::default()
    })
}

/// The epochs of a training, whose losses are in that measure.
fn epochs(progress: &Progress, measure: &str) -> Table {
    let with_right = progress.epochs.iter().any(|epoch| epoch.right.is_some());
    let mut header = vec!["epoch", "optimizer steps", "training", "validation", "learning rate"];
    header.extend(with_right.then_some("right"));
    let rows = progress.epochs.iter().map(|epoch| {
        let mut row = vec![
            epoch.epoch.to_string(),
            epoch.steps.to_string(),
            format!("{:.5}", epoch.train_loss),
            format!("{:.5}", epoch.valid_loss),
            format!("{:.2e}", epoch.lr),
        ];
        let right = epoch.right.map(|right| format!("{:.1} %", 100.0 * right));
        row.extend(with_right.then(|| right.unwrap_or_default()));
        row
    });
    Table {
        caption: format!("{measure}, epoch by epoch"),
        header: header.into_iter().map(String::from).collect(),
        rows: rows.collect(),
    }
}
