//! The exercise of the lecture: a linear network of one unit without bias learns to count the ones
//! of a binary sequence.
//!
//! ```text
//! S_k = S_{k-1} w_rec + x_k w_x,  S_0 = 0        X (100, 10), S (100, 11)
//! y   = S_10,  target = number of ones,  ξ = mean((y − target)²)
//! ∂ξ/∂S_10    = 2 (y − target) / 100
//! ∂ξ/∂S_{k-1} = ∂ξ/∂S_k w_rec
//! ∂ξ/∂w_x     = Σ_k Σ_rows ∂ξ/∂S_k x_k
//! ∂ξ/∂w_rec   = Σ_k Σ_rows ∂ξ/∂S_k S_{k-1}
//! ```
//!
//! The mean over the rows is inside ξ, so the sums over rows are the note's means. The network
//! goes through the same engine as every other: it is the Elman cell with σ = identity. (After
//! P. Roelants, "How to implement a recurrent neural network", part 1.)

use super::{Diverged, RpropConfig, host};
use crate::cell::Activation;
use crate::data::count::CountTask;
use crate::gradcheck::{self, relative_error};
use crate::nn::{FlowError, Gradient, Random, Rnn, RnnConfig};
use crate::recurrence::flow::Flow;
use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use std::fmt;
use std::str::FromStr;

/// The two weights of the network; as text they are `w_x,w_rec`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weights {
    /// The input's weight.
    pub w_x: f64,
    /// The recurrent weight.
    pub w_rec: f64,
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        let both = text.split_once(',');
        let both = both.and_then(|(w_x, w_rec)| Some((number(w_x)?, number(w_rec)?)));
        let (w_x, w_rec) =
            both.ok_or("give two finite numbers with a comma between them, such as -1.5,2.0")?;
        Ok(Self { w_x, w_rec })
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.w_x, self.w_rec)
    }
}

impl TryFrom<String> for Weights {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Weights> for String {
    fn from(weights: Weights) -> Self {
        weights.to_string()
    }
}

/// How to train.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to start.
    pub start: Weights,
    /// Steps of Rprop.
    pub iterations: usize,
    /// Rprop's first step.
    pub first_step: f64,
    /// Who writes the derivative.
    pub gradient: Gradient,
    /// F32 or F64.
    pub dtype: DType,
    /// The backend's device.
    pub device: Device,
}

/// What training made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The weights before each iteration, and those reached.
    pub path: Vec<Weights>,
    /// ξ of each of them.
    pub losses: Vec<f64>,
}

impl Outcome {
    /// The weights reached.
    pub fn reached(&self) -> Weights {
        *self.path.last().expect("a path has its start")
    }

    /// ξ of the weights reached.
    pub fn loss(&self) -> f64 {
        *self.losses.last().expect("a path has its start")
    }
}

const ADVICE: &str =
    "start nearer to (1, 1) with --start, use shorter sequences, or try --dtype f64";

