//! AR(τ), the linear model of the lecture's first chapter:
//! `x_t = c + φ_1 x_{t−1} + … + φ_τ x_{t−τ} + e_t`, by least squares over the rows that have τ rows before them.
//!
//! Coefficients, criteria and orders are those of statsmodels' `AutoReg` (Box & Jenkins 1976, chapter 7; Akaike 1974;
//! Schwarz 1978).

use nalgebra::{DMatrix, DVector};
use std::f64::consts::PI;

/// A fitted AR(τ).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Autoregression {
    /// `c`.
    pub constant: f64,
    /// `φ_1 … φ_τ`, the nearest lag first.
    pub lags: Vec<f64>,
    /// `Σ e² / n`: the mean squared residual.
    pub variance: f64,
    /// `n`: rows with τ rows before them.
    pub rows: usize,
}

/// By what an order is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Akaike's: `−2 ln L + 2 k`.
    Aic,
    /// Schwarz's: `−2 ln L + k ln n`.
    Bic,
}

/// Why there is no such model of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoregressionError {
    /// Too few rows.
    #[error("{rows} rows are too few for {lags} lags: {lags} lags need at least {least} rows")]
    TooShort {
        /// What there is.
        rows: usize,
        /// τ.
        lags: usize,
        /// What it takes.
        least: usize,
    },
    /// The rows do not determine the coefficients.
    #[error("the series does not determine {0} lags: it repeats itself exactly; take fewer lags")]
    Singular(usize),
}

impl Autoregression {
    /// AR(`lags`) of a series.
    ///
    /// ```
    /// use bptt::model::Autoregression;
    ///
    /// let mut series = vec![1.0, 2.0];
    /// for t in 2..20 {
    ///     series.push(0.5 + 1.2 * series[t - 1] - 0.9 * series[t - 2]);
    /// }
    /// let fit = Autoregression::fit(&series, 2).unwrap();
    /// assert!((fit.constant - 0.5).abs() < 1e-9 && (fit.lags[1] + 0.9).abs() < 1e-9);
    /// ```
    ///
    /// # Errors
    /// If there are fewer rows than coefficients, or the rows do not determine them.
    pub fn fit(series: &[f64], lags: usize) -> Result<Self, AutoregressionError> {
        Self::fit_after(series, lags, lags)
    }

    /// The same over the rows from `first` on, so that several orders can be held against each other.
    fn fit_after(series: &[f64], lags: usize, first: usize) -> Result<Self, AutoregressionError> {
        let (width, least) = (lags + 1, first + lags + 2);
        if series.len() < least {
            return Err(AutoregressionError::TooShort { rows: series.len(), lags, least });
        }
        let rows = series.len() - first;
        let design = DMatrix::from_fn(rows, width, |row, column| match column {
            0 => 1.0,
            lag => series[first + row - lag],
        });
        let target = DVector::from_column_slice(&series[first..]);
        let decomposition = design.clone().qr();
        let mut projected = target.clone();
        decomposition.q_tr_mul(&mut projected);
        let r = decomposition.r();
        let largest = r.diagonal().amax();
        // Below that a direction of the design is rounding error.
        let determined = r.diagonal().iter().all(|d| d.abs() > 1e-12 * largest);
        let solved = r.solve_upper_triangular(&projected.rows(0, width).into_owned());
        let coefficients =
            solved.filter(|_| determined).ok_or(AutoregressionError::Singular(lags))?;
        let residual = target - design * &coefficients;
        Ok(Self {
            constant: coefficients[0],
            lags: coefficients.iter().skip(1).copied().collect(),
            variance: residual.norm_squared() / rows as f64,
            rows,
        })
    }

