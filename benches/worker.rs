//! Times this crate's layers and burn-nn's, as a worker of `scripts/side_by_side.py`.
//!
//! Speaks as `scripts/pytorch_speed.py`: one problem a line on standard input, with the fields `library`
//! (`bptt`, `bptt-bf16`, `bptt-autodiff` or `burn-nn`) and `backend` beside those of that script; one line of
//! milliseconds on standard output for each.

use bptt::backend::Backend;
use bptt::nn::{Gradient, GruConfig, LstmConfig, Precision, RnnConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

#[derive(Clone, PartialEq, Eq, Hash, serde::Deserialize)]
struct Problem {
    library: String,
    backend: String,
    cell: String,
    time: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    dtype: String,
    mode: String,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(flatten)]
    problem: Problem,
    threads: usize,
    repeats: usize,
}

type Run = Box<dyn Fn()>;

const WARM_UP: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut problems: HashMap<Problem, Run> = HashMap::new();
    println!("{}", serde_json::json!({ "bptt": env!("CARGO_PKG_VERSION") }));
    for line in std::io::stdin().lock().lines() {
        let Asked { problem, threads, repeats } = serde_json::from_str(&line?)?;
        // The first problem decides; rayon's pool cannot change later.
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().ok();
        if !problems.contains_key(&problem) {
            let run = prepare(&problem)?;
            (0..WARM_UP).for_each(|_| run());
            problems.insert(problem.clone(), run);
        }
        let run = &problems[&problem];
        let milliseconds: Vec<f64> = (0..repeats)
            .map(|_| {
                let start = Instant::now();
                run();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        println!("{}", serde_json::json!({ "milliseconds": milliseconds }));
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn prepare(problem: &Problem) -> Result<Run, Box<dyn std::error::Error>> {
    let backend: Backend = problem.backend.parse()?;
    let plain = backend.device()?;
    let training = problem.mode == "forward_backward";
    let device = if training { plain.autodiff() } else { plain };
    let dtype = if problem.dtype == "f64" { DType::F64 } else { DType::F32 };
    let forward = layer(problem, &device, dtype)?;
    let shape = [problem.time, problem.batch, problem.input];
    let x = Tensor::<3>::random(shape, Distribution::Default, (&device, dtype));
    if !training {
        return Ok(Box::new(move || drop(forward(x.clone()))));
    }
    let x = x.require_grad();
    // From a gradient of one for each output: Burn starts from no other.
    Ok(Box::new(move || drop(forward(x.clone()).backward())))
}

type Forward = Box<dyn Fn(Tensor<3>) -> Tensor<3>>;

/// The layer, time first.
fn layer(
    problem: &Problem,
    device: &Device,
    dtype: DType,
) -> Result<Forward, Box<dyn std::error::Error>> {
    let (input, hidden) = (problem.input, problem.hidden);
    let gradient = match problem.library.as_str() {
        "bptt" | "bptt-bf16" => Gradient::Manual,
        "bptt-autodiff" => Gradient::Autodiff,
        _ => return burn_nn(problem, device),
    };
    let rounded = problem.library == "bptt-bf16";
    let precision = if rounded { Precision::Bf16 } else { Precision::Full };
    macro_rules! ours {
        ($config:ident) => {{
            let config = $config::new(input, hidden, true).with_batch_first(false);
            let mut random = <bptt::nn::Random as rand::SeedableRng>::seed_from_u64(0);
            let config = config.with_gradient(gradient).with_precision(precision);
            let layer = config.init_with((device, dtype), &mut random);
            Ok(Box::new(move |x| layer.forward(x, None).0))
        }};
    }
    match problem.cell.as_str() {
        "lstm" => ours!(LstmConfig),
        "gru" => ours!(GruConfig),
        _ => ours!(RnnConfig),
    }
}

fn burn_nn(problem: &Problem, device: &Device) -> Result<Forward, Box<dyn std::error::Error>> {
    let (input, hidden) = (problem.input, problem.hidden);
    if problem.dtype != "f32" {
        return Err("burn-nn's layers start in f32".into());
    }
    Ok(match problem.cell.as_str() {
        "lstm" => {
            let config = burn::nn::LstmConfig::new(input, hidden, true).with_batch_first(false);
            let layer = config.init(device);
            Box::new(move |x| layer.forward(x, None).0)
        }
        "gru" => {
            // burn-nn's GRU knows only batch first; the turned tensor is a view.
            let layer = burn::nn::gru::GruConfig::new(input, hidden, true).init(device);
            Box::new(move |x| layer.forward(x.swap_dims(0, 1), None).swap_dims(0, 1))
        }
        _ => {
            let config = burn::nn::RnnConfig::new(input, hidden, true).with_batch_first(false);
            let layer = config.init(device);
            Box::new(move |x| layer.forward(x, None).0)
        }
    })
}
