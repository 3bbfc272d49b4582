//! Runs on a panel, many series with one network: the part of their configuration that other runs do not have, and what is
//! kept of the series: all of them, so that a run forecasts without the file that it was trained on.

use super::checkpoint::Checkpoints;
use super::lessons::{LearningError, Passes, Progress, Trained, trained};
use super::panel_forecast::PanelMethod;
use super::panel_holidays::PanelHolidays;
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::series::NetworkSize;
use crate::data::categories::Categories;
use crate::data::dates::{CalendarError, DateOptions};
use crate::data::scaled_window::Link;
use crate::data::series::labels::Labels;
use crate::data::series::panel::{Layout, Panel};
use crate::data::series::{Decimal, Reading, SeriesError, SeriesOptions};
use crate::files;
use crate::model::panel::{Ensemble, EnsembleSize, Geometry, PanelForecaster, PanelLoss};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// The file, how it is read, and the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PanelSubject {
    /// The CSV file.
    pub file: PathBuf,
    /// The column that names the series of a row; none: see `wide`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether each row is a series, and not each column.
    pub wide: bool,
    /// Columns to forecast; none: all numeric ones.
    pub column: Vec<String>,
    /// Columns of categories of the series; none: those of words that are the same in all rows of each.
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
    /// The rows that test, in a file of the same layout; none: the last of each series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Rows of a season.
    pub season: usize,
    /// Rows forecast at once.
    pub horizon: usize,
    /// Rows from one window of a series to the next.
    pub stride: usize,
    /// Networks that are averaged.
    pub ensemble: usize,
    /// The size of each.
    #[serde(flatten)]
    pub network: NetworkSize,
}

/// What the series were.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PanelData {
    /// Series.
    pub series: usize,
    /// Rows of all of them.
    pub rows: usize,
    /// Rows of the longest one.
    pub longest: usize,
    /// The columns with what the series are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Their categories, where they tell series apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Categories>,
    /// The holidays, and what they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<PanelHolidays>,
    /// What a value is before it is scaled.
    pub link: Link,
    /// The mark before fractions in the file, where its numbers tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// The share of the value a season ago in the forecast that the networks begin with.
    pub season_share: f64,
    /// The units of the loss.
    pub loss: PanelLoss,
    /// CRC-32 of the series, by which other ones are noticed.
    pub checksum: u32,
    /// CRC-32 of the rows that test, where they have a file of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_checksum: Option<u32>,
}

impl Subject for PanelSubject {
    const TASKS: &'static [&'static str] = &["panel"];
    const USES: &'static [Use] = &[Use::Forecast, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = PanelData;

    fn contradiction(data: &PanelData) -> Option<String> {
        let PanelLoss { relative, scaled } = data.loss;
        let positive = [relative, scaled].into_iter().all(|unit| unit.is_finite() && unit > 0.0);
        if !positive {
            return Some("a unit of its loss is no number above 0".into());
        }
        if !(0.0..=1.0).contains(&data.season_share) {
            return Some("the share of its season is not between 0 and 1".into());
        }
        let holidays = data.holidays.iter().find_map(PanelHolidays::contradiction);
        let categories = data.categories.iter().find_map(Categories::contradiction);
        if let Some(line) = categories.or(holidays) {
            return Some(line.into());
        }
        (data.series == 0 || data.longest == 0 || data.rows < data.longest)
            .then(|| "it has no rows".into())
    }

    /// The loss on the rows that validate, which is about 1 for Naive 2.
    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let best = progress.best().into_iter();
        let name = "loss over that of Naive 2";
        Ok(best.map(|best| Measure::error(name, best.valid_loss)).collect())
    }
}

/// A run on many series.
pub type PanelRun = RunOf<PanelSubject>;

/// The series in the folder of a run.
pub const FILE: &str = "panel.csv";

/// The rows that test, where they came in a file of their own.
pub const TEST_FILE: &str = "test.csv";

