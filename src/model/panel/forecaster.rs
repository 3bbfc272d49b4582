//! Forecasts of many series by an ensemble.

use super::loss::{LEVELS, MEDIAN, QUANTILES};
use super::network::{Ensemble, Geometry, Past, Scaled};
use crate::host;
use crate::nn::Recurrent;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// The forecast of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileForecast {
    /// `[step][quantile]`, in the units of the series, in ascending order.
    pub quantiles: Vec<[f64; QUANTILES.len()]>,
}

impl QuantileForecast {
    /// Around a forecast without quantiles: those of a normal distribution whose deviation is the scale of the series, times
    /// `√⌈h/m⌉` h steps ahead, as that of a seasonal random walk of m rows.
    pub fn around(point: &[f64], scale: f64, season: usize) -> Self {
        const NORMAL: [f64; QUANTILES.len()] = [-1.960, -1.282, 0.0, 1.282, 1.960];
        let of = |(step, value): (usize, &f64)| {
            let deviation = scale * ((step / season + 1) as f64).sqrt();
            NORMAL.map(|quantile| value + deviation * quantile)
        };
        Self { quantiles: point.iter().enumerate().map(of).collect() }
    }

    /// The median of each step.
    pub fn median(&self) -> Vec<f64> {
        self.quantiles.iter().map(|step| step[MEDIAN]).collect()
    }
}

/// An ensemble that forecasts series from their own past.
#[derive(Debug)]
pub struct PanelForecaster {
    /// The networks, on a device without autodiff.
    pub ensemble: Ensemble<Recurrent>,
    /// What they read and forecast.
    pub geometry: Geometry,
    /// Where they compute.
    pub device: Device,
    /// F32 or F64.
    pub dtype: DType,
}

