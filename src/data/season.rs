//! The rows of a season, out of the series itself.

/// After how many rows a series repeats itself, if it does: the lag at which the autocorrelation of its differences is
/// highest, if it is a peak of at least 0.4 and twice the lag has a correlation too. Trends and levels do not count, for
/// those the differences take away. None for less than three seasons.
///
/// ```
/// let season: Vec<f64> = (0..60).map(|t| [3.0, 8.0, 1.0, 5.0, 2.0][t % 5] + 0.1 * t as f64).collect();
/// assert_eq!(bptt::data::season::of(&season), Some(5));
/// ```
pub fn of(series: &[f64]) -> Option<usize> {
    /// What the correlation has to be, over the season and over two.
    const LEAST: [f64; 2] = [0.4, 0.25];
    /// Longer ones are not looked for.
    const LONGEST: usize = 400;
    /// As high as the highest, but for noise.
    const NEARLY: f64 = 0.8;
    let differences: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let changes: Vec<f64> = differences.iter().map(|change| change - mean).collect();
    let squares: f64 = changes.iter().map(|change| change * change).sum();
    if squares.is_nan() || squares <= 0.0 {
        return None;
    }
    let most = (series.len() / 3).min(LONGEST);
    let at = |lag: usize| {
        let products = changes.iter().skip(lag).zip(&changes).map(|(now, then)| now * then);
        // Of the pairs that there are, or long lags would seem weaker than they are.
        let share = changes.len() as f64 / (changes.len() - lag) as f64;
        products.sum::<f64>() * share / squares
    };
    let correlations: Vec<f64> =
        (0..=(2 * most + 1).min(changes.len().saturating_sub(2))).map(at).collect();
    let significant = 2.5 / (changes.len() as f64).sqrt();
    let peaks = (2..=most).filter(|&lag| {
        let (Some(&next), Some(&twice)) = (correlations.get(lag + 1), correlations.get(2 * lag))
        else {
            return false;
        };
        let here = correlations[lag];
        here >= LEAST[0].max(significant)
            && here >= correlations[lag - 1]
            && here >= next
            && twice >= LEAST[1].max(0.8 * significant)
    });
    // The shortest of those that are nearly as high: its multiples are seasons too.
    let peaks: Vec<usize> = peaks.collect();
    let highest = peaks.iter().map(|&lag| correlations[lag]).fold(0.0, f64::max);
    peaks.into_iter().find(|&lag| correlations[lag] >= NEARLY * highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;

    #[test]
    fn a_season_is_found_and_none_where_there_is_none() {
        assert_eq!(of(&Series::airline_passengers().values[0]), Some(12));
        let mut state = 7u64;
        let mut noise = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let mut level = 0.0;
        let walk: Vec<f64> = (0..500)
            .map(|_| {
                level += noise();
                level
            })
            .collect();
        assert_eq!(of(&walk), None);
        let week: Vec<f64> = (0..200)
            .map(|t| [0.0, 1.0, 2.0, 2.0, 3.0, 6.0, 5.0][t % 7] + noise() + 0.05 * t as f64)
            .collect();
        assert_eq!(of(&week), Some(7));
        assert_eq!(of(&[1.0; 40]), None);
        assert_eq!(of(&[1.0, 2.0]), None);
        assert_eq!(of(&[]), None);
    }
}
