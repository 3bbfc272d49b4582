//! What the configuration of a run on a text has beside that of any run.

use super::run::{Run, Subject};
use super::text::{ModelSettings, SequenceSubject};
use crate::data::text::Vocabulary;
use std::path::PathBuf;

/// The files, how they are read, and the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TextSubject {
    /// Files and folders.
    pub path: Vec<PathBuf>,
    /// Whether classes are bytes.
    pub bytes: bool,
    /// How often a character must be there to be a class of its own.
    pub min_count: usize,
    /// The share of the text, its end, that validates.
    pub valid_share: f64,
    /// The model.
    #[serde(flatten)]
    pub model: ModelSettings,
}

/// What the text was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TextData {
    /// The classes.
    pub vocabulary: Vocabulary,
    /// Characters, or bytes, to train on.
    pub training: usize,
    /// To validate on.
    pub valid: usize,
    /// CRC-32 of the text, by which a changed one is noticed.
    pub checksum: u32,
    /// Nats a character on the validation text of whoever knows the frequencies of characters, and of pairs.
    pub baselines: [f64; 2],
}

impl Subject for TextSubject {
    const TASK: &'static str = "text";
    type Data = TextData;
}

impl SequenceSubject for TextSubject {
    fn model(&self) -> &ModelSettings {
        &self.model
    }

    fn classes(data: &TextData) -> usize {
        data.vocabulary.classes()
    }
}

/// A run on a text.
pub type TextRun = Run<TextSubject>;
