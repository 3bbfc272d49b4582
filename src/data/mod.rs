//! Training data: numeric series from CSV files, texts, sounds and generated tasks, and simple baselines.
//!
//! Reading order: [`series`] (a file becomes columns of numbers), [`transform`] (logarithms and differences, and their
//! inverse), [`stationarity`] (which differences), [`dates`] (when each row is, and dates as numbers), [`features`] (the rows that a model reads), [`categories`] and [`holidays`] (words and days as columns of numbers), [`known_effects`] (what they do, taken out of a series), [`split`] (training rows and
//! their scale), [`naive`] (forecasts that a model has to beat), [`accuracy`] (by how much), [`series::panel`] (many series), [`scaled_window`] (all of them in one scale), [`competition`] (how
//! their forecasts are measured), [`text`] (characters become
//! classes), [`sound`] (so do samples, by the [`mu_law`]), [`count`], and the tasks that need memory, [`task`]: [`adding`], [`copy`],
//! [`order`], [`reber`].

pub mod accuracy;
pub mod adding;
pub mod categories;
mod comments;
pub mod competition;
pub mod copy;
pub mod count;
pub mod dates;
pub mod features;
mod holiday_choice;
pub mod holidays;
pub mod known_effects;
pub mod mu_law;
pub mod naive;
pub mod order;
pub mod reber;
mod rows;
pub mod scaled_window;
pub mod season;
pub mod series;
mod series_error;
pub mod shared_effects;
pub mod sound;
pub mod split;
pub mod stationarity;
pub mod task;
pub mod text;
pub mod transform;
