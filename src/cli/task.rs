//! `bptt train` on a generated task: a subcommand for each declaration of [`TASKS`], with a flag for each of its sizes.

use super::Failure;
use super::options::{bytes, named, number, size};
use super::output::{page_table, warn, wrote};
use super::training::{Ending, Flags, Learnt, Unit, train};
use bptt::cell::Shape;
use bptt::data::task::{Declaration, Size, TASKS, Task};
use bptt::nn::AnyCell;
use bptt::report::{self, task_comparison};
use bptt::train::lessons::{Score, Settings};
use bptt::train::memory::check_memory;
use bptt::train::run::RunConfig;
use bptt::train::task::{
    NetworkSettings, Start, TaskLessons, TaskTrainingError, TestedSteps, beginner,
};
use bptt::train::task_run::{Drawn, Sizes, TaskRun, TaskSubject};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// A task with its sizes, and how to train on it.
pub struct Arguments {
    task: &'static Declaration,
    sizes: Vec<usize>,
    flags: TaskFlags,
}

/// The flags that all generated tasks have.
#[derive(Args, Clone, Debug)]
#[command(
    mut_arg("hidden", |arg| arg.default_value("64")),
    mut_arg("layers", |arg| arg.default_value("1")),
    mut_arg("batch", |arg| arg.default_value("32").help("Sequences of an optimizer step")),
    mut_arg("accumulate", |arg| arg
        .help("Batches whose gradients are added up to one optimizer step")),
    mut_arg("lr", |arg| arg.default_value("0.003")),
    mut_arg("schedule", |arg| arg.default_value("constant")),
    mut_arg("clip", |arg| arg.default_value("1")),
    mut_arg("early_stop", |arg| arg.help("End after so many tests without a better loss")),
    mut_arg("checkpoint_every", |arg| arg
        .help("Optimizer steps between two checkpoints; there is one at each test, too")),
)]
struct TaskFlags {
    /// Initial weights: uniform as PyTorch's, orthogonal recurrent weights, or the identity for elman-relu (irnn, Le 2015)
    #[arg(long, value_name = "NAME", default_value = "uniform", value_parser = named::<Start>(Start::NAMES))]
    start: Start,
    /// Initial bias of the gate that keeps the old state: the lstm's forget gate, the gru's update gate
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = number)]
    forget_bias: Option<f64>,
    /// Initial memory length in steps, set by the gates' biases (Tallec & Ollivier 2018) [default: the steps of the
    /// task, if there is no --forget-bias]
    #[arg(long, value_name = "N", value_parser = size, conflicts_with = "forget_bias")]
    remember: Option<usize>,
    #[command(flatten)]
    flags: Flags<StepFlags>,
}

/// How long to train on sequences that are drawn.
#[derive(Args, Clone, Debug)]
struct StepFlags {
    /// The most optimizer steps; each draws new sequences
    #[arg(long, value_name = "N", default_value = "20000", value_parser = size)]
    steps: usize,
    /// Go on to the last step when the task is solved
    #[arg(long)]
    all_steps: bool,
    /// Optimizer steps between two tests
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    test_every: usize,
    /// Sequences of the test, drawn once
    #[arg(long, value_name = "N", default_value = "500", value_parser = size)]
    test: usize,
}

impl StepFlags {
    fn length(&self) -> TestedSteps {
        let Self { steps, all_steps, test_every, test } = *self;
        TestedSteps { steps, test_every, test, all_steps }
    }
}

/// The subcommand of a task.
fn subcommand(task: &'static Declaration) -> Command {
    let sizes = task.sizes.iter().map(|size| {
        let parser = super::options::size;
        let arg = Arg::new(size.name).long(size.name).value_name("N").value_parser(parser);
        arg.help(format!("{} [default: {}]", size.help, size.default))
    });
    let chosen = task.sizes.iter().map(|size| format!(" --{} {}", size.name, size.default));
    let example = format!("bptt train {}{} --cell gru", task.name, chosen.collect::<String>());
    let description = wrapped(task.description);
    TaskFlags::augment_args(Command::new(task.name).args(sizes))
        .about(task.summary)
        .long_about(format!("{}\n\n{description}\n\nExample: {example}", task.summary))
}

/// The text in lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let (mut wrapped, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        let fits = width + 1 + length <= 100;
        match width {
            0 => {}
            _ if fits => wrapped.push(' '),
            _ => wrapped.push('\n'),
        }
        width = if fits && width > 0 { width + 1 + length } else { length };
        wrapped.push_str(word);
    }
    wrapped
}

