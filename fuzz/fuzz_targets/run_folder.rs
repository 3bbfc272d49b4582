//! The folder of a run: config.toml, data.toml and series.csv, between zero bytes. Whatever opens is consistent enough
//! to be read on, whatever does not is refused in one line.

#![no_main]

use bptt::train::run::{Run, RunError, RunOf, Subject};
use bptt::train::series_run::{self, SeriesRun, SeriesSubject};
use bptt::train::sound_run::SoundSubject;
use bptt::train::task_run::TaskSubject;
use bptt::train::text_run::TextSubject;
use bptt_fuzz::{folder, one_line, parts};
use libfuzzer_sys::fuzz_target;
use std::fmt::Display;
use std::path::Path;

fn opened<T, E: Display>(result: Result<T, E>) -> Option<T> {
    result.inspect_err(|error| one_line(error)).ok()
}

/// What opens comes back from what it writes.
fn run<S: Subject>(path: &Path) -> Option<RunOf<S>> {
    let run = opened(RunOf::<S>::open(path))?;
    let copy = folder(&[]);
    let written: Result<RunOf<S>, RunError> =
        RunOf::write(copy.path(), run.config.clone(), run.data.clone());
    written.expect("there is room");
    assert!(RunOf::<S>::open(copy.path()).is_ok(), "what was opened does not open again");
    Some(run)
}

fuzz_target!(|bytes: &[u8]| {
    let parts = parts(bytes, 3);
    let part = |number: usize| parts.get(number).copied().unwrap_or_default();
    let files: [(&str, &[u8]); 3] =
        [("config.toml", part(0)), ("data.toml", part(1)), ("series.csv", part(2))];
    let folder = folder(&files);
    let path = folder.path();
    if let Some(run) = opened(Run::open(path)) {
        opened(run.standing());
    }
    run::<TextSubject>(path);
    run::<SoundSubject>(path);
    if let Some(mut run) = run::<SeriesSubject>(path) {
        // As if the checksum were right.
        run.data.checksum = crc32fast::hash(part(2));
        let run: SeriesRun = run;
        if let Some(series) = opened(series_run::read(&run)) {
            assert!(series.values.iter().all(|column| column.len() == run.data.rows));
            opened(run.data.features.rows(&series, series.calendar.as_ref()));
        }
    }
    if let Some(run) = run::<TaskSubject>(path) {
        opened(run.task());
    }
});
