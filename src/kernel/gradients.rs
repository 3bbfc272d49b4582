//! The gradients that are one product over all steps, once the walk has stored dA and dU:
//!
//! ```text
//! dW_x = Xᵀ dA    dW_h = H_prevᵀ dU    db = Σ dA, Σ dU    dX = dA W_xᵀ
//! ```
//!
//! Threads share the columns of the weights' gradients, so that each number is one sum in the order of
//! the steps, however many threads there are.

use super::arena::Buffer;
use super::backward::PreActivations;
use super::packing::inner_gate;
use super::product::{self, Factors, Left, Panel, Product, panels, strip, tile, tiles};
use super::simd::{Element, Simd, Work};
use super::threads::{Shared, in_parallel};
use super::{Layout, Recurrence, rounding};
use crate::cell::Shape;
use std::ops::Range;

/// Which gradients are to be computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `dX`.
    pub input: bool,
    /// The initial states'.
    pub initial: bool,
    /// `dW_x`.
    pub w_x: bool,
    /// `dW_h`.
    pub w_h: bool,
    /// `db_x`.
    pub b_x: bool,
    /// `db_h`.
    pub b_h: bool,
    /// The vector parameters'.
    pub parameters: bool,
}

/// The gradients that were wanted, in the shapes of [`Recurrence`].
#[derive(Debug, Default)]
pub(crate) struct Gradients<E: Element> {
    /// `dX`, unless it is in the place of `dO`.
    pub input: Option<Buffer<E>>,
    /// The initial states'.
    pub initial: Option<Buffer<E>>,
    /// `dW_x`.
    pub w_x: Option<Buffer<E>>,
    /// `dW_h`.
    pub w_h: Option<Buffer<E>>,
    /// `db_x`.
    pub b_x: Option<Buffer<E>>,
    /// `db_h`.
    pub b_h: Option<Buffer<E>>,
    /// The vector parameters'.
    pub parameters: Option<Buffer<E>>,
}

/// Rows that are summed in registers before the sums go back to memory.
const STEPS_AT_A_TIME: usize = 256;

/// Rows of all steps, counted from the last one, whose sums begin at zero before they are added to those of the others. One
/// chain of additions over all rows would lose what is small beside the sum so far: in `f32` a sum of ones stands still at
/// 16.8 million.
const SECTION: usize = 1 << 13;

/// Rows of dX that share a panel of W_xᵀ while it is in the cache.
const ROWS_AT_A_TIME: usize = 56;

/// The same where factors are rounded.
const ROUNDED_ROWS_AT_A_TIME: usize = 256;

/// Numbers that take a thread longer to copy than it takes to wake it.
const COPYING_WORTH_A_THREAD: usize = 1 << 16;

/// One panel of columns of the weights' gradients.
#[derive(Clone, Copy, Debug)]
struct Job {
    /// Of dU of the gates that stay apart, or of dA.
    apart: bool,
    /// Its first column there.
    source: usize,
    panel: Panel,
    /// Its first column in the gradients.
    target: usize,
    /// Whether it is a part of dW_x and db_x, of dW_h and db_h.
    of_x: bool,
    of_h: bool,
}

/// The gradients of input, weights and biases, of the steps that the walk has come over.
#[derive(Debug)]
pub(crate) struct Sums<E: Element> {
    factors: Factors,
    wanted: Wanted,
    jobs: Vec<Job>,
    /// Columns of a panel.
    width: usize,
    /// Rows of dW_x and of dW_h.
    features: usize,
    hidden: usize,
    /// For each job the rows of dW_x, those of dW_h, and the row of the biases: the sums over the steps of the section that
    /// the walk is in.
    sums: Buffer<E>,
    /// The sums of the sections that it has come over.
    of_sections: Option<Buffer<E>>,
    /// `W_xᵀ` in panels of features; without it dX is dA itself.
    w_x: Option<Buffer<E>>,
    input: InputGradients<E>,
}