impl Subcommand for Arguments {
    fn augment_subcommands(command: Command) -> Command {
        command.subcommands(TASKS.iter().map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Declaration::named(name).is_some()
    }
}

impl FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let chosen = matches.subcommand();
        let found = chosen.and_then(|(name, given)| Some((Declaration::named(name)?, given)));
        let (task, given) = found.ok_or_else(|| clap::Error::new(ErrorKind::InvalidSubcommand))?;
        let chosen = |size: &Size| given.get_one(size.name).copied().unwrap_or(size.default);
        let sizes = task.sizes.iter().map(chosen).collect();
        Ok(Self { task, sizes, flags: TaskFlags::from_arg_matches(given)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What `--json` prints. The losses and the right answers are those of the best test, whose model is kept.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: String,
    train_loss: f64,
    valid_loss: f64,
    valid_right: f64,
    baselines: BTreeMap<&'static str, f64>,
    /// Tests, each after some optimizer steps.
    epochs: usize,
    steps: usize,
    done: bool,
    seconds: f64,
    steps_per_second: f64,
    solved: bool,
    solved_after: Option<usize>,
    tests: Vec<Score>,
    files: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let task = (arguments.task.make)(&arguments.sizes)?;
    let task = task.as_ref();
    let computing = arguments.flags.flags.computing()?;
    let cell = &arguments.flags.flags.training.cell;
    let cell = AnyCell::named(cell).expect("clap knows the names");
    let flags = &arguments.flags.flags;
    arguments.fits(&cell, task)?;
    let config = arguments.config(&cell, task);
    let (network, settings) = (&config.subject.network, &config.training);
    let model = beginner(cell, task, network, settings, &computing)
        .map_err(|error| arguments.explained(error))?;
    let lessons = TaskLessons::new(task, settings, config.length, &computing);
    let (run, resume) = flags.begin(config, Drawn {})?;
    let unit = Unit {
        steps: "sequences",
        window: 1,
        epoch: "test",
        loss: |epoch| {
            let right = epoch
                .right
                .map_or(String::new(), |right| format!(" ({:.1} % right)", 100.0 * right));
            format!("{:.5}{right}", epoch.valid_loss)
        },
        may_end_early: !flags.length.all_steps,
    };
    let learnt = match train(&lessons, model, (&run, resume), &computing, &flags.output, unit)? {
        Ending::Early(code) => return Ok(code),
        Ending::Learnt(learnt) => learnt,
    };
    let written = report::write(&run.folder)?;
    warn(&written.warnings);
    let report = report(&run, task, &learnt, written.files)?;
    let text = text(&run, task, &report);
    flags.output.print(&report, &text)?;
    Ok(learnt.end())
}

impl Arguments {
    /// Refuses sequences and weights that do not fit memory.
    fn fits(&self, cell: &AnyCell, task: &dyn Task) -> Result<(), Failure> {
        let Flags { training, length, compute, .. } = &self.flags.flags;
        let (hidden, layers) = (training.hidden, training.layers);
        let Shape { gates, states, .. } = cell.shape();
        let wide = hidden * layers * (2 * gates + states) + task.features();
        let weights = hidden as f64 * hidden as f64 * (8 * gates * layers) as f64;
        let rows = training.batch.max(length.test) as f64;
        let numbers = task.time() as f64 * rows * wide as f64 + weights;
        let bytes = numbers * bytes(compute.dtype);
        Ok(check_memory(bytes, "the task, --batch, --test, --layers or --hidden")?)
    }

    /// The configuration of a run with that cell.
    fn config(&self, cell: &AnyCell, task: &dyn Task) -> RunConfig<TaskSubject> {
        let TaskFlags { start, forget_bias, remember, flags } = &self.flags;
        let gated = cell.remembering_gate().is_some() && forget_bias.is_none();
        let network = NetworkSettings {
            hidden: flags.training.hidden,
            layers: flags.training.layers,
            start: *start,
            forget_bias: *forget_bias,
            remember: remember.or(gated.then_some(task.time())),
        };
        let names = self.task.sizes.iter().map(|size| size.name.to_string());
        let sizes = Sizes(names.zip(self.sizes.iter().copied()).collect());
        flags.config(self.task.name, TaskSubject { sizes, network }, flags.length.length())
    }

    /// An error with the flag that it is about.
    fn explained(&self, error: TaskTrainingError) -> Failure {
        let cell = &self.flags.flags.training.cell;
        match error {
            TaskTrainingError::Start(_) => {
                Failure(format!("--start irnn is for --cell elman-relu, and not for {cell}"))
            }
            TaskTrainingError::ForgetGate(_) => Failure(format!(
                "--forget-bias and --remember: {cell} has no gate that keeps the old state; leave them out"
            )),
            other => other.into(),
        }
    }
}

fn report(
    run: &TaskRun,
    task: &dyn Task,
    learnt: &Learnt,
    files: Vec<PathBuf>,
) -> Result<Report, Failure> {
    let Learnt { ref progress, best, seconds, steps_per_second, .. } = *learnt;
    let solved_after = run.solved_after(progress)?;
    Ok(Report {
        run: run.folder.clone(),
        task: run.config.task.clone(),
        train_loss: best.train_loss,
        valid_loss: best.valid_loss,
        valid_right: best.right.unwrap_or(0.0),
        baselines: BTreeMap::from([("chance", task.chance())]),
        epochs: progress.epochs.len(),
        steps: progress.step,
        done: progress.done,
        seconds,
        steps_per_second,
        solved: solved_after.is_some(),
        solved_after,
        tests: progress.epochs.iter().map(|epoch| epoch.score()).collect(),
        files,
    })
}

fn text(run: &TaskRun, task: &dyn Task, report: &Report) -> String {
    let Settings { batch, accumulate, .. } = run.config.training;
    let mut text = format!("{}\n\n", task.setting());
    text += &page_table(&task_comparison(run, task, &report.tests));
    text += &match report.solved_after {
        Some(steps) => format!("\nsolved after {steps} optimizer steps"),
        None => format!("\nnot solved in {} optimizer steps", report.steps),
    };
    text += &format!(" of {} sequences, {:.0} s", batch * accumulate, report.seconds);
    text += &match report.steps_per_second {
        rate if rate > 0.0 => format!(" ({rate:.0} steps a second)\n"),
        _ => "\n".into(),
    };
    wrote(&mut text, &report.files);
    let folder = super::output::shown(&report.run);
    if report.done {
        text += &format!("use it with: bptt flow {folder}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_at_most_a_hundred_characters_long() {
        let text = "word ".repeat(60);
        let lines = wrapped(text.trim());
        assert!(lines.lines().all(|line| (95..=100).contains(&line.len()) || line.len() < 100));
        assert_eq!(lines.replace('\n', " "), text.trim());
        assert_eq!(lines.lines().count(), 3);
    }
}
