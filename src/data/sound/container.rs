//! The containers of plain samples: WAV (RIFF, RF64, BW64, RIFX) and AIFF, chunk after chunk, as programs write them:
//! sizes that were never filled in, missing pad bytes, header fields that contradict the samples.

use std::io::{self, Read, Take};
use symphonia::core::codecs::audio::{AudioCodecId, well_known as codecs};

/// How plain samples are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub codec: AudioCodecId,
    /// Bytes of a sample: its container, of which fewer bits may be valid.
    pub bytes: usize,
    pub channels: u16,
    pub rate: u32,
}

impl Layout {
    /// Bytes of a sample of each channel.
    pub fn frame(&self) -> usize {
        self.bytes * usize::from(self.channels)
    }
}

/// How many bytes of samples there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many.
    Bytes(u64),
    /// The header does not know; this is what it says.
    ToTheEnd(u64),
}

/// Why a container could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Format(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Self::Format("it ends within its header, before any sample".into())
            }
            _ => Self::Io(error),
        }
    }
}

fn fault<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Format(reason.into()))
}

/// Bytes to come, of which some have been looked at.
pub(super) struct Ahead<R> {
    seen: Vec<u8>,
    reader: R,
    /// Bytes that have been taken.
    pub position: u64,
}

impl<R: Read> Ahead<R> {
    pub fn new(reader: R) -> Self {
        Self { seen: Vec::new(), reader, position: 0 }
    }

