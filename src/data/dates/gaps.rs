//! Rows that an otherwise regular series lacks.

use super::calendar::Calendar;
use super::form::Moment;
use super::step::{Step, gaps, local_gaps, months_after_first, of_seconds, usual};

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
        .or_else(|| whole(&local_gaps(moments), 86_400))
        .or_else(|| whole(&gaps(moments), 1))?;
    let count: i64 = times.iter().map(|times| times - 1).sum();
    let regular = times.iter().filter(|&&times| times == 1).count();
    if 2 * regular < times.len() || 3 * count > 2 * moments.len().max(3) as i64 {
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
fn multiples(distances: &[i64]) -> Option<(i64, Vec<i64>)> {
    let usual = usual(distances).filter(|&usual| usual > 0)?;
    let times =
        |distance: &i64| (*distance > 0 && distance % usual == 0).then_some(distance / usual);
    Some((usual, distances.iter().map(times).collect::<Option<_>>()?))
}

fn months(moments: &[Moment]) -> Option<(Step, Vec<i64>)> {
    let after = months_after_first(moments)?;
    let distances: Vec<i64> = after.windows(2).map(|pair| pair[1] - pair[0]).collect();
    multiples(&distances).map(|(usual, times)| (Step::Months(usual), times))
}

/// Of distances in seconds that are all multiples of `unit`.
fn whole(distances: &[i64], unit: i64) -> Option<(Step, Vec<i64>)> {
    let (usual, times) = multiples(distances)?;
    let step = if unit == 1 { Step::Seconds(usual) } else { of_seconds(usual) };
    (usual % unit == 0).then_some((step, times))
}
