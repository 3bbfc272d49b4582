//! The walk backward over time, and the gradients that are one product over all steps.
//!
//! ```text
//! dS_t = dO_t + dU_{t+1} W_hᵀ + …        the two sources meet
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```

use super::arena::Buffer;
use super::forward::part;
use super::gradients::{Gradients, Wanted, after_the_walk, pack_transposed};
use super::lanes::Lanes;
use super::product::{Left, panels, strip};
use super::simd::{Element, Simd, Work};
use super::threads::{Shared, in_parallel, share_rows};
use super::{Layout, Recurrence, Tape};
use crate::cell::{Cell, RecurrentShare, Row};
use std::ops::Range;

/// The backward walk.
pub(super) struct Backward<'a, C, E: Element> {
    pub threads: usize,
    pub cell: &'a C,
    pub recurrence: &'a Recurrence<'a, E>,
    pub tape: &'a Tape<E>,
    /// The hidden states of all steps: `[steps, hidden]`.
    pub hidden: &'a [E],
    /// `dO`: `[steps, hidden]`.
    pub d_output: Option<&'a [E]>,
    /// The gradient of the other states after each row's last step.
    pub d_others: Option<&'a [E]>,
    pub wanted: Wanted,
}

/// The gradients of the pre-activations at all steps.
pub(super) struct PreActivations<E: Element> {
    /// `dA`: a row of the layout for each step of each row.
    pub a: Buffer<E>,
    /// `dU` of the gates that keep their halves apart; of the others it is `dA`.
    pub apart: Buffer<E>,
}

impl<C: Cell, E: Element> Work<E> for Backward<'_, C, E> {
    type Output = Gradients<E>;

    fn run<I: Simd<E>>(self) -> Gradients<E> {
        let Self { cell, recurrence, tape, hidden, d_output, d_others, wanted, threads } = self;
        let layout = Layout::new::<C, E, I>(recurrence.hidden);
        let (steps, batch) = (recurrence.timeline.steps(), recurrence.timeline.batch());
        let mut a = Buffer::stale(steps * layout.row());
        let mut apart = Buffer::stale(steps * layout.apart_row());
        let mut d_parameters = Buffer::zeros(batch * layout.parameters * layout.padded);
        let initial = if wanted.initial { batch * layout.states * layout.hidden } else { 0 };
        let mut d_initial = Vec::with_capacity(initial);
        let w_h = recurrence.w_h.filter(|_| C::RECURRENT == RecurrentShare::Product);
        let w_h = w_h.map(|w| pack_transposed::<E, I>(w, layout.hidden, &layout, threads));
        let rows = share_rows(recurrence.timeline, threads);
        let (to_a, to_apart) = (Shared(a.as_mut_ptr()), Shared(apart.as_mut_ptr()));
        let to_parameters = Shared(d_parameters.as_mut_ptr());
        let to_initial = Shared(d_initial.as_mut_ptr());
        in_parallel(rows.len(), |part| {
            let rows = rows[part].clone();
            let walk = RowsBackward {
                cell,
                recurrence,
                layout: &layout,
                tape,
                hidden,
                d_output,
                d_others,
                w_h: w_h.as_ref(),
                parameters: layout.padded_parameters(recurrence),
                carried: Buffer::zeros(rows.len() * layout.states * layout.padded),
                rows,
                to_initial: wanted.initial.then_some(to_initial),
                a: to_a,
                apart: to_apart,
                d_parameters: to_parameters,
            };
            // SAFETY: this thread runs on the same machine.
            unsafe { I::run(walk) }
        });
        // SAFETY: each thread has written its rows.
        unsafe { d_initial.set_len(initial) };
        let walked = PreActivations { a, apart };
        let mut gradients =
            after_the_walk::<C, E, I>(recurrence, &layout, hidden, &walked, wanted, threads);
        gradients.initial = wanted.initial.then_some(d_initial);
        gradients.parameters = wanted.parameters.then(|| {
            let mut sums = vec![E::default(); layout.parameters * layout.hidden];
            for row in d_parameters.chunks_exact(layout.parameters * layout.padded) {
                for p in 0..layout.parameters {
                    for unit in 0..layout.hidden {
                        let sum = &mut sums[p * layout.hidden + unit];
                        *sum = *sum + row[p * layout.padded + unit];
                    }
                }
            }
            sums
        });
        gradients
    }
}

/// The backward walk of some rows of the batch.
struct RowsBackward<'a, C, E: Element> {
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    tape: &'a Tape<E>,
    hidden: &'a [E],
    d_output: Option<&'a [E]>,
    d_others: Option<&'a [E]>,
    /// `W_hᵀ` in panels of hidden units.
    w_h: Option<&'a Buffer<E>>,
    parameters: Buffer<E>,
    /// What the step after hands back to the states of each row: source 2.
    carried: Buffer<E>,
    rows: Range<usize>,
    to_initial: Option<Shared<E>>,
    a: Shared<E>,
    apart: Shared<E>,
    d_parameters: Shared<E>,
}

impl<C: Cell, E: Element> Work<E> for RowsBackward<'_, C, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        let timeline = self.recurrence.timeline;
        for t in (0..timeline.time()).rev() {
            let running = self.running(t);
            if running == 0 {
                continue;
            }
            self.take_up_ending_rows(t);
            for r in 0..running {
                for unit in (0..self.layout.padded).step_by(I::LANES) {
                    // SAFETY: the row and the unit are among those of this walk.
                    unsafe { self.cell_derivative::<I>(t, r, unit) };
                }
            }
            if t > 0 || self.to_initial.is_some() {
                self.through_the_weights::<I>(t, running);
            }
        }
        self.end_at_the_initial_state();
    }
}

impl<C: Cell, E: Element> RowsBackward<'_, C, E> {
    /// How many of these rows run at step `t`.
    fn running(&self, t: usize) -> usize {
        self.recurrence.timeline.active(t).min(self.rows.end).saturating_sub(self.rows.start)
    }

    /// The first of these rows at step `t` among the rows of all steps.
    fn packed(&self, t: usize) -> usize {
        self.recurrence.timeline.rows(t).start + self.rows.start
    }

    /// The rows whose last step is `t` start from the gradient of their last states.
    fn take_up_ending_rows(&mut self, t: usize) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let Some(last) = self.d_others else { return };
        for r in self.running(t + 1)..self.running(t) {
            for s in 0..states - 1 {
                let from = ((self.rows.start + r) * (states - 1) + s) * hidden;
                self.carried[(r * states + s + 1) * padded..][..hidden]
                    .copy_from_slice(&last[from..from + hidden]);
            }
        }
    }

    /// The cell's derivative on one register of units of one row.
    #[inline(always)]
    unsafe fn cell_derivative<I: Simd<E>>(&mut self, t: usize, r: usize, unit: usize) {
        let Layout { hidden, padded, states, parameters, .. } = *self.layout;
        let timeline = self.recurrence.timeline;
        let count = (hidden - unit).min(I::LANES);
        let row = self.packed(t) + r;
        let initial = self
            .recurrence
            .initial
            .map(|given| &given[(self.rows.start + r) * states * hidden + unit..]);
        unsafe {
            let load = |from: *const E| Lanes::<E, I>(I::load(from));
            let others = |t: usize, s: usize| {
                let at = self.layout.others_after(timeline, true, t, self.rows.start + r);
                load(self.tape.others.as_ptr().add(at + (s - 1) * padded + unit))
            };
            let carried = self.carried.as_mut_ptr().add(r * states * padded + unit);
            let gradient = C::State::from_fn(|s| {
                let source_2 = load(carried.add(s * padded));
                match self.d_output.filter(|_| s == 0) {
                    Some(d) => part(d.as_ptr().add(row * hidden + unit), count) + source_2,
                    None => source_2,
                }
            });
            let before = C::State::from_fn(|s| match (t, initial) {
                (0, Some(initial)) => part(initial.as_ptr().add(s * hidden), count),
                (0, None) => Lanes::splat(0.0),
                _ if s == 0 => {
                    let row = self.packed(t - 1) + r;
                    part(self.hidden.as_ptr().add(row * hidden + unit), count)
                }
                _ => others(t - 1, s),
            });
            let after = C::State::from_fn(|s| match s {
                0 => part(self.hidden.as_ptr().add(row * hidden + unit), count),
                _ => others(t, s),
            });
            let kept = self.tape.kept.as_ptr().add(row * self.layout.kept() + unit);
            let step = self.cell.derivative(
                gradient,
                before,
                after,
                C::Kept::from_fn(|k| load(kept.add(k * padded))),
                C::Parameters::from_fn(|p| load(self.parameters.as_ptr().add(p * padded + unit))),
            );
            let a = self.a.at(row * self.layout.row() + unit);
            for (g, gate) in step.gates.into_iter().enumerate() {
                I::store(a.add(g * padded), gate.0);
            }
            let apart = self.apart.at(row * self.layout.apart_row() + unit);
            for (g, gate) in step.apart.into_iter().enumerate() {
                I::store(apart.add(g * padded), gate.0);
            }
            for (s, state) in step.state.into_iter().enumerate() {
                let state = state.unwrap_or_else(|| Lanes::splat(0.0));
                I::store(carried.add(s * padded), state.0);
            }
            let sums = (self.rows.start + r) * parameters * padded + unit;
            for (p, parameter) in step.parameters.into_iter().enumerate() {
                let sum = self.d_parameters.at(sums + p * padded);
                I::store(sum, (load(sum) + parameter).0);
            }
        }
    }

    /// `dH_{t-1} += dU_t W_hᵀ`.
    #[inline(always)]
    fn through_the_weights<I: Simd<E>>(&mut self, t: usize, running: usize) {
        let Layout { hidden, padded, gates, apart, states, .. } = *self.layout;
        let Some(w_h) = self.w_h else { return };
        let joined = (gates - apart) * padded;
        let row = self.packed(t);
        for panel in panels::<E, I>(hidden) {
            let width = panel.registers * I::LANES;
            // SAFETY: rows of dA and dU that this thread has just written, and its own carried states.
            unsafe {
                let w = w_h.as_ptr().add(panel.start * gates * padded);
                let c = self.carried.as_mut_ptr().add(panel.start);
                let product = |left: Left<E>, w: *const E, k: usize| {
                    let registers = panel.registers;
                    strip::<E, I>(running, registers, k, left, w, c, states * padded, false);
                };
                let start = self.a.at(row * self.layout.row());
                product(Left { start, row: self.layout.row(), inner: 1 }, w, joined);
                if apart > 0 {
                    let start = self.apart.at(row * self.layout.apart_row());
                    let left = Left { start, row: self.layout.apart_row(), inner: 1 };
                    product(left, w.add(joined * width), apart * padded);
                }
            }
        }
    }

    /// What is carried past the first step is the gradient of the initial states.
    fn end_at_the_initial_state(&mut self) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let Some(to) = self.to_initial else { return };
        for r in 0..self.rows.len() {
            for s in 0..states {
                let from = &self.carried[(r * states + s) * padded..][..hidden];
                let at = ((self.rows.start + r) * states + s) * hidden;
                // SAFETY: these rows of the initial states' gradient are this thread's.
                unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.at(at), hidden) };
            }
        }
    }
}
