//! `bptt train series`: forecasts of a series in a CSV file.

use super::options::{fits_memory, share, size};
use super::output::note;
use super::series_report::{self, Contestant, Opened};
use super::training::{Flags, Learnt, PassFlags, Unit, train};
use super::{Failure, output};
use bptt::cell::{self, Cell};
use bptt::data::calendar::{Calendar, Feature};
use bptt::data::features::{Features, Rows};
use bptt::data::naive::seasonal;
use bptt::data::series::{Series, SeriesOptions};
use bptt::data::split::split_by_time;
use bptt::model::Autoregression;
use bptt::model::forecast::{origins, squared_error};
use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::{Computing, Progress};
use bptt::train::series::{NetworkSize, SeriesLessons, SeriesTrainingError, beginner};
use bptt::train::series_run::{self, AUTOREGRESSION, SeriesData, SeriesRun, SeriesSubject};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

/// A network learns to forecast a series in a CSV file
///
/// The last rows validate: from each of them on, the next --horizon rows are forecast as if nothing after it were
/// known. Beside the network stand AR(τ), a linear model by least squares (by itself with --cell ar), the last
/// value and the value one --season ago; errors are MAE, RMSE, sMAPE and MASE. The run keeps all that
/// bptt forecast needs. Logarithms and differences make many series easier: the returns of a price are
/// --log --difference 1. Without FILE the series is the monthly number of airline passengers, 1949 to 1960 (Box &
/// Jenkins 1976, series G), with a season of 12 and, if nothing is said of them, logarithms and both differences, as
/// Box and Jenkins took them.
///
/// Example: bptt train series sales.csv --column revenue --season 7 --horizon 14, then: bptt forecast runs/series
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("cell", |arg| arg
        .default_value("elman")
        .help("Cell of the network; ar is none, and AR(τ) by itself")
        .value_parser(PossibleValuesParser::new(cell::names().chain([AUTOREGRESSION])))),
    mut_arg("hidden", |arg| arg.default_value("32")),
    mut_arg("layers", |arg| arg.default_value("1")),
    mut_arg("epochs", |arg| arg.default_value("200")),
    mut_arg("batch", |arg| arg.default_value("16").help("Windows of a batch")),
    mut_arg("window", |arg| arg
        .default_value("24")
        .help("Rows that the network sees before a forecast")),
    mut_arg("clip", |arg| arg.default_value("1")),
    mut_arg("accumulate", |arg| arg
        .help("Batches whose gradients are added up to one optimizer step")),
)]
pub struct Arguments {
    /// CSV file with one or more numeric columns, with or without a header
    file: Option<PathBuf>,
    /// Column to forecast, by name or number from 1; may be repeated [default: all numeric ones]
    #[arg(long, value_name = "NAME")]
    column: Vec<String>,
    /// Column that the network reads and does not forecast; may be repeated
    #[arg(long, value_name = "NAME")]
    exogenous: Vec<String>,
    /// Column with dates [default: the one that looks like dates]
    #[arg(long, value_name = "NAME")]
    date_column: Option<String>,
    /// Rows of a season, for the seasonal naive forecast, --seasonal-difference and MASE [default: as the dates
    /// suggest, if two fit the training rows: 12 months, 4 quarters, 52 weeks, 7 days, a day of what is shorter]
    #[arg(long, value_name = "N", value_parser = size)]
    season: Option<usize>,
    /// Share of the rows, the last ones, that validate
    #[arg(long, value_name = "X", default_value = "0.25", value_parser = share)]
    valid_share: f64,
    /// Rows that are forecast at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    horizon: usize,
    /// Rows from one origin of the backtest to the next
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    stride: usize,
    /// Forecast logarithms: for what grows in percent
    #[arg(long)]
    log: bool,
    /// Forecast the change from row to row, or with 2 the change of that [default: 0]
    #[arg(long, value_name = "N", value_parser = order)]
    difference: Option<usize>,
    /// Forecast the change over a season of --season rows
    #[arg(long)]
    seasonal_difference: bool,
    /// What the network is told of a row's date: month, day-of-year, day-of-month, day-of-week, hour, minute, or auto
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = calendar)]
    calendar: Vec<String>,
    /// Order of AR(τ): a number, or aic or bic (the same as auto), by which it is chosen
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    lags: Lags,
    /// Refused: a forecast cannot look ahead
    #[arg(long, hide = true)]
    bidirectional: bool,
    #[command(flatten)]
    flags: Flags<PassFlags>,
}

