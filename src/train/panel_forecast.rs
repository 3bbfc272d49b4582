//! What a run on many series forecasts, and how far off it was on the rows that test.

use super::panel::Taught;
use super::panel_holidays::{Plain, ends_before};
use super::panel_input::{known_rows, taught};
use super::panel_run::{PanelRun, PanelRunError};
use super::series::NetworkSize;
use crate::data::accuracy::scale;
use crate::data::competition::{Measures, Tested, naive2, scaled_interval_score};
use crate::data::dates::DateOptions;
use crate::data::scaled_window::Link;
use crate::data::series::panel::Panel;
use crate::data::series::{Note, Reading, SeriesOptions};
use crate::model::forecast::{Importance, InputImportance};
use crate::model::panel::{Conformal, Geometry, LEVELS, PanelForecaster, Past, QuantileForecast};
use crate::names::names;
use std::path::{Path, PathBuf};

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
    /// What was best on the rows that validate: `bptt forecast` takes it.
    pub method: PanelMethod,
    /// Its intervals on the rows that test.
    pub intervals: Vec<IntervalMeasures>,
    /// How the intervals are widened.
    pub conformal: Conformal,
    /// The forecasts of the rows that test, and these rows.
    pub forecasts: Vec<(QuantileForecast, Vec<f64>)>,
    /// What the networks listen to, on windows that validate.
    pub importance: Importance,
    /// Why better checkpoints could not be read, a line each.
    pub warnings: Vec<String>,
}

/// How far off a method was, over all series.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MethodMeasures {
    /// As `--method` and JSON call it.
    pub forecast: String,
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

/// What forecasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelMethod {
    /// The networks.
    Network,
    /// The value a season ago.
    SeasonAgo,
    /// The last value less its season, with the season put back.
    Naive2,
    /// The last value.
    LastValue,
}

names! {
    PanelMethod, "a method",
    Network = "network", SeasonAgo = "season-ago", Naive2 = "naive2", LastValue = "last-value",
}

impl PanelMethod {
    /// All of them, where a season has so many rows.
    fn all(season: usize) -> &'static [Self] {
        match season {
            1 => &[Self::Network, Self::LastValue],
            _ => &[Self::Network, Self::SeasonAgo, Self::Naive2, Self::LastValue],
        }
    }

    /// The method of that name, if one is asked for.
    pub(super) fn asked(name: Option<&str>) -> Result<Option<Self>, PanelRunError> {
        let asked = name.map(str::parse::<Self>).transpose();
        asked.map_err(|error| PanelRunError::Method { error })
    }

    /// Its forecasts after the known rows of each series; the networks are `forecaster`.
    fn ahead(self, forecaster: &PanelForecaster, known: &[Past<'_>]) -> Vec<QuantileForecast> {
        let Geometry { season, horizon, .. } = forecaster.geometry;
        let naive = |past: &Past<'_>| {
            let rows = past.rows;
            let point = match self {
                Self::SeasonAgo => {
                    let last = &rows[rows.len() - season.min(rows.len())..];
                    last.iter().copied().cycle().take(horizon).collect()
                }
                Self::Naive2 => naive2(rows, season, horizon),
                _ => vec![rows[rows.len() - 1]; horizon],
            };
            QuantileForecast::around(&point, scale(rows, season), season)
        };
        match self {
            Self::Network => forecaster.ahead(known),
            _ => known.iter().map(naive).collect(),
        }
    }

    /// How its intervals are widened, by the rows that validate.
    fn conformal(self, forecasts: &[QuantileForecast], actual: &[&[f64]]) -> Conformal {
        let least = if self == Self::Network { 1.0 } else { 0.0 };
        Conformal::fit(forecasts, actual, least)
    }
}

