//! Pictures. The same code draws each one as PNG and as SVG.
//!
//! The colours (Okabe & Ito 2008) suit the colour-blind, and markers and dashes tell curves apart in a grey
//! print. A value that is not finite is left out and never panics.

mod axes;
mod canvas;
mod contour;
pub mod error_by_step;
pub mod error_surface;
pub mod forecast;
pub mod gates;
pub mod gradient_by_time;
pub mod importance;
pub mod lag_maps;
pub mod learning_curve;
pub mod loss_curves;
pub mod outlook;
pub mod page;
mod panels;
pub mod waveform;

use crate::files;
use canvas::{Canvas, Letters, SCALE};
use plotters::prelude::*;
use std::path::{Path, PathBuf};

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to draw.
    #[error("nothing to draw: {0}")]
    Nothing(&'static str),
    /// The lengths or the grid of the data do not fit together.
    #[error("cannot draw: {0}")]
    Shape(&'static str),
    /// The drawing itself failed.
    #[error("cannot draw: {0}")]
    Drawing(String),
    /// A file could not be written; the message names it.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl Error {
    fn drawing(error: impl std::fmt::Display) -> Self {
        Self::Drawing(error.to_string())
    }
}

/// Something that can be drawn on any backend.
trait Drawing {
    /// Width and height in pixels of the PNG.
    const SIZE: (u32, u32);
    /// Whether an SVG's edges are on whole pixels. Otherwise neighbouring areas would show a seam.
    const CRISP: bool = false;

    /// Draws it on a white canvas of that size.
    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error>;
}

/// Writes the drawing as `<stem>.png` and `<stem>.svg` and returns the two paths.
fn save<D: Drawing>(drawing: &D, stem: &Path) -> Result<[PathBuf; 2], Error> {
    canvas::register_fonts()?;
    let png = png(drawing)?;
    let svg = svg(drawing)?;
    let paths = ["png", "svg"].map(|extension| {
        // Not `with_extension`, which would drop the `.5` of `w_rec=0.5`.
        let mut path = stem.as_os_str().to_owned();
        path.push(".");
        path.push(extension);
        PathBuf::from(path)
    });
    files::replace(&paths[0], &png)?;
    files::replace(&paths[1], svg.as_bytes())?;
    Ok(paths)
}

/// Draws `SCALE` times as large and averages: plotters smooths text, but not thick lines and polygons.
fn png<D: Drawing>(drawing: &D) -> Result<Vec<u8>, Error> {
    let (width, height) = D::SIZE;
    let large = (width * SCALE, height * SCALE);
    let mut pixels = vec![255; large.0 as usize * large.1 as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, large).into_drawing_area();
        drawing.draw(&Canvas::new(&area, Letters::BITMAP))?;
        area.present().map_err(Error::drawing)?;
    }
    let (row, scale) = (large.0 as usize * 3, SCALE as usize);
    let mut small = Vec::with_capacity(width as usize * height as usize * 3);
    for rows in pixels.chunks_exact(row * scale) {
        for x in 0..width as usize {
            for channel in 0..3 {
                let block = (0..scale * scale).map(|i| {
                    let (dy, dx) = (i / scale, i % scale);
                    u32::from(rows[dy * row + (x * scale + dx) * 3 + channel])
                });
                small.push(((block.sum::<u32>() + SCALE * SCALE / 2) / (SCALE * SCALE)) as u8);
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&small))
        .map_err(Error::drawing)?;
    Ok(bytes)
}

/// Draws `SCALE` times as large, because plotters rounds to whole units, and shows it at the PNG's size.
fn svg<D: Drawing>(drawing: &D) -> Result<String, Error> {
    canvas::register_fonts()?;
    let (width, height) = D::SIZE;
    let large = (width * SCALE, height * SCALE);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, large).into_drawing_area();
        drawing.draw(&Canvas::new(&area, Letters::SVG))?;
        area.present().map_err(Error::drawing)?;
    }
    let drawn = format!("width=\"{}\" height=\"{}\"", large.0, large.1);
    let crisp = if D::CRISP { "shape-rendering=\"crispEdges\" " } else { "" };
    Ok(svg.replacen(&drawn, &format!("{crisp}width=\"{width}\" height=\"{height}\""), 1))
}

#[cfg(test)]
mod tests {
    use super::gradient_by_time::{Curve, GradientByTime};

    fn picture(label: &str) -> GradientByTime {
        GradientByTime {
            curves: vec![Curve { label: label.into(), values: vec![1.0, 10.0, 100.0] }],
            title: "a < b & \"c\"".into(),
            subtitle: String::new(),
        }
    }

    #[test]
    fn both_files_are_written_and_twice_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = || {
            let paths = picture("w_rec = 2").save(&folder.path().join("w_rec=0.5")).unwrap();
            let names = paths.each_ref().map(|path| path.file_name().unwrap().to_owned());
            assert_eq!(names, ["w_rec=0.5.png", "w_rec=0.5.svg"]);
            paths.map(|path| std::fs::read(path).unwrap())
        };
        let [png, svg] = bytes();
        assert_eq!([png.clone(), svg.clone()], bytes());
        assert!(png.starts_with(b"\x89PNG"));
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.starts_with("<svg width=\"1600\" height=\"1000\" viewBox=\"0 0 3200 2000\""));
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;"));
    }

    #[test]
    fn text_that_xml_forbids_is_blank() {
        let folder = tempfile::tempdir().unwrap();
        let [_, svg] = picture("a\u{1}\u{fffe}b\n").save(&folder.path().join("a")).unwrap();
        let svg = std::fs::read_to_string(svg).unwrap();
        assert!(!svg.contains(['\u{1}', '\u{fffe}']));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("absent").join("a");
        let error = picture("a").save(&stem).unwrap_err().to_string();
        assert!(error.contains("absent") && !error.contains('\n'), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