/// dX of all steps.
#[derive(Debug)]
enum InputGradients<E: Element> {
    NotWanted,
    New(Buffer<E>),
    /// In memory that belongs to whoever asked for it.
    There(Shared<E>),
}

impl<E: Element> InputGradients<E> {
    fn place(&mut self) -> Option<Shared<E>> {
        match self {
            Self::NotWanted => None,
            Self::New(numbers) => Some(Shared(numbers.as_mut_ptr())),
            Self::There(place) => Some(*place),
        }
    }
}

/// The sums over no step at all. dX goes where it is told, or to memory of its own.
pub(super) fn no_sums<E: Element, I: Simd<E>>(
    recurrence: &Recurrence<E>,
    layout: &Layout,
    (wanted, d_input): (Wanted, Option<Shared<E>>),
    factors: Factors,
    threads: usize,
) -> Sums<E> {
    let product = layout.shape.input_product();
    let wanted = Wanted {
        w_x: wanted.w_x && product,
        w_h: wanted.w_h && recurrence.w_h.is_some(),
        b_x: wanted.b_x && recurrence.b_x.is_some(),
        b_h: wanted.b_h && recurrence.b_h.is_some(),
        ..wanted
    };
    let of_weights = wanted.w_x || wanted.w_h || wanted.b_x || wanted.b_h;
    let jobs = if of_weights { jobs::<E, I>(layout) } else { Vec::new() };
    let features = if wanted.w_x { recurrence.features } else { 0 };
    let hidden = if wanted.w_h { layout.hidden } else { 0 };
    let width = product::panel::<E, I>();
    let w_x = recurrence.w_x.filter(|_| wanted.input && product);
    let numbers = recurrence.timeline.steps() * recurrence.features;
    Sums {
        factors,
        wanted,
        width,
        features,
        hidden,
        sums: Buffer::zeros(jobs.len() * (features + hidden + 1) * width),
        of_sections: None,
        jobs,
        w_x: w_x.map(|w| I::pack_transposed(w, recurrence.features, layout, factors, threads)),
        input: match d_input {
            _ if !wanted.input => InputGradients::NotWanted,
            Some(place) => InputGradients::There(place),
            None => InputGradients::New(Buffer::stale(numbers)),
        },
    }
}

/// Adds what some steps contribute.
pub(super) fn add_to_sums<E: Element, I: Simd<E>>(
    sums: &mut Sums<E>,
    recurrence: &Recurrence<E>,
    layout: &Layout,
    hidden: &[E],
    walked: &PreActivations<E>,
    threads: usize,
) {
    let Range { start, end } = walked.rows;
    let steps = recurrence.timeline.steps();
    let to_input = sums.input.place();
    let mut section_end = end;
    while section_end > start {
        let begun = (steps - section_end) % SECTION;
        let rows = section_end.saturating_sub(SECTION - begun).max(start)..section_end;
        let to_sums = Shared(sums.sums.as_mut_ptr());
        let weights = Contribution { recurrence, layout, hidden, walked, sums, rows: rows.clone() };
        let rounded = sums.factors.are_rounded() && !sums.jobs.is_empty();
        let left = rounded.then(|| PairedSteps::new::<I>(&weights, threads));
        in_parallel(threads, |part| {
            let (of, left) = (&weights, left.as_ref());
            let jobs = share(sums.jobs.len(), part, threads);
            let weights = WeightGradients { of, left, jobs, to: to_sums };
            let of_part = share(rows.len(), part, threads);
            let of_part = rows.start + of_part.start..rows.start + of_part.end;
            let _ready = sums.factors.begin();
            // SAFETY: this thread runs on the same machine.
            unsafe {
                I::run(weights);
                if let Some(to) = to_input {
                    I::run(InputGradient { of, rows: of_part, to });
                }
            }
        });
        if begun + rows.len() == SECTION {
            sums.end_section();
        }
        section_end = rows.start;
    }
}

/// A part of so many things.
fn share(count: usize, part: usize, parts: usize) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

