//! The recursion over time, once for every cell: forward over `t = 1…T`, backward over
//! `t = T…1`.
//!
//! # Forward
//!
//! ```text
//! A        = X W_x + b_x                   all t at once, one product
//! U_t      = H_{t-1} W_h + b_h
//! S_t      = step(A_t + U_t, S_{t-1})      the hidden state H_t is the first of the states S_t
//! ```
//!
//! # Backward
//!
//! Let `L` be the loss. `H_t` reaches it in two ways: through the output of its own step, and
//! through the step after it. So `∂L/∂H_t` has two sources, and the walk adds them before it takes
//! the derivative of step `t`:
//!
//! ```text
//! dH_t     = dO_t                          source 1: the output of step t
//!          + dU_{t+1} W_hᵀ                 source 2: the next step, U_{t+1} = H_t W_h + b_h
//!          + the direct use of S_t by step t+1 (no product)
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```
//!
//! where `dO_t` is the gradient of the loss at the output of step `t`. Each weight is
//! used at every step, so its gradient is a sum over the steps, which is one product over all of
//! them once the walk has stored `dA` and `dU`:
//!
//! ```text
//! dW_x = Σ_t X_tᵀ dA_t     = Xᵀ dA            db_x = Σ_t Σ_rows dA_t
//! dW_h = Σ_t H_{t-1}ᵀ dU_t = H_prevᵀ dU       db_h = Σ_t Σ_rows dU_t
//! dX   = dA W_xᵀ                              dH_0 = dU_1 W_hᵀ + …
//! ```
//!
//! (Werbos 1990, "Backpropagation through time: what it does and how to do it".)
//!
//! Truncation multiplies the gradient from step `t + 1` by a share `p_{t+1}` before it reaches `dS_t`.
//!
//! # Stages around the step
//!
//! Each stage is optional: it exists if its operand does. Its derivative stands next to it below:
//!
//! ```text
//! recurrent dropout   U_t = (H_{t-1} ⊙ m) W_h + b_h       one mask m for all steps (Gal & Ghahramani 2016)
//! normalisation       A = n(X W_x) ⊙ g_x + b_x,  U_t = n(H_{t-1} W_h) ⊙ g_h + b_h     (Ba 2016)
//! projection          H_t = H̃_t W_p, where H̃_t is the hidden state from the step    (Sak 2014)
//! zoneout             S_t = S̃_t + z_t ⊙ (S_{t-1} − S̃_t)   z_t = 1 keeps the old state (Krueger 2017)
//! ```

use super::budget::{Costs, Plan};
use super::normalisation::Normalised;
use super::{AnyCell, Matrix, Operands, Timeline};
use crate::cell::Shape;
use crate::kernel::Precision;
use std::ops::Range;
use std::sync::Arc;

/// A recurrence that can be walked.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The cell.
    pub cell: AnyCell,
    /// Which rows run at which step.
    pub timeline: Arc<Timeline>,
    /// Hidden units.
    pub hidden: usize,
    /// For each time step, the share of the gradient that passes to the step before. If not given, all of it
    /// passes. See [`truncation`](super::truncation).
    pub passes: Option<Arc<[f64]>>,
    /// The most bytes that the forward walk may keep for the backward walk, not counting its operands and its
    /// output. Without a limit if not given. See [`budget`](super::budget).
    pub memory_budget: Option<usize>,
    /// What the products multiply.
    pub precision: Precision,
}

/// The tape of a forward walk over some steps for the backward walk.
#[derive(Clone, Debug)]
pub struct Tape<M> {
    steps: Range<usize>,
    /// The states, hidden first: `states[0]` before the first of the steps, then those after each,
    /// `[active(t), …]` each.
    states: Vec<Vec<M>>,
    /// The states from the cell's step, before projection and zoneout.
    stepped: Vec<Vec<M>>,
    /// What each step kept for its derivative.
    kept: Vec<Vec<M>>,
    /// The normalised product of the input, and of the hidden state at each step.
    normalised_input: Option<Normalised<M>>,
    normalised_hidden: Vec<Normalised<M>>,
}

