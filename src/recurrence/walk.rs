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
//!
//! Truncation multiplies what step `t + 1` hands back by a share `p_{t+1}` before it reaches `dS_t`.
//!
//! # Stages around the step
//!
//! Each is there where its operand is, and has its derivative beside it below:
//!
//! ```text
//! recurrent dropout   U_t = (H_{t-1} ⊙ m) W_h + b_h       one mask m for all steps (Gal & Ghahramani 2016)
//! normalisation       A = n(X W_x) ⊙ g_x + b_x,  U_t = n(H_{t-1} W_h) ⊙ g_h + b_h     (Ba 2016)
//! projection          H_t = H̃_t W_p, where H̃_t is the step's own hidden state       (Sak 2014)
//! zoneout             S_t = S̃_t + z_t ⊙ (S_{t-1} − S̃_t)   where z_t = 1 the old state stays (Krueger 2017)
//! ```

use super::normalisation::Normalised;
use super::{Matrix, Operands, Timeline};
use crate::cell::{self, Cell, InputShare, RecurrentShare, Row};
use std::sync::Arc;

/// A recurrence ready to be walked.
#[derive(Clone, Debug)]
pub struct Walk<C> {
    /// The cell.
    pub cell: C,
    /// Which rows run at which step.
    pub timeline: Arc<Timeline>,
    /// Hidden units.
    pub hidden: usize,
    /// For each time step, the share of its gradient that it hands on to the step before: all of it if
    /// not given. See [`truncation`](super::truncation).
    pub passes: Option<Arc<[f64]>>,
}

/// What a forward walk leaves for the backward walk.
#[derive(Clone, Debug)]
pub struct Tape<M> {
    /// The states, hidden first: `states[0]` before the first step, `states[t]` after step `t`,
    /// `[active(t), …]` each.
    states: Vec<Vec<M>>,
    /// The states as the cell's step made them, before projection and zoneout.
    stepped: Vec<Vec<M>>,
    /// What each step kept for its derivative.
    kept: Vec<Vec<M>>,
    /// The normalised product of the input, and of the hidden state at each step.
    normalised_input: Option<Normalised<M>>,
    normalised_hidden: Vec<Normalised<M>>,
}

impl<M: Matrix> Tape<M> {
    /// The hidden states of all steps, packed: `[steps, output]`.
    pub fn hidden(&self) -> M {
        M::stack_rows(self.states[1..].iter().map(|state| state[0].clone()).collect())
    }

    /// The state after each row's last step, hidden first: `[batch, …]` each.
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

/// What the backward walk starts from: where the loss looks at the recurrence.
#[derive(Clone, Debug)]
pub struct Upstream<M> {
    /// `dO`: the gradient that each step's output hands to its hidden state, packed
    /// `[steps, output]`.
    pub output: Option<M>,
    /// The gradient of the states after each row's last step, hidden first, `[batch, …]` each.
    pub last: Vec<Option<M>>,
}

/// What the backward walk returns.
pub struct Walked<M> {
    /// The gradient of each operand that was asked for.
    pub gradients: Operands<Option<M>>,
    /// `∂L/∂S_t` at every step, both sources together, `[active(t), …]` each.
    pub states: Vec<Vec<M>>,
}

impl<C: Cell> Walk<C> {
    /// Walks forward over all steps and keeps what the backward walk needs.
    pub fn forward<M: Matrix>(&self, operands: &Operands<Option<M>>) -> Tape<M> {
        let Self { cell, timeline, hidden, .. } = self;
        let hidden = *hidden;
        let joined = (cell::gates::<C>() - cell::apart::<C>()) * hidden;
        let parameters = parameters::<C, M>(operands);
        let (a, normalised_input) = self.input_share(operands);
        let mut tape = Tape {
            states: vec![self.initial_state(operands)],
            stepped: Vec::with_capacity(timeline.time()),
            kept: Vec::with_capacity(timeline.time()),
            normalised_input,
            normalised_hidden: Vec::new(),
        };
        for t in 0..timeline.time() {
            let passing = |state: M| match self.passes(t) {
                1.0 => state,
                share => state.passing(share),
            };
            let before: Vec<M> = tape.states[t]
                .iter()
                .map(|state| passing(state.rows(0..timeline.active(t))))
                .collect();
            let a_t = a.rows(timeline.rows(t));
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
            let gates = C::Gates::from_fn(|g| {
                let from = g * hidden;
                block(if from < joined { &sum } else { &a_t }, from)
            });
            let apart = C::Apart::from_fn(|g| {
                let u_t = u_t.as_ref().expect("a cell with gates apart has a recurrent product");
                block(u_t, joined + g * hidden)
            });
            let (stepped, kept) = cell.step(
                gates,
                apart,
                C::State::from_fn(|s| before[s].clone()),
                C::Parameters::from_fn(|p| parameters[p].clone()),
            );
            let stepped: Vec<M> = stepped.into_iter().collect();
            let mut after = stepped.clone();
            if let Some(w_p) = &operands.w_p {
                after[0] = stepped[0].product(w_p);
            }
            if let Some(zoneout) = &operands.zoneout {
                let z = self.zoneout(zoneout, t, &after);
                for ((after, before), z) in after.iter_mut().zip(&before).zip(z) {
                    *after = after.clone() + z * (before.clone() - after.clone());
                }
            }
            tape.states.push(after);
            tape.stepped.push(stepped);
            tape.kept.push(kept.into_iter().collect());
        }
        tape
    }

