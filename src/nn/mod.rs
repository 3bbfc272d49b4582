//! Burn modules for a user's model: [`Rnn`], [`Gru`], [`Lstm`], [`IndRnn`], and [`Recurrent`] for any
//! other cell.
//!
//! [`Gradient`] selects the hand-written gradient or autodiff. The weights, the configuration and the
//! surrounding model stay the same.
//!
//! # From burn-nn
//!
//! `use bptt::nn::{LstmConfig, GruConfig, RnnConfig}` in place of `burn::nn::{…}`:
//! `LstmConfig::new(d_input, d_hidden, bias).init(&device)` and `forward(input, None)` stay as they are.
//! The states differ: they have a row for every layer and direction and come as an array,
//! `let (output, [hidden, cell]) = lstm.forward(x, None)`, and a GRU also returns its last state.
//! Of burn-nn's options, `reverse`, `clip` and the coupled forget gate ([`CoupledLstmConfig`]) are supported.
//! The activations of an LSTM's or a GRU's gates are not options, because they are part of the formula:
//! for another activation write another [cell](crate::cell), one page of code. A GRU that resets before its
//! product is not supported: it needs a second product in each step, after the first.
//!
//! # Examples
//!
//! ```
//! use bptt::nn::{Gradient, LstmConfig, RnnConfig};
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! # #[cfg(feature = "flex")] {
//! let device = Device::flex().autodiff();
//! let rnn = RnnConfig::new(3, 5, true).with_gradient(Gradient::Manual).init(&device);
//! let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
//! let (output, [hidden]) = rnn.forward(x, None);
//! assert_eq!((output.dims(), hidden.dims()), ([2, 7, 5], [1, 2, 5]));
//! let gradients = output.powi_scalar(2).mean().backward();
//! let w_h = rnn.layers[0].directions[0].w_h.as_ref().unwrap().val();
//! assert_eq!(w_h.grad(&gradients).unwrap().dims(), [5, 5]);
//!
//! let lstm = LstmConfig::new(3, 5, true).with_layers(2).with_bidirectional(true).init(&device);
//! let x = Tensor::<3>::random([4, 7, 3], Distribution::Default, &device);
//! let (output, [hidden, cell]) = lstm.forward_lengths(x, &[7, 1, 4, 7], None).unwrap();
//! assert_eq!(output.dims(), [4, 7, 10]);
//! assert_eq!((hidden.dims(), cell.dims()), ([4, 4, 5], [4, 4, 5])); // layers × directions, batch, hidden
//! # }
//! ```
//!
//! The IRNN of Le 2015 is an [`RnnConfig`] `.with_activation(Activation::Relu)`,
//! `.with_recurrent_initializer(Some(RecurrentInitializer::Identity { gain: 1.0 }))`,
//! `.with_initializer(Some(Initializer::Normal { mean: 0.0, std: 0.001 }))` and
//! `.with_bias_initializer(Some(Initializer::Zeros))`.
//!
//! [`AnyCell`] is a cell chosen at run time. [`RecurrentConfig::init`] accepts it like any cell, and its states are
//! vectors.
//!
//! # Training and inference
//!
//! As everywhere in Burn, dropout, recurrent dropout and zoneout are active if the input is on an autodiff
//! device. Otherwise dropout does nothing and zoneout takes its expectation. Masks are
//! drawn from the device's random numbers: [`seeded`] repeats them.

mod config;
mod cross_entropy;
mod flow;
mod initial;
mod layer;
mod packing;
mod readout;
mod recurrent;
mod regularisation;
mod seeded;
mod sliding;
mod stack;
mod trace;
pub mod weights;

pub use crate::random::{Random, SeedableRng};
pub use crate::recurrence::AnyCell;
pub use crate::recurrence::truncation::{Truncation, TruncationError};
pub use config::{
    CoupledLstm, CoupledLstmConfig, Gru, GruConfig, IndRnn, IndRnnConfig, Lstm, LstmConfig,
    RecurrentConfig, Rnn, RnnConfig,
};
pub use cross_entropy::cross_entropy;
pub use flow::FlowError;
pub use initial::{RecurrentInitializer, draw};
pub use layer::{DirectionWeights, Layer};
pub use packing::{LengthsError, Packing};
pub use readout::{Readout, ReadoutGradients};
pub use recurrent::{Recurrent, StackCell};
pub use seeded::seeded;
pub use trace::{DirectionGradients, Trace, TraceGradients};

/// How the gradient of a recurrence is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gradient {
    /// The backward walk of [`crate::recurrence::walk`], written by hand.
    #[default]
    Manual,
    /// Burn's autodiff, step by step through the unrolled recurrence: the reference.
    Autodiff,
}

pub use crate::kernel::Precision;

crate::names::names! { Precision, "a precision of products", Full = "f32", Bf16 = "bf16" }

crate::names::names! { Gradient, "a path of the gradient", Manual = "manual", Autodiff = "autodiff" }
