//! What the runs on a sequence of classes, a text's characters or a sound's samples, have in common: how one is learnt,
//! drawn and described.

use super::listening::Listening;
use super::output::{Output, note, table};
use super::training::{Flags, Learnt, PassFlags, Unit, train};
use super::{Failure, output};
use bptt::cell::{self, Cell};
use bptt::data::text::{Sampling, UNKNOWN};
use bptt::host;
use bptt::model::CharacterModel;
use bptt::nn::{Random, Recurrent};
use bptt::plot::learning_curve::LearningCurve;
use bptt::plot::page::{Page, Section, Table};
use bptt::train::checkpoint::{Checkpoint, Checkpoints};
use bptt::train::lessons::{Computing, Progress, Trained};
use bptt::train::run::RunOf;
use bptt::train::text::{SequenceSubject, Streams, beginner, trained_model, untrained};
use burn::tensor::{DType, Device};
use std::collections::BTreeMap;
use std::f64::consts::LN_2;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a run on a sequence says of itself.
pub trait Described: SequenceSubject {
    /// What a step of the sequence is called.
    const STEP: &'static str;
    /// What several are.
    const STEPS: &'static str;
    /// What the baselines are, in a sentence.
    const BESIDE: &'static str;

    /// How many steps were learnt and how many validate.
    fn sizes(data: &Self::Data) -> [usize; 2];

    /// What costs nothing to make, the best of its kind first.
    fn baselines(data: &Self::Data) -> Vec<Baseline>;

    /// Keeps in the run's folder what its page shows of the data.
    fn keep(_run: &RunOf<Self>, _valid: &[u32]) -> Result<(), Failure> {
        Ok(())
    }

    /// Writes `report.html` and the pictures from what is in the run's folder, and returns their paths.
    fn write<C: Cell>(
        cell: C,
        run: &RunOf<Self>,
        device: &Device,
        dtype: DType,
    ) -> Result<Vec<PathBuf>, Failure>;
}

/// A forecast that is no network's.
pub struct Baseline {
    /// As `--json` calls it.
    pub key: &'static str,
    /// As tables do.
    pub name: String,
    /// Nats a step of the validating part.
    pub nats: f64,
}

/// A sequence cut in two, what it is, and the run's own part of the configuration.
pub struct Learnable<S: SequenceSubject> {
    pub training: Vec<u32>,
    pub valid: Vec<u32>,
    pub subject: S,
    pub data: S::Data,
}

/// Cuts the end off that validates.
pub fn cut(mut classes: Vec<u32>, valid_share: f64, steps: &str) -> Result<[Vec<u32>; 2], Failure> {
    let all = classes.len();
    let valid = classes.split_off(all - (all as f64 * valid_share) as usize);
    match valid.is_empty() {
        true => Err(Failure(format!(
            "{all} {steps} leave none to validate on: take more of them, or raise --valid-share"
        ))),
        false => Ok([classes, valid]),
    }
}

/// Begins a run, or goes on with one, and learns.
pub fn learn<S: Described>(
    learnable: Learnable<S>,
    computing: Computing,
    flags: &Flags<PassFlags>,
) -> Result<ExitCode, Failure> {
    let Flags { training: how, output, .. } = flags;
    let Learnable { training, valid, subject, data } = learnable;
    let config = flags.config(S::TASKS[0], subject, flags.length.passes());
    // Before anything is written.
    Streams::<()>::new([&training, &valid], &config.training, config.length)?;
    let classes = S::classes(&data);
    let features = config.subject.model().embedding.unwrap_or(classes);
    // A block is scored at once.
    let steps =
        (how.batch as f64 * config.length.window as f64).max(2048f64.min(valid.len() as f64));
    how.fits([features, classes], steps)?;
    let (run, resume) = flags.begin(config, data)?;
    S::keep(&run, &valid)?;
    let learner = Learner { sequence: [&training, &valid], run, resume, computing, output };
    cell::visit(&how.cell, learner).expect("clap knows the names")
}

struct Learner<'a, S: Described> {
    sequence: [&'a [u32]; 2],
    run: RunOf<S>,
    resume: Option<Checkpoint<Progress>>,
    computing: Computing,
    output: &'a Output,
}