    /// AR of the order, from 1 to `most`, that the criterion likes best over the rows that all of them can be fitted to,
    /// fitted to all rows then.
    ///
    /// # Errors
    /// As [`Autoregression::fit`] for the highest order.
    pub fn choose(
        series: &[f64],
        most: usize,
        criterion: Criterion,
    ) -> Result<Self, AutoregressionError> {
        let mut best: Option<(f64, usize)> = None;
        for lags in 1..=most {
            let value = Self::fit_after(series, lags, most)?.criterion(criterion);
            if best.is_none_or(|(least, _)| value < least) {
                best = Some((value, lags));
            }
        }
        Self::fit(series, best.map_or(1, |(_, lags)| lags))
    }

    /// The criterion's value; k counts the constant, the lags and the variance.
    pub fn criterion(&self, criterion: Criterion) -> f64 {
        let (n, k) = (self.rows as f64, self.lags.len() as f64 + 2.0);
        let minus_twice_log_likelihood = n * ((2.0 * PI * self.variance).ln() + 1.0);
        minus_twice_log_likelihood
            + match criterion {
                Criterion::Aic => 2.0 * k,
                Criterion::Bic => k * n.ln(),
            }
    }

    /// The forecast of the row after `past`, of which the last τ rows are used.
    ///
    /// # Panics
    /// If the past has fewer than τ rows.
    pub fn next(&self, past: &[f64]) -> f64 {
        let recent = past[past.len() - self.lags.len()..].iter().rev();
        self.constant + self.lags.iter().zip(recent).map(|(phi, x)| phi * x).sum::<f64>()
    }

    /// The forecasts of the next `steps` rows, each from those before it.
    ///
    /// # Panics
    /// If the past has fewer than τ rows.
    pub fn ahead(&self, past: &[f64], steps: usize) -> Vec<f64> {
        let mut series = past.to_vec();
        for _ in 0..steps {
            series.push(self.next(&series));
        }
        series.split_off(past.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;
    use serde_json::Value;

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    #[test]
    fn it_is_that_of_statsmodels() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/autoregression.json")).unwrap();
        let series = &Series::airline_passengers().values[0];
        let (mut worst, mut models) = (0f64, 0);
        let mut hold = |what: &str, ours: f64, theirs: f64| {
            let error = (ours - theirs).abs() / theirs.abs().max(1.0);
            worst = worst.max(error);
            assert!(error < 1e-9, "{what}: {ours} {theirs}");
        };
        for model in fixture["models"].as_array().unwrap() {
            let lags = model["lags"].as_u64().unwrap() as usize;
            let fit = Autoregression::fit(series, lags).unwrap();
            let coefficients = [&[fit.constant], fit.lags.as_slice()].concat();
            let theirs = numbers(&model["coefficients"]);
            assert_eq!(coefficients.len(), theirs.len());
            for (ours, theirs) in coefficients.iter().zip(theirs) {
                hold("coefficient", *ours, theirs);
            }
            hold("variance", fit.variance, model["variance"].as_f64().unwrap());
            hold("aic", fit.criterion(Criterion::Aic), model["aic"].as_f64().unwrap());
            hold("bic", fit.criterion(Criterion::Bic), model["bic"].as_f64().unwrap());
            for (ours, theirs) in fit.ahead(series, 12).iter().zip(numbers(&model["ahead"])) {
                hold("forecast", *ours, theirs);
            }
            models += 1;
        }
        assert_eq!(models, 7);
        println!("largest error against statsmodels over {models} models: {worst:e}");
        for (name, criterion) in [("aic", Criterion::Aic), ("bic", Criterion::Bic)] {
            let chosen = Autoregression::choose(series, 24, criterion).unwrap();
            assert_eq!(
                chosen.lags.len() as u64,
                fixture["orders"][name].as_u64().unwrap(),
                "{name}"
            );
        }
    }

    #[test]
    fn what_does_not_determine_it_is_refused() {
        let error = Autoregression::fit(&[1.0; 30], 2).unwrap_err();
        assert_eq!(error, AutoregressionError::Singular(2));
        let error = Autoregression::fit(&[1.0, 2.0, 4.0], 2).unwrap_err();
        assert!(matches!(error, AutoregressionError::TooShort { least: 6, .. }), "{error}");
    }
}
