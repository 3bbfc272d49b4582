//! The weights of a layer.

use super::RecurrentConfig;
use super::initial::{RecurrentInitializer, draw};
use crate::cell::Shape;
use crate::random::Random;
use crate::recurrence::Operands;
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, TensorCreationOptions, TensorData};

/// The weights of one walk over time; the letters are those of [`crate::recurrence::walk`].
/// A weight that the stack does not have is `None`.
#[derive(Module, Debug)]
pub struct DirectionWeights {
    /// `W_x`: `[features, gates × hidden]`.
    pub w_x: Option<Param<Tensor<2>>>,
    /// `W_h`: `[output, gates × hidden]`.
    pub w_h: Option<Param<Tensor<2>>>,
    /// `b_x`: `[gates × hidden]`.
    pub b_x: Option<Param<Tensor<1>>>,
    /// `b_h`: `[gates × hidden]`.
    pub b_h: Option<Param<Tensor<1>>>,
    /// The cell's vector parameters, one per row: `[parameters, hidden]`.
    pub parameters: Option<Param<Tensor<2>>>,
    /// `W_p`, the projection: `[hidden, output]`.
    pub w_p: Option<Param<Tensor<2>>>,
    /// `g_x`, the gain of the normalised product of the input: `[gates × hidden]`.
    pub gain_x: Option<Param<Tensor<1>>>,
    /// `g_h`, the gain of the normalised product of the hidden state: `[gates × hidden]`.
    pub gain_h: Option<Param<Tensor<1>>>,
}

impl DirectionWeights {
    /// Draws each gate's block as a separate matrix.
    pub(super) fn new(
        shape: &Shape,
        features: usize,
        config: &RecurrentConfig,
        options: &TensorCreationOptions,
        random: &mut Random,
    ) -> Self {
        let (gates, hidden) = (shape.gates, config.d_hidden);
        let output = config.projection.unwrap_or(hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let start = config.initializer.as_ref().unwrap_or(&uniform);
        // An orthogonal initializer is for matrices, not for a bias.
        let bias_start = match (&config.bias_initializer, start) {
            (Some(start), _) => start,
            (None, Initializer::Orthogonal { .. }) => &uniform,
            (None, start) => start,
        };
        let recurrent_start = config.recurrent_initializer.clone();
        let recurrent_start =
            recurrent_start.unwrap_or(RecurrentInitializer::Drawn { initializer: start.clone() });
        let matrix = |values: Vec<f64>, rows: usize, columns: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), options.clone())
        };
        // Gates side by side, each drawn separately.
        let of_gates = |rows: usize, block: &mut dyn FnMut() -> Vec<f64>| {
            let mut values = vec![0.0; rows * gates * hidden];
            for gate in 0..gates {
                for (i, value) in block().into_iter().enumerate() {
                    values[(i / hidden) * gates * hidden + gate * hidden + i % hidden] = value;
                }
            }
            matrix(values, rows, gates * hidden)
        };
        let (product, recurrent) = (shape.input_product(), shape.recurrent_product());
        let w_x =
            product.then(|| of_gates(features, &mut || draw(start, features, hidden, random)));
        let w_h = recurrent
            .then(|| of_gates(output, &mut || recurrent_start.draw(output, hidden, random)));
        let mut bias = |given: bool| {
            (given && config.bias).then(|| {
                of_gates(1, &mut || draw(bias_start, 1, hidden, random)).reshape([gates * hidden])
            })
        };
        let (b_x, b_h) = (bias(product), bias(recurrent));
        let count = shape.parameters;
        let mut vectors = || (0..count).flat_map(|_| draw(&uniform, 1, hidden, random)).collect();
        let parameters = (count > 0).then(|| matrix(vectors(), count, hidden));
        let w_p = config
            .projection
            .map(|output| matrix(draw(&uniform, hidden, output, random), hidden, output));
        let gain = |given: bool| {
            (given && config.layer_norm).then(|| {
                let ones = matrix(vec![1.0; gates * hidden], 1, gates * hidden);
                Param::from_tensor(ones.reshape([gates * hidden]))
            })
        };
        Self {
            w_x: w_x.map(Param::from_tensor),
            w_h: w_h.map(Param::from_tensor),
            b_x: b_x.map(Param::from_tensor),
            b_h: b_h.map(Param::from_tensor),
            parameters: parameters.map(Param::from_tensor),
            w_p: w_p.map(Param::from_tensor),
            gain_x: gain(product),
            gain_h: gain(recurrent),
        }
    }

    /// The operands of one walk. `initial` holds the states side by side.
    pub(super) fn operands(
        &self,
        input: Tensor<2>,
        initial: Option<Tensor<2>>,
    ) -> Operands<Option<Tensor<2>>> {
        let row = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().map(|b| b.val().unsqueeze());
        let matrix = |m: &Option<Param<Tensor<2>>>| m.as_ref().map(Param::val);
        Operands {
            input: Some(input),
            initial,
            w_x: matrix(&self.w_x),
            w_h: matrix(&self.w_h),
            b_x: row(&self.b_x),
            b_h: row(&self.b_h),
            parameters: matrix(&self.parameters),
            w_p: matrix(&self.w_p),
            gain_x: row(&self.gain_x),
            gain_h: row(&self.gain_h),
            recurrent_mask: None,
            zoneout: None,
        }
    }
}

/// One layer: one direction, or two if the stack is bidirectional.
#[derive(Module, Debug)]
pub struct Layer {
    /// The weights of each direction.
    pub directions: Vec<DirectionWeights>,
}
