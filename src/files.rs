//! Files that are written whole or not at all, and reads with a limit.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to a temporary name in the folder of `path`, syncs, and renames it to `path`.
///
/// # Errors
/// If any of the three fails. The message names the path; the old file stays, and the
/// temporary file is removed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(path, |file| file.write_all(bytes))
}

/// As [`replace`], with what `write` writes, which need never be in memory whole.
///
/// # Errors
/// As [`replace`], or if `write` fails.
pub fn replace_by(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    replace_after(path, write, || Ok(()))
}

/// As [`replace`], and the old file is renamed to `previous` after the new file is whole.
///
/// # Errors
/// As [`replace`]. If the disk is full, both files stay as they were.
pub fn replace_and_keep(path: &Path, previous: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_after(
        path,
        |file| file.write_all(bytes),
        || match rename(path, previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    )
}

/// Writes a file that the user has named: a regular one is replaced whole, as [`replace`] does; so is the one that a link
/// leads to, and the link stays. A pipe or a device is written through.
///
/// # Errors
/// If it cannot be written. The message names the path.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match Target::of(path).and_then(|target| match target {
        Target::File(file) => replace(&file, bytes),
        Target::Stream if is_standard_output(path) => write_to_standard_output(bytes),
        Target::Stream => OpenOptions::new().write(true).open(path)?.write_all(bytes),
    }) {
        Err(error) if !error.to_string().starts_with("cannot write ") => {
            Err(cannot_write(path, error))
        }
        written => written,
    }
}

/// Where standard output ends, and not at its beginning. A reader that has gone away has seen enough.
fn write_to_standard_output(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// What a path leads to.
enum Target {
    /// A regular file, or none yet, there; links are behind us.
    File(PathBuf),
    /// A pipe or a device.
    Stream,
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        /// Links to links.
        const MOST: usize = 40;
        // What these lead to is open in a process: a new file in its place would not be the same.
        let is_open = |path: &Path| path.starts_with("/dev/fd") || path.starts_with("/proc");
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => return Ok(Self::Stream),
            _ => {}
        }
        let mut file = path.to_path_buf();
        for _ in 0..MOST {
            if is_open(&file) {
                return Ok(Self::Stream);
            }
            match fs::read_link(&file) {
                Ok(to) => file = folder_of(&file).join(to),
                // No link, or nothing at all.
                Err(_) => return Ok(Self::File(file)),
            }
        }
        Err(io::Error::other("it is a link that leads to itself"))
    }
}

/// Whether the file is where standard output goes to.
pub fn is_standard_output(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;
        let out = io::stdout().as_fd().try_clone_to_owned();
        let out = out.and_then(|out| File::from(out).metadata());
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (fs::metadata(path), out) {
            (Ok(file), Ok(out)) => identity(file) == identity(out),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// As [`replace`]; `before` is called between the syncing and the renaming.
fn replace_after(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let replace = || -> io::Result<()> {
        let folder = folder_of(path);
        let mut unfinished = Unfinished::create(folder)?;
        write(&mut unfinished.file)?;
        unfinished.file.sync_all()?;
        before()?;
        rename(&unfinished.path, path)?;
        sync_folder(folder)
    };
    replace().map_err(|error| cannot_write(path, error))
}

fn cannot_write(path: &Path, error: io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot write {}: {error}{advice}", path.display()))
}

/// Renames, again where a signal came between, as it can on the file system of a network.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    loop {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            renamed => return renamed,
        }
    }
}

/// Makes the renamings in a folder durable. Not every system can open a folder, nor sync one.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.or_else(|error| match error.kind() {
        // Some network file systems have no such call; a folder may be one that can be searched and not be read.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported
        | io::ErrorKind::PermissionDenied => Ok(()),
        kind => {
            let text =
                format!("the folder could not be synced, so that a power cut may undo it: {error}");
            Err(io::Error::new(kind, text))
        }
    })
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Checks that [`write()`] could write the file: as [`check_writable`], behind links; a pipe or a device is not opened.
///
/// # Errors
/// If it could not.
pub fn check_target(path: &Path) -> io::Result<()> {
    match Target::of(path)? {
        Target::File(file) => check_writable(&file),
        Target::Stream => Ok(()),
    }
}

/// Checks that the file can be written: creates another file in its folder and removes it.
///
/// # Errors
/// If it could not.
pub fn check_writable(path: &Path) -> io::Result<()> {
    Unfinished::create(folder_of(path)).map(drop)
}

/// How temporary names begin.
const UNFINISHED: &str = ".unfinished-";

