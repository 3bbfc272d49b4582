//! The members of a combination that need no training in steps: AR on a transform of the series, exponential smoothing, ARIMA,
//! and the naive forecasts. Each is fitted to one column, in its own units, and forecasts any number of rows.

use crate::data::stationarity::differences;
use crate::data::transform::Transform;
use crate::model::{Arma, Autoregression, Criterion, ExponentialSmoothing};
use std::fmt;

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// AR(τ) of the transformed series; Schwarz's criterion chooses τ.
    Autoregression(Transform),
    /// Exponential smoothing, of the logarithms if `log`.
    Smoothing {
        /// Whether of the logarithms.
        log: bool,
        /// Whether with a damped trend.
        trend: bool,
    },
    /// Seasonal ARIMA, of the logarithms if `log`: tests choose the differences, Akaike's criterion the orders.
    Arima {
        /// Whether of the logarithms.
        log: bool,
    },
    /// The value a season ago.
    SeasonAgo,
    /// The last value.
    LastValue,
}

/// Which members stand for the same idea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// AR on each transform.
    Autoregression,
    /// Exponential smoothing.
    Smoothing,
    /// ARIMA.
    Arima,
    /// ARIMA of the logarithms.
    ArimaOfLogarithms,
    /// The last value, and that of a season ago.
    Naive,
}

/// A member that knows its coefficients.
#[derive(Clone, Debug, PartialEq)]
pub enum FittedMember {
    /// On transformed values.
    Autoregression {
        /// The transform.
        transform: Transform,
        /// The model of what it makes of the series.
        model: Autoregression,
    },
    /// Of the logarithms if `log`.
    Smoothing {
        /// Whether of the logarithms.
        log: bool,
        /// The smoothing.
        model: ExponentialSmoothing,
        /// The row of the series that its recursion starts with.
        first: usize,
    },
    /// On transformed values.
    Arima {
        /// The transform.
        transform: Transform,
        /// The model of what it makes of the series.
        model: Arma,
        /// The row of the series that its recursion starts with.
        first: usize,
    },
    /// The value of that many rows ago.
    SeasonAgo(usize),
    /// The last value.
    LastValue,
}

/// The most rows, the last ones, that a member is fitted to: what was longer ago tells little and costs time.
const MOST_ROWS: usize = 5000;

/// The most rows of ARIMA, whose orders are searched for: a thousand, and eight seasons at least.
fn most_rows_of_arima(season: Option<usize>) -> usize {
    1000.max(8 * season.unwrap_or(1)).min(MOST_ROWS)
}

impl Member {
    /// All of them, for rows that repeat themselves after a `season`, if there is one.
    pub fn all(season: Option<usize>) -> Vec<Self> {
        let mut all = Self::autoregressions(season);
        for log in [false, true] {
            all.extend([false, true].map(|trend| Self::Smoothing { log, trend }));
        }
        all.extend([false, true].map(|log| Self::Arima { log }));
        all.extend(season.map(|_| Self::SeasonAgo));
        all.push(Self::LastValue);
        all
    }

    /// AR on the series and its logarithms, on the differences of both, over a season too.
    pub fn autoregressions(season: Option<usize>) -> Vec<Self> {
        let seasons: Vec<Option<usize>> = std::iter::once(None).chain(season.map(Some)).collect();
        let mut all = Vec::new();
        for log in [false, true] {
            for difference in 0..2 {
                for &season in &seasons {
                    all.push(Self::Autoregression(Transform { log, season, difference }));
                }
            }
        }
        all
    }

    /// The family that it belongs to.
    pub fn family(&self) -> Family {
        match self {
            Self::Autoregression(_) => Family::Autoregression,
            Self::Smoothing { .. } => Family::Smoothing,
            Self::Arima { log: false } => Family::Arima,
            Self::Arima { log: true } => Family::ArimaOfLogarithms,
            Self::SeasonAgo | Self::LastValue => Family::Naive,
        }
    }

