//! The forecast of the rows to come, with intervals by the residual bootstrap.
//!
//! The point forecast is made block by block: a forecaster forecasts `horizon` rows, takes them for rows seen, and forecasts
//! the next ones. Each of many paths does the same, but adds to each block the residuals of one origin of the backtest,
//! drawn with replacement: all steps and all columns of that origin together, so that errors that go together stay
//! together (Efron & Tibshirani 1993, chapter 8; Hyndman & Athanasopoulos 2021, section 5.5). The paths are taken back to
//! the units of the series, and an interval lies between two of their quantiles. Since the residuals are those of rows
//! that the forecaster was not fitted to, the intervals hold its own errors too.
//!
//! Exogenous columns are held at their last value, calendar features are known. With logarithms the way back makes the
//! point forecast a median, not a mean.

use super::{Backtest, Method};
use crate::data::dates::Moment;
use crate::data::features::FeatureError;
use crate::data::series::Series;
use crate::nn::Random;
use rand::{RngExt, SeedableRng};

/// Forecasts of the rows to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Rows.
    pub steps: usize,
    /// Columns.
    pub targets: usize,
    /// The point forecast, `[step][target]`, in the units of the series.
    pub point: Vec<f64>,
    /// For each step and column the values of all paths, the smallest first.
    paths: Vec<Vec<f64>>,
}

/// Why there is no outlook.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OutlookError {
    /// A column that cannot be transformed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// Too few rows.
    #[error("the forecast needs the last {needed} rows, and there are {rows}: give more rows")]
    TooShort {
        /// What there is.
        rows: usize,
        /// What it takes.
        needed: usize,
    },
    /// A forecast that is no number.
    #[error(
        "the forecast leaves the range of numbers {0} steps ahead: ask for fewer, or train with differences, --difference 1"
    )]
    Diverged(usize),
}

impl Outlook {
    /// The value that a share `q` of the paths stays below, between neighbours in proportion.
    ///
    /// # Panics
    /// If there are no paths.
    pub fn quantile(&self, step: usize, target: usize, q: f64) -> f64 {
        let sorted = &self.paths[step * self.targets + target];
        let place = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        let high = sorted[(low + 1).min(sorted.len() - 1)];
        sorted[low] + share * (high - sorted[low])
    }

    /// What holds a share `level` of the paths, and leaves out as many above as below.
    ///
    /// # Panics
    /// If there are no paths.
    pub fn interval(&self, step: usize, target: usize, level: f64) -> [f64; 2] {
        [0.5 - level / 2.0, 0.5 + level / 2.0].map(|q| self.quantile(step, target, q))
    }
}

/// Forecasts `steps` rows after the first `origin` rows of the series, and draws so many `paths` from the residuals of the
/// method's own backtest by the seed. `dates` are those of the rows to come, if there are calendar features.
///
/// # Errors
/// If there are too few rows, a column cannot be transformed, or a forecast is no number.
///
/// # Panics
/// If the backtest has no origin, or dates are missing.
pub fn outlook(
    method: &Method<'_>,
    (series, origin): (&Series, usize),
    dates: &[Moment],
    errors: &Backtest,
    (steps, paths, seed): (usize, usize, u64),
) -> Result<Outlook, OutlookError> {
    let needed = method.needs();
    if origin < needed.max(1) {
        return Err(OutlookError::TooShort { rows: origin, needed });
    }
    let targets = series.values.len();
    let width = method.rows.width;
    let calendar = 2 * method.features.calendar.len();
    let held = &method.rows.range(origin - 1, origin)[targets..width - calendar];
    // The other values of each row to come, after the targets.
    let others: Vec<Vec<f64>> = (0..steps)
        .map(|step| {
            let calendar = (calendar > 0).then(|| method.features.of_date(dates[step].local));
            held.iter().copied().chain(calendar.into_iter().flatten()).collect()
        })
        .collect();

    let walk = Walk { method, origin, others: &others, targets };
    let point = walk.paths(1, |_| None);
    let mut random = Random::seed_from_u64(seed);
    let drawn = walk.paths(paths, |_| {
        let drawn = random.random_range(0..errors.origins.len());
        Some(errors.residual(drawn))
    });
    let point = method.features.undo(series, origin, &point)?;
    if let Some(bad) = point.iter().position(|value| !value.is_finite()) {
        return Err(OutlookError::Diverged(bad / targets + 1));
    }
    let mut all = vec![Vec::with_capacity(paths); steps * targets];
    for path in drawn.chunks_exact(steps * targets) {
        for (all, value) in all.iter_mut().zip(method.features.undo(series, origin, path)?) {
            all.push(value);
        }
    }
    for (place, values) in all.iter_mut().enumerate() {
        if values.iter().any(|value| !value.is_finite()) {
            return Err(OutlookError::Diverged(place / targets + 1));
        }
        values.sort_unstable_by(f64::total_cmp);
    }
    Ok(Outlook { steps, targets, point, paths: all })
}

/// Several paths side by side from one past.
struct Walk<'a, 'b> {
    method: &'a Method<'b>,
    origin: usize,
    others: &'a [Vec<f64>],
    targets: usize,
}

