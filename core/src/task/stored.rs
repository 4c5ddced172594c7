#![allow(unsafe_code)] // packs a slot's address or a box into one word
//! `StoredWaker`: a waker put aside until something happens.
//!
//! Nearly all are our own, and of those only the slot matters: one word, nothing to clone or drop, and a wake that is a
//! direct call. A foreign waker is boxed where there is an allocator, and kept as it is where there is none.

use super::slot::Slot;
use super::waker;
use core::task::Waker;

#[cfg(feature = "alloc")]
mod flavour {
    use super::*;
    use alloc::boxed::Box;
    use core::ptr;

    /// A waker put aside, or none. One word.
    ///
    /// Invariant `Tagged`: the word is 0, the address of a slot, or that of a `Box<Waker>` with the lowest bit set; that bit
    /// alone is nobody's waker.
    pub(crate) struct StoredWaker(usize);

    const FOREIGN: usize = 1;

    impl StoredWaker {
        pub(crate) const NONE: Self = Self(0);

        #[inline]
        pub(crate) fn of(waker: &Waker) -> Self {
            match waker::slot(waker) {
                Some(slot) => Self(ptr::from_ref(slot).expose_provenance()),
                None => Self::foreign(waker.clone()),
            }
        }

        /// The waker of `slot`.
        pub(crate) fn of_slot(slot: &'static Slot) -> Self {
            Self(ptr::from_ref(slot).expose_provenance())
        }

        /// True when it is the waker of `slot`.
        pub(crate) fn is_of(&self, slot: &'static Slot) -> bool {
            self.0 == ptr::from_ref(slot).addr()
        }

        /// True when it is, or was before it was taken, the waker of the slot at this address.
        pub(crate) fn is_at(&self, slot: *const ()) -> bool {
            self.0 == slot.addr()
        }

        /// If it is one of ours.
        #[inline]
        pub(crate) fn ours(waker: &Waker) -> Option<Self> {
            waker::slot(waker).map(|slot| Self(ptr::from_ref(slot).expose_provenance()))
        }

        /// A waker that wakes nobody, and is one all the same.
        #[inline]
        pub(crate) fn nobodys() -> Self {
            Self(FOREIGN)
        }

        #[inline]
        pub(crate) fn is_none(&self) -> bool {
            self.0 == 0
        }

        #[cold]
        fn foreign(waker: Waker) -> Self {
            Self(Box::into_raw(Box::new(waker)).expose_provenance() | FOREIGN)
        }

        /// Wakes, if there is one.
        #[inline]
        pub(crate) fn wake(self) {
            if self.0 & FOREIGN != 0 {
                return self.wake_foreign();
            }
            if let Some(slot) = self.as_ours() {
                slot.wake();
            }
        }

        #[cold]
        fn wake_foreign(self) {
            if let Some(waker) = self.into_waker() {
                waker.wake();
            }
        }

        /// True when it is ours and its task is about to drop what it waits with.
        #[inline]
        pub(crate) fn is_leaving(&self) -> bool {
            self.0 & FOREIGN == 0 && self.as_ours().is_some_and(Slot::is_leaving)
        }

        /// The slot, if it is ours.
        #[inline]
        pub(crate) fn slot(&self) -> Option<&'static Slot> {
            if self.0 & FOREIGN == 0 { self.as_ours() } else { None }
        }

