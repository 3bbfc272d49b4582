//! The page of the exercise: the error over both weights with the path of Rprop, the gradient three ways and by time, and
//! predictions.

use super::{ReportError, Written, configuration};
use crate::data::count::{CountError, CountTask};
use crate::plot::error_surface::ErrorSurface;
use crate::plot::gradient_by_time::{Curve, GradientByTime};
use crate::plot::page::{Page, Section, Table};
use crate::train::count::{
    self, GradientCheck, Outcome, Weights, error_surface, gradient_by_time, gradient_check,
};
use crate::train::count_run::CountRun;
use burn::tensor::{DType, Device};
use std::path::{Path, PathBuf};

/// A fresh sequence.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Prediction {
    /// Its steps.
    pub length: usize,
    /// The network's count.
    pub predicted: f64,
    /// The right one.
    pub ones: f64,
}

/// Sequences that training has not seen, of the training length and of longer ones.
///
/// # Errors
/// If ten times the length does not fit into memory.
pub fn predictions(
    run: &CountRun,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> Result<Vec<Prediction>, CountError> {
    let mut all = Vec::new();
    for times in [1, 2, 5, 10] {
        let length = run.config.length.saturating_mul(times);
        let seed = run.config.seed.wrapping_add(times as u64);
        let fresh = CountTask::generate(3, length, seed)?;
        let of_each = count::predictions(&fresh, at, device, dtype).into_iter();
        all.extend(of_each.map(|(predicted, ones)| Prediction { length, predicted, ones }));
    }
    Ok(all)
}

/// The gradient three ways, a row a weight.
pub fn gradient_table(check: &GradientCheck) -> Table {
    let row = |(row, values): (&crate::gradcheck::Row, [f64; 3])| {
        let mut cells = vec![format!("∂ξ/∂{}", row.parameter)];
        cells.extend(values.map(|value| format!("{value:.8e}")));
        let errors = [Some(row.manual_vs_autodiff), row.manual_vs_difference];
        cells.extend(errors.map(|error| error.map_or("-".into(), |error| format!("{error:.1e}"))));
        cells
    };
    let header =
        ["", "by hand", "autodiff", "differences", "error vs autodiff", "error vs differences"];
    Table {
        caption: "At the start: by hand, by autodiff and by central differences in f64".into(),
        header: header.map(String::from).into(),
        rows: check.rows.iter().zip(check.values).map(row).collect(),
    }
}

/// The predictions, a row a sequence.
pub fn prediction_table(predictions: &[Prediction]) -> Table {
    let row = |p: &Prediction| {
        vec![p.length.to_string(), format!("{:.3}", p.predicted), p.ones.to_string()]
    };
    Table {
        caption: "Sequences that training has not seen, up to ten times as long".into(),
        header: ["length", "prediction", "ones"].map(String::from).into(),
        rows: predictions.iter().map(row).collect(),
    }
}

/// Writes the page and the pictures of a run from what is in its folder.
pub(super) fn write(run: &CountRun) -> Result<Written, ReportError> {
    let (config, folder) = (&run.config, &run.folder);
    let (task, outcome, reached) = (run.task()?, run.outcome()?, run.reached()?);
    let (device, dtype) = (config.backend.device()?, DType::from(config.dtype));
    let surface = draw_error_surface(&task, &outcome, folder)?;
    let by_time = draw_gradient_by_time(&task, config.start, &device, folder)?;
    let svg = |files: &[PathBuf; 2]| std::fs::read_to_string(&files[1]);
    let strings = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_string()).collect();
    let check = gradient_check(&task, config.start, &device, dtype);
    let weights = |name: &str, at: Weights, loss: f64| {
        vec![
            name.into(),
            format!("{:.6}", at.w_x),
            format!("{:.6}", at.w_rec),
            format!("{loss:.3e}"),
        ]
    };
    let sections = vec![
        Section {
            heading: "The error over both weights".into(),
            text: vec!["Both weights 1 count exactly. Rprop looks at the sign of each gradient alone, so that neither the steep cliff nor the flat valley stops it.".into()],
            picture: Some((svg(&surface)?, "ξ over both weights, and the path of Rprop on it".into())),
            tables: vec![Table {
                caption: format!("The weights before and after {} iterations", config.iterations),
                header: strings(&["", "w_x", "w_rec", "ξ"]),
                rows: vec![
                    weights("start", config.start, outcome.losses[0]),
                    weights("reached", reached, outcome.loss()),
                ],
            }],
            ..Section::default()
        },
        Section {
            heading: "The gradient, three ways".into(),
            tables: vec![gradient_table(&check)],
            ..Section::default()
        },
        Section {
            heading: "The gradient by time".into(),
            text: vec!["Each step back multiplies the gradient by w_rec.".into()],
            picture: Some((svg(&by_time)?, "Size of the gradient by time step, for five recurrent weights".into())),
            ..Section::default()
        },
        Section {
            heading: "Fresh sequences".into(),
            tables: vec![prediction_table(&predictions(run, reached, &device, dtype)?)],
            ..Section::default()
        },
        configuration(folder)?,
        Section {
            heading: "Use it".into(),
            code: Some(format!(
                "bptt flow {shown}\nbptt train count --config {shown}/config.toml --start 0.5,0.5",
                shown = folder.display()
            )),
            ..Section::default()
        },
    ];
    let page = Page {
        title: "A linear network that counts".into(),
        introduction: format!(
            "S_k = S_(k-1) w_rec + x_k w_x from S_0 = 0 learnt to count the ones of {} sequences of {} steps.",
            task.sequences, task.length
        ),
        sections,
    };
    let report = folder.join("report.html");
    page.save(&report)?;
    let files = [report].into_iter().chain(surface).chain(by_time).collect();
    Ok(Written { files, warnings: Vec::new() })
}

