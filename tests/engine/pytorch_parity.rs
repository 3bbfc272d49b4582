//! PyTorch's numbers: outputs, states and every gradient of `torch.nn.RNN`, `GRU` and `LSTM` in f64,
//! from files that `scripts/pytorch_fixtures.py` made, on both paths and both backends.

use bptt::backend::Backend;
use bptt::cell::{self, Activation, Cell, Row, Shape};
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::weights::WeightsError;
use bptt::nn::{Gradient, LstmConfig, Random, Recurrent, RecurrentConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use safetensors::SafeTensors;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    cell: String,
    input: usize,
    hidden: usize,
    projection: usize,
    layers: usize,
    bidirectional: bool,
    bias: bool,
    batch_first: bool,
    lengths: Option<Vec<usize>>,
    state: bool,
}

const TOLERANCE: f64 = 1e-12;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

struct Check<'a> {
    case: &'a Case,
    tensors: &'a SafeTensors<'a>,
    bytes: &'a [u8],
    device: Device,
    gradient: Gradient,
}

impl Check<'_> {
    fn data(&self, name: &str) -> TensorData {
        let name = format!("{}/{name}", self.case.name);
        let view = self.tensors.tensor(&name).unwrap_or_else(|_| panic!("a tensor {name}"));
        TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), DType::F64)
    }

    fn tensor(&self, name: &str) -> Tensor<3> {
        Tensor::from_data(self.data(name), (&self.device, DType::F64))
    }

    fn near(&self, name: &str, ours: Vec<f64>) -> f64 {
        let theirs: Vec<f64> = self.data(name).try_to_vec().unwrap();
        let error = relative_error(&ours, &theirs);
        let Case { name: case, cell, .. } = self.case;
        let (gradient, device) = (self.gradient, &self.device);
        assert!(
            error <= TOLERANCE,
            "{name} of case {case} ({cell}), {gradient:?} on {device:?}: {error:.1e}"
        );
        error
    }
}

impl Check<'_> {
    /// The largest error of the case.
    fn run<C: Cell>(&self, cell: C) -> f64 {
        let case = self.case;
        let config = RecurrentConfig::new(case.input, case.hidden, case.bias)
            .with_projection((case.projection > 0).then_some(case.projection))
            .with_layers(case.layers)
            .with_bidirectional(case.bidirectional)
            .with_batch_first(case.batch_first)
            .with_gradient(self.gradient);
        let random = &mut Random::seed_from_u64(0);
        let stack = config.init_with(cell, (&self.device, DType::F64), random);
        let stack = self.load(stack);
        let names = ["h", "c"];
        let x = self.tensor("x").require_grad();
        let given: Vec<Tensor<3>> = (0..if case.state { Shape::of::<C>().states } else { 0 })
            .map(|s| self.tensor(&format!("{}_0", names[s])).require_grad())
            .collect();
        let state = case.state.then(|| C::State::from_fn(|s| given[s].clone()));
        let (output, last) = match &case.lengths {
            Some(lengths) => stack.forward_lengths(x.clone(), lengths, state).unwrap(),
            None => stack.forward(x.clone(), state),
        };
        let mut worst = self.near("output", host(output.clone()));
        let mut loss = (output * self.tensor("d_output")).sum();
        for (name, last) in names.iter().zip(last) {
            worst = worst.max(self.near(&format!("{name}_n"), host(last.clone())));
            loss = loss + (last * self.tensor(&format!("d_{name}_n"))).sum();
        }
        let gradients = loss.backward();
        let gradient = |t: &Tensor<3>| host(t.grad(&gradients).expect("the loss depends on it"));
        worst = worst.max(self.near("grad/x", gradient(&x)));
        for (name, state) in names.iter().zip(&given) {
            worst = worst.max(self.near(&format!("grad/{name}_0"), gradient(state)));
        }
        for (l, layer) in stack.layers.iter().enumerate() {
            for (d, weights) in layer.directions.iter().enumerate() {
                let suffix = format!("_l{l}{}", if d == 1 { "_reverse" } else { "" });
                let matrices = [
                    ("weight_ih", &weights.w_x),
                    ("weight_hh", &weights.w_h),
                    ("weight_hr", &weights.w_p),
                ];
                for (name, matrix) in matrices {
                    if let Some(matrix) = matrix {
                        let gradient =
                            matrix.val().grad(&gradients).expect("the loss depends on it");
                        let error =
                            self.near(&format!("grad/{name}{suffix}"), host(gradient.transpose()));
                        worst = worst.max(error);
                    }
                }
                for (name, bias) in [("bias_ih", &weights.b_x), ("bias_hh", &weights.b_h)] {
                    if let Some(bias) = bias {
                        let gradient = bias.val().grad(&gradients).expect("the loss depends on it");
                        worst =
                            worst.max(self.near(&format!("grad/{name}{suffix}"), host(gradient)));
                    }
                }
            }
        }
        worst
    }

    /// The case's weights, through the reader that users call.
    fn load<C: Cell>(&self, stack: Recurrent<C>) -> Recurrent<C> {
        let own = format!("{}/", self.case.name);
        let tensors = SafeTensors::deserialize(self.bytes).unwrap();
        let weights = tensors.names().into_iter().filter_map(|name| {
            let weight = name.strip_prefix(&own)?;
            let known = weight.starts_with("weight_") || weight.starts_with("bias_");
            known.then(|| (weight.to_string(), tensors.tensor(name).unwrap()))
        });
        let file = safetensors::serialize(weights.collect::<Vec<_>>(), None).unwrap();
        stack.read_safetensors(&file, "the fixtures", "").unwrap()
    }
}

