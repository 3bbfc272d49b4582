//! The median of forecasts that are made in different ways. Forecasts that err in different ways err less together (Bates &
//! Granger 1969), the median of a few of them is not led astray by one that is far off (Petropoulos & Svetunkov 2020), and it
//! needs no luck in choosing one of them.
//!
//! Its parts are a family of members each: AR on transforms of the series, exponential smoothing, ARIMA, and ARIMA of the
//! logarithms. A part is the weighted median of its members. Their weights come from rolling origins (Tashman 2000): at each of
//! a few rows of the past every member is fitted to what was before it, and the mean absolute error of its forecasts of the
//! next rows is taken, over all origins; a member's weight is that error to the power of −2 (AR) or −1 (smoothing). The parts
//! count alike: over public series weights of their own made the forecasts worse. The naive forecasts are a part only where
//! nothing else can be fitted.

use super::member::{Family, FittedMember, Member};

/// The parts of a column, each some members and their weights, which add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    /// Each part's members with their weights.
    pub parts: Vec<Vec<(Member, f64)>>,
}

/// The same, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedCombination {
    /// Each part's members with their weights.
    pub parts: Vec<Vec<(FittedMember, f64)>>,
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

    /// The members of a family with their weights; none if none of them could be fitted.
    fn within(&self, family: Family) -> Option<Vec<(Member, f64)>> {
        let power = if family == Family::Autoregression { -2 } else { -1 };
        let members = self.forecasts.iter().filter(|(member, _)| member.family() == family);
        let errors: Vec<f64> = members.clone().map(|(_, f)| self.error_of(f)).collect();
        let weights = weights(&errors, power)?;
        Some(members.map(|(member, _)| *member).zip(weights).collect())
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

/// What members forecast after an origin, none where one has no forecast, with their weights.
type MemberForecasts = Vec<(f64, Option<Vec<f64>>)>;

/// The value that half of the weight lies below, as shares of values by their place: between two of them where the weights
/// meet, in the middle of theirs. Each is a value with its weight. Nothing of nothing.
fn median_shares(values: &[(f64, f64)]) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].0.total_cmp(&values[b].0));
    let half = 0.5 * order.iter().map(|&place| values[place].1).sum::<f64>();
    let (mut below, mut before) = (0.0, None);
    for place in order {
        let weight = values[place].1;
        // The middle of each value's weight is where it stands; what is between two is on the line through them.
        let middle = below + 0.5 * weight;
        if middle >= half {
            let Some((last, from)) = before else { return vec![(place, 1.0)] };
            let share = if middle > from { (half - from) / (middle - from) } else { 1.0 };
            return vec![(last, 1.0 - share), (place, share)];
        }
        below += weight;
        before = Some((place, middle));
    }
    before.map(|(place, _)| (place, 1.0)).into_iter().collect()
}

impl Combination {
    /// One member alone.
    pub fn single(member: Member) -> Self {
        Self { parts: vec![vec![(member, 1.0)]] }
    }

    /// AR, smoothing and ARIMA, the members of each weighed by how well they would have forecast these rows of a column.
    pub fn choose(rows: &[f64], season: Option<usize>, horizon: usize) -> Self {
        // A family of a single member needs no trial.
        let (alone, several): (Vec<Member>, Vec<Member>) = Member::all(season)
            .into_iter()
            .partition(|member| matches!(member, Member::Arima { .. }));
        let mut combination = Self::of(&Trial::of(rows, season, horizon, &several));
        combination.add(alone.into_iter().filter(|member| member.fit(rows, season).is_some()));
        combination
    }

    /// Those of one family alone.
    pub fn of_family(rows: &[f64], season: Option<usize>, horizon: usize, family: Family) -> Self {
        let members = Member::all(season).into_iter().filter(|member| member.family() == family);
        let trial = Trial::of(rows, season, horizon, &members.collect::<Vec<_>>());
        match trial.within(family) {
            Some(members) => Self { parts: vec![members] },
            None => Self::single(Member::LastValue),
        }
    }

    /// AR and smoothing, the members of each weighed by how well they did.
    pub fn of(trial: &Trial) -> Self {
        let families = [Family::Autoregression, Family::Smoothing];
        let mut parts: Vec<_> =
            families.into_iter().filter_map(|family| trial.within(family)).collect();
        if parts.is_empty() {
            parts.extend(trial.within(Family::Naive));
        }
        match parts.is_empty() {
            true => Self::single(Member::LastValue),
            false => Self { parts },
        }
    }

