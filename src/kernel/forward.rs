//! The walk forward over time.
//!
//! ```text
//! A   = X W_x + b                 some steps at a time
//! A_t = A_t + H_{t-1} W_h         panel by panel of hidden units, all gates of a panel together
//! S_t = step(A_t, S_{t-1})        on the panel's tiles while they are in the cache
//! ```

use super::arena::Buffer;
use super::lanes::Lanes;
use super::packing::gates_of;
use super::product::{Left, Panel, Product, panels, strip, tiles};
use super::simd::{Element, Simd, Work};
use super::threads::{Share, Shared, in_shares};
use super::{Layout, Machine, Recurrence, Tape, register_bytes};
use crate::cell::{self, Cell, InputShare, RecurrentShare, Row};
use std::ops::Range;

/// A walk forward over time that can stop after any step and go on.
#[derive(Debug)]
pub struct ForwardWalk<'a, C, E: Element> {
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    layout: Layout,
    weights: Weights<E>,
    /// The states beside the hidden one after each row's latest step, and at first the initial ones.
    others: Buffer<E>,
}

impl<'a, C: Cell, E: Element> ForwardWalk<'a, C, E> {
    /// A walk that has not begun.
    ///
    /// # Panics
    /// If the slices of the recurrence do not have their lengths.
    pub fn new(machine: Machine, cell: &'a C, recurrence: &'a Recurrence<'a, E>) -> Self {
        let threads = machine.threads_for(recurrence.multiplications::<C>());
        Self::on_threads(Machine { threads, ..machine }, cell, recurrence)
    }

    /// The same on all the threads of the machine.
    pub(super) fn on_threads(
        machine: Machine,
        cell: &'a C,
        recurrence: &'a Recurrence<'a, E>,
    ) -> Self {
        recurrence.check::<C>();
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
            HiddenStates::New(all) => (all.len(), timeline.rows_of(&(0..steps.end)).len() * units),
            HiddenStates::Known(all) => (all.len(), timeline.steps() * units),
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
pub enum HiddenStates<'h, E> {
    /// Those of the steps walked over are written; those before them have been.
    New(&'h mut [E]),
    /// All of them have been written by an earlier walk.
    Known(&'h [E]),
}

/// The states beside the hidden one between two steps.
#[derive(Debug)]
pub struct Border<E: Element>(Buffer<E>);

impl<E: Element> Border<E> {
    /// The bytes of a border.
    pub fn bytes<C: Cell>(batch: usize, hidden: usize) -> usize {
        batch * (cell::states::<C>() - 1) * register_bytes::<E>(hidden)
    }
}

struct Prepare<'a, C, E: Element> {
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
}

impl<'a, C: Cell, E: Element> Work<E> for Prepare<'a, C, E> {
    type Output = ForwardWalk<'a, C, E>;

    fn run<I: Simd<E>>(self) -> ForwardWalk<'a, C, E> {
        let Self { machine, cell, recurrence } = self;
        let layout = Layout::new::<C, E, I>(recurrence.hidden);
        let Layout { hidden, padded, states, .. } = layout;
        let mut others = Buffer::zeros(recurrence.timeline.batch() * layout.others());
        if let Some(initial) = recurrence.initial {
            for (row, initial) in initial.chunks_exact(states * hidden).enumerate() {
                for s in 1..states {
                    others[row * layout.others() + (s - 1) * padded..][..hidden]
                        .copy_from_slice(&initial[s * hidden..][..hidden]);
                }
            }
        }
        let weights = Weights::new::<C, I>(recurrence, &layout, machine.threads);
        ForwardWalk { machine, cell, recurrence, layout, weights, others }
    }
}

struct Advance<'w, 'a, C, E: Element> {
    walk: &'w mut ForwardWalk<'a, C, E>,
    steps: Range<usize>,
    hidden: HiddenStates<'w, E>,
    keep: bool,
}

/// Rows of A that are computed at a time: enough for full tiles, few enough to stay in the cache.
const ROWS_AHEAD: usize = 56;

impl<C: Cell, E: Element> Work<E> for Advance<'_, '_, C, E> {
    type Output = Option<Tape<E>>;

