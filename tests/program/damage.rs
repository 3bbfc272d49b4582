//! Files of a run that somebody has changed: shapes, lengths and types that do not fit, files without an end and pipes.
//! Each is answered in one line, before memory is taken for it.

use crate::checkpoint::{Parts, file};
use crate::start::{bptt, command, wait_for_end};
use bptt::train::run::Run;
use bptt::train::series_run;
use burn::tensor::Bytes;
use burn_pack::{Reader, Scalar, Tensor, Writer};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A small training of each kind, and what uses its run.
const KINDS: [(&[&str], &[&[&str]]); 5] = [
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
fn trained(training: &[&str], folder: &Path) -> PathBuf {
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
fn uses(training: &[&'static str], own: &[&[&'static str]]) -> Vec<Vec<&'static str>> {
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
fn answered(what: &str, arguments: &[&str], output: &Output, whole: Option<&Output>) -> bool {
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
        assert_eq!(output.stdout, whole.stdout, "{what}, {arguments:?} took it: {said}");
    }
    false
}

/// What is read of a run, to begin from it again; pages and pictures are only written.
fn copy(from: &Path, to: &Path) {
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
        let whole: Vec<Output> = uses.iter().map(|arguments| bptt(arguments, folder)).collect();
        for (arguments, output) in uses.iter().zip(&whole) {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        }
        let parts = Parts::of(&kept);
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

/// Every text of the file with one of its numbers, arrays or texts changed: what was done, whether it must be noticed, and
/// the text.
fn changed_values(text: &str) -> Vec<(String, bool, String)> {
    /// Calls `each` with every value of the tree in turn.
    fn walk(value: &mut toml::Value, path: &str, each: &mut dyn FnMut(&str, &mut toml::Value)) {
        each(path, value);
        match value {
            toml::Value::Table(table) => {
                table
                    .iter_mut()
                    .for_each(|(key, value)| walk(value, &format!("{path}.{key}"), each));
            }
            toml::Value::Array(array) => {
                // The first ones stand for all.
                let some = array.iter_mut().take(2).enumerate();
                some.for_each(|(index, value)| walk(value, &format!("{path}[{index}]"), each));
            }
            _ => {}
        }
    }
    let table: toml::Table = text.parse().unwrap();
    let root = toml::Value::Table(table);
    let mut count = 0;
    walk(&mut root.clone(), "", &mut |_, _| count += 1);
    /// Changes a value, if it is of the kind that can be changed so.
    type Change = fn(&mut toml::Value) -> bool;
    let changes: [(&str, bool, Change); 8] = [
        ("a text", true, |value| {
            let other = value.is_integer() || value.is_float();
            *value = toml::Value::String("none".into());
            other
        }),
        ("not a number", true, |value| {
            let other = value.is_integer() || value.is_float();
            *value = toml::Value::Float(f64::NAN);
            other
        }),
        ("below 0", true, |value| {
            let other = value.is_integer();
            *value = toml::Value::Integer(-1);
            other
        }),
        ("infinite", false, |value| {
            let other = value.is_float();
            *value = toml::Value::Float(f64::INFINITY);
            other
        }),
        ("huge", false, |value| {
            let other = value.is_integer();
            *value = toml::Value::Integer(i64::MAX);
            other
        }),
        ("shorter", false, |value| value.as_array_mut().is_some_and(|array| array.pop().is_some())),
        ("longer", false, |value| {
            let array = value.as_array_mut().filter(|array| !array.is_empty());
            array.is_some_and(|array| {
                array.push(array[0].clone());
                true
            })
        }),
        ("empty", false, |value| match value {
            toml::Value::Array(array) if !array.is_empty() => {
                array.clear();
                true
            }
            toml::Value::String(text) if !text.is_empty() => {
                text.clear();
                true
            }
            _ => false,
        }),
    ];
    let mut all = Vec::new();
    for place in 0..count {
        for (what, must, change) in changes {
            let (mut other, mut seen, mut done, mut named) =
                (root.clone(), 0, false, String::new());
            walk(&mut other, "", &mut |path, value| {
                if seen == place {
                    named = path.into();
                    done = change(value);
                }
                seen += 1;
            });
            if done {
                all.push((format!("{named} {what}"), must, toml::to_string(&other).unwrap()));
            }
        }
    }
    all
}

#[test]
fn every_value_of_what_a_run_keeps_of_its_data_is_checked() {
    let (mut changes, mut refusals) = (0, 0);
    for (training, own) in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let run = trained(training, folder);
        let Ok(text) = std::fs::read_to_string(run.join("data.toml")) else { continue };
        for (what, must, text) in changed_values(&text) {
            std::fs::write(run.join("data.toml"), text).unwrap();
            changes += 1;
            let what = format!("data.toml of {}: {what}", training[0]);
            for arguments in own.iter().chain(&[&["report", "run"][..]]) {
                let output = bptt(arguments, folder);
                // Another number may be one as good; one that is none never is.
                let refused = answered(&what, arguments, &output, None);
                assert!(refused || !must, "{what}, {arguments:?} took it");
                refusals += usize::from(refused);
            }
        }
    }
    println!("{changes} changes of data.toml, {refusals} commands refused in one line");
}

