//! Training on a generated task ([`crate::data::task`]): every step draws new sequences.

use super::{Diverged, clip_norm, host};
use crate::cell::{Activation, Cell, Elman};
use crate::data::task::{Asked, Measure, Sequences, Task};
use crate::model::Network;
use crate::nn::{Gradient, Random, Recurrent, RecurrentConfig, RecurrentInitializer, Truncation};
use crate::recurrence::budget::BudgetError;
use burn::module::{Initializer, Module};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;

/// Where the weights start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// As PyTorch's: `U(−1/√hidden, 1/√hidden)`.
    #[default]
    Uniform,
    /// Recurrent weights orthogonal, gate by gate (Saxe, McClelland & Ganguli 2014).
    Orthogonal,
    /// Recurrent weights the identity, input weights `N(0, 0.001²)`, biases zero: the IRNN of Le 2015,
    /// with relu.
    Irnn,
}

/// What network to train.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NetworkSettings {
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Where the weights start.
    pub start: Start,
    /// The bias at the start of the gate that keeps the old state: the LSTM's forget gate, the GRU's update
    /// gate.
    pub forget_bias: Option<f64>,
    /// Steps that a state lasts at the start, where gates keep it: see [`Recurrent::remember_over`].
    pub remember: Option<usize>,
    /// Seed of the weights and of all that is drawn.
    pub seed: u64,
}

/// How to train it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network.
    pub network: NetworkSettings,
    /// The most optimizer steps.
    pub steps: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Largest norm of the gradient of all parameters together.
    pub clip: f64,
    /// Optimizer steps between two tests.
    pub test_every: usize,
    /// Sequences of the test, drawn once.
    pub test: usize,
    /// Whether to go on when the task is solved.
    pub all_steps: bool,
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
}

/// How good the answers to some sequences are.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of sequences that are answered rightly.
    pub right: f64,
}

/// A trained network and how it got there.
pub struct Fit<C: Cell> {
    /// The network, on a device without autodiff.
    pub network: Network<Recurrent<C>>,
    /// The mean training loss between two tests.
    pub train_losses: Vec<f64>,
    /// The tests, the first after [`Settings::test_every`] steps.
    pub tests: Vec<Score>,
    /// Optimizer steps that were taken.
    pub steps: usize,
    /// Optimizer steps after which the test was first passed.
    pub solved_after: Option<usize>,
}

/// Why a task could not be learnt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskTrainingError {
    /// A start that the cell does not have.
    #[error("the IRNN starts an RNN with relu, and {0} is another cell: take elman-relu")]
    Start(String),
    /// A bias of a gate that the cell does not have.
    #[error("{0} has no gate that keeps the old state, whose bias could be set")]
    ForgetGate(String),
    /// A memory budget that cannot be met.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The loss stopped being a number.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

const ADVICE: &str = "lower the learning rate with --lr, or the largest gradient norm with --clip";

/// Adam's ε, as in Kingma & Ba 2015: a gradient that has come over many steps is small.
const EPSILON: f32 = 1e-8;

