//! The cross entropy of a softmax and its derivative, row by row:
//!
//! ```text
//! L = ln Σ_k e_k − (o_x − m)      e_k = e^{o_k − m},   m = max_k o_k
//! ∂L/∂o_k = e_k / Σ_k e_k − [k = x]
//! ```

use super::Machine;
use super::arena::Buffer;
use super::lanes::Lanes;
use super::simd::{Element, Simd, Work};
use super::threads::{Shared, in_parallel};
use std::ops::Range;

/// The losses `L`, `[rows]`, and `∂L/∂O`, `[rows, classes]`, of logits `O`, `[rows, classes]`, and the class `x` of each
/// row.
///
/// # Panics
/// If there is not a row of logits for each class, or one of them is no class.
pub(crate) fn cross_entropy<E: Element>(
    machine: Machine,
    logits: &[E],
    targets: &[u32],
) -> (Buffer<E>, Buffer<E>) {
    /// Multiplications as whose work an exponential counts.
    const EXPONENTIAL: usize = 16;
    let threads = machine.threads_for(logits.len() * EXPONENTIAL);
    on_threads(Machine { threads, ..machine }, logits, targets)
}

/// The same on all the threads of the machine.
fn on_threads<E: Element>(
    machine: Machine,
    logits: &[E],
    targets: &[u32],
) -> (Buffer<E>, Buffer<E>) {
    let Machine { set, threads, .. } = machine;
    let classes = logits.len() / targets.len().max(1);
    assert_eq!(logits.len(), classes * targets.len(), "a row of logits for each target");
    // A row has room behind its classes, and the derivative has not.
    assert!(
        targets.iter().all(|&x| (x as usize) < classes),
        "a target is one of {classes} classes"
    );
    let (mut losses, mut d_logits) =
        (Buffer::<E>::stale(targets.len()), Buffer::<E>::stale(logits.len()));
    let to = (Shared(losses.as_mut_ptr()), Shared(d_logits.as_mut_ptr()));
    in_parallel(threads, |part| {
        let rows = targets.len() * part / threads..targets.len() * (part + 1) / threads;
        E::run(set, Rows { logits, targets, classes, rows, to });
    });
    (losses, d_logits)
}

/// Some rows.
struct Rows<'a, E> {
    logits: &'a [E],
    targets: &'a [u32],
    classes: usize,
    rows: Range<usize>,
    to: (Shared<E>, Shared<E>),
}

impl<E: Element> Work<E> for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { logits, targets, classes, rows, to: (losses, d_logits) } = self;
        let width = 2 * I::LANES;
        // A row in whole registers: what is behind its classes has probability zero.
        let mut row = Buffer::<E>::stale(classes.next_multiple_of(width));
        let registers = row.len() / width;
        for r in rows {
            row[..classes].copy_from_slice(&logits[r * classes..][..classes]);
            row[classes..].fill(E::from_f64(f64::NEG_INFINITY));
            let logit = row[targets[r] as usize].to_f64();
            // SAFETY: the row has so many registers; this thread alone has row `r` of the losses and the derivative.
            unsafe {
                let numbers = row.as_mut_ptr();
                let register = |n: usize| numbers.add(n * width);
                let mut highest = Lanes::<E, I, 2>::load(register(0));
                for n in 1..registers {
                    highest = Lanes::load(register(n)).greater(highest);
                }
                let highest = highest.numbers().fold(f64::NEG_INFINITY, f64::max);
                let shift = Lanes::<E, I, 2>::splat(highest);
                let mut sum = Lanes::splat(0.0);
                for n in 0..registers {
                    let e = (Lanes::load(register(n)) - shift).exp();
                    e.store(register(n));
                    sum = sum + e;
                }
                let sum = sum.numbers().sum::<f64>();
                let share = Lanes::<E, I, 2>::splat(1.0 / sum);
                for n in 0..registers {
                    (Lanes::load(register(n)) * share).store(register(n));
                }
                losses.at(r).write(E::from_f64(sum.ln() - (logit - highest)));
                let to = d_logits.at(r * classes);
                std::ptr::copy_nonoverlapping(numbers, to, classes);
                let target = to.add(targets[r] as usize);
                target.write(*target + E::from_f64(-1.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InstructionSet, Precision};
    use super::*;
    use crate::random::{Random, RngExt, SeedableRng};

    /// The largest errors of the losses and of their derivative, beside the exact ones.
    fn errors<E: Element>(machine: Machine, random: &mut Random) -> [f64; 2] {
        let mut worst = [0f64; 2];
        for classes in [1, 2, 7, 16, 31, 32, 33, 165, 256] {
            let rows = 9;
            let spread = random.random_range(0.1..60.0);
            let offset = random.random_range(-300.0..300.0);
            let mut logit = || E::from_f64(offset + spread * random.random_range(-1.0..1.0));
            let logits: Vec<E> = (0..rows * classes).map(|_| logit()).collect();
            let targets: Vec<u32> =
                (0..rows).map(|_| random.random_range(0..classes as u32)).collect();
            let (losses, d_logits) = on_threads(machine, &logits, &targets);
            for r in 0..rows {
                let row = logits[r * classes..][..classes].iter().map(|o| o.to_f64());
                let highest = row.clone().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = row.clone().map(|o| (o - highest).exp()).sum();
                let target = targets[r] as usize;
                let loss = sum.ln() - (logits[r * classes + target].to_f64() - highest);
                let error = (losses[r].to_f64() - loss).abs() / loss.max(1.0);
                worst[0] = worst[0].max(error);
                for (k, o) in row.enumerate() {
                    let exact = (o - highest).exp() / sum - f64::from(k == target);
                    let error = (d_logits[r * classes + k].to_f64() - exact).abs();
                    worst[1] = worst[1].max(error);
                }
            }
        }
        worst
    }

    #[test]
    fn every_instruction_set_gives_the_exact_numbers() {
        let mut random = Random::seed_from_u64(5);
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for threads in 1..=3 {
                let machine = Machine { set, threads, precision: Precision::Full };
                let narrow = errors::<f32>(machine, &mut random);
                let wide = errors::<f64>(machine, &mut random);
                assert!(narrow.iter().all(|&e| e < 1e-6), "{set:?} {threads}: {narrow:?}");
                assert!(wide.iter().all(|&e| e < 1e-14), "{set:?} {threads}: {wide:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a target is one of 3 classes")]
    fn a_target_behind_the_classes_is_refused() {
        on_threads(
            Machine { set: InstructionSet::Portable, threads: 1, precision: Precision::Full },
            &[0f32; 6],
            &[1, 3],
        );
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            let machine = Machine { set, threads: 1, precision: Precision::Full };
            let (losses, _) = on_threads(machine, &[0f32, f32::NAN, 1.0, 2.0], &[0, 1]);
            assert!(losses[0].is_nan() && losses[1].is_finite(), "{set:?}: {losses:?}");
        }
    }
}
