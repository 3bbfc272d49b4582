//! The training loop, written once for every task: [`Lessons`] says what a window of the data teaches, [`learn`]
//! takes the optimizer's steps, validates after each epoch, and keeps checkpoints.
//!
//! Everything that is drawn in a step comes from the seed and the step's number, or from a stream of random numbers whose
//! position is in the checkpoint. So a training that is resumed goes on to the bit.

use super::checkpoint::{
    Checkpoint, CheckpointError, Checkpoints, check_record, encode, numbered, sorted_record,
    strange_in_record,
};
pub use super::progress::{Epoch, Progress, Score};
use super::run::{Length, identity};
use super::{Diverged, OptimizerName, Schedule, clip_norm};
use crate::files;
use crate::nn::weights::{self, NamedWeights, WeightsError};
use crate::nn::{Gradient, Precision, RecurrentConfig, Truncation};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use std::collections::BTreeMap;
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

    /// The shapes of what a window hands on to the next one, where it hands on something.
    fn state_shapes(&self, _model: &Self::Model) -> Vec<[usize; 3]> {
        Vec::new()
    }

    /// How good a model without autodiff is on the data that validate.
    fn validate(&self, model: &Self::Model) -> Score;

    /// Whether the training may end with this score, whatever is left of its steps.
    fn is_enough(&self, _score: Score) -> bool {
        false
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
    /// What the products multiply.
    pub precision: Precision,
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
            precision: Precision::Full,
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
            .with_precision(self.precision)
            .with_gradient(self.gradient)
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
    /// After a checkpoint is on the disk.
    Saved {
        /// Its step.
        step: usize,
    },
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
    /// A loss, a gradient or a weight stopped being a number.
    #[error("{diverged}; {kept}")]
    Diverged {
        /// Which, and when.
        diverged: Diverged,
        /// What is left of the training.
        kept: String,
    },
    /// A checkpoint that does not fit the data or the model.
    #[error("{file} is not this training's: {reason}")]
    Unfit {
        /// The checkpoint.
        file: String,
        /// What does not fit.
        reason: String,
    },
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
    let checkpoints = Checkpoints::of(run);
    let (checkpoint, mut refused) = checkpoints.first(&["best", "last", "previous"])?;
    let best = checkpoints.file("best");
    // After an epoch there is one, unless somebody has removed it.
    if refused.is_empty() && checkpoint.progress.best().is_some() && !best.exists() {
        refused.push(CheckpointError::Lost { file: best.display().to_string() });
    }
    let instead = |error: CheckpointError| CheckpointError::Instead {
        reason: error.to_string(),
        file: checkpoint.file.clone(),
    };
    let refused = refused.into_iter().map(instead).collect();
    let file = run.display().to_string();
    let model = weights::read(untrained, &checkpoint.bytes, &file, "")?;
    // A number of double precision may be none of single.
    match strange(&weights::tensors(&model)) {
        Some((tensor, _)) => {
            Err(CheckpointError::NotFinite { file: checkpoint.file, tensor }.into())
        }
        None => Ok(Trained { model, refused }),
    }
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
    resume: Option<Checkpoint>,
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
    let mut saved: Option<Saved> = None;
    model = numbered(model);
    match resume {
        Some(checkpoint) => {
            let file = checkpoint.file;
            model = numbered(weights::read(model, &checkpoint.bytes, &file, "")?);
            let default = DType::from(Device::default().settings().float_dtype);
            if default != dtype {
                return Err(LearningError::Optimizer(format!(
                    "Burn would read it as {default:?}, and the training is in {dtype:?}: configure Device::default() for that first"
                )));
            }
            let unfit = |reason| LearningError::Unfit { file: file.clone(), reason };
            progress = checkpoint.progress;
            // Whatever the length was, an epoch has ended at each whole number of them.
            let boundary = progress.step / epoch_steps * epoch_steps;
            if progress.step < steps
                && progress.epochs.last().map_or(0, |last| last.steps) < boundary
            {
                return Err(unfit(format!(
                    "an epoch that ended after {boundary} steps is missing"
                )));
            }
            let shapes = lessons.state_shapes(&model);
            check_state(&checkpoint.state, &shapes, dtype).map_err(unfit)?;
            let how = (settings.optimizer, &model);
            check_record(&checkpoint.optimizer, how, progress.step)
                .map_err(|reason| unfit(format!("the optimizer's record: {reason}")))?;
            optimizer = optimizer
                .from_bytes(Bytes::from_bytes_vec(checkpoint.optimizer))
                .map_err(|error| LearningError::Optimizer(error.to_string()))?;
            let tensors = checkpoint.state.into_iter();
            state = tensors.map(|data| Tensor::from_data(data, (&device, dtype))).collect();
            saved = Some(Saved { step: progress.step, file });
        }
        None => checkpoints.clear()?,
    }
    let diverged = |what, value, number, saved: &Option<Saved>| {
        let advice = "lower the learning rate with --lr, or the largest gradient norm with --clip";
        let diverged = Diverged { what, value, unit: "step", number, advice };
        let kept = match saved {
            Some(Saved { step, file }) => {
                format!("the last good checkpoint, of step {step}, is {file}")
            }
            None => "there is no checkpoint yet".into(),
        };
        LearningError::Diverged { diverged, kept }
    };

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
                return Err(diverged("the loss", lesson.value, progress.step + 1, &saved));
            }
            sum += lesson.value;
            let loss = lesson.loss / settings.accumulate as f64;
            accumulated.accumulate(&model, GradientsParams::from_grads(loss.backward(), &model));
        }
        let mut gradients = accumulated.grads();
        let norm = clip_norm(&mut gradients, &model, settings.clip);
        if !norm.is_finite() {
            return Err(diverged("the norm of the gradient", norm, progress.step + 1, &saved));
        }
        model = optimizer.step(lr, model, gradients);
        let loss = sum / settings.accumulate as f64;
        progress.step += 1;
        progress.sum = (progress.sum.0 + loss, progress.sum.1 + 1);

        let epoch_done = progress.step.is_multiple_of(epoch_steps) || progress.step == steps;
        let mut best = false;
        if epoch_done {
            // Before a model that is none is asked for anything.
            if let Some((_, value)) = strange(&weights::tensors(&model)) {
                return Err(diverged("a weight", value, progress.step, &saved));
            }
            let Score { loss: valid_loss, right } = lessons.validate(&model.valid());
            if !valid_loss.is_finite() {
                return Err(diverged("the validation loss", valid_loss, progress.step, &saved));
            }
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
            // Found as anybody finds it who reads the checkpoint.
            best = progress.best().is_some_and(|best| best.epoch == epoch.epoch);
            progress.done = finished(&progress);
        }
        let mut go_on = match listen(Event::Step { step: progress.step, steps, loss }) {
            true if epoch_done => listen(Event::Epoch(&progress)),
            go_on => go_on,
        };
        if epoch_done || !go_on || progress.step.is_multiple_of(settings.checkpoint_every) {
            let weights = weights::tensors(&model);
            let carried: Vec<_> = state.iter().map(Tensor::to_data).collect();
            let record = optimizer.into_bytes().map_err(|error| error.to_string());
            let record = record.and_then(|bytes| sorted_record(bytes).map_err(|e| e.to_string()));
            let record = record.map_err(LearningError::Optimizer)?;
            let number = progress.step;
            if let Some((_, value)) = strange(&weights) {
                return Err(diverged("a weight", value, number, &saved));
            }
            if let Some(value) = carried.iter().find_map(no_number) {
                return Err(diverged("the carried state", value, number, &saved));
            }
            let strange = strange_in_record(&record);
            if strange.map_err(|error| LearningError::Optimizer(error.to_string()))?.is_some() {
                return Err(diverged("an average of the optimizer", f64::INFINITY, number, &saved));
            }
            let bytes = encode(&weights, &carried, &record, &progress, identity.clone());
            if best {
                checkpoints.save_best(&bytes)?;
            }
            checkpoints.save_last(&bytes)?;
            let file = checkpoints.file("last").display().to_string();
            saved = Some(Saved { step: number, file });
            go_on &= listen(Event::Saved { step: number });
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

/// A checkpoint that is on the disk.
struct Saved {
    step: usize,
    file: String,
}

/// A value that is no number.
fn no_number(data: &TensorData) -> Option<f64> {
    data.iter::<f64>().find(|value| !value.is_finite())
}

/// The first tensor that holds what is no number, and that.
fn strange(tensors: &BTreeMap<String, TensorData>) -> Option<(String, f64)> {
    tensors.iter().find_map(|(name, data)| Some((name.clone(), no_number(data)?)))
}

/// Compares a carried state with the shapes that the data and the model give it.
fn check_state(state: &[TensorData], shapes: &[[usize; 3]], dtype: DType) -> Result<(), String> {
    if state.len() != shapes.len() {
        return Err(format!("it carries {} states, and not {}", state.len(), shapes.len()));
    }
    for (s, (data, shape)) in state.iter().zip(shapes).enumerate() {
        let found: Vec<usize> = data.shape().iter().copied().collect();
        if found != shape || data.dtype() != dtype {
            let other = data.dtype();
            return Err(format!(
                "its state {s} has the shape {found:?} of {other:?}, and not {shape:?} of {dtype:?}"
            ));
        }
    }
    Ok(())
}
