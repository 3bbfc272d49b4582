//! The promise that carries all others: manual = autodiff = differences.

use bptt::backend::Backend;
use bptt::cell::{self, Cell};
use bptt::gradcheck::{Problem, check};
use bptt::nn::Random;
use burn::tensor::DType;
use rand::{RngExt, SeedableRng};

struct Check<'a> {
    problem: &'a Problem,
    backend: Backend,
}

impl cell::Visitor for Check<'_> {
    type Output = [f64; 2];

    fn visit<C: Cell>(self, cell: C) -> [f64; 2] {
        let Self { problem, backend } = self;
        let device = backend.device().expect("an available backend");
        let rows = check(&cell, problem, &device);
        for row in &rows {
            assert!(
                row.passes(problem.dtype),
                "{} of {}: against autodiff {:.1e}, against differences {:.1e} ({problem}, {backend})",
                row.parameter,
                row.cell,
                row.manual_vs_autodiff,
                row.manual_vs_difference,
            );
        }
        let worst =
            |error: fn(&bptt::gradcheck::Row) -> f64| rows.iter().map(error).fold(0.0, f64::max);
        [worst(|row| row.manual_vs_autodiff), worst(|row| row.manual_vs_difference)]
    }
}

/// One configuration in the middle of which every option is drawn.
fn drawn(seed: u64) -> (Problem, &'static str, Backend) {
    let mut random = Random::seed_from_u64(seed);
    let mut size = |largest: usize| random.random_range(1..=largest);
    let (input, hidden, time, batch, layers) = (size(3), size(4), size(6), size(3), size(2));
    let mut option = || random.random::<bool>();
    let problem = Problem {
        input,
        hidden,
        layers,
        bidirectional: option(),
        bias: option(),
        time,
        batch,
        lengths: option(),
        state: option(),
        dtype: if option() { DType::F64 } else { DType::F32 },
        seed,
    };
    let backends = Backend::available();
    let backend = backends[random.random_range(0..backends.len())];
    (problem, cell::NAMES[random.random_range(0..cell::NAMES.len())], backend)
}

#[test]
fn manual_equals_autodiff_equals_differences_over_drawn_configurations() {
    let mut worst = std::collections::BTreeMap::new();
    for seed in 0..300 {
        let (problem, name, backend) = drawn(seed);
        let errors = cell::visit(name, Check { problem: &problem, backend }).expect("a known cell");
        let entry = worst.entry(format!("{:?}", problem.dtype)).or_insert([0.0f64; 2]);
        *entry = [entry[0].max(errors[0]), entry[1].max(errors[1])];
    }
    for (dtype, [autodiff, difference]) in worst {
        println!(
            "{dtype}: largest error against autodiff {autodiff:.1e}, against differences {difference:.1e}"
        );
    }
}
