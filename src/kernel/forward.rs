//! The walk forward over time.
//!
//! ```text
//! A   = X W_x + b                 some steps at a time
//! A_t = A_t + H_{t-1} W_h         panel by panel of hidden units, all gates of a panel together
//! S_t = step(A_t, S_{t-1})        on the panel's tiles while they are in the cache
//! ```

use super::arena::Buffer;
use super::formula::{Formula, StepRows};
use super::packing::gates_of;
use super::product::{Factors, Left, Panel, Product, panels, strip, tiles_or_all};
use super::row_product::RowProduct;
use super::simd::{Element, InstructionSet, Simd, Work};
use super::threads::{Share, Shared, in_shares};
use super::{Layout, Machine, Recurrence, Tape, register_bytes, rounding};
use crate::cell::Shape;
use std::ops::Range;
use std::ptr::{null, null_mut};

/// A walk forward over time that can stop after any step and go on.
#[derive(Debug)]
pub(crate) struct ForwardWalk<'a, E: Element> {
    machine: Machine,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
    layout: Layout,
    weights: Weights<E>,
    /// The states beside the hidden one after each row's latest step, and at first the initial ones.
    others: Buffer<E>,
}

impl<'a, E: Element> ForwardWalk<'a, E> {
    /// A walk that has not begun.
    ///
    /// # Panics
    /// If the slices of the recurrence do not have their lengths.
    pub fn new(
        machine: Machine,
        cell: &'a dyn Formula<E>,
        recurrence: &'a Recurrence<'a, E>,
    ) -> Self {
        let shape = cell.shape();
        recurrence.check(&shape);
        let threads = machine.threads_for(recurrence.multiplications(&shape));
        Self::on_threads(Machine { threads, ..machine }, cell, recurrence)
    }

    /// The same on all the threads of the machine.
    pub(super) fn on_threads(
        machine: Machine,
        cell: &'a dyn Formula<E>,
        recurrence: &'a Recurrence<'a, E>,
    ) -> Self {
        recurrence.check(&cell.shape());
        E::run(machine.set, Prepare { machine, cell, recurrence })
    }

    /// Walks over some steps. With `keep` it returns what the backward walk over these steps needs.
    ///
    /// # Panics
    /// If the hidden states are not as many.
    pub fn over(
        &mut self,
        steps: Range<usize>,
        hidden: HiddenStates<E>,
        keep: bool,
    ) -> Option<Tape<E>> {
        let timeline = self.recurrence.timeline;
        let units = self.layout.hidden;
        let (before, here) = match &hidden {
            HiddenStates::Write(all) => {
                (all.len(), timeline.rows_of(&(0..steps.end)).len() * units)
            }
            HiddenStates::Read(all) => (all.len(), timeline.steps() * units),
        };
        assert!(before >= here, "hidden states");
        E::run(self.machine.set, Advance { walk: self, steps, hidden, keep })
    }

    /// The states beside the hidden one after each row's latest step, to come back to.
    pub fn border(&self) -> Border<E> {
        let mut others = Buffer::stale(self.others.len());
        others.copy_from_slice(&self.others);
        Border(others)
    }

    /// Goes back, or forward, to where the border was taken.
    pub fn return_to(&mut self, border: &Border<E>) {
        self.others.copy_from_slice(&border.0);
    }

    /// The other states after each row's latest step: `[batch, (states − 1) × hidden]`.
    pub fn others(&self) -> Vec<E> {
        let Layout { hidden, padded, .. } = self.layout;
        let states = self.others.chunks_exact(padded);
        states.flat_map(|state| state[..hidden].iter().copied()).collect()
    }
}

/// The hidden states of all steps, `[steps, hidden]`.
#[derive(Debug)]
pub(crate) enum HiddenStates<'h, E> {
    /// Those of the steps walked over are written; those before them have been.
    Write(&'h mut [E]),
    /// All of them have been written by an earlier walk.
    Read(&'h [E]),
}

/// The states beside the hidden one between two steps.
#[derive(Debug)]
pub(crate) struct Border<E: Element>(Buffer<E>);

impl<E: Element> Border<E> {
    /// The bytes of a border.
    pub fn bytes(shape: &Shape, batch: usize, hidden: usize) -> usize {
        batch * (shape.states - 1) * register_bytes::<E>(hidden)
    }
}

struct Prepare<'a, E: Element> {
    machine: Machine,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
}

