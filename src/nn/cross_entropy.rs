//! The loss of a classifier.

use super::Gradient;
use crate::recurrence::cross_entropy::{autodiff, manual};
use burn::tensor::Tensor;

/// `L_t = −ln softmax(O_t)[x_t]` in nats, from logits `O`, `[steps, classes]`, and the class `x_t` of each step, `[steps]`.
/// The manual path computes the derivative `softmax(O_t) − onehot(x_t)` in the same pass.
///
/// ```
/// use bptt::nn::{Gradient, cross_entropy};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::default().autodiff();
/// let logits = Tensor::<2>::from_floats([[0.0, 0.0, 3f32.ln()]], &device).require_grad();
/// let loss = cross_entropy(Gradient::Manual, logits.clone(), &[2]);
/// let d_logits = logits.grad(&loss.backward()).unwrap();
/// let [loss, last] = [loss.into_scalar::<f32>(), d_logits.slice([0..1, 2..3]).into_scalar::<f32>()];
/// assert!((loss - (5f32 / 3.0).ln()).abs() < 1e-6 && (last + 0.4).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the number of targets is not that of the rows of logits, or a target is no class.
pub fn cross_entropy(gradient: Gradient, logits: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let [rows, _] = logits.dims();
    assert_eq!(rows, targets.len(), "a target for each row of logits");
    match gradient {
        Gradient::Manual => manual(logits, targets),
        Gradient::Autodiff => autodiff(logits, targets),
    }
}
