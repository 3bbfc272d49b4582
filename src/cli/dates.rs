//! Flags for the dates of a file.

use bptt::data::dates::DateOptions;
use clap::Args;

/// How the dates of a file are read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Dates")]
pub struct DateFlags {
    /// Read 03/04/2020 as 3 April, or with --day-first=false as 4 March [default: as the rows tell]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    day_first: Option<bool>,
    /// Zone of the times of day, as Europe/Berlin, over whose changes of the clocks the rows go on
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// Sort the rows by date [default: refuse rows that are not in order]
    #[arg(long)]
    sort: bool,
    /// Take the rows as they stand, without their dates
    #[arg(long)]
    ignore_dates: bool,
}

impl DateFlags {
    /// The flags over what `dates` says.
    pub fn over(&self, dates: &DateOptions) -> DateOptions {
        DateOptions {
            day_first: self.day_first.or(dates.day_first),
            time_zone: self.time_zone.clone().or_else(|| dates.time_zone.clone()),
            sort: self.sort || dates.sort,
            ignore: self.ignore_dates || dates.ignore,
        }
    }
}
