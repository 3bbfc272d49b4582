//! The rows of a delimited text, each with the number of the line that it starts on, as in an editor.
//!
//! The `csv` crate splits the text into cells. Its line numbers are those of the place where it
//! begins to look for a row (before blank lines, comments and the second half of a CRLF), and it
//! accepts rows of any length. So it reads through [`Watched`], which counts lines and limits rows.

use std::collections::VecDeque;
use std::io::{self, Chain, Cursor, Read};

use csv::{ByteRecord, StringRecord};

use super::comments::Comments;
use super::series_error::SeriesError;

/// The most bytes of a row, with the blank lines and comments before it.
const LONGEST_ROW: u64 = 1 << 20;
/// The most cells of a row.
const MOST_COLUMNS: usize = 10_000;
/// The bytes and lines of the text from which the delimiter is guessed.
const SAMPLE_BYTES: u64 = 1 << 16;
const SAMPLE_LINES: usize = 100;
/// Read-ahead of the csv reader, in bytes.
const READ_AHEAD: usize = 1 << 15;
/// Added at the end of the text. No text has a zero byte, so this comes back as a separate row
/// unless a quote is still open there.
const ENDING: &[u8] = b"\n\0\n";

/// One row: its cells as written in the text, and its line, counted from 1.
pub(super) struct Row {
    pub line: u64,
    cells: StringRecord,
}

impl Row {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cell at `index` without surrounding white space; empty when the row ends before it.
    /// (Quotes are still there when white space precedes them, as in `1, "2"`.)
    pub fn cell(&self, index: usize) -> &str {
        let cell = self.cells.get(index).unwrap_or("").trim();
        cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).trim()
    }
}

/// The rows of a text, read one at a time.
pub(super) struct Rows<R: Read> {
    file: String,
    delimiter: u8,
    reader: csv::Reader<Watched<R>>,
    ended: bool,
    quotes_numbers: bool,
}

impl<R: Read> Rows<R> {
    /// Starts to read `input`, which errors call `file`, after its first `skip` lines. Without a `delimiter` it is the
    /// one that a first line `sep=;` names, or else guessed from the next 64 KiB.
    pub fn new(
        mut input: R,
        file: &str,
        delimiter: Option<u8>,
        skip: usize,
    ) -> Result<Self, SeriesError> {
        let mut start = Vec::new();
        read_more(&mut input, &mut start, file)?;
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(SeriesError::Utf16 { file: file.into() });
        }
        if start.starts_with("\u{feff}".as_bytes()) {
            start.drain(..3);
        }
        let named = named_delimiter(&start);
        let skip = skip.max(usize::from(named.is_some()));
        for line in 0..skip {
            if !skip_line(&mut input, &mut start, (file, line as u64 + 1))? {
                return Err(SeriesError::SkippedAll { file: file.into(), lines: line, skip });
            }
        }
        let delimiter = delimiter.or(named).unwrap_or_else(|| guess_delimiter(&start));
        let quotes_numbers = quotes_numbers(&start);
        let watched = Watched {
            input: Cursor::new(start).chain(input),
            ending: ENDING,
            delimiter,
            given: 0,
            row_start: 0,
            line: skip as u64 + 1,
            line_start: 0,
            seen: Seen::Nothing,
            after_return: false,
            comment: None,
            comments: Comments::default(),
            lines: VecDeque::new(),
            refusal: None,
        };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .delimiter(delimiter)
            .buffer_capacity(READ_AHEAD)
            .from_reader(watched);
        Ok(Self { file: file.into(), delimiter, reader, ended: false, quotes_numbers })
    }

    /// The delimiter in use.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether numbers such as `1.234` are in quotes at the beginning of the text.
    pub fn quotes_numbers(&self) -> bool {
        self.quotes_numbers
    }

    /// The comments so far: all of them where there is no row left.
    pub fn comments(&mut self) -> Comments {
        std::mem::take(&mut self.reader.get_mut().comments)
    }

    /// The next row that is neither blank nor a comment.
    pub fn next_row(&mut self) -> Result<Option<Row>, SeriesError> {
        let mut record = ByteRecord::new();
        while !self.ended {
            if let Err(error) = self.reader.read_byte_record(&mut record) {
                self.ended = true;
                return Err(self.explain(error));
            }
            let end = self.reader.position().byte();
            let Some(first) = self.reader.get_mut().end_row(end) else {
                self.ended = true;
                break;
            };
            let line = first.number;
            let file = || self.file.clone();
            if record.as_slice().contains(&0) {
                self.ended = true;
                if record.as_slice() == [0] {
                    break;
                }
                return Err(SeriesError::UnclosedQuote { file: file(), line });
            }
            if first.content != Content::Row {
                continue;
            }
            if end - first.start > LONGEST_ROW {
                return Err(SeriesError::RowTooLong { file: file(), line });
            }
            if record.len() > MOST_COLUMNS {
                return Err(SeriesError::TooManyColumns {
                    file: file(),
                    line,
                    found: record.len(),
                });
            }
            let cells = StringRecord::from_byte_record(record)
                .map_err(|_| SeriesError::NotUtf8 { file: file(), line })?;
            return Ok(Some(Row { line, cells }));
        }
        Ok(None)
    }

    fn explain(&self, error: csv::Error) -> SeriesError {
        let file = self.file.clone();
        match (self.reader.get_ref().refusal, error.into_kind()) {
            (Some(Refusal::ZeroByte { line }), _) => SeriesError::Binary { file, line },
            (Some(Refusal::RowTooLong { line }), _) => SeriesError::RowTooLong { file, line },
            (Some(Refusal::ErrorSign { line }), _) => SeriesError::ErrorSign { file, line },
            (None, csv::ErrorKind::Io(source)) => read_error(&file, source),
            (None, other) => {
                SeriesError::Unreadable { file, source: io::Error::other(format!("{other:?}")) }
            }
        }
    }
}

