#![allow(unsafe_code)] // packs a waker, a slot or a list into one word
//! Those who wait for the end of a task, in order: who awaits its handle, and who watches it.
//!
//! Nearly always there is one. With an allocator there may be more, in a list; without one there is one, who awaits the
//! handle.

use super::StoredWaker;
use super::slot::Slot;

#[cfg(feature = "alloc")]
mod flavour {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::{self, Vec};
    use core::mem::ManuallyDrop;

    /// Those who wait for the end of a task. One word.
    ///
    /// Invariant `Tagged`: the two lowest bits say what the rest is: a stored waker's own word for who awaits the handle
    /// (or none: 0); with `WATCHER`, the address of the slot of the only one, who watches; with `MANY`, that of a box that
    /// this owns.
    pub(crate) struct Joiners(usize);

    const WATCHER: usize = 2;
    const MANY: usize = 3;
    const TAG: usize = 3;

    const _: () = assert!(align_of::<Slot>() > TAG && align_of::<Vec<Joiner>>() > TAG);

    /// One of many.
    pub(crate) struct Joiner {
        waker: StoredWaker,
        /// Of a watcher, by which it is found again.
        key: Option<Key>,
    }

    /// What a watcher is found by: the address of its slot, or of itself if its waker is foreign.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Key(usize);

    impl Key {
        pub(crate) fn of_slot(slot: &'static Slot) -> Self {
            Self(core::ptr::from_ref(slot).addr())
        }

        pub(crate) fn of<T>(watcher: &T) -> Self {
            Self(core::ptr::from_ref(watcher).addr())
        }
    }

    impl Joiners {
        pub(crate) const NONE: Self = Self(0);

        /// Has the task in `slot` woken, which awaits the handle, if nobody else waits but another who did. False: not so.
        #[inline]
        pub(crate) fn set_only(&mut self, slot: &'static Slot) -> bool {
            let only = self.0 & TAG == 0;
            if only {
                // What is replaced is a slot's word, or none.
                self.0 = StoredWaker::of_slot(slot).into_word();
            }
            only
        }

        /// Has `waker` woken for whoever awaits the handle, where the one before it stood, or at the end. That one is
        /// returned, to be dropped.
        pub(crate) fn set_handle(&mut self, waker: StoredWaker) -> StoredWaker {
            if self.0 & WATCHER != 0 {
                return self.set_handle_among(waker);
            }
            // SAFETY: `Tagged`; the word is replaced.
            unsafe { StoredWaker::from_word(core::mem::replace(&mut self.0, waker.into_word())) }
        }

        #[cold]
        fn set_handle_among(&mut self, waker: StoredWaker) -> StoredWaker {
            let list = self.many();
            match list.iter_mut().find(|joiner| joiner.key.is_none()) {
                Some(joiner) => core::mem::replace(&mut joiner.waker, waker),
                None => {
                    list.push(Joiner { waker, key: None });
                    StoredWaker::NONE
                }
            }
        }

        /// Takes out who awaits the handle, and returns its waker, to be dropped.
        pub(crate) fn unset_handle(&mut self) -> StoredWaker {
            if self.0 & WATCHER == 0 {
                return self.set_handle(StoredWaker::NONE);
            }
            if self.0 & TAG != MANY {
                return StoredWaker::NONE;
            }
            let list = self.many();
            match list.iter().position(|joiner| joiner.key.is_none()) {
                Some(at) => list.remove(at).waker,
                None => StoredWaker::NONE,
            }
        }

        /// True when the one in `slot` is among them.
        pub(crate) fn has(&mut self, slot: &'static Slot) -> bool {
            if self.0 & TAG == MANY {
                return self.many().iter().any(|joiner| joiner.waker.is_of(slot));
            }
            self.0 & !TAG == core::ptr::from_ref(slot).addr()
        }

        /// Has the one in `slot` woken too, at the end.
        #[inline]
        pub(crate) fn watch(&mut self, slot: &'static Slot) {
            if self.0 == 0 {
                self.0 = StoredWaker::of_slot(slot).into_word() | WATCHER;
            } else {
                self.watch_foreign(StoredWaker::of_slot(slot), Key::of_slot(slot));
            }
        }

        /// Has `waker` woken too, at the end.
        #[cold]
        pub(crate) fn watch_foreign(&mut self, waker: StoredWaker, key: Key) {
            self.many().push(Joiner { waker, key: Some(key) });
        }

        /// Takes one entry of `key` out, and returns its waker, to be dropped.
        #[inline]
        pub(crate) fn unwatch(&mut self, key: Key) -> StoredWaker {
            if self.0 == key.0 | WATCHER {
                self.0 = 0;
            } else if self.0 & TAG == MANY {
                return self.unwatch_among(key);
            }
            StoredWaker::NONE
        }

        #[cold]
        fn unwatch_among(&mut self, key: Key) -> StoredWaker {
            let list = self.many();
            match list.iter().position(|joiner| joiner.key == Some(key)) {
                Some(at) => list.remove(at).waker,
                None => StoredWaker::NONE,
            }
        }

