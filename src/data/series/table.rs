//! All rows of a file as text, with the names of its columns and the lines that rows stand on.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use crate::data::comments::Comments;
use crate::data::dates::{Recogniser, looks_like_date};
use crate::data::rows::{Row, Rows};
use crate::printable::printable;

use super::cells::{Cells, Lines};
use super::header;
use super::missing::{counted, is_marked, stands_for_missing};
use super::note::Note;
use super::numbers::is_number;
use super::reading::Reading;
use super::{SeriesError, SeriesOptions};

/// The cells of a file, all rows equally long.
pub(in crate::data) struct Table {
    /// What messages call the file.
    pub file: String,
    /// The byte between cells.
    pub delimiter: u8,
    /// Whether numbers such as `1.234` are in quotes.
    pub quotes_numbers: bool,
    /// The name of each column, as messages show it: from the header, otherwise `column 1`, ….
    pub names: Vec<String>,
    /// How it is written, as far as that was asked for.
    pub reading: Reading,
    contents: Vec<Content>,
    /// The line of the first row, a header or not.
    first_line: u64,
    /// 1 where the first row is a header.
    body: usize,
    /// The rows, a header among them.
    rows: usize,
    stored: Arc<Stored>,
    /// Which of the stored rows they are; none: all.
    part: Option<Vec<u32>>,
    comments: Comments,
}

/// The rows of a file, which parts of it share.
struct Stored {
    /// A column each.
    cells: Vec<Cells>,
    lines: Lines,
}

impl Stored {
    fn push<'a>(&mut self, row: usize, line: u64, cells: impl Iterator<Item = &'a str>) {
        self.lines.push(row, line);
        self.cells.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    }
}

impl Table {
    /// Reads all rows of `input`, which messages call `file`.
    pub fn read(
        input: impl Read,
        file: &str,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let mut rows = Rows::new(input, file, options.delimiter, options.reading.skip_rows)?;
        let Some(first) = rows.next_row()? else {
            return Err(SeriesError::Empty { file: file.into() });
        };
        let second = rows.next_row()?;
        // A delimiter at the end makes no column, unless the next row has something after it.
        let last = first.len() - 1;
        let goes_on = second.as_ref().is_some_and(|row| !row.cell(last).is_empty());
        let ends_empty = last > 0 && first.cell(last).is_empty() && !goes_on;
        let width = first.len() - usize::from(ends_empty);
        let mut table = Self {
            file: file.into(),
            delimiter: rows.delimiter(),
            quotes_numbers: rows.quotes_numbers(),
            names: vec![String::new(); width],
            reading: options.reading.clone(),
            contents: Vec::new(),
            first_line: first.line,
            body: 0,
            rows: 0,
            stored: Arc::new(Stored {
                cells: (0..width).map(|_| Cells::new(width)).collect(),
                lines: Lines::default(),
            }),
            part: None,
            comments: Comments::default(),
        };
        table.push(&first);
        if let Some(row) = second {
            if !table.fits(&row) {
                return Err(table.ragged(&row, &mut rows));
            }
            table.push(&row);
        }
        while let Some(row) = rows.next_row()? {
            if table.fits(&row) {
                table.push(&row);
            } else {
                return Err(table.ragged(&row, &mut rows));
            }
        }
        table.stored_mut().cells.iter_mut().for_each(Cells::close);
        table.drop_empty_rows();
        table.comments = rows.comments();
        table.check_comments()?;
        if table.rows() == 1 {
            return Err(table.too_short());
        }
        table.contents = (0..table.width()).map(|column| table.content_of(column)).collect();
        let has_header = table.first_is_header(options);
        table.names = (0..table.width())
            .map(|index| match table.cell(0, index) {
                name if has_header && !name.is_empty() => printable(name),
                _ => format!("column {}", index + 1),
            })
            .collect();
        table.tell_apart();
        table.body = usize::from(has_header);
        header::check(&table)?;
        Ok(table)
    }

    /// Columns of the same name get their number after it.
    fn tell_apart(&mut self) {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for name in &self.names {
            *times.entry(name).or_default() += 1;
        }
        let names = self.names.iter().enumerate().map(|(index, name)| match times[name.as_str()] {
            1 => name.clone(),
            _ => format!("{name} (column {})", index + 1),
        });
        self.names = names.collect();
    }

    /// Whether a row is as wide as the first; a trailing delimiter may be there or not.
    fn fits(&self, row: &Row) -> bool {
        let width = self.width();
        row.len() == width || row.len() == width + 1 && row.cell(width).is_empty()
    }

