//! Training rows, validation rows, and the scale of the training rows.
//!
//! The last rows are for validation, and the standardisation uses the training rows only.

use thiserror::Error;

/// Why a series cannot be split. Each prints one line.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The share is outside `[0, 1)`.
    #[error(
        "a validation share of {share} is not possible; choose one from 0 up to, not including, 1"
    )]
    Share {
        /// The share.
        share: f64,
    },
    /// The share leaves no row for training, or none for validation.
    #[error(
        "a validation share of {share} of {rows} rows leaves nothing to {starved}; choose another share or give more rows"
    )]
    Starved {
        /// The share.
        share: f64,
        /// The rows of the series.
        rows: usize,
        /// The part without a row.
        starved: &'static str,
    },
}

/// The affine map of one column that gives its training rows mean 0 and deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Standardisation {
    /// Mean of the training rows, in the column's units.
    pub mean: f64,
    /// Standard deviation of the training rows (their number in the denominator), in the column's
    /// units. For a constant column it is 1, because nothing can be divided by 0: the training rows
    /// become 0, and a later change keeps its size.
    pub deviation: f64,
}

impl Standardisation {
    /// Fits one column on `training`, the values before the split. An empty slice gives the identity.
    pub fn fit(training: &[f64]) -> Self {
        let Some(&first) = training.first() else {
            return Self { mean: 0.0, deviation: 1.0 };
        };
        if training.iter().all(|&value| value == first) {
            return Self { mean: first, deviation: 1.0 };
        }
        // In units of the largest value, so that no sum or square overflows.
        let largest = training.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let count = training.len() as f64;
        let mean = training.iter().map(|v| v / largest).sum::<f64>() / count;
        let squares = training.iter().map(|v| (v / largest - mean).powi(2));
        let deviation = largest * (squares.sum::<f64>() / count).sqrt();
        Self { mean: largest * mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }

    /// Standardises a value of the column. The result has no unit.
    pub fn apply(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// Brings a standardised value back to the column's units.
    pub fn undo(&self, value: f64) -> f64 {
        value * self.deviation + self.mean
    }
}

/// The first validation row of `rows` rows in time order, where the last `validation_share` of them are for
/// validation: training is `..split`, validation `split..`. It is rounded to the nearest row. A share
/// of 0 gives `rows`.
///
/// # Errors
/// If the share is outside `[0, 1)`, or leaves training or a requested validation without a row.
pub fn split_by_time(rows: usize, validation_share: f64) -> Result<usize, SplitError> {
    let share = validation_share;
    if !(0.0..1.0).contains(&share) {
        return Err(SplitError::Share { share });
    }
    let validation = ((rows as f64 * share).round() as usize).min(rows);
    let starved = if validation == rows {
        "train on"
    } else if validation == 0 && share > 0.0 {
        "validate on"
    } else {
        return Ok(rows - validation);
    };
    Err(SplitError::Starved { share, rows, starved })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scale_has_mean_and_deviation() {
        let fitted = Standardisation::fit(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((fitted.mean, fitted.deviation), (5.0, 2.0));
        assert_eq!(fitted.apply(9.0), 2.0);
        assert_eq!(fitted.undo(-1.5), 2.0);
    }

    #[test]
    fn a_constant_column_has_deviation_1() {
        for constant in [0.0, 0.1, -1e300, 5e-324] {
            let fitted = Standardisation::fit(&[constant; 7]);
            assert_eq!((fitted.mean, fitted.deviation), (constant, 1.0));
            assert_eq!(fitted.apply(constant), 0.0);
            assert_eq!(fitted.undo(0.0), constant);
        }
    }

    #[test]
    fn enormous_and_tiny_values_are_standardised() {
        for scale in [1e307, 1e-300] {
            let fitted = Standardisation::fit(&[-scale, scale, -scale, scale]);
            assert_eq!((fitted.mean, fitted.deviation), (0.0, scale));
        }
    }

    #[test]
    fn the_split_is_by_time() {
        assert_eq!(split_by_time(144, 0.25), Ok(108));
        assert_eq!(split_by_time(10, 0.0), Ok(10));
        assert_eq!(split_by_time(2, 0.5), Ok(1));
        for share in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            let error = split_by_time(10, share).unwrap_err().to_string();
            assert!(error.contains(&share.to_string()), "{error}");
        }
        for (rows, share) in [(3, 0.1), (3, 0.9), (0, 0.0), (0, 0.5)] {
            let error = split_by_time(rows, share).unwrap_err().to_string();
            assert!(error.contains(&format!("of {rows} rows")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn undo_undoes_apply(
            training in prop::collection::vec(-1e9..1e9_f64, 1..40),
            value in -1e9..1e9_f64,
        ) {
            let fitted = Standardisation::fit(&training);
            let back = fitted.undo(fitted.apply(value));
            let size = value.abs().max(fitted.mean.abs());
            prop_assert!((back - value).abs() <= 4.0 * f64::EPSILON * size, "{back} for {value}");
        }

        #[test]
        fn standardised_training_rows_have_mean_0_and_deviation_1(
            training in prop::collection::vec(-1e9..1e9_f64, 2..40),
        ) {
            let fitted = Standardisation::fit(&training);
            let count = training.len() as f64;
            let applied: Vec<f64> = training.iter().map(|&value| fitted.apply(value)).collect();
            let mean = applied.iter().sum::<f64>() / count;
            let variance = applied.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            prop_assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
        }
    }
}
