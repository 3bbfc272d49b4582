//! Forecasts that need no model. A model that does not beat them has learnt nothing of use.

use thiserror::Error;

/// Why a naive forecast or its error could not be computed; one line of text each.
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
        /// Rows there are.
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
    /// Not one prediction for each value.
    #[error("{predictions} predictions cannot be compared with {values} values; give one for each")]
    Unequal {
        /// Predictions given.
        predictions: usize,
        /// Values given.
        values: usize,
    },
    /// Nothing to compare.
    #[error("there is no prediction to measure; leave at least one row for validation")]
    Nothing,
}

/// For each row `t` from `split` on, the value at `t − 1`, in the units of `values`.
///
/// # Errors
/// A split of 0 or past the end.
pub fn last_value(values: &[f64], split: usize) -> Result<Vec<f64>, NaiveError> {
    lagged(values, split, 1)
}

/// For each row `t` from `split` on, the value one `season` (in steps) ago, at `t − season`, in the
/// units of `values`. Beyond the first season these are values of the validation part that a
/// forecast one step ahead knows.
///
/// # Errors
/// A season of 0 or longer than the training part, a split of 0 or past the end.
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

/// Mean of `|prediction − value|`, in the units of the values.
///
/// # Errors
/// Slices of unequal length or empty.
pub fn mean_absolute_error(predictions: &[f64], values: &[f64]) -> Result<f64, NaiveError> {
    mean_over_errors(predictions, values, f64::abs)
}

/// Square root of the mean of `(prediction − value)²`, in the units of the values.
///
/// # Errors
/// Slices of unequal length or empty.
pub fn root_mean_squared_error(predictions: &[f64], values: &[f64]) -> Result<f64, NaiveError> {
    mean_over_errors(predictions, values, |error| error * error).map(f64::sqrt)
}

fn mean_over_errors(
    predictions: &[f64],
    values: &[f64],
    measure: impl Fn(f64) -> f64,
) -> Result<f64, NaiveError> {
    if predictions.len() != values.len() {
        return Err(NaiveError::Unequal { predictions: predictions.len(), values: values.len() });
    }
    if values.is_empty() {
        return Err(NaiveError::Nothing);
    }
    let pairs = predictions.iter().zip(values);
    let sum: f64 = pairs.map(|(prediction, value)| measure(prediction - value)).sum();
    Ok(sum / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;

    #[test]
    fn forecasts_repeat_the_past() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(last_value(&values, 4).unwrap(), [4.0, 5.0]);
        assert_eq!(seasonal(&values, 4, 3).unwrap(), [2.0, 3.0]);
        assert_eq!(seasonal(&values, 2, 2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(seasonal(&values, 6, 2).unwrap(), [0.0; 0]);
    }

    /// 1960 forecast by 1959: 574 (thousand) less over the year, never more; 30856 in squares.
    #[test]
    fn seasonal_forecast_of_the_last_airline_year() {
        let values = &Series::airline_passengers().values[0];
        let predictions = seasonal(values, 132, 12).unwrap();
        let absolute = mean_absolute_error(&predictions, &values[132..]).unwrap();
        assert_eq!(absolute, 574.0 / 12.0);
        let squared = root_mean_squared_error(&predictions, &values[132..]).unwrap();
        assert_eq!(squared, (30856.0_f64 / 12.0).sqrt());
    }

    #[test]
    fn errors_are_measured() {
        let (predictions, values) = ([1.0, 5.0], [4.0, 1.0]);
        assert_eq!(mean_absolute_error(&predictions, &values), Ok(3.5));
        assert_eq!(root_mean_squared_error(&predictions, &values), Ok(12.5_f64.sqrt()));
        assert_eq!(mean_absolute_error(&[], &[]), Err(NaiveError::Nothing));
        let unequal = root_mean_squared_error(&predictions, &values[..1]).unwrap_err();
        assert!(unequal.to_string().starts_with("2 predictions"), "{unequal}");
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
