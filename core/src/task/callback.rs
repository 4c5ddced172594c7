#![allow(unsafe_code)] // a slot leads back to a pinned callback
//! `Callback`: an entry of the ready queue that is no task: what asyncio calls a handle.
//!
//! It sits in whatever wants to be called, pinned, and holds a slot of the loop while it is armed. Waking that slot
//! queues the call, like a task's step and in line with them.
//!
//! Invariant `Armed`: while a callback holds a slot, the slot's body is the callback, which stays where it is, with what its
//! data points to; it gives the slot back before it is freed.

use super::slot::Slot;
use crate::sched::Loop;
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;

/// Something to be called in a turn of the loop.
pub(crate) struct Callback {
    call: unsafe fn(*const ()),
    /// What it is called with.
    data: Cell<*const ()>,
    slot: Cell<Option<&'static Slot>>,
    _pinned: PhantomPinned,
}

impl Callback {
    /// `call` is given what `arm` was given, within a turn, each time that the slot was woken.
    pub(crate) const fn new(call: unsafe fn(*const ())) -> Self {
        Self { call, data: Cell::new(core::ptr::null()), slot: Cell::new(None), _pinned: PhantomPinned }
    }

    /// Takes a slot of `here`, the loop of this thread. Waking it leads to the call with `data`.
    pub(crate) fn arm(self: Pin<&Self>, here: &'static Loop, data: *const ()) -> &'static Slot {
        self.data.set(data);
        if let Some(slot) = self.slot.get() {
            return slot;
        }
        // SAFETY: `OwnThread` by the caller's word; `Armed`: pinned, and given back in `disarm`, which `drop` calls.
        let slot = unsafe {
            let slot = here.ready().claim();
            slot.arm(here.ready(), core::ptr::from_ref(self.get_ref()).cast_mut().cast());
            slot
        };
        self.slot.set(Some(slot));
        slot
    }

    /// The slot, while it is armed.
    pub(crate) fn slot(&self) -> Option<&'static Slot> {
        self.slot.get()
    }

    /// Gives the slot back: what was queued does nothing.
    pub(crate) fn disarm(&self) {
        if let Some(slot) = self.slot.take() {
            slot.end();
            slot.owner().give_back(slot);
        }
    }

    /// # Safety
    /// `Armed`, in a turn of the slot's loop.
    #[cold]
    pub(crate) unsafe fn run(this: NonNull<Self>) {
        // SAFETY: by the caller's word.
        unsafe {
            let this = this.as_ref();
            (this.call)(this.data.get());
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.disarm();
    }
}
