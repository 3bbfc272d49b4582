//! Transforms of a series that make it easier to forecast, each with its exact inverse along a path.
//!
//! They apply in this order: the logarithm `z_t = ln x_t`, the seasonal difference `z_t = x_t − x_{t−s}`, and `d` times the
//! difference `z_t = x_t − x_{t−1}` (Box & Jenkins 1976, chapters 4 and 9). A difference loses the level, so the inverse
//! needs the rows before the path. The logarithm and one difference together are the logarithmic returns of a price.

use std::collections::VecDeque;

/// The transforms of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Transform {
    /// Whether logarithms are taken.
    pub log: bool,
    /// `s`: rows of a season, if the seasonal difference is taken.
    pub season: Option<usize>,
    /// `d`: how often the difference is taken.
    pub difference: usize,
}

/// Why a series cannot be transformed. Each prints one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TransformError {
    /// The logarithm of a number that is not above 0.
    #[error(
        "row {row} is {value}, and the logarithm needs values above 0: leave out --log, or choose another column"
    )]
    NotPositive {
        /// The row, counted from 1.
        row: usize,
        /// Its value.
        value: f64,
    },
    /// A season of no rows.
    #[error("a season of 0 rows is not possible; choose at least 1")]
    NoSeason,
    /// Too few rows for the differences.
    #[error(
        "the differences use up the first {lost} of {rows} rows and leave none: take fewer differences, or give more rows"
    )]
    TooShort {
        /// The rows of the series.
        rows: usize,
        /// The rows that the differences use up.
        lost: usize,
    },
}

impl Transform {
    /// Rows at the start of a series that have no difference: `s + d`.
    pub fn lost(&self) -> usize {
        self.season.unwrap_or(0).saturating_add(self.difference)
    }

    /// Whether the level is removed, so that 0 means "no change".
    pub fn differs(&self) -> bool {
        self.lost() > 0
    }

    /// The same without the differences, which change the level but not the shape of a distribution.
    pub fn without_differences(&self) -> Self {
        Self { log: self.log, ..Self::default() }
    }

    /// Transforms a series. The result is shorter by [`lost`](Self::lost) rows at its start.
    ///
    /// ```
    /// use bptt::data::transform::Transform;
    ///
    /// let transform = Transform { season: Some(2), difference: 1, ..Transform::default() };
    /// let series = [1.0, 5.0, 2.0, 7.0, 4.0];
    /// let mapped = transform.forward(&series)?; // over a season 1, 2, 2, and their differences
    /// assert_eq!(mapped, [1.0, 0.0]);
    /// assert_eq!(transform.inverse(&series[..3], &mapped)?, [7.0, 4.0]);
    /// # Ok::<(), bptt::data::transform::TransformError>(())
    /// ```
    ///
    /// # Errors
    /// If a value has no logarithm, or there are too few rows.
    pub fn forward(&self, series: &[f64]) -> Result<Vec<f64>, TransformError> {
        let lost = self.lost();
        if self.season == Some(0) {
            return Err(TransformError::NoSeason);
        }
        if series.len() <= lost {
            return Err(TransformError::TooShort { rows: series.len(), lost });
        }
        Ok(self.levels(series, 0)?.pop().expect("the series itself is one"))
    }

    /// The series after each of the transforms. Errors count rows from `before` rows earlier.
    fn levels(&self, series: &[f64], before: usize) -> Result<Vec<Vec<f64>>, TransformError> {
        let mut level = series.to_vec();
        if self.log {
            for (row, value) in level.iter_mut().enumerate() {
                if *value <= 0.0 || value.is_nan() {
                    let row = before + row + 1;
                    return Err(TransformError::NotPositive { row, value: *value });
                }
                *value = value.ln();
            }
        }
        let mut levels = vec![level];
        for lag in self.lags() {
            let last = levels.last().expect("one at least");
            let differences = last.iter().skip(lag).zip(last).map(|(now, then)| now - then);
            let next = differences.collect();
            levels.push(next);
        }
        Ok(levels)
    }

    /// The lags of the differences in the order in which they are taken.
    fn lags(&self) -> impl Iterator<Item = usize> + use<> {
        self.season.into_iter().chain(std::iter::repeat_n(1, self.difference))
    }

    /// The inverse, started at the end of `past`, of which it keeps the last rows.
    ///
    /// # Errors
    /// If a value has no logarithm, or there are fewer than [`lost`](Self::lost) rows.
    pub fn back(&self, past: &[f64]) -> Result<Back, TransformError> {
        let lost = self.lost();
        if self.season == Some(0) {
            return Err(TransformError::NoSeason);
        }
        let before = past.len().checked_sub(lost);
        let before = before.ok_or(TransformError::TooShort { rows: past.len(), lost })?;
        let levels = self.levels(&past[before..], before)?;
        let histories = levels.iter().zip(self.lags()).map(|(level, lag)| {
            let recent = &level[level.len() - lag..];
            recent.iter().copied().collect()
        });
        Ok(Back { log: self.log, histories: histories.collect() })
    }

    /// The rows after `past` from their transformed values `mapped`.
    ///
    /// # Errors
    /// As [`Transform::back`].
    pub fn inverse(&self, past: &[f64], mapped: &[f64]) -> Result<Vec<f64>, TransformError> {
        let mut back = self.back(past)?;
        Ok(mapped.iter().map(|&value| back.step(value)).collect())
    }
}

