//! Three gradients of the same loss, compared: by hand, by Burn's autodiff and by central differences.
//!
//! The loss is `L = Σ R ⊙ output + Σ R' ⊙ last state` with drawn `R` and `R'`, so that every output
//! and every state has a different weight in it.

use crate::host;
use crate::nn::{
    DirectionWeights, Gradient, Random, Recurrent, RecurrentConfig, StackCell, Truncation, seeded,
};
use crate::recurrence::AnyCell;
use crate::recurrence::budget::BudgetError;
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use std::fmt;

/// A problem to check a cell with. Weights, input, initial state and loss are drawn from the seed.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Features of the input.
    pub input: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Whether there is a second direction.
    pub bidirectional: bool,
    /// Whether the walk goes from the last step to the first.
    pub reverse: bool,
    /// Whether the hidden state is projected.
    pub projection: bool,
    /// Whether the products are normalised.
    pub layer_norm: bool,
    /// Whether there are dropout, recurrent dropout and zoneout.
    pub regularised: bool,
    /// Whether there are biases.
    pub bias: bool,
    /// Time steps.
    pub time: usize,
    /// Rows of the batch.
    pub batch: usize,
    /// Whether rows have drawn lengths.
    pub lengths: bool,
    /// Whether the initial state is drawn; otherwise it is zero.
    pub state: bool,
    /// Which part of the gradient is computed.
    pub truncation: Truncation,
    /// The bytes that the manual path may keep for its backward pass, without a limit if not given.
    pub memory_budget: Option<usize>,
    /// F32 or F64.
    pub dtype: DType,
    /// The seed.
    pub seed: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, hidden, layers, time, batch, dtype, seed, .. } = self;
        write!(f, "time {time}, batch {batch}, input {input}, hidden {hidden}, layers {layers}")?;
        for (option, name) in [
            (self.bidirectional, "bidirectional"),
            (self.reverse, "reverse"),
            (self.bias, "bias"),
            (self.projection, "projection"),
            (self.layer_norm, "layer norm"),
            (self.regularised, "regularised"),
            (self.lengths, "lengths"),
            (self.state, "state"),
        ] {
            if option {
                write!(f, ", {name}")?;
            }
        }
        if self.truncation != Truncation::Full {
            write!(f, ", {}", self.truncation)?;
        }
        if let Some(budget) = self.memory_budget {
            write!(f, ", memory budget {budget} bytes")?;
        }
        write!(f, ", {dtype:?}, seed {seed}")
    }
}

/// A layer of four units with biases on two rows of six steps, in f64.
impl Default for Problem {
    fn default() -> Self {
        Self {
            input: 3,
            hidden: 4,
            layers: 1,
            bidirectional: false,
            reverse: false,
            projection: false,
            layer_norm: false,
            regularised: false,
            bias: true,
            time: 6,
            batch: 2,
            lengths: false,
            state: true,
            truncation: Truncation::Full,
            memory_budget: None,
            dtype: DType::F64,
            seed: 1,
        }
    }
}

impl Problem {
    /// Checks that the memory budget allows the backward pass.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_memory_budget(
        &self,
        cell: &impl StackCell,
        device: &Device,
    ) -> Result<(), BudgetError> {
        let drawn = Drawn::new(&cell.any(), self, Gradient::Manual, device);
        drawn.stack.check_memory_budget(self.time, self.batch, self.dtype)
    }
}

/// The errors of one parameter's gradient.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Row {
    /// The cell's name.
    pub cell: String,
    /// The parameter: `x` and `state` are the input and the initial state; weights end in their
    /// layer, and in `_reverse` in the direction from the last step to the first.
    pub parameter: String,
    /// `‖manual − autodiff‖ / (‖manual‖ + ‖autodiff‖)`.
    pub manual_vs_autodiff: f64,
    /// `‖manual − differences‖ / (‖manual‖ + ‖differences‖)`; the differences are taken in f64 from
    /// the same numbers. `None` of a truncated gradient, which is the slope of no loss.
    pub manual_vs_difference: Option<f64>,
    /// Whether the distances of the two are within the rounding of the whole gradient.
    #[serde(skip)]
    pub within_rounding: [bool; 2],
}

