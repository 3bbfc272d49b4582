//! How the gradient flows through time.
//!
//! Let `L_t` be the loss of step `t`. Its gradient with respect to a state `k` steps earlier is a product
//! of `k` Jacobians,
//!
//! ```text
//! ∂L_t/∂S_{t−k} = ∂L_t/∂S_t · J_t · J_{t−1} · … · J_{t−k+1}        J_t = ∂S_t/∂S_{t−1}
//! ```
//!
//! which vanishes if the Jacobians' singular values stay below 1 and may explode where they exceed it
//! (Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, equation 5). The backward passes of all `T`
//! losses go over the same steps, so one batched backward pass does them all: at step `s` its batch has the rows
//! of the losses `t = T, …, s`, and each step back adds the rows of one more loss.

use super::walk::{Tape, Transposed, Walk};
use super::{Matrix, Operands};

/// The flow of the gradient through a stack of recurrent layers, for one batch.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Flow {
    /// `‖∂L/∂h_t‖` by time, over all layers and rows.
    pub gradient_norm: Vec<f64>,
    /// Each layer, the lowest first.
    pub layers: Vec<LayerFlow>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LayerFlow {
    /// Each state, hidden first (the LSTM: hidden, cell).
    pub states: Vec<StateFlow>,
    /// The largest singular value of `J_t = ∂S_t/∂S_{t−1}` by time, the mean over the rows; `S_t` are all
    /// states of the layer, and the input is constant.
    pub jacobian_norm: Vec<f64>,
    /// The largest eigenvalue modulus of each gate's block of `W_h`.
    pub spectral_radius: Vec<(String, f64)>,
    /// Each sigmoid gate.
    pub gates: Vec<GateFlow>,
}

/// The size of one loss's gradient at a state, by time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StateGradient {
    /// The state's name: hidden, cell.
    pub name: String,
    /// `‖∂L/∂s_t‖` by time, over all rows.
    pub gradient_norm: Vec<f64>,
}

/// One state of a layer.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StateFlow {
    /// The state's name: hidden, cell.
    pub name: String,
    /// `‖∂L/∂s_t‖` by time, over all rows.
    pub gradient_norm: Vec<f64>,
    /// `lag_map[t][k] = ‖∂L_t/∂s_{t−k}‖` for `k = 0 ..= t`, over all rows: the loss of step `t` alone, `k`
    /// steps back, with the other states constant.
    pub lag_map: Vec<Vec<f64>>,
}

/// A sigmoid gate over time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GateFlow {
    /// The gate's name: input, forget, …
    pub name: String,
    /// The mean by time over rows and units.
    pub mean: Vec<f64>,
    /// The share below 0.1 by time: saturated, where the slope is small.
    pub below: Vec<f64>,
    /// The share above 0.9 by time.
    pub above: Vec<f64>,
}

/// The gradients of the steps' losses at the hidden states of a layer.
pub(crate) enum Losses<M> {
    /// The loss of step `t` to `H_t` alone: `[steps, output]`.
    Direct(M),
    /// By step `s`: that of each loss `t = T, …, s` to `H_s`, one after the other.
    All(Vec<M>),
}

/// Propagates the loss of each step back separately. At each step `s` it calls `see` with `∂L_t/∂S_s` for all
/// `t = T, …, s`, one after the other. Returns the same for the input. All rows run to the end.
pub(crate) fn walk_each_loss<M: Matrix>(
    walk: &Walk,
    operands: &Operands<Option<M>>,
    tape: &Tape<M>,
    losses: &Losses<M>,
    mut see: impl FnMut(usize, &[M]),
) -> Vec<M> {
    let timeline = &walk.timeline;
    let (time, batch) = (timeline.time(), timeline.batch());
    let transposed = Transposed::of(&walk.cell.shape(), operands);
    let w_x = operands.w_x.as_ref().map(M::transposed);
    let mut carried: Vec<Option<M>> = vec![None; walk.cell.shape().states];
    let mut d_input = Vec::with_capacity(time);
    for s in (0..time).rev() {
        let copies = time - s;
        let of_state = |(number, state): (usize, &M)| {
            let [_, width] = state.shape();
            let zeros = |copies: usize| state.zeros(copies * batch, width);
            let direct = match losses {
                Losses::Direct(d) if number == 0 => d.rows(timeline.rows(s)),
                _ => zeros(1),
            };
            let earlier =
                (copies > 1).then(|| carried[number].take().unwrap_or_else(|| zeros(copies - 1)));
            let source_2 = M::stack_rows(earlier.into_iter().chain([direct]).collect());
            match losses {
                Losses::All(d) if number == 0 => source_2 + d[s].clone(),
                _ => source_2,
            }
        };
        let d_state: Vec<M> = tape.states()[s].iter().enumerate().map(of_state).collect();
        see(s, &d_state);
        let step = walk.step_back(operands, &transposed, tape, s, d_state, copies);
        carried = step.d_before;
        let d_product = match (tape.normalised_input(s, timeline), &operands.gain_x) {
            (Some(normalised), Some(gain)) => normalised.copied(copies).back(step.d_a, gain),
            _ => step.d_a,
        };
        d_input.push(match &w_x {
            Some(w_x) => walk.product(&d_product, w_x),
            None => d_product,
        });
    }
    d_input.reverse();
    d_input
}

/// `∂/∂S_{t−1}` of quantities with the gradients `d_state` with respect to `S_t`, for that many copies of the
/// rows, with all states side by side.
pub(crate) fn one_step_back<M: Matrix>(
    walk: &Walk,
    operands: &Operands<Option<M>>,
    tape: &Tape<M>,
    t: usize,
    d_state: Vec<M>,
    copies: usize,
) -> M {
    let shapes: Vec<[usize; 2]> = d_state.iter().map(M::shape).collect();
    let like = d_state[0].clone();
    let transposed = Transposed::of(&walk.cell.shape(), operands);
    let step = walk.step_back(operands, &transposed, tape, t, d_state, copies);
    let before = step.d_before.into_iter().zip(shapes);
    let given =
        |(d, [rows, width]): (Option<M>, [usize; 2])| d.unwrap_or_else(|| like.zeros(rows, width));
    M::stack_columns(before.map(given).collect())
}
