//! A promise: whatever the file, the reader returns the numbers or one line that says what is wrong,
//! where, and what to do. It never panics and never swallows a file without end.

use std::fs;
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::panic::catch_unwind;
use std::path::Path;

use bptt::data::series::{Decimal, Reading, Series, SeriesError, SeriesOptions};
use proptest::prelude::*;

/// The error for a file of these bytes, after checking that it is one line that names the file.
fn refused(content: impl AsRef<[u8]>, options: &SeriesOptions) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.csv");
    fs::write(&path, content).unwrap();
    let line = one_line(Series::read(&path, options));
    let name = path.to_str().unwrap();
    assert!(line.starts_with(name), "the file is named first: {line}");
    line.replace(name, "hostile.csv")
}

fn one_line(result: Result<Series, SeriesError>) -> String {
    let line = result.expect_err("an error is expected").to_string();
    assert!(!line.contains(['\n', '\r']), "one line: {line:?}");
    assert!(line.chars().count() < 500, "a short line: {line}");
    line
}

/// Asserts what the error begins with and that it says what to do with all of `words`.
#[track_caller]
fn assert_refused(content: impl AsRef<[u8]>, beginning: &str, words: &[&str]) {
    let line = refused(content, &SeriesOptions::default());
    assert!(line.starts_with(beginning), "{line}");
    for word in words {
        assert!(line.contains(word), "{word:?} in: {line}");
    }
}

fn columns(asked: &[&str]) -> SeriesOptions {
    SeriesOptions {
        columns: asked.iter().map(ToString::to_string).collect(),
        ..SeriesOptions::default()
    }
}

#[test]
fn a_file_that_is_not_there() {
    let line = one_line(Series::read("no/such/file.csv", &SeriesOptions::default()));
    assert_eq!(line, "no/such/file.csv: there is no such file; check the path");
    let line = one_line(Series::read("no\nsuch", &SeriesOptions::default()));
    assert!(line.starts_with("no\\nsuch: "), "{line}");
}

#[test]
fn a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let line = one_line(Series::read(folder.path(), &SeriesOptions::default()));
    assert!(line.starts_with(folder.path().to_str().unwrap()), "{line}");
    assert!(line.contains("is a directory; name a CSV file"), "{line}");
}

struct Refusing(io::ErrorKind);

impl Read for Refusing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

#[test]
fn no_permission_and_a_broken_disk() {
    let options = SeriesOptions::default();
    let refusing = Refusing(io::ErrorKind::PermissionDenied);
    let line = one_line(Series::read_from(refusing, "secret.csv", &options));
    assert!(line.starts_with("secret.csv: no permission"), "{line}");
    let broken = b"1\n2\n".repeat(100_000);
    let broken = broken.chain(Refusing(io::ErrorKind::TimedOut));
    let line = one_line(Series::read_from(broken, "far.csv", &options));
    assert!(line.starts_with("far.csv: cannot be read"), "{line}");
}

/// Root may read everything, so the file itself is tried only by others.
#[cfg(unix)]
#[test]
fn a_file_without_read_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.csv");
    fs::write(&path, "1\n2\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_err() {
        let line = one_line(Series::read(&path, &SeriesOptions::default()));
        assert!(line.contains("secret.csv: no permission"), "{line}");
    }
}

#[test]
fn files_with_too_little() {
    for empty in ["", "\n\n", "\u{feff}", "# only\n  # comments\n", " \r\n"] {
        assert_refused(empty, "hostile.csv: the file holds no rows", &["header"]);
    }
    assert_refused("\nmonth,x\n", "hostile.csv, line 2: there is a header", &["two rows"]);
    assert_refused("\n\n5\n", "hostile.csv, line 3: this is the only row", &["two"]);
    assert_refused("a\n\n5\n", "hostile.csv, line 3: this is the only row", &["two"]);
}

