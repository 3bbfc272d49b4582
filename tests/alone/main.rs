//! Tests that look at what all threads of the process share: its memory, and a device's random numbers.

mod memory_budget;
#[cfg(feature = "train")]
mod panel_memory;
mod seeded_masks;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
