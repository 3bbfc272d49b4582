//! The measures of the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020, section 3): forecasts of many series as
//! one number each, over a benchmark that knows the season.
//!
//! ```text
//! sMAPE = mean of 200 |x̂ − x| / (|x̂| + |x|)                     in percent, over all steps of all series
//! MASE  = mean over series of  mean |x̂ − x| / scale             scale: mean |x_t − x_{t−m}| of the known rows
//! OWA   = ½ (sMAPE / sMAPE of Naive 2  +  MASE / MASE of Naive 2)
//! MSIS  = mean over series of  mean ((U − L) + 2/α (L − x)⁺ + 2/α (x − U)⁺) / scale
//! ```
//! Naive 2 is the last value of the series less its season, with the season put back; where the autocorrelation shows no
//! season it is the last value.

use super::accuracy::{Accuracy, scale};
use super::naive::NaiveError;

/// The measures of forecasts of many series.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measures {
    /// sMAPE, in percent.
    pub smape: f64,
    /// MASE; series that repeat themselves exactly have none and are left out.
    pub mase: f64,
    /// Mean |x̂ − x|, in the units of the file.
    pub mean_absolute: f64,
}

/// A series whose forecast is measured.
#[derive(Clone, Copy, Debug)]
pub struct Tested<'a> {
    /// The rows before the forecast.
    pub known: &'a [f64],
    /// What came.
    pub actual: &'a [f64],
}

