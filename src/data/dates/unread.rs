//! Columns that seem to hold dates and are in no form that is read.

use super::names;
use super::parts::cells;
use crate::data::series::Note;
use crate::data::series::numbers::is_number;
use crate::data::series::table::{Content, Table};
use crate::printable::printable;

/// Whether a column of numbers is one of dates or times by its name, and no values: by the name alone, or by numbers that
/// never go back as well.
pub(in crate::data) fn counts_time(table: &Table, column: usize) -> bool {
    let title = table.title(column);
    if !Content::of(table, column).numeric || !names::names_a_date(title) {
        return false;
    }
    let value = |cell: &str| cell.replace(',', ".").parse::<f64>().unwrap_or(f64::NAN);
    let values: Vec<f64> = cells(table, column).map(value).collect();
    let rises = values.len() > 2 && values.windows(2).all(|pair| pair[0] < pair[1]);
    names::names_only_a_date(title) || rises
}

/// A warning about the first column that seems to hold dates, in a file without any that are read.
pub(super) fn warning(table: &Table) -> Option<Note> {
    let named = |&column: &usize| {
        let words = !Content::of(table, column).numeric && names::names_a_date(table.title(column));
        counts_time(table, column) || words && !Content::of(table, column).empty
    };
    let columns = 0..table.width();
    let found = columns.clone().find(named).map(|column| (column, "is named as dates are"));
    let (column, why) = found.or_else(|| {
        Some((columns.clone().find(|&column| names_years(table, column))?, "holds years"))
    })?;
    let row = (0..table.rows()).find(|&row| !table.cell(row, column).is_empty())?;
    Some(Note::Doubtful(format!(
        "{}, line {}: column '{}' {why}, and '{}' is no date in a form that is read: the rows have no dates and no season; write dates as 2020-01-31, 2020-Q1 or 2020-W05, or add --ignore-dates",
        table.file,
        table.line(row),
        table.names[column],
        printable(table.cell(row, column))
    )))
}

/// Whether all cells are other words, each with a year in it.
fn names_years(table: &Table, column: usize) -> bool {
    let mut seen = std::collections::HashSet::new();
    !Content::of(table, column).numeric
        && table.rows() > 2
        && cells(table, column).all(|cell| has_year(cell) && !is_number(cell) && seen.insert(cell))
}

/// Whether four digits of a cell are a year.
fn has_year(cell: &str) -> bool {
    let mut runs = cell.split(|letter: char| !letter.is_ascii_digit());
    runs.any(|digits| digits.len() == 4 && (1500..2200).contains(&digits.parse().unwrap_or(0)))
}
