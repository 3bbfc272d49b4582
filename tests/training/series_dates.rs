//! The dates of files as people have them: read right, whatever their form and order, or refused in one line.

use bptt::data::dates::{DateOptions, Step};
use bptt::data::series::{Missing, Reading, Series, SeriesOptions};

/// The value of a row, which no other row has.
fn value(row: usize) -> f64 {
    100.0 + row as f64 + (row as f64).sin()
}

/// A file with a column of dates under `header`, and the values of the rows.
fn file(header: &str, labels: &[String]) -> String {
    let mut text = format!("{header},y\n");
    for (row, label) in labels.iter().enumerate() {
        let label = if label.contains(',') { format!("\"{label}\"") } else { label.clone() };
        text += &format!("{label},{}\n", value(row));
    }
    text
}

fn days(pattern: &str, rows: i64) -> Vec<String> {
    let first = jiff::civil::date(2023, 1, 1);
    (0..rows)
        .map(|row| (first + jiff::Span::new().days(row)).strftime(pattern).to_string())
        .collect()
}

fn read_with(text: &str, dates: DateOptions) -> Result<Series, String> {
    let options = SeriesOptions { dates, ..SeriesOptions::default() };
    Series::read_from(text.as_bytes(), "some.csv", &options).map_err(|error| error.to_string())
}

fn read(text: &str) -> Series {
    read_with(text, DateOptions::default()).unwrap_or_else(|line| panic!("{line}"))
}

#[track_caller]
fn refused(text: &str, beginning: &str, words: &[&str]) {
    let line = read_with(text, DateOptions::default()).expect_err("it is to be refused");
    assert!(line.starts_with(beginning), "{line}");
    assert!(!line.contains('\n') && line.chars().count() < 400, "{line}");
    for word in words {
        assert!(line.contains(word), "{word:?} in: {line}");
    }
}

