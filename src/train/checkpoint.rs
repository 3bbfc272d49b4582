//! Checkpoints: everything that a training needs to continue as if it had not been interrupted.
//!
//! A checkpoint is a safetensors file with the weights by PyTorch's names, `training.state.0`, … (the carried
//! state), `training.optimizer` (the bytes of Burn's record), and the progress and a checksum in its metadata.
//! A run keeps the `last` one, the `previous` one, and the `best` by validation.

use super::run::identity;
use crate::cell::Shape;
use crate::files;
use crate::nn::weights::{self, LARGEST, NamedWeights, TRAINING};
use crate::printable::printable_name;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// Not a checkpoint, or one that is not whole.
    #[error("{file} is not a whole checkpoint: {reason}")]
    Torn {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Sizes of a network whose weights these cannot be.
    #[error(
        "the run {run} was changed: its config.toml asks for {layers} layers of {hidden} units, which its checkpoint does not hold; train anew"
    )]
    Sizes {
        /// The run.
        run: String,
        /// Layers.
        layers: usize,
        /// Hidden units.
        hidden: usize,
    },
    /// A checkpoint of another configuration or other data.
    #[error(
        "{file} belongs to another run, or config.toml or data.toml was changed by hand: undo that, or train anew"
    )]
    Foreign {
        /// The file.
        file: String,
    },
    /// No checkpoint.
    #[error("{0} has no checkpoint: train there first")]
    None(String),
}

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint<P> {
    /// The file's bytes, for the weights.
    pub bytes: Vec<u8>,
    /// The carried state.
    pub state: Vec<TensorData>,
    /// The bytes of the optimizer's record.
    pub optimizer: Vec<u8>,
    /// How far the training is.
    pub progress: P,
    /// What the configuration and the data of its run give; none in a checkpoint of an earlier version.
    pub(crate) identity: Option<String>,
}

/// The bytes of a checkpoint. `identity` says which run it belongs to, if it is one of a run.
pub(crate) fn encode<P: Serialize>(
    model: &impl NamedWeights,
    state: &[TensorData],
    optimizer: &[u8],
    progress: &P,
    identity: Option<String>,
) -> Vec<u8> {
    let mut tensors = weights::tensors(model);
    for (s, data) in state.iter().enumerate() {
        tensors.insert(format!("{TRAINING}state.{s}"), data.clone());
    }
    let progress = toml::to_string(progress).expect("progress is plain data");
    let mut views: BTreeMap<&str, TensorView<'_>> = BTreeMap::new();
    let optimizer_name = format!("{TRAINING}optimizer");
    let optimizer = TensorView::new(Dtype::U8, vec![optimizer.len()], optimizer);
    views.insert(&optimizer_name, optimizer.expect("as many bytes as it says"));
    for (name, data) in &tensors {
        let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let view = TensorView::new(dtype, shape, data.as_bytes()).expect("data has its shape");
        views.insert(name, view);
    }
    let noted = (progress.as_str(), identity.as_deref());
    let checksum = checksum(noted, views.iter().map(|(name, view)| (*name, view.data())));
    let mut metadata =
        HashMap::from([("checksum".to_string(), checksum), ("progress".to_string(), progress)]);
    metadata.extend(identity.map(|identity| ("run".to_string(), identity)));
    safetensors::serialize(views, Some(metadata)).expect("tensors and names are in order")
}

/// CRC-32 over the progress, the identity, and every tensor's name and bytes in the order of their names.
fn checksum<'a>(
    (progress, identity): (&str, Option<&str>),
    tensors: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(progress.as_bytes());
    hasher.update(identity.unwrap_or_default().as_bytes());
    for (name, bytes) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    format!("{:08x}", hasher.finalize())
}

impl<P: DeserializeOwned> Checkpoint<P> {
    /// Of a file's bytes; `file` is what errors call it.
    ///
    /// # Errors
    /// If it is not safetensors, was not written here, or its checksum is another one.
    pub fn decode(bytes: Vec<u8>, file: &str) -> Result<Self, CheckpointError> {
        let torn = |reason: String| {
            let reason = printable_name(&reason);
            CheckpointError::Torn { file: file.into(), reason }
        };
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| torn(error.to_string()))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| torn(error.to_string()))?;
        let noted =
            |key: &str| header.metadata().as_ref().and_then(|notes| notes.get(key).cloned());
        let (Some(progress), Some(expected)) = (noted("progress"), noted("checksum")) else {
            return Err(torn("it holds weights, and no progress".into()));
        };
        let sorted: BTreeMap<&str, &[u8]> = tensors
            .names()
            .into_iter()
            .map(|name| (name, tensors.tensor(name).expect("it has its names").data()))
            .collect();
        let identity = noted("run");
        let found = checksum(
            (&progress, identity.as_deref()),
            sorted.iter().map(|(name, bytes)| (*name, *bytes)),
        );
        if found != expected {
            return Err(torn(format!("its checksum is {found} where {expected} is noted")));
        }
        let optimizer = sorted.get(format!("{TRAINING}optimizer").as_str()).copied();
        let optimizer = optimizer.ok_or_else(|| torn("it has no optimizer".into()))?.to_vec();
        let state = (0..)
            .map_while(|s| tensors.tensor(&format!("{TRAINING}state.{s}")).ok())
            .map(|view| {
                let dtype = match (view.dtype(), view.shape()) {
                    (Dtype::F64, [_, _, _]) => DType::F64,
                    (Dtype::F32, [_, _, _]) => DType::F32,
                    (dtype, shape) => {
                        return Err(torn(format!("a state of {dtype:?} has the shape {shape:?}")));
                    }
                };
                let (bytes, shape) = (view.data().to_vec(), view.shape().to_vec());
                Ok(TensorData::from_bytes_vec(bytes, shape, dtype))
            })
            .collect::<Result<_, _>>()?;
        let progress = toml::from_str(&progress).map_err(|error| torn(error.message().into()))?;
        Ok(Self { state, optimizer, progress, identity, bytes })
    }
}

