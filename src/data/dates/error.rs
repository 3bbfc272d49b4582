//! What can be wrong with the dates of a file, one line of text each.

use std::fmt;

/// Where a label stands: on a line of a file, or in a row of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The line, as an editor counts.
    Line(u64),
    /// The row, counted from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// What is wrong with the label of a row, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateError {
    /// Where.
    pub place: Place,
    /// What.
    pub fault: Fault,
}

/// `line 3: …`.
impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

impl std::error::Error for DateError {}

/// What is wrong with a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No label.
    #[error(
        "the cell is empty among dates; give it a date or remove the row; or --ignore-dates: no dates and no season from them"
    )]
    Empty,
    /// No label is a date.
    #[error(
        "'{label}' is no date as 2020-01-31, 31.01.2020, 1 Jan 2020, 2020-Q1 or 2020-W05; correct it, or name another --date-column; or --ignore-dates: no dates and no season from them"
    )]
    NoDate {
        /// The label.
        label: String,
    },
    /// A label that is no date among others that are.
    #[error(
        "'{label}' is no date as {example} is; correct it or remove the row; or --ignore-dates: no dates and no season from them"
    )]
    Other {
        /// The label.
        label: String,
        /// One that is a date.
        example: String,
    },
    /// Labels that have day and month in the order that was not asked for.
    #[error(
        "'{label}' has the {} first, as the other rows have, and --day-first={day_first} is set, by a flag or by the run",
        if *day_first { "month" } else { "day" }
    )]
    DayFirst {
        /// The label.
        label: String,
        /// What was asked for.
        day_first: bool,
    },
    /// A month or weekday in a language other than English.
    #[error(
        "'{label}': names of months and weekdays are read in English only; write numbers, as 2020-01-31; or --ignore-dates: no dates and no season from them"
    )]
    Foreign {
        /// The label.
        label: String,
    },
    /// A name of a month and two digits, which are the year or the day.
    #[error(
        "'{label}': {digits} could be the year or the day; write the year with four digits; or --ignore-dates: no dates and no season from them"
    )]
    NoYear {
        /// The label.
        label: String,
        /// The digits.
        digits: String,
    },
    /// No such time zone.
    #[error(
        "--time-zone: there is no zone '{0}'; give one as Europe/Berlin, America/New_York or UTC"
    )]
    NoZone(String),
    /// A time that the clocks leave out.
    #[error(
        "{label} is skipped in {zone}, where the clocks go forward then; give the --time-zone of the file, or none"
    )]
    Skipped {
        /// The label.
        label: String,
        /// The zone.
        zone: String,
    },
    /// All rows are in the order of time, the newest first.
    #[error(
        "{label} stands below {before} ({at}): the newest row is first; give --sort to turn the rows round, or --ignore-dates to take them as they stand, without dates and season"
    )]
    NewestFirst {
        /// The label.
        label: String,
        /// The one before it.
        before: String,
        /// Where that is.
        at: Place,
    },
    /// Time goes back.
    #[error(
        "{label} stands below {before} ({at}): give --sort to sort the rows by date, use bptt train panel with --id COLUMN if several series stand below each other, or give --ignore-dates to take the rows as they stand, without dates and season"
    )]
    Back {
        /// The label.
        label: String,
        /// The one before it.
        before: String,
        /// Where that is.
        at: Place,
    },
    /// Day and month are exchanged in some rows.
    #[error(
        "{label} stands below {before}: up to the 12th the rows go forward with the month first, and from the 13th with the day first, as if a spreadsheet had exchanged day and month; write all dates as 2020-01-31, or add --ignore-dates to take the rows as they stand, without dates and season"
    )]
    HalfSwapped {
        /// The first label with the day first.
        label: String,
        /// The one before it.
        before: String,
    },
    /// A date is there twice.
    #[error(
        "{label} is there twice, also in {at}: remove one of the two rows if it is one series, use bptt train panel with --id COLUMN if there are several{}, or give --ignore-dates to take the rows as they stand, without dates and season",
        if *clock { ", --time-zone NAME if the clocks go back then" } else { "" }
    )]
    Twice {
        /// The label.
        label: String,
        /// Where else it is.
        at: Place,
        /// Whether there is a time of day.
        clock: bool,
    },
    /// Rows are missing.
    #[error(
        "{first} is missing before it{}: the rows are otherwise {step} apart; give --missing interpolate, previous or zero to fill them in, or --ignore-dates to take the rows as they stand, without dates and season",
        match more { 0 => String::new(), 1 => ", and another row later".into(), more => format!(", and {more} others") }
    )]
    Missing {
        /// The first date that is missing.
        first: String,
        /// How many there are besides.
        more: usize,
        /// The step.
        step: String,
    },
}