#[test]
fn every_cell_of_a_series_and_of_a_backtest_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = trained(&["series", "--epochs", "2"], folder);
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 9] = [
        ("not a number", |text| text.replace(",118\n", ",NaN\n").replace(",118,", ",NaN,")),
        ("infinite", |text| text.replace(",118\n", ",1e999\n").replace(",118,", ",inf,")),
        ("a word", |text| text.replace(",118\n", ",many\n").replace(",118,", ",many,")),
        ("a row less", |text| {
            text.lines().skip(1).fold(String::new(), |all, line| all + line + "\n")
        }),
        ("the last row less", |text| {
            let lines: Vec<&str> = text.lines().collect();
            lines[..lines.len() - 1].join("\n") + "\n"
        }),
        ("a row more", |text| format!("{text}{}\n", text.lines().last().unwrap())),
        ("a column more", |text| text.replace('\n', ",1\n")),
        ("two columns more", |text| text.replace('\n', ",1,1\n")),
        ("a column less", |text| {
            let cut = |line: &str| line.rsplit_once(',').unwrap().0.to_string() + "\n";
            text.lines().map(cut).collect()
        }),
    ];
    let Run::Series(opened) = Run::open(&run).unwrap() else { panic!("a run on a series") };
    let whole = std::fs::read_to_string(run.join("series.csv")).unwrap();
    assert!(whole.contains(",118\n"), "{whole}");
    for (what, change) in changes {
        // With the checksum that it must have.
        let text = change(&whole);
        let mut other = opened.clone();
        other.data.checksum = crc32fast::hash(text.as_bytes());
        std::fs::write(run.join("series.csv"), text).unwrap();
        let error = series_run::read(&other).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("series.csv") && error.lines().count() == 1, "{what}: {error}");
    }
    std::fs::write(run.join("series.csv"), &whole).unwrap();
    assert!(series_run::read(&opened).is_ok());

    let whole = std::fs::read_to_string(run.join("backtest.csv")).unwrap();
    let cells: Vec<&str> = whole.lines().nth(5).unwrap().split(',').collect();
    let (column, actual, forecast) = (cells[3], cells[4], cells[5]);
    let cell = |from: &str, to: &str| whole.replacen(&format!(",{from},"), &format!(",{to},"), 1);
    let lines: Vec<&str> = whole.lines().collect();
    for (what, text) in [
        ("another column", cell(column, "nobody")),
        ("an actual value that is none", cell(actual, "NaN")),
        ("a forecast in words", cell(forecast, "many")),
        ("a line less", lines[..lines.len() - 1].join("\n") + "\n"),
        ("a line more", format!("{whole}{}\n", lines[1])),
        ("no line", format!("{}\n", lines[0])),
        ("nothing", String::new()),
    ] {
        std::fs::write(run.join("backtest.csv"), text).unwrap();
        let output = bptt(&["runs", "."], folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("warning: ") && said.lines().count() == 1, "{what}: {said}");
        assert!(said.contains("backtest.csv") && output.status.success(), "{what}: {said}");
    }
    // What diverged is listed after what did not.
    std::fs::write(run.join("backtest.csv"), cell(forecast, "inf")).unwrap();
    let list = bptt(&["runs", "."], folder);
    assert!(list.stderr.is_empty(), "{}", String::from_utf8_lossy(&list.stderr));
}

/// Ends soon, and with a refusal; memory is limited to what a small run needs.
fn refused_soon(what: &str, arguments: &[&str], folder: &Path, mebibytes: usize) -> String {
    let script = format!("ulimit -v {}; exec \"$0\" \"$@\"", mebibytes * 1024);
    let output = Command::new("timeout")
        .args(["20", "sh", "-c", &script, env!("CARGO_BIN_EXE_bptt")])
        .args(arguments)
        .env("RAYON_NUM_THREADS", "1")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = if arguments[0] == "runs" { Some(0) } else { Some(2) };
    assert_eq!(output.status.code(), expected, "{what}, {arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{what}, {arguments:?}: {said}");
    said
}

