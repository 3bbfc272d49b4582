//! The temporal order problem (Hochreiter & Schmidhuber 1997, experiment 6a, in the form of Martens &
//! Sutskever 2011): say in which order two symbols came.

use super::task::{Asked, Measure, Sequences, Task, TaskError, largest, one_hot};
use crate::random::{Random, RngExt};

/// `time` steps of six symbols: distractors `a b c d`, and at two places `X` or `Y`, the first in the
/// second tenth of the sequence and the second in its sixth tenth. The answer at the end is which of `XX`,
/// `XY`, `YX`, `YY` it was.
///
/// Whoever remembers nothing is right once in four times, with a cross entropy of `ln 4`.
#[derive(Clone, Debug)]
pub struct Order {
    time: usize,
}

const DISTRACTORS: usize = 4;

impl Order {
    /// The problem over so many steps.
    ///
    /// # Errors
    /// If there are less than ten.
    pub fn new(time: usize) -> Result<Self, TaskError> {
        TaskError::check("order", "a time", time, 10)?;
        Ok(Self { time })
    }
}

impl Task for Order {
    fn name(&self) -> &'static str {
        "order"
    }
    fn features(&self) -> usize {
        DISTRACTORS + 2
    }
    fn outputs(&self) -> usize {
        4
    }
    fn asked(&self) -> Asked {
        Asked::AtTheEnd
    }
    fn measure(&self) -> Measure {
        Measure::CrossEntropy
    }
    fn chance(&self) -> f64 {
        4f64.ln()
    }
    fn chance_right(&self) -> f64 {
        0.25
    }

    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let time = self.time;
        let (mut input, mut target) = (Vec::new(), Vec::new());
        for _ in 0..batch {
            let places = [
                random.random_range(time / 10..2 * time / 10),
                random.random_range(5 * time / 10..6 * time / 10),
            ];
            let symbols: [usize; 2] = std::array::from_fn(|_| random.random_range(0..2));
            for t in 0..time {
                let distractor = random.random_range(0..DISTRACTORS);
                let seen = match places.iter().position(|&place| place == t) {
                    Some(which) => DISTRACTORS + symbols[which],
                    None => distractor,
                };
                input.extend(one_hot(seen, DISTRACTORS + 2));
            }
            target.extend(one_hot(2 * symbols[0] + symbols[1], 4));
        }
        Sequences { batch, time, lengths: vec![time; batch], input, target, right: None }
    }

    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool {
        largest(outputs) == largest(&sequences.target[row * 4..][..4])
    }

    /// 99 % of the sequences.
    fn solved(&self, _loss: f64, right: f64) -> bool {
        right >= 0.99
    }

    fn setting(&self) -> String {
        format!(
            "temporal order (Hochreiter & Schmidhuber 1997, 6a; Martens & Sutskever 2011): {} steps, in which order X or Y came twice",
            self.time
        )
    }
}
