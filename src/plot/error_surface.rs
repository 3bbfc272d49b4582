//! The error over two weights, with the path that training took.

use super::axes::{
    Frame, NAME, TICK, Tick, card, decade_ticks, drawable, place, round_ticks, title,
};
use super::canvas::{Align, Canvas, Font, INK, Point, Stroke, distance};
use super::contour::{area, rings};
use super::{Drawing, Error, save};
use plotters::prelude::{DrawingBackend, RGBColor, WHITE};
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use std::path::{Path, PathBuf};

/// A mean squared error over `(w_x, w_rec)` in colours by its decade, with a line at each decade, and
/// the path of an optimizer on it.
///
/// In the texts `w_rec` is drawn as a letter with an index.
#[derive(Clone, Debug)]
pub struct ErrorSurface {
    /// The grid's values of w_x, rising.
    pub w_x: Vec<f64>,
    /// The grid's values of w_rec, rising.
    pub w_rec: Vec<f64>,
    /// The error, `[w_rec][w_x]` in row-major order. An error that is not finite is drawn as the largest one.
    pub loss: Vec<f64>,
    /// The weights `(w_x, w_rec)` in the order of training. Points that are not finite are left out, and the
    /// path is cut off at the edge of the grid.
    pub path: Vec<(f64, f64)>,
    /// The weights at which the error is smallest.
    pub minimum: (f64, f64),
    /// Title.
    pub title: String,
    /// The text below the title.
    pub subtitle: String,
}

/// Near a minimum the log of the error falls without bound, so the colours begin at the value that this share
/// of the grid is below.
const BELOW_THE_COLOURS: f64 = 0.0005;
/// The most bands of colour. The eye does not tell more apart.
const MOST_BANDS: f64 = 48.0;

/// Exponents of ten, split into bands of one colour.
struct Scale {
    low: f64,
    high: f64,
    bands_a_decade: f64,
}

impl Scale {
    fn bands(&self) -> usize {
        ((self.high - self.low) * self.bands_a_decade) as usize
    }

    /// Where a band begins.
    fn level(&self, band: usize) -> f64 {
        self.low + band as f64 / self.bands_a_decade
    }

    fn color(&self, band: usize) -> RGBColor {
        ViridisRGB.get_color_normalized(band as f64, 0.0, (self.bands() - 1) as f64)
    }

    fn ticks(&self) -> Vec<Tick> {
        decade_ticks((self.low, self.high), 12)
    }
}

