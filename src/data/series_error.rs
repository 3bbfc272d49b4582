//! Everything that can be wrong with a series file, one line of text each.

use std::io;

use super::dates::DateError;
use thiserror::Error;

use super::series::Decimal;
use super::series::words::MOST_WORDS;

/// Why a series could not be read. Every variant prints one line: where (file, line as an editor
/// counts them, column), what is wrong, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// No file has this name.
    #[error("{file}: there is no such file; check the path")]
    NotFound {
        /// The file.
        file: String,
    },
    /// The path names a directory.
    #[error("{file}: this is a directory; name a CSV file in it")]
    Directory {
        /// The file.
        file: String,
    },
    /// The system refuses to open the file.
    #[error("{file}: no permission to read this file; change its permissions or copy it")]
    Permission {
        /// The file.
        file: String,
    },
    /// Any other failure of the system while opening or reading.
    #[error("{file}: cannot be read ({source}); check the path and the disk")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// No byte, or nothing but blank lines and comments.
    #[error("{file}: the file holds no rows; give it a header and at least two rows of numbers")]
    Empty {
        /// The file.
        file: String,
    },
    /// A header and nothing below it.
    #[error(
        "{file}, line {line}: there is a header but no row below it; add at least two rows of numbers"
    )]
    OnlyHeader {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// One row of numbers: it has no next value to learn.
    #[error(
        "{file}, line {line}: this is the only row of numbers; a series needs at least two, one value and the next"
    )]
    OneRow {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// A cell of a numeric column that is not a number.
    #[error("{file}, line {line}, column '{column}': '{cell}' is not a number; {advice}")]
    Text {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// The advice.
        advice: &'static str,
    },
    /// NaN, an infinity, or a number too large for 64 bits.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' is not a finite number; fill in a value or remove the row"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
    },
    /// A date that is none, or not in the order of time.
    #[error("{file}, {}, column '{column}': {}", error.place, error.fault)]
    Date {
        /// The file.
        file: String,
        /// The column, or the columns that hold parts of the dates.
        column: String,
        /// What is wrong.
        error: Box<DateError>,
    },
    /// An empty cell in a column that is read.
    #[error(
        "{file}, line {line}, column '{column}': the cell is empty; fill in a value or remove the row"
    )]
    MissingCell {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
    },
    /// A missing value in a column that is read.
    #[error(
        "{file}, line {line}, column '{column}': {what}{more}; fill in a value or remove the row, or choose --missing interpolate, previous, zero or drop"
    )]
    MissingValue {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        what: String,
        /// How many more there are, in brackets.
        more: String,
    },
    /// The last rows lack the values of one column and have those of another.
    #[error(
        "{file}, line {line}, column '{column}': the last {rows} rows have no value here, and other columns have one; remove them, or leave them out with --missing drop; where those others are known ahead, name them with --future-known"
    )]
    Unfinished {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The rows.
        rows: usize,
    },
    /// A column that has no value at all.
    #[error("{file}: column '{column}' has no value in any row; choose other columns")]
    NoValues {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A row that cannot be left out, because the dates around it would be further apart than all others.
    #[error(
        "{file}, line {line}: a value is missing between rows of equally spaced dates, which --missing drop would tear apart; choose --missing interpolate, previous or zero"
    )]
    DropInside {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// A column with decimal points and decimal commas.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' has a decimal {decimal}, and '{other}' on line {other_line} has not; write all numbers alike"
    )]
    MixedDecimals {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// Its decimal mark.
        decimal: Decimal,
        /// A cell with the other one.
        other: String,
        /// Its line.
        other_line: u64,
    },
    /// `1,234` and `1.234` in one column.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' has another mark than '{other}' on line {other_line}, and either can separate thousands; write all numbers alike, or add --decimal point or --decimal comma"
    )]
    BothMarks {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// A cell with the other mark.
        other: String,
        /// Its line.
        other_line: u64,
    },
    /// A number that has not the decimal mark that was asked for.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' is no number with a decimal {decimal}; correct it or leave out --decimal {decimal}"
    )]
    OtherDecimal {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// The mark that was asked for.
        decimal: Decimal,
    },
    /// A column whose numbers can be read in two ways.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' is {} with a decimal point and {} with a decimal comma, and no row tells which; add --decimal point or --decimal comma",
        readings[0],
        readings[1]
    )]
    UndecidedDecimal {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// Its values.
        readings: [f64; 2],
    },
    /// Percent signs in some of the cells of a column.
    #[error(
        "{file}, line {line}, column '{column}': a percent sign in one cell and none in another: '{cell}', and '{other}' on line {other_line}; write all numbers alike"
    )]
    Percent {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// The cell that it differs from.
        other: String,
        /// Its line.
        other_line: u64,
    },
    /// Several currencies in a column.
    #[error(
        "{file}, line {line}, column '{column}': two currencies: '{cell}', and '{other}' on line {other_line}; write all numbers alike"
    )]
    Currencies {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// The cell that it differs from.
        other: String,
        /// Its line.
        other_line: u64,
    },
    /// Numbers that a comma cuts in two.
    #[error(
        "{file}, line {line}: columns {} and {} can be one number with a decimal comma, {cell}; put such numbers in quotes, separate the cells by semicolons, or, if they are two columns, add --decimal point",
        columns[0],
        columns[1]
    )]
    SplitNumber {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// Both cells.
        cell: String,
        /// The numbers of the columns.
        columns: [usize; 2],
    },
    /// A header of several rows.
    #[error(
        "{file}, line {line}: lines {first} to {last} have words where the rows below have numbers, as a header of several rows; keep its last row alone ({names}) with --skip-rows {skip}, or remove all but one of them"
    )]
    HeaderRows {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The first line of the header.
        first: u64,
        /// The last line of it.
        last: u64,
        /// Lines before that.
        skip: u64,
        /// What the last one names.
        names: String,
    },
    /// A sum or a note below the table.
    #[error(
        "{file}, line {line}: '{cell}' begins a row of sums or a note, and no row of the series; remove it, or put # and a space before it"
    )]
    Footer {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The cell.
        cell: String,
    },
    /// A row that begins with an error of a spreadsheet.
    #[error(
        "{file}, line {line}: this row begins with the error of a spreadsheet, as #N/A, and would be a comment; write NA in its place"
    )]
    ErrorSign {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// A comment that looks like a row.
    #[error(
        "{file}, line {line}: this line begins with #, as a comment does, and has as many cells as the rows{}; if it is a row, put its first cell in quotes, and if it is a comment, write a space after the #",
        if *more > 0 { format!(" (and {more} more)") } else { String::new() }
    )]
    CommentedRow {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// How many more there are.
        more: usize,
    },
    /// All lines are skipped.
    #[error("{file}: the file has {lines} lines, and --skip-rows {skip} leaves none; skip fewer")]
    SkippedAll {
        /// The file.
        file: String,
        /// Its lines.
        lines: usize,
        /// The lines to skip.
        skip: usize,
    },
    /// A row with more or fewer cells than the first.
    #[error(
        "{file}, line {line}: the number of cells is {found}, but {expected} on line {first_line}; {advice}"
    )]
    Ragged {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
        /// The first line.
        first_line: u64,
        /// The advice.
        advice: String,
    },
    /// A column was asked for that the file does not have.
    #[error("{file}: there is no column '{column}'; choose from: {known}")]
    UnknownColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The known.
        known: String,
    },
    /// The same column was asked for twice.
    #[error("{file}: column '{column}' is asked for twice; name each column once")]
    AskedTwice {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// The header has the name more than once.
    #[error(
        "{file}, line {line}: the header has {times} columns named '{column}'; ask for one by its number: {known}"
    )]
    AmbiguousColumn {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The times.
        times: usize,
        /// The known.
        known: String,
    },
    /// No column holds numbers, and one has digits.
    #[error(
        "{file}, line {line}, column '{column}': no column holds numbers, and '{cell}' is none: {cause}"
    )]
    NoNumber {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// Why it is no number, and what to do.
        cause: &'static str,
    },
    /// No column holds numbers.
    #[error(
        "{file}: no column holds numbers (columns, separated by {delimiter}: {known}); check the delimiter and the file"
    )]
    NoNumericColumn {
        /// The file.
        file: String,
        /// The delimiter.
        delimiter: &'static str,
        /// The known.
        known: String,
    },
    /// Nothing is left to forecast.
    #[error("{file}: every column that holds numbers is exogenous; leave one to forecast")]
    AllExogenous {
        /// The file.
        file: String,
    },
    /// A list of holidays that there is not.
    #[error(
        "--holidays {file}: there is no such file; give a CSV file with a line for each holiday, its date and, if you like, its name, of the past rows and of those to come: 2024-12-25,Christmas"
    )]
    NoHolidayFile {
        /// The file.
        file: String,
    },
    /// A list of holidays without dates.
    #[error(
        "{file}: no column holds dates; give each holiday a line with its date, as 2024-12-25,Christmas; the columns are {known}"
    )]
    NoDays {
        /// The file.
        file: String,
        /// Its columns.
        known: String,
    },
    /// A holiday that is no day.
    #[error(
        "{file}, line {line}, column '{column}': '{cell}' is no day; write each holiday with year, month and day, as 2024-12-25"
    )]
    NoDay {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
    },
    /// A column of categories that is no input.
    #[error(
        "--categorical: {file}, column '{column}' is no input: name it with --future-known if its values are known ahead, or with --exogenous if not"
    )]
    NoInput {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A column of categories of a file whose series have no rows of their own.
    #[error(
        "--categorical: {file}: series that are rows or columns have no categories: they are those of a file with --id"
    )]
    NoLabels {
        /// The file.
        file: String,
    },
    /// A category that changes within a series.
    #[error(
        "--categorical: {file}, line {line}, column '{column}': {cells}, both of one series: the category of a series is the same in all its rows; leave the column out, or make it one"
    )]
    LabelChanges {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The column.
        column: String,
        /// The cell, and the one that it differs from.
        cells: String,
    },
    /// A column of words that are no categories.
    #[error(
        "{file}, column '{column}': {found} different words in {rows} rows are a text or an id, and no categories, of which there are at most {MOST_WORDS}: leave the column out, or give it fewer words"
    )]
    ManyWords {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Its words.
        found: usize,
        /// Its rows.
        rows: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("{file}, line {line}: the text is not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// A UTF-16 byte order mark.
    #[error("{file}, line 1: the text is UTF-16; save the file as UTF-8")]
    Utf16 {
        /// The file.
        file: String,
    },
    /// A zero byte: not text at all.
    #[error("{file}, line {line}: a zero byte, so this is not a text file; give a CSV file")]
    Binary {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// More than 1 MiB without the end of a row.
    #[error(
        "{file}, line {line}: more than 1 MiB without the end of a row; check the line ends and for a quote that is never closed"
    )]
    RowTooLong {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// More than 10,000 columns.
    #[error(
        "{file}, line {line}: the row has {found} cells, and at most 10000 are read; check the delimiter and the line ends"
    )]
    TooManyColumns {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// What was found.
        found: usize,
    },
    /// A long file with more rows than are numbered.
    #[error(
        "{file}: it has more than {most} rows, which is the most of a file with --id; split it"
    )]
    TooManyRows {
        /// The file.
        file: String,
        /// The most.
        most: u32,
    },
    /// A quote opens and the file ends.
    #[error(
        "{file}, line {line}: a quote opens in this row and is never closed; close or remove it"
    )]
    UnclosedQuote {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
    },
    /// A delimiter that cannot separate numbers.
    #[error(
        "{file}: '{delimiter}' cannot be the delimiter; use a comma, semicolon, tab, vertical bar or space"
    )]
    Delimiter {
        /// The file.
        file: String,
        /// The delimiter.
        delimiter: String,
    },
    /// Two rows of a file of one series a row that name the same one.
    #[error(
        "{file}, line {line}: the id '{id}' stands on line {other_line} already; give each series an id of its own, or name the column of ids with --id where a series has several rows"
    )]
    SameId {
        /// The file.
        file: String,
        /// The line, as an editor counts.
        line: u64,
        /// The id.
        id: String,
        /// The line of the other one.
        other_line: u64,
    },
    /// Further input of many series.
    #[error(
        "{file}: '{column}' cannot be further input: a network of many series reads each series' own past alone; leave --exogenous out"
    )]
    PanelExogenous {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
}
