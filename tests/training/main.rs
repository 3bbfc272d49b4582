//! What training reads, draws and learns, as a library.

mod backends;
#[cfg(feature = "plot")]
mod examples;
mod series_reader;
mod tasks;
