//! The temporal order problem (Hochreiter & Schmidhuber 1997, experiment 6a, in the form of Martens &
//! Sutskever 2011): say in which order two symbols came.

use super::task::{Declaration, Sequences, Size, Task, TaskError, one_hot};
use crate::random::{Random, RngExt};

/// The declaration of the task.
pub const TASK: Declaration = Declaration {
    name: "order",
    summary: "A network learns in which order two symbols came",
    description: "The temporal order problem (Hochreiter & Schmidhuber 1997, experiment 6a, in the form of Martens & Sutskever 2011): one of four answers at the end. The task counts as solved when 99 % are right.",
    sizes: &[Size { name: "time", default: 100, help: "Steps of a sequence" }],
    make: |sizes| Ok(Box::new(Order::new(sizes[0])?)),
};

/// `time` steps of six symbols: distractors `a b c d`, and at two places `X` or `Y`, the first in the
/// second tenth of the sequence and the second in its sixth tenth. The answer at the end is which of `XX`,
/// `XY`, `YX`, `YY` it was.
///
/// A memoryless answer is right once in four times, with a cross entropy of `ln 4`.
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
    fn time(&self) -> usize {
        self.time
    }
    fn features(&self) -> usize {
        DISTRACTORS + 2
    }
    fn outputs(&self) -> usize {
        4
    }
    fn chance(&self) -> f64 {
        4f64.ln()
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

    fn setting(&self) -> String {
        format!(
            "temporal order (Hochreiter & Schmidhuber 1997, 6a; Martens & Sutskever 2011): {} steps, in which order X or Y came twice",
            self.time
        )
    }
}
