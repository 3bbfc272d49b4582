//! Files as people have them: 120 daily values, written as spreadsheets and other programs in several countries write them.
//! Each is read as the numbers that it means, or refused with its line and what settles it.

use std::path::PathBuf;

use bptt::data::series::{Decimal, Missing, Note, Reading, Series, SeriesOptions};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/series").join(name)
}

fn read_with(name: &str, options: &SeriesOptions) -> Result<Series, String> {
    let read = Series::read(path(name), options);
    read.map_err(|error| {
        let line = error.to_string();
        assert!(!line.contains('\n'), "{line}");
        line.replace(&path(name).display().to_string(), name)
    })
}

#[track_caller]
fn read(name: &str) -> Series {
    read_with(name, &SeriesOptions::default()).unwrap()
}

#[track_caller]
fn assert_refused(name: &str, options: &SeriesOptions, words: &[&str]) {
    let line = read_with(name, options).expect_err("the file is refused");
    for word in words {
        assert!(line.contains(word), "{word:?} in: {line}");
    }
}

fn reading(reading: Reading) -> SeriesOptions {
    SeriesOptions { reading, ..SeriesOptions::default() }
}

/// The 120 values.
fn truth() -> Vec<f64> {
    let text = std::fs::read_to_string(path("daily.csv")).unwrap();
    let values = text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap());
    let values: Vec<f64> = values.collect();
    assert_eq!((values.len(), values[0], values[119]), (120, 100.644, 218.119));
    values
}

/// Asserts that a column is the truth, as `of` writes it with so many digits after the point.
#[track_caller]
fn assert_is(column: &[f64], of: impl Fn(f64) -> f64, digits: i32) {
    let truth = truth();
    assert_eq!(column.len(), truth.len());
    for (row, (found, truth)) in column.iter().zip(truth).enumerate() {
        let least = 0.5001 * 10f64.powi(-digits);
        assert!((found - of(truth)).abs() <= least, "row {row}: {found} for {}", of(truth));
    }
}

fn warnings(series: &Series) -> Vec<String> {
    series.notes.iter().filter(|note| note.is_warning()).map(Note::to_string).collect()
}

