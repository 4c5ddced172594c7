#![allow(unsafe_code)] // a word that is one of two kinds of pointer
//! What a task waits for, as far as a cancellation is passed on to it: another task, a settable future, a gather.
//!
//! asyncio's rule: who is cancelled while it waits for a future cancels that future, and goes on when the future has
//! ended. Waiting in a lock or a queue, or for time, is no such case here: nobody else could see the future that asyncio
//! has in there.
//!
//! Invariant `Noted`: what a task waits for is there as long as its slot says that it waits. A task's slot always is; an
//! `Awaited` is in a pinned leaf future, which takes it out (`Slot::forget`) when it is dropped. The task's next step takes
//! it out in any case.

use super::ready::Ready;
use super::slot::Slot;
use core::num::NonZeroU8;
use core::ptr::{self, NonNull};

/// What a task waits for, in one word. Invariant `Tagged`: the address of a slot with the lowest bit set, or that of an
/// `Awaited`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Awaits(*const ());

const TASK: usize = 1;

/// An `Awaits` in a byte: one for nothing, and then as many as there are left. So a timer has room for it. That it is
/// the same does not prove that what is awaited is, but that it is another does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(NonZeroU8);

impl Mark {
    pub(crate) const NOTHING: Self = Self(NonZeroU8::MIN);
}

/// What an `Awaits` is.
pub(crate) enum Kind {
    Task(&'static Slot),
    Other(NonNull<Awaited>),
}

impl Awaits {
    pub(crate) const NOTHING: Self = Self(ptr::null());

    #[inline]
    pub(crate) fn task(slot: &'static Slot) -> Self {
        Self(ptr::from_ref(slot).cast::<()>().map_addr(|address| address | TASK))
    }

    #[inline]
    pub(crate) fn other(awaited: NonNull<Awaited>) -> Self {
        Self(awaited.as_ptr().cast_const().cast())
    }

    /// Spread over all there are, whatever the addresses have in common.
    pub(crate) fn mark(self) -> Mark {
        let [mark, ..] = (self.0.addr() as u32).wrapping_mul(0x9e37_79b9).to_be_bytes();
        Mark(NonZeroU8::new(mark.max(2)).unwrap_or(NonZeroU8::MIN))
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        if self.0.addr() & TASK != 0 {
            // SAFETY: `Tagged`; slots are `Immortal`.
            return Some(Kind::Task(unsafe { &*self.0.map_addr(|address| address & !TASK).cast::<Slot>() }));
        }
        NonNull::new(self.0.cast_mut().cast()).map(Kind::Other)
    }
}

/// A task that has noted what it waits for, as whoever it waits with remembers it.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    slot: &'static Slot,
    owner: &'static Ready,
    lease: u32,
}

impl Waiting {
    /// Has the task note it.
    ///
    /// # Safety
    /// As `Slot::await_on`.
    pub(crate) unsafe fn note(slot: &'static Slot, awaits: Awaits) -> Self {
        // SAFETY: by the caller's word.
        unsafe { slot.await_on(awaits) };
        Self { slot, owner: slot.owner(), lease: slot.owner().lease() }
    }

    /// Takes the note back, if it is there still; `asked`: see `Slot::forget`.
    ///
    /// # Safety
    /// On the thread where it was made.
    pub(crate) unsafe fn forget(self, awaits: Awaits, asked: bool) {
        // The loop may have ended, and be another thread's by now; then the slot is not looked at.
        if self.owner.lease() == self.lease && ptr::eq(self.slot.owner(), self.owner) {
            // SAFETY: the loop is this thread's, as it was then.
            unsafe { self.slot.forget(awaits, asked) };
        }
    }
}

/// Something that is awaited and can be cancelled, as its first field.
pub(crate) struct Awaited {
    table: &'static Table,
}

pub(crate) struct Table {
    /// Cancels it. False: it has ended already.
    pub(crate) cancel: unsafe fn(NonNull<Awaited>) -> bool,
    /// True when it has ended by being cancelled.
    pub(crate) was_cancelled: unsafe fn(NonNull<Awaited>) -> bool,
}

impl Awaited {
    pub(crate) const fn new(table: &'static Table) -> Self {
        Self { table }
    }

    /// # Safety
    /// It is there, and is the first field of what its table is for.
    pub(crate) unsafe fn cancel(this: NonNull<Self>) -> bool {
        // SAFETY: by the caller's word.
        unsafe { (this.as_ref().table.cancel)(this) }
    }

    /// # Safety
    /// As `cancel`.
    pub(crate) unsafe fn was_cancelled(this: NonNull<Self>) -> bool {
        // SAFETY: by the caller's word.
        unsafe { (this.as_ref().table.was_cancelled)(this) }
    }
}
