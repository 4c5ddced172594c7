#![allow(unsafe_code)] // an intrusive list of pinned places
//! Those who wait for one future, in order of arrival, and how it has ended.
//!
//! It is not one of `wait`'s lines: a task that is cancelled ends the future that it waits for, and all it has for that is
//! its own place in the line. Once a place was leaked nobody borrows the future, which may be moved then, while the place
//! stands in its line. So a place leads to its neighbours and never to the future. Who ends the future by way of a place
//! tells the places, and the future finds out when it is looked at next.
//!
//! Invariants:
//! - `OneThread`: a line and its places are on one thread.
//! - `Linked`: a place that is linked stays where it is, its neighbours are linked too, and it leaves before it is freed.
//! - `Ends`: as long as the stage in the line is `Pending`, `first` and `last` are those of the line, null if it is empty;
//!   or all who stood in it have been told, and the first of them has not left: it is linked, or was taken out to be woken.
//!   In any other stage both are null.

use crate::task::StoredWaker;
use crate::wait::to_the_end;
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::ptr;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    Done,
    Cancelled,
}

/// A place in the line of a future, pinned in whatever waits.
pub(crate) struct Place {
    prev: Cell<*const Place>,
    next: Cell<*const Place>,
    waker: Cell<StoredWaker>,
    linked: Cell<bool>,
    /// How the future has ended, as far as the place has been told.
    told: Cell<Stage>,
    _pinned: PhantomPinned,
}

impl Place {
    /// A place in no line.
    pub(crate) const fn new() -> Self {
        Self {
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            waker: Cell::new(StoredWaker::NONE),
            linked: Cell::new(false),
            told: Cell::new(Stage::Pending),
            _pinned: PhantomPinned,
        }
    }

    /// True when it was told that the future was cancelled.
    pub(super) fn was_cancelled(&self) -> bool {
        self.told.get() == Stage::Cancelled
    }

    /// Ends the future in whose line it stands, by cancelling it: tells all who stand there. False: it stands in none, or
    /// the future has ended.
    pub(super) fn cancel(&self) -> bool {
        let waits = self.linked.get() && self.told.get() == Stage::Pending;
        if waits {
            // SAFETY: linked.
            unsafe { self.tell_all(Stage::Cancelled) };
        }
        waits
    }

    /// Tells all in the line, and wakes them in order.
    ///
    /// # Safety
    /// It is linked.
    unsafe fn tell_all(&self, end: Stage) {
        // SAFETY: `Linked`, here and below.
        unsafe {
            let mut first = self;
            while let Some(prev) = first.prev.get().as_ref() {
                first = prev;
            }
            // All before the first is woken: whatever that leads to finds the future ended.
            let mut next = ptr::from_ref(first);
            while let Some(place) = next.as_ref() {
                place.told.set(end);
                next = place.next.get();
            }
            // It stands before those who are still to be woken. They may leave meanwhile, any of them.
            let before = Self::new();
            before.linked.set(true);
            before.next.set(first);
            first.prev.set(&raw const before);
            to_the_end(|| {
                let next = before.next.get().as_ref();
                next.is_some_and(|place| {
                    place.unlink();
                    place.waker.replace(StoredWaker::NONE).wake();
                    true
                })
            });
        }
    }

    /// Takes it out of the line, but for the line's own ends.
    ///
    /// # Safety
    /// It is linked.
    unsafe fn unlink(&self) {
        let (prev, next) = (self.prev.replace(ptr::null()), self.next.replace(ptr::null()));
        self.linked.set(false);
        // SAFETY: `Linked`.
        unsafe {
            if let Some(prev) = prev.as_ref() {
                prev.next.set(next);
            }
            if let Some(next) = next.as_ref() {
                next.prev.set(prev);
            }
        }
    }
}

/// Those who wait for a future, and how it has ended.
pub(super) struct Line {
    stage: Cell<Stage>,
    first: Cell<*const Place>,
    last: Cell<*const Place>,
}

impl Line {
    /// That of a future that is pending.
    pub(super) const fn new() -> Self {
        Self { stage: Cell::new(Stage::Pending), first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    /// How the future has ended, if it has.
    #[inline]
    pub(super) fn stage(&self) -> Stage {
        if self.stage.get() == Stage::Pending && !self.first.get().is_null() {
            // SAFETY: `Ends`: it has not left, so it is there.
            let told = unsafe { &*self.first.get() }.told.get();
            if told != Stage::Pending {
                self.close(told);
            }
        }
        self.stage.get()
    }

    fn close(&self, end: Stage) {
        self.stage.set(end);
        self.first.set(ptr::null());
        self.last.set(ptr::null());
    }

    /// Ends the future, which is pending: tells all who stand in line, and wakes them in order.
    pub(super) fn end(&self, end: Stage) {
        let first = self.first.get();
        self.close(end);
        // From here on foreign code may be called, and the future be gone.
        // SAFETY: `Ends`: it was pending, so the first is linked.
        unsafe {
            if let Some(first) = first.as_ref() {
                first.tell_all(end);
            }
        }
    }

    /// Has `waker` woken at the end, for `place`, which stays where it stands, or joins the line. The waker before it is
    /// returned, to be dropped.
    ///
    /// # Safety
    /// The future is pending. `Linked`: the place is in this line or in none, does not move from here on, and `leave`
    /// is called before it is freed.
    pub(super) unsafe fn stand(&self, place: &Place, waker: StoredWaker) -> StoredWaker {
        if !place.linked.replace(true) {
            let last = self.last.replace(place);
            place.prev.set(last);
            // SAFETY: `Ends`.
            match unsafe { last.as_ref() } {
                Some(last) => last.next.set(place),
                None => self.first.set(place),
            }
        }
        place.waker.replace(waker)
    }

    /// Takes `place` out, if it is in. Its waker is returned, to be dropped.
    ///
    /// # Safety
    /// It is in this line or in none.
    pub(super) unsafe fn leave(&self, place: &Place) -> StoredWaker {
        // Before the first goes, who may have been told what this has not been: see `Ends`.
        if self.stage() == Stage::Pending && place.linked.get() {
            if ptr::eq(self.first.get(), place) {
                self.first.set(place.next.get());
            }
            if ptr::eq(self.last.get(), place) {
                self.last.set(place.prev.get());
            }
        }
        if place.linked.get() {
            // SAFETY: linked.
            unsafe { place.unlink() };
        }
        place.waker.replace(StoredWaker::NONE)
    }

    /// Takes out whoever is in line: places that were leaked. The future is about to go.
    pub(super) fn forget_all(&self) {
        while self.stage() == Stage::Pending {
            // SAFETY: `Ends`.
            let Some(first) = (unsafe { self.first.get().as_ref() }) else { return };
            // SAFETY: `Ends`: it is in this line.
            drop(unsafe { self.leave(first) });
        }
    }
}
