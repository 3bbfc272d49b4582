//! What the page of a run on a text shows of its own: a sample.

use super::ReportError;
use super::sequence::{Sample, SequencePage};
use crate::data::text::Sampling;
use crate::model::CharacterModel;
use crate::nn::Recurrent;
use crate::plot::page::Section;
use crate::random::{Random, SeedableRng};
use crate::train::text_run::{TextRun, TextSubject};

/// Characters of the sample.
const LENGTH: usize = 800;

impl SequencePage for TextSubject {
    const TITLE: &'static str = "A model of a text";
    const BASELINES: &'static str = "The baselines forecast a character from the frequencies of characters, and of pairs of characters, in the training part.";

    fn learnt(run: &TextRun) -> String {
        let paths = run.config.subject.path.iter().map(|path| path.display().to_string());
        let paths: Vec<String> = paths.collect();
        format!("{} characters of {}", run.data.training, paths.join(", "))
    }

    fn use_it(run: &TextRun) -> String {
        let folder = run.folder.display();
        format!("bptt generate {folder} --prompt \"…\" --length 500\nbptt score {folder} FILE")
    }

    fn sample(run: &TextRun, model: &CharacterModel<Recurrent>) -> Result<Sample, ReportError> {
        let random = Random::seed_from_u64(run.config.training.seed);
        let sampling =
            Sampling { temperature: Sampling::TEXT_TEMPERATURE, top_k: None, top_p: None };
        let classes: Vec<u32> = model.generate(&[], sampling, random).take(LENGTH).collect();
        let vocabulary = &run.data.vocabulary;
        let text: Vec<u8> = classes.iter().flat_map(|&class| vocabulary.text_of(class)).collect();
        let section = Section {
            heading: "A sample".into(),
            text: vec![format!(
                "Drawn from the best epoch's model at temperature {}.",
                Sampling::TEXT_TEMPERATURE
            )],
            code: Some(String::from_utf8_lossy(&text).into_owned()),
            ..Section::default()
        };
        Ok(Sample { classes, section, files: Vec::new() })
    }
}
