//! The most multiplications and additions that this machine can do.

use super::arena::Buffer;
use super::product::{self, Factors, Left, Product, strip};
use super::simd::{Element, Simd, Work};
use super::{InstructionSet, Machine, Precision, rounding};
use std::time::Instant;

/// A type of number that the kernels compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplied {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Numbers rounded to bf16, with sums in single precision.
    Bf16,
}

/// GFLOP/s of the machine's threads doing nothing but `a b + c` in registers: the best of some rounds.
pub fn peak(machine: Machine, precision: Multiplied) -> f64 {
    match precision {
        Multiplied::F32 => peak_of::<f32>(machine),
        Multiplied::F64 => peak_of::<f64>(machine),
        Multiplied::Bf16 => peak_of_pairs(machine),
    }
}

/// The same of products of bf16, with factors in the cache next to the core.
fn peak_of_pairs(machine: Machine) -> f64 {
    const ROWS: usize = 32;
    const PLACES: usize = 512;
    const REPEATED: usize = 200;
    let machine = Machine { precision: Precision::Bf16, ..machine };
    let width = 2 * lanes::<f32>(machine.set);
    let rounds = (0..20).map(|_| {
        let start = Instant::now();
        super::threads::in_parallel(machine.threads, |_| {
            let factors = Factors::of::<f32>(&machine);
            f32::run(
                machine.set,
                Strips { factors, repeated: REPEATED, places: PLACES, rows: ROWS },
            );
        });
        let operations = 4 * ROWS * width * PLACES * REPEATED * machine.threads;
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    rounds.fold(0.0, f64::max)
}

struct Strips {
    factors: Factors,
    repeated: usize,
    places: usize,
    rows: usize,
}

impl Work<f32> for Strips {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<f32>>(self) {
        let Self { factors, repeated, places, rows } = self;
        let width = product::panel::<f32, I>();
        // A row of one line more, so that the rows do not fall into the same sets of the cache.
        let row = places + rounding::PAIRS;
        let a = Buffer::<f32>::zeros(rows * row);
        let b = Buffer::<f32>::zeros(places * width);
        let mut c = Buffer::<f32>::zeros(rows * width);
        let _ready = factors.begin();
        for _ in 0..repeated {
            let a = Left { start: a.as_ptr(), row, inner: 1 };
            let c = c.as_mut_ptr();
            let (k, b, s, c_row, s_row) = (places, b.as_ptr(), c, width, width);
            // SAFETY: the buffers are as large as the product says, and this thread is ready.
            unsafe {
                strip::<f32, I>(rows, 2, Product { factors, k, a, b, c, c_row, s, s_row });
            }
        }
        std::hint::black_box(&c);
    }
}

fn peak_of<E: Element>(machine: Machine) -> f64 {
    let rounds = (0..20).map(|_| {
        let start = Instant::now();
        super::threads::in_parallel(machine.threads, |_| {
            std::hint::black_box(E::run(machine.set, Chains { length: LENGTH }));
        });
        let operations = 2 * CHAINS * lanes::<E>(machine.set) * LENGTH * machine.threads;
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    rounds.fold(0.0, f64::max)
}

/// Independent chains of operations: more than the latency of one of them takes.
const CHAINS: usize = 12;
const LENGTH: usize = 200_000;

struct Chains {
    length: usize,
}

impl<E: Element> Work<E> for Chains {
    type Output = E;

    #[inline(always)]
    fn run<I: Simd<E>>(self) -> E {
        // SAFETY: inside of `Simd::run`; the array holds a register.
        unsafe {
            let factor = I::splat(std::hint::black_box(E::from_f64(0.999)));
            let term = I::splat(std::hint::black_box(E::from_f64(0.001)));
            let mut chains = [I::splat(std::hint::black_box(E::from_f64(0.5))); CHAINS];
            for _ in 0..self.length {
                for chain in &mut chains {
                    *chain = I::mul_add(*chain, factor, term);
                }
            }
            let mut sum = chains[0];
            for &chain in &chains[1..] {
                sum = I::add(sum, chain);
            }
            let mut lanes = [E::default(); 16];
            I::store(lanes.as_mut_ptr(), sum);
            lanes[0]
        }
    }
}

fn lanes<E: Element>(set: InstructionSet) -> usize {
    struct Count;
    impl<E: Element> Work<E> for Count {
        type Output = usize;
        fn run<I: Simd<E>>(self) -> usize {
            I::LANES
        }
    }
    E::run(set, Count)
}
