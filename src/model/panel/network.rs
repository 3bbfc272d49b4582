//! The network, and an ensemble of them.

use super::loss::{MEDIAN, QUANTILES};
use crate::data::scaled_window::{Link, WindowScale};
use crate::model::Network;
use crate::nn::weights::{Each, NamedWeights, WeightsError};
use crate::nn::{AnyCell, Random, Readout, Recurrent, RecurrentConfig};
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;

/// Which rows a network reads and forecasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// T: rows of a window, whole seasons.
    pub window: usize,
    /// m: rows of a season, which one step of the recurrence reads.
    pub season: usize,
    /// Rows forecast at once.
    pub horizon: usize,
    /// What a value is before it is scaled.
    pub link: Link,
    /// Indicators of the categories of a series.
    pub categories: usize,
}

/// What is known of a series.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// Its rows so far.
    pub rows: &'a [f64],
    /// What it is: the indicators of its categories.
    pub categories: &'a [f64],
}

/// A window of a series in its own scale.
#[derive(Clone, Debug)]
pub(crate) struct Scaled {
    pub scale: WindowScale,
    /// `z`, T of them.
    pub rows: Vec<f64>,
    /// The indicators of the series.
    pub categories: Vec<f64>,
}

impl Geometry {
    /// Inputs of a step: the rows of a season, how much the window moves, and the categories of its series.
    pub fn features(&self) -> usize {
        self.season + 1 + self.categories
    }

    /// Outputs: `[quantile][step]`.
    pub fn outputs(&self) -> usize {
        QUANTILES.len() * self.horizon
    }

    /// The last T of the rows before an origin, scaled. Where there are fewer, the first season goes on backwards.
    ///
    /// # Panics
    /// If no row is known.
    pub(crate) fn scaled(&self, past: Past<'_>) -> Scaled {
        let Past { rows: known, categories } = past;
        let missing = self.window.saturating_sub(known.len());
        let season = self.season.min(known.len());
        // The row that stands `back` rows before the first one has the place of the season that it would have.
        let before = (0..missing).map(|row| known[(season - (missing - row) % season) % season]);
        let after = &known[known.len() - (self.window - missing)..];
        let window: Vec<f64> = before.chain(after.iter().copied()).collect();
        let scale = WindowScale::fit(self.link, &window);
        let rows = window.iter().map(|&x| scale.apply(x)).collect();
        Scaled { scale, rows, categories: categories.to_vec() }
    }

