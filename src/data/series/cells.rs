//! The cells of a file, column by column, in little memory.
//!
//! A text that comes again, a date or the name of a series say, is kept once, and each of its cells takes a byte, two or four.
//! A column of ever other texts, most numbers say, has them one after the other, with four bytes more for each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Different texts of all columns together, of which each has its share; a column that has more of them keeps all its cells.
const DIFFERENT: usize = 1 << 20;
/// The most of a column, and the least that it may have.
const SHARE: [usize; 2] = [64, 1 << 18];
/// The most bytes of all different texts of a column.
const LONGEST: usize = 1 << 24;
/// Rows between two places in a text that are counted from its beginning. (A cell has at most 1 MiB.)
const BLOCK: usize = 2048;

/// The cells of one column.
pub(super) struct Cells {
    text: String,
    kept: Kept,
}

enum Kept {
    /// Each text once.
    Different {
        /// Where each ends.
        ends: Vec<u32>,
        /// Which one each cell is.
        numbers: Numbers,
        /// The number of a text by its hash; of two with one hash the second is kept each time that it comes.
        seen: HashMap<u64, u32>,
        /// The most of them.
        most: usize,
    },
    /// The texts of all cells.
    All {
        /// Where each block of rows begins.
        blocks: Vec<usize>,
        /// Where each cell ends, counted from there.
        ends: Vec<u32>,
    },
}

/// Numbers in as many bytes as the largest takes.
enum Numbers {
    Small(Vec<u8>),
    Middle(Vec<u16>),
    Large(Vec<u32>),
}

impl Numbers {
    fn push(&mut self, number: u32) {
        if let Self::Small(numbers) = self {
            match u8::try_from(number) {
                Ok(number) => return numbers.push(number),
                Err(_) => *self = Self::Middle(numbers.iter().map(|&n| n.into()).collect()),
            }
        }
        if let Self::Middle(numbers) = self {
            match u16::try_from(number) {
                Ok(number) => return numbers.push(number),
                Err(_) => *self = Self::Large(numbers.iter().map(|&n| n.into()).collect()),
            }
        }
        if let Self::Large(numbers) = self {
            numbers.push(number);
        }
    }

    fn get(&self, row: usize) -> usize {
        match self {
            Self::Small(numbers) => numbers[row].into(),
            Self::Middle(numbers) => numbers[row].into(),
            Self::Large(numbers) => numbers[row] as usize,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Small(numbers) => numbers.len(),
            Self::Middle(numbers) => numbers.len(),
            Self::Large(numbers) => numbers.len(),
        }
    }
}

impl Cells {
    /// No cells yet, of one of so many columns.
    pub fn new(width: usize) -> Self {
        let [least, most] = SHARE;
        let most = (DIFFERENT / width.max(1)).clamp(least, most);
        let (ends, numbers) = (Vec::new(), Numbers::Small(Vec::new()));
        let kept = Kept::Different { ends, numbers, seen: HashMap::new(), most };
        Self { text: String::new(), kept }
    }

    /// No cells yet, all of which will be kept.
    pub fn all() -> Self {
        Self { text: String::new(), kept: Kept::All { blocks: Vec::new(), ends: Vec::new() } }
    }

    /// Adds a cell.
    pub fn push(&mut self, cell: &str) {
        let Kept::Different { ends, numbers, seen, most } = &mut self.kept else {
            return self.push_text(cell);
        };
        let mut hasher = DefaultHasher::new();
        cell.hash(&mut hasher);
        let hash = hasher.finish();
        let known = seen.get(&hash).copied();
        if let Some(number) = known.filter(|&number| text_of(&self.text, ends, number) == cell) {
            return numbers.push(number);
        }
        if ends.len() < *most && self.text.len() + cell.len() <= LONGEST {
            let number = ends.len() as u32;
            self.text.push_str(cell);
            ends.push(self.text.len() as u32);
            numbers.push(number);
            seen.entry(hash).or_insert(number);
            return;
        }
        let rows = numbers.len();
        let few = std::mem::replace(self, Self::all());
        for row in 0..rows {
            self.push_text(few.get(row));
        }
        self.push_text(cell);
    }

