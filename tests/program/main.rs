//! The program `bptt`, from outside.

mod anomalies;
mod bad_input;
mod categories;
mod checkpoint;
mod command_line;
mod compare;
#[cfg(unix)]
mod damage;
#[cfg(unix)]
mod damaged_files;
mod divergence;
mod equal;
mod folders;
mod holidays;
mod identity;
mod known_ahead;
mod outputs;
mod page;
mod panel;
mod panel_categories;
mod runs;
mod series;
mod series_dates;
mod series_files;
#[cfg(unix)]
mod signals;
mod sound;
mod start;
mod strangers;
mod tasks;
mod text;
