//! A cell's formula as a list of operations. It is recorded once, by running the formula on symbols, and then runs on
//! numbers of any type without being compiled for each of them: on the tensors of every backend, and on those that Burn
//! differentiates.
//!
//! ```text
//! step        inputs  pre-activations [G], halves apart [A], states before [S], parameters [P]
//!             outputs states [S], kept [K]
//! derivative  inputs  gradient of the states [S], states before [S], after [S], kept [K], parameters [P]
//!             outputs gradients of pre-activations [G], halves apart [A], states before [S], parameters [P]
//! ```

use super::{Cell, Number, Row, Shape};
use std::cell::RefCell;
use std::ops::{Add, Mul, Sub};
use std::rc::Rc;

/// One operation on values that are numbered in the order in which they come about, the inputs first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    Plus(usize, f64),
    Times(usize, f64),
    Sigmoid(usize),
    Tanh(usize),
    Relu(usize),
    Positive(usize),
    Clip(usize, f64),
    Within(usize, f64),
}

impl Operation {
    fn operands(self) -> (usize, Option<usize>) {
        match self {
            Self::Add(a, b) | Self::Sub(a, b) | Self::Mul(a, b) => (a, Some(b)),
            Self::Plus(a, _) | Self::Times(a, _) | Self::Clip(a, _) | Self::Within(a, _) => {
                (a, None)
            }
            Self::Sigmoid(a) | Self::Tanh(a) | Self::Relu(a) | Self::Positive(a) => (a, None),
        }
    }
}

/// A recorded formula.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    inputs: usize,
    operations: Vec<Operation>,
    /// The value of each output; `None` where the formula says that there is none.
    outputs: Vec<Option<usize>>,
    /// For each value how often it is read, outputs included.
    uses: Vec<usize>,
}

impl Program {
    /// [`Cell::step`].
    pub fn step<C: Cell>(cell: &C) -> Self {
        let Shape { gates, apart, states, parameters, .. } = Shape::of::<C>();
        Self::record(gates + apart + states + parameters, |at| {
            let (after, kept) = cell.step(
                C::Gates::from_fn(&at),
                C::Apart::from_fn(|g| at(gates + g)),
                C::State::from_fn(|s| at(gates + apart + s)),
                C::Parameters::from_fn(|p| at(gates + apart + states + p)),
            );
            after.into_iter().chain(kept).map(Some).collect()
        })
    }

    /// [`Cell::derivative`].
    pub fn derivative<C: Cell>(cell: &C) -> Self {
        let Shape { states, kept, parameters, .. } = Shape::of::<C>();
        Self::record(3 * states + kept + parameters, |at| {
            let step = cell.derivative(
                C::State::from_fn(&at),
                C::State::from_fn(|s| at(states + s)),
                C::State::from_fn(|s| at(2 * states + s)),
                C::Kept::from_fn(|k| at(3 * states + k)),
                C::Parameters::from_fn(|p| at(3 * states + kept + p)),
            );
            let gates = step.gates.into_iter().chain(step.apart).map(Some);
            gates.chain(step.state).chain(step.parameters.into_iter().map(Some)).collect()
        })
    }

    fn record(
        inputs: usize,
        formula: impl FnOnce(&dyn Fn(usize) -> Symbol) -> Vec<Option<Symbol>>,
    ) -> Self {
        let recording = Rc::new(Recording { inputs, operations: RefCell::default() });
        let input = |value: usize| Symbol { value, recording: Rc::clone(&recording) };
        let outputs = formula(&input).into_iter().map(|output| output.map(|symbol| symbol.value));
        let outputs: Vec<Option<usize>> = outputs.collect();
        let operations = recording.operations.take();
        let mut uses = vec![0; inputs + operations.len()];
        for operation in &operations {
            let (first, second) = operation.operands();
            uses[first] += 1;
            second.into_iter().for_each(|second| uses[second] += 1);
        }
        outputs.iter().flatten().for_each(|&output| uses[output] += 1);
        Self { inputs, operations, outputs, uses }
    }