fn notes(series: &Series) -> String {
    series.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One column of values, in the order of the rows, with that step and that label after the last.
#[track_caller]
fn assert_read(series: &Series, step: Step, next: &str) {
    let expected: Vec<f64> = (0..series.rows()).map(value).collect();
    assert_eq!(
        (series.names.as_slice(), &series.values),
        (&["y".to_string()][..], &vec![expected])
    );
    let calendar = series.calendar.as_ref().unwrap();
    assert_eq!(calendar.step(), Ok(step), "{}", notes(series));
    assert_eq!(calendar.label(calendar.following(1).unwrap()[0]), next);
}

#[test]
fn forms_as_people_write_them() {
    let weeks: Vec<String> = (2..=52).map(|week| format!("2019-W{week:02}")).collect();
    assert_read(&read(&file("week", &weeks)), Step::Days(7), "2020-W01");
    let quarters = |write: &dyn Fn(usize, usize) -> String| -> Vec<String> {
        (0..80).map(|row| write(1990 + row / 4, row % 4 + 1)).collect()
    };
    let spoken = quarters(&|year, quarter| format!("Q{quarter} {year}"));
    assert_read(&read(&file("period", &spoken)), Step::Months(3), "Q1 2010");
    let ending = ["st", "nd", "rd", "th"];
    let ordinal =
        quarters(&|year, quarter| format!("{year}-{quarter}{} Quarter", ending[quarter - 1]));
    assert_read(&read(&file("period", &ordinal)), Step::Months(3), "2010-1st Quarter");
    for (pattern, next) in [
        ("%m/%d/%y", "05/01/23"),
        ("%d-%b-%Y", "01-May-2023"),
        ("%b %d, %Y", "May 01, 2023"),
        ("%Y%m%d", "20230501"),
        ("%s", "1682899200"),
    ] {
        let series = match pattern {
            "%s" => read(&file(
                "timestamp",
                &(0..120).map(|row| (1_672_531_200 + 86_400 * row).to_string()).collect::<Vec<_>>(),
            )),
            _ => read(&file("Date", &days(pattern, 120))),
        };
        assert_read(&series, Step::Days(1), next);
        assert_eq!(series.calendar.unwrap().step().unwrap().season(), Some(7));
    }
    let serial: Vec<String> = (44_927..45_047).map(|day| day.to_string()).collect();
    let series = read(&file("Date", &serial));
    assert_read(&series, Step::Days(1), "45047");
    assert_eq!(series.calendar.unwrap().moments()[0].local.to_string(), "2023-01-01T00:00:00");
    let halves: Vec<String> = (0..168)
        .map(|hour| {
            let (day, hour) = (hour / 24 + 1, hour % 24);
            let half = if hour < 12 { "AM" } else { "PM" };
            format!("01/{day:02}/2023 {:02}:00 {half}", (hour + 11) % 12 + 1)
        })
        .collect();
    let series = read(&file("Date", &halves));
    assert_read(&series, Step::Seconds(3600), "01/08/2023 12:00 AM");
}

#[test]
fn numbers_are_dates_where_a_column_says_so() {
    // Without a name of dates a number is a value.
    assert_eq!(read(&file("sales", &days("%Y%m%d", 20))).dates, None);
    // But for what counts seconds in regular steps.
    let counts: Vec<String> =
        (0..20).map(|row| (1_672_531_200_000_i64 + 60_000 * row).to_string()).collect();
    assert_read(&read(&file("x", &counts)), Step::Seconds(60), "1672532400000");
    let years: Vec<String> = (1949..1990).map(|year| year.to_string()).collect();
    assert_read(&read(&file("Year", &years)), Step::Months(12), "1990");
    let elapsed: Vec<String> = (0..20).map(|row| (100 * row).to_string()).collect();
    assert_eq!(read(&file("time", &elapsed)).dates, None);
}

#[test]
fn rows_that_are_not_in_order_are_refused_or_sorted() {
    let labels = days("%Y-%m-%d", 120);
    let truth = read(&file("date", &labels));
    let sorted = DateOptions { sort: true, ..DateOptions::default() };
    let ignored = DateOptions { ignore: true, ..DateOptions::default() };
    let text = file("date", &labels);
    let (header, body) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = body.lines().collect();
    let with = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));

    let newest_first = with(&rows.iter().rev().copied().collect::<Vec<_>>());
    let line = "some.csv, line 3, column 'date': 2023-04-29 stands below 2023-04-30 (line 2): the newest row is first";
    refused(&newest_first, line, &["--sort", "--ignore-dates"]);
    let mut swapped = rows.clone();
    swapped.swap(60, 61);
    let line = "some.csv, line 63, column 'date': 2023-03-02 stands below 2023-03-03 (line 62)";
    refused(&with(&swapped), line, &["--sort", "--id COLUMN", "--ignore-dates"]);
    for text in [&newest_first, &with(&swapped)] {
        let series = read_with(text, sorted.clone()).unwrap();
        assert_eq!((&series.values, &series.dates), (&truth.values, &truth.dates));
        assert_eq!(series.calendar.as_ref().unwrap().step(), Ok(Step::Days(1)));
        assert!(notes(&series).contains("note: some.csv: column 'date': "), "{}", notes(&series));
        let series = read_with(text, ignored.clone()).unwrap();
        assert_eq!((series.dates, series.names.len()), (None, 1));
        assert_ne!(series.values, truth.values);
    }

    let mut twice = rows.clone();
    twice.insert(60, rows[60]);
    let line = "some.csv, line 63, column 'date': 2023-03-02 is there twice, also in line 62";
    refused(&with(&twice), line, &["--id COLUMN", "--ignore-dates"]);
    assert!(read_with(&with(&twice), sorted.clone()).unwrap_err().starts_with(line));
    let stacked: Vec<&str> = rows.iter().flat_map(|row| [*row, *row]).collect();
    refused(
        &with(&stacked),
        "some.csv, line 3, column 'date': 2023-01-01 is there twice",
        &["--id"],
    );
    let below: Vec<&str> = rows.iter().chain(&rows).copied().collect();
    refused(&with(&below), "some.csv, line 122, column 'date': 2023-01-01 stands below", &["--id"]);
}

