//! Every instruction set and number of threads gives the same: to the bit from one number of threads to
//! the next, up to rounding from one instruction set to the next.

use super::*;
use crate::cell::{NAMES, Visitor, visit};
use crate::random::{Random, RngExt, SeedableRng};

/// Everything that a forward and a backward walk return, one after the other.
struct Both<'a, E> {
    set: InstructionSet,
    threads: usize,
    timeline: &'a Timeline,
    features: usize,
    hidden: usize,
    from_a_state: bool,
    element: std::marker::PhantomData<E>,
}

impl<E: Element> Visitor for Both<'_, E> {
    type Output = Vec<Vec<E>>;

    fn visit<C: Cell>(self, cell: C) -> Vec<Vec<E>> {
        let Self { set, threads, timeline, features, hidden, .. } = self;
        let mut random = Random::seed_from_u64(7);
        let mut numbers = |count: usize| -> Vec<E> {
            (0..count).map(|_| E::from_f64(random.random_range(-0.5..0.5))).collect()
        };
        let (steps, batch) = (timeline.steps(), timeline.batch());
        let columns = cell::gates::<C>() * hidden;
        let (states, parameters) = (cell::states::<C>(), cell::parameters::<C>());
        let (input, initial) = (numbers(steps * features), numbers(batch * states * hidden));
        let (w_x, w_h) = (numbers(features * columns), numbers(hidden * columns));
        let (b_x, b_h, vectors) =
            (numbers(columns), numbers(columns), numbers(parameters * hidden));
        let d_output = numbers(steps * hidden);
        let d_others = numbers(batch * (states - 1) * hidden);
        let recurrent = C::RECURRENT == RecurrentShare::Product;
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
        let machine = Machine { set, threads };
        let time = timeline.time();
        // All steps at once, and with stops between: the same to the bit.
        let walk = |stops: &[usize], keep: bool| {
            let mut walk = ForwardWalk::on_threads(machine, &cell, &recurrence);
            let mut walked = vec![E::default(); steps * hidden];
            let mut tapes = Vec::new();
            for part in stops.windows(2) {
                tapes.extend(walk.over(part[0]..part[1], HiddenStates::New(&mut walked), keep));
            }
            (walked, walk.others(), tapes)
        };
        // Over known hidden states, the later half twice.
        let again = |walked: &[E]| {
            let mut walk = ForwardWalk::on_threads(machine, &cell, &recurrence);
            let tape = |walk: &mut ForwardWalk<C, E>, steps| {
                walk.over(steps, HiddenStates::Known(walked), true).expect("a tape")
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
                    BackwardWalk::on_threads(machine, &cell, &recurrence, &walked, from, wanted);
                tapes.iter().rev().for_each(|tape| walk.over(tape.clone()));
                let Gradients { input, initial, w_x, w_h, b_x, b_h, parameters } = walk.finish();
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
        assert!(back(&parts, None) == whole, "stops changed the gradient of {}", cell.name());
        let known = again(&walked);
        assert!(
            back(&known, None) == whole,
            "another walk changed the gradient of {}",
            cell.name()
        );
        let truncated = back(&tapes, Some(&passes));
        [walked, others].into_iter().chain(whole).chain(truncated).collect()
    }
}

fn hold_against_each_other<E: Element + Into<f64>>(tolerance: f64) {
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
            for name in NAMES {
                let both = |set, threads| {
                    let from_a_state = number % 2 == 0;
                    let element = std::marker::PhantomData::<E>;
                    let both =
                        Both { set, threads, timeline, features, hidden, from_a_state, element };
                    visit(name, both).expect("a cell of that name")
                };
                let case = format!("{name}, {timeline:?}, {features} features, {hidden} units");
                let reference = both(InstructionSet::Portable, 1);
                for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                    let alone = both(set, 1);
                    for (result, expected) in alone.iter().zip(&reference) {
                        let norm = |of: &dyn Fn((&E, &E)) -> f64| {
                            result
                                .iter()
                                .zip(expected)
                                .map(|pair| of(pair).powi(2))
                                .sum::<f64>()
                                .sqrt()
                        };
                        let apart = norm(&|(&a, &b)| a.into() - b.into());
                        let size = norm(&|(_, &b)| b.into());
                        assert!(
                            apart <= tolerance * size,
                            "{case}, {set:?}: {apart:e} of {size:e}"
                        );
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
    with_threads(|| hold_against_each_other::<f32>(2e-5));
}

#[test]
fn f64_is_the_same_everywhere() {
    with_threads(|| hold_against_each_other::<f64>(5e-14));
}