impl<E: Element> Sums<E> {
    /// Adds the section's sums to those of the sections before it.
    fn end_section(&mut self) {
        let Self { sums, of_sections, .. } = self;
        match of_sections {
            None => *of_sections = Some(sums.clone()),
            Some(all) => all.iter_mut().zip(sums.iter()).for_each(|(all, &sum)| *all = *all + sum),
        }
        sums.fill(E::default());
    }

    /// The gradients that were wanted.
    pub fn finish(
        mut self,
        recurrence: &Recurrence<E>,
        layout: &Layout,
        threads: usize,
    ) -> Gradients<E> {
        if self.of_sections.is_some() {
            self.end_section();
        }
        let Self { wanted, jobs, width, features, hidden, sums, of_sections, input, .. } = self;
        let sums = of_sections.unwrap_or(sums);
        let columns = layout.shape.gates * layout.hidden;
        let rows = features + hidden;
        let gather = |rows_of_it: Range<usize>, belongs: fn(&Job) -> bool| {
            let mut gradient = Buffer::stale(rows_of_it.len() * columns);
            let to = Shared(gradient.as_mut_ptr());
            let threads = if gradient.len() < COPYING_WORTH_A_THREAD { 1 } else { threads };
            in_parallel(threads, |part| {
                let share = |end: usize| rows_of_it.start + rows_of_it.len() * end / threads;
                let share = share(part)..share(part + 1);
                for (number, job) in jobs.iter().enumerate().filter(|(_, job)| belongs(job)) {
                    let sums = &sums[number * (rows + 1) * width..];
                    for row in share.clone() {
                        let from = &sums[row * width..][..job.panel.columns];
                        let row = row - rows_of_it.start;
                        // SAFETY: these rows of the gradient are this thread's.
                        unsafe {
                            let to = to.at(row * columns + job.target);
                            std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                        }
                    }
                }
            });
            gradient
        };
        debug_assert!(!wanted.w_x || features == recurrence.features);
        let input = match input {
            InputGradients::New(numbers) => Some(numbers),
            InputGradients::NotWanted | InputGradients::There(_) => None,
        };
        Gradients {
            input,
            w_x: wanted.w_x.then(|| gather(0..features, |job| job.of_x)),
            w_h: wanted.w_h.then(|| gather(features..rows, |job| job.of_h)),
            b_x: wanted.b_x.then(|| gather(rows..rows + 1, |job| job.of_x)),
            b_h: wanted.b_h.then(|| gather(rows..rows + 1, |job| job.of_h)),
            ..Gradients::default()
        }
    }
}

fn jobs<E: Element, I: Simd<E>>(layout: &Layout) -> Vec<Job> {
    let Layout { hidden, padded, shape, .. } = *layout;
    let (gates, joined) = (shape.gates, shape.joined());
    let mut jobs = Vec::new();
    for gate in 0..gates {
        for panel in panels::<E, I>(hidden) {
            let target = gate * hidden + panel.start;
            let source = gate * padded + panel.start;
            let of_h = gate < joined;
            jobs.push(Job { apart: false, source, panel, target, of_x: true, of_h });
            if gate >= joined {
                let source = (gate - joined) * padded + panel.start;
                jobs.push(Job { apart: true, source, panel, target, of_x: false, of_h: true });
            }
        }
    }
    jobs
}

/// What some rows of all steps add to the gradients.
struct Contribution<'a, E: Element> {
    recurrence: &'a Recurrence<'a, E>,
    layout: &'a Layout,
    hidden: &'a [E],
    walked: &'a PreActivations<E>,
    sums: &'a Sums<E>,
    rows: Range<usize>,
}

/// Some columns of dW_x, dW_h, db_x and db_h. The steps are summed from the last to the first, as the walk
/// comes over them: so the sums do not depend on where it stops between.
struct WeightGradients<'a, E: Element> {
    of: &'a Contribution<'a, E>,
    left: Option<&'a PairedSteps<E>>,
    jobs: Range<usize>,
    to: Shared<E>,
}

