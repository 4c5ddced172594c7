#![allow(unsafe_code)] // a guard goes into a wait and comes out again
//! Conditions: to wait, with a lock given back meanwhile, until somebody says that something has changed.
//!
//! ```text
//!   held ──► in the condition's line, the lock given back ──notified──► in the lock's line ──► held
//!                     │                                                  ▲      │
//!                     └── cancelled: remembers it ───────────────────────┘      └── cancelled: unwinds on
//! ```
//!
//! A wait is a scope (see `scope`): a task that is cancelled in it takes the lock again before it goes on unwinding,
//! as asyncio's does, so that whoever stands around the wait finds the lock as it was. It may have
//! been notified, so it notifies another.
//!
//! Who waits joins the condition's line before it gives the lock back: no notification falls between.

use super::mutex::{Lock, Mutex, MutexGuard};
use super::raw::{NotLocked, RawLock};
use crate::scope;
use crate::task::StoredWaker;
use crate::wait::{Guarded, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

/// A value behind a lock, and those who wait for it to change. asyncio: `Condition`, which has no data.
///
/// ```
/// use corio::Condition;
/// # corio_sim::run(async {
/// static BASKET: Condition<u32> = Condition::new(0);
/// let eater = corio::spawn(async {
///     let mut apples = BASKET.lock().await.wait_for(|apples| *apples >= 3).await;
///     *apples -= 3;
/// });
/// for _ in 0..3 {
///     let mut apples = BASKET.lock().await;
///     *apples += 1;
///     apples.notify(1);
/// }
/// eater.await.unwrap();
/// assert_eq!(*BASKET.lock().await, 0);
/// # });
/// ```
///
/// Usable in a `static`, from tasks and threads; waiting allocates nothing. [`RawCondition`] is the same around a
/// [`RawLock`], which others may use too.
///
/// # Fairness
/// Those who wait are notified in order of arrival, and then line up for the lock, behind whoever is there.
pub struct Condition<T: ?Sized = ()> {
    waiting: Waiting,
    mutex: Mutex<T>,
}

impl<T> Condition<T> {
    crate::sync::const_fn! {
        /// A condition around `value`, whose lock is free.
        pub const fn new(value: T) -> Self {
            Self { waiting: Waiting::new(), mutex: Mutex::new(value) }
        }
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.mutex.into_inner()
    }
}

impl<T: ?Sized> Condition<T> {
    /// Takes the lock, waiting in line until it is free.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. A lock already handed to it goes to the next waiter.
    #[inline]
    pub fn lock(&self) -> LockCondition<'_, T> {
        LockCondition { condition: self, lock: self.mutex.lock() }
    }

    /// Takes the lock if it is free and nobody waits for it.
    pub fn try_lock(&self) -> Option<ConditionGuard<'_, T>> {
        self.mutex.try_lock().map(|guard| ConditionGuard { condition: self, guard })
    }

    /// True while somebody holds the lock.
    pub fn is_locked(&self) -> bool {
        self.mutex.is_locked()
    }

    /// The value, without locking: `&mut` says that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.mutex.get_mut()
    }
}

impl<T: Default> Default for Condition<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("mutex", &&self.mutex).finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`Condition::lock`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct LockCondition<'a, T: ?Sized> {
        condition: &'a Condition<T>,
        #[pin]
        lock: Lock<'a, T>,
    }
}

impl<'a, T: ?Sized> Future for LockCondition<'a, T> {
    type Output = ConditionGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let condition: &'a Condition<T> = this.condition;
        this.lock.poll(cx).map(|guard| ConditionGuard { condition, guard })
    }
}

impl<T: ?Sized> fmt::Debug for LockCondition<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockCondition")
    }
}

/// The right to the value of a [`Condition`]; its drop hands the lock on.
#[must_use = "the lock is given back when the guard drops"]
pub struct ConditionGuard<'a, T: ?Sized> {
    condition: &'a Condition<T>,
    guard: MutexGuard<'a, T>,
}

