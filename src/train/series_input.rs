//! What a run on a series begins with: the series is read and split, season and transform are chosen, the scales are fitted
//! to its training rows, and AR(τ) to what they make of these.

use super::known_ahead::without_effects;
use super::known_inputs::KnownInputs;
use super::memory::{TooMuchMemory, check_memory};
use super::series::SeriesTrainingError;
use super::series_choice::{
    SeasonSource, TransformChoice, season_of, season_of_dates, transform_of,
};
use super::series_run::{self, SeriesData, SeriesRun, SeriesRunError, SeriesSubject};
use crate::data::dates::{Calendar, Feature};
use crate::data::features::{FeatureError, Features, Rows};
use crate::data::known_effects::KnownEffects;
use crate::data::naive::{NaiveError, seasonal};
use crate::data::series::{Series, SeriesError};
use crate::data::split::{GivenUp, Parts, SplitError, parts_by_time};
use crate::model::AutoregressionError;
use std::path::Path;

/// All that a training needs but its settings.
#[derive(Clone, Debug)]
pub struct SeriesInput {
    /// What was asked for, with the season if it was found in the dates.
    pub subject: SeriesSubject,
    /// The series.
    pub series: Series,
    /// Its dates.
    pub dates: Option<Calendar>,
    /// What the network reads.
    pub rows: Rows,
    /// How many rows are known at each forecast that validates.
    pub origins: Vec<usize>,
    /// What the run keeps.
    pub data: SeriesData,
    /// What the series is too short for.
    pub given_up: GivenUp,
    /// Where the season comes from, if there is one.
    pub season: Option<SeasonSource>,
    /// The transform, if it was chosen.
    pub transform: Option<TransformChoice>,
}