/// The measures of the methods, whose forecasts these are.
fn measure(
    tested: &[Tested<'_>],
    methods: &[(PanelMethod, String, Vec<QuantileForecast>)],
    season: usize,
) -> Vec<MethodMeasures> {
    let of = |forecasts: &[QuantileForecast]| {
        let medians: Vec<Vec<f64>> = forecasts.iter().map(QuantileForecast::median).collect();
        Measures::of(tested, &medians, season).expect("a forecast for each row")
    };
    let measures: Vec<Measures> = methods.iter().map(|(_, _, forecasts)| of(forecasts)).collect();
    let benchmark = if season > 1 { PanelMethod::Naive2 } else { PanelMethod::LastValue };
    let benchmark = methods.iter().position(|(method, _, _)| *method == benchmark);
    let benchmark = measures[benchmark.expect("it is among all")];
    let with_names = methods.iter().zip(measures);
    with_names
        .map(|((method, name, _), measures)| MethodMeasures {
            forecast: method.to_string(),
            name: name.clone(),
            measures,
            overall: measures.overall(&benchmark),
        })
        .collect()
}

/// The rows to train on, and those after them that validate.
fn validating<'a>(parts: &[Taught<'a>], horizon: usize) -> (Vec<Past<'a>>, Vec<&'a [f64]>) {
    let rows = |part: &Taught<'a>| {
        let (rows, after) = part.values.split_at(part.known);
        (Past { rows, categories: part.categories }, &after[..horizon])
    };
    parts.iter().map(rows).unzip()
}

/// The place of the method with the smallest OWA; the first of equal ones, and any number before what is none.
fn best(methods: &[MethodMeasures]) -> usize {
    let key = |method: &MethodMeasures| (!method.overall.is_finite(), method.overall);
    let places = methods.iter().enumerate().min_by(|(_, a), (_, b)| {
        let ((a, x), (b, y)) = (key(a), key(b));
        a.cmp(&b).then(x.total_cmp(&y))
    });
    places.map_or(0, |(place, _)| place)
}

/// What the networks listen to in the windows before some of the rows that validate, spread over the series.
fn importance(forecaster: &PanelForecaster, known: &[Past<'_>]) -> Importance {
    const WINDOWS: usize = 32;
    let count = known.len().min(WINDOWS);
    let some: Vec<Past<'_>> = (0..count).map(|i| known[i * known.len() / count]).collect();
    let lags = forecaster.importance(&some);
    let past = InputImportance { input: "its own past".into(), size: lags.iter().sum(), lags };
    Importance { column: "each series".into(), inputs: vec![past] }
}

/// Each series with what came.
fn with_actual<'a>(known: &[Past<'a>], actual: &[&'a [f64]]) -> Vec<Tested<'a>> {
    known.iter().zip(actual).map(|(past, &actual)| Tested { known: past.rows, actual }).collect()
}

/// A series, and how many of its rows are known.
pub(super) type Place = (usize, usize);

/// The series, and as the networks see them.
pub(super) type Seen<'a> = (&'a Panel, &'a Plain<'a>);