fn notes(series: &Series) -> String {
    series.notes.iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn plain_numbers_need_no_note() {
    let series = read("daily.csv");
    assert_is(&series.values[0], |y| y, 3);
    assert_eq!((series.rows(), notes(&series)), (120, String::new()));
}

#[test]
fn decimal_commas() {
    let series = read("decimal_comma.csv");
    assert_is(&series.values[0], |y| y, 3);
    assert_eq!((series.decimal, warnings(&series)), (Some(Decimal::Comma), Vec::new()));
    assert!(notes(&series).contains("'100,644' on line 2 is read as 100.644"));
    let words = ["line 1", "columns 2 and 3", "1,00", "quotes", "semicolons", "--decimal point"];
    assert_refused("decimal_comma_unquoted.csv", &SeriesOptions::default(), &words);
    let point = reading(Reading { decimal: Some(Decimal::Point), ..Reading::default() });
    assert_eq!(read_with("decimal_comma_unquoted.csv", &point).unwrap().values.len(), 2);
    assert_refused("decimal_comma.csv", &point, &["'101,58'", "line 8", "decimal point"]);
}

#[test]
fn thousands() {
    let series = read("thousands_quoted.csv");
    assert_is(&series.values[0], |y| 50.0 * y, 0);
    let warned = warnings(&series);
    assert!(warned[0].contains("'5,032' on line 2 is read as 5032") && warned.len() == 1);
    assert!(warned[0].contains("--decimal comma"));
    let series = read("thousands_late.csv");
    let expected: Vec<f64> = (0..150).map(|row| 700.0 + 3.0 * f64::from(row)).collect();
    assert_eq!((&series.values[0], warnings(&series)), (&expected, Vec::new()));
    let series = read("thousands_points.csv");
    assert_eq!(series.names, ["Besucher", "Temperatur"]);
    assert_is(&series.values[0], |y| 7.0 * y, 0);
    assert_is(&series.values[1], |y| y / 10.0, 1);
    assert_eq!(warnings(&series), [""; 0]);
    // One column alone is read by the others too.
    let one = SeriesOptions { columns: vec!["Besucher".into()], ..SeriesOptions::default() };
    assert_is(&read_with("thousands_points.csv", &one).unwrap().values[0], |y| 7.0 * y, 0);
}

#[test]
fn signs_around_numbers() {
    for (name, of, digits) in [
        ("percent.csv", (|y| y / 20.0) as fn(f64) -> f64, 2),
        ("dollars.csv", |y| y, 2),
        ("unicode_minus.csv", |y| y - 150.0, 2),
    ] {
        let series = read(name);
        assert_is(&series.values[0], of, digits);
        assert_eq!(warnings(&series), [""; 0], "{name}");
    }
    assert!(notes(&read("percent.csv")).contains("'5.03%' on line 2 is read as 5.03"));
}

#[test]
fn lines_that_are_no_rows() {
    let series = read("sep_line.csv");
    assert_eq!(series.names, ["y"]);
    assert_is(&series.values[0], |y| y, 3);
    let words = ["line 2", "lines 1 to 3", "header", "--skip-rows 2"];
    assert_refused("three_header_rows.csv", &SeriesOptions::default(), &words);
    for skip_rows in [2, 3] {
        let skipped = reading(Reading { skip_rows, ..Reading::default() });
        let series = read_with("three_header_rows.csv", &skipped).unwrap();
        assert_is(&series.values[0], |y| y, 3);
        assert_is(&series.values[1], |y| y + 1.0, 3);
    }
    let words = ["line 122", "'Total'", "remove it", "#"];
    assert_refused("total_row.csv", &SeriesOptions::default(), &words);
}

#[test]
fn columns_that_number_the_rows() {
    let series = read("unnamed_index.csv");
    assert_eq!(series.names, ["y"]);
    assert_is(&series.values[0], |y| y, 3);
    assert!(notes(&series).contains("not used: column 1 (a counter)"), "{}", notes(&series));
    let asked = SeriesOptions { columns: vec!["1".into()], ..SeriesOptions::default() };
    let counter = read_with("unnamed_index.csv", &asked).unwrap();
    assert_eq!(counter.values[0][..3], [0.0, 1.0, 2.0]);
    assert!(notes(&counter).contains("not used: y (numbers)"));
}

#[test]
fn a_name_that_two_columns_have() {
    let series = read("name_twice.csv");
    assert_eq!(series.names, ["y (column 2)", "y (column 3)"]);
    assert_is(&series.values[0], |y| y, 3);
    assert_is(&series.values[1], |y| 2.0 * y, 3);
    for asked in ["3", "y (column 3)"] {
        let asked = SeriesOptions { columns: vec![asked.into()], ..SeriesOptions::default() };
        let second = read_with("name_twice.csv", &asked).unwrap();
        assert_eq!(second.names, ["y (column 3)"]);
        assert_is(&second.values[0], |y| 2.0 * y, 3);
    }
    let asked = SeriesOptions { columns: vec!["y".into()], ..SeriesOptions::default() };
    assert_refused("name_twice.csv", &asked, &["2 columns named 'y'", "2 y, 3 y"]);
}

/// The truth with its missing rows, 40, 41 and 90, filled as asked.
fn filled(how: Missing) -> Vec<f64> {
    let mut values = truth();
    for row in [40, 41, 90] {
        let known = |row: usize| values[row];
        values[row] = match (how, row) {
            (Missing::Zero, _) => 0.0,
            (Missing::Previous, 90) => known(89),
            (Missing::Previous, _) => known(39),
            (_, 90) => (known(89) + known(91)) / 2.0,
            // 41 comes after 40.
            (_, 40) => (2.0 * known(39) + known(42)) / 3.0,
            _ => (known(39) + 2.0 * known(42)) / 3.0,
        };
    }
    values
}

#[test]
fn missing_values() {
    let words = ["line 42", "'y'", "the cell is empty (and 2 more)", "--missing interpolate"];
    assert_refused("empty_cells.csv", &SeriesOptions::default(), &words);
    let warned = warnings(&read("minus_999.csv"));
    assert_eq!(warned.len(), 1);
    for word in ["line 42", "-999, 3 times,", "100.141 to 219.167", "--missing-mark=-999"] {
        assert!(warned[0].contains(word), "{word:?} in {}", warned[0]);
    }
    for how in [Missing::Interpolate, Missing::Previous, Missing::Zero] {
        for (name, missing_mark) in [("empty_cells.csv", None), ("minus_999.csv", Some("-999"))] {
            let missing_mark = missing_mark.map(String::from).into_iter().collect();
            let asked = Reading { missing: how, missing_mark, ..Reading::default() };
            let series = read_with(name, &reading(asked)).unwrap();
            for (found, expected) in series.values[0].iter().zip(filled(how)) {
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}, {how}");
            }
            assert!(notes(&series).contains("3 missing values filled in"), "{}", notes(&series));
            assert_eq!(warnings(&series), [""; 0]);
        }
    }
    let read_text = |text: &str, asked: Reading| {
        let read = Series::read_from(text.as_bytes(), "some.csv", &reading(asked));
        read.map_err(|error| error.to_string())
    };
    let how = |missing| Reading { missing, ..Reading::default() };
    // What stands after the last known value is no value that came.
    let series = read_text("y\n1\n2\n3\nNA\nNA\n", how(Missing::Previous)).unwrap();
    assert_eq!(series.values[0], [1.0, 2.0, 3.0, 3.0, 3.0]);
    let warned = warnings(&series);
    assert!(
        warned.len() == 1 && warned[0].contains("the last 2 of them stand after"),
        "{warned:?}"
    );
    // Without dates rows may be left out between others, which is said.
    let series = read_text("y\n1\n2\nNA\n4\n", how(Missing::Drop)).unwrap();
    assert_eq!(series.values[0], [1.0, 2.0, 4.0]);
    let warned = warnings(&series);
    assert!(warned.len() == 1 && warned[0].contains("now follow each other"), "{warned:?}");
    let series = read_text("y\n1\n2\n4\nNA\n", how(Missing::Drop)).unwrap();
    assert!(!notes(&series).contains("now follow each other"), "{}", notes(&series));
    // A mark is a number, however it is written, or a word in any letters.
    let marks = Reading { missing_mark: vec!["-999".into(), "gone".into()], ..how(Missing::Zero) };
    let series = read_text("y\n1\n-999.00\n(999)\nGONE\n5\n", marks).unwrap();
    assert_eq!(series.values[0], [1.0, 0.0, 0.0, 0.0, 5.0]);
    // Nothing is made of nothing.
    let asked = SeriesOptions { columns: vec!["y".into()], ..reading(how(Missing::Zero)) };
    let none = Series::read_from("x,y\n1,NA\n2,NA\n".as_bytes(), "some.csv", &asked);
    let line = none.unwrap_err().to_string();
    assert!(line.contains("column 'y' has no value in any row"), "{line}");
    let drop = reading(Reading { missing: Missing::Drop, ..Reading::default() });
    assert_refused("empty_cells.csv", &drop, &["line 42", "equally spaced", "interpolate"]);
}

#[test]
fn rows_that_are_still_to_come() {
    let series = read("promo.csv");
    assert_eq!((series.names.len(), series.rows()), (2, 120));
    let promo = SeriesOptions { exogenous: vec!["promo".into()], ..SeriesOptions::default() };
    let words = ["line 122", "'sales'", "the last 10 rows", "--missing drop"];
    assert_refused("promo_to_come.csv", &promo, &words);
    let drop = Reading { missing: Missing::Drop, ..Reading::default() };
    let series =
        read_with("promo_to_come.csv", &SeriesOptions { reading: drop, ..promo.clone() }).unwrap();
    let known = read_with("promo.csv", &promo).unwrap();
    assert_eq!((&series.values, &series.exogenous), (&known.values, &known.exogenous));
    assert_eq!(series.dates, known.dates);
    assert!(warnings(&series)[0].contains("10 rows with missing values left out"));
}
