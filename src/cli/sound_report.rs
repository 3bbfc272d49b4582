//! What a run on sound says of itself.

use super::Failure;
use super::sequence::{Baseline, Described, Own, generate, listening, model, page};
use bptt::cell::Cell;
use bptt::data::sound::{self, classes, sample};
use bptt::data::text::Sampling;
use bptt::nn::Random;
use bptt::plot::page::{Audio, Section};
use bptt::plot::waveform::{Track, Waveform};
use bptt::train::run::RunOf;
use bptt::train::sound_run::{SoundData, SoundSubject};
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use std::path::PathBuf;

/// The most seconds of the validating part that are kept, and of what the page lets hear.
const SECONDS: f64 = 3.0;

/// The temperature of samples.
pub const TEMPERATURE: f64 = 0.95;

/// Samples of its own that say how far back it listens.
const LOOKED_AT: usize = 800;

/// What the page shows of the sound itself.
const KEPT: &str = "validation.wav";

/// The sound of classes.
pub fn sound_of(classes: &[u32]) -> Vec<f32> {
    classes.iter().map(|&class| sample(class) as f32).collect()
}

impl Described for SoundSubject {
    const STEP: &'static str = "sample";
    const STEPS: &'static str = "samples";
    const BESIDE: &'static str = "AR(τ) forecasts a sample linearly from the τ before it, as a Gaussian mixed with the frequencies of the levels. The frequencies of levels, and of pairs of levels, in the training part are forecasts too. Without any knowledge a sample has 8 bits.";

    fn sizes(data: &SoundData) -> [usize; 2] {
        [data.training, data.valid]
    }

    fn baselines(data: &SoundData) -> Vec<Baseline> {
        let baseline = |key, name: String, nats| Baseline { key, name, nats };
        let [single, pair] = data.frequencies;
        let lags = data.autoregression.model.lags.len();
        vec![
            baseline("autoregressive", format!("AR({lags})"), data.autoregressive),
            baseline("pair_frequency", "frequency of pairs".into(), pair),
            baseline("level_frequency", "frequency of levels".into(), single),
        ]
    }

    fn keep(run: &RunOf<Self>, valid: &[u32]) -> Result<(), Failure> {
        let rate = run.config.subject.rate;
        let most = (SECONDS * f64::from(rate)) as usize;
        let sound = sound_of(&valid[..valid.len().min(most)]);
        Ok(sound::write(&run.folder.join(KEPT), &sound, rate)?)
    }

    fn write<C: Cell>(
        cell: C,
        run: &RunOf<Self>,
        device: &Device,
        dtype: DType,
    ) -> Result<Vec<PathBuf>, Failure> {
        let (config, data) = (&run.config, &run.data);
        let rate = config.subject.rate;
        let model = model(cell.clone(), run, device, dtype)?;
        let original = sound::read(&[run.folder.join(KEPT)], rate)?;
        let heard = (original.len() / 2).min(rate as usize / 2);
        let mut classes = classes(&original[..heard]);
        let prompt = classes.clone();
        let mut random = Random::seed_from_u64(config.training.seed);
        let sampling = Sampling { temperature: TEMPERATURE, top_k: None, top_p: None };
        let all = (2.0 * f64::from(rate)) as usize;
        generate(&model, &prompt, sampling, &mut random, |class| {
            classes.push(class);
            classes.len() < all
        });
        let looked_at = &classes[heard..(heard + LOOKED_AT).min(classes.len())];
        let (far, pictures) = listening(cell, run, &model, looked_at, device)?.unzip();
        let drawn = sound_of(&classes);
        let file = run.folder.join("sample.wav");
        sound::write(&file, &drawn, rate)?;
        let track = |name: &str, sound: &[f32], heard| Track {
            name: name.into(),
            samples: sound.iter().copied().map(f64::from).collect(),
            heard,
        };
        let waveform = Waveform {
            tracks: vec![
                track("the validating part", &original, 0),
                track("the network, which heard the grey part and went on", &drawn, heard),
            ],
            rate,
            title: format!("sound, {}: the amplitude by time", config.cell),
        };
        let [png, svg] = waveform.save(&run.folder.join("waveform"))?;
        let picture = std::fs::read_to_string(&svg)?;
        let audio = |name: &str, sound: &[f32]| -> Result<Audio, Failure> {
            Ok(Audio { name: name.into(), wav: sound::wav(sound, rate)? })
        };
        let files = config.subject.file.iter().map(|file| file.display().to_string());
        let files: Vec<String> = files.collect();
        let files = match files.is_empty() {
            true => "the speech that comes with bptt".into(),
            false => files.join(", "),
        };
        let shown = run.folder.display();
        let own = Own {
            title: "A model of sound",
            learnt: format!("{} samples ({rate} a second) of {files}", data.training),
            sections: std::iter::once(Section {
                heading: "A sample".into(),
                text: vec![format!(
                    "The best epoch's model heard the first {:.2} seconds of the validating part and went on, at temperature {TEMPERATURE}.",
                    heard as f64 / f64::from(rate)
                )],
                audio: vec![
                    audio("the validating part", &original)?,
                    audio("the network", &drawn)?,
                ],
                picture: Some((
                    picture,
                    "The amplitude of the validating part and, below it, of what the network made of its beginning: in all, and 40 milliseconds where it is loudest".into(),
                )),
                ..Section::default()
            })
            .chain(far)
            .collect(),
            use_it: format!(
                "bptt generate {shown} --seconds 3\nbptt generate {shown} --prompt FILE.wav --temperature 0.8 --out FILE.wav\nbptt score {shown} FILE.wav"
            ),
        };
        let mut written = page(run, own)?;
        written.extend([png, svg, file]);
        written.extend(pictures.into_iter().flatten());
        Ok(written)
    }
}