/// Evenly spaced numbers from `low` to `high`.
fn evenly(low: f64, high: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| low + (high - low) * i as f64 / (count - 1) as f64).collect()
}

fn draw_error_surface(
    task: &CountTask,
    outcome: &Outcome,
    folder: &Path,
) -> Result<[PathBuf; 2], ReportError> {
    let span = |of: fn(&Weights) -> f64| {
        let all = || outcome.path.iter().map(of).chain([1.0]);
        let (low, high) =
            (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let margin = 0.15 * (high - low).max(1.0);
        evenly(low - margin, high + margin, 240)
    };
    let (w_x, w_rec) = (span(|w| w.w_x), span(|w| w.w_rec));
    let surface = ErrorSurface {
        loss: error_surface(task, &w_x, &w_rec),
        w_x,
        w_rec,
        path: outcome.path.iter().map(|w| (w.w_x, w.w_rec)).collect(),
        minimum: (1.0, 1.0),
        title: "Mean squared error of the counting network".into(),
        subtitle: format!("{} sequences of {} steps, path of Rprop", task.sequences, task.length),
    };
    Ok(surface.save(&folder.join("error_surface"))?)
}

fn draw_gradient_by_time(
    task: &CountTask,
    start: Weights,
    device: &Device,
    folder: &Path,
) -> Result<[PathBuf; 2], ReportError> {
    let curve = |w_rec: f64| {
        let at = Weights { w_x: start.w_x, w_rec };
        let states = gradient_by_time(task, at, device, DType::F64).states;
        let last = *states.last().expect("a sequence has a step");
        Curve {
            label: format!("w_rec = {w_rec}"),
            values: states.iter().map(|d| d / last).collect(),
        }
    };
    let picture = GradientByTime {
        curves: [0.5, 0.8, 1.0, 1.25, 2.0].map(curve).into(),
        title: "The gradient vanishes below w_rec = 1 and explodes above".into(),
        subtitle: "‖∂ξ/∂S_k‖ over the sequences, relative to the last step".into(),
    };
    Ok(picture.save(&folder.join("gradient_by_time"))?)
}
