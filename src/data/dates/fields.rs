//! What a label says, read field by field.

use super::form::Field;
use super::names::{self, Spelling};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, ISOWeekDate, Weekday};

/// What a label says, field by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    pub year: i64,
    pub month: Option<i8>,
    pub day: Option<i8>,
    pub day_of_year: Option<i64>,
    pub quarter: Option<i8>,
    pub week: Option<i8>,
    pub weekday: Option<Weekday>,
    pub short_year: bool,
    /// The day of the week is part of the date, and not beside it.
    pub weekday_counts: bool,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub nanosecond: i64,
    pub afternoon: Option<bool>,
    pub zone: Option<&'a str>,
    pub count: Option<DateTime>,
    pub single: [bool; 4],
    pub zero: [bool; 4],
    pub month_spelling: Option<Spelling>,
    pub weekday_spelling: Option<Spelling>,
    pub fraction: Option<(usize, char)>,
    pub half_day: Option<&'a str>,
}

pub(super) fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

pub(super) fn letters(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_alphabetic).count()
}

/// Which of `single` a field is.
pub(super) fn padded(field: Field) -> Option<usize> {
    match field {
        Field::Month => Some(0),
        Field::Day => Some(1),
        Field::Hour | Field::HalfDayHour => Some(2),
        Field::Week => Some(3),
        _ => None,
    }
}

impl<'a> Fields<'a> {
    /// Reads one field from the beginning of `text` and returns what is left.
    pub fn read(&mut self, field: Field, exact: bool, text: &'a str) -> Option<&'a str> {
        let (least, most) = match field {
            Field::Year => (4, 4),
            Field::DayOfYear => (3, 3),
            Field::Quarter | Field::WeekdayNumber => (1, 1),
            Field::ShortYear | Field::NextYear | Field::Minute | Field::Second => (2, 2),
            Field::MonthName | Field::WeekdayName => return self.name(field, text),
            Field::Ending => {
                let known = ["st", "nd", "rd", "th", "ST", "ND", "RD", "TH"];
                return known.iter().find_map(|ending| text.strip_prefix(ending));
            }
            Field::HalfDay => {
                let length = half_day_length(text)?;
                let (half, rest) = text.split_at(length);
                self.afternoon = Some(half.starts_with(['p', 'P']));
                self.half_day = Some(half);
                return Some(rest);
            }
            Field::Zone => {
                self.zone = Some(text);
                return (!text.is_empty()).then_some("");
            }
            Field::Count(count) => {
                let (moment, fraction) = count.read(text)?;
                self.count = Some(moment);
                self.fraction = fraction;
                return Some("");
            }
            _ if exact => (2, 2),
            _ => (1, 2),
        };
        let found = digits(text);
        if found < least || (found > most && !exact) {
            return None;
        }
        let (number, mut rest) = text.split_at(found.min(most));
        if let Some(place) = padded(field) {
            self.single[place] |= number.len() == 1;
            self.zero[place] |= number.len() == 2 && number.starts_with('0');
        }
        let number: i64 = number.parse().ok()?;
        let within = |least, most| (least..=most).contains(&number).then_some(number as i8);
        match field {
            Field::Year => self.year = number,
            Field::ShortYear => (self.year, self.short_year) = (number, true),
            Field::NextYear => (number == (self.year + 1) % 100).then_some(())?,
            Field::Month => self.month = Some(within(1, 12)?),
            Field::Day => self.day = Some(within(1, 31)?),
            Field::DayOfYear => self.day_of_year = Some(number),
            Field::Quarter => self.quarter = Some(within(1, 4)?),
            Field::Week => self.week = Some(within(1, 53)?),
            Field::WeekdayNumber => {
                self.weekday = Some(Weekday::from_monday_one_offset(within(1, 7)?).ok()?);
                self.weekday_counts = true;
            }
            Field::Hour => self.hour = within(0, 24)?.into(),
            Field::HalfDayHour => self.hour = within(1, 12)?.into(),
            Field::Minute => self.minute = within(0, 59)?.into(),
            _ => self.second = within(0, 60)?.into(),
        }
        if field == Field::Second
            && let Some(fraction) = rest.strip_prefix(['.', ','])
        {
            let length = digits(fraction);
            let mark = rest.chars().next()?;
            let known = length.min(9);
            self.nanosecond =
                fraction.get(..known)?.parse::<i64>().ok()? * 10_i64.pow(9 - known as u32);
            self.fraction = Some((known, mark));
            rest = &fraction[length..];
        }
        let end_of_day = self.hour < 24 || (self.minute, self.second, self.nanosecond) == (0, 0, 0);
        end_of_day.then_some(rest)
    }

    fn name(&mut self, field: Field, text: &'a str) -> Option<&'a str> {
        let (word, mut rest) = text.split_at(letters(text));
        let mut point = false;
        if let Some(after) = rest.strip_prefix('.')
            && after.starts_with([' ', '-', '/', ','])
        {
            (point, rest) = (true, after);
        }
        if field == Field::MonthName {
            let (month, spelling) = names::month(word)?;
            self.month = Some(month);
            self.month_spelling = Some(Spelling { point, ..spelling });
        } else {
            let (weekday, spelling) = names::weekday(word)?;
            self.weekday = Some(weekday);
            self.weekday_spelling = Some(Spelling { point, ..spelling });
        }
        Some(rest)
    }

    pub fn date(&self, pivot: i64) -> Option<Date> {
        let century = if self.year < pivot { 2000 } else { 1900 };
        let year = i16::try_from(self.year + if self.short_year { century } else { 0 }).ok()?;
        if let Some(week) = self.week {
            let weekday = self.weekday.unwrap_or(Weekday::Monday);
            return Some(ISOWeekDate::new(year, week, weekday).ok()?.date());
        }
        if let Some(day) = self.day_of_year {
            let first = Date::new(year, 1, 1).ok()?;
            return first
                .checked_add((day - 1).days())
                .ok()
                .filter(|date| day > 0 && date.year() == year);
        }
        let month = self.month.or(self.quarter.map(|quarter| 3 * quarter - 2)).unwrap_or(1);
        let date = Date::new(year, month, self.day.unwrap_or(1)).ok()?;
        let weekday = self.weekday.filter(|_| !self.weekday_counts);
        weekday.is_none_or(|weekday| weekday == date.weekday()).then_some(date)
    }
}

/// The length of `AM`, `PM`, `a.m.`, `p.m.` at the beginning of a text.
pub(super) fn half_day_length(text: &str) -> Option<usize> {
    let is = |length: usize, word: &str| {
        text.get(..length).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    match text {
        _ if is(4, "a.m.") || is(4, "p.m.") => Some(4),
        _ if is(2, "am") || is(2, "pm") => Some(2),
        _ => None,
    }
}
