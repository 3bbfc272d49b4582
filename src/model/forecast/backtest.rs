//! Forecasts from each row of the past after which the next rows are known: the rolling origin of Tashman (2000).

use super::Method;
use crate::data::accuracy::Accuracy;
use crate::data::features::FeatureError;
use crate::data::naive::NaiveError;
use crate::data::series::Series;
use std::ops::Range;

/// The forecasts from several origins, and how far off they were.
#[derive(Clone, Debug, PartialEq)]
pub struct Backtest {
    /// How many rows were known each time.
    pub origins: Vec<usize>,
    /// Rows forecast each time.
    pub horizon: usize,
    /// Columns forecast.
    pub targets: usize,
    /// `[origin][step][target]`, in the units of the series.
    pub forecasts: Vec<f64>,
    /// `[origin][step][target]`: what came less what was forecast, transformed and standardised.
    pub residuals: Vec<f64>,
}

/// The origins from `split` on that `horizon` rows follow, every `stride`-th of them.
///
/// # Panics
/// If the stride is 0.
pub fn origins(rows: usize, split: usize, horizon: usize, stride: usize) -> Vec<usize> {
    let end = (rows + 1).saturating_sub(horizon);
    (split..end).step_by(stride).collect()
}

/// Forecasts from each of the origins as if nothing after it were known.
///
/// # Errors
/// If a column cannot be transformed.
///
/// # Panics
/// If an origin has fewer rows before it than the method needs, or fewer after it than it forecasts.
pub fn backtest(
    method: &Method<'_>,
    series: &Series,
    origins: &[usize],
) -> Result<Backtest, FeatureError> {
    let (horizon, targets) = (method.forecaster.horizon(), series.values.len());
    let scaled = method.ahead(origins);
    let (mut forecasts, mut residuals) = (Vec::new(), Vec::new());
    for (path, &origin) in scaled.chunks_exact(horizon * targets).zip(origins) {
        forecasts.extend(method.features.undo(series, origin, path)?);
        let width = method.rows.width;
        let actual = method.rows.range(origin, origin + horizon).chunks_exact(width);
        let actual = actual.flat_map(|row| &row[..targets]);
        residuals.extend(actual.zip(path).map(|(actual, forecast)| actual - forecast));
    }
    Ok(Backtest { origins: origins.to_vec(), horizon, targets, forecasts, residuals })
}

impl Backtest {
    /// The residuals of an origin, `[step][target]`.
    pub fn residual(&self, origin: usize) -> &[f64] {
        let size = self.horizon * self.targets;
        &self.residuals[origin * size..(origin + 1) * size]
    }

    /// The forecasts of a column at some of the steps ahead, counted from 0, origin by origin, and what came.
    pub fn pairs(
        &self,
        series: &Series,
        target: usize,
        steps: Range<usize>,
    ) -> (Vec<f64>, Vec<f64>) {
        let mut pairs = (Vec::new(), Vec::new());
        for (o, &origin) in self.origins.iter().enumerate() {
            for step in steps.clone() {
                pairs.0.push(self.forecasts[(o * self.horizon + step) * self.targets + target]);
                pairs.1.push(series.values[target][origin + step]);
            }
        }
        pairs
    }

    /// How far off a column was at some of the steps ahead; `scale` as for [`Accuracy::of`].
    ///
    /// # Errors
    /// If there is no origin or no step.
    pub fn accuracy(
        &self,
        series: &Series,
        target: usize,
        steps: Range<usize>,
        scale: f64,
    ) -> Result<Accuracy, NaiveError> {
        let (forecasts, values) = self.pairs(series, target, steps);
        Accuracy::of(&forecasts, &values, scale)
    }

