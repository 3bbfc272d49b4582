//! The part of a page that says how far back in time a network listens, before training and after it.

use super::ReportError;
use crate::plot::gradient_by_time::{Curve, GradientByTime};
use crate::plot::page::{Section, Table};
use crate::recurrence::flow::StateGradient;
use std::path::{Path, PathBuf};

/// What [`GradientFlow::section`] shows.
pub(super) struct GradientFlow<'a> {
    /// The cell.
    pub cell: &'a str,
    /// The gradient of the last step's loss at each state of each layer, by time: before training and after it.
    pub moments: [Vec<Vec<StateGradient>>; 2],
    /// What a step is called.
    pub step: &'static str,
    /// What the network read: `8 rows of 100 characters of the sample`.
    pub input: String,
}

impl GradientFlow<'_> {
    /// The section, and its picture as files in the folder. There is none if the gradient is zero or not a number.
    pub fn section(&self, folder: &Path) -> Result<Option<(Section, [PathBuf; 2])>, ReportError> {
        let mut curves = Vec::new();
        for (moment, layers) in ["before", "after"].into_iter().zip(&self.moments) {
            let states = layers.last().expect("a layer");
            for state in states {
                let name = if states.len() == 1 { "" } else { &format!(", {}", state.name) };
                let label = format!("{} {moment} training{name}", self.cell);
                curves.push(Curve { label, values: shares(states, state) });
            }
        }
        let drawn =
            curves.iter().any(|curve| curve.values.iter().any(|g| *g > 0.0 && g.is_finite()));
        if !drawn {
            return Ok(None);
        }
        let picture = GradientByTime {
            curves,
            title: "How much of the last step's loss reaches the state of step k".into(),
            subtitle: format!("as a share of what reaches the last hidden state; {}", self.input),
        };
        let files = picture.save(&folder.join("flow"))?;
        let svg = std::fs::read_to_string(&files[1])?;
        let section = Section {
            heading: "How far back it listens".into(),
            text: vec![
                format!(
                    "The gradient of the last {}'s loss at each earlier state, on {}. On the log axis a straight line is a gradient that shrinks by the same factor at each step.",
                    self.step, self.input
                ),
                self.sentence(),
            ],
            picture: Some((svg, "Size of the gradient by time, before and after training.".into())),
            tables: vec![self.table()],
            ..Section::default()
        };
        Ok(Some((section, files)))
    }

    /// Of the trained network's top layer.
    fn sentence(&self) -> String {
        const BACK: usize = 20;
        let states = self.moments[1].last().expect("a layer");
        let time = states[0].gradient_norm.len();
        let back = BACK.min(time - 1);
        let left = states.iter().map(|state| {
            let share = shares(states, state)[time - 1 - back];
            format!("{} of it reaches the {} state", brief(share), state.name)
        });
        let left: Vec<String> = left.collect();
        format!("After training, {back} steps back, {}.", left.join(", and "))
    }

    fn table(&self) -> Table {
        let time = self.moments[0][0][0].gradient_norm.len();
        let lags = lags(time);
        let mut rows = Vec::new();
        for (moment, layers) in ["before", "after"].into_iter().zip(&self.moments) {
            let top = layers.last().expect("a layer");
            for (number, states) in layers.iter().enumerate() {
                for state in states {
                    let shares = shares(top, state);
                    let mut row = vec![format!("{moment}, layer {}, {}", number + 1, state.name)];
                    row.extend(lags.iter().map(|lag| brief(shares[time - 1 - lag])));
                    rows.push(row);
                }
            }
        }
        let mut header = vec!["steps back".to_string()];
        header.extend(lags.iter().map(usize::to_string));
        Table {
            caption: "How much of the last step's loss reaches a state so many steps earlier, as a share of what reaches the top layer's last hidden state".into(),
            header,
            rows,
        }
    }
}

/// By time, as shares of what reaches the last hidden state of the top layer.
fn shares(top: &[StateGradient], state: &StateGradient) -> Vec<f64> {
    let start = top[0].gradient_norm.last().expect("a step");
    state.gradient_norm.iter().map(|norm| norm / start).collect()
}

/// A number for the eye: 0.123, 4.5e-9, 0.
pub fn brief(value: f64) -> String {
    match value {
        value if value.is_nan() => "-".into(),
        0.0 => "0".into(),
        value if (0.001..1000.0).contains(&value.abs()) => format!("{value:.3}"),
        value => format!("{value:.0e}"),
    }
}

/// Lags that a table shows: 0, 1, 2, 5, 10, 20, …
pub fn lags(time: usize) -> Vec<usize> {
    let all = (0..7).flat_map(|decade| [1, 2, 5].map(|digit| digit * 10usize.pow(decade)));
    std::iter::once(0).chain(all).filter(|&lag| lag < time).collect()
}
