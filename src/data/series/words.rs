//! Columns of words, whose cells are categories.

use super::missing::{is_marked, stands_for_missing};
use super::note::Note;
use super::table::{Content, Table};
use super::{SeriesError, SeriesOptions};
use crate::printable::printable_name;
use std::collections::HashMap;

/// A column of words. Its values are the places of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The name of the column.
    pub column: String,
    /// The words, in the order in which they come.
    pub words: Vec<String>,
}

/// What a cell without a word is called.
pub const EMPTY: &str = "(empty)";

/// The most words of a column.
pub const MOST_WORDS: usize = 100;

/// In so few rows, words that hardly repeat may be categories.
const FEW: usize = 50;

/// Which of some columns hold words: those of inputs without numbers, and those that are asked for.
pub(super) fn columns(
    table: &Table,
    (targets, exogenous): (&[usize], &[usize]),
    options: &SeriesOptions,
) -> Result<Vec<usize>, SeriesError> {
    let mut words = Vec::new();
    for asked in &options.categorical {
        let column = table.find(asked)?;
        if !exogenous.contains(&column) && !targets.contains(&column) {
            let (file, column) = (table.file.clone(), table.names[column].clone());
            return Err(SeriesError::NoInput { file, column });
        }
        words.push(column);
    }
    let of_words = |&&column: &&usize| {
        let content = Content::of(table, column);
        !content.numeric && !content.empty
    };
    words.extend(exogenous.iter().filter(of_words));
    Ok(words)
}

/// The word of a cell. What stands for a missing value is a category too, but for `none`, which means that.
pub(super) fn word(table: &Table, row: usize, column: usize) -> &str {
    let cell = table.cell(row, column);
    let is_none = cell.eq_ignore_ascii_case("none") && !is_marked(cell, &table.reading);
    match !is_none && (stands_for_missing(cell) || is_marked(cell, &table.reading)) {
        true => EMPTY,
        // A program that had gaps in a column writes 3 as 3.0.
        false => {
            cell.strip_suffix(".0").filter(|whole| whole.parse::<i64>().is_ok()).unwrap_or(cell)
        }
    }
}

/// The words of a column, and for each of `rows` the place of its own; a row that the file lacks has that of the row before.
///
/// # Errors
/// If there are too many different words for categories.
pub(super) fn read(
    table: &Table,
    column: usize,
    rows: &[Option<usize>],
    notes: &mut Vec<Note>,
) -> Result<(Words, Vec<f64>), SeriesError> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut words: Vec<String> = Vec::new();
    let mut values = Vec::with_capacity(rows.len());
    let mut place = 0;
    for &row in rows {
        if let Some(row) = row {
            let word = word(table, row, column);
            place = *places.entry(word).or_insert(words.len());
            if place == words.len() {
                words.push(printable_name(word));
            }
        }
        values.push(place as f64);
    }
    let (file, name) = (table.file.clone(), table.names[column].clone());
    if words.len() > MOST_WORDS || rows.len() >= FEW && 2 * words.len() > rows.len() {
        let (found, rows) = (words.len(), rows.len());
        return Err(SeriesError::ManyWords { file, column: name, found, rows });
    }
    if let Some([a, b]) = alike(&words) {
        notes.push(Note::Doubtful(format!(
            "{file}: column '{name}': '{a}' and '{b}' are two categories: write them alike if they are one"
        )));
    }
    Ok((Words { column: name, words }, values))
}

/// The first two words that differ by capitals alone.
fn alike(words: &[String]) -> Option<[&str; 2]> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    words.iter().find_map(|word| Some([seen.insert(word.to_lowercase(), word)?, word]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::{Missing, Reading, Series};

    fn read(text: &str, exogenous: &str, categorical: &[&str]) -> Result<Series, String> {
        let reading = Reading { missing: Missing::Previous, ..Reading::default() };
        let options = SeriesOptions {
            columns: vec!["sold".into()],
            exogenous: vec![exogenous.into()],
            categorical: categorical.iter().map(|name| (*name).into()).collect(),
            reading,
            ..SeriesOptions::default()
        };
        Series::read_from(text.as_bytes(), "some.csv", &options).map_err(|error| error.to_string())
    }

    fn words(series: &Series) -> Vec<&str> {
        let places = series.exogenous[0].iter().map(|&place| place as usize);
        places.map(|place| series.words[0].words[place].as_str()).collect()
    }

    #[test]
    fn cells_are_words_and_none_is_one_of_them() {
        let text =
            "day,sold,ad\n2024-01-01,1,none\n2024-01-02,2,tv\n2024-01-04,4,\n2024-01-05,5,NA\n";
        let series = read(text, "ad", &[]).unwrap();
        // The 3rd is not in the file.
        assert_eq!(words(&series), ["none", "tv", "tv", EMPTY, EMPTY]);
        assert_eq!(series.values, [[1.0, 2.0, 2.0, 4.0, 5.0]]);
        assert_eq!(series.exogenous, [[0.0, 1.0, 1.0, 2.0, 2.0]]);
        // Days of the week are no dates, where they are asked for as an input.
        let text = "weekday,sold\nMonday,1\nTuesday,2\nMonday,3\n";
        assert_eq!(words(&read(text, "weekday", &[]).unwrap()), ["Monday", "Tuesday", "Monday"]);
    }

    #[test]
    fn numbers_are_words_where_that_is_asked_for() {
        let text = "sold,code\n1,7\n2,12\n3,7.0\n4,-\n5,07\n";
        let numbers = read(&text.replace("4,-\n", ""), "code", &[]).unwrap();
        assert!(numbers.words.is_empty() && numbers.exogenous[0] == [7.0, 12.0, 7.0, 7.0]);
        assert_eq!(words(&read(text, "code", &["code"]).unwrap()), ["7", "12", "7", EMPTY, "07"]);
        let none = read(text, "code", &["sort"]).unwrap_err();
        assert!(none.contains("no column 'sort'"), "{none}");
        let sold = text.replace('\n', ",x\n");
        let other = read(&sold.replacen(",x", ",kind", 1), "code", &["kind"]).unwrap_err();
        assert!(other.contains("'kind' is no input"), "{other}");
    }

    #[test]
    fn a_text_is_no_category_and_words_that_differ_by_capitals_are_noticed() {
        let rows = |count: usize, every: usize| {
            let rows = (0..count).map(|row| format!("{row},w{}\n", row / every));
            format!("sold,ad\n{}", rows.collect::<String>())
        };
        assert!(read(&rows(60, 3), "ad", &[]).is_ok() && read(&rows(49, 1), "ad", &[]).is_ok());
        for (text, found) in [(rows(60, 1), 60), (rows(303, 3), 101)] {
            let line = read(&text, "ad", &[]).unwrap_err();
            assert!(line.contains(&format!("{found} different words")), "{line}");
        }
        let series = read("sold,ad\n1,TV\n2,no\n3,tv\n", "ad", &[]).unwrap();
        let line = series.notes.iter().find(|note| note.is_warning()).unwrap().to_string();
        assert!(line.contains("'TV' and 'tv' are two categories"), "{line}");
    }
}
