//! Strokes, markers and text in pixels, on any backend.

use super::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

/// Units of the backend per pixel of the picture.
pub const SCALE: u32 = 2;

/// The colour of text, axes and data.
pub const INK: RGBColor = RGBColor(34, 34, 34);
/// The colour of secondary text.
pub const GREY: RGBColor = RGBColor(95, 95, 95);
/// The colour of grid lines.
pub const GRID: RGBColor = RGBColor(224, 224, 224);
/// Blue, vermilion, green, purple, orange, sky: the palette of Okabe & Ito without black, which is the
/// text's colour, and yellow, which is too faint.
pub const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// A point of the picture in pixels from its upper left corner.
pub type Point = (f64, f64);

/// The viewer of an SVG supplies the font. Verdana is as wide as the DejaVu of the PNG.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Registers the fonts in the binary with plotters.
pub fn register_fonts() -> Result<(), Error> {
    use dejavu::sans::{bold, oblique, regular};
    for (style, bytes) in
        [(FontStyle::Normal, regular()), (FontStyle::Bold, bold()), (FontStyle::Oblique, oblique())]
    {
        register_font(FAMILY, style, bytes)
            .map_err(|_| Error::Drawing("a font of the binary is not valid".into()))?;
    }
    Ok(())
}

/// How a backend of plotters reads the size and the position of text. The two backends differ.
#[derive(Clone, Copy)]
pub struct Letters {
    /// The size that gives an em of 1.
    em: f64,
    /// The distance from the given position down to the baseline, in ems, for text anchored at its top.
    baseline: f64,
}

impl Letters {
    /// `ab_glyph` scales a font's height, 1.164 em for DejaVu; the baseline is half of that down.
    pub const BITMAP: Self = Self { em: 1.164, baseline: 0.582 };
    /// The SVG backend divides by 1.24 and shifts by `0.76em`.
    pub const SVG: Self = Self { em: 1.24, baseline: 0.76 };
}

/// Which part of a text is at the given position.
#[derive(Clone, Copy, PartialEq)]
pub enum Align {
    Left,
    Center,
    Right,
}

/// The look of a text: its em in pixels, its weight and its colour.
#[derive(Clone, Copy)]
pub struct Font {
    pub size: f64,
    pub style: FontStyle,
    pub color: RGBColor,
}

impl Font {
    pub fn new(size: f64, color: RGBColor) -> Self {
        Self { size, style: FontStyle::Normal, color }
    }

    pub fn bold(self) -> Self {
        Self { style: FontStyle::Bold, ..self }
    }

    /// The distance from the baseline to the middle of the digits. It puts a number level with its tick.
    pub fn half_digit(self) -> f64 {
        0.364 * self.size
    }
}

/// The look of a line, in pixels.
#[derive(Clone, Copy)]
pub struct Stroke {
    pub width: f64,
    pub color: RGBColor,
    /// Lengths of dash and gap.
    pub dash: Option<(f64, f64)>,
}

impl Stroke {
    pub fn new(width: f64, color: RGBColor) -> Self {
        Self { width, color, dash: None }
    }
}

/// The shape that marks a point of a curve.
#[derive(Clone, Copy)]
pub enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
}

/// The look of the curve with that number: six colours with a marker each, then the same dashed.
pub fn curve_style(number: usize) -> (Stroke, Marker) {
    use Marker::{Cross, Diamond, Disc, Ring, Square, Triangle};
    let markers = [Disc, Square, Triangle, Diamond, Ring, Cross];
    let dashes = [None, Some((16.0, 8.0)), Some((4.0, 6.0))];
    let dash = dashes[number / PALETTE.len() % dashes.len()];
    let stroke = Stroke { width: 4.0, color: PALETTE[number % PALETTE.len()], dash };
    (stroke, markers[number % markers.len()])
}

