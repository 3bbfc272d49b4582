//! Learning a sequence of classes, as char-rnn learns a text (Karpathy 2015): the sequence is cut into as many streams as
//! the batch has rows. Each window takes the next steps of all of them; the state carries over from window to window, the
//! gradient stops at the border.

use super::lessons::{Lesson, Lessons, Passes, Score, Settings, Window};
use super::run::Length;
use crate::data::text::UNKNOWN;
use crate::host;
use crate::model::CharacterModel;
use crate::nn::Recurrent;
use crate::recurrence::budget::BudgetError;
use burn::tensor::Tensor;

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

/// A sequence in streams, and one that validates.
#[derive(Clone, Debug)]
pub struct Streams<'a> {
    classes: &'a [u32],
    valid: &'a [u32],
    batch: usize,
    passes: Passes,
    /// Classes of a stream that are used: whole optimizer steps.
    length: usize,
}

impl<'a> Streams<'a> {
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
            _ => Ok(Self { classes, valid, batch, passes, length }),
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

impl Lessons for Streams<'_> {
    type Model = CharacterModel<Recurrent>;

    fn windows(&self) -> usize {
        self.length / self.passes.window
    }

    fn steps(&self, epoch: usize) -> usize {
        self.passes.steps(epoch)
    }

    fn lesson(&self, model: &Self::Model, window: Window, state: Vec<Tensor<3>>) -> Lesson {
        let [inputs, targets] = self.window(window.number);
        let states = model.network.recurrent.cell().shape().states;
        let state = (state.len() == states).then_some(state);
        let shape = [self.batch, self.passes.window];
        let (losses, next) = model.window_losses(&inputs, &targets, shape, state);
        let loss = losses.mean();
        let value = host(loss.clone())[0];
        Lesson { loss, value, state: next, drawn: 0 }
    }

    fn state_shapes(&self, model: &Self::Model) -> Vec<[usize; 3]> {
        let recurrent = &model.network.recurrent;
        let states = recurrent.cell().shape().states;
        vec![
            [recurrent.layers.len() * recurrent.directions(), self.batch, recurrent.d_hidden];
            states
        ]
    }

    /// Nats a step of the validating sequence by the chain rule.
    fn validate(&self, model: &Self::Model) -> Score {
        let losses = model.score(self.valid);
        (losses.iter().sum::<f64>() / losses.len() as f64).into()
    }
}
