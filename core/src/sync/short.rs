#![allow(unsafe_code)] // a lock hands out `&mut` from an `UnsafeCell`
//! `Short<T>`: the one blocking lock, scoped by a closure and held for a few instructions.
//!
//! On a hosted target it is one byte: an exchange to take it, a store to give it back, a third of what the standard library's
//! costs when it is free, as it is nearly always. Elsewhere it is a critical section, so that
//! an interrupt handler may take it too. It is never held over a wake or over a drop of user code: both may come back to
//! the same lock.
//!
//! Invariants:
//! - `NoReentry`: a closure given to `with` does not lock the same `Short` again. The type is private to the crate, and
//!   every closure given to it is a few lines that call nothing but the crate's own lists and cells. The one exception, a
//!   priority queue's comparison of its items, goes through `with_user_code`, which panics if it comes back.
//! - `Excluded`: the value is touched by whoever has turned `taken` to true, until they turn it back.

#[cfg(not(loom))]
use super::atomic::{AtomicPtr, Ordering};
use super::here;
use core::ptr;
#[cfg(loom)]
use core::sync::atomic::{AtomicPtr, Ordering};
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

    /// As `with`, where `f` may call user code; `holder` notices when that comes back here.
    pub(crate) fn with_user_code<R>(&self, holder: &Holder, f: impl FnOnce(&mut T) -> R) -> R {
        holder.check();
        self.with(|value| holder.hold(|| f(value)))
    }
}

/// The pauses of one who waits for another thread that needs a few instructions: it spins a little, then lets others run, then
/// sleeps, so that whoever is waited for gets on whatever the priorities are. Where interrupts are all there is besides,
/// there is nobody to wait for.
pub(crate) struct Pause {
    #[cfg(all(feature = "std", not(loom)))]
    count: u32,
}

impl Pause {
    pub(crate) const fn new() -> Self {
        Self {
            #[cfg(all(feature = "std", not(loom)))]
            count: 0,
        }
    }

    /// One pause.
    pub(crate) fn pause(&mut self) {
        #[cfg(all(feature = "std", not(loom)))]
        {
            self.count = self.count.saturating_add(1);
            match self.count {
                0..64 => core::hint::spin_loop(),
                64..128 => std::thread::yield_now(),
                _ => std::thread::sleep(core::time::Duration::from_micros(50)),
            }
        }
        // Tells the checker that there is nothing to do but to wait for another thread.
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(not(any(feature = "std", loom)))]
        core::hint::spin_loop();
    }
}

/// Notices when user code that runs under a `Short` comes back to the same one.
pub(crate) struct Holder(AtomicPtr<()>);

impl Holder {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// # Panics
    /// When whoever asks holds the lock already.
    fn check(&self) {
        let holder = self.0.load(Ordering::Relaxed);
        if !holder.is_null() && holder == here::context() {
            panic!("corio: a comparison of a queue's items must not use the queue");
        }
    }

    fn hold<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Release<'a>(&'a Holder);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.0.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
        self.0.store(here::context(), Ordering::Relaxed);
        let _release = Release(self);
        f()
    }
}

#[cfg(any(all(feature = "std", not(loom)), all(test, loom)))]
mod hosted {
    use super::Pause;
    use crate::sync::UnsafeCell;
    use crate::sync::atomic::{AtomicBool, Ordering};

    /// A value behind a lock that is held for a few instructions.
    pub(crate) struct Short<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `Excluded`: one thread at a time uses the value.
    unsafe impl<T: Send> Sync for Short<T> {}

    impl<T> Short<T> {
        crate::sync::const_fn! {
            pub(crate) const fn new(value: T) -> Self {
                Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
            }
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
            self.value.with_mut(|value| f(unsafe { &mut *value }))
        }

        /// As `with`, where `f` may call user code; `holder` notices when that comes back here.
        #[cfg(not(loom))]
        pub(crate) fn with_user_code<R>(&self, holder: &super::Holder, f: impl FnOnce(&mut T) -> R) -> R {
            // Before the lock, for which it would wait for ever. No other thread has this one's context.
            holder.check();
            self.with(|value| holder.hold(|| f(value)))
        }

        #[cold]
        #[inline(never)] // it would cost each who finds the lock free the registers that it needs
        fn wait(&self) {
            let mut pause = Pause::new();
            while self.taken.load(Ordering::Relaxed) || self.taken.swap(true, Ordering::Acquire) {
                pause.pause();
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
#[cfg(all(test, loom))]
pub(crate) use hosted::Short as ByteLock;

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

    /// As `with`, where `f` may call user code; `holder` notices when that comes back here.
    pub(crate) fn with_user_code<R>(&self, holder: &Holder, f: impl FnOnce(&mut T) -> R) -> R {
        critical_section::with(|_| {
            // Within the critical section, whose only holder is this context, and before there is a second `&mut`.
            holder.check();
            // SAFETY: `NoReentry`, just checked, and kept by `hold`.
            holder.hold(|| f(unsafe { &mut *self.0.get() }))
        })
    }
}
