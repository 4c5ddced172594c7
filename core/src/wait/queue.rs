#![allow(unsafe_code)] // links pinned waiters into lines
//! `Lines`: a state and the lines of those who wait for it to change, under one short lock; with the
//! steps of a future that waits.
//!
//! "Is it free?" and "then I wait" are one step, and so are "it is free now" and "you there, take it": no wake-up can
//! fall between. What is to be woken is carried out of the lock and woken there.

use super::{Line, Waiter};
use crate::sync::{Holder, Short};
use crate::task::StoredWaker;
use core::pin::Pin;
use core::task::{Context, Poll};

/// State `S`, and `N` lines of waiters.
pub(crate) struct Lines<S: Guarded, const N: usize> {
    shared: Short<Shared<S, N>>,
    guard: S::Guard,
}

/// What is behind the lock: says whether user code is run with it.
pub(crate) trait Guarded {
    type Guard: Guard;
}

/// Notices user code that comes back to the lock under which it runs, if there is any.
pub(crate) trait Guard {
    const NEW: Self;
    fn with<T, R>(&self, short: &Short<T>, f: impl FnOnce(&mut T) -> R) -> R;
}

/// No user code is run.
impl Guard for () {
    const NEW: Self = ();

    #[inline]
    fn with<T, R>(&self, short: &Short<T>, f: impl FnOnce(&mut T) -> R) -> R {
        short.with(f)
    }
}

impl Guard for Holder {
    const NEW: Self = Self::new();

    fn with<T, R>(&self, short: &Short<T>, f: impl FnOnce(&mut T) -> R) -> R {
        short.with_user_code(self, f)
    }
}

struct Shared<S, const N: usize> {
    state: S,
    lines: [Line; N],
}

/// How a waiter comes to look at the state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// For the first time, or after it was passed over because its task was about to drop it, and did not.
    New,
    /// Still waiting, not as the first in line: polled for another reason.
    Again,
    /// Still waiting, as the first in line.
    First,
    /// With a grant, which ends by this.
    Granted,
}

impl<S: Guarded, const N: usize> Lines<S, N> {
    crate::sync::const_fn! {
        pub(crate) const fn new(state: S) -> Self {
            Self { shared: Short::new(Shared { state, lines: [const { Line::new() }; N] }), guard: S::Guard::NEW }
        }
    }

    /// Runs `f` with state and lines under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S, &mut [Line; N]) -> R) -> R {
        self.guard.with(&self.shared, |shared| f(&mut shared.state, &mut shared.lines))
    }

    /// Runs `f`, and wakes whom it has granted something.
    #[inline]
    pub(crate) fn with_wake<R>(&self, f: impl FnOnce(&mut S, &mut [Line; N]) -> (R, StoredWaker)) -> R {
        let (result, woken) = self.with(f);
        woken.wake();
        result
    }

    /// Runs `f`; if it says so, grants and wakes all who stand in `line` at that very moment, in order. Who comes later
    /// is not among them, though the lock is free in between.
    pub(crate) fn with_wake_all(&self, line: usize, f: impl FnOnce(&mut S) -> bool) {
        let epoch = self.with(|state, lines| f(state).then(|| lines[line].begin_grant_all()));
        if let Some(epoch) = epoch {
            self.wake_on(|_, lines| lines[line].grant_older(epoch));
        }
    }

    /// Wakes whom `grant` chooses, as long as it chooses anyone. The lock is free in between.
    pub(crate) fn wake_on(&self, mut grant: impl FnMut(&mut S, &mut [Line; N]) -> StoredWaker) {
        loop {
            let woken = self.with(&mut grant);
            if woken.is_none() {
                return;
            }
            woken.wake();
        }
    }

    /// Looks at the state for `waiter`: `claim` takes what it wants of it, or answers none, and then the waiter stands in
    /// `LINE`: where it stood if it still does, else at the end.
    ///
    /// This is the long way. A future whose waiter is idle tries the short one first, as a newcomer without a place in
    /// line. The waiter uses this line of this queue only, and its owner's drop calls `leave`.
    #[inline]
    pub(crate) fn poll<const LINE: usize, R>(
        &self,
        waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
        claim: impl FnOnce(&mut S, &mut [Line; N], Turned) -> Option<R>,
    ) -> Poll<R> {
        // Before the lock: the clone of a foreign waker is foreign code. What comes back is dropped after it, for the
        // same reason.
        let mut waker = StoredWaker::of(cx.waker());
        let waiter = &*waiter.into_ref();
        let (polled, old) = self.with(|state, lines| {
            let turned = if lines[LINE].take_up(waiter) {
                Turned::Granted
            } else if !waiter.is_waiting() {
                Turned::New
            } else if lines[LINE].is_first(waiter) {
                Turned::First
            } else {
                Turned::Again
            };
            if let Some(result) = claim(state, lines, turned) {
                // SAFETY: (of all three) `Linked`: the waiter is pinned, is in this line if in any, and leaves in
                // `leave`, which its owner's drop calls.
                return (Poll::Ready(result), unsafe { lines[LINE].leave(waiter) });
            }
            let mut new = waker.take();
            if matches!(turned, Turned::Again | Turned::First) {
                // SAFETY: as above.
                unsafe { lines[LINE].set_waker(waiter, &mut new) };
            } else {
                // SAFETY: as above.
                unsafe { lines[LINE].join(waiter, &mut new) };
            }
            (Poll::Pending, new)
        });
        old.discard(waker);
        polled
    }

    /// Takes `waiter` out of the line, if it is in it or holds a grant. `settle` is told which, and says whom that
    /// concerns: who that is, is to be woken by the caller, the owner's `drop`.
    #[inline]
    pub(crate) fn leave<const LINE: usize>(
        &self,
        waiter: Pin<&mut Waiter>,
        settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> StoredWaker,
    ) -> StoredWaker {
        if waiter.is_idle() { StoredWaker::NONE } else { self.leave_now::<LINE>(&waiter, settle) }
    }

    #[cold]
    fn leave_now<const LINE: usize>(
        &self,
        waiter: &Waiter,
        settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> StoredWaker,
    ) -> StoredWaker {
        let (woken, own) = self.with(|state, lines| {
            let turned = if lines[LINE].take_up(waiter) { Turned::Granted } else { Turned::Again };
            // SAFETY: `Linked`: it is in this line if in any, and a grant was taken up.
            let own = unsafe { lines[LINE].leave(waiter) };
            (settle(state, lines, turned), own)
        });
        own.discard(StoredWaker::NONE);
        woken
    }
}
