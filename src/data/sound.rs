//! Sound: WAV files as one sequence of samples at one rate, and the way back.

use super::mu_law;
use crate::files;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// The most samples that are kept: 1 GiB of them, or 9 hours at 8000 Hz.
const MOST_SAMPLES: usize = 1 << 28;

/// The sample rates that can be converted, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 100..=1_000_000;

/// The speech that is learnt where no file is named: 12 seconds at 8000 Hz, made by `scripts/speech.sh`.
pub const SPEECH: &[u8] = include_bytes!("../../data/speech.wav");

/// Why sound could not be read; one line of text each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoundError {
    /// A file could not be read.
    #[error("cannot read {file}: {source}; check the path")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Not a WAV file, or not one of plain samples.
    #[error(
        "{file}: {reason}; give a WAV file of 8, 16, 24 or 32 bit integers or of 32 bit floating-point numbers"
    )]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file ends before its samples do.
    #[error(
        "{file}: it ends after {found} of the {claimed} samples that its header claims; the file was cut off, or written by a program that did not know the length: write it anew"
    )]
    CutOff {
        /// The file.
        file: String,
        /// Samples of all channels that were there.
        found: usize,
        /// Samples that should be.
        claimed: u32,
    },
    /// A sample that is no number.
    #[error(
        "{file}: sample {sample} of channel {channel} is {value}, not a number; repair the file"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// Its position, from 1.
        sample: usize,
        /// Its channel, from 1.
        channel: usize,
        /// What it is.
        value: f32,
    },
    /// A rate that cannot be converted.
    #[error(
        "{file}: a sample rate of {rate} Hz is not possible; it lies between 100 and 1000000 Hz"
    )]
    Rate {
        /// The file, or what asks for the rate.
        file: String,
        /// The rate.
        rate: u32,
    },
    /// No sample at all.
    #[error("{0}: there is no sound in it; name files with some")]
    Empty(String),
    /// More than is sensible on one machine.
    #[error("{0}: this is more than 2^28 samples; name fewer files, or lower the rate")]
    TooLong(String),
}

/// The samples of the files one after the other, in [−1, 1] by the range of their format, the channels' mean, resampled
/// to `rate` Hz. What a floating-point file holds beyond ±1 is clipped.
///
/// # Errors
/// If a file cannot be read, is not a WAV file of integers of 8, 16, 24 or 32 bits or floats of 32, is cut off, holds a
/// sample that is not finite; if there is no sample, or more than 2²⁸.
///
/// ```no_run
/// let samples = bptt::data::sound::read(&["speech.wav".into()], 8000)?;
/// println!("{} s", samples.len() as f64 / 8000.0);
/// # Ok::<(), bptt::data::sound::SoundError>(())
/// ```
pub fn read(paths: &[PathBuf], rate: u32) -> Result<Vec<f32>, SoundError> {
    let mut samples = Vec::new();
    for path in paths {
        let file = path.display().to_string();
        let refused = |source| SoundError::File { file: file.clone(), source };
        let opened = File::open(path).map_err(refused)?;
        let metadata = opened.metadata().map_err(refused)?;
        if metadata.is_dir() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        let size = metadata.len();
        append(&file, (BufReader::new(opened), size), rate, MOST_SAMPLES, &mut samples)?;
    }
    let shown = || paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    match samples.is_empty() {
        true => Err(SoundError::Empty(shown().join(", "))),
        false => Ok(samples),
    }
}

/// [`SPEECH`] at that rate.
///
/// # Errors
/// If the rate cannot be converted.
pub fn speech(rate: u32) -> Result<Vec<f32>, SoundError> {
    let mut samples = Vec::new();
    let size = SPEECH.len() as u64;
    append("the speech that comes with bptt", (SPEECH, size), rate, MOST_SAMPLES, &mut samples)?;
    Ok(samples)
}

