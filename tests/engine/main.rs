//! The recurrence and its modules: against definitions, autodiff, differences, PyTorch and burn-nn, on every backend of
//! the build.

mod burn_parity;
mod examples;
mod flow;
mod gradients;
mod layers;
mod manual_path;
mod outside_cell;
mod pytorch_parity;
mod rounding;
mod sliding;
mod truncation;
