//! What a run on many series begins with: the series are read and cut in time, and the sizes that were not asked for are
//! chosen.
//!
//! ```text
//! rows of a series   |  to train on                 | horizon: validate | horizon: test |
//! with a test file   |  to train on                 | horizon: validate |   its rows test
//! ```

use super::memory::{TooMuchMemory, check_memory};
use super::panel::{PanelTrainingError, Taught, origins};
use super::panel_holidays::{PanelHolidays, ends_before};
use super::panel_run::{self, PanelData, PanelRun, PanelRunError, PanelSubject};
use crate::data::accuracy::scale;
use crate::data::categories::{Categories, LEAST_ROWS};
use crate::data::competition::naive2;
use crate::data::holidays::HolidayList;
use crate::data::scaled_window::{Link, WindowScale};
use crate::data::series::panel::Panel;
use crate::data::series::{Note, SeriesError, SeriesOptions};
use crate::model::panel::{Geometry, PanelLoss};
use std::collections::HashMap;
use std::path::Path;

/// All that a training needs but its settings.
#[derive(Clone, Debug)]
pub struct PanelInput {
    /// What was asked for, with the sizes that were chosen.
    pub subject: PanelSubject,
    /// Rows of a window.
    pub window: usize,
    /// The series.
    pub panel: Panel,
    /// The series without what the holidays do; none where that is the same.
    pub plain: Option<Panel>,
    /// The rows that test, in the order of the series, if they came in a file of their own.
    pub test: Option<Panel>,
    /// What the run keeps.
    pub data: PanelData,
    /// Windows to train on.
    pub windows: usize,
    /// What was decided, and what may be lost.
    pub notes: Vec<Note>,
}

/// Sizes; what is none is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PanelSizes {
    /// Rows of a season: as the dates suggest, else 1.
    pub season: Option<usize>,
    /// Rows forecast at once: a season, 12 without one.
    pub horizon: Option<usize>,
    /// Rows of a window: up to seven seasons, as many as half of the series have room for.
    pub window: Option<usize>,
    /// Rows from one window of a series to the next: so many that there are at most 50 000 windows.
    pub stride: Option<usize>,
}

/// The most windows where no stride is asked for: as many again teach little more.
const WINDOWS: usize = 50_000;

/// Why a run on many series cannot begin; one line of text each.
#[derive(Debug, thiserror::Error)]
pub enum PanelInputError {
    /// A file cannot be read.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// The series that the run holds cannot be read.
    #[error(transparent)]
    Kept(#[from] Box<PanelRunError>),
    /// The series cannot be learnt.
    #[error(transparent)]
    Training(#[from] PanelTrainingError),
    /// Too large for the machine.
    #[error(transparent)]
    Memory(#[from] TooMuchMemory),
    /// Holidays without dates.
    #[error("--holidays: the rows of {file} have no dates; name their column with --date-column")]
    NoDates {
        /// The file.
        file: String,
    },
    /// A series without rows that test it.
    #[error("--test {file}: there is no series '{id}' in it, which {series} has")]
    NotTested {
        /// The file.
        file: String,
        /// The series.
        id: String,
        /// The file with the series.
        series: String,
    },
    /// A series with too few rows that test it.
    #[error(
        "--test {file}: series '{id}' has {found} rows, and a forecast {horizon}: give as many, or choose a shorter --horizon"
    )]
    ShortTest {
        /// The file.
        file: String,
        /// The series.
        id: String,
        /// What there is.
        found: usize,
        /// Rows of a forecast.
        horizon: usize,
    },
    /// A series that stands still, all of them.
    #[error("{file}: every series repeats its season without a change: there is nothing to learn")]
    Still {
        /// The file.
        file: String,
    },
}

/// Rows of the end of a series that are not trained on.
fn held_back(horizon: usize, test_file: bool) -> usize {
    horizon.saturating_mul(if test_file { 1 } else { 2 })
}

/// How many rows of each series its holidays may be learnt from: those to train on, all of a short one.
pub(super) fn known_rows(panel: &Panel, horizon: usize, test_file: bool) -> Vec<usize> {
    let held = held_back(horizon, test_file);
    let of = |values: &Vec<f64>| match values.len() > held {
        true => values.len() - held,
        false => values.len(),
    };
    panel.values.iter().map(of).collect()
}

/// Where the holidays of a training come from.
enum Source {
    None,
    List(HolidayList),
    Run(PanelHolidays),
}

/// The series with their parts; those that are too short to validate are left out.
pub fn taught<'a>(panel: &'a Panel, horizon: usize, test_file: bool) -> Vec<Taught<'a>> {
    let held = held_back(horizon, test_file);
    let whole = |(_, values): &(usize, &Vec<f64>)| values.len() > held;
    let of = |(number, values): (usize, &'a Vec<f64>)| Taught {
        number,
        values,
        known: values.len() - held,
        categories: &panel.inputs[number],
    };
    panel.values.iter().enumerate().filter(whole).map(of).collect()
}

