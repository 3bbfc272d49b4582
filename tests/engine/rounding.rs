//! Products of bf16: how far outputs and gradients are from the exact ones, beside PyTorch under autocast on the same drawn
//! cases (`scripts/pytorch_rounding.py`), and that every path rounds.

use bptt::backend::Backend;
use bptt::cell::{Activation, Cell, Elman, Gru, Lstm};
use bptt::nn::{Gradient, Precision, Random, Recurrent, RecurrentConfig};
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;

#[derive(serde::Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
}

/// Cell, seed, time, batch, features, hidden, and the errors of output and gradient.
#[derive(Debug, serde::Deserialize)]
struct Case(String, u64, usize, usize, usize, usize, f64, f64);

/// Steele 2014, as in the script.
struct Splitmix(u64);

impl Splitmix {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn numbers(&mut self, count: usize, bound: f64) -> Vec<f64> {
        let unit = |bits: u64| (bits >> 40) as f64 / f64::from(1 << 23) - 1.0;
        (0..count).map(|_| f64::from((unit(self.draw()) * bound) as f32)).collect()
    }
}

/// What a layer is computed in.
#[derive(Clone, Copy, Debug)]
struct Computed {
    dtype: DType,
    precision: Precision,
    gradient: Gradient,
}

const EXACT: Computed =
    Computed { dtype: DType::F64, precision: Precision::Full, gradient: Gradient::Manual };
const ROUNDED: Computed =
    Computed { dtype: DType::F32, precision: Precision::Bf16, gradient: Gradient::Manual };

/// The numbers of a case: X, dO, `W_xᵀ`, `W_hᵀ` and both biases, as PyTorch has them.
struct Drawn {
    sizes: [usize; 4],
    numbers: [Vec<f64>; 6],
}

impl Drawn {
    fn new(case: &Case, gates: usize) -> Self {
        let Case(_, seed, time, batch, features, hidden, ..) = *case;
        let mut random = Splitmix(seed);
        for (size, most) in [(time, 40), (batch, 20), (features, 48), (hidden, 64)] {
            assert_eq!(size as u64, 1 + random.draw() % most, "another generator");
        }
        let bound = 1.0 / (hidden as f64).sqrt();
        let numbers = [
            random.numbers(time * batch * features, 1.0),
            random.numbers(time * batch * hidden, 1.0),
            random.numbers(gates * hidden * features, bound),
            random.numbers(gates * hidden * hidden, bound),
            random.numbers(gates * hidden, bound),
            random.numbers(gates * hidden, bound),
        ];
        Self { sizes: [time, batch, features, hidden], numbers }
    }

    /// The output, and the gradients of X, `W_x`, `W_h` and the biases one after the other.
    fn walk<C: Cell>(&self, cell: C, computed: Computed, device: &Device) -> [Vec<f64>; 2] {
        let Self { sizes: [time, batch, features, hidden], numbers } = self;
        let (time, batch, features, hidden) = (*time, *batch, *features, *hidden);
        let Computed { dtype, precision, gradient } = computed;
        let device = device.clone().autodiff();
        let gates = numbers[4].len() / hidden;
        let matrix = |index: usize, rows: usize, columns: usize| {
            let data = TensorData::new(numbers[index].clone(), [rows, columns]);
            Tensor::<2>::from_data(data, (&device, dtype))
        };
        let mut layer: Recurrent<C> = RecurrentConfig::new(features, hidden, true)
            .with_batch_first(false)
            .with_precision(precision)
            .with_gradient(gradient)
            .init_with(cell, (&device, dtype), &mut Random::seed_from_u64(0));
        let weights = &mut layer.layers[0].directions[0];
        let turned = |index, columns| {
            let turned = matrix(index, gates * hidden, columns).transpose();
            Some(Param::from_tensor(turned.detach().require_grad()))
        };
        let bias = |index| {
            let bias = matrix(index, 1, gates * hidden).reshape([gates * hidden]);
            Some(Param::from_tensor(bias.detach().require_grad()))
        };
        (weights.w_x, weights.w_h) = (turned(2, features), turned(3, hidden));
        (weights.b_x, weights.b_h) = (bias(4), bias(5));
        let x = matrix(0, time * batch, features).reshape([time, batch, features]);
        let x = x.detach().require_grad();
        let (output, _) = layer.forward(x.clone(), None);
        let upstream = matrix(1, time * batch, hidden).reshape([time, batch, hidden]);
        let gradients = (output.clone() * upstream).sum().backward();
        let values =
            |data: TensorData| data.convert::<f64>().try_into_vec::<f64>().expect("floats");
        let of = |found: Option<TensorData>| values(found.expect("a gradient"));
        let weights = &layer.layers[0].directions[0];
        let matrices = [&weights.w_x, &weights.w_h]
            .map(|w| of(w.as_ref().unwrap().val().grad(&gradients).map(|g| g.into_data())));
        let biases = [&weights.b_x, &weights.b_h]
            .map(|b| of(b.as_ref().unwrap().val().grad(&gradients).map(|g| g.into_data())));
        let of_x = of(x.grad(&gradients).map(|g| g.into_data()));
        let all = [of_x].into_iter().chain(matrices).chain(biases).flatten().collect();
        [values(output.into_data()), all]
    }

