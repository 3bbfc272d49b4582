//! Runs on a series: the rows that test in each of them, forecast from the same origins and as far ahead.

use super::{Comparison, ComparisonError, Difference, Drawn, Group, Measured, accuracy, apart};
use crate::data::accuracy::{Accuracy, IntervalAccuracy, scale};
use crate::model::forecast::{Backtest, origins};
use crate::train::anomaly::offset;
use crate::train::series_forecast::{Backtests, LEVELS};
use crate::train::series_run::{self, SeriesRun};

/// A run, and where its rows are among those of the first one.
struct Placed {
    backtests: Backtests,
    /// What forecasts.
    key: &'static str,
    /// What is added to a row of the run to have that of the first one.
    shift: i64,
    forecasts: Backtest,
}

impl Placed {
    /// A row of the first run, in this one.
    fn row(&self, first: usize) -> usize {
        (first as i64 - self.shift) as usize
    }

    /// The place of a column of the first run.
    fn column(&self, name: &str) -> Option<usize> {
        self.backtests.series.names.iter().position(|other| other == name)
    }

    /// The forecasts of a column, origin by origin.
    fn of_column(&self, column: usize) -> Vec<f64> {
        let Backtest { targets, forecasts, .. } = &self.forecasts;
        forecasts.iter().skip(column).step_by(*targets).copied().collect()
    }
}

