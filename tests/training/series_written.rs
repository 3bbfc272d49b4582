//! Ways of writing a series that are read as they are meant, or refused with what settles it.

use bptt::data::dates::Step;
use bptt::data::series::{Note, Series, SeriesError, SeriesOptions};

fn read_with(text: &str, options: &SeriesOptions) -> Result<Series, SeriesError> {
    Series::read_from(text.as_bytes(), "some.csv", options)
}

#[track_caller]
fn read(text: &str) -> Series {
    read_with(text, &SeriesOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn assert_refused(text: &str, words: &[&str]) {
    let line = read_with(text, &SeriesOptions::default()).expect_err("it is refused").to_string();
    assert!(!line.contains('\n'), "{line}");
    for word in words {
        assert!(line.contains(word), "{word:?} in: {line}");
    }
}

fn warnings(series: &Series) -> Vec<String> {
    series.notes.iter().filter(|note| note.is_warning()).map(Note::to_string).collect()
}

/// Forty values that go up and down.
fn value(row: usize) -> f64 {
    100.0 + (row * 7 % 13) as f64
}

/// A header, and forty rows of what a function writes.
fn rows(header: &str, row: impl Fn(usize) -> String) -> String {
    let rows = (0..40).map(|number| row(number) + "\n");
    format!("{header}\n{}", rows.collect::<String>())
}

#[test]
fn steps_may_be_fractions_of_seconds() {
    let clock = |millisecond: usize| {
        let second = millisecond / 1000;
        format!("00:{:02}:{:02}.{:03}", second / 60, second % 60, millisecond % 1000)
    };
    for step in [10, 100, 250, 1500, 10_001] {
        let text =
            rows("time,y", |row| format!("2023-01-01T{}Z,{}", clock(row * step), value(row)));
        let calendar = read(&text).calendar.unwrap();
        let expected = Step::Nanoseconds(step as i128 * 1_000_000);
        assert_eq!(calendar.step(), Ok(expected));
        let next = calendar.label(calendar.following(1).unwrap()[0]);
        assert_eq!(next, format!("2023-01-01T{}Z", clock(40 * step)));
        let text =
            rows("time,y", |row| format!("{},{}", 1_700_000_000_000 + row * step, value(row)));
        assert_eq!(read(&text).calendar.unwrap().step(), Ok(expected));
    }
    // A row is missing.
    let text = rows("time,y", |row| {
        format!("2023-01-01T{}Z,{}", clock(100 * (row + row / 20)), value(row))
    });
    assert_refused(&text, &["line 22", "00:00:02.000Z is missing", "0.1 seconds apart"]);
}

#[test]
fn a_dash_for_no_cents_is_no_minus() {
    for end in [".-", ",-", ".\u{2013}", ",\u{2013}", ".\u{2014}", ".--", ",--"] {
        for [before, after] in [["", ""], ["CHF ", ""], ["", " €"]] {
            let text = rows("date;price", |row| {
                format!("2023-01-{:02};{before}{}{end}{after}", row % 31 + 1, value(row))
            });
            let text = text.lines().take(30).collect::<Vec<_>>().join("\n");
            let expected: Vec<f64> = (0..29).map(value).collect();
            assert_eq!(read(&text).values[0], expected, "{end}");
        }
    }
    // Some rows with cents.
    let text = rows("n;price", |row| match row % 3 {
        0 => format!("x;{},50", value(row)),
        _ => format!("x;{},-", value(row)),
    });
    let cents = |row: usize| value(row) + if row.is_multiple_of(3) { 0.5 } else { 0.0 };
    assert_eq!(read(&text).values[0], (0..40).map(cents).collect::<Vec<_>>());
    let text = rows("n;y", |row| format!("x;{}-", value(row)));
    assert_eq!(read(&text).values[0], (0..40).map(|row| -value(row)).collect::<Vec<_>>());
}

#[test]
fn rows_that_begin_with_a_number_sign_are_no_comments() {
    for (header, cell) in [("order,y", "#"), ("topic,y", "#topic"), ("item,date,y", "#")] {
        let date = if header.contains("date") { "2023-01-01," } else { "" };
        let text = rows(header, |row| {
            let sign = if row.is_multiple_of(3) { cell } else { &cell[1..] };
            format!("{sign}{row},{date}{}", value(row))
        });
        assert_refused(&text, &["line 2", "begins with #", "(and 13 more)", "in quotes"]);
    }
    assert_refused(&rows("y", |row| format!("#{}", value(row))), &["line 2", "in quotes"]);
    assert_refused(&rows("#date,y", |row| format!("{row},{}", value(row))), &["line 1", "#"]);
    // Both ways out.
    let text = rows("order,y", |row| format!("\"#{row}\",{}", value(row)));
    assert_eq!(read(&text).values[0].len(), 40);
    let text = rows("a,y", |row| match row % 2 {
        0 => format!("# {row},{}", value(row)),
        _ => format!("{row},{}\n#,\n## 1,2\n#a remark", value(row)),
    });
    let series = read(&text);
    assert_eq!((series.rows(), warnings(&series)), (20, Vec::new()));
    assert!(series.notes[0].to_string().contains("80 lines left out as comments"));
    // A line of a quoted cell.
    let text = rows("a,y", |row| format!("\"{row}\n#x,1\",{}", value(row)));
    assert_eq!(read(&text).rows(), 40);
    // Names that are used only without the sign.
    let series = read(&rows("# when, y", |row| format!("2023,{}", value(row) + row as f64 / 8.0)));
    assert!(warnings(&series)[0].contains("line 1: this comment"), "{:?}", series.notes);
}
