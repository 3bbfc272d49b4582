//! Ctrl-C, a termination or a hang-up ends a training after the current step.

use super::Failure;
use super::output::note;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// The number of the first signal that has been heard; 0 before it.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// Whether there is a step to end after.
static LEARNING: AtomicBool = AtomicBool::new(false);

/// The signals that a training listens to.
#[derive(Clone, Copy)]
pub struct Interrupt;

impl Interrupt {
    /// Listens. The first signal is answered in a moment, whatever the step takes; the second one, and one that comes when
    /// there is nothing to learn any more, ends the process.
    pub fn listen() -> Result<Self, Failure> {
        LEARNING.store(true, Ordering::SeqCst);
        system::listen()?;
        let answer = || {
            while FIRST.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(50));
            }
            note(format_args!("ending after this step; once more ends at once"));
        };
        std::thread::Builder::new().name("signals".into()).spawn(answer)?;
        Ok(Self)
    }

    /// Whether the training is to end after this step.
    pub fn heard(self) -> bool {
        FIRST.load(Ordering::SeqCst) != 0
    }

    /// The training has ended: from now on a signal ends the process.
    pub fn learnt(self) {
        LEARNING.store(false, Ordering::SeqCst);
    }

    /// The exit code of a training that a signal has ended, as shells have it: 128 and the signal's number.
    pub fn code(self) -> ExitCode {
        match FIRST.load(Ordering::SeqCst) {
            0 => ExitCode::SUCCESS,
            signal => ExitCode::from(128 + signal as u8),
        }
    }
}

/// Whether the process is to end at once for that signal. Nothing here takes a lock or memory.
fn is_the_end(signal: i32) -> bool {
    FIRST.swap(signal, Ordering::SeqCst) != 0 || !LEARNING.load(Ordering::SeqCst)
}

#[cfg(unix)]
mod system {
    use nix::libc::{_exit, c_int};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    pub fn listen() -> nix::Result<()> {
        let handler = SigHandler::Handler(hear);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // What nohup has started goes on when its terminal is closed.
            if signal == Signal::SIGHUP && is_ignored(signal) {
                continue;
            }
            // SAFETY: the handler calls only what may be called in one: atomic operations and _exit.
            unsafe { sigaction(signal, &action) }?;
        }
        Ok(())
    }

    extern "C" fn hear(signal: c_int) {
        if super::is_the_end(signal) {
            // SAFETY: it ends the process without running anything of it, and may be called in a handler.
            unsafe { _exit(128 + signal) }
        }
    }

    /// Whether the process has been started with that signal ignored, where the system tells.
    fn is_ignored(signal: Signal) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (signal as u32 - 1) & 1 == 1)
    }
}

#[cfg(not(unix))]
mod system {
    pub fn listen() -> Result<(), ctrlc::Error> {
        const SIGINT: i32 = 2;
        ctrlc::set_handler(|| {
            if super::is_the_end(SIGINT) {
                std::process::exit(128 + SIGINT);
            }
        })
    }
}
