//! What is said of a run on a series: the network beside AR(τ) and what costs nothing, the pictures, and the page.

use super::listening::Listening;
use super::output::{note, table};
use super::{Failure, output};
use bptt::cell::{self, Cell};
use bptt::data::accuracy::{Accuracy, scale};
use bptt::data::calendar::{Calendar, CalendarError};
use bptt::data::features::Features;
use bptt::data::series::Series;
use bptt::model::forecast::{
    Autoregressions, Backtest, Forecaster, LastValue, Method, NetworkForecaster, Outlook,
    OutlookError, Pasts, SeasonAgo, backtest, origins, outlook,
};
use bptt::plot::error_by_step::ErrorByStep;
use bptt::plot::forecast::{Forecast, ForecastCurve};
use bptt::plot::learning_curve::LearningCurve;
use bptt::plot::outlook::{Band, OutlookPicture};
use bptt::plot::page::{Page, Section, Table};
use bptt::train::checkpoint::{CheckpointError, Checkpoints};
use bptt::train::lessons::{Progress, Trained, trained};
use bptt::train::series::{NetworkSize, untrained};
use bptt::train::series_run::{self, AUTOREGRESSION, SeriesRun};
use burn::tensor::DType;
use jiff::civil::DateTime;
use std::path::{Path, PathBuf};

/// Paths that intervals are quantiles of.
pub const PATHS: usize = 1000;

/// The levels of intervals, for one who has chosen none.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// A method and what it would have said before.
pub struct Contestant {
    /// As JSON and `--method` call it.
    pub key: &'static str,
    pub method: Method<'static>,
    pub test: Backtest,
}

impl Contestant {
    /// The mean of squares of its errors, in its own scale.
    pub fn loss(&self) -> f64 {
        let residuals = &self.test.residuals;
        residuals.iter().map(|residual| residual * residual).sum::<f64>() / residuals.len() as f64
    }
}

/// A run with all that forecasts its series; the one that was trained is the first.
pub struct Opened {
    pub run: SeriesRun,
    pub series: Series,
    pub dates: Option<Calendar>,
    pub contestants: Vec<Contestant>,
}

/// The errors of one column.
#[derive(serde::Serialize)]
pub struct ColumnReport {
    pub column: String,
    pub errors: Vec<Errors>,
    /// What they come to, in a sentence.
    pub verdict: String,
}

/// Errors in the column's units over all origins of the backtest.
#[derive(serde::Serialize)]
pub struct Errors {
    pub forecast: &'static str,
    pub name: String,
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// The root mean squared error one step ahead, two, …
    pub root_mean_squared_by_step: Vec<f64>,
}

/// The network of a run before training and after it, and why better checkpoints could not be read.
fn networks<C: Cell>(
    cell: C,
    run: &SeriesRun,
) -> Result<([NetworkForecaster<C>; 2], Vec<CheckpointError>), Failure> {
    let device = run.config.backend.device()?;
    let dtype = DType::from(run.config.dtype);
    let subject = &run.config.subject;
    let output = subject.output(run.data.names.len());
    let (sizes, seed) = ((run.data.features.width(), output), run.config.training.seed);
    let NetworkSize { hidden, layers, .. } = subject.network;
    Checkpoints::of(&run.folder).check::<C>([sizes.0, hidden, layers])?;
    let before = untrained(cell, sizes, subject.network, seed, |config| config, (&device, dtype));
    let Trained { model: after, refused } = trained(before.clone(), &run.folder)?;
    let window = run.config.length.window;
    let forecaster = |network| {
        let device = device.clone();
        NetworkForecaster { network, output, window, device, dtype }
    };
    Ok(([before, after].map(forecaster), refused))
}

/// The trained network of a run.
struct Loader<'a>(&'a SeriesRun);

impl cell::Visitor for Loader<'_> {
    type Output = Result<Box<dyn Forecaster>, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let ([_, after], refused) = networks(cell, self.0)?;
        for error in refused {
            note(format_args!("warning: {error}"));
        }
        Ok(Box::new(after))
    }
}

/// How far back the network of a run listens, on pasts of the backtest.
struct Listener<'a>(&'a Opened);