impl<M: Matrix> Tape<M> {
    /// The hidden states of the steps, packed: `[steps, output]`.
    pub fn hidden(&self) -> M {
        M::stack_rows(self.states[1..].iter().map(|state| state[0].clone()).collect())
    }

    /// The states after each of the steps, hidden first.
    pub fn states(&self) -> &[Vec<M>] {
        &self.states[1..]
    }

    /// What each of the steps kept for its derivative.
    pub fn kept(&self) -> &[Vec<M>] {
        &self.kept
    }

    /// The normalised product of the input at step `t`, if it is normalised.
    pub(super) fn normalised_input(&self, t: usize, timeline: &Timeline) -> Option<Normalised<M>> {
        let (rows, origin) = (timeline.rows(t), timeline.rows_of(&self.steps).start);
        let normalised = self.normalised_input.as_ref();
        normalised.map(|all| all.rows(rows.start - origin..rows.end - origin))
    }

    /// The states after the last of the steps, hidden first.
    pub fn after(&self) -> &[M] {
        self.states.last().expect("the states before the first step")
    }

    /// The state after each row's last step, hidden first, if these are all steps: `[batch, …]` each.
    pub fn last(&self, timeline: &Timeline) -> Vec<M> {
        let mut last = Last::default();
        for (t, states) in self.steps.clone().zip(self.states()) {
            last.add(timeline, t, states);
        }
        last.stacked()
    }
}

/// The states after each row's last step, gathered while the rows end: the shortest row first.
pub(super) struct Last<M>(Vec<Vec<M>>);

impl<M> Default for Last<M> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<M: Matrix> Last<M> {
    /// Takes the rows that end at step `t`.
    pub fn add(&mut self, timeline: &Timeline, t: usize, states: &[M]) {
        let (running, going_on) = (timeline.active(t), timeline.active(t + 1));
        if running > going_on {
            self.0.push(states.iter().map(|state| state.rows(going_on..running)).collect());
        }
    }

    /// `[batch, …]` each, hidden first.
    pub fn stacked(&self) -> Vec<M> {
        let of =
            |s: usize| M::stack_rows(self.0.iter().rev().map(|ends| ends[s].clone()).collect());
        (0..self.0[0].len()).map(of).collect()
    }
}

/// The gradients at which the backward walk starts: those of the output and of the last states.
#[derive(Clone, Debug)]
pub struct Upstream<M> {
    /// `dO`: the gradient of the loss at each step's output, packed `[steps, output]`.
    pub output: Option<M>,
    /// The gradient of the states after each row's last step, hidden first, `[batch, …]` each.
    pub last: Vec<Option<M>>,
}

/// The result of the backward walk.
pub struct Walked<M> {
    /// The gradient of each wanted operand.
    pub gradients: Operands<Option<M>>,
    /// `∂L/∂S_t` at every step, both sources together, `[active(t), …]` each.
    pub states: Vec<Vec<M>>,
}

impl Walk {
    /// Walks forward over all steps and keeps the tape for the backward walk.
    pub fn forward<M: Matrix>(&self, operands: &Operands<Option<M>>) -> Tape<M> {
        self.forward_over(operands, 0..self.timeline.time(), self.initial_state(operands))
    }

