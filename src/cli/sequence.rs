//! What `bptt train text` and `bptt train sound` have in common: a training, and what is printed at its end.

use super::output::{page_table, warn};
use super::training::{Ending, Flags, Learnt, PassFlags, Unit, train};
use super::{Failure, output};
use bptt::report::{self, SequencePage, comparison};
use bptt::train::lessons::Epoch;
use bptt::train::run::RunOf;
use bptt::train::sequence::{Sequence, beginner};
use bptt::train::streams::Streams;
use std::collections::BTreeMap;
use std::f64::consts::LN_2;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `--json` prints. Losses are nats a step, those of the best epoch, whose model is kept.
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
    #[serde(flatten)]
    rate: BTreeMap<String, f64>,
    files: Vec<PathBuf>,
}

/// Begins a run, or goes on with one, and learns.
pub fn learn<S: SequencePage>(subject: S, flags: &Flags<PassFlags>) -> Result<ExitCode, Failure> {
    let Flags { training: how, output, .. } = flags;
    let computing = flags.computing()?;
    let Sequence { subject, training, valid, data, notes } = match &how.resume {
        Some(run) => subject.read_again(run)?,
        None => subject.read()?,
    };
    output::notes(&notes);
    let config = flags.config(S::TASKS[0], subject, flags.length.passes());
    // Before anything is written.
    let lessons = Streams::new([&training, &valid], &config.training, config.length)?;
    let (classes, window) = (S::classes(&data), config.length.window);
    let features = config.subject.model().embedding.unwrap_or(classes);
    // A block is scored at once.
    let steps = (how.batch as f64 * window as f64).max(2048f64.min(valid.len() as f64));
    how.fits([features, classes], steps)?;
    let (run, resume) = flags.begin(config, data)?;
    S::keep(&run, &valid)?;
    let settings = &run.config.training;
    let sizes = run.config.subject.model();
    let model = beginner(run.cell()?, classes, sizes, (settings, window), &computing)?;
    let loss = |epoch: &Epoch| {
        let nats = epoch.valid_loss;
        format!("{nats:.4} nats ({:.4} bits) a {}", nats / LN_2, S::STEP)
    };
    let may_end_early = settings.early_stop.is_some();
    let unit = Unit { steps: S::STEPS, window, epoch: "epoch", loss, may_end_early };
    let learnt = match train(&lessons, model, (&run, resume), &computing, output, unit)? {
        Ending::Early(code) => return Ok(code),
        Ending::Learnt(learnt) => learnt,
    };
    let Learnt { ref progress, best, seconds, steps_per_second, rate, .. } = learnt;
    let written = report::write(&run.folder)?;
    warn(&written.warnings);
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
        files: written.files,
    };
    output.print(&report, &text(&report, &run, &learnt))?;
    Ok(learnt.end())
}

fn text<S: SequencePage>(report: &Report, run: &RunOf<S>, learnt: &Learnt) -> String {
    let ([training, valid], steps) = (S::sizes(&run.data), S::STEPS);
    let classes = S::classes(&run.data);
    let mut text =
        format!("{training} {steps} to train on and {valid} to validate on, {classes} classes\n\n");
    text += &page_table(&comparison(run, report.valid_loss));
    text += &format!(
        "\n{} epochs, {}, {:.0} s{}\n",
        report.epochs,
        learnt.steps(),
        report.seconds,
        learnt.rate_of(steps)
    );
    output::wrote(&mut text, &report.files);
    let folder = output::shown(&report.run);
    if report.done {
        text += &format!("use it with: bptt generate {folder}\n");
    }
    text
}
