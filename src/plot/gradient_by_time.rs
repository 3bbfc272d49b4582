//! The size of the gradient at each time step: where it vanishes, and where it explodes.

use super::axes::{
    self, Entry, Frame, NAME, drawable, legend, log_ticks, range, round_ticks, spread, title,
};
use super::canvas::{Align, Canvas, Font, GREY, INK, Point, Stroke, curve_style, distance};
use super::{Drawing, Error, save, svg};
use plotters::prelude::DrawingBackend;
use std::path::{Path, PathBuf};

/// Sizes of a gradient by time on a log axis, with the name of each curve at its end.
///
/// In the texts `w_rec` and `S_k` are drawn as letters with an index.
#[derive(Clone, Debug)]
pub struct GradientByTime {
    /// One curve for each setting.
    pub curves: Vec<Curve>,
    /// Title.
    pub title: String,
    /// The text below the title.
    pub subtitle: String,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name.
    pub label: String,
    /// The size `|∂ξ/∂S_k|` for `k = 0…T`. A log axis has no place for zero,
    /// so zeros are left out, and so are negative values and those that are not finite.
    pub values: Vec<f64>,
}

/// If there are more curves than this, their names are in a legend.
const NAMED_AT_THEIR_END: usize = 16;

impl Curve {
    /// Time and the exponent of ten.
    fn points(&self) -> impl DoubleEndedIterator<Item = Point> {
        let logs = self.values.iter().map(|value| value.log10()).enumerate();
        logs.filter(|(_, log)| drawable(*log)).map(|(k, log)| (k as f64, log))
    }
}

impl GradientByTime {
    /// Draws the curves as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If no curve has a value above zero, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if self.decades().is_none() {
            return Err(Error::Nothing("no curve has a finite value above zero"));
        }
        save(self, stem)
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// If no curve has a value above zero.
    pub fn svg(&self) -> Result<String, Error> {
        if self.decades().is_none() {
            return Err(Error::Nothing("no curve has a finite value above zero"));
        }
        svg(self)
    }

    /// The range of exponents.
    fn decades(&self) -> Option<(f64, f64)> {
        range(self.curves.iter().flat_map(Curve::points).map(|(_, log)| log))
    }

    /// Whether the curves are further apart at their beginning than at their end.
    fn fans_out_at_the_beginning(&self) -> bool {
        let width = |end: fn(&Curve) -> Option<Point>| {
            let ends = self.curves.iter().filter_map(end).map(|(_, log)| log);
            range(ends).map_or(0.0, |(low, high)| high - low)
        };
        width(|curve| curve.points().next()) > width(|curve| curve.points().next_back())
    }
}

impl Drawing for GradientByTime {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        let Some((low, high)) = self.decades() else { return Ok(()) };
        title(canvas, 1520.0, &self.title, &self.subtitle, true)?;
        let steps = self.curves.iter().map(|curve| curve.values.len()).max().unwrap_or(1);
        let last = (steps - 1).max(1) as f64;
        // At least a decade, so that a nearly constant curve looks constant.
        let more = (1.0 - (high - low)).max(0.0) / 2.0;
        let (low, high) = axes::widened((low - more, high + more), 0.06);

        let font = Font::new(NAME, INK);
        let at_end = self.curves.len() <= NAMED_AT_THEIR_END;
        let mut names = Vec::new();
        for curve in &self.curves {
            names.push(canvas.shortened(&curve.label, font, 420.0)?);
        }
        let mut room = 0.0_f64;
        for name in names.iter().filter(|_| at_end) {
            room = room.max(canvas.formula_width(name, font)? + 60.0);
        }
        let left_side = self.fans_out_at_the_beginning();
        let (before, after) = if left_side { (room, 24.0) } else { (24.0, room) };

