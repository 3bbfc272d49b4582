//! The inputs of a series that are no numbers in its file, made to columns of numbers: categories and holidays.

use super::series_input::{SeriesInputError, parts};
use super::series_run::{SeriesData, SeriesSubject};
use crate::data::categories::{Categories, Coded};
use crate::data::holidays::{HolidayList, Holidays};
use crate::data::series::{Note, Series, Words};
use crate::data::split::Parts;

/// How the inputs of a series are coded.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownInputs {
    /// How many of the exogenous columns the network reads; the others are known ahead.
    pub read: usize,
    /// The categories of those that the network reads.
    pub categories: Vec<Categories>,
    /// The categories of those that are known ahead.
    pub known_categories: Vec<Categories>,
    /// The holidays, if their columns are among those of the series.
    pub holidays: Option<Holidays>,
    /// Those that are not yet.
    list: Option<HolidayList>,
}

impl KnownInputs {
    /// Makes the columns of categories of a series to columns of numbers, by its rows to learn from, and reads the list of
    /// holidays.
    pub fn read(
        subject: &SeriesSubject,
        mut series: Series,
    ) -> Result<(Series, Self), SeriesInputError> {
        let Parts { split, test, .. } = parts(subject, &series)?;
        let mut inputs = Self::default();
        let others = subject.exogenous.len();
        let mut names = std::mem::take(&mut series.exogenous_names);
        let mut columns = std::mem::take(&mut series.exogenous);
        let known = (names.split_off(others), columns.split_off(others));
        for (is_known, (names, columns)) in [(false, (names, columns)), (true, known)] {
            let words = series.words.iter().filter(|words| names.contains(&words.column));
            let rows = if is_known { test } else { split };
            let fit = |words: &Words| {
                let place = names.iter().position(|name| *name == words.column);
                Categories::fit(words, &columns[place.expect("one of these")], rows)
            };
            let categories: Vec<Categories> = words.map(fit).collect();
            let coded = Coded::of(&names, &columns, &series.words, &categories);
            series.notes.extend(coded.lines().into_iter().map(Note::Doubtful));
            series.notes.extend(categories.iter().filter_map(rare));
            series.exogenous_names.extend(coded.names);
            series.exogenous.extend(coded.columns);
            match is_known {
                true => inputs.known_categories = categories,
                false => (inputs.read, inputs.categories) = (series.exogenous.len(), categories),
            }
        }
        series.words.clear();
        if let Some(path) = &subject.holidays {
            let dates = series.calendar.as_ref().ok_or(SeriesInputError::NoDates)?;
            let day_first = subject.dates.day_first.or(dates.day_first());
            let list = HolidayList::read(path, day_first)?;
            series.notes.extend(list.notes.iter().cloned());
            inputs.list = Some(list);
        }
        Ok((series, inputs))
    }

    /// Those of a run, whose series has them already.
    pub fn of_run(data: &SeriesData) -> Self {
        Self {
            read: data.features.exogenous.len(),
            categories: data.categories.clone(),
            known_categories: data.known_categories.clone(),
            holidays: data.holidays.clone(),
            list: None,
        }
    }

    /// Adds the columns of the holidays, if the series has not got them, with the effects that the first `rows` rows tell.
    pub fn add_holidays(
        &mut self,
        series: &mut Series,
        (rows, season): (usize, usize),
        horizon: usize,
    ) {
        let Some((list, dates)) = self.list.take().zip(series.calendar.clone()) else { return };
        let mut holidays = Holidays::of(&list, &dates, &dates.moments()[..rows]);
        holidays.choose(&series.values, (&series.exogenous[self.read..], &dates), (rows, season));
        let columns = holidays.columns(&dates, dates.moments());
        series.notes.push(match columns[0][..rows].iter().any(|&count| count > 0.0) {
            true => Note::Decided(holidays.line()),
            false => Note::Doubtful(
                "holidays: none of them is on a row before the test, and they have no effect"
                    .into(),
            ),
        });
        let last = dates.following(horizon).ok().and_then(|following| following.last().copied());
        let short = last.and_then(|last| holidays.ends_before(&dates, last));
        series.notes.extend(short.map(Note::Doubtful));
        series.exogenous_names.extend(holidays.names());
        series.exogenous.extend(columns);
        self.holidays = Some(holidays);
    }

    /// The penalties of so many columns that are known ahead.
    pub fn penalties(&self, known: usize) -> Vec<f64> {
        let holidays = self.holidays.as_ref().map(Holidays::penalties).unwrap_or_default();
        let mut penalties = vec![0.0; known - holidays.len()];
        penalties.extend(holidays);
        penalties
    }
}

/// A line about rare categories.
fn rare(categories: &Categories) -> Option<Note> {
    let count = categories.rare.len();
    (count > 0).then(|| {
        Note::Decided(format!(
            "{}: {count} rare categories, as '{}', are read as one",
            categories.column, categories.rare[0]
        ))
    })
}

/// Codes the inputs of later rows as those of a run, and adds the columns of its holidays. The lines tell of categories that
/// the run does not know.
///
/// # Errors
/// The name of a column of words that was one of numbers, or none where there are no dates for the holidays.
pub(super) fn code(data: &SeriesData, mut series: Series) -> Result<Series, Option<String>> {
    let categories = [data.categories.as_slice(), &data.known_categories].concat();
    let (names, columns) = (&series.exogenous_names, &series.exogenous);
    let coded = Coded::of(names, columns, &series.words, &categories);
    if let Some(column) = coded.unknown {
        return Err(Some(column));
    }
    series.notes.extend(coded.lines().into_iter().map(Note::Doubtful));
    series.exogenous_names = coded.names;
    series.exogenous = coded.columns;
    series.words.clear();
    if let Some(holidays) = &data.holidays {
        let dates = series.calendar.as_ref().ok_or(None)?;
        series.exogenous.extend(holidays.columns(dates, dates.moments()));
        series.exogenous_names.extend(holidays.names());
    }
    Ok(series)
}
