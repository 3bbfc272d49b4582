//! Exponential smoothing with a damped trend and an additive season: Holt and Winters' method (Holt 1957; Winters 1960) with
//! the trend damped (Gardner & McKenzie 1985), in the error form of Hyndman, Koehler, Ord & Snyder 2008, where it is called
//! ETS(A,Ad,A):
//!
//! ```text
//! forecast  x̂_t = l + φ b + s_j                  j = t mod m: the row's place in its season
//! error     e_t = x_t − x̂_t
//! level     l   ← l + φ b + α e_t
//! trend     b   ← φ b + α β e_t
//! season    s_j ← s_j + γ (1 − α) e_t
//! ahead     x̂_{n+k} = l + (φ + φ² + … + φ^k) b + s_{(n+k−1) mod m}
//! ```
//!
//! Without a trend b is 0, without a season s is. On logarithms trend and season are factors: the multiplicative method.
//! The parameters α, β, γ, φ and the level and trend before the first row minimise the mean square of `e_t`, by the
//! gradient of that recursion. It is a recurrence, and its gradient is the same loop walked the other way.

use nalgebra::{DMatrix, DVector};

/// A fitted smoothing of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialSmoothing {
    /// α, β, γ, φ.
    pub parameters: SmoothingParameters,
    /// What the recursion starts from.
    pub start: SmoothingState,
    /// The mean of `e_t²` over the rows that it was fitted to.
    pub mean_squared_error: f64,
}

/// How fast level, trend and season follow the errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothingParameters {
    /// α of the level, in `[0, 1]`.
    pub level: f64,
    /// β of the trend, a share of α.
    pub trend: f64,
    /// γ of the season, a share of 1 − α.
    pub season: f64,
    /// φ: what a trend keeps from row to row.
    pub damping: f64,
}

/// Level, trend and season.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothingState {
    /// l.
    pub level: f64,
    /// b.
    pub trend: f64,
    /// s, of the rows of a season; one 0 where there is none.
    pub season: Vec<f64>,
}

/// What the mean squared error changes by, by each of what it depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Gradient {
    level: f64,
    trend: f64,
    season: f64,
    damping: f64,
    first_level: f64,
    first_trend: f64,
}

/// What the backward pass needs of a row: the error and the trend before it.
#[derive(Clone, Copy)]
struct Kept {
    error: f64,
    trend: f64,
}

impl SmoothingParameters {
    /// The recursion over the rows from `state`, which it leaves at their end. Returns `Σ e²`.
    fn forward(&self, series: &[f64], state: &mut SmoothingState, keep: impl FnMut(Kept)) -> f64 {
        self.go_on((series, 0), state, keep)
    }

    /// The recursion over the rows from `first` on; `state` is that of the rows before.
    fn go_on(
        &self,
        (series, first): (&[f64], usize),
        state: &mut SmoothingState,
        mut keep: impl FnMut(Kept),
    ) -> f64 {
        let Self { level: alpha, trend: beta, season: gamma, damping: phi } = *self;
        let SmoothingState { level, trend, season } = state;
        let (m, mut sum) = (season.len(), 0.0);
        for (t, x) in series.iter().enumerate().skip(first) {
            let s = &mut season[t % m];
            let error = x - (*level + phi * *trend + *s);
            keep(Kept { error, trend: *trend });
            *level += phi * *trend + alpha * error;
            *trend = phi * *trend + alpha * beta * error;
            *s += gamma * (1.0 - alpha) * error;
            sum += error * error;
        }
        sum
    }

    /// The gradient of `Σ e²`: the recursion from the last row to the first, `l`, `b` and `s` being what the sum changes by
    /// with level, trend and season after the row.
    fn backward(&self, kept: &[Kept], m: usize) -> Gradient {
        let Self { level: alpha, trend: beta, season: gamma, damping: phi } = *self;
        let mut gradient = Gradient::default();
        let (mut l, mut b, mut season) = (0.0, 0.0, vec![0.0; m]);
        for (t, &Kept { error, trend }) in kept.iter().enumerate().rev() {
            let s = &mut season[t % m];
            let d_error = 2.0 * error + alpha * l + alpha * beta * b + gamma * (1.0 - alpha) * *s;
            gradient.level += error * (l + beta * b - gamma * *s);
            gradient.trend += error * alpha * b;
            gradient.season += error * (1.0 - alpha) * *s;
            gradient.damping += trend * (l + b - d_error);
            b = phi * (l + b - d_error);
            l -= d_error;
            *s -= d_error;
        }
        Gradient { first_level: l, first_trend: b, ..gradient }
    }
}

