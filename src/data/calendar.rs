//! Dates as numbers: calendar features of a row, and the dates after the last row.
//!
//! Dates are local times without a time zone, as written in the file. If the offsets from UTC change (`+01:00`, later
//! `+02:00`), all of them are converted to UTC.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};
use std::collections::HashMap;
use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// A calendar feature of a date, as a phase on a circle: `(sin 2πp, cos 2πp)` with p from 0 up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// January is 0, December 11/12.
    Month,
    /// The day, and the time of day, of the year.
    DayOfYear,
    /// The day of the month.
    DayOfMonth,
    /// Monday is 0, Sunday 6/7.
    DayOfWeek,
    /// The time of day by hour and minute.
    Hour,
    /// The time of an hour by minute and second.
    Minute,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Month, Self::DayOfYear, Self::DayOfMonth, Self::DayOfWeek, Self::Hour, Self::Minute];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::DayOfYear => "day-of-year",
            Self::DayOfMonth => "day-of-month",
            Self::DayOfWeek => "day-of-week",
            Self::Hour => "hour",
            Self::Minute => "minute",
        }
    }

    /// `p`.
    fn phase(self, date: DateTime) -> f64 {
        let minutes = f64::from(date.minute()) + f64::from(date.second()) / 60.0;
        let hours = f64::from(date.hour()) + minutes / 60.0;
        match self {
            Self::Month => (f64::from(date.month()) - 1.0) / 12.0,
            Self::DayOfYear => {
                (f64::from(date.day_of_year()) - 1.0 + hours / 24.0)
                    / f64::from(date.days_in_year())
            }
            Self::DayOfMonth => (f64::from(date.day()) - 1.0) / f64::from(date.days_in_month()),
            Self::DayOfWeek => f64::from(date.weekday().to_monday_zero_offset()) / 7.0,
            Self::Hour => hours / 24.0,
            Self::Minute => minutes / 60.0,
        }
    }

    /// `[sin 2πp, cos 2πp]`.
    pub fn of(self, date: DateTime) -> [f64; 2] {
        let angle = TAU * self.phase(date);
        [angle.sin(), angle.cos()]
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|feature| feature.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{text}' is none of {names}")
        })
    }
}

/// The distance from one row to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A number of seconds.
    Seconds(i64),
    /// A number of days.
    Days(i64),
    /// Trading days of an exchange: Monday to Friday without holidays.
    Weekdays,
    /// A number of months.
    Months(i64),
}