    /// Adds parts of one member each, in place of the naive ones.
    fn add(&mut self, members: impl Iterator<Item = Member>) {
        let members: Vec<_> = members.map(|member| vec![(member, 1.0)]).collect();
        if !members.is_empty() && self.share(Family::Naive) > 0.0 {
            self.parts.clear();
        }
        self.parts.extend(members);
    }

    /// The share of the parts that are of a family.
    pub fn share(&self, family: Family) -> f64 {
        let is_of = |part: &&Vec<(Member, f64)>| part[0].0.family() == family;
        self.parts.iter().filter(is_of).count() as f64 / self.parts.len() as f64
    }

    /// The members, fitted to the rows of a column, those left out that cannot be; the last value where none can.
    pub fn fit(&self, rows: &[f64], season: Option<usize>) -> FittedCombination {
        let fitted = |(member, weight): &(Member, f64)| {
            // A member that fits the past and leaves the numbers at once is none.
            let fitted = member.fit(rows, season)?;
            fitted.ahead(rows, 1)?;
            Some((fitted, *weight))
        };
        let parts = self.parts.iter().map(|part| part.iter().filter_map(fitted).collect());
        let parts: Vec<Vec<_>> = parts.filter(|part: &Vec<_>| !part.is_empty()).collect();
        match parts.is_empty() {
            true => FittedCombination::single(FittedMember::LastValue),
            false => FittedCombination { parts },
        }
    }
}

impl FittedCombination {
    /// One member alone.
    pub fn single(member: FittedMember) -> Self {
        Self { parts: vec![vec![(member, 1.0)]] }
    }

