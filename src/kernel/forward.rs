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
use super::product::{Left, Panel, panels, strip, tiles};
use super::simd::{Element, Simd, Work};
use super::threads::{Share, Shared, Team, in_shares};
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
        in_shares(recurrence.timeline, panels.len(), step, threads, |share| {
            let Share { rows, panels: own, team } = share;
            let ahead = (ROWS_AHEAD / rows.len()).max(1);
            let most = ahead * rows.len();
            let walk = RowsForward {
                cell,
                recurrence,
                layout: &layout,
                weights: &weights,
                keep,
                rows,
                panels: &panels[own],
                team,
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
    rows: Range<usize>,
    /// The units that this thread computes, and the threads that compute the others.
    panels: &'a [Panel],
    team: Option<&'a Team>,
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
        while t < timeline.time() && timeline.active(t) > self.rows.start {
            let end = (t + self.ahead).min(timeline.time());
            self.input_share::<I>(t..end);
            let mut row = 0;
            for t in t..end {
                let running = self.running(t);
                if running == 0 {
                    return;
                }
                self.step::<I>(t, row, running);
                self.end_rows(t);
                if let Some(team) = self.team {
                    team.meet();
                }
                row += running;
            }
            t = end;
        }
    }
}

impl<C: Cell, E: Element> RowsForward<'_, C, E> {
    /// How many of these rows run at step `t`.
    fn running(&self, t: usize) -> usize {
        self.recurrence.timeline.active(t).min(self.rows.end).saturating_sub(self.rows.start)
    }

    /// The first of these rows at step `t` among the rows of all steps.
    fn packed(&self, t: usize) -> usize {
        self.recurrence.timeline.rows(t).start + self.rows.start
    }

    /// `A = X W_x + b` of some steps, one after the other.
    #[inline(always)]
    fn input_share<I: Simd<E>>(&mut self, steps: Range<usize>) {
        let Layout { gates, hidden, padded, .. } = *self.layout;
        let width = self.layout.row();
        // Rows of X that lie one after the other.
        let mut runs: Vec<Range<usize>> = Vec::new();
        for t in steps {
            let rows = self.packed(t)..self.packed(t) + self.running(t);
            match runs.last_mut() {
                Some(run) if run.end == rows.start => run.end = rows.end,
                _ => runs.push(rows),
            }
        }
        let features = self.recurrence.features;
        let mut row = 0;
        for run in runs {
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
                for &Panel { start, registers, .. } in self.panels {
                    for gate in 0..gates {
                        let w = gates_of(start, features, gates)
                            + gate * features * registers * I::LANES;
                        // SAFETY: the panel's gate in the packed weights, and its columns of A.
                        unsafe {
                            let w = self.weights.w_x.as_ptr().add(w);
                            let a = self.a.as_mut_ptr().add(row * width + gate * padded + start);
                            strip::<E, I>(run.len(), registers, features, x, w, a, width, false);
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
        for panel in self.panels {
            for rows in tiles::<E, I>(running) {
                if let Some(h) = product {
                    // SAFETY: the panel's gates in the packed weights, and its columns of A and U.
                    unsafe {
                        let h = Left { start: h.start.add(rows.start * h.row), ..h };
                        let gate = hidden * panel.registers * I::LANES;
                        let w = self.weights.w_h.as_ptr();
                        let w = w.add(gates_of(panel.start, hidden, gates));
                        let a = self.a.as_mut_ptr().add((row + rows.start) * width + panel.start);
                        let u = self.u.as_mut_ptr().add(rows.start * apart_width + panel.start);
                        let apart_w = w.add(joined * gate);
                        if panel.registers == 2 {
                            let m = rows.len();
                            I::tile_of_panels(m, joined, hidden, h, (w, gate), (a, padded), width);
                            I::tile_of_panels(
                                m,
                                apart,
                                hidden,
                                h,
                                (apart_w, gate),
                                (u, padded),
                                apart_width,
                            );
                        } else {
                            let product = |w, to, to_row| {
                                I::tile(rows.len(), 1, hidden, h, w, to, to_row, false);
                            };
                            for g in 0..joined {
                                product(w.add(g * gate), a.add(g * padded), width);
                            }
                            for g in 0..apart {
                                product(apart_w.add(g * gate), u.add(g * padded), apart_width);
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
            let start = unsafe { self.hidden.at(self.packed(t - 1) * hidden) };
            return Some(Left { start, row: hidden, inner: 1 });
        }
        let row = states * hidden;
        self.recurrence.initial.map(|s| Left {
            start: s[self.rows.start * row..].as_ptr(),
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
            let to_hidden = self.hidden.at(self.packed(t) * hidden + unit);
            let to_others = self.others.at(self.others_after(t, 0) + unit);
            let to_kept = self.kept.at(self.packed(t) * layout.kept() + unit);
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
                        let row = (self.rows.start + r) * states + s;
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
        self.layout.others_after(self.recurrence.timeline, self.keep, t, self.rows.start + r)
    }

    /// The states of the rows whose last step was `t`.
    fn end_rows(&mut self, t: usize) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let (Some(first), Some(last)) = (self.panels.first(), self.panels.last()) else { return };
        let (start, units) = (first.start, last.start + last.columns - first.start);
        for r in self.running(t + 1)..self.running(t) {
            for s in 0..states - 1 {
                let from = self.others_after(t, r) + s * padded + start;
                let to = ((self.rows.start + r) * (states - 1) + s) * hidden + start;
                // SAFETY: the row's state, and its place among the last states.
                unsafe {
                    std::ptr::copy_nonoverlapping(self.others.at(from), self.last.at(to), units);
                }
            }
        }
    }
}
