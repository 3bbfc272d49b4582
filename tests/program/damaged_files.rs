//! Other files of a run that somebody has changed, files without an end, and pipes. Each is answered in one line, before memory
//! is taken for it.

use crate::checkpoint::{Parts, file};
use crate::damage::{KINDS, answered, copy, trained, uses};
use crate::start::{bptt, command, wait_for_end};
use bptt::train::run::Run;
use bptt::train::series_run;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Stdio};

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
    for length in [1 << 20, 5 << 30, 10 << 30] {
        whole.replace(&run);
        resize(length);
        assert!(list("longer").contains("run"));
        // By its length, and not by what was left of the memory.
        assert!(refused_soon("longer", &generate, folder, 500).contains("bytes"));
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
    // As many as a header can hold take too much when they are read.
    let lines: String = (1..=100_000).map(line).collect();
    older.progress = format!("step = {rows}\nsum = [0.0, 0]\ndone = true\n\n{lines}");
    older.replace(&run);
    assert!(list("a hundred thousand epochs in the header").contains("longer than one can be"));
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