/// How often the difference is taken.
fn order(text: &str) -> Result<usize, String> {
    let order = text.parse().ok().filter(|order| *order <= 2);
    order.ok_or_else(|| "give 0, 1 or 2".into())
}

fn calendar(text: &str) -> Result<String, String> {
    match text {
        AUTO => Ok(text.into()),
        name => name.parse::<Feature>().map(|_| name.into()).map_err(|error| error + ", auto"),
    }
}

const AUTO: &str = "auto";

/// The order of AR(τ).
#[derive(Clone, Copy, Debug)]
enum Lags {
    Number(usize),
    Aic,
    Bic,
}

impl FromStr for Lags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aic" => Ok(Self::Aic),
            AUTO | "bic" => Ok(Self::Bic),
            number => match number.parse() {
                Ok(number) if number <= 10_000 => Ok(Self::Number(number)),
                _ => Err("give a whole number up to 10000, auto, aic or bic".into()),
            },
        }
    }
}

impl fmt::Display for Lags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Aic => f.write_str("aic"),
            Self::Bic => f.write_str("bic"),
        }
    }
}

/// What `--json` prints. Losses and baselines are mean squared errors of transformed and standardised values over all
/// steps of the horizon.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    train_loss: f64,
    valid_loss: f64,
    baselines: BTreeMap<&'static str, f64>,
    epochs: usize,
    steps: usize,
    done: bool,
    seconds: f64,
    steps_per_second: f64,
    rows_per_second: f64,
    columns: Vec<series_report::ColumnReport>,
    files: Vec<PathBuf>,
}

impl Arguments {
    fn subject(&self, season: Option<usize>) -> SeriesSubject {
        let said = self.log || self.seasonal_difference || self.difference.is_some();
        let airline = self.file.is_none() && !said;
        SeriesSubject {
            file: self.file.clone(),
            column: self.column.clone(),
            exogenous: self.exogenous.clone(),
            date_column: self.date_column.clone(),
            season,
            valid_share: self.valid_share,
            horizon: self.horizon,
            stride: self.stride,
            log: self.log || airline,
            difference: self.difference.unwrap_or(usize::from(airline)),
            seasonal_difference: self.seasonal_difference || airline,
            calendar: self.calendar.clone(),
            lags: self.lags.to_string(),
            network: NetworkSize {
                hidden: self.flags.training.hidden,
                layers: self.flags.training.layers,
            },
        }
    }

    /// The series, and how long its season is.
    fn series(&self) -> Result<(Series, Option<usize>), Failure> {
        let options = SeriesOptions {
            columns: self.column.clone(),
            exogenous: self.exogenous.clone(),
            date_column: self.date_column.clone(),
            delimiter: None,
        };
        match &self.file {
            Some(file) => Ok((Series::read(file, &options)?, self.season)),
            None if options == SeriesOptions::default() => {
                Ok((Series::airline_passengers(), Some(self.season.unwrap_or(12))))
            }
            None => Err(Failure(
                "--column, --exogenous and --date-column choose from a FILE: name one".into(),
            )),
        }
    }

    /// The calendar features, and the dates if there are any.
    fn dates(&self, series: &Series) -> Result<(Vec<Feature>, Option<Calendar>), Failure> {
        let calendar = series.dates.as_deref().map(Calendar::of);
        if self.calendar.is_empty() {
            if let Some(Ok(Err(error))) =
                calendar.as_ref().map(|read| read.as_ref().map(Calendar::step))
                && !self.flags.output.quiet
            {
                note(format_args!("warning: {error}; the rows are taken for equally far apart"));
            }
            return Ok((Vec::new(), calendar.and_then(Result::ok)));
        }
        let refused = |reason: String| {
            Failure(format!("--calendar: {reason}; correct the dates, or leave --calendar out"))
        };
        let calendar = match calendar {
            Some(calendar) => calendar.map_err(|error| refused(error.to_string()))?,
            None => return Err(refused("there is no column of dates".into())),
        };
        let step = calendar.step().map_err(|error| refused(error.to_string()))?;
        let mut features = Vec::new();
        for name in &self.calendar {
            let more = match name.as_str() {
                AUTO => step.features(),
                name => vec![name.parse().map_err(Failure)?],
            };
            features.extend(
                more.into_iter().filter(|feature| !features.contains(feature)).collect::<Vec<_>>(),
            );
        }
        if features.is_empty() {
            return Err(refused(format!("nothing goes round in rows that are {step} apart")));
        }
        Ok((features, Some(calendar)))
    }
}

