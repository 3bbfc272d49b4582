//! The backward walk within a memory budget.
//!
//! The derivative of a step needs the tape that the step wrote. The tape of all steps is most of the memory of
//! training. With a budget the forward walk keeps only the states at chosen steps, its borders. The
//! backward walk goes back to a border and walks the steps after it once more, this time with a tape.
//! The recomputed numbers are the same to the bit, and so is the gradient.
//!
//! A dynamic programme chooses the steps (Gruslys, Munos, Danihelka, Lanctot & Graves 2016,
//! "Memory-efficient backpropagation through time", section 3). Let `cost(n, m)` be the number of steps
//! walked forward until the gradient of `n` steps is known, with `m` bytes of memory:
//!
//! ```text
//! cost(n, m) = n                                                   if the tape of n steps fits into m
//!            = min over y of  y + cost(n − y, m − border) + cost(y, m)     if not
//! ```
//!
//! The second line keeps a border, walks `y` steps without a tape, handles the steps after them, returns
//! to the border and handles the `y` steps. The hidden states are the output, which is kept anyway, so
//! a border holds only the other states: the LSTM's cells, and nothing for a GRU or an RNN.

use std::ops::Range;

/// Bytes that a walk keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Steps at which the walk may stop, in order, the first and the last among them.
    pub stops: Vec<usize>,
    /// The bytes of the tape between each stop and the next.
    pub tapes: Vec<usize>,
    /// The bytes of the states between two steps, which each tape and each border holds.
    pub border: usize,
}

/// The plan of a backward walk over some steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// With a tape of all of them.
    Keep(Range<usize>),
    /// The later ones first, then, from a border, the earlier ones.
    Split(Box<[Plan; 2]>),
}

/// The budget is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a memory budget of {budget} bytes is too small: the least possible is {least} bytes")]
pub struct BudgetError {
    /// The bytes that were given.
    pub budget: usize,
    /// The least possible budget.
    pub least: usize,
}

/// Groups of stops between which the dynamic programme chooses.
const GROUPS: usize = 96;

const NEVER: f64 = f64::INFINITY;

impl Costs {
    /// The least budget that can be met: halves of halves, a border for each, and the tape between two
    /// stops.
    pub fn least(&self) -> usize {
        self.least_of(&(0..self.tapes.len()))
    }

    fn least_of(&self, units: &Range<usize>) -> usize {
        let largest = self.tapes[units.clone()].iter().max().copied().unwrap_or(0);
        let halvings = units.len().next_power_of_two().ilog2() as usize;
        (self.border + largest + halvings * self.border).min(self.tape(units))
    }

    /// The bytes of a tape.
    fn tape(&self, units: &Range<usize>) -> usize {
        self.border + self.tapes[units.clone()].iter().sum::<usize>()
    }

    /// The cheapest plan within the budget.
    ///
    /// # Errors
    /// If the budget is less than [`Costs::least`].
    pub fn plan(&self, budget: usize) -> Result<Plan, BudgetError> {
        let least = self.least();
        if budget < least {
            return Err(BudgetError { budget, least });
        }
        Ok(self.plan_of(0..self.tapes.len(), budget))
    }

    fn plan_of(&self, units: Range<usize>, memory: usize) -> Plan {
        if self.tape(&units) <= memory {
            return Plan::Keep(self.stops[units.start]..self.stops[units.end]);
        }
        let programme = Programme::new(self, &units, memory);
        if programme.cost(programme.groups(), 0) == NEVER {
            return self.halves(units, memory);
        }
        programme.plan(0..programme.groups(), 0)
    }

    /// The plan of [`Costs::least`].
    fn halves(&self, units: Range<usize>, memory: usize) -> Plan {
        let middle = units.start + units.len().div_ceil(2);
        Plan::Split(Box::new([
            self.plan_of(units.start..middle, memory),
            self.plan_of(middle..units.end, memory - self.border),
        ]))
    }

    /// Groups of about equally many bytes, as many as the programme has time for.
    fn grouped(&self, units: &Range<usize>) -> Vec<usize> {
        let target = self.tapes[units.clone()].iter().sum::<usize>().div_ceil(GROUPS);
        let (mut edges, mut bytes) = (vec![units.start], 0);
        for unit in units.clone() {
            if bytes > 0 && bytes + self.tapes[unit] > target {
                edges.push(unit);
                bytes = 0;
            }
            bytes += self.tapes[unit];
        }
        edges.push(units.end);
        edges
    }
}

/// The table of the dynamic programme.
struct Programme<'a> {
    costs: &'a Costs,
    memory: usize,
    /// The first unit of each group, and the end.
    edges: Vec<usize>,
    /// Bytes of the largest group.
    group: usize,
    /// `[borders taken][groups]`: the cost, and the groups before the border, none if a tape fits.
    table: Vec<Vec<(f64, usize)>>,
}

