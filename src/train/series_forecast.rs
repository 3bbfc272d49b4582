//! What a run on a series forecasts with: its network, AR(τ) and the naive forecasts; how far off each of them was; and
//! the rows to come.

use super::checkpoint::Checkpoints;
use super::later_rows::differences;
use super::lessons::{Trained, trained};
use super::memory::check_memory;
use super::series::{NetworkSize, untrained};
use super::series_run::{self, AUTOREGRESSION, SeriesRun, SeriesRunError};
use crate::data::dates::{Calendar, CalendarError, DateOptions, Moment};
use crate::data::features::Features;
use crate::data::naive::NaiveError;
use crate::data::series::{Reading, Series, SeriesOptions};
use crate::model::forecast::{
    Autoregressions, ColumnErrors, Forecaster, LastValue, Method, NetworkForecaster, Outlook,
    SeasonAgo, TestedMethod, backtest, column_errors, origins, outlook, squared_error,
};
use std::path::{Path, PathBuf};

/// Paths that intervals are quantiles of, where no other number is asked for.
pub const PATHS: usize = 1000;

/// The levels of intervals, where no others are asked for.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// A run with its series and what each of its methods would have forecast before; the one that was trained is the first.
pub struct Backtests {
    /// The run.
    pub run: SeriesRun,
    /// The series.
    pub series: Series,
    /// Its dates.
    pub dates: Option<Calendar>,
    /// The methods.
    pub methods: Vec<TestedMethod>,
    /// Why better checkpoints could not be read, a line each.
    pub warnings: Vec<String>,
}

impl Backtests {
    /// Forecasts the validation rows of a run by each of its methods.
    ///
    /// # Errors
    /// If the network cannot be read, or a column not be transformed.
    pub fn new(
        run: SeriesRun,
        series: Series,
        dates: Option<Calendar>,
    ) -> Result<Self, SeriesRunError> {
        let subject = &run.config.subject;
        let origins = origins(series.rows(), run.data.split, subject.horizon, subject.stride);
        let naive = run.naive_features(&series)?;
        let (mut methods, mut warnings) = (Vec::new(), Vec::new());
        for key in run.method_keys() {
            let method = run.method(key, &naive, (&series, dates.as_ref()), &mut warnings)?;
            let test = backtest(&method, &series, &origins)?;
            methods.push(TestedMethod { key, method, test });
        }
        Ok(Self { run, series, dates, methods, warnings })
    }

    /// The errors of all columns.
    ///
    /// # Errors
    /// If there is no forecast.
    pub fn column_errors(&self) -> Result<Vec<ColumnErrors>, NaiveError> {
        let season = self.run.config.subject.season.unwrap_or(1);
        column_errors(&self.methods, &self.series, self.run.data.split, season)
    }

    /// The loss of AR(τ) on the rows that it was fitted to; its variance where there are too few for a forecast.
    pub fn autoregression_training_loss(&self) -> f64 {
        let data = &self.run.data;
        let linear = self.methods.iter().find(|tested| tested.key == AUTOREGRESSION);
        let Method { forecaster, rows, .. } = &linear.expect("every run has it").method;
        let horizon = self.run.config.subject.horizon;
        let needs = rows.first + forecaster.reach();
        let origins = origins(data.split, needs, horizon, 1);
        match origins.is_empty() {
            true => data.autoregressions[0].variance,
            false => squared_error(&**forecaster, rows, data.names.len(), &origins),
        }
    }

    /// Columns whose validation rows leave the range of the training rows, where the network reads levels: it has learnt
    /// nothing of what is out there.
    pub fn columns_outside_training_range(&self) -> Vec<&str> {
        /// The share of the validation rows that has to be outside.
        const SHARE: f64 = 0.2;
        let run = &self.run;
        if run.config.cell == AUTOREGRESSION || run.data.features.transform.differs() {
            return Vec::new();
        }
        let leaves = |values: &[f64]| {
            let (training, valid) = values.split_at(run.data.split);
            let least = training.iter().copied().fold(f64::INFINITY, f64::min);
            let most = training.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let out = valid.iter().filter(|value| !(least..=most).contains(*value)).count();
            out as f64 > SHARE * valid.len() as f64
        };
        let columns = self.series.names.iter().zip(&self.series.values);
        columns.filter(|(_, values)| leaves(values)).map(|(name, _)| name.as_str()).collect()
    }
}

