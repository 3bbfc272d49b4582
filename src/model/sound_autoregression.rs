//! AR(τ) as a forecast of µ-law classes, so that it can be compared with a network in bits a sample.

use super::{Autoregression, Criterion};
use crate::data::mu_law::LEVELS;
use std::f64::consts::SQRT_2;

/// The highest order.
const MOST_LAGS: usize = 32;

/// Half of a bin's width in [`F`](crate::data::mu_law).
const HALF_BIN: f64 = 1.0 / LEVELS as f64;

/// ```text
/// P(class_t) = (1 − ε) ∫ N(y; m_t, σ²) dy + ε p(class_t)
/// ```
/// with the integral over the bin of the class, 1/128 wide in `y = F(x)` of the [µ-law](crate::data::mu_law), the
/// outermost bins without an end; `m_t` the forecast of an AR(τ) of `y` from the classes before; and `p` the
/// frequencies of the classes in the training part, one added to each. Model and network know the same.
///
/// The order is the one that Schwarz's criterion likes best, up to 32. σ and ε make the training part most probable:
/// the ε of frequencies is for what a Gaussian of one width cannot be, silence and noise. Of four such models this is
/// the strongest: on the end of the speech that comes with this crate an AR(32) of the amplitude `x` with a uniform
/// share needs 7.11 bits a sample, and this one 6.80.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SoundAutoregression {
    /// σ.
    pub deviation: f64,
    /// ε.
    pub share: f64,
    /// `p`, by level.
    pub frequencies: Vec<f64>,
    /// Forecasts `y`.
    pub model: Autoregression,
}

impl SoundAutoregression {
    /// The model of a training part, from its last samples where there are very many: 2¹⁵ for the order, 2¹⁸ for the
    /// coefficients, and 2¹⁶ of these for σ and ε. Where a sound does not determine an AR (silence does not), the
    /// forecast is its mean.
    ///
    /// # Panics
    /// If there is no class, or one above 256.
    pub fn fit(training: &[u32]) -> Self {
        const ORDER: usize = 1 << 15;
        const COEFFICIENTS: usize = 1 << 18;
        const SHAPE: usize = 1 << 16;
        let mut frequencies = vec![1.0; LEVELS];
        training
            .iter()
            .filter_map(|&class| level(class))
            .for_each(|level| frequencies[level] += 1.0);
        let all: f64 = frequencies.iter().sum();
        frequencies.iter_mut().for_each(|frequency| *frequency /= all);

        let recent = &training[training.len().saturating_sub(COEFFICIENTS)..];
        let sound: Vec<f64> = recent.iter().map(|&class| compressed(class)).collect();
        let last = &sound[sound.len().saturating_sub(ORDER)..];
        let model = Autoregression::choose(last, MOST_LAGS, Criterion::Bic)
            .and_then(|chosen| Autoregression::fit(&sound, chosen.lags.len()))
            .unwrap_or_else(|_| {
                let rows = sound.len();
                let constant = sound.iter().sum::<f64>() / rows as f64;
                let squares = sound.iter().map(|y| (y - constant).powi(2));
                let variance = squares.sum::<f64>() / rows as f64;
                Autoregression { constant, lags: Vec::new(), variance, rows }
            });
        let mut fitted = Self { deviation: 1.0, share: 0.5, frequencies, model };
        let steps = recent.iter().copied().zip(fitted.means(recent));
        let steps: Vec<_> = steps.step_by(sound.len().div_ceil(SHAPE)).collect();
        fitted.shape(&steps);
        fitted
    }

