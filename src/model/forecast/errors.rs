//! How far off the forecasts of several methods were, side by side.

use super::{Backtest, Intervals};
use crate::data::accuracy::{Accuracy, IntervalAccuracy, scale};
use crate::data::naive::NaiveError;
use crate::data::series::Series;

/// A method, and what it would have forecast.
pub struct TestedMethod {
    /// As JSON and `--method` call it.
    pub key: &'static str,
    /// As tables call it.
    pub name: String,
    /// Its forecasts of the rows that validate.
    pub validation: Backtest,
    /// Its forecasts of the rows that test; none where a series is too short for such.
    pub test: Option<Backtest>,
    /// From the errors of the validation.
    pub intervals: Intervals,
}

impl TestedMethod {
    /// The forecasts that the table is about: those of the test or, without one, of the validation.
    pub fn shown(&self) -> &Backtest {
        self.test.as_ref().unwrap_or(&self.validation)
    }

    /// The mean absolute error on the rows that validate, over all columns, each in units of its scale.
    pub fn validation_error(&self, series: &Series, scales: &[f64]) -> f64 {
        let errors = scales.iter().enumerate().map(|(column, scale)| {
            let (forecasts, values) =
                self.validation.pairs(series, column, 0..self.validation.horizon);
            let errors = forecasts.iter().zip(&values).map(|(a, b)| (a - b).abs());
            errors.sum::<f64>() / values.len() as f64 / scale
        });
        errors.sum::<f64>() / scales.len() as f64
    }
}

/// The errors of one column.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ColumnErrors {
    /// The column.
    pub column: String,
    /// A method each, in their order.
    pub errors: Vec<MethodErrors>,
    /// How the first method compares with the strongest baseline, in a sentence.
    pub verdict: String,
    /// That the first method's forecasts are too low or too high most of the time, and what to try; nothing otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
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
    /// What intervals held of the test rows, a level each; empty without a test.
    pub intervals: Vec<IntervalAccuracy>,
}

/// The errors of all columns on the rows that test, or that validate where there are no such. The first method is the one
/// that is used. The rows before `split` give the scale of the MASE, with a season of so many rows.
///
/// # Errors
/// If there is no forecast.
pub fn column_errors(
    methods: &[TestedMethod],
    series: &Series,
    (split, season): (usize, usize),
    levels: &[f64],
) -> Result<Vec<ColumnErrors>, NaiveError> {
    let mut columns = Vec::new();
    for (c, column) in series.names.iter().enumerate() {
        let scale = scale(&series.values[c][..split], season);
        let mut errors = Vec::new();
        for method in methods {
            let shown = method.shown();
            let at = |steps| shown.accuracy(series, c, steps, scale);
            let by_step = (0..shown.horizon).map(|step| Ok(at(step..step + 1)?.root_mean_squared));
            let intervals = levels.iter().filter(|_| method.test.is_some());
            let intervals = intervals.map(|&level| held(method, series, c, level, scale));
            errors.push(MethodErrors {
                forecast: method.key,
                name: method.name.clone(),
                accuracy: at(0..shown.horizon)?,
                root_mean_squared_by_step: by_step.collect::<Result<_, NaiveError>>()?,
                intervals: intervals.collect::<Result<_, NaiveError>>()?,
            });
        }
        columns.push(ColumnErrors {
            column: column.clone(),
            verdict: verdict(column, &errors),
            bias: bias(column, &methods[0].intervals, c),
            errors,
        });
    }
    Ok(columns)
}

/// What the intervals of a method held of the rows that test.
fn held(
    method: &TestedMethod,
    series: &Series,
    column: usize,
    level: f64,
    scale: f64,
) -> Result<IntervalAccuracy, NaiveError> {
    let shown = method.shown();
    let (mut intervals, mut values) = (Vec::new(), Vec::new());
    for step in 0..shown.horizon {
        let (forecasts, actual) = shown.pairs(series, column, step..step + 1);
        let around = |forecast| method.intervals.around(forecast, (step, column), level);
        intervals.extend(forecasts.into_iter().map(around));
        values.extend(actual);
    }
    IntervalAccuracy::of(level, &intervals, &values, scale)
}

/// A line where far more than half of the rows that validated came on one side of their forecasts. Few of them say little.
fn bias(column: &str, intervals: &Intervals, target: usize) -> Option<String> {
    let above = intervals.above(target);
    // A share of a half and three of its standard errors.
    let most = 0.5 + (1.5 / intervals.worth(target).sqrt()).max(0.2);
    let (share, side, way) = match above {
        share if share > most => (share, "above", "low"),
        share if 1.0 - share > most => (1.0 - share, "below", "high"),
        _ => return None,
    };
    Some(format!(
        "{:.0} % of the validation rows of {column} came {side} their forecast, which is too {way}: try --difference 1, or --method with another one of the table",
        100.0 * share
    ))
}

