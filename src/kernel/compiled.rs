//! The walks of this crate's own cells, compiled with this crate.
//!
//! A walk is compiled for its cell, its type of number and each instruction set, which takes a compiler
//! seconds. Whoever uses a cell of this crate finds its walks here, behind one call through a table for
//! each stretch of steps; the walks of a cell from outside are compiled where it is used.

use super::simd::Element;
use super::{
    BackwardWalk, Border, ForwardWalk, Gradients, HiddenStates, Machine, Recurrence, Tape,
    Upstream, Wanted,
};
use crate::cell::{Affine, Cell, CoupledLstm, Elman, Gru, IndRnn, Lstm};
use std::any::Any;
use std::ops::Range;

/// [`ForwardWalk`] of any cell; the functions are those of the same names.
#[allow(missing_docs)]
pub trait ForwardSteps<E: Element> {
    fn over(&mut self, steps: Range<usize>, hidden: HiddenStates<E>, keep: bool)
    -> Option<Tape<E>>;
    fn border(&self) -> Border<E>;
    fn return_to(&mut self, border: &Border<E>);
    fn others(&self) -> Vec<E>;
}

impl<C: Cell, E: Element> ForwardSteps<E> for ForwardWalk<'_, C, E> {
    fn over(
        &mut self,
        steps: Range<usize>,
        hidden: HiddenStates<E>,
        keep: bool,
    ) -> Option<Tape<E>> {
        Self::over(self, steps, hidden, keep)
    }
    fn border(&self) -> Border<E> {
        Self::border(self)
    }
    fn return_to(&mut self, border: &Border<E>) {
        Self::return_to(self, border);
    }
    fn others(&self) -> Vec<E> {
        Self::others(self)
    }
}

/// [`BackwardWalk`] of any cell; the functions are those of the same names.
#[allow(missing_docs)]
pub trait BackwardSteps<E: Element> {
    fn over(&mut self, tape: Tape<E>);
    fn finish(self: Box<Self>) -> Gradients<E>;
}

impl<C: Cell, E: Element> BackwardSteps<E> for BackwardWalk<'_, C, E> {
    fn over(&mut self, tape: Tape<E>) {
        Self::over(self, tape);
    }
    fn finish(self: Box<Self>) -> Gradients<E> {
        Self::finish(*self)
    }
}

/// A type of number for which the walks of this crate's cells are compiled.
pub trait Compiled: Element {
    /// [`ForwardWalk::new`] for a cell of this crate.
    fn forward<'a>(
        machine: Machine,
        cell: &'a dyn Any,
        recurrence: &'a Recurrence<'a, Self>,
    ) -> Box<dyn ForwardSteps<Self> + 'a>;

    /// [`BackwardWalk::new`] for a cell of this crate.
    fn backward<'a>(
        machine: Machine,
        cell: &'a dyn Any,
        recurrence: &'a Recurrence<'a, Self>,
        hidden: &'a [Self],
        upstream: Upstream<'a, Self>,
        wanted: Wanted,
    ) -> Box<dyn BackwardSteps<Self> + 'a>;
}

const LISTED: &str = "a cell with walks compiled here is in the list";

macro_rules! compiled {
    ($($element:ty),+; $cells:tt) => {
        $(compiled!(@ $element; $cells);)+
    };
    (@ $element:ty; [$($cell:ty),+]) => {
        impl Compiled for $element {
            #[inline(never)]
            fn forward<'a>(
                machine: Machine,
                cell: &'a dyn Any,
                recurrence: &'a Recurrence<'a, Self>,
            ) -> Box<dyn ForwardSteps<Self> + 'a> {
                $(if let Some(cell) = cell.downcast_ref::<$cell>() {
                    return Box::new(ForwardWalk::new(machine, cell, recurrence));
                })+
                panic!("{LISTED}")
            }

            #[inline(never)]
            fn backward<'a>(
                machine: Machine,
                cell: &'a dyn Any,
                recurrence: &'a Recurrence<'a, Self>,
                hidden: &'a [Self],
                upstream: Upstream<'a, Self>,
                wanted: Wanted,
            ) -> Box<dyn BackwardSteps<Self> + 'a> {
                $(if let Some(cell) = cell.downcast_ref::<$cell>() {
                    let walk =
                        BackwardWalk::new(machine, cell, recurrence, hidden, upstream, wanted);
                    return Box::new(walk);
                })+
                panic!("{LISTED}")
            }
        }
    };
}

compiled!(f32, f64; [Elman, Gru, Lstm, CoupledLstm, IndRnn, Affine]);

/// [`ForwardWalk::new`].
///
/// # Panics
/// As there.
pub fn begin_forward<'a, C: Cell, E: Compiled>(
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
) -> Box<dyn ForwardSteps<E> + 'a> {
    if C::COMPILED {
        E::forward(machine, cell, recurrence)
    } else {
        Box::new(ForwardWalk::new(machine, cell, recurrence))
    }
}

/// [`BackwardWalk::new`].
///
/// # Panics
/// As there.
pub fn begin_backward<'a, C: Cell, E: Compiled>(
    machine: Machine,
    cell: &'a C,
    recurrence: &'a Recurrence<'a, E>,
    hidden: &'a [E],
    upstream: Upstream<'a, E>,
    wanted: Wanted,
) -> Box<dyn BackwardSteps<E> + 'a> {
    if C::COMPILED {
        E::backward(machine, cell, recurrence, hidden, upstream, wanted)
    } else {
        Box::new(BackwardWalk::new(machine, cell, recurrence, hidden, upstream, wanted))
    }
}