impl Walk<'_, '_> {
    /// `[path][step][target]`, transformed and standardised; `error` is asked for the residuals of each block of a path.
    fn paths<'e>(
        &self,
        count: usize,
        mut error: impl FnMut(usize) -> Option<&'e [f64]>,
    ) -> Vec<f64> {
        let (targets, steps) = (self.targets, self.others.len());
        let width = self.method.rows.width;
        let forecaster = &self.method.forecaster;
        let (reach, horizon) = (forecaster.reach(), forecaster.horizon());
        let start = self.method.rows.range(self.origin - reach, self.origin);
        let mut pasts: Vec<Vec<f64>> = vec![start.to_vec(); count];
        let mut paths: Vec<Vec<f64>> = vec![Vec::with_capacity(steps * targets); count];
        for from in (0..steps).step_by(horizon) {
            let block = horizon.min(steps - from);
            let forecasts = self.method.of(&pasts.concat(), count);
            let forecasts = forecasts.chunks_exact(horizon * targets).map(<[f64]>::to_vec);
            for (p, mut forecast) in forecasts.enumerate() {
                if let Some(error) = error(p) {
                    forecast.iter_mut().zip(error).for_each(|(row, error)| *row += error);
                }
                let forecast = &forecast[..block * targets];
                paths[p].extend(forecast);
                for (step, row) in forecast.chunks_exact(targets).enumerate() {
                    pasts[p].extend(row);
                    pasts[p].extend(&self.others[from + step]);
                }
                let old = pasts[p].len() - reach * width;
                pasts[p].drain(..old);
            }
        }
        paths.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::Feature;
    use crate::data::features::Features;
    use crate::data::transform::Transform;
    use crate::model::Autoregression;
    use crate::model::forecast::{
        Autoregressions, Forecaster, LastValue, Pasts, backtest, origins,
    };
    use rand_distr::{Distribution, StandardNormal};

    /// `x_t = 50 + 1.3 (x_{t−1} − 50) − 0.6 (x_{t−2} − 50) + e_t`.
    fn simulated(rows: usize, seed: u64) -> Series {
        series(autoregressive(rows, seed))
    }

    /// A price of which those, less their level and in hundredths, are the logarithmic returns.
    fn price(rows: usize, seed: u64) -> Series {
        let mut log = 0.0;
        let returns = autoregressive(rows, seed).into_iter().map(|x| (x - 50.0) / 100.0);
        series(
            returns
                .map(|r| {
                    log += r;
                    f64::exp(log)
                })
                .collect(),
        )
    }

    fn autoregressive(rows: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        let mut values = vec![50.0, 50.0];
        while values.len() < rows + 100 {
            let noise: f64 = StandardNormal.sample(&mut random);
            let [b, a] = [1, 2].map(|back| values[values.len() - back] - 50.0);
            values.push(50.0 + 1.3 * b - 0.6 * a + noise);
        }
        values.split_off(100)
    }

    fn series(values: Vec<f64>) -> Series {
        Series {
            names: vec!["x".into()],
            exogenous_names: Vec::new(),
            dates: None,
            calendar: None,
            values: vec![values],
            exogenous: Vec::new(),
            decimal: None,
            notes: Vec::new(),
        }
    }

    fn autoregression(
        series: &Series,
        split: usize,
        horizon: usize,
        transform: Transform,
    ) -> Method<'_> {
        let features = Features::fit(series, split, transform, Vec::new()).unwrap();
        let rows = features.rows(series, None).unwrap();
        let model = Autoregression::fit(rows.range(transform.lost(), split), 2).unwrap();
        let forecaster = Autoregressions { models: vec![model], horizon };
        Method::new("ar", features, (series, None), forecaster).unwrap()
    }

    /// Intervals hold as many of the rows to come as they say: within three standard errors, over origins that are so
    /// far apart that they know nothing of each other.
    #[test]
    fn intervals_hold_what_they_say() {
        const TESTED: usize = 600;
        let (split, calibrated, apart, steps) = (1000, 3000, 15, 8);
        let mut worst = 0f64;
        let returns = Transform { log: true, season: None, difference: 1 };
        for (simulate, transform, horizon) in [
            (simulated as fn(usize, u64) -> Series, Transform::default(), 4),
            (simulated, Transform::default(), 1),
            (price, returns, 4),
        ] {
            let series = simulate(calibrated + TESTED * apart + steps, 7);
            let method = autoregression(&series, split, horizon, transform);
            let known = origins(calibrated, split, horizon, 1);
            let errors = backtest(&method, &series, &known).unwrap();
            for level in [0.8, 0.95] {
                let mut held = vec![0; steps];
                for tested in 0..TESTED {
                    let origin = calibrated + tested * apart;
                    let budget = (steps, 400, tested as u64);
                    let outlook =
                        outlook(&method, (&series, origin), &[], &errors, budget).unwrap();
                    for (step, held) in held.iter_mut().enumerate() {
                        let [low, high] = outlook.interval(step, 0, level);
                        *held +=
                            usize::from((low..=high).contains(&series.values[0][origin + step]));
                    }
                }
                let error = (level * (1.0 - level) / TESTED as f64).sqrt();
                for (step, held) in held.into_iter().enumerate() {
                    let share = held as f64 / TESTED as f64;
                    let apart = (share - level).abs() / error;
                    worst = worst.max(apart);
                    assert!(apart < 3.0, "level {level}, step {step}: {share}");
                }
            }
        }
        println!("at most {worst:.2} standard errors from the level");
    }

    /// One step ahead an interval is the forecast and quantiles of the residuals.
    #[test]
    fn one_step_ahead_it_is_the_residuals() {
        let series = simulated(400, 3);
        let method = autoregression(&series, 200, 1, Transform::default());
        let errors = backtest(&method, &series, &origins(400, 200, 1, 1)).unwrap();
        let outlook = outlook(&method, (&series, 400), &[], &errors, (1, 20_000, 1)).unwrap();
        let mut residuals = errors.residuals.clone();
        residuals.sort_unstable_by(f64::total_cmp);
        let deviation = method.features.targets[0].deviation;
        let point = outlook.point[0];
        for (q, place) in [(0.1, 20), (0.5, 100), (0.9, 180)] {
            let expected = point + deviation * residuals[place];
            assert!((outlook.quantile(0, 0, q) - expected).abs() < 0.1, "{q}");
        }
        let [low, high] = outlook.interval(0, 0, 1.0);
        let ends = [residuals[0], residuals[199]].map(|r| point + deviation * r);
        assert!((low - ends[0]).abs() < 1e-9 && (high - ends[1]).abs() < 1e-9);
    }

    #[test]
    fn the_point_forecast_goes_on_from_itself() {
        let series = simulated(300, 5);
        let expected = autoregression(&series, 200, 9, Transform::default());
        let errors = backtest(&expected, &series, &origins(300, 200, 9, 1)).unwrap();
        let run = |method: &Method<'_>, errors: &Backtest, seed| {
            outlook(method, (&series, 300), &[], errors, (9, 50, seed)).unwrap()
        };
        let whole = run(&expected, &errors, 1);
        for horizon in [1, 2, 4] {
            let method = autoregression(&series, 200, horizon, Transform::default());
            let errors = backtest(&method, &series, &origins(300, 200, horizon, 1)).unwrap();
            let blocks = run(&method, &errors, 1);
            for (a, b) in whole.point.iter().zip(&blocks.point) {
                assert!((a - b).abs() < 1e-9);
            }
            assert_eq!(run(&method, &errors, 1), blocks);
            assert_ne!(run(&method, &errors, 2), blocks);
        }
    }

    /// It writes down what it is shown.
    struct Seen(std::cell::RefCell<Vec<Vec<f64>>>);

    impl Forecaster for &Seen {
        fn reach(&self) -> usize {
            2
        }
        fn horizon(&self) -> usize {
            2
        }
        fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
            self.0.borrow_mut().extend(pasts.each().map(<[f64]>::to_vec));
            vec![0.25; pasts.each().count() * 2]
        }
    }

    #[test]
    fn what_is_known_is_known_and_the_rest_held() {
        let mut series = Series::airline_passengers();
        series.exogenous_names.push("row".into());
        series.exogenous.push((0..144).map(f64::from).collect());
        let calendar = series.calendar.clone().unwrap();
        let features =
            Features::fit(&series, 108, Transform::default(), vec![Feature::Month]).unwrap();
        let dates = calendar.following(5).unwrap();
        let seen = Seen(std::cell::RefCell::default());
        let known = (&series, Some(&calendar));
        let method = Method::new("seen", features.clone(), known, &seen).unwrap();
        let naive = Method::new("last", features, known, LastValue { horizon: 2 }).unwrap();
        let errors = backtest(&naive, &series, &origins(144, 108, 2, 1)).unwrap();
        let outlook = outlook(&method, (&series, 144), &dates, &errors, (5, 1, 1)).unwrap();
        assert_eq!(outlook.point.len(), 5);
        let seen = seen.0.take();
        // Three blocks of the point forecast, three of the path.
        assert_eq!(seen.len(), 6);
        let last = *method.rows.values.chunks(4).last().unwrap().get(1).unwrap();
        let [january, february] = [0.0, 1.0 / 12.0].map(|p| (std::f64::consts::TAU * p).sin_cos());
        let expected = [0.25, last, january.0, january.1, 0.25, last, february.0, february.1];
        assert!(seen[1].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{seen:?}");
        let residual = seen[4][0] - 0.25;
        assert!(errors.residuals.iter().any(|r| (r - residual).abs() < 1e-12));
    }

    #[test]
    fn too_few_rows_are_refused() {
        let series = simulated(300, 5);
        let method = autoregression(&series, 200, 1, Transform::default());
        let errors = backtest(&method, &series, &origins(300, 200, 1, 1)).unwrap();
        let refused = outlook(&method, (&series, 1), &[], &errors, (1, 1, 1)).unwrap_err();
        assert_eq!(refused, OutlookError::TooShort { rows: 1, needed: 2 });
    }
}
