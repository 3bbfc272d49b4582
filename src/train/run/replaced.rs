//! The run that a new one replaces: it waits in a folder of its own until the new one stands, and comes back if that fails
//! or is killed before.

use super::read::configuration;
use super::run_of::is_fitted_at_once;
use crate::train::checkpoint::Checkpoints;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Where it waits.
pub(super) const FOLDER: &str = ".replaced";
/// Where it is removed: no name of a run.
const DISCARDED: &str = ".unfinished-replaced";
/// In its folder once all of it is there.
const WHOLE: &str = "whole";
/// The folder of the checkpoints.
const CHECKPOINT: &str = "checkpoint";
/// What a run that is fitted at once has written when it stands.
const RESULT: &str = "backtest.csv";

/// Moves the files of these names and the checkpoints of a run out of the way.
///
/// # Errors
/// If something cannot be moved: then the run is as it was.
pub(super) fn set_aside(run: &Path, names: &[&str]) -> io::Result<()> {
    let aside = run.join(FOLDER);
    let moved = || -> io::Result<()> {
        fs::create_dir(&aside)?;
        for name in names.iter().chain([&CHECKPOINT]) {
            rename(&run.join(name), &aside.join(name))?;
        }
        fs::write(aside.join(WHOLE), "")
    };
    moved().map_err(|error| {
        let kept = settle(run, names).is_ok();
        let state = if kept { "the run is as it was" } else { "the run waits there" };
        let text = format!("cannot move files to {}: {error}; {state}", aside.display());
        io::Error::new(error.kind(), text)
    })
}

/// Decides between the run that waits and the new one, in a locked folder: the new one stands if it has a checkpoint.
///
/// # Errors
/// If something cannot be moved or removed.
pub(super) fn settle(run: &Path, names: &[&str]) -> io::Result<()> {
    let aside = run.join(FOLDER);
    // A link would lead out of the run.
    if !fs::symlink_metadata(&aside).is_ok_and(|found| found.is_dir()) {
        return remove_folder(&run.join(DISCARDED));
    }
    if aside.join(WHOLE).exists() {
        if stands(run) {
            return discard(run);
        }
        for name in names {
            or_none(fs::remove_file(run.join(name)))?;
        }
        remove_folder(&run.join(CHECKPOINT))?;
        fs::remove_file(aside.join(WHOLE))?;
    }
    for name in names.iter().chain([&CHECKPOINT]) {
        rename(&aside.join(name), &run.join(name))?;
    }
    fs::remove_dir(&aside)
}

/// Removes the run that waits, if there is one: the new one stands.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn discard(run: &Path) -> io::Result<()> {
    let discarded = run.join(DISCARDED);
    remove_folder(&discarded)?;
    rename(&run.join(FOLDER), &discarded)?;
    remove_folder(&discarded)
}

/// Whether the new run can be used.
fn stands(run: &Path) -> bool {
    let fitted = || configuration(run).is_ok_and(|(config, _)| is_fitted_at_once(&config, run));
    Checkpoints::of(run).progress().is_ok() || fitted() && run.join(RESULT).exists()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    or_none(fs::rename(from, to))
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => or_none(fs::remove_dir_all(folder)),
        _ => Ok(()),
    }
}

/// What is not there needs nothing.
fn or_none(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::encode;
    use crate::train::progress::Progress;
    use std::collections::BTreeMap;

    const NAMES: [&str; 3] = ["config.toml", "series.csv", "metrics.jsonl"];

    fn files(run: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for folder in [run.to_path_buf(), run.join(CHECKPOINT)] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_file() {
                    let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into();
                    found.push((entry.path().display().to_string(), text));
                }
            }
        }
        found.sort();
        found
    }

    fn old_run(run: &Path) -> Vec<(String, String)> {
        fs::create_dir_all(run.join(CHECKPOINT)).unwrap();
        for name in ["config.toml", "series.csv", "checkpoint/best.safetensors", "diary.txt"] {
            fs::write(run.join(name), format!("old {name}")).unwrap();
        }
        files(run)
    }

    #[test]
    fn a_run_comes_back_whenever_the_new_one_is_killed_before_its_first_checkpoint() {
        for moment in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path();
            let old = old_run(run);
            set_aside(run, &NAMES).unwrap();
            assert_eq!(files(run).len(), 1, "what is none of a run stays");
            for name in &NAMES[..moment.min(3)] {
                fs::write(run.join(name), "new").unwrap();
            }
            if moment > 3 {
                fs::create_dir(run.join(CHECKPOINT)).unwrap();
                fs::write(run.join("checkpoint/last.safetensors"), "torn").unwrap();
            }
            settle(run, &NAMES).unwrap();
            assert_eq!(files(run), old, "{moment}");
            assert!(!run.join(FOLDER).exists());
        }
        // Killed between two of the renamings, at the beginning and as it comes back.
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let old = old_run(run);
        fs::create_dir(run.join(FOLDER)).unwrap();
        fs::rename(run.join("config.toml"), run.join(FOLDER).join("config.toml")).unwrap();
        settle(run, &NAMES).unwrap();
        assert_eq!(files(run), old);
    }

    #[test]
    fn the_new_run_stands_with_its_first_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        old_run(run);
        set_aside(run, &NAMES).unwrap();
        fs::create_dir(run.join(CHECKPOINT)).unwrap();
        let last = encode(&BTreeMap::new(), &[], &[], &Progress::default(), None);
        fs::write(run.join("checkpoint/last.safetensors"), last).unwrap();
        let new = files(run);
        settle(run, &NAMES).unwrap();
        assert_eq!(files(run), new);
        assert!(!run.join(FOLDER).exists() && !run.join(DISCARDED).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [run, elsewhere] = ["run", "elsewhere"].map(|name| folder.path().join(name));
        let old = old_run(&run);
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("config.toml"), "elsewhere").unwrap();
        std::os::unix::fs::symlink(&elsewhere, run.join(FOLDER)).unwrap();
        settle(&run, &NAMES).unwrap();
        assert_eq!(files(&run), old);
        assert!(set_aside(&run, &NAMES).is_err());
        assert_eq!(files(&elsewhere).len(), 1);
    }
}
