//! `bptt print`: shell completions and the manual page.

use super::output::show;
use super::{Cli, Failure};
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

/// What to print
///
/// Example: bptt print completions bash > ~/.local/share/bash-completion/completions/bptt
#[derive(clap::Subcommand)]
pub enum What {
    /// The completions for a shell
    ///
    /// Example: bptt print completions bash > ~/.local/share/bash-completion/completions/bptt
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// The manual page
    ///
    /// Example: bptt print manual > ~/.local/share/man/man1/bptt.1
    Manual,
}

pub fn run(what: &What) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    match what {
        What::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "bptt", &mut out);
        }
        What::Manual => clap_mangen::Man::new(Cli::command()).render(&mut out)?,
    }
    show(format_args!("{}", String::from_utf8_lossy(&out)))?;
    Ok(ExitCode::SUCCESS)
}
