//! Which columns of a file are forecast, which are read as further input, and why the others are not used.

use super::note::Note;
use super::number;
use super::numbers::is_number;
use super::table::{Content, Table};
use super::{SeriesError, SeriesOptions};
use crate::data::dates::counts_time;
use crate::printable::printable;

/// The columns that are read, by their index.
pub(super) struct Columns {
    /// Those to forecast.
    pub targets: Vec<usize>,
    /// Further input.
    pub exogenous: Vec<usize>,
}

impl Columns {
    /// The columns asked for, or every numeric one that is none of `dates` and does not number the rows, as they stand or in the
    /// order of time, `rows`, if that may be another one.
    pub fn choose(
        table: &Table,
        (dates, rows): (&[usize], Option<&[Option<usize>]>),
        options: &SeriesOptions,
        notes: &mut Vec<Note>,
    ) -> Result<Self, SeriesError> {
        let exogenous = table.find_all(&options.exogenous, &[])?;
        let mut targets = table.find_all(&options.columns, &exogenous)?;
        let others = |column: &usize| !dates.contains(column) && !exogenous.contains(column);
        let counting = |column| {
            let counted = counts_in_an_order(table, column, rows);
            let time = || dates.is_empty() && counts_time(table, column);
            let label = || is_one_label(table, column).then_some("one label");
            counted.or_else(label).or_else(|| time().then_some("named as dates"))
        };
        let counting: Vec<Option<&'static str>> = (0..table.width()).map(counting).collect();
        if options.columns.is_empty() {
            let numeric = (0..table.width())
                .filter(others)
                .filter(|&index| Content::of(table, index).numeric);
            let numeric: Vec<usize> = numeric.collect();
            targets = numeric.iter().copied().filter(|&index| counting[index].is_none()).collect();
            if targets.is_empty() && exogenous.is_empty() {
                // What counts the rows is all there is.
                targets = numeric;
            }
        }
        let file = || table.file.clone();
        if targets.is_empty() && !exogenous.is_empty() {
            return Err(SeriesError::AllExogenous { file: file() });
        }
        if targets.is_empty() {
            if let Some(error) = nearly_numbers(table, dates) {
                return Err(error);
            }
            return Err(SeriesError::NoNumericColumn {
                file: file(),
                delimiter: delimiter_name(table.delimiter),
                known: table.known_columns(),
            });
        }
        let unused: Vec<usize> =
            (0..table.width()).filter(others).filter(|column| !targets.contains(column)).collect();
        if !unused.is_empty() {
            notes.push(Note::Decided(not_used(table, &unused, &counting)));
        }
        Ok(Self { targets, exogenous })
    }
}

/// Why the first column that has digits in most of its cells holds no numbers; none if there is no such column.
fn nearly_numbers(table: &Table, dates: &[usize]) -> Option<SeriesError> {
    let has_digit = |cell: &str| cell.bytes().any(|byte| byte.is_ascii_digit());
    let is_near = |&column: &usize| {
        let digits = (0..table.rows()).filter(|&row| has_digit(table.cell(row, column)));
        !dates.contains(&column) && 2 * digits.count() > table.rows()
    };
    let column = (0..table.width()).rev().find(is_near)?;
    let row = (0..table.rows())
        .find(|&row| has_digit(table.cell(row, column)) && !is_number(table.cell(row, column)))?;
    let cell = table.cell(row, column);
    let numbers = cell.split_whitespace().filter(|part| is_number(part)).count();
    let cause = match table.width() == 1 && numbers > 1 {
        true => {
            "cells are separated by commas, semicolons, tabs or vertical bars, and not by spaces; replace the spaces"
        }
        false => number::cause(cell),
    };
    Some(SeriesError::NoNumber {
        file: table.file.clone(),
        line: table.line(row),
        column: table.names[column].clone(),
        cell: printable(cell),
        cause,
    })
}

