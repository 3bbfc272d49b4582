//! The flow of the gradient through a stack: see [`crate::recurrence::flow`].

use super::recurrent::{Recurrent, StackCell};
use super::stack::Stack;
use super::trace::{Remembered, Trace, matrix, tensor};
use crate::host;
use crate::recurrence::BackendMatrix;
use crate::recurrence::flow::{
    Flow, GateFlow, LayerFlow, Losses, StateFlow, StateGradient, one_step_back, walk_each_loss,
};
use burn::backend::Dispatch;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

/// Why there is no flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A lag counts steps back in time.
    #[error("the flow of the gradient is for stacks that walk forward in time")]
    Direction,
    /// The gradient has another shape than the output.
    #[error("the gradient of the output is {given:?}, and the output {output:?}")]
    Shape {
        /// The gradient's shape.
        given: [usize; 3],
        /// The output's shape.
        output: [usize; 3],
    },
}

impl<C: StackCell> Recurrent<C> {
    /// How the gradient flows through the stack: its size by time and by lag, the Jacobians and the gates.
    ///
    /// `d_output` holds `∂L_t/∂H_t` in the shape of the output: the gradient of each step's loss at
    /// the top layer's hidden state. With `last` the whole loss is that of the last step, otherwise the sum of
    /// all. The maps by lag show each step's loss separately and take the memory of `T²/2` steps.
    ///
    /// # Errors
    /// If the stack walks back in time, or the gradient has another shape than the output.
    ///
    /// ```
    /// use bptt::nn::LstmConfig;
    /// use burn::tensor::{Device, Distribution, Tensor};
    ///
    /// let device = Device::default();
    /// let lstm = LstmConfig::new(3, 5, true).init(&device);
    /// let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
    /// let (output, _) = lstm.forward(x.clone(), None);
    /// let flow = lstm.flow(x, output, true).unwrap(); // L_t = ½ ‖H_t‖²
    /// let cell = &flow.layers[0].states[1];
    /// assert_eq!(cell.name, "cell");
    /// println!("{}", cell.lag_map[6][3]); // ‖∂L_7/∂c_4‖
    /// ```
    pub fn flow(
        &self,
        input: Tensor<3>,
        d_output: Tensor<3>,
        last: bool,
    ) -> Result<Flow, FlowError> {
        self.stack().flow(input, d_output, last)
    }

    /// The size of one loss's gradient at each state of each layer, by time, from one backward pass. `d_output` is
    /// `∂L/∂H`, in the shape of the output.
    ///
    /// # Errors
    /// As [`Recurrent::flow`].
    pub fn gradient_norms(
        &self,
        input: Tensor<3>,
        d_output: Tensor<3>,
    ) -> Result<Vec<Vec<StateGradient>>, FlowError> {
        let stack = self.stack();
        let trace = stack.trace_forward(input, &d_output)?;
        Ok(stack.norms_of(&trace, d_output.detach()))
    }
}

