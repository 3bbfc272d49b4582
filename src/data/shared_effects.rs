//! What holidays do to many series: an effect that all share, and how far each series departs from it.
//!
//! ```text
//! g(y_t) = s β · (x_t − x̄) + c + d t + s_{t mod m} + u_t     u_t = ρ u_{t−1} + e_t          s = 1 (g = ln) or deviation of e
//! β      = (Σ S_i)⁻¹ Σ r_i                                   S_i, r_i: squares and products of x with level, trend and season
//! β_i    = s β + (S_i + λ)⁻¹ (r_i − S_i s β)                 projected out; in the sums over σ², the variance of e
//! λ      = σ² / (s τ)²                                       τ: how far series depart from β, more than by chance
//! ```
//! So a short series has the effect of all, and a long one its own, if they differ (empirical Bayes; the variance of random
//! effects by moments, DerSimonian & Laird 1986).

use super::known_effects::{KnownEffects, TINY, TargetEffects, design, least_squares, rho};
use super::scaled_window::Link;
use nalgebra::{DMatrix, DVector};

/// The effects that many series share.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SharedEffects {
    /// β, a known column each: a logarithm of a factor, or in units of a series' own noise.
    pub coefficients: Vec<f64>,
    /// τ, in the same units.
    pub spread: f64,
}

/// The rows of a series to learn from, and their known columns.
#[derive(Clone, Copy, Debug)]
pub struct Learnt<'a> {
    /// The values.
    pub values: &'a [f64],
    /// `[column][row]`, as long at least.
    pub known: &'a [Vec<f64>],
}

/// What one series tells.
struct Told {
    square: DMatrix<f64>,
    right: DVector<f64>,
    /// s.
    scale: f64,
    /// That of e.
    variance: f64,
    means: Vec<f64>,
}

impl Told {
    /// None where the rows are too few.
    fn of(learnt: Learnt<'_>, season: usize, link: Link) -> Option<Self> {
        /// Rows, at least.
        const LEAST: usize = 8;
        let Learnt { values, known } = learnt;
        let rows = values.len();
        if rows < LEAST {
            return None;
        }
        let mean = |column: &Vec<f64>| column[..rows].iter().sum::<f64>() / rows as f64;
        let means: Vec<f64> = known.iter().map(mean).collect();
        let design = design(known, &means, rows, season);
        let values = DVector::from_iterator(rows, values.iter().map(|&value| link.of(value)));
        let errors = &values - &design * least_squares(&design, &values, &[]);
        let rho = rho(&errors);
        let later = rows - 1;
        let now = design.rows(1, later) - rho * design.rows(0, later);
        let aim = values.rows(1, later) - rho * values.rows(0, later);
        let variance = (errors.rows(1, later) - rho * errors.rows(0, later)).norm_squared();
        // A series that follows its season exactly does not count without bound.
        let variance = (variance / later as f64).max(1e-9 * values.variance()).max(1e-12);
        let (k, width) = (known.len(), now.ncols());
        let mut square = now.tr_mul(&now);
        let right = now.tr_mul(&aim);
        for place in k..width {
            square[(place, place)] += TINY * square[(place, place)] + f64::MIN_POSITIVE;
        }
        let base = square.view((k, k), (width - k, width - k)).into_owned().cholesky()?;
        let beside = square.view((k, 0), (width - k, k)).into_owned();
        let projected = base.solve(&beside);
        let of_base = right.rows(k, width - k).into_owned();
        let scale = match link {
            Link::Logarithm => 1.0,
            Link::Identity => variance.sqrt(),
        };
        let square = square.view((0, 0), (k, k)) - beside.tr_mul(&projected);
        let right = right.rows(0, k) - projected.tr_mul(&of_base);
        Some(Self { square, right, scale, variance, means })
    }
}