    /// Forgets rows at the end that have delimiters alone: spreadsheets write them below the table.
    fn drop_empty_rows(&mut self) {
        let empty = |table: &Self| {
            let last = table.rows - 1;
            (0..table.width()).all(|column| table.cell_of(last, column).is_empty())
        };
        while self.width() > 1 && self.rows > 1 && empty(self) {
            self.rows -= 1;
        }
    }

    fn stored_mut(&mut self) -> &mut Stored {
        Arc::get_mut(&mut self.stored).expect("there are no parts before all rows are read")
    }

    /// Adds a row.
    fn push(&mut self, row: &Row) {
        let (width, number) = (self.width(), self.rows);
        self.stored_mut().push(number, row.line, (0..width).map(|index| row.cell(index)));
        self.rows += 1;
    }

    /// Why a row is longer or shorter than the first, as far as its cells tell.
    fn ragged(&self, row: &Row, rows: &mut Rows<impl Read>) -> SeriesError {
        /// Lines before a table, and rows below that tell where it begins.
        const BEFORE: usize = 100;
        const BELOW: usize = 3;
        let below: Vec<Row> = (0..BELOW).map_while(|_| rows.next_row().ok().flatten()).collect();
        let begins = self.rows <= BEFORE
            && below.len() > 1
            && row.len() > 1
            && below.iter().all(|other| other.len() == row.len());
        let (found, expected) = (row.len(), self.width());
        let cells = || (0..found).map(|index| row.cell(index));
        let digits =
            |cell: &str| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        let pair = (1..found).find(|&index| {
            let whole = row.cell(index - 1).trim_start_matches(['-', '+', '−', '$', '€', '£']);
            digits(whole) && digits(row.cell(index))
        });
        let advice = match pair {
            Some(index) if self.delimiter == b',' && found > expected => format!(
                "if {},{} is one number, put it in quotes, or separate the cells by semicolons",
                printable(row.cell(index - 1)),
                printable(row.cell(index))
            ),
            // As R writes the names of rows.
            _ if begins && self.rows == 1 && found == expected + 1 && self.is_named(row) => {
                "if the first cell of each row numbers or names it, give that column a name before the others in the header".into()
            }
            _ if begins || self.rows == 1 && found > expected => format!(
                "if the table begins here, add --skip-rows {}, or put # and a space before each line above it",
                row.line - 1
            ),
            _ if found < expected && cells().all(|cell| !is_number(cell)) => {
                "if it is a note, remove it or put # and a space before it".into()
            }
            _ => "make them equal, or put # and a space before a line that is not data".into(),
        };
        SeriesError::Ragged {
            file: self.file.clone(),
            line: row.line,
            found,
            expected,
            first_line: self.first_line,
            advice,
        }
    }

    /// Some of the rows below the header, as a table of their own.
    pub fn part(&self, rows: &[u32]) -> Self {
        let part = rows.iter().map(|&row| self.stored_row(row as usize + self.body) as u32);
        Self {
            contents: self.contents.clone(),
            rows: rows.len(),
            stored: Arc::clone(&self.stored),
            part: Some(part.collect()),
            ..self.without_rows(self.names.clone())
        }
    }

    /// The cells of a row from one of the columns on, one below the other as the column `name`, without those at either end
    /// that stand for a missing value; before each the title of its column, where `titled`.
    pub fn upright(&self, row: usize, from: usize, name: &str, titled: bool) -> Self {
        let is_missing = |column: &usize| self.is_missing(row, *column);
        let first = (from..self.width()).find(|column| !is_missing(column)).unwrap_or(from);
        let last = (first..self.width()).rev().find(|column| !is_missing(column));
        let names = titled.then(|| self.names[0].clone()).into_iter().chain([name.into()]);
        let mut upright = self.without_rows(names.collect());
        let mut stored = Stored {
            cells: (0..upright.width()).map(|_| Cells::all()).collect(),
            lines: Lines::default(),
        };
        for column in first..last.map_or(first, |last| last + 1) {
            let title = titled.then(|| self.title(column));
            let cells = title.into_iter().chain([self.cell(row, column)]);
            stored.push(upright.rows, self.line(row), cells);
            upright.rows += 1;
        }
        upright.stored = Arc::new(stored);
        let date = Content { numeric: false, dates: true, empty: false };
        let number = Content { numeric: true, dates: false, empty: last.is_none() };
        upright.contents = titled.then_some(date).into_iter().chain([number]).collect();
        upright
    }

