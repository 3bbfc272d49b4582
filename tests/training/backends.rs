//! The same numbers everywhere: one seed gives one result on each backend and path up to
//! rounding, and the same bits when repeated.

use bptt::backend::Backend;
use bptt::data::count::CountTask;
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::{Gradient, Random, RnnConfig};
use bptt::train::count::{Outcome, Settings, Weights, gradient_by_time, train};
use burn::tensor::DType;
use rand::SeedableRng;

fn outcome(backend: Backend, gradient: Gradient, dtype: DType) -> Outcome {
    let task = CountTask::generate(100, 10, 1).unwrap();
    let settings = Settings {
        start: Weights { w_x: -1.5, w_rec: 2.0 },
        iterations: 500,
        first_step: 0.001,
        gradient,
        dtype,
        device: backend.device().unwrap(),
    };
    train(&task, &settings).unwrap()
}

#[test]
fn the_counting_network_learns_to_count_the_same_everywhere() {
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-10)] {
        let mut all = Vec::new();
        for backend in Backend::available() {
            for gradient in [Gradient::Manual, Gradient::Autodiff] {
                let outcome = outcome(backend, gradient, dtype);
                all.push((
                    format!("{backend} {gradient:?} {dtype:?}"),
                    outcome.reached(),
                    outcome.losses,
                ));
            }
        }
        let (first, reference, losses) = &all[0];
        for (name, reached, _) in &all {
            assert!((reached.w_x - 1.0).abs() <= 0.002, "{name}: {reached:?}");
            assert!((reached.w_rec - 1.0).abs() <= 0.002, "{name}: {reached:?}");
            let apart =
                (reached.w_x - reference.w_x).abs().max((reached.w_rec - reference.w_rec).abs());
            assert!(apart <= tolerance, "{name} is {apart:.1e} from {first}");
        }
        let again = outcome(Backend::available()[0], Gradient::Manual, dtype);
        assert_eq!(
            (reference, losses),
            (&again.reached(), &again.losses),
            "a repeated run has the same bits"
        );
    }
}

#[test]
fn every_backend_starts_from_the_same_weights() {
    let weights = |backend: Backend| {
        let device = backend.device().unwrap();
        let rnn = RnnConfig::new(3, 4, true)
            .init_with((&device, DType::F32), &mut Random::seed_from_u64(6));
        let direction = &rnn.layers[0].directions[0];
        host(direction.w_h.as_ref().unwrap().val())
    };
    let all: Vec<Vec<f64>> = Backend::available().into_iter().map(weights).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(all[0].iter().all(|w| w.abs() <= 0.5 && *w != 0.0));
}

#[test]
fn the_gradient_of_the_linear_network_scales_by_w_rec_a_step() {
    let task = CountTask::generate(20, 12, 3).unwrap();
    for backend in Backend::available() {
        for w_rec in [0.5, 0.9, 1.0, 1.1] {
            let at = Weights { w_x: 0.7, w_rec };
            let states = gradient_by_time(&task, at, &backend.device().unwrap(), DType::F64).states;
            let expected: Vec<f64> =
                (0..=12).map(|k| states[12] * f64::powi(w_rec, 12 - k)).collect();
            assert!(relative_error(&states, &expected) <= 1e-14, "w_rec {w_rec} on {backend}");
        }
    }
}
