//! How much of an effect of its own each holiday has, and whether the day before and the day after have one: by the rows that
//! a fit to the others leaves out (cross-validation in five parts of the time), all of them before the test.

use super::holidays::Holidays;
use super::known_effects::{KnownEffects, TINY, design, least_squares, rho};
use nalgebra::{DMatrix, DVector};

/// Parts of the rows that are left out in turn.
const PARTS: usize = 5;

/// Penalties of the effects of single holidays that are tried, after none of these effects.
const PENALTIES: [f64; 5] = [30.0, 10.0, 3.0, 1.0, 0.3];

/// What was chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// Whether the day before and the day after have an effect.
    pub around: bool,
    /// The penalty of the effects of single holidays; none: they have none.
    pub penalty: Option<f64>,
}

/// The squares and products of the columns and the values in a part of the rows.
struct Part {
    square: DMatrix<f64>,
    right: DVector<f64>,
    values: f64,
}

impl Choice {
    /// For the first `rows` rows of columns to forecast. `others` are further known columns and `columns` those of the
    /// holidays, with all that may have an effect.
    pub fn of(
        targets: &[Vec<f64>],
        (others, columns): (&[Vec<f64>], &[Vec<f64>]),
        holidays: &Holidays,
        (rows, season): (usize, usize),
    ) -> Self {
        let pooled = Self { around: false, penalty: None };
        let around = if holidays.around { 2 } else { 0 };
        let known = [others, columns].concat();
        let (first, single) = (others.len() + 1, others.len() + 1 + around);
        let base = &known[..first];
        let effects = KnownEffects::fit(targets, (base, &vec![0.0; first]), rows, season);
        let mean = |column: &Vec<f64>| column[..rows].iter().sum::<f64>() / rows.max(1) as f64;
        let means: Vec<f64> = known.iter().map(mean).collect();
        let design = design(&known, &means, rows, season);
        let without = |from: usize, to: usize| design.clone().remove_columns(from, to - from);
        let small = without(first, known.len());
        let parts: Vec<Vec<Part>> = (0..targets.len())
            .map(|target| {
                let values = effects.g(target, &targets[target][..rows]);
                let errors = &values - &small * least_squares(&small, &values, &[]);
                parts(&design, &values, rho(&errors))
            })
            .collect();
        let mut candidates = vec![pooled.clone()];
        for around in [false, true].into_iter().filter(|around| !around || holidays.around) {
            let penalties = [None].into_iter().chain(PENALTIES.map(Some));
            let named = |penalty: &Option<f64>| penalty.is_none() || !holidays.named.is_empty();
            candidates.extend(penalties.filter(named).map(|penalty| Self { around, penalty }));
        }
        let error = |choice: &Self| -> f64 {
            let is_there = |column: &usize| match *column {
                column if column < first || column >= known.len() => true,
                column if column < single => choice.around,
                _ => choice.penalty.is_some(),
            };
            let kept: Vec<usize> = (0..design.ncols()).filter(is_there).collect();
            let penalty = |&column: &usize| match (single..known.len()).contains(&column) {
                true => choice.penalty.unwrap_or(0.0),
                false => 0.0,
            };
            let penalties: Vec<f64> = kept.iter().map(penalty).collect();
            parts.iter().map(|parts| left_out(parts, &kept, &penalties)).sum()
        };
        let least = candidates.into_iter().map(|choice| (error(&choice), choice));
        let least = least.filter(|(error, _)| error.is_finite());
        // The first of equal ones is the simplest.
        least.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(pooled, |(_, choice)| choice)
    }
}

/// The parts of a series whose errors go on by ρ.
fn parts(design: &DMatrix<f64>, values: &DVector<f64>, rho: f64) -> Vec<Part> {
    let later = values.len().saturating_sub(1);
    let design = design.rows(1, later) - rho * design.rows(0, later);
    let values = values.rows(1, later) - rho * values.rows(0, later);
    let part = |number: usize| {
        let (from, to) = (number * later / PARTS, (number + 1) * later / PARTS);
        let (design, values) = (design.rows(from, to - from), values.rows(from, to - from));
        Part {
            square: design.tr_mul(&design),
            right: design.tr_mul(&values),
            values: values.norm_squared(),
        }
    };
    (0..PARTS).map(part).collect()
}

