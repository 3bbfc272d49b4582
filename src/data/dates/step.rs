//! The step from one row to the next.

use super::feature::Feature;
use super::form::Moment;
use jiff::ToSpan;
use jiff::civil::{DateTime, Weekday};
use std::collections::HashMap;
use std::fmt;

/// The distance from one row to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A number of nanoseconds that is no number of seconds.
    Nanoseconds(i128),
    /// A number of seconds.
    Seconds(i64),
    /// A number of days.
    Days(i64),
    /// Trading days of an exchange: Monday to Friday without holidays.
    Weekdays,
    /// A number of months.
    Months(i64),
}

/// Nanoseconds of a second.
pub(super) const SECOND: i128 = 1_000_000_000;
/// Nanoseconds of a day.
pub(super) const DAY: i128 = 86_400 * SECOND;

impl Step {
    /// The default features: those that repeat several times in a series with that step.
    pub fn features(self) -> Vec<Feature> {
        match self {
            Self::Nanoseconds(count) => Self::Seconds((count / SECOND).max(1) as i64).features(),
            Self::Seconds(seconds) if seconds % 86_400 == 0 => {
                Self::Days(seconds / 86_400).features()
            }
            Self::Seconds(seconds) if seconds < 3600 => vec![Feature::Hour, Feature::DayOfWeek],
            Self::Seconds(_) => vec![Feature::Hour, Feature::DayOfWeek, Feature::DayOfYear],
            Self::Days(1..=6) | Self::Weekdays => vec![Feature::DayOfWeek, Feature::DayOfYear],
            Self::Days(_) => vec![Feature::DayOfYear],
            Self::Months(1..=11) => vec![Feature::Month],
            Self::Months(_) => Vec::new(),
        }
    }
}

