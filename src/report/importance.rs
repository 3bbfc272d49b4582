//! The part of a page that says what a forecast listens to: which inputs, and which of their past rows.

use super::ReportError;
use super::series::figure;
use crate::model::forecast::Importance;
use crate::plot::importance::ImportanceMap;
use crate::plot::page::{Section, Table};
use std::path::{Path, PathBuf};

/// The most inputs that are shown.
const SHOWN: usize = 12;

/// The inputs that count, the most important first.
fn sorted(importance: &Importance) -> Vec<usize> {
    let size = |input: usize| importance.inputs[input].size;
    let mut inputs: Vec<usize> =
        (0..importance.inputs.len()).filter(|&input| size(input) > 0.0).collect();
    inputs.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    inputs.truncate(SHOWN);
    inputs
}

/// The inputs with their sizes, their shares and the lags that count most. None where nothing counts: then the forecast is
/// the same whatever was before.
pub fn table(importance: &Importance) -> Option<Table> {
    /// Lags of an input.
    const LAGS: usize = 5;
    let row = |&input: &usize| {
        let strongest = importance.strongest(input, LAGS);
        let lags = strongest.iter().filter(|(_, share)| *share >= 0.005);
        let lags: Vec<String> =
            lags.map(|(lag, share)| format!("{lag} ({:.0} %)", 100.0 * share)).collect();
        vec![
            importance.inputs[input].input.clone(),
            figure(importance.inputs[input].size),
            format!("{:.0} %", 100.0 * importance.share(input)),
            lags.join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = sorted(importance).iter().map(row).collect();
    let header = vec![
        format!("{} listens to", importance.column),
        "size".into(),
        "share".into(),
        "most at lags".into(),
    ];
    (!rows.is_empty()).then(|| Table { caption: String::new(), header, rows })
}

/// The section of a column, with what it is in words, and its picture as files `<stem>.png` and `<stem>.svg` in the folder.
pub(super) fn section(
    importance: &Importance,
    words: &str,
    (folder, stem): (&Path, String),
) -> Result<Option<(Section, [PathBuf; 2])>, ReportError> {
    let Some(table) = table(importance) else { return Ok(None) };
    let inputs = sorted(importance).into_iter().map(|input| {
        let input = &importance.inputs[input];
        (input.input.clone(), input.lags.clone())
    });
    let column = &importance.column;
    let map = ImportanceMap {
        inputs: inputs.collect(),
        title: format!("What the forecast of {column} listens to"),
        subtitle: "mean size of the derivative by each input and lag, times the input's standard deviation".into(),
    };
    let files = map.save(&folder.join(stem))?;
    let svg = std::fs::read_to_string(&files[1])?;
    let description = format!("The importance of each input and lag for the forecast of {column}");
    let caption =
        "Sizes are summed over lags; shares are of all inputs, and of all lags of an input";
    let section = Section {
        heading: format!("What the forecast of {column} listens to"),
        text: vec![words.into()],
        picture: Some((svg, description)),
        tables: vec![Table { caption: caption.into(), ..table }],
        ..Section::default()
    };
    Ok(Some((section, files)))
}
