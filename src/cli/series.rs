//! `bptt train series`: a forecast one step ahead.

use super::options::{Backward, Compute, positive, rate, share, size};
use super::output::{Output, table};
use super::{Failure, output};
use bptt::cell::{self, Cell};
use bptt::data::naive::{last_value, mean_absolute_error, root_mean_squared_error, seasonal};
use bptt::data::series::{Series, SeriesOptions};
use bptt::data::windows::split_by_time;
use bptt::plot::forecast::{Forecast, ForecastCurve};
use bptt::plot::learning_curve::LearningCurve;
use bptt::train::series::{Settings, train};
use burn::tensor::DType;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A network learns to predict the next value of a series in a CSV file
///
/// The last rows validate: they are forecast one step ahead, each from the window of rows before it,
/// beside the naive forecasts (the last value; with --season, the value one season ago). Without FILE
/// the series is the monthly number of airline passengers, 1949 to 1960 (Box & Jenkins 1976, series
/// G), with a season of 12.
///
/// Example: bptt train series sales.csv --column revenue --season 7
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// CSV file with one or more numeric columns, with or without a header
    file: Option<PathBuf>,
    /// Column to learn, by name or number from 1; may be repeated [default: all numeric ones]
    #[arg(long, value_name = "NAME")]
    column: Vec<String>,
    /// Column with dates [default: the one that looks like dates]
    #[arg(long, value_name = "NAME")]
    date_column: Option<String>,
    /// Rows of a season, for the seasonal naive forecast
    #[arg(long, value_name = "N", value_parser = size)]
    season: Option<usize>,
    /// Share of the rows, the last ones, that validate
    #[arg(long, value_name = "X", default_value = "0.25", value_parser = share)]
    valid_share: f64,
    /// Rows that the network sees before a forecast
    #[arg(long, value_name = "N", default_value = "24", value_parser = size)]
    window: usize,
    /// Cell of the network
    #[arg(long, value_name = "NAME", default_value = "elman", value_parser = clap::builder::PossibleValuesParser::new(cell::NAMES))]
    cell: String,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "32", value_parser = size)]
    hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    layers: usize,
    /// Share of the outputs between layers that training drops
    #[arg(long, value_name = "X", default_value = "0", value_parser = rate)]
    dropout: f64,
    /// Refused: a forecast cannot look ahead
    #[arg(long, hide = true)]
    bidirectional: bool,
    /// Passes over the training windows
    #[arg(long, value_name = "N", default_value = "200", value_parser = size)]
    epochs: usize,
    /// Windows of a batch
    #[arg(long, value_name = "N", default_value = "16", value_parser = size)]
    batch: usize,
    /// Learning rate of Adam at the start; it falls to zero along half a cosine
    #[arg(long, value_name = "X", default_value = "0.002", value_parser = positive)]
    lr: f64,
    /// Largest norm of a parameter's gradient
    #[arg(long, value_name = "X", default_value = "1", value_parser = positive)]
    clip: f64,
    #[command(flatten)]
    backward: Backward,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
}

/// What `--json` prints. Losses and baselines are mean squared errors of standardised values.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    train_loss: f64,
    valid_loss: f64,
    baselines: BTreeMap<&'static str, f64>,
    epochs: usize,
    seconds: f64,
    steps_per_second: f64,
    columns: Vec<ColumnReport>,
    pictures: Vec<PathBuf>,
}

#[derive(serde::Serialize)]
struct ColumnReport {
    column: String,
    errors: Vec<Errors>,
}

/// Errors over the validation rows in the column's units.
#[derive(serde::Serialize)]
struct Errors {
    forecast: &'static str,
    root_mean_squared: f64,
    mean_absolute: f64,
}

struct Run<'a> {
    arguments: &'a Arguments,
    series: &'a Series,
    season: Option<usize>,
    split: usize,
    settings: &'a Settings,
    folder: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.bidirectional {
        return Err(Failure("--bidirectional: a forecast cannot look ahead, and the second direction walks from the end of the window to each step; leave it out".into()));
    }
    arguments.backward.check()?;
    let device = arguments.compute.device()?;
    let dtype: DType = arguments.compute.dtype.into();
    let options = SeriesOptions {
        columns: arguments.column.clone(),
        date_column: arguments.date_column.clone(),
        delimiter: None,
    };
    let (series, season) = match &arguments.file {
        Some(file) => (Series::read(file, &options)?, arguments.season),
        None if arguments.column.is_empty() && arguments.date_column.is_none() => {
            (Series::airline_passengers(), Some(arguments.season.unwrap_or(12)))
        }
        None => {
            return Err(Failure("--column and --date-column choose from a FILE: name one".into()));
        }
    };
    let split = split_by_time(series.rows(), arguments.valid_share)?;
    for column in &series.values {
        if let Some(season) = season {
            seasonal(column, split, season)?;
        }
    }
    let settings = Settings {
        window: arguments.window,
        hidden: arguments.hidden,
        layers: arguments.layers,
        dropout: arguments.dropout,
        epochs: arguments.epochs,
        batch: arguments.batch,
        learning_rate: arguments.lr,
        clip: arguments.clip,
        truncation: arguments.backward.truncate,
        memory_budget: arguments.backward.memory_budget,
        gradient: arguments.backward.gradient.into(),
        dtype,
        device,
        seed: arguments.compute.seed,
    };
    bptt::data::windows::training_windows(&series.values, split, arguments.window)?;
    let folder = arguments.output.folder("series")?;
    let run = Run { arguments, series: &series, season, split, settings: &settings, folder };
    cell::visit(&arguments.cell, run).expect("clap knows the names")
}

