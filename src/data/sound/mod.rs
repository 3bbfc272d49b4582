//! Sound: files as one sequence of samples at one rate, and the way back to a WAV file.

mod container;
mod decode;
mod resample;
mod sound_error;

pub use sound_error::SoundError;

use super::mu_law;
use crate::files;
use decode::{DecodeError, Decoder};
use hound::{SampleFormat, WavSpec, WavWriter};
use resample::Resampled;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// The most samples that are kept: 1 GiB of them, or 9 hours at 8000 Hz.
const MOST_SAMPLES: usize = 1 << 28;

/// The sample rates that can be converted, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 100..=1_000_000;

/// The speech that is learnt where no file is named: 12 seconds at 8000 Hz, made by `scripts/speech.sh`.
pub const SPEECH: &[u8] = include_bytes!("../../../data/speech.wav");

/// What files hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sound {
    /// The samples of all files, one file after the other.
    pub samples: Vec<f32>,
    /// What was found odd about the files, and how they were read all the same; one line of text each.
    pub notes: Vec<String>,
    /// The files in which there is nothing to hear, and why; one line of text each.
    pub silent: Vec<String>,
}

/// The samples of the files one after the other, in [−1, 1] by the range of their format, the channels' mean, resampled
/// to `rate` Hz. What a floating-point file holds beyond ±1 is clipped.
///
/// WAV (also RF64, BW64 and RIFX) and AIFF are read with integers of up to 32 bits, floating-point numbers of 32 or 64,
/// A-law and µ-law; FLAC; Ogg with Vorbis or FLAC in it. The first bytes tell the format, not the file's name. A sample
/// is scaled by its container: fewer valid bits change nothing. A size in a header that is 0, 0xFFFFFFFF or beyond the
/// end of the file means "to its end", with a note.
///
/// # Errors
/// If a file cannot be read, has another format, is damaged, holds a sample that is not finite; if there is no sample,
/// or more than 2²⁸.
///
/// ```no_run
/// let sound = bptt::data::sound::read(&["speech.wav".into()], 8000)?;
/// sound.notes.iter().for_each(|note| eprintln!("{note}"));
/// println!("{} s", sound.samples.len() as f64 / 8000.0);
/// # Ok::<(), bptt::data::sound::SoundError>(())
/// ```
pub fn read(paths: &[PathBuf], rate: u32) -> Result<Sound, SoundError> {
    let mut sound = Sound::default();
    for path in paths {
        let file = path.display().to_string();
        let refused = |source| SoundError::File { file: file.clone(), source };
        let opened = File::open(path).map_err(refused)?;
        let metadata = opened.metadata().map_err(refused)?;
        if metadata.is_dir() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        // A pipe has no size.
        let size = metadata.is_file().then_some(metadata.len());
        append(&file, (BufReader::new(opened), size), rate, MOST_SAMPLES, &mut sound)?;
    }
    let shown = || paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    match sound.samples.is_empty() {
        true => Err(SoundError::Empty(shown().join(", "))),
        false => Ok(sound),
    }
}

/// [`SPEECH`] at that rate.
///
/// # Errors
/// If the rate cannot be converted.
pub fn speech(rate: u32) -> Result<Vec<f32>, SoundError> {
    let mut sound = Sound::default();
    let speech = (SPEECH, Some(SPEECH.len() as u64));
    append("the speech that comes with bptt", speech, rate, MOST_SAMPLES, &mut sound)?;
    Ok(sound.samples)
}

/// Appends what one file, of so many bytes, holds, to `most` samples altogether.
fn append(
    file: &str,
    (reader, size): (impl Read + Send + Sync, Option<u64>),
    rate: u32,
    most: usize,
    sound: &mut Sound,
) -> Result<(), SoundError> {
    let failed = |error| {
        let file = file.to_string();
        match error {
            DecodeError::Io(source) => SoundError::File { file, source },
            DecodeError::Format(reason) => SoundError::Format { file, reason },
            DecodeError::Damaged(reason) => SoundError::Damaged { file, reason },
        }
    };
    let mut decoder = Decoder::open(reader, size).map_err(failed)?;
    let (channels, own_rate) = (decoder.channels, decoder.rate);
    for (file, rate) in [(file, own_rate), ("the rate that is asked for", rate)] {
        if !RATES.contains(&rate) {
            return Err(SoundError::Rate { file: file.into(), rate });
        }
    }
    // What there is may be too much without reading it.
    let frames = u128::from(decoder.frames.unwrap_or(0));
    let Sound { samples, notes, silent } = sound;
    if frames * u128::from(rate) / u128::from(own_rate) > (most - samples.len()) as u128 {
        return Err(SoundError::TooLong(file.into()));
    }
    let mut sink = Resampled::new([own_rate, rate], most, samples);
    let full = || SoundError::TooLong(file.into());
    let mut mix = Mix::default();
    while let Some(block) = decoder.next().map_err(failed)? {
        for frame in block.chunks_exact(channels) {
            if let Some(channel) = frame.iter().position(|value| !value.is_finite()) {
                let (sample, value) = (mix.frames + 1, frame[channel]);
                let (file, channel) = (file.into(), channel + 1);
                return Err(SoundError::NotFinite { file, sample, channel, value });
            }
            sink.push(mix.add(frame)).ok_or_else(full)?;
        }
    }
    sink.finish().ok_or_else(full)?;
    notes.extend(mix.loudness().map(|loud| format!("{file}: {loud}")));
    notes.extend(decoder.notes.iter().map(|note| format!("{file}: {note}")));
    silent.extend(mix.silence().map(|why| format!("{file}: {why}")));
    Ok(())
}