    /// Walks forward over some steps from the states before them, hidden first.
    pub fn forward_over<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        steps: Range<usize>,
        before: Vec<M>,
    ) -> Tape<M> {
        let Self { cell, timeline, hidden, .. } = self;
        let hidden = *hidden;
        let Shape { gates, apart, states, .. } = cell.shape();
        let joined = (gates - apart) * hidden;
        let parameters = parameters(&cell.shape(), operands);
        let packed = timeline.rows_of(&steps);
        let (a, normalised_input) = self.input_share(operands, packed.clone());
        let mut tape = Tape {
            steps: steps.clone(),
            states: vec![before],
            stepped: Vec::with_capacity(steps.len()),
            kept: Vec::with_capacity(steps.len()),
            normalised_input,
            normalised_hidden: Vec::new(),
        };
        for t in steps {
            let passing = |state: M| match self.passes(t) {
                1.0 => state,
                share => state.passing(share),
            };
            let before: Vec<M> = tape
                .after()
                .iter()
                .map(|state| passing(state.rows(0..timeline.active(t))))
                .collect();
            let rows = timeline.rows(t);
            let a_t = a.rows(rows.start - packed.start..rows.end - packed.start);
            let u_t = match self.recurrent_share(operands, &before[0]) {
                Some((u_t, normalised)) => {
                    tape.normalised_hidden.extend(normalised);
                    Some(u_t)
                }
                None => None,
            };
            let block = |m: &M, from: usize| m.columns(from..from + hidden);
            let sum = match &u_t {
                Some(u_t) if joined > 0 => a_t.columns(0..joined) + u_t.columns(0..joined),
                _ => a_t.clone(),
            };
            let of_gates = (0..gates).map(|g| {
                let from = g * hidden;
                block(if from < joined { &sum } else { &a_t }, from)
            });
            let of_apart = (0..apart).map(|g| {
                let u_t = u_t.as_ref().expect("a cell with gates apart has a recurrent product");
                block(u_t, joined + g * hidden)
            });
            let inputs = of_gates.chain(of_apart).chain(before.iter().cloned());
            let outputs = cell.step().run(inputs.chain(parameters.iter().cloned()));
            let mut outputs = outputs.into_iter().map(|output| output.expect("a step says all"));
            let stepped: Vec<M> = outputs.by_ref().take(states).collect();
            let kept: Vec<M> = outputs.collect();
            let mut after = stepped.clone();
            if let Some(w_p) = &operands.w_p {
                after[0] = self.product(&stepped[0], w_p);
            }
            if let Some(zoneout) = &operands.zoneout {
                let z = self.zoneout(zoneout, t, &after);
                for ((after, before), z) in after.iter_mut().zip(&before).zip(z) {
                    *after = after.clone() + z * (before.clone() - after.clone());
                }
            }
            tape.states.push(after);
            tape.stepped.push(stepped);
            tape.kept.push(kept);
        }
        tape
    }

    /// Walks backward over all steps. Only the `wanted` gradients of the operands are computed.
    pub fn backward<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        tape: &Tape<M>,
        upstream: &Upstream<M>,
        wanted: &Operands<bool>,
    ) -> Walked<M> {
        let mut states = Vec::new();
        let mut walk = WalkBack::new(self, operands, upstream.clone(), *wanted);
        walk.over(tape, |d_states| states.push(d_states));
        states.reverse();
        Walked { gradients: walk.finish(), states }
    }

    /// The derivative of step `t`, one of the tape's steps: from `dS_t` to the gradients of all inputs of the
    /// step. With `copies` each row has that many gradients, one copy of all rows after the other, and no
    /// sums over the rows.
    pub(super) fn step_back<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        transposed: &Transposed<M>,
        tape: &Tape<M>,
        t: usize,
        d_state: Vec<M>,
        copies: usize,
    ) -> StepBack<M> {
        let copied = |m: M| if copies == 1 { m } else { M::stack_rows(vec![m; copies]) };
        let running = self.timeline.active(t);
        let Shape { gates, apart, states, .. } = self.cell.shape();
        let i = t - tape.steps.start;
        let before: Vec<M> =
            tape.states[i].iter().map(|state| copied(state.rows(0..running))).collect();

        // Zoneout: the share z of dS_t goes to the old state and the rest to the step.
        let mut d_stepped = d_state;
        let mut d_before: Vec<Sum<M>> = (0..d_stepped.len()).map(|_| Sum(None)).collect();
        if let Some(zoneout) = &operands.zoneout {
            let z = self.zoneout(zoneout, t, &d_stepped);
            for ((d, d_before), z) in d_stepped.iter_mut().zip(&mut d_before).zip(z) {
                let z = if zoneout.shape()[0] == 1 { z } else { copied(z) };
                let stays = z * d.clone();
                *d = d.clone() - stays.clone();
                d_before.add(stays);
            }
        }
        // Projection: H_t = H̃_t W_p, so dH̃_t = dH_t W_pᵀ.
        let mut d_projected = None;
        if let Some(w_p) = &transposed.w_p {
            let projected = self.product(&d_stepped[0], w_p);
            d_projected = Some(std::mem::replace(&mut d_stepped[0], projected));
        }
        let of_states = |of: &[M]| of.iter().map(|m| copied(m.clone())).collect::<Vec<M>>();
        let inputs = d_stepped.iter().cloned().chain(before.iter().cloned());
        let inputs = inputs.chain(of_states(&tape.stepped[i])).chain(of_states(&tape.kept[i]));
        let inputs = inputs.chain(transposed.parameters.iter().cloned());
        let mut outputs = self.cell.derivative().run(inputs).into_iter();
        let given = |output: Option<M>| output.expect("only an old state may have no gradient");
        let d_gates: Vec<M> = outputs.by_ref().take(gates).map(given).collect();
        let d_apart: Vec<M> = outputs.by_ref().take(apart).map(given).collect();
        for (sum, d) in d_before.iter_mut().zip(outputs.by_ref().take(states)) {
            d.into_iter().for_each(|d| sum.add(d));
        }
        let d_parameters: Vec<M> = outputs.map(given).collect();
        let (mut d_u, mut d_product) = (None, None);
        if let Some(w_h) = &transposed.w_h {
            let mut halves: Vec<M> = d_gates[..gates - apart].to_vec();
            halves.extend(d_apart);
            let halves = M::stack_columns(halves);
            let d = match &operands.gain_h {
                Some(gain) => tape.normalised_hidden[i].copied(copies).back(halves.clone(), gain),
                None => halves.clone(),
            };
            let mask = operands.recurrent_mask.as_ref();
            let through_weights = self.product(&d, w_h);
            d_before[0].add(match mask {
                Some(mask) => through_weights * copied(mask.rows(0..running)),
                None => through_weights,
            });
            (d_u, d_product) = (Some(halves), Some(d));
        }
        let passing = |d: M| match self.passes(t) {
            0.0 => None,
            1.0 => Some(d),
            share => Some(d.times(share)),
        };
        StepBack {
            d_a: M::stack_columns(d_gates),
            d_u,
            d_product,
            d_projected,
            d_parameters,
            d_before: d_before.into_iter().map(|sum| sum.0.and_then(passing)).collect(),
        }
    }

    /// The plan: which steps keep their tape and which are walked again.
    pub(super) fn plan(&self, costs: impl FnOnce() -> Costs) -> Plan {
        match self.memory_budget {
            None => Plan::Keep(0..self.timeline.time()),
            Some(budget) => costs().plan(budget).unwrap_or_else(|error| panic!("{error}")),
        }
    }

    /// The product `a b`, of rounded factors if they are to be rounded.
    pub(super) fn product<M: Matrix>(&self, a: &M, b: &M) -> M {
        match self.precision {
            Precision::Full => a.product(b),
            Precision::Bf16 => a.clone().rounded().product(&b.clone().rounded()),
        }
    }

    /// The share of the gradient that passes from step `t` to the step before.
    fn passes(&self, t: usize) -> f64 {
        self.passes.as_ref().map_or(1.0, |passes| passes[t])
    }

    /// The width of the output: that of the projection, or the hidden units.
    pub fn output<M: Matrix>(&self, operands: &Operands<Option<M>>) -> usize {
        operands.w_p.as_ref().map_or(self.hidden, |w_p| w_p.shape()[1])
    }

    /// Source 2 of `∂L/∂S_t`: the gradient from step `t + 1` for the rows that continue, and the gradient
    /// of the last state for the rows that end at step `t`.
    fn source_2<M: Matrix>(
        &self,
        t: usize,
        carried: Option<M>,
        last: &Option<M>,
        like: &M,
    ) -> Option<M> {
        let (running, going_on) = (self.timeline.active(t), self.timeline.active(t + 1));
        if going_on == running {
            return carried;
        }
        let [_, columns] = like.shape();
        let ending = last.as_ref().map(|d| d.rows(going_on..running));
        match (carried, ending) {
            (None, None) => None,
            (None, Some(ending)) if going_on == 0 => Some(ending),
            (carried, ending) => Some(M::stack_rows(vec![
                carried.unwrap_or_else(|| like.zeros(going_on, columns)),
                ending.unwrap_or_else(|| like.zeros(running - going_on, columns)),
            ])),
        }
    }

    /// `A = X W_x + b_x` for some rows.
    fn input_share<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        rows: Range<usize>,
    ) -> (M, Option<Normalised<M>>) {
        let x = operands.input.as_ref().expect("a recurrence has an input").rows(rows);
        let w_x = operands.w_x.as_ref().filter(|_| self.cell.shape().input_product());
        let product = match w_x {
            Some(w_x) => self.product(&x, w_x),
            None => x,
        };
        share(product, &operands.gain_x, &operands.b_x)
    }

    /// `U_t = H_{t-1} W_h + b_h`, where the cell has a recurrent product.
    fn recurrent_share<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        before: &M,
    ) -> Option<(M, Option<Normalised<M>>)> {
        let w_h = operands.w_h.as_ref().filter(|_| self.cell.shape().recurrent_product())?;
        let product = self.product(&masked(before.clone(), &operands.recurrent_mask), w_h);
        Some(share(product, &operands.gain_h, &operands.b_h))
    }

    /// `z_t` for each state. One row of shares serves all steps.
    fn zoneout<M: Matrix>(&self, zoneout: &M, t: usize, states: &[M]) -> Vec<M> {
        let rows = if zoneout.shape()[0] == 1 { 0..1 } else { self.timeline.rows(t) };
        side_by_side(&zoneout.rows(rows), states.iter().map(|state| state.shape()[1]))
    }

    /// The states before the first step: the given ones, or zero.
    pub(super) fn initial_state<M: Matrix>(&self, operands: &Operands<Option<M>>) -> Vec<M> {
        let output = self.output(operands);
        let widths =
            (0..self.cell.shape().states).map(|s| if s == 0 { output } else { self.hidden });
        match &operands.initial {
            Some(initial) => side_by_side(initial, widths),
            None => {
                let like = operands.input.as_ref().expect("a recurrence has an input");
                widths.map(|width| like.zeros(self.timeline.batch(), width)).collect()
            }
        }
    }
}

