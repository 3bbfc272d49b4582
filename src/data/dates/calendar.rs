//! The dates of a series: the step between its rows, and the dates after the last one.

use super::DateOptions;
use super::column::{self, Column, Labels, Written, plain_spaces};
use super::error::{DateError, Place};
use super::form::Moment;
use super::moments::{Moments, Timelines};
use super::order::order;
use super::step::{SECOND, Step, add_months, are_month_ends, infer, next_weekday};
use crate::data::series::Note;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, ToSpan};
use std::borrow::Cow;

/// Why labels are no calendar. Each prints one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// A label is no date, or not later than the one before it.
    #[error(transparent)]
    Date(#[from] DateError),
    /// The steps have different lengths.
    #[error("{place}: from {before} to {label} it is not {step}, as it mostly is")]
    Irregular {
        /// Where.
        place: Place,
        /// The date there.
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

/// The dates of a series, each later than the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    moments: Moments,
    written: Written,
    step: Result<Step, CalendarError>,
    /// Whether every date is the last of its month.
    month_ends: bool,
    day_first: Option<bool>,
    notes: Vec<Note>,
}

impl Calendar {
    /// Reads the labels of all rows, oldest first.
    ///
    /// ```
    /// use bptt::data::dates::{Calendar, DateOptions, Feature, Step};
    ///
    /// let labels = ["2024-01-31", "2024-02-29", "2024-03-31"].map(String::from);
    /// let calendar = Calendar::of(&labels, &DateOptions::default())?;
    /// assert_eq!(calendar.step(), Ok(Step::Months(1)));
    /// let next = calendar.following(1)?[0];
    /// assert_eq!(calendar.label(next), "2024-04-30");
    /// assert_eq!(Feature::Month.of(next.local)[0], 1.0); // a quarter of the year is over
    /// # Ok::<(), bptt::data::dates::CalendarError>(())
    /// ```
    ///
    /// # Errors
    /// If a label is no date, or not later than the one before it.
    pub fn of(labels: &[String], options: &DateOptions) -> Result<Self, CalendarError> {
        if labels.is_empty() {
            return Err(CalendarError::One);
        }
        let cells: Vec<Cow<'_, str>> = labels.iter().map(|label| plain_spaces(label)).collect();
        let labels = Labels { cells: &cells, lines: None };
        let column = column::read(labels, options)?;
        let as_it_stands = DateOptions { sort: false, ..DateOptions::default() };
        let (rows, _) = order(&column, labels, &as_it_stands)?;
        Ok(Self::new(column, &rows, labels))
    }

    /// The rows of a column in the order of time.
    pub(super) fn new(column: Column, rows: &[usize], labels: Labels<'_>) -> Self {
        let moments: Vec<Moment> = rows.iter().map(|&row| column.moments[row]).collect();
        let step =
            step_of(&moments, |place| (labels.place(rows[place]), labels.shown(rows[place])));
        let month_ends = are_month_ends(&moments);
        let Column { written, notes, day_first, .. } = column;
        Self { moments: moments.into(), written, step, month_ends, day_first, notes }
    }

    /// With some of the rows alone.
    pub(in crate::data) fn kept(mut self, rows: &[usize]) -> Self {
        if rows.len() < self.moments.len() {
            let kept: Vec<Moment> = rows.iter().map(|&row| self.moments[row]).collect();
            self.moments = kept.into();
            let told =
                |place: usize| (Place::Row(place as u64 + 1), self.label(self.moments[place]));
            self.step = step_of(&self.moments, told);
            self.month_ends = are_month_ends(&self.moments);
        }
        self
    }

    /// With its dates out of those of earlier series, if they are among them.
    pub(in crate::data) fn sharing(mut self, timelines: &mut Timelines) -> Self {
        self.moments = timelines.shared(self.moments);
        self
    }

    /// With what is missing put in.
    pub(super) fn filled(mut self, missing: super::gaps::Missing) -> Self {
        let mut gaps = missing.before.into_iter().peekable();
        let mut moments = Vec::new();
        for (row, &moment) in self.moments.iter().enumerate() {
            if let Some((_, missing)) = gaps.next_if(|(before, _)| *before == row) {
                moments.extend(missing);
            }
            moments.push(moment);
        }
        self.moments = moments.into();
        self.step = Ok(missing.step);
        self
    }

    /// The time of every row.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// What was decided, a line each: the order of day and month, the century, the end of summer time.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether the day comes before the month, where both are numbers.
    pub fn day_first(&self) -> Option<bool> {
        self.day_first
    }

    /// The step between two rows.
    ///
    /// # Errors
    /// If the step changes: the error names the first row with another step.
    pub fn step(&self) -> Result<Step, CalendarError> {
        self.step.clone()
    }

    /// The times of the next steps after the last row.
    ///
    /// # Errors
    /// If the rows are not equally far apart, or a date is after the year 9999.
    pub fn following(&self, steps: usize) -> Result<Vec<Moment>, CalendarError> {
        let (first, last) = (self.moments[0], self.moments[self.moments.len() - 1]);
        let step = self.step()?;
        let mut weekday = last;
        let mut after = |count: i64| match step {
            Step::Weekdays => {
                weekday = self.after(weekday, step, 1)?;
                Some(weekday)
            }
            // Counted from the first row, so that a 31st does not become a 28th after February.
            Step::Months(_) => self.after(first, step, count + self.moments.len() as i64 - 1),
            _ => self.after(last, step, count),
        };
        (1..=steps).map(|count| after(count as i64).ok_or(CalendarError::Late(steps))).collect()
    }

    /// So many steps after a moment.
    pub(super) fn after(&self, moment: Moment, step: Step, count: i64) -> Option<Moment> {
        let local = match step {
            Step::Seconds(seconds) => {
                let nanoseconds = i128::from(seconds).checked_mul(SECOND)?;
                return self.after(moment, Step::Nanoseconds(nanoseconds), count);
            }
            Step::Nanoseconds(step) => {
                let all = step.checked_mul(count.into())?;
                let seconds = i64::try_from(all / SECOND).ok()?;
                let later = SignedDuration::new(seconds, (all % SECOND) as i32);
                let instant = moment.instant().checked_add(later).ok()?;
                return match &self.written.zone {
                    Some(zone) => Some(in_zone(zone, instant)),
                    None => moment.at_instant(instant),
                };
            }
            Step::Days(days) => {
                let later = SignedDuration::from_hours(days.checked_mul(count)?.checked_mul(24)?);
                moment.local.checked_add(later).ok()?
            }
            Step::Weekdays => (0..count).try_fold(moment.local, |date, _| next_weekday(date))?,
            Step::Months(months) => {
                let date = add_months(moment.local, months.checked_mul(count)?)?;
                if self.month_ends { date.last_of_month() } else { date }
            }
        };
        Some(self.at_local(local, moment.offset))
    }

    /// Local time at a distance from UTC that the zone tells, where it is known.
    fn at_local(&self, local: DateTime, offset: Option<i32>) -> Moment {
        let zoned = self.written.zone.as_ref().and_then(|zone| {
            let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
            Some(zone.to_offset(at).seconds())
        });
        Moment { local, offset: zoned.or(offset) }
    }

    /// The days that a row stands for, the second not included: its own, or all until the next row. Where each date is the
    /// last of its month, the row stands for the months that end with it.
    pub(in crate::data) fn days_of(&self, moment: Moment) -> [Date; 2] {
        let day = moment.local.date();
        let later = |span: Span| day.checked_add(span).unwrap_or(Date::MAX);
        match self.step {
            Ok(Step::Months(months)) if self.month_ends => {
                let before = day.first_of_month().checked_sub((months - 1).months());
                [before.unwrap_or(day), later(1.day())]
            }
            Ok(Step::Months(months)) => [day, later(months.months())],
            Ok(Step::Days(days)) => [day, later(days.days())],
            Ok(Step::Seconds(seconds)) if seconds % 86_400 == 0 => {
                [day, later((seconds / 86_400).days())]
            }
            _ => [day, later(1.day())],
        }
    }

    /// A time written as in the rows.
    pub fn label(&self, moment: Moment) -> String {
        self.written.form.write(moment, &self.written.style)
    }

    /// Whether the dates are written in the same form as those of another series.
    pub fn is_written_as(&self, other: &Self) -> bool {
        self.written.form == other.written.form
    }
}

/// The step of rows; `told` says where one is and its label.
fn step_of(
    moments: &[Moment],
    told: impl Fn(usize) -> (Place, String),
) -> Result<Step, CalendarError> {
    if moments.len() < 2 {
        return Err(CalendarError::One);
    }
    infer(moments).map_err(|irregular| {
        let (place, label) = told(irregular.row);
        let (_, before) = told(irregular.row - 1);
        let step = irregular.usual.to_string();
        CalendarError::Irregular { place, label, before, step }
    })
}

fn in_zone(zone: &TimeZone, instant: DateTime) -> Moment {
    let at = TimeZone::UTC.to_timestamp(instant);
    let offset = at.map_or(0, |at| zone.to_offset(at).seconds());
    let local = instant.saturating_add(i64::from(offset).seconds());
    Moment { local, offset: Some(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::error::Fault;

    fn calendar(labels: &[&str]) -> Result<Calendar, CalendarError> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_string()).collect();
        Calendar::of(&labels, &DateOptions::default())
    }

    fn next_two(calendar: &Calendar) -> [String; 2] {
        let after = calendar.following(2).unwrap();
        [0, 1].map(|step: usize| calendar.label(after[step]))
    }

    /// The step, and the two labels after the last one.
    fn extended(labels: &[&str]) -> (Step, [String; 2]) {
        let calendar = calendar(labels).unwrap();
        (calendar.step().unwrap(), next_two(&calendar))
    }

    #[test]
    fn dates_go_on_as_they_are_written() {
        for (labels, step, after) in [
            (&["1949-11", "1949-12"][..], Step::Months(1), ["1950-01", "1950-02"]),
            (&["2020-9", "2020-10"], Step::Months(1), ["2020-11", "2020-12"]),
            (&["1999", "2000"], Step::Months(12), ["2001", "2002"]),
            (&["2020Q3", "2020Q4"], Step::Months(3), ["2021Q1", "2021Q2"]),
            (&["2020-Q3", "2020-Q4"], Step::Months(3), ["2021-Q1", "2021-Q2"]),
            (&["3Q98", "4Q98"], Step::Months(3), ["1Q99", "2Q99"]),
            (
                &["3rd Quarter 1990", "4th Quarter 1990"],
                Step::Months(3),
                ["1st Quarter 1991", "2nd Quarter 1991"],
            ),
            (&["2020-W52", "2020-W53"], Step::Days(7), ["2021-W01", "2021-W02"]),
            (&["2020-W53-6", "2020-W53-7"], Step::Days(1), ["2021-W01-1", "2021-W01-2"]),
            (&["2020M11", "2020M12"], Step::Months(1), ["2021M01", "2021M02"]),
            (&["Nov-48", "Dec-48"], Step::Months(1), ["Jan-49", "Feb-49"]),
            (&["April 2020", "May 2020"], Step::Months(1), ["June 2020", "July 2020"]),
            (&["May 2020", "Jun 2020"], Step::Months(1), ["Jul 2020", "Aug 2020"]),
            (&["30-Apr-2023", "01-May-2023"], Step::Days(1), ["02-May-2023", "03-May-2023"]),
            (&["Apr. 30, 2023", "May 1, 2023"], Step::Days(1), ["May 2, 2023", "May 3, 2023"]),
            (
                &["30th of April 2023", "1st of May 2023"],
                Step::Days(1),
                ["2nd of May 2023", "3rd of May 2023"],
            ),
            (
                &["Fri, 28 Apr 2023", "Sat, 29 Apr 2023"],
                Step::Days(1),
                ["Sun, 30 Apr 2023", "Mon, 01 May 2023"],
            ),
            (&["20230429", "20230430"], Step::Days(1), ["20230501", "20230502"]),
            (&["202311", "202312"], Step::Months(1), ["202401", "202402"]),
            (&["44927", "44928"], Step::Days(1), ["44929", "44930"]),
            (&["1672531200", "1672617600"], Step::Days(1), ["1672704000", "1672790400"]),
            (
                &["1672531200000", "1672531260000"],
                Step::Seconds(60),
                ["1672531320000", "1672531380000"],
            ),
            (&["2024-02-27", "2024-02-28"], Step::Days(1), ["2024-02-29", "2024-03-01"]),
            (&["2024/12/24", "2024/12/31"], Step::Days(7), ["2025/01/07", "2025/01/14"]),
            (&["30.1.2024", "31.1.2024"], Step::Days(1), ["1.2.2024", "2.2.2024"]),
            (&["01/30/2024", "01/31/2024"], Step::Days(1), ["02/01/2024", "02/02/2024"]),
            (&["30/01/2024", "31/01/2024"], Step::Days(1), ["01/02/2024", "02/02/2024"]),
            (&["01/30/24", "01/31/24"], Step::Days(1), ["02/01/24", "02/02/24"]),
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
                &["1/1/2024 11:00 AM", "1/1/2024 12:00 PM"],
                Step::Seconds(3600),
                ["1/1/2024 1:00 PM", "1/1/2024 2:00 PM"],
            ),
            (
                &["2024-01-01 22:00", "2024-01-01 23:00", "2024-01-01 24:00"],
                Step::Seconds(3600),
                ["2024-01-02 01:00", "2024-01-02 02:00"],
            ),
            (
                &["2024-01-01 23:59:30.5 +01:00", "2024-01-01 23:59:45.5 +01:00"],
                Step::Seconds(15),
                ["2024-01-02 00:00:00.5 +01:00", "2024-01-02 00:00:15.5 +01:00"],
            ),
            (
                &["2024-01-01 00:00:00.00", "2024-01-01 00:00:00.25"],
                Step::Nanoseconds(250_000_000),
                ["2024-01-01 00:00:00.50", "2024-01-01 00:00:00.75"],
            ),
            (
                &["1700000000000", "1700000060001", "1700000120002"],
                Step::Nanoseconds(60_001_000_000),
                ["1700000180003", "1700000240004"],
            ),
            // The clocks are changed, time does not jump.
            (
                &["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"],
                Step::Seconds(3600),
                ["2024-03-31T05:00+02:00", "2024-03-31T06:00+02:00"],
            ),
            // Midnight by the local clock, through the end of summer time.
            (
                &["2023-10-28T00:00+02:00", "2023-10-29T00:00+02:00", "2023-10-30T00:00+01:00"],
                Step::Days(1),
                ["2023-10-31T00:00+01:00", "2023-11-01T00:00+01:00"],
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
        assert!(line(&["2020-01", "soon"]).starts_with("row 2: 'soon' is no date as 2020-01 is"));
        assert!(line(&["2020-01-30", "2020-02-30"]).starts_with("row 2: '2020-02-30'"));
        assert!(line(&["2020-01", "2020-02", "2020-02-01"]).starts_with("row 3: '2020-02-01'"));
        let back = line(&["2020-01", "2020-03", "2020-02"]);
        assert!(back.starts_with("row 3: 2020-02 stands below 2020-03 (row 2)"), "{back}");
        let irregular =
            calendar(&["2020-01-04", "2020-01-05", "2020-01-07", "2020-01-08"]).unwrap();
        let line = irregular.step().unwrap_err().to_string();
        assert!(line.starts_with("row 3: from 2020-01-05 to 2020-01-07"), "{line}");
        assert!(line.contains("1 day,") && irregular.following(1).is_err(), "{line}");
        let late = calendar(&["9998", "9999"]).unwrap().following(3);
        assert_eq!(late, Err(CalendarError::Late(3)));
        assert_eq!(calendar(&["2020-01"]).unwrap().step(), Err(CalendarError::One));
        assert_eq!(calendar(&[]), Err(CalendarError::One));
        let fault = |labels: &[&str]| match calendar(labels) {
            Err(CalendarError::Date(DateError { fault, .. })) => fault,
            other => panic!("{other:?}"),
        };
        assert!(matches!(fault(&["2020-01-02", "2020-01-01"]), Fault::NewestFirst { .. }));
        assert!(matches!(fault(&["2020-01-02", "2020-01-02"]), Fault::Twice { clock: false, .. }));
        assert!(matches!(fault(&["1. März 2020", "2. März 2020"]), Fault::Foreign { .. }));
        assert!(matches!(fault(&["Mar 01", "Mar 02", "Mar 03"]), Fault::NoYear { .. }));
        assert!(matches!(fault(&["2020-01-02", ""]), Fault::Empty));
        assert!(matches!(fault(&["week", "month"]), Fault::NoDate { .. }));
    }

    #[test]
    fn a_named_zone_changes_its_clocks() {
        let options =
            DateOptions { time_zone: Some("Europe/Berlin".into()), ..DateOptions::default() };
        let of = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_string()).collect();
            Calendar::of(&labels, &options)
        };
        let spring = of(&["2024-03-31 00:00", "2024-03-31 01:00"]).unwrap();
        assert_eq!(next_two(&spring), ["2024-03-31 03:00", "2024-03-31 04:00"]);
        let autumn = of(&["2023-10-29 01:00", "2023-10-29 02:00"]).unwrap();
        assert_eq!(next_two(&autumn), ["2023-10-29 02:00", "2023-10-29 03:00"]);
        let after =
            of(&["2023-10-29 01:30", "2023-10-29 02:00", "2023-10-29 02:30", "2023-10-29 02:00"]);
        assert_eq!(after.unwrap().step(), Ok(Step::Seconds(1800)));
        let written = of(&["2024-03-31T00:00+01:00", "2024-03-31T01:00+01:00"]).unwrap();
        assert_eq!(next_two(&written), ["2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"]);
        let skipped = of(&["2024-03-31 01:00", "2024-03-31 02:00"]).unwrap_err().to_string();
        assert!(
            skipped.starts_with("row 2: 2024-03-31 02:00 is skipped in Europe/Berlin"),
            "{skipped}"
        );
        let days = of(&["2024-03-30 00:00", "2024-03-31 00:00"]).unwrap();
        assert_eq!(
            (days.step(), next_two(&days)[0].as_str()),
            (Ok(Step::Days(1)), "2024-04-01 00:00")
        );
        let count = of(&["1711839600", "1711843200"]).unwrap();
        let local = count.moments()[0].local;
        assert_eq!(local.to_string(), "2024-03-31T00:00:00");
        assert_eq!(next_two(&count)[0], "1711846800");
        let options = DateOptions { time_zone: Some("Berlin".into()), ..DateOptions::default() };
        let line = Calendar::of(&["2020".into(), "2021".into()], &options).unwrap_err().to_string();
        assert!(line.contains("--time-zone: there is no zone 'Berlin'"), "{line}");
    }
}
