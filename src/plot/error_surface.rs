//! The error over two weights, with the path that training took.

use super::{Area, Drawing, Drawn, Error, INK, plain, power_of_ten, range, save, text, titled};
use plotters::prelude::*;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::{HPos, VPos};
use std::path::{Path, PathBuf};

/// A mean squared error over `(w_x, w_rec)` and a path on it.
#[derive(Clone, Debug)]
pub struct ErrorSurface {
    /// The grid's values of w_x, rising, evenly spaced.
    pub w_x: Vec<f64>,
    /// The grid's values of w_rec, rising, evenly spaced.
    pub w_rec: Vec<f64>,
    /// The error, `[w_rec][w_x]` in row-major order.
    pub loss: Vec<f64>,
    /// The weights `(w_x, w_rec)` that training went through.
    pub path: Vec<(f64, f64)>,
    /// The weights at which the error is zero.
    pub minimum: (f64, f64),
    /// Title.
    pub title: String,
    /// Below the title.
    pub subtitle: String,
}

/// Bands of colour in a decade.
const BANDS: f64 = 2.0;
/// Errors below this share of the largest have one colour: near the minimum they fall without end.
const DECADES: f64 = 14.0;

/// The colour of the path: none of the map's.
const PATH: RGBColor = RGBColor(200, 30, 30);

impl ErrorSurface {
    /// Draws the surface in colours by the decade of the error, as `stem.png` and `stem.svg`.
    ///
    /// # Errors
    /// If there is nothing to draw, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        let sizes = self.w_x.len() > 1
            && self.w_rec.len() > 1
            && self.loss.len() == self.w_x.len() * self.w_rec.len();
        if !sizes || range(self.loss.iter().map(|loss| loss.log10())).is_none() {
            return Err(Error::Nothing("the error surface has no finite error"));
        }
        save(self, stem)
    }

    /// The lowest and the highest decade that has a colour of its own.
    fn decades(&self) -> (f64, f64) {
        let (low, high) =
            range(self.loss.iter().map(|loss| loss.log10())).expect("checked on saving");
        (low.floor().max(high.ceil() - DECADES), high.ceil().max(low.floor() + 1.0))
    }

    fn band(&self, loss: f64, (low, high): (f64, f64)) -> i32 {
        let decade = if loss.is_nan() { high } else { loss.log10().clamp(low, high) };
        (((decade - low) * BANDS) as i32).min(((high - low) * BANDS) as i32 - 1)
    }

    fn color(band: i32, (low, high): (f64, f64)) -> RGBColor {
        ViridisRGB.get_color_normalized(f64::from(band) + 0.5, 0.0, (high - low) * BANDS)
    }
}

impl Drawing for ErrorSurface {
    const SIZE: (u32, u32) = (1600, 1200);

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let area = titled(area, &self.title, &self.subtitle)?;
        let (width, height) = area.dim_in_pixel();
        let (left, right) = area.split_horizontally(width as i32 - 200);
        let decades = self.decades();
        let (x, y) = (&self.w_x, &self.w_rec);
        let (cell_x, cell_y) = (x[1] - x[0], y[1] - y[0]);
        let (x_end, y_end) = (x[x.len() - 1] + cell_x / 2.0, y[y.len() - 1] + cell_y / 2.0);
        let mut chart = ChartBuilder::on(&left)
            .x_label_area_size(90)
            .y_label_area_size(130)
            .build_cartesian_2d(x[0] - cell_x / 2.0..x_end, y[0] - cell_y / 2.0..y_end)?;

