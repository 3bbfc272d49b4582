//! Calendar features: dates as numbers that a network reads.

use jiff::civil::DateTime;
use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// A calendar feature of a date, as a phase on a circle: `(sin 2πp, cos 2πp)` with p from 0 up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// January is 0, December 11/12.
    Month,
    /// The day, and the time of day, of the year.
    DayOfYear,
    /// The day of the month.
    DayOfMonth,
    /// Monday is 0, Sunday 6/7.
    DayOfWeek,
    /// The time of day by hour and minute.
    Hour,
    /// The time of an hour by minute and second.
    Minute,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Month, Self::DayOfYear, Self::DayOfMonth, Self::DayOfWeek, Self::Hour, Self::Minute];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::DayOfYear => "day-of-year",
            Self::DayOfMonth => "day-of-month",
            Self::DayOfWeek => "day-of-week",
            Self::Hour => "hour",
            Self::Minute => "minute",
        }
    }

    /// `p`.
    fn phase(self, date: DateTime) -> f64 {
        let minutes = f64::from(date.minute()) + f64::from(date.second()) / 60.0;
        let hours = f64::from(date.hour()) + minutes / 60.0;
        match self {
            Self::Month => (f64::from(date.month()) - 1.0) / 12.0,
            Self::DayOfYear => {
                (f64::from(date.day_of_year()) - 1.0 + hours / 24.0)
                    / f64::from(date.days_in_year())
            }
            Self::DayOfMonth => (f64::from(date.day()) - 1.0) / f64::from(date.days_in_month()),
            Self::DayOfWeek => f64::from(date.weekday().to_monday_zero_offset()) / 7.0,
            Self::Hour => hours / 24.0,
            Self::Minute => minutes / 60.0,
        }
    }

    /// `[sin 2πp, cos 2πp]`.
    pub fn of(self, date: DateTime) -> [f64; 2] {
        let angle = TAU * self.phase(date);
        [angle.sin(), angle.cos()]
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|feature| feature.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{text}' is none of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_go_round() {
        let at = |text: &str| text.parse::<DateTime>().unwrap();
        let near = |feature: Feature, text: &str, phase: f64| {
            let found = feature.phase(at(text));
            assert!((found - phase).abs() < 1e-12, "{feature} {text}: {found}");
            let [sine, cosine] = feature.of(at(text));
            assert!((sine * sine + cosine * cosine - 1.0).abs() < 1e-12);
        };
        near(Feature::Month, "2020-04-01", 0.25);
        near(Feature::DayOfYear, "2020-12-31T12:00", 365.5 / 366.0);
        near(Feature::DayOfMonth, "2020-02-15", 14.0 / 29.0);
        near(Feature::DayOfWeek, "2024-01-01", 0.0);
        near(Feature::DayOfWeek, "2024-01-07", 6.0 / 7.0);
        near(Feature::Hour, "2024-01-01T18:30", 18.5 / 24.0);
        near(Feature::Minute, "2024-01-01T18:30:30", 30.5 / 60.0);
        for feature in Feature::ALL {
            assert_eq!(feature.name().parse(), Ok(feature));
        }
        assert!("week".parse::<Feature>().unwrap_err().contains("day-of-week"));
    }
}