/// Where the rows to train on end.
fn places(parts: &[Taught<'_>]) -> Vec<Place> {
    parts.iter().map(|part| (part.number, part.known)).collect()
}

impl PanelRun {
    /// What tables call a method.
    pub(super) fn name(&self, method: PanelMethod) -> String {
        let subject = &self.config.subject;
        match method {
            PanelMethod::Network => {
                let NetworkSize { hidden, layers } = subject.network;
                let cell = &self.config.cell;
                format!("{} × {cell}, {layers} × {hidden} units", subject.ensemble)
            }
            PanelMethod::SeasonAgo => format!("value {} rows ago", subject.season),
            PanelMethod::Naive2 => "Naive 2".into(),
            PanelMethod::LastValue => "last value".into(),
        }
    }

    /// The method that was asked for, or the best one on the rows that validate, and its forecasts of these.
    pub(super) fn validated(
        &self,
        forecaster: &PanelForecaster,
        (parts, seen): (&[Taught<'_>], Seen<'_>),
        asked: Option<PanelMethod>,
    ) -> Result<(PanelMethod, Vec<QuantileForecast>), PanelRunError> {
        let subject = &self.config.subject;
        let (known, actual) = validating(parts, subject.horizon);
        let methods = PanelMethod::all(subject.season);
        let ahead = |method| self.ahead(method, forecaster, seen, &places(parts));
        match asked {
            Some(method) if methods.contains(&method) => Ok((method, ahead(method))),
            Some(method) => Err(PanelRunError::NoSeason { method }),
            None => {
                let all = methods.iter().map(|&method| (method, String::new(), ahead(method)));
                let mut all: Vec<_> = all.collect();
                let measures = measure(&with_actual(&known, &actual), &all, subject.season);
                let (method, _, forecasts) = all.swap_remove(best(&measures));
                Ok((method, forecasts))
            }
        }
    }

    /// As [`validated`](Self::validated), and how the intervals of the method are widened.
    pub(super) fn with_intervals(
        &self,
        forecaster: &PanelForecaster,
        known: (&[Taught<'_>], Seen<'_>),
        asked: Option<PanelMethod>,
    ) -> Result<(PanelMethod, Conformal), PanelRunError> {
        let (method, forecasts) = self.validated(forecaster, known, asked)?;
        let (_, actual) = validating(known.0, self.config.subject.horizon);
        Ok((method, method.conformal(&forecasts, &actual)))
    }

    /// The series of another file in the layout of this run's.
    pub(super) fn others(
        &self,
        file: &Path,
        options: &PanelForecastOptions,
    ) -> Result<Panel, PanelRunError> {
        let subject = &self.config.subject;
        let columns = SeriesOptions {
            reading: options.reading.clone().unwrap_or(subject.reading.clone()),
            dates: options.dates.clone().unwrap_or(subject.dates.clone()),
            usual_decimal: self.data.decimal,
            categorical: self.data.categories.iter().map(|c| c.column.clone()).collect(),
            ..subject.columns()
        };
        let mut panel = Panel::read(file, &subject.layout(), &columns)?;
        let lines = panel.code(&self.data.categories).map_err(|column| {
            let file = file.display().to_string();
            PanelRunError::Label { file, column }
        })?;
        panel.notes.extend(lines.into_iter().map(Note::Doubtful));
        Ok(panel)
    }

    /// Sees that the values of a file are such as the method can read.
    pub(super) fn check_values(
        &self,
        panel: &Panel,
        method: PanelMethod,
        file: &Path,
    ) -> Result<(), PanelRunError> {
        if self.data.link != Link::Logarithm || method != PanelMethod::Network {
            return Ok(());
        }
        let bad = panel.values.iter().position(|values| values.iter().any(|&x| x <= 0.0));
        match bad {
            Some(place) => {
                let (file, id) = (file.display().to_string(), panel.ids[place].clone());
                Err(PanelRunError::NotPositive { file, id })
            }
            None => Ok(()),
        }
    }

    /// The series as the networks read them, without what holidays do, and the rows that test if they have a file of their own.
    ///
    /// # Errors
    /// As [`PanelRun::panels`].
    pub fn plain_panels(&self) -> Result<(Panel, Option<Panel>), PanelRunError> {
        let (panel, test) = self.panels()?;
        let known = known_rows(&panel, self.config.subject.horizon, test.is_some());
        let plain = self.data.plain(&panel, &known, self.config.subject.season);
        Ok((plain.panel.into_owned(), test))
    }

    /// The forecasts of a method after the rows that are known. The networks read the series without what holidays do.
    pub(super) fn ahead(
        &self,
        method: PanelMethod,
        forecaster: &PanelForecaster,
        (panel, plain): Seen<'_>,
        places: &[Place],
    ) -> Vec<QuantileForecast> {
        let is_network = method == PanelMethod::Network;
        let read = if is_network { plain.panel.as_ref() } else { panel };
        let past = |&(series, rows): &Place| Past {
            rows: &read.values[series][..rows],
            categories: &panel.inputs[series],
        };
        let known: Vec<Past<'_>> = places.iter().map(past).collect();
        let mut forecasts = method.ahead(forecaster, &known);
        let holidays = self.data.holidays.as_ref().filter(|_| is_network);
        for (forecast, &(series, rows)) in forecasts.iter_mut().zip(places) {
            plain.put_back(holidays, (panel, series, rows), forecast);
        }
        forecasts
    }

    /// Forecasts the rows that validate and those that test, and measures both.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn backtest(self) -> Result<PanelBacktest, PanelRunError> {
        let panels = self.panels()?;
        self.backtest_of(panels)
    }

    /// As [`PanelRun::backtest`], with [`panels`](Self::panels) that are in memory already.
    ///
    /// # Errors
    /// If the networks cannot be read.
    pub fn backtest_of(
        self,
        (panel, test): (Panel, Option<Panel>),
    ) -> Result<PanelBacktest, PanelRunError> {
        let mut warnings = Vec::new();
        let forecaster = self.forecaster(&mut warnings)?;
        let subject = &self.config.subject;
        let (horizon, season) = (subject.horizon, subject.season);
        let parts = taught(&panel, horizon, test.is_some());
        let plain = self.data.plain(&panel, &known_rows(&panel, horizon, test.is_some()), season);
        let tested: Vec<usize> = parts.iter().map(|part| part.number).collect();
        let forecast = |places: &[Place]| -> Vec<(PanelMethod, String, Vec<QuantileForecast>)> {
            let of = |&method: &PanelMethod| {
                let ahead = self.ahead(method, &forecaster, (&panel, &plain), places);
                (method, self.name(method), ahead)
            };
            PanelMethod::all(season).iter().map(of).collect()
        };
        let (known, actual) = validating(&parts, horizon);
        let methods = forecast(&places(&parts));
        let valid = measure(&with_actual(&known, &actual), &methods, season);
        let place = best(&valid);
        let method = methods[place].0;
        let conformal = method.conformal(&methods[place].2, &actual);
        let read = plain.panel.as_ref();
        let windows = parts.iter().map(|part| Past {
            rows: &read.values[part.number][..part.known],
            categories: part.categories,
        });
        let importance = importance(&forecaster, &windows.collect::<Vec<_>>());

        // What came of each series, and the rows before that.
        let divided = |part: &Taught<'_>| match &test {
            Some(test) => (part.values.len(), test.values[part.number].as_slice()),
            None => (
                part.values.len() - horizon,
                &panel.values[part.number][part.values.len() - horizon..],
            ),
        };
        let before = |part: &Taught<'_>| {
            let (known, actual) = divided(part);
            let rows = &panel.values[part.number][..known];
            (Past { rows, categories: &panel.inputs[part.number] }, actual)
        };
        let (known, actual): (Vec<Past<'_>>, Vec<&[f64]>) = parts.iter().map(before).unzip();
        let test_tested = with_actual(&known, &actual);
        let ends = parts.iter().zip(&known);
        let ends: Vec<Place> = ends.map(|(part, past)| (part.number, past.rows.len())).collect();
        let mut methods = forecast(&ends);
        let test_measures = measure(&test_tested, &methods, season);
        let forecasts = methods.swap_remove(place).2;
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
            method,
            intervals,
            conformal,
            forecasts,
            importance,
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
        let parts = taught(&panel, horizon, test.is_some());
        let rows = known_rows(&panel, horizon, test.is_some());
        let plain = self.data.plain(&panel, &rows, subject.season);
        let known = (parts.as_slice(), (&panel, &plain));
        let (method, conformal) = self.with_intervals(&forecaster, known, options.method)?;
        drop((parts, plain));
        let is_own = options.from.is_none();
        let panel = match &options.from {
            None => panel,
            Some(file) => {
                let others = self.others(file, options)?;
                self.check_values(&others, method, file)?;
                others
            }
        };
        // What was learnt of the run's own series holds; of another one all is known.
        let all: Vec<usize> = panel.values.iter().map(Vec::len).collect();
        let plain = self.data.plain(&panel, if is_own { &rows } else { &all }, subject.season);
        let ends: Vec<Place> = all.iter().copied().enumerate().collect();
        let forecasts = self.ahead(method, &forecaster, (&panel, &plain), &ends);
        if let Some(holidays) = &self.data.holidays {
            warnings.extend(ends_before(holidays, &panel, steps));
        }
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
        Ok(PanelForecast { method, series, panel, warnings })
    }
}

/// What to forecast.
#[derive(Clone, Debug, Default)]
pub struct PanelForecastOptions {
    /// Rows; none: the run's horizon.
    pub steps: Option<usize>,
    /// What forecasts; none: what was best on the rows that validate.
    pub method: Option<PanelMethod>,
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
    /// What forecasts.
    pub method: PanelMethod,
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
