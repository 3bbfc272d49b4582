//! What does a memory budget cost?
//!
//! `cargo bench --bench budget` prints, for an LSTM over 1000 steps, the time of forward and backward with
//! the whole tape and with shares of it, their ratio, and the most memory held; then one of 20 000 steps
//! within 64 MiB. `-- T,B,I,H` measures that size instead.

mod alternating;

use bptt::kernel::release_memory;
use bptt::nn::{Lstm, LstmConfig};
use burn::tensor::{Device, Distribution, Tensor};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// A layer, its input, and the bytes of its tape: four gates and the cell of each step.
fn layer([time, batch, input, hidden]: [usize; 4]) -> (Lstm, Tensor<3>, usize) {
    let device = Device::default().autodiff();
    let lstm = LstmConfig::new(input, hidden, true).with_batch_first(false).init(&device);
    let x = Tensor::<3>::random([time, batch, input], Distribution::Default, &device);
    (lstm, x.require_grad(), (5 * time + 1) * batch * hidden * 4)
}

fn step(lstm: &Lstm, x: &Tensor<3>) {
    drop(lstm.forward(x.clone(), None).0.backward());
}

/// The most memory that a step holds beside its input and weights.
fn most_memory(lstm: &Lstm, x: &Tensor<3>) -> f64 {
    release_memory();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    step(lstm, x);
    (MEMORY.peak_usage() - before) as f64 / MEBIBYTE
}

fn main() {
    let numbers = |size: String| {
        let sizes: Result<Vec<usize>, _> = size.split(',').map(str::parse).collect();
        sizes.ok().and_then(|sizes| <[usize; 4]>::try_from(sizes).ok())
    };
    let asked: Vec<[usize; 4]> = std::env::args().skip(1).filter_map(numbers).collect();
    let sizes = if asked.is_empty() {
        vec![[1000, 1, 256, 256], [1000, 8, 256, 256], [1000, 32, 256, 256]]
    } else {
        asked
    };
    println!("LSTM, f32, forward and backward (medians of alternating runs)\n");
    println!(
        "{:>16} {:>11} {:>11} {:>9} {:>9} {:>7} {:>11}",
        "T,B,I,H", "budget MiB", "of the tape", "whole ms", "ms", "ratio", "memory MiB"
    );
    for size in sizes {
        let (whole, x, tape) = layer(size);
        for share in [1.0, 0.5, 0.2, 0.1, 0.05, 0.02] {
            let budget = (share * tape as f64) as usize;
            let bound = whole.clone().with_memory_budget(Some(budget));
            let [free_ms, bound_ms] =
                alternating::medians(7, [&mut || step(&whole, &x), &mut || step(&bound, &x)]);
            println!(
                "{:>16} {:>11.2} {:>9.0} % {free_ms:>9.1} {bound_ms:>9.1} {:>7.3} {:>11.1}",
                size.map(|n| n.to_string()).join(","),
                budget as f64 / MEBIBYTE,
                100.0 * share,
                bound_ms / free_ms,
                most_memory(&bound, &x)
            );
        }
    }
    let size = [20_000, 4, 64, 256];
    let (lstm, x, tape) = layer(size);
    let bound = lstm.with_memory_budget(Some(64 << 20));
    let start = std::time::Instant::now();
    let memory = most_memory(&bound, &x);
    println!(
        "\n{} within 64 MiB, whose tape is {:.0} MiB: {:.2} s, {memory:.0} MiB held with output and gradients",
        size.map(|n| n.to_string()).join(","),
        tape as f64 / MEBIBYTE,
        start.elapsed().as_secs_f64()
    );
}