/// Appends what one file, of so many bytes, holds, to `most` samples altogether.
fn append(
    file: &str,
    (reader, size): (impl Read, u64),
    rate: u32,
    most: usize,
    samples: &mut Vec<f32>,
) -> Result<(), SoundError> {
    let file = file.to_string();
    let mut reader = WavReader::new(reader).map_err(|error| format_error(&file, error))?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    for (file, rate) in [(file.as_str(), sample_rate), ("the rate that is asked for", rate)] {
        if !RATES.contains(&rate) {
            return Err(SoundError::Rate { file: file.into(), rate });
        }
    }
    // The header may claim more than there is; what there is may be too much without reading it.
    let there = u64::from(reader.len()).min(8 * size / u64::from(bits_per_sample));
    let samples_there = there / u64::from(channels) * u64::from(rate) / u64::from(sample_rate);
    if samples_there > (most - samples.len()) as u64 {
        return Err(SoundError::TooLong(file));
    }
    let mut sink = Resampled::new([sample_rate, rate], most, samples);
    let full = || SoundError::TooLong(file.clone());
    let claimed = reader.len();
    let mut mixed = Mixed { channels: channels.into(), sum: 0.0, count: 0 };
    let cut_off = |found, error| match error {
        hound::Error::IoError(_) => SoundError::CutOff { file: file.clone(), found, claimed },
        error => format_error(&file, error),
    };
    match sample_format {
        SampleFormat::Float => {
            for (found, sample) in reader.samples::<f32>().enumerate() {
                let value = sample.map_err(|error| cut_off(found, error))?;
                if !value.is_finite() {
                    let channels = usize::from(channels);
                    let (sample, channel) = (found / channels + 1, found % channels + 1);
                    return Err(SoundError::NotFinite { file, sample, channel, value });
                }
                if let Some(sample) = mixed.add(value.into()) {
                    sink.push(sample).ok_or_else(full)?;
                }
            }
        }
        SampleFormat::Int => {
            let unit = 2f64.powi(1 - i32::from(bits_per_sample));
            for (found, sample) in reader.samples::<i32>().enumerate() {
                let value = sample.map_err(|error| cut_off(found, error))?;
                if let Some(sample) = mixed.add(f64::from(value) * unit) {
                    sink.push(sample).ok_or_else(full)?;
                }
            }
        }
    }
    sink.finish().ok_or_else(full)
}

fn format_error(file: &str, error: hound::Error) -> SoundError {
    let reason = match error {
        hound::Error::IoError(error) if error.raw_os_error().is_some() => {
            return SoundError::File { file: file.into(), source: error };
        }
        hound::Error::IoError(_) => "it ends within its header".into(),
        hound::Error::FormatError(reason) => format!("it is not a sound WAV file ({reason})"),
        hound::Error::Unsupported | hound::Error::TooWide | hound::Error::InvalidSampleFormat => {
            "its samples are of a kind that cannot be read".into()
        }
        error => error.to_string(),
    };
    SoundError::Format { file: file.into(), reason }
}

/// The mean of the channels.
struct Mixed {
    channels: usize,
    sum: f64,
    count: usize,
}

impl Mixed {
    /// The mean, once every channel's sample is there.
    fn add(&mut self, sample: f64) -> Option<f32> {
        self.sum += sample;
        self.count += 1;
        (self.count == self.channels).then(|| {
            self.count = 0;
            (std::mem::take(&mut self.sum) / self.channels as f64).clamp(-1.0, 1.0) as f32
        })
    }
}

/// What comes in at one rate goes out at another, block by block.
struct Resampled<'a> {
    /// None if both rates are the same.
    resampler: Option<Fft<f32>>,
    /// From one rate to the other.
    rates: [u64; 2],
    /// Samples of a block that come in.
    block: usize,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Samples that came in.
    taken: u64,
    /// Samples of the resampler's delay that have yet to be left out.
    delay: usize,
    /// Samples that were there before.
    first: usize,
    most: usize,
    samples: &'a mut Vec<f32>,
}

