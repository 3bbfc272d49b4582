//! `bptt generate`: a text or a sound drawn from a trained model.

use super::Failure;
use super::options::{Compute, number, positive, share, size};
use super::output::{StandardOutput, note, notes, show, shown, warn, writable_beside};
use bptt::data::sound;
use bptt::data::text::{Sampling, UNKNOWN};
use bptt::files;
use bptt::random::{Random, SeedableRng};
use bptt::train::lessons::Trained;
use bptt::train::run::{Run, Use};
use bptt::train::sound_run::SoundRun;
use bptt::train::text_run::TextRun;
use burn::tensor::{DType, Device};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// A text or a sound drawn step by step from a run of `bptt train text` or `bptt train sound`
///
/// The network reads the prompt and continues it; what is written starts with the prompt. Characters appear as they
/// are drawn. A sound becomes a WAV file of one channel and 16 bits, at the run's sample rate.
///
/// Example: bptt generate runs/text --prompt "fn main" --length 400 --temperature 0.7
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
    /// Text to continue, or the file of a sound
    #[arg(long, value_name = "TEXT|FILE")]
    prompt: Option<String>,
    /// Characters to draw [default: 500]
    #[arg(long, value_name = "N", value_parser = size)]
    length: Option<usize>,
    /// Seconds of sound to draw [default: 2]
    #[arg(long, value_name = "X", value_parser = positive)]
    seconds: Option<f64>,
    /// Below 1 safer, above 1 more varied; 0 takes the most probable each time [default: 0.8 for text, 0.95 for sound]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = temperature)]
    temperature: Option<f64>,
    /// Draw from the N most probable classes alone
    #[arg(long, value_name = "N", value_parser = size)]
    top_k: Option<usize>,
    /// Draw from the most probable classes that together have this probability
    #[arg(long, value_name = "X", value_parser = share)]
    top_p: Option<f64>,
    /// File for the sound [default: generated.wav in the run's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

fn temperature(text: &str) -> Result<f64, String> {
    number(text).ok().filter(|t| *t >= 0.0).ok_or_else(|| "give 0 or a number above it".into())
}

impl Arguments {
    fn sampling(&self, temperature: f64) -> Sampling {
        let temperature = self.temperature.unwrap_or(temperature);
        Sampling { temperature, top_k: self.top_k, top_p: self.top_p }
    }

    fn random(&self) -> Random {
        Random::seed_from_u64(self.compute.seed)
    }

