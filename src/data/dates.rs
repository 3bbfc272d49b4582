//! Finds the dates of a file. The reader keeps dates as labels and does not convert them.

use super::series::table::{Content, Table};
use super::series::{Note, SeriesError, SeriesOptions};

/// The dates of a file, and the rows in the order of time.
pub(super) struct Dates {
    /// The columns that hold dates, or parts of them.
    pub columns: Vec<usize>,
    /// A label for each of `rows`, where there is such a column.
    pub labels: Option<Vec<String>>,
    /// The rows of the series, oldest first, each by its number in the table; `None`: a row that the file lacks, whose
    /// values are filled in.
    pub rows: Vec<Option<usize>>,
}

/// Finds the columns of dates of a file, by request, content or name, and reads them.
pub(super) fn find(
    table: &Table,
    options: &SeriesOptions,
    _notes: &mut Vec<Note>,
) -> Result<Dates, SeriesError> {
    let content: Vec<Content> = (0..table.width()).map(|index| Content::of(table, index)).collect();
    let column = match &options.date_column {
        Some(asked) => Some(table.find(asked)?),
        None => content.iter().position(|column| column.dates).or_else(|| {
            (0..table.width()).find(|&index| {
                let text = !content[index].numeric && !content[index].empty;
                text && names_a_date(table.title(index))
            })
        }),
    };
    let labels = column.map(|column| labels(table, column)).transpose()?;
    let rows = (0..table.rows()).map(Some).collect();
    Ok(Dates { columns: column.into_iter().collect(), labels, rows })
}

fn labels(table: &Table, column: usize) -> Result<Vec<String>, SeriesError> {
    let label = |row| match table.cell(row, column) {
        "" => Err(SeriesError::MissingCell {
            file: table.file.clone(),
            line: table.line(row),
            column: table.names[column].clone(),
        }),
        label => Ok(label.to_owned()),
    };
    (0..table.rows()).map(label).collect()
}

fn names_a_date(name: &str) -> bool {
    let words = [
        "date",
        "datetime",
        "day",
        "month",
        "period",
        "quarter",
        "time",
        "timestamp",
        "week",
        "year",
    ];
    name.split(|character: char| !character.is_alphanumeric())
        .any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

/// Whether a cell is a date: true for `2020-01`, `2020-01-31`, `2020/01/31`, `31.01.2020`, `01/31/2020`, `2020-Q1`, `2020Q1`,
/// each of them alone or followed by a time of day (`2020-01-31T23:59:59.5Z`, `2020-01-31 23:59 +01:00`).
/// False for a plain number such as `1949` or `2020.01`.
pub(super) fn looks_like_date(cell: &str) -> bool {
    match cell.split_once(['T', 't', ' ']) {
        Some((date, time)) => is_date(date) && is_time(time.trim_start()),
        None => is_date(cell),
    }
}

fn is_date(text: &str) -> bool {
    if is_quarter(text) {
        return true;
    }
    ['-', '/', '.'].into_iter().any(|separator| {
        let parts: Vec<&str> = text.split(separator).take(4).collect();
        match parts[..] {
            [year, month] => separator != '.' && is_year(year) && is_month(month),
            [first, second, third] => {
                (is_year(first) && is_month(second) && is_day(third))
                    || (is_year(third)
                        && ((is_day(first) && is_month(second))
                            || (is_month(first) && is_day(second))))
            }
            _ => false,
        }
    })
}

fn is_quarter(text: &str) -> bool {
    text.split_once(['Q', 'q']).is_some_and(|(year, quarter)| {
        is_year(year.strip_suffix('-').unwrap_or(year)) && is_within(quarter, 1, 1..=4)
    })
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && is_within(text, 4, 0..=9999)
}

fn is_month(text: &str) -> bool {
    is_within(text, 2, 1..=12)
}

fn is_day(text: &str) -> bool {
    is_within(text, 2, 1..=31)
}

/// `23:59`, `23:59:59`, `23:59:59.123`, then nothing, `Z`, `UTC`, `+01`, `+01:00` or `+0100`.
fn is_time(text: &str) -> bool {
    let zone_start = text.find(['Z', 'z', '+', '-', 'U', ' ']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_start);
    is_clock(clock) && is_zone(zone.trim_start())
}

fn is_clock(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let hour = parts.next().is_some_and(|hour| is_within(hour, 2, 0..=24));
    let minute = parts.next().is_some_and(|minute| is_within(minute, 2, 0..=59));
    let second = parts.next().is_none_or(|second| {
        let (whole, fraction) = second.split_once(['.', ',']).unwrap_or((second, "0"));
        is_within(whole, 2, 0..=60) && is_digits(fraction)
    });
    hour && minute && second
}

fn is_zone(text: &str) -> bool {
    if matches!(text, "" | "Z" | "z" | "UTC") {
        return true;
    }
    text.strip_prefix(['+', '-']).is_some_and(|offset| {
        let digits = offset.replacen(':', "", 1);
        matches!(digits.len(), 2 | 4) && is_digits(&digits)
    })
}

fn is_within(text: &str, longest: usize, range: std::ops::RangeInclusive<u32>) -> bool {
    text.len() <= longest
        && is_digits(text)
        && text.parse().is_ok_and(|number| range.contains(&number))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::looks_like_date;

    #[test]
    fn dates_are_recognised() {
        for cell in [
            "2020-01",
            "1949-01",
            "2020-1",
            "2020-01-31",
            "2020/01/31",
            "2020/01",
            "31.01.2020",
            "31/01/2020",
            "01/31/2020",
            "2020.01.31",
            "1949Q1",
            "1949-Q4",
            "2020-01-31T23:59",
            "2020-01-31T23:59:59Z",
            "2020-01-31T23:59:59.123456+01:00",
            "2020-01-31 23:59:59",
            "2020-01-31 23:59:59 UTC",
            "2020-01-31 23:59:59 +0100",
            "31.01.2020 08:15",
        ] {
            assert!(looks_like_date(cell), "{cell} is a date");
        }
    }

    #[test]
    fn other_cells_are_not_dates() {
        for cell in [
            "",
            "1949",
            "20200131",
            "2020.01",
            "1949.5",
            "2020-13",
            "2020-01-32",
            "2020-00",
            "1949-01 112",
            "2020-01-31 25:00",
            "2020-01-31T",
            "2020-01-31 10:00+1",
            "12:30",
            "Jan-49",
            "1-01",
            "-12",
            "1e-05",
            "2020-01-31-01",
            "2020-01/31",
            "1949Q5",
            "month",
            "２０２０-01",
        ] {
            assert!(!looks_like_date(cell), "{cell} is no date");
        }
    }
}
