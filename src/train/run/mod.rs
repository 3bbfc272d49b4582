//! The folder of a run, which is what one training made: `config.toml`, whose keys are the flags that repeat it,
//! `data.toml` (what the run learnt from), `metrics.jsonl` (an epoch a line), and the checkpoints.
//!
//! [`Run::open`] opens any run; a match on it gives the run of a text, a series, … with what its model can do:
//!
//! ```no_run
//! use bptt::train::run::{Run, RunError, Use};
//!
//! # fn main() -> Result<(), RunError> {
//! let run = Run::open("runs/text".as_ref())?;
//! println!("{}: {:?}", run.task(), run.uses());
//! match run {
//!     Run::Text(run) => println!("{} classes", run.data.vocabulary.classes()),
//!     other => return Err(other.unfit(Use::Generate)),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A run of one task is begun and resumed by [`RunOf::begin`] and [`RunOf::resume`], and holds a lock on its folder from
//! then on: no other training begins or goes on there until it is dropped. Reading a run takes no lock.

mod folder;
mod identity;
mod lock;
mod next;
mod read;
mod replaced;
mod run_of;

pub use folder::{RunFolder, is_of_a_run};
pub(crate) use identity::identity;
pub use next::settle;
pub use run_of::{Length, Resumed, RunConfig, RunOf, Subject};

use super::checkpoint::{CheckpointError, Checkpoints};
use super::count_run::CountRun;
use super::lessons::Progress;
use super::panel_run::{PanelRun, PanelSubject};
use super::series_run::{SeriesRun, SeriesSubject};
use super::sound_run::{SoundRun, SoundSubject};
use super::task_run::{TaskRun, TaskSubject};
use super::text_run::{TextRun, TextSubject};
use crate::names::names;
use read::{configuration, refused};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// The format of the folder. Format 1, which had no number in its files, is read where it has the same content.
pub const FORMAT: u32 = 2;

/// What can be done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Draw from the model.
    Generate,
    /// Say how probable a file is.
    Score,
    /// Forecast the rows to come.
    Forecast,
    /// Follow the gradient through time, before and after training.
    Flow,
    /// Write the page of the run again.
    Report,
}

names! {
    Use, "something to do with a run",
    Generate = "generate", Score = "score", Forecast = "forecast", Flow = "flow", Report = "report",
}

/// A run, whatever its task.
#[derive(Clone, Debug)]
pub enum Run {
    /// On a text.
    Text(Box<TextRun>),
    /// On sound.
    Sound(Box<SoundRun>),
    /// On a series.
    Series(Box<SeriesRun>),
    /// On many series.
    Panel(Box<PanelRun>),
    /// On a generated task.
    Task(Box<TaskRun>),
    /// The exercise.
    Count(Box<CountRun>),
}

/// Does the same with the run, whatever its task.
macro_rules! each {
    ($run:expr, $name:ident => $same:expr) => {
        match $run {
            Run::Text($name) => $same,
            Run::Sound($name) => $same,
            Run::Series($name) => $same,
            Run::Panel($name) => $same,
            Run::Task($name) => $same,
            Run::Count($name) => $same,
        }
    };
}

impl Run {
    /// Opens the run in that folder.
    ///
    /// # Errors
    /// If its files cannot be read, do not describe a run, or are in another format.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        bring_back(folder);
        let (table, task) = configuration(folder)?;
        let task = task.as_str();
        if TextSubject::TASKS.contains(&task) {
            Ok(Self::Text(Box::new(RunOf::from_table(folder, table)?)))
        } else if SoundSubject::TASKS.contains(&task) {
            Ok(Self::Sound(Box::new(RunOf::from_table(folder, table)?)))
        } else if SeriesSubject::TASKS.contains(&task) {
            Ok(Self::Series(Box::new(RunOf::from_table(folder, table)?)))
        } else if PanelSubject::TASKS.contains(&task) {
            Ok(Self::Panel(Box::new(RunOf::from_table(folder, table)?)))
        } else if TaskSubject::TASKS.contains(&task) {
            Ok(Self::Task(Box::new(RunOf::from_table(folder, table)?)))
        } else if task == CountRun::TASK {
            Ok(Self::Count(Box::new(CountRun::from_table(folder, table)?)))
        } else {
            let reason = format!("its task is '{task}', which is not one of this program");
            Err(refused(&folder.join("config.toml"), &reason))
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        each!(self, run => &run.folder)
    }

    /// The name of its task.
    pub fn task(&self) -> &str {
        each!(self, run => &run.config.task)
    }

