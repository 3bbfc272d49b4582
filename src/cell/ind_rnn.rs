//! The independently recurrent network (Li 2018, "Independently recurrent neural network"): each
//! hidden unit depends only on its own past, through one weight.
//!
//! ```text
//! h_t = σ(a_t + u ⊙ h_{t-1}),   a_t = x_t W_x + b_x
//! ```
//!
//! # The derivative
//!
//! ```text
//! ∂L/∂a_t = ∂L/∂h_t ⊙ σ'      ∂L/∂h_{t-1} = ∂L/∂a_t ⊙ u, unit by unit      ∂L/∂u = ∂L/∂a_t ⊙ h_{t-1}
//! ```
//!
//! The gradient of a unit after k steps scales with `u^k`: |u| shows whether it vanishes.

use super::{Activation, Cell, Named, Number, RecurrentShare, StepGradient};

/// The IndRNN cell. It has no `W_h`; its vector parameter is u.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndRnn {
    /// The activation σ; the paper's is relu.
    pub activation: Activation,
}

impl Default for IndRnn {
    fn default() -> Self {
        Self { activation: Activation::Relu }
    }
}

impl Named for IndRnn {
    const NAMED: &'static [(&'static str, Self)] =
        &[("ind-rnn", Self { activation: Activation::Relu })];
}

impl Cell for IndRnn {
    type Gates<V> = [V; 1];
    type Apart<V> = [V; 0];
    type State<V> = [V; 1];
    type Parameters<V> = [V; 1];
    type Kept<V> = [V; 0];

    const RECURRENT: RecurrentShare = RecurrentShare::Elementwise;

    const COMPILED: bool = true;

    fn name(&self) -> String {
        "ind-rnn".into()
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a]: [V; 1],
        []: [V; 0],
        [h]: [V; 1],
        [u]: [V; 1],
    ) -> ([V; 1], [V; 0]) {
        ([self.activation.of(a + u * h)], [])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh]: [V; 1],
        [h_before]: [V; 1],
        [h]: [V; 1],
        []: [V; 0],
        [u]: [V; 1],
    ) -> StepGradient<Self, V> {
        let da = self.activation.back(dh, h);
        StepGradient {
            gates: [da.clone()],
            apart: [],
            state: [Some(da.clone() * u)],
            parameters: [da * h_before],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::dual::derivative_error;

    #[test]
    fn the_derivative_is_that_of_the_step() {
        for activation in Activation::ALL {
            let error = derivative_error(&IndRnn { activation }, 500, 1);
            assert!(error < 1e-14, "{activation:?}: {error:e}");
        }
    }
}
