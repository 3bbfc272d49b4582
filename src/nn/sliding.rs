//! Sliding truncation (Williams & Peng 1990): the losses of each block of `every` steps are walked back
//! `back` steps from the block's end.
//!
//! ```text
//! block j of a row of L steps has the losses of the steps [j every, e_j)   e_j = min((j + 1) every, L)
//! and is walked over from the state before step s_j                        s_j = max(0, e_j − back)
//! ```
//!
//! The last block ends with its row, however far other rows go on: a row's gradient does not depend on the
//! batch that it is in.
//!
//! The blocks overlap, and the gradient of one must not leak into the walk of another. So each block is a
//! walk of its own from the state at `s_j`, which a walk without gradient has found. The blocks that
//! start after step 0 all have `back` steps: they are walked over together, as the rows of one wide batch.

use super::Truncation;
use super::stack::Stack;
use crate::recurrence::placement::{Placement, place};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// A block of one row that does not reach back to the first step.
struct Block {
    row: usize,
    /// The first step of its walk.
    start: usize,
    /// The steps whose losses are its own.
    losses: Range<usize>,
}

impl Stack<'_> {
    /// Refuses a sliding truncation that the stack cannot have.
    ///
    /// # Panics
    /// If it walks back fewer steps than it goes on by, or the stack walks back in time or has dropout or zoneout.
    pub fn check_truncation(&self) {
        let Truncation::Sliding { every, back } = self.regularisation.truncation else { return };
        assert!(
            0 < every && every <= back,
            "sliding:{every},{back} walks back fewer steps than it goes on by"
        );
        assert!(
            self.directions() == 1 && !self.reverse,
            "sliding truncation is for stacks that walk forward in time"
        );
        assert!(
            !self.regularisation.any(),
            "sliding truncation is for stacks without dropout and zoneout"
        );
    }

    /// `[every, back]`, where the truncation is sliding and there is a gradient to truncate.
    pub fn sliding(&self, input: &Tensor<3>) -> Option<[usize; 2]> {
        match self.regularisation.truncation {
            Truncation::Sliding { every, back } if input.is_autodiff() => Some([every, back]),
            _ => None,
        }
    }

    /// The forward pass whose backward pass is that of the sliding truncation.
    pub fn forward_sliding(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<Vec<Tensor<3>>>,
        [every, back]: [usize; 2],
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let walk = |x: Tensor<3>, lengths: &[usize], state: Option<Vec<Tensor<3>>>| {
            let packing = self.packing_lengths(&x, lengths).expect("lengths within the steps");
            self.run(x, &packing, state)
        };
        if lengths.iter().all(|&length| length <= back) {
            return walk(input, lengths, state);
        }
        let [time, batch] = self.time_and_batch(&input);
        let device = input.device();
        let time_axis = if self.batch_first { 1 } else { 0 };
        let steps_of = |x: &Tensor<3>, steps: Range<usize>| x.clone().slice_dim(time_axis, steps);
        // The place of a row's step in a flattened batch of so many rows and steps.
        let flat = |[row, t]: [usize; 2], [rows, steps]: [usize; 2]| {
            if self.batch_first { row * steps + t } else { t * rows + row }
        };

        // The blocks that are walked back to the first step: one walk, from the state that was given.
        let firsts: Vec<usize> = lengths
            .iter()
            .map(|&length| if length <= back { length } else { back / every * every })
            .collect();
        let first_end = *firsts.iter().max().expect("a row");
        let (first_output, first_last) =
            walk(steps_of(&input, 0..first_end), &firsts, state.clone());

        let mut blocks: Vec<Block> = (0..batch)
            .flat_map(|row| {
                (firsts[row]..lengths[row]).step_by(every).map(move |from| {
                    let end = (from + every).min(lengths[row]);
                    Block { row, start: end - back, losses: from..end }
                })
            })
            .collect();
        blocks.sort_by_key(|block| block.start);
        // The states from which they are walked over. Rows that have ended walk on, and nobody sees it.
        let detached =
            |state: Vec<Tensor<3>>| state.into_iter().map(Tensor::detach).collect::<Vec<_>>();
        let (mut at, mut reached) = (0, state.map(detached));
        let mut starts = vec![Vec::new(); self.cell.shape().states];
        for together in blocks.chunk_by(|a, b| a.start == b.start) {
            let steps = at..together[0].start;
            at = steps.end;
            let (_, next) =
                walk(steps_of(&input, steps.clone()).detach(), &vec![steps.len(); batch], reached);
            let next = detached(next);
            let rows = indices(together.iter().map(|block| block.row), &device);
            for (starts, state) in starts.iter_mut().zip(&next) {
                starts.push(state.clone().select(1, rows.clone()));
            }
            reached = Some(next);
        }
        let starts = starts.into_iter().map(|parts| Tensor::cat(parts, 1)).collect();
        let [_, _, features] = input.dims();
        let wide = [blocks.len(), back];
        let mut taken = vec![0; blocks.len() * back];
        for (number, block) in blocks.iter().enumerate() {
            for t in 0..back {
                taken[flat([number, t], wide)] = flat([block.row, block.start + t], [batch, time]);
            }
        }
        let x = input.reshape([batch * time, features]).select(0, indices(taken, &device));
        let x = x.reshape(if self.batch_first {
            [blocks.len(), back, features]
        } else {
            [back, blocks.len(), features]
        });
        let (later_output, later_last) = walk(x, &vec![back; blocks.len()], Some(starts));

        // Each output step comes from the walk that its loss belongs to, each last state from the block in
        // which its row ends.
        let mut from = vec![Placement::NOWHERE; batch * time];
        let mut last_from: Vec<usize> = (0..batch).collect();
        for (row, &end) in firsts.iter().enumerate() {
            for t in 0..end {
                from[flat([row, t], [batch, time])] = flat([row, t], [batch, first_end]);
            }
        }
        for (number, Block { row, start, losses }) in blocks.into_iter().enumerate() {
            for t in losses.clone() {
                from[flat([row, t], [batch, time])] =
                    batch * first_end + flat([number, t - start], wide);
            }
            if losses.end == lengths[row] {
                last_from[row] = batch + number;
            }
        }
        let rows = |x: Tensor<3>| -> Tensor<2> { x.flatten(0, 1) };
        let walked = Tensor::cat(vec![rows(first_output), rows(later_output)], 0);
        let [source, width] = walked.dims();
        let output = place(&Placement::new(from, source), walked);
        let output = output.reshape(if self.batch_first {
            [batch, time, width]
        } else {
            [time, batch, width]
        });
        let last_from = indices(last_from, &device);
        let last = first_last.into_iter().zip(later_last);
        let last = last.map(|(first, later)| Tensor::cat(vec![first, later], 1));
        (output, last.map(|states| states.select(1, last_from.clone())).collect())
    }
}

fn indices(indices: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i64> = indices.into_iter().map(|index| index as i64).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}
