//! A series and what was forecast of it.

use super::{Area, Drawing, Drawn, Error, GREY, GRID, INK, PALETTE, range, save, text, titled};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A series with forecasts one step ahead.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// What to write below the rows, dates for example.
    pub labels: Option<Vec<String>>,
    /// The values, by row.
    pub actual: Vec<f64>,
    /// The forecasts, the most important first.
    pub curves: Vec<ForecastCurve>,
    /// The first validation row.
    pub split: usize,
    /// The name of the values.
    pub name: String,
    /// Title.
    pub title: String,
}

/// The forecasts of one model.
#[derive(Clone, Debug)]
pub struct ForecastCurve {
    /// The model's name.
    pub label: String,
    /// The row of its first forecast.
    pub start: usize,
    /// Its forecasts, by row.
    pub values: Vec<f64>,
}

impl Forecast {
    /// Draws all rows and, below, the validation rows alone, as `stem.png` and `stem.svg`.
    ///
    /// # Errors
    /// If there is nothing to draw, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if range(self.actual.iter().copied()).is_none() {
            return Err(Error::Nothing("the series has no finite value"));
        }
        save(self, stem)
    }

    fn panel<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        rows: Range<usize>,
        zoomed: bool,
    ) -> Drawn<B> {
        let seen = |start: usize, values: &[f64]| -> Vec<(f64, f64)> {
            let numbered = values.iter().enumerate().map(|(i, value)| (start + i, *value));
            numbered
                .filter(|(row, value)| rows.contains(row) && value.is_finite())
                .map(|(row, value)| (row as f64, value))
                .collect()
        };
        let curves: Vec<&ForecastCurve> = if zoomed {
            self.curves.iter().collect()
        } else {
            self.curves.iter().take(1).collect()
        };
        let actual = seen(0, &self.actual);
        let all = curves.iter().flat_map(|curve| seen(curve.start, &curve.values));
        let values = actual.iter().copied().chain(all).map(|(_, value)| value);
        let (low, high) = range(values).unwrap_or((0.0, 1.0));
        let margin = 0.06 * (high - low).max(f64::MIN_POSITIVE).max(1e-12 * high.abs());
        let (low, high) = (low - margin, high + margin);
        let (first, last) = (rows.start as f64, rows.end.max(rows.start + 2) as f64 - 1.0);
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(50)
            .y_label_area_size(120)
            .margin_right(20)
            .build_cartesian_2d(
                first - 0.01 * (last - first)..last + 0.01 * (last - first),
                low..high,
            )?;
        if !zoomed {
            let shade = [(self.split as f64 - 0.5, low), (last + 0.01 * (last - first), high)];
            chart.draw_series([Rectangle::new(shade, RGBColor(243, 243, 238).filled())])?;
        }
        let ticks = self.ticks(&rows);
        for (row, _) in &ticks {
            chart.draw_series(LineSeries::new(
                [(*row as f64, low), (*row as f64, high)],
                GRID.stroke_width(1),
            ))?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .y_desc(&self.name)
            .axis_desc_style(text(26.0, INK, HPos::Center, VPos::Top))
            .label_style(text(24.0, INK, HPos::Center, VPos::Top))
            .x_labels(0)
            .y_labels(6)
            .y_label_formatter(&|value| {
                if value.abs() >= 1e6 || (*value != 0.0 && value.abs() < 1e-3) {
                    format!("{value:.1e}").replace('-', "−")
                } else {
                    let digits = if high - low > 10.0 { 0 } else { 2 };
                    super::plain(*value, digits)
                }
            })
            .draw()?;
        let (base_x, base_y) = area.get_base_pixel();
        let root = area.strip_coord_spec();
        for (row, label) in ticks {
            let (x, y) = chart.backend_coord(&(row as f64, low));
            let style = text(24.0, INK, HPos::Center, VPos::Top);
            root.draw(&Text::new(label, (x - base_x, y - base_y + 12), style))?;
        }

        for (number, curve) in curves.iter().enumerate().rev() {
            let color = PALETTE[number % PALETTE.len()];
            let points = seen(curve.start, &curve.values);
            if number == 0 {
                chart.draw_series(LineSeries::new(points, color.stroke_width(4)))?;
            } else {
                chart.draw_series(DashedLineSeries::new(
                    points,
                    4 + 8 * (number as u32 - 1),
                    6,
                    color.stroke_width(3),
                ))?;
            }
        }
        let width = if zoomed { 3 } else { 2 };
        chart.draw_series(LineSeries::new(actual.clone(), INK.stroke_width(width)))?;
        let radius = if zoomed && actual.len() <= 120 { 6 } else { 3 };
        chart.draw_series(
            actual.into_iter().map(|point| Circle::new(point, radius, INK.filled())),
        )?;
        if !zoomed {
            let (x, y) = chart.backend_coord(&(self.split as f64 - 0.5, high));
            let style = text(24.0, GREY, HPos::Left, VPos::Top);
            root.draw(&Text::new("validation", (x - base_x + 10, y - base_y + 8), style))?;
        }
        Ok(())
    }

    /// At most a dozen rows with a label: the first row of a year where the labels start with years.
    fn ticks(&self, rows: &Range<usize>) -> Vec<(usize, String)> {
        let year = |row: usize| -> Option<&str> {
            let label = self.labels.as_ref()?.get(row)?;
            let year = label.get(..4)?;
            let next = label.chars().nth(4);
            (year.bytes().all(|b| b.is_ascii_digit()) && !next.is_some_and(|c| c.is_ascii_digit()))
                .then_some(year)
        };
        let mut ticks: Vec<(usize, String)> = rows
            .clone()
            .filter(|&row| year(row).is_some() && (row == 0 || year(row) != year(row - 1)))
            .map(|row| (row, year(row).unwrap_or_default().to_string()))
            .collect();
        if ticks.len() < 2 {
            ticks = rows
                .clone()
                .map(|row| {
                    let label = self.labels.as_ref().and_then(|labels| labels.get(row));
                    (row, label.cloned().unwrap_or_else(|| (row + 1).to_string()))
                })
                .collect();
        }
        let most = if ticks.iter().any(|(_, label)| label.len() > 6) { 8 } else { 13 };
        let every = ticks.len().div_ceil(most).max(1);
        ticks.into_iter().step_by(every).collect()
    }
}