/// The name of the row for the gradients of all parameters as one vector.
pub const ALL: &str = "all";

impl Row {
    /// Whether both errors are within tolerance: 1e-12 against autodiff and 1e-6 against differences
    /// in f64, 1e-5 in f32.
    ///
    /// In f32 a gradient of few numbers may be the small difference of large terms, with few
    /// correct digits. So in f32 the distance from the f64 differences counts only for all parameters
    /// together ([`ALL`]).
    ///
    /// A gradient may be exactly zero (a normalised product does not change with the scale of its
    /// weights). Then each method returns its own rounding errors. So a distance within the rounding of
    /// the whole gradient, 32 units in its last place, counts as none.
    pub fn passes(&self, dtype: DType) -> bool {
        let (autodiff, difference) =
            (self.manual_vs_autodiff, self.manual_vs_difference.unwrap_or(0.0));
        let [same_as_autodiff, same_as_difference] = self.within_rounding;
        let double = dtype == DType::F64;
        let near_difference = if double { difference <= 1e-6 } else { difference <= 1e-5 };
        (same_as_autodiff || autodiff <= if double { 1e-12 } else { 1e-5 })
            && (same_as_difference || near_difference || (!double && self.parameter != ALL))
    }
}

/// `‖a − b‖ / (‖a‖ + ‖b‖)`, zero where both are zero.
///
/// # Panics
/// If the two have different sizes.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    let apart = distance(a, b);
    if apart == 0.0 { 0.0 } else { apart / (norm(a.iter().copied()) + norm(b.iter().copied())) }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "gradients of one parameter have one size");
    norm(a.iter().zip(b).map(|(a, b)| a - b))
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// Checks every parameter, the input and the initial state of a stack of `cell`, and finally all of
/// them together.
pub fn check(cell: &impl StackCell, problem: &Problem, device: &Device) -> Vec<Row> {
    let cell = &cell.any();
    let manual = gradients(cell, problem, Gradient::Manual, device);
    let autodiff = gradients(cell, problem, Gradient::Autodiff, device);
    let full = problem.truncation == Truncation::Full;
    let differences = full.then(|| differences(cell, problem, device));
    let values = |named: &[(String, Vec<f64>)]| {
        named.iter().flat_map(|(_, v)| v.clone()).collect::<Vec<_>>()
    };
    let whole = values(&manual);
    let unit = if problem.dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let rounding = 32.0 * unit * norm(whole.iter().copied());
    let near = |a: &[f64], b: &[f64]| distance(a, b) <= rounding;
    let row =
        |parameter: String, manual: &[f64], autodiff: &[f64], difference: Option<&[f64]>| Row {
            cell: cell.name(),
            parameter,
            manual_vs_autodiff: relative_error(manual, autodiff),
            manual_vs_difference: difference.map(|difference| relative_error(manual, difference)),
            within_rounding: [
                near(manual, autodiff),
                difference.is_none_or(|difference| near(manual, difference)),
            ],
        };
    let by_difference = differences.as_ref().map(|differences| differences.concat());
    let all = row(ALL.into(), &whole, &values(&autodiff), by_difference.as_deref());
    let of_each = manual.iter().zip(&autodiff).enumerate();
    of_each
        .map(|(number, ((name, manual), (_, autodiff)))| {
            let difference = differences.as_ref().map(|differences| differences[number].as_slice());
            row(name.clone(), manual, autodiff, difference)
        })
        .chain([all])
        .collect()
}

/// The numbers of a problem.
struct Drawn {
    stack: Recurrent,
    input: Tensor<3>,
    lengths: Vec<usize>,
    state: Option<Vec<Tensor<3>>>,
    output_weights: Tensor<3>,
    state_weights: Vec<Tensor<3>>,
    /// Where masks or cuts are drawn, what they are drawn from.
    seed: Option<u64>,
}

