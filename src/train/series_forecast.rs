//! What a run on a series forecasts with: its network, AR(τ), exponential smoothing, the naive forecasts, and a combination of
//! them and of ARIMA; how far off each of them was; and the rows to come.
//!
//! A moment divides what is known from what is to come: the beginning of the validation, that of the test, the end of the
//! series. At each of them the same is done with what is known: the members of a combination are weighed on rolling origins
//! among it ([`Trial`](crate::model::forecast::Trial)), and fitted to it. So the validation rows, which say which method is
//! used, how much of it is the network and how wide intervals are, have no part in the forecasts of themselves, and the
//! test rows have none in anything that is tested. The forecast of the rows to come is what the same rule makes of all rows.

use super::checkpoint::Checkpoints;
use super::known_inputs::code;
use super::later_rows::differences;
use super::lessons::{Trained, trained};
use super::memory::check_memory;
use super::series::{NetworkSize, untrained};
use super::series_run::{self, AUTOREGRESSION, SeriesRun, SeriesRunError};
use crate::data::accuracy::scale;
use crate::data::dates::{Calendar, CalendarError, DateOptions, Moment};
use crate::data::features::{Features, Rows};
use crate::data::naive::NaiveError;
use crate::data::series::{Reading, Series, SeriesOptions};
use crate::model::Autoregression;
use crate::model::forecast::{
    Autoregressions, Backtest, ColumnErrors, Combination, EnsembleForecaster, Family,
    FittedCombination, FittedMember, Forecaster, Importance, Intervals, Member, Method,
    NetworkForecaster, Outlook, Predictor, TestedMethod, column_errors, mean, mean_loss, mixed,
    origins,
};
use std::path::{Path, PathBuf};

/// The levels of intervals, where no others are asked for.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// The key of the median of the members, with the network's share.
pub const COMBINATION: &str = "combination";

/// A run with its series and what each of its methods would have forecast before; the one that is used is the first.
pub struct Backtests {
    /// The run.
    pub run: SeriesRun,
    /// The series.
    pub series: Series,
    /// The series without the effects of columns that are known ahead.
    pub plain: Series,
    /// Its dates.
    pub dates: Option<Calendar>,
    /// The methods.
    pub methods: Vec<TestedMethod>,
    /// What the combination is made of at the beginning of the test, a column each: the parts with their shares.
    pub shares: Vec<Vec<(&'static str, f64)>>,
    /// The rows in the scale of the run.
    pub rows: Rows,
    /// Why better checkpoints could not be read, a line each.
    pub warnings: Vec<String>,
    /// What the method that is used listens to, a column each; nothing where only the rows to come are forecast.
    pub importance: Vec<Importance>,
    /// How much of the combination is the network, a column each.
    pub(super) network_shares: Vec<f64>,
}

impl Backtests {
    /// Forecasts the validation and test rows of a run by each of its methods.
    ///
    /// # Errors
    /// If the network cannot be read, or a column not be transformed.
    pub fn new(
        run: SeriesRun,
        series: Series,
        dates: Option<Calendar>,
    ) -> Result<Self, SeriesRunError> {
        Self::of(run, series, dates, true)
    }

    /// The same without a test.
    pub(super) fn validated(
        run: SeriesRun,
        series: Series,
        dates: Option<Calendar>,
    ) -> Result<Self, SeriesRunError> {
        Self::of(run, series, dates, false)
    }

