//! Training: the flags that the tasks share, and what is shown while a network learns.

use super::Failure;
use super::interrupt::Interrupt;
use super::options::{Backward, Compute, named, positive, rate, size};
use super::output::{Output, note, shown};
use super::place::{Place, warn_of_no_lock};
use bptt::cell;
use bptt::nn::AnyCell;
use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::{Computing, Epoch, Event, Lessons, Passes, Progress, Settings, steps};
use bptt::train::memory::check_memory;
use bptt::train::run::{FORMAT, Length, RunConfig, RunError, RunOf, Subject};
use bptt::train::{OptimizerName, Schedule};
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// How to train. A task whose defaults are others changes them by `mut_arg`.
#[derive(Args, Clone, Debug)]
pub struct Training {
    /// Cell of the network
    #[arg(long, value_name = "NAME", default_value = "lstm", value_parser = PossibleValuesParser::new(cell::names()))]
    pub cell: String,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "128", value_parser = size)]
    pub hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "2", value_parser = size)]
    pub layers: usize,
    /// Share of the outputs between layers that training drops
    #[arg(long, value_name = "X", default_value = "0", value_parser = rate)]
    pub dropout: f64,
    /// Streams that the training data are cut into
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    pub batch: usize,
    /// Windows whose gradients are added up to one optimizer step
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    pub accumulate: usize,
    /// Optimizer
    #[arg(long, value_name = "NAME", default_value = "adam", value_parser = named::<OptimizerName>(OptimizerName::NAMES))]
    pub optimizer: OptimizerName,
    /// Learning rate at the start
    #[arg(long, value_name = "X", default_value = "0.002", value_parser = positive)]
    pub lr: f64,
    /// How the learning rate goes on: constant, linear, cosine, warmup:STEPS or decay:FACTOR
    #[arg(long, value_name = "HOW", default_value = "cosine")]
    pub schedule: Schedule,
    /// Largest norm of the gradient of all parameters together
    #[arg(long, value_name = "X", default_value = "5", value_parser = positive)]
    pub clip: f64,
    /// End after so many epochs without a better validation
    #[arg(long, value_name = "N", value_parser = size)]
    pub early_stop: Option<usize>,
    /// Optimizer steps between two checkpoints within an epoch
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    pub checkpoint_every: usize,
    /// Continue the training of this run; flags that say how to train and for how long change its configuration, with the
    /// first checkpoint
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "overwrite"])]
    pub resume: Option<PathBuf>,
}

/// How long to train on data from a file.
#[derive(Args, Clone, Debug)]
pub struct PassFlags {
    /// Passes over the training data
    #[arg(long, value_name = "N", default_value = "10", value_parser = size)]
    pub epochs: usize,
    /// Steps of a window: the state is carried over its border, the gradient is not
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    pub window: usize,
}

impl PassFlags {
    pub fn passes(&self) -> Passes {
        Passes { epochs: self.epochs, window: self.window }
    }
}

/// All that the tasks share, and how long to train.
#[derive(Args, Clone, Debug)]
pub struct Flags<L: Args> {
    #[command(flatten)]
    pub training: Training,
    #[command(flatten)]
    pub length: L,
    #[command(flatten)]
    pub backward: Backward,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub output: Output,
}

impl Training {
    /// Refuses a network that does not fit memory as it learns: its weights as they are drawn, with gradient and the
    /// optimizer's averages, and what `steps` steps of time at once hold.
    pub fn fits(&self, [features, outputs]: [usize; 2], steps: f64) -> Result<(), Failure> {
        let Self { hidden, layers, .. } = *self;
        let cell = AnyCell::named(&self.cell).map(|cell| cell.shape());
        let weights = cell.map_or(0.0, |shape| shape.weights([features, hidden, layers]));
        let [features, outputs] = [features, outputs].map(|size| size as f64);
        let weights = weights + hidden as f64 * outputs;
        let held = 8.0 * (features + (hidden * layers) as f64) + 24.0 * outputs;
        let bytes = 28.0 * weights + steps * held;
        Ok(check_memory(bytes, "--hidden, --layers, --batch or --window")?)
    }
}

