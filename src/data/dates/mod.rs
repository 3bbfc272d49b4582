//! Dates of a series in the forms in which people write them.
//!
//! A label is read once, by the one form that fits all rows of its column: ISO dates, times and weeks, days and months
//! in any order and by name, quarters, one number that counts days or seconds. Where day and month could be
//! exchanged, the step from row to row decides. Two digits of a year below 30 are in the 2000s, the others in the 1900s,
//! unless only another century lets the rows follow each other. Years are those of the Gregorian calendar.

pub mod calendar;
mod clock;
mod column;
mod count;
pub(in crate::data) mod days;
#[cfg(test)]
mod drawn;
mod error;
pub mod feature;
mod fields;
mod find;
mod form;
mod gaps;
mod moments;
mod names;
mod order;
mod parts;
mod rewritten;
mod shapes;
pub mod step;
mod summer;
mod unread;
mod zones;

pub use calendar::{Calendar, CalendarError};
pub use error::DateError;
pub use feature::Feature;
pub(super) use find::{Dates, columns, find};
pub use form::Moment;
pub(super) use moments::Timelines;
pub use step::Step;
pub(super) use unread::counts_time;

/// How dates are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateOptions {
    /// Whether the day comes before the month, where both are numbers. `None`: as the rows tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_first: Option<bool>,
    /// The time zone of times of day, such as `Europe/Berlin`. `None`: as the file says, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Sort the rows by date. Otherwise they have to be in order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sort: bool,
    /// Take the rows as they stand, without dates.
    #[serde(default, rename = "ignore-dates", skip_serializing_if = "std::ops::Not::not")]
    pub ignore: bool,
}

/// Whether a cell is a date by its form alone: `2020-01-31`, `1 April 2023`, `Q1 1990`, and not a plain number such as `1949`,
/// which is a date only in a column that is named as one.
pub(in crate::data) fn looks_like_date(cell: &str) -> bool {
    Recogniser::default().is_date(cell)
}

/// Tells whether cells look like dates; it remembers the forms of those before.
#[derive(Default)]
pub(in crate::data) struct Recogniser(Vec<form::Form>);

impl Recogniser {
    /// As [`looks_like_date`].
    pub fn is_date(&mut self, cell: &str) -> bool {
        if cell.parse::<f64>().is_ok() {
            return false;
        }
        let cell = column::plain_spaces(cell);
        let mut zones = zones::Zones::default();
        let mut reads = |form: &form::Form| {
            let fields = form.fields(&cell);
            fields.is_some_and(|fields| form.moment(&fields, form::PIVOT, &mut zones).is_some())
        };
        if self.0.iter().any(&mut reads) {
            return true;
        }
        let forms = shapes::forms_of(&cell);
        let is_date = !forms.is_empty();
        self.0.extend(forms);
        is_date
    }
}
