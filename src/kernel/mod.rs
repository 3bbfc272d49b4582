//! What makes the walk fast on a CPU: the walk of [`crate::recurrence::walk`] over plain slices, for every
//! cell.
//!
//! - Products: the weights are packed into panels once a sequence, and tiles of a few rows keep their sums
//!   in registers. They run at the machine's peak for four rows and more.
//! - The cell's formula runs on registers of numbers as it stands, on the tile of pre-activations that
//!   the product has just left in the cache.
//! - Instruction sets are chosen when the program runs: [`InstructionSet`]. The environment variable
//!   [`VARIABLE`] forces one.
//! - Threads take rows of the batch each and never wait for each other; where there are too few rows, or the
//!   recurrent weights do not stay in a core's cache, they take hidden units each and meet after each step. They are
//!   as many as rayon's, and stay awake between two walks that follow soon. Each number is one sum in one order, so
//!   the result is the same to the bit for every number of threads.
//! - Working memory is kept from call to call, and none is asked for between two steps.
//!
//! Not served, and left to the walk in Burn's operations: projection, layer normalisation, zoneout and
//! recurrent dropout.

mod arena;
#[cfg(target_arch = "x86_64")]
mod avx512_tile;
mod backward;
mod compiled;
mod cross_entropy;
mod forward;
mod gradients;
mod lanes;
mod packing;
mod peak;
mod portable;
mod product;
mod simd;
#[cfg(test)]
mod tests;
mod threads;
mod timeline;
mod workers;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use arena::{Buffer, release_memory};
pub use backward::{BackwardWalk, OutputGradient, Upstream};
pub use compiled::{BackwardSteps, Compiled, ForwardSteps, begin_backward, begin_forward};
pub use cross_entropy::cross_entropy;
pub use forward::{Border, ForwardWalk, HiddenStates};
pub use gradients::{Gradients, Wanted};
pub use peak::peak;
pub use simd::{Element, InstructionSet, Simd, VARIABLE, Work};
pub use timeline::Timeline;

use crate::cell::{self, Cell, InputShare, RecurrentShare};
use std::ops::Range;

/// What a walk computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The instruction set.
    pub set: InstructionSet,
    /// The most threads at work.
    pub threads: usize,
}

impl Machine {
    /// The instruction set of [`InstructionSet::chosen`] and as many threads as rayon's pool has.
    ///
    /// # Panics
    /// If the environment asks for an instruction set that is not there.
    pub fn chosen() -> Self {
        let set = InstructionSet::chosen().unwrap_or_else(|error| panic!("{error}"));
        Self { set, threads: rayon::current_num_threads() }
    }

    /// As many threads as are worth waking for that many multiplications.
    fn threads_for(&self, multiplications: usize) -> usize {
        (multiplications / WORTH_A_THREAD).clamp(1, self.threads)
    }
}

/// Multiplications that take a thread longer than it takes to hand work to one that is awake.
const WORTH_A_THREAD: usize = 1 << 19;

/// What [`forward`] returns.
pub struct Walked<E: Element> {
    /// The hidden states of all steps: `[steps, hidden]`.
    pub hidden: Buffer<E>,
    /// The other states after each row's last step: `[batch, (states − 1) × hidden]`.
    pub others: Vec<E>,
    /// What the backward walk needs, if it was asked for.
    pub tape: Option<Tape<E>>,
}

/// Walks forward over all steps. With `keep` it returns what [`backward`] needs.
///
/// # Panics
/// If the slices of the recurrence do not have their lengths.
pub fn forward<C: Cell, E: Compiled>(
    machine: Machine,
    cell: &C,
    recurrence: &Recurrence<E>,
    keep: bool,
) -> Walked<E> {
    let timeline = recurrence.timeline;
    let mut walk = begin_forward(machine, cell, recurrence);
    let mut hidden = Buffer::stale(timeline.steps() * recurrence.hidden);
    let tape = walk.over(0..timeline.time(), HiddenStates::New(&mut hidden), keep);
    Walked { hidden, others: walk.others(), tape }
}

