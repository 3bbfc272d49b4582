//! Containers and formats as programs write them, each with its plain twin.

use super::*;

/// A chunk with its pad byte.
fn chunk(name: &[u8; 4], body: &[u8], size: [u8; 4]) -> Vec<u8> {
    let pad: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [name, &size[..], body, pad].concat()
}

/// A WAV file of these chunks.
fn wave(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let size = |body: &[u8]| (body.len() as u32).to_le_bytes();
    let chunks: Vec<u8> =
        chunks.iter().flat_map(|(name, body)| chunk(name, body, size(body))).collect();
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WAVE", &chunks].concat()
}

/// The beginning of a `fmt ` chunk for one channel at 8000 Hz.
fn format(tag: u16, bits: u16) -> Vec<u8> {
    let align = bits / 8;
    let [tag, one, align_bytes, bits] = [tag, 1, align, bits].map(u16::to_le_bytes);
    let [rate, bytes] = [8000, 8000 * u32::from(align)].map(u32::to_le_bytes);
    [&tag[..], &one, &rate, &bytes, &align_bytes, &bits].concat()
}

/// A tone with a swell, as integers of 24 bits.
fn tone() -> Vec<i32> {
    let sample = |t: u32| {
        let (t, swell) = (f64::from(t), (f64::from(t) / 700.0).sin());
        (0.9 * (0.34 * t).sin() * swell * 2f64.powi(23)) as i32
    };
    (0..2000).map(sample).collect()
}

/// The tone in a plain file of 24 bits.
fn plain_tone() -> Vec<f32> {
    let samples: Vec<f64> = tone().iter().map(|&s| f64::from(s) / 2f64.powi(23)).collect();
    appended(&encoded(spec(1, 8000, 24), &samples), 8000).unwrap()
}

/// The tone in 16 bits, as bytes and as it is heard in a plain file.
fn short_tone() -> (Vec<u8>, Vec<f32>) {
    let levels: Vec<i16> = tone().iter().map(|&sample| (sample >> 8) as i16).collect();
    let heard = levels.iter().map(|&level| f32::from(level) / 32768.0).collect();
    (levels.iter().flat_map(|level| level.to_le_bytes()).collect(), heard)
}