    /// Walks backward over all steps. Of the operands' gradients only the `wanted` ones are computed.
    pub fn backward<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        tape: &Tape<M>,
        upstream: &Upstream<M>,
        wanted: &Operands<bool>,
    ) -> Walked<M> {
        let Self { cell, timeline, .. } = self;
        let steps = timeline.time();
        let x = operands.input.as_ref().expect("a recurrence has an input");
        let w_h_transposed = operands.w_h.as_ref().map(M::transposed);
        let w_p_transposed = operands.w_p.as_ref().map(M::transposed);
        let parameters = parameters::<C, M>(operands);
        let joined = cell::gates::<C>() - cell::apart::<C>();

        // By step, the last one first.
        let (mut d_a, mut d_u, mut d_products) = (Vec::new(), Vec::new(), Vec::new());
        let mut d_projected = Vec::new();
        let mut d_gain_h = Sum(None);
        let mut d_parameters: Vec<Sum<M>> = parameters.iter().map(|_| Sum(None)).collect();
        let mut d_states: Vec<Vec<M>> = Vec::with_capacity(steps);
        // What step t + 1 hands back to the states of step t, a row for each row still running there.
        let mut carried: Vec<Option<M>> = vec![None; cell::states::<C>()];
        for t in (0..steps).rev() {
            let running = timeline.active(t);
            let before: Vec<M> =
                tape.states[t].iter().map(|state| state.rows(0..running)).collect();
            let d_state: Vec<M> = (0..cell::states::<C>())
                .map(|s| {
                    let source_1 = upstream
                        .output
                        .as_ref()
                        .filter(|_| s == 0)
                        .map(|d| d.rows(timeline.rows(t)));
                    let source_2 =
                        self.source_2(t, carried[s].take(), &upstream.last[s], &before[s]);
                    match (source_1, source_2) {
                        (Some(source_1), Some(source_2)) => source_1 + source_2,
                        (Some(only), None) | (None, Some(only)) => only,
                        (None, None) => zeros_like(&before[s]),
                    }
                })
                .collect();

            // Zoneout: of dS_t, z goes to the old state and the rest to the step.
            let mut d_stepped = d_state.clone();
            let mut d_before: Vec<Sum<M>> = (0..d_state.len()).map(|_| Sum(None)).collect();
            if let Some(zoneout) = &operands.zoneout {
                let z = self.zoneout(zoneout, t, &d_state);
                for ((d, d_before), z) in d_stepped.iter_mut().zip(&mut d_before).zip(z) {
                    let stays = z * d.clone();
                    *d = d.clone() - stays.clone();
                    d_before.add(stays);
                }
            }
            // Projection: H_t = H̃_t W_p, so dH̃_t = dH_t W_pᵀ.
            if let Some(w_p_transposed) = &w_p_transposed {
                let projected = d_stepped[0].product(w_p_transposed);
                d_projected.push(std::mem::replace(&mut d_stepped[0], projected));
            }
            let step = cell.derivative(
                C::State::from_fn(|s| d_stepped[s].clone()),
                C::State::from_fn(|s| before[s].clone()),
                C::State::from_fn(|s| tape.stepped[t][s].clone()),
                C::Kept::from_fn(|k| tape.kept[t][k].clone()),
                C::Parameters::from_fn(|p| parameters[p].clone()),
            );
            for (sum, d) in d_before.iter_mut().zip(step.state) {
                d.into_iter().for_each(|d| sum.add(d));
            }
            let d_gates: Vec<M> = step.gates.into_iter().collect();
            if let Some(w_h_transposed) = &w_h_transposed {
                let mut halves: Vec<M> = d_gates[..joined].to_vec();
                halves.extend(step.apart);
                let d_u_t = M::stack_columns(halves);
                let d_product = match &operands.gain_h {
                    Some(gain) => {
                        let normalised = &tape.normalised_hidden[t];
                        d_gain_h.add(normalised.back_gain(&d_u_t));
                        normalised.back(d_u_t.clone(), gain)
                    }
                    None => d_u_t.clone(),
                };
                let through_weights = d_product.product(w_h_transposed);
                d_before[0].add(masked(through_weights, &operands.recurrent_mask));
                d_u.push(d_u_t);
                d_products.push(d_product);
            }
            d_a.push(M::stack_columns(d_gates));
            for (sum, d) in d_parameters.iter_mut().zip(step.parameters) {
                sum.add(d.sum_rows());
            }
            let passing = |d: M| match self.passes(t) {
                0.0 => None,
                1.0 => Some(d),
                share => Some(d.times(share)),
            };
            carried = d_before.into_iter().map(|sum| sum.0.and_then(passing)).collect();
            d_states.push(d_state);
        }
        d_states.reverse();

        let in_order = |mut steps: Vec<M>| {
            steps.reverse();
            (!steps.is_empty()).then(|| M::stack_rows(steps))
        };
        let d_a = in_order(d_a).expect("a recurrence has a step");
        let (d_u, d_products) = (in_order(d_u), in_order(d_products));
        let d_product_x = match (&tape.normalised_input, &operands.gain_x) {
            (Some(normalised), Some(gain)) => normalised.back(d_a.clone(), gain),
            _ => d_a.clone(),
        };
        let stacked = |rows: &dyn Fn(usize) -> M| M::stack_rows((0..steps).map(rows).collect());
        let given = operands.clone().map(|operand| operand.is_some());
        let gradients = Operands {
            input: wanted.input.then(|| match &operands.w_x {
                Some(w_x) => d_product_x.product(&w_x.transposed()),
                None => d_product_x.clone(),
            }),
            initial: (wanted.initial && given.initial).then(|| {
                let gradient = |(d, state): (Option<M>, &M)| d.unwrap_or_else(|| zeros_like(state));
                M::stack_columns(carried.into_iter().zip(&tape.states[0]).map(gradient).collect())
            }),
            w_x: (wanted.w_x && given.w_x).then(|| x.transposed().product(&d_product_x)),
            w_h: d_products.filter(|_| wanted.w_h).map(|d_products| {
                let before = |t: usize| {
                    let before = tape.states[t][0].rows(0..timeline.active(t));
                    masked(before, &operands.recurrent_mask)
                };
                stacked(&before).transposed().product(&d_products)
            }),
            b_x: (wanted.b_x && given.b_x).then(|| d_a.sum_rows()),
            b_h: d_u.filter(|_| wanted.b_h && given.b_h).map(|d_u| d_u.sum_rows()),
            parameters: (wanted.parameters && !d_parameters.is_empty())
                .then(|| M::stack_rows(d_parameters.into_iter().filter_map(|sum| sum.0).collect())),
            w_p: in_order(d_projected).filter(|_| wanted.w_p).map(|d_projected| {
                stacked(&|t| tape.stepped[t][0].clone()).transposed().product(&d_projected)
            }),
            gain_x: tape.normalised_input.as_ref().map(|normalised| normalised.back_gain(&d_a)),
            gain_h: d_gain_h.0,
            recurrent_mask: None,
            zoneout: None,
        };
        Walked { gradients, states: d_states }
    }

