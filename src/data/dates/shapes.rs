//! The forms that a label could be written in, by the shape of the label alone.

use super::clock::splits;
use super::count::Count;
use super::fields::digits;
use super::form::{Field, Form, PIVOT, Part, field};
use super::names;
use super::zones::Zones;

/// The forms in which a label is a date; where several are, the more usual one first.
pub(super) fn forms_of(label: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    for (day, clock) in splits(label) {
        let compact = day.len() == 8 && digits(day) == 8 && !clock.is_empty();
        let days = match compact {
            true => vec![
                [Field::Year, Field::Month, Field::Day]
                    .map(|field| Part::Field(field, true))
                    .to_vec(),
            ],
            false => day_forms(day),
        };
        for day in days {
            forms.push(Form(day.into_iter().chain(clock.iter().cloned()).collect()));
        }
        // A time of day is looked for only where there has to be one.
        if !forms.is_empty() {
            break;
        }
    }
    forms.extend(number_forms(label));
    let mut zones = Zones::default();
    forms.retain(|form| {
        let fields = form.fields(label);
        fields.is_some_and(|fields| form.moment(&fields, PIVOT, &mut zones).is_some())
    });
    forms
}

/// Whether a number is a date in a column that is named as one; a year alone where the name is one of years, the days of a
/// spreadsheet where it is one of days.
pub(super) fn is_number_of_date(cell: &str, year: bool, day: bool) -> bool {
    forms_of(cell).iter().any(|form| {
        (year || !form.has_year_alone()) && (day || !form.has(Field::Count(Count::SpreadsheetDays)))
    })
}

/// Numbers without a mark between them: they are dates where a column is named as one.
fn number_forms(label: &str) -> Vec<Form> {
    let whole = digits(label);
    let fraction = label[whole..].strip_prefix('.');
    if whole + fraction.map_or(0, |fraction| fraction.len() + 1) != label.len() {
        return Vec::new();
    }
    let exact = |fields: &[Field]| {
        let with_clock = [fields, &[Field::Hour, Field::Minute, Field::Second]].concat();
        let length = |field: &Field| if *field == Field::Year { 4 } else { 2 };
        let mut sum = 0;
        let fits = with_clock.iter().take_while(|field| {
            sum += length(field);
            sum <= whole
        });
        let fits: Vec<Part> = fits.map(|&field| Part::Field(field, true)).collect();
        let all = fits.len() >= fields.len() && fits.len() * 2 + 2 == whole;
        (all && fraction.is_none()).then_some(Form(fits))
    };
    let count = |count: Count| Some(Form(vec![field(Field::Count(count))]));
    let (year, month, day) = (Field::Year, Field::Month, Field::Day);
    let dates = match whole {
        6 => vec![exact(&[year, month])],
        8 => {
            vec![exact(&[year, month, day]), exact(&[day, month, year]), exact(&[month, day, year])]
        }
        10 | 12 | 14 => vec![exact(&[year, month, day])],
        _ => Vec::new(),
    };
    let counts = match whole {
        5 => count(Count::SpreadsheetDays),
        8..=11 => count(Count::Since1970(1)),
        12..=14 => count(Count::Since1970(1000)),
        15..=16 => count(Count::Since1970(1_000_000)),
        18..=19 => count(Count::Since1970(1_000_000_000)),
        _ => None,
    };
    // Years from 1500 to 2299: a count that looks like one of them by chance is rarer than such a date.
    let plausible = |form: &Form| {
        let year = form.fields(label).map_or(0, |fields| fields.year);
        (1500..2300).contains(&year)
    };
    dates.into_iter().flatten().filter(plausible).chain(counts).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Number(&'a str),
    Word(&'a str),
    Mark(&'a str),
}

/// A day as numbers, words and what stands between them; none where that is nothing that dates have.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let alike = |letter: char| match first {
            '0'..='9' => letter.is_ascii_digit(),
            _ if first.is_ascii_alphabetic() => letter.is_ascii_alphabetic(),
            _ => !letter.is_ascii_alphanumeric(),
        };
        let (token, after) =
            rest.split_at(rest.find(|letter| !alike(letter)).unwrap_or(rest.len()));
        tokens.push(match first {
            '0'..='9' => Token::Number(token),
            _ if first.is_ascii_alphabetic() => Token::Word(token),
            _ => {
                let known = [
                    "-", "/", ".", " ", ", ", ",", ". ", "'", " '", "_", " - ", " / ", "./", ".-",
                    " (", ")",
                ];
                known.contains(&token).then_some(Token::Mark(token))?
            }
        });
        rest = after;
        if tokens.len() > 11 {
            return None;
        }
    }
    Some(tokens)
}

