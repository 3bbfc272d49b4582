//! Files that are either there whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes `bytes` to a temporary name in the folder of `path`, syncs, and renames it to `path`.
///
/// # Errors
/// If any of the three fails. The message names the path; what was there before stays, and the
/// temporary file goes.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_after(path, bytes, || Ok(()))
}

/// As [`replace`], and what was there before is renamed to `previous` once the new file is whole.
///
/// # Errors
/// As there. Where the disk is full, both names are as they were.
pub fn replace_and_keep(path: &Path, previous: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_after(path, bytes, || match std::fs::rename(path, previous) {
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".unfinished-");
        // As any other new file: what the user's umask allows, not for the owner alone.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        // Errors without the temporary name, which nobody has chosen.
        let made = builder.tempfile_in(folder);
        let mut file = made.map_err(|error| io::Error::from(error.kind()))?;
        file.as_file_mut().write_all(bytes)?;
        file.as_file().sync_all()?;
        before()?;
        file.persist(path).map_err(|error| error.error)?;
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

/// The bytes of the file, if there are at most so many: what a link leads to may have no end.
///
/// # Errors
/// If it cannot be read, or is longer. The message names the path.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    let shown = path.display();
    match read {
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot read {shown}: {error}"))),
        Ok(_) if bytes.len() as u64 > most => {
            Err(io::Error::other(format!("{shown} has more than {most} bytes")))
        }
        Ok(_) => Ok(bytes),
    }
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
