//! Ctrl-C ends a training after the current step.

use super::Failure;
use super::output::note;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes true with the first Ctrl-C (or a termination signal); the second one ends the process at once.
pub fn listen() -> Result<Arc<AtomicBool>, Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    let pressed = Arc::clone(&ended);
    ctrlc::set_handler(move || {
        if pressed.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note(format_args!("ending after this step; once more ends at once"));
    })?;
    Ok(ended)
}
