//! The numbers of a column.

use super::SeriesError;
use super::note::Note;
use super::number::{Written, fault, is_infinity};
use super::reading::Decimal;
use super::table::Table;
use crate::printable::printable;

/// Whether a cell is a number in any of the usual forms, or an infinity.
pub(in crate::data) fn is_number(cell: &str) -> bool {
    Written::of(cell).is_some() || is_infinity(cell)
}

/// The numbers of a column, for each of `rows` that number of row in the file; none: a missing value. The note shows the first
/// cell that is not written as programs write numbers.
pub(super) fn read(
    table: &Table,
    column: usize,
    rows: &[Option<usize>],
    decimal: Option<Decimal>,
) -> Result<(Vec<Option<f64>>, Option<Note>), SeriesError> {
    let decimal = decimal.unwrap_or(Decimal::Point);
    let mut values = Vec::with_capacity(rows.len());
    let mut signs = Signs::default();
    // A cell that is not what it means: its row, and its value.
    let mut example = None;
    let mut rounded = None;
    for &row in rows {
        let Some(row) = row.filter(|&row| !table.is_missing(row, column)) else {
            values.push(None);
            continue;
        };
        let written = number(table, row, column)?;
        signs.check(table, (row, column), written)?;
        let value = written.value(decimal);
        if !value.is_finite() {
            return Err(not_finite(table, row, column));
        }
        if example.is_none() && table.cell(row, column).parse() != Ok(value) {
            example = Some((row, value));
        }
        if rounded.is_none() && is_rounded(table.cell(row, column), value) {
            rounded = Some((row, value));
        }
        values.push(Some(value));
    }
    if let Some((row, value)) = rounded {
        let line = format!(
            "{}, line {}: column '{}': '{}' has more digits than a number of 64 bits keeps, and is read as {value}",
            table.file,
            table.line(row),
            table.names[column],
            printable(table.cell(row, column))
        );
        return Ok((values, Some(Note::Doubtful(line))));
    }
    let example = example.map(|(row, value)| {
        Note::Decided(format!(
            "{}: column '{}': '{}' on line {} is read as {value}",
            table.file,
            table.names[column],
            printable(table.cell(row, column)),
            table.line(row)
        ))
    });
    Ok((values, example))
}

/// Whether a whole number is not kept to its last digit.
fn is_rounded(cell: &str, value: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.abs() > EXACT && {
        let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
        let whole = cell.chars().all(|letter| letter.is_ascii_digit() || letter == '-');
        whole && digits.trim_start_matches('0') != format!("{:.0}", value.abs())
    }
}

fn number(table: &Table, row: usize, column: usize) -> Result<Written<'_>, SeriesError> {
    let cell = table.cell(row, column);
    if is_infinity(cell) {
        return Err(not_finite(table, row, column));
    }
    Written::of(cell).ok_or_else(|| {
        let last = row + 1 == table.rows() && row > 0;
        let advice = match fault(cell) {
            Some(fault) => fault,
            None if last => {
                "correct the cell, choose other columns, add --missing-mark with the cell if it stands for a missing value, or, if it is a note below the table, remove it or put # and a space before it"
            }
            None => {
                "correct the cell, choose other columns, or, if it stands for a missing value, add --missing-mark with the cell"
            }
        };
        SeriesError::Text {
            file: table.file.clone(),
            line: table.line(row),
            column: table.names[column].clone(),
            cell: printable(cell),
            advice,
        }
    })
}

fn not_finite(table: &Table, row: usize, column: usize) -> SeriesError {
    SeriesError::NotFinite {
        file: table.file.clone(),
        line: table.line(row),
        column: table.names[column].clone(),
        cell: printable(table.cell(row, column)),
    }
}

/// The percent signs and currencies of a column: all numbers have a percent sign or none has, and there is one currency.
#[derive(Default)]
struct Signs<'table> {
    /// The row of the first number, and whether it is in percent.
    percent: Option<(usize, bool)>,
    currency: Option<(usize, &'table str)>,
}

impl<'table> Signs<'table> {
    fn check(
        &mut self,
        table: &'table Table,
        (row, column): (usize, usize),
        written: Written<'table>,
    ) -> Result<(), SeriesError> {
        let file = table.file.clone();
        let line = table.line(row);
        let name = table.names[column].clone();
        let shown = |row: usize| printable(table.cell(row, column));
        let (first, percent) = *self.percent.get_or_insert((row, written.percent));
        if percent != written.percent {
            return Err(SeriesError::Percent {
                file,
                line,
                column: name,
                cell: shown(row),
                other: shown(first),
                other_line: table.line(first),
            });
        }
        let Some(currency) = written.currency else { return Ok(()) };
        let (first, other) = *self.currency.get_or_insert((row, currency));
        if currency == other {
            return Ok(());
        }
        Err(SeriesError::Currencies {
            file,
            line,
            column: name,
            cell: shown(row),
            other: shown(first),
            other_line: table.line(first),
        })
    }
}
