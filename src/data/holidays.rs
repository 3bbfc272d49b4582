//! Holidays out of a list of days, as columns that are known ahead.
//!
//! ```text
//! date,name                     day          holiday   holiday Christmas   day before   day after
//! 2023-12-25,Christmas     →    2023-12-24   0         0                   1            0
//! 2023-12-26,                   2023-12-25   1         1                   0            0
//! ```
//! A row of a day or of a part of it has 1 where its day is a holiday; a row of more days has the number of its holidays.

use super::dates::{Calendar, Moment, Step, days};
use super::holiday_choice::Choice;
use super::rows::read_error;
use super::series::table::{Content, Table};
use super::series::{Note, SeriesError, SeriesOptions};
use crate::printable::{printable, printable_name};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A list of holidays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolidayList {
    /// The names of each day; none are known where the list is empty.
    pub days: BTreeMap<Date, Vec<String>>,
    /// How the file was read.
    pub notes: Vec<Note>,
}

/// The holidays that a run knows, and which of them have an effect of their own.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holidays {
    /// Whether the day before and the day after have an effect.
    pub around: bool,
    /// The holidays with an effect of their own besides that of all.
    pub named: Vec<String>,
    /// The penalty of these effects, as of [`KnownEffects`](super::known_effects::KnownEffects).
    pub penalty: f64,
    /// Day, as 2024-12-25, and name, which may be empty.
    pub days: Vec<(String, String)>,
}

/// The rows on which a holiday with an effect of its own falls at least.
pub const LEAST_ROWS: usize = 2;

/// Titles of columns with names of holidays, the more certain ones first.
const TITLES: &[&str] = &[
    "holiday",
    "holiday name",
    "holiday_name",
    "holidayname",
    "feiertag",
    "feiertagsname",
    "name",
    "localname",
    "local_name",
    "event",
    "event_name",
    "description",
    "bezeichnung",
    "jour férié",
    "nom_jour_ferie",
    "nom",
    "festivo",
    "nombre",
    "feriado",
    "festività",
];

impl HolidayList {
    /// Reads the list in the CSV file at `path`. Where day and month can be exchanged, they are read as `day_first` says.
    ///
    /// ```
    /// use bptt::data::holidays::HolidayList;
    ///
    /// let list = HolidayList::read_from("25.12.2023;Christmas\n01.01.2024;New Year\n".as_bytes(), "days.csv", None)?;
    /// assert_eq!(list.days.values().flatten().collect::<Vec<_>>(), ["Christmas", "New Year"]);
    /// # Ok::<(), bptt::data::series::SeriesError>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, or a line has no day.
    pub fn read(path: &Path, day_first: Option<bool>) -> Result<Self, SeriesError> {
        let name = path.to_string_lossy();
        let file = printable_name(&name);
        let input = match File::open(path) {
            Ok(_) if path.is_dir() => return Err(SeriesError::Directory { file }),
            Ok(input) => input,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SeriesError::NoHolidayFile { file });
            }
            Err(error) => return Err(read_error(&file, error)),
        };
        Self::read_from(input, &name, day_first)
    }

    /// The same from any source of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`HolidayList::read`].
    pub fn read_from(
        input: impl Read,
        name: &str,
        day_first: Option<bool>,
    ) -> Result<Self, SeriesError> {
        let file = printable_name(name);
        let table = Table::read(input, &file, &SeriesOptions::default())?;
        let mut notes = Vec::new();
        let (dates, read) = days::read(&table, day_first, &mut notes)?;
        let names = names(&table, &dates);
        let mut list = BTreeMap::<Date, Vec<String>>::new();
        for (row, day) in read.into_iter().enumerate() {
            let known = list.entry(day).or_default();
            let name = names.map_or(String::new(), |column| printable(table.cell(row, column)));
            if !name.is_empty() && !known.contains(&name) {
                known.push(name);
            }
        }
        let named = match names {
            Some(column) => format!("named by column '{}'", table.names[column]),
            None => "without names".into(),
        };
        let (first, last) = (list.keys().next(), list.keys().next_back());
        if let Some((first, last)) = first.zip(last) {
            let count = list.len();
            notes.push(Note::Decided(format!(
                "{file}: {count} holidays from {first} to {last}, {named}"
            )));
        }
        Ok(Self { days: list, notes })
    }

    /// The days and names, as a run keeps them.
    fn kept(&self) -> Vec<(String, String)> {
        let pairs = self.days.iter().flat_map(|(day, names)| {
            let unnamed = names.is_empty().then(String::new);
            let names = names.iter().cloned().chain(unnamed);
            names.map(move |name| (day.to_string(), name))
        });
        pairs.collect()
    }
}

