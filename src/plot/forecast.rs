//! A series and its forecasts.

use super::axes::{
    Entry, Frame, NAME, Tick, drawable, legend, range, round_ticks, title, widened, widest,
};
use super::canvas::{Align, Canvas, Font, GREY, INK, Marker, Point, Stroke, curve_style};
use super::{Drawing, Error, save, svg};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A series with forecasts of its last rows: all rows, and below them those that were forecast enlarged, the last ones where
/// they are many.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The labels of the rows. Dates with the year first give ticks at years, months or days. Without labels
    /// the rows are counted from 1.
    pub labels: Option<Vec<String>>,
    /// The values by row. At a value that is not finite the line has a gap.
    pub actual: Vec<f64>,
    /// The forecasts, the most important first.
    pub curves: Vec<ForecastCurve>,
    /// The first row that is shaded and enlarged, counted from 0.
    pub split: usize,
    /// What these rows are: validation, test.
    pub part: &'static str,
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
    /// The row of its first forecast, counted from 0.
    pub start: usize,
    /// Its forecasts, by row.
    pub values: Vec<f64>,
}

/// The shade behind the rows that were forecast.
const SHADE: RGBColor = RGBColor(240, 242, 245);

impl Forecast {
    /// Draws the series as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If the series has no finite value, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        if range(self.actual.iter().copied()).is_none() {
            return Err(Error::Nothing("the series has no finite value"));
        }
        save(self, stem)
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn svg(&self) -> Result<String, Error> {
        if range(self.actual.iter().copied()).is_none() {
            return Err(Error::Nothing("the series has no finite value"));
        }
        svg(self)
    }

    /// The rows that are enlarged: at most 300 of those from the split on.
    pub fn enlarged(&self) -> Range<usize> {
        let rows = self.actual.len();
        self.split.min(rows).max(rows.saturating_sub(ENLARGED))..rows
    }

    /// What is enlarged, in words: `the last 300 of 343 test rows`.
    pub fn enlarged_in_words(&self) -> String {
        let (rows, all) = (self.enlarged().len(), self.actual.len().saturating_sub(self.split));
        match rows < all {
            true => format!("the last {rows} of {all} {} rows", self.part),
            false => format!("the {} rows", self.part),
        }
    }

    /// The first row of the part, if there is one.
    fn begins(&self) -> Option<usize> {
        (self.split < self.actual.len()).then_some(self.split)
    }

    /// The frame, the shade, the axes and the lines of some rows.
    fn draw_rows<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        rows: Range<usize>,
        (top, bottom): (f64, f64),
        left: f64,
        heading: &str,
    ) -> Result<(), Error> {
        let frame = Frame {
            left,
            top,
            right: RIGHT,
            bottom,
            x: widened((rows.start as f64, rows.end.max(rows.start + 2) as f64 - 1.0), 0.012),
            y: self.height(&rows),
        };
        let y_ticks = round_ticks(frame.y, 6);
        if let Some(split) = self.begins() {
            let (x, _) = frame.at((split as f64 - 0.5, 0.0));
            canvas.rectangle((x.max(frame.left), top), (frame.right, bottom), SHADE)?;
        }
        let x_ticks = row_ticks(self.labels.as_deref(), canvas, &rows, &frame)?;
        frame.draw(canvas, &x_ticks, &y_ticks)?;

        let font = Font::new(NAME, GREY);
        let (split, _) = frame.at((self.split.max(rows.start) as f64 - 0.5, 0.0));
        let name = canvas.shortened(&self.name, Font::new(NAME, INK), 480.0)?;
        canvas.text(&name, (40.0, top - 16.0), Align::Left, Font::new(NAME, INK))?;
        if self.begins().is_some() {
            // Above the rows that it names, and clear of the name of the values.
            let name_end = 40.0 + canvas.text_width(&name, font)? + 40.0;
            let width = canvas.text_width(heading, font)?;
            let x = split.max(name_end).min(frame.right - width).max(frame.left);
            canvas.text(heading, (x, top - 16.0), Align::Left, font)?;
        }

        // The wider the rows are apart, the larger are lines and points.
        let apart = (frame.right - frame.left) / rows.len().max(1) as f64;
        let (width, radius) = if apart > 16.0 { (4.0, 7.0) } else { (3.0, 4.0) };
        let curves = self.curves.iter().enumerate();
        for (number, curve) in curves.rev() {
            let stroke = Stroke { width, ..forecast_stroke(number) };
            for line in lines(curve.start, &curve.values, &rows) {
                let line: Vec<Point> = line.into_iter().map(|point| frame.at(point)).collect();
                canvas.line(&line, stroke)?;
                if let [alone] = line[..] {
                    canvas.disc(alone, width, stroke.color)?;
                }
            }
        }
        for line in lines(0, &self.actual, &rows) {
            let line: Vec<Point> = line.into_iter().map(|point| frame.at(point)).collect();
            canvas.line(&line, Stroke::new(width - 1.5, INK))?;
            if apart > 4.0 || line.len() == 1 {
                line.iter().try_for_each(|&at| canvas.disc(at, radius, INK))?;
            }
        }
        Ok(())
    }

    /// The values of the rows, with some room.
    fn height(&self, rows: &Range<usize>) -> (f64, f64) {
        let forecasts =
            self.curves.iter().flat_map(|curve| lines(curve.start, &curve.values, rows)).flatten();
        let actual = lines(0, &self.actual, rows).into_iter().flatten();
        let values = actual.chain(forecasts).map(|(_, value)| value);
        widened(range(values).unwrap_or((0.0, 1.0)), 0.06)
    }
}

