//! What columns that are known ahead, as a promotion or a holiday, do to a series: taken out before it is forecast, and put
//! back into the forecasts.
//!
//! ```text
//! g(y_t) = β · (x_t − x̄) + c + d t + s_{t mod m} + u_t        u_t = ρ u_{t−1} + e_t
//! y'_t   = g⁻¹(g(y_t) − β · (x_t − x̄))
//! ```
//! by least squares with errors that go on from row to row (Cochrane & Orcutt 1949), g the logarithm or the value itself,
//! whichever makes the rows likelier. Level, trend and season are there so that they are not taken for effects; they stay in
//! the series. A coefficient may have a penalty λ: of n rows with its column it has n / (n + λ) of what least squares gives it
//! (ridge regression, Hoerl & Kennard 1970). A column that level, trend and season determine nearly or wholly, as a promotion on
//! each Saturday, has no effect: what it does cannot be told from the season, and stays in it.

use nalgebra::{DMatrix, DVector};

/// The effects of some columns on each column to forecast.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KnownEffects {
    /// x̄: the mean of each known column.
    pub means: Vec<f64>,
    /// A column to forecast each.
    pub targets: Vec<TargetEffects>,
}

/// The effects on a column.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetEffects {
    /// Whether g is the logarithm: effects are factors, and not summands.
    pub multiplies: bool,
    /// β, a known column each.
    pub coefficients: Vec<f64>,
}

/// Rounds of the estimation of ρ.
const ROUNDS: usize = 4;

/// The longest season whose rows have an effect each; a longer one has three waves.
const LONGEST: usize = 60;

impl KnownEffects {
    /// The effects in the first `rows` rows of the columns to forecast `[column][row]`. `known` are the known columns, as
    /// long at least, with a penalty each; a season has so many rows.
    pub fn fit(
        targets: &[Vec<f64>],
        (known, penalties): (&[Vec<f64>], &[f64]),
        rows: usize,
        season: usize,
    ) -> Self {
        let mean = |column: &Vec<f64>| column[..rows].iter().sum::<f64>() / rows.max(1) as f64;
        let means: Vec<f64> = known.iter().map(mean).collect();
        let mut design = design(known, &means, rows, season);
        leave_to_the_season(&mut design, known.len());
        let of = |column: &Vec<f64>| {
            let values = DVector::from_column_slice(&column[..rows]);
            let (coefficients, variance) = fitted(&design, &values, penalties);
            let added = TargetEffects {
                multiplies: false,
                coefficients: coefficients.iter().take(known.len()).copied().collect(),
            };
            if column[..rows].iter().any(|&value| value <= 0.0) {
                return added;
            }
            let logarithms = values.map(f64::ln);
            let (coefficients, of_logarithms) = fitted(&design, &logarithms, penalties);
            // The density of y has the derivative of the logarithm, 1/y, in it.
            let half = rows as f64 / 2.0;
            match -half * of_logarithms.ln() - logarithms.sum() > -half * variance.ln() {
                true => TargetEffects {
                    multiplies: true,
                    coefficients: coefficients.iter().take(known.len()).copied().collect(),
                },
                false => added,
            }
        };
        Self { targets: targets.iter().map(of).collect(), means }
    }

    /// `g` of values of a column to forecast.
    pub(super) fn g(&self, target: usize, values: &[f64]) -> DVector<f64> {
        match self.targets[target].multiplies {
            true => DVector::from_iterator(values.len(), values.iter().map(|value| value.ln())),
            false => DVector::from_column_slice(values),
        }
    }

    /// `β · (x − x̄)` for a row of the known columns.
    fn effect(&self, target: usize, known: impl Iterator<Item = f64>) -> f64 {
        let each = self.targets[target].coefficients.iter().zip(&self.means).zip(known);
        each.map(|((coefficient, mean), x)| coefficient * (x - mean)).sum()
    }

    /// `y'`: a value of a column without the effects of its row.
    pub fn without(&self, target: usize, value: f64, known: impl Iterator<Item = f64>) -> f64 {
        let effect = self.effect(target, known);
        if self.targets[target].multiplies { value * (-effect).exp() } else { value - effect }
    }

