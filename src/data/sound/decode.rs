//! Frames out of files: the format is told by the first bytes, never by the file's name.

use super::container::{self, Ahead, Fault, Layout, Length, Samples};
use std::io::{self, Read};
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::formats::{FlacReader, OggReader};

/// Why a file could not be decoded.
#[derive(Debug)]
pub(super) enum DecodeError {
    Io(io::Error),
    /// No sound, or of a kind that is not read.
    Format(String),
    /// Sound that is broken somewhere.
    Damaged(String),
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => Self::Io(error),
            Fault::Format(reason) => Self::Format(reason),
        }
    }
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> Self {
        Fault::from(error).into()
    }
}

/// Sound, block by block.
pub(super) struct Decoder<'a> {
    source: Source<'a>,
    decoder: Box<dyn AudioDecoder>,
    /// Samples of all channels of the last block, frame after frame.
    block: Vec<f64>,
    pub channels: usize,
    /// Samples a second.
    pub rate: u32,
    /// Frames of a file of plain samples, if its size is known.
    pub frames: Option<u64>,
    /// What was found odd about the file, each a sentence.
    pub notes: Vec<String>,
}

enum Source<'a> {
    /// Samples as they are.
    Plain {
        data: Box<dyn Samples + 'a>,
        layout: Layout,
        /// What the header names.
        claimed: Option<u64>,
        taken: u64,
        /// Whether it was looked at what stands behind them.
        ended: bool,
    },
    /// Compressed packets.
    Packets {
        name: &'static str,
        reader: Box<dyn FormatReader + 'a>,
        track: u32,
        /// Frames that the header names.
        claimed: Option<u64>,
        /// Frames that were decoded.
        done: u64,
        /// When the next packet begins, if none is missing.
        next: Option<Timestamp>,
    },
}

/// The bytes of plain samples that are decoded at once.
const BLOCK: usize = 1 << 16;

impl<'a> Decoder<'a> {
    /// Reads the header of a file of `size` bytes, where that is known.
    pub fn open(
        reader: impl Read + Send + Sync + 'a,
        size: Option<u64>,
    ) -> Result<Self, DecodeError> {
        let mut bytes = Ahead::new(reader);
        let start = bytes.peek(36)?.to_vec();
        match start.get(..4) {
            Some(b"RIFF" | b"RIFX" | b"RF64" | b"BW64" | b"FORM") => Self::plain(bytes, size),
            Some(b"fLaC") => {
                let open = |stream| Ok(Box::new(FlacReader::try_new(stream, options())?) as _);
                Self::compressed("FLAC", bytes, open)
            }
            Some(b"OggS") => {
                let name = match start.get(28..) {
                    Some([b'O', b'p', b'u', b's', ..]) => "Opus",
                    Some([b'S', b'p', b'e', b'e', ..]) => "Speex",
                    Some([0x7f, b'F', b'L', b'A', ..]) => "Ogg FLAC",
                    _ => "Ogg Vorbis",
                };
                if matches!(name, "Opus" | "Speex") {
                    return Err(DecodeError::Format(format!("it is {name}, which is not read")));
                }
                let open = |stream| Ok(Box::new(OggReader::try_new(stream, options())?) as _);
                Self::compressed(name, bytes, open)
            }
            _ => Err(DecodeError::Format(named(&start))),
        }
    }

    fn plain(
        mut bytes: Ahead<impl Read + Send + Sync + 'a>,
        size: Option<u64>,
    ) -> Result<Self, DecodeError> {
        let (layout, length) = container::open(&mut bytes)?;
        let there = size.map(|size| size.saturating_sub(bytes.position));
        let mut notes = Vec::new();
        let (claimed, most) = match length {
            Length::Bytes(length) => (Some(length), length),
            Length::ToTheEnd(written) => {
                notes.push(format!(
                    "its header does not say how long it is (a size of {written}): read to the end of the file"
                ));
                (None, u64::MAX)
            }
        };
        let frames = there.map(|there| there.min(most) / layout.frame() as u64);
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(layout.codec)
            .with_sample_rate(layout.rate)
            .with_channels(Channels::Discrete(layout.channels));
        let decoder = decoder(&parameters).map_err(|error| {
            DecodeError::Format(format!("its samples cannot be read ({error})"))
        })?;
        Ok(Self {
            decoder,
            block: Vec::new(),
            channels: layout.channels.into(),
            rate: layout.rate,
            frames,
            notes,
            source: Source::Plain {
                data: Box::new(bytes.take(most)),
                layout,
                claimed,
                taken: 0,
                ended: false,
            },
        })
    }