impl PanelInput {
    /// Reads what the subject names; its season and stride are overwritten by those chosen.
    ///
    /// # Errors
    /// If a file cannot be read, or no series is long enough.
    pub fn read(subject: PanelSubject, sizes: PanelSizes) -> Result<Self, PanelInputError> {
        let (layout, options) = (subject.layout(), subject.columns());
        let panel = Panel::read(&subject.file, &layout, &options)?;
        let test = match &subject.test {
            None => None,
            Some(path) => {
                let options = SeriesOptions { usual_decimal: panel.decimal, ..options.clone() };
                Some(Panel::read(path, &layout, &options)?)
            }
        };
        let holidays = match &subject.holidays {
            None => Source::None,
            Some(path) => {
                let dates = panel.calendars.iter().flatten().next();
                let day_first = dates.and_then(|dates| dates.day_first());
                Source::List(HolidayList::read(path, subject.dates.day_first.or(day_first))?)
            }
        };
        Self::of(subject, sizes, (panel, test), holidays)
    }

    /// As [`PanelInput::read`], for the run in that folder, which goes on: where the file is not there, with the series that the
    /// run holds. Says whether it is those.
    ///
    /// # Errors
    /// As [`PanelInput::read`], or if the run's series cannot be read.
    pub fn read_again(
        subject: PanelSubject,
        sizes: PanelSizes,
        run: &Path,
    ) -> Result<(Self, bool), PanelInputError> {
        let others = subject.test.iter().chain(&subject.holidays);
        if [&subject.file].into_iter().chain(others).all(|file| file.exists()) {
            return Ok((Self::read(subject, sizes)?, false));
        }
        let run = PanelRun::open(run).map_err(PanelRunError::from).map_err(Box::new)?;
        let panels = run.panels().map_err(Box::new)?;
        let holidays = run.data.holidays.clone().map_or(Source::None, Source::Run);
        let mut input = Self::of(subject, sizes, panels, holidays)?;
        input.data.decimal = run.data.decimal;
        Ok((input, true))
    }

