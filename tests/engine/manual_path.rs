//! The manual path called bare, without autodiff: every gradient, and ∂L/∂h_t for every t.

use bptt::backend::Backend;
use bptt::cell::Activation;
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::{Gradient, Random, Readout, ReadoutGradients, Rnn, RnnConfig, cross_entropy};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};

const SIZES: [usize; 4] = [2, 6, 3, 4]; // batch, time, features, hidden

fn drawn<const D: usize>(shape: [usize; D], device: &Device, random: &mut Random) -> Tensor<D> {
    let values = (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new::<f64, _>(values, shape), (device, DType::F64))
}

fn network(activation: Activation, gradient: Gradient, device: &Device) -> Rnn {
    let [_, _, features, hidden] = SIZES;
    RnnConfig::new(features, hidden, true)
        .with_activation(activation)
        .with_layers(2)
        .with_bidirectional(true)
        .with_gradient(gradient)
        .init_with((device, DType::F64), &mut Random::seed_from_u64(5))
}

fn devices() -> impl Iterator<Item = Device> {
    Backend::available().into_iter().map(|backend| backend.device().expect("available"))
}

#[test]
fn the_bare_backward_walk_equals_autodiff() {
    let [batch, time, features, hidden] = SIZES;
    for device in devices() {
        for activation in Activation::ALL {
            let tracked = device.clone().autodiff();
            let mut random = Random::seed_from_u64(9);
            let x = drawn([batch, time, features], &tracked, &mut random).require_grad();
            let h_0 = drawn([4, batch, hidden], &tracked, &mut random).require_grad();
            let d_output = drawn([batch, time, 2 * hidden], &tracked, &mut random);
            let d_state = drawn([4, batch, hidden], &tracked, &mut random);

            let rnn = network(activation, Gradient::Autodiff, &tracked);
            let (output, [last]) = rnn.forward(x.clone(), Some([h_0.clone()]));
            let loss = (output.clone() * d_output.clone()).sum() + (last * d_state.clone()).sum();
            let expected = loss.backward();

            let trace = rnn.trace(x.clone(), Some([h_0.clone()]));
            assert!(relative_error(&host(trace.output()), &host(output)) < 1e-15);
            let gradients = trace.backward(d_output, Some(vec![d_state]));

            let near = |name: &str, ours: Vec<f64>, theirs: Vec<f64>| {
                let error = relative_error(&ours, &theirs);
                assert!(error <= 1e-12, "{name} of {activation:?} on {device:?}: {error:.1e}");
            };
            near("x", host(gradients.input), host(x.grad(&expected).unwrap()));
            near("h_0", host(gradients.state[0].clone()), host(h_0.grad(&expected).unwrap()));
            let directions = rnn.layers.iter().flat_map(|layer| &layer.directions);
            for (ours, weights) in gradients.weights.into_iter().zip(directions) {
                let grad2 = |w: &Option<burn::module::Param<Tensor<2>>>| {
                    host(w.as_ref().unwrap().val().grad(&expected).unwrap())
                };
                let grad1 = |b: &Option<burn::module::Param<Tensor<1>>>| {
                    host(b.as_ref().unwrap().val().grad(&expected).unwrap())
                };
                near("w_x", host(ours.w_x.unwrap()), grad2(&weights.w_x));
                near("w_h", host(ours.w_h.unwrap()), grad2(&weights.w_h));
                near("b_x", host(ours.b_x.unwrap()), grad1(&weights.b_x));
                near("b_h", host(ours.b_h.unwrap()), grad1(&weights.b_h));
            }
        }
    }
}

