//! `bptt train series`: forecasts of a series in a CSV file.

use super::dates::DateFlags;
use super::options::{share, size};
use super::output::{Output, note, page_table, tell, warn};
use super::reading::ReadingFlags;
use super::training::{Ending, Flags, Learnt, PassFlags, Unit, train};
use super::{Failure, output};
use bptt::cell;
use bptt::data::dates::{DateOptions, Feature};
use bptt::data::series::Reading;
use bptt::model::Lags;
use bptt::model::forecast::{ColumnErrors, TestedMethod};
use bptt::report;
use bptt::report::series::{accuracy_table, error_by_step_table, next_rows};
use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::{Computing, Epoch, Progress};
use bptt::train::memory::check_memory;
use bptt::train::series::{NetworkSize, SeriesLessons, beginner};
use bptt::train::series_forecast::Backtests;
use bptt::train::series_input::SeriesInput;
use bptt::train::series_run::{self, AUTO, AUTOREGRESSION, SeriesRun, SeriesSubject};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// A network learns to forecast a series in a CSV file
///
/// The last rows validate: from each of them on, the next --horizon rows are forecast as if nothing after it were
/// known. The network is compared with AR(τ), a linear model by least squares (alone with --cell ar), with the last
/// value and with the value one --season ago; errors are MAE, RMSE, sMAPE and MASE. The run keeps all that
/// bptt forecast needs. Logarithms and differences make many series easier: the returns of a price are
/// --log --difference 1. Without FILE the series is the monthly number of airline passengers, 1949 to 1960 (Box &
/// Jenkins 1976, series G), with a season of 12 and, where no transform is chosen, logarithms and both differences, as
/// Box and Jenkins took them.
///
/// A file with several series, by --id COLUMN or --wide, is learnt by one network: see bptt train panel --help.
///
/// Example: bptt train series sales.csv --column revenue --season 7 --horizon 14, then: bptt forecast runs/series
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("cell", |arg| arg
        .default_value("elman")
        .help("Cell of the network; ar: no network, AR(τ) alone")
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
    /// Column to forecast, by name or number from 1; may be repeated [default: all numeric ones that do
    /// not number the rows]
    #[arg(long, value_name = "NAME")]
    column: Vec<String>,
    /// Column that the network reads and does not forecast; may be repeated
    #[arg(long, value_name = "NAME")]
    exogenous: Vec<String>,
    /// Column with dates [default: the one that looks like dates, or is named so]
    #[arg(long, value_name = "NAME")]
    date_column: Option<String>,
    #[command(flatten)]
    reading: ReadingFlags,
    #[command(flatten)]
    dates: DateFlags,
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
    /// What the network reads of a row's date: month, day-of-year, day-of-month, day-of-week, hour, minute, or auto
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

/// What `--json` prints. Losses and baselines are mean squared errors of transformed and standardised values over all
/// steps of the horizon; the losses are those of the best epoch, whose model is kept.
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
    columns: Vec<ColumnErrors>,
    files: Vec<PathBuf>,
}

