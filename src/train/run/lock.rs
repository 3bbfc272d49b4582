//! The lock that a training holds on its folder: the operating system's, on the file `.lock`. It ends with the process,
//! however that ends, so that no lock is ever stale; the file may stay and says nothing then.

use super::RunError;
use crate::printable::printable;
use jiff::{Timestamp, Unit};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the file.
pub(super) const FILE: &str = ".lock";

/// How the file begins.
const START: &str = "process ";

/// The lock, while this is there.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
    /// Whether the file system has locks.
    pub is_held: bool,
}

impl Lock {
    /// Locks that folder, which is there.
    ///
    /// # Errors
    /// If another training holds it, or the file cannot be written.
    pub fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(FILE);
        loop {
            // Another user's link would lead the writing elsewhere.
            if std::fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
                return Err(strange(&path, "it is a link or no file").into());
            }
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).write(true).create(true).truncate(false).open(&path)?;
            let is_held = match try_lock(&file) {
                Ok(is_held) => is_held,
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    return Err(RunError::InTraining { run: folder.display().to_string(), holder });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            };
            if !is_at(&file, &path)? {
                // Its holder has removed it since.
                continue;
            }
            let before = content(&mut file).map_err(io::Error::other)?;
            if !before.is_empty() && !before.starts_with(START) {
                return Err(strange(&path, "it is no lock of this program").into());
            }
            let mut lock = Self { path, file, is_held };
            lock.name()?;
            return Ok(lock);
        }
    }

    /// Writes who holds it.
    fn name(&mut self) -> io::Result<()> {
        let since = Timestamp::now();
        let since = since.round(Unit::Second).unwrap_or(since);
        let line = format!("{START}{} since {since}\n", std::process::id());
        self.file.set_len(0)?;
        io::Seek::rewind(&mut self.file)?;
        self.file.write_all(line.as_bytes())
    }
}

/// While it is locked: whoever waits for it with this file open looks whether it is still there.
impl Drop for Lock {
    fn drop(&mut self) {
        if cfg!(unix) && self.is_held {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether it is locked; false where the file system has no locks.
fn try_lock(file: &File) -> Result<bool, TryLockError> {
    /// `ENOLCK`: a network's file system whose server does not answer for locks.
    const NONE_LEFT: i32 = if cfg!(target_os = "linux") { 37 } else { 77 };
    loop {
        return match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => continue,
            Err(TryLockError::Error(error))
                if error.kind() == ErrorKind::Unsupported
                    || error.raw_os_error() == Some(NONE_LEFT) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        };
    }
}

/// Whether the open file is the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        named => named.map(|named| (named.dev(), named.ino()) == (open.dev(), open.ino())),
    }
}

/// Here no such file is removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Who holds the lock: `process 17 since 2026-05-01T12:00:00Z`.
fn holder(file: &mut File) -> String {
    match content(file) {
        Ok(text) if text.starts_with(START) => printable(text.trim_end()),
        _ => "another process".into(),
    }
}

/// What the file says, as far as that can be a line of this program.
fn content(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(100).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn strange(path: &Path, reason: &str) -> io::Error {
    let text = format!("cannot lock {}: {reason}; remove it", path.display());
    io::Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_holds_it_and_the_next_one_hears_who() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        let holder = format!("process {} since 20", std::process::id());
        assert!(lock.is_held && error.contains(&holder), "{error}");
        drop(lock);
        assert!(!folder.path().join(FILE).exists());
        // Left by a killed process.
        std::fs::write(folder.path().join(FILE), "process 1 since 1999-01-01T00:00:00Z\n").unwrap();
        drop(Lock::take(folder.path()).unwrap());
    }

    #[test]
    fn never_do_two_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let (holders, taken, start) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..2000 {
                        if let Ok(lock) = Lock::take(folder.path()) {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::Relaxed);
                            std::thread::yield_now();
                            holders.fetch_sub(1, Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() >= 8);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_lock_is_neither_followed_nor_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let [lock, other] = [FILE, "diary.txt"].map(|name| folder.path().join(name));
        std::fs::write(&other, "dear diary").unwrap();
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        assert!(Lock::take(folder.path()).unwrap_err().to_string().contains("link"));
        std::fs::remove_file(&lock).unwrap();
        std::fs::hard_link(&other, &lock).unwrap();
        assert!(Lock::take(folder.path()).unwrap_err().to_string().contains("no lock"));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "dear diary");
    }
}
