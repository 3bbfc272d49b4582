//! Products of matrices: `C += A B`, where B was packed into panels once and is used many times.
//!
//! A panel is a strip of B's columns, one or two registers wide, stored row after row. A tile of C is a
//! few rows of one panel's width: small enough that its sums stay in registers while k runs over the
//! whole inner dimension. Each number of C is one chain of additions in the order of k, whatever the
//! tile it lies in, so that the result does not depend on how the rows are split.

// The indices are those of the formulas, and surely unrolled.
#![allow(clippy::needless_range_loop)]

use super::simd::{Element, InstructionSet, Simd, Work};
use super::{Machine, Precision, rounding};
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

/// All rows at once if they are so many, else in [`tiles`].
pub(super) fn tiles_or_all<E: Element, I: Simd<E>>(
    rows: usize,
    at_once: usize,
) -> impl Iterator<Item = Range<usize>> {
    let all = (rows > 0 && rows == at_once).then_some(0..rows);
    let in_tiles = if all.is_some() { 0 } else { rows };
    all.into_iter().chain(tiles::<E, I>(in_tiles))
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

#[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
impl<E> Left<E> {
    /// The same bits as numbers of another type of the same size.
    pub fn cast<F>(self) -> Left<F> {
        let Self { start, row, inner } = self;
        Left { start: start.cast(), row, inner }
    }
}

/// What a product multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factors {
    /// Numbers of A and B as they are.
    Numbers,
    /// Numbers of A and B rounded to bf16, in pairs, by that instruction set: [`rounding`].
    Pairs(InstructionSet),
}

impl Factors {
    /// What the machine is to multiply. Double precision is not rounded.
    pub fn of<E: Element>(machine: &Machine) -> Self {
        match machine.precision {
            Precision::Bf16 if size_of::<E>() == size_of::<f32>() => Self::Pairs(machine.set),
            _ => Self::Numbers,
        }
    }

    pub fn are_rounded(self) -> bool {
        self != Self::Numbers
    }

    /// The places that a product with so many inner numbers goes through.
    pub fn places(self, numbers: usize) -> usize {
        match self {
            Self::Numbers => numbers,
            Self::Pairs(_) => rounding::places(numbers),
        }
    }

    /// Rows of A, `[rows, numbers]`, as the products read them: where they lie, or rounded in the places of `pairs`.
    ///
    /// # Safety
    /// The rows may be read.
    #[inline(always)]
    pub unsafe fn left<E: Element>(
        self,
        from: Left<E>,
        (rows, numbers): (usize, usize),
        pairs: &mut [E],
    ) -> Left<E> {
        if self == Self::Numbers {
            return from;
        }
        let row = rounding::row(numbers);
        for (r, pairs) in pairs.chunks_exact_mut(row).take(rows).enumerate() {
            // SAFETY: the caller's row; a row of pairs has the places.
            unsafe {
                rounding::round_row(from.start.add(r * from.row), numbers, pairs.as_mut_ptr())
            };
        }
        Left { start: pairs.as_ptr(), row, inner: 1 }
    }

    /// Makes this thread ready for products, until what it returns is dropped.
    pub(super) fn begin(self) -> Option<Ready> {
        #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
        if self == Self::Pairs(InstructionSet::Amx) {
            return Some(Ready::begin());
        }
        None
    }
}

#[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
type Ready = super::amx::Tiles;
#[cfg(not(all(target_arch = "x86_64", not(debug_assertions))))]
type Ready = std::convert::Infallible;

/// `C = S + A B` for some rows of A and one panel of B, where S may be C itself or one row for all.
#[derive(Clone, Copy)]
pub(crate) struct Product<E> {
    pub factors: Factors,
    /// The inner dimension, in places.
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

    /// The same, added to what is in C.
    #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
    pub fn onto_itself(self) -> Self {
        Self { s: self.c, s_row: self.c_row, ..self }
    }

