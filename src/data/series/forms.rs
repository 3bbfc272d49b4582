//! Which mark stands before fractions, decided from all rows of a file.
//!
//! A number with both marks, with one of them twice, or with other than three digits after its only mark tells it: `1,234.5`,
//! `1,234,567` and `1.5` have a decimal point. `1,234` tells nothing. In order, a column is read by
//! 1. what was asked for (`--decimal`);
//! 2. its own numbers that tell;
//! 3. the numbers that tell in the other columns, if they agree;
//! 4. its neighbours without a mark: from 998 to 1,001 is a step with thousands and a fall by a factor of thousand without; the
//!    readings are held against each other at all places where a number of at most three digits meets one with a mark;
//! 5. where those are undecided, the other columns that neighbours have decided, if they agree;
//! 6. the mark of the run that reads a later file;
//! 7. the custom: where commas separate the cells, the decimal mark is a point, and so it is where tabs or vertical bars do
//!    and the only mark is a point. A warning says so, or a note where cells and fractions are as in most files.
//!
//! Otherwise the file is refused, and so is a column whose numbers contradict each other.

use super::SeriesError;
use super::note::Note;
use super::number::{Marks, Written};
use super::reading::Decimal;
use super::table::{Content, Table};
use crate::printable::printable;

/// The mark before fractions in each column of a file.
pub(super) struct Forms {
    columns: Vec<Evidence>,
    /// What the numbers that tell agree on, and what the neighbours do.
    told: Option<Decimal>,
    near: Option<Decimal>,
    /// The mark of the run that reads a later file.
    usual: Option<Decimal>,
}

/// What the numbers of a column tell.
#[derive(Clone, Default)]
struct Evidence {
    /// The first row that has a decimal point for certain, and the first that has a decimal comma.
    point: Option<usize>,
    comma: Option<usize>,
    /// The first row whose only point, or comma, can be either.
    either_point: Option<usize>,
    either_comma: Option<usize>,
    /// Whether numbers without a mark are there that would have none below thousand.
    small: bool,
    /// What the neighbours tell.
    near: Option<Decimal>,
}

impl Evidence {
    fn told(&self) -> Option<Decimal> {
        match (self.point, self.comma) {
            (Some(_), None) => Some(Decimal::Point),
            (None, Some(_)) => Some(Decimal::Comma),
            _ => None,
        }
    }

    fn of(table: &Table, column: usize) -> Self {
        let mut found = Self::default();
        let mut steps = Neighbours::default();
        for row in 0..table.rows() {
            let cell = table.cell(row, column);
            let Some(written) = Written::of(cell).filter(|_| !table.is_missing(row, column)) else {
                continue;
            };
            let place = match written.marks {
                Marks::None => None,
                Marks::Decimal(Decimal::Point) | Marks::Thousands(Decimal::Comma) => {
                    Some(&mut found.point)
                }
                Marks::Decimal(Decimal::Comma) | Marks::Thousands(Decimal::Point) => {
                    Some(&mut found.comma)
                }
                Marks::Either(Decimal::Point) => Some(&mut found.either_point),
                Marks::Either(Decimal::Comma) => Some(&mut found.either_comma),
            };
            if let Some(place) = place {
                place.get_or_insert(row);
            }
            found.small |=
                written.marks == Marks::None && written.value(Decimal::Point).abs() < 1e3;
            steps.add(written);
        }
        found.near = match (found.either_point, found.either_comma) {
            (Some(_), None) => steps.told().map(|whole| match whole {
                true => Decimal::Comma,
                false => Decimal::Point,
            }),
            (None, Some(_)) => steps.told().map(|whole| match whole {
                true => Decimal::Point,
                false => Decimal::Comma,
            }),
            _ => None,
        };
        found
    }
}

/// How far it is from numbers without a mark to their neighbours with one, where it separates thousands and where not.
#[derive(Default)]
struct Neighbours {
    before: Option<(f64, Option<f64>)>,
    count: usize,
    /// Sums of |log₁₀| of the ratio of neighbours.
    thousands: f64,
    fraction: f64,
}

impl Neighbours {
    fn add(&mut self, written: Written) {
        // The value, and 1000 times less where the mark may stand before a fraction.
        let now = match written.marks {
            Marks::None => (written.value(Decimal::Point).abs(), None),
            Marks::Either(mark) => {
                let value = written.value(mark.other()).abs();
                (value, Some(value / 1e3))
            }
            _ => {
                self.before = None;
                return;
            }
        };
        let apart = |a: f64, b: f64| (a / b).log10().abs();
        let known = |value: f64| (1.0..1e3).contains(&value);
        let pair = match (self.before, now) {
            (Some((plain, None)), (whole, Some(part))) if known(plain) => {
                Some((plain, whole, part))
            }
            (Some((whole, Some(part))), (plain, None)) if known(plain) => {
                Some((plain, whole, part))
            }
            _ => None,
        };
        if let Some((plain, whole, part)) = pair {
            self.count += 1;
            self.thousands += apart(plain, whole);
            self.fraction += apart(plain, part);
        }
        self.before = Some(now);
    }

