//! Ways of writing a series that are read as they are meant, or refused with what settles it.

use bptt::data::dates::Step;
use bptt::data::series::{Decimal, Note, Reading, Series, SeriesError, SeriesOptions};

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

/// The step of the dates, and the next one as it would be written.
#[track_caller]
fn dated(text: &str) -> (Step, String) {
    let series = read(text);
    assert_eq!(series.names, ["y"], "{text:.60}");
    assert_eq!(warnings(&series), [""; 0]);
    let calendar = series.calendar.unwrap();
    let next = calendar.label(calendar.following(1).unwrap()[0]);
    (calendar.step().unwrap(), next)
}

#[test]
fn dates_that_the_name_of_their_column_tells() {
    let week = |row: usize| (row + 40) % 52 + 1;
    let year = |row: usize| 2022 + (row + 40) / 52;
    for (header, cell, step, next) in [
        (
            "week,y",
            &(|row: usize| format!("{}{:02}", year(row), week(row))) as &dyn Fn(usize) -> String,
            Step::Days(7),
            "2023-W29",
        ),
        ("KW,y", &|row| format!("2023{:02}", row + 1), Step::Days(7), "2023-W41"),
        (
            "quarter,y",
            &|row| format!("{}{}", 2000 + row / 4, row % 4 + 1),
            Step::Months(3),
            "2010-Q1",
        ),
        ("year,y", &|row| format!("{}.0", 1930 + row), Step::Months(12), "1970"),
        (
            "date,y",
            &|row| format!("{}.0", 20230101 + row % 31 + row / 31 * 100),
            Step::Days(1),
            "20230210",
        ),
        (
            "season,y",
            &|row| format!("{}/{:02}", 1990 + row, (1991 + row) % 100),
            Step::Months(12),
            "2030/31",
        ),
        (
            "year,y",
            &|row| format!("{}-{:02}", 1990 + row, (1991 + row) % 100),
            Step::Months(12),
            "2030-31",
        ),
    ] {
        let text = rows(header, |row| format!("{},{}", cell(row), value(row)));
        assert_eq!(dated(&text), (step, next.into()), "{header}");
    }
    let short = "season,y\n2000/01,5\n2001/02,6\n2002/03,5\n";
    assert_eq!(dated(short), (Step::Months(12), "2003/04".into()));
    assert_eq!(dated("month,y\n2000/01,5\n2000/02,6\n2000/03,5\n").0, Step::Months(1));
    // The days of a spreadsheet, with a decimal comma.
    let hours = rows("Date;y", |row| {
        let part = (row % 24 * 1_000_000 + 12) / 24;
        format!("{},{part:06};{}", 44927 + row / 24, value(row))
    });
    assert_eq!(dated(&hours).0, Step::Seconds(3600));
}

#[test]
fn dates_in_several_columns_of_any_usual_name() {
    for (header, cells, next) in [
        (
            "Date;Time;y",
            &(|row: usize| format!("01.0{}.2023;{:02}.00.00", row / 24 + 1, row % 24))
                as &dyn Fn(usize) -> String,
            None,
        ),
        (
            "Datum;Uhrzeit;y",
            &|row| format!("{:02}.01.2023;{:02}.00", row / 24 + 1, row % 24),
            Some("02.01.2023 16:00"),
        ),
        (
            "date;time;y",
            &|row| format!("2023010{};{:02}00", row / 24 + 1, row % 24),
            Some("20230102 16:00"),
        ),
        ("year;quarter;y", &|row| format!("{};{}", 2000 + row / 4, row % 4 + 1), Some("2010-Q1")),
        ("year;quarter;y", &|row| format!("{};Q{}", 2000 + row / 4, row % 4 + 1), Some("2010-Q1")),
        ("Jahr;Quartal;y", &|row| format!("{};{}", 2000 + row / 4, row % 4 + 1), Some("2010-Q1")),
        ("year;week;y", &|row| format!("{};{}", 2021 + row / 26, row % 26 + 1), None),
        ("Jahr;Monat;y", &|row| format!("{};{}", 2010 + row / 12, row % 12 + 1), Some("2013-5")),
        (
            "yr;mo;dy;hr;y",
            &|row| format!("2010;1;{};{}", row / 24 + 1, row % 24),
            Some("2010-1-2 16:00"),
        ),
        (
            "year;month;day;hour;y",
            &|row| format!("2010;1;{};{}", row / 24 + 1, row % 24),
            Some("2010-1-2 16:00"),
        ),
    ] {
        let text = rows(header, |row| format!("{};{}", cells(row), value(row)));
        match next {
            Some(next) => assert_eq!(dated(&text).1, next, "{header}"),
            // The rows are not equally far apart, and are read.
            None => {
                let line = read_with(&text, &SeriesOptions::default());
                assert!(!format!("{line:?}").contains("Twice"), "{header}: {line:?}");
            }
        }
    }
    let text = rows("Jahr;Monat;y", |row| {
        format!("{};{};{}", 2010 + row / 2, ["Januar", "Februar"][row % 2], value(row))
    });
    assert_refused(&text, &["line 2", "'2010-Januar'", "English only"]);
}