    fn of(
        run: SeriesRun,
        series: Series,
        dates: Option<Calendar>,
        is_tested: bool,
    ) -> Result<Self, SeriesRunError> {
        let (data, horizon, stride) =
            (&run.data, run.config.subject.horizon, run.config.subject.stride);
        let plain = run.without_effects(&series);
        let rows = data.features.rows(&plain, dates.as_ref())?;
        let parts = [
            (data.split, data.validation(horizon, stride)),
            (data.test, data.tests(horizon, stride)),
        ];
        let parts = &parts[..if is_tested && !parts[1].1.is_empty() { 2 } else { 1 }];
        let mut warnings = Vec::new();
        let networks = run.network_methods((&plain, dates.as_ref()), &mut warnings)?;
        let log = data.features.transform.log;
        let tested = |key, name: String, mut backtests: Vec<Backtest>| {
            let test = (backtests.len() > 1).then(|| backtests.remove(1));
            let validation = backtests.remove(0);
            let intervals = Intervals::of(&validation, &series, log);
            TestedMethod { key, name, validation, test, intervals }
        };
        let mut learnt = Vec::new();
        for (_, origins) in parts.iter().filter(|_| !networks.is_empty()) {
            let each = networks.iter().map(|network| network.backtest(&plain, origins));
            let forecasts = mean(&each.collect::<Result<Vec<_>, _>>()?);
            let (origins, targets) = (origins.clone(), series.values.len());
            let mut backtest = Backtest { origins, horizon, targets, forecasts };
            run.put_back(&mut backtest, &series);
            learnt.push(backtest);
        }
        let (mut methods, mut network_shares) = (Vec::new(), vec![0.0; series.values.len()]);
        let mut shares = Vec::new();
        let mut recipes_before = Vec::new();
        for key in run.method_keys().into_iter().filter(|key| *key != "network") {
            let mut backtests = Vec::new();
            for (known, origins) in parts {
                let recipes = run.recipes(key, &plain, *known);
                let mut backtest = run.backtest(&recipes, &plain, origins)?;
                run.put_back(&mut backtest, &series);
                if key == COMBINATION {
                    shares = recipes.iter().map(Recipe::shares).collect();
                }
                backtests.push(backtest);
                if *known == data.split {
                    recipes_before.push((key, recipes));
                }
            }
            if key == COMBINATION && !learnt.is_empty() {
                network_shares = shares_of_network(&backtests[0], &learnt[0], &series);
                for (backtest, learnt) in backtests.iter_mut().zip(&learnt) {
                    backtest.forecasts =
                        mixed(&backtest.forecasts, &learnt.forecasts, &network_shares);
                }
            }
            methods.push(tested(key, run.name(key), backtests));
        }
        if !learnt.is_empty() {
            methods.insert(1, tested("network", run.name("network"), learnt));
        }
        for (shares, network) in shares.iter_mut().zip(&network_shares) {
            shares.iter_mut().for_each(|(_, share)| *share *= 1.0 - network);
            shares.extend((*network > 0.0).then_some(("network", *network)));
        }
        let used = used(&methods, &series, data.split);
        methods[..=used].rotate_right(1);
        let mut importance = Vec::new();
        if is_tested {
            let key = methods[0].key;
            let recipes = recipes_before.iter().find(|(other, _)| *other == key);
            // The network alone has no members.
            let members = recipes.map_or_else(
                || vec![FittedCombination { parts: Vec::new() }; network_shares.len()],
                |(_, recipes)| run.fit(recipes, &plain, run.data.split),
            );
            let shares = match key {
                COMBINATION => network_shares.clone(),
                "network" => vec![1.0; network_shares.len()],
                _ => vec![0.0; network_shares.len()],
            };
            importance = run.importance((&plain, &rows), &members, &shares)?;
        }
        Ok(Self {
            run,
            series,
            plain,
            dates,
            methods,
            shares,
            rows,
            warnings,
            importance,
            network_shares,
        })
    }

