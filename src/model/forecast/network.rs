//! A network as a forecaster.

use super::{Forecaster, Pasts};
use crate::cell::Cell;
use crate::model::Network;
use crate::nn::{FlowError, Recurrent};
use crate::recurrence::flow::StateGradient;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// What the outputs of a network of a series are: at each step, the next `horizon` rows of the columns to forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Rows forecast at once.
    pub horizon: usize,
    /// Columns to forecast, the first ones of the input.
    pub targets: usize,
    /// Whether the outputs are changes from the last value: a network that has learnt nothing is then the last-value
    /// forecast, and a rising level is no obstacle. With differences, 0 says "no change" already.
    pub changes: bool,
}

impl Output {
    /// Outputs a step.
    pub fn width(&self) -> usize {
        self.horizon * self.targets
    }

    /// `x̂_{t+k} = O_t[k]`, or `x_t + O_t[k]`, at every step: `[batch, time, features]` to
    /// `[batch, time, horizon × targets]`.
    pub fn predict<C: Cell>(&self, network: &Network<Recurrent<C>>, x: Tensor<3>) -> Tensor<3> {
        let output = network.forward(x.clone());
        if !self.changes {
            return output;
        }
        let [batch, time, _] = x.dims();
        let last = x.slice([0..batch, 0..time, 0..self.targets]);
        output + last.repeat_dim(2, self.horizon)
    }
}

/// A network that reads so many rows from a zero state and forecasts the next ones.
#[derive(Debug)]
pub struct NetworkForecaster<C: Cell> {
    /// The network, on a device without autodiff.
    pub network: Network<Recurrent<C>>,
    /// What its outputs are.
    pub output: Output,
    /// Rows that it reads.
    pub window: usize,
    /// Where it computes.
    pub device: Device,
    /// F32 or F64.
    pub dtype: DType,
}

impl<C: Cell> NetworkForecaster<C> {
    /// How large the gradient of a forecast's squared error is at each state of each layer, by time, over the pasts:
    /// how far back a forecast listens. `targets` are the rows to come of each past, `[past][step][target]`.
    ///
    /// # Errors
    /// If the network walks back in time.
    pub fn gradient_norms(
        &self,
        pasts: Pasts<'_>,
        targets: &[f64],
    ) -> Result<Vec<Vec<StateGradient>>, FlowError> {
        let Pasts { rows, width, values, .. } = pasts;
        let batch = values.len() / (rows * width);
        let data = TensorData::new(values.to_vec(), [batch, rows, width]);
        let x = Tensor::<3>::from_data(data, (&self.device, self.dtype));
        let Output { targets: columns, horizon, changes } = self.output;
        self.network.gradient_norms(x.clone(), |outputs| {
            let tracked = |data| Tensor::<3>::from_data(data, (&outputs.device(), self.dtype));
            let target = TensorData::new(targets.to_vec(), [batch, 1, self.output.width()]);
            let mut last = outputs.clone().slice_dim(1, rows - 1..rows);
            if changes {
                let x = x.slice([0..batch, rows - 1..rows, 0..columns]).repeat_dim(2, horizon);
                last = last + tracked(x.into_data());
            }
            (last - tracked(target)).powi_scalar(2).mean()
        })
    }
}

impl<C: Cell> Forecaster for NetworkForecaster<C> {
    fn reach(&self) -> usize {
        self.window
    }

    fn horizon(&self) -> usize {
        self.output.horizon
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        const TOGETHER: usize = 256;
        let Pasts { rows, width, .. } = pasts;
        let mut all = Vec::new();
        for some in pasts.values.chunks(TOGETHER * rows * width) {
            let batch = some.len() / (rows * width);
            let data = TensorData::new(some.to_vec(), [batch, rows, width]);
            let x = Tensor::from_data(data, (&self.device, self.dtype));
            let forecasts = self.output.predict(&self.network, x);
            let last = forecasts.slice([0..batch, rows - 1..rows, 0..self.output.width()]);
            all.extend(last.into_data().iter::<f64>());
        }
        all
    }
}
