//! Three gradients of the same loss side by side: by hand, by Burn's autodiff and by central
//! differences.
//!
//! The loss is `L = Σ R ⊙ output + Σ R' ⊙ last state` with drawn `R` and `R'`, so that every output
//! and every state matters by an amount of its own.

use crate::cell::Cell;
use crate::nn::{DirectionWeights, Gradient, Random, Recurrent, Sizes};
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use std::fmt;

/// What to check a cell with. Weights, input, initial state and loss are drawn from the seed.
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
    /// F32 or F64.
    pub dtype: DType,
    /// The seed.
    pub seed: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            input,
            hidden,
            layers,
            bidirectional,
            bias,
            time,
            batch,
            lengths,
            state,
            dtype,
            seed,
        } = self;
        write!(f, "time {time}, batch {batch}, input {input}, hidden {hidden}, layers {layers}")?;
        for (option, name) in [
            (bidirectional, "bidirectional"),
            (bias, "bias"),
            (lengths, "lengths"),
            (state, "state"),
        ] {
            if *option {
                write!(f, ", {name}")?;
            }
        }
        write!(f, ", {dtype:?}, seed {seed}")
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
    /// the same numbers.
    pub manual_vs_difference: f64,
}

/// The name of the row for the gradients of all parameters as one vector.
pub const ALL: &str = "all";

impl Row {
    /// Whether both errors are within tolerance: 1e-12 against autodiff and 1e-6 against differences
    /// in f64, 1e-5 in f32.
    ///
    /// In f32 a gradient of few numbers may be the small rest of large terms that cancel, with no
    /// more right digits than f32 leaves; so the distance from the f64 differences counts in f32
    /// only for all parameters together ([`ALL`]).
    pub fn passes(&self, dtype: DType) -> bool {
        if dtype == DType::F64 {
            self.manual_vs_autodiff <= 1e-12 && self.manual_vs_difference <= 1e-6
        } else {
            self.manual_vs_autodiff <= 1e-5
                && (self.parameter != ALL || self.manual_vs_difference <= 1e-5)
        }
    }
}

/// `‖a − b‖ / (‖a‖ + ‖b‖)`, zero where both are zero.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "gradients of one parameter have one size");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let sum = norm(&mut a.iter().copied()) + norm(&mut b.iter().copied());
    if difference == 0.0 { 0.0 } else { difference / sum }
}

/// Checks every parameter, the input and the initial state of a stack of `cell`, and last all of
/// them together.
pub fn check<C: Cell>(cell: &C, problem: &Problem, device: &Device) -> Vec<Row> {
    let manual = gradients(cell, problem, Gradient::Manual, device);
    let autodiff = gradients(cell, problem, Gradient::Autodiff, device);
    let differences = differences(cell, problem, device);
    let row = |parameter: String, [manual, autodiff, difference]: [&[f64]; 3]| Row {
        cell: cell.name(),
        parameter,
        manual_vs_autodiff: relative_error(manual, autodiff),
        manual_vs_difference: relative_error(manual, difference),
    };
    let values = |named: &[(String, Vec<f64>)]| {
        named.iter().flat_map(|(_, v)| v.clone()).collect::<Vec<_>>()
    };
    let all = row(ALL.into(), [&values(&manual), &values(&autodiff), &differences.concat()]);
    let of_each = manual.iter().zip(&autodiff).zip(&differences);
    of_each
        .map(|(((name, manual), (_, autodiff)), difference)| {
            row(name.clone(), [manual, autodiff, difference])
        })
        .chain([all])
        .collect()
}

/// The numbers of a problem, on the host in f64 but representable in the problem's data type.
struct Drawn<C: Cell> {
    stack: Recurrent<C>,
    input: Tensor<3>,
    lengths: Vec<usize>,
    state: Option<Vec<Tensor<3>>>,
    output_weights: Tensor<3>,
    state_weights: Vec<Tensor<3>>,
}