impl<'a, T: ?Sized> ConditionGuard<'a, T> {
    /// Gives the lock back, waits to be notified, and takes it again. asyncio: `Condition.wait`.
    ///
    /// The guard goes into the wait and comes out of it, so nobody can touch the value meanwhile:
    ///
    /// ```
    /// # corio_sim::run(async {
    /// # static LINES: corio::Condition<Vec<String>> = corio::Condition::new(Vec::new());
    /// # let task = corio::spawn(async { let mut g = LINES.lock().await; g.push("a".into()); g.notify_all() });
    /// let mut lines = LINES.lock().await;
    /// while lines.is_empty() {
    ///     lines = lines.wait().await;
    /// }
    /// # assert_eq!(lines.pop().unwrap(), "a"); });
    /// ```
    ///
    /// It may end though nobody has notified for it: look again at what was waited for.
    ///
    /// # Cancel safety
    /// **May be restarted.** A task that is cancelled here takes the lock again before it unwinds further, however long
    /// that takes, and then notifies another in its place. A future that is just dropped leaves without the lock; a
    /// notification that it had got goes to another. Either way the guard is gone: who comes again locks, looks, and
    /// waits if need be.
    pub fn wait(self) -> ConditionWait<'a, T> {
        let condition = self.condition;
        // The lock goes on being held, for the wait.
        core::mem::forget(self.guard);
        ConditionWait { wait: Wait::new(condition.mutex.raw(), &condition.waiting), condition }
    }

    /// Waits, as with [`wait`](Self::wait), until `ready` says so of the value. asyncio: `Condition.wait_for`.
    ///
    /// # Cancel safety
    /// **May be restarted.** As [`wait`](Self::wait).
    pub async fn wait_for(mut self, mut ready: impl FnMut(&mut T) -> bool) -> Self {
        while !ready(&mut self) {
            self = self.wait().await;
        }
        self
    }

    /// Wakes the first `n` of those who wait. They go on one after the other, when the lock is free. asyncio:
    /// `Condition.notify`.
    pub fn notify(&self, n: usize) {
        self.condition.waiting.notify(n);
    }

    /// Wakes all who wait at this moment. asyncio: `Condition.notify_all`.
    pub fn notify_all(&self) {
        self.condition.waiting.notify_all();
    }
}

impl<T: ?Sized> Deref for ConditionGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: ?Sized> DerefMut for ConditionGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ConditionGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

pin_project_lite::pin_project! {
    /// A pending [`ConditionGuard::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ConditionWait<'a, T: ?Sized> {
        condition: &'a Condition<T>,
        #[pin]
        wait: Wait<'a>,
    }

    impl<T: ?Sized> PinnedDrop for ConditionWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.wait.leave() {
                this.condition.mutex.raw().give_back();
            }
        }
    }
}

impl<'a, T: ?Sized> Future for ConditionWait<'a, T> {
    type Output = ConditionGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let condition: &'a Condition<T> = this.condition;
        // That the lock is not held at first cannot be: `wait` has forgotten the guard of it.
        this.wait.poll(cx).map(|_held| {
            // SAFETY: `OneHolder`: the wait has taken the lock, and is over.
            ConditionGuard { condition, guard: unsafe { condition.mutex.guard() } }
        })
    }
}

impl<T: ?Sized> fmt::Debug for ConditionWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConditionWait")
    }
}

