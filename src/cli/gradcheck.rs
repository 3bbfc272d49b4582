//! `bptt gradcheck`: manual against autodiff against central differences.

use super::options::{Compute, memory, size};
use super::output::show;
use super::{Failure, output};
use bptt::cell;
use bptt::gradcheck::{Problem, Row, check};
use bptt::nn::AnyCell;
use bptt::nn::Truncation;
use burn::tensor::DType;
use std::process::ExitCode;

/// Hold the hand-written gradient against autodiff and central differences
///
/// Weights, input, initial state and loss are drawn from the seed. Exits with 0 when every error is
/// within tolerance (f64: 1e-12 against autodiff, 1e-6 against differences; f32: 1e-5), else with 1.
///
/// Example: bptt gradcheck --cell elman --hidden 16 --time 20
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Cell to check; all of them if not given
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(cell::names()))]
    cell: Option<String>,
    /// Time steps
    #[arg(long, value_name = "N", default_value = "7", value_parser = size)]
    time: usize,
    /// Rows of the batch
    #[arg(long, value_name = "N", default_value = "3", value_parser = size)]
    batch: usize,
    /// Features of the input
    #[arg(long, value_name = "N", default_value = "4", value_parser = size)]
    input: usize,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "5", value_parser = size)]
    hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "1", value_parser = size)]
    layers: usize,
    /// Walk in both directions of time
    #[arg(long)]
    bidirectional: bool,
    /// Leave the biases out
    #[arg(long)]
    no_bias: bool,
    /// Walk from the last step to the first
    #[arg(long, conflicts_with = "bidirectional")]
    reverse: bool,
    /// Project the hidden state, for cells that allow it
    #[arg(long)]
    projection: bool,
    /// Normalise the products
    #[arg(long)]
    layer_norm: bool,
    /// Dropout, recurrent dropout and zoneout
    #[arg(long)]
    regularised: bool,
    /// Rows of drawn lengths
    #[arg(long)]
    lengths: bool,
    /// Which part of the gradient: full, window:K, sliding:K1,K2 or random:P. A truncated gradient is the
    /// slope of no loss, so it is held against autodiff alone
    #[arg(long, value_name = "HOW", default_value = "full")]
    truncate: Truncation,
    /// The most memory that the manual path keeps for its backward pass, as 64MiB; it computes the rest
    /// again
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory_budget: Option<usize>,
    #[command(flatten)]
    compute: Compute,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Checked {
    rows: Vec<Row>,
    passed: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let [input, hidden, layers, time, batch] =
        [arguments.input, arguments.hidden, arguments.layers, arguments.time, arguments.batch]
            .map(|n| n as f64);
    let steps = time * batch;
    let numbers = layers * (input + hidden) * hidden + steps * input;
    if numbers * steps > 5e7 {
        return Err(Failure(format!(
            "{numbers} numbers to move one by one through {steps} steps would take hours: make --hidden, --input, --time or --batch smaller"
        )));
    }
    if matches!(arguments.truncate, Truncation::Sliding { .. })
        && (arguments.bidirectional || arguments.reverse || arguments.regularised)
    {
        return Err(Failure(
            "--truncate sliding goes forward in time with no mask drawn: leave out --bidirectional, --reverse and --regularised".into(),
        ));
    }
    let device = arguments.compute.device()?;
    let dtype: DType = arguments.compute.dtype.into();
    let problem = Problem {
        input: arguments.input,
        hidden: arguments.hidden,
        layers: arguments.layers,
        bidirectional: arguments.bidirectional,
        reverse: arguments.reverse,
        projection: false,
        layer_norm: arguments.layer_norm,
        regularised: arguments.regularised,
        bias: !arguments.no_bias,
        time: arguments.time,
        batch: arguments.batch,
        lengths: arguments.lengths,
        state: true,
        truncation: arguments.truncate,
        memory_budget: arguments.memory_budget,
        dtype,
        seed: arguments.compute.seed,
    };
    let names = match &arguments.cell {
        Some(name) => vec![name.as_str()],
        None => cell::names().collect(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for name in names {
        let cell = AnyCell::named(name).expect("clap knows the names");
        let projection = arguments.projection && !cell.looks_at_hidden();
        let problem = Problem { projection, ..problem.clone() };
        problem.check_memory_budget(&cell, &device)?;
        rows.extend(check(&cell, &problem, &device));
    }
    let passed = rows.iter().all(|row| row.passes(dtype));

    if arguments.json {
        let result = Checked { rows, passed };
        show(format_args!(
            "{}\n",
            serde_json::to_string(&result).expect("results are plain data")
        ))?;
    } else {
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    row.cell.clone(),
                    row.parameter.clone(),
                    output::error(Some(row.manual_vs_autodiff)),
                    output::error(row.manual_vs_difference),
                    if row.passes(dtype) { "ok" } else { "WRONG" }.into(),
                ]
            })
            .collect();
        show(format_args!(
            "{}",
            output::table(&["cell", "parameter", "vs autodiff", "vs differences", ""], &lines)
        ))?;
        show(format_args!(
            "\n{problem}, {}: {}\n",
            arguments.compute.backend,
            if passed { "all within tolerance" } else { "NOT within tolerance" }
        ))?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
