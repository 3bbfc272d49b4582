//! What runs on a sequence of classes, a text's characters or a sound's samples, have in common: the sequence cut in two,
//! the model, the forecasts that it is compared with, and how probable other sequences are to it.

use super::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use super::lessons::{
    Computing, Event, LearningError, Passes, Progress, Settings, Trained, trained,
};
use super::run::{RunConfig, RunError, RunOf, Subject};
use super::streams::{StreamError, Streams};
use crate::backend::NotBuilt;
use crate::data::sound::SoundError;
use crate::data::text::{TextError, UNKNOWN};
use crate::model::CharacterModel;
use crate::nn::{AnyCell, Recurrent, RecurrentConfig};
use crate::random::{Random, SeedableRng};
use burn::tensor::{DType, Device};
use rand::seq::SliceRandom;
use std::path::{Path, PathBuf};

/// The sizes of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelSettings {
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Width of the embedding; none: one-hot input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
}

/// A run whose data are a sequence of classes.
pub trait SequenceSubject: Subject<Length = Passes> {
    /// What a step of the sequence is called.
    const STEP: &'static str;
    /// What several are.
    const STEPS: &'static str;

    /// The sizes of its model.
    fn model(&self) -> &ModelSettings;

    /// How many classes there are.
    fn classes(data: &Self::Data) -> usize;

    /// How many steps train and how many validate.
    fn sizes(data: &Self::Data) -> [usize; 2];

    /// Forecasts of the validating part that need no network, the best of its kind first.
    fn baselines(data: &Self::Data) -> Vec<Baseline>;

    /// Reads the files and cuts off the end that validates.
    ///
    /// # Errors
    /// If a file cannot be read, or nothing is left to validate on.
    fn read(self) -> Result<Sequence<Self>, SequenceError>;

    /// The files that it is read from.
    fn files(&self) -> &[PathBuf];

    /// As [`SequenceSubject::read`], for a run that goes on: it does not hold its data.
    ///
    /// # Errors
    /// If a file is not where it was, or as [`SequenceSubject::read`].
    fn read_again(self, run: &Path) -> Result<Sequence<Self>, SequenceError> {
        match self.files().iter().find(|file| !file.exists()) {
            Some(file) => Err(SequenceError::Moved {
                file: file.display().to_string(),
                run: run.display().to_string(),
                task: Self::TASKS[0],
            }),
            None => self.read(),
        }
    }

    /// Keeps in the run's folder what its page shows of the data.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn keep(_run: &RunOf<Self>, _valid: &[u32]) -> Result<(), SequenceError> {
        Ok(())
    }

    /// Reads other files as classes of this run.
    ///
    /// # Errors
    /// If one cannot be read.
    fn read_others(run: &RunOf<Self>, files: &[PathBuf]) -> Result<Others, SequenceError>;

    /// A class in words.
    fn class_name(data: &Self::Data, class: u32) -> String;

    /// A forecast of another sequence that needs no network, if this kind of run keeps one.
    fn baseline_of(_data: &Self::Data, _classes: &[u32]) -> Option<Baseline> {
        None
    }
}

/// A forecast that is no network's.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// As `--json` calls it.
    pub key: &'static str,
    /// As tables do.
    pub name: String,
    /// Nats a step.
    pub nats: f64,
}

/// What a run learns from: a sequence cut in two, and what is kept of it.
#[derive(Clone, Debug)]
pub struct Sequence<S: Subject> {
    /// What was asked for.
    pub subject: S,
    /// The classes to train on.
    pub training: Vec<u32>,
    /// The classes that validate.
    pub valid: Vec<u32>,
    /// What the run keeps of them.
    pub data: S::Data,
    /// What was found odd about the files, and what was left out of them; one line of text each.
    pub notes: Vec<String>,
}

/// Another sequence, as classes of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Others {
    /// The classes.
    pub classes: Vec<u32>,
    /// As [`Sequence::notes`].
    pub notes: Vec<String>,
}

/// Why a sequence cannot be read, learnt or scored; one line of text each.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// A text that cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A sound that cannot be read.
    #[error(transparent)]
    Sound(#[from] SoundError),
    /// A sequence too short, or a memory budget that cannot be met.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A training that ended before its end.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// A run that cannot be read, or has a cell that is not known.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A backend that this build does not have.
    #[error(transparent)]
    Backend(#[from] NotBuilt),
    /// A file of the run that cannot be written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A file that a run was trained on and that is not there.
    #[error(
        "{file}, on which the run {run} was trained, is not there, and the run does not hold it: say where it is now by bptt train {task} FILE --resume {run}"
    )]
    Moved {
        /// The file.
        file: String,
        /// The run.
        run: String,
        /// Its task.
        task: &'static str,
    },
    /// A vocabulary without a character.
    #[error(
        "no character is {least} times in the {steps} characters to train on: lower --min-count"
    )]
    NoClass {
        /// Characters to train on.
        steps: usize,
        /// How often one would have to be there.
        least: usize,
    },
    /// Nothing to validate on.
    #[error("{found} {steps} leave none to validate on: take more of them, or raise --valid-share")]
    NoValidation {
        /// Steps that there are.
        found: usize,
        /// What they are called.
        steps: &'static str,
    },
}

/// How many of the steps train, where that share of them, the last ones, validates.
///
/// # Errors
/// If none validates.
pub fn training_steps<S: SequenceSubject>(
    found: usize,
    valid_share: f64,
) -> Result<usize, SequenceError> {
    match (found as f64 * valid_share) as usize {
        0 => Err(SequenceError::NoValidation { found, steps: S::STEPS }),
        valid => Ok(found - valid),
    }
}