/// AR(τ) of each column, and the orders that the criteria choose.
fn autoregressions(
    lags: Lags,
    rows: &Rows,
    (split, targets, season): (usize, usize, Option<usize>),
) -> Result<(Vec<Autoregression>, Vec<[usize; 2]>), Failure> {
    let training = rows.range(rows.first, split);
    let refused = |error| Failure(format!("--lags: {error}"));
    let (mut models, mut orders) = (Vec::new(), Vec::new());
    for target in 0..targets {
        let column: Vec<f64> = training.iter().skip(target).step_by(rows.width).copied().collect();
        let most = Autoregression::most_lags(column.len(), season);
        let chosen = Autoregression::orders(&column, most).map_err(refused)?;
        let lags = match lags {
            Lags::Number(number) => number,
            Lags::Aic => chosen[0],
            Lags::Bic => chosen[1],
        };
        fits_memory(16.0 * column.len() as f64 * (lags + 1) as f64, "--lags")?;
        models.push(Autoregression::fit(&column, lags).map_err(refused)?);
        orders.push(chosen);
    }
    Ok((models, orders))
}

/// All that a training begins with.
struct Learner<'a> {
    arguments: &'a Arguments,
    run: SeriesRun,
    resume: Option<Checkpoint<Progress>>,
    computing: Computing,
    series: Series,
    dates: Option<Calendar>,
    rows: Rows,
    origins: Vec<usize>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Flags { training, .. } = &arguments.flags;
    if arguments.bidirectional {
        return Err(Failure("--bidirectional: a forecast cannot look ahead, and the second direction walks from the end of the window to each step; leave it out".into()));
    }
    let computing = arguments.flags.computing()?;
    let (series, season) = arguments.series()?;
    let split = split_by_time(series.rows(), arguments.valid_share)?;
    let (calendar, dates) = arguments.dates(&series)?;
    let suggested = || dates.as_ref()?.step().ok()?.season().filter(|season| 2 * season <= split);
    let season = season.or_else(suggested);
    if arguments.seasonal_difference && season.is_none() {
        let why = "--seasonal-difference needs the rows of a season: give --season";
        return Err(Failure(why.into()));
    }
    for column in &series.values {
        if let Some(season) = season {
            seasonal(column, split, season)?;
        }
    }
    let subject = arguments.subject(season);
    let features = Features::fit(&series, split, subject.transform(), calendar)?;
    let rows = features.rows(&series, dates.as_ref())?;
    let targets = series.names.len();
    let (autoregressions, orders) =
        autoregressions(arguments.lags, &rows, (split, targets, season))?;
    let config = arguments.flags.config("series", subject, arguments.flags.length.passes());
    let horizon = arguments.horizon;
    let origins = origins(series.rows(), split, horizon, arguments.stride);
    // Before anything is written. The forecasts of the backtest of each method, and as text; a batch of windows.
    let said = (horizon * targets) as f64;
    fits_memory(200.0 * origins.len() as f64 * said, "--horizon")?;
    let batch = training.batch.min(split) as f64 * config.length.window.min(split) as f64;
    fits_memory(32.0 * batch * (rows.width as f64 + said), "--batch")?;
    if training.cell != AUTOREGRESSION {
        training.fits([rows.width, horizon * targets], batch)?;
    }
    if training.cell == AUTOREGRESSION {
        if origins.is_empty() {
            let found = series.rows() - split;
            return Err(SeriesTrainingError::NoValidation { horizon, found }.into());
        }
    } else {
        let output = config.subject.output(targets);
        let how = (&config.training, config.length);
        SeriesLessons::<()>::new(&rows, output, (split, &origins), how, &computing)?;
    }
    let data = SeriesData {
        names: series.names.clone(),
        exogenous: series.exogenous_names.clone(),
        rows: series.rows(),
        split,
        checksum: series_run::checksum(&series),
        orders,
        features,
        autoregressions,
    };
    let (run, resume) = arguments.flags.begin(config, data)?;
    series_run::write(&series, &run.folder)?;
    let learner = Learner { arguments, run, resume, computing, series, dates, rows, origins };
    match training.cell.as_str() {
        AUTOREGRESSION => learner.without_network(),
        cell => cell::visit(cell, learner).expect("clap knows the names"),
    }
}

