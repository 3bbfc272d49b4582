//! Weights: safetensors as PyTorch would have written it, or not, into an LSTM; as bytes, or as header and data with a
//! zero byte between, whose length is right. What was read comes back, number by number.

#![no_main]

use bptt::nn::LstmConfig;
use bptt_fuzz::{folder, one_line, parts, safetensors};
use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, rest @ ..] = bytes else { return };
    let file = match choice & 1 {
        0 => rest.to_vec(),
        _ => {
            let parts = parts(rest, 2);
            safetensors(parts[0], parts.get(1).copied().unwrap_or_default())
        }
    };
    let prefix = if choice & 2 == 2 { "encoder." } else { "" };
    let untrained = LstmConfig::new(2, 3, true).init(&Device::default());
    let lstm = match untrained.clone().read_safetensors(&file, "file", prefix) {
        Ok(lstm) => lstm,
        Err(error) => return one_line(&error),
    };
    let folder = folder(&[]);
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    lstm.save_safetensors(&first, prefix).expect("there is room");
    let again = untrained.load_safetensors(&first, prefix).expect("it was written here");
    again.save_safetensors(&second, prefix).expect("there is room");
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
});
