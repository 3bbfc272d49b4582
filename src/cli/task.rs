//! `bptt train adding`, `copy`, `order` and `reber`: tasks that need memory, and how soon a network solves
//! them.

use super::Failure;
use super::options::{Backward, Compute, bytes, positive, size};
use super::output::{self, Output, table};
use bptt::cell::{self, Cell, Shape};
use bptt::data::task::{Measure, Task, TaskSettings};
use bptt::plot::learning_curve::LearningCurve;
use bptt::train::memory::check_memory;
use bptt::train::task::{
    Fit, NetworkSettings, Score, Settings, Start, TaskTrainingError, check, train,
};
use bptt::train::task_run::{TaskConfig, TaskRun};
use burn::tensor::{DType, Device};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A network learns to add two marked numbers that it saw long ago
///
/// The adding problem (Hochreiter & Schmidhuber 1997, experiment 4): one of the first ten numbers is
/// marked, and one more of the first half; the answer is asked at the end. The mean squared error of
/// whoever remembers nothing is 1/6, which Le 2015 prints as 0.1767. It counts as solved below 0.01.
///
/// Example: bptt train adding --time 200 --cell gru
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Adding {
    /// Steps of a sequence
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    time: usize,
    #[command(flatten)]
    training: Training,
}

/// A network learns to say ten symbols again after a delay
///
/// The copying problem in the setting of Arjovsky 2016: the cross entropy of whoever remembers nothing is
/// 10 ln 8 / (delay + 20). It counts as solved when 99 % of the sequences are said without a mistake.
///
/// Example: bptt train copy --delay 20 --cell lstm
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Copy {
    /// Steps between hearing and saying
    #[arg(long, value_name = "N", default_value = "20", value_parser = size)]
    delay: usize,
    #[command(flatten)]
    training: Training,
}

/// A network learns in which order two symbols came
///
/// The temporal order problem (Hochreiter & Schmidhuber 1997, experiment 6a, in the form of Martens &
/// Sutskever 2011): one of four answers at the end. It counts as solved when 99 % are right.
///
/// Example: bptt train order --time 100 --cell lstm
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Order {
    /// Steps of a sequence
    #[arg(long, value_name = "N", default_value = "100", value_parser = size)]
    time: usize,
    #[command(flatten)]
    training: Training,
}

/// A network learns which symbols of the embedded Reber grammar may come next
///
/// Hochreiter & Schmidhuber 1997, experiment 1: a string is right when all legal successors are predicted
/// at every step, the last but one among them, which repeats the second symbol. It counts as solved when
/// 99 % of the test strings are right.
///
/// Example: bptt train reber --cell lstm
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Reber {
    #[command(flatten)]
    training: Training,
}

/// What the four tasks share.
#[derive(Args, Clone, Debug)]
struct Training {
    /// Cell of the network
    #[arg(long, value_name = "NAME", default_value = "lstm", value_parser = PossibleValuesParser::new(cell::names()))]
    cell: String,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "64", value_parser = size)]
    hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    layers: usize,
    /// Where the weights start
    #[arg(long, value_enum, default_value_t = StartName::Uniform)]
    start: StartName,
    /// Bias at the start of the gate that keeps the old state: the lstm's forget gate, the gru's update
    /// gate
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = super::options::number)]
    forget_bias: Option<f64>,
    /// Steps that a state lasts at the start, by the gates' biases (Tallec & Ollivier 2018) [default: those
    /// of the task, if there is no --forget-bias]
    #[arg(long, value_name = "N", value_parser = size, conflicts_with = "forget_bias")]
    remember: Option<usize>,
    /// The most optimizer steps; each draws new sequences
    #[arg(long, value_name = "N", default_value = "20000", value_parser = size)]
    steps: usize,
    /// Go on to the last step when the task is solved
    #[arg(long)]
    all_steps: bool,
    /// Sequences of an optimizer step
    #[arg(long, value_name = "N", default_value = "32", value_parser = size)]
    batch: usize,
    /// Learning rate of Adam
    #[arg(long, value_name = "X", default_value = "0.003", value_parser = positive)]
    lr: f64,
    /// Largest norm of the gradient of all parameters together
    #[arg(long, value_name = "X", default_value = "1", value_parser = positive)]
    clip: f64,
    /// Optimizer steps between two tests
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    test_every: usize,
    /// Sequences of the test, drawn once
    #[arg(long, value_name = "N", default_value = "500", value_parser = size)]
    test: usize,
    #[command(flatten)]
    backward: Backward,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
}

