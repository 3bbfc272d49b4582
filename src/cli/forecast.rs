//! `bptt forecast`: the rows to come of a series that a run was trained on.

use super::Failure;
use super::options::{fits_memory, share, size};
use super::output::{note, show};
use super::series_report::{LEVELS, PATHS, draw, following, methods, percent, plain};
use bptt::data::calendar::Calendar;
use bptt::data::series::{Series, SeriesOptions};
use bptt::model::forecast::{Outlook, backtest, origins, outlook};
use bptt::train::run::{Run, Use};
use bptt::train::series_run::{self, SeriesRun};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Forecast the rows to come with a run of bptt train series
///
/// Prints CSV: a row for each step ahead and each column, with the point forecast (mean; with --log a median) and
/// the ends of intervals. The intervals are made by a residual bootstrap: many paths go on from the last row, to
/// each block of --horizon rows the errors of one origin of the run's backtest are added, drawn at random, and an
/// interval lies between two quantiles of the paths. Where the backtest was too high or too low all the time, an
/// interval may lie beside the forecast. Exogenous columns are held at their last value. A picture is
/// written into the run's folder.
///
/// Example: bptt forecast runs/series --steps 24 --level 0.8,0.95 --out forecast.csv
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
    /// Rows to forecast [default: the run's horizon, a season at least, 12 without one]
    #[arg(long, value_name = "N", value_parser = size)]
    steps: Option<usize>,
    /// Probabilities of the intervals
    #[arg(long, value_name = "X", value_delimiter = ',', value_parser = share)]
    level: Vec<f64>,
    /// What forecasts: network, ar, last-value or season-ago [default: what was trained]
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Go on from the end of this CSV file, which has later rows of the same columns
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Paths that the intervals are quantiles of
    #[arg(long, value_name = "N", default_value_t = PATHS, value_parser = size)]
    paths: usize,
    /// Seed of the errors that are drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the CSV to this file instead of standard output
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Print one JSON object instead
    #[arg(long, conflicts_with = "out")]
    json: bool,
    /// Draw the picture as STEM.png and STEM.svg [default: forecast, in the run's folder]
    #[arg(long, value_name = "STEM")]
    picture: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    method: &'static str,
    name: String,
    intervals: &'static str,
    rows: Vec<Row>,
    pictures: Vec<PathBuf>,
}

/// One step ahead of one column.
#[derive(serde::Serialize)]
struct Row {
    step: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    column: String,
    mean: f64,
    /// The ends of the widest interval.
    lower: f64,
    upper: f64,
    /// Of all of them, by their level.
    levels: BTreeMap<String, [f64; 2]>,
}

