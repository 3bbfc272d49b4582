//! Burn modules for a user's model.
//!
//! [`Rnn`] is the recurrent layer of the lecture. It takes the path of its gradient from
//! [`Gradient`]: the weights, the configuration and the model around it stay the same, and only
//! the author of the derivative changes.

mod initial;
mod packing;
mod readout;
mod recurrent;
mod rnn;
mod trace;

pub use initial::{Random, draw};
pub use packing::Packing;
pub use readout::{Readout, ReadoutGradients};
pub use recurrent::{DirectionWeights, Layer, Recurrent, Sizes};
pub use rnn::{Rnn, RnnConfig};
pub use trace::{DirectionGradients, Trace, TraceGradients};

/// Who writes the derivative of a recurrence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gradient {
    /// The backward walk of [`crate::recurrence::walk`], written by hand.
    #[default]
    Manual,
    /// Burn's autodiff, step by step through the unrolled recurrence: the reference.
    Autodiff,
}
