//! What a recurrent layer is expected to do beside its numbers: steps, lengths, dropout, weights.

use bptt::backend::Backend;
use bptt::cell::Activation;
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::weights::WeightsError;
use bptt::nn::{
    Gradient, GruConfig, LengthsError, LstmConfig, Random, RecurrentInitializer, RnnConfig, draw,
    seeded,
};
use burn::module::Initializer;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;

fn devices() -> impl Iterator<Item = Device> {
    Backend::available().into_iter().map(|backend| backend.device().unwrap())
}

/// Normal numbers, the same on every backend.
fn drawn<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let normal = Initializer::Normal { mean: 0.0, std: 1.0 };
    let count = shape.iter().product();
    let values = draw(&normal, 1, count, &mut Random::seed_from_u64(seed));
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
}

fn random() -> Random {
    Random::seed_from_u64(11)
}

#[test]
fn step_by_step_is_the_whole_sequence() {
    for device in devices() {
        let options = (&device, DType::F64);
        let lstm = LstmConfig::new(3, 4, true).with_layers(2).init_with(options, &mut random());
        let x = drawn(1, [2, 6, 3], &device);
        let (output, last) = lstm.forward(x.clone(), None);
        let mut state = None;
        for t in 0..6 {
            let x_t = x.clone().slice([0..2, t..t + 1, 0..3]).reshape([2, 3]);
            let (h, next) = lstm.step(x_t, state);
            let expected = output.clone().slice([0..2, t..t + 1, 0..4]).reshape([2, 4]);
            assert!(relative_error(&host(h), &host(expected)) < 1e-14, "step {t} on {device:?}");
            state = Some(next);
        }
        for (ours, theirs) in state.unwrap().into_iter().zip(last) {
            assert!(relative_error(&host(ours), &host(theirs)) < 1e-14);
        }
    }
}

