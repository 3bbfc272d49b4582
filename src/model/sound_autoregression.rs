//! AR(τ) as a forecast of µ-law classes, so that a network's bits a sample can be held against it.

use super::{Autoregression, Criterion};
use crate::data::mu_law::{LEVELS, borders};
use crate::data::sound::sample;
use std::f64::consts::SQRT_2;

/// The highest order.
const MOST_LAGS: usize = 32;

/// `P(class_t) = (1 − ε) ∫ N(x; m_t, σ²) dx + ε/256` with the integral over the class's bin of the
/// [µ-law](crate::data::mu_law), the outermost bins without an end, and `m_t` the forecast of an AR(τ) from the samples
/// before as the classes tell them: model and network know the same.
///
/// The order is the one that Schwarz's criterion likes best, up to 32. σ and ε make the training part most probable: a
/// Gaussian as wide as the mean squared residual fits neither the loud nor the quiet, and the uniform share ε keeps a
/// sample far out from being impossible.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SoundAutoregression {
    /// Forecasts the amplitude.
    pub model: Autoregression,
    /// σ.
    pub deviation: f64,
    /// ε.
    pub uniform: f64,
}

impl SoundAutoregression {
    /// The model of a training part, from its last samples where there are very many: 2¹⁵ for the order, 2¹⁸ for the
    /// coefficients, and 2¹⁶ of these for σ and ε. Where a sound does not determine an AR (silence does not), the forecast is
    /// its mean.
    ///
    /// # Panics
    /// If there is no class, or one above 256.
    pub fn fit(training: &[u32]) -> Self {
        const ORDER: usize = 1 << 15;
        const COEFFICIENTS: usize = 1 << 18;
        const SHAPE: usize = 1 << 16;
        let last = |most: usize| &training[training.len().saturating_sub(most)..];
        let sound: Vec<f64> = last(COEFFICIENTS).iter().map(|&class| sample(class)).collect();
        let recent = &sound[sound.len().saturating_sub(ORDER)..];
        let model = Autoregression::choose(recent, MOST_LAGS, Criterion::Bic)
            .and_then(|chosen| Autoregression::fit(&sound, chosen.lags.len()))
            .unwrap_or_else(|_| {
                let rows = sound.len();
                let constant = sound.iter().sum::<f64>() / rows as f64;
                let squares = sound.iter().map(|x| (x - constant).powi(2));
                let variance = squares.sum::<f64>() / rows as f64;
                Autoregression { constant, lags: Vec::new(), variance, rows }
            });
        let deviation = model.variance.sqrt().max(1e-6);
        let mut fitted = Self { model, deviation, uniform: 0.05 };
        let means = fitted.means(last(COEFFICIENTS));
        let steps = last(COEFFICIENTS).iter().copied().zip(means);
        let steps: Vec<_> = steps.step_by(sound.len().div_ceil(SHAPE)).collect();
        fitted.shape(&steps);
        fitted
    }

    /// Sets σ by golden section on `ln σ` and, for each σ, ε by expectation and maximisation; from what it is.
    fn shape(&mut self, steps: &[(u32, f64)]) {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let middle = self.deviation.ln();
        let mut tried = |logarithm: f64| {
            let deviation = logarithm.exp();
            let masses: Vec<f64> =
                steps.iter().map(|&(class, mean)| mass(class, mean, deviation)).collect();
            let uniform = uniform_share(&masses);
            let nats: f64 = masses.iter().map(|&mass| -mixed(mass, uniform).ln()).sum();
            (nats, deviation, uniform)
        };
        let (mut low, mut high) = (middle - 8.0, middle + 1.0);
        let mut inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let mut found = inner.map(&mut tried);
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
        (_, self.deviation, self.uniform) = if a.0 <= b.0 { a } else { b };
    }

    /// `m_t` for every step; before the first sample there is silence.
    fn means(&self, classes: &[u32]) -> Vec<f64> {
        let lags = self.model.lags.len();
        let mut past = vec![0.0; lags];
        past.extend(classes.iter().map(|&class| sample(class)));
        (0..classes.len()).map(|t| self.model.next(&past[..t + lags])).collect()
    }

    /// `−ln P(class_t)` in nats for every t.
    ///
    /// # Panics
    /// If there is a class above 256.
    pub fn score(&self, classes: &[u32]) -> Vec<f64> {
        let steps = classes.iter().zip(self.means(classes));
        steps
            .map(|(&class, mean)| -mixed(mass(class, mean, self.deviation), self.uniform).ln())
            .collect()
    }
}

