//! Numeric series out of CSV files.
//!
//! A file is accepted as people have them: with a header or without, separated by commas,
//! semicolons, tabs or vertical bars, with or without a column of dates, with blank lines, `#`
//! comments, a byte order mark, any line ends. A number, though, is never guessed: a cell that is
//! not one is an error that names its line and column.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::dates::looks_like_date;
use super::rows::{Row, Rows, read_error};
pub use super::series_error::SeriesError;
use crate::printable::{printable, printable_name};

/// Rows, and bytes of them, from which header and columns are recognised.
const SAMPLE_ROWS: usize = 100;
const SAMPLE_BYTES: usize = 4 << 20;

const CORRECT_THE_CELL: &str = "correct the cell or choose other columns";

/// The columns to read from a file. The default reads all numeric columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The columns to read, in this order, each by its name in the header or its number counted
    /// from 1 (a name that looks like a number is tried as a name first). Empty: every numeric
    /// column except the dates.
    pub columns: Vec<String>,
    /// Columns that are read as further input and not forecast, by name or number. An empty `columns`
    /// leaves them out.
    pub exogenous: Vec<String>,
    /// The column to keep as labels, by name or number. `None`: the first that holds dates, if any.
    pub date_column: Option<String>,
    /// The byte between cells. `None`: comma, semicolon, tab or vertical bar, whichever fits.
    pub delimiter: Option<u8>,
}

/// Columns of numbers over time, oldest first as in the file, one value per row and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Names of the columns: from the header (made printable on one line, at most 60 characters),
    /// otherwise `column 1`, `column 2`, …
    pub names: Vec<String>,
    /// Names of the exogenous columns.
    pub exogenous_names: Vec<String>,
    /// The label of every row, when the file has a column of dates.
    pub dates: Option<Vec<String>>,
    /// `[column][row]`: finite numbers in the file's units, all columns equally long, at least two rows.
    pub values: Vec<Vec<f64>>,
    /// The exogenous columns, as long as the others.
    pub exogenous: Vec<Vec<f64>>,
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
    /// number in a column that is read, or lacks a column asked for.
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
        let mut rows = Rows::new(input, &file, options.delimiter)?;
        let sample = read_sample(&mut rows)?;
        let layout = Layout::recognise(&file, &sample, rows.delimiter(), options)?;

        let mut series = layout.empty_series();
        let body = usize::from(layout.has_header);
        for row in &sample[body..] {
            layout.push(row, &mut series)?;
        }
        while let Some(row) = rows.next_row()? {
            layout.push(&row, &mut series)?;
        }
        if series.rows() < 2 {
            let line = sample[body].line;
            return Err(SeriesError::OneRow { file, line });
        }
        Ok(series)
    }

    /// The monthly totals of international airline passengers, in thousands, January 1949 to
    /// December 1960: 144 rows, one column `passengers`, dates `1949-01` … `1960-12`
    /// (Box & Jenkins, *Time Series Analysis: Forecasting and Control*, 1976, series G).
    pub fn airline_passengers() -> Self {
        let text = include_str!("../../data/airline_passengers.csv");
        Self::read_from(text.as_bytes(), "airline_passengers.csv", &SeriesOptions::default())
            .expect("the file is part of the program and its reading is tested")
    }

    /// Number of time steps.
    pub fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }
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

fn read_sample<R: Read>(rows: &mut Rows<R>) -> Result<Vec<Row>, SeriesError> {
    let mut sample = Vec::new();
    let mut bytes = 0;
    while sample.len() < SAMPLE_ROWS && (sample.len() < 2 || bytes < SAMPLE_BYTES) {
        let Some(row) = rows.next_row()? else { break };
        bytes += row.bytes();
        sample.push(row);
    }
    Ok(sample)
}

/// Which columns of a file are read, and how they are called.
struct Layout {
    file: String,
    first_line: u64,
    /// Cells in a row, without the empty one after a trailing delimiter.
    width: usize,
    has_header: bool,
    /// Names of all columns.
    names: Vec<String>,
    /// The columns to read.
    columns: Vec<usize>,
    /// The columns that are further input.
    exogenous: Vec<usize>,
    date: Option<usize>,
}

