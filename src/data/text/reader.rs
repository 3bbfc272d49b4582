//! Files, and folders of them, as text.

use crate::files;
use crate::printable::printable_name;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes of text that are read.
const MOST_BYTES: u64 = 1 << 30;

/// Folders within folders.
const DEEPEST: usize = 64;

/// Why a text could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file or folder could not be read.
    #[error("cannot read {file}: {source}; check the path")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Not UTF-8.
    #[error(
        "{file}: line {line}, byte {byte} of the file is not UTF-8; convert the file (if it is Latin-1, by: iconv -f LATIN1 -t UTF-8 INPUT > OUTPUT), or read bytes with --bytes"
    )]
    NotUtf8 {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The byte's position in the file, from 0.
        byte: usize,
    },
    /// No text, or text in another encoding.
    #[error("{file}: {reason}; convert the file to UTF-8, or read bytes with --bytes")]
    NotText {
        /// The file.
        file: String,
        /// What tells it.
        reason: String,
    },
    /// No character at all.
    #[error("{0}: there is no text; name files with some")]
    Empty(String),
    /// More than is sensible on one machine.
    #[error("{0}: this is more than 1 GiB of text; name fewer files")]
    TooLong(String),
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// The path.
    pub path: PathBuf,
    /// The bytes; valid UTF-8 if characters were asked for.
    pub bytes: Vec<u8>,
}

/// What files and folders hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The files.
    pub files: Vec<TextFile>,
    /// What was left out of folders and why, and which files were no plain UTF-8; one line of text each.
    pub notes: Vec<String>,
}

/// Reads the files, and all files under the folders in the order of their names. UTF-16 with a byte order mark becomes
/// UTF-8. In folders, files that are not text, names that begin with a dot, and symbolic links are left out, with a note.
///
/// # Errors
/// If a file that is named cannot be read, or is not text where characters are asked for; if there is no text,
/// or more than 1 GiB.
pub fn read(paths: &[PathBuf], bytes: bool) -> Result<Texts, TextError> {
    let mut reader = Reader { bytes, ..Reader::default() };
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| file_error(path, source))?;
        if metadata.is_dir() {
            let before = reader.files.len();
            reader.folder(path, 0)?;
            reader.note_left_out(path, before);
        } else {
            reader.file(path)?;
        }
    }
    let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    match reader.total {
        0 if reader.notes.is_empty() => Err(TextError::Empty(shown)),
        0 => Err(TextError::Empty(reader.notes.join("; "))),
        _ => Ok(Texts { files: reader.files, notes: reader.notes }),
    }
}

fn file_error(path: &Path, source: io::Error) -> TextError {
    TextError::File { file: path.display().to_string(), source }
}

/// Why a file is not read, without its name.
enum Refusal {
    NotUtf8 { line: usize, byte: usize },
    NotText(String),
}

impl Refusal {
    fn of(self, file: String) -> TextError {
        match self {
            Self::NotUtf8 { line, byte } => TextError::NotUtf8 { file, line, byte },
            Self::NotText(reason) => TextError::NotText { file, reason },
        }
    }

    fn in_short(self) -> String {
        match self {
            Self::NotUtf8 { line, byte } => format!("line {line}, byte {byte} is not UTF-8"),
            Self::NotText(reason) => reason,
        }
    }
}

#[derive(Default)]
struct Reader {
    bytes: bool,
    files: Vec<TextFile>,
    notes: Vec<String>,
    /// Files of the folder that is read that are not, and why.
    left_out: Vec<(PathBuf, String)>,
    total: u64,
}

