//! The training loop, written once for every task: [`Lessons`] says what a window of the data teaches, [`learn`]
//! takes the optimizer's steps, validates after each epoch, and keeps checkpoints.
//!
//! Everything that is drawn in a step comes from the seed and the step's number, or from a stream of random numbers whose
//! position is in the checkpoint. So a training that is resumed goes on to the bit.

use super::checkpoint::{self, Checkpoint, CheckpointError, Checkpoints, numbered};
use super::run::{Length, identity};
use super::{Diverged, OptimizerName, Schedule, clip_norm};
use crate::files;
use crate::nn::weights::{self, NamedWeights, WeightsError};
use crate::nn::{Gradient, RecurrentConfig, Truncation};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Bytes, DType, Device, Tensor};
use std::io;
use std::path::Path;

/// What is learnt, a window of the data after the other.
pub trait Lessons {
    /// The model that learns.
    type Model: Module + NamedWeights;

    /// Windows of an epoch: each gives one gradient.
    fn windows(&self) -> usize;

    /// The optimizer steps of the whole training, where an epoch has `epoch` of them. The last epoch may be a shorter one.
    fn steps(&self, epoch: usize) -> usize;

    /// What a window teaches. `state` is what the window before it has handed on; it is empty in an epoch's first window.
    fn lesson(&self, model: &Self::Model, window: Window, state: Vec<Tensor<3>>) -> Lesson;

    /// How good a model without autodiff is on the data that validate.
    fn validate(&self, model: &Self::Model) -> Score;

    /// Whether the training may end with this score, whatever is left of its steps.
    fn is_enough(&self, _score: Score) -> bool {
        false
    }
}

/// How good a model is on data that it was not trained on.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of right answers, where answers are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<f64>,
}

impl From<f64> for Score {
    fn from(loss: f64) -> Self {
        Self { loss, right: None }
    }
}

/// Which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The window's number in it, from 0.
    pub number: usize,
    /// How many words of a stream of random numbers the windows before it have used.
    pub drawn: u64,
}

/// What a window teaches.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The tensor whose backward pass gives the gradient.
    pub loss: Tensor<1>,
    /// The loss.
    pub value: f64,
    /// What is handed on to the next window; it carries no gradient.
    pub state: Vec<Tensor<3>>,
    /// [`Window::drawn`] of the next window.
    pub drawn: u64,
}

/// How to train.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Seed of the weights and of all that is drawn.
    pub seed: u64,
    /// Share of the outputs between layers that training drops.
    pub dropout: f64,
    /// Rows of a window: streams of a text, windows of a series, sequences of a task.
    pub batch: usize,
    /// Windows whose gradients are added up to one optimizer step.
    pub accumulate: usize,
    /// Optimizer.
    pub optimizer: OptimizerName,
    /// Learning rate at the start.
    pub lr: f64,
    /// How it goes on.
    pub schedule: Schedule,
    /// Largest norm of the gradient of all parameters together.
    pub clip: f64,
    /// Epochs without a better validation after which the training ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<usize>,
    /// Optimizer steps between two checkpoints within an epoch.
    pub checkpoint_every: usize,
}

impl Default for Settings {
    /// Those of `bptt train text`.
    fn default() -> Self {
        Self {
            seed: 1,
            dropout: 0.0,
            batch: 50,
            accumulate: 1,
            optimizer: OptimizerName::Adam,
            lr: 0.002,
            schedule: Schedule::Cosine,
            clip: 5.0,
            early_stop: None,
            checkpoint_every: 200,
        }
    }
}

/// How long to train on data from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Passes {
    /// Passes over the training data.
    pub epochs: usize,
    /// Steps of time of a window. The gradient does not pass its border.
    pub window: usize,
}

impl Length for Passes {
    fn steps(&self, epoch: usize) -> usize {
        epoch.saturating_mul(self.epochs)
    }

    fn key(&self) -> &'static str {
        "epochs"
    }
}

/// How the gradient is computed and where.
#[derive(Clone, Debug)]
pub struct Computing {
    /// Which part of the gradient within a window.
    pub truncation: Truncation,
    /// The bytes that the manual path may keep for its backward pass.
    pub memory_budget: Option<usize>,
    /// Who writes the derivative.
    pub gradient: Gradient,
    /// F32 or F64.
    pub dtype: DType,
    /// The backend's device.
    pub device: Device,
}

impl Computing {
    /// The whole gradient by hand, in single precision, on that device.
    pub fn on(device: Device) -> Self {
        Self {
            truncation: Truncation::Full,
            memory_budget: None,
            gradient: Gradient::Manual,
            dtype: DType::F32,
            device,
        }
    }

