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
use std::ops::Range;

/// Which gradients are to be computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
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
#[derive(Clone, Debug, Default)]
pub struct Gradients<E> {
    /// `dX`.
    pub input: Option<Vec<E>>,
    /// The initial states'.
    pub initial: Option<Vec<E>>,
    /// `dW_x`.
    pub w_x: Option<Vec<E>>,
    /// `dW_h`.
    pub w_h: Option<Vec<E>>,
    /// `db_x`.
    pub b_x: Option<Vec<E>>,
    /// `db_h`.
    pub b_h: Option<Vec<E>>,
    /// The vector parameters'.
    pub parameters: Option<Vec<E>>,
}

/// Steps whose rows are summed in registers before they are added to what is in memory.
const STEPS_AT_A_TIME: usize = 256;

/// Rows of dX that share a panel of W_xᵀ while it is in the cache.
const ROWS_AT_A_TIME: usize = 56;

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

/// The gradients of input, weights and biases.
pub(super) fn after_the_walk<E: Element, I: Simd<E>>(
    recurrence: &Recurrence<E>,
    product: bool,
    layout: &Layout,
    hidden: &[E],
    walked: &PreActivations<E>,
    wanted: Wanted,
    threads: usize,
) -> Gradients<E> {
    let steps = recurrence.timeline.steps();
    let columns = layout.gates * layout.hidden;
    let rows = |given: bool, rows: usize| given.then(|| Vec::<E>::with_capacity(rows * columns));
    let mut w_x = rows(wanted.w_x && product, recurrence.features);
    let mut w_h = rows(wanted.w_h && recurrence.w_h.is_some(), layout.hidden);
    let mut b_x = rows(wanted.b_x && recurrence.b_x.is_some(), 1);
    let mut b_h = rows(wanted.b_h && recurrence.b_h.is_some(), 1);
    let mut input = wanted.input.then(|| Vec::<E>::with_capacity(steps * recurrence.features));
    let to = |gradient: &mut Option<Vec<E>>| gradient.as_mut().map(|g| Shared(g.as_mut_ptr()));
    let targets = [to(&mut w_x), to(&mut w_h), to(&mut b_x), to(&mut b_h)];
    let to_input = to(&mut input);
    let w_x_transposed = recurrence
        .w_x
        .filter(|_| wanted.input && product)
        .map(|w| I::pack_transposed(w, recurrence.features, layout, threads));
    let jobs = jobs::<E, I>(layout);
    in_parallel(threads, |part| {
        let share = |count: usize| count * part / threads..count * (part + 1) / threads;
        let weights = WeightGradients {
            recurrence,
            layout,
            hidden,
            walked,
            jobs: &jobs[share(jobs.len())],
            targets,
        };
        let input = to_input.map(|to| InputGradient {
            recurrence,
            layout,
            walked,
            w_x: w_x_transposed.as_ref(),
            rows: share(steps),
            to,
        });
        // SAFETY: this thread runs on the same machine.
        unsafe {
            if targets.iter().any(Option::is_some) {
                I::run(weights);
            }
            if let Some(input) = input {
                I::run(input);
            }
        }
    });
    let written = |gradient: Option<Vec<E>>, rows: usize, columns: usize| {
        let mut gradient = gradient?;
        // SAFETY: the threads have written all of it.
        unsafe { gradient.set_len(rows * columns) };
        Some(gradient)
    };
    Gradients {
        input: written(input, steps, recurrence.features),
        w_x: written(w_x, recurrence.features, columns),
        w_h: written(w_h, layout.hidden, columns),
        b_x: written(b_x, 1, columns),
        b_h: written(b_h, 1, columns),
        ..Gradients::default()
    }
}

fn jobs<E: Element, I: Simd<E>>(layout: &Layout) -> Vec<Job> {
    let Layout { hidden, padded, gates, apart, .. } = *layout;
    let joined = gates - apart;
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

/// Some columns of dW_x, dW_h, db_x and db_h.
struct WeightGradients<'a, E: Element> {
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    hidden: &'a [E],
    walked: &'a PreActivations<E>,
    jobs: &'a [Job],
    /// dW_x, dW_h, db_x and db_h, where they are wanted.
    targets: [Option<Shared<E>>; 4],
}

