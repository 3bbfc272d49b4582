//! Between a user's padded batch `[batch, time, features]` and the packed rows that the walk
//! works on, where a step past a row's end does not exist.

use crate::recurrence::Timeline;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;

/// How a batch is laid out for the walk.
#[derive(Clone, Debug)]
pub struct Packing {
    timeline: Arc<Timeline>,
    batch_first: bool,
    /// Given lengths only: which rows of the flattened user's batch the packed rows are, and the
    /// ways back.
    ragged: Option<Ragged>,
}

#[derive(Clone, Debug)]
struct Ragged {
    /// Row of the flattened batch for each packed row.
    source: Tensor<1, Int>,
    /// Packed row for each row of the flattened batch; one past the last for a step that is not.
    target: Tensor<1, Int>,
    /// Packed row that is the mirror image in its own sequence.
    mirror: Tensor<1, Int>,
    /// Batch row by falling length, and the way back.
    order: Tensor<1, Int>,
    back: Tensor<1, Int>,
    /// Steps of the user's batch, padding included.
    time: usize,
}

/// What is wrong with the lengths given for a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthsError {
    /// Not one length a row.
    #[error("{given} lengths for a batch of {batch} rows: give one length a row")]
    Count {
        /// Lengths given.
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
    /// A length past the batch's steps.
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
        Self { timeline: Arc::new(Timeline::uniform(time, batch)), batch_first, ragged: None }
    }

    /// Rows of the given lengths, in any order.
    ///
    /// # Errors
    /// If there is not one length a row, or a length is zero or longer than `time`.
    pub fn with_lengths(
        lengths: &[usize],
        time: usize,
        batch: usize,
        batch_first: bool,
        device: &Device,
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
        let mut source = vec![0; timeline.steps()];
        let mut mirror = vec![0; timeline.steps()];
        let mut target = vec![timeline.steps(); time * batch];
        let mut back = vec![0; batch];
        for (r, &row) in order.iter().enumerate() {
            back[row] = r;
            for t in 0..falling[r] {
                let packed = timeline.rows(t).start + r;
                source[packed] = flat(row, t);
                target[flat(row, t)] = packed;
                mirror[packed] = timeline.rows(falling[r] - 1 - t).start + r;
            }
        }
        let device = device.clone().inner();
        let tensor = |rows: Vec<usize>| {
            let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
            Tensor::from_data(TensorData::new(rows.clone(), [rows.len()]), &device)
        };
        let ragged = Ragged {
            source: tensor(source),
            target: tensor(target),
            mirror: tensor(mirror),
            order: tensor(order),
            back: tensor(back),
            time,
        };
        Ok(Self { timeline: Arc::new(timeline), batch_first, ragged: Some(ragged) })
    }

    /// Which rows run at which step.
    pub fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// The packed rows `[steps, features]` of a user's batch.
    pub fn pack(&self, batch: Tensor<3>) -> Tensor<2> {
        let [rows, columns, features] = batch.dims();
        match &self.ragged {
            Some(ragged) => {
                batch.reshape([rows * columns, features]).select(0, ragged.source.clone())
            }
            None if self.batch_first => batch.swap_dims(0, 1).reshape([rows * columns, features]),
            None => batch.reshape([rows * columns, features]),
        }
    }

    /// The user's batch of packed rows `[steps, features]`: zero past the rows' ends.
    pub fn unpack(&self, packed: Tensor<2>) -> Tensor<3> {
        let [_, features] = packed.dims();
        let (time, batch) = (self.time(), self.timeline.batch());
        match &self.ragged {
            Some(ragged) => {
                let zero = Tensor::zeros([1, features], (&packed.device(), packed.dtype()));
                let shape = if self.batch_first { [batch, time] } else { [time, batch] };
                Tensor::cat(vec![packed, zero], 0)
                    .select(0, ragged.target.clone())
                    .reshape([shape[0], shape[1], features])
            }
            None => {
                let by_time = packed.reshape([time, batch, features]);
                if self.batch_first { by_time.swap_dims(0, 1) } else { by_time }
            }
        }
    }

    /// Each sequence from its own last step to its first; its own inverse.
    pub fn mirror(&self, packed: Tensor<2>) -> Tensor<2> {
        let [steps, features] = packed.dims();
        match &self.ragged {
            Some(ragged) => packed.select(0, ragged.mirror.clone()),
            None => packed
                .reshape([self.timeline.time(), self.timeline.batch(), features])
                .flip([0])
                .reshape([steps, features]),
        }
    }

    /// States `[batch, …]` in the order of the walk.
    pub fn sort(&self, state: Tensor<2>) -> Tensor<2> {
        match &self.ragged {
            Some(ragged) => state.select(0, ragged.order.clone()),
            None => state,
        }
    }

    /// States `[batch, …]` in the user's order.
    pub fn unsort(&self, state: Tensor<2>) -> Tensor<2> {
        match &self.ragged {
            Some(ragged) => state.select(0, ragged.back.clone()),
            None => state,
        }
    }

    /// Steps of the user's batch, padding included.
    fn time(&self) -> usize {
        self.ragged.as_ref().map_or(self.timeline.time(), |ragged| ragged.time)
    }
}
