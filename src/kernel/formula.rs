//! The cell's formula on a panel of hidden units, for some rows: all of the kernels that depends on the cell, compiled for
//! each instruction set. The walk around it is compiled once for all cells.

use super::lanes::Lanes;
use super::simd::{Element, InstructionSet, Simd, Work};
use crate::cell::{Cell, Row, Shape};
use std::fmt::Debug;

/// The step of some rows on one panel: where its numbers lie. A quantity's units lie one after the other, and the next
/// quantity of the same row `padded` numbers further on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepRows<E> {
    pub rows: usize,
    /// Units of the panel; its last register may be wider.
    pub columns: usize,
    pub padded: usize,
    /// Pre-activations, and the halves that stay apart.
    pub a: *const E,
    pub a_row: usize,
    pub u: *const E,
    pub u_row: usize,
    /// `H_{t-1}`; null where it is zero.
    pub hidden_before: *const E,
    pub hidden_before_row: usize,
    /// The other states, which the step replaces.
    pub others: *mut E,
    pub others_row: usize,
    pub parameters: *const E,
    /// Where `H_t` goes; null where it is there already.
    pub hidden: *mut E,
    pub hidden_row: usize,
    /// Where the tape has the other states and what the step keeps; null without a tape.
    pub tape_others: *mut E,
    pub kept: *mut E,
    pub kept_row: usize,
}

/// The derivative of some rows on one panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DerivativeRows<E> {
    pub rows: usize,
    pub columns: usize,
    pub padded: usize,
    /// What the step after hands back to the states, which the derivative replaces by what this step hands back.
    pub carried: *mut E,
    pub carried_row: usize,
    /// `dO_t`; null where it is zero.
    pub d_output: *const E,
    /// `H_t`, and `H_{t-1}`, which is null where it is zero.
    pub hidden: *const E,
    pub hidden_row: usize,
    pub hidden_before: *const E,
    pub hidden_before_row: usize,
    /// The other states after and before the step.
    pub others_after: *const E,
    pub others_before: *const E,
    pub others_row: usize,
    pub kept: *const E,
    pub kept_row: usize,
    pub parameters: *const E,
    /// Where dA and dU go; dA may take the place of what the step keeps.
    pub a: *mut E,
    pub a_row: usize,
    pub u: *mut E,
    pub u_row: usize,
    /// The sums of the vector parameters' gradients.
    pub d_parameters: *mut E,
    pub d_parameters_row: usize,
}

/// A cell's formula for numbers of the type `E`.
pub(crate) trait Formula<E: Element>: Debug + Send + Sync {
    /// How many of each quantity there are.
    fn shape(&self) -> Shape;

    /// The step.
    ///
    /// # Safety
    /// All that the rows name must lie in memory that may be read, and what the step makes in memory that may be written,
    /// for as many quantities as the shape says; the panel is `registers` (1 or 2) wide.
    unsafe fn step_rows(&self, set: InstructionSet, registers: usize, rows: &StepRows<E>);

    /// The derivative.
    ///
    /// # Safety
    /// As [`Formula::step_rows`].
    unsafe fn derivative_rows(
        &self,
        set: InstructionSet,
        registers: usize,
        rows: &DerivativeRows<E>,
    );
}

impl<C: Cell, E: Element> Formula<E> for C {
    fn shape(&self) -> Shape {
        Shape::of::<C>()
    }

    unsafe fn step_rows(&self, set: InstructionSet, registers: usize, rows: &StepRows<E>) {
        E::run(set, OnPanel { registers, what: Step { cell: self, rows } });
    }

    unsafe fn derivative_rows(
        &self,
        set: InstructionSet,
        registers: usize,
        rows: &DerivativeRows<E>,
    ) {
        E::run(set, OnPanel { registers, what: Derivative { cell: self, rows } });
    }
}

/// What is done with the rows, one after the other.
trait RowByRow<E: Element> {
    /// # Safety
    /// As [`Formula::step_rows`], on a panel of `N` registers.
    unsafe fn on_panel<I: Simd<E>, const N: usize>(&self);
}

struct OnPanel<W> {
    registers: usize,
    what: W,
}

impl<E: Element, W: RowByRow<E>> Work<E> for OnPanel<W> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        // SAFETY: both methods of `Formula` pass their caller's promise on.
        unsafe {
            match self.registers {
                2 => self.what.on_panel::<I, 2>(),
                _ => self.what.on_panel::<I, 1>(),
            }
        }
    }
}

