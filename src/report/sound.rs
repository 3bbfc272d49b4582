//! What the page of a run on sound shows of its own: the validating part, and how the network goes on from its beginning,
//! to see and to play.

use super::ReportError;
use super::sequence::{Sample, SequencePage};
use crate::data::sound;
use crate::data::text::Sampling;
use crate::model::CharacterModel;
use crate::nn::Recurrent;
use crate::plot::page::{Audio, Section};
use crate::plot::waveform::{Track, Waveform};
use crate::random::{Random, SeedableRng};
use crate::train::sequence::SequenceError;
use crate::train::sound_run::{SoundRun, SoundSubject, VALIDATION_FILE};

/// Seconds of the sample, with its prompt.
const SECONDS: f64 = 2.0;

/// Drawn samples on which the gradient is followed through time.
const FLOW: usize = 800;

impl SequencePage for SoundSubject {
    const TITLE: &'static str = "A model of sound";
    const BASELINES: &'static str = "AR(τ) forecasts a sample linearly from the τ before it, as a Gaussian mixed with the frequencies of the levels. The other baselines forecast it from the frequencies of levels, and of pairs of levels, in the training part. A model that knows nothing needs 8 bits a sample.";

    fn learnt(run: &SoundRun) -> String {
        let SoundSubject { file, rate, .. } = &run.config.subject;
        let files: Vec<String> = file.iter().map(|file| file.display().to_string()).collect();
        let files = match files.is_empty() {
            true => "the speech that comes with bptt".into(),
            false => files.join(", "),
        };
        format!("{} samples ({rate} a second) of {files}", run.data.training)
    }

    fn use_it(run: &SoundRun) -> String {
        let folder = run.folder.display();
        format!(
            "bptt generate {folder} --seconds 3\nbptt generate {folder} --prompt FILE.wav --temperature 0.8 --out FILE.wav\nbptt score {folder} FILE.wav"
        )
    }

    fn sample(run: &SoundRun, model: &CharacterModel<Recurrent>) -> Result<Sample, ReportError> {
        let rate = run.config.subject.rate;
        let kept = [run.folder.join(VALIDATION_FILE)];
        let original = sound::read(&kept, rate).map_err(SequenceError::from)?.samples;
        let prompt = sound::classes(&original[..(original.len() / 2).min(rate as usize / 2)]);
        let random = Random::seed_from_u64(run.config.training.seed);
        let sampling =
            Sampling { temperature: Sampling::SOUND_TEMPERATURE, top_k: None, top_p: None };
        let length = (SECONDS * f64::from(rate)) as usize - prompt.len();
        let drawn: Vec<u32> = model.generate(&prompt, sampling, random).take(length).collect();
        let heard = sound::samples(&[prompt.as_slice(), &drawn].concat());
        let file = run.folder.join("sample.wav");
        sound::write(&file, &heard, rate)?;
        let track = |name: &str, sound: &[f32], prompt| Track {
            name: name.into(),
            samples: sound.iter().copied().map(f64::from).collect(),
            heard: prompt,
        };
        let waveform = Waveform {
            tracks: vec![
                track("the validating part", &original, 0),
                track("the network, which heard the grey part and went on", &heard, prompt.len()),
            ],
            rate,
            title: format!("sound, {}: the amplitude by time", run.config.cell),
        };
        let [png, svg] = waveform.save(&run.folder.join("waveform"))?;
        let picture = std::fs::read_to_string(&svg)?;
        let audio = |name: &str, sound: &[f32]| -> Result<Audio, ReportError> {
            Ok(Audio { name: name.into(), wav: sound::wav(sound, rate)? })
        };
        let section = Section {
            heading: "A sample".into(),
            text: vec![format!(
                "The best epoch's model heard the first {:.2} seconds of the validating part and went on, at temperature {}.",
                prompt.len() as f64 / f64::from(rate),
                Sampling::SOUND_TEMPERATURE
            )],
            audio: vec![audio("the validating part", &original)?, audio("the network", &heard)?],
            picture: Some((
                picture,
                "The amplitude of the validating part and, below it, of how the network goes on from its beginning: in all, and 40 milliseconds where it is loudest".into(),
            )),
            ..Section::default()
        };
        let classes = drawn[..FLOW.min(drawn.len())].to_vec();
        Ok(Sample { classes, section, files: vec![png, svg, file] })
    }
}