    fn compressed(
        name: &'static str,
        bytes: Ahead<impl Read + Send + Sync + 'a>,
        open: impl FnOnce(MediaSourceStream<'a>) -> Result<Box<dyn FormatReader + 'a>, Error>,
    ) -> Result<Self, DecodeError> {
        let refused = |error| failed(name, "its header cannot be read", error);
        let source = Box::new(ReadOnlySource::new(bytes));
        let reader = open(MediaSourceStream::new(source, Default::default())).map_err(refused)?;
        let unknown = || DecodeError::Format(format!("it is {name} without a track of sound"));
        let track = reader.default_track(TrackType::Audio).ok_or_else(unknown)?;
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
            return Err(unknown());
        };
        let (Some(rate), Some(channels)) = (parameters.sample_rate, &parameters.channels) else {
            return Err(DecodeError::Format(format!("it is {name} without a rate or channels")));
        };
        let (track, claimed, channels) = (track.id, track.num_frames, channels.count());
        let decoder = decoder(parameters).map_err(refused)?;
        let source = Source::Packets { name, reader, track, claimed, done: 0, next: None };
        let (block, notes) = (Vec::new(), Vec::new());
        Ok(Self { source, decoder, block, channels, rate, frames: None, notes })
    }

    /// The next frames, channel by channel; none at the end.
    pub fn next(&mut self) -> Result<Option<&[f64]>, DecodeError> {
        match &mut self.source {
            Source::Plain { data, layout, claimed, taken, ended } => {
                let frame = layout.frame();
                let wanted = (BLOCK / frame).max(1) * frame;
                let mut bytes = Vec::new();
                data.by_ref().take(wanted as u64).read_to_end(&mut bytes)?;
                *taken += bytes.len() as u64;
                let rest = bytes.len() % frame;
                if bytes.len() < wanted {
                    if let Some(claimed) = claimed.take().filter(|claimed| *claimed > *taken) {
                        let [claimed, found] = [claimed, *taken].map(|bytes| bytes / frame as u64);
                        self.notes.push(format!(
                            "it ends after {found} of the {claimed} samples that its header names: it was cut off, or written by a program that did not know the length; read to the end of the file"
                        ));
                    }
                    if claimed.is_none() && !*ended {
                        *ended = true;
                        if data.go_on(*taken)? {
                            self.notes.push(format!(
                                "more samples stand in a second chunk behind the first {}, and are left out: save the file anew with another program",
                                *taken / frame as u64
                            ));
                        }
                    }
                    if rest > 0 {
                        let bytes = if rest == 1 { "byte is" } else { "bytes are" };
                        self.notes
                            .push(format!("its last {rest} {bytes} no whole sample: left out"));
                    }
                }
                let whole = &bytes[..bytes.len() - rest];
                if whole.is_empty() {
                    return Ok(None);
                }
                let frames = Duration::new((whole.len() / frame) as u64);
                let packet = PacketRef::new(0, Timestamp::ZERO, frames, whole);
                let decoded = self.decoder.decode_ref(&packet);
                let decoded = decoded.map_err(|error| {
                    DecodeError::Damaged(format!("it cannot be decoded ({error})"))
                })?;
                decoded.copy_to_vec_interleaved(&mut self.block);
            }
            Source::Packets { name, reader, track, claimed, done, next } => {
                let packet = loop {
                    match reader.next_packet() {
                        Ok(Some(packet)) if packet.track_id == *track => break Some(packet),
                        Ok(Some(_)) => {}
                        Ok(None) => break None,
                        Err(Error::IoError(error))
                            if error.kind() == io::ErrorKind::UnexpectedEof =>
                        {
                            self.notes
                                .push(format!("it is {name} that was cut off: read to its end"));
                            break None;
                        }
                        Err(Error::ResetRequired) => {
                            self.notes.push(format!("it is {name} with several streams one after the other: the first is read alone"));
                            break None;
                        }
                        Err(error) => {
                            return Err(failed(
                                name,
                                &format!("it is broken after {done} samples"),
                                error,
                            ));
                        }
                    }
                };
                let Some(packet) = packet else {
                    if let Some(claimed) = claimed.take().filter(|claimed| *claimed > *done) {
                        self.notes.push(format!(
                            "it ends after {done} of the {claimed} samples that its header names: it was cut off; read to its end"
                        ));
                    }
                    if self.decoder.finalize().verify_ok == Some(false) && self.notes.is_empty() {
                        return Err(DecodeError::Damaged(format!(
                            "it is {name} whose sound does not have the checksum that its header names"
                        )));
                    }
                    return Ok(None);
                };
                if let Some(expected) = next.filter(|next| packet.pts > *next) {
                    let missing = packet.pts.get() - expected.get();
                    return Err(DecodeError::Damaged(format!(
                        "it is {name} that lacks {missing} samples after the first {done}"
                    )));
                }
                *next = packet.pts.checked_add(packet.block_dur());
                let broken = |error| {
                    failed(name, &format!("it cannot be decoded after {done} samples"), error)
                };
                let decoded = self.decoder.decode(&packet).map_err(broken)?;
                if decoded.spec().rate() != self.rate
                    || decoded.spec().channels().count() != self.channels
                {
                    return Err(DecodeError::Damaged(format!(
                        "it is {name} whose rate or channels change after {done} samples"
                    )));
                }
                *done += decoded.frames() as u64;
                decoded.copy_to_vec_interleaved(&mut self.block);
            }
        }
        Ok(Some(&self.block))
    }
}

