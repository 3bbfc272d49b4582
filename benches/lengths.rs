//! Do steps past the rows' ends cost anything?
//!
//! `cargo bench --bench lengths` prints forward and backward of a batch whose rows all run to the end,
//! of one where half of all steps are past the rows' ends, and their ratio.

mod alternating;

use bptt::backend::Backend;
use bptt::nn::{GruConfig, LstmConfig};
use burn::tensor::{Distribution, Tensor};

/// Time, batch, input, hidden.
const SIZES: [[usize; 4]; 2] = [[100, 32, 32, 64], [50, 64, 256, 256]];

fn main() {
    println!("forward and backward, ms (medians of alternating runs)\n");
    println!(
        "{:5} {:8} {:>16} {:>9} {:>9} {:>7}",
        "cell", "backend", "T,B,I,H", "full", "half", "ratio"
    );
    for [time, batch, input, hidden] in SIZES {
        // Evenly spread from 1 to T: half of all steps.
        let lengths: Vec<usize> =
            (0..batch).map(|row| 1 + row * (time - 1) / (batch - 1)).collect();
        for backend in Backend::available() {
            let device = backend.device().expect("available").autodiff();
            let x = Tensor::<3>::random([batch, time, input], Distribution::Default, &device);
            let x = x.require_grad();
            let gru = GruConfig::new(input, hidden, true).init(&device);
            let lstm = LstmConfig::new(input, hidden, true).init(&device);
            let half = "lengths that fit";
            let [gru_full, gru_half, lstm_full, lstm_half] = alternating::medians(
                5,
                [
                    &mut || drop(gru.forward(x.clone(), None).0.backward()),
                    &mut || {
                        let (output, _) =
                            gru.forward_lengths(x.clone(), &lengths, None).expect(half);
                        drop(output.backward());
                    },
                    &mut || drop(lstm.forward(x.clone(), None).0.backward()),
                    &mut || {
                        let (output, _) =
                            lstm.forward_lengths(x.clone(), &lengths, None).expect(half);
                        drop(output.backward());
                    },
                ],
            );
            for (cell, full, half) in [("gru", gru_full, gru_half), ("lstm", lstm_full, lstm_half)]
            {
                println!(
                    "{cell:5} {:8} {:>16} {full:>9.2} {half:>9.2} {:>7.2}",
                    backend.to_string(),
                    format!("{time},{batch},{input},{hidden}"),
                    half / full
                );
            }
        }
    }
}
