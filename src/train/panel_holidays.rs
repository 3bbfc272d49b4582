//! Holidays of many series: what they do is taken out before the networks read a series, and put back into their forecasts.

use super::panel_run::PanelData;
use crate::data::dates::{Calendar, Moment};
use crate::data::holidays::{HolidayList, Holidays};
use crate::data::known_effects::KnownEffects;
use crate::data::scaled_window::Link;
use crate::data::series::Note;
use crate::data::series::panel::Panel;
use crate::data::shared_effects::{Learnt, SharedEffects};
use crate::model::panel::QuantileForecast;
use std::borrow::Cow;

/// The holidays that a run knows, and what they do.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PanelHolidays {
    /// What all series share.
    pub effects: SharedEffects,
    /// The days.
    pub holidays: Holidays,
}

/// A series as the networks see it.
#[derive(Clone, Debug)]
pub(super) struct Plain<'a> {
    /// The series without what the holidays do.
    pub panel: Cow<'a, Panel>,
    /// What they do to each series; none without holidays, or without dates.
    effects: Vec<Option<KnownEffects>>,
}

impl PanelHolidays {
    /// What is wrong with them, if somebody has changed them.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let effects = &self.effects.coefficients;
        let whole = effects.len() == self.holidays.names().len();
        let numbers = effects.iter().chain([&self.effects.spread]).all(|number| number.is_finite());
        let bad = (!whole || !numbers).then_some("the effects of its holidays do not fit them");
        bad.or(self.holidays.contradiction())
    }

    /// What the holidays of a list do in the first rows of each series, so many as `known` says.
    pub(super) fn fit(
        list: &HolidayList,
        (panel, known): (&Panel, &[usize]),
        (season, link): (usize, Link),
    ) -> (Self, Note) {
        let dated = || panel.calendars.iter().zip(known);
        let dated = || dated().filter_map(|(dates, &known)| Some((dates.as_ref()?, known)));
        let longest = dated().max_by_key(|(_, known)| *known);
        let (dates, rows) = longest.expect("a series has dates");
        let mut holidays = Holidays::of(list, dates, &dates.moments()[..rows]);
        holidays.around = Holidays::have_neighbours(dates);
        let columns: Vec<Vec<Vec<f64>>> = panel
            .calendars
            .iter()
            .map(|dates| {
                let of = |dates: &Calendar| holidays.columns(dates, dates.moments());
                dates.as_ref().map(of).unwrap_or_default()
            })
            .collect();
        let learnt = panel.values.iter().zip(&columns).zip(known);
        let learnt = learnt.filter(|((_, columns), _)| !columns.is_empty());
        let learnt: Vec<Learnt<'_>> = learnt
            .map(|((values, known), &rows)| Learnt { values: &values[..rows], known })
            .collect();
        let groups = [if holidays.around { 2 } else { 0 }, holidays.named.len()];
        let (effects, has) = SharedEffects::fit(&learnt, (1, &groups), (season, link));
        holidays.around &= has[0];
        if !has[1] {
            holidays.named.clear();
        }
        let fell = learnt
            .iter()
            .any(|learnt| learnt.known[0][..learnt.values.len()].iter().any(|&count| count > 0.0));
        let note = match fell {
            true => Note::Decided(holidays.line()),
            false => Note::Doubtful(NO_HOLIDAY.into()),
        };
        (Self { effects, holidays }, note)
    }

    /// The series without what the holidays do, as the first rows of each tell.
    pub(super) fn taken_out(
        &self,
        panel: &Panel,
        known: &[usize],
        season: usize,
        link: Link,
    ) -> Plain<'static> {
        let mut plain = panel.clone();
        let mut effects = Vec::with_capacity(known.len());
        for (series, dates) in panel.calendars.iter().enumerate() {
            let Some(dates) = dates else {
                effects.push(None);
                continue;
            };
            let columns = self.holidays.columns(dates, dates.moments());
            let values = &panel.values[series][..known[series]];
            let of = self.effects.of(Learnt { values, known: &columns }, season, link);
            for (row, value) in plain.values[series].iter_mut().enumerate() {
                *value = of.without(0, *value, columns.iter().map(|column| column[row]));
            }
            effects.push(Some(of));
        }
        Plain { panel: Cow::Owned(plain), effects }
    }
}

/// What is said of a list that does not fit.
pub(super) const NO_HOLIDAY: &str =
    "holidays: none of them is on a row before the test, and they have no effect";

impl PanelData {
    /// The series as the networks see them: without what the holidays do, as the first rows of each tell.
    pub(super) fn plain<'a>(&self, panel: &'a Panel, known: &[usize], season: usize) -> Plain<'a> {
        match &self.holidays {
            Some(holidays) => holidays.taken_out(panel, known, season, self.link),
            None => Plain { panel: Cow::Borrowed(panel), effects: Vec::new() },
        }
    }
}

impl Plain<'_> {
    /// Puts what the holidays do into the forecast of a series after so many of its rows.
    pub fn put_back(
        &self,
        holidays: Option<&PanelHolidays>,
        (panel, series, rows): (&Panel, usize, usize),
        forecast: &mut QuantileForecast,
    ) {
        let (Some(holidays), Some(Some(effects))) = (holidays, self.effects.get(series)) else {
            return;
        };
        let Some(dates) = &panel.calendars[series] else { return };
        let steps = forecast.quantiles.len();
        let ahead = following(dates, rows, steps);
        let columns = holidays.holidays.columns(dates, &ahead);
        for (step, quantiles) in forecast.quantiles.iter_mut().enumerate().take(ahead.len()) {
            for value in quantiles {
                *value = effects.with(0, *value, columns.iter().map(|column| column[step]));
            }
        }
    }
}

/// The times of the rows after so many rows, as far as they are known.
fn following(dates: &Calendar, rows: usize, steps: usize) -> Vec<Moment> {
    let mut ahead: Vec<Moment> = dates.moments()[rows..].iter().copied().take(steps).collect();
    if ahead.len() < steps {
        ahead.extend(dates.following(steps - ahead.len()).unwrap_or_default());
    }
    ahead
}

/// A line where the list of holidays seems to end before the last row to forecast of a series.
pub(super) fn ends_before(holidays: &PanelHolidays, panel: &Panel, steps: usize) -> Option<String> {
    let ends = panel.calendars.iter().flatten().filter_map(|dates| {
        let last = *dates.following(steps).ok()?.last()?;
        Some((dates, last))
    });
    let (dates, last) = ends.max_by_key(|(_, last)| last.instant())?;
    holidays.holidays.ends_before(dates, last)
}
