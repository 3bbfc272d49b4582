//! How the gradient flows: against closed forms, and against one autodiff backward pass a loss and step.

use bptt::backend::Backend;
use bptt::cell::{self, Cell, Row as _, Shape};
use bptt::nn::{
    FlowError, Gradient, GruConfig, LstmConfig, Random, Recurrent, RecurrentConfig, RnnConfig,
};
use burn::module::{Initializer, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};

fn device() -> Device {
    Backend::available()[0].device().expect("available")
}

fn drawn(shape: [usize; 3], random: &mut Random, device: &Device) -> Tensor<3> {
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
}

fn matrix(values: &[f64], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&device(), DType::F64))
}

#[test]
fn the_lag_map_of_a_linear_network_is_a_power_of_its_weight() {
    let (time, device) = (120, device());
    for w_rec in [0.5, 0.9, 1.0, 1.1] {
        let mut random = Random::seed_from_u64(1);
        let mut stack = RecurrentConfig::new(1, 1, false).init_with(
            cell::Elman { activation: cell::Activation::Identity, clip: None },
            (&device, DType::F64),
            &mut random,
        );
        stack.layers[0].directions[0].w_h = Some(Param::from_tensor(matrix(&[w_rec], [1, 1])));
        let x = drawn([1, time, 1], &mut random, &device);
        let ones = Tensor::ones([1, time, 1], (&device, DType::F64));
        let flow = stack.flow(x, ones, true).unwrap();
        let layer = &flow.layers[0];
        let mut worst = 0.0f64;
        for (t, lags) in layer.states[0].lag_map.iter().enumerate() {
            assert_eq!(lags.len(), t + 1);
            for (k, norm) in lags.iter().enumerate() {
                worst = worst.max((norm / w_rec.powi(k as i32) - 1.0).abs());
            }
        }
        for (t, norm) in flow.gradient_norm.iter().enumerate() {
            worst = worst.max((norm / w_rec.powi((time - 1 - t) as i32) - 1.0).abs());
        }
        for norm in layer.jacobian_norm.iter().chain([&layer.spectral_radius[0].1]) {
            worst = worst.max((norm / w_rec - 1.0).abs());
        }
        println!("w_rec = {w_rec}: relative error at most {worst:.1e}");
        assert!(worst <= 1e-12);
    }
}

/// The norms of `∂L_t/∂s_{t−k}` of every loss, lag, layer and state, each by an autodiff pass of its own.
fn by_autodiff<C: Cell>(
    stack: &Recurrent<C>,
    x: &Tensor<3>,
    d_output: &Tensor<3>,
) -> Vec<Vec<Vec<Vec<f64>>>> {
    let [_, time, _] = x.dims();
    let alone = |layer: usize| {
        let mut alone = stack.clone();
        alone.layers = vec![stack.layers[layer].clone()];
        alone
    };
    let norm = |t: Tensor<3>| t.powi_scalar(2).sum().into_scalar::<f64>().sqrt();
    let mut all = Vec::new();
    let mut below = x.clone();
    for layer in 0..stack.layers.len() {
        let mut maps = vec![vec![Vec::new(); time]; Shape::of::<C>().states];
        let this = alone(layer);
        for t in 0..time {
            for k in 0..=t {
                let s = t - k;
                let steps =
                    |x: &Tensor<3>, steps: std::ops::Range<usize>| x.clone().slice_dim(1, steps);
                let (earlier, state) = this.forward(steps(&below, 0..s + 1), None);
                let leaves: Vec<Tensor<3>> =
                    state.into_iter().map(|state| state.detach().require_grad()).collect();
                let here = leaves[0].clone().swap_dims(0, 1);
                let mut parts = vec![steps(&earlier, 0..s + 1).detach()];
                parts[0] = match s {
                    0 => here,
                    _ => Tensor::cat(vec![steps(&earlier, 0..s).detach(), here], 1),
                };
                if s + 1 < time {
                    let state = C::State::from_fn(|i| leaves[i].clone());
                    parts.push(this.forward(steps(&below, s + 1..time), Some(state)).0);
                }
                let mut output = Tensor::cat(parts, 1);
                for above in layer + 1..stack.layers.len() {
                    output = alone(above).forward(output, None).0;
                }
                let loss = (steps(&output, t..t + 1) * steps(d_output, t..t + 1)).sum();
                let gradients = loss.backward();
                for (map, leaf) in maps.iter_mut().zip(&leaves) {
                    map[t].push(leaf.grad(&gradients).map_or(0.0, norm));
                }
            }
        }
        all.push(maps);
        below = this.forward(below, None).0.detach();
    }
    all
}

