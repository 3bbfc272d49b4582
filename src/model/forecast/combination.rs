//! A weighted mean of members. Forecasts that err in different ways err less together (Bates & Granger 1969), and that needs
//! no luck in choosing one of them.
//!
//! The weights come from rolling origins (Tashman 2000): at each of a few rows of the past every member is fitted to what
//! was before it, and the mean absolute error of its forecasts of the next rows is taken, over all origins. Within a family
//! a member's weight is the error to the power of −2 (AR) or −1 (smoothing); the families, combined like that, are weighed
//! by their errors to the power of −1. The naive forecasts have a part only where nothing else can be fitted.

use super::member::{Family, FittedMember, Member};

/// The members of a column and their weights, which add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    /// Each with its weight.
    pub members: Vec<(Member, f64)>,
}

/// The same, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedCombination {
    /// Each with its weight.
    pub members: Vec<(FittedMember, f64)>,
}

/// What the members forecast at the rolling origins of a column, and what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The values that came, origin by origin.
    actual: Vec<f64>,
    /// Each member that could be fitted at every origin, with its forecasts of those.
    forecasts: Vec<(Member, Vec<f64>)>,
}

/// How many rolling origins there are, at most.
const ORIGINS: usize = 8;

/// The rows that are known at each of the rolling origins: the last one a horizon before the end, the others up to a horizon
/// apart, back to where a model can first be fitted.
pub fn rolling_origins(rows: usize, horizon: usize, season: Option<usize>) -> Vec<usize> {
    let season = season.unwrap_or(1);
    let Some(last) = rows.checked_sub(horizon).filter(|&last| last > 0) else { return Vec::new() };
    let first = (3 * season).max(20);
    let apart = (last.saturating_sub(first) / (ORIGINS - 1)).clamp(1, horizon);
    let origins = (0..ORIGINS).filter_map(|back| last.checked_sub(back * apart));
    let mut origins: Vec<usize> =
        origins.filter(|&origin| origin >= (2 * season + 8).max(12)).collect();
    if origins.is_empty() {
        origins.push(last);
    }
    origins.reverse();
    origins
}

impl Trial {
    /// Lets the members forecast the rows after each of the rolling origins of a column.
    pub fn of(rows: &[f64], season: Option<usize>, horizon: usize, members: &[Member]) -> Self {
        let origins = rolling_origins(rows.len(), horizon, season);
        let actual = origins.iter().flat_map(|&o| &rows[o..o + horizon]).copied().collect();
        let forecast = |member: &Member| {
            let mut forecasts = Vec::new();
            for &origin in &origins {
                let past = &rows[..origin];
                forecasts.extend(member.fit(past, season)?.ahead(past, horizon)?);
            }
            Some((*member, forecasts))
        };
        let forecasts = match origins.is_empty() {
            true => Vec::new(),
            false => members.iter().filter_map(forecast).collect(),
        };
        Self { actual, forecasts }
    }

    /// The mean absolute error of a member; none if it could not be fitted.
    pub fn error(&self, member: Member) -> Option<f64> {
        let (_, forecasts) = self.forecasts.iter().find(|(other, _)| *other == member)?;
        Some(self.error_of(forecasts))
    }

    fn error_of(&self, forecasts: &[f64]) -> f64 {
        let errors = forecasts.iter().zip(&self.actual).map(|(a, b)| (a - b).abs());
        errors.sum::<f64>() / self.actual.len() as f64
    }

    /// The mean size of what came, by which errors of several columns can be compared.
    pub fn size(&self) -> f64 {
        self.actual.iter().map(|x| x.abs()).sum::<f64>() / self.actual.len() as f64
    }

    /// The weights of these members of one family, and the error of their combination.
    fn within(&self, family: Family) -> Option<(Vec<(Member, f64)>, f64)> {
        let power = if family == Family::Autoregression { -2 } else { -1 };
        let members = self.forecasts.iter().filter(|(member, _)| member.family() == family);
        let errors: Vec<f64> = members.clone().map(|(_, f)| self.error_of(f)).collect();
        let weights = weights(&errors, power)?;
        let mut combined = vec![0.0; self.actual.len()];
        for ((_, forecasts), weight) in members.clone().zip(&weights) {
            combined.iter_mut().zip(forecasts).for_each(|(sum, value)| *sum += weight * value);
        }
        let members = members.map(|(member, _)| *member).zip(weights).collect();
        Some((members, self.error_of(&combined)))
    }
}