#[test]
fn pipes_in_the_folder_of_a_run_are_not_waited_for() {
    for (training, own) in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let run = trained(training, folder);
        let mut names = vec![vec!["config.toml"]];
        for name in ["data.toml", "series.csv"] {
            names.extend(run.join(name).exists().then(|| vec![name]));
        }
        let all = ["last", "previous", "best"];
        let all = all.map(|name| format!("checkpoint/{name}.safetensors"));
        names.push(all.iter().map(String::as_str).collect());
        for names in names {
            let kept = folder.join("kept");
            copy(&run, &kept);
            for name in &names {
                let _ = std::fs::remove_file(run.join(name));
                assert!(Command::new("mkfifo").arg(run.join(name)).status().unwrap().success());
                assert!(run.join(name).metadata().unwrap().file_type().is_fifo());
            }
            let uses = uses(training, own);
            for arguments in &uses {
                if training[0] == "count" && arguments[0] == "report" && names.len() == 3 {
                    continue; // It reads metrics.jsonl alone.
                }
                if arguments[0] == "train" && names[0] == "series.csv" {
                    continue; // It reads the series where it came from.
                }
                let said = refused_soon(names[0], arguments, folder, 2000);
                assert!(said.contains("no regular file"), "{names:?}, {arguments:?}: {said}");
            }
            // A run on count and one on a series do not ask the checkpoint how good they are.
            let said = bptt(&["runs", "."], folder);
            assert!(said.status.success(), "{names:?}");
            copy(&kept, &run);
        }
    }
}

#[test]
fn a_checkpoint_of_any_length_takes_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = trained(KINDS[0].0, folder);
    let whole = Parts::of(&run);
    let list = |what: &str| refused_soon(what, &["runs", "."], folder, 500);
    let resize = |length: u64| {
        for name in ["last", "previous", "best"] {
            let opened = std::fs::OpenOptions::new().write(true).open(file(&run, name)).unwrap();
            opened.set_len(length).unwrap();
        }
    };
    let generate = ["generate", "run"];
    // Longer than its header says, a little and very much.
    for length in [1 << 20, 10 << 30] {
        whole.replace(&run);
        resize(length);
        assert!(list("longer").contains("run"));
        refused_soon("longer", &generate, folder, 500);
    }
    // A header that asks for all of it, and one that is as long as it.
    let mut many = whole.clone();
    let rows = 900_000;
    let epoch = |row: usize| {
        [row as f64 + 1.0, row as f64 + 1.0, 1.0, 1.0, f64::NAN, 0.1].map(f64::to_le_bytes).concat()
    };
    let epochs: Vec<u8> = (0..rows).flat_map(epoch).collect();
    many.tensors.insert("training.epochs".into(), ("F64".into(), vec![rows, 6], epochs));
    many.progress = format!("step = {rows}\nsum = [0.0, 0]\ndrawn = 0\ndone = true\n");
    many.replace(&run);
    let output = bptt(&["runs", ".", "--json"], folder);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("\"epochs\":900000"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut older = whole.clone();
    older.tensors.remove("training.epochs");
    let line = |row: usize| {
        format!(
            "[[epochs]]\nepoch = {row}\nsteps = {row}\ntrain_loss = 1.0\nvalid_loss = 1.0\nlr = 0.1\n\n"
        )
    };
    let lines: String = (1..=rows).map(line).collect();
    older.progress = format!("step = {rows}\nsum = [0.0, 0]\ndone = true\n\n{lines}");
    older.replace(&run);
    assert!(list("nine hundred thousand epochs in the header").contains("header"));
    refused_soon("epochs in the header", &generate, folder, 500);
    // And a few of them there, as they once were, are read.
    let lines: String = (1..=2).map(line).collect();
    older.progress = format!("step = 9\nsum = [0.0, 0]\ndone = true\n\n{lines}");
    older.replace(&run);
    let output = bptt(&["runs", ".", "--json"], folder);
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"epochs\":2"));
    // A whole one is what it was.
    whole.replace(&run);
    let mut child = command(&generate, folder).stdout(Stdio::null()).spawn().unwrap();
    assert!(wait_for_end(&mut child).success());
}