fn hold_against_autodiff<C: Cell>(config: RecurrentConfig, cell: C, seed: u64) -> f64 {
    let (time, batch) = (6, 2);
    let mut random = Random::seed_from_u64(seed);
    let training = device().autodiff();
    let config = config.with_gradient(Gradient::Autodiff);
    let stack = config.init_with(cell, (&training, DType::F64), &mut random);
    let x = drawn([batch, time, config.d_input], &mut random, &training);
    let d_output = drawn([batch, time, stack.d_output], &mut random, &training);
    let flow = stack.flow(x.clone(), d_output.clone(), false).unwrap();
    let expected = by_autodiff(&stack, &x, &d_output);
    let mut worst = 0.0f64;
    for (layer, expected) in flow.layers.iter().zip(&expected) {
        for (state, expected) in layer.states.iter().zip(expected) {
            for (given, expected) in state.lag_map.iter().zip(expected) {
                assert_eq!(given.len(), expected.len());
                for (given, expected) in given.iter().zip(expected) {
                    worst = worst.max((given - expected).abs() / (1e-3 + expected));
                }
            }
        }
    }
    worst
}

#[test]
fn the_lag_map_is_that_of_one_autodiff_pass_for_each_loss() {
    let config = |layers| RecurrentConfig::new(3, 4, true).with_layers(layers);
    let tanh = cell::Elman { activation: cell::Activation::Tanh, clip: None };
    let mut worst = 0.0f64;
    for layers in [1, 2, 3] {
        let errors = [
            hold_against_autodiff(config(layers), tanh, 1),
            hold_against_autodiff(config(layers), cell::Gru::default(), 2),
            hold_against_autodiff(config(layers), cell::Lstm::default(), 3),
            hold_against_autodiff(config(layers).with_layer_norm(true), cell::Lstm::default(), 4),
            hold_against_autodiff(
                config(layers).with_projection(Some(2)),
                cell::Lstm::default(),
                5,
            ),
            hold_against_autodiff(config(layers).with_layer_norm(true), cell::Gru::default(), 6),
        ];
        worst = errors.into_iter().fold(worst, f64::max);
    }
    println!("lag maps by one wide walk against one autodiff pass each: at most {worst:.1e}");
    assert!(worst <= 1e-12);
}

