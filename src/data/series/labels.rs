//! What many series are: columns of categories that stay the same in all rows of a series.

use super::table::{Content, Table};
use super::words::{EMPTY, MOST_WORDS, Words, word};
use super::{SeriesError, SeriesOptions};
use crate::printable::{printable, printable_name};
use std::collections::HashMap;

/// A column of categories, of which each series has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// The column and its words.
    pub words: Words,
    /// The place of the word of each series.
    pub values: Vec<f64>,
}

/// The columns of categories of groups of rows, by index: those that are asked for, or else those of words that are the same in
/// all rows of a group, and are not another one's groups under other names. `skipped` are no such columns.
///
/// # Errors
/// If one that is asked for changes within a group, or has too many words.
pub(super) fn read(
    table: &Table,
    skipped: &[usize],
    groups: &[(String, Vec<u32>)],
    options: &SeriesOptions,
) -> Result<Vec<(usize, Labels)>, SeriesError> {
    let mut found: Vec<(usize, Labels)> = Vec::new();
    if !options.categorical.is_empty() {
        for column in table.find_all(&options.categorical, &[])? {
            found.push((column, of(table, column, groups)?));
        }
        return Ok(found);
    }
    for column in (0..table.width()).filter(|column| !skipped.contains(column)) {
        let content = Content::of(table, column);
        if content.numeric || content.dates || content.empty {
            continue;
        }
        let Ok(labels) = of(table, column, groups) else { continue };
        // An address tells nothing of other series, and what all have nothing at all.
        let several = 1 < labels.words.words.len() && 2 * labels.words.words.len() <= groups.len();
        if several && found.iter().all(|(_, other)| other.values != labels.values) {
            found.push((column, labels));
        }
    }
    Ok(found)
}

/// The words of a column, one for each group.
fn of(table: &Table, column: usize, groups: &[(String, Vec<u32>)]) -> Result<Labels, SeriesError> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut words: Vec<String> = Vec::new();
    let mut values = Vec::with_capacity(groups.len());
    let (file, name) = (|| table.file.clone(), table.names[column].clone());
    for (_, rows) in groups {
        // A cell that is empty says nothing against the others.
        let rows = rows.iter().map(|&row| row as usize);
        let named = rows.map(|row| (row, word(table, row, column)));
        let mut named = named.filter(|(_, word)| *word != EMPTY);
        let (first, mine) = named.next().unwrap_or((0, EMPTY));
        if let Some((row, other)) = named.find(|(_, word)| *word != mine) {
            return Err(SeriesError::LabelChanges {
                file: file(),
                line: table.line(row),
                column: name,
                cells: format!(
                    "'{}', and '{}' on line {}",
                    printable(other),
                    printable(mine),
                    table.line(first)
                ),
            });
        }
        let place = *places.entry(mine).or_insert(words.len());
        if place == words.len() {
            words.push(printable_name(mine));
        }
        values.push(place as f64);
    }
    let (found, rows) = (words.len(), groups.len());
    if found > MOST_WORDS {
        return Err(SeriesError::ManyWords { file: file(), column: name, found, rows });
    }
    Ok(Labels { words: Words { column: name, words }, values })
}