/// The column with the names, if there is one: by its title, or the first one of words that are no weekdays.
fn names(table: &Table, dates: &[usize]) -> Option<usize> {
    let is_word = |column: &usize| {
        let content = Content::of(table, *column);
        !dates.contains(column) && !content.numeric && !content.dates && !content.empty
    };
    let columns: Vec<usize> = (0..table.width()).filter(is_word).collect();
    let titled = TITLES.iter().find_map(|title| {
        columns.iter().copied().find(|&column| table.title(column).to_lowercase() == *title)
    });
    let rows = table.rows();
    // Weekdays, countries and kinds are the same in row after row.
    let various = |&column: &usize| {
        let mut words: Vec<&str> = (0..rows).map(|row| table.cell(row, column)).collect();
        words.sort_unstable();
        words.dedup();
        let is_weekday = |word: &&str| {
            let word = word.to_lowercase();
            ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
                .iter()
                .any(|day| word.starts_with(day))
                && (word.ends_with("day") || word.len() < 5)
        };
        !words.iter().all(is_weekday) && (words.len() > 1 || rows <= 2)
    };
    titled.or_else(|| columns.iter().copied().find(various))
}

impl Holidays {
    /// Those of a list. A name that falls on [`LEAST_ROWS`] of these rows may have an effect of its own.
    pub fn of(list: &HolidayList, calendar: &Calendar, moments: &[Moment]) -> Self {
        let mut rows: BTreeMap<&str, BTreeSet<Date>> = BTreeMap::new();
        for &moment in moments {
            let [from, to] = calendar.days_of(moment);
            // The hours of a day are one day.
            for name in days_in(&list.days, from, to).flat_map(|(_, names)| names) {
                rows.entry(name).or_default().insert(from);
            }
        }
        let named = rows.into_iter().filter(|(_, days)| days.len() >= LEAST_ROWS);
        let named = named.map(|(name, _)| name.to_string()).collect();
        Self { around: true, named, penalty: 0.0, days: list.kept() }
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<String> {
        let named = self.named.iter().map(|name| format!("holiday {name}"));
        let around = ["day before a holiday", "day after a holiday"].map(String::from);
        let around = around.into_iter().filter(|_| self.around);
        ["holiday".to_string()].into_iter().chain(around).chain(named).collect()
    }

    /// The columns of rows at these times: `[column][row]`.
    pub fn columns(&self, calendar: &Calendar, moments: &[Moment]) -> Vec<Vec<f64>> {
        let weekdays = calendar.step() == Ok(Step::Weekdays);
        let places = self.places(weekdays);
        let mut columns = vec![vec![0.0; moments.len()]; self.names().len()];
        for (row, &moment) in moments.iter().enumerate() {
            let [from, to] = calendar.days_of(moment);
            for &place in days_in(&places, from, to).flat_map(|(_, places)| places) {
                columns[place][row] += 1.0;
            }
        }
        columns
    }

    /// The columns of each day.
    fn places(&self, weekdays: bool) -> BTreeMap<Date, Vec<usize>> {
        let all = self.set();
        let mut places: BTreeMap<Date, Vec<usize>> =
            all.iter().map(|&day| (day, vec![0])).collect();
        let mut first = 1;
        for after in [false, true].into_iter().filter(|_| self.around) {
            let beside = all.iter().filter_map(|&day| beside(day, after, weekdays));
            let beside: BTreeSet<Date> = beside.filter(|day| !all.contains(day)).collect();
            beside.into_iter().for_each(|day| places.entry(day).or_default().push(first));
            first += 1;
        }
        for (day, name) in &self.days {
            let named = self.named.iter().position(|named| named == name);
            if let (Some(named), Ok(day)) = (named, day.parse()) {
                places.entry(day).or_default().push(first + named);
            }
        }
        places
    }

    /// Whether rows of this calendar have a day before and a day after.
    pub(crate) fn have_neighbours(calendar: &Calendar) -> bool {
        let several = |days: i64| days > 1;
        !match calendar.step() {
            Ok(Step::Months(_)) => true,
            Ok(Step::Days(days)) => several(days),
            Ok(Step::Seconds(seconds)) => several(seconds / 86_400),
            _ => false,
        }
    }

    /// The days.
    fn set(&self) -> BTreeSet<Date> {
        self.days.iter().filter_map(|(day, _)| day.parse().ok()).collect()
    }

    /// A line where the list seems to end before the last row to forecast: where a year before it, or by the list alone, there
    /// would have been more.
    pub fn ends_before(&self, calendar: &Calendar, last: Moment) -> Option<String> {
        let days = self.set();
        let (&from, &end) = (days.iter().next()?, days.iter().next_back()?);
        let [_, ahead] = calendar.days_of(last);
        if end >= ahead.yesterday().ok()? {
            return None;
        }
        let before = |day: Date| day.checked_sub(1.year()).ok();
        let (a_year_ago, until) = (before(end)?, before(ahead)?);
        // A few days more, as of Easter.
        let later = a_year_ago.checked_add(4.days()).ok()?;
        let is_complete =
            from <= a_year_ago && days.range(later..until.max(later)).next().is_none();
        (!is_complete).then(|| {
            format!(
                "the list of holidays ends on {end}, and the rows to forecast on {}: later holidays are not known; train with a longer list",
                ahead.yesterday().unwrap_or(ahead)
            )
        })
    }

    /// Keeps those of its effects that hold in rows that they were not measured on, out of the first `rows` of the columns
    /// to forecast. `others` are the columns that are known ahead besides.
    pub fn choose(
        &mut self,
        targets: &[Vec<f64>],
        (others, calendar): (&[Vec<f64>], &Calendar),
        (rows, season): (usize, usize),
    ) {
        self.around = Self::have_neighbours(calendar);
        let columns = self.columns(calendar, calendar.moments());
        let chosen = Choice::of(targets, (others, &columns), self, (rows, season));
        self.around = chosen.around;
        match chosen.penalty {
            Some(penalty) => self.penalty = penalty,
            None => self.named.clear(),
        }
    }

    /// The penalty of each column.
    pub fn penalties(&self) -> Vec<f64> {
        let without = 1 + if self.around { 2 } else { 0 };
        let named = self.named.iter().map(|_| self.penalty);
        vec![0.0; without].into_iter().chain(named).collect()
    }

    /// Which effects there are, in a line.
    pub fn line(&self) -> String {
        let around = if self.around { ", with the day before and the day after" } else { "" };
        let named = match self.named.len() {
            0 => "one effect for all of them".to_string(),
            count => format!("{count} names have an effect of their own"),
        };
        format!("holidays: {named}{around}")
    }

    /// What is wrong with it, if somebody has changed it.
    pub fn contradiction(&self) -> Option<&'static str> {
        let bad = self.days.iter().any(|(day, _)| day.parse::<Date>().is_err());
        let penalty = self.penalty.is_finite() && self.penalty >= 0.0;
        (bad || !penalty).then_some("a holiday is no day, or its penalty no number")
    }
}