impl Reader {
    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), TextError> {
        let named = |source| file_error(path, source);
        let mut entries = fs::read_dir(path)
            .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
            .map_err(named)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().map_err(named)?;
            let path = entry.path();
            let why = if entry.file_name().to_string_lossy().starts_with('.') {
                "hidden"
            } else if kind.is_dir() && depth < DEEPEST {
                self.folder(&path, depth + 1)?;
                continue;
            } else if kind.is_dir() {
                "too deep a folder"
            } else if kind.is_symlink() {
                "a link"
            } else if !kind.is_file() {
                "no regular file"
            } else {
                let content = self.content(&path)?;
                match self.text(&path, content) {
                    Ok(bytes) => self.keep(&path, bytes)?,
                    Err(refusal) => self.left_out.push((path, refusal.in_short())),
                }
                continue;
            };
            self.left_out.push((path, why.into()));
        }
        Ok(())
    }

    /// A file that is named.
    fn file(&mut self, path: &Path) -> Result<(), TextError> {
        let content = self.content(path)?;
        let bytes = self.text(path, content);
        let bytes = bytes.map_err(|refusal| refusal.of(path.display().to_string()))?;
        self.keep(path, bytes)
    }

    fn content(&self, path: &Path) -> Result<Vec<u8>, TextError> {
        let read = files::read_at_most(path, MOST_BYTES - self.total);
        let read = read.map_err(|source| file_error(path, source))?;
        read.ok_or_else(|| TextError::TooLong(path.display().to_string()))
    }

    fn keep(&mut self, path: &Path, bytes: Vec<u8>) -> Result<(), TextError> {
        self.total += bytes.len() as u64;
        if self.total > MOST_BYTES {
            return Err(TextError::TooLong(path.display().to_string()));
        }
        self.files.push(TextFile { path: path.into(), bytes });
        Ok(())
    }

    /// The content as UTF-8 without a mark, where characters are asked for.
    fn text(&mut self, path: &Path, mut bytes: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        if self.bytes {
            return Ok(bytes);
        }
        let mark = "\u{feff}".as_bytes();
        if bytes.starts_with(mark) {
            bytes.drain(..mark.len());
        }
        let order = match bytes.as_slice() {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
                return Err(Refusal::NotText("it is UTF-32".into()));
            }
            [0xff, 0xfe, ..] => Some((u16::from_le_bytes as fn([u8; 2]) -> u16, "little")),
            [0xfe, 0xff, ..] => Some((u16::from_be_bytes as fn([u8; 2]) -> u16, "big")),
            _ => None,
        };
        let was = match order {
            None => None,
            Some((unit, endian)) => {
                bytes = from_utf16(&bytes[2..], unit)?.into_bytes();
                Some(format!("read as UTF-16, {endian}-endian, as its byte order mark tells"))
            }
        };
        check(&bytes)?;
        if let Some(was) = was {
            self.notes.push(format!("{}: {was}", path.display()));
        }
        Ok(bytes)
    }

    /// Says what was not read of a folder.
    fn note_left_out(&mut self, folder: &Path, before: usize) {
        const SHOWN: usize = 20;
        let left_out = std::mem::take(&mut self.left_out);
        let (count, read) = (left_out.len(), self.files.len() - before);
        if count == 0 {
            return;
        }
        let name = |path: &Path| {
            printable_name(&path.strip_prefix(folder).unwrap_or(path).to_string_lossy())
        };
        let mut shown: Vec<String> = left_out
            .iter()
            .take(SHOWN)
            .map(|(path, why)| format!("{} ({why})", name(path)))
            .collect();
        if count > SHOWN {
            shown.push(format!("and {} more", count - SHOWN));
        }
        let all = count + read;
        self.notes.push(format!(
            "{}: {count} of its {all} files left out: {}",
            printable_name(&folder.to_string_lossy()),
            shown.join(", ")
        ));
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Refusal> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Refusal::NotText("it is UTF-16 that ends within a character".into()));
    }
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(pairs.map(|pair| unit([pair[0], pair[1]]))) {
        let broken = |_| {
            let line = 1 + text.matches('\n').count();
            Refusal::NotText(format!("it is UTF-16 with half a character in line {line}"))
        };
        text.push(character.map_err(broken)?);
    }
    Ok(text)
}

