//! The content of a run's checkpoints, to compare trainings to the bit.

use bptt::train::checkpoint::Checkpoint;
use bptt::train::lessons::Progress;
use safetensors::SafeTensors;
use std::path::Path;

/// Every tensor by name, and the progress. The optimizer's record is left out, because its order is not fixed.
pub type Content = (Vec<(String, Vec<u8>)>, Progress);

/// A checkpoint of a run: last, previous or best.
pub fn checkpoint(run: &Path, name: &str) -> Content {
    let file = run.join(format!("checkpoint/{name}.safetensors"));
    let checkpoint = Checkpoint::<Progress>::decode(std::fs::read(file).unwrap(), name).unwrap();
    let tensors = SafeTensors::deserialize(&checkpoint.bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = tensors
        .iter()
        .filter(|(name, _)| *name != "training.optimizer")
        .map(|(name, tensor)| (name.to_string(), tensor.data().to_vec()))
        .collect();
    all.sort();
    assert!(all.len() >= 6, "weights of a layer and of the readout");
    (all, checkpoint.progress)
}

/// The last checkpoint of a run.
pub fn last(run: &Path) -> Content {
    checkpoint(run, "last")
}
