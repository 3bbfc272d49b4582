//! Learning a text, or any sequence of classes, as char-rnn does (Karpathy 2015): the sequence is cut into as many
//! streams as the batch has rows; each window goes one further along all of them, with the state carried over the
//! border and the gradient not.

use super::checkpoint::Checkpoints;
use super::host;
use super::lessons::{
    Computing, LearningError, Lesson, Lessons, Passes, Score, Settings, Trained, Window, trained,
};
use super::run::{RunOf, Subject};
use crate::cell::{Cell, Row};
use crate::data::text::UNKNOWN;
use crate::model::CharacterModel;
use crate::nn::{Random, Recurrent, RecurrentConfig};
use crate::recurrence::budget::BudgetError;
use burn::tensor::{DType, Device, Tensor};
use rand::SeedableRng;
use std::marker::PhantomData;

/// The model: what [`untrained`] needs beside the cell and the number of classes.
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
    /// The sizes of its model.
    fn model(&self) -> &ModelSettings;

    /// How many classes there are.
    fn classes(data: &Self::Data) -> usize;
}

/// The trained model of a run.
///
/// # Errors
/// As [`trained`].
pub fn trained_model<C: Cell, S: SequenceSubject>(
    cell: C,
    run: &RunOf<S>,
    options: (&Device, DType),
) -> Result<Trained<CharacterModel<Recurrent<C>>>, LearningError> {
    let (model, seed) = (run.config.subject.model(), run.config.training.seed);
    let classes = S::classes(&run.data);
    let features = model.embedding.unwrap_or(classes);
    Checkpoints::of(&run.folder).check::<C>([features, model.hidden, model.layers])?;
    trained(untrained(cell, classes, model, seed, |config| config, options), &run.folder)
}

/// Why a sequence could not be learnt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StreamError {
    /// Too short.
    #[error(
        "{found} steps to train on are too few for {batch} streams of {window} steps: lower --batch or --window, or take more data"
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
}

/// The model before training: the same for the same settings and seed. `configure` sees the configuration of its stack.
pub fn untrained<C: Cell>(
    cell: C,
    classes: usize,
    model: &ModelSettings,
    seed: u64,
    configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> CharacterModel<Recurrent<C>> {
    let mut random = Random::seed_from_u64(seed);
    let sizes = [model.hidden, model.layers];
    CharacterModel::new(cell, classes, model.embedding, sizes, configure, options, &mut random)
}

/// The model that is to be trained.
///
/// # Errors
/// If its memory budget cannot be met.
pub fn beginner<C: Cell>(
    cell: C,
    classes: usize,
    model: &ModelSettings,
    (settings, window): (&Settings, usize),
    computing: &Computing,
) -> Result<CharacterModel<Recurrent<C>>, StreamError> {
    let device = computing.device.clone().autodiff();
    let configure = |config| computing.configure(config, settings);
    let options = (&device, computing.dtype);
    let model = untrained(cell, classes, model, settings.seed, configure, options);
    let recurrent = &model.network.recurrent;
    recurrent.check_memory_budget(window, settings.batch, computing.dtype)?;
    Ok(model)
}

/// A sequence in streams, and one that validates.
#[derive(Clone, Debug)]
pub struct Streams<'a, C> {
    classes: &'a [u32],
    valid: &'a [u32],
    batch: usize,
    passes: Passes,
    /// Classes of a stream that are used: whole optimizer steps.
    length: usize,
    cell: PhantomData<C>,
}

impl<'a, C> Streams<'a, C> {
    /// Cuts the sequence.
    ///
    /// # Errors
    /// If it is too short for one optimizer step.
    pub fn new(
        [classes, valid]: [&'a [u32]; 2],
        settings: &Settings,
        passes: Passes,
    ) -> Result<Self, StreamError> {
        let Settings { batch, accumulate, .. } = *settings;
        let step = passes.window.saturating_mul(accumulate);
        let length = classes.len() / batch / step * step;
        let found = classes.len();
        match length {
            0 => Err(StreamError::TooShort { found, batch, window: step }),
            _ => Ok(Self { classes, valid, batch, passes, length, cell: PhantomData }),
        }
    }

    /// Inputs and targets of a window, `[batch, window]`: an input is the class before its target.
    fn window(&self, window: usize) -> [Vec<u32>; 2] {
        let (stride, steps) = (self.classes.len() / self.batch, self.passes.window);
        let starts = (0..self.batch).map(|row| row * stride + window * steps);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for start in starts {
            let end = start + steps;
            inputs.push(if window == 0 { UNKNOWN } else { self.classes[start - 1] });
            inputs.extend(&self.classes[start..end - 1]);
            targets.extend(&self.classes[start..end]);
        }
        [inputs, targets]
    }
}

impl<C: Cell> Lessons for Streams<'_, C> {
    type Model = CharacterModel<Recurrent<C>>;

    fn windows(&self) -> usize {
        self.length / self.passes.window
    }

    fn steps(&self, epoch: usize) -> usize {
        epoch.saturating_mul(self.passes.epochs)
    }

    fn lesson(&self, model: &Self::Model, window: Window, state: Vec<Tensor<3>>) -> Lesson {
        let [inputs, targets] = self.window(window.number);
        let states = <C::State<f64> as Row<f64>>::LEN;
        let state = (state.len() == states).then(|| Row::from_fn(|s| state[s].clone()));
        let shape = [self.batch, self.passes.window];
        let (losses, next) = model.window_losses(&inputs, &targets, shape, state);
        let loss = losses.mean();
        let value = host(loss.clone())[0];
        Lesson { loss, value, state: next.into_iter().collect(), drawn: 0 }
    }

    /// Nats a step of the validating sequence by the chain rule.
    fn validate(&self, model: &Self::Model) -> Score {
        let losses = model.score(self.valid);
        (losses.iter().sum::<f64>() / losses.len() as f64).into()
    }
}
