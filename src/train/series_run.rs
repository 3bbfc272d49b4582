//! Runs on a series: the part of their configuration that other runs do not have, and what is kept of the series: all of it, so
//! that a run forecasts without the file that it was trained on.

use super::checkpoint::CheckpointError;
use super::lessons::{LearningError, Passes, Progress};
use super::memory::TooMuchMemory;
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::series::NetworkSize;
use crate::data::accuracy::{Accuracy, scale};
use crate::data::categories::Categories;
use crate::data::dates::{Calendar, CalendarError, DateOptions};
use crate::data::features::{FeatureError, Features};
use crate::data::holidays::Holidays;
use crate::data::known_effects::KnownEffects;
use crate::data::series::{Decimal, Reading, Series, SeriesError, SeriesOptions};
use crate::data::transform::Transform;
use crate::files;
use crate::model::forecast::{Loss, OutlookError, Output, origins};
use crate::model::{Autoregression, Criterion, Lags};
use crate::printable::printable_name;
use std::path::{Path, PathBuf};

/// The file, how it is read, and the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeriesSubject {
    /// The CSV file; none: the airline passengers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Columns to forecast; none: all numeric ones.
    pub column: Vec<String>,
    /// Columns that the network reads and does not forecast.
    pub exogenous: Vec<String>,
    /// Columns whose values are known ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub future_known: Vec<String>,
    /// Columns of numbers that are categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// The list of holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<PathBuf>,
    /// The column with dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_column: Option<String>,
    /// How the file is written.
    #[serde(flatten)]
    pub reading: Reading,
    /// How its dates are read.
    #[serde(flatten)]
    pub dates: DateOptions,
    /// Rows of a season; none: as the dates suggest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub season: Option<usize>,
    /// The share of the rows that validates; none: see [`parts_by_time`](crate::data::split::parts_by_time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_share: Option<f64>,
    /// The share of the rows, the last ones, that tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_share: Option<f64>,
    /// Rows forecast at once.
    pub horizon: usize,
    /// Rows from one origin of the backtest to the next.
    pub stride: usize,
    /// Whether logarithms are taken; none, as in the next ones: what suits the series is chosen. A run has chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
    /// How often the difference is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<usize>,
    /// Whether the seasonal difference is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasonal_difference: Option<bool>,
    /// Calendar features by name, or [`AUTO`].
    pub calendar: Vec<String>,
    /// The order of AR(τ).
    pub lags: Lags,
    /// What the network makes small.
    #[serde(default)]
    pub loss: Loss,
    /// Networks that are averaged.
    #[serde(default = "one")]
    pub ensemble: usize,
    /// The size of each.
    #[serde(flatten)]
    pub network: NetworkSize,
}

/// The networks of a run that names no number.
fn one() -> usize {
    1
}

/// What the series was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeriesData {
    /// Columns to forecast.
    pub names: Vec<String>,
    /// Columns that the network reads and does not forecast, and after them those that are known ahead.
    pub exogenous: Vec<String>,
    /// The categories of columns of words among those that are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Categories>,
    /// The same of those that are known ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_categories: Vec<Categories>,
    /// The holidays, the last of what is known ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Holidays>,
    /// What the columns that are known ahead do to those to forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<KnownEffects>,
    /// Rows.
    pub rows: usize,
    /// The first row, counted from 0, that validates.
    pub split: usize,
    /// The first row that tests; the number of rows where none does. A run of an earlier version has 0.
    #[serde(default)]
    pub test: usize,
    /// The mark before fractions in its file, where its numbers tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// CRC-32 of the series, by which another one is noticed.
    pub checksum: u32,
    /// How many lags Akaike's and Schwarz's criteria choose, a column each.
    pub orders: Vec<[usize; 2]>,
    /// The scale of the columns.
    pub features: Features,
    /// AR(τ) of each column, on transformed and standardised values.
    pub autoregressions: Vec<Autoregression>,
}

