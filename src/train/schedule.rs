//! The learning rate as a function of the step, so that a resumed training needs no memory of it.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// How the learning rate goes on from its start.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// As it is.
    Constant,
    /// Down to zero along a line.
    Linear,
    /// Down to zero along half a cosine (Loshchilov & Hutter 2017, without restarts).
    Cosine,
    /// Up along a line over so many steps, and from there down along half a cosine.
    Warmup(usize),
    /// Times a factor below 1 after each epoch.
    Decay(f64),
}

impl Schedule {
    /// The factor of the learning rate at `step` of `steps`, where an epoch has `epoch` steps.
    ///
    /// ```
    /// use bptt::train::Schedule;
    ///
    /// assert_eq!(Schedule::Linear.factor(25, 100, 10), 0.75);
    /// assert_eq!(Schedule::Decay(0.5).factor(25, 100, 10), 0.25);
    /// assert_eq!("warmup:4".parse::<Schedule>().unwrap().factor(1, 100, 10), 0.5);
    /// ```
    pub fn factor(self, step: usize, steps: usize, epoch: usize) -> f64 {
        let done = |step: usize, steps: usize| step as f64 / steps.max(1) as f64;
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - done(step, steps),
            Self::Cosine => 0.5 * (1.0 + (PI * done(step, steps)).cos()),
            Self::Warmup(first) if step < first => done(step + 1, first),
            Self::Warmup(first) => {
                Self::Cosine.factor(step - first, steps - first.min(steps), epoch)
            }
            Self::Decay(factor) => factor.powi((step / epoch.max(1)) as i32),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Linear => f.write_str("linear"),
            Self::Cosine => f.write_str("cosine"),
            Self::Warmup(steps) => write!(f, "warmup:{steps}"),
            Self::Decay(factor) => write!(f, "decay:{factor}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = match text.split_once(':') {
            None => match text {
                "constant" => Some(Self::Constant),
                "linear" => Some(Self::Linear),
                "cosine" => Some(Self::Cosine),
                _ => None,
            },
            Some(("warmup", steps)) => steps.parse().ok().map(Self::Warmup),
            Some(("decay", factor)) => {
                let factor = factor.parse().ok().filter(|factor| *factor > 0.0 && *factor <= 1.0);
                factor.map(Self::Decay)
            }
            Some(_) => None,
        };
        found.ok_or_else(|| {
            format!("'{text}' is no schedule: constant, linear, cosine, warmup:STEPS or decay:FACTOR (an epoch, at most 1)")
        })
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}