impl Measures {
    /// The measures of a forecast for each series, as long as what came; `season` as for [`scale`].
    ///
    /// # Errors
    /// If a forecast has another length, or there is none.
    pub fn of(
        tested: &[Tested<'_>],
        forecasts: &[Vec<f64>],
        season: usize,
    ) -> Result<Self, NaiveError> {
        let (mut relative, mut absolute, mut scaled, mut with_scale) = (0.0, 0.0, 0.0, 0usize);
        for (series, forecast) in tested.iter().zip(forecasts) {
            let accuracy = Accuracy::of(forecast, series.actual, scale(series.known, season))?;
            relative += accuracy.symmetric_percentage;
            absolute += accuracy.mean_absolute;
            if let Some(value) = accuracy.scaled {
                scaled += value;
                with_scale += 1;
            }
        }
        let count = tested.len() as f64;
        Ok(Self {
            smape: 100.0 * relative / count,
            mase: scaled / with_scale as f64,
            mean_absolute: absolute / count,
        })
    }

    /// OWA against the measures of another method, Naive 2.
    pub fn overall(&self, benchmark: &Self) -> f64 {
        0.5 * (self.smape / benchmark.smape + self.mase / benchmark.mase)
    }
}

/// The score of an interval for a value: `(U − L) + 2/α (L − x)⁺ + 2/α (x − U)⁺` with `α = 1 − level` (Gneiting & Raftery
/// 2007, equation 43). The smaller the better; the expected score is least at the quantiles `α/2` and `1 − α/2`.
pub fn interval_score([lower, upper]: [f64; 2], value: f64, level: f64) -> f64 {
    let outside = (lower - value).max(0.0) + (value - upper).max(0.0);
    (upper - lower) + 2.0 / (1.0 - level) * outside
}

/// MSIS and the share of values inside, of intervals `[series][step]` of that level.
pub fn scaled_interval_score(
    tested: &[Tested<'_>],
    intervals: &[Vec<[f64; 2]>],
    season: usize,
    level: f64,
) -> (f64, f64) {
    let (mut sum, mut count, mut inside, mut values) = (0.0, 0usize, 0usize, 0usize);
    for (series, intervals) in tested.iter().zip(intervals) {
        let pairs = || intervals.iter().zip(series.actual);
        inside += pairs().filter(|([lower, upper], value)| (lower..=upper).contains(value)).count();
        values += intervals.len();
        let scale = scale(series.known, season);
        if scale > 0.0 {
            let scores = pairs().map(|(&interval, &value)| interval_score(interval, value, level));
            sum += scores.sum::<f64>() / intervals.len() as f64 / scale;
            count += 1;
        }
    }
    (sum / count as f64, inside as f64 / values as f64)
}

/// The forecast of Naive 2 for the next rows.
pub fn naive2(values: &[f64], season: usize, horizon: usize) -> Vec<f64> {
    let last = values.last().copied().unwrap_or(0.0);
    match seasonal_indices(values, season) {
        Some(indices) => {
            let level = last / indices[(values.len() - 1) % season];
            (values.len()..values.len() + horizon)
                .map(|row| level * indices[row % season])
                .collect()
        }
        None => vec![last; horizon],
    }
}

/// The factor of each row of the season, by classical multiplicative decomposition (Kendall & Stuart 1983), where the
/// autocorrelation at that lag is significant at 90 % (Bartlett's bounds) and no value is 0 or below.
fn seasonal_indices(values: &[f64], season: usize) -> Option<Vec<f64>> {
    let positive = values.iter().all(|&value| value > 0.0);
    if season < 2 || values.len() < 3 * season || !positive || !is_seasonal(values, season) {
        return None;
    }
    // A moving average over a season; where it is even, its two ends count half.
    let half = season / 2;
    let trend = |row: usize| {
        let window = &values[row - half..=row + half];
        let sum: f64 = window.iter().sum();
        let ends =
            if season.is_multiple_of(2) { 0.5 * (window[0] + window[2 * half]) } else { 0.0 };
        (sum - ends) / season as f64
    };
    let mut indices = vec![(0.0, 0usize); season];
    for row in half..values.len() - half {
        let (sum, count) = &mut indices[row % season];
        *sum += values[row] / trend(row);
        *count += 1;
    }
    let means: Vec<f64> = indices.iter().map(|(sum, count)| sum / *count as f64).collect();
    let mean = means.iter().sum::<f64>() / season as f64;
    Some(means.iter().map(|index| index / mean).collect())
}

/// `|r_m| > 1.645 √((1 + 2 Σ_{k<m} r_k²) / n)`.
fn is_seasonal(values: &[f64], season: usize) -> bool {
    let r = autocorrelations(values, season);
    let before: f64 = r[..season - 1].iter().map(|r| r * r).sum();
    r[season - 1].abs() > 1.645 * ((1.0 + 2.0 * before) / values.len() as f64).sqrt()
}

/// `r_k = Σ (x_t − x̄)(x_{t−k} − x̄) / Σ (x_t − x̄)²` for k from 1 on.
fn autocorrelations(values: &[f64], lags: usize) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let of = |lag: usize| {
        let pairs = values.iter().skip(lag).zip(values);
        pairs.map(|(now, then)| (now - mean) * (then - mean)).sum::<f64>() / variance
    };
    (1..=lags).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A season that multiplies a level which does not move is found, and goes on.
    #[test]
    fn naive_2_goes_on_with_the_season() {
        let factors = [0.5, 1.0, 1.5, 1.0];
        let values: Vec<f64> = (0..40).map(|row| 10.0 * factors[row % 4]).collect();
        let ahead = naive2(&values, 4, 6);
        let expected = [5.0, 10.0, 15.0, 10.0, 5.0, 10.0];
        assert!(ahead.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{ahead:?}");
        // Where there is none, it is the last value.
        let trend: Vec<f64> = (0..40).map(f64::from).collect();
        assert_eq!(naive2(&trend, 1, 3), [39.0; 3]);
        assert_eq!(naive2(&values[..11], 4, 2), [values[10]; 2]);
    }

    #[test]
    fn an_interval_pays_for_its_width_and_for_what_it_misses() {
        assert_eq!(interval_score([1.0, 3.0], 2.0, 0.95), 2.0);
        assert!((interval_score([1.0, 3.0], 4.0, 0.95) - 42.0).abs() < 1e-9);
        assert!((interval_score([1.0, 3.0], 0.5, 0.8) - 7.0).abs() < 1e-12);
    }

    #[test]
    fn the_measures_are_means_over_series() {
        let known = [[1.0, 2.0, 4.0], [10.0, 10.0, 13.0]];
        let actual = [[4.0, 6.0], [12.0, 9.0]];
        let tested: Vec<Tested<'_>> =
            known.iter().zip(&actual).map(|(known, actual)| Tested { known, actual }).collect();
        let measures = Measures::of(&tested, &[vec![4.0, 4.0], vec![13.0, 13.0]], 1).unwrap();
        assert_eq!(measures.mean_absolute, (1.0 + 2.5) / 2.0);
        assert_eq!(measures.mase, (1.0 / 1.5 + 2.5 / 1.5) / 2.0);
        let expected = 50.0 * ((0.0 + 4.0 / 10.0) / 2.0 + (2.0 / 25.0 + 8.0 / 22.0) / 2.0);
        assert!((measures.smape - expected).abs() < 1e-12);
        assert_eq!(measures.overall(&measures), 1.0);
        let intervals = vec![vec![[4.0, 5.0]; 2], vec![[9.0, 13.0]; 2]];
        let (score, covered) = scaled_interval_score(&tested, &intervals, 1, 0.8);
        assert_eq!(covered, 0.75);
        assert!((score - ((1.0 + 11.0) / 2.0 / 1.5 + 4.0 / 1.5) / 2.0).abs() < 1e-9, "{score}");
    }
}