/// What rows and squares are called.
fn unit(window: usize) -> Unit {
    Unit { steps: "rows", window, loss: |loss| format!("{loss:.4}") }
}

impl Learner<'_> {
    /// AR(τ) by itself: it is fitted already.
    fn without_network(self) -> Result<ExitCode, Failure> {
        let start = Instant::now();
        let Self { arguments, run, series, dates, .. } = self;
        let split = run.data.split;
        let opened = Opened::new(run, series, dates)?;
        let best = &opened.contestants[0];
        let method = &best.method;
        let (targets, horizon) = (opened.run.data.names.len(), arguments.horizon);
        let seen = origins(split, method.needs(), horizon, 1);
        let fitted = (!seen.is_empty())
            .then(|| squared_error(&*method.forecaster, &method.rows, targets, &seen));
        let train_loss = fitted.unwrap_or(opened.run.data.autoregressions[0].variance);
        let valid_loss = best.loss();
        let progress = Progress { done: true, ..Progress::default() };
        let seconds = start.elapsed().as_secs_f64();
        let report = Report {
            train_loss,
            valid_loss,
            steps_per_second: 0.0,
            rows_per_second: 0.0,
            ..report(&opened, &progress, seconds)?
        };
        finish(arguments, &opened, report, 0)
    }
}

/// The report of a run, without its losses and rates.
fn report(opened: &Opened, progress: &Progress, seconds: f64) -> Result<Report, Failure> {
    let main = &opened.contestants[0];
    let mut baselines = BTreeMap::new();
    for Contestant { key, test, .. } in &opened.contestants[1..] {
        baselines.insert(*key, test.loss(&opened.series, &main.method)?);
    }
    Ok(Report {
        run: opened.run.folder.clone(),
        task: "series",
        train_loss: f64::NAN,
        valid_loss: f64::NAN,
        baselines,
        epochs: progress.epochs.len(),
        steps: progress.step,
        done: progress.done,
        seconds,
        steps_per_second: 0.0,
        rows_per_second: 0.0,
        columns: opened.columns()?,
        files: Vec::new(),
    })
}

/// Writes what is written at the end, and prints the report.
fn finish(
    arguments: &Arguments,
    opened: &Opened,
    mut report: Report,
    all: usize,
) -> Result<ExitCode, Failure> {
    report.files = series_report::write(opened)?;
    let mut text = opened.described(&report.columns);
    if all > 0 {
        text += &format!(
            "\n{} epochs, {} of {all} optimizer steps, {:.1} s, {:.0} rows a second\n",
            report.epochs, report.steps, report.seconds, report.rows_per_second
        );
    }
    output::wrote(&mut text, &report.files);
    if !report.done {
        text += &format!("go on with: bptt train series --resume {}\n", report.run.display());
    }
    text += &format!("use it with: bptt forecast {}\n", report.run.display());
    arguments.flags.output.print(&report, &text)?;
    Ok(ExitCode::SUCCESS)
}

impl cell::Visitor for Learner<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, run, resume, computing, series, dates, rows, origins } = self;
        let (settings, length) = (&run.config.training, run.config.length);
        let network = run.config.subject.output(series.names.len());
        let size = run.config.subject.network;
        let model =
            beginner(cell, (rows.width, network), size, (settings, length.window), &computing)?;
        let known = (run.data.split, origins.as_slice());
        let lessons =
            SeriesLessons::<C>::new(&rows, network, known, (settings, length), &computing)?;
        let output = &arguments.flags.output;
        let learnt =
            train(&lessons, model, (&run, resume), &computing, output, unit(length.window))?;
        let Some(learnt) = learnt else { return Ok(ExitCode::SUCCESS) };
        let Learnt { progress, best, all, seconds, steps_per_second, rate } = learnt;
        let opened = Opened::new(run, series, dates)?;
        let report = Report {
            train_loss: best.train_loss,
            valid_loss: best.valid_loss,
            steps_per_second,
            rows_per_second: rate,
            ..report(&opened, &progress, seconds)?
        };
        finish(arguments, &opened, report, all)
    }
}