/// What to forecast.
#[derive(Clone, Debug)]
pub struct ForecastOptions {
    /// Rows; none: the run's horizon, and a season at least, or 12 rows without one.
    pub steps: Option<usize>,
    /// The key of the method; none: what was trained.
    pub method: Option<String>,
    /// A CSV file with later rows of the same columns, after which to forecast; none: the run's own.
    pub from: Option<PathBuf>,
    /// How that file is written; none: as the run's.
    pub reading: Option<Reading>,
    /// How its dates are read; none: as the run's.
    pub dates: Option<DateOptions>,
    /// Paths that intervals are quantiles of.
    pub paths: usize,
    /// Seed of the residuals that are drawn.
    pub seed: u64,
}

impl Default for ForecastOptions {
    fn default() -> Self {
        Self {
            steps: None,
            method: None,
            from: None,
            reading: None,
            dates: None,
            paths: PATHS,
            seed: 1,
        }
    }
}

/// The rows to come of a series.
#[derive(Clone, Debug)]
pub struct SeriesForecast {
    /// The key of the method.
    pub key: &'static str,
    /// Its name.
    pub method: String,
    /// The series before them.
    pub series: Series,
    /// Its dates.
    pub dates: Option<Calendar>,
    /// The dates of the rows to come; none if the dates do not tell.
    pub following: Vec<Moment>,
    /// The forecast.
    pub outlook: Outlook,
    /// What makes it less certain, a line each.
    pub warnings: Vec<String>,
}

impl SeriesForecast {
    /// The date of a row to come, counted from 0, written as those of the series are.
    pub fn date(&self, step: usize) -> Option<String> {
        let dates = self.dates.as_ref().zip(self.following.get(step));
        dates.map(|(calendar, &date)| calendar.label(date))
    }
}

