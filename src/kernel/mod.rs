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
//! - With [`Precision::Bf16`] the factors of the products are rounded, two in the place of one, and the sums, states and
//!   gradients are as before: by AMX or AVX512-BF16 where the machine has them, else by the same loop in `f32`.
//! - A single step of a few rows reads the weights as they lie in memory: packing them would take longer.
//!
//! Not served, and left to the walk in Burn's operations: projection, layer normalisation, zoneout and
//! recurrent dropout.

#[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
mod amx;
mod arena;
// Without optimisation the compiler does not find registers enough for the assembly: then the loop in Rust serves.
#[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
mod avx512_tile;
mod backward;
mod cross_entropy;
mod desk;
mod formula;
mod forward;
mod gradients;
mod lanes;
mod packing;
mod peak;
mod portable;
mod product;
mod rounding;
mod row_product;
mod simd;
mod sync;
mod team;
#[cfg(test)]
mod tests;
mod threads;
mod timeline;
mod workers;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use arena::Buffer;
pub use arena::release_memory;
pub(crate) use backward::{BackwardWalk, OutputGradient, Upstream};
pub(crate) use cross_entropy::cross_entropy;
pub(crate) use formula::Formula;
pub(crate) use forward::{Border, ForwardWalk, HiddenStates};
pub(crate) use gradients::Wanted;
pub use peak::{Multiplied, peak};
pub(crate) use simd::Element;
pub use simd::{InstructionSet, InstructionSetError, VARIABLE};
pub use timeline::Timeline;

use crate::cell::Shape;
use simd::Simd;
use std::ops::Range;

/// What a walk computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The instruction set.
    pub set: InstructionSet,
    /// The most threads at work.
    pub threads: usize,
    /// What the products multiply.
    pub precision: Precision,
}

/// What products multiply. Sums, states, gates, gradients and weights are in the tensors' own type in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The numbers as they are.
    #[default]
    #[serde(rename = "f32")]
    Full,
    /// Numbers rounded to bf16, which has 8 digits and the exponents of `f32`. For `f32` alone.
    Bf16,
}

impl Machine {
    /// The instruction set of [`InstructionSet::chosen`] and as many threads as rayon's pool has.
    ///
    /// # Panics
    /// If the environment asks for an instruction set that is not there.
    pub fn chosen() -> Self {
        let set = InstructionSet::chosen().unwrap_or_else(|error| panic!("{error}"));
        Self { set, threads: rayon::current_num_threads(), precision: Precision::Full }
    }

    /// As many threads as are worth waking for that many multiplications.
    fn threads_for(&self, multiplications: usize) -> usize {
        (multiplications / WORTH_A_THREAD).clamp(1, self.threads)
    }
}

/// Multiplications that take a thread longer than it takes to hand work to one that is awake.
const WORTH_A_THREAD: usize = 1 << 19;

/// A recurrence as slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recurrence<'a, E> {
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
    /// Holds the lengths of the slices against each other, and what the walks make of them against the address space: the
    /// walks rely on both.
    ///
    /// # Panics
    /// If they do not fit.
    fn check(&self, shape: &Shape) {
        let Self { hidden, features, .. } = *self;
        let (steps, batch) = (self.timeline.steps(), self.timeline.batch());
        assert!(steps > 0 && hidden > 0, "a recurrence needs a step and a hidden unit");
        let Shape { gates, apart, states, parameters, kept, .. } = *shape;
        // Each product of sizes below is one of these or less, register by register.
        let quantities = gates + apart + 2 * states + parameters + kept + 1;
        let rows = [steps, features, hidden].into_iter().try_fold(1, usize::checked_add);
        let numbers = hidden.checked_add(2 * LINE).and_then(|units| {
            units.checked_mul(quantities)?.checked_mul(rows?)?.checked_mul(size_of::<E>())
        });
        let fits = numbers.is_some_and(|bytes| isize::try_from(bytes).is_ok());
        assert!(fits, "{hidden} units and {features} features do not fit the address space");
        let columns = gates * hidden;
        let is = |given: Option<&[E]>, len: usize| given.is_none_or(|given| given.len() == len);
        assert_eq!(Some(self.input.len()), steps.checked_mul(features), "input");
        assert!(is(self.initial, batch * states * hidden), "initial states");
        if shape.input_product() {
            assert!(self.w_x.is_some_and(|w| w.len() == features * columns), "input weights");
        } else {
            assert_eq!(features, columns, "features");
        }
        if shape.recurrent_product() {
            assert!(self.w_h.is_some_and(|w| w.len() == hidden * columns), "recurrent weights");
        }
        assert!(is(self.b_x, columns) && is(self.b_h, columns), "biases");
        let given = self.parameters.map_or(0, <[E]>::len);
        assert!(given == parameters * hidden, "vector parameters");
    }

    /// Multiplications of the forward walk's products, and as many as its activations are worth.
    fn multiplications(&self, shape: &Shape) -> usize {
        const ACTIVATION: usize = 16;
        let products = shape.multiplications(self.features, self.hidden);
        let activations = shape.gates * self.hidden * ACTIVATION;
        self.timeline.steps().saturating_mul(products + activations)
    }
}

