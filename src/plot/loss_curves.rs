//! The losses of several trainings, side by side.

use super::axes::{
    Entry, Frame, NAME, drawable, legend, log_ticks, range, round_ticks, title, widened,
};
use super::canvas::{Align, Canvas, Font, INK, Point, curve_style};
use super::{Drawing, Error, svg};
use plotters::prelude::DrawingBackend;

/// Losses by epoch on a log axis, a curve each. The lowest point of each has a marker.
#[derive(Clone, Debug)]
pub struct LossCurves {
    /// The name of each training, and its losses from epoch 1. Losses that are not finite and above zero are left out.
    pub curves: Vec<(String, Vec<f64>)>,
    /// Title.
    pub title: String,
}

/// Epoch, counted from 1, and the exponent of ten.
fn points(losses: &[f64]) -> Vec<Point> {
    let logs = losses.iter().map(|loss| loss.log10()).enumerate();
    let points = logs.map(|(number, log)| ((number + 1) as f64, log));
    points.filter(|(_, log)| drawable(*log)).collect()
}

impl LossCurves {
    /// The picture as SVG.
    ///
    /// # Errors
    /// If no loss is finite and above zero.
    pub fn svg(&self) -> Result<String, Error> {
        if self.curves.iter().all(|(_, losses)| points(losses).is_empty()) {
            return Err(Error::Nothing("no training has a finite loss above zero"));
        }
        svg(self)
    }
}

impl Drawing for LossCurves {
    const SIZE: (u32, u32) = (1600, 900);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, "", false)?;
        let curves: Vec<Vec<Point>> =
            self.curves.iter().map(|(_, losses)| points(losses)).collect();
        let entries = self.curves.iter().enumerate().map(|(number, (label, _))| {
            let (stroke, marker) = curve_style(number);
            Entry { label, stroke, marker: Some(marker) }
        });
        let entries: Vec<Entry> = entries.collect();
        let legend_end = legend(canvas, &entries, (40.0, 1560.0), 84.0, false)?.min(400.0);
        let logs = curves.iter().flatten().map(|(_, log)| *log);
        let (low, high) = range(logs).unwrap_or((0.0, 1.0));
        let last = self.curves.iter().map(|(_, losses)| losses.len()).max().unwrap_or(1).max(2);
        let frame = Frame {
            left: 150.0,
            top: legend_end + 62.0,
            right: 1550.0,
            bottom: 790.0,
            x: widened((1.0, last as f64), 0.012),
            y: widened((low, high.max(low + 0.02)), 0.06),
        };
        let mut x_ticks = round_ticks((1.0, last as f64), 12);
        x_ticks.retain(|(epoch, _)| epoch.fract() == 0.0);
        frame.draw(canvas, &x_ticks, &log_ticks(frame.y, 10))?;
        let font = Font::new(NAME, INK);
        canvas.text("validation loss", (40.0, frame.top - 16.0), Align::Left, font)?;
        canvas.text("epoch", (frame.right, 870.0), Align::Right, font)?;
        for (number, curve) in curves.iter().enumerate().rev() {
            let (stroke, marker) = curve_style(number);
            let line: Vec<Point> = curve.iter().map(|&point| frame.at(point)).collect();
            canvas.line(&line, stroke)?;
            let best = curve.iter().min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some(&best) = best {
                canvas.marker(marker, frame.at(best), 10.0, stroke.color)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_loss_is_left_out_and_nothing_refused() {
        let of = |losses: &[&[f64]]| {
            let named = losses.iter().map(|losses| ("é<".repeat(300), losses.to_vec()));
            LossCurves { curves: named.collect(), title: "T".into() }.svg()
        };
        assert!(matches!(of(&[]), Err(Error::Nothing(_))));
        assert!(matches!(of(&[&[], &[f64::NAN, 0.0, -1.0]]), Err(Error::Nothing(_))));
        let svg = of(&[&[], &[1.0], &[3.0, f64::INFINITY, 1e-300, 2.0]]).unwrap();
        assert!(svg.starts_with("<svg ") && !svg.contains("é<"));
    }
}
