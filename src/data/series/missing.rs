//! Values that are missing: how files mark them, and what is put in their place.

use super::SeriesError;
use super::note::Note;
use super::number::Written;
use super::reading::{Decimal, Missing, Reading};
use super::table::Table;
use crate::printable::printable;

/// Whether a cell is a sign of a missing value, in any file.
pub(in crate::data) fn stands_for_missing(cell: &str) -> bool {
    const SIGNS: &[&str] = &[
        "na", "n/a", "n.a.", "<na>", "#n/a", "#na", "nan", "nat", "null", "none", "nil", "missing",
        "-", "--", "---", "–", "—", "?", ".", "..", "...", "…", "#value!", "#ref!", "#div/0!",
        "#num!", "#nv", "\\n", "k.a.", "k. a.",
    ];
    if cell.starts_with(|letter: char| letter.is_ascii_digit()) {
        return false;
    }
    cell.is_empty() || SIGNS.iter().any(|sign| cell.eq_ignore_ascii_case(sign))
}

/// Whether a cell is one of the marks of a missing value that were asked for.
pub(super) fn is_marked(cell: &str, reading: &Reading) -> bool {
    let value = |text| Written::of(text).map(|written| written.value(Decimal::Point));
    reading.missing_mark.iter().any(|mark| {
        let mark = mark.trim();
        cell.eq_ignore_ascii_case(mark) || value(mark).is_some_and(|mark| value(cell) == Some(mark))
    })
}

/// A column with its missing values.
pub(super) struct Gappy {
    /// Its index in the file.
    pub column: usize,
    pub values: Vec<Option<f64>>,
}

impl Gappy {
    /// Where values are missing.
    pub fn gaps(&self) -> Vec<bool> {
        self.values.iter().map(Option::is_none).collect()
    }
}

/// The columns without missing values, and the rows that are left.
pub(super) struct Filled {
    pub values: Vec<Vec<f64>>,
    /// Of each row that is left its number among the rows before.
    pub rows: Vec<usize>,
}

/// Fills the missing values of all columns, of which `targets` are forecast, or leaves out rows. `rows` are the rows of the
/// file, `labels` their dates, which may be `regular`.
pub(super) fn fill(
    table: &Table,
    mut columns: Vec<Gappy>,
    targets: usize,
    (rows, labels, regular): (&[Option<usize>], Option<&[String]>, bool),
    notes: &mut Vec<Note>,
) -> Result<Filled, SeriesError> {
    let how = table.reading.missing;
    for gappy in &columns {
        if how == Missing::Refuse && gappy.values.contains(&None) {
            return Err(refused(table, gappy, &columns, rows));
        }
        if gappy.values.iter().all(Option::is_none) {
            let column = table.names[gappy.column].clone();
            return Err(SeriesError::NoValues { file: table.file.clone(), column });
        }
    }
    for (index, gappy) in columns.iter_mut().enumerate() {
        let missing = gappy.values.iter().filter(|value| value.is_none()).count();
        let first = gappy.values.iter().position(Option::is_none);
        let at_end = gappy.values.iter().rev().take_while(|value| value.is_none()).count();
        fill_column(&mut gappy.values, how);
        let left = gappy.values.iter().filter(|value| value.is_none()).count();
        let (Some(first), filled) = (first, missing - left) else { continue };
        if filled == 0 {
            continue;
        }
        let place = rows[first].map_or_else(
            || labels.map(|labels| format!("{}, a row that the file lacks", labels[first])),
            |row| Some(format!("line {}", table.line(row))),
        );
        let mut line = format!(
            "{}: column '{}': {} filled in (--missing {how}), the first at {}",
            table.file,
            table.names[gappy.column],
            counted(filled, "missing value"),
            place.unwrap_or_default()
        );
        notes.push(if at_end > 0 && left == 0 && index < targets {
            line += &format!("; the last {} of them stand after the last known value", at_end);
            Note::Doubtful(line)
        } else {
            Note::Decided(line)
        });
    }
    let whole: Vec<bool> = (0..rows.len())
        .map(|row| columns.iter().all(|gappy| gappy.values[row].is_some()))
        .collect();
    let kept: Vec<usize> = (0..rows.len()).filter(|&row| whole[row]).collect();
    if let Some(out) = whole.iter().position(|whole| !whole) {
        let inside = kept
            .first()
            .zip(kept.last())
            .and_then(|(first, last)| (*first..*last).find(|&row| !whole[row]));
        let line = |row: usize| rows[row].map_or(0, |row| table.line(row));
        if let Some(row) = inside
            && regular
        {
            let (file, line) = (table.file.clone(), line(row));
            return Err(SeriesError::DropInside { file, line });
        }
        let left_out = counted(rows.len() - kept.len(), "row");
        let mut text = format!(
            "{}: {left_out} with missing values left out (--missing {how}), the first on line {}",
            table.file,
            line(out)
        );
        if inside.is_some() {
            text += "; the rows around them now follow each other";
        }
        notes.push(Note::Doubtful(text));
    }
    let values = columns.iter().map(|gappy| {
        kept.iter().map(|&row| gappy.values[row].expect("the row is whole")).collect()
    });
    Ok(Filled { values: values.collect(), rows: kept })
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn fill_column(values: &mut [Option<f64>], how: Missing) {
    match how {
        Missing::Refuse | Missing::Drop => {}
        Missing::Zero => values.iter_mut().for_each(|value| *value = value.or(Some(0.0))),
        Missing::Previous => {
            let mut last = None;
            for value in values {
                last = value.or(last);
                *value = last;
            }
        }
        Missing::Interpolate => {
            let known: Vec<(usize, f64)> = values
                .iter()
                .enumerate()
                .filter_map(|(row, value)| Some((row, (*value)?)))
                .collect();
            for pair in known.windows(2) {
                let [(from, first), (to, second)] = [pair[0], pair[1]];
                for (place, value) in values[from + 1..to].iter_mut().enumerate() {
                    let share = (place + 1) as f64 / (to - from) as f64;
                    // Each by itself, so that no difference overflows.
                    *value = Some(first * (1.0 - share) + second * share);
                }
            }
        }
    }
}

/// Why missing values are refused: the first of a column, and whether nothing comes after it.
fn refused(table: &Table, gappy: &Gappy, columns: &[Gappy], rows: &[Option<usize>]) -> SeriesError {
    let file = table.file.clone();
    let column = table.names[gappy.column].clone();
    let first = gappy.values.iter().position(Option::is_none).expect("one is missing");
    let Some(row) = rows[first] else {
        return SeriesError::NoValues { file, column };
    };
    let line = table.line(row);
    let at_end = gappy.values.iter().rev().take_while(|value| value.is_none()).count();
    let goes_on = columns.iter().any(|other| other.values.last().is_some_and(Option::is_some));
    if first + at_end == gappy.values.len() && at_end > 1 && goes_on {
        return SeriesError::Unfinished { file, line, column, rows: at_end };
    }
    let all = gappy.values.iter().filter(|value| value.is_none()).count();
    let more = if all > 1 { format!(" (and {} more)", all - 1) } else { String::new() };
    match table.cell(row, gappy.column) {
        "" => {
            SeriesError::MissingValue { file, line, column, what: "the cell is empty".into(), more }
        }
        cell => {
            let what = format!("'{}' stands for a missing value", printable(cell));
            SeriesError::MissingValue { file, line, column, what, more }
        }
    }
}
