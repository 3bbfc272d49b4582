//! The walk backward over time, and the gradients that are one product over all steps.
//!
//! ```text
//! dS_t = dO_t + dU_{t+1} W_hᵀ + …        the two sources meet
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```

use super::arena::Buffer;
use super::formula::{DerivativeRows, Formula};
use super::gradients::{Gradients, Sums, Wanted};
use super::packing::inner_gate;
use super::product::{self, Factors, Left, Panel, Product, panels, strip};
use super::simd::{Element, InstructionSet, Simd, Work};
use super::threads::{Share, Shared, in_shares};
use super::{Layout, Machine, Recurrence, Tape, rounding};
use crate::cell::Shape;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::null;

/// The gradient of all hidden states, `dO`: `[steps, hidden]`.
#[derive(Debug, Default)]
pub(crate) enum OutputGradient<'a, E> {
    /// Zero: the loss looks at the last states alone.
    #[default]
    Zero,
    /// To be read.
    Read(&'a [E]),
    /// To be read, and `dX`, which has as many columns, takes its place.
    Replace(&'a mut [E]),
}

/// Where `dO` lies. What may be written over is borrowed for as long, and its reference is given up: there is no other way
/// to it than this pointer.
#[derive(Debug)]
struct OutputPlace<'a, E> {
    start: Shared<E>,
    replaced: bool,
    borrowed: PhantomData<&'a mut [E]>,
}

impl<'a, E> OutputPlace<'a, E> {
    /// `None` where `dO` is zero.
    ///
    /// # Panics
    /// If there are not as many numbers.
    fn new(output: OutputGradient<'a, E>, numbers: usize) -> Option<Self> {
        let (start, len, replaced) = match output {
            OutputGradient::Zero => return None,
            // It is written to only if it is replaced.
            OutputGradient::Read(d) => (Shared(d.as_ptr().cast_mut()), d.len(), false),
            OutputGradient::Replace(d) => {
                let len = d.len();
                (Shared(d.as_mut_ptr()), len, true)
            }
        };
        assert_eq!(len, numbers, "the output's gradient");
        Some(Self { start, replaced, borrowed: PhantomData })
    }
}

/// Where a backward walk starts from.
#[derive(Debug, Default)]
pub(crate) struct Upstream<'a, E> {
    /// `dO`.
    pub output: OutputGradient<'a, E>,
    /// The gradient of the other states after each row's last step, `[batch, (states − 1) × hidden]`.
    pub others: Option<&'a [E]>,
    /// For each time step, what it hands on of its gradient to the step before: all if not given.
    pub passes: Option<&'a [f64]>,
}

/// A walk backward over time that can stop before any step and go on.
#[derive(Debug)]
pub(crate) struct BackwardWalk<'a, E: Element> {
    machine: Machine,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
    hidden: &'a [E],
    d_output: Option<OutputPlace<'a, E>>,
    d_others: Option<&'a [E]>,
    passes: Option<&'a [f64]>,
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

impl<'a, E: Element> BackwardWalk<'a, E> {
    /// A walk that has not begun. `hidden` are the hidden states of all steps, `[steps, hidden]`.
    ///
    /// # Panics
    /// If a slice does not have its length.
    pub fn new(
        machine: Machine,
        cell: &'a dyn Formula<E>,
        recurrence: &'a Recurrence<'a, E>,
        hidden: &'a [E],
        upstream: Upstream<'a, E>,
        wanted: Wanted,
    ) -> Self {
        let shape = cell.shape();
        recurrence.check(&shape);
        let threads = machine.threads_for(2 * recurrence.multiplications(&shape));
        let machine = Machine { threads, ..machine };
        Self::on_threads(machine, cell, recurrence, hidden, upstream, wanted)
    }

    /// The same on all the threads of the machine.
    pub(super) fn on_threads(
        machine: Machine,
        cell: &'a dyn Formula<E>,
        recurrence: &'a Recurrence<'a, E>,
        hidden: &'a [E],
        upstream: Upstream<'a, E>,
        wanted: Wanted,
    ) -> Self {
        let shape = cell.shape();
        recurrence.check(&shape);
        let timeline = recurrence.timeline;
        assert_eq!(hidden.len(), timeline.steps() * recurrence.hidden, "hidden states");
        let Upstream { output, others: d_others, passes } = upstream;
        let d_output = OutputPlace::new(output, hidden.len());
        if d_output.as_ref().is_some_and(|d| d.replaced) {
            assert_eq!(recurrence.features, recurrence.hidden, "features in place of hidden units");
        }
        let last = timeline.batch() * (shape.states - 1) * recurrence.hidden;
        assert!(d_others.is_none_or(|d| d.len() == last), "the last states' gradient");
        assert!(passes.is_none_or(|p| p.len() == timeline.time()), "one share a time step");
        let prepare =
            Prepare { machine, cell, recurrence, hidden, d_output, d_others, passes, wanted };
        E::run(machine.set, prepare)
    }

    /// Walks back over the steps of the tape, the last of which is the step before those walked over.
    ///
    /// # Panics
    /// If there are steps between, or the tape is that of a walk over another batch, or of other sizes.
    pub fn over(&mut self, mut tape: Tape<E>) {
        assert_eq!(tape.steps.end, self.t, "the walk goes back step by step");
        tape.check(self.recurrence.timeline, &self.layout);
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
        let Layout { hidden, padded, shape: Shape { states, parameters, .. }, .. } = self.layout;
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

struct Prepare<'a, E: Element> {
    machine: Machine,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
    hidden: &'a [E],
    d_output: Option<OutputPlace<'a, E>>,
    d_others: Option<&'a [E]>,
    passes: Option<&'a [f64]>,
    wanted: Wanted,
}

impl<'a, E: Element> Work<E> for Prepare<'a, E> {
    type Output = BackwardWalk<'a, E>;

    fn run<I: Simd<E>>(self) -> BackwardWalk<'a, E> {
        let Self { machine, cell, recurrence, hidden, d_output, d_others, passes, wanted } = self;
        let (threads, factors) = (machine.threads, Factors::of::<E>(&machine));
        let d_input = d_output.as_ref().filter(|d| d.replaced).map(|d| d.start);
        let shape = cell.shape();
        let layout = Layout::new::<E, I>(shape, recurrence.hidden);
        let batch = recurrence.timeline.batch();
        let w_h = recurrence.w_h.filter(|_| shape.recurrent_product());
        BackwardWalk {
            machine,
            cell,
            recurrence,
            hidden,
            d_output,
            d_others,
            passes,
            wanted,
            layout,
            t: recurrence.timeline.time(),
            w_h: w_h.map(|w| I::pack_transposed(w, layout.hidden, &layout, factors, threads)),
            parameters: layout.padded_parameters(recurrence),
            carried: Buffer::zeros(batch * shape.states * layout.padded),
            d_parameters: Buffer::zeros(batch * shape.parameters * layout.padded),
            sums: I::no_sums(recurrence, &layout, (wanted, d_input), factors, threads),
        }
    }
}

/// The gradients of the pre-activations at some steps.
pub(crate) struct PreActivations<E: Element> {
    /// The rows of these steps among the rows of all steps.
    pub rows: Range<usize>,
    /// `dA`: a row of the layout's gates for each.
    pub a: Shared<E>,
    /// Numbers from one row of dA to the next.
    pub a_row: usize,
    /// `dU` of the gates that keep their halves apart; of the others it is `dA`.
    pub apart: Buffer<E>,
    /// Both in pairs, where factors are rounded.
    pub pairs: Pairs<E>,
}

/// Rows of dA and dU rounded, in pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs<E> {
    pub a: Shared<E>,
    pub u: Shared<E>,
    /// Places from one row to the next.
    pub a_row: usize,
    pub u_row: usize,
    /// Numbers from one gate to the next.
    pub gate: usize,
}

struct Block<'w, 'a, E: Element> {
    walk: &'w mut BackwardWalk<'a, E>,
    tape: &'w mut Tape<E>,
    steps: Range<usize>,
}

impl<E: Element> Work<E> for Block<'_, '_, E> {
    type Output = ();

    fn run<I: Simd<E>>(self) {
        let Self { walk, tape, steps } = self;
        let BackwardWalk { machine, recurrence, layout, hidden, .. } = *walk;
        let Machine { set, threads, .. } = machine;
        let factors = Factors::of::<E>(&machine);
        let rows = recurrence.timeline.rows_of(&steps);
        let of_a = if layout.in_place() { 0 } else { rows.len() * layout.row() };
        let mut a = Buffer::stale(of_a);
        let kept = Shared(tape.kept.as_mut_ptr());
        let (to_a, a_row) = if layout.in_place() {
            let on_tape = rows.start - recurrence.timeline.rows(tape.steps.start).start;
            (Shared(kept.at(on_tape * layout.kept())), layout.kept())
        } else {
            (Shared(a.as_mut_ptr()), layout.row())
        };
        let tape = &*tape;
        let mut apart = Buffer::stale(rows.len() * layout.apart_row());
        let panels: Vec<Panel> = panels::<E, I>(layout.hidden).collect();
        let step = layout.shape.gates * layout.hidden * layout.hidden;
        let bytes = factors.places(step) * size_of::<E>();
        let gate = inner_gate(&layout, factors);
        let [a_places, u_places] = if factors.are_rounded() {
            let Shape { gates, apart, .. } = layout.shape;
            [gates, apart].map(|count| if count == 0 { 0 } else { rounding::row(count * gate) })
        } else {
            [0, 0]
        };
        // Behind a gate's units there are zeros.
        let [mut a_pairs, mut u_pairs] = [a_places, u_places].map(|places| {
            if gate == layout.hidden {
                Buffer::<E>::stale(rows.len() * places)
            } else {
                Buffer::zeros(rows.len() * places)
            }
        });
        let pairs = Pairs {
            a: Shared(a_pairs.as_mut_ptr()),
            u: Shared(u_pairs.as_mut_ptr()),
            a_row: a_places,
            u_row: u_places,
            gate,
        };
        let to_apart = Shared(apart.as_mut_ptr());
        let carried = Shared(walk.carried.as_mut_ptr());
        let d_parameters = Shared(walk.d_parameters.as_mut_ptr());
        let walk = &mut *walk;
        in_shares((recurrence.timeline, &steps), &panels, (step, bytes), threads, |share| {
            let walk = RowsBackward {
                set,
                factors,
                pairs,
                cell: walk.cell,
                recurrence,
                layout: &layout,
                tape,
                kept,
                hidden,
                d_output: walk.d_output.as_ref().map(|d| d.start),
                d_others: walk.d_others,
                passes: walk.passes,
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
        let walked = PreActivations { rows, a: to_a, a_row, apart, pairs };
        I::add_to_sums(&mut walk.sums, recurrence, &layout, hidden, &walked, threads);
    }
}

/// The backward walk of some rows of the batch.
struct RowsBackward<'a, E: Element> {
    set: InstructionSet,
    factors: Factors,
    pairs: Pairs<E>,
    cell: &'a dyn Formula<E>,
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

impl<E: Element> Work<E> for RowsBackward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(mut self) {
        let _ready = self.factors.begin();
        for t in self.steps.clone().rev() {
            let running = self.share.running(t);
            if running == 0 {
                continue;
            }
            self.take_up_ending_rows(t);
            for panel in self.share.panels {
                self.panel_derivatives(t, running, panel);
                if self.factors.are_rounded() {
                    self.round_derivatives(t, running, panel);
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

impl<E: Element> RowsBackward<'_, E> {
    /// The rows whose last step is `t` start from the gradient of their last states.
    fn take_up_ending_rows(&mut self, t: usize) {
        let Layout { hidden, padded, shape: Shape { states, .. }, .. } = *self.layout;
        let Some(last) = self.d_others else { return };
        for r in self.share.running(t + 1)..self.share.running(t) {
            for s in 0..states - 1 {
                let row = self.share.rows.start + r;
                for panel in self.share.panels {
                    let from = &last[(row * (states - 1) + s) * hidden + panel.start..];
                    let to = (row * states + s + 1) * padded + panel.start;
                    let from = &from[..panel.columns];
                    // SAFETY: these rows and units of what is carried are this thread's.
                    unsafe {
                        let to = self.carried.at(to);
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                    }
                }
            }
        }
    }

    /// Of the gradient only a share passes on to the step before.
    fn scale_carried(&self, running: usize, share: E) {
        let Layout { padded, shape: Shape { states, .. }, .. } = *self.layout;
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
    fn panel_derivatives(&mut self, t: usize, running: usize, panel: &Panel) {
        let layout = *self.layout;
        let Layout { hidden, padded, shape: Shape { states, parameters, .. }, .. } = layout;
        let Panel { start: unit, columns, registers } = *panel;
        let (first, first_row) = (self.share.packed(t), self.share.rows.start);
        let timeline = self.recurrence.timeline;
        let others = |row: usize| {
            let row = (row + first_row) * layout.others();
            self.tape.others.as_ptr().wrapping_add(row + unit)
        };
        let in_block = first - self.origin;
        let on_tape = first - timeline.rows(self.tape.steps.start).start;
        let (hidden_before, hidden_before_row) = if t > 0 {
            let before = self.share.packed(t - 1) * hidden + unit;
            (self.hidden[before..].as_ptr(), hidden)
        } else if let Some(initial) = self.recurrence.initial {
            (initial[first_row * states * hidden + unit..].as_ptr(), states * hidden)
        } else {
            (null(), 0)
        };
        let rows = DerivativeRows {
            rows: running,
            columns,
            padded,
            carried: self.carried.at(first_row * states * padded + unit),
            carried_row: states * padded,
            d_output: match self.d_output {
                Some(d) => d.at(first * hidden + unit).cast_const(),
                None => null(),
            },
            hidden: self.hidden[first * hidden + unit..].as_ptr(),
            hidden_row: hidden,
            hidden_before,
            hidden_before_row,
            others_after: others(self.tape.after(timeline, t)),
            others_before: others(self.tape.before(timeline, t)),
            others_row: layout.others(),
            kept: self.kept.at(on_tape * layout.kept() + unit).cast_const(),
            kept_row: layout.kept(),
            parameters: self.parameters.as_ptr().wrapping_add(unit),
            a: self.a.at(in_block * self.a_row + unit),
            a_row: self.a_row,
            u: self.apart.at(in_block * layout.apart_row() + unit),
            u_row: layout.apart_row(),
            d_parameters: self.d_parameters.at(first_row * parameters * padded + unit),
            d_parameters_row: parameters * padded,
        };
        // SAFETY: these rows and units are among those of this walk, and this thread's alone.
        unsafe { self.cell.derivative_rows(self.set, registers, &rows) };
    }

    /// dA and dU of one panel of units in pairs.
    #[inline(always)]
    fn round_derivatives(&self, t: usize, running: usize, panel: &Panel) {
        let Layout { padded, shape: Shape { gates, apart, .. }, .. } = *self.layout;
        let Pairs { a, u, a_row, u_row, gate } = self.pairs;
        let first = self.share.packed(t) - self.origin;
        for row in first..first + running {
            let of_a = (gates, &self.a, row * self.a_row, &a, row * a_row);
            let of_u = (apart, &self.apart, row * self.layout.apart_row(), &u, row * u_row);
            for (count, from, from_row, to, to_row) in [of_a, of_u] {
                for g in 0..count {
                    // SAFETY: these rows and units are this thread's; a gate and a panel begin with a whole pair.
                    unsafe {
                        let from = from.at(from_row + g * padded + panel.start);
                        let to = to.at(to_row + (g * gate + panel.start) / 2);
                        rounding::round(from, panel.columns, to);
                    }
                }
            }
        }
    }

    /// `dH_{t-1} += dU_t W_hᵀ`.
    #[inline(always)]
    fn through_the_weights<I: Simd<E>>(&mut self, t: usize, running: usize) {
        let Layout { padded, shape: Shape { gates, apart, states, .. }, .. } = *self.layout;
        let Some(w_h) = self.w_h else { return };
        let factors = self.factors;
        let gate = factors.places(inner_gate(self.layout, factors));
        let (joined, inner) = ((gates - apart) * gate, gates * gate);
        let row = self.share.packed(t) - self.origin;
        let full = product::panel::<E, I>();
        // The rows of this step, which have just been written.
        let ([a, u], [a_row, u_row]) = if factors.are_rounded() {
            ([self.pairs.a, self.pairs.u], [self.pairs.a_row, self.pairs.u_row])
        } else {
            ([self.a, self.apart], [self.a_row, self.layout.apart_row()])
        };
        let a = Left { start: a.at(row * a_row).cast_const(), row: a_row, inner: 1 };
        let u = Left { start: u.at(row * u_row).cast_const(), row: u_row, inner: 1 };
        // The last panel may be only one register wide.
        let wide = self.share.panels.iter().take_while(|panel| panel.registers == 2).count();
        for panels in [&self.share.panels[..wide], &self.share.panels[wide..]] {
            let Some(&Panel { start, registers, .. }) = panels.first() else { continue };
            for (a, skip, k) in [(a, 0, joined), (u, joined, apart * gate)] {
                // SAFETY: the rows of this step, this thread's carried states, and these panels of the weights.
                unsafe {
                    let c = self.carried.at(self.share.rows.start * states * padded + start);
                    let c_row = states * padded;
                    let b = w_h.as_ptr().add(start * inner + skip * registers * I::LANES);
                    let product = Product { factors, k, a, b, c, c_row, s: c, s_row: c_row };
                    if !factors.are_rounded() && running * 2 <= I::TILE_ROWS && registers == 2 {
                        let next = (full * inner, full);
                        I::tile_of_panels(running, panels.len(), next, product);
                    } else {
                        for i in 0..panels.len() {
                            // There and back, as in the walk forward.
                            let i = if t.is_multiple_of(2) { i } else { panels.len() - 1 - i };
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
