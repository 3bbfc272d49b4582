//! The program `bptt`, started in a folder on one thread.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

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