/// The later rows of the file, which has the columns of the run.
fn later(run: &SeriesRun, file: &PathBuf) -> Result<Series, Failure> {
    let subject = &run.config.subject;
    let options = SeriesOptions {
        columns: subject.column.clone(),
        exogenous: subject.exogenous.clone(),
        date_column: subject.date_column.clone(),
        delimiter: None,
    };
    let series = Series::read(file, &options)?;
    let (names, beside) = (&run.data.names, &run.data.exogenous);
    if &series.names != names || &series.exogenous_names != beside {
        let listed = |all: &[Vec<String>; 2]| all.concat().join(", ");
        return Err(Failure(format!(
            "{}: its columns are {}, and the run was trained on {}",
            file.display(),
            listed(&[series.names, series.exogenous_names]),
            listed(&[names.clone(), beside.clone()])
        )));
    }
    Ok(series)
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let run = match Run::open(&arguments.run)? {
        Run::Series(run) => *run,
        other => return Err(other.unfit(Use::Forecast).into()),
    };
    let (subject, data) = (&run.config.subject, &run.data);
    let own = series_run::read(&run)?;
    let own_dates = series_run::dates(&own, &data.features)?;
    let scale = plain(&run, &own)?;
    let mut known = methods(&run, &scale, (&own, own_dates.as_ref()))?;
    let place = match &arguments.method {
        None => 0,
        Some(name) => {
            let key = name.replace('-', "_");
            known.iter().position(|(known, _)| *known == key).ok_or_else(|| {
                let names: Vec<String> =
                    known.iter().map(|(key, _)| key.replace('_', "-")).collect();
                Failure(format!("--method: this run has {}, and not '{name}'", names.join(", ")))
            })?
        }
    };
    let (key, method) = known.swap_remove(place);
    let origins = origins(own.rows(), data.split, subject.horizon, subject.stride);
    let errors = backtest(&method, &own, &origins)?;
    if errors.origins.len() < 20 {
        note(format_args!(
            "warning: the intervals come from {} forecasts of the backtest only, and are rough",
            errors.origins.len()
        ));
    }
    if !data.exogenous.is_empty() && key == "network" {
        note(format_args!("warning: {} held at the last value", data.exogenous.join(", ")));
    }

    let (series, dates, method) = match &arguments.from {
        Some(file) => {
            let series = later(&run, file)?;
            let dates = series_run::dates(&series, &data.features)
                .map_err(|error| Failure(format!("{}: {error}", file.display())))?;
            let mut methods = methods(&run, &scale, (&series, dates.as_ref()))
                .map_err(|Failure(why)| Failure(format!("{}: {why}", file.display())))?;
            let (_, later) = methods.swap_remove(place);
            (series, dates, later)
        }
        None => (own, own_dates, method),
    };
    let steps =
        arguments.steps.unwrap_or_else(|| subject.horizon.max(subject.season.unwrap_or(12)));
    // The paths, scaled and in units, and what a forecaster reads of them.
    let held = arguments.paths as f64 * (3 * steps * data.names.len()) as f64;
    let read = arguments.paths as f64 * (method.needs() * data.features.width()) as f64;
    fits_memory(8.0 * (held + 3.0 * read), "--steps or --paths")?;
    let to_come = following(dates.as_ref(), &data.features, steps)?;
    let budget = (steps, arguments.paths, arguments.seed);
    let said = outlook(&method, (&series, series.rows()), &to_come, &errors, budget)?;

    let mut levels =
        if arguments.level.is_empty() { LEVELS.to_vec() } else { arguments.level.clone() };
    levels.sort_unstable_by(f64::total_cmp);
    levels.dedup();
    let rows = rows(&series, dates.as_ref(), &said, &to_come, &levels);
    let stem = arguments.picture.clone().unwrap_or_else(|| run.folder.join("forecast"));
    let pictures = draw((&series, dates.as_ref()), &method.name, &said, &to_come, &levels, &stem)?;
    if arguments.json {
        let report = Report {
            run: run.folder.clone(),
            method: key,
            name: method.name,
            intervals: "residual bootstrap",
            rows,
            pictures,
        };
        show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let csv = csv(&rows)?;
    match &arguments.out {
        Some(file) => bptt::files::replace(file, &csv)?,
        None => show(format_args!("{}", String::from_utf8_lossy(&csv)))?,
    }
    for file in arguments.out.iter().chain(&pictures) {
        note(format_args!("wrote {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(
    series: &Series,
    dates: Option<&Calendar>,
    said: &Outlook,
    to_come: &[jiff::civil::DateTime],
    levels: &[f64],
) -> Vec<Row> {
    let mut rows = Vec::new();
    for step in 0..said.steps {
        let date = dates.zip(to_come.get(step)).map(|(calendar, &date)| calendar.label(date));
        for (c, column) in series.names.iter().enumerate() {
            let intervals: Vec<[f64; 2]> =
                levels.iter().map(|&level| said.interval(step, c, level)).collect();
            let [lower, upper] = intervals[intervals.len() - 1];
            let named = levels.iter().map(|&level| percent(level));
            rows.push(Row {
                step: step + 1,
                date: date.clone(),
                column: column.clone(),
                mean: said.point[step * said.targets + c],
                lower,
                upper,
                levels: named.zip(intervals).collect(),
            });
        }
    }
    rows
}

fn csv(rows: &[Row]) -> Result<Vec<u8>, Failure> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let dated = rows.iter().any(|row| row.date.is_some());
    let mut header = vec!["step".to_string()];
    header.extend(dated.then(|| "date".into()));
    header.extend(["column".into(), "mean".into()]);
    for level in rows[0].levels.keys() {
        header.extend([format!("lower_{level}"), format!("upper_{level}")]);
    }
    csv.write_record(header)?;
    for row in rows {
        let mut record = vec![row.step.to_string()];
        record.extend(row.date.clone());
        record.extend([row.column.clone(), row.mean.to_string()]);
        record.extend(row.levels.values().flatten().map(f64::to_string));
        csv.write_record(record)?;
    }
    csv.into_inner().map_err(|error| Failure(error.to_string()))
}
