//! A cell from outside the crate, its gradient by hand against autodiff and central differences.
use bptt::cell::{Cell, Number, StepGradient};
use bptt::gradcheck::{Problem, check};
use burn::tensor::Device;

/// A leaky integrator: `h_t = h_{t-1} + ρ ⊙ (tanh(x_t W_x + h_{t-1} W_h + b) − h_{t-1})`.
#[derive(Clone, Debug)]
struct Leaky;

impl Cell for Leaky {
    type Gates<V> = [V; 1];
    type Apart<V> = [V; 0];
    type State<V> = [V; 1];
    type Parameters<V> = [V; 1];
    type Kept<V> = [V; 1];
    fn name(&self) -> String {
        "leaky".into()
    }
    #[rustfmt::skip]
    fn step<V: Number>(&self, [a]: [V; 1], []: [V; 0], [h]: [V; 1], [rho]: [V; 1]) -> ([V; 1], [V; 1]) {
        let candidate = a.tanh();
        ([h.clone() + rho * (candidate.clone() - h)], [candidate])
    }
    #[rustfmt::skip]
    fn derivative<V: Number>(&self, [dh]: [V; 1], [h]: [V; 1], _: [V; 1], [candidate]: [V; 1], [rho]: [V; 1]) -> StepGradient<Self, V> {
        StepGradient {
            gates: [dh.clone() * rho.clone() * candidate.clone().tanh_slope()],
            apart: [],
            state: [Some(dh.clone() * rho.times(-1.0).plus(1.0))],
            parameters: [dh * (candidate - h)],
        }
    }
}

pub fn main() {
    for row in check(&Leaky, &Problem::default(), &Device::default()) {
        println!("{}: {:.1e} from autodiff", row.parameter, row.manual_vs_autodiff);
        assert!(row.passes(Problem::default().dtype));
    }
}
