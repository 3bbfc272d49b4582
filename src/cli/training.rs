//! Training on a file: the flags that all of its tasks share, how a run begins and goes on, and what is shown while it
//! learns.

use super::options::{Backward, Compute, fits_memory, positive, rate, size};
use super::output::{Output, note};
use super::{Failure, interrupt};
use bptt::cell::{self, Cell};
use bptt::train::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use bptt::train::lessons::{Computing, Epoch, Event, Lessons, Progress, Settings, learn, steps};
use bptt::train::run::{Run, RunConfig, Subject};
use bptt::train::{OptimizerName, Schedule};
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How to train. A task whose defaults are others changes them by `mut_arg`.
#[derive(Args, Clone, Debug)]
pub struct Training {
    /// Cell of the network
    #[arg(long, value_name = "NAME", default_value = "lstm", value_parser = PossibleValuesParser::new(cell::NAMES))]
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
    /// Passes over the training data
    #[arg(long, value_name = "N", default_value = "10", value_parser = size)]
    pub epochs: usize,
    /// Streams that the training data are cut into
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    pub batch: usize,
    /// Steps of a window: the state is carried over its border, the gradient is not
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    pub window: usize,
    /// Windows whose gradients are added up to one optimizer step
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    pub accumulate: usize,
    /// Optimizer
    #[arg(long, value_enum, default_value_t = Optimizer::Adam)]
    pub optimizer: Optimizer,
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
    /// Go on with the training of this run; flags beside it change its configuration
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
}

/// [`OptimizerName`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[clap(rename_all = "lower")]
pub enum Optimizer {
    Adam,
    AdamW,
    Sgd,
    RmsProp,
    Rprop,
}

impl From<Optimizer> for OptimizerName {
    fn from(optimizer: Optimizer) -> Self {
        match optimizer {
            Optimizer::Adam => Self::Adam,
            Optimizer::AdamW => Self::AdamW,
            Optimizer::Sgd => Self::Sgd,
            Optimizer::RmsProp => Self::RmsProp,
            Optimizer::Rprop => Self::Rprop,
        }
    }
}

