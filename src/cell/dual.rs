//! Dual numbers: a value and its derivative carried along, so that a cell's derivative is
//! checked against its own step exactly, without differences and without Burn.

use super::{Cell, Number, Row, Shape};
use crate::random::{Random, RngExt, SeedableRng};
use std::ops::{Add, Mul, Sub};

/// `value + slope ε` with `ε² = 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Its derivative along the chosen direction.
    pub slope: f64,
}

impl Dual {
    fn through(self, value: f64, slope: f64) -> Self {
        Self { value, slope: self.slope * slope }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            slope: self.slope * other.value + self.value * other.slope,
        }
    }
}

impl Number for Dual {
    fn plus(self, constant: f64) -> Self {
        self.through(self.value + constant, 1.0)
    }
    fn times(self, constant: f64) -> Self {
        self.through(self.value * constant, constant)
    }
    fn sigmoid(self) -> Self {
        let s = self.value.sigmoid();
        self.through(s, s * (1.0 - s))
    }
    fn tanh(self) -> Self {
        let h = self.value.tanh();
        self.through(h, 1.0 - h * h)
    }
    fn relu(self) -> Self {
        self.through(self.value.relu(), self.value.positive())
    }
    fn positive(self) -> Self {
        self.through(self.value.positive(), 0.0)
    }
    fn clip(self, bound: f64) -> Self {
        self.through(self.value.clip(bound), self.value.within(bound))
    }
    fn within(self, bound: f64) -> Self {
        self.through(self.value.within(bound), 0.0)
    }
}

/// The largest difference between [`Cell::derivative`] and the derivative that dual numbers
/// carry through [`Cell::step`], relative to `1 + |slope|`, over `draws` drawn inputs: every
/// input of the step against every state it makes.
pub fn derivative_error<C: Cell>(cell: &C, draws: usize, seed: u64) -> f64 {
    let mut random = Random::seed_from_u64(seed);
    let Shape { gates: g, apart: a, states: s, parameters: p, .. } = Shape::of::<C>();
    let mut worst = 0.0f64;
    for _ in 0..draws {
        let inputs: Vec<f64> = (0..g + a + s + p).map(|_| random.random_range(-2.0..2.0)).collect();
        let step = |direction: Option<usize>| {
            let at = |i: usize| Dual { value: inputs[i], slope: f64::from(Some(i) == direction) };
            cell.step(
                C::Gates::from_fn(at),
                C::Apart::from_fn(|i| at(g + i)),
                C::State::from_fn(|i| at(g + a + i)),
                C::Parameters::from_fn(|i| at(g + a + s + i)),
            )
        };
        let (after, kept) = step(None);
        for out in 0..s {
            let by_hand = cell.derivative(
                C::State::from_fn(|i| f64::from(i == out)),
                C::State::from_fn(|i| inputs[g + a + i]),
                C::State::from_fn(|i| after.as_ref()[i].value),
                C::Kept::from_fn(|i| kept.as_ref()[i].value),
                C::Parameters::from_fn(|i| inputs[g + a + s + i]),
            );
            let by_hand = by_hand
                .gates
                .into_iter()
                .chain(by_hand.apart)
                .chain(by_hand.state.into_iter().map(|d| d.unwrap_or(0.0)))
                .chain(by_hand.parameters);
            for (input, derivative) in by_hand.enumerate() {
                let slope = step(Some(input)).0.as_ref()[out].slope;
                worst = worst.max((derivative - slope).abs() / (1.0 + slope.abs()));
            }
        }
    }
    worst
}
