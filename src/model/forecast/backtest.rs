//! Forecasts from each row of the past after which the next rows are known: the rolling origin of Tashman (2000).

use super::{Loss, Method};
use crate::data::accuracy::Accuracy;
use crate::data::features::{FeatureError, Features, Rows};
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
}

/// The origins from `split` on that `horizon` rows follow, every `stride`-th of them.
///
/// # Panics
/// If the stride is 0.
pub fn origins(rows: usize, split: usize, horizon: usize, stride: usize) -> Vec<usize> {
    let end = (rows + 1).saturating_sub(horizon);
    (split..end).step_by(stride).collect()
}

impl Method<'_> {
    /// The forecasts from each of the origins as if nothing after it were known, `[origin][step][target]` in the units of the
    /// series.
    ///
    /// # Errors
    /// If a column cannot be transformed.
    ///
    /// # Panics
    /// If an origin has fewer rows before it than the method needs.
    pub fn backtest(&self, series: &Series, origins: &[usize]) -> Result<Vec<f64>, FeatureError> {
        let (horizon, targets) = (self.forecaster.horizon(), series.values.len());
        let scaled = self.ahead(origins);
        let mut forecasts = Vec::with_capacity(scaled.len());
        for (path, &origin) in scaled.chunks_exact(horizon * targets).zip(origins) {
            forecasts.extend(self.features.undo(series, origin, path)?);
        }
        Ok(forecasts)
    }

    /// The forecasts of the first row after each of the origins alone, `[origin][target]`.
    ///
    /// # Errors
    /// As [`backtest`](Self::backtest).
    ///
    /// # Panics
    /// As [`backtest`](Self::backtest).
    pub fn first_steps(
        &self,
        series: &Series,
        origins: &[usize],
    ) -> Result<Vec<f64>, FeatureError> {
        /// So many together, of which all steps are held.
        const TOGETHER: usize = 1024;
        let (horizon, targets) = (self.forecaster.horizon(), series.values.len());
        let mut first = Vec::with_capacity(origins.len() * targets);
        for some in origins.chunks(TOGETHER) {
            let paths = self.backtest(series, some)?;
            first.extend(paths.chunks_exact(horizon * targets).flat_map(|path| &path[..targets]));
        }
        Ok(first)
    }
}

impl Backtest {
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

    /// The forecasts of the first `steps` rows after each origin.
    pub fn first_steps(&self, steps: usize) -> Self {
        let paths = self.forecasts.chunks_exact(self.horizon * self.targets);
        let forecasts = paths.flat_map(|path| &path[..steps * self.targets]).copied().collect();
        Self { origins: self.origins.clone(), horizon: steps, targets: self.targets, forecasts }
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

    /// The mean loss of the errors in that scale, over origins, steps and columns: what a training's loss would be with these
    /// forecasts. Those of which there is nothing in that scale, as logarithms of what is not above 0, count as infinite.
    pub fn loss(&self, loss: Loss, series: &Series, (features, rows): (&Features, &Rows)) -> f64 {
        let (mut sum, size) = (0.0, self.horizon * self.targets);
        for (path, &origin) in self.forecasts.chunks_exact(size).zip(&self.origins) {
            let Ok(scaled) = features.apply(series, origin, path) else { return f64::INFINITY };
            let rows = rows.range(origin, origin + self.horizon).chunks_exact(rows.width);
            let actual = rows.flat_map(|row| &row[..self.targets]);
            sum += scaled.iter().zip(actual).map(|(a, b)| loss.of(a - b)).sum::<f64>();
        }
        sum / self.forecasts.len() as f64
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

    fn tested(method: &Method<'_>, series: &Series, origins: &[usize]) -> Backtest {
        let forecasts = method.backtest(series, origins).unwrap();
        let horizon = method.forecaster.horizon();
        Backtest { origins: origins.to_vec(), horizon, targets: 1, forecasts }
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
                let test = tested(method, &series, &origins);
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
        let test = tested(&raw, &series, &origins(144, 108, 3, 1));
        assert_eq!(test.origins.len(), 34);
        for step in 0..3 {
            let mean: f64 =
                (108..142).map(|o| (values[o + step] - values[o - 1]).abs()).sum::<f64>() / 34.0;
            let found = test.accuracy(&series, 0, step..step + 1, 1.0).unwrap().mean_absolute;
            assert!((found - mean).abs() < 1e-9, "{step}");
        }
        // In differences, the last value says 0.
        let transform = Transform { difference: 1, ..Transform::default() };
        let other = method(&series, transform, LastValue { horizon: 3 });
        let scale = other.features.targets[0];
        for loss in [Loss::Squared, Loss::Absolute] {
            let mut expected = 0.0;
            for o in 108..142 {
                for step in 0..3 {
                    let change = values[o + step] - values[o + step - 1];
                    expected += loss.of(change / scale.deviation) / 102.0;
                }
            }
            let found = test.loss(loss, &series, (&other.features, &other.rows));
            assert!((found - expected).abs() < 1e-9);
        }
    }
}
