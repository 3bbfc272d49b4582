//! Masks come from the device's random numbers: the same seed gives the same masks, on every backend.

use crate::alone;
use bptt::backend::Backend;
use bptt::gradcheck::relative_error;
use bptt::host;
use bptt::nn::{LstmConfig, Random, seeded};
use burn::tensor::{DType, Device, Tensor};
use rand::SeedableRng;

fn output(device: &Device, seed: u64) -> Vec<f64> {
    let lstm = LstmConfig::new(3, 6, true)
        .with_layers(2)
        .with_dropout(0.5)
        .with_recurrent_dropout(0.3)
        .with_zoneout_hidden(0.1)
        .with_zoneout_cell(0.1)
        .init_with((device, DType::F64), &mut Random::seed_from_u64(1));
    let input = Tensor::ones([2, 5, 3], (device, DType::F64));
    seeded(device, seed, || host(lstm.forward(input, None).0))
}

#[test]
fn the_seed_repeats_the_masks_on_every_backend() {
    let _alone = alone();
    let mut all = Vec::new();
    for backend in Backend::available() {
        let device = backend.device().unwrap().autodiff();
        let first = output(&device, 7);
        assert_eq!(output(&device, 7), first, "{backend}");
        assert!(relative_error(&output(&device, 8), &first) > 0.01, "{backend}");
        all.push(first);
    }
    for other in &all[1..] {
        assert!(relative_error(other, &all[0]) < 1e-14);
    }
}
