//! What a run on a series chooses where nobody has: the season and the transform. The linear members say which transform
//! suits a series, by rolling origins among the rows before the test; that takes no training.

use super::series_run::SeriesSubject;
use crate::data::dates::Calendar;
use crate::data::season;
use crate::data::series::Series;
use crate::data::split::Parts;
use crate::data::transform::Transform;
use crate::model::forecast::{Member, Trial};

/// Where a season comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeasonSource {
    /// It was asked for.
    Given,
    /// The step of the dates suggests it.
    Dates,
    /// The series repeats itself after so many rows.
    Autocorrelation,
}

/// A transform that was chosen, and by what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformChoice {
    /// The transform.
    pub transform: Transform,
    /// How many could be tried.
    pub tried: usize,
    /// How much smaller the error of AR on it is than that of AR on the values as they are, as a share; none if the latter
    /// could not be tried.
    pub gain: Option<f64>,
    /// The first row of the test, counted from 0, that has no logarithm, where the rows before would have been forecast better
    /// on logarithms: then there are none.
    pub without_logarithm: Option<usize>,
}

/// The season of a series, and where it comes from; none if there is none. The rows before the test tell, and two seasons have
/// to fit the rows before the validation.
pub fn season_of(
    subject: &SeriesSubject,
    series: &Series,
    dates: Option<&Calendar>,
    Parts { split, test, .. }: Parts,
) -> Option<(usize, SeasonSource)> {
    if let Some(season) = subject.season {
        return Some((season, SeasonSource::Given));
    }
    if let Some(season) = season_of_dates(dates) {
        return (2 * season <= split).then_some((season, SeasonSource::Dates));
    }
    let mut found = series.values.iter().map(|column| season::of(&column[..test]));
    let first = found.next()?.filter(|first| 2 * first <= split)?;
    // Columns that go round in different times have no season together.
    found.all(|other| other == Some(first)).then_some((first, SeasonSource::Autocorrelation))
}

/// The season that dates suggest.
pub fn season_of_dates(dates: Option<&Calendar>) -> Option<usize> {
    dates?.step().ok()?.season()
}

/// The transform on which AR forecasts the rows before `test` best, among those that the settings leave open. None where
/// nothing is open.
pub fn transform_of(
    subject: &SeriesSubject,
    series: &Series,
    test: usize,
) -> Option<TransformChoice> {
    let SeriesSubject { log, difference, seasonal_difference, season, horizon, .. } = *subject;
    if log.is_some() && difference.is_some() && (seasonal_difference.is_some() || season.is_none())
    {
        return None;
    }
    let season = season.filter(|&season| season > 1);
    let positive = series.values.iter().all(|column| column[..test].iter().all(|&x| x > 0.0));
    let mut candidates = Vec::new();
    for log in log.map_or(vec![false, true], |log| vec![log]) {
        for difference in difference.map_or(vec![0, 1], |difference| vec![difference]) {
            for over in seasonal_difference.map_or(vec![false, true], |over| vec![over]) {
                if (!log || positive) && (!over || season.is_some()) {
                    candidates.push(Transform { log, season: season.filter(|_| over), difference });
                }
            }
        }
    }
    let members: Vec<Member> = candidates.iter().map(|&t| Member::Autoregression(t)).collect();
    let trials: Vec<Trial> = series
        .values
        .iter()
        .map(|column| Trial::of(&column[..test], season, horizon, &members))
        .collect();
    // Columns of different sizes count alike.
    let error = |transform: Transform| -> Option<f64> {
        let errors = trials.iter().map(|trial| {
            let member = Member::Autoregression(transform);
            Some(trial.error(member)? / trial.size().max(f64::MIN_POSITIVE))
        });
        errors.sum::<Option<f64>>().filter(|error| error.is_finite())
    };
    let tried = candidates.iter().filter_map(|&transform| Some((transform, error(transform)?)));
    let tried: Vec<(Transform, f64)> = tried.collect();
    let best = tried.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let given = Transform {
        log: log.unwrap_or(false),
        season: season.filter(|_| seasonal_difference.unwrap_or(false)),
        difference: difference.unwrap_or(0),
    };
    let Some(&(transform, least)) = best else {
        return Some(TransformChoice {
            transform: given,
            tried: 0,
            gain: None,
            without_logarithm: None,
        });
    };
    let later = |column: &Vec<f64>| column[test..].iter().position(|&x| x <= 0.0);
    let without = series.values.iter().filter_map(later).min().map(|row| test + row);
    if let Some(row) = without.filter(|_| transform.log && subject.log.is_none()) {
        // The test has no part in what is best; it can say no.
        let plain = SeriesSubject { log: Some(false), ..subject.clone() };
        let choice = transform_of(&plain, series, test).unwrap_or(TransformChoice {
            transform: given,
            tried: 0,
            gain: None,
            without_logarithm: None,
        });
        return Some(TransformChoice { without_logarithm: Some(row), ..choice });
    }
    let plain = tried.iter().find(|(transform, _)| *transform == given);
    let gain = plain.filter(|(_, plain)| *plain > 0.0).map(|(_, plain)| 1.0 - least / plain);
    Some(TransformChoice { transform, tried: tried.len(), gain, without_logarithm: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test says no to logarithms that it does not have, and nothing else of it is looked at.
    #[test]
    fn the_rows_of_the_test_choose_no_transform() {
        let subject = SeriesSubject { season: Some(12), ..SeriesSubject::default() };
        let mut series = Series::airline_passengers();
        let chosen = transform_of(&subject, &series, 122).unwrap();
        assert!(chosen.transform.log && chosen.without_logarithm.is_none(), "{chosen:?}");
        series.values[0][122..].iter_mut().for_each(|value| *value = 1e9 / *value);
        assert_eq!(transform_of(&subject, &series, 122), Some(chosen));
        series.values[0][130] = -5.0;
        let refused = transform_of(&subject, &series, 122).unwrap();
        assert_eq!((refused.without_logarithm, refused.transform.log), (Some(130), false));
        let without = SeriesSubject { log: Some(false), ..subject.clone() };
        let plain = transform_of(&without, &series, 122).unwrap();
        assert_eq!(refused, TransformChoice { without_logarithm: Some(130), ..plain });
        // What is asked for is not taken back here.
        let asked = SeriesSubject { log: Some(true), ..subject };
        assert!(transform_of(&asked, &series, 122).unwrap().transform.log);
    }
}
