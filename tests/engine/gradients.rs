//! The promise that carries all others: manual = autodiff = differences.

use bptt::backend::Backend;
use bptt::cell::{self, Cell};
use bptt::gradcheck::{Problem, check};
use bptt::nn::AnyCell;
use bptt::nn::{Random, Truncation};
use burn::tensor::{DType, Device};
use rand::{RngExt, SeedableRng};

struct Check<'a> {
    problem: &'a Problem,
    backend: Backend,
    device: &'a Device,
}

impl cell::Visitor for Check<'_> {
    type Output = [f64; 2];

    fn visit<C: Cell>(self, cell: C) -> [f64; 2] {
        let Self { problem, backend, device } = self;
        let projection = problem.projection && !AnyCell::new(cell.clone()).looks_at_hidden();
        let problem = &Problem { projection, ..problem.clone() };
        let rows = check(&cell, problem, device);
        for row in &rows {
            assert!(
                row.passes(problem.dtype),
                "{} of {}: against autodiff {:.1e}, against differences {:.1?} ({problem}, {backend})",
                row.parameter,
                row.cell,
                row.manual_vs_autodiff,
                row.manual_vs_difference,
            );
        }
        let whole = rows.last().expect("a row for all parameters");
        [whole.manual_vs_autodiff, whole.manual_vs_difference.expect("not truncated")]
    }
}

/// A configuration in which every option is drawn.
fn drawn(seed: u64) -> (Problem, &'static str) {
    let mut random = Random::seed_from_u64(seed);
    let mut size = |largest: usize| random.random_range(1..=largest);
    let (input, hidden, time, batch, layers) = (size(3), size(4), size(5), size(3), size(2));
    let mut option = || random.random::<bool>();
    let bidirectional = option();
    let layer_norm = option() && option();
    // A row of two numbers normalises to ±1 whatever they are: there is nothing to differentiate.
    let (input, hidden) = if layer_norm { (input + 1, hidden + 2) } else { (input, hidden) };
    let problem = Problem {
        input,
        hidden,
        layers,
        bidirectional,
        reverse: !bidirectional && option(),
        projection: option(),
        layer_norm,
        regularised: option(),
        bias: option(),
        time,
        batch,
        lengths: option(),
        state: option(),
        truncation: Truncation::Full,
        memory_budget: None,
        dtype: if option() { DType::F64 } else { DType::F32 },
        seed,
    };
    (problem, cell::names().nth(random.random_range(0..cell::names().count())).expect("a name"))
}

/// Checks the configurations of the seeds on one backend and prints the largest errors.
fn check_all(backend: Backend, seeds: std::ops::Range<u64>) {
    let device = backend.device().expect("available");
    let mut worst = std::collections::BTreeMap::new();
    for seed in seeds {
        let (problem, name) = drawn(seed);
        let check = Check { problem: &problem, backend, device: &device };
        let errors = cell::visit(name, check).expect("a known cell");
        let entry = worst.entry(format!("{:?}", problem.dtype)).or_insert([0.0f64; 2]);
        *entry = [entry[0].max(errors[0]), entry[1].max(errors[1])];
    }
    for (dtype, [autodiff, difference]) in worst {
        println!(
            "{backend}, {dtype}: largest error of a whole gradient against autodiff {autodiff:.1e}, against differences {difference:.1e}"
        );
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn manual_equals_autodiff_equals_differences_on_ndarray() {
    check_all(Backend::NdArray, 0..280);
}

#[cfg(feature = "flex")]
#[test]
fn manual_equals_autodiff_equals_differences_on_flex() {
    check_all(Backend::Flex, 1000..1280);
}