/// The operands that every step's derivative reads.
pub(super) struct Transposed<M> {
    w_h: Option<M>,
    w_p: Option<M>,
    /// The vector parameters, `[1, hidden]` each.
    parameters: Vec<M>,
}

impl<M: Matrix> Transposed<M> {
    pub fn of(shape: &Shape, operands: &Operands<Option<M>>) -> Self {
        let w_h = operands.w_h.as_ref().filter(|_| shape.recurrent_product());
        Self {
            w_h: w_h.map(M::transposed),
            w_p: operands.w_p.as_ref().map(M::transposed),
            parameters: parameters(shape, operands),
        }
    }
}

/// The result of one step's derivative.
pub(super) struct StepBack<M> {
    /// `dA_t`.
    pub d_a: M,
    /// `dU_t`, and the gradient of the product in it.
    d_u: Option<M>,
    d_product: Option<M>,
    /// The gradient of the projected hidden state.
    d_projected: Option<M>,
    /// The vector parameters' gradients, one row for each row of the batch.
    d_parameters: Vec<M>,
    /// The gradient of `S_{t-1}`, or nothing if it is zero.
    pub d_before: Vec<Option<M>>,
}

/// A walk backward that can stop between two tapes and continue.
pub(super) struct WalkBack<'a, M> {
    walk: &'a Walk,
    operands: &'a Operands<Option<M>>,
    upstream: Upstream<M>,
    wanted: Operands<bool>,
    transposed: Transposed<M>,
    /// The gradient from step `t + 1` at the states of step `t`, one row for each row that is still running.
    carried: Vec<Option<M>>,
    /// The gradient of the input, by tape, the last one first.
    d_input: Vec<M>,
    /// The gradients that are sums over the steps, so far.
    sums: Operands<Sum<M>>,
    d_parameters: Vec<Sum<M>>,
}