#[test]
fn a_word_among_dates_is_refused() {
    for (pattern, header) in
        [("%Y-%m-%d", "date"), ("%Y-%m-%d", "x"), ("%Y%m%d", "date"), ("%d.%m.%Y", "x")]
    {
        let mut labels = days(pattern, 120);
        labels.push("closed".into());
        let line = format!("some.csv, line 122, column '{header}': 'closed' is no date as ");
        refused(&file(header, &labels), &line, &["remove the row", "--ignore-dates"]);
        labels.swap(0, 120);
        let line = line.replace("122", "2");
        refused(&file(header, &labels), &line, &["remove the row"]);
    }
    // A row of sums is none of the series, whether its dates are used or not, and wherever it stands.
    for (pattern, header) in [("%Y-%m-%d", "date"), ("%d.%m.%Y", "x"), ("%Y%m%d", "date")] {
        for row in [120, 59, 0] {
            let mut labels = days(pattern, 120);
            labels.insert(row, "Total".into());
            let text = file(header, &labels);
            for ignore in [false, true] {
                let dates = DateOptions { ignore, ..DateOptions::default() };
                let read = read_with(&text, dates);
                let line = read.expect_err("a row of sums");
                let place = format!("some.csv, line {}: 'Total' begins a row of sums", row + 2);
                assert!(line.starts_with(&place) && line.contains("remove it"), "{line}");
                assert!(!line.contains("--ignore-dates"), "{line}");
            }
        }
    }
    let mut labels = days("%Y-%m-%d", 120);
    labels[7] = String::new();
    refused(
        &file("date", &labels),
        "some.csv, line 9, column 'date': the cell is empty",
        &["--ignore-dates"],
    );
    labels[7] = "2023-02-30".into();
    refused(
        &file("date", &labels),
        "some.csv, line 9, column 'date': '2023-02-30' is no date",
        &[],
    );
    labels[7] = "08/01/2023".into();
    refused(
        &file("date", &labels),
        "some.csv, line 9, column 'date': '08/01/2023' is no date",
        &[],
    );
    let foreign = ["1. März 2020".to_string(), "2. März 2020".into(), "3. März 2020".into()];
    refused(
        &file("Datum", &foreign),
        "some.csv, line 2, column 'Datum': '1. März 2020': names",
        &["English"],
    );
}

#[test]
fn the_step_decides_between_day_and_month() {
    let early: Vec<String> = (1..=12).map(|day| format!("{day:02}/03/2022")).collect();
    let series = read(&file("date", &early));
    assert_read(&series, Step::Days(1), "13/03/2022");
    let note = "note: some.csv: column 'date': 01/03/2022 is read as day/month/year, 1 March 2022, as the steps between the rows tell; --day-first=false for month/day/year";
    assert!(notes(&series).contains(note), "{}", notes(&series));
    let monthly = read_with(
        &file("date", &early),
        DateOptions { day_first: Some(false), ..DateOptions::default() },
    );
    assert_read(&monthly.unwrap(), Step::Months(1), "01/03/2023");
    // Nothing but the custom decides.
    let both: Vec<String> = (1..=12).map(|day| format!("{day:02}/01/2022")).collect();
    let series = read(&file("date", &both));
    assert_read(&series, Step::Months(1), "01/01/2023");
    assert!(
        notes(&series)
            .contains("warning: some.csv: column 'date': 01/01/2022 is read as month/day/year, 1 January 2022; --day-first for day/month/year"),
        "{}",
        notes(&series)
    );
    let dotted: Vec<String> = both.iter().map(|label| label.replace('/', ".")).collect();
    assert_read(&read(&file("date", &dotted)), Step::Days(1), "13.01.2022");
    let month_first = days("%m/%d/%Y", 120);
    assert_eq!(notes(&read(&file("date", &month_first))), "");
    let day_first = DateOptions { day_first: Some(true), ..DateOptions::default() };
    let line = read_with(&file("date", &month_first), day_first).unwrap_err();
    assert!(
        line.starts_with(
            "some.csv, line 14, column 'date': '01/13/2023' is no date as 01/01/2023 (day first) is"
        ),
        "{line}"
    );
}

#[test]
fn years_of_two_digits_follow_each_other() {
    let months = |from: usize| -> Vec<String> {
        let names =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        (0..144).map(|row| format!("{}-{:02}", names[row % 12], (from + row / 12) % 100)).collect()
    };
    for (from, first, last, next) in
        [(49, 1949, 1960, "Jan-61"), (25, 2025, 2036, "Jan-37"), (92, 1992, 2003, "Jan-04")]
    {
        let series = read(&file("Month", &months(from)));
        assert_read(&series, Step::Months(1), next);
        let calendar = series.calendar.as_ref().unwrap();
        assert_eq!(calendar.moments()[0].local.year(), first);
        assert!(
            notes(&series).contains(&format!("are read as {first} to {last}")),
            "{}",
            notes(&series)
        );
    }
}

