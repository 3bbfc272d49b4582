//! A cell from outside the crate: the diagonal LSTM of ADBench (Šrajer, Kukelova & Fitzgibbon 2018).
//!
//! Forget and output gate look at the input alone, input gate and candidate at the hidden state
//! alone, each elementwise with a weight vector of its own. There is no matrix in it.

use bptt::backend::Backend;
use bptt::cell::{Cell, InputShare, Number, RecurrentShare, StepGradient, dual};
use bptt::gradcheck::{Problem, check};
use burn::tensor::DType;

#[derive(Clone, Debug)]
struct DiagonalLstm;

/// ```text
/// f = sigmoid(x ⊙ w_f + b_f)      c_t = f ⊙ c_{t-1} + i ⊙ g
/// o = sigmoid(x ⊙ w_o + b_o)      h_t = o ⊙ tanh(c_t)
/// i = sigmoid(h_{t-1} ⊙ w_i + b_i)
/// g = tanh(h_{t-1} ⊙ w_g + b_g)
/// ```
impl Cell for DiagonalLstm {
    type Gates<V> = [V; 1];
    type Apart<V> = [V; 0];
    type State<V> = [V; 2];
    type Parameters<V> = [V; 8];
    type Kept<V> = [V; 5];

    const INPUT: InputShare = InputShare::Elementwise;
    const RECURRENT: RecurrentShare = RecurrentShare::Elementwise;

    fn name(&self) -> String {
        "diagonal-lstm".into()
    }

    fn step<V: Number>(
        &self,
        [x]: [V; 1],
        []: [V; 0],
        [h, c]: [V; 2],
        [w_f, b_f, w_o, b_o, w_i, b_i, w_g, b_g]: [V; 8],
    ) -> ([V; 2], [V; 5]) {
        let f = (x.clone() * w_f + b_f).sigmoid();
        let o = (x.clone() * w_o + b_o).sigmoid();
        let i = (h.clone() * w_i + b_i).sigmoid();
        let g = (h * w_g + b_g).tanh();
        let c = f.clone() * c + i.clone() * g.clone();
        ([o.clone() * c.clone().tanh(), c], [x, f, o, i, g])
    }

    fn derivative<V: Number>(
        &self,
        [dh, dc]: [V; 2],
        [h_before, c_before]: [V; 2],
        [_, c]: [V; 2],
        [x, f, o, i, g]: [V; 5],
        [w_f, _, w_o, _, w_i, _, w_g, _]: [V; 8],
    ) -> StepGradient<Self, V> {
        let t = c.tanh();
        let dc = dc + dh.clone() * o.clone() * t.clone().tanh_slope();
        let da_f = dc.clone() * c_before * f.clone().sigmoid_slope();
        let da_o = dh * t * o.sigmoid_slope();
        let da_i = dc.clone() * g.clone() * i.clone().sigmoid_slope();
        let da_g = dc.clone() * i * g.tanh_slope();
        StepGradient {
            gates: [da_f.clone() * w_f + da_o.clone() * w_o],
            apart: [],
            state: [Some(da_i.clone() * w_i + da_g.clone() * w_g), Some(dc * f)],
            parameters: [
                da_f.clone() * x.clone(),
                da_f,
                da_o.clone() * x,
                da_o,
                da_i.clone() * h_before.clone(),
                da_i,
                da_g.clone() * h_before,
                da_g,
            ],
        }
    }
}

#[test]
fn its_derivative_is_that_of_its_step() {
    let error = dual::derivative_error(&DiagonalLstm, 500, 1);
    assert!(error < 1e-14, "{error:e}");
}

#[test]
fn it_gets_both_paths_lengths_and_the_gradient_check() {
    for backend in Backend::available() {
        for (seed, dtype) in [(1, DType::F64), (2, DType::F32)] {
            let problem = Problem {
                truncation: bptt::nn::Truncation::Full,
                memory_budget: None,
                input: 4,
                hidden: 4,
                layers: 2,
                bidirectional: false,
                reverse: seed == 2,
                projection: false,
                layer_norm: false,
                regularised: true,
                bias: true,
                time: 6,
                batch: 3,
                lengths: true,
                state: true,
                dtype,
                seed,
            };
            for row in check(&DiagonalLstm, &problem, &backend.device().unwrap()) {
                assert!(row.passes(dtype), "{row:?} ({problem}, {backend})");
            }
        }
    }
}
