//! The recursion over time, written once for every cell: [`walk`].
//!
//! `op` makes it one Burn operation, with the hand-written walk as its backward pass. [`truncation`]
//! chooses where the gradient stops, [`budget`] which steps are kept and which are computed again, and [`flow`]
//! measures the gradient on its way.

// burn-ndarray is deprecated in favour of burn-flex; it is served here as long as Burn has it.
#![allow(deprecated)]

mod any_cell;
pub mod budget;
pub(crate) mod cross_entropy;
pub mod flow;
pub(crate) mod host;
pub(crate) mod kernels;
#[cfg(feature = "flex")]
mod lent;
mod matrix;
mod normalisation;
pub(crate) mod op;
pub(crate) mod placement;
pub(crate) mod replay;
pub mod truncation;
pub mod walk;

pub use crate::kernel::Timeline;
pub use any_cell::AnyCell;
pub use matrix::{BackendMatrix, Matrix};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType};

/// An operand that may be absent.
#[derive(Clone, Debug, ExtensionType)]
pub enum Operand<B: Backend> {
    /// The tensor.
    Given(FloatTensor<B>),
    /// No tensor: no bias, or a zero initial state.
    Absent,
}

impl<B: Backend> Operand<B> {
    fn from_option(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::Absent, Self::Given)
    }

    fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
}

macro_rules! operands {
    ($($(#[$about:meta])* $name:ident),* $(,)?) => {
        /// The operands of a recurrence, one `T` for each. The letters are those of [`walk`].
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Operands<T> {
            $($(#[$about])* pub $name: T,)*
        }

        /// How many operands a recurrence has.
        pub const OPERANDS: usize = [$(stringify!($name)),*].len();

        impl<T> Operands<T> {
            /// The operands in a row.
            pub fn into_array(self) -> [T; OPERANDS] {
                let Self { $($name),* } = self;
                [$($name),*]
            }

            /// The reverse of [`Operands::into_array`].
            pub fn from_array(array: [T; OPERANDS]) -> Self {
                let [$($name),*] = array;
                Self { $($name),* }
            }

            /// The operands by reference.
            pub fn each_ref(&self) -> Operands<&T> {
                let Self { $($name),* } = self;
                Operands { $($name),* }
            }

            /// Each operand through a function.
            pub fn map<U>(self, f: impl FnMut(T) -> U) -> Operands<U> {
                Operands::from_array(self.into_array().map(f))
            }
        }

        /// The [`Operands`] of a recurrence as primitives of the backend `B`.
        #[derive(Clone, Debug, ExtensionType)]
        pub struct BackendOperands<B: Backend> {
            $(#[extension_type] $name: Operand<B>,)*
        }

        impl<B: Backend> From<Operands<Option<FloatTensor<B>>>> for BackendOperands<B> {
            fn from(operands: Operands<Option<FloatTensor<B>>>) -> Self {
                let Operands { $($name),* } = operands;
                Self { $($name: Operand::from_option($name)),* }
            }
        }

        impl<B: Backend> From<BackendOperands<B>> for Operands<Option<FloatTensor<B>>> {
            fn from(operands: BackendOperands<B>) -> Self {
                let BackendOperands { $($name),* } = operands;
                Self { $($name: $name.into_option()),* }
            }
        }
    };
}

operands! {
    /// `X`, packed: `[steps, features]`.
    input,
    /// The states before the first step side by side, hidden first: `[batch, output + …]`.
    initial,
    /// `W_x`: `[features, gates × hidden]`.
    w_x,
    /// `W_h`: `[hidden, gates × hidden]`.
    w_h,
    /// `b_x`: `[1, gates × hidden]`.
    b_x,
    /// `b_h`: `[1, gates × hidden]`.
    b_h,
    /// The vector parameters, one per row: `[parameters, hidden]`.
    parameters,
    /// `W_p`, the projection of the hidden state: `[hidden, output]`.
    w_p,
    /// `g_x`, the gain of the normalised product of the input: `[1, gates × hidden]`.
    gain_x,
    /// `g_h`, the gain of the normalised product of the hidden state: `[1, gates × hidden]`.
    gain_h,
    /// `m`, the mask of the recurrent dropout: `[batch, output]`. It has no gradient.
    recurrent_mask,
    /// `z`, the share of each old state that zoneout keeps: `[steps, output + …]`, or one row for all steps.
    /// It has no gradient.
    zoneout,
}
