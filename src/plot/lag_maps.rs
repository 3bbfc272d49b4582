//! How much of the loss of step t reaches the state k steps earlier: one heat map per state.

use super::axes::{NAME, TICK, power_of_ten, round_ticks, title};
use super::canvas::{Align, Canvas, Font, GREY, INK, Stroke};
use super::panels::{columns_and_rows, frames};
use super::{Drawing, Error, save, svg};
use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use std::path::{Path, PathBuf};

/// Maps of `‖∂L_t/∂s_{t−k}‖` over t and k, in colours by decade with one colour bar for all.
#[derive(Clone, Debug)]
pub struct LagMaps {
    /// The maps.
    pub maps: Vec<LagMap>,
    /// Title.
    pub title: String,
    /// The text below the title.
    pub subtitle: String,
}

/// One map.
#[derive(Clone, Debug)]
pub struct LagMap {
    /// Its name.
    pub label: String,
    /// `[t][k]`, `k = 0 ..= t`, both from 0. Values that are not finite are left out. Zero has a
    /// separate colour.
    pub values: Vec<Vec<f64>>,
}

/// How many decades below the largest value have colours.
const DECADES: f64 = 12.0;
/// The most bins along each axis.
const BINS: usize = 120;
/// The colour of zero.
const ZERO: RGBColor = RGBColor(205, 205, 205);

/// A place on the map.
#[derive(Clone, Copy, PartialEq)]
enum Shade {
    Nothing,
    Zero,
    Band(usize),
}

/// Exponents of ten in bands of one colour.
struct Scale {
    low: f64,
    high: f64,
    bands: usize,
}

impl Scale {
    fn new(maps: &[LagMap]) -> Self {
        let values = maps.iter().flat_map(|map| map.values.iter().flatten());
        let logs = values.map(|value| value.log10()).filter(|log| log.is_finite());
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
            (low.min(log), high.max(log))
        });
        if low > high {
            return Self { low: -1.0, high: 0.0, bands: 4 };
        }
        let high = high.ceil();
        let low = low.floor().max(high - DECADES).min(high - 1.0);
        let bands_a_decade = (48.0 / (high - low)).floor().clamp(1.0, 8.0);
        Self { low, high, bands: ((high - low) * bands_a_decade) as usize }
    }

    fn shade(&self, value: f64) -> Shade {
        if value == 0.0 {
            return Shade::Zero;
        }
        let log = value.log10();
        if !log.is_finite() {
            return Shade::Nothing;
        }
        let share = (log - self.low) / (self.high - self.low);
        Shade::Band(((share * self.bands as f64).max(0.0) as usize).min(self.bands - 1))
    }

    fn color(&self, shade: Shade) -> Option<RGBColor> {
        match shade {
            Shade::Nothing => None,
            Shade::Zero => Some(ZERO),
            Shade::Band(band) => {
                Some(ViridisRGB.get_color_normalized(band as f64, 0.0, (self.bands - 1) as f64))
            }
        }
    }
}

impl LagMaps {
    /// Draws the maps as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If there is no map of at least two steps, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        self.check()?;
        save(self, stem)
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// If there is no map of at least two steps.
    pub fn svg(&self) -> Result<String, Error> {
        self.check()?;
        svg(self)
    }

    fn check(&self) -> Result<(), Error> {
        let drawable = !self.maps.is_empty() && self.maps.iter().all(|map| map.values.len() > 1);
        if drawable { Ok(()) } else { Err(Error::Nothing("no map has two steps")) }
    }
}

impl Drawing for LagMaps {
    const SIZE: (u32, u32) = (1600, 1000);
    const CRISP: bool = true;

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, &self.subtitle, true)?;
        let scale = Scale::new(&self.maps);
        let time = self.maps.iter().map(|map| map.values.len()).max().unwrap_or(2);
        let last = time as f64;
        let (_, rows) = columns_and_rows(self.maps.len());
        let ranges = ((0.0, last), (0.0, last));
        let bottom = if rows == 1 { 900.0 } else { 990.0 };
        let frames = frames(self.maps.len(), [10.0, 150.0, 1400.0, bottom], ranges.0, ranges.1);
        let font = Font::new(NAME, INK);
        for (map, frame) in self.maps.iter().zip(&frames) {
            let bin = time.div_ceil(BINS);
            let bins = time.div_ceil(bin);
            for row in 0..bins {
                let lag = row * bin;
                let shade = |column: usize| {
                    let t = (column * bin + bin / 2).min(time - 1);
                    let value = map.values.get(t).and_then(|lags| lags.get(lag));
                    value.map_or(Shade::Nothing, |&value| scale.shade(value))
                };
                // One rectangle for neighbours of one colour.
                let mut from = 0;
                while from < bins {
                    let here = shade(from);
                    let to = (from + 1..bins).find(|&column| shade(column) != here);
                    let to = to.unwrap_or(bins);
                    if let Some(color) = scale.color(here) {
                        let pixel = |column: usize, row: usize| {
                            let value = |bins: usize| ((bins * bin) as f64).min(last);
                            frame.at((value(column), value(row)))
                        };
                        canvas.rectangle(pixel(from, row + 1), pixel(to, row), color)?;
                    }
                    from = to;
                }
            }
            let mut ticks = round_ticks((0.0, last), 6);
            ticks.retain(|(value, _)| value.fract() == 0.0 && *value < last);
            frame.draw_axes(canvas, &ticks, &ticks)?;
            let width = frame.right - frame.left;
            let label = canvas.shortened(&map.label, font.bold(), width)?;
            canvas.text(&label, (frame.left, frame.top - 16.0), Align::Left, font.bold())?;
            let middle = (frame.left + frame.right) / 2.0;
            let below = frame.bottom + 14.0 + 2.2 * TICK;
            canvas.text("step t of the loss", (middle, below), Align::Center, font)?;
            canvas.text("lag k", (frame.left + 14.0, frame.top + 30.0), Align::Left, font)?;
        }
        self.colour_bar(canvas, &scale)
    }
}

