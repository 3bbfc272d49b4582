//! `bptt train series`: forecasts of a series in a CSV file.

use super::dates::DateFlags;
use super::options::{named, rate, share, size};
use super::output::{Output, note, page_table, tell, warn};
use super::reading::ReadingFlags;
use super::training::{Ending, Flags, Learnt, Unit, train};
use super::{Failure, output};
use bptt::cell;
use bptt::data::dates::{DateOptions, Feature};
use bptt::data::series::Reading;
use bptt::data::split::GivenUp;
use bptt::model::Lags;
use bptt::model::forecast::{ColumnErrors, Importance, Loss};
use bptt::report;
use bptt::report::series::{accuracy_table, combination, error_by_step_table, next_rows};
use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::{Computing, Epoch, Passes, Progress, Settings};
use bptt::train::memory::check_memory;
use bptt::train::series::{NetworkSize, SeriesLessons, beginner};
use bptt::train::series_choice::{SeasonSource, TransformChoice};
use bptt::train::series_forecast::Backtests;
use bptt::train::series_input::SeriesInput;
use bptt::train::series_run::{self, AUTO, AUTOREGRESSION, SeriesRun, SeriesSubject};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// The rows to come of a series in a CSV file, by the best of what forecasts it
///
/// AR(τ) on transforms of the series, exponential smoothing, a network that starts where AR(τ) ends, and a combination
/// of them and of ARIMA are compared with the last value and the value one --season ago. The last rows test, those before them
/// validate, the others train: from each row on, the next --horizon rows are forecast as if nothing after it were known.
/// What is chosen (season, logarithms, differences, the network's epoch, the method) is chosen before the test rows,
/// and printed as flags; each flag that is given is obeyed. Errors are MAE, RMSE, sMAPE and MASE, intervals are judged
/// by the share of test rows in them and MSIS. The run keeps all that bptt forecast needs, which forecasts from all
/// rows. Without FILE the series is the monthly number of airline passengers, 1949 to 1960 (Box & Jenkins 1976, series G).
///
/// A file with several series, by --id COLUMN or --wide, is learnt by one network: see bptt train panel --help.
///
/// Example: bptt train series sales.csv --column revenue --horizon 14, then: bptt forecast runs/series
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("cell", |arg| arg
        .default_value(AUTO)
        .help("Cell of the network; auto: elman, or none where the rows are too few; ar: no network")
        .value_parser(PossibleValuesParser::new(cell::names().chain([AUTOREGRESSION, AUTO])))),
    mut_arg("hidden", |arg| arg.default_value("32")),
    mut_arg("layers", |arg| arg.default_value("1")),
    mut_arg("batch", |arg| arg.default_value("16").help("Windows of a batch")),
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
    /// Column whose values are known ahead, as a promotion (1, else 0, or a word for each kind): what it does is taken out
    /// of the series by least squares and put back into the forecasts, to which bptt forecast --future FILE gives the
    /// values to come; may be repeated
    #[arg(long, value_name = "NAME")]
    future_known: Vec<String>,
    /// Column of these inputs whose numbers are codes: an indicator for each that three rows have, as for words; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    categorical: Vec<String>,
    /// CSV file with holidays, past ones and those of the rows to come: a line each with its date, and perhaps its name
    /// (2024-12-25,Christmas). What they do is taken out and put back as that of a known column; a name on two days has
    /// an effect of its own, and so have the days before and after, where that helps on rows that were left out
    #[arg(long, value_name = "FILE.csv")]
    holidays: Option<PathBuf>,
    /// Column with dates [default: the one that looks like dates, or is named so]
    #[arg(long, value_name = "NAME")]
    date_column: Option<String>,
    #[command(flatten)]
    reading: ReadingFlags,
    #[command(flatten)]
    dates: DateFlags,
    /// Rows of a season; 1: none [default: as the dates suggest, if two fit the training rows: 12 months, 4 quarters,
    /// 52 weeks, 7 days, a day of what is shorter; without dates, after how many rows the series repeats itself]
    #[arg(long, value_name = "N", value_parser = size)]
    season: Option<usize>,
    /// Share of the rows that validate, before those that test [default: 0.25, a horizon at least]
    #[arg(long, value_name = "X", value_parser = share)]
    valid_share: Option<f64>,
    /// Share of the rows, the last ones, that test; 0: none [default: 0.15, a horizon at least, none in a short series]
    #[arg(long, value_name = "X", value_parser = rate)]
    test_share: Option<f64>,
    /// Rows that are forecast at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    horizon: usize,
    /// Rows from one origin of the backtest to the next
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    stride: usize,
    /// Forecast logarithms, for what grows in percent; --log=false: do not [default: chosen]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    log: Option<bool>,
    /// Forecast the change from row to row, or with 2 the change of that [default: chosen, 0 or 1]
    #[arg(long, value_name = "N", value_parser = order)]
    difference: Option<usize>,
    /// Forecast the change over a season of --season rows [default: chosen]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    seasonal_difference: Option<bool>,
    /// What the network reads of a row's date: month, day-of-year, day-of-month, day-of-week, hour, minute, or auto
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = calendar)]
    calendar: Vec<String>,
    /// Order of AR(τ): a number, or aic or bic (the same as auto), by which it is chosen
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    lags: Lags,
    /// What the network makes small: squared, absolute or huber
    #[arg(long, value_name = "NAME", default_value = "squared", value_parser = named::<Loss>(Loss::NAMES))]
    loss: Loss,
    /// Networks, drawn and taught in other orders, whose forecasts are averaged
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    ensemble: usize,
    /// Refused: a forecast cannot look ahead
    #[arg(long, hide = true)]
    bidirectional: bool,
    #[command(flatten)]
    flags: Flags<Length>,
}

