//! The folder of a training: which one it may have, and the lock on it.

use super::lock::{self, Lock};
use super::read::configuration;
use super::{RunError, next, replaced, run_of::is_fitted_at_once};
use crate::files;
use crate::train::checkpoint::Checkpoints;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What a training writes before its first checkpoint; one that is killed before that leaves nothing to go on with.
const FIRST: [&str; 6] =
    ["config.toml", next::FILE, "data.toml", "series.csv", "validation.wav", "metrics.jsonl"];

/// What it writes at its end, by which another run's would be taken for this one's.
const RESULTS: [&str; 3] = ["backtest.csv", "report.html", "flow.html"];

/// All of them.
fn written() -> Vec<&'static str> {
    FIRST.iter().chain(&RESULTS).copied().collect()
}

/// A folder that a training has for itself, until this is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Lock,
}

/// What is in a folder.
enum Content {
    /// Nothing, or what a training left that had not come to its first checkpoint.
    Free,
    /// A run that has been trained.
    Run,
    /// A file that is none of a run.
    Other(String),
}

impl RunFolder {
    /// That folder, which is made if it is not there, for a new run.
    ///
    /// # Errors
    /// If it holds a trained run or other files, another training is at work in it, or it cannot be written.
    pub fn take(path: &Path) -> Result<Self, RunError> {
        let refuse = || match content(path)? {
            Content::Free => Ok(()),
            Content::Run => Err(RunError::Trained { run: path.display().to_string() }),
            Content::Other(file) => {
                Err(RunError::Other { folder: path.display().to_string(), file })
            }
        };
        if let Err(error) = refuse() {
            // What is in training cannot be gone on with or trained over now.
            let busy = |error: &RunError| matches!(error, RunError::InTraining { .. });
            let trained = matches!(error, RunError::Trained { .. });
            return Err(match trained.then(|| Lock::take(path)) {
                Some(Err(in_training)) if busy(&in_training) => in_training,
                _ => error,
            });
        }
        let folder = Self::lock(path)?;
        refuse()?;
        Ok(folder)
    }

    /// That folder, whatever is in it. A trained run stays until the new one has its first checkpoint, or the backtest of one
    /// that is fitted at once.
    ///
    /// # Errors
    /// If another training is at work in it, or it cannot be written.
    pub fn take_over(path: &Path) -> Result<Self, RunError> {
        Self::lock(path)
    }

