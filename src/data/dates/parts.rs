//! Dates whose parts are in several columns: a day and its time, a year and its month, day, hour, quarter or week.

use super::column::plain_spaces;
use super::{clock, names, rewritten::rewritten};
use crate::data::series::table::Table;
use std::borrow::Cow;

/// The columns that hold the dates, and how their cells are joined.
pub(super) struct Parts {
    pub columns: Vec<usize>,
    join: Join,
}

#[derive(Clone, Copy)]
enum Join {
    Alone,
    /// A day, and its time.
    Time,
    /// Year, month, and perhaps a day.
    Day,
    /// Year, month, day and hour.
    Hour,
    /// A year, and its quarter or week after that letter.
    Part(char),
}

const YEARS: &[&str] = &["year", "yr", "jahr", "année", "annee", "año", "ano", "anno"];
const QUARTERS: &[&str] = &["quarter", "qtr", "quartal", "trimestre"];
const WEEKS: &[&str] = &["week", "wk", "woche", "kw", "kalenderwoche", "semaine", "semana"];
const MONTHS: &[&str] = &["month", "mon", "mo", "monat", "mois", "mes", "mese"];
const DAYS: &[&str] = &["day", "dom", "dy", "tag", "jour", "dia", "día", "giorno"];
const HOURS: &[&str] = &["hour", "hours", "hr", "stunde", "heure", "hora", "ora"];

impl Parts {
    /// No dates.
    pub fn none() -> Self {
        Self { columns: Vec::new(), join: Join::Alone }
    }

    /// The column and those that hold the rest of its dates, of which each must be `free`.
    pub fn of(table: &Table, column: usize, free: impl Fn(usize) -> bool) -> Self {
        let whole = || Self { columns: vec![column], join: Join::Alone };
        let with = |rest: &[usize], join| {
            let columns = [&[column], rest].concat();
            (columns[1..].iter().all(|&other| free(other))).then_some(Self { columns, join })
        };
        if let Some(time) = time_of_day(table, column) {
            return with(&[time], Join::Time).unwrap_or_else(whole);
        }
        if !is_years(table, column) || !repeats(table, column) {
            return whole();
        }
        let named = |names: &[&str], is: &dyn Fn(&str) -> bool| {
            (0..table.width()).find(|&other| {
                let title = table.title(other).to_lowercase();
                other != column && names.contains(&title.as_str()) && cells(table, other).all(is)
            })
        };
        let again = |columns: &[usize]| {
            (1..table.rows()).any(|row| {
                columns.iter().all(|&other| table.cell(row, other) == table.cell(row - 1, other))
            })
        };
        let is_month = |cell: &str| {
            number(cell, 12)
                || names::month(cell).is_some()
                || names::is_foreign(&format!("1 {cell}"))
        };
        if let Some(month) = named(MONTHS, &is_month) {
            let day = named(DAYS, &|cell| number(cell, 31)).filter(|_| again(&[column, month]));
            let Some(day) = day else {
                return with(&[month], Join::Day).unwrap_or_else(whole);
            };
            let is_hour = |cell: &str| cell == "0" || cell == "00" || number(cell, 24);
            let hour = named(HOURS, &is_hour).filter(|_| again(&[column, month, day]));
            let found = match hour {
                Some(hour) => with(&[month, day, hour], Join::Hour),
                None => with(&[month, day], Join::Day),
            };
            return found.unwrap_or_else(whole);
        }
        let after = |cell: &str, letter: char, most| {
            number(cell.trim_start_matches([letter, letter.to_ascii_lowercase()]), most)
        };
        let quarter = named(QUARTERS, &|cell| after(cell, 'Q', 4)).map(|found| (found, 'Q'));
        let part = quarter
            .or_else(|| named(WEEKS, &|cell| after(cell, 'W', 53)).map(|found| (found, 'W')));
        part.and_then(|(other, letter)| with(&[other], Join::Part(letter))).unwrap_or_else(whole)
    }

    /// The date of a row.
    pub fn label<'a>(&self, table: &'a Table, row: usize) -> Cow<'a, str> {
        let cells: Vec<_> =
            self.columns.iter().map(|&column| plain_spaces(table.cell(row, column))).collect();
        match (self.join, &cells[..]) {
            (Join::Time, [day, time]) => Cow::Owned(format!("{day} {}", clock::with_colons(time))),
            (Join::Part(letter), [year, part]) => {
                let part = part.trim_start_matches([letter, letter.to_ascii_lowercase()]);
                match letter {
                    'W' => Cow::Owned(format!("{year}-W{part:0>2}")),
                    _ => Cow::Owned(format!("{year}-{letter}{part}")),
                }
            }
            (Join::Hour, [day @ .., hour]) => Cow::Owned(format!("{} {hour}:00", day.join("-"))),
            (_, [_, ..]) if cells.len() > 1 => Cow::Owned(cells.join("-")),
            _ => {
                let title = self.columns.first().map_or("", |&column| table.title(column));
                let cell = cells.into_iter().next().unwrap_or_default();
                rewritten(title, &cell).map_or(cell, Cow::Owned)
            }
        }
    }
}

pub(super) fn cells(table: &Table, column: usize) -> impl Iterator<Item = &str> + Clone {
    (0..table.rows()).map(move |row| table.cell(row, column))
}

fn number(cell: &str, most: u8) -> bool {
    cell.len() <= 2 && cell.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n))
}

fn is_years(table: &Table, column: usize) -> bool {
    let year = |cell: &str| cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit());
    let title = table.title(column).to_lowercase();
    // A year may be among other dates by its name alone.
    (YEARS.contains(&title.as_str()) || names::names_a_year(&title))
        && cells(table, column).all(year)
        || title.is_empty() && cells(table, column).all(year)
}

/// A column that holds the times of day of dates in another: times with a colon, or times and hours as numbers where dates
/// repeat.
fn time_of_day(table: &Table, dates: usize) -> Option<usize> {
    if cells(table, dates).any(|cell| cell.contains(':')) {
        return None;
    }
    let has_times = |&column: &usize| column != dates && cells(table, column).all(clock::is_clock);
    let is_hour = |cell: &str| cell.len() <= 2 && cell.parse::<u8>().is_ok_and(|hour| hour <= 24);
    let has = |column: usize, is: &dyn Fn(&str) -> bool| {
        column != dates
            && names::names_an_hour(table.title(column))
            && repeats(table, dates)
            && cells(table, column).all(is)
    };
    let has_hours = |&column: &usize| has(column, &is_hour) || has(column, &clock::is_dotted);
    let columns = 0..table.width();
    columns.clone().find(has_times).or_else(|| {
        let found = columns.clone().find(has_hours);
        found.filter(|_| !is_years(table, dates))
    })
}

fn repeats(table: &Table, column: usize) -> bool {
    (1..table.rows()).any(|row| table.cell(row, column) == table.cell(row - 1, column))
}
