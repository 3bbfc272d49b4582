//! One network for many series.
//!
//! Every window of every series is brought to one scale ([`WindowScale`](crate::data::scaled_window::WindowScale)); one step of
//! the recurrence reads one season of it. The network ([`PanelNetwork`]) forecasts all rows of the horizon at once, as
//! quantiles:
//! ```text
//! z_{T+h}^q = (z W_1 + b_1)_h + (H_S W_2 + b_2)_h^q        S = T / m steps of a season of m rows
//! ```
//! A category of a series, as its region, is an indicator that each step of the recurrence reads: its row of `W_x` is what a
//! learned embedding of it would be. The linear path begins as the seasonal naive forecast (the value a season ago and the value a window ago, in the share that has
//! the least squares), so that the recurrence learns what that leaves. An [`Ensemble`] of
//! networks is averaged in the scale of the window. The loss ([`PanelLoss`]) is the absolute error of the median and the score
//! of the intervals, in two units at once: the size of the values, and the error of the seasonal naive forecast; so it is about
//! the OWA of the M4 competition.

mod forecaster;
mod importance;
mod loss;
mod network;

pub use forecaster::{Conformal, PanelForecaster, QuantileForecast};
pub use loss::{LEVELS, PanelLoss, QUANTILES};
pub(crate) use network::Scaled;
pub use network::{Ensemble, EnsembleSize, Geometry, PanelNetwork, Past};