/// How long to train, and on what windows.
#[derive(clap::Args, Clone, Debug)]
struct Length {
    /// Passes over the training data
    #[arg(long, value_name = "N", default_value = "60", value_parser = size)]
    epochs: usize,
    /// Rows that the network sees before a forecast [default: 24, or a season and one, up to 64]
    #[arg(long, value_name = "N", value_parser = size)]
    window: Option<usize>,
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

/// What `--json` prints. Losses and baselines are the mean loss of transformed and standardised values over all steps of the
/// horizon, on validation rows; the losses are those of the best epoch, whose model is kept. `columns` is about test rows,
/// where there are some.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    /// The flags that repeat what was chosen.
    chosen: String,
    /// The method that forecasts.
    method: &'static str,
    /// The parts of the combination, a column each.
    combination: Vec<BTreeMap<&'static str, f64>>,
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
    /// What the forecast listens to, a column each.
    importance: Vec<Importance>,
    files: Vec<PathBuf>,
}

impl Arguments {
    /// The settings.
    fn subject(&self) -> SeriesSubject {
        let (hidden, layers) = (self.flags.training.hidden, self.flags.training.layers);
        SeriesSubject {
            file: self.file.clone(),
            column: self.column.clone(),
            exogenous: self.exogenous.clone(),
            future_known: self.future_known.clone(),
            categorical: self.categorical.clone(),
            holidays: self.holidays.clone(),
            date_column: self.date_column.clone(),
            reading: self.reading.over(&Reading::default()),
            dates: self.dates.over(&DateOptions::default()),
            season: self.season,
            valid_share: self.valid_share,
            test_share: self.test_share,
            horizon: self.horizon,
            stride: self.stride,
            log: self.log,
            difference: self.difference,
            seasonal_difference: self.seasonal_difference,
            calendar: self.calendar.clone(),
            lags: self.lags,
            loss: self.loss,
            ensemble: self.ensemble,
            network: NetworkSize { hidden, layers },
        }
    }

