//! Dates as one number: a count since 1970, or the days of a spreadsheet.

use super::fields::digits;
use super::form::{Moment, Style};
use jiff::SignedDuration;
use jiff::civil::{DateTime, Time, date};

/// A count since 1970 in UTC, or of days as spreadsheets count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// So many of them are a second.
    Since1970(i64),
    /// Day 1 is 1 January 1900, and there is a 29 February 1900: the first day that is read is 61, 1 March 1900.
    SpreadsheetDays,
}

impl Count {
    /// The moment of a number, and the digits of its fraction.
    pub fn read(self, text: &str) -> Option<(DateTime, Option<(usize, char)>)> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let known = fraction.map_or(0, |fraction| fraction.len().min(9));
        if digits(whole) != whole.len()
            || fraction.is_some_and(|f| f.is_empty() || digits(f) != f.len())
        {
            return None;
        }
        // Seconds and milliseconds are told apart by their lengths, in each row.
        let lengths = match self {
            Self::Since1970(1) => 1..=11,
            Self::Since1970(1000) => 11..=14,
            Self::Since1970(1_000_000) => 14..=17,
            Self::Since1970(_) => 17..=19,
            Self::SpreadsheetDays => 1..=6,
        };
        let number: i64 = whole.parse().ok().filter(|_| lengths.contains(&whole.len()))?;
        let part: i64 = fraction.map_or(Ok(0), |f| f[..known].parse()).ok()?;
        let part = part * 10_i64.pow(9 - known as u32);
        let (start, time) = match self {
            Self::Since1970(second) => {
                let below = (number % second * 1_000_000_000 + part) / second;
                (date(1970, 1, 1), SignedDuration::new(number / second, below as i32))
            }
            Self::SpreadsheetDays => {
                // To the second: a fraction of a day is written with as many digits as a spreadsheet keeps.
                let seconds = (part as f64 * 86_400e-9).round() as i64;
                let days = number.checked_mul(86_400).filter(|_| number > 60)?;
                (date(1899, 12, 30), SignedDuration::new(days + seconds, 0))
            }
        };
        let moment = start.to_datetime(Time::midnight()).checked_add(time).ok()?;
        Some((moment, fraction.map(|_| (known, '.'))))
    }

    pub fn write(self, moment: Moment, style: &Style) -> String {
        let (start, each) = match self {
            Self::Since1970(second) => (date(1970, 1, 1), 1_000_000_000 / i128::from(second)),
            Self::SpreadsheetDays => (date(1899, 12, 30), 86_400_000_000_000),
        };
        let at = match self {
            Self::Since1970(_) => moment.instant(),
            Self::SpreadsheetDays => moment.local,
        };
        let time = at.duration_since(start.to_datetime(Time::midnight())).as_nanos();
        let whole = time.div_euclid(each);
        let digits = style.fraction.0;
        if digits == 0 {
            return whole.to_string();
        }
        let part = time.rem_euclid(each) * 10_i128.pow(digits as u32) / each;
        format!("{whole}.{part:0digits$}")
    }
}
