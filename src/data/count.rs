//! The exercise of the lecture note: how many ones are in a sequence of bits? A linear recurrence
//! whose two weights are 1 counts them exactly.

use crate::random::{Random, RngExt, SeedableRng};
use thiserror::Error;

/// Why a counting task cannot be made. Each prints one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CountError {
    /// Nothing to count.
    #[error(
        "{sequences} sequences of {length} bits leave nothing to count; choose at least 1 of each"
    )]
    Nothing {
        /// The requested sequences.
        sequences: usize,
        /// The requested bits per sequence.
        length: usize,
    },
    /// More bits than are sensible in memory.
    #[error(
        "{sequences} sequences of {length} bits do not fit into memory; choose fewer or shorter ones"
    )]
    TooLarge {
        /// The requested sequences.
        sequences: usize,
        /// The requested bits per sequence.
        length: usize,
    },
}

/// Random bits and the number of ones in each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct CountTask {
    /// `[sequences][length]`, each 0 or 1.
    pub x: Vec<f64>,
    /// `[sequences]`: the number of ones, from 0 to `length`.
    pub targets: Vec<f64>,
    /// Number of sequences.
    pub sequences: usize,
    /// Time steps, one bit each, in every sequence.
    pub length: usize,
}

impl CountTask {
    /// Makes `sequences` of `length` bits. Each bit is 1 with probability one half. The same `seed`
    /// gives the same task on every machine.
    ///
    /// # Errors
    /// If a size is 0, or there are more than 100 million bits.
    pub fn generate(sequences: usize, length: usize, seed: u64) -> Result<Self, CountError> {
        if sequences == 0 || length == 0 {
            return Err(CountError::Nothing { sequences, length });
        }
        let too_large = || CountError::TooLarge { sequences, length };
        const MOST: usize = 100_000_000;
        let bits = sequences.checked_mul(length).filter(|bits| *bits <= MOST);
        let bits = bits.ok_or_else(too_large)?;
        let mut x = Vec::new();
        x.try_reserve_exact(bits).map_err(|_| too_large())?;
        let mut random = Random::seed_from_u64(seed);
        x.extend((0..bits).map(|_| f64::from(u8::from(random.random::<bool>()))));
        let targets = x.chunks_exact(length).map(|bits| bits.iter().sum()).collect();
        Ok(Self { x, targets, sequences, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_count_the_ones() {
        let task = CountTask::generate(20, 10, 1).unwrap();
        assert_eq!((task.sequences, task.length), (20, 10));
        assert_eq!((task.x.len(), task.targets.len()), (200, 20));
        assert!(task.x.iter().all(|&bit| bit == 0.0 || bit == 1.0));
        for (sequence, &target) in task.targets.iter().enumerate() {
            let bits = &task.x[sequence * 10..(sequence + 1) * 10];
            let ones = bits.iter().filter(|&&bit| bit == 1.0).count();
            assert_eq!(target, ones as f64);
        }
    }

    #[test]
    fn a_bit_is_one_half_of_the_time() {
        let task = CountTask::generate(1000, 100, 7).unwrap();
        let share = task.targets.iter().sum::<f64>() / 1e5;
        assert!((share - 0.5).abs() < 0.01, "{share}"); // six standard deviations
    }

    #[test]
    fn the_seed_decides() {
        let task = |seed| CountTask::generate(5, 20, seed).unwrap();
        assert_eq!(task(3), task(3));
        assert_ne!(task(3).x, task(4).x);
    }

    #[test]
    fn sizes_without_sense_are_refused() {
        for (sequences, length) in [(0, 5), (5, 0), (0, 0), (usize::MAX, 2), (1 << 61, 1)] {
            let error = CountTask::generate(sequences, length, 1).unwrap_err().to_string();
            let sizes = format!("{sequences} sequences of {length} bits");
            assert!(error.starts_with(&sizes), "{error}");
        }
    }
}
