//! The page of a run on a generated task.

use super::gradient_flow::GradientFlow;
use super::{ReportError, Written, epochs};
use crate::data::task::{Measure, Task};
use crate::plot::learning_curve::LearningCurve;
use crate::plot::page::{Page, Section, Table};
use crate::random::{Random, SeedableRng};
use crate::train::checkpoint::Checkpoints;
use crate::train::lessons::Score;
use crate::train::memory::check_memory;
use crate::train::task::gradient_norms;
use crate::train::task_run::TaskRun;

/// Sequences on which the page shows how far back the network listens.
const SEQUENCES: usize = 8;

/// How the answers of a task are measured, in words.
fn measured(task: &dyn Task) -> &'static str {
    match task.measure() {
        Measure::SquaredError => "mean squared error",
        Measure::CrossEntropy => "cross entropy",
    }
}

/// The last test, the best one where that is another, and an answer without memory.
pub fn task_comparison(run: &TaskRun, task: &dyn Task, tests: &[Score]) -> Table {
    let row = |name: String, loss: f64, right: f64| {
        vec![name, format!("{loss:.5}"), format!("{:.1} %", 100.0 * right)]
    };
    let of = |name: String, score: &Score| row(name, score.loss, score.right.unwrap_or(0.0));
    let network = format!("{}, {} units", run.config.cell, run.config.subject.network.hidden);
    let mut rows: Vec<Vec<String>> =
        tests.last().map(|last| of(network, last)).into_iter().collect();
    let best = tests.iter().min_by(|a, b| a.loss.total_cmp(&b.loss));
    if let Some(best) = best.filter(|best| Some(*best) != tests.last()) {
        rows.push(of("its best test, whose weights are kept".into(), best));
    }
    rows.push(row("without memory".into(), task.chance(), task.chance_right()));
    Table {
        caption: format!(
            "The test: {} sequences that training has not drawn",
            run.config.length.test
        ),
        header: ["test", measured(task), "right"].map(String::from).into(),
        rows,
    }
}

/// Writes the page and the pictures of a run from what is in its folder.
pub(super) fn write(run: &TaskRun) -> Result<Written, ReportError> {
    let (device, dtype) = run.device()?;
    let (config, folder) = (&run.config, &run.folder);
    let task = run.task()?;
    let task = task.as_ref();
    let progress = Checkpoints::of(folder).progress()?;
    let best = progress.best().ok_or_else(|| ReportError::NoEpoch(folder.display().to_string()))?;
    let curve = LearningCurve {
        train: progress.epochs.iter().map(|epoch| epoch.train_loss).collect(),
        valid: progress.epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        every: config.length.test_every.min(config.length.steps),
        unit: "optimizer step",
        level: Some(("without memory".into(), task.chance())),
        title: format!("{}, {}: {} by optimizer step", config.task, config.cell, measured(task)),
    };
    // The sequences, and what their walk keeps.
    let wide =
        (task.features() + task.outputs()) as f64 + 10.0 * config.subject.network.hidden as f64;
    let bytes = 8.0 * (SEQUENCES * config.subject.network.layers.max(1)) as f64 * wide;
    check_memory(bytes * task.time() as f64, "the sizes of the task in config.toml")?;
    let [png, svg] = curve.save(&folder.join("learning_curve"))?;
    let (networks, refused) = run.networks(&device, dtype)?;
    // Sequences that neither training nor test has drawn.
    let mut random = Random::seed_from_u64(config.training.seed.wrapping_add(3 << 32));
    let sequences = task.draw(SEQUENCES, &mut random).whole_rows();
    let [before, after] =
        networks.map(|network| gradient_norms(&network, task, &sequences, &device, dtype));
    let flow = GradientFlow {
        cell: &config.cell,
        moments: [before?, after?],
        step: "step",
        input: format!("{} sequences of {} steps", sequences.batch, sequences.time),
    };
    let (flow, pictures) = flow.section(folder)?.unzip();

    let tests: Vec<Score> = progress.epochs.iter().map(|epoch| epoch.score()).collect();
    let verdict = match run.solved_after(&progress)? {
        Some(steps) => format!("It solved the task after {steps} optimizer steps."),
        None => format!("It has not solved the task in {} optimizer steps.", progress.step),
    };
    let learning = Section {
        heading: "Learning".into(),
        text: vec![verdict.clone()],
        picture: Some((
            std::fs::read_to_string(&svg)?,
            format!("{} of training and test by optimizer step", measured(task)),
        )),
        tables: vec![epochs(&progress, measured(task))],
        ..Section::default()
    };
    let compared = Section {
        heading: "Compared with an answer without memory".into(),
        text: vec![
            "The smallest loss that can be had from the current step alone is the baseline: whatever is better has remembered something.".into(),
        ],
        tables: vec![task_comparison(run, task, &tests)],
        ..Section::default()
    };
    let shown = folder.display();
    let use_it = Section {
        heading: "Use it".into(),
        code: Some(format!(
            "bptt flow {shown}\nbptt train {task} --resume {shown} --all-steps --steps {}\nbptt train {task} --config {shown}/config.toml --seed 2",
            2 * config.length.steps,
            task = config.task
        )),
        ..Section::default()
    };
    let mut sections = vec![learning, compared];
    sections.extend(flow);
    sections.extend([super::configuration(folder)?, use_it]);
    let network = &config.subject.network;
    let page = Page {
        title: format!("A network that learnt the task {}", config.task),
        introduction: format!(
            "The task: {}. A network of {} layers of {} units ({}) has a test loss of {:.5} at its best. {verdict}",
            task.setting(),
            network.layers,
            network.hidden,
            config.cell,
            best.valid_loss
        ),
        sections,
    };
    let report = folder.join("report.html");
    page.save(&report)?;
    let files = [report, png, svg].into_iter().chain(pictures.into_iter().flatten());
    let warnings = refused.iter().map(ToString::to_string).collect();
    Ok(Written { files: files.collect(), warnings })
}
