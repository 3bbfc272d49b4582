//! The masks of dropout, recurrent dropout and zoneout, and the cuts of the truncation.

use super::initial::from_device;
use crate::random::{Random, RngExt};
use crate::recurrence::truncation::Truncation;
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// The rates, and the truncation of the gradient.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Regularisation {
    pub truncation: Truncation,
    pub dropout: f64,
    pub recurrent_dropout: f64,
    pub zoneout_hidden: f64,
    pub zoneout_cell: f64,
}

impl Regularisation {
    /// Whether there is zoneout.
    pub fn zoneout(&self) -> bool {
        self.zoneout_hidden > 0.0 || self.zoneout_cell > 0.0
    }

    /// Whether there is a mask to draw.
    pub fn any(&self) -> bool {
        self.dropout > 0.0 || self.recurrent_dropout > 0.0 || self.zoneout()
    }
}

/// Draws the masks of one forward pass.
pub(super) struct Masks {
    rates: Regularisation,
    /// `None` in inference.
    random: Option<Random>,
}

impl Masks {
    /// In training, on an autodiff device, random numbers are drawn from the device if any rate needs them.
    pub fn new(rates: Regularisation, input: &Tensor<3>) -> Self {
        let any = rates.any() || matches!(rates.truncation, Truncation::Random(_));
        let random = (any && input.is_autodiff()).then(|| from_device(&input.device()));
        Self { rates, random }
    }

    /// For each time step of a walk, the share of the gradient that passes to the step before.
    pub fn passes(&mut self, time: usize) -> Option<Arc<[f64]>> {
        let mut draw = self.random.as_mut().map(|random| || random.random::<f64>());
        let draw = draw.as_mut().map(|draw| draw as &mut dyn FnMut() -> f64);
        self.rates.truncation.passes(time, draw).map(Arc::from)
    }

    /// The mask for the output of a layer before the next layer, if there is one.
    pub fn between_layers(&mut self, output: &Tensor<2>) -> Option<Tensor<2>> {
        self.dropped(self.rates.dropout, output.dims(), output)
    }

    /// The mask for the hidden state before its product, if there is one.
    pub fn recurrent(&mut self, batch: usize, width: usize, like: &Tensor<2>) -> Option<Tensor<2>> {
        self.dropped(self.rates.recurrent_dropout, [batch, width], like)
    }

    /// The shares of the old states that each step keeps, in `hidden` columns for the hidden state and
    /// `others` for the other states. They are drawn in training and are the expectation in inference.
    pub fn zoneout(
        &mut self,
        steps: usize,
        [hidden, others]: [usize; 2],
        like: &Tensor<2>,
    ) -> Option<Tensor<2>> {
        let Regularisation { zoneout_hidden, zoneout_cell, .. } = self.rates;
        if !self.rates.zoneout() {
            return None;
        }
        let rate = |column: usize| if column < hidden { zoneout_hidden } else { zoneout_cell };
        let width = hidden + others;
        let (rows, shares): (usize, Vec<f64>) = match &mut self.random {
            Some(random) => {
                let draw = |i: usize| f64::from(random.random::<f64>() < rate(i % width));
                (steps, (0..steps * width).map(draw).collect())
            }
            None => (1, (0..width).map(rate).collect()),
        };
        Some(constant(shares, [rows, width], like))
    }

    /// Zero with the probability `rate`, else `1 / (1 − rate)`.
    fn dropped(&mut self, rate: f64, shape: [usize; 2], like: &Tensor<2>) -> Option<Tensor<2>> {
        let random = self.random.as_mut().filter(|_| rate > 0.0)?;
        let keep = 1.0 / (1.0 - rate);
        let mut factor = || if random.random::<f64>() < rate { 0.0 } else { keep };
        Some(constant((0..shape[0] * shape[1]).map(|_| factor()).collect(), shape, like))
    }
}

fn constant(values: Vec<f64>, shape: [usize; 2], like: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
