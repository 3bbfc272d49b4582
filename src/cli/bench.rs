//! `bptt bench`: what one layer costs, by either path.

use super::options::{Compute, bytes, check_precision, memory, named, positive, size};
use super::output::{show, table};
use super::{Failure, MEMORY};
use bptt::cell::{self, Shape};
use bptt::kernel::{self, Machine, Multiplied};
use bptt::nn::{AnyCell, Gradient, Precision, Random, Recurrent, RecurrentConfig};
use bptt::recurrence::budget::BudgetError;
use bptt::train::DataType;
use bptt::train::memory::check_memory;
use burn::tensor::{DType, Device, Distribution, Tensor};
use clap::builder::PossibleValuesParser;
use rand::SeedableRng;
use std::process::ExitCode;
use std::time::Instant;

/// Measure one layer: forward, forward and backward, by hand and by autodiff
///
/// Times are medians in milliseconds: `forward` without autodiff, `f + b` with the gradients of the input
/// and of all weights. GFLOP/s count the products, 3 · 2 B T G H (I + H) for a cell of G gates, and are
/// set against the peak of fused multiplications and additions that the same run measures. Memory is the
/// most that one step of forward and backward holds beside its input and weights.
///
/// Example: bptt bench --cell lstm,gru --time 100 --batch 32 --input 64 --hidden 256
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Cells, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "lstm,gru,elman", value_parser = PossibleValuesParser::new(cell::names()))]
    cell: Vec<String>,
    /// The hand-written gradient, or Burn's autodiff; both if not given
    #[arg(long, value_name = "PATH", value_parser = named::<Gradient>(Gradient::NAMES))]
    gradient: Option<Gradient>,
    /// Time steps
    #[arg(long, value_name = "N", default_value = "50", value_parser = size)]
    time: usize,
    /// Rows of the batch
    #[arg(long, value_name = "N", default_value = "32", value_parser = size)]
    batch: usize,
    /// Features of the input
    #[arg(long, value_name = "N", default_value = "128", value_parser = size)]
    input: usize,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "128", value_parser = size)]
    hidden: usize,
    /// The most memory that the manual path keeps for its backward pass, as 64MiB; it computes the rest
    /// again
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory_budget: Option<usize>,
    /// What the products multiply: the numbers as they are, or rounded to bf16
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = named::<Precision>(Precision::NAMES))]
    precision: Precision,
    /// Seconds to spend on each number
    #[arg(long, value_name = "X", default_value = "1", value_parser = positive)]
    seconds: f64,
    #[command(flatten)]
    compute: Compute,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    backend: String,
    dtype: DataType,
    precision: Precision,
    threads: usize,
    instruction_set: &'static str,
    peak_gflops: f64,
    rows: Vec<Row>,
}

