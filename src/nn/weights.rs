//! Weights in and out: safetensors with PyTorch's names, and burn-nn's modules.
//!
//! A checkpoint of `torch.nn.LSTM(5, 7, num_layers=2, bidirectional=True)`, or of a model that has one
//! under `encoder.lstm`, loads without conversion:
//!
//! ```no_run
//! # fn main() -> Result<(), bptt::nn::weights::WeightsError> {
//! use bptt::nn::LstmConfig;
//! use burn::tensor::Device;
//!
//! let lstm = LstmConfig::new(5, 7, true).with_layers(2).with_bidirectional(true);
//! let lstm = lstm.init(&Device::default()).load_safetensors("model.safetensors", "encoder.lstm.")?;
//! lstm.save_safetensors("copy.safetensors", "encoder.lstm.")?;
//! # Ok(())
//! # }
//! ```
//!
//! PyTorch stores each matrix transposed, `[gates × hidden, features]`; names end in the layer, and in
//! `_reverse` for the second direction. Weights that PyTorch does not have are named likewise:
//! `parameters_l0` (the cell's vector parameters), `gain_ih_l0` and `gain_hh_l0` (normalisation).
//!
//! `TryFrom` converts a burn-nn module. Load a record file first:
//!
//! ```no_run
//! use bptt::nn::Lstm;
//! use burn::module::Module;
//! use burn::nn::LstmConfig;
//! use burn::tensor::Device;
//!
//! let theirs = LstmConfig::new(5, 7, true).init(&Device::default()).load_file("record");
//! let ours = Lstm::try_from(&theirs).unwrap();
//! ```

