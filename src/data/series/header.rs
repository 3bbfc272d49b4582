//! Lines of a file that are no rows of the series: headers of several rows, sums and notes below the table.

use super::SeriesError;
use super::numbers::is_number;
use super::table::{Content, Table};
use crate::data::dates::looks_like_date;
use crate::printable::printable;

/// Refuses a header of several rows, and sums or notes below the table.
pub(super) fn check(table: &Table) -> Result<(), SeriesError> {
    check_header(table)?;
    check_footer(table)
}

fn numeric(table: &Table) -> impl Iterator<Item = usize> {
    (0..table.width()).filter(|&column| Content::of(table, column).numeric)
}

/// Below a header come rows that have words where all others have numbers.
fn check_header(table: &Table) -> Result<(), SeriesError> {
    if !table.has_header() {
        return Ok(());
    }
    let mut rows = 0;
    while rows < table.rows() && continues_header(table, rows) {
        rows += 1;
    }
    // A table of words alone is refused as that.
    if rows == 0 || rows == table.rows() {
        return Ok(());
    }
    Err(SeriesError::HeaderRows {
        file: table.file.clone(),
        line: table.line(0),
        first: table.first_line(),
        last: table.line(rows - 1),
        skip: table.line(rows - 1) - 1,
        names: names(table, rows - 1),
    })
}

/// The cells of a row as names, the first of many.
fn names(table: &Table, row: usize) -> String {
    const SHOWN: usize = 3;
    let names = (0..table.width().min(SHOWN)).map(|column| printable(table.cell(row, column)));
    let more = if table.width() > SHOWN { ", …" } else { "" };
    names.collect::<Vec<_>>().join(", ") + more
}

fn continues_header(table: &Table, row: usize) -> bool {
    let is_word =
        |column: usize| !table.is_missing(row, column) && !is_number(table.cell(row, column));
    let dated = (0..table.width()).any(|column| looks_like_date(table.cell(row, column)));
    let mut numbers = numeric(table).filter(|&column| !table.is_missing(row, column)).peekable();
    match numbers.peek() {
        Some(_) => !dated && numbers.all(is_word),
        None => {
            !dated
                && is_word(0)
                && table.rows() > row + 1
                && looks_like_date(table.cell(table.rows() - 1, 0))
        }
    }
}

/// A word for a sum among dates or numbers, in one of the last rows, or once in a column; a note in one of the last rows; or a
/// last row without the word that all others have. Such a row is none of the series, whether its dates are used or not.
fn check_footer(table: &Table) -> Result<(), SeriesError> {
    const ROWS: usize = 3;
    for row in 0..table.rows() {
        let is_last = row + ROWS >= table.rows();
        let sums = (0..table.width()).find(|&column| {
            let content = Content::of(table, column);
            let cell = table.cell(row, column);
            let once =
                || (0..table.rows()).filter(|&row| table.cell(row, column) == cell).count() == 1;
            let is_read = is_last || content.dates || content.numeric;
            let names_it = names_a_sum(cell) || is_last && begins_with_a_sum(cell);
            names_it && (is_read || once())
        });
        let no_numbers = || numeric(table).all(|column| table.is_missing(row, column));
        let note = (is_last && no_numbers() && begins_a_note(table.cell(row, 0))).then_some(0);
        let unnamed = || (row + 1 == table.rows()).then(|| lacks_a_word(table, row)).flatten();
        if let Some(column) = sums.or(note).or_else(unnamed) {
            return Err(SeriesError::Footer {
                file: table.file.clone(),
                line: table.line(row),
                cell: printable(table.cell(row, column)),
            });
        }
    }
    Ok(())
}

/// The first column, if the row has none of the words there that all other rows have, and has numbers.
fn lacks_a_word(table: &Table, row: usize) -> Option<usize> {
    let content = Content::of(table, 0);
    let words = !content.numeric && !content.dates && table.rows() > 3;
    let others = || (0..table.rows()).filter(|&other| other != row);
    let numbers = numeric(table).any(|column| !table.is_missing(row, column));
    let lacks = table.cell(row, 0).is_empty() && others().all(|row| !table.cell(row, 0).is_empty());
    (words && numbers && lacks).then_some(0)
}

fn names_a_sum(cell: &str) -> bool {
    const WORDS: &[&str] = &[
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "sums",
        "average",
        "avg",
        "mean",
        "median",
        "summe",
        "gesamt",
        "gesamtergebnis",
        "gesamtsumme",
        "endsumme",
        "insgesamt",
        "mittelwert",
        "saldo",
        "teilergebnis",
        "teilsumme",
        "zwischensumme",
        "somme",
        "sous-total",
        "moyenne",
        "totale",
        "totaal",
        "suma",
        "σ",
    ];
    if !cell.starts_with(char::is_alphabetic) {
        return false;
    }
    let cell = cell.trim_end_matches([':', ' ']).to_lowercase();
    WORDS.contains(&cell.as_str())
}

/// As of `Total général`, `Summe EUR`, `Total 2023`.
fn begins_with_a_sum(cell: &str) -> bool {
    let word = cell.split([' ', ':', '\u{a0}']).next().unwrap_or_default();
    word.len() < cell.len() && names_a_sum(word)
}

pub(super) fn begins_a_note(cell: &str) -> bool {
    const WORDS: [&str; 10] = [
        "source",
        "sources",
        "note",
        "notes",
        "quelle",
        "quellen",
        "hinweis",
        "footnote",
        "updated",
        "last updated",
    ];
    let cell = cell.to_lowercase();
    let word = cell.split([':', ' ']).next().unwrap_or_default();
    cell.starts_with(['*', '†', '©']) || WORDS.contains(&word) || cell.starts_with("last updated")
}
