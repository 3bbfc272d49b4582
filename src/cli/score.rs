//! `bptt score`: how probable a file is to a trained model.

use super::Failure;
use super::options::{Compute, size};
use super::output::{note, show, table};
use super::sequence::{Described, model, unknown_cell};
use bptt::cell::{self, Cell};
use bptt::data::text::UNKNOWN;
use bptt::data::{sound, text};
use bptt::nn::Random;
use bptt::train::run::{Run, RunOf, Use};
use bptt::train::sound_run::{SoundData, SoundSubject};
use bptt::train::text_run::{TextData, TextSubject};
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::f64::consts::LN_2;
use std::path::PathBuf;
use std::process::ExitCode;

/// How probable a file is to a run of `bptt train text` or `bptt train sound`: log P by the chain rule
///
/// ln P(x) = Σ ln P(x_t | x_1 … x_{t−1}), from a zero state. --shuffle mixes the steps (characters, samples) and
/// --forget N cuts the past to N of them: a model that uses order and past scores the file worse then. A sound is
/// scored at the run's sample rate.
///
/// Example: bptt score runs/text letter.txt --forget 8
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
    /// Text files and folders of them, or WAV files
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// Print CSV with a line for each step: step, character or level, nats
    #[arg(long, conflicts_with = "json")]
    per_step: bool,
    /// Mix the steps first, by --seed
    #[arg(long)]
    shuffle: bool,
    /// Forget what is more than N steps ago
    #[arg(long, value_name = "N", value_parser = size)]
    forget: Option<usize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

/// A run whose model can score files.
trait Scored: Described {
    /// What `--per-step` calls a class.
    const CLASS: &'static str;

    /// The classes of the files.
    fn read(run: &RunOf<Self>, files: &[PathBuf]) -> Result<Vec<u32>, Failure>;

    /// A class in words.
    fn shown(data: &Self::Data, class: u32) -> String;

    /// Nats of another forecast, its key and its name.
    fn beside(_data: &Self::Data, _classes: &[u32]) -> Option<(&'static str, String, f64)> {
        None
    }
}

impl Scored for TextSubject {
    const CLASS: &'static str = "character";

    fn read(run: &RunOf<Self>, files: &[PathBuf]) -> Result<Vec<u32>, Failure> {
        let vocabulary = &run.data.vocabulary;
        let files = text::read(files, vocabulary.is_bytes())?;
        let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
        Ok(vocabulary.classes_of(&bytes))
    }

    fn shown(data: &TextData, class: u32) -> String {
        match data.vocabulary.is_bytes() {
            true => (class - 1).to_string(),
            false => String::from_utf8_lossy(&data.vocabulary.text_of(class)).into_owned(),
        }
    }
}

impl Scored for SoundSubject {
    const CLASS: &'static str = "level";

    fn read(run: &RunOf<Self>, files: &[PathBuf]) -> Result<Vec<u32>, Failure> {
        Ok(sound::classes(&sound::read(files, run.config.subject.rate)?))
    }

    fn shown(_: &SoundData, class: u32) -> String {
        (class - 1).to_string()
    }

    fn beside(data: &SoundData, classes: &[u32]) -> Option<(&'static str, String, f64)> {
        let model = &data.autoregression;
        let nats = model.score(classes).iter().sum();
        Some(("autoregressive", format!("AR({})", model.model.lags.len()), nats))
    }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    steps: usize,
    nats: f64,
    nats_per_step: f64,
    bits_per_step: f64,
    perplexity: f64,
    unknown: usize,
    /// Nats a step.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    baselines: BTreeMap<&'static str, f64>,
}

struct Scorer<'a, S: Scored> {
    arguments: &'a Arguments,
    run: RunOf<S>,
    device: Device,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match Run::open(&arguments.run)? {
        Run::Sound(run) => score(arguments, *run),
        Run::Text(run) => score(arguments, *run),
        other => Err(other.unfit(Use::Score).into()),
    }
}

fn score<S: Scored>(arguments: &Arguments, run: RunOf<S>) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let (cell, unknown) = (run.config.cell.clone(), unknown_cell(&run));
    cell::visit(&cell, Scorer { arguments, run, device }).ok_or(unknown)?
}

impl<S: Scored> cell::Visitor for Scorer<'_, S> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, run, device } = self;
        let mut classes = S::read(&run, &arguments.file)?;
        if arguments.shuffle {
            classes.shuffle(&mut Random::seed_from_u64(arguments.compute.seed));
        }
        let model = model(cell, &run, &device, DType::from(arguments.compute.dtype))?;
        let losses = match arguments.forget {
            Some(past) => model.score_forgetting(&classes, past),
            None => model.score(&classes),
        };
        let unknown = classes.iter().filter(|&&class| class == UNKNOWN).count();
        if unknown > 0 {
            note(format_args!(
                "warning: {unknown} {} were not in the training data; each is scored as the unknown one",
                S::STEPS
            ));
        }
        if arguments.per_step {
            let mut out = csv::Writer::from_writer(std::io::stdout().lock());
            out.write_record(["step", S::CLASS, "nats"])?;
            for (t, (&class, nats)) in classes.iter().zip(&losses).enumerate() {
                let class = S::shown(&run.data, class);
                out.write_record([(t + 1).to_string(), class, nats.to_string()])?;
            }
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let nats: f64 = losses.iter().sum();
        let steps = losses.len();
        let nats_per_step = nats / steps as f64;
        let beside = S::beside(&run.data, &classes);
        let report = Report {
            steps,
            nats,
            nats_per_step,
            bits_per_step: nats_per_step / LN_2,
            perplexity: nats_per_step.exp(),
            unknown,
            baselines: beside.iter().map(|(key, _, nats)| (*key, nats / steps as f64)).collect(),
        };
        if arguments.json {
            show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
        } else {
            let row = |name: String, value: String| vec![name, value];
            let step = S::STEP;
            let mut rows = vec![
                row(S::STEPS.into(), steps.to_string()),
                row("log P, nats".into(), format!("{:.3}", -report.nats)),
                row(format!("nats a {step}"), format!("{nats_per_step:.4}")),
                row(format!("bits a {step}"), format!("{:.4}", report.bits_per_step)),
                row("perplexity".into(), format!("{:.3}", report.perplexity)),
            ];
            if let Some((_, name, nats)) = beside {
                let bits = nats / steps as f64 / LN_2;
                rows.push(row(format!("bits a {step} of {name}"), format!("{bits:.4}")));
            }
            show(format_args!("{}", table(&["", ""], &rows).trim_start()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