/// [`Start`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StartName {
    /// As PyTorch's: U(−1/√hidden, 1/√hidden)
    Uniform,
    /// Recurrent weights orthogonal, gate by gate
    Orthogonal,
    /// Recurrent weights the identity, for elman-relu (Le 2015)
    Irnn,
}

impl From<StartName> for Start {
    fn from(name: StartName) -> Self {
        match name {
            StartName::Uniform => Self::Uniform,
            StartName::Orthogonal => Self::Orthogonal,
            StartName::Irnn => Self::Irnn,
        }
    }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    train_loss: f64,
    valid_loss: f64,
    valid_right: f64,
    baselines: BTreeMap<&'static str, f64>,
    /// Tests, each after some optimizer steps.
    epochs: usize,
    steps: usize,
    seconds: f64,
    steps_per_second: f64,
    solved: bool,
    solved_after: Option<usize>,
    tests: Vec<Score>,
    pictures: Vec<PathBuf>,
}

pub fn adding(arguments: &Adding) -> Result<ExitCode, Failure> {
    run(TaskSettings::Adding { time: arguments.time }, &arguments.training)
}

pub fn copy(arguments: &Copy) -> Result<ExitCode, Failure> {
    run(TaskSettings::Copy { delay: arguments.delay }, &arguments.training)
}

pub fn order(arguments: &Order) -> Result<ExitCode, Failure> {
    run(TaskSettings::Order { time: arguments.time }, &arguments.training)
}

pub fn reber(arguments: &Reber) -> Result<ExitCode, Failure> {
    run(TaskSettings::Reber, &arguments.training)
}

/// About the steps of a string that is longer than most.
const REBER: usize = 30;

struct Learner<'a> {
    task: &'a dyn Task,
    chosen: TaskSettings,
    training: &'a Training,
    device: Device,
}

fn run(chosen: TaskSettings, training: &Training) -> Result<ExitCode, Failure> {
    let task = chosen.task()?;
    let device = training.compute.device()?;
    training.backward.check()?;
    let learner = Learner { task: task.as_ref(), chosen, training, device };
    cell::visit(&training.cell, learner).expect("clap knows the names")
}

