//! Finds the dates of a file: which columns hold them, the order of the rows, and those that are missing.

use super::calendar::{Calendar, CalendarError};
use super::column::{self, Labels};
use super::error::{DateError, Fault};
use super::parts::{Parts, cells};
use super::rewritten::rewritten;
use super::step::infer;
use super::{DateOptions, Step, clock, gaps, names, order, shapes, unread};
use crate::data::series::table::{Content, Table};
use crate::data::series::{Missing, Note, SeriesError, SeriesOptions};
use std::borrow::Cow;

/// The dates of a file, and the rows in the order of time.
pub(in crate::data) struct Dates {
    /// The columns that hold dates, or parts of them.
    pub columns: Vec<usize>,
    /// A label for each of `rows`, where there is such a column.
    pub labels: Option<Vec<String>>,
    /// The dates that the labels are.
    pub calendar: Option<Calendar>,
    /// The rows of the series, oldest first, each by its number in the table; `None`: a row that the file lacks, whose
    /// values are filled in.
    pub rows: Vec<Option<usize>>,
}

impl Dates {
    /// So many rows as they stand.
    pub fn none(columns: Vec<usize>, rows: usize) -> Self {
        Self { columns, labels: None, calendar: None, rows: (0..rows).map(Some).collect() }
    }
}

/// Finds the columns of dates of a file, by request, content or name, and reads them.
pub(in crate::data) fn find(
    table: &Table,
    options: &SeriesOptions,
    notes: &mut Vec<Note>,
) -> Result<Dates, SeriesError> {
    let parts = parts(table, options)?;
    let columns = parts.columns.clone();
    let rows = table.rows();
    if columns.is_empty() {
        if !options.dates.ignore {
            notes.extend(unread::warning(table));
        }
        return Ok(Dates::none(columns, rows));
    }
    let name =
        columns.iter().map(|&column| table.names[column].clone()).collect::<Vec<_>>().join(", ");
    let mut note =
        |note: &Note| notes.push(note.about(&format!("{}: column '{name}'", table.file)));
    if options.dates.ignore {
        note(&Note::Decided("its dates are ignored, and the rows are taken as they stand".into()));
        return Ok(Dates::none(columns, rows));
    }
    let cells: Vec<Cow<'_, str>> = (0..rows).map(|row| parts.label(table, row)).collect();
    let lines: Vec<u64> = (0..rows).map(|row| table.line(row)).collect();
    let labels = Labels { cells: &cells, lines: Some(&lines) };
    let refused = |error: DateError| SeriesError::Date {
        file: table.file.clone(),
        column: name.clone(),
        error: Box::new(error),
    };
    let column = column::read(labels, &options.dates).map_err(refused)?;
    let (ordered, moved) = order::order(&column, labels, &options.dates).map_err(refused)?;
    let calendar = Calendar::new(column, &ordered, labels);
    calendar.notes().iter().chain(&moved.map(Note::Decided)).for_each(&mut note);
    if let Some(missing) = gaps::missing(&calendar) {
        let (row, before) = &missing.before[0];
        let (first, count) = (calendar.label(before[0]), missing.count());
        if !matches!(
            table.reading.missing,
            Missing::Interpolate | Missing::Previous | Missing::Zero
        ) {
            let step = missing.step.to_string();
            let fault = Fault::Missing { first, more: count - 1, step };
            return Err(refused(labels.fault(ordered[*row], fault)));
        }
        let were = if count == 1 { "row was" } else { "rows were" };
        note(&Note::Decided(format!("{count} {were} missing and put in, {first} first")));
        return Ok(filled(calendar, missing, &ordered, &cells, columns));
    }
    match calendar.step() {
        Err(error @ CalendarError::Irregular { .. }) => note(&Note::Doubtful(format!(
            "{error}; the rows are taken for equally far apart, and their dates tell no season and no dates to come"
        ))),
        Ok(Step::Weekdays) => holidays(&calendar).iter().for_each(note),
        _ => {}
    }
    let written = ordered.iter().map(|&row| cells[row].clone().into_owned()).collect();
    let rows = ordered.into_iter().map(Some).collect();
    Ok(Dates { columns, labels: Some(written), calendar: Some(calendar), rows })
}