/// The line that names every column that is not used, the first twenty of many, and why.
fn not_used(table: &Table, unused: &[usize], counting: &[Option<&'static str>]) -> String {
    const LISTED: usize = 20;
    let why = |column: usize| match (counting[column], Content::of(table, column)) {
        (Some(what), _) => what,
        (None, content) if content.numeric => "numbers",
        (None, content) if content.dates => "dates",
        (None, content) if content.empty => "empty",
        _ => "words",
    };
    let listed = unused.iter().take(LISTED);
    let named = listed.map(|&column| format!("{} ({})", table.names[column], why(column)));
    let mut line = format!("{}: not used: {}", table.file, named.collect::<Vec<_>>().join(", "));
    if unused.len() > LISTED {
        line += &format!(" and {} more", unused.len() - LISTED);
    }
    line += match unused.iter().any(|&column| why(column) == "words") {
        true => {
            "; words are categories where --exogenous or --future-known names their column; where they name several series, train one network on all of them with bptt train panel --id"
        }
        false => "; --column and --exogenous choose",
    };
    line
}

/// Whether all cells are the same word with a number in it, `EUR1` say, which is a number by its currency.
fn is_one_label(table: &Table, column: usize) -> bool {
    let first = table.cell(0, column);
    let begins = first.bytes().take_while(u8::is_ascii_uppercase).count();
    let joined = begins > 1 && first.as_bytes().get(begins).is_some_and(u8::is_ascii_digit);
    joined && table.rows() > 1 && (1..table.rows()).all(|row| table.cell(row, column) == first)
}

/// What a column counts, as the rows stand or in the order of time.
fn counts_in_an_order(
    table: &Table,
    column: usize,
    rows: Option<&[Option<usize>]>,
) -> Option<&'static str> {
    let as_they_stand = counts(table, column, 0..table.rows());
    as_they_stand.or_else(|| counts(table, column, rows?.iter().copied().flatten()))
}

/// What a column of whole numbers counts, if it counts something: its rows, or time.
fn counts(
    table: &Table,
    column: usize,
    mut order: impl Iterator<Item = usize>,
) -> Option<&'static str> {
    /// Rows that hardly go up by one by chance.
    const MANY: usize = 8;
    let whole = |row: usize| table.cell(row, column).parse::<i64>().ok();
    let title = table.title(column).to_lowercase();
    let first = whole(order.next()?)?;
    let (mut by_one, mut never_back, mut yearly) = (true, true, true);
    let mut before = first;
    let [mut least, mut most] = [first; 2];
    for row in order {
        let next = whole(row)?;
        let step = next.checked_sub(before)?;
        by_one &= step == 1;
        never_back &= step >= 0;
        yearly &= matches!(step, 0 | 1);
        [least, most] = [least.min(next), most.max(next)];
        before = next;
    }
    let rows = table.rows();
    let is = |names: &[&str]| names.contains(&title.as_str());
    let within = |from: i64, to: i64| from <= least && most <= to;
    if is(&["year", "jahr", "année", "annee", "año", "ano", "anno"]) && within(1000, 3000) {
        return Some("years");
    }
    if is(&[
        "month", "monat", "mois", "mes", "mese", "quarter", "day", "hour", "minute", "week",
        "weekday", "dow",
    ]) && within(0, 366)
    {
        return Some("a part of the date");
    }
    let unnamed = table.has_header() && title.is_empty();
    if by_one && within(1700, 2200) && rows >= MANY
        || yearly && within(1900, 2100) && rows > 12 && most > least
    {
        return Some("years");
    }
    if by_one && (rows >= MANY || unnamed || rows > 2 && matches!(first, 0 | 1)) {
        return Some("a counter");
    }
    if unnamed && never_back {
        return Some("an index without a name");
    }
    let seconds = within(600_000_000, 4_200_000_000) || within(600_000_000_000, 4_200_000_000_000);
    if never_back && seconds && rows > 2 && most > least {
        return Some("a time since 1970");
    }
    let id = is(&["id", "index", "row", "rownum", "row_id", "nr", "no", "no."]);
    (id && never_back).then_some("an index")
}

fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "vertical bars",
        b' ' => "spaces",
        _ => "the delimiter given",
    }
}
