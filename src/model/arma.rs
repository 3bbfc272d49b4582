//! Seasonal ARMA of a stationary series (Box & Jenkins 1976, chapter 9):
//!
//! ```text
//! (1 − φ_1 B − … − φ_p B^p)(1 − Φ_1 B^m − … − Φ_P B^{Pm}) (x_t − μ)
//!     = (1 + θ_1 B + … + θ_q B^q)(1 + Θ_1 B^m + … + Θ_Q B^{Qm}) e_t        B x_t = x_{t−1}
//! ```
//!
//! The coefficients minimise `Σ e_t²`, the values before the first row being μ and the errors 0, by Levenberg and Marquardt's
//! method over partial autocorrelations `tanh u`, which keep both sides stationary (Jones 1980). The orders are those that
//! the search of Hyndman & Khandakar (2008) finds by Akaike's criterion, corrected for few rows. With the differences of a
//! series it is ARIMA.

use nalgebra::{DMatrix, DVector};

/// How many coefficients there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmaOrder {
    /// p: lags of the series.
    pub lags: usize,
    /// q: lags of the errors.
    pub errors: usize,
    /// P: seasons of the series.
    pub seasonal_lags: usize,
    /// Q: seasons of the errors.
    pub seasonal_errors: usize,
    /// Whether μ is fitted; 0 otherwise.
    pub has_mean: bool,
}

/// A fitted ARMA.
#[derive(Clone, Debug, PartialEq)]
pub struct Arma {
    /// The orders.
    pub order: ArmaOrder,
    /// μ.
    pub mean: f64,
    /// Lag and coefficient of each earlier value, both factors multiplied out.
    pub lags: Vec<(usize, f64)>,
    /// The same of each earlier error.
    pub errors: Vec<(usize, f64)>,
    /// `Σ e² / n`.
    pub variance: f64,
    /// Akaike's criterion, corrected for few rows.
    pub criterion: f64,
}

impl ArmaOrder {
    /// Coefficients, μ among them.
    pub fn parameters(&self) -> usize {
        let Self { lags, errors, seasonal_lags, seasonal_errors, has_mean } = *self;
        lags + errors + seasonal_lags + seasonal_errors + usize::from(has_mean)
    }

    /// The coefficients from partial autocorrelations: φ, Φ, θ, Θ.
    fn factors(&self, free: &[f64]) -> [Vec<f64>; 4] {
        let mut rest = free;
        [self.lags, self.seasonal_lags, self.errors, self.seasonal_errors].map(|order| {
            let (own, others) = rest.split_at(order);
            rest = others;
            coefficients(own)
        })
    }
}

/// `φ_1 … φ_k` of the partial autocorrelations `tanh u` (Durbin & Levinson).
fn coefficients(free: &[f64]) -> Vec<f64> {
    let mut phi: Vec<f64> = Vec::with_capacity(free.len());
    for u in free {
        let r = u.tanh();
        let before = phi.clone();
        for (j, value) in phi.iter_mut().enumerate() {
            *value -= r * before[before.len() - 1 - j];
        }
        phi.push(r);
    }
    phi
}

/// Whether all roots of `1 − φ_1 z − … − φ_k z^k` lie farther than `radius` from 0.
fn roots_beyond(radius: f64, phi: &[f64]) -> bool {
    let scaled = phi.iter().scan(1.0, |power, phi| {
        *power *= radius;
        Some(phi * *power)
    });
    let mut phi: Vec<f64> = scaled.collect();
    while let Some(r) = phi.pop() {
        if r.abs() >= 1.0 {
            return false;
        }
        let before = phi.clone();
        for (j, value) in phi.iter_mut().enumerate() {
            *value = (*value + r * before[before.len() - 1 - j]) / (1.0 - r * r);
        }
    }
    true
}