impl Training {
    /// Everything that is needed to repeat the run.
    pub fn config<S: Subject>(
        &self,
        subject: S,
        backward: &Backward,
        compute: &Compute,
    ) -> RunConfig<S> {
        RunConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            task: S::TASK.into(),
            subject,
            cell: self.cell.clone(),
            dtype: compute.dtype.name().into(),
            backend: compute.backend.to_string(),
            gradient: backward.gradient.name().into(),
            truncate: backward.truncate.to_string(),
            memory_budget: backward.memory_budget,
            training: Settings {
                seed: compute.seed,
                dropout: self.dropout,
                epochs: self.epochs,
                batch: self.batch,
                window: self.window,
                accumulate: self.accumulate,
                optimizer: self.optimizer.into(),
                lr: self.lr,
                schedule: self.schedule,
                clip: self.clip,
                early_stop: self.early_stop,
                checkpoint_every: self.checkpoint_every,
            },
        }
    }

    /// Refuses a network that does not fit memory as it learns: its weights as they are drawn, with gradient and the
    /// optimizer's averages, and what `steps` steps of time at once hold.
    pub fn fits(&self, [features, outputs]: [usize; 2], steps: f64) -> Result<(), Failure> {
        struct Weights([usize; 3]);
        impl cell::Visitor for Weights {
            type Output = f64;
            fn visit<C: Cell>(self, _: C) -> f64 {
                cell::weights::<C>(self.0)
            }
        }
        let Self { hidden, layers, .. } = *self;
        let weights = cell::visit(&self.cell, Weights([features, hidden, layers])).unwrap_or(0.0);
        let [features, outputs] = [features, outputs].map(|size| size as f64);
        let weights = weights + hidden as f64 * outputs;
        let held = 8.0 * (features + (hidden * layers) as f64) + 24.0 * outputs;
        fits_memory(28.0 * weights + steps * held, "--hidden, --layers, --batch or --window")
    }

    /// A new run, or the one that goes on and where it is.
    pub fn begin<S: Subject>(
        &self,
        config: RunConfig<S>,
        data: S::Data,
        output: &Output,
    ) -> Result<(Run<S>, Option<Checkpoint<Progress>>), Failure> {
        let Some(folder) = &self.resume else {
            let folder = output.folder(S::TASK)?;
            // What is left of an earlier run would be taken for this one's.
            Checkpoints::of(&folder).clear()?;
            return Ok((Run::create(&folder, config, data)?, None));
        };
        let before = Run::<S>::open(folder)?;
        unchanged(&before.config, &config)?;
        if before.data != data {
            return Err(Failure(format!(
                "the data of the run {} have changed since it began: train anew, without --resume",
                folder.display()
            )));
        }
        let folder = output.existing(folder)?;
        let resume = match Checkpoints::of(&folder).first(&["last", "previous", "best"]) {
            Ok((checkpoint, refused)) => {
                for error in refused {
                    note(format_args!("warning: {error}; going on from the one before"));
                }
                Some(checkpoint)
            }
            // Killed before the first one.
            Err(CheckpointError::None(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok((Run::create(&folder, config, data)?, resume))
    }
}

/// Keys of a run's configuration that another value may have when the run goes on.
const FREE: [&str; 14] = [
    "version",
    "file",
    "path",
    "backend",
    "gradient",
    "truncate",
    "memory-budget",
    "dropout",
    "epochs",
    "lr",
    "schedule",
    "clip",
    "early-stop",
    "checkpoint-every",
];

/// Refuses to go on with another model or other windows than the run's: its weights, its place in the data and its
/// optimizer's record would not fit.
fn unchanged<S: Subject>(before: &RunConfig<S>, now: &RunConfig<S>) -> Result<(), Failure> {
    let [before, now] =
        [before, now].map(|config| toml::Table::try_from(config).expect("plain data"));
    let mut keys = before.keys().chain(now.keys()).filter(|key| !FREE.contains(&key.as_str()));
    match keys.find(|key| before.get(*key) != now.get(*key)) {
        None => Ok(()),
        Some(flag) => Err(Failure(format!(
            "--resume: the run was begun with another --{flag}; leave that as it was, or train anew without --resume"
        ))),
    }
}

/// What the steps and losses of a task are called.
#[derive(Clone, Copy)]
pub struct Unit {
    /// Steps of time: characters, rows, samples.
    pub steps: &'static str,
    /// A validation loss in words.
    pub loss: fn(f64) -> String,
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
}

/// Trains, with a bar on a terminal and plain lines otherwise, until the end or Ctrl-C. None if that came before the
/// first epoch's end.
pub fn train<L: Lessons, S: Subject>(
    lessons: &L,
    model: L::Model,
    (run, resume): (&Run<S>, Option<Checkpoint<Progress>>),
    computing: &Computing,
    output: &Output,
    unit: Unit,
) -> Result<Option<Learnt>, Failure> {
    let settings = &run.config.training;
    let [_, all] = steps(lessons, settings)?;
    let first = resume.as_ref().map_or(0, |checkpoint| checkpoint.progress.step);
    let shown = Shown {
        bar: output.progress(all),
        plain: !output.quiet && !std::io::stderr().is_terminal(),
        start: Instant::now(),
        first,
        steps: settings.batch * settings.window * settings.accumulate,
        unit,
    };
    let ended = interrupt::listen()?;
    let learnt = learn(lessons, model, settings, computing, &run.folder, resume, |event| {
        match event {
            Event::Step { step, loss, .. } => shown.step(step, loss),
            Event::Epoch(progress) if !output.quiet => {
                shown.epoch(progress.epochs.last().expect("one is done"), all);
            }
            Event::Epoch(_) => {}
        }
        !ended.load(Ordering::Relaxed)
    });
    shown.bar.finish_and_clear();
    let (_, progress) = learnt?;
    let Some(best) = progress.best() else {
        note(format_args!(
            "ended after {} of {all} optimizer steps, before the first epoch's end; go on with: bptt train {} --resume {}",
            progress.step,
            S::TASK,
            run.folder.display()
        ));
        return Ok(None);
    };
    let seconds = shown.start.elapsed().as_secs_f64();
    let steps_per_second = (progress.step - first) as f64 / seconds;
    let rate = steps_per_second * shown.steps as f64;
    Ok(Some(Learnt { progress, best, all, seconds, steps_per_second, rate }))
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
        ((step - self.first) * self.steps) as f64 / self.start.elapsed().as_secs_f64()
    }

    fn epoch(&self, epoch: &Epoch, steps: usize) {
        let Epoch { epoch: number, train_loss, valid_loss, .. } = *epoch;
        let seconds = self.start.elapsed().as_secs_f64();
        let left = seconds / (epoch.steps - self.first) as f64 * (steps - epoch.steps) as f64;
        let line = format!(
            "epoch {number}: loss {train_loss:.4}, validation {}, {:.0} {}/s, {left:.0} s left",
            (self.unit.loss)(valid_loss),
            self.rate(epoch.steps),
            self.unit.steps
        );
        if self.plain {
            note(format_args!("{line}"));
        } else {
            self.bar.println(line);
        }
    }
}