impl LagMaps {
    fn colour_bar<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        scale: &Scale,
    ) -> Result<(), Error> {
        let (left, right, top, bottom) = (1440.0, 1476.0, 210.0, 760.0);
        let font = Font::new(TICK, INK);
        let y = |share: f64| bottom - share * (bottom - top);
        for band in 0..scale.bands {
            let share = |band: usize| band as f64 / scale.bands as f64;
            let color = scale.color(Shade::Band(band)).expect("a band has a colour");
            canvas.rectangle((left, y(share(band + 1))), (right, y(share(band))), color)?;
        }
        let decades = (scale.high - scale.low) as i32;
        let every = (decades as f64 / 8.0).ceil() as i32;
        for decade in (0..=decades).step_by(every.max(1) as usize) {
            let y = y(f64::from(decade) / f64::from(decades));
            canvas.line(&[(right, y), (right + 8.0, y)], Stroke::new(2.0, INK))?;
            let text = power_of_ten(scale.low as i32 + decade);
            canvas.text(&text, (right + 16.0, y + font.half_digit()), Align::Left, font)?;
        }
        canvas.text("size", (left, top - 24.0), Align::Left, font)?;
        canvas.rectangle((left, 800.0), (right, 836.0), ZERO)?;
        canvas.text("zero", (right + 16.0, 826.0), Align::Left, font)?;
        let lowest = self.maps.iter().flat_map(|map| map.values.iter().flatten());
        let below = lowest.filter(|v| **v > 0.0 && v.log10() < scale.low).count();
        if below > 0 {
            let font = Font::new(TICK, GREY);
            canvas.text("darkest:", (left, 880.0), Align::Left, font)?;
            canvas.text("or less", (left, 880.0 + 1.2 * TICK), Align::Left, font)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(values: Vec<Vec<f64>>, count: usize) -> LagMaps {
        let map = LagMap { label: "a < b".into(), values };
        LagMaps { maps: vec![map; count], title: "T".into(), subtitle: String::new() }
    }

    #[test]
    fn nothing_is_refused_and_odd_values_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        assert!(matches!(maps(vec![], 0).save(&stem), Err(Error::Nothing(_))));
        assert!(matches!(maps(vec![vec![1.0]], 1).svg(), Err(Error::Nothing(_))));
        let odd = vec![vec![0.0], vec![f64::NAN, f64::INFINITY]];
        maps(odd, 1).save(&stem).unwrap();
        let zeros = vec![vec![0.0], vec![0.0, 0.0]];
        assert!(maps(zeros, 2).svg().unwrap().contains("#CDCDCD"));
        let wide = vec![vec![1.0], vec![1e300, 1e-300], vec![f64::MAX, 5e-324, 0.0]];
        for count in [1, 2, 3, 4, 7] {
            maps(wide.clone(), count).svg().unwrap();
        }
    }

    #[test]
    fn a_colour_is_a_share_of_a_decade() {
        let scale = Scale::new(&maps(vec![vec![1.0], vec![0.5, 1e-3]], 1).maps);
        assert_eq!((scale.low, scale.high, scale.bands), (-3.0, 0.0, 24));
        assert!(scale.shade(0.5) == Shade::Band(21) && scale.shade(1e-9) == Shade::Band(0));
        // A picture of very different sizes shows the largest twelve decades.
        let scale = Scale::new(&maps(vec![vec![1e2], vec![0.5, 1e-30]], 1).maps);
        assert_eq!((scale.low, scale.high), (-10.0, 2.0));
    }
}