impl Drawn {
    fn new(cell: &AnyCell, problem: &Problem, gradient: Gradient, device: &Device) -> Self {
        let Problem { hidden, layers, bidirectional, time, batch, seed, .. } = *problem;
        let mut random = Random::seed_from_u64(seed);
        let features = cell.shape().features(problem.input, hidden);
        let output = if problem.projection { hidden.div_ceil(2) } else { hidden };
        let rate = |rate: f64| if problem.regularised { rate } else { 0.0 };
        let stack = RecurrentConfig::new(features, hidden, problem.bias)
            .with_layers(layers)
            .with_bidirectional(bidirectional)
            .with_reverse(problem.reverse)
            .with_projection(problem.projection.then_some(output))
            .with_layer_norm(problem.layer_norm)
            .with_dropout(rate(0.3))
            .with_recurrent_dropout(rate(0.3))
            .with_zoneout_hidden(rate(0.2))
            .with_zoneout_cell(rate(0.1))
            .with_truncation(problem.truncation)
            .with_memory_budget(problem.memory_budget)
            .with_gradient(gradient)
            .init_with(cell.clone(), (device, problem.dtype), &mut random);
        let directions = stack.directions();
        let mut drawn = |shape: [usize; 3]| {
            let values =
                (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
            Tensor::<3>::from_data(
                TensorData::new::<f64, _>(values, shape),
                (device, problem.dtype),
            )
        };
        let mut states = || -> Vec<Tensor<3>> {
            (0..cell.shape().states)
                .map(|s| drawn([layers * directions, batch, if s == 0 { output } else { hidden }]))
                .collect()
        };
        let (state, state_weights) = (states(), states());
        Self {
            input: drawn([batch, time, features]),
            state: problem.state.then_some(state),
            state_weights,
            output_weights: drawn([batch, time, directions * output]),
            lengths: (0..batch)
                .map(|_| if problem.lengths { random.random_range(1..=time) } else { time })
                .collect(),
            stack,
            seed: (problem.regularised || matches!(problem.truncation, Truncation::Random(_)))
                .then_some(seed),
        }
    }

    fn loss(&self) -> Tensor<1> {
        let forward = || {
            self.stack
                .forward_lengths(self.input.clone(), &self.lengths, self.state.clone())
                .expect("drawn lengths fit")
        };
        let (output, last) = match self.seed {
            Some(seed) => seeded(&self.input.device(), seed, forward),
            None => forward(),
        };
        let weighted = (output * self.output_weights.clone()).sum();
        let terms = last.into_iter().zip(&self.state_weights).map(|(s, r)| (s * r.clone()).sum());
        terms.fold(weighted, |sum, term| sum + term)
    }

    /// Everything that has a gradient, by name; `change` may replace the values.
    fn for_each(&mut self, mut change: impl FnMut(String, &mut dyn Parameter)) {
        change("x".into(), &mut self.input);
        for (s, state) in self.state.iter_mut().flatten().enumerate() {
            change(if s == 0 { "h_0".into() } else { format!("state_{s}") }, state);
        }
        for (l, layer) in self.stack.layers.iter_mut().enumerate() {
            for (d, weights) in layer.directions.iter_mut().enumerate() {
                let suffix = format!("_l{l}{}", if d == 1 { "_reverse" } else { "" });
                let DirectionWeights { w_x, w_h, b_x, b_h, parameters, w_p, gain_x, gain_h } =
                    weights;
                for (name, matrix) in
                    [("w_x", w_x), ("w_h", w_h), ("parameters", parameters), ("w_p", w_p)]
                {
                    if let Some(matrix) = matrix {
                        change(format!("{name}{suffix}"), matrix);
                    }
                }
                for (name, vector) in
                    [("b_x", b_x), ("b_h", b_h), ("gain_x", gain_x), ("gain_h", gain_h)]
                {
                    if let Some(vector) = vector {
                        change(format!("{name}{suffix}"), vector);
                    }
                }
            }
        }
    }
}

/// Something with a gradient.
trait Parameter {
    fn values(&self) -> Vec<f64>;
    /// Other values, without a gradient: differences walk forward thousands of times and never back, and of each pass
    /// autodiff would keep its graph.
    fn set_values(&mut self, values: &[f64]);
    /// In f64, with the same values, without a gradient.
    fn widen(&mut self);
    fn require_gradient(&mut self);
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64>;
}

impl<const D: usize> Parameter for Tensor<D> {
    fn values(&self) -> Vec<f64> {
        host(self.clone())
    }
    fn set_values(&mut self, values: &[f64]) {
        let data = TensorData::new(values.to_vec(), self.shape());
        *self = Tensor::from_data(data, (&self.device(), self.dtype()));
    }
    fn widen(&mut self) {
        let data = TensorData::new(self.values(), self.shape());
        *self = Tensor::from_data(data, (&self.device(), DType::F64));
    }
    fn require_gradient(&mut self) {
        *self = self.clone().require_grad();
    }
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64> {
        host(self.grad(gradients).expect("the loss depends on it"))
    }
}

impl<const D: usize> Parameter for Param<Tensor<D>> {
    fn values(&self) -> Vec<f64> {
        self.val().values()
    }
    fn set_values(&mut self, values: &[f64]) {
        let mut tensor = self.val();
        tensor.set_values(values);
        *self = Param::initialized(self.id, tensor);
    }
    fn widen(&mut self) {
        let mut tensor = self.val();
        tensor.widen();
        *self = Param::initialized(self.id, tensor);
    }
    fn require_gradient(&mut self) {}
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64> {
        self.val().gradient(gradients)
    }
}

/// The gradients of the input, the initial state and all weights by name, on one path.
///
/// # Panics
/// If the memory budget is too small: see [`Problem::check_memory_budget`].
pub fn gradients(
    cell: &impl StackCell,
    problem: &Problem,
    gradient: Gradient,
    device: &Device,
) -> Vec<(String, Vec<f64>)> {
    let mut drawn = Drawn::new(&cell.any(), problem, gradient, &device.clone().autodiff());
    drawn.for_each(|_, parameter| parameter.require_gradient());
    let gradients = drawn.loss().backward();
    let mut all = Vec::new();
    drawn.for_each(|name, parameter| all.push((name, parameter.gradient(&gradients))));
    all
}

/// Central differences in f64, by parameter. If two step sizes disagree, a kink (of relu, for example)
/// lies between the points, and a smaller step avoids it.
fn differences(cell: &AnyCell, problem: &Problem, device: &Device) -> Vec<Vec<f64>> {
    // Masks are drawn in training only, that is on an autodiff device.
    let training = device.clone().autodiff();
    let device = if problem.regularised { &training } else { device };
    let problem = &Problem { memory_budget: None, ..problem.clone() };
    let mut drawn = Drawn::new(cell, problem, Gradient::Manual, device);
    drawn.output_weights.widen();
    drawn.state_weights.iter_mut().for_each(Parameter::widen);
    let mut starts = Vec::new();
    drawn.for_each(|_, parameter| {
        parameter.widen();
        starts.push(parameter.values());
    });
    let mut loss_with = |which: usize, values: &[f64]| {
        let mut index = 0;
        drawn.for_each(|_, parameter| {
            if index == which {
                parameter.set_values(values);
            }
            index += 1;
        });
        host(drawn.loss())[0]
    };
    let mut all = Vec::new();
    for (which, start) in starts.iter().enumerate() {
        let mut values = start.clone();
        let mut slopes = Vec::with_capacity(start.len());
        for i in 0..start.len() {
            let mut slope = |step: f64| {
                let mut at = |value: f64| {
                    values[i] = value;
                    loss_with(which, &values)
                };
                let (above, below) = (at(start[i] + step), at(start[i] - step));
                values[i] = start[i];
                let rounding = 4.0 * f64::EPSILON * (above.abs() + below.abs());
                let rise = above - below;
                if rise.abs() <= rounding { 0.0 } else { rise / (2.0 * step) }
            };
            let mut step = 1e-4;
            let mut coarse = slope(step);
            let agreed = loop {
                let fine = slope(step / 4.0);
                let apart = (coarse - fine).abs();
                if apart <= 1e-5 * (1e-1 + fine.abs()) || step < 1e-7 {
                    // The error grows with the square of the step, so this combination cancels it.
                    break fine + (fine - coarse) / 15.0;
                }
                (coarse, step) = (fine, step / 4.0);
            };
            slopes.push(agreed);
        }
        loss_with(which, start);
        all.push(slopes);
    }
    all
}
