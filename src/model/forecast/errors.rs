//! How far off the forecasts of several methods were, side by side.

use super::{Backtest, Method};
use crate::data::accuracy::{Accuracy, scale};
use crate::data::naive::NaiveError;
use crate::data::series::Series;

/// A method and its backtest.
pub struct TestedMethod {
    /// As JSON and `--method` call it.
    pub key: &'static str,
    /// The method.
    pub method: Method<'static>,
    /// Its forecasts of rows that it was not fitted to.
    pub test: Backtest,
}

impl TestedMethod {
    /// The mean of squares of its errors, in its own scale.
    pub fn loss(&self) -> f64 {
        let residuals = &self.test.residuals;
        residuals.iter().map(|residual| residual * residual).sum::<f64>() / residuals.len() as f64
    }
}

/// The errors of one column.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ColumnErrors {
    /// The column.
    pub column: String,
    /// A method each, in their order.
    pub errors: Vec<MethodErrors>,
    /// Which method is best, in a sentence.
    pub verdict: String,
}

/// The errors of a method in a column, in the column's units, over all origins of the backtest.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MethodErrors {
    /// The method's key.
    pub forecast: &'static str,
    /// Its name.
    pub name: String,
    /// The errors over all steps ahead.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// The root mean squared error one step ahead, two, …
    pub root_mean_squared_by_step: Vec<f64>,
}

/// The errors of all columns. The rows before `split` give the scale of the MASE, with a season of so many rows.
///
/// # Errors
/// If there is no forecast.
pub fn column_errors(
    methods: &[TestedMethod],
    series: &Series,
    split: usize,
    season: usize,
) -> Result<Vec<ColumnErrors>, NaiveError> {
    let mut columns = Vec::new();
    for (c, column) in series.names.iter().enumerate() {
        let scale = scale(&series.values[c][..split], season);
        let mut errors = Vec::new();
        for TestedMethod { key, method, test } in methods {
            let at = |steps| test.accuracy(series, c, steps, scale);
            let by_step = (0..test.horizon).map(|step| Ok(at(step..step + 1)?.root_mean_squared));
            errors.push(MethodErrors {
                forecast: key,
                name: method.name.clone(),
                accuracy: at(0..test.horizon)?,
                root_mean_squared_by_step: by_step.collect::<Result<_, NaiveError>>()?,
            });
        }
        columns.push(ColumnErrors {
            column: column.clone(),
            verdict: verdict(column, &errors),
            errors,
        });
    }
    Ok(columns)
}

/// Which method is best for a column. The first one is the one that was trained.
fn verdict(column: &str, errors: &[MethodErrors]) -> String {
    let rmse = |errors: &MethodErrors| errors.accuracy.root_mean_squared;
    let best = errors.iter().min_by(|a, b| rmse(a).total_cmp(&rmse(b))).expect("there are some");
    let last = errors.iter().find(|errors| errors.forecast == "last_value");
    let last = last.expect("every run has it");
    let less = |than: &MethodErrors| 100.0 * (1.0 - rmse(best) / rmse(than));
    if best.forecast == last.forecast {
        return format!(
            "nothing beats the last value: the past of {column} does not tell where it goes, as with most prices"
        );
    }
    let saved = format!("its RMSE is {:.1} % below that of the last value", less(last));
    if best.forecast == errors[0].forecast {
        return format!("{} is best for {column}: {saved}", best.name);
    }
    format!(
        "{} beats {} for {column} by {:.1} % of its RMSE: take it with --method {}; {saved}",
        best.name,
        errors[0].name,
        less(&errors[0]),
        best.forecast.replace('_', "-")
    )
}