impl Drawing for Forecast {
    const SIZE: (u32, u32) = (1600, 1200);

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        let subtitle =
            "All rows, and below the validation rows, each forecast from the rows before it";
        let area = titled(area, &self.title, subtitle)?;
        let (legend, panels) = area.split_vertically(50);
        let mut x = 130;
        let named = std::iter::once(("actual", INK, None)).chain(
            self.curves.iter().enumerate().map(|(number, curve)| {
                (curve.label.as_str(), PALETTE[number % PALETTE.len()], Some(number))
            }),
        );
        for (label, color, number) in named {
            match number {
                Some(number) if number > 0 => {
                    let dash = 4 + 8 * (number as i32 - 1);
                    for from in (x..x + 60).step_by(dash as usize + 6) {
                        let line = [(from, 20), ((from + dash).min(x + 60), 20)];
                        legend.draw(&PathElement::new(line, color.stroke_width(3)))?;
                    }
                }
                _ => legend
                    .draw(&PathElement::new([(x, 20), (x + 60, 20)], color.stroke_width(4)))?,
            }
            if number.is_none() {
                legend.draw(&Circle::new((x + 30, 20), 6, color.filled()))?;
            }
            let style = text(26.0, INK, HPos::Left, VPos::Center);
            let (width, _) = legend.estimate_text_size(label, &style)?;
            legend.draw(&Text::new(label.to_string(), (x + 74, 20), style))?;
            x += 74 + width as i32 + 50;
        }
        let (_, height) = panels.dim_in_pixel();
        let (upper, lower) = panels.split_vertically(height as i32 / 2);
        self.panel(&upper, 0..self.actual.len(), false)?;
        self.panel(&lower, self.split.min(self.actual.len() - 1)..self.actual.len(), true)
    }
}