    /// Whether there is an output of that number.
    pub fn has_output(&self, number: usize) -> bool {
        self.outputs[number].is_some()
    }

    /// The outputs of these inputs. A value is given up where it is read for the last time, so that a tensor of which
    /// nobody else has a copy may be written over.
    ///
    /// # Panics
    /// If the inputs are not as many as the formula's.
    pub fn run<V: Number>(&self, inputs: impl IntoIterator<Item = V>) -> Vec<Option<V>> {
        let mut values: Vec<Option<V>> = inputs.into_iter().map(Some).collect();
        assert_eq!(values.len(), self.inputs, "inputs of the formula");
        let mut uses = self.uses.clone();
        fn read<V: Clone>(values: &mut [Option<V>], uses: &mut [usize], value: usize) -> V {
            uses[value] -= 1;
            let last = uses[value] == 0;
            let found = if last { values[value].take() } else { values[value].clone() };
            found.expect("a value is there until it is read for the last time")
        }
        for operation in &self.operations {
            let (first, second) = operation.operands();
            let a = read(&mut values, &mut uses, first);
            let b = second.map(|second| read(&mut values, &mut uses, second));
            let b = || b.expect("an operation of two values");
            let result = match *operation {
                Operation::Add(..) => a + b(),
                Operation::Sub(..) => a - b(),
                Operation::Mul(..) => a * b(),
                Operation::Plus(_, constant) => a.plus(constant),
                Operation::Times(_, constant) => a.times(constant),
                Operation::Sigmoid(_) => a.sigmoid(),
                Operation::Tanh(_) => a.tanh(),
                Operation::Relu(_) => a.relu(),
                Operation::Positive(_) => a.positive(),
                Operation::Clip(_, bound) => a.clip(bound),
                Operation::Within(_, bound) => a.within(bound),
            };
            // What nobody reads is not kept.
            let wanted = uses[values.len()] > 0;
            values.push(wanted.then_some(result));
        }
        let outputs = self.outputs.iter();
        outputs.map(|output| Some(read(&mut values, &mut uses, (*output)?))).collect()
    }
}

/// The operations so far.
struct Recording {
    inputs: usize,
    operations: RefCell<Vec<Operation>>,
}

/// A value of the recording.
#[derive(Clone)]
struct Symbol {
    value: usize,
    recording: Rc<Recording>,
}

impl Symbol {
    fn then(self, operation: impl FnOnce(usize) -> Operation) -> Self {
        let mut operations = self.recording.operations.borrow_mut();
        operations.push(operation(self.value));
        let value = self.recording.inputs + operations.len() - 1;
        Self { value, recording: Rc::clone(&self.recording) }
    }
}

impl Add for Symbol {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.then(|a| Operation::Add(a, other.value))
    }
}

impl Sub for Symbol {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.then(|a| Operation::Sub(a, other.value))
    }
}

impl Mul for Symbol {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.then(|a| Operation::Mul(a, other.value))
    }
}

