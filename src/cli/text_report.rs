//! What a run on a text says of itself.

use super::Failure;
use super::sequence::{Baseline, Described, Own, generate, listening, model, page};
use bptt::cell::Cell;
use bptt::data::text::Sampling;
use bptt::nn::Random;
use bptt::plot::page::Section;
use bptt::train::run::RunOf;
use bptt::train::text_run::{TextData, TextSubject};
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use std::path::PathBuf;

impl Described for TextSubject {
    const STEP: &'static str = "character";
    const STEPS: &'static str = "characters";
    const BESIDE: &'static str = "The frequencies of characters, and of pairs of characters, in the training text are forecasts too.";

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

    fn write<C: Cell>(
        cell: C,
        run: &RunOf<Self>,
        device: &Device,
        dtype: DType,
    ) -> Result<Vec<PathBuf>, Failure> {
        const SAMPLE: usize = 800;
        let (config, data) = (&run.config, &run.data);
        let model = model(cell.clone(), run, device, dtype)?;
        let mut random = Random::seed_from_u64(config.training.seed);
        let sampling = Sampling { temperature: 0.8, top_k: None, top_p: None };
        let (mut sample, mut drawn) = (Vec::new(), Vec::new());
        generate(&model, &[], sampling, &mut random, |class| {
            sample.extend(data.vocabulary.text_of(class));
            drawn.push(class);
            drawn.len() < SAMPLE
        });
        let (far, pictures) = listening(cell, run, &model, &drawn, device)?.unzip();
        let paths = config.subject.path.iter().map(|path| path.display().to_string());
        let paths: Vec<String> = paths.collect();
        let shown = run.folder.display();
        let own = Own {
            title: "A model of a text",
            learnt: format!("{} characters of {}", data.training, paths.join(", ")),
            sections: std::iter::once(Section {
                heading: "A sample".into(),
                text: vec!["Drawn from the best epoch's model at temperature 0.8.".into()],
                code: Some(String::from_utf8_lossy(&sample).into_owned()),
                ..Section::default()
            })
            .chain(far)
            .collect(),
            use_it: format!(
                "bptt generate {shown} --prompt \"…\" --length 500\nbptt score {shown} FILE"
            ),
        };
        let mut written = page(run, own)?;
        written.extend(pictures.into_iter().flatten());
        Ok(written)
    }
}
