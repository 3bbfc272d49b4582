//! The registers of x86-64: AVX-512, and AVX2 with FMA.

use super::arena::Buffer;
#[cfg(not(debug_assertions))]
use super::avx512_tile::{add_pairs_f32, add_products_f32, add_products_f64};
use super::backward::PreActivations;
use super::gradients::{self, Sums, Wanted};
#[cfg(not(debug_assertions))]
use super::product::Left;
use super::product::{self, Factors, Product};
#[cfg(not(debug_assertions))]
use super::simd::InstructionSet;
use super::simd::{Simd, Work, compiled_once};
use super::threads::Shared;
use super::{Layout, Recurrence, packing};
use std::arch::x86_64::*;

/// AVX-512 (F).
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512;

/// AVX2 with FMA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2;

/// What both instruction sets spell alike but for names.
macro_rules! same {
    ($type:ty, $vector:ty, $load:ident, $store:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident,
     $div:ident, $mul_add:ident, $min:ident, $max:ident) => {
        #[inline(always)]
        unsafe fn load(from: *const $type) -> $vector {
            unsafe { $load(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut $type, v: $vector) {
            unsafe { $store(to, v) }
        }
        #[inline(always)]
        unsafe fn splat(value: $type) -> $vector {
            unsafe { $splat(value) }
        }
        #[inline(always)]
        unsafe fn add(a: $vector, b: $vector) -> $vector {
            unsafe { $add(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: $vector, b: $vector) -> $vector {
            unsafe { $sub(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: $vector, b: $vector) -> $vector {
            unsafe { $mul(a, b) }
        }
        #[inline(always)]
        unsafe fn div(a: $vector, b: $vector) -> $vector {
            unsafe { $div(a, b) }
        }
        #[inline(always)]
        unsafe fn mul_add(a: $vector, b: $vector, c: $vector) -> $vector {
            unsafe { $mul_add(a, b, c) }
        }
        // These instructions return their second operand where one of them is not a number.
        #[inline(always)]
        unsafe fn at_most(value: $vector, bound: $vector) -> $vector {
            unsafe { $min(bound, value) }
        }
        #[inline(always)]
        unsafe fn at_least(value: $vector, bound: $vector) -> $vector {
            unsafe { $max(bound, value) }
        }
    };
}

macro_rules! avx512 {
    ($type:ty, $lanes:literal, $mantissa:literal, $mask:ty, $bits:ident, $numbers:ident, $and:ident,
     $or:ident, $shift:ident, $shift_back:ident, $integers:ident, $sign:expr, $less:ident, $blend:ident, $abs:ident, $scale:ident,
     $load_part:ident, $store_part:ident, $tile:ident, $same:tt) => {
        // SAFETY: what is called is what the instruction set has.
        unsafe impl Simd<$type> for Avx512 {
            avx512!(@vector $same);
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = 14;
            compiled_once!($type);

            #[inline(always)]
            unsafe fn run<W: Work<$type>>(work: W) -> W::Output {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn inside<W: Work<$type>>(work: W) -> W::Output {
                    work.run::<Avx512>()
                }
                unsafe { inside(work) }
            }
            avx512!(@same $type, $same);
            #[cfg(not(debug_assertions))]
            #[inline(always)]
            unsafe fn add_products<const ROWS: usize, const REGISTERS: usize>(
                sums: &mut [[Self::Vector; REGISTERS]; ROWS],
                k: usize,
                a: Left<$type>,
                b: *const $type,
            ) {
                unsafe {
                    match REGISTERS {
                        2 => $tile::<ROWS>(sums.as_mut_ptr().cast(), k, a, b),
                        _ => product::add_products::<$type, Self, ROWS, REGISTERS>(sums, k, a, b),
                    }
                }
            }
            #[inline(always)]
            unsafe fn where_less(
                a: Self::Vector,
                b: Self::Vector,
                yes: Self::Vector,
                no: Self::Vector,
            ) -> Self::Vector {
                unsafe { $blend($less::<_CMP_LT_OQ>(a, b), no, yes) }
            }
            #[inline(always)]
            unsafe fn abs(v: Self::Vector) -> Self::Vector {
                unsafe { $abs(v) }
            }
            #[inline(always)]
            unsafe fn with_sign(v: Self::Vector, sign: Self::Vector) -> Self::Vector {
                unsafe { $numbers($or($bits(v), $and($bits(sign), $integers($sign)))) }
            }
            #[inline(always)]
            unsafe fn shift_to_exponent(v: Self::Vector) -> Self::Vector {
                unsafe { $numbers($shift::<$mantissa>($bits(v))) }
            }
            #[inline(always)]
            unsafe fn halves(pairs: Self::Vector) -> [Self::Vector; 2] {
                const HALF: u32 = size_of::<$type>() as u32 * 4;
                unsafe {
                    let bits = $bits(pairs);
                    let lower = $numbers($shift::<HALF>(bits));
                    [lower, $numbers($shift::<HALF>($shift_back::<HALF>(bits)))]
                }
            }
            #[inline(always)]
            unsafe fn transpose(square: &mut [[u32; 16]; 16]) {
                unsafe { transpose(square) }
            }
            #[cfg(not(debug_assertions))]
            #[inline(always)]
            unsafe fn add_pairs<const ROWS: usize, const REGISTERS: usize>(
                set: InstructionSet,
                sums: &mut [[Self::Vector; REGISTERS]; ROWS],
                k: usize,
                a: Left<$type>,
                b: *const $type,
            ) {
                unsafe {
                    match (set, REGISTERS) {
                        (InstructionSet::Avx512Bf16, 2) => {
                            add_pairs_f32::<ROWS>(sums.as_mut_ptr().cast(), k, a.cast(), b.cast());
                        }
                        _ => product::add_pairs::<$type, Self, ROWS, REGISTERS>(sums, k, a, b),
                    }
                }
            }
            #[inline(always)]
            unsafe fn scale(v: Self::Vector, n: Self::Vector) -> Self::Vector {
                unsafe { $scale(v, n) }
            }
            #[inline(always)]
            unsafe fn load_part(from: *const $type, count: usize) -> Self::Vector {
                unsafe { $load_part(first_lanes(count) as $mask, from) }
            }
            #[inline(always)]
            unsafe fn store_part(to: *mut $type, v: Self::Vector, count: usize) {
                unsafe { $store_part(to, first_lanes(count) as $mask, v) }
            }
        }
    };
    (@vector ($vector:ty, $($name:ident),*)) => { type Vector = $vector; };
    (@same $type:ty, ($vector:ty, $($name:ident),*)) => { same!($type, $vector, $($name),*); };
}

/// Makes the columns of a square its rows: numbers of two rows side by side, then of four, then quarters of registers.
#[inline(always)]
unsafe fn transpose(square: &mut [[u32; 16]; 16]) {
    unsafe {
        let of =
            |row: usize, square: &[[u32; 16]; 16]| _mm512_loadu_si512(square[row].as_ptr().cast());
        let mut fours = [_mm512_setzero_si512(); 16];
        for first in (0..16).step_by(4) {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| of(first + i, square));
            let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
            fours[first] = _mm512_unpacklo_epi64(ab, cd);
            fours[first + 1] = _mm512_unpackhi_epi64(ab, cd);
            let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
            fours[first + 2] = _mm512_unpacklo_epi64(ab, cd);
            fours[first + 3] = _mm512_unpackhi_epi64(ab, cd);
        }
        for i in 0..4 {
            let [a, b, c, d] = [0, 4, 8, 12].map(|first| fours[first + i]);
            let even = [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d)];
            let odd = [_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d)];
            for (column, register) in [
                (i, _mm512_shuffle_i32x4::<0x88>(even[0], even[1])),
                (4 + i, _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1])),
                (8 + i, _mm512_shuffle_i32x4::<0xdd>(even[0], even[1])),
                (12 + i, _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1])),
            ] {
                _mm512_storeu_si512(square[column].as_mut_ptr().cast(), register);
            }
        }
    }
}

