//! A cell chosen at run time, with everything that the recursion needs: its shape, its formula as a list of operations
//! for tensors, and its compiled formula for the kernels.

use crate::cell::{self, Cell, Program, Shape, cells};
use crate::kernel::Formula;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A cell of any type. Clones share it.
///
/// ```
/// use bptt::cell::Gru;
/// use bptt::recurrence::AnyCell;
///
/// let gru = AnyCell::new(Gru::default());
/// assert_eq!(gru.name(), AnyCell::named("gru").unwrap().name());
/// assert_eq!(gru.shape().gates, 3);
/// ```
#[derive(Clone)]
pub struct AnyCell(Arc<dyn Facts>);

/// The interface of a cell without its type.
trait Facts: Send + Sync {
    fn name(&self) -> String;
    fn gate_names(&self) -> &'static [&'static str];
    fn remembering_gate(&self) -> Option<usize>;
    fn writing_gate(&self) -> Option<usize>;
    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)];
    fn step(&self) -> &Program;
    fn derivative(&self) -> &Program;
    fn single(&self) -> &dyn Formula<f32>;
    fn double(&self) -> &dyn Formula<f64>;
}

struct Recorded<C> {
    cell: C,
    step: Program,
    derivative: Program,
}

impl<C: Cell> Facts for Recorded<C> {
    fn name(&self) -> String {
        self.cell.name()
    }
    fn gate_names(&self) -> &'static [&'static str] {
        self.cell.gate_names()
    }
    fn remembering_gate(&self) -> Option<usize> {
        self.cell.remembering_gate()
    }
    fn writing_gate(&self) -> Option<usize> {
        self.cell.writing_gate()
    }
    fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        self.cell.sigmoid_gates()
    }
    fn step(&self) -> &Program {
        &self.step
    }
    fn derivative(&self) -> &Program {
        &self.derivative
    }
    fn single(&self) -> &dyn Formula<f32> {
        &self.cell
    }
    fn double(&self) -> &dyn Formula<f64> {
        &self.cell
    }
}

macro_rules! compiled_here {
    ($($cell:ident => $module:ident $config:ident $options:tt)*) => {
        /// The cells of this crate. Their kernels are compiled with the crate, so that a user's build need not compile
        /// them again. `None` for a cell from outside.
        fn compiled_here(cell: &dyn Any) -> Option<AnyCell> {
            if let Some(cell) = cell.downcast_ref::<cell::Affine>() {
                return Some(AnyCell::compiled(cell.clone()));
            }
            $(if let Some(cell) = cell.downcast_ref::<cell::$cell>() {
                return Some(AnyCell::compiled(cell.clone()));
            })*
            None
        }

        impl AnyCell {
            /// The cell of this crate with that name, one of [`cell::names`].
            pub fn named(name: &str) -> Option<Self> {
                $(if let Some((_, cell)) = <cell::$cell as cell::Named>::NAMED
                    .iter()
                    .find(|(listed, _)| *listed == name)
                {
                    return Some(Self::new(*cell));
                })*
                None
            }
        }
    };
}
cells!(compiled_here);

impl AnyCell {
    /// The cell without its type.
    pub fn new<C: Cell>(cell: C) -> Self {
        if C::COMPILED {
            compiled_here(&cell)
                .expect("a cell whose kernels are compiled with this crate is listed")
        } else {
            Self::compiled(cell)
        }
    }

    fn compiled<C: Cell>(cell: C) -> Self {
        let (step, derivative) = (Program::step(&cell), Program::derivative(&cell));
        Self(Arc::new(Recorded { cell, step, derivative }))
    }

    /// See [`Cell::name`].
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The number of gates, states and parameters.
    pub fn shape(&self) -> Shape {
        self.0.single().shape()
    }

    /// See [`Cell::gate_names`].
    pub fn gate_names(&self) -> &'static [&'static str] {
        self.0.gate_names()
    }

    /// See [`Cell::remembering_gate`].
    pub fn remembering_gate(&self) -> Option<usize> {
        self.0.remembering_gate()
    }

    /// See [`Cell::writing_gate`].
    pub fn writing_gate(&self) -> Option<usize> {
        self.0.writing_gate()
    }

    /// See [`Cell::sigmoid_gates`].
    pub fn sigmoid_gates(&self) -> &'static [(&'static str, usize)] {
        self.0.sigmoid_gates()
    }

    /// Whether the formula reads the hidden state directly, not only through the recurrent product.
    pub fn looks_at_hidden(&self) -> bool {
        let Shape { gates, apart, .. } = self.shape();
        self.0.derivative().has_output(gates + apart)
    }

    /// [`Cell::step`] as a list of operations.
    pub(crate) fn step(&self) -> &Program {
        self.0.step()
    }

    /// [`Cell::derivative`] as a list of operations.
    pub(crate) fn derivative(&self) -> &Program {
        self.0.derivative()
    }

    /// The formula compiled for the kernels in single precision.
    pub(crate) fn single(&self) -> &dyn Formula<f32> {
        self.0.single()
    }

    /// The formula compiled for the kernels in double precision.
    pub(crate) fn double(&self) -> &dyn Formula<f64> {
        self.0.double()
    }
}

impl fmt::Debug for AnyCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyCell").field(&self.name()).finish()
    }
}
