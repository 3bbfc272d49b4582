//! What is trained, and what it can do then: a recurrence with a readout ([`Network`]), a model of a sequence of classes
//! ([`CharacterModel`]) that generates more of it, AR(τ), seasonal ARMA, exponential smoothing, forecasts of a series ([`forecast`]), one network for many series ([`panel`]).

mod arma;
mod autoregression;
mod character;
mod exponential_smoothing;
pub mod forecast;
mod generation;
mod lags;
mod network;
pub mod panel;
mod sound_autoregression;

pub use arma::{Arma, ArmaOrder};
pub use autoregression::{Autoregression, AutoregressionError, Criterion};
pub use character::CharacterModel;
pub use exponential_smoothing::{
    ExponentialSmoothing, SmoothingParameters, SmoothingState, SmoothingWalk,
};
pub use generation::Generation;
pub use lags::Lags;
pub use network::Network;
pub use sound_autoregression::SoundAutoregression;
