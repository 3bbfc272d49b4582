//! Recurrent networks for the Burn framework whose backward pass is written by hand.
//!
//! Time is a loop, a cell is a step, and the backward pass is the same loop walked the other way
//! with the step's derivative. Everything else is around that. In the order of the lecture:
//!
//! - [`cell`]: one step of a recurrence and its derivative, side by side, as a formula.
//! - [`recurrence`]: the recursion over time, once for every cell: forward over `t = 1…T`, backward
//!   over `t = T…1`, where the gradient of the output and the gradient of the next step meet.
//! - [`kernel`]: the same recursion over plain slices, fast on a CPU.
//! - [`nn`]: Burn modules. [`nn::Gradient`] chooses who writes the derivative: this crate, or Burn's
//!   autodiff.
//! - [`gradcheck`]: three gradients side by side, by hand, by autodiff, by central differences.
//! - [`random`] is what everything is drawn from, [`files`] writes whole files or none, [`backend`] turns a name
//!   into a Burn device.
//!
//! That is what `default-features = false, features = ["flex"]` (or `ndarray`) brings: what a model of your own needs.
//! With the feature `train`:
//!
//! - `data`: series and texts from files, generated tasks.
//! - `model`: what the commands train, a recurrence with a readout.
//! - `train`: the loops, the folder of a run, checkpoints, and optimizers that Burn lacks.
//!
//! With the feature `plot`, `plot` draws pictures and pages. With both, `report` writes the page of a run. The feature
//! `cli` is the program, and brings both.
//!
//! ```
//! use bptt::nn::RnnConfig;
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! let device = Device::default().autodiff();
//! let rnn = RnnConfig::new(3, 5, true).init(&device);
//! let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
//! let (output, _last) = rnn.forward(x, None);
//! let gradients = output.mean().backward(); // by hand, through all 7 steps
//! let w_h = rnn.layers[0].directions[0].w_h.as_ref().unwrap().val();
//! assert_eq!(w_h.grad(&gradients).unwrap().dims(), [5, 5]);
//! ```
#![warn(missing_docs)]

pub mod backend;
pub mod cell;
#[cfg(feature = "train")]
pub mod data;
pub mod files;
pub mod gradcheck;
mod host;
pub mod kernel;
#[cfg(feature = "train")]
pub mod model;
mod names;
pub mod nn;
#[cfg(feature = "plot")]
pub mod plot;
pub mod printable;
pub mod random;
pub mod recurrence;
#[cfg(all(feature = "train", feature = "plot"))]
pub mod report;
#[cfg(feature = "train")]
pub mod train;

pub use host::host;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub struct Readme;

#[doc = include_str!("../docs/extending.md")]
#[cfg(all(doctest, feature = "train"))]
pub struct Extending;
