//! The page of a run on a series: the rows to come, how far off each method was, the learning curve of the network, and
//! how far back in time it listens; and `backtest.csv`.

use super::gradient_flow::GradientFlow;
use super::{ReportError, Written};
use crate::data::accuracy::Accuracy;
use crate::data::dates::{Calendar, Moment};
use crate::data::series::Series;
use crate::files;
use crate::model::forecast::{
    ColumnErrors, MethodErrors, NetworkForecaster, Outlook, OutlookError, Pasts,
};
use crate::plot::error_by_step::ErrorByStep;
use crate::plot::forecast::{Forecast, ForecastCurve};
use crate::plot::learning_curve::LearningCurve;
use crate::plot::outlook::{Band, OutlookPicture};
use crate::plot::page::{Page, Section, Table};
use crate::train::checkpoint::Checkpoints;
use crate::train::series_forecast::{Backtests, LEVELS, SeriesForecast};
use crate::train::series_run::{AUTOREGRESSION, SeriesRunError};
use std::path::{Path, PathBuf};

/// `the next row`, `the next 12 rows`.
pub fn next_rows(horizon: usize) -> String {
    if horizon == 1 { "the next row".into() } else { format!("the next {horizon} rows") }
}

/// The table of the measures of a column: how far off the forecasts were and, where there was a test, what share of the
/// test rows the intervals held.
pub fn accuracy_table(column: &ColumnErrors) -> Table {
    let mut header: Vec<String> =
        [column.column.as_str(), "MAE", "RMSE", "sMAPE", "MASE"].map(String::from).into();
    let levels = &column.errors[0].intervals;
    header.extend(levels.iter().map(|held| format!("in {} %", percent(held.level))));
    header.extend(levels.last().map(|_| "MSIS".into()));
    let scaled =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let row = |errors: &MethodErrors| {
        let Accuracy { mean_absolute, root_mean_squared, symmetric_percentage, scaled: mase } =
            errors.accuracy;
        let mut row = vec![
            errors.name.clone(),
            figure(mean_absolute),
            figure(root_mean_squared),
            format!("{:.2} %", 100.0 * symmetric_percentage),
            scaled(mase),
        ];
        let held = errors.intervals.iter();
        row.extend(held.map(|held| format!("{:.1} %", 100.0 * held.coverage)));
        row.extend(errors.intervals.last().map(|held| scaled(held.scaled_score)));
        row
    };
    Table { caption: String::new(), header, rows: column.errors.iter().map(row).collect() }
}

/// The table of the root mean squared errors by the step ahead, at so many steps at most.
pub fn error_by_step_table(column: &ColumnErrors, most: usize) -> Table {
    let horizon = column.errors[0].root_mean_squared_by_step.len();
    let shown = most.min(horizon);
    // The first, the last, and some between them.
    let steps: Vec<usize> = (0..shown).map(|i| i * (horizon - 1) / (shown - 1).max(1)).collect();
    let header = std::iter::once("RMSE by step ahead".into());
    let header = header.chain(steps.iter().map(|step| (step + 1).to_string())).collect();
    let row = |errors: &MethodErrors| {
        let figures = steps.iter().map(|&step| figure(errors.root_mean_squared_by_step[step]));
        std::iter::once(errors.name.clone()).chain(figures).collect()
    };
    Table {
        caption: "Error by step ahead".into(),
        header,
        rows: column.errors.iter().map(row).collect(),
    }
}

/// What a combination is made of, in words: `the median of AR, smoothing, ARIMA 80 %, network 20 %`.
pub fn combination(shares: &[(&str, f64)]) -> Option<String> {
    let (network, parts): (Vec<_>, Vec<_>) =
        shares.iter().partition(|(name, _)| *name == "network");
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    let median = match names.as_slice() {
        [] => return None,
        [name] => name.to_string(),
        names => format!("the median of {}", names.join(", ")),
    };
    Some(match network.first() {
        Some((_, share)) => {
            format!("{median} {:.0} %, network {:.0} %", 100.0 * (1.0 - share), 100.0 * share)
        }
        None => median,
    })
}

/// A number with four digits that count.
pub fn figure(value: f64) -> String {
    let digits = if value > 0.0 { 3.0 - value.log10().floor() } else { 0.0 };
    match digits {
        ..-3.0 | 9.0.. => format!("{value:.3e}"),
        digits => format!("{value:.*}", digits.clamp(0.0, 8.0) as usize),
    }
}

/// The end of a name of a picture: nothing if there is one column.
fn suffix(columns: usize, column: usize) -> String {
    if columns == 1 { String::new() } else { format!("_{}", column + 1) }
}

