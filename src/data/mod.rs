//! What a model learns from: numeric series out of CSV files, cut into windows by time, the
//! forecasts that cost nothing to make, and the generated counting task.
//!
//! Reading order: [`series`] (a file becomes columns of numbers), [`windows`] (columns become
//! standardised inputs and targets), [`naive`] (what any model has to beat), [`count`].

pub mod count;
mod dates;
pub mod naive;
mod rows;
pub mod series;
mod series_error;
pub mod windows;
