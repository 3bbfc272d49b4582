//! What a run on many series forecasts, and how far off it was on the rows that test.

use super::panel::Taught;
use super::panel_input::taught;
use super::panel_run::{PanelRun, PanelRunError};
use crate::data::competition::{Measures, Tested, naive2, scaled_interval_score};
use crate::data::dates::DateOptions;
use crate::data::scaled_window::Link;
use crate::data::series::panel::Panel;
use crate::data::series::{Reading, SeriesOptions};
use crate::model::panel::{Conformal, LEVELS, PanelForecaster, QuantileForecast};
use std::path::PathBuf;

/// A run with its series, and what it would have forecast before.
pub struct PanelBacktest {
    /// The run.
    pub run: PanelRun,
    /// The series.
    pub panel: Panel,
    /// Of each series that is long enough to be tested, its number.
    pub tested: Vec<usize>,
    /// The measures on the rows that validate.
    pub valid: Vec<MethodMeasures>,
    /// The measures on the rows that test; the network is the first.
    pub test: Vec<MethodMeasures>,
    /// The intervals on the rows that test.
    pub intervals: Vec<IntervalMeasures>,
    /// How the intervals are widened.
    pub conformal: Conformal,
    /// The forecasts of the rows that test, and these rows.
    pub forecasts: Vec<(QuantileForecast, Vec<f64>)>,
    /// Why better checkpoints could not be read, a line each.
    pub warnings: Vec<String>,
}

/// How far off a method was, over all series.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MethodMeasures {
    /// As JSON calls it.
    pub forecast: &'static str,
    /// Its name.
    pub name: String,
    /// sMAPE, MASE and MAE.
    #[serde(flatten)]
    pub measures: Measures,
    /// OWA against Naive 2.
    pub overall: f64,
}

/// How well the intervals of a level hold.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct IntervalMeasures {
    /// The level.
    pub level: f64,
    /// The share of rows inside.
    pub coverage: f64,
    /// MSIS.
    pub scaled_score: f64,
}

/// The measures of the network and of the naive methods.
fn measure(
    tested: &[Tested<'_>],
    network: (String, Vec<Vec<f64>>),
    season: usize,
) -> Vec<MethodMeasures> {
    let horizon = tested.first().map_or(0, |series| series.actual.len());
    let each = |of: &dyn Fn(&[f64]) -> Vec<f64>| -> Vec<Vec<f64>> {
        tested.iter().map(|series| of(series.known)).collect()
    };
    let season_ago = each(&|known| {
        let season = season.min(known.len());
        (0..horizon).map(|step| known[known.len() - season + step % season]).collect()
    });
    let last = each(&|known| vec![known[known.len() - 1]; horizon]);
    let deseasoned = each(&|known| naive2(known, season, horizon));
    let mut methods = vec![("network", network.0, network.1)];
    if season > 1 {
        methods.push(("season_ago", format!("value {season} rows ago"), season_ago));
        methods.push(("naive2", "Naive 2".into(), deseasoned));
    }
    methods.push(("last_value", "last value".into(), last));
    let measures: Vec<Measures> = methods
        .iter()
        .map(|(_, _, forecasts)| {
            Measures::of(tested, forecasts, season).expect("a forecast for each row")
        })
        .collect();
    let key = if season > 1 { "naive2" } else { "last_value" };
    let benchmark = methods.iter().position(|method| method.0 == key).expect("it is there");
    let benchmark = measures[benchmark];
    let with_names = methods.into_iter().zip(measures);
    with_names
        .map(|((forecast, name, _), measures)| MethodMeasures {
            forecast,
            name,
            measures,
            overall: measures.overall(&benchmark),
        })
        .collect()
}

/// The rows to train on, and those after them that validate.
fn validating<'a>(parts: &[Taught<'a>], horizon: usize) -> (Vec<&'a [f64]>, Vec<&'a [f64]>) {
    let rows = |part: &Taught<'a>| {
        let (known, after) = part.values.split_at(part.known);
        (known, &after[..horizon])
    };
    parts.iter().map(rows).unzip()
}