/// Where a run keeps its checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Those of the run in that folder.
    pub fn of(run: &Path) -> Self {
        Self { folder: run.join("checkpoint") }
    }

    /// The file of that name: `last`, `previous`, `best`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.safetensors"))
    }

    /// Refuses sizes of a network, features, hidden units and layers, that are 0 or ask for many weights, and for more
    /// than there are bytes in any checkpoint: before memory is taken for them. What is wrong with a checkpoint is said
    /// when it is read.
    ///
    /// # Errors
    /// If so, or if there is no checkpoint.
    pub fn check(&self, cell: Shape, sizes: [usize; 3]) -> Result<(), CheckpointError> {
        let bytes = |name| std::fs::metadata(self.file(name)).map(|metadata| metadata.len());
        let longest = ["last", "previous", "best"].into_iter().filter_map(|name| bytes(name).ok());
        let Some(longest) = longest.max() else {
            return Err(CheckpointError::None(self.folder.display().to_string()));
        };
        const MANY: u64 = 1 << 16;
        if sizes.contains(&0) || cell.weights(sizes) > longest.max(MANY) as f64 {
            let run = self.folder.parent().unwrap_or(&self.folder).display().to_string();
            let [_, hidden, layers] = sizes;
            return Err(CheckpointError::Sizes { run, layers, hidden });
        }
        Ok(())
    }

    /// Forgets the checkpoints of an earlier training.
    ///
    /// # Errors
    /// If the folder cannot be made or a file not removed.
    pub fn clear(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        for name in ["last", "previous", "best"] {
            match std::fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the last one; the one that was the last is kept as `previous`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_last(&self, bytes: &[u8]) -> io::Result<()> {
        files::replace_and_keep(&self.file("last"), &self.file("previous"), bytes)
    }

    /// Writes the best one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_best(&self, bytes: &[u8]) -> io::Result<()> {
        files::replace(&self.file("best"), bytes)
    }

    /// The first of the named ones that is whole, and why those before it are not.
    ///
    /// # Errors
    /// If there is none: the reason of the first that is there. If the first that is whole is not one of this run.
    pub fn first<P: DeserializeOwned>(
        &self,
        names: &[&str],
    ) -> Result<(Checkpoint<P>, Vec<CheckpointError>), CheckpointError> {
        let mut refused = Vec::new();
        let identity = identity(self.folder.parent().unwrap_or(&self.folder))?;
        for name in names {
            let path = self.file(name);
            let shown = path.display().to_string();
            match files::read(&path, LARGEST) {
                Ok(bytes) => match Checkpoint::decode(bytes, &shown) {
                    Ok(checkpoint) if is_other(&checkpoint.identity, &identity) => {
                        return Err(CheckpointError::Foreign { file: shown });
                    }
                    Ok(checkpoint) => return Ok((checkpoint, refused)),
                    Err(error) => refused.push(error),
                },
                // A kill between two renamings leaves no last one: the previous one is it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => refused.push(error.into()),
            }
        }
        let none = || CheckpointError::None(self.folder.display().to_string());
        Err(refused.into_iter().next().unwrap_or_else(none))
    }
}

/// Whether a checkpoint says that it is one of another run.
fn is_other(noted: &Option<String>, run: &Option<String>) -> bool {
    noted.is_some() && run.is_some() && noted != run
}

/// The module with parameter numbers 1, 2, …, by which an optimizer's record finds its parameters in another
/// process.
pub fn numbered<M: Module>(module: M) -> M {
    struct Numbers(u64);
    impl ModuleMapper for Numbers {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            let (_, value, mapper) = parameter.consume();
            Param::from_mapped_value(ParamId::from(self.0), value, mapper)
        }
    }
    module.map(&mut Numbers(0))
}
