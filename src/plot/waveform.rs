//! Sound over time, whole and enlarged.

use super::axes::{Frame, NAME, drawable, range, round_ticks, title};
use super::canvas::{Align, Canvas, Font, GREY, INK, PALETTE, Stroke};
use super::{Drawing, Error, save};
use plotters::prelude::{DrawingBackend, RGBColor};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Sounds below each other on one scale: each whole at the left, and its loudest 40 milliseconds at the right.
#[derive(Clone, Debug)]
pub struct Waveform {
    /// The sounds.
    pub tracks: Vec<Track>,
    /// Samples per second.
    pub rate: u32,
    /// Title.
    pub title: String,
}

/// A sound.
#[derive(Clone, Debug)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// Its samples. Those that are not finite are left out.
    pub samples: Vec<f64>,
    /// How many samples at its beginning are drawn in grey: the prompt.
    pub heard: usize,
}

/// The shade behind the prompt.
const SHADE: RGBColor = RGBColor(240, 242, 245);

impl Waveform {
    /// Draws them as `<stem>.png` and `<stem>.svg` and returns the two paths.
    ///
    /// # Errors
    /// If there is no finite sample, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2], Error> {
        let samples = self.tracks.iter().flat_map(|track| track.samples.iter().copied());
        match range(samples) {
            None => Err(Error::Nothing("the sound has no finite sample")),
            Some(_) => save(self, stem),
        }
    }

    /// Seconds of a number of samples.
    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.rate.max(1))
    }

    fn draw_part<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        frame: &Frame,
        track: &Track,
        part: Range<usize>,
        color: RGBColor,
    ) -> Result<(), Error> {
        let heard = track.heard.clamp(part.start, part.end);
        if heard > part.start {
            let (end, _) = frame.at((self.seconds(heard), 0.0));
            canvas.rectangle((frame.left, frame.top), (end, frame.bottom), SHADE)?;
        }
        frame.draw(canvas, &round_ticks(frame.x, 6), &round_ticks(frame.y, 4))?;
        let pixels = (frame.right - frame.left) / (frame.x.1 - frame.x.0);
        let together = (f64::from(self.rate) / pixels) as usize;
        for (part, color) in [(part.start..heard, GREY), (heard..part.end, color)] {
            let (samples, start) = (&track.samples[part.clone()], part.start);
            if together <= 1 {
                let line = samples.iter().enumerate().filter(|(_, sample)| drawable(**sample));
                let line = line.map(|(t, &sample)| frame.at((self.seconds(start + t), sample)));
                canvas.line(&line.collect::<Vec<_>>(), Stroke::new(2.5, color))?;
                continue;
            }
            // Several samples share a pixel: draw the area from their lowest to their highest, at least as
            // thick as a line.
            let (mut above, mut below) = (Vec::new(), Vec::new());
            for (time, (low, high)) in envelope(samples, together) {
                let at = |sample| frame.at((self.seconds(start + time), sample));
                let ((x, top), (_, bottom)) = (at(high), at(low));
                above.push((x, top - 1.0));
                below.push((x, bottom + 1.0));
            }
            above.extend(below.into_iter().rev());
            if above.len() > 2 {
                canvas.polygon(&above, color)?;
            }
        }
        Ok(())
    }
}

/// The lowest and the highest of each block of samples, with the position of its first sample.
fn envelope(samples: &[f64], together: usize) -> impl Iterator<Item = (usize, (f64, f64))> {
    let chunks = samples.chunks(together).enumerate();
    chunks
        .filter_map(move |(number, chunk)| Some((number * together, range(chunk.iter().copied())?)))
}

/// The first sample of the loudest stretch of that many samples after `from`.
fn loudest(samples: &[f64], from: usize, length: usize) -> Range<usize> {
    let length = length.min(samples.len());
    let from = from.min(samples.len() - length);
    let power = |sample: f64| if drawable(sample) { sample * sample } else { 0.0 };
    let mut sum: f64 = samples[from..from + length].iter().map(|&sample| power(sample)).sum();
    let mut best = (sum, from);
    for start in from + 1..=samples.len() - length {
        sum += power(samples[start + length - 1]) - power(samples[start - 1]);
        if sum > best.0 {
            best = (sum, start);
        }
    }
    best.1..best.1 + length
}

