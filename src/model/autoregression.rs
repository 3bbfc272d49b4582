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
    /// AR(`lags`) of a series; with no lags it is the mean.
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
        let least = least_squares(series, lags)?;
        if least.determined < lags + 1 {
            return Err(AutoregressionError::Singular(lags));
        }
        let width = lags + 1;
        let projected = least.projected.rows(0, width).into_owned();
        let solved = least.r.solve_upper_triangular(&projected);
        let coefficients = solved.ok_or(AutoregressionError::Singular(lags))?;
        let lags: Vec<f64> = coefficients.iter().skip(1).copied().collect();
        Ok(Self {
            constant: coefficients[0] + least.mean * (1.0 - lags.iter().sum::<f64>()),
            variance: least.remaining(width) / least.rows as f64,
            rows: least.rows,
            lags,
        })
    }

    /// The orders from 0 to `most` that Akaike's and Schwarz's criteria like best, over the rows that all of them can be
    /// fitted to, as statsmodels' `ar_select_order`. Orders that the rows do not determine are left out.
    ///
    /// # Errors
    /// If there are too few rows for the highest order.
    pub fn orders(series: &[f64], most: usize) -> Result<[usize; 2], AutoregressionError> {
        // The columns of an order are the first ones of the highest: one decomposition has all residuals.
        let least = least_squares(series, most)?;
        let best = |criterion| {
            let value = |lags: &usize| {
                let variance = least.remaining(lags + 1) / least.rows as f64;
                value_of(criterion, variance, least.rows, *lags)
            };
            let orders = 0..least.determined.max(1);
            orders.min_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(0)
        };
        Ok([best(Criterion::Aic), best(Criterion::Bic)])
    }

    /// The highest order that the criteria choose from: `12 (n / 100)^¼` (Schwert 1989), and a season and one row
    /// at least, but no more than a third of the rows, and no more than 20 million numbers in the least squares problem.
    pub fn most_lags(rows: usize, season: Option<usize>) -> usize {
        let schwert = (12.0 * (rows as f64 / 100.0).powf(0.25)) as usize;
        schwert
            .max(season.map_or(0, |season| season + 1))
            .min(rows.saturating_sub(2) / 3)
            .min(20_000_000 / rows.max(1))
    }

    /// AR of the order, from 0 to `most`, that the criterion likes best (see [`orders`](Self::orders)), fitted to all rows.
    ///
    /// # Errors
    /// If there are too few rows for the highest order.
    pub fn choose(
        series: &[f64],
        most: usize,
        criterion: Criterion,
    ) -> Result<Self, AutoregressionError> {
        let [aic, bic] = Self::orders(series, most)?;
        Self::fit(series, if criterion == Criterion::Aic { aic } else { bic })
    }

    /// What cannot be in such a model, if it was read from a file.
    pub fn contradiction(&self) -> Option<&'static str> {
        let numbers = self.lags.iter().chain([&self.constant, &self.variance]);
        let finite = numbers.into_iter().all(|number| number.is_finite());
        (!finite || self.variance < 0.0).then_some("an autoregression has what is no number")
    }

    /// The criterion's value; k counts the constant, the lags and the variance.
    pub fn criterion(&self, criterion: Criterion) -> f64 {
        value_of(criterion, self.variance, self.rows, self.lags.len())
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

/// The value of a criterion for an order.
fn value_of(criterion: Criterion, variance: f64, rows: usize, lags: usize) -> f64 {
    let (n, k) = (rows as f64, lags as f64 + 2.0);
    let minus_twice_log_likelihood = n * ((2.0 * PI * variance).ln() + 1.0);
    minus_twice_log_likelihood
        + match criterion {
            Criterion::Aic => 2.0 * k,
            Criterion::Bic => k * n.ln(),
        }
}

/// The least squares problem of all orders up to one: `[1, x_{t−1}, …, x_{t−τ}] = Q R`, of the series less its mean,
/// which costs no digits where the level is high.
struct LeastSquares {
    mean: f64,
    rows: usize,
    r: DMatrix<f64>,
    /// `Qᵀ x_t`, as long as there are rows.
    projected: DVector<f64>,
    /// Columns, from the first on, that the ones before them do not determine.
    determined: usize,
}

impl LeastSquares {
    /// `Σ e²` with so many columns.
    fn remaining(&self, width: usize) -> f64 {
        self.projected.rows_range(width..).norm_squared()
    }
}

fn least_squares(series: &[f64], lags: usize) -> Result<LeastSquares, AutoregressionError> {
    let (width, least) = (lags + 1, 2 * lags + 2);
    if series.len() < least {
        return Err(AutoregressionError::TooShort { rows: series.len(), lags, least });
    }
    let rows = series.len() - lags;
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let design = DMatrix::from_fn(rows, width, |row, column| match column {
        0 => 1.0,
        lag => series[lags + row - lag] - mean,
    });
    let mut projected = DVector::from_iterator(rows, series[lags..].iter().map(|x| x - mean));
    let decomposition = design.qr();
    decomposition.q_tr_mul(&mut projected);
    let r = decomposition.r();
    // Below that, what is new in a column is rounding error; against the column itself, so that no unit matters.
    let new = |column: &usize| r[(*column, *column)].abs() > 1e-12 * r.column(*column).norm();
    let determined = (0..width).take_while(new).count();
    Ok(LeastSquares { mean, rows, r, projected, determined })
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

    /// The criteria out of the one decomposition are those of one fit an order over the same rows.
    #[test]
    fn orders_are_those_of_fits_of_their_own() {
        let series = &Series::airline_passengers().values[0];
        for most in [1, 5, 13, 30] {
            let mut values = [Vec::new(), Vec::new()];
            for lags in 0..=most {
                let fit = Autoregression::fit(&series[most - lags..], lags).unwrap();
                assert_eq!(fit.rows, series.len() - most);
                values[0].push(fit.criterion(Criterion::Aic));
                values[1].push(fit.criterion(Criterion::Bic));
            }
            let least = values
                .map(|values| (0..=most).min_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap());
            assert_eq!(Autoregression::orders(series, most), Ok(least), "{most}");
        }
    }

    /// A unit and a level change the constant and nothing else.
    #[test]
    fn units_do_not_matter() {
        let series = &Series::airline_passengers().values[0];
        let fit = Autoregression::fit(series, 13).unwrap();
        for (unit, level) in [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e7), (1e-6, -50.0)] {
            let other: Vec<f64> = series.iter().map(|x| unit * x + level).collect();
            let scaled = Autoregression::fit(&other, 13).unwrap();
            for (ours, theirs) in scaled.lags.iter().zip(&fit.lags) {
                assert!((ours - theirs).abs() < 1e-6, "{unit} {level}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn no_lags_are_the_mean() {
        let fit = Autoregression::fit(&[1.0, 2.0, 6.0], 0).unwrap();
        assert_eq!((fit.constant, fit.ahead(&[], 2)), (3.0, vec![3.0, 3.0]));
        assert!((fit.variance - 14.0 / 3.0).abs() < 1e-15);
        // A constant series needs none, and determines no more.
        assert_eq!(Autoregression::orders(&[0.1; 30], 5), Ok([0, 0]));
    }
}
