//! The gradients that are one product over all steps, once the walk has stored dA and dU:
//!
//! ```text
//! dW_x = Xᵀ dA    dW_h = H_prevᵀ dU    db = Σ dA, Σ dU    dX = dA W_xᵀ
//! ```
//!
//! Threads share the columns of the weights' gradients, so that each number is one sum in the order of
//! the steps, however many threads there are.

use super::arena::Buffer;
use super::backward::PreActivations;
use super::product::{self, Left, Panel, Product, panels, strip, tile, tiles};
use super::simd::{Element, Simd, Work};
use super::threads::{Shared, in_parallel};
use super::{Layout, Recurrence};
use crate::cell::Shape;
use std::ops::Range;

/// Which gradients are to be computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `dX`.
    pub input: bool,
    /// The initial states'.
    pub initial: bool,
    /// `dW_x`.
    pub w_x: bool,
    /// `dW_h`.
    pub w_h: bool,
    /// `db_x`.
    pub b_x: bool,
    /// `db_h`.
    pub b_h: bool,
    /// The vector parameters'.
    pub parameters: bool,
}

/// The gradients that were wanted, in the shapes of [`Recurrence`].
#[derive(Debug, Default)]
pub(crate) struct Gradients<E: Element> {
    /// `dX`, unless it is in the place of `dO`.
    pub input: Option<Buffer<E>>,
    /// The initial states'.
    pub initial: Option<Buffer<E>>,
    /// `dW_x`.
    pub w_x: Option<Buffer<E>>,
    /// `dW_h`.
    pub w_h: Option<Buffer<E>>,
    /// `db_x`.
    pub b_x: Option<Buffer<E>>,
    /// `db_h`.
    pub b_h: Option<Buffer<E>>,
    /// The vector parameters'.
    pub parameters: Option<Buffer<E>>,
}

/// Rows that are summed in registers before the sums go back to memory.
const STEPS_AT_A_TIME: usize = 256;

/// Rows of dX that share a panel of W_xᵀ while it is in the cache.
const ROWS_AT_A_TIME: usize = 56;

/// Numbers that take a thread longer to copy than it takes to wake it.
const COPYING_WORTH_A_THREAD: usize = 1 << 16;

/// One panel of columns of the weights' gradients.
#[derive(Clone, Copy, Debug)]
struct Job {
    /// Of dU of the gates that stay apart, or of dA.
    apart: bool,
    /// Its first column there.
    source: usize,
    panel: Panel,
    /// Its first column in the gradients.
    target: usize,
    /// Whether it is a part of dW_x and db_x, of dW_h and db_h.
    of_x: bool,
    of_h: bool,
}

/// The gradients of input, weights and biases, of the steps that the walk has come over.
#[derive(Debug)]
pub(crate) struct Sums<E: Element> {
    wanted: Wanted,
    jobs: Vec<Job>,
    /// Columns of a panel.
    width: usize,
    /// Rows of dW_x and of dW_h.
    features: usize,
    hidden: usize,
    /// For each job the rows of dW_x, those of dW_h, and the row of the biases.
    sums: Buffer<E>,
    /// `W_xᵀ` in panels of features; without it dX is dA itself.
    w_x: Option<Buffer<E>>,
    input: InputGradients<E>,
}

/// dX of all steps.
#[derive(Debug)]
enum InputGradients<E: Element> {
    NotWanted,
    New(Buffer<E>),
    /// In memory that belongs to whoever asked for it.
    There(Shared<E>),
}

impl<E: Element> InputGradients<E> {
    fn place(&mut self) -> Option<Shared<E>> {
        match self {
            Self::NotWanted => None,
            Self::New(numbers) => Some(Shared(numbers.as_mut_ptr())),
            Self::There(place) => Some(*place),
        }
    }
}

/// The sums over no step at all. dX goes where it is told, or to memory of its own.
pub(super) fn no_sums<E: Element, I: Simd<E>>(
    recurrence: &Recurrence<E>,
    layout: &Layout,
    (wanted, d_input): (Wanted, Option<Shared<E>>),
    threads: usize,
) -> Sums<E> {
    let product = layout.shape.input_product();
    let wanted = Wanted {
        w_x: wanted.w_x && product,
        w_h: wanted.w_h && recurrence.w_h.is_some(),
        b_x: wanted.b_x && recurrence.b_x.is_some(),
        b_h: wanted.b_h && recurrence.b_h.is_some(),
        ..wanted
    };
    let of_weights = wanted.w_x || wanted.w_h || wanted.b_x || wanted.b_h;
    let jobs = if of_weights { jobs::<E, I>(layout) } else { Vec::new() };
    let features = if wanted.w_x { recurrence.features } else { 0 };
    let hidden = if wanted.w_h { layout.hidden } else { 0 };
    let width = product::panel::<E, I>();
    let w_x = recurrence.w_x.filter(|_| wanted.input && product);
    let numbers = recurrence.timeline.steps() * recurrence.features;
    Sums {
        wanted,
        width,
        features,
        hidden,
        sums: Buffer::zeros(jobs.len() * (features + hidden + 1) * width),
        jobs,
        w_x: w_x.map(|w| I::pack_transposed(w, recurrence.features, layout, threads)),
        input: match d_input {
            _ if !wanted.input => InputGradients::NotWanted,
            Some(place) => InputGradients::There(place),
            None => InputGradients::New(Buffer::stale(numbers)),
        },
    }
}