/// The mean of the channels, and how much of them is left in it.
#[derive(Default)]
struct Mix {
    frames: u64,
    /// Σ of the squares of the channels' mean power, and of the mix.
    power: [f64; 2],
    /// Frames beyond ±1, and the loudest of all.
    clipped: u64,
    peak: f64,
}

impl Mix {
    fn add(&mut self, frame: &[f64]) -> f32 {
        let channels = frame.len() as f64;
        let mean = frame.iter().sum::<f64>() / channels;
        self.frames += 1;
        self.power[0] += frame.iter().map(|sample| sample * sample).sum::<f64>() / channels;
        self.power[1] += mean * mean;
        self.clipped += u64::from(mean.abs() > 1.0);
        self.peak = self.peak.max(mean.abs());
        mean.clamp(-1.0, 1.0) as f32
    }

    /// How much was cut off, if something was.
    fn loudness(&self) -> Option<String> {
        (self.clipped > 0).then(|| {
            format!(
                "{} of {} samples are beyond ±1, up to {:.4}, and are clipped: divide them by that if the file holds other units",
                self.clipped, self.frames, self.peak
            )
        })
    }

    /// Why there is nothing to hear, if so.
    fn silence(&self) -> Option<&'static str> {
        /// Of a hundredth of the amplitude hardly anything but the channels' rounding is left.
        const LEAST: f64 = 1e-4;
        let [channels, mix] = self.power;
        match (channels, mix) {
            _ if self.frames == 0 => None,
            (0.0, _) => Some("it is silent: every sample is 0"),
            (channels, mix) if mix < LEAST * channels => Some(
                "its channels cancel each other in their mean, which is what is read: give one channel alone",
            ),
            _ => None,
        }
    }
}

/// The samples as a WAV file of one channel and 16 bits; what is louder than ±1 is clipped.
///
/// # Errors
/// If there are more than fit into one WAV file, 2³¹.
pub fn wav(samples: &[f32], rate: u32) -> io::Result<Vec<u8>> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::with_capacity(44 + 2 * samples.len()));
    let written = || -> hound::Result<()> {
        let mut writer = WavWriter::new(&mut bytes, spec)?;
        for &sample in samples {
            // The conversion saturates at both ends.
            writer.write_sample((sample * 32768.0).round() as i16)?;
        }
        writer.finalize()
    }();
    written.map_err(|error| io::Error::other(format!("cannot encode the sound: {error}")))?;
    Ok(bytes.into_inner())
}

/// Writes [`wav`] whole or not at all, in the place of what was there.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, samples: &[f32], rate: u32) -> io::Result<()> {
    files::replace(path, &wav(samples, rate)?)
}

/// How many classes there are, with class 0.
pub const CLASSES: usize = mu_law::LEVELS + 1;

/// The samples as classes: class = level of the [µ-law](mu_law) + 1. Class 0 is
/// [`UNKNOWN`](super::text::UNKNOWN): what stands before the first sample.
pub fn classes(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|&sample| u32::from(mu_law::encode(sample.into())) + 1).collect()
}

/// The sample of a class; silence for class 0.
///
/// # Panics
/// If there is no such class: above 256.
pub fn sample(class: u32) -> f64 {
    let level = class.checked_sub(1);
    level.map_or(0.0, |level| mu_law::decode(u8::try_from(level).expect("a class up to 256")))
}

/// The samples of classes, as [`write()`] takes them.
///
/// # Panics
/// As [`sample`].
pub fn samples(classes: &[u32]) -> Vec<f32> {
    classes.iter().map(|&class| sample(class) as f32).collect()
}

#[cfg(test)]
mod tests;