impl Subject for SeriesSubject {
    const TASKS: &'static [&'static str] = &["series"];
    const USES: &'static [Use] = &[Use::Forecast, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = SeriesData;

    fn contradiction(data: &SeriesData) -> Option<String> {
        if data.test == 0 {
            return Some("an earlier version trained it, without test rows: train anew".into());
        }
        let scales = data.features.targets.iter().chain(&data.features.exogenous);
        let scaled = scales.into_iter().all(|scale| {
            scale.mean.is_finite() && scale.deviation.is_finite() && scale.deviation > 0.0
        });
        if !scaled {
            return Some("the scale of a column is no number".into());
        }
        let effects = data.effects.iter().flat_map(|effects| {
            let coefficients = effects.targets.iter().flat_map(|target| &target.coefficients);
            coefficients.chain(&effects.means)
        });
        if effects.into_iter().any(|value| !value.is_finite()) {
            return Some("the effect of a column that is known ahead is no number".into());
        }
        let categories = data.categories.iter().chain(&data.known_categories);
        let categories = categories.filter_map(Categories::contradiction);
        let mut lines = categories.chain(data.holidays.iter().filter_map(Holidays::contradiction));
        if let Some(line) = lines.next() {
            return Some(line.into());
        }
        let mut models = data.autoregressions.iter();
        models.find_map(|model| model.contradiction()).map(Into::into)
    }

    /// The errors of the backtest, in the units of each column; the losses of a training are those of transformed values.
    fn measures(run: &RunOf<Self>, _: &Progress) -> Result<Vec<Measure>, RunError> {
        backtest_errors(run)
    }

    fn is_fitted_at_once(run: &RunOf<Self>) -> bool {
        run.config.cell == AUTOREGRESSION
    }
}

/// A run on a series.
pub type SeriesRun = RunOf<SeriesSubject>;

/// In place of a cell: AR(τ) alone.
pub const AUTOREGRESSION: &str = "ar";

/// The series in the folder of a run.
pub const FILE: &str = "series.csv";

/// In place of a calendar feature: those that suit the dates.
pub const AUTO: &str = "auto";

