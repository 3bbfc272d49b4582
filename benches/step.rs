//! What does a training step of one layer cost, by hand, by autodiff, and in burn-nn?
//!
//! `cargo bench --bench step`: forward and backward of a tanh layer on both backends, f32.

use bptt::backend::Backend;
use bptt::nn::{Gradient, RnnConfig};
use burn::tensor::{Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Time, batch, input, hidden.
const SIZES: [[usize; 4]; 3] = [[10, 100, 1, 16], [100, 32, 32, 64], [50, 32, 128, 128]];

fn step(criterion: &mut Criterion) {
    for [time, batch, input, hidden] in SIZES {
        let mut group = criterion.benchmark_group(format!("T{time} B{batch} I{input} H{hidden}"));
        group.sample_size(10);
        for backend in Backend::available() {
            let device = backend.device().expect("available").autodiff();
            let x = Tensor::<3>::random([batch, time, input], Distribution::Default, &device)
                .require_grad();
            for gradient in [Gradient::Manual, Gradient::Autodiff] {
                let rnn = RnnConfig::new(input, hidden, true).with_gradient(gradient).init(&device);
                let id = BenchmarkId::new(format!("{gradient:?}"), backend);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| rnn.forward(x.clone(), None).0.sum().backward());
                });
            }
            let rnn = burn::nn::RnnConfig::new(input, hidden, true).init(&device);
            group.bench_function(BenchmarkId::new("burn-nn", backend), |bencher| {
                bencher.iter(|| rnn.forward(x.clone(), None).0.sum().backward());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
