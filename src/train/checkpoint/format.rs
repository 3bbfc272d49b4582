//! The bytes of a checkpoint: a safetensors file whose header is in one order, so that equal trainings have equal files.
//!
//! Beside the weights there are `training.state.0`, … (the carried state), `training.optimizer` (the bytes of Burn's
//! record), `training.epochs` (a row of six numbers each: number, steps, training loss, validation loss, share of right
//! answers or NaN, learning rate); the header's metadata hold the rest of the progress, which run it is of, and a checksum of all.

use super::{Checkpoint, CheckpointError, strange_in_record};
use crate::nn::weights::TRAINING;
use crate::printable::printable_name;
use crate::train::progress::{Epoch, Progress};
use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// The most bytes of a header: a hundred thousand tensors.
const LARGEST_HEADER: u64 = 16 << 20;

/// The most bytes of a progress with the epochs in it, as it was written before they were a tensor: reading takes thirty
/// times as many.
const LARGEST_PROGRESS: usize = 4 << 20;

/// Numbers of an epoch.
const COLUMNS: usize = 6;

/// What the metadata hold of the progress.
#[derive(serde::Serialize, serde::Deserialize)]
struct Position {
    step: usize,
    sum: (f64, usize),
    #[serde(default)]
    drawn: u64,
    done: bool,
    /// Older checkpoints have them here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epochs: Option<Vec<Epoch>>,
}

/// Why the bytes are no checkpoint.
pub(super) enum Reason {
    /// They could not be read.
    File(io::Error),
    /// They are not what was written.
    Torn(String),
    /// The tensor of that name holds what is no number.
    NotFinite(String),
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Torn("it ends too early".into()),
            _ => Self::File(error),
        }
    }
}

impl Reason {
    /// The error about that file.
    pub(super) fn of(self, file: &str) -> CheckpointError {
        let file = file.to_string();
        match self {
            Self::File(error) => {
                let line = format!("cannot read {file}: {error}");
                CheckpointError::File(io::Error::new(error.kind(), line))
            }
            Self::Torn(reason) => CheckpointError::Torn { file, reason: printable_name(&reason) },
            Self::NotFinite(tensor) => {
                CheckpointError::NotFinite { file, tensor: printable_name(&tensor) }
            }
        }
    }
}

fn torn<T>(reason: impl ToString) -> Result<T, Reason> {
    Err(Reason::Torn(reason.to_string()))
}

/// The bytes of a checkpoint with those weights. `identity` says which run it belongs to, if it is one of a run.
pub(crate) fn encode(
    weights: &BTreeMap<String, TensorData>,
    state: &[TensorData],
    optimizer: &[u8],
    progress: &Progress,
    identity: Option<String>,
) -> Vec<u8> {
    let Progress { step, sum, drawn, done, ref epochs } = *progress;
    let position = Position { step, sum, drawn, done, epochs: None };
    let position = toml::to_string(&position).expect("progress is plain data");
    let rows: Vec<u8> = epochs.iter().flat_map(row).flat_map(f64::to_le_bytes).collect();
    let names: Vec<String> = (0..state.len()).map(|s| format!("{TRAINING}state.{s}")).collect();
    let [optimizer_name, epochs_name] = ["optimizer", "epochs"].map(|n| format!("{TRAINING}{n}"));
    let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).expect("of that shape");
    let mut views: BTreeMap<&str, TensorView<'_>> = BTreeMap::new();
    views.insert(&optimizer_name, view(Dtype::U8, vec![optimizer.len()], optimizer));
    views.insert(&epochs_name, view(Dtype::F64, vec![epochs.len(), COLUMNS], &rows));
    for (name, data) in weights.iter().chain(names.iter().zip(state)) {
        let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
        let shape = data.shape().iter().copied().collect();
        views.insert(name, view(dtype, shape, data.as_bytes()));
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(position.as_bytes());
    hasher.update(identity.as_deref().unwrap_or_default().as_bytes());
    for (name, view) in &views {
        hasher.update(name.as_bytes());
        hasher.update(view.data());
    }
    let mut metadata = HashMap::from([
        ("checksum".to_string(), format!("{:08x}", hasher.finalize())),
        ("progress".to_string(), position),
    ]);
    metadata.extend(identity.map(|identity| ("run".to_string(), identity)));
    let bytes =
        safetensors::serialize(views, Some(metadata)).expect("tensors and names are in order");
    in_one_order(&bytes)
}