/// How the method that is used compares with the strongest baseline of a column.
fn verdict(column: &str, errors: &[MethodErrors]) -> String {
    let rmse = |errors: &MethodErrors| errors.accuracy.root_mean_squared;
    let order = |errors: &&MethodErrors| (!rmse(errors).is_finite(), rmse(errors));
    let least = |some: &[&MethodErrors]| {
        let least = some.iter().min_by(|a, b| {
            let ((a, x), (b, y)) = (order(a), order(b));
            a.cmp(&b).then(x.total_cmp(&y))
        });
        (*least.expect("every run has one")).clone()
    };
    let is_naive = |errors: &&MethodErrors| ["last_value", "season_ago"].contains(&errors.forecast);
    /// What is not smaller than that share of a baseline's error is so by luck.
    const LUCK: f64 = 0.99;
    let used = &errors[0];
    let baseline = least(&errors.iter().filter(is_naive).collect::<Vec<_>>());
    let best = least(&errors.iter().collect::<Vec<_>>());
    let named = match baseline.forecast {
        "last_value" => "the last value".to_string(),
        _ => format!("the {}", baseline.name),
    };
    if !rmse(&best).is_finite() {
        return format!("no method is best for {column}: the error of none of them is a number");
    }
    if rmse(&baseline) == 0.0 {
        return format!("nothing beats {named}, which forecasts {column} without an error");
    }
    if rmse(&best) >= LUCK * rmse(&baseline) {
        return match baseline.forecast {
            "last_value" => format!(
                "nothing beats the last value: the past of {column} does not tell where it goes, as with most prices"
            ),
            _ => format!(
                "nothing beats {named}: beyond its season the past of {column} does not tell where it goes"
            ),
        };
    }
    let against = match (rmse(used), rmse(&baseline)) {
        (used, _) if !used.is_finite() => "has no error that is a number".to_string(),
        (_, naive) if !naive.is_finite() => {
            format!("beats {named}, which has no error that is a number")
        }
        (used, naive) if used < naive => {
            format!(
                "has an RMSE {:.1} % below that of {named}, the strongest baseline",
                100.0 * (1.0 - used / naive)
            )
        }
        (used, naive) => {
            format!("has an RMSE {:.1} % above that of {named}", 100.0 * (used / naive - 1.0))
        }
    };
    let mut text = format!("{} {against}", used.name);
    if best.forecast != used.forecast {
        let method = best.forecast.replace('_', "-");
        let by = match rmse(used).is_finite() {
            true => format!(" by {:.1} %", 100.0 * (1.0 - rmse(&best) / rmse(used))),
            false => String::new(),
        };
        text += &format!("; on these rows {} beats it{by} (--method {method})", best.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errors: [f64; 4]) -> String {
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
            intervals: Vec::new(),
        };
        let methods = ["combination", "ar", "last_value", "season_ago"].into_iter().zip(errors);
        verdict("x", &methods.map(of).collect::<Vec<_>>())
    }

    #[test]
    fn no_verdict_is_about_what_is_no_number() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        assert_eq!(
            said([1.0, 3.0, 2.0, 4.0]),
            "COMBINATION has an RMSE 50.0 % below that of the last value, the strongest baseline"
        );
        let other = said([3.0, 1.5, 8.0, 4.0]);
        assert!(other.contains("25.0 % below that of the SEASON_AGO"), "{other}");
        assert!(other.ends_with("AR beats it by 50.0 % (--method ar)"), "{other}");
        assert!(said([3.0, 4.0, 1.0, 2.0]).starts_with("nothing beats the last value: the past"));
        assert!(said([3.0, 4.0, 2.0, 1.0]).starts_with("nothing beats the SEASON_AGO: beyond"));
        let worse = said([3.0, 1.0, 2.0, 2.5]);
        assert!(worse.contains("50.0 % above that of the last value; on these"), "{worse}");
        // A series that stands still.
        assert!(said([0.0; 4]).ends_with("forecasts x without an error"));
        assert!(said([1.0, 0.0, 0.0, 1.0]).ends_with("forecasts x without an error"));
        for none in [nan, -nan, inf] {
            assert!(said([none; 4]).starts_with("no method is best"));
            let beaten = said([none, 1.0, 2.0, none]);
            assert!(
                beaten.starts_with("COMBINATION has no error that is a number; on these rows AR"),
                "{beaten}"
            );
            assert!(said([1.0, 2.0, none, none]).contains("beats the last value, which has no"));
            for errors in [
                [none, 1.0, 2.0, 3.0],
                [none, none, 2.0, none],
                [1.0, none, none, none],
                [0.0, none, 0.0, none],
            ] {
                let said = said(errors);
                assert!(!said.contains("NaN") && !said.contains("inf"), "{errors:?}: {said}");
            }
        }
    }
}
