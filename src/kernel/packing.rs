//! The weights in panels, as the products read them: packed once a sequence.

use super::Layout;
use super::arena::Buffer;
use super::product::{self, Factors, Panel, panels};
use super::rounding::{self, pair, single};
use super::simd::{Element, Simd};
use super::threads::{Shared, in_parallel};
use crate::cell::Shape;

/// Numbers that take a thread longer to pack than it takes to wake it.
const PACKING_WORTH_A_THREAD: usize = 1 << 16;

/// A weight matrix `[k, gates × hidden]` in panels of hidden units: for each panel the gates one after
/// the other, `k` rows or pairs of rows of the panel's registers each, zero where there is no unit.
pub(super) fn gates<E: Element, I: Simd<E>>(
    w: &[E],
    layout: &Layout,
    factors: Factors,
    threads: usize,
) -> Buffer<E> {
    let Layout { hidden, padded, shape: Shape { gates, .. }, .. } = *layout;
    let rows = w.len() / (gates * hidden);
    let k = factors.places(rows);
    let mut packed = Buffer::stale(k * gates * padded);
    let to = Shared(packed.as_mut_ptr());
    let all: Vec<Panel> = panels::<E, I>(hidden).collect();
    let threads = if w.len() < PACKING_WORTH_A_THREAD { 1 } else { threads };
    in_parallel(threads, |part| {
        let mine = all.len() * part / threads..all.len() * (part + 1) / threads;
        // Row after row, as the weights lie in memory.
        for i in 0..k {
            for gate in 0..gates {
                for panel in &all[mine.clone()] {
                    let width = panel.registers * I::LANES;
                    let start = gates_of(panel.start, k, gates) + gate * k * width;
                    let from =
                        |i: usize| &w[(i * gates + gate) * hidden + panel.start..][..panel.columns];
                    // SAFETY: each panel has a place of its own in the buffer.
                    let row =
                        unsafe { std::slice::from_raw_parts_mut(to.at(start + i * width), width) };
                    let (numbers, behind) = row.split_at_mut(panel.columns);
                    match factors {
                        Factors::Numbers => numbers.copy_from_slice(from(i)),
                        Factors::Pairs(_) if 2 * i + 1 < rows => {
                            pairs(numbers, from(2 * i), Some(from(2 * i + 1)));
                        }
                        Factors::Pairs(_) if 2 * i < rows => pairs(numbers, from(2 * i), None),
                        Factors::Pairs(_) => numbers.fill(E::default()),
                    }
                    behind.fill(E::default());
                }
            }
        }
    });
    packed
}

/// The pairs of the numbers of two rows; of those of one row and zeros if there is no second one.
#[inline(always)]
fn pairs<E: Element>(to: &mut [E], first: &[E], second: Option<&[E]>) {
    /// Numbers that the compiler makes one register of.
    const AT_ONCE: usize = 16;
    let count = to.len();
    let first = single(first[..count].as_ptr());
    let second = second.map(|second| single(second[..count].as_ptr()));
    let to = to.as_mut_ptr().cast::<u32>();
    // SAFETY: both rows and the places are as many.
    unsafe {
        let mut n = 0;
        while n + AT_ONCE <= count
            && let Some(second) = second
        {
            let one = first.add(n).cast::<[f32; AT_ONCE]>().read_unaligned();
            let other = second.add(n).cast::<[f32; AT_ONCE]>().read_unaligned();
            let mut made = [0; AT_ONCE];
            for i in 0..AT_ONCE {
                made[i] = pair(one[i], other[i]);
            }
            to.add(n).cast::<[u32; AT_ONCE]>().write_unaligned(made);
            n += AT_ONCE;
        }
        for n in n..count {
            let other = second.map_or(0.0, |second| *second.add(n));
            to.add(n).write(pair(*first.add(n), other));
        }
    }
}

/// Where the gates of the panel start that begins with that unit.
pub(super) fn gates_of(unit: usize, k: usize, gates: usize) -> usize {
    unit * k * gates
}

/// `w`, `[rows, gates × hidden]`, transposed, in panels of its rows: the inner dimension is the gates, each rounded up to
/// [`inner_gate`] numbers with zeros.
pub(super) fn transposed<E: Element, I: Simd<E>>(
    w: &[E],
    rows: usize,
    layout: &Layout,
    factors: Factors,
    threads: usize,
) -> Buffer<E> {
    let Layout { hidden, shape: Shape { gates, .. }, .. } = *layout;
    let places = factors.places(inner_gate(layout, factors));
    let inner = gates * places;
    let mut packed = Buffer::stale(inner * product::padded::<E, I>(rows));
    let to = Shared(packed.as_mut_ptr());
    let all: Vec<Panel> = panels::<E, I>(rows).collect();
    let threads = if w.len() < PACKING_WORTH_A_THREAD { 1 } else { threads };
    in_parallel(threads, |part| {
        for panel in all.iter().skip(part).step_by(threads) {
            let width = panel.registers * I::LANES;
            // SAFETY: each panel has a place of its own in the buffer.
            let place = unsafe {
                std::slice::from_raw_parts_mut(to.at(panel.start * inner), inner * width)
            };
            let whole = factors == Factors::Numbers && places == hidden;
            if panel.columns < width || !whole {
                place.fill(E::default());
            }
            for column in 0..panel.columns {
                for gate in 0..gates {
                    let from = &w[((panel.start + column) * gates + gate) * hidden..][..hidden];
                    let to = place[gate * places * width + column..].iter_mut().step_by(width);
                    match factors {
                        Factors::Numbers => {
                            for (to, &from) in to.zip(from) {
                                *to = from;
                            }
                        }
                        Factors::Pairs(_) => {
                            for (to, from) in to.zip(from.chunks(2)) {
                                pairs(std::slice::from_mut(to), &from[..1], from.get(1..2));
                            }
                        }
                    }
                }
            }
        }
    });
    packed
}

/// Numbers of a gate along the inner dimension of a product with transposed weights.
pub(super) fn inner_gate(layout: &Layout, factors: Factors) -> usize {
    match factors {
        Factors::Numbers => layout.padded,
        Factors::Pairs(_) => rounding::whole(layout.hidden),
    }
}
