//! `bptt score` of a run on series: how improbable each row of a file is.

use super::Failure;
use super::output::{note, page_table, show, tell, warn, writable_beside};
use super::score::Arguments;
use bptt::data::dates::DateOptions;
use bptt::data::series::Reading;
use bptt::plot::page::Table;
use bptt::report::series::figure;
use bptt::train::anomaly::{Anomalies, AnomalyOptions, Part, RowScore, ScoredRow};
use bptt::train::panel_run::PanelRun;
use bptt::train::series_run::SeriesRun;
use std::path::Path;
use std::process::ExitCode;

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Report<'a> {
    run: &'a Path,
    method: &'a str,
    name: &'a str,
    /// Rows of the file, times its columns.
    values: usize,
    scored: usize,
    /// Rows before the first that has a score.
    needs: usize,
    below_0_05: usize,
    below_0_001: usize,
    /// The most improbable ones.
    rows: Vec<Row<'a>>,
}

#[derive(serde::Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    of: Named<'a>,
    row: usize,
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<&'a str>,
    part: Part,
    value: f64,
    forecast: f64,
    error: f64,
    p: f64,
    bits: f64,
}

/// What a row is of.
#[derive(serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Named<'a> {
    Column(&'a str),
    Id(&'a str),
}

pub fn series(arguments: &Arguments, run: &SeriesRun) -> Result<ExitCode, Failure> {
    let (subject, file) = (&run.config.subject, file(arguments)?);
    writable(arguments, file, subject.file.as_deref())?;
    let options = options(arguments, &subject.reading, &subject.dates);
    print(arguments, &run.anomalies(file, &options)?)
}

pub fn panel(arguments: &Arguments, run: &PanelRun) -> Result<ExitCode, Failure> {
    let (subject, file) = (&run.config.subject, file(arguments)?);
    writable(arguments, file, Some(&subject.file))?;
    let options = options(arguments, &subject.reading, &subject.dates);
    print(arguments, &run.anomalies(file, &options)?)
}

fn file(arguments: &Arguments) -> Result<&Path, Failure> {
    match arguments.file.as_slice() {
        [file] => Ok(file),
        files => Err(Failure(format!(
            "{} files: a run on series scores the rows of one file at a time",
            files.len()
        ))),
    }
}

/// Sees before the work that the file of `--csv` can be written, and sets the threads.
fn writable(arguments: &Arguments, file: &Path, learnt: Option<&Path>) -> Result<(), Failure> {
    arguments.compute.device()?;
    let read: Vec<&Path> = [file].into_iter().chain(learnt).collect();
    match &arguments.series.csv {
        Some(csv) => writable_beside("--csv", csv, &read),
        None => Ok(()),
    }
}

fn options(arguments: &Arguments, reading: &Reading, dates: &DateOptions) -> AnomalyOptions {
    AnomalyOptions {
        method: arguments.series.method.clone(),
        reading: Some(arguments.series.reading.over(reading)),
        dates: Some(arguments.series.dates.over(dates)),
    }
}

fn print(arguments: &Arguments, anomalies: &Anomalies) -> Result<ExitCode, Failure> {
    tell(&anomalies.notes, false);
    warn(&anomalies.warnings);
    if anomalies.known_errors < 20 {
        note(format_args!(
            "warning: the scores compare with {} errors of validation rows only, and are rough",
            anomalies.known_errors
        ));
    }
    let csv = &arguments.series.csv;
    if let Some(file) = csv {
        bptt::files::write(file, &lines(anomalies)?)?;
    }
    let most = anomalies.most_improbable(arguments.series.top.unwrap_or(10));
    if arguments.json {
        let rows = most.iter().map(|(row, score)| shown(anomalies, row, *score)).collect();
        let report = Report {
            run: &arguments.run,
            method: &anomalies.key,
            name: &anomalies.method,
            values: anomalies.rows.len(),
            scored: anomalies.scored().count(),
            needs: anomalies.needs,
            below_0_05: anomalies.count_below(0.05),
            below_0_001: anomalies.count_below(0.001),
            rows,
        };
        show(format_args!("{}\n", serde_json::to_string(&report).expect("plain data")))?;
    } else {
        show(format_args!("{}\n{}", page_table(&table(anomalies, &most)), summary(anomalies)))?;
    }
    if let Some(file) = csv {
        note(format_args!("wrote {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown<'a>(anomalies: &'a Anomalies, row: &'a ScoredRow, score: RowScore) -> Row<'a> {
    let name = &anomalies.names[row.name];
    let value = row.value.expect("a row with a score has one");
    Row {
        of: if anomalies.named == "id" { Named::Id(name) } else { Named::Column(name) },
        row: row.row,
        line: row.line,
        date: row.date.as_deref(),
        part: row.part,
        value,
        forecast: score.forecast,
        error: value - score.forecast,
        p: score.probability(),
        bits: score.bits(),
    }
}

/// The most improbable rows.
fn table(anomalies: &Anomalies, rows: &[(&ScoredRow, RowScore)]) -> Table {
    let dated = rows.iter().any(|(row, _)| row.date.is_some());
    let named = anomalies.names.len() > 1;
    // In wide rows a line is a series.
    let numbered = anomalies.named == "id";
    let header = [
        Some("line"),
        numbered.then_some("row"),
        dated.then_some("date"),
        named.then_some(anomalies.named),
    ];
    let header = header.into_iter().flatten();
    let header = header.chain(["part", "value", "forecast", "error", "p", "bits"]);
    let cells = |(row, score): &(&ScoredRow, RowScore)| {
        let value = row.value.unwrap_or(f64::NAN);
        let line = row.line.map_or_else(|| "-".into(), |line| line.to_string());
        let number = numbered.then(|| row.row.to_string());
        let date = dated.then(|| row.date.clone().unwrap_or_default());
        let name = named.then(|| anomalies.names[row.name].clone());
        let signed = |value: f64| {
            let sign = if value < 0.0 { "−" } else { "" };
            format!("{sign}{}", figure(value.abs()))
        };
        let score = [
            row.part.to_string(),
            signed(value),
            signed(score.forecast),
            signed(value - score.forecast),
            format!("{:.1e}", score.probability()),
            format!("{:.1}", score.bits()),
        ];
        std::iter::once(line).chain(number).chain(date).chain(name).chain(score).collect()
    };
    Table {
        caption: "The most improbable rows".into(),
        header: header.map(String::from).collect(),
        rows: rows.iter().map(cells).collect(),
    }
}

/// How many rows have a score, and how many of them are improbable.
fn summary(anomalies: &Anomalies) -> String {
    let scored = anomalies.scored().count();
    let count = |p: f64| {
        let found = anomalies.count_below(p);
        format!("{found} with p < {p} ({:.1} expected)", p * scored as f64)
    };
    let mut text = format!(
        "{scored} values scored by {}, each from the rows before it: {}, {}\n",
        anomalies.method,
        count(0.05),
        count(0.001)
    );
    let missing = anomalies.rows.iter().filter(|row| row.value.is_none()).count();
    let without = anomalies.rows.len() - scored - missing;
    if without > 0 {
        let needs = anomalies.needs;
        text += &format!("{without} have no score: a forecast takes {needs} rows before it\n");
    }
    if missing > 0 {
        text += &format!("{missing} are missing in the file, and have none either\n");
    }
    let learnt = anomalies.scored().filter(|(row, _)| row.part == Part::Train).count();
    if learnt > 0 {
        text += &format!("{learnt} were learnt from: their errors are a little too small\n");
    }
    text
}

/// The scores of all rows as CSV.
fn lines(anomalies: &Anomalies) -> Result<Vec<u8>, Failure> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let dated = anomalies.rows.iter().any(|row| row.date.is_some());
    let header = ["line", "row"].into_iter().chain(dated.then_some("date"));
    let header = header.chain([anomalies.named, "part", "value", "forecast", "error", "p", "bits"]);
    csv.write_record(header)?;
    for row in &anomalies.rows {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let mut record =
            vec![row.line.map_or_else(String::new, |line| line.to_string()), row.row.to_string()];
        record.extend(dated.then(|| row.date.clone().unwrap_or_default()));
        record.extend([anomalies.names[row.name].clone(), row.part.to_string()]);
        let score = row.score;
        let error = row.value.zip(score).map(|(value, score)| value - score.forecast);
        record.extend([
            number(row.value),
            number(score.map(|score| score.forecast)),
            number(error),
            number(score.map(|score| score.probability())),
            number(score.map(|score| score.bits())),
        ]);
        csv.write_record(record)?;
    }
    csv.into_inner().map_err(|error| Failure(error.to_string()))
}