/// Ticks at years, months, days, labels or numbers, whichever there is room for.
pub(super) fn row_ticks<B: DrawingBackend>(
    labels: Option<&[String]>,
    canvas: &Canvas<B>,
    rows: &Range<usize>,
    frame: &Frame,
) -> Result<Vec<Tick>, Error> {
    let Some(labels) = labels else {
        let mut ticks = round_ticks((rows.start as f64 + 1.0, rows.end as f64), 10);
        ticks.retain(|(row, _)| row.fract() == 0.0);
        return Ok(ticks.into_iter().map(|(row, label)| (row - 1.0, label)).collect());
    };
    let dates = rows.clone().all(|row| labels.get(row).is_some_and(|label| is_date(label)));
    let periods = if dates { date_ticks(labels, rows) } else { None };
    let candidates: Vec<Tick> = match periods {
        Some(ticks) => ticks,
        None => rows
            .clone()
            .filter_map(|row| Some((row as f64, labels.get(row)?.trim().to_string())))
            .collect(),
    };
    let font = Font::new(super::axes::TICK, INK);
    let mut ticks = Vec::with_capacity(candidates.len().min(16));
    // Only every so many rows, so that few labels of a long series are measured.
    let every = candidates.len().div_ceil(16).max(1);
    for (row, label) in candidates.into_iter().step_by(every) {
        ticks.push((row, canvas.shortened(&label, font, 240.0)?));
    }
    let room = widest(canvas, &ticks)? + 24.0;
    let apart = |step: usize, ticks: &[Tick]| {
        let places: Vec<f64> =
            ticks.iter().step_by(step).map(|&(row, _)| frame.at((row, 0.0)).0).collect();
        places.windows(2).all(|pair| pair[1] - pair[0] >= room)
    };
    let step = (1..=ticks.len()).find(|&step| apart(step, &ticks)).unwrap_or(1);
    let half = room / 2.0 - 8.0;
    let ticks = ticks.into_iter().step_by(step);
    Ok(ticks.filter(|&(row, _)| frame.at((row, 0.0)).0 + half < WIDTH).collect())
}

/// So many rows can be told apart, at most.
const ENLARGED: usize = 300;

const WIDTH: f64 = 1600.0;
const RIGHT: f64 = 1550.0;