    /// The share a of the value a season ago, and `1 − a` of that a window ago, in the forecast that has the least squares over
    /// these windows, `(rows before, rows after)` each: `a = Σ (z − w)(s − w) / Σ (s − w)²`, between 0 and 1.
    pub fn season_share<'a>(&self, windows: impl Iterator<Item = (&'a [f64], &'a [f64])>) -> f64 {
        let (mut with, mut square) = (0.0, 0.0);
        for (known, after) in windows {
            let Scaled { scale, rows, .. } = self.scaled(Past { rows: known, categories: &[] });
            for (step, &value) in after.iter().enumerate() {
                let season_ago = rows[self.window - self.season + step % self.season];
                let window_ago = rows[step % self.window];
                with += (scale.apply(value) - window_ago) * (season_ago - window_ago);
                square += (season_ago - window_ago).powi(2);
            }
        }
        if square > 0.0 { (with / square).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// What the network reads of some windows: the seasons `[batch, T/m, m + 1 + categories]`, and the rows `[batch, 1, T]`.
    pub(super) fn tensors(&self, windows: &[Scaled], options: (&Device, DType)) -> [Tensor<3>; 2] {
        let (batch, steps) = (windows.len(), self.window / self.season);
        let mut seasons = Vec::with_capacity(batch * steps * self.features());
        let mut rows = Vec::with_capacity(batch * self.window);
        for window in windows {
            let movement = window.scale.movement();
            for season in window.rows.chunks_exact(self.season) {
                seasons.extend_from_slice(season);
                seasons.push(movement);
                seasons.extend_from_slice(&window.categories);
            }
            rows.extend_from_slice(&window.rows);
        }
        let tensor = |values, shape| Tensor::from_data(TensorData::new(values, shape), options);
        [tensor(seasons, [batch, steps, self.features()]), tensor(rows, [batch, 1, self.window])]
    }
}

/// A recurrence over the seasons of a window, and a linear path beside it.
#[derive(Module, Debug)]
pub struct PanelNetwork<R: Module> {
    /// The recurrence and its readout `W_2`, `b_2`: `[hidden]` to `[quantile][step]`.
    pub recurrence: Network<R>,
    /// `W_1`, `b_1`: the rows of the window to the rows of the horizon.
    pub linear: Readout,
}

impl PanelNetwork<Recurrent> {
    /// A network with drawn recurrent weights that forecasts by its linear path alone: the value a season ago and the value a
    /// window ago, that share of the first. Its readout is 0 but for the distance of the quantiles.
    fn new(
        cell: AnyCell,
        config: &RecurrentConfig,
        (geometry, share): (Geometry, f64),
        options: (&Device, DType),
        random: &mut Random,
    ) -> Self {
        let Geometry { window, season, horizon, .. } = geometry;
        let mut recurrence = Network::new(cell, config, geometry.outputs(), options, random);
        let parameter = |values: Vec<f64>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), options)
        };
        let [hidden, outputs] = recurrence.readout.w_2.dims();
        // In units of the window's deviation.
        const SPREAD: f64 = 0.25;
        let places = QUANTILES.iter().enumerate();
        let bias = places.flat_map(|(q, _)| vec![SPREAD * (q as f64 - MEDIAN as f64); horizon]);
        let w_2 = parameter(vec![0.0; hidden * outputs], [hidden, outputs]);
        let b_2 = parameter(bias.collect(), [1, outputs]).reshape([outputs]);
        recurrence.readout.w_2 = Param::from_tensor(w_2);
        recurrence.readout.b_2 = Param::from_tensor(b_2);
        let mut linear = Readout::new(window, horizon, options, random);
        let mut weights = vec![0.0; window * horizon];
        for step in 0..horizon {
            weights[(window - season + step % season) * horizon + step] += share;
            weights[step % window * horizon + step] += 1.0 - share;
        }
        linear.w_2 = Param::from_tensor(parameter(weights, [window, horizon]));
        let b_1 = parameter(vec![0.0; horizon], [1, horizon]).reshape([horizon]);
        linear.b_2 = Param::from_tensor(b_1);
        Self { recurrence, linear: linear.with_gradient(config.gradient) }
    }

    /// `z`: the seasons and the rows of windows to `[batch, 1, quantile × step]`.
    pub(super) fn forward(&self, [seasons, rows]: [Tensor<3>; 2]) -> Tensor<3> {
        let [_, steps, _] = seasons.dims();
        let (hidden, _) = self.recurrence.recurrent.forward(seasons, None);
        let last = hidden.slice_dim(1, steps - 1..steps);
        let linear = self.linear.forward(rows).repeat_dim(2, QUANTILES.len());
        self.recurrence.readout.forward(last) + linear
    }
}

impl NamedWeights for PanelNetwork<Recurrent> {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        self.recurrence.for_each_named(prefix, each)?;
        self.linear.for_each_named(&format!("{prefix}linear."), each)
    }
}

/// How large an ensemble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnsembleSize {
    /// Networks.
    pub members: usize,
    /// Hidden units of a network.
    pub hidden: usize,
    /// Layers of a network.
    pub layers: usize,
}

/// Networks that differ in what is drawn: their weights at the start and the order of their windows.
#[derive(Module, Debug)]
pub struct Ensemble<R: Module> {
    /// The networks.
    pub members: Vec<PanelNetwork<R>>,
}

impl Ensemble<Recurrent> {
    /// Networks before training, the same for the same sizes and seed. `share` is that of the value a season ago in the first
    /// forecast ([`Geometry::season_share`]); `configure` sees the configuration of each stack.
    pub fn new(
        cell: AnyCell,
        (geometry, share): (Geometry, f64),
        size: EnsembleSize,
        seed: u64,
        configure: impl Fn(RecurrentConfig) -> RecurrentConfig,
        options: (&Device, DType),
    ) -> Self {
        let config = RecurrentConfig::new(geometry.features(), size.hidden, true);
        let config = configure(config.with_layers(size.layers));
        let member = |number: usize| {
            let mut random = Random::seed_from_u64(seed);
            random.set_stream(number as u64);
            PanelNetwork::new(cell.clone(), &config, (geometry, share), options, &mut random)
        };
        Self { members: (0..size.members).map(member).collect() }
    }