#[test]
fn a_word_in_a_numeric_column() {
    let text = "# sales\r\n\r\nmonth,sales\r\n2020-01,1\r\n\r\n2020-02,two\r\n2020-03,3\r\n";
    assert_refused(
        text,
        "hostile.csv, line 6, column 'sales': 'two' is not a number",
        &["correct the cell"],
    );
    let missing = "month;sales\n2020-01;1\n2020-02;n/a\n";
    let beginning = "hostile.csv, line 3, column 'sales': 'n/a' stands for a missing value";
    assert_refused(missing, beginning, &["remove the row", "--missing"]);
    let source = "month,sales\n2020-01,1\n2020-02,2\n2020-03,see below\n";
    assert_refused(source, "hostile.csv, line 4, column 'sales'", &["below the table", "#"]);
    let no_header = "1,2\n3,4\n5,x\n";
    assert_refused(no_header, "hostile.csv, line 3, column 'column 2': 'x'", &[]);
}

#[test]
fn numbers_that_contradict_each_other() {
    for (cells, beginning, words) in [
        (
            ["1.5", "2,5", "3"],
            "hostile.csv, line 3, column 'y': '2,5' has a decimal comma",
            ["'1.5' on line 2", "alike"],
        ),
        (
            ["1,234", "2.345", "3"],
            "hostile.csv, line 3, column 'y': '2.345' has another mark than '1,234'",
            ["--decimal point", "--decimal comma"],
        ),
        (
            ["1,234", "2,345", "3,456"],
            "hostile.csv, line 2, column 'y': '1,234' is 1234 with a decimal point and 1.234 with",
            ["--decimal point", "--decimal comma"],
        ),
        (
            ["1%", "2%", "3"],
            "hostile.csv, line 4, column 'y': a percent sign in one cell",
            ["'3', and '1%' on line 2", "alike"],
        ),
        (
            ["$1", "2", "€3"],
            "hostile.csv, line 4, column 'y': two currencies",
            ["'€3', and '$1' on line 2", "alike"],
        ),
        (
            ["1", "1,2,456", "3"],
            "hostile.csv, line 3, column 'y': '1,2,456' is not a number",
            ["groups of three", "correct"],
        ),
    ] {
        let rows: String = cells.iter().map(|cell| format!("red;{cell}\n")).collect();
        assert_refused(format!("x;y\n{rows}"), beginning, &words);
    }
    let text = "x;y\nred;1,234\nred;2,345\nred;3,456\n";
    for (decimal, first) in [(Decimal::Point, 1234.0), (Decimal::Comma, 1.234)] {
        let reading = Reading { decimal: Some(decimal), ..Reading::default() };
        let options = SeriesOptions { reading, ..SeriesOptions::default() };
        let series = Series::read_from(text.as_bytes(), "some.csv", &options).unwrap();
        assert_eq!(series.values[0][0], first);
    }
}

