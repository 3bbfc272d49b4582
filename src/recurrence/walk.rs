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
//!          + what step t+1 takes of S_t unit by unit
//! (dA_t, dU_t, dS_{t-1}) = derivative(dS_t)
//! ```
//!
//! where `dO_t` stands for the gradient that the output of step `t` hands to `H_t`. Each weight is
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

use super::{Matrix, Operands, Timeline};
use crate::cell::{self, Cell, InputShare, RecurrentShare, Row};
use std::sync::Arc;

/// What a forward walk leaves for the backward walk.
#[derive(Clone, Debug)]
pub struct Tape<M> {
    /// The states, hidden first: `states[0]` before the first step, `states[t]` after step `t`,
    /// `[active(t), hidden]` each.
    states: Vec<Vec<M>>,
    /// What each step kept for its derivative.
    kept: Vec<Vec<M>>,
}

impl<M: Matrix> Tape<M> {
    /// The hidden states of all steps, packed: `[steps, hidden]`.
    pub fn hidden(&self) -> M {
        M::stack_rows(self.states[1..].iter().map(|state| state[0].clone()).collect())
    }

    /// The state after each row's last step, hidden first: `[batch, hidden]` each.
    pub fn last(&self, timeline: &Timeline) -> Vec<M> {
        let ends_of = |s: usize| {
            let ends = (0..timeline.time()).rev().filter_map(|t| {
                let (running, going_on) = (timeline.active(t), timeline.active(t + 1));
                (running > going_on).then(|| self.states[t + 1][s].rows(going_on..running))
            });
            M::stack_rows(ends.collect())
        };
        (0..self.states[0].len()).map(ends_of).collect()
    }
}

/// What the backward walk returns.
pub struct Walked<M> {
    /// The gradient of each operand that was asked for.
    pub gradients: Operands<Option<M>>,
    /// `∂L/∂S_t` at every step, both sources together, `[active(t), hidden]` each.
    pub states: Vec<Vec<M>>,
}

/// A recurrence ready to be walked.
#[derive(Clone, Debug)]
pub struct Walk<C> {
    /// The cell.
    pub cell: C,
    /// Which rows run at which step.
    pub timeline: Arc<Timeline>,
    /// Hidden units.
    pub hidden: usize,
}

impl<C: Cell> Walk<C> {
    /// Walks forward over all steps and keeps what the backward walk needs.
    pub fn forward<M: Matrix>(&self, operands: &Operands<Option<M>>) -> Tape<M> {
        let Self { cell, timeline, hidden } = self;
        let hidden = *hidden;
        let joined = (cell::gates::<C>() - cell::apart::<C>()) * hidden;
        let a = input_share::<C, M>(operands);
        let parameters = parameters::<C, M>(operands);
        let mut states: Vec<Vec<M>> = vec![initial_state::<C, M>(timeline, hidden, operands)];
        let mut kept = Vec::with_capacity(timeline.time());
        for t in 0..timeline.time() {
            let active = timeline.active(t);
            let before = C::State::from_fn(|s| states[t][s].rows(0..active));
            let a_t = a.rows(timeline.rows(t));
            let u_t = recurrent_share::<C, M>(operands, &before.as_ref()[0]);
            let block = |m: &M, from: usize| m.columns(from..from + hidden);
            let sum = match &u_t {
                Some(u_t) if joined > 0 => a_t.columns(0..joined) + u_t.columns(0..joined),
                _ => a_t.clone(),
            };
            let gates = C::Gates::from_fn(|g| {
                let from = g * hidden;
                block(if from < joined { &sum } else { &a_t }, from)
            });
            let apart = C::Apart::from_fn(|g| {
                let u_t = u_t.as_ref().expect("a cell with gates apart has a recurrent product");
                block(u_t, joined + g * hidden)
            });
            let (after, keep) =
                cell.step(gates, apart, before, C::Parameters::from_fn(|p| parameters[p].clone()));
            states.push(after.into_iter().collect());
            kept.push(keep.into_iter().collect());
        }
        Tape { states, kept }
    }