/// A level as `80` or `97.5`.
pub fn percent(level: f64) -> String {
    let rounded = (1e6 * level).round() / 1e4;
    rounded.to_string()
}

/// Draws the end of the series and the forecast with its intervals, a picture a column, as `<stem>.png` and
/// `<stem>.svg`.
///
/// # Errors
/// If a picture cannot be drawn or written.
pub fn draw_forecast(
    forecast: &SeriesForecast,
    levels: &[f64],
    stem: &Path,
) -> Result<Vec<PathBuf>, ReportError> {
    let SeriesForecast { series, dates, method, outlook, following, .. } = forecast;
    draw((series, dates.as_ref()), method, outlook, following, levels, stem)
}

fn draw(
    (series, dates): (&Series, Option<&Calendar>),
    method: &str,
    outlook: &Outlook,
    following: &[Moment],
    levels: &[f64],
    stem: &Path,
) -> Result<Vec<PathBuf>, ReportError> {
    let tail = (4 * outlook.steps).clamp(48, 400).min(series.rows());
    let first = series.rows() - tail;
    let labels = match (dates, &series.dates) {
        (Some(calendar), Some(labels)) if following.len() == outlook.steps => {
            let following = following.iter().map(|&date| calendar.label(date));
            Some(labels.iter().cloned().chain(following).collect())
        }
        _ => None,
    };
    let mut widest = levels.to_vec();
    widest.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut files = Vec::new();
    for (c, name) in series.names.iter().enumerate() {
        let bands = widest.iter().map(|&level| Band {
            label: format!("{} % interval", percent(level)),
            ends: (0..outlook.steps).map(|step| outlook.interval(step, c, level)).collect(),
        });
        let picture = OutlookPicture {
            actual: Vec::new(),
            labels: labels.clone(),
            first,
            history: series.values[c][first..].to_vec(),
            point: outlook.point.iter().skip(c).step_by(outlook.targets).copied().collect(),
            bands: bands.collect(),
            name: name.clone(),
            title: format!("{name}: forecast of {} rows by {method}", outlook.steps),
        };
        let mut place = stem.as_os_str().to_owned();
        place.push(suffix(series.names.len(), c));
        files.extend(picture.save(Path::new(&place))?);
    }
    Ok(files)
}

/// `backtest.csv`: every forecast of the backtest, and the value that came.
fn write_backtest(backtests: &Backtests) -> Result<PathBuf, ReportError> {
    let Backtests { run, series, methods, .. } = backtests;
    let path = run.folder.join("backtest.csv");
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| csv.write_record(record).expect("memory takes it");
    let keys = methods.iter().map(|tested| tested.key);
    let header = ["known_rows", "step", "row", "column", "actual"].into_iter().chain(keys);
    write(header.map(String::from).collect());
    let first = methods[0].shown();
    for (o, &origin) in first.origins.iter().enumerate() {
        for step in 0..first.horizon {
            let row = origin + step;
            let label = series.dates.as_ref();
            let label = label.map_or_else(|| (row + 1).to_string(), |dates| dates[row].clone());
            for (c, column) in series.names.iter().enumerate() {
                let place = (o * first.horizon + step) * first.targets + c;
                let forecasts = methods.iter().map(|tested| tested.shown().forecasts[place]);
                let values = std::iter::once(series.values[c][row]).chain(forecasts);
                let place =
                    [origin.to_string(), (step + 1).to_string(), label.clone(), column.clone()];
                write(place.into_iter().chain(values.map(|value| value.to_string())).collect());
            }
        }
    }
    files::replace(&path, &csv.into_inner().expect("memory takes it"))?;
    Ok(path)
}

/// The pictures of the backtest: each method's forecasts of the last step of the horizon.
/// Each with what it enlarges, in words.
fn draw_backtest(backtests: &Backtests) -> Result<Vec<([PathBuf; 2], String)>, ReportError> {
    let Backtests { run, series, methods, .. } = backtests;
    let horizon = run.config.subject.horizon;
    let mut files = Vec::new();
    for (c, name) in series.names.iter().enumerate() {
        let curves = methods.iter().map(|method| {
            let test = method.shown();
            let start = test.origins[0] + horizon - 1;
            let mut values = vec![f64::NAN; series.rows() - start];
            for (o, origin) in test.origins.iter().enumerate() {
                let place = ((o + 1) * horizon - 1) * test.targets + c;
                values[origin + horizon - 1 - start] = test.forecasts[place];
            }
            ForecastCurve { label: method.name.clone(), start, values }
        });
        let steps = if horizon == 1 { "one step".into() } else { format!("{horizon} steps") };
        let picture = Forecast {
            labels: series.dates.clone(),
            actual: series.values[c].clone(),
            curves: curves.collect(),
            split: methods[0].shown().origins[0],
            part: if methods[0].test.is_some() { "test" } else { "validation" },
            name: name.clone(),
            title: format!("{name}: forecast {steps} ahead"),
        };
        let stem = format!("backtest{}", suffix(series.names.len(), c));
        files.push((picture.save(&run.folder.join(stem))?, picture.enlarged_in_words()));
    }
    Ok(files)
}

