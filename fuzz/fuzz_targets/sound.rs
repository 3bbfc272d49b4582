//! Sound in any format: what is read is finite, becomes classes, and comes back from a file written of it as long as it was.

#![no_main]

use bptt::data::sound::{classes, read, wav};
use bptt_fuzz::{folder, one_line};
use libfuzzer_sys::fuzz_target;

const RATES: [u32; 8] = [8000, 16_000, 22_050, 44_100, 7919, 100, 1_000_000, 0];

fuzz_target!(|bytes: &[u8]| {
    let [choice, sound @ ..] = bytes else { return };
    let rate = RATES[usize::from(*choice) % RATES.len()];
    let files = folder(&[("file.wav", sound)]);
    let samples = match read(&[files.path().join("file.wav")], rate) {
        Ok(sound) => sound.samples,
        Err(error) => return one_line(&error),
    };
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()));
    assert!(classes(&samples).iter().all(|class| (1..=256).contains(class)));
    let written = wav(&samples, rate).expect("memory takes it");
    let files = folder(&[("written.wav", &written)]);
    let again = read(&[files.path().join("written.wav")], rate).expect("it was written here");
    assert_eq!(again.samples.len(), samples.len());
});