impl<C: Cell> Drawn<C> {
    fn new(cell: &C, problem: &Problem, gradient: Gradient, device: &Device) -> Self {
        let Problem { input, hidden, layers, bidirectional, bias, time, batch, .. } = *problem;
        let mut random = Random::seed_from_u64(problem.seed);
        let sizes = Sizes {
            input,
            hidden,
            layers,
            bidirectional,
            bias,
            batch_first: true,
            initializer: None,
            gradient,
        };
        let stack = Recurrent::new(cell.clone(), &sizes, (device, problem.dtype), &mut random);
        let directions = if bidirectional { 2 } else { 1 };
        let mut drawn = |shape: [usize; 3]| {
            let values =
                (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
            Tensor::<3>::from_data(
                TensorData::new::<f64, _>(values, shape),
                (device, problem.dtype),
            )
        };
        let states = crate::cell::states::<C>();
        let state_shape = [layers * directions, batch, hidden];
        let features = match C::INPUT {
            crate::cell::InputShare::Product => input,
            crate::cell::InputShare::Elementwise => crate::cell::gates::<C>() * hidden,
        };
        Self {
            input: drawn([batch, time, features]),
            state: problem.state.then(|| (0..states).map(|_| drawn(state_shape)).collect()),
            output_weights: drawn([batch, time, directions * hidden]),
            state_weights: (0..states).map(|_| drawn(state_shape)).collect(),
            lengths: (0..batch)
                .map(|_| if problem.lengths { random.random_range(1..=time) } else { time })
                .collect(),
            stack,
        }
    }

    fn loss(&self) -> Tensor<1> {
        let (output, last) = self
            .stack
            .forward_lengths(self.input.clone(), &self.lengths, self.state.clone())
            .expect("drawn lengths fit");
        let weighted = (output * self.output_weights.clone()).sum();
        last.into_iter()
            .zip(&self.state_weights)
            .fold(weighted, |sum, (s, r)| sum + (s * r.clone()).sum())
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
                let DirectionWeights { w_x, w_h, b_x, b_h, parameters } = weights;
                for (name, matrix) in [("w_x", w_x), ("w_h", w_h), ("parameters", parameters)] {
                    if let Some(matrix) = matrix {
                        change(format!("{name}{suffix}"), matrix);
                    }
                }
                for (name, vector) in [("b_x", b_x), ("b_h", b_h)] {
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
    fn set_values(&mut self, values: &[f64]);
    /// In f64, with the same values.
    fn widen(&mut self);
    fn require_gradient(&mut self);
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64>;
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().expect("float data")
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
        *self = Param::from_tensor(tensor);
    }
    fn widen(&mut self) {
        let mut tensor = self.val();
        tensor.widen();
        *self = Param::from_tensor(tensor);
    }
    fn require_gradient(&mut self) {}
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64> {
        self.val().gradient(gradients)
    }
}

/// The gradients that Burn's graph returns on the given path, by parameter.
fn gradients<C: Cell>(
    cell: &C,
    problem: &Problem,
    gradient: Gradient,
    device: &Device,
) -> Vec<(String, Vec<f64>)> {
    let mut drawn = Drawn::new(cell, problem, gradient, &device.clone().autodiff());
    drawn.for_each(|_, parameter| parameter.require_gradient());
    let gradients = drawn.loss().backward();
    let mut all = Vec::new();
    drawn.for_each(|name, parameter| all.push((name, parameter.gradient(&gradients))));
    all
}

/// Central differences in f64, by parameter. Where two step sizes disagree, a kink (of relu, say)
/// lies between the points, and a smaller step goes past it.
fn differences<C: Cell>(cell: &C, problem: &Problem, device: &Device) -> Vec<Vec<f64>> {
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
                let slope = (at(start[i] + step) - at(start[i] - step)) / (2.0 * step);
                values[i] = start[i];
                slope
            };
            let mut step = 1e-4;
            let mut agreed = slope(step);
            while step > 1e-7 {
                let finer = slope(step / 4.0);
                let disagree = (agreed - finer).abs() > 1e-6 * (1.0 + finer.abs());
                agreed = finer;
                step /= 4.0;
                if !disagree {
                    break;
                }
            }
            slopes.push(agreed);
        }
        loss_with(which, start);
        all.push(slopes);
    }
    all
}
