//! The order of the rows in time.

use super::DateOptions;
use super::column::{Column, Labels};
use super::error::{DateError, Fault};
use super::form::Moment;

/// The rows from the oldest to the newest, and a line about what was moved.
///
/// # Errors
/// If a date is there twice, or time goes back and the rows are not to be sorted.
pub(super) fn order(
    column: &Column,
    labels: Labels<'_>,
    options: &DateOptions,
) -> Result<(Vec<usize>, Option<String>), DateError> {
    let at = |row: usize| column.moments[row].instant();
    let mut rows: Vec<usize> = (0..column.moments.len()).collect();
    let back =
        |rows: &[usize]| (1..rows.len()).find(|&place| at(rows[place]) <= at(rows[place - 1]));
    let twice = |row: usize, other: usize| {
        let (label, at, clock) =
            (labels.shown(row), labels.place(other), column.written.form.has_clock());
        labels.fault(row, Fault::Twice { label, at, clock })
    };
    let Some(first) = back(&rows) else { return Ok((rows, None)) };
    if let Some(row) = half_swapped(column) {
        let (label, before) = (labels.shown(row), labels.shown(row - 1));
        return Err(labels.fault(row, Fault::HalfSwapped { label, before }));
    }
    let turned = rows.windows(2).all(|pair| at(pair[0]) > at(pair[1]));
    if options.sort {
        let moved = rows.windows(2).filter(|pair| at(pair[0]) > at(pair[1])).count();
        rows.sort_by_key(|&row| at(row));
        return match back(&rows) {
            Some(place) => Err(twice(rows[place], rows[place - 1])),
            None if turned => {
                Ok((rows, Some("the newest row was first: the rows are turned round".into())))
            }
            None => {
                Ok((rows, Some(format!("sorted by date: time went back {moved} {}", times(moved)))))
            }
        };
    }
    if at(first) == at(first - 1) {
        return Err(twice(first, first - 1));
    }
    let (label, before, at) =
        (labels.shown(first), labels.shown(first - 1), labels.place(first - 1));
    Err(labels.fault(
        first,
        match turned {
            true => Fault::NewestFirst { label, before, at },
            false => Fault::Back { label, before, at },
        },
    ))
}

/// The first row with a day above 12, if time goes forward where day and month of all others are exchanged: a spreadsheet has
/// read the days up to 12 as months.
fn half_swapped(column: &Column) -> Option<usize> {
    column.written.form.day_first()?;
    let exchanged = |moment: &Moment| {
        let at = moment.local;
        let (day, month) = (at.day(), at.month());
        if day > 12 {
            return Some(at);
        }
        at.with().month(1).day(1).build().ok()?.with().month(day).day(month).build().ok()
    };
    let others: Option<Vec<_>> = column.moments.iter().map(exchanged).collect();
    let others = others?;
    let late = column.moments.iter().skip(1).position(|moment| moment.local.day() > 12)? + 1;
    let small = column.moments.iter().filter(|moment| moment.local.day() <= 12).count();
    (small > 1 && others.windows(2).all(|pair| pair[0] < pair[1])).then_some(late)
}

fn times(count: usize) -> &'static str {
    if count == 1 { "time" } else { "times" }
}