impl<E: Element> Work<E> for WeightGradients<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { recurrence, layout, hidden, walked, jobs, targets } = self;
        let [to_w_x, to_w_h, to_b_x, to_b_h] = targets;
        let units = layout.hidden;
        let width = product::panel::<E, I>();
        let features = if to_w_x.is_some() { recurrence.features } else { 0 };
        let hidden_rows = if to_w_h.is_some() { units } else { 0 };
        let rows = features + hidden_rows;
        // For each job the rows of dW_x, those of dW_h, and the row of the biases.
        let mut sums = Buffer::<E>::zeros(jobs.len() * (rows + 1) * width);
        let mut left = Buffer::<E>::stale(rows * STEPS_AT_A_TIME);
        let mut right = Buffer::<E>::stale(width * STEPS_AT_A_TIME);
        let steps = recurrence.timeline.steps();
        let mut previous = PreviousHidden::new(recurrence, units, hidden);
        for start in (0..steps).step_by(STEPS_AT_A_TIME) {
            let count = (steps - start).min(STEPS_AT_A_TIME);
            // SAFETY: the buffers were made for this many rows and steps.
            unsafe {
                let x = recurrence.input.as_ptr().add(start * recurrence.features);
                let row_of_x = |k: usize| Some(x.add(k * recurrence.features));
                pack_left::<E, I>(features, count, row_of_x, left.as_mut_ptr());
                let to = left.as_mut_ptr().add(features * count);
                let rows_before: &[Option<*const E>] = previous.rows(start..start + count);
                pack_left::<E, I>(hidden_rows, count, |k| rows_before[k], to);
                for (number, job) in jobs.iter().enumerate() {
                    let sums = sums.as_mut_ptr().add(number * (rows + 1) * width);
                    let bias = sums.add(rows * width);
                    pack_right::<E, I>(walked, layout, job, start, count, right.as_mut_ptr(), bias);
                    let product = |from: usize, rows: usize| {
                        for tile_rows in tiles::<E, I>(rows) {
                            let from = from + tile_rows.start;
                            let start = left.as_ptr().add(from * count);
                            let product = Product {
                                k: count,
                                a: Left { start, row: 1, inner: tile_rows.len() },
                                b: right.as_ptr(),
                                c: sums.add(from * width),
                                c_row: width,
                                fresh: false,
                            };
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
        }
        let columns = layout.gates * units;
        for (number, job) in jobs.iter().enumerate() {
            let sums = &sums[number * (rows + 1) * width..];
            let write = |to: Option<Shared<E>>, row: usize, from: usize| {
                if let Some(to) = to {
                    let from = &sums[from * width..][..job.panel.columns];
                    // SAFETY: the job's columns of the gradient are this thread's.
                    unsafe {
                        let to = to.at(row * columns + job.target);
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                    }
                }
            };
            if job.of_x {
                (0..features).for_each(|row| write(to_w_x, row, row));
                write(to_b_x, 0, rows);
            }
            if job.of_h {
                (0..hidden_rows).for_each(|row| write(to_w_h, row, features + row));
                write(to_b_h, 0, rows);
            }
        }
    }
}

/// The rows of `H_{t-1}`, for all steps one after the other.
struct PreviousHidden<'a, E> {
    recurrence: &'a Recurrence<'a, E>,
    units: usize,
    hidden: &'a [E],
    t: usize,
    rows: Vec<Option<*const E>>,
}

impl<'a, E: Element> PreviousHidden<'a, E> {
    fn new(recurrence: &'a Recurrence<'a, E>, units: usize, hidden: &'a [E]) -> Self {
        Self { recurrence, units, hidden, t: 0, rows: Vec::new() }
    }

    /// Those of some rows of all steps, which must not go back; `None` where the state was zero.
    fn rows(&mut self, range: Range<usize>) -> &[Option<*const E>] {
        let timeline = self.recurrence.timeline;
        self.rows.clear();
        for row in range {
            while row >= timeline.rows(self.t).end {
                self.t += 1;
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

/// Columns of some rows as the rows of tiles: for each tile, step after step its numbers.
#[inline(always)]
unsafe fn pack_left<E: Element, I: Simd<E>>(
    columns: usize,
    steps: usize,
    row: impl Fn(usize) -> Option<*const E>,
    mut to: *mut E,
) {
    for tile in tiles::<E, I>(columns) {
        for k in 0..steps {
            // SAFETY: the row has that many columns, and the buffer the place.
            unsafe {
                match row(k) {
                    Some(row) => {
                        std::ptr::copy_nonoverlapping(row.add(tile.start), to, tile.len());
                    }
                    None => (0..tile.len()).for_each(|i| *to.add(i) = E::default()),
                }
                to = to.add(tile.len());
            }
        }
    }
}

/// A job's columns of dA or dU as a panel; their sums are added to the bias.
#[inline(always)]
unsafe fn pack_right<E: Element, I: Simd<E>>(
    walked: &PreActivations<E>,
    layout: &Layout,
    job: &Job,
    start: usize,
    steps: usize,
    to: *mut E,
    bias: *mut E,
) {
    let (from, row) =
        if job.apart { (&walked.apart, layout.apart_row()) } else { (&walked.a, layout.row()) };
    let registers = job.panel.registers;
    // SAFETY: rows of dA or dU, the panel's buffer and the job's sums.
    unsafe {
        for n in 0..registers {
            let from = from.as_ptr().add(start * row + job.source + n * I::LANES);
            let mut sum = I::load(bias.add(n * I::LANES));
            for k in 0..steps {
                let v = I::load(from.add(k * row));
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
        let Layout { hidden, padded, gates, .. } = *layout;
        let features = recurrence.features;
        let inner = gates * padded;
        let Some(w_x) = w_x else {
            for row in rows {
                for gate in 0..gates {
                    let from = &walked.a[row * layout.row() + gate * padded..][..hidden];
                    // SAFETY: these rows of dX are this thread's.
                    unsafe {
                        let to = to.at(row * features + gate * hidden);
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to, hidden);
                    }
                }
            }
            return;
        };
        let width = product::panel::<E, I>();
        let mut edge = Buffer::<E>::stale(ROWS_AT_A_TIME * width);
        for start in rows.clone().step_by(ROWS_AT_A_TIME) {
            let count = (rows.end - start).min(ROWS_AT_A_TIME);
            for panel in panels::<E, I>(features) {
                let whole = panel.columns == panel.registers * I::LANES;
                // SAFETY: rows of dA, a panel of the weights, and this thread's rows of dX.
                unsafe {
                    let a = walked.a.as_ptr().add(start * layout.row());
                    let a = Left { start: a, row: layout.row(), inner: 1 };
                    let b = w_x.as_ptr().add(panel.start * inner);
                    let d_x = to.at(start * features + panel.start);
                    let (c, c_row) =
                        if whole { (d_x, features) } else { (edge.as_mut_ptr(), width) };
                    let product = Product { k: inner, a, b, c, c_row, fresh: true };
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
