//! All rows of a file as text, with the names of its columns and the lines that rows stand on.

use std::io::Read;

use crate::data::dates::looks_like_date;
use crate::data::rows::{Row, Rows};
use crate::printable::printable;

use super::numbers::{number, stands_for_missing};
use super::{SeriesError, SeriesOptions};

/// The cells of a file, all rows equally long.
pub(in crate::data) struct Table {
    /// What messages call the file.
    pub file: String,
    /// The byte between cells.
    pub delimiter: u8,
    /// The name of each column, as messages show it: from the header, otherwise `column 1`, ….
    pub names: Vec<String>,
    /// The line of the first row, a header or not.
    first_line: u64,
    /// 1 where the first row is a header.
    body: usize,
    /// The cells of all rows, one after the other.
    text: String,
    /// Where each row starts in `text`.
    starts: Vec<usize>,
    /// Where each cell ends, counted from the start of its row.
    ends: Vec<u32>,
    lines: Vec<u64>,
}

impl Table {
    /// Reads all rows of `input`, which messages call `file`.
    pub fn read(
        input: impl Read,
        file: &str,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let mut rows = Rows::new(input, file, options.delimiter)?;
        let Some(first) = rows.next_row()? else {
            return Err(SeriesError::Empty { file: file.into() });
        };
        let ends_empty = first.len() > 1 && first.cell(first.len() - 1).is_empty();
        let mut table = Self {
            file: file.into(),
            delimiter: rows.delimiter(),
            names: vec![String::new(); first.len() - usize::from(ends_empty)],
            first_line: first.line,
            body: 0,
            text: String::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            lines: Vec::new(),
        };
        table.push(&first)?;
        while let Some(row) = rows.next_row()? {
            table.push(&row)?;
        }
        if table.rows() == 1 {
            return Err(table.too_short());
        }
        let has_header = table.first_is_header(options);
        table.names = (0..table.width())
            .map(|index| match table.cell(0, index) {
                name if has_header && !name.is_empty() => printable(name),
                _ => format!("column {}", index + 1),
            })
            .collect();
        table.body = usize::from(has_header);
        Ok(table)
    }

    /// Adds a row. Rows are as wide as the first; a trailing delimiter may be there or not.
    fn push(&mut self, row: &Row) -> Result<(), SeriesError> {
        let width = self.width();
        let trailing = row.len() == width + 1 && row.cell(width).is_empty();
        if row.len() != width && !trailing {
            return Err(SeriesError::Ragged {
                file: self.file.clone(),
                line: row.line,
                found: row.len(),
                expected: width,
                first_line: self.first_line,
            });
        }
        let start = self.text.len();
        self.starts.push(start);
        self.lines.push(row.line);
        for index in 0..width {
            self.text.push_str(row.cell(index));
            // A row has at most 1 MiB.
            self.ends.push((self.text.len() - start) as u32);
        }
        Ok(())
    }

    /// Number of columns, without the empty one after a trailing delimiter.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// Number of rows below the header.
    pub fn rows(&self) -> usize {
        self.lines.len() - self.body
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

    /// The line, as an editor counts, of a row below the header.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row + self.body]
    }

    fn cell_of(&self, row: usize, column: usize) -> &str {
        let (start, first) = (self.starts[row], row * self.width());
        let from = if column == 0 { 0 } else { self.ends[first + column - 1] as usize };
        &self.text[start + from..start + self.ends[first + column] as usize]
    }

    fn too_short(&self) -> SeriesError {
        let (file, line) = (self.file.clone(), self.first_line);
        if (0..self.width()).any(|index| number(self.cell(0, index)).is_some()) {
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
        column_number(asked, self.width()).ok_or_else(|| SeriesError::UnknownColumn {
            file: self.file.clone(),
            column: printable(asked),
            known: self.known_columns(),
        })
    }

    /// `1 month, 2 passengers`: every column by number and name, the first twenty of many.
    pub fn known_columns(&self) -> String {
        const LISTED: usize = 20;
        let number_and_name = |(index, name): (usize, &String)| match self.has_header() {
            true => format!("{} {name}", index + 1),
            false => (index + 1).to_string(),
        };
        let columns = self.names.iter().enumerate().map(number_and_name);
        let mut known = columns.take(LISTED).collect::<Vec<_>>().join(", ");
        if self.width() > LISTED {
            known.push_str(&format!(" and {} more", self.width() - LISTED));
        }
        known
    }

    /// Is the first row a header? Yes when a column asked for is named in it, or when it has a word
    /// where the rows below have a date or a number (in a column asked for by number, if any is), or
    /// words alone above text; no when it has a date like the rows below. Signs of a missing value are no words.
    fn first_is_header(&self, options: &SeriesOptions) -> bool {
        let found: Vec<Content> = (0..self.width()).map(|index| Content::of(self, index)).collect();
        let columns = || options.columns.iter().chain(&options.exogenous);
        let asked = || columns().chain(&options.date_column);
        let is_word = |index: usize| {
            let cell = self.cell_of(0, index);
            !cell.is_empty() && number(cell).is_none() && !stands_for_missing(cell)
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
pub(in crate::data) struct Content {
    /// At least half of its cells are numbers; the others are then mistakes to report.
    pub numeric: bool,
    /// All its cells below the first row are dates.
    pub dates: bool,
    /// All its cells below the first row are empty.
    pub empty: bool,
}

impl Content {
    pub fn of(table: &Table, column: usize) -> Self {
        let rows = table.lines.len();
        let first_number = usize::from(number(table.cell_of(0, column)).is_some());
        let cells = || (1..rows).map(|row| table.cell_of(row, column));
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

/// The index of the column that `text` numbers from 1 to `width`.
fn column_number(text: &str, width: usize) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (1..=width).contains(&number).then(|| number - 1)
}