#[test]
fn a_column_of_dates_that_is_not_read_is_no_target_and_said_so() {
    for (header, cell) in [
        (
            "date;y",
            &(|row: usize| format!("{}", 230101 + row % 31 + row / 31 * 100))
                as &dyn Fn(usize) -> String,
        ),
        ("date;y", &|row| (row % 31 + 1).to_string()),
        ("Datum;y", &|row| format!("{}.{}", row % 28 + 1, row / 28 + 1)),
        ("decimal_date;y", &|row| format!("{:.4}", 1958.0417 + row as f64 / 12.0)),
        ("Time [s];y", &|row| format!("{:.2}", row as f64 / 100.0)),
        ("time;y", &|row| (10234 + 1000 * row).to_string()),
        ("timestamp;y", &|row| (10234 + 1001 * row).to_string()),
        ("time;y", &|row| format!("{:02}:{:02}", row / 60, row % 60)),
        ("Quartal;y", &|row| format!("{}. Quartal {}", row % 4 + 1, 1990 + row / 4)),
        ("Quartal;y", &|row| format!("{}/{}", ["I", "II", "III", "IV"][row % 4], 1990 + row / 4)),
        ("KW;y", &|row| format!("KW {}/2000", row + 1)),
        ("Halbjahr;y", &|row| format!("{}-H{}", 1990 + row / 2, row % 2 + 1)),
        ("Fiscal;y", &|row| format!("FY{} Q{}", 1990 + row / 4, row % 4 + 1)),
        ("年月日;y", &|row| format!("2023年1月{}日", row + 1)),
        ("MTU;y", &|row| format!("01.01.2023 {row}:00 - 01.01.2023 {}:00", row + 1)),
    ] {
        let text = rows(header, |row| format!("{};{}", cell(row), value(row)));
        let lost = match read_with(&text, &SeriesOptions::default()) {
            Err(error) => error.to_string(),
            Ok(series) => {
                assert_eq!(series.names, ["y"], "{header}");
                assert_eq!(series.calendar, None);
                warnings(&series).concat()
            }
        };
        assert!(lost.contains("line 2") && lost.contains(&cell(0)), "{header}: {lost}");
        assert!(lost.contains("--ignore-dates"), "{header}: {lost}");
        let mut options = SeriesOptions::default();
        options.dates.ignore = true;
        let series = read_with(&text, &options).unwrap();
        assert_eq!(
            (&series.names[..], warnings(&series)),
            (&["y".to_string()][..], vec![]),
            "{header}"
        );
    }
    // Seconds and milliseconds in one column.
    let text = rows("timestamp,y", |row| match row {
        0..20 => format!("{},{}", 1_700_000_000 + 60 * row, value(row)),
        _ => format!("{},{}", 1_700_000_000_000 + 60_000 * row, value(row)),
    });
    assert_refused(&text, &["line 22", "'1700001200000' is no date as 1700000000 is"]);
    // What has such a word in its name and is no date stays a target.
    let series = read(&rows("delivery time", |row| value(row).to_string()));
    assert_eq!(
        (&series.names[..], warnings(&series)),
        (&["delivery time".to_string()][..], vec![])
    );
}