/// A mask of the first `count` lanes.
#[inline(always)]
fn first_lanes(count: usize) -> u32 {
    if count >= 16 { 0xffff } else { (1 << count) - 1 }
}

avx512!(
    f32,
    16,
    23,
    __mmask16,
    _mm512_castps_si512,
    _mm512_castsi512_ps,
    _mm512_and_si512,
    _mm512_or_si512,
    _mm512_slli_epi32,
    _mm512_srli_epi32,
    _mm512_set1_epi32,
    i32::MIN,
    _mm512_cmp_ps_mask,
    _mm512_mask_blend_ps,
    _mm512_abs_ps,
    _mm512_scalef_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    add_products_f32,
    (
        __m512,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_fmadd_ps,
        _mm512_min_ps,
        _mm512_max_ps
    )
);
avx512!(
    f64,
    8,
    52,
    __mmask8,
    _mm512_castpd_si512,
    _mm512_castsi512_pd,
    _mm512_and_si512,
    _mm512_or_si512,
    _mm512_slli_epi64,
    _mm512_srli_epi64,
    _mm512_set1_epi64,
    i64::MIN,
    _mm512_cmp_pd_mask,
    _mm512_mask_blend_pd,
    _mm512_abs_pd,
    _mm512_scalef_pd,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    add_products_f64,
    (
        __m512d,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_set1_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_div_pd,
        _mm512_fmadd_pd,
        _mm512_min_pd,
        _mm512_max_pd
    )
);

