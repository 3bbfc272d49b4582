//! The promise that carries all others: manual = autodiff = differences.

use bptt::backend::Backend;
use bptt::cell;
use bptt::gradcheck::{Problem, check};
use bptt::nn::{AnyCell, Random, Truncation};
use burn::tensor::{DType, Device};
use rand::{RngExt, SeedableRng};

/// The errors of the whole gradient against autodiff and against differences.
fn errors(problem: &Problem, cell: &AnyCell, backend: Backend, device: &Device) -> [f64; 2] {
    let projection = problem.projection && !cell.looks_at_hidden();
    let problem = &Problem { projection, ..problem.clone() };
    let rows = check(cell, problem, device);
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

/// A configuration in which every option is drawn.
fn drawn(seed: u64) -> (Problem, AnyCell) {
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
    let names: Vec<&str> = cell::names().collect();
    let name = names[random.random_range(0..names.len())];
    (problem, AnyCell::named(name).expect("a cell of that name"))
}

/// Checks the configurations of the seeds on one backend and prints the largest errors.
fn check_all(backend: Backend, seeds: std::ops::Range<u64>) {
    let device = backend.device().expect("available");
    let mut worst = std::collections::BTreeMap::new();
    for seed in seeds {
        let (problem, cell) = drawn(seed);
        let errors = errors(&problem, &cell, backend, &device);
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
    check_all(Backend::NdArray, 0..140);
}

#[cfg(feature = "ndarray")]
#[test]
fn manual_equals_autodiff_equals_differences_on_ndarray_in_other_configurations() {
    check_all(Backend::NdArray, 140..280);
}

#[cfg(feature = "flex")]
#[test]
fn manual_equals_autodiff_equals_differences_on_flex() {
    check_all(Backend::Flex, 1000..1140);
}

#[cfg(feature = "flex")]
#[test]
fn manual_equals_autodiff_equals_differences_on_flex_in_other_configurations() {
    check_all(Backend::Flex, 1140..1280);
}
