//! Checkpoints: everything that a training needs to continue as if it had not been interrupted.
//!
//! A run keeps the `last` one, the `previous` one, and the `best` by validation. What is in one is said in `format.rs`.

mod format;
mod record;

pub(crate) use format::encode;
pub(super) use record::{check_record, sorted_record, strange_in_record};

use super::progress::Progress;
use super::run::identity;
use crate::cell::Shape;
use crate::files;
use crate::nn::weights::LARGEST;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use format::{Header, Reason};
use std::io::{self, Read, Seek, SeekFrom};
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
    /// Weights, a state or an optimizer's averages of a training that diverged.
    #[error(
        "{file} holds what is no number (in '{tensor}'): its training diverged; train anew with a smaller --lr or --clip"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
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
    /// The best checkpoint, which is not there.
    #[error("{file} is not there")]
    Lost {
        /// The file.
        file: String,
    },
    /// Another checkpoint in place of a better one.
    #[error("{reason}; {file} is used instead, which may be worse")]
    Instead {
        /// What is wrong with the better one.
        reason: String,
        /// The file that is used.
        file: String,
    },
    /// No checkpoint.
    #[error("{0} has no checkpoint: train there first")]
    None(String),
}

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file that it was read from.
    pub file: String,
    /// The file's bytes, for the weights.
    pub bytes: Vec<u8>,
    /// The carried state.
    pub state: Vec<TensorData>,
    /// The bytes of the optimizer's record.
    pub optimizer: Vec<u8>,
    /// How far the training is.
    pub progress: Progress,
    /// What the configuration and the data of its run give; none in a checkpoint of an earlier version.
    pub(crate) identity: Option<String>,
}

impl Checkpoint {
    /// Of a file's bytes; `file` is what errors call it.
    ///
    /// # Errors
    /// If it is not safetensors, was not written here, its checksum is another one, or it holds what is no number.
    pub fn decode(bytes: Vec<u8>, file: &str) -> Result<Self, CheckpointError> {
        format::decode(bytes, file).map_err(|reason| reason.of(file))
    }

    fn read(path: &Path) -> Result<Found<Self>, CheckpointError> {
        let shown = path.display().to_string();
        let (mut file, size) = files::open_regular(path, LARGEST)?;
        let whole = || -> Result<Self, Reason> {
            // What it cannot be is found before there is memory for it.
            Header::read(&mut file, size)?;
            file.seek(SeekFrom::Start(0))?;
            let mut bytes = Vec::with_capacity(size as usize);
            file.take(size).read_to_end(&mut bytes)?;
            format::decode(bytes, &shown)
        };
        let checkpoint = whole().map_err(|reason| reason.of(&shown))?;
        Ok(Found { identity: checkpoint.identity.clone(), found: checkpoint })
    }

    /// The progress alone, in as much memory as that takes.
    fn read_progress(path: &Path) -> Result<Found<Progress>, CheckpointError> {
        let (mut file, size) = files::open_regular(path, LARGEST)?;
        let mut whole = || -> Result<Found<Progress>, Reason> {
            let header = Header::read(&mut file, size)?;
            header.verify(&mut file)?;
            Ok(Found { found: header.progress(&mut file)?, identity: header.identity() })
        };
        whole().map_err(|reason| reason.of(&path.display().to_string()))
    }
}

/// What was read of a checkpoint, and the identity that is noted in it.
struct Found<T> {
    found: T,
    identity: Option<String>,
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

    /// Writes the last one; the one that was the last is kept as `previous`, if it is whole, its optimizer's record as well:
    /// a torn one never takes the place of a good one.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_last(&self, bytes: &[u8]) -> io::Result<()> {
        let last = self.file("last");
        match Checkpoint::read(&last) {
            Ok(_) => files::replace_and_keep(&last, &self.file("previous"), bytes),
            Err(_) => files::replace(&last, bytes),
        }
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
    pub fn first(
        &self,
        names: &[&str],
    ) -> Result<(Checkpoint, Vec<CheckpointError>), CheckpointError> {
        self.first_read(names, Checkpoint::read)
    }

    /// The progress of the latest one that is whole. Weights and optimizer are checked, and not kept in memory.
    ///
    /// # Errors
    /// As [`Checkpoints::first`].
    pub fn progress(&self) -> Result<Progress, CheckpointError> {
        Ok(self.first_read(&["last", "previous", "best"], Checkpoint::read_progress)?.0)
    }

