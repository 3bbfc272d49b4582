//! Products of matrices: `C += A B`, where B was packed into panels once and is used many times.
//!
//! A panel is a strip of B's columns, one or two registers wide, stored row after row. A tile of C is a
//! few rows of one panel's width: small enough that its sums stay in registers while k runs over the
//! whole inner dimension. Each number of C is one chain of additions in the order of k, whatever the
//! tile it lies in, so that the result does not depend on how the rows are split.

// The indices are those of the formulas, and surely unrolled.
#![allow(clippy::needless_range_loop)]

use super::simd::{Element, Simd, Work};
use std::ops::Range;

/// Columns of a full panel: two registers.
pub(super) const fn panel<E: Element, I: Simd<E>>() -> usize {
    2 * I::LANES
}

/// `columns` rounded up to whole registers.
pub(super) const fn padded<E: Element, I: Simd<E>>(columns: usize) -> usize {
    columns.next_multiple_of(I::LANES)
}

/// Rows split into as few tiles as there must be, of sizes as equal as can be.
pub(super) fn tiles<E: Element, I: Simd<E>>(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let count = rows.div_ceil(I::TILE_ROWS);
    (0..count).map(move |i| rows * i / count..rows * (i + 1) / count)
}

/// Where the numbers of a tile of A lie: row `m` and inner index `k` at `start + m row + k inner`.
#[derive(Clone, Copy)]
pub(crate) struct Left<E> {
    /// The first number.
    pub start: *const E,
    /// From one row to the next.
    pub row: usize,
    /// From one inner index to the next.
    pub inner: usize,
}

/// `C = S + A B` for some rows of A and one panel of B, where S may be C itself or one row for all.
#[derive(Clone, Copy)]
pub(crate) struct Product<E> {
    /// The inner dimension.
    pub k: usize,
    /// The rows of A.
    pub a: Left<E>,
    /// The panel: `k` rows of one or two registers.
    pub b: *const E,
    /// The first number of C.
    pub c: *mut E,
    /// From one row of C to the next.
    pub c_row: usize,
    /// The first number of S.
    pub s: *const E,
    /// From one row of S to the next: 0 if it is one for all.
    pub s_row: usize,
}

impl<E> Product<E> {
    /// The same for the rows from there on.
    ///
    /// # Safety
    /// There must be such rows.
    #[inline(always)]
    pub unsafe fn at_row(self, row: usize) -> Self {
        unsafe {
            let a = Left { start: self.a.start.add(row * self.a.row), ..self.a };
            let s = self.s.add(row * self.s_row);
            Self { a, c: self.c.add(row * self.c_row), s, ..self }
        }
    }

    /// The same for the panel so much further on in B, with its columns so much further on in C and S.
    ///
    /// # Safety
    /// There must be such a panel.
    #[inline(always)]
    pub unsafe fn of_panel(self, b: usize, c: usize) -> Self {
        unsafe { Self { b: self.b.add(b), c: self.c.add(c), s: self.s.add(c), ..self } }
    }
}

