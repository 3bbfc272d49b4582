//! The walk backward over time, and the gradients that are one product over all steps.
//!
//! ```text
//! dS_t = dO_t + dU_{t+1} W_hᵀ + …        the two sources meet
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```

use super::arena::Buffer;
use super::gradients::{Gradients, Wanted};
use super::lanes::Lanes;
use super::product::{self, Left, Panel, Product, panels, strip};
use super::simd::{Element, Simd, Work};
use super::threads::{Share, Shared, in_shares};
use super::{Layout, Recurrence, Tape};
use crate::cell::{Cell, InputShare, RecurrentShare, Row};

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
pub struct PreActivations<E: Element> {
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
        let w_h = w_h.map(|w| I::pack_transposed(w, layout.hidden, &layout, threads));
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let step = layout.gates * layout.hidden * layout.hidden;
        let (to_a, to_apart) = (Shared(a.as_mut_ptr()), Shared(apart.as_mut_ptr()));
        let to_parameters = Shared(d_parameters.as_mut_ptr());
        let to_initial = Shared(d_initial.as_mut_ptr());
        in_shares(recurrence.timeline, &panels, step, threads, |share| {
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
                carried: Buffer::zeros(share.rows.len() * layout.states * layout.padded),
                share,
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
        let product = C::INPUT == InputShare::Product;
        let mut gradients =
            I::after_the_walk(recurrence, product, &layout, hidden, &walked, wanted, threads);
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
    share: Share<'a>,
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
            let running = self.share.running(t);
            if running == 0 {
                continue;
            }
            self.take_up_ending_rows(t);
            for panel in self.share.panels {
                // SAFETY: these rows and units are among those of this walk.
                unsafe {
                    if panel.registers == 2 {
                        self.cell_derivatives::<I, 2>(t, running, panel);
                    } else {
                        self.cell_derivatives::<I, 1>(t, running, panel);
                    }
                }
            }
            self.share.meet();
            if t > 0 || self.to_initial.is_some() {
                self.through_the_weights::<I>(t, running);
            }
        }
        self.end_at_the_initial_state();
    }
}

impl<C: Cell, E: Element> RowsBackward<'_, C, E> {
    /// The rows whose last step is `t` start from the gradient of their last states.
    fn take_up_ending_rows(&mut self, t: usize) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let Some(last) = self.d_others else { return };
        for r in self.share.running(t + 1)..self.share.running(t) {
            for s in 0..states - 1 {
                let from = ((self.share.rows.start + r) * (states - 1) + s) * hidden;
                self.carried[(r * states + s + 1) * padded..][..hidden]
                    .copy_from_slice(&last[from..from + hidden]);
            }
        }
    }

    /// The cell's derivative on one panel of units of the running rows.
    #[inline(always)]
    unsafe fn cell_derivatives<I: Simd<E>, const N: usize>(
        &mut self,
        t: usize,
        running: usize,
        panel: &Panel,
    ) {
        let layout = *self.layout;
        let Layout { hidden, padded, states, parameters, .. } = layout;
        let Panel { start: unit, columns, .. } = *panel;
        let timeline = self.recurrence.timeline;
        let first = self.share.packed(t);
        // SAFETY: what the caller promises.
        unsafe {
            let others = |t: usize| {
                let at = layout.others_after(timeline, true, t, self.share.rows.start);
                self.tape.others.as_ptr().add(at + unit)
            };
            let (others_after, others_before) = (others(t), others(t.saturating_sub(1)));
            let hidden_after = self.hidden.as_ptr().add(first * hidden + unit);
            let hidden_before =
                self.hidden.as_ptr().add(self.share.packed(t.saturating_sub(1)) * hidden + unit);
            let kept = self.tape.kept.as_ptr().add(first * layout.kept() + unit);
            let learned = self.parameters.as_ptr().add(unit);
            let (a, apart) = (
                self.a.at(first * layout.row() + unit),
                self.apart.at(first * layout.apart_row() + unit),
            );
            let initial = self.recurrence.initial.filter(|_| t == 0);
            for r in 0..running {
                let carried = self.carried.as_mut_ptr().add(r * states * padded + unit);
                let mut gradient: C::State<Lanes<E, I, N>> = Lanes::load_row(carried, padded);
                if let Some(d) = self.d_output {
                    let from = d.as_ptr().add((first + r) * hidden + unit);
                    let source_1 = Lanes::load_part(from, columns);
                    gradient.as_mut()[0] = source_1 + gradient.as_ref()[0];
                }
                let mut before = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                let mut after = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                after.as_mut()[0] = Lanes::load_part(hidden_after.add(r * hidden), columns);
                if t > 0 {
                    before.as_mut()[0] = Lanes::load_part(hidden_before.add(r * hidden), columns);
                } else if let Some(initial) = initial {
                    let row = (self.share.rows.start + r) * states * hidden + unit;
                    before.as_mut()[0] = Lanes::load_part(initial.as_ptr().add(row), columns);
                }
                for s in 1..states {
                    let at = r * layout.others() + (s - 1) * padded;
                    after.as_mut()[s] = Lanes::load(others_after.add(at));
                    if t > 0 {
                        before.as_mut()[s] = Lanes::load(others_before.add(at));
                    } else if let Some(initial) = initial {
                        let row = ((self.share.rows.start + r) * states + s) * hidden + unit;
                        before.as_mut()[s] = Lanes::load_part(initial.as_ptr().add(row), columns);
                    }
                }
                let step = self.cell.derivative(
                    gradient,
                    before,
                    after,
                    Lanes::load_row(kept.add(r * layout.kept()), padded),
                    Lanes::load_row(learned, padded),
                );
                Lanes::store_row(a.add(r * layout.row()), padded, step.gates);
                Lanes::store_row(apart.add(r * layout.apart_row()), padded, step.apart);
                for s in 0..states {
                    let state = match step.state.as_ref()[s] {
                        Some(state) => state,
                        None => Lanes::splat(0.0),
                    };
                    state.store(carried.add(s * padded));
                }
                let sums = (self.share.rows.start + r) * parameters * padded + unit;
                for p in 0..parameters {
                    let sum = self.d_parameters.at(sums + p * padded);
                    (Lanes::load(sum) + step.parameters.as_ref()[p]).store(sum);
                }
            }
        }
    }

    /// `dH_{t-1} += dU_t W_hᵀ`.
    #[inline(always)]
    fn through_the_weights<I: Simd<E>>(&mut self, t: usize, running: usize) {
        let Layout { padded, gates, apart, states, .. } = *self.layout;
        let Some(w_h) = self.w_h else { return };
        let joined = (gates - apart) * padded;
        let row = self.share.packed(t);
        let inner = gates * padded;
        let full = product::panel::<E, I>();
        // SAFETY: the rows of this step, which have just been written, and this thread's carried states.
        let (a, u) = unsafe {
            (self.a.at(row * self.layout.row()), self.apart.at(row * self.layout.apart_row()))
        };
        let a = Left { start: a.cast_const(), row: self.layout.row(), inner: 1 };
        let u = Left { start: u.cast_const(), row: self.layout.apart_row(), inner: 1 };
        // The last panel may be only one register wide.
        let wide = self.share.panels.iter().take_while(|panel| panel.registers == 2).count();
        for panels in [&self.share.panels[..wide], &self.share.panels[wide..]] {
            let Some(&Panel { start, registers, .. }) = panels.first() else { continue };
            for (a, skip, k) in [(a, 0, joined), (u, joined, apart * padded)] {
                // SAFETY: as above, and these panels of the weights.
                unsafe {
                    let product = Product {
                        k,
                        a,
                        b: w_h.as_ptr().add(start * inner + skip * registers * I::LANES),
                        c: self.carried.as_mut_ptr().add(start),
                        c_row: states * padded,
                        fresh: false,
                    };
                    if running * 2 <= I::TILE_ROWS && registers == 2 {
                        let next = (full * inner, full);
                        I::tile_of_panels(running, panels.len(), next, product);
                    } else {
                        for i in 0..panels.len() {
                            let product = product.of_panel(i * full * inner, i * full);
                            strip::<E, I>(running, registers, product);
                        }
                    }
                }
                if apart == 0 {
                    break;
                }
            }
        }
    }

    /// What is carried past the first step is the gradient of the initial states.
    fn end_at_the_initial_state(&mut self) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let Some(to) = self.to_initial else { return };
        for r in 0..self.share.rows.len() {
            for s in 0..states {
                for panel in self.share.panels {
                    let from = &self.carried[(r * states + s) * padded + panel.start..];
                    let at = ((self.share.rows.start + r) * states + s) * hidden + panel.start;
                    // SAFETY: these rows and units of the initial states' gradient are this thread's.
                    unsafe {
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to.at(at), panel.columns);
                    }
                }
            }
        }
    }
}
