//! What the training commands train: AR(τ), a recurrence with a readout, a model of characters; and what they are
//! held against.

mod autoregression;
mod character;
pub mod forecast;
mod network;
mod sound_autoregression;

pub use autoregression::{Autoregression, AutoregressionError, Criterion};
pub use character::CharacterModel;
pub use network::Network;
pub use sound_autoregression::SoundAutoregression;