    /// What cannot be in such a model, if it was read from a file.
    pub fn contradiction(&self) -> Option<&'static str> {
        let Self { deviation, share, frequencies, model } = self;
        let sum: f64 = frequencies.iter().sum();
        if frequencies.len() != LEVELS || !frequencies.iter().all(|p| *p > 0.0) {
            return Some("it has not one frequency above 0 for each level");
        }
        if (sum - 1.0).abs() > 1e-6 || !(0.0..=1.0).contains(share) {
            return Some("its frequencies do not add up to 1, or the share of them is none");
        }
        if !(*deviation > 0.0 && deviation.is_finite()) || model.lags.len() > MOST_LAGS {
            return Some("its deviation is not above 0, or it has too many lags");
        }
        model.contradiction()
    }

    /// Sets σ by golden section on `ln σ` and, for each σ, ε by expectation and maximisation.
    fn shape(&mut self, steps: &[(u32, f64)]) {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let frequencies: Vec<f64> = steps.iter().map(|&(class, _)| self.frequency(class)).collect();
        let tried = |logarithm: f64| {
            let deviation = logarithm.exp();
            let masses = steps.iter().map(|&(class, mean)| mass(class, mean, deviation));
            let pairs: Vec<_> = masses.zip(frequencies.iter().copied()).collect();
            let share = best_share(&pairs);
            let nats: f64 = pairs.iter().map(|&pair| -mixed(pair, share).ln()).sum();
            (nats, deviation, share)
        };
        // From a hundredth of a bin to the whole range.
        let (mut low, mut high) = ((0.01 * HALF_BIN).ln(), 0.0);
        let mut inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let mut found = inner.map(tried);
        while high - low > 1e-3 {
            if found[0].0 <= found[1].0 {
                high = inner[1];
                inner = [high - GOLDEN * (high - low), inner[0]];
                found = [tried(inner[0]), found[0]];
            } else {
                low = inner[0];
                inner = [inner[1], low + GOLDEN * (high - low)];
                found = [found[1], tried(inner[1])];
            }
        }
        let [a, b] = found;
        (_, self.deviation, self.share) = if a.0 <= b.0 { a } else { b };
    }

    fn frequency(&self, class: u32) -> f64 {
        level(class).map_or(0.0, |level| self.frequencies[level])
    }

    /// `m_t` for every step; before the first sample there is silence.
    fn means(&self, classes: &[u32]) -> Vec<f64> {
        let lags = self.model.lags.len();
        let mut past = vec![0.0; lags];
        past.extend(classes.iter().map(|&class| compressed(class)));
        (0..classes.len()).map(|t| self.model.next(&past[..t + lags])).collect()
    }

    /// `−ln P(class_t)` in nats for every t; infinite for class 0, which no sample has.
    ///
    /// # Panics
    /// If there is a class above 256.
    pub fn score(&self, classes: &[u32]) -> Vec<f64> {
        let steps = classes.iter().zip(self.means(classes));
        let probabilities = steps.map(|(&class, mean)| {
            mixed((mass(class, mean, self.deviation), self.frequency(class)), self.share)
        });
        probabilities.map(|probability| -probability.ln()).collect()
    }
}

/// The level of a class; none for class 0.
fn level(class: u32) -> Option<usize> {
    (class as usize).checked_sub(1)
}

/// `F` of the sample of a class; silence for class 0.
fn compressed(class: u32) -> f64 {
    level(class).map_or(0.0, |level| (2 * level + 1) as f64 * HALF_BIN - 1.0)
}

/// The Gaussian's mass in the bin of a class.
fn mass(class: u32, mean: f64, deviation: f64) -> f64 {
    let Some(level) = level(class) else { return 0.0 };
    let edge = |edge: f64| (compressed(class) + edge - mean) / (SQRT_2 * deviation);
    let lower = if level == 0 { f64::NEG_INFINITY } else { edge(-HALF_BIN) };
    let upper = if level == LEVELS - 1 { f64::INFINITY } else { edge(HALF_BIN) };
    // Of two numbers close to 1 the difference would be rounding error; of their distances from 1 it is not.
    match (lower, upper) {
        (lower, upper) if lower > 0.0 => 0.5 * (libm::erfc(lower) - libm::erfc(upper)),
        (lower, upper) if upper < 0.0 => 0.5 * (libm::erfc(-upper) - libm::erfc(-lower)),
        _ => 0.5 * (libm::erf(upper) - libm::erf(lower)),
    }
}

/// Of mass and frequency.
fn mixed((mass, frequency): (f64, f64), share: f64) -> f64 {
    (1.0 - share) * mass + share * frequency
}

