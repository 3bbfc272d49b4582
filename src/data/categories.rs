//! Columns of words as numbers: an indicator for each category of the rows to learn from.
//!
//! ```text
//! promotion   promotion=none  promotion=flyer  promotion=tv
//! none        1               0                0
//! flyer       0               1                0
//! radio       p_none          p_flyer          p_tv           not seen before: an average row, in units of its indicators
//! ```
//! Categories with less than three rows share one indicator, if they have three together.

use super::series::Words;
use std::collections::BTreeMap;

/// The categories of a column.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Categories {
    /// The name of the column.
    pub column: String,
    /// Those with an indicator each.
    pub words: Vec<String>,
    /// Those that share one.
    pub rare: Vec<String>,
    /// p: the mean of each indicator over the rows to learn from.
    pub means: Vec<f64>,
}

/// The rows that a category of its own has at least.
pub const LEAST_ROWS: usize = 3;

impl Categories {
    /// Those of the first `rows` rows of a column, whose values are places of words.
    pub fn fit(words: &Words, values: &[f64], rows: usize) -> Self {
        let mut counts = vec![0; words.words.len()];
        values[..rows].iter().for_each(|&place| counts[place as usize] += 1);
        let each = || words.words.iter().zip(&counts);
        let rare: Vec<String> = each()
            .filter(|(_, count)| (1..LEAST_ROWS).contains(*count))
            .map(|(word, _)| word.clone())
            .collect();
        let of_rare: usize = counts.iter().filter(|count| **count < LEAST_ROWS).sum();
        let frequent = || each().filter(|(_, count)| **count >= LEAST_ROWS);
        let shares = |count: usize| count as f64 / rows as f64;
        let mut means: Vec<f64> = frequent().map(|(_, &count)| shares(count)).collect();
        let is_shared = of_rare >= LEAST_ROWS;
        means.extend(is_shared.then(|| shares(of_rare)));
        Self {
            column: words.column.clone(),
            words: frequent().map(|(word, _)| word.clone()).collect(),
            rare: if is_shared { rare } else { Vec::new() },
            means,
        }
    }

    /// The name of each indicator.
    pub fn names(&self) -> Vec<String> {
        let shared = (!self.rare.is_empty()).then_some("(rare)");
        let words = self.words.iter().map(String::as_str).chain(shared);
        words.map(|word| format!("{}={word}", self.column)).collect()
    }

    /// The place of the indicator of a word; none if it was not seen. Capitals tell words apart where several are there.
    pub fn place(&self, word: &str) -> Option<usize> {
        if let Some(place) = self.words.iter().position(|known| known == word) {
            return Some(place);
        }
        if self.rare.iter().any(|known| known == word) {
            return Some(self.words.len());
        }
        let lower = word.to_lowercase();
        let mut same = (0..self.words.len()).filter(|&at| self.words[at].to_lowercase() == lower);
        same.next().filter(|_| same.next().is_none())
    }

    /// The indicators of rows, whose values are places of words: `[indicator][row]`.
    pub fn indicators(&self, words: &Words, values: &[f64]) -> Vec<Vec<f64>> {
        let places: Vec<Option<usize>> = words.words.iter().map(|word| self.place(word)).collect();
        let of = |(indicator, &mean): (usize, &f64)| {
            let value = |&value: &f64| match places[value as usize] {
                Some(place) => f64::from(u8::from(place == indicator)),
                None => mean,
            };
            values.iter().map(value).collect()
        };
        self.means.iter().enumerate().map(of).collect()
    }

    /// What is wrong with it, if somebody has changed it.
    pub fn contradiction(&self) -> Option<&'static str> {
        let shared = usize::from(!self.rare.is_empty());
        let share = |mean: &f64| (0.0..=1.0).contains(mean);
        (self.means.len() != self.words.len() + shared || !self.means.iter().all(share))
            .then_some("the categories of a column do not fit each other")
    }
}

/// Columns of numbers and of categories.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Coded {
    /// The name of each column, or indicator.
    pub names: Vec<String>,
    /// `[column][row]`.
    pub columns: Vec<Vec<f64>>,
    /// Of each column, the words that were not seen before, with the rows that have them.
    pub unseen: BTreeMap<String, BTreeMap<String, usize>>,
    /// A column of words that has no categories.
    pub unknown: Option<String>,
}

