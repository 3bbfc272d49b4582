//! The words of dates: months and weekdays in English, time zones, and the names of columns that hold dates.

use jiff::civil::Weekday;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Months and weekdays of other languages begin like this: what the line about them is for.
const FOREIGN: [&str; 54] = [
    "januar", "jänner", "februar", "märz", "maerz", "mrz", "mai", "juni", "juli", "okt", "dez",
    "janv", "févr", "fevr", "mars", "avr", "juin", "juil", "août", "aout", "déc", "ener", "ene",
    "febr", "abr", "mayo", "junio", "julio", "agost", "septiem", "octub", "noviem", "diciem",
    "dic", "genn", "gen", "febb", "marz", "magg", "giug", "lugl", "sett", "ott", "janei", "fever",
    "març", "maio", "junh", "julh", "setem", "outub", "maart", "mei", "maj",
];

/// How a month or a weekday is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    /// In full; none for May, which is both.
    pub full: Option<bool>,
    /// All capitals.
    pub capitals: bool,
    /// No capitals.
    pub small: bool,
    /// With a point after what is cut short.
    pub point: bool,
}

impl Spelling {
    fn of(word: &str, full: Option<bool>) -> Self {
        let capitals = word.chars().all(|letter| letter.is_ascii_uppercase());
        let small = word.chars().all(|letter| letter.is_ascii_lowercase());
        Self { full, capitals, small, point: false }
    }

    /// What two rows together tell.
    pub fn and(self, other: Self) -> Self {
        Self { full: self.full.or(other.full), point: self.point || other.point, ..self }
    }

    fn write(self, name: &str) -> String {
        let cut = self.full == Some(false) && name.len() > 3;
        let name = if cut { &name[..3] } else { name };
        let name = match self {
            Self { capitals: true, .. } => name.to_ascii_uppercase(),
            Self { small: true, .. } => name.to_ascii_lowercase(),
            _ => name.into(),
        };
        if cut && self.point { name + "." } else { name }
    }
}

fn place(names: &[&str], word: &str) -> Option<(usize, Spelling)> {
    let full = |name: &&str| name.eq_ignore_ascii_case(word);
    if let Some(place) = names.iter().position(full) {
        let full = (word.len() > 3).then_some(true);
        return Some((place, Spelling::of(word, full)));
    }
    // `Sept`, `Tues` and `Thurs` are as usual as three letters.
    let short = |name: &str| match word.len() {
        3 => true,
        4 => matches!(name, "September" | "Tuesday" | "Thursday"),
        5 => name == "Thursday",
        _ => false,
    };
    let begins = |name: &&str| {
        short(name) && name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let place = names.iter().position(begins)?;
    Some((place, Spelling::of(word, Some(false))))
}

/// The month, from 1, of that English name.
pub(super) fn month(word: &str) -> Option<(i8, Spelling)> {
    place(&MONTHS, word).map(|(place, spelling)| (place as i8 + 1, spelling))
}

pub(super) fn write_month(month: i8, spelling: Spelling) -> String {
    spelling.write(MONTHS[month as usize - 1])
}

pub(super) fn weekday(word: &str) -> Option<(Weekday, Spelling)> {
    let (place, spelling) = place(&WEEKDAYS, word)?;
    Some((Weekday::from_monday_zero_offset(place as i8).ok()?, spelling))
}

pub(super) fn write_weekday(weekday: Weekday, spelling: Spelling) -> String {
    spelling.write(WEEKDAYS[weekday.to_monday_zero_offset() as usize])
}

/// Whether a label has a number and a month or weekday in another language than English.
pub(super) fn is_foreign(label: &str) -> bool {
    let mut words =
        label.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let numbers = label.bytes().any(|byte| byte.is_ascii_digit());
    numbers
        && words.any(|word| {
            let word = word.to_lowercase();
            month(&word).is_none() && FOREIGN.iter().any(|stem| word.starts_with(stem))
        })
}

/// Seconds east of UTC of a zone's abbreviation: those of electronic mail and of Europe, and others that only one zone has.
pub(super) fn abbreviation(word: &str) -> Option<i32> {
    let hours = match word {
        "UTC" | "GMT" | "WET" => 0,
        "CET" | "WEST" | "BST" => 1,
        "CEST" | "EET" | "SAST" => 2,
        "EEST" | "MSK" => 3,
        "HKT" | "AWST" => 8,
        "JST" | "KST" => 9,
        "AEST" => 10,
        "AEDT" => 11,
        "NZST" => 12,
        "NZDT" => 13,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" | "AKDT" => -8,
        "AKST" => -9,
        "HST" => -10,
        _ => return None,
    };
    Some(hours * 3600)
}

/// Whether a column is named as one of dates or times.
pub(crate) fn names_a_date(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "date",
        "dates",
        "datetime",
        "day",
        "ds",
        "epoch",
        "hour",
        "month",
        "months",
        "period",
        "quarter",
        "time",
        "timestamp",
        "ts",
        "unix",
        "utc",
        "week",
        "wk",
        "year",
        "years",
        "yr",
        // A date is written in digits in many files whose words are no English ones.
        "datum",
        "fecha",
        "jahr",
        "jour",
        "kalenderwoche",
        "kw",
        "mois",
        "monat",
        "quartal",
        "uhrzeit",
        "woche",
        "zeit",
    ];
    // In English a tag is no day.
    has_word(name, WORDS) || name.trim() == "Tag"
}

