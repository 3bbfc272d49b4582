//! Gates over time: their mean, and the share of units that are saturated.

use super::axes::{Entry, NAME, TICK, legend, round_ticks, title};
use super::canvas::{Align, Canvas, Font, INK, Marker, PALETTE, Point, Stroke};
use super::panels::frames;
use super::{Drawing, Error, save, svg};
use plotters::prelude::DrawingBackend;
use std::path::{Path, PathBuf};

/// One chart per gate: its mean over rows and units, and the shares of units below 0.1 and above 0.9.
#[derive(Clone, Debug)]
pub struct Gates {
    /// The gates.
    pub gates: Vec<Gate>,
    /// Title.
    pub title: String,
    /// The text below the title.
    pub subtitle: String,
}

/// One gate over time.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Its name.
    pub label: String,
    /// The mean by time.
    pub mean: Vec<f64>,
    /// The share below 0.1 by time.
    pub below: Vec<f64>,
    /// The share above 0.9 by time.
    pub above: Vec<f64>,
}

impl Gates {
    /// Draws the gates as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If there is no gate of at least two steps, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        self.check()?;
        save(self, stem)
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// If there is no gate of at least two steps.
    pub fn svg(&self) -> Result<String, Error> {
        self.check()?;
        svg(self)
    }

    fn check(&self) -> Result<(), Error> {
        let drawable = !self.gates.is_empty() && self.gates.iter().all(|gate| gate.mean.len() > 1);
        if drawable { Ok(()) } else { Err(Error::Nothing("no gate has two steps")) }
    }
}

fn strokes() -> [(&'static str, Stroke); 3] {
    let dashed = |dash, color| Stroke { dash: Some(dash), ..Stroke::new(4.0, color) };
    [
        ("mean", Stroke::new(4.0, PALETTE[0])),
        ("share of units above 0.9: open", dashed((16.0, 8.0), PALETTE[1])),
        ("share of units below 0.1: shut", dashed((4.0, 8.0), PALETTE[2])),
    ]
}

impl Drawing for Gates {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, &self.subtitle, false)?;
        let strokes = strokes();
        let entries: Vec<Entry<'_>> = strokes
            .iter()
            .map(|&(label, stroke)| Entry { label, stroke, marker: None::<Marker> })
            .collect();
        let top = legend(canvas, &entries, (110.0, 1560.0), 140.0, false)?;
        let time = self.gates.iter().map(|gate| gate.mean.len()).max().unwrap_or(2);
        let ranges = ((1.0, time as f64), (-0.02, 1.02));
        let area = [10.0, top + 6.0, 1590.0, 990.0];
        let font = Font::new(NAME, INK);
        for (gate, frame) in
            self.gates.iter().zip(frames(self.gates.len(), area, ranges.0, ranges.1))
        {
            let mut steps = round_ticks(ranges.0, 6);
            steps.retain(|(value, _)| value.fract() == 0.0);
            let shares = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, share.to_string()));
            frame.draw(canvas, &steps, &shares)?;
            for (values, (_, stroke)) in [&gate.mean, &gate.above, &gate.below].iter().zip(strokes)
            {
                let points: Vec<Point> = values
                    .iter()
                    .enumerate()
                    .filter(|(_, value)| value.is_finite())
                    .map(|(t, &value)| frame.at((t as f64 + 1.0, value)))
                    .collect();
                canvas.line(&points, stroke)?;
            }
            let label = canvas.shortened(&gate.label, font.bold(), frame.right - frame.left)?;
            canvas.text(&label, (frame.left, frame.top - 14.0), Align::Left, font.bold())?;
            let middle = (frame.left + frame.right) / 2.0;
            let below = frame.bottom + 14.0 + 2.2 * TICK;
            canvas.text("time step", (middle, below), Align::Center, font)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_refused_and_what_is_not_finite_left_out() {
        let gates = |mean: Vec<f64>, count| {
            let (below, above) = (mean.clone(), mean.clone());
            let gate = Gate { label: "forget".into(), mean, below, above };
            Gates { gates: vec![gate; count], title: "T".into(), subtitle: String::new() }
        };
        assert!(matches!(gates(vec![], 0).svg(), Err(Error::Nothing(_))));
        assert!(matches!(gates(vec![0.5], 2).svg(), Err(Error::Nothing(_))));
        for count in [1, 2, 5, 12] {
            gates(vec![f64::NAN, 0.2, 1.0], count).svg().unwrap();
        }
    }
}