/// A failure of the system to open or read `file`, as one of the reader's errors.
pub(super) fn read_error(file: &str, source: io::Error) -> SeriesError {
    let file = file.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => SeriesError::NotFound { file },
        io::ErrorKind::IsADirectory => SeriesError::Directory { file },
        io::ErrorKind::PermissionDenied => SeriesError::Permission { file },
        _ => SeriesError::Unreadable { file, source },
    }
}

/// Stands between the text and the csv reader. It passes the bytes on, notes where lines start, and refuses
/// zero bytes and rows without end.
struct Watched<R> {
    input: Chain<Cursor<Vec<u8>>, R>,
    ending: &'static [u8],
    delimiter: u8,
    /// Bytes passed on so far.
    given: u64,
    /// The first byte of the current row.
    row_start: u64,
    /// The current line: its number, its first byte, and what it holds so far.
    line: u64,
    line_start: u64,
    seen: Seen,
    after_return: bool,
    /// The beginning of a comment after its `#`, until it is known to be no sign of an error.
    comment: Option<Vec<u8>>,
    comments: Comments,
    /// Lines passed on that belong to no row yet, without those that the csv reader skips.
    lines: VecDeque<Line>,
    refusal: Option<Refusal>,
}

#[derive(Clone, Copy)]
struct Line {
    start: u64,
    number: u64,
    content: Content,
}

#[derive(Clone, Copy, PartialEq)]
enum Content {
    /// Only white space.
    Blank,
    /// White space, then `#`.
    Comment,
    /// Anything else: the start of a row, or a later line of a quoted cell.
    Row,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nothing,
    WhiteSpace,
    Content,
}

#[derive(Clone, Copy)]
enum Refusal {
    ZeroByte { line: u64 },
    RowTooLong { line: u64 },
    ErrorSign { line: u64 },
}

/// The longest sign of an error in a spreadsheet, without its `#`, and spaces after it.
const LONGEST_SIGN: usize = 12;

/// Whether that is, after `#`, how a spreadsheet writes an error in place of a value.
fn is_error_sign(after: &[u8]) -> bool {
    const SIGNS: [&str; 8] = ["n/a", "na", "value!", "ref!", "div/0!", "num!", "name?", "null!"];
    SIGNS.iter().any(|sign| after.trim_ascii_end().eq_ignore_ascii_case(sign.as_bytes()))
}

impl<R> Watched<R> {
    /// Ends the row before byte `end`: returns its first line, if there is one, and forgets its lines.
    fn end_row(&mut self, end: u64) -> Option<Line> {
        self.row_start = end;
        let claimed = self.lines.partition_point(|line| line.start < end);
        let first = self.lines.front().copied().filter(|_| claimed > 0);
        self.lines.drain(..claimed);
        let row = first.filter(|line| line.content == Content::Row).map(|line| line.start);
        self.comments.end_row(row, end, self.delimiter);
        first
    }

