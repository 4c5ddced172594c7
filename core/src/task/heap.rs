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

/// The free slots of one loop.
pub(crate) struct Slots {
    /// Taken from and given to on the loop's thread.
    near: Local<Free>,
    /// Given back by handles that outlived their loop's run.
    far: Short<Free>,
}

/// A stack of free slots, linked through their bodies.
struct Free(*const Slot);

// SAFETY: the slots in it belong to nobody else (`Claimed` in `slot`).
unsafe impl Send for Free {}

impl Free {
    fn push(&mut self, slot: &'static Slot) {
        slot.set_next_free(self.0.cast_mut().cast());
        self.0 = slot;
    }

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
            Self { near: Local::new(Free(ptr::null())), far: Short::new(Free(ptr::null())) }
        }
    }

    /// Offers free slots to `start` until it takes one.
    ///
    /// # Safety
    /// `OwnThread`.
    pub(crate) unsafe fn start(&self, mut start: impl FnMut(&'static Slot) -> bool) -> &'static Slot {
        // Those that a stale wake holds for the moment.
        let mut held = Free(ptr::null());
        let slot = loop {
            // SAFETY: `OwnThread` by the caller's word; `pop` calls nothing.
            let slot = unsafe { self.near.with(Free::pop) }.unwrap_or_else(|| unsafe { self.more() });
            if start(slot) {
                break slot;
            }
            held.push(slot);
        };
        while let Some(slot) = held.pop() {
            // SAFETY: as above.
            unsafe { self.near.with(|free| free.push(slot)) };
        }
        slot
    }

    /// A slot when there is none near.
    ///
    /// # Safety
    /// `OwnThread`.
    #[cold]
    unsafe fn more(&self) -> &'static Slot {
        let mut free = self.far.with(|far| Free(core::mem::replace(&mut far.0, ptr::null())));
        let slot = match free.pop() {
            Some(slot) => slot,
            None => {
                let block: &'static [Slot] = Box::leak((0..BLOCK).map(|_| Slot::new()).collect());
                for slot in block.iter().skip(1).rev() {
                    free.push(slot);
                }
                &block[0]
            }
        };
        // SAFETY: `OwnThread` by the caller's word. Nothing was near, so nothing is lost.
        unsafe { self.near.with(|near| near.0 = free.0) };
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