/// A condition around a lock that is taken and given back by hand. asyncio: `Condition`, with a lock that is given to it.
///
/// Several conditions may share a lock. [`Condition`] is the better one wherever a guard will do.
///
/// ```
/// use corio::{NotLocked, RawCondition, RawLock};
/// # corio_sim::run(async {
/// static LOCK: RawLock = RawLock::new();
/// static CHANGED: RawCondition<&RawLock> = RawCondition::new(&LOCK);
/// let waiter = corio::spawn(async {
///     LOCK.acquire().await;
///     let waited = CHANGED.wait().await;
///     LOCK.release().and(waited)
/// });
/// corio::yield_now().await;
/// assert_eq!(CHANGED.notify_all(), Err(NotLocked));
/// LOCK.acquire().await;
/// CHANGED.notify_all().unwrap();
/// LOCK.release().unwrap();
/// assert_eq!(waiter.await, Ok(Ok(())));
/// # });
/// ```
///
/// # Fairness
/// As [`Condition`].
pub struct RawCondition<L> {
    lock: L,
    waiting: Waiting,
}

impl<L: Deref<Target = RawLock>> RawCondition<L> {
    crate::sync::const_fn! {
        /// A condition around `lock`: a reference to a [`RawLock`], or an `Rc` or `Arc` of one.
        pub const fn new(lock: L) -> Self {
            Self { lock, waiting: Waiting::new() }
        }
    }

    /// The lock.
    pub fn lock(&self) -> &RawLock {
        &self.lock
    }

    /// Gives the lock back, waits to be notified, and takes it again. asyncio: `Condition.wait`.
    ///
    /// It may end though nobody has notified for it: look again at what was waited for.
    ///
    /// # Cancel safety
    /// **Not safe.** A future that is just dropped loses the lock that its caller had; a notification that it had got
    /// goes to another. A task that is cancelled here loses nothing: it takes the lock again before it unwinds further,
    /// however long that takes, so that a guard around the wait finds it held, and then notifies another in its place.
    ///
    /// # Errors
    /// When nobody holds the lock.
    pub fn wait(&self) -> RawConditionWait<'_> {
        RawConditionWait { wait: Wait::new(&self.lock, &self.waiting) }
    }

    /// Wakes the first `n` of those who wait. They go on one after the other, when the lock is free. asyncio:
    /// `Condition.notify`.
    ///
    /// # Errors
    /// When nobody holds the lock.
    pub fn notify(&self, n: usize) -> Result<(), NotLocked> {
        self.check()?;
        self.waiting.notify(n);
        Ok(())
    }

    /// Wakes all who wait at this moment. asyncio: `Condition.notify_all`.
    ///
    /// # Errors
    /// When nobody holds the lock.
    pub fn notify_all(&self) -> Result<(), NotLocked> {
        self.check()?;
        self.waiting.notify_all();
        Ok(())
    }

    fn check(&self) -> Result<(), NotLocked> {
        if self.lock.is_locked() { Ok(()) } else { Err(NotLocked) }
    }
}

impl<L: Deref<Target = RawLock>> fmt::Debug for RawCondition<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCondition").field("lock", &*self.lock).finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A pending [`RawCondition::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct RawConditionWait<'a> {
        #[pin]
        wait: Wait<'a>,
    }

    impl PinnedDrop for RawConditionWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            // If it holds the lock, that is for whoever took it at first.
            this.project().wait.leave();
        }
    }
}

impl Future for RawConditionWait<'_> {
    type Output = Result<(), NotLocked>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().wait.poll(cx)
    }
}

impl fmt::Debug for RawConditionWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawConditionWait")
    }
}

/// Those who wait to be notified.
struct Waiting {
    lines: Lines<Nothing, 1>,
}

/// A condition has no state of its own.
struct Nothing;

impl Guarded for Nothing {
    type Guard = ();
}

impl Waiting {
    crate::sync::const_fn! {
        const fn new() -> Self {
            Self { lines: Lines::new(Nothing) }
        }
    }

    fn notify(&self, n: usize) {
        let mut left = n;
        self.lines.wake_on(|_, lines| {
            if left == 0 {
                return StoredWaker::NONE;
            }
            left -= 1;
            lines[0].grant_next()
        });
    }

    fn notify_all(&self) {
        self.lines.with_wake_all(0, |_| true);
    }
}

