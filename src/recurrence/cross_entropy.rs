//! The cross entropy of a softmax as one operation, which also computes its derivative:
//!
//! ```text
//! L_t = −ln softmax(O_t)[x_t]        ∂L_t/∂O_t = softmax(O_t) − onehot(x_t)
//! ```

use super::op::RecurrenceBackend;
use super::{BackendMatrix, Matrix};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, TensorMetadata};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};

/// The result of the operation.
#[derive(Clone, Debug, ExtensionType)]
pub struct Losses<B: Backend> {
    /// `L`: `[rows, 1]`.
    pub losses: FloatTensor<B>,
    /// `∂L/∂O`: `[rows, classes]`. It carries no gradient.
    pub d_logits: FloatTensor<B>,
}

/// The loss `L_t` of each row of logits `O`, `[rows, classes]`, against its class `x_t`: `[rows]`.
pub fn manual(logits: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let logits = logits.into_dispatch();
    let found = <Dispatch as RecurrenceBackend>::cross_entropy(targets.into(), logits);
    Tensor::<2>::from_dispatch(found.losses).reshape([targets.len()])
}

/// The same in Burn's operations, so that Burn differentiates each of them: the reference for [`manual`].
pub fn autodiff(logits: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let (losses, _) = by_tensors::<Dispatch>(targets, logits.into_dispatch());
    Tensor::<2>::from_dispatch(losses).reshape([targets.len()])
}

#[derive(Debug)]
pub(super) struct CrossEntropyBackward;

impl<B: RecurrenceBackend> Backward<B, 1> for CrossEntropyBackward {
    /// `∂L/∂O`.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        if let [Some(parent)] = ops.parents {
            gradients.register::<B>(parent.id, B::float_mul(ops.state, upstream));
        }
    }
}

/// The losses and `∂L/∂O` in the backend's own operations.
pub(super) fn by_tensors<B: Backend>(
    targets: &[u32],
    logits: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let [rows, classes] = BackendMatrix::<B>(logits.clone()).shape();
    let mut one_hot = vec![0f32; rows * classes];
    for (row, &target) in one_hot.chunks_exact_mut(classes).zip(targets) {
        row[target as usize] = 1.0;
    }
    let one_hot = B::float_from_data(TensorData::new(one_hot, [rows, classes]), &logits.device());
    let one_hot = B::float_cast(one_hot, logits.dtype().into());
    let highest = B::float_max_dim(logits.clone(), 1);
    let shifted = B::float_sub(logits, highest);
    let e = B::float_exp(shifted.clone());
    let sum = B::float_sum_dim(e.clone(), 1);
    let logit = B::float_sum_dim(B::float_mul(shifted, one_hot.clone()), 1);
    let losses = B::float_sub(B::float_log(sum.clone()), logit);
    (losses, B::float_sub(B::float_div(e, sum), one_hot))
}
