//! CSV: what is read is finite and rectangular, comes out the same however the bytes trickle in, and what is refused is
//! refused in one line. The dates of what is read go through the calendar.

#![no_main]

use bptt::data::dates::DateOptions;
use bptt::data::series::{Decimal, Missing, Reading, Series, SeriesOptions};
use bptt::train::series_run;
use bptt_fuzz::one_line;
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};

/// Hands on a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        self.0.by_ref().take(self.1 as u64).read(buffer)
    }
}

/// The first byte says which columns are asked for, the second is the delimiter.
fn options(choice: u8, delimiter: u8) -> SeriesOptions {
    let asked = |bit: u8, column: &str| (choice >> bit & 1 == 1).then(|| column.to_string());
    SeriesOptions {
        columns: asked(0, "1").into_iter().chain(asked(1, "x")).collect(),
        exogenous: asked(2, "2").into_iter().chain(asked(3, "y")).collect(),
        date_column: asked(4, "1"),
        delimiter: (choice >> 5 & 1 == 1).then_some(delimiter),
        reading: Reading {
            missing: if choice >> 6 & 1 == 1 { Missing::Interpolate } else { Missing::Refuse },
            decimal: (choice >> 7 & 1 == 1).then_some(Decimal::Comma),
            ..Reading::default()
        },
        dates: DateOptions { sort: delimiter & 1 == 1, ..DateOptions::default() },
        ..SeriesOptions::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [choice, delimiter, text @ ..] = bytes else { return };
    let options = options(*choice, *delimiter);
    let read = Series::read_from(text, "file.csv", &options);
    let trickled = Series::read_from(Trickle(text, 0), "file.csv", &options);
    let series = match (read, trickled) {
        (Ok(series), Ok(same)) => {
            assert_eq!(series, same);
            series
        }
        (Err(error), Err(same)) => {
            assert_eq!(error.to_string(), same.to_string());
            return one_line(&error);
        }
        (read, trickled) => panic!("{read:?} at once, {trickled:?} trickling"),
    };
    let rows = series.rows();
    assert!(rows >= 2);
    for column in series.values.iter().chain(&series.exogenous) {
        assert!(column.len() == rows && column.iter().all(|value| value.is_finite()));
    }
    assert_eq!(series.names.len(), series.values.len());
    assert_eq!(series.exogenous_names.len(), series.exogenous.len());
    series.names.iter().chain(&series.exogenous_names).for_each(one_line);
    series_run::checksum(&series);
    let Some(dates) = &series.dates else { return };
    assert_eq!(dates.len(), rows);
    let Some(calendar) = &series.calendar else { panic!("labels without dates") };
    assert_eq!(calendar.moments().len(), rows);
    assert!(calendar.moments().windows(2).all(|pair| pair[0].instant() < pair[1].instant()));
    match calendar.following(3) {
        Ok(next) => next.iter().for_each(|&date| one_line(&calendar.label(date))),
        Err(error) => one_line(&error),
    }
});