/// The rows with what is missing between them.
fn filled(
    calendar: Calendar,
    missing: gaps::Missing,
    ordered: &[usize],
    cells: &[Cow<'_, str>],
    columns: Vec<usize>,
) -> Dates {
    let mut gaps = missing.before.iter().peekable();
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for (place, &row) in ordered.iter().enumerate() {
        if let Some((_, moments)) = gaps.next_if(|(before, _)| *before == place) {
            rows.extend(moments.iter().map(|_| None));
            labels.extend(moments.iter().map(|&moment| calendar.label(moment)));
        }
        rows.push(Some(row));
        labels.push(cells[row].clone().into_owned());
    }
    Dates { columns, labels: Some(labels), calendar: Some(calendar.filled(missing)), rows }
}

/// A line about the weekdays that a series of weekdays lacks.
fn holidays(calendar: &Calendar) -> Option<Note> {
    let mut count = 0;
    let mut first = None;
    for pair in calendar.moments().windows(2) {
        let mut next = calendar.after(pair[0], Step::Weekdays, 1)?;
        while next.local < pair[1].local {
            count += 1;
            first.get_or_insert(next);
            next = calendar.after(next, Step::Weekdays, 1)?;
        }
    }
    let first = calendar.label(first?);
    Some(Note::Decided(format!(
        "Monday to Friday without {count} of these days, {first} first, as of an exchange with its holidays"
    )))
}

/// The column of dates, and those that hold the rest of them.
pub(in crate::data) fn columns(
    table: &Table,
    options: &SeriesOptions,
) -> Result<Vec<usize>, SeriesError> {
    Ok(parts(table, options)?.columns)
}

pub(super) fn parts(table: &Table, options: &SeriesOptions) -> Result<Parts, SeriesError> {
    let column = match &options.date_column {
        Some(asked) => Some(table.find(asked)?),
        None => by_content(table).or_else(|| by_name(table, options)).or_else(|| by_steps(table)),
    };
    let Some(column) = column else { return Ok(Parts::none()) };
    Ok(Parts::of(table, column, |other| !is_asked(table, options, other)))
}

/// Whether a column is asked for as one of values.
fn is_asked(table: &Table, options: &SeriesOptions, column: usize) -> bool {
    let mut asked = options.columns.iter().chain(&options.exogenous);
    asked.any(|asked| table.find(asked).ok() == Some(column))
}

/// The first column most of whose cells are dates by their form alone.
fn by_content(table: &Table) -> Option<usize> {
    (0..table.width()).find(|&column| Content::of(table, column).dates)
}

/// The first column that is named as one of dates and holds words, or numbers that are dates.
fn by_name(table: &Table, options: &SeriesOptions) -> Option<usize> {
    (0..table.width()).find(|&column| {
        let title = table.title(column);
        let content = Content::of(table, column);
        if content.empty || !names::names_a_date(title) {
            return false;
        }
        // Hours without a day are no dates.
        let clocks = cells(table, column).filter(|cell| clock::is_clock(cell)).count();
        if !content.numeric {
            // Weekdays, say, that are read as categories.
            return 2 * clocks <= table.rows() && !is_asked(table, options, column);
        }
        let date = |cell: &&str| {
            let cell = rewritten(title, cell).unwrap_or_else(|| (*cell).into());
            shapes::is_number_of_date(&cell, names::names_a_year(title), names::names_a_day(title))
        };
        2 * cells(table, column).filter(date).count() > table.rows() && !leaps(table, column)
    })
}

/// Whether numbers of five digits are too far apart for the days of a spreadsheet, or count days before 1954: they count
/// something else.
fn leaps(table: &Table, column: usize) -> bool {
    const FIRST: f64 = 20_000.0;
    const YEAR: f64 = 366.0;
    let day = |cell: &str| {
        let whole = cell.split(['.', ',']).next().unwrap_or_default();
        (whole.len() == 5).then(|| whole.parse().ok()).flatten()
    };
    let days: Option<Vec<f64>> = cells(table, column).map(day).collect();
    days.is_some_and(|days| {
        let far = days.windows(2).filter(|pair| (pair[1] - pair[0]).abs() > YEAR).count();
        2 * far > days.len() || days.iter().any(|&day| day < FIRST)
    })
}

/// The first column that counts seconds or milliseconds since 1970 in regular steps of a minute at least, or has days such as
/// 20230430 in regular steps.
fn by_steps(table: &Table) -> Option<usize> {
    let counts = |column: usize| {
        let length = table.cell(0, column).len();
        let minute = match length {
            9 | 10 => 60,
            12 | 13 => 60_000,
            _ => return false,
        };
        let numbers: Option<Vec<i64>> =
            cells(table, column).map(|cell| cell.parse().ok()).collect();
        numbers.is_some_and(|numbers| {
            let step = numbers.get(1).map_or(0, |second| second - numbers[0]);
            let regular = numbers.windows(2).all(|pair| pair[1] - pair[0] == step);
            numbers.len() > 2 && regular && step > 0 && step % minute == 0
        })
    };
    (0..table.width()).find(|&column| counts(column) || are_days(table, column))
}

/// Whether all cells are days such as 20230430 and, in the order of time, equally far apart: other numbers do not step over the
/// ends of months like that.
fn are_days(table: &Table, column: usize) -> bool {
    let plausible = |cell: &str| {
        cell.len() == 8 && cell.parse::<u32>().is_ok_and(|n| (1800..2200).contains(&(n / 10_000)))
    };
    if table.rows() < 3 || !cells(table, column).all(plausible) {
        return false;
    }
    // Within one month they are numbers like others.
    let months = |cell: &str| cell[..6].to_string();
    if cells(table, column).all(|cell| months(cell) == months(table.cell(0, column))) {
        return false;
    }
    let cells: Vec<Cow<'_, str>> = cells(table, column).map(Cow::Borrowed).collect();
    let labels = Labels { cells: &cells, lines: None };
    column::read(labels, &DateOptions::default()).is_ok_and(|mut read| {
        read.moments.sort_by_key(|moment| moment.instant());
        !read.written.form.is_count() && infer(&read.moments).is_ok()
    })
}
