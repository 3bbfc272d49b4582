//! Groups of numbers that the compiler turns into whatever registers the machine is known to have.

use super::arena::Buffer;
use super::backward::PreActivations;
use super::gradients::{self, Sums, Wanted};
use super::product::{self, Factors, Product};
use super::simd::{Simd, Work, compiled_once};
use super::threads::Shared;
use super::{Layout, Recurrence, packing};

/// The instructions of every machine of the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

/// Machines that are known to round `a b + c` once: all 64-bit ARM, for one.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

macro_rules! portable {
    ($type:ty, $lanes:literal, $mantissa:literal) => {
        // SAFETY: plain Rust on every machine.
        unsafe impl Simd<$type> for Portable {
            type Vector = [$type; $lanes];
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = 4;
            compiled_once!($type);

            #[inline(always)]
            unsafe fn run<W: Work<$type>>(work: W) -> W::Output {
                work.run::<Self>()
            }
            #[inline(always)]
            unsafe fn load(from: *const $type) -> Self::Vector {
                unsafe { from.cast::<Self::Vector>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(to: *mut $type, v: Self::Vector) {
                unsafe { to.cast::<Self::Vector>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn splat(value: $type) -> Self::Vector {
                [value; $lanes]
            }
            #[inline(always)]
            unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] - b[i])
            }
            #[inline(always)]
            unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| a[i] / b[i])
            }
            #[inline(always)]
            unsafe fn mul_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| {
                    if FUSED { a[i].mul_add(b[i], c[i]) } else { a[i] * b[i] + c[i] }
                })
            }
            #[inline(always)]
            unsafe fn at_most(value: Self::Vector, bound: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| if bound[i] < value[i] { bound[i] } else { value[i] })
            }
            #[inline(always)]
            unsafe fn at_least(value: Self::Vector, bound: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| if bound[i] > value[i] { bound[i] } else { value[i] })
            }
            #[inline(always)]
            unsafe fn where_less(
                a: Self::Vector,
                b: Self::Vector,
                yes: Self::Vector,
                no: Self::Vector,
            ) -> Self::Vector {
                std::array::from_fn(|i| if a[i] < b[i] { yes[i] } else { no[i] })
            }
            #[inline(always)]
            unsafe fn abs(v: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| v[i].abs())
            }
            #[inline(always)]
            unsafe fn with_sign(v: Self::Vector, sign: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| v[i].copysign(sign[i]))
            }
            #[inline(always)]
            unsafe fn shift_to_exponent(v: Self::Vector) -> Self::Vector {
                std::array::from_fn(|i| <$type>::from_bits(v[i].to_bits() << $mantissa))
            }
            #[inline(always)]
            unsafe fn halves(pairs: Self::Vector) -> [Self::Vector; 2] {
                let half = size_of::<$type>() * 4;
                let lower = pairs.map(|v| <$type>::from_bits(v.to_bits() << half));
                [lower, pairs.map(|v| <$type>::from_bits(v.to_bits() >> half << half))]
            }
        }
    };
}

portable!(f32, 4, 23);
portable!(f64, 2, 52);
