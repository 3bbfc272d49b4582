//! Files that are written whole or not at all, and reads with a limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to a temporary name in the folder of `path`, syncs, and renames it to `path`.
///
/// # Errors
/// If any of the three fails. The message names the path; the old file stays, and the
/// temporary file is removed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_after(path, bytes, || Ok(()))
}

/// As [`replace`], and the old file is renamed to `previous` after the new file is whole.
///
/// # Errors
/// As [`replace`]. If the disk is full, both files stay as they were.
pub fn replace_and_keep(path: &Path, previous: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_after(path, bytes, || match fs::rename(path, previous) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// As [`replace`]; `before` is called between the syncing and the renaming.
fn replace_after(
    path: &Path,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let write = || -> io::Result<()> {
        let folder = folder_of(path);
        let mut unfinished = Unfinished::create(folder)?;
        unfinished.file.write_all(bytes)?;
        unfinished.file.sync_all()?;
        before()?;
        fs::rename(&unfinished.path, path)?;
        // The rename is durable once the folder is synced; not every system can open a folder.
        File::open(folder).and_then(|folder| folder.sync_all()).or(Ok(()))
    };
    write().map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot write {}: {error}{advice}", path.display()))
    })
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Checks that the file can be written: creates another file in its folder and removes it.
///
/// # Errors
/// If it could not.
pub fn check_writable(path: &Path) -> io::Result<()> {
    Unfinished::create(folder_of(path)).map(drop)
}

/// A file under a temporary name. Dropping this removes the file, unless it has been renamed.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(folder: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".unfinished-{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                // Left by a killed process with the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return Ok(Self { file: opened?, path }),
            }
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a renaming there is none.
        let _ = fs::remove_file(&self.path);
    }
}

/// The bytes of the file, if there are at most `most`. (A link may lead to a file without an end.)
///
/// # Errors
/// If it cannot be read, or is longer. The message names the path.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let shown = path.display();
    match read_at_most(path, most) {
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot read {shown}: {error}"))),
        Ok(None) => Err(io::Error::other(format!("{shown} has more than {most} bytes"))),
        Ok(Some(bytes)) => Ok(bytes),
    }
}

/// As [`read`], for a caller with other messages: `None` if the file is longer.
///
/// # Errors
/// If it cannot be read.
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// As [`read_at_most`], of a file in UTF-8.
///
/// # Errors
/// If it cannot be read, or is not UTF-8.
pub fn read_text_at_most(path: &Path, most: u64) -> io::Result<Option<String>> {
    let text = read_at_most(path, most)?.map(String::from_utf8).transpose();
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        replace(&path, b"one, and long").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_there_is_kept_once_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [last, previous] = ["last", "previous"].map(|name| folder.path().join(name));
        replace_and_keep(&last, &previous, b"one").unwrap();
        assert!(!previous.exists());
        replace_and_keep(&last, &previous, b"two").unwrap();
        let read = [&last, &previous].map(|path| std::fs::read(path).unwrap());
        assert_eq!(read, [b"two", b"one"]);
        // A folder cannot be replaced by a file: the last one is as it was.
        std::fs::remove_file(&previous).unwrap();
        std::fs::create_dir(&previous).unwrap();
        assert!(replace_and_keep(&last, &previous, b"three").is_err());
        assert_eq!(std::fs::read(&last).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert!(read(&path, 3).unwrap_err().to_string().contains("four has more than 3"));
        assert_eq!(read_text_at_most(&path, 4).unwrap().unwrap(), "four");
        assert_eq!(read_text_at_most(&path, 3).unwrap(), None);
        std::fs::write(&path, b"caf\xe9").unwrap();
        let error = read_text_at_most(&path, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        #[cfg(unix)]
        assert!(read(Path::new("/dev/zero"), 1 << 20).is_err());
    }

    #[test]
    fn a_failure_names_the_path_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = replace(&path, b"x").unwrap_err().to_string();
        assert!(error.contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_has_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let left: Vec<PathBuf> = (0..200)
            .map(|number| {
                folder.path().join(format!(".unfinished-{}-{number}", std::process::id()))
            })
            .collect();
        left.iter().for_each(|path| std::fs::write(path, b"left").unwrap());
        replace(&folder.path().join("a"), b"x").unwrap();
        check_writable(&folder.path().join("b")).unwrap();
        assert!(left.iter().all(|path| std::fs::read(path).unwrap() == b"left"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 201);
        assert!(check_writable(&folder.path().join("absent").join("b")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
        replace(&ours, b"x").unwrap();
        std::fs::write(&theirs, b"x").unwrap();
        let permissions = |path| std::fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(&ours), permissions(&theirs));
    }
}