impl cell::Visitor for Listener<'_> {
    type Output = Result<Option<(Section, [PathBuf; 2])>, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        /// At most so many pasts, spread evenly.
        const PASTS: usize = 64;
        let Self(Opened { run, contestants, .. }) = self;
        let Contestant { method: Method { rows, .. }, test, .. } = &contestants[0];
        let count = test.origins.len().min(PASTS);
        let origins = (0..count).map(|i| test.origins[i * test.origins.len() / count]);
        let (networks, _) = networks(cell, run)?;
        let NetworkForecaster { window, output, .. } = networks[0];
        let (mut values, mut said) = (Vec::new(), Vec::new());
        for origin in origins {
            values.extend(rows.range(origin - window, origin));
            let ahead = rows.range(origin, origin + output.horizon).chunks_exact(rows.width);
            said.extend(ahead.flat_map(|row| &row[..output.targets]));
        }
        let (width, targets) = (rows.width, output.targets);
        let pasts = Pasts { values: &values, rows: window, width, targets };
        let [before, after] = networks.map(|network| network.gradient_norms(pasts, &said));
        let listening = Listening {
            cell: &run.config.cell,
            moments: [before?, after?],
            step: "row",
            what: format!("{count} pasts of {window} rows of the backtest"),
        };
        listening.section(&run.folder)
    }
}

/// The scale of what costs nothing: it knows no differences and no calendar; its errors are in percent where the model's
/// are.
pub fn plain(run: &SeriesRun, own: &Series) -> Result<Features, Failure> {
    let transform = run.data.features.transform.without_differences();
    Ok(Features::fit(own, run.data.split, transform, Vec::new())?)
}

/// The methods of a run for a series, which may be a later one than the run's own; each with its key. The scale of what
/// costs nothing is that of [`plain`].
pub fn methods(
    run: &SeriesRun,
    plain: &Features,
    (series, dates): (&Series, Option<&Calendar>),
) -> Result<Vec<(&'static str, Method<'static>)>, Failure> {
    let (subject, data) = (&run.config.subject, &run.data);
    let (horizon, features) = (subject.horizon, &data.features);
    let known = (series, dates);
    let mut methods = Vec::new();
    if run.config.cell != AUTOREGRESSION {
        let unknown = || Failure(format!("{} has a cell that is not known", run.folder.display()));
        let network = cell::visit(&run.config.cell, Loader(run)).ok_or_else(unknown)??;
        let size = subject.network;
        let name = format!("{}, {} × {} units", run.config.cell, size.layers, size.hidden);
        methods.push(("network", Method::new(name, features.clone(), known, network)?));
    }
    let mut orders: Vec<String> =
        data.autoregressions.iter().map(|model| model.lags.len().to_string()).collect();
    orders.dedup();
    let name = format!("AR({})", orders.join(", "));
    let models = data.autoregressions.clone();
    let linear = Autoregressions { models, horizon };
    methods.push(("ar", Method::new(name, features.clone(), known, linear)?));
    let last = Method::new("last value", plain.clone(), known, LastValue { horizon })?;
    methods.push(("last_value", last));
    if let Some(season) = subject.season {
        let name = format!("value {season} rows ago");
        let ago = Method::new(name, plain.clone(), known, SeasonAgo { season, horizon })?;
        methods.push(("season_ago", ago));
    }
    Ok(methods)
}