/// What the words of a day say about its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Numbers,
    NamedMonth,
    Quarter,
    Week,
    /// `2020M05`.
    MonthLetter,
}

/// The forms of a label without a time of day.
fn day_forms(text: &str) -> Vec<Vec<Part>> {
    let Some(tokens) = tokens(text) else { return Vec::new() };
    let mut kind = Kind::Numbers;
    let mut numbers = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match *token {
            Token::Number(number) => numbers.push((place, number)),
            Token::Mark(_) => {}
            Token::Word(word) => {
                let lower = word.to_ascii_lowercase();
                let told = match lower.as_str() {
                    "q" | "qtr" | "quarter" => Kind::Quarter,
                    "w" | "wk" | "week" => Kind::Week,
                    "m" => Kind::MonthLetter,
                    "st" | "nd" | "rd" | "th" | "of" => continue,
                    _ if names::month(word).is_some() => Kind::NamedMonth,
                    _ if names::weekday(word).is_some() => continue,
                    _ => return Vec::new(),
                };
                if kind != Kind::Numbers {
                    return Vec::new();
                }
                kind = told;
            }
        }
    }
    let order = fields_of(kind, &tokens, &numbers);
    order.into_iter().filter_map(|fields| parts(&tokens, &fields)).collect()
}

/// The orders of fields that the numbers of a day may have.
fn fields_of(kind: Kind, tokens: &[Token<'_>], numbers: &[(usize, &str)]) -> Vec<Vec<Field>> {
    use Field::{Day, DayOfYear, Month, NextYear, Quarter, ShortYear, Week, WeekdayNumber, Year};
    let lengths: Vec<usize> = numbers.iter().map(|(_, number)| number.len()).collect();
    let after_word = |place: usize| {
        let near = [place.checked_sub(1), place.checked_sub(2)];
        near.into_iter().flatten().find_map(|place| match tokens[place] {
            Token::Mark(_) => None,
            Token::Word(word) => {
                Some(!word.eq_ignore_ascii_case("of") && names::weekday(word).is_none())
            }
            Token::Number(_) => Some(false),
        })
    };
    let mark = |place: usize| match tokens.get(place) {
        Some(Token::Mark(mark)) => *mark,
        _ => "",
    };
    match (kind, &lengths[..]) {
        (Kind::Numbers, [4]) => vec![vec![Year]],
        (Kind::Numbers, [4, 3]) => vec![vec![Year, DayOfYear]],
        (Kind::Numbers, [4, 1 | 2]) if matches!(mark(1), "-" | "/") || lengths[1] == 2 => {
            let mut orders = vec![vec![Year, Month]];
            orders.extend((lengths[1] == 2).then(|| vec![Year, NextYear]));
            orders
        }
        (Kind::Numbers, [1 | 2, 4]) if matches!(mark(1), "-" | "/") || lengths[0] == 2 => {
            vec![vec![Month, Year]]
        }
        // All with the same mark between them.
        (Kind::Numbers, [_, _, _]) => {
            let [first, second] = [numbers[0].0 + 1, numbers[1].0 + 1].map(mark);
            let dotted = first == ". " || first == ".";
            if first != second && !(dotted && second.starts_with('.')) {
                return Vec::new();
            }
            match lengths[..] {
                [4, 1 | 2, 1 | 2] => vec![vec![Year, Month, Day]],
                [1 | 2, 1 | 2, 4] => vec![vec![Month, Day, Year], vec![Day, Month, Year]],
                [1 | 2, 1 | 2, 2] => {
                    let mut orders = vec![vec![Month, Day, ShortYear], vec![Day, Month, ShortYear]];
                    orders.extend((lengths[0] == 2).then(|| vec![ShortYear, Month, Day]));
                    orders
                }
                _ => Vec::new(),
            }
        }
        (Kind::NamedMonth, [4]) => vec![vec![Year]],
        (Kind::NamedMonth, [2]) if after_word(numbers[0].0) == Some(true) => vec![vec![ShortYear]],
        (Kind::NamedMonth, [4, 1 | 2]) => vec![vec![Year, Day]],
        (Kind::NamedMonth, [1 | 2, 4]) => vec![vec![Day, Year]],
        (Kind::NamedMonth, [1, 2]) => vec![vec![Day, ShortYear]],
        (Kind::NamedMonth, [2, 2]) => vec![vec![Day, ShortYear], vec![ShortYear, Day]],
        (Kind::NamedMonth, [2, 1]) => vec![vec![ShortYear, Day]],
        (Kind::Quarter, [1, 4]) => vec![vec![Quarter, Year]],
        (Kind::Quarter, [1, 2]) => vec![vec![Quarter, ShortYear]],
        (Kind::Quarter, [4, 1]) => vec![vec![Year, Quarter]],
        (Kind::Quarter, [2, 1]) => vec![vec![ShortYear, Quarter]],
        (Kind::Week, [4, 1 | 2]) => vec![vec![Year, Week]],
        (Kind::Week, [1 | 2, 4]) => vec![vec![Week, Year]],
        (Kind::Week, [2, 1 | 2]) if after_word(numbers[1].0) == Some(true) => {
            vec![vec![ShortYear, Week]]
        }
        (Kind::Week, [1 | 2, 2]) if after_word(numbers[0].0) == Some(true) => {
            vec![vec![Week, ShortYear]]
        }
        (Kind::Week, [4, 2, 1]) => vec![vec![Year, Week, WeekdayNumber]],
        (Kind::MonthLetter, [4, 1 | 2]) => vec![vec![Year, Month]],
        _ => Vec::new(),
    }
}

/// The parts of a label whose numbers are these fields.
fn parts(tokens: &[Token<'_>], fields: &[Field]) -> Option<Vec<Part>> {
    let mut fields = fields.iter();
    let mut parts: Vec<Part> = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match *token {
            Token::Number(_) => parts.push(field(*fields.next()?)),
            Token::Word(word) if names::month(word).is_some() => {
                parts.push(field(Field::MonthName))
            }
            Token::Word(word) if names::weekday(word).is_some() => {
                // At the beginning, or at the end.
                let inner = place > 0 && place + 2 < tokens.len();
                (!inner).then(|| parts.push(field(Field::WeekdayName)))?;
            }
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "st" | "nd" | "rd" | "th" => {
                    let after = parts.last();
                    let numbers = [field(Field::Day), field(Field::Quarter)];
                    numbers.iter().any(|number| Some(number) == after).then_some(())?;
                    parts.push(field(Field::Ending));
                }
                _ => parts.push(Part::Text(word.into())),
            },
            Token::Mark(mark) => {
                // The point of a name that was cut short is read with it.
                let name = matches!(
                    parts.last(),
                    Some(Part::Field(Field::MonthName | Field::WeekdayName, _))
                );
                let mark = if name {
                    mark.strip_prefix('.').filter(|m| !m.is_empty()).unwrap_or(mark)
                } else {
                    mark
                };
                parts.push(Part::Text(mark.into()));
            }
        }
    }
    let first_is_text =
        matches!(parts.first(), Some(Part::Text(text)) if !text.starts_with(char::is_alphabetic));
    (!first_is_text).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::form::Style;

    /// A label as the forms that it may have understand it, as ISO dates.
    fn readings(label: &str) -> Vec<String> {
        let mut zones = Zones::default();
        let read = |form: &Form| {
            let fields = form.fields(label).unwrap();
            let moment = form.moment(&fields, PIVOT, &mut zones).unwrap();
            let mut style = Style::default();
            style.add(&fields, moment);
            assert_eq!(form.write(moment, &style), label, "written as it was read");
            let at = moment.local;
            let clock = form.has_clock().then(|| at.strftime("T%H:%M:%S%.f").to_string());
            let offset = moment.offset.map(|offset| format!(" {offset}"));
            at.strftime("%Y-%m-%d").to_string()
                + &clock.unwrap_or_default()
                + &offset.unwrap_or_default()
        };
        forms_of(label).iter().map(read).collect()
    }

    #[test]
    fn every_form_is_understood_and_written_again() {
        for (label, expected) in [
            ("2020-01-31", &["2020-01-31"][..]),
            ("2020-1", &["2020-01-01"]),
            ("2020/01/31", &["2020-01-31"]),
            ("31.01.2020", &["2020-01-31"]),
            ("31. 1. 2020", &["2020-01-31"]),
            ("01/31/2020", &["2020-01-31"]),
            ("03/04/2020", &["2020-03-04", "2020-04-03"]),
            ("03/04/21", &["2021-03-04", "2021-04-03", "2003-04-21"]),
            ("01/23/97", &["1997-01-23"]),
            ("2020-060", &["2020-02-29"]),
            ("05/2020", &["2020-05-01"]),
            ("2000/02", &["2000-02-01"]),
            ("2000/01", &["2000-01-01", "2000-01-01"]),
            ("1990/91", &["1990-01-01"]),
            ("1999-00", &["1999-01-01"]),
            ("2020-W05", &["2020-01-27"]),
            ("2020W05", &["2020-01-27"]),
            ("2020-W53", &["2020-12-28"]),
            ("2020-W05-3", &["2020-01-29"]),
            ("Week 5, 2020", &["2020-01-27"]),
            ("2020Q1", &["2020-01-01"]),
            ("2020-Q4", &["2020-10-01"]),
            ("2020 Q4", &["2020-10-01"]),
            ("Q2 1990", &["1990-04-01"]),
            ("Q2/1990", &["1990-04-01"]),
            ("Q3-90", &["1990-07-01"]),
            ("1Q90", &["1990-01-01"]),
            ("4q2005", &["2005-10-01"]),
            ("1st Quarter 1990", &["1990-01-01"]),
            ("1990-2nd Quarter", &["1990-04-01"]),
            ("Quarter 3 1990", &["1990-07-01"]),
            ("2020M05", &["2020-05-01"]),
            ("Jan 2020", &["2020-01-01"]),
            ("JANUARY 2020", &["2020-01-01"]),
            ("Jan-49", &["1949-01-01"]),
            ("2020-Dec", &["2020-12-01"]),
            ("01-Apr-2023", &["2023-04-01"]),
            ("1 April 2023", &["2023-04-01"]),
            ("1st of April 2023", &["2023-04-01"]),
            ("Apr 1, 2023", &["2023-04-01"]),
            ("Apr. 1, 2023", &["2023-04-01"]),
            ("April 3rd, 2023", &["2023-04-03"]),
            ("Sat, 01 Apr 2023", &["2023-04-01"]),
            ("Saturday, April 1, 2023", &["2023-04-01"]),
            ("2023-04-01 (Sat)", &["2023-04-01"]),
            ("07-Apr-23", &["2023-04-07", "2007-04-23"]),
            ("2020-01-31T23:59", &["2020-01-31T23:59:00"]),
            ("2020-01-31 5:07", &["2020-01-31T05:07:00"]),
            ("2020-01-31T23", &["2020-01-31T23:00:00"]),
            ("2020-01-31T23:59:59Z", &["2020-01-31T23:59:59 0"]),
            ("2020-01-31T23:59:59.123456+01:00", &["2020-01-31T23:59:59.123456 3600"]),
            ("2020-01-31T23+01", &["2020-01-31T23:00:00 3600"]),
            ("2020-01-31 23:59:59 -0130", &["2020-01-31T23:59:59 -5400"]),
            ("2020-01-31 23:59:59 UTC", &["2020-01-31T23:59:59 0"]),
            ("2020-07-31 23:59 CEST", &["2020-07-31T23:59:00 7200"]),
            ("2020-07-31 23:59 UTC+2", &["2020-07-31T23:59:00 7200"]),
            ("2020-07-31 23:59 Europe/Berlin", &["2020-07-31T23:59:00 7200"]),
            ("2020-07-31T23:59+02:00[Europe/Berlin]", &["2020-07-31T23:59:00 7200"]),
            ("01/31/2023 12:00 AM", &["2023-01-31T00:00:00"]),
            ("1/31/2023, 1:30:00 p.m.", &["2023-01-31T13:30:00"]),
            ("Jan 31, 2023 11 PM", &["2023-01-31T23:00:00"]),
            ("20230430T120000", &["2023-04-30T12:00:00"]),
            ("31/Apr/2023:10:00:00", &[]),
            ("30/Apr/2023:10:00:00 +0200", &["2023-04-30T10:00:00 7200"]),
            ("31.01.2020 08:15", &["2020-01-31T08:15:00"]),
            ("2020-01-31 24:00", &["2020-02-01T00:00:00"]),
            ("1949", &["1949-01-01"]),
            ("202305", &["2023-05-01"]),
            ("20230430", &["2023-04-30", "1970-08-23T03:33:50 0"]),
            ("30042023", &["2023-04-30", "1970-12-14T17:00:23 0"]),
            ("2023043023", &["2023-04-30T23:00:00", "2034-02-08T20:23:43 0"]),
            ("1672531200", &["2023-01-01T00:00:00 0"]),
            ("1672531200.25", &["2023-01-01T00:00:00.25 0"]),
            ("1672531200000", &["2023-01-01T00:00:00 0"]),
            ("1672531200000000000", &["2023-01-01T00:00:00 0"]),
            ("44927", &["2023-01-01"]),
            ("44927.25", &["2023-01-01"]),
        ] {
            assert_eq!(readings(label), expected, "{label}");
        }
    }

    #[test]
    fn other_labels_have_no_form() {
        for label in [
            "",
            " ",
            "Total",
            "12",
            "2020-13",
            "2020-01-32",
            "2020-00",
            "1949-01 112",
            "2020-01-31 25:00",
            "2020-01-31T",
            "2020-01-31 10:00+1",
            "12:30",
            "1-01",
            "-12",
            "1e-05",
            "2020-01-31-01",
            "2020-01/31",
            "1949Q5",
            "month",
            "２０２０-01",
            "2020-02-30",
            "2021-W53",
            "2021-366",
            "Sun, 01 Apr 2023",
            "Jan 5",
            "May",
            "Q1",
            "week 5",
            "13:00 PM",
            "01/01/2023 13:00 PM",
            "2020-01-31 10:00 XYZ",
            "2020-01-31 10:00 Mars/Phobos",
            "1.5",
            "1,234",
            "10.1.1.1",
            "555-12-34",
            "Jan Feb 2020",
            "st 2020",
            "2020-01-31 24:30",
            "3. März 2020",
        ] {
            assert_eq!(readings(label), Vec::<String>::new(), "{label}");
        }
    }
}