impl Arguments {
    /// The settings; without a file and a transform, the series of the airline passengers and Box and Jenkins' transforms.
    fn subject(&self) -> SeriesSubject {
        let chosen = self.log || self.seasonal_difference || self.difference.is_some();
        let airline = self.file.is_none() && !chosen;
        let (hidden, layers) = (self.flags.training.hidden, self.flags.training.layers);
        SeriesSubject {
            file: self.file.clone(),
            column: self.column.clone(),
            exogenous: self.exogenous.clone(),
            date_column: self.date_column.clone(),
            reading: self.reading.over(&Reading::default()),
            dates: self.dates.over(&DateOptions::default()),
            season: self.season,
            valid_share: self.valid_share,
            horizon: self.horizon,
            stride: self.stride,
            log: self.log || airline,
            difference: self.difference.unwrap_or(usize::from(airline)),
            seasonal_difference: self.seasonal_difference || airline,
            calendar: self.calendar.clone(),
            lags: self.lags,
            network: NetworkSize { hidden, layers },
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Flags { training, output, .. } = &arguments.flags;
    if arguments.bidirectional {
        return Err(Failure("--bidirectional: a forecast cannot look ahead, and the second direction walks from the end of the window to each step; leave it out".into()));
    }
    let computing = arguments.flags.computing()?;
    let input = match &training.resume {
        Some(run) => read_again(arguments.subject(), run)?,
        None => SeriesInput::read(arguments.subject())?,
    };
    let (targets, width, split) = (input.data.names.len(), input.rows.width, input.data.split);
    let passes = arguments.flags.length.passes();
    let config = arguments.flags.config("series", input.subject.clone(), passes);
    // Before anything is written.
    if training.cell != AUTOREGRESSION {
        let outputs = (arguments.horizon * targets) as f64;
        let batch = training.batch.min(split) as f64 * passes.window.min(split) as f64;
        check_memory(32.0 * batch * (width as f64 + outputs), "--batch")?;
        training.fits([width, arguments.horizon * targets], batch)?;
        let how = (&config.training, passes);
        let network = config.subject.output(targets);
        SeriesLessons::new(&input.rows, network, (split, &input.origins), how, &computing)?;
    }
    let (run, resume) = arguments.flags.begin(config, input.data.clone())?;
    tell(&input.series.notes, output.quiet);
    // A run that goes on has it, unless it was killed at its start or the file is damaged.
    if !series_run::is_kept(&run) {
        series_run::write(&input.series, &run.folder)?;
    }
    match training.cell.as_str() {
        AUTOREGRESSION => without_network(run, input, output),
        _ => learn(run, input, (resume, &computing), output),
    }
}

/// The series of a run that goes on, of which it holds a copy.
fn read_again(subject: SeriesSubject, run: &Path) -> Result<SeriesInput, Failure> {
    let file = subject.file.clone();
    let (input, is_kept) = SeriesInput::read_again(subject, run)?;
    if let Some(file) = file.filter(|_| is_kept) {
        let (file, kept) = (file.display(), run.join(series_run::FILE));
        note(format_args!("{file} is not there: going on with {}", kept.display()));
    }
    Ok(input)
}

/// What rows and squares are called.
fn unit(window: usize, may_end_early: bool) -> Unit {
    let loss = |epoch: &Epoch| format!("{:.4}", epoch.valid_loss);
    Unit { steps: "rows", window, epoch: "epoch", loss, may_end_early }
}

/// AR(τ) by itself: it is fitted already.
fn without_network(
    run: SeriesRun,
    input: SeriesInput,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let backtests = Backtests::new(run, input.series, input.dates)?;
    let train_loss = backtests.autoregression_training_loss();
    let valid_loss = backtests.methods[0].loss();
    let progress = Progress { done: true, ..Progress::default() };
    let seconds = start.elapsed().as_secs_f64();
    let report = Report { train_loss, valid_loss, ..report(&backtests, &progress, seconds)? };
    finish(output, &backtests, report, None)
}

fn learn(
    run: SeriesRun,
    input: SeriesInput,
    (resume, computing): (Option<Checkpoint>, &Computing),
    output: &Output,
) -> Result<ExitCode, Failure> {
    let SeriesInput { series, dates, rows, origins, .. } = input;
    let (settings, length) = (&run.config.training, run.config.length);
    let network = run.config.subject.output(series.names.len());
    let size = run.config.subject.network;
    let how = (settings, length.window);
    let model = beginner(run.cell()?, (rows.width, network), size, how, computing)?;
    let known = (run.data.split, origins.as_slice());
    let lessons = SeriesLessons::new(&rows, network, known, (settings, length), computing)?;
    let unit = unit(length.window, settings.early_stop.is_some());
    let learnt = match train(&lessons, model, (&run, resume), computing, output, unit)? {
        Ending::Early(code) => return Ok(code),
        Ending::Learnt(learnt) => learnt,
    };
    let Learnt { ref progress, best, seconds, steps_per_second, rate, .. } = learnt;
    let backtests = Backtests::new(run, series, dates)?;
    let report = Report {
        train_loss: best.train_loss,
        valid_loss: best.valid_loss,
        steps_per_second,
        rows_per_second: rate,
        ..report(&backtests, progress, seconds)?
    };
    finish(output, &backtests, report, Some(&learnt))
}

/// The report of a run, without its losses and rates.
fn report(backtests: &Backtests, progress: &Progress, seconds: f64) -> Result<Report, Failure> {
    let main = &backtests.methods[0];
    let mut baselines = BTreeMap::new();
    for TestedMethod { key, test, .. } in &backtests.methods[1..] {
        baselines.insert(*key, test.loss(&backtests.series, &main.method)?);
    }
    Ok(Report {
        run: backtests.run.folder.clone(),
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
        columns: backtests.column_errors()?,
        files: Vec::new(),
    })
}

/// Writes what is written at the end, and prints the report.
fn finish(
    output: &Output,
    backtests: &Backtests,
    mut report: Report,
    learnt: Option<&Learnt>,
) -> Result<ExitCode, Failure> {
    let written = report::series::write(backtests)?;
    warn(&written.warnings);
    report.files = written.files;
    let mut text = text(backtests, &report.columns);
    if let Some(learnt) = learnt {
        text += &format!(
            "\n{} epochs, {}, {:.1} s{}\n",
            report.epochs,
            learnt.steps(),
            report.seconds,
            learnt.rate_of("rows")
        );
    }
    output::wrote(&mut text, &report.files);
    if report.done {
        text += &format!("use it with: bptt forecast {}\n", super::output::shown(&report.run));
    }
    output.print(&report, &text)?;
    Ok(learnt.map_or(ExitCode::SUCCESS, Learnt::end))
}

/// The rows, the orders of AR(τ), and the errors of each method.
fn text(backtests: &Backtests, columns: &[ColumnErrors]) -> String {
    let Backtests { run, series, methods, .. } = backtests;
    let (rows, split, horizon) = (series.rows(), run.data.split, run.config.subject.horizon);
    let mut text = format!(
        "{rows} rows, {split} to train on and {} to validate on; {} forecasts of {}\n",
        rows - split,
        methods[0].test.origins.len(),
        next_rows(horizon)
    );
    if let Some(dates) = &series.dates {
        text += &format!("validation from {} to {}\n", dates[split], dates[rows - 1]);
    }
    for (name, orders) in series.names.iter().zip(&run.data.orders) {
        let [aic, bic] = orders;
        text += &format!("AR of {name}: AIC chooses {aic} lags, BIC {bic}\n");
    }
    for column in columns {
        text += &format!("\n{}", page_table(&accuracy_table(column)));
        if horizon > 1 {
            text += &format!("\n{}", page_table(&error_by_step_table(column, 8)));
        }
        text += &format!("{}\n", column.verdict);
    }
    let outside = backtests.columns_outside_training_range();
    if !outside.is_empty() {
        text += &format!(
            "{}: the validation rows are outside the training range, where the network has learnt nothing; try --difference 1\n",
            outside.join(", ")
        );
    }
    text
}