impl ErrorSurface {
    /// Draws the surface as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If the grid is not two rising lists of finite weights with an error at each pair, if no error
    /// is finite and above zero, or if a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if self.loss.is_empty() {
            return Err(Error::Nothing("the error surface has no error"));
        }
        if Some(self.loss.len()) != self.w_x.len().checked_mul(self.w_rec.len()) {
            return Err(Error::Shape("the error surface needs an error at each pair of weights"));
        }
        let rising = |w: &[f64]| {
            w.len() > 1 && w.iter().all(|&w| drawable(w)) && w.windows(2).all(|w| w[0] < w[1])
        };
        if !rising(&self.w_x) || !rising(&self.w_rec) {
            return Err(Error::Shape("the weights of an error surface are finite and rise"));
        }
        if self.scale().is_none() {
            return Err(Error::Nothing("the error surface has no finite error above zero"));
        }
        save(self, stem)
    }

    fn scale(&self) -> Option<Scale> {
        let mut logs: Vec<f64> = self.loss.iter().map(|loss| loss.log10()).collect();
        logs.retain(|&log| drawable(log));
        logs.sort_by(f64::total_cmp);
        let low = logs.get((BELOW_THE_COLOURS * logs.len() as f64) as usize)?.floor();
        let high = logs.last()?.ceil().max(low + 1.0);
        let bands_a_decade = (MOST_BANDS / (high - low)).floor().clamp(1.0, 8.0);
        Some(Scale { low, high, bands_a_decade })
    }

    /// The colours, each a polygon: a ring of the level's contour, filled with the colour just inside it.
    /// Contours do not cross, so drawing them from the largest to the smallest keeps all of them visible,
    /// and no polygon needs a hole.
    fn draw_bands<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        frame: &Frame,
        scale: &Scale,
    ) -> Result<(), Error> {
        let log = |loss: &f64| {
            if loss.is_finite() { loss.log10().clamp(scale.low, scale.high) } else { scale.high }
        };
        let logs: Vec<f64> = self.loss.iter().map(log).collect();
        let x: Vec<f64> = self.w_x.iter().map(|&w| frame.at((w, 0.0)).0).collect();
        // Upward, because the contour's y grows upward.
        let y: Vec<f64> = self.w_rec.iter().map(|&w| -frame.at((0.0, w)).1).collect();
        let mut all: Vec<(f64, usize, Vec<Point>)> = Vec::new();
        for band in 1..scale.bands() {
            for ring in rings(&x, &y, &logs, scale.level(band)) {
                all.push((area(&ring), band, ring.iter().map(|&(x, y)| (x, -y)).collect()));
            }
        }
        // Hills that fill the whole frame: the highest comes last and is seen.
        all.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1)));
        let corners = ((frame.left, frame.top), (frame.right, frame.bottom));
        canvas.rectangle(corners.0, corners.1, scale.color(0))?;
        for (area, band, ring) in &all {
            canvas.polygon(ring, scale.color(if *area > 0.0 { *band } else { *band - 1 }))?;
        }
        let marked: Vec<f64> = scale.ticks().into_iter().map(|(decade, _)| decade).collect();
        for (_, band, ring) in
            all.iter().filter(|(_, band, _)| marked.contains(&scale.level(*band)))
        {
            let stroke = Stroke::new(1.4, iso_line_color(scale, *band));
            for line in open_parts(ring, frame) {
                canvas.line(&line, stroke)?;
            }
        }
        Ok(())
    }

    fn draw_color_bar<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        frame: &Frame,
        scale: &Scale,
    ) -> Result<(), Error> {
        let (left, right) = (frame.right + 50.0, frame.right + 95.0);
        let bar = Frame { left, right, x: (0.0, 1.0), y: (scale.low, scale.high), ..*frame };
        for band in 0..scale.bands() {
            // Up to the top, under the bands that follow, so that no seam shows between two bands.
            let from = (left, bar.at((0.0, scale.level(band))).1);
            canvas.rectangle(from, (right, bar.top), scale.color(band))?;
        }
        let font = Font::new(TICK, INK);
        for (decade, label) in scale.ticks() {
            let (_, y) = bar.at((0.0, decade));
            let band = ((decade - scale.low) * scale.bands_a_decade) as usize;
            if (1..scale.bands()).contains(&band) {
                canvas.line(
                    &[(left, y), (right, y)],
                    Stroke::new(1.4, iso_line_color(scale, band)),
                )?;
            }
            canvas.line(&[(right, y), (right + 8.0, y)], Stroke::new(2.0, INK))?;
            canvas.text(&label, (right + 14.0, y + font.half_digit()), Align::Left, font)?;
        }
        let font = Font::new(NAME, INK);
        canvas.text("mean squared", (1580.0, bar.top - 58.0), Align::Right, font)?;
        canvas.text("error", (1580.0, bar.top - 24.0), Align::Right, font)
    }

    fn draw_path<B: DrawingBackend>(&self, canvas: &Canvas<B>, frame: &Frame) -> Result<(), Error> {
        let finite = |&&(w_x, w_rec): &&Point| drawable(w_x) && drawable(w_rec);
        let path: Vec<Point> =
            self.path.iter().filter(finite).map(|&weights| frame.at(weights)).collect();
        let parts = frame.clipped(&path);
        for (width, color) in [(9.0, WHITE), (4.0, INK)] {
            parts.iter().try_for_each(|part| canvas.line(part, Stroke::new(width, color)))?;
        }

        let mut labels: Vec<(Point, String)> = Vec::new();
        let minimum = frame.at(self.minimum);
        let seen = drawable(self.minimum.0) && drawable(self.minimum.1) && frame.holds(minimum);
        if let Some(&start) = path.first().filter(|&&start| frame.holds(start)) {
            canvas.disc(start, 13.0, WHITE)?;
            canvas.disc(start, 9.0, INK)?;
            labels.push((start, "start".into()));
        }
        let end = path.last().filter(|&&end| path.len() > 1 && frame.holds(end));
        if let Some(&end) = end {
            // A ring, so that the cross of a minimum inside it stays visible.
            for (radius, color) in [(21.0, WHITE), (17.0, INK), (13.0, WHITE)] {
                canvas.disc(end, radius, color)?;
            }
            canvas.disc(end, if seen && distance(end, minimum) < 17.0 { 0.0 } else { 4.0 }, INK)?;
        }
        if seen {
            let reach = 8.0;
            for (width, color) in [(9.0, WHITE), (4.0, VERMILION)] {
                for side in [1.0, -1.0] {
                    let from = (minimum.0 - reach, minimum.1 - side * reach);
                    let to = (minimum.0 + reach, minimum.1 + side * reach);
                    canvas.line(&[from, to], Stroke::new(width, color))?;
                }
            }
        }
        match end {
            Some(&end) if seen && distance(end, minimum) < 17.0 => {
                labels.push((end, "end, at the minimum".into()));
            }
            end => {
                labels.extend(end.map(|&end| (end, "end".into())));
                labels.extend(seen.then(|| (minimum, "minimum".into())));
            }
        }

        let font = Font::new(NAME, INK);
        let mut taken: Vec<(Point, Point)> =
            labels.iter().map(|(point, _)| (*point, (20.0, 20.0))).collect();
        for (point, label) in labels {
            let half = (canvas.formula_width(&label, font)? / 2.0 + 8.0, 0.68 * NAME);
            let center = place(point, half, frame, &path, &taken);
            taken.push((center, half));
            card(canvas, &label, center, font)?;
        }
        Ok(())
    }
}

