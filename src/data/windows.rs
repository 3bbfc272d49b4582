//! From columns to what a network sees: standardised, split by time, cut into windows.
//!
//! Time runs one way here. The standardisation knows the training rows only, training windows
//! end before the split, and the window for a validation row ends at the row before it.

use std::ops::Range;

use thiserror::Error;

/// Why a series could not be split or cut into windows; one line of text each.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WindowError {
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
        /// Rows there are.
        rows: usize,
        /// What has no row.
        starved: &'static str,
    },
    /// A window of no steps.
    #[error("a window of 0 steps holds nothing; choose at least 1")]
    NoSteps,
    /// The training part holds no window and its next value.
    #[error(
        "a window of {window} steps and its next value need {needed} training rows, and there are {found}; choose a shorter window or a smaller validation share"
    )]
    TooFewRows {
        /// Steps of a window.
        window: usize,
        /// Training rows needed.
        needed: usize,
        /// What was found.
        found: usize,
    },
    /// The split lies outside the rows.
    #[error("a split at row {split} is not possible with {rows} rows")]
    Split {
        /// The first row that is not for training.
        split: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Columns of unequal length.
    #[error("column {column} has {found} rows and the first has {expected}; make them equal")]
    UnequalColumns {
        /// The column.
        column: usize,
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
    },
    /// No column at all.
    #[error("there is no column to cut into windows")]
    NoColumns,
    /// The windows do not fit into memory.
    #[error(
        "{windows} windows of {window} steps and {columns} columns do not fit into memory; choose a shorter window"
    )]
    TooLarge {
        /// Windows.
        windows: usize,
        /// Steps of a window.
        window: usize,
        /// Columns.
        columns: usize,
    },
}

/// The affine map of one column that gives its training rows mean 0 and deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Standardisation {
    /// Mean of the training rows, in the column's units.
    pub mean: f64,
    /// Standard deviation of the training rows (their number in the denominator), in the column's
    /// units. It is 1 for a constant column: 0 could not be divided by, and with 1 the training rows
    /// become 0 and a later departure from the constant keeps its size.
    pub deviation: f64,
}

