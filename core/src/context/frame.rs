#![allow(unsafe_code)] // follows pointers into the frames of polls
//! Bindings without an allocator: each lives in the future that makes it, and is found through a frame of its poll.
//!
//! Invariant `Framed`: a frame is in the list of its loop while the poll that made it is under way, and so stays where it
//! is, with the value it points to. Polls end in the reverse order of their beginnings.

use core::cell::Cell;
use core::ptr;

/// A variable, by its address, and its value during a poll.
pub(crate) struct Frame {
    var: usize,
    value: *const (),
    before: Cell<*const Frame>,
}

impl Frame {
    pub(super) fn new(var: usize, value: *const ()) -> Self {
        Self { var, value, before: Cell::new(ptr::null()) }
    }
}

/// The frames of the polls that are under way, the innermost first.
pub(crate) struct Frames(*const Frame);

impl Frames {
    pub(crate) const fn new() -> Self {
        Self(ptr::null())
    }

    /// # Safety
    /// `Framed`: `pop` follows before the frame goes.
    pub(super) unsafe fn push(&mut self, frame: &Frame) {
        frame.before.set(core::mem::replace(&mut self.0, frame));
    }

    /// The frame pushed last goes.
    pub(super) fn pop(&mut self, frame: &Frame) {
        self.0 = frame.before.get();
    }

    /// The value of a variable.
    pub(super) fn find(&self, var: usize) -> Option<*const ()> {
        let mut next = self.0;
        // SAFETY: `Framed`.
        while let Some(frame) = unsafe { next.as_ref() } {
            if frame.var == var {
                return Some(frame.value);
            }
            next = frame.before.get();
        }
        None
    }
}
