//! As `src/kernel/sync.rs`, of loom.

pub(super) use loom::sync::Mutex;
pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
pub(super) use loom::thread::park;

/// Lets the others go on after every look.
#[derive(Debug, Default)]
pub(super) struct Patience {
    turns: usize,
}

impl Patience {
    pub fn wait(&mut self) {
        self.turns += 1;
        loom::thread::yield_now();
    }

    pub fn is_over(&mut self) -> bool {
        self.turns > 0
    }
}
