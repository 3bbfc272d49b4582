//! The end of a series, the forecast of the next rows, and its intervals.

use super::axes::{
    Entry, Frame, NAME, drawable, legend, range, round_ticks, title, widened, widest,
};
use super::canvas::{Align, Canvas, Font, INK, PALETTE, Point, Stroke};
use super::forecast::row_ticks;
use super::{Drawing, Error, save};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::path::{Path, PathBuf};

/// A forecast with its bands.
#[derive(Clone, Debug)]
pub struct OutlookPicture {
    /// The labels of the rows, as for [`Forecast`](super::forecast::Forecast): one for each row of the series,
    /// shown or not, and one for each row to come. Without labels the rows are counted from 1.
    pub labels: Option<Vec<String>>,
    /// The first row shown, counted from 0.
    pub first: usize,
    /// The observed values from that row on.
    pub history: Vec<f64>,
    /// The forecasts of the rows after them.
    pub point: Vec<f64>,
    /// What came in those rows, as far as it is known.
    pub actual: Vec<f64>,
    /// Bands from the widest to the narrowest.
    pub bands: Vec<Band>,
    /// The name of the values.
    pub name: String,
    /// Title.
    pub title: String,
}

/// An interval for each row to come.
#[derive(Clone, Debug)]
pub struct Band {
    /// Its name.
    pub label: String,
    /// Lower and upper end of each row.
    pub ends: Vec<[f64; 2]>,
}

const RIGHT: f64 = 1550.0;

/// The blue of the forecast. The wider the band, the lighter the blue.
fn shade(band: usize, bands: usize) -> RGBColor {
    let share = 0.16 + 0.22 * (band + 1) as f64 / bands as f64;
    let mixed = |part: u8| (255.0 - share * (255.0 - f64::from(part))).round() as u8;
    let RGBColor(red, green, blue) = PALETTE[0];
    RGBColor(mixed(red), mixed(green), mixed(blue))
}

impl OutlookPicture {
    /// Draws it as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If there is no finite value, a band is shorter than the forecast, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if range(self.history.iter().chain(&self.point).copied()).is_none() {
            return Err(Error::Nothing("the series has no finite value"));
        }
        if self.bands.iter().any(|band| band.ends.len() != self.point.len()) {
            return Err(Error::Shape("a band has one interval for each forecast"));
        }
        save(self, stem)
    }
}

