//! The folder of a training run: what it was asked to do, `config.toml`, and the weights that came of it,
//! `checkpoint/last.safetensors`.

use super::task::{NetworkSettings, TaskTrainingError, network};
use crate::cell::Cell;
use crate::data::task::{Task, TaskError, TaskSettings};
use crate::files;
use crate::model::Network;
use crate::nn::Recurrent;
use crate::nn::weights::WeightsError;
use burn::tensor::{DType, Device};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Everything that is needed to repeat a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of this crate.
    pub version: String,
    /// The cell, as the command line calls it.
    pub cell: String,
    /// Data type: f32 or f64.
    pub dtype: String,
    /// Backend.
    pub backend: String,
    /// Who wrote the derivative.
    pub gradient: String,
    /// Which part of the gradient was computed.
    pub truncate: String,
    /// The most optimizer steps.
    pub steps: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Adam's learning rate.
    pub lr: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// The task.
    pub task: TaskSettings,
    /// The network.
    pub network: NetworkSettings,
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
    /// The weights are not those of the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A task that makes no sense.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A network that cannot be.
    #[error(transparent)]
    Network(#[from] TaskTrainingError),
}

/// The text of a file of a run, which is small.
pub(super) fn read_limited(path: &Path) -> Result<String, RunError> {
    const LARGEST: u64 = 16 << 20;
    let named = |error: std::io::Error| {
        let text = format!("cannot read the run {}: {error}", path.display());
        std::io::Error::new(error.kind(), text)
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(named)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(named)?;
    if text.len() as u64 > LARGEST {
        let reason = "it is larger than such a file can be".into();
        return Err(RunError::Config { file: path.display().to_string(), reason });
    }
    Ok(text)
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct Run {
    folder: PathBuf,
    /// What it was asked to do.
    pub config: Config,
}

impl Run {
    /// Writes a new run.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save<C: Cell>(
        folder: &Path,
        config: Config,
        network: &Network<Recurrent<C>>,
    ) -> Result<Self, RunError> {
        let run = Self { folder: folder.into(), config };
        std::fs::create_dir_all(folder.join("checkpoint"))?;
        network.save_safetensors(run.weights())?;
        let text = toml::to_string(&run.config).expect("a configuration is plain data");
        files::replace(&folder.join("config.toml"), text.as_bytes())?;
        Ok(run)
    }

    /// Reads the configuration of a run.
    ///
    /// # Errors
    /// If it cannot be read or does not describe a run.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join("config.toml");
        let refused = |reason: String| {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            RunError::Config { file: path.display().to_string(), reason }
        };
        let text = read_limited(&path)?;
        let config: Config = toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].lines().count().max(1));
            let line = line.map_or(String::new(), |line| format!("line {line}: "));
            refused(format!("{line}{}", error.message()))
        })?;
        Ok(Self { folder: folder.into(), config })
    }

    /// The task.
    ///
    /// # Errors
    /// If its sizes make no sense.
    pub fn task(&self) -> Result<Box<dyn Task>, RunError> {
        Ok(self.config.task.task()?)
    }

    /// The network before training and after it, for the cell of the configuration.
    ///
    /// # Errors
    /// If the weights cannot be read or are another network's.
    pub fn networks<C: Cell>(
        &self,
        cell: C,
        device: &Device,
        dtype: DType,
    ) -> Result<[Network<Recurrent<C>>; 2], RunError> {
        let task = self.task()?;
        let settings = &self.config.network;
        let before = network(cell, task.as_ref(), settings, |config| config, (device, dtype))?;
        let after = before.clone().load_safetensors(self.weights())?;
        Ok([before, after])
    }

    fn weights(&self) -> PathBuf {
        self.folder.join("checkpoint").join("last.safetensors")
    }
}