#[test]
fn lines_that_may_hide_a_value() {
    let error = "x\n1\n#N/A\n3\n";
    assert_refused(error, "hostile.csv, line 3: this row begins with the error", &["write NA"]);
    for comment in ["# n/a", "#name", "#n/a was here", "#"] {
        let text = format!("x,y\n1,2\n{comment}\n3,4\n");
        let series = Series::read_from(text.as_bytes(), "some.csv", &SeriesOptions::default());
        assert_eq!(series.unwrap().values[0], [1.0, 3.0], "{comment}");
    }
    let warned = |text: &str| {
        let series = Series::read_from(text.as_bytes(), "some.csv", &SeriesOptions::default());
        let notes = series.unwrap().notes;
        let warnings = notes.iter().filter(|note| note.is_warning());
        warnings.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let blank = warned("x\n7\n\n3\n");
    assert!(blank.starts_with("warning: some.csv, line 3: a line without a value"), "{blank}");
    assert_eq!(warned("x\n\n7\n3\n\n"), "");
    assert_eq!(warned("x,y\n7,2\n\n3,5\n"), "");
    let halves = warned("7,2\n3,5\n8,1\n");
    assert!(halves.contains("columns 1 and 2 are read as two") && halves.contains("7,2"));
}

#[test]
fn lines_below_and_above_the_table() {
    let source = "x,y\n1,2\n3,4\nSource: somebody\n";
    assert_refused(source, "hostile.csv, line 4: the number of cells is 1", &["a note", "#"]);
    let source = "name,y\nred,2\nblue,4\nSource: somebody,\n";
    assert_refused(source, "hostile.csv, line 4: 'Source: somebody' begins a row", &["remove"]);
    let sum = "name,y\nred,2\nblue,4\nTotal,6\n";
    assert_refused(sum, "hostile.csv, line 4: 'Total' begins a row of sums", &["remove"]);
    let units = "x,y\nm,kg\n1,2\n3,4\n";
    assert_refused(units, "hostile.csv, line 2: lines 1 to 2", &["header", "--skip-rows 1"]);
    for end in ["\n", "\r\n", "\r"] {
        let text = "Figures\n\nx;y\n1;2\nred;4\n".replace('\n', end);
        let reading = Reading { skip_rows: 2, ..Reading::default() };
        let line = refused(&text, &SeriesOptions { reading, ..columns(&["x"]) });
        assert!(line.starts_with("hostile.csv, line 5, column 'x': 'red'"), "{line}");
    }
    let reading = Reading { skip_rows: 9, ..Reading::default() };
    let line = refused("x\n1\n", &SeriesOptions { reading, ..SeriesOptions::default() });
    assert_eq!(
        line,
        "hostile.csv: the file has 2 lines, and --skip-rows 9 leaves none; skip fewer"
    );
}

#[test]
fn numbers_that_are_not_finite() {
    for cell in ["∞", "infinity", "-Infinity", "inf", "+inf", "1e999", "-1e999"] {
        let beginning = format!("hostile.csv, line 3, column 'y': '{cell}' is not a finite number");
        assert_refused(format!("x,y\n1,2\n3,{cell}\n5,6\n"), &beginning, &["remove the row"]);
        let beginning = format!("hostile.csv, line 1, column 'column 1': '{cell}' is not a finite");
        assert_refused(format!("{cell}\n1\n2\n"), &beginning, &[]);
    }
}

#[test]
fn cells_and_rows_that_are_missing() {
    let beginning = "hostile.csv, line 3, column 'y': the cell is empty";
    assert_refused("x,y\n1,2\n3,\n5,6\n", beginning, &["fill in a value"]);
    assert_refused("x,y\n1,2\n3,\"\"\n5,6\n", beginning, &[]);
    assert_refused("x,y,z\n1,2,3\n3,  ,4\n5,6,7\n", beginning, &[]);
    assert_refused("x\n1\n\"\"\n2\n", "hostile.csv, line 3, column 'x': the cell is empty", &[]);
    let tabs = "x\ty\n1\t2\n\t\n5\t6\n";
    let beginning = "hostile.csv, line 3, column 'x': the cell is empty";
    assert_refused(tabs, beginning, &[]);
    let date = "month,x\n2020-01,1\n,2\n";
    assert_refused(date, "hostile.csv, line 3, column 'month': the cell is empty", &[]);
    let few = "x,y\n1,2\n3\n5,6\n";
    assert_refused(few, "hostile.csv, line 3: the number of cells is 1, but 2 on line 1", &["#"]);
    let many = "x,y\n1,2\n3,4,5\n";
    assert_refused(many, "hostile.csv, line 3: the number of cells is 3, but 2 on line 1", &[]);
    let preamble = "Sales of 2020\n\nmonth,x\n2020-01,1\n2020-02,2\n";
    assert_refused(preamble, "hostile.csv, line 3: the number of cells is 2", &["line 1", "#"]);
    let late = "1,2\n".repeat(5000) + "1\n";
    assert_refused(late, "hostile.csv, line 5001: the number of cells is 1", &[]);
}

#[test]
fn columns_that_are_not_there() {
    let text = "month,x,y,x\n2020-01,1,2,3\n2020-02,4,5,6\n";
    let known = "1 month, 2 x, 3 y, 4 x";
    for asked in ["z", "0", "5", "-1", ""] {
        let line = refused(text, &columns(&["y", asked]));
        let expected = format!("hostile.csv: there is no column '{asked}'; choose from: {known}");
        assert_eq!(line, expected);
    }
    let date = SeriesOptions { date_column: Some("day".into()), ..SeriesOptions::default() };
    let line = refused(text, &date);
    assert!(line.starts_with("hostile.csv: there is no column 'day'"), "{line}");
    for asked in [["y", "y"], ["3", "y"]] {
        let line = refused(text, &columns(&asked));
        assert!(line.starts_with("hostile.csv: column 'y' is asked for twice"), "{line}");
    }
    let line = refused(text, &columns(&["x"]));
    assert!(line.starts_with("hostile.csv, line 1: the header has 2 columns named 'x'"), "{line}");
    assert!(line.contains(known), "{line}");
    let wide = (1..=5000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let wide = format!("{wide}\n{0}\n{0}\n", vec!["1"; 5000].join(","));
    let line = refused(wide, &columns(&["z"]));
    assert!(line.ends_with("20 c20 and 4980 more"), "{line}");
}

#[test]
fn no_column_of_numbers() {
    let text = "name,colour\napple,red\npear,green\n";
    assert_refused(
        text,
        "hostile.csv: no column holds numbers",
        &["commas: 1 name, 2 colour)", "delimiter"],
    );
    let line = refused(text, &columns(&["2"]));
    assert!(line.contains("line 2, column 'colour': 'red' is not a number"), "{line}");
    let spaces = "2020-01 5\n2020-02 6\n";
    assert_refused(spaces, "hostile.csv: no column holds numbers", &["delimiter"]);
    assert_refused("2020-01\n2020-02\n", "hostile.csv: no column holds numbers", &[]);
}

#[test]
fn text_that_is_not_utf_8() {
    let latin = b"# caf\xe9\n\nmonth,x\n2020-01,1\n2020-02,\xe9\n";
    assert_refused(latin, "hostile.csv, line 5: the text is not UTF-8", &["save the file"]);
    let wide = b"\xff\xfe1\0\n\x002\0\n\0";
    assert_refused(wide, "hostile.csv, line 1: the text is UTF-16", &["save the file"]);
}

#[test]
fn files_that_are_not_text() {
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0";
    assert_refused(picture, "hostile.csv, line 3: a zero byte", &["give a CSV file"]);
    assert_refused("1\n2\n\0\n", "hostile.csv, line 3: a zero byte", &[]);
    assert_refused([0; 4], "hostile.csv, line 1: a zero byte", &[]);
    let packed = b"\x1f\x8b\x08\x08\xb4\xc1\xf0\x5f\x02\x03";
    assert_refused(packed, "hostile.csv, line 1: the text is not UTF-8", &[]);
    if Path::new("/dev/zero").exists() {
        let line = one_line(Series::read("/dev/zero", &SeriesOptions::default()));
        assert!(line.starts_with("/dev/zero, line 1: a zero byte"), "{line}");
    }
}

/// Bytes without end, and how many were taken of them.
struct Endless<'count> {
    beginning: &'static [u8],
    forever: u8,
    taken: &'count mut usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut count = self.beginning.read(bytes)?;
        if count == 0 {
            bytes.fill(self.forever);
            count = bytes.len();
        }
        *self.taken += count;
        Ok(count)
    }
}

