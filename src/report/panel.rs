//! The page of a run on many series: how far off the forecasts of the rows that test were, over all series and for some of
//! them, and the learning curve; and `backtest.csv`, a line for each forecast of a row.

use super::series::{figure, percent};
use super::{ReportError, Written, epochs};
use crate::data::accuracy::{Accuracy, scale};
use crate::files;
use crate::model::panel::LEVELS;
use crate::plot::learning_curve::LearningCurve;
use crate::plot::outlook::{Band, OutlookPicture};
use crate::plot::page::{Page, Section, Table};
use crate::train::checkpoint::Checkpoints;
use crate::train::panel_forecast::{IntervalMeasures, MethodMeasures, PanelBacktest, PanelMethod};
use std::path::PathBuf;

/// The table of the measures over all series.
pub fn measures_table(methods: &[MethodMeasures]) -> Table {
    let row = |method: &MethodMeasures| {
        vec![
            method.name.clone(),
            format!("{:.3}", method.measures.smape),
            format!("{:.3}", method.measures.mase),
            format!("{:.3}", method.overall),
            figure(method.measures.mean_absolute),
        ]
    };
    Table {
        caption: "The rows that test, over all series".into(),
        header: ["method", "sMAPE %", "MASE", "OWA", "MAE"].map(String::from).into(),
        rows: methods.iter().map(row).collect(),
    }
}

/// The table of the intervals.
pub fn intervals_table(backtest: &PanelBacktest) -> Table {
    let row = |interval: &IntervalMeasures| {
        vec![
            format!("{} %", percent(interval.level)),
            format!("{:.1} %", 100.0 * interval.coverage),
            format!("{:.3}", interval.scaled_score),
        ]
    };
    Table {
        caption: format!("The intervals of {}", backtest.method),
        header: ["interval", "rows inside", "MSIS"].map(String::from).into(),
        rows: backtest.intervals.iter().map(row).collect(),
    }
}

/// Which method is best, in a sentence, and which one forecasts.
pub fn verdict(backtest: &PanelBacktest) -> String {
    let network = &backtest.test[0];
    let others = backtest.test[1..].iter();
    let strongest = others.min_by(|a, b| a.overall.total_cmp(&b.overall));
    let Some(strongest) = strongest else { return String::new() };
    let less = 100.0 * (1.0 - network.overall / strongest.overall);
    let verdict = match less > 0.0 {
        true => format!(
            "the network is best: its OWA is {less:.1} % below that of the strongest other method, {}",
            strongest.name
        ),
        false => format!(
            "{} is best: the OWA of the network is {:.1} % above its own",
            strongest.name, -less
        ),
    };
    match backtest.method {
        PanelMethod::Network => verdict,
        method => format!(
            "{verdict}; on the rows that validate {method} was the best, and bptt forecast takes it (--method network takes the network)"
        ),
    }
}

