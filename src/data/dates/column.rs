//! One form for all labels of a column.

use super::DateOptions;
use super::error::{DateError, Fault, Place};
use super::form::{Field, Form, Moment, PIVOT, Part, Style};
use super::step::{Step, infer, usual};
use super::zones::{Zones, localise};
use super::{names, shapes, step, summer};
use crate::data::series::Note;
use crate::printable::printable;
use jiff::tz::TimeZone;
use std::borrow::Cow;

/// The labels of a column, with the lines that they stand on.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub cells: &'a [Cow<'a, str>],
    /// None: errors count rows from 1.
    pub lines: Option<&'a [u64]>,
}

impl Labels<'_> {
    pub fn place(&self, row: usize) -> Place {
        match self.lines {
            Some(lines) => Place::Line(lines[row]),
            None => Place::Row(row as u64 + 1),
        }
    }

    pub fn shown(&self, row: usize) -> String {
        printable(&self.cells[row])
    }

    pub fn fault(&self, row: usize, fault: Fault) -> DateError {
        DateError { place: self.place(row), fault }
    }
}

/// How dates are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub form: Form,
    pub style: Style,
    /// The zone of local times.
    pub zone: Option<TimeZone>,
}

/// A column that was read, in the order of its rows.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub moments: Vec<Moment>,
    pub written: Written,
    /// What was decided, a line each.
    pub notes: Vec<Note>,
    /// Whether the day was taken to come first, where that was to be decided.
    pub day_first: Option<bool>,
}