impl<'a> Programme<'a> {
    fn new(costs: &'a Costs, units: &Range<usize>, memory: usize) -> Self {
        let edges = costs.grouped(units);
        let groups = edges.len() - 1;
        let bytes = |edge: &[usize]| costs.tape(&(edge[0]..edge[1])) - costs.border;
        let group = edges.windows(2).map(bytes).max().unwrap_or(0);
        // A border without states costs no memory, so one line of the table is enough.
        let most = memory.checked_div(costs.border).map_or(0, |borders| borders.min(groups));
        let table = vec![vec![(NEVER, 0); groups + 1]; most + 1];
        let mut programme = Self { costs, memory, edges, group, table };
        for borders in (0..=most).rev() {
            for n in 1..=groups {
                programme.table[borders][n] = programme.best(n, borders);
            }
        }
        programme
    }

    fn groups(&self) -> usize {
        self.edges.len() - 1
    }

    fn cost(&self, groups: usize, borders: usize) -> f64 {
        self.table.get(borders).map_or(NEVER, |line| line[groups].0)
    }

    /// The borders taken after one more.
    fn after(&self, borders: usize) -> usize {
        borders + usize::from(self.costs.border > 0)
    }

    fn best(&self, n: usize, borders: usize) -> (f64, usize) {
        let memory = self.memory - borders * self.costs.border;
        if self.costs.border + n * self.group <= memory {
            return (n as f64, 0);
        }
        if n == 1 {
            // A group whose tape does not fit is halved. Each halving walks over half of it once more.
            let units = (0..self.groups()).map(|g| self.edges[g]..self.edges[g + 1]);
            let (mut least, mut longest) = (0, 0);
            for units in units {
                least = least.max(self.costs.least_of(&units));
                longest = longest.max(units.len());
            }
            let cost = 1.0 + (longest as f64).log2() / 2.0;
            return if longest > 1 && least <= memory { (cost, 0) } else { (NEVER, 0) };
        }
        let next = self.after(borders);
        let cost = |y: usize| y as f64 + self.cost(n - y, next) + self.cost(y, borders);
        let costs = (1..n).map(|y| (cost(y), y));
        costs.min_by(|a, b| a.0.total_cmp(&b.0)).expect("two groups or more")
    }

    fn plan(&self, groups: Range<usize>, borders: usize) -> Plan {
        let memory = self.memory - borders * self.costs.border;
        match self.table[borders][groups.len()].1 {
            0 => self.costs.plan_of(self.edges[groups.start]..self.edges[groups.end], memory),
            y => {
                let middle = groups.start + y;
                Plan::Split(Box::new([
                    self.plan(groups.start..middle, borders),
                    self.plan(middle..groups.end, self.after(borders)),
                ]))
            }
        }
    }
}

impl Plan {
    /// The steps that are walked over.
    pub fn steps(&self) -> Range<usize> {
        match self {
            Self::Keep(steps) => steps.clone(),
            Self::Split(parts) => parts[0].steps().start..parts[1].steps().end,
        }
    }
}

/// A walk forward that can stop between two steps.
pub trait Forward {
    /// The states between two steps.
    type Border;
    /// The tape that the backward walk over some steps needs.
    type Tape;

    /// The states after the steps walked over.
    fn border(&mut self) -> Self::Border;
    /// Walks over the steps that come next.
    fn forward(&mut self, steps: Range<usize>);
    /// The same with a tape.
    fn forward_with_tape(&mut self, steps: Range<usize>) -> Self::Tape;
}

/// A walk backward that can ask for steps to be walked forward again.
pub trait Backward: Forward {
    /// Lets the forward walk go on from a border.
    fn return_to(&mut self, border: Self::Border);
    /// Walks back over the steps of the tape.
    fn backward(&mut self, tape: Self::Tape);
}

/// The result of a forward walk within a budget: the tape of the last steps, and borders and plans for the
/// steps before, the latest last.
#[derive(Clone, Debug)]
pub struct Kept<B, T> {
    earlier: Vec<(B, Plan)>,
    tape: T,
}

/// Walks forward over all steps of the plan.
pub fn forward<W: Forward>(walk: &mut W, mut plan: Plan) -> Kept<W::Border, W::Tape> {
    let mut earlier = Vec::new();
    loop {
        match plan {
            Plan::Keep(steps) => {
                let tape = walk.forward_with_tape(steps);
                return Kept { earlier, tape };
            }
            Plan::Split(parts) => {
                let [before, after] = *parts;
                earlier.push((walk.border(), before.clone()));
                walk.forward(before.steps());
                plan = after;
            }
        }
    }
}

