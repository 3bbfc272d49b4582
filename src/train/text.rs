//! Training a [`CharacterModel`] on a text, as char-rnn does (Karpathy 2015): the text is cut into as many
//! streams as the batch has rows; each optimizer step walks one window further along all of them, with the state
//! carried over the border and the gradient not.
//!
//! Everything that is drawn in a step comes from the seed and the step's number, so a training that is resumed from a
//! checkpoint goes on to the bit.

use super::checkpoint::{self, Checkpoint, CheckpointError, Checkpoints, numbered};
use super::{Diverged, OptimizerName, Schedule, clip_norm};
use crate::cell::{Cell, Row};
use crate::data::text::{UNKNOWN, Vocabulary};
use crate::model::CharacterModel;
use crate::nn::weights::WeightsError;
use crate::nn::{Gradient, Random, Recurrent, RecurrentConfig, Truncation};
use crate::recurrence::budget::BudgetError;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Bytes, DType, Device, Tensor};
use rand::SeedableRng;
use std::io;
use std::path::Path;

/// The model: what [`untrained`] needs beside cell and vocabulary.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelSettings {
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Width of the embedding; none: one-hot input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
    /// Seed of the weights and of all that is drawn.
    pub seed: u64,
}

/// How to train.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Share of the outputs between layers that training drops.
    pub dropout: f64,
    /// Passes over the training text.
    pub epochs: usize,
    /// Streams.
    pub batch: usize,
    /// Steps of time between two borders that the gradient does not pass.
    pub window: usize,
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

/// An epoch that is done.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Optimizer steps until its end.
    pub steps: usize,
    /// Nats a character in training, dropout and all.
    pub train_loss: f64,
    /// Nats a character of the validation text after it.
    pub valid_loss: f64,
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
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    /// Whether there is nothing more to do.
    pub done: bool,
}

impl Progress {
    /// The epoch with the smallest validation loss.
    pub fn best(&self) -> Option<Epoch> {
        self.epochs.iter().copied().min_by(|a, b| a.valid_loss.total_cmp(&b.valid_loss))
    }

    fn epochs_since_best(&self) -> usize {
        self.best().map_or(0, |best| self.epochs.len() - best.epoch)
    }
}

/// What a training says of itself.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// After an optimizer step: how many are done, of how many, and its loss.
    Step {
        /// Done.
        step: usize,
        /// Of all.
        steps: usize,
        /// Nats a character.
        loss: f64,
    },
    /// After an epoch.
    Epoch(&'a Progress),
}