/// The model before training: the same for the same settings and seed. `configure` sees the configuration of its stack.
pub fn untrained(
    cell: AnyCell,
    classes: usize,
    model: &ModelSettings,
    seed: u64,
    configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> CharacterModel<Recurrent> {
    let mut random = Random::seed_from_u64(seed);
    let sizes = [model.hidden, model.layers];
    CharacterModel::new(cell, classes, model.embedding, sizes, configure, options, &mut random)
}

/// The model that is to be trained.
///
/// # Errors
/// If its memory budget cannot be met.
pub fn beginner(
    cell: AnyCell,
    classes: usize,
    model: &ModelSettings,
    (settings, window): (&Settings, usize),
    computing: &Computing,
) -> Result<CharacterModel<Recurrent>, StreamError> {
    let device = computing.device.clone().autodiff();
    let configure = |config| computing.configure(config, settings);
    let options = (&device, computing.dtype);
    let model = untrained(cell, classes, model, settings.seed, configure, options);
    let recurrent = &model.network.recurrent;
    recurrent.check_memory_budget(window, settings.batch, computing.dtype)?;
    Ok(model)
}

/// How to score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scoring {
    /// The steps are mixed first, by this seed.
    pub shuffle: Option<u64>,
    /// Only so many steps before each one are known.
    pub forget: Option<usize>,
}

/// How probable a sequence is to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceScore {
    /// The classes in the order in which they were scored.
    pub classes: Vec<u32>,
    /// `−ln P(x_t | …)` in nats, a step each.
    pub losses: Vec<f64>,
    /// Steps whose class was not in the training data.
    pub unknown: usize,
    /// A forecast of the same steps that needs no network.
    pub baseline: Option<Baseline>,
    /// As [`Sequence::notes`].
    pub notes: Vec<String>,
}

impl SequenceScore {
    /// `−ln P` of the sequence.
    pub fn nats(&self) -> f64 {
        self.losses.iter().sum()
    }

    /// The mean over the steps.
    pub fn nats_per_step(&self) -> f64 {
        self.nats() / self.losses.len() as f64
    }
}

impl<S: SequenceSubject> RunOf<S> {
    /// Trains the run's model on the two parts of its sequence, from a checkpoint of an earlier training if there is one.
    /// `listen` hears of each step and epoch; the training ends, with a checkpoint, when it returns false.
    ///
    /// # Errors
    /// If the sequence is too short, the loss stops being a number, or a file cannot be written.
    pub fn learn(
        &self,
        sequence: [&[u32]; 2],
        resume: Option<Checkpoint>,
        listen: impl FnMut(Event<'_>) -> bool,
    ) -> Result<Progress, SequenceError> {
        let RunConfig { subject, training, length, .. } = &self.config;
        let computing = self.config.computing()?;
        let classes = S::classes(&self.data);
        let how = (training, length.window);
        let model = beginner(self.cell()?, classes, subject.model(), how, &computing)?;
        let lessons = Streams::new(sequence, training, *length)?;
        Ok(self.train(&lessons, model, &computing, resume, listen)?.1)
    }

    /// The model before training: the same as the training began with.
    ///
    /// # Errors
    /// If its cell is not known.
    pub fn untrained_model(
        &self,
        options: (&Device, DType),
    ) -> Result<CharacterModel<Recurrent>, RunError> {
        let (sizes, seed) = (self.config.subject.model(), self.config.training.seed);
        let classes = S::classes(&self.data);
        Ok(untrained(self.cell()?, classes, sizes, seed, |config| config, options))
    }

    /// The trained model.
    ///
    /// # Errors
    /// If its cell is not known, or as [`trained`].
    pub fn model(
        &self,
        options: (&Device, DType),
    ) -> Result<Trained<CharacterModel<Recurrent>>, SequenceError> {
        let ModelSettings { hidden, layers, embedding } = *self.config.subject.model();
        let features = embedding.unwrap_or(S::classes(&self.data));
        let shape = self.cell()?.shape();
        let checkpoints = Checkpoints::of(&self.folder);
        checkpoints.check(shape, [features, hidden, layers]).map_err(LearningError::from)?;
        // The readout and the embedding, which no class has for nothing.
        let numbers =
            (hidden as f64 + embedding.unwrap_or(0) as f64) * S::classes(&self.data) as f64;
        if numbers > self.checkpoint_bytes().max(1 << 16) as f64 {
            let run = self.folder.display().to_string();
            let error = CheckpointError::Sizes { run, layers, hidden };
            return Err(LearningError::from(error).into());
        }
        Ok(trained(self.untrained_model(options)?, &self.folder)?)
    }

    /// The bytes of the largest of its checkpoints.
    fn checkpoint_bytes(&self) -> u64 {
        let checkpoints = Checkpoints::of(&self.folder);
        let bytes = |name| std::fs::metadata(checkpoints.file(name)).map_or(0, |found| found.len());
        ["last", "previous", "best"].into_iter().map(bytes).max().unwrap_or(0)
    }

    /// How probable the files are to a model of this run: `ln P(x) = Σ ln P(x_t | x_1 … x_{t−1})`, from a zero state.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn score(
        &self,
        model: &CharacterModel<Recurrent>,
        files: &[PathBuf],
        scoring: &Scoring,
    ) -> Result<SequenceScore, SequenceError> {
        let Others { mut classes, notes } = S::read_others(self, files)?;
        if let Some(seed) = scoring.shuffle {
            classes.shuffle(&mut Random::seed_from_u64(seed));
        }
        let losses = match scoring.forget {
            Some(past) => model.score_forgetting(&classes, past),
            None => model.score(&classes),
        };
        let unknown = classes.iter().filter(|&&class| class == UNKNOWN).count();
        let baseline = S::baseline_of(&self.data, &classes);
        Ok(SequenceScore { classes, losses, unknown, baseline, notes })
    }
}
