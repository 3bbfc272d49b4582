//! What a forecast of quantiles costs, and the derivative of that.

use crate::data::scaled_window::WindowScale;

/// The levels of the intervals.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// The quantiles that are forecast: the ends of the intervals, and the median.
pub const QUANTILES: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

/// The place of the median.
pub(super) const MEDIAN: usize = 2;

/// The weight of the scores of the intervals beside the absolute error of the median.
const INTERVALS: f64 = 0.01;

/// `ρ_q(x, x̂) = max(q (x − x̂), (q − 1) (x − x̂))`, and `∂ρ_q/∂x̂`: the loss that the q-quantile makes least (Koenker &
/// Bassett 1978).
fn quantile_loss(q: f64, value: f64, forecast: f64) -> (f64, f64) {
    let error = value - forecast;
    if error > 0.0 { (q * error, -q) } else { ((q - 1.0) * error, 1.0 - q) }
}

/// How much the loss of a quantile counts. Twice that of the median is the absolute error; `2/α` times those of `α/2` and
/// `1 − α/2` together are the score of the interval between them.
fn factor(q: f64) -> f64 {
    if q == 0.5 { 2.0 } else { INTERVALS / q.min(1.0 - q) }
}

/// The loss of forecasts of many series: the mean over rows of
/// ```text
/// w ( |x̂ − x| + 0.01 Σ_levels ((U − L) + 2/α (L − x)⁺ + 2/α (x − U)⁺) )
/// w = ½ ( 1 / (size r) + 1 / (scale s) )
/// ```
/// in the units of the series. `size` is that of the values of the window and `scale` the mean error of the seasonal naive
/// forecast in the series; r and s are the means over all series of the errors of Naive 2 in these two units. So the loss of
/// the median is about the OWA of the M4 competition ([`competition`](crate::data::competition)), and no series counts more
/// because of its unit.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PanelLoss {
    /// r.
    pub relative: f64,
    /// s.
    pub scaled: f64,
}

impl PanelLoss {
    /// `w` for a window, in a series of that scale.
    pub fn weight(&self, window: &WindowScale, scale: f64) -> f64 {
        /// A series that repeats itself exactly would count without bound.
        const LEAST: f64 = 1e-3;
        let size = window.size();
        let scale = scale.max(LEAST * size);
        0.5 * (1.0 / (size * self.relative) + 1.0 / (scale * self.scaled))
    }

    /// The loss of the outputs `z` `[batch][quantile][step]`, and its derivative by them. A window has its scale, its weight
    /// and what came.
    pub fn of(
        &self,
        outputs: &[f64],
        windows: &[(WindowScale, f64, &[f64])],
        horizon: usize,
    ) -> (f64, Vec<f64>) {
        let mut derivative = vec![0.0; outputs.len()];
        let mean = 1.0 / (windows.len() * horizon) as f64;
        let mut loss = 0.0;
        let size = QUANTILES.len() * horizon;
        let each = outputs.chunks_exact(size).zip(derivative.chunks_exact_mut(size)).zip(windows);
        for ((z, dz), (scale, weight, actual)) in each {
            for (q, quantile) in QUANTILES.into_iter().enumerate() {
                let factor = mean * weight * factor(quantile);
                for (step, &value) in actual.iter().enumerate() {
                    let place = q * horizon + step;
                    let forecast = scale.undo(z[place]);
                    let (cost, slope) = quantile_loss(quantile, value, forecast);
                    loss += factor * cost;
                    dz[place] = factor * slope * scale.slope(forecast);
                }
            }
        }
        (loss, derivative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::competition::interval_score;
    use crate::data::scaled_window::Link;
    use crate::random::{Random, SeedableRng};
    use rand::RngExt;

    const LOSS: PanelLoss = PanelLoss { relative: 0.1, scaled: 1.3 };

    /// Against the formula above, and its differences.
    #[test]
    fn it_is_its_formula_and_the_derivative_is_that_of_differences() {
        let mut random = Random::seed_from_u64(1);
        let horizon = 3;
        for link in [Link::Logarithm, Link::Identity] {
            let rows: Vec<Vec<f64>> = (0..4)
                .map(|_| (0..6).map(|_| random.random_range(50.0..150.0)).collect())
                .collect();
            let windows: Vec<(WindowScale, f64, &[f64])> = rows
                .iter()
                .map(|rows| {
                    let scale = WindowScale::fit(link, &rows[..3]);
                    (scale, LOSS.weight(&scale, 7.0), &rows[3..])
                })
                .collect();
            let outputs: Vec<f64> = (0..4 * QUANTILES.len() * horizon)
                .map(|_| random.random_range(-1.0..1.0))
                .collect();
            let (loss, derivative) = LOSS.of(&outputs, &windows, horizon);
            let mut expected = 0.0;
            for (window, (scale, weight, actual)) in windows.iter().enumerate() {
                for step in 0..horizon {
                    let at = |q: usize| {
                        scale.undo(outputs[(window * QUANTILES.len() + q) * horizon + step])
                    };
                    let score = |level, ends| interval_score(ends, actual[step], level);
                    // The score with ends that cross is that of the two quantiles.
                    let of = |level: f64, a: usize, b: usize| score(level, [at(a), at(b)]);
                    let scores = of(0.95, 0, 4) + of(0.8, 1, 3);
                    let error = (at(2) - actual[step]).abs();
                    expected += weight * (error + 0.01 * scores) / (4 * horizon) as f64;
                }
            }
            assert!((loss - expected).abs() < 1e-9 * expected, "{loss} {expected}");
            for place in 0..outputs.len() {
                let moved = |by: f64| {
                    let mut outputs = outputs.clone();
                    outputs[place] += by;
                    LOSS.of(&outputs, &windows, horizon).0
                };
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                let error = (derivative[place] - difference).abs();
                assert!(error < 1e-6 * (1.0 + difference.abs()), "{place}: {error}");
            }
        }
    }
}