        /// The slot of one that is not foreign.
        #[inline]
        fn as_ours(&self) -> Option<&'static Slot> {
            // SAFETY: `Tagged`, and the callers have looked at the tag; slots are `Immortal`.
            unsafe { ptr::with_exposed_provenance::<Slot>(self.0).as_ref() }
        }

        fn boxed(&self) -> *mut Waker {
            ptr::with_exposed_provenance_mut(self.0 & !FOREIGN)
        }

        /// The word itself, to be kept in an atomic; `from_word` takes it back.
        pub(crate) fn into_word(self) -> usize {
            let word = self.0;
            core::mem::forget(self);
            word
        }

        /// # Safety
        /// `word` came from `into_word`, and no other `StoredWaker` is made of it.
        pub(crate) unsafe fn from_word(word: usize) -> Self {
            Self(word)
        }

        /// As a waker of the standard kind.
        pub(crate) fn into_waker(self) -> Option<Waker> {
            if self.0 & FOREIGN == 0 {
                return self.as_ours().map(|slot| core::mem::ManuallyDrop::into_inner(waker::of(slot)));
            }
            let boxed = self.boxed();
            core::mem::forget(self);
            // SAFETY: `Tagged`; the word was forgotten, so this is the only owner.
            (!boxed.is_null()).then(|| *unsafe { Box::from_raw(boxed) })
        }
    }

    impl Drop for StoredWaker {
        #[inline]
        fn drop(&mut self) {
            if self.0 & FOREIGN != 0 && !self.boxed().is_null() {
                // SAFETY: `Tagged`, and this is its only owner.
                drop(unsafe { Box::from_raw(self.boxed()) });
            }
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod flavour {
    use super::*;
    use core::mem::ManuallyDrop;
    use core::ptr;
    use core::task::RawWakerVTable;

    /// A waker put aside, or none. Two words: the address of a slot and no table, or the parts of a foreign waker.
    ///
    /// Invariant `Parts`: without a table, `data` is null or the address of a slot; with one, the two are the parts of a
    /// waker that this owns.
    pub(crate) struct StoredWaker {
        data: *const (),
        foreign: Option<&'static RawWakerVTable>,
    }

    // SAFETY: `Parts`: a waker may be sent, and the address of a slot too.
    unsafe impl Send for StoredWaker {}

    impl StoredWaker {
        pub(crate) const NONE: Self = Self { data: ptr::null(), foreign: None };

        #[inline]
        pub(crate) fn of(waker: &Waker) -> Self {
            Self::ours(waker).unwrap_or_else(|| Self::foreign(waker))
        }

        #[cold]
        fn foreign(waker: &Waker) -> Self {
            let waker = ManuallyDrop::new(waker.clone());
            Self { data: waker.data(), foreign: Some(waker.vtable()) }
        }

        /// If it is one of ours, of which a clone is a copy.
        #[inline]
        pub(crate) fn ours(waker: &Waker) -> Option<Self> {
            waker::is_ours(waker.vtable()).then(|| Self { data: waker.data(), foreign: None })
        }

        /// A waker that wakes nobody, and is one all the same.
        #[inline]
        pub(crate) fn nobodys() -> Self {
            let waker = Waker::noop();
            Self { data: waker.data(), foreign: Some(waker.vtable()) }
        }

        /// The waker of `slot`.
        pub(crate) fn of_slot(slot: &'static Slot) -> Self {
            Self { data: ptr::from_ref(slot).cast(), foreign: None }
        }

        /// True when it is, or was before it was taken, the waker of the slot at this address.
        pub(crate) fn is_at(&self, slot: *const ()) -> bool {
            self.data == slot && self.foreign.is_none()
        }

        #[inline]
        pub(crate) fn is_none(&self) -> bool {
            self.data.is_null() && self.foreign.is_none()
        }

        /// The slot, if it is ours.
        #[inline]
        pub(crate) fn slot(&self) -> Option<&'static Slot> {
            // SAFETY: `Parts`; slots are `Immortal`.
            if self.foreign.is_none() { unsafe { self.data.cast::<Slot>().as_ref() } } else { None }
        }

        /// Wakes, if there is one.
        #[inline]
        pub(crate) fn wake(self) {
            if self.foreign.is_some() {
                return self.wake_foreign();
            }
            if let Some(slot) = self.slot() {
                slot.wake();
            }
        }

        #[cold]
        fn wake_foreign(self) {
            if let Some(waker) = self.into_waker() {
                waker.wake();
            }
        }

        /// True when it is ours and its task is about to drop what it waits with.
        #[inline]
        pub(crate) fn is_leaving(&self) -> bool {
            self.slot().is_some_and(Slot::is_leaving)
        }

        /// As a waker of the standard kind.
        pub(crate) fn into_waker(self) -> Option<Waker> {
            if let Some(slot) = self.slot() {
                return Some(ManuallyDrop::into_inner(waker::of(slot)));
            }
            let this = ManuallyDrop::new(self);
            // SAFETY: `Parts`, which are given away here.
            this.foreign.map(|table| unsafe { Waker::new(this.data, table) })
        }

        #[cold]
        fn drop_foreign(&mut self) {
            if let Some(table) = self.foreign {
                // SAFETY: `Parts`, which are not used again.
                drop(unsafe { Waker::new(self.data, table) });
            }
        }
    }

    impl Drop for StoredWaker {
        #[inline]
        fn drop(&mut self) {
            if self.foreign.is_some() {
                self.drop_foreign();
            }
        }
    }
}

pub(crate) use flavour::StoredWaker;

impl StoredWaker {
    /// Wakes, and then drops `own`, where it is seldom come to: one for all.
    #[cold]
    #[inline(never)]
    pub(crate) fn wake_then_drop(self, own: Self) {
        self.wake();
        drop(own);
    }

    /// Takes what is there.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::NONE)
    }
}