/// Why the series of a run could not be read, or not be forecast.
#[derive(Debug, thiserror::Error)]
pub enum SeriesRunError {
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Not the series that the run was trained on.
    #[error("{file} is not the series that the run was trained on: {reason}")]
    Other {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Files of the run that have been changed.
    #[error("the run {} was changed: {reason}; train anew", run.display())]
    Contradiction {
        /// The folder.
        run: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// Dates that are no calendar.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// There is no network in the run, or not the one that it describes.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The network cannot be read.
    #[error(transparent)]
    Model(#[from] LearningError),
    /// A column cannot be transformed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A method that the run does not have.
    #[error("--method: this run has {}, and not '{name}'", methods.join(", "))]
    Method {
        /// What was asked for.
        name: String,
        /// What there is.
        methods: Vec<String>,
    },
    /// Later rows that cannot be read.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// Rows to come whose known columns are not known.
    #[error(
        "the run knows {} ahead: give the values of the rows to come with --future FILE.csv, in columns of these names",
        names.join(", ")
    )]
    Future {
        /// The columns.
        names: Vec<String>,
    },
    /// Rows to come where nothing has to be known of them.
    #[error(
        "--future: the run was trained without --future-known, and reads nothing of the rows to come; leave it out"
    )]
    NoFuture,
    /// Rows to come with other dates than theirs.
    #[error(
        "{file}: the row after {last} would be {expected}, and the file has {found}: give the rows to come, one after the other"
    )]
    OtherDates {
        /// The file.
        file: String,
        /// The date of the row before.
        last: String,
        /// That of the next row.
        expected: String,
        /// What there is.
        found: String,
    },
    /// Too few rows to come.
    #[error(
        "{file}: it has {found} rows after the last one that is known, and a forecast of {steps} needs as many: add rows, or ask for fewer --steps"
    )]
    ShortFuture {
        /// The file.
        file: String,
        /// What there is.
        found: usize,
        /// Rows to forecast.
        steps: usize,
    },
    /// Later rows whose column is no column of numbers.
    #[error(
        "{file}, column '{column}': it holds words, and was a column of numbers in the training"
    )]
    Words {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// Holidays without dates.
    #[error("{file}: the rows have no dates, and the run knows holidays: add a column of dates")]
    NoDates {
        /// The file.
        file: String,
    },
    /// Later rows of other columns.
    #[error(
        "{file}: its columns are {}, and the run was trained on {}",
        found.join(", "),
        expected.join(", ")
    )]
    Columns {
        /// The file.
        file: String,
        /// Its columns.
        found: Vec<String>,
        /// Those of the run.
        expected: Vec<String>,
    },
    /// Later rows that cannot be forecast from.
    #[error("{file}: {reason}")]
    Later {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// Too large for the machine.
    #[error(transparent)]
    Memory(#[from] TooMuchMemory),
    /// No forecast.
    #[error(transparent)]
    Outlook(#[from] OutlookError),
}

impl From<std::io::Error> for SeriesRunError {
    fn from(error: std::io::Error) -> Self {
        Self::Run(error.into())
    }
}

/// Those of `bptt train series`: the airline passengers.
impl Default for SeriesSubject {
    fn default() -> Self {
        Self {
            file: None,
            column: Vec::new(),
            exogenous: Vec::new(),
            future_known: Vec::new(),
            categorical: Vec::new(),
            holidays: None,
            date_column: None,
            reading: Reading::default(),
            dates: DateOptions::default(),
            season: None,
            valid_share: None,
            test_share: None,
            horizon: 1,
            stride: 1,
            log: None,
            difference: None,
            seasonal_difference: None,
            calendar: Vec::new(),
            lags: Lags::Chosen(Criterion::Bic),
            loss: Loss::Squared,
            ensemble: one(),
            network: NetworkSize { hidden: 32, layers: 1 },
        }
    }
}

impl SeriesSubject {
    /// How its columns are chosen from a file.
    pub fn columns(&self) -> SeriesOptions {
        SeriesOptions {
            columns: self.column.clone(),
            exogenous: [self.exogenous.clone(), self.future_known.clone()].concat(),
            categorical: self.categorical.clone(),
            date_column: self.date_column.clone(),
            delimiter: None,
            reading: self.reading.clone(),
            usual_decimal: None,
            dates: self.dates.clone(),
            to_come: !self.future_known.is_empty(),
        }
    }

    /// What is done to the columns to forecast; what is not chosen yet is not done.
    pub fn transform(&self) -> Transform {
        Transform {
            log: self.log.unwrap_or(false),
            season: self.season.filter(|_| self.seasonal_difference.unwrap_or(false)),
            difference: self.difference.unwrap_or(0),
        }
    }
}

impl SeriesData {
    /// How many of the last exogenous columns are known ahead.
    pub fn known(&self) -> usize {
        self.effects.as_ref().map_or(0, |effects| effects.means.len())
    }

    /// The rows that are known at each forecast that validates.
    pub fn validation(&self, horizon: usize, stride: usize) -> Vec<usize> {
        origins(self.test, self.split, horizon, stride)
    }

    /// The same of the test; none where no row tests.
    pub fn tests(&self, horizon: usize, stride: usize) -> Vec<usize> {
        origins(self.rows, self.test, horizon, stride)
    }

    /// Those that tables are about: of the test or, without one, of the validation.
    pub fn shown(&self, horizon: usize, stride: usize) -> Vec<usize> {
        match self.test < self.rows {
            true => self.tests(horizon, stride),
            false => self.validation(horizon, stride),
        }
    }

    /// What the outputs of a network are.
    pub fn output(&self, horizon: usize) -> Output {
        Output::new(horizon, &self.autoregressions)
    }
}

/// The series as `series.csv` of a run: dates, if there are any, the columns to forecast, the exogenous ones, to the
/// last digit.
fn csv(series: &Series) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let date = series.dates.as_ref().map(|_| "date");
    let names = series.names.iter().chain(&series.exogenous_names).map(String::as_str);
    let mut write = |record: Vec<String>| writer.write_record(record).expect("memory takes it");
    write(date.into_iter().chain(names).map(String::from).collect());
    for row in 0..series.rows() {
        let date = series.dates.as_ref().map(|dates| dates[row].clone());
        let values = series.values.iter().chain(&series.exogenous);
        write(date.into_iter().chain(values.map(|column| column[row].to_string())).collect());
    }
    writer.into_inner().expect("memory takes it")
}

/// The errors of `backtest.csv`, which has a line for each forecast of a row: those of the method that was trained, whose
/// column is the first after the actual value. None where there is no such file yet.
fn backtest_errors(run: &SeriesRun) -> Result<Vec<Measure>, RunError> {
    const LARGEST: u64 = 1 << 30;
    let path = run.folder.join("backtest.csv");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let refused = |reason: String| {
        let (file, reason) = (path.display().to_string(), printable_name(&reason));
        RunError::Config { file, reason }
    };
    let series = read(run).map_err(|error| refused(error.to_string()))?;
    let SeriesSubject { horizon, stride, .. } = run.config.subject;
    let lines = horizon * run.data.shown(horizon, stride).len();
    let text = read_text(&path, LARGEST.min(longest(lines * series.names.len())))?;
    let [mut forecasts, mut actual] = [(); 2].map(|()| vec![Vec::new(); series.names.len()]);
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        let record = record.map_err(|error| refused(error.to_string()))?;
        let column = record.get(3).and_then(|name| series.names.iter().position(|n| n == name));
        let number = |place| record.get(place).and_then(|cell: &str| cell.parse::<f64>().ok());
        // A forecast may have become none.
        let was = number(4).filter(|was| was.is_finite());
        let (Some(column), Some(was), Some(forecast)) = (column, was, number(5)) else {
            return Err(refused("a line has no column, actual value and forecast".into()));
        };
        actual[column].push(was);
        forecasts[column].push(forecast);
    }
    if actual.iter().any(|column| column.len() != lines) {
        return Err(refused(format!("it has not {lines} forecasts of each column")));
    }
    let season = run.config.subject.season.unwrap_or(1);
    let (mut scaled, mut measures) = (Vec::new(), Vec::new());
    for (c, name) in series.names.iter().enumerate() {
        let scale = scale(&series.values[c][..run.data.split], season);
        let accuracy = Accuracy::of(&forecasts[c], &actual[c], scale);
        let accuracy = accuracy.map_err(|error| refused(error.to_string()))?;
        scaled.extend(accuracy.scaled);
        measures.push(Measure::error(format!("RMSE of {name}"), accuracy.root_mean_squared));
        measures.push(Measure::error(format!("MAE of {name}"), accuracy.mean_absolute));
    }
    // Runs on different series can be compared by MASE alone, which has no unit.
    if scaled.len() == series.names.len() {
        let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
        measures.insert(0, Measure::error("MASE", mean));
    }
    Ok(measures)
}

