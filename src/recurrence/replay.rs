//! The walk in Burn's operations, in blocks of steps that can be walked again.
//!
//! The products over all steps are one product per block, and the gradients of the weights are the blocks'
//! sums, added from the last block to the first. So the result is the same to the bit wherever the walk
//! stops and continues.

use super::budget::{self, Costs, Forward};
use super::walk::{Last, Tape, Upstream, Walk, WalkBack};
use super::{BackendMatrix, Matrix, Operands};
use burn::backend::{Backend, TensorMetadata};
use std::ops::Range;

/// Steps of a block.
const BLOCK: usize = 32;

/// A walk that has reached some step.
pub(super) struct Replay<'a, M> {
    walk: &'a Walk,
    operands: &'a Operands<Option<M>>,
    /// The states after the steps walked over.
    states: Vec<M>,
    /// The result of the walk over all steps.
    hidden: Vec<M>,
    last: Last<M>,
    back: Option<WalkBack<'a, M>>,
}

impl<'a, M: Matrix> Replay<'a, M> {
    /// A walk forward.
    pub fn forward_only(walk: &'a Walk, operands: &'a Operands<Option<M>>) -> Self {
        let states = walk.initial_state(operands);
        Self { walk, operands, states, hidden: Vec::new(), last: Last::default(), back: None }
    }

    /// A walk backward, for which steps may be walked again.
    pub fn backward(
        walk: &'a Walk,
        operands: &'a Operands<Option<M>>,
        upstream: Upstream<M>,
        wanted: Operands<bool>,
    ) -> Self {
        let back = WalkBack::new(walk, operands, upstream, wanted);
        Self { back: Some(back), ..Self::forward_only(walk, operands) }
    }

    /// The hidden states of all steps, packed, and the states after each row's last step, hidden first.
    pub fn output(self) -> (M, Vec<M>) {
        (M::stack_rows(self.hidden), self.last.stacked())
    }

    /// The gradients.
    pub fn gradients(self) -> Operands<Option<M>> {
        self.back.expect("a walk backward").finish()
    }

    fn over(&mut self, steps: Range<usize>, mut keep: impl FnMut(Tape<M>)) {
        for start in steps.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(steps.end);
            let states = std::mem::take(&mut self.states);
            let tape = self.walk.forward_over(self.operands, block.clone(), states);
            self.states = tape.after().to_vec();
            if self.back.is_none() {
                self.hidden.push(tape.hidden());
                for (t, states) in block.zip(tape.states()) {
                    self.last.add(&self.walk.timeline, t, states);
                }
            }
            keep(tape);
        }
    }
}

impl<M: Matrix> Forward for Replay<'_, M> {
    type Border = Vec<M>;
    type Tape = Vec<Tape<M>>;

    fn border(&mut self) -> Vec<M> {
        self.states.clone()
    }

    fn forward(&mut self, steps: Range<usize>) {
        self.over(steps, drop);
    }

    fn forward_with_tape(&mut self, steps: Range<usize>) -> Vec<Tape<M>> {
        let mut tapes = Vec::new();
        self.over(steps, |tape| tapes.push(tape));
        tapes
    }
}

impl<M: Matrix> budget::Backward for Replay<'_, M> {
    fn return_to(&mut self, border: Vec<M>) {
        self.states = border;
    }

    fn backward(&mut self, tapes: Vec<Tape<M>>) {
        let back = self.back.as_mut().expect("a walk backward");
        for tape in tapes.into_iter().rev() {
            back.over(&tape, drop);
        }
    }
}

/// The bytes that the walk keeps with these operands.
pub(super) fn costs_of<B: Backend>(
    walk: &Walk,
    operands: &Operands<Option<BackendMatrix<B>>>,
) -> Costs {
    let bytes = operands.input.as_ref().map_or(0, |x| x.0.dtype().size());
    let changed = operands.w_p.is_some() || operands.zoneout.is_some();
    let normalised = operands.gain_x.is_some() || operands.gain_h.is_some();
    costs(walk, walk.output(operands), [normalised, changed], bytes)
}

/// The bytes that the walk keeps, with numbers of that many bytes. Its hidden state is `output` wide. The flags
/// are whether products are normalised, and whether states are changed after the step.
pub fn costs(walk: &Walk, output: usize, [normalised, changed]: [bool; 2], bytes: usize) -> Costs {
    let Walk { timeline, hidden, .. } = walk;
    let shape = walk.cell.shape();
    let states = output + (shape.states - 1) * hidden;
    let stepped = if changed { shape.states * hidden } else { 0 };
    let products = if normalised { 2 * (shape.gates * hidden + 1) } else { 0 };
    let row = (states + stepped + shape.kept * hidden + products) * bytes;
    let stops = (0..timeline.time()).step_by(BLOCK).chain([timeline.time()]).collect::<Vec<_>>();
    let rows = |stops: &[usize]| timeline.rows_of(&(stops[0]..stops[1])).len();
    let tapes = stops.windows(2).map(|stops| rows(stops) * row).collect();
    Costs { stops, tapes, border: timeline.batch() * states * bytes }
}