/// Adds what some steps contribute.
pub(super) fn add_to_sums<E: Element, I: Simd<E>>(
    sums: &mut Sums<E>,
    recurrence: &Recurrence<E>,
    layout: &Layout,
    hidden: &[E],
    walked: &PreActivations<E>,
    threads: usize,
) {
    let to_sums = Shared(sums.sums.as_mut_ptr());
    let to_input = sums.input.place();
    let sums = &*sums;
    in_parallel(threads, |part| {
        let share = |count: usize| count * part / threads..count * (part + 1) / threads;
        let jobs = share(sums.jobs.len());
        let weights =
            WeightGradients { recurrence, layout, hidden, walked, sums, jobs, to: to_sums };
        let Range { start, .. } = walked.rows;
        let rows = share(walked.rows.len());
        let rows = start + rows.start..start + rows.end;
        let input = to_input.map(|to| InputGradient {
            recurrence,
            layout,
            walked,
            w_x: sums.w_x.as_ref(),
            rows,
            to,
        });
        // SAFETY: this thread runs on the same machine.
        unsafe {
            I::run(weights);
            if let Some(input) = input {
                I::run(input);
            }
        }
    });
}

impl<E: Element> Sums<E> {
    /// The gradients that were wanted.
    pub fn finish(
        self,
        recurrence: &Recurrence<E>,
        layout: &Layout,
        threads: usize,
    ) -> Gradients<E> {
        let Self { wanted, jobs, width, features, hidden, sums, input, .. } = self;
        let columns = layout.shape.gates * layout.hidden;
        let rows = features + hidden;
        let gather = |rows_of_it: Range<usize>, belongs: fn(&Job) -> bool| {
            let mut gradient = Buffer::stale(rows_of_it.len() * columns);
            let to = Shared(gradient.as_mut_ptr());
            let threads = if gradient.len() < COPYING_WORTH_A_THREAD { 1 } else { threads };
            in_parallel(threads, |part| {
                let share = |end: usize| rows_of_it.start + rows_of_it.len() * end / threads;
                let share = share(part)..share(part + 1);
                for (number, job) in jobs.iter().enumerate().filter(|(_, job)| belongs(job)) {
                    let sums = &sums[number * (rows + 1) * width..];
                    for row in share.clone() {
                        let from = &sums[row * width..][..job.panel.columns];
                        let row = row - rows_of_it.start;
                        // SAFETY: these rows of the gradient are this thread's.
                        unsafe {
                            let to = to.at(row * columns + job.target);
                            std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                        }
                    }
                }
            });
            gradient
        };
        debug_assert!(!wanted.w_x || features == recurrence.features);
        let input = match input {
            InputGradients::New(numbers) => Some(numbers),
            InputGradients::NotWanted | InputGradients::There(_) => None,
        };
        Gradients {
            input,
            w_x: wanted.w_x.then(|| gather(0..features, |job| job.of_x)),
            w_h: wanted.w_h.then(|| gather(features..rows, |job| job.of_h)),
            b_x: wanted.b_x.then(|| gather(rows..rows + 1, |job| job.of_x)),
            b_h: wanted.b_h.then(|| gather(rows..rows + 1, |job| job.of_h)),
            ..Gradients::default()
        }
    }
}

fn jobs<E: Element, I: Simd<E>>(layout: &Layout) -> Vec<Job> {
    let Layout { hidden, padded, shape, .. } = *layout;
    let (gates, joined) = (shape.gates, shape.joined());
    let mut jobs = Vec::new();
    for gate in 0..gates {
        for panel in panels::<E, I>(hidden) {
            let target = gate * hidden + panel.start;
            let source = gate * padded + panel.start;
            let of_h = gate < joined;
            jobs.push(Job { apart: false, source, panel, target, of_x: true, of_h });
            if gate >= joined {
                let source = (gate - joined) * padded + panel.start;
                jobs.push(Job { apart: true, source, panel, target, of_x: false, of_h: true });
            }
        }
    }
    jobs
}