impl Opened {
    /// The run with its series, and what each of the methods would have said.
    pub fn new(run: SeriesRun, series: Series, dates: Option<Calendar>) -> Result<Self, Failure> {
        let (subject, split) = (&run.config.subject, run.data.split);
        let origins = origins(series.rows(), split, subject.horizon, subject.stride);
        let contestants = methods(&run, &plain(&run, &series)?, (&series, dates.as_ref()))?
            .into_iter()
            .map(|(key, method)| {
                let test = backtest(&method, &series, &origins)?;
                Ok(Contestant { key, method, test })
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self { run, series, dates, contestants })
    }

    /// The run of a folder.
    pub fn of(folder: &Path) -> Result<Self, Failure> {
        let run = SeriesRun::open(folder)?;
        let series = series_run::read(&run)?;
        let dates = series_run::dates(&series, &run.data.features)?;
        Self::new(run, series, dates)
    }

    /// The errors of all columns.
    pub fn columns(&self) -> Result<Vec<ColumnReport>, Failure> {
        let horizon = self.run.config.subject.horizon;
        let season = self.run.config.subject.season.unwrap_or(1);
        let mut columns = Vec::new();
        for (c, column) in self.series.names.iter().enumerate() {
            let scale = scale(&self.series.values[c][..self.run.data.split], season);
            let mut errors = Vec::new();
            for Contestant { key, method, test } in &self.contestants {
                let at = |steps| test.accuracy(&self.series, c, steps, scale);
                let by_step = (0..horizon).map(|step| Ok(at(step..step + 1)?.root_mean_squared));
                errors.push(Errors {
                    forecast: key,
                    name: method.name.clone(),
                    accuracy: at(0..horizon)?,
                    root_mean_squared_by_step: by_step.collect::<Result<_, Failure>>()?,
                });
            }
            columns.push(ColumnReport {
                column: column.clone(),
                verdict: verdict(column, &errors),
                errors,
            });
        }
        Ok(columns)
    }

    /// The text that a training prints.
    pub fn described(&self, columns: &[ColumnReport]) -> String {
        let (rows, split) = (self.series.rows(), self.run.data.split);
        let horizon = self.run.config.subject.horizon;
        let mut text = format!(
            "{rows} rows, {split} to train on and {} to validate on; {} forecasts of {}\n",
            rows - split,
            self.contestants[0].test.origins.len(),
            ahead(horizon)
        );
        if let Some(dates) = &self.series.dates {
            text += &format!("validation from {} to {}\n", dates[split], dates[rows - 1]);
        }
        for (name, orders) in self.series.names.iter().zip(&self.run.data.orders) {
            let [aic, bic] = orders;
            text += &format!("AR of {name}: AIC chooses {aic} lags, BIC {bic}\n");
        }
        for column in columns {
            let (header, rows) = accuracies(column);
            text += &format!("\n{}", table(&strs(&header), &rows));
            if horizon > 1 {
                let (header, rows) = by_step(column, 8);
                text += &format!("\n{}", table(&strs(&header), &rows));
            }
            text += &format!("{}\n", column.verdict);
        }
        text += &self.advice();
        text
    }

    /// A line for columns whose validation rows go where the training rows have never been: a network that reads levels
    /// does not know what comes there.
    fn advice(&self) -> String {
        const SHARE: f64 = 0.2;
        let run = &self.run;
        if run.config.cell == AUTOREGRESSION || run.data.features.transform.differs() {
            return String::new();
        }
        let leaves = |values: &Vec<f64>| {
            let (training, valid) = values.split_at(run.data.split);
            let least = training.iter().copied().fold(f64::INFINITY, f64::min);
            let most = training.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let out = valid.iter().filter(|value| !(least..=most).contains(*value)).count();
            out as f64 > SHARE * valid.len() as f64
        };
        let columns = self.series.names.iter().zip(&self.series.values);
        let names: Vec<&str> =
            columns.filter(|(_, values)| leaves(values)).map(|(name, _)| name.as_str()).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(
                "{}: the validation rows leave the range of the training rows, which a network that reads levels does not know; --difference 1 may do better\n",
                names.join(", ")
            ),
        }
    }
}

fn strs(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}

fn ahead(horizon: usize) -> String {
    if horizon == 1 { "the next row".into() } else { format!("the next {horizon} rows") }
}

/// The table of the measures.
fn accuracies(column: &ColumnReport) -> (Vec<String>, Vec<Vec<String>>) {
    let header = [column.column.as_str(), "MAE", "RMSE", "sMAPE", "MASE"].map(String::from);
    let row = |errors: &Errors| {
        let Accuracy { mean_absolute, root_mean_squared, symmetric_percentage, scaled } =
            errors.accuracy;
        vec![
            errors.name.clone(),
            figure(mean_absolute),
            figure(root_mean_squared),
            format!("{:.2} %", 100.0 * symmetric_percentage),
            scaled.map_or_else(|| "-".into(), |scaled| format!("{scaled:.3}")),
        ]
    };
    (header.into(), column.errors.iter().map(row).collect())
}