/// Writes `report.html`, the pictures and `backtest.csv`.
///
/// # Errors
/// If the network cannot be read, a column not be forecast, or a file not be written.
pub fn write(backtests: &Backtests) -> Result<Written, ReportError> {
    let Backtests { run, series, dates, methods, warnings, .. } = backtests;
    let mut warnings = warnings.clone();
    let (subject, folder) = (&run.config.subject, &run.folder);
    let main = &methods[0];
    let is_tested = main.test.is_some();
    let steps = subject.horizon.max(subject.season.unwrap_or(12));
    let outlook = match backtests.outlook(main.key, steps, None, None, &mut warnings) {
        // What the columns that are known ahead will be is known at a forecast only.
        Err(SeriesRunError::Future { .. }) => None,
        Err(SeriesRunError::Outlook(error @ OutlookError::Diverged(_))) => {
            warnings.push(error.to_string());
            None
        }
        outlook => Some(outlook?),
    };
    let name = &main.name;
    let forecasts = match &outlook {
        Some((outlook, following)) => {
            let known = (series, dates.as_ref());
            draw(known, name, outlook, following, &LEVELS, &folder.join("forecast"))?
        }
        None => Vec::new(),
    };
    let tested = draw_backtest(backtests)?;
    let columns = backtests.column_errors().map_err(std::io::Error::other)?;
    let (mut sections, mut by_step) = (Vec::new(), Vec::new());
    let svg = |files: &[PathBuf], c: usize| std::fs::read_to_string(&files[2 * c + 1]);
    for (c, column) in columns.iter().enumerate() {
        let picture = match outlook {
            Some(_) => {
                let words = format!(
                    "The end of {} and the forecast of {steps} rows by {name}",
                    column.column
                );
                Some((svg(&forecasts, c)?, words))
            }
            None => None,
        };
        sections.push(Section {
            heading: format!("The forecast of {}", column.column),
            text: vec![format!(
                "Intervals of {} and {} %, from the errors of {} forecasts of validation rows, which nothing was fitted to.",
                percent(LEVELS[0]),
                percent(LEVELS[1]),
                main.validation.origins.len()
            )],
            picture,
            ..Section::default()
        });
        let mut tables = vec![Table {
            caption: format!(
                "Errors over {} forecasts of {} each, in the units of {}; MASE is 1 for the naive forecast in the training rows",
                main.shown().origins.len(),
                next_rows(subject.horizon),
                column.column
            ),
            ..accuracy_table(column)
        }];
        if subject.horizon > 1 {
            tables.push(error_by_step_table(column, 13));
        }
        let mut text = vec![match is_tested {
            true => "Forecasts of test rows, which nothing was fitted to or chosen by, each from the rows before it.",
            false => "There are too few rows for a test: these are the validation rows, on which the method was chosen.",
        }
        .to_string()];
        text.push(format!("{}.", column.verdict));
        text.extend(column.bias.iter().map(|bias| format!("{bias}.")));
        text.extend(
            combination(&backtests.shares[c]).map(|parts| format!("The combination: {parts}.")),
        );
        sections.push(Section {
            heading: format!("How far off: {}", column.column),
            text,
            picture: Some((
                std::fs::read_to_string(&tested[c].0[1])?,
                format!("{} and its forecasts; below, {}", column.column, tested[c].1),
            )),
            tables,
            ..Section::default()
        });
        if subject.horizon > 1 {
            let curves = column.errors.iter();
            let curves = curves.map(|e| (e.name.clone(), e.root_mean_squared_by_step.clone()));
            let picture = ErrorByStep {
                curves: curves.collect(),
                name: format!("RMSE, in the units of {}", column.column),
                title: format!("{}: error by step ahead", column.column),
            };
            let stem = format!("error_by_step{}", suffix(columns.len(), c));
            let files = picture.save(&folder.join(stem))?;
            let words = format!("The error of {} by the number of steps ahead", column.column);
            sections.push(Section {
                heading: format!("The farther ahead, the less certain: {}", column.column),
                picture: Some((std::fs::read_to_string(&files[1])?, words)),
                ..Section::default()
            });
            by_step.extend(files);
        }
    }
    let tested = tested.into_iter().flat_map(|(files, _)| files);
    let mut files: Vec<PathBuf> = forecasts.into_iter().chain(tested).chain(by_step).collect();
    for (c, importance) in backtests.importance.iter().enumerate() {
        let stem = format!("importance{}", suffix(columns.len(), c));
        let words = format!(
            "By how much a forecast moves, in the units of {}, when an input of one past row moves by its standard deviation: the derivative, by the backward pass through network, AR, smoothing and transforms, its mean size over forecasts of validation rows and all steps ahead.",
            importance.column
        );
        let part = super::importance::section(importance, &words, (folder, stem))?;
        if let Some((section, pictures)) = part {
            sections.push(section);
            files.extend(pictures);
        }
    }
    if run.config.cell != AUTOREGRESSION {
        let (section, curve) = learning(backtests)?;
        sections.push(section);
        files.extend(curve);
        if let Some((section, pictures)) = gradient_flow(backtests)? {
            sections.push(section);
            files.extend(pictures);
        }
    }
    sections.push(super::configuration(folder)?);
    let shown = folder.display();
    let other = match run.config.cell.as_str() {
        AUTOREGRESSION => "--cell gru",
        _ => "--seed 2",
    };
    sections.push(Section {
        heading: "Use it".into(),
        text: vec![
            "With --from it forecasts from later rows of the same columns, without training.".into(),
        ],
        code: Some(format!(
            "bptt forecast {shown} --steps {steps}\nbptt forecast {shown} --from NEWER.csv --out forecast.csv\nbptt train series --config {shown}/config.toml {other}"
        )),
        ..Section::default()
    });
    let source = subject.file.as_ref().map_or_else(
        || "the airline passengers of 1949 to 1960".into(),
        |file| file.display().to_string(),
    );
    let page = Page {
        title: format!("A forecast of {}", series.names.join(", ")),
        introduction: format!(
            "{} of {} rows of {source} trained, {} validated and {} tested; {name} forecasts.",
            run.data.split,
            series.rows(),
            run.data.test - run.data.split,
            series.rows() - run.data.test
        ),
        sections,
    };
    let report = folder.join("report.html");
    page.save(&report)?;
    let backtest = write_backtest(backtests)?;
    Ok(Written { files: [report, backtest].into_iter().chain(files).collect(), warnings })
}

