//! A cell is a formula: one step of a recurrence and the step's derivative, both written once
//! over any number-like type.
//!
//! The recursion over time ([`crate::recurrence`]) gives a cell its pre-activations and the
//! state of the step before, and the cell returns the next state. It knows nothing of time, weights, batches,
//! threads and backends. The same few lines run on `f64`, on dual numbers (which
//! check the derivative against the step, [`dual`]) and on the tensors of every Burn backend.
//!
//! # How to write one
//!
//! Declare how many of each quantity there are per hidden unit, then write the step and its derivative side by
//! side (`examples/custom_cell.rs`). A leaky integrator `h_t = h_{t-1} + ρ ⊙ (tanh(x_t W_x + h_{t-1} W_h + b) − h_{t-1})`
//! with one vector parameter ρ. (`#[inline(always)]` makes the formula part of the kernels, which
//! compile it for each instruction set; without it the results are the same, but slower.)
//!
//! ```no_run
#![doc = include_str!("../../examples/custom_cell.rs")]
//! ```

mod affine;
mod coupled_lstm;
pub mod dual;
mod elman;
mod gru;
mod ind_rnn;
mod lstm;
mod program;
mod shape;

pub(crate) use affine::Affine;
pub use coupled_lstm::CoupledLstm;
pub use elman::{Activation, Elman};
pub use gru::Gru;
pub use ind_rnn::IndRnn;
pub use lstm::Lstm;
pub(crate) use program::Program;
pub use shape::Shape;

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::{Add, Mul, Sub};

/// The operations of a formula on a number: `+ − ×`, constants, and the activations with their
/// slopes expressed by the activation's own output.
pub trait Number: Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// `self + constant`.
    fn plus(self, constant: f64) -> Self;
    /// `self × constant`.
    fn times(self, constant: f64) -> Self;
    /// `1 / (1 + e^{−self})`.
    fn sigmoid(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// `max(self, 0)`.
    fn relu(self) -> Self;
    /// 1 where `self > 0`, else 0: the slope of [`Number::relu`] by its output.
    fn positive(self) -> Self;
    /// `self` kept between `−bound` and `bound`.
    fn clip(self, bound: f64) -> Self;
    /// 1 where `|self| < bound`, else 0: the slope of [`Number::clip`] by its output.
    fn within(self, bound: f64) -> Self;

    /// The slope of the sigmoid by its output: for `s = sigmoid(a)`, `ds/da = s (1 − s)`.
    #[inline(always)]
    fn sigmoid_slope(self) -> Self {
        self.clone() * self.times(-1.0).plus(1.0)
    }

    /// The slope of tanh by its output: for `h = tanh(a)`, `dh/da = 1 − h²`.
    #[inline(always)]
    fn tanh_slope(self) -> Self {
        (self.clone() * self).times(-1.0).plus(1.0)
    }
}

impl Number for f64 {
    fn plus(self, constant: f64) -> Self {
        self + constant
    }
    fn times(self, constant: f64) -> Self {
        self * constant
    }
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + (-self).exp())
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn relu(self) -> Self {
        self.max(0.0)
    }
    fn positive(self) -> Self {
        f64::from(self > 0.0)
    }
    fn clip(self, bound: f64) -> Self {
        self.clamp(-bound, bound)
    }
    fn within(self, bound: f64) -> Self {
        f64::from(self.abs() < bound)
    }
}

/// A state kept between `−bound` and `bound`, if there is a bound.
#[inline(always)]
fn clipped<V: Number>(state: V, bound: Option<f64>) -> V {
    match bound {
        Some(bound) => state.clip(bound),
        None => state,
    }
}

/// The gradient that passes [`clipped`], by its output.
#[inline(always)]
fn clipped_back<V: Number>(gradient: V, state: V, bound: Option<f64>) -> V {
    match bound {
        Some(bound) => gradient * state.within(bound),
        None => gradient,
    }
}

mod sealed {
    /// Rows are arrays and nothing else: the kernels rely on their lengths.
    pub trait Sealed {}
    impl<V, const N: usize> Sealed for [V; N] {}
}