/// The product of one tile: `rows` of C, `registers` (1 or 2) wide.
///
/// # Safety
/// What the product says must lie in memory that may be read, and C in memory that may be written;
/// inside of [`Simd::run`].
pub(super) unsafe fn tile<E: Element, I: Simd<E>>(
    rows: usize,
    registers: usize,
    product: Product<E>,
) {
    macro_rules! by_rows {
        ($registers:literal: $($rows:literal)*) => {
            match rows {
                $($rows => unsafe { entry::<E, I, $rows, $registers>(product) },)*
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    match registers {
        1 => by_rows!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        _ => by_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
    }
}

#[inline(never)]
unsafe fn entry<E: Element, I: Simd<E>, const ROWS: usize, const REGISTERS: usize>(
    product: Product<E>,
) {
    if ROWS <= I::TILE_ROWS {
        unsafe { I::run(Tile::<E, ROWS, REGISTERS>(product)) }
    }
}

struct Tile<E, const ROWS: usize, const REGISTERS: usize>(Product<E>);

impl<E: Element, const ROWS: usize, const REGISTERS: usize> Work<E> for Tile<E, ROWS, REGISTERS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Product { k, a, b, c, c_row, s, s_row } = self.0;
        // SAFETY: `tile` passes its caller's promise on.
        unsafe {
            let mut sums = [[I::splat(E::default()); REGISTERS]; ROWS];
            for m in 0..ROWS {
                for n in 0..REGISTERS {
                    sums[m][n] = I::load(s.add(m * s_row + n * I::LANES));
                }
            }
            I::add_products(&mut sums, k, a, b);
            for m in 0..ROWS {
                for n in 0..REGISTERS {
                    I::store(c.add(m * c_row + n * I::LANES), sums[m][n]);
                }
            }
        }
    }
}

/// Adds to the sums of a tile the products of `k` columns of A with as many rows of the panel B.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
pub(super) unsafe fn add_products<
    E: Element,
    I: Simd<E>,
    const ROWS: usize,
    const REGISTERS: usize,
>(
    sums: &mut [[I::Vector; REGISTERS]; ROWS],
    k: usize,
    a: Left<E>,
    mut b: *const E,
) {
    unsafe {
        // Every third row's address; the rows between are reached by the machine's own scaling.
        let mut at: [*const E; ROWS] = [a.start; ROWS];
        for m in (0..ROWS).step_by(3) {
            at[m] = a.start.add(m * a.row);
        }
        for _ in 0..k {
            let mut right = [I::splat(E::default()); REGISTERS];
            for n in 0..REGISTERS {
                right[n] = I::load(b.add(n * I::LANES));
            }
            b = b.add(REGISTERS * I::LANES);
            for m in 0..ROWS {
                let left = I::splat(*at[m - m % 3].add(m % 3 * a.row));
                for n in 0..REGISTERS {
                    sums[m][n] = I::mul_add(left, right[n], sums[m][n]);
                }
            }
            for m in (0..ROWS).step_by(3) {
                at[m] = at[m].add(a.inner);
            }
        }
    }
}

/// The products of several panels with the same rows, each two registers wide: the panels of B lie
/// `b_next` apart, their columns of C `c_next`. Few rows alone would wait for their own sums; here the
/// machine adds to the sums of up to four panels in turn.
///
/// # Safety
/// As [`tile`].
pub(super) unsafe fn tile_of_panels<E: Element, I: Simd<E>>(
    rows: usize,
    panels: usize,
    (b_next, c_next): (usize, usize),
    product: Product<E>,
) {
    let together = (I::TILE_ROWS / rows).clamp(1, 4);
    for first in (0..panels).step_by(together) {
        let count = (panels - first).min(together);
        // SAFETY: some of the caller's panels.
        unsafe {
            let product = product.of_panel(first * b_next, first * c_next);
            macro_rules! by_panels {
                ($(($rows:literal, $panels:literal))*) => {
                    match (rows, count) {
                        $(($rows, $panels) => {
                            wide_entry::<E, I, $rows, $panels>(product, b_next, c_next);
                        })*
                        _ => {
                            for i in 0..count {
                                tile::<E, I>(rows, 2, product.of_panel(i * b_next, i * c_next));
                            }
                        }
                    }
                };
            }
            by_panels!((1, 2)(1, 3)(1, 4)(2, 2)(2, 3)(2, 4)(3, 2)(3, 3)(3, 4));
        }
    }
}

#[inline(never)]
unsafe fn wide_entry<E: Element, I: Simd<E>, const ROWS: usize, const PANELS: usize>(
    product: Product<E>,
    b_next: usize,
    c_next: usize,
) {
    if ROWS * PANELS <= I::TILE_ROWS {
        unsafe { I::run(WideTile::<E, ROWS, PANELS> { product, b_next, c_next }) }
    }
}

struct WideTile<E, const ROWS: usize, const PANELS: usize> {
    product: Product<E>,
    b_next: usize,
    c_next: usize,
}

impl<E: Element, const ROWS: usize, const PANELS: usize> Work<E> for WideTile<E, ROWS, PANELS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { product, b_next, c_next } = self;
        let Product { k, a, b, c, c_row, s, s_row } = product;
        // SAFETY: `tile_of_panels` passes its caller's promise on.
        unsafe {
            let mut sums = [[[I::splat(E::default()); 2]; PANELS]; ROWS];
            for m in 0..ROWS {
                for p in 0..PANELS {
                    for n in 0..2 {
                        sums[m][p][n] = I::load(s.add(m * s_row + p * c_next + n * I::LANES));
                    }
                }
            }
            let mut at: [*const E; PANELS] = [b; PANELS];
            for (p, at) in at.iter_mut().enumerate() {
                *at = b.add(p * b_next);
            }
            for i in 0..k {
                let mut left = [I::splat(E::default()); ROWS];
                for m in 0..ROWS {
                    left[m] = I::splat(*a.start.add(m * a.row + i * a.inner));
                }
                for p in 0..PANELS {
                    for n in 0..2 {
                        let right = I::load(at[p].add(n * I::LANES));
                        for m in 0..ROWS {
                            sums[m][p][n] = I::mul_add(left[m], right, sums[m][p][n]);
                        }
                    }
                    at[p] = at[p].add(2 * I::LANES);
                }
            }
            for m in 0..ROWS {
                for p in 0..PANELS {
                    for n in 0..2 {
                        I::store(c.add(m * c_row + p * c_next + n * I::LANES), sums[m][p][n]);
                    }
                }
            }
        }
    }
}

/// The tiles of one panel of `rows` rows.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
pub(super) unsafe fn strip<E: Element, I: Simd<E>>(
    rows: usize,
    registers: usize,
    product: Product<E>,
) {
    for rows in tiles::<E, I>(rows) {
        // SAFETY: the rows are some of the caller's.
        unsafe { I::tile(rows.len(), registers, product.at_row(rows.start)) };
    }
}

/// A strip of columns: where it starts, how many registers it is wide and how many of its columns
/// there really are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Panel {
    pub start: usize,
    pub registers: usize,
    pub columns: usize,
}

/// The panels of a matrix of that many columns.
pub(super) fn panels<E: Element, I: Simd<E>>(
    columns: usize,
) -> impl Iterator<Item = Panel> + Clone {
    (0..columns).step_by(panel::<E, I>()).map(move |start| {
        let columns = (columns - start).min(panel::<E, I>());
        Panel { start, registers: columns.div_ceil(I::LANES), columns }
    })
}
