//! How later rows, which are to be forecast from, differ from those that a run was trained on.

use crate::data::series::Series;

/// What makes a forecast from the later rows doubtful, a line each: dates in another form or at another step, rows that are
/// not later, values far from those of the first `split` rows that the run was trained on.
pub(super) fn differences(later: &Series, known: &Series, split: usize) -> Vec<String> {
    let mut lines = Vec::new();
    match (&later.calendar, &known.calendar) {
        (Some(later), Some(known)) => {
            let last = |calendar: &crate::data::dates::Calendar| calendar.moments().last().copied();
            let (Some(end), Some(trained)) = (last(later), last(known)) else { return lines };
            if !later.is_written_as(known) {
                lines.push(format!(
                    "the dates are written as {}, and those of the training as {}",
                    later.label(end),
                    known.label(trained)
                ));
            }
            if let (Ok(step), Ok(usual)) = (later.step(), known.step())
                && step != usual
            {
                lines.push(format!("the rows are {step} apart, and those of the training {usual}: what was learnt of steps may not hold"));
            }
            if end.instant() < trained.instant() {
                lines.push(format!(
                    "the rows end on {}, before the last row of the training, {}",
                    later.label(end),
                    known.label(trained)
                ));
            }
        }
        (None, Some(_)) => {
            lines.push("the rows have no dates, and those of the training had".into())
        }
        _ => {}
    }
    let columns = later
        .values
        .iter()
        .chain(&later.exogenous)
        .zip(known.values.iter().chain(&known.exogenous));
    let names = later.names.iter().chain(&later.exogenous_names);
    for ((later, known), name) in columns.zip(names) {
        lines.extend(far_values(name, later, &known[..split.min(known.len())]));
    }
    lines
}

/// Values that are all far outside what a column was in training, as they are in other units.
fn far_values(name: &str, later: &[f64], known: &[f64]) -> Option<String> {
    /// So many times the range of the training.
    const FAR: f64 = 10.0;
    let ends = |values: &[f64]| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        (least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    };
    let middle = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    };
    let (least, most) = ends(known);
    let (from, to) = ends(later);
    let (usual, now) = (middle(known)?, middle(later)?);
    let range = (most - least).max(f64::MIN_POSITIVE);
    let outside = now > most + FAR * range || now < least - FAR * range;
    // Much smaller values stay within ten ranges: they are seen by their own range.
    let small = most.abs().max(least.abs()) > 0.0
        && now.abs() * 50.0 < usual.abs()
        && (least > 0.0 || most < 0.0)
        && !(least..=most).contains(&now);
    (outside || small).then(|| {
        format!(
            "{name} is from {from} to {to}, and was from {least} to {most} in training: is it in other units?"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_units_are_noticed_and_a_trend_is_not() {
        let known: Vec<f64> = (0..100).map(|row| 100.0 + f64::from(row)).collect();
        let times = |factor: f64| known.iter().map(|value| value * factor).collect::<Vec<f64>>();
        for factor in [1000.0, 100.0, 0.01, 0.001, -1000.0] {
            let line = far_values("y", &times(factor), &known);
            assert!(line.is_some_and(|line| line.starts_with("y is from ")), "{factor}");
        }
        for factor in [1.0, 2.0, 5.0, 0.5, 0.1] {
            assert_eq!(far_values("y", &times(factor), &known), None, "{factor}");
        }
        let both: Vec<f64> = (0..100).map(|row| f64::from(row) - 50.0).collect();
        assert_eq!(far_values("y", &[0.1; 20], &both), None);
        assert!(far_values("y", &[5e4; 20], &both).is_some());
    }
}
