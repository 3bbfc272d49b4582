//! The page of runs side by side.

use super::ReportError;
use super::series::figure;
use crate::plot::forecast::{Forecast, ForecastCurve};
use crate::plot::loss_curves::LossCurves;
use crate::plot::page::{Page, Section, Table};
use crate::train::comparison::{Comparison, Drawn, Form, Group, Measured, NamedMeasure};
use std::path::Path;

/// The table of a group of measures, a run a row.
pub fn comparison_table(comparison: &Comparison, group: &Group) -> Table {
    let measures = group.runs.first().map_or(&[][..], |first| &first.measures);
    let told = group.runs.iter().any(|run| run.difference.is_some());
    let mut header = vec![if group.name.is_empty() { "run".into() } else { group.name.clone() }];
    header.push("method".into());
    header.extend(measures.iter().map(|measure| measure.name.to_string()));
    header.extend(told.then(|| format!("{} to the first", group.by)));
    let row = |(run, folder): (&Measured, &std::path::PathBuf)| {
        let mut row = vec![folder.display().to_string(), run.method.clone()];
        row.extend(run.measures.iter().map(shown));
        row.extend(told.then(|| match run.difference {
            None => "-".into(),
            Some(difference) => {
                let half = 0.5 * (difference.upper - difference.lower);
                let sign = if difference.mean < 0.0 { "−" } else { "+" };
                format!("{sign}{} ± {}", figure(difference.mean.abs()), figure(half))
            }
        }));
        row
    };
    Table {
        caption: format!("Measured on {}", comparison.on),
        header,
        rows: group.runs.iter().zip(&comparison.runs).map(row).collect(),
    }
}

/// A number as people read it.
fn shown(measure: &NamedMeasure) -> String {
    match (measure.value, measure.form) {
        (None, _) => "-".into(),
        (Some(value), Form::Figure) => figure(value),
        (Some(value), Form::Decimals) => format!("{value:.3}"),
        (Some(value), Form::Percent(decimals)) => format!("{:.decimals$} %", 100.0 * value),
        (Some(value), Form::Count) => format!("{value:.0}"),
    }
}

/// The page: the measures, the forecasts of the common rows drawn together, the learning curves, and the configuration of each
/// run.
///
/// # Errors
/// If a picture cannot be drawn, or the configuration of a run not be read.
pub fn page(comparison: &Comparison) -> Result<Page, ReportError> {
    let mut sections = Vec::new();
    let verdicts = comparison.verdicts();
    for (place, group) in comparison.groups.iter().enumerate() {
        let mut text = Vec::new();
        if place == 0 {
            text.extend(verdicts.iter().map(|verdict| format!("{verdict}.")));
        }
        let picture =
            group.drawn.as_ref().map(|drawn| draw(comparison, group, drawn)).transpose()?;
        sections.push(Section {
            heading: match group.name.as_str() {
                "" => "How good they are".into(),
                name => format!("How far off: {name}"),
            },
            text,
            picture,
            tables: vec![comparison_table(comparison, group)],
            ..Section::default()
        });
    }
    let curves = comparison.runs.iter().zip(&comparison.losses);
    let curves = curves.filter(|(_, losses)| !losses.is_empty());
    let curves: Vec<(String, Vec<f64>)> =
        curves.map(|(run, losses)| (run.display().to_string(), losses.clone())).collect();
    if !curves.is_empty() {
        let title = format!("{}: validation loss by epoch", comparison.task);
        let svg = LossCurves { curves, title }.svg()?;
        sections.push(Section {
            heading: "Learning".into(),
            text: vec![
                "The loss of each run is that of its own validating part and scale; the best epoch has a marker.".into(),
            ],
            picture: Some((svg, "The validation loss of each run by epoch".into())),
            ..Section::default()
        });
    }
    for run in &comparison.runs {
        let section = super::configuration(run)?;
        let heading = format!("What was trained: {}", run.display());
        sections.push(Section { heading, ..section });
    }
    Ok(Page {
        title: format!("{} runs of {}", comparison.runs.len(), comparison.task),
        introduction: format!(
            "Compared on {}. The first run, {}, is the one that the others are compared with; ± is the half of the interval that holds the difference with a probability of 95 %.",
            comparison.on,
            comparison.runs.first().map_or(Path::new(""), |run| run).display()
        ),
        sections,
    })
}

/// The forecasts of all runs over the rows.
fn draw(
    comparison: &Comparison,
    group: &Group,
    drawn: &Drawn,
) -> Result<(String, String), ReportError> {
    let curves = comparison.runs.iter().zip(&drawn.forecasts).map(|(run, values)| ForecastCurve {
        label: run.display().to_string(),
        start: drawn.first,
        values: values.clone(),
    });
    let ahead = match drawn.ahead {
        1 => "one row".into(),
        ahead => format!("{ahead} rows"),
    };
    let picture = Forecast {
        labels: drawn.labels.clone(),
        actual: drawn.actual.clone(),
        curves: curves.collect(),
        split: drawn.first,
        part: "test",
        name: group.name.clone(),
        title: format!("{}: forecast {ahead} ahead", group.name),
    };
    let words = format!(
        "{} and the forecasts of each run, {ahead} ahead; below, {}",
        group.name,
        picture.enlarged_in_words()
    );
    Ok((picture.svg()?, words))
}
