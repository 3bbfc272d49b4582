//! The walk backward over time, and the gradients that are one product over all steps.
//!
//! ```text
//! dS_t = dO_t + dU_{t+1} W_hᵀ + …        the two sources meet
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```

use super::arena::Buffer;
use super::gradients::{Gradients, Sums, Wanted};
use super::lanes::Lanes;
use super::product::{self, Left, Panel, Product, panels, strip};
use super::simd::{Element, Simd, Work};
use super::threads::{Share, Shared, in_shares};
use super::{Layout, Machine, Recurrence, Tape};
use crate::cell::{self, Cell, InputShare, RecurrentShare, Row};
use std::ops::Range;

/// The gradient of all hidden states, `dO`: `[steps, hidden]`.
#[derive(Debug, Default)]
pub enum OutputGradient<'a, E> {
    /// Zero: the loss looks at the last states alone.
    #[default]
    Zero,
    /// To be read.
    Read(&'a [E]),
    /// To be read, and `dX`, which has as many columns, takes its place.
    Replace(&'a mut [E]),
}

impl<E> OutputGradient<'_, E> {
    /// How many numbers it has, and where: they are written to only if they are replaced.
    fn place(&mut self) -> Option<(usize, Shared<E>)> {
        match self {
            Self::Zero => None,
            Self::Read(d) => Some((d.len(), Shared(d.as_ptr().cast_mut()))),
            Self::Replace(d) => Some((d.len(), Shared(d.as_mut_ptr()))),
        }
    }
}

/// Where a backward walk starts from.
#[derive(Debug, Default)]
pub struct Upstream<'a, E> {
    /// `dO`.
    pub output: OutputGradient<'a, E>,
    /// The gradient of the other states after each row's last step, `[batch, (states − 1) × hidden]`.
    pub others: Option<&'a [E]>,
    /// For each time step, what it hands on of its gradient to the step before: all if not given.
    pub passes: Option<&'a [f64]>,
}

/// A walk backward over time that can stop before any step and go on.
#[derive(Debug)]
pub struct BackwardWalk<'a, C, E: Element> {
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    hidden: &'a [E],
    upstream: Upstream<'a, E>,
    /// `dO`.
    d_output: Option<Shared<E>>,
    wanted: Wanted,
    layout: Layout,
    /// The first step of those walked over.
    t: usize,
    /// `W_hᵀ` in panels of hidden units.
    w_h: Option<Buffer<E>>,
    parameters: Buffer<E>,
    /// What the step after hands back to the states of each row: source 2.
    carried: Buffer<E>,
    d_parameters: Buffer<E>,
    sums: Sums<E>,
}

impl<'a, C: Cell, E: Element> BackwardWalk<'a, C, E> {
    /// A walk that has not begun. `hidden` are the hidden states of all steps, `[steps, hidden]`.
    ///
    /// # Panics
    /// If a slice does not have its length.
    pub fn new(
        machine: Machine,
        cell: &'a C,
        recurrence: &'a Recurrence<'a, E>,
        hidden: &'a [E],
        upstream: Upstream<'a, E>,
        wanted: Wanted,
    ) -> Self {
        let threads = machine.threads_for(2 * recurrence.multiplications::<C>());
        let machine = Machine { threads, ..machine };
        Self::on_threads(machine, cell, recurrence, hidden, upstream, wanted)
    }

    /// The same on all the threads of the machine.
    pub(super) fn on_threads(
        machine: Machine,
        cell: &'a C,
        recurrence: &'a Recurrence<'a, E>,
        hidden: &'a [E],
        upstream: Upstream<'a, E>,
        wanted: Wanted,
    ) -> Self {
        recurrence.check::<C>();
        let (timeline, states) = (recurrence.timeline, cell::states::<C>());
        assert_eq!(hidden.len(), timeline.steps() * recurrence.hidden, "hidden states");
        let mut upstream = upstream;
        let Upstream { output, others, passes } = &mut upstream;
        assert!(output.place().is_none_or(|d| d.0 == hidden.len()), "the output's gradient");
        if let OutputGradient::Replace(_) = output {
            assert_eq!(recurrence.features, recurrence.hidden, "features in place of hidden units");
        }
        let last = timeline.batch() * (states - 1) * recurrence.hidden;
        assert!(others.is_none_or(|d| d.len() == last), "the last states' gradient");
        assert!(passes.is_none_or(|p| p.len() == timeline.time()), "one share a time step");
        let prepare = Prepare { machine, cell, recurrence, hidden, upstream, wanted };
        E::run(machine.set, prepare)
    }

    /// Walks back over the steps of the tape, the last of which is the step before those walked over.
    ///
    /// # Panics
    /// If there are steps between.
    pub fn over(&mut self, mut tape: Tape<E>) {
        assert_eq!(tape.steps.end, self.t, "the walk goes back step by step");
        for steps in self.blocks(&tape.steps).into_iter().rev() {
            self.t = steps.start;
            E::run(self.machine.set, Block { walk: self, tape: &mut tape, steps });
        }
    }

    /// Steps whose dA is in memory at a time: enough of them for the products of the weights' gradients.
    fn blocks(&self, steps: &Range<usize>) -> Vec<Range<usize>> {
        const LEAST_ROWS: usize = 1024;
        const BYTES: usize = 1 << 20;
        let row = size_of::<E>() * (self.layout.row() + self.layout.apart_row());
        let most = (BYTES / row).max(LEAST_ROWS);
        let timeline = self.recurrence.timeline;
        let mut blocks = Vec::new();
        let mut end = steps.end;
        while end > steps.start {
            let rows = |start: usize| timeline.rows_of(&(start..end)).len();
            let mut start = end - 1;
            while start > steps.start && rows(start - 1) <= most {
                start -= 1;
            }
            blocks.push(start..end);
            end = start;
        }
        blocks.reverse();
        blocks
    }

    /// The gradients.
    ///
    /// # Panics
    /// If the walk has not come to the first step.
    pub fn finish(self) -> Gradients<E> {
        assert_eq!(self.t, 0, "the walk has to come to the first step");
        let Layout { hidden, padded, states, parameters, .. } = self.layout;
        let mut gradients = self.sums.finish(self.recurrence, &self.layout, self.machine.threads);
        // What is carried past the first step is the gradient of the initial states.
        gradients.initial = self.wanted.initial.then(|| {
            let states = states * self.recurrence.timeline.batch();
            let mut initial = Buffer::stale(states * hidden);
            let carried = self.carried.chunks_exact(padded);
            for (state, carried) in initial.chunks_exact_mut(hidden).zip(carried) {
                state.copy_from_slice(&carried[..hidden]);
            }
            initial
        });
        gradients.parameters = self.wanted.parameters.then(|| {
            let mut sums = Buffer::zeros(parameters * hidden);
            for row in self.d_parameters.chunks_exact(parameters * padded) {
                for p in 0..parameters {
                    for unit in 0..hidden {
                        let sum = &mut sums[p * hidden + unit];
                        *sum = *sum + row[p * padded + unit];
                    }
                }
            }
            sums
        });
        gradients
    }
}

struct Prepare<'a, C, E: Element> {
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    hidden: &'a [E],
    upstream: Upstream<'a, E>,
    wanted: Wanted,
}

impl<'a, C: Cell, E: Element> Work<E> for Prepare<'a, C, E> {
    type Output = BackwardWalk<'a, C, E>;

    fn run<I: Simd<E>>(self) -> BackwardWalk<'a, C, E> {
        let Self { machine, cell, recurrence, hidden, mut upstream, wanted } = self;
        let threads = machine.threads;
        let d_output = upstream.output.place().map(|(_, place)| place);
        let replaces = matches!(upstream.output, OutputGradient::Replace(_));
        let d_input = d_output.filter(|_| replaces);
        let layout = Layout::new::<C, E, I>(recurrence.hidden);
        let batch = recurrence.timeline.batch();
        let w_h = recurrence.w_h.filter(|_| C::RECURRENT == RecurrentShare::Product);
        let product = C::INPUT == InputShare::Product;
        BackwardWalk {
            machine,
            cell,
            recurrence,
            hidden,
            upstream,
            d_output,
            wanted,
            layout,
            t: recurrence.timeline.time(),
            w_h: w_h.map(|w| I::pack_transposed(w, layout.hidden, &layout, threads)),
            parameters: layout.padded_parameters(recurrence),
            carried: Buffer::zeros(batch * layout.states * layout.padded),
            d_parameters: Buffer::zeros(batch * layout.parameters * layout.padded),
            sums: I::no_sums(recurrence, product, &layout, (wanted, d_input), threads),
        }
    }
}

/// The gradients of the pre-activations at some steps.
pub struct PreActivations<E: Element> {
    /// The rows of these steps among the rows of all steps.
    pub rows: Range<usize>,
    /// `dA`: a row of the layout's gates for each.
    pub a: Shared<E>,
    /// Numbers from one row of dA to the next.
    pub a_row: usize,
    /// `dU` of the gates that keep their halves apart; of the others it is `dA`.
    pub apart: Buffer<E>,
}

struct Block<'w, 'a, C, E: Element> {
    walk: &'w mut BackwardWalk<'a, C, E>,
    tape: &'w mut Tape<E>,
    steps: Range<usize>,
}

impl<C: Cell, E: Element> Work<E> for Block<'_, '_, C, E> {
    type Output = ();

    fn run<I: Simd<E>>(self) {
        let Self { walk, tape, steps } = self;
        let BackwardWalk { machine: Machine { threads, .. }, recurrence, layout, hidden, .. } =
            *walk;
        let rows = recurrence.timeline.rows_of(&steps);
        let of_a = if layout.in_place() { 0 } else { rows.len() * layout.row() };
        let mut a = Buffer::stale(of_a);
        let kept = Shared(tape.kept.as_mut_ptr());
        let (to_a, a_row) = if layout.in_place() {
            let on_tape = rows.start - recurrence.timeline.rows(tape.steps.start).start;
            // SAFETY: these rows are on the tape.
            (Shared(unsafe { kept.at(on_tape * layout.kept()) }), layout.kept())
        } else {
            (Shared(a.as_mut_ptr()), layout.row())
        };
        let tape = &*tape;
        let mut apart = Buffer::stale(rows.len() * layout.apart_row());
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let step = layout.gates * layout.hidden * layout.hidden;
        let bytes = step * size_of::<E>();
        let to_apart = Shared(apart.as_mut_ptr());
        let carried = Shared(walk.carried.as_mut_ptr());
        let d_parameters = Shared(walk.d_parameters.as_mut_ptr());
        let walk = &mut *walk;
        in_shares((recurrence.timeline, &steps), &panels, (step, bytes), threads, |share| {
            let walk = RowsBackward {
                cell: walk.cell,
                recurrence,
                layout: &layout,
                tape,
                kept,
                hidden,
                d_output: walk.d_output,
                d_others: walk.upstream.others,
                passes: walk.upstream.passes,
                to_initial: walk.wanted.initial,
                w_h: walk.w_h.as_ref(),
                parameters: &walk.parameters,
                steps: steps.clone(),
                origin: rows.start,
                share,
                carried,
                a: to_a,
                a_row,
                apart: to_apart,
                d_parameters,
            };
            // SAFETY: this thread runs on the same machine.
            unsafe { I::run(walk) }
        });
        let walked = PreActivations { rows, a: to_a, a_row, apart };
        I::add_to_sums(&mut walk.sums, recurrence, &layout, hidden, &walked, threads);
    }
}

/// The backward walk of some rows of the batch.
struct RowsBackward<'a, C, E: Element> {
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    tape: &'a Tape<E>,
    /// What the steps of the tape keep.
    kept: Shared<E>,
    hidden: &'a [E],
    d_output: Option<Shared<E>>,
    d_others: Option<&'a [E]>,
    passes: Option<&'a [f64]>,
    to_initial: bool,
    w_h: Option<&'a Buffer<E>>,
    parameters: &'a Buffer<E>,
    steps: Range<usize>,
    /// The first row of these steps among the rows of all steps.
    origin: usize,
    share: Share<'a>,
    carried: Shared<E>,
    a: Shared<E>,
    a_row: usize,
    apart: Shared<E>,
    d_parameters: Shared<E>,
}

impl<C: Cell, E: Element> Work<E> for RowsBackward<'_, C, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        for t in self.steps.clone().rev() {
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
            let passes = self.passes.map_or(1.0, |passes| passes[t]);
            if passes != 0.0 && (t > 0 || self.to_initial) {
                self.through_the_weights::<I>(t, running);
            }
            if passes != 1.0 {
                self.scale_carried(running, E::from_f64(passes));
            }
        }
    }
}

impl<C: Cell, E: Element> RowsBackward<'_, C, E> {
    /// The rows whose last step is `t` start from the gradient of their last states.
    fn take_up_ending_rows(&mut self, t: usize) {
        let Layout { hidden, padded, states, .. } = *self.layout;
        let Some(last) = self.d_others else { return };
        for r in self.share.running(t + 1)..self.share.running(t) {
            for s in 0..states - 1 {
                let row = self.share.rows.start + r;
                for panel in self.share.panels {
                    let from = &last[(row * (states - 1) + s) * hidden + panel.start..];
                    let to = (row * states + s + 1) * padded + panel.start;
                    // SAFETY: these rows and units of what is carried are this thread's.
                    unsafe {
                        let to = self.carried.at(to);
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to, panel.columns);
                    }
                }
            }
        }
    }

    /// Of the gradient only a share passes on to the step before.
    fn scale_carried(&self, running: usize, share: E) {
        let Layout { padded, states, .. } = *self.layout;
        let first = self.share.rows.start;
        for state in first * states..(first + running) * states {
            for panel in self.share.panels {
                for unit in panel.start..panel.start + panel.columns {
                    // SAFETY: these rows and units of what is carried are this thread's.
                    unsafe {
                        let carried = self.carried.at(state * padded + unit);
                        // Not the product with zero, which would keep an infinite gradient.
                        let zero = share == E::default();
                        *carried = if zero { share } else { *carried * share };
                    }
                }
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
        let first = self.share.packed(t);
        // SAFETY: what the caller promises.
        unsafe {
            let others = |row: usize| {
                self.tape
                    .others
                    .as_ptr()
                    .add((row + self.share.rows.start) * layout.others() + unit)
            };
            let timeline = self.recurrence.timeline;
            let others_before = others(self.tape.before(timeline, t));
            let others_after = others(self.tape.after(timeline, t));
            let in_block = first - self.origin;
            let on_tape = first - timeline.rows(self.tape.steps.start).start;
            let hidden_after = self.hidden.as_ptr().add(first * hidden + unit);
            let hidden_before =
                self.hidden.as_ptr().add(self.share.packed(t.saturating_sub(1)) * hidden + unit);
            let kept = self.kept.at(on_tape * layout.kept() + unit).cast_const();
            let learned = self.parameters.as_ptr().add(unit);
            let (a, apart) = (
                self.a.at(in_block * self.a_row + unit),
                self.apart.at(in_block * layout.apart_row() + unit),
            );
            let initial = self.recurrence.initial.filter(|_| t == 0);
            for r in 0..running {
                let row = self.share.rows.start + r;
                let carried = self.carried.at(row * states * padded + unit);
                let mut gradient: C::State<Lanes<E, I, N>> = Lanes::load_row(carried, padded);
                if let Some(d) = self.d_output {
                    let source_1 = Lanes::load_part(d.at((first + r) * hidden + unit), columns);
                    gradient.as_mut()[0] = source_1 + gradient.as_ref()[0];
                }
                let mut before = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                let mut after = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                after.as_mut()[0] = Lanes::load_part(hidden_after.add(r * hidden), columns);
                if t > 0 {
                    before.as_mut()[0] = Lanes::load_part(hidden_before.add(r * hidden), columns);
                } else if let Some(initial) = initial {
                    let from = initial.as_ptr().add(row * states * hidden + unit);
                    before.as_mut()[0] = Lanes::load_part(from, columns);
                }
                for s in 1..states {
                    let at = r * layout.others() + (s - 1) * padded;
                    after.as_mut()[s] = Lanes::load(others_after.add(at));
                    before.as_mut()[s] = Lanes::load(others_before.add(at));
                }
                let step = self.cell.derivative(
                    gradient,
                    before,
                    after,
                    Lanes::load_row(kept.add(r * layout.kept()), padded),
                    Lanes::load_row(learned, padded),
                );
                Lanes::store_row(a.add(r * self.a_row), padded, step.gates);
                Lanes::store_row(apart.add(r * layout.apart_row()), padded, step.apart);
                for s in 0..states {
                    let state = match step.state.as_ref()[s] {
                        Some(state) => state,
                        None => Lanes::splat(0.0),
                    };
                    state.store(carried.add(s * padded));
                }
                let sums = row * parameters * padded + unit;
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
        let row = self.share.packed(t) - self.origin;
        let inner = gates * padded;
        let full = product::panel::<E, I>();
        // SAFETY: the rows of this step, which have just been written, and this thread's carried states.
        let (a, u) =
            unsafe { (self.a.at(row * self.a_row), self.apart.at(row * self.layout.apart_row())) };
        let a = Left { start: a.cast_const(), row: self.a_row, inner: 1 };
        let u = Left { start: u.cast_const(), row: self.layout.apart_row(), inner: 1 };
        // The last panel may be only one register wide.
        let wide = self.share.panels.iter().take_while(|panel| panel.registers == 2).count();
        for panels in [&self.share.panels[..wide], &self.share.panels[wide..]] {
            let Some(&Panel { start, registers, .. }) = panels.first() else { continue };
            for (a, skip, k) in [(a, 0, joined), (u, joined, apart * padded)] {
                // SAFETY: as above, and these panels of the weights.
                unsafe {
                    let c = self.carried.at(self.share.rows.start * states * padded + start);
                    let c_row = states * padded;
                    let b = w_h.as_ptr().add(start * inner + skip * registers * I::LANES);
                    let product = Product { k, a, b, c, c_row, s: c, s_row: c_row };
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
}
