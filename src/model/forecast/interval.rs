//! Intervals around a forecast from how far off the same method was before, by split conformal prediction (Vovk, Gammerman &
//! Shafer 2005; Lei et al. 2018): from errors of rows that nothing was fitted to, without a law of their distribution.
//!
//! The errors of a series' forecasts are few and depend on each other: those of neighbouring origins are of the same rows.
//! So the errors of all steps ahead are taken together, each in units of a growth law `σ_k = σ k^p`, whose power p, between 0
//! (a series that returns to its mean) and 1, is fitted to the errors by least squares of logarithms. Of the sizes
//! `|e| / σ_k` the quantile of the level is taken, and widened as Student's t with `n − 1` degrees of freedom is wider than a
//! normal distribution, n being how many errors without a memory they are worth: few errors make wide intervals. That is the
//! number of rows over the length of their memory, `1 + 2 Σ r_k` of the sizes' autocorrelations up to the first that is not above
//! 0. Of few rows those say little: a memory of a horizon is presumed, with the weight of a hundred rows.
//! With logarithms errors are those of logarithms: in percent.

use super::Backtest;
use super::improbability::{Improbability, quantile, student_factor};
use crate::data::series::Series;

/// The sizes of past errors, a column each.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    log: bool,
    columns: Vec<ColumnIntervals>,
}

#[derive(Clone, Debug, PartialEq)]
struct ColumnIntervals {
    /// p.
    power: f64,
    /// `|e| / k^p`, the smallest first.
    sizes: Vec<f64>,
    /// How many errors without a memory they are worth.
    worth: f64,
    /// The share of the rows that came above their forecast.
    above: f64,
}

impl Intervals {
    /// From the forecasts of a method and what came, the sizes being those of logarithms if `log`.
    ///
    /// # Panics
    /// If there is no forecast.
    pub fn of(errors: &Backtest, series: &Series, log: bool) -> Self {
        let columns = (0..errors.targets).map(|target| {
            let by_step: Vec<Vec<f64>> = (0..errors.horizon)
                .map(|step| {
                    let (forecasts, values) = errors.pairs(series, target, step..step + 1);
                    let pairs = forecasts.into_iter().zip(values);
                    pairs.map(|(forecast, value)| size(log, value) - size(log, forecast)).collect()
                })
                .collect();
            ColumnIntervals::of(&by_step, &errors.origins)
        });
        Self { log, columns: columns.collect() }
    }

    /// The interval around the forecast of a column `step` steps ahead, counted from 0, that holds a share `level`.
    pub fn around(&self, forecast: f64, (step, target): (usize, usize), level: f64) -> [f64; 2] {
        let half = self.columns[target].half_width(step, level);
        if !self.log {
            return [forecast - half, forecast + half];
        }
        [-half, half].map(|half| (size(true, forecast) + half).exp())
    }

    /// The share of the rows of a column that came above their forecast: a half without a bias.
    pub fn above(&self, target: usize) -> f64 {
        self.columns[target].above
    }

    /// How improbable errors of a column are, one step ahead.
    pub fn improbability(&self, target: usize) -> Improbability {
        let column = &self.columns[target];
        Improbability::of(column.sizes.clone(), column.worth)
    }

    /// How far a value is from its forecast, in the units of [`improbability`](Self::improbability).
    pub fn size(&self, forecast: f64, value: f64) -> f64 {
        (size(self.log, value) - size(self.log, forecast)).abs()
    }

    /// How many errors without a memory the intervals of a column come from.
    pub fn worth(&self, target: usize) -> f64 {
        self.columns[target].worth
    }
}

/// The value, or its logarithm; a forecast that is not above 0 has the least one.
fn size(log: bool, value: f64) -> f64 {
    if log { value.max(f64::MIN_POSITIVE).ln() } else { value }
}