impl<'a> Resampled<'a> {
    fn new(rates: [u32; 2], most: usize, samples: &'a mut Vec<f32>) -> Self {
        /// Samples of a block at the lower of the two rates: the filter's length.
        const BLOCK: u32 = 1024;
        let resampler = (rates[0] != rates[1]).then(|| {
            let divisor = greatest_common_divisor(rates[0], rates[1]);
            let [from, to] = rates.map(|rate| rate / divisor);
            // An even number of the smallest blocks, so that the delay, half a block, is a whole number of samples at
            // both rates.
            let blocks = BLOCK.div_ceil(from.min(to)).next_multiple_of(2);
            let [from, to, chunk] = [rates[0], rates[1], blocks * from].map(|n| n as usize);
            let window = WindowFunction::BlackmanHarris2;
            Fft::new_custom(from, to, chunk, 1, 1, window, FixedSync::Both)
                .expect("rates and block are above zero")
        });
        let [block, output, delay] = resampler.as_ref().map_or([0; 3], |resampler| {
            [resampler.input_frames_max(), resampler.output_frames_max(), resampler.output_delay()]
        });
        Self {
            resampler,
            rates: rates.map(u64::from),
            block,
            input: Vec::with_capacity(block),
            output: vec![0.0; output],
            taken: 0,
            delay,
            first: samples.len(),
            most,
            samples,
        }
    }

    /// None if there is no room.
    fn push(&mut self, sample: f32) -> Option<()> {
        self.taken += 1;
        if self.resampler.is_none() {
            return self.keep(&[sample]);
        }
        self.input.push(sample);
        match self.input.len() == self.block {
            true => self.resample(),
            false => Some(()),
        }
    }

    fn keep(&mut self, samples: &[f32]) -> Option<()> {
        (self.samples.len() + samples.len() <= self.most)
            .then(|| self.samples.extend_from_slice(samples))
    }

    /// Resamples a full block.
    fn resample(&mut self) -> Option<()> {
        let Some(resampler) = &mut self.resampler else { return Some(()) };
        let (taken, made) = (self.input.len(), self.output.len());
        let input = SequentialSlice::new(&self.input, 1, taken).expect("one channel");
        let mut output = SequentialSlice::new_mut(&mut self.output, 1, made).expect("one channel");
        let (_, made) = resampler
            .process_into_buffer(&input, &mut output, None)
            .expect("the buffers have the sizes that it asks for");
        self.input.clear();
        let late = self.delay.min(made);
        self.delay -= late;
        let output = std::mem::take(&mut self.output);
        let kept = self.keep(&output[late..made]);
        self.output = output;
        kept
    }

