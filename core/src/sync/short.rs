#![allow(unsafe_code)] // the critical-section lock hands out `&mut` from an `UnsafeCell`
//! `Short<T>`: the one blocking lock, scoped by a closure and held for a few instructions.
//!
//! On a hosted target it is the standard library's mutex; elsewhere a critical section, so that an interrupt handler
//! may take it too. It is never held over a wake or over a drop of user code: both may come back to the same lock.
//!
//! Invariant `NoReentry`: a closure given to `with` does not lock the same `Short` again. The type is private to the
//! crate, and every closure given to it is a few lines that call nothing but the crate's own lists and cells.

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(all(feature = "std", not(loom)))]
use std::sync::Mutex;

/// A value behind a lock that is held for a few instructions.
#[cfg(any(feature = "std", loom))]
pub(crate) struct Short<T>(Mutex<T>);

#[cfg(any(feature = "std", loom))]
impl<T> Short<T> {
    super::const_fn! {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }
    }

    /// Runs `f` with the value. A panic in an earlier `f` is no reason to refuse: no closure of this crate leaves the
    /// value half changed.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// A value behind a lock that is held for a few instructions.
#[cfg(not(any(feature = "std", loom)))]
pub(crate) struct Short<T>(core::cell::UnsafeCell<T>);

// SAFETY: `NoReentry` -- the value is reached only inside a critical section, which excludes interrupts and the other
// cores, and never twice at a time.
#[cfg(not(any(feature = "std", loom)))]
unsafe impl<T: Send> Sync for Short<T> {}

#[cfg(not(any(feature = "std", loom)))]
impl<T> Short<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Runs `f` with the value, interrupts masked.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: `NoReentry`, inside a critical section.
        critical_section::with(|_| f(unsafe { &mut *self.0.get() }))
    }
}
