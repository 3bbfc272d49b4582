//! A form that dates are written in: which part of a label means what. The same form reads a label and writes one.

use super::count::Count;
use super::fields::{Fields, padded};
use super::names::{self, Spelling};
use super::zones::Zones;
use jiff::SignedDuration;
use jiff::civil::{DateTime, Time};

/// The time of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The local time, as it is written.
    pub local: DateTime,
    /// Seconds that it is ahead of UTC, where that is known; over the ends of summer time in a zone that is not known, ahead
    /// of winter time.
    pub offset: Option<i32>,
}

impl Moment {
    /// Without a zone.
    pub fn local(local: DateTime) -> Self {
        Self { local, offset: None }
    }

    /// UTC, or the local time where its zone is not known.
    pub fn instant(self) -> DateTime {
        self.local.saturating_sub(SignedDuration::from_secs(self.offset.unwrap_or(0).into()))
    }

    /// The moment of an instant, with the same distance from UTC.
    pub(super) fn at_instant(self, instant: DateTime) -> Option<Self> {
        let ahead = SignedDuration::from_secs(self.offset.unwrap_or(0).into());
        Some(Self { local: instant.checked_add(ahead).ok()?, ..self })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    /// Two digits.
    ShortYear,
    /// The last two digits of the year after it, as of a season: `2000/01`.
    NextYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Quarter,
    Week,
    WeekdayNumber,
    WeekdayName,
    /// `st`, `nd`, `rd`, `th` after the number before it.
    Ending,
    Hour,
    /// 1 to 12.
    HalfDayHour,
    Minute,
    Second,
    /// `AM` or `PM`.
    HalfDay,
    Zone,
    Count(Count),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A field, with all its digits where `exact`: where nothing stands between it and the next.
    Field(Field, bool),
}

pub(super) fn field(field: Field) -> Part {
    Part::Field(field, false)
}

/// What stands where in a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form(pub Vec<Part>);

/// What a form leaves open and the labels tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// Numbers below 10 that were written with one digit: of months, days, hours and weeks.
    pub single: [bool; 4],
    /// Those that were written with a zero before the digit.
    pub zero: [bool; 4],
    month: Option<Spelling>,
    weekday: Option<Spelling>,
    /// Digits of a fraction of a second, and what stands before them.
    pub fraction: (usize, char),
    /// Midnight as the end of a day.
    hour_24: bool,
    /// `AM`, `am`, `A.M.`.
    half_day: String,
    /// The zones by their distance from UTC, as they are written.
    zones: Vec<(i32, String)>,
}

/// Years of two digits below this are in the 2000s, the others in the 1900s.
pub(super) const PIVOT: i64 = 30;