/// The Gaussian's mass in the bin of a class. Class 0 is no level and has none.
fn mass(class: u32, mean: f64, deviation: f64) -> f64 {
    let Some(level) = class.checked_sub(1) else { return 0.0 };
    let [lower, upper] = borders(level as u8).map(|x| (x - mean) / (SQRT_2 * deviation));
    let lower = if level == 0 { f64::NEG_INFINITY } else { lower };
    let upper = if level == 255 { f64::INFINITY } else { upper };
    // Of two numbers close to 1 the difference would be rounding error; of their distances from 1 it is not.
    match (lower, upper) {
        (lower, upper) if lower > 0.0 => 0.5 * (libm::erfc(lower) - libm::erfc(upper)),
        (lower, upper) if upper < 0.0 => 0.5 * (libm::erfc(-upper) - libm::erfc(-lower)),
        _ => 0.5 * (libm::erf(upper) - libm::erf(lower)),
    }
}

fn mixed(mass: f64, uniform: f64) -> f64 {
    (1.0 - uniform) * mass + uniform / LEVELS as f64
}

/// The ε that makes the steps most probable.
fn uniform_share(masses: &[f64]) -> f64 {
    const LEAST: f64 = 1e-6;
    let mut uniform: f64 = 0.05;
    for _ in 0..200 {
        let shares = masses.iter().map(|&mass| uniform / LEVELS as f64 / mixed(mass, uniform));
        let next = (shares.sum::<f64>() / masses.len() as f64).clamp(LEAST, 1.0);
        let change = (next - uniform).abs();
        uniform = next;
        if change < 1e-7 {
            break;
        }
    }
    uniform
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sound::{classes, speech};
    use crate::nn::Random;
    use rand::{RngExt, SeedableRng};

    /// `x_t = 1.6 x_{t−1} − 0.9 x_{t−2} + 0.02 e_t`.
    fn drawn(length: usize) -> Vec<u32> {
        let mut random = Random::seed_from_u64(3);
        let mut sound = vec![0f64; 2];
        for t in 2..length {
            let noise: f64 = random.sample(rand_distr::StandardNormal);
            sound.push(1.6 * sound[t - 1] - 0.9 * sound[t - 2] + 0.02 * noise);
        }
        classes(&sound.iter().map(|&x| x as f32).collect::<Vec<_>>())
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
        let [training, valid] = [drawn(60_000), drawn(80_000)[60_000..].to_vec()];
        let fitted = SoundAutoregression::fit(&training);
        let mean = fitted.score(&valid).iter().sum::<f64>() / valid.len() as f64;
        // Density times width; the bins are narrow enough beside a deviation of 0.02.
        let widths = valid.iter().map(|&class| {
            let [lower, upper] = borders((class - 1) as u8);
            (upper - lower).ln()
        });
        let width = widths.sum::<f64>() / valid.len() as f64;
        let entropy = 0.5 * (std::f64::consts::TAU * std::f64::consts::E * 4e-4).ln() - width;
        assert!((mean - entropy).abs() < 0.03, "{mean} {entropy}");
        assert!((fitted.deviation / 0.02 - 1.0).abs() < 0.1, "{}", fitted.deviation);
        assert!(fitted.uniform < 0.01 && fitted.model.lags.len() >= 2, "{fitted:?}");
    }

    #[test]
    fn no_other_shape_makes_the_speech_more_probable() {
        let speech = classes(&speech(8000).unwrap());
        let fitted = SoundAutoregression::fit(&speech);
        let nats = |shape: SoundAutoregression| shape.score(&speech).iter().sum::<f64>();
        let best = nats(fitted.clone());
        for factor in [0.8, 0.97, 1.03, 1.25] {
            let SoundAutoregression { deviation, uniform, .. } = fitted;
            let wider = nats(SoundAutoregression { deviation: factor * deviation, ..fitted.clone() });
            let flatter = nats(SoundAutoregression { uniform: factor * uniform, ..fitted.clone() });
            assert!(wider > best && flatter > best, "{factor}: {best} {wider} {flatter}");
        }
        println!(
            "AR({}) of the speech: {:.3} bits a sample, σ {:.4} (of the residuals {:.4}), ε {:.4}",
            fitted.model.lags.len(),
            best / speech.len() as f64 / 2f64.ln(),
            fitted.deviation,
            fitted.model.variance.sqrt(),
            fitted.uniform
        );
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