/// The network before training: the same for the same settings.
///
/// # Errors
/// If the cell does not have the start, or no forget gate for the bias.
pub fn network<C: Cell>(
    cell: C,
    task: &dyn Task,
    settings: &NetworkSettings,
    configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> Result<Network<Recurrent<C>>, TaskTrainingError> {
    let name = cell.name();
    let mut random = Random::seed_from_u64(settings.seed);
    let config =
        RecurrentConfig::new(task.features(), settings.hidden, true).with_layers(settings.layers);
    let config = match settings.start {
        Start::Uniform => config,
        Start::Orthogonal => {
            let initializer = Initializer::Orthogonal { gain: 1.0 };
            let orthogonal = RecurrentInitializer::Drawn { initializer };
            config.with_recurrent_initializer(Some(orthogonal))
        }
        Start::Irnn => {
            let relu = Elman { activation: Activation::Relu, clip: None };
            if name != relu.name() {
                return Err(TaskTrainingError::Start(name));
            }
            config
                .with_initializer(Some(Initializer::Normal { mean: 0.0, std: 0.001 }))
                .with_recurrent_initializer(Some(RecurrentInitializer::Identity { gain: 1.0 }))
                .with_bias_initializer(Some(Initializer::Zeros))
        }
    };
    let config = configure(config);
    let mut network = Network::new(cell, &config, task.outputs(), options, &mut random);
    if let Some(steps) = settings.remember
        && !network.recurrent.remember_over(steps)
    {
        return Err(TaskTrainingError::ForgetGate(name));
    }
    if let Some(bias) = settings.forget_bias
        && !network.recurrent.set_forget_bias(bias)
    {
        return Err(TaskTrainingError::ForgetGate(name));
    }
    Ok(network)
}

fn untrained<C: Cell>(
    cell: C,
    task: &dyn Task,
    settings: &Settings,
    device: &Device,
) -> Result<Network<Recurrent<C>>, TaskTrainingError> {
    let configure = |config: RecurrentConfig| {
        config
            .with_truncation(settings.truncation)
            .with_memory_budget(settings.memory_budget)
            .with_gradient(settings.gradient)
    };
    network(cell, task, &settings.network, configure, (device, settings.dtype))
}

/// Whether there is anything in the settings that [`train`] would refuse, over sequences of that time.
///
/// # Errors
/// If so.
pub fn check<C: Cell>(
    cell: C,
    task: &dyn Task,
    settings: &Settings,
    time: usize,
) -> Result<(), TaskTrainingError> {
    let network = untrained(cell, task, settings, &settings.device)?;
    Ok(network.recurrent.check_memory_budget(time, settings.batch, settings.dtype)?)
}

/// Trains until the task is solved or the steps are done. After each test `progress` is told the steps so
/// far, the mean training loss since the test before, and the test's score.
///
/// # Errors
/// As [`network`]; if the memory budget is too small, or the loss stops being a number.
pub fn train<C: Cell>(
    cell: C,
    task: &dyn Task,
    settings: &Settings,
    mut progress: impl FnMut(usize, f64, Score),
) -> Result<Fit<C>, TaskTrainingError> {
    let Settings { dtype, batch, .. } = *settings;
    let device = settings.device.clone().autodiff();
    // Truncation may draw, and it draws from the device.
    device.seed(settings.network.seed);
    let mut network = untrained(cell, task, settings, &device)?;
    let sequences_from =
        |offset: u64| Random::seed_from_u64(settings.network.seed.wrapping_add(offset));
    let (mut training, mut testing) = (sequences_from(1 << 32), sequences_from(2 << 32));
    let test = task.draw(settings.test, &mut testing);
    let mut optimizer = AdamConfig::new().with_epsilon(EPSILON).init();

    let mut fit_losses = Vec::new();
    let (mut tests, mut solved_after): (Vec<Score>, _) = (Vec::new(), None);
    let (mut sum, mut since, mut done) = (0.0, 0, 0);
    while done < settings.steps {
        let sequences = task.draw(batch, &mut training);
        if done == 0 {
            network.recurrent.check_memory_budget(sequences.time, batch, dtype)?;
        }
        let outputs = answers(&network, task, &sequences, &device, dtype);
        let loss = loss(task, &sequences, outputs);
        let value = host(loss.clone())[0];
        done += 1;
        if !value.is_finite() {
            let diverged = Diverged { loss: value, unit: "step", number: done, advice: ADVICE };
            return Err(diverged.into());
        }
        (sum, since) = (sum + value, since + 1);
        let mut gradients = GradientsParams::from_grads(loss.backward(), &network);
        clip_norm(&mut gradients, &network, settings.clip);
        network = optimizer.step(settings.learning_rate, network, gradients);
        if done % settings.test_every == 0 || done == settings.steps {
            let score = score(&network.valid(), task, &test, &settings.device, dtype);
            fit_losses.push(sum / f64::from(since));
            tests.push(score);
            progress(done, sum / f64::from(since), score);
            (sum, since) = (0.0, 0);
            if task.solved(score.loss, score.right) {
                solved_after = solved_after.or(Some(done));
                if !settings.all_steps {
                    break;
                }
            }
        }
    }
    let network = network.valid();
    Ok(Fit { network, train_losses: fit_losses, tests, steps: done, solved_after })
}

/// The loss and the share of right answers.
pub fn score<C: Cell>(
    network: &Network<Recurrent<C>>,
    task: &dyn Task,
    sequences: &Sequences,
    device: &Device,
    dtype: DType,
) -> Score {
    let outputs = answers(network, task, sequences, device, dtype);
    let loss = host(loss(task, sequences, outputs.clone()))[0];
    let values = host(outputs);
    let right = values
        .chunks_exact(values.len() / sequences.batch)
        .enumerate()
        .filter(|(row, outputs)| task.is_right(sequences, *row, outputs))
        .count();
    Score { loss, right: right as f64 / sequences.batch as f64 }
}

/// The answers: `[batch, time, outputs]`, or `[batch, 1, outputs]` at the end alone.
pub fn answers<C: Cell>(
    network: &Network<Recurrent<C>>,
    task: &dyn Task,
    sequences: &Sequences,
    device: &Device,
    dtype: DType,
) -> Tensor<3> {
    let input = input(task, sequences, device, dtype);
    let lengths = &sequences.lengths;
    let walked = network.recurrent.forward_lengths(input, lengths, None);
    let (hidden, last) = walked.expect("a length for each row");
    match task.asked() {
        Asked::AtEachStep => network.readout.forward(hidden),
        Asked::AtTheEnd => {
            // The top layer's last hidden state.
            let hidden = last.as_ref()[0].clone();
            let [layers, ..] = hidden.dims();
            let top = hidden.slice_dim(0, layers - 1..layers);
            network.readout.forward(top.swap_dims(0, 1))
        }
    }
}

/// The input as a tensor.
pub fn input(task: &dyn Task, sequences: &Sequences, device: &Device, dtype: DType) -> Tensor<3> {
    let shape = [sequences.batch, sequences.time, task.features()];
    Tensor::from_data(TensorData::new(sequences.input.clone(), shape), (device, dtype))
}

/// The mean over the answers that are asked for.
pub fn loss(task: &dyn Task, sequences: &Sequences, outputs: Tensor<3>) -> Tensor<1> {
    let shape = outputs.dims();
    let options = (&outputs.device(), outputs.dtype());
    let target = Tensor::from_data(TensorData::new(sequences.target.clone(), shape), options);
    match task.measure() {
        Measure::SquaredError => (outputs - target).powi_scalar(2).mean(),
        Measure::CrossEntropy => {
            let asked = match task.asked() {
                Asked::AtTheEnd => sequences.batch,
                Asked::AtEachStep => sequences.lengths.iter().sum(),
            };
            // The target is zero past a row's end.
            (log_softmax(outputs, 2) * target).sum() / -(asked as f64)
        }
    }
}

/// The input, and `∂L_t/∂H_t` of the loss `L_t` of each step, as though the network were asked at each
/// step: what [`Recurrent::flow`] starts from.
pub fn each_loss<C: Cell>(
    network: &Network<Recurrent<C>>,
    task: &dyn Task,
    sequences: &Sequences,
    device: &Device,
    dtype: DType,
) -> [Tensor<3>; 2] {
    let input = input(task, sequences, device, dtype);
    let d_hidden = network.d_hidden(input.clone(), |outputs| {
        let [batch, time, width] = outputs.dims();
        let options = (&outputs.device(), dtype);
        let target = |shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(sequences.target.clone(), shape), options)
        };
        let target = match task.asked() {
            Asked::AtTheEnd => target([batch, 1, width]).repeat_dim(1, time),
            Asked::AtEachStep => target([batch, time, width]),
        };
        // A step's output is in no other step's loss.
        let sum = match task.measure() {
            Measure::SquaredError => (outputs - target).powi_scalar(2).sum(),
            Measure::CrossEntropy => (log_softmax(outputs, 2) * target).sum().neg(),
        };
        sum / batch as f64
    });
    [input, d_hidden]
}
