//! How improbable each row of a file is to a run on a series or on many: the error of its forecast from the rows before it, and
//! the probability of one at least so large.
//!
//! The forecast is one step ahead, by the method that `bptt forecast` uses. What it is fitted to is the run's rows before
//! its test, and the errors that it is compared with are those one step ahead on the rows that validated
//! ([`Improbability`](crate::model::forecast::Improbability)). Nothing of a row or of those after it is used for its score; the
//! rows that the run has learnt from have errors a little too small, and [`Part`] tells them.

use crate::data::dates::Calendar;
use crate::data::series::{Missing, Note, Reading};
use std::f64::consts::LN_2;
use std::fmt;

/// How to score the rows of a file.
#[derive(Clone, Debug, Default)]
pub struct AnomalyOptions {
    /// The name of the method; none: the one that forecasts.
    pub method: Option<String>,
    /// How the file is written; none: as the run's.
    pub reading: Option<Reading>,
    /// How its dates are read; none: as the run's.
    pub dates: Option<crate::data::dates::DateOptions>,
}

/// What a row was to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It was trained on.
    Train,
    /// It chose epoch and method, and the error of its forecast is among those that others are compared with.
    Valid,
    /// It tested.
    Test,
    /// The run does not know it.
    New,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
            Self::New => "new",
        })
    }
}

/// How improbable a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScore {
    /// Its forecast from the rows before it.
    pub forecast: f64,
    /// `ln p`.
    pub log_probability: f64,
}

impl RowScore {
    /// p: the probability of an error at least so large, on either side.
    pub fn probability(&self) -> f64 {
        self.log_probability.exp()
    }

    /// The surprise, `−log₂ p`.
    pub fn bits(&self) -> f64 {
        // No minus before a zero.
        0.0 - self.log_probability / LN_2
    }
}

/// A value of a file, and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRow {
    /// The place of its column, or series, in [`Anomalies::names`].
    pub name: usize,
    /// Its row in the series, from 1.
    pub row: usize,
    /// Its line in the file; none where the file lacks it.
    pub line: Option<u64>,
    /// Its date, as the file has it.
    pub date: Option<String>,
    /// What it was to the run.
    pub part: Part,
    /// The value; none where it is missing.
    pub value: Option<f64>,
    /// None without enough rows before it, and where the value is missing.
    pub score: Option<RowScore>,
}

/// The scores of a file.
#[derive(Clone, Debug)]
pub struct Anomalies {
    /// The key of the method.
    pub key: String,
    /// Its name.
    pub method: String,
    /// What `names` are: `column`, or `id` of many series.
    pub named: &'static str,
    /// The columns, or series.
    pub names: Vec<String>,
    /// Every row of each column: in the order of the file, the columns of a row together; of many series one series after
    /// the other.
    pub rows: Vec<ScoredRow>,
    /// Rows before the first one that has a score.
    pub needs: usize,
    /// How many errors the scores are compared with, of the column with the fewest.
    pub known_errors: usize,
    /// How the file was read.
    pub notes: Vec<Note>,
    /// What makes the scores doubtful, a line each.
    pub warnings: Vec<String>,
}

impl Anomalies {
    /// The rows with a score.
    pub fn scored(&self) -> impl Iterator<Item = (&ScoredRow, RowScore)> {
        self.rows.iter().filter_map(|row| Some((row, row.score?)))
    }

    /// The most improbable rows, so many at most, the most improbable first.
    pub fn most_improbable(&self, most: usize) -> Vec<(&ScoredRow, RowScore)> {
        let mut rows: Vec<_> = self.scored().collect();
        rows.sort_by(|(_, a), (_, b)| a.log_probability.total_cmp(&b.log_probability));
        rows.truncate(most);
        rows
    }

    /// How many rows have a probability below that.
    pub fn count_below(&self, probability: f64) -> usize {
        self.scored().filter(|(_, score)| score.log_probability < probability.ln()).count()
    }
}

/// How gaps are filled so that nothing is looked ahead to, and whether that is another way than asked for.
pub(super) fn without_looking_ahead(reading: &Reading) -> (Reading, bool) {
    match reading.missing {
        Missing::Interpolate => (Reading { missing: Missing::Previous, ..reading.clone() }, true),
        _ => (reading.clone(), false),
    }
}

/// What is said where gaps are filled in another way than asked for.
pub(super) const NO_LINE: &str = "missing values are taken for the value before them, because a line to the value after them would look ahead; they have no score";

/// Which row of a run's series is the first one of a file; none if the file is of another series. Dates tell, and without
/// dates only a file that begins as the series does is it. More than half of the rows that both have must have the same value.
pub(super) fn offset(
    (own, own_dates): (&[f64], Option<&Calendar>),
    (rows, dates): (&[f64], Option<&Calendar>),
) -> Option<usize> {
    let first = match own_dates.zip(dates) {
        None => 0,
        Some((own, dates)) => {
            let first = dates.moments().first()?.instant();
            own.moments().binary_search_by_key(&first, |moment| moment.instant()).ok()?
        }
    };
    let pairs = own.get(first..)?.iter().zip(rows);
    let (same, both) =
        pairs.fold((0, 0), |(same, both), (a, b)| (same + usize::from(a == b), both + 1));
    (2 * same > both).then_some(first)
}

/// What a row is to a run whose parts begin there.
pub(super) fn part(row: Option<usize>, [split, test, end]: [usize; 3]) -> Part {
    match row {
        Some(row) if row < split => Part::Train,
        Some(row) if row < test => Part::Valid,
        Some(row) if row < end => Part::Test,
        _ => Part::New,
    }
}
