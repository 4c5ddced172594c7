//! `Watch<T>`: the last value, and those who wait for the next.
//!
//! Each value has a number, its version, and each receiver knows the version that it has seen. So there is nothing to be
//! lost: a receiver that was told and is dropped leaves value and versions as they are.
//!
//! A copy is made under the lock, by `T::clone`. Where `get` may be called from an interrupt there is no other way: it
//! cannot wait until somebody else has made theirs, and a value that is being copied cannot be replaced. All else that is the
//! user's runs without the lock: closures change a copy, which goes in if no other value came meanwhile; values are dropped
//! when they have been carried out.

use crate::sync::Holder;
use crate::task::StoredWaker;
use crate::wait::{Guarded, Line, Lines, Waiter};
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

struct Last<T> {
    value: T,
    version: u64,
}

impl<T> Guarded for Last<T> {
    type Guard = Holder;
}

/// A value that may change, and those who wait until it does: each sees the latest, not each one. Beyond asyncio, whose
/// `Event` has no value and no memory of who has seen it.
///
/// ```
/// # corio_sim::run(async {
/// static MODE: corio::Watch<u8> = corio::Watch::new(0);
/// let mut mode = MODE.subscribe();
/// let follower = corio::spawn(async move {
///     mode.changed().await;
///     mode.get()
/// });
/// corio::yield_now().await;
/// MODE.send(1);
/// MODE.send(2);
/// assert_eq!(follower.await, Ok(2));
/// # });
/// ```
///
/// Usable in a `static`, from tasks, threads and interrupts; waiting allocates nothing. Values are copied under a short lock
/// (on bare metal with interrupts masked): they should be small, or behind an `Arc`.
///
/// # Fairness
/// A new value wakes all who wait at that moment, in order of arrival.
///
/// # Panics
/// When cloning a value uses the watch itself.
pub struct Watch<T> {
    lines: Lines<Last<T>, 1>,
}

impl<T> Watch<T> {
    crate::sync::const_fn! {
        /// A watch with a first value.
        pub const fn new(value: T) -> Self {
            Self { lines: Lines::new(Last { value, version: 0 }) }
        }
    }

    /// Has `value` take the place of the last, which is dropped here, and wakes all who wait.
    pub fn send(&self, value: T) {
        drop(self.replace(value));
    }

    /// Has `value` take the place of the last, which is returned, and wakes all who wait.
    pub fn replace(&self, value: T) -> T {
        let (last, round) = self.lines.with(|last, lines| last.put(value, lines));
        self.wake(round);
        last
    }

    /// One who will wait for changes, and has seen the value of now.
    pub fn subscribe(&self) -> WatchReceiver<'_, T> {
        WatchReceiver { watch: self, seen: self.version() }
    }

    fn version(&self) -> u64 {
        self.lines.with(|last, _| last.version)
    }

    fn wake(&self, round: u32) {
        self.lines.wake_on(|_, lines| lines[0].grant_older(round));
    }
}

impl<T: Clone> Watch<T> {
    /// A copy of the value.
    pub fn get(&self) -> T {
        self.lines.with(|last, _| last.value.clone())
    }

    /// Changes the value, and wakes all who wait.
    ///
    /// `change` is given a copy. If another value came before it was done, it is given a copy of that one, as in the
    /// `fetch_update` of an atomic: no change is lost, and nobody waits while it runs. It may use the watch, but if it
    /// changes that each time, it never comes to an end.
    pub fn modify(&self, mut change: impl FnMut(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// As [`modify`](Self::modify), if `change` says that it has changed something; else the value stays as it was, and
    /// nobody is woken. Answers what it said.
    pub fn send_if_modified(&self, mut change: impl FnMut(&mut T) -> bool) -> bool {
        loop {
            let (mut value, version) = self.lines.with(|last, _| (last.value.clone(), last.version));
            if !change(&mut value) {
                return false;
            }
            let put = self.lines.with(
                |last, lines| {
                    if last.version == version { Ok(last.put(value, lines)) } else { Err(value) }
                },
            );
            // Either way a value is dropped here, without the lock.
            if let Ok((_last, round)) = put {
                self.wake(round);
                return true;
            }
        }
    }
}

impl<T> Last<T> {
    /// Puts a value in; the last one, and the round of those who are to be told.
    #[inline]
    fn put(&mut self, value: T, lines: &mut [Line; 1]) -> (T, u32) {
        self.version += 1;
        (mem::replace(&mut self.value, value), lines[0].begin_grant_all())
    }
}

impl<T: Default> Default for Watch<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("version", &self.version()).finish()
    }
}