impl Layout {
    /// Decides from the first rows.
    fn recognise(
        file: &str,
        sample: &[Row],
        delimiter: u8,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let Some(first) = sample.first() else {
            return Err(SeriesError::Empty { file: file.into() });
        };
        let ends_empty = first.len() > 1 && first.cell(first.len() - 1).is_empty();
        let mut layout = Self {
            file: file.into(),
            first_line: first.line,
            width: first.len() - usize::from(ends_empty),
            has_header: false,
            names: Vec::new(),
            columns: Vec::new(),
            exogenous: Vec::new(),
            date: None,
        };
        for row in sample {
            layout.check_width(row)?;
        }
        if sample.len() == 1 {
            return Err(layout.too_short(first));
        }
        let found: Vec<Column> = (0..layout.width).map(|i| Column::new(sample, i)).collect();
        layout.has_header = has_header(first, &found, options);
        layout.names = (0..layout.width)
            .map(|index| match first.cell(index) {
                name if layout.has_header && !name.is_empty() => printable(name),
                _ => format!("column {}", index + 1),
            })
            .collect();
        layout.choose_date(first, &found, options)?;
        layout.choose_columns(first, &found, delimiter, options)?;
        Ok(layout)
    }

    fn too_short(&self, only: &Row) -> SeriesError {
        let (file, line) = (self.file.clone(), only.line);
        if (0..self.width).any(|index| number(only.cell(index)).is_some()) {
            SeriesError::OneRow { file, line }
        } else {
            SeriesError::OnlyHeader { file, line }
        }
    }

    fn choose_date(
        &mut self,
        first: &Row,
        found: &[Column],
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        self.date = match &options.date_column {
            Some(asked) => Some(self.find(asked, first)?),
            None => found.iter().position(|column| column.dates).or_else(|| {
                (0..self.width).find(|&index| {
                    let text = !found[index].numeric && !found[index].empty;
                    self.has_header && text && names_a_date(first.cell(index))
                })
            }),
        };
        Ok(())
    }

    fn choose_columns(
        &mut self,
        first: &Row,
        found: &[Column],
        delimiter: u8,
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        self.exogenous = self.find_all(&options.exogenous, first, &[])?;
        self.columns = self.find_all(&options.columns, first, &self.exogenous)?;
        if options.columns.is_empty() {
            self.columns = (0..self.width)
                .filter(|&index| found[index].numeric && Some(index) != self.date)
                .filter(|index| !self.exogenous.contains(index))
                .collect();
        }
        if self.columns.is_empty() && !self.exogenous.is_empty() {
            return Err(SeriesError::AllExogenous { file: self.file.clone() });
        }
        if self.columns.is_empty() {
            return Err(SeriesError::NoNumericColumn {
                file: self.file.clone(),
                delimiter: delimiter_name(delimiter),
                known: self.known_columns(),
            });
        }
        Ok(())
    }

    /// The columns asked for, none of them twice or among the others.
    fn find_all(
        &self,
        asked: &[String],
        first: &Row,
        others: &[usize],
    ) -> Result<Vec<usize>, SeriesError> {
        let mut columns = Vec::new();
        for asked in asked {
            let index = self.find(asked, first)?;
            if columns.contains(&index) || others.contains(&index) {
                return Err(SeriesError::AskedTwice {
                    file: self.file.clone(),
                    column: self.names[index].clone(),
                });
            }
            columns.push(index);
        }
        Ok(columns)
    }

