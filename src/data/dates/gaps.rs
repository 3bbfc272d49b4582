//! Rows that an otherwise regular series lacks.

use super::calendar::Calendar;
use super::form::Moment;
use super::step::{DAY, Step, gaps, local_gaps, months_after_first, of_local, of_time, usual};

/// Rows that are missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// The step between the others.
    pub step: Step,
    /// The rows that follow a gap, counted from 0, and what is missing before each.
    pub before: Vec<(usize, Vec<Moment>)>,
}

impl Missing {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.before.iter().map(|(_, moments)| moments.len()).sum()
    }
}

/// The rows that are missing, where all distances are a multiple of the most frequent one, most of them are that one, and
/// fewer rows are missing than two thirds of those that are there. None where nothing is missing or the rows follow no step.
pub(super) fn missing(calendar: &Calendar) -> Option<Missing> {
    let moments = calendar.moments();
    if calendar.step().is_ok() {
        return None;
    }
    let (step, times) = months(moments)
        .or_else(|| days(&local_gaps(moments)))
        .or_else(|| multiples(&gaps(moments)).map(|(usual, times)| (of_time(usual), times)))?;
    let count: i64 = times.iter().map(|times| times - 1).sum();
    let regular = times.iter().filter(|&&times| times == 1).count();
    if count == 0 || 2 * regular < times.len() || 3 * count > 2 * moments.len().max(3) as i64 {
        return None;
    }
    let mut before = Vec::new();
    for (place, &times) in times.iter().enumerate().filter(|(_, times)| **times > 1) {
        let after = |count| calendar.after(moments[place], step, count);
        before.push((place + 1, (1..times).map(after).collect::<Option<_>>()?));
    }
    Some(Missing { step, before })
}

/// The usual one of distances, and how many of it each is.
fn multiples(distances: &[i128]) -> Option<(i128, Vec<i64>)> {
    let usual = usual(distances).filter(|&usual| usual > 0)?;
    let times = |distance: &i128| {
        (*distance > 0 && distance % usual == 0).then_some((distance / usual) as i64)
    };
    Some((usual, distances.iter().map(times).collect::<Option<_>>()?))
}

fn months(moments: &[Moment]) -> Option<(Step, Vec<i64>)> {
    let after = months_after_first(moments)?;
    let distances: Vec<i128> = after.windows(2).map(|pair| i128::from(pair[1] - pair[0])).collect();
    multiples(&distances).map(|(usual, times)| (Step::Months(usual as i64), times))
}

/// Of distances that are whole days.
fn days(distances: &[i128]) -> Option<(Step, Vec<i64>)> {
    let (usual, times) = multiples(distances)?;
    (usual % DAY == 0).then_some((of_local(usual), times))
}
