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

use super::task::{Asked, Measure, Sequences, Task, one_hot};
use crate::random::{Random, RngExt};

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
        let mut say = |symbol: char, next: &[char]| {
            symbols.push(position(symbol));
            legal.push(next.iter().map(|&symbol| position(symbol)).collect::<Vec<_>>());
        };
        let outer = if random.random() { 'T' } else { 'P' };
        say('B', &['T', 'P']);
        say(outer, &['B']);
        let (mut symbol, mut state) = ('B', 0);
        while let Some(ways) = WAYS.get(state) {
            say(symbol, &ways.map(|(symbol, _)| symbol));
            (symbol, state) = ways[usize::from(random.random::<bool>())];
        }
        say(symbol, &['E']);
        say('E', &[outer]);
        say(outer, &['E']);
        symbols.push(position('E'));
        Self { symbols, legal }
    }
}

/// Strings of the embedded Reber grammar, each of its own length, to be predicted symbol by symbol.
#[derive(Clone, Debug, Default)]
pub struct Reber;

impl Task for Reber {
    fn name(&self) -> &'static str {
        "reber"
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
    fn measure(&self) -> Measure {
        Measure::CrossEntropy
    }
    /// That of all symbols alike.
    fn chance(&self) -> f64 {
        (SYMBOLS.len() as f64).ln()
    }
    /// That of whoever knows the grammar and forgets the second symbol.
    fn chance_right(&self) -> f64 {
        0.5
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

    /// 99 % of the strings.
    fn solved(&self, _loss: f64, right: f64) -> bool {
        right >= 0.99
    }

    fn setting(&self) -> String {
        "embedded Reber grammar (Hochreiter & Schmidhuber 1997): all legal successors at every step"
            .into()
    }
}
