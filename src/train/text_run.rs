//! Runs on a text: the part of their configuration that other runs do not have, and how the text is read.

use super::lessons::{Passes, Progress};
use super::run::{Measure, RunError, RunOf, Subject, Use};
use super::sequence::{
    Baseline, ModelSettings, Others, Sequence, SequenceError, SequenceSubject, training_steps,
};
use crate::data::text::{self, Texts, Vocabulary, frequency_baselines};
use std::path::PathBuf;

/// The files, how they are read, and the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TextSubject {
    /// Files and folders.
    pub path: Vec<PathBuf>,
    /// Whether classes are bytes.
    pub bytes: bool,
    /// How often a character must be in the training part to be a class of its own.
    pub min_count: usize,
    /// The share of the text, its end, that validates.
    pub valid_share: f64,
    /// The model.
    #[serde(flatten)]
    pub model: ModelSettings,
}

/// What the text was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TextData {
    /// The classes.
    pub vocabulary: Vocabulary,
    /// Characters, or bytes, to train on.
    pub training: usize,
    /// To validate on.
    pub valid: usize,
    /// CRC-32 of the text, by which a changed one is noticed.
    pub checksum: u32,
    /// Nats a character that the frequencies of characters, and of pairs, in the training part need on the validation
    /// part.
    pub baselines: [f64; 2],
}

impl Subject for TextSubject {
    const TASKS: &'static [&'static str] = &["text"];
    const USES: &'static [Use] = &[Use::Generate, Use::Score, Use::Flow, Use::Report];
    type Length = Passes;
    type Data = TextData;

    fn contradiction(data: &TextData) -> Option<String> {
        if let Vocabulary::Characters(characters) = &data.vocabulary
            && (characters.is_empty() || !characters.chars().is_sorted_by(|a, b| a < b))
        {
            return Some("its characters are not in order, each once".into());
        }
        if data.training == 0 || data.valid == 0 {
            return Some("it has no text".into());
        }
        let baselines = data.baselines.iter().all(|nats| nats.is_finite());
        (!baselines).then(|| "a baseline is no number".into())
    }

    fn measures(_: &RunOf<Self>, progress: &Progress) -> Result<Vec<Measure>, RunError> {
        let best = progress.best().into_iter();
        Ok(best.map(|best| Measure::error("nats a character", best.valid_loss)).collect())
    }
}

impl SequenceSubject for TextSubject {
    const STEP: &'static str = "character";
    const STEPS: &'static str = "characters";

    fn model(&self) -> &ModelSettings {
        &self.model
    }

    fn files(&self) -> &[PathBuf] {
        &self.path
    }

    fn classes(data: &TextData) -> usize {
        data.vocabulary.classes()
    }

    fn sizes(data: &TextData) -> [usize; 2] {
        [data.training, data.valid]
    }

    fn baselines(data: &TextData) -> Vec<Baseline> {
        let [single, pair] = data.baselines;
        let baseline = |key, name: &str, nats| Baseline { key, name: name.into(), nats };
        vec![
            baseline("pair_frequency", "frequency of pairs", pair),
            baseline("character_frequency", "frequency of characters", single),
        ]
    }

    /// The vocabulary is that of the training part: what the end of the text alone holds is unknown to the model, as it
    /// is in any other text.
    fn read(self) -> Result<Sequence<Self>, SequenceError> {
        let Texts { files, notes } = text::read(&self.path, self.bytes)?;
        let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
        drop(files);
        let (split, vocabulary) = if self.bytes {
            (training_steps::<Self>(bytes.len(), self.valid_share)?, Vocabulary::Bytes)
        } else {
            let text = std::str::from_utf8(&bytes).expect("the reader has seen to it");
            let split = training_steps::<Self>(text.chars().count(), self.valid_share)?;
            let end = text.char_indices().nth(split).map_or(text.len(), |(end, _)| end);
            let vocabulary = Vocabulary::of(&text[..end], self.min_count);
            if vocabulary.classes() == 1 {
                let (steps, least) = (split, self.min_count);
                return Err(SequenceError::NoClass { steps, least });
            }
            (split, vocabulary)
        };
        let mut training = vocabulary.classes_of(&bytes);
        let valid = training.split_off(split);
        let data = TextData {
            training: training.len(),
            valid: valid.len(),
            checksum: crc32fast::hash(&bytes),
            baselines: frequency_baselines(&training, &valid, vocabulary.classes()),
            vocabulary,
        };
        Ok(Sequence { subject: self, training, valid, data, notes })
    }

    fn read_others(run: &TextRun, files: &[PathBuf]) -> Result<Others, SequenceError> {
        let vocabulary = &run.data.vocabulary;
        let Texts { files, notes } = text::read(files, vocabulary.is_bytes())?;
        let bytes = files.iter().map(|file| file.bytes.as_slice()).collect::<Vec<_>>().concat();
        Ok(Others { classes: vocabulary.classes_of(&bytes), notes })
    }

    fn class_name(data: &TextData, class: u32) -> String {
        match data.vocabulary.is_bytes() {
            true => (class - 1).to_string(),
            false => String::from_utf8_lossy(&data.vocabulary.text_of(class)).into_owned(),
        }
    }
}

/// A run on a text.
pub type TextRun = RunOf<TextSubject>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::UNKNOWN;

    fn read(text: &str, min_count: usize, bytes: bool) -> Sequence<TextSubject> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        let model = ModelSettings { hidden: 4, layers: 1, embedding: None };
        let path = vec![path];
        TextSubject { path, bytes, min_count, valid_share: 0.25, model }.read().unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_is_refused_before_anything_is_made() {
        use crate::train::run::RunConfig;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let Sequence { mut subject, data, .. } = read("überabüberbz", 1, false);
        subject.path.push(std::ffi::OsStr::from_bytes(b"caf\xe9").into());
        let length = Passes { epochs: 1, window: 2 };
        let config = RunConfig::new("text", subject, "lstm", length);
        let error = TextRun::begin(&run, config, data).unwrap_err().to_string();
        assert!(error.contains("UTF-8") && !error.contains('\n'), "{error}");
        assert!(!run.exists());
    }

    #[test]
    fn the_vocabulary_knows_the_training_part_alone() {
        // The last three of twelve characters validate.
        let Sequence { training, valid, data, .. } = read("überabüberbz", 1, false);
        assert_eq!(data.vocabulary, Vocabulary::Characters("aberü".into()));
        assert_eq!((training.len(), valid), (9, vec![4, 2, UNKNOWN]));
        // Nor does its end count: r is there twice, but once to train on.
        let Sequence { data, .. } = read("überabüberbz", 2, false);
        assert_eq!(data.vocabulary, Vocabulary::Characters("beü".into()));
        let model = ModelSettings { hidden: 4, layers: 1, embedding: None };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, "überabüberbz").unwrap();
        let subject =
            TextSubject { path: vec![path], bytes: false, min_count: 4, valid_share: 0.25, model };
        let line = subject.read().unwrap_err().to_string();
        assert!(line.contains("4 times") && line.contains("--min-count"), "{line}");
        // Of bytes there are as many as of any text; ü is two of them.
        let Sequence { training, valid, data, .. } = read("überabüberbz", 1, true);
        assert_eq!((training.len(), valid.len(), data.vocabulary.classes()), (11, 3, 257));
    }
}
