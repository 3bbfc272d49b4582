//! Numeric series out of CSV files.
//!
//! A file is accepted as people have them: with a header or without, separated by commas,
//! semicolons, tabs or vertical bars, with or without a column of dates, with blank lines, `#`
//! comments, a byte order mark, any line ends, a first line `sep=;`. Numbers are read as people write them, in one form for each
//! column that all rows of the file decide. Where they allow two readings, a note says which was taken, or the file is
//! refused; a cell that is no number is an error that names its line and column.

use std::fs::{self, File};
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;

mod cells;
mod columns;
mod forms;
mod header;
pub mod labels;
mod marks;
mod missing;
mod note;
mod number;
pub(super) mod numbers;
pub mod panel;
mod reading;
mod split_numbers;
pub(super) mod table;
pub mod words;

use super::dates::{self, Calendar, DateOptions, Dates};
use super::rows::read_error;
pub use super::series_error::SeriesError;
use crate::printable::printable_name;
use columns::Columns;
use forms::Forms;
use missing::Gappy;
pub use note::Note;
pub use reading::{Decimal, Missing, Reading};
use table::Table;
pub use words::Words;

/// The columns to read from a file. The default reads all numeric columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The columns to read, in this order, each by its name in the header or its number counted
    /// from 1 (a name that looks like a number is tried as a name first). Empty: every numeric
    /// column except the dates and those that number the rows.
    pub columns: Vec<String>,
    /// Columns that are read as further input and not forecast, by name or number. An empty `columns`
    /// leaves them out. Columns of words are read as categories.
    pub exogenous: Vec<String>,
    /// Which of these columns are categories though they hold numbers.
    pub categorical: Vec<String>,
    /// The column of dates, by name or number. `None`: the first that holds dates, or numbers that are dates as it is named so.
    pub date_column: Option<String>,
    /// The byte between cells. `None`: comma, semicolon, tab or vertical bar, whichever fits.
    pub delimiter: Option<u8>,
    /// How the file is written.
    pub reading: Reading,
    /// The mark before fractions where neither `reading` nor the file decides: that of an earlier file.
    pub usual_decimal: Option<Decimal>,
    /// How dates are read.
    pub dates: DateOptions,
    /// Whether rows at the end that lack the value of every column to forecast are rows to come: they are left out.
    pub to_come: bool,
}

/// The line of a row in its file, the first one 1; `None` for a row that the file lacks, and behind 4 thousand million lines.
pub type Line = Option<NonZeroU32>;

fn line_of(table: &Table, row: Option<usize>) -> Line {
    NonZeroU32::new(u32::try_from(table.line(row?)).ok()?)
}

/// Columns of numbers over time, oldest first, one value per row and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Names of the columns: from the header (made printable on one line, at most 60 characters),
    /// otherwise `column 1`, `column 2`, …
    pub names: Vec<String>,
    /// Names of the exogenous columns.
    pub exogenous_names: Vec<String>,
    /// The label of every row, when the file has a column of dates.
    pub dates: Option<Vec<String>>,
    /// The dates that the labels are.
    pub calendar: Option<Calendar>,
    /// `[column][row]`: finite numbers in the file's units, all columns equally long, at least two rows.
    pub values: Vec<Vec<f64>>,
    /// The exogenous columns, as long as the others.
    pub exogenous: Vec<Vec<f64>>,
    /// The line of each row in its file; `None` for a row that the file lacks. Empty where there is no file.
    pub lines: Vec<Line>,
    /// `[column][row]`: whether a value to forecast was missing and is filled in. Empty where there is no file.
    pub filled: Vec<Vec<bool>>,
    /// The columns of words among these: their values are places of words.
    pub words: Vec<Words>,
    /// The mark before fractions in the file; `None` where no number tells.
    pub decimal: Option<Decimal>,
    /// How the file was read: what was decided, what was left unused, what may be lost.
    pub notes: Vec<Note>,
}

