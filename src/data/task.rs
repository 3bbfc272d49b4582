//! What the generated tasks have in common: sequences drawn from a seed, an answer that needs memory, and the loss of
//! a memoryless answer. [`TASKS`] is the list of them. A task of your own (`examples/custom_task.rs`; `docs/extending.md`
//! adds one to the list):
//!
//! ```no_run
#![doc = include_str!("../../examples/custom_task.rs")]
//! ```

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
    /// The answers: `[batch, time, outputs]`, or `[batch, outputs]` where only the last
    /// step is asked. Values, or the probability of each class.
    pub target: Vec<f64>,
    /// Where it differs from the target: which classes count as right, in the same shape.
    pub right: Option<Vec<bool>>,
}

impl Sequences {
    /// The rows that run to the last step: lags are counted in steps that all of them have.
    pub fn whole_rows(self) -> Self {
        let Self { batch, time, lengths, input, target, .. } = self;
        let rows: Vec<usize> = (0..batch).filter(|&row| lengths[row] == time).collect();
        let of = |values: &[f64]| -> Vec<f64> {
            let width = values.len() / batch;
            rows.iter().flat_map(|&row| values[row * width..(row + 1) * width].to_vec()).collect()
        };
        let (input, target) = (of(&input), of(&target));
        let (batch, lengths) = (rows.len(), vec![time; rows.len()]);
        Self { batch, time, lengths, input, target, right: None }
    }
}

/// When the network is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// After the last step of each row.
    AtTheEnd,
    /// After each step.
    AtEachStep,
}

/// How an answer is compared with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The mean squared error.
    SquaredError,
    /// The mean cross entropy of the classes, in nats.
    CrossEntropy,
}

/// A task whose sequences are drawn.
pub trait Task: Send + Sync {
    /// Steps of a sequence; about those of a long one, where sequences have lengths of their own.
    fn time(&self) -> usize;
    /// Features of a step.
    fn features(&self) -> usize;
    /// Outputs of an answer.
    fn outputs(&self) -> usize;
    /// When the network is asked.
    fn asked(&self) -> Asked {
        Asked::AtTheEnd
    }
    /// How its answers are measured.
    fn measure(&self) -> Measure {
        Measure::CrossEntropy
    }
    /// The smallest loss that can be had without memory: from the current step alone.
    fn chance(&self) -> f64;
    /// The share of sequences that is answered right without memory: of `n` equally likely classes, one in `n`.
    fn chance_right(&self) -> f64 {
        (-self.chance()).exp()
    }
    /// Draws sequences.
    fn draw(&self, batch: usize, random: &mut Random) -> Sequences;
    /// Whether the answers to row `row`, `outputs` in the shape of the target, are right: the most probable class is the
    /// target's, each time that the network is asked.
    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool {
        let targets = sequences.target.chunks_exact(outputs.len()).nth(row).expect("a row");
        let answers = outputs.chunks_exact(self.outputs());
        let mut pairs = answers.zip(targets.chunks_exact(self.outputs()));
        let asked = match self.asked() {
            Asked::AtTheEnd => 1,
            Asked::AtEachStep => sequences.lengths[row],
        };
        pairs.by_ref().take(asked).all(|(answer, target)| largest(answer) == largest(target))
    }
    /// Whether a loss and a share of right answers are as good as the literature asks for: 99 % right.
    fn solved(&self, _loss: f64, right: f64) -> bool {
        right >= 0.99
    }
    /// The setting in words, with its source.
    fn setting(&self) -> String {
        format!("sequences of {} steps", self.time())
    }
}

/// A kind of task that the command line, the configuration of a run, its flow and its page know by name.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The name of the task.
    pub name: &'static str,
    /// What a network learns, in a line.
    pub summary: &'static str,
    /// The task in a few sentences, with its source.
    pub description: &'static str,
    /// The sizes that may be chosen.
    pub sizes: &'static [Size],
    /// The task with a value for each size, in their order.
    pub make: Make,
}

/// A task from its sizes, which may make no sense.
pub type Make = fn(&[usize]) -> Result<Box<dyn Task>, TaskError>;

/// A size of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its name.
    pub name: &'static str,
    /// Its value where none is chosen.
    pub default: usize,
    /// What it counts.
    pub help: &'static str,
}

/// Every generated task. Another one is a file and a line here.
pub const TASKS: &[Declaration] =
    &[super::adding::TASK, super::copy::TASK, super::order::TASK, super::reber::TASK];

/// The names of [`TASKS`].
pub const NAMES: [&str; TASKS.len()] = {
    let mut names = [""; TASKS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = TASKS[i].name;
        i += 1;
    }
    names
};

impl Declaration {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// The task with its default sizes.
    ///
    /// # Panics
    /// If those make no sense.
    pub fn default(&self) -> Box<dyn Task> {
        let sizes: Vec<usize> = self.sizes.iter().map(|size| size.default).collect();
        (self.make)(&sizes).expect("default sizes make sense")
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
pub fn one_hot(place: usize, width: usize) -> impl Iterator<Item = f64> {
    (0..width).map(move |i| f64::from(i == place))
}