/// Each series with what came.
fn with_actual<'a>(known: &[&'a [f64]], actual: &[&'a [f64]]) -> Vec<Tested<'a>> {
    known.iter().zip(actual).map(|(&known, &actual)| Tested { known, actual }).collect()
}

impl PanelRun {
    /// Forecasts the rows that validate and those that test, and measures both.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn backtest(self) -> Result<PanelBacktest, PanelRunError> {
        let (panel, test) = self.panels()?;
        let mut warnings = Vec::new();
        let forecaster = self.forecaster(&mut warnings)?;
        let subject = &self.config.subject;
        let (horizon, season) = (subject.horizon, subject.season);
        let parts = taught(&panel, horizon, test.is_some());
        let tested: Vec<usize> = parts.iter().map(|part| part.number).collect();
        let (known, actual) = validating(&parts, horizon);
        let forecasts = forecaster.ahead(&known);
        let conformal = Conformal::fit(&forecasts, &actual);
        let name = format!(
            "{} × {}, {} × {} units",
            subject.ensemble, self.config.cell, subject.network.layers, subject.network.hidden
        );
        let medians = |forecasts: &[QuantileForecast]| {
            forecasts.iter().map(QuantileForecast::median).collect::<Vec<_>>()
        };
        let valid =
            measure(&with_actual(&known, &actual), (name.clone(), medians(&forecasts)), season);

        // What came of each series, and the rows before that.
        let (known, actual): (Vec<&[f64]>, Vec<&[f64]>) = match &test {
            Some(test) => tested
                .iter()
                .map(|&number| (panel.values[number].as_slice(), test.values[number].as_slice()))
                .unzip(),
            None => {
                parts.iter().map(|part| part.values.split_at(part.values.len() - horizon)).unzip()
            }
        };
        let test_tested = with_actual(&known, &actual);
        let forecasts = forecaster.ahead(&known);
        let test_measures = measure(&test_tested, (name, medians(&forecasts)), season);
        let mut intervals = Vec::new();
        for (place, level) in LEVELS.into_iter().enumerate() {
            let ends: Vec<Vec<[f64; 2]>> = forecasts
                .iter()
                .map(|forecast| {
                    let steps = forecast.quantiles.iter();
                    steps.map(|step| conformal.interval(step, place)).collect()
                })
                .collect();
            let (scaled_score, coverage) =
                scaled_interval_score(&test_tested, &ends, season, level);
            intervals.push(IntervalMeasures { level, coverage, scaled_score });
        }
        let rows: Vec<Vec<f64>> = actual.iter().map(|rows| rows.to_vec()).collect();
        let forecasts = forecasts.into_iter().zip(rows).collect();
        Ok(PanelBacktest {
            run: self,
            panel,
            tested,
            valid,
            test: test_measures,
            intervals,
            conformal,
            forecasts,
            warnings,
        })
    }

    /// Forecasts the rows to come of each series of the run, or of another file with series in the same layout, which
    /// need not have been trained on.
    ///
    /// # Errors
    /// If the run or the file cannot be read.
    pub fn forecast(&self, options: &PanelForecastOptions) -> Result<PanelForecast, PanelRunError> {
        let subject = &self.config.subject;
        let horizon = subject.horizon;
        let steps = options.steps.unwrap_or(horizon);
        if steps > horizon {
            return Err(PanelRunError::Steps { steps, horizon });
        }
        let (panel, test) = self.panels()?;
        let mut warnings = Vec::new();
        let forecaster = self.forecaster(&mut warnings)?;
        let conformal = self.conformal(&forecaster, &panel, test.is_some());
        let panel = match &options.from {
            None => panel,
            Some(file) => {
                let columns = SeriesOptions {
                    reading: options.reading.clone().unwrap_or(subject.reading.clone()),
                    dates: options.dates.clone().unwrap_or(subject.dates.clone()),
                    usual_decimal: self.data.decimal,
                    ..subject.columns()
                };
                Panel::read(file, &subject.layout(), &columns)?
            }
        };
        if self.data.link == Link::Logarithm {
            let bad = panel.values.iter().position(|values| values.iter().any(|&x| x <= 0.0));
            if let Some(place) = bad {
                let file =
                    options.from.as_ref().map_or_else(String::new, |f| f.display().to_string());
                return Err(PanelRunError::NotPositive { file, id: panel.ids[place].clone() });
            }
        }
        let known: Vec<&[f64]> = panel.values.iter().map(Vec::as_slice).collect();
        let forecasts = forecaster.ahead(&known);
        let mut series = Vec::new();
        for ((id, calendar), forecast) in panel.ids.iter().zip(&panel.calendars).zip(forecasts) {
            let dates = calendar.as_ref().and_then(|dates| {
                let following = dates.following(steps).ok()?;
                Some(following.into_iter().map(|date| dates.label(date)).collect())
            });
            let quantiles = &forecast.quantiles[..steps];
            let intervals = quantiles
                .iter()
                .map(|step| std::array::from_fn(|level| conformal.interval(step, level)));
            series.push(SeriesToCome {
                id: id.clone(),
                dates,
                median: forecast.median()[..steps].to_vec(),
                intervals: intervals.collect(),
            });
        }
        Ok(PanelForecast { series, panel, warnings })
    }

    /// How the intervals are widened, by the rows that validate.
    fn conformal(&self, forecaster: &PanelForecaster, panel: &Panel, test_file: bool) -> Conformal {
        let horizon = self.config.subject.horizon;
        let parts = taught(panel, horizon, test_file);
        let (known, actual) = validating(&parts, horizon);
        Conformal::fit(&forecaster.ahead(&known), &actual)
    }
}

/// What to forecast.
#[derive(Clone, Debug, Default)]
pub struct PanelForecastOptions {
    /// Rows; none: the run's horizon.
    pub steps: Option<usize>,
    /// A CSV file with series in the layout of the run's, after which to forecast; none: the run's own.
    pub from: Option<PathBuf>,
    /// How that file is written; none: as the run's.
    pub reading: Option<Reading>,
    /// How its dates are read; none: as the run's.
    pub dates: Option<DateOptions>,
}

/// The rows to come of many series.
#[derive(Clone, Debug)]
pub struct PanelForecast {
    /// A series each.
    pub series: Vec<SeriesToCome>,
    /// The rows before them.
    pub panel: Panel,
    /// What makes it less certain, a line each.
    pub warnings: Vec<String>,
}

/// The rows to come of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesToCome {
    /// The series.
    pub id: String,
    /// The dates of the rows, as those of the file are written; none if they do not tell.
    pub dates: Option<Vec<String>>,
    /// The forecast of each row: the median.
    pub median: Vec<f64>,
    /// The intervals of each row, in the order of [`LEVELS`].
    pub intervals: Vec<[[f64; 2]; LEVELS.len()]>,
}
