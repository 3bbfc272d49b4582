//! What the training commands train: a recurrence and a readout.

mod character;
mod cross_entropy;
mod network;

pub use character::CharacterModel;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use network::Network;
