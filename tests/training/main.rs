//! What training reads, draws and learns, as a library.

mod backends;
mod series_reader;
mod tasks;
