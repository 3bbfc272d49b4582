//! Work on several threads.

use crate::recurrence::Timeline;
use std::ops::Range;

/// Memory that several threads write to, each its own part of it.
#[derive(Clone, Copy)]
pub(super) struct Shared<E>(pub *mut E);

// SAFETY: whoever writes through it takes care that no other thread touches the same place.
unsafe impl<E: Send> Send for Shared<E> {}
unsafe impl<E: Send> Sync for Shared<E> {}

impl<E> Shared<E> {
    /// The address of a number.
    ///
    /// # Safety
    /// It must be in the memory.
    #[inline(always)]
    pub unsafe fn at(&self, index: usize) -> *mut E {
        unsafe { self.0.add(index) }
    }
}

/// Does the parts of some work, each on a thread of its own where there are enough.
pub(super) fn in_parallel(parts: usize, part: impl Fn(usize) + Sync) {
    if parts == 1 {
        return part(0);
    }
    rayon::scope(|scope| {
        for i in 1..parts {
            let part = &part;
            scope.spawn(move |_| part(i));
        }
        part(0);
    });
}

/// Rows of the batch for each of so many threads, of about as many steps each.
pub(super) fn share_rows(timeline: &Timeline, threads: usize) -> Vec<Range<usize>> {
    let (batch, steps) = (timeline.batch(), timeline.steps());
    let parts = threads.min(batch);
    let lengths: Vec<usize> = {
        let mut lengths = vec![0; batch];
        for t in 0..timeline.time() {
            lengths[timeline.active(t) - 1] += 1;
        }
        // So far each row counts the steps at which it is the last one.
        for row in (1..batch).rev() {
            lengths[row - 1] += lengths[row];
        }
        lengths
    };
    let mut shares = Vec::with_capacity(parts);
    let (mut start, mut before) = (0, 0);
    for part in 1..=parts {
        let mut end = start;
        // As many rows as come nearest to this part's share, and at least one for each part to come.
        while end < batch - (parts - part)
            && (end == start || 2 * before + lengths[end] <= 2 * steps * part / parts)
        {
            before += lengths[end];
            end += 1;
        }
        if part == parts {
            end = batch;
        }
        shares.push(start..end);
        start = end;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shared_by_their_steps() {
        assert_eq!(share_rows(&Timeline::uniform(5, 7), 2), [0..4, 4..7]);
        assert_eq!(share_rows(&Timeline::uniform(5, 1), 2), [0..1]);
        let ragged = Timeline::from_falling_lengths(&[10, 5, 5, 1, 1]);
        assert_eq!(share_rows(&ragged, 2), [0..1, 1..5]);
        assert_eq!(share_rows(&ragged, 5), [0..1, 1..2, 2..3, 3..4, 4..5]);
    }

    #[test]
    fn each_part_is_done_once() {
        let done: Vec<_> = (0..5).map(|_| std::sync::atomic::AtomicUsize::new(0)).collect();
        in_parallel(5, |i| {
            done[i].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(done.iter().all(|n| n.load(std::sync::atomic::Ordering::Relaxed) == 1));
    }
}
