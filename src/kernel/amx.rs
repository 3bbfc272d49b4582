//! Products of bf16 numbers on Intel's tile registers (AMX): a tile of up to 16 rows of A and one of 16 pairs of rows of a
//! panel give 16 × 16 sums in `f32` by one instruction, which does 16 times the work of an AVX-512 multiplication.
//!
//! The tiles' shapes are set on each thread: [`Tiles`] does it, and lets go of the tiles when it is dropped, for a thread
//! with tiles in use takes longer to be put aside. Tile numbers, in the order of their use:
//!
//! ```text
//!            B: 6    7
//! A: 4      C: 0    1       the first 16 rows or less
//!    5         2    3       up to 16 more
//! ```

use super::product::{Left, Product};
use std::arch::asm;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// Rows of two tiles.
const ROWS: usize = 32;

/// Pairs of numbers in a tile's row.
const PAIRS: usize = 16;

/// Whether the processor has the tiles and their products of bf16, and the system lets this process use them.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        const BF16: u32 = 1 << 22;
        const TILES: u32 = 1 << 24;
        let leaves = std::arch::x86_64::__cpuid(0).eax;
        let features = if leaves < 7 { 0 } else { std::arch::x86_64::__cpuid_count(7, 0).edx };
        features & BF16 != 0
            && features & TILES != 0
            && is_x86_feature_detected!("avx512f")
            && is_permitted()
    })
}

/// Asks Linux for the tiles' state, once for all threads of the process.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: the call reads and writes no memory of this process.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

thread_local! {
    /// The rows that this thread's tiles are set to, of the first 16 and of those behind; zero where they are not set.
    static SET_TO: Cell<[u8; 2]> = const { Cell::new([0; 2]) };
}

/// This thread's tiles, while it computes products.
#[derive(Debug)]
pub(super) struct Tiles {
    /// It is about the thread that made it.
    of_this_thread: PhantomData<*const ()>,
}

