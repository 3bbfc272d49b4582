//! Times the LSTM of the crate rust-lstm, as a worker of `side_by_side.py`: it speaks as
//! `pytorch_speed.py` does. The crate computes in f64 only, on one thread.

use ndarray::Array2;
use rust_lstm::LSTMNetwork;
use std::io::{BufRead, Write};
use std::time::Instant;

#[derive(serde::Deserialize)]
struct Problem {
    cell: String,
    time: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    mode: String,
    repeats: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", serde_json::json!({ "rust-lstm": "0.10" }));
    for line in std::io::stdin().lock().lines() {
        let problem: Problem = serde_json::from_str(&line?)?;
        println!("{}", serde_json::json!({ "milliseconds": milliseconds(&problem)? }));
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn milliseconds(problem: &Problem) -> Result<Vec<f64>, String> {
    if problem.cell != "lstm" {
        return Err(format!("{} is not timed here: lstm is", problem.cell));
    }
    let numbers = |rows: usize, columns: usize| {
        Array2::from_shape_fn((rows, columns), |(i, j)| {
            ((i * 31 + j * 17) % 100) as f64 / 50.0 - 1.0
        })
    };
    // Its matrices have a column for each row of the batch.
    let sequence = vec![numbers(problem.input, problem.batch); problem.time];
    let upstream = vec![numbers(problem.hidden, problem.batch); problem.time];
    let mut network = LSTMNetwork::new(problem.input, problem.hidden, 1);
    let times = (0..problem.repeats).map(|_| {
        let start = Instant::now();
        if problem.mode == "forward" {
            drop(network.forward_sequence(&sequence));
        } else {
            let (_, caches) = network.forward_sequence_with_cache(&sequence);
            drop(network.backward_sequence(&upstream, &caches));
        }
        start.elapsed().as_secs_f64() * 1e3
    });
    Ok(times.collect())
}