impl Stack<'_> {
    fn flow(&self, input: Tensor<3>, d_output: Tensor<3>, last: bool) -> Result<Flow, FlowError> {
        let trace = self.trace_forward(input, &d_output)?;
        let d_output = d_output.detach();
        let time = trace.packing.timeline().time();
        let axis = if self.batch_first { 1 } else { 0 };
        let whole = if last {
            let last = d_output.clone().slice_dim(axis, time - 1..time);
            let earlier = d_output.clone().slice_dim(axis, 0..time - 1).zeros_like();
            if time > 1 { Tensor::cat(vec![earlier, last], axis) } else { last }
        } else {
            d_output.clone()
        };
        let by_time = self.norms_of(&trace, whole);
        let mut layers: Vec<LayerFlow> = by_time
            .into_iter()
            .enumerate()
            .map(|(layer, states)| {
                let state = |StateGradient { name, gradient_norm }| StateFlow {
                    name,
                    gradient_norm,
                    lag_map: (0..time).map(|t| vec![0.0; t + 1]).collect(),
                };
                let remembered = &trace.remembered[layer];
                LayerFlow {
                    jacobian_norm: jacobian_norms(remembered, states.len()),
                    states: states.into_iter().map(state).collect(),
                    spectral_radius: self.spectral_radii(layer),
                    gates: gates(remembered),
                }
            })
            .collect();

        let mut losses = Losses::Direct(matrix(trace.packing.pack(d_output)));
        for layer in (0..self.layers.len()).rev() {
            let Remembered { walk, operands, tape } = &trace.remembered[layer];
            let states = &mut layers[layer].states;
            let d_input = walk_each_loss(walk, operands, tape, &losses, |s, d_state| {
                for (state, d) in states.iter_mut().zip(d_state) {
                    let by_loss = row_block_norms(d, time - s);
                    for (back, norm) in by_loss.into_iter().enumerate() {
                        let t = time - 1 - back;
                        state.lag_map[t][t - s] = norm;
                    }
                }
            });
            let mask = layer.checked_sub(1).and_then(|below| trace.dropout.get(below));
            let dropped = |(s, d): (usize, BackendMatrix<Dispatch>)| match mask {
                Some(mask) => {
                    let rows = mask.clone().slice_dim(0, walk.timeline.rows(s));
                    matrix(tensor(d) * rows.repeat_dim(0, time - s))
                }
                None => d,
            };
            losses = Losses::All(d_input.into_iter().enumerate().map(dropped).collect());
        }
        let sum = |t: usize| {
            let norms = layers.iter().map(|layer| layer.states[0].gradient_norm[t].powi(2));
            norms.sum::<f64>().sqrt()
        };
        Ok(Flow { gradient_norm: (0..time).map(sum).collect(), layers })
    }

    fn trace_forward(&self, input: Tensor<3>, d_output: &Tensor<3>) -> Result<Trace, FlowError> {
        if self.directions() > 1 || self.reverse {
            return Err(FlowError::Direction);
        }
        let trace = Trace::new(*self, input.clone(), self.packing(&input), None);
        let (given, output) = (d_output.dims(), trace.output().dims());
        if given == output { Ok(trace) } else { Err(FlowError::Shape { given, output }) }
    }

    fn norms_of(&self, trace: &Trace, d_output: Tensor<3>) -> Vec<Vec<StateGradient>> {
        let axis = if self.batch_first { 1 } else { 0 };
        let gradients = trace.backward(d_output, None);
        let state = |layer: usize, s: usize| {
            let of_it = match s {
                0 => &gradients.hidden[layer],
                _ => &gradients.others[layer][s - 1],
            };
            let gradient_norm = norms_by_time(of_it.clone(), axis);
            StateGradient { name: state_name(s), gradient_norm }
        };
        let states = |layer| (0..self.cell.shape().states).map(|s| state(layer, s)).collect();
        (0..self.layers.len()).map(states).collect()
    }

    /// The largest eigenvalue modulus of each gate's block of `W_h`, multiplied with the projection if there is
    /// one.
    fn spectral_radii(&self, layer: usize) -> Vec<(String, f64)> {
        let weights = &self.layers[layer].directions[0];
        let Some(w_h) = weights.w_h.as_ref().filter(|_| self.cell.shape().recurrent_product())
        else {
            return Vec::new();
        };
        let w_h = match &weights.w_p {
            Some(w_p) => w_p.val().matmul(w_h.val()),
            None => w_h.val(),
        };
        let (hidden, gates) = (self.hidden, self.cell.shape().gates);
        let radius = |gate: usize| {
            let block = w_h.clone().slice_dim(1, gate * hidden..(gate + 1) * hidden);
            let name = match self.cell.gate_names().get(gate) {
                Some(name) => (*name).to_string(),
                None if gates == 1 => "recurrent".into(),
                None => format!("gate {}", gate + 1),
            };
            (name, spectral_radius(host(block), hidden))
        };
        (0..gates).map(radius).collect()
    }
}

