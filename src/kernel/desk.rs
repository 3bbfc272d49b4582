//! How work goes from the thread that calls to threads that wait for it, and how the one knows that the others are done.
//!
//! Each thread has a [`Desk`]. Whoever calls lays the same [`Call`] on every desk and wakes who sleeps; a thread that finds
//! it takes one part after the other; and the caller takes the call off the desks where nobody has come, before it waits
//! for those who have.

use super::sync::{AtomicBool, AtomicPtr, AtomicUsize, Mutex, Ordering, Patience, park};
use super::team::Abandoned;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::PoisonError;

/// Where a thread finds its work.
#[derive(Debug)]
pub(super) struct Desk {
    /// The call it is to take part in; null if there is none.
    call: AtomicPtr<Call>,
    asleep: AtomicBool,
}

/// A thread that waits at a desk.
pub(super) trait Worker {
    fn desk(&self) -> &Desk;

    /// Ends its [`park`], or its next one.
    fn wake(&self);
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

impl Call {
    /// A part that nobody has begun.
    fn take(&self) -> Option<usize> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        (part < self.parts).then_some(part)
    }

    /// Keeps what a part has panicked with: the first panic that has a cause of its own.
    fn panicked(&self, panic: Box<dyn Any + Send>) {
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        match &*first {
            Some(first) if !first.is::<Abandoned>() => {}
            _ => *first = Some(panic),
        }
    }
}

/// Does the parts 0 to `parts − 1`, part 0 on this thread and the others each on one of the workers, at the same time;
/// but this thread also does those that no other one has begun when it is done with its own, for a thread may take
/// longer to wake than the work takes.
///
/// # Panics
/// If a part does, after all have ended.
pub(super) fn run<W: Worker>(workers: &[W], parts: usize, part: &(dyn Fn(usize) + Sync)) {
    // SAFETY: a call does not outlive this function: `Wait` sees to it, whatever part 0 does.
    let part_for_others: *const (dyn Fn(usize) + Sync) =
        unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), _>(part) };
    let call = Call {
        part: part_for_others,
        parts,
        next: AtomicUsize::new(1),
        called: AtomicUsize::new(workers.len()),
        panic: Mutex::new(None),
    };
    let wait = Wait { call: &call, workers };
    for worker in workers {
        let desk = worker.desk();
        // A swap on both sides, not a write: the later one sees what the other has written before. So either this thread
        // sees that the other one is to sleep, or that one finds the call before it does.
        desk.call.swap((&raw const call).cast_mut(), Ordering::AcqRel);
        if desk.asleep.load(Ordering::Relaxed) {
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

/// Calls off the threads that have not come, and waits for the others, when it is dropped.
struct Wait<'a, W: Worker> {
    call: &'a Call,
    workers: &'a [W],
}

impl<W: Worker> Drop for Wait<'_, W> {
    fn drop(&mut self) {
        for worker in self.workers {
            if !worker.desk().call.swap(null_mut(), Ordering::AcqRel).is_null() {
                self.call.called.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let mut patience = Patience::default();
        while self.call.called.load(Ordering::Acquire) > 0 {
            patience.wait();
        }
    }
}

impl Desk {
    pub fn new() -> Self {
        Self { call: AtomicPtr::new(null_mut()), asleep: AtomicBool::new(false) }
    }

    /// Waits for a call and takes part in it.
    pub fn serve(&self) {
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

    /// Waits for a call.
    fn wait(&self) -> *const Call {
        let take = || {
            let call = self.call.swap(null_mut(), Ordering::AcqRel);
            (!call.is_null()).then_some(call.cast_const())
        };
        loop {
            let mut patience = Patience::default();
            loop {
                if !self.call.load(Ordering::Relaxed).is_null()
                    && let Some(call) = take()
                {
                    return call;
                }
                patience.wait();
                if patience.is_over() {
                    break;
                }
            }
            self.asleep.store(true, Ordering::Relaxed);
            // A call that came before the caller could see this thread asleep is found here.
            let call = take();
            if call.is_none() {
                park();
            }
            self.asleep.store(false, Ordering::Relaxed);
            if let Some(call) = call {
                return call;
            }
        }
    }
}
