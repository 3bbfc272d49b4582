//! How much of the machine's peak do the kernels reach?
//!
//! `cargo bench --bench kernel` prints, for each cell and size, milliseconds of forward and of forward
//! and backward over slices, GFLOP/s of the latter, counting 3 · 2 B T G H (I + H), and the share of
//! the peak that the same run measured. Arguments: cells, sizes as `T,B,I,H`, and `f64` or `bf16`.

// The kernels are no part of the library's interface: this bench compiles their source itself.
#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../src/cell/mod.rs"]
mod cell;
#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../src/kernel/mod.rs"]
mod kernel;
#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../src/random.rs"]
mod random;

use cell::{Named, cells};
use kernel::{
    BackwardWalk, Element, Formula, ForwardWalk, HiddenStates, Machine, Multiplied, OutputGradient,
    Precision, Recurrence, Timeline, Upstream, Wanted,
};
use std::time::Instant;

macro_rules! formula {
    ($($cell:ident => $module:ident $config:ident $options:tt)*) => {
        /// The formula of the cell of that name.
        fn formula<E: Element>(name: &str) -> Option<&'static dyn Formula<E>> {
            $(if let Some((_, cell)) = cell::$cell::NAMED.iter().find(|(listed, _)| *listed == name) {
                return Some(cell);
            })*
            None
        }
    };
}
cells!(formula);

const SIZES: [[usize; 4]; 7] = [
    [10, 100, 1, 16],
    [100, 32, 32, 64],
    [50, 32, 128, 128],
    [50, 64, 256, 256],
    [50, 64, 512, 512],
    [1000, 8, 128, 128],
    [200, 1, 256, 256],
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut asked_for = |name: &str| {
        arguments.iter().position(|a| a == name).map(|i| arguments.remove(i)).is_some()
    };
    let (double, rounded) = (asked_for("f64"), asked_for("bf16"));
    let (sizes, cells): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|a| a.contains(','));
    let sizes: Vec<[usize; 4]> = sizes
        .iter()
        .map(|size| {
            let numbers: Vec<_> = size.split(',').map(|n| n.parse().expect("T,B,I,H")).collect();
            numbers.try_into().expect("T,B,I,H")
        })
        .collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let cells =
        if cells.is_empty() { ["lstm", "gru", "elman"].map(String::from).to_vec() } else { cells };
    if double {
        table::<f64>(Multiplied::F64, &cells, &sizes)
    } else {
        let multiplied = if rounded { Multiplied::Bf16 } else { Multiplied::F32 };
        table::<f32>(multiplied, &cells, &sizes)
    }
}

fn table<E: Element>(multiplied: Multiplied, cells: &[String], sizes: &[[usize; 4]]) {
    let precision = if multiplied == Multiplied::Bf16 { Precision::Bf16 } else { Precision::Full };
    let machine = Machine { precision, ..Machine::chosen() };
    let peak = kernel::peak(machine, multiplied);
    println!("{}, {} threads: {peak:.0} GFLOP/s at most", machine.set.name(), machine.threads);
    println!(
        "{:8} {:>16} {:>9} {:>9} {:>9} {:>6}",
        "cell", "T,B,I,H", "f", "f + b", "GFLOP/s", "peak"
    );
    for &size in sizes {
        for name in cells {
            let formula = formula::<E>(name).expect("a cell of that name");
            let ([forward, both], operations) = measured(machine, formula, size);
            let [time, batch, input, hidden] = size;
            let speed = operations as f64 / both / 1e6;
            println!(
                "{name:8} {:>16} {forward:>9.3} {both:>9.3} {speed:>9.1} {:>5.0}%",
                format!("{time},{batch},{input},{hidden}"),
                100.0 * speed / peak
            );
        }
    }
}

/// Medians in milliseconds of forward, and of forward and backward, and the operations of the latter.
fn measured<E: Element>(
    machine: Machine,
    formula: &dyn Formula<E>,
    [time, batch, input, hidden]: [usize; 4],
) -> ([f64; 2], usize) {
    let numbers = |count: usize| -> Vec<E> {
        (0..count).map(|i| E::from_f64(((i * 7919) % 1000) as f64 / 5e3 - 0.1)).collect()
    };
    let columns = formula.shape().gates * hidden;
    let timeline = Timeline::uniform(time, batch);
    let (x, w_x, w_h) =
        (numbers(time * batch * input), numbers(input * columns), numbers(hidden * columns));
    let (b_x, b_h) = (numbers(columns), numbers(columns));
    let upstream = numbers(time * batch * hidden);
    let recurrence = Recurrence {
        timeline: &timeline,
        hidden,
        features: input,
        input: &x,
        initial: None,
        w_x: Some(&w_x),
        w_h: Some(&w_h),
        b_x: Some(&b_x),
        b_h: Some(&b_h),
        parameters: None,
    };
    let wanted =
        Wanted { input: true, w_x: true, w_h: true, b_x: true, b_h: true, ..Wanted::default() };
    let mut hidden_states = numbers(time * batch * hidden);
    let mut times = [Vec::new(), Vec::new()];
    let start = Instant::now();
    while times[0].len() < 5 || start.elapsed().as_secs_f64() < 1.0 {
        let forward = |hidden: &mut [E], keep| {
            let mut walk = ForwardWalk::new(machine, formula, &recurrence);
            walk.over(0..time, HiddenStates::Write(hidden), keep)
        };
        let start = Instant::now();
        forward(&mut hidden_states, false);
        times[0].push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let tape = forward(&mut hidden_states, true).expect("it was asked for");
        let upstream = Upstream { output: OutputGradient::Read(&upstream), ..Upstream::default() };
        let mut walk =
            BackwardWalk::new(machine, formula, &recurrence, &hidden_states, upstream, wanted);
        walk.over(tape);
        drop(walk.finish());
        times[1].push(start.elapsed().as_secs_f64() * 1e3);
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    (medians, 6 * batch * time * formula.shape().multiplications(input, hidden))
}
