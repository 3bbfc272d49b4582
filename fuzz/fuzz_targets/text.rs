//! Text: what is read is the file, its characters have classes from which they come back, and the baselines are finite.

#![no_main]

use bptt::data::text::{Vocabulary, frequency_baselines, read};
use bptt_fuzz::{folder, one_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, text @ ..] = bytes else { return };
    let as_bytes = choice & 1 == 1;
    let folder = folder(&[("file.txt", text)]);
    // Named, or found in its folder.
    let path = if choice & 2 == 2 { folder.path().join("file.txt") } else { folder.path().into() };
    let files = match read(&[path], as_bytes) {
        Ok(texts) => texts.files,
        Err(error) => return one_line(&error),
    };
    let [file] = files.as_slice() else { panic!("{} files of one", files.len()) };
    let utf16 = text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]);
    assert!(as_bytes || utf16 || text.ends_with(&file.bytes));
    assert!(!as_bytes || file.bytes == text);
    let vocabulary = match as_bytes {
        true => Vocabulary::Bytes,
        false => Vocabulary::of(std::str::from_utf8(&file.bytes).expect("as promised"), 1),
    };
    let classes = vocabulary.classes_of(&file.bytes);
    let back: Vec<u8> = classes.iter().flat_map(|&class| vocabulary.text_of(class)).collect();
    assert_eq!(back, file.bytes);
    let (training, valid) = classes.split_at(classes.len() / 2);
    let baselines = frequency_baselines(training, valid, vocabulary.classes());
    assert!(baselines.iter().all(|nats| nats.is_finite() && *nats >= 0.0), "{baselines:?}");
});
