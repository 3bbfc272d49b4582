//! Every instruction set and number of threads gives the same: to the bit from one number of threads to
//! the next, up to rounding from one instruction set to the next.

use super::*;
use crate::cell::{self, Named, cells};
use crate::random::{Random, RngExt, SeedableRng};

macro_rules! formulas {
    ($($cell:ident => $module:ident $config:ident $options:tt)*) => {
        /// All cells, by name.
        fn formulas<E: Element>() -> Vec<(&'static str, Box<dyn Formula<E>>)> {
            let mut all: Vec<(&'static str, Box<dyn Formula<E>>)> = Vec::new();
            $(all.extend(cell::$cell::NAMED.iter().map(|(name, cell)| {
                (*name, Box::new(*cell) as Box<dyn Formula<E>>)
            }));)*
            all
        }
    };
}
cells!(formulas);

/// A walk there and back.
struct Both<'a> {
    machine: Machine,
    timeline: &'a Timeline,
    features: usize,
    hidden: usize,
    from_a_state: bool,
}

impl Both<'_> {
    /// Everything that a forward and a backward walk return, one after the other.
    fn walk<E: Element>(self, name: &str, cell: &dyn Formula<E>) -> Vec<Vec<E>> {
        let Self { machine, timeline, features, hidden, .. } = self;
        let shape = cell.shape();
        let mut random = Random::seed_from_u64(7);
        let mut numbers = |count: usize| -> Vec<E> {
            (0..count).map(|_| E::from_f64(random.random_range(-0.5..0.5))).collect()
        };
        let (steps, batch) = (timeline.steps(), timeline.batch());
        let columns = shape.gates * hidden;
        let Shape { states, parameters, .. } = shape;
        let (input, initial) = (numbers(steps * features), numbers(batch * states * hidden));
        let (w_x, mut w_h) = (numbers(features * columns), numbers(hidden * columns));
        if machine.precision == Precision::Bf16 {
            // Weights with which a last digit that is rounded the other way does not grow from step to step.
            let scale = E::from_f64(1.0 / (hidden as f64).sqrt());
            w_h.iter_mut().for_each(|w| *w = *w * scale);
        }
        let (b_x, b_h, vectors) =
            (numbers(columns), numbers(columns), numbers(parameters * hidden));
        let d_output = numbers(steps * hidden);
        let d_others = numbers(batch * (states - 1) * hidden);
        let recurrent = shape.recurrent_product();
        let recurrence = Recurrence {
            timeline,
            hidden,
            features,
            input: &input,
            initial: self.from_a_state.then_some(&initial),
            w_x: Some(&w_x),
            w_h: recurrent.then_some(&w_h),
            b_x: Some(&b_x),
            b_h: recurrent.then_some(&b_h),
            parameters: (parameters > 0).then_some(&vectors),
        };
        let time = timeline.time();
        // All steps at once, and with stops between: the same to the bit.
        let walk = |stops: &[usize], keep: bool| {
            let mut walk = ForwardWalk::on_threads(machine, cell, &recurrence);
            let mut walked = vec![E::default(); steps * hidden];
            let mut tapes = Vec::new();
            for part in stops.windows(2) {
                tapes.extend(walk.over(part[0]..part[1], HiddenStates::Write(&mut walked), keep));
            }
            (walked, walk.others(), tapes)
        };
        // Over hidden states that are there, the later half twice.
        let again = |walked: &[E]| {
            let mut walk = ForwardWalk::on_threads(machine, cell, &recurrence);
            let tape = |walk: &mut ForwardWalk<E>, steps| {
                walk.over(steps, HiddenStates::Read(walked), true).expect("a tape")
            };
            let earlier = tape(&mut walk, 0..time / 2);
            let border = walk.border();
            tape(&mut walk, time / 2..time);
            walk.return_to(&border);
            [earlier, tape(&mut walk, time / 2..time)]
        };
        let stops: Vec<usize> = (0..time).step_by(2).chain([time]).collect();
        let inference = walk(&[0, time], false);
        let (walked, others, tapes) = walk(&[0, time], true);
        let (with_stops, others_with_stops, parts) = walk(&stops, true);
        for other in [&inference.0, &with_stops] {
            assert!(other == &walked, "{other:?} {walked:?}");
        }
        for other in [&inference.1, &others_with_stops] {
            assert!(other == &others, "{other:?} {others:?}");
        }
        let wanted = Wanted {
            input: true,
            initial: true,
            w_x: true,
            w_h: recurrent,
            b_x: true,
            b_h: recurrent,
            parameters: parameters > 0,
        };
        let passes: Vec<f64> = (0..time).map(|t| [1.0, 0.5, 0.0, 1.25][t % 4]).collect();
        let back = |tapes: &[Tape<E>], passes: Option<&[f64]>| {
            let from = |output| {
                let others = (states > 1).then_some(d_others.as_slice());
                let from = Upstream { output, others, passes };
                let mut walk =
                    BackwardWalk::on_threads(machine, cell, &recurrence, &walked, from, wanted);
                tapes.iter().rev().for_each(|tape| walk.over(tape.clone()));
                let gradients::Gradients { input, initial, w_x, w_h, b_x, b_h, parameters } =
                    walk.finish();
                [input, initial, w_x, w_h, b_x, b_h, parameters]
                    .into_iter()
                    .flatten()
                    .map(|gradient| gradient.to_vec())
                    .collect::<Vec<_>>()
            };
            let gradients = from(OutputGradient::Read(&d_output));
            if features == hidden {
                let mut place = d_output.clone();
                let others = from(OutputGradient::Replace(&mut place));
                assert!(place == gradients[0] && others == gradients[1..], "dX in place of dO");
            }
            gradients
        };
        let whole = back(&tapes, None);
        // The steps of a pair are added to a sum at once, and a stop between them parts them.
        let same = |other: &[Vec<E>]| match machine.precision {
            Precision::Full => other == whole,
            Precision::Bf16 => {
                other.iter().zip(&whole).all(|(other, whole)| distance(other, whole) < 1e-6)
            }
        };
        assert!(same(&back(&parts, None)), "stops changed the gradient of {name}");
        let second = again(&walked);
        assert!(same(&back(&second, None)), "another walk changed the gradient of {name}");
        let truncated = back(&tapes, Some(&passes));
        [walked, others].into_iter().chain(whole).chain(truncated).collect()
    }
}

