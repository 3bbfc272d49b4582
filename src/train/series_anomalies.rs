//! How improbable each row of a file is to a run on a series.

use super::anomaly::{
    Anomalies, AnomalyOptions, NO_LINE, RowScore, ScoredRow, offset, part, without_looking_ahead,
};
use super::later_rows::differences;
use super::series_forecast::{Backtests, COMBINATION, ForecastOptions};
use super::series_run::{self, SeriesRun, SeriesRunError};
use crate::data::series::Series;
use crate::model::forecast::{Backtest, FittedCombination, Improbability, Intervals, mean, mixed};
use std::path::Path;

/// The forecasts of rows, a column each; none where a row has none.
type EachColumn = Vec<Vec<Option<f64>>>;

impl SeriesRun {
    /// How improbable each row of a file with the columns of this run is.
    ///
    /// # Errors
    /// If the run or the file cannot be read, the file has other columns, there is no such method, or no row has enough rows
    /// before it.
    pub fn anomalies(
        &self,
        file: &Path,
        options: &AnomalyOptions,
    ) -> Result<Anomalies, SeriesRunError> {
        let asked = self.asked(options.method.as_deref())?;
        let reading = options.reading.as_ref().unwrap_or(&self.config.subject.reading);
        let (reading, is_other) = without_looking_ahead(reading);
        let (reading, dates) = (Some(reading), options.dates.clone());
        let read = ForecastOptions { reading, dates, ..ForecastOptions::default() };
        let rows = self.later(file, &read)?;
        let own = series_run::read(self)?;
        let dates = own.calendar.clone();
        let backtests = Backtests::validated(self.clone(), own, dates)?;
        let key = asked.unwrap_or(backtests.methods[0].key);
        let method = backtests.method(key).expect("one of the run");
        let own = &backtests.series;
        // The errors one step ahead, and nothing that a growth law says of them.
        let errors = method.validation.first_steps(1);
        let known = Intervals::of(&errors, own, self.data.features.transform.log);
        let named = |error: SeriesRunError| match error {
            SeriesRunError::Features(_) | SeriesRunError::Outlook(_) => SeriesRunError::Later {
                file: file.display().to_string(),
                reason: error.to_string(),
            },
            error => error,
        };
        let first = offset(
            (&own.values[0], own.calendar.as_ref()),
            (&rows.values[0], rows.calendar.as_ref()),
        );
        let (from, forecasts) = backtests.each_next(key, &rows, first).map_err(named)?;
        let mut warnings = backtests.warnings.clone();
        warnings.extend(is_other.then(|| NO_LINE.to_string()));
        // An older file, or a part of the run's own, is no mistake here.
        let later = first.is_none() && rows.rows() > 0;
        warnings
            .extend(later.then(|| differences(&rows, own, self.data.split)).into_iter().flatten());
        if from >= rows.rows() {
            return Err(SeriesRunError::Later {
                file: file.display().to_string(),
                reason: format!(
                    "it has {} rows, and a row is scored by the {from} before it: give more rows, or take another --method",
                    rows.rows()
                ),
            });
        }
        let each: Vec<Improbability> =
            (0..rows.values.len()).map(|column| known.improbability(column)).collect();
        let score = |row: usize, column: usize| {
            let forecast = *forecasts[column].get(row.checked_sub(from)?)?;
            let forecast = forecast.filter(|_| !rows.filled[column][row])?;
            let size = known.size(forecast, rows.values[column][row]);
            Some(RowScore { forecast, log_probability: each[column].log_probability(size) })
        };
        let ends = [self.data.split, self.data.test, self.data.rows];
        let mut scored = Vec::with_capacity(rows.rows() * rows.values.len());
        for row in 0..rows.rows() {
            for column in 0..rows.values.len() {
                let value = rows.values[column][row];
                scored.push(ScoredRow {
                    name: column,
                    row: row + 1,
                    line: rows.lines[row].map(|line| line.get().into()),
                    date: rows.dates.as_ref().map(|dates| dates[row].clone()),
                    part: part(first.map(|first| first + row), ends),
                    value: (!rows.filled[column][row]).then_some(value),
                    score: score(row, column),
                });
            }
        }
        Ok(Anomalies {
            key: key.into(),
            method: method.name.clone(),
            named: "column",
            names: rows.names,
            rows: scored,
            needs: from,
            known_errors: errors.origins.len(),
            notes: rows.notes,
            warnings,
        })
    }
}

impl Backtests {
    /// The forecasts of each row of another series from the rows before it, `[column][row]`, and the first row that has one.
    /// The method is fitted to the run's rows before its test. `first` is the row of the run with which that series begins.
    fn each_next(
        &self,
        key: &str,
        rows: &Series,
        first: Option<usize>,
    ) -> Result<(usize, EachColumn), SeriesRunError> {
        let (run, targets) = (&self.run, rows.values.len());
        let plain = run.without_effects(rows);
        let shares = match key {
            "network" => vec![1.0; targets],
            COMBINATION => self.network_shares.clone(),
            _ => vec![0.0; targets],
        };
        let has_network = shares.iter().any(|share| *share > 0.0);
        let networks = match has_network {
            true => run.network_methods((&plain, plain.calendar.as_ref()), &mut Vec::new())?,
            false => Vec::new(),
        };
        let mut members = Vec::new();
        if key != "network" {
            let test = run.data.test;
            members = run.fit(&run.recipes(key, &self.plain, test), &self.plain, test);
        }
        let needed = members.iter().map(FittedCombination::needs);
        let needed = needed.chain(networks.iter().map(|network| network.needs()));
        let from = needed.max().unwrap_or(1).max(1);
        if from >= rows.rows() {
            return Ok((from, Vec::new()));
        }
        if first != Some(0) {
            // From its own first rows, which have no score.
            for (members, column) in members.iter_mut().zip(&plain.values) {
                *members = members.restarted(&column[..from]);
            }
        }
        let origins: Vec<usize> = (from..rows.rows()).collect();
        let missing = f64::NAN;
        let mut forecasts = vec![missing; origins.len() * targets];
        for (column, (members, values)) in members.iter().zip(&plain.values).enumerate() {
            for (place, next) in members.each_next(values, from).into_iter().enumerate() {
                forecasts[place * targets + column] = next.unwrap_or(missing);
            }
        }
        if has_network {
            let each = networks.iter().map(|network| network.first_steps(&plain, &origins));
            let learnt = mean(&each.collect::<Result<Vec<_>, _>>()?);
            forecasts = match members.is_empty() {
                true => learnt,
                false => mixed(&forecasts, &learnt, &shares),
            };
        }
        let mut each = Backtest { origins, horizon: 1, targets, forecasts };
        run.put_back(&mut each, rows);
        let column = |column: usize| {
            let next = each.forecasts.iter().skip(column).step_by(targets);
            next.map(|&next| Some(next).filter(|next| next.is_finite())).collect()
        };
        Ok((from, (0..targets).map(column).collect()))
    }
}
