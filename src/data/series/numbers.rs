//! The numbers of a column.

use super::SeriesError;
use super::table::Table;
use crate::printable::printable;

/// The numbers of a column, for each of `rows` that number of row in the file.
pub(super) fn read(
    table: &Table,
    column: usize,
    rows: &[Option<usize>],
) -> Result<Vec<f64>, SeriesError> {
    rows.iter().flatten().map(|&row| finite_number(table, row, column)).collect()
}

fn finite_number(table: &Table, row: usize, column: usize) -> Result<f64, SeriesError> {
    let (file, line) = (table.file.clone(), table.line(row));
    let name = table.names[column].clone();
    let cell = table.cell(row, column);
    if cell.is_empty() {
        return Err(SeriesError::MissingCell { file, line, column: name });
    }
    match number(cell) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(SeriesError::NotFinite { file, line, column: name, cell: printable(cell) }),
        None => Err(SeriesError::Text {
            file,
            line,
            column: name,
            cell: printable(cell),
            advice: advice(cell),
        }),
    }
}

/// The number in a cell; also NaN and infinities, which are refused later.
pub(in crate::data) fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

/// Whether a cell is a sign of a missing value.
pub(in crate::data) fn stands_for_missing(cell: &str) -> bool {
    let signs = ["na", "n/a", "#n/a", "null", "none", "missing", "-", "--", "?", ".", ".."];
    signs.iter().any(|sign| cell.eq_ignore_ascii_case(sign))
}

fn advice(cell: &str) -> &'static str {
    if stands_for_missing(cell) {
        return "fill in a value or remove the row";
    }
    if cell.contains(',') && number(&cell.replacen(',', ".", 1)).is_some() {
        return "write the number with a decimal point and no comma";
    }
    "correct the cell or choose other columns"
}
