//! The most multiplications and additions that this machine can do.

use super::simd::{Element, Simd, Work};
use super::{InstructionSet, Machine};
use std::time::Instant;

/// A type of number that the kernels compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

/// GFLOP/s of the machine's threads doing nothing but `a b + c` in registers: the best of some rounds.
pub fn peak(machine: Machine, precision: Precision) -> f64 {
    match precision {
        Precision::F32 => peak_of::<f32>(machine),
        Precision::F64 => peak_of::<f64>(machine),
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
