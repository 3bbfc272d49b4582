//! Layer normalisation of a product (Ba, Kiros & Hinton 2016, "Layer normalization", equation 4), a
//! stage of the recurrence, because it reads all gates of a row at once.
//!
//! ```text
//! n = (m − mean(m)) r,   r = 1 / √(var(m) + ε)     over the columns of each row
//! y = gain ⊙ n
//! ```
//!
//! # The derivative
//!
//! The mean and the deviation depend on m too. A part of dn that is common to all columns, or proportional
//! to n, does not change y, so it has no gradient.
//!
//! ```text
//! dn = dy ⊙ gain,   dgain = Σ_rows dy ⊙ n
//! dm = r ⊙ (dn − mean(dn) − n ⊙ mean(dn ⊙ n))
//! ```

use super::Matrix;
use std::ops::Range;

/// ε, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// What the derivative of a normalised product needs.
#[derive(Clone, Debug)]
pub(super) struct Normalised<M> {
    n: M,
    r: M,
}

impl<M: Matrix> Normalised<M> {
    /// Normalises each row of `m`.
    pub fn of(m: M) -> Self {
        let centred = m.clone() - m.mean_columns();
        let r = (centred.clone() * centred.clone()).mean_columns().plus(EPSILON).inverse_root();
        Self { n: centred * r.clone(), r }
    }

    /// The same of some of the rows.
    pub fn rows(&self, range: Range<usize>) -> Self {
        Self { n: self.n.rows(range.clone()), r: self.r.rows(range) }
    }

    /// The same for as many copies of the rows, one after the other.
    pub fn copied(&self, copies: usize) -> Self {
        let copied = |m: &M| M::stack_rows(vec![m.clone(); copies]);
        Self { n: copied(&self.n), r: copied(&self.r) }
    }

    /// `y = gain ⊙ n`.
    pub fn scaled(&self, gain: &M) -> M {
        self.n.clone() * gain.clone()
    }

    /// `dm` from `dy`.
    pub fn back(&self, dy: M, gain: &M) -> M {
        let dn = dy * gain.clone();
        let along = (dn.clone() * self.n.clone()).mean_columns();
        let common = dn.mean_columns();
        self.r.clone() * (dn - common - self.n.clone() * along)
    }

    /// `dgain` from `dy`: `[1, columns]`.
    pub fn back_gain(&self, dy: &M) -> M {
        (dy.clone() * self.n.clone()).sum_rows()
    }
}
