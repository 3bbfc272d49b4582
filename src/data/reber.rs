//! The embedded Reber grammar (Hochreiter & Schmidhuber 1997, experiment 1; Reber 1967): say which
//! symbols may come next.
//!
//! ```text
//!             ┌─S─┐                          embedded:   B ─┬─ T ─ a Reber string ─ T ─┬─ E
//!         ┌T─ 1 ──X─ 3 ─┬─S──────┐                          └─ P ─ a Reber string ─ P ─┘
//! B ─ 0 ──┤          ↑  X        5 ─ E
//!         │          P  ↓        │
//!         └P─ 2 ──V─ 4 ─┴─V──────┘
//!             └─T─┘
//! ```
//!
//! The last symbol but one is the second symbol once more, however long the string between them is.

use super::task::{Asked, Declaration, Sequences, Task, one_hot};
use crate::random::{Random, RngExt};

/// The declaration of the task.
pub const TASK: Declaration = Declaration {
    name: "reber",
    summary: "A network learns which symbols of the embedded Reber grammar may come next",
    description: "Hochreiter & Schmidhuber 1997, experiment 1: a string is right when all legal successors are predicted at every step, the last but one among them, which repeats the second symbol. The task counts as solved when 99 % of the test strings are right.",
    sizes: &[],
    make: |_| Ok(Box::new(Reber)),
};

/// The symbols, in the order of the features.
pub const SYMBOLS: [char; 7] = ['B', 'T', 'S', 'X', 'P', 'V', 'E'];

/// A string of the grammar, and which symbols may follow each of its symbols but the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedReberString {
    /// Positions in [`SYMBOLS`].
    pub symbols: Vec<usize>,
    /// Positions in [`SYMBOLS`] for each step.
    pub legal: Vec<Vec<usize>>,
}

/// The two ways out of each state of the grammar: a symbol and the next state.
const WAYS: [[(char, usize); 2]; 5] = [
    [('T', 1), ('P', 2)],
    [('S', 1), ('X', 3)],
    [('T', 2), ('V', 4)],
    [('X', 2), ('S', 5)],
    [('P', 3), ('V', 5)],
];

fn position(symbol: char) -> usize {
    SYMBOLS.iter().position(|&s| s == symbol).expect("a symbol of the grammar")
}

impl EmbeddedReberString {
    /// Draws a string: each way out of a state is as likely as the other.
    pub fn draw(random: &mut Random) -> Self {
        let (mut symbols, mut legal) = (Vec::new(), Vec::new());
        let mut push = |symbol: char, next: &[char]| {
            symbols.push(position(symbol));
            legal.push(next.iter().map(|&symbol| position(symbol)).collect::<Vec<_>>());
        };
        let outer = if random.random() { 'T' } else { 'P' };
        push('B', &['T', 'P']);
        push(outer, &['B']);
        let (mut symbol, mut state) = ('B', 0);
        while let Some(ways) = WAYS.get(state) {
            push(symbol, &ways.map(|(symbol, _)| symbol));
            (symbol, state) = ways[usize::from(random.random::<bool>())];
        }
        push(symbol, &['E']);
        push('E', &[outer]);
        push(outer, &['E']);
        symbols.push(position('E'));
        Self { symbols, legal }
    }
}

