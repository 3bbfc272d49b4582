//! Where the gradient through time is cut.
//!
//! The gradient over many steps is a product of as many Jacobians, so it vanishes or explodes, and it needs the
//! memory of all steps. Truncation leaves out a part: from step `t` to step `t − 1` only a share `p_t` of the
//! gradient passes,
//!
//! ```text
//! dS_{t-1} = p_t · (the gradient that step t returns)
//! ```
//!
//! with `p_t = 0` at the first step of a window. The states themselves pass every step.

use std::fmt;
use std::str::FromStr;

/// Which part of the gradient through time is computed.
///
/// ```
/// use bptt::recurrence::truncation::Truncation;
///
/// let window: Truncation = "window:20".parse().unwrap();
/// assert_eq!(window, Truncation::Window(20));
/// assert!("sliding:5,3".parse::<Truncation>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Truncation {
    /// All of it.
    #[default]
    Full,
    /// Windows of that many steps, counted from the first step of each call: between two windows the state
    /// carries over and the gradient stops. With windows of one step, a step receives gradient from its own
    /// output alone.
    Window(usize),
    /// Every `every` steps, and at the end of each row, the losses of the last `every` steps are walked back
    /// `back` steps (Williams & Peng 1990, BPTT(h; h′) with h = `back`, h′ = `every`).
    Sliding {
        /// h′.
        every: usize,
        /// h, at least h′.
        back: usize,
    },
    /// At each step the gradient is cut with this probability `P`, and otherwise multiplied by
    /// `1 / (1 − P)`, so that the expected gradient is the full one (Tallec & Ollivier 2017). There is
    /// one draw for each time step, layer and direction, for all its rows and states. Two directions must
    /// not share a draw: a path of the gradient through both would meet it twice, and the expected square
    /// of the factor is not one.
    Random(f64),
}

impl Truncation {
    /// The share `p_t` of each time step, or `None` where all of the gradient passes everywhere. `random`
    /// draws from the unit interval; without it nothing is cut at random.
    pub fn passes(self, time: usize, random: Option<&mut dyn FnMut() -> f64>) -> Option<Vec<f64>> {
        match (self, random) {
            (Self::Window(steps), _) if steps < time => {
                Some((0..time).map(|t| f64::from(t == 0 || t % steps != 0)).collect())
            }
            (Self::Random(cut), Some(random)) => {
                let mut share = |t| match t {
                    0 => 1.0,
                    _ if random() < cut => 0.0,
                    _ => 1.0 / (1.0 - cut),
                };
                Some((0..time).map(&mut share).collect())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Truncation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "full"),
            Self::Window(steps) => write!(f, "window:{steps}"),
            Self::Sliding { every, back } => write!(f, "sliding:{every},{back}"),
            Self::Random(cut) => write!(f, "random:{cut}"),
        }
    }
}

/// Why a text is no truncation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TruncationError {
    /// None of the four forms.
    #[error("'{0}' is no truncation: full, window:K, sliding:K1,K2 or random:P")]
    Form(String),
    /// The number of steps is not a whole number from 1.
    #[error("'{0}' is not a number of steps: give a whole number from 1")]
    Steps(String),
    /// K2 is less than K1, so that no walk would reach some losses.
    #[error(
        "sliding:{every},{back} walks back fewer steps than it goes on by: give K1,K2 with K2 at least K1"
    )]
    Back {
        /// K1.
        every: usize,
        /// K2.
        back: usize,
    },
    /// The probability is not from 0 to below 1.
    #[error("'{0}' is not a probability to cut: give a number from 0 up to, not including, 1")]
    Probability(String),
}

impl FromStr for Truncation {
    type Err = TruncationError;

    fn from_str(text: &str) -> Result<Self, TruncationError> {
        let steps = |text: &str| match text.trim().parse::<usize>() {
            Ok(steps) if steps > 0 => Ok(steps),
            _ => Err(TruncationError::Steps(text.into())),
        };
        let form = || TruncationError::Form(text.into());
        if text == "full" {
            return Ok(Self::Full);
        }
        let (kind, value) = text.split_once(':').ok_or_else(form)?;
        match kind {
            "window" => steps(value).map(Self::Window),
            "sliding" => {
                let (every, back) = value.split_once(',').ok_or_else(form)?;
                let (every, back) = (steps(every)?, steps(back)?);
                if back < every {
                    return Err(TruncationError::Back { every, back });
                }
                Ok(Self::Sliding { every, back })
            }
            "random" => match value.parse::<f64>() {
                Ok(cut) if (0.0..1.0).contains(&cut) => Ok(Self::Random(cut)),
                _ => Err(TruncationError::Probability(value.into())),
            },
            _ => Err(form()),
        }
    }
}

impl serde::Serialize for Truncation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Truncation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let all = [
            Truncation::Full,
            Truncation::Window(7),
            Truncation::Sliding { every: 2, back: 5 },
            Truncation::Random(0.25),
        ];
        for truncation in all {
            assert_eq!(truncation.to_string().parse(), Ok(truncation));
            let json = serde_json::to_string(&truncation).unwrap();
            assert_eq!(serde_json::from_str::<Truncation>(&json).unwrap(), truncation);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (form, steps) = ("full, window:K, sliding:K1,K2 or random:P", "give a whole number");
        let probability = "give a number from 0";
        for (text, advice) in [
            ("", form),
            ("windows:3", form),
            ("window", form),
            ("window:", steps),
            ("window:0", steps),
            ("window:-1", steps),
            ("window:1.5", steps),
            ("sliding:3", form),
            ("sliding:0,3", steps),
            ("sliding:5,3", "give K1,K2 with K2 at least K1"),
            ("sliding:1,2,3", steps),
            ("random:1", probability),
            ("random:-0.1", probability),
            ("random:x", probability),
            ("random:NaN", probability),
            ("full:1", form),
        ] {
            let error = text.parse::<Truncation>().expect_err(text).to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn a_window_cuts_at_its_borders_alone() {
        let passes = |steps| Truncation::Window(steps).passes(5, None);
        assert_eq!(passes(2), Some(vec![1.0, 1.0, 0.0, 1.0, 0.0]));
        assert_eq!(passes(1), Some(vec![1.0, 0.0, 0.0, 0.0, 0.0]));
        assert_eq!(passes(5), None);
    }
}