impl ColumnIntervals {
    fn of(by_step: &[Vec<f64>], origins: &[usize]) -> Self {
        let power = power(by_step);
        let errors = by_step.iter().enumerate();
        let sizes = errors.clone().flat_map(|(step, errors)| {
            let unit = ((step + 1) as f64).powf(power);
            errors.iter().map(move |error| error.abs() / unit)
        });
        let mut sizes: Vec<f64> = sizes.collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let above = by_step.iter().flatten().filter(|error| **error > 0.0).count();
        let worth = worth(by_step, origins, power);
        let above = above as f64 / sizes.len().max(1) as f64;
        Self { power, sizes, worth, above }
    }

    fn half_width(&self, step: usize, level: f64) -> f64 {
        quantile(&self.sizes, level)
            * student_factor(level, self.worth - 1.0)
            * ((step + 1) as f64).powf(self.power)
    }
}

/// How many errors without a memory these are worth.
fn worth(by_step: &[Vec<f64>], origins: &[usize], power: f64) -> f64 {
    /// So many rows count as much as what is presumed.
    const FEW: f64 = 100.0;
    let horizon = by_step.len();
    let (Some(&first), Some(&last)) = (origins.first(), origins.last()) else { return 1.0 };
    let rows = last - first + horizon;
    // The mean size of the errors of each row, over the origins that forecast it.
    let mut sums = vec![(0.0, 0); rows];
    for (step, errors) in by_step.iter().enumerate() {
        let unit = ((step + 1) as f64).powf(power);
        for (origin, error) in origins.iter().zip(errors) {
            let (sum, count) = &mut sums[origin - first + step];
            *sum += error.abs() / unit;
            *count += 1;
        }
    }
    let sums = sums.into_iter().filter(|(_, count)| *count > 0);
    let sizes: Vec<f64> = sums.map(|(sum, count)| sum / f64::from(count)).collect();
    let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
    let at = |lag: usize| {
        let pairs = sizes.iter().skip(lag).zip(&sizes);
        pairs.map(|(now, then)| (now - mean) * (then - mean)).sum::<f64>()
    };
    let variance = at(0);
    let correlations = (1..=horizon).map(|lag| at(lag) / variance);
    let memory = 1.0 + 2.0 * correlations.take_while(|r| *r > 0.0).sum::<f64>();
    let (rows, most) = (rows as f64, horizon as f64);
    // What is no number says nothing.
    let memory = if variance > 0.0 { memory.clamp(1.0, most) } else { most };
    rows / ((rows * memory + FEW * most) / (rows + FEW))
}

