//! The examples of training run, with small settings.

#[path = "../../examples/forecast.rs"]
mod forecast;
#[path = "../../examples/text.rs"]
mod text;

use bptt::train::lessons::Passes;
use bptt::train::run::{RunConfig, RunOf};
use bptt::train::series_input::SeriesInput;
use bptt::train::series_run::{self, SeriesSubject};
use std::path::Path;

#[test]
fn a_text_is_learnt_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let sample = text::train(Path::new("src/cell/lstm.rs"), 2, folder.path()).unwrap();
    assert_eq!(sample.chars().count(), 200);
    assert!(folder.path().join("report.html").exists());
}

/// AR(τ) of the airline passengers, without the program.
#[test]
fn a_run_forecasts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let subject =
        SeriesSubject { log: Some(true), difference: Some(1), ..SeriesSubject::default() };
    let input = SeriesInput::read(subject).unwrap();
    let config = RunConfig::new("series", input.subject, "ar", Passes { epochs: 1, window: 24 });
    RunOf::begin(folder, config, input.data).unwrap();
    series_run::write(&input.series, folder).unwrap();
    forecast::forecast(folder).unwrap();
    assert!(folder.join("report.html").exists() && folder.join("backtest.csv").exists());
}
