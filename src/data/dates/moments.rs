//! The dates of a series, which other series may have too: they are then kept once.

use super::form::Moment;
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Dates in their order, some of those that are kept.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    kept: Arc<[Moment]>,
    range: Range<usize>,
}

impl From<Vec<Moment>> for Moments {
    fn from(moments: Vec<Moment>) -> Self {
        Self { range: 0..moments.len(), kept: moments.into() }
    }
}

impl Deref for Moments {
    type Target = [Moment];

    fn deref(&self) -> &[Moment] {
        &self.kept[self.range.clone()]
    }
}

impl PartialEq for Moments {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Moments {}

/// The last dates that were kept, of as many series as are looked at.
#[derive(Debug, Default)]
pub(in crate::data) struct Timelines(VecDeque<Moments>);

/// Series often have the same dates, or begin or end earlier than others. So many different ones are looked at.
const LOOKED_AT: usize = 8;

impl Timelines {
    /// The same dates, out of those of an earlier series if they are among them.
    pub(super) fn shared(&mut self, moments: Moments) -> Moments {
        let within = self.0.iter().find_map(|known| {
            let first = moments.first()?.instant();
            let from = known.partition_point(|moment| moment.instant() < first);
            let range = from..from + moments.len();
            (known.get(range.clone())? == &*moments).then(|| {
                let start = known.range.start;
                let range = start + range.start..start + range.end;
                Moments { kept: Arc::clone(&known.kept), range }
            })
        });
        within.unwrap_or_else(|| {
            self.0.push_front(moments.clone());
            self.0.truncate(LOOKED_AT);
            moments
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;

    fn days(from: i32, to: i32) -> Moments {
        let day = |day: i32| Moment::local(date(2024, 1, 1).at(0, 0, 0, 0) + day.days());
        (from..to).map(day).collect::<Vec<_>>().into()
    }

    #[test]
    fn dates_that_are_there_are_kept_once() {
        let mut timelines = Timelines::default();
        let long = timelines.shared(days(0, 100));
        for (from, to, is_there) in
            [(0, 100, true), (7, 20, true), (99, 100, true), (50, 101, false)]
        {
            let shared = timelines.shared(days(from, to));
            assert_eq!(shared, days(from, to));
            assert_eq!(Arc::ptr_eq(&shared.kept, &long.kept), is_there, "{from}");
        }
        // Among those that are shared themselves.
        let part = timelines.shared(days(60, 101));
        assert_eq!((part.len(), &part[..1]), (41, &days(60, 61)[..]));
        // Other days, and others in between.
        let mut gap = days(0, 10).to_vec();
        gap.remove(4);
        let gap = Moments::from(gap);
        assert_eq!(timelines.shared(gap.clone()), gap);
        for start in 200..300 {
            assert_eq!(timelines.shared(days(start, start + 300)).len(), 300);
        }
        assert_eq!(timelines.0.len(), LOOKED_AT);
    }
}