fn options() -> FormatOptions {
    FormatOptions::default()
}

fn decoder(parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, Error> {
    let options = AudioDecoderOptions::default().verify(true);
    symphonia::default::get_codecs().make_audio_decoder(parameters, &options)
}

fn failed(name: &str, what: &str, error: Error) -> DecodeError {
    match error {
        Error::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            DecodeError::Io(error)
        }
        Error::IoError(_) => {
            DecodeError::Damaged(format!("it is {name}, and {what}: it was cut off"))
        }
        error => DecodeError::Damaged(format!("it is {name}, and {what} ({error})")),
    }
}

/// What a file is that begins so, if it is no sound that is read.
fn named(start: &[u8]) -> String {
    let name = match start {
        [] => return "it is empty".into(),
        [b'I', b'D', b'3', ..] => "MP3, or another sound behind an ID3 tag",
        [0xff, 0xe2..=0xff, ..] => "MP3",
        [b'.', b's', b'n', b'd', ..] => "an AU file",
        [b'c', b'a', b'f', b'f', ..] => "a CAF file",
        [b'r', b'i', b'f', b'f', ..] => "a Wave64 file",
        [b'w', b'v', b'p', b'k', ..] => "WavPack",
        [b'M', b'A', b'C', b' ', ..] => "Monkey's Audio",
        [b'#', b'!', b'A', b'M', b'R', ..] => "AMR",
        [b'M', b'T', b'h', b'd', ..] => "a MIDI file, which holds notes and no sound",
        [0x30, 0x26, 0xb2, 0x75, ..] => "Windows Media",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "Matroska or WebM",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4, M4A or QuickTime",
        [b'P', b'K', 3, 4, ..] => "a ZIP file",
        _ => {
            let start = start[..start.len().min(4)].escape_ascii();
            return format!(
                "it is not a sound that can be read (it begins with '{start}', and WAV with 'RIFF')"
            );
        }
    };
    format!("it is {name}, which is not read")
}