impl Number for Symbol {
    fn plus(self, constant: f64) -> Self {
        self.then(|a| Operation::Plus(a, constant))
    }
    fn times(self, constant: f64) -> Self {
        self.then(|a| Operation::Times(a, constant))
    }
    fn sigmoid(self) -> Self {
        self.then(Operation::Sigmoid)
    }
    fn tanh(self) -> Self {
        self.then(Operation::Tanh)
    }
    fn relu(self) -> Self {
        self.then(Operation::Relu)
    }
    fn positive(self) -> Self {
        self.then(Operation::Positive)
    }
    fn clip(self, bound: f64) -> Self {
        self.then(|a| Operation::Clip(a, bound))
    }
    fn within(self, bound: f64) -> Self {
        self.then(|a| Operation::Within(a, bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{CoupledLstm, Elman, Gru, IndRnn, Lstm};
    use crate::random::{Random, RngExt, SeedableRng};

    /// The recorded step and derivative against the formula itself, to the bit.
    fn recorded_is_the_formula<C: Cell>(cell: C) {
        let shape = Shape::of::<C>();
        let (step, derivative) = (Program::step(&cell), Program::derivative(&cell));
        let mut random = Random::seed_from_u64(3);
        for _ in 0..100 {
            let mut draw = |count: usize| -> Vec<f64> {
                (0..count).map(|_| random.random_range(-2.0..2.0)).collect()
            };
            let (a, u, h) = (draw(shape.gates), draw(shape.apart), draw(shape.states));
            let (p, d) = (draw(shape.parameters), draw(shape.states));
            let row = |values: &[f64]| values.to_vec();
            let (after, kept) = cell.step(
                C::Gates::from_fn(|i| a[i]),
                C::Apart::from_fn(|i| u[i]),
                C::State::from_fn(|i| h[i]),
                C::Parameters::from_fn(|i| p[i]),
            );
            let (after, kept) = (row(after.as_ref()), row(kept.as_ref()));
            let expected: Vec<_> =
                [row(&after), row(&kept)].concat().into_iter().map(Some).collect();
            let inputs = [row(&a), row(&u), row(&h), row(&p)].concat();
            assert_eq!(step.run(inputs), expected, "{}", cell.name());
            let back = cell.derivative(
                C::State::from_fn(|i| d[i]),
                C::State::from_fn(|i| h[i]),
                C::State::from_fn(|i| after[i]),
                C::Kept::from_fn(|i| kept[i]),
                C::Parameters::from_fn(|i| p[i]),
            );
            let gates = back.gates.into_iter().chain(back.apart).map(Some);
            let expected: Vec<Option<f64>> =
                gates.chain(back.state).chain(back.parameters.into_iter().map(Some)).collect();
            let inputs = [row(&d), row(&h), row(&after), row(&kept), row(&p)].concat();
            assert_eq!(derivative.run(inputs), expected, "{}", cell.name());
        }
    }

    #[test]
    fn a_recorded_formula_gives_the_same_bits() {
        for clip in [None, Some(0.4)] {
            recorded_is_the_formula(Lstm { clip });
            recorded_is_the_formula(Gru { clip });
            recorded_is_the_formula(CoupledLstm { clip });
            for activation in crate::cell::Activation::ALL {
                recorded_is_the_formula(Elman { activation, clip });
                recorded_is_the_formula(IndRnn { activation });
            }
        }
    }

    #[test]
    fn a_value_is_given_up_where_it_is_read_for_the_last_time() {
        /// A number that knows how many copies of it were made.
        #[derive(Clone)]
        struct Counted(Rc<()>, f64);
        impl Add for Counted {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                assert_eq!(Rc::strong_count(&self.0), 1, "somebody else has the first operand");
                Self(self.0, self.1 + other.1)
            }
        }
        let program = Program::record(2, |at| vec![Some((at(0) + at(1)) + at(1))]);
        // Only addition is recorded; the other operations are not asked for.
        impl Sub for Counted {
            type Output = Self;
            fn sub(self, _: Self) -> Self {
                unreachable!()
            }
        }
        impl Mul for Counted {
            type Output = Self;
            fn mul(self, _: Self) -> Self {
                unreachable!()
            }
        }
        macro_rules! not_asked_for {
            ($($name:ident($($argument:ty)?))*) => {
                impl Number for Counted {
                    $(fn $name(self $(, _: $argument)?) -> Self { unreachable!() })*
                }
            };
        }
        not_asked_for!(plus(f64) times(f64) sigmoid() tanh() relu() positive() clip(f64) within(f64));
        let number = |value| Counted(Rc::new(()), value);
        let outputs = program.run([number(1.0), number(2.0)]);
        assert_eq!(outputs[0].as_ref().unwrap().1, 5.0);
    }
}