    fn watch(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.given += 1;
            self.watch_comment(byte);
            self.comments.add(byte, self.delimiter);
            match byte {
                b'\n' if self.after_return => {
                    self.line_start = self.given;
                    self.after_return = false;
                }
                b'\n' | b'\r' => {
                    if self.seen == Seen::WhiteSpace {
                        self.note_line(Content::Blank);
                    }
                    self.line += 1;
                    self.line_start = self.given;
                    self.seen = Seen::Nothing;
                    self.after_return = byte == b'\r';
                }
                _ => {
                    self.after_return = false;
                    self.watch_content(byte);
                }
            }
        }
    }

    /// A line that holds an error of a spreadsheet alone, or begins with it, is no comment.
    fn watch_comment(&mut self, byte: u8) {
        let Some(comment) = &mut self.comment else { return };
        if matches!(byte, b'\n' | b'\r') || byte == self.delimiter {
            if is_error_sign(comment) {
                // The first of them.
                self.refusal.get_or_insert(Refusal::ErrorSign { line: self.line });
            }
            self.comment = None;
        } else if comment.len() < LONGEST_SIGN {
            comment.push(byte);
        } else {
            self.comment = None;
        }
    }

    fn watch_content(&mut self, byte: u8) {
        if self.seen == Seen::Content {
            return;
        }
        if matches!(byte, b' ' | b'\t') && byte != self.delimiter {
            self.seen = Seen::WhiteSpace;
            return;
        }
        match (byte, self.seen) {
            // The csv reader skips this line.
            (b'#', Seen::Nothing) => {
                self.comment = Some(Vec::new());
                self.comments.begin(self.line, self.line_start);
            }
            (b'#', _) => self.note_line(Content::Comment),
            _ => self.note_line(Content::Row),
        }
        self.seen = Seen::Content;
    }

    fn note_line(&mut self, content: Content) {
        self.lines.push_back(Line { start: self.line_start, number: self.line, content });
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Error {
        self.refusal = Some(refusal);
        io::Error::other("refused")
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.given - self.row_start > LONGEST_ROW + READ_AHEAD as u64 {
            let line = self.lines.front().map_or(self.line, |line| line.number);
            return Err(self.refuse(Refusal::RowTooLong { line }));
        }
        let mut count = self.input.read(bytes)?;
        if let Some(place) = bytes[..count].iter().position(|&byte| byte == 0) {
            self.watch(&bytes[..place]);
            let line = self.line;
            return Err(self.refuse(Refusal::ZeroByte { line }));
        }
        if count == 0 {
            count = self.ending.read(bytes)?;
        }
        self.watch(&bytes[..count]);
        match self.refusal {
            Some(refusal) => Err(self.refuse(refusal)),
            None => Ok(count),
        }
    }
}

/// Reads on until `start` has 64 KiB, or the input ends.
fn read_more(input: &mut impl Read, start: &mut Vec<u8>, file: &str) -> Result<(), SeriesError> {
    let more = SAMPLE_BYTES.saturating_sub(start.len() as u64);
    input.take(more).read_to_end(start).map_err(|source| read_error(file, source))?;
    Ok(())
}

/// The delimiter that a spreadsheet names in the first line: `sep=;`.
fn named_delimiter(start: &[u8]) -> Option<u8> {
    let line = start.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [name @ .., delimiter] if name.eq_ignore_ascii_case(b"sep=") => {
            matches!(delimiter, b';' | b',' | b'\t' | b'|' | b' ').then_some(*delimiter)
        }
        _ => None,
    }
}

/// Takes the first line out of `start`, which is filled up from `input`; whether there was one.
fn skip_line(
    input: &mut impl Read,
    start: &mut Vec<u8>,
    (file, line): (&str, u64),
) -> Result<bool, SeriesError> {
    let mut length = 0;
    loop {
        let end = start.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        // A line feed belongs to the carriage return before it, and has to be seen for that.
        if let Some(end) = end.filter(|&end| end + 1 < start.len()) {
            let both = start[end..].starts_with(b"\r\n");
            start.drain(..=end + usize::from(both));
            read_more(input, start, file)?;
            return Ok(true);
        }
        let cut = end.unwrap_or(start.len());
        length += cut as u64;
        if length > LONGEST_ROW {
            return Err(SeriesError::RowTooLong { file: file.into(), line });
        }
        start.drain(..cut);
        let before = start.len();
        read_more(input, start, file)?;
        if start.len() == before {
            start.clear();
            return Ok(length > 0 || end.is_some());
        }
    }
}