/// `∂L/∂h_t` is what the rest of the sequence, started from `h_t`, says of its initial state, and
/// what the output of step `t` itself says.
#[test]
fn the_gradient_of_every_hidden_state_is_that_of_the_rest_of_the_sequence() {
    let [batch, time, features, hidden] = SIZES;
    for device in devices() {
        let mut random = Random::seed_from_u64(2);
        let x = drawn([batch, time, features], &device, &mut random);
        let d_output = drawn([batch, time, hidden], &device, &mut random);
        let config = RnnConfig::new(features, hidden, true);
        let start = |device: &Device, gradient| {
            let config = config.clone().with_gradient(gradient);
            config.init_with((device, DType::F64), &mut Random::seed_from_u64(3))
        };
        let trace = start(&device, Gradient::Manual).trace(x.clone(), None);
        let by_hand = trace.backward(d_output.clone(), None).hidden.remove(0);
        let tracked = device.clone().autodiff();
        let rnn = start(&tracked, Gradient::Autodiff);
        for t in 0..time {
            let at = |m: &Tensor<3>, range| {
                let [_, _, width] = m.dims();
                m.clone().slice([0..batch, range, 0..width])
            };
            let mut expected = host(at(&d_output, t..t + 1));
            if t + 1 < time {
                let h_t = at(&trace.output(), t..t + 1).swap_dims(0, 1);
                let h_t =
                    Tensor::<3>::from_data(h_t.into_data(), (&tracked, DType::F64)).require_grad();
                let rest = |m: &Tensor<3>| {
                    Tensor::<3>::from_data(at(m, t + 1..time).into_data(), (&tracked, DType::F64))
                };
                let (output, _) = rnn.forward(rest(&x), Some([h_t.clone()]));
                let gradients = (output * rest(&d_output)).sum().backward();
                let from_ahead = host(h_t.grad(&gradients).unwrap());
                expected.iter_mut().zip(from_ahead).for_each(|(own, ahead)| *own += ahead);
            }
            let error = relative_error(&host(at(&by_hand, t..t + 1)), &expected);
            assert!(error <= 1e-14, "∂L/∂h_{t} on {device:?}: {error:.1e}");
        }
    }
}

#[test]
fn the_readout_derivative_equals_autodiff() {
    for device in devices() {
        let tracked = device.autodiff();
        let mut random = Random::seed_from_u64(4);
        for [batch, time, units, outputs] in
            [[2, 5, 4, 3], [1, 1, 1, 1], [3, 50, 33, 17], [1, 300, 16, 65], [129, 2, 128, 165]]
        {
            let readout = Readout::new(units, outputs, (&tracked, DType::F64), &mut random);
            let autodiff = readout.clone().with_gradient(Gradient::Autodiff);
            let hidden = drawn([batch, time, units], &tracked, &mut random).require_grad();
            let d_output = drawn([batch, time, outputs], &tracked, &mut random);
            let of = |readout: &Readout| {
                let output = readout.forward(hidden.clone());
                let gradients = (output.clone() * d_output.clone()).sum().backward();
                [
                    host(output),
                    host(hidden.grad(&gradients).unwrap()),
                    host(readout.w_2.val().grad(&gradients).unwrap()),
                    host(readout.b_2.val().grad(&gradients).unwrap()),
                ]
            };
            let ReadoutGradients { hidden: d_hidden, w_2, b_2 } =
                readout.backward(hidden.clone(), d_output.clone());
            let written_out = [host(d_hidden), host(w_2), host(b_2)];
            let (by_hand, expected) = (of(&readout), of(&autodiff));
            for (ours, theirs) in by_hand.iter().zip(&expected) {
                assert!(relative_error(ours, theirs) <= 1e-14, "{units} to {outputs}");
            }
            for (ours, theirs) in written_out.iter().zip(&expected[1..]) {
                assert!(relative_error(ours, theirs) <= 1e-14, "{units} to {outputs}");
            }
        }
    }
}

#[test]
fn the_derivative_of_the_cross_entropy_equals_autodiff() {
    for device in devices() {
        let tracked = device.autodiff();
        let mut random = Random::seed_from_u64(6);
        for [rows, classes] in [[1, 1], [4, 3], [7, 16], [33, 65], [200, 256]] {
            let logits = drawn([rows, classes], &tracked, &mut random) * 8.0;
            let logits = logits.detach().require_grad();
            let d_losses = drawn([rows], &tracked, &mut random);
            let targets: Vec<u32> =
                (0..rows).map(|_| random.random_range(0..classes as u32)).collect();
            let of = |gradient| {
                let losses = cross_entropy(gradient, logits.clone(), &targets);
                let gradients = (losses.clone() * d_losses.clone()).sum().backward();
                [host(losses), host(logits.grad(&gradients).unwrap())]
            };
            let expected = of(Gradient::Autodiff);
            for (ours, theirs) in of(Gradient::Manual).iter().zip(&expected) {
                assert!(relative_error(ours, theirs) <= 1e-14, "{rows} rows of {classes} classes");
            }
        }
    }
}