    /// The forecasts of the `steps` rows after `past`: the median of the parts', each the weighted median of its members'.
    /// Those that have none are left out. None if all are.
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
        let of = |forecasts: MemberForecasts| {
            let at = |step: usize| {
                let of = |&(place, share): &(usize, f64)| {
                    let (_, forecast) = &forecasts[place];
                    share * forecast.as_ref().map_or(0.0, |forecast| forecast[step])
                };
                let shares = self.shares(&forecasts, step);
                (!shares.is_empty()).then(|| shares.iter().map(of).sum())
            };
            (0..steps).map(at).collect()
        };
        self.each_of_members(column, origins, steps).map(of).collect()
    }

    /// All members, part by part.
    pub(super) fn members(&self) -> impl Iterator<Item = &FittedMember> {
        self.parts.iter().flatten().map(|(member, _)| member)
    }

    /// What the members forecast after each of the origins, in the order of [`members`](Self::members), with their weights.
    pub(super) fn each_of_members<'a>(
        &'a self,
        column: &'a [f64],
        origins: &'a [usize],
        steps: usize,
    ) -> impl Iterator<Item = MemberForecasts> + 'a {
        let walks = self.parts.iter().flatten();
        let walks = walks.map(|(member, w)| (*w, member.each_ahead(column, origins, steps)));
        let mut walks: Vec<_> = walks.collect();
        origins.iter().map(move |_| {
            walks.iter_mut().map(|(weight, walk)| (*weight, walk.next().flatten())).collect()
        })
    }

    /// How much of the forecast of a step is each member's, by its place among all of them: the median lies on the line between
    /// two parts, each of which lies between two members. Those that stay out are left out; none where all members are.
    pub(super) fn shares(&self, forecasts: &MemberForecasts, step: usize) -> Vec<(usize, f64)> {
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut first = 0;
        for part in &self.parts {
            let own = first..first + part.len();
            let values = forecasts[own.clone()]
                .iter()
                .zip(own)
                .filter_map(|((weight, f), place)| Some((place, (f.as_ref()?[step], *weight))));
            let (places, values): (Vec<usize>, Vec<(f64, f64)>) = values.unzip();
            let shares = median_shares(&values);
            let value: f64 = shares.iter().map(|&(place, share)| share * values[place].0).sum();
            let shares = shares.into_iter().map(|(place, share)| (places[place], share));
            if !places.is_empty() {
                parts.push(((value, 1.0), shares.collect::<Vec<_>>()));
            }
            first += part.len();
        }
        let values: Vec<(f64, f64)> = parts.iter().map(|(value, _)| *value).collect();
        let within = |(part, outer): (usize, f64)| {
            parts[part].1.iter().map(move |&(place, inner)| (place, outer * inner))
        };
        median_shares(&values).into_iter().flat_map(within).collect()
    }

    /// Rows before the first one that all of its members forecast.
    pub fn needs(&self) -> usize {
        self.members().map(FittedMember::needs).max().unwrap_or(1)
    }

    /// The forecast of each row from `from` on, as [`ahead`](Self::ahead) from the rows before it.
    pub fn each_next(&self, rows: &[f64], from: usize) -> Vec<Option<f64>> {
        let origins: Vec<usize> = (from..rows.len()).collect();
        let each = self.each_ahead(rows, &origins, 1);
        each.into_iter().map(|forecast| forecast.map(|forecast| forecast[0])).collect()
    }

    /// The same for a column that begins with another row, without those for which it is too short.
    pub fn restarted(&self, rows: &[f64]) -> Self {
        let restarted =
            |(member, weight): &(FittedMember, f64)| Some((member.restarted(rows)?, *weight));
        let parts = self.parts.iter().map(|part| part.iter().filter_map(restarted).collect());
        Self { parts: parts.collect() }
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

    #[test]
    fn a_weighted_median_has_half_of_the_weight_below_it() {
        let of = |values: &[(f64, f64)]| -> f64 {
            let shares = median_shares(values);
            shares.into_iter().map(|(place, share)| share * values[place].0).sum()
        };
        assert_eq!(of(&[(7.0, 0.3)]), 7.0);
        assert_eq!(of(&[(9.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), 2.0);
        assert_eq!(of(&[(4.0, 1.0), (1.0, 1.0), (2.0, 1.0), (900.0, 1.0)]), 3.0);
        // Weights 0.6 and 0.4 stand at 0.3 and 0.8: a half is two fifths of the way.
        assert!((of(&[(1.0, 0.6), (2.0, 0.4)]) - 1.4).abs() < 1e-12);
        // Without weights the least: none is better.
        assert_eq!(of(&[(1.0, 0.0), (5.0, 0.0)]), 1.0);
    }

    /// The forecast is the median of the parts'; those that cannot be fitted are left out.
    #[test]
    fn a_combination_is_a_median() {
        let column = &Series::airline_passengers().values[0];
        let combination = Combination::choose(&column[..132], Some(12), 12);
        let members: Vec<usize> = combination.parts.iter().map(Vec::len).collect();
        assert_eq!(members, [8, 4, 1, 1], "{combination:?}");
        for part in &combination.parts {
            assert!((part.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(combination.share(Family::Autoregression), 0.25);
        assert_eq!(combination.share(Family::Naive), 0.0);
        let fitted = combination.fit(&column[..132], Some(12));
        let found = fitted.ahead(&column[..132], 12).unwrap();
        let parts = fitted.parts.iter().map(|part| {
            let alone = FittedCombination { parts: vec![part.clone()] };
            alone.ahead(&column[..132], 12).unwrap()
        });
        let parts: Vec<Vec<f64>> = parts.collect();
        for (step, found) in found.iter().enumerate() {
            let mut each: Vec<f64> = parts.iter().map(|part| part[step]).collect();
            each.sort_by(f64::total_cmp);
            assert!((found - 0.5 * (each[1] + each[2])).abs() < 1e-9 * found, "{step}: {each:?}");
        }
        // 1960, from the years before.
        let error: f64 = found.iter().zip(&column[132..]).map(|(a, b)| (a - b).abs() / b).sum();
        assert!(error / 12.0 < 0.05, "{found:?}");

        // Without logarithms, where a value is not above 0.
        let mut negative = column.clone();
        negative[50] = -1.0;
        let members = Combination::choose(&negative, Some(12), 12).parts;
        assert_eq!(members.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2, 1]);
        let few = Combination::choose(&column[..6], None, 2).fit(&column[..6], None);
        assert!(
            few.ahead(&column[..6], 2).is_some_and(|ahead| ahead.iter().all(|x| x.is_finite()))
        );
        let one = Combination::choose(&column[..2], None, 2).fit(&column[..2], None);
        assert_eq!(one.ahead(&column[..2], 2), Some(vec![118.0; 2]));
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
