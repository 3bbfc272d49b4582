//! The command line: one file a subcommand. It turns arguments into library calls, and results into
//! text and pictures.

mod bench;
mod compare;
mod configuration;
mod count;
mod dates;
mod flow;
mod forecast;
mod generate;
mod gradcheck;
mod interrupt;
mod limits;
mod options;
mod output;
mod panel;
mod panel_forecast;
mod place;
mod print;
mod reading;
mod report;
mod runs;
mod score;
mod score_rows;
mod sequence;
mod series;
mod sound;
mod task;
mod text;
mod training;

use bptt::kernel::InstructionSet;
use clap::{Parser, Subcommand, error::ErrorKind};
use limits::Memory;
use peak_alloc::PeakAlloc;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Memory = Memory(PeakAlloc);

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
    ///
    /// Example: bptt train text novel.txt --epochs 20
    Train(Box<TrainArguments>),
    Generate(generate::Arguments),
    Score(score::Arguments),
    Forecast(forecast::Arguments),
    Gradcheck(gradcheck::Arguments),
    Flow(flow::Arguments),
    Bench(bench::Arguments),
    Runs(runs::Arguments),
    Report(report::Arguments),
    Compare(compare::Arguments),
    /// Print the completions for a shell, or the manual page
    #[command(subcommand)]
    Print(print::What),
}

#[derive(clap::Args)]
struct TrainArguments {
    #[command(subcommand)]
    task: Train,
    /// Read flags from a TOML file, a line each, as hidden = 64; flags on the command line override the file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Train {
    Count(count::Arguments),
    #[command(flatten)]
    Generated(task::Arguments),
    Series(Box<series::Arguments>),
    Panel(Box<panel::Arguments>),
    Text(text::Arguments),
    Sound(sound::Arguments),
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
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // Names of files stand in configurations and results, which are text.
    if let Some(name) = arguments.iter().skip(1).find(|argument| argument.to_str().is_none()) {
        return Err(Failure(format!("the name {name:?} is not UTF-8: rename the file or folder")));
    }
    panel::take_over(&mut arguments);
    let arguments = configuration::with_file(arguments)?;
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        // The first paragraph holds the reason; the rest repeats the usage.
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
    limits::let_writes_fail();
    InstructionSet::chosen()?;
    match cli.command {
        Command::Train(train) => match train.task {
            Train::Count(arguments) => count::run(&arguments),
            Train::Generated(arguments) => task::run(&arguments),
            Train::Series(arguments) => series::run(&arguments),
            Train::Panel(arguments) => panel::run(&arguments),
            Train::Text(arguments) => text::run(arguments),
            Train::Sound(arguments) => sound::run(arguments),
        },
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Forecast(arguments) => forecast::run(&arguments),
        Command::Gradcheck(arguments) => gradcheck::run(&arguments),
        Command::Flow(arguments) => flow::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Print(what) => print::run(&what),
    }
}

/// Prints the line and returns the exit code of bad input.
pub fn failed(Failure(line): Failure) -> ExitCode {
    output::note(format_args!("error: {line}"));
    ExitCode::from(2)
}