    /// The member, fitted to the rows of a column. None where they are too few, have no logarithms, or do not determine it.
    pub fn fit(&self, rows: &[f64], season: Option<usize>) -> Option<FittedMember> {
        let recent = &rows[rows.len().saturating_sub(MOST_ROWS)..];
        match *self {
            Self::Autoregression(transform) => {
                if transform.season.is_some_and(|season| recent.len() < 3 * season) {
                    return None;
                }
                let mapped = transform.forward(recent).ok()?;
                if mapped.len() < 10 {
                    return None;
                }
                let most = most_lags(mapped.len(), season);
                let model = Autoregression::choose(&mapped, most, Criterion::Bic).ok()?;
                Some(FittedMember::Autoregression { transform, model })
            }
            Self::Smoothing { log, trend } => {
                let first = rows.len().saturating_sub(most_smoothed(season.unwrap_or(1)));
                let mapped = logarithms(&rows[first..], log)?;
                let season = season.filter(|season| mapped.len() >= 2 * season + 2).unwrap_or(1);
                let model = ExponentialSmoothing::fit(&mapped, season, trend)?;
                Some(FittedMember::Smoothing { log, model, first })
            }
            Self::Arima { log } => {
                let first = rows.len().saturating_sub(MOST_ROWS);
                let recent = &rows[rows.len().saturating_sub(most_rows_of_arima(season))..];
                let mapped = logarithms(recent, log)?;
                let transform = Transform { log, ..differences(&mapped, season) };
                let rows = transform.forward(recent).ok()?;
                // The mean of a second difference would be a bend for ever.
                let may_have_mean =
                    transform.difference + usize::from(transform.season.is_some()) < 2;
                let model = Arma::choose(&rows, season.unwrap_or(1), may_have_mean)?;
                Some(FittedMember::Arima { transform, model, first })
            }
            Self::SeasonAgo => {
                let season = season.filter(|season| rows.len() >= *season)?;
                Some(FittedMember::SeasonAgo(season))
            }
            Self::LastValue => (!rows.is_empty()).then_some(FittedMember::LastValue),
        }
    }
}

/// The highest order that is tried: `10 log₁₀ n`, and two seasons and a row at least, but less than a third of the rows.
fn most_lags(rows: usize, season: Option<usize>) -> usize {
    let usual = (10.0 * (rows as f64).log10()).round() as usize;
    let most = usual.max(season.map_or(0, |season| 2 * season + 1));
    most.min((rows / 3).saturating_sub(2)).min(20_000_000 / rows.max(1))
}

/// The most rows that a smoothing is fitted to: four seasons at least.
fn most_smoothed(season: usize) -> usize {
    MOST_ROWS.max(4 * season)
}

/// Whether all of it are numbers.
fn is_whole(forecast: &[f64]) -> bool {
    forecast.iter().all(|value| value.is_finite())
}

/// The series, or its logarithms if it has any.
fn logarithms(rows: &[f64], log: bool) -> Option<Vec<f64>> {
    match log {
        true => rows.iter().map(|&x| (x > 0.0).then(|| x.ln())).collect(),
        false => Some(rows.to_vec()),
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Autoregression(Transform { log, season, difference }) => {
                f.write_str("AR")?;
                let parts = [
                    log.then_some("logarithms"),
                    season.map(|_| "seasonal differences"),
                    (difference > 0).then_some("differences"),
                ];
                let parts: Vec<&str> = parts.into_iter().flatten().collect();
                if parts.is_empty() { Ok(()) } else { write!(f, " of {}", parts.join(", ")) }
            }
            Self::Smoothing { log, trend } => {
                let of = if log { " of logarithms" } else { "" };
                write!(f, "smoothing{of}{}", if trend { " with a trend" } else { "" })
            }
            Self::Arima { log: false } => f.write_str("ARIMA"),
            Self::Arima { log: true } => f.write_str("ARIMA of logarithms"),
            Self::SeasonAgo => f.write_str("season ago"),
            Self::LastValue => f.write_str("last value"),
        }
    }
}

impl FittedMember {
    /// The forecasts of the `steps` rows after `past`, which begins with the row that the member was fitted from. None if it
    /// is too short, or a forecast is no number.
    pub fn ahead(&self, past: &[f64], steps: usize) -> Option<Vec<f64>> {
        self.each_ahead(past, &[past.len()], steps).next()?
    }

