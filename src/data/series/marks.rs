//! Values far from all others, as marks of missing values are.

use super::note::Note;
use super::table::Table;

/// Marks that are looked for in a column, one after the other.
const MOST: usize = 3;
/// The fewest other values that tell what is far from them.
const FEWEST: usize = 5;

/// Warns of the values of a column that look like marks of a missing value.
pub(super) fn warn(table: &Table, column: usize, values: &[Option<f64>], notes: &mut Vec<Note>) {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut others = sorted.as_slice();
    for _ in 0..MOST {
        let Some((mark, rest)) = find(others) else { return };
        let count = others.len() - rest.len();
        others = rest;
        let times = if count > 1 { format!(", {count} times,") } else { String::new() };
        // The values are of the rows in the order of time, and the cell is looked for in the file.
        let line = (0..table.rows()).find(|&row| {
            let written = super::number::Written::of(table.cell(row, column));
            written.is_some_and(|written| {
                super::reading::Decimal::ALL.iter().any(|&decimal| written.value(decimal) == mark)
            })
        });
        notes.push(Note::Doubtful(format!(
            "{}{}: column '{}': {mark}{times} is far from all other values ({} to {}); if it stands for a missing value, add --missing-mark={mark} and --missing interpolate, previous, zero or drop",
            table.file,
            line.map_or(String::new(), |row| format!(", line {}", table.line(row))),
            table.names[column],
            rest[0],
            rest[rest.len() - 1],
        )));
    }
}

/// The least or the largest of sorted values, if it is far from the others, and these.
fn find(sorted: &[f64]) -> Option<(f64, &[f64])> {
    let (&least, &most) = (sorted.first()?, sorted.last()?);
    let above = &sorted[sorted.partition_point(|&value| value <= least)..];
    let below = &sorted[..sorted.partition_point(|&value| value < most)];
    let is_far = |mark: f64, others: &[f64]| {
        others.len() >= FEWEST && {
            let (first, last) = (others[0], others[others.len() - 1]);
            let gap = (first - mark).max(mark - last);
            let count = sorted.len() - others.len();
            // Where all others are equal, a spike is no mark.
            (first < last || has_nines(mark))
                && gap > farther_than(mark, count, first) * (last - first)
        }
    };
    if is_far(least, above) {
        return Some((least, above));
    }
    is_far(most, below).then_some((most, below))
}

/// How many ranges of the other values, which begin with `least`, a value must be away from them to be pointed at.
fn farther_than(mark: f64, count: usize, least: f64) -> f64 {
    match mark {
        _ if has_nines(mark) => 0.5,
        -1.0 if least >= 0.0 && count > 1 => 0.2,
        0.0 | -1.0 => 1.0,
        _ => 100.0,
    }
}

/// Whether all digits are nines, two of them at least.
fn has_nines(mark: f64) -> bool {
    let digits = mark.abs().to_string();
    digits.len() > 1 && digits.chars().all(|digit| matches!(digit, '9' | '.'))
}

#[cfg(test)]
mod tests {
    use super::find;

    fn mark(mut values: Vec<f64>) -> Option<f64> {
        values.sort_unstable_by(f64::total_cmp);
        find(&values).map(|(mark, _)| mark)
    }

    #[test]
    fn marks_are_far_from_all_others() {
        let values: Vec<f64> = (0..50).map(|row| 100.0 + f64::from(row % 20)).collect();
        assert_eq!(mark(values.clone()), None);
        for found in [-999.0, -9999.0, 999.0, 999_999.0, -99.99, 0.0, 1e20, -1e30] {
            assert_eq!(mark([&values[..], &[found, found]].concat()), Some(found), "{found}");
            assert_eq!(mark([&values[..], &[found]].concat()), Some(found), "{found}");
        }
        assert_eq!(mark([&values[..], &[-1.0, -1.0]].concat()), Some(-1.0));
        for near in [99.0, 125.0, 130.0, 250.0] {
            assert_eq!(mark([&values[..], &[near]].concat()), None, "{near}");
        }
        let counts: Vec<f64> = (0..50).map(|row| f64::from(row % 20)).collect();
        assert_eq!(mark([&counts[..], &[-1.0, -1.0]].concat()), None);
        assert_eq!(mark(vec![5.0; 50]), None);
        assert_eq!(mark([&[0.0; 50][..], &[1.0]].concat()), None);
        assert_eq!(mark(vec![1.0, -999.0]), None);
    }
}
