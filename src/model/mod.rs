//! What the training commands train: AR(τ), a recurrence with a readout, a model of characters.

mod autoregression;
mod character;
mod cross_entropy;
pub mod forecast;
mod network;

pub use autoregression::{Autoregression, AutoregressionError, Criterion};
pub use character::CharacterModel;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use network::Network;