impl<E: Element> Work<E> for WeightGradients<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { of, left, ref jobs, to } = self;
        let Contribution { recurrence, layout, hidden, walked, sums, rows: ref steps } = *of;
        if jobs.is_empty() {
            return;
        }
        if let Some(left) = left {
            return self.of_pairs::<I>(left);
        }
        let Sums { features, hidden: hidden_rows, width, .. } = *sums;
        let rows = features + hidden_rows;
        let mut left = Buffer::<E>::stale(rows * STEPS_AT_A_TIME + I::LANES);
        let mut right = Buffer::<E>::stale(width * STEPS_AT_A_TIME);
        let mut end = steps.end;
        let mut previous = PreviousHidden::before(recurrence, layout.hidden, hidden, end);
        while end > steps.start {
            let left_over = end - steps.start;
            let count = left_over.div_ceil(left_over.div_ceil(STEPS_AT_A_TIME));
            // SAFETY: the buffers were made for this many rows and steps.
            unsafe {
                let x = recurrence.input.as_ptr().add((end - 1) * recurrence.features);
                let row_of_x = |k: usize| Some(x.sub(k * recurrence.features));
                pack_left::<E, I>(features, count, row_of_x, left.as_mut_ptr());
                let to_left = left.as_mut_ptr().add(features * count);
                let rows_before: &[Option<*const E>] = previous.rows(end - count..end);
                pack_left::<E, I>(hidden_rows, count, |k| rows_before[k], to_left);
                for number in jobs.clone() {
                    let job = &sums.jobs[number];
                    let sums = to.at(number * (rows + 1) * width);
                    let bias = sums.add(rows * width);
                    let last = end - 1 - walked.rows.start;
                    pack_right::<E, I>(walked, layout, job, last, count, right.as_mut_ptr(), bias);
                    let product = |from: usize, rows: usize| {
                        for tile_rows in tiles::<E, I>(rows) {
                            let from = from + tile_rows.start;
                            let start = left.as_ptr().add(from * count);
                            let a = Left { start, row: 1, inner: tile_rows.len() };
                            let (c, b) = (sums.add(from * width), right.as_ptr());
                            let (factors, s, k) = (Factors::Numbers, c, count);
                            let (c_row, s_row) = (width, width);
                            let product = Product { factors, k, a, b, c, c_row, s, s_row };
                            tile::<E, I>(tile_rows.len(), job.panel.registers, product);
                        }
                    };
                    if job.of_x {
                        product(0, features);
                    }
                    if job.of_h {
                        product(features, hidden_rows);
                    }
                }
            }
            end -= count;
        }
    }
}

/// Columns of X and of `H_prev` with the steps along their rows, in pairs of steps, from the last to the first: what all columns of
/// the weights' gradients are products with.
struct PairedSteps<E: Element> {
    pairs: Buffer<E>,
    /// Places from one column's row to the next.
    row: usize,
    /// Pairs of each.
    k: usize,
}

impl<E: Element> PairedSteps<E> {
    fn new<I: Simd<E>>(of: &Contribution<E>, threads: usize) -> Self {
        let Contribution { recurrence, layout, hidden, sums, rows: Range { start, end }, .. } = *of;
        let count = end - start;
        let (row, k) = (rounding::row(count), rounding::places(count));
        let mut pairs = Buffer::stale((sums.features + sums.hidden) * row);
        let mut previous = PreviousHidden::before(recurrence, layout.hidden, hidden, end);
        let before: Vec<Option<Shared<E>>> = previous
            .rows(start..end)
            .iter()
            .map(|row| row.map(|row| Shared(row.cast_mut())))
            .collect();
        let x = Shared(recurrence.input.as_ptr().cast_mut());
        let to = Shared(pairs.as_mut_ptr());
        in_parallel(threads, |part| {
            let share = |columns: usize| {
                let squares = share(columns.div_ceil(rounding::PAIRS), part, threads);
                squares.start * rounding::PAIRS..(squares.end * rounding::PAIRS).min(columns)
            };
            let row_of_x = |step: usize| Some(x.at((end - 1 - step) * recurrence.features));
            let row_before = |step: usize| before[step].as_ref().map(|row| row.at(0));
            let place = |column: usize| to.at(column * row);
            let of_x = Columns { columns: share(sums.features), steps: count, of_step: row_of_x };
            let of_h = Columns { columns: share(sums.hidden), steps: count, of_step: row_before };
            // SAFETY: the rows are there, and this thread's columns have places of their own; it runs on the same machine.
            unsafe {
                I::run(Transpose { from: of_x, to: place(0), row });
                I::run(Transpose { from: of_h, to: place(sums.features), row });
            }
        });
        Self { pairs, row, k }
    }
}