/// One who waits for the changes of a [`Watch`], and knows what it has seen.
pub struct WatchReceiver<'a, T> {
    watch: &'a Watch<T>,
    seen: u64,
}

impl<'a, T> WatchReceiver<'a, T> {
    /// Waits until there is a value that this receiver has not seen, and has it count as seen. If several came, they are one
    /// change.
    ///
    /// # Cancel safety
    /// **Loses nothing.** The change is still to be seen.
    #[inline]
    pub fn changed(&mut self) -> Changed<'_, 'a, T> {
        Changed { receiver: self, waiter: Waiter::new() }
    }

    /// True when there is a value that this receiver has not seen.
    pub fn has_changed(&self) -> bool {
        self.watch.version() != self.seen
    }

    /// Has the value of now count as not seen, so that [`changed`](Self::changed) is ready at once.
    pub fn mark_changed(&mut self) {
        self.seen = NOT_SEEN;
    }
}

/// No version: they begin at 0, and a number a nanosecond takes 500 years.
const NOT_SEEN: u64 = u64::MAX;

impl<T: Clone> WatchReceiver<'_, T> {
    /// A copy of the value, which counts as seen from now on.
    pub fn get(&mut self) -> T {
        let (value, version) = self.watch.lines.with(|last, _| (last.value.clone(), last.version));
        self.seen = version;
        value
    }

    /// Waits until `ready` says so of the value, that of now to begin with, and gives a copy of it, which counts as seen.
    ///
    /// ```
    /// # corio_sim::run(async {
    /// static LEVEL: corio::Watch<u32> = corio::Watch::new(0);
    /// let filled = corio::spawn(async { LEVEL.subscribe().wait_for(|level| *level >= 10).await });
    /// for level in [4, 8, 12] {
    ///     LEVEL.send(level);
    ///     corio::yield_now().await;
    /// }
    /// assert_eq!(filled.await, Ok(12));
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Loses nothing.** Values that were looked at count as seen, and a later call looks at the value of then.
    pub async fn wait_for(&mut self, mut ready: impl FnMut(&T) -> bool) -> T {
        loop {
            let value = self.get();
            if ready(&value) {
                return value;
            }
            drop(value);
            self.changed().await;
        }
    }
}

impl<T> Clone for WatchReceiver<'_, T> {
    /// One more, which has seen what this one has.
    fn clone(&self) -> Self {
        Self { watch: self.watch, seen: self.seen }
    }
}

impl<T> fmt::Debug for WatchReceiver<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchReceiver").field("changed", &self.has_changed()).finish()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`WatchReceiver::changed`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Changed<'r, 'a, T> {
        receiver: &'r mut WatchReceiver<'a, T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for Changed<'_, '_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.receiver.watch.lines.leave::<0>(this.waiter, |_, _, _| StoredWaker::NONE);
        }
    }
}

impl<T> Future for Changed<'_, '_, T> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let receiver: &mut WatchReceiver<'_, T> = this.receiver;
        let seen = receiver.seen;
        receiver.watch.lines.poll::<0, _, _>(
            this.waiter,
            cx,
            |last, _, _| (last.version != seen).then_some((last.version, StoredWaker::NONE)),
            |version| receiver.seen = version,
        )
    }
}

impl<T> fmt::Debug for Changed<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}