    /// Those series.
    fn of(
        mut subject: PanelSubject,
        sizes: PanelSizes,
        (mut panel, mut test): (Panel, Option<Panel>),
        source: Source,
    ) -> Result<Self, PanelInputError> {
        let file = subject.file.display().to_string();
        let mut notes = std::mem::take(&mut panel.notes);
        let dated = panel.calendars.iter().flatten().find_map(|dates| dates.step().ok()?.season());
        subject.season = sizes.season.or(dated).unwrap_or(1);
        if sizes.season.or(dated).is_none() {
            notes.push(Note::Decided(format!(
                "{file}: no dates tell a season, and none is taken: give --season if there is one"
            )));
        }
        let season = subject.season;
        let horizon = sizes.horizon.unwrap_or(if season > 1 { season } else { 12 });
        subject.horizon = horizon;
        if let (Some(rows), Some(path)) = (&mut test, &subject.test) {
            let named = (file.as_str(), path.display().to_string());
            *rows = matched(&panel, std::mem::take(rows), named, horizon)?;
        }
        let data_categories = panel.categories();
        panel.code(&data_categories).expect("these are its own");
        notes.extend(labelled(&file, &data_categories));
        let (link, is_refused) = link(&panel, if test.is_some() { 0 } else { horizon });
        if is_refused {
            notes.push(Note::Doubtful(format!(
                "{file}: the rows before the test are above 0, and one of the test is not: without logarithms"
            )));
        }
        let known = known_rows(&panel, horizon, test.is_some());
        let holidays = match source {
            Source::None => None,
            Source::Run(holidays) => Some(holidays),
            Source::List(_) if panel.calendars.iter().all(Option::is_none) => {
                return Err(PanelInputError::NoDates { file });
            }
            Source::List(list) => {
                let (found, note) = PanelHolidays::fit(&list, (&panel, &known), (season, link));
                notes.extend(list.notes.into_iter().chain([note]));
                let steps = if test.is_some() { 2 * horizon } else { horizon };
                notes.extend(ends_before(&found, &panel, steps).map(Note::Doubtful));
                Some(found)
            }
        };
        let plain = holidays
            .as_ref()
            .map(|holidays| holidays.taken_out(&panel, &known, season, link).panel.into_owned());
        let series = taught(plain.as_ref().unwrap_or(&panel), horizon, test.is_some());
        let window = match sizes.window {
            Some(window) if window % season != 0 || window == 0 => {
                let lower = (window / season).max(1) * season;
                return Err(PanelTrainingError::Window { window, season, lower }.into());
            }
            Some(window) => window,
            None => usual_window(&series, season),
        };
        let categories = data_categories.iter().map(|known| known.means.len()).sum();
        let geometry = Geometry { window, season, horizon, link, categories };
        let count = |stride| {
            series.iter().map(|series| origins(&geometry, series.known, stride).count()).sum()
        };
        let all: usize = count(1);
        let longest = panel.values.iter().map(Vec::len).max().unwrap_or(0);
        if all == 0 {
            let held = held_back(horizon, test.is_some());
            let tested = match test.is_some() {
                true => String::new(),
                false => format!(" and {horizon} to test"),
            };
            let needed = season.max(2) + horizon + held;
            return Err(PanelTrainingError::TooShort { needed, horizon, tested, longest }.into());
        }
        subject.stride = sizes.stride.unwrap_or(all.div_ceil(WINDOWS));
        let windows = count(subject.stride);
        let without = panel.values.len()
            - series
                .iter()
                .filter(|series| origins(&geometry, series.known, 1).next().is_some())
                .count();
        if without > 0 {
            notes.push(Note::Doubtful(format!(
                "{file}: {without} of {} series are too short to train on; they are forecast from their own past",
                panel.values.len()
            )));
        }
        // The windows of a batch are made when they are needed; what is kept are the rows and the places of the windows.
        check_memory(16.0 * windows as f64 * subject.ensemble as f64, "--ensemble")?;
        let taught_windows = series.iter().flat_map(|series| {
            let origins = origins(&geometry, series.known, subject.stride);
            let values = series.values;
            origins.map(move |origin| (&values[..origin], &values[origin..origin + horizon]))
        });
        let season_share = geometry.season_share(taught_windows);
        let loss = units(&series, &geometry).ok_or(PanelInputError::Still { file })?;
        let data = PanelData {
            series: panel.values.len(),
            rows: panel.values.iter().map(Vec::len).sum(),
            longest,
            labels: panel.labels.iter().map(|labels| labels.words.column.clone()).collect(),
            categories: data_categories,
            holidays,
            link,
            season_share,
            decimal: panel.decimal,
            loss,
            checksum: panel_run::checksum(&panel),
            test_checksum: test.as_ref().map(panel_run::checksum),
        };
        Ok(Self { subject, window, panel, plain, test, data, windows, notes })
    }
}

/// What the rows before the test are: logarithms, if all have one. They are not taken where a row of the test has none, which
/// is said: no forecast could go on from it.
fn link(panel: &Panel, tested: usize) -> (Link, bool) {
    let before = |values: &'_ Vec<f64>| values.len().saturating_sub(tested);
    let before = panel.values.iter().flat_map(|values| &values[..before(values)]);
    let all = Link::for_values(panel.values.iter().flatten());
    (all, Link::for_values(before) != all)
}

