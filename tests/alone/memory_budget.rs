//! The backward walk within a memory budget: the same gradient to the bit, and the budget kept.

use crate::alone;
use bptt::backend::Backend;
use bptt::cell::{self, Cell};
use bptt::gradcheck::{Problem, gradients};
use bptt::kernel::release_memory;
use bptt::nn::{AnyCell, Gradient, LstmConfig, Random, Recurrent, Truncation};
use burn::tensor::{DType, Device, Distribution, Tensor};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};

#[global_allocator]
pub static MEMORY: PeakAlloc = PeakAlloc;

/// Holds the gradients with the least budget and with one between against those without a budget.
fn hold_within_budgets(problem: &Problem, cell: &AnyCell, device: &Device, share: f64) {
    let projection = problem.projection && !cell.looks_at_hidden();
    let problem = Problem { projection, ..problem.clone() };
    let by_hand = |memory_budget| {
        let problem = Problem { memory_budget, ..problem.clone() };
        problem
            .check_memory_budget(cell, device)
            .map(|()| gradients(cell, &problem, Gradient::Manual, device))
    };
    let free = by_hand(None).unwrap();
    // A cell of one state that keeps nothing needs no tape.
    let least = by_hand(Some(0)).map_or_else(|refused| refused.least, |_| 0);
    if least > 0 {
        assert!(by_hand(Some(least - 1)).is_err());
    }
    let more = least + (share * 8.0 * least as f64) as usize;
    for budget in [least, more] {
        let bound = by_hand(Some(budget)).unwrap();
        assert!(bound == free, "{}, {problem}, {budget} bytes", cell.name());
    }
}

#[test]
fn the_gradient_within_a_budget_is_the_same_to_the_bit() {
    let _alone = alone();
    for seed in 0..240 {
        let mut random = Random::seed_from_u64(seed);
        let r = &mut random;
        let truncation = match r.random_range(0..5) {
            0 => Truncation::Window(r.random_range(1..40)),
            1 => Truncation::Sliding { every: 7, back: r.random_range(7..30) },
            2 => Truncation::Random(r.random_range(0.0..0.5)),
            _ => Truncation::Full,
        };
        let sliding = matches!(truncation, Truncation::Sliding { .. });
        let bidirectional = !sliding && r.random::<bool>();
        let layer_norm = r.random_range(0..6) == 0;
        let problem = Problem {
            input: r.random_range(3..5),
            hidden: r.random_range(3..20),
            layers: r.random_range(1..4),
            bidirectional,
            reverse: !sliding && !bidirectional && r.random::<bool>(),
            projection: r.random_range(0..6) == 0,
            layer_norm,
            regularised: !sliding && r.random_range(0..6) == 0,
            bias: r.random::<bool>(),
            time: r.random_range(1..130),
            batch: r.random_range(1..5),
            lengths: r.random::<bool>(),
            state: r.random::<bool>(),
            truncation,
            memory_budget: None,
            dtype: if r.random::<bool>() { DType::F64 } else { DType::F32 },
            seed,
        };
        let backends = Backend::available();
        let device = backends[seed as usize % backends.len()].device().expect("available");
        let names: Vec<&str> = cell::names().collect();
        let cell = AnyCell::named(names[r.random_range(0..names.len())]).expect("a cell");
        hold_within_budgets(&problem, &cell, &device, r.random::<f64>());
    }
}

/// The most memory that a step of forward and backward holds beside its input, weights and output.
fn most_memory<C: Cell>(stack: &Recurrent<C>, input: &Tensor<3>) -> usize {
    let step = || {
        release_memory();
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        drop(stack.forward(input.clone(), None).0.backward());
        MEMORY.peak_usage() - before
    };
    step();
    step()
}

/// A network, `[time, batch, features]`, and the bytes of its output.
fn network(zoneout: f64) -> (Recurrent<cell::Lstm>, Tensor<3>, usize) {
    let device = Backend::available()[0].device().expect("available").autodiff();
    let (time, batch, features, hidden) = (1500, 4, 8, 64);
    let config = LstmConfig::new(features, hidden, true).with_batch_first(false);
    let mut random = Random::seed_from_u64(1);
    let config = config.with_zoneout_cell(zoneout);
    let stack = config.init_with((&device, DType::F32), &mut random);
    let input =
        Tensor::<3>::random([time, batch, features], Distribution::Default, (&device, DType::F32));
    (stack, input, time * batch * hidden * 4)
}

#[test]
fn what_the_kernels_keep_is_within_the_budget() {
    let _alone = alone();
    let (stack, input, unit) = network(0.0);
    // Four gates and the cell of each step.
    let tape = 5 * unit;
    let free = most_memory(&stack, &input);
    let budget = tape / 20;
    let bound = most_memory(&stack.with_memory_budget(Some(budget)), &input);
    println!("{free} bytes with all {tape} of the tape, {bound} with a budget of {budget}");
    assert!(free - bound >= (tape - budget) * 98 / 100);
    // Beside the budget: the output, its gradient, and what a block of steps works with.
    assert!(bound <= budget + 2 * unit + (3 << 20), "{bound}");
}

#[test]
fn what_burns_operations_keep_is_within_the_budget() {
    let _alone = alone();
    let (stack, input, unit) = network(0.1);
    let free = most_memory(&stack, &input);
    let least = stack.least_memory_budget(1500, 4, DType::F32);
    let budget = 2 * least;
    let bound = most_memory(&stack.with_memory_budget(Some(budget)), &input);
    println!("{free} bytes without a budget, {bound} with one of {budget}");
    // The output, its gradient, the zoneout's shares, and one block's work.
    assert!(bound <= budget + 5 * unit + (6 << 20), "{bound} of {budget} + 5 × {unit}");
    assert!(bound < free / 2, "{bound} of {free}");
}