    /// What a method forecasts of the `steps` rows after each of the origins, fitted to the first `known` rows and again every
    /// few origins.
    pub(super) fn forecast_after(
        &self,
        key: &str,
        known: usize,
        origins: &[usize],
        steps: usize,
    ) -> Result<Backtest, SeriesRunError> {
        let (run, plain) = (&self.run, &self.plain);
        let (horizon, targets) = (run.config.subject.horizon, plain.values.len());
        let mut learnt = Vec::new();
        let shares = &self.network_shares;
        if key == "network" || key == COMBINATION && shares.iter().any(|share| *share > 0.0) {
            let networks = run.network_methods((plain, self.dates.as_ref()), &mut Vec::new())?;
            let each = networks.iter().map(|network| network.backtest(plain, origins));
            learnt = mean(&each.collect::<Result<Vec<_>, _>>()?);
        }
        let forecasts = match key {
            "network" => learnt,
            _ => {
                let linear = run.backtest(&run.recipes(key, plain, known), plain, origins)?;
                match learnt.is_empty() {
                    true => linear.forecasts,
                    false => mixed(&linear.forecasts, &learnt, shares),
                }
            }
        };
        let whole = Backtest { origins: origins.to_vec(), horizon, targets, forecasts };
        let mut backtest = whole.first_steps(steps);
        run.put_back(&mut backtest, &self.series);
        Ok(backtest)
    }

    /// A method by its key.
    pub fn method(&self, key: &str) -> Option<&TestedMethod> {
        self.methods.iter().find(|method| method.key == key)
    }

    /// The mean loss of a method on the rows that validate, in the scale and the measure of the training.
    pub fn validation_loss(&self, method: &TestedMethod) -> f64 {
        let scale = (&self.run.data.features, &self.rows);
        let plain = self.run.taken_out(&method.validation, &self.series);
        plain.loss(self.run.config.subject.loss, &self.plain, scale)
    }

    /// The errors of all columns.
    ///
    /// # Errors
    /// If there is no forecast.
    pub fn column_errors(&self) -> Result<Vec<ColumnErrors>, NaiveError> {
        let season = self.run.config.subject.season.unwrap_or(1);
        column_errors(&self.methods, &self.series, (self.run.data.split, season), &LEVELS)
    }

    /// The loss of AR(τ) on the rows that it was fitted to; its variance where there are too few for a forecast.
    pub fn autoregression_training_loss(&self) -> f64 {
        let (data, subject) = (&self.run.data, &self.run.config.subject);
        let (models, horizon) = (data.autoregressions.clone(), subject.horizon);
        let forecaster = Autoregressions { models, horizon };
        let needs = self.rows.first + forecaster.reach();
        let origins = origins(data.split, needs, horizon, 1);
        match origins.is_empty() {
            true => data.autoregressions[0].variance,
            false => mean_loss(subject.loss, &forecaster, &self.rows, data.names.len(), &origins),
        }
    }

    /// Columns whose later rows leave the range of the training rows, where the network reads levels: it has learnt
    /// nothing of what is out there.
    pub fn columns_outside_training_range(&self) -> Vec<&str> {
        /// The share of the later rows that has to be outside.
        const SHARE: f64 = 0.2;
        let run = &self.run;
        if run.config.cell == AUTOREGRESSION || run.data.features.transform.differs() {
            return Vec::new();
        }
        let leaves = |values: &[f64]| {
            let (training, later) = values.split_at(run.data.split);
            let least = training.iter().copied().fold(f64::INFINITY, f64::min);
            let most = training.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let out = later.iter().filter(|value| !(least..=most).contains(*value)).count();
            out as f64 > SHARE * later.len() as f64
        };
        let columns = self.series.names.iter().zip(&self.series.values);
        columns.filter(|(_, values)| leaves(values)).map(|(name, _)| name.as_str()).collect()
    }

    /// The forecast of so many rows by a method of the run, after its own rows or after `later` ones, and their dates; without
    /// dates where those do not tell. `warnings` gets a line where the later rows are too few for the method.
    ///
    /// # Errors
    /// If the method has no forecast.
    pub fn outlook(
        &self,
        key: &str,
        steps: usize,
        later: Option<&Series>,
        future: Option<&[Vec<f64>]>,
        warnings: &mut Vec<String>,
    ) -> Result<(Outlook, Vec<Moment>), SeriesRunError> {
        let later = later.map(|later| self.run.without_effects(later));
        let later = later.as_ref();
        let series = later.unwrap_or(&self.plain);
        let dates = series.calendar.as_ref();
        let following = following(dates, &self.run.data.features, steps)?;
        let future = self.run.known_of(future, dates, &following)?;
        warnings.extend(self.run.holidays_end(dates, &following));
        let predictor = self.predictor(key, later.map(|later| (later, dates)), warnings)?;
        let mut point = predictor.ahead(series, &following, steps)?;
        self.run.put_ahead(&mut point, &future);
        let intervals = self.method(key).expect("one of the run").intervals.clone();
        let targets = series.values.len();
        Ok((Outlook { steps, targets, point, intervals }, following))
    }

