//! How a file is written, where its rows do not tell.

use std::fmt;
use std::str::FromStr;

/// The mark between the whole part of a number and its fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decimal {
    /// `1.5`; a comma separates thousands, as in `1,234.5`.
    Point,
    /// `1,5`; a point separates thousands, as in `1.234,5`.
    Comma,
}

impl Decimal {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Point, Self::Comma];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Comma => "comma",
        }
    }

    /// The mark.
    pub fn mark(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    /// The other one, which separates thousands.
    pub fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

/// What happens to values that are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The file is refused.
    #[default]
    Refuse,
    /// A straight line between the values before and after, by the number of rows. Rows at either end that lack a value
    /// on one side are left out.
    Interpolate,
    /// The last value before. Rows at the beginning that have none are left out.
    Previous,
    /// 0.
    Zero,
    /// The row is left out: at the beginning and the end, and in between where no equally spaced dates would be torn apart.
    Drop,
}

impl Missing {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Refuse, Self::Interpolate, Self::Previous, Self::Zero, Self::Drop];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Interpolate => "interpolate",
            Self::Previous => "previous",
            Self::Zero => "zero",
            Self::Drop => "drop",
        }
    }

    /// Whether it is the default.
    pub fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

macro_rules! by_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.into_iter().find(|value| value.name() == text).ok_or_else(|| {
                    let names = Self::ALL.map(Self::name).join(", ");
                    format!("'{text}' is none of {names}")
                })
            }
        }
    };
}

by_name!(Decimal);
by_name!(Missing);

/// How a file is written. The default leaves it to the rows of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reading {
    /// The mark before fractions; none: as all rows of the file tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// Lines to skip at the start of the file.
    #[serde(default, skip_serializing_if = "is_none")]
    pub skip_rows: usize,
    /// What happens to missing values.
    #[serde(default, skip_serializing_if = "Missing::is_refuse")]
    pub missing: Missing,
    /// Cells that stand for a missing value, further to those that always do: text, or a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_mark: Vec<String>,
}

fn is_none(lines: &usize) -> bool {
    *lines == 0
}