fn beside(day: Date, after: bool, weekdays: bool) -> Option<Date> {
    let next = |day: Date| if after { day.tomorrow().ok() } else { day.yesterday().ok() };
    let mut day = next(day)?;
    while weekdays && matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = next(day)?;
    }
    Some(day)
}

/// What is from one day up to another, that one not included.
fn days_in<T>(days: &BTreeMap<Date, T>, from: Date, to: Date) -> impl Iterator<Item = (&Date, &T)> {
    days.range(from..to.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::DateOptions;

    fn list(text: &str) -> HolidayList {
        HolidayList::read_from(text.as_bytes(), "days.csv", None)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        list(text).kept()
    }

    fn calendar(labels: &[&str]) -> Calendar {
        let labels: Vec<String> = labels.iter().map(|label| (*label).into()).collect();
        Calendar::of(&labels, &DateOptions::default()).unwrap()
    }

    fn rows(text: &str, labels: &[&str]) -> Vec<f64> {
        let dates = calendar(labels);
        let holidays = Holidays::of(&list(text), &dates, dates.moments());
        holidays.columns(&dates, dates.moments()).swap_remove(0)
    }

    #[test]
    fn a_list_is_read_as_people_have_it() {
        let expected = [("2023-12-25", "Christmas"), ("2024-01-01", "New Year")];
        let expected = expected.map(|(day, name)| (day.to_string(), name.to_string()));
        for text in [
            "date,holiday\n2023-12-25,Christmas\n2024-01-01,New Year\n",
            "2023-12-25,Christmas\n2024-01-01,New Year\n",
            // In any order, twice, with further columns, with the weekday before the name.
            "Date;Weekday;Name;Type\n01.01.2024;Monday;New Year;public\n25.12.2023;Monday;Christmas;public\n25.12.2023;Monday;Christmas;public\n",
            "2024-01-01,Mon,New Year\n2023-12-25,Mon,Christmas\n",
            "holiday,ds,lower_window,upper_window\nChristmas,2023-12-25,0,1\nNew Year,2024-01-01,0,1\n",
            "20231225\tChristmas\n20240101\tNew Year\n",
            "country,day,localName\nUS,12/25/2023,Christmas\nUS,1/1/2024,New Year\n",
            "Date,Holiday\n\"Monday, December 25, 2023\",Christmas\n\"Monday, January 1, 2024\",New Year\n",
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
        let unnamed = ["2023-12-25", "2024-01-01"].map(|day| (day.to_string(), String::new()));
        assert_eq!(pairs("2023-12-25\n2024-01-01\n"), unnamed);
        assert_eq!(pairs("date\n2024-01-01\n2023-12-25\n"), unnamed);
        let both = pairs("2023-12-25,Christmas\n2023-12-25,Sol\n2024-01-01,New Year\n");
        assert_eq!(both.len(), 3);
        // As the series has them.
        let text = "05/01/2024,Kings\n01/05/2024,May Day\n";
        let read = HolidayList::read_from(text.as_bytes(), "days.csv", Some(true)).unwrap();
        assert_eq!(read.kept()[0].0, "2024-01-05");
    }

    #[test]
    fn what_is_no_list_is_refused_in_one_line() {
        let line = |text: &str| {
            let read = HolidayList::read_from(text.as_bytes(), "days.csv", None);
            read.unwrap_err().to_string()
        };
        assert!(
            line("name,kind\nChristmas,a\nEaster,b\n")
                .starts_with("days.csv: no column holds dates")
        );
        let bad = line("2023-12-25,Christmas\n2024-01-32,New Year\n2024-05-01,May\n");
        assert!(bad.starts_with("days.csv, line 2"), "{bad}");
        let month = line("2023-12,Christmas\n2024-01,New Year\n2024-05,May\n");
        assert!(month.contains("line 1") && month.contains("is no day"), "{month}");
        let missing = HolidayList::read(Path::new("DE"), None).unwrap_err().to_string();
        assert!(
            missing.starts_with("--holidays DE: there is no such file; give a CSV file"),
            "{missing}"
        );
    }

    #[test]
    fn a_row_has_the_holidays_of_its_days() {
        let text = "2024-05-01,May Day\n2024-05-09,Ascension\n2024-05-20,Whit\n";
        assert_eq!(rows(text, &["2024-04-30", "2024-05-01", "2024-05-02"]), [0.0, 1.0, 0.0]);
        let hours =
            ["2024-04-30 22:00", "2024-04-30 23:00", "2024-05-01 00:00", "2024-05-01 01:00"];
        assert_eq!(rows(text, &hours), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows(text, &["2024-04-29", "2024-05-06", "2024-05-13"]), [1.0, 1.0, 0.0]);
        assert_eq!(rows(text, &["2024-04", "2024-05", "2024-06"]), [0.0, 3.0, 0.0]);
        assert_eq!(rows(text, &["2024-04-30", "2024-05-31", "2024-06-30"]), [0.0, 3.0, 0.0]);
        assert_eq!(rows(text, &["2024-Q1", "2024-Q2", "2024-Q3"]), [0.0, 3.0, 0.0]);
        // The day of the place, and not of Greenwich.
        let zoned = ["2024-04-30T23:00+02:00", "2024-05-01T00:00+02:00", "2024-05-01T01:00+02:00"];
        assert_eq!(rows(text, &zoned), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn neighbours_and_names_have_columns() {
        let text = "2024-05-01,May\n2024-05-02,May\n2024-05-04,Once\n";
        let days =
            ["2024-04-30", "2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04", "2024-05-05"];
        let dates = calendar(&days);
        let holidays = Holidays::of(&list(text), &dates, dates.moments());
        let names = ["holiday", "day before a holiday", "day after a holiday", "holiday May"];
        assert_eq!(holidays.names(), names);
        let columns = holidays.columns(&dates, dates.moments());
        assert_eq!(columns[0], [0., 1., 1., 0., 1., 0.]);
        assert_eq!(columns[1], [1., 0., 0., 1., 0., 0.]);
        assert_eq!(columns[2], [0., 0., 0., 1., 0., 1.]);
        assert_eq!(columns[3], [0., 1., 1., 0., 0., 0.]);
        // The hours of one day are one holiday.
        let hours = ["2024-05-04 00:00", "2024-05-04 01:00", "2024-05-04 02:00"];
        let dates = calendar(&hours);
        assert!(Holidays::of(&list(text), &dates, dates.moments()).named.is_empty());
    }

    #[test]
    fn a_list_that_ends_too_early_is_noticed() {
        let years = "2022-01-01\n2022-12-25\n2023-01-01\n2023-12-25\n2024-01-01\n2024-12-25\n";
        let ends = |text: &str, last: [&str; 2]| {
            let dates = calendar(&last);
            let holidays = Holidays::of(&list(text), &dates, dates.moments());
            holidays.ends_before(&dates, dates.moments()[1]).is_some()
        };
        assert!(!ends(years, ["2024-12-24", "2024-12-25"]));
        // A year before there was none after the 25th.
        assert!(!ends(years, ["2024-12-30", "2024-12-31"]));
        assert!(ends(years, ["2024-12-31", "2025-01-01"]));
        assert!(ends(years, ["2025-06-01", "2025-06-02"]));
        assert!(ends("2024-01-01\n2024-05-01\n", ["2024-05-01", "2024-05-02"]));
    }
}