#[test]
fn a_mark_that_may_separate_thousands_is_warned_of() {
    for (header, cell) in [("id,steps", "9."), ("id,price", "17.")] {
        let text = rows(header, |row| format!("x{row},\"{cell}{}\"", 400 + row));
        let warned = warnings(&read(&text));
        assert!(warned[0].contains("400' on line 2 is read as") && warned.len() == 1, "{warned:?}");
        assert!(warned[0].contains("--decimal comma"), "{warned:?}");
        for decimal in Decimal::ALL {
            let reading = Reading { decimal: Some(decimal), ..Reading::default() };
            let options = SeriesOptions { reading, ..SeriesOptions::default() };
            assert_eq!(warnings(&read_with(&text, &options).unwrap()), [""; 0]);
        }
    }
}

#[test]
fn a_row_of_sums_is_refused_without_dates_too() {
    let items = rows("item;y", |row| format!("A{row};{}", value(row)));
    for word in [
        "Gesamtergebnis",
        "Endsumme",
        "Saldo",
        "Zwischensumme",
        "Total général",
        "Total:",
        "Summe EUR",
        "Sous-total",
    ] {
        let last = format!("{items}{word};4200,0\n");
        assert_refused(&last, &["line 42", word, "row of sums"]);
    }
    assert_refused(&format!("{items};4200,0\n"), &["line 42", "row of sums"]);
    let first = items.replace("item;y\n", "item;y\nTotal;4200\n");
    assert_refused(&first, &["line 2", "'Total'"]);
    // A word among others that come again.
    let regions = rows("region;y", |row| {
        format!("{};{}", ["Nord", "Total"][row % 2 * usize::from(row < 30)], value(row))
    });
    assert_eq!(read(&regions).rows(), 40);
    let words = rows("item;y", |row| format!("{};{}", "Summer", value(row)));
    assert_eq!(read(&words).rows(), 40);
}

#[test]
fn days_that_a_spreadsheet_took_for_months_are_not_sorted() {
    let text = rows("date,y", |row| {
        let (day, month) = (row % 28 + 1, row / 28 + 1);
        let [day, month] = if day > 12 { [day, month] } else { [month, day] };
        format!("{day:02}/{month:02}/2023,{}", value(row))
    });
    let mut options = SeriesOptions::default();
    for sort in [false, true] {
        options.dates.sort = sort;
        let line = read_with(&text, &options).unwrap_err().to_string();
        assert!(
            line.contains("line 14") && line.contains("13/01/2023 stands below 01/12/2023"),
            "{line}"
        );
        assert!(!line.contains("--sort") && line.contains("--ignore-dates"), "{line}");
    }
    options.dates.ignore = true;
    assert_eq!(read_with(&text, &options).unwrap().rows(), 40);
    // Other rows that are not in order may be sorted.
    let text = rows("date,y", |row| format!("{:02}/01/2023,{}", (row * 7) % 31 + 1, value(row)));
    let text: String = text.lines().take(30).map(|line| format!("{line}\n")).collect();
    assert_refused(&text, &["--sort"]);
}

#[test]
fn a_form_of_numbers_that_is_not_read_is_refused_with_its_cause() {
    for (cell, words) in [
        ("3,000.00 CR", "write the number alone"),
        ("10.0K", "write the number alone"),
        ("10.5 °C", "write the number alone"),
        ("12‰", "write the number alone"),
        ("='10'", "it is a formula"),
        ("1:40", "times and ratios"),
        ("1\u{200b}0", "not seen"),
        ("10·5", "none of point and comma"),
    ] {
        let text = rows("item;y", |row| format!("{};{cell}", ["a", "b", "c"][row % 3]));
        assert_refused(&text, &["line 2, column 'y'", words]);
    }
    let spaced =
        rows("# date y z", |row| format!("2023-01-{:02} {} 50.5", row % 31 + 1, value(row)));
    assert_refused(&spaced, &["line 3", "not by spaces", "replace the spaces"]);
    for (of, thousands) in [("₹", "1,00,"), ("Rs. ", "1,"), ("Rs ", "12,34,")] {
        let text = rows("item,y", |row| format!("a,\"{of}{thousands}{}.50\"", value(row)));
        let above: f64 = format!("{}000", thousands.replace(',', "")).parse().unwrap();
        let expected: Vec<f64> = (0..40).map(|row| above + value(row) + 0.5).collect();
        assert_eq!(read(&text).values[0], expected, "{of}");
    }
    let text = rows("item,y", |row| match row {
        7 => "a,<1".into(),
        _ => format!("a,{}", value(row)),
    });
    assert_refused(&text, &["line 9, column 'y': '<1' is not a number", "--missing-mark"]);
}

