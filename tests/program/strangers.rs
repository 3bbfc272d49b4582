//! The folder of a run may come from anybody: reading it and going on with it writes nowhere else, runs nothing, and takes
//! no memory that it does not have itself.

use crate::page;
use crate::start::{bptt, command};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn done(arguments: &[&str], folder: &Path) {
    let output = bptt(arguments, folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// Asserts that it was refused in one line, and returns that.
fn line(output: Output, what: &str) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    assert!(said.starts_with("error: ") && said.lines().count() == 1, "{what}: {said}");
    said
}

/// Small trainings in the folders `text`, `sound`, `series` and `adding`.
fn trained(folder: &Path) {
    let novel = "It was the best of times, it was the worst of times. ".repeat(6);
    fs::write(folder.join("novel.txt"), novel).unwrap();
    for (task, more) in [
        ("text", &["novel.txt", "--window", "8"][..]),
        ("sound", &["--rate", "300", "--window", "20"]),
        ("series", &["--epochs", "2"]),
        ("adding", &["--time", "12", "--steps", "10", "--test", "20"]),
    ] {
        let fixed = ["train", task, "--batch", "2", "--hidden", "6", "--quiet", "--out", task];
        let epochs = ["--epochs", "1"];
        let short = if ["text", "sound"].contains(&task) { &epochs[..] } else { &[] };
        done(&[&fixed[..], more, short].concat(), folder);
    }
}

/// All that writes into the folder of a run.
const WRITING: [&[&str]; 12] = [
    &["report", "text"],
    &["flow", "text"],
    &["train", "text", "--resume", "text", "--epochs", "2"],
    &["report", "sound"],
    &["generate", "sound", "--seconds", "0.1"],
    &["train", "sound", "--resume", "sound", "--epochs", "2"],
    &["report", "series"],
    &["forecast", "series"],
    &["flow", "series"],
    &["train", "series", "--resume", "series", "--epochs", "3"],
    &["report", "adding"],
    &["train", "adding", "--resume", "adding", "--steps", "20"],
];

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    fs::create_dir(folder.join("home")).unwrap();
    // Every file that such a command writes, as a link to a file that is somebody's.
    let mut links = 0;
    for run in ["text", "sound", "series", "adding"] {
        for name in ["flow", "forecast", "generated", "unknown"] {
            for ending in ["html", "svg", "png", "wav"] {
                let _ = fs::write(folder.join(run).join(format!("{name}.{ending}")), "x");
            }
        }
        let files = |folder: &Path| -> Vec<_> {
            let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            files.filter(|file| file.is_file()).collect()
        };
        let run = folder.join(run);
        for file in [files(&run), files(&run.join("checkpoint"))].concat() {
            let victim = folder.join(format!("home/{links}"));
            fs::rename(&file, &victim).unwrap();
            symlink(&victim, &file).unwrap();
            links += 1;
        }
        // One that is dangling would be made.
        for name in [".unfinished-1-0", "checkpoint/.unfinished-1-0"] {
            symlink(folder.join("home/made"), run.join(name)).unwrap();
        }
    }
    let content = || -> BTreeMap<_, _> {
        let files = fs::read_dir(folder.join("home")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
    };
    let before = content();
    assert!(before.len() == links && links > 60, "{links}");
    for arguments in WRITING {
        done(arguments, folder);
    }
    assert!(content() == before, "a file elsewhere was written");

    // A folder that is a link would take the files elsewhere.
    fs::rename(folder.join("adding/checkpoint"), folder.join("elsewhere")).unwrap();
    symlink(folder.join("elsewhere"), folder.join("adding/checkpoint")).unwrap();
    let on = ["train", "adding", "--resume", "adding", "--steps", "30"];
    assert!(line(bptt(&on, folder), "a link").contains("checkpoint"));
    fs::remove_file(folder.join("adding/checkpoint")).unwrap();
    fs::rename(folder.join("elsewhere"), folder.join("adding/checkpoint")).unwrap();
    symlink(folder.join("home/made"), folder.join("adding/.lock")).unwrap();
    // Another folder for the results is no way out of a run that goes on.
    let said = line(bptt(&on, folder), "a lock");
    assert!(said.contains(".lock") && said.contains("a copy") && !said.contains("--out"), "{said}");
    assert!(!folder.join("home/made").exists());
}

#[test]
fn names_lead_nowhere_and_are_no_markup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let evil = "<script>alert(1)</script>";
    let names = [evil, "../../outside", "\"onload=\"alert(1)", "]]><svg/onload=alert(1)>"];
    let header = names.map(|name| format!("\"{}\"", name.replace('"', "\"\""))).join(",");
    let rows = (0..60).map(|row| format!("{row},{},{},{}\n", row % 5, row % 7, row % 3));
    let csv = format!("{header}\n{}", rows.collect::<String>());
    fs::write(folder.join("<b>&sales.csv"), csv).unwrap();
    fs::write(folder.join("<b>&novel.txt"), format!("{evil}&\"'\u{1b}[31m").repeat(9)).unwrap();
    fs::create_dir(folder.join("inside")).unwrap();
    let (series, text) = ("inside/<i>&series", "inside/<i>&text");
    let more = ["--hidden", "4", "--epochs", "1", "--batch", "1", "--window", "4", "--quiet"];
    for (task, file, run) in [("series", "<b>&sales.csv", series), ("text", "<b>&novel.txt", text)]
    {
        done(&[&["train", task, file, "--out", run][..], &more].concat(), folder);
        done(&["flow", run], folder);
    }
    done(&["forecast", series], folder);
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, ["<b>&novel.txt", "<b>&sales.csv", "inside"]);
    assert_eq!(page::check_all(folder), 4);
    for run in [series, text] {
        for entry in fs::read_dir(folder.join(run)).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ["html", "svg"].contains(&ending.unwrap_or_default()) {
                let content = fs::read_to_string(&path).unwrap();
                for markup in ["<script", "<b>", "<i>", "<svg/onload", "\"onload="] {
                    assert!(!content.contains(markup), "{markup} in {}", path.display());
                }
                assert!(!content.contains('\u{1b}'), "{}", path.display());
            }
        }
    }
}

