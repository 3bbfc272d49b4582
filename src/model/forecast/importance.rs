//! How much a forecast listens to each of its inputs: the mean over forecasts and steps ahead of
//!
//! ```text
//! |∂x̂_{t+k} / ∂x_{t−i+1, j}| σ_j          i: the lag, 1 the last row    j: the input    σ_j: its standard deviation
//! ```
//! in the units of the column that is forecast: by how much a forecast moves when an input moves by its standard deviation.
//!
//! The network's derivative is that of its backward pass, written by hand, from each output at the last step of the window to
//! the inputs of every step, and the coefficients of the linear path beside it. AR, smoothing and the naive forecasts are
//! affine in the values, or in their logarithms: what they make of a unit at a lag is the coefficient, and so is ARIMA, whose
//! errors are recursions over all rows before. Differences and logarithms go through by the chain rule, so that every method
//! is told of the same values. The median of several is at each step the mean of those between which it lies, each
//! with a fixed share: its derivative is the mean of theirs.

use super::{
    EnsembleForecaster, FittedCombination, FittedMember, Forecaster, NetworkForecaster,
    OutlookError, Pasts, mean,
};
use crate::data::features::{Features, Rows};
use crate::data::series::Series;
use crate::data::split::Standardisation;
use crate::data::transform::Transform;
use crate::host;
use crate::model::{Arma, Autoregression, ExponentialSmoothing, SmoothingState};
use crate::nn::StackCell;
use burn::tensor::{Tensor, TensorData};

/// How much the forecast of a column listens to its inputs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Importance {
    /// The column that is forecast.
    pub column: String,
    /// The inputs.
    pub inputs: Vec<InputImportance>,
}

/// How much it listens to one of them.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct InputImportance {
    /// The input: a column, or a calendar feature.
    pub input: String,
    /// The sum over all lags.
    pub size: f64,
    /// By lag, the last row first.
    pub lags: Vec<f64>,
}

impl Importance {
    /// The share of an input in the sum over all of them.
    pub fn share(&self, input: usize) -> f64 {
        let all: f64 = self.inputs.iter().map(|input| input.size).sum();
        if all > 0.0 { self.inputs[input].size / all } else { 0.0 }
    }

    /// The lags, counted from 1, that count most in an input, at most so many, with their shares of it.
    pub fn strongest(&self, input: usize, most: usize) -> Vec<(usize, f64)> {
        let InputImportance { size, lags, .. } = &self.inputs[input];
        let mut sorted: Vec<usize> = (0..lags.len()).filter(|&lag| lags[lag] > 0.0).collect();
        sorted.sort_by(|&a, &b| lags[b].total_cmp(&lags[a]));
        sorted.into_iter().take(most).map(|lag| (lag + 1, lags[lag] / size)).collect()
    }
}

impl FittedMember {
    /// Rows that it looks back to with a weight of its own.
    fn reach(&self) -> usize {
        match self {
            Self::Autoregression { transform, model } => transform.lost() + model.lags.len(),
            Self::Smoothing { model, .. } => model.start.season.len() + 1,
            Self::Arima { transform, model, .. } => transform.lost() + model.longest_lag().max(1),
            Self::SeasonAgo(season) => *season,
            Self::LastValue => 1,
        }
    }