impl<L: Args> Flags<L> {
    /// How the gradient is computed and where.
    pub fn computing(&self) -> Result<Computing, Failure> {
        self.backward.computing(&self.compute)
    }

    /// Everything that is needed to repeat the run.
    pub fn config<S: Subject>(&self, task: &str, subject: S, length: S::Length) -> RunConfig<S> {
        let Self { training, backward, compute, .. } = self;
        RunConfig {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            task: task.into(),
            subject,
            cell: training.cell.clone(),
            dtype: compute.dtype,
            backend: compute.backend,
            gradient: backward.gradient,
            truncate: backward.truncate,
            memory_budget: backward.memory_budget,
            precision: backward.precision,
            training: Settings {
                seed: compute.seed,
                dropout: training.dropout,
                batch: training.batch,
                accumulate: training.accumulate,
                optimizer: training.optimizer,
                lr: training.lr,
                schedule: training.schedule,
                clip: training.clip,
                early_stop: training.early_stop,
                checkpoint_every: training.checkpoint_every,
            },
            length,
        }
    }

    /// A new run, or the one that goes on and where it is.
    pub fn begin<S: Subject>(
        &self,
        config: RunConfig<S>,
        data: S::Data,
    ) -> Result<(RunOf<S>, Option<Checkpoint>), Failure> {
        let Some(folder) = &self.training.resume else {
            let folder = self.place.take(&self.output, &config.task)?;
            return Ok((RunOf::begin_in(folder, config, data)?, None));
        };
        let resumed = RunOf::resume(folder, config, data).map_err(|error| match error {
            RunError::Changed { key, .. } => Failure(format!(
                "--resume: the run was begun with another --{key}; leave that as it was, or train anew without --resume"
            )),
            other => other.into(),
        })?;
        if !resumed.run.is_locked() {
            warn_of_no_lock(folder);
        }
        for error in resumed.refused {
            note(format_args!("warning: {error}; going on from the one before"));
        }
        Ok((resumed.run, resumed.checkpoint))
    }
}

/// What the steps and losses of a task are called, and how it ends.
#[derive(Clone, Copy)]
pub struct Unit {
    /// Steps: characters, rows, samples, sequences.
    pub steps: &'static str,
    /// Those of a row of the batch.
    pub window: usize,
    /// What ends with a validation: an epoch, or the stretch to a test.
    pub epoch: &'static str,
    /// A validation in words.
    pub loss: fn(&Epoch) -> String,
    /// Whether the training may end before its last step.
    pub may_end_early: bool,
}

/// How a training ended.
pub enum Ending {
    /// By a signal before the first epoch's end: there is nothing to report.
    Early(ExitCode),
    /// At its end, or by a signal after an epoch.
    Learnt(Learnt),
}

/// What came of a training.
pub struct Learnt {
    pub progress: Progress,
    /// The epoch with the smallest validation loss.
    pub best: Epoch,
    /// Optimizer steps of the whole training.
    pub all: usize,
    pub seconds: f64,
    /// Optimizer steps a second.
    pub steps_per_second: f64,
    /// Steps of time a second.
    pub rate: f64,
    /// What has been heard of signals.
    interrupt: Interrupt,
    /// How it goes on.
    resume: String,
}

impl Learnt {
    /// How many optimizer steps, in words.
    pub fn steps(&self) -> String {
        steps_of(self.progress.step, self.all)
    }

    /// The rate in words, after a comma; nothing where no step was taken.
    pub fn rate_of(&self, steps: &str) -> String {
        if self.rate > 0.0 { format!(", {:.0} {steps} a second", self.rate) } else { String::new() }
    }

    /// The exit code; of a training that is unfinished with a line that says so.
    pub fn end(&self) -> ExitCode {
        if self.progress.done {
            return ExitCode::SUCCESS;
        }
        note(format_args!("unfinished: {} are done; go on with: {}", self.steps(), self.resume));
        self.interrupt.code()
    }
}

/// How many optimizer steps are done of how many, in words. A run that is resumed with fewer epochs than it has had has
/// done more than are asked for.
fn steps_of(done: usize, all: usize) -> String {
    match done > all {
        true => format!("{done} optimizer steps, where {all} are asked for"),
        false => format!("{done} of {all} optimizer steps"),
    }
}

