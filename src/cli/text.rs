//! `bptt train text`: a model of a text, character by character.

use super::Failure;
use super::options::{share, size};
use super::sequence::{Described, Learnable, cut, learn};
use super::training::{Flags, PassFlags};
use bptt::data::text::{Vocabulary, frequency_baselines, read};
use bptt::train::text::ModelSettings;
use bptt::train::text_run::{TextData, TextSubject};
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
    flags: Flags<PassFlags>,
}

impl Arguments {
    fn subject(&self, path: Vec<PathBuf>) -> TextSubject {
        TextSubject {
            path,
            bytes: self.bytes,
            min_count: self.min_count,
            valid_share: self.valid_share,
            model: ModelSettings {
                hidden: self.flags.training.hidden,
                layers: self.flags.training.layers,
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

/// Reads the text as classes, cut in two.
fn learnable(arguments: &Arguments) -> Result<Learnable<TextSubject>, Failure> {
    let paths = arguments.paths();
    let files = read(&paths, arguments.bytes)?;
    let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
    let vocabulary = match arguments.bytes {
        true => Vocabulary::Bytes,
        false => {
            let text = std::str::from_utf8(&bytes).expect("the reader has seen to it");
            Vocabulary::of(text, arguments.min_count)
        }
    };
    let classes = vocabulary.classes_of(&bytes);
    let [training, valid] = cut(classes, arguments.valid_share, TextSubject::STEPS)?;
    let data = TextData {
        training: training.len(),
        valid: valid.len(),
        checksum: crc32fast::hash(&bytes),
        baselines: frequency_baselines(&training, &valid, vocabulary.classes()),
        vocabulary,
    };
    Ok(Learnable { training, valid, subject: arguments.subject(paths), data })
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let computing = arguments.flags.computing()?;
    learn(learnable(arguments)?, computing, &arguments.flags)
}
