//! The page and the pictures of a run, made from its folder. [`write`] does all of it in one call, here after a training on
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

mod gradient_flow;
mod sequence;
pub mod series;
mod sound;
mod text;

pub use gradient_flow::{brief, lags};
pub use sequence::{SequencePage, comparison};

use crate::model::forecast::OutlookError;
use crate::nn::FlowError;
use crate::plot;
use crate::plot::page::Section;
use crate::train::checkpoint::CheckpointError;
use crate::train::lessons::LearningError;
use crate::train::run::{Run, RunError};
use crate::train::sequence::SequenceError;
use crate::train::series_run::SeriesRunError;
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
    /// The sound that the run keeps cannot be read.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// Its checkpoints cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its model cannot be read.
    #[error(transparent)]
    Model(#[from] LearningError),
    /// No epoch is done yet.
    #[error("the run {0} has no epoch yet: go on with --resume")]
    NoEpoch(String),
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
    }
}

/// The section that shows the configuration of a run.
fn configuration(folder: &Path) -> Result<Section, ReportError> {
    Ok(Section {
        heading: "What was trained".into(),
        text: vec!["This is config.toml of the run; its keys are the flags of the command.".into()],
        code: Some(std::fs::read_to_string(folder.join("config.toml"))?),
        ..Section::default()
    })
}