pub(super) fn compare(
    comparison: &mut Comparison,
    runs: Vec<SeriesRun>,
    method: Option<&str>,
) -> Result<(), ComparisonError> {
    let mut placed: Vec<Placed> = Vec::new();
    for (place, run) in runs.into_iter().enumerate() {
        let series = series_run::read(&run)?;
        let shift = match placed.first() {
            None => 0,
            Some(first) => shift(&first.backtests, &series).ok_or_else(|| {
                apart(comparison, place, "they are not about the same rows of the same columns")
            })?,
        };
        if run.data.test >= run.data.rows {
            let reason = "it has no test rows: train on more rows, or with --test-share".into();
            return Err(ComparisonError::NoTest { run: run.folder, reason });
        }
        let dates = series.calendar.clone();
        let asked = run.asked(method)?;
        let backtests = Backtests::validated(run, series, dates)?;
        comparison.warnings.extend(backtests.warnings.iter().cloned());
        let forecasts =
            Backtest { origins: Vec::new(), horizon: 1, targets: 1, forecasts: Vec::new() };
        let key = asked.unwrap_or(backtests.methods[0].key);
        placed.push(Placed { backtests, key, shift, forecasts });
    }
    let data = |run: &Placed| run.backtests.run.data.clone();
    let moved = |run: &Placed, row: usize| row as i64 + run.shift;
    let from = placed.iter().map(|run| moved(run, data(run).test)).max().unwrap_or(0);
    let end = placed.iter().map(|run| moved(run, data(run).rows)).min().unwrap_or(0);
    let steps = placed.iter().map(|run| run.backtests.run.config.subject.horizon).min();
    let steps = steps.unwrap_or(1);
    let (from, end) = (from.max(0) as usize, end.max(0) as usize);
    let common = origins(end, from, steps, 1);
    if common.is_empty() {
        let last = placed.len() - 1;
        let reason = format!("no {steps} rows are in the test part of every run");
        return Err(apart(comparison, last, reason));
    }
    let names: Vec<String> = placed[0].backtests.series.names.clone();
    let shared = |name: &&String| placed.iter().all(|run| run.column(name).is_some());
    let names: Vec<String> = names.iter().filter(shared).cloned().collect();
    for (place, run) in placed.iter().enumerate().skip(1) {
        for name in &names {
            let [a, b] = [&placed[0], run].map(|run| {
                let column = run.column(name).expect("it is in every run");
                &run.backtests.series.values[column][run.row(from)..run.row(end)]
            });
            if a != b {
                let reason = format!("they have different values of {name} in their test rows");
                return Err(apart(comparison, place, reason));
            }
        }
    }
    for run in &mut placed {
        let own: Vec<usize> = common.iter().map(|&origin| run.row(origin)).collect();
        run.forecasts = run.backtests.forecast_after(run.key, run.row(from), &own, steps)?;
    }
    let first = &placed[0].backtests;
    let label = |row: usize| match &first.series.dates {
        Some(dates) => dates[row].clone(),
        None => format!("row {}", row + 1),
    };
    comparison.on = format!(
        "{} forecasts of {} from {} to {}, which are in the test part of every run; fitted to the rows before {}",
        common.len(),
        if steps == 1 { "the next row".into() } else { format!("the next {steps} rows") },
        label(from),
        label(end - 1),
        label(from)
    );
    // The rows that no run tests or validates on, as far as the first one has them.
    let known = placed.iter().map(|run| moved(run, data(run).split)).min().unwrap_or(0).max(0);
    let season = first.run.config.subject.season.unwrap_or(1);
    for name in &names {
        let column = first.series.names.iter().position(|other| other == name).expect("its own");
        let values = &first.series.values[column];
        let scale = scale(&values[..known as usize], season);
        let actual: Vec<f64> =
            common.iter().flat_map(|&o| &values[o..o + steps]).copied().collect();
        let mut measured = Vec::new();
        let mut drawn = Vec::new();
        let mut errors: Vec<Vec<f64>> = Vec::new();
        for run in &placed {
            let column = run.column(name).expect("it is in every run");
            let forecasts = run.of_column(column);
            let method = run.backtests.method(run.key).expect("one of the run");
            let held = LEVELS.map(|level| {
                let each = forecasts.iter().enumerate();
                let around = |(place, &forecast): (usize, &f64)| {
                    method.intervals.around(forecast, (place % steps, column), level)
                };
                IntervalAccuracy::of(level, &each.map(around).collect::<Vec<_>>(), &actual, scale)
            });
            let held = held.into_iter().collect::<Result<Vec<_>, _>>()?;
            let each = forecasts.chunks_exact(steps).zip(actual.chunks_exact(steps));
            let mean = |(forecasts, values): (&[f64], &[f64])| {
                let errors = forecasts.iter().zip(values).map(|(a, b)| (a - b).abs());
                errors.sum::<f64>() / steps as f64
            };
            errors.push(each.map(mean).collect());
            let apart = errors[errors.len() - 1].iter().zip(&errors[0]).map(|(a, b)| a - b);
            let apart: Vec<f64> = apart.collect();
            let is_first = measured.is_empty();
            measured.push(Measured {
                method: method.name.clone(),
                measures: accuracy(Accuracy::of(&forecasts, &actual, scale)?, &held),
                difference: Difference::of(&apart, steps, true).filter(|_| !is_first),
            });
            drawn.push(forecasts.iter().skip(steps - 1).step_by(steps).copied().collect());
        }
        comparison.groups.push(Group {
            name: name.clone(),
            runs: measured,
            by: "MAE",
            drawn: Some(Drawn {
                labels: first.series.dates.clone(),
                actual: values.clone(),
                first: from + steps - 1,
                ahead: steps,
                forecasts: drawn,
            }),
        });
    }
    Ok(())
}

/// What is added to a row of a series to have that of the first run; none if they are other series.
fn shift(first: &Backtests, series: &crate::data::series::Series) -> Option<i64> {
    let own = &first.series;
    let column = own.names.iter().find_map(|name| {
        let place = |names: &[String]| names.iter().position(|other| other == name);
        Some((place(&own.names)?, place(&series.names)?))
    });
    let (a, b) = column?;
    let a = (own.values[a].as_slice(), own.calendar.as_ref());
    let b = (series.values[b].as_slice(), series.calendar.as_ref());
    let later = offset(a, b).map(|rows| rows as i64);
    later.or_else(|| offset(b, a).map(|rows| -(rows as i64)))
}
