//! How often a series has to be differenced until it keeps its level: what ARIMA does before ARMA.
//!
//! The seasonal difference is taken where the season is strong (Wang, Smith & Hyndman 2006): where at least 0.64 of the
//! variance around the trend is the season's. Then the difference is taken while the test of Kwiatkowski, Phillips, Schmidt
//! & Shin (1992) refuses a constant level at 5 %, at most twice (Hyndman & Khandakar 2008).

use super::transform::Transform;

/// The differences that make a series stationary. The season is one of at least two rows.
///
/// ```
/// let walk: Vec<f64> = (0..80).map(|t| (0.3 * t as f64).sin() + 0.5 * t as f64).collect();
/// assert_eq!(bptt::data::stationarity::differences(&walk, None).difference, 1);
/// ```
pub fn differences(series: &[f64], season: Option<usize>) -> Transform {
    const STRONG: f64 = 0.64;
    const MOST: usize = 2;
    /// With fewer rows the test says nothing.
    const LEAST: usize = 10;
    /// The test's bound at 5 %.
    const BOUND: f64 = 0.463;
    let season = season.filter(|&season| season > 1 && series.len() > 3 * season);
    let season = season.filter(|&season| seasonal_strength(series, season) > STRONG);
    let mut transform = Transform { season, ..Transform::default() };
    while transform.difference < MOST {
        let Ok(rows) = transform.forward(series) else { break };
        if rows.len() <= LEAST || level_statistic(&rows) <= BOUND || level_statistic(&rows).is_nan()
        {
            break;
        }
        transform.difference += 1;
    }
    transform
}

/// The share of the variance around the trend that the season explains. The trend is the mean of a season of rows around each;
/// the season, which may change, the mean of what is left at the same place of the eleven seasons around.
fn seasonal_strength(series: &[f64], season: usize) -> f64 {
    const SEASONS: usize = 5;
    let half = season / 2;
    if series.len() < 2 * season + 2 {
        return 0.0;
    }
    let left: Vec<f64> = (half..series.len() - half)
        .map(|t| {
            let around = &series[t - half..=t + half];
            let ends =
                if season.is_multiple_of(2) { 0.5 * (around[0] + around[2 * half]) } else { 0.0 };
            series[t] - (around.iter().sum::<f64>() - ends) / season as f64
        })
        .collect();
    let rest: Vec<f64> = (0..left.len())
        .map(|t| {
            let first = t - (t / season).min(SEASONS) * season;
            let last = (t + SEASONS * season).min(left.len() - 1);
            let same = left[first..=last].iter().step_by(season);
            left[t] - same.clone().sum::<f64>() / same.len() as f64
        })
        .collect();
    1.0 - variance(&rest) / variance(&left)
}

/// The sum of squares around the mean.
fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|x| (x - mean).powi(2)).sum()
}

/// The statistic of the test: `Σ S_t² / n² s²`, S being the sums of the deviations from the mean and s² their long-run variance
/// with Bartlett's weights over `3 √n / 13` lags.
fn level_statistic(series: &[f64]) -> f64 {
    let rows = series.len() as f64;
    let mean = series.iter().sum::<f64>() / rows;
    let deviations: Vec<f64> = series.iter().map(|x| x - mean).collect();
    let lags = (3.0 * rows.sqrt() / 13.0) as usize;
    let at = |lag: usize| {
        let products = deviations[lag..].iter().zip(&deviations).map(|(now, then)| now * then);
        products.sum::<f64>() / rows
    };
    let weighted = (1..=lags).map(|lag| 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0)) * at(lag));
    let long_run = at(0) + weighted.sum::<f64>();
    let sums = deviations.iter().scan(0.0, |sum, deviation| {
        *sum += deviation;
        Some(*sum * *sum)
    });
    sums.sum::<f64>() / (rows * rows) / long_run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::Series;

    #[test]
    fn levels_trends_and_seasons_are_told_apart() {
        let passengers = &Series::airline_passengers().values[0];
        let logarithms: Vec<f64> = passengers.iter().map(|x| x.ln()).collect();
        let of = |series: &[f64], season| {
            let found = differences(series, season);
            (found.season, found.difference)
        };
        assert_eq!(of(&logarithms, Some(12)), (Some(12), 1));
        assert_eq!(of(&logarithms, None).0, None);
        let noise = |t: usize| ((t * t * 31 + t * 7) % 97) as f64 / 97.0;
        let level: Vec<f64> = (0..100).map(noise).collect();
        assert_eq!(of(&level, Some(7)), (None, 0));
        let trend: Vec<f64> = (0..100).map(|t| 0.1 * t as f64 + noise(t)).collect();
        assert_eq!(of(&trend, Some(7)), (None, 1));
        let week: Vec<f64> =
            (0..100).map(|t| [0.0, 9.0, 4.0, 1.0, 2.0, 7.0, 3.0][t % 7] + noise(t)).collect();
        assert_eq!(of(&week, Some(7)), (Some(7), 0));
        // Too short for the season, and for the test.
        assert_eq!(of(&week[..20], Some(7)).0, None);
        assert_eq!(of(&[1.0; 40], Some(4)), (None, 0));
        assert_eq!(of(&[1.0, 2.0], Some(4)), (None, 0));
    }
}
