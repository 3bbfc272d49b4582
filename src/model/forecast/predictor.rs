//! What a method of a run forecasts with at a moment: members that are fitted to the rows so far, a network, or both.

use super::{Backtest, FittedCombination, Method, OutlookError, point};
use crate::data::dates::Moment;
use crate::data::series::Series;

/// What forecasts.
pub enum Predictor {
    /// Members, a combination for each column.
    Members(Vec<FittedCombination>),
    /// Networks: the mean of their forecasts.
    Networks(Vec<Method<'static>>),
    /// Both: the networks with a share for each column.
    Both {
        /// The members, a combination for each column.
        members: Vec<FittedCombination>,
        /// The networks.
        networks: Vec<Method<'static>>,
        /// The networks' share of each column, between 0 and 1.
        shares: Vec<f64>,
    },
}

impl Predictor {
    /// The forecast of `steps` rows after the end of the series, `[step][target]`. `dates` are those of the rows to come, if
    /// the networks read calendar features.
    ///
    /// # Errors
    /// If there are too few rows, a column cannot be transformed, or a forecast is no number.
    pub fn ahead(
        &self,
        series: &Series,
        dates: &[Moment],
        steps: usize,
    ) -> Result<Vec<f64>, OutlookError> {
        let learnt = |networks: &[Method<'static>]| {
            let each = networks.iter().map(|network| point(network, series, dates, steps));
            Ok::<_, OutlookError>(mean(&each.collect::<Result<Vec<_>, _>>()?))
        };
        let linear =
            |members: &[FittedCombination]| of_members(members, series, &[series.rows()], steps);
        let forecast = match self {
            Self::Members(members) => linear(members)?,
            Self::Networks(networks) => learnt(networks)?,
            Self::Both { members, networks, shares } => {
                mixed(&linear(members)?, &learnt(networks)?, shares)
            }
        };
        match forecast.iter().position(|value| !value.is_finite()) {
            Some(bad) => Err(OutlookError::Diverged(bad / series.values.len() + 1)),
            None => Ok(forecast),
        }
    }
}

impl Backtest {
    /// The members' forecasts of the `horizon` rows after each of the origins, as if nothing after it were known; a
    /// combination for each column.
    ///
    /// # Errors
    /// If none of the members of a column has a forecast.
    pub fn of_members(
        members: &[FittedCombination],
        series: &Series,
        origins: &[usize],
        horizon: usize,
    ) -> Result<Self, OutlookError> {
        let forecasts = of_members(members, series, origins, horizon)?;
        Ok(Self { origins: origins.to_vec(), horizon, targets: members.len(), forecasts })
    }
}

/// The members' forecasts after each of the origins, `[origin][step][target]`.
fn of_members(
    members: &[FittedCombination],
    series: &Series,
    origins: &[usize],
    steps: usize,
) -> Result<Vec<f64>, OutlookError> {
    let targets = members.len();
    let mut rows = vec![0.0; origins.len() * steps * targets];
    for (target, (members, column)) in members.iter().zip(&series.values).enumerate() {
        let forecasts = members.each_ahead(column, origins, steps);
        for ((o, &origin), forecast) in origins.iter().enumerate().zip(forecasts) {
            let forecast = forecast.ok_or(OutlookError::NoMember { rows: origin })?;
            for (step, value) in forecast.into_iter().enumerate() {
                rows[(o * steps + step) * targets + target] = value;
            }
        }
    }
    Ok(rows)
}

/// The mean of several forecasts.
pub fn mean(forecasts: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; forecasts.first().map_or(0, Vec::len)];
    for forecast in forecasts {
        sum.iter_mut().zip(forecast).for_each(|(sum, value)| *sum += value);
    }
    sum.into_iter().map(|value| value / forecasts.len() as f64).collect()
}

/// The networks' forecasts with a share for each column, and the members' with the rest.
pub fn mixed(linear: &[f64], learnt: &[f64], shares: &[f64]) -> Vec<f64> {
    let pairs = linear.iter().zip(learnt).zip(shares.iter().cycle());
    pairs.map(|((linear, learnt), share)| linear + share * (learnt - linear)).collect()
}
