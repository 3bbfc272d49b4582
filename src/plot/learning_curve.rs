//! The loss by epoch.

use super::{Area, Drawing, Drawn, Error, GRID, INK, PALETTE, range, save, text, titled};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::{Path, PathBuf};

/// Training and validation loss by epoch.
#[derive(Clone, Debug)]
pub struct LearningCurve {
    /// The loss on what is learnt from.
    pub train: Vec<f64>,
    /// The loss on what is not.
    pub valid: Vec<f64>,
    /// Title.
    pub title: String,
}

impl LearningCurve {
    /// Draws both on a log axis, as `stem.png` and `stem.svg`.
    ///
    /// # Errors
    /// If there is nothing to draw, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if range(self.train.iter().chain(&self.valid).map(|loss| loss.log10())).is_none() {
            return Err(Error::Nothing("the learning curve has no loss above zero"));
        }
        save(self, stem)
    }
}

impl Drawing for LearningCurve {
    const SIZE: (u32, u32) = (1600, 900);

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let area = titled(area, &self.title, "")?;
        let logs = self.train.iter().chain(&self.valid).map(|loss| loss.log10());
        let (low, high) = range(logs).expect("checked on saving");
        let (low, high) = (low - 0.05, high.max(low + 0.1) + 0.05);
        let last = self.train.len().max(self.valid.len()).max(2) as f64;
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(80)
            .y_label_area_size(110)
            .margin_right(190)
            .build_cartesian_2d(1.0..last, low..high)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .x_desc("epoch")
            .axis_desc_style(text(28.0, INK, HPos::Center, VPos::Top))
            .label_style(text(24.0, INK, HPos::Center, VPos::Top))
            .x_labels(10)
            .y_labels(0)
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .draw()?;
        let (base_x, base_y) = area.get_base_pixel();
        let root = area.strip_coord_spec();
        for tick in ticks(low, high) {
            let line = [(1.0, tick.log10()), (last, tick.log10())];
            chart.draw_series(LineSeries::new(line, GRID.stroke_width(1)))?;
            let (x, y) = chart.backend_coord(&line[0]);
            let style = text(24.0, INK, HPos::Right, VPos::Center);
            root.draw(&Text::new(format!("{tick}"), (x - base_x - 12, y - base_y), style))?;
        }
        for (number, (name, losses)) in
            [("training", &self.train), ("validation", &self.valid)].into_iter().enumerate()
        {
            let color = PALETTE[number];
            let points: Vec<(f64, f64)> = losses
                .iter()
                .enumerate()
                .map(|(epoch, loss)| (epoch as f64 + 1.0, loss.log10()))
                .filter(|(_, log)| log.is_finite())
                .collect();
            let Some(&end) = points.last() else { continue };
            if number == 0 {
                chart.draw_series(LineSeries::new(points, color.stroke_width(4)))?;
            } else {
                chart.draw_series(DashedLineSeries::new(points, 12, 6, color.stroke_width(4)))?;
            }
            let (x, y) = chart.backend_coord(&end);
            let style = text(26.0, color, HPos::Left, VPos::Center);
            root.draw(&Text::new(name, (x - base_x + 14, y - base_y), style))?;
        }
        Ok(())
    }
}

/// 1, 2 and 5 in every decade between two powers of ten, or 1 alone if that is enough.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = low.floor() as i32..=high.ceil() as i32;
    let digits: &[u32] = if high - low > 3.0 { &[1] } else { &[1, 2, 5] };
    decades
        .flat_map(|decade| {
            digits.iter().map(move |digit| format!("{digit}e{decade}").parse::<f64>())
        })
        .map(|tick| tick.expect("a digit and an exponent make a number"))
        .filter(|tick| (low..=high).contains(&tick.log10()))
        .collect()
}
