//! Learning many series with one network: each window of a series teaches its forecast of the rows after it.

use super::host;
use super::lessons::{Computing, Lesson, Lessons, Passes, Score, Settings, Window};
use super::run::Length;
use crate::data::accuracy::scale;
use crate::data::scaled_window::WindowScale;
use crate::model::panel::{Ensemble, Geometry, PanelLoss, Past, Scaled};
use crate::nn::{Random, Recurrent};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::cell::RefCell;

/// Why many series could not be learnt; one line of text each.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PanelTrainingError {
    /// No series is long enough.
    #[error(
        "no series has the {needed} rows that a season, {horizon} to train on, {horizon} to validate on{tested} take: the longest has {longest}; choose a shorter --horizon or --season"
    )]
    TooShort {
        /// What it takes.
        needed: usize,
        /// Rows forecast at once.
        horizon: usize,
        /// More rows that are taken from the end.
        tested: String,
        /// What there is.
        longest: usize,
    },
    /// A window that is not whole seasons.
    #[error(
        "--window {window} is not whole seasons of {season} rows: choose {lower}, or {}",
        lower + season
    )]
    Window {
        /// Asked for.
        window: usize,
        /// Rows of a season.
        season: usize,
        /// The next smaller one.
        lower: usize,
    },
}

/// A series and its parts in time: `known` rows to train on, then `horizon` to validate on.
#[derive(Clone, Copy, Debug)]
pub struct Taught<'a> {
    /// Its number in the panel.
    pub number: usize,
    /// All its rows.
    pub values: &'a [f64],
    /// How many of them are to train on; the next `horizon` validate.
    pub known: usize,
    /// What it is: the indicators of its categories.
    pub categories: &'a [f64],
}

/// The rows after which a window of a series ends, where each is followed by a horizon of rows to train on: every
/// `stride`-th of them, the last first. Series that are too short for a whole window have windows that begin before they do.
pub fn origins(geometry: &Geometry, known: usize, stride: usize) -> impl Iterator<Item = usize> {
    let Geometry { window, season, horizon, .. } = *geometry;
    let least = if known >= window + horizon { window } else { season.max(2) };
    let last = known.checked_sub(horizon).filter(|last| *last >= least);
    let count = last.map_or(0, |last| (last - least) / stride + 1);
    (0..count).map(move |back| last.unwrap_or(0) - back * stride)
}

/// The windows of many series.
#[derive(Debug)]
pub struct PanelLessons<'a> {
    series: &'a [Taught<'a>],
    /// The mean error of the seasonal naive forecast in the rows to train on of each series.
    scales: Vec<f64>,
    geometry: Geometry,
    loss: PanelLoss,
    members: usize,
    /// Series and origin of each window.
    windows: Vec<(u32, u32)>,
    passes: Passes,
    batch: usize,
    seed: u64,
    device: Device,
    dtype: DType,
    /// The windows in the order of each member, of the epoch that was last asked for.
    order: RefCell<(Option<usize>, Vec<Vec<u32>>)>,
}

