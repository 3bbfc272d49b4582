//! Sliding truncation against its definition, BPTT(h; h′) of Williams & Peng 1990: plain loops over dual
//! numbers, which share no line with the walks by hand and by autodiff.
//!
//! For `sliding:K1,K2`, each row of L steps by itself:
//!
//! ```text
//! Σ_e ∂(losses of the steps from the e before up to e) / ∂θ        e = K1, 2 K1, …, and L
//!     with the states before step s = max(0, e − K2) as constants; the initial state at s = 0 is none
//! ```
//!
//! The loss on the last states is one of the losses of the last step.

use bptt::cell::{Activation, Cell, Elman, Lstm};
use bptt::gradcheck::relative_error;
use bptt::nn::{AnyCell, Gradient, Random, Recurrent, RecurrentConfig, Truncation};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use std::ops::{Add, Mul};

/// A number, and its slope along the one number that is varied.
#[derive(Clone, Copy, Default)]
struct Dual {
    value: f64,
    slope: f64,
}

impl Dual {
    fn constant(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }

    fn tanh(self) -> Self {
        let value = self.value.tanh();
        Self { value, slope: self.slope * (1.0 - value * value) }
    }

    fn sigmoid(self) -> Self {
        let value = 1.0 / (1.0 + (-self.value).exp());
        Self { value, slope: self.slope * value * (1.0 - value) }
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let slope = self.slope * other.value + self.value * other.slope;
        Self { value: self.value * other.value, slope }
    }
}

/// A cell with its step written a second time.
trait Formula: Cell {
    /// Gates of a unit.
    const GATES: usize;
    /// States of a unit, hidden first.
    const STATES: usize;
    /// The states of one unit after a step, from its gates' pre-activations.
    fn next(gates: &[Dual], states: &[Dual]) -> Vec<Dual>;
}

impl Formula for Elman {
    const GATES: usize = 1;
    const STATES: usize = 1;

    fn next(gates: &[Dual], _: &[Dual]) -> Vec<Dual> {
        vec![gates[0].tanh()]
    }
}

impl Formula for Lstm {
    const GATES: usize = 4;
    const STATES: usize = 2;

    fn next(gates: &[Dual], states: &[Dual]) -> Vec<Dual> {
        let [input, forget] = [gates[0].sigmoid(), gates[1].sigmoid()];
        let [candidate, output] = [gates[2].tanh(), gates[3].sigmoid()];
        let cell = forget * states[1] + input * candidate;
        vec![output * cell.tanh(), cell]
    }
}

/// The states of a row: `[layer][state][unit]`.
type States = Vec<Vec<Vec<Dual>>>;

fn constants(states: &States) -> States {
    let unit = |unit: &Dual| Dual::constant(unit.value);
    let layer = |layer: &Vec<Vec<Dual>>| {
        layer.iter().map(|state| state.iter().map(unit).collect()).collect()
    };
    states.iter().map(layer).collect()
}

/// One problem: sizes, lengths, where the gradient is cut, and the weights of the loss
/// `Σ R ⊙ output + Σ R′ ⊙ last states`.
#[derive(Debug)]
struct Problem {
    layers: usize,
    features: usize,
    hidden: usize,
    time: usize,
    lengths: Vec<usize>,
    every: usize,
    back: usize,
    from_a_state: bool,
    batch_first: bool,
    seed: u64,
    /// `[batch, time, hidden]`.
    output_weights: Vec<f64>,
    /// For each state `[layers, batch, hidden]`.
    state_weights: Vec<Vec<f64>>,
}

/// The numbers that have a gradient: the input, the initial states if they are given, and of each layer
/// `W_x`, `W_h`, `b_x` and `b_h`.
type Numbers<N> = Vec<Vec<N>>;

impl Problem {
    fn drawn<F: Formula>(seed: u64) -> Self {
        let mut random = Random::seed_from_u64(seed);
        let r = &mut random;
        let (layers, hidden) = (r.random_range(1..=2), r.random_range(1..=3));
        let (time, batch) = (r.random_range(1..=9), r.random_range(1..=3));
        let every = r.random_range(1..=4);
        let ragged = r.random::<bool>();
        let length = |r: &mut Random| if ragged { r.random_range(1..=time) } else { time };
        let weights = |r: &mut Random, count: usize| -> Vec<f64> {
            (0..count).map(|_| r.random_range(-1.0..1.0)).collect()
        };
        Self {
            layers,
            features: r.random_range(1..=3),
            hidden,
            time,
            lengths: (0..batch).map(|_| length(r)).collect(),
            every,
            back: every + r.random_range(0..=3),
            from_a_state: r.random(),
            batch_first: r.random(),
            seed,
            output_weights: weights(r, batch * time * hidden),
            state_weights: (0..F::STATES).map(|_| weights(r, layers * batch * hidden)).collect(),
        }
    }