/// Why a text could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum TextTrainingError {
    /// Too little text.
    #[error(
        "{found} characters to train on are too few for {batch} streams of {window} steps: lower --batch or --window, or take more text"
    )]
    TooShort {
        /// What there is.
        found: usize,
        /// Streams.
        batch: usize,
        /// Steps.
        window: usize,
    },
    /// A memory budget that cannot be met.
    #[error(transparent)]
    Budget(#[from] BudgetError),
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

impl From<io::Error> for TextTrainingError {
    fn from(error: io::Error) -> Self {
        Self::Checkpoint(error.into())
    }
}

/// The model before training: the same for the same settings.
pub fn untrained<C: Cell>(
    cell: C,
    vocabulary: &Vocabulary,
    model: &ModelSettings,
    configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> CharacterModel<Recurrent<C>> {
    let mut random = Random::seed_from_u64(model.seed);
    let sizes = [model.hidden, model.layers];
    let classes = vocabulary.classes();
    CharacterModel::new(cell, classes, model.embedding, sizes, configure, options, &mut random)
}

/// The trained model of a run, the best by validation or, where there is none yet, the last; and why a better
/// checkpoint could not be read.
///
/// # Errors
/// If there is no whole checkpoint, or it is another model's.
pub fn trained<C: Cell>(
    cell: C,
    vocabulary: &Vocabulary,
    model: &ModelSettings,
    run: &Path,
    options: (&Device, DType),
) -> Result<(CharacterModel<Recurrent<C>>, Progress, Vec<CheckpointError>), TextTrainingError> {
    let checkpoints = Checkpoints::of(run);
    let (checkpoint, refused): (Checkpoint<Progress>, _) =
        checkpoints.first(&["best", "last", "previous"])?;
    let model = untrained(cell, vocabulary, model, |config| config, options);
    let file = run.display().to_string();
    Ok((model.read_safetensors(&checkpoint.bytes, &file)?, checkpoint.progress, refused))
}

/// The text in streams.
struct Streams<'a> {
    classes: &'a [u32],
    batch: usize,
    window: usize,
    /// Classes of a stream that are used: whole windows.
    length: usize,
}

impl<'a> Streams<'a> {
    fn new(classes: &'a [u32], settings: &Settings) -> Result<Self, TextTrainingError> {
        let Settings { batch, window, accumulate, .. } = *settings;
        let step = window * accumulate;
        let length = classes.len() / batch / step * step;
        let found = classes.len();
        match length {
            0 => Err(TextTrainingError::TooShort { found, batch, window: step }),
            _ => Ok(Self { classes, batch, window, length }),
        }
    }

    fn windows(&self) -> usize {
        self.length / self.window
    }

    /// Inputs and targets of a window, `[batch, window]`: an input is the class before its target.
    fn window(&self, window: usize) -> [Vec<u32>; 2] {
        let stride = self.classes.len() / self.batch;
        let starts = (0..self.batch).map(|row| row * stride + window * self.window);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for start in starts {
            let end = start + self.window;
            inputs.push(if window == 0 { UNKNOWN } else { self.classes[start - 1] });
            inputs.extend(&self.classes[start..end - 1]);
            targets.extend(&self.classes[start..end]);
        }
        [inputs, targets]
    }
}

/// The steps of an epoch and of all epochs.
///
/// # Errors
/// If there is too little text for one.
pub fn steps(training: usize, settings: &Settings) -> Result<[usize; 2], TextTrainingError> {
    let classes = vec![UNKNOWN; training];
    let epoch = Streams::new(&classes, settings)?.windows() / settings.accumulate;
    Ok([epoch, epoch * settings.epochs])
}

/// Trains on `training`, validates on `valid` after each epoch, and keeps checkpoints in the folder of the run, from the
/// last of which it goes on if `resume` is set. It ends after the step in which `listen` returns false, with a
/// checkpoint. Returns the model after the last step and the progress.
///
/// # Errors
/// If there is too little text, the memory budget is too small, the loss stops being a number, or checkpoints cannot
/// be written or, to resume, read.
#[allow(clippy::too_many_arguments)]
pub fn train<C: Cell>(
    cell: C,
    vocabulary: &Vocabulary,
    [training, valid]: [&[u32]; 2],
    model: &ModelSettings,
    settings: &Settings,
    computing: &Computing,
    run: &Path,
    resume: Option<Checkpoint<Progress>>,
    mut listen: impl FnMut(Event<'_>) -> bool,
) -> Result<(CharacterModel<Recurrent<C>>, Progress), TextTrainingError> {
    let Computing { dtype, ref device, .. } = *computing;
    let device = device.clone().autodiff();
    let streams = Streams::new(training, settings)?;
    let epoch_steps = streams.windows() / settings.accumulate;
    let steps = epoch_steps * settings.epochs;
    let configure = |config: RecurrentConfig| {
        config
            .with_dropout(settings.dropout)
            .with_truncation(computing.truncation)
            .with_memory_budget(computing.memory_budget)
            .with_gradient(computing.gradient)
    };
    let checkpoints = Checkpoints::of(run);
    let mut network = untrained(cell, vocabulary, model, configure, (&device, dtype));
    network.network.recurrent.check_memory_budget(settings.window, settings.batch, dtype)?;
    let mut optimizer = settings.optimizer.init();
    let mut progress = Progress::default();
    let mut state: Option<C::State<Tensor<3>>> = None;
    match resume {
        Some(checkpoint) => {
            let file = run.display().to_string();
            network = network.read_safetensors(&checkpoint.bytes, &file)?;
            let default = DType::from(Device::default().settings().float_dtype);
            if default != dtype {
                return Err(TextTrainingError::Optimizer(format!(
                    "Burn would read it as {default:?}, and the training is in {dtype:?}: configure Device::default() for that first"
                )));
            }
            optimizer = optimizer
                .from_bytes(Bytes::from_bytes_vec(checkpoint.optimizer))
                .map_err(|error| TextTrainingError::Optimizer(error.to_string()))?;
            let tensors = checkpoint.state.into_iter();
            let tensors: Vec<Tensor<3>> =
                tensors.map(|data| Tensor::from_data(data, (&device, dtype))).collect();
            state = (tensors.len() == <C::State<f64> as Row<f64>>::LEN)
                .then(|| Row::from_fn(|s| tensors[s].clone()));
            progress = checkpoint.progress;
        }
        None => checkpoints.clear()?,
    }
    network = numbered(network);

    let finished = |progress: &Progress| {
        let patience = settings.early_stop.unwrap_or(usize::MAX);
        progress.step >= steps || progress.epochs_since_best() >= patience
    };
    progress.done = finished(&progress);
    while !progress.done {
        let in_epoch = progress.step % epoch_steps;
        // What is drawn in a step depends on nothing but its number.
        device.seed(model.seed.wrapping_add((progress.step as u64 + 1) << 20));
        let factor = settings.schedule.factor(progress.step, steps, epoch_steps);
        let lr = settings.lr * factor;
        if in_epoch == 0 {
            state = None;
            progress.sum = (0.0, 0);
        }
        let mut accumulated = GradientsAccumulator::new();
        let mut step_losses = 0.0;
        for part in 0..settings.accumulate {
            let [inputs, targets] = streams.window(in_epoch * settings.accumulate + part);
            let shape = [settings.batch, settings.window];
            let (loss, losses, next) = network.loss(&inputs, &targets, shape, state.take());
            state = Some(next);
            let sum: f64 = losses.iter().sum();
            if !sum.is_finite() {
                let number = progress.step + 1;
                let advice =
                    "lower the learning rate with --lr, or the largest gradient norm with --clip";
                return Err(Diverged { loss: sum, unit: "step", number, advice }.into());
            }
            step_losses += sum / losses.len() as f64;
            let loss = loss / settings.accumulate as f64;
            accumulated
                .accumulate(&network, GradientsParams::from_grads(loss.backward(), &network));
        }
        let mut gradients = accumulated.grads();
        clip_norm(&mut gradients, &network, settings.clip);
        network = optimizer.step(lr, network, gradients);
        let loss = step_losses / settings.accumulate as f64;
        progress.step += 1;
        progress.sum = (progress.sum.0 + loss, progress.sum.1 + 1);

        let epoch_done = progress.step.is_multiple_of(epoch_steps);
        let mut best = false;
        if epoch_done {
            let losses = network.valid().score(valid);
            let before = progress.best();
            let epoch = Epoch {
                epoch: progress.step / epoch_steps,
                steps: progress.step,
                train_loss: progress.sum.0 / progress.sum.1 as f64,
                valid_loss: losses.iter().sum::<f64>() / losses.len() as f64,
                lr,
            };
            progress.epochs.push(epoch);
            best = before.is_none_or(|before| epoch.valid_loss < before.valid_loss);
            progress.done = finished(&progress);
        }
        let go_on = match listen(Event::Step { step: progress.step, steps, loss }) {
            true if epoch_done => listen(Event::Epoch(&progress)),
            go_on => go_on,
        };
        if epoch_done || !go_on || progress.step.is_multiple_of(settings.checkpoint_every) {
            let carried: Vec<_> =
                state.iter().flat_map(|state| state.as_ref()).map(Tensor::to_data).collect();
            let record = optimizer
                .into_bytes()
                .map_err(|error| TextTrainingError::Optimizer(error.to_string()))?;
            let bytes = checkpoint::encode(&network, &carried, &record, &progress);
            if best {
                checkpoints.save_best(&bytes)?;
            }
            checkpoints.save_last(&bytes)?;
        }
        if !go_on {
            break;
        }
    }
    Ok((network.valid(), progress))
}
