//! A cell is a formula: one step of a recurrence and the step's derivative, both written once
//! over any number-like type.
//!
//! The recursion over time ([`crate::recurrence`]) hands a cell its pre-activations and the
//! state of the step before; the cell answers with the next state. Of time, weights, batches,
//! threads and backends it knows nothing. The same few lines run on `f64`, on dual numbers (which
//! check the derivative against the step, [`dual`]) and on the tensors of every Burn backend.
//!
//! # How to write one
//!
//! Say how many of each there are, per hidden unit, then write the step and, beside it, its
//! derivative. A leaky integrator `h_t = h_{t-1} + ρ ⊙ (tanh(x_t W_x + h_{t-1} W_h + b) − h_{t-1})`
//! with one vector parameter ρ. (`#[inline(always)]` makes the formula part of the kernels, which
//! compile it for each instruction set; without it the results are the same, but slower.)
//!
//! ```
//! use bptt::cell::{Cell, Number, StepGradient, dual};
//!
//! #[derive(Clone, Debug)]
//! struct Leaky;
//!
//! impl Cell for Leaky {
//!     type Gates<V> = [V; 1];
//!     type Apart<V> = [V; 0];
//!     type State<V> = [V; 1];
//!     type Parameters<V> = [V; 1];
//!     type Kept<V> = [V; 1];
//!
//!     fn name(&self) -> String {
//!         "leaky".into()
//!     }
//!
//!     #[inline(always)]
//!     fn step<V: Number>(&self, [a]: [V; 1], []: [V; 0], [h]: [V; 1], [rho]: [V; 1]) -> ([V; 1], [V; 1]) {
//!         let candidate = a.tanh();
//!         ([h.clone() + rho * (candidate.clone() - h)], [candidate])
//!     }
//!
//!     #[inline(always)]
//!     fn derivative<V: Number>(
//!         &self, [dh]: [V; 1], [h]: [V; 1], _: [V; 1], [candidate]: [V; 1], [rho]: [V; 1],
//!     ) -> StepGradient<Self, V> {
//!         StepGradient {
//!             gates: [dh.clone() * rho.clone() * candidate.clone().tanh_slope()],
//!             apart: [],
//!             state: [Some(dh.clone() * rho.times(-1.0).plus(1.0))],
//!             parameters: [dh * (candidate - h)],
//!         }
//!     }
//! }
//!
//! assert!(dual::derivative_error(&Leaky, 100, 7) < 1e-14);
//! ```

mod affine;
mod coupled_lstm;
pub mod dual;
mod elman;
mod gru;
mod ind_rnn;
mod lstm;

pub(crate) use affine::Affine;
pub use coupled_lstm::CoupledLstm;
pub use elman::{Activation, Elman};
pub use gru::Gru;
pub use ind_rnn::IndRnn;
pub use lstm::Lstm;

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::{Add, Mul, Sub};

/// What a formula may do with a number: `+ − ×`, constants, and the activations with their
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

/// A fixed number of values, one of each per hidden unit: `[V; N]`.
pub trait Row<V>: IntoIterator<Item = V> + AsRef<[V]> + AsMut<[V]> {
    /// How many there are.
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

/// Where the pre-activations of a cell get the input's share from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShare {
    /// `A = X W_x + b_x`.
    Product,
    /// `A = X` itself: the input has as many features as the cell has gates times hidden units.
    Elementwise,
}

/// Where the pre-activations of a cell get the recurrent share from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentShare {
    /// `U_t = H_{t-1} W_h + b_h`.
    Product,
    /// None: the cell looks back only through its own state, unit by unit.
    Elementwise,
}

/// One step of a recurrence and its derivative, per hidden unit.
///
/// The associated types say how many there are of each quantity, as `[V; N]`:
///
/// | type | what |
/// |---|---|
/// | `Gates` | pre-activations: `A_t + U_t`, the input's share and the recurrent share together |
/// | `Apart` | the last so many gates keep their halves apart: their `Gates` entry is `A_t` alone, and `Apart` holds their `U_t` (the candidate of a GRU; most cells have none) |
/// | `State` | what goes from step to step. The first is the hidden state: it is the output, and it meets `W_h` |
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

