//! Why sound could not be read.

use std::io;

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
    /// No sound, or sound in a format that is not read.
    #[error("{file}: {reason}; {KINDS}, for example by: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A packet of compressed sound that cannot be decoded, or whose checksum is another.
    #[error("{file}: {reason}; repair the file, or decode it with another program")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A sample that is no number.
    #[error(
        "{file}: sample {sample} of channel {channel} is {value}, not a number; repair the file"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// Its position, from 1.
        sample: u64,
        /// Its channel, from 1.
        channel: usize,
        /// What it is.
        value: f64,
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
    /// The same level from beginning to end: silence, or channels that cancel each other.
    #[error("{0}, so there is nothing to learn; name files with some sound")]
    Silent(String),
    /// More than is sensible on one machine.
    #[error("{0}: this is more than 2^28 samples; name fewer files, or lower the rate")]
    TooLong(String),
}

/// What is read, as errors end.
const KINDS: &str = "give WAV or AIFF (integers of 8 to 32 bits, floating-point numbers of 32 or 64, A-law, µ-law), FLAC or Ogg Vorbis";
