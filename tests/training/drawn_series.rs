//! Ten thousand drawn files whose numbers are known: each is read as drawn, or refused, and none otherwise without a word.

use bptt::data::dates::DateOptions;
use bptt::data::series::{Decimal, Missing, Reading, Series, SeriesOptions};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// How the numbers of a column are written.
#[derive(Clone, Debug)]
struct Style {
    decimal: char,
    /// Between groups of three digits.
    thousands: &'static str,
    /// Digits after the mark; zeros at their end may be left out.
    digits: u32,
    stripped: bool,
    minus: &'static str,
    before: &'static str,
    after: &'static str,
    brackets: bool,
}

impl Style {
    /// The number `value` · 10^−digits.
    fn write(&self, value: i64) -> String {
        let size = value.unsigned_abs();
        let scale = 10u64.pow(self.digits);
        let whole = (size / scale).to_string();
        let mut grouped = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                grouped += self.thousands;
            }
            grouped.push(digit);
        }
        let mut fraction = match self.digits {
            0 => String::new(),
            digits => format!("{:0width$}", size % scale, width = digits as usize),
        };
        if self.stripped {
            fraction.truncate(fraction.trim_end_matches('0').len());
        }
        if !fraction.is_empty() {
            grouped.push(self.decimal);
            grouped += &fraction;
        }
        let (before, after) = (self.before, self.after);
        match (value < 0, self.brackets) {
            (true, true) => format!("({before}{grouped}{after})"),
            (true, false) => format!("{}{before}{grouped}{after}", self.minus),
            _ => format!("{before}{grouped}{after}"),
        }
    }

    /// What that number is.
    fn value(&self, value: i64) -> f64 {
        format!("{value}e-{}", self.digits).parse().unwrap()
    }
}

/// A file, what its columns hold, and how it is to be read.
#[derive(Debug)]
struct Drawn {
    text: String,
    options: SeriesOptions,
    /// The values of each column after what is missing is filled; `None` where the file is to be refused.
    truth: Option<Vec<Vec<f64>>>,
}

/// A walk of whole numbers of about that size, with a season.
fn walk(random: &mut StdRng, rows: usize) -> Vec<i64> {
    let size = 10i64.pow(random.random_range(1..8));
    let mut level = random.random_range(size / 2..=5 * size);
    if random.random_bool(0.2) {
        level -= 4 * size;
    }
    let step = (size / 10).max(2);
    (0..rows)
        .map(|_| {
            level += random.random_range(-step..=step + step / 4);
            level
        })
        .collect()
}

fn style(random: &mut StdRng, decimal: char, thousands: &'static str) -> Style {
    let unit = [("", ""); 12];
    let units = [("$", ""), ("", " €"), ("", "%"), ("USD ", ""), ("", "\u{a0}%"), ("£", "")];
    let (before, after) = *[&unit[..], &units].concat().choose(random).unwrap();
    Style {
        decimal,
        thousands,
        digits: *[0, 0, 1, 2, 2, 3, 3, 4].choose(random).unwrap(),
        stripped: random.random_bool(0.4),
        minus: ["-", "-", "-", "\u{2212}"].choose(random).unwrap(),
        before,
        after,
        brackets: random.random_bool(0.1),
    }
}