impl<'a, E: Element> Work<E> for Prepare<'a, E> {
    type Output = ForwardWalk<'a, E>;

    fn run<I: Simd<E>>(self) -> ForwardWalk<'a, E> {
        let Self { machine, cell, recurrence } = self;
        let layout = Layout::new::<E, I>(cell.shape(), recurrence.hidden);
        let Layout { hidden, padded, shape: Shape { states, .. }, .. } = layout;
        let mut others = Buffer::zeros(recurrence.timeline.batch() * layout.others());
        if let Some(initial) = recurrence.initial {
            for (row, initial) in initial.chunks_exact(states * hidden).enumerate() {
                for s in 1..states {
                    others[row * layout.others() + (s - 1) * padded..][..hidden]
                        .copy_from_slice(&initial[s * hidden..][..hidden]);
                }
            }
        }
        let weights = Weights::new::<I>(recurrence, &layout, &machine);
        ForwardWalk { machine, cell, recurrence, layout, weights, others }
    }
}

struct Advance<'w, 'a, E: Element> {
    walk: &'w mut ForwardWalk<'a, E>,
    steps: Range<usize>,
    hidden: HiddenStates<'w, E>,
    keep: bool,
}

/// Rows of A that are computed at a time: enough for full tiles, few enough to stay in the cache.
const ROWS_AHEAD: usize = 56;

/// The same where factors are rounded.
const ROUNDED_ROWS_AHEAD: usize = 64;

/// Rows of a step from which on its rounded products with X and with `H_{t-1}` follow one another panel by panel: then A need not
/// go through the cache, which the weights fill.
const ROWS_OF_ONE_PASS: usize = 64;

impl<E: Element> Work<E> for Advance<'_, '_, E> {
    type Output = Option<Tape<E>>;

    fn run<I: Simd<E>>(self) -> Option<Tape<E>> {
        let Self { walk, steps, hidden, keep } = self;
        let ForwardWalk { machine, cell, recurrence, layout, weights, others } = walk;
        let timeline = recurrence.timeline;
        let mut tape = keep.then(|| Tape::new(timeline, steps.clone(), layout, others));
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let given = matches!(hidden, HiddenStates::Read(_));
        let step = if given { 0 } else { layout.shape.gates * layout.hidden * layout.hidden };
        let factors = Factors::of::<E>(machine);
        let bytes = factors.places(step) * size_of::<E>();
        let to_others = Shared(others.as_mut_ptr());
        let hidden = match hidden {
            HiddenStates::Write(all) => Hidden::Write(Shared(all.as_mut_ptr())),
            HiddenStates::Read(all) => Hidden::Read(all),
        };
        let to_tape = tape.as_mut().map(|tape| {
            let lead = tape.lead * layout.others();
            (Shared(tape.others[lead..].as_mut_ptr()), Shared(tape.kept.as_mut_ptr()))
        });
        let rounded = factors.are_rounded();
        let of_x = if rounded && layout.shape.input_product() {
            rounding::row(recurrence.features)
        } else {
            0
        };
        let of_h = if rounded && layout.shape.recurrent_product() {
            rounding::row(layout.hidden)
        } else {
            0
        };
        let batch = timeline.active(steps.start);
        let states_rounded = if given { 0 } else { batch * of_h };
        let mut pairs = [0, 1].map(|_| Buffer::<E>::zeros(states_rounded));
        if let Some(before) = hidden_before(recurrence, layout, &hidden, steps.start, 0)
            && states_rounded > 0
        {
            for row in 0..batch {
                // SAFETY: a row of the hidden states, and one of the pairs.
                unsafe {
                    let to = pairs[steps.start % 2].as_mut_ptr().add(row * of_h);
                    rounding::round(before.start.add(row * before.row), layout.hidden, to);
                }
            }
        }
        let pairs = pairs.each_mut().map(|pairs| Shared(pairs.as_mut_ptr()));
        in_shares((timeline, &steps), &panels, (step, bytes), machine.threads, |share| {
            let ahead = if rounded { ROUNDED_ROWS_AHEAD } else { ROWS_AHEAD };
            let ahead = (ahead / share.rows.len()).max(1);
            let most = ahead * share.rows.len();
            let one_pass = of_x > 0 && !given && share.rows.len() >= ROWS_OF_ONE_PASS;
            let walk = RowsForward {
                set: machine.set,
                cell: *cell,
                recurrence,
                layout,
                weights,
                factors,
                one_pass,
                steps: steps.clone(),
                origin: timeline.rows(steps.start).start,
                share,
                ahead,
                x_pairs: Buffer::stale(most * of_x),
                h_pairs: Buffer::stale(if given { most * of_h } else { 0 }),
                pairs,
                a: Buffer::stale(most * layout.row()),
                u: Buffer::stale(most * layout.apart_row()),
                hidden,
                others: to_others,
                tape: to_tape,
            };
            // SAFETY: this thread runs on the same machine.
            unsafe { I::run(walk) }
        });
        tape
    }
}