use super::{
    DirectionWeights, Gru, GruConfig, Lstm, LstmConfig, Readout, Recurrent, Rnn, RnnConfig,
    StackCell,
};
use crate::cell::Activation;
use crate::files;
use crate::printable::{printable, printable_name};
use burn::module::Param;
use burn::nn::activation::Activation as BurnActivation;
use burn::nn::{GateController, Linear};
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The file is not safetensors.
    #[error("{file} is not a safetensors file: {reason}")]
    Format {
        /// The file.
        file: String,
        /// The format's reason.
        reason: String,
    },
    /// The file is a pickle, as `torch.save` writes it.
    #[error(
        "{file} is a pickle of PyTorch (torch.save), and not safetensors: convert it by: python3 -c \"import torch, safetensors.torch as s; s.save_file({{k: v.contiguous() for k, v in torch.load('INPUT.pt', map_location='cpu', weights_only=True).items()}}, 'OUTPUT.safetensors')\""
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// A tensor that the module has is not in the file.
    #[error("{file} has no tensor '{name}'{there}")]
    Missing {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// A note on the names that the file has.
        there: String,
    },
    /// The file has a tensor that the module does not have.
    #[error(
        "{file} has a tensor '{name}' that the module does not have: other layers, directions, biases or projection?"
    )]
    Surplus {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
    },
    /// The shapes differ.
    #[error("the tensor '{name}' of {file} has the shape {found:?}, and the module {expected:?}")]
    Shape {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// The module's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// The tensor does not hold floats.
    #[error("the tensor '{name}' of {file} holds {dtype}, and weights are F64, F32, F16 or BF16")]
    Type {
        /// The file.
        file: String,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
}

/// The burn-nn module computes something that no module here does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("burn-nn's {module} with {option} has no counterpart here")]
pub struct NoCounterpart {
    module: &'static str,
    option: &'static str,
}

/// The prefix of names in a checkpoint that are not weights.
pub(crate) const TRAINING: &str = "training.";

/// A weight as PyTorch lays it out.
pub trait Named {
    /// Its shape there.
    fn shape(&self) -> Vec<usize>;
    /// Its numbers, in row-major order.
    fn data(&self) -> TensorData;
    /// Takes numbers of that shape and order.
    fn set(&mut self, data: TensorData);
}

impl Named for Param<Tensor<2>> {
    fn shape(&self) -> Vec<usize> {
        let [rows, columns] = self.dims();
        vec![columns, rows]
    }
    fn data(&self) -> TensorData {
        self.val().transpose().into_data()
    }
    fn set(&mut self, data: TensorData) {
        let like = self.val();
        let options = (&like.device(), like.dtype());
        // Through the host, so that the rows have the memory layout of a drawn matrix.
        let transposed = Tensor::<2>::from_data(data, options).transpose().into_data();
        *self = Param::from_tensor(Tensor::from_data(transposed, options));
    }
}

impl Named for Param<Tensor<1>> {
    fn shape(&self) -> Vec<usize> {
        self.dims().to_vec()
    }
    fn data(&self) -> TensorData {
        self.val().into_data()
    }
    fn set(&mut self, data: TensorData) {
        let like = self.val();
        *self = Param::from_tensor(Tensor::from_data(data, (&like.device(), like.dtype())));
    }
}

impl DirectionWeights {
    /// The existing weights, by PyTorch's names without layer and direction.
    fn named(&mut self) -> Vec<(&'static str, &mut dyn Named)> {
        fn given<'a, W: Named>(
            name: &'static str,
            weight: &'a mut Option<W>,
        ) -> Option<(&'static str, &'a mut dyn Named)> {
            weight.as_mut().map(|weight| (name, weight as &mut dyn Named))
        }
        let Self { w_x, w_h, b_x, b_h, parameters, w_p, gain_x, gain_h } = self;
        [
            given("weight_ih", w_x),
            given("weight_hh", w_h),
            given("bias_ih", b_x),
            given("bias_hh", b_h),
            given("weight_hr", w_p),
            given("parameters", parameters),
            given("gain_ih", gain_x),
            given("gain_hh", gain_h),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A function called with each weight and its name.
pub type Each<'a> = &'a mut dyn FnMut(String, &mut dyn Named) -> Result<(), WeightsError>;

/// A module whose weights have PyTorch's names.
pub trait NamedWeights: Clone {
    /// Calls `each` with every weight and its name after the prefix.
    ///
    /// # Errors
    /// The first error that `each` returns.
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError>;
}

impl<C: StackCell> NamedWeights for Recurrent<C> {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        for (l, layer) in self.layers.iter_mut().enumerate() {
            for (d, direction) in layer.directions.iter_mut().enumerate() {
                let reverse = if d == 1 { "_reverse" } else { "" };
                for (name, weight) in direction.named() {
                    each(format!("{prefix}{name}_l{l}{reverse}"), weight)?;
                }
            }
        }
        Ok(())
    }
}

impl NamedWeights for Readout {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        each(format!("{prefix}weight"), &mut self.w_2)?;
        each(format!("{prefix}bias"), &mut self.b_2)
    }
}

/// Whether the bytes are what `torch.save` writes: a ZIP archive, and formerly a pickle alone. Safetensors begin with the
/// length of their header, whose highest byte is 0.
fn is_pickle(bytes: &[u8]) -> bool {
    let alone = matches!(bytes, [0x80, 2..=5, ..]) && bytes.get(7).is_some_and(|&byte| byte > 0);
    alone || bytes.starts_with(b"PK\x03\x04")
}

pub(crate) fn read<M: NamedWeights>(
    mut module: M,
    bytes: &[u8],
    file: &str,
    prefix: &str,
) -> Result<M, WeightsError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| {
        if is_pickle(bytes) {
            return WeightsError::Pickle { file: file.into() };
        }
        let reason = printable_name(&error.to_string());
        WeightsError::Format { file: file.into(), reason }
    })?;
    let ours = |name: &&str| name.starts_with(prefix) && !name.starts_with(TRAINING);
    let names = || tensors.names().into_iter().filter(ours);
    let mut surplus: BTreeSet<&str> = names().collect();
    module.for_each_named(prefix, &mut |name, weight| {
        let file = || file.to_string();
        let Ok(view) = tensors.tensor(&name) else {
            let there: Vec<String> = names().take(4).map(printable).collect();
            let there = match there.as_slice() {
                [] => format!(": none of its {} tensors starts with '{prefix}'", tensors.len()),
                some => format!("; there are {} …", some.join(", ")),
            };
            return Err(WeightsError::Missing { file: file(), name, there });
        };
        surplus.remove(name.as_str());
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let dtype = format!("{other:?}");
                return Err(WeightsError::Type { file: file(), name, dtype });
            }
        };
        if view.shape() != weight.shape() {
            let (expected, found) = (weight.shape(), view.shape().to_vec());
            return Err(WeightsError::Shape { file: file(), name, expected, found });
        }
        weight.set(TensorData::from_bytes_vec(view.data().to_vec(), weight.shape(), dtype));
        Ok(())
    })?;
    match surplus.first() {
        Some(name) => Err(WeightsError::Surplus { file: file.into(), name: printable(name) }),
        None => Ok(module),
    }
}