impl Coded {
    /// With an indicator for each category in the place of their column.
    pub fn of(
        names: &[String],
        columns: &[Vec<f64>],
        words: &[Words],
        categories: &[Categories],
    ) -> Self {
        let mut coded = Self::default();
        for (name, values) in names.iter().zip(columns) {
            let Some(words) = words.iter().find(|words| words.column == *name) else {
                coded.names.push(name.clone());
                coded.columns.push(values.clone());
                continue;
            };
            let Some(known) = categories.iter().find(|known| known.column == *name) else {
                coded.unknown = Some(name.clone());
                continue;
            };
            for &place in values {
                let word = &words.words[place as usize];
                if known.place(word).is_none() {
                    let unseen = coded.unseen.entry(name.clone()).or_default();
                    *unseen.entry(word.clone()).or_default() += 1;
                }
            }
            coded.names.extend(known.names());
            coded.columns.extend(known.indicators(words, values));
        }
        coded
    }

    /// A line for each column with words that were not seen before.
    pub fn lines(&self) -> Vec<String> {
        /// So many are named.
        const NAMED: usize = 3;
        let line = |(column, unseen): (&String, &BTreeMap<String, usize>)| {
            let named = unseen.keys().take(NAMED).map(|word| format!("'{word}'"));
            let mut named = named.collect::<Vec<_>>().join(", ");
            if unseen.len() > NAMED {
                named += &format!(" and {} more", unseen.len() - NAMED);
            }
            let rows = unseen.values().sum::<usize>();
            let rows = if rows == 1 { "1 row".into() } else { format!("{rows} rows") };
            format!(
                "{column}: {named} in {rows}: not among the categories of the training ({LEAST_ROWS} rows at least), and taken to have no effect"
            )
        };
        self.unseen.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cells: &[&str]) -> (Words, Vec<f64>) {
        let mut words: Vec<String> = Vec::new();
        let mut place = |cell: &&str| {
            let found = words.iter().position(|word| word == cell);
            found.unwrap_or_else(|| {
                words.push((*cell).into());
                words.len() - 1
            }) as f64
        };
        let values = cells.iter().map(&mut place).collect();
        (Words { column: "ad".into(), words }, values)
    }

    #[test]
    fn frequent_words_have_an_indicator_each_and_rare_ones_share_one() {
        let cells = ["no", "tv", "no", "tv", "no", "tv", "a", "b", "b", "late"];
        let (found, values) = words(&cells);
        let categories = Categories::fit(&found, &values, 9);
        assert_eq!(categories.names(), ["ad=no", "ad=tv", "ad=(rare)"]);
        assert_eq!(categories.rare, ["a", "b"]);
        let third = 1.0 / 3.0;
        assert_eq!(categories.means, [third; 3]);
        let indicators = categories.indicators(&found, &values);
        assert_eq!(indicators[0], [1., 0., 1., 0., 1., 0., 0., 0., 0., third]);
        assert_eq!(indicators[1], [0., 1., 0., 1., 0., 1., 0., 0., 0., third]);
        assert_eq!(indicators[2], [0., 0., 0., 0., 0., 0., 1., 1., 1., third]);
        // Two rows are no category, alone or together.
        let categories = Categories::fit(&found, &values, 8);
        assert_eq!(categories.names(), ["ad=no", "ad=tv"]);
        assert_eq!(categories.indicators(&found, &values)[1][6], 3.0 / 8.0);
        assert_eq!(categories.contradiction(), None);
    }

    #[test]
    fn a_word_that_was_not_seen_is_an_average_row_and_said() {
        let (seen, values) = words(&["no", "no", "no", "TV", "TV", "TV"]);
        let categories = [Categories::fit(&seen, &values, 6)];
        let (later, values) = words(&["radio", "tv", "NO", "radio"]);
        let coded = Coded::of(&["ad".into()], &[values], &[later], &categories);
        assert_eq!(coded.names, ["ad=no", "ad=TV"]);
        assert_eq!(coded.columns, [[0.5, 0.0, 1.0, 0.5], [0.5, 1.0, 0.0, 0.5]]);
        assert!(coded.lines()[0].starts_with("ad: 'radio' in 2 rows"), "{:?}", coded.lines());
        assert_eq!(coded.lines().len(), 1);
        // Where capitals tell words apart, another one is none of them.
        let (seen, values) = words(&["No", "No", "No", "no", "no", "no"]);
        assert_eq!(Categories::fit(&seen, &values, 6).place("NO"), None);
    }
}
