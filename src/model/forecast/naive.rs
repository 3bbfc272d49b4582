//! The naive forecasters, which need no training, and AR(τ).

use super::{Forecaster, Pasts};
use crate::model::Autoregression;

/// `x̂_{t+k} = x_t`.
#[derive(Clone, Copy, Debug)]
pub struct LastValue {
    /// Rows forecast at once.
    pub horizon: usize,
}

impl Forecaster for LastValue {
    fn reach(&self) -> usize {
        1
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let last = |past: &'_ [f64]| past[..pasts.targets].repeat(self.horizon);
        pasts.each().flat_map(last).collect()
    }
}

/// `x̂_{t+k} = x_{t+k−s⌈k/s⌉}`: the last value of the same row of the season.
#[derive(Clone, Copy, Debug)]
pub struct SeasonAgo {
    /// s: rows of a season.
    pub season: usize,
    /// Rows forecast at once.
    pub horizon: usize,
}

impl Forecaster for SeasonAgo {
    fn reach(&self) -> usize {
        self.season
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let mut all = Vec::new();
        for past in pasts.each() {
            for step in 0..self.horizon {
                let back = self.season - step % self.season;
                all.extend((0..pasts.targets).map(|target| pasts.value(past, back, target)));
            }
        }
        all
    }
}

/// An [`Autoregression`] of each column by itself, on transformed and standardised values.
#[derive(Clone, Debug)]
pub struct Autoregressions {
    /// One a column.
    pub models: Vec<Autoregression>,
    /// Rows forecast at once, each from those before it.
    pub horizon: usize,
}

impl Forecaster for Autoregressions {
    fn reach(&self) -> usize {
        self.models.iter().map(|model| model.lags.len()).max().unwrap_or(0)
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let of = |past: &[f64]| {
            let mut rows = vec![0.0; self.horizon * pasts.targets];
            for (target, model) in self.models.iter().enumerate() {
                let column: Vec<f64> =
                    (1..=pasts.rows).rev().map(|back| pasts.value(past, back, target)).collect();
                for (step, value) in model.ahead(&column, self.horizon).into_iter().enumerate() {
                    rows[step * pasts.targets + target] = value;
                }
            }
            rows
        };
        match pasts.rows {
            0 => of(&[]),
            _ => pasts.each().flat_map(of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pasts of three rows, each of two columns to forecast and an exogenous one.
    const VALUES: [f64; 18] =
        [1., 10., 0., 2., 20., 0., 3., 30., 0., 5., 50., 9., 6., 60., 9., 7., 70., 9.];

    fn pasts(rows: usize) -> Vec<f64> {
        VALUES.chunks(9).flat_map(|past| past[9 - 3 * rows..].to_vec()).collect()
    }

    fn ahead(forecaster: &impl Forecaster) -> Vec<f64> {
        let rows = forecaster.reach();
        forecaster.ahead(Pasts { values: &pasts(rows), rows, width: 3, targets: 2 })
    }

    #[test]
    fn the_past_is_repeated() {
        assert_eq!(ahead(&LastValue { horizon: 2 }), [3., 30., 3., 30., 7., 70., 7., 70.]);
        let season = SeasonAgo { season: 2, horizon: 3 };
        assert_eq!(ahead(&season), [2., 20., 3., 30., 2., 20., 6., 60., 7., 70., 6., 60.]);
    }

    #[test]
    fn each_column_has_its_own_coefficients() {
        let model = |constant, lags: &[f64]| Autoregression {
            constant,
            lags: lags.to_vec(),
            variance: 1.0,
            rows: 10,
        };
        let models = vec![model(1.0, &[2.0]), model(0.0, &[1.0, -0.5])];
        let forecaster = Autoregressions { models, horizon: 2 };
        assert_eq!(forecaster.reach(), 2);
        assert_eq!(ahead(&forecaster), [7., 20., 15., 5., 15., 40., 31., 5.]);
        let mean = Autoregressions { models: vec![model(4.0, &[])], horizon: 3 };
        let none = Pasts { values: &[], rows: 0, width: 1, targets: 1 };
        assert_eq!(mean.ahead(none), [4.0; 3]);
    }
}