/// The power of the step by which errors grow, between 0 and 1: `ln σ_k = ln σ + p ln k` by least squares, each step with
/// as much weight as there are of its logarithm between it and the next.
fn power(by_step: &[Vec<f64>]) -> f64 {
    let mut sums = [0.0; 4];
    let mut weight = 0.0;
    for (step, errors) in by_step.iter().enumerate() {
        let mean = errors.iter().map(|e| e * e).sum::<f64>() / errors.len().max(1) as f64;
        if mean > 0.0 && mean.is_finite() {
            let (k, w) = ((step + 1) as f64, 1.0 / (step + 1) as f64);
            let (x, y) = (k.ln(), 0.5 * mean.ln());
            weight += w;
            for (sum, value) in sums.iter_mut().zip([x, y, x * x, x * y]) {
                *sum += w * value;
            }
        }
    }
    let [x, y, xx, xy] = sums.map(|sum| sum / weight);
    let spread = xx - x * x;
    if spread > 1e-9 { ((xy - x * y) / spread).clamp(0.0, 1.0) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::forecast::origins;
    use crate::random::Random;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// A walk, or noise around a level, and last-value or mean forecasts of it from each origin.
    fn simulated(rows: usize, walks: bool, seed: u64) -> Series {
        let mut random = Random::seed_from_u64(seed);
        let mut level = 0.0;
        let values = (0..rows).map(|_| {
            let noise: f64 = StandardNormal.sample(&mut random);
            level = if walks { level + noise } else { noise };
            50.0 + level
        });
        let mut series = Series::airline_passengers();
        (series.dates, series.calendar) = (None, None);
        series.values = vec![values.collect()];
        series
    }

    fn forecast(series: &Series, origin: usize, walks: bool) -> f64 {
        if walks { series.values[0][origin - 1] } else { 50.0 }
    }

    fn backtest(series: &Series, origins: Vec<usize>, horizon: usize, walks: bool) -> Backtest {
        let each = origins.iter().map(|&origin| forecast(series, origin, walks));
        let forecasts = each.flat_map(|value| vec![value; horizon]).collect();
        Backtest { origins, horizon, targets: 1, forecasts }
    }

    /// Intervals of the rows after those that validate hold as many as they say, for errors that grow and that do not, of many
    /// origins and of few.
    #[test]
    fn intervals_hold_what_they_say() {
        const SERIES: u64 = 400;
        for (walks, validation, horizon) in
            [(true, 200, 6), (false, 200, 6), (true, 30, 6), (false, 30, 6), (false, 40, 1)]
        {
            for level in [0.8, 0.95] {
                let mut held = 0;
                for seed in 0..SERIES {
                    let rows = 20 + validation + horizon;
                    let series = simulated(rows, walks, seed);
                    let known = origins(20 + validation, 20, horizon, 1);
                    let errors = backtest(&series, known, horizon, walks);
                    let intervals = Intervals::of(&errors, &series, false);
                    let origin = 20 + validation;
                    for step in 0..horizon {
                        let [low, high] =
                            intervals.around(forecast(&series, origin, walks), (step, 0), level);
                        let value = series.values[0][origin + step];
                        held += usize::from((low..=high).contains(&value));
                    }
                }
                let share = held as f64 / (SERIES as usize * horizon) as f64;
                println!("{walks} {validation} {horizon} {level}: {share:.3}");
                // Few errors have to make wide intervals, many exact ones.
                let most = if validation == 200 { 0.035 } else { 0.1 };
                assert!(
                    (level - 0.035..level + most).contains(&share),
                    "{walks} {validation} {level}: {share}"
                );
            }
        }
    }

    /// Errors that forget each other are worth more than those of a walk, and few rows are worth a horizon each.
    #[test]
    fn errors_are_worth_what_they_remember() {
        let of = |walks, validation: usize, horizon| {
            let series = simulated(20 + validation + horizon, walks, 5);
            let known = origins(20 + validation, 20, horizon, 1);
            let errors = backtest(&series, known, horizon, walks);
            Intervals::of(&errors, &series, false).worth(0)
        };
        let [walk, noise] = [true, false].map(|walks| of(walks, 400, 40));
        assert!(walk < 25.0 && noise > 1.5 * walk, "{walk} {noise}");
        assert!((10.0..40.0).contains(&walk), "{walk}");
        assert!((2.0..2.6).contains(&of(false, 12, 6)));
        assert_eq!(of(false, 30, 1), 30.0);
        let mut still = simulated(40, false, 1);
        still.values[0] = vec![50.0; 40];
        let known = origins(34, 20, 6, 1);
        let errors = backtest(&still, known, 6, false);
        assert!((Intervals::of(&errors, &still, false).worth(0) - 14.0 / 6.0).abs() < 1e-9);
    }

    #[test]
    fn with_logarithms_they_are_in_percent() {
        let mut series = Series::airline_passengers();
        series.values[0] = vec![100.0, 110.0, 100.0, 110.0];
        let errors =
            Backtest { origins: vec![1, 2, 3], horizon: 1, targets: 1, forecasts: vec![100.0; 3] };
        let intervals = Intervals::of(&errors, &series, true);
        let [low, high] = intervals.around(1000.0, (0, 0), 0.5);
        assert!((low * high / 1e6 - 1.0).abs() < 1e-12 && high > 1000.0);
        assert!((intervals.above(0) - 2.0 / 3.0).abs() < 1e-12);
    }
}
