//! A register of numbers as a [`Number`], so that a cell's formula runs on it as it stands, and the
//! activations over a register.
//!
//! # The exponential
//!
//! With `x = n ln 2 + r`, `n` whole and `|r| ≤ ln 2 / 2`,
//!
//! ```text
//! e^x − 1 = 2ⁿ (r + r² q(r)) + (2ⁿ − 1)
//! ```
//!
//! where q is the polynomial with the least greatest error of `r² q(r)`, found by Remez' exchange:
//! degree 4 and error 3.2e-9 for `f32`, degree 9 and error 3.5e-18 for `f64`.
//!
//! # Sigmoid and tanh
//!
//! Both from the exponential of a number below zero or the one without its 1, so that nothing
//! overflows and nothing cancels:
//!
//! ```text
//! sigmoid(x) = (x < 0 ? t : 1) / (1 + t),  t = e^{−|x|}
//! tanh(x)    = sign(x) m / (m + 2),        m = e^{2|x|} − 1
//! ```

use super::simd::{Element, Simd};
use crate::cell::Number;
use std::ops::{Add, Mul, Sub};

/// A register of numbers of the instruction set `I`. It is made only inside of [`Simd::run`].
pub struct Lanes<E: Element, I: Simd<E>>(pub I::Vector);

impl<E: Element, I: Simd<E>> Clone for Lanes<E, I> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Element, I: Simd<E>> Copy for Lanes<E, I> {}

// SAFETY of all that follows: registers exist only inside of `Simd::run`.

impl<E: Element, I: Simd<E>> Add for Lanes<E, I> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { I::add(self.0, other.0) })
    }
}

impl<E: Element, I: Simd<E>> Sub for Lanes<E, I> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { I::sub(self.0, other.0) })
    }
}

impl<E: Element, I: Simd<E>> Mul for Lanes<E, I> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { I::mul(self.0, other.0) })
    }
}

impl<E: Element, I: Simd<E>> Number for Lanes<E, I> {
    #[inline(always)]
    fn plus(self, constant: f64) -> Self {
        self + Self::splat(constant)
    }
    #[inline(always)]
    fn times(self, constant: f64) -> Self {
        self * Self::splat(constant)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let one = Self::splat(1.0);
        let t = self.abs().times(-1.0).exp();
        self.where_less(Self::splat(0.0), t, one) / (one + t)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        // Beyond this bound tanh rounds to 1.
        let bound = if size_of::<E>() == 4 { 9.2 } else { 19.5 };
        let m = self.abs().at_most(bound).times(2.0).exp_minus_one();
        Self(unsafe { I::with_sign((m / m.plus(2.0)).0, self.0) })
    }
    #[inline(always)]
    fn relu(self) -> Self {
        self.at_least(0.0)
    }
    #[inline(always)]
    fn positive(self) -> Self {
        Self::splat(0.0).where_less(self, Self::splat(1.0), Self::splat(0.0))
    }
    #[inline(always)]
    fn clip(self, bound: f64) -> Self {
        self.at_most(bound).at_least(-bound)
    }
    #[inline(always)]
    fn within(self, bound: f64) -> Self {
        self.abs().where_less(Self::splat(bound), Self::splat(1.0), Self::splat(0.0))
    }
}

impl<E: Element, I: Simd<E>> Lanes<E, I> {
    /// The same number in all lanes.
    #[inline(always)]
    pub fn splat(value: f64) -> Self {
        Self(unsafe { I::splat(E::from_f64(value)) })
    }

    /// `e^self`.
    #[inline(always)]
    pub fn exp(self) -> Self {
        // Beyond these bounds the result is zero or infinite.
        let (least, most) = if size_of::<E>() == 4 { (-104.0, 89.0) } else { (-746.0, 710.0) };
        let (n, p) = self.at_least(least).at_most(most).reduced();
        // 2ⁿ alone may be too small or too large for a number; the halves are not.
        let half = n.times(0.5).rounded();
        p.plus(1.0) * half.power_of_two() * (n - half).power_of_two()
    }

    /// `e^self − 1` for numbers between 0 and 80.
    #[inline(always)]
    fn exp_minus_one(self) -> Self {
        let (n, p) = self.reduced();
        let scale = n.power_of_two();
        scale.mul_add(p, scale.plus(-1.0))
    }

    /// `n` and `e^r − 1`, where `self = n ln 2 + r`.
    #[inline(always)]
    fn reduced(self) -> (Self, Self) {
        let n = self.times(std::f64::consts::LOG2_E).rounded();
        // ln 2 in two parts, the first short enough that its multiples are exact.
        let (high, low, q): (f64, f64, &[f64]) = if size_of::<E>() == 4 {
            (0.693359375, -2.121_944_400_546_905_8e-4, &Q_F32)
        } else {
            (6.931_457_519_531_25e-1, 1.428_606_820_309_417_2e-6, &Q_F64)
        };
        let r = n.mul_add(Self::splat(-low), n.mul_add(Self::splat(-high), self));
        let highest = q.len() - 1;
        let mut sum = Self::splat(q[highest]);
        for &coefficient in q[..highest].iter().rev() {
            sum = sum.mul_add(r, Self::splat(coefficient));
        }
        (n, (r * r).mul_add(sum, r))
    }

    /// The nearest whole number, for numbers that are not huge.
    #[inline(always)]
    fn rounded(self) -> Self {
        let magic = Self::splat(1.5 * Self::unit());
        (self + magic) - magic
    }

    /// `2^self` for a whole number in the range of the exponent.
    #[inline(always)]
    fn power_of_two(self) -> Self {
        let bias = if size_of::<E>() == 4 { 127.0 } else { 1023.0 };
        Self(unsafe { I::shift_to_exponent(self.plus(1.5 * Self::unit() + bias).0) })
    }

    /// The power of two from which on numbers have no fraction.
    #[inline(always)]
    const fn unit() -> f64 {
        if size_of::<E>() == 4 { (1u64 << 23) as f64 } else { (1u64 << 52) as f64 }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(unsafe { I::mul_add(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(unsafe { I::abs(self.0) })
    }

    #[inline(always)]
    fn at_most(self, bound: f64) -> Self {
        Self(unsafe { I::at_most(self.0, Self::splat(bound).0) })
    }

    #[inline(always)]
    fn at_least(self, bound: f64) -> Self {
        Self(unsafe { I::at_least(self.0, Self::splat(bound).0) })
    }

    #[inline(always)]
    fn where_less(self, other: Self, yes: Self, no: Self) -> Self {
        Self(unsafe { I::where_less(self.0, other.0, yes.0, no.0) })
    }
}

impl<E: Element, I: Simd<E>> std::ops::Div for Lanes<E, I> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(unsafe { I::div(self.0, other.0) })
    }
}

const Q_F32: [f64; 5] =
    [0.50000000954, 0.16666518603, 0.041666205053, 0.0083689178563, 0.0013950541214];

const Q_F64: [f64; 10] = [
    0.50000000000000127928,
    0.16666666666666699201,
    0.041666666666514931294,
    0.0083333333333071185127,
    0.001388888894715612145,
    0.00019841269917571866609,
    0.000024801489785825980174,
    2.7557216131392871069e-6,
    2.7631339704901101881e-7,
    2.5117915126746087139e-8,
];