/// The learning curve of the network, as a section and as files.
fn learning(backtests: &Backtests) -> Result<(Section, [PathBuf; 2]), ReportError> {
    let run = &backtests.run;
    let epochs = Checkpoints::of(&run.folder).progress()?.epochs;
    if epochs.is_empty() {
        return Err(ReportError::NoEpoch(run.folder.display().to_string()));
    }
    let linear = backtests.method(AUTOREGRESSION).expect("every run has it");
    let curve = LearningCurve {
        train: epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: 1,
        unit: "epoch",
        level: Some((linear.name.clone(), backtests.validation_loss(linear))),
        title: format!(
            "{}: {} error of standardised values by epoch",
            run.config.cell, run.config.subject.loss
        ),
    };
    let files = curve.save(&run.folder.join("learning_curve"))?;
    let svg = std::fs::read_to_string(&files[1])?;
    let words = "The mean loss of training and validation rows by epoch, with that of AR(τ)";
    let section = Section {
        heading: "Learning".into(),
        picture: Some((svg, words.into())),
        ..Section::default()
    };
    Ok((section, files))
}

/// How far back the network of a run listens, on pasts of the backtest.
fn gradient_flow(backtests: &Backtests) -> Result<Option<(Section, [PathBuf; 2])>, ReportError> {
    /// At most so many pasts, spread evenly.
    const PASTS: usize = 64;
    let Backtests { run, rows, .. } = backtests;
    let all = run.data.validation(run.config.subject.horizon, run.config.subject.stride);
    let count = all.len().min(PASTS);
    let origins = (0..count).map(|i| all[i * all.len() / count]);
    // The warnings are there since the network was tested.
    let networks = run.networks(&mut Vec::new())?;
    let NetworkForecaster { window, ref output, .. } = networks[0];
    let reach = window + output.lead();
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for origin in origins {
        values.extend(rows.range(origin - reach, origin));
        let next = rows.range(origin, origin + output.horizon).chunks_exact(rows.width);
        targets.extend(next.flat_map(|row| &row[..output.targets]));
    }
    let pasts = Pasts { values: &values, rows: reach, width: rows.width, targets: output.targets };
    let [before, after] = networks.map(|network| network.gradient_norms(pasts, &targets));
    let flow = GradientFlow {
        cell: &run.config.cell,
        moments: [before?, after?],
        step: "row",
        input: format!("{count} pasts of {window} rows of the backtest"),
    };
    flow.section(&run.folder)
}
