//! Which folder a training writes in: `--out`, `--overwrite`.

use super::Failure;
use super::output::{Output, note};
use bptt::train::run::{RunError, RunFolder};
use clap::Args;
use std::path::Path;

/// What to do with a folder that is taken.
#[derive(Args, Clone, Copy, Debug)]
pub struct Place {
    /// Train in the folder even if it holds a trained run, which is lost, or other files, which stay. Without this flag a
    /// training writes over nothing
    #[arg(long)]
    overwrite: bool,
}

impl Place {
    /// Takes the folder for a new run of that task, before any work is done.
    pub fn take(self, output: &Output, task: &str) -> Result<RunFolder, Failure> {
        let usual = Path::new("runs").join(task);
        let folder = match &output.out {
            Some(folder) if self.overwrite => RunFolder::take_over(folder)?,
            None if self.overwrite => RunFolder::take_over(&usual)?,
            Some(folder) => RunFolder::take(folder)?,
            None => next(&usual)?,
        };
        if !folder.is_locked() {
            warn_of_no_lock(folder.path());
        }
        Ok(folder)
    }
}

/// The usual folder, or the next one that is free, which is said.
fn next(usual: &Path) -> Result<RunFolder, RunError> {
    let folder = RunFolder::take_next(usual)?;
    if folder.path() != usual {
        note(format_args!(
            "{} is taken: this run is {} (--overwrite trains over the other one)",
            usual.display(),
            folder.path().display()
        ));
    }
    Ok(folder)
}

/// Says that nothing keeps a second training out of a folder.
pub fn warn_of_no_lock(folder: &Path) {
    note(format_args!(
        "warning: the file system of {} has no locks: start no second training there before this one has ended",
        folder.display()
    ));
}