/// With so few rows of all steps the weights are not packed: each of them is needed a few times only.
const FEW_ROWS: usize = 3;

/// The weights as the forward walk reads them.
#[derive(Debug)]
struct Weights<E: Element> {
    /// Whether rows are so few that the products read the weights as they lie in memory.
    as_they_lie: bool,
    /// `W_x` and `W_h` in panels of hidden units, the gates of a panel one after the other.
    w_x: Buffer<E>,
    w_h: Buffer<E>,
    /// What the pre-activations start from, and the recurrent halves that stay apart.
    bias: Buffer<E>,
    bias_apart: Buffer<E>,
    parameters: Buffer<E>,
}

impl<E: Element> Weights<E> {
    fn new<I: Simd<E>>(recurrence: &Recurrence<E>, layout: &Layout, machine: &Machine) -> Self {
        let (factors, threads) = (Factors::of::<E>(machine), machine.threads);
        let shape = layout.shape;
        let joined = shape.joined();
        let mut bias = Buffer::zeros(layout.row());
        let mut bias_apart = Buffer::zeros(layout.apart_row());
        for gate in 0..shape.gates {
            for unit in 0..layout.hidden {
                let from = gate * layout.hidden + unit;
                let b_x = recurrence.b_x.map_or(E::default(), |b| b[from]);
                let b_h = recurrence.b_h.map_or(E::default(), |b| b[from]);
                let to = gate * layout.padded + unit;
                if gate < joined {
                    bias[to] = b_x + b_h;
                } else {
                    bias[to] = b_x;
                    bias_apart[to - joined * layout.padded] = b_h;
                }
            }
        }
        let empty = || Buffer::stale(0);
        let few = recurrence.timeline.steps() <= FEW_ROWS;
        let as_they_lie = few && factors == Factors::Numbers;
        let w_x = recurrence.w_x.filter(|_| shape.input_product() && !as_they_lie);
        let w_h = recurrence.w_h.filter(|_| shape.recurrent_product() && !as_they_lie);
        Self {
            as_they_lie,
            w_x: w_x.map_or_else(empty, |w| I::pack_gates(w, layout, factors, threads)),
            w_h: w_h.map_or_else(empty, |w| I::pack_gates(w, layout, factors, threads)),
            bias,
            bias_apart,
            parameters: layout.padded_parameters(recurrence),
        }
    }
}

/// [`HiddenStates`] among threads.
#[derive(Clone, Copy)]
enum Hidden<'a, E> {
    Write(Shared<E>),
    Read(&'a [E]),
}

impl<E> Hidden<'_, E> {
    /// Where the numbers from `index` on are read, if there are so many and they have been written.
    #[inline(always)]
    fn at(&self, index: usize) -> *const E {
        match self {
            Self::Write(all) => all.at(index).cast_const(),
            Self::Read(all) => all[index..].as_ptr(),
        }
    }
}

/// The walk of some rows of the batch.
struct RowsForward<'a, E: Element> {
    set: InstructionSet,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    weights: &'a Weights<E>,
    factors: Factors,
    /// Whether the products with X are done with each step's, and not for some steps at once.
    one_pass: bool,
    steps: Range<usize>,
    /// The first row of these steps among the rows of all steps.
    origin: usize,
    share: Share<'a>,
    /// Steps whose A is computed at a time.
    ahead: usize,
    /// Rows of X in pairs, where they are rounded, and of hidden states that are given.
    x_pairs: Buffer<E>,
    h_pairs: Buffer<E>,
    /// The rows of `H_{t-1}` in pairs, those of even and of odd steps.
    pairs: [Shared<E>; 2],
    a: Buffer<E>,
    u: Buffer<E>,
    hidden: Hidden<'a, E>,
    /// The other states after each row's latest step.
    others: Shared<E>,
    /// The other states after each of these steps, and what the steps keep.
    tape: Option<(Shared<E>, Shared<E>)>,
}

