//! How improbable an error is, by the errors that a method made before.
//!
//! Its probability is that of an error at least so large, on either side: `p = 1 − L`, L being the level of the narrowest
//! interval that holds the value. With the n sizes of past errors, their quantile `q` and the factor `t` by which few errors
//! widen an interval (see [`Intervals`](super::Intervals)), L solves
//! ```text
//! q(L) t(L) = |e|
//! ```
//! No past error says how much larger the largest one could have been. So beyond the k largest sizes, k being 10 and at
//! least n/50, the tail is exponential: `q(1 − p) = u + β ln(k / (n p))`, where u is the quantile at `1 − k/n` and β the mean
//! by which the k largest exceed it.

use std::f64::consts::SQRT_2;

/// The distribution of the sizes of errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Improbability {
    /// `q(L) t(L)` at `L = i / (n − 1)`, as far as the tail.
    widened: Vec<f64>,
    /// n.
    count: usize,
    /// k.
    largest: usize,
    /// u.
    beyond: f64,
    /// β.
    excess: f64,
    /// How many errors without overlap there are.
    worth: f64,
}

/// The smallest logarithm of a probability that is told apart from others.
const LEAST: f64 = -1e6;

impl Improbability {
    /// From the sizes of past errors, which are worth so many that do not depend on each other.
    pub fn of(mut sizes: Vec<f64>, worth: f64) -> Self {
        sizes.retain(|size| size.is_finite());
        sizes.sort_unstable_by(f64::total_cmp);
        let count = sizes.len();
        let largest = 10.max(count.div_ceil(50)).min(count / 2);
        let level = 1.0 - largest as f64 / count.max(1) as f64;
        let beyond = if count == 0 { 0.0 } else { quantile(&sizes, level) };
        let tail = &sizes[count - largest..];
        let mean = tail.iter().map(|size| size - beyond).sum::<f64>() / largest.max(1) as f64;
        // Errors that are all the same have no tail.
        let excess = mean.max(1e-9 * beyond).max(f64::MIN_POSITIVE);
        let widened = sizes[..count - largest].iter().enumerate().map(|(place, size)| {
            size * student_factor(place as f64 / (count - 1).max(1) as f64, worth - 1.0)
        });
        Self { widened: widened.collect(), count, largest, beyond, excess, worth }
    }

    /// `ln p` of an error of that size; 0 where there were no errors to compare with.
    pub fn log_probability(&self, size: f64) -> f64 {
        let place = self.widened.partition_point(|known| *known <= size);
        if place == 0 || self.count < 2 {
            return 0.0;
        }
        let steps = (self.count - 1) as f64;
        if let Some(next) = self.widened.get(place) {
            let last = self.widened[place - 1];
            let share = (size - last) / (next - last);
            return (1.0 - ((place - 1) as f64 + share) / steps).ln();
        }
        let share = self.largest as f64 / self.count as f64;
        let width = |log: f64| {
            let size = self.beyond + self.excess * (share.ln() - log);
            size * student_factor(1.0 - log.exp(), self.worth - 1.0)
        };
        // Between the last of the sizes before the tail and the least probability, by halves.
        let (mut low, mut high) = (LEAST, (1.0 - (place - 1) as f64 / steps).ln());
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if width(middle) > size { low = middle } else { high = middle }
        }
        high
    }
}

/// The size that a share `level` of the sizes, the smallest first, is not above.
pub(super) fn quantile(sizes: &[f64], level: f64) -> f64 {
    let place = level.clamp(0.0, 1.0) * (sizes.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = sizes[(low + 1).min(sizes.len() - 1)];
    sizes[low] + share * (high - sizes[low])
}

/// How much wider an interval of Student's t with so many degrees of freedom is than one of a normal distribution:
/// `1 + (z² + 1) / 4n + (5 z⁴ + 16 z² + 3) / 96n² + …`, z being the normal quantile (Fisher & Cornish 1960).
pub(crate) fn student_factor(level: f64, freedom: f64) -> f64 {
    // The z that a normal number stays within with that probability, by halves.
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..50 {
        let z = 0.5 * (low + high);
        let is_within = libm::erf(z / SQRT_2) < level;
        if is_within { low = z } else { high = z }
    }
    let (z, n) = (low * low, freedom.max(1.0));
    1.0 + (z + 1.0) / (4.0 * n) + (5.0 * z * z + 16.0 * z + 3.0) / (96.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    fn normal(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        let draws = (0..count).map(|_| StandardNormal.sample(&mut random));
        draws.map(|draw: f64| draw.abs()).collect()
    }

    #[test]
    fn probabilities_are_those_of_the_errors_before() {
        // Of many normal errors: 31.7 %, 4.55 %, 0.27 % beyond one, two, three deviations.
        let many = Improbability::of(normal(20_000, 1), 20_000.0);
        for (size, expected) in [(1.0, 0.3173), (2.0, 0.0455), (3.0, 0.0027)] {
            let found: f64 = many.log_probability(size).exp();
            assert!((found / expected - 1.0).abs() < 0.1, "{size}: {found}");
        }
        // Few errors make the same error less improbable, and however large one is a larger one is more so.
        let few = Improbability::of(normal(12, 2), 12.0);
        let sizes = (0..4000).map(|i| 0.01 * f64::from(i));
        for improbability in [&many, &few] {
            let each: Vec<f64> =
                sizes.clone().map(|size| improbability.log_probability(size)).collect();
            assert!(each.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
            assert!(each[0] == 0.0 && each[3999] < each[3000] && each[3999] < -10.0);
            assert!(each.iter().all(|log| log.is_finite()));
        }
        assert!(few.log_probability(4.0) > many.log_probability(4.0));
        for odd in [f64::INFINITY, f64::MAX] {
            assert!(many.log_probability(odd) <= -1e5, "{}", many.log_probability(odd));
        }
    }

    /// Whatever the number of errors, a share p of the next ones has a probability below p.
    #[test]
    fn of_errors_like_those_before_as_many_are_improbable_as_it_says() {
        for count in [15, 40, 200, 1000] {
            let (mut below, mut all) = ([0u32; 2], 0u32);
            for seed in 0..200 {
                let known = Improbability::of(normal(count, seed), count as f64);
                for size in normal(50, 1_000_000 + seed) {
                    let p = known.log_probability(size).exp();
                    for (below, level) in below.iter_mut().zip([0.05, 0.2]) {
                        *below += u32::from(p < level);
                    }
                    all += 1;
                }
            }
            let share = below.map(|below| f64::from(below) / f64::from(all));
            println!("{count}: {share:?}");
            assert!((share[0] - 0.05).abs() < 0.015, "{count}: {share:?}");
            assert!((share[1] - 0.2).abs() < 0.04, "{count}: {share:?}");
        }
    }

    #[test]
    fn without_errors_nothing_is_improbable_and_errors_alike_leave_no_room() {
        assert_eq!(Improbability::of(Vec::new(), 1.0).log_probability(3.0), 0.0);
        assert_eq!(Improbability::of(vec![1.0], 1.0).log_probability(3.0), 0.0);
        let alike = Improbability::of(vec![0.0; 50], 50.0);
        assert_eq!(alike.log_probability(1e-3), LEAST);
    }
}
