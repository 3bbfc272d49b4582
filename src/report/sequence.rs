//! The page of a run on a sequence of classes: the learning curve, the comparison with simple baselines, a sample, and how
//! far back in time the network listens.

use super::gradient_flow::GradientFlow;
use super::{ReportError, Written};
use crate::data::text::UNKNOWN;
use crate::model::CharacterModel;
use crate::nn::Recurrent;
use crate::plot::learning_curve::LearningCurve;
use crate::plot::page::{Page, Section, Table};
use crate::train::checkpoint::Checkpoints;
use crate::train::lessons::Trained;
use crate::train::run::RunOf;
use crate::train::sequence::SequenceSubject;
use std::f64::consts::LN_2;
use std::path::PathBuf;

/// What the page of one kind of run has of its own.
pub trait SequencePage: SequenceSubject {
    /// The title.
    const TITLE: &'static str;
    /// What the baselines are, in a sentence.
    const BASELINES: &'static str;

    /// What was learnt: `5000 characters of novel.txt`.
    fn learnt(run: &RunOf<Self>) -> String;

    /// Commands that use the run.
    fn use_it(run: &RunOf<Self>) -> String;

    /// Draws a sample from the trained model.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    fn sample(run: &RunOf<Self>, model: &CharacterModel<Recurrent>) -> Result<Sample, ReportError>;
}

/// A sample of a model.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What was drawn.
    pub classes: Vec<u32>,
    /// What the page shows of it.
    pub section: Section,
    /// Files that were written for it.
    pub files: Vec<PathBuf>,
}

/// The validation loss of the model, in nats a step, and those of the baselines.
pub fn comparison<S: SequenceSubject>(run: &RunOf<S>, valid_loss: f64) -> Table {
    let row = |name: String, nats: f64| {
        let bits = nats / LN_2;
        vec![name, format!("{nats:.4}"), format!("{bits:.4}"), format!("{:.2}", nats.exp())]
    };
    let (cell, model) = (&run.config.cell, run.config.subject.model());
    let name = format!("{cell}, {} × {} units", model.layers, model.hidden);
    let baselines = S::baselines(&run.data).into_iter();
    let baselines = baselines.map(|baseline| row(baseline.name, baseline.nats));
    Table {
        caption: "The validating part".into(),
        header: vec![
            "validation".into(),
            format!("nats a {}", S::STEP),
            "bits".into(),
            "perplexity".into(),
        ],
        rows: std::iter::once(row(name, valid_loss)).chain(baselines).collect(),
    }
}

/// Writes the page and the pictures of a run from what is in its folder.
pub(super) fn write<S: SequencePage>(run: &RunOf<S>) -> Result<Written, ReportError> {
    let (device, dtype) = run.device()?;
    let Trained { model, refused } = run.model((&device, dtype))?;
    let sample = S::sample(run, &model)?;
    let before = run.untrained_model((&device, dtype))?;
    let flow = gradient_flow(run, [&before, &model], &sample.classes)?;
    let (flow, pictures) = flow.unzip();
    let sections = std::iter::once(sample.section).chain(flow).collect();
    let mut files = write_page(run, sections)?;
    files.extend(sample.files);
    files.extend(pictures.into_iter().flatten());
    let warnings = refused.iter().map(ToString::to_string).collect();
    Ok(Written { files, warnings })
}

/// How far back the model listens, before training and after it, on classes that it has drawn itself: rows of 100 steps
/// of them.
fn gradient_flow<S: SequencePage>(
    run: &RunOf<S>,
    moments: [&CharacterModel<Recurrent>; 2],
    drawn: &[u32],
) -> Result<Option<(Section, [PathBuf; 2])>, ReportError> {
    const TIME: usize = 100;
    let time = TIME.min(drawn.len());
    let batch = drawn.len() / time;
    let targets = &drawn[..batch * time];
    let before_each = std::iter::once(UNKNOWN).chain(targets.iter().copied());
    let inputs: Vec<u32> = before_each.take(targets.len()).collect();
    let [before, after] =
        moments.map(|model| model.gradient_norms(&inputs, targets, [batch, time]));
    let flow = GradientFlow {
        cell: &run.config.cell,
        moments: [before?, after?],
        step: S::STEP,
        input: format!("{batch} rows of {time} {} that it has drawn", S::STEPS),
    };
    flow.section(&run.folder)
}

/// Writes the learning curve and the page, and returns their paths.
fn write_page<S: SequencePage>(
    run: &RunOf<S>,
    of_this_kind: Vec<Section>,
) -> Result<Vec<PathBuf>, ReportError> {
    let (config, data, folder) = (&run.config, &run.data, run.folder.display());
    let progress = Checkpoints::of(&run.folder).progress()?;
    let best = progress.best().ok_or_else(|| ReportError::NoEpoch(folder.to_string()))?;
    let baselines = S::baselines(data).into_iter();
    let level = baselines.min_by(|a, b| a.nats.total_cmp(&b.nats));
    let curve = LearningCurve {
        train: progress.epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: progress.epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: 1,
        unit: "epoch",
        level: level.map(|baseline| (baseline.name, baseline.nats)),
        title: format!("{}, {}: nats a {} by epoch", S::TASKS[0], config.cell, S::STEP),
    };
    let [png, svg] = curve.save(&run.folder.join("learning_curve"))?;
    let picture = std::fs::read_to_string(&svg)?;
    let (model, [_, valid], step, task) =
        (config.subject.model(), S::sizes(data), S::STEP, S::TASKS[0]);
    let learning = Section {
        heading: "Learning".into(),
        picture: Some((
            picture,
            format!(
                "Nats a {step} on the training and the validating part by epoch, with the best epoch marked"
            ),
        )),
        tables: vec![super::epochs(&progress, &format!("nats a {step}"))],
        ..Section::default()
    };
    let compared = Section {
        heading: "Compared with simple baselines".into(),
        text: vec![S::BASELINES.into()],
        tables: vec![comparison(run, best.valid_loss)],
        ..Section::default()
    };
    let use_it = Section {
        heading: "Use it".into(),
        code: Some(format!(
            "{}\nbptt train {task} --resume {folder} --epochs {}\nbptt train {task} --config {folder}/config.toml --seed 2",
            S::use_it(run),
            2 * config.length.epochs
        )),
        ..Section::default()
    };
    let mut sections = vec![learning, compared];
    sections.extend(of_this_kind);
    sections.extend([super::configuration(&run.folder)?, use_it]);
    let page = Page {
        title: S::TITLE.into(),
        introduction: format!(
            "A network of {} layers of {} units ({}) learnt {} and was tested on the {valid} that follow. Its best epoch, {}, needs {:.4} nats ({:.4} bits) a {step} there.",
            model.layers,
            model.hidden,
            config.cell,
            S::learnt(run),
            best.epoch,
            best.valid_loss,
            best.valid_loss / LN_2
        ),
        sections,
    };
    let report = run.folder.join("report.html");
    page.save(&report)?;
    Ok(vec![report, png, svg])
}