impl Step {
    /// The most likely season, in rows: a year for months, quarters or weeks, a week for days, a day for shorter
    /// steps.
    pub fn season(self) -> Option<usize> {
        match self {
            Self::Seconds(seconds) if seconds % 86_400 == 0 => {
                Self::Days(seconds / 86_400).season()
            }
            Self::Months(months) if months < 12 && 12 % months == 0 => Some((12 / months) as usize),
            Self::Days(7) => Some(52),
            Self::Days(1) => Some(7),
            Self::Seconds(seconds) => Self::Nanoseconds(i128::from(seconds) * SECOND).season(),
            Self::Nanoseconds(count) if count < DAY && DAY % count == 0 => {
                Some((DAY / count) as usize)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Nanoseconds(count) => {
                let fraction = format!("{:09}", count % SECOND);
                return write!(f, "{}.{} seconds", count / SECOND, fraction.trim_end_matches('0'));
            }
            Self::Seconds(n) if n % 3600 == 0 => (n / 3600, "hour"),
            Self::Seconds(n) if n % 60 == 0 => (n / 60, "minute"),
            Self::Seconds(n) => (n, "second"),
            Self::Days(n) => (n, "day"),
            Self::Weekdays => (1, "weekday"),
            Self::Months(n) => (n, "month"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// The next of Monday to Friday.
pub(super) fn next_weekday(date: DateTime) -> Option<DateTime> {
    let days = match date.weekday() {
        Weekday::Friday => 3,
        Weekday::Saturday => 2,
        _ => 1,
    };
    date.checked_add(days.days()).ok()
}

/// That many months later, on the last day of a shorter month.
pub(super) fn add_months(date: DateTime, months: i64) -> Option<DateTime> {
    date.checked_add(jiff::Span::new().try_months(months).ok()?).ok()
}

/// Whether every date is the last of its month.
pub(super) fn are_month_ends(moments: &[Moment]) -> bool {
    moments.iter().all(|moment| moment.local.day() == moment.local.days_in_month())
}

/// How many months each date is after the first, if all are on the same day of a month, or on the last.
pub(super) fn months_after_first(moments: &[Moment]) -> Option<Vec<i64>> {
    let first = moments.first()?.local;
    let ends = are_month_ends(moments);
    let month_of = |date: DateTime| i64::from(date.year()) * 12 + i64::from(date.month());
    let after = |moment: &Moment| {
        let months = month_of(moment.local) - month_of(first);
        let due = add_months(first, months)?;
        let due = if ends { due.last_of_month() } else { due };
        (due == moment.local).then_some(months)
    };
    moments.iter().map(after).collect()
}

/// Nanoseconds from each row to the next, by the clock on the wall.
pub(super) fn local_gaps(moments: &[Moment]) -> Vec<i128> {
    let gap = |pair: &[Moment]| pair[1].local.duration_since(pair[0].local).as_nanos();
    moments.windows(2).map(gap).collect()
}

/// Nanoseconds that pass from each row to the next.
pub(super) fn gaps(moments: &[Moment]) -> Vec<i128> {
    let gap = |pair: &[Moment]| pair[1].instant().duration_since(pair[0].instant()).as_nanos();
    moments.windows(2).map(gap).collect()
}

/// The most frequent, and the shortest of equally frequent ones.
pub(super) fn usual(gaps: &[i128]) -> Option<i128> {
    let mut counts: HashMap<i128, usize> = HashMap::new();
    for &gap in gaps {
        *counts.entry(gap).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(gap, count)| (*count, -*gap)).map(|(gap, _)| gap)
}

/// A number of nanoseconds as days by the clock on the wall, where it is.
pub(super) fn of_local(gap: i128) -> Step {
    match gap % DAY {
        0 => Step::Days((gap / DAY) as i64),
        _ => of_time(gap),
    }
}

/// A number of nanoseconds as a time that passes: in seconds, where it is.
pub(super) fn of_time(gap: i128) -> Step {
    match gap % SECOND {
        0 => Step::Seconds((gap / SECOND) as i64),
        _ => Step::Nanoseconds(gap),
    }
}

/// What `infer` finds where the rows are not equally far apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Irregular {
    /// The first row, counted from 0, that is not the usual step after the one before it.
    pub row: usize,
    /// The usual step.
    pub usual: Step,
}

/// The step of at least two rows in the order of time.
pub(super) fn infer(moments: &[Moment]) -> Result<Step, Irregular> {
    let months = months_after_first(moments);
    if let Some(step) =
        months.as_ref().and_then(|months| months.get(1).copied()).filter(|&step| step > 0)
        && months.iter().flatten().zip(0..).all(|(&after, row)| after == step * row)
    {
        return Ok(Step::Months(step));
    }
    let local = local_gaps(moments);
    let alike = local.first().filter(|first| local.iter().all(|gap| gap == *first));
    if let Some(gap) = alike.filter(|gap| **gap > 0 && *gap % DAY == 0) {
        return Ok(of_local(*gap));
    }
    let gaps = gaps(moments);
    let usual = usual(&gaps).unwrap_or(0);
    let Some(row) = gaps.iter().position(|&gap| gap != usual || usual == 0) else {
        // Of whole days by the clock of UTC, and not by the local one.
        return Ok(of_time(usual));
    };
    let weekday =
        |moment: &Moment| !matches!(moment.local.weekday(), Weekday::Saturday | Weekday::Sunday);
    let follows = |pair: &&[Moment]| next_weekday(pair[0].local) == Some(pair[1].local);
    let following = moments.windows(2).filter(follows).count();
    // Four in five: holidays are rarer than that.
    if moments.iter().all(weekday) && 5 * following >= 4 * gaps.len() && gaps.len() >= 5 {
        return Ok(Step::Weekdays);
    }
    Err(Irregular { row: row + 1, usual: of_local(usual) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_season_is_the_one_to_look_for_first() {
        for (step, season) in [
            (Step::Months(1), Some(12)),
            (Step::Months(3), Some(4)),
            (Step::Months(12), None),
            (Step::Months(5), None),
            (Step::Days(7), Some(52)),
            (Step::Days(1), Some(7)),
            (Step::Days(10), None),
            (Step::Weekdays, None),
            (Step::Seconds(86_400), Some(7)),
            (Step::Seconds(3600), Some(24)),
            (Step::Seconds(900), Some(96)),
            (Step::Seconds(7), None),
            (Step::Nanoseconds(500_000_000), Some(172_800)),
            (Step::Nanoseconds(60_001_000_000), None),
        ] {
            assert_eq!(season, step.season(), "{step}");
        }
    }
}
