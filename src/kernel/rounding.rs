//! Factors of products rounded to bf16: the upper half of an `f32`, 8 digits in place of 24, to the nearest, ties to even.
//!
//! Two rounded numbers take the place of one. Where a product's inner index runs along a row, as in A, they are two
//! neighbours of the row; in a panel of B they are the numbers of two neighbouring rows in the same column:
//!
//! ```text
//! A   (a_m0 a_m1) (a_m2 a_m3) …        B   (b_0n b_1n) (b_0,n+1 b_1,n+1) …
//!                                          (b_2n b_3n) (b_2,n+1 b_3,n+1) …
//! ```
//!
//! So one instruction can add `a_m0 b_0n + a_m1 b_1n` to a sum, AMX's and AVX512-BF16's do. Rows are filled with zeros to
//! [`PAIRS`] pairs, a row of AMX's tiles, and an odd number of cache lines long, so that the rows of a tile do not fall into the
//! same sets of the cache.

use super::simd::Element;

/// Pairs that a row is made up to.
pub(super) const PAIRS: usize = 16;

/// Numbers of a row of whole [`PAIRS`].
pub(super) const fn whole(numbers: usize) -> usize {
    numbers.next_multiple_of(2 * PAIRS)
}

/// The places of so many numbers of a row.
pub(super) const fn places(numbers: usize) -> usize {
    whole(numbers) / 2
}

/// Places from one row of A to the next.
pub(super) const fn row(numbers: usize) -> usize {
    ((places(numbers) / PAIRS) | 1) * PAIRS
}

/// The nearest bf16, in the upper half; what is no number stays none.
#[inline(always)]
pub(super) fn rounded(number: f32) -> u32 {
    let bits = number.to_bits();
    let up = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let quiet = bits | 0x0040_0000;
    // By its bits: a comparison of integers, as the rest.
    (if bits & 0x7fff_ffff > 0x7f80_0000 { quiet } else { up }) & 0xffff_0000
}

/// The bits of a number in the memory of the kernels: [`Factors::Pairs`](super::product::Factors::Pairs) are for `f32` alone.
#[inline(always)]
pub(super) fn single<E: Element>(from: *const E) -> *const f32 {
    debug_assert!(size_of::<E>() == size_of::<f32>());
    from.cast()
}

/// Rounds numbers that lie one after the other into the places from `to` on, beginning with the lower half of the first.
///
/// # Safety
/// The numbers may be read and the places written.
#[inline(always)]
pub(super) unsafe fn round<E: Element>(from: *const E, count: usize, to: *mut E) {
    /// Numbers that the compiler makes one register of.
    const AT_ONCE: usize = 16;
    let (from, to) = (single(from), to.cast::<u16>());
    let upper = |number: f32| (rounded(number) >> 16) as u16;
    let whole = count / AT_ONCE * AT_ONCE;
    // SAFETY: what the caller promises.
    unsafe {
        for i in (0..whole).step_by(AT_ONCE) {
            let numbers = from.add(i).cast::<[f32; AT_ONCE]>().read_unaligned();
            let mut halves = [0; AT_ONCE];
            for n in 0..AT_ONCE {
                halves[n] = upper(numbers[n]);
            }
            to.add(i).cast::<[u16; AT_ONCE]>().write_unaligned(halves);
        }
        for i in whole..count {
            to.add(i).write(upper(*from.add(i)));
        }
    }
}

/// Rounds a row and fills it up with zeros.
///
/// # Safety
/// As [`round`].
#[inline(always)]
pub(super) unsafe fn round_row<E: Element>(from: *const E, count: usize, to: *mut E) {
    // SAFETY: the row's places.
    unsafe {
        round(from, count, to);
        let to = to.cast::<u16>();
        for i in count..whole(count) {
            to.add(i).write(0);
        }
    }
}

/// The pair of two rounded numbers, the first one in the lower half.
#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> u32 {
    rounded(first) >> 16 | rounded(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_ties_to_even() {
        let bits = |number: f32| rounded(number) >> 16;
        assert_eq!(bits(1.0), 0x3f80);
        assert_eq!(bits(-0.0), 0x8000);
        // Half a unit beside an even and an odd number, and a little more and less.
        assert_eq!(bits(1.0 + 1.0 / 256.0), 0x3f80);
        assert_eq!(bits(1.0 + 3.0 / 256.0), 0x3f82);
        assert_eq!(bits(f32::from_bits(0x3f80_8001)), 0x3f81);
        assert_eq!(bits(f32::from_bits(0x3f81_7fff)), 0x3f81);
        // What is too large for bf16 is infinite, and what is no number stays none, whatever its bits.
        assert_eq!(bits(f32::MAX), 0x7f80);
        assert_eq!(bits(f32::NEG_INFINITY), 0xff80);
        for nan in [0x7f80_0001, 0x7fff_ffff, 0xff80_0001, 0xffff_ffff] {
            assert!(f32::from_bits(rounded(f32::from_bits(nan))).is_nan());
        }
    }

    #[test]
    fn a_rounded_number_is_at_most_half_a_unit_away() {
        for i in 0..1_000_000_u32 {
            let number = f32::from_bits(i.wrapping_mul(4293) % 0x7f00_0000);
            let error = (f64::from(f32::from_bits(rounded(number))) - f64::from(number)).abs();
            let unit = f64::from(f32::from_bits(number.to_bits() & 0x7f80_0000)) / 128.0;
            assert!(error <= (unit / 2.0).max(f64::from(f32::from_bits(0x8000))), "{number:e}");
        }
    }

    #[test]
    fn rows_are_whole_tiles_and_an_odd_number_of_lines() {
        for numbers in 1..200 {
            assert!(2 * places(numbers) >= numbers && places(numbers).is_multiple_of(PAIRS));
            assert!(row(numbers) >= places(numbers) && row(numbers) / PAIRS % 2 == 1);
        }
    }
}
