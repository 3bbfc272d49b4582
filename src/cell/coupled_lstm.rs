//! The LSTM with the forget gate coupled to the input gate (Greff 2017, "LSTM: a search space
//! odyssey"): the cell forgets as much as it writes.
//!
//! ```text
//! i_t = sigmoid(a_i)      input gate           c_t = (1 − i_t) ⊙ c_{t-1} + i_t ⊙ g_t
//! g_t = tanh(a_g)         candidate                = c_{t-1} + i_t ⊙ (g_t − c_{t-1})
//! o_t = sigmoid(a_o)      output gate          h_t = o_t ⊙ tanh(c_t)
//! ```
//!
//! # The derivative
//!
//! As for the [LSTM](super::Lstm) with `f = 1 − i`, so both products contribute to the input gate:
//!
//! ```text
//! ∂L/∂c_t (all) = ∂L/∂c_t + ∂L/∂h_t ⊙ o_t ⊙ (1 − tanh²(c_t))
//! ∂L/∂a_i = ∂L/∂c_t ⊙ (g_t − c_{t-1}) ⊙ i_t (1 − i_t)    ∂L/∂a_o = ∂L/∂h_t ⊙ tanh(c_t) ⊙ o_t (1 − o_t)
//! ∂L/∂a_g = ∂L/∂c_t ⊙ i_t ⊙ (1 − g_t²)                  ∂L/∂c_{t-1} = ∂L/∂c_t ⊙ (1 − i_t)
//! ```

use super::{Cell, Named, Number, StepGradient, clipped, clipped_back};

/// The coupled LSTM cell: gates input, candidate, output; states hidden and cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CoupledLstm {
    /// Keeps the cell state between `−clip` and `clip`, where no gradient passes.
    pub clip: Option<f64>,
}

impl Named for CoupledLstm {
    const NAMED: &'static [(&'static str, Self)] = &[("lstm-coupled", Self { clip: None })];
}

impl Cell for CoupledLstm {
    type Gates<V> = [V; 3];
    type Apart<V> = [V; 0];
    type State<V> = [V; 2];
    type Parameters<V> = [V; 0];
    type Kept<V> = [V; 3];

    const COMPILED: bool = true;

    fn name(&self) -> String {
        "lstm-coupled".into()
    }

    fn gate_names(&self) -> &'static [&'static str] {
        &["input", "candidate", "output"]
    }

    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        &[("input", 0), ("output", 2)]
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a_i, a_g, a_o]: [V; 3],
        []: [V; 0],
        [_h, c]: [V; 2],
        []: [V; 0],
    ) -> ([V; 2], [V; 3]) {
        let (i, g, o) = (a_i.sigmoid(), a_g.tanh(), a_o.sigmoid());
        let c = clipped(c.clone() + i.clone() * (g.clone() - c), self.clip);
        let h = o.clone() * c.clone().tanh();
        ([h, c], [i, g, o])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh, dc]: [V; 2],
        [_h, c_before]: [V; 2],
        [_, c]: [V; 2],
        [i, g, o]: [V; 3],
        []: [V; 0],
    ) -> StepGradient<Self, V> {
        let t = c.clone().tanh();
        let dc = dc + dh.clone() * o.clone() * t.clone().tanh_slope();
        let dc = clipped_back(dc, c, self.clip);
        StepGradient {
            gates: [
                dc.clone() * (g.clone() - c_before) * i.clone().sigmoid_slope(),
                dc.clone() * i.clone() * g.tanh_slope(),
                dh * t * o.sigmoid_slope(),
            ],
            apart: [],
            state: [None, Some(dc * i.times(-1.0).plus(1.0))],
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
            let error = derivative_error(&CoupledLstm { clip }, 500, 1);
            assert!(error < 1e-14, "{clip:?}: {error:e}");
        }
    }
}
