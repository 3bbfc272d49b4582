//! The folder of a training run on a file: `config.toml`, whose keys are the flags that repeat it, `data.toml` (what it
//! learnt from), `metrics.jsonl` (an epoch a line), and the checkpoints.

use super::checkpoint::Checkpoints;
use super::lessons::{Progress, Settings};
use crate::files;
use crate::printable::printable_name;
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// What a run is about.
pub trait Subject: Clone + Serialize + DeserializeOwned {
    /// The name of the task, as the command line calls it.
    const TASK: &'static str;
    /// What is kept of the data: enough to use the model, and to notice other data.
    type Data: Clone + PartialEq + Serialize + DeserializeOwned;
}

/// Everything that is needed to repeat a run; the keys are flags.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunConfig<S> {
    /// The version of this crate.
    pub version: String,
    /// The name of the task.
    pub task: String,
    /// The files, how they are read, and the sizes of the model.
    #[serde(flatten)]
    pub subject: S,
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
    /// How it was trained.
    #[serde(flatten)]
    pub training: Settings,
}

/// Why a run could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// No run, or one of another kind.
    #[error("{file} does not describe a run: {reason}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong, and where.
        reason: String,
    },
}

/// The text of a file of a run, which is small.
pub(super) fn read_limited(path: &Path) -> Result<String, RunError> {
    const LARGEST: u64 = 16 << 20;
    let named = |error: std::io::Error| {
        let text = format!("cannot read the run {}: {error}", path.display());
        std::io::Error::new(error.kind(), text)
    };
    let text = files::read_text_at_most(path, LARGEST).map_err(named)?;
    text.ok_or_else(|| refused(path, "it is larger than such a file can be"))
}

/// What such a file says.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let text = read_limited(path)?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let line = line.map_or(String::new(), |line| format!("line {line}: "));
        refused(path, &format!("{line}{}", error.message()))
    })
}

fn refused(path: &Path, reason: &str) -> RunError {
    let reason = printable_name(&reason.split_whitespace().collect::<Vec<_>>().join(" "));
    RunError::Config { file: path.display().to_string(), reason }
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct Run<S: Subject> {
    /// Where it is.
    pub folder: PathBuf,
    /// What it was asked to do.
    pub config: RunConfig<S>,
    /// What it learnt from.
    pub data: S::Data,
}

impl<S: Subject> Run<S> {
    /// Writes the configuration of a run and what it learns from.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(folder: &Path, config: RunConfig<S>, data: S::Data) -> Result<Self, RunError> {
        let text = toml::to_string(&config).expect("a configuration is plain data");
        files::replace(&folder.join("config.toml"), text.as_bytes())?;
        let text = toml::to_string(&data).expect("plain data");
        files::replace(&folder.join("data.toml"), text.as_bytes())?;
        Ok(Self { folder: folder.into(), config, data })
    }

    /// Reads them.
    ///
    /// # Errors
    /// If one cannot be read, or does not describe a run of this task.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let file = folder.join("config.toml");
        let table: toml::Table = read(&file)?;
        let task = table.get("task").and_then(toml::Value::as_str);
        if task != Some(S::TASK) {
            return Err(refused(&file, &format!("it is a run of another task than {}", S::TASK)));
        }
        let config: RunConfig<S> = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| refused(&file, error.message()))?;
        let known = toml::Table::try_from(&config).expect("a configuration is plain data");
        if let Some(unknown) = table.keys().find(|key| !known.contains_key(*key)) {
            return Err(refused(&file, &format!("unknown key '{unknown}'")));
        }
        let data = read(&folder.join("data.toml"))?;
        Ok(Self { folder: folder.into(), config, data })
    }
}

/// The name of the task of the run in that folder.
///
/// # Errors
/// If there is no configuration that names one.
pub fn task(folder: &Path) -> Result<String, RunError> {
    let file = folder.join("config.toml");
    let table: toml::Table = read(&file)?;
    let task = table.get("task").and_then(toml::Value::as_str);
    task.map(String::from).ok_or_else(|| refused(&file, "it names no task"))
}

/// What a run on a file says of itself, whatever its task.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The name of the task.
    pub task: String,
    /// The cell.
    pub cell: String,
    /// How far its training is.
    pub progress: Progress,
}

impl Summary {
    /// Of the run in that folder.
    ///
    /// # Errors
    /// If there is no configuration of such a run.
    pub fn of(folder: &Path) -> Result<Self, RunError> {
        let file = folder.join("config.toml");
        let table: toml::Table = read(&file)?;
        let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(String::from);
        let (Some(task), Some(cell)) = (text("task"), text("cell")) else {
            return Err(refused(&file, "it names no task, or no cell"));
        };
        let last = Checkpoints::of(folder).first::<Progress>(&["last", "previous", "best"]).ok();
        Ok(Self { task, cell, progress: last.map(|(last, _)| last.progress).unwrap_or_default() })
    }
}
