#![allow(unsafe_code)] // the guard's access to the value
//! `Mutex<T>`: a `RawLock` that owns its data and is given back by a guard.
//!
//! Invariant `OneHolder`: a guard exists only while the lock is held for it, and the lock is held once at a time.

use super::raw::RawLock;
use crate::wait::Waiter;
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

/// A value that one task at a time may use, across its waits. asyncio: `Lock`, which has no data.
///
/// ```
/// # corio_sim::run(async {
/// static HITS: corio::Mutex<u32> = corio::Mutex::new(0);
/// *HITS.lock().await += 1;
/// assert_eq!(*HITS.lock().await, 1);
/// # });
/// ```
///
/// Usable in a `static`, from tasks and threads; waiting allocates nothing.
///
/// # Fairness
/// First come, first served: the guard's drop hands the lock to the first in line, and a newcomer never overtakes.
pub struct Mutex<T: ?Sized> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: `OneHolder`: the value is used by one thread at a time, so `Send` is all it needs.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: owning the mutex is owning the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    crate::sync::const_fn! {
        /// A mutex that is free.
        pub const fn new(value: T) -> Self {
            Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
        }
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, waiting in line until it is free.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. A lock already handed to it goes to the next waiter.
    #[inline]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock { mutex: self, waiter: Waiter::new() }
    }

    /// Takes the lock if it is free and nobody waits for it.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_acquire().then(|| MutexGuard { mutex: self, _access: PhantomData })
    }

    pub(super) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// A guard for a lock that is held already.
    ///
    /// # Safety
    /// `OneHolder`: the lock is held, and no other guard stands for that.
    pub(super) unsafe fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, _access: PhantomData }
    }

    /// True while somebody holds the lock.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The value, without locking: `&mut` says that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(value) => f.debug_struct("Mutex").field("value", &&*value).finish(),
            None => f.debug_struct("Mutex").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Mutex::lock`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Lock<'a, T: ?Sized> {
        mutex: &'a Mutex<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T: ?Sized> PinnedDrop for Lock<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.mutex.raw.leave(this.waiter);
        }
    }
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mutex: &'a Mutex<T> = this.mutex;
        let acquired = mutex.raw.poll_acquire(this.waiter.as_mut(), cx);
        acquired.map(|()| {
            // SAFETY: it has the lock, at once or as `poll_waiting` left it. So nothing is left for the drop.
            unsafe { this.waiter.assume_idle() };
            MutexGuard { mutex, _access: PhantomData }
        })
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// The right to the value of a [`Mutex`]; its drop hands the lock on.
#[must_use = "the lock is given back when the guard drops"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// It is `Send` and `Sync` as a `&mut T` is.
    _access: PhantomData<&'a mut T>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `OneHolder`.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: `OneHolder`, and `&mut self` keeps out other uses of the guard.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // `OneHolder`: it is held, for this guard.
        self.mutex.raw.give_back();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
