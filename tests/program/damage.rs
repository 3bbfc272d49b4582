//! Checkpoints that somebody has changed: shapes, lengths and types that do not fit. Each is answered in one line.

use crate::checkpoint::Parts;
use crate::start::bptt;
use burn::tensor::Bytes;
use burn_pack::{Reader, Scalar, Tensor, Writer};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A small training of each kind, and what uses its run.
pub const KINDS: [(&[&str], &[&[&str]]); 5] = [
    (
        &["text", "novel.txt", "--batch", "2", "--window", "9", "--epochs", "2"],
        &[&["generate", "run"], &["score", "run", "novel.txt"]],
    ),
    (
        &["sound", "--rate", "200", "--batch", "2", "--window", "200", "--epochs", "2"],
        &[
            &["generate", "run", "--seconds", "0.1", "--out", "drawn.wav"],
            &["score", "run", "run/validation.wav"],
        ],
    ),
    (&["series", "--epochs", "2", "--optimizer", "rmsprop"], &[&["forecast", "run"]]),
    (&["adding", "--time", "10", "--steps", "4", "--test-every", "2", "--optimizer", "sgd"], &[]),
    (&["count", "--iterations", "5", "--sequences", "9"], &[]),
];

/// Trains, and returns the folder of the run.
pub fn trained(training: &[&str], folder: &Path) -> PathBuf {
    let text = "It was the best of times, it was the worst of times. ".repeat(3);
    std::fs::write(folder.join("novel.txt"), text).unwrap();
    let common: &[&str] = match training[0] {
        "count" => &["--out", "run", "--quiet"],
        _ => {
            &["--hidden", "4", "--layers", "1", "--schedule", "constant", "--out", "run", "--quiet"]
        }
    };
    let output = bptt(&[&["train"], training, common].concat(), folder);
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{training:?}: {line}");
    folder.join("run")
}

/// All that uses the run of a training, and its resumption.
pub fn uses(training: &[&'static str], own: &[&[&'static str]]) -> Vec<Vec<&'static str>> {
    let mut uses: Vec<Vec<&str>> = own.iter().map(|arguments| arguments.to_vec()).collect();
    uses.push(vec!["flow", "run", "--batch", "2"]);
    uses.push(vec!["report", "run"]);
    match training[0] {
        "count" => {}
        "adding" => uses.push(vec!["train", "adding", "--resume", "run", "--steps", "6"]),
        task => uses.push(vec!["train", task, "--resume", "run", "--epochs", "3"]),
    }
    uses
}

/// How a command answered: refused in one line, or as if nothing had been changed.
pub fn answered(what: &str, arguments: &[&str], output: &Output, whole: Option<&Output>) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) {
        assert_eq!(said.lines().count(), 1, "{what}, {arguments:?}: {said}");
        assert!(
            said.starts_with("error: ") && said.contains("run"),
            "{what}, {arguments:?}: {said}"
        );
        return true;
    }
    assert_eq!(output.status.code(), Some(0), "{what}, {arguments:?}: {said}");
    if let Some(whole) = whole {
        let [found, expected] = [output, whole].map(|o| String::from_utf8_lossy(&o.stdout));
        assert_eq!(found, expected, "{what}, {arguments:?} took it: {said}");
    }
    false
}

