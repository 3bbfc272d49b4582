//! The recursion over time, written once for every cell: [`walk`].
//!
//! [`op`] makes one Burn operation of it, with the hand-written walk as its backward pass.

mod matrix;
pub mod op;
mod timeline;
pub mod walk;

pub use matrix::{BackendMatrix, Matrix};
pub use timeline::Timeline;

/// What a recurrence is computed from, one `T` for each; the letters are those of [`walk`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Operands<T> {
    /// `X`, packed: `[steps, features]`.
    pub input: T,
    /// The states before the first step beside each other, hidden first: `[batch, states × hidden]`.
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
}

/// How many operands a recurrence has.
pub const OPERANDS: usize = 7;

/// The names of the operands, in the order of [`Operands::into_array`].
pub const OPERAND_NAMES: [&str; OPERANDS] =
    ["x", "initial", "w_x", "w_h", "b_x", "b_h", "parameters"];

impl<T> Operands<T> {
    /// The operands in a row.
    pub fn into_array(self) -> [T; OPERANDS] {
        [self.input, self.initial, self.w_x, self.w_h, self.b_x, self.b_h, self.parameters]
    }

    /// The reverse of [`Operands::into_array`].
    pub fn from_array([input, initial, w_x, w_h, b_x, b_h, parameters]: [T; OPERANDS]) -> Self {
        Self { input, initial, w_x, w_h, b_x, b_h, parameters }
    }

    /// Each operand through a function.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Operands<U> {
        Operands::from_array(self.into_array().map(f))
    }
}