/// Weights that are powers of errors and add up to 1; none without errors that are numbers.
pub fn weights(errors: &[f64], power: i32) -> Option<Vec<f64>> {
    let least = errors.iter().copied().filter(|e| e.is_finite()).fold(f64::INFINITY, f64::min);
    if !least.is_finite() {
        return None;
    }
    // In units of the least one, and not below a tiny share of the largest: one without an error takes it all.
    let largest = errors.iter().copied().filter(|e| e.is_finite()).fold(0.0, f64::max);
    let unit = least.max(1e-12 * largest).max(f64::MIN_POSITIVE);
    let of = |error: f64| if error.is_finite() { (error / unit).max(1.0).powi(power) } else { 0.0 };
    let raw: Vec<f64> = errors.iter().map(|&error| of(error)).collect();
    let sum: f64 = raw.iter().sum();
    Some(raw.into_iter().map(|weight| weight / sum).collect())
}

impl Combination {
    /// AR and smoothing, weighed by how well they would have forecast these rows of a column.
    pub fn choose(rows: &[f64], season: Option<usize>, horizon: usize) -> Self {
        Self::of(&Trial::of(rows, season, horizon, &Member::all(season)))
    }

    /// Those of one family alone.
    pub fn of_family(rows: &[f64], season: Option<usize>, horizon: usize, family: Family) -> Self {
        let members = Member::all(season).into_iter().filter(|member| member.family() == family);
        let trial = Trial::of(rows, season, horizon, &members.collect::<Vec<_>>());
        let members = trial.within(family).map(|(members, _)| members);
        Self { members: members.unwrap_or_else(|| vec![(Member::LastValue, 1.0)]) }
    }

    /// AR and smoothing, weighed by how well they did.
    pub fn of(trial: &Trial) -> Self {
        let families: Vec<_> = [Family::Autoregression, Family::Smoothing]
            .into_iter()
            .filter_map(|family| trial.within(family))
            .collect();
        let errors: Vec<f64> = families.iter().map(|(_, error)| *error).collect();
        let mut members = Vec::new();
        for ((family, _), share) in
            families.into_iter().zip(weights(&errors, -1).unwrap_or_default())
        {
            members.extend(family.into_iter().map(|(member, weight)| (member, share * weight)));
        }
        if members.is_empty() {
            members = trial.within(Family::Naive).map_or_else(Vec::new, |(members, _)| members);
        }
        if members.is_empty() {
            members.push((Member::LastValue, 1.0));
        }
        Self { members }
    }

    /// The share that a family has.
    pub fn share(&self, family: Family) -> f64 {
        let members = self.members.iter().filter(|(member, _)| member.family() == family);
        members.map(|(_, weight)| weight).sum()
    }

    /// The members, fitted to the rows of a column, those left out that cannot be; the last value where none can.
    pub fn fit(&self, rows: &[f64], season: Option<usize>) -> FittedCombination {
        let fitted = self.members.iter().filter_map(|(member, weight)| {
            // A member that fits the past and leaves the numbers at once is none.
            let fitted = member.fit(rows, season)?;
            fitted.ahead(rows, 1)?;
            Some((fitted, *weight))
        });
        let mut members: Vec<_> = fitted.collect();
        if members.is_empty() {
            members.push((FittedMember::LastValue, 1.0));
        }
        FittedCombination { members }
    }
}

impl FittedCombination {
    /// The weighted mean of the members' forecasts of the `steps` rows after `past`; those that have none are left out. None
    /// if all are.
    pub fn ahead(&self, past: &[f64], steps: usize) -> Option<Vec<f64>> {
        self.each_ahead(past, &[past.len()], steps).pop()?
    }

