//! How far local time is ahead of UTC, by what is written after it.

use super::column::{Column, Labels};
use super::error::{DateError, Fault};
use super::fields::digits;
use super::form::Moment;
use super::names;
use crate::data::series::Note;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Time zones by name, each looked up once.
#[derive(Default)]
pub(super) struct Zones(Vec<(String, Option<TimeZone>)>);

impl Zones {
    /// Seconds east of UTC: `Z`, `UTC`, `CET`, `+01`, `+0100`, `+01:00`, `UTC+1`, `Europe/Berlin`, the last also in brackets after
    /// one of the others, which then counts.
    pub fn offset(&mut self, zone: &str, local: DateTime) -> Option<i32> {
        let zone = match zone.split_once('[') {
            Some(("", name)) => name.strip_suffix(']')?,
            Some((before, name)) if name.ends_with(']') => before,
            _ => zone,
        };
        if matches!(zone, "Z" | "z") {
            return Some(0);
        }
        if let Some(known) = names::abbreviation(&zone.to_ascii_uppercase()) {
            return Some(known);
        }
        let number = zone.strip_prefix("UTC").or_else(|| zone.strip_prefix("GMT")).unwrap_or(zone);
        if let Some(unsigned) = number.strip_prefix(['+', '-']) {
            let (hours, minutes) = match unsigned.split_once(':') {
                Some(parts) => parts,
                None if unsigned.len() == 4 => unsigned.split_at(2),
                None => (unsigned, "00"),
            };
            let short = number.len() < zone.len();
            let sized = (hours.len() == 2 || (short && hours.len() == 1)) && minutes.len() == 2;
            let plain = digits(hours) == hours.len() && digits(minutes) == 2;
            if !sized || !plain {
                return None;
            }
            let [hours, minutes] = [hours, minutes].map(str::parse::<i32>);
            let seconds = hours.ok()? * 3600 + minutes.ok().filter(|minutes| *minutes < 60)? * 60;
            let known = seconds <= 18 * 3600;
            return known.then_some(if number.starts_with('-') { -seconds } else { seconds });
        }
        let zone = self.named(zone)?;
        let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(zone.to_offset(at).seconds())
    }

    fn named(&mut self, name: &str) -> Option<&TimeZone> {
        if !name.contains('/') {
            return None;
        }
        let place = match self.0.iter().position(|(known, _)| known == name) {
            Some(place) => place,
            None => {
                self.0.push((name.into(), TimeZone::get(name).ok()));
                self.0.len() - 1
            }
        };
        self.0[place].1.as_ref()
    }
}

/// Gives local times their distance from UTC, in the zone asked for: that of the first of two equal hours unless the one before
/// is already there, as the clocks go back. Times whose distance is known become local ones.
pub(super) fn localise(column: &mut Column, labels: Labels<'_>) -> Result<(), DateError> {
    let Some(zone) = column.written.zone.clone() else { return Ok(()) };
    let name = zone.iana_name().unwrap_or("this zone").to_string();
    if !column.written.form.has_clock() {
        column.written.zone = None;
        let line = "--time-zone says nothing about dates without a time of day";
        column.notes.push(Note::Decided(line.into()));
        return Ok(());
    }
    let moments = &mut column.moments;
    let mut order: Vec<usize> = (0..moments.len()).collect();
    if moments.first().map(|moment| moment.local) > moments.last().map(|moment| moment.local) {
        order.reverse();
    }
    let mut before: Option<Timestamp> = None;
    for row in order {
        let moment = &mut moments[row];
        if moment.offset.is_some() {
            let Ok(at) = TimeZone::UTC.to_timestamp(moment.instant()) else { continue };
            *moment =
                Moment { local: zone.to_datetime(at), offset: Some(zone.to_offset(at).seconds()) };
            continue;
        }
        let offset = match zone.to_ambiguous_timestamp(moment.local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { .. } => {
                let label = labels.shown(row);
                return Err(labels.fault(row, Fault::Skipped { label, zone: name }));
            }
            AmbiguousOffset::Fold { before: first, after } => {
                let earlier = first.to_timestamp(moment.local).ok();
                if before.is_some() && before >= earlier { after } else { first }
            }
        };
        moment.offset = Some(offset.seconds());
        before = offset.to_timestamp(moment.local).ok();
    }
    Ok(())
}
