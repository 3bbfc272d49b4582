//! Truncated gradients: by hand as by autodiff with the states detached at the same places, each kind
//! against its definition, and the random one against the full gradient in the mean.

use bptt::backend::Backend;
use bptt::cell;
use bptt::gradcheck::{Problem, check, relative_error};
use bptt::nn::{AnyCell, Gradient, Random, Recurrent, RecurrentConfig, Truncation, seeded};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use std::ops::Range;

fn device() -> Device {
    Backend::available()[0].device().expect("available").autodiff()
}

fn drawn(random: &mut Random, largest: usize) -> usize {
    random.random_range(1..=largest)
}

/// The error of the whole gradient against autodiff.
fn error(cell: &AnyCell, problem: &Problem) -> f64 {
    let device = Backend::available()[0].device().expect("available");
    let rows = check(cell, problem, &device);
    for row in &rows {
        assert!(row.passes(problem.dtype), "{} of {}, {problem}: {row:?}", row.parameter, row.cell);
    }
    rows.last().expect("a row for all").manual_vs_autodiff
}

fn named(name: &str) -> AnyCell {
    AnyCell::named(name).expect("a cell of that name")
}

#[test]
fn by_hand_and_by_autodiff_cut_at_the_same_places() {
    let mut worst = 0.0f64;
    for seed in 0..300 {
        let mut random = Random::seed_from_u64(seed);
        let r = &mut random;
        let truncation = match seed % 3 {
            0 => Truncation::Window(drawn(r, 9)),
            1 => {
                let every = drawn(r, 5);
                Truncation::Sliding { every, back: every + drawn(r, 6) - 1 }
            }
            _ => Truncation::Random(r.random_range(0.0..0.9)),
        };
        let sliding = seed % 3 == 1;
        let bidirectional = !sliding && r.random::<bool>();
        let problem = Problem {
            input: drawn(r, 3),
            hidden: drawn(r, 20),
            layers: drawn(r, 3),
            bidirectional,
            reverse: !sliding && !bidirectional && r.random::<bool>(),
            projection: false,
            layer_norm: r.random_range(0..4) == 0,
            regularised: !sliding && r.random_range(0..4) == 0,
            bias: r.random::<bool>(),
            time: drawn(r, 17),
            batch: drawn(r, 4),
            lengths: r.random::<bool>(),
            state: r.random::<bool>(),
            truncation,
            memory_budget: None,
            dtype: DType::F64,
            seed,
        };
        let problem =
            if problem.layer_norm { Problem { input: 3, hidden: 5, ..problem } } else { problem };
        let names: Vec<&str> = cell::names().collect();
        worst = worst.max(error(&named(names[r.random_range(0..names.len())]), &problem));
    }
    println!("300 truncated gradients by hand against autodiff, f64: at most {worst:.1e}");
    assert!(worst <= 1e-12);
}

/// A stack, an input `[batch, time, features]` and the weights of the loss `Σ R ⊙ output`.
struct Case {
    stack: Recurrent,
    input: Tensor<3>,
    weights: Tensor<3>,
}

