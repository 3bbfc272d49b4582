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
//! So that nothing overflows and nothing cancels:
//!
//! ```text
//! sigmoid(x) = (x < 0 ? t : 1) / (1 + t),     t = e^{−|x|}, corrected by what rounding took from t
//! tanh(x)    = sign(x) (1 − 2 / (e^{2|x|} + 1))      f32, |x| ≥ 0.625
//!            = x + x³ P(x²)                          f32, nearer to zero
//!            = sign(x) m / (m + 2),  m = e^{2|x|} − 1      f64
//! ```
//!
//! # Errors
//!
//! For `f32` at most 2 units in the last place over all numbers, for `f64` at most 1e-15 of the result;
//! the tests below hold each instruction set to it.

use super::simd::{Element, Simd};
use crate::cell::{Number, Row};
use std::ops::{Add, Div, Mul, Sub};

/// `N` registers of numbers of the instruction set `I`, side by side: with two of them the machine works
/// on one while it waits for the other. They are made only inside of [`Simd::run`].
pub(crate) struct Lanes<E: Element, I: Simd<E>, const N: usize>(pub [I::Vector; N]);

impl<E: Element, I: Simd<E>, const N: usize> Clone for Lanes<E, I, N> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Copy for Lanes<E, I, N> {}

/// An operation on each register.
macro_rules! each {
    ($n:ident: $value:expr) => {{
        // SAFETY: registers exist only inside of `Simd::run`.
        let mut result = [unsafe { I::splat(E::default()) }; N];
        for $n in 0..N {
            result[$n] = unsafe { $value };
        }
        Self(result)
    }};
}