    /// The configuration of a recurrent stack that is trained like that.
    pub fn configure(&self, config: RecurrentConfig, settings: &Settings) -> RecurrentConfig {
        config
            .with_dropout(settings.dropout)
            .with_truncation(self.truncation)
            .with_memory_budget(self.memory_budget)
            .with_gradient(self.gradient)
    }
}

/// An epoch that is done.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Optimizer steps until its end.
    pub steps: usize,
    /// The mean training loss over its steps, dropout and all.
    pub train_loss: f64,
    /// The validation loss after it.
    pub valid_loss: f64,
    /// The share of right answers in the validation, where answers are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<f64>,
    /// The learning rate of its last step.
    pub lr: f64,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Optimizer steps.
    pub step: usize,
    /// The losses of this epoch so far, added up, and how many.
    pub sum: (f64, usize),
    /// How many words of a stream of random numbers have been used: see [`Window::drawn`].
    #[serde(default)]
    pub drawn: u64,
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    /// Whether there is nothing more to do.
    pub done: bool,
}

impl Epoch {
    /// Its validation.
    pub fn score(&self) -> Score {
        Score { loss: self.valid_loss, right: self.right }
    }
}

impl Progress {
    /// The epoch with the smallest validation loss: its model is the one that is kept as the best.
    pub fn best(&self) -> Option<Epoch> {
        self.epochs.iter().copied().min_by(|a, b| a.valid_loss.total_cmp(&b.valid_loss))
    }

    fn epochs_since_best(&self) -> usize {
        self.best().map_or(0, |best| self.epochs.len().saturating_sub(best.epoch))
    }
}

/// What a training reports while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// After an optimizer step: how many are done, of how many, and its loss.
    Step {
        /// Done.
        step: usize,
        /// Of all.
        steps: usize,
        /// The loss.
        loss: f64,
    },
    /// After an epoch.
    Epoch(&'a Progress),
}

/// Why a training ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// Not one optimizer step in an epoch.
    #[error(
        "{windows} windows of training data are fewer than the {accumulate} of one optimizer step: lower --accumulate, --batch or --window"
    )]
    TooFew {
        /// Windows of an epoch.
        windows: usize,
        /// Windows of an optimizer step.
        accumulate: usize,
    },
    /// The loss stopped being a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is another model's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The optimizer's record could not be read or written.
    #[error("the optimizer's record: {0}")]
    Optimizer(String),
}

impl From<io::Error> for LearningError {
    fn from(error: io::Error) -> Self {
        Self::Checkpoint(error.into())
    }
}

/// The optimizer steps of an epoch and of all epochs.
///
/// # Errors
/// If there is not one.
pub fn steps(lessons: &impl Lessons, settings: &Settings) -> Result<[usize; 2], LearningError> {
    let (windows, accumulate) = (lessons.windows(), settings.accumulate);
    match windows / accumulate {
        0 => Err(LearningError::TooFew { windows, accumulate }),
        epoch => Ok([epoch, lessons.steps(epoch)]),
    }
}

/// The model of a run's best checkpoint by validation or, where there is none yet, of its last; and why a better
/// checkpoint could not be read.
///
/// # Errors
/// If there is no whole checkpoint, or it is another model's.
pub fn trained<M: Module + NamedWeights>(
    untrained: M,
    run: &Path,
) -> Result<Trained<M>, LearningError> {
    let (checkpoint, refused): (Checkpoint<Progress>, _) =
        Checkpoints::of(run).first(&["best", "last", "previous"])?;
    let file = run.display().to_string();
    let model = weights::read(untrained, &checkpoint.bytes, &file, "")?;
    Ok(Trained { model, refused })
}

/// See [`trained`].
#[derive(Debug)]
pub struct Trained<M> {
    /// The model.
    pub model: M,
    /// Why better checkpoints could not be read.
    pub refused: Vec<CheckpointError>,
}