/// Why the series of a run could not be read, or not be forecast.
#[derive(Debug, thiserror::Error)]
pub enum PanelRunError {
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Not the series that the run was trained on.
    #[error("{file} is not what the run was trained with: {reason}")]
    Other {
        /// The file.
        file: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Sizes that do not fit each other.
    #[error("the run {run} was changed: {reason}; train anew")]
    Contradiction {
        /// The folder.
        run: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The networks cannot be read.
    #[error(transparent)]
    Model(#[from] LearningError),
    /// Series that cannot be read.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// Dates to come that do not tell.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// More rows than the networks forecast.
    #[error(
        "--steps: the run forecasts {horizon} rows at once, and not {steps}: ask for fewer, or train with a longer --horizon"
    )]
    Steps {
        /// Asked for.
        steps: usize,
        /// What there is.
        horizon: usize,
    },
    /// A method that there is not.
    #[error("--method: {error}")]
    Method {
        /// Why not.
        error: String,
    },
    /// Too few rows before any.
    #[error(
        "{file}: a row is scored by the {needs} before it, and the longest series has {longest} rows: give more rows, or take another --method"
    )]
    ShortPast {
        /// The file.
        file: String,
        /// What there is.
        longest: usize,
        /// What it takes.
        needs: usize,
    },
    /// A method that needs a season.
    #[error("--method {method}: the run has no season; take network or last-value")]
    NoSeason {
        /// The method.
        method: PanelMethod,
    },
    /// Series without a category of those that were trained on.
    #[error("{file}: it has no column '{column}', which says what the series are: add it")]
    Label {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// Values that the networks cannot read.
    #[error(
        "{file}: series '{id}' has a value of 0 or below, and the run was trained on logarithms: train one on these series"
    )]
    NotPositive {
        /// The file.
        file: String,
        /// The series.
        id: String,
    },
}

impl From<std::io::Error> for PanelRunError {
    fn from(error: std::io::Error) -> Self {
        Self::Run(error.into())
    }
}

impl PanelSubject {
    /// How the series stand in the file.
    pub fn layout(&self) -> Layout {
        match &self.id {
            Some(id) => Layout::Long { id: id.clone() },
            None if self.wide => Layout::Wide,
            None => Layout::Columns,
        }
    }

    /// How its columns are chosen.
    pub fn columns(&self) -> SeriesOptions {
        SeriesOptions {
            columns: self.column.clone(),
            categorical: self.categorical.clone(),
            date_column: self.date_column.clone(),
            reading: self.reading.clone(),
            dates: self.dates.clone(),
            ..SeriesOptions::default()
        }
    }

    /// The size of the ensemble.
    pub fn size(&self) -> EnsembleSize {
        let NetworkSize { hidden, layers } = self.network;
        EnsembleSize { members: self.ensemble, hidden, layers }
    }
}

/// Writes the series as a file of a run, a row a value: id, date if there is one, value to the last digit, and what the series is.
fn write_csv(panel: &Panel, out: impl Write) -> std::io::Result<()> {
    let dated = panel.calendars.iter().any(Option::is_some);
    let mut writer = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(out);
    let titles: Vec<String> = (1..=panel.labels.len()).map(label).collect();
    let titles = titles.iter().map(String::as_str);
    let header = [Some("id"), dated.then_some("date"), Some("value")];
    writer.write_record(header.into_iter().flatten().chain(titles))?;
    for (series, (id, values)) in panel.ids.iter().zip(&panel.values).enumerate() {
        let calendar = &panel.calendars[series];
        let word = |labels: &Labels| labels.words.words[labels.values[series] as usize].clone();
        let labels: Vec<String> = panel.labels.iter().map(word).collect();
        for (row, value) in values.iter().enumerate() {
            let date = calendar.as_ref().map(|dates| dates.label(dates.moments()[row]));
            let date = dated.then(|| date.unwrap_or_default());
            let value = value.to_string();
            let record = [Some(id.as_str()), date.as_deref(), Some(&value)];
            let labels = labels.iter().map(String::as_str);
            writer.write_record(record.into_iter().flatten().chain(labels))?;
        }
    }
    writer.flush()
}

/// CRC-32 of what is written.
#[derive(Default)]
struct Checksum(crc32fast::Hasher);

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The title of a column with what a series is.
fn label(number: usize) -> String {
    format!("category {number}")
}

/// CRC-32 of what [`write()`] writes.
pub fn checksum(panel: &Panel) -> u32 {
    let mut checksum = Checksum::default();
    write_csv(panel, &mut checksum).expect("a checksum takes every byte");
    checksum.0.finalize()
}

/// Writes the series into a file of a run.
///
/// # Errors
/// If the file cannot be written.
pub fn write(panel: &Panel, file: &Path) -> Result<(), PanelRunError> {
    Ok(files::replace_by(file, |out| write_csv(panel, out))?)
}