impl<'a, M: Matrix> WalkBack<'a, M> {
    pub fn new(
        walk: &'a Walk,
        operands: &'a Operands<Option<M>>,
        upstream: Upstream<M>,
        wanted: Operands<bool>,
    ) -> Self {
        let given = operands.each_ref().map(Option::is_some).into_array();
        let mut wanted = wanted.into_array();
        wanted.iter_mut().zip(given).for_each(|(wanted, given)| *wanted &= given);
        let transposed = Transposed::of(&walk.cell.shape(), operands);
        Self {
            walk,
            operands,
            upstream,
            wanted: Operands::from_array(wanted),
            carried: vec![None; walk.cell.shape().states],
            d_input: Vec::new(),
            sums: Operands::from_array(std::array::from_fn(|_| Sum(None))),
            d_parameters: transposed.parameters.iter().map(|_| Sum(None)).collect(),
            transposed,
        }
    }

    /// Walks back over the steps of the tape and calls `see` with each `dS_t`, the last one first.
    pub fn over(&mut self, tape: &Tape<M>, mut see: impl FnMut(Vec<M>)) {
        let Self { walk, operands, upstream, wanted, transposed, .. } = self;
        let timeline = &walk.timeline;
        // By step, the last one first.
        let mut steps = Vec::with_capacity(tape.steps.len());
        for t in tape.steps.clone().rev() {
            let before = &tape.states[t - tape.steps.start];
            let running = timeline.active(t);
            let d_state: Vec<M> = (0..walk.cell.shape().states)
                .map(|s| {
                    let like = before[s].rows(0..running);
                    let output = upstream.output.as_ref().filter(|_| s == 0);
                    let source_1 = output.map(|d| d.rows(timeline.rows(t)));
                    let carried = self.carried[s].take();
                    let source_2 = walk.source_2(t, carried, &upstream.last[s], &like);
                    match (source_1, source_2) {
                        (Some(source_1), Some(source_2)) => source_1 + source_2,
                        (Some(only), None) | (None, Some(only)) => only,
                        (None, None) => zeros_like(&like),
                    }
                })
                .collect();
            see(d_state.clone());
            let mut step = walk.step_back(operands, transposed, tape, t, d_state, 1);
            self.carried = std::mem::take(&mut step.d_before);
            for (sum, d) in self.d_parameters.iter_mut().zip(&step.d_parameters) {
                sum.add(d.sum_rows());
            }
            if let (Some(_), Some(d_u)) = (&operands.gain_h, &step.d_u) {
                let normalised = &tape.normalised_hidden[t - tape.steps.start];
                self.sums.gain_h.add(normalised.back_gain(d_u));
            }
            steps.push(step);
        }
        steps.reverse();

        // Sums over all rows of these steps, one product each.
        let stacked = |of: &dyn Fn(&StepBack<M>) -> Option<M>| {
            let parts = steps.iter().map(of).collect::<Option<Vec<M>>>()?;
            Some(M::stack_rows(parts))
        };
        let d_a = stacked(&|step| Some(step.d_a.clone())).expect("a tape has a step");
        let d_product_x = match (&tape.normalised_input, &operands.gain_x) {
            (Some(normalised), Some(gain)) => normalised.back(d_a.clone(), gain),
            _ => d_a.clone(),
        };
        let sums = &mut self.sums;
        if wanted.input {
            self.d_input.push(match &operands.w_x {
                Some(w_x) => walk.product(&d_product_x, &w_x.transposed()),
                None => d_product_x.clone(),
            });
        }
        if wanted.w_x {
            let x = operands.input.as_ref().expect("a recurrence has an input");
            let x = x.rows(timeline.rows_of(&tape.steps));
            sums.w_x.add(walk.product(&x.transposed(), &d_product_x));
        }
        if wanted.w_h
            && let Some(d_products) = stacked(&|step| step.d_product.clone())
        {
            let before = tape.steps.clone().zip(&tape.states).map(|(t, state)| {
                masked(state[0].rows(0..timeline.active(t)), &operands.recurrent_mask)
            });
            let before = M::stack_rows(before.collect());
            sums.w_h.add(walk.product(&before.transposed(), &d_products));
        }
        if wanted.b_x {
            sums.b_x.add(d_a.sum_rows());
        }
        if wanted.b_h
            && let Some(d_u) = stacked(&|step| step.d_u.clone())
        {
            sums.b_h.add(d_u.sum_rows());
        }
        if wanted.w_p
            && let Some(d_projected) = stacked(&|step| step.d_projected.clone())
        {
            let hidden = M::stack_rows(tape.stepped.iter().map(|s| s[0].clone()).collect());
            sums.w_p.add(walk.product(&hidden.transposed(), &d_projected));
        }
        if let Some(normalised) = &tape.normalised_input {
            sums.gain_x.add(normalised.back_gain(&d_a));
        }
    }

