//! Runs on many series: the rows that test in each of them, series by series.

use super::{Comparison, ComparisonError, Difference, Form, Group, Measured, NamedMeasure, apart};
use crate::data::accuracy::{Accuracy, scale};
use crate::data::competition::{Measures, Tested, naive2, scaled_interval_score};
use crate::data::series::panel::Panel;
use crate::model::panel::{Conformal, LEVELS, PanelForecaster, QuantileForecast};
use crate::train::panel_forecast::{PanelMethod, Place};
use crate::train::panel_input::{known_rows, taught};
use crate::train::panel_run::PanelRun;
use std::collections::HashMap;

/// A run with all rows of its series.
struct Opened {
    run: PanelRun,
    forecaster: PanelForecaster,
    method: PanelMethod,
    conformal: Conformal,
    panel: Panel,
    /// How many rows of each series its holidays are learnt from.
    known: Vec<usize>,
    /// Of each series that is tested, its rows and the first that tests.
    series: HashMap<String, (Vec<f64>, usize)>,
    /// The number of each of them in the panel.
    numbers: HashMap<String, usize>,
    /// Their names, in the order of the run.
    ids: Vec<String>,
}

fn opened(
    run: PanelRun,
    method: Option<PanelMethod>,
    warnings: &mut Vec<String>,
) -> Result<Opened, ComparisonError> {
    let (panel, test) = run.panels()?;
    let forecaster = run.forecaster(warnings)?;
    let horizon = run.config.subject.horizon;
    let parts = taught(&panel, horizon, test.is_some());
    let known = known_rows(&panel, horizon, test.is_some());
    let plain = run.data.plain(&panel, &known, run.config.subject.season);
    let (method, conformal) =
        run.with_intervals(&forecaster, (&parts, (&panel, &plain)), method)?;
    let (mut series, mut numbers) = (HashMap::new(), HashMap::new());
    let mut ids = Vec::new();
    for part in &parts {
        let (mut rows, id) = (part.values.to_vec(), panel.ids[part.number].clone());
        let first = match &test {
            Some(test) => {
                let first = rows.len();
                rows.extend(&test.values[part.number]);
                first
            }
            None => rows.len() - horizon,
        };
        series.insert(id.clone(), (rows, first));
        numbers.insert(id.clone(), part.number);
        ids.push(id);
    }
    drop((parts, plain));
    Ok(Opened { run, forecaster, method, conformal, panel, known, series, numbers, ids })
}

impl Opened {
    /// The forecasts after the first rows of some of its series, and of what came after them.
    fn after(&self, series: &[(&String, &[f64])]) -> Vec<QuantileForecast> {
        let mut panel = Panel::default();
        let mut known = Vec::with_capacity(series.len());
        for (id, rows) in series {
            let number = self.numbers[*id];
            let dates = self.panel.calendars[number].as_ref();
            panel.ids.push((*id).clone());
            panel.values.push(rows.to_vec());
            panel.inputs.push(self.panel.inputs[number].clone());
            // Rows of a file of tests have no dates.
            let dates = dates.filter(|dates| rows.len() <= dates.moments().len());
            panel.calendars.push(dates.cloned());
            known.push(self.known[number].min(rows.len()));
        }
        let plain = self.run.data.plain(&panel, &known, self.run.config.subject.season);
        let places = series.iter().enumerate().map(|(place, (_, rows))| (place, rows.len()));
        let places: Vec<Place> = places.collect();
        self.run.ahead(self.method, &self.forecaster, (&panel, &plain), &places)
    }
}

