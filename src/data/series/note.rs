//! What the reader decided about a file.

use std::fmt;

/// One line about how a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// What was decided or left unused, with nothing lost.
    Decided(String),
    /// What may be read otherwise than it was meant, or lost. It is shown even where notes are not.
    Doubtful(String),
}

impl Note {
    /// The same, with what it is about before it.
    pub(in crate::data) fn about(&self, what: &str) -> Self {
        match self {
            Self::Decided(line) => Self::Decided(format!("{what}: {line}")),
            Self::Doubtful(line) => Self::Doubtful(format!("{what}: {line}")),
        }
    }

    /// Whether something may be lost.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Doubtful(_))
    }
}

/// `note: …` or `warning: …`.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(line) => write!(f, "note: {line}"),
            Self::Doubtful(line) => write!(f, "warning: {line}"),
        }
    }
}
