//! The program `bptt`, started in a folder on one thread.

use bptt::nn::Random;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
    command.args(arguments).current_dir(folder).env("RAYON_NUM_THREADS", "1");
    command
}

pub fn bptt(arguments: &[&str], folder: &Path) -> Output {
    command(arguments, folder).output().expect("the program starts")
}

/// What it prints with `--json`, where it succeeds.
pub fn json(arguments: &[&str], folder: &Path) -> Value {
    let output = bptt(arguments, folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// What the shell does, with `$BPTT` the binary.
#[cfg(unix)]
pub fn shell(script: &str, folder: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("BPTT", env!("CARGO_BIN_EXE_bptt")).current_dir(folder);
    command.output().expect("a shell runs")
}

/// Asserts that the program refuses that in one line with all of these words, and returns the line.
pub fn refused(arguments: &[&str], folder: &Path, words: &[&str]) -> String {
    let output = bptt(arguments, folder);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{arguments:?}: {line}");
    for word in words {
        assert!(line.contains(word), "{arguments:?}: no '{word}' in {line}");
    }
    line
}

/// How long a test waits for a program that does what it should in seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// Looks again until there is something to see. A child that shows nothing for [`PATIENCE`] is killed, so that the
/// test fails instead of waiting for ever.
fn patiently<T>(
    child: &mut Child,
    awaited: &str,
    mut look: impl FnMut(&mut Child) -> Option<T>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look(child) {
            return seen;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("no {awaited} after {PATIENCE:?}");
        }
        sleep(Duration::from_millis(2));
    }
}

/// Waits until a running program has written a file.
pub fn wait_for_file(child: &mut Child, file: &Path) {
    let awaited = file.display().to_string();
    patiently(child, &awaited, |child| {
        // Asked in this order, a program that writes the file and ends is not taken for one that did not write it.
        let ended = child.try_wait().unwrap();
        if file.exists() {
            return Some(());
        }
        assert!(ended.is_none(), "the program ended with {ended:?} before it wrote {awaited}");
        None
    });
}

/// Waits until a program ends.
pub fn wait_for_end(child: &mut Child) -> ExitStatus {
    patiently(child, "end", |child| child.try_wait().unwrap())
}

/// Seed of the moments at which trainings are killed.
const SEED: u64 = 14;

/// A training that is killed at drawn moments and resumed each time comes to what it comes to in one piece. After some of the
/// kills a byte of the last checkpoint is another one: the checkpoint before it is as good, and stays until a new one is whole.
///
/// `arguments` are those of `bptt train …` without `--out`. `result` reads from the run in that folder what is compared.
/// `BPTT_KILLS` sets another number of kills. The moments are shares of the time that the training takes in one piece;
/// the shares depend on nothing but a constant.
pub fn kill_and_resume<T: PartialEq>(
    arguments: &[&str],
    folder: &Path,
    kills: usize,
    result: impl Fn(&Path) -> T,
) {
    let kills =
        std::env::var("BPTT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(kills);
    let clock = Instant::now();
    let whole = bptt(&[arguments, &["--quiet", "--out", "whole"]].concat(), folder);
    let time = clock.elapsed();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let expected = result(&folder.join("whole"));

    let mut random = Random::seed_from_u64(SEED);
    let (mut killed, mut finished, mut damaged) = (0, 0, 0);
    while killed < kills || finished == 0 {
        let run = format!("run{finished}");
        let begin = [arguments, &["--quiet", "--out", &run]].concat();
        let resume = [arguments[0], arguments[1], "--resume", &run, "--quiet"];
        let mut moments = Vec::new();
        loop {
            let begun = bptt::train::run::Run::open(&folder.join(&run)).is_ok();
            let mut child = command(if begun { &resume } else { &begin[..] }, folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Later and later: where the beginning and the end of a training take most of its time, it would else go on for ever.
            let moment = 0.8 * random.random::<f64>() * (1.0 + moments.len() as f64 / 10.0);
            let deadline = Instant::now() + time.mul_f64(moment);
            let ended = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                if Instant::now() >= deadline {
                    break None;
                }
                sleep(Duration::from_millis(1));
            };
            match ended {
                Some(status) => assert!(status.success(), "{run}, killed before at {moments:?}"),
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += 1;
                    moments.push(moment);
                    let file = |name: &str| {
                        folder.join(&run).join(format!("checkpoint/{name}.safetensors"))
                    };
                    if random.random::<f64>() < 0.4
                        && file("previous").exists()
                        && let Ok(mut bytes) = std::fs::read(file("last"))
                    {
                        let place = random.random_range(0..bytes.len());
                        bytes[place] ^= 1 << random.random_range(0..8);
                        std::fs::write(file("last"), bytes).unwrap();
                        damaged += 1;
                    }
                    continue;
                }
            }
            break;
        }
        let same = result(&folder.join(&run)) == expected;
        assert!(same, "{run} is another one, killed at {moments:?} of {time:?} by seed {SEED}");
        finished += 1;
    }
    println!(
        "{killed} kills in {finished} trainings, {damaged} damaged checkpoints, all with the result of the one in one piece"
    );
}