/// How far some numbers are from others, as a share of the others' size.
fn distance<E: Element>(numbers: &[E], others: &[E]) -> f64 {
    let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|n| n * n).sum::<f64>().sqrt();
    let apart = norm(&mut numbers.iter().zip(others).map(|(a, b)| a.to_f64() - b.to_f64()));
    if apart == 0.0 { 0.0 } else { apart / norm(&mut others.iter().map(|b| b.to_f64())) }
}

fn hold_against_each_other<E: Element>(precision: Precision, tolerance: f64) {
    let timelines = [
        Timeline::uniform(3, 1),
        Timeline::uniform(5, 2),
        Timeline::uniform(2, 37),
        Timeline::from_falling_lengths(&[9, 9, 6, 2, 1, 1, 1]),
        Timeline::from_falling_lengths(&[4, 1]),
        // The rows of the second thread end just before the last step.
        Timeline::from_falling_lengths(&[9, 9, 9, 9, 9, 8, 8, 8, 8, 8, 8, 8, 8]),
    ];
    for (number, timeline) in timelines.iter().enumerate() {
        for (features, hidden) in [(1, 1), (3, 16), (20, 20), (17, 33), (2, 150)] {
            for (name, cell) in formulas::<E>() {
                let both = |set, threads| {
                    let from_a_state = number % 2 == 0;
                    let machine = Machine { set, threads, precision };
                    let both = Both { machine, timeline, features, hidden, from_a_state };
                    both.walk(name, &*cell)
                };
                let case = format!("{name}, {timeline:?}, {features} features, {hidden} units");
                let reference = both(InstructionSet::Portable, 1);
                for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                    let alone = both(set, 1);
                    for (result, expected) in alone.iter().zip(&reference) {
                        let apart = distance(result, expected);
                        assert!(apart <= tolerance, "{case}, {set:?}: {apart:e}");
                    }
                    for threads in [2, 3] {
                        assert!(both(set, threads) == alone, "{case}, {set:?}, {threads} threads");
                    }
                }
            }
        }
    }
}

fn with_threads(work: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads").install(work);
}

#[test]
fn f32_is_the_same_everywhere() {
    with_threads(|| hold_against_each_other::<f32>(Precision::Full, 2e-5));
}

#[test]
fn f64_is_the_same_everywhere() {
    with_threads(|| hold_against_each_other::<f64>(Precision::Full, 5e-14));
}

