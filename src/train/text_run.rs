//! What the configuration of a run on a text has beside that of any run.

use super::lessons::{Passes, Progress};
use super::run::{Measure, RunError, RunOf, Subject, Use};
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
    const TASKS: &'static [&'static str] = &["text"];
    const USES: &'static [Use] = &[Use::Generate, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = TextData;

    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let best = progress.best().into_iter();
        Ok(best.map(|best| Measure::error("nats a character", best.valid_loss)).collect())
    }
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
pub type TextRun = RunOf<TextSubject>;