    /// What a method forecasts with after all rows, and the rows that it starts from: those of the run, or later ones.
    fn predictor(
        &self,
        key: &str,
        later: Option<(&Series, Option<&Calendar>)>,
        warnings: &mut Vec<String>,
    ) -> Result<Predictor, SeriesRunError> {
        let run = &self.run;
        let known = later.unwrap_or((&self.plain, self.dates.as_ref()));
        let networks = || run.network_methods(known, &mut Vec::new());
        if key == "network" {
            return Ok(Predictor::Networks(networks()?));
        }
        let recipes = run.recipes(key, &self.plain, self.plain.rows());
        let mut members = run.fit(&recipes, &self.plain, self.plain.rows());
        if let Some((later, _)) = later {
            // Later rows may begin where the run's do, or anywhere.
            const SAME: usize = 8;
            for ((members, column), own) in
                members.iter_mut().zip(&later.values).zip(&self.plain.values)
            {
                if !column.starts_with(&own[..SAME.min(own.len())]) {
                    *members = members.restarted(column);
                }
                if members.ahead(column, 1).is_none() {
                    *members = FittedCombination::single(FittedMember::LastValue);
                    let rows = column.len();
                    let method = run.name(key);
                    warnings.push(format!(
                        "{rows} rows are too few for the {method}: the last value is forecast"
                    ));
                }
            }
        }
        let shares = self.network_shares.clone();
        match key == COMBINATION && shares.iter().any(|share| *share > 0.0) {
            true => Ok(Predictor::Both { members, networks: networks()?, shares }),
            false => Ok(Predictor::Members(members)),
        }
    }
}

/// The place of the method that is used: the combination, unless another one has an error on the rows that validate of less
/// than seven tenths of its own. A single method that is better by less is so by luck, mostly: over public series the
/// combination does better than whatever did best before.
fn used(methods: &[TestedMethod], series: &Series, split: usize) -> usize {
    const BETTER: f64 = 0.7;
    let scale = |column: &Vec<f64>| {
        let scale = scale(&column[..split], 1);
        if scale > 0.0 { scale } else { 1.0 }
    };
    let scales: Vec<f64> = series.values.iter().map(scale).collect();
    let errors = methods.iter().map(|method| method.validation_error(series, &scales));
    let errors: Vec<f64> = errors.collect();
    let better = |place: &usize| {
        errors[*place].is_finite()
            && (!errors[0].is_finite() || errors[*place] < BETTER * errors[0])
    };
    let better = (1..methods.len()).filter(better).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
    better.unwrap_or(0)
}

/// The share of the network of each column: `1 − (1.1 e_network / e_linear)²` of mean absolute errors on the rows that validate,
/// and none below 0: the part of the square that it saves. Its errors count a tenth more, because its best epoch was chosen on
/// these very rows, and it is not fitted again to later ones.
fn shares_of_network(linear: &Backtest, learnt: &Backtest, series: &Series) -> Vec<f64> {
    const FLATTERED: f64 = 1.1;
    let error = |test: &Backtest, column: usize| {
        let (forecasts, values) = test.pairs(series, column, 0..test.horizon);
        forecasts.iter().zip(&values).map(|(a, b)| (a - b).abs()).sum::<f64>() / values.len() as f64
    };
    let share = |column| {
        let [linear, learnt] = [linear, learnt].map(|test| error(test, column));
        let share = 1.0 - (FLATTERED * learnt / linear).powi(2);
        if share.is_finite() { share.max(0.0) } else { 0.0 }
    };
    (0..series.values.len()).map(share).collect()
}

/// What a method is fitted as to a column.
pub(super) enum Recipe {
    /// AR of the run's order on its transform.
    Autoregression(usize),
    /// Members with their weights.
    Members(Combination),
}

impl Recipe {
    /// The share of each family in the parts of the median.
    fn shares(&self) -> Vec<(&'static str, f64)> {
        let Self::Members(combination) = self else { return Vec::new() };
        let families = [
            (Family::Autoregression, "AR"),
            (Family::Smoothing, "smoothing"),
            (Family::Arima, "ARIMA"),
            (Family::ArimaOfLogarithms, "ARIMA of logarithms"),
            (Family::Naive, "naive"),
        ];
        let shares = families.into_iter().map(|(family, name)| (name, combination.share(family)));
        shares.filter(|(_, share)| *share > 0.0).collect()
    }
}

/// What to forecast.
#[derive(Clone, Debug, Default)]
pub struct ForecastOptions {
    /// Rows; none: the run's horizon, and a season at least, or 12 rows without one.
    pub steps: Option<usize>,
    /// The key of the method; none: the one that did best on the rows that validate.
    pub method: Option<String>,
    /// A CSV file with later rows of the same columns, after which to forecast; none: the run's own.
    pub from: Option<PathBuf>,
    /// A CSV file with the columns that are known ahead, of the rows to come.
    pub future: Option<PathBuf>,
    /// How that file is written; none: as the run's.
    pub reading: Option<Reading>,
    /// How its dates are read; none: as the run's.
    pub dates: Option<DateOptions>,
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
    /// The season that members know; one of a single row is none.
    fn members_season(&self) -> Option<usize> {
        self.config.subject.season.filter(|&season| season > 1)
    }

