//! How a CSV file is written, where its rows do not tell.

use bptt::data::series::{Decimal, Missing, Reading};
use clap::Args;

/// The flags; what is not given stays as it is.
#[derive(Args, Clone, Debug)]
pub struct ReadingFlags {
    /// Mark before fractions: point or comma [default: as the rows of the file tell]
    #[arg(long, value_name = "MARK")]
    decimal: Option<Decimal>,
    /// Lines to skip at the start of the file, before the header
    #[arg(long, value_name = "N")]
    skip_rows: Option<usize>,
    /// Missing values: refuse the file; interpolate (a straight line between the rows before and after); previous (the
    /// value before); zero; or drop the row, at either end of the file, and in between where that tears no equally
    /// spaced dates apart [default: refuse]
    #[arg(long, value_name = "HOW")]
    missing: Option<Missing>,
    /// Cell that stands for a missing value, -999 say; may be repeated. Empty cells, NA, NaN, null, - and the like always do
    #[arg(long, value_name = "CELL", allow_hyphen_values = true)]
    missing_mark: Vec<String>,
}

impl ReadingFlags {
    /// The flags over what `reading` says.
    pub fn over(&self, reading: &Reading) -> Reading {
        let marks =
            if self.missing_mark.is_empty() { &reading.missing_mark } else { &self.missing_mark };
        Reading {
            decimal: self.decimal.or(reading.decimal),
            skip_rows: self.skip_rows.unwrap_or(reading.skip_rows),
            missing: self.missing.unwrap_or(reading.missing),
            missing_mark: marks.clone(),
        }
    }
}
