//! Which columns of a file are forecast, and which are read as further input.

use super::table::{Content, Table};
use super::{SeriesError, SeriesOptions};

/// The columns that are read, by their index.
pub(super) struct Columns {
    /// Those to forecast.
    pub targets: Vec<usize>,
    /// Further input.
    pub exogenous: Vec<usize>,
}

impl Columns {
    /// The columns asked for, or every numeric one that is none of `dates`.
    pub fn choose(
        table: &Table,
        dates: &[usize],
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let exogenous = table.find_all(&options.exogenous, &[])?;
        let mut targets = table.find_all(&options.columns, &exogenous)?;
        if options.columns.is_empty() {
            targets = (0..table.width())
                .filter(|index| !dates.contains(index) && !exogenous.contains(index))
                .filter(|&index| Content::of(table, index).numeric)
                .collect();
        }
        let file = || table.file.clone();
        if targets.is_empty() && !exogenous.is_empty() {
            return Err(SeriesError::AllExogenous { file: file() });
        }
        if targets.is_empty() {
            return Err(SeriesError::NoNumericColumn {
                file: file(),
                delimiter: delimiter_name(table.delimiter),
                known: table.known_columns(),
            });
        }
        Ok(Self { targets, exogenous })
    }
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