impl cell::Visitor for Learner<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { task, chosen, training, device } = self;
        let (time, features) = match chosen {
            TaskSettings::Adding { time } | TaskSettings::Order { time } => (time, task.features()),
            TaskSettings::Copy { delay } => (delay + 20, task.features()),
            TaskSettings::Reber => (REBER, task.features()),
        };
        let Training { hidden, layers, batch, test, .. } = *training;
        let wide =
            hidden * layers * (2 * Shape::of::<C>().gates + Shape::of::<C>().states) + features;
        let weights = hidden as f64 * hidden as f64 * (8 * Shape::of::<C>().gates * layers) as f64;
        let numbers = time as f64 * batch.max(test) as f64 * wide as f64 + weights;
        let bytes = numbers * bytes(training.compute.dtype);
        check_memory(bytes, "--time, --delay, --batch, --test, --layers or --hidden")?;

        let gated = cell.remembering_gate().is_some() && training.forget_bias.is_none();
        let network = NetworkSettings {
            hidden,
            layers,
            start: training.start.into(),
            forget_bias: training.forget_bias,
            remember: training.remember.or(gated.then_some(time)),
            seed: training.compute.seed,
        };
        let settings = Settings {
            network: network.clone(),
            steps: training.steps,
            batch,
            learning_rate: training.lr,
            clip: training.clip,
            test_every: training.test_every.min(training.steps),
            test,
            all_steps: training.all_steps,
            truncation: training.backward.truncate,
            memory_budget: training.backward.memory_budget,
            gradient: training.backward.gradient,
            dtype: DType::from(training.compute.dtype),
            device,
        };
        check(cell.clone(), task, &settings, time).map_err(|error| explained(error, training))?;
        let folder = training.output.folder(task.name())?;
        let start = Instant::now();
        let bar = training.output.progress(training.steps);
        let fit = train(cell, task, &settings, |done, train, score| {
            bar.set_message(format!("loss {train:.4}, test {:.4}", score.loss));
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let fit = fit.map_err(|error| explained(error, training))?;
        let seconds = start.elapsed().as_secs_f64();

        let config = TaskConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            cell: training.cell.clone(),
            dtype: training.compute.dtype.to_string(),
            backend: training.compute.backend.to_string(),
            gradient: training.backward.gradient.to_string(),
            truncate: training.backward.truncate.to_string(),
            steps: training.steps,
            batch,
            lr: training.lr,
            clip: training.clip,
            task: chosen,
            network,
        };
        TaskRun::save(&folder, config, &fit.network)?;
        let curve = LearningCurve {
            train: fit.train_losses.clone(),
            valid: fit.tests.iter().map(|score| score.loss).collect(),
            every: settings.test_every,
            unit: "optimizer step",
            level: Some(("remembering nothing".into(), task.chance())),
            title: format!(
                "{}, {}: {} by optimizer step",
                task.name(),
                training.cell,
                measured(task)
            ),
        };
        let pictures = curve.save(&folder.join("learning_curve"))?.to_vec();
        let report = report(task, &fit, folder, seconds, pictures);
        let text = text(task, training, &report);
        training.output.print(&report, &text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// An error with the flag that it is about.
fn explained(error: TaskTrainingError, training: &Training) -> Failure {
    match error {
        TaskTrainingError::Start(_) => {
            Failure(format!("--start irnn is for --cell elman-relu, and not for {}", training.cell))
        }
        TaskTrainingError::ForgetGate(_) => Failure(format!(
            "--forget-bias and --remember: {} has no gate that keeps the old state; leave them out",
            training.cell
        )),
        other => other.into(),
    }
}

fn measured(task: &dyn Task) -> &'static str {
    match task.measure() {
        Measure::SquaredError => "mean squared error",
        Measure::CrossEntropy => "cross entropy",
    }
}

fn report<C: Cell>(
    task: &dyn Task,
    fit: &Fit<C>,
    run: PathBuf,
    seconds: f64,
    pictures: Vec<PathBuf>,
) -> Report {
    let last = *fit.tests.last().expect("a test after the last step");
    Report {
        run,
        task: task.name(),
        train_loss: *fit.train_losses.last().expect("as many"),
        valid_loss: last.loss,
        valid_right: last.right,
        baselines: BTreeMap::from([("chance", task.chance())]),
        epochs: fit.tests.len(),
        steps: fit.steps,
        seconds,
        steps_per_second: fit.steps as f64 / seconds,
        solved: fit.solved_after.is_some(),
        solved_after: fit.solved_after,
        tests: fit.tests.clone(),
        pictures,
    }
}

fn text(task: &dyn Task, training: &Training, report: &Report) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows = [
        vec![
            format!("{}, {} units", training.cell, training.hidden),
            format!("{:.5}", report.valid_loss),
            percent(report.valid_right),
        ],
        vec![
            "remembering nothing".into(),
            format!("{:.5}", task.chance()),
            percent(task.chance_right()),
        ],
    ];
    let mut text = format!("{}\n\n", task.setting());
    text += &table(&["", measured(task), "right"], &rows);
    text += &match report.solved_after {
        Some(steps) => format!("\nsolved after {} optimizer steps", steps),
        None => format!("\nnot solved in {} optimizer steps", report.steps),
    };
    text += &format!(
        " of {} sequences, {:.0} s ({:.0} steps a second)\n",
        training.batch, report.seconds, report.steps_per_second
    );
    output::wrote(&mut text, &report.pictures);
    text += &format!("the run is in {}\n", report.run.display());
    text
}