    /// The forecasts after each of the origins of a column, in ascending order, as if nothing after it were known.
    pub fn each_ahead<'a>(
        &'a self,
        column: &'a [f64],
        origins: &'a [usize],
        steps: usize,
    ) -> Box<dyn Iterator<Item = Option<Vec<f64>>> + 'a> {
        let last = origins.iter().copied().max().unwrap_or(0);
        // As far as there are logarithms, if it is of those.
        let known = |first: usize, log: bool| {
            let rows = column.get(first..last).unwrap_or_default();
            let end =
                rows.iter().position(|x| log && (*x <= 0.0 || x.is_nan())).unwrap_or(rows.len());
            &rows[..end]
        };
        let (log, model, first) = match self {
            Self::Smoothing { log, model, first } => (*log, model, *first),
            Self::Arima { transform, model, first } => {
                let (known, lost) = (known(*first, transform.log), transform.lost());
                let mapped = transform.forward(known).unwrap_or_default();
                let errors = model.residuals(&mapped);
                return Box::new(origins.iter().map(move |origin| {
                    let past = known.get(..origin.checked_sub(*first)?)?;
                    let end = past.len().checked_sub(lost).filter(|end| *end > 0)?;
                    let ahead = model.after((&mapped[..end], &errors[..end]), steps);
                    transform.inverse(&past[end..], &ahead).ok().filter(|f| is_whole(f))
                }));
            }
            _ => {
                let of =
                    move |&end: &usize| self.after(&column[..end], steps).filter(|f| is_whole(f));
                return Box::new(origins.iter().map(of));
            }
        };
        let most = most_smoothed(model.start.season.len());
        let known = known(first, log).iter().map(|x| if log { x.ln() } else { *x });
        let (known, mut from): (Vec<f64>, usize) = (known.collect(), 0);
        let mut walk = model.walk();
        // Each row is walked over once or twice: far from its start a recursion begins anew, so that it is nowhere much longer
        // than what it was fitted to, where it may grow without bound.
        Box::new(origins.iter().map(move |origin| {
            let past = known.get(..origin.checked_sub(first)?)?;
            if past.len() < from {
                (from, walk) = (0, model.walk());
            }
            if past.len() - from > 2 * most {
                from = past.len() - most;
                walk = model.restarted(&past[from..])?.walk();
            }
            let mut forecast = walk.ahead(&past[from..], steps);
            if log {
                forecast.iter_mut().for_each(|value| *value = value.exp());
            }
            Some(forecast).filter(|f| is_whole(f))
        }))
    }

    /// The forecasts after `past` of a member without a recursion.
    fn after(&self, past: &[f64], steps: usize) -> Option<Vec<f64>> {
        Some(match self {
            Self::Autoregression { transform, model } => {
                let needed = transform.lost() + model.lags.len().max(1);
                let recent = &past[past.len().checked_sub(needed)?..];
                let mapped = transform.forward(recent).ok()?;
                transform.inverse(recent, &model.ahead(&mapped, steps)).ok()?
            }
            Self::Smoothing { .. } | Self::Arima { .. } => return None,
            &Self::SeasonAgo(season) => {
                let last = &past[past.len().checked_sub(season)?..];
                last.iter().copied().cycle().take(steps).collect()
            }
            Self::LastValue => vec![*past.last()?; steps],
        })
    }

    /// Rows before the first one that it forecasts.
    pub fn needs(&self) -> usize {
        match self {
            Self::Autoregression { transform, model } => transform.lost() + model.lags.len().max(1),
            Self::Smoothing { model, first, .. } => first + model.starting_rows(),
            Self::Arima { transform, model, first } => {
                first + transform.lost() + model.longest_lag().max(1)
            }
            &Self::SeasonAgo(season) => season,
            Self::LastValue => 1,
        }
    }

    /// The same for a series that begins with another row; none if that is too short.
    pub fn restarted(&self, series: &[f64]) -> Option<Self> {
        match self {
            Self::Smoothing { log, model, .. } => {
                let most = most_smoothed(model.start.season.len());
                let first = series.len().saturating_sub(most);
                let model = model.restarted(&logarithms(&series[first..], *log)?)?;
                Some(Self::Smoothing { log: *log, model, first })
            }
            Self::Arima { transform, model, .. } => {
                let first = series.len().saturating_sub(MOST_ROWS);
                transform.forward(&series[first..]).ok()?;
                Some(Self::Arima { transform: *transform, model: model.clone(), first })
            }
            other => Some(other.clone()),
        }
    }
}