    /// `∂û_{t+k} / ∂u_{t−i+1}`, `[step][lag]`, where u are the values or, if it is of logarithms, those.
    fn gradient(&self, steps: usize, lags: usize) -> Vec<f64> {
        let slopes = match self {
            Self::Autoregression { transform, model } => Self::Autoregression {
                transform: Transform { log: false, ..*transform },
                model: Autoregression { constant: 0.0, ..model.clone() },
            },
            Self::Smoothing { model, .. } => {
                let season = vec![0.0; model.start.season.len()];
                let start = SmoothingState { level: 0.0, trend: 0.0, season };
                let model = ExponentialSmoothing { start, ..model.clone() };
                Self::Smoothing { log: false, model, first: 0 }
            }
            Self::Arima { transform, model, .. } => Self::Arima {
                transform: Transform { log: false, ..*transform },
                model: Arma { mean: 0.0, ..model.clone() },
                first: 0,
            },
            naive => naive.clone(),
        };
        let mut gradient = vec![0.0; steps * lags];
        // With as many rows before those as differences lose.
        let mut past = vec![0.0; lags + self.reach() + 1];
        for lag in 0..lags {
            let place = past.len() - 1 - lag;
            past[place] = 1.0;
            for (step, slope) in slopes.ahead(&past, steps).into_iter().flatten().enumerate() {
                gradient[step * lags + lag] = slope;
            }
            past[place] = 0.0;
        }
        gradient
    }

    fn is_of_logarithms(&self) -> bool {
        match self {
            Self::Autoregression { transform, .. } => transform.log,
            Self::Smoothing { log, .. } => *log,
            Self::Arima { transform, .. } => transform.log,
            _ => false,
        }
    }
}

impl<C: StackCell> NetworkForecaster<C> {
    /// `∂ẑ/∂z` of the forecasts after some pasts: `[output][past][lag][column]`, the nearest lag first, in the scale of the rows;
    /// the outputs are `[step][target]`.
    pub fn gradient(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let (Pasts { rows, width, targets, .. }, window) = (pasts, self.window);
        let outputs = self.output.width();
        let read: Vec<f64> =
            pasts.each().flat_map(|past| &past[(rows - window) * width..]).copied().collect();
        let batch = read.len() / (window * width);
        let options = (&self.device, self.dtype);
        let x = Tensor::<3>::from_data(TensorData::new(read, [batch, window, width]), options);
        let trace = self.network.recurrent.trace(x, None);
        let mut all = vec![0.0; outputs * batch * rows * width];
        for (output, all) in all.chunks_exact_mut(batch * rows * width).enumerate() {
            let mut d_output = vec![0.0; batch * window * outputs];
            for past in 0..batch {
                d_output[(past * window + window - 1) * outputs + output] = 1.0;
            }
            let data = TensorData::new(d_output, [batch, window, outputs]);
            let d_output = Tensor::<3>::from_data(data, options);
            let d_hidden = self.network.readout.backward(trace.output(), d_output).hidden;
            let d_input = host(trace.backward(d_hidden, None).input);
            for (past, d_input) in d_input.chunks_exact(window * width).enumerate() {
                let gradient = &mut all[past * rows * width..(past + 1) * rows * width];
                for (lag, row) in d_input.chunks_exact(width).rev().enumerate() {
                    gradient[lag * width..(lag + 1) * width].copy_from_slice(row);
                }
                let (step, target) = (output / targets, output % targets);
                for (lag, slope) in self.output.slopes(step, target).iter().enumerate() {
                    gradient[lag * width + target] += slope;
                }
            }
        }
        all
    }
}

impl EnsembleForecaster {
    /// The mean of the derivatives of its networks.
    fn gradient(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let each: Vec<Vec<f64>> = self.members.iter().map(|one| one.gradient(pasts)).collect();
        mean(&each)
    }
}

/// What forecasts a column, and of what.
pub struct Listener<'a> {
    /// The series without the effects of columns that are known ahead.
    pub series: &'a Series,
    /// Its scale.
    pub features: &'a Features,
    /// The rows in that scale.
    pub rows: &'a Rows,
    /// Rows forecast at once.
    pub horizon: usize,
    /// The column.
    pub target: usize,
    /// The members of its combination.
    pub members: &'a FittedCombination,
    /// The networks and their share of the forecast.
    pub network: Option<(&'a EnsembleForecaster, f64)>,
}

/// The most lags that are looked at: further ones are left out.
const LAGS: usize = 400;