impl Tiles {
    /// Tiles that are not set yet.
    pub fn begin() -> Self {
        SET_TO.set([0; 2]);
        Self { of_this_thread: PhantomData }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        if SET_TO.replace([0; 2]) != [0; 2] {
            // SAFETY: this thread has set tiles, so that the machine has them; nothing lies in them between two products.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Sets the tiles to so many rows of A, if they are not.
#[inline(always)]
unsafe fn set_to(first: usize, behind: usize) {
    let wanted = [first as u8, behind as u8];
    if SET_TO.get() == wanted {
        return;
    }
    let mut shapes =
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    let behind = behind.max(1);
    for (tile, rows) in
        [first, first, behind, behind, first, behind, PAIRS, PAIRS].into_iter().enumerate()
    {
        shapes.row_bytes[tile] = 64;
        shapes.rows[tile] = rows as u8;
    }
    // SAFETY: the caller's machine has tiles; palette 1 has 8 of 16 rows of 64 bytes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
    SET_TO.set(wanted);
}

/// The product of some rows with one panel of pairs.
///
/// # Safety
/// As `tile` of [`super::product`], on a thread that has [`Tiles`], on a machine where they are available; `k` is a multiple
/// of 16.
pub(super) unsafe fn strip(rows: usize, registers: usize, product: Product<f32>) {
    // SAFETY: some of the caller's inner numbers, the later ones added to the sums of the earlier ones.
    unsafe {
        let mut from = 0;
        loop {
            let k = (product.k - from).min(IN_CACHE);
            let a = Left { start: product.a.start.add(from), ..product.a };
            let b = product.b.add(from * registers * PAIRS);
            let part = Product { k, a, b, ..product };
            block(rows, registers, if from == 0 { part } else { part.onto_itself() });
            from += k;
            if from == product.k {
                return;
            }
        }
    }
}

/// Pairs of a panel that stay in the cache next to the core while all rows are multiplied with them.
const IN_CACHE: usize = 256;

/// As [`strip`].
unsafe fn block(rows: usize, registers: usize, product: Product<f32>) {
    let count = rows.div_ceil(ROWS);
    for part in 0..count {
        let (start, end) = (rows * part / count, rows * (part + 1) / count);
        let rows = end - start;
        // SAFETY: some of the caller's rows.
        unsafe {
            let product = product.at_row(start);
            let (first, behind) = (rows.min(16), rows.saturating_sub(16));
            set_to(first, behind);
            match (behind > 0, registers) {
                (true, 2) => four(product),
                (true, _) => two_below(product),
                (false, 2) => two_beside(product),
                (false, _) => one(product),
            }
        }
    }
}

/// Declares the product of one arrangement of tiles: what of A, B and C it loads, multiplies and stores.
macro_rules! arrangement {
    ($(#[$doc:meta])* $name:ident, $step:literal, [$($load:literal),*], [$($turn:literal),*], [$($store:literal),*]) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As [`strip`].
        #[inline(never)]
        unsafe fn $name(product: Product<f32>) {
            let Product { k, a, b, c, c_row, s, s_row, .. } = product;
            debug_assert!(k % PAIRS == 0 && a.inner == 1);
            const NUMBER: usize = size_of::<f32>();
            // SAFETY: what the caller promises. Tiles are named as written to; they hold nothing before and after.
            unsafe {
                asm!(
                    $($load,)*
                    "test {n}, {n}",
                    "jz 3f",
                    "2:",
                    $($turn,)*
                    "add {a}, 64",
                    "add {a_behind}, 64",
                    concat!("add {b}, 16 * ", $step),
                    "dec {n}",
                    "jnz 2b",
                    "3:",
                    $($store,)*
                    "/* {s} {s_behind} {s_row} {c} {c_behind} {c_row} {a} {a_behind} {a_row} {b} {b_row} */",
                    n = inout(reg) k / PAIRS => _,
                    a = inout(reg) a.start => _,
                    a_behind = inout(reg) a.start.wrapping_add(16 * a.row) => _,
                    a_row = in(reg) a.row * NUMBER,
                    b = inout(reg) b => _,
                    b_row = in(reg) $step as usize,
                    s = in(reg) s,
                    s_behind = in(reg) s.wrapping_add(16 * s_row),
                    s_row = in(reg) s_row * NUMBER,
                    c = in(reg) c,
                    c_behind = in(reg) c.wrapping_add(16 * c_row),
                    c_row = in(reg) c_row * NUMBER,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

arrangement!(
    /// More than 16 rows of a panel of two registers.
    four,
    128,
    [
        "tileloadd tmm0, [{s} + {s_row}]",
        "tileloadd tmm1, [{s} + {s_row} + 64]",
        "tileloadd tmm2, [{s_behind} + {s_row}]",
        "tileloadd tmm3, [{s_behind} + {s_row} + 64]"
    ],
    [
        "tileloadd tmm6, [{b} + {b_row}]",
        "tileloadd tmm4, [{a} + {a_row}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b} + {b_row} + 64]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tileloadd tmm5, [{a_behind} + {a_row}]",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7"
    ],
    [
        "tilestored [{c} + {c_row}], tmm0",
        "tilestored [{c} + {c_row} + 64], tmm1",
        "tilestored [{c_behind} + {c_row}], tmm2",
        "tilestored [{c_behind} + {c_row} + 64], tmm3"
    ]
);

arrangement!(
    /// More than 16 rows of a panel of one register.
    two_below,
    64,
    ["tileloadd tmm0, [{s} + {s_row}]", "tileloadd tmm2, [{s_behind} + {s_row}]"],
    [
        "tileloadd tmm6, [{b} + {b_row}]",
        "tileloadd tmm4, [{a} + {a_row}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a_behind} + {a_row}]",
        "tdpbf16ps tmm2, tmm5, tmm6"
    ],
    ["tilestored [{c} + {c_row}], tmm0", "tilestored [{c_behind} + {c_row}], tmm2"]
);

arrangement!(
    /// Up to 16 rows of a panel of two registers.
    two_beside,
    128,
    ["tileloadd tmm0, [{s} + {s_row}]", "tileloadd tmm1, [{s} + {s_row} + 64]"],
    [
        "tileloadd tmm4, [{a} + {a_row}]",
        "tileloadd tmm6, [{b} + {b_row}]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b} + {b_row} + 64]",
        "tdpbf16ps tmm1, tmm4, tmm7"
    ],
    ["tilestored [{c} + {c_row}], tmm0", "tilestored [{c} + {c_row} + 64], tmm1"]
);

arrangement!(
    /// Up to 16 rows of a panel of one register.
    one,
    64,
    ["tileloadd tmm0, [{s} + {s_row}]"],
    [
        "tileloadd tmm4, [{a} + {a_row}]",
        "tileloadd tmm6, [{b} + {b_row}]",
        "tdpbf16ps tmm0, tmm4, tmm6"
    ],
    ["tilestored [{c} + {c_row}], tmm0"]
);