    /// The gradients, after the walk has reached the first step.
    pub fn finish(self) -> Operands<Option<M>> {
        let Self { walk, operands, wanted, carried, mut d_input, sums, d_parameters, .. } = self;
        d_input.reverse();
        let vectors: Vec<M> = d_parameters.into_iter().filter_map(|sum| sum.0).collect();
        Operands {
            input: wanted.input.then(|| M::stack_rows(d_input)),
            initial: wanted.initial.then(|| {
                let initial = walk.initial_state(operands);
                let gradient = |(d, state): (Option<M>, &M)| d.unwrap_or_else(|| zeros_like(state));
                M::stack_columns(carried.into_iter().zip(&initial).map(gradient).collect())
            }),
            parameters: (wanted.parameters && !vectors.is_empty()).then(|| M::stack_rows(vectors)),
            ..sums.map(|sum| sum.0)
        }
    }
}

/// A product, normalised if there is a gain, plus the bias if there is one.
fn share<M: Matrix>(product: M, gain: &Option<M>, bias: &Option<M>) -> (M, Option<Normalised<M>>) {
    let (product, normalised) = match gain {
        Some(gain) => {
            let normalised = Normalised::of(product);
            (normalised.scaled(gain), Some(normalised))
        }
        None => (product, None),
    };
    let share = match bias {
        Some(bias) => product + bias.clone(),
        None => product,
    };
    (share, normalised)
}

