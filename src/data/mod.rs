//! What a model learns from: numeric series out of CSV files, cut into windows by time, the
//! forecasts that cost nothing to make, and generated tasks.
//!
//! Reading order: [`series`] (a file becomes columns of numbers), [`windows`] (columns become
//! standardised inputs and targets), [`naive`] (what any model has to beat), [`text`] (characters
//! become classes), [`sound`] (so do samples, by the [`mu_law`]), [`count`], and the tasks that need
//! memory, [`task`]: [`adding`], [`copy`], [`order`], [`reber`].

pub mod adding;
pub mod copy;
pub mod count;
mod dates;
pub mod mu_law;
pub mod naive;
pub mod order;
pub mod reber;
mod rows;
pub mod series;
mod series_error;
pub mod sound;
pub mod task;
pub mod text;
pub mod windows;