/// Columns of jobs in pairs that stay in the cache next to a core, in bytes.
const PANELS_IN_CACHE: usize = 1 << 19;

/// Rows of the paired steps that stay there beside them.
const ROWS_IN_CACHE: usize = 128;

impl<E: Element> WeightGradients<'_, E> {
    /// The same of rounded factors.
    #[inline(always)]
    fn of_pairs<I: Simd<E>>(self, left: &PairedSteps<E>) {
        let Self { of, jobs, to, .. } = self;
        let Contribution { layout, walked, sums, rows: ref steps, .. } = *of;
        let Sums { factors, features, hidden, width, .. } = *sums;
        let rows = features + hidden;
        let PairedSteps { ref pairs, row, k } = *left;
        let (last, steps) = (steps.end - 1 - walked.rows.start, steps.len());
        let at_once = (PANELS_IN_CACHE / (size_of::<E>() * k * width)).clamp(1, 8);
        let mut right = Buffer::<E>::stale(at_once * k * width);
        for first in jobs.clone().step_by(at_once) {
            let group = first..(first + at_once).min(jobs.end);
            for number in group.clone() {
                let panel = right[(number - first) * k * width..].as_mut_ptr();
                // SAFETY: the job's columns, its panel and its sums.
                unsafe {
                    let bias = to.at((number * (rows + 1) + rows) * width);
                    pairs_of_steps::<E, I>(
                        walked,
                        layout,
                        &sums.jobs[number],
                        last,
                        steps,
                        panel,
                        bias,
                    );
                }
            }
            for start in (0..rows).step_by(ROWS_IN_CACHE) {
                let end = (start + ROWS_IN_CACHE).min(rows);
                for number in group.clone() {
                    let job = &sums.jobs[number];
                    let from = if job.of_x { start } else { start.max(features) };
                    let end = if job.of_h { end } else { end.min(features) };
                    if from >= end {
                        continue;
                    }
                    // SAFETY: rows of the paired steps, the job's panel and its sums.
                    unsafe {
                        let a = Left { start: pairs.as_ptr().add(from * row), row, inner: 1 };
                        let b = right[(number - first) * k * width..].as_ptr();
                        let c = to.at((number * (rows + 1) + from) * width);
                        let (c_row, s, s_row) = (width, c.cast_const(), width);
                        let product = Product { factors, k, a, b, c, c_row, s, s_row };
                        strip::<E, I>(end - from, job.panel.registers, product);
                    }
                }
            }
        }
    }
}

/// Some columns of rows, the row of each step by its number.
struct Columns<F> {
    columns: Range<usize>,
    steps: usize,
    of_step: F,
}

/// Lays columns as rows of pairs of steps.
struct Transpose<E, F> {
    from: Columns<F>,
    /// The place of the first of all columns.
    to: *mut E,
    row: usize,
}

