//! Working memory that is used again from call to call, aligned to cache lines. Results lie in it too: when whoever asked
//! for them drops them, the next call has their memory, which is not fresh from the system, to be filled with zeros page
//! by page.

use super::simd::Element;
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A cache line of bytes.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; LINE]);

const LINE: usize = 64;

/// The memory that no call is using, oldest first. With what is in use it is never more than what was
/// in use at once, and twice the largest result that was handed out; and before memory is asked for from the system, not
/// even that.
struct Arena {
    free: Vec<Vec<Line>>,
    in_use: usize,
    most_in_use: usize,
    largest_result: usize,
}

static ARENA: Mutex<Arena> =
    Mutex::new(Arena { free: Vec::new(), in_use: 0, most_in_use: 0, largest_result: 0 });

fn arena() -> MutexGuard<'static, Arena> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the working memory that no call is using back to the system.
pub fn release_memory() {
    let mut arena = arena();
    arena.free.clear();
    arena.most_in_use = arena.in_use;
    arena.largest_result = 0;
}

impl Arena {
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        let fits = |free: &Vec<Line>| (lines..=2 * lines).contains(&free.len());
        let best = (0..self.free.len())
            .filter(|&i| fits(&self.free[i]))
            .min_by_key(|&i| self.free[i].len());
        best.map(|i| self.free.remove(i))
    }

    /// Free memory for so many lines; none if they have to come from the system.
    fn begin(&mut self, lines: usize) -> Option<Vec<Line>> {
        let free = self.take(lines);
        self.in_use += free.as_ref().map_or(lines, Vec::len);
        self.most_in_use = self.most_in_use.max(self.in_use);
        if free.is_none() {
            self.keep_within(self.most_in_use);
        }
        free
    }

    fn ended(&mut self, memory: Vec<Line>) {
        self.in_use -= memory.len();
        self.given_back(memory);
    }

    /// Memory that is not in use any more, and not free before it is given back.
    #[cfg_attr(not(feature = "flex"), allow(dead_code))]
    fn handed_out(&mut self, lines: usize) {
        self.in_use -= lines;
        self.largest_result = self.largest_result.max(lines);
    }

    /// A result's memory that is given back.
    fn given_back(&mut self, memory: Vec<Line>) {
        self.free.push(memory);
        self.keep_within(self.most_in_use + 2 * self.largest_result);
    }

    /// Lets go of what has been free for longest, until what is held is within the limit.
    fn keep_within(&mut self, limit: usize) {
        let mut held: usize = self.in_use + self.free.iter().map(Vec::len).sum::<usize>();
        while held > limit && !self.free.is_empty() {
            held -= self.free.remove(0).len();
        }
    }
}

/// Numbers in memory that starts at a cache line. When dropped, the memory is kept for the next
/// buffer of about the same size.
#[derive(Debug)]
pub(crate) struct Buffer<E: Element> {
    lines: Vec<Line>,
    len: usize,
    handed_out: bool,
    element: PhantomData<E>,
}

impl<E: Element> Buffer<E> {
    /// `len` numbers left by whoever used the memory before.
    ///
    /// # Panics
    /// If they are more than the address space has room for.
    pub fn stale(len: usize) -> Self {
        let bytes = len.checked_mul(size_of::<E>()).expect("a buffer that fits the address space");
        let lines = bytes.div_ceil(LINE).max(1);
        let free = arena().begin(lines);
        let lines = free.unwrap_or_else(|| zeroed(lines));
        Self { lines, len, handed_out: false, element: PhantomData }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::stale(len);
        buffer.fill(E::default());
        buffer
    }

    /// The same as a result, which its owner may keep for as long as they like: it does not count as working memory
    /// any more.
    #[cfg_attr(not(feature = "flex"), allow(dead_code))]
    pub fn handed_out(mut self) -> Self {
        if !self.handed_out {
            arena().handed_out(self.lines.len());
            self.handed_out = true;
        }
        self
    }
}

/// Fresh memory, which the system hands out as zeros without writing them.
fn zeroed(lines: usize) -> Vec<Line> {
    let layout = Layout::array::<Line>(lines).expect("a buffer that fits the address space");
    // SAFETY: the layout has a size, for there is at least one line; zeros are lines.
    unsafe {
        let memory = alloc_zeroed(layout).cast::<Line>();
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        Vec::from_raw_parts(memory, lines, lines)
    }
}

impl<E: Element> Clone for Buffer<E> {
    fn clone(&self) -> Self {
        let mut buffer = Self::stale(self.len);
        buffer.copy_from_slice(self);
        buffer
    }
}

impl<E: Element> Drop for Buffer<E> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if self.handed_out { arena().given_back(lines) } else { arena().ended(lines) }
    }
}

impl<E: Element> Deref for Buffer<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        // SAFETY: the lines hold at least `len` numbers, and any bits are a number.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<E: Element> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Arena = Arena { free: Vec::new(), in_use: 0, most_in_use: 0, largest_result: 0 };

    #[test]
    fn memory_is_used_again() {
        let mut arena = EMPTY;
        assert!(arena.begin(100).is_none());
        let memory = zeroed(100);
        let place = memory.as_ptr();
        arena.ended(memory);
        assert!(arena.take(101).is_none() && arena.take(49).is_none());
        let again = arena.begin(90).expect("the memory that fits");
        assert_eq!((again.as_ptr(), again.len(), arena.in_use), (place, 100, 100));
        // A second one of another size: with both, never more than was in use at once is held.
        assert!(arena.begin(30).is_none());
        arena.ended(again);
        arena.ended(zeroed(30));
        assert!(arena.begin(40).is_none());
        assert_eq!(arena.free.iter().map(Vec::len).collect::<Vec<_>>(), [30]);
    }

    #[test]
    fn of_results_that_were_kept_no_more_than_two_are_held() {
        let mut arena = EMPTY;
        let results: Vec<_> = (0..9)
            .map(|_| {
                assert!(arena.begin(10).is_none());
                arena.handed_out(10);
                zeroed(10)
            })
            .collect();
        assert_eq!((arena.in_use, arena.most_in_use), (0, 10));
        results.into_iter().for_each(|result| arena.given_back(result));
        // Beside the memory that was in use at once.
        assert_eq!(arena.free.len(), 3);
        // But before more comes from the system they go.
        assert!(arena.begin(25).is_none());
        assert_eq!(arena.free.len(), 0);
    }

    #[test]
    fn buffers_start_at_a_cache_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Buffer::<f64>::stale(len);
            buffer.fill(7.0);
            assert_eq!((buffer.as_ptr() as usize % LINE, buffer.len()), (0, len));
            drop(buffer);
            assert!(Buffer::<f32>::zeros(len).iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "a buffer that fits the address space")]
    fn what_no_memory_can_hold_is_refused() {
        Buffer::<f32>::stale(1 << 62);
    }
}
