//! A run of one task: its configuration, and how it is begun, opened and resumed.

use super::identity::FREE;
use super::read::{configuration, read, refused};
use super::{FORMAT, Measure, RunError, RunFolder, Use, bring_back, next};
use crate::backend::{Backend, NotBuilt};
use crate::files;
use crate::nn::{AnyCell, Gradient, Precision, Truncation};
use crate::train::DataType;
use crate::train::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use crate::train::lessons::{Computing, Event, LearningError, Lessons, Progress, Settings, learn};
use crate::train::series_run::{self, AUTOREGRESSION};
use burn::tensor::{DType, Device};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a run is about.
pub trait Subject: Clone + Debug + Serialize + DeserializeOwned {
    /// The names of the tasks, as `config.toml` calls them.
    const TASKS: &'static [&'static str];
    /// What can be done with a run.
    const USES: &'static [Use];
    /// How long it is trained.
    type Length: Length + Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// What is kept of the data: enough to use the model, and to notice other data.
    type Data: Clone + Debug + PartialEq + Serialize + DeserializeOwned;

    /// How good a run is in the measures of its task, the most important one first; nothing before the first epoch's end.
    ///
    /// # Errors
    /// If a file that they are computed from cannot be read.
    fn measures(run: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError>;

    /// What contradicts itself in what is kept of the data, if something does: somebody has changed it.
    fn contradiction(data: &Self::Data) -> Option<String>;

    /// Whether there is nothing to train in steps.
    fn is_fitted_at_once(_run: &RunOf<Self>) -> bool {
        false
    }
}

/// How long a training is.
pub trait Length {
    /// The optimizer steps of the whole training, where an epoch has `epoch` of them.
    fn steps(&self, epoch: usize) -> usize;

    /// The key of the configuration that makes it longer.
    fn key(&self) -> &'static str;
}

/// Everything that is needed to repeat a run; the keys are flags.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound = "")]
pub struct RunConfig<S: Subject> {
    /// The format of the folder; 1 had no such key.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The version of this crate.
    pub version: String,
    /// The name of the task.
    pub task: String,
    /// The files, how they are read, and the sizes of the model.
    #[serde(flatten)]
    pub subject: S,
    /// The cell, as the command line calls it.
    pub cell: String,
    /// Data type.
    pub dtype: DataType,
    /// Backend.
    pub backend: Backend,
    /// By hand, or by autodiff.
    pub gradient: Gradient,
    /// Which part of the gradient was computed.
    pub truncate: Truncation,
    /// The bytes that the manual path may keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<usize>,
    /// What the products multiply.
    #[serde(default, skip_serializing_if = "is_full")]
    pub precision: Precision,
    /// How it was trained.
    #[serde(flatten)]
    pub training: Settings,
    /// How long.
    #[serde(flatten)]
    pub length: S::Length,
}

impl<S: Subject> RunConfig<S> {
    /// A run of that task with a network of that cell, and the defaults of everything else.
    pub fn new(task: &str, subject: S, cell: &str, length: S::Length) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            task: task.into(),
            subject,
            cell: cell.into(),
            dtype: DataType::default(),
            backend: Backend::default(),
            gradient: Gradient::default(),
            truncate: Truncation::default(),
            memory_budget: None,
            precision: Precision::Full,
            training: Settings::default(),
            length,
        }
    }

    /// What `config.toml` in that folder holds.
    ///
    /// # Errors
    /// If the name of a file is not UTF-8.
    fn text(&self, folder: &Path) -> Result<String, RunError> {
        let named = |error: toml::ser::Error| {
            refused(&folder.join("config.toml"), &format!("it cannot be written ({error})"))
        };
        toml::to_string(self).map_err(named)
    }

    /// How the gradient is computed and where.
    ///
    /// # Errors
    /// If this build does not have the backend.
    pub fn computing(&self) -> Result<Computing, NotBuilt> {
        Ok(Computing {
            truncation: self.truncate,
            memory_budget: self.memory_budget,
            precision: self.precision,
            gradient: self.gradient,
            dtype: self.dtype.into(),
            device: self.backend.device()?,
        })
    }
}

fn is_full(precision: &Precision) -> bool {
    *precision == Precision::Full
}

fn first_format() -> u32 {
    1
}

/// A run of one task.
#[derive(Clone, Debug)]
pub struct RunOf<S: Subject> {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was asked to do.
    pub config: RunConfig<S>,
    /// What it learnt from.
    pub data: S::Data,
    /// What a run in training has.
    training: Option<Arc<InTraining<S>>>,
}

/// The folder of a run in training, and its configuration until then if it goes on.
#[derive(Debug)]
struct InTraining<S: Subject> {
    folder: RunFolder,
    before: Option<RunConfig<S>>,
}

