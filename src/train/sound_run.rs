//! What the configuration of a run on sound has beside that of any run.

use super::lessons::{Passes, Progress};
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::text::{ModelSettings, SequenceSubject};
use crate::data::sound::CLASSES;
use crate::model::SoundAutoregression;
use std::path::PathBuf;

/// The files, how they are read, and the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SoundSubject {
    /// Files; none: the speech that comes with this crate.
    pub file: Vec<PathBuf>,
    /// Samples a second.
    pub rate: u32,
    /// The share of the sound, its end, that validates.
    pub valid_share: f64,
    /// The model.
    #[serde(flatten)]
    pub model: ModelSettings,
}

/// What the sound was.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct SoundData {
    /// Samples to train on.
    pub training: usize,
    /// To validate on.
    pub valid: usize,
    /// CRC-32 of the levels, by which a changed sound is noticed.
    pub checksum: u32,
    /// Nats a sample on the validating part of whoever knows the frequencies of levels, and of pairs of them.
    pub frequencies: [f64; 2],
    /// Nats a sample there of the AR(τ).
    pub autoregressive: f64,
    /// The AR(τ).
    pub autoregression: SoundAutoregression,
}

/// Whether it was the same sound: what is computed from it may differ in a last digit from machine to machine.
impl PartialEq for SoundData {
    fn eq(&self, other: &Self) -> bool {
        let told = |data: &Self| (data.training, data.valid, data.checksum);
        told(self) == told(other)
    }
}

impl Subject for SoundSubject {
    const TASKS: &'static [&'static str] = &["sound"];
    const USES: &'static [Use] = &[Use::Generate, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = SoundData;

    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let best = progress.best().into_iter();
        Ok(best.map(|best| Measure::error("nats a sample", best.valid_loss)).collect())
    }
}

impl SequenceSubject for SoundSubject {
    fn model(&self) -> &ModelSettings {
        &self.model
    }

    fn classes(_: &SoundData) -> usize {
        CLASSES
    }
}

/// A run on sound.
pub type SoundRun = RunOf<SoundSubject>;
