//! How much a forecast listens to each input and lag: a heat map.

use super::axes::{Frame, NAME, TICK, round_ticks, title};
use super::canvas::{Align, Canvas, Font, INK};
use super::{Drawing, Error, save};
use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use std::path::{Path, PathBuf};

/// The importance of inputs by lag.
#[derive(Clone, Debug)]
pub struct ImportanceMap {
    /// The name of each input and its importance by lag, the last row first.
    pub inputs: Vec<(String, Vec<f64>)>,
    /// Title.
    pub title: String,
    /// The text below the title.
    pub subtitle: String,
}

/// A cell below this share of the largest is grey, and so are lags after the last that is not.
const LEAST: f64 = 1e-3;
/// Colours of the shares from [`LEAST`] to 1.
const BANDS: usize = 30;
/// The colour of what is below.
const NOTHING: RGBColor = RGBColor(225, 225, 225);

impl ImportanceMap {
    /// Draws it as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If nothing has any importance, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        let largest = self.largest();
        match largest.is_finite() && largest > 0.0 {
            true => save(self, stem),
            false => Err(Error::Nothing("no input has any importance")),
        }
    }

    fn largest(&self) -> f64 {
        self.inputs.iter().flat_map(|(_, lags)| lags).copied().fold(0.0, f64::max)
    }

    /// The lags that are drawn.
    fn lags(&self) -> usize {
        let least = LEAST * self.largest();
        let last = |lags: &Vec<f64>| lags.iter().rposition(|&size| size >= least);
        self.inputs.iter().filter_map(|(_, lags)| last(lags)).max().map_or(1, |last| last + 1)
    }
}

/// The colour of a share of the largest.
fn color(share: f64) -> RGBColor {
    if share.is_nan() || share < LEAST {
        return NOTHING;
    }
    let band = ((1.0 - share.log10() / LEAST.log10()) * BANDS as f64) as usize;
    ViridisRGB.get_color_normalized(band.min(BANDS - 1) as f64, 0.0, (BANDS - 1) as f64)
}

impl Drawing for ImportanceMap {
    const SIZE: (u32, u32) = (1600, 700);
    const CRISP: bool = true;

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, &self.subtitle, false)?;
        let font = Font::new(TICK, INK);
        let (count, lags, largest) = (self.inputs.len(), self.lags(), self.largest());
        let (count_f, lags_f) = (count as f64, lags as f64);
        let names = self.inputs.iter().map(|(name, _)| canvas.shortened(name, font, 300.0));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let mut widest = 0f64;
        for name in &names {
            widest = widest.max(canvas.text_width(name, font)?);
        }
        let frame = Frame {
            left: 60.0 + widest,
            top: 150.0,
            right: 1400.0,
            bottom: 590.0,
            x: (0.5, lags_f + 0.5),
            y: (0.0, count_f),
        };
        for (row, (_, sizes)) in self.inputs.iter().enumerate() {
            let (low, high) = (count_f - row as f64 - 1.0, count_f - row as f64);
            for (lag, size) in sizes.iter().take(lags).enumerate() {
                let (from, to) = (lag as f64 + 0.5, lag as f64 + 1.5);
                let corners = (frame.at((from, high)), frame.at((to, low)));
                canvas.rectangle(corners.0, corners.1, color(size / largest))?;
            }
        }
        let mut x: Vec<_> = round_ticks((1.0, lags_f), 12);
        x.retain(|(lag, _)| lag.fract() == 0.0 && *lag >= 1.0);
        if x.is_empty() {
            x.push((1.0, "1".into()));
        }
        let places = (0..count).map(|row| count_f - row as f64 - 0.5);
        let y: Vec<_> = places.zip(names).collect();
        frame.draw_axes(canvas, &x, &y)?;
        let below = frame.bottom + 24.0 + 2.2 * TICK;
        let name = Font::new(NAME, INK);
        canvas.text("lag: rows back, 1 is the last", (frame.right, below), Align::Right, name)?;
        // The colours.
        let (left, right, top, bottom) = (1440.0, 1476.0, 190.0, 590.0);
        let place = |band: usize| bottom - band as f64 / BANDS as f64 * (bottom - top);
        for band in 0..BANDS {
            let share = LEAST.powf(1.0 - (band as f64 + 0.5) / BANDS as f64);
            canvas.rectangle((left, place(band + 1)), (right, place(band)), color(share))?;
        }
        for (decade, label) in ["0.1 %", "1 %", "10 %", "100 %"].into_iter().enumerate() {
            let y = place(decade * BANDS / 3) + font.half_digit();
            canvas.text(label, (right + 12.0, y), Align::Left, font)?;
        }
        canvas.text("of the largest", (left - 30.0, top - 22.0), Align::Left, font)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(inputs: &[&[f64]]) -> ImportanceMap {
        let inputs = inputs.iter().map(|lags| ("a < b".to_string(), lags.to_vec())).collect();
        ImportanceMap { inputs, title: "T".into(), subtitle: "S".into() }
    }

    #[test]
    fn what_counts_is_drawn_and_nothing_refused() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        assert!(matches!(map(&[]).save(&stem), Err(Error::Nothing(_))));
        assert!(matches!(map(&[&[0.0, 0.0]]).save(&stem), Err(Error::Nothing(_))));
        let some = map(&[&[1.0, 0.5, 0.0, 0.01, 1e-9], &[0.0, f64::NAN, 2.0]]);
        assert_eq!(some.lags(), 4);
        let [_, svg] = some.save(&stem).unwrap();
        assert!(std::fs::read_to_string(svg).unwrap().contains("a &lt; b"));
        map(&[&[1.0]]).save(&stem).unwrap();
        map(&[&vec![1.0; 400][..]; 12]).save(&stem).unwrap();
    }

    #[test]
    fn colours_are_by_decade() {
        assert_eq!(color(1.0), ViridisRGB.get_color_normalized(29.0, 0.0, 29.0));
        assert_eq!((color(0.0), color(5e-4), color(f64::NAN)), (NOTHING, NOTHING, NOTHING));
        assert_eq!(color(0.0011), ViridisRGB.get_color_normalized(0.0, 0.0, 29.0));
        assert_eq!(color(0.1001), ViridisRGB.get_color_normalized(20.0, 0.0, 29.0));
    }
}
