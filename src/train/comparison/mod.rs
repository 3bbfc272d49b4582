//! Runs side by side, on the same test rows.
//!
//! The forecasts are made again from each run's checkpoint on the rows that test in every run, so that no run is judged by
//! easier rows than another. Runs on a text are compared on the part that validates in every one, or on a file; runs on a
//! generated task by their tests.

mod difference;
mod panel;
mod sequence;
mod series;
mod task;

pub use difference::Difference;

use super::checkpoint::{CheckpointError, Checkpoints};
use super::lessons::LearningError;
use super::panel_run::PanelRunError;
use super::run::{Run, RunError};
use super::sequence::SequenceError;
use super::series_run::SeriesRunError;
use crate::data::accuracy::{Accuracy, IntervalAccuracy};
use crate::data::naive::NaiveError;
use std::path::{Path, PathBuf};

/// Runs that were compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The task of the runs.
    pub task: String,
    /// The folders, in the order in which they were named; the others are compared with the first.
    pub runs: Vec<PathBuf>,
    /// What they were compared on, in a sentence.
    pub on: String,
    /// The measures: of each column that is forecast, or of all together.
    pub groups: Vec<Group>,
    /// The validation loss of each epoch, a run each; none for one that has no epochs.
    pub losses: Vec<Vec<f64>>,
    /// What was found odd, a line each.
    pub notes: Vec<String>,
    /// What could not be read, a line each.
    pub warnings: Vec<String>,
}

/// The measures of the runs, side by side.
#[derive(Clone, Debug)]
pub struct Group {
    /// Of what: the column. Empty where there is nothing to tell apart.
    pub name: String,
    /// A run each.
    pub runs: Vec<Measured>,
    /// What the difference is one of: the measure's name.
    pub by: &'static str,
    /// The forecasts, where they can be drawn over the rows.
    pub drawn: Option<Drawn>,
}

/// The measures of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What forecasts in the run.
    pub method: String,
    /// In the order of the table, the same for each run.
    pub measures: Vec<NamedMeasure>,
    /// How much better or worse it is than the first run, where that has an uncertainty.
    pub difference: Option<Difference>,
}

/// A measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedMeasure {
    /// Its name.
    pub name: &'static str,
    /// None where it has no value.
    pub value: Option<f64>,
    /// In which form people read it.
    pub form: Form,
}

/// The form of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Four digits that count.
    Figure,
    /// Three decimals.
    Decimals,
    /// A share as percent, with so many decimals.
    Percent(usize),
    /// A whole number.
    Count,
}

impl NamedMeasure {
    fn new(name: &'static str, value: impl Into<Option<f64>>, form: Form) -> Self {
        let value = value.into().filter(|value: &f64| value.is_finite());
        Self { name, value, form }
    }
}

/// Forecasts over the rows of a series.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The dates of the rows, where there are any.
    pub labels: Option<Vec<String>>,
    /// The values, by row.
    pub actual: Vec<f64>,
    /// The first row that was forecast.
    pub first: usize,
    /// How many rows ahead the forecasts that are drawn were made.
    pub ahead: usize,
    /// A run each: the forecasts of the rows from the first one on.
    pub forecasts: Vec<Vec<f64>>,
}