    /// Refuses a flag that is for the other kind of run.
    fn refuse(&self, flag: &str, given: bool, instead: &str) -> Result<(), Failure> {
        match given {
            true => {
                Err(Failure(format!("{flag} is not for the run {}: {instead}", self.run.display())))
            }
            false => Ok(()),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    match Run::open(&arguments.run)? {
        Run::Sound(run) => {
            let length = arguments.length.is_some();
            arguments.refuse("--length", length, "the length of a sound is set by --seconds")?;
            generate_sound(arguments, &run, &device)
        }
        Run::Text(run) => {
            let [seconds, out] = [arguments.seconds.is_some(), arguments.out.is_some()];
            arguments.refuse("--seconds", seconds, "the length of a text is set by --length")?;
            arguments.refuse("--out", out, "a text goes to standard output")?;
            generate_text(arguments, &run, &device)
        }
        other => Err(other.unfit(Use::Generate).into()),
    }
}

fn generate_text(
    arguments: &Arguments,
    run: &TextRun,
    device: &Device,
) -> Result<ExitCode, Failure> {
    let vocabulary = &run.data.vocabulary;
    let dtype = DType::from(arguments.compute.dtype);
    let Trained { model, refused } = run.model((device, dtype))?;
    warn(&refused);
    let written = arguments.prompt.as_deref().unwrap_or_default();
    let prompt = vocabulary.classes_of(written.as_bytes());
    let unknown = prompt.iter().filter(|&&class| class == UNKNOWN).count();
    if unknown > 0 {
        note(format_args!(
            "warning: {unknown} characters of the prompt were not in the training text; the network reads them as unknown"
        ));
    }
    let length = arguments.length.unwrap_or(500);
    let sampling = arguments.sampling(Sampling::TEXT_TEMPERATURE);
    let generation = model.generate(&prompt, sampling, arguments.random()).take(length);
    let drawn = generation.map(|class| vocabulary.text_of(class));
    if arguments.json {
        let drawn: Vec<u8> = drawn.flatten().collect();
        let text = String::from_utf8_lossy(&drawn);
        let object = serde_json::json!({ "prompt": written, "text": text, "steps": length });
        show(format_args!("{object}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = StandardOutput::new();
    let prompt = std::iter::once(written.as_bytes().to_vec());
    for bytes in prompt.chain(drawn).chain([b"\n".to_vec()]) {
        out.write_all(&bytes)?;
        out.flush()?;
        if !out.is_read {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--json` prints of a sound.
#[derive(serde::Serialize)]
struct SoundReport {
    file: PathBuf,
    rate: u32,
    /// Samples of the prompt, which stand before those drawn.
    prompt_samples: usize,
    /// Samples drawn.
    steps: usize,
    seconds: f64,
}

fn generate_sound(
    arguments: &Arguments,
    run: &SoundRun,
    device: &Device,
) -> Result<ExitCode, Failure> {
    let rate = run.config.subject.rate;
    let wanted = (arguments.seconds.unwrap_or(2.0) * f64::from(rate)).round();
    const MOST: f64 = 1e8;
    if !(1.0..=MOST).contains(&wanted) {
        let most = MOST / f64::from(rate);
        return Err(Failure(format!(
            "{wanted} samples at {rate} Hz cannot be drawn: give --seconds up to {most} and at least one sample"
        )));
    }
    let steps = wanted as usize;
    let file = arguments.out.clone().unwrap_or_else(|| arguments.run.join("generated.wav"));
    // Before the work is done.
    if file.as_os_str() == "-" {
        return Err(Failure(
            "--out -: a sound is written to a file; name one, or /dev/stdout".into(),
        ));
    }
    let prompt = arguments.prompt.as_ref().map(Path::new);
    let read = run.config.subject.file.iter().map(PathBuf::as_path).chain(prompt);
    writable_beside("--out", &file, &read.collect::<Vec<_>>())?;
    let mut classes = match &arguments.prompt {
        Some(prompt) => {
            let prompt = sound::read(&[prompt.into()], rate)?;
            notes(&prompt.notes);
            notes(&prompt.silent);
            sound::classes(&prompt.samples)
        }
        None => Vec::new(),
    };
    let prompt_samples = classes.len();
    let dtype = DType::from(arguments.compute.dtype);
    let Trained { model, refused } = run.model((device, dtype))?;
    warn(&refused);
    let start = Instant::now();
    let sampling = arguments.sampling(Sampling::SOUND_TEMPERATURE);
    let bar = super::output::bar(steps, arguments.json);
    let generation = model.generate(&classes, sampling, arguments.random()).take(steps);
    let drawn: Vec<u32> = generation.inspect(|_| bar.inc(1)).collect();
    classes.extend(drawn);
    bar.finish_and_clear();
    let samples = sound::samples(&classes);
    match arguments.out {
        Some(_) => files::write(&file, &sound::wav(&samples, rate)?)?,
        // What stands in the run's folder may be anybody's link.
        None => sound::write(&file, &samples, rate)?,
    }
    let seconds = start.elapsed().as_secs_f64();
    let report = SoundReport { rate, prompt_samples, steps, seconds, file };
    let line = if arguments.json {
        serde_json::to_string(&report).expect("plain data")
    } else {
        let seconds = |samples: usize| samples as f64 / f64::from(rate);
        let (drawn, file, took) = (seconds(steps), shown(&report.file), report.seconds);
        let after = match prompt_samples {
            0 => String::new(),
            samples => format!(" after {:.2} s of prompt", seconds(samples)),
        };
        format!("wrote {file}: {drawn:.2} s of sound{after}, drawn in {took:.1} s")
    };
    // Not behind the sound.
    match files::is_standard_output(&report.file) {
        true => note(format_args!("{line}")),
        false => show(format_args!("{line}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}
