//! The forecast of the rows to come, with intervals.
//!
//! A network forecasts block by block: it forecasts `horizon` rows, takes them for rows seen, and forecasts the next ones.
//! Exogenous columns are held at their last value, calendar features are known. With logarithms the way back makes the
//! forecast a median, not a mean.

use super::{Intervals, Method};
use crate::data::dates::Moment;
use crate::data::features::FeatureError;
use crate::data::series::Series;

/// Forecasts of the rows to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Rows.
    pub steps: usize,
    /// Columns.
    pub targets: usize,
    /// The forecast, `[step][target]`, in the units of the series.
    pub point: Vec<f64>,
    /// Around it.
    pub intervals: Intervals,
}

/// Why there is no outlook.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OutlookError {
    /// A column that cannot be transformed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// Too few rows.
    #[error("the forecast needs the last {needed} rows, and there are {rows}: give more rows")]
    TooShort {
        /// What there is.
        rows: usize,
        /// What it takes.
        needed: usize,
    },
    /// No member of a combination has a forecast.
    #[error("none of the methods has a forecast after {rows} rows: give more rows")]
    NoMember {
        /// What there is.
        rows: usize,
    },
    /// A forecast that is no number.
    #[error(
        "the forecast leaves the range of numbers {0} steps ahead: ask for fewer, or train with differences, --difference 1"
    )]
    Diverged(usize),
}

impl Outlook {
    /// What holds a share `level` of what may come.
    pub fn interval(&self, step: usize, target: usize, level: f64) -> [f64; 2] {
        let forecast = self.point[step * self.targets + target];
        self.intervals.around(forecast, (step, target), level)
    }
}

/// A network's forecast of `steps` rows after the end of the series, `[step][target]`. `dates` are those of the rows to come,
/// if there are calendar features.
///
/// # Errors
/// If there are too few rows, or a column cannot be transformed.
///
/// # Panics
/// If dates are missing.
pub fn point(
    method: &Method<'_>,
    series: &Series,
    dates: &[Moment],
    steps: usize,
) -> Result<Vec<f64>, OutlookError> {
    let (origin, needed) = (series.rows(), method.needs());
    if origin < needed.max(1) {
        return Err(OutlookError::TooShort { rows: origin, needed });
    }
    let targets = series.values.len();
    let width = method.rows.width;
    let calendar = 2 * method.features.calendar.len();
    let held = &method.rows.range(origin - 1, origin)[targets..width - calendar];
    let forecaster = &method.forecaster;
    let (reach, horizon) = (forecaster.reach(), forecaster.horizon());
    let mut past = method.rows.range(origin - reach, origin).to_vec();
    let mut path = Vec::with_capacity(steps * targets);
    for from in (0..steps).step_by(horizon) {
        let block = horizon.min(steps - from);
        let forecast = method.of(&past, 1);
        let forecast = &forecast[..block * targets];
        path.extend(forecast);
        for (step, row) in forecast.chunks_exact(targets).enumerate() {
            past.extend(row);
            past.extend(held);
            if calendar > 0 {
                past.extend(method.features.of_date(dates[from + step].local));
            }
        }
        past.drain(..past.len() - reach * width);
    }
    Ok(method.features.undo(series, origin, &path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::Feature;
    use crate::data::features::Features;
    use crate::data::transform::Transform;
    use crate::model::Autoregression;
    use crate::model::forecast::{Autoregressions, Forecaster, Pasts};

    fn autoregression(series: &Series, horizon: usize) -> Method<'_> {
        let features = Features::fit(series, 108, Transform::default(), Vec::new()).unwrap();
        let rows = features.rows(series, None).unwrap();
        let model = Autoregression::fit(rows.range(0, 108), 2).unwrap();
        let forecaster = Autoregressions { models: vec![model], horizon };
        Method::new("ar", features, (series, None), forecaster).unwrap()
    }

    #[test]
    fn the_forecast_goes_on_from_itself() {
        let series = Series::airline_passengers();
        let whole = point(&autoregression(&series, 9), &series, &[], 9).unwrap();
        for horizon in [1, 2, 4] {
            let blocks = point(&autoregression(&series, horizon), &series, &[], 9).unwrap();
            for (a, b) in whole.iter().zip(&blocks) {
                assert!((a - b).abs() < 1e-9);
            }
        }
    }

    /// It writes down what it is shown.
    struct Seen(std::cell::RefCell<Vec<Vec<f64>>>);

    impl Forecaster for &Seen {
        fn reach(&self) -> usize {
            2
        }
        fn horizon(&self) -> usize {
            2
        }
        fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
            self.0.borrow_mut().extend(pasts.each().map(<[f64]>::to_vec));
            vec![0.25; pasts.each().count() * 2]
        }
    }

    #[test]
    fn what_is_known_is_known_and_the_rest_held() {
        let mut series = Series::airline_passengers();
        series.exogenous_names.push("row".into());
        series.exogenous.push((0..144).map(f64::from).collect());
        let calendar = series.calendar.clone().unwrap();
        let features =
            Features::fit(&series, 108, Transform::default(), vec![Feature::Month]).unwrap();
        let dates = calendar.following(5).unwrap();
        let seen = Seen(std::cell::RefCell::default());
        let known = (&series, Some(&calendar));
        let method = Method::new("seen", features, known, &seen).unwrap();
        assert_eq!(point(&method, &series, &dates, 5).unwrap().len(), 5);
        let seen = seen.0.take();
        assert_eq!(seen.len(), 3);
        let last = *method.rows.values.chunks(4).last().unwrap().get(1).unwrap();
        let [january, february] = [0.0, 1.0 / 12.0].map(|p| (std::f64::consts::TAU * p).sin_cos());
        let expected = [0.25, last, january.0, january.1, 0.25, last, february.0, february.1];
        assert!(seen[1].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{seen:?}");
    }

    #[test]
    fn too_few_rows_are_refused() {
        let series = Series::airline_passengers();
        let mut short = series.clone();
        short.values[0].truncate(1);
        let method = autoregression(&series, 1);
        let refused = point(&method, &short, &[], 1).unwrap_err();
        assert_eq!(refused, OutlookError::TooShort { rows: 1, needed: 2 });
    }
}