    /// The column `asked` for by name or, failing that, by number.
    fn find(&self, asked: &str, first: &Row) -> Result<usize, SeriesError> {
        let asked = asked.trim();
        let mut named = (0..self.width)
            .filter(|&index| self.has_header && !asked.is_empty() && first.cell(index) == asked);
        if let Some(index) = named.next() {
            return match named.count() {
                0 => Ok(index),
                others => Err(SeriesError::AmbiguousColumn {
                    file: self.file.clone(),
                    line: first.line,
                    column: printable(asked),
                    times: others + 1,
                    known: self.known_columns(),
                }),
            };
        }
        column_number(asked, self.width).ok_or_else(|| SeriesError::UnknownColumn {
            file: self.file.clone(),
            column: printable(asked),
            known: self.known_columns(),
        })
    }

    /// `1 month, 2 passengers`: every column by number and name, the first twenty of many.
    fn known_columns(&self) -> String {
        const LISTED: usize = 20;
        let number_and_name = |(index, name): (usize, &String)| match self.has_header {
            true => format!("{} {name}", index + 1),
            false => (index + 1).to_string(),
        };
        let columns = self.names.iter().enumerate().map(number_and_name);
        let mut known = columns.take(LISTED).collect::<Vec<_>>().join(", ");
        if self.width > LISTED {
            known.push_str(&format!(" and {} more", self.width - LISTED));
        }
        known
    }

    fn empty_series(&self) -> Series {
        let names = |columns: &[usize]| -> Vec<String> {
            columns.iter().map(|&index| self.names[index].clone()).collect()
        };
        Series {
            names: names(&self.columns),
            exogenous_names: names(&self.exogenous),
            dates: self.date.map(|_| Vec::new()),
            values: vec![Vec::new(); self.columns.len()],
            exogenous: vec![Vec::new(); self.exogenous.len()],
        }
    }

    /// Adds the numbers and the label of one row.
    fn push(&self, row: &Row, series: &mut Series) -> Result<(), SeriesError> {
        self.check_width(row)?;
        if let (Some(index), Some(dates)) = (self.date, &mut series.dates) {
            dates.push(self.filled_cell(row, index)?.to_owned());
        }
        let columns = self.columns.iter().zip(&mut series.values);
        for (&index, values) in columns.chain(self.exogenous.iter().zip(&mut series.exogenous)) {
            values.push(self.finite_number(row, index)?);
        }
        Ok(())
    }

    /// Rows are as wide as the first; a trailing delimiter may be there or not.
    fn check_width(&self, row: &Row) -> Result<(), SeriesError> {
        let trailing = row.len() == self.width + 1 && row.cell(self.width).is_empty();
        if row.len() == self.width || trailing {
            return Ok(());
        }
        Err(SeriesError::Ragged {
            file: self.file.clone(),
            line: row.line,
            found: row.len(),
            expected: self.width,
            first_line: self.first_line,
        })
    }

    fn filled_cell<'row>(&self, row: &'row Row, index: usize) -> Result<&'row str, SeriesError> {
        match row.cell(index) {
            "" => Err(SeriesError::MissingCell {
                file: self.file.clone(),
                line: row.line,
                column: self.names[index].clone(),
            }),
            cell => Ok(cell),
        }
    }

    fn finite_number(&self, row: &Row, index: usize) -> Result<f64, SeriesError> {
        let cell = self.filled_cell(row, index)?;
        let value = number(cell);
        if let Some(value) = value.filter(|value| value.is_finite()) {
            return Ok(value);
        }
        let (file, line) = (self.file.clone(), row.line);
        let (column, shown) = (self.names[index].clone(), printable(cell));
        Err(match value {
            Some(_) => SeriesError::NotFinite { file, line, column, cell: shown },
            None => SeriesError::Text { file, line, column, cell: shown, advice: advice(cell) },
        })
    }
}

/// What the first rows tell about one column. The row that may be the header speaks only for
/// numbers, never against them.
struct Column {
    /// At least half of its cells are numbers; the others are then mistakes to report.
    numeric: bool,
    /// All its cells below the first row are dates.
    dates: bool,
    /// All its cells below the first row are empty.
    empty: bool,
}