/// The same file with the keys of its header in the order of their names; those of a hash map are in any.
fn in_one_order(bytes: &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
    let (header, body) = rest.split_at(length);
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).expect("it has just been written");
    let mut header = serde_json::to_vec(&header).expect("plain data");
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, body].concat()
}

fn row(epoch: &Epoch) -> [f64; COLUMNS] {
    let Epoch { epoch, steps, train_loss, valid_loss, right, lr } = *epoch;
    [epoch as f64, steps as f64, train_loss, valid_loss, right.unwrap_or(f64::NAN), lr]
}

fn epoch(row: &[f64]) -> Option<Epoch> {
    let whole = |number: f64| {
        let whole = number as usize;
        (whole as f64 == number).then_some(whole)
    };
    let &[epoch, steps, train_loss, valid_loss, right, lr] = row else { return None };
    let right = (!right.is_nan()).then_some(right);
    let (epoch, steps) = (whole(epoch)?, whole(steps)?);
    Some(Epoch { epoch, steps, train_loss, valid_loss, right, lr })
}

/// What a checkpoint's header says.
pub(super) struct Header {
    /// Where the tensors begin.
    start: u64,
    metadata: Metadata,
}

impl Header {
    /// Of a file of `size` bytes: nothing after the header is read, and the header only if it can be one.
    pub(super) fn read(source: &mut impl Read, size: u64) -> Result<Self, Reason> {
        let mut length = [0; 8];
        source.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let start = length.saturating_add(8);
        if length > LARGEST_HEADER || start > size {
            return torn(format!("a header of {length} bytes does not fit it"));
        }
        let mut header = vec![0; length as usize];
        source.read_exact(&mut header)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| Reason::Torn(error.to_string()))?;
        match start.saturating_add(metadata.data_len() as u64) {
            end if end == size => Ok(Self { start, metadata }),
            end => torn(format!("it has {size} bytes where its header asks for {end}")),
        }
    }

    fn noted(&self, key: &str) -> Result<&str, Reason> {
        let notes = self.metadata.metadata().as_ref();
        match notes.and_then(|notes| notes.get(key)) {
            Some(note) => Ok(note),
            None => torn("it holds weights, and no progress"),
        }
    }

    /// What the run gives that it belongs to.
    pub(super) fn identity(&self) -> Option<String> {
        self.metadata.metadata().as_ref().and_then(|notes| notes.get("run").cloned())
    }

    /// Reads every tensor once, a small block at a time, and compares the checksum.
    pub(super) fn verify(&self, source: &mut (impl Read + Seek)) -> Result<(), Reason> {
        // A whole number of floats.
        const BLOCK: usize = 1 << 16;
        let (progress, expected) = (self.noted("progress")?, self.noted("checksum")?);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(progress.as_bytes());
        hasher.update(self.identity().unwrap_or_default().as_bytes());
        let mut names = self.metadata.offset_keys();
        names.sort();
        let (mut block, mut strange) = (vec![0; BLOCK], None);
        for name in &names {
            let info = self.metadata.info(name).expect("it has its names");
            let (from, to) = info.data_offsets;
            let is_finite = *name == format!("{TRAINING}epochs");
            hasher.update(name.as_bytes());
            source.seek(SeekFrom::Start(self.start + from as u64))?;
            let mut left = to - from;
            while left > 0 {
                let bytes = &mut block[..left.min(BLOCK)];
                source.read_exact(bytes)?;
                hasher.update(bytes);
                if !is_finite && !finite(info.dtype, bytes) {
                    strange.get_or_insert(name);
                }
                left -= bytes.len();
            }
        }
        let found = format!("{:08x}", hasher.finalize());
        match strange {
            _ if found != expected => {
                torn(format!("its checksum is {found} where {expected} is noted"))
            }
            Some(name) => Err(Reason::NotFinite(name.clone())),
            None => Ok(()),
        }
    }

    /// The progress, out of a source that has been verified.
    pub(super) fn progress(&self, source: &mut (impl Read + Seek)) -> Result<Progress, Reason> {
        let text = self.noted("progress")?;
        if text.len() > LARGEST_PROGRESS {
            return torn("its progress is longer than one can be");
        }
        let position: Position =
            toml::from_str(text).map_err(|error| Reason::Torn(error.message().into()))?;
        let Position { step, sum, drawn, done, epochs } = position;
        let epochs = match (self.metadata.info(&format!("{TRAINING}epochs")), epochs) {
            (None, Some(epochs)) => epochs,
            (Some(info), None)
                if info.dtype == Dtype::F64 && matches!(info.shape[..], [_, COLUMNS]) =>
            {
                let (from, to) = info.data_offsets;
                source.seek(SeekFrom::Start(self.start + from as u64))?;
                let mut rows = vec![0; to - from];
                source.read_exact(&mut rows)?;
                let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight"));
                let read = rows.chunks_exact(8 * COLUMNS).map(|row| {
                    let row: Vec<f64> = row.chunks_exact(8).map(number).collect();
                    epoch(&row)
                });
                match read.collect() {
                    Some(epochs) => epochs,
                    None => return torn("the number of an epoch is no whole one"),
                }
            }
            _ => return torn("its epochs are not in one place, six numbers each"),
        };
        let progress = Progress { step, sum, drawn, epochs, done };
        match progress.contradiction() {
            Some(contradiction) => torn(contradiction),
            None => Ok(progress),
        }
    }
}

