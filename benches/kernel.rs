//! How much of the machine's peak do the kernels reach?
//!
//! `cargo bench --bench kernel` prints, for each cell and size, milliseconds of forward and of forward
//! and backward over slices, GFLOP/s of the latter, counting 3 · 2 B T G H (I + H), and the share of
//! the peak that the same run measured. Arguments: cells, and sizes as `T,B,I,H`.

use bptt::cell::{self, Cell, Visitor};
use bptt::kernel::{self, Compiled, Machine, OutputGradient, Recurrence, Upstream, Wanted};
use bptt::recurrence::Timeline;
use std::time::Instant;

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
    let double = arguments.iter().position(|a| a == "f64").map(|i| arguments.remove(i)).is_some();
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
    if double { table::<f64>(&cells, &sizes) } else { table::<f32>(&cells, &sizes) }
}

fn table<E: Compiled>(cells: &[String], sizes: &[[usize; 4]]) {
    let machine = Machine::chosen();
    let peak = kernel::peak::<E>(machine);
    println!("{}, {} threads: {peak:.0} GFLOP/s at most", machine.set.name(), machine.threads);
    println!(
        "{:8} {:>16} {:>9} {:>9} {:>9} {:>6}",
        "cell", "T,B,I,H", "f", "f + b", "GFLOP/s", "peak"
    );
    for &size in sizes {
        for name in cells {
            let layer = Layer::<E> { machine, size, element: std::marker::PhantomData };
            let ([forward, both], operations) =
                cell::visit(name, layer).expect("a cell of that name");
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

struct Layer<E> {
    machine: Machine,
    size: [usize; 4],
    element: std::marker::PhantomData<E>,
}

impl<E: Compiled> Visitor for Layer<E> {
    type Output = ([f64; 2], usize);

    /// Medians in milliseconds of forward, and of forward and backward, and the operations of the latter.
    fn visit<C: Cell>(self, cell: C) -> ([f64; 2], usize) {
        let [time, batch, input, hidden] = self.size;
        let numbers = |count: usize| -> Vec<E> {
            (0..count).map(|i| E::from_f64(((i * 7919) % 1000) as f64 / 5e3 - 0.1)).collect()
        };
        let columns = cell::gates::<C>() * hidden;
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
        let mut times = [Vec::new(), Vec::new()];
        let start = Instant::now();
        while times[0].len() < 5 || start.elapsed().as_secs_f64() < 1.0 {
            let start = Instant::now();
            drop(kernel::forward(self.machine, &cell, &recurrence, false));
            times[0].push(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            let walked = kernel::forward(self.machine, &cell, &recurrence, true);
            let tape = walked.tape.expect("it was asked for");
            let walked = (&*walked.hidden, tape);
            let upstream =
                Upstream { output: OutputGradient::Read(&upstream), ..Upstream::default() };
            drop(kernel::backward(self.machine, &cell, &recurrence, walked, upstream, wanted));
            times[1].push(start.elapsed().as_secs_f64() * 1e3);
        }
        let medians = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        (medians, 6 * batch * time * cell::multiplications::<C>(input, hidden))
    }
}
