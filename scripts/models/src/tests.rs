use crate::desk::{Desk, Worker, run};
use crate::sync::{AtomicBool, AtomicUsize, Ordering, Patience};
use crate::team::{Abandoned, Team};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::Thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Tries every order with at most so many switches from a thread that could have gone on.
fn every_order(switches: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.max_branches = 20_000;
    builder.check(model);
}

/// A number that loom watches: whoever reads it while another may be writing is found.
struct Watched(UnsafeCell<usize>);

// SAFETY: loom ends the test where two threads touch it at the same time.
unsafe impl Sync for Watched {}

impl Watched {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }
    fn add(&self, more: usize) {
        // SAFETY: loom sees to it that nobody else touches it.
        self.0.with_mut(|number| unsafe { *number += more });
    }
    fn get(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|number| unsafe { *number })
    }
}

/// Threads that write, meet, read what the others have written, meet, and so on. (Of three, two can wait for ever in turn
/// before the third goes on, as loom has it.)
fn meetings(size: usize, rounds: usize) {
    let shared = Arc::new((Team::new(size), (0..size).map(|_| Watched::new()).collect::<Vec<_>>()));
    let walk = move |shared: &(Team, Vec<Watched>), own: usize| {
        let (team, numbers) = shared;
        let attendance = team.attend();
        for round in 1..=rounds {
            numbers[own].add(1);
            team.meet();
            assert!(numbers.iter().all(|number| number.get() == round));
            team.meet();
        }
        attendance.ends_well();
    };
    let others: Vec<_> = (1..size)
        .map(|own| {
            let shared = shared.clone();
            loom::thread::spawn(move || walk(&shared, own))
        })
        .collect();
    walk(&shared, 0);
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[test]
fn two_that_meet_see_what_the_other_wrote() {
    every_order(4, || meetings(2, 2));
}

#[test]
fn nobody_waits_for_one_who_has_left() {
    every_order(3, || {
        let team = Arc::new(Team::new(2));
        let theirs = team.clone();
        let other = loom::thread::spawn(move || {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _attendance = theirs.attend();
                theirs.meet();
                std::panic::resume_unwind(Box::new("a fault"));
            }));
            assert!(caught.unwrap_err().is::<&str>());
        });
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _attendance = team.attend();
            team.meet();
            team.meet();
        }));
        assert!(caught.unwrap_err().is::<Abandoned>());
        other.join().unwrap();
    });
}

/// A thread that serves at its desk until it is told to go.
struct Serving {
    desk: Arc<Desk>,
    thread: Thread,
}

impl Worker for Serving {
    fn desk(&self) -> &Desk {
        &self.desk
    }
    fn wake(&self) {
        self.thread.unpark();
    }
}

/// Gives a thread some calls, and one at last that no one but it can end.
fn calls(work: impl Fn(&[Serving])) {
    let desk = Arc::new(Desk::new());
    let go = Arc::new(AtomicBool::new(false));
    let theirs = (desk.clone(), go.clone());
    let thread = loom::thread::spawn(move || {
        while !theirs.1.load(Ordering::Relaxed) {
            theirs.0.serve();
        }
    });
    let workers = [Serving { desk, thread: thread.thread().clone() }];
    work(&workers);
    let (numbers, begun) = ([Watched::new(), Watched::new()], AtomicUsize::new(0));
    run(&workers, 2, &|part| {
        numbers[part].add(1);
        begun.fetch_add(1, Ordering::Relaxed);
        // Both are there at the same time, so the other part is another thread's.
        let mut patience = Patience::default();
        while begun.load(Ordering::Relaxed) < 2 {
            patience.wait();
        }
        go.store(true, Ordering::Relaxed);
    });
    // What the other thread wrote can be read here.
    assert!(numbers.iter().all(|number| number.get() == 1));
    thread.join().unwrap();
}

#[test]
fn a_call_finds_a_thread_awake_or_asleep() {
    every_order(3, || calls(|_| {}));
}

#[test]
fn each_part_of_each_call_is_done_once() {
    every_order(2, || {
        calls(|workers| {
            let numbers = [Watched::new(), Watched::new()];
            run(workers, 2, &|part| numbers[part].add(1));
            assert!(numbers.iter().all(|number| number.get() == 1));
        });
    });
}

#[test]
fn a_panic_reaches_whoever_called_and_the_thread_goes_on() {
    for guilty in [0, 1] {
        every_order(2, move || {
            calls(|workers| {
                let numbers = [Watched::new(), Watched::new()];
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    run(workers, 2, &|part| {
                        numbers[part].add(1);
                        if part == guilty {
                            std::panic::resume_unwind(Box::new(part));
                        }
                    });
                }));
                assert_eq!(caught.unwrap_err().downcast_ref(), Some(&guilty));
                assert!(numbers[guilty].get() == 1);
            });
        });
    }
}
