#![allow(unsafe_code)] // a lock hands out `&mut` from an `UnsafeCell`
//! `Short<T>`: the one blocking lock, scoped by a closure and held for a few instructions.
//!
//! On a hosted target it is one byte: an exchange to take it, a store to give it back, a third of what the standard library's
//! costs when it is free, as it is nearly always. Who finds it taken spins a little, then lets other threads run, then
//! sleeps, so a holder that was preempted gets on whatever the priorities are. Elsewhere it is a critical section, so that
//! an interrupt handler may take it too. It is never held over a wake or over a drop of user code: both may come back to
//! the same lock.
//!
//! Invariants:
//! - `NoReentry`: a closure given to `with` does not lock the same `Short` again. The type is private to the crate, and
//!   every closure given to it is a few lines that call nothing but the crate's own lists and cells.
//! - `Excluded`: the value is touched by whoever has turned `taken` to true, until they turn it back.

#[cfg(loom)]
use loom::sync::Mutex;

/// A value behind a lock that is held for a few instructions.
#[cfg(loom)]
pub(crate) struct Short<T>(Mutex<T>);

#[cfg(loom)]
impl<T> Short<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Runs `f` with the value.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }
}

#[cfg(all(feature = "std", not(loom)))]
mod hosted {
    use crate::sync::atomic::{AtomicBool, Ordering};
    use core::cell::UnsafeCell;
    use std::thread;
    use std::time::Duration;

    /// A value behind a lock that is held for a few instructions.
    pub(crate) struct Short<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `Excluded`: one thread at a time uses the value.
    unsafe impl<T: Send> Sync for Short<T> {}

    impl<T> Short<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        /// Runs `f` with the value.
        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            // Acquire: pairs with the release in `GiveBack`.
            if self.taken.swap(true, Ordering::Acquire) {
                self.wait();
            }
            // Also when `f` panics. No closure of this crate leaves the value half changed.
            let _give_back = GiveBack(&self.taken);
            // SAFETY: `Excluded`, and `NoReentry`.
            f(unsafe { &mut *self.value.get() })
        }

        #[cold]
        fn wait(&self) {
            let mut tries = 0u32;
            while self.taken.load(Ordering::Relaxed) || self.taken.swap(true, Ordering::Acquire) {
                tries = tries.saturating_add(1);
                match tries {
                    0..64 => core::hint::spin_loop(),
                    64..128 => thread::yield_now(),
                    _ => thread::sleep(Duration::from_micros(50)),
                }
            }
        }
    }

    struct GiveBack<'a>(&'a AtomicBool);

    impl Drop for GiveBack<'_> {
        #[inline]
        fn drop(&mut self) {
            self.0.store(false, Ordering::Release);
        }
    }
}

#[cfg(all(feature = "std", not(loom)))]
pub(crate) use hosted::Short;

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
