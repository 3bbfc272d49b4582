//! Forecasting a series one step ahead with a recurrent network.
//!
//! The network sees the standardised values of a window step by step and says after each by how much
//! they will change: `x̂_{t+1} = x_t + O_t`. A network that has learnt nothing is then the last-value
//! forecast, and a rising level is no obstacle.

use super::{Diverged, host};
use crate::cell::Cell;
use crate::data::windows::{
    Standardisation, WindowError, Windows, training_windows, validation_windows,
};
use crate::model::Network;
use crate::nn::{Gradient, Random, Recurrent, RecurrentConfig, Truncation};
use crate::recurrence::budget::BudgetError;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;

/// How to train.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Steps of a window.
    pub window: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Share of the outputs between layers that training drops.
    pub dropout: f64,
    /// Passes over the training windows.
    pub epochs: usize,
    /// Windows of a batch.
    pub batch: usize,
    /// Adam's learning rate at the start; it falls to zero along half a cosine.
    pub learning_rate: f64,
    /// Largest norm of a parameter's gradient.
    pub clip: f64,
    /// Which part of the gradient through time is computed.
    pub truncation: Truncation,
    /// The bytes that the manual path may keep for its backward pass: all that it likes if not given.
    pub memory_budget: Option<usize>,
    /// Who writes the derivative.
    pub gradient: Gradient,
    /// F32 or F64.
    pub dtype: DType,
    /// The backend's device.
    pub device: Device,
    /// Seed of the weights and of the order of the windows.
    pub seed: u64,
}

/// A trained network and what it says.
pub struct Fit<C: Cell> {
    /// The network, on a device without autodiff.
    pub network: Network<Recurrent<C>>,
    /// The map to standardised values, one a column.
    pub standardisation: Vec<Standardisation>,
    /// Mean squared error by epoch over the training windows, standardised.
    pub train_losses: Vec<f64>,
    /// Mean squared error by epoch over the validation rows, standardised.
    pub valid_losses: Vec<f64>,
    /// One-step forecasts of the rows `first_row..split`, by column, in the column's units.
    pub fitted: Vec<Vec<f64>>,
    /// The first row that has a whole window before it.
    pub first_row: usize,
    /// One-step forecasts of the rows from the split on, by column, in the column's units.
    pub forecasts: Vec<Vec<f64>>,
}