/// What `--json` prints. Losses are nats a step.
#[derive(serde::Serialize)]
struct Report {
    run: PathBuf,
    task: &'static str,
    train_loss: f64,
    valid_loss: f64,
    valid_bits: f64,
    baselines: BTreeMap<&'static str, f64>,
    epochs: usize,
    steps: usize,
    done: bool,
    seconds: f64,
    steps_per_second: f64,
    /// `characters_per_second`, say.
    #[serde(flatten)]
    rate: BTreeMap<String, f64>,
    files: Vec<PathBuf>,
}

impl<S: Described> cell::Visitor for Learner<'_, S> {
    type Output = Result<ExitCode, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { sequence, run, resume, computing, output } = self;
        let (config, settings) = (&run.config, &run.config.training);
        let classes = S::classes(&run.data);
        let model = beginner(
            cell.clone(),
            classes,
            config.subject.model(),
            (settings, config.length.window),
            &computing,
        )?;
        let lessons = Streams::<C>::new(sequence, settings, config.length)?;
        let loss = |nats| format!("{nats:.4} nats ({:.4} bits) a {}", nats / LN_2, S::STEP);
        let unit = Unit { steps: S::STEPS, window: config.length.window, loss };
        let learnt = train(&lessons, model, (&run, resume), &computing, output, unit)?;
        let Some(learnt) = learnt else { return Ok(ExitCode::SUCCESS) };
        let Learnt { ref progress, best, seconds, steps_per_second, rate, .. } = learnt;
        let files = S::write(cell, &run, &computing.device, computing.dtype)?;
        let baselines = S::baselines(&run.data);
        let report = Report {
            run: run.folder.clone(),
            task: S::TASKS[0],
            train_loss: best.train_loss,
            valid_loss: best.valid_loss,
            valid_bits: best.valid_loss / LN_2,
            baselines: baselines.iter().map(|baseline| (baseline.key, baseline.nats)).collect(),
            epochs: progress.epochs.len(),
            steps: progress.step,
            done: progress.done,
            seconds,
            steps_per_second,
            rate: BTreeMap::from([(format!("{}_per_second", S::STEPS), rate)]),
            files,
        };
        output.print(&report, &described(&report, &run, learnt.all, rate))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn described<S: Described>(report: &Report, run: &RunOf<S>, all: usize, rate: f64) -> String {
    let ([training, valid], steps) = (S::sizes(&run.data), S::STEPS);
    let classes = S::classes(&run.data);
    let mut text =
        format!("{training} {steps} to train on and {valid} to validate on, {classes} classes\n\n");
    let header = header::<S>();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    text += &table(&header, &comparison(run, report.valid_loss));
    text += &format!(
        "\n{} epochs, {} of {all} optimizer steps, {:.0} s, {rate:.0} {steps} a second\n",
        report.epochs, report.steps, report.seconds
    );
    output::wrote(&mut text, &report.files);
    let folder = report.run.display();
    if !report.done {
        text += &format!("go on with: bptt train {} --resume {folder}\n", S::TASKS[0]);
    }
    text += &format!("use it with: bptt generate {folder}\n");
    text
}

/// The columns of [`comparison`].
fn header<S: Described>() -> [String; 4] {
    ["validation".into(), format!("nats a {}", S::STEP), "bits".into(), "perplexity".into()]
}

/// The model beside what costs nothing.
fn comparison<S: Described>(run: &RunOf<S>, valid_loss: f64) -> Vec<Vec<String>> {
    let row = |name: String, nats: f64| {
        let bits = nats / LN_2;
        vec![name, format!("{nats:.4}"), format!("{bits:.4}"), format!("{:.2}", nats.exp())]
    };
    let (cell, model) = (&run.config.cell, run.config.subject.model());
    let name = format!("{cell}, {} × {} units", model.layers, model.hidden);
    let baselines = S::baselines(&run.data).into_iter();
    std::iter::once(row(name, valid_loss))
        .chain(baselines.map(|baseline| row(baseline.name, baseline.nats)))
        .collect()
}

/// The trained model of a run, with a warning for each better checkpoint that could not be read.
pub fn model<C: Cell, S: SequenceSubject>(
    cell: C,
    run: &RunOf<S>,
    device: &Device,
    dtype: DType,
) -> Result<CharacterModel<Recurrent<C>>, Failure> {
    let Trained { model, refused } = trained_model(cell, run, (device, dtype))?;
    for error in refused {
        note(format_args!("warning: {error}"));
    }
    Ok(model)
}

