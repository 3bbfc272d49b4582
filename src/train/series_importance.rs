//! How much the forecasts of a run on a series listen to each input and lag, over rows that validate.

use super::series_run::{AUTOREGRESSION, SeriesRun, SeriesRunError};
use crate::data::features::Rows;
use crate::data::series::Series;
use crate::model::forecast::{FittedCombination, Importance, Listener};

/// At most so many forecasts, spread evenly over those that validate.
const FORECASTS: usize = 48;

impl SeriesRun {
    /// The importance of the inputs of each column, for its members, fitted to the rows to train on, and the share of the
    /// network. Nothing where a derivative is no number.
    pub(super) fn importance(
        &self,
        (series, rows): (&Series, &Rows),
        members: &[FittedCombination],
        shares: &[f64],
    ) -> Result<Vec<Importance>, SeriesRunError> {
        let (features, split) = (&self.data.features, self.data.split);
        let horizon = self.config.subject.horizon;
        let all = self.data.validation(horizon, self.config.subject.stride);
        let count = all.len().min(FORECASTS);
        let origins: Vec<usize> = (0..count).map(|i| all[i * all.len() / count]).collect();
        let has_part = shares.iter().any(|share| *share > 0.0);
        let network = match has_part && self.config.cell != AUTOREGRESSION {
            true => Some(self.ensembles(&mut Vec::new())?),
            false => None,
        };
        let of = |(target, members): (usize, &FittedCombination)| {
            let network = network.as_ref().map(|[_, trained]| (trained, shares[target]));
            let listener = Listener { series, features, rows, horizon, target, members, network };
            listener.importance(&origins, split)
        };
        let found = members.iter().enumerate().map(of).collect::<Result<Vec<_>, _>>()?;
        let whole = |one: &Importance| one.inputs.iter().all(|input| input.size.is_finite());
        Ok(if found.iter().all(whole) { found } else { Vec::new() })
    }
}