impl<E: Element, F: Fn(usize) -> Option<*mut E>> Work<E> for Transpose<E, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        const SIDE: usize = rounding::PAIRS;
        let Self { from: Columns { columns, steps, of_step }, to, row } = self;
        let of_step = |step: usize| if step < steps { of_step(step) } else { None };
        for first in (0..rounding::places(steps)).step_by(SIDE) {
            let rows: [[Option<*mut E>; 2]; SIDE] =
                std::array::from_fn(|i| [0, 1].map(|half| of_step(2 * (first + i) + half)));
            for start in columns.clone().step_by(SIDE) {
                let count = (columns.end - start).min(SIDE);
                let load = |row: Option<*mut E>| {
                    let mut numbers = [0f32; SIDE];
                    let Some(row) = row else { return numbers };
                    // SAFETY: columns of a row that is there.
                    unsafe {
                        let from = rounding::single(row.add(start));
                        if count == SIDE {
                            numbers = from.cast::<[f32; SIDE]>().read_unaligned();
                        } else {
                            std::ptr::copy_nonoverlapping(from, numbers.as_mut_ptr(), count);
                        }
                    }
                    numbers
                };
                let mut square = [[0; SIDE]; SIDE];
                for (to, [one, other]) in square.iter_mut().zip(rows) {
                    let (one, other) = (load(one), load(other));
                    for n in 0..SIDE {
                        to[n] = rounding::pair(one[n], other[n]);
                    }
                }
                // SAFETY: inside of `Simd::run`; the places of these columns' pairs.
                unsafe {
                    I::transpose(&mut square);
                    for (n, column) in square[..count].iter().enumerate() {
                        let to = to.add((start + n) * row + first);
                        to.cast::<[u32; SIDE]>().write_unaligned(*column);
                    }
                }
            }
        }
    }
}

/// A job's columns of dA or dU, which are rounded, as a panel of pairs of rows, from the row `last` back; their sums are added
/// to the bias.
///
/// # Safety
/// The rows, the panel's buffer and the job's sums are there.
#[inline(always)]
unsafe fn pairs_of_steps<E: Element, I: Simd<E>>(
    walked: &PreActivations<E>,
    layout: &Layout,
    job: &Job,
    last: usize,
    steps: usize,
    to: *mut E,
    bias: *mut E,
) {
    let pairs = &walked.pairs;
    let (from, row) = if job.apart { (pairs.u, pairs.u_row) } else { (pairs.a, pairs.a_row) };
    let (gate, unit) = (job.source / layout.padded, job.source % layout.padded);
    let from =
        from.at(last * row).cast::<u16>().wrapping_add(gate * pairs.gate + unit).cast_const();
    let width = job.panel.registers * I::LANES;
    // What is behind the gate's last unit belongs to the next one.
    let columns = width.min(pairs.gate - unit);
    let panel =
        PairedPanel { from, row: 2 * row, columns, steps, to: to.cast(), bias: bias.cast(), width };
    // SAFETY: what the caller promises.
    unsafe {
        if width.is_multiple_of(16) {
            panel.pack::<16>();
        } else {
            panel.pack::<4>();
        }
    }
}

/// A panel of pairs of steps that is packed.
struct PairedPanel {
    /// The last step's number of the first column.
    from: *const u16,
    /// Numbers from one step to the next.
    row: usize,
    columns: usize,
    steps: usize,
    to: *mut u32,
    bias: *mut f32,
    width: usize,
}

