//! Everything that can be wrong with a series file, one line of text each.

use std::io;

use thiserror::Error;

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
    /// A row with more or fewer cells than the first.
    #[error(
        "{file}, line {line}: the number of cells is {found}, but {expected} on line {first_line}; make them equal, or put # before a line that is not data"
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
}
