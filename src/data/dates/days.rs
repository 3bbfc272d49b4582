//! Days that stand in a file in any order, as those of a list of holidays.

use super::column::{self, Labels};
use super::form::{Field, Form};
use super::parts::cells;
use super::{DateOptions, find};
use crate::data::series::table::Table;
use crate::data::series::{Note, SeriesError, SeriesOptions};
use crate::printable::printable;
use jiff::civil::Date;
use std::borrow::Cow;

/// The columns that hold the days of a file, and the day of each row. `usual` says whether the day comes before the month in
/// another file, where both orders are possible.
///
/// # Errors
/// If no column holds dates, or a date cannot be read or is no day.
pub(in crate::data) fn read(
    table: &Table,
    usual: Option<bool>,
    notes: &mut Vec<Note>,
) -> Result<(Vec<usize>, Vec<Date>), SeriesError> {
    let mut options = SeriesOptions::default();
    if let Some(column) = (0..table.width()).find(|&column| are_eight_digits(table, column)) {
        options.date_column = Some((column + 1).to_string());
    }
    let parts = find::parts(table, &options)?;
    let columns = parts.columns.clone();
    if columns.is_empty() {
        return Err(SeriesError::NoDays { file: table.file.clone(), known: table.known_columns() });
    }
    let rows = table.rows();
    let cells: Vec<Cow<'_, str>> = (0..rows).map(|row| parts.label(table, row)).collect();
    let lines: Vec<u64> = (0..rows).map(|row| table.line(row)).collect();
    let labels = Labels { cells: &cells, lines: Some(&lines) };
    let with =
        |day_first| column::read(labels, &DateOptions { day_first, ..DateOptions::default() });
    let read = match usual {
        Some(_) => with(usual).or_else(|_| with(None)),
        None => with(None),
    };
    let name = table.names[columns[0]].clone();
    let read = read.map_err(|error| SeriesError::Date {
        file: table.file.clone(),
        column: name.clone(),
        error: Box::new(error),
    })?;
    if !tells_a_day(&read.written.form) {
        let (file, line) = (table.file.clone(), table.line(0));
        return Err(SeriesError::NoDay { file, line, column: name, cell: printable(&cells[0]) });
    }
    let about = format!("{}: column '{name}'", table.file);
    notes.extend(read.notes.iter().map(|note| note.about(&about)));
    Ok((columns, read.moments.iter().map(|moment| moment.local.date()).collect()))
}

/// Whether all cells are days such as 20231225.
fn are_eight_digits(table: &Table, column: usize) -> bool {
    cells(table, column).all(|cell| {
        let number = cell.parse::<u32>().ok().filter(|_| cell.len() == 8);
        number.is_some_and(|number| (1800..2200).contains(&(number / 10_000)))
    })
}

fn tells_a_day(form: &Form) -> bool {
    let weekday = form.has(Field::WeekdayNumber) || form.has(Field::WeekdayName);
    let within_week = form.has(Field::Week) && weekday;
    form.has(Field::Day) || form.has(Field::DayOfYear) || form.is_count() || within_week
}