    /// `z` of each member for windows of its own: `[batch, 1, quantile × step]` each.
    pub(crate) fn forward(
        &self,
        geometry: Geometry,
        windows: &[Vec<Scaled>],
        options: (&Device, DType),
    ) -> Vec<Tensor<3>> {
        let of = |(member, windows): (&PanelNetwork<Recurrent>, &Vec<Scaled>)| {
            member.forward(geometry.tensors(windows, options))
        };
        self.members.iter().zip(windows).map(of).collect()
    }
}

impl NamedWeights for Ensemble<Recurrent> {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        for (number, member) in self.members.iter_mut().enumerate() {
            member.for_each_named(&format!("{prefix}members.{number}."), each)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::scaled_window::Link;
    use crate::host;

    const GEOMETRY: Geometry =
        Geometry { window: 6, season: 3, horizon: 4, link: Link::Identity, categories: 0 };

    fn past(rows: &[f64]) -> Past<'_> {
        Past { rows, categories: &[] }
    }

    #[test]
    fn a_window_that_begins_before_its_series_repeats_the_first_season() {
        let of = |known: &[f64]| {
            let Scaled { scale, rows, .. } = GEOMETRY.scaled(past(known));
            rows.into_iter().map(|z| scale.undo(z).round()).collect::<Vec<f64>>()
        };
        assert_eq!(of(&[1., 2., 3., 4., 5., 6., 7.]), [2., 3., 4., 5., 6., 7.]);
        assert_eq!(of(&[1., 2., 3., 4., 5.]), [3., 1., 2., 3., 4., 5.][..]);
        assert_eq!(of(&[1., 2., 3., 4.]), [2., 3., 1., 2., 3., 4.]);
        assert_eq!(of(&[1., 2.]), [1., 2., 1., 2., 1., 2.]);
        assert_eq!(of(&[5.]), [5.; 6]);
    }

    #[test]
    fn before_training_it_is_the_season_ago_and_the_window_ago() {
        let known = [10., 20., 33., 11., 23., 31.];
        let device = Device::default();
        let size = EnsembleSize { members: 2, hidden: 3, layers: 1 };
        for share in [1.0, 0.25] {
            let gru = AnyCell::named("gru").unwrap();
            let options = (&device, DType::F64);
            let ensemble = Ensemble::new(gru, (GEOMETRY, share), size, 1, |config| config, options);
            let scaled = GEOMETRY.scaled(past(&known));
            let outputs = ensemble.forward(GEOMETRY, &vec![vec![scaled.clone()]; 2], options);
            for z in outputs.into_iter().map(host) {
                for (step, place) in [0, 1, 2, 0].into_iter().enumerate() {
                    let median = scaled.scale.undo(z[MEDIAN * 4 + step]);
                    let expected = share * known[3 + place] + (1.0 - share) * known[step];
                    assert!((median - expected).abs() < 1e-9, "{step}: {median} {expected}");
                    // The quantiles lie apart from the start on.
                    let all = (0..QUANTILES.len()).map(|q| z[q * 4 + step]).collect::<Vec<_>>();
                    assert!(all.is_sorted() && all[0] < all[4]);
                }
            }
        }
    }

    #[test]
    fn the_share_of_the_season_is_found() {
        let known = [10., 20., 33., 11., 23., 31.];
        let after = |share: f64| -> Vec<f64> {
            (0..4).map(|step| share * known[3 + step % 3] + (1.0 - share) * known[step]).collect()
        };
        for share in [0.0, 0.3, 1.0] {
            let after = after(share);
            let found = GEOMETRY.season_share([(&known[..], &after[..])].into_iter());
            assert!((found - share).abs() < 1e-9, "{found} {share}");
        }
    }
}