#[test]
fn a_sample_is_scaled_by_its_container() {
    let wide: Vec<u8> = tone().iter().flat_map(|sample| (sample << 8).to_le_bytes()).collect();
    // WAVE_FORMAT_EXTENSIBLE: 24 valid bits in 32, from the highest on, for the speaker in front.
    let valid = |bits: u16| {
        let guid = [1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
        [&format(0xfffe, 32)[..], &[22, 0], &bits.to_le_bytes(), &[4, 0, 0, 0], &guid].concat()
    };
    for bits in [0, 24, 31, 32, 99] {
        let file = wave(&[(b"fmt ", &valid(bits)), (b"data", &wide)]);
        assert_eq!(appended(&file, 8000).unwrap(), plain_tone(), "{bits} valid bits");
    }
    // 24 bits in a container of 32 without the extension, as the bytes of a frame tell.
    let mut narrow = format(1, 32);
    narrow[14..].copy_from_slice(&[24, 0]);
    let file = wave(&[(b"fmt ", &narrow), (b"data", &wide)]);
    assert_eq!(appended(&file, 8000).unwrap(), plain_tone());
    // 12 bits fill a container of 16 from the highest on.
    let (bytes, heard) = short_tone();
    let bytes: Vec<u8> = bytes.chunks(2).flat_map(|b| [b[0] & 0xf0, b[1]]).collect();
    let mut twelve = format(1, 16);
    twelve[14..].copy_from_slice(&[12, 0]);
    let read = appended(&wave(&[(b"fmt ", &twelve), (b"data", &bytes)]), 8000).unwrap();
    let heard: Vec<f64> = heard.iter().map(|&sample| sample.into()).collect();
    assert!(largest_difference(&read, &heard) < 16.0 / 32768.0);
}

#[test]
fn header_fields_that_say_nothing_of_the_samples_are_ignored() {
    let wide: Vec<u8> = tone().iter().flat_map(|sample| (sample << 8).to_le_bytes()).collect();
    let floats: Vec<u8> = plain_tone().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let doubles = plain_tone().into_iter().flat_map(|sample| f64::from(sample).to_le_bytes());
    let doubles: Vec<u8> = doubles.collect();
    let fact: &[u8] = &[9, 9, 9, 9];
    let cases: [(&str, Vec<u8>); 6] = [
        ("18 bytes", wave(&[(b"fmt ", &[&format(1, 32)[..], &[0, 0]].concat()), (b"data", &wide)])),
        ("an extension of a size that is not there", {
            wave(&[(b"fmt ", &[&format(3, 32)[..], &[2, 0]].concat()), (b"data", &floats)])
        }),
        ("64-bit float with a fact", {
            let form = [&format(3, 64)[..], &[0, 0]].concat();
            wave(&[(b"fmt ", &form), (b"fact", fact), (b"data", &doubles)])
        }),
        ("an odd LIST and its pad byte", {
            let list = b"INFOINAM\x05\0\0\0abcd\0";
            wave(&[(b"fmt ", &format(1, 32)), (b"LIST", list), (b"data", &wide)])
        }),
        ("an odd LIST without its pad byte", {
            let file = wave(&[(b"LIST", b"odd"), (b"fmt ", &format(1, 32)), (b"data", &wide)]);
            [&file[..23], &file[24..]].concat()
        }),
        ("bytes of a frame and a second that are wrong", {
            let mut form = format(1, 32);
            form[8..14].fill(7);
            wave(&[(b"fmt ", &form), (b"data", &wide)])
        }),
    ];
    for (name, file) in cases {
        let sound = heard(&file, 8000).unwrap();
        assert!(sound.notes.is_empty(), "{name}: {:?}", sound.notes);
        assert!(sound.samples == plain_tone(), "{name}");
    }
}

#[test]
fn sizes_that_were_never_filled_in_mean_to_the_end() {
    let (bytes, expected) = short_tone();
    let beyond = bytes.len() as u32 + 1000;
    for (size, words) in
        [(u32::MAX, "4294967295"), (0, "a size of 0"), (beyond, "after 2000 of the 2500")]
    {
        for whole in [0, u32::MAX] {
            let data = chunk(b"data", &bytes, size.to_le_bytes());
            let form = chunk(b"fmt ", &format(1, 16), 16u32.to_le_bytes());
            let file = [b"RIFF", &whole.to_le_bytes()[..], b"WAVE", &form, &data].concat();
            // Through a pipe as well, which has no size.
            for known in [Some(file.len() as u64), None] {
                let mut sound = Sound::default();
                append("a.wav", (&file[..], known), 8000, 1 << 20, &mut sound).unwrap();
                assert!(sound.samples == expected, "{size}");
                let [note] = sound.notes.as_slice() else { panic!("{:?}", sound.notes) };
                assert!(note.starts_with("a.wav: ") && note.contains(words), "{note}");
            }
        }
    }
    // An odd byte at the end is no sample.
    let odd = wave(&[(b"fmt ", &format(1, 16)), (b"data", &[&bytes[..], &[7]].concat())]);
    let sound = heard(&odd, 8000).unwrap();
    assert!(sound.samples == expected);
    assert!(sound.notes.len() == 1 && sound.notes[0].contains("last 1 byte"), "{:?}", sound.notes);
    // What is empty and has other chunks behind it is empty.
    let empty = wave(&[(b"fmt ", &format(1, 16)), (b"data", &[]), (b"LIST", b"INFOabcd")]);
    assert_eq!(heard(&empty, 8000).unwrap(), Sound::default());
    // So is what nothing follows; and samples may come after an empty chunk.
    let form = format(1, 16);
    let last = wave(&[(b"fmt ", &form), (b"data", &[])]);
    assert_eq!(heard(&last, 8000).unwrap(), Sound::default());
    let second = wave(&[(b"fmt ", &form), (b"data", &[]), (b"LIST", b"INFO"), (b"data", &bytes)]);
    let sound = heard(&second, 8000).unwrap();
    assert!(sound.samples == expected && sound.notes.is_empty(), "{:?}", sound.notes);
}

#[test]
fn files_of_more_than_4_gib_and_of_the_other_byte_order() {
    let (bytes, expected) = short_tone();
    for id in [b"RF64", b"BW64"] {
        let long = (bytes.len() as u64).to_le_bytes();
        let sizes = [&[0; 8], &long, &[0; 12][..]].concat();
        let chunks = [
            chunk(b"ds64", &sizes, 28u32.to_le_bytes()),
            chunk(b"fmt ", &format(1, 16), 16u32.to_le_bytes()),
            chunk(b"data", &bytes, [0xff; 4]),
            chunk(b"LIST", b"what is behind them", 19u32.to_le_bytes()),
        ];
        let file = [&id[..], &[0xff; 4], b"WAVE", &chunks.concat()].concat();
        let sound = heard(&file, 8000).unwrap();
        assert!(sound.samples == expected && sound.notes.is_empty(), "{:?}", sound.notes);
        // A long size that was never filled in either.
        let mut piped = file[..file.len() - 28].to_vec();
        piped[28..36].fill(0xff);
        let sound = heard(&piped, 8000).unwrap();
        let [note] = sound.notes.as_slice() else { panic!("{:?}", sound.notes) };
        assert!(sound.samples == expected && note.contains("18446744073709551615"), "{note}");
    }
    let swapped: Vec<u8> = bytes.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let mut file = wave(&[(b"fmt ", &format(1, 16)), (b"data", &swapped)]);
    file[3] = b'X';
    for (at, width) in
        [(4, 4), (16, 4), (20, 2), (22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4)]
    {
        file[at..at + width].reverse();
    }
    assert!(appended(&file, 8000).unwrap() == expected);
}

/// The levels of G.711 as its tables give them, in units of 1/32768.
fn telephone(code: u8, a_law: bool) -> i32 {
    if a_law {
        let code = code ^ 0x55;
        let (step, chord) = (i32::from(code & 15), i32::from(code >> 4 & 7));
        let size = if chord == 0 { 2 * step + 1 } else { (2 * step + 33) << (chord - 1) };
        return if code & 0x80 != 0 { 8 * size } else { -8 * size };
    }
    let code = !code;
    let (step, chord) = (i32::from(code & 15), i32::from(code >> 4 & 7));
    let size = ((2 * step + 33) << chord) - 33;
    if code & 0x80 != 0 { -4 * size } else { 4 * size }
}

#[test]
fn the_telephone_s_codes_are_read_by_its_table() {
    let codes: Vec<u8> = (0..=255).collect();
    for (tag, a_law) in [(6, true), (7, false)] {
        let form = [&format(tag, 8)[..], &[0, 0]].concat();
        let read = appended(&wave(&[(b"fmt ", &form), (b"data", &codes)]), 8000).unwrap();
        let table = codes.iter().map(|&code| telephone(code, a_law) as f32 / 32768.0);
        assert!(read.iter().copied().eq(table), "A-law: {a_law}");
    }
}

/// An AIFF file, or AIFF-C of that kind.
fn aiff(kind: Option<&[u8; 4]>, bits: u16, rate: [u8; 10], samples: &[u8]) -> Vec<u8> {
    let size = |body: &[u8]| (body.len() as u32).to_be_bytes();
    let mut common = [&[0, 1, 0, 0, 0, 0][..], &bits.to_be_bytes(), &rate].concat();
    // The name of the kind, as a string of Pascal.
    kind.iter().for_each(|kind| common.extend([&kind[..], b"\x05abcde"].concat()));
    let data = [&[0; 8], samples].concat();
    let form: &[u8] = if kind.is_some() { b"AIFC" } else { b"AIFF" };
    let chunks = [
        chunk(b"NAME", b"odd", 3u32.to_be_bytes()),
        chunk(b"COMM", &common, size(&common)),
        chunk(b"SSND", &data, size(&data)),
    ];
    let chunks = chunks.concat();
    [b"FORM", &(chunks.len() as u32 + 4).to_be_bytes()[..], form, &chunks].concat()
}

#[test]
fn aiff_is_read_in_its_kinds() {
    let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let (little, short) = short_tone();
    let big: Vec<u8> = little.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let three: Vec<u8> = tone().iter().flat_map(|s| s.to_be_bytes()[1..].to_vec()).collect();
    let floats: Vec<u8> = plain_tone().iter().flat_map(|s| s.to_be_bytes()).collect();
    let doubles: Vec<u8> = plain_tone().iter().flat_map(|s| f64::from(*s).to_be_bytes()).collect();
    // The kind of AIFF-C, and the bits of a sample.
    type Kind<'a> = (Option<&'a [u8; 4]>, u16);
    let cases: [(Kind<'_>, &[u8], Vec<f32>); 7] = [
        ((None, 16), &big, short.clone()),
        ((None, 24), &three, plain_tone()),
        ((Some(b"NONE"), 16), &big, short.clone()),
        ((Some(b"sowt"), 16), &little, short),
        ((Some(b"in24"), 24), &three, plain_tone()),
        ((Some(b"fl32"), 32), &floats, plain_tone()),
        ((Some(b"FL64"), 64), &doubles, plain_tone()),
    ];
    for ((kind, bits), samples, expected) in cases {
        let sound = heard(&aiff(kind, bits, rate, samples), 8000).unwrap();
        assert!(sound.samples == expected, "{kind:?}, {bits} bits");
        assert!(sound.notes.is_empty(), "{:?}", sound.notes);
    }
    let codes: Vec<u8> = (0..=255).collect();
    let read = appended(&aiff(Some(b"alaw"), 16, rate, &codes), 8000).unwrap();
    let table = codes.iter().map(|&code| telephone(code, true) as f32 / 32768.0);
    assert!(read.into_iter().eq(table));
    // 11025 Hz, and sizes that were never filled in.
    let other = [0x40, 0x0c, 0xac, 0x44, 0, 0, 0, 0, 0, 0];
    assert_eq!(appended(&aiff(None, 16, other, &big), 8000).unwrap().len(), 1452);
    let mut piped = aiff(None, 16, rate, &big);
    let size = piped.len() - big.len() - 12;
    for (unknown, words) in [([0; 4], "a size of 0"), ([0xff; 4], "a size of 4294967295")] {
        piped[size..size + 4].copy_from_slice(&unknown);
        let sound = heard(&piped, 8000).unwrap();
        let [note] = sound.notes.as_slice() else { panic!("{:?}", sound.notes) };
        assert!(sound.samples == short_tone().1 && note.contains(words), "{note}");
    }
    // Bytes before the first sample, which are none.
    let mut late = aiff(None, 16, rate, &[&[7; 6], &big[..]].concat());
    let offset = late.len() - big.len() - 6 - 8;
    late[offset + 3] = 6;
    let sound = heard(&late, 8000).unwrap();
    assert!(sound.samples == short_tone().1 && sound.notes.is_empty(), "{:?}", sound.notes);
    for (kind, rate, words) in [(b"ima4", rate, "ima4"), (b"NONE", [0; 10], "0 Hz")] {
        let error = appended(&aiff(Some(kind), 16, rate, &big), 8000).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// The same sound as a FLAC file and as a WAV file; a Vorbis file, and what another decoder makes of it.
const FLAC: [&[u8]; 2] = [
    include_bytes!("../../../../tests/data/two_tones.flac"),
    include_bytes!("../../../../tests/data/two_tones.wav"),
];
const VORBIS: [&[u8]; 2] = [
    include_bytes!("../../../../tests/data/tone.ogg"),
    include_bytes!("../../../../tests/data/tone_decoded.wav"),
];

#[test]
fn compressed_sound_is_that_of_its_plain_twin() {
    let [flac, plain] = FLAC.map(|file| heard(file, 8000).unwrap());
    assert_eq!(flac, plain);
    assert_eq!(flac.samples.len(), 1500);
    let [vorbis, decoded] = VORBIS.map(|file| heard(file, 8000).unwrap());
    assert_eq!((vorbis.samples.len(), vorbis.notes.len()), (1500, 0));
    let decoded: Vec<f64> = decoded.samples.iter().map(|&sample| sample.into()).collect();
    let error = largest_difference(&vorbis.samples, &decoded);
    assert!(error < 1e-6, "{error}");
}

/// The remainder of the bytes on division by a polynomial of that degree, as FLAC checks its frames.
fn crc(bytes: &[u8], polynomial: u16, degree: u32) -> u16 {
    let (top, mask) = (1 << (degree - 1), u16::MAX >> (16 - degree));
    bytes.iter().fold(0, |sum, &byte| {
        (0..8).fold(sum ^ u16::from(byte) << (degree - 8), |sum: u16, _| {
            let carry = if sum & top != 0 { polynomial } else { 0 };
            (sum << 1 ^ carry) & mask
        })
    })
}

#[test]
fn damaged_compressed_sound_is_no_other_sound() {
    let [whole, _] = FLAC.map(|file| appended(file, 8000).unwrap());
    for at in (0..FLAC[0].len()).step_by(3) {
        let mut file = FLAC[0].to_vec();
        file[at] ^= 0x10;
        if let Ok(sound) = heard(&file, 8000) {
            assert!(sound.samples == whole || !sound.notes.is_empty(), "byte {at}");
        }
    }
    // The checksum of all samples, and how many there are, in the header.
    let mut other = FLAC[0].to_vec();
    other[30] ^= 1;
    assert!(appended(&other, 8000).unwrap_err().to_string().contains("checksum"));
    let mut longer = FLAC[0].to_vec();
    longer[25] ^= 1;
    let sound = heard(&longer, 8000).unwrap();
    let note = sound.notes.last().expect("it is said");
    assert!(sound.samples == whole && note.contains("after 1500 of the 1501 samples"), "{note}");
    // The only frame once more, as the one that comes a full frame of 4096 samples later.
    let mut frame = FLAC[0][86..].to_vec();
    frame[4] = 1;
    frame[7] = crc(&frame[..7], 0x07, 8) as u8;
    let end = frame.len() - 2;
    let sum = crc(&frame[..end], 0x8005, 16).to_be_bytes();
    frame[end..].copy_from_slice(&sum);
    let error = appended(&[FLAC[0], &frame].concat(), 8000).unwrap_err().to_string();
    assert!(error.contains("lacks 2596 samples after the first 1500"), "{error}");
    let short = heard(&FLAC[0][..1500], 8000);
    assert!(short.as_ref().is_err() || !short.as_ref().unwrap().notes.is_empty(), "{short:?}");
    let cut = heard(&VORBIS[0][..VORBIS[0].len() - 100], 8000);
    assert!(cut.as_ref().is_err() || !cut.as_ref().unwrap().notes.is_empty(), "{cut:?}");
}

#[test]
fn silence_and_channels_that_cancel_each_other_are_said() {
    let silent = heard(&encoded(spec(2, 8000, 16), &[0.0; 200]), 8000).unwrap();
    assert_eq!(silent.silent, ["a.wav: it is silent: every sample is 0"]);
    let frames: Vec<f64> = sine(440.0, 8000, 900).into_iter().flat_map(|s| [s, -s]).collect();
    let cancelled = heard(&encoded(spec(2, 8000, 16), &frames), 8000).unwrap();
    let why = &cancelled.silent;
    assert!(why.len() == 1 && why[0].contains("cancel each other"), "{why:?}");
    let apart: Vec<f64> = sine(440.0, 8000, 900).into_iter().flat_map(|s| [s, -0.9 * s]).collect();
    assert!(heard(&encoded(spec(2, 8000, 16), &apart), 8000).unwrap().silent.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn changed_bytes_of_any_format_never_panic(
        which in 0usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
        let mut file = match which {
            0 => FLAC[0].to_vec(),
            1 | 2 => VORBIS[0].to_vec(),
            3 => aiff(Some(b"sowt"), 16, rate, &[7; 64]),
            _ => wave(&[(b"fmt ", &format(1, 16)), (b"LIST", b"odd"), (b"data", &[7; 64])]),
        };
        // Most of what can go wrong is in the beginning.
        let start = file.len().min(400);
        for (at, byte) in changes {
            let at = at.index(start);
            file[at] = byte;
        }
        if cut {
            let length = length.index(file.len());
            file.truncate(length);
        }
        prop_assert!(catch_unwind(|| appended(&file, 11025)).is_ok());
    }
}

/// What was odd about a file.
fn notes_of(file: &[u8]) -> String {
    let mut sound = Sound::default();
    append("it", (file, Some(file.len() as u64)), 8000, 1 << 20, &mut sound).unwrap();
    sound.notes.join("; ")
}

#[test]
fn samples_that_are_left_out_or_clipped_are_said() {
    let (bytes, _) = short_tone();
    let form = format(1, 16);
    let of =
        |chunks: &[(&[u8; 4], &[u8])]| notes_of(&wave(&[&[(b"fmt ", &form[..])], chunks].concat()));
    assert_eq!(of(&[(b"data", &bytes)]), "");
    assert_eq!(of(&[(b"data", &bytes), (b"LIST", b"INFO")]), "");
    assert_eq!(of(&[(b"data", &bytes), (b"LIST", b"INFOx"), (b"none", b"")]), "");
    for between in [&b"INFO"[..], b"INFOx"] {
        let said = of(&[(b"data", &bytes), (b"LIST", between), (b"data", &bytes)]);
        assert!(said.contains("second chunk") && said.contains("left out"), "{said}");
    }
    let loud: Vec<u8> =
        [0.5f32, 16383.0, -2.0, 1.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let said = notes_of(&wave(&[(b"fmt ", &format(3, 32)), (b"data", &loud)]));
    assert!(said.contains("2 of 4 samples are beyond ±1, up to 16383"), "{said}");
}
