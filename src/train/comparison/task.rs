//! Runs on a generated task: their best tests.

use super::{Comparison, ComparisonError, Form, Group, Measured, NamedMeasure, apart};
use crate::train::checkpoint::Checkpoints;
use crate::train::task_run::TaskRun;

pub(super) fn compare(
    comparison: &mut Comparison,
    runs: &[TaskRun],
) -> Result<(), ComparisonError> {
    let sizes = |run: &TaskRun| run.config.subject.sizes.clone();
    if let Some(other) = runs.iter().position(|run| sizes(run) != sizes(&runs[0])) {
        return Err(apart(comparison, other, "their tasks have different sizes"));
    }
    let drawn = |run: &TaskRun| (run.config.length.test, run.config.training.seed);
    comparison.on = match runs.iter().all(|run| drawn(run) == drawn(&runs[0])) {
        true => format!("the same {} sequences, which no training has drawn", drawn(&runs[0]).0),
        false => "the sequences of each run's own test, drawn in the same way".into(),
    };
    let mut measured = Vec::new();
    for run in runs {
        let progress = Checkpoints::of(&run.folder).progress()?;
        let best = progress.best();
        measured.push(Measured {
            method: format!("{}, {} units", run.config.cell, run.config.subject.network.hidden),
            measures: vec![
                NamedMeasure::new("test loss", best.map(|best| best.valid_loss), Form::Figure),
                NamedMeasure::new("right", best.and_then(|best| best.right), Form::Percent(1)),
                NamedMeasure::new("after steps", best.map(|best| best.steps as f64), Form::Count),
            ],
            difference: None,
        });
    }
    let name = String::new();
    comparison.groups.push(Group { name, runs: measured, by: "test loss", drawn: None });
    Ok(())
}