impl<'a> PanelLessons<'a> {
    /// Cuts windows, one every `stride` rows, out of the series for an ensemble of so many members.
    pub fn new(
        series: &'a [Taught<'a>],
        (geometry, stride): (Geometry, usize),
        (loss, members): (PanelLoss, usize),
        (settings, passes): (&Settings, Passes),
        computing: &Computing,
    ) -> Self {
        let of = |(number, series): (usize, &Taught<'_>)| {
            let origins = origins(&geometry, series.known, stride);
            origins.map(move |origin| (number as u32, origin as u32))
        };
        let windows = series.iter().enumerate().flat_map(of).collect();
        let scales =
            series.iter().map(|series| scale(&series.values[..series.known], geometry.season));
        Self {
            series,
            scales: scales.collect(),
            geometry,
            loss,
            members,
            windows,
            passes,
            batch: settings.batch,
            seed: settings.seed,
            device: computing.device.clone(),
            dtype: computing.dtype,
            order: RefCell::default(),
        }
    }

    /// The windows of a batch, for each member its own.
    fn batches(&self, window: Window) -> Vec<Vec<(usize, usize)>> {
        let mut order = self.order.borrow_mut();
        if order.0 != Some(window.epoch) {
            let mixed = |member: usize| {
                let mut numbers: Vec<u32> = (0..self.windows.len() as u32).collect();
                // Nothing but seed, member and epoch says how they are mixed.
                let mut random = Random::seed_from_u64(self.seed.wrapping_add(member as u64) << 1);
                random.set_stream(window.epoch as u64 + 1);
                numbers.shuffle(&mut random);
                numbers
            };
            *order = (Some(window.epoch), (0..self.members).map(mixed).collect());
        }
        let from = window.number * self.batch;
        let of = |numbers: &Vec<u32>| {
            let some = &numbers[from..(from + self.batch).min(numbers.len())];
            let place = |&number: &u32| self.windows[number as usize];
            some.iter().map(place).map(|(s, origin)| (s as usize, origin as usize)).collect()
        };
        order.1.iter().map(of).collect()
    }

    /// The loss of each member's forecasts after its origins, and its derivative by the member's outputs; the outputs.
    fn losses(
        &self,
        model: &Ensemble<Recurrent>,
        batches: &[Vec<(usize, usize)>],
        device: &Device,
    ) -> Vec<(Tensor<3>, f64, Vec<f64>)> {
        let scaled = |&(s, origin): &(usize, usize)| {
            let Taught { values, categories, .. } = self.series[s];
            self.geometry.scaled(Past { rows: &values[..origin], categories })
        };
        let windows: Vec<Vec<_>> =
            batches.iter().map(|batch| batch.iter().map(scaled).collect()).collect();
        let outputs = model.forward(self.geometry, &windows, (device, self.dtype));
        let horizon = self.geometry.horizon;
        let of = |((outputs, windows), batch): ((Tensor<3>, &Vec<_>), &Vec<(usize, usize)>)| {
            let taught: Vec<(WindowScale, f64, &[f64])> = windows
                .iter()
                .zip(batch)
                .map(|(window, &(s, origin)): (&Scaled, _)| {
                    let weight = self.loss.weight(&window.scale, self.scales[s]);
                    let actual = &self.series[s].values[origin..origin + horizon];
                    (window.scale, weight, actual)
                })
                .collect();
            let z = host(outputs.clone());
            let (loss, derivative) = self.loss.of(&z, &taught, horizon);
            (outputs, loss, derivative)
        };
        outputs.into_iter().zip(&windows).zip(batches).map(of).collect()
    }
}

