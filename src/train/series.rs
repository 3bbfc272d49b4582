//! Learning a series: at each step of a window of rows the network forecasts what a linear model leaves of the next rows; the
//! loss is that of errors of standardised values. The windows of an epoch are mixed by seed and epoch alone, so that a training that is
//! resumed goes on with the same ones.

use super::host;
use super::lessons::{Computing, Lesson, Lessons, Passes, Score, Settings, Window};
use super::run::Length;
use crate::data::features::Rows;
use crate::model::Network;
use crate::model::forecast::{EnsembleForecaster, Loss, NetworkEnsemble, Output, mean_loss};
use crate::nn::{AnyCell, Random, Recurrent, RecurrentConfig};
use crate::recurrence::budget::BudgetError;
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use std::cell::RefCell;

/// The sizes of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkSize {
    /// Hidden units.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
}

/// Why a series could not be learnt; one line of text each.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SeriesTrainingError {
    /// Too few rows to train on.
    #[error(
        "a window of {window} rows and the {horizon} after it need {needed} rows to train on after the {lost} that differences and lags use up, and there are {found}: choose a shorter --window or --horizon, a smaller --valid-share, or give more rows"
    )]
    TooFewRows {
        /// Rows of a window.
        window: usize,
        /// Rows forecast at once.
        horizon: usize,
        /// Rows used up.
        lost: usize,
        /// What it takes.
        needed: usize,
        /// What there is.
        found: usize,
    },
    /// Too few rows to validate on.
    #[error(
        "a horizon of {horizon} rows needs as many to validate on, and there are {found}: choose a shorter --horizon or a larger --valid-share"
    )]
    NoValidation {
        /// Rows forecast at once.
        horizon: usize,
        /// What there is.
        found: usize,
    },
    /// A memory budget that cannot be met.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

/// The networks before training, so many: the same for the same sizes and seed. `configure` sees the configuration of each
/// stack.
pub fn untrained(
    cell: AnyCell,
    [width, outputs]: [usize; 2],
    (size, members): (NetworkSize, usize),
    seed: u64,
    configure: impl Fn(RecurrentConfig) -> RecurrentConfig,
    options: (&Device, DType),
) -> NetworkEnsemble<Recurrent> {
    let config = RecurrentConfig::new(width, size.hidden, true).with_layers(size.layers);
    let config = configure(config);
    let member = |number: usize| {
        let mut random = Random::seed_from_u64(seed);
        random.set_stream(number as u64);
        let mut network = Network::new(cell.clone(), &config, outputs, options, &mut random);
        network.readout.w_2 = Param::from_tensor((network.readout.w_2.val() * START).detach());
        network.readout.b_2 = Param::from_tensor((network.readout.b_2.val() * START).detach());
        network
    };
    NetworkEnsemble { members: (0..members).map(member).collect() }
}

/// What the drawn readout is multiplied by: a network begins near the linear model that it starts from, and not at 0, where
/// no gradient would reach its recurrence.
const START: f64 = 0.05;

/// The networks that are to be trained.
///
/// # Errors
/// If the memory budget of one cannot be met.
pub fn beginner(
    cell: AnyCell,
    sizes: [usize; 2],
    size: (NetworkSize, usize),
    (settings, window): (&Settings, usize),
    computing: &Computing,
) -> Result<NetworkEnsemble<Recurrent>, SeriesTrainingError> {
    let device = computing.device.clone().autodiff();
    let configure = |config| computing.configure(config, settings);
    let options = (&device, computing.dtype);
    let networks = untrained(cell, sizes, size, settings.seed, configure, options);
    for network in &networks.members {
        network.recurrent.check_memory_budget(window, settings.batch, computing.dtype)?;
    }
    Ok(networks)
}

/// The rows of a series in windows.
#[derive(Clone, Debug)]
pub struct SeriesLessons<'a> {
    rows: &'a Rows,
    output: Output,
    loss: Loss,
    /// First rows of the windows.
    starts: std::ops::Range<usize>,
    /// How many rows are known at each forecast that validates.
    origins: &'a [usize],
    passes: Passes,
    batch: usize,
    seed: u64,
    device: Device,
    dtype: DType,
    /// The windows in the order of each network, of the epoch that was last asked for.
    order: RefCell<(Option<usize>, Vec<Vec<usize>>)>,
}

