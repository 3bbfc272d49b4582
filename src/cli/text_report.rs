//! The page of a run on a text.

use super::Failure;
use bptt::cell::Cell;
use bptt::data::text::{Sampling, UNKNOWN};
use bptt::model::CharacterModel;
use bptt::nn::{Random, Recurrent};
use bptt::plot::learning_curve::LearningCurve;
use bptt::plot::page::{Page, Section, Table};
use bptt::train::checkpoint::Checkpoints;
use bptt::train::host;
use bptt::train::lessons::{Progress, Trained, trained};
use bptt::train::text::untrained;
use bptt::train::text_run::TextRun;
use burn::tensor::{DType, Device};
use rand::SeedableRng;
use std::path::PathBuf;

/// The names of the baselines.
pub const BASELINES: [&str; 2] = ["character_frequency", "pair_frequency"];

/// The columns of [`comparison`].
pub const HEADER: [&str; 4] = ["validation", "nats a character", "bits", "perplexity"];

/// The model beside what costs nothing.
pub fn comparison(run: &TextRun, valid_loss: f64) -> Vec<Vec<String>> {
    let row = |name: String, nats: f64| {
        let bits = nats / std::f64::consts::LN_2;
        vec![name, format!("{nats:.4}"), format!("{bits:.4}"), format!("{:.2}", nats.exp())]
    };
    let config = &run.config;
    let [single, pair] = run.data.baselines;
    let name = format!(
        "{}, {} × {} units",
        config.cell, config.subject.model.layers, config.subject.model.hidden
    );
    vec![
        row(name, valid_loss),
        row("frequency of pairs".into(), pair),
        row("frequency of characters".into(), single),
    ]
}

/// Draws a continuation of the prompt and hands it to `each` class by class, until that returns false.
pub fn generate<C: Cell>(
    model: &CharacterModel<Recurrent<C>>,
    prompt: &[u32],
    sampling: Sampling,
    random: &mut Random,
    mut each: impl FnMut(u32) -> bool,
) {
    let input: Vec<u32> = std::iter::once(UNKNOWN).chain(prompt.iter().copied()).collect();
    let (mut logits, mut state) = model.forward(&input, [1, input.len()], None);
    loop {
        let [steps, classes] = logits.dims();
        let last = host(logits.slice([steps - 1..steps, 0..classes]));
        let class = sampling.draw(&last, &[UNKNOWN], random);
        if !each(class) {
            return;
        }
        (logits, state) = model.forward(&[class], [1, 1], Some(state));
    }
}

/// The trained model of a run.
pub fn model<C: Cell>(
    cell: C,
    run: &TextRun,
    device: &Device,
    dtype: DType,
) -> Result<CharacterModel<Recurrent<C>>, Failure> {
    let (config, classes) = (&run.config, run.data.vocabulary.classes());
    let (model, seed) = (&config.subject.model, config.training.seed);
    let untrained = untrained(cell, classes, model, seed, |config| config, (device, dtype));
    let Trained { model, refused } = trained(untrained, &run.folder)?;
    for error in refused {
        eprintln!("warning: {error}");
    }
    Ok(model)
}

/// Writes `report.html` and the pictures from what is in the run's folder, and returns their paths.
pub fn write<C: Cell>(
    cell: C,
    run: &TextRun,
    device: &Device,
    dtype: DType,
) -> Result<Vec<PathBuf>, Failure> {
    const SAMPLE: usize = 800;
    let (config, data) = (&run.config, &run.data);
    let model = model(cell, run, device, dtype)?;
    let progress = Checkpoints::of(&run.folder).first::<Progress>(&["last", "previous", "best"])?.0;
    let progress = progress.progress;
    let best = progress.best().ok_or_else(|| {
        Failure(format!("the run {} has no epoch yet: go on with --resume", run.folder.display()))
    })?;
    let curve = LearningCurve {
        train: progress.epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: progress.epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: 1,
        unit: "epoch",
        level: Some(("frequency of pairs".into(), data.baselines[1])),
        title: format!("text, {}: nats a character by epoch", config.cell),
    };
    let [png, svg] = curve.save(&run.folder.join("learning_curve"))?;
    let picture = std::fs::read_to_string(&svg)?;

    let mut random = Random::seed_from_u64(config.training.seed);
    let sampling = Sampling { temperature: 0.8, top_k: None, top_p: None };
    let (mut sample, mut count) = (Vec::new(), 0);
    generate(&model, &[], sampling, &mut random, |class| {
        sample.extend(data.vocabulary.text_of(class));
        count += 1;
        count < SAMPLE
    });
    let strings = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_string()).collect();
    let epochs = progress.epochs.iter().map(|epoch| {
        vec![
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.train_loss),
            format!("{:.4}", epoch.valid_loss),
            format!("{:.2e}", epoch.lr),
        ]
    });
    let paths: Vec<String> =
        config.subject.path.iter().map(|path| path.display().to_string()).collect();
    let shown = run.folder.display();
    let page = Page {
        title: "A model of a text".into(),
        introduction: format!(
            "A network of {} layers of {} units ({}) learnt {} characters of {} and was tested on the {} that follow. Its best epoch, {}, needs {:.4} nats ({:.4} bits) a character there.",
            config.subject.model.layers,
            config.subject.model.hidden,
            config.cell,
            data.training,
            paths.join(", "),
            data.valid,
            best.epoch,
            best.valid_loss,
            best.valid_loss / std::f64::consts::LN_2
        ),
        sections: vec![
            Section {
                heading: "Learning".into(),
                picture: Some((
                    picture,
                    "Nats a character on the training and the validation text by epoch, with the best epoch marked".into(),
                )),
                tables: vec![Table {
                    caption: "Nats a character by epoch".into(),
                    header: strings(&["epoch", "training", "validation", "learning rate"]),
                    rows: epochs.collect(),
                }],
                ..Section::default()
            },
            Section {
                heading: "Beside what costs nothing".into(),
                text: vec![
                    "The frequencies of characters, and of pairs of characters, in the training text are forecasts too.".into(),
                ],
                tables: vec![Table {
                    caption: "The validation text".into(),
                    header: strings(&HEADER),
                    rows: comparison(run, best.valid_loss),
                }],
                ..Section::default()
            },
            Section {
                heading: "A sample".into(),
                text: vec!["Drawn from the best epoch's model at temperature 0.8.".into()],
                code: Some(String::from_utf8_lossy(&sample).into_owned()),
                ..Section::default()
            },
            Section {
                heading: "What was trained".into(),
                text: vec!["This is config.toml of the run; its keys are the flags of the command.".into()],
                code: Some(std::fs::read_to_string(run.folder.join("config.toml"))?),
                ..Section::default()
            },
            Section {
                heading: "Use it".into(),
                code: Some(format!(
                    "bptt generate {shown} --prompt \"…\" --length 500\nbptt score {shown} FILE\nbptt train text --resume {shown} --epochs {}\nbptt train text --config {shown}/config.toml --seed 2 --out runs/second",
                    2 * config.training.epochs
                )),
                ..Section::default()
            },
        ],
    };
    let report = run.folder.join("report.html");
    page.save(&report)?;
    Ok(vec![report, png, svg])
}
