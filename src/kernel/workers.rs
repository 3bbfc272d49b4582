//! Threads that stay awake for a while after they have worked.
//!
//! A walk is short, and the next one follows soon: its backward walk, the next layer's, the next optimizer step's. A
//! thread that sleeps between them takes longer to be woken than a small walk takes. So these threads look for work
//! for [`AWAKE`] before they sleep, as those of OpenMP do, and the thread that calls takes its own part of the work.
//!
//! Linux wakes a thread where it likes, on the very core of whoever wakes it if it sees no better one, and there it
//! waits for its turn while another core has nothing to do. So it is told to wake the thread elsewhere.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a thread looks for work before it sleeps.
const AWAKE: Duration = Duration::from_millis(2);

/// Turns of waiting before a thread offers its core to others.
const TURNS: usize = 2_000;

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

/// Where a thread finds its work.
#[derive(Debug)]
struct Desk {
    /// The call it is to take part in; null if there is none.
    call: AtomicPtr<Call>,
    asleep: AtomicBool,
}

/// Some work in parts, on the stack of the thread that has called.
struct Call {
    /// The part of that number. It lives until the call has ended.
    part: *const (dyn Fn(usize) + Sync),
    parts: usize,
    /// The next part to take.
    next: AtomicUsize,
    /// Threads that have been called, and have neither ended nor been called off.
    called: AtomicUsize,
    /// What a part panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// What a part panics with that gives up because another one has panicked.
pub(super) struct Abandoned;

impl Call {
    /// Keeps what a part has panicked with: the first panic that has a cause of its own.
    fn panicked(&self, panic: Box<dyn Any + Send>) {
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        match &*first {
            Some(first) if !first.is::<Abandoned>() => {}
            _ => *first = Some(panic),
        }
    }

    /// A part that nobody has begun.
    fn take(&self) -> Option<usize> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        (part < self.parts).then_some(part)
    }
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
        // SAFETY: a call does not outlive this function: `Wait` sees to it, whatever part 0 does.
        let part_for_others: *const (dyn Fn(usize) + Sync) =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), _>(part) };
        let call = Call {
            part: part_for_others,
            parts,
            next: AtomicUsize::new(1),
            called: AtomicUsize::new(parts - 1),
            panic: Mutex::new(None),
        };
        let others = &self.0[..parts - 1];
        let wait = Wait { call: &call, others };
        for worker in others {
            worker.desk.call.store((&raw const call).cast_mut(), Ordering::SeqCst);
            if worker.desk.asleep.load(Ordering::SeqCst) {
                worker.wake();
            }
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            part(0);
            while let Some(number) = call.take() {
                part(number);
            }
        }));
        drop(wait);
        if let Err(panic) = done {
            call.panicked(panic);
        }
        let panicked = call.panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

/// Calls off the threads that have not come, and waits for the others, when it is dropped.
struct Wait<'a> {
    call: &'a Call,
    others: &'a [Worker],
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        for worker in self.others {
            if !worker.desk.call.swap(null_mut(), Ordering::SeqCst).is_null() {
                self.call.called.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let mut turns = 0;
        while self.call.called.load(Ordering::Acquire) > 0 {
            wait_a_little(&mut turns);
        }
    }
}

/// One turn of waiting.
pub(super) fn wait_a_little(turns: &mut usize) {
    *turns += 1;
    if *turns < TURNS { std::hint::spin_loop() } else { std::thread::yield_now() }
}

impl Worker {
    /// None if the system has no thread to give.
    fn start() -> Option<Self> {
        let desk =
            Arc::new(Desk { call: AtomicPtr::new(null_mut()), asleep: AtomicBool::new(false) });
        let theirs = Arc::clone(&desk);
        let builder = std::thread::Builder::new().name("bptt".into());
        #[cfg(target_os = "linux")]
        {
            let (tell, told) = std::sync::mpsc::channel();
            let work = move || {
                let _ = tell.send(rustix::thread::gettid());
                theirs.work()
            };
            let thread = builder.spawn(work).ok()?.thread().clone();
            let worker = Self { desk, thread, number: told.recv().ok()? };
            worker.keep_elsewhere();
            Some(worker)
        }
        #[cfg(not(target_os = "linux"))]
        {
            let thread = builder.spawn(move || theirs.work()).ok()?.thread().clone();
            Some(Self { desk, thread })
        }
    }

    fn wake(&self) {
        #[cfg(target_os = "linux")]
        self.keep_elsewhere();
        self.thread.unpark();
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

impl Desk {
    fn work(&self) -> ! {
        loop {
            let call = self.wait();
            // SAFETY: who has called waits until nobody is called, and the call is not touched after that.
            unsafe {
                let call = &*call;
                let part = &*call.part;
                while let Some(number) = call.take() {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| part(number))) {
                        call.panicked(panic);
                    }
                }
                call.called.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Waits for a call.
    fn wait(&self) -> *const Call {
        let take = || {
            let call = self.call.swap(null_mut(), Ordering::SeqCst);
            (!call.is_null()).then_some(call.cast_const())
        };
        loop {
            let (mut turns, mut since) = (0, None);
            loop {
                if !self.call.load(Ordering::Relaxed).is_null()
                    && let Some(call) = take()
                {
                    return call;
                }
                wait_a_little(&mut turns);
                if turns.is_multiple_of(TURNS) {
                    let since = *since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= AWAKE {
                        break;
                    }
                }
            }
            self.asleep.store(true, Ordering::SeqCst);
            // A call that came before the caller could see this thread asleep is found here.
            let call = take();
            if call.is_none() {
                std::thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            if let Some(call) = call {
                return call;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut turns = 0;
            while there.load(Ordering::Acquire) < 3 {
                wait_a_little(&mut turns);
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
