//! Measures of forecast error over any set of forecasts.

use super::naive::NaiveError;

/// Four measures of the errors `e_i = x̂_i − x_i` of n forecasts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Accuracy {
    /// `Σ |e_i| / n`, in the units of the values.
    pub mean_absolute: f64,
    /// `√(Σ e_i² / n)`, in the units of the values.
    pub root_mean_squared: f64,
    /// sMAPE: `Σ 2 |e_i| / (|x̂_i| + |x_i|) / n`, between 0 and 2; where both are 0 the term is 0 (Makridakis 1993).
    pub symmetric_percentage: f64,
    /// MASE: `Σ |e_i| / n` over the mean absolute error of the (seasonal) naive forecast one step (one season)
    /// ahead in the training rows (Hyndman & Koehler 2006). Below 1 is better than the naive forecast. `None` if
    /// that has no error.
    pub scaled: Option<f64>,
}

impl Accuracy {
    /// The measures of forecasts for these values; `scale` comes from [`scale`].
    ///
    /// # Errors
    /// If there is not one value for each forecast, or no forecast.
    pub fn of(forecasts: &[f64], values: &[f64], scale: f64) -> Result<Self, NaiveError> {
        if forecasts.len() != values.len() {
            let (predictions, values) = (forecasts.len(), values.len());
            return Err(NaiveError::Unequal { predictions, values });
        }
        if values.is_empty() {
            return Err(NaiveError::Nothing);
        }
        let n = values.len() as f64;
        let (mut absolute, mut squared, mut relative) = (0.0, 0.0, 0.0);
        for (forecast, value) in forecasts.iter().zip(values) {
            let error = forecast - value;
            absolute += error.abs();
            squared += error * error;
            let size = forecast.abs() + value.abs();
            if size > 0.0 {
                relative += 2.0 * error.abs() / size;
            }
        }
        let mean_absolute = absolute / n;
        let mut root_mean_squared = (squared / n).sqrt();
        if root_mean_squared.is_infinite() {
            // In units of the largest error, where the squares themselves are too large for a number.
            let errors = || forecasts.iter().zip(values).map(|(a, b)| (a - b).abs());
            let largest = errors().fold(0.0, f64::max);
            let squared: f64 = errors().map(|error| (error / largest).powi(2)).sum();
            root_mean_squared = largest * (squared / n).sqrt();
        }
        Ok(Self {
            mean_absolute,
            root_mean_squared,
            symmetric_percentage: relative / n,
            scaled: (scale > 0.0).then(|| mean_absolute / scale),
        })
    }
}

/// How well intervals of one level held the values that came.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct IntervalAccuracy {
    /// The share that they were to hold.
    pub level: f64,
    /// The share of the values that they held.
    pub coverage: f64,
    /// MSIS: the mean of `u − l + 2/α (l − x)⁺ + 2/α (x − u)⁺` with `α = 1 − level`, over the scale of the MASE (Gneiting &
    /// Raftery 2007; Makridakis et al. 2020). Narrow intervals that hold what they say have a small one. `None` without a scale.
    pub scaled_score: Option<f64>,
}

impl IntervalAccuracy {
    /// Of the intervals `[l, u]` of these values; `scale` comes from [`scale`].
    ///
    /// # Errors
    /// If there is not one value for each interval, or no interval.
    pub fn of(
        level: f64,
        intervals: &[[f64; 2]],
        values: &[f64],
        scale: f64,
    ) -> Result<Self, NaiveError> {
        if intervals.len() != values.len() {
            let (predictions, values) = (intervals.len(), values.len());
            return Err(NaiveError::Unequal { predictions, values });
        }
        if values.is_empty() {
            return Err(NaiveError::Nothing);
        }
        let (mut held, mut score) = (0u32, 0.0);
        for ([low, high], value) in intervals.iter().zip(values) {
            held += u32::from((low..=high).contains(&value));
            let outside = (low - value).max(0.0) + (value - high).max(0.0);
            score += high - low + 2.0 / (1.0 - level) * outside;
        }
        let n = values.len() as f64;
        let scaled_score = (scale > 0.0).then(|| score / n / scale);
        Ok(Self { level, coverage: f64::from(held) / n, scaled_score })
    }
}

