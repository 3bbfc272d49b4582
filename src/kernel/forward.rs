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
use super::{Layout, Recurrence, Tape};
use crate::cell::{Cell, InputShare, RecurrentShare, Row};
use std::ops::Range;

/// What the forward walk returns.
pub struct Walked<E: Element> {
    /// The hidden states of all steps: `[steps, hidden]`.
    pub hidden: Vec<E>,
    /// The other states after each row's last step: `[batch, (states − 1) × hidden]`.
    pub others: Vec<E>,
    /// What the backward walk needs, if it was asked for.
    pub tape: Option<Tape<E>>,
}

/// The forward walk.
pub(super) struct Forward<'a, C, E: Element> {
    pub cell: &'a C,
    pub recurrence: &'a Recurrence<'a, E>,
    pub keep: bool,
    pub threads: usize,
}

/// Rows of A that are computed at a time: enough for full tiles, few enough to stay in the cache.
const ROWS_AHEAD: usize = 56;

impl<C: Cell, E: Element> Work<E> for Forward<'_, C, E> {
    type Output = Walked<E>;

    fn run<I: Simd<E>>(self) -> Walked<E> {
        let Self { cell, recurrence, keep, threads } = self;
        let layout = Layout::new::<C, E, I>(recurrence.hidden);
        let (steps, batch) = (recurrence.timeline.steps(), recurrence.timeline.batch());
        let history = if keep { steps } else { batch };
        let mut others = Buffer::stale(history * layout.others());
        let mut kept = Buffer::stale(if keep { steps * layout.kept() } else { 0 });
        let mut hidden = Vec::with_capacity(steps * layout.hidden);
        let mut last = Vec::with_capacity(batch * (layout.states - 1) * layout.hidden);
        let weights = Weights::new::<C, I>(recurrence, &layout, threads);
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let step = layout.gates * layout.hidden * layout.hidden;
        let (to_others, to_kept) = (Shared(others.as_mut_ptr()), Shared(kept.as_mut_ptr()));
        let (to_hidden, to_last) = (Shared(hidden.as_mut_ptr()), Shared(last.as_mut_ptr()));
        in_shares(recurrence.timeline, &panels, step, threads, |share| {
            let ahead = (ROWS_AHEAD / share.rows.len()).max(1);
            let most = ahead * share.rows.len();
            let walk = RowsForward {
                cell,
                recurrence,
                layout: &layout,
                weights: &weights,
                keep,
                share,
                ahead,
                a: Buffer::stale(most * layout.row()),
                u: Buffer::stale(most * layout.apart_row()),
                hidden: to_hidden,
                others: to_others,
                kept: to_kept,
                last: to_last,
            };
            // SAFETY: this thread runs on the same machine.
            unsafe { I::run(walk) }
        });
        // SAFETY: each thread has written its rows of every step.
        unsafe {
            hidden.set_len(steps * layout.hidden);
            last.set_len(batch * (layout.states - 1) * layout.hidden);
        }
        Walked { hidden, others: last, tape: keep.then_some(Tape { others, kept }) }
    }
}

/// The weights as the forward walk reads them.
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

/// The walk of some rows of the batch.
struct RowsForward<'a, C, E: Element> {
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    weights: &'a Weights<E>,
    keep: bool,
    share: Share<'a>,
    /// Steps whose A is computed at a time.
    ahead: usize,
    a: Buffer<E>,
    u: Buffer<E>,
    hidden: Shared<E>,
    others: Shared<E>,
    kept: Shared<E>,
    last: Shared<E>,
}

