//! Threads that go from step to step together.

use super::sync::{AtomicBool, AtomicUsize, Ordering, Patience};
use std::panic::resume_unwind;

/// Threads that wait for each other after each step.
#[derive(Debug)]
pub(super) struct Team {
    size: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// Whether one of them has panicked and does not come any more.
    left: AtomicBool,
}

/// What a part panics with that gives up because another one has panicked.
pub(super) struct Abandoned;

impl Team {
    pub fn new(size: usize) -> Self {
        let [arrived, round] = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { size, arrived, round, left: AtomicBool::new(false) }
    }

    /// Waits until all have called it as often as this thread: what they wrote before can be read after.
    ///
    /// # Panics
    /// If one of them has panicked, with [`Abandoned`].
    pub fn meet(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round + 1, Ordering::Release);
            return;
        }
        let mut patience = Patience::default();
        while self.round.load(Ordering::Acquire) == round {
            if self.left.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Abandoned));
            }
            patience.wait();
        }
    }

    /// That a thread takes part until it says that it has come to its end: if it panics, the others wait no longer.
    pub fn attend(&self) -> Attendance<'_> {
        Attendance(self)
    }
}

/// See [`Team::attend`].
pub(super) struct Attendance<'a>(&'a Team);

impl Attendance<'_> {
    pub fn ends_well(self) {
        std::mem::forget(self);
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
    }
}
