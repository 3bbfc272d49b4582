//! The gated recurrent unit (Cho 2014), with the reset gate after the product, as in PyTorch and
//! cuDNN.
//!
//! ```text
//! r_t = sigmoid(a_r)                 reset gate        a = x_t W_x + b_x + h_{t-1} W_h + b_h   for r, z
//! z_t = sigmoid(a_z)                 update gate
//! n_t = tanh(a_n + r_t ⊙ u_n)        candidate         a_n = x_t W_xn + b_xn,  u_n = h_{t-1} W_hn + b_hn
//! h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t-1} = n_t + z_t ⊙ (h_{t-1} − n_t)
//! ```
//!
//! The candidate needs the input part and the recurrent part of its pre-activation separately, because the
//! reset gate multiplies only one of them.
//!
//! # The derivative
//!
//! ```text
//! ∂L/∂n_t = ∂L/∂h_t ⊙ (1 − z_t)                ∂L/∂z_t = ∂L/∂h_t ⊙ (h_{t-1} − n_t)
//! ∂L/∂a_n = ∂L/∂n_t ⊙ (1 − n_t²)               ∂L/∂a_z = ∂L/∂z_t ⊙ z_t (1 − z_t)
//! ∂L/∂u_n = ∂L/∂a_n ⊙ r_t                      ∂L/∂r_t = ∂L/∂a_n ⊙ u_n
//! ∂L/∂h_{t-1} = ∂L/∂h_t ⊙ z_t, unit by unit    ∂L/∂a_r = ∂L/∂r_t ⊙ r_t (1 − r_t)
//! ```
//!
//! If the update gate stays near 1, the gradient passes from step to step unchanged.

use super::{Cell, Named, Number, StepGradient, clipped, clipped_back};

/// The GRU cell: gates in PyTorch's order, reset, update, new.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gru {
    /// Keeps the hidden state between `−clip` and `clip`, where no gradient passes.
    pub clip: Option<f64>,
}

impl Named for Gru {
    const NAMED: &'static [(&'static str, Self)] = &[("gru", Self { clip: None })];
}

impl Cell for Gru {
    type Gates<V> = [V; 3];
    type Apart<V> = [V; 1];
    type State<V> = [V; 1];
    type Parameters<V> = [V; 0];
    type Kept<V> = [V; 4];

    const COMPILED: bool = true;

    fn name(&self) -> String {
        "gru".into()
    }

    fn gate_names(&self) -> &'static [&'static str] {
        &["reset", "update", "new"]
    }

    fn remembering_gate(&self) -> Option<usize> {
        Some(1)
    }

    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        &[("reset", 0), ("update", 1)]
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a_r, a_z, a_n]: [V; 3],
        [u_n]: [V; 1],
        [h]: [V; 1],
        []: [V; 0],
    ) -> ([V; 1], [V; 4]) {
        let (r, z) = (a_r.sigmoid(), a_z.sigmoid());
        let n = (a_n + r.clone() * u_n.clone()).tanh();
        let h = n.clone() + z.clone() * (h - n.clone());
        ([clipped(h, self.clip)], [r, z, n, u_n])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh]: [V; 1],
        [h_before]: [V; 1],
        [h]: [V; 1],
        [r, z, n, u_n]: [V; 4],
        []: [V; 0],
    ) -> StepGradient<Self, V> {
        let dh = clipped_back(dh, h, self.clip);
        let dn = dh.clone() * z.clone().times(-1.0).plus(1.0);
        let dz = dh.clone() * (h_before - n.clone());
        let da_n = dn * n.tanh_slope();
        let dr = da_n.clone() * u_n;
        StepGradient {
            gates: [dr * r.clone().sigmoid_slope(), dz * z.clone().sigmoid_slope(), da_n.clone()],
            apart: [da_n * r],
            state: [Some(dh * z)],
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
            let error = derivative_error(&Gru { clip }, 500, 1);
            assert!(error < 1e-14, "{clip:?}: {error:e}");
        }
    }
}
