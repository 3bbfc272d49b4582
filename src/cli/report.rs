//! `bptt report`: the page of a run.

use super::Failure;
use super::output::{show, warn, wrote};
use bptt::report;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the page of a run again: report.html and its pictures
///
/// Example: bptt report runs/text
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let written = report::write(&arguments.run)?;
    warn(&written.warnings);
    let mut text = String::new();
    wrote(&mut text, &written.files);
    show(format_args!("{text}"))?;
    Ok(ExitCode::SUCCESS)
}