impl PairedPanel {
    /// Packs so many columns at once, of which the compiler makes registers.
    ///
    /// # Safety
    /// As [`pairs_of_steps`].
    #[inline(always)]
    unsafe fn pack<const AT_ONCE: usize>(self) {
        let Self { from, row, columns, steps, to, bias, width } = self;
        // SAFETY: what the caller promises.
        unsafe {
            for n in (0..width).step_by(AT_ONCE) {
                let units = columns.saturating_sub(n).min(AT_ONCE);
                let whole = |step: usize| {
                    from.sub(step * row).add(n).cast::<[u16; AT_ONCE]>().read_unaligned()
                };
                let part = |step: usize| {
                    let from = from.wrapping_sub(step * row).wrapping_add(n);
                    let there = |i: usize| step < steps && i < units;
                    std::array::from_fn(|i| if there(i) { *from.add(i) } else { 0 })
                };
                let bias = bias.add(n).cast::<[f32; AT_ONCE]>();
                let mut sum = bias.read_unaligned();
                let mut pack = |k: usize, one: [u16; AT_ONCE], other: [u16; AT_ONCE]| {
                    let mut pairs = [0u32; AT_ONCE];
                    for i in 0..AT_ONCE {
                        pairs[i] = u32::from(one[i]) | u32::from(other[i]) << 16;
                    }
                    for i in 0..AT_ONCE {
                        sum[i] += f32::from_bits(pairs[i] << 16);
                        sum[i] += f32::from_bits(pairs[i] & 0xffff_0000);
                    }
                    to.add(k * width + n).cast::<[u32; AT_ONCE]>().write_unaligned(pairs);
                };
                let in_pairs = if units == AT_ONCE { steps / 2 } else { 0 };
                for k in 0..in_pairs {
                    pack(k, whole(2 * k), whole(2 * k + 1));
                }
                for k in in_pairs..rounding::places(steps) {
                    pack(k, part(2 * k), part(2 * k + 1));
                }
                bias.write_unaligned(sum);
            }
        }
    }
}

/// The rows of `H_{t-1}`, for all steps one after the other.
pub(super) struct PreviousHidden<'a, E> {
    recurrence: &'a Recurrence<'a, E>,
    units: usize,
    hidden: &'a [E],
    t: usize,
    rows: Vec<Option<*const E>>,
}

impl<'a, E: Element> PreviousHidden<'a, E> {
    /// For rows before `end`, of which there is one.
    pub fn before(
        recurrence: &'a Recurrence<'a, E>,
        units: usize,
        hidden: &'a [E],
        end: usize,
    ) -> Self {
        let t = recurrence.timeline.step_of(end - 1);
        Self { recurrence, units, hidden, t, rows: Vec::with_capacity(STEPS_AT_A_TIME) }
    }

    /// The step that the next row is looked for at.
    #[cfg(test)]
    pub fn step(&self) -> usize {
        self.t
    }

    /// Those of some rows of all steps, from the last to the first; `None` where the state was zero. The
    /// rows must not lie behind those asked for before.
    pub fn rows(&mut self, range: Range<usize>) -> &[Option<*const E>] {
        let timeline = self.recurrence.timeline;
        self.rows.clear();
        for row in range.rev() {
            while row < timeline.rows(self.t).start {
                self.t -= 1;
            }
            let r = row - timeline.rows(self.t).start;
            self.rows.push(if self.t == 0 {
                let states = |given: &[E]| given.len() / timeline.batch();
                self.recurrence.initial.map(|given| given[r * states(given)..].as_ptr())
            } else {
                let before = timeline.rows(self.t - 1).start + r;
                Some(self.hidden[before * self.units..].as_ptr())
            });
        }
        &self.rows
    }
}

/// Columns of some rows as the rows of tiles: for each tile, step after step its numbers. Up to a register's worth of
/// numbers behind them is written too.
#[inline(always)]
unsafe fn pack_left<E: Element, I: Simd<E>>(
    columns: usize,
    steps: usize,
    row: impl Fn(usize) -> Option<*const E>,
    mut to: *mut E,
) {
    for tile in tiles::<E, I>(columns) {
        for k in 0..steps {
            let row = row(k);
            for start in tile.clone().step_by(I::LANES) {
                // SAFETY: the row has that many columns, and the buffer the place. What is written behind a tile's
                // numbers is overwritten by those of the next step.
                unsafe {
                    let numbers = match row {
                        Some(row) if start + I::LANES <= columns => I::load(row.add(start)),
                        Some(row) => I::load_part(row.add(start), columns - start),
                        None => I::splat(E::default()),
                    };
                    I::store(to.add(start - tile.start), numbers);
                }
            }
            // SAFETY: the next step's place.
            to = unsafe { to.add(tile.len()) };
        }
    }
}

