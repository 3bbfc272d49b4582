//! The content of a run's checkpoints, to compare trainings to the bit, and to write others in their place.

use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::Progress;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every tensor by name but the epochs, and the progress, which has them.
pub type Content = (Vec<(String, Vec<u8>)>, Progress);

/// The file of a checkpoint: last, previous or best.
pub fn file(run: &Path, name: &str) -> PathBuf {
    run.join(format!("checkpoint/{name}.safetensors"))
}

/// A checkpoint of a run.
pub fn checkpoint(run: &Path, name: &str) -> Content {
    let bytes = std::fs::read(file(run, name)).unwrap();
    let checkpoint = Checkpoint::decode(bytes, name).unwrap();
    let tensors = SafeTensors::deserialize(&checkpoint.bytes).unwrap();
    let tensors = tensors.iter().filter(|(name, _)| *name != "training.epochs");
    let mut all: Vec<(String, Vec<u8>)> =
        tensors.map(|(name, tensor)| (name.to_string(), tensor.data().to_vec())).collect();
    all.sort();
    assert!(all.len() >= 6, "weights of a layer and of the readout");
    (all, checkpoint.progress)
}

/// The last checkpoint of a run.
pub fn last(run: &Path) -> Content {
    checkpoint(run, "last")
}

/// The parts of a checkpoint's file, each of which can be another one.
#[derive(Clone)]
pub struct Parts {
    /// Type, shape and bytes, by name.
    pub tensors: BTreeMap<String, (String, Vec<usize>, Vec<u8>)>,
    /// The progress without the epochs, as TOML.
    pub progress: String,
    /// Which run it is of.
    pub identity: String,
}

impl Parts {
    /// Of the last checkpoint of a run.
    pub fn of(run: &Path) -> Self {
        let bytes = std::fs::read(file(run, "last")).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: BTreeMap<String, Value> =
            serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let body = &bytes[8 + length..];
        let progress = header["__metadata__"]["progress"].as_str().unwrap().to_string();
        let identity = header["__metadata__"]["run"].as_str().unwrap().to_string();
        let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
        let tensors = tensors.map(|(name, info)| {
            let sizes = |key: &str| -> Vec<usize> {
                let sizes = info[key].as_array().unwrap().iter();
                sizes.map(|size| size.as_u64().unwrap() as usize).collect()
            };
            let offsets = sizes("data_offsets");
            let dtype = info["dtype"].as_str().unwrap().to_string();
            let bytes = body[offsets[0]..offsets[1]].to_vec();
            (name.clone(), (dtype, sizes("shape"), bytes))
        });
        Self { tensors: tensors.collect(), progress, identity }
    }

    /// The bytes of the file, with the checksum that it must have.
    pub fn bytes(&self) -> Vec<u8> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.progress.as_bytes());
        hasher.update(self.identity.as_bytes());
        let (mut header, mut body) = (serde_json::Map::new(), Vec::new());
        for (name, (dtype, shape, bytes)) in &self.tensors {
            hasher.update(name.as_bytes());
            hasher.update(bytes);
            let offsets = [body.len(), body.len() + bytes.len()];
            let info = json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            header.insert(name.clone(), info);
            body.extend_from_slice(bytes);
        }
        let checksum = format!("{:08x}", hasher.finalize());
        let metadata =
            json!({ "checksum": checksum, "progress": self.progress, "run": self.identity });
        header.insert("__metadata__".into(), metadata);
        let header = serde_json::to_vec(&header).unwrap();
        [&(header.len() as u64).to_le_bytes()[..], &header, &body].concat()
    }

    /// Takes the place of all checkpoints of a run.
    pub fn replace(&self, run: &Path) {
        for name in ["last", "previous", "best"] {
            std::fs::write(file(run, name), self.bytes()).unwrap();
        }
    }

    /// Sets the numbers of a tensor in single precision.
    pub fn set(&mut self, name: &str, value: impl Fn(usize) -> f32) {
        let (dtype, _, bytes) = self.tensors.get_mut(name).unwrap();
        assert_eq!(dtype, "F32");
        let numbers = (0..bytes.len() / 4).flat_map(|place| value(place).to_le_bytes());
        *bytes = numbers.collect();
    }
}