/// The area, widened by so many pixels above and below, that a line covers which goes to the right with many points in each pixel;
/// none of another line.
fn covered(points: &[Point], wider: f64) -> Option<Vec<Point>> {
    const MANY: usize = 4096;
    const IN_A_PIXEL: f64 = 4.0;
    let (first, last) = (points.first()?, points.last()?);
    let is_dense =
        points.len() > MANY && points.len() as f64 > IN_A_PIXEL * (last.0 - first.0).abs();
    if !is_dense || points.windows(2).any(|pair| pair[1].0 < pair[0].0) {
        return None;
    }
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for pixel in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let middle = (pixel[0].0 + pixel[pixel.len() - 1].0) / 2.0;
        let ends = pixel.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.1), high.max(point.1))
        });
        above.push((middle, ends.0 - wider));
        below.push((middle, ends.1 + wider));
    }
    below.reverse();
    above.extend(below);
    (above.len() > 2).then_some(above)
}

/// A place to draw, in pixels.
pub struct Canvas<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    letters: Letters,
}

impl<'a, B: DrawingBackend> Canvas<'a, B> {
    pub fn new(area: &'a DrawingArea<B, Shift>, letters: Letters) -> Self {
        Self { area, letters }
    }

    /// A filled polygon that does not cross itself.
    pub fn polygon(&self, corners: &[Point], color: RGBColor) -> Result<(), Error> {
        let mut corners: Vec<_> = corners.iter().map(|&corner| unit(corner)).collect();
        corners.dedup();
        self.area.draw(&Polygon::new(corners, color)).map_err(Error::drawing)
    }

    pub fn rectangle(
        &self,
        (x, y): Point,
        (to_x, to_y): Point,
        color: RGBColor,
    ) -> Result<(), Error> {
        self.polygon(&[(x, y), (to_x, y), (to_x, to_y), (x, to_y)], color)
    }

    pub fn disc(&self, center: Point, radius: f64, color: RGBColor) -> Result<(), Error> {
        let radius = (radius * f64::from(SCALE)).round() as i32;
        let disc = Circle::new(unit(center), radius, color.filled());
        self.area.draw(&disc).map_err(Error::drawing)
    }

    /// A line through the points, with round joints where it turns sharply. Where many points lie in a pixel, it is the area
    /// that it covers.
    pub fn line(&self, points: &[Point], stroke: Stroke) -> Result<(), Error> {
        if let Some(area) = covered(points, stroke.width / 2.0) {
            return self.polygon(&area, stroke.color);
        }
        match stroke.dash {
            Some(dash) => dashes(points, dash).iter().try_for_each(|dash| self.solid(dash, stroke)),
            None => self.solid(points, stroke),
        }
    }

    /// Plotters draws the outside of a sharp corner as a spike, and draws turns of less than a pixel
    /// roughly. So the line is thinned, and split at its sharp corners.
    fn solid(&self, points: &[Point], stroke: Stroke) -> Result<(), Error> {
        let width = ((stroke.width * f64::from(SCALE)).round() as u32).max(1);
        let mut kept: Vec<Point> = Vec::with_capacity(points.len());
        for (i, &point) in points.iter().enumerate() {
            let near = |&last: &Point| distance(last, point) < 1.0;
            match kept.last() {
                Some(last) if near(last) && i + 1 < points.len() => {}
                Some(last) if near(last) && kept.len() > 1 => {
                    kept.pop();
                    kept.push(point);
                }
                _ => kept.push(point),
            }
        }
        let mut from = 0;
        for corner in 1..kept.len() {
            let last = corner + 1 == kept.len();
            if !last && !sharp(kept[corner - 1], kept[corner], kept[corner + 1]) {
                continue;
            }
            let part: Vec<_> = kept[from..=corner].iter().map(|&point| unit(point)).collect();
            if part.windows(2).any(|pair| pair[0] != pair[1]) {
                let part = PathElement::new(part, stroke.color.stroke_width(width));
                self.area.draw(&part).map_err(Error::drawing)?;
            }
            if !last && stroke.width > 1.5 {
                self.disc(kept[corner], stroke.width / 2.0, stroke.color)?;
            }
            from = corner;
        }
        Ok(())
    }

