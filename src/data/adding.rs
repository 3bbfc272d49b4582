//! The adding problem (Hochreiter & Schmidhuber 1997, experiment 4, with the numbers of Le, Jaitly &
//! Hinton 2015, section 4.1): add two marked numbers that were seen long ago.

use super::task::{Declaration, Measure, Sequences, Size, Task, TaskError};
use crate::random::{Random, RngExt};

/// The declaration of the task.
pub const TASK: Declaration = Declaration {
    name: "adding",
    summary: "A network learns to add two marked numbers that it saw long ago",
    description: "The adding problem (Hochreiter & Schmidhuber 1997, experiment 4): one of the first ten numbers is marked, and one more of the first half; the sum is asked at the end. The mean squared error of a memoryless answer is 1/6, which Le 2015 prints as 0.1767. The task counts as solved below 0.01.",
    sizes: &[Size { name: "time", default: 200, help: "Steps of a sequence" }],
    make: |sizes| Ok(Box::new(Adding::new(sizes[0])?)),
};

/// `time` steps of a number drawn from `[0, 1)` and a mark. As Hochreiter & Schmidhuber have it, one of
/// the first ten steps is marked with 1 and one more of the first half; the answer at the end is the sum of
/// their numbers. So nothing that matters is seen in the second half, and a gradient that does not reach
/// back over it learns nothing. (Le 2015 marks one step in each half.)
///
/// The constant answer 1 has the variance of that sum as mean squared error, `1/6` (which Le 2015 prints
/// as 0.1767).
///
/// ```
/// use bptt::data::adding::Adding;
/// use bptt::data::task::Task;
/// use bptt::random::{Random, SeedableRng};
///
/// let adding = Adding::new(200).unwrap();
/// let sequences = adding.draw(32, &mut Random::seed_from_u64(1));
/// assert_eq!((sequences.input.len(), sequences.target.len()), (32 * 200 * 2, 32));
/// ```
#[derive(Clone, Debug)]
pub struct Adding {
    time: usize,
}

impl Adding {
    /// The problem over so many steps.
    ///
    /// # Errors
    /// If there are less than four.
    pub fn new(time: usize) -> Result<Self, TaskError> {
        TaskError::check("adding", "a time", time, 4)?;
        Ok(Self { time })
    }
}

impl Task for Adding {
    fn time(&self) -> usize {
        self.time
    }
    fn features(&self) -> usize {
        2
    }
    fn outputs(&self) -> usize {
        1
    }
    fn measure(&self) -> Measure {
        Measure::SquaredError
    }
    fn chance(&self) -> f64 {
        1.0 / 6.0
    }
    fn chance_right(&self) -> f64 {
        // The density of the sum at 1 is 1, and nearly so within 0.04 of it: 2 · 0.04 − 0.04².
        0.0784
    }

    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let time = self.time;
        let (mut input, mut target) = (Vec::with_capacity(batch * time * 2), Vec::new());
        for _ in 0..batch {
            let first = random.random_range(0..(time / 2).min(10));
            let second = random.random_range(0..time / 2 - 1);
            let marked = [first, second + usize::from(second >= first)];
            let mut sum = 0.0;
            for t in 0..time {
                let number: f64 = random.random();
                let mark = marked.contains(&t);
                input.extend([number, f64::from(mark)]);
                sum += if mark { number } else { 0.0 };
            }
            target.push(sum);
        }
        Sequences { batch, time, lengths: vec![time; batch], input, target, right: None }
    }

    /// Within 0.04 of the sum, as Hochreiter & Schmidhuber count.
    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool {
        (outputs[0] - sequences.target[row]).abs() < 0.04
    }

    /// A mean squared error below 0.01.
    fn solved(&self, loss: f64, _right: f64) -> bool {
        loss < 0.01
    }

    fn setting(&self) -> String {
        format!(
            "adding problem (Hochreiter & Schmidhuber 1997): {} steps, the sum of two marked numbers of the first half",
            self.time
        )
    }
}
