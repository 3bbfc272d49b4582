//! Which configuration and data a checkpoint belongs to: a number that both give, which is noted in each checkpoint.

use super::read::text_of;
use std::io;
use std::path::Path;
use toml::{Table, Value};

/// Keys of a run's configuration whose values may differ when the run goes on: they change neither the shape of the
/// model nor the data, nor what is drawn. All others are part of the run's identity.
pub(super) const FREE: [&str; 17] = [
    "format",
    "version",
    "file",
    "path",
    "backend",
    "gradient",
    "truncate",
    "memory-budget",
    "dropout",
    "epochs",
    "steps",
    "all-steps",
    "lr",
    "schedule",
    "clip",
    "early-stop",
    "checkpoint-every",
];

/// The same of the exercise, which does not go on.
const FREE_OF_COUNT: [&str; 3] = ["format", "version", "backend"];

/// The identity of the run in that folder: CRC-32 of the values in `config.toml` that must not change, and of those in
/// `data.toml`. None if there is no configuration.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn identity(run: &Path) -> io::Result<Option<String>> {
    let Some(mut config) = table(&run.join("config.toml"))? else { return Ok(None) };
    let count = config.get("task").and_then(Value::as_str) == Some("count");
    let free = if count { &FREE_OF_COUNT[..] } else { &FREE };
    config.retain(|key, _| !free.contains(&key));
    let mut hasher = crc32fast::Hasher::new();
    for table in [config, table(&run.join("data.toml"))?.unwrap_or_default()] {
        add(&mut hasher, &Value::Table(table));
    }
    Ok(Some(format!("{:08x}", hasher.finalize())))
}

/// A file's content; none if there is no such file.
fn table(file: &Path) -> io::Result<Option<Table>> {
    let named = |kind, reason: &str| {
        io::Error::new(kind, format!("cannot read the run {}: {reason}", file.display()))
    };
    let text = match text_of(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| named(error.kind(), &error.to_string()))?,
    };
    let text = text
        .ok_or_else(|| named(io::ErrorKind::InvalidData, "it is larger than such a file can be"))?;
    let table = text.parse().map_err(|_| named(io::ErrorKind::InvalidData, "it is no TOML"))?;
    Ok(Some(table))
}

/// What is hashed is the values and not the text, so that neither a comment nor another way to write a number matters.
fn add(hasher: &mut crc32fast::Hasher, value: &Value) {
    let mut text = |kind: &[u8], text: &str| {
        hasher.update(kind);
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    match value {
        Value::String(value) => text(b"s", value),
        Value::Datetime(value) => text(b"d", &value.to_string()),
        Value::Boolean(value) => hasher.update(&[b'b', u8::from(*value)]),
        Value::Integer(value) => {
            hasher.update(b"i");
            hasher.update(&value.to_le_bytes());
        }
        Value::Float(value) => {
            hasher.update(b"f");
            hasher.update(&value.to_bits().to_le_bytes());
        }
        Value::Array(values) => {
            hasher.update(b"a");
            hasher.update(&(values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| add(hasher, value));
        }
        Value::Table(table) => {
            hasher.update(b"t");
            hasher.update(&(table.len() as u64).to_le_bytes());
            for (key, value) in table {
                add(hasher, &Value::String(key.clone()));
                add(hasher, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_change_changes_the_identity_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let of = |config: &str, data: &str| {
            std::fs::write(folder.path().join("config.toml"), config).unwrap();
            std::fs::write(folder.path().join("data.toml"), data).unwrap();
            identity(folder.path()).unwrap().unwrap()
        };
        let (config, data) =
            ("task = \"text\"\nhidden = 8\nlr = 0.5\n", "rows = 3\nmean = [1.5]\n");
        let own = of(config, data);
        for same in [
            "lr = 0.1\nhidden = 8 # units\ntask = 'text'\n",
            "epochs = 40\ntask = \"text\"\nhidden = 0x8\nclip = 3.0\npath = [\"b\"]\nschedule = \"linear\"\n",
        ] {
            assert_eq!(of(same, "mean = [15e-1]\nrows = 3"), own, "{same}");
        }
        for (config, data) in [
            ("task = \"text\"\nhidden = 9\nlr = 0.5\n", data),
            ("task = \"sound\"\nhidden = 8\nlr = 0.5\n", data),
            ("task = \"text\"\nhidden = 8\nlr = 0.5\nembedding = 3\n", data),
            ("task = \"text\"\nhidden = 8.0\nlr = 0.5\n", data),
            (config, "rows = 4\nmean = [1.5]\n"),
            (config, "rows = 3\nmean = [1.25]\n"),
            (config, "rows = 3\nmean = [[1.5]]\n"),
            (config, ""),
        ] {
            assert_ne!(of(config, data), own, "{config}{data}");
        }
        let exercise = of("task = \"count\"\nlr = 0.5\n", "");
        assert_ne!(of("task = \"count\"\nlr = 0.25\n", ""), exercise);
        std::fs::remove_file(folder.path().join("config.toml")).unwrap();
        assert_eq!(identity(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join("config.toml"), "[").unwrap();
        assert!(identity(folder.path()).unwrap_err().to_string().contains("config.toml"));
    }
}