/// The rows that test, in the order of the series and a horizon each.
fn matched(
    panel: &Panel,
    mut test: Panel,
    (series, file): (&str, String),
    horizon: usize,
) -> Result<Panel, PanelInputError> {
    let mut values = Vec::with_capacity(panel.ids.len());
    let mut places = HashMap::new();
    for (place, id) in test.ids.iter().enumerate() {
        places.entry(id.as_str()).or_insert(place);
    }
    for id in &panel.ids {
        let Some(&place) = places.get(id.as_str()) else {
            let (id, series) = (id.clone(), series.into());
            return Err(PanelInputError::NotTested { file, id, series });
        };
        let mut rows = std::mem::take(&mut test.values[place]);
        if rows.len() < horizon {
            let (id, found) = (id.clone(), rows.len());
            return Err(PanelInputError::ShortTest { file, id, found, horizon });
        }
        rows.truncate(horizon);
        values.push(rows);
    }
    let calendars = vec![None; panel.ids.len()];
    let (lines, filled) = (Vec::new(), Vec::new());
    let (labels, inputs) = (Vec::new(), vec![Vec::new(); panel.ids.len()]);
    let ids = panel.ids.clone();
    Ok(Panel { ids, values, calendars, lines, filled, labels, inputs, ..test })
}

/// A line about the categories of series.
fn labelled(file: &str, categories: &[Categories]) -> Option<Note> {
    let named = categories.iter().map(|known| format!("{} ({})", known.column, known.means.len()));
    let named = named.collect::<Vec<_>>().join(", ");
    (!named.is_empty()).then(|| {
        Note::Decided(format!(
            "{file}: the network reads what each series is: {named}; a category of less than {LEAST_ROWS} series has no indicator of its own"
        ))
    })
}

/// Up to seven seasons, as many as half of the series have room for twice; without a season up to 24 rows.
fn usual_window(series: &[Taught<'_>], season: usize) -> usize {
    let mut known: Vec<usize> = series.iter().map(|series| series.known).collect();
    known.sort_unstable();
    let middle = known.get(known.len() / 2).copied().unwrap_or(0);
    match season {
        1 => (middle / 3).clamp(2, 24),
        _ => (middle / (2 * season)).clamp(1, 7) * season,
    }
}

/// The mean errors of Naive 2 in the two units of the loss, for the last rows to train on: what validates chooses, and
/// measures nothing. None if it has no error.
fn units(series: &[Taught<'_>], geometry: &Geometry) -> Option<PanelLoss> {
    let (mut relative, mut scaled, mut count) = (0.0, 0.0, 0usize);
    let Geometry { season, horizon, window, link, .. } = *geometry;
    for Taught { values, known, .. } in series {
        let Some(origin) = known.checked_sub(horizon).filter(|origin| *origin >= season) else {
            continue;
        };
        let (past, actual) = values[..*known].split_at(origin);
        let forecast = naive2(past, season, horizon);
        let error = forecast.iter().zip(actual).map(|(forecast, value)| (forecast - value).abs());
        let error = error.sum::<f64>() / horizon as f64;
        let size = WindowScale::fit(link, &past[origin.saturating_sub(window)..]).size();
        let scale = scale(&values[..*known], season).max(1e-3 * size);
        relative += error / size;
        scaled += error / scale;
        count += 1;
    }
    let mean = |sum: f64| Some(sum / count as f64).filter(|mean| mean.is_finite() && *mean > 0.0);
    Some(PanelLoss { relative: mean(relative)?, scaled: mean(scaled)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_test_only_refuse_logarithms() {
        let panel = |last: f64| Panel {
            values: vec![vec![1.0, 2.0, 3.0, last], vec![5.0, 6.0]],
            ..Panel::default()
        };
        assert_eq!(link(&panel(4.0), 1), (Link::Logarithm, false));
        assert_eq!(link(&panel(0.0), 1), (Link::Identity, true));
        assert_eq!(link(&panel(0.0), 0), (Link::Identity, false));
    }
}
