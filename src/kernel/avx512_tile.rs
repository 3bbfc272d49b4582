//! The loop of a tile in the machine's own language, for AVX-512: `sums += A B` for up to 14 rows of A and a panel of two
//! registers, `k` times 14 broadcasts and 28 multiplications.
//!
//! Written in Rust, it ran at 80 % of the machine's peak with everything in the cache next to the core: of the rows'
//! addresses the compiler makes an addition for each row and k, and these take turns with the multiplications at the same
//! ports. Here the first row and seven multiples of a row's length, made once, reach all rows. The panel is asked for
//! some rows ahead, which is worth a sixth where it comes from the cache that the cores share.

use super::product::Left;
use std::arch::asm;
use std::arch::x86_64::{__m512, __m512d};

macro_rules! tile {
    ($name:ident, $type:ty, $vector:ty, $broadcast:literal, $word:literal, $mul_add:literal) => {
        /// Adds to the sums, two registers a row, the products of `k` columns of A with as many rows of the panel B.
        ///
        /// # Safety
        /// The sums are those of 1 to 14 rows; A and B lie in memory that may be read.
        #[inline]
        #[target_feature(enable = "avx512f")]
        pub(super) unsafe fn $name<const ROWS: usize>(
            sums: *mut $vector,
            k: usize,
            a: Left<$type>,
            b: *const $type,
        ) {
            const { assert!(ROWS >= 1 && ROWS <= 14) }
            if k == 0 {
                return;
            }
            let row = a.row * size_of::<$type>();
            tile!(@rows [$type, $broadcast, $word, $mul_add, ROWS, sums, k, a, b, row] []
                (1 0 l0 r0 "[{a}]")
                (2 1 l1 r1 "[{a} + {row}]")
                (3 2 l2 r2 "[{a} + 2 * {row}]")
                (4 3 l3 r3 "[{a} + {three}]")
                (5 4 l4 r4 "[{a} + 4 * {row}]")
                (6 5 l5 r5 "[{a} + {five}]")
                (7 6 l6 r6 "[{a} + 2 * {three}]")
                (8 7 l7 r7 "[{a} + {seven}]")
                (9 8 l8 r8 "[{a} + 8 * {row}]")
                (10 9 l9 r9 "[{a} + {nine}]")
                (11 10 l10 r10 "[{a} + 2 * {five}]")
                (12 11 l11 r11 "[{a} + {eleven}]")
                (13 12 l12 r12 "[{a} + 4 * {three}]")
                (14 13 l13 r13 "[{a} + {thirteen}]"));
        }
    };
    // A loop for each number of rows, of which the one for ROWS is compiled.
    (@rows $given:tt $before:tt) => {};
    (@rows $given:tt [$($before:tt)*] ($rows:literal $($row:tt)*) $($after:tt)*) => {
        tile!(@loop $given $rows [$($before)* ($($row)*)]);
        tile!(@rows $given [$($before)* ($($row)*)] $($after)*);
    };
    (@loop [$type:ty, $broadcast:literal, $word:literal, $mul_add:literal, $ROWS:ident, $sums:ident, $k:ident, $a:ident,
      $b:ident, $row:ident]
     $rows:literal [$(($m:literal $left:ident $right:ident $address:literal))*]) => {
        if $ROWS == $rows {
            // SAFETY: what the caller promises; asking for memory ahead reads none.
            unsafe {
                asm!(
                    "/* {row} {three} {five} {seven} {nine} {eleven} {thirteen} */",
                    "2:",
                    "vmovups {b0}, [{b} + {k}]",
                    "vmovups {b1}, [{b} + {k} + 64]",
                    "prefetcht0 [{b} + {k} + 2048]",
                    "prefetcht0 [{b} + {k} + 2112]",
                    $(concat!($broadcast, " {a0}, ", $word, " ptr ", $address),
                      concat!($mul_add, " {", stringify!($left), "}, {a0}, {b0}"),
                      concat!($mul_add, " {", stringify!($right), "}, {a0}, {b1}"),)*
                    "add {a}, {inner}",
                    "add {k}, 128",
                    "jnz 2b",
                    a = inout(reg) $a.start => _,
                    inner = in(reg) $a.inner * size_of::<$type>(),
                    row = in(reg) $row,
                    three = in(reg) 3 * $row,
                    five = in(reg) 5 * $row,
                    seven = in(reg) 7 * $row,
                    nine = in(reg) 9 * $row,
                    eleven = in(reg) 11 * $row,
                    thirteen = in(reg) 13 * $row,
                    // Both end at 0 behind the panel, so that one addition is the loop's counter too.
                    b = in(reg) $b.add($k * 128 / size_of::<$type>()),
                    k = inout(reg) -($k as isize * 128) => _,
                    $($left = inout(zmm_reg) *$sums.add(2 * $m),
                      $right = inout(zmm_reg) *$sums.add(2 * $m + 1),)*
                    a0 = out(zmm_reg) _,
                    b0 = out(zmm_reg) _,
                    b1 = out(zmm_reg) _,
                    options(nostack, readonly),
                );
            }
        }
    };
}

tile!(add_pairs_f32, f32, __m512, "vbroadcastss", "dword", "vdpbf16ps");
tile!(add_products_f32, f32, __m512, "vbroadcastss", "dword", "vfmadd231ps");
tile!(add_products_f64, f64, __m512d, "vbroadcastsd", "qword", "vfmadd231pd");
