//! Text as a sequence of classes: characters, or bytes.

mod reader;

pub use reader::{TextError, TextFile, Texts, read};

use rand::Rng;
use std::collections::{BTreeMap, HashMap};

/// The class of what is not in the vocabulary: characters that the training part does not have, and what stands before
/// the first character.
pub const UNKNOWN: u32 = 0;

/// Which classes there are. Class 0 is [`UNKNOWN`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vocabulary {
    /// These characters, in the order of their code points, from class 1 on.
    Characters(String),
    /// Byte `b` is class `b + 1`.
    Bytes,
}

impl Vocabulary {
    /// The characters that are at least `least` times in the text.
    pub fn of(text: &str, least: usize) -> Self {
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for character in text.chars() {
            *counts.entry(character).or_default() += 1;
        }
        let often = counts.into_iter().filter(|&(_, count)| count >= least);
        Self::Characters(often.map(|(character, _)| character).collect())
    }

    /// How many classes, with the unknown one.
    pub fn classes(&self) -> usize {
        match self {
            Self::Characters(characters) => characters.chars().count() + 1,
            Self::Bytes => 257,
        }
    }

    /// Whether classes are bytes.
    pub fn is_bytes(&self) -> bool {
        *self == Self::Bytes
    }

    /// The classes of a text; [`UNKNOWN`] where a character is not in the vocabulary.
    ///
    /// ```
    /// use bptt::data::text::Vocabulary;
    ///
    /// let vocabulary = Vocabulary::of("abba", 1);
    /// assert_eq!(vocabulary.classes_of(b"bac"), [2, 1, 0]);
    /// assert_eq!(vocabulary.text_of(2), b"b");
    /// ```
    pub fn classes_of(&self, text: &[u8]) -> Vec<u32> {
        match self {
            Self::Bytes => text.iter().map(|&byte| u32::from(byte) + 1).collect(),
            Self::Characters(characters) => {
                let class: BTreeMap<char, u32> = characters.chars().zip(1..).collect();
                let text = String::from_utf8_lossy(text);
                text.chars().map(|c| class.get(&c).copied().unwrap_or(UNKNOWN)).collect()
            }
        }
    }

    /// The text of a class as bytes; nothing for the unknown one.
    pub fn text_of(&self, class: u32) -> Vec<u8> {
        match (self, class) {
            (_, UNKNOWN) => Vec::new(),
            (Self::Bytes, class) => vec![(class - 1) as u8],
            (Self::Characters(characters), class) => {
                let character = characters.chars().nth(class as usize - 1);
                character.map_or(Vec::new(), |character| character.to_string().into_bytes())
            }
        }
    }
}

/// Nats a character of the forecast that knows how often each class, or each pair of classes, was in training
/// (one is added to each count).
pub fn frequency_baselines(training: &[u32], valid: &[u32], classes: usize) -> [f64; 2] {
    let mut single = vec![1.0; classes];
    // Of a million characters there are more pairs than memory has room for: only those that occur.
    let mut pairs: HashMap<(u32, u32), f64> = HashMap::new();
    let mut rows = vec![classes as f64; classes];
    let mut before = UNKNOWN;
    for &class in training {
        single[class as usize] += 1.0;
        *pairs.entry((before, class)).or_insert(1.0) += 1.0;
        rows[before as usize] += 1.0;
        before = class;
    }
    let all: f64 = single.iter().sum();
    let (mut by_class, mut by_pair, mut before) = (0.0, 0.0, UNKNOWN);
    for &class in valid {
        by_class -= (single[class as usize] / all).ln();
        let pair = pairs.get(&(before, class)).copied().unwrap_or(1.0);
        by_pair -= (pair / rows[before as usize]).ln();
        before = class;
    }
    [by_class, by_pair].map(|sum| sum / valid.len() as f64)
}

/// What limits the choice of the next class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The logits are divided by it; 0 takes the most probable class.
    pub temperature: f64,
    /// Only so many most probable classes.
    pub top_k: Option<usize>,
    /// Only the most probable classes that together have this probability (Holtzman 2020).
    pub top_p: Option<f64>,
}

impl Sampling {
    /// A temperature at which texts read well.
    pub const TEXT_TEMPERATURE: f64 = 0.8;
    /// A temperature at which sounds do.
    pub const SOUND_TEMPERATURE: f64 = 0.95;

    /// Draws a class, never one of the forbidden ones, from `softmax(logits / temperature)`.
    pub fn draw(&self, logits: &[f64], forbidden: &[u32], random: &mut impl Rng) -> u32 {
        use rand::RngExt;
        let allowed = (0..logits.len() as u32).filter(|class| !forbidden.contains(class));
        let mut classes: Vec<u32> = allowed.collect();
        let logit = |class: u32| logits[class as usize];
        classes.sort_by(|&a, &b| logit(b).total_cmp(&logit(a)));
        if self.temperature == 0.0 {
            return classes[0];
        }
        classes.truncate(self.top_k.unwrap_or(classes.len()).max(1));
        let highest = logit(classes[0]);
        let weight = |&class: &u32| ((logit(class) - highest) / self.temperature).exp();
        let mut weights: Vec<f64> = classes.iter().map(weight).collect();
        if let Some(share) = self.top_p {
            let all: f64 = weights.iter().sum();
            let mut sum = 0.0;
            let enough = weights.iter().position(|weight| {
                sum += weight;
                sum >= share * all
            });
            weights.truncate(enough.map_or(weights.len(), |last| last + 1));
        }
        let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
        let chosen = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        classes[chosen.unwrap_or(weights.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, SeedableRng};

    #[test]
    fn baselines_are_entropies() {
        // abab…: a pair tells the next, a single count does not.
        let text: Vec<u32> = (0..100_000).map(|t| 1 + t % 2).collect();
        let [single, pair] = frequency_baselines(&text, &text, 3);
        assert!((single - 2f64.ln()).abs() < 1e-3 && pair < 1e-3, "{single} {pair}");
    }

    #[test]
    fn sampling_follows_the_probabilities_and_keeps_its_limits() {
        let logits = [9.0, 1f64.ln(), 2f64.ln(), 5f64.ln()];
        let mut random = Random::seed_from_u64(1);
        let mut share = |sampling: Sampling| {
            let mut counts = [0.0; 4];
            for _ in 0..20_000 {
                counts[sampling.draw(&logits, &[0], &mut random) as usize] += 1.0 / 20_000.0;
            }
            counts
        };
        let close = |found: [f64; 4], expected: [f64; 4]| {
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 0.015, "{found:?} {expected:?}");
        };
        let all = Sampling { temperature: 1.0, top_k: None, top_p: None };
        close(share(all), [0.0, 0.125, 0.25, 0.625]);
        close(
            share(Sampling { temperature: 0.5, ..all }),
            [0.0, 1.0 / 30.0, 4.0 / 30.0, 25.0 / 30.0],
        );
        close(share(Sampling { top_k: Some(2), ..all }), [0.0, 0.0, 2.0 / 7.0, 5.0 / 7.0]);
        close(share(Sampling { top_p: Some(0.8), ..all }), [0.0, 0.0, 2.0 / 7.0, 5.0 / 7.0]);
        close(share(Sampling { top_p: Some(0.1), ..all }), [0.0, 0.0, 0.0, 1.0]);
        close(share(Sampling { temperature: 0.0, ..all }), [0.0, 0.0, 0.0, 1.0]);
    }
}