    /// The same bits as numbers of another type of the same size.
    #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
    fn cast<F>(self) -> Product<F> {
        let Self { factors, k, a, b, c, c_row, s, s_row } = self;
        let (a, b, c, s) = (a.cast(), b.cast(), c.cast(), s.cast());
        Product { factors, k, a, b, c, c_row, s, s_row }
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
        unsafe {
            match product.factors {
                Factors::Numbers => I::run(Tile::<E, ROWS, REGISTERS>(product)),
                Factors::Pairs(set) => I::run(TileOfPairs::<E, ROWS, REGISTERS> { set, product }),
            }
        }
    }
}

struct Tile<E, const ROWS: usize, const REGISTERS: usize>(Product<E>);

impl<E: Element, const ROWS: usize, const REGISTERS: usize> Work<E> for Tile<E, ROWS, REGISTERS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Product { k, a, b, c, c_row, s, s_row, .. } = self.0;
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

struct TileOfPairs<E, const ROWS: usize, const REGISTERS: usize> {
    set: InstructionSet,
    product: Product<E>,
}

impl<E: Element, const ROWS: usize, const REGISTERS: usize> Work<E>
    for TileOfPairs<E, ROWS, REGISTERS>
{
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { set, product: Product { k, a, b, c, c_row, s, s_row, .. } } = self;
        // SAFETY: `tile` passes its caller's promise on.
        unsafe {
            let mut sums = [[I::splat(E::default()); REGISTERS]; ROWS];
            for m in 0..ROWS {
                for n in 0..REGISTERS {
                    sums[m][n] = I::load(s.add(m * s_row + n * I::LANES));
                }
            }
            I::add_pairs(set, &mut sums, k, a, b);
            for m in 0..ROWS {
                for n in 0..REGISTERS {
                    I::store(c.add(m * c_row + n * I::LANES), sums[m][n]);
                }
            }
        }
    }
}

/// Adds to the sums of a tile the products of `k` pairs of columns of A with as many pairs of rows of the panel B.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
pub(super) unsafe fn add_pairs<
    E: Element,
    I: Simd<E>,
    const ROWS: usize,
    const REGISTERS: usize,
