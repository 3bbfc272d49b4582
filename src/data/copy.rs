//! The copying problem (Hochreiter & Schmidhuber 1997; the setting of Arjovsky, Shah & Bengio 2016,
//! section 4.1): say again what was said long before.

use super::task::{Asked, Measure, Sequences, Task, TaskError, largest, one_hot};
use crate::random::{Random, RngExt};

/// Ten symbols of eight kinds, `delay − 1` blanks, a delimiter, ten blanks: `delay + 20` steps. The answer
/// is a blank at each step until the delimiter has been seen, and then the ten symbols in order.
///
/// Whoever knows when to speak but not what has a cross entropy of `10 ln 8 / (delay + 20)`.
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
    fn name(&self) -> &'static str {
        "copy"
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
    fn measure(&self) -> Measure {
        Measure::CrossEntropy
    }
    fn chance(&self) -> f64 {
        SYMBOLS as f64 * (KINDS as f64).ln() / (self.delay + 2 * SYMBOLS) as f64
    }
    fn chance_right(&self) -> f64 {
        (KINDS as f64).powi(-(SYMBOLS as i32))
    }

    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let time = self.delay + 2 * SYMBOLS;
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

    /// 99 % of the sequences without a mistake.
    fn solved(&self, _loss: f64, right: f64) -> bool {
        right >= 0.99
    }

    fn setting(&self) -> String {
        format!(
            "copying problem (Arjovsky 2016): 10 symbols of 8 kinds, to be said again after a delay of {} steps",
            self.delay
        )
    }
}
