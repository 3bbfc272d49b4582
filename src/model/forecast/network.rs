//! A network as a forecaster.

use super::{Forecaster, Pasts};
use crate::data::features::Rows;
use crate::model::{Autoregression, Network};
use crate::nn::{AnyCell, FlowError, Recurrent, StackCell};
use crate::recurrence::flow::StateGradient;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// AR(τ) as one step to each of the next rows: `x̂_{t+k} = c_k + φ_{k,1} x_t + … + φ_{k,τ} x_{t−τ+1}`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearPath {
    /// `c_k`, for each step ahead.
    constants: Vec<f64>,
    /// `φ_{k,i}`, `[step][lag]`, the nearest lag first.
    lags: Vec<f64>,
}

impl LinearPath {
    /// The path of a model: AR(τ) goes on from its own forecasts, and what it makes of each lag by itself is the coefficient.
    pub fn of(model: &Autoregression, horizon: usize) -> Self {
        let order = model.lags.len();
        let mut past = vec![0.0; order];
        let constants = model.ahead(&past, horizon);
        let mut lags = vec![0.0; horizon * order];
        for lag in 0..order {
            past[order - 1 - lag] = 1.0;
            for (step, value) in model.ahead(&past, horizon).into_iter().enumerate() {
                lags[step * order + lag] = value - constants[step];
            }
            past[order - 1 - lag] = 0.0;
        }
        Self { constants, lags }
    }

    /// τ.
    fn order(&self) -> usize {
        self.lags.len() / self.constants.len()
    }
}

/// What the outputs of a network of a series are: at each step, the next `horizon` rows of the columns to forecast, from where
/// a linear model ends: a network that has learnt nothing is that model.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Rows forecast at once.
    pub horizon: usize,
    /// Columns to forecast, the first ones of the input.
    pub targets: usize,
    /// The linear model of each column.
    start: Vec<LinearPath>,
}

impl Output {
    /// Outputs that start from AR of each column.
    pub fn new(horizon: usize, models: &[Autoregression]) -> Self {
        let start = models.iter().map(|model| LinearPath::of(model, horizon)).collect();
        Self { horizon, targets: models.len(), start }
    }

    /// Outputs a step.
    pub fn width(&self) -> usize {
        self.horizon * self.targets
    }

    /// What the linear model of a column multiplies each lag by for a step ahead, the nearest lag first.
    pub(super) fn slopes(&self, step: usize, target: usize) -> &[f64] {
        let path = &self.start[target];
        &path.lags[step * path.order()..(step + 1) * path.order()]
    }

    /// Rows before the first of a window that the linear model reads.
    pub fn lead(&self) -> usize {
        self.start.iter().map(|path| path.order().saturating_sub(1)).max().unwrap_or(0)
    }

    /// What the linear model forecasts after each of the last `steps` rows of a past, `[row][width]`: `[step][horizon × targets]`.
    ///
    /// # Panics
    /// If there are fewer than [`lead`](Self::lead) rows before those.
    pub fn start(&self, past: &[f64], width: usize, steps: usize) -> Vec<f64> {
        let rows = past.len() / width;
        let mut all = vec![0.0; steps * self.width()];
        for (end, outputs) in (rows - steps + 1..=rows).zip(all.chunks_exact_mut(self.width())) {
            for (target, path) in self.start.iter().enumerate() {
                let order = path.order();
                for (k, constant) in path.constants.iter().enumerate() {
                    let lags = path.lags[k * order..(k + 1) * order].iter();
                    let linear =
                        lags.enumerate().map(|(i, phi)| phi * past[(end - 1 - i) * width + target]);
                    outputs[k * self.targets + target] = constant + linear.sum::<f64>();
                }
            }
        }
        all
    }
}