impl<E: Element, I: Simd<E>, const N: usize> Add for Lanes<E, I, N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each!(n: I::add(self.0[n], other.0[n]))
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Sub for Lanes<E, I, N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each!(n: I::sub(self.0[n], other.0[n]))
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Mul for Lanes<E, I, N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        each!(n: I::mul(self.0[n], other.0[n]))
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Div for Lanes<E, I, N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        each!(n: I::div(self.0[n], other.0[n]))
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Number for Lanes<E, I, N> {
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
        let (t, rest) = self.abs().times(-1.0).exp_and_rest();
        let zero = Self::splat(0.0);
        let sigmoid = self.where_less(zero, t, one) / (one + t);
        sigmoid.mul_add(self.where_less(zero, rest, zero), sigmoid)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        // Beyond this bound tanh rounds to 1.
        let bound = if size_of::<E>() == 4 { 9.2 } else { 19.5 };
        let size = self.abs();
        let (n, p) = size.at_most(bound).times(2.0).reduced();
        let scale = n.power_of_two();
        let size_of_tanh = if size_of::<E>() == 4 {
            let far = Self::splat(1.0) - Self::splat(2.0) / scale.mul_add(p, scale).plus(1.0);
            let square = size * size;
            let near = (size * square).mul_add(square.polynomial(&TANH_F32), size);
            size.where_less(Self::splat(0.625), near, far)
        } else {
            let m = scale.mul_add(p, scale.plus(-1.0));
            m / m.plus(2.0)
        };
        each!(n: I::with_sign(size_of_tanh.0[n], self.0[n]))
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

impl<E: Element, I: Simd<E>, const N: usize> Lanes<E, I, N> {
    /// The same number in all lanes.
    #[inline(always)]
    pub fn splat(value: f64) -> Self {
        Self([unsafe { I::splat(E::from_f64(value)) }; N])
    }

    /// `e^self`.
    #[inline(always)]
    pub(super) fn exp(self) -> Self {
        self.exp_and_rest().0
    }

    /// The greater of both; `self` where it is not a number.
    #[inline(always)]
    pub(super) fn greater(self, other: Self) -> Self {
        each!(n: I::at_least(self.0[n], other.0[n]))
    }

    /// The numbers one by one.
    #[inline(always)]
    pub(super) fn numbers(self) -> impl Iterator<Item = f64> {
        let mut numbers = [[E::default(); 16]; N];
        for (numbers, register) in numbers.iter_mut().zip(self.0) {
            // SAFETY: a register has 16 numbers at most.
            unsafe { I::store(numbers.as_mut_ptr(), register) };
        }
        (0..N * I::LANES).map(move |i| numbers[i / I::LANES][i % I::LANES].to_f64())
    }

    /// `e^self`, and how much larger the exact value is, relative to it.
    #[inline(always)]
    fn exp_and_rest(self) -> (Self, Self) {
        // Beyond these bounds the result is zero or infinite.
        let (least, most) = if size_of::<E>() == 4 { (-104.0, 89.0) } else { (-746.0, 710.0) };
        let (n, p) = self.at_least(least).at_most(most).reduced();
        let power = p.plus(1.0);
        let rest = p - power.plus(-1.0);
        (each!(i: I::scale(power.0[i], n.0[i])), rest)
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
        (n, (r * r).mul_add(r.polynomial(q), r))
    }

    /// The polynomial with these coefficients, that of the constant first (Horner).
    #[inline(always)]
    fn polynomial(self, coefficients: &[f64]) -> Self {
        let highest = coefficients.len() - 1;
        let mut sum = Self::splat(coefficients[highest]);
        for &coefficient in coefficients[..highest].iter().rev() {
            sum = sum.mul_add(self, Self::splat(coefficient));
        }
        sum
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
        let whole = self.plus(1.5 * Self::unit() + bias);
        each!(n: I::shift_to_exponent(whole.0[n]))
    }

    /// The power of two from which on numbers have no fraction.
    #[inline(always)]
    const fn unit() -> f64 {
        if size_of::<E>() == 4 { (1u64 << 23) as f64 } else { (1u64 << 52) as f64 }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        each!(n: I::mul_add(self.0[n], factor.0[n], term.0[n]))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        each!(n: I::abs(self.0[n]))
    }

    #[inline(always)]
    fn at_most(self, bound: f64) -> Self {
        let bound = Self::splat(bound);
        each!(n: I::at_most(self.0[n], bound.0[n]))
    }

    #[inline(always)]
    fn at_least(self, bound: f64) -> Self {
        let bound = Self::splat(bound);
        each!(n: I::at_least(self.0[n], bound.0[n]))
    }

    #[inline(always)]
    fn where_less(self, other: Self, yes: Self, no: Self) -> Self {
        each!(n: I::where_less(self.0[n], other.0[n], yes.0[n], no.0[n]))
    }
}

impl<E: Element, I: Simd<E>, const N: usize> Lanes<E, I, N> {
    /// Registers full of numbers.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const E) -> Self {
        each!(n: I::load(from.add(n * I::LANES)))
    }

    /// Stores all numbers.
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut E) {
        for n in 0..N {
            unsafe { I::store(to.add(n * I::LANES), self.0[n]) };
        }
    }

    /// The first `count` numbers, which are some of the last register's; zero in the other lanes.
    #[inline(always)]
    pub(super) unsafe fn load_part(from: *const E, count: usize) -> Self {
        if count == N * I::LANES {
            return unsafe { Self::load(from) };
        }
        each!(n: if n + 1 < N {
            I::load(from.add(n * I::LANES))
        } else {
            I::load_part(from.add(n * I::LANES), count - n * I::LANES)
        })
    }

    /// Stores the first `count` numbers.
    #[inline(always)]
    pub(super) unsafe fn store_part(self, to: *mut E, count: usize) {
        if count == N * I::LANES {
            return unsafe { self.store(to) };
        }
        for n in 0..N {
            unsafe {
                let to = to.add(n * I::LANES);
                if n + 1 < N {
                    I::store(to, self.0[n]);
                } else {
                    I::store_part(to, self.0[n], count - n * I::LANES);
                }
            }
        }
    }

    /// Quantities that lie so far apart.
    #[inline(always)]
    pub(super) unsafe fn load_row<R: Row<Self>>(from: *const E, apart: usize) -> R {
        let mut row = R::from_fn(|_| Self::splat(0.0));
        for i in 0..R::LEN {
            row.as_mut()[i] = unsafe { Self::load(from.add(i * apart)) };
        }
        row
    }

    /// Stores quantities so far apart.
    #[inline(always)]
    pub(super) unsafe fn store_row<R: Row<Self>>(to: *mut E, apart: usize, row: R) {
        for i in 0..R::LEN {
            unsafe { row.as_ref()[i].store(to.add(i * apart)) };
        }
    }
}

const Q_F32: [f64; 5] =
    [0.50000000954, 0.16666518603, 0.041666205053, 0.0083689178563, 0.0013950541214];

