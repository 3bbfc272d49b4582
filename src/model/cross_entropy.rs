//! The cross entropy of a softmax and its derivative.

use rayon::prelude::*;

/// The losses of some steps and their derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// `L_t = −ln softmax(O_t)[x_t]`, in nats, a step each.
    pub losses: Vec<f64>,
    /// `∂L_t/∂O_t = softmax(O_t) − onehot(x_t)`, `[steps, classes]`.
    pub d_logits: Vec<f64>,
}

/// Of logits `O`, `[steps, classes]`, and targets `x`, `[steps]`.
///
/// ```
/// let logits = [0.0, 0.0, 3f64.ln()];
/// let found = bptt::model::cross_entropy(&logits, &[2]);
/// assert!((found.losses[0] - (5f64 / 3.0).ln()).abs() < 1e-12);
/// assert!((found.d_logits[2] + 0.4).abs() < 1e-12);
/// ```
///
/// # Panics
/// If there are not as many targets as rows of logits, or a target is no class.
pub fn cross_entropy(logits: &[f64], targets: &[u32]) -> CrossEntropy {
    let classes = logits.len() / targets.len();
    assert_eq!(logits.len(), targets.len() * classes, "a row of logits for each target");
    let mut losses = vec![0.0; targets.len()];
    let mut d_logits = logits.to_vec();
    let rows = d_logits.par_chunks_mut(classes).with_min_len(64);
    rows.zip(losses.par_iter_mut()).zip(targets).for_each(|((row, loss), &target)| {
        let target = target as usize;
        let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let logit = row[target] - highest;
        let mut sum = 0.0;
        for value in row.iter_mut() {
            *value = (*value - highest).exp();
            sum += *value;
        }
        *loss = sum.ln() - logit;
        let scale = 1.0 / sum;
        for value in row.iter_mut() {
            *value *= scale;
        }
        row[target] -= 1.0;
    });
    CrossEntropy { losses, d_logits }
}
