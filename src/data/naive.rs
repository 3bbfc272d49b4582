//! Forecasts that need no model. A model that does not beat them has learnt nothing of use.

use thiserror::Error;

/// Why a naive forecast or its error cannot be computed. Each prints one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NaiveError {
    /// The split lies outside the rows, or leaves nothing before it.
    #[error(
        "a split at row {split} is not possible with {rows} rows; at least one row comes before it"
    )]
    Split {
        /// The first row that is not for training.
        split: usize,
        /// The rows of the series.
        rows: usize,
    },
    /// A season of no steps.
    #[error("a season of 0 steps is not possible; choose at least 1")]
    NoSeason,
    /// The training part does not hold a whole season.
    #[error(
        "a season of {season} steps needs as many training rows, and there are {found}; choose a shorter season or a smaller validation share"
    )]
    LongSeason {
        /// Rows of a season.
        season: usize,
        /// What was found.
        found: usize,
    },
    /// There is not one prediction for each value.
    #[error("{predictions} predictions cannot be compared with {values} values; give one for each")]
    Unequal {
        /// The number of predictions.
        predictions: usize,
        /// The number of values.
        values: usize,
    },
    /// Nothing to compare.
    #[error("there is no prediction to measure; leave at least one row for validation")]
    Nothing,
}

/// For each row `t` from `split` on, the value at `t − 1`, in the units of `values`.
///
/// # Errors
/// If the split is 0 or past the end.
pub fn last_value(values: &[f64], split: usize) -> Result<Vec<f64>, NaiveError> {
    lagged(values, split, 1)
}

/// For each row `t` from `split` on, the value one `season` (in steps) ago, at `t − season`, in the
/// units of `values`. After the first season these are values of the validation part, which a
/// forecast one step ahead may use.
///
/// # Errors
/// If the season is 0 or longer than the training part, or the split is 0 or past the end.
pub fn seasonal(values: &[f64], split: usize, season: usize) -> Result<Vec<f64>, NaiveError> {
    lagged(values, split, season)
}

fn lagged(values: &[f64], split: usize, lag: usize) -> Result<Vec<f64>, NaiveError> {
    let rows = values.len();
    if split == 0 || split > rows {
        return Err(NaiveError::Split { split, rows });
    }
    if lag == 0 {
        return Err(NaiveError::NoSeason);
    }
    if lag > split {
        return Err(NaiveError::LongSeason { season: lag, found: split });
    }
    Ok(values[split - lag..rows - lag].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_repeat_the_past() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(last_value(&values, 4).unwrap(), [4.0, 5.0]);
        assert_eq!(seasonal(&values, 4, 3).unwrap(), [2.0, 3.0]);
        assert_eq!(seasonal(&values, 2, 2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(seasonal(&values, 6, 2).unwrap(), [0.0; 0]);
    }

    #[test]
    fn impossible_seasons_and_splits_are_refused() {
        let values = [1.0; 10];
        assert_eq!(seasonal(&values, 5, 0), Err(NaiveError::NoSeason));
        let long = seasonal(&values, 5, 6).unwrap_err().to_string();
        assert!(long.contains("season of 6") && long.contains("there are 5"), "{long}");
        assert!(seasonal(&values, 5, 5).is_ok());
        assert!(last_value(&values, 0).is_err());
        assert!(last_value(&values, 11).is_err());
        assert!(last_value(&[], 0).is_err());
    }
}