impl Series {
    /// Reads a series from the CSV file at `path`.
    ///
    /// ```
    /// use bptt::data::series::{Series, SeriesOptions};
    ///
    /// let options = SeriesOptions {
    ///     columns: vec!["passengers".into()],
    ///     ..SeriesOptions::default()
    /// };
    /// let series = Series::read("data/airline_passengers.csv", &options)?;
    /// assert_eq!(series.values[0][..3], [112.0, 118.0, 132.0]);
    /// assert_eq!(series.dates.unwrap()[0], "1949-01");
    ///
    /// let error = Series::read("data/no_such_file.csv", &options).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "data/no_such_file.csv: there is no such file; check the path"
    /// );
    /// # Ok::<(), bptt::data::series::SeriesError>(())
    /// ```
    ///
    /// # Errors
    /// A [`SeriesError`], one line of text with file, line and column: the file cannot be read or is
    /// not UTF-8 text, has fewer than two rows, rows of unequal length, a cell that is not a finite
    /// number in a column that is read, numbers that contradict each other or allow two readings, missing values that are
    /// not to be filled, lines that are no rows, or lacks a column asked for.
    pub fn read(path: impl AsRef<Path>, options: &SeriesOptions) -> Result<Self, SeriesError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let file = printable_name(&name);
        let metadata = fs::metadata(path).map_err(|source| read_error(&file, source))?;
        if metadata.is_dir() {
            return Err(SeriesError::Directory { file });
        }
        let input = File::open(path).map_err(|source| read_error(&file, source))?;
        Self::read_from(input, &name, options)
    }

    /// Reads a series from any source of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn read_from(
        input: impl Read,
        name: &str,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let file = printable_name(name);
        check_delimiter(options.delimiter, &file)?;
        let table = Table::read(input, &file, options)?;
        let mut notes = Vec::new();
        split_numbers::check(&table, &mut notes)?;
        notes.extend(table.skipped_lines());
        notes.extend(table.comment_notes());
        let dates = dates::find(&table, options, &mut notes)?;
        let columns =
            Columns::choose(&table, (&dates.columns, Some(&dates.rows)), options, &mut notes)?;
        let forms = Forms::of(&table, options.usual_decimal);
        let all = [columns.targets.as_slice(), &columns.exogenous].concat();
        let of_words = words::columns(&table, (&columns.targets, &columns.exogenous), options)?;
        let is_numeric = |column: &&usize| !of_words.contains(column);
        let targets = columns.targets.iter().filter(is_numeric).count();
        let mut read = Vec::new();
        let mut decimal = None;
        for &column in all.iter().filter(is_numeric) {
            let before = notes.len();
            let mark = forms.decide(&table, column, &mut notes)?;
            let (values, example) = numbers::read(&table, column, &dates.rows, mark)?;
            if notes.len() == before || example.as_ref().is_some_and(Note::is_warning) {
                notes.extend(example);
            }
            marks::warn(&table, column, &values, &mut notes);
            decimal = decimal.or(mark);
            read.push(Gappy { column, values });
        }
        let mut dates = dates;
        if options.to_come {
            leave_out_rows_to_come(&table, &mut read, targets, &mut dates, &mut notes);
        }
        let regular = dates.calendar.as_ref().is_some_and(|calendar| calendar.step().is_ok());
        let known = (dates.rows.as_slice(), dates.labels.as_deref(), regular);
        let gaps: Vec<Vec<bool>> = read[..targets].iter().map(Gappy::gaps).collect();
        let filled = missing::fill(&table, read, targets, known, &mut notes)?;
        if filled.rows.len() < 2 {
            return Err(SeriesError::OneRow { file, line: table.line(0) });
        }
        let names = |columns: &[usize]| -> Vec<String> {
            columns.iter().map(|&index| table.names[index].clone()).collect()
        };
        let mut numbers = filled.values.into_iter();
        let (mut values, mut words) = (Vec::new(), Vec::new());
        for column in &all {
            values.push(match is_numeric(&column) {
                true => numbers.next().expect("a column of numbers each"),
                false => {
                    let (found, places) = words::read(&table, *column, &dates.rows, &mut notes)?;
                    words.push(found);
                    filled.rows.iter().map(|&row| places[row]).collect()
                }
            });
        }
        let exogenous = values.split_off(columns.targets.len());
        let lines = filled.rows.iter().map(|&row| line_of(&table, dates.rows[row])).collect();
        let gaps = gaps.iter().map(|gaps| filled.rows.iter().map(|&row| gaps[row]).collect());
        let gaps = gaps.collect();
        let kept =
            |labels: Vec<String>| filled.rows.iter().map(|&row| labels[row].clone()).collect();
        Ok(Self {
            names: names(&columns.targets),
            exogenous_names: names(&columns.exogenous),
            values,
            exogenous,
            lines,
            filled: gaps,
            words,
            dates: dates.labels.map(kept),
            calendar: dates.calendar.map(|calendar| calendar.kept(&filled.rows)),
            decimal,
            notes,
        })
    }

    /// The monthly totals of international airline passengers, in thousands, January 1949 to
    /// December 1960: 144 rows, one column `passengers`, dates `1949-01` … `1960-12`
    /// (Box & Jenkins, *Time Series Analysis: Forecasting and Control*, 1976, series G).
    pub fn airline_passengers() -> Self {
        let text = include_str!("../../../data/airline_passengers.csv");
        Self::read_from(text.as_bytes(), "airline_passengers.csv", &SeriesOptions::default())
            .expect("the file is part of the program and its reading is tested")
    }

    /// Number of time steps.
    pub fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }
}