impl Case {
    fn new(cell: &AnyCell, [layers, time, batch, hidden]: [usize; 4], seed: u64) -> Self {
        let mut random = Random::seed_from_u64(seed);
        let device = device();
        let features = cell.shape().features(2, hidden);
        let stack = RecurrentConfig::new(features, hidden, true).with_layers(layers).init_with(
            cell.clone(),
            (&device, DType::F64),
            &mut random,
        );
        let mut drawn = |shape: [usize; 3]| {
            let values: Vec<f64> =
                (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
            Tensor::<3>::from_data(TensorData::new(values, shape), (&device, DType::F64))
        };
        let input = drawn([batch, time, features]).require_grad();
        Self { stack, input, weights: drawn([batch, time, hidden]) }
    }

    /// The gradients of input and weights, one after the other.
    fn gradient(&self, gradients: &Gradients) -> Vec<f64> {
        let host = |t: Option<Tensor<2>>| -> Vec<f64> {
            t.map_or(Vec::new(), |t| t.into_data().try_to_vec().expect("f64"))
        };
        let mut all = host(self.input.grad(gradients).map(|g| g.flatten(0, 1)));
        for weights in self.stack.layers.iter().flat_map(|layer| &layer.directions) {
            for matrix in [&weights.w_x, &weights.w_h, &weights.parameters] {
                all.extend(host(matrix.as_ref().and_then(|m| m.val().grad(gradients))));
            }
            for vector in [&weights.b_x, &weights.b_h] {
                let gradient = vector.as_ref().and_then(|v| v.val().grad(gradients));
                all.extend(host(gradient.map(|g| g.unsqueeze())));
            }
        }
        all
    }

    fn truncated(&self, truncation: Truncation) -> Vec<f64> {
        let stack = self.stack.clone().with_truncation(truncation);
        let (output, _) = stack.forward(self.input.clone(), None);
        self.gradient(&(output * self.weights.clone()).sum().backward())
    }

    /// By the definition: for each block of losses a forward pass by autodiff from the detached state
    /// before the first step that it is walked back to.
    fn by_definition(&self, blocks: &[(Range<usize>, usize)]) -> Vec<f64> {
        let stack = self.stack.clone().with_gradient(Gradient::Autodiff);
        let part = |x: &Tensor<3>, steps: Range<usize>| x.clone().slice_dim(1, steps);
        let losses = blocks.iter().map(|(block, start)| {
            let state = (*start > 0).then(|| {
                let (_, state) = stack.forward(part(&self.input, 0..*start), None);
                state.into_iter().map(Tensor::detach).collect()
            });
            let (output, _) = stack.forward(part(&self.input, *start..block.end), state);
            let output = part(&output, block.start - start..block.end - start);
            (output * part(&self.weights, block.clone())).sum()
        });
        let loss = losses.reduce(|a, b| a + b).expect("a block");
        self.gradient(&loss.backward())
    }
}

/// Holds each kind of truncation of that cell against its definition.
fn hold_against_definitions(cell: &AnyCell, time: usize, seed: u64) {
    let mut random = Random::seed_from_u64(seed);
    let (layers, batch, hidden) =
        (drawn(&mut random, 2), drawn(&mut random, 3), drawn(&mut random, 6));
    let case = Case::new(cell, [layers, time, batch, hidden], seed);
    let near = |a: &[f64], b: &[f64], what: &str| {
        let error = relative_error(a, b);
        assert!(error <= 1e-12, "{what}, time {time}, {}: {error:e}", case.stack.cell().name());
    };
    let full = case.truncated(Truncation::Full);
    for every in [1, 2, 3, 5, 8] {
        let blocks = || (0..time).step_by(every).map(|start| start..(start + every).min(time));
        let window = case.truncated(Truncation::Window(every));
        let windows: Vec<_> = blocks().map(|block| (block.clone(), block.start)).collect();
        near(&window, &case.by_definition(&windows), "window");
        assert_eq!(
            every >= time,
            relative_error(&window, &full) < 1e-12,
            "window:{every} of {time}"
        );
        for back in [every, every + 1, every + 4, time.max(every)] {
            let sliding = case.truncated(Truncation::Sliding { every, back });
            let walked: Vec<_> =
                blocks().map(|block| (block.clone(), block.end.saturating_sub(back))).collect();
            near(&sliding, &case.by_definition(&walked), "sliding");
        }
        if time.is_multiple_of(every) {
            near(&case.truncated(Truncation::Sliding { every, back: every }), &window, "K1 = K2");
        }
    }
}

#[test]
fn each_kind_is_what_its_definition_says() {
    for (seed, name) in
        ["elman", "gru", "lstm", "lstm-coupled", "ind-rnn", "linear"].iter().enumerate()
    {
        for time in [6, 7, 10] {
            hold_against_definitions(&named(name), time, seed as u64);
        }
    }
}

#[test]
fn a_window_of_one_step_leaves_each_step_its_own_output() {
    let case = Case::new(&named("elman"), [1, 5, 1, 3], 3);
    // The gradient of the input at step t is then that of the loss at step t alone.
    let alone = |t: usize| {
        let (output, _) = case
            .stack
            .clone()
            .with_truncation(Truncation::Window(1))
            .forward(case.input.clone(), None);
        let at = (output * case.weights.clone()).slice_dim(1, t..t + 1).sum();
        case.gradient(&at.backward())[..10].to_vec()
    };
    for t in 0..5 {
        let gradient = alone(t);
        for (i, g) in gradient.iter().enumerate() {
            assert_eq!(*g != 0.0, i / 2 == t, "step {t}, input {}: {g}", i / 2);
        }
    }
}

#[test]
fn the_mean_of_randomly_cut_gradients_is_the_full_gradient() {
    const DRAWS: u64 = 20_000;
    // The draws have fixed seeds. With other seeds a right program would fail less than once in a million:
    // a normal number lies beyond 6.5 standard deviations with probability 8e-11, so one of 1000 numbers does
    // with at most 8e-8 (Bonferroni, whatever their correlations). That leaves a factor of 12 for means of
    // 20 000 draws that are not quite normal: at 6.5 deviations a skewness of 4 costs a factor of
    // exp(4 · 6.5³ / (6 √20 000)) = 3.7. A factor of 1/(1 − P) forgotten is off by more than 100.
    const BOUND: f64 = 6.5;
    const MOST_NUMBERS: usize = 1000;
    let device = device();
    let mut random = Random::seed_from_u64(5);
    let config = RecurrentConfig::new(2, 3, true).with_layers(2).with_bidirectional(true);
    let stack = config.init_with(named("lstm"), (&device, DType::F64), &mut random);
    let mut drawn = |features: usize| {
        let values: Vec<f64> =
            (0..2 * 5 * features).map(|_| random.random_range(-1.0..1.0)).collect();
        let data = TensorData::new(values, [2, 5, features]);
        Tensor::<3>::from_data(data, (&device, DType::F64))
    };
    let (input, weights) = (drawn(2).require_grad(), drawn(6));
    let case = Case { stack, input, weights };
    let full = case.truncated(Truncation::Full);
    let (mut sums, mut squares) = (vec![0.0; full.len()], vec![0.0; full.len()]);
    for draw in 0..DRAWS {
        let gradient = seeded(&device, draw, || case.truncated(Truncation::Random(0.3)));
        for (i, g) in gradient.into_iter().enumerate() {
            let apart = g - full[i];
            sums[i] += apart;
            squares[i] += apart * apart;
        }
    }
    let draws = DRAWS as f64;
    let mut worst = 0.0f64;
    for (sum, square) in sums.iter().zip(&squares) {
        let mean = sum / draws;
        let standard_error = ((square / draws - mean * mean) / draws).sqrt();
        worst = worst.max(mean.abs() / standard_error.max(1e-15));
    }
    let numbers = sums.len();
    println!(
        "{DRAWS} draws, {numbers} numbers: the mean is off by at most {worst:.2} standard errors"
    );
    assert!(numbers <= MOST_NUMBERS && worst < BOUND, "{numbers} numbers, {worst}");
}
