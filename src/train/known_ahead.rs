//! Columns that are known ahead: what they do is taken out of a series before it is forecast, and put back into the forecasts.

use super::series_run::{SeriesRun, SeriesRunError};
use crate::data::categories::Coded;
use crate::data::dates::{Calendar, Moment};
use crate::data::known_effects::KnownEffects;
use crate::data::series::{Series, SeriesOptions};
use crate::model::forecast::Backtest;
use std::path::Path;

/// The series as a run's methods see it: without the effects of the columns that are known ahead, and without these, which are
/// the last of its exogenous ones; without the labels of its rows, which may be many.
pub(super) fn without_effects(effects: Option<&KnownEffects>, series: &Series) -> Series {
    let mut plain = Series {
        names: series.names.clone(),
        exogenous_names: series.exogenous_names.clone(),
        dates: None,
        calendar: series.calendar.clone(),
        values: series.values.clone(),
        exogenous: series.exogenous.clone(),
        lines: Vec::new(),
        filled: Vec::new(),
        words: Vec::new(),
        decimal: series.decimal,
        notes: Vec::new(),
    };
    let Some(effects) = effects else { return plain };
    let others = series.exogenous.len() - effects.means.len();
    let known = plain.exogenous.split_off(others);
    plain.exogenous_names.truncate(others);
    for (target, column) in plain.values.iter_mut().enumerate() {
        for (row, value) in column.iter_mut().enumerate() {
            *value = effects.without(target, *value, known.iter().map(|known| known[row]));
        }
    }
    plain
}

/// Changes each forecast of a backtest by what the known columns of its row do.
fn changed(
    backtest: &mut Backtest,
    known: &[Vec<f64>],
    change: impl Fn(usize, f64, &mut dyn Iterator<Item = f64>) -> f64,
) {
    let Backtest { origins, horizon, targets, forecasts } = backtest;
    let paths = forecasts.chunks_exact_mut(*horizon * *targets).zip(origins.iter());
    for (path, origin) in paths {
        for (place, value) in path.iter_mut().enumerate() {
            let (row, target) = (origin + place / *targets, place % *targets);
            *value = change(target, *value, &mut known.iter().map(|known| known[row]));
        }
    }
}

impl SeriesRun {
    /// The columns of a series that are known ahead.
    fn known<'a>(&self, series: &'a Series) -> &'a [Vec<f64>] {
        &series.exogenous[series.exogenous.len() - self.data.known()..]
    }

    /// The series as the methods of this run see it: without the effects of the columns that are known ahead, and without these.
    pub fn without_effects(&self, series: &Series) -> Series {
        without_effects(self.data.effects.as_ref(), series)
    }

    /// Puts the effects back into the forecasts of a backtest.
    pub(super) fn put_back(&self, backtest: &mut Backtest, series: &Series) {
        if let Some(effects) = &self.data.effects {
            changed(backtest, self.known(series), |t, value, x| effects.with(t, value, x));
        }
    }

    /// The forecasts of a backtest without the effects.
    pub(super) fn taken_out(&self, backtest: &Backtest, series: &Series) -> Backtest {
        let mut plain = backtest.clone();
        if let Some(effects) = &self.data.effects {
            changed(&mut plain, self.known(series), |t, value, x| effects.without(t, value, x));
        }
        plain
    }

    /// Puts the effects of the rows to come, whose known columns these are, into a forecast `[step][target]`.
    pub(super) fn put_ahead(&self, forecast: &mut [f64], future: &[Vec<f64>]) {
        let Some(effects) = &self.data.effects else { return };
        let targets = self.data.names.len();
        for (place, value) in forecast.iter_mut().enumerate() {
            let (step, target) = (place / targets, place % targets);
            *value = effects.with(target, *value, future.iter().map(|known| known[step]));
        }
    }

    /// All that is known of the rows to come, which have these dates: the columns that a file gives, and the holidays.
    pub(super) fn known_of(
        &self,
        future: Option<&[Vec<f64>]>,
        calendar: Option<&Calendar>,
        following: &[Moment],
    ) -> Result<Vec<Vec<f64>>, SeriesRunError> {
        let names = &self.config.subject.future_known;
        let mut known = match future {
            None if !names.is_empty() => {
                return Err(SeriesRunError::Future { names: names.clone() });
            }
            future => future.unwrap_or_default().to_vec(),
        };
        if let Some(holidays) = &self.data.holidays {
            let Some(dates) = calendar else { return Err(self.undated()) };
            dates.step()?;
            known.extend(holidays.columns(dates, following));
        }
        Ok(known)
    }

    /// A line where the list of holidays seems to end before the last of the rows to come.
    pub(super) fn holidays_end(
        &self,
        dates: Option<&Calendar>,
        following: &[Moment],
    ) -> Option<String> {
        self.data.holidays.as_ref()?.ends_before(dates?, *following.last()?)
    }

    /// Rows without dates, where holidays need them.
    fn undated(&self) -> SeriesRunError {
        SeriesRunError::NoDates { file: self.folder.display().to_string() }
    }

    /// The known columns of the rows to come, out of a file that has them: those after the last row of the series by
    /// date, or where there are no dates by number.
    pub(super) fn read_future(
        &self,
        file: &Path,
        (series, calendar): (&Series, Option<&Calendar>),
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Vec<f64>>, SeriesRunError> {
        let subject = &self.config.subject;
        if subject.future_known.is_empty() {
            return Err(SeriesRunError::NoFuture);
        }
        let categories = &self.data.known_categories;
        let options = SeriesOptions {
            columns: subject.future_known.clone(),
            exogenous: Vec::new(),
            categorical: categories.iter().map(|known| known.column.clone()).collect(),
            to_come: false,
            usual_decimal: self.data.decimal,
            ..subject.columns()
        };
        let found = Series::read(file, &options)?;
        let last = calendar.and_then(|calendar| calendar.moments().last());
        let first = match (&found.calendar, last) {
            (Some(dates), Some(last)) => {
                let after = |moment: &&Moment| moment.instant() > last.instant();
                found.rows() - dates.moments().iter().rev().take_while(after).count()
            }
            _ if found.rows() > series.rows() => series.rows(),
            _ => 0,
        };
        // Rows without a usual step are taken one after the other.
        if let (Some(dates), Some(calendar), Some(last)) = (&found.calendar, calendar, last)
            && let Ok(following) = calendar.following(found.rows() - first)
        {
            let mut before = *last;
            for (expected, is) in following.into_iter().zip(&dates.moments()[first..]) {
                if expected.instant() != is.instant() {
                    return Err(SeriesRunError::OtherDates {
                        file: file.display().to_string(),
                        last: calendar.label(before),
                        expected: calendar.label(expected),
                        found: dates.label(*is),
                    });
                }
                before = expected;
            }
        }
        // Categories of rows that are known already have been told of.
        let columns: Vec<Vec<f64>> =
            found.values.iter().map(|column| column[first..].to_vec()).collect();
        let coded = Coded::of(&found.names, &columns, &found.words, categories);
        warnings.extend(coded.lines());
        Ok(coded.columns)
    }
}