    /// The next bytes, fewer at the end.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.seen.len() < count {
            let missing = (count - self.seen.len()) as u64;
            self.reader.by_ref().take(missing).read_to_end(&mut self.seen)?;
        }
        Ok(&self.seen[..count.min(self.seen.len())])
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        match io::copy(&mut self.by_ref().take(count), &mut io::sink())? == count {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<R: Read> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.seen.is_empty() {
            true => self.reader.read(buffer)?,
            false => {
                let count = buffer.len().min(self.seen.len());
                buffer[..count].copy_from_slice(&self.seen[..count]);
                self.seen.drain(..count);
                count
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8]) -> u16 {
        let bytes = [bytes[0], bytes[1]];
        if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn u32(self, bytes: &[u8]) -> u32 {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }
}

/// Chunks that stand beside the samples; any other name is skipped as well.
const USUAL: [&[u8; 4]; 30] = [
    b"fmt ", b"data", b"LIST", b"fact", b"ds64", b"bext", b"JUNK", b"junk", b"PAD ", b"FLLR",
    b"cue ", b"id3 ", b"ID3 ", b"smpl", b"inst", b"iXML", b"_PMX", b"PEAK", b"COMM", b"SSND",
    b"FVER", b"MARK", b"COMT", b"INST", b"APPL", b"NAME", b"AUTH", b"ANNO", b"(c) ", b"afsp",
];

/// The bytes of a chunk that say anything about samples; what follows them is skipped.
const MOST: u64 = 64;

/// Reads up to the first sample of a file that begins as one of these containers.
pub(super) fn open(bytes: &mut Ahead<impl Read>) -> Result<(Layout, Length), Fault> {
    let [id, _, form]: [[u8; 4]; 3] = [bytes.array()?, bytes.array()?, bytes.array()?];
    let order = if matches!(&id, b"RIFX" | b"FORM") { Order::Big } else { Order::Little };
    let aiff = match &form {
        b"WAVE" => false,
        b"AIFF" | b"AIFC" => true,
        _ => return fault(format!("it is a {} file of another kind than WAVE", shown(&id))),
    };
    let (mut layout, mut long, mut empty) = (None, None, None);
    loop {
        if let (Some(layout), true) = (empty, bytes.peek(8)?.len() < 8) {
            return Ok((layout, Length::Bytes(0)));
        }
        let name: [u8; 4] = bytes.array()?;
        let size = order.u32(&bytes.array::<4>()?);
        let length = match (size, long) {
            (u32::MAX, Some(long)) => long,
            _ => u64::from(size),
        };
        if matches!(&name, b"data" | b"SSND") {
            let Some(layout) = layout else {
                return fault("its samples stand before their description, or have none");
            };
            let mut length = length;
            if aiff {
                let offset = u64::from(order.u32(&bytes.array::<8>()?));
                bytes.skip(offset)?;
                // Of a size that was not filled in, nothing can be taken off.
                if !unknown(length, bytes)? {
                    length = length.saturating_sub(8 + offset);
                }
            }
            match unknown(length, bytes)? {
                true => return Ok((layout, Length::ToTheEnd(length))),
                // An empty one, with other chunks behind it.
                false if length == 0 => {
                    empty = Some(layout);
                    continue;
                }
                false => return Ok((layout, Length::Bytes(length))),
            }
        }
        let mut body = Vec::new();
        bytes.by_ref().take(length.min(MOST)).read_to_end(&mut body)?;
        if (body.len() as u64) < length.min(MOST) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        bytes.skip(length - body.len() as u64)?;
        match &name {
            b"fmt " => layout = Some(wave(&body, order)?),
            b"COMM" => layout = Some(aiff_layout(&body, &form)?),
            b"ds64" if body.len() >= 16 => {
                long = Some(u64::from_le_bytes(body[8..16].try_into().expect("eight bytes")));
            }
            _ => {}
        }
        // The pad byte behind an odd size, which some programs forget.
        if length % 2 == 1 {
            let next = bytes.peek(4)?;
            let pad = !next.is_empty() && !USUAL.iter().any(|name| next == name.as_slice());
            bytes.skip(pad.into())?;
        }
    }
}

/// Whether a size means: to the end of the file. A chunk that is truly empty has another one, or nothing, behind it.
fn unknown(length: u64, bytes: &mut Ahead<impl Read>) -> io::Result<bool> {
    Ok(match length {
        0 => {
            let next = bytes.peek(4)?;
            !next.is_empty() && !USUAL.iter().any(|name| next == name.as_slice())
        }
        length => length == u64::from(u32::MAX) || length == u64::MAX,
    })
}

/// Samples of a container, up to where it says that they end.
pub(super) trait Samples: Read + Send + Sync {
    /// Whether more samples stand in another chunk behind them.
    fn go_on(&mut self, length: u64) -> io::Result<bool>;
}

impl<R: Read + Send + Sync> Samples for Take<Ahead<R>> {
    fn go_on(&mut self, length: u64) -> io::Result<bool> {
        let bytes = self.get_mut();
        if length % 2 == 1 && !USUAL.contains(&bytes.peek(4)?.try_into().unwrap_or(b"    ")) {
            bytes.peek(1)?;
            io::copy(&mut bytes.by_ref().take(1), &mut io::sink())?;
        }
        while let Some((name, size)) = bytes.peek(8)?.split_first_chunk::<4>() {
            if matches!(name, b"data" | b"SSND") {
                return Ok(true);
            }
            let Some(size) = size.first_chunk::<4>() else { break };
            let size = u64::from(u32::from_le_bytes(*size));
            let whole = 8 + size + size % 2;
            if io::copy(&mut bytes.by_ref().take(whole), &mut io::sink())? < whole {
                break;
            }
        }
        Ok(false)
    }
}

fn shown(id: &[u8]) -> String {
    id.escape_ascii().to_string()
}

/// The layout that a `fmt ` chunk describes. What can be computed from other fields is not looked at, nor are valid bits:
/// a sample fills its container from the highest bit on.
fn wave(body: &[u8], order: Order) -> Result<Layout, Fault> {
    if body.len() < 16 {
        return fault(format!(
            "its fmt chunk has {} bytes, and at least 16 are needed",
            body.len()
        ));
    }
    let [tag, channels, align, bits] = [0, 2, 12, 14].map(|at| order.u16(&body[at..]));
    let rate = order.u32(&body[4..]);
    let tag = if tag == 0xfffe && body.len() >= 26 { order.u16(&body[24..]) } else { tag };
    if channels == 0 {
        return fault("its header names zero channels");
    }
    let little = order == Order::Little;
    let (codec, bytes) = match (tag, bits) {
        (1, bits @ 1..=32) => {
            // 24 bits may stand in a container of 32, which the bytes of a frame alone tell.
            let wide = bits > 16 && u32::from(align) == 4 * u32::from(channels);
            let bytes = if wide { 4 } else { usize::from(bits).div_ceil(8) };
            let codec = if bytes == 1 { codecs::CODEC_ID_PCM_U8 } else { integer(bytes, little) };
            (codec, bytes)
        }
        (3, 32 | 64) => (float(bits, little), usize::from(bits / 8)),
        (6, _) => (codecs::CODEC_ID_PCM_ALAW, 1),
        (7, _) => (codecs::CODEC_ID_PCM_MULAW, 1),
        (1, _) => return fault(format!("its samples are integers of {bits} bits")),
        (3, _) => return fault(format!("its samples are floating-point numbers of {bits} bits")),
        _ => {
            let name = named(tag);
            return fault(format!("it holds {name} (format {tag:#06x}), which is not read"));
        }
    };
    Ok(Layout { codec, bytes, channels, rate })
}

/// What a format of WAV is called.
fn named(tag: u16) -> &'static str {
    match tag {
        0x0002 => "Microsoft ADPCM",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0040 | 0x0045 => "G.72x ADPCM",
        0x0050 => "MPEG layer 1 or 2",
        0x0055 => "MP3",
        0x0092 | 0x2000 => "AC-3",
        0x00ff | 0x1600..=0x1610 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0x674f..=0x6771 => "Ogg Vorbis inside WAV",
        0x704f => "Opus",
        0xf1ac => "FLAC inside WAV",
        _ => "samples of an unknown kind",
    }
}

