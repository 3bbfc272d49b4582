//! How large the gradient is at each time step: where it vanishes, and where it explodes.

use super::{
    Area, Drawing, Drawn, Error, GREY, GRID, INK, PALETTE, power_of_ten, range, save, spread, text,
    titled,
};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::{Path, PathBuf};

/// Gradient sizes by time.
#[derive(Clone, Debug)]
pub struct GradientByTime {
    /// One curve for each setting.
    pub curves: Vec<Curve>,
    /// Title.
    pub title: String,
    /// Below the title: what is drawn.
    pub subtitle: String,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name, drawn at its beginning.
    pub label: String,
    /// The size at steps 0, 1, … Zero is left out: it has no place on a log axis.
    pub values: Vec<f64>,
}

impl GradientByTime {
    /// Draws the curves on a log axis, as `stem.png` and `stem.svg`.
    ///
    /// # Errors
    /// If there is nothing to draw, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if self.decades().is_none() {
            return Err(Error::Nothing("no curve has a value above zero"));
        }
        save(self, stem)
    }

    fn decades(&self) -> Option<(i32, i32)> {
        let logs = self.curves.iter().flat_map(|curve| &curve.values).map(|value| value.log10());
        let (low, high) = range(logs)?;
        Some((low.floor() as i32, (high.ceil() as i32).max(low.floor() as i32 + 1)))
    }
}

impl Drawing for GradientByTime {
    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let area = titled(area, &self.title, &self.subtitle)?;
        let (low, high) = self.decades().expect("checked on saving");
        let steps = self.curves.iter().map(|curve| curve.values.len()).max().unwrap_or(0);
        let last = (steps.max(2) - 1) as f64;
        let area = area.margin(0, 0, 0, 20);
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(80)
            .y_label_area_size(110)
            .margin_right(10)
            .build_cartesian_2d(-0.2 * last..last * 1.02, f64::from(low)..f64::from(high))?;
        let every = ((high - low) / 12).max(1);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .x_desc("time step k")
            .axis_desc_style(text(28.0, INK, HPos::Center, VPos::Top))
            .label_style(text(26.0, INK, HPos::Center, VPos::Top))
            .x_labels(12)
            .y_labels(((high - low) / every) as usize + 1)
            .x_label_formatter(&|k| if *k < 0.0 { String::new() } else { format!("{k:.0}") })
            .y_label_formatter(&|decade| {
                if decade.fract() == 0.0 { power_of_ten(*decade as i32) } else { String::new() }
            })
            .draw()?;
        chart
            .draw_series(LineSeries::new([(0.0, 0.0), (last * 1.02, 0.0)], GREY.stroke_width(1)))?;

        let points = |curve: &Curve| -> Vec<(f64, f64)> {
            let logs = curve.values.iter().map(|value| value.log10()).enumerate();
            logs.filter(|(_, log)| log.is_finite()).map(|(k, log)| (k as f64, log)).collect()
        };
        let mut labels = Vec::new();
        for (number, curve) in self.curves.iter().enumerate() {
            let (points, color) = (points(curve), PALETTE[number % PALETTE.len()]);
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(4)))?;
            if steps <= 60 {
                let (at, fill) = (points.iter().copied(), color.filled());
                match number % 4 {
                    0 => chart.draw_series(at.map(|point| Circle::new(point, 8, fill)))?,
                    1 => chart.draw_series(at.map(|point| TriangleMarker::new(point, 11, fill)))?,
                    2 => chart.draw_series(at.map(|point| {
                        EmptyElement::at(point) + Rectangle::new([(-7, -7), (7, 7)], fill)
                    }))?,
                    _ => chart
                        .draw_series(at.map(|point| Cross::new(point, 8, color.stroke_width(4))))?,
                };
            }
            if let Some(&first) = points.first() {
                labels.push((chart.backend_coord(&first), &curve.label, color));
            }
        }
        labels.sort_by_key(|((_, y), ..)| *y);
        let (base_x, base_y) = area.get_base_pixel();
        let heights: Vec<i32> = labels.iter().map(|((_, y), ..)| y - base_y).collect();
        let root = area.strip_coord_spec();
        for (((x, _), label, color), y) in labels.iter().zip(spread(&heights, 32)) {
            let style = text(26.0, *color, HPos::Right, VPos::Center);
            root.draw(&Text::new((*label).clone(), (x - base_x - 18, y), style))?;
        }
        Ok(())
    }
}