/// Hours by the clock on the wall over `hours`, from Thursday midnight, with the change on Sunday night.
fn wall_clock(first: jiff::civil::Date, zone: &str, hours: i64, minutes: i64) -> Vec<String> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let start = zone.to_timestamp(first.at(0, 0, 0, 0)).unwrap();
    let step = jiff::SignedDuration::from_mins(minutes);
    (0..hours * 60 / minutes)
        .map(|row| {
            zone.to_datetime(start + step * row as i32).strftime("%Y-%m-%d %H:%M").to_string()
        })
        .collect()
}

#[test]
fn both_ends_of_summer_time_keep_the_hours() {
    use jiff::civil::date;
    for (first, zone, line) in [
        (date(2023, 10, 26), "Europe/Berlin", "at 2023-10-29 02:00 an hour is there twice"),
        (date(2023, 10, 26), "Europe/London", "at 2023-10-29 01:00 an hour is there twice"),
        (date(2023, 11, 2), "America/New_York", "at 2023-11-05 01:00 an hour is there twice"),
        (date(2024, 3, 28), "Europe/Berlin", "at 2024-03-31 03:00 an hour is left out"),
        (date(2024, 3, 28), "Europe/Athens", "at 2024-03-31 04:00 an hour is left out"),
        (date(2024, 3, 7), "America/New_York", "at 2024-03-10 03:00 an hour is left out"),
        (date(2024, 4, 4), "Australia/Sydney", "at 2024-04-07 02:00 an hour is there twice"),
    ] {
        for minutes in [60, 30, 15] {
            let labels = wall_clock(first, zone, 24 * 10, minutes);
            let text = file("time", &labels);
            let series = read(&text);
            let next = wall_clock(first, zone, 24 * 10 + 1, minutes)[labels.len()].clone();
            assert_read(&series, Step::Seconds(60 * minutes), &next);
            assert!(notes(&series).contains(line), "{}", notes(&series));
            let named = DateOptions { time_zone: Some(zone.into()), ..DateOptions::default() };
            let series = read_with(&text, named).unwrap();
            assert_read(&series, Step::Seconds(60 * minutes), &next);
            assert_eq!(notes(&series), "");
        }
    }
    // A whole year and its two changes.
    let labels = wall_clock(date(2023, 1, 1), "Europe/Berlin", 24 * 360, 60);
    assert_eq!(read(&file("time", &labels)).calendar.unwrap().step(), Ok(Step::Seconds(3600)));
    // On a Tuesday no clock goes back.
    let mut labels = wall_clock(date(2023, 10, 3), "Europe/Berlin", 48, 60);
    labels.insert(3, labels[2].clone());
    refused(
        &file("time", &labels),
        "some.csv, line 5, column 'time': 2023-10-03 02:00 is there twice",
        &["--time-zone"],
    );
}

#[test]
fn missing_rows_are_counted_and_named() {
    let without = |pattern: &str, gone: &[usize]| {
        let labels = days(pattern, 120);
        let kept = labels.iter().enumerate().filter(|(row, _)| !gone.contains(row));
        file("date", &kept.map(|(_, label)| label.clone()).collect::<Vec<_>>())
    };
    refused(
        &without("%d.%m.%Y", &[10, 11, 50]),
        "some.csv, line 12, column 'date': 11.01.2023 is missing before it, and 2 others: the rows are otherwise 1 day apart",
        &["--missing interpolate", "--ignore-dates"],
    );
    refused(
        &without("%Y-%m-%d", &[10]),
        "some.csv, line 12, column 'date': 2023-01-11 is missing before it: ",
        &[],
    );
    let months: Vec<String> = (0..30)
        .filter(|row| *row != 13)
        .map(|row| format!("{}-{:02}", 2000 + row / 12, row % 12 + 1))
        .collect();
    refused(
        &file("month", &months),
        "some.csv, line 15, column 'month': 2001-02 is missing",
        &["1 month apart"],
    );
}