#[test]
fn rows_of_delimiters_below_the_table_are_none() {
    for end in [",,", ",,\n,,\n,,"] {
        let text = rows("date,y,z", |row| format!("2023-01-{:02},{},1", row % 31 + 1, value(row)));
        let text: String = text.lines().take(30).map(|line| format!("{line}\n")).collect();
        assert_eq!(read(&(text.clone() + end)).rows(), 29);
        assert_eq!(read(&(text + end + "\n")).rows(), 29);
    }
    assert_refused("a,b\n1,2\n3,4\n,\n5,6\n", &["line 4", "the cell is empty", "--missing"]);
}

#[test]
fn the_way_to_a_table_below_other_lines_leads_there() {
    let table = rows("date,y,z", |row| format!("2023-01-{:02},{},1", row % 31 + 1, value(row)));
    let table: String = table.lines().take(30).map(|line| format!("{line}\n")).collect();
    for before in [
        "account,DE12\nperiod,2023\nbalance,5\n\n",
        "\"TOA5\",CR1000,1,2\n",
        "a,b,c,d,e,f\n1,2,3,4,5,6\n\n",
        "; remark\n; more\n",
    ] {
        let text = format!("{before}{table}");
        let line = read_with(&text, &SeriesOptions::default()).unwrap_err().to_string();
        let skip_rows = before.lines().count();
        assert!(line.contains(&format!("add --skip-rows {skip_rows},")), "{line}");
        let reading = Reading { skip_rows, ..Reading::default() };
        let series = read_with(&text, &SeriesOptions { reading, ..SeriesOptions::default() });
        assert_eq!(series.unwrap().names, ["y", "z"]);
    }
}

#[test]
fn a_label_with_a_currency_is_no_number_and_long_integers_are_said() {
    let text = rows("D1;Value", |row| format!("EUR1;{}", value(row)));
    assert_eq!(read(&text).names, ["Value"]);
    let text = rows("price", |row| format!("EUR{}", value(row)));
    assert_eq!(read(&text).values[0][1], value(1));
    let text = rows("y", |row| format!("{}", 90_071_992_547_409_930_u64 + row as u64));
    let warned = warnings(&read(&text));
    assert!(warned[0].contains("line 2: column 'y': '90071992547409930'"), "{warned:?}");
    let text = rows("y", |row| format!("{}", (1_u64 << 60) + 1024 * (row as u64 * 7 % 13)));
    assert_eq!(warnings(&read(&text)), [""; 0]);
}

#[test]
fn names_of_rows_need_a_name_in_the_header() {
    let text = rows("\"date\",\"y\"", |row| {
        format!("\"{row}\",\"2023-01-{:02}\",{}", row % 31 + 1, value(row))
    });
    assert_refused(&text, &["line 2", "before the others in the header"]);
    let header = "a;b;c\nEinheit;USD;x\nStand vom;02.01.;y\n";
    let text = rows(header.trim(), |row| format!("2023-01-{:02};{};1", row % 31 + 1, value(row)));
    assert_refused(&text, &["(Stand vom, 02.01., y) with --skip-rows 2"]);
}

#[test]
fn several_series_in_one_file_lead_to_the_command_that_takes_them() {
    let text = rows("date,store,y", |row| {
        format!("2023-01-{:02},{},{}", row / 2 + 1, ["a", "b"][row % 2], value(row))
    });
    assert_refused(&text, &["line 3", "bptt train panel with --id COLUMN", "if it is one series"]);
}

#[test]
fn the_first_error_of_a_spreadsheet_is_named() {
    let text = rows("y,z", |row| match row {
        5 | 9 | 11 => "#N/A,1".into(),
        _ => format!("{},1", value(row)),
    });
    assert_refused(&text, &["line 7", "#N/A"]);
}