    /// The same file with other columns and no rows.
    fn without_rows(&self, names: Vec<String>) -> Self {
        Self {
            file: self.file.clone(),
            delimiter: self.delimiter,
            names,
            reading: self.reading.clone(),
            comments: Comments::default(),
            quotes_numbers: self.quotes_numbers,
            contents: Vec::new(),
            first_line: self.first_line,
            body: 0,
            rows: 0,
            stored: Arc::new(Stored { cells: Vec::new(), lines: Lines::default() }),
            part: None,
        }
    }

    /// Whether the first row is of words, and another one is not.
    fn is_named(&self, row: &Row) -> bool {
        let is_value = |cell: &str| is_number(cell) || looks_like_date(cell);
        (0..self.width()).all(|column| !is_value(self.cell_of(0, column)))
            && (0..row.len()).any(|index| is_value(row.cell(index)))
    }

    /// Number of columns, without the empty one after a trailing delimiter.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// Number of rows below the header.
    pub fn rows(&self) -> usize {
        self.rows - self.body
    }

    /// Whether the first row of the file names the columns.
    pub fn has_header(&self) -> bool {
        self.body > 0
    }

    /// The name of a column as written in the header, empty without one.
    pub fn title(&self, column: usize) -> &str {
        if self.has_header() { self.cell_of(0, column) } else { "" }
    }

