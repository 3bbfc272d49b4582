//! `bptt forecast` of a run on many series.

use super::Failure;
use super::forecast::Arguments;
use super::output::{note, show, tell, warn, writable_beside};
use bptt::data::dates::DateOptions;
use bptt::model::panel::LEVELS;
use bptt::report::series::percent;
use bptt::train::panel_forecast::{PanelForecast, PanelForecastOptions, PanelMethod};
use bptt::train::panel_run::PanelRun;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    method: String,
    intervals: &'static str,
    rows: Vec<Row>,
}

/// One step ahead of one series.
#[derive(serde::Serialize)]
struct Row {
    id: String,
    step: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    mean: f64,
    /// The ends of the widest interval.
    lower: f64,
    upper: f64,
    /// Of all of them, by their level.
    levels: BTreeMap<String, [f64; 2]>,
}

pub fn run(arguments: &Arguments, run: &PanelRun) -> Result<ExitCode, Failure> {
    let dated = arguments.dates.over(&DateOptions::default()) != DateOptions::default();
    if arguments.from.is_none() && dated {
        return Err(Failure(
            "the flags for dates say how the file of --from is read: name one".into(),
        ));
    }
    let method = arguments.method.as_deref().map(str::parse::<PanelMethod>).transpose();
    let method = method.map_err(|error| Failure(format!("--method: {error}")))?;
    if arguments.future.is_some() {
        return Err(Failure(
            "--future: a run on many series knows nothing ahead; leave it out".into(),
        ));
    }
    if arguments.picture.is_some() {
        return Err(Failure(
            "--picture: the pictures of some of many series are in the page of the run; leave it out".into(),
        ));
    }
    let levels = levels(&arguments.level)?;
    if let Some(out) = &arguments.out {
        let read = arguments.from.iter().chain([&run.config.subject.file]);
        writable_beside("--out", out, &read.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let subject = &run.config.subject;
    let forecast = run.forecast(&PanelForecastOptions {
        steps: arguments.steps,
        method,
        from: arguments.from.clone(),
        reading: Some(arguments.reading.over(&subject.reading)),
        dates: Some(arguments.dates.over(&subject.dates)),
    })?;
    tell(&forecast.panel.notes, false);
    warn(&forecast.warnings);
    let rows = rows(&forecast, &levels);
    if arguments.json {
        let run = run.folder.clone();
        let method = forecast.method.to_string();
        let report = Report { run, method, intervals: "conformal quantiles", rows };
        show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let csv = csv(&rows)?;
    match &arguments.out {
        Some(file) => {
            bptt::files::write(file, &csv)?;
            note(format_args!("wrote {}", file.display()));
        }
        None => show(format_args!("{}", String::from_utf8_lossy(&csv)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The places of the levels asked for among those that the networks have learnt.
fn levels(asked: &[f64]) -> Result<Vec<usize>, Failure> {
    if asked.is_empty() {
        return Ok((0..LEVELS.len()).collect());
    }
    let place = |level: &f64| {
        LEVELS.iter().position(|known| known == level).ok_or_else(|| {
            let known = LEVELS.map(|level| level.to_string()).join(" and ");
            Failure(format!("--level {level}: the networks have learnt the intervals of {known}"))
        })
    };
    let mut places = asked.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn rows(forecast: &PanelForecast, levels: &[usize]) -> Vec<Row> {
    let mut rows = Vec::new();
    for series in &forecast.series {
        for (step, (&mean, intervals)) in series.median.iter().zip(&series.intervals).enumerate() {
            let [lower, upper] = intervals[levels[levels.len() - 1]];
            let named = levels.iter().map(|&level| (percent(LEVELS[level]), intervals[level]));
            rows.push(Row {
                id: series.id.clone(),
                step: step + 1,
                date: series.dates.as_ref().map(|dates| dates[step].clone()),
                mean,
                lower,
                upper,
                levels: named.collect(),
            });
        }
    }
    rows
}

fn csv(rows: &[Row]) -> Result<Vec<u8>, Failure> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let dated = rows.iter().any(|row| row.date.is_some());
    let mut header = vec!["id".to_string(), "step".into()];
    header.extend(dated.then(|| "date".into()));
    header.push("mean".into());
    for level in rows[0].levels.keys() {
        header.extend([format!("lower_{level}"), format!("upper_{level}")]);
    }
    csv.write_record(header)?;
    for row in rows {
        let mut record = vec![row.id.clone(), row.step.to_string()];
        record.extend(dated.then(|| row.date.clone().unwrap_or_default()));
        record.push(row.mean.to_string());
        record.extend(row.levels.values().flatten().map(f64::to_string));
        csv.write_record(record)?;
    }
    csv.into_inner().map_err(|error| Failure(error.to_string()))
}
