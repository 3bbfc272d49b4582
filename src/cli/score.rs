//! `bptt score`: how probable a file is to a trained model.

use super::options::{Compute, size};
use super::output::table;
use super::{Failure, text_report};
use bptt::cell::{self, Cell};
use bptt::data::text::{UNKNOWN, read};
use bptt::nn::Random;
use bptt::train::text_run::TextRun;
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::path::PathBuf;
use std::process::ExitCode;

/// How probable a text is to a run of `bptt train text`: log P by the chain rule
///
/// ln P(x) = Σ ln P(x_t | x_1 … x_{t−1}), from a zero state. --shuffle mixes the characters and --forget N cuts the
/// past to N characters: a model that uses order and past scores the text worse then.
///
/// Example: bptt score runs/text letter.txt --forget 8
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
    /// Files, and folders of files
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// Print CSV with a line for each character: step, character, nats
    #[arg(long, conflicts_with = "json")]
    per_step: bool,
    /// Mix the characters first, by --seed
    #[arg(long)]
    shuffle: bool,
    /// Forget what is more than N characters ago
    #[arg(long, value_name = "N", value_parser = size)]
    forget: Option<usize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
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
}

struct Scorer<'a> {
    arguments: &'a Arguments,
    run: TextRun,
    device: Device,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let run = TextRun::open(&arguments.run)?;
    let cell = run.config.cell.clone();
    let unknown = || {
        Failure(format!(
            "the run {} has a cell '{cell}' that is not known",
            arguments.run.display()
        ))
    };
    let scorer = Scorer { arguments, run, device };
    cell::visit(&cell, scorer).ok_or_else(unknown)?
}

impl cell::Visitor for Scorer<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, run, device } = self;
        let dtype = DType::from(arguments.compute.dtype);
        let vocabulary = &run.data.vocabulary;
        let files = read(&arguments.file, vocabulary.is_bytes())?;
        let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
        let mut classes = vocabulary.classes_of(&bytes);
        if arguments.shuffle {
            classes.shuffle(&mut Random::seed_from_u64(arguments.compute.seed));
        }
        let model = text_report::model(cell, &run, &device, dtype)?;
        let losses = match arguments.forget {
            Some(past) => model.score_forgetting(&classes, past),
            None => model.score(&classes),
        };
        let unknown = classes.iter().filter(|&&class| class == UNKNOWN).count();
        if unknown > 0 {
            eprintln!(
                "warning: {unknown} characters were not in the training text; each is scored as the unknown one"
            );
        }
        if arguments.per_step {
            let mut out = csv::Writer::from_writer(std::io::stdout().lock());
            out.write_record(["step", "character", "nats"])?;
            for (t, (&class, nats)) in classes.iter().zip(&losses).enumerate() {
                let character = match vocabulary.is_bytes() {
                    true => (class - 1).to_string(),
                    false => String::from_utf8_lossy(&vocabulary.text_of(class)).into_owned(),
                };
                out.write_record([(t + 1).to_string(), character, nats.to_string()])?;
            }
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let nats: f64 = losses.iter().sum();
        let nats_per_step = nats / losses.len() as f64;
        let report = Report {
            steps: losses.len(),
            nats,
            nats_per_step,
            bits_per_step: nats_per_step / std::f64::consts::LN_2,
            perplexity: nats_per_step.exp(),
            unknown,
        };
        if arguments.json {
            println!("{}", serde_json::to_string(&report).expect("plain data"));
        } else {
            let row = |name: &str, value: String| vec![name.to_string(), value];
            let rows = [
                row("characters", report.steps.to_string()),
                row("log P, nats", format!("{:.3}", -report.nats)),
                row("nats a character", format!("{nats_per_step:.4}")),
                row("bits a character", format!("{:.4}", report.bits_per_step)),
                row("perplexity", format!("{:.3}", report.perplexity)),
            ];
            print!("{}", table(&["", ""], &rows).trim_start());
        }
        Ok(ExitCode::SUCCESS)
    }
}
