//! From a series to the rows that a model reads, and from a model's output back to the units of the series.
//!
//! A row holds the columns to forecast, transformed and standardised, then the exogenous columns, standardised, then the
//! calendar features of the row's date. The standardisation uses the training rows only.

use super::dates::{Calendar, CalendarError, Feature};
use super::series::Series;
use super::split::Standardisation;
use super::transform::{Transform, TransformError};
use jiff::civil::DateTime;

/// The map, fitted to the training rows of a series.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Features {
    /// The transform of the columns to forecast.
    pub transform: Transform,
    /// The calendar features.
    pub calendar: Vec<Feature>,
    /// The scale of each transformed column.
    pub targets: Vec<Standardisation>,
    /// The scale of each exogenous column.
    pub exogenous: Vec<Standardisation>,
}

/// Why a series has no such rows. Each prints one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// A column cannot be transformed.
    #[error("column '{column}', {source}")]
    Transform {
        /// The column.
        column: String,
        /// Why not.
        source: TransformError,
    },
    /// The differences use up the training rows.
    #[error(
        "the differences use up the first {lost} rows and there are {training} to train on: take fewer differences, or give more rows"
    )]
    NoTraining {
        /// The rows that the differences use up.
        lost: usize,
        /// Rows to train on.
        training: usize,
    },
    /// There are no dates for calendar features.
    #[error(
        "calendar features need a column of dates, and there is none; name it with --date-column"
    )]
    NoDates,
    /// The dates are no calendar.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

/// The rows that a model reads, from the first row that has all its differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// `[row][width]`.
    pub values: Vec<f64>,
    /// Values per row.
    pub width: usize,
    /// The row of the series that comes first.
    pub first: usize,
}

impl Rows {
    /// The number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// The rows `from..to` of the series, one after the other.
    ///
    /// # Panics
    /// If the rows do not exist.
    pub fn range(&self, from: usize, to: usize) -> &[f64] {
        &self.values[(from - self.first) * self.width..(to - self.first) * self.width]
    }
}

impl Features {
    /// Fits the scales to the rows before `split`.
    ///
    /// # Errors
    /// If a column cannot be transformed, or no training row is left.
    pub fn fit(
        series: &Series,
        split: usize,
        transform: Transform,
        calendar: Vec<Feature>,
    ) -> Result<Self, FeatureError> {
        let lost = transform.lost();
        if split <= lost {
            return Err(FeatureError::NoTraining { lost, training: split });
        }
        let mut features = Self { transform, calendar, targets: Vec::new(), exogenous: Vec::new() };
        features.targets = features
            .transformed(series)?
            .iter()
            .map(|column| Standardisation::fit(&column[..split - lost]))
            .collect();
        features.exogenous =
            series.exogenous.iter().map(|column| Standardisation::fit(&column[..split])).collect();
        Ok(features)
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.targets.len() + self.exogenous.len() + 2 * self.calendar.len()
    }

    fn transformed(&self, series: &Series) -> Result<Vec<Vec<f64>>, FeatureError> {
        let columns = series.names.iter().zip(&series.values);
        columns
            .map(|(name, column)| {
                self.transform.forward(column).map_err(|source| refused(name, source))
            })
            .collect()
    }

    /// The rows of a series. It may be another one than the scales were fitted to.
    ///
    /// # Errors
    /// If a column cannot be transformed, or dates are missing.
    ///
    /// # Panics
    /// If the series has other columns.
    pub fn rows(&self, series: &Series, dates: Option<&Calendar>) -> Result<Rows, FeatureError> {
        assert_eq!(series.values.len(), self.targets.len());
        assert_eq!(series.exogenous.len(), self.exogenous.len());
        let first = self.transform.lost();
        let columns = self.transformed(series)?;
        let dates = match dates {
            Some(calendar) => calendar.moments(),
            None if self.calendar.is_empty() => &[],
            None => return Err(FeatureError::NoDates),
        };
        let mut values = Vec::with_capacity((series.rows() - first) * self.width());
        for row in first..series.rows() {
            let targets = columns.iter().zip(&self.targets);
            values.extend(targets.map(|(column, scale)| scale.apply(column[row - first])));
            let exogenous = series.exogenous.iter().zip(&self.exogenous);
            values.extend(exogenous.map(|(column, scale)| scale.apply(column[row])));
            if !self.calendar.is_empty() {
                values.extend(self.of_date(dates[row].local));
            }
        }
        Ok(Rows { values, width: self.width(), first })
    }

    /// The calendar features of a date.
    pub fn of_date(&self, date: DateTime) -> impl Iterator<Item = f64> {
        self.calendar.iter().flat_map(move |feature| feature.of(date))
    }

