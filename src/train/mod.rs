//! Training: [`lessons`], the loop over the windows of data from a file, with checkpoints and the folder of a [`run`];
//! the loops of the generated tasks; optimizers that Burn lacks.

pub mod anomaly;
pub mod checkpoint;
mod clip;
pub mod comparison;
pub mod count;
pub mod count_run;
mod data_type;
mod known_ahead;
mod known_inputs;
mod later_rows;
pub mod lessons;
pub mod memory;
mod optimizer;
pub mod panel;
mod panel_anomalies;
pub mod panel_forecast;
pub mod panel_holidays;
pub mod panel_input;
pub mod panel_run;
pub mod progress;
mod rprop;
pub mod run;
mod schedule;
pub mod sequence;
pub mod series;
mod series_anomalies;
pub mod series_choice;
pub mod series_forecast;
mod series_importance;
pub mod series_input;
pub mod series_run;
pub mod sound_run;
pub mod streams;
pub mod task;
pub mod task_run;
pub mod text_run;

pub use clip::clip_norm;
pub use data_type::DataType;
pub use optimizer::OptimizerName;
pub use rprop::{Rprop, RpropConfig, RpropState};
pub use schedule::Schedule;

use crate::host;

/// A number of a training that is no longer one: a loss, a gradient, a weight.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} became {value} at {unit} {number}: {advice}")]
pub struct Diverged {
    /// What it is: the loss, say.
    pub what: &'static str,
    /// What it became.
    pub value: f64,
    /// What is counted: iteration, step.
    pub unit: &'static str,
    /// The one at which it happened, counted from 1.
    pub number: usize,
    /// What to try.
    pub advice: &'static str,
}