/// The look of a forecast: the first is solid, the others are dashed.
fn forecast_stroke(number: usize) -> Stroke {
    let (stroke, _) = curve_style(number);
    let dash = match number % 4 {
        0 => None,
        1 => Some((5.0, 6.0)),
        2 => Some((16.0, 7.0)),
        _ => Some((28.0, 7.0)),
    };
    Stroke { dash, ..stroke }
}

/// Row and value of the given rows, split into lines at values that cannot be drawn.
fn lines(start: usize, values: &[f64], rows: &Range<usize>) -> Vec<Vec<Point>> {
    let from = rows.start.saturating_sub(start).min(values.len());
    let to = rows.end.saturating_sub(start).min(values.len());
    let seen = &values[from..to.max(from)];
    let first = start.saturating_add(from);
    let numbered: Vec<Point> =
        seen.iter().enumerate().map(|(i, &value)| ((first + i) as f64, value)).collect();
    let parts = numbered.split(|&(_, value)| !drawable(value));
    parts.filter(|part| !part.is_empty()).map(<[Point]>::to_vec).collect()
}

/// Whether a label is a date that begins with the year: `1949`, `1949-01` or `1949/01/31`.
fn is_date(label: &str) -> bool {
    let mut parts = label.trim().splitn(3, ['-', '/', '.']);
    let digits =
        |part: &str, least: usize| part.len() >= least && part.bytes().all(|b| b.is_ascii_digit());
    let year = parts.next().is_some_and(|year| year.len() == 4 && digits(year, 4));
    let month = parts.next().is_none_or(|month| month.len() <= 2 && digits(month, 1));
    let day = parts.next().is_none_or(|day| day.starts_with(|c: char| c.is_ascii_digit()));
    year && month && day
}

