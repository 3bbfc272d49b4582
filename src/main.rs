//! The binary `bptt`: parse, run, print, exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::parse().and_then(cli::run).unwrap_or_else(cli::failed)
}
