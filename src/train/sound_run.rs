//! Runs on sound: the part of their configuration that other runs do not have, and how the sound is read.

use super::lessons::{Passes, Progress};
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::sequence::{
    Baseline, ModelSettings, Others, Sequence, SequenceError, SequenceSubject, training_steps,
};
use crate::data::sound::{self, CLASSES, Sound, SoundError};
use crate::data::text::frequency_baselines;
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
    /// Nats a sample that the frequencies of levels, and of pairs of them, in the training part need on the validating
    /// part.
    pub frequencies: [f64; 2],
    /// Nats a sample there of the AR(τ).
    pub autoregressive: f64,
    /// The AR(τ).
    pub autoregression: SoundAutoregression,
}

/// Whether it was the same sound: what is computed from it may differ in a last digit from machine to machine.
impl PartialEq for SoundData {
    fn eq(&self, other: &Self) -> bool {
        let identity = |data: &Self| (data.training, data.valid, data.checksum);
        identity(self) == identity(other)
    }
}

/// The most seconds of the validating part that a run keeps.
const SECONDS: f64 = 3.0;

/// The beginning of the validating part in a run's folder.
pub const VALIDATION_FILE: &str = "validation.wav";

impl Subject for SoundSubject {
    const TASKS: &'static [&'static str] = &["sound"];
    const USES: &'static [Use] = &[Use::Generate, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = SoundData;

    fn contradiction(data: &SoundData) -> Option<String> {
        let numbers = data.frequencies.iter().chain([&data.autoregressive]);
        if data.training == 0 || data.valid == 0 || !numbers.into_iter().all(|n| n.is_finite()) {
            return Some("it has no sound, or a baseline that is no number".into());
        }
        data.autoregression.contradiction().map(Into::into)
    }

    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let best = progress.best().into_iter();
        Ok(best.map(|best| Measure::error("nats a sample", best.valid_loss)).collect())
    }
}

impl SequenceSubject for SoundSubject {
    const STEP: &'static str = "sample";
    const STEPS: &'static str = "samples";

    fn model(&self) -> &ModelSettings {
        &self.model
    }

    fn files(&self) -> &[PathBuf] {
        &self.file
    }

    fn classes(_: &SoundData) -> usize {
        CLASSES
    }

    fn sizes(data: &SoundData) -> [usize; 2] {
        [data.training, data.valid]
    }

    fn baselines(data: &SoundData) -> Vec<Baseline> {
        let baseline = |key, name: String, nats| Baseline { key, name, nats };
        let [single, pair] = data.frequencies;
        let lags = data.autoregression.model.lags.len();
        vec![
            baseline("autoregressive", format!("AR({lags})"), data.autoregressive),
            baseline("pair_frequency", "frequency of pairs".into(), pair),
            baseline("level_frequency", "frequency of levels".into(), single),
        ]
    }

    fn read(self) -> Result<Sequence<Self>, SequenceError> {
        let Sound { samples, mut notes, silent } = match self.file.is_empty() {
            true => Sound { samples: sound::speech(self.rate)?, ..Sound::default() },
            false => sound::read(&self.file, self.rate)?,
        };
        let mut training = sound::classes(&samples);
        drop(samples);
        if training.iter().all(|class| *class == training[0]) {
            let level = || format!("{}: all samples have the same level", self.file[0].display());
            let reason = if silent.is_empty() { level() } else { silent.join("; ") };
            return Err(SoundError::Silent(reason).into());
        }
        notes.extend(silent);
        let levels: Vec<u8> = training.iter().map(|&class| (class - 1) as u8).collect();
        let valid = training.split_off(training_steps::<Self>(levels.len(), self.valid_share)?);
        let autoregression = SoundAutoregression::fit(&training);
        let data = SoundData {
            training: training.len(),
            valid: valid.len(),
            checksum: crc32fast::hash(&levels),
            frequencies: frequency_baselines(&training, &valid, CLASSES),
            autoregressive: autoregression.score(&valid).iter().sum::<f64>() / valid.len() as f64,
            autoregression,
        };
        Ok(Sequence { subject: self, training, valid, data, notes })
    }

    fn keep(run: &SoundRun, valid: &[u32]) -> Result<(), SequenceError> {
        let rate = run.config.subject.rate;
        let most = (SECONDS * f64::from(rate)) as usize;
        let samples = sound::samples(&valid[..valid.len().min(most)]);
        Ok(sound::write(&run.folder.join(VALIDATION_FILE), &samples, rate)?)
    }

    fn read_others(run: &SoundRun, files: &[PathBuf]) -> Result<Others, SequenceError> {
        let Sound { samples, mut notes, silent } = sound::read(files, run.config.subject.rate)?;
        notes.extend(silent);
        Ok(Others { classes: sound::classes(&samples), notes })
    }

    fn class_name(_: &SoundData, class: u32) -> String {
        (class - 1).to_string()
    }

    fn baseline_of(data: &SoundData, classes: &[u32]) -> Option<Baseline> {
        let model = &data.autoregression;
        let nats: f64 = model.score(classes).iter().sum();
        Some(Baseline {
            key: "autoregressive",
            name: format!("AR({})", model.model.lags.len()),
            nats: nats / classes.len() as f64,
        })
    }
}

/// A run on sound.
pub type SoundRun = RunOf<SoundSubject>;
