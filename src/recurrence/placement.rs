//! Brings the rows of a matrix into another order, as one operation whose derivative is the inverse.
//!
//! The derivative of Burn's `select` is a scattered addition, because `select` may take a row twice. If each
//! row goes to at most one place, the derivative is the reverse placement.

use super::op::RecurrenceBackend;
use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use std::sync::Arc;

/// The new places of a matrix's rows. Each row of the source goes to at most one place.
#[derive(Clone, Debug)]
pub struct Placement {
    /// For each row of the result the row of the source, or [`Placement::NOWHERE`].
    pub(super) from: Arc<[usize]>,
    /// For each row of the source the row of the result, or [`Placement::NOWHERE`].
    to: Arc<[usize]>,
}

impl Placement {
    /// Stands for no row: a row of zeros in the result, or a row of the source that is left out.
    pub const NOWHERE: usize = usize::MAX;

    /// The placement that takes row `from[i]` of `rows` to row `i`.
    pub fn new(from: Vec<usize>, rows: usize) -> Self {
        let mut to = vec![Self::NOWHERE; rows];
        for (row, &source) in from.iter().enumerate().filter(|&(_, &row)| row != Self::NOWHERE) {
            to[source] = row;
        }
        Self { from: from.into(), to: to.into() }
    }

    /// The inverse, which is also the derivative.
    pub fn reversed(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone() }
    }
}

/// The rows of the matrix in their places.
pub fn place(placement: &Placement, matrix: Tensor<2>) -> Tensor<2> {
    let placed = <Dispatch as RecurrenceBackend>::place(placement.clone(), matrix.into_dispatch());
    Tensor::from_dispatch(placed)
}

#[derive(Debug)]
pub(super) struct PlaceBackward;

impl<B: RecurrenceBackend> Backward<B, 1> for PlaceBackward {
    type State = Placement;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        if let [Some(parent)] = ops.parents {
            gradients.register::<B>(parent.id, B::place(ops.state.reversed(), gradient));
        }
    }
}