    fn first_read<T>(
        &self,
        names: &[&str],
        read: impl Fn(&Path) -> Result<Found<T>, CheckpointError>,
    ) -> Result<(T, Vec<CheckpointError>), CheckpointError> {
        let mut refused = Vec::new();
        let own = identity(self.folder.parent().unwrap_or(&self.folder))?;
        for name in names {
            let file = self.file(name);
            match read(&file) {
                Ok(Found { identity, .. }) if is_other(&identity, &own) => {
                    return Err(CheckpointError::Foreign { file: file.display().to_string() });
                }
                Ok(Found { found, .. }) => return Ok((found, refused)),
                // A kill between two renamings leaves no last one: the previous one is it.
                Err(CheckpointError::File(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => refused.push(error),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A checkpoint after so many steps.
    fn bytes(step: usize) -> Vec<u8> {
        let data = TensorData::new(vec![step as f32, 1.0], [2]);
        let weights = BTreeMap::from([("weight".to_string(), data)]);
        encode(&weights, &[], &[], &Progress { step, ..Progress::default() }, Some("7".into()))
    }

    /// The step of the checkpoint that a training would go on from.
    fn step(checkpoints: &Checkpoints) -> usize {
        checkpoints.progress().unwrap().step
    }

    #[test]
    fn a_torn_checkpoint_never_takes_the_place_of_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(folder.path());
        checkpoints.clear().unwrap();
        let [last, previous] = ["last", "previous"].map(|name| checkpoints.file(name));
        for step in 1..=2 {
            checkpoints.save_last(&bytes(step)).unwrap();
        }
        let good = std::fs::read(&previous).unwrap();
        let mut torn = Vec::new();
        for place in [0, 9, bytes(2).len() / 2, bytes(2).len() - 1] {
            let mut other = bytes(2);
            other[place] ^= 1;
            torn.push(other);
        }
        torn.extend([Vec::new(), bytes(2)[..30].to_vec(), [bytes(2), vec![0]].concat()]);
        let mut none = bytes(2);
        let end = none.len();
        none[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        torn.push(none);
        for torn in torn {
            // The files as they are at each moment of the next save: before it, with the new one beside them, and after it.
            std::fs::write(&last, &torn).unwrap();
            assert_eq!(step(&checkpoints), 1);
            let beside = folder.path().join("checkpoint/.unfinished-1-1");
            std::fs::write(&beside, bytes(3)).unwrap();
            assert_eq!(step(&checkpoints), 1);
            std::fs::remove_file(beside).unwrap();
            checkpoints.save_last(&bytes(3)).unwrap();
            assert_eq!(step(&checkpoints), 3);
            assert_eq!(std::fs::read(&previous).unwrap(), good);
        }
        // A good one is kept; between the two renamings there is no last one, and the previous one is it.
        std::fs::rename(&last, &previous).unwrap();
        assert_eq!(step(&checkpoints), 3);
        checkpoints.save_last(&bytes(4)).unwrap();
        checkpoints.save_last(&bytes(5)).unwrap();
        std::fs::remove_file(&last).unwrap();
        assert_eq!(step(&checkpoints), 4);
    }

    #[test]
    fn a_progress_that_contradicts_itself_is_none() {
        let encoded = |progress: &Progress| {
            let data = TensorData::new(vec![1f32], [1]);
            encode(&BTreeMap::from([("weight".to_string(), data)]), &[], &[], progress, None)
        };
        let mut progress = Progress { step: 10, ..Progress::default() };
        assert!(Checkpoint::decode(encoded(&progress), "it").is_ok());
        for sum in [(f64::NAN, 1), (1.0, 11)] {
            progress.sum = sum;
            let error = Checkpoint::decode(encoded(&progress), "it").unwrap_err().to_string();
            assert!(error.contains("losses of 10 steps"), "{error}");
        }
    }

    #[test]
    fn equal_checkpoints_have_equal_bytes() {
        // A map of hashes has another order each time that it is made.
        assert!((0..40).all(|_| bytes(7) == bytes(7)));
        let checkpoint = Checkpoint::decode(bytes(7), "it").unwrap();
        assert_eq!((checkpoint.progress.step, checkpoint.bytes), (7, bytes(7)));
    }
}