impl Standardisation {
    /// Fits one column on `training`, the values before the split. Nothing at all gives the identity.
    pub fn fit(training: &[f64]) -> Self {
        let Some(&first) = training.first() else {
            return Self { mean: 0.0, deviation: 1.0 };
        };
        if training.iter().all(|&value| value == first) {
            return Self { mean: first, deviation: 1.0 };
        }
        // In units of the largest value, so that no sum or square leaves the range of numbers.
        let largest = training.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let count = training.len() as f64;
        let mean = training.iter().map(|v| v / largest).sum::<f64>() / count;
        let squares = training.iter().map(|v| (v / largest - mean).powi(2));
        let deviation = largest * (squares.sum::<f64>() / count).sqrt();
        Self { mean: largest * mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }

    /// Fits every column of `[column][row]` on the rows before `split`.
    ///
    /// # Errors
    /// A split of 0 or past the end, columns of unequal length or none.
    pub fn fit_columns(columns: &[Vec<f64>], split: usize) -> Result<Vec<Self>, WindowError> {
        check_split(columns, split)?;
        Ok(columns.iter().map(|column| Self::fit(&column[..split])).collect())
    }

    /// A value of the column, standardised (no unit).
    pub fn apply(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// A standardised value in the column's units again.
    pub fn undo(&self, value: f64) -> f64 {
        value * self.deviation + self.mean
    }
}

/// The first validation row of `rows` rows in time order when `validation_share` of them, the last
/// ones, validate: training is `..split`, validation `split..`. Rounded to the nearest row; a share
/// of 0 gives `rows`.
///
/// # Errors
/// A share outside `[0, 1)`, or one that leaves training, or a validation asked for, without a row.
pub fn split_by_time(rows: usize, validation_share: f64) -> Result<usize, WindowError> {
    let share = validation_share;
    if !(0.0..1.0).contains(&share) {
        return Err(WindowError::Share { share });
    }
    let validation = ((rows as f64 * share).round() as usize).min(rows);
    let starved = if validation == rows {
        "train on"
    } else if validation == 0 && share > 0.0 {
        "validate on"
    } else {
        return Ok(rows - validation);
    };
    Err(WindowError::Starved { share, rows, starved })
}

/// Windows over a series with the next value at every step as target.
///
/// Window `i` belongs to row `first_row + i`, the row of its last target:
/// inputs are the `time` rows before it, targets the same rows one step later.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// `[windows][time][columns]`
    pub inputs: Vec<f64>,
    /// `[windows][time][columns]`: at every step the input of the step after it.
    pub targets: Vec<f64>,
    /// Number of windows; 0 when validation has no rows.
    pub windows: usize,
    /// Steps in a window.
    pub time: usize,
    /// Values at a step.
    pub columns: usize,
    /// The row of the last target of the first window.
    pub first_row: usize,
}

/// Every window of `window` steps whose inputs and targets all lie in the training rows `..split`.
/// `columns` is `[column][row]`; there are `split − window` windows.
///
/// # Errors
/// A window of 0 or with fewer than `window + 1` training rows, a split of 0 or past the end, columns
/// of unequal length or none, and windows too many for memory.
pub fn training_windows(
    columns: &[Vec<f64>],
    split: usize,
    window: usize,
) -> Result<Windows, WindowError> {
    check_window(columns, split, window)?;
    cut(columns, window..split, window)
}

/// For every validation row `t`, that is `split..`, the window of the `window` rows before it. The last
/// target of each window is row `t` itself; the earlier targets are rows the window has seen. Inputs
/// may reach back into the training rows, never to `t` or past it. There are `rows − split` windows.
///
/// # Errors
/// As [`training_windows`].
pub fn validation_windows(
    columns: &[Vec<f64>],
    split: usize,
    window: usize,
) -> Result<Windows, WindowError> {
    let rows = check_window(columns, split, window)?;
    cut(columns, split..rows, window)
}

fn check_split(columns: &[Vec<f64>], split: usize) -> Result<usize, WindowError> {
    let expected = columns.first().ok_or(WindowError::NoColumns)?.len();
    for (index, column) in columns.iter().enumerate() {
        if column.len() != expected {
            return Err(WindowError::UnequalColumns {
                column: index + 1,
                found: column.len(),
                expected,
            });
        }
    }
    if split == 0 || split > expected {
        return Err(WindowError::Split { split, rows: expected });
    }
    Ok(expected)
}

fn check_window(columns: &[Vec<f64>], split: usize, window: usize) -> Result<usize, WindowError> {
    let rows = check_split(columns, split)?;
    if window == 0 {
        return Err(WindowError::NoSteps);
    }
    if split <= window {
        return Err(WindowError::TooFewRows {
            window,
            needed: window.saturating_add(1),
            found: split,
        });
    }
    Ok(rows)
}

/// One window for each of `last_rows`, which are the rows of their last targets.
fn cut(
    columns: &[Vec<f64>],
    last_rows: Range<usize>,
    window: usize,
) -> Result<Windows, WindowError> {
    let windows = last_rows.len();
    let too_large = || WindowError::TooLarge { windows, window, columns: columns.len() };
    let length = windows
        .checked_mul(window)
        .and_then(|steps| steps.checked_mul(columns.len()))
        .ok_or_else(too_large)?;
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    inputs.try_reserve_exact(length).map_err(|_| too_large())?;
    targets.try_reserve_exact(length).map_err(|_| too_large())?;
    for last in last_rows.clone() {
        for row in last - window..last {
            inputs.extend(columns.iter().map(|column| column[row]));
            targets.extend(columns.iter().map(|column| column[row + 1]));
        }
    }
    Ok(Windows {
        inputs,
        targets,
        windows,
        time: window,
        columns: columns.len(),
        first_row: last_rows.start,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two_columns(rows: usize) -> Vec<Vec<f64>> {
        let first: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let second = first.iter().map(|value| value + 100.0).collect();
        vec![first, second]
    }

    #[test]
    fn standardisation_is_fitted_on_training_rows_only() {
        let columns = [vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, 1e6]];
        let fitted = Standardisation::fit_columns(&columns, 8).unwrap()[0];
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

    #[test]
    fn windows_hold_the_rows_they_should() {
        let columns = two_columns(6);
        let training = training_windows(&columns, 4, 2).unwrap();
        assert_eq!(training.inputs, [0., 100., 1., 101., 1., 101., 2., 102.]);
        assert_eq!(training.targets, [1., 101., 2., 102., 2., 102., 3., 103.]);
        let sizes = (training.windows, training.time, training.columns);
        assert_eq!((sizes, training.first_row), ((2, 2, 2), 2));
        let validation = validation_windows(&columns, 4, 2).unwrap();
        assert_eq!(validation.inputs, [2., 102., 3., 103., 3., 103., 4., 104.]);
        assert_eq!(validation.targets, [3., 103., 4., 104., 4., 104., 5., 105.]);
        assert_eq!((validation.windows, validation.first_row), (2, 4));
        assert_eq!(validation_windows(&columns, 6, 2).unwrap().windows, 0);
    }

    #[test]
    fn what_cannot_be_cut_is_refused_with_the_numbers() {
        let columns = two_columns(10);
        let line = |result: Result<Windows, WindowError>| result.unwrap_err().to_string();
        let short = line(training_windows(&columns, 8, 8));
        assert!(short.contains("window of 8 steps") && short.contains("need 9 training rows"));
        assert!(short.contains("there are 8"), "{short}");
        assert!(line(validation_windows(&columns, 8, 8)).contains("need 9"));
        assert!(line(training_windows(&columns, 8, usize::MAX)).contains("there are 8"));
        assert!(line(training_windows(&columns, 8, 0)).contains("at least 1"));
        assert!(line(training_windows(&columns, 0, 1)).contains("row 0"));
        assert!(line(training_windows(&columns, 11, 1)).contains("10 rows"));
        assert!(line(training_windows(&[], 1, 1)).contains("no column"));
        let unequal = [vec![0.0; 3], vec![0.0; 2]];
        assert!(line(training_windows(&unequal, 2, 1)).contains("column 2 has 2 rows"));
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

        /// Values are row numbers, so every value says which row it was taken from.
        #[test]
        fn windows_never_look_past_the_split(
            window in 1..30_usize,
            further_training in 1..30_usize,
            validation_rows in 0..30_usize,
        ) {
            let split = window + further_training;
            let rows = split + validation_rows;
            let columns = [(0..rows).map(|row| row as f64).collect::<Vec<f64>>()];
            let training = training_windows(&columns, split, window).unwrap();
            prop_assert_eq!(training.windows, split - window);
            let latest = training.inputs.iter().chain(&training.targets).fold(0.0, |a: f64, &b| a.max(b));
            prop_assert_eq!(latest, (split - 1) as f64);
            let validation = validation_windows(&columns, split, window).unwrap();
            prop_assert_eq!(validation.windows, rows - split);
            for all in [&training, &validation] {
                prop_assert_eq!(all.inputs.len(), all.windows * window);
                for i in 0..all.windows {
                    let target = (all.first_row + i) as f64;
                    let steps = i * window..(i + 1) * window;
                    let before = (0..window).map(|step| target - (window - step) as f64);
                    prop_assert!(all.inputs[steps.clone()].iter().copied().eq(before.clone()));
                    prop_assert!(all.targets[steps].iter().copied().eq(before.map(|row| row + 1.0)));
                }
            }
            prop_assert_eq!(validation.first_row, split);
        }
    }
}
