//! What the generated tasks have in common: sequences drawn from a seed, an answer that needs memory, and
//! a chance level that is known.

use super::adding::Adding;
use super::order::Order;
use super::reber::Reber;
use crate::random::Random;

/// Sequences and the answers to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequences {
    /// Rows.
    pub batch: usize,
    /// Steps of the longest row.
    pub time: usize,
    /// Steps of each row.
    pub lengths: Vec<usize>,
    /// `[batch, time, features]`; zero past a row's end.
    pub input: Vec<f64>,
    /// What the network should say: `[batch, time, outputs]`, or `[batch, outputs]` where only the last
    /// step is asked. Values, or the probability of each class.
    pub target: Vec<f64>,
    /// Where it differs from the target: which classes count as right, in the same shape.
    pub right: Option<Vec<bool>>,
}

/// When the network is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// After the last step of each row.
    AtTheEnd,
    /// After each step.
    AtEachStep,
}

/// How an answer is held against the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The mean squared error.
    SquaredError,
    /// The mean cross entropy of the classes, in nats.
    CrossEntropy,
}

/// A task whose sequences are drawn.
pub trait Task: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// Features of a step.
    fn features(&self) -> usize;
    /// Outputs of an answer.
    fn outputs(&self) -> usize;
    /// When the network is asked.
    fn asked(&self) -> Asked;
    /// How its answers are measured.
    fn measure(&self) -> Measure;
    /// The loss of whoever knows the task and remembers nothing.
    fn chance(&self) -> f64;
    /// The share of sequences that whoever remembers nothing answers rightly, where one counts.
    fn chance_right(&self) -> f64;
    /// Draws sequences.
    fn draw(&self, batch: usize, random: &mut Random) -> Sequences;
    /// Whether the answers to row `row`, `outputs` in the shape of the target, are right.
    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool;
    /// Whether a loss and a share of right answers are as good as the literature asks for.
    fn solved(&self, loss: f64, right: f64) -> bool;
    /// The setting in words, with its source.
    fn setting(&self) -> String;
}

/// A task by its name and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum TaskSettings {
    /// [`Adding`].
    Adding {
        /// Steps.
        time: usize,
    },
    /// [`Copy`](super::copy::Copy).
    Copy {
        /// Steps between hearing and saying.
        delay: usize,
    },
    /// [`Order`].
    Order {
        /// Steps.
        time: usize,
    },
    /// [`Reber`].
    Reber,
}

impl TaskSettings {
    /// The task.
    ///
    /// # Errors
    /// If a size makes no sense.
    pub fn task(self) -> Result<Box<dyn Task>, TaskError> {
        Ok(match self {
            Self::Adding { time } => Box::new(Adding::new(time)?),
            Self::Copy { delay } => Box::new(super::copy::Copy::new(delay)?),
            Self::Order { time } => Box::new(Order::new(time)?),
            Self::Reber => Box::new(Reber),
        })
    }
}

/// Why a task makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} needs {what} of at least {least}, and was given {given}")]
pub struct TaskError {
    /// The task.
    pub task: &'static str,
    /// What is too small.
    pub what: &'static str,
    /// The least that makes sense.
    pub least: usize,
    /// What was given.
    pub given: usize,
}

impl TaskError {
    /// Refuses what is too small.
    pub(super) fn check(
        task: &'static str,
        what: &'static str,
        given: usize,
        least: usize,
    ) -> Result<(), Self> {
        if given < least { Err(Self { task, what, least, given }) } else { Ok(()) }
    }
}

/// The position of the largest output.
pub(super) fn largest(outputs: &[f64]) -> usize {
    let largest = outputs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    largest.expect("an output").0
}

/// A row of zeros with a 1 in its place.
pub(super) fn one_hot(place: usize, width: usize) -> impl Iterator<Item = f64> {
    (0..width).map(move |i| f64::from(i == place))
}