#[test]
fn bf16_is_the_same_everywhere() {
    with_threads(|| hold_against_each_other::<f32>(Precision::Bf16, 3e-3));
}

/// A recurrence of an LSTM over rows of two steps, and room for its numbers.
struct Small {
    timeline: Timeline,
    hidden: usize,
    input: Vec<f32>,
    w_x: Vec<f32>,
    w_h: Vec<f32>,
}

const LSTM: cell::Lstm = cell::Lstm { clip: None };
const ALONE: Machine =
    Machine { set: InstructionSet::Portable, threads: 1, precision: Precision::Full };

impl Small {
    fn new(batch: usize, hidden: usize) -> Self {
        Self {
            timeline: Timeline::uniform(2, batch),
            hidden,
            input: vec![0.1; 2 * batch],
            w_x: vec![0.1; 4 * hidden],
            w_h: vec![0.1; 4 * hidden * hidden],
        }
    }

    fn recurrence(&self) -> Recurrence<'_, f32> {
        Recurrence {
            timeline: &self.timeline,
            hidden: self.hidden,
            features: 1,
            input: &self.input,
            initial: None,
            w_x: Some(&self.w_x),
            w_h: Some(&self.w_h),
            b_x: None,
            b_h: None,
            parameters: None,
        }
    }

    fn tape(&self) -> Tape<f32> {
        let recurrence = self.recurrence();
        let mut hidden = vec![0.0; self.timeline.steps() * self.hidden];
        let mut walk = ForwardWalk::new(ALONE, &LSTM, &recurrence);
        walk.over(0..2, HiddenStates::Write(&mut hidden), true).expect("it was asked for")
    }

    fn walk_back(&self, tape: Tape<f32>) {
        let recurrence = self.recurrence();
        let hidden = vec![0.0; self.timeline.steps() * self.hidden];
        let wanted = Wanted { w_h: true, ..Wanted::default() };
        let upstream = Upstream::default();
        BackwardWalk::new(ALONE, &LSTM, &recurrence, &hidden, upstream, wanted).over(tape);
    }
}

#[test]
#[should_panic(expected = "the tape is that of another cell or of other sizes")]
fn a_tape_of_fewer_units_is_not_walked_back_over() {
    Small::new(3, 512).walk_back(Small::new(3, 1).tape());
}

#[test]
#[should_panic(expected = "the tape is that of another batch")]
fn a_tape_of_fewer_rows_is_not_walked_back_over() {
    Small::new(300, 4).walk_back(Small::new(1, 4).tape());
}

#[test]
fn a_tape_of_the_same_sizes_is() {
    let small = Small::new(3, 5);
    small.walk_back(small.tape());
}

#[test]
#[should_panic(expected = "do not fit the address space")]
fn sizes_whose_products_wrap_are_refused() {
    let timeline = Timeline::uniform(2, 1);
    // 2 steps of 2^63 features wrap to no number at all.
    let recurrence = Recurrence::<f32> {
        timeline: &timeline,
        hidden: 1,
        features: 1 << 63,
        input: &[],
        initial: None,
        w_x: Some(&[]),
        w_h: Some(&[0.0; 4]),
        b_x: None,
        b_h: None,
        parameters: None,
    };
    ForwardWalk::new(ALONE, &LSTM, &recurrence);
}

/// The time for the backward walk's gradients is linear in the steps, however many blocks they are cut into: the step of a
/// block's last row is found, not searched for from the end.
#[test]
fn a_block_finds_its_rows_wherever_it_lies() {
    let timeline = Timeline::from_falling_lengths(&[6, 4, 4, 1]);
    let hidden: Vec<f32> = (0..timeline.steps()).map(|row| row as f32).collect();
    let recurrence = Recurrence {
        timeline: &timeline,
        hidden: 1,
        features: 1,
        input: &hidden,
        initial: None,
        w_x: None,
        w_h: None,
        b_x: None,
        b_h: None,
        parameters: None,
    };
    for end in 1..=timeline.steps() {
        let mut previous = gradients::PreviousHidden::before(&recurrence, 1, &hidden, end);
        assert_eq!(previous.step(), timeline.step_of(end - 1));
        for (row, before) in (0..end).rev().zip(previous.rows(0..end)) {
            let t = timeline.step_of(row);
            let expected =
                (t > 0).then(|| (row - timeline.rows(t).start + timeline.rows(t - 1).start) as f32);
            // SAFETY: a row of the hidden states.
            assert_eq!(before.map(|before| unsafe { *before }), expected);
        }
    }
}

