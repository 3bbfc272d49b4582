//! What threads share and how they wait. The models in `scripts/models/` have loom's in the place of these, so that every order of
//! events is tried.

pub(super) use std::sync::Mutex;
pub(super) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
pub(super) use std::thread::park;

use std::time::{Duration, Instant};

/// How long a thread looks for work before it sleeps.
const AWAKE: Duration = Duration::from_millis(2);

/// Turns of waiting before a thread offers its core to others.
const TURNS: usize = 2_000;

/// Waits in turns, the first ones without letting go of the core.
#[derive(Debug, Default)]
pub(super) struct Patience {
    turns: usize,
    since: Option<Instant>,
}

impl Patience {
    /// One turn of waiting.
    pub fn wait(&mut self) {
        self.turns += 1;
        if self.turns < TURNS { std::hint::spin_loop() } else { std::thread::yield_now() }
    }

    /// Whether it has been so long that sleeping is better.
    pub fn is_over(&mut self) -> bool {
        self.turns.is_multiple_of(TURNS)
            && self.since.get_or_insert_with(Instant::now).elapsed() >= AWAKE
    }
}
