//! Work on several threads.

use super::Timeline;
use super::product::Panel;
use super::team::Team;
use super::workers::Workers;
use std::ops::Range;

/// Memory that several threads write to, each its own part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared<E>(pub *mut E);

// SAFETY: whoever writes through it takes care that no other thread touches the same place.
unsafe impl<E: Send> Send for Shared<E> {}
unsafe impl<E: Send> Sync for Shared<E> {}

impl<E> Shared<E> {
    /// The address of a number, if it is in the memory.
    #[inline(always)]
    pub fn at(&self, index: usize) -> *mut E {
        self.0.wrapping_add(index)
    }
}

/// Does the parts of some work, each on a thread of its own where there are enough.
pub(super) fn in_parallel(parts: usize, part: impl Fn(usize) + Sync) {
    match parts {
        0 => return,
        1 => return part(0),
        _ => {}
    }
    match Workers::at_hand(parts - 1) {
        Some(workers) => workers.run(parts, &part),
        // Another walk has them; rayon's threads take its parts one by one.
        None => rayon::in_place_scope(|scope| {
            for i in 1..parts {
                let part = &part;
                scope.spawn(move |_| part(i));
            }
            part(0);
        }),
    }
}

/// What one thread has of a walk: some rows of the batch, and some panels of hidden units. Threads that
/// share the units of the same rows wait for each other after each step.
#[derive(Clone, Debug)]
pub(super) struct Share<'a> {
    pub rows: Range<usize>,
    pub panels: &'a [Panel],
    team: Option<&'a Team>,
    timeline: &'a Timeline,
}

impl Share<'_> {
    /// How many of the rows run at step `t`.
    #[inline(always)]
    pub fn running(&self, t: usize) -> usize {
        self.timeline.active(t).min(self.rows.end).saturating_sub(self.rows.start)
    }

    /// The first of the rows at step `t` among the rows of all steps.
    #[inline(always)]
    pub fn packed(&self, t: usize) -> usize {
        self.timeline.rows(t).start + self.rows.start
    }

    /// Waits for the threads that have other units of the same rows.
    #[inline(always)]
    pub fn meet(&self) {
        if let Some(team) = self.team {
            team.meet();
        }
    }
}