/// Lags and coefficients of `1 − (1 − φ_1 B − …)(1 − Φ_1 B^m − …)`.
fn product(phi: &[f64], seasonal: &[f64], season: usize) -> Vec<(usize, f64)> {
    let mut all = Vec::new();
    for j in 0..=seasonal.len() {
        let outer = if j == 0 { 1.0 } else { -seasonal[j - 1] };
        for i in 0..=phi.len() {
            let inner = if i == 0 { 1.0 } else { -phi[i - 1] };
            if i + j > 0 {
                all.push((i + j * season, -inner * outer));
            }
        }
    }
    all
}

/// `Σ c_l x_{t−l}` over the lags `l` that reach no row before the first.
fn reach_back(coefficients: &[(usize, f64)], t: usize, value: impl Fn(usize) -> f64) -> f64 {
    let there = coefficients.iter().filter(|(lag, _)| *lag <= t);
    there.map(|&(lag, coefficient)| coefficient * value(t - lag)).sum()
}

/// `e_t` of a series, the values before it being μ.
fn residuals(series: &[f64], mean: f64, [lags, errors]: [&[(usize, f64)]; 2]) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::with_capacity(series.len());
    for (t, x) in series.iter().enumerate() {
        let linear = reach_back(lags, t, |row| series[row] - mean);
        all.push(x - mean - linear - reach_back(errors, t, |row| all[row]));
    }
    all
}

impl Arma {
    /// ARMA of these orders. None where the rows are too few or no numbers come out.
    pub fn fit(series: &[f64], season: usize, order: ArmaOrder) -> Option<Self> {
        let (rows, count) = (series.len(), order.parameters());
        if rows < count + 3 {
            return None;
        }
        let level = series.iter().sum::<f64>() / rows as f64;
        let level = if order.has_mean { level } else { 0.0 };
        let size = series.iter().map(|x| (x - level).powi(2)).sum::<f64>() / rows as f64;
        let unit = if size > 0.0 { size.sqrt() } else { 1.0 };
        let scaled: Vec<f64> = series.iter().map(|x| (x - level) / unit).collect();
        let free = count - usize::from(order.has_mean);
        let of = |at: &[f64]| {
            let [phi, seasonal, theta, seasonal_theta] = order.factors(&at[..free]);
            let lags = product(&phi, &seasonal, season);
            // With the other sign: `1 + θ_1 B + …` has its roots where `1 − φ_1 B − …` has them for φ = −θ.
            let errors = product(&theta, &seasonal_theta, season);
            let errors: Vec<_> = errors.into_iter().map(|(lag, value)| (lag, -value)).collect();
            let mean = if order.has_mean { at[free] } else { 0.0 };
            (mean, lags, errors)
        };
        let at = |at: &[f64]| {
            let (mean, lags, errors) = of(at);
            residuals(&scaled, mean, [&lags, &errors])
        };
        let mut start = vec![0.1; free];
        start.resize(count, 0.0);
        let found = least_squares(start, rows, at);
        let (mean, lags, errors) = of(&found);
        let squares: f64 =
            residuals(&scaled, mean, [&lags, &errors]).iter().map(|error| error * error).sum();
        let variance = unit * unit * squares / rows as f64;
        let (n, k) = (rows as f64, count as f64 + 1.0);
        if n - k - 1.0 <= 0.0 || !variance.is_finite() {
            return None;
        }
        let criterion = n * variance.max(f64::MIN_POSITIVE).ln()
            + 2.0 * k
            + 2.0 * k * (k + 1.0) / (n - k - 1.0);
        Some(Self { order, mean: level + unit * mean, lags, errors, variance, criterion })
    }

    /// Whether neither side is so near a unit root that a difference more or less would do.
    fn is_stable(&self) -> bool {
        const RADIUS: f64 = 1.01;
        let dense = |sparse: &[(usize, f64)], sign: f64| {
            let most = sparse.iter().map(|(lag, _)| *lag).max().unwrap_or(0);
            let mut all = vec![0.0; most];
            sparse.iter().for_each(|(lag, value)| all[lag - 1] += sign * value);
            all
        };
        roots_beyond(RADIUS, &dense(&self.lags, 1.0))
            && roots_beyond(RADIUS, &dense(&self.errors, -1.0))
    }

