//! `bptt train count`: the exercise of the lecture.

use super::options::{Compute, named, number, positive, size};
use super::output::{Output, table};
use super::{Failure, output};
use bptt::backend::Backend;
use bptt::data::count::CountTask;
use bptt::gradcheck;
use bptt::nn::Gradient;
use bptt::plot::error_surface::ErrorSurface;
use bptt::plot::gradient_by_time::{Curve, GradientByTime};
use bptt::train::count::{
    GradientCheck, Outcome, Settings, Weights, error_surface, gradient_by_time, gradient_check,
    predictions, train,
};
use burn::tensor::{DType, Device};
use std::path::PathBuf;
use std::process::ExitCode;

/// A linear network of one unit learns to count the ones of a binary sequence
///
/// S_k = S_{k-1} w_rec + x_k w_x from S_0 = 0; the prediction is the last S, the target the number of
/// ones. Trained by Rprop on the whole set. Prints the gradient at the start three ways, the weights
/// reached and predictions on fresh sequences; draws the error surface and the gradient by time.
///
/// Example: bptt train count --start -1.5,2.0 --iterations 500
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Sequences to train on
    #[arg(long, value_name = "N", default_value = "100", value_parser = size)]
    sequences: usize,
    /// Steps of a sequence
    #[arg(long, value_name = "N", default_value = "10", value_parser = size)]
    length: usize,
    /// Where w_x and w_rec start
    #[arg(long, value_name = "W_X,W_REC", default_value = "-1.5,2.0", value_parser = start, allow_hyphen_values = true)]
    start: Weights,
    /// Steps of Rprop
    #[arg(long, value_name = "N", default_value = "500", value_parser = size)]
    iterations: usize,
    /// Rprop's first step
    #[arg(long, value_name = "X", default_value = "0.001", value_parser = positive)]
    lr: f64,
    /// The hand-written gradient, or Burn's autodiff through the unrolled recurrence
    #[arg(long, value_name = "PATH", default_value = "manual", value_parser = named::<Gradient>(Gradient::NAMES))]
    gradient: Gradient,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
}

fn start(text: &str) -> Result<Weights, String> {
    let wrong =
        || "give two finite numbers with a comma between them, such as -1.5,2.0".to_string();
    let (w_x, w_rec) = text.split_once(',').ok_or_else(wrong)?;
    let weight = |text: &str| number(text.trim()).map_err(|_| wrong());
    Ok(Weights { w_x: weight(w_x)?, w_rec: weight(w_rec)? })
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    task: &'static str,
    backend: Backend,
    w_x: f64,
    w_rec: f64,
    loss: f64,
    iterations: usize,
    gradient_check: Vec<gradcheck::Row>,
    predictions: Vec<Prediction>,
    pictures: Vec<PathBuf>,
}

#[derive(serde::Serialize)]
struct Prediction {
    length: usize,
    predicted: f64,
    ones: f64,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let dtype: DType = arguments.compute.dtype.into();
    if arguments.sequences.saturating_mul(arguments.length) > 100_000_000 {
        return Err(Failure(format!(
            "{} sequences of {} steps do not fit into memory: make --sequences or --length smaller",
            arguments.sequences, arguments.length
        )));
    }
    let task = CountTask::generate(arguments.sequences, arguments.length, arguments.compute.seed)?;
    let folder = arguments.output.folder("count")?;
    let settings = Settings {
        start: arguments.start,
        iterations: arguments.iterations,
        first_step: arguments.lr,
        gradient: arguments.gradient,
        dtype,
        device: device.clone(),
    };
    let check = gradient_check(&task, arguments.start, &device, dtype);
    let outcome = train(&task, &settings)?;
    let reached = outcome.reached();
    let predictions = fresh_predictions(arguments, reached, &device, dtype)?;
    let mut pictures = draw_error_surface(&task, &outcome, &folder)?;
    pictures.extend(draw_gradient_by_time(&task, arguments, &device, &folder)?);

    let text = text(arguments, &check, &outcome, &predictions, &pictures);
    let report = Report {
        task: "count",
        backend: arguments.compute.backend,
        w_x: reached.w_x,
        w_rec: reached.w_rec,
        loss: outcome.loss(),
        iterations: arguments.iterations,
        gradient_check: check.rows,
        predictions,
        pictures,
    };
    arguments.output.print(&report, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// Sequences that training has not seen, of the training length and of longer ones.
fn fresh_predictions(
    arguments: &Arguments,
    at: Weights,
    device: &Device,
    dtype: DType,
) -> Result<Vec<Prediction>, Failure> {
    let mut all = Vec::new();
    for times in [1, 2, 5, 10] {
        let length = arguments.length * times;
        let seed = arguments.compute.seed.wrapping_add(times as u64);
        let fresh = CountTask::generate(3, length, seed)?;
        let of_each = predictions(&fresh, at, device, dtype).into_iter();
        all.extend(of_each.map(|(predicted, ones)| Prediction { length, predicted, ones }));
    }
    Ok(all)
}

/// Evenly spaced numbers from `low` to `high`.
fn evenly(low: f64, high: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| low + (high - low) * i as f64 / (count - 1) as f64).collect()
}

fn draw_error_surface(
    task: &CountTask,
    outcome: &Outcome,
    folder: &std::path::Path,
) -> Result<Vec<PathBuf>, Failure> {
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
    Ok(surface.save(&folder.join("error_surface"))?.to_vec())
}

fn draw_gradient_by_time(
    task: &CountTask,
    arguments: &Arguments,
    device: &Device,
    folder: &std::path::Path,
) -> Result<Vec<PathBuf>, Failure> {
    let curve = |w_rec: f64| {
        let at = Weights { w_x: arguments.start.w_x, w_rec };
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
    Ok(picture.save(&folder.join("gradient_by_time"))?.to_vec())
}

fn text(
    arguments: &Arguments,
    check: &GradientCheck,
    outcome: &Outcome,
    predictions: &[Prediction],
    pictures: &[PathBuf],
) -> String {
    let Weights { w_x, w_rec } = arguments.start;
    let mut text = format!("gradient at the start, w_x = {w_x}, w_rec = {w_rec}\n\n");
    let rows: Vec<Vec<String>> = check
        .rows
        .iter()
        .zip(check.values)
        .map(|(row, values)| {
            let mut cells = vec![format!("∂ξ/∂{}", row.parameter)];
            cells.extend(values.map(|value| format!("{value:.8e}")));
            cells.extend(
                [Some(row.manual_vs_autodiff), row.manual_vs_difference].map(output::error),
            );
            cells
        })
        .collect();
    let header =
        ["", "by hand", "autodiff", "differences", "error vs autodiff", "error vs differences"];
    text += &table(&header, &rows);
    let reached = outcome.reached();
    text += &format!(
        "\nafter {} iterations of Rprop\n\n  w_x   = {:.6}   |w_x − 1|   = {:.1e}\n  w_rec = {:.6}   |w_rec − 1| = {:.1e}\n  ξ     = {:.3e} (at the start {:.3e})\n",
        arguments.iterations,
        reached.w_x,
        (reached.w_x - 1.0).abs(),
        reached.w_rec,
        (reached.w_rec - 1.0).abs(),
        outcome.loss(),
        outcome.losses[0],
    );
    text += "\nfresh sequences\n\n";
    let rows: Vec<Vec<String>> = predictions
        .iter()
        .map(|p| vec![p.length.to_string(), format!("{:.3}", p.predicted), p.ones.to_string()])
        .collect();
    text += &output::table(&["length", "prediction", "ones"], &rows);
    text += "\n";
    output::wrote(&mut text, pictures);
    text
}
