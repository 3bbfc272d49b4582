//! Runs on texts and sounds: the same characters or samples, scored by each.

use super::{Comparison, ComparisonError, Difference, Form, Group, Measured, NamedMeasure, apart};
use crate::data::text::{self, Texts, UNKNOWN};
use crate::train::lessons::Trained;
use crate::train::run::RunOf;
use crate::train::sequence::{Others, Sequence, SequenceError, SequenceSubject};
use crate::train::sound_run::SoundRun;
use crate::train::text_run::TextRun;
use std::f64::consts::LN_2;
use std::path::Path;

/// What the runs are compared on: the classes of each, and how many of them each unit has.
struct Scored {
    classes: Vec<Vec<u32>>,
    /// Of each run the steps of each unit; one where it is empty.
    lengths: Vec<Vec<usize>>,
    /// `bits a character`, and in nats.
    names: [&'static str; 2],
}

/// Scores runs on the part of their text that validates in every one, or on a file.
pub(super) fn texts(
    comparison: &mut Comparison,
    runs: &[TextRun],
    on: Option<&Path>,
) -> Result<(), ComparisonError> {
    let of_bytes = |run: &TextRun| run.data.vocabulary.is_bytes();
    let all_bytes = runs.iter().all(of_bytes);
    let unit = if all_bytes { "bytes" } else { "characters" };
    let joined = |texts: Texts| {
        texts.files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat()
    };
    let read = |paths: &[std::path::PathBuf], bytes: bool| {
        text::read(paths, bytes).map_err(SequenceError::from)
    };
    let part = match on {
        Some(file) => {
            let texts = read(&[file.into()], all_bytes)?;
            comparison.notes.extend(texts.notes.iter().cloned());
            comparison.on = file.display().to_string();
            joined(texts)
        }
        None => {
            let text = joined(read(&runs[0].config.subject.path, of_bytes(&runs[0]))?);
            let mut from = 0;
            for (place, run) in runs.iter().enumerate() {
                if run.data.checksum != runs[0].data.checksum {
                    let reason =
                        "they learnt different texts: name a FILE to compare on, --on FILE";
                    return Err(apart(comparison, place, reason));
                }
                from = from.max(validating(&text, run.data.valid, of_bytes(run)));
            }
            if crc32fast::hash(&text) != runs[0].data.checksum {
                let reason = "the text that it learnt has changed since: name a FILE, --on FILE";
                let (run, reason) = (runs[0].folder.clone(), reason.into());
                return Err(ComparisonError::NoTest { run, reason });
            }
            comparison.on = "the end of the text, which validates in every run".into();
            text[from..].to_vec()
        }
    };
    let lengths: Vec<usize> = match all_bytes {
        true => Vec::new(),
        false => String::from_utf8_lossy(&part).chars().map(char::len_utf8).collect(),
    };
    let of_each = |run: &TextRun| if of_bytes(run) { lengths.clone() } else { Vec::new() };
    let names = match all_bytes {
        true => ["bits a byte", "nats a byte"],
        false => ["bits a character", "nats a character"],
    };
    let scored = Scored {
        classes: runs.iter().map(|run| run.data.vocabulary.classes_of(&part)).collect(),
        lengths: runs.iter().map(of_each).collect(),
        names,
    };
    let count = if all_bytes { part.len() } else { lengths.len() };
    comparison.on = format!("{count} {unit}: {}", comparison.on);
    score(comparison, runs, &scored)
}

/// Where the part of a text begins that validates, of so many bytes or characters at its end.
fn validating(text: &[u8], valid: usize, bytes: bool) -> usize {
    let starts = |place: &usize| text[*place] & 0b1100_0000 != 0b1000_0000;
    match bytes {
        // Not in the middle of a character.
        true => (text.len().saturating_sub(valid)..text.len()).find(starts).unwrap_or(text.len()),
        false => (0..text.len()).rev().filter(starts).nth(valid.saturating_sub(1)).unwrap_or(0),
    }
}

/// Scores runs on the part of their sound that validates in every one, or on a file.
pub(super) fn sounds(
    comparison: &mut Comparison,
    runs: &[SoundRun],
    on: Option<&Path>,
) -> Result<(), ComparisonError> {
    let rate = |run: &SoundRun| run.config.subject.rate;
    if let Some(place) = runs.iter().position(|run| rate(run) != rate(&runs[0])) {
        let reason =
            format!("they hear {} and {} samples a second", rate(&runs[0]), rate(&runs[place]));
        return Err(apart(comparison, place, reason));
    }
    let classes = match on {
        Some(file) => {
            let Others { classes, notes } = SequenceSubject::read_others(&runs[0], &[file.into()])?;
            comparison.notes.extend(notes);
            comparison.on = file.display().to_string();
            classes
        }
        None => {
            let checksum = |run: &SoundRun| run.data.checksum;
            if let Some(place) = runs.iter().position(|run| checksum(run) != checksum(&runs[0])) {
                let reason = "they learnt different sounds: name a FILE to compare on, --on FILE";
                return Err(apart(comparison, place, reason));
            }
            let Sequence { training, valid, data, .. } = runs[0].config.subject.clone().read()?;
            if data.checksum != checksum(&runs[0]) {
                let reason = "the sound that it learnt has changed since: name a FILE, --on FILE";
                let (run, reason) = (runs[0].folder.clone(), reason.into());
                return Err(ComparisonError::NoTest { run, reason });
            }
            let all = [training, valid].concat();
            let shortest = runs.iter().map(|run| run.data.valid).min().unwrap_or(0);
            comparison.on = "the end of the sound, which validates in every run".into();
            all[all.len() - shortest.min(all.len())..].to_vec()
        }
    };
    comparison.on = format!("{} samples: {}", classes.len(), comparison.on);
    let scored = Scored {
        classes: vec![classes; runs.len()],
        lengths: vec![Vec::new(); runs.len()],
        names: ["bits a sample", "nats a sample"],
    };
    score(comparison, runs, &scored)
}

fn score<S: SequenceSubject>(
    comparison: &mut Comparison,
    runs: &[RunOf<S>],
    scored: &Scored,
) -> Result<(), ComparisonError> {
    let [bits, nats] = scored.names;
    let mut measured = Vec::new();
    let mut first: Vec<f64> = Vec::new();
    for ((run, classes), lengths) in runs.iter().zip(&scored.classes).zip(&scored.lengths) {
        let (device, dtype) = run.device()?;
        let Trained { model, refused } = run.model((&device, dtype))?;
        comparison.warnings.extend(refused.iter().map(ToString::to_string));
        let losses = model.score(classes);
        let losses = match lengths.is_empty() {
            true => losses,
            false => {
                let mut steps = losses.into_iter();
                lengths.iter().map(|&length| steps.by_ref().take(length).sum()).collect()
            }
        };
        let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        let is_first = measured.is_empty();
        if is_first {
            first.clone_from(&losses);
        }
        let apart: Vec<f64> = losses.iter().zip(&first).map(|(a, b)| (a - b) / LN_2).collect();
        let unknown = classes.iter().filter(|&&class| class == UNKNOWN).count();
        let model = run.config.subject.model();
        measured.push(Measured {
            method: format!("{}, {} × {} units", run.config.cell, model.layers, model.hidden),
            measures: vec![
                NamedMeasure::new(bits, mean / LN_2, Form::Figure),
                NamedMeasure::new(nats, mean, Form::Figure),
                NamedMeasure::new("perplexity", mean.exp(), Form::Figure),
                NamedMeasure::new("unknown", unknown as f64, Form::Count),
            ],
            difference: Difference::of(&apart, 1, true).filter(|_| !is_first),
        });
    }
    let name = String::new();
    comparison.groups.push(Group { name, runs: measured, by: bits, drawn: None });
    Ok(())
}
