//! Forecasts of a series by networks, by AR(τ), by ARIMA, by exponential smoothing, by naive methods, and by combinations of them.
//!
//! Reading order: [`Member`] (what is fitted to a column at once), [`Combination`] (the median of members, weighed on
//! rolling origins), [`Forecaster`] (the rows seen become the rows to come) and [`Method`] (a forecaster and the scale that it
//! works in) for networks, [`NetworkEnsemble`] (several of them), [`Predictor`] (what a method of a run forecasts with), [`Backtest`] (forecasts of the past),
//! [`Intervals`] (from its errors), [`Outlook`] (the forecast of the rows to come).

mod backtest;
mod combination;
mod ensemble;
mod errors;
mod importance;
mod improbability;
mod interval;
mod loss;
mod member;
mod naive;
mod network;
mod outlook;
mod predictor;

pub use backtest::{Backtest, origins};
pub use combination::{Combination, FittedCombination, Trial, rolling_origins, weights};
pub use ensemble::{EnsembleForecaster, NetworkEnsemble};
pub use errors::{ColumnErrors, MethodErrors, TestedMethod, column_errors};
pub use importance::{Importance, InputImportance, Listener};
pub use improbability::Improbability;
pub(crate) use improbability::student_factor;
pub use interval::Intervals;
pub use loss::Loss;
pub use member::{Family, FittedMember, Member};
pub use naive::{Autoregressions, LastValue, SeasonAgo};
pub use network::{LinearPath, NetworkForecaster, Output};
pub use outlook::{Outlook, OutlookError, point};
pub use predictor::{Predictor, mean, mixed};

use crate::data::dates::Calendar;
use crate::data::features::{FeatureError, Features, Rows};
use crate::data::series::Series;

/// Rows that were seen, of several pasts at once.
#[derive(Clone, Copy, Debug)]
pub struct Pasts<'a> {
    /// `[past][row][width]`, the latest row last; the columns to forecast come first in a row.
    pub values: &'a [f64],
    /// Rows of a past.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
    /// Columns to forecast.
    pub targets: usize,
}

impl<'a> Pasts<'a> {
    /// Each past by itself, `[row][width]`.
    pub fn each(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.values.chunks_exact(self.rows * self.width)
    }

    /// A column of a past that is `back` rows from its end; 1 is the last.
    fn value(&self, past: &[f64], back: usize, column: usize) -> f64 {
        past[(self.rows - back) * self.width + column]
    }
}

/// What forecasts the next rows from those before.
pub trait Forecaster {
    /// Rows that it looks back.
    fn reach(&self) -> usize;

    /// Rows that it forecasts at once.
    fn horizon(&self) -> usize;

    /// For each of the pasts, which have [`reach`](Self::reach) rows, the next [`horizon`](Self::horizon) rows of the
    /// columns to forecast: `[past][step][target]`.
    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64>;
}

/// A forecaster, the scale that it works in, and the rows of a series in that scale.
pub struct Method<'a> {
    /// As results call it.
    pub name: String,
    /// The scale.
    pub features: Features,
    /// The rows.
    pub rows: Rows,
    /// What forecasts them.
    pub forecaster: Box<dyn Forecaster + 'a>,
}

impl<'a> Method<'a> {
    /// A forecaster of a series.
    ///
    /// # Errors
    /// If the series has no rows in that scale.
    pub fn new(
        name: impl Into<String>,
        features: Features,
        (series, dates): (&Series, Option<&Calendar>),
        forecaster: impl Forecaster + 'a,
    ) -> Result<Self, FeatureError> {
        let rows = features.rows(series, dates)?;
        Ok(Self { name: name.into(), features, rows, forecaster: Box::new(forecaster) })
    }

    /// Rows of the series that have to be known before its first forecast.
    pub fn needs(&self) -> usize {
        self.rows.first + self.forecaster.reach()
    }

    /// The forecasts after each of the origins, an origin being how many rows are known: `[origin][step][target]`,
    /// transformed and standardised.
    ///
    /// # Panics
    /// If fewer rows are known than it needs.
    fn ahead(&self, origins: &[usize]) -> Vec<f64> {
        let mut all = Vec::new();
        let targets = self.features.targets.len();
        each_forecast(&*self.forecaster, &self.rows, targets, origins, |paths| all.extend(paths));
        all
    }

    fn of(&self, values: &[f64], pasts: usize) -> Vec<f64> {
        of(&*self.forecaster, values, (pasts, self.rows.width, self.features.targets.len()))
    }
}

/// The forecasts of so many pasts.
fn of(
    forecaster: &dyn Forecaster,
    values: &[f64],
    (pasts, width, targets): (usize, usize, usize),
) -> Vec<f64> {
    let rows = forecaster.reach();
    let forecasts = forecaster.ahead(Pasts { values, rows, width, targets });
    // Without a past there is nothing to be cut into as many.
    if rows == 0 { forecasts.repeat(pasts) } else { forecasts }
}

/// Hands over the forecasts after each of the origins, in their order, as many together as memory bears.
fn each_forecast(
    forecaster: &dyn Forecaster,
    rows: &Rows,
    targets: usize,
    origins: &[usize],
    mut each: impl FnMut(&[f64]),
) {
    const TOGETHER: usize = 1024;
    let reach = forecaster.reach();
    for some in origins.chunks(TOGETHER) {
        let pasts = some.iter().flat_map(|&origin| rows.range(origin - reach, origin));
        let values: Vec<f64> = pasts.copied().collect();
        each(&of(forecaster, &values, (some.len(), rows.width, targets)));
    }
}

/// The mean loss of the errors of the forecasts from all origins, in the scale of the rows.
///
/// # Panics
/// If an origin has too few rows before or after it.
pub fn mean_loss(
    loss: Loss,
    forecaster: &dyn Forecaster,
    rows: &Rows,
    targets: usize,
    origins: &[usize],
) -> f64 {
    let horizon = forecaster.horizon();
    let size = horizon * targets;
    let (mut sum, mut place) = (0.0, 0);
    each_forecast(forecaster, rows, targets, origins, |paths| {
        for path in paths.chunks_exact(size) {
            let actual = rows.range(origins[place], origins[place] + horizon);
            let actual = actual.chunks_exact(rows.width).flat_map(|row| &row[..targets]);
            sum += path.iter().zip(actual).map(|(a, b)| loss.of(a - b)).sum::<f64>();
            place += 1;
        }
    });
    sum / (size * origins.len()) as f64
}

impl<F: Forecaster + ?Sized> Forecaster for Box<F> {
    fn reach(&self) -> usize {
        (**self).reach()
    }

    fn horizon(&self) -> usize {
        (**self).horizon()
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        (**self).ahead(pasts)
    }
}