    /// The same after each of the origins of a column, in ascending order, as if nothing after it were known.
    pub fn each_ahead(
        &self,
        column: &[f64],
        origins: &[usize],
        steps: usize,
    ) -> Vec<Option<Vec<f64>>> {
        let mut sums = vec![(vec![0.0; steps], 0.0); origins.len()];
        for (member, weight) in &self.members {
            let forecasts = member.each_ahead(column, origins, steps);
            for ((sum, whole), forecast) in sums.iter_mut().zip(forecasts) {
                let Some(forecast) = forecast else { continue };
                sum.iter_mut().zip(forecast).for_each(|(sum, value)| *sum += weight * value);
                *whole += weight;
            }
        }
        let of = |(sum, whole): (Vec<f64>, f64)| {
            (whole > 0.0).then(|| sum.into_iter().map(|value| value / whole).collect())
        };
        sums.into_iter().map(of).collect()
    }

    /// Rows before the first one that all of its members forecast.
    pub fn needs(&self) -> usize {
        self.members.iter().map(|(member, _)| member.needs()).max().unwrap_or(1)
    }

    /// The forecast of each row from `from` on, as [`ahead`](Self::ahead) from the rows before it.
    pub fn each_next(&self, rows: &[f64], from: usize) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0.0); rows.len().saturating_sub(from)];
        for (member, weight) in &self.members {
            for ((sum, whole), next) in sums.iter_mut().zip(member.each_next(rows, from)) {
                if let Some(next) = next {
                    *sum += weight * next;
                    *whole += weight;
                }
            }
        }
        sums.into_iter().map(|(sum, whole)| (whole > 0.0).then(|| sum / whole)).collect()
    }

    /// The same for a column that begins with another row, without those for which it is too short.
    pub fn restarted(&self, rows: &[f64]) -> Self {
        let members = self.members.iter();
        let members =
            members.filter_map(|(member, weight)| Some((member.restarted(rows)?, *weight)));
        Self { members: members.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;

    #[test]
    fn rolling_origins_end_a_horizon_before_the_end() {
        assert_eq!(rolling_origins(144, 12, Some(12)), [48, 60, 72, 84, 96, 108, 120, 132]);
        assert_eq!(rolling_origins(60, 6, None), [22, 26, 30, 34, 38, 42, 46, 50, 54][1..]);
        assert_eq!(rolling_origins(20, 8, None), [12]);
        assert_eq!(rolling_origins(10, 8, None), [2]);
        assert_eq!(rolling_origins(8, 8, None), [0; 0]);
    }

    #[test]
    fn weights_are_powers_of_errors() {
        assert_eq!(weights(&[1.0, 2.0], -1), Some(vec![2.0 / 3.0, 1.0 / 3.0]));
        assert_eq!(weights(&[2.0, 4.0, f64::NAN], -2), Some(vec![0.8, 0.2, 0.0]));
        assert_eq!(weights(&[0.0, 0.0], -2), Some(vec![0.5, 0.5]));
        let sure = weights(&[0.0, 1.0], -2).unwrap();
        assert!(sure[0] > 1.0 - 1e-12);
        assert_eq!((weights(&[], -1), weights(&[f64::INFINITY], -1)), (None, None));
    }

    /// The forecast is the weighted mean of the members'; those that cannot be fitted are left out.
    #[test]
    fn a_combination_is_a_weighted_mean() {
        let column = &Series::airline_passengers().values[0];
        let combination = Combination::choose(&column[..132], Some(12), 12);
        let sum: f64 = combination.members.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-12 && combination.members.len() == 12, "{combination:?}");
        let share =
            combination.share(Family::Autoregression) + combination.share(Family::Smoothing);
        assert!((share - 1.0).abs() < 1e-12);
        let mut expected = vec![0.0; 12];
        for (member, weight) in &combination.members {
            let forecast = member.fit(&column[..132], Some(12)).unwrap().ahead(&column[..132], 12);
            expected.iter_mut().zip(forecast.unwrap()).for_each(|(sum, x)| *sum += weight * x);
        }
        let fitted = combination.fit(&column[..132], Some(12));
        let found = fitted.ahead(&column[..132], 12).unwrap();
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9 * b));
        // 1960, from the years before.
        let error: f64 = found.iter().zip(&column[132..]).map(|(a, b)| (a - b).abs() / b).sum();
        assert!(error / 12.0 < 0.05, "{found:?}");

        // Without logarithms, where a value is not above 0.
        let mut negative = column.clone();
        negative[50] = -1.0;
        let combination = Combination::choose(&negative, Some(12), 12);
        assert_eq!(combination.members.len(), 6, "{combination:?}");
        let few = Combination::choose(&column[..6], None, 2).fit(&column[..6], None);
        assert_eq!(few.ahead(&column[..6], 2), Some(vec![135.0; 2]));
    }

    /// One walk gives what a forecast from each row gives.
    #[test]
    fn each_next_is_one_step_ahead_of_each_row() {
        let mut column = Series::airline_passengers().values[0].clone();
        let fitted = Combination::choose(&column[..100], Some(12), 3).fit(&column[..100], Some(12));
        let needs = fitted.needs();
        assert!((36..60).contains(&needs), "{needs}");
        // From there on those of logarithms have no forecast.
        column[130] = -1.0;
        let each = fitted.each_next(&column, needs);
        assert_eq!(each.len(), column.len() - needs);
        for (next, row) in each.iter().zip(needs..) {
            let expected = fitted.ahead(&column[..row], 1).unwrap()[0];
            assert!((next.unwrap() / expected - 1.0).abs() < 1e-9, "{row}: {next:?} {expected}");
        }
    }

    /// What comes after the rows has no part in it, to the bit.
    #[test]
    fn later_rows_change_nothing() {
        let column = &Series::airline_passengers().values[0];
        let mut other = column.clone();
        other[120..].iter_mut().for_each(|value| *value *= -7.0);
        let chosen = Combination::choose(&column[..120], Some(12), 6);
        assert_eq!(chosen, Combination::choose(&other[..120], Some(12), 6));
        let fitted = chosen.fit(&column[..120], Some(12));
        assert_eq!(fitted, chosen.fit(&other[..120], Some(12)));
        assert_eq!(fitted.ahead(&column[..120], 6), fitted.ahead(&other[..120], 6));
        // Nor do the rows between origins that are forecast from one after the other.
        let origins: Vec<usize> = (60..=144).step_by(7).collect();
        let each = fitted.each_ahead(column, &origins, 6);
        for (origin, forecast) in origins.iter().zip(&each) {
            assert_eq!(*forecast, fitted.ahead(&column[..*origin], 6), "{origin}");
        }
        // Without logarithms from the first row on that has none.
        let each = fitted.each_ahead(&other, &origins, 6);
        assert!(each.iter().all(Option::is_some) && each[8] == fitted.ahead(&column[..116], 6));
        let smoothing = Member::Smoothing { log: true, trend: true };
        let smoothing = smoothing.fit(&column[..120], Some(12)).unwrap();
        let each: Vec<bool> =
            smoothing.each_ahead(&other, &[119, 120, 121, 140], 6).map(|f| f.is_some()).collect();
        assert_eq!(each, [true, true, false, false]);
    }

    /// A long column costs no more than its last rows, and the level is that of its end.
    #[test]
    fn smoothing_of_a_long_column_is_fitted_to_its_end() {
        let column: Vec<f64> = (0..20_007)
            .map(|t| 100.0 + f64::from(t) * 0.01 + [0.0, 5.0, -5.0][t as usize % 3])
            .collect();
        let smoothing = Member::Smoothing { log: false, trend: true };
        // From where the recursion starts, soon after and far from there.
        let fitted = smoothing.fit(&column[..6_001], Some(3)).unwrap();
        let origins = [6_001, 6_050, 20_001];
        for (origin, ahead) in origins.iter().zip(fitted.each_ahead(&column, &origins, 6)) {
            for (found, value) in ahead.unwrap().iter().zip(&column[*origin..]) {
                assert!((found - value).abs() < 0.1, "{origin}: {found} {value}");
            }
        }
        // Its own past begins nowhere else.
        let anew = fitted.restarted(&column[500..9_000]).unwrap().ahead(&column[500..9_000], 6);
        let apart = anew.unwrap().into_iter().zip(&column[9_000..]).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 0.1);
    }
}
