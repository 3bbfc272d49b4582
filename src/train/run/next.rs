//! The configuration that a run goes on with. It waits in a file of its own until a checkpoint has been trained with it, so
//! that `config.toml` says how the checkpoints came about, whenever a training is killed.

use super::{RunFolder, replaced};
use crate::files;
use crate::train::checkpoint::Checkpoints;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The name of the file.
pub(super) const FILE: &str = "config.next.toml";

/// How the file begins; after it comes the step.
const START: &str = "# for checkpoints after step ";

/// Keeps the configuration for the checkpoints after that step.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn announce(run: &Path, config: &str, step: usize) -> io::Result<()> {
    files::replace(&run.join(FILE), format!("{START}{step}\n{config}").as_bytes())
}

/// Makes it the configuration of the run: there is a checkpoint that was trained with it.
///
/// # Errors
/// If a file cannot be written or removed.
pub(super) fn adopt(run: &Path, config: &str) -> io::Result<()> {
    files::replace(&run.join("config.toml"), config.as_bytes())?;
    forget(run)
}

/// Removes it.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn forget(run: &Path) -> io::Result<()> {
    match fs::remove_file(run.join(FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let text = format!("cannot remove {FILE} of {}: {error}", run.display());
            Err(io::Error::new(error.kind(), text))
        }
        _ => Ok(()),
    }
}

/// Decides about what a killed training of that run has left: its configuration is adopted if there is a checkpoint that was
/// trained with it, and removed otherwise; a run that it was to replace comes back if there is none. Nothing is done while a training is at work there.
///
/// # Errors
/// If a file cannot be read, written or removed.
pub fn settle(run: &Path) -> io::Result<()> {
    if !run.join(FILE).exists() && !run.join(replaced::FOLDER).exists() {
        return Ok(());
    }
    match RunFolder::lock(run) {
        Ok(_lock) => settle_locked(run),
        // It is answered when the run is to go on.
        Err(_) => Ok(()),
    }
}

/// As [`settle`], where the folder is locked.
pub(super) fn settle_locked(run: &Path) -> io::Result<()> {
    const LARGEST: u64 = 1 << 20;
    let text = match files::read_regular_text(&run.join(FILE), LARGEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        text => text,
    };
    let text = text.ok().flatten().unwrap_or_default();
    let parts = text.strip_prefix(START).and_then(|rest| rest.split_once('\n'));
    let left = parts.and_then(|(step, config)| Some((step.parse::<usize>().ok()?, config)));
    let done = Checkpoints::of(run).progress().map_or(0, |progress| progress.step);
    match left {
        Some((step, config)) if done > step => adopt(run, config),
        _ => forget(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::encode;
    use crate::train::progress::Progress;
    use std::collections::BTreeMap;

    #[test]
    fn what_a_killed_training_has_left_is_adopted_if_a_checkpoint_was_trained_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let config = || fs::read_to_string(run.join("config.toml")).unwrap();
        fs::create_dir(run.join("checkpoint")).unwrap();
        let progress = Progress { step: 7, ..Progress::default() };
        let last = encode(&BTreeMap::new(), &[], &[], &progress, None);
        fs::write(run.join("checkpoint/last.safetensors"), last).unwrap();
        for (step, adopted) in [(7, false), (8, false), (6, true), (0, true)] {
            fs::write(run.join("config.toml"), "lr = 1\n").unwrap();
            announce(run, "lr = 2\n", step).unwrap();
            settle(run).unwrap();
            assert_eq!(config(), if adopted { "lr = 2\n" } else { "lr = 1\n" }, "{step}");
            assert!(!run.join(FILE).exists());
        }
        // While a training has the folder, and of what is no such file.
        fs::write(run.join("config.toml"), "lr = 1\n").unwrap();
        announce(run, "lr = 2\n", 0).unwrap();
        let lock = RunFolder::take_over(run).unwrap();
        settle(run).unwrap();
        assert!(run.join(FILE).exists());
        drop(lock);
        for noise in [&b"lr = 2\n"[..], b"# for checkpoints after step x\nlr = 2\n", b"\0\xff", b""]
        {
            fs::write(run.join(FILE), noise).unwrap();
            settle(run).unwrap();
            assert_eq!((config().as_str(), run.join(FILE).exists()), ("lr = 1\n", false));
        }
    }
}