/// A fixed number of values, one of each per hidden unit: `[V; N]`, and no other type.
///
/// A type from outside is no row, for the kernels read and write as many values as [`Row::LEN`] says:
///
/// ```compile_fail,E0277
/// #[derive(Clone)]
/// struct Liar<V>(Vec<V>);
/// impl<V> AsRef<[V]> for Liar<V> {
///     fn as_ref(&self) -> &[V] {
///         &self.0
///     }
/// }
/// impl<V> AsMut<[V]> for Liar<V> {
///     fn as_mut(&mut self) -> &mut [V] {
///         &mut self.0
///     }
/// }
/// impl<V> IntoIterator for Liar<V> {
///     type Item = V;
///     type IntoIter = std::vec::IntoIter<V>;
///     fn into_iter(self) -> Self::IntoIter {
///         self.0.into_iter()
///     }
/// }
/// impl<V> bptt::cell::Row<V> for Liar<V> {
///     const LEN: usize = 1000;
///     fn from_fn(value: impl FnMut(usize) -> V) -> Self {
///         Self(Vec::from_iter((0..1).map(value)))
///     }
/// }
/// ```
pub trait Row<V>: IntoIterator<Item = V> + AsRef<[V]> + AsMut<[V]> + sealed::Sealed {
    /// The number of values.
    const LEN: usize;

    /// Makes the row from a function of the position.
    fn from_fn(value: impl FnMut(usize) -> V) -> Self;
}

impl<V, const N: usize> Row<V> for [V; N] {
    const LEN: usize = N;

    #[inline(always)]
    fn from_fn(mut value: impl FnMut(usize) -> V) -> Self {
        // As `std::array::from_fn`, but surely a part of the caller: the kernels need that.
        let mut row = [const { MaybeUninit::uninit() }; N];
        for (i, place) in row.iter_mut().enumerate() {
            place.write(value(i));
        }
        // SAFETY: every place has been written, and places lie as the values do.
        unsafe { (&raw const row).cast::<[V; N]>().read() }
    }
}

/// The input's part of the pre-activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShare {
    /// `A = X W_x + b_x`.
    Product,
    /// `A = X` itself: the input has as many features as the cell has gates times hidden units.
    Elementwise,
}

/// The recurrent part of the pre-activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentShare {
    /// `U_t = H_{t-1} W_h + b_h`.
    Product,
    /// None: each unit of the cell depends only on its own state.
    Elementwise,
}

/// One step of a recurrence and its derivative, per hidden unit.
///
/// The associated types give the number of each quantity, as `[V; N]`:
///
/// | type | what |
/// |---|---|
/// | `Gates` | pre-activations: `A_t + U_t`, the input's share and the recurrent share together |
/// | `Apart` | for the last A gates, the input and recurrent parts arrive separately: `Gates` has only `A_t`, and `Apart` holds `U_t` (the candidate of a GRU; most cells have none) |
/// | `State` | the values carried from step to step. The first is the hidden state: it is the output, and `W_h` multiplies it |
/// | `Parameters` | learned vectors of one value a hidden unit |
/// | `Kept` | what the derivative needs beside the states before and after the step |
pub trait Cell: Clone + Debug + Send + Sync + 'static {
    /// Pre-activations, `[V; G]`.
    type Gates<V>: Row<V>;
    /// Recurrent halves of the last gates, `[V; A]`.
    type Apart<V>: Row<V>;
    /// The state, `[V; S]`, hidden first.
    type State<V>: Row<V>;
    /// Vector parameters, `[V; P]`.
    type Parameters<V>: Row<V>;
    /// What a step keeps for its derivative, `[V; K]`.
    type Kept<V>: Row<V>;

    /// The input's share of the pre-activations.
    const INPUT: InputShare = InputShare::Product;
    /// The recurrent share of the pre-activations.
    const RECURRENT: RecurrentShare = RecurrentShare::Product;

    /// Whether the kernels of this cell are compiled with this crate: those of a cell from outside are
    /// not.
    #[doc(hidden)]
    const COMPILED: bool = false;

    /// The name by which tables and messages call this cell.
    fn name(&self) -> String;

    /// The gates' names in order, if they have any.
    fn gate_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// The position of the gate that keeps the old state where it is 1, if there is one alone: the LSTM's
    /// forget gate, the GRU's update gate.
    fn remembering_gate(&self) -> Option<usize> {
        None
    }

    /// The position of the gate that lets the input into the state, where it is another one: the LSTM's
    /// input gate.
    fn writing_gate(&self) -> Option<usize> {
        None
    }

    /// What is kept of the gates between 0 and 1: their names, and their positions in `Kept`.
    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        &[]
    }

    /// `(S_t, kept) = step(A_t + U_t, S_{t-1})`.
    fn step<V: Number>(
        &self,
        gates: Self::Gates<V>,
        apart: Self::Apart<V>,
        before: Self::State<V>,
        parameters: Self::Parameters<V>,
    ) -> (Self::State<V>, Self::Kept<V>);

    /// From `∂L/∂S_t`, the gradient of everything the step was given.
    fn derivative<V: Number>(
        &self,
        gradient: Self::State<V>,
        before: Self::State<V>,
        after: Self::State<V>,
        kept: Self::Kept<V>,
        parameters: Self::Parameters<V>,
    ) -> StepGradient<Self, V>;
}