/// The first row of each year if there are four years or more, otherwise of each month, thinned to at most
/// twelve. `None` if there are fewer than four of either.
fn date_ticks(labels: &[String], rows: &Range<usize>) -> Option<Vec<Tick>> {
    // A period's first row, number and name.
    let starts = |period: fn(&str) -> Option<(i32, &str)>| -> Vec<(usize, i32, String)> {
        rows.clone()
            .filter_map(|row| {
                let (number, name) = period(labels[row].trim())?;
                let before = row.checked_sub(1).and_then(|before| period(labels[before].trim()));
                // A series that begins within a period has no tick there.
                let begins = before.map_or(number % 12 == 0 || row == 0, |(b, _)| b != number);
                begins.then(|| (row, number, name.to_string()))
            })
            .collect()
    };
    let thinned = |starts: Vec<(usize, i32, String)>, steps: &[i32]| -> Option<Vec<Tick>> {
        let fits = |step: &&i32| starts.iter().filter(|(_, n, _)| n % **step == 0).count() <= 12;
        let step = steps.iter().find(fits)?;
        let kept = starts.iter().filter(|(_, number, _)| number % step == 0);
        let ticks: Vec<Tick> = kept.map(|(row, _, name)| (*row as f64, name.clone())).collect();
        (ticks.len() >= 4).then_some(ticks)
    };
    thinned(starts(year), &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
        .or_else(|| thinned(starts(month), &[1, 3, 6]))
}

/// The year of a date as a number and as text.
fn year(label: &str) -> Option<(i32, &str)> {
    let year = label.get(..4)?;
    Some((year.parse().ok()?, year))
}

/// The month of a date, counted from year 0, and year and month as text.
fn month(label: &str) -> Option<(i32, &str)> {
    let rest = label.get(5..)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let month: i32 = rest[..digits].parse().ok()?;
    (1..=12).contains(&month).then_some(())?;
    Some((year(label)?.0 * 12 + month - 1, &label[..5 + digits]))
}

impl Drawing for Forecast {
    const SIZE: (u32, u32) = (1600, 1200);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        title(canvas, 1520.0, &self.title, "", false)?;
        let actual =
            Entry { label: "actual", stroke: Stroke::new(2.5, INK), marker: Some(Marker::Disc) };
        let forecasts = self.curves.iter().enumerate().map(|(number, curve)| Entry {
            label: &curve.label,
            stroke: forecast_stroke(number),
            marker: None,
        });
        let entries: Vec<Entry> = std::iter::once(actual).chain(forecasts).collect();
        // A chart is drawn even if the names of very many forecasts leave no room for it.
        let legend_end = legend(canvas, &entries, (40.0, 1560.0), 84.0, false)?.min(500.0);

        let all = 0..self.actual.len();
        let enlarged = format!("{}, enlarged", self.enlarged_in_words());
        let panels = self.begins().map_or(vec![(all.clone(), "")], |_| {
            vec![(all.clone(), self.part), (self.enlarged(), enlarged.as_str())]
        });
        let mut left = 0.0_f64;
        for (rows, _) in &panels {
            left = left.max(widest(canvas, &round_ticks(self.height(rows), 6))?);
        }
        let left = (left + 56.0).max(110.0);
        // The heading of a panel above it, its dates below.
        let (above, below) = (62.0, 62.0);
        let each = (1190.0 - legend_end) / panels.len() as f64;
        for (i, (rows, heading)) in panels.into_iter().enumerate() {
            let top = legend_end + each * i as f64 + above;
            let bottom = legend_end + each * (i + 1) as f64 - below;
            self.draw_rows(canvas, rows, (top, bottom), left, heading)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monthly(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("{}-{:02}", 1949 + i / 12, i % 12 + 1)).collect()
    }

    fn names(ticks: Option<Vec<Tick>>) -> Vec<String> {
        ticks.unwrap_or_default().into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn years_or_months_are_ticks() {
        let labels = monthly(144);
        assert_eq!(names(date_ticks(&labels, &(0..60))), ["1949", "1950", "1951", "1952", "1953"]);
        let months = ["1958-01", "1958-07", "1959-01", "1959-07", "1960-01", "1960-07"];
        let quarters = names(date_ticks(&labels, &(108..144)));
        assert!(
            months.iter().all(|month| quarters.contains(&(*month).to_string())),
            "{quarters:?}"
        );
        assert!(
            is_date("1949-01-31T00:00") && is_date("1949") && !is_date("19490") && !is_date("a")
        );
    }

    #[test]
    fn nothing_is_refused_and_what_is_not_finite_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let mut forecast = Forecast {
            labels: Some(monthly(3)),
            actual: vec![f64::NAN; 8],
            curves: vec![],
            split: 5,
            part: "test",
            name: "a".into(),
            title: "T".into(),
        };
        assert!(matches!(forecast.save(&stem), Err(Error::Nothing(_))));
        forecast.actual = vec![1.0, f64::INFINITY, 2.0, f64::MAX, -1e299, 3.0, f64::NAN, 1.0];
        for (start, split) in [(0, 0), (7, 5), (usize::MAX, usize::MAX), (3, 7)] {
            let values = vec![f64::NAN, 1.0, f64::NEG_INFINITY, 2.0];
            forecast.curves.push(ForecastCurve { label: "é".repeat(900), start, values });
            forecast.split = split;
            forecast.save(&stem).unwrap();
        }
        forecast.actual = vec![0.0];
        forecast.save(&stem).unwrap();
    }

    #[test]
    fn as_many_rows_are_enlarged_as_can_be_seen() {
        let of = |rows: usize, split: usize| {
            let (curves, name, title) = (Vec::new(), String::new(), String::new());
            let actual = vec![1.0; rows];
            let forecast =
                Forecast { labels: None, actual, curves, split, part: "test", name, title };
            (forecast.enlarged(), forecast.enlarged_in_words())
        };
        assert_eq!(of(2284, 1941), (1984..2284, "the last 300 of 343 test rows".into()));
        assert_eq!(of(144, 122), (122..144, "the test rows".into()));
        assert_eq!(of(3, usize::MAX).0, 3..3);
    }
}
