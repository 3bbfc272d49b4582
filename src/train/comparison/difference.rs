//! Whether one run is better than another, or was luckier.
//!
//! The two are compared on the same rows. `d_t` is the difference of their errors at origin t; its mean is the difference that
//! is printed. Errors of forecasts of h rows go on over h − 1 origins, so the variance of the mean counts the covariances of
//! neighbours (Newey & West 1987), and the test is that of Diebold & Mariano (1995) with the correction of Harvey, Leybourne &
//! Newbold (1997):
//! ```text
//! V = (γ_0 + 2 Σ_{k≤L} (1 − k/(L+1)) γ_k) / n        γ_k = Σ (d_t − d̄)(d_{t−k} − d̄) / n
//! L = max(h − 1, ∛n)                                  c² = n / (n + 1 − 2h + h(h − 1)/n)
//! d̄ ± 1.96 t c √V                                     t: as Student's t is wider than a normal distribution
//! ```

use crate::model::forecast::student_factor;

/// A difference of mean errors, with the interval that holds the true one with a probability of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The mean: below 0 where the run is better than the one that it is compared with.
    pub mean: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Difference {
    /// Of paired differences in the order of time, each of forecasts of `horizon` rows; 1 with pairs that do not depend on
    /// each other. None for fewer than two.
    pub fn of(differences: &[f64], horizon: usize, in_time: bool) -> Option<Self> {
        const LEVEL: f64 = 0.95;
        const NORMAL: f64 = 1.959_963_984_540_054;
        let count = differences.len();
        if count < 2 {
            return None;
        }
        let (n, h) = (count as f64, horizon as f64);
        let mean = differences.iter().sum::<f64>() / n;
        let lags = match in_time {
            true => (horizon - 1).max(n.cbrt() as usize).min(count - 1),
            false => 0,
        };
        let covariance = |lag: usize| {
            let pairs = differences[lag..].iter().zip(differences);
            pairs.map(|(now, then)| (now - mean) * (then - mean)).sum::<f64>() / n
        };
        let weighted =
            (1..=lags).map(|k| 2.0 * (1.0 - k as f64 / (lags + 1) as f64) * covariance(k));
        let variance = (covariance(0) + weighted.sum::<f64>()).max(0.0) / n;
        // Of few origins with a long horizon nothing is left of the denominator.
        let correction = n / (n + 1.0 - 2.0 * h + h * (h - 1.0) / n).max(1.0);
        let wide = NORMAL * student_factor(LEVEL, n - 1.0);
        let half = wide * (variance * correction).sqrt();
        Some(Self { mean, lower: mean - half, upper: mean + half })
    }

    /// Whether it is more than luck: the interval is on one side of 0.
    pub fn is_told_apart(&self) -> bool {
        self.lower > 0.0 || self.upper < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// Means of h neighbours in noise around a difference, as errors of forecasts of h rows are.
    fn drawn(count: usize, horizon: usize, truth: f64, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        let noise: Vec<f64> =
            (0..count + horizon - 1).map(|_| StandardNormal.sample(&mut random)).collect();
        let means = noise.windows(horizon).map(|some| some.iter().sum::<f64>() / horizon as f64);
        means.map(|mean| truth + mean).collect()
    }

    /// As many intervals as they say hold the true difference; without covariances far fewer would.
    #[test]
    fn intervals_hold_the_true_difference() {
        for (count, horizon) in [(40, 1), (300, 1), (300, 6), (300, 12)] {
            let all = (0..400).map(|seed| {
                Difference::of(&drawn(count, horizon, 0.3, seed), horizon, true).unwrap()
            });
            let held = all.filter(|found| (found.lower..=found.upper).contains(&0.3)).count();
            let share = held as f64 / 400.0;
            println!("{count} {horizon}: {share}");
            assert!((0.88..=0.99).contains(&share), "{count} {horizon}: {share}");
        }
    }

    #[test]
    fn the_formula_is_the_documented_one() {
        let found = Difference::of(&[1.0, 3.0], 1, false).unwrap();
        // γ_0 = 1, V = 1/2, c² = 2; Student's t with one degree of freedom, by its expansion.
        let wide = 1.959_963_984_540_054 * student_factor(0.95, 1.0);
        assert!((found.mean - 2.0).abs() < 1e-12 && (found.upper - 2.0 - wide).abs() < 1e-9);
        assert!(!found.is_told_apart());
        let same = Difference::of(&[0.5; 30], 3, true).unwrap();
        assert!(same.is_told_apart() && (same.upper - 0.5).abs() < 1e-12);
        assert_eq!(Difference::of(&[1.0], 1, true), None);
    }
}
