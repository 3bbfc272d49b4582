//! What does a training step of one layer cost, by hand, by autodiff, and in burn-nn?
//!
//! `cargo bench --bench step` prints forward and backward in milliseconds, f32, and how many times the
//! hand-written path's time the others take.

mod alternating;

use bptt::backend::Backend;
use bptt::nn::{Gradient, LstmConfig};
use burn::tensor::{Distribution, Tensor};

/// Time, batch, input, hidden.
const SIZES: [[usize; 4]; 3] = [[10, 100, 1, 16], [100, 32, 32, 64], [50, 32, 128, 128]];

fn main() {
    println!("LSTM, forward and backward, ms (medians of alternating runs)\n");
    println!(
        "{:8} {:>16} {:>9} {:>16} {:>16}",
        "backend", "T,B,I,H", "by hand", "autodiff", "burn-nn"
    );
    for [time, batch, input, hidden] in SIZES {
        for backend in Backend::available() {
            let device = backend.device().expect("available").autodiff();
            let x = Tensor::<3>::random([batch, time, input], Distribution::Default, &device);
            let x = x.require_grad();
            let config = LstmConfig::new(input, hidden, true);
            let manual = config.init(&device);
            let autodiff = config.with_gradient(Gradient::Autodiff).init(&device);
            let burn_nn = burn::nn::LstmConfig::new(input, hidden, true).init(&device);
            let [by_hand, by_autodiff, by_burn_nn] = alternating::medians(
                7,
                [
                    &mut || drop(manual.forward(x.clone(), None).0.backward()),
                    &mut || drop(autodiff.forward(x.clone(), None).0.backward()),
                    &mut || drop(burn_nn.forward(x.clone(), None).0.backward()),
                ],
            );
            println!(
                "{:8} {:>16} {by_hand:>9.2} {by_autodiff:>9.2} {:>5.1}x {by_burn_nn:>9.2} {:>5.1}x",
                backend.to_string(),
                format!("{time},{batch},{input},{hidden}"),
                by_autodiff / by_hand,
                by_burn_nn / by_hand,
            );
        }
    }
}
