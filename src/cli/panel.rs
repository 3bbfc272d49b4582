//! `bptt train panel`: forecasts of many series in a CSV file by one network.

use super::Failure;
use super::dates::DateFlags;
use super::options::size;
use super::output::{self, note, page_table, tell, warn};
use super::reading::ReadingFlags;
use super::training::{Ending, Flags, Learnt, Unit, train};
use bptt::data::dates::DateOptions;
use bptt::data::series::Reading;
use bptt::model::forecast::Importance;
use bptt::model::panel::{Ensemble, Geometry};
use bptt::report;
use bptt::report::importance::table as importance_table;
use bptt::report::panel::{intervals_table, measures_table, verdict};
use bptt::train::lessons::{Epoch, Passes};
use bptt::train::panel::PanelLessons;
use bptt::train::panel_forecast::{IntervalMeasures, MethodMeasures, PanelBacktest};
use bptt::train::panel_input::{PanelInput, PanelSizes, taught};
use bptt::train::panel_run::{self, PanelSubject};
use bptt::train::series::NetworkSize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// One network learns to forecast many series in a CSV file
///
/// Each row of the file is a series (--wide: its id, then its values), or belongs to the series that --id names, or each
/// column of numbers is one. The last --horizon rows of each series test, the --horizon rows before them validate (with
/// --test FILE, the rows that test are in a file of their own); what is printed comes from the rows that test, which choose
/// nothing. Each window of a series is scaled by its own level and deviation; where all values are above 0 that of their
/// logarithms. A step of the network reads a season of rows. It forecasts a median and intervals, and learns what a linear
/// path beside it leaves; --ensemble networks are averaged. Millions of rows take about 26 bytes of memory each.
///
/// Example: bptt train panel sales.csv --id shop --horizon 14, then: bptt forecast runs/panel
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("cell", |arg| arg.default_value("gru")),
    mut_arg("hidden", |arg| arg.default_value("64")),
    mut_arg("layers", |arg| arg.default_value("1")),
    mut_arg("batch", |arg| arg.default_value("256").help("Windows of a batch")),
    mut_arg("lr", |arg| arg.default_value("0.003")),
    mut_arg("schedule", |arg| arg.default_value("warmup:100")),
    mut_arg("clip", |arg| arg.default_value("1")),
    mut_arg("accumulate", |arg| arg
        .help("Batches whose gradients are added up to one optimizer step")),
)]
pub struct Arguments {
    /// CSV file
    file: Option<PathBuf>,
    /// Column that names the series of each row
    #[arg(long, value_name = "COLUMN", conflicts_with = "wide")]
    id: Option<String>,
    /// Each row is a series: its id, then its values, the oldest first; rows may end early
    #[arg(long)]
    wide: bool,
    /// Column to forecast, by name or number from 1; may be repeated [default: all numeric ones that do
    /// not number the rows]
    #[arg(long, value_name = "NAME")]
    column: Vec<String>,
    /// Column with what each series is, as its region or type, in words or in numbers that are codes, the same in all rows
    /// of a series: the network reads it; may be repeated [default: all columns of words like that]
    #[arg(long, value_name = "NAME")]
    categorical: Vec<String>,
    /// CSV file with holidays, past ones and those of the rows to come: a line each with its date, and perhaps its name
    /// (2024-12-25,Christmas). What they do to all series, and to each, is taken out before the network reads a series
    /// and put back into the forecasts
    #[arg(long, value_name = "FILE.csv")]
    holidays: Option<PathBuf>,
    /// Column with dates [default: the one that looks like dates, or is named so]
    #[arg(long, value_name = "NAME")]
    date_column: Option<String>,
    #[command(flatten)]
    reading: ReadingFlags,
    #[command(flatten)]
    dates: DateFlags,
    /// Rows of a season, which a step of the network reads [default: as the dates suggest, else 1]
    #[arg(long, value_name = "N", value_parser = size)]
    season: Option<usize>,
    /// Rows that are forecast at once [default: a season, 12 without one]
    #[arg(long, value_name = "N", value_parser = size)]
    horizon: Option<usize>,
    /// CSV file in the same layout with the rows that test [default: the last rows of each series]
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Rows from one window of a series to the next [default: so many that there are at most 50 000 windows]
    #[arg(long, value_name = "N", value_parser = size)]
    stride: Option<usize>,
    /// Networks, drawn and taught in other orders, whose forecasts are averaged
    #[arg(long, value_name = "N", default_value = "5", value_parser = size)]
    ensemble: usize,
    #[command(flatten)]
    flags: Flags<PanelPasses>,
}