    /// The orders that suit a series best, fitted. With a mean where `may_have_mean`.
    pub fn choose(series: &[f64], season: usize, may_have_mean: bool) -> Option<Self> {
        /// At most so many lags, seasons, and models.
        const MOST: [usize; 3] = [5, 2, 60];
        let most = MOST[0].min(series.len() / 3);
        let seasons = if season > 1 { MOST[1].min(series.len() / 3 / season) } else { 0 };
        let order =
            |lags: usize, errors: usize, seasonal_lags: usize, seasonal_errors: usize, has_mean| {
                ArmaOrder {
                    lags: lags.min(most),
                    errors: errors.min(most),
                    seasonal_lags: seasonal_lags.min(seasons),
                    seasonal_errors: seasonal_errors.min(seasons),
                    has_mean,
                }
            };
        let mut tried: Vec<ArmaOrder> = Vec::new();
        let mut best: Option<Self> = None;
        let mut attempt = |order: ArmaOrder, best: &mut Option<Self>| {
            if tried.len() >= MOST[2] || tried.contains(&order) {
                return false;
            }
            tried.push(order);
            let Some(model) = Self::fit(series, season, order) else { return false };
            let is_better = best.as_ref().is_none_or(|best| model.criterion < best.criterion);
            let is_better = is_better && model.is_stable();
            if is_better {
                *best = Some(model);
            }
            is_better
        };
        for [p, q, sp, sq] in [[2, 2, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]] {
            attempt(order(p, q, sp, sq, may_have_mean), &mut best);
        }
        if may_have_mean {
            attempt(order(0, 0, 0, 0, false), &mut best);
        }
        while let Some(model) = &best {
            let ArmaOrder { lags, errors, seasonal_lags, seasonal_errors, has_mean } = model.order;
            let moved = |size: usize, by: isize, most: usize| {
                size.checked_add_signed(by).filter(|size| *size <= most)
            };
            const MOVES: [[isize; 4]; 16] = [
                [0, 0, -1, 0],
                [0, 0, 0, -1],
                [0, 0, 1, 0],
                [0, 0, 0, 1],
                [0, 0, -1, -1],
                [0, 0, -1, 1],
                [0, 0, 1, -1],
                [0, 0, 1, 1],
                [-1, 0, 0, 0],
                [0, -1, 0, 0],
                [1, 0, 0, 0],
                [0, 1, 0, 0],
                [-1, -1, 0, 0],
                [-1, 1, 0, 0],
                [1, -1, 0, 0],
                [1, 1, 0, 0],
            ];
            let mut next = MOVES
                .iter()
                .filter_map(|[p, q, sp, sq]| {
                    Some(ArmaOrder {
                        lags: moved(lags, *p, most)?,
                        errors: moved(errors, *q, most)?,
                        seasonal_lags: moved(seasonal_lags, *sp, seasons)?,
                        seasonal_errors: moved(seasonal_errors, *sq, seasons)?,
                        has_mean,
                    })
                })
                .chain(may_have_mean.then_some(ArmaOrder { has_mean: !has_mean, ..model.order }))
                .collect::<Vec<_>>()
                .into_iter();
            if !next.any(|order| attempt(order, &mut best)) {
                break;
            }
        }
        best
    }

    /// The longest lag of a value or an error; 0 without any.
    pub fn longest_lag(&self) -> usize {
        self.lags.iter().chain(&self.errors).map(|(lag, _)| *lag).max().unwrap_or(0)
    }

    /// `e_t` of the rows of a series, each from the rows before it.
    pub fn residuals(&self, series: &[f64]) -> Vec<f64> {
        residuals(series, self.mean, [&self.lags, &self.errors])
    }

    /// The forecasts of the `steps` rows after `past`.
    pub fn ahead(&self, past: &[f64], steps: usize) -> Vec<f64> {
        self.after((past, &self.residuals(past)), steps)
    }

