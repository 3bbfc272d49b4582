//! The folder of a run on a generated task: what it was asked to do, `config.toml`, and the weights that came of it,
//! `checkpoint/last.safetensors`.

use super::checkpoint::{CheckpointError, Checkpoints};
use super::run::{self, RunError};
use super::task::{NetworkSettings, TaskTrainingError, network};
use crate::cell::Cell;
use crate::data::task::{Task, TaskError, TaskSettings};
use crate::files;
use crate::model::Network;
use crate::nn::Recurrent;
use crate::nn::weights::WeightsError;
use burn::tensor::{DType, Device};
use std::path::{Path, PathBuf};

/// Everything that is needed to repeat a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
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
pub enum TaskRunError {
    /// A file could not be read or written, or does not describe such a run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No weights, or not so many.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
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

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct TaskRun {
    folder: PathBuf,
    /// What it was asked to do.
    pub config: TaskConfig,
}

impl TaskRun {
    /// Writes a new run.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save<C: Cell>(
        folder: &Path,
        config: TaskConfig,
        network: &Network<Recurrent<C>>,
    ) -> Result<Self, TaskRunError> {
        let run = Self { folder: folder.into(), config };
        std::fs::create_dir_all(folder.join("checkpoint")).map_err(RunError::File)?;
        network.save_safetensors(run.weights())?;
        let text = toml::to_string(&run.config).expect("a configuration is plain data");
        files::replace(&folder.join("config.toml"), text.as_bytes()).map_err(RunError::File)?;
        Ok(run)
    }

    /// Reads the configuration of a run.
    ///
    /// # Errors
    /// If it cannot be read or does not describe a run.
    pub fn open(folder: &Path) -> Result<Self, TaskRunError> {
        Ok(Self { folder: folder.into(), config: run::read(&folder.join("config.toml"))? })
    }

    /// The task.
    ///
    /// # Errors
    /// If its sizes make no sense.
    pub fn task(&self) -> Result<Box<dyn Task>, TaskRunError> {
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
    ) -> Result<[Network<Recurrent<C>>; 2], TaskRunError> {
        let task = self.task()?;
        let settings = &self.config.network;
        let sizes = [task.features(), settings.hidden, settings.layers];
        Checkpoints::of(&self.folder).check::<C>(sizes)?;
        let before = network(cell, task.as_ref(), settings, |config| config, (device, dtype))?;
        let after = before.clone().load_safetensors(self.weights())?;
        Ok([before, after])
    }

    fn weights(&self) -> PathBuf {
        self.folder.join("checkpoint").join("last.safetensors")
    }
}
