//! The order of an [`Autoregression`]: a number, or a criterion that chooses it.

use super::{Autoregression, AutoregressionError, Criterion};
use std::fmt;
use std::str::FromStr;

/// The order of AR(τ).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Lags {
    /// So many.
    Number(usize),
    /// As many as the criterion likes best.
    Chosen(Criterion),
}

/// The highest order that can be asked for.
const MOST: usize = 10_000;

impl Lags {
    /// AR of this order, and the orders that Akaike's and Schwarz's criteria choose, where rows repeat themselves after a
    /// `season`.
    ///
    /// # Errors
    /// As [`Autoregression::fit`].
    pub fn fit(
        self,
        series: &[f64],
        season: Option<usize>,
    ) -> Result<(Autoregression, [usize; 2]), AutoregressionError> {
        let most = Autoregression::most_lags(series.len(), season);
        let chosen = Autoregression::orders(series, most)?;
        Ok((Autoregression::fit(series, self.number(chosen))?, chosen))
    }

    /// How many lags, where Akaike's and Schwarz's criteria choose so many.
    fn number(self, [aic, bic]: [usize; 2]) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Chosen(Criterion::Aic) => aic,
            Self::Chosen(Criterion::Bic) => bic,
        }
    }

    /// The bytes that a fit to so many rows takes, at most.
    pub fn bytes(self, rows: usize, season: Option<usize>) -> f64 {
        let lags = match self {
            Self::Number(number) => number,
            Self::Chosen(_) => Autoregression::most_lags(rows, season),
        };
        16.0 * rows as f64 * (lags + 1) as f64
    }
}

impl FromStr for Lags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aic" => Ok(Self::Chosen(Criterion::Aic)),
            "auto" | "bic" => Ok(Self::Chosen(Criterion::Bic)),
            number => match number.parse() {
                Ok(number) if number <= MOST => Ok(Self::Number(number)),
                _ => Err(format!("give a whole number up to {MOST}, auto, aic or bic")),
            },
        }
    }
}

impl fmt::Display for Lags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Chosen(Criterion::Aic) => f.write_str("aic"),
            Self::Chosen(Criterion::Bic) => f.write_str("bic"),
        }
    }
}

impl TryFrom<String> for Lags {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Lags> for String {
    fn from(lags: Lags) -> Self {
        lags.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_written_and_fitted() {
        for text in ["aic", "bic", "0", "13"] {
            assert_eq!(text.parse::<Lags>().unwrap().to_string(), text);
        }
        assert_eq!("auto".parse::<Lags>().unwrap().to_string(), "bic");
        assert!("10001".parse::<Lags>().is_err() && "-1".parse::<Lags>().is_err());
        let mut series = vec![0.3, 0.1];
        for t in 2..200 {
            let noise = f64::from((t * 7919) as u32 % 101) / 101.0 - 0.5;
            series.push(1.1 * series[t - 1] - 0.6 * series[t - 2] + noise);
        }
        let [aic, bic] = ["aic", "bic"].map(|lags| lags.parse::<Lags>().unwrap());
        let (model, chosen) = aic.fit(&series, None).unwrap();
        assert_eq!((model.lags.len(), bic.fit(&series, None).unwrap().1), (chosen[0], chosen));
        assert_eq!(bic.fit(&series, None).unwrap().0.lags.len(), chosen[1]);
        assert_eq!(Lags::Number(3).fit(&series, None).unwrap().0.lags.len(), 3);
    }
}
