//! `bptt train text`: a model of a text, character by character.

use super::options::{Backward, Compute, positive, rate, share, size};
use super::output::{Output, table};
use super::{Failure, interrupt, output, text_report};
use bptt::cell::{self, Cell};
use bptt::data::text::{Vocabulary, frequency_baselines, read};
use bptt::train::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use bptt::train::text::{Computing, Epoch, Event, ModelSettings, Progress, Settings, steps, train};
use bptt::train::text_run::{TextConfig, TextData, TextRun};
use bptt::train::{OptimizerName, Schedule};
use burn::tensor::DType;
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A network learns a text character by character, as char-rnn
///
/// The text of all files is one sequence; its end validates. Without PATH it is the source text of this program.
/// After each epoch the validation text is scored by the chain rule; the best model by that is kept. A training
/// that was ended by Ctrl-C, a kill or a power cut goes on with --resume as if nothing had happened.
///
/// Example: bptt train text novel.txt --epochs 20, then: bptt generate runs/text --prompt "It was"
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Files, and folders of files, in UTF-8
    path: Vec<PathBuf>,
    /// Learn bytes instead of characters
    #[arg(long)]
    bytes: bool,
    /// Characters that are there less often become the unknown one
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    min_count: usize,
    /// Share of the text, its end, that validates
    #[arg(long, value_name = "X", default_value = "0.1", value_parser = share)]
    valid_share: f64,
    /// Cell of the network
    #[arg(long, value_name = "NAME", default_value = "lstm", value_parser = PossibleValuesParser::new(cell::NAMES))]
    cell: String,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "128", value_parser = size)]
    hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "2", value_parser = size)]
    layers: usize,
    /// Width of a learnt embedding of the characters [default: one-hot]
    #[arg(long, value_name = "N", value_parser = size)]
    embedding: Option<usize>,
    /// Share of the outputs between layers that training drops
    #[arg(long, value_name = "X", default_value = "0", value_parser = rate)]
    dropout: f64,
    /// Passes over the training text
    #[arg(long, value_name = "N", default_value = "10", value_parser = size)]
    epochs: usize,
    /// Streams that the text is cut into
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    batch: usize,
    /// Steps of a window: the state is carried over its border, the gradient is not
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    window: usize,
    /// Windows whose gradients are added up to one optimizer step
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    accumulate: usize,
    /// Optimizer
    #[arg(long, value_enum, default_value_t = Optimizer::Adam)]
    optimizer: Optimizer,
    /// Learning rate at the start
    #[arg(long, value_name = "X", default_value = "0.002", value_parser = positive)]
    lr: f64,
    /// How the learning rate goes on: constant, linear, cosine, warmup:STEPS or decay:FACTOR
    #[arg(long, value_name = "HOW", default_value = "cosine")]
    schedule: Schedule,
    /// Largest norm of the gradient of all parameters together
    #[arg(long, value_name = "X", default_value = "5", value_parser = positive)]
    clip: f64,
    /// End after so many epochs without a better validation
    #[arg(long, value_name = "N", value_parser = size)]
    early_stop: Option<usize>,
    /// Optimizer steps between two checkpoints within an epoch
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    checkpoint_every: usize,
    /// Go on with the training of this run; flags beside it change its configuration
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    backward: Backward,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
}

/// [`OptimizerName`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[clap(rename_all = "lower")]
enum Optimizer {
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

/// What `--json` prints. Losses are nats a character.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    train_loss: f64,
    valid_loss: f64,
    valid_bits: f64,
    baselines: BTreeMap<&'static str, f64>,
    epochs: usize,
    steps: usize,
    done: bool,
    seconds: f64,
    steps_per_second: f64,
    characters_per_second: f64,
    files: Vec<PathBuf>,
}