/// The inverse, row by row.
#[derive(Clone, Debug)]
pub struct Back {
    log: bool,
    /// For each difference, in the order of their use, the last values that it was taken of, as many as its lag.
    /// The oldest is at the front.
    histories: Vec<VecDeque<f64>>,
}

impl Back {
    /// The next row in the units of the series, from its transformed value.
    pub fn step(&mut self, mapped: f64) -> f64 {
        let mut value = mapped;
        for history in self.histories.iter_mut().rev() {
            value += history.pop_front().expect("as many as the lag");
            history.push_back(value);
        }
        if self.log { value.exp() } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transforms() -> impl Strategy<Value = Transform> {
        (any::<bool>(), prop::option::of(1..8_usize), 0..3_usize)
            .prop_map(|(log, season, difference)| Transform { log, season, difference })
    }

    proptest! {
        #[test]
        fn the_way_back_leads_to_where_it_came_from(
            transform in transforms(),
            series in prop::collection::vec(0.5..1e3_f64, 12..60),
            share in 0.0..1.0_f64,
        ) {
            let lost = transform.lost();
            let mapped = transform.forward(&series).unwrap();
            prop_assert_eq!(mapped.len(), series.len() - lost);
            let split = lost + ((series.len() - lost) as f64 * share) as usize;
            let back = transform.inverse(&series[..split], &mapped[split - lost..]).unwrap();
            prop_assert_eq!(back.len(), series.len() - split);
            for (t, (back, value)) in back.iter().zip(&series[split..]).enumerate() {
                // Two differences add up the rounding errors of values of 1000, once more at each row.
                let size = if transform.log { 10.0 * value } else { 1e3 };
                let bound = 16.0 * f64::EPSILON * size * ((t + 1) * (t + 2)) as f64;
                prop_assert!((back - value).abs() <= bound, "{t}: {back} for {value}");
            }
        }

        /// `x_{t+k} = x_t + Σ_{j≤k} z_{t+j}`, and twice `x_t + k (x_t − x_{t−1}) + Σ_{j≤k} (k − j + 1) z_{t+j}`;
        /// over a season `x_{t+k−s⌈k/s⌉} + Σ_i z_{t+k−is}` over those after t.
        #[test]
        fn steps_are_the_closed_forms(
            past in prop::collection::vec(1.0..100.0_f64, 9..20),
            path in prop::collection::vec(-1.0..1.0_f64, 1..30),
            season in 1..8_usize,
        ) {
            let (last, n) = (past[past.len() - 1], past.len());
            let near = |what: &str, ours: &[f64], theirs: &dyn Fn(usize) -> f64| {
                for (k, value) in (1..).zip(ours) {
                    let expected = theirs(k);
                    prop_assert!((value - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{what} {k}");
                }
                Ok(())
            };
            let sum = |k: usize| path[..k].iter().sum::<f64>();
            let once = Transform { difference: 1, ..Transform::default() };
            near("once", &once.inverse(&past, &path).unwrap(), &|k| last + sum(k))?;
            let twice = Transform { difference: 2, ..Transform::default() };
            near("twice", &twice.inverse(&past, &path).unwrap(), &|k| {
                let weighted = (1..=k).map(|j| (k - j + 1) as f64 * path[j - 1]).sum::<f64>();
                last + k as f64 * (last - past[n - 2]) + weighted
            })?;
            let returns = Transform { log: true, difference: 1, ..Transform::default() };
            near("returns", &returns.inverse(&past, &path).unwrap(), &|k| last * sum(k).exp())?;
            let seasonal = Transform { season: Some(season), ..Transform::default() };
            near("seasonal", &seasonal.inverse(&past, &path).unwrap(), &|k| {
                let seasons = k.div_ceil(season);
                let level = past[n + k - 1 - season * seasons];
                level + (0..seasons).map(|i| path[k - 1 - i * season]).sum::<f64>()
            })?;
        }
    }

    #[test]
    fn what_has_no_logarithm_is_named() {
        let log = Transform { log: true, ..Transform::default() };
        let line = log.forward(&[1.0, 2.0, 0.0]).unwrap_err().to_string();
        assert!(line.starts_with("row 3 is 0,"), "{line}");
        // Rows before those that the inverse needs are counted, but not read.
        let returns = Transform { difference: 1, ..log };
        let line = returns.back(&[1.0, 2.0, -3.0]).unwrap_err().to_string();
        assert!(line.starts_with("row 3 is -3,"), "{line}");
        assert!(returns.back(&[-1.0, 2.0]).is_ok());
    }

    #[test]
    fn too_few_rows_are_counted() {
        let transform = Transform { season: Some(4), difference: 1, ..Transform::default() };
        let line = transform.forward(&[1.0; 5]).unwrap_err().to_string();
        assert!(line.contains("first 5 of 5 rows"), "{line}");
        assert_eq!(transform.forward(&[1.0; 6]), Ok(vec![0.0]));
        assert!(transform.back(&[1.0; 4]).is_err() && transform.back(&[1.0; 5]).is_ok());
        let none = Transform { season: Some(0), ..Transform::default() };
        assert_eq!(none.forward(&[1.0; 6]), Err(TransformError::NoSeason));
        let huge = Transform { season: Some(usize::MAX), difference: 2, ..Transform::default() };
        assert!(huge.forward(&[1.0; 6]).is_err());
    }
}
