//! Is a change slower than what was before it?
//!
//! `cargo bench --bench regression -- --save-baseline before`, then, with the change,
//! `cargo bench --bench regression -- --baseline before`: criterion says of each kernel whether it became slower.

use bptt::cell::{self, Cell, Visitor};
use bptt::kernel::{self, Machine, OutputGradient, Recurrence, Upstream, Wanted};
use bptt::recurrence::Timeline;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// `T, B, I, H`: small, of many steps, of one row, of weights that fill a cache.
const SIZES: [[usize; 4]; 4] =
    [[100, 32, 32, 64], [1000, 8, 128, 128], [200, 1, 256, 256], [50, 64, 256, 256]];

struct Bench<'a> {
    criterion: &'a mut Criterion,
    name: &'static str,
    size: [usize; 4],
}

impl Visitor for Bench<'_> {
    type Output = ();

    fn visit<C: Cell>(self, cell: C) {
        let Self { criterion, name, size: [time, batch, features, hidden] } = self;
        let numbers = |count: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919) % 1000) as f32 / 5e3 - 0.1).collect()
        };
        let columns = cell::gates::<C>() * hidden;
        let timeline = Timeline::uniform(time, batch);
        let (x, w_x) = (numbers(time * batch * features), numbers(features * columns));
        let (w_h, b) = (numbers(hidden * columns), numbers(columns));
        let upstream = numbers(time * batch * hidden);
        let recurrence = Recurrence {
            timeline: &timeline,
            hidden,
            features,
            input: &x,
            initial: None,
            w_x: Some(&w_x),
            w_h: Some(&w_h),
            b_x: Some(&b),
            b_h: Some(&b),
            parameters: None,
        };
        let wanted =
            Wanted { input: true, w_x: true, w_h: true, b_x: true, b_h: true, ..Wanted::default() };
        let machine = Machine::chosen();
        let mut group = criterion.benchmark_group(name);
        let of = |what| BenchmarkId::new(what, format!("{time},{batch},{features},{hidden}"));
        group.bench_function(of("forward"), |bencher| {
            bencher.iter(|| kernel::forward(machine, &cell, &recurrence, false));
        });
        group.bench_function(of("forward and backward"), |bencher| {
            bencher.iter(|| {
                let walked = kernel::forward(machine, &cell, &recurrence, true);
                let tape = walked.tape.expect("it was asked for");
                let upstream =
                    Upstream { output: OutputGradient::Read(&upstream), ..Upstream::default() };
                let walked = (&*walked.hidden, tape);
                kernel::backward(machine, &cell, &recurrence, walked, upstream, wanted)
            });
        });
        group.finish();
    }
}

fn kernels(criterion: &mut Criterion) {
    for name in ["lstm", "gru", "elman"] {
        for size in SIZES {
            let known = cell::visit(name, Bench { criterion, name, size });
            known.expect("a cell of that name");
        }
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