impl Arguments {
    fn config(&self, path: Vec<PathBuf>) -> TextConfig {
        TextConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            task: "text".into(),
            path,
            bytes: self.bytes,
            min_count: self.min_count,
            valid_share: self.valid_share,
            cell: self.cell.clone(),
            dtype: self.compute.dtype.name().into(),
            backend: self.compute.backend.to_string(),
            gradient: self.backward.gradient.name().into(),
            truncate: self.backward.truncate.to_string(),
            memory_budget: self.backward.memory_budget,
            model: ModelSettings {
                hidden: self.hidden,
                layers: self.layers,
                embedding: self.embedding,
                seed: self.compute.seed,
            },
            training: Settings {
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

    /// The files that are named, or the source text of this program.
    fn paths(&self) -> Vec<PathBuf> {
        match self.path.is_empty() {
            true => ["src", "tests", "benches"]
                .map(|folder| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder))
                .into(),
            false => self.path.clone(),
        }
    }
}

/// The text as classes, cut in two.
struct Text {
    training: Vec<u32>,
    valid: Vec<u32>,
    data: TextData,
}

impl Text {
    fn read(arguments: &Arguments, paths: &[PathBuf]) -> Result<Self, Failure> {
        let files = read(paths, arguments.bytes)?;
        let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
        let vocabulary = match arguments.bytes {
            true => Vocabulary::Bytes,
            false => {
                let text = std::str::from_utf8(&bytes).expect("the reader has seen to it");
                Vocabulary::of(text, arguments.min_count)
            }
        };
        let mut training = vocabulary.classes_of(&bytes);
        let all = training.len();
        let valid = training.split_off(all - (all as f64 * arguments.valid_share) as usize);
        if valid.is_empty() {
            return Err(Failure(format!(
                "{all} characters leave none to validate on: take more text, or raise --valid-share"
            )));
        }
        let data = TextData {
            training: training.len(),
            valid: valid.len(),
            checksum: crc32fast::hash(&bytes),
            baselines: frequency_baselines(&training, &valid, vocabulary.classes()),
            vocabulary,
        };
        Ok(Self { training, valid, data })
    }
}

struct Learner<'a> {
    arguments: &'a Arguments,
    text: Text,
    run: TextRun,
    computing: Computing,
    resume: Option<Checkpoint<Progress>>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    arguments.backward.check()?;
    let device = arguments.compute.device()?;
    let paths = arguments.paths();
    let text = Text::read(arguments, &paths)?;
    let config = arguments.config(paths);
    steps(text.training.len(), &config.training)?;
    let (folder, resume) = match &arguments.resume {
        Some(folder) => {
            let before = TextRun::open(folder)?;
            if before.data != text.data {
                return Err(Failure(format!(
                    "the text of the run {} has changed since: it was {} characters to train on, and now it is {}; train anew",
                    folder.display(),
                    before.data.training,
                    text.data.training
                )));
            }
            let (resume, refused) = Checkpoints::of(folder)
                .first::<Progress>(&["last", "previous"])
                .map(|(checkpoint, refused)| (Some(checkpoint), refused))
                .or_else(|error| match error {
                    // Killed before the first one.
                    CheckpointError::None(_) => Ok((None, Vec::new())),
                    error => Err(error),
                })?;
            for error in refused {
                eprintln!("warning: {error}; going on from the one before");
            }
            (arguments.output.existing(folder)?, resume)
        }
        None => (arguments.output.folder("text")?, None),
    };
    let computing = Computing {
        truncation: arguments.backward.truncate,
        memory_budget: arguments.backward.memory_budget,
        gradient: arguments.backward.gradient.into(),
        dtype: DType::from(arguments.compute.dtype),
        device,
    };
    if resume.is_none() {
        // What is left of an earlier run would be taken for this one's.
        Checkpoints::of(&folder).clear()?;
    }
    let run = TextRun::create(&folder, config, text.data.clone())?;
    let learner = Learner { arguments, text, run, computing, resume };
    cell::visit(&arguments.cell, learner).expect("clap knows the names")
}

/// What is shown while it learns: a bar on a terminal, a line an epoch otherwise.
struct Shown {
    bar: ProgressBar,
    plain: bool,
    start: Instant,
    first: usize,
    characters: usize,
}

impl Shown {
    fn step(&self, step: usize, loss: f64) {
        self.bar.set_position(step as u64);
        if step.is_multiple_of(10) {
            self.bar.set_message(format!("loss {loss:.3}, {:.0} characters/s", self.rate(step)));
        }
    }

