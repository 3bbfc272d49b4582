//! Converts a user's padded batch `[batch, time, features]` to the packed rows of the walk and back. Packed
//! rows have no steps past their end.

use crate::recurrence::Timeline;
use crate::recurrence::placement::{Placement, place};
use burn::tensor::Tensor;
use std::sync::Arc;

/// The layout of a batch for the walk.
#[derive(Clone, Debug)]
pub struct Packing {
    timeline: Arc<Timeline>,
    batch_first: bool,
    /// Steps of the user's batch, padding included.
    time: usize,
    /// From the flattened user's batch to the packed rows; `None` if the order is the same.
    packed: Option<Placement>,
    /// From the rows of the user's batch to the rows by falling length. `None` if all have one length.
    sorted: Option<Placement>,
    /// The lengths, falling.
    lengths: Vec<usize>,
}

/// Why lengths do not fit a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthsError {
    /// There is not one length per row.
    #[error("{given} lengths for a batch of {batch} rows: give one length per row")]
    Count {
        /// The number of lengths.
        given: usize,
        /// Rows of the batch.
        batch: usize,
    },
    /// A row without steps has no last state.
    #[error("row {row} has length 0: leave the row out of the batch")]
    Zero {
        /// The row.
        row: usize,
    },
    /// A length is more than the batch's steps.
    #[error("row {row} has length {length}, but the batch has only {time} steps")]
    TooLong {
        /// The row.
        row: usize,
        /// Its length.
        length: usize,
        /// Steps of the batch.
        time: usize,
    },
}

impl Packing {
    /// Rows that all run to the end.
    pub fn uniform(time: usize, batch: usize, batch_first: bool) -> Self {
        let turned = || (0..time * batch).map(|row| row % batch * time + row / batch).collect();
        Self {
            timeline: Arc::new(Timeline::uniform(time, batch)),
            batch_first,
            time,
            packed: batch_first.then(|| Placement::new(turned(), time * batch)),
            sorted: None,
            lengths: vec![time; batch],
        }
    }

    /// Rows of the given lengths, in any order.
    ///
    /// # Errors
    /// If there is not one length per row, or a length is zero or longer than `time`.
    pub fn with_lengths(
        lengths: &[usize],
        time: usize,
        batch: usize,
        batch_first: bool,
    ) -> Result<Self, LengthsError> {
        if lengths.len() != batch {
            return Err(LengthsError::Count { given: lengths.len(), batch });
        }
        for (row, &length) in lengths.iter().enumerate() {
            match length {
                0 => return Err(LengthsError::Zero { row }),
                length if length > time => return Err(LengthsError::TooLong { row, length, time }),
                _ => {}
            }
        }
        if lengths.iter().all(|&length| length == time) {
            return Ok(Self::uniform(time, batch, batch_first));
        }
        let mut order: Vec<usize> = (0..batch).collect();
        order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let falling: Vec<usize> = order.iter().map(|&row| lengths[row]).collect();
        let timeline = Timeline::from_falling_lengths(&falling);
        let flat =
            |row: usize, t: usize| if batch_first { row * time + t } else { t * batch + row };
        let packed = (0..timeline.time())
            .flat_map(|t| order[..timeline.active(t)].iter().map(move |&row| flat(row, t)))
            .collect();
        Ok(Self {
            packed: Some(Placement::new(packed, time * batch)),
            sorted: Some(Placement::new(order, batch)),
            timeline: Arc::new(timeline),
            batch_first,
            time,
            lengths: falling,
        })
    }

    /// Which rows run at which step.
    pub fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// The packed rows `[steps, features]` of a user's batch.
    pub fn pack(&self, batch: Tensor<3>) -> Tensor<2> {
        let [rows, columns, features] = batch.dims();
        placed(self.packed.as_ref(), batch.reshape([rows * columns, features]))
    }

    /// The user's batch from packed rows `[steps, features]`, with zeros past the rows' ends.
    pub fn unpack(&self, packed: Tensor<2>) -> Tensor<3> {
        let [_, features] = packed.dims();
        let (time, batch) = (self.time, self.timeline.batch());
        let [rows, columns] = if self.batch_first { [batch, time] } else { [time, batch] };
        let way_back = self.packed.as_ref().map(Placement::reversed);
        placed(way_back.as_ref(), packed).reshape([rows, columns, features])
    }

    /// Reverses each sequence in time. This is its own inverse.
    pub fn mirror(&self, packed: Tensor<2>) -> Tensor<2> {
        let timeline = &self.timeline;
        let mirrored = (0..timeline.time()).flat_map(|t| {
            let of_row = move |r: usize| timeline.rows(self.lengths[r] - 1 - t).start + r;
            (0..timeline.active(t)).map(of_row)
        });
        place(&Placement::new(mirrored.collect(), timeline.steps()), packed)
    }

    /// States `[batch, …]` in the order of the walk.
    pub fn sort(&self, state: Tensor<2>) -> Tensor<2> {
        placed(self.sorted.as_ref(), state)
    }

    /// States `[batch, …]` in the user's order.
    pub fn unsort(&self, state: Tensor<2>) -> Tensor<2> {
        placed(self.sorted.as_ref().map(Placement::reversed).as_ref(), state)
    }
}

fn placed(placement: Option<&Placement>, matrix: Tensor<2>) -> Tensor<2> {
    match placement {
        Some(placement) => place(placement, matrix),
        None => matrix,
    }
}