impl PanelForecaster {
    /// The rows to come of each series, of which these are known.
    pub fn ahead(&self, known: &[Past<'_>]) -> Vec<QuantileForecast> {
        const TOGETHER: usize = 256;
        let mut forecasts = Vec::with_capacity(known.len());
        for some in known.chunks(TOGETHER) {
            let windows: Vec<Scaled> =
                some.iter().map(|&past| self.geometry.scaled(past)).collect();
            forecasts.extend(self.of(windows));
        }
        forecasts
    }

    /// What the recurrence of the first network reads of the rows before some forecasts, and `∂L/∂H` of the mean squared error
    /// of its median, in the scale of each window: nothing but at the last step. A series is the rows before and after.
    pub fn last_loss(&self, series: &[(Past<'_>, &[f64])]) -> [Tensor<3>; 2] {
        let (geometry, horizon) = (self.geometry, self.geometry.horizon);
        let options = (&self.device, self.dtype);
        let windows: Vec<Scaled> = series.iter().map(|(past, _)| geometry.scaled(*past)).collect();
        let member = &self.ensemble.members[0];
        let inputs = geometry.tensors(&windows, options);
        let z = host(member.forward(inputs.clone()));
        let [seasons, _] = inputs;
        let [batch, steps, _] = seasons.dims();
        let outputs = geometry.outputs();
        let mut d_output = vec![0.0; batch * steps * outputs];
        let count = (batch * horizon) as f64;
        for (w, (window, (_, after))) in windows.iter().zip(series).enumerate() {
            for (step, &value) in after[..horizon].iter().enumerate() {
                let place = MEDIAN * horizon + step;
                let error = z[w * outputs + place] - window.scale.apply(value);
                d_output[(w * steps + steps - 1) * outputs + place] = 2.0 * error / count;
            }
        }
        let data = TensorData::new(d_output, [batch, steps, outputs]);
        let d_output = Tensor::<3>::from_data(data, options);
        let (hidden, _) = member.recurrence.recurrent.forward(seasons.clone(), None);
        [seasons, member.recurrence.readout.backward(hidden, d_output).hidden]
    }

    fn of(&self, windows: Vec<Scaled>) -> Vec<QuantileForecast> {
        let members = self.ensemble.members.len();
        let horizon = self.geometry.horizon;
        let each = vec![windows; members];
        let outputs = self.ensemble.forward(self.geometry, &each, (&self.device, self.dtype));
        let outputs: Vec<Vec<f64>> = outputs.into_iter().map(host).collect();
        let of = |(w, window): (usize, &Scaled)| {
            let at = |q: usize, step: usize| {
                let place = (w * QUANTILES.len() + q) * horizon + step;
                // In the scale of the window: with logarithms a geometric mean.
                let mean = outputs.iter().map(|z| z[place]).sum::<f64>() / members as f64;
                window.scale.undo(mean)
            };
            let quantiles = (0..horizon).map(|step| {
                let mut quantiles = std::array::from_fn(|q| at(q, step));
                quantiles.sort_unstable_by(f64::total_cmp);
                quantiles
            });
            QuantileForecast { quantiles: quantiles.collect() }
        };
        each[0].iter().enumerate().map(of).collect()
    }
}

/// By what the intervals have to be widened so that they hold: the split conformal method (Vovk 2005; Romano,
/// Patterson & Candès 2019) with the distance from the median, in units of the interval's own half, as its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conformal {
    /// The factor of each level.
    pub factors: [f64; LEVELS.len()],
}

impl Conformal {
    /// From forecasts of rows that were not trained on, and what came. No factor is below `least`: 1 for intervals that were
    /// learnt, because the rows to come are further from the training than those that validate.
    pub fn fit(forecasts: &[QuantileForecast], actual: &[&[f64]], least: f64) -> Self {
        let factors = std::array::from_fn(|level| {
            let pairs = forecasts.iter().zip(actual);
            let mut scores: Vec<f64> = pairs
                .flat_map(|(forecast, actual)| forecast.quantiles.iter().zip(*actual))
                .map(|(quantiles, value)| score(quantiles, level, *value))
                .collect();
            scores.sort_unstable_by(f64::total_cmp);
            let n = scores.len();
            let place = (LEVELS[level] * (n + 1) as f64).ceil() as usize;
            if n == 0 { 1.0 } else { scores[place.min(n) - 1].max(least) }
        });
        Self { factors }
    }

    /// The interval of a level, by its place in [`LEVELS`].
    pub fn interval(&self, quantiles: &[f64; QUANTILES.len()], level: usize) -> [f64; 2] {
        let median = quantiles[MEDIAN];
        let [lower, upper] = ends(quantiles, level);
        let factor = self.factors[level];
        [median - factor * (median - lower), median + factor * (upper - median)]
    }
}

/// The quantiles between which the interval of a level lies.
fn ends(quantiles: &[f64; QUANTILES.len()], level: usize) -> [f64; 2] {
    let inner = LEVELS.len() - 1 - level;
    [quantiles[inner], quantiles[QUANTILES.len() - 1 - inner]]
}

/// The factor at which the interval would just hold the value.
fn score(quantiles: &[f64; QUANTILES.len()], level: usize, value: f64) -> f64 {
    let median = quantiles[MEDIAN];
    let [lower, upper] = ends(quantiles, level);
    let half = if value < median { median - lower } else { upper - median };
    let distance = (value - median).abs();
    match distance == 0.0 {
        true => 0.0,
        false => distance / half.max(f64::MIN_POSITIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conformal_intervals_hold_what_they_are_fitted_to() {
        // Quantiles of a uniform distribution on 0…1, which are twice too narrow about their median.
        let narrow = QUANTILES.map(|q| 0.5 + 0.5 * (q - 0.5));
        let forecasts = vec![QuantileForecast { quantiles: vec![narrow; 1000] }];
        let actual: Vec<f64> = (0..1000).map(|i| (f64::from(i) + 0.5) / 1000.0).collect();
        let conformal = Conformal::fit(&forecasts, &[&actual], 1.0);
        for (level, probability) in LEVELS.into_iter().enumerate() {
            assert!((conformal.factors[level] - 2.0).abs() < 0.02, "{conformal:?}");
            let [lower, upper] = conformal.interval(&narrow, level);
            let inside = actual.iter().filter(|value| (lower..=upper).contains(value)).count();
            assert!((inside as f64 / 1000.0 - probability).abs() < 0.003);
        }
        let wide = QuantileForecast { quantiles: vec![QUANTILES.map(|q| 9.0 * (q - 0.5)); 1000] };
        assert_eq!(
            Conformal::fit(std::slice::from_ref(&wide), &[&[0.0; 1000]], 1.0).factors,
            [1.0; 2]
        );
        assert_eq!(Conformal::fit(&[wide], &[&[0.0; 1000]], 0.0).factors, [0.0; 2]);
    }
}