/// Whether a column is named as one of dates or times and nothing else, but perhaps its unit: `Time [s]`.
pub(crate) fn names_only_a_date(name: &str) -> bool {
    let name = name.split(['[', '(']).next().unwrap_or_default().trim();
    let mut parts = name.split([' ', '_', '-']).filter(|part| !part.is_empty());
    let unit = |part: &str| ["s", "ms", "us", "ns", "sec", "seconds", "min", "h"].contains(&part);
    parts.next().is_some_and(names_a_date) && parts.all(|part| names_a_date(part) || unit(part))
}

/// Whether a column is named as one of weeks.
pub(crate) fn names_a_week(name: &str) -> bool {
    has_word(name, &["kalenderwoche", "kw", "semaine", "semana", "week", "wk", "woche", "yearweek"])
}

/// Whether a column is named as one of quarters.
pub(crate) fn names_a_quarter(name: &str) -> bool {
    has_word(name, &["qtr", "quartal", "quarter", "trimestre"])
}

/// Whether a column is named as one of years or dates, where a number such as 1949 is a year.
pub(crate) fn names_a_year(name: &str) -> bool {
    has_word(name, &["date", "dates", "datum", "fecha", "jahr", "year", "years", "yr"])
}

/// Whether a column is named as one of days, which spreadsheets write as numbers.
pub(crate) fn names_a_day(name: &str) -> bool {
    has_word(
        name,
        &["date", "dates", "datetime", "datum", "day", "fecha", "month", "timestamp", "week"],
    )
}

/// Whether a column is named as one of times of day.
pub(crate) fn names_an_hour(name: &str) -> bool {
    has_word(name, &["hour", "hours", "hr", "time", "uhrzeit", "zeit", "stunde", "heure", "hora"])
}

/// Whether one of the words is in the name: `Order Date`, `order_date` or `orderDate`.
fn has_word(name: &str, words: &[&str]) -> bool {
    let mut parts = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        let begins = small && letter.is_uppercase();
        small = letter.is_lowercase();
        if begins || !letter.is_alphanumeric() {
            parts.push(String::new());
        }
        if letter.is_alphanumeric() {
            parts.last_mut().expect("there is one").push(letter);
        }
    }
    parts.iter().any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_read() {
        for word in ["Jan", "JANUARY", "sep", "Tue", "wednesday"] {
            let written = month(word)
                .map(|(month, spelling)| write_month(month, spelling))
                .or_else(|| weekday(word).map(|(day, spelling)| write_weekday(day, spelling)));
            assert_eq!(written.as_deref(), Some(word));
        }
        assert_eq!(month("Sept").unwrap().0, 9);
        assert!(["Janu", "Ma", "Total", "Sund", "März"].iter().all(|word| month(word).is_none()));
        let may = month("May").unwrap().1;
        assert_eq!(write_month(6, may.and(month("Apr").unwrap().1)), "Jun");
        assert_eq!(write_month(6, may.and(month("April").unwrap().1)), "June");
    }

    #[test]
    fn columns_of_dates_have_telling_names() {
        for name in ["Date", "order_date", "orderDate", "TIMESTAMP", "Order Month", "ds"] {
            assert!(names_a_date(name), "{name}");
        }
        for name in ["update", "daily", "y", "candidate", "birthdays", "sometimes"] {
            assert!(!names_a_date(name), "{name}");
        }
        assert!(
            is_foreign("3. März 2020") && is_foreign("12 août 2020") && is_foreign("01-Dez-2020")
        );
        assert!(!is_foreign("March 2020") && !is_foreign("Mai"));
    }
}
