//! The errors of forecasts by the number of steps ahead.

use super::axes::{
    Entry, Frame, NAME, drawable, legend, range, round_ticks, title, widened, widest,
};
use super::canvas::{Align, Canvas, Font, INK, Point, curve_style};
use super::{Drawing, Error, save};
use plotters::prelude::DrawingBackend;
use std::path::{Path, PathBuf};

/// The errors of several methods, one step ahead, two, …
#[derive(Clone, Debug)]
pub struct ErrorByStep {
    /// Each method's name and its errors; the most important first.
    pub curves: Vec<(String, Vec<f64>)>,
    /// The name of the errors, with their unit.
    pub name: String,
    /// Title.
    pub title: String,
}

impl ErrorByStep {
    /// Draws it as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If no error is a finite number, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if self.largest().is_none() {
            return Err(Error::Nothing("no error is a finite number"));
        }
        save(self, stem)
    }

    fn largest(&self) -> Option<f64> {
        let values = self.curves.iter().flat_map(|(_, values)| values.iter().copied());
        range(values).map(|(_, largest)| largest)
    }
}

impl Drawing for ErrorByStep {
    const SIZE: (u32, u32) = (1600, 900);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, "", false)?;
        let curves = || self.curves.iter().enumerate();
        let entries: Vec<Entry> = curves()
            .map(|(number, (label, _))| {
                let (stroke, marker) = curve_style(number);
                Entry { label, stroke, marker: Some(marker) }
            })
            .collect();
        let legend_end = legend(canvas, &entries, (40.0, 1560.0), 84.0, false)?.min(400.0);
        let steps = self.curves.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        let y = (0.0, widened((0.0, self.largest().unwrap_or(1.0)), 0.06).1);
        let y_ticks = round_ticks(y, 8);
        let frame = Frame {
            left: (widest(canvas, &y_ticks)? + 56.0).max(110.0),
            top: legend_end + 62.0,
            right: 1550.0,
            bottom: 790.0,
            x: widened((1.0, steps.max(2) as f64), 0.012),
            y,
        };
        let mut x_ticks = round_ticks((1.0, steps as f64), 12);
        x_ticks.retain(|(step, _)| step.fract() == 0.0);
        frame.draw(canvas, &x_ticks, &y_ticks)?;
        let font = Font::new(NAME, INK);
        let name = canvas.shortened(&self.name, font, 1000.0)?;
        canvas.text(&name, (40.0, frame.top - 16.0), Align::Left, font)?;
        canvas.text("steps ahead", (frame.right, 870.0), Align::Right, font)?;
        let apart = (frame.right - frame.left) / steps as f64;
        for (number, (_, values)) in curves().rev() {
            let (stroke, marker) = curve_style(number);
            let points: Vec<Point> =
                values.iter().enumerate().map(|(step, &v)| (step as f64 + 1.0, v)).collect();
            for part in points.split(|&(_, value)| !drawable(value)) {
                let part: Vec<Point> = part.iter().map(|&point| frame.at(point)).collect();
                canvas.line(&part, stroke)?;
                // As many markers as there is room for.
                let every = (26.0 / apart).ceil().max(1.0) as usize;
                for &at in part.iter().step_by(every) {
                    canvas.marker(marker, at, 7.0, stroke.color)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_left_out_and_nothing_refused() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let mut picture = ErrorByStep { curves: vec![], name: "RMSE".into(), title: "T".into() };
        assert!(matches!(picture.save(&stem), Err(Error::Nothing(_))));
        picture.curves.push(("é".repeat(900), vec![f64::NAN]));
        assert!(matches!(picture.save(&stem), Err(Error::Nothing(_))));
        picture.curves.push(("b".into(), vec![0.0]));
        picture.save(&stem).unwrap();
        picture.curves.push(("c".into(), vec![1.0, f64::INFINITY, 2.0, f64::NAN, 3.0]));
        picture.curves.push(("d".into(), (0..5000).map(f64::from).collect()));
        picture.save(&stem).unwrap();
    }
}