/// Why a series could not be learnt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SeriesTrainingError {
    /// No windows.
    #[error(transparent)]
    Windows(#[from] WindowError),
    /// A memory budget that cannot be met.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The loss stopped being a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

const ADVICE: &str = "lower the learning rate with --lr, or the largest gradient norm with --clip";

/// Trains on the rows before `split` of `columns` (`[column][row]`) and forecasts the others, each
/// from the window before it. After each epoch `progress` is told its number, the training loss and
/// the validation loss.
///
/// # Errors
/// If there are too few rows for a window, the memory budget is too small, or the loss stops being a number.
pub fn train<C: Cell>(
    cell: C,
    columns: &[Vec<f64>],
    split: usize,
    settings: &Settings,
    mut progress: impl FnMut(usize, f64, f64),
) -> Result<Fit<C>, SeriesTrainingError> {
    let standardisation = Standardisation::fit_columns(columns, split)?;
    let standardised: Vec<Vec<f64>> = columns
        .iter()
        .zip(&standardisation)
        .map(|(column, map)| column.iter().map(|&value| map.apply(value)).collect())
        .collect();
    let training = training_windows(&standardised, split, settings.window)?;
    let validation = validation_windows(&standardised, split, settings.window)?;

    let device = settings.device.clone().autodiff();
    let mut random = Random::seed_from_u64(settings.seed);
    let config = RecurrentConfig::new(columns.len(), settings.hidden, true)
        .with_layers(settings.layers)
        .with_dropout(settings.dropout)
        .with_truncation(settings.truncation)
        .with_memory_budget(settings.memory_budget)
        .with_gradient(settings.gradient);
    let mut network =
        Network::new(cell, &config, columns.len(), (&device, settings.dtype), &mut random);
    network.recurrent.check_memory_budget(settings.window, settings.batch, settings.dtype)?;
    let clip = GradientClippingConfig::Norm(settings.clip as f32);
    let mut optimizer = AdamConfig::new().with_grad_clipping(Some(clip)).init();

    let (mut train_losses, mut valid_losses) = (Vec::new(), Vec::new());
    let mut order: Vec<usize> = (0..training.windows).collect();
    for epoch in 0..settings.epochs {
        order.shuffle(&mut random);
        let angle = std::f64::consts::PI * epoch as f64 / settings.epochs as f64;
        let learning_rate = settings.learning_rate * 0.5 * (1.0 + angle.cos());
        let mut sum = 0.0;
        for batch in order.chunks(settings.batch) {
            let [x, target] = tensors(&training, batch, &device, settings.dtype);
            let loss = (predict(&network, x) - target).powi_scalar(2).mean();
            let value = host(loss.clone())[0];
            if !value.is_finite() {
                let number = epoch + 1;
                return Err(Diverged { loss: value, unit: "epoch", number, advice: ADVICE }.into());
            }
            sum += value * batch.len() as f64;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(learning_rate, network, gradients);
        }
        train_losses.push(sum / training.windows as f64);
        valid_losses.push(last_step_error(&network.valid(), &validation, settings));
        progress(epoch + 1, train_losses[epoch], valid_losses[epoch]);
    }

    let network = network.valid();
    let in_units = |windows: &Windows| {
        let last = last_steps(&network, windows, settings);
        let column = |(c, map): (usize, &Standardisation)| {
            last.iter().skip(c).step_by(columns.len()).map(|&value| map.undo(value)).collect()
        };
        standardisation.iter().enumerate().map(column).collect()
    };
    let (fitted, forecasts) = (in_units(&training), in_units(&validation));
    let first_row = training.first_row;
    Ok(Fit { network, standardisation, train_losses, valid_losses, fitted, first_row, forecasts })
}

/// `x̂_{t+1} = x_t + O_t` at every step.
fn predict<C: Cell>(network: &Network<Recurrent<C>>, x: Tensor<3>) -> Tensor<3> {
    x.clone() + network.forward(x)
}

/// The predictions at the last step of each window, `[windows][columns]`.
fn last_steps<C: Cell>(
    network: &Network<Recurrent<C>>,
    windows: &Windows,
    settings: &Settings,
) -> Vec<f64> {
    let mut all = Vec::with_capacity(windows.windows * windows.columns);
    let indices: Vec<usize> = (0..windows.windows).collect();
    for batch in indices.chunks(settings.batch.max(256)) {
        let [x, _] = tensors(windows, batch, &settings.device, settings.dtype);
        let (time, columns) = (windows.time, windows.columns);
        let last = predict(network, x).slice([0..batch.len(), time - 1..time, 0..columns]);
        all.extend(host(last));
    }
    all
}

fn last_step_error<C: Cell>(
    network: &Network<Recurrent<C>>,
    windows: &Windows,
    settings: &Settings,
) -> f64 {
    let predictions = last_steps(network, windows, settings);
    let steps = windows.time * windows.columns;
    let targets =
        windows.targets.chunks(steps).flat_map(|window| &window[steps - windows.columns..]);
    let squares = predictions.iter().zip(targets).map(|(p, t)| (p - t).powi(2));
    squares.sum::<f64>() / predictions.len() as f64
}

/// Inputs and targets of some of the windows, `[batch, time, columns]` each.
fn tensors(windows: &Windows, batch: &[usize], device: &Device, dtype: DType) -> [Tensor<3>; 2] {
    let size = windows.time * windows.columns;
    [&windows.inputs, &windows.targets].map(|all| {
        let values: Vec<f64> =
            batch.iter().flat_map(|&w| &all[w * size..(w + 1) * size]).copied().collect();
        let shape = [batch.len(), windows.time, windows.columns];
        Tensor::from_data(TensorData::new(values, shape), (device, dtype))
    })
}
