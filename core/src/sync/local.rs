#![allow(unsafe_code)] // hands out `&mut` from an `UnsafeCell` on the word of its caller
//! `Local<T>`: state that belongs to one loop.
//!
//! On a hosted target only the loop's own thread comes near it (what may use it is `!Send`), so it needs no lock. On
//! bare metal an interrupt handler can call the same functions in the middle of the loop's own call; a critical
//! section of a few instructions keeps the two apart.

use super::UnsafeCell;

/// A value of one loop.
pub(crate) struct Local<T>(UnsafeCell<T>);

impl<T> Local<T> {
    super::const_fn! {
        pub(crate) const fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }
    }

    /// Runs `f` with the value.
    ///
    /// # Safety
    /// On a hosted target the caller is on the thread of the loop that owns the value (`OwnThread`); everywhere, `f`
    /// neither calls user code nor comes back to the same value (`NoReentry`).
    #[inline]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(any(feature = "std", loom))]
        // SAFETY: `OwnThread` and `NoReentry`, by the caller's word: no other reference is live.
        return self.0.with_mut(|value| f(unsafe { &mut *value }));
        #[cfg(not(any(feature = "std", loom)))]
        // SAFETY: `NoReentry` by the caller's word; the critical section excludes interrupts and other cores.
        return critical_section::with(|_| self.0.with_mut(|value| f(unsafe { &mut *value })));
    }

    /// Gives `f` the place of the value, without a lock on any target, for a look at what can be read in one piece.
    ///
    /// # Safety
    /// As `with`; `f` makes no reference to the value, and reads it by volatile reads of words.
    #[inline]
    pub(crate) unsafe fn peek<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }
}