/// The first rows of the mask times the rows, if there is a mask.
fn masked<M: Matrix>(rows: M, mask: &Option<M>) -> M {
    match mask {
        Some(mask) => {
            let [running, _] = rows.shape();
            rows * mask.rows(0..running)
        }
        None => rows,
    }
}

/// Blocks of columns of the given widths.
fn side_by_side<M: Matrix>(m: &M, widths: impl Iterator<Item = usize>) -> Vec<M> {
    let mut from = 0;
    widths
        .map(|width| {
            from += width;
            m.columns(from - width..from)
        })
        .collect()
}

/// The vector parameters, `[1, hidden]` each.
fn parameters<M: Matrix>(shape: &Shape, operands: &Operands<Option<M>>) -> Vec<M> {
    let rows = |p: usize| {
        let vectors = operands.parameters.as_ref().expect("the cell has vector parameters");
        vectors.rows(p..p + 1)
    };
    (0..shape.parameters).map(rows).collect()
}

fn zeros_like<M: Matrix>(m: &M) -> M {
    let [rows, columns] = m.shape();
    m.zeros(rows, columns)
}

/// A sum that starts from nothing.
pub(super) struct Sum<M>(Option<M>);

impl<M: Matrix> Sum<M> {
    fn add(&mut self, term: M) {
        self.0 = Some(match self.0.take() {
            Some(sum) => sum + term,
            None => term,
        });
    }
}