    /// The keys of the methods of this run.
    pub fn method_keys(&self) -> Vec<&'static str> {
        let network = (self.config.cell != AUTOREGRESSION).then_some("network");
        let season = self.members_season().map(|_| "season_ago");
        let linear = [AUTOREGRESSION, "smoothing", "last_value"];
        [COMBINATION].into_iter().chain(network).chain(linear).chain(season).collect()
    }

    /// The key of the method that was asked for by name.
    pub(super) fn asked(&self, name: Option<&str>) -> Result<Option<&'static str>, SeriesRunError> {
        let Some(name) = name else { return Ok(None) };
        let keys = self.method_keys();
        match keys.iter().find(|key| **key == name.replace('-', "_")) {
            Some(key) => Ok(Some(key)),
            None => Err(SeriesRunError::Method {
                name: name.into(),
                methods: keys.iter().map(|key| key.replace('_', "-")).collect(),
            }),
        }
    }

    /// What tables call a method.
    fn name(&self, key: &str) -> String {
        let subject = &self.config.subject;
        match key {
            "network" => {
                let NetworkSize { hidden, layers } = subject.network;
                let of = match subject.ensemble {
                    1 => String::new(),
                    networks => format!(", mean of {networks}"),
                };
                format!("{}, {layers} × {hidden} units{of}", self.config.cell)
            }
            AUTOREGRESSION => {
                let models = self.data.autoregressions.iter();
                let mut orders: Vec<String> =
                    models.map(|model| model.lags.len().to_string()).collect();
                orders.dedup();
                format!("AR({})", orders.join(", "))
            }
            "smoothing" => "exponential smoothing".into(),
            "season_ago" => format!("value {} rows ago", subject.season.unwrap_or(1)),
            key => key.replace('_', " "),
        }
    }

    /// How a method without a network is fitted, a column each, as the first `known` rows tell.
    pub(super) fn recipes(&self, key: &str, series: &Series, known: usize) -> Vec<Recipe> {
        let (season, horizon) = (self.members_season(), self.config.subject.horizon);
        let single = |member| Recipe::Members(Combination::single(member));
        let columns = series.values.iter().zip(&self.data.autoregressions);
        let of = |(column, model): (&Vec<f64>, &Autoregression)| {
            let rows = &column[..known];
            match key {
                AUTOREGRESSION => Recipe::Autoregression(model.lags.len()),
                "smoothing" => {
                    let family = Family::Smoothing;
                    Recipe::Members(Combination::of_family(rows, season, horizon, family))
                }
                "last_value" => single(Member::LastValue),
                "season_ago" => single(Member::SeasonAgo),
                _ => Recipe::Members(Combination::choose(rows, season, horizon)),
            }
        };
        columns.map(of).collect()
    }

    /// The members of each column, fitted to the first `known` rows.
    pub(super) fn fit(
        &self,
        recipes: &[Recipe],
        series: &Series,
        known: usize,
    ) -> Vec<FittedCombination> {
        let transform = self.data.features.transform;
        let of = |(recipe, column): (&Recipe, &Vec<f64>)| {
            let rows = &column[..known];
            match recipe {
                Recipe::Members(combination) => combination.fit(rows, self.members_season()),
                Recipe::Autoregression(lags) => {
                    let mapped = transform.forward(rows).ok();
                    let model = mapped.and_then(|mapped| Autoregression::fit(&mapped, *lags).ok());
                    let member = match model {
                        Some(model) => FittedMember::Autoregression { transform, model },
                        None => FittedMember::LastValue,
                    };
                    FittedCombination::single(member)
                }
            }
        };
        recipes.iter().zip(&series.values).map(of).collect()
    }

    /// The forecasts from each of the origins, the members being fitted again every few of them to the rows before.
    fn backtest(
        &self,
        recipes: &[Recipe],
        series: &Series,
        origins: &[usize],
    ) -> Result<Backtest, SeriesRunError> {
        /// So often at most.
        const FITS: usize = 8;
        let (horizon, targets) = (self.config.subject.horizon, series.values.len());
        let mut forecasts = Vec::new();
        for some in origins.chunks(origins.len().div_ceil(FITS)) {
            let members = self.fit(recipes, series, some[0]);
            forecasts.extend(Backtest::of_members(&members, series, some, horizon)?.forecasts);
        }
        Ok(Backtest { origins: origins.to_vec(), horizon, targets, forecasts })
    }

    /// The networks of this run as methods for a series, which may be a later one than the run's own; none without.
    pub(super) fn network_methods(
        &self,
        known: (&Series, Option<&Calendar>),
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Method<'static>>, SeriesRunError> {
        if self.config.cell == AUTOREGRESSION {
            return Ok(Vec::new());
        }
        let [_, networks] = self.ensembles(warnings)?;
        Ok(vec![Method::new(self.name("network"), self.data.features.clone(), known, networks)?])
    }

    /// The first network of this run before training and after it; see [`ensembles`](Self::ensembles).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn networks(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<[NetworkForecaster; 2], SeriesRunError> {
        Ok(self.ensembles(warnings)?.map(|mut ensemble| ensemble.members.swap_remove(0)))
    }

    /// The networks of this run before training and after it; `warnings` gets the reasons why better checkpoints could not
    /// be read, a line each.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn ensembles(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<[EnsembleForecaster; 2], SeriesRunError> {
        let (device, dtype) = self.device()?;
        let (subject, seed) = (&self.config.subject, self.config.training.seed);
        let output = self.data.output(subject.horizon);
        let sizes = [self.data.features.width(), output.width()];
        let NetworkSize { hidden, layers } = subject.network;
        let cell = self.cell()?;
        Checkpoints::of(&self.folder).check(cell.shape(), [sizes[0], hidden, layers])?;
        let options = (&device, dtype);
        let size = (subject.network, subject.ensemble);
        let before = untrained(cell, sizes, size, seed, |config| config, options);
        let Trained { model: after, refused } = trained(before.clone(), &self.folder)?;
        warnings.extend(refused.iter().map(ToString::to_string));
        let window = self.config.length.window;
        let forecaster = |ensemble| EnsembleForecaster::new(ensemble, (&output, window), options);
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

    /// Forecasts the rows to come, with intervals from the errors of the rows that validate.
    ///
    /// # Errors
    /// If the run or the file of later rows cannot be read, there is no such method, or it has no forecast.
    pub fn forecast(&self, options: &ForecastOptions) -> Result<SeriesForecast, SeriesRunError> {
        let (subject, data) = (&self.config.subject, &self.data);
        let series = series_run::read(self)?;
        let asked = self.asked(options.method.as_deref())?;
        let later = options.from.as_ref().map(|file| self.later(file, options)).transpose()?;
        let last = later.as_ref().unwrap_or(&series);
        let mut warnings = Vec::new();
        let future = match &options.future {
            Some(file) => {
                Some(self.read_future(file, (last, last.calendar.as_ref()), &mut warnings)?)
            }
            None => None,
        };
        let found = future.as_ref().map(|columns| columns[0].len());
        let usual = subject.horizon.max(subject.season.unwrap_or(12));
        let steps = options.steps.or(found.filter(|found| *found > 0)).unwrap_or(usual);
        if let (Some(file), Some(found)) = (&options.future, found.filter(|found| *found < steps)) {
            let file = file.display().to_string();
            return Err(SeriesRunError::ShortFuture { file, found, steps });
        }
        check_memory(64.0 * (steps * data.names.len()) as f64, "--steps")?;
        let dates = series.calendar.clone();
        let backtests = Backtests::validated(self.clone(), series, dates)?;
        let key = asked.unwrap_or(backtests.methods[0].key);
        let method = backtests.method(key).expect("one of the keys");
        warnings.extend(backtests.warnings.iter().cloned());
        if method.validation.origins.len() < 20 {
            warnings.push(format!(
                "the intervals come from {} forecasts of validation rows only, and are rough",
                method.validation.origins.len()
            ));
        }
        let reads = key == "network" || key == COMBINATION && self.config.cell != AUTOREGRESSION;
        let held = &data.exogenous[..data.exogenous.len() - data.known()];
        if !held.is_empty() && reads {
            warnings.push(format!("{} held at the last value", held.join(", ")));
        }
        let future = future.as_deref();
        let (series, (outlook, following)) = match options.from.as_ref().zip(later) {
            None => {
                let outlook = backtests.outlook(key, steps, None, future, &mut warnings)?;
                (backtests.series.clone(), outlook)
            }
            Some((file, later)) => {
                warnings.extend(differences(&later, &backtests.series, data.split));
                let named = |error: SeriesRunError| SeriesRunError::Later {
                    file: file.display().to_string(),
                    reason: error.to_string(),
                };
                let forecast = backtests.outlook(key, steps, Some(&later), future, &mut warnings);
                let forecast = forecast.map_err(named)?;
                (later, forecast)
            }
        };
        let (method, dates) = (method.name.clone(), series.calendar.clone());
        Ok(SeriesForecast { key, method, series, dates, following, outlook, warnings })
    }

    /// The later rows in the file, which has the columns of this run.
    pub(super) fn later(
        &self,
        file: &Path,
        options: &ForecastOptions,
    ) -> Result<Series, SeriesRunError> {
        let columns = self.config.subject.columns();
        let reading = options.reading.as_ref().unwrap_or(&columns.reading).clone();
        let dates = options.dates.as_ref().unwrap_or(&columns.dates).clone();
        let categories = self.data.categories.iter().chain(&self.data.known_categories);
        let categorical = categories.map(|known| known.column.clone()).collect();
        let usual_decimal = self.data.decimal;
        let columns = SeriesOptions { reading, dates, categorical, usual_decimal, ..columns };
        let series = Series::read(file, &columns)?;
        let series = code(&self.data, series).map_err(|column| {
            let file = file.display().to_string();
            match column {
                Some(column) => SeriesRunError::Words { file, column },
                None => SeriesRunError::NoDates { file },
            }
        })?;
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
