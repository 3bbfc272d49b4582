//! Training rows, validation rows, test rows, and the scale of the training rows.
//!
//! They follow each other in time. What is fitted is fitted to the training rows, what is chosen is chosen on the validation
//! rows, and the test rows tell how good that is; the standardisation uses the training rows only.

use thiserror::Error;

/// Why a series cannot be split. Each prints one line.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The share is outside `[0, 1)`.
    #[error("a share of {share} is not possible; choose one from 0 up to, not including, 1")]
    Share {
        /// The share.
        share: f64,
    },
    /// Too little is left to train on.
    #[error(
        "{rows} rows leave less than {LEAST} to train on after those that validate and test, at least a horizon of {horizon} each: choose a shorter --horizon, smaller shares, or give more rows"
    )]
    Starved {
        /// The rows of the series.
        rows: usize,
        /// Rows forecast at once.
        horizon: usize,
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

/// Where the parts of a series begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The first row that validates.
    pub split: usize,
    /// The first row that tests; the number of rows where none does.
    pub test: usize,
    /// What the series is too short for.
    pub given_up: GivenUp,
}

/// Rows to train on, at least: with fewer nothing can be fitted.
const LEAST: usize = 8;

/// What a short series has less of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Nothing.
    Nothing,
    /// Validation and test have fewer rows than their shares.
    Shares,
    /// There are no test rows.
    Test,
}

/// The share of the rows that validates, where none is asked for.
pub const VALID_SHARE: f64 = 0.25;

/// The share of the rows that tests, where none is asked for.
pub const TEST_SHARE: f64 = 0.15;

/// The parts of `rows` rows in time order: shares for validation and test, each at least a horizon, the test the last rows.
/// A share that is asked for is kept. Where that leaves less than two seasons and two rows, a horizon or 16 rows to train on,
/// the shares are smaller, and if that is still too much, nothing tests.
///
/// # Errors
/// If a share is outside `[0, 1)`, or nothing is left to train on.
pub fn parts_by_time(
    rows: usize,
    shares: [Option<f64>; 2],
    horizon: usize,
    season: Option<usize>,
) -> Result<Parts, SplitError> {
    for share in shares.into_iter().flatten() {
        if !(0.0..1.0).contains(&share) {
            return Err(SplitError::Share { share });
        }
    }
    let [valid, test] = shares;
    let of = |share: f64| match (rows as f64 * share).round() as usize {
        0 if share == 0.0 => 0,
        rows => rows.max(horizon),
    };
    let parts = |valid: usize, test: usize, given_up| {
        let before = rows.checked_sub(test)?;
        let split = before.checked_sub(valid).filter(|&split| split >= LEAST)?;
        Some(Parts { split, test: before, given_up })
    };
    let least = (season.map_or(0, |season| 2 * season + 2)).max(horizon).max(16);
    let enough = |parts: &Option<Parts>| parts.is_some_and(|parts| parts.split >= least);
    let usual = of(valid.unwrap_or(VALID_SHARE));
    let whole = parts(usual, of(test.unwrap_or(TEST_SHARE)), GivenUp::Nothing);
    // What is left beside the least to train on, divided as the usual shares are.
    let rest = rows.saturating_sub(least);
    let tested = match shares {
        [Some(share), None] => rest.saturating_sub(of(share)),
        [_, Some(share)] => of(share),
        [None, None] => (rest as f64 * TEST_SHARE / (VALID_SHARE + TEST_SHARE)) as usize,
    };
    let tested = tested.max(if test == Some(0.0) { 0 } else { horizon });
    let validated = valid.map_or(rest.saturating_sub(tested), of);
    let less = parts(validated, tested, GivenUp::Shares).filter(|_| validated >= horizon);
    // A test that is asked for stays.
    let untested = |valid: usize| {
        parts(valid, 0, GivenUp::Test).filter(|_| test.is_none() && valid >= horizon)
    };
    let tried = [whole, less, untested(usual), untested(valid.map_or(rest, of))];
    let found = tried.into_iter().find(enough).flatten();
    found.or(whole).or(untested(usual)).ok_or(SplitError::Starved { rows, horizon })
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
    fn three_parts_follow_each_other_and_short_series_give_up_the_test() {
        let of = |rows, shares, horizon, season| {
            let Parts { split, test, given_up } =
                parts_by_time(rows, shares, horizon, season).unwrap();
            (split, test, given_up)
        };
        assert_eq!(of(144, [None; 2], 12, Some(12)), (86, 122, GivenUp::Nothing));
        assert_eq!(of(1000, [Some(0.2), Some(0.3)], 7, None), (500, 700, GivenUp::Nothing));
        assert_eq!(of(60, [None; 2], 8, Some(12)), (36, 51, GivenUp::Nothing));
        assert_eq!(of(42, [None; 2], 6, Some(12)), (26, 36, GivenUp::Shares));
        assert_eq!(of(40, [None; 2], 1, Some(12)), (26, 35, GivenUp::Shares));
        assert_eq!(of(144, [None; 2], 1, Some(130)), (86, 122, GivenUp::Nothing));
        assert_eq!(of(144, [None; 2], 100, None), (44, 144, GivenUp::Test));
        assert_eq!(of(72, [None; 2], 24, Some(12)), (48, 72, GivenUp::Test));
        assert_eq!(of(72, [None, Some(0.0)], 24, Some(12)), (48, 72, GivenUp::Nothing));
        // What is asked for stays.
        assert_eq!(of(72, [None, Some(0.2)], 24, Some(12)), (24, 48, GivenUp::Nothing));
        assert!(parts_by_time(20, [None; 2], 24, None).is_err());
        assert!(parts_by_time(20, [Some(1.0), None], 2, None).is_err());
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