/// The table of the root mean squared errors by the step ahead, at so many steps at most.
fn by_step(column: &ColumnReport, most: usize) -> (Vec<String>, Vec<Vec<String>>) {
    let horizon = column.errors[0].root_mean_squared_by_step.len();
    let shown = most.min(horizon);
    // The first, the last, and some between them.
    let steps: Vec<usize> = (0..shown).map(|i| i * (horizon - 1) / (shown - 1).max(1)).collect();
    let header = std::iter::once("RMSE by step ahead".into());
    let header = header.chain(steps.iter().map(|step| (step + 1).to_string())).collect();
    let row = |errors: &Errors| {
        let figures = steps.iter().map(|&step| figure(errors.root_mean_squared_by_step[step]));
        std::iter::once(errors.name.clone()).chain(figures).collect()
    };
    (header, column.errors.iter().map(row).collect())
}

/// A number with four digits that count.
fn figure(value: f64) -> String {
    let digits = if value > 0.0 { 3.0 - value.log10().floor() } else { 0.0 };
    match digits {
        ..-3.0 | 9.0.. => format!("{value:.3e}"),
        digits => format!("{value:.*}", digits.clamp(0.0, 8.0) as usize),
    }
}

/// What the errors come to.
fn verdict(column: &str, errors: &[Errors]) -> String {
    let rmse = |errors: &Errors| errors.accuracy.root_mean_squared;
    let best = errors.iter().min_by(|a, b| rmse(a).total_cmp(&rmse(b))).expect("there are some");
    let last = errors.iter().find(|errors| errors.forecast == "last_value");
    let last = last.expect("it costs nothing");
    let less = |than: &Errors| 100.0 * (1.0 - rmse(best) / rmse(than));
    if best.forecast == last.forecast {
        return format!(
            "nothing beats the last value: the past of {column} does not tell where it goes, as with most prices"
        );
    }
    let saved = format!("its RMSE is {:.1} % below that of the last value", less(last));
    if best.forecast == errors[0].forecast {
        return format!("{} is best for {column}: {saved}", best.name);
    }
    format!(
        "{} beats {} for {column} by {:.1} % of its RMSE: take it with --method {}; {saved}",
        best.name,
        errors[0].name,
        less(&errors[0]),
        best.forecast.replace('_', "-")
    )
}

/// The end of a name of a picture: nothing if there is one column.
fn suffix(columns: usize, column: usize) -> String {
    if columns == 1 { String::new() } else { format!("_{}", column + 1) }
}

/// The dates of the rows to come, and why there are none.
pub fn following(
    dates: Option<&Calendar>,
    features: &Features,
    steps: usize,
) -> Result<Vec<DateTime>, CalendarError> {
    match dates.map(|calendar| calendar.following(steps)) {
        Some(Ok(dates)) => Ok(dates),
        Some(Err(error)) if !features.calendar.is_empty() => Err(error),
        _ => Ok(Vec::new()),
    }
}

/// Draws the end of the series and the forecast with its bands, a picture a column, as `<stem>.png` and `<stem>.svg`.
pub fn draw(
    (series, dates): (&Series, Option<&Calendar>),
    method: &str,
    said: &Outlook,
    to_come: &[DateTime],
    levels: &[f64],
    stem: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    let tail = (4 * said.steps).clamp(48, 400).min(series.rows());
    let first = series.rows() - tail;
    let labels = match (dates, &series.dates) {
        (Some(calendar), Some(labels)) if to_come.len() == said.steps => {
            let to_come = to_come.iter().map(|&date| calendar.label(date));
            Some(labels.iter().cloned().chain(to_come).collect())
        }
        _ => None,
    };
    let mut widest = levels.to_vec();
    widest.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut files = Vec::new();
    for (c, name) in series.names.iter().enumerate() {
        let bands = widest.iter().map(|&level| Band {
            label: format!("{} % interval", percent(level)),
            ends: (0..said.steps).map(|step| said.interval(step, c, level)).collect(),
        });
        let picture = OutlookPicture {
            labels: labels.clone(),
            first,
            history: series.values[c][first..].to_vec(),
            point: said.point.iter().skip(c).step_by(said.targets).copied().collect(),
            bands: bands.collect(),
            name: name.clone(),
            title: format!("{name}: forecast of {} rows by {method}", said.steps),
        };
        let mut place = stem.as_os_str().to_owned();
        place.push(suffix(series.names.len(), c));
        files.extend(picture.save(Path::new(&place))?);
    }
    Ok(files)
}

/// A level as `80` or `97.5`.
pub fn percent(level: f64) -> String {
    let rounded = (1e6 * level).round() / 1e4;
    rounded.to_string()
}

