//! `bptt train count`: the exercise of the lecture.

use super::options::{Compute, named, positive, size};
use super::output::{Output, page_table};
use super::place::Place;
use super::{Failure, output};
use bptt::backend::Backend;
use bptt::data::count::CountTask;
use bptt::gradcheck;
use bptt::nn::Gradient;
use bptt::report;
use bptt::report::count::{Prediction, gradient_table, prediction_table, predictions};
use bptt::train::count::{GradientCheck, Outcome, Settings, Weights, gradient_check, train};
use bptt::train::count_run::{CountConfig, CountRun};
use bptt::train::run::FORMAT;
use burn::tensor::DType;
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
    #[arg(long, value_name = "W_X,W_REC", default_value = "-1.5,2.0", allow_hyphen_values = true)]
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
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    backend: Backend,
    w_x: f64,
    w_rec: f64,
    loss: f64,
    iterations: usize,
    gradient_check: Vec<gradcheck::Row>,
    predictions: Vec<Prediction>,
    files: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let dtype: DType = arguments.compute.dtype.into();
    let Arguments { sequences, length, start, iterations, lr, gradient, .. } = *arguments;
    let task = CountTask::generate(sequences, length, arguments.compute.seed)
        .map_err(|error| Failure(format!("{error}: --sequences, --length")))?;
    let folder = arguments.place.take(&arguments.output, CountRun::TASK)?;
    let device_of = device.clone();
    let settings =
        Settings { start, iterations, first_step: lr, gradient, dtype, device: device_of };
    let check = gradient_check(&task, start, &device, dtype);
    let outcome = train(&task, &settings)?;
    let reached = outcome.reached();
    let config = CountConfig {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        task: CountRun::TASK.into(),
        sequences,
        length,
        start,
        iterations,
        lr,
        gradient,
        backend: arguments.compute.backend,
        dtype: arguments.compute.dtype,
        seed: arguments.compute.seed,
    };
    let run = CountRun::write(&folder, config, &outcome)?;
    let predictions = predictions(&run, reached, &device, dtype)?;
    let files = report::write(&run.folder)?.files;

    let text = text(arguments, &check, &outcome, &predictions, &files);
    let report = Report {
        run: run.folder,
        task: CountRun::TASK,
        backend: arguments.compute.backend,
        w_x: reached.w_x,
        w_rec: reached.w_rec,
        loss: outcome.loss(),
        iterations,
        gradient_check: check.rows,
        predictions,
        files,
    };
    arguments.output.print(&report, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(
    arguments: &Arguments,
    check: &GradientCheck,
    outcome: &Outcome,
    predictions: &[Prediction],
    files: &[PathBuf],
) -> String {
    let Weights { w_x, w_rec } = arguments.start;
    let mut text = format!("gradient at the start, w_x = {w_x}, w_rec = {w_rec}\n\n");
    text += &page_table(&gradient_table(check));
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
    text += &page_table(&prediction_table(predictions));
    text += "\n";
    output::wrote(&mut text, files);
    text
}
