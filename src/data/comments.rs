//! The lines of a delimited text that begin with `#`: comments, unless they look like rows.

use std::collections::{BTreeMap, VecDeque};

/// The bytes of a comment that are kept.
const KEPT: usize = 1000;

/// A line that begins with `#`.
#[derive(Clone)]
pub(super) struct Comment {
    /// The line, counted from 1.
    pub line: u64,
    /// Its first byte in the text.
    start: u64,
    /// What stands after the `#`, as far as it is kept.
    text: Vec<u8>,
    /// How many cells it would have as a row.
    pub cells: usize,
    quoted: bool,
}

impl Comment {
    /// Whether it is a comment by its beginning: a space or another `#` after the first. A cell such as `#1` has none.
    fn is_set_apart(&self) -> bool {
        matches!(self.text.first(), None | Some(b' ' | b'\t' | b'#' | b'!'))
    }

    /// Whether a cell has something in it.
    fn is_filled(&self, delimiter: u8) -> bool {
        self.text.iter().any(|&byte| byte != delimiter && !matches!(byte, b' ' | b'\t' | b'"'))
    }

    /// What stands after the `#`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// The comments of a text.
#[derive(Default)]
pub(super) struct Comments {
    /// How many there are, and the line of the first.
    pub count: usize,
    pub first: u64,
    /// The last one before the first row.
    pub before: Option<Comment>,
    /// Those that may be rows, by the number of their cells: the first, and how many there are.
    like_rows: BTreeMap<usize, (Comment, usize)>,
    rows: bool,
    open: Option<Comment>,
    /// Those that have been read and belong to no row so far.
    read: VecDeque<Comment>,
}

impl Comments {
    /// A line begins with `#`.
    pub fn begin(&mut self, line: u64, start: u64) {
        self.open = Some(Comment { line, start, text: Vec::new(), cells: 1, quoted: false });
    }

    /// The next byte of the line.
    pub fn add(&mut self, byte: u8, delimiter: u8) {
        let Some(comment) = &mut self.open else { return };
        if matches!(byte, b'\n' | b'\r') {
            self.read.extend(self.open.take());
            return;
        }
        comment.quoted ^= byte == b'"';
        comment.cells += usize::from(byte == delimiter && !comment.quoted);
        if comment.text.len() < KEPT {
            comment.text.push(byte);
        }
    }

    /// A row ends before byte `end`; it begins at `row`, if it is one.
    pub fn end_row(&mut self, row: Option<u64>, end: u64, delimiter: u8) {
        while let Some(comment) = self.read.pop_front_if(|comment| comment.start < end) {
            // A line of a quoted cell.
            if row.is_some_and(|row| comment.start > row) {
                continue;
            }
            if self.count == 0 {
                self.first = comment.line;
            }
            self.count += 1;
            if !comment.is_set_apart() && comment.is_filled(delimiter) {
                let known = self.like_rows.entry(comment.cells);
                known.or_insert_with(|| (comment.clone(), 0)).1 += 1;
            }
            if !self.rows {
                self.before = Some(comment);
            }
        }
        self.rows |= row.is_some();
    }

    /// The first comment that has as many cells as the rows and nothing that sets it apart from them, and how many do.
    pub fn like_rows(&self, cells: usize) -> Option<(&Comment, usize)> {
        self.like_rows.get(&cells).map(|(comment, count)| (comment, *count))
    }
}