/// How often each symbol follows each symbol in a string, on the average: `[current][next]`.
///
/// The visits of the states of the grammar solve `v = v_0 + Pᵀ v`, where half of the visits of a state go each way.
fn expected_pairs() -> [[f64; SYMBOLS.len()]; SYMBOLS.len()] {
    const MORE_THAN_ENOUGH: usize = 500;
    let mut visits = [0.0; WAYS.len() + 1];
    for _ in 0..MORE_THAN_ENOUGH {
        let mut next = [0.0; WAYS.len() + 1];
        next[0] = 1.0;
        for (ways, visits) in WAYS.iter().zip(visits) {
            ways.iter().for_each(|&(_, state)| next[state] += 0.5 * visits);
        }
        visits = next;
    }
    let mut pairs = [[0.0; SYMBOLS.len()]; SYMBOLS.len()];
    let mut add = |current: char, next: char, times: f64| {
        pairs[position(current)][position(next)] += times;
    };
    for outer in ['T', 'P'] {
        for (current, next) in [('B', outer), (outer, 'B'), ('E', outer), (outer, 'E')] {
            add(current, next, 0.5);
        }
    }
    for (next, _) in WAYS[0] {
        add('B', next, 0.5);
    }
    for (ways, visits) in WAYS.iter().zip(visits) {
        for (current, state) in ways {
            match WAYS.get(*state) {
                Some(onwards) => {
                    onwards.iter().for_each(|&(next, _)| add(*current, next, 0.25 * visits));
                }
                None => add(*current, 'E', 0.5 * visits),
            }
        }
    }
    pairs
}

/// Strings of the embedded Reber grammar, each of its own length, to be predicted symbol by symbol.
#[derive(Clone, Debug, Default)]
pub struct Reber;

impl Task for Reber {
    fn time(&self) -> usize {
        30
    }
    fn features(&self) -> usize {
        SYMBOLS.len()
    }
    fn outputs(&self) -> usize {
        SYMBOLS.len()
    }
    fn asked(&self) -> Asked {
        Asked::AtEachStep
    }
    /// The entropy of a symbol, given the one before it: `−Σ p(current, next) ln p(next | current)`.
    fn chance(&self) -> f64 {
        let pairs = expected_pairs();
        let (mut entropy, mut all) = (0.0, 0.0);
        for row in pairs {
            let current: f64 = row.iter().sum();
            let seen = row.into_iter().filter(|times| *times > 0.0);
            entropy -= seen.map(|times| times * (times / current).ln()).sum::<f64>();
            all += current;
        }
        entropy / all
    }
    /// The second symbol is followed by B, and the same symbol near the end by E, which it does not tell by itself.
    fn chance_right(&self) -> f64 {
        0.0
    }

    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let strings: Vec<EmbeddedReberString> =
            (0..batch).map(|_| EmbeddedReberString::draw(random)).collect();
        let lengths: Vec<usize> = strings.iter().map(|string| string.legal.len()).collect();
        let time = lengths.iter().copied().max().unwrap_or(0);
        let width = SYMBOLS.len();
        let mut input = vec![0.0; batch * time * width];
        let mut target = vec![0.0; batch * time * width];
        let mut right = vec![false; batch * time * width];
        for (row, string) in strings.iter().enumerate() {
            for (t, legal) in string.legal.iter().enumerate() {
                let at = (row * time + t) * width;
                let seen = one_hot(string.symbols[t], width);
                let next = one_hot(string.symbols[t + 1], width);
                for (i, (seen, next)) in seen.zip(next).enumerate() {
                    (input[at + i], target[at + i]) = (seen, next);
                    right[at + i] = legal.contains(&i);
                }
            }
        }
        Sequences { batch, time, lengths, input, target, right: Some(right) }
    }

    /// Whether at each step the legal successors have the largest outputs.
    fn is_right(&self, sequences: &Sequences, row: usize, outputs: &[f64]) -> bool {
        let width = SYMBOLS.len();
        let right = sequences.right.as_ref().expect("legal successors");
        (0..sequences.lengths[row]).all(|t| {
            let legal = &right[(row * sequences.time + t) * width..][..width];
            let outputs = &outputs[t * width..][..width];
            let of = |wanted: bool| {
                let some = outputs.iter().zip(legal).filter(move |(_, legal)| **legal == wanted);
                some.map(|(output, _)| *output)
            };
            let least = of(true).fold(f64::INFINITY, f64::min);
            of(false).all(|output| output < least)
        })
    }

    fn setting(&self) -> String {
        "embedded Reber grammar (Hochreiter & Schmidhuber 1997): all legal successors at every step"
            .into()
    }
}