/// `bptt train series` with `--id` or `--wide` is this command.
pub fn take_over(arguments: &mut [OsString]) {
    let flags = arguments.iter().take_while(|argument| *argument != "--");
    let mut names = flags
        .filter_map(|argument| argument.to_str())
        .map(|argument| argument.split_once('=').map_or(argument, |(name, _)| name));
    let many = names.any(|name| matches!(name, "--id" | "--wide"));
    let task = arguments.iter().skip(1).position(|argument| argument == "series");
    if let Some(task) = task.filter(|_| many && arguments[1] == "train") {
        arguments[task + 1] = "panel".into();
    }
}

/// Optimizer steps, where no number of epochs is asked for.
const STEPS: usize = 3500;

/// How long to train.
#[derive(clap::Args, Clone, Debug)]
pub struct PanelPasses {
    /// Passes over the training data [default: so many that 3500 optimizer steps are taken, 10 to 500]
    #[arg(long, value_name = "N", value_parser = size)]
    epochs: Option<usize>,
    /// Rows that the network sees before a forecast, whole seasons [default: up to seven seasons, as many as half of
    /// the series have room for twice; without a season up to 24 rows]
    #[arg(long, value_name = "N", value_parser = size)]
    window: Option<usize>,
}

/// What `--json` prints. The losses are those of the best epoch, in units of Naive 2's.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    series: usize,
    train_loss: f64,
    valid_loss: f64,
    baselines: BTreeMap<String, f64>,
    epochs: usize,
    steps: usize,
    done: bool,
    seconds: f64,
    steps_per_second: f64,
    valid: Vec<MethodMeasures>,
    test: Vec<MethodMeasures>,
    intervals: Vec<IntervalMeasures>,
    /// What the networks listen to.
    importance: Importance,
    method: String,
    verdict: String,
    files: Vec<PathBuf>,
}