impl<'a> SeriesLessons<'a> {
    /// Cuts windows out of the rows before `split`.
    ///
    /// # Errors
    /// If there are too few of them, or no origin.
    pub fn new(
        rows: &'a Rows,
        (output, loss): (Output, Loss),
        (split, origins): (usize, &'a [usize]),
        (settings, passes): (&Settings, Passes),
        computing: &Computing,
    ) -> Result<Self, SeriesTrainingError> {
        let Settings { batch, seed, .. } = *settings;
        let window = passes.window;
        let horizon = output.horizon;
        let needed = window.saturating_add(horizon);
        let end = (split + 1).saturating_sub(needed);
        let first = rows.first + output.lead();
        if end <= first {
            let (lost, found) = (first, split);
            return Err(SeriesTrainingError::TooFewRows { window, horizon, lost, needed, found });
        }
        if origins.is_empty() {
            let found = rows.first + rows.count() - split;
            return Err(SeriesTrainingError::NoValidation { horizon, found });
        }
        Ok(Self {
            rows,
            output,
            loss,
            starts: first..end,
            origins,
            passes,
            batch,
            seed,
            device: computing.device.clone(),
            dtype: computing.dtype,
            order: RefCell::default(),
        })
    }

    /// The first rows of a batch of windows of one of the networks.
    fn starts(&self, window: Window, member: usize) -> Vec<usize> {
        let mut order = self.order.borrow_mut();
        if order.0 != Some(window.epoch) {
            *order = (Some(window.epoch), Vec::new());
        }
        while order.1.len() <= member {
            let mut starts: Vec<usize> = self.starts.clone().collect();
            // Nothing but seed, network and epoch says how they are mixed.
            let mut random = Random::seed_from_u64(self.seed);
            random.set_stream(((order.1.len() as u64) << 32) + window.epoch as u64 + 1);
            starts.shuffle(&mut random);
            order.1.push(starts);
        }
        let (starts, from) = (&order.1[member], window.number * self.batch);
        starts[from..(from + self.batch).min(starts.len())].to_vec()
    }

    /// Inputs `[batch, window, features]` and what the linear model leaves of the rows to come,
    /// `[batch, window, horizon × targets]`.
    fn tensors(&self, starts: &[usize], device: &Device) -> [Tensor<3>; 2] {
        let (window, width) = (self.passes.window, self.rows.width);
        let Output { horizon, targets, .. } = self.output;
        let inputs = starts.iter().flat_map(|&start| self.rows.range(start, start + window));
        let inputs: Vec<f64> = inputs.copied().collect();
        let mut target = Vec::with_capacity(starts.len() * window * horizon * targets);
        for &start in starts {
            for next in start + 1..=start + window {
                let rows = self.rows.range(next, next + horizon).chunks_exact(width);
                target.extend(rows.flat_map(|row| &row[..targets]));
            }
            let past = self.rows.range(start - self.output.lead(), start + window);
            let linear = self.output.start(past, width, window);
            let taught = target.len() - linear.len();
            target[taught..].iter_mut().zip(linear).for_each(|(row, linear)| *row -= linear);
        }
        let tensor = |values: Vec<f64>, width: usize| {
            let shape = [starts.len(), window, width];
            Tensor::from_data(TensorData::new(values, shape), (device, self.dtype))
        };
        [tensor(inputs, width), tensor(target, horizon * targets)]
    }
}

impl Lessons for SeriesLessons<'_> {
    type Model = NetworkEnsemble<Recurrent>;

    fn windows(&self) -> usize {
        self.starts.len().div_ceil(self.batch)
    }

    fn steps(&self, epoch: usize) -> usize {
        self.passes.steps(epoch)
    }