impl SharedEffects {
    /// Those of many series whose first columns, so many as `always`, have an effect in any case; each further group of columns,
    /// of so many as `groups` say, has one if that makes the rows likelier by Schwarz's criterion. With the effects comes whether
    /// each group has one.
    pub fn fit(
        series: &[Learnt<'_>],
        (always, groups): (usize, &[usize]),
        (season, link): (usize, Link),
    ) -> (Self, Vec<bool>) {
        let width = always + groups.iter().sum::<usize>();
        let (mut square, mut right) = (DMatrix::zeros(width, width), DVector::zeros(width));
        let mut rows = 0;
        let mut told = Vec::new();
        for &learnt in series {
            let Some(Told { square: own, right: aim, scale, variance, .. }) =
                Told::of(learnt, season, link)
            else {
                continue;
            };
            let own = own * (scale.powi(2) / variance);
            let aim = aim * (scale / variance);
            square += &own;
            right += &aim;
            rows += learnt.values.len();
            told.push((own, aim));
        }
        let first: Vec<usize> = (0..always).collect();
        let none = (DVector::zeros(always), first, vec![false; groups.len()]);
        let mut best = (f64::NEG_INFINITY, none);
        for choice in 0..1usize << groups.len() {
            let has: Vec<bool> = (0..groups.len()).map(|group| choice >> group & 1 == 1).collect();
            let mut kept: Vec<usize> = (0..always).collect();
            let mut from = always;
            for (group, &columns) in groups.iter().enumerate() {
                kept.extend((from..from + columns).filter(|_| has[group]));
                from += columns;
            }
            let some = DMatrix::from_fn(kept.len(), kept.len(), |a, b| {
                let ridge = if a == b { TINY * square[(kept[a], kept[a])] + TINY } else { 0.0 };
                square[(kept[a], kept[b])] + ridge
            });
            let aim = DVector::from_fn(kept.len(), |a, _| right[kept[a]]);
            let Some(factors) = some.cholesky() else { continue };
            let found = factors.solve(&aim);
            let gain = found.dot(&aim) - kept.len() as f64 * (rows.max(2) as f64).ln();
            if gain > best.0 {
                best = (gain, (found, kept, has));
            }
        }
        let (found, kept, has) = best.1;
        let spread = spread(&told, (&found, &kept));
        (Self { coefficients: found.iter().copied().collect(), spread }, has)
    }

    /// Those of one series.
    pub fn of(&self, learnt: Learnt<'_>, season: usize, link: Link) -> KnownEffects {
        let shared = DVector::from_column_slice(&self.coefficients);
        let multiplies = link == Link::Logarithm;
        let effects = |coefficients: DVector<f64>, means| KnownEffects {
            means,
            targets: vec![TargetEffects {
                multiplies,
                coefficients: coefficients.iter().copied().collect(),
            }],
        };
        let Some(Told { mut square, right, scale, variance, means }) =
            Told::of(learnt, season, link)
        else {
            let none = vec![0.0; self.coefficients.len()];
            return effects(if multiplies { shared } else { 0.0 * shared }, none);
        };
        let shared = scale * shared;
        let aim = right - &square * &shared;
        for place in 0..square.nrows() {
            square[(place, place)] += variance / (scale * self.spread).powi(2);
        }
        let departs = self.spread > 0.0;
        let own = Some(square)
            .filter(|_| departs)
            .and_then(DMatrix::cholesky)
            .map(|factors| factors.solve(&aim));
        effects(own.map_or(shared.clone(), |own| shared + own), means)
    }
}

/// τ, by the first column: of `Q = Σ (r − S β)² / S`, which is the number of series by chance and `τ² Σ S` more.
fn spread(told: &[(DMatrix<f64>, DVector<f64>)], (found, kept): (&DVector<f64>, &[usize])) -> f64 {
    let (mut chance, mut departs, mut sum) = (0.0, 0.0, 0.0);
    for (square, right) in told.iter().filter(|(square, _)| square[(0, 0)] > 0.0) {
        let explained =
            kept.iter().zip(found.iter()).map(|(&place, beta)| square[(0, place)] * beta);
        let left = right[0] - explained.sum::<f64>();
        departs += left.powi(2) / square[(0, 0)];
        sum += square[(0, 0)];
        chance += 1.0;
    }
    if departs > chance { ((departs - chance) / sum).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, SeedableRng};
    use rand::RngExt;

    /// Series of 200 rows with a week and a known column that does the same to all, but for the last, to which it does twice
    /// as much.
    fn drawn(link: Link, seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let mut random = Random::seed_from_u64(seed);
        let known: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 23 == 7))).collect();
        let noise: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 31 == 3))).collect();
        let values = (0..30).map(|series| {
            let does = if series == 29 { -0.8 } else { -0.4 };
            let size = 10f64.powi(series % 3);
            let row = |row: usize| {
                let error = 0.1 * (0..3).map(|_| random.random_range(-1.0..1.0)).sum::<f64>();
                let week = [0.0, 0.1, 0.3, 0.0, 0.2, 0.5, 0.4][row % 7];
                let sum = 2.0 + week + does * known[row] + error;
                if link == Link::Logarithm { size * sum.exp() } else { size * sum }
            };
            (0..200).map(row).collect()
        });
        (values.collect(), vec![known.clone(), noise])
    }

    #[test]
    fn what_all_share_is_found_and_one_that_departs_from_it() {
        for link in [Link::Logarithm, Link::Identity] {
            let (values, known) = drawn(link, 1);
            let learnt = |values| Learnt { values, known: &known };
            let all: Vec<Learnt<'_>> = values.iter().map(|values| learnt(values)).collect();
            let (shared, has) = SharedEffects::fit(&all, (1, &[1]), (7, link));
            // The second column does nothing.
            assert_eq!((shared.coefficients.len(), &has[..]), (1, &[false][..]));
            let own = |series: usize| {
                let learnt = Learnt { values: &values[series], known: &known[..1] };
                let effects = shared.of(learnt, 7, link);
                let size =
                    if link == Link::Logarithm { 1.0 } else { 10f64.powi(series as i32 % 3) };
                effects.targets[0].coefficients[0] / size
            };
            let all: Vec<f64> = (0..29).map(own).collect();
            let square = all.iter().map(|own| (own + 0.4).powi(2)).sum::<f64>() / 29.0;
            assert!(square.sqrt() < 0.05, "{link:?}: {all:?}");
            // In units of the noise, which is a tenth.
            let spread = shared.spread * if link == Link::Logarithm { 1.0 } else { 0.1 };
            assert!(own(29) < -0.65 && spread < 0.15, "{} {shared:?}", own(29));
            // A series that has seen no holiday has the effect of all.
            let short = Learnt { values: &values[0][..7], known: &known[..1] };
            let effects = shared.of(short, 7, Link::Logarithm);
            assert_eq!(effects.targets[0].coefficients, shared.coefficients);
        }
    }

    #[test]
    fn a_group_of_columns_that_does_something_is_kept() {
        let (values, mut known) = drawn(Link::Logarithm, 2);
        known.swap(0, 1);
        let all: Vec<Learnt<'_>> =
            values.iter().map(|values| Learnt { values, known: &known }).collect();
        let (shared, has) = SharedEffects::fit(&all, (1, &[1]), (7, Link::Logarithm));
        assert_eq!(has, [true]);
        assert!(shared.coefficients[0].abs() < 0.05);
        assert!((shared.coefficients[1] + 0.41).abs() < 0.05, "{shared:?}");
    }
}
