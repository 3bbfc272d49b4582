//! What an instruction set can do with a register of numbers.

use super::arena::Buffer;
use super::backward::PreActivations;
use super::gradients::{Sums, Wanted};
use super::product::{self, Factors, Left, Product};
use super::threads::Shared;
use super::{Layout, Recurrence};
use std::fmt::Debug;
use std::ops::{Add, Mul};
use std::sync::OnceLock;

/// A type of number that the kernels compute with: `f32` or `f64`.
///
/// # Safety
/// Any bits must be a number of the type.
pub(crate) unsafe trait Element:
    Copy + Default + PartialEq + Add<Output = Self> + Mul<Output = Self> + Send + Sync + Debug + 'static
{
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;

    /// The number as an `f64`.
    fn to_f64(self) -> f64;

    /// Does the work with the instruction set.
    fn run<W: Work<Self>>(set: InstructionSet, work: W) -> W::Output;
}

/// Something to do with an instruction set that is known only at run time.
pub(crate) trait Work<E: Element> {
    /// What it returns.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`, so that their code is compiled for the
    /// instruction set that calls it.
    fn run<I: Simd<E>>(self) -> Self::Output;
}

/// An instruction set, for numbers of the type `E`: registers of [`Simd::LANES`] numbers.
///
/// # Safety
/// All functions but [`Simd::run`] may be called only inside of it, that is, on a machine that has
/// the instruction set; loads and stores read and write `LANES` numbers at any alignment.
#[allow(clippy::missing_safety_doc)]
pub(crate) unsafe trait Simd<E: Element>: Copy + Send + Sync + 'static {
    /// A register.
    type Vector: Copy;
    /// Numbers in a register.
    const LANES: usize;
    /// Rows of the largest tile of a product: with two registers a row, their sums and the
    /// operands of the next step just fit into the registers.
    const TILE_ROWS: usize;

    /// Does the work, compiled for this instruction set.
    unsafe fn run<W: Work<E>>(work: W) -> W::Output;

    unsafe fn load(from: *const E) -> Self::Vector;
    unsafe fn store(to: *mut E, v: Self::Vector);
    unsafe fn splat(value: E) -> Self::Vector;
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a b + c`, rounded once where the instruction set can.
    unsafe fn mul_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The lesser of both; `value` where it is not a number.
    unsafe fn at_most(value: Self::Vector, bound: Self::Vector) -> Self::Vector;
    /// The greater of both; `value` where it is not a number.
    unsafe fn at_least(value: Self::Vector, bound: Self::Vector) -> Self::Vector;
    /// `yes` where `a < b`, else `no`.
    unsafe fn where_less(
        a: Self::Vector,
        b: Self::Vector,
        yes: Self::Vector,
        no: Self::Vector,
    ) -> Self::Vector;
    unsafe fn abs(v: Self::Vector) -> Self::Vector;
    /// The size of `v`, which is not negative, with the sign of `sign`.
    unsafe fn with_sign(v: Self::Vector, sign: Self::Vector) -> Self::Vector;
    /// The bits of the number moved up into the exponent.
    unsafe fn shift_to_exponent(v: Self::Vector) -> Self::Vector;

    /// `v 2ⁿ` for a whole number n between twice the least and twice the greatest exponent, rounded once.
    #[inline(always)]
    unsafe fn scale(v: Self::Vector, n: Self::Vector) -> Self::Vector {
        // 2ⁿ alone may be too small or too large for a number; the halves are not. The greatest power of
        // two without fraction, added and taken away, rounds.
        let (digits, bias) = if size_of::<E>() == 4 { (23, 127.0) } else { (52, 1023.0) };
        let unit = 1.5 * (1u64 << digits) as f64;
        unsafe {
            let magic = Self::splat(E::from_f64(unit));
            let half = Self::mul(n, Self::splat(E::from_f64(0.5)));
            let half = Self::sub(Self::add(half, magic), magic);
            let biased = Self::splat(E::from_f64(unit + bias));
            let power = |n| Self::shift_to_exponent(Self::add(n, biased));
            Self::mul(Self::mul(v, power(half)), power(Self::sub(n, half)))
        }
    }

    /// `add_products` of `product`, or what does the same faster.
    #[inline(always)]
    unsafe fn add_products<const ROWS: usize, const REGISTERS: usize>(
        sums: &mut [[Self::Vector; REGISTERS]; ROWS],
        k: usize,
        a: Left<E>,
        b: *const E,
    ) {
        unsafe { product::add_products::<E, Self, ROWS, REGISTERS>(sums, k, a, b) }
    }

    /// The numbers of pairs of bf16: those in the lower halves and those in the upper ones.
    unsafe fn halves(pairs: Self::Vector) -> [Self::Vector; 2];

    /// Makes the columns of a square its rows.
    #[inline(always)]
    unsafe fn transpose(square: &mut [[u32; 16]; 16]) {
        let rows = *square;
        for (n, column) in square.iter_mut().enumerate() {
            for (to, row) in column.iter_mut().zip(&rows) {
                *to = row[n];
            }
        }
    }

    /// `add_pairs` of `product`, or by AVX512-BF16 what does the same up to rounding.
    #[inline(always)]
    unsafe fn add_pairs<const ROWS: usize, const REGISTERS: usize>(
        _set: InstructionSet,
        sums: &mut [[Self::Vector; REGISTERS]; ROWS],
        k: usize,
        a: Left<E>,
        b: *const E,
    ) {
        unsafe { product::add_pairs::<E, Self, ROWS, REGISTERS>(sums, k, a, b) }
    }

    /// `tile` of `product`.
    unsafe fn tile(rows: usize, registers: usize, product: Product<E>);
    /// `tile_of_panels` of `product`.
    unsafe fn tile_of_panels(rows: usize, panels: usize, next: (usize, usize), product: Product<E>);
    /// `gates` of `packing`.
    fn pack_gates(w: &[E], layout: &Layout, factors: Factors, threads: usize) -> Buffer<E>;
    /// `transposed` of `packing`.
    fn pack_transposed(
        w: &[E],
        rows: usize,
        layout: &Layout,
        factors: Factors,
        threads: usize,
    ) -> Buffer<E>;
    /// `no_sums` of `gradients`.
    fn no_sums(
        recurrence: &Recurrence<'_, E>,
        layout: &Layout,
        wanted: (Wanted, Option<Shared<E>>),
        factors: Factors,
        threads: usize,
    ) -> Sums<E>;
    /// `add_to_sums` of `gradients`.
    fn add_to_sums(
        sums: &mut Sums<E>,
        recurrence: &Recurrence<'_, E>,
        layout: &Layout,
        hidden: &[E],
        walked: &PreActivations<E>,
        threads: usize,
    );

    /// The first `count` numbers; zero in the other lanes.
    #[inline(always)]
    unsafe fn load_part(from: *const E, count: usize) -> Self::Vector {
        let mut lanes = [E::default(); 16];
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count.min(Self::LANES));
            Self::load(lanes.as_ptr())
        }
    }

    /// Stores the first `count` numbers.
    #[inline(always)]
    unsafe fn store_part(to: *mut E, v: Self::Vector, count: usize) {
        let mut lanes = [E::default(); 16];
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count.min(Self::LANES));
        }
    }
}

/// What does not depend on the cell: it is compiled here once for each instruction set, not again wherever
/// a cell is.
macro_rules! compiled_once {
    ($type:ty) => {
        unsafe fn tile(rows: usize, registers: usize, product: Product<$type>) {
            unsafe { product::tile::<$type, Self>(rows, registers, product) }
        }
        unsafe fn tile_of_panels(
            rows: usize,
            panels: usize,
            next: (usize, usize),
            product: Product<$type>,
        ) {
            unsafe { product::tile_of_panels::<$type, Self>(rows, panels, next, product) }
        }
        fn pack_gates(
            w: &[$type],
            layout: &Layout,
            factors: Factors,
            threads: usize,
        ) -> Buffer<$type> {
            packing::gates::<$type, Self>(w, layout, factors, threads)
        }
        fn pack_transposed(
            w: &[$type],
            rows: usize,
            layout: &Layout,
            factors: Factors,
            threads: usize,
        ) -> Buffer<$type> {
            packing::transposed::<$type, Self>(w, rows, layout, factors, threads)
        }
        fn no_sums(
            recurrence: &Recurrence<'_, $type>,
            layout: &Layout,
            wanted: (Wanted, Option<Shared<$type>>),
            factors: Factors,
            threads: usize,
        ) -> Sums<$type> {
            gradients::no_sums::<$type, Self>(recurrence, layout, wanted, factors, threads)
        }
        fn add_to_sums(
            sums: &mut Sums<$type>,
            recurrence: &Recurrence<'_, $type>,
            layout: &Layout,
            hidden: &[$type],
            walked: &PreActivations<$type>,
            threads: usize,
        ) {
            gradients::add_to_sums::<$type, Self>(sums, recurrence, layout, hidden, walked, threads)
        }
    };
}
pub(super) use compiled_once;

/// The instruction sets that there are kernels for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX-512, with products of bf16 on tile registers.
    Amx,
    /// AVX-512, with products of bf16 by its extension AVX512-BF16.
    Avx512Bf16,
    /// AVX-512 (F): 32 registers of 16 `f32`.
    Avx512,
    /// AVX2 with FMA: 16 registers of 8 `f32`.
    Avx2,
    /// Whatever the compiler makes of groups of four `f32`: NEON on 64-bit ARM, SSE2 on x86-64.
    Portable,
}

impl InstructionSet {
    /// All of them, the fastest first.
    pub const ALL: [Self; 5] =
        [Self::Amx, Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Portable];

    /// The name by which [`VARIABLE`] knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// The fastest one that this machine has, or the one that the environment variable [`VARIABLE`]
    /// names.
    ///
    /// # Errors
    /// If the variable names none, or one that this machine does not have.
    pub fn chosen() -> Result<Self, InstructionSetError> {
        static CHOSEN: OnceLock<Result<InstructionSet, InstructionSetError>> = OnceLock::new();
        let choose = || {
            let available = || Self::ALL.into_iter().filter(|set| set.is_available());
            let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
                let fastest = available().find(|set| set.is_fast());
                return Ok(fastest.expect("the portable one is always there"));
            };
            available().find(|set| name == set.name()).ok_or_else(|| InstructionSetError {
                name: name.to_string_lossy().into_owned(),
                available: available().map(Self::name).collect::<Vec<_>>().join(", "),
            })
        };
        CHOSEN.get_or_init(choose).clone()
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
            Self::Amx => super::amx::is_available(),
            #[cfg(all(target_arch = "x86_64", not(debug_assertions)))]
            Self::Avx512Bf16 => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
            }
            #[cfg(all(target_arch = "x86_64", debug_assertions))]
            Self::Amx | Self::Avx512Bf16 => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Amx | Self::Avx512Bf16 | Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// Whether it has instructions that multiply numbers of bf16.
    pub fn multiplies_bf16(self) -> bool {
        matches!(self, Self::Amx | Self::Avx512Bf16)
    }

    /// Whether the machine is the faster for it. Intel's processors multiply bf16 in registers at half the speed of `f32`, those of
    /// AMD at twice that speed.
    fn is_fast(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self == Self::Avx512Bf16 {
            let vendor = std::arch::x86_64::__cpuid(0);
            return [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened()
                == b"AuthenticAMD";
        }
        true
    }
}

/// An instruction set was asked for that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}={name}: this machine has {available}")]
pub struct InstructionSetError {
    name: String,
    available: String,
}

/// The environment variable that forces an instruction set: `amx`, `avx512bf16`,
/// `avx512`, `avx2` or `portable`.
pub const VARIABLE: &str = "BPTT_INSTRUCTION_SET";

macro_rules! element {
    ($type:ty) => {
        // SAFETY: any bits are a float.
        unsafe impl Element for $type {
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            #[allow(clippy::unnecessary_cast)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            fn run<W: Work<Self>>(set: InstructionSet, work: W) -> W::Output {
                assert!(set.is_available(), "this machine has no {}", set.name());
                // SAFETY: the machine has the instruction set.
                unsafe {
                    match set {
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Amx
                        | InstructionSet::Avx512Bf16
                        | InstructionSet::Avx512 => <super::x86::Avx512 as Simd<Self>>::run(work),
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => <super::x86::Avx2 as Simd<Self>>::run(work),
                        _ => <super::portable::Portable as Simd<Self>>::run(work),
                    }
                }
            }
        }
    };
}

element!(f32);
element!(f64);