impl cell::Visitor for Run<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { arguments, series, season, split, settings, folder } = self;
        let start = Instant::now();
        let bar = arguments.output.progress(arguments.epochs);
        let fit = train(cell, &series.values, split, settings, |_, train, valid| {
            bar.set_message(format!("loss {train:.4}, validation {valid:.4}"));
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();

        let mut columns = Vec::new();
        let mut pictures = Vec::new();
        let mut baselines: BTreeMap<&'static str, f64> = BTreeMap::new();
        for (c, name) in series.names.iter().enumerate() {
            let values = &series.values[c];
            let mut forecasts = vec![
                ("network", fit.forecasts[c].clone()),
                ("last_value", last_value(values, split)?),
            ];
            if let Some(season) = season {
                forecasts.push(("season_ago", seasonal(values, split, season)?));
            }
            let mut errors = Vec::new();
            for (forecast, predictions) in &forecasts {
                let root_mean_squared = root_mean_squared_error(predictions, &values[split..])?;
                let mean_absolute = mean_absolute_error(predictions, &values[split..])?;
                errors.push(Errors { forecast, root_mean_squared, mean_absolute });
                if *forecast != "network" {
                    let standardised = root_mean_squared / fit.standardisation[c].deviation;
                    *baselines.entry(forecast).or_default() +=
                        standardised.powi(2) / series.names.len() as f64;
                }
            }
            columns.push(ColumnReport { column: name.clone(), errors });
            let picture = Forecast {
                labels: series.dates.clone(),
                actual: values.clone(),
                curves: curves(&fit.fitted[c], fit.first_row, forecasts, split),
                split,
                name: name.clone(),
                title: format!("{name}: forecast one step ahead"),
            };
            let stem = if series.names.len() == 1 {
                "forecast".into()
            } else {
                format!("forecast_{}", c + 1)
            };
            pictures.extend(picture.save(&folder.join(stem))?);
        }
        let curve = LearningCurve {
            train: fit.train_losses.clone(),
            valid: fit.valid_losses.clone(),
            every: 1,
            unit: "epoch",
            level: None,
            title: "Mean squared error of standardised values by epoch".into(),
        };
        pictures.extend(curve.save(&folder.join("learning_curve"))?);

        let steps = (split - settings.window) * settings.window * settings.epochs;
        let report = Report {
            run: folder,
            task: "series",
            train_loss: *fit.train_losses.last().expect("at least one epoch"),
            valid_loss: *fit.valid_losses.last().expect("at least one epoch"),
            baselines,
            epochs: arguments.epochs,
            seconds,
            steps_per_second: steps as f64 / seconds,
            columns,
            pictures,
        };
        let text = text(&report, series, split, season);
        arguments.output.print(&report, &text);
        Ok(ExitCode::SUCCESS)
    }
}

/// What the picture shows: the network over all rows it can forecast, the naive ones over the
/// validation rows.
fn curves(
    fitted: &[f64],
    first_row: usize,
    forecasts: Vec<(&'static str, Vec<f64>)>,
    split: usize,
) -> Vec<ForecastCurve> {
    forecasts
        .into_iter()
        .map(|(name, values)| match name {
            "network" => ForecastCurve {
                label: name.into(),
                start: first_row,
                values: [fitted, &values].concat(),
            },
            name => ForecastCurve { label: name.replace('_', " "), start: split, values },
        })
        .collect()
}

fn text(report: &Report, series: &Series, split: usize, season: Option<usize>) -> String {
    let mut text = format!(
        "{} rows, {} to train on and {} to validate on, forecast one step ahead\n",
        series.rows(),
        split,
        series.rows() - split
    );
    if let Some(dates) = &series.dates {
        text += &format!("validation from {} to {}\n", dates[split], dates[series.rows() - 1]);
    }
    let naive = |errors: &Errors| match (errors.forecast, season) {
        ("season_ago", Some(season)) => format!("value {season} rows ago"),
        (name, _) => name.replace('_', " "),
    };
    for column in &report.columns {
        let network = column.errors[0].root_mean_squared;
        let rows: Vec<Vec<String>> = column
            .errors
            .iter()
            .map(|errors| {
                vec![
                    naive(errors),
                    format!("{:.4}", errors.root_mean_squared),
                    format!("{:.4}", errors.mean_absolute),
                    format!("{:.2}", errors.root_mean_squared / network),
                ]
            })
            .collect();
        let header = [
            column.column.as_str(),
            "root mean squared error",
            "mean absolute error",
            "network = 1",
        ];
        text += &format!("\n{}", table(&header, &rows));
        let best =
            column.errors.iter().min_by(|a, b| a.root_mean_squared.total_cmp(&b.root_mean_squared));
        let best = best.expect("at least the network");
        if best.forecast != "network" {
            text += &format!("the network does not beat the {}\n", naive(best));
        }
    }
    text += &format!(
        "\n{} epochs in {:.1} s, {:.0} steps a second\n",
        report.epochs, report.seconds, report.steps_per_second
    );
    output::wrote(&mut text, &report.pictures);
    text
}