/// What a run's configuration says of a cell that this program does not know.
pub fn unknown_cell<S: SequenceSubject>(run: &RunOf<S>) -> Failure {
    let (folder, cell) = (run.folder.display(), &run.config.cell);
    Failure(format!("the run {folder} has a cell '{cell}' that is not known"))
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

/// How far back the model listens, on classes that it has drawn itself: rows of 100 steps of them.
pub fn listening<C: Cell, S: Described>(
    cell: C,
    run: &RunOf<S>,
    model: &CharacterModel<Recurrent<C>>,
    drawn: &[u32],
    device: &Device,
) -> Result<Option<(Section, [PathBuf; 2])>, Failure> {
    const TIME: usize = 100;
    let (settings, seed) = (run.config.subject.model(), run.config.training.seed);
    let options = (device, model.dtype());
    let before = untrained(cell, model.classes(), settings, seed, |config| config, options);
    let time = TIME.min(drawn.len());
    let batch = drawn.len() / time;
    let targets = &drawn[..batch * time];
    let before_each = std::iter::once(UNKNOWN).chain(targets.iter().copied());
    let inputs: Vec<u32> = before_each.take(targets.len()).collect();
    let norms = |model: &CharacterModel<Recurrent<C>>| {
        model.gradient_norms(&inputs, targets, [batch, time])
    };
    let listening = Listening {
        cell: &run.config.cell,
        moments: [norms(&before)?, norms(model)?],
        step: S::STEP,
        what: format!("{batch} rows of {time} {} that it has drawn", S::STEPS),
    };
    listening.section(&run.folder)
}

/// What is a page's own.
pub struct Own {
    pub title: &'static str,
    /// What was learnt: `5000 characters of novel.txt`.
    pub learnt: String,
    /// Between the comparison and the configuration.
    pub sections: Vec<Section>,
    /// Commands.
    pub use_it: String,
}

/// Writes the learning curve and the page of a run, and returns their paths.
pub fn page<S: Described>(run: &RunOf<S>, own: Own) -> Result<Vec<PathBuf>, Failure> {
    let (config, data) = (&run.config, &run.data);
    let progress = Checkpoints::of(&run.folder).first::<Progress>(&["last", "previous", "best"])?.0;
    let progress = progress.progress;
    let best = progress.best().ok_or_else(|| {
        Failure(format!("the run {} has no epoch yet: go on with --resume", run.folder.display()))
    })?;
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
    let strings = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_string()).collect();
    let epochs = progress.epochs.iter().map(|epoch| {
        vec![
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.train_loss),
            format!("{:.4}", epoch.valid_loss),
            format!("{:.2e}", epoch.lr),
        ]
    });
    let (model, [_, valid], step) = (config.subject.model(), S::sizes(data), S::STEP);
    let learning = Section {
        heading: "Learning".into(),
        picture: Some((
            picture,
            format!(
                "Nats a {step} on the training and the validating part by epoch, with the best epoch marked"
            ),
        )),
        tables: vec![Table {
            caption: format!("Nats a {step} by epoch"),
            header: strings(&["epoch", "training", "validation", "learning rate"]),
            rows: epochs.collect(),
        }],
        ..Section::default()
    };
    let beside = Section {
        heading: "Beside what costs nothing".into(),
        text: vec![S::BESIDE.into()],
        tables: vec![Table {
            caption: "The validating part".into(),
            header: header::<S>().into(),
            rows: comparison(run, best.valid_loss),
        }],
        ..Section::default()
    };
    let trained = Section {
        heading: "What was trained".into(),
        text: vec!["This is config.toml of the run; its keys are the flags of the command.".into()],
        code: Some(std::fs::read_to_string(run.folder.join("config.toml"))?),
        ..Section::default()
    };
    let (folder, task) = (run.folder.display(), S::TASKS[0]);
    let use_it = Section {
        heading: "Use it".into(),
        code: Some(format!(
            "{}\nbptt train {task} --resume {folder} --epochs {}\nbptt train {task} --config {folder}/config.toml --seed 2 --out runs/second",
            own.use_it,
            2 * config.length.epochs
        )),
        ..Section::default()
    };
    let mut sections = vec![learning, beside];
    sections.extend(own.sections);
    sections.extend([trained, use_it]);
    let page = Page {
        title: own.title.into(),
        introduction: format!(
            "A network of {} layers of {} units ({}) learnt {} and was tested on the {valid} that follow. Its best epoch, {}, needs {:.4} nats ({:.4} bits) a {step} there.",
            model.layers,
            model.hidden,
            config.cell,
            own.learnt,
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