/// Shares a walk over some steps among threads, by rows or, where there are too few of them or the weights do not stay
/// in a core's cache, by hidden units, and does each share on a thread of its own. `step` is how many multiplications a
/// step of one row takes, which is the number of the recurrent weights, of that many bytes; 0 if a step of some units
/// needs nothing of the others.
pub(super) fn in_shares(
    (timeline, steps): (&Timeline, &Range<usize>),
    panels: &[Panel],
    (step, weights): (usize, usize),
    threads: usize,
    part: impl Fn(Share<'_>) + Sync,
) {
    let batch = timeline.active(steps.start);
    let units = |i: usize| {
        let (from, to) = (panels.len() * i / threads, panels.len() * (i + 1) / threads);
        &panels[from..to]
    };
    if step == 0 && panels.len() >= threads {
        return in_parallel(threads, |i| {
            part(Share { rows: 0..batch, panels: units(i), team: None, timeline });
        });
    }
    let by_units = threads > 1
        && panels.len() >= threads
        && (batch < ROWS_WORTH_A_THREAD * threads || weights > STAYS_IN_A_CACHE)
        && batch * step > threads * STEP_WORTH_WAITING_FOR;
    // Whoever meets others has to be at work at the same time as they.
    if let Some(workers) = by_units.then(|| Workers::at_hand(threads - 1)).flatten() {
        let team = Team::new(threads);
        return workers.run(threads, &|i| {
            let attendance = team.attend();
            part(Share { rows: 0..batch, panels: units(i), team: Some(&team), timeline });
            attendance.ends_well();
        });
    }
    let rows = share_rows(timeline, steps, threads);
    in_parallel(rows.len(), |i| {
        part(Share { rows: rows[i].clone(), panels, team: None, timeline });
    });
}

/// With fewer rows than this for each thread, the threads share the hidden units instead.
const ROWS_WORTH_A_THREAD: usize = 4;

/// Bytes of recurrent weights that are still there, in the cache next to a core, when they are needed for the next step.
/// Of more than these each thread reads its own units' alone.
const STAYS_IN_A_CACHE: usize = 1 << 19;

/// Multiplications that take a thread as long as it takes to meet the others.
const STEP_WORTH_WAITING_FOR: usize = 1 << 14;

/// Rows of the batch for each of at most so many threads, so that the longest at work is done soonest.
fn share_rows(timeline: &Timeline, steps: &Range<usize>, threads: usize) -> Vec<Range<usize>> {
    let batch = timeline.active(steps.start);
    let lengths: Vec<usize> = {
        let mut lengths = vec![0; batch];
        for t in steps.clone() {
            lengths[timeline.active(t) - 1] += 1;
        }
        // So far each row counts the steps at which it is the last one.
        for row in (1..batch).rev() {
            lengths[row - 1] += lengths[row];
        }
        lengths
    };
    // The least cost that no share has to exceed.
    let shares_within = |most: usize| {
        let mut shares: Vec<Range<usize>> = Vec::with_capacity(threads);
        let mut cost = most + 1;
        for (row, &length) in lengths.iter().enumerate() {
            cost += length;
            match shares.last_mut() {
                Some(share) if cost <= most => share.end = row + 1,
                _ => {
                    shares.push(row..row + 1);
                    cost = (1 + A_STEP_IN_ROWS) * length;
                }
            }
        }
        shares
    };
    let (time, of_all_rows) = (steps.len(), lengths.iter().sum::<usize>());
    let (mut least, mut most) = ((1 + A_STEP_IN_ROWS) * time, of_all_rows + A_STEP_IN_ROWS * time);
    while least < most {
        let middle = (least + most) / 2;
        if shares_within(middle).len() <= threads {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    shares_within(most)
}

/// What a step costs a thread beside its rows, in rows.
const A_STEP_IN_ROWS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn rows_are_shared_by_their_steps() {
        assert_eq!(share_rows(&Timeline::uniform(5, 7), &(0..5), 2), [0..4, 4..7]);
        assert_eq!(share_rows(&Timeline::uniform(5, 1), &(0..5), 2).len(), 1);
        let ragged = Timeline::from_falling_lengths(&[10, 5, 5, 1, 1]);
        assert_eq!(share_rows(&ragged, &(0..10), 2), [0..1, 1..5]);
        // Only the first row is still running.
        assert_eq!(share_rows(&ragged, &(6..9), 2), vec![Range { start: 0, end: 1 }]);
        // More threads would not help: the longest row takes as long as the others together.
        assert_eq!(share_rows(&ragged, &(0..10), 5), [0..1, 1..5]);
    }

    #[test]
    fn each_part_is_done_once() {
        let done: Vec<_> = (0..5).map(|_| AtomicUsize::new(0)).collect();
        in_parallel(5, |i| {
            done[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1));
    }
    #[test]
    fn no_part_is_no_work() {
        in_parallel(0, |part| panic!("part {part} of none"));
    }

    /// Runs the work on a thread of its own, which must end soon.
    fn ends(work: impl FnOnce() + Send + 'static) -> std::thread::Result<()> {
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let _ = tell.send(());
            result
        });
        told.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits for ever");
        thread.join().expect("the panic was caught")
    }

    #[test]
    fn a_panic_in_one_part_ends_the_wait_of_the_others() {
        const NOT_FREE: &str = "no thread was free";
        let message = |guilty: usize| -> String {
            let panic = ends(move || {
                let panels: Vec<Panel> =
                    (0..3).map(|i| Panel { start: 32 * i, registers: 2, columns: 32 }).collect();
                let timeline = Timeline::uniform(4, 2);
                let size = (1 << 20, 1 << 22);
                in_shares((&timeline, &(0..4)), &panels, size, 3, |share| {
                    assert!(share.team.is_some(), "{NOT_FREE}");
                    share.meet();
                    assert!(share.panels[0].start != 32 * guilty, "part {guilty}");
                    share.meet();
                });
            });
            let payload = panic.expect_err("the panic reaches the caller");
            match payload.downcast::<String>() {
                Ok(message) => *message,
                Err(payload) => (*payload.downcast::<&str>().expect("the panic's message")).into(),
            }
        };
        for guilty in 0..3 {
            // Other tests may have the threads. They give them back after each walk.
            let reached = (0..2000).map(|_| message(guilty)).find(|message| {
                let reached = message != NOT_FREE;
                if !reached {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                reached
            });
            assert_eq!(reached, Some(format!("part {guilty}")));
        }
    }
}