    fn run<I: Simd<E>>(self) -> Option<Tape<E>> {
        let Self { walk, steps, hidden, keep } = self;
        let ForwardWalk { machine, cell, recurrence, layout, weights, others } = walk;
        let timeline = recurrence.timeline;
        let mut tape = keep.then(|| Tape::new(timeline, steps.clone(), layout, others));
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let known = matches!(hidden, HiddenStates::Known(_));
        let step = if known { 0 } else { layout.gates * layout.hidden * layout.hidden };
        let bytes = step * size_of::<E>();
        let to_others = Shared(others.as_mut_ptr());
        let hidden = match hidden {
            HiddenStates::New(all) => Hidden::New(Shared(all.as_mut_ptr())),
            HiddenStates::Known(all) => Hidden::Known(all),
        };
        let to_tape = tape.as_mut().map(|tape| {
            let lead = tape.lead * layout.others();
            (Shared(tape.others[lead..].as_mut_ptr()), Shared(tape.kept.as_mut_ptr()))
        });
        in_shares((timeline, &steps), &panels, (step, bytes), machine.threads, |share| {
            let ahead = (ROWS_AHEAD / share.rows.len()).max(1);
            let most = ahead * share.rows.len();
            let walk = RowsForward {
                cell: *cell,
                recurrence,
                layout,
                weights,
                steps: steps.clone(),
                origin: timeline.rows(steps.start).start,
                share,
                ahead,
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

/// The weights as the forward walk reads them.
#[derive(Debug)]
struct Weights<E: Element> {
    /// `W_x` and `W_h` in panels of hidden units, the gates of a panel one after the other.
    w_x: Buffer<E>,
    w_h: Buffer<E>,
    /// What the pre-activations start from, and the recurrent halves that stay apart.
    bias: Buffer<E>,
    bias_apart: Buffer<E>,
    parameters: Buffer<E>,
}

impl<E: Element> Weights<E> {
    fn new<C: Cell, I: Simd<E>>(
        recurrence: &Recurrence<E>,
        layout: &Layout,
        threads: usize,
    ) -> Self {
        let joined = layout.gates - layout.apart;
        let mut bias = Buffer::zeros(layout.row());
        let mut bias_apart = Buffer::zeros(layout.apart_row());
        for gate in 0..layout.gates {
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
        let w_x = recurrence.w_x.filter(|_| C::INPUT == InputShare::Product);
        let w_h = recurrence.w_h.filter(|_| C::RECURRENT == RecurrentShare::Product);
        Self {
            w_x: w_x.map_or_else(empty, |w| I::pack_gates(w, layout, threads)),
            w_h: w_h.map_or_else(empty, |w| I::pack_gates(w, layout, threads)),
            bias,
            bias_apart,
            parameters: layout.padded_parameters(recurrence),
        }
    }
}

/// [`HiddenStates`] among threads.
#[derive(Clone, Copy)]
enum Hidden<'a, E> {
    New(Shared<E>),
    Known(&'a [E]),
}

impl<E> Hidden<'_, E> {
    /// Where the numbers from `index` on are read.
    ///
    /// # Safety
    /// There are so many, and they have been written.
    #[inline(always)]
    unsafe fn at(&self, index: usize) -> *const E {
        match self {
            // SAFETY: what the caller promises.
            Self::New(all) => unsafe { all.at(index).cast_const() },
            Self::Known(all) => all[index..].as_ptr(),
        }
    }
}

/// The walk of some rows of the batch.
struct RowsForward<'a, C, E: Element> {
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    weights: &'a Weights<E>,
    steps: Range<usize>,
    /// The first row of these steps among the rows of all steps.
    origin: usize,
    share: Share<'a>,
    /// Steps whose A is computed at a time.
    ahead: usize,
    a: Buffer<E>,
    u: Buffer<E>,
    hidden: Hidden<'a, E>,
    /// The other states after each row's latest step.
    others: Shared<E>,
    /// The other states after each of these steps, and what the steps keep.
    tape: Option<(Shared<E>, Shared<E>)>,
}

impl<C: Cell, E: Element> Work<E> for RowsForward<'_, C, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        let Range { start: mut t, end } = self.steps;
        // These rows may end before the others do.
        let last = (t..end).find(|&t| self.share.running(t) == 0).unwrap_or(end);
        while t < last {
            let end = (t + self.ahead).min(last);
            self.input_share::<I>(t..end);
            let known = matches!(self.hidden, Hidden::Known(_));
            if known {
                self.recurrent_share::<I>(t..end);
            }
            let mut row = 0;
            for t in t..end {
                let running = self.share.running(t);
                if known {
                    for panel in self.share.panels {
                        self.panel_steps::<I>(t, 0..running, [row; 2], panel);
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

impl<C: Cell, E: Element> RowsForward<'_, C, E> {
    /// `A = X W_x + b` of some steps, one after the other.
    #[inline(always)]
    fn input_share<I: Simd<E>>(&mut self, steps: Range<usize>) {
        let Layout { gates, hidden, padded, .. } = *self.layout;
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
            if C::INPUT == InputShare::Elementwise {
                for (a, x) in self.a[row * width..].chunks_exact_mut(width).zip(run.clone()) {
                    a.copy_from_slice(&self.weights.bias);
                    for gate in 0..gates {
                        let from = &self.recurrence.input[x * features + gate * hidden..][..hidden];
                        a[gate * padded..][..hidden].copy_from_slice(from);
                    }
                }
            } else {
                let x = &self.recurrence.input[run.start * features..run.end * features];
                let x = Left { start: x.as_ptr(), row: features, inner: 1 };
                for &Panel { start, registers, .. } in self.share.panels {
                    for gate in 0..gates {
                        let w = gates_of(start, features, gates)
                            + gate * features * registers * I::LANES;
                        // SAFETY: the panel's gate in the packed weights, and its columns of A.
                        unsafe {
                            let column = gate * padded + start;
                            let product = Product {
                                k: features,
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
        let Layout { gates, apart, hidden, padded, .. } = *self.layout;
        let joined = gates - apart;
        let (width, apart_width) = (self.layout.row(), self.layout.apart_row());
        let rows: usize = steps.clone().map(|t| self.share.running(t)).sum();
        for u in self.u[..rows * apart_width].chunks_exact_mut(apart_width.max(1)) {
            u.copy_from_slice(&self.weights.bias_apart);
        }
        if C::RECURRENT != RecurrentShare::Product {
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
            if let Some(h) = before {
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
                            let w = gates_of(start, hidden, gates)
                                + gate * hidden * registers * I::LANES;
                            let b = self.weights.w_h.as_ptr().add(w);
                            let (s, s_row) = (c, c_row);
                            let product = Product { k: hidden, a: h, b, c, c_row, s, s_row };
                            strip::<E, I>(run, registers, product);
                        }
                    }
                }
            }
            row += run;
        }
    }

    /// `A_t + H_{t-1} W_h`, then the cell's step. Its first row of A is `row`.
    #[inline(always)]
    fn step<I: Simd<E>>(&mut self, t: usize, row: usize, running: usize) {
        let Layout { gates, apart, hidden, padded, .. } = *self.layout;
        let joined = gates - apart;
        let (width, apart_width) = (self.layout.row(), self.layout.apart_row());
        let before = self.hidden_before(t);
        let product = before.filter(|_| C::RECURRENT == RecurrentShare::Product);
        if product.is_none() {
            for u in self.u[..running * apart_width].chunks_exact_mut(apart_width.max(1)) {
                u.copy_from_slice(&self.weights.bias_apart);
            }
        }
        for panel in self.share.panels {
            for rows in tiles::<E, I>(running) {
                if let Some(h) = product {
                    // SAFETY: the panel's gates in the packed weights, and its columns of A and U.
                    unsafe {
                        let gate = hidden * panel.registers * I::LANES;
                        let w = self.weights.w_h.as_ptr();
                        let w = w.add(gates_of(panel.start, hidden, gates));
                        let c = self.a.as_mut_ptr().add(row * width + panel.start);
                        let (s, b) = (c, w);
                        let into_a =
                            Product { k: hidden, a: h, b, c, c_row: width, s, s_row: width };
                        let into_u = Product {
                            b: w.add(joined * gate),
                            c: self.u.as_mut_ptr().add(panel.start),
                            c_row: apart_width,
                            s: self.weights.bias_apart.as_ptr().wrapping_add(panel.start),
                            s_row: 0,
                            ..into_a
                        };
                        for (product, count) in [(into_a, joined), (into_u, apart)] {
                            let product = product.at_row(rows.start);
                            if panel.registers == 2 {
                                I::tile_of_panels(rows.len(), count, (gate, padded), product);
                            } else {
                                for g in 0..count {
                                    I::tile(rows.len(), 1, product.of_panel(g * gate, g * padded));
                                }
                            }
                        }
                    }
                }
                self.panel_steps::<I>(t, rows, [row, 0], panel);
            }
        }
    }

    /// The cell's step on one panel of units, of the given rows, whose first rows of A and U are those.
    #[inline(always)]
    fn panel_steps<I: Simd<E>>(
        &mut self,
        t: usize,
        rows: Range<usize>,
        first: [usize; 2],
        panel: &Panel,
    ) {
        // SAFETY: these rows and units are among those of this walk.
        unsafe {
            if panel.registers == 2 {
                self.cell_steps::<I, 2>(t, rows, first, panel);
            } else {
                self.cell_steps::<I, 1>(t, rows, first, panel);
            }
        }
    }

    /// Where `H_{t-1}` lies, unless it is zero.
    #[inline(always)]
    fn hidden_before(&self, t: usize) -> Option<Left<E>> {
        let Layout { hidden, states, .. } = *self.layout;
        let first = self.share.rows.start;
        let (start, row) = if t > 0 {
            // SAFETY: the rows of the step before have been written.
            (unsafe { self.hidden.at(self.share.packed(t - 1) * hidden) }, hidden)
        } else {
            let row = states * hidden;
            (self.recurrence.initial?[first * row..].as_ptr(), row)
        };
        Some(Left { start, row, inner: 1 })
    }

    /// The same for panels of `N` registers.
    #[inline(always)]
    unsafe fn cell_steps<I: Simd<E>, const N: usize>(
        &mut self,
        t: usize,
        rows: Range<usize>,
        [a_row, u_row]: [usize; 2],
        panel: &Panel,
    ) {
        let layout = *self.layout;
        let Layout { hidden, padded, states, .. } = layout;
        let Panel { start: unit, columns, .. } = *panel;
        let before = self.hidden_before(t);
        // SAFETY: what the caller promises.
        unsafe {
            let a = self.a.as_ptr().add(a_row * layout.row() + unit);
            let u = self.u.as_ptr().add(u_row * layout.apart_row() + unit);
            let parameters = self.weights.parameters.as_ptr().add(unit);
            let to_hidden = match self.hidden {
                Hidden::New(all) => Some(all.at(self.share.packed(t) * hidden + unit)),
                Hidden::Known(_) => None,
            };
            let packed = self.share.packed(t) - self.origin;
            let others = self.others.at(self.share.rows.start * layout.others() + unit);
            let to_tape = self.tape.map(|(others, kept)| {
                let others = others.at(packed * layout.others() + unit);
                (others, kept.at(packed * layout.kept() + unit))
            });
            for r in rows {
                let others = others.add(r * layout.others());
                let mut state = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                if let Some(h) = before {
                    state.as_mut()[0] = Lanes::load_part(h.start.add(r * h.row + unit), columns);
                }
                for s in 1..states {
                    state.as_mut()[s] = Lanes::load(others.add((s - 1) * padded));
                }
                let (after, kept) = self.cell.step(
                    Lanes::load_row(a.add(r * layout.row()), padded),
                    Lanes::load_row(u.add(r * layout.apart_row()), padded),
                    state,
                    Lanes::load_row(parameters, padded),
                );
                let after = after.as_ref();
                if let Some(to_hidden) = to_hidden {
                    after[0].store_part(to_hidden.add(r * hidden), columns);
                }
                for (s, state) in after.iter().skip(1).enumerate() {
                    state.store(others.add(s * padded));
                }
                if let Some((others, to_kept)) = to_tape {
                    for (s, state) in after.iter().skip(1).enumerate() {
                        state.store(others.add(r * layout.others() + s * padded));
                    }
                    Lanes::store_row(to_kept.add(r * layout.kept()), padded, kept);
                }
            }
        }
    }
}