/// The most bytes of a file of weights. Larger files would not fit into memory.
pub(crate) const LARGEST: u64 = 8 << 30;

pub(crate) fn load<M: NamedWeights>(
    module: M,
    path: &Path,
    prefix: &str,
) -> Result<M, WeightsError> {
    let bytes = files::read(path, LARGEST)?;
    read(module, &bytes, &path.display().to_string(), prefix)
}

/// Every weight by its name.
pub(crate) fn tensors<M: NamedWeights>(module: &M) -> BTreeMap<String, TensorData> {
    let mut tensors = BTreeMap::new();
    let collected = module.clone().for_each_named("", &mut |name, weight| {
        tensors.insert(name, weight.data());
        Ok(())
    });
    collected.expect("collecting does not fail");
    tensors
}

pub(crate) fn save<M: NamedWeights>(
    module: &M,
    path: &Path,
    prefix: &str,
) -> Result<(), WeightsError> {
    let tensors = tensors(module);
    let format = |error: safetensors::SafeTensorError| WeightsError::Format {
        file: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut views = Vec::with_capacity(tensors.len());
    for (name, data) in &tensors {
        let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let view = TensorView::new(dtype, shape, data.as_bytes()).map_err(format)?;
        views.push((format!("{prefix}{name}"), view));
    }
    let bytes = safetensors::serialize(views, None).map_err(format)?;
    Ok(files::replace(path, &bytes)?)
}

impl<C: StackCell> Recurrent<C> {
    /// Reads the weights whose names start with `prefix` from a safetensors file, in the module's
    /// data type and on its device. Other tensors of the file are ignored.
    ///
    /// # Errors
    /// If the file cannot be read, a tensor is missing, has another shape or does not hold floats, or
    /// there is one with the prefix that the module does not have; the error names it.
    pub fn load_safetensors(
        self,
        path: impl AsRef<Path>,
        prefix: &str,
    ) -> Result<Self, WeightsError> {
        load(self, path.as_ref(), prefix)
    }

    /// As [`Recurrent::load_safetensors`], from the bytes of a file called `file` in errors.
    ///
    /// # Errors
    /// As [`Recurrent::load_safetensors`].
    pub fn read_safetensors(
        self,
        bytes: &[u8],
        file: &str,
        prefix: &str,
    ) -> Result<Self, WeightsError> {
        read(self, bytes, file, prefix)
    }

    /// Writes the weights as a safetensors file with PyTorch's names after `prefix`, in the module's
    /// data type. The file is replaced whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_safetensors(
        &self,
        path: impl AsRef<Path>,
        prefix: &str,
    ) -> Result<(), WeightsError> {
        save(self, path.as_ref(), prefix)
    }
}

/// The columns of both products and the biases of burn-nn's gates, in our order.
fn from_gates(gates: &[&GateController]) -> DirectionWeights {
    let joined = |linear: fn(&GateController) -> &Linear| {
        let weights = gates.iter().map(|gate| linear(gate).weight.val()).collect();
        let biases: Option<Vec<Tensor<1>>> =
            gates.iter().map(|gate| linear(gate).bias.as_ref().map(Param::val)).collect();
        let weight = Param::from_tensor(Tensor::cat(weights, 1).detach());
        (Some(weight), biases.map(|biases| Param::from_tensor(Tensor::cat(biases, 0).detach())))
    };
    let (w_x, b_x) = joined(|gate| &gate.input_transform);
    let (w_h, b_h) = joined(|gate| &gate.hidden_transform);
    DirectionWeights { w_x, w_h, b_x, b_h, parameters: None, w_p: None, gain_x: None, gain_h: None }
}