/// Walks backward over all steps. `hidden` are the hidden states that [`forward`] returned beside the tape.
///
/// # Panics
/// If the slices do not have their lengths.
pub fn backward<C: Cell, E: Compiled>(
    machine: Machine,
    cell: &C,
    recurrence: &Recurrence<E>,
    (hidden, tape): (&[E], Tape<E>),
    upstream: Upstream<E>,
    wanted: Wanted,
) -> Gradients<E> {
    let mut walk = begin_backward(machine, cell, recurrence, hidden, upstream, wanted);
    walk.over(tape);
    walk.finish()
}

/// A recurrence as slices; the letters and shapes are those of [`crate::recurrence::Operands`].
#[derive(Clone, Copy, Debug)]
pub struct Recurrence<'a, E> {
    /// Which rows run at which step.
    pub timeline: &'a Timeline,
    /// Hidden units.
    pub hidden: usize,
    /// Features of the input.
    pub features: usize,
    /// `X`: `[steps, features]`.
    pub input: &'a [E],
    /// The states before the first step: `[batch, states × hidden]`; zero if not given.
    pub initial: Option<&'a [E]>,
    /// `W_x`: `[features, gates × hidden]`.
    pub w_x: Option<&'a [E]>,
    /// `W_h`: `[hidden, gates × hidden]`.
    pub w_h: Option<&'a [E]>,
    /// `b_x`: `[gates × hidden]`.
    pub b_x: Option<&'a [E]>,
    /// `b_h`: `[gates × hidden]`.
    pub b_h: Option<&'a [E]>,
    /// The vector parameters: `[parameters, hidden]`.
    pub parameters: Option<&'a [E]>,
}

impl<E> Recurrence<'_, E> {
    /// Holds the lengths of the slices against each other: the walk relies on them.
    fn check<C: Cell>(&self) {
        let (steps, batch) = (self.timeline.steps(), self.timeline.batch());
        let columns = cell::gates::<C>() * self.hidden;
        let is = |given: Option<&[E]>, len: usize| given.is_none_or(|given| given.len() == len);
        assert!(steps > 0 && self.hidden > 0, "a recurrence needs a step and a hidden unit");
        assert_eq!(self.input.len(), steps * self.features, "input");
        assert!(is(self.initial, batch * cell::states::<C>() * self.hidden), "initial states");
        match C::INPUT {
            InputShare::Product => assert!(
                self.w_x.is_some_and(|w| w.len() == self.features * columns),
                "input weights"
            ),
            InputShare::Elementwise => assert_eq!(self.features, columns, "features"),
        }
        if C::RECURRENT == RecurrentShare::Product {
            assert!(
                self.w_h.is_some_and(|w| w.len() == self.hidden * columns),
                "recurrent weights"
            );
        }
        assert!(is(self.b_x, columns) && is(self.b_h, columns), "biases");
        let parameters = cell::parameters::<C>() * self.hidden;
        assert!(self.parameters.map_or(0, <[E]>::len) == parameters, "vector parameters");
    }

    /// Multiplications of the forward walk's products, and as many as its activations are worth.
    fn multiplications<C: Cell>(&self) -> usize {
        const ACTIVATION: usize = 16;
        let products = cell::multiplications::<C>(self.features, self.hidden);
        self.timeline.steps() * (products + cell::gates::<C>() * self.hidden * ACTIVATION)
    }
}

/// What a forward walk over some steps keeps for the backward walk, beside the hidden states.
#[derive(Clone, Debug)]
pub struct Tape<E: Element> {
    steps: Range<usize>,
    /// Rows of the step before these.
    lead: usize,
    /// The other states after the step before these, then those after each of these steps.
    others: Buffer<E>,
    /// What the steps keep.
    kept: Buffer<E>,
}