/// Trains the model, validates after each epoch, and keeps metrics and checkpoints in the folder of the run. It goes on
/// from `resume` if that is given. It ends after the step in which `listen` returns false, with a checkpoint. Returns
/// the model after the last step and the progress.
///
/// # Errors
/// If there are too few windows, the loss stops being a number, or files cannot be written or, to resume, read.
pub fn learn<L: Lessons>(
    lessons: &L,
    mut model: L::Model,
    settings: &Settings,
    computing: &Computing,
    run: &Path,
    resume: Option<Checkpoint<Progress>>,
    mut listen: impl FnMut(Event<'_>) -> bool,
) -> Result<(L::Model, Progress), LearningError> {
    let Computing { dtype, ref device, .. } = *computing;
    let device = device.clone().autodiff();
    let [epoch_steps, steps] = steps(lessons, settings)?;
    let checkpoints = Checkpoints::of(run);
    let identity = identity(run)?;
    let mut optimizer = settings.optimizer.init();
    let mut progress = Progress::default();
    let mut state: Vec<Tensor<3>> = Vec::new();
    match resume {
        Some(checkpoint) => {
            let file = run.display().to_string();
            model = weights::read(model, &checkpoint.bytes, &file, "")?;
            let default = DType::from(Device::default().settings().float_dtype);
            if default != dtype {
                return Err(LearningError::Optimizer(format!(
                    "Burn would read it as {default:?}, and the training is in {dtype:?}: configure Device::default() for that first"
                )));
            }
            optimizer = optimizer
                .from_bytes(Bytes::from_bytes_vec(checkpoint.optimizer))
                .map_err(|error| LearningError::Optimizer(error.to_string()))?;
            let tensors = checkpoint.state.into_iter();
            state = tensors.map(|data| Tensor::from_data(data, (&device, dtype))).collect();
            progress = checkpoint.progress;
        }
        None => checkpoints.clear()?,
    }
    model = numbered(model);

    let finished = |progress: &Progress| {
        let patience = settings.early_stop.unwrap_or(usize::MAX);
        let enough = progress.epochs.last().is_some_and(|epoch| lessons.is_enough(epoch.score()));
        progress.step >= steps || progress.epochs_since_best() >= patience || enough
    };
    progress.done = finished(&progress);
    while !progress.done {
        let (epoch, in_epoch) = (progress.step / epoch_steps, progress.step % epoch_steps);
        // What is drawn in a step depends on nothing but its number.
        device.seed(settings.seed.wrapping_add((progress.step as u64 + 1) << 20));
        let lr = settings.lr * settings.schedule.factor(progress.step, steps, epoch_steps);
        if in_epoch == 0 {
            state.clear();
            progress.sum = (0.0, 0);
        }
        let mut accumulated = GradientsAccumulator::new();
        let mut sum = 0.0;
        for part in 0..settings.accumulate {
            let (number, drawn) = (in_epoch * settings.accumulate + part, progress.drawn);
            let window = Window { epoch, number, drawn };
            let lesson = lessons.lesson(&model, window, std::mem::take(&mut state));
            (state, progress.drawn) = (lesson.state, lesson.drawn);
            if !lesson.value.is_finite() {
                let number = progress.step + 1;
                let advice =
                    "lower the learning rate with --lr, or the largest gradient norm with --clip";
                let loss = lesson.value;
                return Err(Diverged { loss, unit: "step", number, advice }.into());
            }
            sum += lesson.value;
            let loss = lesson.loss / settings.accumulate as f64;
            accumulated.accumulate(&model, GradientsParams::from_grads(loss.backward(), &model));
        }
        let mut gradients = accumulated.grads();
        clip_norm(&mut gradients, &model, settings.clip);
        model = optimizer.step(lr, model, gradients);
        let loss = sum / settings.accumulate as f64;
        progress.step += 1;
        progress.sum = (progress.sum.0 + loss, progress.sum.1 + 1);

        let epoch_done = progress.step.is_multiple_of(epoch_steps) || progress.step == steps;
        let mut best = false;
        if epoch_done {
            let before = progress.best();
            let Score { loss: valid_loss, right } = lessons.validate(&model.valid());
            let epoch = Epoch {
                epoch: progress.epochs.len() + 1,
                steps: progress.step,
                train_loss: progress.sum.0 / progress.sum.1 as f64,
                valid_loss,
                right,
                lr,
            };
            progress.epochs.push(epoch);
            // A last epoch that was a shorter one goes on as another if there are more steps later.
            progress.sum = (0.0, 0);
            best = before.is_none_or(|before| epoch.valid_loss < before.valid_loss);
            progress.done = finished(&progress);
        }
        let go_on = match listen(Event::Step { step: progress.step, steps, loss }) {
            true if epoch_done => listen(Event::Epoch(&progress)),
            go_on => go_on,
        };
        if epoch_done || !go_on || progress.step.is_multiple_of(settings.checkpoint_every) {
            let carried: Vec<_> = state.iter().map(Tensor::to_data).collect();
            let record = optimizer
                .into_bytes()
                .map_err(|error| LearningError::Optimizer(error.to_string()))?;
            let bytes = checkpoint::encode(&model, &carried, &record, &progress, identity.clone());
            if best {
                checkpoints.save_best(&bytes)?;
            }
            checkpoints.save_last(&bytes)?;
        }
        if epoch_done {
            write_metrics(run, &progress)?;
        }
        if !go_on {
            break;
        }
    }
    write_metrics(run, &progress)?;
    Ok((model.valid(), progress))
}

/// `metrics.jsonl`, an epoch a line.
fn write_metrics(run: &Path, progress: &Progress) -> io::Result<()> {
    let lines = progress
        .epochs
        .iter()
        .map(|epoch| serde_json::to_string(epoch).expect("an epoch is plain data") + "\n");
    files::replace(&run.join("metrics.jsonl"), lines.collect::<String>().as_bytes())
}
