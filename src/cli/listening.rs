//! The part of a report that says how far back a trained network listens.

use super::Failure;
use super::flow::{brief, lags};
use bptt::plot::gradient_by_time::{Curve, GradientByTime};
use bptt::plot::page::{Section, Table};
use bptt::recurrence::flow::StateGradient;
use std::path::{Path, PathBuf};

/// What [`Listening::section`] says.
pub struct Listening<'a> {
    /// The cell.
    pub cell: &'a str,
    /// The gradient of the last step's loss at each state of each layer, by time: before training and after it.
    pub moments: [Vec<Vec<StateGradient>>; 2],
    /// What a step is called.
    pub step: &'static str,
    /// What was looked at: `8 rows of 100 characters of the sample`.
    pub what: String,
}

/// Steps back at which the text says what is left.
const SAID: usize = 20;

impl Listening<'_> {
    /// The section, and its picture as files in the folder. There is none if the gradient is zero or no number.
    pub fn section(&self, folder: &Path) -> Result<Option<(Section, [PathBuf; 2])>, Failure> {
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
            subtitle: format!("as a share of what reaches the last hidden state; {}", self.what),
        };
        let files = picture.save(&folder.join("flow"))?;
        let svg = std::fs::read_to_string(&files[1])?;
        let section = Section {
            heading: "How far back it listens".into(),
            text: vec![
                format!(
                    "The loss of the last {} is walked back through time, on {}. On the log axis a straight line is a gradient that shrinks by the same factor at each step.",
                    self.step, self.what
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
        let states = self.moments[1].last().expect("a layer");
        let time = states[0].gradient_norm.len();
        let back = SAID.min(time - 1);
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