    /// One row's states after step `t`, and its output.
    fn step<F: Formula>(
        &self,
        numbers: &Numbers<Dual>,
        [row, t]: [usize; 2],
        states: &States,
    ) -> (Vec<Dual>, States) {
        let columns = F::GATES * self.hidden;
        let mut x = numbers[0][(row * self.time + t) * self.features..][..self.features].to_vec();
        let mut next = Vec::new();
        for (layer, states) in states.iter().enumerate() {
            let first = numbers.len() - 4 * (self.layers - layer);
            let [w_x, w_h, b_x, b_h] = [0, 1, 2, 3].map(|matrix| &numbers[first + matrix]);
            let pre_activation = |column: usize| {
                let mut sum = b_x[column] + b_h[column];
                for (i, &x) in x.iter().enumerate() {
                    sum = sum + x * w_x[i * columns + column];
                }
                for (i, &h) in states[0].iter().enumerate() {
                    sum = sum + h * w_h[i * columns + column];
                }
                sum
            };
            let mut after = vec![Vec::new(); F::STATES];
            for unit in 0..self.hidden {
                let gates: Vec<Dual> =
                    (0..F::GATES).map(|gate| pre_activation(gate * self.hidden + unit)).collect();
                let before: Vec<Dual> = states.iter().map(|state| state[unit]).collect();
                for (state, value) in after.iter_mut().zip(F::next(&gates, &before)) {
                    state.push(value);
                }
            }
            x = after[0].clone();
            next.push(after);
        }
        (x, next)
    }

