#![allow(unsafe_code)] // a list through nodes in frames
//! Names for what is in a frame, and may be gone when it is asked for: numbers, in a list that the loop has.
//!
//! Where there is an allocator a counted box does that, at once; here it is a walk along all that have a name.
//!
//! A number is given once and never again, however long the program runs: a stale one, of a group of another type perhaps,
//! would lead to whoever has it by then. So there are 2^64 of them.

use core::cell::Cell;
use core::ptr;

/// What has a name: a list through their nodes.
///
/// Invariant `Linked`: a node in the list stays where it is until it was taken out, or the list is not used any more.
pub(crate) struct Names {
    first: *const Named,
    /// The number that was given last.
    number: u64,
}

/// A node in whatever has a name.
pub(crate) struct Named {
    next: Cell<*const Named>,
    number: Cell<u64>,
    what: Cell<*const ()>,
}

impl Named {
    pub(crate) const fn new() -> Self {
        Self { next: Cell::new(ptr::null()), number: Cell::new(0), what: Cell::new(ptr::null()) }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number.get()
    }
}

impl Names {
    pub(crate) const fn new() -> Self {
        Self { first: ptr::null(), number: 0 }
    }

    /// Nothing has a name any more. Numbers go on.
    pub(crate) fn clear(&mut self) {
        self.first = ptr::null();
    }

    /// Names `what`.
    ///
    /// # Safety
    /// `Linked`; the node is in no list that is used.
    pub(crate) unsafe fn add(&mut self, node: &Named, what: *const ()) {
        self.number += 1;
        node.number.set(self.number);
        node.what.set(what);
        node.next.set(self.first);
        self.first = node;
    }

    /// Takes a name back, if this list has it.
    pub(crate) fn remove(&mut self, node: &Named) {
        let next = node.next.get();
        if ptr::eq(self.first, node) {
            self.first = next;
        } else if let Some(before) = self.find(|it| ptr::eq(it.next.get(), node)) {
            before.next.set(next);
        }
    }

    /// What has this number; null if that is gone.
    pub(crate) fn get(&self, number: u64) -> *const () {
        self.find(|it| it.number() == number).map_or(ptr::null(), |it| it.what.get())
    }

    fn find(&self, is_it: impl Fn(&Named) -> bool) -> Option<&Named> {
        let mut next = self.first;
        loop {
            // SAFETY: `Linked`.
            let it = unsafe { next.as_ref() }?;
            if is_it(it) {
                return Some(it);
            }
            next = it.next.get();
        }
    }
}
