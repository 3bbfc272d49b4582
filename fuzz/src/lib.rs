//! What the targets share: the promises that hold for every reader, and files to read.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// An error is one line that a terminal prints as it is.
pub fn one_line(error: &impl Display) {
    let line = error.to_string();
    let breaks = |character: char| character.is_control() || "\u{2028}\u{2029}".contains(character);
    assert!(!line.is_empty() && !line.contains(breaks), "not one line: {line:?}");
}

/// A new folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    for (name, bytes) in files {
        let path: PathBuf = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("there is room");
        std::fs::write(path, bytes).expect("there is room");
    }
    folder
}

/// A safetensors file with that header: its length is right, so that what is drawn reaches what comes after it.
pub fn safetensors(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// The parts between zero bytes: at most so many, the last one with the zero bytes in it.
pub fn parts(bytes: &[u8], most: usize) -> Vec<&[u8]> {
    bytes.splitn(most, |&byte| byte == 0).collect()
}
