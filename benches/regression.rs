//! Is a change slower than what was before it?
//!
//! `cargo bench --bench regression -- --save before` keeps this program as it is, compiled, in the file `before`. Then, with
//! the change, `cargo bench --bench regression -- --against before` runs the kept program and the new one in turn, so that
//! what disturbs the machine disturbs both alike, and prints for each layer the median of both in milliseconds, and the
//! quartiles of new ÷ before over the rounds: above 1 is slower.

use bptt::nn::{GruConfig, LstmConfig, RnnConfig};
use burn::tensor::{Device, Distribution, Tensor};
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

const CELLS: [&str; 3] = ["lstm", "gru", "rnn"];

/// `T, B, I, H`: small, of many steps, of one row, of weights that fill a cache.
const SIZES: [[usize; 4]; 4] =
    [[100, 32, 32, 64], [1000, 8, 128, 128], [200, 1, 256, 256], [50, 64, 256, 256]];

const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let this = std::env::current_exe()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--save", file] => {
            std::fs::copy(this, file)?;
        }
        ["--against", file] => {
            // An absolute path, for a bare name would be looked for among the system's programs.
            let mut before = Program::start(&std::fs::canonicalize(file)?)?;
            compare(&mut before, &mut Program::start(&this)?)?;
        }
        ["--answer"] => answer()?,
        _ => return Err("give --save FILE, or --against FILE".into()),
    }
    Ok(())
}

fn compare(before: &mut Program, new: &mut Program) -> io::Result<()> {
    println!("{:42} {:>9} {:>9}   new ÷ before, quartiles", "T,B,I,H", "before ms", "new ms");
    for (number, (name, _)) in problems().into_iter().enumerate() {
        let mut times = [vec![], vec![], vec![]];
        for _ in 0..ROUNDS {
            let round = [before.milliseconds(number)?, new.milliseconds(number)?];
            let columns = [round[0], round[1], round[1] / round[0]];
            times.iter_mut().zip(columns).for_each(|(times, time)| times.push(time));
        }
        times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let [first, median, third] = [1, 2, 3].map(|quarter| quarter * ROUNDS / 4);
        let [before, new, ratio] = times;
        println!(
            "{name:42} {:9.3} {:9.3}   {:.3} {:.3} {:.3}",
            before[median], new[median], ratio[first], ratio[median], ratio[third]
        );
    }
    Ok(())
}

type Work = Box<dyn Fn()>;

/// Every cell in every size, forward and then forward and backward.
fn problems() -> Vec<(String, Box<dyn Fn() -> Work>)> {
    let mut all: Vec<(String, Box<dyn Fn() -> Work>)> = Vec::new();
    for cell in CELLS {
        for size in SIZES {
            let [time, batch, features, hidden] = size;
            let name = format!("{cell} {time},{batch},{features},{hidden}");
            all.push((
                format!("{name} forward"),
                Box::new(move || {
                    let (layer, x) = layer(cell, size, &Device::default());
                    Box::new(move || drop(layer(x.clone())))
                }),
            ));
            all.push((
                format!("{name} forward and backward"),
                Box::new(move || {
                    let (layer, x) = layer(cell, size, &Device::default().autodiff());
                    let x = x.require_grad();
                    Box::new(move || drop(layer(x.clone()).backward()))
                }),
            ));
        }
    }
    all
}

type Layer = Box<dyn Fn(Tensor<3>) -> Tensor<3>>;

fn layer(cell: &str, size: [usize; 4], device: &Device) -> (Layer, Tensor<3>) {
    let [time, batch, features, hidden] = size;
    let x = Tensor::random([batch, time, features], Distribution::Default, device);
    let layer: Layer = match cell {
        "lstm" => {
            let lstm = LstmConfig::new(features, hidden, true).init(device);
            Box::new(move |x| lstm.forward(x, None).0)
        }
        "gru" => {
            let gru = GruConfig::new(features, hidden, true).init(device);
            Box::new(move |x| gru.forward(x, None).0)
        }
        _ => {
            let rnn = RnnConfig::new(features, hidden, true).init(device);
            Box::new(move |x| rnn.forward(x, None).0)
        }
    };
    (layer, x)
}

/// Reads the number of a problem a line, and answers with the milliseconds that it took once more.
fn answer() -> io::Result<()> {
    let problems = problems();
    let mut prepared: Option<(usize, Work)> = None;
    for line in io::stdin().lock().lines() {
        let number: usize = line?.parse().map_err(io::Error::other)?;
        if prepared.as_ref().is_none_or(|(last, _)| *last != number) {
            prepared = Some((number, problems[number].1()));
        }
        let (_, work) = prepared.as_ref().expect("just made");
        // The other program has had the caches.
        work();
        let start = Instant::now();
        work();
        println!("{}", start.elapsed().as_secs_f64() * 1e3);
        io::stdout().flush()?;
    }
    Ok(())
}

/// This program, or the one that it was, answering. It ends when its input does.
struct Program {
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(path: &Path) -> io::Result<Self> {
        let mut command = Command::new(path);
        let piped = command.arg("--answer").stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = piped.spawn()?;
        let questions = child.stdin.expect("piped");
        let answers = BufReader::new(child.stdout.expect("piped")).lines();
        Ok(Self { questions, answers })
    }

    fn milliseconds(&mut self, number: usize) -> io::Result<f64> {
        writeln!(self.questions, "{number}")?;
        let answer = self.answers.next().ok_or_else(|| io::Error::other("the program ended"))??;
        answer.parse().map_err(io::Error::other)
    }
}
