//! Checkpoints: bytes as they are; or tensors and progress that are drawn, in a file that is whole: the progress, the
//! optimizer's record and the carried state, between zero bytes.

#![no_main]

use bptt::train::OptimizerName;
use bptt::train::checkpoint::Checkpoint;
use bptt_fuzz::{one_line, parts, safetensors};
use burn::tensor::Bytes;
use libfuzzer_sys::fuzz_target;

/// A string of JSON.
fn quoted(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        control if (control as u32) < 32 => format!("\\u{:04x}", control as u32),
        other => other.to_string(),
    });
    format!("\"{}\"", characters.collect::<String>())
}

/// A file with the right checksum. `choice` draws the type and shape of the state.
fn whole(choice: u8, progress: &str, optimizer: &[u8], state: &[u8]) -> Vec<u8> {
    const DTYPES: [(&str, usize); 8] = [
        ("F32", 4),
        ("F64", 8),
        ("F16", 2),
        ("BF16", 2),
        ("U8", 1),
        ("I64", 8),
        ("BOOL", 1),
        ("U16", 2),
    ];
    let (dtype, size) = DTYPES[usize::from(choice >> 1 & 7)];
    let numbers = state.len() / size;
    let state = &state[..numbers * size];
    let shape = match choice >> 4 & 3 {
        0 => format!("[1,{numbers},1]"),
        1 => format!("[{numbers}]"),
        2 if numbers == 1 => "[]".into(),
        _ => format!("[1,1,{numbers},1]"),
    };
    let mut hasher = crc32fast::Hasher::new();
    for bytes in [progress.as_bytes(), b"training.optimizer", optimizer, b"training.state.0", state]
    {
        hasher.update(bytes);
    }
    let (checksum, progress) = (hasher.finalize(), quoted(progress));
    let (first, last) = (optimizer.len(), optimizer.len() + state.len());
    let header = format!(
        r#"{{"__metadata__":{{"checksum":"{checksum:08x}","progress":{progress}}},"training.optimizer":{{"dtype":"U8","shape":[{first}],"data_offsets":[0,{first}]}},"training.state.0":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{first},{last}]}}}}"#
    );
    // The format wants the data aligned.
    let padded = header.len().next_multiple_of(8);
    safetensors(format!("{header:<padded$}").as_bytes(), &[optimizer, state].concat())
}

fuzz_target!(|bytes: &[u8]| {
    let [choice, rest @ ..] = bytes else { return };
    let file = match choice & 1 {
        0 => rest.to_vec(),
        _ => {
            let parts = parts(rest, 3);
            let part = |number: usize| parts.get(number).copied().unwrap_or_default();
            let progress = String::from_utf8_lossy(part(0));
            whole(*choice, &progress, part(1), part(2))
        }
    };
    match Checkpoint::decode(file, "last.safetensors") {
        Err(error) => one_line(&error),
        Ok(checkpoint) => {
            for state in &checkpoint.state {
                let numbers: usize = state.shape().iter().product();
                assert_eq!(state.shape().len(), 3);
                assert_eq!(state.as_bytes().len(), numbers * state.dtype().size());
                assert!(state.clone().convert::<f64>().try_to_vec::<f64>().is_ok());
            }
            checkpoint.progress.best();
            let optimizer = OptimizerName::Adam.init();
            if let Err(error) = optimizer.from_bytes(Bytes::from_bytes_vec(checkpoint.optimizer)) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
});
