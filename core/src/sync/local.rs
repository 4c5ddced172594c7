#![allow(unsafe_code)] // hands out `&mut` from an `UnsafeCell` on the word of its caller
//! `Local<T>`: state that belongs to one loop.
//!
//! Only the loop's own context comes near it, a thread or on bare metal whoever runs the loop: what may use it is
//! `!Send`, and others find no loop (see `here`). So it needs no lock.

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
    /// The caller is in the context of the loop that owns the value (`OwnThread`); `f` neither calls user code nor comes
    /// back to the same value (`NoReentry`).
    #[inline]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: `OwnThread` and `NoReentry`, by the caller's word: no other reference is live.
        self.0.with_mut(|value| f(unsafe { &mut *value }))
    }
}