        let mut top = 160.0;
        if !at_end {
            let entries: Vec<Entry> = (names.iter().enumerate())
                .map(|(number, label)| {
                    let (stroke, marker) = curve_style(number);
                    Entry { label, stroke, marker: Some(marker) }
                })
                .collect();
            // A chart is drawn even if the names of very many curves leave no room for it.
            top = legend(canvas, &entries, (150.0, 1560.0), 140.0, true)?.min(500.0) + 20.0;
        }
        // The names stand between the axis and the curves, so the frame begins before time 0.
        let (left, right, bottom) = (150.0, 1560.0, 870.0);
        let pixel = last / (right - left - before - after);
        let frame = Frame {
            left,
            top,
            right,
            bottom,
            x: (-before * pixel, last + after * pixel),
            y: (low, high),
        };
        let y_ticks = log_ticks((low, high), 12);
        let mut x_ticks = round_ticks((0.0, last), 12);
        x_ticks.retain(|(k, _)| k.fract() == 0.0);
        frame.draw(canvas, &x_ticks, &y_ticks)?;
        canvas.formula(
            "time step k",
            ((frame.at((last / 2.0, 0.0))).0, 960.0),
            Align::Center,
            font,
        )?;
        let begin = frame.at((0.0, low)).0;
        canvas.text("← backward in time", (begin, 960.0), Align::Left, Font::new(NAME, GREY))?;

        let every = steps.div_ceil(16);
        let mut ends: Vec<(usize, Point)> = Vec::new();
        for (number, curve) in self.curves.iter().enumerate() {
            let (stroke, marker) = curve_style(number);
            let points: Vec<Point> = curve.points().map(|point| frame.at(point)).collect();
            canvas.line(&points, stroke)?;
            let marked = points.iter().skip(number % every).step_by(every);
            marked.into_iter().try_for_each(|&at| canvas.marker(marker, at, 9.0, stroke.color))?;
            let end = if left_side { points.first() } else { points.last() };
            ends.extend(end.map(|&end| (number, end)));
        }
        if !at_end {
            return Ok(());
        }
        ends.sort_by(|(_, a), (_, b)| a.1.total_cmp(&b.1));
        let heights: Vec<f64> = ends.iter().map(|(_, end)| end.1).collect();
        let gap = (1.4 * NAME).min((bottom - top - NAME) / ends.len().max(1) as f64);
        let heights = spread(&heights, gap, (top + NAME / 2.0, bottom - NAME / 2.0));
        for (&(number, end), y) in ends.iter().zip(heights) {
            let (stroke, _) = curve_style(number);
            let font = Font::new(NAME, stroke.color);
            let (x, side, align) = if left_side {
                (frame.at((0.0, 0.0)).0.min(end.0), -1.0, Align::Right)
            } else {
                (frame.at((last, 0.0)).0.max(end.0), 1.0, Align::Left)
            };
            let (near, far) = ((end.0 + side * 12.0, end.1), (x + side * 34.0, y));
            if distance(near, far) > 30.0 {
                canvas.line(&[near, far], Stroke::new(1.5, stroke.color))?;
            }
            let width = canvas.formula_width(&names[number], font)?;
            let text = x + side * 40.0;
            let (from, to) = (text - 4.0, text + side * (width + 4.0));
            let half = 0.6 * NAME;
            canvas.rectangle(
                (from.min(to), y - half),
                (from.max(to), y + half),
                plotters::style::WHITE,
            )?;
            canvas.formula(&names[number], (text, y + font.half_digit()), align, font)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_refused_and_what_is_not_finite_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let save = |values: &[&[f64]]| {
            let curve =
                |values: &&[f64]| Curve { label: "w_é = _".into(), values: values.to_vec() };
            let curves = values.iter().map(curve).collect();
            GradientByTime { curves, title: "T".into(), subtitle: String::new() }.save(&stem)
        };
        assert!(matches!(save(&[]), Err(Error::Nothing(_))));
        assert!(matches!(save(&[&[], &[0.0, f64::NAN, -1.0]]), Err(Error::Nothing(_))));
        save(&[&[1.0]]).unwrap();
        save(&[&[f64::MAX, f64::INFINITY, 5e-324], &[0.0, 1.0, f64::NAN, 2.0]]).unwrap();
        save(&[&[1.0, 1.5][..]; 40]).unwrap();
    }
}