#[test]
fn missing_rows_are_put_in_and_filled() {
    let labels = days("%d.%m.%Y", 120);
    let text = file("date", &labels);
    let rows: Vec<&str> = text.lines().collect();
    let gone = [11, 12, 51];
    let kept: Vec<&str> =
        (0..rows.len()).filter(|row| !gone.contains(row)).map(|row| rows[row]).collect();
    let missing = |missing| {
        let reading = Reading { missing, ..Reading::default() };
        let options = SeriesOptions { reading, ..SeriesOptions::default() };
        Series::read_from(kept.join("\n").as_bytes(), "some.csv", &options).unwrap()
    };
    for (how, expected) in [
        (Missing::Zero, [0.0; 3]),
        (Missing::Previous, [value(9), value(9), value(49)]),
        (
            Missing::Interpolate,
            [
                value(9) + (value(12) - value(9)) / 3.0,
                value(9) + 2.0 * (value(12) - value(9)) / 3.0,
                (value(49) + value(51)) / 2.0,
            ],
        ),
    ] {
        let series = missing(how);
        assert_eq!(series.dates.as_ref().unwrap(), &labels);
        let calendar = series.calendar.as_ref().unwrap();
        assert_eq!((calendar.step(), calendar.moments().len()), (Ok(Step::Days(1)), 120));
        for row in 0..120 {
            let right =
                gone.iter().position(|&gone| gone == row + 1).map_or(value(row), |i| expected[i]);
            assert!((series.values[0][row] - right).abs() < 1e-9, "{how}, row {row}");
        }
        let note =
            "note: some.csv: column 'date': 3 rows were missing and put in, 11.01.2023 first";
        assert!(notes(&series).contains(note), "{}", notes(&series));
    }
}

#[test]
fn exchanges_have_holidays_and_other_steps_are_said() {
    let first = jiff::civil::date(2023, 12, 1);
    let trading: Vec<String> = (0..150)
        .map(|day| first + jiff::Span::new().days(day))
        .filter(|day| day.weekday().to_monday_zero_offset() < 5)
        .filter(|day| ![(12, 25), (1, 1), (3, 29)].contains(&(day.month(), day.day())))
        .map(|day| day.to_string())
        .collect();
    let series = read(&file("date", &trading));
    assert_eq!(series.calendar.as_ref().unwrap().step(), Ok(Step::Weekdays));
    let note = "Monday to Friday without 3 of these days, 2023-12-25 first";
    assert!(notes(&series).contains(note), "{}", notes(&series));
    let ends = ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"].map(String::from);
    assert_read(&read(&file("date", &ends)), Step::Months(1), "2023-05-31");
    let irregular =
        ["2023-01-01", "2023-01-04", "2023-01-05", "2023-01-15", "2023-02-01"].map(String::from);
    let series = read(&file("date", &irregular));
    let line = "warning: some.csv: column 'date': line 3: from 2023-01-01 to 2023-01-04 it is not 1 day, as it mostly is; the rows are taken for equally far apart";
    assert!(
        notes(&series).contains(line) && notes(&series).contains("no season"),
        "{}",
        notes(&series)
    );
}

#[test]
fn a_date_may_be_in_several_columns() {
    let mut text = "Date,Time,y\n".to_string();
    for row in 0..48 {
        text += &format!("{}/1/2007,{:02}:30:00,{}\n", row / 24 + 16, row % 24, value(row));
    }
    assert_read(&read(&text), Step::Seconds(3600), "18/1/2007 00:30:00");
    let mut text = "dteday,hr,y\n".to_string();
    for row in 0..48 {
        text += &format!("2011-01-{:02},{},{}\n", row / 24 + 1, row % 24, value(row));
    }
    assert_read(&read(&text), Step::Seconds(3600), "2011-01-03 0");
    let mut text = "year,month,y\n".to_string();
    for row in 0..36 {
        let month = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ][row % 12];
        text += &format!("{},{month},{}\n", 1949 + row / 12, value(row));
    }
    assert_read(&read(&text), Step::Months(1), "1952-January");
    let mut text = "year,month,day,y\n".to_string();
    for row in 0..20 {
        text += &format!("2020,1,{},{}\n", row + 1, value(row));
    }
    assert_read(&read(&text), Step::Days(1), "2020-1-21");
}