    /// The share of its gradient that step `t` hands on to the step before.
    fn passes(&self, t: usize) -> f64 {
        self.passes.as_ref().map_or(1.0, |passes| passes[t])
    }

    /// The width of the output: that of the projection, or the hidden units.
    pub fn output<M: Matrix>(&self, operands: &Operands<Option<M>>) -> usize {
        operands.w_p.as_ref().map_or(self.hidden, |w_p| w_p.shape()[1])
    }

    /// Source 2 of `∂L/∂S_t`: what step `t + 1` hands back for the rows that go on, and the gradient
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

    /// `A = X W_x + b_x`, all steps at once.
    fn input_share<M: Matrix>(&self, operands: &Operands<Option<M>>) -> (M, Option<Normalised<M>>) {
        let x = operands.input.as_ref().expect("a recurrence has an input");
        let product = match (C::INPUT, &operands.w_x) {
            (InputShare::Product, Some(w_x)) => x.product(w_x),
            _ => x.clone(),
        };
        share(product, &operands.gain_x, &operands.b_x)
    }

    /// `U_t = H_{t-1} W_h + b_h`, where the cell has a recurrent product.
    fn recurrent_share<M: Matrix>(
        &self,
        operands: &Operands<Option<M>>,
        before: &M,
    ) -> Option<(M, Option<Normalised<M>>)> {
        let w_h = operands.w_h.as_ref().filter(|_| C::RECURRENT == RecurrentShare::Product)?;
        let product = masked(before.clone(), &operands.recurrent_mask).product(w_h);
        Some(share(product, &operands.gain_h, &operands.b_h))
    }