fn draw(random: &mut StdRng) -> Drawn {
    let rows = *[3, 12, 40, 90, 150].choose(random).unwrap();
    let delimiter = *[",", ",", ",", ";", ";", "\t", "|"].choose(random).unwrap();
    let decimal = *['.', '.', ','].choose(random).unwrap();
    let other = if decimal == '.' { "," } else { "." };
    let marks = ["", "", "", other, other, " ", "\u{a0}", "\u{202f}", "'", "’"];
    let thousands = *marks.choose(random).unwrap();
    let columns = random.random_range(1..4);
    let styles: Vec<Style> = (0..columns).map(|_| style(random, decimal, thousands)).collect();
    let walks: Vec<Vec<i64>> = (0..columns).map(|_| walk(random, rows)).collect();
    let mut truth: Vec<Vec<Option<f64>>> = walks
        .iter()
        .zip(&styles)
        .map(|(walk, style)| walk.iter().map(|&value| Some(style.value(value))).collect())
        .collect();
    let mut cells: Vec<Vec<String>> = walks
        .iter()
        .zip(&styles)
        .map(|(walk, style)| walk.iter().map(|&value| style.write(value)).collect())
        .collect();

    // Missing values.
    let mut reading = Reading::default();
    if random.random_bool(0.15) {
        reading.missing = *Missing::ALL.choose(random).unwrap();
        let mark =
            *["", "NA", "NaN", "n/a", "-", "null", "#N/A", ".", "-999"].choose(random).unwrap();
        if mark == "-999" {
            reading.missing_mark = vec![mark.into()];
        }
        for _ in 0..random.random_range(1..4) {
            let (column, row) = (random.random_range(0..columns), random.random_range(0..rows));
            truth[column][row] = None;
            cells[column][row] = mark.into();
        }
    }

    // Other columns: dates, a counter without a name, words.
    let header = random.random_bool(0.8);
    let dated = random.random_bool(0.7);
    let mut table: Vec<(String, Vec<String>)> = Vec::new();
    if header && random.random_bool(0.15) {
        let first = random.random_range(0..2);
        table.push((String::new(), (first..first + rows).map(|row| row.to_string()).collect()));
    }
    if dated {
        let forms = [
            "%Y-%m-%d",
            "%d.%m.%Y",
            "%Y/%m/%d",
            "%Y-%m-%dT%H:%M:%S",
            "%d/%m/%Y",
            "%m/%d/%y",
            "%d-%b-%Y",
            "%d %B %y",
            "%m/%d/%Y %I:%M %p",
            "%G-W%V-%u",
            // Only a name, or the end of a month, tells that this is a date.
            "%Y%m%d",
        ];
        let known = forms.len() - usize::from(!header || rows == 3);
        let form = *forms[..known].choose(random).unwrap();
        let day = |row: usize| {
            let day =
                jiff::civil::date(2019, 12, 25).saturating_add(jiff::Span::new().days(row as i64));
            day.at(6, 0, 0, 0).strftime(form).to_string()
        };
        table.push(("date".into(), (0..rows).map(day).collect()));
    }
    for (index, cells) in cells.into_iter().enumerate() {
        table.push((format!("y{index}"), cells));
    }
    if random.random_bool(0.15) {
        let word = |row: usize| ["red", "green", "blue"][row % 3].to_string();
        table.push(("colour".into(), (0..rows).map(word).collect()));
    }

    // What is written around the cells.
    let mut refused = false;
    let all_quoted = random.random_bool(0.15);
    let unquoted = random.random_bool(0.05);
    // A blank line is no row.
    let blank = |cell: &str| cell.is_empty() && table.len() == 1;
    let needs_quotes = |cell: &str| cell.contains(delimiter) && !unquoted || blank(cell);
    let quoted = |cell: &str| match all_quoted || needs_quotes(cell) {
        true => format!("\"{cell}\""),
        false => cell.to_string(),
    };
    let line = |cells: &mut dyn Iterator<Item = &String>| {
        cells.map(|cell| quoted(cell)).collect::<Vec<_>>().join(delimiter)
    };
    let mut lines = Vec::new();
    let spoilt = random.random_range(0..25);
    if spoilt == 0 {
        lines.push("Figures of the year".to_string());
        lines.push(String::new());
        match random.random_bool(0.7) {
            true => reading.skip_rows = 2,
            false => refused = table.len() > 1,
        }
    }
    if header {
        lines.push(line(&mut table.iter().map(|(name, _)| name)));
    }
    if spoilt == 1 && header && table.len() > 1 {
        let units = vec!["units".to_string(); table.len()];
        lines.push(line(&mut units.iter()));
        match random.random_bool(0.5) {
            true => reading.skip_rows = 1,
            false => refused = true,
        }
    }
    // The order of the rows, where dates tell it.
    let mut order: Vec<usize> = (0..rows).collect();
    let mut dates = DateOptions { sort: random.random_bool(0.3), ..DateOptions::default() };
    match random.random_range(0..40) {
        0 => order.reverse(),
        1 => order.swap(rows / 2, rows / 2 - 1),
        2 => order.insert(rows / 2, rows / 3),
        _ => dates.sort &= dated,
    }
    let sorted = order.is_sorted() && order.len() == rows;
    refused |= dated && !sorted && (!dates.sort || order.len() > rows);
    if !dated {
        order = (0..rows).collect();
    }
    for row in order {
        if random.random_bool(0.01) {
            lines.push((*["", "  ", "# a remark; with, marks"].choose(random).unwrap()).into());
        }
        lines.push(line(&mut table.iter().map(|(_, cells)| &cells[row])));
    }
    if spoilt == 2 && dated {
        let mut sums: Vec<String> = table.iter().map(|_| "12345".to_string()).collect();
        sums[table.iter().position(|(name, _)| name == "date").unwrap()] = "Total".into();
        lines.push(line(&mut sums.iter()));
        refused = true;
    }
    if spoilt == 3 {
        lines.push("Source: the office of statistics".into());
        refused = true;
    }
    if reading.skip_rows == 0 && random.random_bool(0.05) {
        lines.insert(0, format!("sep={delimiter}"));
    }
    let end = *["\n", "\n", "\r\n"].choose(random).unwrap();
    let mut text = if random.random_bool(0.1) { "\u{feff}".to_string() } else { String::new() };
    text += &lines.join(end);
    text += end;
    if random.random_bool(0.15) {
        reading.decimal = Some(if decimal == '.' { Decimal::Point } else { Decimal::Comma });
    }
    let truth = if refused { None } else { fill(truth, reading.missing, dated) };
    Drawn { text, options: SeriesOptions { reading, dates, ..SeriesOptions::default() }, truth }
}