/// The text of a file of a run.
fn read_text(path: &Path, most: u64) -> Result<String, RunError> {
    let named =
        |reason: String| std::io::Error::other(format!("cannot read {}: {reason}", path.display()));
    let text = files::read_regular_text(path, most).map_err(|error| named(error.to_string()))?;
    Ok(text.ok_or_else(|| named(format!("it has more than {most} bytes")))?)
}

/// The most bytes of a file of so many lines and a header: a line of the file that it comes from is no longer.
fn longest(lines: usize) -> u64 {
    const LINE: u64 = 1 << 20;
    LINE.saturating_mul(lines as u64 + 1)
}

/// CRC-32 of the file that [`write()`] writes.
pub fn checksum(series: &Series) -> u32 {
    crc32fast::hash(&csv(series))
}

/// Writes the series into the folder of a run.
///
/// # Errors
/// If the file cannot be written.
pub fn write(series: &Series, folder: &Path) -> Result<(), SeriesRunError> {
    Ok(files::replace(&folder.join(FILE), &csv(series))?)
}

/// Whether the folder of a run holds the series whole.
pub fn is_kept(run: &SeriesRun) -> bool {
    let text = read_text(&run.folder.join(FILE), longest(run.data.rows));
    text.is_ok_and(|text| crc32fast::hash(text.as_bytes()) == run.data.checksum)
}