/// As the run's maker could have made it: its checkpoints belong to whatever its configuration says now.
fn forge(run: &Path) {
    for entry in fs::read_dir(run.join("checkpoint")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let mut notes: HashMap<String, String> = header.metadata().clone().unwrap();
        notes.remove("run");
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let sorted: BTreeMap<_, _> = tensors.tensors().into_iter().collect();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(notes["progress"].as_bytes());
        for (name, tensor) in &sorted {
            hasher.update(name.as_bytes());
            hasher.update(tensor.data());
        }
        notes.insert("checksum".into(), format!("{:08x}", hasher.finalize()));
        fs::write(&path, safetensors::serialize(sorted, Some(notes)).unwrap()).unwrap();
    }
}

/// The program with a gigabyte of memory less than it could want.
fn limited(arguments: &[&str], folder: &Path) -> Output {
    let program = command(arguments, folder);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 1500000 && exec \"$0\" \"$@\""]).arg(program.get_program());
    shell.args(program.get_args()).current_dir(folder).env("RAYON_NUM_THREADS", "1");
    shell.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn sizes_that_a_run_only_claims_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let huge = "10000000000";
    for (run, file, keys) in [
        ("text", "config.toml", &["hidden", "layers", "embedding"][..]),
        ("sound", "config.toml", &["hidden", "layers", "embedding", "rate"]),
        ("series", "config.toml", &["hidden", "layers", "horizon", "window", "season"]),
        ("series", "data.toml", &["rows", "split"]),
        ("adding", "config.toml", &["hidden", "layers", "time"]),
    ] {
        let file = folder.join(run).join(file);
        let was = fs::read_to_string(&file).unwrap();
        forge(&folder.join(run));
        for key in keys {
            let lines = was.lines().filter(|line| !line.starts_with(&format!("{key} =")));
            let lines: Vec<&str> = lines.collect();
            fs::write(&file, format!("{key} = {huge}\n{}", lines.join("\n"))).unwrap();
            for command in [&["report"][..], &["flow"], &["generate"], &["forecast"]] {
                let arguments = [command, &[run]].concat();
                line(limited(&arguments, folder), &format!("{key} {arguments:?}"));
            }
        }
        fs::write(&file, was).unwrap();
        done(&["report", run], folder);
    }
    // Many values in few bytes.
    let data = folder.join("text/data.toml");
    let was = fs::read_to_string(&data).unwrap();
    for many in ["1,".repeat(7 << 20), "[],".repeat(5 << 20)] {
        fs::write(&data, format!("x = [{many}]\n{was}")).unwrap();
        let said = line(limited(&["generate", "text"], folder), "values");
        assert!(said.contains("larger"), "{said}");
    }
    fs::write(&data, was).unwrap();
    // A readout of many classes, which no checkpoint holds.
    let was = fs::read_to_string(&data).unwrap();
    let (before, _) = was.split_once("characters = ").unwrap();
    let letters: String = ('\u{10000}'..'\u{10ffff}').collect();
    fs::write(&data, format!("{before}characters = \"{letters}\"\n")).unwrap();
    let config = folder.join("text/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    // So many units that only the readout's weights are more than the checkpoint has.
    fs::write(&config, text.replace("hidden = 6", "hidden = 60\nembedding = 1")).unwrap();
    let said = line(limited(&["generate", "text"], folder), "classes");
    assert!(said.contains("was changed") && said.contains("60 units"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn files_with_holes_and_pipes_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    done(&["train", "count", "--iterations", "3", "--quiet", "--out", "count"], folder);
    for (file, commands) in [
        (
            "text/config.toml",
            &[&["report", "text"][..], &["train", "text", "--resume", "text"]][..],
        ),
        ("text/data.toml", &[&["generate", "text"][..], &["train", "text", "--resume", "text"]]),
        ("series/series.csv", &[&["forecast", "series"][..]]),
        ("count/metrics.jsonl", &[&["report", "count"][..]]),
    ] {
        let file = folder.join(file);
        let was = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        for make in ["truncate", "mkfifo"] {
            let mut command = Command::new(make);
            let made = if make == "truncate" { command.args(["-s", "900M"]) } else { &mut command };
            assert!(made.arg(&file).status().unwrap().success());
            for arguments in commands {
                line(limited(arguments, folder), &format!("{make} {arguments:?}"));
            }
            fs::remove_file(&file).unwrap();
        }
        fs::write(&file, was).unwrap();
    }
    // A list of runs says which one it is, and goes on.
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap();
    fs::create_dir(folder.join("trap")).unwrap();
    fs::rename(folder.join("pipe"), folder.join("trap/config.toml")).unwrap();
    let list = bptt(&["runs", "."], folder);
    let warned = String::from_utf8(list.stderr).unwrap();
    assert!(made.success() && list.status.success() && warned.contains("trap"), "{warned}");
    assert_eq!(String::from_utf8(list.stdout).unwrap().lines().count(), 1 + 5);
}