/// Some columns of dW_x, dW_h, db_x and db_h. The steps are summed from the last to the first, as the walk
/// comes over them: so the sums do not depend on where it stops between.
struct WeightGradients<'a, E: Element> {
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    hidden: &'a [E],
    walked: &'a PreActivations<E>,
    sums: &'a Sums<E>,
    jobs: Range<usize>,
    to: Shared<E>,
}

impl<E: Element> Work<E> for WeightGradients<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { recurrence, layout, hidden, walked, sums, jobs, to } = self;
        if jobs.is_empty() {
            return;
        }
        let Sums { features, hidden: hidden_rows, width, .. } = *sums;
        let rows = features + hidden_rows;
        let mut left = Buffer::<E>::stale(rows * STEPS_AT_A_TIME + I::LANES);
        let mut right = Buffer::<E>::stale(width * STEPS_AT_A_TIME);
        let mut end = walked.rows.end;
        let mut previous = PreviousHidden::before(recurrence, layout.hidden, hidden, end);
        while end > walked.rows.start {
            let left_over = end - walked.rows.start;
            let count = left_over.div_ceil(left_over.div_ceil(STEPS_AT_A_TIME));
            // SAFETY: the buffers were made for this many rows and steps.
            unsafe {
                let x = recurrence.input.as_ptr().add((end - 1) * recurrence.features);
                let row_of_x = |k: usize| Some(x.sub(k * recurrence.features));
                pack_left::<E, I>(features, count, row_of_x, left.as_mut_ptr());
                let to_left = left.as_mut_ptr().add(features * count);
                let rows_before: &[Option<*const E>] = previous.rows(end - count..end);
                pack_left::<E, I>(hidden_rows, count, |k| rows_before[k], to_left);
                for number in jobs.clone() {
                    let job = &sums.jobs[number];
                    let sums = to.at(number * (rows + 1) * width);
                    let bias = sums.add(rows * width);
                    let last = end - 1 - walked.rows.start;
                    pack_right::<E, I>(walked, layout, job, last, count, right.as_mut_ptr(), bias);
                    let product = |from: usize, rows: usize| {
                        for tile_rows in tiles::<E, I>(rows) {
                            let from = from + tile_rows.start;
                            let start = left.as_ptr().add(from * count);
                            let a = Left { start, row: 1, inner: tile_rows.len() };
                            let (c, b) = (sums.add(from * width), right.as_ptr());
                            let (s, k) = (c, count);
                            let product = Product { k, a, b, c, c_row: width, s, s_row: width };
                            tile::<E, I>(tile_rows.len(), job.panel.registers, product);
                        }
                    };
                    if job.of_x {
                        product(0, features);
                    }
                    if job.of_h {
                        product(features, hidden_rows);
                    }
                }
            }
            end -= count;
        }
    }
}

/// The rows of `H_{t-1}`, for all steps one after the other.
pub(super) struct PreviousHidden<'a, E> {
    recurrence: &'a Recurrence<'a, E>,
    units: usize,
    hidden: &'a [E],
    t: usize,
    rows: Vec<Option<*const E>>,
}

impl<'a, E: Element> PreviousHidden<'a, E> {
    /// For rows before `end`, of which there is one.
    pub fn before(
        recurrence: &'a Recurrence<'a, E>,
        units: usize,
        hidden: &'a [E],
        end: usize,
    ) -> Self {
        let t = recurrence.timeline.step_of(end - 1);
        Self { recurrence, units, hidden, t, rows: Vec::with_capacity(STEPS_AT_A_TIME) }
    }

    /// The step that the next row is looked for at.
    #[cfg(test)]
    pub fn step(&self) -> usize {
        self.t
    }

    /// Those of some rows of all steps, from the last to the first; `None` where the state was zero. The
    /// rows must not lie behind those asked for before.
    pub fn rows(&mut self, range: Range<usize>) -> &[Option<*const E>] {
        let timeline = self.recurrence.timeline;
        self.rows.clear();
        for row in range.rev() {
            while row < timeline.rows(self.t).start {
                self.t -= 1;
            }
            let r = row - timeline.rows(self.t).start;
            self.rows.push(if self.t == 0 {
                let states = |given: &[E]| given.len() / timeline.batch();
                self.recurrence.initial.map(|given| given[r * states(given)..].as_ptr())
            } else {
                let before = timeline.rows(self.t - 1).start + r;
                Some(self.hidden[before * self.units..].as_ptr())
            });
        }
        &self.rows
    }
}