    /// A cell of a row below the header, without the white space around it.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.cell_of(row + self.body, column)
    }

    /// Refuses comments that look like rows.
    fn check_comments(&self) -> Result<(), SeriesError> {
        let found = self.comments.like_rows(self.width());
        // Where a row is a single cell, a word is no row.
        let is_row = |text: &str| self.width() > 1 || is_number(text.trim());
        match found.filter(|(comment, _)| is_row(&comment.text())) {
            Some((comment, count)) => Err(SeriesError::CommentedRow {
                file: self.file.clone(),
                line: comment.line,
                more: count - 1,
            }),
            None => Ok(()),
        }
    }

    /// How many comments were left out, and whether one has the names of the columns.
    pub fn comment_notes(&self) -> Vec<Note> {
        let Comments { count, first, before, .. } = &self.comments;
        let mut notes = Vec::new();
        if *count > 0 {
            let lines = counted(*count, "line");
            notes.push(Note::Decided(format!(
                "{}: {lines} left out as comments, which begin with #, the first on line {first}",
                self.file
            )));
        }
        let is_name = |cell: &str| !cell.is_empty() && !is_number(cell) && !looks_like_date(cell);
        let delimiter = char::from(self.delimiter);
        if let Some(names) = before.as_ref().filter(|_| !self.has_header() && self.width() > 1)
            && names.cells == self.width()
            && names.text().split(delimiter).all(|cell| is_name(cell.trim()))
        {
            notes.push(Note::Doubtful(format!(
                "{}, line {}: this comment is not used, and may be the names of the columns, which have none; remove its # to use them",
                self.file, names.line
            )));
        }
        notes
    }

    /// Says where a blank line or a comment stands between rows of a single cell, which may mean a missing one.
    pub fn skipped_lines(&self) -> Option<Note> {
        let lines = |row: usize| self.cell(row, 0).matches('\n').count() as u64 + 1;
        let follows = |row: &usize| self.line(*row) > self.line(row - 1) + lines(row - 1);
        let row = (1..self.rows()).filter(|_| self.width() == 1).find(follows)?;
        Some(Note::Doubtful(format!(
            "{}, line {}: a line without a value is skipped; if a value is missing there, write NA",
            self.file,
            self.line(row - 1) + lines(row - 1)
        )))
    }

    /// Whether a cell stands for a missing value.
    pub fn is_missing(&self, row: usize, column: usize) -> bool {
        self.lacks_value(self.cell(row, column))
    }

    fn lacks_value(&self, cell: &str) -> bool {
        stands_for_missing(cell) || is_marked(cell, &self.reading)
    }

    /// The line of the first row, the header where there is one.
    pub fn first_line(&self) -> u64 {
        self.first_line
    }

    /// The line, as an editor counts, of a row below the header.
    pub fn line(&self, row: usize) -> u64 {
        self.stored.lines.get(self.stored_row(row + self.body))
    }

    fn cell_of(&self, row: usize, column: usize) -> &str {
        self.stored.cells[column].get(self.stored_row(row))
    }

    /// The place of a row, a header among them, in what is stored.
    fn stored_row(&self, row: usize) -> usize {
        self.part.as_ref().map_or(row, |part| part[row] as usize)
    }

    fn too_short(&self) -> SeriesError {
        let (file, line) = (self.file.clone(), self.first_line);
        if (0..self.width()).any(|index| is_number(self.cell(0, index))) {
            SeriesError::OneRow { file, line }
        } else {
            SeriesError::OnlyHeader { file, line }
        }
    }

    /// The columns asked for, none of them twice or among the others.
    pub fn find_all(&self, asked: &[String], others: &[usize]) -> Result<Vec<usize>, SeriesError> {
        let mut columns = Vec::new();
        for asked in asked {
            let index = self.find(asked)?;
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
    pub fn find(&self, asked: &str) -> Result<usize, SeriesError> {
        let asked = asked.trim();
        let mut named =
            (0..self.width()).filter(|&index| !asked.is_empty() && self.title(index) == asked);
        if let Some(index) = named.next() {
            return match named.count() {
                0 => Ok(index),
                others => Err(SeriesError::AmbiguousColumn {
                    file: self.file.clone(),
                    line: self.first_line,
                    column: printable(asked),
                    times: others + 1,
                    known: self.known_columns(),
                }),
            };
        }
        if let Some(index) = self.names.iter().position(|name| name == asked) {
            return Ok(index);
        }
        column_number(asked, self.width()).ok_or_else(|| SeriesError::UnknownColumn {
            file: self.file.clone(),
            column: printable(asked),
            known: self.known_columns(),
        })
    }

    /// `1 month, 2 passengers`: every column by number and name, the first twenty of many.
    pub fn known_columns(&self) -> String {
        const LISTED: usize = 20;
        let number_and_name = |(index, name): (usize, String)| match self.has_header() {
            true => format!("{} {name}", index + 1),
            false => (index + 1).to_string(),
        };
        let titles = self.names.iter().enumerate().map(|(index, name)| match self.title(index) {
            "" => (index, name.clone()),
            title => (index, printable(title)),
        });
        let columns = titles.map(number_and_name);
        let mut known = columns.take(LISTED).collect::<Vec<_>>().join(", ");
        if self.width() > LISTED {
            known.push_str(&format!(" and {} more", self.width() - LISTED));
        }
        known
    }

    fn content_of(&self, column: usize) -> Content {
        let first_number = usize::from(is_number(self.cell_of(0, column)));
        let (mut filled, mut numbers, mut dates) = (0, 0, 0);
        let mut recogniser = Recogniser::default();
        for row in 1..self.rows {
            let cell = self.cell_of(row, column);
            if self.lacks_value(cell) {
                continue;
            }
            filled += 1;
            match is_number(cell) {
                true => numbers += 1,
                false => dates += usize::from(recogniser.is_date(cell)),
            }
        }
        numbers += first_number;
        Content {
            numeric: numbers > 0 && 2 * numbers >= filled + first_number,
            dates: filled > 0 && 2 * dates >= filled,
            empty: filled == 0,
        }
    }

    /// Is the first row a header? Yes when a column asked for is named in it, or when it has a word
    /// where the rows below have a date or a number (in a column asked for by number, if any is), or
    /// words alone above text; no when it has a date like the rows below. Signs of a missing value are no words.
    fn first_is_header(&self, options: &SeriesOptions) -> bool {
        let found = &self.contents;
        let columns = || options.columns.iter().chain(&options.exogenous);
        let asked = || columns().chain(&options.date_column);
        let is_word = |index: usize| {
            let cell = self.cell_of(0, index);
            !is_number(cell) && !self.lacks_value(cell)
        };
        let all = 0..self.width();
        let named =
            |name: &String| all.clone().any(|i| is_word(i) && self.cell_of(0, i) == name.trim());
        if asked().any(named) {
            return true;
        }
        let dates = || all.clone().filter(|&index| found[index].dates);
        if dates().any(|index| looks_like_date(self.cell_of(0, index))) {
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
}

/// What the cells of one column are. The row that may be the header speaks only for numbers, never against them.
#[derive(Clone, Copy)]
pub(in crate::data) struct Content {
    /// At least half of its cells that hold something are numbers; the others are then mistakes to report.
    pub numeric: bool,
    /// At least half of its cells below the first row that hold something are dates; the others are then mistakes to report.
    pub dates: bool,
    /// All its cells below the first row are empty, or signs of a missing value.
    pub empty: bool,
}

impl Content {
    /// What the cells of a column are.
    pub fn of(table: &Table, column: usize) -> Self {
        table.contents[column]
    }
}

/// The index of the column that `text` numbers from 1 to `width`.
fn column_number(text: &str, width: usize) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (1..=width).contains(&number).then(|| number - 1)
}