    /// A marker about twice `radius` wide.
    pub fn marker(
        &self,
        marker: Marker,
        center: Point,
        radius: f64,
        color: RGBColor,
    ) -> Result<(), Error> {
        let (x, y) = center;
        let corners = |offsets: &[Point]| -> Vec<Point> {
            offsets.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect()
        };
        match marker {
            Marker::Disc => self.disc(center, radius, color),
            Marker::Square => {
                let a = 0.9 * radius;
                self.rectangle((x - a, y - a), (x + a, y + a), color)
            }
            Marker::Triangle => {
                self.polygon(&corners(&[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)]), color)
            }
            Marker::Diamond => {
                self.polygon(&corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]), color)
            }
            Marker::Ring => {
                self.disc(center, radius * 1.1, color)?;
                self.disc(center, radius * 0.6, WHITE)
            }
            Marker::Cross => [1.0, -1.0].into_iter().try_for_each(|side| {
                let ends = corners(&[(-1.0, -side), (1.0, side)]);
                self.line(&ends, Stroke::new(0.6 * radius, color))
            }),
        }
    }

    /// Text as it is, on a baseline.
    pub fn text(
        &self,
        text: &str,
        (x, baseline): Point,
        align: Align,
        font: Font,
    ) -> Result<(), Error> {
        let text = printable(text);
        if text.is_empty() {
            return Ok(());
        }
        let size = font.size * f64::from(SCALE);
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let style = (FAMILY, size * self.letters.em, font.style).into_font().color(&font.color);
        let at = unit((x, baseline - self.letters.baseline * font.size));
        let style = style.pos(Pos::new(horizontal, VPos::Top));
        self.area.draw(&Text::new(text, at, style)).map_err(Error::drawing)
    }

    /// The width of a text in pixels.
    pub fn text_width(&self, text: &str, font: Font) -> Result<f64, Error> {
        // Every backend uses the bitmap's estimate, so that all layouts agree.
        let size = font.size * f64::from(SCALE) * Letters::BITMAP.em;
        let font = (FAMILY, size, font.style).into_font();
        let ((left, _), (right, _)) = font.layout_box(&printable(text)).map_err(Error::drawing)?;
        Ok(f64::from(right - left) / f64::from(SCALE))
    }

    /// The text, or its beginning and `…` where it is wider than `width`.
    pub fn shortened(&self, text: &str, font: Font, width: f64) -> Result<String, Error> {
        let mut short = printable(text);
        while self.text_width(&short, font)? > width && short.chars().count() > 1 {
            // The steps grow, because a name from a file may have any length.
            let keep = (short.chars().count() - 1) * 19 / 20;
            short = short.chars().take(keep).collect::<String>().trim_end().to_string() + "…";
        }
        Ok(short)
    }

    /// A text on a baseline in which `w_rec` has a lowered `rec`.
    pub fn formula(
        &self,
        text: &str,
        (x, baseline): Point,
        align: Align,
        font: Font,
    ) -> Result<(), Error> {
        let width = self.formula_width(text, font)?;
        let mut x = match align {
            Align::Left => x,
            Align::Center => x - width / 2.0,
            Align::Right => x - width,
        };
        for (part, drop, font) in formula_parts(text, font) {
            // An SVG drops blanks at the beginning of a text.
            let word = part.trim_start();
            let blank = self.text_width(&part[..part.len() - word.len()], font)?;
            self.text(word, (x + blank, baseline + drop), Align::Left, font)?;
            x += self.text_width(part, font)?;
        }
        Ok(())
    }

    /// The width of a formula in pixels.
    pub fn formula_width(&self, text: &str, font: Font) -> Result<f64, Error> {
        formula_parts(text, font)
            .into_iter()
            .map(|(part, _, font)| self.text_width(part, font))
            .sum()
    }
}

/// A point in whole units of the backend, clamped to their range.
fn unit((x, y): Point) -> (i32, i32) {
    let unit = |pixel: f64| (pixel * f64::from(SCALE)).round().clamp(-1e6, 1e6) as i32;
    (unit(x), unit(y))
}

/// The distance of two points.
pub fn distance(a: Point, b: Point) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// Whether a line turns by more than 40°.
fn sharp(a: Point, b: Point, c: Point) -> bool {
    let ((x, y), (next_x, next_y)) = ((b.0 - a.0, b.1 - a.1), (c.0 - b.0, c.1 - b.1));
    x * next_x + y * next_y < 0.77 * distance(a, b) * distance(b, c)
}

