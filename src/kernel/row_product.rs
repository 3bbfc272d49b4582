//! The product of one row with a matrix as it lies in memory: where rows are few, packing the matrix into panels would take longer
//! than the product does.

use super::simd::{Element, Simd, Work};

/// `C += a B` for some columns of B.
#[derive(Clone, Copy)]
pub(super) struct RowProduct<E> {
    /// The inner dimension.
    pub k: usize,
    /// The row: `k` numbers.
    pub a: *const E,
    /// The first number of B's first column, and from one row of B to the next.
    pub b: *const E,
    pub b_row: usize,
    pub columns: usize,
    /// The sums: whole registers for the columns.
    pub c: *mut E,
}

/// Rows of B that are added at once, so that the sums are loaded and stored less often.
const ROWS: usize = 8;

impl<E: Element> Work<E> for RowProduct<E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let whole = self.k / ROWS * ROWS;
        for first in (0..whole).step_by(ROWS) {
            // SAFETY: who makes a product promises its memory; inside of `Simd::run`.
            unsafe { self.add_rows::<I, ROWS>(first) };
        }
        for first in whole..self.k {
            // SAFETY: as above.
            unsafe { self.add_rows::<I, 1>(first) };
        }
    }
}

impl<E: Element> RowProduct<E> {
    /// Each sum is one chain of additions in the order of k, as in a product of panels.
    #[inline(always)]
    unsafe fn add_rows<I: Simd<E>, const ROWS: usize>(&self, first: usize) {
        let Self { a, b, b_row, columns, c, .. } = *self;
        unsafe {
            let mut left = [I::splat(E::default()); ROWS];
            for (i, left) in left.iter_mut().enumerate() {
                *left = I::splat(*a.add(first + i));
            }
            let b = b.add(first * b_row);
            let whole = columns / I::LANES * I::LANES;
            for n in (0..whole).step_by(I::LANES) {
                let mut sum = I::load(c.add(n));
                for (i, &left) in left.iter().enumerate() {
                    sum = I::mul_add(left, I::load(b.add(i * b_row + n)), sum);
                }
                I::store(c.add(n), sum);
            }
            if whole < columns {
                let mut sum = I::load(c.add(whole));
                for (i, &left) in left.iter().enumerate() {
                    let right = I::load_part(b.add(i * b_row + whole), columns - whole);
                    sum = I::mul_add(left, right, sum);
                }
                I::store(c.add(whole), sum);
            }
        }
    }
}
