//! `bptt score`: how probable a file is to a trained model.

use super::dates::DateFlags;
use super::options::{Compute, size};
use super::output::{StandardOutput, note, notes, show, table, warn};
use super::reading::ReadingFlags;
use super::{Failure, score_rows};
use bptt::data::dates::DateOptions;
use bptt::data::series::Reading;
use bptt::train::lessons::Trained;
use bptt::train::run::{Run, RunOf, Use};
use bptt::train::sequence::{Scoring, SequenceSubject};
use burn::tensor::DType;
use std::collections::BTreeMap;
use std::f64::consts::LN_2;
use std::path::PathBuf;
use std::process::ExitCode;

/// How probable a file is to a run: a text, a sound, or the rows of series
///
/// To a run on text or sound: log P by the chain rule, ln P(x) = Σ ln P(x_t | x_1 … x_{t−1}), from a zero state. --shuffle
/// mixes the steps (characters, samples) and --forget N cuts the past to N of them: a worse score then shows that the
/// model uses order and past. A sound is scored at the run's sample rate.
///
/// To a run on a series, or on many: how improbable each row is, for finding those that are wrong or new. Each row is
/// forecast from the rows before it by the method of bptt forecast, fitted to the run's rows before its test. p is the
/// probability of an error at least so large, on either side, by the errors on the validation rows: one less the level of
/// the narrowest interval that holds the value. Beyond the k = max(10, n/50) largest of these n errors the tail is
/// exponential: p = k/n exp(−(|e| − u)/β), u being the (1 − k/n)-quantile and β the mean by which they exceed it. The
/// surprise is −log₂ p bits. Nothing of a row, or after it, is used for its forecast. Rows of the part train were learnt
/// from: their errors are a little too small. Computing is as the run was trained.
///
/// Example: bptt score runs/text letter.txt --forget 8, or: bptt score runs/series new.csv --csv scores.csv
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of the run
    pub(super) run: PathBuf,
    /// Text files and folders of them, files of sound, or one CSV file with the columns of the run
    #[arg(required = true)]
    pub(super) file: Vec<PathBuf>,
    /// Print CSV with a line for each step: step, character or level, nats
    #[arg(long, conflicts_with = "json")]
    per_step: bool,
    /// Mix the steps first, by --seed
    #[arg(long)]
    shuffle: bool,
    /// Condition each step on the N steps before it alone
    #[arg(long, value_name = "N", value_parser = size)]
    forget: Option<usize>,
    #[command(flatten)]
    pub(super) series: SeriesFlags,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) compute: Compute,
}

/// What is for runs on series alone.
#[derive(clap::Args)]
#[command(next_help_heading = "Rows of series")]
pub(super) struct SeriesFlags {
    /// Write the scores of all rows to this file
    #[arg(long, value_name = "FILE.csv")]
    pub(super) csv: Option<PathBuf>,
    /// How many of the most improbable rows to print [default: 10]
    #[arg(long, value_name = "N", value_parser = size)]
    pub(super) top: Option<usize>,
    /// What forecasts a row [default: what bptt forecast takes]
    #[arg(long, value_name = "NAME")]
    pub(super) method: Option<String>,
    #[command(flatten)]
    pub(super) reading: ReadingFlags,
    #[command(flatten)]
    pub(super) dates: DateFlags,
}

impl SeriesFlags {
    /// Whether one of them is given.
    fn is_given(&self) -> bool {
        let read = self.reading.over(&Reading::default()) != Reading::default();
        let dated = self.dates.over(&DateOptions::default()) != DateOptions::default();
        self.csv.is_some() || self.top.is_some() || self.method.is_some() || read || dated
    }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report {
    steps: usize,
    nats: f64,
    nats_per_step: f64,
    bits_per_step: f64,
    perplexity: f64,
    unknown: usize,
    /// Nats a step.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    baselines: BTreeMap<&'static str, f64>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let run = Run::open(&arguments.run)?;
    let of_rows = matches!(run, Run::Series(_) | Run::Panel(_));
    if of_rows && (arguments.per_step || arguments.shuffle || arguments.forget.is_some()) {
        return Err(Failure(
            "--per-step, --shuffle and --forget are for runs on text and sound; --csv FILE has the scores of all rows".into(),
        ));
    }
    if !of_rows && run.uses().contains(&Use::Score) && arguments.series.is_given() {
        return Err(Failure(
            "the flags about rows of series (--csv, --top, --method, how a file is read) do not fit this run; --per-step prints a line for each step".into(),
        ));
    }
    match run {
        Run::Series(run) => score_rows::series(arguments, &run),
        Run::Panel(run) => score_rows::panel(arguments, &run),
        Run::Sound(run) => score(arguments, &run, "level"),
        Run::Text(run) => score(arguments, &run, "character"),
        other => Err(other.unfit(Use::Score).into()),
    }
}

fn score<S: SequenceSubject>(
    arguments: &Arguments,
    run: &RunOf<S>,
    class_column: &str,
) -> Result<ExitCode, Failure> {
    let (device, dtype) = (arguments.compute.device()?, DType::from(arguments.compute.dtype));
    let Trained { model, refused } = run.model((&device, dtype))?;
    warn(&refused);
    let shuffle = arguments.shuffle.then_some(arguments.compute.seed);
    let scoring = Scoring { shuffle, forget: arguments.forget };
    let score = run.score(&model, &arguments.file, &scoring)?;
    notes(&score.notes);
    if score.unknown > 0 {
        note(format_args!(
            "warning: {} {} were not in the training data; each is scored as the unknown one",
            score.unknown,
            S::STEPS
        ));
    }
    if arguments.per_step {
        let mut out = csv::Writer::from_writer(StandardOutput::new());
        out.write_record(["step", class_column, "nats"])?;
        for (t, (&class, nats)) in score.classes.iter().zip(&score.losses).enumerate() {
            let class = S::class_name(&run.data, class);
            out.write_record([(t + 1).to_string(), class, nats.to_string()])?;
        }
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let (nats, nats_per_step) = (score.nats(), score.nats_per_step());
    let baseline = score.baseline;
    let report = Report {
        steps: score.losses.len(),
        nats,
        nats_per_step,
        bits_per_step: nats_per_step / LN_2,
        perplexity: nats_per_step.exp(),
        unknown: score.unknown,
        baselines: baseline.iter().map(|baseline| (baseline.key, baseline.nats)).collect(),
    };
    if arguments.json {
        show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
    } else {
        let row = |name: String, value: String| vec![name, value];
        let step = S::STEP;
        let mut rows = vec![
            row(S::STEPS.into(), report.steps.to_string()),
            row("log P, nats".into(), format!("{:.3}", -report.nats)),
            row(format!("nats a {step}"), format!("{nats_per_step:.4}")),
            row(format!("bits a {step}"), format!("{:.4}", report.bits_per_step)),
            row("perplexity".into(), format!("{:.3}", report.perplexity)),
        ];
        if let Some(baseline) = baseline {
            let bits = baseline.nats / LN_2;
            rows.push(row(format!("bits a {step} of {}", baseline.name), format!("{bits:.4}")));
        }
        show(format_args!("{}", table(&["", ""], &rows).trim_start()))?;
    }
    Ok(ExitCode::SUCCESS)
}