/// The gradient of a loss with respect to each input of [`Cell::step`].
pub struct StepGradient<C: Cell, V> {
    /// `∂L/∂` pre-activations.
    pub gates: C::Gates<V>,
    /// `∂L/∂` recurrent halves of the gates that keep them apart.
    pub apart: C::Apart<V>,
    /// `∂L/∂S_{t-1}` unit by unit, without the way through `W_h`; `None` where the step does not
    /// look at that state.
    pub state: C::State<Option<V>>,
    /// `∂L/∂` vector parameters.
    pub parameters: C::Parameters<V>,
}

/// The cells of this crate: the one list from which the names, the compiled kernels and the modules' configurations
/// follow. For each there is its type, the name of the module that is a stack of it, and the options of the cell in the
/// module's configuration, which are the fields of the type.
macro_rules! cells {
    ($then:ident) => {
        $then! {
            Elman => Rnn RnnConfig {
                /// The activation σ.
                #[config(default = "Activation::Tanh")]
                activation: [Activation],
                /// Keeps the hidden state between `−clip` and `clip`.
                clip: [Option<f64>],
            }
            Gru => Gru GruConfig {
                /// Keeps the hidden state between `−clip` and `clip`.
                clip: [Option<f64>],
            }
            Lstm => Lstm LstmConfig {
                /// Keeps the cell state between `−clip` and `clip`.
                clip: [Option<f64>],
            }
            CoupledLstm => CoupledLstm CoupledLstmConfig {
                /// Keeps the cell state between `−clip` and `clip`.
                clip: [Option<f64>],
            }
            IndRnn => IndRnn IndRnnConfig {
                /// The activation σ.
                #[config(default = "Activation::Relu")]
                activation: [Activation],
            }
        }
    };
}
pub(crate) use cells;

/// A cell type of this crate and the cells of it that have a name, which is [`Cell::name`].
pub(crate) trait Named: Cell {
    /// Names and cells.
    const NAMED: &'static [(&'static str, Self)];
}

macro_rules! names {
    ($($cell:ident => $module:ident $config:ident $options:tt)*) => {
        /// The names of this crate's cells, as tables, messages and the command line call them.
        pub fn names() -> impl Iterator<Item = &'static str> + Clone {
            [].into_iter()$(.chain($cell::NAMED.iter().map(|(name, _)| *name)))*
        }
    };
}
cells!(names);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_has_the_name_that_it_is_listed_by() {
        macro_rules! hold {
            ($($cell:ident => $module:ident $config:ident $options:tt)*) => {
                $(for (name, cell) in $cell::NAMED {
                    assert_eq!(cell.name(), *name);
                    const { assert!($cell::COMPILED, "a listed cell is compiled with the crate") }
                })*
            };
        }
        cells!(hold);
        let mut all: Vec<&str> = names().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), names().count(), "two cells have one name");
    }
}
