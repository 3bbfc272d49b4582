//! The command line: one file a subcommand. It turns arguments into library calls, and results into
//! text and pictures.

mod bench;
mod count;
mod flow;
mod gradcheck;
mod options;
mod output;
mod series;
mod task;

use bptt::kernel::InstructionSet;
use clap::{Parser, Subcommand, error::ErrorKind};
use peak_alloc::PeakAlloc;
use std::process::ExitCode;

/// Counts the bytes that are held, for `bptt bench`.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Recurrent networks whose backward pass is written by hand.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network on a generated task or on a file
    #[command(subcommand)]
    Train(Train),
    /// Hold the hand-written gradient against autodiff and central differences
    Gradcheck(gradcheck::Arguments),
    /// Show how the gradient flows through time: by time, by lag, through gates
    Flow(flow::Arguments),
    /// Measure one layer: time, share of the machine's peak, memory
    Bench(bench::Arguments),
}

#[derive(Subcommand)]
enum Train {
    /// A linear network of one unit learns to count the ones of a binary sequence
    Count(count::Arguments),
    /// A network learns to add two marked numbers that it saw long ago
    Adding(task::Adding),
    /// A network learns to say ten symbols again after a delay
    Copy(task::Copy),
    /// A network learns in which order two symbols came
    Order(task::Order),
    /// A network learns which symbols of the embedded Reber grammar may come next
    Reber(task::Reber),
    /// A network learns to predict the next value of a series in a CSV file
    Series(series::Arguments),
}

/// What went wrong, as the one line that the user reads.
pub struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The arguments of this process.
pub fn parse() -> Result<Cli, Failure> {
    Cli::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        // The first paragraph says what is wrong; the rest repeats the usage.
        _ => {
            let text = error.render().to_string();
            let paragraph = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
            let line = paragraph.collect::<Vec<_>>().join(" ");
            Failure(format!("{}; --help shows what there is", line.trim_start_matches("error: ")))
        }
    })
}

/// Runs the command.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    InstructionSet::chosen()?;
    match cli.command {
        Command::Train(Train::Count(arguments)) => count::run(&arguments),
        Command::Train(Train::Adding(arguments)) => task::adding(&arguments),
        Command::Train(Train::Copy(arguments)) => task::copy(&arguments),
        Command::Train(Train::Order(arguments)) => task::order(&arguments),
        Command::Train(Train::Reber(arguments)) => task::reber(&arguments),
        Command::Train(Train::Series(arguments)) => series::run(&arguments),
        Command::Gradcheck(arguments) => gradcheck::run(&arguments),
        Command::Flow(arguments) => flow::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    }
}

/// Prints the line and returns the exit code of bad input.
pub fn report(Failure(line): Failure) -> ExitCode {
    eprintln!("error: {}", line.replace('\n', " "));
    ExitCode::from(2)
}