    /// The relative errors of output and gradient.
    fn errors<C: Cell>(&self, cell: C, computed: Computed, device: &Device) -> [f64; 2] {
        let exact = self.walk(cell.clone(), EXACT, device);
        let found = self.walk(cell, computed, device);
        [0, 1].map(|i| {
            let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
            let apart = norm(&mut found[i].iter().zip(&exact[i]).map(|(a, b)| a - b));
            apart / norm(&mut exact[i].iter().copied())
        })
    }
}

fn errors(case: &Case, computed: Computed, device: &Device) -> [f64; 2] {
    let elman = Elman { activation: Activation::Tanh, clip: None };
    match case.0.as_str() {
        "lstm" => Drawn::new(case, 4).errors(Lstm { clip: None }, computed, device),
        "gru" => Drawn::new(case, 3).errors(Gru { clip: None }, computed, device),
        _ => Drawn::new(case, 1).errors(elman, computed, device),
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../fixtures/rounding.json");
    serde_json::from_str::<Fixtures>(text).expect("the script's format").cases
}

#[test]
fn gradients_are_no_farther_from_the_exact_ones_than_pytorch_under_autocast() {
    let cases = cases();
    assert!(cases.len() >= 500);
    for backend in Backend::available() {
        let device = backend.device().expect("available");
        let (mut logarithms, mut largest) = ([0.0; 2], [0.0; 2]);
        for case in &cases {
            let Case(_, _, time, batch, _, hidden, of_output, of_gradient) = *case;
            let found = errors(case, ROUNDED, &device);
            for (i, theirs) in [of_output, of_gradient].into_iter().enumerate() {
                let ratio: f64 = found[i] / theirs;
                logarithms[i] += ratio.ln() / cases.len() as f64;
                // Of a dozen numbers chance decides.
                if i == 1 || time * batch * hidden >= 16 {
                    largest[i] = f64::max(largest[i], ratio);
                    assert!(ratio <= 1.0, "{case:?}: {:.2e}", found[i]);
                }
            }
        }
        let mean = logarithms.map(f64::exp);
        println!("{backend}: {mean:.2?} of PyTorch's errors, at most {largest:.2?}");
        assert!(mean.iter().all(|&mean| mean < 0.6), "{mean:?}");
    }
}

/// The walk in Burn's operations and the path that Burn differentiates round too: they are as far from the exact numbers, and
/// not as near as in f32.
#[test]
fn every_path_rounds() {
    let device = Backend::default().device().expect("the default backend");
    for case in cases().iter().take(30) {
        let [by_hand, _] = errors(case, ROUNDED, &device);
        let computed = Computed { gradient: Gradient::Autodiff, ..ROUNDED };
        let [output, gradient] = errors(case, computed, &device);
        let Case(cell, seed, ..) = case;
        assert!(
            output > 1e-5 && (output / by_hand - 1.0).abs() < 0.2,
            "{cell} of seed {seed}: {output:.2e}, by hand {by_hand:.2e}"
        );
        assert!(
            gradient > 1e-5 && gradient <= 2.0 * case.7,
            "{cell} of seed {seed}: {gradient:.2e}"
        );
    }
}

#[test]
#[should_panic(expected = "products in bf16 are for f32 tensors")]
fn double_precision_is_not_rounded_in_silence() {
    let device = Backend::default().device().expect("the default backend");
    let mut random = Random::seed_from_u64(0);
    let config = RecurrentConfig::new(2, 3, true).with_precision(Precision::Bf16);
    let layer: Recurrent<Gru> =
        config.init_with(Gru { clip: None }, (&device, DType::F64), &mut random);
    layer.forward(Tensor::zeros([1, 2, 2], (&device, DType::F64)), None);
}