    /// `y`: a value with the effects of its row.
    pub fn with(&self, target: usize, value: f64, known: impl Iterator<Item = f64>) -> f64 {
        let effect = self.effect(target, known);
        if self.targets[target].multiplies { value * effect.exp() } else { value + effect }
    }
}

/// Known columns, level, trend and season: `[row][column]`.
pub(super) fn design(
    known: &[Vec<f64>],
    means: &[f64],
    rows: usize,
    season: usize,
) -> DMatrix<f64> {
    let seasonal = match season {
        0 | 1 => 0,
        _ if rows < 3 * season => 0,
        season if season <= LONGEST => season - 1,
        _ => 6,
    };
    let k = known.len();
    DMatrix::from_fn(rows, k + 2 + seasonal, |row, column| match column {
        column if column < k => known[column][row] - means[column],
        column if column == k => 1.0,
        column if column == k + 1 => row as f64 / rows as f64 - 0.5,
        column if season <= LONGEST => f64::from(u8::from(row % season == column - k - 2)),
        column => {
            let wave = (column - k - 2) / 2 + 1;
            let angle = std::f64::consts::TAU * (wave * row) as f64 / season as f64;
            if (column - k).is_multiple_of(2) { angle.sin() } else { angle.cos() }
        }
    })
}

/// The share of a known column's variance that has to be its own, and not that of level, trend and season.
const LEAST_OWN_SHARE: f64 = 0.02;

/// Makes the known columns zero, which are the first ones, that the others determine.
fn leave_to_the_season(design: &mut DMatrix<f64>, known: usize) {
    let others = design.columns(known, design.ncols() - known).into_owned();
    for place in 0..known {
        let column = design.column(place).into_owned();
        let own = &column - &others * least_squares(&others, &column, &[]);
        if own.norm_squared() < LEAST_OWN_SHARE * column.norm_squared() {
            design.column_mut(place).fill(0.0);
        }
    }
}

/// The coefficients, and the variance of e.
fn fitted(design: &DMatrix<f64>, values: &DVector<f64>, penalties: &[f64]) -> (DVector<f64>, f64) {
    let rows = values.len();
    let mut coefficients = least_squares(design, values, penalties);
    let mut variance = f64::NAN;
    for _ in 0..ROUNDS {
        let rho = rho(&(values - design * &coefficients));
        let later = rows.saturating_sub(1);
        let design_now = design.rows(1, later) - rho * design.rows(0, later);
        let values_now = values.rows(1, later) - rho * values.rows(0, later);
        coefficients = least_squares(&design_now, &values_now, penalties);
        let errors = &values_now - &design_now * &coefficients;
        variance = errors.norm_squared() / later.max(1) as f64;
    }
    (coefficients, variance.max(f64::MIN_POSITIVE))
}

/// ρ of errors.
pub(super) fn rho(errors: &DVector<f64>) -> f64 {
    let pairs = (1..errors.len()).map(|row| (errors[row], errors[row - 1]));
    let (product, square) =
        pairs.fold((0.0, 0.0), |(a, b), (now, then)| (a + now * then, b + then * then));
    if square > 0.0 { (product / square).clamp(-0.99, 0.99) } else { 0.0 }
}

/// What keeps the square of columns of norm 1 regular, where some of them determine others.
pub(super) const TINY: f64 = 1e-9;