/// What is wrong with files of a run that somebody has changed: sizes that do not fit each other.
fn contradiction(run: &PanelRun) -> Option<&'static str> {
    let PanelSubject { season, horizon, stride, ensemble, network, .. } = &run.config.subject;
    let sizes = [*season, *horizon, *stride, *ensemble, network.hidden, network.layers];
    if sizes.contains(&0) || run.config.length.window == 0 {
        return Some("a size in config.toml is 0");
    }
    if !run.config.length.window.is_multiple_of(*season) {
        return Some("the window in config.toml is not whole seasons");
    }
    None
}

impl PanelRun {
    /// What its networks read and forecast.
    pub fn geometry(&self) -> Geometry {
        let PanelSubject { season, horizon, .. } = self.config.subject;
        let categories = self.data.categories.iter().map(|known| known.means.len()).sum();
        let (window, link) = (self.config.length.window, self.data.link);
        Geometry { window, season, horizon, link, categories }
    }

    /// The series of the run, and the rows that test if they have a file of their own.
    ///
    /// # Errors
    /// If they cannot be read, or are not those that the run was trained with.
    pub fn panels(&self) -> Result<(Panel, Option<Panel>), PanelRunError> {
        if let Some(reason) = contradiction(self) {
            let run = self.folder.display().to_string();
            return Err(PanelRunError::Contradiction { run, reason });
        }
        let mut panel = self.panel(FILE, self.data.checksum)?;
        let coded = panel.code(&self.data.categories);
        coded.map_err(|_| PanelRunError::Other {
            file: self.folder.join(FILE).display().to_string(),
            reason: "it lacks a category of its series; train anew",
        })?;
        let test = self.data.test_checksum.map(|checksum| self.panel(TEST_FILE, checksum));
        Ok((panel, test.transpose()?))
    }

    fn panel(&self, name: &str, checksum: u32) -> Result<Panel, PanelRunError> {
        let path = self.folder.join(name);
        let file = path.display().to_string();
        let named = |error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("cannot read {file}: {error}"))
        };
        // It is read twice, and is never in memory whole.
        let (mut opened, _) = files::open_regular(&path, u64::MAX)?;
        let mut found = Checksum::default();
        std::io::copy(&mut opened, &mut found).map_err(named)?;
        if found.0.finalize() != checksum {
            let reason = "its checksum is another one; train anew";
            return Err(PanelRunError::Other { file, reason });
        }
        opened.rewind().map_err(named)?;
        let kept = if name == FILE { self.data.labels.len() } else { 0 };
        let labels: Vec<String> = (1..=kept).map(label).collect();
        let reading = Reading { decimal: Some(Decimal::Point), ..Reading::default() };
        let options = SeriesOptions {
            columns: vec!["value".into()],
            categorical: labels.clone(),
            reading,
            dates: self.config.subject.dates.clone(),
            ..SeriesOptions::default()
        };
        let layout = Layout::Long { id: "id".into() };
        let mut panel = Panel::read_from(opened, &file, &layout, &options)?;
        panel.notes.clear();
        for (labels, column) in panel.labels.iter_mut().zip(&self.data.labels) {
            labels.words.column.clone_from(column);
        }
        Ok(panel)
    }

    /// Its networks before training.
    ///
    /// # Errors
    /// If there is no such cell or backend.
    pub fn untrained(&self) -> Result<PanelForecaster, PanelRunError> {
        let (device, dtype) = self.device()?;
        let (geometry, share) = (self.geometry(), self.data.season_share);
        let size = self.config.subject.size();
        let (seed, options) = (self.config.training.seed, (&device, dtype));
        let ensemble =
            Ensemble::new(self.cell()?, (geometry, share), size, seed, |config| config, options);
        Ok(PanelForecaster { ensemble, geometry, device: device.clone(), dtype })
    }

    /// Its networks after training; `warnings` gets the reasons why better checkpoints could not be read, a line each.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn forecaster(&self, warnings: &mut Vec<String>) -> Result<PanelForecaster, PanelRunError> {
        let NetworkSize { hidden, layers } = self.config.subject.network;
        let sizes = [self.geometry().features(), hidden, layers];
        let checked = Checkpoints::of(&self.folder).check(self.cell()?.shape(), sizes);
        checked.map_err(LearningError::from)?;
        let untrained = self.untrained()?;
        let Trained { model, refused } = trained(untrained.ensemble.clone(), &self.folder)?;
        warnings.extend(refused.iter().map(ToString::to_string));
        Ok(PanelForecaster { ensemble: model, ..untrained })
    }
}