/// How far a wait has come, and with it in which line its waiter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The lock is held, by the caller's word.
    Held,
    /// In the condition's line.
    Waiting,
    /// In the lock's line, having been notified or `cancelled`: either way another is notified if it ends here.
    Locking { cancelled: bool },
    /// It has the lock again, and unwinds.
    Unwinding,
    /// It has ended, and whoever asked has what they asked for.
    Over,
}

pin_project_lite::pin_project! {
    /// A wait, under both kinds of condition.
    struct Wait<'a> {
        lock: &'a RawLock,
        waiting: &'a Waiting,
        stage: Stage,
        // In one line after the other.
        #[pin]
        waiter: Waiter,
    }
}

impl<'a> Wait<'a> {
    fn new(lock: &'a RawLock, waiting: &'a Waiting) -> Self {
        Self { lock, waiting, stage: Stage::Held, waiter: Waiter::new() }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), NotLocked>> {
        let mut this = self.project();
        match *this.stage {
            Stage::Held => {
                if !this.lock.is_locked() {
                    *this.stage = Stage::Over;
                    return Poll::Ready(Err(NotLocked));
                }
                let joined = this.waiting.lines.poll::<0, (), ()>(this.waiter, cx, |_, _, _| None, |()| ());
                debug_assert!(joined.is_pending(), "it claims nothing");
                *this.stage = Stage::Waiting;
                // It is held; if somebody who does not hold it gives it back just now, it is as well.
                let _ = this.lock.release();
                scope::stay();
                return Poll::Pending;
            }
            Stage::Waiting => {
                let cancelled = scope::take_unwinding();
                if cancelled {
                    this.waiting.lines.leave::<0>(this.waiter.as_mut(), |_, _, _| StoredWaker::NONE);
                } else {
                    let notified = this.waiting.lines.poll::<0, _, _>(
                        this.waiter.as_mut(),
                        cx,
                        |_, _, turned| (turned == Turned::Granted).then_some(((), StoredWaker::NONE)),
                        |()| (),
                    );
                    if notified.is_pending() {
                        scope::stay();
                        return Poll::Pending;
                    }
                }
                *this.stage = Stage::Locking { cancelled };
            }
            Stage::Locking { .. } => {
                if scope::take_unwinding() {
                    // asyncio's wait gives its place in line up, and queues again at the end.
                    this.lock.leave(this.waiter.as_mut());
                    *this.stage = Stage::Locking { cancelled: true };
                }
            }
            Stage::Unwinding => {
                scope::unwind_on();
                return Poll::Pending;
            }
            Stage::Over => return Poll::Pending,
        }
        if this.lock.poll_acquire(this.waiter, cx).is_pending() {
            scope::stay();
            return Poll::Pending;
        }
        if *this.stage == (Stage::Locking { cancelled: true }) {
            *this.stage = Stage::Unwinding;
            this.waiting.notify(1);
            scope::unwind_on();
            return Poll::Pending;
        }
        *this.stage = Stage::Over;
        Poll::Ready(Ok(()))
    }

    /// Leaves the line in which it stands, and passes on what it was given there. True: it holds the lock.
    fn leave(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        match *this.stage {
            Stage::Held | Stage::Unwinding => true,
            Stage::Waiting => {
                this.waiting.lines.leave::<0>(this.waiter, |_, lines, turned| {
                    if turned == Turned::Granted { lines[0].grant_next() } else { StoredWaker::NONE }
                });
                false
            }
            Stage::Locking { .. } => {
                /// Also when a foreign waker panics.
                struct NotifyLast<'a>(&'a Waiting);
                impl Drop for NotifyLast<'_> {
                    fn drop(&mut self) {
                        self.0.notify(1);
                    }
                }
                let _notify = NotifyLast(this.waiting);
                this.lock.leave(this.waiter);
                false
            }
            Stage::Over => false,
        }
    }
}
