//! The weights in panels, as the products read them: packed once a sequence.

use super::Layout;
use super::arena::Buffer;
use super::product::{self, Panel, panels};
use super::simd::{Element, Simd};
use super::threads::{Shared, in_parallel};
use crate::cell::Shape;

/// Numbers that take a thread longer to pack than it takes to wake it.
const PACKING_WORTH_A_THREAD: usize = 1 << 16;

/// A weight matrix `[k, gates × hidden]` in panels of hidden units: for each panel the gates one after
/// the other, `k` rows of the panel's registers each, zero where there is no unit.
pub(super) fn gates<E: Element, I: Simd<E>>(w: &[E], layout: &Layout, threads: usize) -> Buffer<E> {
    let Layout { hidden, padded, shape: Shape { gates, .. }, .. } = *layout;
    let k = w.len() / (gates * hidden);
    let mut packed = Buffer::stale(k * gates * padded);
    let to = Shared(packed.as_mut_ptr());
    let all: Vec<Panel> = panels::<E, I>(hidden).collect();
    let threads = if w.len() < PACKING_WORTH_A_THREAD { 1 } else { threads };
    in_parallel(threads, |part| {
        for panel in all.iter().skip(part).step_by(threads) {
            let width = panel.registers * I::LANES;
            for gate in 0..gates {
                let start = gates_of(panel.start, k, gates) + gate * k * width;
                for i in 0..k {
                    let from = &w[(i * gates + gate) * hidden + panel.start..][..panel.columns];
                    // SAFETY: each panel has a place of its own in the buffer.
                    let row =
                        unsafe { std::slice::from_raw_parts_mut(to.at(start + i * width), width) };
                    row[..panel.columns].copy_from_slice(from);
                    row[panel.columns..].fill(E::default());
                }
            }
        }
    });
    packed
}

/// Where the gates of the panel start that begins with that unit.
pub(super) fn gates_of(unit: usize, k: usize, gates: usize) -> usize {
    unit * k * gates
}

/// `w`, `[rows, gates × hidden]`, transposed, in panels of its rows: the inner dimension is the gates,
/// each rounded up to whole registers with zeros.
pub(super) fn transposed<E: Element, I: Simd<E>>(
    w: &[E],
    rows: usize,
    layout: &Layout,
    threads: usize,
) -> Buffer<E> {
    let Layout { hidden, padded, shape: Shape { gates, .. }, .. } = *layout;
    let inner = gates * padded;
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
            if panel.columns < width || padded > hidden {
                place.fill(E::default());
            }
            for column in 0..panel.columns {
                for gate in 0..gates {
                    let from = &w[((panel.start + column) * gates + gate) * hidden..][..hidden];
                    let to = place[gate * padded * width + column..].iter_mut().step_by(width);
                    for (to, &from) in to.zip(from) {
                        *to = from;
                    }
                }
            }
        }
    });
    packed
}