impl<E: Element> Work<E> for RowsForward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        let _ready = self.factors.begin();
        let Range { start: mut t, end } = self.steps;
        // These rows may end before the others do.
        let last = (t..end).find(|&t| self.share.running(t) == 0).unwrap_or(end);
        while t < last {
            let end = (t + self.ahead).min(last);
            if !self.one_pass {
                self.input_share::<I>(t..end);
            }
            let given = matches!(self.hidden, Hidden::Read(_));
            if given {
                self.recurrent_share::<I>(t..end);
            }
            let mut row = 0;
            for t in t..end {
                let running = self.share.running(t);
                if given {
                    for panel in self.share.panels {
                        self.panel_steps(t, 0..running, [row; 2], panel);
                    }
                } else {
                    self.step::<I>(t, row, running);
                    // After the last step the threads meet where the walk ends; and a single step needs no other thread
                    // to be there at the same time.
                    if t + 1 < last {
                        self.share.meet();
                    }
                }
                row += running;
            }
            t = end;
        }
    }
}

impl<E: Element> RowsForward<'_, E> {
    /// `A = X W_x + b` of some steps, one after the other.
    #[inline(always)]
    fn input_share<I: Simd<E>>(&mut self, steps: Range<usize>) {
        let Layout { shape: Shape { gates, .. }, hidden, padded, .. } = *self.layout;
        let width = self.layout.row();
        let features = self.recurrence.features;
        let (mut t, mut row) = (steps.start, 0);
        while t < steps.end {
            // Rows of X that lie one after the other.
            let mut run = self.share.packed(t)..self.share.packed(t);
            while t < steps.end && self.share.packed(t) == run.end {
                run.end += self.share.running(t);
                t += 1;
            }
            if !self.layout.shape.input_product() {
                for (a, x) in self.a[row * width..].chunks_exact_mut(width).zip(run.clone()) {
                    a.copy_from_slice(&self.weights.bias);
                    for gate in 0..gates {
                        let from = &self.recurrence.input[x * features + gate * hidden..][..hidden];
                        a[gate * padded..][..hidden].copy_from_slice(from);
                    }
                }
            } else if self.weights.as_they_lie {
                for (r, x) in run.clone().enumerate() {
                    let a = &mut self.a[(row + r) * width..][..width];
                    a.copy_from_slice(&self.weights.bias);
                    let x = self.recurrence.input[x * features..][..features].as_ptr();
                    let w_x = self.recurrence.w_x.expect("a product has weights");
                    let a = a.as_mut_ptr();
                    for gate in 0..gates {
                        // SAFETY: a row of X and one of A, of this gate.
                        unsafe { self.row_product::<I>(x, (w_x, gate), a.add(gate * padded)) };
                    }
                }
            } else {
                let x = &self.recurrence.input[run.start * features..run.end * features];
                let x = Left { start: x.as_ptr(), row: features, inner: 1 };
                // SAFETY: so many rows of X.
                let x = unsafe { self.factors.left(x, (run.len(), features), &mut self.x_pairs) };
                let k = self.factors.places(features);
                for &Panel { start, registers, .. } in self.share.panels {
                    for gate in 0..gates {
                        let w = gates_of(start, k, gates) + gate * k * registers * I::LANES;
                        // SAFETY: the panel's gate in the packed weights, and its columns of A.
                        unsafe {
                            let column = gate * padded + start;
                            let product = Product {
                                factors: self.factors,
                                k,
                                a: x,
                                b: self.weights.w_x.as_ptr().add(w),
                                c: self.a.as_mut_ptr().add(row * width + column),
                                c_row: width,
                                s: self.weights.bias.as_ptr().add(column),
                                s_row: 0,
                            };
                            strip::<E, I>(run.len(), registers, product);
                        }
                    }
                }
            }
            row += run.len();
        }
    }

    /// `A_t + H_{t-1} W_h` of some steps at once, where all hidden states are known.
    #[inline(always)]
    fn recurrent_share<I: Simd<E>>(&mut self, steps: Range<usize>) {
        let Layout { shape, hidden, padded, .. } = *self.layout;
        let (gates, joined) = (shape.gates, shape.joined());
        let (width, apart_width) = (self.layout.row(), self.layout.apart_row());
        let rows: usize = steps.clone().map(|t| self.share.running(t)).sum();
        for u in self.u[..rows * apart_width].chunks_exact_mut(apart_width.max(1)) {
            u.copy_from_slice(&self.weights.bias_apart);
        }
        if !shape.recurrent_product() {
            return;
        }
        let (mut t, mut row) = (steps.start, 0);
        while t < steps.end {
            let before = self.hidden_before(t);
            let mut run = self.share.running(t);
            // Rows of the hidden states that lie one after the other.
            let first = t;
            t += 1;
            while first > 0
                && t < steps.end
                && self.share.packed(t - 1) == self.share.packed(first - 1) + run
            {
                run += self.share.running(t);
                t += 1;
            }
            if let Some(h) = before.filter(|_| self.weights.as_they_lie) {
                // SAFETY: so many rows of the hidden states, of A and of U.
                unsafe { self.products_of_rows::<I>(h, run, [row, row]) };
            } else if let Some(h) = before {
                let k = self.factors.places(hidden);
                // SAFETY: so many rows of the hidden states.
                let h = unsafe { self.factors.left(h, (run, hidden), &mut self.h_pairs) };
                for &Panel { start, registers, .. } in self.share.panels {
                    for gate in 0..gates {
                        // SAFETY: the panel's gate in the packed weights, and its columns of A and U.
                        unsafe {
                            let (c, c_row) = if gate < joined {
                                let column = gate * padded + start;
                                (self.a.as_mut_ptr().add(row * width + column), width)
                            } else {
                                let column = (gate - joined) * padded + start;
                                (self.u.as_mut_ptr().add(row * apart_width + column), apart_width)
                            };
                            let w = gates_of(start, k, gates) + gate * k * registers * I::LANES;
                            let b = self.weights.w_h.as_ptr().add(w);
                            let (s, s_row) = (c, c_row);
                            let factors = self.factors;
                            let product = Product { factors, k, a: h, b, c, c_row, s, s_row };
                            strip::<E, I>(run, registers, product);
                        }
                    }
                }
            }
            row += run;
        }
    }

    /// `A + H_{t-1} W_h` of some rows, one by one; the first ones of A and U are those.
    ///
    /// # Safety
    /// There are so many rows.
    unsafe fn products_of_rows<I: Simd<E>>(&mut self, h: Left<E>, rows: usize, first: [usize; 2]) {
        let Layout { shape: Shape { gates, .. }, padded, .. } = *self.layout;
        let joined = self.layout.shape.joined();
        let w_h = self.recurrence.w_h.expect("a product has weights");
        let (a, u) = (self.a.as_mut_ptr(), self.u.as_mut_ptr());
        for r in 0..rows {
            for gate in 0..gates {
                // SAFETY: the caller's rows; A and U have the gates.
                unsafe {
                    let to = if gate < joined {
                        a.add((first[0] + r) * self.layout.row() + gate * padded)
                    } else {
                        let row = (first[1] + r) * self.layout.apart_row();
                        u.add(row + (gate - joined) * padded)
                    };
                    self.row_product::<I>(h.start.add(r * h.row), (w_h, gate), to);
                }
            }
        }
    }

    /// The product of a row with this thread's columns of one gate, added to the gate's row.
    ///
    /// # Safety
    /// The row has as many numbers as the weights have rows; the gate's row is there.
    #[inline(always)]
    unsafe fn row_product<I: Simd<E>>(&self, a: *const E, (w, gate): (&[E], usize), to: *mut E) {
        let Layout { shape: Shape { gates, .. }, hidden, .. } = *self.layout;
        let [Some(first), Some(last)] = [self.share.panels.first(), self.share.panels.last()]
        else {
            return;
        };
        let b_row = gates * hidden;
        let columns = last.start + last.columns - first.start;
        let b = w[gate * hidden + first.start..].as_ptr();
        // SAFETY: the caller's promise; the weights have these columns, and this thread runs on the same machine.
        unsafe {
            let c = to.add(first.start);
            I::run(RowProduct { k: w.len() / b_row, a, b, b_row, columns, c });
        }
    }

    /// `A_t + H_{t-1} W_h`, then the cell's step. Its first row of A is `row`.
    #[inline(always)]
    fn step<I: Simd<E>>(&mut self, t: usize, row: usize, running: usize) {
        let Layout { shape, hidden, padded, .. } = *self.layout;
        let (gates, joined) = (shape.gates, shape.joined());
        let (width, apart_width) = (self.layout.row(), self.layout.apart_row());
        let before = self.hidden_before(t);
        let product = before.filter(|_| shape.recurrent_product());
        let product_follows = self.factors.are_rounded() && shape.recurrent_product();
        if product.is_none() {
            for u in self.u[..running * apart_width].chunks_exact_mut(apart_width.max(1)) {
                u.copy_from_slice(&self.weights.bias_apart);
            }
        }
        if let Some(h) = product.filter(|_| self.weights.as_they_lie) {
            for u in self.u[..running * apart_width].chunks_exact_mut(apart_width.max(1)) {
                u.copy_from_slice(&self.weights.bias_apart);
            }
            // SAFETY: so many rows of the hidden states, of A and of U.
            unsafe { self.products_of_rows::<I>(h, running, [row, 0]) };
            for panel in self.share.panels {
                self.panel_steps(t, 0..running, [row, 0], panel);
            }
            return;
        }
        let factors = self.factors;
        let k = factors.places(hidden);
        let product = match product {
            Some(_) if factors.are_rounded() => {
                let row = rounding::row(hidden);
                let start = self.pairs[t % 2].at(self.share.rows.start * row).cast_const();
                Some(Left { start, row, inner: 1 })
            }
            exact => exact,
        };
        let (features, x) = (self.recurrence.features, self.share.packed(t));
        let x = self.one_pass.then(|| {
            let x = self.recurrence.input[x * features..(x + running) * features].as_ptr();
            let x = Left { start: x, row: features, inner: 1 };
            // SAFETY: so many rows of X.
            unsafe { factors.left(x, (running, features), &mut self.x_pairs) }
        });
        let k_x = factors.places(features);
        let panels = self.share.panels;
        for i in 0..panels.len() {
            // There and back, so that each step begins with the panels that the last one has left in the cache.
            let panel = &panels[if t.is_multiple_of(2) { i } else { panels.len() - 1 - i }];
            if let Some(a) = x {
                for gate in 0..gates {
                    let column = gate * padded + panel.start;
                    let w =
                        gates_of(panel.start, k_x, gates) + gate * k_x * panel.registers * I::LANES;
                    // SAFETY: the panel's gate in the packed weights, and its columns of A.
                    unsafe {
                        let product = Product {
                            factors,
                            k: k_x,
                            a,
                            b: self.weights.w_x.as_ptr().add(w),
                            c: self.a.as_mut_ptr().add(row * width + column),
                            c_row: width,
                            s: self.weights.bias.as_ptr().add(column),
                            s_row: 0,
                        };
                        strip::<E, I>(running, panel.registers, product);
                    }
                }
            }
            // Rounded factors are few enough that all rows share a panel while it is in the cache.
            let at_once = if factors.are_rounded() { running } else { 0 };
            for rows in tiles_or_all::<E, I>(running, at_once) {
                if let Some(h) = product {
                    // SAFETY: the panel's gates in the packed weights, and its columns of A and U.
                    unsafe {
                        let gate = k * panel.registers * I::LANES;
                        let w = self.weights.w_h.as_ptr();
                        let w = w.add(gates_of(panel.start, k, gates));
                        let c = self.a.as_mut_ptr().add(row * width + panel.start);
                        let (s, b) = (c, w);
                        let (c_row, s_row) = (width, width);
                        let into_a = Product { factors, k, a: h, b, c, c_row, s, s_row };
                        let into_u = Product {
                            b: w.add(joined * gate),
                            c: self.u.as_mut_ptr().add(panel.start),
                            c_row: apart_width,
                            s: self.weights.bias_apart.as_ptr().wrapping_add(panel.start),
                            s_row: 0,
                            ..into_a
                        };
                        for (product, count) in [(into_a, joined), (into_u, shape.apart)] {
                            let product = product.at_row(rows.start);
                            if factors.are_rounded() {
                                for g in 0..count {
                                    let product = product.of_panel(g * gate, g * padded);
                                    strip::<E, I>(rows.len(), panel.registers, product);
                                }
                            } else if panel.registers == 2 {
                                I::tile_of_panels(rows.len(), count, (gate, padded), product);
                            } else {
                                for g in 0..count {
                                    I::tile(rows.len(), 1, product.of_panel(g * gate, g * padded));
                                }
                            }
                        }
                    }
                }
                self.panel_steps(t, rows, [row, 0], panel);
            }
            if product_follows && t + 1 < self.steps.end {
                self.round_states(t, panel);
            }
        }
    }

    /// `H_t` of one panel of units in pairs, for the products of the next step.
    #[inline(always)]
    fn round_states(&self, t: usize, panel: &Panel) {
        let hidden = self.layout.hidden;
        let row = rounding::row(hidden);
        let first = self.share.packed(t);
        for r in 0..self.share.running(t + 1) {
            // SAFETY: these rows and units are among those of this walk; a panel begins with a whole pair.
            unsafe {
                let from = self.hidden.at((first + r) * hidden + panel.start);
                let to = self.pairs[(t + 1) % 2].at((self.share.rows.start + r) * row);
                rounding::round(from, panel.columns, to.add(panel.start / 2));
            }
        }
    }

    /// The cell's step on one panel of units, of the given rows, whose first rows of A and U are those.
    #[inline(always)]
    fn panel_steps(
        &mut self,
        t: usize,
        rows: Range<usize>,
        [a_row, u_row]: [usize; 2],
        panel: &Panel,
    ) {
        let layout = *self.layout;
        let Layout { hidden, padded, .. } = layout;
        let Panel { start: unit, columns, registers } = *panel;
        let before = self.hidden_before(t);
        let (first, count) = (rows.start, rows.len());
        let packed = self.share.packed(t) + first;
        // SAFETY: these rows and units are among those of this walk.
        unsafe {
            let (hidden_before, hidden_before_row) = match before {
                Some(h) => (h.start.add(first * h.row + unit), h.row),
                None => (null(), 0),
            };
            let (tape_others, kept) = match self.tape {
                Some((others, kept)) => {
                    let row = packed - self.origin;
                    (others.at(row * layout.others() + unit), kept.at(row * layout.kept() + unit))
                }
                None => (null_mut(), null_mut()),
            };
            let rows = StepRows {
                rows: count,
                columns,
                padded,
                a: self.a.as_ptr().add((a_row + first) * layout.row() + unit),
                a_row: layout.row(),
                u: self.u.as_ptr().wrapping_add((u_row + first) * layout.apart_row() + unit),
                u_row: layout.apart_row(),
                hidden_before,
                hidden_before_row,
                others: self.others.at((self.share.rows.start + first) * layout.others() + unit),
                others_row: layout.others(),
                parameters: self.weights.parameters.as_ptr().wrapping_add(unit),
                hidden: match self.hidden {
                    Hidden::Write(all) => all.at(packed * hidden + unit),
                    Hidden::Read(_) => null_mut(),
                },
                hidden_row: hidden,
                tape_others,
                kept,
                kept_row: layout.kept(),
            };
            self.cell.step_rows(self.set, registers, &rows);
        }
    }

    /// Where `H_{t-1}` lies, unless it is zero.
    #[inline(always)]
    fn hidden_before(&self, t: usize) -> Option<Left<E>> {
        hidden_before(self.recurrence, self.layout, &self.hidden, t, self.share.rows.start)
    }
}

/// Where `H_{t-1}` of the rows of the batch from `first` on lies, unless it is zero.
#[inline(always)]
fn hidden_before<E: Element>(
    recurrence: &Recurrence<E>,
    layout: &Layout,
    hidden: &Hidden<E>,
    t: usize,
    first: usize,
) -> Option<Left<E>> {
    let Layout { hidden: units, shape: Shape { states, .. }, .. } = *layout;
    let (start, row) = if t > 0 {
        // The rows of the step before have been written.
        (hidden.at((recurrence.timeline.rows(t - 1).start + first) * units), units)
    } else {
        let row = states * units;
        (recurrence.initial?[first * row..].as_ptr(), row)
    };
    Some(Left { start, row, inner: 1 })
}
