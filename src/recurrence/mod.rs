//! The recursion over time, written once for every cell: [`walk`].
//!
//! [`op`] makes one Burn operation of it, with the hand-written walk as its backward pass.

// burn-ndarray is deprecated in favour of burn-flex; it is served here as long as Burn has it.
#![allow(deprecated)]

mod matrix;
mod normalisation;
pub mod op;
pub mod slices;
mod timeline;
pub mod walk;

pub use matrix::{BackendMatrix, Matrix};
pub use timeline::Timeline;

/// What a recurrence is computed from, one `T` for each; the letters are those of [`walk`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Operands<T> {
    /// `X`, packed: `[steps, features]`.
    pub input: T,
    /// The states before the first step beside each other, hidden first: `[batch, output + …]`.
    pub initial: T,
    /// `W_x`: `[features, gates × hidden]`.
    pub w_x: T,
    /// `W_h`: `[hidden, gates × hidden]`.
    pub w_h: T,
    /// `b_x`: `[1, gates × hidden]`.
    pub b_x: T,
    /// `b_h`: `[1, gates × hidden]`.
    pub b_h: T,
    /// The vector parameters below each other: `[parameters, hidden]`.
    pub parameters: T,
    /// `W_p`, the projection of the hidden state: `[hidden, output]`.
    pub w_p: T,
    /// `g_x`, the gain of the normalised product of the input: `[1, gates × hidden]`.
    pub gain_x: T,
    /// `g_h`, the gain of the normalised product of the hidden state: `[1, gates × hidden]`.
    pub gain_h: T,
    /// `m`, the mask of the recurrent dropout: `[batch, output]`. It has no gradient.
    pub recurrent_mask: T,
    /// `z`, the share of each old state that stays: `[steps, output + …]`, or one row for all steps.
    /// It has no gradient.
    pub zoneout: T,
}

/// How many operands a recurrence has.
pub const OPERANDS: usize = 12;

impl<T> Operands<T> {
    /// The operands in a row.
    pub fn into_array(self) -> [T; OPERANDS] {
        let Self { input, initial, w_x, w_h, b_x, b_h, parameters, .. } = self;
        let Self { w_p, gain_x, gain_h, recurrent_mask, zoneout, .. } = self;
        [
            input,
            initial,
            w_x,
            w_h,
            b_x,
            b_h,
            parameters,
            w_p,
            gain_x,
            gain_h,
            recurrent_mask,
            zoneout,
        ]
    }

    /// The reverse of [`Operands::into_array`].
    pub fn from_array(array: [T; OPERANDS]) -> Self {
        let [
            input,
            initial,
            w_x,
            w_h,
            b_x,
            b_h,
            parameters,
            w_p,
            gain_x,
            gain_h,
            recurrent_mask,
            zoneout,
        ] = array;
        Self {
            input,
            initial,
            w_x,
            w_h,
            b_x,
            b_h,
            parameters,
            w_p,
            gain_x,
            gain_h,
            recurrent_mask,
            zoneout,
        }
    }

    /// The operands by reference.
    pub fn each_ref(&self) -> Operands<&T> {
        let Self { input, initial, w_x, w_h, b_x, b_h, parameters, .. } = self;
        let Self { w_p, gain_x, gain_h, recurrent_mask, zoneout, .. } = self;
        Operands {
            input,
            initial,
            w_x,
            w_h,
            b_x,
            b_h,
            parameters,
            w_p,
            gain_x,
            gain_h,
            recurrent_mask,
            zoneout,
        }
    }

    /// Each operand through a function.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Operands<U> {
        Operands::from_array(self.into_array().map(f))
    }
}
