//! Limits of the system on this process, memory and the size of files, as one line of text instead of an abort or a kill.

use peak_alloc::PeakAlloc;
use std::alloc::{GlobalAlloc, Layout};
use std::fmt::Write;

/// The allocator: counts the bytes that are held, for `bptt bench`, and ends the process in one line when there are no more
/// to be had, of a limit (`ulimit -v`) or of the machine. What a training has saved by then is there to go on from.
pub struct Memory(pub PeakAlloc);

// SAFETY: each call is handed on as it came, and what comes back is handed back.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for the caller of this function.
        given(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for the caller of this function.
        given(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, bytes: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as for the caller of this function.
        given(unsafe { self.0.realloc(bytes, layout, size) }, size)
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        // SAFETY: as for the caller of this function.
        unsafe { self.0.dealloc(bytes, layout) }
    }
}

fn given(bytes: *mut u8, size: usize) -> *mut u8 {
    if bytes.is_null() {
        no_more(size);
    }
    bytes
}

/// Says so without any memory, and ends at once.
#[cold]
fn no_more(size: usize) -> ! {
    /// A line on the stack; it has room for any number.
    struct Line([u8; 200], usize);
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let room = self.0.get_mut(self.1..self.1 + text.len()).ok_or(std::fmt::Error)?;
            room.copy_from_slice(text.as_bytes());
            self.1 += text.len();
            Ok(())
        }
    }
    let mut line = Line([0; 200], 0);
    let _ = writeln!(
        line,
        "error: there is no more memory (for {size} bytes): make the sizes or the file smaller, or raise the limit (ulimit -v)"
    );
    #[cfg(unix)]
    // SAFETY: the bytes live; both functions may be called at any time.
    unsafe {
        libc::write(2, line.0.as_ptr().cast(), line.1);
        libc::_exit(2)
    }
    #[cfg(not(unix))]
    std::process::abort()
}

/// A file that may not grow (`ulimit -f`) fails to be written, as on a full disk, instead of ending the process.
pub fn let_writes_fail() {
    #[cfg(unix)]
    // SAFETY: ignoring a signal runs no code in its place.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