impl<C: Cell, E: Element> Work<E> for RowsForward<'_, C, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        let timeline = self.recurrence.timeline;
        let mut t = 0;
        while t < timeline.time() && timeline.active(t) > self.share.rows.start {
            let end = (t + self.ahead).min(timeline.time());
            self.input_share::<I>(t..end);
            let mut row = 0;
            for t in t..end {
                let running = self.share.running(t);
                if running == 0 {
                    return;
                }
                self.step::<I>(t, row, running);
                self.end_rows(t);
                self.share.meet();
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
            for a in self.a[row * width..][..run.len() * width].chunks_exact_mut(width) {
                a.copy_from_slice(&self.weights.bias);
            }
            if C::INPUT == InputShare::Elementwise {
                for (a, x) in self.a[row * width..].chunks_exact_mut(width).zip(run.clone()) {
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
                            let product = Product {
                                k: features,
                                a: x,
                                b: self.weights.w_x.as_ptr().add(w),
                                c: self.a.as_mut_ptr().add(row * width + gate * padded + start),
                                c_row: width,
                                fresh: false,
                            };
                            strip::<E, I>(run.len(), registers, product);
                        }
                    }
                }
            }
            row += run.len();
        }
    }

    /// `A_t + H_{t-1} W_h`, then the cell's step. Its first row of A is `row`.
    #[inline(always)]
    fn step<I: Simd<E>>(&mut self, t: usize, row: usize, running: usize) {
        let Layout { gates, apart, hidden, padded, .. } = *self.layout;
        let joined = gates - apart;
        let (width, apart_width) = (self.layout.row(), self.layout.apart_row());
        for u in self.u[..running * apart_width].chunks_exact_mut(apart_width.max(1)) {
            u.copy_from_slice(&self.weights.bias_apart);
        }
        let before = self.hidden_before(t);
        let product = before.filter(|_| C::RECURRENT == RecurrentShare::Product);
        for panel in self.share.panels {
            for rows in tiles::<E, I>(running) {
                if let Some(h) = product {
                    // SAFETY: the panel's gates in the packed weights, and its columns of A and U.
                    unsafe {
                        let gate = hidden * panel.registers * I::LANES;
                        let w = self.weights.w_h.as_ptr();
                        let w = w.add(gates_of(panel.start, hidden, gates));
                        let into_a = Product {
                            k: hidden,
                            a: h,
                            b: w,
                            c: self.a.as_mut_ptr().add(row * width + panel.start),
                            c_row: width,
                            fresh: false,
                        };
                        let into_u = Product {
                            b: w.add(joined * gate),
                            c: self.u.as_mut_ptr().add(panel.start),
                            c_row: apart_width,
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
                // SAFETY: these rows and units are among those of this walk.
                unsafe {
                    if panel.registers == 2 {
                        self.cell_steps::<I, 2>(t, rows, row, panel, before);
                    } else {
                        self.cell_steps::<I, 1>(t, rows, row, panel, before);
                    }
                }
            }
        }
    }

    /// Where `H_{t-1}` lies, unless it is zero.
    #[inline(always)]
    fn hidden_before(&self, t: usize) -> Option<Left<E>> {
        let Layout { hidden, states, .. } = *self.layout;
        if t > 0 {
            // SAFETY: the rows of the step before have been written.
            let start = unsafe { self.hidden.at(self.share.packed(t - 1) * hidden) };
            return Some(Left { start, row: hidden, inner: 1 });
        }
        let row = states * hidden;
        self.recurrence.initial.map(|s| Left {
            start: s[self.share.rows.start * row..].as_ptr(),
            row,
            inner: 1,
        })
    }

    /// The cell's step on one panel of units, of the given rows, whose first row of A is `a_row`.
    #[inline(always)]
    unsafe fn cell_steps<I: Simd<E>, const N: usize>(
        &mut self,
        t: usize,
        rows: Range<usize>,
        a_row: usize,
        panel: &Panel,
        before: Option<Left<E>>,
    ) {
        let layout = *self.layout;
        let Layout { hidden, padded, states, .. } = layout;
        let Panel { start: unit, columns, .. } = *panel;
        // SAFETY: what the caller promises.
        unsafe {
            let a = self.a.as_ptr().add(a_row * layout.row() + unit);
            let u = self.u.as_ptr().add(unit);
            let parameters = self.weights.parameters.as_ptr().add(unit);
            let to_hidden = self.hidden.at(self.share.packed(t) * hidden + unit);
            let to_others = self.others.at(self.others_after(t, 0) + unit);
            let to_kept = self.kept.at(self.share.packed(t) * layout.kept() + unit);
            let others = if t > 0 {
                self.others.at(self.others_after(t - 1, 0) + unit).cast_const()
            } else {
                to_others
            };
            let initial = self.recurrence.initial.filter(|_| t == 0);
            for r in rows {
                let mut state = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                if let Some(h) = before {
                    state.as_mut()[0] = Lanes::load_part(h.start.add(r * h.row + unit), columns);
                }
                for s in 1..states {
                    if t > 0 {
                        let from = others.add(r * layout.others() + (s - 1) * padded);
                        state.as_mut()[s] = Lanes::load(from);
                    } else if let Some(given) = initial {
                        let row = (self.share.rows.start + r) * states + s;
                        let from = given.as_ptr().add(row * hidden + unit);
                        state.as_mut()[s] = Lanes::load_part(from, columns);
                    }
                }
                let (after, kept) = self.cell.step(
                    Lanes::load_row(a.add(r * layout.row()), padded),
                    Lanes::load_row(u.add(r * layout.apart_row()), padded),
                    state,
                    Lanes::load_row(parameters, padded),
                );
                let after = after.as_ref();
                after[0].store_part(to_hidden.add(r * hidden), columns);
                for (s, state) in after.iter().skip(1).enumerate() {
                    state.store(to_others.add(r * layout.others() + s * padded));
                }
                if self.keep {
                    Lanes::store_row(to_kept.add(r * layout.kept()), padded, kept);
                }
            }
        }
    }

    /// Where the states beside the hidden one lie after step `t`.
    #[inline(always)]
    fn others_after(&self, t: usize, r: usize) -> usize {
        self.layout.others_after(self.recurrence.timeline, self.keep, t, self.share.rows.start + r)
    }

    /// The states of the rows whose last step was `t`.
    fn end_rows(&mut self, t: usize) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let (Some(first), Some(last)) = (self.share.panels.first(), self.share.panels.last())
        else {
            return;
        };
        let (start, units) = (first.start, last.start + last.columns - first.start);
        for r in self.share.running(t + 1)..self.share.running(t) {
            for s in 0..states - 1 {
                let from = self.others_after(t, r) + s * padded + start;
                let to = ((self.share.rows.start + r) * (states - 1) + s) * hidden + start;
                // SAFETY: the row's state, and its place among the last states.
                unsafe {
                    std::ptr::copy_nonoverlapping(self.others.at(from), self.last.at(to), units);
                }
            }
        }
    }
}
