//! `bptt generate`: a text drawn from a trained model.

use super::options::{Compute, number, share, size};
use super::{Failure, text_report};
use bptt::cell::{self, Cell};
use bptt::data::text::{Sampling, UNKNOWN};
use bptt::nn::Random;
use bptt::train::text_run::TextRun;
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A text drawn character by character from a run of `bptt train text`
///
/// Characters appear as they are drawn. The prompt is read by the network first and printed before them.
///
/// Example: bptt generate runs/text --prompt "fn main" --length 400 --temperature 0.7
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
    /// Text to go on from
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Characters to draw
    #[arg(long, value_name = "N", default_value = "500", value_parser = size)]
    length: usize,
    /// Below 1 bolder on what is probable, above 1 more daring; 0 takes the most probable each time
    #[arg(long, value_name = "X", default_value = "0.8", allow_negative_numbers = true, value_parser = temperature)]
    temperature: f64,
    /// Draw from the N most probable characters alone
    #[arg(long, value_name = "N", value_parser = size)]
    top_k: Option<usize>,
    /// Draw from the most probable characters that together have this probability
    #[arg(long, value_name = "X", value_parser = share)]
    top_p: Option<f64>,
    /// Print one JSON object instead of the text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

fn temperature(text: &str) -> Result<f64, String> {
    number(text).ok().filter(|t| *t >= 0.0).ok_or_else(|| "give 0 or a number above it".into())
}

struct Generator<'a> {
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
    let generator = Generator { arguments, run, device };
    cell::visit(&cell, generator).ok_or_else(unknown)?
}

impl cell::Visitor for Generator<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, run, device } = self;
        let dtype = DType::from(arguments.compute.dtype);
        let vocabulary = &run.data.vocabulary;
        let model = text_report::model(cell, &run, &device, dtype)?;
        let prompt = vocabulary.classes_of(arguments.prompt.as_bytes());
        let strange = prompt.iter().filter(|&&class| class == UNKNOWN).count();
        if strange > 0 {
            eprintln!(
                "warning: {strange} characters of the prompt were not in the training text; the network reads them as unknown"
            );
        }
        let sampling = Sampling {
            temperature: arguments.temperature,
            top_k: arguments.top_k,
            top_p: arguments.top_p,
        };
        let mut random = Random::seed_from_u64(arguments.compute.seed);
        let (mut drawn, mut count, mut closed) = (Vec::new(), 0, false);
        let mut out = std::io::stdout().lock();
        let mut show = |bytes: &[u8]| {
            arguments.json || out.write_all(bytes).and_then(|()| out.flush()).is_ok()
        };
        if !show(arguments.prompt.as_bytes()) {
            return Ok(ExitCode::SUCCESS);
        }
        text_report::generate(&model, &prompt, sampling, &mut random, |class| {
            let bytes = vocabulary.text_of(class);
            drawn.extend_from_slice(&bytes);
            count += 1;
            // A reader that has gone away, `| head` say, has seen enough.
            closed = !show(&bytes);
            count < arguments.length && !closed
        });
        if arguments.json {
            let text = String::from_utf8_lossy(&drawn);
            let object =
                serde_json::json!({ "prompt": arguments.prompt, "text": text, "steps": count });
            println!("{object}");
        } else if !closed {
            show(b"\n");
        }
        Ok(ExitCode::SUCCESS)
    }
}