/// Walks backward over all steps, with the result of [`forward`].
pub fn backward<W: Backward>(walk: &mut W, kept: Kept<W::Border, W::Tape>) {
    walk.backward(kept.tape);
    for (border, plan) in kept.earlier.into_iter().rev() {
        walk.return_to(border);
        let kept = forward(walk, plan);
        backward(walk, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, RngExt, SeedableRng};
    use std::cell::Cell;
    use std::rc::Rc;

    /// Bytes held, and the most that were.
    #[derive(Clone, Default)]
    struct Memory(Rc<[Cell<usize>; 2]>);

    struct Held(Memory, usize);

    impl Memory {
        fn hold(&self, bytes: usize) -> Held {
            let [now, most] = &*self.0;
            now.set(now.get() + bytes);
            most.set(most.get().max(now.get()));
            Held(self.clone(), bytes)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let [now, _] = &*self.0.0;
            now.set(now.get() - self.1);
        }
    }

    /// A walk that only counts.
    struct Books<'a> {
        costs: &'a Costs,
        memory: Memory,
        at: usize,
        left: usize,
        walked: usize,
    }

    impl Forward for Books<'_> {
        type Border = (usize, Held);
        type Tape = (Range<usize>, Held);

        fn border(&mut self) -> Self::Border {
            (self.at, self.memory.hold(self.costs.border))
        }
        fn forward(&mut self, steps: Range<usize>) {
            assert_eq!(steps.start, self.at);
            self.at = steps.end;
            self.walked += steps.len();
        }
        fn forward_with_tape(&mut self, steps: Range<usize>) -> Self::Tape {
            self.forward(steps.clone());
            let unit = |step| self.costs.stops.binary_search(&step).expect("a stop");
            let bytes = self.costs.tape(&(unit(steps.start)..unit(steps.end)));
            (steps, self.memory.hold(bytes))
        }
    }

    impl Backward for Books<'_> {
        fn return_to(&mut self, (at, _): Self::Border) {
            self.at = at;
        }
        fn backward(&mut self, (steps, _): Self::Tape) {
            assert_eq!(steps.end, self.left, "the walk goes back step by step");
            self.left = steps.start;
        }
    }

    /// Steps walked forward and the most bytes held.
    fn carried_out(costs: &Costs, budget: usize) -> [usize; 2] {
        let last = *costs.stops.last().unwrap();
        let memory = Memory::default();
        let mut books = Books { costs, memory: memory.clone(), at: 0, left: last, walked: 0 };
        let kept = forward(&mut books, costs.plan(budget).unwrap());
        assert_eq!(books.at, last);
        backward(&mut books, kept);
        assert_eq!((books.left, memory.0[0].get()), (0, 0));
        [books.walked, memory.0[1].get()]
    }

    fn uniform(steps: usize, tape: usize, border: usize) -> Costs {
        Costs { stops: (0..=steps).collect(), tapes: vec![tape; steps], border }
    }

    /// The recursion of the module's text, written directly.
    fn cost(steps: usize, memory: isize, tape: isize, border: isize) -> usize {
        if border + steps as isize * tape <= memory {
            return steps;
        }
        let split = |y: usize| {
            let after = cost(steps - y, memory - border, tape, border);
            after.saturating_add(cost(y, memory, tape, border)).saturating_add(y)
        };
        if memory < border + tape {
            return usize::MAX;
        }
        (1..steps).map(split).min().unwrap_or(usize::MAX)
    }

    #[test]
    fn no_plan_walks_fewer_steps() {
        for steps in 1..=9 {
            for (tape, border) in [(1, 1), (5, 1), (3, 2), (4, 0)] {
                let costs = uniform(steps, tape, border);
                for budget in costs.least()..=border + steps * tape {
                    let [walked, held] = carried_out(&costs, budget);
                    assert!(held <= budget, "{held} of {budget} bytes");
                    let [tape, border] = [tape, border].map(|bytes| bytes as isize);
                    assert_eq!(walked, cost(steps, budget as isize, tape, border));
                }
            }
        }
    }

    #[test]
    fn a_budget_is_kept_whatever_the_sizes() {
        let mut random = Random::seed_from_u64(5);
        for _ in 0..400 {
            let units = random.random_range(1..600);
            let mut stops = vec![0];
            for _ in 0..units {
                stops.push(stops.last().unwrap() + random.random_range(1..4));
            }
            let tapes: Vec<usize> = (0..units).map(|_| random.random_range(1..50)).collect();
            let costs = Costs { stops, tapes, border: random.random_range(0..20) };
            let (least, whole) = (costs.least(), costs.tape(&(0..units)));
            let budget = random.random_range(least..=whole);
            for budget in [least, budget, whole] {
                let [_, held] = carried_out(&costs, budget);
                assert!(held <= budget, "{held} of {budget} bytes, at least {least}");
            }
            if least > 0 {
                let refused = BudgetError { budget: least - 1, least };
                assert_eq!(costs.plan(least - 1), Err(refused));
            }
        }
    }

    #[test]
    fn five_percent_cost_one_more_walk_at_most() {
        // The tape of one step of an LSTM, in units of its cell state.
        let costs = uniform(1000, 4, 1);
        let [walked, _] = carried_out(&costs, costs.tape(&(0..1000)) / 20);
        assert!(walked <= 2000, "{walked}");
    }
}
