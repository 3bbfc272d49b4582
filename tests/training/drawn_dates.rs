//! Files with dates drawn at random, in every form and order: they are read as drawn or refused.

use bptt::data::dates::DateOptions;
use bptt::data::series::{Series, SeriesOptions};
use jiff::ToSpan;
use jiff::civil::{DateTime, date};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The value of a row, which no other row has.
fn value(row: usize) -> f64 {
    100.0 + row as f64 + (row as f64).sin()
}

/// What a form keeps of a time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Minute,
    Second,
}

/// The forms by their pattern, with the unit that they are written to.
const FORMS: [(&str, Unit); 43] = [
    ("%Y", Unit::Year),
    ("%Y-%m", Unit::Month),
    ("%Y/%m", Unit::Month),
    ("%m/%Y", Unit::Month),
    ("%YM%m", Unit::Month),
    ("%Y%m", Unit::Month),
    ("%b %Y", Unit::Month),
    ("%B %Y", Unit::Month),
    ("%b-%y", Unit::Month),
    ("%Y-%b", Unit::Month),
    ("%Y-Q%q", Unit::Quarter),
    ("%YQ%q", Unit::Quarter),
    ("Q%q %Y", Unit::Quarter),
    ("%Y Q%q", Unit::Quarter),
    ("Q%q/%Y", Unit::Quarter),
    ("%qQ%y", Unit::Quarter),
    ("%G-W%V", Unit::Week),
    ("%GW%V", Unit::Week),
    ("W%V %G", Unit::Week),
    ("%G-W%V-%u", Unit::Day),
    ("%Y-%m-%d", Unit::Day),
    ("%Y/%m/%d", Unit::Day),
    ("%Y.%m.%d", Unit::Day),
    ("%d.%m.%Y", Unit::Day),
    ("%m/%d/%Y", Unit::Day),
    ("%d/%m/%Y", Unit::Day),
    ("%m/%d/%y", Unit::Day),
    ("%d.%m.%y", Unit::Day),
    ("%Y%m%d", Unit::Day),
    ("%Y-%j", Unit::Day),
    ("%d-%b-%Y", Unit::Day),
    ("%b %d, %Y", Unit::Day),
    ("%d %B %Y", Unit::Day),
    ("%d-%b-%y", Unit::Day),
    ("%A, %B %d, %Y", Unit::Day),
    ("%Y-%m-%dT%H:%M", Unit::Minute),
    ("%Y-%m-%d %H:%M:%S", Unit::Second),
    ("%Y-%m-%dT%H:%M:%SZ", Unit::Second),
    ("%Y-%m-%d %H:%M:%S+01:00", Unit::Second),
    ("%m/%d/%Y %I:%M %p", Unit::Minute),
    ("%d/%m/%Y %H:%M", Unit::Minute),
    ("%Y%m%d%H%M", Unit::Minute),
    ("%s", Unit::Second),
];

fn written(pattern: &str, at: DateTime) -> String {
    let quarter = ((at.month() - 1) / 3 + 1).to_string();
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(at).unwrap();
    instant.strftime(&pattern.replace("%q", &quarter)).to_string()
}

/// Times that a form can tell apart: regular steps of several of its units, from the days of a series as people have them.
fn drawn(unit: Unit, random: &mut StdRng) -> Vec<DateTime> {
    let day = date(
        random.random_range(1972..2020),
        random.random_range(1..=12),
        random.random_range(1..=28),
    );
    let rows = random.random_range(3..60_i64);
    let several = if random.random_bool(0.7) { 1 } else { random.random_range(1..4_i64) };
    let first = match unit {
        Unit::Year => date(day.year(), 1, 1),
        Unit::Quarter => date(day.year(), day.month() - (day.month() - 1) % 3, 1),
        Unit::Month => date(day.year(), day.month(), 1),
        Unit::Week => {
            day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).unwrap()
        }
        _ => day,
    };
    let first = first.at(0, 0, 0, 0);
    let minutes = [5, 15, 30, 60, 180][random.random_range(0..5)];
    let at = |row: i64| {
        let count = row * several;
        let later = match unit {
            Unit::Year => count.years(),
            Unit::Quarter => (3 * count).months(),
            Unit::Month => count.months(),
            Unit::Week => count.weeks(),
            Unit::Day => count.days(),
            Unit::Minute | Unit::Second => (row * minutes).minutes(),
        };
        first.checked_add(later).unwrap()
    };
    (0..rows).map(at).filter(|at| at.year() < 2030).collect()
}