/// `Σ_{t>m} |x_t − x_{t−m}| / (n − m)` over n training rows: the mean absolute error of the naive forecast with a
/// season of m rows. With m = 1 that forecast is the last value. It is 0 for a series that repeats itself, and for
/// less than m + 1 rows.
pub fn scale(training: &[f64], season: usize) -> f64 {
    let pairs = training.iter().skip(season).zip(training);
    let (sum, count) = pairs
        .fold((0.0, 0_usize), |(sum, count), (now, then)| (sum + f64::abs(now - then), count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::naive::seasonal;
    use crate::data::series::Series;
    use proptest::prelude::*;

    #[test]
    fn the_measures_are_those_of_their_formulas() {
        let accuracy = Accuracy::of(&[1.0, 5.0, 0.0], &[3.0, 4.0, 0.0], 0.5).unwrap();
        assert_eq!(accuracy.mean_absolute, 1.0);
        assert_eq!(accuracy.root_mean_squared, (5.0_f64 / 3.0).sqrt());
        assert_eq!(accuracy.symmetric_percentage, (4.0 / 4.0 + 2.0 / 9.0) / 3.0);
        assert_eq!(accuracy.scaled, Some(2.0));
        assert_eq!(Accuracy::of(&[1.0], &[2.0], 0.0).unwrap().scaled, None);
        // Whose squares are too large for a number.
        let accuracy = Accuracy::of(&[1e200, 0.0], &[4e200, 4e200], 1.0).unwrap();
        assert!((accuracy.root_mean_squared / 12.5f64.sqrt() / 1e200 - 1.0).abs() < 1e-12);
        assert_eq!(
            Accuracy::of(&[1.0], &[], 1.0),
            Err(NaiveError::Unequal { predictions: 1, values: 0 })
        );
        assert_eq!(Accuracy::of(&[], &[], 1.0), Err(NaiveError::Nothing));
        assert_eq!(scale(&[1.0, 2.0, 4.0, 3.0], 1), 4.0 / 3.0);
        assert_eq!(scale(&[1.0, 2.0, 4.0, 3.0], 2), 2.0);
        assert_eq!(scale(&[1.0, 2.0], 2), 0.0);
    }

    #[test]
    fn intervals_are_counted_and_scored() {
        let intervals = [[0.0, 2.0], [1.0, 3.0], [5.0, 6.0], [0.0, 1.0]];
        let found = IntervalAccuracy::of(0.8, &intervals, &[1.0, 3.5, 4.0, 1.0], 0.5).unwrap();
        assert_eq!((found.level, found.coverage), (0.8, 0.5));
        // Widths 2, 2, 1, 1; ten times 0.5 and 1 outside.
        assert!((found.scaled_score.unwrap() - (6.0 + 15.0) / 4.0 / 0.5).abs() < 1e-9);
        assert_eq!(IntervalAccuracy::of(0.8, &[], &[], 0.5), Err(NaiveError::Nothing));
        let unequal = IntervalAccuracy::of(0.8, &[[0.0, 1.0]], &[], 0.5);
        assert_eq!(unequal, Err(NaiveError::Unequal { predictions: 1, values: 0 }));
    }

    /// 1960 forecast by 1959: 574 (thousand) less over the year, never more; 30856 in squares.
    #[test]
    fn the_scaled_error_of_the_season_ago() {
        let values = &Series::airline_passengers().values[0];
        let forecasts = seasonal(values, 132, 12).unwrap();
        let training: f64 =
            (12..132).map(|t| (values[t] - values[t - 12]).abs()).sum::<f64>() / 120.0;
        let accuracy = Accuracy::of(&forecasts, &values[132..], scale(&values[..132], 12)).unwrap();
        assert_eq!(accuracy.mean_absolute, 574.0 / 12.0);
        assert_eq!(accuracy.root_mean_squared, (30856.0_f64 / 12.0).sqrt());
        assert!((accuracy.scaled.unwrap() - 574.0 / 12.0 / training).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn percent_and_scaled_errors_do_not_know_the_unit(
            pairs in prop::collection::vec((1.0..50.0_f64, 1.0..50.0_f64), 1..30),
            unit in 0.01..100.0_f64,
        ) {
            let (forecasts, values): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let accuracy = Accuracy::of(&forecasts, &values, 2.0).unwrap();
            let near = |a: f64, b: f64| (a - b).abs() < 1e-12 * (1.0 + b.abs());
            let n = values.len() as f64;
            let errors = || forecasts.iter().zip(&values).map(|(a, b)| (a - b).abs());
            prop_assert!(near(accuracy.mean_absolute, errors().sum::<f64>() / n));
            let squares = errors().map(|error| error.powi(2)).sum::<f64>();
            prop_assert!(near(accuracy.root_mean_squared, (squares / n).sqrt()));
            let in_units = |all: &[f64]| all.iter().map(|value| value * unit).collect::<Vec<_>>();
            let scaled = Accuracy::of(&in_units(&forecasts), &in_units(&values), 2.0 * unit).unwrap();
            prop_assert!(near(scaled.symmetric_percentage, accuracy.symmetric_percentage));
            prop_assert!(near(scaled.scaled.unwrap(), accuracy.scaled.unwrap()));
            prop_assert!((0.0..=2.0).contains(&accuracy.symmetric_percentage));
        }
    }
}