#[test]
fn outputs_states_and_gradients_equal_pytorch() {
    let bytes = std::fs::read(folder().join("pytorch.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let text = std::fs::read_to_string(folder().join("pytorch.json")).unwrap();
    let fixtures: Fixtures = serde_json::from_str(&text).unwrap();
    assert!(fixtures.cases.len() >= 60);
    for backend in Backend::available() {
        for gradient in [Gradient::Manual, Gradient::Autodiff] {
            let mut worst = 0.0f64;
            for case in &fixtures.cases {
                let device = backend.device().unwrap().autodiff();
                let check = Check { case, tensors: &tensors, bytes: &bytes, device, gradient };
                let elman = |activation| cell::Elman { activation, clip: None };
                worst = worst.max(match case.cell.as_str() {
                    "rnn_tanh" => check.run(elman(Activation::Tanh)),
                    "rnn_relu" => check.run(elman(Activation::Relu)),
                    "gru" => check.run(cell::Gru::default()),
                    "lstm" => check.run(cell::Lstm::default()),
                    other => panic!("an unknown cell {other}"),
                });
            }
            let count = fixtures.cases.len();
            println!("{backend}, {gradient:?}: {count} cases, largest relative error {worst:.1e}");
        }
    }
}

/// What PyTorch's users have beside safetensors that fit: the file of `torch.save`, and one with a key of another module.
#[test]
fn files_that_are_no_weights_of_the_module_are_named() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    let load = |name: &str, prefix: &str| {
        let lstm = LstmConfig::new(5, 7, true).init(&Device::default());
        lstm.load_safetensors(data.join(name), prefix).map(|_| ()).unwrap_err().to_string()
    };
    let pickle = load("lstm_pickle.pt", "");
    for words in ["lstm_pickle.pt", "pickle", "torch.load", "save_file", "weights_only=True"] {
        assert!(pickle.contains(words), "{pickle}");
    }
    assert_eq!(pickle.lines().count(), 1);
    let surplus = load("lstm_with_another_key.safetensors", "lstm.");
    assert!(surplus.contains("'lstm.weight_ih_l0.bad'"), "{surplus}");
    // A pickle that is no archive, as PyTorch wrote them before 1.6; and what only begins alike.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    for (start, is_pickle) in [
        (&b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."[..], true),
        (b"\x80\x02\0\0\0\0\0\0{}", false),
    ] {
        std::fs::write(&path, start).unwrap();
        let lstm = LstmConfig::new(5, 7, true).init(&Device::default());
        let error = lstm.load_safetensors(&path, "").map(|_| ()).unwrap_err();
        assert_eq!(matches!(error, WeightsError::Pickle { .. }), is_pickle, "{error}");
    }
}
