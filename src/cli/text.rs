//! `bptt train text`: a model of a text, character by character.

use super::options::{Backward, Compute, share, size};
use super::output::{Output, table};
use super::training::{Learnt, Training, Unit, train};
use super::{Failure, output, text_report};
use bptt::cell::{self, Cell};
use bptt::data::text::{Vocabulary, frequency_baselines, read};
use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::{Computing, Progress};
use bptt::train::text::{ModelSettings, Streams, beginner};
use bptt::train::text_run::{TextData, TextRun, TextSubject};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Width of a learnt embedding of the characters [default: one-hot]
    #[arg(long, value_name = "N", value_parser = size)]
    embedding: Option<usize>,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    backward: Backward,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
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
    fn subject(&self, path: Vec<PathBuf>) -> TextSubject {
        TextSubject {
            path,
            bytes: self.bytes,
            min_count: self.min_count,
            valid_share: self.valid_share,
            model: ModelSettings {
                hidden: self.training.hidden,
                layers: self.training.layers,
                embedding: self.embedding,
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
    resume: Option<Checkpoint<Progress>>,
    computing: Computing,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { training, backward, compute, output, .. } = arguments;
    let computing = backward.computing(compute)?;
    let paths = arguments.paths();
    let text = Text::read(arguments, &paths)?;
    let config = training.config(arguments.subject(paths), backward, compute);
    // Before anything is written.
    Streams::<()>::new([&text.training, &text.valid], &config.training)?;
    let (run, resume) = training.begin(config, text.data.clone(), output)?;
    let learner = Learner { arguments, text, run, resume, computing };
    cell::visit(&training.cell, learner).expect("clap knows the names")
}

/// What characters and nats are called.
const UNIT: Unit = Unit {
    steps: "characters",
    loss: |nats| format!("{nats:.4} nats ({:.4} bits) a character", nats / std::f64::consts::LN_2),
};

impl cell::Visitor for Learner<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, text, run, resume, computing } = self;
        let (classes, settings) = (run.data.vocabulary.classes(), &run.config.training);
        let model =
            beginner(cell.clone(), classes, &run.config.subject.model, settings, &computing)?;
        let lessons = Streams::<C>::new([&text.training, &text.valid], settings)?;
        let output = &arguments.output;
        let learnt = train(&lessons, model, (&run, resume), &computing, output, UNIT)?;
        let Some(learnt) = learnt else { return Ok(ExitCode::SUCCESS) };
        let Learnt { ref progress, best, seconds, .. } = learnt;
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
            steps_per_second: learnt.steps_per_second,
            characters_per_second: learnt.rate,
            files,
        };
        let text = described(&report, &run, learnt.all);
        output.print(&report, &text);
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