struct Step<'a, C, E> {
    cell: &'a C,
    rows: &'a StepRows<E>,
}

impl<C: Cell, E: Element> RowByRow<E> for Step<'_, C, E> {
    #[inline(always)]
    unsafe fn on_panel<I: Simd<E>, const N: usize>(&self) {
        let StepRows { columns, padded, .. } = *self.rows;
        let at = self.rows;
        // SAFETY: what the caller promises.
        unsafe {
            for r in 0..at.rows {
                let others = at.others.add(r * at.others_row);
                let mut state = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                if !at.hidden_before.is_null() {
                    let from = at.hidden_before.add(r * at.hidden_before_row);
                    state.as_mut()[0] = Lanes::load_part(from, columns);
                }
                for (s, state) in state.as_mut()[1..].iter_mut().enumerate() {
                    *state = Lanes::load(others.add(s * padded));
                }
                let (after, kept) = self.cell.step(
                    Lanes::load_row(at.a.add(r * at.a_row), padded),
                    Lanes::load_row(at.u.wrapping_add(r * at.u_row), padded),
                    state,
                    Lanes::load_row(at.parameters, padded),
                );
                let after = after.as_ref();
                if !at.hidden.is_null() {
                    after[0].store_part(at.hidden.add(r * at.hidden_row), columns);
                }
                for (s, state) in after[1..].iter().enumerate() {
                    state.store(others.add(s * padded));
                }
                if !at.kept.is_null() {
                    let others = at.tape_others.wrapping_add(r * at.others_row);
                    for (s, state) in after[1..].iter().enumerate() {
                        state.store(others.add(s * padded));
                    }
                    Lanes::store_row(at.kept.add(r * at.kept_row), padded, kept);
                }
            }
        }
    }
}

struct Derivative<'a, C, E> {
    cell: &'a C,
    rows: &'a DerivativeRows<E>,
}

impl<C: Cell, E: Element> RowByRow<E> for Derivative<'_, C, E> {
    #[inline(always)]
    unsafe fn on_panel<I: Simd<E>, const N: usize>(&self) {
        let DerivativeRows { columns, padded, .. } = *self.rows;
        let at = self.rows;
        // SAFETY: what the caller promises.
        unsafe {
            for r in 0..at.rows {
                let carried = at.carried.add(r * at.carried_row);
                let mut gradient: C::State<Lanes<E, I, N>> = Lanes::load_row(carried, padded);
                if !at.d_output.is_null() {
                    let source_1 = Lanes::load_part(at.d_output.add(r * at.hidden_row), columns);
                    gradient.as_mut()[0] = source_1 + gradient.as_ref()[0];
                }
                let mut before = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                let mut after = C::State::from_fn(|_| Lanes::<E, I, N>::splat(0.0));
                let hidden = at.hidden.add(r * at.hidden_row);
                after.as_mut()[0] = Lanes::load_part(hidden, columns);
                if !at.hidden_before.is_null() {
                    let from = at.hidden_before.add(r * at.hidden_before_row);
                    before.as_mut()[0] = Lanes::load_part(from, columns);
                }
                for s in 1..const { Shape::of::<C>().states } {
                    let place = r * at.others_row + (s - 1) * padded;
                    after.as_mut()[s] = Lanes::load(at.others_after.add(place));
                    before.as_mut()[s] = Lanes::load(at.others_before.add(place));
                }
                let step = self.cell.derivative(
                    gradient,
                    before,
                    after,
                    Lanes::load_row(at.kept.add(r * at.kept_row), padded),
                    Lanes::load_row(at.parameters, padded),
                );
                Lanes::store_row(at.a.add(r * at.a_row), padded, step.gates);
                Lanes::store_row(at.u.wrapping_add(r * at.u_row), padded, step.apart);
                for (s, state) in step.state.as_ref().iter().enumerate() {
                    let state = match state {
                        Some(state) => *state,
                        None => Lanes::splat(0.0),
                    };
                    state.store(carried.add(s * padded));
                }
                let sums = at.d_parameters.wrapping_add(r * at.d_parameters_row);
                for (p, d) in step.parameters.as_ref().iter().enumerate() {
                    let sum = sums.add(p * padded);
                    (Lanes::load(sum) + *d).store(sum);
                }
            }
        }
    }
}