    /// Brings a path `[step][target]` of transformed and standardised values, which follows the first `origin` rows of the
    /// series, back to the units of the series: `[step][target]`.
    ///
    /// # Errors
    /// If a column cannot be transformed.
    pub fn undo(
        &self,
        series: &Series,
        origin: usize,
        path: &[f64],
    ) -> Result<Vec<f64>, FeatureError> {
        let targets = self.targets.len();
        let mut undone = vec![0.0; path.len()];
        for (c, (name, column)) in series.names.iter().zip(&series.values).enumerate() {
            let mut back =
                self.transform.back(&column[..origin]).map_err(|source| refused(name, source))?;
            for (step, value) in path.iter().skip(c).step_by(targets).enumerate() {
                undone[step * targets + c] = back.step(self.targets[c].undo(*value));
            }
        }
        Ok(undone)
    }

    /// Transforms and standardises a path `[step][target]` in the units of the series, which follows its first `origin` rows.
    ///
    /// # Errors
    /// If a column cannot be transformed.
    pub fn apply(
        &self,
        series: &Series,
        origin: usize,
        path: &[f64],
    ) -> Result<Vec<f64>, FeatureError> {
        let targets = self.targets.len();
        let from = origin.saturating_sub(self.transform.lost());
        let mut applied = vec![0.0; path.len()];
        for (c, (name, column)) in series.names.iter().zip(&series.values).enumerate() {
            let mut rows = column[from..origin].to_vec();
            rows.extend(path.iter().skip(c).step_by(targets));
            let mapped = self.transform.forward(&rows).map_err(|source| refused(name, source))?;
            for (step, value) in mapped.into_iter().enumerate() {
                applied[step * targets + c] = self.targets[c].apply(value);
            }
        }
        Ok(applied)
    }
}

fn refused(column: &str, source: TransformError) -> FeatureError {
    FeatureError::Transform { column: column.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> (Series, Calendar) {
        let mut series = Series::airline_passengers();
        series.names.push("half".into());
        series.values.push(series.values[0].iter().map(|x| x / 2.0 + 7.0).collect());
        series.exogenous_names.push("row".into());
        series.exogenous.push((0..144).map(f64::from).collect());
        let calendar = series.calendar.clone().unwrap();
        (series, calendar)
    }

    #[test]
    fn a_row_is_targets_exogenous_and_calendar() {
        let (series, calendar) = series();
        let transform = Transform { log: true, season: Some(12), difference: 1 };
        let features = Features::fit(&series, 108, transform, vec![Feature::Month]).unwrap();
        let rows = features.rows(&series, Some(&calendar)).unwrap();
        assert_eq!((rows.width, rows.first, rows.count()), (5, 13, 131));
        let training = rows.range(13, 108);
        for c in 0..2 {
            let column = training.iter().skip(c).step_by(5);
            let (sum, squares) = column.fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
            assert!(sum.abs() < 1e-9 && (squares / 95.0 - 1.0).abs() < 1e-9, "{sum} {squares}");
        }
        let january = rows.range(24, 25);
        assert_eq!(january[3..], [0.0, 1.0]);
        assert!((rows.range(108, 109)[2] - (108.0 - 53.5) / 31.17).abs() < 0.01);
        assert_eq!(features.rows(&series, None), Err(FeatureError::NoDates));
    }

    #[test]
    fn apply_and_undo_are_each_other_s_way_back() {
        let (series, calendar) = series();
        for transform in [
            Transform::default(),
            Transform { log: true, season: None, difference: 1 },
            Transform { log: true, season: Some(12), difference: 1 },
        ] {
            let features = Features::fit(&series, 108, transform, Vec::new()).unwrap();
            let rows = features.rows(&series, Some(&calendar)).unwrap();
            for origin in [20, 108, 140] {
                let scaled: Vec<f64> = (origin..origin + 4)
                    .flat_map(|row| rows.range(row, row + 1)[..2].to_vec())
                    .collect();
                let undone = features.undo(&series, origin, &scaled).unwrap();
                for (i, value) in undone.iter().enumerate() {
                    let expected = series.values[i % 2][origin + i / 2];
                    assert!((value - expected).abs() < 1e-9 * expected, "{value} {expected}");
                }
                let again = features.apply(&series, origin, &undone).unwrap();
                assert!(again.iter().zip(&scaled).all(|(a, b)| (a - b).abs() < 1e-9));
            }
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let (mut series, _) = series();
        let log = Transform { log: true, ..Transform::default() };
        series.values[1][5] = -2.0;
        let line = Features::fit(&series, 108, log, Vec::new()).unwrap_err().to_string();
        assert!(line.starts_with("column 'half', row 6 is -2,"), "{line}");
        let long = Transform { season: Some(120), ..Transform::default() };
        let line = Features::fit(&series, 108, long, Vec::new()).unwrap_err().to_string();
        assert!(line.contains("first 120 rows and there are 108"), "{line}");
    }
}