impl Drawing for Waveform {
    const SIZE: (u32, u32) = (1600, 1000);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), Error> {
        const ENLARGED: f64 = 0.04;
        title(canvas, 1520.0, &self.title, "", false)?;
        let samples = self.tracks.iter().flat_map(|track| track.samples.iter().copied());
        let Some((low, high)) = range(samples) else { return Ok(()) };
        let most = 1.05 * low.abs().max(high.abs()).max(1e-6);
        let longest = self.tracks.iter().map(|track| track.samples.len()).max().unwrap_or(1);
        let height = 870.0 / self.tracks.len() as f64;
        for (number, track) in self.tracks.iter().enumerate() {
            let top = 165.0 + height * number as f64;
            let color = PALETTE[number % PALETTE.len()];
            let frame = |left, right, x| {
                let (top, bottom) = (top, top + height - 135.0);
                Frame { left, top, right, bottom, x, y: (-most, most) }
            };
            let all = frame(130.0, 980.0, (0.0, self.seconds(longest).max(1e-3)));
            self.draw_part(canvas, &all, track, 0..track.samples.len(), color)?;
            let length = (ENLARGED * f64::from(self.rate)) as usize;
            let part = loudest(&track.samples, track.heard, length.max(2));
            let times = (self.seconds(part.start), self.seconds(part.end.max(part.start + 1)));
            self.draw_part(canvas, &frame(1110.0, 1560.0, times), track, part, color)?;
            let font = Font::new(NAME, if number == 0 { INK } else { color });
            canvas.text(&track.name, (all.left, top - 16.0), Align::Left, font)?;
            let font = Font::new(NAME, GREY);
            canvas.text("enlarged", (1110.0, top - 16.0), Align::Left, font)?;
        }
        let font = Font::new(NAME, INK);
        for middle in [555.0, 1335.0] {
            canvas.text("seconds", (middle, 985.0), Align::Center, font)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_part_is_found() {
        let mut samples = vec![0.1; 100];
        samples[70..75].fill(-0.9);
        samples[10..15].fill(f64::NAN);
        assert_eq!(loudest(&samples, 0, 5), 70..75);
        assert_eq!(loudest(&samples, 90, 5), 90..95);
        assert_eq!(loudest(&samples, 0, 500), 0..100);
        assert_eq!(loudest(&[], 0, 5), 0..0);
    }

    #[test]
    fn an_envelope_keeps_the_peaks() {
        let mut samples = vec![0.0; 8000];
        samples[4321] = 0.7;
        samples[4322] = -0.6;
        samples[20..40].fill(f64::NAN);
        let all: Vec<_> = envelope(&samples, 20).collect();
        assert_eq!((all.len(), all[1].0), (399, 40));
        assert!(all.contains(&(4320, (-0.6, 0.7))));
    }

    #[test]
    fn what_is_empty_or_not_finite_does_not_panic() {
        let folder = tempfile::tempdir().unwrap();
        let save = |sounds: &[&[f64]], rate| {
            let tracks = sounds.iter().map(|samples| {
                let samples = samples.to_vec();
                Track { name: "a".into(), heard: samples.len() / 2, samples }
            });
            let waveform = Waveform { tracks: tracks.collect(), rate, title: "T".into() };
            waveform.save(&folder.path().join("a"))
        };
        assert!(matches!(save(&[], 8000), Err(Error::Nothing(_))));
        assert!(matches!(save(&[&[], &[f64::NAN]], 8000), Err(Error::Nothing(_))));
        save(&[&[0.0], &[]], 8000).unwrap();
        save(&[&[0.0; 9], &[f64::INFINITY, f64::MAX, 1e-300]], 100).unwrap();
        save(&[&[0.5, -0.5]], 0).unwrap();
    }
}