    /// Whether the mark separates thousands: neighbours are within a factor of 2 of each other on average in one reading, and
    /// further apart than a factor of 10 in the other.
    fn told(&self) -> Option<bool> {
        let count = self.count as f64;
        let (thousands, fraction) = (self.thousands / count, self.fraction / count);
        match self.count {
            0 => None,
            _ if thousands < 0.3 && fraction > 1.0 => Some(true),
            _ if fraction < 0.3 && thousands > 1.0 => Some(false),
            _ => None,
        }
    }
}

/// What all that say something say; none if they differ.
fn agreed(mut votes: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    let first = votes.next()?;
    votes.all(|vote| vote == first).then_some(first)
}

impl Forms {
    /// Looks at all rows of the columns of numbers.
    pub fn of(table: &Table, usual: Option<Decimal>) -> Self {
        let columns: Vec<Evidence> = (0..table.width())
            .map(|column| match Content::of(table, column).numeric {
                true => Evidence::of(table, column),
                false => Evidence::default(),
            })
            .collect();
        let told = agreed(columns.iter().filter_map(Evidence::told));
        let near = agreed(columns.iter().filter_map(|column| column.near));
        Self { columns, told, near, usual }
    }

    /// Looks at a part of a file: what the numbers of the whole file tell comes before what the neighbours in the part do.
    pub fn of_part(table: &Table, whole: &Self) -> Self {
        let part = Self::of(table, whole.agreed().or(whole.usual));
        Self { told: whole.told.or(part.told), ..part }
    }

    /// The mark that the columns agree on; none where no number of any of them tells.
    pub fn agreed(&self) -> Option<Decimal> {
        self.told.or(self.near)
    }

    /// The mark in one column; none where no number has a point or a comma.
    ///
    /// # Errors
    /// If its numbers contradict each other or what was asked for, or nothing decides.
    pub fn decide(
        &self,
        table: &Table,
        column: usize,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Decimal>, SeriesError> {
        let evidence = &self.columns[column];
        let cell = |row: usize| printable(table.cell(row, column));
        let file = || table.file.clone();
        let name = || table.names[column].clone();
        if let Some(asked) = table.reading.decimal {
            let other = match asked {
                Decimal::Point => evidence.comma,
                Decimal::Comma => evidence.point,
            };
            let Some(row) = other else { return Ok(Some(asked)) };
            return Err(SeriesError::OtherDecimal {
                file: file(),
                line: table.line(row),
                column: name(),
                cell: cell(row),
                decimal: asked,
            });
        }
        if let (Some(point), Some(comma)) = (evidence.point, evidence.comma) {
            let (first, second) = (point.min(comma), point.max(comma));
            let decimal = if second == comma { Decimal::Comma } else { Decimal::Point };
            return Err(SeriesError::MixedDecimals {
                file: file(),
                line: table.line(second),
                column: name(),
                cell: cell(second),
                decimal,
                other: cell(first),
                other_line: table.line(first),
            });
        }
        if let Some(told) = evidence.told() {
            return Ok(Some(told));
        }
        let either = match (evidence.either_point, evidence.either_comma) {
            (None, None) => return Ok(None),
            (Some(point), Some(comma)) => {
                let (first, second) = (point.min(comma), point.max(comma));
                return Err(SeriesError::BothMarks {
                    file: file(),
                    line: table.line(second),
                    column: name(),
                    cell: cell(second),
                    other: cell(first),
                    other_line: table.line(first),
                });
            }
            (Some(row), None) => (row, Decimal::Point),
            (None, Some(row)) => (row, Decimal::Comma),
        };
        let known = self.told.or(evidence.near).or(self.near).or(self.usual);
        if known.is_some() {
            return Ok(known);
        }
        let (row, mark) = either;
        let custom = match (table.delimiter, mark) {
            (b',', _) | (b'\t' | b'|' | b' ', Decimal::Point) => Decimal::Point,
            _ => {
                return Err(SeriesError::UndecidedDecimal {
                    file: file(),
                    line: table.line(row),
                    column: name(),
                    cell: cell(row),
                    readings: readings(table.cell(row, column)),
                });
            }
        };
        let [point, comma] = readings(table.cell(row, column));
        let line = format!(
            "{}: column '{}': '{}' on line {} is read as {point}; if it is {comma}, add --decimal comma, and if not, --decimal point",
            table.file,
            table.names[column],
            cell(row),
            table.line(row)
        );
        // Programs that write a decimal point put no quotes around it; those that separate thousands may.
        let usual = table.delimiter == b','
            && mark == Decimal::Point
            && !evidence.small
            && !table.quotes_numbers;
        notes.push(match usual {
            true => Note::Decided(line),
            false => Note::Doubtful(line),
        });
        Ok(Some(custom))
    }
}

/// The values of a cell with a decimal point and with a decimal comma.
fn readings(cell: &str) -> [f64; 2] {
    let written = Written::of(cell);
    Decimal::ALL.map(|decimal| written.map_or(f64::NAN, |written| written.value(decimal)))
}