/// Whether a number with a point before its last three digits is in quotes.
fn quotes_numbers(start: &[u8]) -> bool {
    let is_one = |cell: &[u8]| {
        let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        matches!(cell, [whole @ .., b'.', _, _, _] if (1..=3).contains(&whole.len()) && digits(whole))
            && digits(&cell[cell.len() - 3..])
    };
    start.split(|&byte| byte == b'"').any(is_one)
}

/// Guesses the delimiter from the beginning of a text: the first of tab, semicolon, vertical bar and comma
/// that every line has equally often, or else the one that most lines have. The comma comes
/// last because numbers and text may contain it.
fn guess_delimiter(start: &[u8]) -> u8 {
    let mut lines: Vec<&[u8]> = start.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
    if start.len() as u64 >= SAMPLE_BYTES - 3 && lines.len() > 1 {
        lines.pop(); // most likely cut off
    }
    let counts_of = |delimiter: u8| -> Vec<usize> {
        let is_row = |line: &&&[u8]| !matches!(line.trim_ascii().first(), None | Some(b'#'));
        lines
            .iter()
            .filter(is_row)
            .take(SAMPLE_LINES)
            .map(|line| count_outside_quotes(line, delimiter))
            .collect()
    };
    let candidates = [b'\t', b';', b'|', b','].map(|delimiter| (delimiter, counts_of(delimiter)));
    let steady = candidates.iter().find(|(_, counts)| {
        counts.first().is_some_and(|&first| first > 0)
            && counts.windows(2).all(|pair| pair[0] == pair[1])
    });
    let having = |counts: &[usize]| counts.iter().filter(|&&count| count > 0).count();
    let most = candidates
        .iter()
        .max_by_key(|(_, counts)| having(counts)) // of equals the last one, the comma
        .map_or(b',', |(delimiter, _)| *delimiter);
    steady.map_or(most, |(delimiter, _)| *delimiter)
}

fn count_outside_quotes(line: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for &byte in line {
        quoted ^= byte == b'"';
        count += usize::from(byte == delimiter && !quoted);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_and_cells(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut rows = Rows::new(text.as_bytes(), "text", None, 0).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let cells = (0..row.len()).map(|i| row.cell(i).to_owned()).collect();
            found.push((row.line, cells));
        }
        found
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let text = "# note, \"odd\n\na,b\r\n\r\n   \n  # indented\n1,2\n\"3\n#x\",4\n\n5,6";
        let found = lines_and_cells(text);
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 7, 8, 11]);
        assert_eq!(found[2].1, ["3\n#x", "4"]);
        assert_eq!(found[3].1, ["5", "6"]);
    }

    #[test]
    fn every_line_end_counts_once() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "1,2", "3,4"].join(end);
            let lines: Vec<u64> = lines_and_cells(&text).iter().map(|row| row.0).collect();
            assert_eq!(lines, [1, 3, 4], "{end:?}");
        }
    }

    #[test]
    fn lines_hold_across_the_read_ahead() {
        let text: String = (0..40_000).map(|row| format!("{row},1\r\n")).collect();
        let found = lines_and_cells(&text);
        assert_eq!(found.len(), 40_000);
        for (index, (line, cells)) in found.iter().enumerate() {
            assert_eq!(*line, index as u64 + 1);
            assert_eq!(cells[0], index.to_string());
        }
    }

    #[test]
    fn the_delimiter_is_guessed() {
        for (text, delimiter) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("1,5;2,5\n1,5;2,5\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            ("# x;y;z\n\n\"a;b\",c\n1,2\n", b','),
            ("\"a;b\",c\n\"d;e\",2\n", b','),
            ("a,b\n1,2,\n3,4,\n", b','),
            ("a\n1\n2\n", b','),
            ("", b','),
        ] {
            assert_eq!(guess_delimiter(text.as_bytes()), delimiter, "{text:?}");
        }
    }

    #[test]
    fn a_quote_after_white_space_is_removed() {
        assert_eq!(lines_and_cells("a, \"b c\" ,\" d \"\n")[0].1, ["a", "b c", "d"]);
    }
}