/// So many a second; 0 where there was no time to count any.
fn per_second(count: usize, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// Trains, with a bar on a terminal and plain lines otherwise, until the end or a signal.
pub fn train<L: Lessons, S: Subject>(
    lessons: &L,
    model: L::Model,
    (run, resume): (&RunOf<S>, Option<Checkpoint>),
    computing: &Computing,
    output: &Output,
    unit: Unit,
) -> Result<Ending, Failure> {
    let settings = &run.config.training;
    let [epoch, all] = steps(lessons, settings)?;
    let first = resume.as_ref().map_or(0, |checkpoint| checkpoint.progress.step);
    if let Some([last, next]) = run.rate_jump(first, epoch).filter(|_| first < all) {
        note(format_args!(
            "the learning rate jumps: it was {last:.2e} in step {first} and is {next:.2e} in the next one, by --lr, --schedule and the {all} steps that there are now"
        ));
    }
    let goes_on = resume.is_some();
    let watched = Shown {
        bar: output.progress(all),
        plain: !output.quiet && !std::io::stderr().is_terminal(),
        start: Instant::now(),
        first,
        steps: settings.batch * unit.window * settings.accumulate,
        unit,
    };
    let interrupt = Interrupt::listen()?;
    let learnt = run.train(lessons, model, computing, resume, |event| {
        match event {
            Event::Step { step, loss, .. } => watched.step(step, loss),
            Event::Epoch(progress) if !output.quiet => {
                watched.epoch(progress.epochs.last().expect("one is done"), all);
            }
            Event::Epoch(_) | Event::Saved { .. } => {}
        }
        !interrupt.heard()
    });
    interrupt.learnt();
    watched.bar.finish_and_clear();
    let (_, progress) = learnt?;
    if goes_on && progress.step == first {
        note(format_args!(
            "no step was taken: the training had ended after {first} of {all} steps, and its config.toml stays as it was; more of --{} train it further",
            run.config.length.key()
        ));
    }
    let resume = format!("bptt train {} --resume {}", run.config.task, shown(&run.folder));
    let Some(best) = progress.best() else {
        note(format_args!(
            "unfinished: {} are done, before the end of the first {}; go on with: {resume}",
            steps_of(progress.step, all),
            unit.epoch,
        ));
        return Ok(Ending::Early(interrupt.code()));
    };
    let seconds = watched.start.elapsed().as_secs_f64();
    let steps_per_second = per_second(progress.step.saturating_sub(first), seconds);
    let rate = steps_per_second * watched.steps as f64;
    let learnt = Learnt { progress, best, all, seconds, steps_per_second, rate, interrupt, resume };
    Ok(Ending::Learnt(learnt))
}

/// What is shown while it learns.
struct Shown {
    bar: ProgressBar,
    plain: bool,
    start: Instant,
    first: usize,
    /// Steps of time of an optimizer step.
    steps: usize,
    unit: Unit,
}

impl Shown {
    fn step(&self, step: usize, loss: f64) {
        self.bar.set_position(step as u64);
        if step.is_multiple_of(10) {
            let (rate, unit) = (self.rate(step), self.unit.steps);
            self.bar.set_message(format!("loss {loss:.3}, {rate:.0} {unit}/s"));
        }
    }

    fn rate(&self, step: usize) -> f64 {
        let steps = (step - self.first).saturating_mul(self.steps);
        per_second(steps, self.start.elapsed().as_secs_f64())
    }

    fn epoch(&self, epoch: &Epoch, steps: usize) {
        let Epoch { epoch: number, train_loss, .. } = *epoch;
        let seconds = self.start.elapsed().as_secs_f64();
        let left = seconds / (epoch.steps - self.first) as f64 * (steps - epoch.steps) as f64;
        let line = format!(
            "{} {number}: loss {train_loss:.4}, validation {}, {:.0} {}/s, {}{left:.0} s left",
            self.unit.epoch,
            (self.unit.loss)(epoch),
            self.rate(epoch.steps),
            self.unit.steps,
            if self.unit.may_end_early { "at most " } else { "" },
        );
        if self.plain {
            note(format_args!("{line}"));
        } else {
            self.bar.println(line);
        }
    }
}
