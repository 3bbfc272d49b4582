//! How improbable each row of a file is to a run on many series.
//!
//! Errors of series of any size are compared in units of half the 95 % interval that the method gives, on the side of the
//! error. Those that others are compared with are the errors one step ahead of the rows that validated, of all series.

use super::anomaly::{
    Anomalies, AnomalyOptions, NO_LINE, RowScore, ScoredRow, offset, part, without_looking_ahead,
};
use super::panel_forecast::{PanelForecastOptions, PanelMethod, Place, Seen};
use super::panel_input::{known_rows, taught};
use super::panel_run::{PanelRun, PanelRunError};
use crate::model::forecast::Improbability;
use crate::model::panel::{Geometry, PanelForecaster};
use std::collections::HashMap;
use std::path::Path;

impl PanelRun {
    /// How improbable each row of a file with series in the layout of this run is; they need not have been trained on.
    ///
    /// # Errors
    /// If the run or the file cannot be read, there is no such method, or no row has enough rows before it.
    pub fn anomalies(
        &self,
        file: &Path,
        options: &AnomalyOptions,
    ) -> Result<Anomalies, PanelRunError> {
        let method = PanelMethod::asked(options.method.as_deref())?;
        let subject = &self.config.subject;
        let reading = options.reading.as_ref().unwrap_or(&subject.reading);
        let (reading, is_other) = without_looking_ahead(reading);
        let (reading, dates) = (Some(reading), options.dates.clone());
        let panel = self.others(
            file,
            &PanelForecastOptions { reading, dates, ..PanelForecastOptions::default() },
        )?;
        let (own, test) = self.panels()?;
        let mut warnings = Vec::new();
        let forecaster = self.forecaster(&mut warnings)?;
        let parts = taught(&own, subject.horizon, test.is_some());
        let known = known_rows(&own, subject.horizon, test.is_some());
        let plain = self.data.plain(&own, &known, subject.season);
        let seen = (&own, &plain);
        let method = self.validated(&forecaster, (&parts, seen), method)?.0;
        self.check_values(&panel, method, file)?;
        let horizon = subject.horizon;
        let mut sizes = Vec::new();
        for part in &parts {
            let end = (part.known + horizon).min(part.values.len());
            let next = self.each_next(method, &forecaster, seen, (part.number, part.known, end));
            let errors = next.iter().zip(&part.values[part.known..end]);
            sizes.extend(errors.map(|(next, value)| next.size(*value)));
        }
        let known_errors = sizes.len();
        let known = Improbability::of(sizes, known_errors as f64);
        let needs = method.needs(forecaster.geometry);
        if panel.values.iter().all(|values| values.len() <= needs) {
            let longest = panel.values.iter().map(Vec::len).max().unwrap_or(0);
            let file = file.display().to_string();
            return Err(PanelRunError::ShortPast { file, longest, needs });
        }
        warnings.extend(is_other.then(|| NO_LINE.to_string()));
        // What holidays do to all series: a row must not tell what is expected of it.
        let plain = self.data.plain(&panel, &vec![0; panel.values.len()], subject.season);
        let places: HashMap<&str, usize> =
            own.ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        let mut rows = Vec::with_capacity(panel.values.iter().map(Vec::len).sum());
        for (name, values) in panel.values.iter().enumerate() {
            let calendar = panel.calendars[name].as_ref();
            let same = places.get(panel.ids[name].as_str()).and_then(|&place| {
                let dates = own.calendars[place].as_ref();
                Some((place, offset((&own.values[place], dates), (values, calendar))?))
            });
            // Where the parts of this series begin in the run.
            let ends = same.map_or([0; 3], |(place, _)| {
                let rows = own.values[place].len();
                let test = if test.is_some() { rows } else { rows.saturating_sub(horizon) };
                [test.saturating_sub(horizon), test, rows]
            });
            let next = match values.len() > needs {
                true => {
                    let rows = (name, needs, values.len());
                    self.each_next(method, &forecaster, (&panel, &plain), rows)
                }
                false => Vec::new(),
            };
            for (row, &value) in values.iter().enumerate() {
                let value = (!panel.filled[name][row]).then_some(value);
                let next = row.checked_sub(needs).and_then(|place| next.get(place));
                let score = value.zip(next).map(|(value, next)| RowScore {
                    forecast: next.median,
                    log_probability: known.log_probability(next.size(value)),
                });
                rows.push(ScoredRow {
                    name,
                    row: row + 1,
                    line: panel.lines[name][row].map(|line| line.get().into()),
                    date: calendar.map(|dates| dates.label(dates.moments()[row])),
                    part: part(same.map(|(_, first)| first + row), ends),
                    value,
                    score,
                });
            }
        }
        Ok(Anomalies {
            key: method.to_string(),
            method: self.name(method),
            named: "id",
            names: panel.ids,
            rows,
            needs,
            known_errors,
            notes: panel.notes,
            warnings,
        })
    }
}

impl PanelMethod {
    /// Rows before the first one that it forecasts as it does later ones.
    fn needs(self, geometry: Geometry) -> usize {
        let Geometry { window, season, .. } = geometry;
        match self {
            Self::Network => window,
            Self::Naive2 => 3 * season,
            // The scale of their intervals needs a difference.
            Self::SeasonAgo | Self::LastValue => 2 * season,
        }
    }
}

/// The forecast of a row: the median and the ends of the 95 % interval.
struct Next {
    median: f64,
    ends: [f64; 2],
}

impl Next {
    /// How far a value is from the median, in units of the interval on that side.
    fn size(&self, value: f64) -> f64 {
        let [lower, upper] = self.ends;
        let half = if value < self.median { self.median - lower } else { upper - self.median };
        let distance = (value - self.median).abs();
        if distance == 0.0 { 0.0 } else { distance / half.max(f64::MIN_POSITIVE) }
    }
}

impl PanelRun {
    /// The forecasts of each row of a series from one up to another, each from the rows before it.
    fn each_next(
        &self,
        method: PanelMethod,
        forecaster: &PanelForecaster,
        seen: Seen<'_>,
        (series, from, to): (usize, usize, usize),
    ) -> Vec<Next> {
        /// So many together, of which all steps are held.
        const TOGETHER: usize = 1024;
        let places: Vec<Place> = (from..to).map(|row| (series, row)).collect();
        let mut each = Vec::with_capacity(places.len());
        for some in places.chunks(TOGETHER) {
            let forecasts = self.ahead(method, forecaster, seen, some);
            each.extend(forecasts.into_iter().map(|forecast| {
                let quantiles = forecast.quantiles[0];
                let [lowest, .., highest] = quantiles;
                Next { median: forecast.median()[0], ends: [lowest, highest] }
            }));
        }
        each
    }
}