fn integer(bytes: usize, little: bool) -> AudioCodecId {
    match (bytes, little) {
        (1, _) => codecs::CODEC_ID_PCM_S8,
        (2, true) => codecs::CODEC_ID_PCM_S16LE,
        (2, false) => codecs::CODEC_ID_PCM_S16BE,
        (3, true) => codecs::CODEC_ID_PCM_S24LE,
        (3, false) => codecs::CODEC_ID_PCM_S24BE,
        (_, true) => codecs::CODEC_ID_PCM_S32LE,
        (_, false) => codecs::CODEC_ID_PCM_S32BE,
    }
}

fn float(bits: u16, little: bool) -> AudioCodecId {
    match (bits, little) {
        (32, true) => codecs::CODEC_ID_PCM_F32LE,
        (32, false) => codecs::CODEC_ID_PCM_F32BE,
        (_, true) => codecs::CODEC_ID_PCM_F64LE,
        (_, false) => codecs::CODEC_ID_PCM_F64BE,
    }
}

/// The layout that the `COMM` chunk of AIFF and AIFF-C describes.
fn aiff_layout(body: &[u8], form: &[u8; 4]) -> Result<Layout, Fault> {
    let needed = if form == b"AIFC" { 22 } else { 18 };
    if body.len() < needed {
        let found = body.len();
        return fault(format!(
            "its COMM chunk has {found} bytes, and at least {needed} are needed"
        ));
    }
    let [channels, bits] = [0, 6].map(|at| Order::Big.u16(&body[at..]));
    if channels == 0 {
        return fault("its header names zero channels");
    }
    let rate = extended(body[8..18].try_into().expect("ten bytes"));
    let kind = if form == b"AIFC" { &body[18..22] } else { b"NONE" };
    let bytes = usize::from(bits).div_ceil(8);
    let (codec, bytes) = match (&kind.to_ascii_lowercase()[..], bits) {
        (b"none" | b"twos" | b"in24" | b"in32", 1..=32) => (integer(bytes, false), bytes),
        (b"sowt" | b"42ni" | b"23ni", 1..=32) => (integer(bytes, true), bytes),
        (b"raw ", 1..=8) => (codecs::CODEC_ID_PCM_U8, 1),
        (b"fl32", _) => (codecs::CODEC_ID_PCM_F32BE, 4),
        (b"fl64", _) => (codecs::CODEC_ID_PCM_F64BE, 8),
        (b"alaw", _) => (codecs::CODEC_ID_PCM_ALAW, 1),
        (b"ulaw", _) => (codecs::CODEC_ID_PCM_MULAW, 1),
        _ => {
            let kind = shown(kind);
            return fault(format!(
                "it is AIFF with '{kind}' samples of {bits} bits, which are not read"
            ));
        }
    };
    Ok(Layout { codec, bytes, channels, rate })
}

/// A floating-point number of 80 bits, as AIFF writes the rate, as a whole number; 0 for what is none.
fn extended(bytes: [u8; 10]) -> u32 {
    let exponent = i32::from(Order::Big.u16(&bytes)) - 16383;
    let mantissa = u64::from_be_bytes(bytes[2..].try_into().expect("eight bytes"));
    // The conversion saturates; a negative exponent beyond the sign bit is no rate either.
    (mantissa as f64 * 2f64.powi(exponent - 63)).round() as u32
}