impl Column {
    fn new(sample: &[Row], index: usize) -> Self {
        let first_number = usize::from(number(sample[0].cell(index)).is_some());
        let cells = || sample[1..].iter().map(|row| row.cell(index));
        let filled = cells().filter(|cell| !cell.is_empty()).count();
        let numbers = cells().filter(|cell| number(cell).is_some()).count() + first_number;
        let dates = cells().filter(|cell| looks_like_date(cell)).count();
        Self {
            numeric: numbers > 0 && 2 * numbers >= filled + first_number,
            dates: filled > 0 && dates == filled,
            empty: filled == 0,
        }
    }
}

/// Is the first row a header? Yes when a column asked for is named in it, or when it has a word
/// where the rows below have a date or a number (in a column asked for by number, if any is), or
/// words alone above text; no when it has a date like the rows below. Signs of a missing value are no words.
fn has_header(first: &Row, found: &[Column], options: &SeriesOptions) -> bool {
    let columns = || options.columns.iter().chain(&options.exogenous);
    let asked = || columns().chain(&options.date_column);
    let is_word = |index: usize| {
        let cell = first.cell(index);
        !cell.is_empty() && number(cell).is_none() && !stands_for_missing(cell)
    };
    let all = 0..found.len();
    let named = |name: &String| all.clone().any(|i| is_word(i) && first.cell(i) == name.trim());
    if asked().any(named) {
        return true;
    }
    let dates = || all.clone().filter(|&index| found[index].dates);
    if dates().any(|index| looks_like_date(first.cell(index))) {
        return false;
    }
    if dates().any(is_word) {
        return true;
    }
    if !found.iter().any(|column| column.numeric) {
        return all.clone().all(is_word);
    }
    let numeric_asked: Vec<usize> = columns()
        .filter_map(|asked| column_number(asked.trim(), found.len()))
        .filter(|&index| found[index].numeric)
        .collect();
    match numeric_asked.is_empty() {
        true => all.clone().any(|i| found[i].numeric && is_word(i)),
        false => numeric_asked.into_iter().any(is_word),
    }
}

/// The index of the column that `text` numbers from 1 to `width`.
fn column_number(text: &str, width: usize) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (1..=width).contains(&number).then(|| number - 1)
}

/// The number in a cell; also NaN and infinities, which are refused later.
fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

fn stands_for_missing(cell: &str) -> bool {
    let signs = ["na", "n/a", "#n/a", "null", "none", "missing", "-", "--", "?", ".", ".."];
    signs.iter().any(|sign| cell.eq_ignore_ascii_case(sign))
}

fn names_a_date(name: &str) -> bool {
    let words = [
        "date",
        "datetime",
        "day",
        "month",
        "period",
        "quarter",
        "time",
        "timestamp",
        "week",
        "year",
    ];
    name.split(|character: char| !character.is_alphanumeric())
        .any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

fn advice(cell: &str) -> &'static str {
    if stands_for_missing(cell) {
        return "fill in a value or remove the row";
    }
    if cell.contains(',') && number(&cell.replacen(',', ".", 1)).is_some() {
        return "write the number with a decimal point and no comma";
    }
    CORRECT_THE_CELL
}

fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "vertical bars",
        b' ' => "spaces",
        _ => "the delimiter given",
    }
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
        assert_eq!(read(",a\n0,5\n1,6\n").names, ["column 1", "a"]);
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
        for first in ["2020-01", "2020-01-31 10:00:00", "31.01.2020", "2020/01/31"] {
            let text = format!("when;x\n{first};1\n{first};2\n");
            assert_eq!(read(&text).dates.unwrap(), [first, first]);
        }
        let named = read("Order Month,x\nJan-49,1\nFeb-49,2\n");
        assert_eq!(named.dates.unwrap(), ["Jan-49", "Feb-49"]);
        let years = "year,x\n1949,1\n1950,2\n";
        assert_eq!(read(years).names, ["year", "x"]);
        assert_eq!(read(years).dates, None);
        let options =
            SeriesOptions { date_column: Some("year".into()), ..SeriesOptions::default() };
        let asked = read_with(years, &options).unwrap();
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
