//! The loss during training.

use super::axes::{Frame, NAME, drawable, log_ticks, range, round_ticks, spread, title, widened};
use super::canvas::{Align, Canvas, Font, GREY, INK, Marker, PALETTE, Point, Stroke};
use super::{Drawing, Error, save};
use plotters::prelude::DrawingBackend;
use std::path::{Path, PathBuf};

/// Training and validation loss by epoch (or another unit) on a log axis, with the best epoch marked. It has
/// the smallest validation loss, or the smallest training loss where there is no validation.
#[derive(Clone, Debug)]
pub struct LearningCurve {
    /// The training loss by epoch, from epoch 1. Losses that are not finite and above zero are left out.
    pub train: Vec<f64>,
    /// The validation loss, likewise. It may be empty.
    pub valid: Vec<f64>,
    /// The distance from one loss to the next, in that unit.
    pub every: usize,
    /// The unit: epoch, optimizer step.
    pub unit: &'static str,
    /// A loss to compare with, and its name.
    pub level: Option<(String, f64)>,
    /// Title.
    pub title: String,
}

/// Epoch, counted from 1, and the exponent of ten.
fn points(losses: &[f64], every: usize) -> Vec<Point> {
    let logs = losses.iter().map(|loss| loss.log10()).enumerate();
    let drawable = logs.filter(|(_, log)| drawable(*log));
    drawable.map(|(number, log)| (((number + 1) * every) as f64, log)).collect()
}

impl LearningCurve {
    /// Draws both as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If no loss is finite and above zero, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if points(&self.train, 1).is_empty() && points(&self.valid, 1).is_empty() {
            return Err(Error::Nothing("the learning curve has no finite loss above zero"));
        }
        save(self, stem)
    }
}

impl Drawing for LearningCurve {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        let (train, valid) = (points(&self.train, self.every), points(&self.valid, self.every));
        let level = self.level.as_ref().map(|(name, loss)| (name, loss.log10()));
        let level = level.filter(|(_, log)| drawable(*log));
        let logs = train.iter().chain(&valid).map(|(_, log)| *log);
        let logs = logs.chain(level.map(|(_, log)| log));
        let Some(logs) = range(logs) else { return Ok(()) };
        title(canvas, 1520.0, &self.title, "", false)?;
        let font = Font::new(NAME, INK);
        let first = self.every as f64;
        let last = first * self.train.len().max(self.valid.len()).max(2) as f64;
        // Room for the widest name, "validation", at the right.
        let right = 1560.0 - canvas.text_width("validation", font)? - 24.0;
        let frame = Frame {
            left: 150.0,
            top: 170.0,
            right,
            bottom: 870.0,
            x: (first, last),
            y: widened((logs.0, logs.1.max(logs.0 + 0.02)), 0.06),
        };
        let mut x_ticks = round_ticks((first, last), 10);
        x_ticks.retain(|(epoch, _)| epoch.fract() == 0.0);
        for (_, label) in &mut x_ticks {
            if let Some(whole) = label.strip_suffix(".0") {
                *label = whole.into();
            }
        }
        if x_ticks.first().is_some_and(|(epoch, _)| epoch - first > 0.06 * (last - first)) {
            x_ticks.insert(0, (first, self.every.to_string()));
        }
        frame.draw(canvas, &x_ticks, &log_ticks(frame.y, 10))?;
        canvas.text(self.unit, ((frame.left + frame.right) / 2.0, 960.0), Align::Center, font)?;
        canvas.text("loss", (40.0, frame.top - 22.0), Align::Left, font)?;

