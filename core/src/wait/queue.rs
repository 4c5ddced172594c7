#![allow(unsafe_code)] // links pinned waiters into lines
//! `Lines`: a state and the lines of those who wait for it to change, under one short lock; and `Wait`, the future's
//! side of it.
//!
//! "Is it free?" and "then I wait" are one step, and so are "it is free now" and "you there, take it": no wake-up can
//! fall between. What is to be woken is carried out of the lock and woken there.

use super::{Line, Waiter};
use crate::sync::Short;
use crate::task::StoredWaker;
use core::pin::Pin;
use core::task::{Context, Poll};

/// State `S`, and `N` lines of waiters.
pub(crate) struct Lines<S, const N: usize>(Short<Shared<S, N>>);

struct Shared<S, const N: usize> {
    state: S,
    lines: [Line; N],
}

/// How a waiter comes to look at the state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// For the first time.
    New,
    /// Still waiting, not as the first in line: polled for another reason.
    Again,
    /// Still waiting, as the first in line. It may be that what it waits for was there and nobody was told: when its
    /// waker was that of a task about to drop it, which has then let it go alive.
    First,
    /// With a grant.
    Granted,
}

impl<S, const N: usize> Lines<S, N> {
    crate::sync::const_fn! {
        pub(crate) const fn new(state: S) -> Self {
            Self(Short::new(Shared { state, lines: [const { Line::new() }; N] }))
        }
    }

    /// Runs `f` with state and lines under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S, &mut [Line; N]) -> R) -> R {
        self.0.with(|shared| f(&mut shared.state, &mut shared.lines))
    }

    /// Runs `f`, and wakes whom it has granted something.
    #[inline]
    pub(crate) fn with_wake<R>(&self, f: impl FnOnce(&mut S, &mut [Line; N]) -> (R, Option<StoredWaker>)) -> R {
        let (result, woken) = self.with(f);
        if let Some(waker) = woken {
            waker.wake();
        }
        result
    }

    /// Grants and wakes all who stand in `line` now, in order.
    pub(crate) fn wake_all(&self, line: usize) {
        let mut epoch = None;
        while let Some(waker) = self.with(|_, lines| {
            let line = &mut lines[line];
            if line.is_empty() {
                return None;
            }
            let epoch = *epoch.get_or_insert_with(|| line.begin_grant_all());
            line.grant_older(epoch)
        }) {
            waker.wake();
        }
    }
}

/// One future's stay in a line.
pub(crate) struct Wait<'q, S, const N: usize> {
    queue: &'q Lines<S, N>,
    line: usize,
    waiter: Waiter,
}

impl<'q, S, const N: usize> Wait<'q, S, N> {
    crate::sync::const_fn! {
        pub(crate) const fn new(queue: &'q Lines<S, N>, line: usize) -> Self {
            Self { queue, line, waiter: Waiter::new() }
        }
    }

    /// Looks at the state: `claim` takes what it wants of it, or answers none, and then the waiter stands in line: where
    /// it stood if it still does, else at the end.
    #[inline]
    pub(crate) fn poll<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        claim: impl FnOnce(&mut S, &mut [Line; N], Turned) -> Option<R>,
    ) -> Poll<R> {
        // Before the lock: the clone of a foreign waker is foreign code. What comes back of the exchange is dropped
        // after it, for the same reason.
        let mut waker = StoredWaker::of(cx.waker());
        let this = self.into_ref();
        let waiter = &this.waiter;
        this.queue.with(|state, lines| {
            let turned = if waiter.is_idle() {
                Turned::New
            } else if waiter.is_granted() {
                Turned::Granted
            } else if lines[this.line].is_first(waiter) {
                Turned::First
            } else {
                Turned::Again
            };
            if let Some(result) = claim(state, lines, turned) {
                // SAFETY: `Linked`: it is in this line if in any.
                unsafe { lines[this.line].leave(waiter, &mut waker) };
                waiter.rest();
                return Poll::Ready(result);
            }
            if matches!(turned, Turned::Again | Turned::First) {
                lines[this.line].set_waker(waiter, &mut waker);
            } else {
                // SAFETY: `Linked`: it is pinned, in no line, and leaves in `leave`, which its owner's drop calls.
                unsafe { lines[this.line].join(waiter, &mut waker) };
            }
            Poll::Pending
        })
    }

    /// Leaves the line, if it is in one or holds a grant. `settle` is told which, and says whom that concerns.
    ///
    /// To be called by the owner's `drop`.
    #[inline]
    pub(crate) fn leave(
        self: Pin<&mut Self>,
        settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> Option<StoredWaker>,
    ) {
        if !self.waiter.is_idle() {
            self.into_ref().leave_now(settle);
        }
    }

    #[cold]
    fn leave_now(&self, settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> Option<StoredWaker>) {
        let mut own = StoredWaker::NONE;
        let woken = self.queue.with(|state, lines| {
            let turned = if self.waiter.is_granted() { Turned::Granted } else { Turned::Again };
            // SAFETY: `Linked`: it is in this line if in any.
            unsafe { lines[self.line].leave(&self.waiter, &mut own) };
            self.waiter.rest();
            settle(state, lines, turned)
        });
        drop(own);
        if let Some(waker) = woken {
            waker.wake();
        }
    }
}