    /// Walks backward over all steps.
    ///
    /// `output` is `dO`: the gradient that each step's output hands to its hidden state, packed
    /// `[steps, hidden]`. `last` is the gradient of the state after each row's last step,
    /// `[batch, hidden]` each. Of the operands' gradients only the `wanted` ones are computed.
    pub fn backward<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        tape: &Tape<M>,
        output: Option<&M>,
        last: &[Option<M>],
        wanted: &Operands<bool>,
    ) -> Walked<M> {
        let Self { cell, timeline, hidden } = self;
        let hidden = *hidden;
        let steps = timeline.time();
        let like = operands.input.as_ref().expect("a recurrence has an input");
        let w_h_transposed = operands.w_h.as_ref().map(M::transposed);
        let parameters = parameters::<C, M>(operands);
        let joined = cell::gates::<C>() - cell::apart::<C>();

        let mut d_a = Vec::with_capacity(steps);
        let mut d_u = Vec::with_capacity(steps);
        let mut d_parameters: Vec<Option<M>> = vec![None; parameters.len()];
        let mut d_states: Vec<Vec<M>> = Vec::with_capacity(steps);
        // What step t + 1 hands back to the states of step t, one row for each row still running there.
        let mut carried: C::State<Option<M>> = C::State::from_fn(|_| None);
        for t in (0..steps).rev() {
            let (running, going_on) = (timeline.active(t), timeline.active(t + 1));
            let gradient_of = |s: usize| {
                let carried = carried.as_mut()[s].take();
                let ending = last[s].as_ref().map(|d| d.rows(going_on..running));
                let from_ahead = if going_on == running {
                    carried
                } else {
                    let zeros = |rows| like.zeros(rows, hidden);
                    match (carried, ending) {
                        (None, None) => None,
                        (None, Some(ending)) if going_on == 0 => Some(ending),
                        (carried, ending) => Some(M::stack_rows(vec![
                            carried.unwrap_or_else(|| zeros(going_on)),
                            ending.unwrap_or_else(|| zeros(running - going_on)),
                        ])),
                    }
                };
                let from_output = output.filter(|_| s == 0).map(|d| d.rows(timeline.rows(t)));
                match (from_output, from_ahead) {
                    (Some(source_1), Some(source_2)) => source_1 + source_2,
                    (Some(only), None) | (None, Some(only)) => only,
                    (None, None) => like.zeros(running, hidden),
                }
            };
            let d_state: Vec<M> = (0..cell::states::<C>()).map(gradient_of).collect();
            let before = C::State::from_fn(|s| tape.states[t][s].rows(0..running));
            let step = cell.derivative(
                C::State::from_fn(|s| d_state[s].clone()),
                before,
                C::State::from_fn(|s| tape.states[t + 1][s].clone()),
                C::Kept::from_fn(|k| tape.kept[t][k].clone()),
                C::Parameters::from_fn(|p| parameters[p].clone()),
            );

            let d_gates: Vec<M> = step.gates.into_iter().collect();
            let mut d_recurrent: Vec<M> = d_gates[..joined].to_vec();
            d_recurrent.extend(step.apart);
            carried = step.state;
            if let Some(w_h_transposed) = &w_h_transposed {
                let d_u_t = M::stack_columns(d_recurrent);
                let through_weights = d_u_t.product(w_h_transposed);
                let hidden = &mut carried.as_mut()[0];
                *hidden = Some(match hidden.take() {
                    Some(direct) => direct + through_weights,
                    None => through_weights,
                });
                d_u.push(d_u_t);
            }
            d_a.push(M::stack_columns(d_gates));
            for (sum, d) in d_parameters.iter_mut().zip(step.parameters) {
                let d = d.sum_rows();
                *sum = Some(match sum.take() {
                    Some(sum) => sum + d,
                    None => d,
                });
            }
            d_states.push(d_state);
        }
        d_states.reverse();

        let in_order = |mut steps: Vec<M>| {
            steps.reverse();
            (!steps.is_empty()).then(|| M::stack_rows(steps))
        };
        let (d_a, d_u) = (in_order(d_a).expect("at least one step"), in_order(d_u));
        let given = |wanted: bool, operand: &Option<M>| wanted && operand.is_some();
        let gradients = Operands {
            input: wanted.input.then(|| match (C::INPUT, &operands.w_x) {
                (InputShare::Product, Some(w_x)) => d_a.product(&w_x.transposed()),
                _ => d_a.clone(),
            }),
            initial: given(wanted.initial, &operands.initial).then(|| {
                // Rows that never run past their first step still hand back what step 1 took.
                M::stack_columns(
                    carried
                        .into_iter()
                        .map(|d| d.unwrap_or_else(|| like.zeros(timeline.batch(), hidden)))
                        .collect(),
                )
            }),
            w_x: given(wanted.w_x, &operands.w_x).then(|| like.transposed().product(&d_a)),
            w_h: d_u.as_ref().filter(|_| given(wanted.w_h, &operands.w_h)).map(|d_u| {
                let before = (0..steps).map(|t| tape.states[t][0].rows(0..timeline.active(t)));
                M::stack_rows(before.collect()).transposed().product(d_u)
            }),
            b_x: given(wanted.b_x, &operands.b_x).then(|| d_a.sum_rows()),
            b_h: d_u.as_ref().filter(|_| given(wanted.b_h, &operands.b_h)).map(M::sum_rows),
            parameters: (given(wanted.parameters, &operands.parameters) && !parameters.is_empty())
                .then(|| M::stack_rows(d_parameters.into_iter().flatten().collect())),
        };
        Walked { gradients, states: d_states }
    }
}

