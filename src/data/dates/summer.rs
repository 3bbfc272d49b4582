//! Local times of a zone that is not known, over both ends of summer time.

use super::column::{Column, Labels};
use super::form::Moment;
use super::step::{SECOND, local_gaps, usual};
use crate::data::series::Note;
use jiff::civil::Weekday;

const HOUR: i128 = 3600 * SECOND;

/// Gives the rows of summer time their distance from winter time, and notes it, where an hour is there twice on a Sunday
/// night in autumn or left out on one in spring, and nowhere else: exactly what clocks do.
pub(super) fn find(column: &mut Column, labels: Labels<'_>) {
    let form = &column.written.form;
    if !form.has_clock() || column.moments.iter().any(|moment| moment.offset.is_some()) {
        return;
    }
    let moments = &mut column.moments;
    let turned =
        moments.first().map(|moment| moment.local) > moments.last().map(|moment| moment.local);
    if turned {
        moments.reverse();
    }
    if let Some(changes) = changes(moments) {
        let mut summer = !changes[0].1;
        let mut next = changes.iter().peekable();
        for (row, moment) in moments.iter_mut().enumerate() {
            if let Some((_, to_summer)) = next.next_if(|(change, _)| *change == row) {
                summer = *to_summer;
            }
            moment.offset = Some(if summer { 3600 } else { 0 });
        }
        let (row, to_summer) = changes[0];
        let row = if turned { moments.len() - 1 - row } else { row };
        let (what, which) = match to_summer {
            true => ("left out", "beginning"),
            false => ("there twice", "end"),
        };
        column.notes.push(Note::Decided(format!(
            "{}: at {} an hour is {what}, taken for the {which} of summer time; --time-zone NAME for the zone's own changes",
            labels.place(row),
            labels.shown(row)
        )));
    }
    if turned {
        column.moments.reverse();
    }
}

/// The rows at which the clocks have changed, each with whether summer time begins; none if there is no such row, or one
/// at which no clock changes.
fn changes(moments: &[Moment]) -> Option<Vec<(usize, bool)>> {
    let gaps = local_gaps(moments);
    let usual = usual(&gaps).filter(|&gap| gap > 0 && gap <= HOUR && HOUR % gap == 0)?;
    let mut found = Vec::new();
    // Summer is in the other half of the year south of the equator.
    let mut north = None;
    for (place, &gap) in gaps.iter().enumerate() {
        let back = gap == usual - HOUR;
        let forward = gap == usual + HOUR;
        if !back && !forward {
            continue;
        }
        let at = moments[place + 1].local;
        let night = at.weekday() == Weekday::Sunday && at.hour() < if back { 4 } else { 5 };
        let half = match at.month() {
            3..=5 => Some(forward),
            9..=11 => Some(back),
            _ => None,
        };
        let consistent = night && half.is_some() && (north.is_none() || north == half);
        let alternates = found.last().is_none_or(|(_, to_summer)| *to_summer != forward);
        match (consistent && alternates, back) {
            (true, _) => {
                north = half;
                found.push((place + 1, forward));
            }
            // Time goes back, and no clock does.
            (false, true) => return None,
            // An hour that is missing at another time is just that.
            (false, false) => {}
        }
    }
    (!found.is_empty()).then_some(found)
}