        let measured = if valid.is_empty() { &train } else { &valid };
        let best = measured.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
        if let Some(best) = best {
            let (x, _) = frame.at(best);
            let dash = Some((8.0, 8.0));
            canvas.line(
                &[(x, frame.top), (x, frame.bottom)],
                Stroke { dash, ..Stroke::new(2.0, GREY) },
            )?;
            let name = if valid.is_empty() { "training" } else { "validation" };
            let losses = if valid.is_empty() { &self.train } else { &self.valid };
            let loss = losses[(best.0 / first).round() as usize - 1];
            let (unit, loss) = (self.unit, significant(loss));
            let text = format!("lowest {name} loss: {loss}, {unit} {}", best.0);
            let half = canvas.text_width(&text, font)? / 2.0;
            let x = x.clamp(frame.left + 60.0 + half, 1560.0 - half);
            canvas.text(&text, (x, frame.top - 22.0), Align::Center, font)?;
        }
        if let Some((name, log)) = level {
            let (from, to) = (frame.at((first, log)), frame.at((last, log)));
            let stroke = Stroke { dash: Some((3.0, 7.0)), ..Stroke::new(3.0, INK) };
            canvas.line(&[from, to], stroke)?;
            // At the end, if the curves are on one side of it.
            let ends = [train.last(), valid.last()].into_iter().flatten();
            let (above, below) = (to.1 - 0.5 * NAME, to.1 + 1.1 * NAME);
            let under = ends.clone().count() > 0 && ends.clone().all(|(_, end)| *end < log);
            let room = (above - NAME > frame.top, below < frame.bottom - NAME);
            let y = if (under && room.0) || !room.1 { above } else { below };
            canvas.text(name, (to.0 - 14.0, y), Align::Right, font)?;
        }
        let curves = [
            ("training", &train, Stroke::new(4.0, PALETTE[0])),
            (
                "validation",
                &valid,
                Stroke { dash: Some((16.0, 7.0)), ..Stroke::new(4.0, PALETTE[1]) },
            ),
        ];
        let mut ends = Vec::new();
        for (name, points, stroke) in curves {
            let points: Vec<Point> = points.iter().map(|&point| frame.at(point)).collect();
            canvas.line(&points, stroke)?;
            if points.len() <= 40 {
                points
                    .iter()
                    .try_for_each(|&at| canvas.marker(Marker::Disc, at, 6.0, stroke.color))?;
            }
            ends.extend(points.last().map(|&end| (end, name, stroke)));
        }
        if let Some(best) = best {
            let color = if valid.is_empty() { PALETTE[0] } else { PALETTE[1] };
            canvas.marker(Marker::Ring, frame.at(best), 12.0, color)?;
        }
        ends.sort_by(|(a, ..), (b, ..)| a.1.total_cmp(&b.1));
        let heights: Vec<f64> = ends.iter().map(|(end, ..)| end.1).collect();
        let heights = spread(&heights, 1.3 * NAME, (frame.top, frame.bottom));
        for ((_, name, stroke), y) in ends.into_iter().zip(heights) {
            let font = Font::new(NAME, stroke.color);
            canvas.text(name, (right + 18.0, y + font.half_digit()), Align::Left, font)?;
        }
        Ok(())
    }
}

/// A loss to three significant digits.
fn significant(loss: f64) -> String {
    let exponent = loss.log10().floor();
    if (-4.0..6.0).contains(&exponent) {
        format!("{loss:.*}", (2.0 - exponent).max(0.0) as usize)
    } else {
        let text = format!("{loss:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{mantissa}×{}", super::axes::power_of_ten(exponent.parse().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_has_three_digits() {
        assert_eq!(
            [0.2345, 12.34, 1234.0, 1.5e-7].map(significant),
            ["0.234", "12.3", "1234", "1.50×10⁻⁷"]
        );
    }

    #[test]
    fn nothing_is_refused_and_what_is_not_finite_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let save = |train: &[f64], valid: &[f64]| {
            let (train, valid) = (train.into(), valid.into());
            let level = Some(("level".into(), 0.1));
            let title = "T".into();
            LearningCurve { train, valid, every: 7, unit: "epoch", level, title }.save(&stem)
        };
        assert!(matches!(save(&[], &[]), Err(Error::Nothing(_))));
        assert!(matches!(save(&[f64::NAN, 0.0], &[-1.0]), Err(Error::Nothing(_))));
        save(&[1.0], &[]).unwrap();
        save(&[f64::INFINITY, 1e-300, f64::MAX], &[f64::NAN, 0.0, 5e-324, 2.0]).unwrap();
    }
}
