//! Which rows of a batch run at which time step.

use std::ops::Range;

/// How many rows run at each time step. Rows are sorted by falling length, so that the rows
/// running at a step are always the first ones, and the steps of all rows lie one after the other
/// without padding: row `r` of step `t` is row `offset(t) + r` of a packed matrix `[steps, …]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    active: Vec<usize>,
    offsets: Vec<usize>,
}

impl Timeline {
    /// `batch` rows of `time` steps each.
    ///
    /// # Panics
    /// If the steps of all rows are more than can be counted.
    pub fn uniform(time: usize, batch: usize) -> Self {
        Self::from_active(vec![batch; time])
    }

    /// Rows of the given lengths, which must not rise from one row to the next.
    ///
    /// # Panics
    /// If a length rises, or the steps of all rows are more than can be counted.
    pub fn from_falling_lengths(lengths: &[usize]) -> Self {
        assert!(lengths.is_sorted_by(|a, b| a >= b), "lengths must not rise: {lengths:?}");
        let time = lengths.first().copied().unwrap_or(0);
        Self::from_active(
            (0..time).map(|t| lengths.partition_point(|&length| length > t)).collect(),
        )
    }

    /// So many rows of a matrix that have nothing to do with each other, a few at each step.
    pub fn of_rows(rows: usize) -> Self {
        /// Enough to share among threads, few enough to stay in the cache from one stage to the next.
        const AT_ONCE: usize = 128;
        let active = (0..rows).step_by(AT_ONCE).map(|start| AT_ONCE.min(rows - start));
        Self::from_active(active.collect())
    }

    fn from_active(active: Vec<usize>) -> Self {
        let offsets = std::iter::once(0)
            .chain(active.iter().scan(0, |sum, rows| {
                *sum = usize::checked_add(*sum, *rows).expect("steps that can be counted");
                Some(*sum)
            }))
            .collect();
        Self { active, offsets }
    }

    /// The number of time steps of the longest row.
    pub fn time(&self) -> usize {
        self.active.len()
    }

    /// The number of rows at the first step.
    pub fn batch(&self) -> usize {
        self.active(0)
    }

    /// The number of rows that run at step `t`: zero at and past the end.
    pub fn active(&self, t: usize) -> usize {
        self.active.get(t).copied().unwrap_or(0)
    }

    /// The rows of step `t` in a packed matrix.
    pub fn rows(&self, t: usize) -> Range<usize> {
        self.offsets[t]..self.offsets[t + 1]
    }

    /// The rows of some steps, which lie one after the other.
    pub fn rows_of(&self, steps: &Range<usize>) -> Range<usize> {
        self.offsets[steps.start]..self.offsets[steps.end]
    }

    /// The step of a row of a packed matrix; the number of steps for a row behind the last one.
    pub fn step_of(&self, row: usize) -> usize {
        self.offsets[1..].partition_point(|&end| end <= row)
    }

    /// The number of rows of a packed matrix: the sum of all lengths.
    pub fn steps(&self) -> usize {
        self.offsets[self.active.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_end_leave_the_later_steps() {
        let timeline = Timeline::from_falling_lengths(&[4, 2, 2, 1]);
        assert_eq!((timeline.time(), timeline.batch(), timeline.steps()), (4, 4, 9));
        assert_eq!([0, 1, 2, 3, 4].map(|t| timeline.active(t)), [4, 3, 1, 1, 0]);
        assert_eq!((timeline.rows(0), timeline.rows(1), timeline.rows(3)), (0..4, 4..7, 8..9));
        assert_eq!((timeline.rows_of(&(1..3)), timeline.rows_of(&(2..2))), (4..8, 7..7));
        let steps: Vec<usize> = (0..10).map(|row| timeline.step_of(row)).collect();
        assert_eq!(steps, [0, 0, 0, 0, 1, 1, 1, 2, 3, 4]);
    }

    #[test]
    #[should_panic(expected = "steps that can be counted")]
    fn more_steps_than_can_be_counted_are_refused() {
        Timeline::uniform(4, 1 << 62);
    }

    #[test]
    fn equal_lengths_are_uniform() {
        assert_eq!(Timeline::from_falling_lengths(&[3, 3]), Timeline::uniform(3, 2));
    }
}