pub(super) fn compare(
    comparison: &mut Comparison,
    runs: Vec<PanelRun>,
    method: Option<&str>,
) -> Result<(), ComparisonError> {
    let method = PanelMethod::asked(method)?;
    let mut warnings = Vec::new();
    let opened = runs
        .into_iter()
        .map(|run| opened(run, method, &mut warnings))
        .collect::<Result<Vec<_>, _>>()?;
    comparison.warnings.append(&mut warnings);
    let first = &opened[0];
    let steps = opened.iter().map(|one| one.run.config.subject.horizon).min().unwrap_or(1);
    let season = first.run.config.subject.season;
    // Series that every run has, with the same rows and enough of them in the test part of each.
    let common = |id: &&String| {
        let all = opened.iter().map(|one| one.series.get(*id)).collect::<Option<Vec<_>>>()?;
        let end = all.iter().map(|(rows, _)| rows.len()).min()?;
        let from = all.iter().map(|(_, first)| *first).max()?;
        let same = all.iter().all(|(rows, _)| rows[..end] == all[0].0[..end]);
        (same && from + steps <= end).then(|| {
            let rows = &all[0].0;
            (&rows[..from], &rows[from..from + steps])
        })
    };
    let found = first.ids.iter().filter_map(|id| Some((id, common(&id)?)));
    let (ids, parts): (Vec<&String>, Vec<_>) = found.unzip();
    if parts.is_empty() {
        let reason = format!("no series has {steps} rows in the test part of every run");
        return Err(apart(comparison, opened.len() - 1, reason));
    }
    let left_out = first.ids.len() - parts.len();
    if left_out > 0 {
        comparison.notes.push(format!(
            "{left_out} of {} series are left out: not every run has them with the same rows",
            first.ids.len()
        ));
    }
    comparison.on = format!(
        "{} series, of each {steps} rows that are in the test part of every run",
        parts.len()
    );
    let tested: Vec<Tested<'_>> =
        parts.iter().map(|&(known, actual)| Tested { known, actual }).collect();
    let naive: Vec<Vec<f64>> =
        parts.iter().map(|(known, _)| naive2(known, season, steps)).collect();
    let benchmark = Measures::of(&tested, &naive, season)?;
    let known = ids.into_iter().zip(parts.iter().map(|(known, _)| *known));
    let known: Vec<(&String, &[f64])> = known.collect();
    let mut scores: Vec<Vec<Option<f64>>> = Vec::new();
    let mut measured = Vec::new();
    for one in &opened {
        let forecasts = one.after(&known);
        let medians: Vec<Vec<f64>> =
            forecasts.iter().map(|forecast| forecast.median()[..steps].to_vec()).collect();
        let measures = Measures::of(&tested, &medians, season)?;
        let mut held = Vec::new();
        for (place, level) in LEVELS.into_iter().enumerate() {
            let ends: Vec<Vec<[f64; 2]>> = forecasts
                .iter()
                .map(|forecast| {
                    let steps = forecast.quantiles[..steps].iter();
                    steps.map(|step| one.conformal.interval(step, place)).collect()
                })
                .collect();
            held.push(scaled_interval_score(&tested, &ends, season, level));
        }
        let each = tested.iter().zip(&medians).map(|(series, forecast)| {
            let scale = scale(series.known, season);
            Accuracy::of(forecast, series.actual, scale).ok()?.scaled
        });
        scores.push(each.collect());
        let is_first = measured.is_empty();
        let apart = scores[scores.len() - 1].iter().zip(&scores[0]);
        let apart: Vec<f64> = apart.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        let [(_, narrow), (score, wide)] = [held[0], held[LEVELS.len() - 1]];
        measured.push(Measured {
            method: one.run.name(one.method),
            measures: vec![
                NamedMeasure::new("sMAPE", measures.smape / 100.0, Form::Percent(2)),
                NamedMeasure::new("MASE", measures.mase, Form::Decimals),
                NamedMeasure::new("OWA", measures.overall(&benchmark), Form::Decimals),
                NamedMeasure::new("MAE", measures.mean_absolute, Form::Figure),
                NamedMeasure::new("in 80 %", narrow, Form::Percent(1)),
                NamedMeasure::new("in 95 %", wide, Form::Percent(1)),
                NamedMeasure::new("MSIS", score, Form::Decimals),
            ],
            difference: Difference::of(&apart, 1, false).filter(|_| !is_first),
        });
    }
    let name = String::new();
    comparison.groups.push(Group { name, runs: measured, by: "MASE", drawn: None });
    Ok(())
}
