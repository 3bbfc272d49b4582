//! A network as a forecaster.

use super::{Forecaster, Pasts};
use crate::data::features::Rows;
use crate::model::Network;
use crate::nn::{AnyCell, FlowError, Recurrent, StackCell};
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
    pub fn predict<C: StackCell>(
        &self,
        network: &Network<Recurrent<C>>,
        x: Tensor<3>,
    ) -> Tensor<3> {
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
pub struct NetworkForecaster<C: StackCell = AnyCell> {
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

impl<C: StackCell> NetworkForecaster<C> {
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

    /// The input of the window before each origin, and `∂L_t/∂H_t` of the squared error `L_t` of the forecast of each
    /// step: what [`Recurrent::flow`] starts from.
    pub fn each_loss(&self, rows: &Rows, origins: &[usize]) -> [Tensor<3>; 2] {
        let (window, width, batch) = (self.window, rows.width, origins.len());
        let Output { targets, horizon, changes } = self.output;
        let (mut values, mut to_come): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for &origin in origins {
            values.extend(rows.range(origin - window, origin));
            for next in origin - window + 1..=origin {
                let ahead = rows.range(next, next + horizon).chunks_exact(width);
                to_come.extend(ahead.flat_map(|row| &row[..targets]));
            }
        }
        let data = TensorData::new(values, [batch, window, width]);
        let x = Tensor::<3>::from_data(data, (&self.device, self.dtype));
        let d_hidden = self.network.d_hidden(x.clone(), |outputs| {
            let tracked = |data| Tensor::<3>::from_data(data, (&outputs.device(), self.dtype));
            let to_come = tracked(TensorData::new(to_come, [batch, window, self.output.width()]));
            let forecast = match changes {
                true => {
                    let last = x.clone().slice([0..batch, 0..window, 0..targets]);
                    outputs.clone() + tracked(last.repeat_dim(2, horizon).into_data())
                }
                false => outputs.clone(),
            };
            // A step's forecast is in no other step's loss.
            (forecast - to_come).powi_scalar(2).sum() / (batch * self.output.width()) as f64
        });
        [x, d_hidden]
    }
}

impl<C: StackCell> Forecaster for NetworkForecaster<C> {
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