    /// The same after rows whose errors are known.
    ///
    /// # Panics
    /// If there are fewer errors than rows.
    pub fn after(&self, (past, errors): (&[f64], &[f64]), steps: usize) -> Vec<f64> {
        let known = past.len();
        let mut rows: Vec<f64> = Vec::with_capacity(steps);
        for t in known..known + steps {
            let row = |row: usize| if row < known { past[row] } else { rows[row - known] };
            let linear = reach_back(&self.lags, t, |at| row(at) - self.mean);
            let error = |row: usize| if row < known { errors[row] } else { 0.0 };
            rows.push(self.mean + linear + reach_back(&self.errors, t, error));
        }
        rows
    }
}

/// Where the squares of `residuals` are least, from `at` on (Levenberg 1944; Marquardt 1963), derivatives by differences.
fn least_squares(at: Vec<f64>, rows: usize, residuals: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    const ROUNDS: usize = 30;
    let (mut at, mut damping) = (at, 1e-2);
    let sum = |errors: &[f64]| errors.iter().map(|error| error * error).sum::<f64>();
    let mut errors = residuals(&at);
    let mut least = sum(&errors);
    for _ in 0..ROUNDS {
        if at.is_empty() {
            break;
        }
        let mut jacobian = DMatrix::zeros(rows, at.len());
        for column in 0..at.len() {
            let mut moved = at.clone();
            moved[column] += STEP;
            for (row, (there, here)) in residuals(&moved).iter().zip(&errors).enumerate() {
                jacobian[(row, column)] = (there - here) / STEP;
            }
        }
        let square = jacobian.tr_mul(&jacobian);
        let gradient = jacobian.tr_mul(&DVector::from_column_slice(&errors));
        let mut gain = None;
        for _ in 0..8 {
            let mut damped = square.clone();
            for place in 0..at.len() {
                damped[(place, place)] += damping * (square[(place, place)] + 1e-9);
            }
            let Some(solved) = damped.cholesky().map(|whole| whole.solve(&gradient)) else {
                damping *= 10.0;
                continue;
            };
            let next: Vec<f64> =
                at.iter().zip(solved.iter()).map(|(at, by)| (at - by).clamp(-6.0, 6.0)).collect();
            let there = residuals(&next);
            let squares = sum(&there);
            if squares < least {
                gain = Some((least - squares) / least);
                (at, errors, least) = (next, there, squares);
                damping = (damping / 10.0_f64).max(1e-9);
                break;
            }
            damping *= 10.0;
        }
        if gain.is_none_or(|gain| gain < 1e-7) {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    const NONE: ArmaOrder =
        ArmaOrder { lags: 0, errors: 0, seasonal_lags: 0, seasonal_errors: 0, has_mean: false };

    /// `x_t = 3 + 0.6 (x_{t−1} − 3) + e_t + 0.4 e_{t−1} + 0.5 (e_{t−4} + 0.4 e_{t−5})`.
    fn simulated(rows: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        let errors: Vec<f64> = (0..rows).map(|_| StandardNormal.sample(&mut random)).collect();
        let error = |t: usize, lag: usize| if lag <= t { errors[t - lag] } else { 0.0 };
        let mut before = 0.0;
        let next = |t: usize| {
            before = 0.6 * before
                + error(t, 0)
                + 0.4 * error(t, 1)
                + 0.5 * (error(t, 4) + 0.4 * error(t, 5));
            3.0 + before
        };
        (0..rows).map(next).collect()
    }

    #[test]
    fn coefficients_are_found_again() {
        let series = simulated(4000, 1);
        let order = ArmaOrder { lags: 1, errors: 1, seasonal_errors: 1, has_mean: true, ..NONE };
        let model = Arma::fit(&series, 4, order).unwrap();
        let near = |found: f64, right: f64| assert!((found - right).abs() < 0.05, "{model:?}");
        near(model.lags[0].1, 0.6);
        let lags: Vec<usize> = model.errors.iter().map(|(lag, _)| *lag).collect();
        assert_eq!(lags, [1, 4, 5]);
        for ((_, found), right) in model.errors.iter().zip([0.4, 0.5, 0.2]) {
            near(*found, right);
        }
        near(model.variance, 1.0);
        assert!((model.mean - 3.0).abs() < 0.3, "{model:?}");
        // No other point nearby has less.
        let squares = |lags: &[(usize, f64)]| {
            let errors = residuals(&series, model.mean, [lags, &model.errors]);
            errors.iter().map(|error| error * error).sum::<f64>()
        };
        let here = squares(&model.lags);
        for by in [-1e-3, 1e-3] {
            assert!(squares(&[(1, model.lags[0].1 + by)]) > here);
        }
    }

    /// The search comes near what the series was made of, and its errors are no larger than those of the right orders.
    #[test]
    fn orders_are_found() {
        let series = simulated(1500, 2);
        let order = ArmaOrder { lags: 1, errors: 1, seasonal_errors: 1, has_mean: true, ..NONE };
        let right = Arma::fit(&series, 4, order).unwrap();
        let chosen = Arma::choose(&series, 4, true).unwrap();
        assert!(chosen.criterion <= right.criterion + 1e-6, "{chosen:?} {right:?}");
        assert!(
            chosen.order.has_mean && chosen.order.seasonal_errors + chosen.order.seasonal_lags > 0
        );
        let noise = simulated(400, 3)
            .iter()
            .enumerate()
            .map(|(t, _)| f64::from((t * 7919 % 101) as u8))
            .collect::<Vec<_>>();
        assert!(Arma::choose(&noise, 1, false).unwrap().order.seasonal_lags == 0);
    }

    #[test]
    fn forecasts_go_on_from_the_errors() {
        let series = simulated(300, 4);
        let order = ArmaOrder { errors: 1, has_mean: true, ..NONE };
        let model = Arma::fit(&series, 1, order).unwrap();
        let errors = residuals(&series, model.mean, [&model.lags, &model.errors]);
        let ahead = model.ahead(&series, 3);
        assert!((ahead[0] - model.mean - model.errors[0].1 * errors[299]).abs() < 1e-12);
        assert_eq!(ahead[1..], [model.mean; 2]);
        let walk = ArmaOrder { lags: 1, ..NONE };
        let model =
            Arma { lags: vec![(1, 0.5)], errors: Vec::new(), mean: 0.0, order: walk, ..model };
        assert_eq!(model.ahead(&[8.0], 3), [4.0, 2.0, 1.0]);
    }

    #[test]
    fn roots_are_those_of_the_polynomial() {
        // 1 − z/2 has its root at 2, 1 − 1.5 z + 0.56 z² at 1/0.7 and 1/0.8.
        assert!(roots_beyond(1.9, &[0.5]) && !roots_beyond(2.1, &[0.5]));
        assert!(roots_beyond(1.24, &[1.5, -0.56]) && !roots_beyond(1.26, &[1.5, -0.56]));
        let phi = coefficients(&[0.5, -0.3, 0.8]);
        assert!(roots_beyond(1.0, &phi) && phi.len() == 3);
        assert!(!roots_beyond(1.0, &[1.0]));
    }

    #[test]
    fn what_cannot_be_fitted_is_none() {
        let order = ArmaOrder { lags: 2, has_mean: true, ..NONE };
        assert_eq!(Arma::fit(&[1.0, 2.0, 3.0, 2.0, 1.0], 1, order), None);
        assert_eq!(Arma::choose(&[], 12, true), None);
        let flat = Arma::choose(&[5.0; 30], 12, true).unwrap();
        assert_eq!(flat.ahead(&[5.0; 30], 2), [5.0; 2]);
        assert_eq!(Arma::fit(&[f64::NAN; 30], 1, order), None);
    }
}
