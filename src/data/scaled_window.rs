//! Windows of different series in one scale, so that one network reads them all.

use serde::{Deserialize, Serialize};

/// What a value is before it is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Its logarithm: changes are in percent.
    Logarithm,
    /// Itself.
    Identity,
}

impl Link {
    /// The logarithm if all values are above 0.
    pub fn for_values<'a>(mut values: impl Iterator<Item = &'a f64>) -> Self {
        if values.all(|&value| value > 0.0) { Self::Logarithm } else { Self::Identity }
    }

    /// `g` of a value.
    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.ln(),
            Self::Identity => value,
        }
    }
}

/// The scale of one window of rows: `z = (g(x) − level) / deviation`, with level and deviation those of `g(x)` over the
/// window. A window that hardly moves keeps a deviation of a hundredth of its size, so that noise is not blown up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowScale {
    link: Link,
    /// Mean of `g(x)`.
    pub level: f64,
    /// Standard deviation of `g(x)`, and a hundredth.
    pub deviation: f64,
}

/// The share of a window's size that its deviation has at least.
const LEAST: f64 = 0.01;

impl WindowScale {
    /// The scale of those rows.
    ///
    /// # Panics
    /// If there is none.
    pub fn fit(link: Link, window: &[f64]) -> Self {
        assert!(!window.is_empty());
        let count = window.len() as f64;
        let level = window.iter().map(|&x| link.of(x)).sum::<f64>() / count;
        let variance = window.iter().map(|&x| (link.of(x) - level).powi(2)).sum::<f64>() / count;
        // A hundredth of a logarithm is a hundredth of the value.
        let size = match link {
            Link::Logarithm => 1.0,
            Link::Identity => window.iter().map(|x| x.abs()).sum::<f64>() / count,
        };
        let least = if size > 0.0 { LEAST * size } else { 1.0 };
        Self { link, level, deviation: variance.sqrt() + least }
    }

    /// `z`, which has no unit.
    pub fn apply(&self, value: f64) -> f64 {
        (self.link.of(value) - self.level) / self.deviation
    }

    /// `x = g⁻¹(z deviation + level)`.
    pub fn undo(&self, z: f64) -> f64 {
        let value = z * self.deviation + self.level;
        match self.link {
            Link::Logarithm => value.exp(),
            Link::Identity => value,
        }
    }

    /// `∂x/∂z` where `x` is [`undo`](Self::undo) of `z`.
    pub fn slope(&self, x: f64) -> f64 {
        match self.link {
            Link::Logarithm => x * self.deviation,
            Link::Identity => self.deviation,
        }
    }

    /// The logarithm of the deviation over the size of the values: how much the window moves, which `z` does not tell.
    pub fn movement(&self) -> f64 {
        match self.link {
            Link::Logarithm => self.deviation.ln(),
            Link::Identity => (self.deviation / (self.level.abs() + self.deviation)).ln(),
        }
    }

    /// The size of the values, in their units.
    pub fn size(&self) -> f64 {
        match self.link {
            Link::Logarithm => self.level.exp(),
            Link::Identity => self.level.abs() + self.deviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_scaled_and_back() {
        let window = [100.0, 110.0, 120.0, 90.0];
        for link in [Link::Logarithm, Link::Identity] {
            let scale = WindowScale::fit(link, &window);
            let scaled = window.map(|x| scale.apply(x));
            assert!(scaled.iter().sum::<f64>().abs() < 1e-12);
            for (x, z) in window.into_iter().zip(scaled) {
                assert!((scale.undo(z) - x).abs() < 1e-11);
                let step = 1e-6;
                let difference = (scale.undo(z + step) - scale.undo(z - step)) / (2.0 * step);
                assert!((scale.slope(x) - difference).abs() < 1e-6 * difference);
            }
            // In another unit it is the same window.
            let other = WindowScale::fit(link, &window.map(|x| 1000.0 * x));
            let apart = window.map(|x| (other.apply(1000.0 * x) - scale.apply(x)).abs());
            assert!(apart.into_iter().fold(0.0, f64::max) < 1e-10);
            assert!((other.size() / scale.size() - 1000.0).abs() < 1e-6);
            assert!((other.movement() - scale.movement()).abs() < 1e-12);
        }
    }

    #[test]
    fn what_stands_still_has_a_scale() {
        for value in [0.0, 5.0, -5.0] {
            let scale = WindowScale::fit(Link::Identity, &[value; 7]);
            assert_eq!((scale.apply(value), scale.undo(0.0)), (0.0, value));
            assert!(scale.deviation > 0.0 && scale.movement().is_finite() && scale.size() > 0.0);
        }
        assert_eq!(Link::for_values([1.0, 2.0].iter()), Link::Logarithm);
        assert_eq!(Link::for_values([1.0, 0.0].iter()), Link::Identity);
    }
}