/// A network that reads so many rows from a zero state and forecasts the next ones.
#[derive(Clone, Debug)]
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
        let (Pasts { width, .. }, window) = (pasts, self.window);
        let read: Vec<f64> =
            pasts.each().flat_map(|past| self.read(past, width)).copied().collect();
        let batch = read.len() / (window * width);
        let data = TensorData::new(read, [batch, window, width]);
        let x = Tensor::<3>::from_data(data, (&self.device, self.dtype));
        let left = self.left(pasts.each(), width, 1, targets);
        self.network.gradient_norms(x, |outputs| {
            let left = TensorData::new(left, [batch, 1, self.output.width()]);
            let left = Tensor::<3>::from_data(left, (&outputs.device(), self.dtype));
            let last = outputs.clone().slice_dim(1, window - 1..window);
            (last - left).powi_scalar(2).mean()
        })
    }

    /// The input of the window before each origin, and `∂L_t/∂H_t` of the squared error `L_t` of the forecast of each
    /// step: what [`Recurrent::flow`] starts from.
    pub fn each_loss(&self, rows: &Rows, origins: &[usize]) -> [Tensor<3>; 2] {
        let (window, width, batch) = (self.window, rows.width, origins.len());
        let Output { targets, horizon, .. } = self.output;
        let (mut values, mut to_come): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for &origin in origins {
            values.extend(rows.range(origin - window, origin));
            for next in origin - window + 1..=origin {
                let ahead = rows.range(next, next + horizon).chunks_exact(width);
                to_come.extend(ahead.flat_map(|row| &row[..targets]));
            }
        }
        let pasts = origins.iter().map(|&o| rows.range(o - window - self.output.lead(), o));
        let left = self.left(pasts, width, window, &to_come);
        let data = TensorData::new(values, [batch, window, width]);
        let x = Tensor::<3>::from_data(data, (&self.device, self.dtype));
        let d_hidden = self.network.d_hidden(x.clone(), |outputs| {
            let left = TensorData::new(left, [batch, window, self.output.width()]);
            let left = Tensor::<3>::from_data(left, (&outputs.device(), self.dtype));
            // A step's forecast is in no other step's loss.
            let scale = (batch * self.output.width()) as f64;
            (outputs.clone() - left).powi_scalar(2).sum() / scale
        });
        [x, d_hidden]
    }

    /// The rows of a past that the network reads.
    fn read<'a>(&self, past: &'a [f64], width: usize) -> &'a [f64] {
        &past[past.len() - self.window * width..]
    }

    /// What the linear model leaves of the rows to come, after each of the last `steps` rows of each past.
    fn left<'a>(
        &self,
        pasts: impl Iterator<Item = &'a [f64]>,
        width: usize,
        steps: usize,
        to_come: &[f64],
    ) -> Vec<f64> {
        let start = pasts.flat_map(|past| self.output.start(past, width, steps));
        to_come.iter().zip(start).map(|(actual, linear)| actual - linear).collect()
    }
}

impl<C: StackCell> Forecaster for NetworkForecaster<C> {
    fn reach(&self) -> usize {
        self.window + self.output.lead()
    }

    fn horizon(&self) -> usize {
        self.output.horizon
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        const TOGETHER: usize = 256;
        let (Pasts { rows, width, .. }, window) = (pasts, self.window);
        let mut all = Vec::new();
        for some in pasts.values.chunks(TOGETHER * rows * width) {
            let batch = some.len() / (rows * width);
            let each = || some.chunks_exact(rows * width);
            let read: Vec<f64> = each().flat_map(|past| self.read(past, width)).copied().collect();
            let data = TensorData::new(read, [batch, window, width]);
            let x = Tensor::from_data(data, (&self.device, self.dtype));
            let learnt = self.network.forward(x);
            let last = learnt.slice([0..batch, window - 1..window, 0..self.output.width()]);
            let start = each().flat_map(|past| self.output.start(past, width, 1));
            all.extend(
                last.into_data().iter::<f64>().zip(start).map(|(left, linear)| linear + left),
            );
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The coefficients of each step are those of AR(τ) that goes on from its own forecasts.
    #[test]
    fn a_linear_path_is_the_model_step_by_step() {
        let model = |constant, lags: &[f64]| Autoregression {
            constant,
            lags: lags.to_vec(),
            variance: 1.0,
            rows: 10,
        };
        let models = [model(0.3, &[0.5, -0.25, 0.1]), model(-0.2, &[])];
        let output = Output::new(4, &models);
        assert_eq!((output.width(), output.lead()), (8, 2));
        let past: Vec<f64> = (0..18).map(|i| f64::from((i * 7) % 5) - 1.5).collect();
        let start = output.start(&past, 3, 2);
        for (step, end) in [(0, 5), (1, 6)] {
            let column: Vec<f64> = past.chunks(3).take(end).map(|row| row[0]).collect();
            let ahead = models[0].ahead(&column, 4);
            for k in 0..4 {
                assert!((start[step * 8 + k * 2] - ahead[k]).abs() < 1e-12);
                assert!((start[step * 8 + k * 2 + 1] + 0.2).abs() < 1e-12);
            }
        }
    }
}