impl Lessons for PanelLessons<'_> {
    type Model = Ensemble<Recurrent>;

    fn windows(&self) -> usize {
        self.windows.len().div_ceil(self.batch)
    }

    fn steps(&self, epoch: usize) -> usize {
        self.passes.steps(epoch)
    }

    /// The derivative of the loss by the outputs is written by hand: `Σ O · ∂L/∂O` has it for its gradient.
    fn lesson(&self, model: &Self::Model, window: Window, _: Vec<Tensor<3>>) -> Lesson {
        let device = self.device.clone().autodiff();
        let losses = self.losses(model, &self.batches(window), &device);
        let (mut value, mut sum) = (0.0, None);
        for (outputs, loss, derivative) in losses {
            value += loss / self.members as f64;
            let data = TensorData::new(derivative, outputs.shape());
            let derivative = Tensor::<3>::from_data(data, (&device, self.dtype));
            let product = (outputs * derivative).sum();
            sum = Some(match sum {
                Some(sum) => sum + product,
                None => product,
            });
        }
        let loss = sum.expect("an ensemble has a member");
        Lesson { loss, value, state: Vec::new(), drawn: 0 }
    }

    /// The loss of the members, one by one, on the rows after those to train on.
    fn validate(&self, model: &Self::Model) -> Score {
        const TOGETHER: usize = 256;
        let valid: Vec<(usize, usize)> =
            self.series.iter().enumerate().map(|(s, series)| (s, series.known)).collect();
        let mut sum = 0.0;
        for some in valid.chunks(TOGETHER) {
            let batches = vec![some.to_vec(); self.members];
            let losses = self.losses(model, &batches, &self.device);
            let mean = losses.iter().map(|(_, loss, _)| loss).sum::<f64>() / self.members as f64;
            sum += mean * some.len() as f64;
        }
        (sum / valid.len() as f64).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::scaled_window::Link;
    use crate::model::panel::EnsembleSize;
    use crate::nn::AnyCell;
    use crate::train::{OptimizerName, Schedule};

    const GEOMETRY: Geometry =
        Geometry { window: 6, season: 3, horizon: 2, link: Link::Identity, categories: 0 };

    #[test]
    fn windows_are_followed_by_rows_to_train_on() {
        let of = |known, stride| origins(&GEOMETRY, known, stride).collect::<Vec<_>>();
        assert_eq!(of(11, 1), [9, 8, 7, 6]);
        assert_eq!(of(11, 2), [9, 7]);
        assert_eq!(of(8, 1), [6]);
        // Shorter than a window and a horizon.
        assert_eq!(of(7, 1), [5, 4, 3]);
        assert_eq!(of(5, 9), [3]);
        assert_eq!(of(4, 1), [0; 0]);
        assert_eq!(of(0, 1), [0; 0]);
    }

    fn settings() -> Settings {
        Settings {
            batch: 5,
            lr: 0.01,
            optimizer: OptimizerName::Adam,
            schedule: Schedule::Constant,
            ..Settings::default()
        }
    }

    fn taught(values: &[Vec<f64>]) -> Vec<Taught<'_>> {
        let of = |(number, values): (usize, &'_ Vec<f64>)| (number, values.len() - 2);
        let known = values.iter().enumerate().map(of).zip(values);
        known
            .map(|((number, known), values)| Taught { number, values, known, categories: &[] })
            .collect()
    }

    #[test]
    fn each_member_is_taught_every_window_once_an_epoch() {
        let values: Vec<Vec<f64>> =
            (0..3).map(|s| (0..14 - s).map(|row| (100 * s + row) as f64).collect()).collect();
        let series = taught(&values);
        let loss = PanelLoss { relative: 0.1, scaled: 1.0 };
        let how = (&settings(), Passes { epochs: 2, window: 6 });
        let computing = Computing::on(Device::default());
        let lessons = PanelLessons::new(&series, (GEOMETRY, 1), (loss, 2), how, &computing);
        assert_eq!((lessons.windows.len(), lessons.windows()), (5 + 4 + 3, 3));
        let mut all = Vec::new();
        for epoch in 0..2 {
            let mut seen = vec![Vec::new(); 2];
            for number in 0..lessons.windows() {
                let batches = lessons.batches(Window { epoch, number, drawn: 0 });
                seen.iter_mut().zip(batches).for_each(|(seen, batch)| seen.extend(batch));
            }
            assert_ne!(seen[0], seen[1]);
            all.extend(seen);
        }
        assert_ne!(all[0], all[2]);
        for seen in &mut all {
            seen.sort_unstable();
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]) && seen.len() == 12);
            // No row that validates is trained on.
            assert!(seen.iter().all(|&(s, origin)| origin + 2 <= series[s].known));
        }
    }

    /// The gradient of the weights is that of the loss: against differences, through both paths of the network.
    #[test]
    fn the_gradient_is_that_of_differences() {
        let values: Vec<Vec<f64>> = (0..2)
            .map(|s| (0..12).map(|row| 20.0 + f64::from((7 * row + 3 * s) % 5)).collect())
            .collect();
        let series = taught(&values);
        let loss = PanelLoss { relative: 0.1, scaled: 1.0 };
        let how = (&settings(), Passes { epochs: 1, window: 6 });
        let computing = Computing { dtype: DType::F64, ..Computing::on(Device::default()) };
        let lessons = PanelLessons::new(&series, (GEOMETRY, 1), (loss, 2), how, &computing);
        let size = EnsembleSize { members: 2, hidden: 3, layers: 1 };
        let device = Device::default().autodiff();
        let gru = AnyCell::named("gru").unwrap();
        let options = (&device, DType::F64);
        let mut model = Ensemble::new(gru, (GEOMETRY, 0.5), size, 5, |config| config, options);
        // A readout of zeros hands no gradient to the recurrence.
        for member in &mut model.members {
            let readout = &mut member.recurrence.readout;
            let filled = readout.w_2.val().ones_like().mul_scalar(0.1);
            readout.w_2 = burn::module::Param::from_tensor(filled);
        }
        let window = Window { epoch: 0, number: 0, drawn: 0 };
        let lesson = lessons.lesson(&model, window, Vec::new());
        let gradients = lesson.loss.backward();
        let weight = |model: &Ensemble<Recurrent>| {
            let layer = &model.members[1].recurrence.recurrent.layers[0].directions[0];
            layer.w_x.as_ref().unwrap().clone()
        };
        let gradient = host(weight(&model).val().grad(&gradients).unwrap());
        let linear = host(model.members[0].linear.w_2.val().grad(&gradients).unwrap());
        let moved = |by: f64, place: usize, first: bool| {
            let mut model = model.clone();
            let parameter = match first {
                true => &mut model.members[0].linear.w_2,
                false => {
                    let layer = &mut model.members[1].recurrence.recurrent.layers[0];
                    layer.directions[0].w_x.as_mut().unwrap()
                }
            };
            let like = parameter.val();
            let shape = like.dims();
            let mut values = host(like);
            values[place] += by;
            let data = TensorData::new(values, shape);
            *parameter = burn::module::Param::from_tensor(Tensor::from_data(data, options));
            // The value is a mean over members, the gradient the sum.
            2.0 * lessons.lesson(&model, window, Vec::new()).value
        };
        for (first, gradient) in [(true, linear), (false, gradient)] {
            assert!(gradient.iter().any(|value| value.abs() > 1e-4));
            for (place, value) in gradient.iter().enumerate() {
                let difference = (moved(1e-6, place, first) - moved(-1e-6, place, first)) / 2e-6;
                assert!((value - difference).abs() < 1e-5 * (1.0 + difference.abs()), "{place}");
            }
        }
    }
}
