//! What the configuration of a run on a generated task holds that other runs do not: the sizes of the task, and the
//! network.

use super::checkpoint::{CheckpointError, Checkpoints};
use super::lessons::{Epoch, LearningError, Progress, Trained, trained};
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::task::{NetworkSettings, TaskTrainingError, TestedSteps, is_solved, network};
use crate::data::task::{Declaration, NAMES, TASKS, Task, TaskError};
use crate::model::Network;
use crate::nn::Recurrent;
use burn::tensor::{DType, Device};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The sizes of the task, and the network.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskSubject {
    /// The sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// The network.
    #[serde(flatten)]
    pub network: NetworkSettings,
}

/// The sizes of a task by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sizes(pub BTreeMap<String, usize>);

/// The keys of a configuration that are sizes of a task; others are somebody else's.
impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Sizes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sizes of a task")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sizes, A::Error> {
                let mut sizes = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if TASKS.iter().any(|task| task.sizes.iter().any(|size| size.name == key)) {
                        sizes.insert(key, map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Sizes(sizes))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// What a run keeps of its data, which are drawn again from the seed: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Drawn {}

impl Subject for TaskSubject {
    const TASKS: &'static [&'static str] = &NAMES;
    const USES: &'static [Use] = &[Use::Flow, Use::Report];
    type Length = TestedSteps;
    type Data = Drawn;

    fn contradiction(_: &Drawn) -> Option<String> {
        None
    }

    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let of = |best: Epoch| {
            let right = best.right.map(|right| Measure {
                name: "right answers".into(),
                value: right,
                larger_is_better: true,
            });
            right.into_iter().chain([Measure::error("test loss", best.valid_loss)])
        };
        Ok(progress.best().into_iter().flat_map(of).collect())
    }
}

/// A run on a generated task.
pub type TaskRun = RunOf<TaskSubject>;

/// Why a run on a generated task could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TaskRunError {
    /// Another task's sizes.
    #[error("the run {run} was changed: {task} has the sizes {expected}; train anew")]
    Sizes {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// The sizes that it has.
        expected: String,
    },
    /// A cell that there is not.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A size that makes no sense.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// No weights, or not so many.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights are not those of the configuration.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// A network that cannot be.
    #[error(transparent)]
    Network(#[from] TaskTrainingError),
}

impl TaskRun {
    /// The task.
    ///
    /// # Errors
    /// If its sizes are another task's, or make no sense.
    pub fn task(&self) -> Result<Box<dyn Task>, TaskRunError> {
        let declaration = Declaration::named(&self.config.task).expect("a run has a task by name");
        let sizes = &self.config.subject.sizes.0;
        let chosen: Option<Vec<usize>> =
            declaration.sizes.iter().map(|size| sizes.get(size.name).copied()).collect();
        match chosen.filter(|chosen| chosen.len() == sizes.len()) {
            Some(chosen) => Ok((declaration.make)(&chosen)?),
            None => {
                let names: Vec<&str> = declaration.sizes.iter().map(|size| size.name).collect();
                let expected = if names.is_empty() { "none".into() } else { names.join(", ") };
                let (run, task) = (self.folder.display().to_string(), self.config.task.clone());
                Err(TaskRunError::Sizes { run, task, expected })
            }
        }
    }

    /// Optimizer steps after which the test was first passed.
    ///
    /// # Errors
    /// As [`TaskRun::task`].
    pub fn solved_after(&self, progress: &Progress) -> Result<Option<usize>, TaskRunError> {
        let task = self.task()?;
        let mut epochs = progress.epochs.iter();
        let solved = epochs.find(|epoch| is_solved(task.as_ref(), epoch.score()));
        Ok(solved.map(|epoch| epoch.steps))
    }

    /// The network before training and that of the best test, and why better checkpoints could not be read.
    ///
    /// # Errors
    /// If the cell of the configuration is none, or the weights cannot be read or are another network's.
    pub fn networks(
        &self,
        device: &Device,
        dtype: DType,
    ) -> Result<([Network<Recurrent>; 2], Vec<CheckpointError>), TaskRunError> {
        let (task, cell) = (self.task()?, self.cell()?);
        let settings = &self.config.subject.network;
        let sizes = [task.features(), settings.hidden, settings.layers];
        Checkpoints::of(&self.folder).check(cell.shape(), sizes)?;
        let settings = (settings, self.config.training.seed);
        let before = network(cell, task.as_ref(), settings, |config| config, (device, dtype))?;
        let Trained { model: after, refused } = trained(before.clone(), &self.folder)?;
        Ok(([before, after], refused))
    }
}