/// The colour of the minimum's cross. It differs from every colour of the surface.
const VERMILION: RGBColor = RGBColor(213, 94, 0);

/// A colour between the band's colour and white.
fn iso_line_color(scale: &Scale, band: usize) -> RGBColor {
    let RGBColor(red, green, blue) = scale.color(band);
    let lighter = |channel: u8| ((u16::from(channel) + 255) / 2) as u8;
    RGBColor(lighter(red), lighter(green), lighter(blue))
}

/// The parts of a ring that do not run along the frame.
fn open_parts(ring: &[Point], frame: &Frame) -> Vec<Vec<Point>> {
    let along = |a: Point, b: Point| {
        let near = |a: f64, b: f64, side: f64| (a - side).abs() < 1e-6 && (b - side).abs() < 1e-6;
        near(a.0, b.0, frame.left)
            || near(a.0, b.0, frame.right)
            || near(a.1, b.1, frame.top)
            || near(a.1, b.1, frame.bottom)
    };
    let closed: Vec<Point> = ring.iter().chain(ring.first()).copied().collect();
    let parts = closed.chunk_by(|&a, &b| !along(a, b));
    parts.filter(|part| part.len() > 1).map(<[Point]>::to_vec).collect()
}

impl Drawing for ErrorSurface {
    const SIZE: (u32, u32) = (1600, 1200);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        let Some(scale) = self.scale() else { return Ok(()) };
        let (Some(&left), Some(&right)) = (self.w_x.first(), self.w_x.last()) else {
            return Ok(());
        };
        let (Some(&low), Some(&high)) = (self.w_rec.first(), self.w_rec.last()) else {
            return Ok(());
        };
        title(canvas, 1280.0, &self.title, &self.subtitle, true)?;
        let frame = Frame {
            left: 190.0,
            top: 150.0,
            right: 1370.0,
            bottom: 1070.0,
            x: (left, right),
            y: (low, high),
        };
        self.draw_bands(canvas, &frame, &scale)?;
        let x_ticks = round_ticks(frame.x, 8);
        let y_ticks = round_ticks(frame.y, 8);
        frame.draw_axes(canvas, &x_ticks, &y_ticks)?;
        let font = Font::new(34.0, INK);
        canvas.formula("w_x", ((frame.left + frame.right) / 2.0, 1160.0), Align::Center, font)?;
        let middle = (frame.top + frame.bottom) / 2.0;
        canvas.formula("w_rec", (30.0, middle + font.half_digit()), Align::Left, font)?;
        self.draw_path(canvas, &frame)?;
        self.draw_color_bar(canvas, &frame, &scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface() -> ErrorSurface {
        ErrorSurface {
            w_x: vec![-1.0, 0.0, 1.0, 2.0],
            w_rec: vec![0.0, 1.0, 2.0],
            loss: (0..12).map(|i| f64::from(i) * 10_f64.powi(2 * i - 6)).collect(),
            path: vec![(-1.0, 0.0), (5.0, 1.0), (1.0, 1.0)],
            minimum: (1.0, 1.0),
            title: "T".into(),
            subtitle: "S".into(),
        }
    }

    #[test]
    fn a_grid_that_does_not_fit_is_refused() {
        let stem = Path::new("/absent/a");
        let refused = |change: fn(&mut ErrorSurface)| {
            let mut surface = surface();
            change(&mut surface);
            surface.save(stem).unwrap_err()
        };
        assert!(matches!(refused(|s| s.loss.clear()), Error::Nothing(_)));
        assert!(matches!(refused(|s| s.loss.fill(f64::NAN)), Error::Nothing(_)));
        assert!(matches!(refused(|s| s.loss.fill(0.0)), Error::Nothing(_)));
        assert!(matches!(refused(|s| s.loss.truncate(5)), Error::Shape(_)));
        assert!(matches!(refused(|s| s.w_x.reverse()), Error::Shape(_)));
        assert!(matches!(refused(|s| s.w_rec[1] = f64::NAN), Error::Shape(_)));
    }

    #[test]
    fn what_is_not_finite_does_not_panic() {
        let folder = tempfile::tempdir().unwrap();
        let mut surface = surface();
        for (i, value) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::MAX, 5e-324]
            .into_iter()
            .enumerate()
        {
            surface.loss[2 * i] = value;
            surface.path.push((value, 1.0));
            surface.path.push((1.0, value));
        }
        surface.minimum = (f64::NAN, f64::INFINITY);
        surface.save(&folder.path().join("a")).unwrap();
        surface.path.clear();
        surface.loss.fill(1.0);
        surface.save(&folder.path().join("a")).unwrap();
    }
}
