//! `bptt train sound`: a model of sound, sample by sample.

use super::Failure;
use super::options::{share, size};
use super::sequence::learn;
use super::training::{Flags, PassFlags};
use bptt::data::sound::RATES;
use bptt::train::sequence::ModelSettings;
use bptt::train::sound_run::SoundSubject;
use std::path::PathBuf;
use std::process::ExitCode;

/// A network learns sound sample by sample: the next one's level of 256, as a distribution
///
/// Samples are mixed down to one channel, resampled to --rate, and compressed to 256 levels by the µ-law, as on the
/// telephone. The sound of all files is one sequence; its end validates. Without FILE it is 12 seconds of speech that
/// come with this program. After Ctrl-C, a kill or a power cut, --resume continues the training to the same result.
///
/// Example: bptt train sound speech.wav, then: bptt generate runs/sound --seconds 3
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("hidden", |arg| arg.default_value("128")),
    mut_arg("layers", |arg| arg.default_value("1")),
    mut_arg("epochs", |arg| arg.default_value("20")),
    mut_arg("batch", |arg| arg.default_value("16")),
    mut_arg("window", |arg| arg.default_value("100")),
    mut_arg("lr", |arg| arg.default_value("0.005"))
)]
pub struct Arguments {
    /// Files of WAV (RF64, RIFX), AIFF, FLAC or Ogg Vorbis, of any rate and number of channels; WAV and AIFF of integers up to 32 bits, floats of 32 or 64, A-law or µ-law
    file: Vec<PathBuf>,
    /// Samples a second that are learnt
    #[arg(long, value_name = "HZ", default_value = "8000", value_parser = rate)]
    rate: u32,
    /// Share of the sound, its end, that validates
    #[arg(long, value_name = "X", default_value = "0.1", value_parser = share)]
    valid_share: f64,
    /// Width of a learnt embedding of the levels [default: one-hot]
    #[arg(long, value_name = "N", value_parser = size)]
    embedding: Option<usize>,
    #[command(flatten)]
    flags: Flags<PassFlags>,
}

fn rate(text: &str) -> Result<u32, String> {
    let (lowest, highest) = (RATES.start(), RATES.end());
    let rate = text.parse().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| {
        format!("give a whole number of samples a second from {lowest} to {highest}")
    })
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { file, rate, valid_share, embedding, flags } = arguments;
    let (hidden, layers) = (flags.training.hidden, flags.training.layers);
    let model = ModelSettings { hidden, layers, embedding };
    learn(SoundSubject { file, rate, valid_share, model }, &flags)
}
