//! The matrices of the walk over time, of any backend.

use crate::cell::Number;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{BoolDType, FloatDType, Shape};
use std::ops::{Add, Mul, Range, Sub};

/// A matrix of numbers. The elementwise operations of [`Number`] broadcast a matrix of one row
/// over the rows of the other, and one of one column over its columns. Clones share the data.
pub trait Matrix: Number {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2];
    /// The matrix product `self · other`.
    fn product(&self, other: &Self) -> Self;
    /// The transpose.
    fn transposed(&self) -> Self;
    /// Some of the rows.
    fn rows(&self, range: Range<usize>) -> Self;
    /// Some of the columns.
    fn columns(&self, range: Range<usize>) -> Self;
    /// Matrices stacked below each other.
    fn stack_rows(parts: Vec<Self>) -> Self;
    /// Matrices side by side.
    fn stack_columns(parts: Vec<Self>) -> Self;
    /// The sum over the rows, `[1, columns]`.
    fn sum_rows(&self) -> Self;
    /// The mean over the columns, `[rows, 1]`, which broadcasts over them.
    fn mean_columns(&self) -> Self;
    /// `1 / √self`.
    fn inverse_root(self) -> Self;
    /// The numbers rounded to the 8 digits of bf16 in the halves that Dekker (1971, section 5) splits a number into: `c = 2¹⁶ x + x`, `c − (c − x)`.
    fn rounded(self) -> Self {
        let c = self.clone().times(f64::from((1 << 16) + 1));
        c.clone() - (c - self)
    }
    /// The same numbers. Where Burn differentiates, only this share of their gradient passes.
    fn passing(self, share: f64) -> Self;
    /// A matrix of zeros, of the same kind and on the same device.
    fn zeros(&self, rows: usize, columns: usize) -> Self;
}

/// A float tensor of rank 2 of the backend `B`.
///
/// With `B` an inference backend the hand-written path computes with it where no kernel
/// applies. With `B` the dispatch backend of a [`burn::Tensor`](burn::tensor::Tensor) on an
/// autodiff device, each operation is recorded, and Burn differentiates the walk.
pub struct BackendMatrix<B: Backend>(pub FloatTensor<B>);

impl<B: Backend> BackendMatrix<B> {
    fn slice(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        Self(B::float_slice(self.0.clone(), &[rows.into(), columns.into()]))
    }
}

impl<B: Backend> Clone for BackendMatrix<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend> std::fmt::Debug for BackendMatrix<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BackendMatrix{:?}", self.shape())
    }
}

impl<B: Backend> Add for BackendMatrix<B> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(B::float_add(self.0, other.0))
    }
}

impl<B: Backend> Sub for BackendMatrix<B> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(B::float_sub(self.0, other.0))
    }
}

impl<B: Backend> Mul for BackendMatrix<B> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(B::float_mul(self.0, other.0))
    }
}

impl<B: Backend> Number for BackendMatrix<B> {
    fn plus(self, constant: f64) -> Self {
        Self(B::float_add_scalar(self.0, constant.into()))
    }
    fn times(self, constant: f64) -> Self {
        Self(B::float_mul_scalar(self.0, constant.into()))
    }
    fn sigmoid(self) -> Self {
        // Burn's default sigmoid goes through f32 for every data type. This form does not, and no
        // exponential in its derivative can overflow.
        self.times(0.5).tanh().times(0.5).plus(0.5)
    }
    fn tanh(self) -> Self {
        Self(B::float_tanh(self.0))
    }
    fn relu(self) -> Self {
        Self(B::relu(self.0))
    }
    fn positive(self) -> Self {
        let dtype: FloatDType = self.0.dtype().into();
        let above = B::float_greater_elem(self.0, 0.0.into(), BoolDType::Native);
        Self(B::bool_into_float(above, dtype))
    }
    fn clip(self, bound: f64) -> Self {
        Self(B::float_clamp(self.0, (-bound).into(), bound.into()))
    }
    fn within(self, bound: f64) -> Self {
        let dtype: FloatDType = self.0.dtype().into();
        let inside = B::float_lower_elem(B::float_abs(self.0), bound.into(), BoolDType::Native);
        Self(B::bool_into_float(inside, dtype))
    }
}

impl<B: Backend> Matrix for BackendMatrix<B> {
    fn shape(&self) -> [usize; 2] {
        self.0.shape().dims()
    }
    fn product(&self, other: &Self) -> Self {
        Self(B::float_matmul(self.0.clone(), other.0.clone()))
    }
    fn transposed(&self) -> Self {
        Self(B::float_transpose(self.0.clone()))
    }
    fn rows(&self, range: Range<usize>) -> Self {
        let [rows, columns] = self.shape();
        if range == (0..rows) { self.clone() } else { self.slice(range, 0..columns) }
    }
    fn columns(&self, range: Range<usize>) -> Self {
        let [rows, columns] = self.shape();
        if range == (0..columns) { self.clone() } else { self.slice(0..rows, range) }
    }
    fn stack_rows(parts: Vec<Self>) -> Self {
        stack(parts, 0)
    }
    fn stack_columns(parts: Vec<Self>) -> Self {
        stack(parts, 1)
    }
    fn sum_rows(&self) -> Self {
        Self(B::float_sum_dim(self.0.clone(), 0))
    }
    fn mean_columns(&self) -> Self {
        Self(B::float_mean_dim(self.0.clone(), 1))
    }
    fn inverse_root(self) -> Self {
        Self(B::float_recip(B::float_sqrt(self.0)))
    }
    fn passing(self, share: f64) -> Self {
        let detached = Self(B::float_detach(self.0.clone()));
        if share == 0.0 {
            return detached;
        }
        (self - detached.clone()).times(share) + detached
    }
    fn zeros(&self, rows: usize, columns: usize) -> Self {
        Self(B::float_zeros(Shape::new([rows, columns]), &self.0.device(), self.0.dtype().into()))
    }
}

fn stack<B: Backend>(mut parts: Vec<BackendMatrix<B>>, dim: usize) -> BackendMatrix<B> {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    BackendMatrix(B::float_cat(parts.into_iter().map(|part| part.0).collect(), dim))
}