    /// What can be done with it.
    pub fn uses(&self) -> &'static [Use] {
        each!(self, run => run.uses())
    }

    /// How far it is, and how good.
    ///
    /// # Errors
    /// If a file that it is computed from cannot be read.
    pub fn standing(&self) -> Result<Standing, RunError> {
        each!(self, run => run.standing())
    }

    /// The error of one who wants to do with the run what cannot be done with it.
    pub fn unfit(&self, wanted: Use) -> RunError {
        let uses: Vec<String> = self.uses().iter().map(Use::to_string).collect();
        RunError::Unfit {
            run: self.folder().display().to_string(),
            task: self.task().into(),
            uses: uses.join(", "),
            wanted,
        }
    }
}

/// Brings back the run that a killed training was to replace; where that fails, what is there is read.
fn bring_back(folder: &Path) {
    if folder.join(replaced::FOLDER).exists() {
        let _ = settle(folder);
    }
}

/// How far a run is, and how good.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The name of the task.
    pub task: String,
    /// The cell.
    pub cell: String,
    /// How far its training is.
    pub progress: Progress,
    /// Whether it has ended; one that was fitted at once has.
    pub done: bool,
    /// How good its best epoch is, in the measures of the task, the one by which runs are compared first. Empty before
    /// the first epoch's end.
    pub measures: Vec<Measure>,
}

/// A number by which runs of the same task can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it is, with its unit: `nats a character`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Whether a larger one is better.
    pub larger_is_better: bool,
}

impl Measure {
    /// The better measure is the lesser one, and any number before what is none.
    pub fn compare(&self, other: &Self) -> Ordering {
        let numbers = [self, other].map(|measure| !measure.value.is_finite());
        let values = match self.larger_is_better {
            true => other.value.total_cmp(&self.value),
            false => self.value.total_cmp(&other.value),
        };
        numbers[0].cmp(&numbers[1]).then(values)
    }

    /// A number that is better the smaller it is.
    pub fn error(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, larger_is_better: false }
    }
}

/// Why a run could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// No run, or one of another kind.
    #[error("{file} does not describe a run: {reason}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A format that had not all that a run has now.
    #[error(
        "the run {run} is in an older format, which keeps neither its optimizer nor its progress: train anew"
    )]
    Older {
        /// The run.
        run: String,
    },
    /// A format of a later version.
    #[error(
        "the run {run} is in format {format}, and this version reads up to {FORMAT}: use a newer version, or train anew"
    )]
    Newer {
        /// The run.
        run: String,
        /// Its format.
        format: i64,
    },
    /// A use that the task does not have.
    #[error("the run {run} is one of {task}, which serves {uses}, and not {wanted}")]
    Unfit {
        /// The run.
        run: String,
        /// Its task.
        task: String,
        /// What can be done with it.
        uses: String,
        /// What was wanted.
        wanted: Use,
    },
    /// Another model, or another place in the data, than the run's.
    #[error(
        "the run {run} was begun with another {key}: leave that as it was, or begin another run"
    )]
    Changed {
        /// The run.
        run: String,
        /// The key of its configuration.
        key: String,
    },
    /// Other data.
    #[error("the data of the run {run} have changed since it began: begin another run")]
    OtherData {
        /// The run.
        run: String,
    },
    /// A folder that a training cannot write to.
    #[error("cannot write to the folder {}: {error}; name another with --out", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The folder of a run that cannot go on there.
    #[error(
        "cannot go on with the run {}: {error}; make its folder writable, or go on with a copy of it", folder.display()
    )]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Checkpoints that would be written outside the folder.
    #[error("the run {run} was changed: its folder checkpoint is a link or no folder; remove that")]
    Link {
        /// The run.
        run: String,
    },
    /// A folder that another training has.
    #[error(
        "{run} is in training: {holder} holds its lock; wait for its end, or train in another folder with --out"
    )]
    InTraining {
        /// The folder.
        run: String,
        /// Who has it, and since when.
        holder: String,
    },
    /// A run that a new one would replace.
    #[error(
        "{run} holds a trained run: go on with it by --resume {run}, train over it by --overwrite, or name another folder with --out"
    )]
    Trained {
        /// The folder.
        run: String,
    },
    /// A folder with files that are none of a run.
    #[error(
        "{folder} holds files that are none of a run ({file}): name another folder with --out, or write among them by --overwrite"
    )]
    Other {
        /// The folder.
        folder: String,
        /// One of the files.
        file: String,
    },
    /// A checkpoint that is not whole, or none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl<S: Subject> RunOf<S> {
    /// What can be done with it.
    pub fn uses(&self) -> &'static [Use] {
        S::USES
    }

    /// How far it is, and how good.
    ///
    /// # Errors
    /// If a file that it is computed from cannot be read.
    pub fn standing(&self) -> Result<Standing, RunError> {
        let progress = match Checkpoints::of(&self.folder).progress() {
            Err(CheckpointError::None(_)) => Progress::default(),
            progress => progress?,
        };
        let done = progress.done || S::is_fitted_at_once(self);
        let measures = S::measures(self, &progress)?;
        let (task, cell) = (self.config.task.clone(), self.config.cell.clone());
        Ok(Standing { task, cell, progress, done, measures })
    }
}