#[test]
fn the_jacobian_of_two_units_has_the_singular_values_of_the_closed_form() {
    let device = device();
    let mut random = Random::seed_from_u64(9);
    let (time, batch) = (8, 3);
    let rnn = RnnConfig::new(2, 2, true)
        .with_initializer(Some(Initializer::Normal { mean: 0.0, std: 1.0 }))
        .init_with((&device, DType::F64), &mut random);
    let x = drawn([batch, time, 2], &mut random, &device);
    let (output, _) = rnn.forward(x.clone(), None);
    let flow = rnn.flow(x, output.clone(), false).unwrap();
    let host = |t: Tensor<1>| t.into_data().try_to_vec::<f64>().unwrap();
    let w = host(rnn.layers[0].directions[0].w_h.as_ref().unwrap().val().flatten(0, 1));
    let h = host(output.flatten(0, 2));
    for t in 0..time {
        let of_row = |row: usize| {
            let slope = |unit: usize| 1.0 - h[(row * time + t) * 2 + unit].powi(2);
            // ∂h_t[j]/∂h_{t−1}[i] = (1 − h_t[j]²) W_h[i, j]
            let j = [w[0] * slope(0), w[1] * slope(1), w[2] * slope(0), w[3] * slope(1)];
            let squares: f64 = j.iter().map(|v| v * v).sum();
            let determinant = j[0] * j[3] - j[1] * j[2];
            ((squares + (squares * squares - 4.0 * determinant * determinant).sqrt()) / 2.0).sqrt()
        };
        let expected = (0..batch).map(of_row).sum::<f64>() / batch as f64;
        let given = flow.layers[0].jacobian_norm[t];
        assert!((given - expected).abs() <= 1e-9 * expected, "{given} {expected}");
    }
    let (trace, determinant) = (w[0] + w[3], w[0] * w[3] - w[1] * w[2]);
    let discriminant = trace * trace / 4.0 - determinant;
    let expected = if discriminant >= 0.0 {
        (trace / 2.0).abs() + discriminant.sqrt()
    } else {
        determinant.sqrt()
    };
    let given = flow.layers[0].spectral_radius[0].1;
    assert!((given - expected).abs() <= 1e-10 * expected, "{given} {expected}");
}

#[test]
fn the_largest_eigenvalue_is_found_where_it_is_complex_or_defective() {
    let device = device();
    for (w_h, expected) in
        [([0.0, -2.0, 2.0, 0.0], 2.0), ([1.0, 1.0, 0.0, 1.0], 1.0), ([0.0, 1.0, 0.0, 0.0], 0.0)]
    {
        let mut random = Random::seed_from_u64(2);
        let mut rnn = RnnConfig::new(1, 2, true).init_with((&device, DType::F64), &mut random);
        rnn.layers[0].directions[0].w_h = Some(Param::from_tensor(matrix(&w_h, [2, 2])));
        let x = drawn([1, 3, 1], &mut random, &device);
        let (output, _) = rnn.forward(x.clone(), None);
        let given = rnn.flow(x, output, true).unwrap().layers[0].spectral_radius[0].1;
        assert!((given - expected).abs() <= 1e-9, "{given} {expected}");
    }
}

#[test]
fn gates_that_are_open_or_shut_are_counted() {
    let device = device();
    let mut random = Random::seed_from_u64(3);
    let lstm = LstmConfig::new(2, 5, true).with_forget_bias(Some(8.0));
    let lstm = lstm.init_with((&device, DType::F64), &mut random);
    let x = drawn([2, 4, 2], &mut random, &device);
    let (output, _) = lstm.forward(x.clone(), None);
    let flow = lstm.flow(x, output, true).unwrap();
    let gates = &flow.layers[0].gates;
    let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["input", "forget", "output"]);
    assert_eq!((&gates[1].above, &gates[1].below), (&vec![1.0; 4], &vec![0.0; 4]));
    assert!(gates[1].mean.iter().all(|&mean| mean > 0.99));
    assert_eq!((&gates[0].above, &gates[0].below), (&vec![0.0; 4], &vec![0.0; 4]));
}

#[test]
fn a_stack_that_walks_back_in_time_or_another_shape_is_refused() {
    let device = device();
    let mut random = Random::seed_from_u64(4);
    let gru = GruConfig::new(2, 3, true).with_bidirectional(true);
    let gru = gru.init_with((&device, DType::F64), &mut random);
    let x = drawn([2, 4, 2], &mut random, &device);
    let (output, _) = gru.forward(x.clone(), None);
    assert_eq!(gru.flow(x.clone(), output, true), Err(FlowError::Direction));
    let gru = GruConfig::new(2, 3, true).init_with((&device, DType::F64), &mut random);
    let refused = gru.flow(x.clone(), x, true).unwrap_err();
    assert_eq!(refused, FlowError::Shape { given: [2, 4, 2], output: [2, 4, 3] });
}