/// What is read of a run, to begin from it again; pages and pictures are only written.
pub fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to.join("checkpoint")).unwrap();
    for folder in ["", "checkpoint"] {
        for entry in std::fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let written = ["html", "png", "svg"].iter().any(|end| name.ends_with(end));
            if entry.file_type().unwrap().is_file() && !written {
                std::fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

/// Other forms of a tensor: what it is called, type, shape and bytes.
fn forms(
    dtype: &str,
    shape: &[usize],
    bytes: &[u8],
) -> Vec<(&'static str, String, Vec<usize>, Vec<u8>)> {
    let size = match dtype {
        "F64" => 8,
        "F32" => 4,
        _ => 1,
    };
    let mut forms = Vec::new();
    let mut add = |what, dtype: &str, shape: Vec<usize>, bytes: Vec<u8>| {
        forms.push((what, dtype.to_string(), shape, bytes));
    };
    add("one more dimension", dtype, [shape, &[1]].concat(), bytes.to_vec());
    add("no number", dtype, [&[0], &shape[1..]].concat(), Vec::new());
    let row: usize = shape[1..].iter().product::<usize>() * size;
    if shape[0] > 0 {
        let fewer = [&[shape[0] - 1], &shape[1..]].concat();
        add("a row less", dtype, fewer, bytes[..bytes.len() - row].to_vec());
        let more = [&[shape[0] + 1], &shape[1..]].concat();
        add("a row more", dtype, more, [bytes, &bytes[..row]].concat());
    }
    if shape.len() > 1 {
        add("all in one row", dtype, vec![shape.iter().product()], bytes.to_vec());
        let turned: Vec<usize> = shape.iter().rev().copied().collect();
        if turned != shape {
            add("turned", dtype, turned, bytes.to_vec());
        }
    }
    if size > 1 {
        let numbers: Vec<f64> = match dtype {
            "F64" => {
                bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
            }
            _ => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()).into())
                .collect(),
        };
        let other = if dtype == "F64" { "F32" } else { "F64" };
        let converted = match dtype {
            "F64" => numbers.iter().flat_map(|n| (*n as f32).to_le_bytes()).collect(),
            _ => numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
        };
        add("another precision", other, shape.to_vec(), converted);
        add(
            "whole numbers",
            if dtype == "F64" { "I64" } else { "I32" },
            shape.to_vec(),
            bytes.to_vec(),
        );
        let half = numbers.iter().flat_map(|_| [0u8, 0x3c]).collect();
        add("half precision", "F16", shape.to_vec(), half);
    } else {
        add("signed bytes", "I8", shape.to_vec(), bytes.to_vec());
    }
    forms
}

/// Changes of an optimizer's record.
fn records(record: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let read = || Reader::from_bytes(Bytes::from_bytes_vec(record.to_vec())).unwrap();
    let written = |tensors: Vec<Tensor>, scalars: Vec<(String, Scalar)>| {
        let mut writer = Writer::new(tensors);
        for (name, path) in read().metadata() {
            writer = writer.with_metadata(name, path);
        }
        for (name, value) in scalars {
            writer = writer.with_scalar(&name, value);
        }
        writer.into_bytes().unwrap().to_vec()
    };
    let scalars = || read().scalars().clone().into_iter().collect::<Vec<_>>();
    let tensors = || read().into_tensors().unwrap();
    let same = written(tensors(), scalars());
    assert_eq!(same, record, "a record in one order");
    let changed = |change: &dyn Fn(&mut Tensor)| {
        let mut all = tensors();
        change(&mut all[0]);
        written(all, scalars())
    };
    let counted = |change: &dyn Fn(&str) -> Option<Scalar>| {
        let all = scalars().into_iter().map(|(name, value)| {
            let value = change(&name).unwrap_or(value);
            (name, value)
        });
        written(tensors(), all.collect())
    };
    let rank = |name: &str, rank: usize| name.ends_with("__rank").then(|| Scalar::from(rank));
    let mut records = vec![
        ("a tensor less", written(tensors().split_off(1), scalars())),
        ("a tensor more", {
            let mut all = tensors();
            let mut more = tensors().remove(0);
            more.name = format!("{}.surplus", all[all.len() - 1].name);
            all.push(more);
            written(all, scalars())
        }),
        ("no count", written(tensors(), Vec::new())),
        ("flat", changed(&|t| t.shape = vec![t.shape.iter().product::<usize>(), 1, 1, 1].into())),
        ("another parameter's", changed(&|t| t.param_id = Some(77))),
        ("nobody's", changed(&|t| t.param_id = None)),
        ("another name", changed(&|t| t.name = "1.surplus".into())),
        ("rank 0", counted(&|name| rank(name, 0))),
        ("rank 9", counted(&|name| rank(name, 9))),
        ("rank 5", counted(&|name| rank(name, 5))),
        ("nothing", Vec::new()),
        ("noise", vec![7; 300]),
        ("cut", record[..record.len() / 2].to_vec()),
    ];
    if scalars().iter().any(|(name, _)| name.ends_with("time")) {
        let time = |name: &str, time| name.ends_with("time").then_some(time);
        records.push(("no time", counted(&|name| time(name, Scalar::from(0usize)))));
        records.push(("much time", counted(&|name| time(name, Scalar::from(usize::MAX)))));
        records.push(("a time of words", counted(&|name| time(name, Scalar::from(1.5f64)))));
    }
    records
}