    /// The cell and the window of the network, where they are not given: none where the rows are too few for one.
    fn network(&self, input: &SeriesInput) -> (String, usize) {
        /// Where there is no network.
        const NONE: usize = 1;
        let window = self.flags.length.window.or(input.window());
        match (self.flags.training.cell.as_str(), window) {
            (AUTO, None) => (AUTOREGRESSION.into(), NONE),
            (AUTO, Some(window)) => ("elman".into(), window),
            (cell, window) => (cell.into(), window.unwrap_or(24)),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let output = arguments.flags.output.clone();
    if arguments.bidirectional {
        return Err(Failure("--bidirectional: a forecast cannot look ahead, and the second direction walks from the end of the window to each step; leave it out".into()));
    }
    let computing = arguments.flags.computing()?;
    let input = match &arguments.flags.training.resume {
        Some(run) => read_again(arguments.subject(), run)?,
        None => SeriesInput::read(arguments.subject())?,
    };
    let mut flags = arguments.flags.clone();
    let (cell, window) = arguments.network(&input);
    let has_network = cell != AUTOREGRESSION;
    let is_too_short = !has_network && flags.training.cell == AUTO;
    flags.training.cell = cell;
    let (targets, width, split) = (input.data.names.len(), input.rows.width, input.data.split);
    let passes = Passes { epochs: flags.length.epochs, window };
    let config = flags.config("series", input.subject.clone(), passes);
    // Before anything is written.
    if has_network {
        let outputs = (arguments.horizon * targets) as f64;
        let batch = flags.training.batch.min(split) as f64 * passes.window.min(split) as f64;
        let batch = batch * arguments.ensemble as f64;
        check_memory(32.0 * batch * (width as f64 + outputs), "--batch")?;
        flags.training.fits([width, arguments.horizon * targets], batch)?;
        lessons(&input, (&config.training, passes), &computing)?;
    }
    let (run, resume) = flags.begin(config, input.data.clone())?;
    tell(&input.series.notes, output.quiet);
    if !output.quiet {
        said(&input, is_too_short);
    }
    // A run that goes on has it, unless it was killed at its start or the file is damaged.
    if !series_run::is_kept(&run) {
        series_run::write(&input.series, &run.folder)?;
    }
    match has_network {
        false => without_network(run, input, &output),
        true => learn(run, input, (resume, &computing), &output),
    }
}

/// What the network of a run learns.
fn lessons<'a>(
    input: &'a SeriesInput,
    how: (&Settings, Passes),
    computing: &Computing,
) -> Result<SeriesLessons<'a>, Failure> {
    let taught = (input.data.output(input.subject.horizon), input.subject.loss);
    let known = (input.data.split, input.origins.as_slice());
    Ok(SeriesLessons::new(&input.rows, taught, known, how, computing)?)
}

/// What a short series goes without.
fn said(input: &SeriesInput, is_too_short: bool) {
    let rows = input.series.rows();
    match input.given_up {
        GivenUp::Nothing => {}
        GivenUp::Shares => {
            note(format_args!("{rows} rows are few: fewer of them validate and test than usual"))
        }
        GivenUp::Test => note(format_args!(
            "{rows} rows are too few for a test: the errors are those of the validation rows, by which the method is chosen too"
        )),
    }
    if is_too_short {
        note(format_args!("the rows are too few for a network: there is none, as with --cell ar"));
    }
}

/// The flags for what was chosen.
fn chosen_flags(run: &SeriesRun) -> String {
    let SeriesSubject { season, log, difference, seasonal_difference, .. } = run.config.subject;
    let truth = |flag: &str, truth: Option<bool>| match truth {
        Some(true) => format!(" --{flag}"),
        _ => format!(" --{flag}=false"),
    };
    let mut flags = format!("--season {}", season.unwrap_or(1));
    flags += &truth("log", log);
    flags += &format!(" --difference {}", difference.unwrap_or(0));
    if season.is_some_and(|season| season > 1) {
        flags += &truth("seasonal-difference", seasonal_difference);
    }
    flags
}