/// The ε that makes the steps most probable, of which each is a mass and a frequency.
fn best_share(steps: &[(f64, f64)]) -> f64 {
    // Not 0, for no class may be impossible.
    const LEAST: f64 = 1e-6;
    let mut share: f64 = 0.5;
    for _ in 0..200 {
        let responsible = steps.iter().map(|&step| share * step.1 / mixed(step, share));
        let next = (responsible.sum::<f64>() / steps.len() as f64).clamp(LEAST, 1.0);
        let change = (next - share).abs();
        share = next;
        if change < 1e-6 {
            break;
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::mu_law::expanded;
    use crate::data::sound::{classes, speech};
    use crate::nn::Random;
    use rand::{RngExt, SeedableRng};

    /// `y_t = 1.6 y_{t−1} − 0.9 y_{t−2} + 0.05 e_t` for the compressed sound.
    fn drawn(length: usize) -> Vec<u32> {
        let mut random = Random::seed_from_u64(3);
        let mut sound = vec![0f64; 2];
        for t in 2..length {
            let noise: f64 = random.sample(rand_distr::StandardNormal);
            sound.push(1.6 * sound[t - 1] - 0.9 * sound[t - 2] + 0.05 * noise);
        }
        classes(&sound.iter().map(|&y| expanded(y) as f32).collect::<Vec<_>>())
    }

    #[test]
    fn its_probabilities_add_up_to_one() {
        let fitted = SoundAutoregression::fit(&drawn(4000));
        let mut worst = 0f64;
        for past in [vec![], vec![1; 40], vec![256; 7], drawn(300)] {
            let total: f64 = (1..=256)
                .map(|class| {
                    let nats = fitted.score(&[past.as_slice(), &[class]].concat());
                    (-nats[past.len()]).exp()
                })
                .sum();
            worst = worst.max((total - 1.0).abs());
        }
        println!("largest distance of a sum of 256 probabilities from 1: {worst:.1e}");
        assert!(worst < 1e-12);
    }

    #[test]
    fn it_needs_the_entropy_of_what_is_autoregressive() {
        let sound = drawn(80_000);
        let (training, valid) = sound.split_at(60_000);
        let fitted = SoundAutoregression::fit(training);
        let mean = fitted.score(valid).iter().sum::<f64>() / valid.len() as f64;
        // Of a Gaussian, in bins that are narrow compared with its deviation of 0.05.
        let entropy = 0.5 * (std::f64::consts::TAU * std::f64::consts::E * 0.0025).ln();
        let entropy = entropy - (2.0 * HALF_BIN).ln();
        assert!((mean - entropy).abs() < 0.03, "{mean} {entropy}");
        assert!((fitted.deviation / 0.05 - 1.0).abs() < 0.03, "{}", fitted.deviation);
        assert!(fitted.share < 0.01 && fitted.model.lags.len() >= 2, "{fitted:?}");
    }

    #[test]
    fn no_other_shape_makes_the_speech_more_probable() {
        let speech = classes(&speech(8000).unwrap());
        let fitted = SoundAutoregression::fit(&speech);
        let nats = |shape: SoundAutoregression| shape.score(&speech).iter().sum::<f64>();
        let best = nats(fitted.clone());
        for factor in [0.8, 0.95, 1.05, 1.25] {
            let SoundAutoregression { deviation, share, .. } = fitted;
            let wider =
                nats(SoundAutoregression { deviation: factor * deviation, ..fitted.clone() });
            let flatter = nats(SoundAutoregression { share: factor * share, ..fitted.clone() });
            assert!(wider > best && flatter > best, "{factor}: {best} {wider} {flatter}");
        }
        let bits = best / speech.len() as f64 / std::f64::consts::LN_2;
        let lags = fitted.model.lags.len();
        println!("AR({lags}) of the speech: {bits:.3} bits a sample");
        assert!(bits < 6.5, "{bits}");
    }

    #[test]
    fn what_cannot_be_in_a_model_is_found() {
        let fitted = SoundAutoregression::fit(&drawn(4000));
        assert_eq!(fitted.contradiction(), None);
        let changes: [fn(&mut SoundAutoregression); 9] = [
            |model| model.frequencies.truncate(255),
            |model| model.frequencies.push(0.1),
            |model| model.frequencies[3] = f64::NAN,
            |model| model.frequencies[3] += 0.1,
            |model| model.share = 1.5,
            |model| model.deviation = 0.0,
            |model| model.deviation = f64::INFINITY,
            |model| model.model.lags = vec![0.0; 33],
            |model| model.model.constant = f64::NAN,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = fitted.clone();
            change(&mut changed);
            assert!(changed.contradiction().is_some(), "{number}");
        }
    }

    #[test]
    fn silence_and_a_single_sample_have_a_model_too() {
        for classes in [vec![129; 5000], vec![7]] {
            let fitted = SoundAutoregression::fit(&classes);
            let nats = fitted.score(&classes);
            assert!(nats.iter().all(|nats| nats.is_finite() && *nats < 0.01), "{:?}", nats[0]);
        }
    }
}