/// So many rows that a single chain of additions in `f32` would stand still: the sum of their ones is exact.
#[test]
fn a_sum_of_many_ones_does_not_stand_still() {
    let (time, batch) = (17_000, 1000);
    let timeline = Timeline::uniform(time, batch);
    let (ones, hidden) = (vec![1f32; time * batch], vec![0f32; time * batch]);
    let linear = cell::Elman { activation: cell::Activation::Identity, clip: None };
    let recurrence = Recurrence {
        timeline: &timeline,
        hidden: 1,
        features: 1,
        input: &ones,
        initial: None,
        w_x: Some(&[0.0]),
        w_h: Some(&[0.0]),
        b_x: Some(&[0.0]),
        b_h: None,
        parameters: None,
    };
    let wanted = Wanted { w_x: true, b_x: true, ..Wanted::default() };
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
        for precision in [Precision::Full, Precision::Bf16] {
            let machine = Machine { set, threads: 2, precision };
            let mut walked = hidden.clone();
            let mut walk = ForwardWalk::on_threads(machine, &linear, &recurrence);
            let states = HiddenStates::Write(&mut walked);
            let tape = walk.over(0..time, states, true).expect("it was asked for");
            let output = OutputGradient::Read(&ones);
            let from = Upstream { output, ..Upstream::default() };
            let mut walk =
                BackwardWalk::on_threads(machine, &linear, &recurrence, &hidden, from, wanted);
            walk.over(tape);
            let gradients = walk.finish();
            for sum in [gradients.w_x, gradients.b_x] {
                assert_eq!(sum.expect("it was wanted")[0], 17e6, "{machine:?}");
            }
        }
    }
}

/// One step of one row at a time, with weights as they lie in memory, gives the bits that a batch gives.
#[test]
fn a_row_alone_takes_the_steps_that_it_takes_among_others() {
    const BATCH: usize = 5;
    const TIME: usize = 3;
    for (features, hidden) in [(3, 16), (17, 33), (2, 150)] {
        for (name, cell) in formulas::<f32>() {
            let Shape { gates, states, parameters, .. } = cell.shape();
            let recurrent = cell.shape().recurrent_product();
            let features = if cell.shape().input_product() { features } else { gates * hidden };
            let mut random = Random::seed_from_u64(3);
            let mut numbers = |count: usize| -> Vec<f32> {
                (0..count).map(|_| random.random_range(-0.5..0.5)).collect()
            };
            let columns = gates * hidden;
            let input = numbers(TIME * BATCH * features);
            let initial = numbers(BATCH * states * hidden);
            let (w_x, w_h) = (numbers(features * columns), numbers(hidden * columns));
            let (b_x, b_h, vectors) =
                (numbers(columns), numbers(columns), numbers(parameters * hidden));
            for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                for threads in [1, 2] {
                    let machine = Machine { set, threads, precision: Precision::Full };
                    let walk = |timeline: &Timeline, input: &[f32], initial: &[f32]| {
                        let recurrence = Recurrence {
                            timeline,
                            hidden,
                            features,
                            input,
                            initial: Some(initial),
                            w_x: Some(&w_x),
                            w_h: recurrent.then_some(&w_h),
                            b_x: Some(&b_x),
                            b_h: recurrent.then_some(&b_h),
                            parameters: (parameters > 0).then_some(&vectors),
                        };
                        let mut walk = ForwardWalk::on_threads(machine, &*cell, &recurrence);
                        let mut walked = vec![0.0; timeline.steps() * hidden];
                        walk.over(0..timeline.time(), HiddenStates::Write(&mut walked), false);
                        (walked, walk.others())
                    };
                    let (together, _) = walk(&Timeline::uniform(TIME, BATCH), &input, &initial);
                    for row in 0..BATCH {
                        let mut state =
                            initial[row * states * hidden..][..states * hidden].to_vec();
                        for t in 0..TIME {
                            let x = &input[(t * BATCH + row) * features..][..features];
                            let (h, others) = walk(&Timeline::uniform(1, 1), x, &state);
                            let among = &together[(t * BATCH + row) * hidden..][..hidden];
                            assert!(h == among, "{name}, {set:?}, {threads}: row {row}, step {t}");
                            state = [h, others].concat();
                        }
                    }
                }
            }
        }
    }
}
