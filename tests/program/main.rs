//! The program `bptt`, from outside.

mod bad_input;
mod checkpoint;
mod command_line;
mod identity;
mod page;
mod runs;
mod series;
mod sound;
mod start;
mod tasks;
mod text;