/// A run that it was to replace comes back if it has not come to a checkpoint.
impl<S: Subject> Drop for InTraining<S> {
    fn drop(&mut self) {
        // What fails is tried again when the folder is next taken.
        let _ = self.folder.settle();
    }
}

/// A run that goes on.
#[derive(Debug)]
pub struct Resumed<S: Subject> {
    /// The run.
    pub run: RunOf<S>,
    /// Where it goes on; none if it ended before its first checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Why later checkpoints could not be read.
    pub refused: Vec<CheckpointError>,
}

impl<S: Subject> RunOf<S> {
    /// Begins a run in that folder: see [`RunFolder::take`].
    ///
    /// # Errors
    /// If the folder holds a trained run or other files, another training has it, or a file cannot be written.
    pub fn begin(folder: &Path, config: RunConfig<S>, data: S::Data) -> Result<Self, RunError> {
        config.text(folder)?;
        Self::begin_in(RunFolder::take(folder)?, config, data)
    }

    /// Begins a run in a folder that was taken for it. What is left there of an earlier run goes: see
    /// [`RunFolder::take_over`].
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn begin_in(
        folder: RunFolder,
        config: RunConfig<S>,
        data: S::Data,
    ) -> Result<Self, RunError> {
        config.text(folder.path())?;
        folder.make_room()?;
        // From here on a failure brings back what was there.
        let training = InTraining { folder, before: None };
        let run = Self::write(training.folder.path(), config, data)?;
        Ok(Self { training: Some(Arc::new(training)), ..run })
    }

    /// Goes on with the run of that folder, with that configuration, which is written with the first checkpoint:
    /// see [`RunOf::train`].
    ///
    /// # Errors
    /// If the run has another model or other data: its weights, its place in the data and its optimizer's record would
    /// not fit. If another training has it, or a file cannot be read or written.
    pub fn resume(
        folder: &Path,
        mut config: RunConfig<S>,
        data: S::Data,
    ) -> Result<Resumed<S>, RunError> {
        config.text(folder)?;
        // What is no run is not locked.
        Self::open(folder)?;
        let place = RunFolder::lock(folder).map_err(|error| match error {
            RunError::Folder { folder, error } => RunError::NotWritable { folder, error },
            other => other,
        })?;
        next::settle_locked(folder)?;
        let before = Self::open(folder)?;
        let shown = || folder.display().to_string();
        config.format = FORMAT;
        if let Some(key) = changed(&before.config, &config) {
            return Err(RunError::Changed { run: shown(), key });
        }
        if before.data != data {
            return Err(RunError::OtherData { run: shown() });
        }
        let checkpoints = Checkpoints::of(folder).first(&["last", "previous", "best"]);
        let (checkpoint, refused) = match checkpoints {
            Ok((checkpoint, refused)) => (Some(checkpoint), refused),
            Err(CheckpointError::None(_)) => (None, Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let (data, before) = (before.data, Some(before.config));
        let training = Some(Arc::new(InTraining { folder: place, before }));
        let run = Self { folder: folder.into(), config, data, training };
        Ok(Resumed { run, checkpoint, refused })
    }

    /// Trains as [`learn`] does, in the folder of the run. With the first checkpoint the configuration is written if it is
    /// another one than before: until then `config.toml` says how the weights came about.
    ///
    /// # Errors
    /// As [`learn`].
    pub fn train<L: Lessons>(
        &self,
        lessons: &L,
        model: L::Model,
        computing: &Computing,
        resume: Option<Checkpoint>,
        mut listen: impl FnMut(Event<'_>) -> bool,
    ) -> Result<(L::Model, Progress), LearningError> {
        let mut next = self.next();
        if let Some(next) = &next {
            let step = resume.as_ref().map_or(0, |checkpoint| checkpoint.progress.step);
            next::announce(&self.folder, next, step)?;
        }
        let mut adopted = Ok(());
        let mut first = true;
        let listen = |event: Event<'_>| {
            if matches!(event, Event::Saved { .. }) {
                if let Some(training) =
                    self.training.as_ref().filter(|_| std::mem::take(&mut first))
                {
                    adopted = training.folder.stands();
                }
                if let Some(next) = next.take() {
                    adopted = next::adopt(&self.folder, &next);
                }
            }
            listen(event) && adopted.is_ok()
        };
        let settings = &self.config.training;
        let learnt = learn(lessons, model, settings, computing, &self.folder, resume, listen);
        adopted?;
        if next.is_some() {
            // There is no checkpoint that was trained with it.
            next::forget(&self.folder)?;
        }
        learnt
    }

    /// What `config.toml` of a run that goes on is to hold, if that is other than before.
    fn next(&self) -> Option<String> {
        let before = self.training.as_ref()?.before.as_ref()?;
        let [mut now, before] = [&self.config, before]
            .map(|config| toml::Table::try_from(config).expect("a configuration is plain data"));
        if now == before {
            return None;
        }
        let file = self.folder.join("config.toml");
        // The checkpoints belong to the other settings as they are written: an earlier version may have had fewer.
        let written = read::<toml::Table>(&file).unwrap_or(before);
        now.retain(|key, _| FREE.contains(&key) || written.contains_key(key));
        Some(toml::to_string(&now).expect("a configuration is plain data"))
    }

    /// The learning rates of the last step before `step` and of that one, if the run goes on there with a learning rate that
    /// is not the one that its training had come to. An epoch has `epoch` steps.
    pub fn rate_jump(&self, step: usize, epoch: usize) -> Option<[f64; 2]> {
        let before = self.training.as_ref()?.before.as_ref()?;
        let rate = |config: &RunConfig<S>, step| {
            let Settings { lr, schedule, .. } = config.training;
            lr * schedule.factor(step, config.length.steps(epoch), epoch)
        };
        let last = rate(before, step.checked_sub(1)?);
        // After its last step a training had nothing to come to but the rate of that.
        let expected = if step < before.length.steps(epoch) { rate(before, step) } else { last };
        let next = rate(&self.config, step);
        (next - expected).abs().gt(&(0.01 * expected)).then_some([last, next])
    }

    /// Whether another training in its folder would be refused: false for a run that is only read, and where the file
    /// system has no locks.
    pub fn is_locked(&self) -> bool {
        self.training.as_ref().is_some_and(|training| training.folder.is_locked())
    }

    /// Writes the configuration of a run and what it learns from, in a folder that no training has.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(folder: &Path, mut config: RunConfig<S>, data: S::Data) -> Result<Self, RunError> {
        config.format = FORMAT;
        files::replace(&folder.join("config.toml"), config.text(folder)?.as_bytes())?;
        let text = toml::to_string(&data).expect("plain data");
        if !text.is_empty() {
            files::replace(&folder.join("data.toml"), text.as_bytes())?;
        }
        Ok(Self { folder: folder.into(), config, data, training: None })
    }

    /// Opens the run in that folder.
    ///
    /// # Errors
    /// If a file cannot be read, or does not describe a run of this task.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        bring_back(folder);
        let (table, task) = configuration(folder)?;
        if !S::TASKS.contains(&task.as_str()) {
            let reason = format!("it is a run of {task}, and not of {}", S::TASKS.join(", "));
            return Err(refused(&folder.join("config.toml"), &reason));
        }
        Self::from_table(folder, table)
    }