/// A job's columns of dA or dU as a panel, from the row `last` back; their sums are added to the bias.
#[inline(always)]
unsafe fn pack_right<E: Element, I: Simd<E>>(
    walked: &PreActivations<E>,
    layout: &Layout,
    job: &Job,
    last: usize,
    steps: usize,
    to: *mut E,
    bias: *mut E,
) {
    let (from, row) = if job.apart {
        (walked.apart.as_ptr(), layout.apart_row())
    } else {
        (walked.a.0.cast_const(), walked.a_row)
    };
    let registers = job.panel.registers;
    // SAFETY: rows of dA or dU, the panel's buffer and the job's sums.
    unsafe {
        for n in 0..registers {
            let from = from.add(last * row + job.source + n * I::LANES);
            let mut sum = I::load(bias.add(n * I::LANES));
            for k in 0..steps {
                let v = I::load(from.sub(k * row));
                sum = I::add(sum, v);
                I::store(to.add((k * registers + n) * I::LANES), v);
            }
            I::store(bias.add(n * I::LANES), sum);
        }
    }
}

/// Some rows of dX.
struct InputGradient<'a, E: Element> {
    of: &'a Contribution<'a, E>,
    rows: Range<usize>,
    to: Shared<E>,
}

impl<E: Element> Work<E> for InputGradient<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Simd<E>>(self) {
        let Self { of, rows, to } = self;
        let Contribution { recurrence, layout, walked, sums, .. } = *of;
        // Without a product dX is dA itself.
        let (factors, w_x) = (sums.factors, sums.w_x.as_ref());
        let Layout { hidden, padded, shape: Shape { gates, .. }, .. } = *layout;
        let features = recurrence.features;
        let inner = gates * factors.places(inner_gate(layout, factors));
        let Some(w_x) = w_x else {
            for row in rows {
                for gate in 0..gates {
                    let from = (row - walked.rows.start) * walked.a_row + gate * padded;
                    // SAFETY: a row of dA, and these rows of dX are this thread's.
                    unsafe {
                        let to = to.at(row * features + gate * hidden);
                        std::ptr::copy_nonoverlapping(walked.a.at(from), to, hidden);
                    }
                }
            }
            return;
        };
        let width = product::panel::<E, I>();
        let rounded = factors.are_rounded();
        let at_a_time = if rounded { ROUNDED_ROWS_AT_A_TIME } else { ROWS_AT_A_TIME };
        let (d_a, a_row) =
            if rounded { (walked.pairs.a, walked.pairs.a_row) } else { (walked.a, walked.a_row) };
        let mut edge = Buffer::<E>::stale(at_a_time * width);
        let zero = Buffer::<E>::zeros(width);
        for start in rows.clone().step_by(at_a_time) {
            let count = (rows.end - start).min(at_a_time);
            for panel in panels::<E, I>(features) {
                let whole = panel.columns == panel.registers * I::LANES;
                // SAFETY: rows of dA, a panel of the weights, and this thread's rows of dX.
                unsafe {
                    let a = d_a.at((start - walked.rows.start) * a_row).cast_const();
                    let a = Left { start: a, row: a_row, inner: 1 };
                    let b = w_x.as_ptr().add(panel.start * inner);
                    let d_x = to.at(start * features + panel.start);
                    let (c, c_row) =
                        if whole { (d_x, features) } else { (edge.as_mut_ptr(), width) };
                    let (k, s, s_row) = (inner, zero.as_ptr(), 0);
                    let product = Product { factors, k, a, b, c, c_row, s, s_row };
                    strip::<E, I>(count, panel.registers, product);
                    if !whole {
                        for row in 0..count {
                            let (from, to) = (c.add(row * width), d_x.add(row * features));
                            std::ptr::copy_nonoverlapping(from, to, panel.columns);
                        }
                    }
                }
            }
        }
    }
}
