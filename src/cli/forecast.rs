//! `bptt forecast`: the rows to come of a series that a run was trained on.

use super::Failure;
use super::dates::DateFlags;
use super::options::{share, size};
use super::output::{note, show, tell, warn, writable_beside};
use super::panel_forecast;
use super::reading::ReadingFlags;
use bptt::data::dates::DateOptions;
use bptt::report::series::{draw_forecast, percent};
use bptt::train::run::{Run, Use};
use bptt::train::series_forecast::{ForecastOptions, LEVELS, SeriesForecast};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Forecast the rows to come with a run of bptt train series
///
/// Prints CSV: a row for each step ahead and each column, with the forecast (mean; with --log a median) and the
/// ends of intervals. What forecasts is what did best on the validation rows, mostly the combination, fitted again to all
/// rows. The intervals come from its errors on the validation rows (conformal prediction): few of them make wide
/// intervals. Exogenous columns are held at their last value; the holidays of a training with --holidays are known. A
/// picture is written into the run's folder.
///
/// Example: bptt forecast runs/series --steps 24 --level 0.8,0.95 --out forecast.csv
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    pub(super) run: PathBuf,
    /// Rows to forecast [default: the run's horizon, a season at least, 12 without one]
    #[arg(long, value_name = "N", value_parser = size)]
    pub(super) steps: Option<usize>,
    /// Probabilities of the intervals
    #[arg(long, value_name = "X", value_delimiter = ',', value_parser = share)]
    pub(super) level: Vec<f64>,
    /// What forecasts: combination, network, ar, smoothing, last-value or season-ago [default: what was best in
    /// validation]
    #[arg(long, value_name = "NAME")]
    pub(super) method: Option<String>,
    /// Forecast from the end of this CSV file, which has later rows of the same columns
    #[arg(long, value_name = "FILE")]
    pub(super) from: Option<PathBuf>,
    /// CSV file with the columns of the run's --future-known, for the rows to come; other rows and columns may be in it too
    #[arg(long, value_name = "FILE")]
    pub(super) future: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reading: ReadingFlags,
    #[command(flatten)]
    pub(super) dates: DateFlags,
    /// Write the CSV to this file instead of standard output
    #[arg(long, value_name = "FILE.csv")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object instead
    #[arg(long, conflicts_with = "out")]
    pub(super) json: bool,
    /// Draw the picture as STEM.png and STEM.svg [default: forecast, in the run's folder]
    #[arg(long, value_name = "STEM")]
    pub(super) picture: Option<PathBuf>,
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

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let run = match Run::open(&arguments.run)? {
        Run::Series(run) => run,
        Run::Panel(run) => return panel_forecast::run(arguments, &run),
        other => return Err(other.unfit(Use::Forecast).into()),
    };
    if arguments.from.is_none()
        && arguments.dates.over(&DateOptions::default()) != DateOptions::default()
    {
        return Err(Failure(
            "the flags for dates say how the file of --from is read: name one".into(),
        ));
    }
    // Before the work is done.
    if let Some(out) = &arguments.out {
        let read: Vec<&Path> = arguments
            .from
            .iter()
            .chain(&arguments.future)
            .chain(&run.config.subject.file)
            .map(PathBuf::as_path)
            .collect();
        writable_beside("--out", out, &read)?;
    }
    let forecast = run.forecast(&ForecastOptions {
        steps: arguments.steps,
        method: arguments.method.clone(),
        from: arguments.from.clone(),
        future: arguments.future.clone(),
        reading: Some(arguments.reading.over(&run.config.subject.reading)),
        dates: Some(arguments.dates.over(&run.config.subject.dates)),
    })?;
    tell(&forecast.series.notes, false);
    warn(&forecast.warnings);
    let mut levels =
        if arguments.level.is_empty() { LEVELS.to_vec() } else { arguments.level.clone() };
    levels.sort_unstable_by(f64::total_cmp);
    levels.dedup();
    let rows = rows(&forecast, &levels);
    let stem = arguments.picture.clone().unwrap_or_else(|| run.folder.join("forecast"));
    let pictures = draw_forecast(&forecast, &levels, &stem)?;
    if arguments.json {
        let report = Report {
            run: run.folder.clone(),
            method: forecast.key,
            name: forecast.method,
            intervals: "split conformal",
            rows,
            pictures,
        };
        show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let csv = csv(&rows)?;
    match &arguments.out {
        Some(file) => bptt::files::write(file, &csv)?,
        None => show(format_args!("{}", String::from_utf8_lossy(&csv)))?,
    }
    for file in arguments.out.iter().chain(&pictures) {
        note(format_args!("wrote {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(forecast: &SeriesForecast, levels: &[f64]) -> Vec<Row> {
    let outlook = &forecast.outlook;
    let mut rows = Vec::new();
    for step in 0..outlook.steps {
        for (c, column) in forecast.series.names.iter().enumerate() {
            let intervals: Vec<[f64; 2]> =
                levels.iter().map(|&level| outlook.interval(step, c, level)).collect();
            let [lower, upper] = intervals[intervals.len() - 1];
            let named = levels.iter().map(|&level| percent(level));
            rows.push(Row {
                step: step + 1,
                date: forecast.date(step),
                column: column.clone(),
                mean: outlook.point[step * outlook.targets + c],
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