#[derive(serde::Serialize)]
struct Row {
    cell: String,
    path: Gradient,
    time: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    forward_ms: f64,
    forward_backward_ms: f64,
    gflops: f64,
    peak_share: f64,
    peak_memory_bytes: usize,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Compute { dtype, backend, .. } = arguments.compute;
    check_precision(arguments.precision, &arguments.compute)?;
    let device = arguments.compute.device()?;
    for name in &arguments.cell {
        let numbers = numbers(arguments, &named_cell(name).shape());
        check_memory(numbers * bytes(dtype), "--time, --batch, --input or --hidden")?;
    }
    let machine = Machine::chosen();
    let multiplied = match (dtype, arguments.precision) {
        (DataType::F64, _) => Multiplied::F64,
        (DataType::F32, Precision::Full) => Multiplied::F32,
        (DataType::F32, Precision::Bf16) => Multiplied::Bf16,
    };
    let peak_gflops = kernel::peak(machine, multiplied);
    let mut rows = Vec::new();
    for name in &arguments.cell {
        for path in [Gradient::Manual, Gradient::Autodiff] {
            if arguments.gradient.is_none_or(|asked| asked == path) {
                let layer = Layer { name, path, arguments, device: &device, peak_gflops };
                rows.push(layer.measured()?);
            }
        }
    }
    let report = Report {
        backend: backend.to_string(),
        dtype,
        precision: arguments.precision,
        threads: machine.threads,
        instruction_set: machine.set.name(),
        peak_gflops,
        rows,
    };
    if arguments.json {
        show(format_args!(
            "{}\n",
            serde_json::to_string(&report).expect("results are plain data")
        ))?;
    } else {
        show(format_args!("{}", text(&report, arguments)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(report: &Report, arguments: &Arguments) -> String {
    let lines: Vec<Vec<String>> = report
        .rows
        .iter()
        .map(|row| {
            vec![
                row.cell.clone(),
                row.path.to_string(),
                format!("{:.3}", row.forward_ms),
                format!("{:.3}", row.forward_backward_ms),
                format!("{:.1}", row.gflops),
                format!("{:.0} %", 100.0 * row.peak_share),
                format!("{:.2}", row.peak_memory_bytes as f64 / f64::from(1 << 20)),
            ]
        })
        .collect();
    let header = ["cell", "path", "forward ms", "f + b ms", "GFLOP/s", "of the peak", "memory MiB"];
    let Arguments { time, batch, input, hidden, .. } = arguments;
    let Report { backend, dtype, precision, threads, instruction_set, peak_gflops, .. } = report;
    let multiplied = match precision {
        Precision::Full => String::new(),
        Precision::Bf16 => format!(", products in {precision}"),
    };
    format!(
        "{}\n{time} steps, batch {batch}, {input} features, {hidden} hidden units; {backend}, {dtype}{multiplied}\n\
         peak {peak_gflops:.0} GFLOP/s with {threads} threads, {instruction_set}\n",
        table(&header, &lines)
    )
}

/// About how many numbers a step of forward and backward by hand holds at once.
fn numbers(arguments: &Arguments, shape: &Shape) -> f64 {
    let Arguments { time, batch, input, hidden, .. } = *arguments;
    let [time, batch, input, hidden] = [time, batch, input, hidden].map(|n| n as f64);
    let wide = (2 * shape.gates + shape.kept + shape.states) as f64;
    let weights = shape.gates as f64 * hidden * (input + hidden);
    time * batch * (2.0 * input + wide * hidden) + 4.0 * weights
}

fn named_cell(name: &str) -> AnyCell {
    AnyCell::named(name).expect("clap knows the names")
}

struct Layer<'a> {
    name: &'a str,
    path: Gradient,
    arguments: &'a Arguments,
    device: &'a Device,
    peak_gflops: f64,
}

impl Layer<'_> {
    fn measured(&self) -> Result<Row, BudgetError> {
        let cell = named_cell(self.name);
        let Arguments { time, batch, hidden, .. } = *self.arguments;
        let input = cell.shape().features(self.arguments.input, hidden);
        let dtype = DType::from(self.arguments.compute.dtype);
        let config = RecurrentConfig::new(input, hidden, true)
            .with_batch_first(false)
            .with_memory_budget(self.arguments.memory_budget)
            .with_precision(self.arguments.precision)
            .with_gradient(self.path);
        let layer = |device: &Device| -> Recurrent {
            let mut random = Random::seed_from_u64(self.arguments.compute.seed);
            config.init_with(cell.clone(), (device, dtype), &mut random)
        };
        let x = |device: &Device| {
            Tensor::<3>::random([time, batch, input], Distribution::Default, (device, dtype))
        };
        let training = self.device.clone().autodiff();
        layer(&training).check_memory_budget(time, batch, dtype)?;
        let (learner, sequence) = (layer(&training), x(&training).require_grad());
        let mut step = || drop(learner.forward(sequence.clone(), None).0.backward());
        let peak_memory_bytes = most_memory(&mut step);
        let forward_backward_ms = self.median(&mut step);
        let (learned, sequence) = (layer(self.device), x(self.device));
        let forward_ms = self.median(&mut || drop(learned.forward(sequence.clone(), None)));
        let multiplications = time * batch * cell.shape().multiplications(input, hidden);
        let gflops = 6.0 * multiplications as f64 / forward_backward_ms / 1e6;
        Ok(Row {
            cell: self.name.into(),
            path: self.path,
            time,
            batch,
            input,
            hidden,
            forward_ms,
            forward_backward_ms,
            gflops,
            peak_share: gflops / self.peak_gflops,
            peak_memory_bytes,
        })
    }
}

/// The most memory that the work holds beyond what is held before it.
fn most_memory(work: &mut impl FnMut()) -> usize {
    kernel::release_memory();
    MEMORY.0.reset_peak_usage();
    let before = MEMORY.0.current_usage();
    work();
    MEMORY.0.peak_usage().saturating_sub(before)
}

impl Layer<'_> {
    /// The median time in milliseconds of at least five runs, or of those that ten times the asked
    /// seconds allow, after one to warm up.
    fn median(&self, work: &mut impl FnMut()) -> f64 {
        const LEAST: usize = 5;
        work();
        let mut times = Vec::new();
        let (start, asked) = (Instant::now(), self.arguments.seconds);
        loop {
            let run = Instant::now();
            work();
            times.push(run.elapsed().as_secs_f64() * 1e3);
            let spent = start.elapsed().as_secs_f64();
            if spent > 10.0 * asked || (spent > asked && times.len() >= LEAST) {
                times.sort_by(f64::total_cmp);
                return times[times.len() / 2];
            }
        }
    }
}