impl Form {
    pub fn has(&self, field: Field) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Field(found, _) if *found == field))
    }

    /// Whether a time of day is part of it.
    pub fn has_clock(&self) -> bool {
        let spreadsheet = self.has(Field::Count(Count::SpreadsheetDays));
        self.has(Field::Hour) || self.has(Field::HalfDayHour) || (self.is_count() && !spreadsheet)
    }

    pub fn is_count(&self) -> bool {
        matches!(self.0[..], [Part::Field(Field::Count(_), _)])
    }

    /// Whether it is a year alone.
    pub fn has_year_alone(&self) -> bool {
        matches!(self.0[..], [Part::Field(Field::Year, _)])
    }

    /// Whether the year comes after the day, as is usual where it has two digits.
    pub fn ends_with_year(&self) -> bool {
        let year = self.index(Field::ShortYear);
        year.is_none_or(|year| self.index(Field::Day).is_none_or(|day| day < year))
    }

    /// The place of a field.
    fn index(&self, field: Field) -> Option<usize> {
        self.0.iter().position(|part| matches!(part, Part::Field(found, _) if *found == field))
    }

    /// Whether the day comes before the month, where both are numbers and the year is not before them.
    pub fn day_first(&self) -> Option<bool> {
        let (day, month) = (self.index(Field::Day)?, self.index(Field::Month)?);
        let year = self.index(Field::Year).or(self.index(Field::ShortYear))?;
        (year > day.min(month)).then_some(day < month)
    }

    /// `day/month/year`.
    pub fn in_words(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Field(Field::Year | Field::ShortYear, _) => Some("year".into()),
            Part::Field(Field::Month | Field::MonthName, _) => Some("month".into()),
            Part::Field(Field::Day, _) => Some("day".into()),
            Part::Field(..) => None,
        };
        self.0.iter().map_while(part).collect::<String>().trim_end().into()
    }

    /// The fields of a label in this form.
    pub fn fields<'a>(&self, label: &'a str) -> Option<Fields<'a>> {
        let mut rest = label;
        let mut fields = Fields::default();
        for part in &self.0 {
            rest = match part {
                Part::Text(text) => rest.strip_prefix(text.as_str())?,
                Part::Field(field, exact) => fields.read(*field, *exact, rest)?,
            };
        }
        rest.is_empty().then_some(fields)
    }

    /// The moment of a label in this form; the year of two digits is in the 2000s below `pivot`.
    pub fn moment(&self, fields: &Fields<'_>, pivot: i64, zones: &mut Zones) -> Option<Moment> {
        if let Some(count) = fields.count {
            let since_1970 = !self.has(Field::Count(Count::SpreadsheetDays));
            return Some(Moment { local: count, offset: since_1970.then_some(0) });
        }
        let date = fields.date(pivot)?;
        let hour = match fields.afternoon {
            Some(afternoon) => fields.hour % 12 + 12 * i64::from(afternoon),
            None => fields.hour,
        };
        let seconds = (hour * 60 + fields.minute) * 60 + fields.second;
        // Hour 24 is the next day's hour 0, and second 60 the next minute's first.
        let time = SignedDuration::new(seconds, fields.nanosecond as i32);
        let local = date.to_datetime(Time::midnight()).checked_add(time).ok()?;
        let offset = match fields.zone {
            Some(zone) => Some(zones.offset(zone, local)?),
            None => None,
        };
        local.checked_sub(SignedDuration::from_secs(offset.unwrap_or(0).into())).ok()?;
        Some(Moment { local, offset })
    }

    /// A label of the moment.
    pub fn write(&self, moment: Moment, style: &Style) -> String {
        let mut at = moment.local;
        let midnight = style.hour_24 && at.time() == Time::midnight();
        if midnight {
            at = at.yesterday().unwrap_or(at);
        }
        let mut text = String::new();
        let mut last = 0;
        for part in &self.0 {
            let (field, exact) = match part {
                Part::Text(fixed) => {
                    text += fixed;
                    continue;
                }
                Part::Field(field, exact) => (*field, *exact),
            };
            let week = at.date().iso_week_date();
            let number = match field {
                Field::Year if self.has(Field::Week) => week.year().into(),
                Field::Year => i64::from(at.year()),
                Field::ShortYear if self.has(Field::Week) => i64::from(week.year()) % 100,
                Field::ShortYear => i64::from(at.year()) % 100,
                Field::NextYear => (i64::from(at.year()) + 1) % 100,
                Field::Month => at.month().into(),
                Field::Day => at.day().into(),
                Field::DayOfYear => at.day_of_year().into(),
                Field::Quarter => i64::from((at.month() - 1) / 3 + 1),
                Field::Week => week.week().into(),
                Field::WeekdayNumber => at.weekday().to_monday_one_offset().into(),
                Field::Hour if midnight => 24,
                Field::Hour => at.hour().into(),
                Field::HalfDayHour => i64::from((at.hour() + 11) % 12 + 1),
                Field::Minute => at.minute().into(),
                Field::Second => at.second().into(),
                _ => last,
            };
            let width = match field {
                Field::Year => 4,
                Field::DayOfYear => 3,
                Field::Quarter | Field::WeekdayNumber => 1,
                _ if !exact && padded(field).is_some_and(|place| style.is_short(place, field)) => 1,
                _ => 2,
            };
            match field {
                Field::MonthName => {
                    let spelling = style.month.expect("a label had it");
                    text += &names::write_month(at.month(), spelling);
                }
                Field::WeekdayName => {
                    let spelling = style.weekday.expect("a label had it");
                    text += &names::write_weekday(at.weekday(), spelling);
                }
                Field::Ending => text += ending(last),
                Field::HalfDay => text += &half_day(at.hour() >= 12, &style.half_day),
                Field::Zone => text += &style.zone(moment.offset.unwrap_or(0)),
                Field::Count(count) => text += &count.write(moment, style),
                _ => text += &format!("{number:0width$}"),
            }
            if field == Field::Second && style.fraction.0 > 0 {
                let fraction = format!("{:09}", at.subsec_nanosecond());
                text.push(style.fraction.1);
                text += &fraction[..style.fraction.0];
            }
            last = number;
        }
        text
    }
}

fn ending(number: i64) -> &'static str {
    match (number / 10 % 10, number % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn half_day(afternoon: bool, as_in: &str) -> String {
    let [from, to] = if afternoon { [['a', 'A'], ['p', 'P']] } else { [['p', 'P'], ['a', 'A']] };
    as_in.replace(from[0], &to[0].to_string()).replace(from[1], &to[1].to_string())
}

impl Style {
    /// Whether a number below 10 has one digit. Where none of this field tells, months and days, and hours of half a day, are
    /// as the others.
    fn is_short(&self, place: usize, field: Field) -> bool {
        let alike = field != Field::Hour && self.single.contains(&true);
        self.single[place] || (alike && !self.zero[place])
    }

    pub fn add(&mut self, fields: &Fields<'_>, moment: Moment) {
        for place in 0..self.single.len() {
            self.single[place] |= fields.single[place];
            self.zero[place] |= fields.zero[place];
        }
        let and = |known: Option<Spelling>, other: Option<Spelling>| match (known, other) {
            (Some(known), Some(other)) => Some(known.and(other)),
            (known, other) => known.or(other),
        };
        self.month = and(self.month, fields.month_spelling);
        self.weekday = and(self.weekday, fields.weekday_spelling);
        if let Some(fraction) = fields.fraction
            && fraction.0 > self.fraction.0
        {
            self.fraction = fraction;
        }
        self.hour_24 |= fields.hour == 24;
        if let Some(half_day) = fields.half_day
            && self.half_day.is_empty()
        {
            self.half_day = half_day.into();
        }
        if let (Some(zone), Some(offset)) = (fields.zone, moment.offset)
            && !self.zones.iter().any(|(known, _)| *known == offset)
        {
            self.zones.push((offset, zone.into()));
        }
    }

    fn zone(&self, offset: i32) -> String {
        if let Some((_, known)) = self.zones.iter().find(|(known, _)| *known == offset) {
            return known.clone();
        }
        let like = self.zones.last().map_or("", |(_, zone)| zone);
        if like.contains('/') && !like.contains(['+', '-']) {
            return like.into();
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
        match (like.contains(':'), like.len()) {
            (true, _) => format!("{sign}{hours:02}:{minutes:02}"),
            (false, 3) if minutes == 0 => format!("{sign}{hours:02}"),
            (false, 5) => format!("{sign}{hours:02}{minutes:02}"),
            _ => format!("{sign}{hours:02}:{minutes:02}"),
        }
    }
}