impl Step {
    /// The default features: those that repeat several times in a series with that step.
    pub fn features(self) -> Vec<Feature> {
        match self {
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
        const DAY: i64 = 86_400;
        match self {
            Self::Months(months) if months < 12 && 12 % months == 0 => Some((12 / months) as usize),
            Self::Days(7) => Some(52),
            Self::Days(1) => Some(7),
            Self::Seconds(seconds) if seconds < DAY && DAY % seconds == 0 => {
                Some((DAY / seconds) as usize)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
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

/// Why labels are no calendar. Each prints one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// A label is no date, or is written in another form than the others.
    #[error(
        "row {row}: '{label}' is no date as 2020-01-31, 2020-01, 31.01.2020, 01/31/2020 or 2020-Q1, alike in all rows"
    )]
    NoDate {
        /// The row, counted from 1.
        row: usize,
        /// The label.
        label: String,
    },
    /// Time goes back, or stands still.
    #[error("row {row}: {label} does not come after {before}: sort the rows by date, oldest first")]
    Order {
        /// The row, counted from 1.
        row: usize,
        /// Its date.
        label: String,
        /// The date before it.
        before: String,
    },
    /// The steps have different lengths.
    #[error("row {row}: from {before} to {label} it is not {step}, as it mostly is")]
    Irregular {
        /// The row, counted from 1.
        row: usize,
        /// Its date.
        label: String,
        /// The date before it.
        before: String,
        /// The most frequent distance.
        step: String,
    },
    /// A date is after the year 9999.
    #[error("{0} steps lead beyond the year 9999: ask for fewer")]
    Late(usize),
    /// One row has no step.
    #[error("the step between rows needs two dates: give at least two rows")]
    One,
}

/// How the dates are written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Form {
    order: Order,
    separator: char,
    /// Whether months and days have two digits.
    padded: bool,
    /// The letter before the time of day, if there is a time, and the parts of the time.
    time: Option<(char, Clock)>,
    /// The zone after it.
    zone: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Year,
    Quarter { dash: bool, letter: char },
    YearMonth,
    YearMonthDay,
    DayMonthYear,
    MonthDayYear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    minutes: bool,
    seconds: bool,
    /// Digits of a fraction of a second.
    digits: usize,
}

/// A parsed label: form, date, and the offset from UTC in seconds.
type Read = (Form, DateTime, Option<i64>);

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Parses a label. `day_first` decides where the form leaves open which number is the day.
fn read(label: &str, day_first: bool) -> Option<Read> {
    let label = label.trim();
    let (day, time) = match label.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some((label[day.len()..].chars().next()?, time.trim_start()))),
        None => (label, None),
    };
    let (order, separator, padded, date) = read_day(day, day_first)?;
    let mut form = Form { order, separator, padded, time: None, zone: String::new() };
    let mut at = date.to_datetime(jiff::civil::Time::midnight());
    let mut offset = None;
    if let Some((letter, time)) = time {
        let start = time.find(['Z', 'z', '+', '-', 'U', ' ']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(start);
        let (clock, nanoseconds) = read_clock(clock)?;
        // Hour 24 is the next day's hour 0, and second 60 the next minute's first.
        at = at.checked_add(nanoseconds.nanoseconds()).ok()?;
        offset = read_zone(zone.trim_start())?;
        form.time = Some((letter, clock));
        form.zone = zone.into();
    }
    Some((form, at, offset))
}

fn read_day(text: &str, day_first: bool) -> Option<(Order, char, bool, Date)> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if let Some((year, quarter)) = text.split_once(['Q', 'q']) {
        let letter = if text.contains('Q') { 'Q' } else { 'q' };
        let dash = year.ends_with('-');
        let year = year.strip_suffix('-').unwrap_or(year);
        let quarter: u32 = quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
        let month = (3 * quarter - 2).to_string();
        let date = (year.len() == 4 && digits(year)).then(|| date(year, &month, "1"))??;
        return Some((Order::Quarter { dash, letter }, '-', true, date));
    }
    let separator = text.chars().find(|letter| !letter.is_ascii_digit()).unwrap_or('-');
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).take(4).collect();
    if !parts.iter().all(|part| digits(part) && part.len() <= 4) {
        return None;
    }
    let padded = |parts: &[&str]| parts.iter().all(|part| part.len() == 2);
    match parts[..] {
        [year] if year.len() == 4 => Some((Order::Year, '-', true, date(year, "1", "1")?)),
        [year, month] if year.len() == 4 => {
            Some((Order::YearMonth, separator, padded(&[month]), date(year, month, "1")?))
        }
        [year, month, day] if year.len() == 4 => {
            let date = date(year, month, day)?;
            Some((Order::YearMonthDay, separator, padded(&[month, day]), date))
        }
        [first, second, year] if year.len() == 4 => {
            let (order, date) = if day_first {
                (Order::DayMonthYear, date(year, second, first)?)
            } else {
                (Order::MonthDayYear, date(year, first, second)?)
            };
            Some((order, separator, padded(&[first, second]), date))
        }
        _ => None,
    }
}

