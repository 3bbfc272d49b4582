//! `bptt train text`: a model of a text, character by character.

use super::Failure;
use super::options::{share, size};
use super::sequence::learn;
use super::training::{Flags, PassFlags};
use bptt::train::sequence::ModelSettings;
use bptt::train::text_run::TextSubject;
use std::path::PathBuf;
use std::process::ExitCode;

/// A network learns a text character by character, as char-rnn
///
/// The text of all files is one sequence; its end validates. Without PATH it is the source text of this program.
/// After each epoch the validation text is scored by the chain rule, and the best model by that score is kept. After
/// Ctrl-C, a kill or a power cut, --resume continues the training to the same result.
///
/// Example: bptt train text novel.txt --epochs 20, then: bptt generate runs/text --prompt "It was"
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Files, and folders of files, in UTF-8, or in UTF-16 with a byte order mark
    path: Vec<PathBuf>,
    /// Learn bytes instead of characters
    #[arg(long)]
    bytes: bool,
    /// Characters that are in the training part less often become the unknown one
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    min_count: usize,
    /// Share of the text, its end, that validates
    #[arg(long, value_name = "X", default_value = "0.1", value_parser = share)]
    valid_share: f64,
    /// Width of a learnt embedding of the characters [default: one-hot]
    #[arg(long, value_name = "N", value_parser = size)]
    embedding: Option<usize>,
    #[command(flatten)]
    flags: Flags<PassFlags>,
}

/// The source text of this program.
fn source_text() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tests =
        ["alone", "engine", "program", "training"].map(|name| folder.join("tests").join(name));
    ["src", "benches"].map(|name| folder.join(name)).into_iter().chain(tests).collect()
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { path, bytes, min_count, valid_share, embedding, flags } = arguments;
    let (hidden, layers) = (flags.training.hidden, flags.training.layers);
    let model = ModelSettings { hidden, layers, embedding };
    let path = if path.is_empty() { source_text() } else { path };
    learn(TextSubject { path, bytes, min_count, valid_share, model }, &flags)
}
