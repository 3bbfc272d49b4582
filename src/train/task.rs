//! Learning a generated task ([`crate::data::task`]): every step draws new sequences.

use super::host;
use super::lessons::{Computing, Lesson, Lessons, Score, Settings, Window};
use super::run::Length;
use crate::cell::{Activation, Cell, Elman};
use crate::data::task::{Asked, Measure, Sequences, Task};
use crate::model::Network;
use crate::names::names;
use crate::nn::{FlowError, Random, Recurrent, RecurrentConfig, RecurrentInitializer, StackCell};
use crate::recurrence::budget::BudgetError;
use crate::recurrence::flow::StateGradient;
use burn::module::Initializer;
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

names! { Start, "a start of the weights", Uniform = "uniform", Orthogonal = "orthogonal", Irnn = "irnn" }

/// What network to train.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkSettings {
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Where the weights start.
    pub start: Start,
    /// The bias at the start of the gate that keeps the old state: the LSTM's forget gate, the GRU's update
    /// gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
    /// Initial memory length in steps, where gates keep the state: see [`Recurrent::remember_over`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<usize>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self { hidden: 64, layers: 1, start: Start::Uniform, forget_bias: None, remember: None }
    }
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
}

/// The network before training: the same for the same settings and seed. `configure` sees the configuration of its stack.
///
/// # Errors
/// If the cell does not have the start, or no forget gate for the bias.
pub fn network(
    cell: impl StackCell,
    task: &dyn Task,
    (settings, seed): (&NetworkSettings, u64),
    configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> Result<Network<Recurrent>, TaskTrainingError> {
    let cell = cell.any();
    let name = cell.name();
    let mut random = Random::seed_from_u64(seed);
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

/// The network that is to be trained.
///
/// # Errors
/// As [`network`]; if its memory budget cannot be met.
pub fn beginner(
    cell: impl StackCell,
    task: &dyn Task,
    network: &NetworkSettings,
    settings: &Settings,
    computing: &Computing,
) -> Result<Network<Recurrent>, TaskTrainingError> {
    let device = computing.device.clone().autodiff();
    let configure = |config| computing.configure(config, settings);
    let options = (&device, computing.dtype);
    let network = self::network(cell, task, (network, settings.seed), configure, options)?;
    network.recurrent.check_memory_budget(task.time(), settings.batch, computing.dtype)?;
    Ok(network)
}

/// How long to train: an epoch is the stretch from one test to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TestedSteps {
    /// The most optimizer steps.
    pub steps: usize,
    /// Optimizer steps from one test to the next.
    pub test_every: usize,
    /// Sequences of the test, drawn once.
    pub test: usize,
    /// Whether to go on when the task is solved.
    pub all_steps: bool,
}

impl Length for TestedSteps {
    fn steps(&self, _epoch: usize) -> usize {
        self.steps
    }

    fn key(&self) -> &'static str {
        "steps"
    }
}

impl Default for TestedSteps {
    fn default() -> Self {
        Self { steps: 20_000, test_every: 200, test: 500, all_steps: false }
    }
}

/// Sequences that are drawn for each step, and those of the test.
pub struct TaskLessons<'a> {
    task: &'a dyn Task,
    test: Sequences,
    length: TestedSteps,
    batch: usize,
    accumulate: usize,
    seed: u64,
    device: Device,
    dtype: DType,
}

impl<'a> TaskLessons<'a> {
    /// Draws the test.
    pub fn new(
        task: &'a dyn Task,
        settings: &Settings,
        length: TestedSteps,
        computing: &Computing,
    ) -> Self {
        let Settings { batch, accumulate, seed, .. } = *settings;
        let test = task.draw(length.test, &mut Random::seed_from_u64(seed.wrapping_add(2 << 32)));
        let (device, dtype) = (computing.device.clone(), computing.dtype);
        Self { task, test, length, batch, accumulate, seed, device, dtype }
    }
}

impl Lessons for TaskLessons<'_> {
    type Model = Network<Recurrent>;

    fn windows(&self) -> usize {
        self.length.test_every.min(self.length.steps).saturating_mul(self.accumulate)
    }

    fn steps(&self, epoch: usize) -> usize {
        self.length.steps(epoch)
    }

    /// The sequences are the next ones of one stream of random numbers.
    fn lesson(&self, model: &Self::Model, window: Window, _: Vec<Tensor<3>>) -> Lesson {
        let mut random = Random::seed_from_u64(self.seed.wrapping_add(1 << 32));
        random.set_word_pos(window.drawn.into());
        let sequences = self.task.draw(self.batch, &mut random);
        let drawn = random.get_word_pos() as u64;
        let device = self.device.clone().autodiff();
        let outputs = answers(model, self.task, &sequences, &device, self.dtype);
        let loss = loss(self.task, &sequences, outputs);
        let value = host(loss.clone())[0];
        Lesson { loss, value, state: Vec::new(), drawn }
    }

    fn validate(&self, model: &Self::Model) -> Score {
        score(model, self.task, &self.test, &self.device, self.dtype)
    }

    fn is_enough(&self, score: Score) -> bool {
        !self.length.all_steps && is_solved(self.task, score)
    }
}

/// Whether a test is as good as the literature asks for.
pub fn is_solved(task: &dyn Task, score: Score) -> bool {
    task.solved(score.loss, score.right.unwrap_or(0.0))
}

/// The loss and the share of right answers.
pub fn score(
    network: &Network<Recurrent>,
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
    Score { loss, right: Some(right as f64 / sequences.batch as f64) }
}

/// The answers: `[batch, time, outputs]`, or `[batch, 1, outputs]` at the end alone.
pub fn answers(
    network: &Network<Recurrent>,
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
            let hidden = last[0].clone();
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
pub fn each_loss(
    network: &Network<Recurrent>,
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

/// How large the gradient of the last step's loss is at each state of each layer, by time: how far back the network
/// listens. The sequences must be of one length: [`Sequences::whole_rows`].
///
/// # Errors
/// As [`Recurrent::gradient_norms`].
pub fn gradient_norms(
    network: &Network<Recurrent>,
    task: &dyn Task,
    sequences: &Sequences,
    device: &Device,
    dtype: DType,
) -> Result<Vec<Vec<StateGradient>>, FlowError> {
    let [input, d_hidden] = each_loss(network, task, sequences, device, dtype);
    let last = sequences.time - 1;
    let earlier = d_hidden.clone().slice_dim(1, 0..last).zeros_like();
    let of_last = d_hidden.slice_dim(1, last..last + 1);
    let d_hidden = if last == 0 { of_last } else { Tensor::cat(vec![earlier, of_last], 1) };
    network.recurrent.gradient_norms(input, d_hidden)
}
