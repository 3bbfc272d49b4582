//! Pictures: each is drawn once, by the same code, as PNG and as SVG.
//!
//! Colours are told apart by the colour-blind (Okabe & Ito 2008), and curves by their dashes or
//! markers too, so that a print in grey still reads.

pub mod error_surface;
pub mod forecast;
pub mod gradient_by_time;
pub mod learning_curve;

use crate::files;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to draw.
    #[error("nothing to draw: {0}")]
    Nothing(&'static str),
    /// The drawing itself failed.
    #[error("cannot draw: {0}")]
    Drawing(String),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// A place to draw, whatever becomes of it.
type Area<B> = DrawingArea<B, Shift>;

/// What a drawing returns on any backend.
type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Something that can be drawn on any drawing backend.
trait Drawing {
    /// Width and height in pixels.
    const SIZE: (u32, u32) = (1600, 1000);

    /// Draws it.
    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B>;
}

/// Writes the drawing as `stem.png` and `stem.svg` and returns the two paths.
fn save<D: Drawing>(drawing: &D, stem: &Path) -> Result<[PathBuf; 2], Error> {
    fonts();
    let (width, height) = D::SIZE;
    let mut pixels = vec![255; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, D::SIZE).into_drawing_area();
        drawing.draw(&area).and_then(|()| area.present()).map_err(failed)?;
    }
    let mut png = Cursor::new(Vec::new());
    image::RgbImage::from_raw(width, height, pixels)
        .expect("a buffer of the picture's size")
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(failed)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, D::SIZE).into_drawing_area();
        drawing.draw(&area).and_then(|()| area.present()).map_err(failed)?;
    }
    let paths = ["png", "svg"].map(|extension| stem.with_extension(extension));
    files::replace(&paths[0], png.get_ref())?;
    files::replace(&paths[1], svg.as_bytes())?;
    Ok(paths)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Drawing(error.to_string())
}

/// Registers the fonts that pictures are drawn with, which are part of the binary.
fn fonts() {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        let registered = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
            .is_ok()
            && register_font("sans-serif", FontStyle::Bold, dejavu::sans::bold()).is_ok();
        assert!(registered, "the fonts of the binary are valid");
    });
}

const INK: RGBColor = RGBColor(34, 34, 34);
const GREY: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(222, 222, 222);
/// Blue, vermilion, green, purple, orange, sky: Okabe & Ito's.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Text of a size and colour, anchored at a point of itself.
fn text(size: f64, color: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color).pos(Pos::new(horizontal, vertical))
}

/// The title in bold and below it the subtitle, at the left; returns what is left of the area.
fn titled<B: DrawingBackend>(
    area: &Area<B>,
    title: &str,
    subtitle: &str,
) -> Result<Area<B>, DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let bold = ("sans-serif", 36.0, FontStyle::Bold).into_font().color(&INK);
    area.draw(&Text::new(title.to_string(), (40, 28), bold))?;
    area.draw(&Text::new(subtitle.to_string(), (40, 78), text(26.0, GREY, HPos::Left, VPos::Top)))?;
    Ok(area.margin(125, 20, 20, 30))
}

/// `10^k` as one writes it.
fn power_of_ten(exponent: i32) -> String {
    match exponent {
        0 => "1".into(),
        1 => "10".into(),
        _ => {
            let superscript = |digit| match digit {
                '-' => '⁻',
                '1' => '¹',
                '2' => '²',
                '3' => '³',
                '0' => '⁰',
                digit => char::from_u32('⁴' as u32 + digit as u32 - '4' as u32).expect("a digit"),
            };
            format!("10{}", exponent.to_string().chars().map(superscript).collect::<String>())
        }
    }
}

/// A number with a true minus sign.
fn plain(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('-', "−")
}

/// The smallest and the largest of the finite values, or `None` if there are none.
fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// Moves labels apart: from positions in falling order, positions at least `gap` apart, as near as a
/// walk from the first to the last can keep them.
fn spread(positions: &[i32], gap: i32) -> Vec<i32> {
    let mut spread: Vec<i32> = Vec::with_capacity(positions.len());
    for &position in positions {
        let lowest = spread.last().map_or(i32::MIN, |last| last + gap);
        spread.push(position.max(lowest));
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_superscripts() {
        assert_eq!([-12, 0, 1, 6, 3].map(power_of_ten), ["10⁻¹²", "1", "10", "10⁶", "10³"]);
    }

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(spread(&[10, 12, 60, 61], 20), [10, 30, 60, 80]);
    }
}
