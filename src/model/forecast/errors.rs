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
    let order = |errors: &MethodErrors| (!rmse(errors).is_finite(), rmse(errors));
    let best = errors.iter().min_by(|a, b| {
        let ((a, x), (b, y)) = (order(a), order(b));
        a.cmp(&b).then(x.total_cmp(&y))
    });
    let best = best.expect("there are some");
    let trained = &errors[0];
    let last = errors.iter().find(|errors| errors.forecast == "last_value");
    let last = last.expect("every run has it");
    let less = |than: &MethodErrors| 100.0 * (1.0 - rmse(best) / rmse(than));
    if !rmse(best).is_finite() {
        return format!("no method is best for {column}: the error of none of them is a number");
    }
    if rmse(last) == 0.0 {
        return format!("nothing beats the last value, which forecasts {column} without an error");
    }
    if rmse(best) == rmse(last) {
        return format!(
            "nothing beats the last value: the past of {column} does not tell where it goes, as with most prices"
        );
    }
    let saved = match rmse(last).is_finite() {
        true => format!("its RMSE is {:.1} % below that of the last value", less(last)),
        false => "the last value has no error that is a number".into(),
    };
    if best.forecast == trained.forecast {
        return format!("{} is best for {column}: {saved}", best.name);
    }
    let method = best.forecast.replace('_', "-");
    let beaten = match rmse(trained).is_finite() {
        true => format!("by {:.1} % of its RMSE", less(trained)),
        false => "whose error is no number".into(),
    };
    let (better, trained) = (&best.name, &trained.name);
    format!(
        "{better} beats {trained} for {column} {beaten}: take it with --method {method}; {saved}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errors: [f64; 3]) -> String {
        let of = |(forecast, root_mean_squared): (&'static str, f64)| MethodErrors {
            forecast,
            name: forecast.to_uppercase(),
            accuracy: Accuracy {
                mean_absolute: 1.0,
                root_mean_squared,
                symmetric_percentage: 1.0,
                scaled: None,
            },
            root_mean_squared_by_step: Vec::new(),
        };
        let methods = ["network", "ar", "last_value"].into_iter().zip(errors);
        verdict("x", &methods.map(of).collect::<Vec<_>>())
    }

    #[test]
    fn no_verdict_is_about_what_is_no_number() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let percent = said([1.0, 3.0, 2.0]);
        assert_eq!(
            percent,
            "NETWORK is best for x: its RMSE is 50.0 % below that of the last value"
        );
        assert!(said([3.0, 1.0, 4.0]).starts_with("AR beats NETWORK for x by 66.7 % of its RMSE"));
        assert!(said([3.0, 4.0, 1.0]).starts_with("nothing beats the last value: the past"));
        // A series that stands still.
        assert!(said([0.0, 0.0, 0.0]).ends_with("forecasts x without an error"));
        assert!(said([1.0, 0.0, 0.0]).ends_with("forecasts x without an error"));
        for none in [nan, -nan, inf] {
            assert!(said([none; 3]).starts_with("no method is best"));
            let beaten = said([none, 1.0, 2.0]);
            assert!(
                beaten.starts_with("AR beats NETWORK for x whose error is no number"),
                "{beaten}"
            );
            assert!(
                said([1.0, 2.0, none]).starts_with("NETWORK is best for x: the last value has no")
            );
            for errors in [[none, 1.0, 2.0], [none, none, 2.0], [1.0, none, none], [0.0, none, 0.0]]
            {
                let said = said(errors);
                assert!(!said.contains("NaN") && !said.contains("inf"), "{errors:?}: {said}");
            }
        }
    }
}