/// Cuts a line into dashes.
fn dashes(points: &[Point], (dash, gap): (f64, f64)) -> Vec<Vec<Point>> {
    let mut dashes = Vec::new();
    let (mut current, mut drawn, mut left) = (Vec::new(), true, dash);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        if drawn && current.is_empty() {
            current.push(from);
        }
        while distance(from, to) > left {
            let share = left / distance(from, to);
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            if drawn {
                current.push(from);
                dashes.push(std::mem::take(&mut current));
            } else {
                current.push(from);
            }
            drawn = !drawn;
            left = if drawn { dash } else { gap };
        }
        left -= distance(from, to);
        if drawn {
            current.push(to);
        }
    }
    if current.len() > 1 {
        dashes.push(current);
    }
    dashes
}

/// The text with a blank for each character that XML or one line cannot hold.
fn printable(text: &str) -> String {
    let blank = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if blank(c) { ' ' } else { c }).collect()
}

/// The parts of a text, each with its font and how far it is lowered: `w_rec` is an oblique `w` and a smaller,
/// lowered `rec`. The index of a sum, as `k` in `S_k`, is oblique too.
fn formula_parts(text: &str, font: Font) -> Vec<(&str, f64, Font)> {
    let oblique = |font: Font| match font.style {
        FontStyle::Normal => Font { style: FontStyle::Oblique, ..font },
        _ => font,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('_') {
        let index = &rest[at + 1..];
        let end = index.find(|c: char| !c.is_alphanumeric()).unwrap_or(index.len());
        let letter = rest[..at].chars().next_back().filter(|c| c.is_alphabetic());
        let (Some(letter), true) = (letter, end > 0) else {
            // Not a subscript: the underscore is text.
            parts.push((&rest[..=at], 0.0, font));
            rest = index;
            continue;
        };
        let before = at - letter.len_utf8();
        parts.push((&rest[..before], 0.0, font));
        parts.push((&rest[before..at], 0.0, oblique(font)));
        let small = Font { size: 0.72 * font.size, ..font };
        let small = if index[..end].chars().count() == 1 { oblique(small) } else { small };
        parts.push((&index[..end], 0.2 * font.size, small));
        rest = &index[end..];
    }
    parts.push((rest, 0.0, font));
    parts.retain(|(part, ..)| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_lowered() {
        let parts = formula_parts("‖∂ξ/∂S_k‖, w_rec = _2", Font::new(10.0, INK));
        let parts: Vec<_> = parts.into_iter().map(|(part, drop, _)| (part, drop > 0.0)).collect();
        let expected = [
            ("‖∂ξ/∂", false),
            ("S", false),
            ("k", true),
            ("‖, ", false),
            ("w", false),
            ("rec", true),
            (" = _", false),
            ("2", false),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_dense_line_is_the_area_that_it_covers() {
        let point = |i: i32| (f64::from(i) / 500.0, f64::from(i * 7919 % 101));
        let points: Vec<Point> = (0..50_000).map(point).collect();
        let area = covered(&points, 1.5).unwrap();
        assert_eq!(area.len(), 200);
        assert!(area[..100].iter().all(|corner| corner.1 == -1.5), "{area:?}");
        assert!(area[100..].iter().all(|corner| corner.1 == 101.5), "{area:?}");
        // Of few points, of points that lie apart, and one that goes back.
        assert_eq!(covered(&points[..4000], 1.5), None);
        let apart: Vec<Point> = points.iter().map(|&(x, y)| (500.0 * x, y)).collect();
        assert_eq!(covered(&apart, 1.5), None);
        let back: Vec<Point> = points.iter().rev().copied().collect();
        assert_eq!(covered(&back, 1.5), None);
    }

    #[test]
    fn dashes_go_round_corners() {
        let dashes = dashes(&[(0.0, 0.0), (5.0, 0.0), (5.0, 7.0)], (6.0, 2.0));
        assert_eq!(
            dashes,
            [vec![(0.0, 0.0), (5.0, 0.0), (5.0, 1.0)], vec![(5.0, 3.0), (5.0, 7.0)]]
        );
    }
}