#[test]
fn rows_without_end() {
    let cases: [(&[u8], u8, u64); 6] = [
        (b"x\n1\n", b'7', 3),
        (b"x\n1\n", b',', 3),
        (b"x\n1\n\"", b'\n', 3),
        (b"x\n1\n\"", b'"', 3),
        (b"x\n\n1\n#", b'x', 4),
        (b"x\n1\n", b' ', 3),
    ];
    for (beginning, forever, line) in cases {
        let mut taken = 0;
        let endless = Endless { beginning, forever, taken: &mut taken };
        let error = one_line(Series::read_from(endless, "endless.csv", &SeriesOptions::default()));
        let expected =
            format!("endless.csv, line {line}: more than 1 MiB without the end of a row");
        assert!(error.starts_with(&expected), "{error}");
        assert!(taken < 2 << 20, "{taken} bytes were taken");
    }
    let mut taken = 0;
    let endless = Endless { beginning: b"x\n1\n", forever: b'\n', taken: &mut taken };
    one_line(Series::read_from(endless, "endless.csv", &SeriesOptions::default()));
    assert!(taken < 2 << 20, "{taken} bytes were taken");
}

#[test]
fn rows_that_are_too_long_or_too_wide() {
    let cell = "1".repeat(1 << 20);
    assert_refused(
        format!("x\n1\n{cell}1\n2\n"),
        "hostile.csv, line 3: more than 1 MiB",
        &["quote"],
    );
    let text = "y".repeat((1 << 20) - 3);
    let longest = format!("x,y\n1,{text}\n2,{text}\n");
    let series = Series::read_from(longest.as_bytes(), "long.csv", &SeriesOptions::default());
    assert_eq!(series.unwrap().values, [[1.0, 2.0]]);

    let row = |cells: usize| vec!["1"; cells].join(",") + "\n";
    let widest = row(10_000).repeat(2);
    let series = Series::read_from(widest.as_bytes(), "wide.csv", &SeriesOptions::default());
    assert_eq!(series.unwrap().names.len(), 10_000);
    let wider = row(10_001).repeat(2);
    assert_refused(wider, "hostile.csv, line 1: the row has 10001 cells", &["10000", "delimiter"]);
}

