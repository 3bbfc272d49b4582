//! The readout `O_t = H_t W_2 + b_2` and its derivative.

use super::initial::draw;
use super::{Gradient, Precision};
use crate::cell::Affine;
use crate::random::Random;
use crate::recurrence::walk::Walk;
use crate::recurrence::{AnyCell, Operands, Timeline, op};
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, TensorCreationOptions, TensorData};
use std::sync::Arc;

/// `O = H W_2 + b_2`, for each step of each row.
#[derive(Module, Debug)]
pub struct Readout {
    /// `W_2`: `[hidden, outputs]`.
    pub w_2: Param<Tensor<2>>,
    /// `b_2`: `[outputs]`.
    pub b_2: Param<Tensor<1>>,
    #[module(skip)]
    gradient: Gradient,
    #[module(skip)]
    precision: Precision,
}

/// The gradients that [`Readout::backward`] returns.
#[derive(Clone, Debug)]
pub struct ReadoutGradients {
    /// `∂L/∂H`: `[batch, time, hidden]`, the first of the two sources of `∂L/∂H_t`.
    pub hidden: Tensor<3>,
    /// `∂L/∂W_2`.
    pub w_2: Tensor<2>,
    /// `∂L/∂b_2`.
    pub b_2: Tensor<1>,
}

impl Readout {
    /// Weights drawn from `U(−1/√hidden, 1/√hidden)`.
    pub fn new(
        hidden: usize,
        outputs: usize,
        options: impl Into<TensorCreationOptions>,
        random: &mut Random,
    ) -> Self {
        let options = options.into();
        let bound = 1.0 / (hidden as f64).sqrt();
        let start = Initializer::Uniform { min: -bound, max: bound };
        let mut values =
            |rows| TensorData::new(draw(&start, rows, outputs, random), [rows, outputs]);
        let w_2 = Tensor::from_data(values(hidden), options.clone());
        let b_2 = Tensor::<2>::from_data(values(1), options).reshape([outputs]);
        let gradient = Gradient::default();
        let precision = Precision::default();
        Self { w_2: Param::from_tensor(w_2), b_2: Param::from_tensor(b_2), gradient, precision }
    }

    /// The same readout with its gradient on the other path.
    pub fn with_gradient(mut self, gradient: Gradient) -> Self {
        self.gradient = gradient;
        self
    }

    /// The same readout with a product of other factors: see [`Precision`].
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// `O = H W_2 + b_2`: `[batch, time, hidden]` to `[batch, time, outputs]`.
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, time, units] = hidden.dims();
        let [_, outputs] = self.w_2.dims();
        let h = hidden.reshape([batch * time, units]);
        let (w_2, b_2) = (self.w_2.val(), self.b_2.val().unsqueeze());
        let o = match self.gradient {
            Gradient::Manual => {
                let walk = Walk {
                    cell: AnyCell::new(Affine),
                    timeline: Arc::new(Timeline::of_rows(batch * time)),
                    hidden: outputs,
                    passes: None,
                    memory_budget: None,
                    precision: self.precision,
                };
                let (input, w_x, b_x) = (Some(h), Some(w_2), Some(b_2));
                op::hidden_states(&walk, Operands { input, w_x, b_x, ..Operands::default() })
            }
            Gradient::Autodiff => h.matmul(w_2) + b_2,
        };
        o.reshape([batch, time, outputs])
    }

    /// `∂L/∂H = dO W_2ᵀ`, `∂L/∂W_2 = Hᵀ dO`, `∂L/∂b_2 = Σ dO`, the sums over all steps of all rows.
    pub fn backward(&self, hidden: Tensor<3>, d_output: Tensor<3>) -> ReadoutGradients {
        let [batch, time, units] = hidden.dims();
        let [_, _, outputs] = d_output.dims();
        let d_o = d_output.reshape([batch * time, outputs]);
        ReadoutGradients {
            hidden: d_o.clone().matmul(self.w_2.val().transpose()).reshape([batch, time, units]),
            w_2: hidden.reshape([batch * time, units]).transpose().matmul(d_o.clone()),
            b_2: d_o.sum_dim(0).reshape([outputs]),
        }
    }
}