    fn push_text(&mut self, cell: &str) {
        let Kept::All { blocks, ends } = &mut self.kept else { return };
        if ends.len().is_multiple_of(BLOCK) {
            blocks.push(self.text.len());
        }
        self.text.push_str(cell);
        ends.push((self.text.len() - blocks[blocks.len() - 1]) as u32);
    }

    /// Forgets what only new cells need.
    pub fn close(&mut self) {
        if let Kept::Different { seen, .. } = &mut self.kept {
            *seen = HashMap::new();
        }
    }

    /// A cell.
    pub fn get(&self, row: usize) -> &str {
        match &self.kept {
            Kept::Different { ends, numbers, .. } => {
                text_of(&self.text, ends, numbers.get(row) as u32)
            }
            Kept::All { blocks, ends } => {
                let block = blocks[row / BLOCK];
                let from = if row.is_multiple_of(BLOCK) { 0 } else { ends[row - 1] as usize };
                &self.text[block + from..block + ends[row] as usize]
            }
        }
    }
}

fn text_of<'a>(text: &'a str, ends: &[u32], number: u32) -> &'a str {
    let place = number as usize;
    let from = if place == 0 { 0 } else { ends[place - 1] as usize };
    &text[from..ends[place] as usize]
}

/// The lines of rows, as runs of rows that follow each other.
#[derive(Default)]
pub(super) struct Lines(Vec<(usize, u64)>);

impl Lines {
    /// Adds the line of a row, the next one.
    pub fn push(&mut self, row: usize, line: u64) {
        let next = self.0.last().map(|&(first, at)| at + (row - first) as u64);
        if next != Some(line) {
            self.0.push((row, line));
        }
    }

    /// The line of a row.
    pub fn get(&self, row: usize) -> u64 {
        let (first, line) = self.0[self.0.partition_point(|&(first, _)| first <= row) - 1];
        line + (row - first) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many cells as take each of the forms: few texts, more than a byte and than two tell apart, and ever other ones.
    #[test]
    fn every_cell_comes_back() {
        for (different, rows) in [(3, 10), (300, 1000), (70_000, 200_000), (400_000, 400_000)] {
            let cell = |row: usize| match row % 7 {
                0 => String::new(),
                _ => format!("ä{}", row * 31 % different),
            };
            let (mut cells, mut all) = (Cells::new(3), Cells::all());
            for row in 0..rows {
                cells.push(&cell(row));
                all.push(&cell(row));
            }
            cells.close();
            let many = matches!(cells.kept, Kept::All { .. });
            assert_eq!(many, different > SHARE[1]);
            for row in 0..rows {
                assert_eq!((cells.get(row), all.get(row)), (&*cell(row), &*cell(row)), "{row}");
            }
        }
    }

    #[test]
    fn long_texts_are_kept_as_they_come() {
        let mut cells = Cells::new(1);
        let cell = |row: usize| row.to_string().repeat(1 << 18);
        (10..60).for_each(|row| cells.push(&cell(row)));
        assert!(matches!(cells.kept, Kept::All { .. }));
        assert!((10..60).all(|row| cells.get(row - 10) == cell(row)));
    }

    #[test]
    fn texts_that_come_again_take_little() {
        let mut cells = Cells::new(3);
        (0..100_000).for_each(|row| cells.push(&format!("2024-01-{:02}", row % 31)));
        let Kept::Different { numbers: Numbers::Small(numbers), .. } = &cells.kept else {
            panic!("a byte a cell");
        };
        assert_eq!((numbers.len(), cells.text.len()), (100_000, 310));
    }

    #[test]
    fn lines_are_those_of_their_rows() {
        let of = [2, 3, 4, 7, 8, 8, 20];
        let mut lines = Lines::default();
        of.iter().enumerate().for_each(|(row, &line)| lines.push(row, line));
        assert_eq!((0..of.len()).map(|row| lines.get(row)).collect::<Vec<_>>(), of);
        assert_eq!(lines.0.len(), 4);
    }
}