/// Why runs cannot be compared; one line of text each.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// A run that cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The series of a run cannot be read or forecast.
    #[error(transparent)]
    Series(#[from] SeriesRunError),
    /// The same of many series.
    #[error(transparent)]
    Panel(#[from] PanelRunError),
    /// A text or sound cannot be read or scored.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A model cannot be read.
    #[error(transparent)]
    Model(#[from] LearningError),
    /// There is nothing to measure.
    #[error(transparent)]
    Measure(#[from] NaiveError),
    /// Runs of different kinds.
    #[error("{} is a run of {}, and {} one of {}: runs of one kind can be compared", first.display(), tasks[0], other.display(), tasks[1])]
    Kinds {
        /// The first run.
        first: PathBuf,
        /// The one of another kind.
        other: PathBuf,
        /// Their tasks.
        tasks: [String; 2],
    },
    /// A kind of run that has nothing to compare.
    #[error("{} is a run of {task}, which has no test: series, panels, texts, sounds and generated tasks can be compared", run.display())]
    Unfit {
        /// The run.
        run: PathBuf,
        /// Its task.
        task: String,
    },
    /// Runs that have no rows in common, or what else keeps two of them apart.
    #[error("{} and {} cannot be compared: {reason}", first.display(), other.display())]
    Apart {
        /// The first run.
        first: PathBuf,
        /// The other.
        other: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file that only sequences are compared on.
    #[error(
        "--on FILE is for runs on text and sound; runs of {task} are compared on their test rows"
    )]
    On {
        /// The task.
        task: String,
    },
    /// A method that only runs on series have.
    #[error("--method is for runs on series, and not of {task}")]
    Method {
        /// The task.
        task: String,
    },
    /// A run without rows that test.
    #[error("{}: {reason}", run.display())]
    NoTest {
        /// The run.
        run: PathBuf,
        /// Why there is none.
        reason: String,
    },
}

impl Comparison {
    /// Compares the runs in those folders; texts and sounds on a file, if one is named; series by a method, or by the one that
    /// forecasts in each run.
    ///
    /// # Errors
    /// If a run cannot be read, or they are of different kinds or have no rows in common.
    pub fn of(
        folders: &[PathBuf],
        on: Option<&Path>,
        method: Option<&str>,
    ) -> Result<Self, ComparisonError> {
        let mut runs =
            folders.iter().map(|folder| Run::open(folder)).collect::<Result<Vec<_>, _>>()?;
        let task = runs.first().map_or_else(String::new, |run| run.task().to_string());
        if let Some(other) = runs.iter().find(|run| run.task() != task) {
            return Err(ComparisonError::Kinds {
                first: runs[0].folder().into(),
                other: other.folder().into(),
                tasks: [task, other.task().to_string()],
            });
        }
        let is_sequence = matches!(runs.first(), Some(Run::Text(_) | Run::Sound(_)));
        if on.is_some() && !is_sequence {
            return Err(ComparisonError::On { task });
        }
        if method.is_some() && !matches!(runs.first(), Some(Run::Series(_) | Run::Panel(_))) {
            return Err(ComparisonError::Method { task });
        }
        let mut comparison = Self {
            task,
            runs: folders.to_vec(),
            on: String::new(),
            groups: Vec::new(),
            losses: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
        };
        for run in &runs {
            // AR(τ) alone has none.
            let progress = match Checkpoints::of(run.folder()).progress() {
                Err(CheckpointError::None(_)) => Default::default(),
                progress => progress?,
            };
            comparison.losses.push(progress.epochs.iter().map(|epoch| epoch.valid_loss).collect());
        }
        /// The runs, all of one kind.
        macro_rules! all {
            ($kind:path) => {{
                let of = |run| match run {
                    $kind(run) => *run,
                    _ => unreachable!("they are of one task"),
                };
                runs.drain(..).map(of).collect::<Vec<_>>()
            }};
        }
        match runs.first() {
            Some(Run::Series(_)) => series::compare(&mut comparison, all!(Run::Series), method)?,
            Some(Run::Panel(_)) => panel::compare(&mut comparison, all!(Run::Panel), method)?,
            Some(Run::Text(_)) => sequence::texts(&mut comparison, &all!(Run::Text), on)?,
            Some(Run::Sound(_)) => sequence::sounds(&mut comparison, &all!(Run::Sound), on)?,
            Some(Run::Task(_)) => task::compare(&mut comparison, &all!(Run::Task))?,
            Some(Run::Count(run)) => {
                let (run, task) = (run.folder.clone(), comparison.task);
                return Err(ComparisonError::Unfit { run, task });
            }
            None => {}
        }
        Ok(comparison)
    }

    /// What is printed of the differences, a sentence for each run but the first.
    pub fn verdicts(&self) -> Vec<String> {
        let mut verdicts = Vec::new();
        for Group { name, runs, by, .. } in &self.groups {
            let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let value = |run: &Measured| {
                run.measures
                    .iter()
                    .find(|measure| measure.name == *by)
                    .and_then(|found| found.value)
            };
            for (run, folder) in runs.iter().zip(&self.runs).skip(1) {
                let (Some(difference), Some(first)) = (run.difference, value(&runs[0])) else {
                    continue;
                };
                let (folder, first_folder) = (folder.display(), self.runs[0].display());
                let share = 100.0 * (difference.mean / first).abs();
                let Difference { mean, lower, upper } = difference;
                let side = if mean < 0.0 { "below" } else { "above" };
                let sure = match difference.is_told_apart() {
                    true => "more than chance",
                    false => "which may be chance",
                };
                verdicts.push(match lower == 0.0 && upper == 0.0 {
                    true => format!("{of}{folder} forecasts as {first_folder} does"),
                    false => format!(
                        "{of}the {by} of {folder} is {share:.1} % {side} that of {first_folder}, {sure} (the difference is between {lower:.4} and {upper:.4} with 95 %)"
                    ),
                });
            }
        }
        verdicts
    }
}

/// Two runs that cannot be compared.
fn apart(comparison: &Comparison, other: usize, reason: impl Into<String>) -> ComparisonError {
    let [first, other] = [0, other].map(|place| comparison.runs[place].clone());
    ComparisonError::Apart { first, other, reason: reason.into() }
}

/// The measures of forecasts in their order.
fn accuracy(accuracy: Accuracy, intervals: &[IntervalAccuracy]) -> Vec<NamedMeasure> {
    let [narrow, wide] = [intervals.first(), intervals.last()];
    let coverage = |found: Option<&IntervalAccuracy>| found.map(|found| found.coverage);
    vec![
        NamedMeasure::new("MAE", accuracy.mean_absolute, Form::Figure),
        NamedMeasure::new("RMSE", accuracy.root_mean_squared, Form::Figure),
        NamedMeasure::new("sMAPE", accuracy.symmetric_percentage, Form::Percent(2)),
        NamedMeasure::new("MASE", accuracy.scaled, Form::Decimals),
        NamedMeasure::new("in 80 %", coverage(narrow), Form::Percent(1)),
        NamedMeasure::new("in 95 %", coverage(wide), Form::Percent(1)),
        NamedMeasure::new("MSIS", wide.and_then(|found| found.scaled_score), Form::Decimals),
    ]
}
