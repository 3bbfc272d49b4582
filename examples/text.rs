//! Trains a network on a text, character by character, and draws a sample from it.
use bptt::data::text::Sampling;
use bptt::random::{Random, SeedableRng};
use bptt::report;
use bptt::train::lessons::{Event, Passes};
use bptt::train::run::{RunConfig, RunFolder, RunOf};
use bptt::train::sequence::{ModelSettings, SequenceSubject};
use bptt::train::text_run::TextSubject;
use std::error::Error;
use std::path::Path;

pub fn train(text: &Path, epochs: usize, folder: &Path) -> Result<String, Box<dyn Error>> {
    let model = ModelSettings { hidden: 64, layers: 1, embedding: None };
    let path = vec![text.to_path_buf()];
    let text = TextSubject { path, bytes: false, min_count: 1, valid_share: 0.1, model }.read()?;
    let config = RunConfig::new("text", text.subject, "lstm", Passes { epochs, window: 25 });
    // Another one beside it where there is a run already.
    let run = RunOf::begin_in(RunFolder::take_next(folder)?, config, text.data)?;
    let sequence = [text.training.as_slice(), &text.valid];
    run.learn(sequence, None, |event| {
        if let Event::Epoch(progress) = event {
            println!("{:?}", progress.epochs.last());
        }
        true // Go on.
    })?;
    let (device, dtype) = run.device()?;
    let model = run.model((&device, dtype))?.model;
    let vocabulary = &run.data.vocabulary;
    let sampling = Sampling { temperature: 0.7, top_k: None, top_p: None };
    let drawn = model.generate(&vocabulary.classes_of(b"fn "), sampling, Random::seed_from_u64(1));
    let sample = drawn.take(200).flat_map(|class| vocabulary.text_of(class)).collect();
    report::write(&run.folder)?;
    Ok(String::from_utf8(sample)?)
}

#[allow(dead_code)] // A test calls the function above.
fn main() -> Result<(), Box<dyn Error>> {
    println!("fn {}", train(Path::new("src/cell"), 20, Path::new("runs/example"))?);
    Ok(())
}
