#![allow(unsafe_code)] // starts slots with bodies from the heap
//! `Entry`: a callback in the loop's one queue, or on its way there.
//!
//! It is a task of another kind: a body with a future that waits for what the callback is for, if anything, and then calls it.
//! So it is queued, run and dropped as tasks are; but users do not count it among them, it has no handle, and nobody
//! cancels it at the loop's end: it is dropped.
//!
//! Invariant `Once`: the entry is marked before its callback runs, so whoever would drop it from in there comes too late.

use super::{Ending, Failed, Failure, Handle, Loop, current};
use crate::task::body::{Body, Free};
use crate::task::slot::{InLine, Slot};
use alloc::boxed::Box;
use core::future::Future;
use core::panic::Location;

/// The name of a callback that is queued, or waits for what queues it.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    place: Handle,
    slot: &'static Slot,
    id: u32,
}

impl Entry {
    /// Puts `call` at the end of what is ready. None, and `call` is dropped: the loop takes no more.
    pub(crate) fn queue<F: Future<Output = ()> + 'static>(place: &'static Loop, call: F) -> Option<Self> {
        if place.is_closing() {
            return None;
        }
        let body = Box::into_raw(Box::new(Body::new(call, (), Free::Heap)));
        // SAFETY: callers have found the loop as the ambient one, or by a handle of its thread. The body is pinned on the
        // heap until its table frees it.
        unsafe {
            let slot = place.ready().claim();
            let started = slot.start(place.ready(), body.cast(), false, false);
            slot.set_hidden(false);
            place.adopt(slot);
            let entry = Self::of(place, slot);
            started.tell();
            Some(entry)
        }
    }

    /// Puts `call` where the line of what is ready ended at some moment of the step that is under way.
    ///
    /// # Safety
    /// `at` is of `place`, and of this step.
    pub(crate) unsafe fn queue_at<F: Future<Output = ()> + 'static>(place: &'static Loop, at: InLine, call: F) -> bool {
        if place.is_closing() {
            return false;
        }
        let body = Box::into_raw(Box::new(Body::new(call, (), Free::Heap)));
        // SAFETY: as in `queue`; and by the caller's word.
        unsafe {
            let slot = place.ready().claim();
            slot.start_unqueued(place.ready(), body.cast(), false);
            slot.set_hidden(false);
            place.adopt(slot);
            slot.queue_at(at);
        }
        true
    }

    /// Polls `call` now, so that it can wait for what queues it; if `timed`, a timer that it waits for runs it at once.
    pub(crate) fn begin<F: Future<Output = ()> + 'static>(place: &'static Loop, call: F, timed: bool) -> Option<Self> {
        if place.is_closing() {
            return None;
        }
        let body = Box::into_raw(Box::new(Body::new(call, (), Free::Heap)));
        let _ambient = current::enter(place);
        // SAFETY: as in `queue`.
        unsafe {
            let slot = place.ready().claim();
            slot.start_unqueued(place.ready(), body.cast(), false);
            slot.set_hidden(timed);
            place.adopt(slot);
            let entry = Self::of(place, slot);
            place.step_within(slot);
            Some(entry)
        }
    }

    fn of(place: &'static Loop, slot: &'static Slot) -> Self {
        Self { place: Handle::new(place), slot, id: slot.id() }
    }

    /// Drops the callback where it stands; false if it has been called, or was dropped.
    pub(crate) fn drop_call(&self) -> bool {
        let Some(place) = self.alive() else { return false };
        // SAFETY: `OwnThread`: the name is not `Send`. It is alive, so it was adopted and not settled, and by `Once`
        // its step is not under way: before its callback it runs no code of users.
        unsafe { place.abandon_within(self.slot) };
        true
    }

    /// The loop, if the entry is still to be called there.
    fn alive(&self) -> Option<&'static Loop> {
        let place = self.place.get()?;
        let same = core::ptr::eq(self.slot.owner(), place.ready()) && self.slot.id() == self.id;
        (same && self.slot.is_alive() && !self.slot.is_cancelled()).then_some(place)
    }
}

/// Calls `f`, for the entry whose step this is. If it returns an error the loop's hook is told.
pub(crate) fn call<R: Ending>(f: impl FnOnce() -> R, at: &'static Location<'static>) {
    let here = current::get("a callback");
    if let Some(slot) = here.ready().running() {
        slot.set_called();
    }
    let ending = f();
    if let Some(error) = ending.failure() {
        here.report(&Failure { of: Failed::Callback, error, at });
    }
}