    /// That folder or, if [`RunFolder::take`] would refuse it for what is in it, the first of `<path>-2`, `<path>-3`, …
    /// that is free.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take_next(path: &Path) -> Result<Self, RunError> {
        let mut number = 1;
        loop {
            let mut numbered = path.as_os_str().to_owned();
            if number > 1 {
                numbered.push(format!("-{number}"));
            }
            match Self::take(Path::new(&numbered)) {
                Err(
                    RunError::Trained { .. } | RunError::Other { .. } | RunError::InTraining { .. },
                ) => number += 1,
                taken => return taken,
            }
        }
    }

    /// The folder of a run that goes on.
    pub(super) fn lock(path: &Path) -> Result<Self, RunError> {
        let refused = |error: io::Error| RunError::Folder { folder: path.into(), error };
        let checkpoints = path.join("checkpoint");
        // What is written there would be written elsewhere.
        let is_folder = match fs::symlink_metadata(&checkpoints) {
            Ok(found) if !found.is_dir() => {
                return Err(RunError::Link { run: path.display().to_string() });
            }
            found => found.is_ok(),
        };
        fs::create_dir_all(path).map_err(refused)?;
        let lock = Lock::take(path).map_err(|error| match error {
            RunError::File(error) => refused(error),
            other => other,
        })?;
        files::remove_unfinished(path).map_err(refused)?;
        if is_folder {
            files::remove_unfinished(&checkpoints).map_err(refused)?;
        }
        if lock.is_held {
            replaced::settle(path, &written()).map_err(refused)?;
        }
        Ok(Self { path: path.into(), lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another training would be refused; the file systems of some networks have no locks.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held
    }

    /// Makes room for a new run: a trained one waits until the new one stands, and comes back if that fails before. Where
    /// there are no locks it is removed.
    pub(super) fn make_room(&self) -> Result<(), RunError> {
        if self.is_locked() && matches!(content(&self.path), Ok(Content::Run)) {
            replaced::set_aside(&self.path, &written())?;
        } else {
            self.clear()?;
        }
        Ok(())
    }

    /// The new run stands: the one that it replaces goes.
    pub(super) fn stands(&self) -> io::Result<()> {
        replaced::discard(&self.path)
    }

    /// Decides between the new run and the one that it replaces.
    pub(super) fn settle(&self) -> io::Result<()> {
        if self.is_locked() { replaced::settle(&self.path, &written()) } else { Ok(()) }
    }

    /// Removes what an earlier training left, but its configuration: that is replaced, and until then it says whose the
    /// rest is.
    pub(in crate::train) fn clear(&self) -> io::Result<()> {
        Checkpoints::of(&self.path).clear()?;
        for name in FIRST.iter().skip(1).chain(&RESULTS) {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let text = format!("cannot remove {name} of {}: {error}", self.path.display());
                    return Err(io::Error::new(error.kind(), text));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a file of that path is part of a run, which cannot be used without it: its configuration, data or checkpoints.
pub fn is_of_a_run(file: &Path) -> bool {
    let Some(folder) = file.parent() else { return false };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_run = |folder: &Path| configuration(folder).is_ok();
    let is_checkpoint = folder.file_name().is_some_and(|name| name == "checkpoint");
    let known = FIRST.contains(&name.as_str()) || RESULTS[0] == name || name == lock::FILE;
    known && is_run(folder) || is_checkpoint && folder.parent().is_some_and(is_run)
}

/// What is in that folder.
fn content(path: &Path) -> Result<Content, RunError> {
    let refused = |error: io::Error| RunError::Folder { folder: path.into(), error };
    let Some(names) = names(path).map_err(refused)? else { return Ok(Content::Free) };
    let Ok((config, _)) = configuration(path) else {
        let mut names = names.into_iter().filter(|name| name != "checkpoint");
        let any = names.next();
        let checkpoint = checkpoint(path).map_err(refused)?;
        return Ok(any.or(checkpoint).map_or(Content::Free, Content::Other));
    };
    if checkpoint(path).map_err(refused)?.is_some() || is_fitted_at_once(&config, path) {
        return Ok(Content::Run);
    }
    let known = |name: &String| name == "checkpoint" || FIRST.contains(&name.as_str());
    Ok(names.into_iter().find(|name| !known(name)).map_or(Content::Free, Content::Other))
}

/// A file among the checkpoints.
fn checkpoint(path: &Path) -> io::Result<Option<String>> {
    let folder = path.join("checkpoint");
    match fs::symlink_metadata(&folder) {
        Ok(found) if !found.is_dir() => Ok(Some("checkpoint".into())),
        _ => Ok(names(&folder)?.and_then(|names| names.into_iter().next())),
    }
}

/// The names of what is in a folder, in order, without locks and files under temporary names; none if there is no such
/// folder.
fn names(path: &Path) -> io::Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let names: io::Result<Vec<String>> = entries.map(|entry| entry.map(name)).collect();
    let mut names = names?;
    names.retain(|name| {
        name != lock::FILE && name != replaced::FOLDER && !files::is_unfinished(name)
    });
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn line(path: &Path) -> String {
        RunFolder::take(path).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }

    const CONFIG: &str = "format = 2\ntask = \"series\"\ncell = \"gru\"\n";

    #[test]
    fn a_new_run_takes_what_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("below/run");
        drop(RunFolder::take(&run).unwrap());
        for (name, text) in [
            (".lock", "process 7 since 1999-01-01T00:00:00Z\n"),
            (".unfinished-7-0", "half"),
            ("checkpoint/.unfinished-7-1", "half"),
            ("config.toml", CONFIG),
            ("data.toml", ""),
            ("series.csv", "1\n"),
        ] {
            write(&run, name, text);
            assert_eq!(line(&run), "", "{name}");
        }
        assert!(!run.join(".unfinished-7-0").exists());
        assert!(!run.join("checkpoint/.unfinished-7-1").exists());
    }

    #[test]
    fn runs_and_the_files_of_others_are_refused() {
        for (files, words) in [
            (&[("diary.txt", "dear diary")][..], "diary.txt"),
            (&[("config.toml", "color = \"blue\"\n")], "config.toml"),
            (&[("data.toml", "")], "data.toml"),
            (&[("checkpoint/epoch-1.pt", "")], "epoch-1.pt"),
            (&[("config.toml", CONFIG), ("diary.txt", "")], "diary.txt"),
            (&[("config.toml", CONFIG), ("checkpoint/best.safetensors", "")], "trained run"),
            (
                &[
                    ("config.toml", "task = \"series\"\ncell = \"ar\"\n"),
                    ("data.toml", ""),
                    ("series.csv", ""),
                ],
                "trained run",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path().join("run");
            for (name, text) in files {
                write(&run, name, text);
            }
            let before = fs::read_dir(&run).unwrap().count();
            let line = line(&run);
            assert!(line.contains(words) && line.contains("--overwrite"), "{line}");
            assert_eq!(fs::read_dir(&run).unwrap().count(), before, "{words}");
            // The next one is free.
            let next = RunFolder::take_next(&run).unwrap();
            assert_eq!(next.path(), folder.path().join("run-2"));
            assert_eq!(RunFolder::take_next(&run).unwrap().path(), folder.path().join("run-3"));
            let over = RunFolder::take_over(&run).unwrap();
            over.clear().unwrap();
            assert_eq!(run.join("diary.txt").exists(), words == "diary.txt");
        }
    }

    #[test]
    fn a_trained_run_in_training_is_said_to_be_that() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        write(&run, "config.toml", CONFIG);
        write(&run, "checkpoint/last.safetensors", "");
        assert!(line(&run).contains("trained run"));
        let training = RunFolder::take_over(&run).unwrap();
        assert!(line(&run).contains("is in training"));
        drop(training);
        assert!(line(&run).contains("trained run"));
    }

    #[test]
    fn of_those_who_take_a_folder_at_once_one_trains_there() {
        for _ in 0..300 {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path();
            fs::create_dir(run.join("checkpoint")).unwrap();
            let start = std::sync::Barrier::new(4);
            let trained = std::sync::atomic::AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        start.wait();
                        // The shortest training that there is, and its folder is free again.
                        if let Ok(_folder) = RunFolder::take(run) {
                            trained.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            write(run, "config.toml", CONFIG);
                            write(run, "checkpoint/last.safetensors", "");
                        }
                    });
                }
            });
            assert_eq!(trained.into_inner(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn checkpoints_behind_a_link_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [run, elsewhere] = ["run", "elsewhere"].map(|name| folder.path().join(name));
        write(&run, "config.toml", CONFIG);
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, run.join("checkpoint")).unwrap();
        for line in [RunFolder::take_over(&run), RunFolder::lock(&run)] {
            let line = line.unwrap_err().to_string();
            assert!(line.contains("checkpoint") && line.contains("link"), "{line}");
        }
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }
}