    /// `[layer][state][unit]` of one row from `[layers, batch, hidden]` of each state.
    fn of_row<'a, N>(
        &'a self,
        states: &'a [Vec<N>],
        row: usize,
    ) -> impl Iterator<Item = impl Iterator<Item = &'a [N]>> {
        let at = move |layer| (layer * self.lengths.len() + row) * self.hidden;
        (0..self.layers)
            .map(move |layer| states.iter().map(move |s| &s[at(layer)..][..self.hidden]))
    }

    /// The slope, by the definition, along the number whose slope is 1.
    fn slope<F: Formula>(&self, numbers: &Numbers<Dual>) -> f64 {
        let mut total = Dual::default();
        for (row, &length) in self.lengths.iter().enumerate() {
            let initial: States = if self.from_a_state {
                let states = self.of_row(&numbers[1..=F::STATES], row);
                states.map(|layer| layer.map(<[Dual]>::to_vec).collect()).collect()
            } else {
                vec![vec![vec![Dual::default(); self.hidden]; F::STATES]; self.layers]
            };
            let mut before = vec![constants(&initial)];
            for t in 0..length {
                let (_, next) = self.step::<F>(numbers, [row, t], &before[t]);
                before.push(constants(&next));
            }
            let mut from = 0;
            while from < length {
                let end = (from + self.every).min(length);
                let start = end.saturating_sub(self.back);
                let mut states = if start == 0 { initial.clone() } else { before[start].clone() };
                for t in start..end {
                    let (output, next) = self.step::<F>(numbers, [row, t], &states);
                    states = next;
                    if t >= from {
                        let weights = &self.output_weights[(row * self.time + t) * self.hidden..];
                        for (&h, &weight) in output.iter().zip(weights) {
                            total = total + h * Dual::constant(weight);
                        }
                    }
                }
                if end == length {
                    let weights = self.of_row(&self.state_weights, row);
                    for (layer, weights) in states.iter().zip(weights) {
                        for (state, weights) in layer.iter().zip(weights) {
                            for (&s, &weight) in state.iter().zip(weights) {
                                total = total + s * Dual::constant(weight);
                            }
                        }
                    }
                }
                from = end;
            }
        }
        total.slope
    }

    /// The gradient by the definition, number by number.
    fn by_definition<F: Formula>(&self, numbers: &Numbers<f64>) -> Numbers<f64> {
        let constant = |values: &Vec<f64>| values.iter().map(|&v| Dual::constant(v)).collect();
        let mut dual: Numbers<Dual> = numbers.iter().map(constant).collect();
        let mut gradient = Vec::new();
        for place in 0..dual.len() {
            let slopes = (0..dual[place].len()).map(|i| {
                dual[place][i].slope = 1.0;
                let slope = self.slope::<F>(&dual);
                dual[place][i].slope = 0.0;
                slope
            });
            gradient.push(slopes.collect());
        }
        gradient
    }

    fn tensor(&self, values: &[f64], shape: [usize; 3], device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F64))
    }

    /// The numbers, and their gradient by the module.
    fn by_module<F: Formula>(
        &self,
        cell: F,
        gradient: Gradient,
        device: &Device,
    ) -> [Numbers<f64>; 2] {
        let Self { layers, features, hidden, time, every, back, .. } = *self;
        let batch = self.lengths.len();
        let mut random = Random::seed_from_u64(self.seed + 1);
        let stack: Recurrent = RecurrentConfig::new(features, hidden, true)
            .with_layers(layers)
            .with_batch_first(self.batch_first)
            .with_truncation(Truncation::Sliding { every, back })
            .with_gradient(gradient)
            .init_with(AnyCell::new(cell), (device, DType::F64), &mut random);
        let mut drawn = |shape: [usize; 3]| {
            let count = shape.iter().product();
            let values: Vec<f64> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
            self.tensor(&values, shape, device).require_grad()
        };
        let input = drawn([batch, time, features]);
        let states: Vec<Tensor<3>> =
            (0..F::STATES).map(|_| drawn([layers, batch, hidden])).collect();
        let turned = |x: Tensor<3>| if self.batch_first { x } else { x.swap_dims(0, 1) };
        let given = self.from_a_state.then(|| states.clone());
        let (output, last) =
            stack.forward_lengths(turned(input.clone()), &self.lengths, given).unwrap();
        let weights = self.tensor(&self.output_weights, [batch, time, hidden], device);
        let mut loss = (turned(output) * weights).sum();
        for (state, weights) in last.into_iter().zip(&self.state_weights) {
            loss = loss + (state * self.tensor(weights, [layers, batch, hidden], device)).sum();
        }
        let gradients = loss.backward();
        let mut all = [Vec::new(), Vec::new()];
        let host = |data: TensorData| data.try_to_vec::<f64>().unwrap();
        let mut add = |values: TensorData, gradient: Option<TensorData>| {
            all[0].push(host(values));
            // What no loss depends on: the initial states, where every walk starts later.
            let zeros = vec![0.0; all[0].last().unwrap().len()];
            all[1].push(gradient.map_or(zeros, host));
        };
        let given = if self.from_a_state { states.as_slice() } else { &[] };
        for tensor in [&input].into_iter().chain(given) {
            add(tensor.to_data(), tensor.grad(&gradients).map(Tensor::into_data));
        }
        for layer in &stack.layers {
            let weights = &layer.directions[0];
            for matrix in [&weights.w_x, &weights.w_h] {
                let matrix = matrix.as_ref().unwrap().val();
                add(matrix.to_data(), matrix.grad(&gradients).map(Tensor::into_data));
            }
            for vector in [&weights.b_x, &weights.b_h] {
                let vector = vector.as_ref().unwrap().val();
                add(vector.to_data(), vector.grad(&gradients).map(Tensor::into_data));
            }
        }
        all
    }
}

/// The largest error of any gradient of problems drawn from the seeds.
fn worst<F: Formula>(cell: F, seeds: std::ops::Range<u64>) -> f64 {
    let mut worst = 0.0f64;
    let mut cut_ragged_rows = 0;
    for backend in bptt::backend::Backend::available() {
        let device = backend.device().unwrap().autodiff();
        for seed in seeds.clone() {
            let problem = Problem::drawn::<F>(seed);
            let shortest = problem.lengths.iter().min().unwrap();
            let longest = problem.lengths.iter().max().unwrap();
            cut_ragged_rows += usize::from(shortest < longest && *longest > problem.back);
            for gradient in [Gradient::Manual, Gradient::Autodiff] {
                let [numbers, found] = problem.by_module(cell.clone(), gradient, &device);
                let expected = problem.by_definition::<F>(&numbers);
                for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let error = relative_error(found, expected);
                    assert!(error < 1e-12, "{gradient:?}, {place}: {error:e}, {problem:?}");
                    worst = worst.max(error);
                }
            }
        }
    }
    let backends = bptt::backend::Backend::available().len();
    assert!(cut_ragged_rows >= 6 * backends, "{cut_ragged_rows} on {backends} backends");
    worst
}

#[test]
fn an_elman_network_has_the_gradient_of_the_definition() {
    let cell = Elman { activation: Activation::Tanh, clip: None };
    println!("Elman, sliding: at most {:.1e} from the definition", worst(cell, 0..80));
}

#[test]
fn an_lstm_has_the_gradient_of_the_definition() {
    println!("LSTM, sliding: at most {:.1e} from the definition", worst(Lstm::default(), 100..150));
}