/// Features, bias and device of a burn-nn module by one of its gates.
fn described(gate: &GateController) -> (usize, bool, Device) {
    let [features, _] = gate.input_transform.weight.dims();
    let bias = gate.input_transform.bias.is_some();
    (features, bias, gate.input_transform.weight.val().device())
}

fn is_sigmoid(activation: &BurnActivation) -> bool {
    matches!(activation, BurnActivation::Sigmoid(_))
}

fn is_tanh(activation: &BurnActivation) -> bool {
    matches!(activation, BurnActivation::Tanh(_))
}

impl TryFrom<&burn::nn::Rnn> for Rnn {
    type Error = NoCounterpart;

    fn try_from(theirs: &burn::nn::Rnn) -> Result<Self, NoCounterpart> {
        let activation = match theirs.hidden_activation {
            BurnActivation::Identity(_) => Activation::Identity,
            BurnActivation::Tanh(_) => Activation::Tanh,
            BurnActivation::Relu(_) => Activation::Relu,
            BurnActivation::Sigmoid(_) => Activation::Sigmoid,
            _ => return Err(NoCounterpart { module: "Rnn", option: "that activation" }),
        };
        let (features, bias, device) = described(&theirs.gate);
        let mut ours = RnnConfig::new(features, theirs.d_hidden, bias)
            .with_activation(activation)
            .with_clip(theirs.clip)
            .with_batch_first(theirs.batch_first)
            .with_reverse(theirs.reverse)
            .init(&device);
        ours.layers[0].directions[0] = from_gates(&[&theirs.gate]);
        Ok(ours)
    }
}

impl TryFrom<&burn::nn::Lstm> for Lstm {
    type Error = NoCounterpart;

    fn try_from(theirs: &burn::nn::Lstm) -> Result<Self, NoCounterpart> {
        let refused = |option| Err(NoCounterpart { module: "Lstm", option });
        let usual = is_sigmoid(&theirs.gate_activation)
            && is_tanh(&theirs.cell_activation)
            && is_tanh(&theirs.hidden_activation);
        if !usual {
            return refused("other activations");
        }
        let Some(forget_gate) = &theirs.forget_gate else {
            return refused("a coupled forget gate (see CoupledLstm)");
        };
        let (features, bias, device) = described(&theirs.input_gate);
        let mut ours = LstmConfig::new(features, theirs.d_hidden, bias)
            .with_clip(theirs.clip)
            .with_batch_first(theirs.batch_first)
            .with_reverse(theirs.reverse)
            .init(&device);
        let gates = [&theirs.input_gate, forget_gate, &theirs.cell_gate, &theirs.output_gate];
        ours.layers[0].directions[0] = from_gates(&gates);
        Ok(ours)
    }
}

impl TryFrom<&burn::nn::Gru> for Gru {
    type Error = NoCounterpart;

    fn try_from(theirs: &burn::nn::Gru) -> Result<Self, NoCounterpart> {
        let refused = |option| Err(NoCounterpart { module: "Gru", option });
        if !theirs.reset_after {
            return refused("the reset before the product");
        }
        if !is_sigmoid(&theirs.gate_activation) || !is_tanh(&theirs.hidden_activation) {
            return refused("other activations");
        }
        let (features, bias, device) = described(&theirs.reset_gate);
        let config = GruConfig::new(features, theirs.d_hidden, bias).with_clip(theirs.clip);
        let mut ours = config.init(&device);
        let gates = [&theirs.reset_gate, &theirs.update_gate, &theirs.new_gate];
        ours.layers[0].directions[0] = from_gates(&gates);
        Ok(ours)
    }
}
