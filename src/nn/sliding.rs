//! Sliding truncation (Williams & Peng 1990): the losses of each block of `every` steps are walked back
//! `back` steps from the block's end.
//!
//! ```text
//! block j has the losses of the steps [j every, e_j)       e_j = min((j + 1) every, T)
//! and is walked over from the state before step s_j        s_j = max(0, e_j − back)
//! ```
//!
//! The blocks overlap, and the gradient of one must not leak into the walk of another. So each block is a
//! walk of its own from the state at `s_j`, which a walk without gradient has found. The blocks that
//! start behind step 0 are equally long: they are walked over together, as the rows of one wide batch.

use super::Truncation;
use super::stack::Stack;
use burn::tensor::{Bool, Tensor, TensorData};
use std::ops::Range;

impl Stack<'_> {
    /// Refuses a sliding truncation that does not fit the stack.
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

    /// Where the rows have ended, if not all of them run to the last step: the input's shape with one
    /// feature.
    fn ended(&self, input: &Tensor<3>, lengths: &[usize]) -> Option<Tensor<3, Bool>> {
        let [time, batch] = self.time_and_batch(input);
        if lengths.iter().all(|&length| length == time) {
            return None;
        }
        let place =
            |i: usize| if self.batch_first { (i % time, i / time) } else { (i / batch, i % batch) };
        let ended = (0..time * batch).map(|i| {
            let (t, row) = place(i);
            t >= lengths[row]
        });
        let shape = if self.batch_first { [batch, time, 1] } else { [time, batch, 1] };
        let data = TensorData::new(ended.collect::<Vec<bool>>(), shape);
        Some(Tensor::from_data(data, &input.device()))
    }

    /// The forward pass whose backward pass is that of the sliding truncation.
    pub fn forward_sliding(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<Vec<Tensor<3>>>,
        [every, back]: [usize; 2],
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let [time, batch] = self.time_and_batch(&input);
        let (time_axis, batch_axis) = if self.batch_first { (1, 0) } else { (0, 1) };
        // Rows that have ended walk on over zeros where others still run, and nobody sees it.
        let ended = self.ended(&input, lengths);
        let input = match &ended {
            Some(ended) => input.clone().mask_fill(ended.clone().expand(input.dims()), 0.0),
            None => input,
        };
        let part = |x: &Tensor<3>, steps: Range<usize>| x.clone().slice_dim(time_axis, steps);
        // The lengths of the rows within some steps; a row that has ended takes a step that nobody sees.
        let within = |steps: &Range<usize>| -> Vec<usize> {
            let rows =
                lengths.iter().map(|&length| length.min(steps.end).saturating_sub(steps.start));
            rows.map(|length| length.max(1)).collect()
        };
        let walk = |x: Tensor<3>, lengths: &[usize], state: Option<Vec<Tensor<3>>>| {
            let packing = self.packing_lengths(&x, lengths).expect("lengths within the steps");
            self.run(x, &packing, state)
        };

        let blocks: Vec<Range<usize>> =
            (0..time).step_by(every).map(|start| start..(start + every).min(time)).collect();
        // Blocks that are walked back to the first step: one walk, from the state that was given.
        let to_the_start = blocks.iter().take_while(|block| block.end <= back).count().max(1);
        let first = 0..blocks[to_the_start - 1].end.min(time);
        let (output, last) = walk(part(&input, first.clone()), &within(&first), state.clone());
        let later = &blocks[to_the_start..];
        if later.is_empty() {
            return (output, last);
        }

        // The states from which the later blocks are walked over.
        let starts: Vec<usize> = later.iter().map(|block| block.end - back).collect();
        let detached =
            |state: Vec<Tensor<3>>| state.into_iter().map(Tensor::detach).collect::<Vec<_>>();
        let (mut at, mut reached) = (0, state.map(detached));
        let mut states = Vec::with_capacity(starts.len());
        for &start in &starts {
            let steps = at..start;
            let (_, next) =
                walk(part(&input, steps.clone()).detach(), &vec![steps.len(); batch], reached);
            let next = detached(next);
            states.push(next.clone());
            (at, reached) = (start, Some(next));
        }
        let wide = |parts: Vec<Tensor<3>>, axis: usize| Tensor::cat(parts, axis);
        let spans: Vec<Range<usize>> = starts.iter().map(|&start| start..start + back).collect();
        let x = wide(spans.iter().map(|span| part(&input, span.clone())).collect(), batch_axis);
        let all_lengths: Vec<usize> = spans.iter().flat_map(within).collect();
        let state = (0..self.cell.shape().states)
            .map(|s| wide(states.iter().map(|state| state[s].clone()).collect(), 1))
            .collect();
        let (outputs, ends) = walk(x, &all_lengths, Some(state));

        let rows = |j: usize| j * batch..(j + 1) * batch;
        let mut parts = vec![output];
        for (j, block) in later.iter().enumerate() {
            let kept = back - block.len()..back;
            parts.push(outputs.clone().slice_dim(batch_axis, rows(j)).slice_dim(time_axis, kept));
        }
        let mut output = wide(parts, time_axis);
        if let Some(ended) = &ended {
            output = output.clone().mask_fill(ended.clone().expand(output.dims()), 0.0);
        }
        // Each row's last state is that of the block in which the row ends.
        let of_row = |s: usize, row: usize| {
            let block = later.iter().rposition(|block| lengths[row] > block.start);
            let (states, at) = block.map_or((&last, row), |j| (&ends, j * batch + row));
            states[s].clone().slice_dim(1, at..at + 1)
        };
        let ends = |s: usize| Tensor::cat((0..batch).map(|row| of_row(s, row)).collect(), 1);
        (output, (0..self.cell.shape().states).map(ends).collect())
    }
}