/// Whether all floats are numbers; of other types they are.
pub(super) fn finite(dtype: Dtype, bytes: &[u8]) -> bool {
    // An exponent of ones, in the last bytes.
    let all = |size: usize, exponent: u16| {
        let ends = bytes.chunks_exact(size).map(|float| [float[size - 2], float[size - 1]]);
        ends.map(u16::from_le_bytes).all(|end| end & exponent != exponent)
    };
    match dtype {
        Dtype::F64 => all(8, 0x7ff0),
        Dtype::F32 | Dtype::BF16 => all(dtype.bitsize() / 8, 0x7f80),
        Dtype::F16 => all(2, 0x7c00),
        _ => true,
    }
}

/// A whole checkpoint out of its bytes.
pub(super) fn decode(bytes: Vec<u8>, file: &str) -> Result<Checkpoint, Reason> {
    let mut source = Cursor::new(&bytes);
    let header = Header::read(&mut source, bytes.len() as u64)?;
    header.verify(&mut source)?;
    let progress = header.progress(&mut source)?;
    let tensors =
        SafeTensors::deserialize(&bytes).map_err(|error| Reason::Torn(error.to_string()))?;
    let (mut optimizer, mut states, mut floats) = (None, BTreeMap::new(), None);
    for (name, view) in tensors.iter() {
        let place = name.strip_prefix(TRAINING);
        match (place, view.dtype(), view.shape()) {
            (Some("epochs"), ..) => {}
            (Some("optimizer"), Dtype::U8, [_]) => optimizer = Some(view.data().to_vec()),
            (_, dtype @ (Dtype::F32 | Dtype::F64), shape) => {
                if *floats.get_or_insert(dtype) != dtype {
                    return torn(format!("its tensor '{name}' is the only one of {dtype:?}"));
                }
                let Some(place) = place else { continue };
                let number = place.strip_prefix("state.").and_then(|s| s.parse::<usize>().ok());
                let (Some(number), [_, _, _]) = (number, shape) else {
                    return torn(format!("a tensor '{name}' of the shape {shape:?} is none of it"));
                };
                let dtype = if dtype == Dtype::F64 { DType::F64 } else { DType::F32 };
                let data = TensorData::from_bytes_vec(view.data().to_vec(), shape.to_vec(), dtype);
                states.insert(number, data);
            }
            (_, dtype, shape) => {
                return torn(format!("'{name}' is of {dtype:?} and of the shape {shape:?}"));
            }
        }
    }
    let Some(optimizer) = optimizer else { return torn("it has no optimizer") };
    // That of a training which is not resumed is empty.
    if !optimizer.is_empty() {
        match strange_in_record(&optimizer) {
            Err(error) => return torn(format!("the optimizer's record: {error}")),
            Ok(Some(name)) => {
                return Err(Reason::NotFinite(format!("{TRAINING}optimizer, {name}")));
            }
            Ok(None) => {}
        }
    }
    if !states.keys().copied().eq(0..states.len()) {
        return torn("a part of its state is missing");
    }
    let state = states.into_values().collect();
    let identity = header.identity();
    Ok(Checkpoint { file: file.into(), state, optimizer, progress, identity, bytes })
}
