#![allow(unsafe_code)] // links free slots through their bodies
//! Slots from the heap: leaked in blocks, recycled by their loop, never given back.
//!
//! A program that once had a thousand tasks at a time keeps a thousand slots, 32 bytes each on a 64-bit target. That is
//! the price of wakers that need no reference count.

use super::slot::Slot;
use crate::sync::{Local, Short};
use alloc::boxed::Box;
use core::ptr;

/// Slots in one block.
const BLOCK: usize = if cfg!(loom) { 2 } else { 32 };

/// Slots that are tried before new ones are made.
const TRIES: usize = 8;

/// Slots that were made at once; they stay with their loop.
struct Block {
    next: *const Block,
    slots: [Slot; BLOCK],
}

/// The slots of one loop: those that are free, and all.
pub(crate) struct Slots {
    /// The block made last.
    blocks: Local<Blocks>,
    /// Taken from and given to on the loop's thread.
    near: Local<Free>,
    /// Those that a stale wake held when they were tried.
    held: Local<Free>,
    /// Given back by handles that outlived their loop's run.
    far: Short<Free>,
}

/// A list of blocks.
struct Blocks(*const Block);

// SAFETY: blocks are leaked, and their slots are `Sync`.
unsafe impl Send for Blocks {}

/// A stack of free slots, linked through their bodies.
#[derive(Clone, Copy)]
struct Free(*const Slot);

// SAFETY: the slots in it belong to nobody else (`Claimed` in `slot`).
unsafe impl Send for Free {}

impl Free {
    fn push(&mut self, slot: &'static Slot) {
        slot.set_next_free(self.0.cast_mut().cast());
        self.0 = slot;
    }

    fn take(&mut self) -> Self {
        core::mem::replace(self, Self(ptr::null()))
    }

    #[inline]
    fn pop(&mut self) -> Option<&'static Slot> {
        // SAFETY: null or a slot; slots are `Immortal`.
        let slot = unsafe { self.0.as_ref() }?;
        self.0 = slot.body().cast();
        Some(slot)
    }
}

impl Slots {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                blocks: Local::new(Blocks(ptr::null())),
                near: Local::new(Free(ptr::null())),
                held: Local::new(Free(ptr::null())),
                far: Short::new(Free(ptr::null())),
            }
        }
    }

    /// A slot that is claimed for the caller.
    ///
    /// # Safety
    /// `OwnThread`.
    #[inline]
    pub(crate) unsafe fn claim(&self) -> &'static Slot {
        // SAFETY: `OwnThread` by the caller's word; `pop` calls nothing.
        if let Some(slot) = unsafe { self.near.with(Free::pop) } {
            if slot.claim() {
                return slot;
            }
            // SAFETY: as above.
            unsafe { self.held.with(|held| held.push(slot)) };
        }
        // SAFETY: as above.
        unsafe { self.more() }
    }

    /// A claimed slot when the first one near will not do. A stale wake holds a slot until the next turn at most, so a
    /// few tries are enough; then there are new ones.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cold]
    unsafe fn more(&self) -> &'static Slot {
        for _ in 0..TRIES {
            // SAFETY: `OwnThread` by the caller's word; `pop` calls nothing.
            let near = unsafe { self.near.with(Free::pop) };
            // SAFETY: by the caller's word.
            let Some(slot) = near.or_else(|| unsafe { self.refill() }) else { break };
            if slot.claim() {
                return slot;
            }
            // SAFETY: as above.
            unsafe { self.held.with(|held| held.push(slot)) };
        }
        let mut block = Box::new(Block { next: ptr::null(), slots: crate::sync::array_of!(Slot::new(); BLOCK) });
        // SAFETY: `OwnThread` by the caller's word; the closures call nothing.
        block.next = unsafe { self.blocks.with(|blocks| blocks.0) };
        let block: &'static Block = Box::leak(block);
        // SAFETY: as above.
        unsafe { self.blocks.with(|blocks| blocks.0 = block) };
        let [first, rest @ ..] = &block.slots;
        for slot in rest.iter().rev() {
            // SAFETY: as above.
            unsafe { self.near.with(|near| near.push(slot)) };
        }
        // A slot that nobody knows can be claimed.
        let claimed = first.claim();
        debug_assert!(claimed, "a new slot was queued");
        first
    }

    /// Calls `f` with each slot there is, in use or not.
    ///
    /// # Safety
    /// `OwnThread`.
    pub(crate) unsafe fn each(&self, mut f: impl FnMut(&'static Slot)) {
        // SAFETY: `OwnThread` by the caller's word; blocks are leaked.
        unsafe {
            let mut next = self.blocks.with(|blocks| blocks.0);
            while let Some(block) = next.as_ref() {
                block.slots.iter().for_each(&mut f);
                next = block.next;
            }
        }
    }

    /// Fills `near`, which is empty, with what handles have given back from elsewhere, or else with what was held before;
    /// and takes one.
    ///
    /// # Safety
    /// `OwnThread`.
    unsafe fn refill(&self) -> Option<&'static Slot> {
        let mut more = self.far.with(Free::take);
        if more.0.is_null() {
            // SAFETY: `OwnThread` by the caller's word; here and below the closures call nothing.
            more = unsafe { self.held.with(Free::take) };
        }
        let slot = more.pop();
        // SAFETY: as above. Nothing was near, so nothing is lost.
        unsafe { self.near.with(|near| *near = more) };
        slot
    }

    /// Takes a slot back; `here`: on the thread that runs the loop.
    pub(crate) fn give_back(&self, slot: &'static Slot, here: bool) {
        if here {
            // SAFETY: `OwnThread`, as `here` says.
            unsafe { self.near.with(|free| free.push(slot)) };
        } else {
            self.far.with(|free| free.push(slot));
        }
    }
}