/// What is read where values are missing; `None`: the file is to be refused.
fn fill(mut columns: Vec<Vec<Option<f64>>>, how: Missing, dated: bool) -> Option<Vec<Vec<f64>>> {
    // A column without a value is none of numbers.
    columns.retain(|column| column.iter().any(Option::is_some));
    if columns.is_empty() {
        return None;
    }
    let is_whole =
        |row: usize, columns: &[Vec<Option<f64>>]| columns.iter().all(|c| c[row].is_some());
    let rows = columns[0].len();
    let filled: Vec<Vec<Option<f64>>> = columns
        .iter()
        .map(|column| {
            (0..rows)
                .map(|row| {
                    let before = (0..=row).rev().find_map(|row| Some((row, column[row]?)));
                    let after = (row..rows).find_map(|row| Some((row, column[row]?)));
                    match how {
                        Missing::Zero => column[row].or(Some(0.0)),
                        Missing::Previous => before.map(|(_, value)| value),
                        Missing::Interpolate if column[row].is_none() => {
                            let ((from, first), (to, second)) = (before?, after?);
                            let share = (row - from) as f64 / (to - from) as f64;
                            Some(first * (1.0 - share) + second * share)
                        }
                        _ => column[row],
                    }
                })
                .collect()
        })
        .collect();
    let whole: Vec<usize> = (0..rows).filter(|&row| is_whole(row, &filled)).collect();
    let torn = whole.windows(2).any(|pair| pair[1] != pair[0] + 1);
    if how == Missing::Refuse && whole.len() < rows || dated && torn || whole.len() < 2 {
        return None;
    }
    let kept = |column: &Vec<Option<f64>>| whole.iter().map(|&row| column[row].unwrap()).collect();
    Some(filled.iter().map(kept).collect())
}

/// What became of the files.
#[derive(Debug, Default)]
struct Counts {
    read: usize,
    /// Files that are to be refused, and others.
    refused: usize,
    refused_in_doubt: usize,
    /// `1,234` read as thousands where it was a fraction, or `1.234` as a fraction where it was thousands, with a warning that
    /// says so.
    otherwise_with_a_warning: usize,
    /// `1.234` read as a fraction in a file separated by commas, as most are, with a note that says so.
    otherwise_with_a_note: usize,
}

#[test]
fn drawn_files_are_read_as_drawn_or_refused() {
    const FILES: usize = 10_000;
    let mut random = StdRng::seed_from_u64(15);
    let mut counts = Counts::default();
    for file in 0..FILES {
        let drawn = draw(&mut random);
        let start = std::time::Instant::now();
        let read = Series::read_from(drawn.text.as_bytes(), "drawn.csv", &drawn.options);
        assert!(start.elapsed().as_secs() < 5, "file {file} takes long");
        let shown = || {
            let (options, head) = (&drawn.options, drawn.text.lines().take(12).collect::<Vec<_>>());
            format!("file {file}, {options:?}:\n{}", head.join("\n"))
        };
        match (read, &drawn.truth) {
            (Ok(series), Some(truth)) if &series.values == truth => counts.read += 1,
            (Ok(series), _) => {
                let says = |warning: bool| {
                    let mut notes = series.notes.iter().filter(|note| note.is_warning() == warning);
                    notes.any(|note| note.to_string().contains("--decimal "))
                };
                match (says(true), says(false)) {
                    (true, _) => counts.otherwise_with_a_warning += 1,
                    (false, true) => counts.otherwise_with_a_note += 1,
                    _ => panic!("read otherwise: {}\n{series:?}\n{:?}", shown(), drawn.truth),
                }
            }
            (Err(error), truth) => {
                let line = error.to_string();
                assert!(!line.contains('\n') && line.contains("drawn.csv"), "{line}");
                match truth {
                    None => counts.refused += 1,
                    Some(_) => counts.refused_in_doubt += 1,
                }
            }
        }
    }
    println!("{FILES} drawn files: {counts:?}");
    let Counts { read, refused_in_doubt, otherwise_with_a_warning, .. } = counts;
    assert!(read > FILES * 3 / 4, "{counts:?}");
    assert!(refused_in_doubt < FILES / 10 && otherwise_with_a_warning < FILES / 100, "{counts:?}");
}
