//! burn-nn's modules, converted and computed live: the same outputs and gradients.

use bptt::backend::Backend;
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::{Gru, Lstm, Rnn, seeded};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};

const TOLERANCE: f64 = 1e-5;

/// Weights and inputs are drawn from the device's random numbers, as burn-nn draws them.
fn on_every_backend(test: impl Fn(&Device)) {
    for backend in Backend::available() {
        let device = backend.device().unwrap().autodiff();
        seeded(&device, 1, || test(&device));
    }
}

fn near(name: &str, ours: Vec<f64>, theirs: Vec<f64>) {
    let error = relative_error(&ours, &theirs);
    assert!(error <= TOLERANCE, "{name}: {error:.1e}");
}

fn input(device: &Device) -> Tensor<3> {
    Tensor::random([3, 6, 4], Distribution::Normal(0.0, 1.0), device).require_grad()
}

/// The gradient of `Σ output²` with respect to the input.
fn gradient(output: Tensor<3>, x: &Tensor<3>) -> Vec<f64> {
    host(x.grad(&output.powi_scalar(2).sum().backward()).unwrap())
}

#[test]
fn an_lstm_of_burn_nn() {
    on_every_backend(|device| {
        for (bias, reverse, clip) in
            [(true, false, None), (false, true, None), (true, false, Some(0.1))]
        {
            let config =
                burn::nn::LstmConfig::new(4, 5, bias).with_reverse(reverse).with_clip(clip);
            let theirs = config.init(device);
            let ours = Lstm::try_from(&theirs).unwrap();
            let x = input(device);
            let (expected, state) = theirs.forward(x.clone(), None);
            let (output, [hidden, cell]) = ours.forward(x.clone(), None);
            near("output", host(output.clone()), host(expected.clone()));
            near("hidden", host(hidden), host(state.hidden));
            near("cell", host(cell), host(state.cell));
            near("gradient", gradient(output, &x), gradient(expected, &x));
        }
        let other = burn::nn::LstmConfig::new(4, 5, true).with_input_forget(true).init(device);
        assert!(Lstm::try_from(&other).unwrap_err().to_string().contains("CoupledLstm"));
    });
}

#[test]
fn a_gru_of_burn_nn() {
    on_every_backend(|device| {
        for (bias, clip) in [(true, None), (false, None), (true, Some(0.1))] {
            let theirs = burn::nn::GruConfig::new(4, 5, bias).with_clip(clip).init(device);
            let ours = Gru::try_from(&theirs).unwrap();
            let x = input(device);
            let expected = theirs.forward(x.clone(), None);
            let (output, _) = ours.forward(x.clone(), None);
            near("output", host(output.clone()), host(expected.clone()));
            near("gradient", gradient(output, &x), gradient(expected, &x));
        }
        let other = burn::nn::GruConfig::new(4, 5, true).with_reset_after(false).init(device);
        assert!(Gru::try_from(&other).unwrap_err().to_string().contains("reset"));
    });
}

#[test]
fn an_rnn_of_burn_nn_from_its_record() {
    let folder = tempfile::tempdir().unwrap();
    on_every_backend(|device| {
        for (reverse, clip) in [(false, None), (true, Some(0.2))] {
            let config = burn::nn::RnnConfig::new(4, 5, true).with_reverse(reverse).with_clip(clip);
            let saved = config.init(device);
            let path = folder.path().join("record");
            saved.clone().save_file(&path).unwrap();
            let ours = Rnn::try_from(&config.init(device).load_file(&path)).unwrap();
            let x = input(device);
            let (expected, state) = saved.forward(x.clone(), None);
            let (output, [hidden]) = ours.forward(x.clone(), None);
            near("output", host(output.clone()), host(expected.clone()));
            near("hidden", host(hidden), host(state.hidden));
            near("gradient", gradient(output, &x), gradient(expected, &x));
        }
    });
}
