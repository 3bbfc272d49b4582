//! How much the forecasts of many series listen to each row of their windows.

use super::forecaster::PanelForecaster;
use super::loss::MEDIAN;
use super::network::{Past, Scaled};
use crate::host;
use burn::tensor::{Tensor, TensorData};

impl PanelForecaster {
    /// The mean over windows and steps ahead of `|∂ẑ_{t+k} / ∂z_{t−i+1}|` of the median, by lag i, the last row first. Both
    /// are in the scale of the window, in which its rows have a standard deviation of about 1; what level and deviation of
    /// the window do is not in it. A window ends with the last of the known rows.
    pub fn importance(&self, known: &[Past<'_>]) -> Vec<f64> {
        let windows: Vec<Scaled> = known.iter().map(|&past| self.geometry.scaled(past)).collect();
        let mut sums = vec![0.0; self.geometry.window];
        for window in self.gradient(&windows).chunks_exact(self.geometry.window) {
            sums.iter_mut().zip(window).for_each(|(sum, slope)| *sum += slope.abs());
        }
        let count = (windows.len() * self.geometry.horizon) as f64;
        sums.into_iter().map(|sum| sum / count).collect()
    }

    /// `∂ẑ/∂z` of the ensemble's median, `[step][window][lag]`.
    fn gradient(&self, windows: &[Scaled]) -> Vec<f64> {
        let (geometry, options) = (self.geometry, (&self.device, self.dtype));
        let [rows, season, horizon] = [geometry.window, geometry.season, geometry.horizon];
        let (batch, steps, outputs) = (windows.len(), rows / season, geometry.outputs());
        let mut all = vec![0.0; horizon * batch * rows];
        let share = 1.0 / self.ensemble.members.len() as f64;
        for member in &self.ensemble.members {
            let [seasons, _] = geometry.tensors(windows, options);
            let trace = member.recurrence.recurrent.trace(seasons, None);
            let linear = host(member.linear.w_2.val());
            for (step, all) in all.chunks_exact_mut(batch * rows).enumerate() {
                let mut d_output = vec![0.0; batch * steps * outputs];
                for window in 0..batch {
                    let last = (window * steps + steps - 1) * outputs;
                    d_output[last + MEDIAN * horizon + step] = 1.0;
                }
                let data = TensorData::new(d_output, [batch, steps, outputs]);
                let d_output = Tensor::<3>::from_data(data, options);
                let d_hidden = member.recurrence.readout.backward(trace.output(), d_output).hidden;
                let d_input = host(trace.backward(d_hidden, None).input);
                let windows = d_input.chunks_exact(steps * geometry.features());
                for (d_input, all) in windows.zip(all.chunks_exact_mut(rows)) {
                    // The rows of each season, without how much the window moves and what its series is.
                    let seasons = d_input.chunks_exact(geometry.features());
                    let by_row = seasons.flat_map(|features| &features[..season]);
                    for (row, slope) in by_row.enumerate() {
                        all[rows - 1 - row] += share * (slope + linear[row * horizon + step]);
                    }
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::scaled_window::Link;
    use crate::model::panel::{Ensemble, EnsembleSize, Geometry};
    use crate::nn::AnyCell;
    use burn::module::Param;
    use burn::tensor::{DType, Device};

    /// Through both paths of each member: against central differences.
    #[test]
    fn the_derivatives_are_those_of_differences() {
        let geometry =
            Geometry { window: 6, season: 3, horizon: 4, link: Link::Logarithm, categories: 2 };
        let (device, dtype) = (Device::default(), DType::F64);
        let size = EnsembleSize { members: 2, hidden: 3, layers: 2 };
        let cell = AnyCell::named("lstm").unwrap();
        let options = (&device, dtype);
        let mut ensemble = Ensemble::new(cell, (geometry, 0.4), size, 5, |config| config, options);
        for (number, member) in ensemble.members.iter_mut().enumerate() {
            let readout = &mut member.recurrence.readout;
            let [hidden, outputs] = readout.w_2.dims();
            let values = (0..hidden * outputs).map(|i| ((i * 7 + number) % 11) as f64 / 5.0 - 1.0);
            let data = TensorData::new(values.collect::<Vec<f64>>(), [hidden, outputs]);
            readout.w_2 = Param::from_tensor(Tensor::from_data(data, options));
        }
        let forecaster = PanelForecaster { ensemble, geometry, device: device.clone(), dtype };
        let kinds = [[1., 0.], [0.25, 0.75]];
        let known = [[10., 20., 33., 11., 23., 31.], [5., 9., 7., 6., 8., 7.5]];
        let past = [0, 1].map(|series| Past { rows: &known[series], categories: &kinds[series] });
        let windows: Vec<Scaled> = past.iter().map(|&past| geometry.scaled(past)).collect();
        let median = |windows: &[Scaled]| -> Vec<f64> {
            let each = vec![windows.to_vec(); 2];
            let outputs = forecaster.ensemble.forward(geometry, &each, options);
            let outputs: Vec<Vec<f64>> = outputs.into_iter().map(host).collect();
            let size = geometry.outputs();
            let at = |window: usize, step: usize| {
                let place = window * size + MEDIAN * 4 + step;
                outputs.iter().map(|z| z[place]).sum::<f64>() / 2.0
            };
            (0..2)
                .flat_map(|window| (0..4).map(move |step| (window, step)))
                .map(|(window, step)| at(window, step))
                .collect()
        };
        let gradient = forecaster.gradient(&windows);
        let mut expected = vec![0.0; 6];
        for (window, lag) in (0..2).flat_map(|window| (0..6).map(move |lag| (window, lag))) {
            let moved = |by: f64| {
                let mut windows = windows.clone();
                windows[window].rows[5 - lag] += by;
                median(&windows)
            };
            let (more, less) = (moved(1e-5), moved(-1e-5));
            for step in 0..4 {
                let difference = (more[window * 4 + step] - less[window * 4 + step]) / 2e-5;
                let found = gradient[(step * 2 + window) * 6 + lag];
                assert!((found - difference).abs() < 1e-8, "{found} and not {difference}");
                expected[lag] += difference.abs() / 8.0;
            }
        }
        assert!(expected.iter().all(|size| *size > 0.01));
        let found = forecaster.importance(&past);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-8));
    }
}