/// What is wrong with files of a run that somebody has changed: sizes that do not fit each other.
fn contradiction(run: &SeriesRun) -> Option<&'static str> {
    let (subject, data, length) = (&run.config.subject, &run.data, run.config.length);
    let (features, targets) = (&data.features, data.names.len());
    let first = features.transform.lost();
    let lags = data.autoregressions.iter().map(|model| model.lags.len()).max().unwrap_or(0);
    // A network reads a window after the rows that its linear part reads of.
    let window = if run.config.cell == AUTOREGRESSION { 0 } else { length.window };
    let reach = lags.max(window.saturating_add(lags.saturating_sub(1)));
    // The season-ago forecast takes no differences.
    let longest = reach.saturating_add(first).max(subject.season.unwrap_or(0));
    let SeriesSubject { horizon, stride, ensemble, .. } = *subject;
    let sizes = [horizon, stride, ensemble, length.window, subject.season.unwrap_or(1)];
    let columns = [features.targets.len(), data.autoregressions.len(), data.orders.len()];
    if sizes.contains(&0) || subject.network.hidden == 0 || subject.network.layers == 0 {
        return Some("a size in config.toml is 0");
    }
    if targets == 0
        || columns != [targets; 3]
        || features.exogenous.len() + data.known() != data.exogenous.len()
    {
        return Some("data.toml has another number of columns in one place than in another");
    }
    let known = data.known();
    let has_known = !subject.future_known.is_empty() || subject.holidays.is_some();
    let whole = |effects: &KnownEffects| {
        let mut each = effects.targets.iter();
        effects.targets.len() == targets && each.all(|target| target.coefficients.len() == known)
    };
    let holidays = data.holidays.as_ref().map_or(0, |holidays| holidays.names().len());
    if (known > 0) != has_known
        || holidays > known
        || subject.holidays.is_some() != data.holidays.is_some()
        || !data.effects.iter().all(whole)
    {
        return Some("config.toml and data.toml name different columns that are known ahead");
    }
    if features.transform != subject.transform() {
        return Some("config.toml and data.toml name different transforms");
    }
    let ends = data.split.saturating_add(subject.horizon) <= data.test && data.test <= data.rows;
    if longest > data.split || !ends {
        return Some("config.toml asks for more rows than data.toml has");
    }
    None
}

/// The series of a run, out of its folder.
///
/// # Errors
/// If it cannot be read, is not the one that the run was trained on, or files of the run contradict each other.
pub fn read(run: &SeriesRun) -> Result<Series, SeriesRunError> {
    if let Some(reason) = contradiction(run) {
        return Err(SeriesRunError::Contradiction { run: run.folder.clone(), reason });
    }
    // The larger ones do not fit the memory of a machine that this is for.
    const LARGEST: u64 = 4 << 30;
    let path = run.folder.join(FILE);
    let file = path.display().to_string();
    let text = read_text(&path, LARGEST.min(longest(run.data.rows)))?;
    let other = |reason: &str| SeriesRunError::Other { file: file.clone(), reason: reason.into() };
    if crc32fast::hash(text.as_bytes()) != run.data.checksum {
        return Err(other("its checksum is another one; train anew"));
    }
    let columns = run.data.names.len() + run.data.exogenous.len();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut dates: Option<Vec<String>> = None;
    let mut values = vec![Vec::new(); columns];
    for record in reader.records() {
        let record = record.map_err(|error| other(&error.to_string()))?;
        let mut cells = record.iter();
        match record.len() {
            width if width == columns => {}
            width if width == columns + 1 => {
                dates.get_or_insert_default().push(cells.next().unwrap_or_default().into());
            }
            _ => return Err(other("it has another number of rows or columns")),
        }
        for (column, cell) in values.iter_mut().zip(cells) {
            let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
            column.push(value.ok_or_else(|| other("it holds what is no number"))?);
        }
    }
    if values.iter().any(|column| column.len() != run.data.rows) {
        return Err(other("it has another number of rows or columns"));
    }
    let exogenous = values.split_off(run.data.names.len());
    // A run keeps its labels also where they are no dates.
    let options = run.config.subject.dates.clone();
    let calendar = dates.as_deref().and_then(|labels| Calendar::of(labels, &options).ok());
    Ok(Series {
        names: run.data.names.clone(),
        exogenous_names: run.data.exogenous.clone(),
        dates,
        calendar,
        values,
        exogenous,
        lines: Vec::new(),
        filled: Vec::new(),
        words: Vec::new(),
        decimal: run.data.decimal,
        notes: Vec::new(),
    })
}