#[test]
fn a_row_of_its_own_length_is_that_row_alone() {
    for device in devices() {
        let gru = GruConfig::new(3, 4, true).with_layers(2).with_bidirectional(true);
        let gru = gru.init_with((&device, DType::F64), &mut random());
        let (x, lengths) = (drawn(1, [4, 6, 3], &device), [2, 6, 1, 4]);
        let (output, [last]) = gru.forward_lengths(x.clone(), &lengths, None).unwrap();
        for (row, &length) in lengths.iter().enumerate() {
            let alone = x.clone().slice([row..row + 1, 0..length, 0..3]);
            let (expected, [expected_last]) = gru.forward(alone, None);
            let of_row = output.clone().slice([row..row + 1, 0..length, 0..8]);
            assert!(relative_error(&host(of_row), &host(expected)) < 1e-14, "row {row}");
            let of_row = last.clone().slice([0..4, row..row + 1, 0..4]);
            assert!(relative_error(&host(of_row), &host(expected_last)) < 1e-14, "row {row}");
            if length < 6 {
                let past = output.clone().slice([row..row + 1, length..6, 0..8]);
                assert!(host(past).iter().all(|v| *v == 0.0), "row {row}");
            }
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    for device in devices() {
        let gru = GruConfig::new(3, 4, true).init(&device);
        let x = Tensor::zeros([2, 5, 3], &device);
        let refused = |lengths: &[usize]| {
            gru.forward_lengths(x.clone(), lengths, None).map(|_| ()).unwrap_err()
        };
        assert_eq!(refused(&[5]), LengthsError::Count { given: 1, batch: 2 });
        assert_eq!(refused(&[5, 0]), LengthsError::Zero { row: 1 });
        assert_eq!(refused(&[6, 1]), LengthsError::TooLong { row: 0, length: 6, time: 5 });
    }
}

#[test]
fn regularisation_is_off_in_inference_and_at_work_in_training() {
    for device in devices() {
        let plain = LstmConfig::new(3, 6, true).with_layers(2);
        let config = plain.clone().with_dropout(0.5).with_recurrent_dropout(0.3);
        let x = drawn(1, [2, 5, 3], &device);
        let of = |config: &LstmConfig, x: &Tensor<3>| {
            let lstm = config.init_with((&x.device(), DType::F64), &mut random());
            host(lstm.forward(x.clone(), None).0)
        };
        assert_eq!(of(&config, &x), of(&plain, &x), "inference on {device:?}");
        let training = device.clone().autodiff();
        let training = Tensor::<3>::from_data(x.clone().into_data(), (&training, DType::F64));
        let apart = relative_error(&of(&config, &training), &of(&plain, &training));
        assert!(apart > 0.01, "training on {device:?}: {apart}");
    }
}

/// A linear network from a zero state is a linear map `M` of its input, whatever its masks, and the
/// backward walk is its transpose: `⟨M x, r⟩ = ⟨x, Mᵀ r⟩`.
#[test]
fn a_trace_keeps_its_masks_for_the_backward_walk() {
    for device in devices() {
        let training = device.autodiff();
        let rnn = RnnConfig::new(3, 5, false)
            .with_activation(Activation::Identity)
            .with_layers(3)
            .with_bidirectional(true)
            .with_dropout(0.4)
            .with_recurrent_dropout(0.3)
            .with_zoneout_hidden(0.2)
            .init_with((&training, DType::F64), &mut random());
        let (x, r) = (drawn(1, [3, 6, 3], &training), drawn(2, [3, 6, 10], &training));
        let trace = rnn.trace_lengths(x.clone(), &[4, 6, 2], None).unwrap();
        let dot = |a: &Tensor<3>, b: &Tensor<3>| host((a.clone() * b.clone()).sum())[0];
        let forward = dot(&trace.output(), &r);
        let backward = dot(&x, &trace.backward(r, None).input);
        assert!((forward - backward).abs() < 1e-13 * forward.abs(), "{forward} {backward}");
        assert!(forward.abs() > 1e-3);
    }
}

/// The mean over many masks is the inference pass, where the layers are linear.
#[test]
fn dropout_and_zoneout_keep_the_expectation() {
    for device in devices() {
        let config = RnnConfig::new(2, 3, false)
            .with_activation(Activation::Identity)
            .with_layers(2)
            .with_dropout(0.4)
            .with_recurrent_dropout(0.2)
            .with_zoneout_hidden(0.3);
        let inference = config.init_with((&device, DType::F64), &mut random());
        let x = drawn(1, [1, 2, 2], &device);
        let expected = host(inference.forward(x.clone(), None).0);
        let training = device.clone().autodiff();
        let rnn = config.init_with((&training, DType::F64), &mut random());
        let x = Tensor::<3>::from_data(x.into_data(), (&training, DType::F64));
        let draws = 4000;
        let (mut sum, mut squares) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
        for draw in 0..draws {
            let output = seeded(&training, draw, || host(rnn.forward(x.clone(), None).0));
            for (i, v) in output.into_iter().enumerate() {
                sum[i] += v;
                squares[i] += v * v;
            }
        }
        for (i, expected) in expected.iter().enumerate() {
            let mean = sum[i] / draws as f64;
            let error = ((squares[i] / draws as f64 - mean * mean) / draws as f64).sqrt();
            // With other seeds a right program would fail less than once in a million: a normal number lies beyond
            // 6.5 standard errors with probability 8e-11, and there are 6 on each backend. The rest is for means that
            // are not quite normal (see tests/truncation.rs).
            assert!(
                (mean - expected).abs() < 6.5 * error,
                "{mean} for {expected} ± {error} on {device:?}"
            );
        }
    }
}

#[test]
fn starts_are_the_published_ones() {
    for device in devices() {
        let irnn = RnnConfig::new(2, 3, true)
            .with_activation(Activation::Relu)
            .with_recurrent_initializer(Some(RecurrentInitializer::Identity { gain: 1.0 }))
            .with_bias_initializer(Some(Initializer::Zeros))
            .init(&device);
        let weights = &irnn.layers[0].directions[0];
        assert_eq!(host(weights.w_h.as_ref().unwrap().val()), [1., 0., 0., 0., 1., 0., 0., 0., 1.]);
        assert_eq!(host(weights.b_x.as_ref().unwrap().val()), [0.0; 3]);

        let lstm = LstmConfig::new(2, 3, true).with_forget_bias(Some(1.0)).init(&device);
        let weights = &lstm.layers[0].directions[0];
        let [b_x, b_h] = [&weights.b_x, &weights.b_h].map(|b| host(b.as_ref().unwrap().val()));
        assert_eq!((&b_x[3..6], &b_h[3..6]), (&[1.0; 3][..], &[0.0; 3][..]));
        assert!(b_x[..3].iter().chain(&b_h[6..]).all(|b| *b != 0.0));
    }
}

#[test]
fn weights_come_back_as_they_were_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    for device in devices() {
        for dtype in [DType::F32, DType::F64] {
            let config = LstmConfig::new(3, 4, true)
                .with_layers(2)
                .with_bidirectional(true)
                .with_projection(Some(2))
                .with_layer_norm(true);
            let saved = config.init_with((&device, dtype), &mut random());
            saved.save_safetensors(&path, "encoder.").unwrap();
            let other = config.init_with((&device, dtype), &mut Random::seed_from_u64(99));
            let loaded = other.load_safetensors(&path, "encoder.").unwrap();
            let x = Tensor::<3>::ones([2, 3, 3], (&device, dtype));
            assert_eq!(host(loaded.forward(x.clone(), None).0), host(saved.forward(x, None).0));
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let device = devices().next().unwrap();
    let config = GruConfig::new(3, 4, true).with_layers(2);
    config.init(&device).save_safetensors(&path, "gru.").unwrap();
    let refused = |config: GruConfig, prefix: &str| {
        config.init(&device).load_safetensors(&path, prefix).map(|_| ()).unwrap_err()
    };
    let error = refused(GruConfig::new(3, 5, true).with_layers(2), "gru.");
    assert!(
        matches!(&error, WeightsError::Shape { name, .. } if name == "gru.weight_ih_l0"),
        "{error}"
    );
    let error = refused(GruConfig::new(3, 4, true).with_layers(3), "gru.");
    assert!(
        matches!(&error, WeightsError::Missing { name, .. } if name == "gru.weight_ih_l2"),
        "{error}"
    );
    let error = refused(GruConfig::new(3, 4, true), "gru.");
    assert!(
        matches!(&error, WeightsError::Surplus { name, .. } if name == "gru.bias_hh_l1"),
        "{error}"
    );
    let error = refused(config.clone(), "lstm.");
    assert!(error.to_string().contains("none of its 8 tensors starts with 'lstm.'"), "{error}");
    std::fs::write(&path, b"no such thing").unwrap();
    let error = refused(config.clone(), "");
    assert!(matches!(error, WeightsError::Format { .. }), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = refused(config, "").to_string();
    assert!(error.contains("weights.safetensors"), "{error}");
}

#[test]
#[should_panic(expected = "looks at its hidden state")]
fn a_gru_cannot_be_projected() {
    let device = devices().next().unwrap();
    let config = bptt::nn::RecurrentConfig::new(3, 4, true).with_projection(Some(2));
    config.init(bptt::cell::Gru::default(), &device);
}

#[test]
fn the_path_of_the_gradient_does_not_change_the_forward_pass() {
    for device in devices() {
        let config = LstmConfig::new(3, 4, true).with_bidirectional(true);
        let x = drawn(1, [2, 5, 3], &device);
        let of = |gradient| {
            let config = config.clone().with_gradient(gradient);
            let lstm = config.init_with((&device, DType::F64), &mut random());
            host(lstm.forward(x.clone(), None).0)
        };
        let apart = relative_error(&of(Gradient::Manual), &of(Gradient::Autodiff));
        assert!(apart < 1e-15, "{apart:e}");
    }
}
