//! A step without memory: `h_t = a_t`, where `a_t = x_t W_x + b_x`.
//!
//! A readout `O_t = H_t W_2 + b_2` is a layer of this cell, so the walk computes its products and their derivatives.

use super::{Cell, Number, RecurrentShare, StepGradient};

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine;

impl Cell for Affine {
    type Gates<V> = [V; 1];
    type Apart<V> = [V; 0];
    type State<V> = [V; 1];
    type Parameters<V> = [V; 0];
    type Kept<V> = [V; 0];

    const RECURRENT: RecurrentShare = RecurrentShare::Elementwise;

    const COMPILED: bool = true;

    fn name(&self) -> String {
        "affine".into()
    }

    #[inline(always)]
    fn step<V: Number>(
        &self,
        [a]: [V; 1],
        []: [V; 0],
        [_h]: [V; 1],
        []: [V; 0],
    ) -> ([V; 1], [V; 0]) {
        ([a], [])
    }

    #[inline(always)]
    fn derivative<V: Number>(
        &self,
        [dh]: [V; 1],
        [_before]: [V; 1],
        [_h]: [V; 1],
        []: [V; 0],
        []: [V; 0],
    ) -> StepGradient<Self, V> {
        StepGradient { gates: [dh], apart: [], state: [None], parameters: [] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::dual::derivative_error;

    #[test]
    fn the_derivative_is_that_of_the_step() {
        assert_eq!(derivative_error(&Affine, 500, 1), 0.0);
    }
}