impl<E: Element> Tape<E> {
    fn new(timeline: &Timeline, steps: Range<usize>, layout: &Layout, before: &[E]) -> Self {
        let lead = timeline.active(steps.start);
        let rows = timeline.rows_of(&steps).len();
        let mut others = Buffer::stale((lead + rows) * layout.others());
        let before = &before[..lead * layout.others()];
        others[..before.len()].copy_from_slice(before);
        Self { steps, lead, others, kept: Buffer::stale(rows * layout.kept()) }
    }

    /// The first row of the other states before step `t`.
    fn before(&self, timeline: &Timeline, t: usize) -> usize {
        if t == self.steps.start { 0 } else { self.after(timeline, t - 1) }
    }

    /// The first row of the other states after step `t`.
    fn after(&self, timeline: &Timeline, t: usize) -> usize {
        self.lead + timeline.rows_of(&(self.steps.start..t)).len()
    }

    /// The bytes that a tape has for each row of a step. Beside them it has one [`Border`].
    pub fn row_bytes<C: Cell>(hidden: usize) -> usize {
        let quantities = cell::states::<C>() - 1 + cell::kept::<C>();
        let gap = if cell::kept::<C>() == 0 { 0 } else { LINE };
        quantities * register_bytes::<E>(hidden) + gap
    }
}

/// Bytes of a cache line, and of the widest register.
const LINE: usize = 64;

/// The bytes of that many units in whole registers of the widest kind.
fn register_bytes<E: Element>(hidden: usize) -> usize {
    (hidden * size_of::<E>()).next_multiple_of(LINE)
}

/// How the numbers of a row lie in the kernels' own memory: each gate, state and kept quantity takes
/// the hidden units rounded up to whole registers.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    hidden: usize,
    padded: usize,
    gates: usize,
    apart: usize,
    states: usize,
    parameters: usize,
    kept: usize,
    /// Numbers of a cache line. Rows of a power of two would all fall into the same few sets of the
    /// cache; a line between them avoids it.
    gap: usize,
}

impl Layout {
    fn new<C: Cell, E: Element, I: Simd<E>>(hidden: usize) -> Self {
        Self {
            hidden,
            padded: product::padded::<E, I>(hidden),
            gates: cell::gates::<C>(),
            apart: cell::apart::<C>(),
            states: cell::states::<C>(),
            parameters: cell::parameters::<C>(),
            kept: cell::kept::<C>(),
            gap: LINE / size_of::<E>(),
        }
    }

    /// Numbers from one row of pre-activations to the next.
    fn row(&self) -> usize {
        self.gates * self.padded + self.gap
    }

    /// Numbers from one row of recurrent halves that stay apart to the next.
    fn apart_row(&self) -> usize {
        if self.apart == 0 { 0 } else { self.apart * self.padded + self.gap }
    }

    /// Numbers of a row's states beside the hidden one.
    fn others(&self) -> usize {
        (self.states - 1) * self.padded
    }

    /// Numbers that a row keeps of a step.
    fn kept(&self) -> usize {
        if self.kept == 0 { 0 } else { self.kept * self.padded + self.gap }
    }

    /// Whether a row's gradients of the pre-activations find room in what it keeps of the step, which is not needed any
    /// more when they are known.
    fn in_place(&self) -> bool {
        self.kept >= self.gates
    }

    /// The vector parameters, each in whole registers.
    fn padded_parameters<E: Element>(&self, recurrence: &Recurrence<E>) -> Buffer<E> {
        let mut parameters = Buffer::zeros(self.parameters * self.padded);
        if let Some(given) = recurrence.parameters {
            for p in 0..self.parameters {
                parameters[p * self.padded..][..self.hidden]
                    .copy_from_slice(&given[p * self.hidden..][..self.hidden]);
            }
        }
        parameters
    }
}