/// Columns of some rows as the rows of tiles: for each tile, step after step its numbers. Up to a register's worth of
/// numbers behind them is written too.
#[inline(always)]
unsafe fn pack_left<E: Element, I: Simd<E>>(
    columns: usize,
    steps: usize,
    row: impl Fn(usize) -> Option<*const E>,
    mut to: *mut E,
) {
    for tile in tiles::<E, I>(columns) {
        for k in 0..steps {
            let row = row(k);
            for start in tile.clone().step_by(I::LANES) {
                // SAFETY: the row has that many columns, and the buffer the place. What is written behind a tile's
                // numbers is overwritten by those of the next step.
                unsafe {
                    let numbers = match row {
                        Some(row) if start + I::LANES <= columns => I::load(row.add(start)),
                        Some(row) => I::load_part(row.add(start), columns - start),
                        None => I::splat(E::default()),
                    };
                    I::store(to.add(start - tile.start), numbers);
                }
            }
            // SAFETY: the next step's place.
            to = unsafe { to.add(tile.len()) };
        }
    }
}

/// A job's columns of dA or dU as a panel, from the row `last` back; their sums are added to the bias.
#[inline(always)]
unsafe fn pack_right<E: Element, I: Simd<E>>(
    walked: &PreActivations<E>,
    layout: &Layout,
    job: &Job,
    last: usize,
    steps: usize,
    to: *mut E,
    bias: *mut E,
) {
    let (from, row) = if job.apart {
        (walked.apart.as_ptr(), layout.apart_row())
    } else {
        (walked.a.0.cast_const(), walked.a_row)
    };
    let registers = job.panel.registers;
    // SAFETY: rows of dA or dU, the panel's buffer and the job's sums.
    unsafe {
        for n in 0..registers {
            let from = from.add(last * row + job.source + n * I::LANES);
            let mut sum = I::load(bias.add(n * I::LANES));
            for k in 0..steps {
                let v = I::load(from.sub(k * row));
                sum = I::add(sum, v);
                I::store(to.add((k * registers + n) * I::LANES), v);
            }
            I::store(bias.add(n * I::LANES), sum);
        }
    }
}

/// Some rows of dX.
struct InputGradient<'a, E: Element> {
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    walked: &'a PreActivations<E>,
    /// `W_xᵀ` in panels of features; without it dX is dA itself.
    w_x: Option<&'a Buffer<E>>,
    rows: Range<usize>,
    to: Shared<E>,
}

impl<E: Element> Work<E> for InputGradient<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { recurrence, layout, walked, w_x, rows, to } = self;
        let Layout { hidden, padded, shape: Shape { gates, .. }, .. } = *layout;
        let features = recurrence.features;
        let inner = gates * padded;
        let Some(w_x) = w_x else {
            for row in rows {
                for gate in 0..gates {
                    let from = (row - walked.rows.start) * walked.a_row + gate * padded;
                    // SAFETY: a row of dA, and these rows of dX are this thread's.
                    unsafe {
                        let to = to.at(row * features + gate * hidden);
                        std::ptr::copy_nonoverlapping(walked.a.at(from), to, hidden);
                    }
                }
            }
            return;
        };
        let width = product::panel::<E, I>();
        let mut edge = Buffer::<E>::stale(ROWS_AT_A_TIME * width);
        let zero = Buffer::<E>::zeros(width);
        for start in rows.clone().step_by(ROWS_AT_A_TIME) {
            let count = (rows.end - start).min(ROWS_AT_A_TIME);
            for panel in panels::<E, I>(features) {
                let whole = panel.columns == panel.registers * I::LANES;
                // SAFETY: rows of dA, a panel of the weights, and this thread's rows of dX.
                unsafe {
                    let a = walked.a.at((start - walked.rows.start) * walked.a_row).cast_const();
                    let a = Left { start: a, row: walked.a_row, inner: 1 };
                    let b = w_x.as_ptr().add(panel.start * inner);
                    let d_x = to.at(start * features + panel.start);
                    let (c, c_row) =
                        if whole { (d_x, features) } else { (edge.as_mut_ptr(), width) };
                    let product = Product { k: inner, a, b, c, c_row, s: zero.as_ptr(), s_row: 0 };
                    strip::<E, I>(count, panel.registers, product);
                    if !whole {
                        for row in 0..count {
                            let (from, to) = (c.add(row * width), d_x.add(row * features));
                            std::ptr::copy_nonoverlapping(from, to, panel.columns);
                        }
                    }
                }
            }
        }
    }
}
