//! Numbers that a comma cuts in two: `1,05` without quotes where commas separate the cells.

use super::SeriesError;
use super::note::Note;
use super::number::{Marks, Written};
use super::reading::Decimal;
use super::table::Table;
use crate::printable::printable;

/// Refuses columns without names that can be the two halves of one number where digits such as `05` tell so, and warns of
/// others. With `--decimal point` they are two columns, and a warning remains where they can be thousands.
pub(super) fn check(table: &Table, notes: &mut Vec<Note>) -> Result<(), SeriesError> {
    if table.delimiter != b',' {
        return Ok(());
    }
    let point = table.reading.decimal == Some(Decimal::Point);
    for column in (1..table.width()).filter(|&column| table.title(column).is_empty()) {
        let joined = |row| format!("{},{}", table.cell(row, column - 1), table.cell(row, column));
        let (mut halves, mut zero) = (true, None);
        for row in 0..table.rows() {
            let (whole, fraction) = (table.cell(row, column - 1), table.cell(row, column));
            if !are_halves(whole, fraction, point) {
                halves = false;
                break;
            }
            let begins_with_0 = fraction.len() > 1 && fraction.starts_with('0');
            if begins_with_0 && fraction.as_bytes()[1].is_ascii_digit() {
                zero.get_or_insert(row);
            }
        }
        let columns = [column, column + 1];
        match (halves, zero) {
            (false, _) => {}
            (true, Some(row)) if !point => {
                return Err(SeriesError::SplitNumber {
                    file: table.file.clone(),
                    line: table.line(row),
                    cell: printable(&joined(row)),
                    columns,
                });
            }
            (true, _) => notes.push(Note::Doubtful(format!(
                "{}: columns {} and {} are read as two; if they are one number, {}, put it in quotes or separate the cells by semicolons; if not, --decimal point says so",
                table.file, columns[0], columns[1], printable(&joined(0))
            ))),
        }
    }
    Ok(())
}

/// Whether two cells can be the whole part and the fraction of one number, or with a decimal point its thousands and the rest.
fn are_halves(whole: &str, fraction: &str, point: bool) -> bool {
    let digits = fraction.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let without_marks =
        |cell| Written::of(cell).is_some_and(|written| written.marks == Marks::None);
    digits
        && without_marks(whole)
        && whole.as_bytes().last().is_some_and(u8::is_ascii_digit)
        && Written::of(&format!("{whole},{fraction}"))
            .is_some_and(|joined| !point || joined.marks != Marks::Decimal(Decimal::Comma))
}