fn read_clock(text: &str) -> Option<(Clock, i64)> {
    let mut parts = text.splitn(3, ':');
    let hour: i64 = parts.next()?.parse().ok().filter(|hour| (0..=24).contains(hour))?;
    let minute = parts.next();
    let second = parts.next();
    let (whole, fraction) =
        second.map_or(("0", ""), |second| second.split_once(['.', ',']).unwrap_or((second, "")));
    let minutes: i64 = minute.unwrap_or("0").parse().ok().filter(|m| (0..60).contains(m))?;
    let seconds: i64 = whole.parse().ok().filter(|seconds| (0..=60).contains(seconds))?;
    let digits = fraction.len().min(9);
    let billionth: i64 = match digits {
        0 => 0,
        _ => fraction.get(..digits)?.parse::<u32>().ok()?.into(),
    };
    let nanoseconds = billionth * 10_i64.pow(9 - digits as u32);
    let clock = Clock { minutes: minute.is_some(), seconds: second.is_some(), digits };
    Some((clock, ((hour * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanoseconds))
}

/// Seconds east of UTC, or none for a time without a zone.
#[allow(clippy::option_option)]
fn read_zone(text: &str) -> Option<Option<i64>> {
    match text {
        "" => Some(None),
        "Z" | "z" | "UTC" => Some(Some(0)),
        offset => {
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let digits = offset.get(1..)?.replacen(':', "", 1);
            let number: i64 = digits.parse().ok().filter(|n| (0..10_000).contains(n))?;
            let (hours, minutes) =
                if digits.len() == 2 { (number, 0) } else { (number / 100, number % 100) };
            Some(Some(sign * (hours * 3600 + minutes * 60)))
        }
    }
}

impl Form {
    fn write(&self, at: DateTime) -> String {
        let (year, month, day) = (at.year(), at.month(), at.day());
        let s = self.separator;
        let two = |n: i8| if self.padded { format!("{n:02}") } else { n.to_string() };
        let mut text = match self.order {
            Order::Year => format!("{year:04}"),
            Order::Quarter { dash, letter } => {
                format!("{year:04}{}{letter}{}", if dash { "-" } else { "" }, (month - 1) / 3 + 1)
            }
            Order::YearMonth => format!("{year:04}{s}{}", two(month)),
            Order::YearMonthDay => format!("{year:04}{s}{}{s}{}", two(month), two(day)),
            Order::DayMonthYear => format!("{}{s}{}{s}{year:04}", two(day), two(month)),
            Order::MonthDayYear => format!("{}{s}{}{s}{year:04}", two(month), two(day)),
        };
        if let Some((letter, clock)) = self.time {
            text += &format!("{letter}{:02}", at.hour());
            if clock.minutes {
                text += &format!(":{:02}", at.minute());
            }
            if clock.seconds {
                text += &format!(":{:02}", at.second());
            }
            if clock.digits > 0 {
                let fraction = format!("{:09}", at.subsec_nanosecond());
                text += &format!(".{}", &fraction[..clock.digits]);
            }
            text += &self.zone;
        }
        text
    }
}

/// The dates of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    dates: Vec<DateTime>,
    form: Form,
    step: Result<Step, CalendarError>,
    /// Whether every date is the last of its month.
    month_ends: bool,
}

impl Calendar {
    /// Reads the labels of all rows.
    ///
    /// ```
    /// use bptt::data::calendar::{Calendar, Feature, Step};
    ///
    /// let labels = ["2024-01-31", "2024-02-29", "2024-03-31"].map(String::from);
    /// let calendar = Calendar::of(&labels)?;
    /// assert_eq!(calendar.step(), Ok(Step::Months(1)));
    /// let next = calendar.following(1)?[0];
    /// assert_eq!(calendar.label(next), "2024-04-30");
    /// assert_eq!(Feature::Month.of(next)[0], 1.0); // a quarter of the year is over
    /// # Ok::<(), bptt::data::calendar::CalendarError>(())
    /// ```
    ///
    /// # Errors
    /// If a label is no date, or not later than the one before it.
    pub fn of(labels: &[String]) -> Result<Self, CalendarError> {
        if labels.is_empty() {
            return Err(CalendarError::One);
        }
        let month_first = Self::read_all(labels, false);
        let day_first = Self::read_all(labels, true);
        // Where 03/04/2020 is ambiguous, take the order that makes the dates regular, or else the one that makes them
        // rise. If neither decides, 03/04 is in March, and 03.04 and 03-04 are in April.
        let rank = |read: &Result<Self, CalendarError>| match read {
            Ok(calendar) if calendar.step.is_ok() => 3,
            Ok(_) => 2,
            Err(CalendarError::Order { .. }) => 1,
            Err(_) => 0,
        };
        let slash = labels[0].contains('/');
        match rank(&day_first).cmp(&rank(&month_first)) {
            std::cmp::Ordering::Greater => day_first,
            std::cmp::Ordering::Equal if !slash => day_first,
            _ => month_first,
        }
    }

    fn read_all(labels: &[String], day_first: bool) -> Result<Self, CalendarError> {
        let no_date =
            |row: usize| CalendarError::NoDate { row: row + 1, label: shown(&labels[row]) };
        let read: Vec<Read> = labels
            .iter()
            .enumerate()
            .map(|(row, label)| read(label, day_first).ok_or_else(|| no_date(row)))
            .collect::<Result<_, _>>()?;
        let mut form = read[read.len() - 1].0.clone();
        form.padded = read.iter().all(|(form, ..)| form.padded);
        let other = |form: &Form, row: &Form| {
            (form.order, form.separator, form.time.is_some())
                != (row.order, row.separator, row.time.is_some())
        };
        if let Some(row) = read.iter().position(|(row, ..)| other(&form, row)) {
            return Err(no_date(row));
        }
        let changing = read.iter().any(|(_, _, offset)| *offset != read[0].2);
        let dates = read.iter().enumerate().map(|(row, &(_, at, offset))| match offset {
            Some(offset) if changing => at.checked_sub(offset.seconds()).map_err(|_| no_date(row)),
            _ => Ok(at),
        });
        let dates: Vec<DateTime> = dates.collect::<Result<_, _>>()?;
        if changing {
            form.zone = "Z".into();
        }
        if let Some(row) = (1..dates.len()).find(|&row| dates[row] <= dates[row - 1]) {
            let (label, before) = (shown(&labels[row]), shown(&labels[row - 1]));
            return Err(CalendarError::Order { row: row + 1, label, before });
        }
        let month_ends = dates.iter().all(|date| date.day() == date.days_in_month());
        let step = infer(&dates, month_ends, |row| shown(&labels[row]));
        Ok(Self { dates, form, step, month_ends })
    }

    /// The date of every row.
    pub fn dates(&self) -> &[DateTime] {
        &self.dates
    }

    /// The step between two rows.
    ///
    /// # Errors
    /// If the step changes: the error names the first row with another step.
    pub fn step(&self) -> Result<Step, CalendarError> {
        self.step.clone()
    }

    /// The dates of the next steps after the last row.
    ///
    /// # Errors
    /// If the rows are not equally far apart, or a date is after the year 9999.
    pub fn following(&self, steps: usize) -> Result<Vec<DateTime>, CalendarError> {
        let (first, last) = (self.dates[0], self.dates[self.dates.len() - 1]);
        let step = self.step()?;
        let mut weekday = last;
        let mut after = |count: i64| -> Option<DateTime> {
            match step {
                Step::Seconds(seconds) => {
                    let seconds = jiff::SignedDuration::from_secs(seconds.checked_mul(count)?);
                    last.checked_add(seconds).ok()
                }
                Step::Days(days) => {
                    let hours = days.checked_mul(count)?.checked_mul(24)?;
                    last.checked_add(jiff::SignedDuration::from_hours(hours)).ok()
                }
                Step::Weekdays => {
                    weekday = next_weekday(weekday)?;
                    Some(weekday)
                }
                // Counted from the first row, so that a 31st does not become a 28th after February.
                Step::Months(months) => {
                    let all = months.checked_mul(count + self.dates.len() as i64 - 1)?;
                    let date = add_months(first, all)?;
                    Some(if self.month_ends { date.last_of_month() } else { date })
                }
            }
        };
        (1..=steps).map(|count| after(count as i64).ok_or(CalendarError::Late(steps))).collect()
    }

    /// A date written as in the rows.
    pub fn label(&self, date: DateTime) -> String {
        self.form.write(date)
    }
}

fn shown(label: &str) -> String {
    crate::printable::printable(label)
}

fn next_weekday(date: DateTime) -> Option<DateTime> {
    let days = match date.weekday() {
        Weekday::Friday => 3,
        Weekday::Saturday => 2,
        _ => 1,
    };
    date.checked_add(days.days()).ok()
}

/// That many months later, on the last day of a shorter month.
fn add_months(date: DateTime, months: i64) -> Option<DateTime> {
    date.checked_add(jiff::Span::new().try_months(months).ok()?).ok()
}

fn seconds(from: DateTime, to: DateTime) -> i64 {
    to.duration_since(from).as_secs()
}

fn infer(
    dates: &[DateTime],
    month_ends: bool,
    label: impl Fn(usize) -> String,
) -> Result<Step, CalendarError> {
    if dates.len() < 2 {
        return Err(CalendarError::One);
    }
    let first = dates[0];
    let month_of = |date: DateTime| i64::from(date.year()) * 12 + i64::from(date.month());
    let months = month_of(dates[1]) - month_of(first);
    let monthly = months > 0
        && (0..).zip(dates).all(|(row, &date)| {
            let due = add_months(first, months * row);
            let due = if month_ends { due.map(DateTime::last_of_month) } else { due };
            due == Some(date)
        });
    if monthly {
        return Ok(Step::Months(months));
    }
    let gaps: Vec<i64> = dates.windows(2).map(|pair| seconds(pair[0], pair[1])).collect();
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for &gap in &gaps {
        *counts.entry(gap).or_default() += 1;
    }
    // The most frequent step, and the shortest of equally frequent ones.
    let most = counts.iter().max_by_key(|(gap, count)| (**count, -**gap));
    let usual = *most.expect("at least one gap").0;
    let of_seconds = |gap: i64| match gap % 86_400 {
        0 => Step::Days(gap / 86_400),
        _ => Step::Seconds(gap),
    };
    let exact = dates.windows(2).all(|pair| pair[1].duration_since(pair[0]).subsec_nanos() == 0);
    let Some(row) = gaps.iter().position(|&gap| gap != usual || usual == 0) else {
        if exact {
            return Ok(of_seconds(usual));
        }
        let (label, before) = (label(1), label(0));
        let step = "whole seconds".into();
        return Err(CalendarError::Irregular { row: 2, label, before, step });
    };
    let weekday = |date: &DateTime| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    let following = dates.windows(2).filter(|pair| next_weekday(pair[0]) == Some(pair[1])).count();
    // Four in five: holidays are rarer than that.
    if dates.iter().all(weekday) && 5 * following >= 4 * gaps.len() && gaps.len() >= 5 {
        return Ok(Step::Weekdays);
    }
    let step = of_seconds(usual).to_string();
    Err(CalendarError::Irregular { row: row + 2, label: label(row + 1), before: label(row), step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::panic::catch_unwind;

    fn calendar(labels: &[&str]) -> Result<Calendar, CalendarError> {
        Calendar::of(&labels.iter().map(|label| (*label).to_string()).collect::<Vec<_>>())
    }

    /// The step, and the two labels after the last one.
    fn extended(labels: &[&str]) -> (Step, [String; 2]) {
        let calendar = calendar(labels).unwrap();
        let after = calendar.following(2).unwrap();
        (calendar.step().unwrap(), [0, 1].map(|step: usize| calendar.label(after[step])))
    }

    #[test]
    fn dates_go_on_as_they_are_written() {
        for (labels, step, after) in [
            (&["1949-11", "1949-12"][..], Step::Months(1), ["1950-01", "1950-02"]),
            (&["2020-9", "2020-10"], Step::Months(1), ["2020-11", "2020-12"]),
            (&["1999", "2000"], Step::Months(12), ["2001", "2002"]),
            (&["2020Q3", "2020Q4"], Step::Months(3), ["2021Q1", "2021Q2"]),
            (&["2020-Q3", "2020-Q4"], Step::Months(3), ["2021-Q1", "2021-Q2"]),
            (&["2024-02-27", "2024-02-28"], Step::Days(1), ["2024-02-29", "2024-03-01"]),
            (&["2024/12/24", "2024/12/31"], Step::Days(7), ["2025/01/07", "2025/01/14"]),
            (&["30.1.2024", "31.1.2024"], Step::Days(1), ["1.2.2024", "2.2.2024"]),
            (&["01/30/2024", "01/31/2024"], Step::Days(1), ["02/01/2024", "02/02/2024"]),
            (&["30/01/2024", "31/01/2024"], Step::Days(1), ["01/02/2024", "02/02/2024"]),
            // Only with the day first do the dates rise.
            (
                &["05/01/2024", "04/02/2024", "05/03/2024"],
                Step::Days(30),
                ["04/04/2024", "04/05/2024"],
            ),
            (
                &["2024-01-30", "2024-02-29", "2024-03-30"],
                Step::Months(1),
                ["2024-04-30", "2024-05-30"],
            ),
            (
                &["2024-02-29", "2024-03-31", "2024-04-30"],
                Step::Months(1),
                ["2024-05-31", "2024-06-30"],
            ),
            (
                &["2024-01-01T22:00", "2024-01-01T23:00"],
                Step::Seconds(3600),
                ["2024-01-02T00:00", "2024-01-02T01:00"],
            ),
            (
                &["2024-01-01 23:00", "2024-01-01 24:00"],
                Step::Seconds(3600),
                ["2024-01-02 01:00", "2024-01-02 02:00"],
            ),
            (
                &["2024-01-01 23:59:30.5 +01:00", "2024-01-01 23:59:45.5 +01:00"],
                Step::Seconds(15),
                ["2024-01-02 00:00:00.5 +01:00", "2024-01-02 00:00:15.5 +01:00"],
            ),
            // The clocks are changed, time does not jump.
            (
                &["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"],
                Step::Seconds(3600),
                ["2024-03-31T03:00Z", "2024-03-31T04:00Z"],
            ),
            // Good Friday 2024 was no trading day.
            (
                &[
                    "2024-03-25",
                    "2024-03-26",
                    "2024-03-27",
                    "2024-03-28",
                    "2024-04-01",
                    "2024-04-02",
                    "2024-04-03",
                    "2024-04-04",
                    "2024-04-05",
                ],
                Step::Weekdays,
                ["2024-04-08", "2024-04-09"],
            ),
        ] {
            assert_eq!(extended(labels), (step, after.map(String::from)), "{labels:?}");
        }
    }

    #[test]
    fn what_is_no_calendar_is_refused_with_the_row() {
        let line = |labels: &[&str]| calendar(labels).unwrap_err().to_string();
        assert!(line(&["2020-01", "soon"]).starts_with("row 2: 'soon' is no date"));
        assert!(line(&["2020-01-30", "2020-02-30"]).starts_with("row 2: '2020-02-30'"));
        assert!(line(&["2020-01", "2020-02-01"]).starts_with("row 1: '2020-01'"));
        let back = line(&["2020-01", "2020-03", "2020-02"]);
        assert!(back.starts_with("row 3: 2020-02 does not come after 2020-03"), "{back}");
        let irregular =
            calendar(&["2020-01-04", "2020-01-05", "2020-01-07", "2020-01-08"]).unwrap();
        let line = irregular.step().unwrap_err().to_string();
        assert!(line.starts_with("row 3: from 2020-01-05 to 2020-01-07"), "{line}");
        assert!(line.contains("1 day,") && irregular.following(1).is_err(), "{line}");
        let late = calendar(&["9998", "9999"]).unwrap().following(3);
        assert_eq!(late, Err(CalendarError::Late(3)));
        assert_eq!(calendar(&["2020-01"]).unwrap().step(), Err(CalendarError::One));
        assert_eq!(Calendar::of(&[]), Err(CalendarError::One));
    }

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
            (Step::Seconds(3600), Some(24)),
            (Step::Seconds(900), Some(96)),
            (Step::Seconds(7), None),
        ] {
            assert_eq!(step.season(), season, "{step}");
        }
    }

    #[test]
    fn features_go_round() {
        let at = |text: &str| read(text, true).unwrap().1;
        let near = |feature: Feature, text: &str, phase: f64| {
            let found = feature.phase(at(text));
            assert!((found - phase).abs() < 1e-12, "{feature} {text}: {found}");
            let [sine, cosine] = feature.of(at(text));
            assert!((sine * sine + cosine * cosine - 1.0).abs() < 1e-12);
        };
        near(Feature::Month, "2020-04", 0.25);
        near(Feature::DayOfYear, "2020-12-31T12:00", 365.5 / 366.0);
        near(Feature::DayOfMonth, "2020-02-15", 14.0 / 29.0);
        near(Feature::DayOfWeek, "2024-01-01", 0.0);
        near(Feature::DayOfWeek, "2024-01-07", 6.0 / 7.0);
        near(Feature::Hour, "2024-01-01 18:30", 18.5 / 24.0);
        near(Feature::Minute, "2024-01-01 18:30:30", 30.5 / 60.0);
        for feature in Feature::ALL {
            assert_eq!(feature.name().parse(), Ok(feature));
        }
        assert!("week".parse::<Feature>().unwrap_err().contains("day-of-week"));
    }

    fn of(characters: &'static str) -> impl Strategy<Value = char> {
        prop::sample::select(characters.chars().collect::<Vec<_>>())
    }

    fn text(
        character: impl Strategy<Value = char>,
        length: std::ops::Range<usize>,
    ) -> impl Strategy<Value = String> {
        prop::collection::vec(character, length).prop_map(|drawn| drawn.into_iter().collect())
    }

    fn digits(most: usize) -> impl Strategy<Value = String> {
        text(of("0123456789"), 1..most + 1)
    }

    proptest! {
        /// A written label is read back, and an extended regular calendar is the longer regular calendar.
        #[test]
        fn an_extension_is_the_same_calendar(
            year in 1700..2200_i16, month in 1..=12_i8, day in 1..=31_i8, hour in 0..24_i8,
            kind in 0..3, count in 1..40_i64, rows in 3..20_usize, steps in 1..20_usize,
        ) {
            prop_assume!(Date::new(year, month, day).is_ok());
            let first = Date::new(year, month, day).unwrap().at(hour, 0, 0, 0);
            let at = |row: i64| match kind {
                0 => first.checked_add((count * row).months()),
                1 => first.checked_add((count * row).days()),
                _ => first.checked_add((count * row * 77).seconds()),
            };
            let form = Form {
                order: Order::YearMonthDay,
                separator: '-',
                padded: true,
                time: Some(('T', Clock { minutes: true, seconds: true, digits: 0 })),
                zone: String::new(),
            };
            let all = (rows + steps) as i64;
            let labels: Vec<String> = (0..all).map(|row| form.write(at(row).unwrap())).collect();
            let short = Calendar::of(&labels[..rows]).unwrap();
            let step = short.step().unwrap();
            for (after, label) in short.following(steps).unwrap().into_iter().zip(&labels[rows..]) {
                prop_assert_eq!(&short.label(after), label, "{:?}", step);
            }
        }

        #[test]
        fn no_label_panics(
            label in text(any::<char>(), 0..24),
            [year, month, day] in [digits(5), digits(3), digits(5)],
            [first, second] in [of("-/."), of("-/.")],
            middle in prop::option::of(of("T ")),
            clock in text(of("0123456789:.,+Z-"), 0..15),
        ) {
            let middle = middle.map(String::from).unwrap_or_default();
            let dated = format!("{year}{first}{month}{second}{day}{middle}{clock}");
            let labels = [label, dated];
            prop_assert!(catch_unwind(|| Calendar::of(&labels)).is_ok());
            prop_assert!(catch_unwind(|| Calendar::of(&[&labels[1..], &labels[..1]].concat())).is_ok());
        }
    }
}