/// The least of the solutions of least squares: a column that others determine, or that does not change, has a small effect
/// or none. The first columns have the penalties.
pub(super) fn least_squares(
    design: &DMatrix<f64>,
    values: &DVector<f64>,
    penalties: &[f64],
) -> DVector<f64> {
    let norms: Vec<f64> = design.column_iter().map(|column| column.norm()).collect();
    let scaled = DMatrix::from_fn(design.nrows(), design.ncols(), |row, column| {
        if norms[column] > 0.0 { design[(row, column)] / norms[column] } else { 0.0 }
    });
    let mut square = scaled.tr_mul(&scaled);
    for place in 0..square.nrows() {
        let penalty = penalties.get(place).copied().unwrap_or(0.0) / norms[place].powi(2);
        square[(place, place)] += TINY + if penalty.is_finite() { penalty } else { 0.0 };
    }
    let right = scaled.tr_mul(values);
    let solution = square.cholesky().map(|factors| factors.solve(&right));
    let mut solution = solution.unwrap_or_else(|| DVector::zeros(right.len()));
    for (value, norm) in solution.iter_mut().zip(&norms) {
        *value = if *norm > 0.0 { *value / norm } else { 0.0 };
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, SeedableRng};
    use rand::RngExt;

    /// A level that wanders or does not, with a week, a trend and what a known column does.
    fn drawn(multiplies: bool, wander: f64, seed: u64) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mut random = Random::seed_from_u64(seed);
        let mut level = 0.0;
        let mut known = vec![Vec::new(), Vec::new()];
        let values = (0..700)
            .map(|row| {
                let promotion = f64::from(u8::from(random.random_range(0.0..1.0) < 0.1));
                known[0].push(promotion);
                // A column that does not change is no effect.
                known[1].push(3.0);
                level += wander * random.random_range(-1.0..1.0);
                let week = [0.0, 0.1, 0.2, 0.1, 0.0, 0.4, 0.5][row % 7];
                let noise = 0.02 * random.random_range(-1.0..1.0);
                let sum = 5.0 + level + 0.0005 * row as f64 + week + 0.3 * promotion + noise;
                if multiplies { sum.exp() } else { 100.0 * sum }
            })
            .collect();
        (values, known)
    }

    #[test]
    fn a_penalty_leaves_its_share_of_an_effect() {
        let design = DMatrix::from_column_slice(
            8,
            2,
            &[1., 1., 1., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0., 0., 1., 1.],
        );
        let values = DVector::from_column_slice(&[3., 3., 3., 3., 3., 3., 5., 5.]);
        // 6 rows of 6 + 2, and all of the second.
        let found = least_squares(&design, &values, &[2.0]);
        assert!((found[0] - 3.0 * 6.0 / 8.0).abs() < 1e-6 && (found[1] - 5.0).abs() < 1e-6);
        let found = least_squares(&design, &values, &[]);
        assert!((found[0] - 3.0).abs() < 1e-6, "{found}");
    }

    /// A promotion on each last day of the week: what the weekday does stays with the season.
    /// One that is left out in every second week has its effect.
    #[test]
    fn what_the_season_determines_is_no_effect() {
        for seed in 1..=8 {
            let mut random = Random::seed_from_u64(seed);
            let known = vec![(0..400).map(|row| f64::from(u8::from(row % 7 == 6))).collect()];
            let mut value = |row: usize| {
                let noise = 2.0 * random.random_range(-1.0..1.0);
                100.0 + noise + if row % 7 == 6 { 20.0 } else { 0.0 }
            };
            let values: Vec<f64> = (0..400).map(&mut value).collect();
            let effects = KnownEffects::fit(&[values], (&known, &[0.0]), 400, 7);
            assert_eq!(effects.targets[0].coefficients, [0.0], "seed {seed}");
            let on = |row: usize| row % 14 == 6;
            let known = vec![(0..400).map(|row| f64::from(u8::from(on(row)))).collect()];
            let values = (0..400).map(|row| {
                let weekday = if row % 7 == 6 { 20.0 } else { 0.0 };
                weekday - 100.0 + if on(row) { 10.0 } else { 0.0 }
            });
            let effects = KnownEffects::fit(&[values.collect()], (&known, &[0.0]), 400, 7);
            assert!((effects.targets[0].coefficients[0] - 10.0).abs() < 1e-6, "{effects:?}");
        }
    }

    #[test]
    fn an_effect_is_found_taken_out_and_put_back() {
        for multiplies in [false, true] {
            for wander in [0.0, 0.05] {
                let (values, known) = drawn(multiplies, wander, 1);
                let effects =
                    KnownEffects::fit(std::slice::from_ref(&values), (&known, &[0.0; 2]), 600, 7);
                let found = &effects.targets[0];
                let truth = if multiplies { 0.3 } else { 30.0 };
                assert_eq!(found.multiplies, multiplies, "{wander}");
                let error = (found.coefficients[0] / truth - 1.0).abs();
                assert!(error < 0.03, "{multiplies} {wander}: {effects:?}");
                assert_eq!(found.coefficients[1], 0.0);
                for row in [0, 650] {
                    let x = || known.iter().map(|column| column[row]);
                    let without = effects.without(0, values[row], x());
                    let back = effects.with(0, without, x());
                    assert!((back / values[row] - 1.0).abs() < 1e-12);
                }
            }
        }
    }
}