/// `A = X W_x + b_x`, all steps at once.
fn input_share<C: Cell, M: Matrix>(operands: &Operands<Option<M>>) -> M {
    let x = operands.input.as_ref().expect("a recurrence has an input");
    let a = match (C::INPUT, &operands.w_x) {
        (InputShare::Product, Some(w_x)) => x.product(w_x),
        _ => x.clone(),
    };
    match &operands.b_x {
        Some(b_x) => a + b_x.clone(),
        None => a,
    }
}

/// `U_t = H_{t-1} W_h + b_h`, where the cell has a recurrent product.
fn recurrent_share<C: Cell, M: Matrix>(operands: &Operands<Option<M>>, before: &M) -> Option<M> {
    let w_h = operands.w_h.as_ref().filter(|_| C::RECURRENT == RecurrentShare::Product)?;
    let u_t = before.product(w_h);
    Some(match &operands.b_h {
        Some(b_h) => u_t + b_h.clone(),
        None => u_t,
    })
}

/// The vector parameters, `[1, hidden]` each.
fn parameters<C: Cell, M: Matrix>(operands: &Operands<Option<M>>) -> Vec<M> {
    let rows = |p: usize| {
        let vectors = operands.parameters.as_ref().expect("the cell has vector parameters");
        vectors.rows(p..p + 1)
    };
    (0..cell::parameters::<C>()).map(rows).collect()
}

/// The states before the first step: those given, or zero.
fn initial_state<C: Cell, M: Matrix>(
    timeline: &Timeline,
    hidden: usize,
    operands: &Operands<Option<M>>,
) -> Vec<M> {
    let state = |s: usize| match &operands.initial {
        Some(initial) => initial.columns(s * hidden..(s + 1) * hidden),
        None => {
            let like = operands.input.as_ref().expect("a recurrence has an input");
            like.zeros(timeline.batch(), hidden)
        }
    };
    (0..cell::states::<C>()).map(state).collect()
}