/// `backtest.csv`: every forecast of the backtest beside what came.
fn write_backtest(opened: &Opened) -> Result<PathBuf, Failure> {
    let path = opened.run.folder.join("backtest.csv");
    let mut csv = csv::Writer::from_writer(Vec::new());
    let keys = opened.contestants.iter().map(|contestant| contestant.key);
    csv.write_record(["known_rows", "step", "row", "column", "actual"].into_iter().chain(keys))?;
    let first = &opened.contestants[0].test;
    for (o, &origin) in first.origins.iter().enumerate() {
        for step in 0..first.horizon {
            let row = origin + step;
            let dates = opened.series.dates.as_ref();
            let label = dates.map_or_else(|| (row + 1).to_string(), |dates| dates[row].clone());
            for (c, column) in opened.series.names.iter().enumerate() {
                let place = (o * first.horizon + step) * first.targets + c;
                let said = opened.contestants.iter().map(|all| all.test.forecasts[place]);
                let values = std::iter::once(opened.series.values[c][row]).chain(said);
                let place = [origin.to_string(), (step + 1).to_string(), label.clone()];
                let record = place.into_iter().chain([column.clone()]);
                csv.write_record(record.chain(values.map(|value| value.to_string())))?;
            }
        }
    }
    let bytes = csv.into_inner().map_err(|error| Failure(error.to_string()))?;
    bptt::files::replace(&path, &bytes)?;
    Ok(path)
}