/// Writes the page, the pictures and `backtest.csv` of a run.
///
/// # Errors
/// If a file cannot be written.
pub fn write(backtest: &PanelBacktest) -> Result<Written, ReportError> {
    let run = &backtest.run;
    let folder = &run.folder;
    let progress = Checkpoints::of(folder).progress()?;
    let curve = LearningCurve {
        train: progress.epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: progress.epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: 1,
        unit: "epoch",
        level: None,
        title: format!("{} series, {}: loss by epoch", backtest.panel.ids.len(), run.config.cell),
    };
    let [curve_png, curve_svg] = curve.save(&folder.join("learning_curve"))?;
    let csv = folder.join("backtest.csv");
    files::replace(&csv, &lines(backtest))?;
    let mut files = vec![csv, curve_png, curve_svg.clone()];
    let mut sections = vec![Section {
        heading: "How good it is".into(),
        text: vec![
            format!("{}.", capital(&verdict(backtest))),
            "The rows that test chose nothing: neither weights nor epochs nor the width of the intervals. OWA is the mean of sMAPE and MASE, each over that of Naive 2; MSIS is the mean score of an interval over the scale of MASE, the smaller the better.".into(),
        ],
        tables: vec![measures_table(&backtest.test), intervals_table(backtest)],
        ..Section::default()
    }];
    let (some, table) = examples(backtest);
    let mut pictures = Vec::new();
    for (number, (name, place)) in some.iter().enumerate() {
        let stem = folder.join(format!("forecast_{}", number + 1));
        let [png, svg] = picture(backtest, *place).save(&stem)?;
        pictures.push(Section {
            heading: format!("{}: {name}", id(backtest, *place)),
            picture: Some((
                std::fs::read_to_string(&svg)?,
                format!(
                    "series {}, the forecast of its last rows and what came",
                    id(backtest, *place)
                ),
            )),
            ..Section::default()
        });
        files.extend([png, svg]);
    }
    sections.push(Section {
        heading: "Some of the series".into(),
        text: vec![
            "The forecast of the rows that test, made from the rows before them, and what came."
                .into(),
        ],
        tables: vec![table],
        ..Section::default()
    });
    sections.extend(pictures);
    let words = "By how much the network's forecast moves when one past row moves: the derivative, by the backward pass through recurrence and linear path, its mean size over windows that validate and all steps ahead, in deviations of the window, whose level and deviation are held.";
    let place = (folder.as_path(), "importance".into());
    if let Some((section, map)) = super::importance::section(&backtest.importance, words, place)? {
        sections.push(section);
        files.extend(map);
    }
    sections.push(Section {
        heading: "Learning".into(),
        picture: Some((std::fs::read_to_string(&curve_svg)?, "loss by epoch".into())),
        tables: vec![epochs(&progress, "loss")],
        ..Section::default()
    });
    sections.push(super::configuration(folder)?);
    let shown = folder.display();
    sections.push(Section {
        heading: "Use it".into(),
        code: Some(format!("bptt forecast {shown}\nbptt forecast {shown} --from LATER.csv")),
        ..Section::default()
    });
    let page = Page {
        title: format!("A network that forecasts {} series", backtest.panel.ids.len()),
        introduction: format!(
            "{} rows of {} series; each forecast is {} rows long.",
            run.data.rows, run.data.series, run.config.subject.horizon
        ),
        sections,
    };
    let report: PathBuf = folder.join("report.html");
    page.save(&report)?;
    files.insert(0, report);
    Ok(Written { files, warnings: backtest.warnings.clone() })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The id of a tested series.
fn id(backtest: &PanelBacktest, place: usize) -> &str {
    &backtest.panel.ids[backtest.tested[place]]
}

/// The rows before the forecast of a tested series.
fn known(backtest: &PanelBacktest, place: usize) -> &[f64] {
    let values = &backtest.panel.values[backtest.tested[place]];
    match backtest.run.data.test_checksum {
        Some(_) => values,
        None => &values[..values.len() - backtest.run.config.subject.horizon],
    }
}

/// The series with the smallest, the middle and the largest MASE.
fn examples(backtest: &PanelBacktest) -> (Vec<(&'static str, usize)>, Table) {
    let season = backtest.run.config.subject.season;
    let mase = |place: usize| {
        let (forecast, actual) = &backtest.forecasts[place];
        let scale = scale(known(backtest, place), season);
        Accuracy::of(&forecast.median(), actual, scale).ok().and_then(|accuracy| accuracy.scaled)
    };
    let scored = (0..backtest.tested.len()).filter_map(|place| Some((mase(place)?, place)));
    let mut scored: Vec<(f64, usize)> = scored.collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let last = scored.len().saturating_sub(1);
    let places = [("the smallest MASE", 0), ("the middle one", last / 2), ("the largest", last)];
    let some: Vec<(&str, usize)> =
        places.into_iter().filter_map(|(name, rank)| Some((name, scored.get(rank)?.1))).collect();
    let rows = places.iter().zip(&some).map(|((name, rank), (_, place))| {
        vec![id(backtest, *place).into(), (*name).into(), format!("{:.3}", scored[*rank].0)]
    });
    let table = Table {
        caption: "MASE of some series".into(),
        header: ["series", "", "MASE"].map(String::from).into(),
        rows: rows.collect(),
    };
    (some, table)
}

/// The end of the known rows of a series, and their forecast.
fn picture(backtest: &PanelBacktest, place: usize) -> OutlookPicture {
    let known = known(backtest, place);
    let (forecast, actual) = &backtest.forecasts[place];
    let steps = forecast.quantiles.len();
    let tail = (4 * steps).clamp(48, 400).min(known.len());
    let first = known.len() - tail;
    let bands = LEVELS.iter().enumerate().rev().map(|(level, probability)| Band {
        label: format!("{} % interval", percent(*probability)),
        ends: forecast
            .quantiles
            .iter()
            .map(|step| backtest.conformal.interval(step, level))
            .collect(),
    });
    OutlookPicture {
        labels: None,
        first,
        history: known[first..].to_vec(),
        point: forecast.median(),
        actual: actual.clone(),
        bands: bands.collect(),
        name: id(backtest, place).into(),
        title: format!("{}: forecast of {steps} rows", id(backtest, place)),
    }
}

/// `backtest.csv`.
fn lines(backtest: &PanelBacktest) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = ["id", "step", "actual", "forecast"].map(String::from).to_vec();
    for level in LEVELS {
        header.extend(["lower", "upper"].map(|end| format!("{end}_{}", percent(level))));
    }
    writer.write_record(header).expect("memory takes it");
    for (place, (forecast, actual)) in backtest.forecasts.iter().enumerate() {
        let medians = forecast.median();
        for (step, quantiles) in forecast.quantiles.iter().enumerate() {
            let mut record = vec![
                id(backtest, place).to_string(),
                (step + 1).to_string(),
                actual[step].to_string(),
                medians[step].to_string(),
            ];
            for level in 0..LEVELS.len() {
                let ends = backtest.conformal.interval(quantiles, level);
                record.extend(ends.map(|end| end.to_string()));
            }
            writer.write_record(record).expect("memory takes it");
        }
    }
    writer.into_inner().expect("memory takes it")
}