/// Other texts of each value of the progress.
fn progresses(progress: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in progress.lines() {
        let key = line.split(" = ").next().unwrap();
        let values: &[&str] = match key {
            "step" => &["1.5", "-1", "\"3\"", "true", "[]", "nan", "0", "900000000000"],
            "sum" => &[
                "1.5",
                "[]",
                "[0.0]",
                "[0.0, 0, 0]",
                "[nan, 0]",
                "[inf, 1]",
                "[0.0, -1]",
                "[0.0, 1.5]",
                "\"none\"",
            ],
            "drawn" => &["1.5", "-1", "\"3\"", "false", "[]"],
            "done" => &["1", "\"true\"", "[]"],
            other => panic!("{other} is not tried"),
        };
        all.extend(values.iter().map(|value| progress.replace(line, &format!("{key} = {value}"))));
        // As if it had not been written; what counts random numbers is younger than the format.
        if key != "drawn" {
            all.push(progress.replace(line, ""));
        }
    }
    all
}

#[test]
fn every_shape_type_and_number_of_a_checkpoint_is_checked() {
    let (mut changes, mut commands, mut refusals, mut taken) = (0, 0, 0, Vec::new());
    for (training, own) in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let run = trained(training, folder);
        let uses = uses(training, own);
        let kept = folder.join("kept");
        copy(&run, &kept);
        let parts = Parts::of(&kept);
        // With the same checkpoint in each place, as the damaged ones are.
        let answer_of_whole = |arguments: &Vec<&str>| {
            copy(&kept, &run);
            parts.replace(&run);
            let output = bptt(arguments, folder);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
            output
        };
        let whole: Vec<Output> = uses.iter().map(answer_of_whole).collect();
        let mut damaged: Vec<(String, Parts)> = Vec::new();
        for (name, (dtype, shape, bytes)) in &parts.tensors {
            // An exercise that is not resumed has neither state nor optimizer.
            if training[0] == "count" && name.starts_with("training.") {
                continue;
            }
            for (what, dtype, shape, bytes) in forms(dtype, shape, bytes) {
                let mut other = parts.clone();
                other.tensors.insert(name.clone(), (dtype, shape, bytes));
                damaged.push((format!("{name}, {what}"), other));
            }
            let mut without = parts.clone();
            without.tensors.remove(name);
            damaged.push((format!("{name}, removed"), without));
        }
        if training[0] != "count" {
            let optimizer = &parts.tensors["training.optimizer"].2;
            for (what, record) in records(optimizer) {
                let mut other = parts.clone();
                let tensor = ("U8".to_string(), vec![record.len()], record);
                other.tensors.insert("training.optimizer".into(), tensor);
                damaged.push((format!("the record, {what}"), other));
            }
        }
        for progress in progresses(&parts.progress) {
            let what = progress.replace('\n', "; ");
            damaged.push((what, Parts { progress, ..parts.clone() }));
        }
        for (what, other) in damaged {
            changes += 1;
            let what = format!("{}: {what}", training[0]);
            // Pages and flows do not read these.
            let aside = what.contains("training.state") || what.contains("record,");
            let aside = aside || what.contains("training.optimizer");
            for (arguments, whole) in uses.iter().zip(&whole) {
                if aside && ["flow", "report"].contains(&arguments[0]) {
                    continue;
                }
                copy(&kept, &run);
                other.replace(&run);
                let output = bptt(arguments, folder);
                // A training and a drawing of sound print their time.
                let timed = arguments[0] == "train" || arguments.contains(&"--seconds");
                let refusal = answered(&what, arguments, &output, (!timed).then_some(whole));
                commands += 1;
                refusals += usize::from(refusal);
                let takes_all = arguments[0] == "train" || training[0] == "count";
                // How many steps are done, or nothing of a stream, is a number as any other.
                let free = what.contains("step = ") || what.contains("sum = [0.0, ");
                if !refusal && takes_all && !free {
                    taken.push(format!("{what}, {arguments:?}"));
                }
            }
            copy(&kept, &run);
        }
    }
    assert!(taken.is_empty(), "taken as if it were whole: {taken:#?}");
    println!(
        "{changes} changes of checkpoints, {commands} commands, {refusals} refused in one line"
    );
}