macro_rules! avx2 {
    ($type:ty, $lanes:literal, $mantissa:literal, $bits:ident, $numbers:ident, $and:ident,
     $and_not:ident, $or:ident, $shift:ident, $shift_back:ident, $compare:ident, $blend:ident,
     ($vector:ty, $load:ident, $store:ident, $splat:ident, $($name:ident),*)) => {
        // SAFETY: what is called is what the instruction set has.
        unsafe impl Simd<$type> for Avx2 {
            type Vector = $vector;
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = 6;
            compiled_once!($type);

            #[inline(always)]
            unsafe fn run<W: Work<$type>>(work: W) -> W::Output {
                #[target_feature(enable = "avx2,fma")]
                fn inside<W: Work<$type>>(work: W) -> W::Output {
                    work.run::<Avx2>()
                }
                unsafe { inside(work) }
            }
            same!($type, $vector, $load, $store, $splat, $($name),*);
            #[inline(always)]
            unsafe fn where_less(
                a: Self::Vector,
                b: Self::Vector,
                yes: Self::Vector,
                no: Self::Vector,
            ) -> Self::Vector {
                unsafe { $blend(no, yes, $compare::<_CMP_LT_OQ>(a, b)) }
            }
            #[inline(always)]
            unsafe fn abs(v: Self::Vector) -> Self::Vector {
                unsafe { $and_not($splat(-0.0), v) }
            }
            #[inline(always)]
            unsafe fn with_sign(v: Self::Vector, sign: Self::Vector) -> Self::Vector {
                unsafe { $or(v, $and(sign, $splat(-0.0))) }
            }
            #[inline(always)]
            unsafe fn shift_to_exponent(v: Self::Vector) -> Self::Vector {
                unsafe { $numbers($shift::<$mantissa>($bits(v))) }
            }
            #[inline(always)]
            unsafe fn halves(pairs: Self::Vector) -> [Self::Vector; 2] {
                const HALF: i32 = size_of::<$type>() as i32 * 4;
                unsafe {
                    let bits = $bits(pairs);
                    let lower = $numbers($shift::<HALF>(bits));
                    [lower, $numbers($shift::<HALF>($shift_back::<HALF>(bits)))]
                }
            }
        }
    };
}

avx2!(
    f32,
    8,
    23,
    _mm256_castps_si256,
    _mm256_castsi256_ps,
    _mm256_and_ps,
    _mm256_andnot_ps,
    _mm256_or_ps,
    _mm256_slli_epi32,
    _mm256_srli_epi32,
    _mm256_cmp_ps,
    _mm256_blendv_ps,
    (
        __m256,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_fmadd_ps,
        _mm256_min_ps,
        _mm256_max_ps
    )
);
avx2!(
    f64,
    4,
    52,
    _mm256_castpd_si256,
    _mm256_castsi256_pd,
    _mm256_and_pd,
    _mm256_andnot_pd,
    _mm256_or_pd,
    _mm256_slli_epi64,
    _mm256_srli_epi64,
    _mm256_cmp_pd,
    _mm256_blendv_pd,
    (
        __m256d,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_set1_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_div_pd,
        _mm256_fmadd_pd,
        _mm256_min_pd,
        _mm256_max_pd
    )
);
