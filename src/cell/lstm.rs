//! Long short-term memory (Hochreiter & Schmidhuber 1997), with the forget gate of Gers 2000.
//!
//! ```text
//! i_t = sigmoid(a_i)      input gate           c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
//! f_t = sigmoid(a_f)      forget gate          h_t = o_t ⊙ tanh(c_t)
//! g_t = tanh(a_g)         candidate
//! o_t = sigmoid(a_o)      output gate          a = x_t W_x + b_x + h_{t-1} W_h + b_h
//! ```
//!
//! # The derivative
//!
//! `c_t` reaches the loss through `h_t` and through `c_{t+1}`. The gradients of the two paths add
//! up:
//!
//! ```text
//! ∂L/∂c_t (all) = ∂L/∂c_t + ∂L/∂h_t ⊙ o_t ⊙ (1 − tanh²(c_t))
//! ```
//!
//! and from there, each gate by the product rule and the slope of its own activation:
//!
//! ```text
//! ∂L/∂a_i = ∂L/∂c_t ⊙ g_t     ⊙ i_t (1 − i_t)        ∂L/∂a_g = ∂L/∂c_t ⊙ i_t       ⊙ (1 − g_t²)
//! ∂L/∂a_f = ∂L/∂c_t ⊙ c_{t-1} ⊙ f_t (1 − f_t)        ∂L/∂a_o = ∂L/∂h_t ⊙ tanh(c_t) ⊙ o_t (1 − o_t)
//! ∂L/∂c_{t-1} = ∂L/∂c_t ⊙ f_t
//! ```
//!
//! The last line is why the LSTM was invented: along the cell, each step multiplies the gradient by `f_t`,
//! which may stay near 1, and by no weight matrix.

use super::{Cell, Named, Number, StepGradient, clipped, clipped_back};

/// The LSTM cell: gates in PyTorch's order, input, forget, candidate, output; states hidden and
/// cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lstm {
    /// Keeps the cell state between `−clip` and `clip`, where no gradient passes.
    pub clip: Option<f64>,
}

impl Named for Lstm {
    const NAMED: &'static [(&'static str, Self)] = &[("lstm", Self { clip: None })];
}

impl Cell for Lstm {
    type Gates<V> = [V; 4];
    type Apart<V> = [V; 0];
    type State<V> = [V; 2];
    type Parameters<V> = [V; 0];
    type Kept<V> = [V; 4];

    const COMPILED: bool = true;

    fn name(&self) -> String {
        "lstm".into()
    }

    fn gate_names(&self) -> &'static [&'static str] {
        &["input", "forget", "candidate", "output"]
    }

    fn remembering_gate(&self) -> Option<usize> {
        Some(1)
    }

    fn writing_gate(&self) -> Option<usize> {
        Some(0)
    }

    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        &[("input", 0), ("forget", 1), ("output", 3)]
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a_i, a_f, a_g, a_o]: [V; 4],
        []: [V; 0],
        [_h, c]: [V; 2],
        []: [V; 0],
    ) -> ([V; 2], [V; 4]) {
        let (i, f, g, o) = (a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid());
        let c = clipped(f.clone() * c + i.clone() * g.clone(), self.clip);
        let h = o.clone() * c.clone().tanh();
        ([h, c], [i, f, g, o])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh, dc]: [V; 2],
        [_h, c_before]: [V; 2],
        [_, c]: [V; 2],
        [i, f, g, o]: [V; 4],
        []: [V; 0],
    ) -> StepGradient<Self, V> {
        let t = c.clone().tanh();
        let dc = dc + dh.clone() * o.clone() * t.clone().tanh_slope();
        let dc = clipped_back(dc, c, self.clip);
        StepGradient {
            gates: [
                dc.clone() * g.clone() * i.clone().sigmoid_slope(),
                dc.clone() * c_before * f.clone().sigmoid_slope(),
                dc.clone() * i * g.tanh_slope(),
                dh * t * o.sigmoid_slope(),
            ],
            apart: [],
            state: [None, Some(dc * f)],
            parameters: [],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::dual::derivative_error;

    #[test]
    fn the_derivative_is_that_of_the_step() {
        for clip in [None, Some(0.4)] {
            let error = derivative_error(&Lstm { clip }, 500, 1);
            assert!(error < 1e-14, "{clip:?}: {error:e}");
        }
    }
}