/// The squared error of each part by what the others give, over that of all: columns of different sizes count alike.
fn left_out(parts: &[Part], kept: &[usize], penalties: &[f64]) -> f64 {
    let width = kept.len();
    let of = |part: &Part| {
        let square = DMatrix::from_fn(width, width, |a, b| part.square[(kept[a], kept[b])]);
        (square, DVector::from_fn(width, |a, _| part.right[kept[a]]))
    };
    let parts: Vec<_> = parts.iter().map(|part| (of(part), part.values)).collect();
    let all =
        parts.iter().fold((DMatrix::zeros(width, width), DVector::zeros(width)), |sum, part| {
            let ((square, right), _) = part;
            (sum.0 + square, sum.1 + right)
        });
    let error = |((square, right), values): &((DMatrix<f64>, DVector<f64>), f64)| {
        let (mut others, aim) = (&all.0 - square, &all.1 - right);
        for place in 0..width {
            let size = all.0[(place, place)];
            others[(place, place)] += TINY * size + penalties[place] + f64::from(size == 0.0);
        }
        let Some(factors) = others.cholesky() else { return f64::INFINITY };
        let found = factors.solve(&aim);
        values - 2.0 * found.dot(right) + found.dot(&(square * &found))
    };
    let scale = parts.iter().map(|(_, values)| values).sum::<f64>();
    parts.iter().map(error).sum::<f64>() / scale.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::{Calendar, DateOptions};
    use crate::data::holidays::HolidayList;
    use crate::random::{Random, SeedableRng};
    use jiff::ToSpan;
    use rand::RngExt;

    /// Four years of days, with what ten holidays a year do, each its own or all the same, and the day after them.
    fn chosen(own: f64, after: f64, seed: u64) -> (Holidays, Vec<f64>) {
        let mut random = Random::seed_from_u64(seed);
        let first = jiff::civil::date(2020, 1, 1);
        let days: Vec<_> = (0..1461).map(|day| first.checked_add(day.days()).unwrap()).collect();
        let is_holiday = |day: jiff::civil::Date| day.month() <= 10 && day.day() == 4 + day.month();
        let mut text = String::new();
        for day in days.iter().filter(|&&day| is_holiday(day)) {
            text += &format!("{day},H{}\n", day.month());
        }
        let values: Vec<f64> = days
            .iter()
            .map(|&day| {
                let mut value = 200.0 + 30.0 * random.random_range(-1.0..1.0);
                if is_holiday(day) {
                    value += -60.0 + own * f64::from(day.month() - 5);
                }
                value + if is_holiday(day.yesterday().unwrap()) { after } else { 0.0 }
            })
            .collect();
        let labels: Vec<String> = days.iter().map(ToString::to_string).collect();
        let dates = Calendar::of(&labels, &DateOptions::default()).unwrap();
        let list = HolidayList::read_from(text.as_bytes(), "days.csv", None).unwrap();
        let mut holidays = Holidays::of(&list, &dates, dates.moments());
        assert_eq!(holidays.named.len(), 10);
        let targets = [values];
        holidays.choose(&targets, (&[], &dates), (1461, 7));
        let columns = holidays.columns(&dates, dates.moments());
        let effects = KnownEffects::fit(&targets, (&columns, &holidays.penalties()), 1461, 7);
        (holidays, effects.targets[0].coefficients.clone())
    }

    #[test]
    fn effects_are_kept_that_hold_in_other_rows() {
        for seed in 1..4 {
            let (plain, found) = chosen(0.0, 0.0, seed);
            assert!(plain.named.is_empty() || plain.penalty >= 3.0, "{plain:?}");
            assert!((found[0] + 60.0).abs() < 12.0, "{found:?}");
            let (own, found) = chosen(20.0, 0.0, seed);
            assert!(own.named.len() == 10 && own.penalty <= 3.0, "{}", own.penalty);
            // H1, H10, H2, …: 20 more each month.
            let single = &found[found.len() - 10..];
            let effect = |number: usize| found[0] + single[number];
            assert!(
                (effect(0) + 140.0).abs() < 40.0 && (effect(1) - 40.0).abs() < 40.0,
                "{found:?}"
            );
            let (around, found) = chosen(0.0, 50.0, seed);
            assert!(around.around && (found[2] - 50.0).abs() < 12.0, "{found:?}");
            assert!(found[1].abs() < 12.0, "{found:?}");
        }
    }
}