/// What is done to the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Sorted,
    NewestFirst,
    Shuffled,
    Twice,
    Word,
    Gap,
}

const ORDERS: [Order; 6] =
    [Order::Sorted, Order::NewestFirst, Order::Shuffled, Order::Twice, Order::Word, Order::Gap];

fn changed(rows: &[String], order: Order, random: &mut StdRng) -> Vec<String> {
    let mut rows = rows.to_vec();
    let inner = random.random_range(1..rows.len() - 1);
    match order {
        Order::Sorted => {}
        Order::NewestFirst => rows.reverse(),
        Order::Shuffled => {
            for place in (1..rows.len()).rev() {
                rows.swap(place, random.random_range(0..=place));
            }
        }
        Order::Twice => rows.insert(random.random_range(0..=rows.len()), rows[inner].clone()),
        Order::Word => {
            let (_, value) = rows[inner].rsplit_once(';').unwrap();
            rows[inner] = format!("closed;{value}");
        }
        Order::Gap => {
            rows.remove(inner);
        }
    }
    rows
}

/// Two hundred files of each form: those in order are read as drawn, or with day and month exchanged where both fit, and a
/// warning or note says so; others are refused, or sorted as asked. Nothing is read otherwise in silence.
#[test]
fn drawn_files_are_read_as_drawn_or_refused() {
    let (mut read, mut exchanged, mut refused, mut told) = (0, 0, 0, 0);
    for (number, (pattern, unit)) in FORMS.into_iter().enumerate() {
        let mut random = StdRng::seed_from_u64(number as u64);
        for round in 0..200 {
            let times = drawn(unit, &mut random);
            let rows: Vec<String> = times
                .iter()
                .enumerate()
                .map(|(row, &at)| format!("{};{}", written(pattern, at), value(row)))
                .collect();
            let order = ORDERS[random.random_range(0..ORDERS.len())];
            let sort = random.random_bool(0.5);
            let changed = changed(&rows, order, &mut random);
            let text = format!("Date;y\n{}\n", changed.join("\n"));
            let options = SeriesOptions {
                dates: DateOptions { sort, ..DateOptions::default() },
                ..SeriesOptions::default()
            };
            let case = format!("{pattern}, {round}, {order:?}, {sort}:\n{text}");
            let series = match Series::read_from(text.as_bytes(), "drawn.csv", &options) {
                Ok(series) => series,
                Err(error) => {
                    let line = error.to_string();
                    assert!(line.starts_with("drawn.csv, line ") && !line.contains('\n'), "{line}");
                    let right = match order {
                        Order::Sorted => false,
                        Order::NewestFirst | Order::Shuffled => !sort,
                        _ => true,
                    };
                    assert!(right, "{line}\n{case}");
                    refused += 1;
                    continue;
                }
            };
            let calendar = series.calendar.as_ref().expect(&case);
            let found: Vec<DateTime> =
                calendar.moments().iter().map(|moment| moment.local).collect();
            let labels: Vec<String> =
                calendar.moments().iter().map(|&at| calendar.label(at)).collect();
            let notes = series.notes.iter().map(ToString::to_string).collect::<String>();
            if order == Order::Gap && found.len() < times.len() {
                // Too few rows for a step, or one that another number of days or months explains.
                let step = calendar.step().ok().map_or(String::new(), |step| step.to_string());
                assert!(
                    found.iter().all(|at| times.contains(at)) || notes.contains("--day-first"),
                    "{case}"
                );
                assert!(calendar.step().is_ok() || notes.contains("no season"), "{step} {case}");
                told += 1;
                continue;
            }
            let expected: Vec<f64> = (0..times.len()).map(value).collect();
            if found == times && series.values[0] == expected {
                let again: Vec<String> = times.iter().map(|&at| written(pattern, at)).collect();
                assert_eq!(labels, again, "written again: {case}");
                assert!(sort || matches!(order, Order::Sorted | Order::Shuffled), "{case}");
                read += 1;
                continue;
            }
            let both = times.iter().all(|at| at.day() <= 12) && calendar.day_first().is_some();
            assert!(both && notes.contains("--day-first"), "{case}{found:?}");
            exchanged += 1;
        }
    }
    println!(
        "{read} read as drawn, {exchanged} with day and month exchanged and said, {told} with a gap at an end or said, {refused} refused"
    );
    assert_eq!(read + exchanged + told + refused, 200 * FORMS.len());
    assert!(read > 2000 && refused > 3000 && exchanged < 200 && told < 300);
}