/// Names of the states: hidden, cell, and numbers for further ones.
fn state_name(s: usize) -> String {
    match s {
        0 => "hidden".into(),
        1 => "cell".into(),
        s => format!("state {}", s + 1),
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The norm over all but the time axis.
fn norms_by_time(tensor: Tensor<3>, axis: usize) -> Vec<f64> {
    let [first, second, width] = tensor.dims();
    let values = host(tensor);
    let time = if axis == 0 { first } else { second };
    let mut squares = vec![0.0; time];
    for (i, row) in values.chunks_exact(width).enumerate() {
        let t = if axis == 0 { i / second } else { i % second };
        squares[t] += row.iter().map(|value| value * value).sum::<f64>();
    }
    squares.into_iter().map(f64::sqrt).collect()
}

/// The norm of each block of rows.
fn row_block_norms(m: &BackendMatrix<Dispatch>, blocks: usize) -> Vec<f64> {
    let values = host(tensor(m.clone()));
    values.chunks_exact(values.len() / blocks).map(norm).collect()
}

/// The largest singular value of `∂S_t/∂S_{t−1}`, the mean over the rows, by time.
fn jacobian_norms(remembered: &Remembered, states: usize) -> Vec<f64> {
    let Remembered { walk, operands, tape } = remembered;
    let batch = walk.timeline.batch();
    let widths: Vec<usize> =
        (0..states).map(|s| if s == 0 { walk.output(operands) } else { walk.hidden }).collect();
    let whole: usize = widths.iter().sum();
    // One copy of all rows for each unit of the states, with a 1 at that unit.
    let mut from = 0;
    let units: Vec<BackendMatrix<Dispatch>> = widths
        .iter()
        .map(|&width| {
            let mut values = vec![0.0; whole * batch * width];
            for unit in 0..width {
                for row in 0..batch {
                    values[((from + unit) * batch + row) * width + unit] = 1.0;
                }
            }
            from += width;
            let like = tensor(operands.input.clone().expect("a recurrence has an input"));
            let data = TensorData::new(values, [whole * batch, width]);
            matrix(Tensor::from_data(data, (&like.device(), like.dtype())))
        })
        .collect();
    (0..walk.timeline.time())
        .map(|t| {
            let jacobians = one_step_back(walk, operands, tape, t, units.clone(), whole);
            let values = host(tensor(jacobians));
            let of_row = |row: usize| {
                let rows = (0..whole).map(|unit| &values[(unit * batch + row) * whole..][..whole]);
                largest_singular_value(&rows.collect::<Vec<_>>())
            };
            (0..batch).into_par_iter().map(of_row).sum::<f64>() / batch as f64
        })
        .collect()
}

/// By power iteration on `JᵀJ`, started from its longest row.
fn largest_singular_value(rows: &[&[f64]]) -> f64 {
    const MOST: usize = 1000;
    const CHANGE: f64 = 1e-12;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let longest = rows.iter().max_by(|a, b| norm(a).total_cmp(&norm(b))).expect("a state");
    let mut vector = longest.to_vec();
    let mut value = 0.0;
    for _ in 0..MOST {
        let length = norm(&vector);
        if length == 0.0 || !length.is_finite() {
            return length;
        }
        vector.iter_mut().for_each(|v| *v /= length);
        let image: Vec<f64> = rows.iter().map(|row| dot(row, &vector)).collect();
        let next = norm(&image);
        if (next - value).abs() <= CHANGE * next {
            return next;
        }
        value = next;
        vector.fill(0.0);
        for (row, image) in rows.iter().zip(&image) {
            vector.iter_mut().zip(*row).for_each(|(v, r)| *v += r * image);
        }
    }
    value
}

/// `lim ‖Aⁿ‖^(1/n)` (Gelfand 1941) at `n = 2^40`, by squaring.
fn spectral_radius(mut a: Vec<f64>, size: usize) -> f64 {
    const SQUARINGS: i32 = 40;
    let mut logarithm = 0.0;
    for squaring in 0..=SQUARINGS {
        let length = norm(&a);
        if length == 0.0 || !length.is_finite() {
            return length;
        }
        // ‖A^(2^s)‖^(1/2^s) is the product of the norms divided out, each to its power.
        logarithm += length.ln() / 2f64.powi(squaring);
        a.iter_mut().for_each(|value| *value /= length);
        if squaring < SQUARINGS {
            let mut square = vec![0.0; size * size];
            square.par_chunks_exact_mut(size).zip(a.par_chunks_exact(size)).for_each(
                |(to, from)| {
                    for (factor, row) in from.iter().zip(a.chunks_exact(size)) {
                        to.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
                    }
                },
            );
            a = square;
        }
    }
    logarithm.exp()
}

/// The sigmoid gates over time.
fn gates(remembered: &Remembered) -> Vec<GateFlow> {
    let of_gate = |&(name, position): &(&str, usize)| {
        let mut gate =
            GateFlow { name: name.into(), mean: Vec::new(), below: Vec::new(), above: Vec::new() };
        for kept in remembered.tape.kept() {
            let values = host(tensor(kept[position].clone()));
            let share = |test: &dyn Fn(f64) -> bool| {
                values.iter().filter(|&&value| test(value)).count() as f64 / values.len() as f64
            };
            gate.mean.push(values.iter().sum::<f64>() / values.len() as f64);
            gate.below.push(share(&|value| value < 0.1));
            gate.above.push(share(&|value| value > 0.9));
        }
        gate
    };
    remembered.walk.cell.sigmoid_gates().iter().map(of_gate).collect()
}