    /// Silence pushes the last samples out. As many are kept as fit in the time: one for each begun period.
    fn finish(mut self) -> Option<()> {
        if self.resampler.is_none() {
            return Some(());
        }
        let [from, to] = self.rates;
        let all = self.first + (self.taken * to).div_ceil(from) as usize;
        while self.samples.len() < all {
            self.input.resize(self.block, 0.0);
            self.resample()?;
        }
        self.samples.truncate(all);
        Some(())
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
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

/// Writes [`wav`] whole or not at all.
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;
    use std::panic::catch_unwind;

    /// What `append` makes of a file in memory.
    fn appended(bytes: &[u8], rate: u32) -> Result<Vec<f32>, SoundError> {
        let mut samples = Vec::new();
        append("a.wav", (bytes, bytes.len() as u64), rate, 1 << 20, &mut samples).map(|()| samples)
    }

    /// A WAV file of those samples, in [−1, 1].
    fn encoded(spec: WavSpec, samples: &[f64]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        let scale = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
        for sample in samples {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(*sample as f32).unwrap(),
                SampleFormat::Int => writer.write_sample((sample * scale) as i32).unwrap(),
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
        let sample_format = SampleFormat::Int;
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    fn sine(frequency: f64, rate: u32, length: usize) -> Vec<f64> {
        (0..length).map(|t| 0.5 * (TAU * frequency * t as f64 / f64::from(rate)).sin()).collect()
    }

    fn largest_difference(a: &[f32], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn every_format_is_read_to_its_precision() {
        let samples: Vec<f64> = (0..2000).map(|t| 0.999 * (f64::from(t) * 0.37).sin()).collect();
        for bits in [8, 16, 24, 32] {
            let read = appended(&encoded(spec(1, 8000, bits), &samples), 8000).unwrap();
            let most = 2f64.powi(1 - i32::from(bits)).max(1e-7);
            let error = largest_difference(&read, &samples);
            assert!(read.len() == 2000 && error <= most, "{bits} bits: {error}");
        }
        let float = WavSpec { sample_format: SampleFormat::Float, ..spec(1, 8000, 32) };
        let read = appended(&encoded(float, &samples), 8000).unwrap();
        assert!(largest_difference(&read, &samples) < 1e-7);
        let loud = appended(&encoded(float, &[3.0, -1e30]), 8000).unwrap();
        assert_eq!(loud, [1.0, -1.0]);
    }

    #[test]
    fn channels_are_mixed_by_their_mean() {
        let frames: Vec<f64> = (0..50).flat_map(|t| [0.01 * f64::from(t), 0.0, -0.25]).collect();
        let mean: Vec<f64> =
            frames.chunks(3).map(|frame| frame.iter().sum::<f64>() / 3.0).collect();
        let read = appended(&encoded(spec(3, 8000, 24), &frames), 8000).unwrap();
        assert!(read.len() == 50 && largest_difference(&read, &mean) < 1e-6);
    }

    #[test]
    fn a_sine_stays_that_sine_at_any_rate() {
        let mut worst = 0f64;
        for from in [4000, 8001, 11025, 16000, 22050, 44100, 48000, 96000, 192_000] {
            for frequency in [50.0, 440.0, 1500.0] {
                let seconds = 0.6;
                let length = (seconds * f64::from(from)) as usize;
                let sound = encoded(spec(1, from, 32), &sine(frequency, from, length));
                let read = appended(&sound, 8000).unwrap();
                assert_eq!(read.len(), (length * 8000).div_ceil(from as usize), "{from} Hz");
                // The ends are those of a sine that begins and ends at once, which no lower rate can hold.
                let expected = sine(frequency, 8000, read.len());
                let inner = 1200..read.len() - 1200;
                let error = largest_difference(&read[inner.clone()], &expected[inner]);
                worst = worst.max(error);
                assert!(error < 1e-4, "{from} Hz, a sine of {frequency} Hz: {error}");
            }
        }
        println!("largest error of a sine of amplitude 0.5: {worst:.1e}");
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        for (from, frequency) in
            [(44100, 4500.0), (44100, 7900.0), (48000, 8100.0), (16000, 5000.0)]
        {
            let sound = encoded(spec(1, from, 32), &sine(frequency, from, from as usize));
            let read = appended(&sound, 8000).unwrap();
            let loudest = read[1200..6800].iter().fold(0f32, |most, sample| most.max(sample.abs()));
            assert!(loudest < 1e-4, "{from} Hz, a sine of {frequency} Hz: {loudest} is left");
        }
    }

    #[test]
    fn files_follow_each_other_each_from_its_own_rate() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("a.wav"), &[0.5; 800], 8000).unwrap();
        write(&at("b.wav"), &[-0.5; 1600], 16000).unwrap();
        let read = read(&[at("a.wav"), at("b.wav")], 8000).unwrap();
        assert_eq!((read.len(), read[799], read[400]), (1600, 0.5, 0.5));
        assert!((read[1200] + 0.5).abs() < 1e-4);
    }

    #[test]
    fn the_speech_is_there() {
        let speech = speech(8000).unwrap();
        let power = speech.iter().map(|sample| f64::from(sample * sample)).sum::<f64>();
        let level = (power / speech.len() as f64).sqrt();
        assert!(speech.len() > 5 * 8000 && (0.02..0.5).contains(&level), "{level}");
    }

    #[test]
    fn bad_files_are_refused_in_a_line_that_names_them() {
        let good = encoded(spec(2, 8000, 16), &[0.25; 400]);
        let changed = |at: usize, bytes: &[u8]| {
            let mut file = good.clone();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            file
        };
        let extensible = encoded(spec(1, 8000, 32), &[0.1; 4]);
        assert_eq!(extensible[20..22], [0xfe, 0xff], "WAVE_FORMAT_EXTENSIBLE");
        let float = WavSpec { sample_format: SampleFormat::Float, ..spec(2, 8000, 32) };
        let cases: [(&str, Vec<u8>, &str); 12] = [
            ("empty", Vec::new(), "ends within its header"),
            ("half a header", good[..30].into(), "ends within its header"),
            ("noise", (0..999u32).map(|t| ((t * t * 7919) >> 3) as u8).collect(), "no RIFF"),
            ("cut off", good[..good.len() - 7].into(), "after 396 of the 400 samples"),
            ("4 GiB", changed(40, &0xffff_fffcu32.to_le_bytes()), "of the 2147483646 samples"),
            ("an odd length", changed(40, &0xffff_ffffu32.to_le_bytes()), "multiple"),
            ("no channel", changed(22, &[0, 0]), "zero channels"),
            ("0 Hz", changed(24, &[0; 8]), "sample rate of 0 Hz"),
            ("64 bits", changed(34, &[64, 0]), "sample bits"),
            ("compressed", changed(20, &[2, 0]), "cannot be read"),
            (
                "not a number",
                encoded(float, &[0.0, 0.1, 0.2, f64::NAN]),
                "sample 2 of channel 2 is NaN",
            ),
            ("infinite", encoded(float, &[0.0, 0.1, f64::NEG_INFINITY, 0.0]), "channel 1 is -inf"),
        ];
        for (name, file, expected) in cases {
            let error = appended(&file, 8000).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
            assert!(error.starts_with("a.wav: ") && !error.contains('\n'), "{name}: {error}");
        }
        let none = encoded(spec(1, 8000, 16), &[]);
        assert!(appended(&none, 8000).unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.wav");
        std::fs::write(&path, none).unwrap();
        assert!(matches!(read(&[path], 8000), Err(SoundError::Empty(_))));
        assert!(matches!(read(&[folder.path().into()], 8000), Err(SoundError::File { .. })));
        assert!(matches!(appended(&good, 99), Err(SoundError::Rate { rate: 99, .. })));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let slow = encoded(spec(1, 100, 16), &[0.5; 1000]);
        for (rate, most, fits) in [(100, 1000, true), (100, 999, false), (100_000, 1 << 19, false)]
        {
            let mut samples = Vec::new();
            // Where the size of a file is not known (it may be a pipe), the limit holds while it is read.
            for size in [slow.len() as u64, 0] {
                samples.clear();
                let kept = append("a.wav", (slow.as_slice(), size), rate, most, &mut samples);
                assert_eq!(kept.is_ok(), fits, "{rate} Hz, {most}");
                assert!(samples.len() <= most && samples.capacity() <= 2 * most);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn classes_survive_a_file(levels in prop::collection::vec(any::<u8>(), 1..500)) {
            let sounds = levels.iter().map(|&level| mu_law::decode(level) as f32);
            let sounds: Vec<f32> = sounds.collect();
            let read = appended(&wav(&sounds, 8000).unwrap(), 8000).unwrap();
            for (&level, sample) in levels.iter().zip(read) {
                let again = mu_law::encode(sample.into());
                prop_assert_eq!(again, level);
            }
        }

        #[test]
        fn noise_behind_a_good_start_never_panics(
            start in 0usize..60,
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let good = encoded(spec(1, 8000, 16), &[0.25; 8]);
            let bytes = [&good[..start], &noise[..]].concat();
            prop_assert!(catch_unwind(|| appended(&bytes, 11025)).is_ok());
        }

        #[test]
        fn one_changed_byte_never_panics(at in 0usize..60, byte: u8, rate in 100u32..20_000) {
            let mut file = encoded(spec(1, 8000, 16), &[0.25; 8]);
            file[at] = byte;
            prop_assert!(catch_unwind(|| appended(&file, rate)).is_ok());
        }
    }
}