impl Listener<'_> {
    /// The inputs by name: all columns to forecast, exogenous ones, parts of calendar features.
    fn inputs(&self) -> Vec<String> {
        let calendar = self
            .features
            .calendar
            .iter()
            .flat_map(|feature| ["sine", "cosine"].map(|part| format!("{feature}, {part}")));
        let names = self.series.names.iter().chain(&self.series.exogenous_names).cloned();
        let mut names: Vec<String> = names.collect();
        // Without a network a forecast is of the column's own past.
        if self.network.is_some() {
            names.extend(calendar);
        }
        names
    }

    /// How many lags there are.
    fn lags(&self) -> usize {
        let members = self.members.members().map(FittedMember::reach);
        let lost = self.features.transform.lost();
        let network = self.network.iter().map(|(network, _)| lost + network.reach());
        members.chain(network).max().unwrap_or(1).clamp(1, LAGS)
    }

    /// `∂x̂/∂x` after each of the origins, `[origin][input][step][lag]`, in the units of the series.
    fn gradients(&self, origins: &[usize], lags: usize) -> Result<Vec<f64>, OutlookError> {
        let (inputs, size) = (self.inputs().len(), self.horizon * lags);
        let mut all = vec![0.0; origins.len() * inputs * size];
        let share = self.network.map_or(0.0, |(_, share)| share);
        if share < 1.0 {
            self.add_members(origins, lags, (1.0 - share, inputs * size), &mut all);
        }
        if let Some((network, share)) = self.network.filter(|(_, share)| *share > 0.0) {
            let pieces = all.chunks_mut(TOGETHER * inputs * size);
            for (some, all) in origins.chunks(TOGETHER).zip(pieces) {
                self.add_network((network, share), some, lags, all)?;
            }
        }
        Ok(all)
    }

    fn add_members(
        &self,
        origins: &[usize],
        lags: usize,
        (share, stride): (f64, usize),
        all: &mut [f64],
    ) {
        let column = &self.series.values[self.target];
        let gradients: Vec<(bool, Vec<f64>)> = self
            .members
            .members()
            .map(|member| (member.is_of_logarithms(), member.gradient(self.horizon, lags)))
            .collect();
        let each = self.members.each_of_members(column, origins, self.horizon);
        for ((origin, forecasts), all) in origins.iter().zip(each).zip(all.chunks_exact_mut(stride))
        {
            let own = &mut all[self.target * self.horizon * lags..];
            for step in 0..self.horizon {
                for (place, part) in self.members.shares(&forecasts, step) {
                    let (is_of_logarithms, gradient) = &gradients[place];
                    let Some(forecast) = &forecasts[place].1 else { continue };
                    for (lag, row) in (0..lags).zip((0..*origin).rev()) {
                        let factor =
                            if *is_of_logarithms { forecast[step] / column[row] } else { 1.0 };
                        let at = step * lags + lag;
                        own[at] += share * part * factor * gradient[at];
                    }
                }
            }
        }
    }

    fn add_network(
        &self,
        (network, share): (&EnsembleForecaster, f64),
        origins: &[usize],
        lags: usize,
        all: &mut [f64],
    ) -> Result<(), OutlookError> {
        let (features, horizon, target) = (self.features, self.horizon, self.target);
        let (targets, width) = (features.targets.len(), self.rows.width);
        let reach = network.reach();
        let values = origins.iter().flat_map(|&origin| self.rows.range(origin - reach, origin));
        let values: Vec<f64> = values.copied().collect();
        let pasts = Pasts { values: &values, rows: reach, width, targets };
        let jacobian = network.gradient(pasts);
        let scaled = network.ahead(pasts);
        let mut forecasts = Vec::with_capacity(scaled.len());
        for (path, &origin) in scaled.chunks_exact(horizon * targets).zip(origins) {
            forecasts.extend(features.undo(self.series, origin, path)?);
        }
        let linear = Transform { log: false, ..features.transform };
        let lost = linear.lost();
        let scale_out = features.targets[target].deviation;
        let inputs = self.inputs().len();
        // What a unit at a lag is in differences: lags and values.
        let units: Vec<Vec<(usize, f64)>> = (0..lags)
            .map(|lag| {
                let mut past = vec![0.0; lost + reach.max(lags)];
                let end = past.len();
                past[end - 1 - lag] = 1.0;
                let mapped = linear.forward(&past).expect("longer than its differences");
                let rows = mapped.iter().rev().take(reach).enumerate();
                rows.filter(|(_, value)| **value != 0.0).map(|(lag, value)| (lag, *value)).collect()
            })
            .collect();
        for (place, &origin) in origins.iter().enumerate() {
            let forecast = |step: usize| forecasts[(place * horizon + step) * targets + target];
            for input in 0..inputs {
                // Exogenous columns and calendar features are in no difference.
                let scale_in = match input.checked_sub(targets) {
                    None => features.targets[input].deviation,
                    Some(other) => features.exogenous.get(other).map_or(1.0, |s| s.deviation),
                };
                for lag in 0..lags {
                    let single = [(lag, 1.0)];
                    let moved = if input < targets { units[lag].as_slice() } else { &single };
                    let path: Vec<f64> = (0..horizon)
                        .map(|step| {
                            let output = step * targets + target;
                            let base = (output * origins.len() + place) * reach * width;
                            let moved = moved.iter().filter(|(lag, _)| *lag < reach);
                            let sum =
                                moved.map(|(lag, by)| by * jacobian[base + lag * width + input]);
                            sum.sum::<f64>() * scale_out / scale_in
                        })
                        .collect();
                    let mut past = vec![0.0; lost];
                    if input == target && lag < lost {
                        past[lost - 1 - lag] = 1.0;
                    }
                    let path = linear.inverse(&past, &path).expect("as long as it has to be");
                    let row = origin.checked_sub(lag + 1);
                    for (step, slope) in path.into_iter().enumerate() {
                        let factor = match (features.transform.log, row) {
                            (false, _) => 1.0,
                            (true, Some(row)) if input < targets => {
                                forecast(step) / self.series.values[input][row]
                            }
                            (true, _) => forecast(step),
                        };
                        let slot = ((place * inputs + input) * horizon + step) * lags + lag;
                        all[slot] += share * factor * slope;
                    }
                }
            }
        }
        Ok(())
    }

    /// How much the forecasts after these origins listen to each input; `training` rows tell the standard deviations.
    ///
    /// # Errors
    /// If a forecast cannot be made.
    pub fn importance(
        &self,
        origins: &[usize],
        training: usize,
    ) -> Result<Importance, OutlookError> {
        let (names, lags) = (self.inputs(), self.lags());
        let size = self.horizon * lags;
        let mut sums = vec![0.0; names.len() * lags];
        for some in origins.chunks(TOGETHER) {
            for (place, slope) in self.gradients(some, lags)?.into_iter().enumerate() {
                let input = place / size % names.len();
                sums[input * lags + place % lags] += slope.abs();
            }
        }
        let count = (origins.len() * self.horizon) as f64;
        let inputs = names.into_iter().enumerate().map(|(input, name)| {
            let deviation = self.deviation(input, training);
            let sums = &sums[input * lags..(input + 1) * lags];
            let lags: Vec<f64> = sums.iter().map(|sum| deviation * sum / count).collect();
            InputImportance { input: name, size: lags.iter().sum(), lags }
        });
        Ok(Importance { column: self.series.names[self.target].clone(), inputs: inputs.collect() })
    }

    /// The standard deviation of an input over the first rows.
    fn deviation(&self, input: usize, training: usize) -> f64 {
        let columns = self.series.values.iter().chain(&self.series.exogenous);
        let values: Vec<f64> = match columns.into_iter().nth(input) {
            Some(column) => column[..training].to_vec(),
            None => {
                let rows = self.rows.range(self.rows.first, training);
                rows.iter().skip(input).step_by(self.rows.width).copied().collect()
            }
        };
        match values.iter().all(|value| *value == values[0]) {
            true => 0.0,
            false => Standardisation::fit(&values).deviation,
        }
    }
}

