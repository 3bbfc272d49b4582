//! Times of day: where they begin in a label, and the forms that they may have.

use super::fields::{digits, half_day_length};
use super::form::{Field, Form, Part, field};
use super::zones::Zones;
use std::borrow::Cow;

/// A label as a day and what stands after it, in the ways that there are.
pub(super) fn splits(label: &str) -> Vec<(&str, Vec<Part>)> {
    let mut found = vec![(label, Vec::new())];
    let mut add = |day_end: usize, clock_start: usize| {
        let (day, between) = (&label[..day_end], &label[day_end..clock_start]);
        // Hours and minutes without a colon are so after a T, or after a day without marks.
        let compact = digits(&label[clock_start..]) > 2;
        if compact && between != "T" && digits(day) != day.len() {
            return;
        }
        if let Some(clock) = clock_parts(&label[clock_start..]) {
            let between = (!between.is_empty()).then(|| Part::Text(between.into()));
            found.push((day, between.into_iter().chain(clock).collect::<Vec<Part>>()));
        }
    };
    let bytes = label.as_bytes();
    let before = |start: usize| label[..start].trim_end_matches([' ', ',']).len();
    for (place, &byte) in bytes.iter().enumerate().skip(1) {
        let ends_digits = bytes[place - 1].is_ascii_digit();
        let begins_digits = bytes.get(place + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'T' | b't' if ends_digits && begins_digits => add(place, place + 1),
            // `01/Apr/2023:10:00:00`, as web servers write it.
            b':' if ends_digits && label[..place].contains('/') => add(place, place + 1),
            b' ' if begins_digits => add(before(place + 1), place + 1),
            _ => {}
        }
    }
    found
}

/// Whether a cell is a time of day without a day, with a colon or AM or PM.
pub(super) fn is_clock(cell: &str) -> bool {
    let telling = cell.contains(':') || cell.ends_with(['m', 'M', '.']);
    telling && clock_parts(cell).is_some_and(|parts| Form(parts).fields(cell).is_some())
}

/// Whether a cell is a time of day without colons: `18.00`, `18.00.00`, `1800`.
pub(super) fn is_dotted(cell: &str) -> bool {
    let points = cell.bytes().filter(|&byte| byte == b'.').count();
    let length = if points == 0 { cell.len() == 4 } else { cell.len() == 2 + 3 * points };
    length && points < 3 && is_clock(&with_colons(cell))
}

/// A time of day with colons where it has points, or nothing, between its numbers.
pub(super) fn with_colons(time: &str) -> Cow<'_, str> {
    let whole = digits(time);
    match time.as_bytes() {
        [_, _, b'.', _, _] | [_, _, b'.', _, _, b'.', _, _] => Cow::Owned(time.replace('.', ":")),
        _ if whole == 4 && time.len() == 4 => Cow::Owned(format!("{}:{}", &time[..2], &time[2..])),
        _ => Cow::Borrowed(time),
    }
}

/// A time of day, with its zone, which is all of the text.
fn clock_parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let first = digits(text);
    let mut rest = &text[first..];
    let hour = match first {
        1 | 2 => false,
        4 | 6 => true,
        _ => return None,
    };
    parts.push(Part::Field(Field::Hour, hour));
    if hour {
        parts.push(Part::Field(Field::Minute, true));
        if first == 6 {
            parts.push(Part::Field(Field::Second, true));
            rest = after_fraction(rest);
        }
    } else if let Some(minute) = rest.strip_prefix(':') {
        parts.extend([Part::Text(":".into()), field(Field::Minute)]);
        rest = minute.get(2..)?;
        if let Some(second) = rest.strip_prefix(':') {
            parts.extend([Part::Text(":".into()), field(Field::Second)]);
            rest = after_fraction(second.get(2..)?);
        }
    }
    let spaced = |rest: &str| if rest.starts_with(' ') { 1 } else { 0 };
    let space = spaced(rest);
    if let Some(length) = half_day_length(&rest[space..]) {
        parts[0] = field(Field::HalfDayHour);
        parts.extend((space == 1).then(|| Part::Text(" ".into())));
        parts.push(field(Field::HalfDay));
        rest = &rest[space + length..];
    }
    let space = spaced(rest);
    let zone = &rest[space..];
    if !zone.is_empty() {
        parts.extend((space == 1).then(|| Part::Text(" ".into())));
        parts.push(field(Field::Zone));
        let any = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);
        Zones::default().offset(zone, any)?;
    }
    Some(parts)
}

/// What is left after a fraction of a second.
fn after_fraction(text: &str) -> &str {
    match text.strip_prefix(['.', ',']) {
        Some(fraction) if digits(fraction) > 0 => &fraction[digits(fraction)..],
        _ => text,
    }
}