#[test]
fn a_quote_that_is_never_closed() {
    let text = "x,y\n1,2\n3,\"4\n5,6\n";
    assert_refused(text, "hostile.csv, line 3: a quote opens", &["close or remove it"]);
    assert_refused("x,y\n1,2\n3,\"4", "hostile.csv, line 3: a quote opens", &[]);
}

#[test]
fn long_and_odd_cells_are_shown_short_and_on_one_line() {
    let cell = format!("\u{1b}[31m{}", "z".repeat(100_000));
    let text = format!("x,y\n1,2\n3,{cell}\n4,5\n5,6\n");
    assert_refused(text, "hostile.csv, line 3, column 'y': '\\u{1b}[31mzzz", &["…"]);
}

#[test]
fn line_ends_and_byte_order_mark_change_nothing() {
    let plain = "month,x\n2020-01,1\n2020-02,2\n";
    let expected = Series::read_from(plain.as_bytes(), "plain", &SeriesOptions::default()).unwrap();
    for end in ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"] {
        for start in ["", "\u{feff}", "\n", "# note\n"] {
            let text = start.to_owned() + &plain.replace('\n', end);
            for text in [text.as_str(), text.trim_end()] {
                let read = Series::read_from(text.as_bytes(), "text", &SeriesOptions::default());
                let mut series = read.unwrap();
                // Of comments there is a note.
                assert_eq!(series.notes.len(), usize::from(start.starts_with('#')), "{text:?}");
                series.notes.clear();
                // The lines are those of the file.
                let each = end.replace("\r\n", "\n").len();
                let skipped = start.matches('\n').count();
                let lines = [1, 2].map(|row| (skipped + row * each + 1) as u32);
                let found = series.lines.iter().map(|line| line.map_or(0, NonZeroU32::get));
                assert_eq!(found.collect::<Vec<u32>>(), lines, "{text:?}");
                series.lines.clone_from(&expected.lines);
                assert_eq!(series, expected, "{text:?}");
            }
        }
    }
}

/// What files of numbers are made of, and what does not belong there.
const PIECES: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "\u{e9}", ".", ",", ";", "\t", "|",
    "\"", "#", " ", "\r", "\n", "\u{feff}", "-", "NaN", "1e9", "2020-01", "\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_or_refused_in_one_line(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..=60),
    ) {
        let text = pieces.concat();
        let read = catch_unwind(|| Series::read_from(text.as_bytes(), "any.csv", &SeriesOptions::default()));
        prop_assert!(read.is_ok(), "a panic");
        if let Ok(Err(error)) = read {
            prop_assert!(!error.to_string().contains(['\n', '\r']), "{error:?}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = catch_unwind(|| Series::read_from(bytes.as_slice(), "any.csv", &SeriesOptions::default()));
        prop_assert!(read.is_ok(), "a panic");
    }

    #[test]
    fn numbers_come_back_exactly(
        rows in prop::collection::vec([any::<f64>(), any::<f64>()], 2..20)
            .prop_filter("finite", |rows| rows.iter().flatten().all(|value| value.is_finite())),
    ) {
        let text: String = rows.iter().map(|[x, y]| format!("{x:e};{y:?}\n")).collect();
        let series = Series::read_from(text.as_bytes(), "any.csv", &SeriesOptions::default()).unwrap();
        for (index, row) in rows.iter().enumerate() {
            prop_assert_eq!([series.values[0][index], series.values[1][index]], *row);
        }
    }
}