        // Each band is drawn to the end of its row and over the row above, and the next band over it:
        // no seam shows between them, and a row takes few rectangles.
        for (row, &w_rec) in y.iter().enumerate() {
            let band = |column: usize| self.band(self.loss[row * x.len() + column], decades);
            let starts = (0..x.len()).filter(|&c| c == 0 || band(c) != band(c - 1));
            chart.draw_series(starts.map(|column| {
                let from = (x[column] - cell_x / 2.0, w_rec - cell_y / 2.0);
                let to = (x_end, (w_rec + 1.5 * cell_y).min(y_end));
                Rectangle::new([from, to], Self::color(band(column), decades).filled())
            }))?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("w_x")
            .y_desc("w_rec")
            .axis_desc_style(text(32.0, INK, HPos::Center, VPos::Top))
            .label_style(text(26.0, INK, HPos::Center, VPos::Top))
            .x_labels(9)
            .y_labels(9)
            .x_label_formatter(&|w| plain(*w, 1))
            .y_label_formatter(&|w| plain(*w, 1))
            .draw()?;

        let path = || self.path.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite());
        // Step by step: the corners of one long line would be drawn out into spikes where it turns back.
        for (width, color) in [(9, WHITE), (4, PATH)] {
            let steps = path().zip(path().skip(1)).map(|(from, to)| [from, to]);
            chart
                .draw_series(steps.map(|step| PathElement::new(step, color.stroke_width(width))))?;
        }
        let pixel = |point: (f64, f64)| chart.backend_coord(&point);
        let mut named: Vec<((i32, i32), &str)> = Vec::new();
        if let (Some(start), Some(end)) = (path().next(), path().next_back()) {
            named.push((pixel(start), "start"));
            named.push((pixel(end), "end"));
        }
        let (base_x, base_y) = left.get_base_pixel();
        let root = left.strip_coord_spec();
        let (mx, my) = pixel(self.minimum);
        let (mx, my) = (mx - base_x, my - base_y);
        for (width, color) in [(9, WHITE), (4, INK)] {
            for (dx, dy) in [(14, 14), (14, -14)] {
                let line = [(mx - dx, my - dy), (mx + dx, my + dy)];
                root.draw(&PathElement::new(line, color.stroke_width(width)))?;
            }
        }
        for ((px, py), name) in named {
            let (px, py) = (px - base_x, py - base_y);
            root.draw(&Circle::new((px, py), 11, WHITE.filled()))?;
            root.draw(&Circle::new((px, py), 8, PATH.filled()))?;
            let (plot_right, flip) = (width as i32 - 200, 150);
            let side = if px > plot_right - flip { (HPos::Right, -20) } else { (HPos::Left, 20) };
            for (dx, dy) in [(-2, 0), (2, 0), (0, -2), (0, 2)] {
                let style = text(28.0, WHITE, side.0, VPos::Bottom);
                root.draw(&Text::new(name, (px + side.1 + dx, py - 10 + dy), style))?;
            }
            let style = text(28.0, INK, side.0, VPos::Bottom);
            root.draw(&Text::new(name, (px + side.1, py - 10), style))?;
        }

        let (low, high) = decades;
        let (top, bottom) = (10.0, f64::from(height) - 100.0);
        let at = |decade: f64| (bottom - (decade - low) / (high - low) * (bottom - top)) as i32;
        for band in 0..((high - low) * BANDS) as i32 {
            let from = at(low + f64::from(band) / BANDS);
            let to = at(low + f64::from(band + 1) / BANDS);
            let color = Self::color(band, decades);
            right.draw(&Rectangle::new([(50, to), (95, from)], color.filled()))?;
        }
        right.draw(&Rectangle::new([(50, at(high)), (95, at(low))], INK.stroke_width(1)))?;
        let every = if high - low > 10.0 { 2 } else { 1 };
        for decade in (low as i32..=high as i32).filter(|decade| (decade - low as i32) % every == 0)
        {
            let y = at(f64::from(decade));
            right.draw(&PathElement::new([(95, y), (103, y)], INK.stroke_width(2)))?;
            let style = text(26.0, INK, HPos::Left, VPos::Center);
            right.draw(&Text::new(power_of_ten(decade), (110, y), style))?;
        }
        let style = text(26.0, INK, HPos::Left, VPos::Top);
        right.draw(&Text::new("mean squared", (20, bottom as i32 + 22), style.clone()))?;
        right.draw(&Text::new("error", (20, bottom as i32 + 54), style))
    }
}