/// Whether that is the name of a file that is not whole, or never will be.
#[cfg(feature = "train")]
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// Removes the files under temporary names that killed processes have left in a folder, and none that is being written.
///
/// # Errors
/// If the folder cannot be read, or a file not removed.
#[cfg(feature = "train")]
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(is_unfinished);
        // A link or a pipe is nobody's unfinished file.
        if !ours || !entry.file_type()?.is_file() {
            continue;
        }
        let removed = match File::open(entry.path()) {
            Ok(file) if file.try_lock().is_ok() => fs::remove_file(entry.path()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        // Its process has just finished it, or it is another user's, who may be writing it.
        removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(()),
            _ => Err(error),
        })?;
    }
    Ok(())
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
            let path = folder.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                // Left by a killed process with the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    let unfinished = Self { file, path };
                    if unfinished.is_ours() {
                        return Ok(unfinished);
                    }
                }
            }
        }
    }
}

impl Unfinished {
    /// Locks the file, by which [`remove_unfinished`] sees that it is being written, and says whether it is still there.
    fn is_ours(&self) -> bool {
        // Where the file system has no locks nothing is removed.
        !matches!(self.file.try_lock(), Err(TryLockError::WouldBlock)) && self.path.exists()
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

/// Opens a regular file, as those of a run are, and tells its size, which is at most `most`. (A named pipe would be waited
/// for, and a device has no end.)
///
/// # Errors
/// If it cannot be opened, is no regular file, or is longer. The message names the path.
pub fn open_regular(path: &Path, most: u64) -> io::Result<(File, u64)> {
    let shown = path.display();
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot read {shown}: {error}"));
    // Opening a pipe would wait for its writer already.
    regular(&fs::metadata(path).map_err(named)?).map_err(named)?;
    let file = File::open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    regular(&metadata).map_err(named)?;
    match metadata.len() {
        size if size <= most => Ok((file, size)),
        size => {
            let line = format!("{shown} has {size} bytes, and more than {most} are not read");
            Err(io::Error::new(io::ErrorKind::FileTooLarge, line))
        }
    }
}

fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// As [`read_at_most`], of a file in UTF-8.
///
/// # Errors
/// If it cannot be read, or is not UTF-8.
pub fn read_text_at_most(path: &Path, most: u64) -> io::Result<Option<String>> {
    let text = read_at_most(path, most)?.map(String::from_utf8).transpose();
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The text of a file in UTF-8 that may be anybody's: a pipe, which would block, and a device are refused, and memory is
/// taken for what is there alone, not for the holes that a file may have. `None` if it is longer than `most`.
///
/// # Errors
/// If it cannot be read, is no regular file, or no text.
pub fn read_regular_text(path: &Path, most: u64) -> io::Result<Option<String>> {
    let refused = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    if !fs::metadata(path)?.is_file() {
        return refused("it is no regular file");
    }
    let mut file = File::open(path)?;
    if file.metadata()?.len() > most {
        return Ok(None);
    }
    let (mut bytes, mut part) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let count = match file.read(&mut part) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            break;
        }
        if part[..count].contains(&0) {
            return refused("it holds zero bytes, and is no text");
        }
        bytes.extend_from_slice(&part[..count]);
        if bytes.len() as u64 > most {
            return Ok(None);
        }
    }
    String::from_utf8(bytes).map(Some).or_else(|_| refused("it is not UTF-8"))
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
    fn a_file_of_a_run_is_regular_and_no_longer_than_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(open_regular(&path, 4).unwrap().1, 4);
        let error = open_regular(&path, 3).unwrap_err().to_string();
        assert!(error.contains("four has 4 bytes, and more than 3"), "{error}");
        for other in [folder.path(), Path::new("/dev/null")] {
            assert!(open_regular(other, 4).is_err(), "{}", other.display());
        }
    }

    #[test]
    fn holes_pipes_and_folders_are_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "a\nb").unwrap();
        assert_eq!(read_regular_text(&path, 3).unwrap().unwrap(), "a\nb");
        assert_eq!(read_regular_text(&path, 2).unwrap(), None);
        std::fs::write(&path, b"a\0b").unwrap();
        assert!(read_regular_text(&path, 3).unwrap_err().to_string().contains("zero"));
        // A file of a gigabyte that takes no room.
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(read_regular_text(&path, 1 << 40).unwrap_err().to_string().contains("zero"));
        assert!(read_regular_text(folder.path(), 3).unwrap_err().to_string().contains("regular"));
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
            assert!(made.success());
            assert!(read_regular_text(&pipe, 3).unwrap_err().to_string().contains("regular"));
        }
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

    #[cfg(feature = "train")]
    #[test]
    fn what_killed_processes_have_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".unfinished-7-0", ".unfinished-8-3", "unfinished", ".unfinished"] {
            fs::write(at(name), "half").unwrap();
        }
        let being_written = Unfinished::create(folder.path()).unwrap();
        fs::create_dir(at(".unfinished-folder")).unwrap();
        remove_unfinished(folder.path()).unwrap();
        let mut left: Vec<PathBuf> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        let mut expected = [".unfinished", ".unfinished-folder", "unfinished"].map(at).to_vec();
        expected.push(being_written.path.clone());
        expected.sort();
        assert_eq!(left, expected);
        assert!(remove_unfinished(&at("absent")).is_err());
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
