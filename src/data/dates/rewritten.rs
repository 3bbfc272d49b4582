//! Cells whose meaning the name of their column tells, as the dates that are read: `202252` in a column of weeks.

use super::fields::digits;
use super::names;

/// The date of a cell, if it is written in one of these forms.
pub(super) fn rewritten(title: &str, cell: &str) -> Option<String> {
    let whole = digits(cell);
    let number = |from: usize, most: u32| {
        let part: u32 = cell[from..].parse().ok()?;
        (1..=most).contains(&part).then_some(part)
    };
    match (whole, &cell[whole..]) {
        (6, "") if names::names_a_week(title) => {
            Some(format!("{}-W{:02}", &cell[..4], number(4, 53)?))
        }
        (5, "") if names::names_a_quarter(title) => {
            Some(format!("{}-Q{}", &cell[..4], number(4, 4)?))
        }
        // Whole numbers as programs write them that keep fractions.
        (4..=8, ".0") => Some(cell[..whole].into()),
        // Days of a spreadsheet with a decimal comma.
        (5, rest) => {
            let fraction = rest.strip_prefix(',')?;
            let all = !fraction.is_empty() && digits(fraction) == fraction.len();
            all.then(|| format!("{}.{fraction}", &cell[..5]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    #[test]
    fn the_name_of_the_column_tells() {
        for (title, cell, date) in [
            ("week", "202252", Some("2022-W52")),
            ("Kalenderwoche", "202254", None),
            ("week", "20225", None),
            ("month", "202212", None),
            ("quarter", "20001", Some("2000-Q1")),
            ("quarter", "20005", None),
            ("year", "1930.0", Some("1930")),
            ("year", "1930.5", None),
            ("Date", "44927,041667", Some("44927.041667")),
            ("Date", "44927,", None),
            ("Date", "44927", None),
            ("Date", "", None),
        ] {
            assert_eq!(rewritten(title, cell).as_deref(), date, "{title}: {cell}");
        }
    }
}