impl Arguments {
    fn subject(&self) -> Result<PanelSubject, Failure> {
        let file =
            self.file.clone().ok_or_else(|| Failure("name the FILE with the series".into()))?;
        let (hidden, layers) = (self.flags.training.hidden, self.flags.training.layers);
        Ok(PanelSubject {
            file,
            id: self.id.clone(),
            wide: self.wide,
            column: self.column.clone(),
            categorical: self.categorical.clone(),
            holidays: self.holidays.clone(),
            date_column: self.date_column.clone(),
            reading: self.reading.over(&Reading::default()),
            dates: self.dates.over(&DateOptions::default()),
            test: self.test.clone(),
            season: self.season.unwrap_or(1),
            horizon: self.horizon.unwrap_or(1),
            stride: self.stride.unwrap_or(1),
            ensemble: self.ensemble,
            network: NetworkSize { hidden, layers },
        })
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Flags { training, length, output, .. } = &arguments.flags;
    let computing = arguments.flags.computing()?;
    let sizes = PanelSizes {
        season: arguments.season,
        horizon: arguments.horizon,
        window: length.window,
        stride: arguments.stride,
    };
    let input = match &training.resume {
        Some(run) => {
            let (input, is_kept) = PanelInput::read_again(arguments.subject()?, sizes, run)?;
            if is_kept {
                let PanelSubject { file, test, holidays, .. } = &input.subject;
                let mut files = [file].into_iter().chain(test).chain(holidays);
                let file = files.find(|file| !file.exists()).unwrap_or(file).display();
                let kept = run.join(panel_run::FILE);
                note(format_args!("{file} is not there: going on with {}", kept.display()));
            }
            input
        }
        None => PanelInput::read(arguments.subject()?, sizes)?,
    };
    let PanelInput { subject, window, panel, plain, test, data, windows, notes } = input;
    let steps = windows.div_ceil(training.batch).div_euclid(training.accumulate).max(1);
    let epochs = length.epochs.unwrap_or_else(|| STEPS.div_ceil(steps).clamp(10, 500));
    let passes = Passes { epochs, window };
    let categories = data.categories.iter().map(|known| known.means.len()).sum();
    let PanelSubject { season, horizon, .. } = subject;
    let geometry = Geometry { window, season, horizon, link: data.link, categories };
    let config = arguments.flags.config("panel", subject, passes);
    let batch = training.batch.min(windows) as f64 * arguments.ensemble as f64;
    training.fits([geometry.features(), geometry.outputs()], batch)?;
    let (run, resume) = arguments.flags.begin(config, data)?;
    tell(&notes, output.quiet);
    // A run that goes on has them, unless it was killed at its start.
    let files = [(Some(&panel), panel_run::FILE), (test.as_ref(), panel_run::TEST_FILE)];
    for (panel, name) in files {
        let file = run.folder.join(name);
        if let Some(panel) = panel.filter(|_| !file.exists()) {
            panel_run::write(panel, &file)?;
        }
    }
    let subject = &run.config.subject;
    if !output.quiet {
        note(format_args!(
            "{} series of {} rows; a season of {} rows, windows of {window}, one every {} rows: {windows} to train on",
            run.data.series, run.data.rows, subject.season, subject.stride
        ));
    }
    let series = taught(plain.as_ref().unwrap_or(&panel), subject.horizon, test.is_some());
    let settings = &run.config.training;
    let how = ((geometry, subject.stride), (run.data.loss, subject.ensemble));
    let lessons = PanelLessons::new(&series, how.0, how.1, (settings, passes), &computing);
    let device = computing.device.clone().autodiff();
    let configure = |config| computing.configure(config, settings);
    let options = (&device, computing.dtype);
    let size = subject.size();
    let start = (geometry, run.data.season_share);
    let model = Ensemble::new(run.cell()?, start, size, settings.seed, configure, options);
    let loss = |epoch: &Epoch| format!("{:.4}", epoch.valid_loss);
    let may_end_early = settings.early_stop.is_some();
    let unit = Unit { steps: "windows", window: 1, epoch: "epoch", loss, may_end_early };
    let learnt = match train(&lessons, model, (&run, resume), &computing, output, unit)? {
        Ending::Early(code) => return Ok(code),
        Ending::Learnt(learnt) => learnt,
    };
    drop(lessons);
    drop(series);
    let backtest = run.backtest_of((panel, test))?;
    finish(arguments, &backtest, &learnt)
}

/// Writes what is written at the end, and prints the report.
fn finish(
    arguments: &Arguments,
    backtest: &PanelBacktest,
    learnt: &Learnt,
) -> Result<ExitCode, Failure> {
    let written = report::panel::write(backtest)?;
    warn(&written.warnings);
    let Learnt { progress, best, seconds, steps_per_second, .. } = learnt;
    let others = backtest.valid[1..].iter().map(|method| (method.forecast.clone(), method.overall));
    let report = Report {
        run: backtest.run.folder.clone(),
        task: "panel",
        series: backtest.panel.ids.len(),
        train_loss: best.train_loss,
        valid_loss: best.valid_loss,
        baselines: others.collect(),
        epochs: progress.epochs.len(),
        steps: progress.step,
        done: progress.done,
        seconds: *seconds,
        steps_per_second: *steps_per_second,
        valid: backtest.valid.clone(),
        test: backtest.test.clone(),
        intervals: backtest.intervals.clone(),
        importance: backtest.importance.clone(),
        method: backtest.method.to_string(),
        verdict: verdict(backtest),
        files: written.files,
    };
    let mut text = format!(
        "{} series, {} rows each to test\n\n",
        backtest.tested.len(),
        backtest.run.config.subject.horizon
    );
    text += &page_table(&measures_table(&backtest.test));
    text += &format!("\n{}\n{}\n", page_table(&intervals_table(backtest)), report.verdict);
    let heard = importance_table(&backtest.importance);
    text.extend(heard.map(|table| format!("\n{}", page_table(&table))));
    text += &format!(
        "\n{} epochs, {}, {:.1} s{}\n",
        report.epochs,
        learnt.steps(),
        seconds,
        learnt.rate_of("windows")
    );
    output::wrote(&mut text, &report.files);
    if report.done {
        text += &format!("use it with: bptt forecast {}\n", output::shown(&report.run));
    }
    arguments.flags.output.print(&report, &text)?;
    Ok(learnt.end())
}
