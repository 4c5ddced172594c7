//! The heap: a linked list of holes, and how much of it is and was in use.

use core::{
    alloc::{GlobalAlloc, Layout},
    ptr::addr_of,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use embedded_alloc::LlffHeap;

#[global_allocator]
static HEAP: Counted = Counted { heap: LlffHeap::empty(), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

/// One thread and no handler uses the heap, so the counts may be read and written in two steps.
struct Counted {
    heap: LlffHeap,
    used: AtomicUsize,
    peak: AtomicUsize,
}

// SAFETY: the heap does it all; beside it there are only counts.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        let place = unsafe { self.heap.alloc(layout) };
        if !place.is_null() {
            let used = self.used.load(Relaxed) + layout.size();
            self.used.store(used, Relaxed);
            self.peak.store(self.peak.load(Relaxed).max(used), Relaxed);
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        self.used.store(self.used.load(Relaxed) - layout.size(), Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { self.heap.dealloc(place, layout) }
    }
}

unsafe extern "C" {
    /// The end of the RAM: `build.rs` has it put there.
    static _heap_end: u8;
}

/// Gives the heap the RAM that is left. Called once, before anything is allocated.
pub(crate) fn begin() {
    let start = cortex_m_rt::heap_start() as usize;
    let end = addr_of!(_heap_end) as usize;
    // SAFETY: nothing else is between the last static and the end of the RAM, and this is called once.
    unsafe { HEAP.heap.init(start, end - start) }
}

/// Bytes in use.
pub(crate) fn used() -> usize {
    HEAP.used.load(Relaxed)
}

/// The most that was in use since [`forget_peak`].
pub(crate) fn peak() -> usize {
    HEAP.peak.load(Relaxed)
}

pub(crate) fn forget_peak() {
    HEAP.peak.store(used(), Relaxed);
}
