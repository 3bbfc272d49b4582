//! The copying problem (Hochreiter & Schmidhuber 1997; the setting of Arjovsky, Shah & Bengio 2016,
//! section 4.1): repeat symbols that were seen long before.

use super::task::{Asked, Declaration, Sequences, Size, Task, TaskError, largest, one_hot};
use crate::random::{Random, RngExt};

/// The declaration of the task.
pub const TASK: Declaration = Declaration {
    name: "copy",
    summary: "A network learns to repeat ten symbols after a delay",
    description: "The copying problem in the setting of Arjovsky 2016: the cross entropy of a memoryless answer is 10 ln 8 / (delay + 20). The task counts as solved when 99 % of the sequences are repeated without a mistake.",
    sizes: &[Size {
        name: "delay",
        default: 20,
        help: "Steps between the symbols and their repetition",
    }],
    make: |sizes| Ok(Box::new(Copy::new(sizes[0])?)),
};

/// Ten symbols of eight kinds, `delay − 1` blanks, a delimiter, ten blanks: `delay + 20` steps. The answer
/// is a blank at each step until the delimiter has been seen, and then the ten symbols in order.
///
/// An answer that knows when to repeat, but not what, has a cross entropy of `10 ln 8 / (delay + 20)`.
#[derive(Clone, Debug)]
pub struct Copy {
    delay: usize,
}

/// Symbols to remember, and their kinds.
const SYMBOLS: usize = 10;
const KINDS: usize = 8;
const BLANK: usize = KINDS;
const DELIMITER: usize = KINDS + 1;

impl Copy {
    /// The problem with that delay.
    ///
    /// # Errors
    /// If it is zero.
    pub fn new(delay: usize) -> Result<Self, TaskError> {
        TaskError::check("copy", "a delay", delay, 1)?;
        Ok(Self { delay })
    }
}

impl Task for Copy {
    fn time(&self) -> usize {
        self.delay + 2 * SYMBOLS
    }
    fn features(&self) -> usize {
        KINDS + 2
    }
    fn outputs(&self) -> usize {
        KINDS + 1
    }
    fn asked(&self) -> Asked {
        Asked::AtEachStep
    }
    fn chance(&self) -> f64 {
        SYMBOLS as f64 * (KINDS as f64).ln() / self.time() as f64
    }
    fn chance_right(&self) -> f64 {
        (KINDS as f64).powi(-(SYMBOLS as i32))
    }

    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let time = self.time();
        let (mut input, mut target) = (Vec::new(), Vec::new());
        for _ in 0..batch {
            let symbols: [usize; SYMBOLS] = std::array::from_fn(|_| random.random_range(0..KINDS));
            for t in 0..time {
                let seen = match t {
                    t if t < SYMBOLS => symbols[t],
                    t if t == SYMBOLS + self.delay - 1 => DELIMITER,
                    _ => BLANK,
                };
                input.extend(one_hot(seen, KINDS + 2));
                let spoken = (t + SYMBOLS).checked_sub(time).map_or(BLANK, |i| symbols[i]);
                target.extend(one_hot(spoken, KINDS + 1));
            }
        }
        Sequences { batch, time, lengths: vec![time; batch], input, target, right: None }
    }

    /// All ten symbols.
    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool {
        let width = KINDS + 1;
        (sequences.time - SYMBOLS..sequences.time).all(|t| {
            let target = &sequences.target[(row * sequences.time + t) * width..][..width];
            largest(&outputs[t * width..][..width]) == largest(target)
        })
    }

    fn setting(&self) -> String {
        format!(
            "copying problem (Arjovsky 2016): 10 symbols of 8 kinds, to be repeated after a delay of {} steps",
            self.delay
        )
    }
}