    /// Where and in which data type it computes.
    ///
    /// # Errors
    /// If this build does not have its backend.
    pub fn device(&self) -> Result<(Device, DType), RunError> {
        let device = self.config.backend.device();
        let file = self.folder.join("config.toml");
        let device = device.map_err(|error| refused(&file, &error.to_string()))?;
        Ok((device, self.config.dtype.into()))
    }

    /// Its cell.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn cell(&self) -> Result<AnyCell, RunError> {
        let cell = &self.config.cell;
        let unknown =
            || refused(&self.folder.join("config.toml"), &format!("there is no cell '{cell}'"));
        AnyCell::named(cell).ok_or_else(unknown)
    }

    pub(super) fn from_table(folder: &Path, table: toml::Table) -> Result<Self, RunError> {
        let file = folder.join("config.toml");
        let config: RunConfig<S> = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| refused(&file, error.message()))?;
        let all = toml::Table::try_from(&config).expect("a configuration is plain data");
        if let Some(unknown) = table.keys().find(|key| !all.contains_key(*key)) {
            return Err(refused(&file, &format!("unknown key '{unknown}'")));
        }
        // Data that say nothing have no file.
        let data = match toml::from_str("") {
            Ok(data) => data,
            Err(_) => {
                let file = folder.join("data.toml");
                let data = read(&file)?;
                if let Some(reason) = S::contradiction(&data) {
                    return Err(refused(&file, &reason));
                }
                data
            }
        };
        Ok(Self { folder: folder.into(), config, data, training: None })
    }
}

/// Whether a run of that configuration is trained as soon as its data are in that folder.
pub(super) fn is_fitted_at_once(config: &toml::Table, folder: &Path) -> bool {
    let cell = config.get("cell").and_then(toml::Value::as_str);
    cell == Some(AUTOREGRESSION) && folder.join(series_run::FILE).exists()
}

/// The first key that has another value and must not have it.
fn changed<S: Subject>(before: &RunConfig<S>, now: &RunConfig<S>) -> Option<String> {
    let [before, now] =
        [before, now].map(|config| toml::Table::try_from(config).expect("plain data"));
    let mut keys = before.keys().chain(now.keys()).filter(|key| !FREE.contains(&key.as_str()));
    keys.find(|key| before.get(*key) != now.get(*key)).cloned()
}
