//! The folder of a run on a text: `config.toml`, whose keys are the flags that repeat it, `vocabulary.toml`,
//! `metrics.jsonl` (an epoch a line) and the checkpoints.

use super::run::{RunError, read_limited};
use super::text::{ModelSettings, Progress, Settings};
use crate::data::text::Vocabulary;
use crate::files;
use std::path::{Path, PathBuf};

/// Everything that is needed to repeat a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TextConfig {
    /// The version of this crate.
    pub version: String,
    /// `text`.
    pub task: String,
    /// Files and folders.
    pub path: Vec<PathBuf>,
    /// Whether classes are bytes.
    pub bytes: bool,
    /// How often a character must be there to be a class of its own.
    pub min_count: usize,
    /// The share of the text, its end, that validates.
    pub valid_share: f64,
    /// The cell, as the command line calls it.
    pub cell: String,
    /// Data type: f32 or f64.
    pub dtype: String,
    /// Backend.
    pub backend: String,
    /// Who wrote the derivative.
    pub gradient: String,
    /// Which part of the gradient within a window was computed.
    pub truncate: String,
    /// The bytes that the manual path may keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<usize>,
    /// The model.
    #[serde(flatten)]
    pub model: ModelSettings,
    /// How it was trained.
    #[serde(flatten)]
    pub training: Settings,
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

/// The folder.
#[derive(Clone, Debug)]
pub struct TextRun {
    /// Where it is.
    pub folder: PathBuf,
    /// What it was asked to do.
    pub config: TextConfig,
    /// What it learnt from.
    pub data: TextData,
}

impl TextRun {
    /// Writes configuration and vocabulary of a new run.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(folder: &Path, config: TextConfig, data: TextData) -> Result<Self, RunError> {
        let text = toml::to_string(&config).expect("a configuration is plain data");
        files::replace(&folder.join("config.toml"), text.as_bytes())?;
        let text = toml::to_string(&data).expect("plain data");
        files::replace(&folder.join("vocabulary.toml"), text.as_bytes())?;
        Ok(Self { folder: folder.into(), config, data })
    }

    /// Reads them.
    ///
    /// # Errors
    /// If one cannot be read, or does not describe a run on a text.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let file = folder.join("config.toml");
        let refused = |file: &Path, reason: String| {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            RunError::Config { file: file.display().to_string(), reason }
        };
        let table: toml::Table = toml::from_str(&read_limited(&file)?)
            .map_err(|error| refused(&file, error.to_string()))?;
        let task = table.get("task").cloned();
        if task.as_ref().and_then(toml::Value::as_str) != Some("text") {
            return Err(refused(&file, "it is a run of another task than text".into()));
        }
        let config: TextConfig = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| refused(&file, error.message().into()))?;
        let known = toml::Table::try_from(&config).expect("a configuration is plain data");
        if let Some(unknown) = table.keys().find(|key| !known.contains_key(*key)) {
            return Err(refused(&file, format!("unknown key '{unknown}'")));
        }
        let file = folder.join("vocabulary.toml");
        let data = toml::from_str(&read_limited(&file)?)
            .map_err(|error| refused(&file, error.message().into()))?;
        Ok(Self { folder: folder.into(), config, data })
    }

    /// Writes `metrics.jsonl`, an epoch a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_metrics(&self, progress: &Progress) -> Result<(), RunError> {
        let lines = progress
            .epochs
            .iter()
            .map(|epoch| serde_json::to_string(epoch).expect("an epoch is plain data") + "\n");
        let text: String = lines.collect();
        Ok(files::replace(&self.folder.join("metrics.jsonl"), text.as_bytes())?)
    }
}