/// What was chosen as a command, and why.
fn chosen(run: &SeriesRun, input: &Choices) -> Option<String> {
    let SeriesSubject { ref file, horizon, ref column, .. } = run.config.subject;
    if !input.has_chosen {
        return None;
    }
    let mut command = "bptt train series".to_string();
    command.extend(file.iter().map(|file| format!(" {}", output::shown(file))));
    command
        .extend(column.iter().map(|name| format!(" --column {}", output::shown(Path::new(name)))));
    let named = |flag: &str, name: &Path| format!(" --{flag} {}", output::shown(name));
    let SeriesSubject { exogenous, future_known, categorical, holidays, .. } = &run.config.subject;
    let inputs = [("exogenous", exogenous), ("future-known", future_known)];
    for (flag, names) in inputs.into_iter().chain([("categorical", categorical)]) {
        command.extend(names.iter().map(|name| named(flag, Path::new(name))));
    }
    command.extend(holidays.iter().map(|file| named("holidays", file)));
    command += &format!(" --horizon {horizon} {}", chosen_flags(run));
    let mut why = Vec::new();
    match (input.season, run.config.subject.season) {
        (Some(SeasonSource::Dates), Some(season)) => {
            why.push(format!("the dates suggest a season of {season} rows"))
        }
        (Some(SeasonSource::Autocorrelation), Some(season)) => {
            why.push(format!("the series repeats itself after {season} rows"));
        }
        _ => {}
    }
    match input.transform {
        Some(TransformChoice { tried: 0, .. }) => {
            why.push("there are too few rows to try transforms".into())
        }
        Some(TransformChoice { tried, gain, .. }) => {
            let gain = match gain {
                Some(gain) if gain > 0.0 => {
                    format!(", {:.0} % below its error without one", 100.0 * gain)
                }
                Some(_) => ", the series as it is".into(),
                None => String::new(),
            };
            why.push(format!("of {tried} transforms AR forecasts best on this one{gain}"));
        }
        None => {}
    }
    if let Some(row) = input.transform.and_then(|choice| choice.without_logarithm) {
        why.push(format!(
            "without logarithms, which the rows before the test suggest, because row {} has none",
            row + 1
        ));
    }
    Some(format!("chosen before the test rows: {command}\n  ({})\n", why.join("; ")))
}

/// What was chosen, and by what.
struct Choices {
    has_chosen: bool,
    season: Option<SeasonSource>,
    transform: Option<TransformChoice>,
}

impl Choices {
    fn of(input: &SeriesInput) -> Self {
        Self { has_chosen: input.has_chosen(), season: input.season, transform: input.transform }
    }
}