        /// All of them as a list, which they are from here on.
        #[cold]
        fn many(&mut self) -> &mut Vec<Joiner> {
            if self.0 & TAG != MANY {
                let mut list = Box::<Vec<Joiner>>::default();
                match core::mem::replace(&mut self.0, 0) {
                    0 => {}
                    // SAFETY: `Tagged`; the word was taken.
                    word if word & WATCHER == 0 => {
                        // SAFETY: `Tagged`; the word was taken.
                        list.push(Joiner { waker: unsafe { StoredWaker::from_word(word) }, key: None })
                    }
                    word => {
                        // SAFETY: as above: without the tag it is the word of the slot's waker.
                        let waker = unsafe { StoredWaker::from_word(word & !TAG) };
                        list.push(Joiner { waker, key: Some(Key(word & !TAG)) });
                    }
                }
                self.0 = Box::into_raw(list).expose_provenance() | MANY;
            }
            // SAFETY: `Tagged`; the reference is for as long as this is borrowed.
            unsafe { &mut *core::ptr::with_exposed_provenance_mut::<Vec<Joiner>>(self.0 & !TAG) }
        }

        #[inline]
        pub(crate) fn take(&mut self) -> Self {
            core::mem::replace(self, Self::NONE)
        }

        /// Wakes all, in order.
        #[inline]
        pub(crate) fn wake(self) {
            if self.0 & TAG != 0 {
                return self.wake_tagged();
            }
            // A task of ours, or nobody: nearly always.
            let this = ManuallyDrop::new(self);
            // SAFETY: `Tagged`: a slot's word, or null. This does not drop it.
            unsafe { StoredWaker::from_word(this.0) }.wake();
        }

        #[inline(never)]
        fn wake_tagged(self) {
            if self.0 & TAG == MANY {
                return self.wake_many();
            }
            let this = ManuallyDrop::new(self);
            let word = if this.0 & TAG == WATCHER { this.0 & !TAG } else { this.0 };
            // SAFETY: `Tagged`: a waker's word, or that of a slot with the tag. This does not drop it.
            unsafe { StoredWaker::from_word(word) }.wake();
        }

        #[cold]
        fn wake_many(self) {
            /// The others, when the waker of one panics.
            struct Rest(vec::IntoIter<Joiner>);
            impl Rest {
                fn wake(&mut self) {
                    for joiner in self.0.by_ref() {
                        joiner.waker.wake();
                    }
                }
            }
            impl Drop for Rest {
                fn drop(&mut self) {
                    self.wake();
                }
            }
            if let Some(list) = ManuallyDrop::new(self).list() {
                Rest(list.into_iter()).wake();
            }
        }

        /// The list, which is the caller's from here on, if there is one.
        #[expect(clippy::box_collection, reason = "the box is what is in the one word")]
        fn list(&self) -> Option<Box<Vec<Joiner>>> {
            // SAFETY: `Tagged`; those who call this do not use `self` again.
            (self.0 & TAG == MANY)
                .then(|| unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut(self.0 & !TAG)) })
        }

        #[cold]
        fn drop_owned(&mut self) {
            match self.list() {
                Some(list) => drop(list),
                // SAFETY: `Tagged`; it is not used again.
                None => drop(unsafe { StoredWaker::from_word(self.0) }),
            }
        }
    }

    impl Drop for Joiners {
        #[inline]
        fn drop(&mut self) {
            // A slot, as whose waker it may be, owns nothing.
            if self.0 & 1 != 0 {
                self.drop_owned();
            }
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod flavour {
    use super::*;

    /// Who awaits the handle of a task.
    pub(crate) struct Joiners(StoredWaker);

    impl Joiners {
        pub(crate) const NONE: Self = Self(StoredWaker::NONE);

        /// Has the task in `slot` woken, if nobody else waits. False: somebody did.
        #[inline]
        pub(crate) fn set_only(&mut self, slot: &'static Slot) -> bool {
            let only = self.0.is_none();
            if only {
                self.0 = StoredWaker::of_slot(slot);
            }
            only
        }

        /// Has `waker` woken, in place of the one before it, which is returned, to be dropped.
        pub(crate) fn set_handle(&mut self, waker: StoredWaker) -> StoredWaker {
            core::mem::replace(&mut self.0, waker)
        }

        /// Takes out who awaits the handle, and returns its waker, to be dropped.
        pub(crate) fn unset_handle(&mut self) -> StoredWaker {
            self.0.take()
        }

        /// True when the one in `slot` is it.
        pub(crate) fn has(&mut self, slot: &'static Slot) -> bool {
            self.0.slot().is_some_and(|it| core::ptr::eq(it, slot))
        }

        #[inline]
        pub(crate) fn take(&mut self) -> Self {
            Self(self.0.take())
        }

        #[inline]
        pub(crate) fn wake(self) {
            self.0.wake();
        }
    }
}

pub(crate) use flavour::*;