impl SmoothingState {
    /// Where the recursion may start: the level and the slope of a line through the first seasons (at most three, at least
    /// two), and how far each row of a season lies from it, by least squares. Without a season the line goes through the
    /// first ten rows. None for too few rows.
    pub fn of(series: &[f64], season: usize, with_trend: bool) -> Option<Self> {
        let m = season.max(1);
        if series.len() < 2 * m || series.len() < 3 {
            return None;
        }
        let rows = if m > 1 { m * (series.len() / m).min(3) } else { series.len().min(10) };
        let mean = series[..rows].iter().sum::<f64>() / rows as f64;
        // Centred, so that no high level costs digits.
        let column = |t: usize, c: usize| match c {
            0 => 1.0,
            1 => t as f64,
            place => f64::from(u8::from(t % m == place - 1)),
        };
        let design = DMatrix::from_fn(rows, m + 1, column);
        let values = DVector::from_iterator(rows, series[..rows].iter().map(|x| x - mean));
        let decomposition = design.qr();
        let projected = decomposition.q().tr_mul(&values);
        let solved = decomposition.r().solve_upper_triangular(&projected)?;
        let mut places = vec![0.0; m];
        places[1..].copy_from_slice(&solved.as_slice()[2..]);
        let middle = places.iter().sum::<f64>() / m as f64;
        places.iter_mut().for_each(|place| *place -= middle);
        let (level, slope) = (mean + solved[0] + middle, solved[1]);
        let state = match with_trend {
            true => Self { level: level - slope, trend: slope, season: places },
            false => Self { level: level + 4.0 * slope, trend: 0.0, season: places },
        };
        (state.level.is_finite() && state.trend.is_finite()).then_some(state)
    }
}

impl ExponentialSmoothing {
    /// The smoothing that fits a series best. None for too few rows, or if it fits none with a number.
    ///
    /// ```
    /// use bptt::model::ExponentialSmoothing;
    ///
    /// let series: Vec<f64> = (0..40).map(|t| f64::from(t) + 10.0 * f64::from(t % 4)).collect();
    /// let smoothing = ExponentialSmoothing::fit(&series, 4, true).unwrap();
    /// let next = smoothing.ahead(&series, 4);
    /// assert!((next[3] - 73.0).abs() < 0.5, "{next:?}");
    /// ```
    pub fn fit(series: &[f64], season: usize, with_trend: bool) -> Option<Self> {
        /// Where the search starts, in the order of [`Search::parameters`].
        const STARTS: [[f64; 6]; 3] = [
            [0.0, -2.0, -2.0, 1.0, 0.0, 0.0],
            [-2.0, -3.0, -1.0, 2.0, 0.0, 0.0],
            [3.0, -3.0, -3.0, 1.0, 0.0, 0.0],
        ];
        if series.len() < 8 {
            return None;
        }
        let start = SmoothingState::of(series, season, with_trend)?;
        let mean = series.iter().sum::<f64>() / series.len() as f64;
        let squares = series.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let deviation = (squares / series.len() as f64).sqrt();
        if !deviation.is_finite() {
            return None;
        }
        let deviation = if deviation > 0.0 { deviation } else { 1.0 };
        let search = Search { series, start, deviation, with_trend };
        let found = STARTS.iter().map(|&start| minimum(start, |place| search.value(place)));
        let (value, place) = found.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let (parameters, start) = search.parameters(&place);
        let sum = parameters.forward(series, &mut start.clone(), |_| {});
        let mean_squared_error = sum / series.len() as f64;
        let whole = value.is_finite() && mean_squared_error.is_finite();
        whole.then_some(Self { parameters, start, mean_squared_error })
    }

    /// The forecasts of the `steps` rows after `past`, which begins with the row that it was fitted from.
    pub fn ahead(&self, past: &[f64], steps: usize) -> Vec<f64> {
        self.walk().ahead(past, steps)
    }

    /// The recursion before the first row, for forecasts from several rows of a series.
    pub fn walk(&self) -> SmoothingWalk {
        SmoothingWalk { model: self.clone(), state: self.start.clone(), rows: 0 }
    }

