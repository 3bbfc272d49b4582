//! The run of the exercise: what it was asked to do, the weights and the loss before each iteration (`metrics.jsonl`, an
//! iteration a line), and the weights reached (`checkpoint/last.safetensors`).

use super::checkpoint::{self, Checkpoints};
use super::count::{self, Outcome, Weights};
use super::lessons::{LearningError, Progress};
use super::run::{FORMAT, Measure, RunError, RunFolder, Standing, Use, identity};
use super::{DataType, host};
use crate::backend::Backend;
use crate::data::count::{CountError, CountTask};
use crate::files;
use crate::nn::{Gradient, weights};
use crate::printable::printable_name;
use burn::tensor::{DType, Device};
use std::path::{Path, PathBuf};

/// Everything that is needed to repeat the run; the keys are flags.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CountConfig {
    /// The format of the folder.
    pub format: u32,
    /// The version of this crate.
    pub version: String,
    /// The name of the task.
    pub task: String,
    /// Sequences to train on.
    pub sequences: usize,
    /// Steps of a sequence.
    pub length: usize,
    /// Where the weights start.
    pub start: Weights,
    /// Steps of Rprop.
    pub iterations: usize,
    /// Rprop's first step.
    pub lr: f64,
    /// By hand, or by autodiff.
    pub gradient: Gradient,
    /// Backend.
    pub backend: Backend,
    /// Data type.
    pub dtype: DataType,
    /// Seed of the sequences.
    pub seed: u64,
}

/// The run.
#[derive(Clone, Debug)]
pub struct CountRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was asked to do.
    pub config: CountConfig,
}

/// A line of `metrics.jsonl`.
#[derive(serde::Serialize, serde::Deserialize)]
struct Iteration {
    iteration: usize,
    w_x: f64,
    w_rec: f64,
    loss: f64,
}

impl CountRun {
    /// The name of the task.
    pub const TASK: &'static str = "count";

    /// Writes a run and what came of it, into a folder that was taken for it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(
        folder: &RunFolder,
        mut config: CountConfig,
        outcome: &Outcome,
    ) -> Result<Self, RunError> {
        config.format = FORMAT;
        folder.clear()?;
        let folder = folder.path();
        let text = toml::to_string(&config).expect("a configuration is plain data");
        files::replace(&folder.join("config.toml"), text.as_bytes())?;
        let path = outcome.path.iter().zip(&outcome.losses).enumerate();
        let lines = path.map(|(iteration, (&Weights { w_x, w_rec }, &loss))| {
            let line = Iteration { iteration, w_x, w_rec, loss };
            serde_json::to_string(&line).expect("plain data") + "\n"
        });
        files::replace(&folder.join("metrics.jsonl"), lines.collect::<String>().as_bytes())?;
        let network = count::network(
            outcome.reached(),
            config.gradient,
            &Device::default(),
            config.dtype.into(),
        );
        let progress = Progress { step: config.iterations, done: true, ..Progress::default() };
        let (weights, identity) = (weights::tensors(&network), identity(folder)?);
        Checkpoints::of(folder).save_last(&checkpoint::encode(
            &weights,
            &[],
            &[],
            &progress,
            identity,
        ))?;
        Ok(Self { folder: folder.into(), config })
    }

    pub(super) fn from_table(folder: &Path, table: toml::Table) -> Result<Self, RunError> {
        let config = table.try_into().map_err(|error: toml::de::Error| RunError::Config {
            file: folder.join("config.toml").display().to_string(),
            reason: printable_name(error.message()),
        })?;
        Ok(Self { folder: folder.into(), config })
    }

    /// What can be done with it.
    pub fn uses(&self) -> &'static [Use] {
        &[Use::Flow, Use::Report]
    }

    /// The sequences that it was trained on.
    ///
    /// # Errors
    /// If their sizes make no sense.
    pub fn task(&self) -> Result<CountTask, CountError> {
        let CountConfig { sequences, length, seed, .. } = self.config;
        CountTask::generate(sequences, length, seed)
    }

    /// The weights and losses before each iteration, and those reached.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be read.
    pub fn outcome(&self) -> Result<Outcome, RunError> {
        const LARGEST: u64 = 1 << 30;
        let path = self.folder.join("metrics.jsonl");
        let refused = |reason: String| {
            let file = path.display().to_string();
            RunError::Config { file, reason: printable_name(&reason) }
        };
        let text = files::read_regular_text(&path, LARGEST)
            .map_err(|error| refused(error.to_string()))?
            .ok_or_else(|| refused("it is larger than such a file can be".into()))?;
        let mut outcome = Outcome { path: Vec::new(), losses: Vec::new() };
        for line in text.lines() {
            let line: Iteration =
                serde_json::from_str(line).map_err(|error| refused(error.to_string()))?;
            if ![line.w_x, line.w_rec, line.loss].iter().all(|number| number.is_finite()) {
                return Err(refused("it holds what is no number".into()));
            }
            outcome.path.push(Weights { w_x: line.w_x, w_rec: line.w_rec });
            outcome.losses.push(line.loss);
        }
        match outcome.path.len() {
            lines if lines == self.config.iterations + 1 => Ok(outcome),
            lines => Err(refused(format!(
                "it has {lines} lines, and not one for each of {} iterations and one for the end",
                self.config.iterations
            ))),
        }
    }

    /// The weights reached, out of the checkpoint.
    ///
    /// # Errors
    /// If there is none, or it holds other weights.
    pub fn reached(&self) -> Result<Weights, LearningError> {
        let (checkpoint, _) = Checkpoints::of(&self.folder).first(&["last"])?;
        let (start, gradient) = (self.config.start, self.config.gradient);
        let network = count::network(start, gradient, &Device::default(), DType::F64);
        let file = self.folder.display().to_string();
        let network = weights::read(network, &checkpoint.bytes, &file, "")?;
        let [w_x, w_rec] = count::parameters(&network).map(|w| host(w.val())[0]);
        Ok(Weights { w_x, w_rec })
    }

    /// How far it is, and how good.
    ///
    /// # Errors
    /// If `metrics.jsonl` cannot be read.
    pub fn standing(&self) -> Result<Standing, RunError> {
        let loss = self.outcome()?.loss();
        Ok(Standing {
            task: self.config.task.clone(),
            cell: "linear".into(),
            progress: Progress { step: self.config.iterations, done: true, ..Progress::default() },
            done: true,
            measures: vec![Measure::error("ξ", loss)],
        })
    }
}