/// What a forward walk over some steps keeps for the backward walk, beside the hidden states.
#[derive(Clone, Debug)]
pub(crate) struct Tape<E: Element> {
    steps: Range<usize>,
    layout: Layout,
    /// Rows of the step before these.
    lead: usize,
    /// Rows of these steps.
    rows: usize,
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
        let kept = Buffer::stale(rows * layout.kept());
        Self { steps, layout: *layout, lead, rows, others, kept }
    }

    /// Whether it is a tape of these steps of that timeline, for a walk of that layout: the walk back relies on it.
    ///
    /// # Panics
    /// If not.
    fn check(&self, timeline: &Timeline, layout: &Layout) {
        assert_eq!(self.layout, *layout, "the tape is that of another cell or of other sizes");
        let (lead, rows) = (timeline.active(self.steps.start), timeline.rows_of(&self.steps).len());
        assert_eq!((self.lead, self.rows), (lead, rows), "the tape is that of another batch");
    }

    /// The first row of the other states before step `t`.
    fn before(&self, timeline: &Timeline, t: usize) -> usize {
        if t == self.steps.start { 0 } else { self.after(timeline, t - 1) }
    }

    /// The first row of the other states after step `t`.
    fn after(&self, timeline: &Timeline, t: usize) -> usize {
        self.lead + timeline.rows_of(&(self.steps.start..t)).len()
    }

    /// The bytes that a tape has for each row of a step. In addition it has one [`Border`].
    pub fn row_bytes(shape: &Shape, hidden: usize) -> usize {
        let quantities = shape.states - 1 + shape.kept;
        let gap = if shape.kept == 0 { 0 } else { LINE };
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    shape: Shape,
    hidden: usize,
    padded: usize,
    /// Numbers of a cache line. Rows of a power of two would all fall into the same few sets of the
    /// cache; a line between them avoids it.
    gap: usize,
}

impl Layout {
    fn new<E: Element, I: Simd<E>>(shape: Shape, hidden: usize) -> Self {
        let padded = product::padded::<E, I>(hidden);
        Self { shape, hidden, padded, gap: LINE / size_of::<E>() }
    }

    /// Numbers from one row of pre-activations to the next.
    fn row(&self) -> usize {
        self.shape.gates * self.padded + self.gap
    }

    /// Numbers from one row of recurrent halves that stay apart to the next.
    fn apart_row(&self) -> usize {
        if self.shape.apart == 0 { 0 } else { self.shape.apart * self.padded + self.gap }
    }

    /// Numbers of a row's states beside the hidden one.
    fn others(&self) -> usize {
        (self.shape.states - 1) * self.padded
    }

    /// Numbers that a row keeps of a step.
    fn kept(&self) -> usize {
        if self.shape.kept == 0 { 0 } else { self.shape.kept * self.padded + self.gap }
    }

    /// Whether a row's gradients of the pre-activations find room in what it keeps of the step, which is not needed any
    /// more when they are known.
    fn in_place(&self) -> bool {
        self.shape.kept >= self.shape.gates
    }

    /// The vector parameters, each in whole registers.
    fn padded_parameters<E: Element>(&self, recurrence: &Recurrence<E>) -> Buffer<E> {
        let mut parameters = Buffer::zeros(self.shape.parameters * self.padded);
        if let Some(given) = recurrence.parameters {
            for p in 0..self.shape.parameters {
                parameters[p * self.padded..][..self.hidden]
                    .copy_from_slice(&given[p * self.hidden..][..self.hidden]);
            }
        }
        parameters
    }
}