    /// The rows from which a state to start with is taken.
    pub fn starting_rows(&self) -> usize {
        match self.start.season.len() {
            1 => 10,
            season => 3 * season,
        }
    }

    /// The same parameters for a series that begins with another row; none if that is too short.
    pub fn restarted(&self, series: &[f64]) -> Option<Self> {
        let with_trend = self.start.trend != 0.0 || self.parameters.trend > 0.0;
        let start = SmoothingState::of(series, self.start.season.len(), with_trend)?;
        Some(Self { start, ..self.clone() })
    }
}

/// The recursion somewhere in a series. Forecasts from later and later rows walk over each row once.
#[derive(Clone, Debug)]
pub struct SmoothingWalk {
    model: ExponentialSmoothing,
    state: SmoothingState,
    /// The rows that are behind it.
    rows: usize,
}

impl SmoothingWalk {
    /// The forecasts of the `steps` rows after `past`, which begins with the row that the smoothing was fitted from, and with
    /// the rows of earlier calls.
    pub fn ahead(&mut self, past: &[f64], steps: usize) -> Vec<f64> {
        let Self { model, state, rows } = self;
        if past.len() < *rows {
            (*state, *rows) = (model.start.clone(), 0);
        }
        model.parameters.go_on((past, *rows), state, |_| {});
        *rows = past.len();
        let SmoothingState { level, trend, season } = state;
        let (mut factor, mut sum) = (1.0, 0.0);
        (past.len()..past.len() + steps)
            .map(|t| {
                factor *= model.parameters.damping;
                sum += factor;
                *level + sum * *trend + season[t % season.len()]
            })
            .collect()
    }
}

/// The search for the parameters, in numbers that may have any value.
struct Search<'a> {
    series: &'a [f64],
    start: SmoothingState,
    /// The deviation of the series: the unit of its level and, tenfold, of its trend.
    deviation: f64,
    with_trend: bool,
}

/// The bounds of α, β, γ and φ.
const BOUNDS: [[f64; 2]; 4] = [[1e-3, 0.999], [1e-3, 0.5], [1e-3, 0.5], [0.8, 0.995]];

impl Search<'_> {
    /// Which of the six numbers there are.
    fn used(&self) -> [bool; 6] {
        let (trend, season) = (self.with_trend, self.start.season.len() > 1);
        [true, trend, season, trend, true, trend]
    }

    /// α, β, γ and φ through the logistic function, level and trend in units of the series.
    fn parameters(&self, place: &[f64; 6]) -> (SmoothingParameters, SmoothingState) {
        let used = self.used();
        let within = |p: usize, unused: f64| {
            let [low, high] = BOUNDS[p];
            if used[p] { low + (high - low) / (1.0 + (-place[p]).exp()) } else { unused }
        };
        let parameters = SmoothingParameters {
            level: within(0, 0.0),
            trend: within(1, 0.0),
            season: within(2, 0.0),
            damping: within(3, 1.0),
        };
        let mut start = self.start.clone();
        start.level += place[4] * self.deviation;
        if self.with_trend {
            start.trend += place[5] * 0.1 * self.deviation;
        }
        (parameters, start)
    }

    /// The mean squared error in units of the variance, and its gradient. A small weight keeps level and trend near where the
    /// first rows put them, because a short series does not tell them.
    fn value(&self, place: &[f64; 6]) -> (f64, [f64; 6]) {
        const NEAR: f64 = 1e-3;
        let (parameters, mut state) = self.parameters(place);
        let (n, m) = (self.series.len() as f64, state.season.len());
        let mut kept = Vec::with_capacity(self.series.len());
        let sum = parameters.forward(self.series, &mut state, |row| kept.push(row));
        let by = parameters.backward(&kept, m);
        let scale = 1.0 / (n * self.deviation * self.deviation);
        let away = place[4].powi(2) + place[5].powi(2);
        let along = |p: usize, value: f64, by: f64| {
            let [low, high] = BOUNDS[p];
            by * (value - low) * (high - value) / (high - low)
        };
        let mut gradient = [
            along(0, parameters.level, by.level),
            along(1, parameters.trend, by.trend),
            along(2, parameters.season, by.season),
            along(3, parameters.damping, by.damping),
            by.first_level * self.deviation,
            by.first_trend * 0.1 * self.deviation,
        ];
        for (p, used) in self.used().into_iter().enumerate() {
            gradient[p] = if used { gradient[p] * scale } else { 0.0 };
        }
        gradient[4] += 2.0 * NEAR * place[4] / n;
        gradient[5] += 2.0 * NEAR * place[5] / n;
        (sum * scale + NEAR * away / n, gradient)
    }
}

