//! Promises for calendars drawn at random.

use super::{Calendar, DateOptions};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::panic::catch_unwind;

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
    /// An extended regular calendar is the longer regular calendar.
    #[test]
    fn an_extension_is_the_same_calendar(
        year in 1700..2200_i16, month in 1..=12_i8, day in 1..=31_i8, hour in 0..24_i8,
        kind in 0..3, count in 1..40_i64, rows in 3..20_usize, steps in 1..20_usize,
    ) {
        prop_assume!(Date::new(year, month, day).is_ok());
        let first = date(year, month, day).at(hour, 0, 0, 0);
        let at = |row: i64| match kind {
            0 => first.checked_add((count * row).months()),
            1 => first.checked_add((count * row).days()),
            _ => first.checked_add((count * row * 77).seconds()),
        };
        let all = (rows + steps) as i64;
        let label = |row| at(row).unwrap().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let labels: Vec<String> = (0..all).map(label).collect();
        let short = Calendar::of(&labels[..rows], &DateOptions::default()).unwrap();
        let step = short.step().unwrap();
        for (after, label) in short.following(steps).unwrap().into_iter().zip(&labels[rows..]) {
            prop_assert_eq!(&short.label(after), label, "{:?}", step);
        }
    }

    #[test]
    fn no_label_panics(
        label in text(any::<char>(), 0..24),
        [year, month, day] in [digits(5), digits(3), digits(5)],
        [first, second] in [of("-/. QWM"), of("-/. QWM")],
        middle in prop::option::of(of("T ")),
        clock in text(of("0123456789:.,+ZAPM -"), 0..15),
        number in digits(20),
        zone in prop::option::of(prop::sample::select(vec!["UTC", "Europe/Berlin", "Mars"])),
    ) {
        let middle = middle.map(String::from).unwrap_or_default();
        let dated = format!("{year}{first}{month}{second}{day}{middle}{clock}");
        let named = format!("{day} Jan {year}{middle}{clock}");
        let options = DateOptions { time_zone: zone.map(String::from), ..DateOptions::default() };
        for labels in [vec![label.clone(), dated.clone()], vec![dated.clone(), label], vec![dated], vec![named], vec![number]] {
            let read = catch_unwind(|| {
                let calendar = Calendar::of(&labels, &options);
                calendar.map(|calendar| calendar.following(2).map(|next| calendar.label(next[0])))
            });
            prop_assert!(read.is_ok(), "{:?}", labels);
        }
    }
}
