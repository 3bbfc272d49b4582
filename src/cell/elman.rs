//! The recurrent network of the lecture: `H_t = σ(X_t W_x + H_{t-1} W_h + b)` (Elman 1990).
//!
//! # The derivative
//!
//! With the pre-activation `a_t = x_t W_x + h_{t-1} W_h + b` and `h_t = σ(a_t)`, the chain rule
//! gives, unit by unit,
//!
//! ```text
//! ∂L/∂a_t = ∂L/∂h_t ⊙ σ'(a_t)
//! ```
//!
//! and the slope of each σ here follows from its output, so the step keeps nothing:
//!
//! ```text
//! identity  σ' = 1          sigmoid  σ' = h (1 − h)
//! tanh      σ' = 1 − h²     relu     σ' = 1 where h > 0, else 0 (0 at the kink)
//! ```
//!
//! With identity, one unit and no bias it is the linear network `S_k = S_{k-1} w_rec + x_k w_x`.

use super::{Cell, Named, Number, StepGradient, clipped, clipped_back};

/// The activation σ of an Elman cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `σ(a) = a`: the linear network.
    Identity,
    /// `σ(a) = tanh(a)`.
    Tanh,
    /// `σ(a) = max(a, 0)`.
    Relu,
    /// `σ(a) = 1 / (1 + e^{−a})`.
    Sigmoid,
}

impl Activation {
    /// Every activation there is.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Tanh, Self::Relu, Self::Sigmoid];

    /// `σ(a)`.
    #[inline(always)]
    pub(super) fn of<V: Number>(self, a: V) -> V {
        match self {
            Self::Identity => a,
            Self::Tanh => a.tanh(),
            Self::Relu => a.relu(),
            Self::Sigmoid => a.sigmoid(),
        }
    }

    /// `dh ⊙ σ'(a)` by the output `h = σ(a)`.
    #[inline(always)]
    pub(super) fn back<V: Number>(self, dh: V, h: V) -> V {
        match self {
            Self::Identity => dh,
            Self::Tanh => dh * h.tanh_slope(),
            Self::Relu => dh * h.positive(),
            Self::Sigmoid => dh * h.sigmoid_slope(),
        }
    }
}

/// `h_t = σ(a_t)`: the Elman cell (Elman 1990, "Finding structure in time").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elman {
    /// The activation σ.
    pub activation: Activation,
    /// Keeps the hidden state between `−clip` and `clip`, where no gradient passes.
    pub clip: Option<f64>,
}

impl Named for Elman {
    const NAMED: &'static [(&'static str, Self)] = &[
        ("linear", Self { activation: Activation::Identity, clip: None }),
        ("elman", Self { activation: Activation::Tanh, clip: None }),
        ("elman-relu", Self { activation: Activation::Relu, clip: None }),
        ("elman-sigmoid", Self { activation: Activation::Sigmoid, clip: None }),
    ];
}

impl Cell for Elman {
    type Gates<V> = [V; 1];
    type Apart<V> = [V; 0];
    type State<V> = [V; 1];
    type Parameters<V> = [V; 0];
    type Kept<V> = [V; 0];

    const COMPILED: bool = true;

    fn name(&self) -> String {
        match self.activation {
            Activation::Identity => "linear",
            Activation::Tanh => "elman",
            Activation::Relu => "elman-relu",
            Activation::Sigmoid => "elman-sigmoid",
        }
        .into()
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a]: [V; 1],
        []: [V; 0],
        [_h]: [V; 1],
        []: [V; 0],
    ) -> ([V; 1], [V; 0]) {
        let h = self.activation.of(a);
        ([clipped(h, self.clip)], [])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh]: [V; 1],
        [_before]: [V; 1],
        [h]: [V; 1],
        []: [V; 0],
        []: [V; 0],
    ) -> StepGradient<Self, V> {
        StepGradient {
            gates: [self.activation.back(clipped_back(dh, h.clone(), self.clip), h)],
            apart: [],
            state: [None],
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
        for activation in Activation::ALL {
            for clip in [None, Some(0.4)] {
                let error = derivative_error(&Elman { activation, clip }, 500, 1);
                assert!(error < 1e-14, "{activation:?} {clip:?}: {error:e}");
            }
        }
    }
}