/// Leaves out the rows at the end that have no value to forecast.
fn leave_out_rows_to_come(
    table: &Table,
    columns: &mut [Gappy],
    targets: usize,
    dates: &mut Dates,
    notes: &mut Vec<Note>,
) {
    let last = columns[..targets].iter().filter_map(|c| c.values.iter().rposition(Option::is_some));
    let Some(rows) = last.max().map(|last| last + 1) else { return };
    let to_come = dates.rows.len() - rows;
    if to_come == 0 {
        return;
    }
    columns.iter_mut().for_each(|column| column.values.truncate(rows));
    dates.rows.truncate(rows);
    if let Some(labels) = &mut dates.labels {
        labels.truncate(rows);
    }
    let kept: Vec<usize> = (0..rows).collect();
    dates.calendar = dates.calendar.take().map(|calendar| calendar.kept(&kept));
    let names = columns[..targets].iter().map(|column| table.names[column.column].as_str());
    notes.push(Note::Decided(format!(
        "{}: the last {} without {}: rows to come, which a forecast reads with --future",
        table.file,
        if to_come == 1 { "row is".into() } else { format!("{to_come} rows are") },
        names.collect::<Vec<_>>().join(", ")
    )));
}

fn check_delimiter(delimiter: Option<u8>, file: &str) -> Result<(), SeriesError> {
    let Some(byte) = delimiter else { return Ok(()) };
    let within_numbers = byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let within_text = b"\"#\n\r\0".contains(&byte) || !byte.is_ascii();
    if within_numbers || within_text {
        return Err(SeriesError::Delimiter {
            file: file.into(),
            delimiter: byte.escape_ascii().to_string(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Series {
        read_with(text, &SeriesOptions::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn read_with(text: &str, options: &SeriesOptions) -> Result<Series, SeriesError> {
        Series::read_from(text.as_bytes(), "some.csv", options)
    }

    fn columns(asked: &[&str]) -> SeriesOptions {
        SeriesOptions {
            columns: asked.iter().map(|name| name.to_string()).collect(),
            ..SeriesOptions::default()
        }
    }

    #[test]
    fn exogenous_columns_stand_beside_the_others() {
        let text = "day,a,b,c\n2020-01-01,1,2,3\n2020-01-02,4,5,6\n";
        let options = |columns: &[&str], exogenous: &[&str]| SeriesOptions {
            exogenous: exogenous.iter().map(|name| (*name).into()).collect(),
            ..self::columns(columns)
        };
        let series = read_with(text, &options(&[], &["b"])).unwrap();
        assert_eq!(
            (series.names, series.values),
            (vec!["a".into(), "c".into()], vec![vec![1.0, 4.0], vec![3.0, 6.0]])
        );
        assert_eq!(
            (series.exogenous_names, series.exogenous),
            (vec!["b".into()], vec![vec![2.0, 5.0]])
        );
        let line = |columns: &[&str], exogenous: &[&str]| {
            read_with(text, &options(columns, exogenous)).unwrap_err().to_string()
        };
        assert!(line(&["a"], &["2"]).contains("'a' is asked for twice"));
        assert!(line(&[], &["a", "b", "c"]).contains("leave one to forecast"));
        assert!(line(&[], &["d"]).contains("no column 'd'"));
    }

    #[test]
    fn airline_passengers_are_the_published_figures() {
        let series = Series::airline_passengers();
        assert_eq!(series.names, ["passengers"]);
        let passengers = &series.values[0];
        assert_eq!(series.rows(), 144);
        assert_eq!(passengers.iter().sum::<f64>(), 40363.0);
        assert_eq!((passengers[0], passengers[143]), (112.0, 432.0));
        let yearly: Vec<f64> = passengers.chunks(12).map(|year| year.iter().sum()).collect();
        assert_eq!(
            yearly,
            [
                1520.0, 1676.0, 2042.0, 2364.0, 2700.0, 2867.0, 3408.0, 3939.0, 4421.0, 4572.0,
                5140.0, 5714.0
            ]
        );
        let dates = series.dates.unwrap();
        let expected = (1949..1961).flat_map(|y| (1..13).map(move |m| format!("{y}-{m:02}")));
        assert!(dates.iter().cloned().eq(expected));
        let most = passengers.iter().position(|&value| value == 622.0).unwrap();
        assert_eq!(dates[most], "1960-07");
        assert!(passengers.iter().all(|&value| value <= 622.0));
    }

    #[test]
    fn header_is_recognised() {
        assert_eq!(read("a,b\n1,2\n3,4\n").names, ["a", "b"]);
        assert_eq!(read("1,2\n3,4\n").names, ["column 1", "column 2"]);
        assert_eq!(read("1\n2\n3\n").values, [[1.0, 2.0, 3.0]]);
        assert_eq!(read(",a\n7,5\n3,6\n").names, ["column 1", "a"]);
        assert_eq!(read("month,2020\n2020-01,5\n2020-02,6\n").names, ["2020"]);
        let undated = read("2020-01,5\n2020-02,6\n");
        assert_eq!(undated.values, [[5.0, 6.0]]);
        assert_eq!(undated.dates.unwrap(), ["2020-01", "2020-02"]);
    }

    #[test]
    fn a_bad_first_row_is_not_taken_for_a_header() {
        for text in ["2020-01,x\n2020-02,6\n2020-03,7\n", "n/a,1\n3,4\n"] {
            let error = read_with(text, &SeriesOptions::default()).unwrap_err();
            assert!(error.to_string().starts_with("some.csv, line 1, column "), "{error}");
        }
    }

    #[test]
    fn a_name_asked_for_makes_the_first_row_a_header() {
        let series = read_with("2020,b\n1,x\n2,y\n", &columns(&["b"]));
        let line = series.unwrap_err().to_string();
        assert!(line.contains("line 2, column 'b': 'x' is not a number"), "{line}");
    }

    #[test]
    fn columns_are_chosen_by_name_and_number() {
        let text = "when,low,high,note\n2020-01,1,10,x\n2020-02,2,20,y\n";
        assert_eq!(read(text).names, ["low", "high"]);
        let chosen = read_with(text, &columns(&["high", "2"])).unwrap();
        assert_eq!(chosen.names, ["high", "low"]);
        assert_eq!(chosen.values, [[10.0, 20.0], [1.0, 2.0]]);
        let by_name = read_with("a,1\n5,6\n7,8\n", &columns(&["1"])).unwrap();
        assert_eq!(by_name.values, [[6.0, 8.0]], "names come before numbers");
    }

    #[test]
    fn date_column_is_recognised_by_content_name_or_request() {
        for [first, next] in [
            ["2020-01", "2020-02"],
            ["2020-01-31 10:00:00", "2020-01-31 11:00:00"],
            ["31.01.2020", "01.02.2020"],
            ["2020/01/31", "2020/02/29"],
        ] {
            let text = format!("when;x\n{first};1\n{next};2\n");
            assert_eq!(read(&text).dates.unwrap(), [first, next]);
        }
        let named = read("Order Month,x\nJan-49,1\nFeb-49,2\n");
        assert_eq!(named.dates.unwrap(), ["Jan-49", "Feb-49"]);
        let years = "year,x\n1949,1\n1950,2\n";
        assert_eq!(read(years).dates.unwrap(), ["1949", "1950"]);
        assert_eq!(read(years).names, ["x"]);
        let counted = "n,x\n1949,1\n1950,2\n";
        assert_eq!((read(counted).dates, read(counted).names.len()), (None, 2));
        let options = SeriesOptions { date_column: Some("n".into()), ..SeriesOptions::default() };
        let asked = read_with(counted, &options).unwrap();
        assert_eq!(asked.dates.unwrap(), ["1949", "1950"]);
        assert_eq!(asked.names, ["x"]);
    }

    #[test]
    fn awkward_files_are_accepted() {
        let text = "\u{feff}# made by hand, \"really\n\r\n\" My date \" ;\"passengers; in\n1000s\" ;\r\n\r\n  # more\r\n 2020-01 ; 1.5 ;\r\n   \r\n\"2020-02\";\"-2e3\"\r\n2020-03; +.5;\r\n\r\n";
        let series = read(text);
        assert_eq!(series.names, ["passengers; in\\n1000s"]);
        assert_eq!(series.values, [[1.5, -2000.0, 0.5]]);
        assert_eq!(series.dates.unwrap(), ["2020-01", "2020-02", "2020-03"]);
    }

    #[test]
    fn trailing_delimiters_make_no_column() {
        for text in ["a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4\n", "a,b,\n1,2\n3,4,\n", "1,2,\n3,4,\n"]
        {
            assert_eq!(read(text).values, [[1.0, 3.0], [2.0, 4.0]], "{text:?}");
        }
    }

    #[test]
    fn every_delimiter_is_detected_or_taken_as_given() {
        for delimiter in [',', ';', '\t', '|'] {
            let text = "a,b\n1,2\n3,4\n".replace(',', &delimiter.to_string());
            assert_eq!(read(&text).values, [[1.0, 3.0], [2.0, 4.0]], "{text:?}");
        }
        let options = SeriesOptions { delimiter: Some(b' '), ..SeriesOptions::default() };
        assert_eq!(read_with("1 2\n3 4\n", &options).unwrap().names.len(), 2);
        for delimiter in [b'"', b'\n', b'.', b'7', b'-', b'#', 0, 200] {
            let options = SeriesOptions { delimiter: Some(delimiter), ..SeriesOptions::default() };
            let error = read_with("1 2\n3 4\n", &options).unwrap_err();
            assert!(matches!(error, SeriesError::Delimiter { .. }), "{error}");
        }
    }

    #[test]
    fn a_word_far_below_the_sample_is_reported() {
        let mut text: String = (0..1000).map(|row| format!("{row}\n")).collect();
        text.push_str("oops\n");
        let line = read_with(&text, &SeriesOptions::default()).unwrap_err().to_string();
        assert!(line.starts_with("some.csv, line 1001, column 'column 1': 'oops'"), "{line}");
    }
}
