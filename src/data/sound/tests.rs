//! What files hold, to the bit where the format is one of plain samples.

mod formats;

use super::*;
use proptest::prelude::*;
use std::f64::consts::TAU;
use std::panic::catch_unwind;

/// What `append` makes of a file in memory.
fn appended(bytes: &[u8], rate: u32) -> Result<Vec<f32>, SoundError> {
    heard(bytes, rate).map(|sound| sound.samples)
}

/// The same, with the notes.
fn heard(bytes: &[u8], rate: u32) -> Result<Sound, SoundError> {
    let mut sound = Sound::default();
    append("a.wav", (bytes, Some(bytes.len() as u64)), rate, 1 << 20, &mut sound).map(|()| sound)
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
    let mean: Vec<f64> = frames.chunks(3).map(|frame| frame.iter().sum::<f64>() / 3.0).collect();
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
    for (from, frequency) in [(44100, 4500.0), (44100, 7900.0), (48000, 8100.0), (16000, 5000.0)] {
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
    let read = read(&[at("a.wav"), at("b.wav")], 8000).unwrap().samples;
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
    let float = WavSpec { sample_format: SampleFormat::Float, ..spec(2, 8000, 32) };
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("empty", Vec::new(), "it is empty"),
        ("half a header", good[..30].into(), "ends within its header"),
        ("noise", (0..999u32).map(|t| ((t * t * 7919) >> 3) as u8).collect(), "RIFF"),
        ("no channel", changed(22, &[0, 0]), "zero channels"),
        ("0 Hz", changed(24, &[0; 8]), "sample rate of 0 Hz"),
        ("64 bits", changed(34, &[64, 0]), "integers of 64 bits"),
        ("compressed", changed(20, &[2, 0]), "Microsoft ADPCM"),
        ("FLAC within", changed(20, &0xf1acu16.to_le_bytes()), "FLAC inside WAV"),
        ("FLAC by another name", [&b"fLaC\0\0\0\x22"[..], &[0; 300]].concat(), "it is FLAC"),
        ("MP3", [&b"ID3\x04"[..], &[0; 300]].concat(), "it is MP3"),
        ("Opus", [&b"OggS"[..], &[0; 24], b"OpusHead", &[0; 99]].concat(), "it is Opus"),
        ("no WAVE", changed(8, b"AVI "), "another kind"),
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
    for (rate, most, fits) in [(100, 1000, true), (100, 999, false), (100_000, 1 << 19, false)] {
        // Where the size of a file is not known (it may be a pipe), the limit holds while it is read.
        for size in [Some(slow.len() as u64), None] {
            let mut sound = Sound::default();
            let kept = append("a.wav", (slow.as_slice(), size), rate, most, &mut sound);
            assert_eq!(kept.is_ok(), fits, "{rate} Hz, {most}");
            assert!(sound.samples.len() <= most && sound.samples.capacity() <= 2 * most);
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