/// How many gates a cell has.
pub const fn gates<C: Cell>() -> usize {
    <C::Gates<()> as Row<()>>::LEN
}

/// How many of a cell's gates keep their recurrent halves apart.
pub const fn apart<C: Cell>() -> usize {
    <C::Apart<()> as Row<()>>::LEN
}

/// How many states a cell carries from step to step.
pub const fn states<C: Cell>() -> usize {
    <C::State<()> as Row<()>>::LEN
}

/// How many vector parameters a cell has.
pub const fn parameters<C: Cell>() -> usize {
    <C::Parameters<()> as Row<()>>::LEN
}

/// How many quantities a step keeps for its derivative.
pub const fn kept<C: Cell>() -> usize {
    <C::Kept<()> as Row<()>>::LEN
}

/// Features of the input of a layer that may choose them: an input that is not multiplied has one for
/// each gate and hidden unit.
pub const fn features<C: Cell>(asked: usize, hidden: usize) -> usize {
    match C::INPUT {
        InputShare::Product => asked,
        InputShare::Elementwise => gates::<C>() * hidden,
    }
}

/// Multiplications of the products of one row and step: `G H (I + H)` where both shares are products.
pub const fn multiplications<C: Cell>(features: usize, hidden: usize) -> usize {
    let input = match C::INPUT {
        InputShare::Product => features,
        InputShare::Elementwise => 0,
    };
    let recurrent = match C::RECURRENT {
        RecurrentShare::Product => hidden,
        RecurrentShare::Elementwise => 0,
    };
    gates::<C>() * hidden * (input + recurrent)
}

/// At least so many weights has a stack of such layers, and it may be more than fit any memory: those of the products,
/// and a number for each unit.
pub fn weights<C: Cell>([features, hidden, layers]: [usize; 3]) -> f64 {
    let [features, hidden, layers] = [features, hidden, layers].map(|size| size as f64);
    let input = match C::INPUT {
        InputShare::Product => features + hidden * (layers - 1.0),
        InputShare::Elementwise => 0.0,
    };
    let recurrent = match C::RECURRENT {
        RecurrentShare::Product => hidden * layers,
        RecurrentShare::Elementwise => 0.0,
    };
    gates::<C>() as f64 * hidden * (input + recurrent) + hidden * layers
}

/// Whether the step looks at its own hidden state unit by unit, beside the recurrent product.
pub fn looks_at_hidden<C: Cell>(cell: &C) -> bool {
    let step = cell.derivative(
        C::State::from_fn(|_| 0.0),
        C::State::from_fn(|_| 0.0),
        C::State::from_fn(|_| 0.0),
        C::Kept::from_fn(|_| 0.0),
        C::Parameters::from_fn(|_| 0.0),
    );
    step.state.as_ref()[0].is_some()
}

/// The cells of this crate, by the names that the command line knows.
pub const NAMES: [&str; 8] =
    ["linear", "elman", "elman-relu", "elman-sigmoid", "gru", "lstm", "lstm-coupled", "ind-rnn"];

/// Something to do with a cell whose type is known only at run time.
pub trait Visitor {
    /// What it returns.
    type Output;

    /// Does it with `cell`.
    fn visit<C: Cell>(self, cell: C) -> Self::Output;
}

/// Hands the cell of that name to the visitor; `None` if no cell has the name.
pub fn visit<V: Visitor>(name: &str, visitor: V) -> Option<V::Output> {
    let elman = |activation| Elman { activation, clip: None };
    Some(match name {
        "linear" => visitor.visit(elman(Activation::Identity)),
        "elman" => visitor.visit(elman(Activation::Tanh)),
        "elman-relu" => visitor.visit(elman(Activation::Relu)),
        "elman-sigmoid" => visitor.visit(elman(Activation::Sigmoid)),
        "gru" => visitor.visit(Gru::default()),
        "lstm" => visitor.visit(Lstm::default()),
        "lstm-coupled" => visitor.visit(CoupledLstm::default()),
        "ind-rnn" => visitor.visit(IndRnn::default()),
        _ => return None,
    })
}