/// Origins whose derivatives are in memory together.
const TOGETHER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dates::Feature;
    use crate::model::Network;
    use crate::model::forecast::{Member, Output};
    use crate::nn::{AnyCell, Random, RecurrentConfig};
    use burn::tensor::{DType, Device};
    use rand::SeedableRng;

    /// The airline passengers, another column to forecast and an exogenous one.
    fn series() -> Series {
        let mut series = Series::airline_passengers();
        let other = |t: usize| 50.0 + (t * 37 % 11) as f64 + t as f64 / 7.0;
        series.names.push("other".into());
        series.values.push((0..144).map(other).collect());
        series.exogenous_names.push("promotion".into());
        series.exogenous.push((0..144).map(|t| (t * 5 % 7) as f64).collect());
        series
    }

    struct Both {
        series: Series,
        features: Features,
        network: EnsembleForecaster,
        members: FittedCombination,
        share: f64,
        target: usize,
    }

    impl Both {
        fn new(transform: Transform, share: f64, target: usize) -> Self {
            let series = series();
            let features = Features::fit(&series, 100, transform, vec![Feature::Month]).unwrap();
            let model = |lags: &[f64]| Autoregression {
                constant: 0.1,
                lags: lags.to_vec(),
                variance: 1.0,
                rows: 10,
            };
            let output = Output::new(3, &[model(&[0.6, -0.3, 0.2]), model(&[0.4])]);
            let gru = AnyCell::named("gru").unwrap();
            let config = RecurrentConfig::new(features.width(), 4, true).with_layers(2);
            let (device, dtype) = (Device::default(), DType::F64);
            let mut random = Random::seed_from_u64(3);
            let networks = (0..2).map(|_| {
                let (output, device, options) = (output.clone(), device.clone(), (&device, dtype));
                let width = output.width();
                let network = Network::new(gru.clone(), &config, width, options, &mut random);
                NetworkForecaster { network, output, window: 5, device, dtype }
            });
            let network = EnsembleForecaster { members: networks.collect() };
            let members = [
                Member::Autoregression(Transform { log: true, season: Some(12), difference: 1 }),
                Member::Autoregression(Transform::default()),
                Member::Smoothing { log: true, trend: true },
                Member::Smoothing { log: false, trend: true },
                Member::Arima { log: false },
                Member::Arima { log: true },
                Member::SeasonAgo,
                Member::LastValue,
            ];
            let column = &series.values[target];
            let fit = |member: &Member| member.fit(&column[..100], Some(12)).unwrap();
            let part = |members: &[Member]| members.iter().map(|m| (fit(m), 0.5)).collect();
            let parts = [&members[..2], &members[2..4], &members[4..6], &members[6..]].map(part);
            let members = FittedCombination { parts: parts.to_vec() };
            Self { series, features, network, members, share, target }
        }

        fn listener<'a>(&'a self, rows: &'a Rows) -> Listener<'a> {
            Listener {
                series: &self.series,
                features: &self.features,
                rows,
                horizon: 3,
                target: self.target,
                members: &self.members,
                network: Some((&self.network, self.share)),
            }
        }

        /// The forecasts after an origin.
        fn forecast(&self, series: &Series, origin: usize) -> Vec<f64> {
            let rows = self.features.rows(series, series.calendar.as_ref()).unwrap();
            let reach = self.network.reach();
            let values = rows.range(origin - reach, origin);
            let pasts = Pasts { values, rows: reach, width: rows.width, targets: 2 };
            let learnt = self.features.undo(series, origin, &self.network.ahead(pasts)).unwrap();
            let column = &series.values[self.target];
            let linear = self.members.ahead(&column[..origin], 3).unwrap();
            let learnt = learnt.iter().skip(self.target).step_by(2);
            learnt.zip(&linear).map(|(a, b)| self.share * a + (1.0 - self.share) * b).collect()
        }
    }

    /// Of all inputs in the units of the series, through network, members and transforms: against central differences.
    #[test]
    fn the_derivatives_are_those_of_differences() {
        for (transform, share, target) in [
            (Transform { log: true, season: Some(12), difference: 1 }, 0.6, 0),
            (Transform { log: false, season: None, difference: 2 }, 0.3, 1),
            (Transform { log: true, ..Transform::default() }, 1.0, 0),
            (Transform::default(), 0.0, 1),
        ] {
            let both = Both::new(transform, share, target);
            let rows = both.features.rows(&both.series, both.series.calendar.as_ref()).unwrap();
            let listener = both.listener(&rows);
            let (lags, origins) = (listener.lags(), [110, 131]);
            let inputs = listener.inputs();
            assert_eq!(inputs.len(), 5);
            let gradients = listener.gradients(&origins, lags).unwrap();
            let mut largest = 0f64;
            for (o, &origin) in origins.iter().enumerate() {
                for (input, lag) in (0..3).flat_map(|i| (0..lags).map(move |lag| (i, lag))) {
                    let moved = |by: f64| {
                        let mut series = both.series.clone();
                        let columns = series.values.iter_mut().chain(&mut series.exogenous);
                        columns.into_iter().nth(input).unwrap()[origin - 1 - lag] += by;
                        both.forecast(&series, origin)
                    };
                    let (more, less) = (moved(1e-4), moved(-1e-4));
                    for step in 0..3 {
                        let difference = (more[step] - less[step]) / 2e-4;
                        let place = ((o * inputs.len() + input) * 3 + step) * lags + lag;
                        let error = (gradients[place] - difference).abs();
                        largest = largest.max(difference.abs());
                        assert!(
                            error < 1e-6 * (1.0 + difference.abs()),
                            "{transform:?}, {}, lag {}: {} and not {difference}",
                            inputs[input],
                            lag + 1,
                            gradients[place]
                        );
                    }
                }
            }
            assert!(largest > 0.1);
            // The calendar is read by the network alone.
            let size = listener.horizon * lags;
            let calendar = gradients.chunks(5 * size).flat_map(|origin| &origin[3 * size..]);
            assert_eq!(calendar.into_iter().any(|slope| *slope != 0.0), share > 0.0);
        }
    }

    /// What repeats a season ago listens to that row alone, with the deviation of the column.
    #[test]
    fn the_importance_of_a_season_ago_is_its_row() {
        let series = Series::airline_passengers();
        let features = Features::fit(&series, 100, Transform::default(), Vec::new()).unwrap();
        let rows = features.rows(&series, None).unwrap();
        let members = FittedCombination::single(FittedMember::SeasonAgo(12));
        let listener = Listener {
            series: &series,
            features: &features,
            rows: &rows,
            horizon: 3,
            target: 0,
            members: &members,
            network: None,
        };
        let importance = listener.importance(&(110..130).collect::<Vec<_>>(), 100).unwrap();
        let deviation = features.targets[0].deviation;
        let [input] = &importance.inputs[..] else { panic!("one input") };
        assert_eq!(input.lags.len(), 12);
        for (lag, size) in input.lags.iter().enumerate() {
            let expected = if lag >= 9 { deviation / 3.0 } else { 0.0 };
            assert!((size - expected).abs() < 1e-9 * deviation, "{lag}: {size}");
        }
        assert!((importance.share(0) - 1.0).abs() < 1e-12);
        let strongest: Vec<usize> =
            importance.strongest(0, 2).into_iter().map(|(lag, _)| lag).collect();
        assert_eq!(strongest, [10, 11]);
    }
}