/// Refuses what is no text. A few NULs may stand in one; it holds many of them if it is UTF-16, or no text at all.
fn check(bytes: &[u8]) -> Result<(), Refusal> {
    /// Bytes of a text with one NUL.
    const RARE: usize = 1000;
    let even = bytes.iter().step_by(2).filter(|byte| **byte == 0).count();
    let odd = bytes.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
    let nuls = even + odd;
    if nuls > bytes.len() / RARE {
        let utf16 = 4 * nuls > bytes.len() && 10 * even.min(odd) < nuls;
        let what = match utf16 {
            true => "it looks like UTF-16 without a byte order mark",
            false => "it is no text",
        };
        return Err(Refusal::NotText(format!(
            "{what} ({nuls} of its {} bytes are NUL)",
            bytes.len()
        )));
    }
    std::str::from_utf8(bytes).map(|_| ()).map_err(|error| {
        let byte = error.valid_up_to();
        let line = 1 + bytes[..byte].iter().filter(|&&b| b == b'\n').count();
        Refusal::NotUtf8 { line, byte }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_order_and_what_is_left_out_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).unwrap();
        fs::write(at("b/two.txt"), "two").unwrap();
        fs::write(at("a.txt"), "\u{feff}one").unwrap();
        let all = read(&[folder.path().into()], false).unwrap();
        assert!(all.notes.is_empty(), "{:?}", all.notes);
        fs::write(at("noise"), [0xfc, 0xfe, 0x41]).unwrap();
        fs::write(at("latin1"), b"one\ntwo caf\xe9\n").unwrap();
        fs::write(at(".hidden"), "hidden").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), at("b/loop")).unwrap();
        let Texts { files, notes } = read(&[folder.path().into()], false).unwrap();
        let texts: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
        assert_eq!(texts, [b"one", b"two"]);
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        for words in [".hidden (hidden)", "latin1 (line 2, byte 11 is not UTF-8)"] {
            assert!(note.contains(words), "{note}");
        }
        #[cfg(unix)]
        for words in ["4 of its 6 files", "b/loop (a link)", "noise ("] {
            assert!(note.contains(words), "{note}");
        }
        // Of very many, as many are named as a line bears.
        fs::create_dir(at("many")).unwrap();
        fs::write(at("many/text"), "text").unwrap();
        (0..23).for_each(|i| fs::write(at(&format!("many/.{i:02}")), "hidden").unwrap());
        let [note] = read(&[at("many")], false).unwrap().notes.try_into().unwrap();
        assert!(note.contains(".19 (hidden)") && note.ends_with("and 3 more"), "{note}");
        fs::remove_dir_all(at("many")).unwrap();
        // Of bytes nothing is left out for what it holds.
        let notes = read(&[folder.path().into()], true).unwrap().notes;
        assert!(notes.len() == 1 && !notes[0].contains("latin1"), "{notes:?}");
        let error = read(&[at("latin1")], false).unwrap_err().to_string();
        assert!(error.contains("line 2, byte 11") && error.contains("iconv"), "{error}");
        assert_eq!(read(&[at("noise")], true).unwrap().files[0].bytes.len(), 3);
        fs::write(at("empty"), "").unwrap();
        assert!(matches!(read(&[at("empty")], false), Err(TextError::Empty(_))));
        // A folder in which nothing is text: the line says why.
        fs::create_dir(at("c")).unwrap();
        fs::write(at("c/latin1"), b"caf\xe9").unwrap();
        let error = read(&[at("c")], false).unwrap_err().to_string();
        let words = "1 of its 1 files left out: latin1 (line 1, byte 3 is not UTF-8)";
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn utf16_is_read_by_its_mark_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let text = "Grüße, 𝄞\nnoch eine Zeile\n";
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(std::slice::from_ref(&path), false).map_err(|error| error.to_string())
        };
        let units = |unit: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
            let mark = mark.then_some(0xfeff);
            mark.into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
        };
        for unit in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            let Texts { files, notes } = read(&units(unit, true)).unwrap();
            assert_eq!(std::str::from_utf8(&files[0].bytes).unwrap(), text);
            assert!(notes.len() == 1 && notes[0].contains("UTF-16"), "{notes:?}");
            let error = read(&units(unit, false)).unwrap_err();
            assert!(error.contains("looks like UTF-16"), "{error}");
        }
        let odd = [&units(u16::to_le_bytes, true)[..], b"x"].concat();
        assert!(read(&odd).unwrap_err().contains("ends within a character"));
        let half = [&units(u16::to_le_bytes, true)[..], &[0x34, 0xd8]].concat();
        assert!(read(&half).unwrap_err().contains("half a character in line 3"));
        let wide: Vec<u8> =
            "\u{feff}abc".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert!(read(&wide).unwrap_err().contains("UTF-32"));
    }

    #[test]
    fn many_nuls_are_no_text() {
        assert!(check(&[b"a word\n\0".repeat(100)].concat()).is_err());
        let rare = [b"a word\n".repeat(1000), vec![0]].concat();
        assert!(check(&rare).is_ok());
    }
}