    /// `z_t` for each state. One row of shares serves all steps.
    fn zoneout<M: Matrix>(&self, zoneout: &M, t: usize, states: &[M]) -> Vec<M> {
        let rows = if zoneout.shape()[0] == 1 { 0..1 } else { self.timeline.rows(t) };
        side_by_side(&zoneout.rows(rows), states.iter().map(|state| state.shape()[1]))
    }

    /// The states before the first step: those given, or zero.
    fn initial_state<M: Matrix>(&self, operands: &Operands<Option<M>>) -> Vec<M> {
        let output = self.output(operands);
        let widths = (0..cell::states::<C>()).map(|s| if s == 0 { output } else { self.hidden });
        match &operands.initial {
            Some(initial) => side_by_side(initial, widths),
            None => {
                let like = operands.input.as_ref().expect("a recurrence has an input");
                widths.map(|width| like.zeros(self.timeline.batch(), width)).collect()
            }
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
fn parameters<C: Cell, M: Matrix>(operands: &Operands<Option<M>>) -> Vec<M> {
    let rows = |p: usize| {
        let vectors = operands.parameters.as_ref().expect("the cell has vector parameters");
        vectors.rows(p..p + 1)
    };
    (0..cell::parameters::<C>()).map(rows).collect()
}

fn zeros_like<M: Matrix>(m: &M) -> M {
    let [rows, columns] = m.shape();
    m.zeros(rows, columns)
}

/// A sum that starts from nothing.
struct Sum<M>(Option<M>);

impl<M: Matrix> Sum<M> {
    fn add(&mut self, term: M) {
        self.0 = Some(match self.0.take() {
            Some(sum) => sum + term,
            None => term,
        });
    }
}