/// The series of a run that goes on, of which it holds a copy.
fn read_again(subject: SeriesSubject, run: &Path) -> Result<SeriesInput, Failure> {
    let mut files = subject.file.iter().chain(&subject.holidays);
    let file = files.find(|file| !file.exists()).cloned();
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

/// Without a network: all is fitted already.
fn without_network(
    run: SeriesRun,
    input: SeriesInput,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let choices = Choices::of(&input);
    let backtests = Backtests::new(run, input.series, input.dates)?;
    let train_loss = backtests.autoregression_training_loss();
    let progress = Progress { done: true, ..Progress::default() };
    let seconds = start.elapsed().as_secs_f64();
    let report = Report { train_loss, ..report(&backtests, AUTOREGRESSION, &progress, seconds)? };
    finish(output, (&backtests, &choices), report, None)
}

fn learn(
    run: SeriesRun,
    input: SeriesInput,
    (resume, computing): (Option<Checkpoint>, &Computing),
    output: &Output,
) -> Result<ExitCode, Failure> {
    let choices = Choices::of(&input);
    let (settings, length) = (&run.config.training, run.config.length);
    let outputs = input.data.output(run.config.subject.horizon).width();
    let size = (run.config.subject.network, run.config.subject.ensemble);
    let how = (settings, length.window);
    let model = beginner(run.cell()?, [input.rows.width, outputs], size, how, computing)?;
    let lessons = lessons(&input, (settings, length), computing)?;
    let unit = unit(length.window, settings.early_stop.is_some());
    let learnt = match train(&lessons, model, (&run, resume), computing, output, unit)? {
        Ending::Early(code) => return Ok(code),
        Ending::Learnt(learnt) => learnt,
    };
    let Learnt { ref progress, best, seconds, steps_per_second, rate, .. } = learnt;
    let backtests = Backtests::new(run, input.series, input.dates)?;
    let report = Report {
        train_loss: best.train_loss,
        steps_per_second,
        rows_per_second: rate,
        ..report(&backtests, "network", progress, seconds)?
    };
    finish(output, (&backtests, &choices), report, Some(&learnt))
}

/// The report of a run, without what only a training knows; `trained` is the key of what was trained.
fn report(
    backtests: &Backtests,
    trained: &str,
    progress: &Progress,
    seconds: f64,
) -> Result<Report, Failure> {
    let losses =
        backtests.methods.iter().map(|method| (method.key, backtests.validation_loss(method)));
    let mut baselines: BTreeMap<&'static str, f64> = losses.collect();
    let valid_loss = baselines.remove(trained).unwrap_or(f64::NAN);
    let shares = backtests.shares.iter();
    Ok(Report {
        run: backtests.run.folder.clone(),
        task: "series",
        chosen: chosen_flags(&backtests.run),
        method: backtests.methods[0].key,
        combination: shares.map(|shares| shares.iter().copied().collect()).collect(),
        train_loss: f64::NAN,
        valid_loss,
        baselines,
        epochs: progress.epochs.len(),
        steps: progress.step,
        done: progress.done,
        seconds,
        steps_per_second: 0.0,
        rows_per_second: 0.0,
        columns: backtests.column_errors()?,
        importance: backtests.importance.clone(),
        files: Vec::new(),
    })
}

/// Writes what is written at the end, and prints the report.
fn finish(
    output: &Output,
    (backtests, choices): (&Backtests, &Choices),
    mut report: Report,
    learnt: Option<&Learnt>,
) -> Result<ExitCode, Failure> {
    let written = report::series::write(backtests)?;
    warn(&written.warnings);
    report.files = written.files;
    let mut text = text(backtests, choices, &report.columns);
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

/// What was chosen, the rows, the orders of AR(τ), and the errors of each method.
fn text(backtests: &Backtests, choices: &Choices, columns: &[ColumnErrors]) -> String {
    let Backtests { run, series, methods, .. } = backtests;
    let (rows, horizon) = (series.rows(), run.config.subject.horizon);
    let (split, test) = (run.data.split, run.data.test);
    let mut text = chosen(run, choices).unwrap_or_default();
    text += &format!(
        "{rows} rows: {split} train, {} validate, {} test; {} forecasts of {}\n",
        test - split,
        rows - test,
        methods[0].shown().origins.len(),
        next_rows(horizon)
    );
    if let Some(dates) = &series.dates {
        let (from, what) = if test < rows { (test, "test") } else { (split, "validation") };
        text += &format!("{what} from {} to {}\n", dates[from], dates[rows - 1]);
    }
    for (name, orders) in series.names.iter().zip(&run.data.orders) {
        let [aic, bic] = orders;
        text += &format!("AR of {name}: AIC chooses {aic} lags, BIC {bic}\n");
    }
    for (c, (column, shares)) in columns.iter().zip(&backtests.shares).enumerate() {
        text += &format!("\n{}", page_table(&accuracy_table(column)));
        if horizon > 1 {
            text += &format!("\n{}", page_table(&error_by_step_table(column, 8)));
        }
        let parts = combination(shares).map(|parts| format!("the combination: {parts}\n"));
        text += &parts.unwrap_or_default();
        text += &format!("best in validation, and used: {}\n{}\n", methods[0].name, column.verdict);
        text.extend(column.bias.iter().map(|bias| format!("{bias}\n")));
        let heard = backtests.importance.get(c).and_then(report::importance::table);
        text.extend(heard.map(|table| format!("\n{}", page_table(&table))));
    }
    let outside = backtests.columns_outside_training_range();
    if !outside.is_empty() {
        text += &format!(
            "{}: later rows are outside the training range, where the network has learnt nothing; try --difference 1\n",
            outside.join(", ")
        );
    }
    text
}