/// Why a run on a series cannot begin; one line of text each.
#[derive(Debug, thiserror::Error)]
pub enum SeriesInputError {
    /// The file cannot be read.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// The series that the run holds cannot be read.
    #[error(transparent)]
    Kept(#[from] Box<SeriesRunError>),
    /// Columns of no file.
    #[error(
        "--column, --exogenous, --date-column and the flags for dates, as --sort, say how a FILE is read: name one"
    )]
    NoFile,
    /// Holidays without dates.
    #[error("--holidays: the rows have no dates; name their column with --date-column")]
    NoDates,
    /// No rows to train on, or none to validate on.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Calendar features without dates that they could be made of.
    #[error("--calendar: {0}; correct the dates, or leave --calendar out")]
    Calendar(String),
    /// A calendar feature that there is not.
    #[error("--calendar: {0}")]
    Feature(String),
    /// A seasonal difference without a season.
    #[error("--seasonal-difference needs the rows of a season: give --season")]
    NoSeason,
    /// A season that does not fit the rows.
    #[error(transparent)]
    Season(#[from] NaiveError),
    /// A column that cannot be transformed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// AR(τ) that cannot be fitted.
    #[error("--lags: {0}")]
    Lags(#[from] AutoregressionError),
    /// Too few rows.
    #[error(transparent)]
    Rows(#[from] SeriesTrainingError),
    /// Too large for the machine.
    #[error(transparent)]
    Memory(#[from] TooMuchMemory),
}

impl SeriesInput {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// If it cannot be read, split, transformed or fitted.
    pub fn read(subject: SeriesSubject) -> Result<Self, SeriesInputError> {
        let series = match &subject.file {
            Some(file) => Series::read(file, &subject.columns())?,
            None if subject.columns() == Default::default() => Series::airline_passengers(),
            None => return Err(SeriesInputError::NoFile),
        };
        let (series, inputs) = KnownInputs::read(&subject, series)?;
        Self::of(subject, series, inputs)
    }

    /// As [`SeriesInput::read`], for the run in that folder, which goes on: where the file is not there, the series that
    /// the run holds. Says whether it is that.
    ///
    /// # Errors
    /// As [`SeriesInput::read`], or if the run's series cannot be read.
    pub fn read_again(
        subject: SeriesSubject,
        run: &Path,
    ) -> Result<(Self, bool), SeriesInputError> {
        if subject.file.iter().chain(&subject.holidays).all(|file| file.exists()) {
            return Ok((Self::read(subject)?, false));
        }
        let run = SeriesRun::open(run).map_err(SeriesRunError::from).map_err(Box::new)?;
        let series = series_run::read(&run).map_err(Box::new)?;
        Ok((Self::of(subject, series, KnownInputs::of_run(&run.data))?, true))
    }

    /// That series, whose columns are numbers.
    fn of(
        mut subject: SeriesSubject,
        series: Series,
        inputs: KnownInputs,
    ) -> Result<Self, SeriesInputError> {
        let dates = series.calendar.clone();
        // Later rows are read as these were.
        let decided = dates.as_ref().and_then(Calendar::day_first);
        subject.dates.day_first = subject.dates.day_first.or(decided);
        let parts = parts(&subject, &series)?;
        let Parts { split, test, given_up } = parts;
        let features = calendar(&subject.calendar, dates.as_ref())?;
        let season = season_of(&subject, &series, dates.as_ref(), parts);
        subject.season = season.map(|(season, _)| season);
        if subject.seasonal_difference == Some(true) && subject.season.is_none() {
            return Err(SeriesInputError::NoSeason);
        }
        for column in &series.values {
            if let Some(season) = subject.season {
                seasonal(column, split, season)?;
            }
        }
        let (mut series, mut inputs) = (series, inputs);
        let before = (test, subject.season.unwrap_or(1));
        inputs.add_holidays(&mut series, before, subject.horizon);
        let known = &series.exogenous[inputs.read..];
        let effects = (!known.is_empty()).then(|| {
            let penalties = inputs.penalties(known.len());
            KnownEffects::fit(&series.values, (known, &penalties), before.0, before.1)
        });
        let whole = series;
        let series = without_effects(effects.as_ref(), &whole);
        let transform = transform_of(&subject, &series, test);
        let chosen = transform.map_or(subject.transform(), |choice| choice.transform);
        subject.log = Some(chosen.log);
        subject.difference = Some(chosen.difference);
        subject.seasonal_difference = Some(chosen.season.is_some());
        let features = Features::fit(&series, split, chosen, features)?;
        let rows = features.rows(&series, dates.as_ref())?;
        let targets = series.names.len();

        let training = rows.range(rows.first, split);
        let (mut autoregressions, mut orders) = (Vec::new(), Vec::new());
        for target in 0..targets {
            let column = training.iter().skip(target).step_by(rows.width);
            let column: Vec<f64> = column.copied().collect();
            check_memory(subject.lags.bytes(column.len(), subject.season), "--lags")?;
            let (model, chosen) = subject.lags.fit(&column, subject.season)?;
            autoregressions.push(model);
            orders.push(chosen);
        }

        let data = SeriesData {
            names: series.names.clone(),
            exogenous: whole.exogenous_names.clone(),
            categories: inputs.categories,
            known_categories: inputs.known_categories,
            holidays: inputs.holidays,
            effects,
            rows: series.rows(),
            split,
            test,
            decimal: series.decimal,
            checksum: series_run::checksum(&whole),
            orders,
            features,
            autoregressions,
        };
        let (horizon, stride) = (subject.horizon, subject.stride);
        let origins = data.validation(horizon, stride);
        if origins.is_empty() {
            let found = test - split;
            return Err(SeriesTrainingError::NoValidation { horizon, found }.into());
        }
        // The forecasts of the backtest of each method, and as text.
        let forecasts = (origins.len() + data.tests(horizon, stride).len()) as f64;
        check_memory(200.0 * forecasts * (horizon * targets) as f64, "--horizon")?;
        let source = season.map(|(_, source)| source);
        Ok(Self {
            subject,
            series: whole,
            dates,
            rows,
            origins,
            data,
            given_up,
            season: source,
            transform,
        })
    }

    /// Whether the season or the transform was chosen.
    pub fn has_chosen(&self) -> bool {
        self.transform.is_some() || self.season.is_some_and(|source| source != SeasonSource::Given)
    }

    /// The window of a network where none is asked for: two dozen rows, or a season and one, and less where there are few
    /// rows. None where they are too few for a network at all.
    pub fn window(&self) -> Option<usize> {
        /// Windows that a network learns from, at least, and rows of one.
        const LEAST: [usize; 2] = [16, 4];
        let season = self.subject.season.map_or(0, |season| season + 1);
        let lead = self.data.output(self.subject.horizon).lead();
        let used = self.rows.first + lead + self.subject.horizon + LEAST[0];
        let most = self.data.split.checked_sub(used)?;
        let window = season.clamp(24, 64).min(most);
        (window >= LEAST[1]).then_some(window)
    }
}

/// The parts of a series.
pub(super) fn parts(subject: &SeriesSubject, series: &Series) -> Result<Parts, SplitError> {
    let likely = subject.season.or_else(|| season_of_dates(series.calendar.as_ref()));
    let shares = [subject.valid_share, subject.test_share];
    parts_by_time(series.rows(), shares, subject.horizon, likely)
}

/// The calendar features of those names, for the dates of the series.
fn calendar(names: &[String], dates: Option<&Calendar>) -> Result<Vec<Feature>, SeriesInputError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let Some(dates) = dates else {
        return Err(SeriesInputError::Calendar("there is no column of dates".into()));
    };
    let step = dates.step().map_err(|error| SeriesInputError::Calendar(error.to_string()))?;
    let mut features: Vec<Feature> = Vec::new();
    for name in names {
        let more = match name.as_str() {
            series_run::AUTO => step.features(),
            name => vec![name.parse().map_err(SeriesInputError::Feature)?],
        };
        for feature in more {
            if !features.contains(&feature) {
                features.push(feature);
            }
        }
    }
    if features.is_empty() {
        let reason = format!("nothing goes round in rows that are {step} apart");
        return Err(SeriesInputError::Calendar(reason));
    }
    Ok(features)
}