    /// The mean of squares of the errors in another method's scale, over origins, steps and columns: what its loss would
    /// be with these forecasts.
    ///
    /// # Errors
    /// If a column cannot be transformed.
    pub fn loss(&self, series: &Series, other: &Method<'_>) -> Result<f64, FeatureError> {
        let (mut sum, size) = (0.0, self.horizon * self.targets);
        for (path, &origin) in self.forecasts.chunks_exact(size).zip(&self.origins) {
            let scaled = other.features.apply(series, origin, path)?;
            let rows = other.rows.range(origin, origin + self.horizon);
            let actual = rows.chunks_exact(other.rows.width).flat_map(|row| &row[..self.targets]);
            sum += scaled.iter().zip(actual).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        }
        Ok(sum / self.forecasts.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::features::Features;
    use crate::data::naive::{last_value, seasonal};
    use crate::data::transform::Transform;
    use crate::model::forecast::{Forecaster, LastValue, SeasonAgo};

    fn method<'a>(
        series: &Series,
        transform: Transform,
        forecaster: impl Forecaster + 'a,
    ) -> Method<'a> {
        let features = Features::fit(series, 108, transform, Vec::new()).unwrap();
        Method::new("m", features, (series, None), forecaster).unwrap()
    }

    #[test]
    fn every_row_that_is_followed_by_a_horizon_is_an_origin() {
        assert_eq!(origins(10, 6, 1, 1), [6, 7, 8, 9]);
        assert_eq!(origins(10, 6, 3, 1), [6, 7]);
        assert_eq!(origins(10, 3, 3, 2), [3, 5, 7]);
        assert_eq!(origins(10, 6, 5, 1), [0; 0]);
        assert_eq!(origins(10, 6, 50, 1), [0; 0]);
    }

    #[test]
    fn one_step_ahead_it_is_the_naive_forecast() {
        let series = Series::airline_passengers();
        let values = &series.values[0];
        let origins = origins(144, 108, 1, 1);
        for transform in [Transform::default(), Transform { log: true, ..Transform::default() }] {
            let last = method(&series, transform, LastValue { horizon: 1 });
            let season = method(&series, transform, SeasonAgo { season: 12, horizon: 1 });
            let naive = [last_value(values, 108).unwrap(), seasonal(values, 108, 12).unwrap()];
            for (method, naive) in [last, season].iter().zip(naive) {
                let test = backtest(method, &series, &origins).unwrap();
                let worst = test.forecasts.iter().zip(&naive).map(|(a, b)| (a - b).abs() / b);
                assert!(worst.fold(0.0, f64::max) < 1e-13);
                let accuracy = test.accuracy(&series, 0, 0..1, 1.0).unwrap();
                let expected = Accuracy::of(&naive, &values[108..], 1.0).unwrap();
                let apart = accuracy.root_mean_squared - expected.root_mean_squared;
                assert!(apart.abs() < 1e-9);
            }
        }
    }

    #[test]
    fn errors_by_step_and_in_the_scale_of_another() {
        let series = Series::airline_passengers();
        let values = &series.values[0];
        let raw = method(&series, Transform::default(), LastValue { horizon: 3 });
        let test = backtest(&raw, &series, &origins(144, 108, 3, 1)).unwrap();
        assert_eq!(test.origins.len(), 34);
        for step in 0..3 {
            let mean: f64 =
                (108..142).map(|o| (values[o + step] - values[o - 1]).abs()).sum::<f64>() / 34.0;
            let found = test.accuracy(&series, 0, step..step + 1, 1.0).unwrap().mean_absolute;
            assert!((found - mean).abs() < 1e-9, "{step}");
        }
        // Its own scale.
        let own = test.residuals.iter().map(|r| r * r).sum::<f64>() / test.residuals.len() as f64;
        assert!((test.loss(&series, &raw).unwrap() - own).abs() < 1e-12);
        // In differences, the last value says 0.
        let transform = Transform { difference: 1, ..Transform::default() };
        let other = method(&series, transform, LastValue { horizon: 3 });
        let scale = other.features.targets[0];
        let mut expected = 0.0;
        for o in 108..142 {
            for step in 0..3 {
                let change = values[o + step] - values[o + step - 1];
                expected += (change / scale.deviation).powi(2) / 102.0;
            }
        }
        assert!((test.loss(&series, &other).unwrap() - expected).abs() < 1e-9);
    }
}
