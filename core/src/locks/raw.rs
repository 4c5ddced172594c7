//! `RawLock`: a lock without data or guard, exactly as asyncio has it. `Mutex` is this and a value.
//!
//! A release hands the lock to the first in line at once, so no newcomer can overtake; but until that one's own step
//! the lock does not count as locked, as in asyncio.

use crate::task::StoredWaker;
use crate::wait::{Guarded, Line, Lines, Turned, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Nobody has it; who stands in line is about to be dropped.
    Free,
    /// Somebody has it.
    Held,
    /// The waiter that was first in line will have it at its next step.
    Handed,
}

impl Guarded for Hold {
    type Guard = ();
}

/// A lock that is taken and given back by hand, by any task. asyncio: `Lock`.
///
/// [`Mutex`](crate::Mutex) is the better one wherever a guard will do.
///
/// ```
/// # corio_sim::run(async {
/// static LOCK: corio::RawLock = corio::RawLock::new();
/// LOCK.acquire().await;
/// assert!(LOCK.is_locked());
/// assert_eq!(LOCK.release(), Ok(()));
/// assert_eq!(LOCK.release(), Err(corio::NotLocked));
/// # });
/// ```
///
/// # Fairness
/// First come, first served: a newcomer never overtakes a waiter.
pub struct RawLock {
    lines: Lines<Hold, 1>,
}

/// `release` of a lock that nobody holds. asyncio: the `RuntimeError` of `Lock.release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLocked;

impl fmt::Display for NotLocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is not held")
    }
}

impl core::error::Error for NotLocked {}

impl RawLock {
    crate::sync::const_fn! {
        /// A lock that is free.
        pub const fn new() -> Self {
            Self { lines: Lines::new(Hold::Free) }
        }
    }

    /// Takes the lock, waiting in line until it is free.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. A lock already handed to it goes to the next waiter.
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire { lock: self, waiter: Waiter::new() }
    }

    /// Takes the lock if it is free and nobody waits for it.
    #[inline]
    pub fn try_acquire(&self) -> bool {
        self.lines.with(|hold, lines| {
            let free = is_for_newcomers(hold, lines);
            if free {
                *hold = Hold::Held;
            }
            free
        })
    }

    /// Gives the lock back; the first in line has it from here on.
    ///
    /// # Errors
    /// When nobody holds it.
    #[inline]
    pub fn release(&self) -> Result<(), NotLocked> {
        self.lines.with_wake(|hold, lines| {
            if *hold != Hold::Held {
                return (Err(NotLocked), StoredWaker::NONE);
            }
            (Ok(()), hand_on(hold, lines))
        })
    }

    /// True while somebody holds the lock.
    pub fn is_locked(&self) -> bool {
        self.lines.with(|hold, _| *hold == Hold::Held)
    }
}

/// True when the lock is free and nobody who will stay is in line.
#[inline]
fn is_for_newcomers(hold: &Hold, lines: &[Line; 1]) -> bool {
    *hold == Hold::Free && (lines[0].is_empty() || lines[0].all_leaving())
}

/// The lock is free: the first in line gets it.
#[inline]
fn hand_on(hold: &mut Hold, lines: &mut [Line; 1]) -> StoredWaker {
    match lines[0].grant_first() {
        Some(first) => {
            *hold = Hold::Handed;
            first
        }
        None => {
            *hold = Hold::Free;
            StoredWaker::NONE
        }
    }
}

impl Default for RawLock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RawLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawLock").field("locked", &self.is_locked()).finish()
    }
}

impl RawLock {
    /// A step of one who wants the lock.
    #[inline]
    pub(super) fn poll_acquire(&self, waiter: Pin<&mut Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        if cfg!(not(any(feature = "std", loom))) && waiter.is_idle() {
            let mut locked = self.lines.lock();
            let (hold, lines) = locked.parts();
            if *hold == Hold::Free && lines[0].is_empty() {
                *hold = Hold::Held;
                return Poll::Ready(());
            }
        }
        self.poll_waiting(waiter, cx)
    }

    // The short way is what every future that locks has of its own; the long one is there once, where flash counts.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    fn poll_waiting(&self, waiter: Pin<&mut Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        let claim = |hold: &mut Hold, lines: &mut [Line; 1], turned| {
            let mine = match turned {
                Turned::Granted => true,
                Turned::New => is_for_newcomers(hold, lines),
                Turned::First => *hold == Hold::Free,
                Turned::Again => false,
            };
            mine.then(|| {
                *hold = Hold::Held;
                ((), StoredWaker::NONE)
            })
        };
        self.lines.poll::<0, _, _>(waiter, cx, claim, |()| ())
    }

    /// Gives the lock back on behalf of one who holds it.
    #[inline]
    pub(super) fn give_back(&self) {
        self.lines.with_wake(|hold, lines| ((), hand_on(hold, lines)));
    }

    /// The end of one who wanted the lock.
    #[inline]
    pub(super) fn leave(&self, waiter: Pin<&mut Waiter>) {
        self.lines.leave::<0>(waiter, |hold, lines, turned| match (turned, *hold) {
            (Turned::Granted, _) | (_, Hold::Free) => hand_on(hold, lines),
            _ => StoredWaker::NONE,
        });
    }
}

pin_project_lite::pin_project! {
    /// A pending [`RawLock::acquire`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<'a> {
        lock: &'a RawLock,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for Acquire<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.lock.leave(this.waiter);
        }
    }
}

impl Future for Acquire<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.lock.poll_acquire(this.waiter, cx)
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquire")
    }
}
