//! Reading the files of a run, which may be anybody's: bounded, and refused in one line.

use super::{FORMAT, RunError};
use crate::files;
use crate::printable::printable_name;
use serde::de::DeserializeOwned;
use std::io;
use std::path::Path;

/// The text of a file of a run, if it is as small as such a file is. A value takes some fifty times the memory of its two
/// bytes when it is parsed, so that not the bytes alone count.
pub(super) fn text_of(path: &Path) -> io::Result<Option<String>> {
    const BYTES: u64 = 16 << 20;
    const VALUES: usize = 1 << 20;
    let text = files::read_regular_text(path, BYTES)?;
    let values = |text: &String| text.matches(['[', '{', ',', '=', '.']).count();
    Ok(text.filter(|text| values(text) <= VALUES))
}

/// The same, or why not.
fn read_limited(path: &Path) -> Result<String, RunError> {
    let named = |error: io::Error| {
        let text = format!("cannot read the run {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    };
    let text = text_of(path).map_err(named)?;
    text.ok_or_else(|| refused(path, "it is larger than such a file can be"))
}

/// The content of such a file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let text = read_limited(path)?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let line = line.map_or(String::new(), |line| format!("line {line}: "));
        refused(path, &format!("{line}{}", error.message()))
    })
}

pub(super) fn refused(path: &Path, reason: &str) -> RunError {
    let reason = printable_name(&reason.split_whitespace().collect::<Vec<_>>().join(" "));
    RunError::Config { file: path.display().to_string(), reason }
}

/// The configuration of a run in a format that is read here, and the name of its task.
pub(super) fn configuration(run: &Path) -> Result<(toml::Table, String), RunError> {
    let file = run.join("config.toml");
    let table: toml::Table = read(&file)?;
    let format = match table.get("format") {
        None => 1,
        Some(format) => {
            format.as_integer().ok_or_else(|| refused(&file, "its format is no number"))?
        }
    };
    let shown = || run.display().to_string();
    if !(1..=i64::from(FORMAT)).contains(&format) {
        return Err(RunError::Newer { run: shown(), format });
    }
    match table.get("task") {
        Some(toml::Value::String(task)) => {
            let task = task.clone();
            Ok((table, task))
        }
        // So were the runs of generated tasks written that could not be resumed.
        Some(toml::Value::Table(_)) if format == 1 => Err(RunError::Older { run: shown() }),
        _ => Err(refused(&file, "it names no task")),
    }
}