>(
    sums: &mut [[I::Vector; REGISTERS]; ROWS],
    k: usize,
    a: Left<E>,
    b: *const E,
) {
    unsafe {
        for i in 0..k {
            let mut right = [[I::splat(E::default()); 2]; REGISTERS];
            for n in 0..REGISTERS {
                right[n] = I::halves(I::load(b.add((i * REGISTERS + n) * I::LANES)));
            }
            for m in 0..ROWS {
                let left = I::halves(I::splat(*a.start.add(m * a.row + i * a.inner)));
                for n in 0..REGISTERS {
                    for half in 0..2 {
                        sums[m][n] = I::mul_add(left[half], right[n][half], sums[m][n]);
                    }
                }
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
        let Product { k, a, b, c, c_row, s, s_row, .. } = product;
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
    #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
    if product.factors == Factors::Pairs(InstructionSet::Amx) {
        // SAFETY: the numbers of pairs are those of `f32`; who multiplies them has tiles.
        return unsafe { super::amx::strip(rows, registers, product.cast()) };
    }
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

#[cfg(test)]
mod tests {
    use super::super::arena::Buffer;
    use super::super::threads::in_parallel;
    use super::*;

    /// The product of small whole numbers, whose sums are exact in any order.
    struct Whole {
        factors: Factors,
        rows: usize,
        numbers: usize,
        registers: usize,
        one_row_for_all: bool,
    }

    fn a(m: usize, k: usize) -> f32 {
        ((m * 7 + k * 3) % 11) as f32 - 5.0
    }

    fn b(k: usize, n: usize) -> f32 {
        ((k * 5 + n * 2) % 13) as f32 - 6.0
    }

    fn s(m: usize, n: usize) -> f32 {
        (m * 3 + n) as f32
    }

    impl Work<f32> for Whole {
        type Output = ();

        #[inline(always)]
        fn run<I: Simd<f32>>(self) {
            let Self { factors, rows, numbers, registers, one_row_for_all } = self;
            let width = registers * I::LANES;
            let k = factors.places(numbers);
            // Rows of A and C with a gap behind them, which no product may touch.
            let (a_row, c_row) = (rounding::row(numbers).max(numbers) + 3, width + 5);
            let mut left = Buffer::<f32>::stale(rows * a_row);
            left.fill(f32::NAN);
            let mut right = Buffer::<f32>::zeros(k * width);
            let at = |k: usize, n: usize| if k < numbers { b(k, n) } else { 0.0 };
            for m in 0..rows {
                let row: Vec<f32> = (0..numbers).map(|k| a(m, k)).collect();
                let to = &mut left[m * a_row..];
                match factors {
                    Factors::Numbers => to[..numbers].copy_from_slice(&row),
                    // SAFETY: the row has the places.
                    Factors::Pairs(_) => unsafe {
                        rounding::round_row(row.as_ptr(), numbers, to.as_mut_ptr());
                    },
                }
            }
            for i in 0..k {
                for n in 0..width {
                    right[i * width + n] = match factors {
                        Factors::Numbers => at(i, n),
                        Factors::Pairs(_) => {
                            f32::from_bits(rounding::pair(at(2 * i, n), at(2 * i + 1, n)))
                        }
                    };
                }
            }
            let start: Vec<f32> = (0..c_row).map(|n| s(0, n)).collect();
            let mut c: Vec<f32> = (0..rows * c_row).map(|i| s(i / c_row, i % c_row)).collect();
            let untouched = c.clone();
            let to = c.as_mut_ptr();
            let (s_start, s_row) =
                if one_row_for_all { (start.as_ptr(), 0) } else { (to.cast_const(), c_row) };
            let left = Left { start: left.as_ptr(), row: a_row, inner: 1 };
            let (b_start, c_start) = (right.as_ptr(), to);
            let _ready = factors.begin();
            // SAFETY: the buffers are as large as the product says, and this thread is ready.
            unsafe {
                strip::<f32, I>(
                    rows,
                    registers,
                    Product {
                        factors,
                        k,
                        a: left,
                        b: b_start,
                        c: c_start,
                        c_row,
                        s: s_start,
                        s_row,
                    },
                );
            }
            for m in 0..rows {
                for n in 0..c_row {
                    let place = m * c_row + n;
                    let expected = if n < width {
                        let from = if one_row_for_all { s(0, n) } else { s(m, n) };
                        from + (0..numbers).map(|k| a(m, k) * b(k, n)).sum::<f32>()
                    } else {
                        untouched[place]
                    };
                    let case = (factors, rows, numbers, registers, one_row_for_all);
                    assert_eq!(c[place], expected, "row {m}, column {n} of {case:?}");
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_multiplied_exactly() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for rows in (1..=35).chain([48, 63, 64, 65, 96, 97]) {
                for numbers in [1, 2, 31, 32, 33, 64, 95] {
                    for registers in [1, 2] {
                        for one_row_for_all in [false, true] {
                            for factors in [Factors::Numbers, Factors::Pairs(set)] {
                                let whole =
                                    Whole { factors, rows, numbers, registers, one_row_for_all };
                                f32::run(set, whole);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Tiles are a thread's own: two threads set theirs to other shapes at the same time, and one after the other.
    #[test]
    fn each_thread_sets_its_own_tiles() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            in_parallel(3, |part| {
                for turn in 0..200 {
                    let (rows, registers) = (1 + (part * 13 + turn) % 40, 1 + (part + turn) % 2);
                    let factors = Factors::Pairs(set);
                    let whole =
                        Whole { factors, rows, numbers: 40, registers, one_row_for_all: false };
                    f32::run(set, whole);
                }
            });
        }
    }
}
