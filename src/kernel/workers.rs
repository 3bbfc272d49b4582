//! Threads that stay awake for a while after they have worked.
//!
//! A walk is short, and the next one follows soon: its backward walk, the next layer's, the next optimizer step's. A
//! thread that sleeps between them takes longer to be woken than a small walk takes. So these threads look for work
//! for a while before they sleep, as those of OpenMP do, and the thread that calls takes its own part of the work.
//!
//! Linux wakes a thread where it likes, on the very core of whoever wakes it if it sees no better one, and there it
//! waits for its turn while another core has nothing to do. So it is told to wake the thread elsewhere.

use super::desk::{self, Desk};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Thread;

/// The threads, of which one caller has the use at a time.
static WORKERS: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// The threads, until this is dropped.
pub(super) struct Workers(MutexGuard<'static, Vec<Worker>>);

#[derive(Debug)]
struct Worker {
    desk: Arc<Desk>,
    thread: Thread,
    /// The system's number of the thread.
    #[cfg(target_os = "linux")]
    number: rustix::thread::Pid,
}

impl Workers {
    /// The threads if nobody has them, at least so many.
    pub fn at_hand(count: usize) -> Option<Self> {
        let mut workers = match WORKERS.try_lock() {
            Ok(workers) => workers,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        while workers.len() < count {
            workers.push(Worker::start()?);
        }
        Some(Self(workers))
    }

    /// Does the parts 0 to `parts − 1`, part 0 on this thread and the others each on one of its own, at the same time;
    /// but this thread also does those that no other one has begun when it is done with its own, for a thread may take
    /// longer to wake than the work takes.
    ///
    /// # Panics
    /// If a part does, after all have ended; if there are fewer threads.
    pub fn run(&self, parts: usize, part: &(dyn Fn(usize) + Sync)) {
        desk::run(&self.0[..parts - 1], parts, part);
    }
}

impl Worker {
    /// None if the system has no thread to give.
    fn start() -> Option<Self> {
        let desk = Arc::new(Desk::new());
        let theirs = Arc::clone(&desk);
        let builder = std::thread::Builder::new().name("bptt".into());
        #[cfg(target_os = "linux")]
        {
            let (tell, told) = std::sync::mpsc::channel();
            let work = move || {
                let _ = tell.send(rustix::thread::gettid());
                loop {
                    theirs.serve();
                }
            };
            let thread = builder.spawn(work).ok()?.thread().clone();
            let worker = Self { desk, thread, number: told.recv().ok()? };
            worker.keep_elsewhere();
            Some(worker)
        }
        #[cfg(not(target_os = "linux"))]
        {
            let thread = builder
                .spawn(move || {
                    loop {
                        theirs.serve()
                    }
                })
                .ok()?
                .thread()
                .clone();
            Some(Self { desk, thread })
        }
    }

    /// Keeps the thread off the core that this one is on.
    #[cfg(target_os = "linux")]
    fn keep_elsewhere(&self) {
        use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};
        if let Ok(mut elsewhere) = sched_getaffinity(None) {
            elsewhere.unset(sched_getcpu());
            // Refused where there is no other core: then any place is right.
            let _ = sched_setaffinity(Some(self.number), &elsewhere);
        }
    }
}

impl desk::Worker for Worker {
    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn wake(&self) {
        #[cfg(target_os = "linux")]
        self.keep_elsewhere();
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sync::{AtomicUsize, Ordering, Patience};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    /// The threads, after whoever has them now.
    fn workers(count: usize) -> Workers {
        loop {
            match Workers::at_hand(count) {
                Some(workers) => return workers,
                None => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn each_part_is_done_once_awake_or_asleep() {
        for pause in [0, 100, 5000] {
            for round in 0..200 {
                let parts = 1 + round % 4;
                let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                if parts > 1 {
                    workers(3).run(parts, &|part| {
                        done[part].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                }
                if round % 20 == 0 {
                    std::thread::sleep(Duration::from_micros(pause));
                }
            }
        }
    }

    #[test]
    fn parts_are_there_at_the_same_time() {
        let there = AtomicUsize::new(0);
        workers(2).run(3, &|_| {
            there.fetch_add(1, Ordering::AcqRel);
            let mut patience = Patience::default();
            while there.load(Ordering::Acquire) < 3 {
                patience.wait();
            }
        });
        assert_eq!(there.into_inner(), 3);
    }

    #[test]
    fn a_panic_reaches_whoever_called_and_the_threads_go_on() {
        for guilty in [0, 1] {
            let panic = catch_unwind(AssertUnwindSafe(|| {
                workers(1).run(2, &|part| assert!(part != guilty, "part {guilty}"));
            }));
            assert!(panic.is_err());
        }
        let sum = AtomicUsize::new(0);
        workers(1).run(2, &|part| {
            sum.fetch_add(part + 1, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 3);
    }
}