/// Trains from the start.
///
/// # Errors
/// If ξ stops being a number.
pub fn train(task: &CountTask, settings: &Settings) -> Result<Outcome, Diverged> {
    let device = settings.device.clone().autodiff();
    let mut network = network(settings.start, settings.gradient, &device, settings.dtype);
    let (x, target) = tensors(task, &device, settings.dtype);
    let mut optimizer = RpropConfig::new().init();
    let mut outcome = Outcome { path: vec![settings.start], losses: Vec::new() };
    for iteration in 0.. {
        let loss = loss(&network, x.clone(), target.clone());
        let value = host(loss.clone())[0];
        if !value.is_finite() {
            let number = iteration + 1;
            let (what, unit) = ("the loss", "iteration");
            return Err(Diverged { what, value, unit, number, advice: ADVICE });
        }
        outcome.losses.push(value);
        if iteration == settings.iterations {
            break;
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(settings.first_step, network, gradients);
        outcome.path.push(weights(&network));
    }
    Ok(outcome)
}

/// ∂ξ/∂w_x and ∂ξ/∂w_rec three ways, with the errors between them.
#[derive(Clone, Debug)]
pub struct GradientCheck {
    /// By hand, by autodiff and by central differences, for w_x and for w_rec.
    pub values: [[f64; 3]; 2],
    /// The errors, in the same order.
    pub rows: Vec<gradcheck::Row>,
}

/// The gradient at the given weights by hand (without autodiff), by autodiff, and by central
/// differences in f64.
pub fn gradient_check(
    task: &CountTask,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> GradientCheck {
    let by_hand = gradient_by_time(task, at, device, dtype).weights;

    let tracked = device.clone().autodiff();
    let unrolled = network(at, Gradient::Autodiff, &tracked, dtype);
    let (x, target) = tensors(task, &tracked, dtype);
    let gradients = loss(&unrolled, x, target).backward();
    let [w_x, w_h] = parameters(&unrolled);
    let of =
        |w: &Param<Tensor<2>>| host(w.val().grad(&gradients).expect("the loss depends on it"))[0];
    let by_autodiff = [of(w_x), of(w_h)];

    let (x, target) = tensors(task, device, DType::F64);
    let loss_at = |at: Weights| {
        let network = network(at, Gradient::Manual, device, DType::F64);
        host(loss(&network, x.clone(), target.clone()))[0]
    };
    let step = 1e-6;
    let by_difference = [
        (Weights { w_x: at.w_x + step, ..at }, Weights { w_x: at.w_x - step, ..at }),
        (Weights { w_rec: at.w_rec + step, ..at }, Weights { w_rec: at.w_rec - step, ..at }),
    ]
    .map(|(above, below)| (loss_at(above) - loss_at(below)) / (2.0 * step));

    let values = [0, 1].map(|w| [by_hand[w], by_autodiff[w], by_difference[w]]);
    let row =
        |(parameter, [by_hand, by_autodiff, by_difference]): (&str, [f64; 3])| gradcheck::Row {
            cell: "linear".into(),
            parameter: parameter.into(),
            manual_vs_autodiff: relative_error(&[by_hand], &[by_autodiff]),
            manual_vs_difference: Some(relative_error(&[by_hand], &[by_difference])),
            within_rounding: [false; 2],
        };
    GradientCheck { values, rows: ["w_x", "w_rec"].into_iter().zip(values).map(row).collect() }
}

/// The gradient by hand.
#[derive(Clone, Debug)]
pub struct GradientByTime {
    /// ∂ξ/∂w_x and ∂ξ/∂w_rec.
    pub weights: [f64; 2],
    /// ‖∂ξ/∂S_k‖ over the rows, for k = 0 … length.
    pub states: Vec<f64>,
}

/// The gradient of ξ by hand, without autodiff, and how large it is at each time step.
pub fn gradient_by_time(
    task: &CountTask,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> GradientByTime {
    let network = network(at, Gradient::Manual, device, dtype);
    let (x, target) = tensors(task, device, dtype);
    let [rows, length, _] = x.dims();
    let trace = network.trace(x, None);
    let y = trace.state().remove(0).reshape([rows, 1]);
    let d_last = (y - target) * (2.0 / rows as f64);
    let no_output = trace.output().zeros_like();
    let gradients = trace.backward(no_output, Some(vec![d_last.reshape([1, rows, 1])]));
    let norm = |column: Tensor<2>| host(column).iter().map(|d| d * d).sum::<f64>().sqrt();
    let start = gradients.state[0].clone().reshape([rows, 1]);
    let steps = (0..length)
        .map(|k| gradients.hidden[0].clone().slice([0..rows, k..k + 1, 0..1]).reshape([rows, 1]));
    let weights = &gradients.weights[0];
    let scalar = |w: &Option<Tensor<2>>| host(w.clone().expect("a linear network has weights"))[0];
    GradientByTime {
        weights: [scalar(&weights.w_x), scalar(&weights.w_h)],
        states: std::iter::once(start).chain(steps).map(norm).collect(),
    }
}

/// How the gradient flows through the network by time and by lag, with the loss `(S_k − target)² / rows` after each step
/// and that of the last step as the whole one.
///
/// # Errors
/// As [`Recurrent::flow`](crate::nn::Recurrent::flow).
pub fn flow(
    task: &CountTask,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> Result<Flow, FlowError> {
    let network = network(at, Gradient::Manual, device, dtype);
    let (x, target) = tensors(task, device, dtype);
    let [rows, length, _] = x.dims();
    let (states, _) = network.forward(x.clone(), None);
    let target = target.reshape([rows, 1, 1]).repeat_dim(1, length);
    network.flow(x, (states - target) * (2.0 / rows as f64), true)
}

/// The predictions for fresh sequences: `(prediction, number of ones)` for each.
pub fn predictions(
    task: &CountTask,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> Vec<(f64, f64)> {
    let network = network(at, Gradient::Manual, device, dtype);
    let (x, _) = tensors(task, device, dtype);
    let (_, [last]) = network.forward(x, None);
    host(last).into_iter().zip(task.targets.iter().copied()).collect()
}

/// ξ over a grid of weights, `[w_rec][w_x]` in row-major order.
///
/// The recursion unrolled gives `S_10 = w_x Σ_k x_k w_rec^{10−k}`, so for one w_rec the sums serve
/// every w_x.
pub fn error_surface(task: &CountTask, w_x: &[f64], w_rec: &[f64]) -> Vec<f64> {
    let rows = task.sequences as f64;
    let mut surface = Vec::with_capacity(w_x.len() * w_rec.len());
    for &w_rec in w_rec {
        let sums: Vec<f64> = task
            .x
            .chunks(task.length)
            .map(|x| x.iter().fold(0.0, |sum, x_k| sum * w_rec + x_k))
            .collect();
        for &w_x in w_x {
            let errors =
                sums.iter().zip(&task.targets).map(|(sum, target)| (w_x * sum - target).powi(2));
            surface.push(errors.sum::<f64>() / rows);
        }
    }
    surface
}

pub(super) fn network(at: Weights, gradient: Gradient, device: &Device, dtype: DType) -> Rnn {
    let config =
        RnnConfig::new(1, 1, false).with_activation(Activation::Identity).with_gradient(gradient);
    let mut network = config.init_with((device, dtype), &mut Random::seed_from_u64(0));
    let value = |w: f64| {
        Param::from_tensor(Tensor::from_data(TensorData::new(vec![w], [1, 1]), (device, dtype)))
    };
    let direction = &mut network.layers[0].directions[0];
    (direction.w_x, direction.w_h) = (Some(value(at.w_x)), Some(value(at.w_rec)));
    network
}

pub(super) fn parameters(network: &Rnn) -> [&Param<Tensor<2>>; 2] {
    let direction = &network.layers[0].directions[0];
    [&direction.w_x, &direction.w_h].map(|w| w.as_ref().expect("a linear network has weights"))
}

fn weights(network: &Rnn) -> Weights {
    let [w_x, w_rec] = parameters(network).map(|w| host(w.val())[0]);
    Weights { w_x, w_rec }
}

/// X `[sequences, length, 1]` and the targets `[sequences, 1]`.
fn tensors(task: &CountTask, device: &Device, dtype: DType) -> (Tensor<3>, Tensor<2>) {
    let (rows, length) = (task.sequences, task.length);
    let x = TensorData::new(task.x.clone(), [rows, length, 1]);
    let target = TensorData::new(task.targets.clone(), [rows, 1]);
    (Tensor::from_data(x, (device, dtype)), Tensor::from_data(target, (device, dtype)))
}

fn loss(network: &Rnn, x: Tensor<3>, target: Tensor<2>) -> Tensor<1> {
    let [rows, _, _] = x.dims();
    let (_, [last]) = network.forward(x, None);
    (last.reshape([rows, 1]) - target).powi_scalar(2).mean()
}