impl SeriesRun {
    /// The methods that `SeriesRun::method` knows, what was trained first.
    pub fn method_keys(&self) -> Vec<&'static str> {
        let network = (self.config.cell != AUTOREGRESSION).then_some("network");
        let season = self.config.subject.season.map(|_| "season_ago");
        network.into_iter().chain([AUTOREGRESSION, "last_value"]).chain(season).collect()
    }

    /// The scale of the naive forecasts: they know no differences and no calendar; their errors are in percent where the
    /// network's are.
    fn naive_features(&self, series: &Series) -> Result<Features, SeriesRunError> {
        let transform = self.data.features.transform.without_differences();
        Ok(Features::fit(series, self.data.split, transform, Vec::new())?)
    }

    /// A method of this run for a series, which may be a later one than the run's own.
    fn method(
        &self,
        key: &str,
        naive: &Features,
        (series, dates): (&Series, Option<&Calendar>),
        warnings: &mut Vec<String>,
    ) -> Result<Method<'static>, SeriesRunError> {
        let (subject, data) = (&self.config.subject, &self.data);
        let horizon = subject.horizon;
        let of = |name: String, features: &Features, forecaster: Box<dyn Forecaster>| {
            Ok(Method::new(name, features.clone(), (series, dates), forecaster)?)
        };
        match (key, subject.season) {
            ("network", _) => {
                let [_, network] = self.networks(warnings)?;
                let NetworkSize { hidden, layers } = subject.network;
                let name = format!("{}, {layers} × {hidden} units", self.config.cell);
                of(name, &data.features, Box::new(network))
            }
            ("last_value", _) => of("last value".into(), naive, Box::new(LastValue { horizon })),
            ("season_ago", Some(season)) => {
                let name = format!("value {season} rows ago");
                of(name, naive, Box::new(SeasonAgo { season, horizon }))
            }
            _ => {
                let models = data.autoregressions.clone();
                let orders = models.iter().map(|model| model.lags.len().to_string());
                let mut orders: Vec<String> = orders.collect();
                orders.dedup();
                let name = format!("AR({})", orders.join(", "));
                of(name, &data.features, Box::new(Autoregressions { models, horizon }))
            }
        }
    }

    /// The network of this run before training and after it; `warnings` gets the reasons why better checkpoints could not
    /// be read, a line each.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn networks(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<[NetworkForecaster; 2], SeriesRunError> {
        let (device, dtype) = self.device()?;
        let (subject, seed) = (&self.config.subject, self.config.training.seed);
        let output = subject.output(self.data.names.len());
        let sizes = (self.data.features.width(), output);
        let NetworkSize { hidden, layers } = subject.network;
        let cell = self.cell()?;
        Checkpoints::of(&self.folder).check(cell.shape(), [sizes.0, hidden, layers])?;
        let options = (&device, dtype);
        let before = untrained(cell, sizes, subject.network, seed, |config| config, options);
        let Trained { model: after, refused } = trained(before.clone(), &self.folder)?;
        warnings.extend(refused.iter().map(ToString::to_string));
        let window = self.config.length.window;
        let forecaster = |network| {
            let device = device.clone();
            NetworkForecaster { network, output, window, device, dtype }
        };
        Ok([before, after].map(forecaster))
    }

    /// What each of the methods of this run would have forecast before.
    ///
    /// # Errors
    /// If the run or its series cannot be read.
    pub fn backtests(self) -> Result<Backtests, SeriesRunError> {
        let series = series_run::read(&self)?;
        let dates = series.calendar.clone();
        Backtests::new(self, series, dates)
    }

    /// Forecasts the rows to come, with intervals from the errors of the run's backtest.
    ///
    /// # Errors
    /// If the run or the file of later rows cannot be read, there is no such method, or it has no forecast.
    pub fn forecast(&self, options: &ForecastOptions) -> Result<SeriesForecast, SeriesRunError> {
        let (subject, data) = (&self.config.subject, &self.data);
        let mut series = series_run::read(self)?;
        let mut dates = series.calendar.clone();
        let keys = self.method_keys();
        let key = match &options.method {
            None => keys[0],
            Some(name) => {
                let found = keys.iter().find(|key| **key == name.replace('-', "_"));
                *found.ok_or_else(|| SeriesRunError::Method {
                    name: name.clone(),
                    methods: keys.iter().map(|key| key.replace('_', "-")).collect(),
                })?
            }
        };
        let naive = self.naive_features(&series)?;
        let mut warnings = Vec::new();
        let mut method = self.method(key, &naive, (&series, dates.as_ref()), &mut warnings)?;
        let origins = origins(series.rows(), data.split, subject.horizon, subject.stride);
        let errors = backtest(&method, &series, &origins)?;
        if errors.origins.len() < 20 {
            warnings.push(format!(
                "the intervals come from {} forecasts of the backtest only, and are rough",
                errors.origins.len()
            ));
        }
        if !data.exogenous.is_empty() && key == "network" {
            warnings.push(format!("{} held at the last value", data.exogenous.join(", ")));
        }

        if let Some(file) = &options.from {
            let named = |error: SeriesRunError| SeriesRunError::Later {
                file: file.display().to_string(),
                reason: error.to_string(),
            };
            let later = self.later(file, options)?;
            warnings.extend(differences(&later, &series, data.split));
            series = later;
            dates = series.calendar.clone();
            let known = (&series, dates.as_ref());
            method = self.method(key, &naive, known, &mut Vec::new()).map_err(named)?;
        }
        let steps =
            options.steps.unwrap_or_else(|| subject.horizon.max(subject.season.unwrap_or(12)));
        // The paths, scaled and in units, and what a forecaster reads of them.
        let held = options.paths as f64 * (3 * steps * data.names.len()) as f64;
        let read = options.paths as f64 * (method.needs() * data.features.width()) as f64;
        check_memory(8.0 * (held + 3.0 * read), "--steps or --paths")?;
        let following = following(dates.as_ref(), &data.features, steps)?;
        let budget = (steps, options.paths, options.seed);
        let outlook = outlook(&method, (&series, series.rows()), &following, &errors, budget)?;
        Ok(SeriesForecast { key, method: method.name, series, dates, following, outlook, warnings })
    }

    /// The later rows in the file, which has the columns of this run.
    fn later(&self, file: &Path, options: &ForecastOptions) -> Result<Series, SeriesRunError> {
        let columns = self.config.subject.columns();
        let reading = options.reading.as_ref().unwrap_or(&columns.reading).clone();
        let dates = options.dates.as_ref().unwrap_or(&columns.dates).clone();
        let columns = SeriesOptions { reading, dates, usual_decimal: self.data.decimal, ..columns };
        let series = Series::read(file, &columns)?;
        let (names, exogenous) = (&self.data.names, &self.data.exogenous);
        if &series.names != names || &series.exogenous_names != exogenous {
            return Err(SeriesRunError::Columns {
                file: file.display().to_string(),
                found: [series.names, series.exogenous_names].concat(),
                expected: [names.clone(), exogenous.clone()].concat(),
            });
        }
        Ok(series)
    }
}

/// The dates of the rows to come; none where they do not tell and no feature needs them.
///
/// # Errors
/// If calendar features need them.
pub fn following(
    dates: Option<&Calendar>,
    features: &Features,
    steps: usize,
) -> Result<Vec<Moment>, CalendarError> {
    match dates.map(|calendar| calendar.following(steps)) {
        Some(Ok(dates)) => Ok(dates),
        Some(Err(error)) if !features.calendar.is_empty() => Err(error),
        _ => Ok(Vec::new()),
    }
}
