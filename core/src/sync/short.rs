#![allow(unsafe_code)] // a lock hands out `&mut` from an `UnsafeCell`
//! `Short<T>`: the one blocking lock, held for a few instructions.
//!
//! On a hosted target it is one byte: an exchange to take it, a store to give it back, a third of what the standard library's
//! costs when it is free, as it is nearly always. Elsewhere it is a critical section, so that
//! an interrupt handler may take it too. It is never held over a wake or over a drop of user code: both may come back to
//! the same lock.
//!
//! Invariants:
//! - `NoReentry`: who holds a `Short` does not lock it again. The type is private to the crate, and it is held for a few
//!   lines that call nothing but the crate's own lists and cells. The exceptions, a priority queue's comparison of its items
//!   and the clone of a message or of a watched value, go through `lock_for_user_code`, which panics if they come back.
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

/// The lock of a [`Short`], until it is dropped.
#[cfg(loom)]
pub(crate) type Held<'a, T> = loom::sync::MutexGuard<'a, T>;

#[cfg(loom)]
impl<T> Short<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Held<'_, T> {
        self.0.lock().unwrap()
    }

    /// As `lock`, where user code may be called until both are dropped, the mark first; `holder` notices when that comes
    /// back here.
    pub(crate) fn lock_for_user_code<'a>(&'a self, holder: &'a Holder) -> (Mark<'a>, Held<'a, T>) {
        holder.check();
        let held = self.lock();
        (holder.mark(), held)
    }
}

impl<T> Short<T> {
    /// Runs `f` with the value.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.lock())
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
            panic!(
                "corio: comparing a queue's items, or cloning a message or a watched value, must not use what they are in"
            );
        }
    }

    fn mark(&self) -> Mark<'_> {
        self.0.store(here::context(), Ordering::Relaxed);
        Mark(self)
    }
}

/// Says who holds a lock under which user code runs.
pub(crate) struct Mark<'a>(&'a Holder);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.0.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

#[cfg(any(all(feature = "std", not(loom)), all(test, loom)))]
mod hosted {
    use super::Pause;
    use crate::sync::UnsafeCell;
    use crate::sync::atomic::{AtomicBool, Ordering};
    #[cfg(not(loom))]
    use core::ops::{Deref, DerefMut};

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

        #[inline]
        fn take(&self) -> GiveBack<'_> {
            // Acquire: pairs with the release in `GiveBack`.
            if self.taken.swap(true, Ordering::Acquire) {
                self.wait();
            }
            // Also when its holder panics. No code of this crate leaves the value half changed.
            GiveBack(&self.taken)
        }

        #[cfg(not(loom))]
        #[inline]
        pub(crate) fn lock(&self) -> Held<'_, T> {
            let give_back = self.take();
            Held { value: self.value.with_mut(|value| value), _give_back: give_back }
        }

        /// Runs `f` with the value.
        #[cfg(loom)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            let _give_back = self.take();
            // SAFETY: `Excluded`, and `NoReentry`.
            self.value.with_mut(|value| f(unsafe { &mut *value }))
        }

        /// As `lock`, where user code may be called until both are dropped, the mark first; `holder` notices when that
        /// comes back here.
        #[cfg(not(loom))]
        pub(crate) fn lock_for_user_code<'a>(&'a self, holder: &'a super::Holder) -> (super::Mark<'a>, Held<'a, T>) {
            // Before the lock, for which it would wait for ever. No other thread has this one's context.
            holder.check();
            let held = self.lock();
            (holder.mark(), held)
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

    /// The lock of a [`Short`], until it is dropped.
    #[cfg(not(loom))]
    pub(crate) struct Held<'a, T> {
        /// Not a reference: the next holder has one before this is gone.
        value: *mut T,
        _give_back: GiveBack<'a>,
    }

    #[cfg(not(loom))]
    impl<T> Deref for Held<'_, T> {
        type Target = T;

        #[inline]
        fn deref(&self) -> &T {
            // SAFETY: `Excluded`, and `NoReentry`, as long as this lives.
            unsafe { &*self.value }
        }
    }

    #[cfg(not(loom))]
    impl<T> DerefMut for Held<'_, T> {
        #[inline]
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above.
            unsafe { &mut *self.value }
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

#[cfg(all(test, loom))]
pub(crate) use hosted::Short as ByteLock;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use hosted::{Held, Short};

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

    /// Masks interrupts.
    #[inline]
    pub(crate) fn lock(&self) -> Held<'_, T> {
        let section = Section::enter();
        Held { short: self, _section: section }
    }

    /// As `lock`, where user code may be called until both are dropped, the mark first; `holder` notices when that comes
    /// back here.
    pub(crate) fn lock_for_user_code<'a>(&'a self, holder: &'a Holder) -> (Mark<'a>, Held<'a, T>) {
        let section = Section::enter();
        // Within the critical section, whose only holder is this context, and before there is a second `&mut`.
        holder.check();
        (holder.mark(), Held { short: self, _section: section })
    }
}

/// The lock of a [`Short`], until it is dropped.
#[cfg(not(any(feature = "std", loom)))]
pub(crate) struct Held<'a, T> {
    short: &'a Short<T>,
    _section: Section,
}

#[cfg(not(any(feature = "std", loom)))]
impl<T> core::ops::Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `NoReentry`, inside a critical section, until this is dropped. For user code: checked before it was made,
        // and kept by the mark.
        unsafe { &*self.short.0.get() }
    }
}

#[cfg(not(any(feature = "std", loom)))]
impl<T> core::ops::DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.short.0.get() }
    }
}

/// A critical section. It ends where it is dropped, so that each way out of it has its own end: a closure's many ways out
/// come together at the one end, and part again after it.
#[cfg(not(any(feature = "std", loom)))]
struct Section(critical_section::RestoreState);

#[cfg(not(any(feature = "std", loom)))]
impl Section {
    #[inline]
    fn enter() -> Self {
        // SAFETY: it is left in `drop`; guards of this crate are locals, dropped in the reverse order.
        Self(unsafe { critical_section::acquire() })
    }
}

#[cfg(not(any(feature = "std", loom)))]
impl Drop for Section {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `enter` has entered it.
        unsafe { critical_section::release(self.0) };
    }
}