impl Drawing for OutlookPicture {
    const SIZE: (u32, u32) = (1600, 900);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, "", false)?;
        let shades = |band| shade(band, self.bands.len());
        let seen = Entry { label: "seen", stroke: Stroke::new(3.0, INK), marker: None };
        // Orange stands out from the blue.
        let orange = PALETTE[1];
        let came = Entry { label: "came", stroke: Stroke::new(3.0, orange), marker: None };
        let came = (!self.actual.is_empty()).then_some(came);
        let said = Entry { label: "forecast", stroke: Stroke::new(4.0, PALETTE[0]), marker: None };
        let bands = self.bands.iter().enumerate().map(|(i, band)| Entry {
            label: &band.label,
            stroke: Stroke::new(22.0, shades(i)),
            marker: None,
        });
        let entries: Vec<Entry> = [seen, said].into_iter().chain(came).chain(bands).collect();
        let legend_end = legend(canvas, &entries, (40.0, 1560.0), 84.0, false)?.min(400.0);

        let first = self.first as f64;
        let seen = self.history.len();
        let rows = self.first..self.first + seen + self.point.len();
        let ends = self.bands.iter().flat_map(|band| band.ends.iter().flatten());
        let came = &self.actual[..self.actual.len().min(self.point.len())];
        let values = self.history.iter().chain(&self.point).chain(came).chain(ends).copied();
        let y = widened(range(values).unwrap_or((0.0, 1.0)), 0.06);
        let y_ticks = round_ticks(y, 8);
        let frame = Frame {
            left: (widest(canvas, &y_ticks)? + 56.0).max(110.0),
            top: legend_end + 62.0,
            right: RIGHT,
            bottom: 838.0,
            x: widened((first, first + rows.len().max(2) as f64 - 1.0), 0.012),
            y,
        };
        let x_ticks = row_ticks(self.labels.as_deref(), canvas, &rows, &frame)?;
        frame.draw(canvas, &x_ticks, &y_ticks)?;
        let name = canvas.shortened(&self.name, Font::new(NAME, INK), 480.0)?;
        canvas.text(&name, (40.0, frame.top - 16.0), Align::Left, Font::new(NAME, INK))?;

        // Everything begins at the last observed value.
        let last = self.history.iter().rposition(|&value| drawable(value));
        let last = last.map(|row| (first + row as f64, self.history[row]));
        for (i, band) in self.bands.iter().enumerate() {
            let side = |end: usize| -> Vec<Point> {
                let ends = band.ends.iter().enumerate();
                let points = ends.map(|(step, ends)| (first + (seen + step) as f64, ends[end]));
                last.into_iter().chain(points).filter(|(_, value)| drawable(*value)).collect()
            };
            let corners = side(0).into_iter().chain(side(1).into_iter().rev());
            let corners: Vec<Point> = corners.map(|point| frame.at(point)).collect();
            if corners.len() > 2 {
                canvas.polygon(&corners, shades(i))?;
            }
        }
        let apart = (frame.right - frame.left) / rows.len().max(1) as f64;
        let (width, radius) = if apart > 16.0 { (4.0, 6.0) } else { (3.0, 4.0) };
        let after = |values: &[f64]| -> Vec<Point> {
            let values = values.iter().enumerate();
            let points = values.map(|(step, &value)| (first + (seen + step) as f64, value));
            last.into_iter().chain(points).collect()
        };
        let point = after(&self.point);
        // Nothing, and not the last row alone, where nothing came.
        let came = if came.is_empty() { Vec::new() } else { after(came) };
        let history =
            self.history.iter().enumerate().map(|(row, &value)| (first + row as f64, value));
        let history: Vec<Point> = history.collect();
        for (line, stroke) in [
            (came, Stroke::new(width - 1.0, orange)),
            (point, Stroke::new(width, PALETTE[0])),
            (history, Stroke::new(width - 1.0, INK)),
        ] {
            for part in line.split(|&(_, value)| !drawable(value)) {
                let part: Vec<Point> = part.iter().map(|&point| frame.at(point)).collect();
                canvas.line(&part, stroke)?;
                if apart > 12.0 || part.len() == 1 {
                    part.iter().try_for_each(|&at| canvas.disc(at, radius, stroke.color))?;
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
    fn what_cannot_be_drawn_is_left_out_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let mut picture = OutlookPicture {
            labels: None,
            first: 41,
            history: vec![f64::NAN; 3],
            point: vec![],
            actual: vec![],
            bands: vec![],
            name: "é".repeat(900),
            title: "T".into(),
        };
        assert!(matches!(picture.save(&stem), Err(Error::Nothing(_))));
        picture.history = vec![1.0, f64::INFINITY, 2.0, f64::NAN];
        picture.save(&stem).unwrap();
        picture.point = vec![2.0, f64::MAX, 1.0];
        let ends = vec![[1.0, 3.0], [f64::NAN, f64::INFINITY], [0.0, 2.0]];
        picture.bands = vec![Band { label: "80 %".into(), ends }];
        picture.save(&stem).unwrap();
        picture.actual = vec![1.5, f64::NAN, 4.0, 1e9];
        picture.labels = Some(vec!["2020-01".into()]);
        picture.save(&stem).unwrap();
        picture.bands[0].ends.pop();
        assert!(matches!(picture.save(&stem), Err(Error::Shape(_))));
        assert_ne!(shade(0, 2), shade(1, 2));
    }
}