    /// The sum of the losses of the networks: the gradient of each is that of its own.
    fn lesson(&self, model: &Self::Model, window: Window, _: Vec<Tensor<3>>) -> Lesson {
        let device = self.device.clone().autodiff();
        let (mut value, mut sum) = (0.0, None);
        for (number, member) in model.members.iter().enumerate() {
            let [x, target] = self.tensors(&self.starts(window, number), &device);
            let loss = self.loss.mean(member.forward(x) - target);
            value += host(loss.clone())[0] / model.members.len() as f64;
            sum = Some(match sum {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        let loss = sum.expect("an ensemble has a member");
        Lesson { loss, value, state: Vec::new(), drawn: 0 }
    }

    /// The mean loss of the mean forecasts from all origins.
    fn validate(&self, model: &Self::Model) -> Score {
        let how = (&self.output, self.passes.window);
        let forecaster = EnsembleForecaster::new(model.clone(), how, (&self.device, self.dtype));
        mean_loss(self.loss, &forecaster, self.rows, self.output.targets, self.origins).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Autoregression;
    use crate::nn::{Gradient, Precision, Truncation};
    use crate::train::{OptimizerName, Schedule};

    fn settings(batch: usize) -> Settings {
        Settings {
            seed: 3,
            dropout: 0.0,
            batch,
            accumulate: 1,
            optimizer: OptimizerName::Adam,
            lr: 0.01,
            schedule: Schedule::Constant,
            clip: 1.0,
            early_stop: None,
            checkpoint_every: 10,
        }
    }

    fn passes(window: usize) -> Passes {
        Passes { epochs: 2, window }
    }

    fn computing() -> Computing {
        Computing {
            truncation: Truncation::Full,
            memory_budget: None,
            precision: Precision::Full,
            gradient: Gradient::Manual,
            dtype: DType::F64,
            device: Device::default(),
        }
    }

    /// A row is its number and its number plus a half.
    fn rows(first: usize, count: usize) -> Rows {
        let values = (first..first + count).flat_map(|row| [row as f64, row as f64 + 0.5]);
        Rows { values: values.collect(), width: 2, first }
    }

    /// Three rows at once; the linear model always forecasts 0.5.
    fn output() -> (Output, Loss) {
        let model = Autoregression { constant: 0.5, lags: Vec::new(), variance: 1.0, rows: 40 };
        (Output::new(3, &[model]), Loss::Squared)
    }

    #[test]
    fn every_window_is_taught_once_an_epoch_and_never_past_the_split() {
        let (rows, settings, computing) = (rows(2, 40), settings(4), computing());
        let how = (&settings, passes(5));
        let lessons = SeriesLessons::new(&rows, output(), (30, &[30]), how, &computing).unwrap();
        assert_eq!(lessons.windows(), 6); // rows 2…22 begin one
        let mut orders = Vec::new();
        for epoch in 0..2 {
            let mut seen = Vec::new();
            for number in 0..lessons.windows() {
                let starts = lessons.starts(Window { epoch, number, drawn: 0 }, 0);
                let [x, target] = lessons.tensors(&starts, &computing.device);
                let size = starts.len();
                assert_eq!((x.dims(), target.dims()), ([size, 5, 2], [size, 5, 3]));
                let (x, target) = (host(x), host(target));
                for (w, &start) in starts.iter().enumerate() {
                    for t in 0..5 {
                        let row = (start + t) as f64;
                        assert_eq!(x[(w * 5 + t) * 2..][..2], [row, row + 0.5]);
                        assert_eq!(
                            target[(w * 5 + t) * 3..][..3],
                            [row + 0.5, row + 1.5, row + 2.5]
                        );
                    }
                }
                assert!(target.iter().all(|&left| left + 0.5 < 30.0));
                seen.extend(starts);
            }
            orders.push(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, (2..23).collect::<Vec<_>>());
        }
        assert_ne!(orders[0], orders[1]);
        // Asked for in any order, they are the same.
        let third = Window { epoch: 0, number: 2, drawn: 0 };
        assert_eq!(lessons.starts(third, 0), orders[0][8..12]);
        // Another network has them in another order, whoever is asked first.
        let mut other = Vec::new();
        for number in 0..lessons.windows() {
            other.extend(lessons.starts(Window { epoch: 1, number, drawn: 0 }, 1));
        }
        assert_ne!(other, orders[1]);
        other.sort_unstable();
        assert_eq!(other, (2..23).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_cut_is_refused_with_the_numbers() {
        let (rows, computing) = (rows(2, 18), computing());
        let line = |split, origins: &[usize], window| {
            let settings = settings(4);
            let how = (&settings, passes(window));
            let lessons = SeriesLessons::new(&rows, output(), (split, origins), how, &computing);
            lessons.unwrap_err().to_string()
        };
        let short = line(9, &[9], 5);
        assert!(short.contains("need 8 rows to train on after the 2"), "{short}");
        assert!(short.contains("there are 9"), "{short}");
        assert!(
            line(18, &[], 5)
                .contains("horizon of 3 rows needs as many to validate on, and there are 2")
        );
        let settings = settings(4);
        let how = (&settings, passes(5));
        assert!(SeriesLessons::new(&rows, output(), (10, &[10]), how, &computing).is_ok());
    }
}