/// `(tanh(√z) − √z) / √z³` for √z below 0.625 (S. Moshier's Cephes library).
const TANH_F32: [f64; 5] = [
    -3.333_328_194_22e-1,
    1.333_144_220_36e-1,
    -5.373_971_555_31e-2,
    2.063_908_879_54e-2,
    -5.704_988_727_45e-3,
];

// As many digits as the search gave.
#[allow(clippy::excessive_precision)]
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

#[cfg(test)]
mod tests {
    use super::super::simd::{InstructionSet, Work};
    use super::*;

    /// The function of each number, by the registers of an instruction set.
    struct Map<'a, E> {
        numbers: &'a mut [E],
        function: Function,
    }

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
    }

    impl Function {
        const ALL: [Self; 3] = [Self::Exp, Self::Sigmoid, Self::Tanh];

        fn exact(self, x: f64) -> f64 {
            match self {
                Self::Exp => x.exp(),
                Self::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
                Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                Self::Tanh => x.tanh(),
            }
        }
    }

    impl<E: Element> Work<E> for Map<'_, E> {
        type Output = ();

        #[inline(always)]
        fn run<I: Simd<E>>(self) {
            for numbers in self.numbers.chunks_exact_mut(2 * I::LANES) {
                // SAFETY: inside of `Simd::run`; there are numbers for two registers.
                unsafe {
                    let x = Lanes::<E, I, 2>::load(numbers.as_ptr());
                    let y = match self.function {
                        Function::Exp => x.exp(),
                        Function::Sigmoid => x.sigmoid(),
                        Function::Tanh => x.tanh(),
                    };
                    y.store(numbers.as_mut_ptr());
                }
            }
        }
    }

    fn available() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::ALL.into_iter().filter(|set| set.is_available())
    }

    /// How many numbers of its type the result is away from the exact one.
    fn ulps(result: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        if result.is_nan() || nearest.is_nan() || nearest.is_infinite() || result.is_infinite() {
            let same = result == nearest || result.is_nan() && nearest.is_nan();
            return if same { 0.0 } else { f64::INFINITY };
        }
        let unit = (nearest.abs().next_up() - nearest.abs()) as f64;
        (result as f64 - exact).abs() / unit
    }

    #[test]
    fn f32_is_within_two_units_in_the_last_place_everywhere() {
        // Numbers of every exponent and both signs, infinities and not-a-numbers among them.
        let special = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MIN_POSITIVE,
            88.7,
            -103.9,
        ];
        let mut numbers: Vec<f32> =
            (0..=u32::MAX).step_by(2039).map(f32::from_bits).chain(special).collect();
        numbers.resize(numbers.len().next_multiple_of(32), 1.0);
        for set in available() {
            for function in Function::ALL {
                let mut results = numbers.clone();
                f32::run(set, Map { numbers: &mut results, function });
                let mut worst = (0.0, 0.0);
                for (&x, &y) in numbers.iter().zip(&results) {
                    let error = ulps(y, function.exact(x as f64));
                    if error > worst.0 {
                        worst = (error, x);
                    }
                }
                println!("{set:?} {function:?}: {worst:?}");
                assert!(worst.0 <= 2.0, "{set:?} {function:?}: {worst:?}");
            }
        }
    }

    #[test]
    fn f64_is_within_1e_15() {
        let special =
            [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 709.0, -745.0, 1e-300];
        let spread = (-400_000..400_000).map(|i| {
            let x = i as f64 / 1e4;
            x * x * x / 100.0
        });
        let mut numbers: Vec<f64> = spread.chain(special).collect();
        numbers.resize(numbers.len().next_multiple_of(16), 1.0);
        for set in available() {
            for function in Function::ALL {
                let mut results = numbers.clone();
                f64::run(set, Map { numbers: &mut results, function });
                for (&x, &y) in numbers.iter().zip(&results) {
                    let exact = function.exact(x);
                    let same = y == exact || y.is_nan() && exact.is_nan();
                    let error = (y - exact).abs() / exact.abs().max(f64::MIN_POSITIVE);
                    assert!(
                        same || error <= 1e-15,
                        "{set:?} {function:?} of {x:e}: {y:e}, {error:e}"
                    );
                }
            }
        }
    }
}