/// The smallest value that the search by Broyden, Fletcher, Goldfarb and Shanno finds from there, and where (Nocedal & Wright
/// 2006, chapter 6).
fn minimum(start: [f64; 6], value: impl Fn(&[f64; 6]) -> (f64, [f64; 6])) -> (f64, [f64; 6]) {
    const STEPS: usize = 100;
    let dot = |a: &[f64; 6], b: &[f64; 6]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut place, (mut now, mut gradient)) = (start, value(&start));
    let unit = |scale: f64| -> [[f64; 6]; 6] {
        std::array::from_fn(|i| std::array::from_fn(|j| if i == j { scale } else { 0.0 }))
    };
    // The inverse of the second derivatives, as far as they are known.
    let mut inverse = unit(1.0);
    for step in 0..STEPS {
        let mut direction: [f64; 6] = std::array::from_fn(|i| -dot(&inverse[i], &gradient));
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            inverse = unit(1.0);
            direction = gradient.map(|g| -g);
            slope = -dot(&gradient, &gradient);
        }
        // Beyond that the logistic functions are flat.
        let longest = direction.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
        let mut length = if longest > 2.0 { 2.0 / longest } else { 1.0 };
        let mut next = None;
        for _ in 0..30 {
            let tried: [f64; 6] = std::array::from_fn(|i| place[i] + length * direction[i]);
            let (there, gradient) = value(&tried);
            if there <= now + 1e-4 * length * slope {
                next = Some((tried, there, gradient));
                break;
            }
            length *= 0.5;
        }
        let Some((tried, there, new)) = next else { break };
        let moved: [f64; 6] = std::array::from_fn(|i| tried[i] - place[i]);
        let turned: [f64; 6] = std::array::from_fn(|i| new[i] - gradient[i]);
        let saved = now - there;
        (place, now, gradient) = (tried, there, new);
        if saved <= 1e-9 * now.abs() {
            break;
        }
        let along = dot(&moved, &turned);
        if along <= 1e-14 {
            continue;
        }
        if step == 0 {
            inverse = unit(along / dot(&turned, &turned));
        }
        let through: [f64; 6] = std::array::from_fn(|i| dot(&inverse[i], &turned));
        let factor = (1.0 + dot(&turned, &through) / along) / along;
        for i in 0..6 {
            for j in 0..6 {
                inverse[i][j] += factor * moved[i] * moved[j]
                    - (through[i] * moved[j] + moved[i] * through[j]) / along;
            }
        }
    }
    (now, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;
    use serde_json::Value;

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    /// Errors and forecasts of given parameters are those of statsmodels' `ETSModel`.
    #[test]
    fn the_recursion_is_that_of_statsmodels() {
        let fixture = include_str!("../../tests/fixtures/exponential_smoothing.json");
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let mut worst = 0f64;
        for model in fixture["models"].as_array().unwrap() {
            let [level, trend, season, damping] =
                ["level", "trend", "season", "damping"].map(|key| model[key].as_f64().unwrap());
            let smoothing = ExponentialSmoothing {
                parameters: SmoothingParameters { level, trend, season, damping },
                start: SmoothingState {
                    level: model["start_level"].as_f64().unwrap(),
                    trend: model["start_trend"].as_f64().unwrap(),
                    season: numbers(&model["start_season"]),
                },
                mean_squared_error: 0.0,
            };
            let mut series = Series::airline_passengers().values[0].clone();
            if model["log"].as_bool().unwrap() {
                series.iter_mut().for_each(|value| *value = value.ln());
            }
            let start = &mut smoothing.start.clone();
            let sum = smoothing.parameters.forward(&series, start, |_| {});
            let expected = model["squares"].as_f64().unwrap();
            worst = worst.max((sum / expected - 1.0).abs());
            let ahead = smoothing.ahead(&series, 15);
            for (ours, theirs) in ahead.iter().zip(numbers(&model["ahead"])) {
                worst = worst.max((ours / theirs - 1.0).abs());
            }
        }
        assert!(worst < 1e-9, "{worst}");
        println!("largest error against statsmodels: {worst:e}");
    }

    #[test]
    fn the_gradient_is_that_of_differences() {
        let airline = &Series::airline_passengers().values[0];
        for (season, with_trend) in [(12, true), (12, false), (1, true), (1, false)] {
            let series = &airline[..60];
            let start = SmoothingState::of(series, season, with_trend).unwrap();
            let search = Search { series, start, deviation: 80.0, with_trend };
            let place = [0.3, -1.2, -0.7, 0.4, 0.1, -0.2];
            let (_, gradient) = search.value(&place);
            for p in 0..6 {
                const BY: f64 = 1e-5;
                let at = |by: f64| {
                    let mut moved = place;
                    moved[p] += by;
                    search.value(&moved).0
                };
                let slope = (at(BY) - at(-BY)) / (2.0 * BY);
                let error = (slope - gradient[p]).abs();
                assert!(error < 1e-8, "{season} {with_trend} {p}: {slope} {}", gradient[p]);
            }
        }
    }

    /// No other parameters of a fine grid fit better than those that are found.
    #[test]
    fn no_point_of_a_grid_fits_better() {
        let series = &Series::airline_passengers().values[0];
        let fit = ExponentialSmoothing::fit(series, 1, false).unwrap();
        let best = (1..1000).map(|step| {
            let level = f64::from(step) / 1000.0;
            let parameters = SmoothingParameters { level, ..fit.parameters };
            parameters.forward(series, &mut fit.start.clone(), |_| {}) / series.len() as f64
        });
        let best = best.fold(f64::INFINITY, f64::min);
        assert!(fit.mean_squared_error <= best * (1.0 + 1e-6), "{best} {fit:?}");
        // With a season, of four parameters: what was found against its neighbours.
        let fit = ExponentialSmoothing::fit(series, 12, true).unwrap();
        let around = [0.9, 1.0, 1.1];
        for (level, trend) in around.iter().flat_map(|a| around.map(|b| (a, b))) {
            for (season, damping) in around.iter().flat_map(|a| [0.99, 1.0].map(|b| (a, b))) {
                let SmoothingParameters { level: l, trend: b, season: s, damping: d } =
                    fit.parameters;
                let within = |value: f64, [low, high]: [f64; 2]| value.clamp(low, high);
                let parameters = SmoothingParameters {
                    level: within(l * level, BOUNDS[0]),
                    trend: within(b * trend, BOUNDS[1]),
                    season: within(s * season, BOUNDS[2]),
                    damping: within(d * damping, BOUNDS[3]),
                };
                let sum = parameters.forward(series, &mut fit.start.clone(), |_| {});
                let there = sum / series.len() as f64;
                assert!(fit.mean_squared_error <= there * (1.0 + 1e-4), "{parameters:?} {fit:?}");
            }
        }
    }

    /// To the bit, whether the recursion goes on or begins anew.
    #[test]
    fn a_walk_forecasts_from_each_row() {
        let series = &Series::airline_passengers().values[0];
        let fit = ExponentialSmoothing::fit(&series[..100], 12, true).unwrap();
        let mut walk = fit.walk();
        for rows in [100, 101, 101, 120, 144, 60, 61] {
            let anew = fit.ahead(&series[..rows], 14);
            assert_eq!(walk.ahead(&series[..rows], 14), anew, "{rows}");
        }
    }

    #[test]
    fn units_do_not_matter_and_too_few_rows_have_none() {
        let series = &Series::airline_passengers().values[0];
        let fit = ExponentialSmoothing::fit(series, 12, true).unwrap();
        for (unit, level) in [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e5), (-1.0, 0.0)] {
            let other: Vec<f64> = series.iter().map(|x| unit * x + level).collect();
            let ahead = ExponentialSmoothing::fit(&other, 12, true).unwrap().ahead(&other, 12);
            for (a, b) in ahead.iter().zip(fit.ahead(series, 12)) {
                assert!(((a - level) / unit - b).abs() < 1.0, "{unit} {level}");
            }
        }
        assert_eq!(ExponentialSmoothing::fit(&series[..20], 12, true), None);
        assert_eq!(ExponentialSmoothing::fit(&series[..7], 1, true), None);
        let constant = ExponentialSmoothing::fit(&[4.0; 30], 4, true).unwrap();
        assert!(constant.ahead(&[4.0; 30], 3).iter().all(|value| (value - 4.0).abs() < 1e-9));
        assert_eq!(ExponentialSmoothing::fit(&[f64::INFINITY; 30], 1, true), None);
    }
}