    fn rate(&self, step: usize) -> f64 {
        ((step - self.first) * self.characters) as f64 / self.start.elapsed().as_secs_f64()
    }

    fn epoch(&self, epoch: &Epoch, steps: usize) {
        let Epoch { epoch: number, train_loss, valid_loss, .. } = *epoch;
        let seconds = self.start.elapsed().as_secs_f64();
        let left = seconds / (epoch.steps - self.first) as f64 * (steps - epoch.steps) as f64;
        let line = format!(
            "epoch {number}: loss {train_loss:.4}, validation {valid_loss:.4} nats ({:.4} bits) a character, {:.0} characters/s, {left:.0} s left",
            valid_loss / std::f64::consts::LN_2,
            self.rate(epoch.steps)
        );
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }
}

impl cell::Visitor for Learner<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, text, run, computing, resume } = self;
        let settings = &run.config.training;
        let [_, all] = steps(text.training.len(), settings)?;
        let first = resume.as_ref().map_or(0, |checkpoint| checkpoint.progress.step);
        let quiet = arguments.output.quiet;
        let shown = Shown {
            bar: arguments.output.progress(all),
            plain: !quiet && !std::io::stderr().is_terminal(),
            start: Instant::now(),
            first,
            characters: settings.batch * settings.window * settings.accumulate,
        };
        let ended = interrupt::listen()?;
        let mut failure = None;
        let trained = train(
            cell.clone(),
            &run.data.vocabulary,
            [&text.training, &text.valid],
            &run.config.model,
            settings,
            &computing,
            &run.folder,
            resume,
            |event| {
                match event {
                    Event::Step { step, loss, .. } => shown.step(step, loss),
                    Event::Epoch(progress) => {
                        let epoch = progress.epochs.last().expect("one is done");
                        if !quiet {
                            shown.epoch(epoch, all);
                        }
                        failure = run.write_metrics(progress).err();
                    }
                }
                failure.is_none() && !ended.load(std::sync::atomic::Ordering::Relaxed)
            },
        );
        shown.bar.finish_and_clear();
        let (_, progress) = trained?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        run.write_metrics(&progress)?;
        let seconds = shown.start.elapsed().as_secs_f64();
        let taken = progress.step - first;
        let Some(best) = progress.best() else {
            eprintln!(
                "ended after {} of {all} optimizer steps, before the first epoch's end; go on with: bptt train text --resume {}",
                progress.step,
                run.folder.display()
            );
            return Ok(ExitCode::SUCCESS);
        };
        let files = text_report::write(cell, &run, &computing.device, computing.dtype)?;
        let report = Report {
            run: run.folder.clone(),
            task: "text",
            train_loss: progress.epochs.last().expect("the best is one").train_loss,
            valid_loss: best.valid_loss,
            valid_bits: best.valid_loss / std::f64::consts::LN_2,
            baselines: text_report::BASELINES.into_iter().zip(run.data.baselines).collect(),
            epochs: progress.epochs.len(),
            steps: progress.step,
            done: progress.done,
            seconds,
            steps_per_second: taken as f64 / seconds,
            characters_per_second: (taken * shown.characters) as f64 / seconds,
            files,
        };
        let text = described(&report, &run, all);
        arguments.output.print(&report, &text);
        Ok(ExitCode::SUCCESS)
    }
}

fn described(report: &Report, run: &TextRun, all: usize) -> String {
    let rows = text_report::comparison(run, report.valid_loss);
    let mut text = format!(
        "{} characters to train on and {} to validate on, {} classes\n\n",
        run.data.training,
        run.data.valid,
        run.data.vocabulary.classes()
    );
    text += &table(&text_report::HEADER, &rows);
    text += &format!(
        "\n{} epochs, {} of {all} optimizer steps, {:.0} s, {:.0} characters a second\n",
        report.epochs, report.steps, report.seconds, report.characters_per_second
    );
    output::wrote(&mut text, &report.files);
    if !report.done {
        text += &format!("go on with: bptt train text --resume {}\n", report.run.display());
    }
    text += &format!("use it with: bptt generate {}\n", report.run.display());
    text
}