/// The pictures of the backtest: what each method said of a row the whole horizon before.
fn draw_backtest(opened: &Opened) -> Result<Vec<PathBuf>, Failure> {
    let (series, horizon) = (&opened.series, opened.run.config.subject.horizon);
    let mut files = Vec::new();
    for (c, name) in series.names.iter().enumerate() {
        let curves = opened.contestants.iter().map(|Contestant { method, test, .. }| {
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
            split: opened.run.data.split,
            name: name.clone(),
            title: format!("{name}: forecast {steps} ahead"),
        };
        let stem = format!("backtest{}", suffix(series.names.len(), c));
        files.extend(picture.save(&opened.run.folder.join(stem))?);
    }
    Ok(files)
}

/// Writes `report.html`, the pictures and `backtest.csv`, and returns their paths.
pub fn write(opened: &Opened) -> Result<Vec<PathBuf>, Failure> {
    let Opened { run, series, dates, contestants } = opened;
    let (subject, folder) = (&run.config.subject, &run.folder);
    let main = &contestants[0];
    let steps = subject.horizon.max(subject.season.unwrap_or(12));
    let to_come = following(dates.as_ref(), &run.data.features, steps)?;
    let budget = (steps, PATHS, run.config.training.seed);
    let said = match outlook(&main.method, (series, series.rows()), &to_come, &main.test, budget) {
        Err(error @ OutlookError::Diverged(_)) => {
            note(format_args!("warning: {error}"));
            None
        }
        said => Some(said?),
    };
    let known = (series, dates.as_ref());
    let name = &main.method.name;
    let stem = folder.join("forecast");
    let pictures = match &said {
        Some(said) => draw(known, name, said, &to_come, &LEVELS, &stem)?,
        None => Vec::new(),
    };
    let backtests = draw_backtest(opened)?;
    let columns = opened.columns()?;
    let (mut sections, mut further) = (Vec::new(), Vec::new());
    let svg = |files: &[PathBuf], c: usize| std::fs::read_to_string(&files[2 * c + 1]);
    for (c, column) in columns.iter().enumerate() {
        let (header, rows) = accuracies(column);
        let mut tables = vec![Table {
            caption: format!(
                "Errors over {} forecasts of {} each, in the units of {}; MASE is 1 for the naive forecast in the training rows",
                main.test.origins.len(),
                ahead(subject.horizon),
                column.column
            ),
            header,
            rows,
        }];
        if subject.horizon > 1 {
            let (header, rows) = by_step(column, 13);
            tables.push(Table { caption: "Error by step ahead".into(), header, rows });
            let errors = column.errors.iter();
            let picture = ErrorByStep {
                curves: errors
                    .map(|e| (e.name.clone(), e.root_mean_squared_by_step.clone()))
                    .collect(),
                name: format!("RMSE, in the units of {}", column.column),
                title: format!("{}: error by step ahead", column.column),
            };
            let stem = format!("error_by_step{}", suffix(columns.len(), c));
            further.push(picture.save(&folder.join(stem))?);
        }
        sections.push(Section {
            heading: format!("The forecast of {}", column.column),
            text: vec![format!(
                "Bands hold the rows to come with a probability of {} and {} %: {PATHS} paths to which residuals of the backtest are added, blocks of {} as they came.",
                percent(LEVELS[0]),
                percent(LEVELS[1]),
                ahead(subject.horizon).trim_start_matches("the next ")
            )],
            picture: match said {
                Some(_) => Some((
                    svg(&pictures, c)?,
                    format!("The end of {} and the forecast of {steps} rows by {name}", column.column),
                )),
                None => None,
            },
            ..Section::default()
        });
        sections.push(Section {
            heading: format!("How far off: {}", column.column),
            text: vec![
                "Forecasts of rows that nothing was fitted to, each from the rows before it."
                    .into(),
                format!("{}.", column.verdict),
            ],
            picture: Some((
                svg(&backtests, c)?,
                format!("{} and what was forecast of it", column.column),
            )),
            tables,
            ..Section::default()
        });
        if let Some([_, picture]) = further.get(c) {
            let words = format!("The error of {} by how far ahead was looked", column.column);
            sections.push(Section {
                heading: format!("The farther, the less certain: {}", column.column),
                picture: Some((std::fs::read_to_string(picture)?, words)),
                ..Section::default()
            });
        }
    }
    let files = pictures.into_iter().chain(backtests).chain(further.into_iter().flatten());
    let mut files: Vec<PathBuf> = files.collect();
    if let Some((section, curve)) = learning(opened)? {
        sections.push(section);
        files.extend(curve);
        let unknown = || Failure(format!("{} has a cell that is not known", folder.display()));
        let listener = cell::visit(&run.config.cell, Listener(opened)).ok_or_else(unknown)??;
        if let Some((section, pictures)) = listener {
            sections.push(section);
            files.extend(pictures);
        }
    }
    sections.push(Section {
        heading: "What was trained".into(),
        text: vec!["This is config.toml of the run; its keys are the flags of the command.".into()],
        code: Some(std::fs::read_to_string(folder.join("config.toml"))?),
        ..Section::default()
    });
    let shown = folder.display();
    let other = match run.config.cell.as_str() {
        AUTOREGRESSION => "--cell gru",
        _ => "--seed 2",
    };
    sections.push(Section {
        heading: "Use it".into(),
        text: vec!["A forecast from later rows of the same columns needs no training: --from.".into()],
        code: Some(format!(
            "bptt forecast {shown} --steps {steps}\nbptt forecast {shown} --from NEWER.csv --out forecast.csv\nbptt train series --config {shown}/config.toml {other} --out runs/second"
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
            "{name} learnt {} of {} rows of {source} and was tested on the {} that follow.",
            run.data.split,
            series.rows(),
            series.rows() - run.data.split
        ),
        sections,
    };
    let report = folder.join("report.html");
    page.save(&report)?;
    let backtest = write_backtest(opened)?;
    Ok([report, backtest].into_iter().chain(files).collect())
}

/// The learning curve, if there is a network, as a section and as files.
fn learning(opened: &Opened) -> Result<Option<(Section, [PathBuf; 2])>, Failure> {
    let run = &opened.run;
    if run.config.cell == AUTOREGRESSION {
        return Ok(None);
    }
    let (last, _) =
        Checkpoints::of(&run.folder).first::<Progress>(&["last", "previous", "best"])?;
    let epochs = last.progress.epochs;
    let linear = &opened.contestants[1];
    let curve = LearningCurve {
        train: epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: 1,
        unit: "epoch",
        level: Some((linear.method.name.clone(), linear.loss())),
        title: format!("{}: squared error of standardised values by epoch", run.config.cell),
    };
    let files = curve.save(&run.folder.join("learning_curve"))?;
    let svg = std::fs::read_to_string(&files[1])?;
    let words = "Mean squared error of training and validation rows by epoch, with that of AR(τ)";
    let section = Section {
        heading: "Learning".into(),
        picture: Some((svg, words.into())),
        ..Section::default()
    };
    Ok(Some((section, files)))
}

/// A line for each file of a report that was written again.
pub fn rewrite(folder: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    output::wrote(&mut text, &write(&Opened::of(folder)?)?);
    Ok(text)
}