/// With one plain space for any white space, a no-break one included.
pub(super) fn plain_spaces(label: &str) -> Cow<'_, str> {
    let label = label.trim();
    let plain =
        label.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !label.contains("  ");
    if plain {
        return Cow::Borrowed(label);
    }
    Cow::Owned(label.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Reads the labels of a column by the form that fits all of them.
///
/// # Errors
/// If there is none: about the first label that does not fit the form which fits most.
pub(super) fn read(labels: Labels<'_>, options: &DateOptions) -> Result<Column, DateError> {
    let cells = labels.cells;
    let zone = match &options.time_zone {
        Some(name) => {
            let zone = TimeZone::get(name);
            Some(zone.map_err(|_| labels.fault(0, Fault::NoZone(printable(name))))?)
        }
        None => None,
    };
    if let Some(row) = cells.iter().position(|cell| cell.is_empty()) {
        return Err(labels.fault(row, Fault::Empty));
    }
    let mut forms = candidates(cells);
    if let Some(day_first) = options.day_first {
        let all = forms.clone();
        forms.retain(|form| form.day_first().is_none_or(|found| found == day_first));
        if forms.is_empty() && !all.is_empty() {
            let label = labels.shown(0);
            return Err(labels.fault(0, Fault::DayFirst { label, day_first }));
        }
    }
    let mut read = Vec::new();
    let mut nearest: Option<(Misses, Option<bool>)> = None;
    for form in forms {
        match read_all(&form, cells, PIVOT) {
            Ok((moments, style)) => read.push((form, moments, style)),
            Err(misses) => {
                let better = nearest.as_ref().is_none_or(|(known, _)| misses.fits > known.fits);
                nearest = if better { Some((misses, form.day_first())) } else { nearest };
            }
        }
    }
    let Some(best) = best(&read) else { return Err(unread(labels, nearest, options)) };
    let mut notes = Vec::new();
    let day_first = decided(&read, best, labels, options, &mut notes);
    let (form, mut moments, mut style) = read.swap_remove(best);
    if form.has(Field::ShortYear) {
        let usual = moments.first().copied();
        (moments, style) = with_century(&form, cells, moments, style);
        no_days_without_year(&form, &moments, labels)?;
        let years = moments.iter().map(|moment| moment.local.year());
        let (first, last) = (years.clone().min().unwrap_or(0), years.max().unwrap_or(0));
        let line = match first == last {
            true => format!("years of two digits are read as {first}"),
            false => format!("years of two digits are read as {first} to {last}"),
        };
        let as_usual = moments.first().copied() == usual;
        notes.push(if as_usual { Note::Decided(line) } else { Note::Doubtful(line) });
    }
    let written = Written { form, style, zone };
    let mut column = Column { moments, written, notes, day_first };
    localise(&mut column, labels)?;
    summer::find(&mut column, labels);
    Ok(column)
}

/// What is wrong with the first label that does not fit the form which fits most; `nearest` has its misses and its order of day
/// and month.
fn unread(
    labels: Labels<'_>,
    nearest: Option<(Misses, Option<bool>)>,
    options: &DateOptions,
) -> DateError {
    let row = nearest.as_ref().map_or(0, |(misses, _)| misses.row);
    let label = labels.shown(row);
    let fault = match nearest.and_then(|(misses, order)| Some((misses.example?, order))) {
        _ if names::is_foreign(&labels.cells[row]) => Fault::Foreign { label },
        Some((example, order)) => {
            let order = match order.filter(|_| options.day_first.is_some()) {
                Some(true) => " (day first)",
                Some(false) => " (month first)",
                None => "",
            };
            Fault::Other { label, example: labels.shown(example) + order }
        }
        None => Fault::NoDate { label },
    };
    labels.fault(row, fault)
}

/// The forms that some of the labels may have, the more usual ones first.
fn candidates(cells: &[Cow<'_, str>]) -> Vec<Form> {
    let last = cells.len().saturating_sub(1);
    let mut rows = vec![0, 1, 2, last / 4, last / 2, last / 4 * 3, last.saturating_sub(1), last];
    rows.sort_unstable();
    rows.dedup();
    let mut forms: Vec<Form> = Vec::new();
    let year = |cell: &str| cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit());
    for row in rows.into_iter().filter(|&row| row <= last) {
        for form in shapes::forms_of(&cells[row]) {
            if !forms.contains(&form) && (!form.has_year_alone() || year(&cells[row])) {
                forms.push(form);
            }
        }
    }
    forms
}

/// The first row that does not fit a form, the first that does, and how many do.
struct Misses {
    row: usize,
    example: Option<usize>,
    fits: usize,
}

fn read_all(
    form: &Form,
    cells: &[Cow<'_, str>],
    pivot: i64,
) -> Result<(Vec<Moment>, Style), Misses> {
    let mut moments = Vec::with_capacity(cells.len());
    let mut style = Style::default();
    let mut zones = Zones::default();
    let mut misses: Option<Misses> = None;
    let mut example = None;
    let mut fits = 0;
    for (row, cell) in cells.iter().enumerate() {
        let read = form.fields(cell).and_then(|fields| {
            let moment = form.moment(&fields, pivot, &mut zones)?;
            style.add(&fields, moment);
            Some(moment)
        });
        match read {
            Some(moment) => {
                moments.push(moment);
                fits += 1;
                example = example.or(Some(row));
            }
            None if misses.is_none() => misses = Some(Misses { row, example: None, fits: 0 }),
            None => {}
        }
    }
    match misses {
        None => Ok((moments, style)),
        Some(misses) => Err(Misses { example, fits, ..misses }),
    }
}

/// How well a reading makes a series: regular first, then by how usual its step is, then in order as it stands.
fn rank(moments: &[Moment]) -> (bool, u8, bool) {
    let in_order = is_monotone(moments);
    let mut sorted = moments.to_vec();
    sorted.sort_by_key(|moment| moment.instant());
    let step = infer(&sorted);
    let months = step::months_after_first(&sorted);
    let starts =
        sorted.iter().all(|moment| moment.local.day() == 1) || step::are_month_ends(&sorted);
    let usual = usual(&step::gaps(&sorted));
    let daily = usual.is_some_and(|gap| (1..=step::DAY).contains(&gap));
    let class = match (&step, &months) {
        (Ok(Step::Months(_)), _) | (_, Some(_)) if starts => 3,
        _ if daily => 3,
        (Ok(Step::Days(days)), _) if days % 7 == 0 => 2,
        _ => 1,
    };
    (step.is_ok(), class, in_order)
}

fn is_monotone(moments: &[Moment]) -> bool {
    let rising = moments.windows(2).all(|pair| pair[0].instant() < pair[1].instant());
    rising || moments.windows(2).all(|pair| pair[0].instant() > pair[1].instant())
}

type Reading = (Form, Vec<Moment>, Style);

/// The reading to take. Where two are as good, 03/04 is in March, and 03.04 and 03-04 are in April, as is usual with these marks.
fn best(read: &[Reading]) -> Option<usize> {
    if read.len() < 2 {
        return read.len().checked_sub(1);
    }
    let usual = |form: &Form| {
        let slash = form.0.iter().any(|part| matches!(part, Part::Text(text) if text == "/"));
        form.day_first().is_none_or(|day_first| day_first != slash)
    };
    // The first of equals: those before it are the more usual forms.
    let ranked = read.iter().enumerate().rev();
    let key = |(form, moments, _): &Reading| {
        let count = form.is_count();
        // No months follow each other like that in all rows.
        let season = form.has(Field::NextYear);
        (!count, season, rank(moments), form.ends_with_year(), usual(form))
    };
    ranked.max_by_key(|(_, reading)| key(reading)).map(|(place, _)| place)
}

/// Whether the day was taken to come first, where another reading would have put the month there; a note says so.
fn decided(
    read: &[Reading],
    best: usize,
    labels: Labels<'_>,
    options: &DateOptions,
    notes: &mut Vec<Note>,
) -> Option<bool> {
    let (form, moments, _) = &read[best];
    let taken = form.day_first()?;
    let other = read
        .iter()
        .enumerate()
        .find(|(place, (form, ..))| *place != best && form.day_first() == Some(!taken));
    if let Some((_, (other, others, _))) = other
        && options.day_first.is_none()
    {
        let flag = if taken { "--day-first=false" } else { "--day-first" };
        let date = |moments: &[Moment]| moments[0].local.strftime("%-d %B %Y").to_string();
        let (why, told) = match rank(moments) > rank(others) {
            true => (", as the steps between the rows tell", Note::Decided as fn(String) -> Note),
            false => ("", Note::Doubtful as fn(String) -> Note),
        };
        notes.push(told(format!(
            "{} is read as {}, {}{why}; {flag} for {}",
            labels.shown(0),
            form.in_words(),
            date(moments),
            other.in_words()
        )));
    }
    Some(taken)
}

/// The century in which the rows follow each other, where the usual one does not do that.
fn with_century(
    form: &Form,
    cells: &[Cow<'_, str>],
    moments: Vec<Moment>,
    style: Style,
) -> (Vec<Moment>, Style) {
    let in_order = |moments: &[Moment]| {
        let pairs = moments.windows(2);
        let rising = pairs.clone().filter(|pair| pair[0].instant() <= pair[1].instant()).count();
        rising == pairs.len() || rising == 0
    };
    if in_order(&moments) {
        return (moments, style);
    }
    let others = [100, 0].into_iter().filter_map(|pivot| read_all(form, cells, pivot).ok());
    let mut others = others.filter(|(moments, _)| in_order(moments));
    others.next().unwrap_or((moments, style))
}

/// `Mar 01`, `Mar 02` are days without a year, not years.
fn no_days_without_year(
    form: &Form,
    moments: &[Moment],
    labels: Labels<'_>,
) -> Result<(), DateError> {
    if form.has(Field::Day) || !form.has(Field::MonthName) {
        return Ok(());
    }
    let mut sorted: Vec<(usize, &Moment)> = moments.iter().enumerate().collect();
    sorted.sort_by_key(|(_, moment)| moment.local);
    let a_day = moments.iter().all(|moment| (1..=31).contains(&(moment.local.year() % 100)));
    let same_month =
        |pair: &&[(usize, &Moment)]| pair[0].1.local.month() == pair[1].1.local.month();
    match sorted.windows(2).find(same_month).filter(|_| a_day).map(|pair| pair[1].0) {
        Some(row) => {
            let label = labels.shown(row);
            let digits = label.chars().filter(char::is_ascii_digit).collect();
            Err(labels.fault(row, Fault::NoYear { label, digits }))
        }
        None => Ok(()),
    }
}
