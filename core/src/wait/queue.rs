#![allow(unsafe_code)] // links pinned waiters into lines
//! `Lines`: a state and the lines of those who wait for it to change, under one short lock; with the
//! steps of a future that waits.
//!
//! "Is it free?" and "then I wait" are one step, and so are "it is free now" and "you there, take it": no wake-up can
//! fall between. What is to be woken is carried out of the lock and woken there.

use super::{Line, Waiter, to_the_end};
use crate::sync::{Held, Holder, Mark, Short};
use crate::task::StoredWaker;
use core::mem::MaybeUninit;
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
    /// Whether any is run.
    const USER_CODE: bool;
    type Mark<'a>
    where
        Self: 'a;
    fn lock<'a, T>(&'a self, short: &'a Short<T>) -> (Self::Mark<'a>, Held<'a, T>);
}

/// No user code is run.
impl Guard for () {
    const NEW: Self = ();
    const USER_CODE: bool = false;
    type Mark<'a> = ();

    #[inline]
    fn lock<'a, T>(&'a self, short: &'a Short<T>) -> ((), Held<'a, T>) {
        ((), short.lock())
    }
}

impl Guard for Holder {
    const NEW: Self = Self::new();
    const USER_CODE: bool = true;
    type Mark<'a> = Mark<'a>;

    fn lock<'a, T>(&'a self, short: &'a Short<T>) -> (Mark<'a>, Held<'a, T>) {
        short.lock_for_user_code(self)
    }
}

struct Shared<S, const N: usize> {
    state: S,
    lines: [Line; N],
}

/// State and lines, as long as it lives.
pub(crate) struct Locked<'a, S: Guarded, const N: usize>
where
    S::Guard: 'a,
{
    /// Goes before the lock does.
    _mark: <S::Guard as Guard>::Mark<'a>,
    shared: Held<'a, Shared<S, N>>,
}

impl<S: Guarded, const N: usize> Locked<'_, S, N> {
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut S, &mut [Line; N]) {
        let shared = &mut *self.shared;
        (&mut shared.state, &mut shared.lines)
    }
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

/// What a waiter does with the state at its step, as a type that can be told to be inlined: the usual step and that of one
/// that stands in line both call it.
pub(crate) trait Claim<S, const N: usize> {
    /// What it takes.
    type Got;
    /// Takes it, and says whom that concerns; or answers none.
    fn claim(&mut self, state: &mut S, lines: &mut [Line; N], turned: Turned) -> Option<(Self::Got, StoredWaker)>;
}

/// The claim that a closure makes.
struct ByClosure<F>(F);

impl<S, const N: usize, T, F> Claim<S, N> for ByClosure<F>
where
    F: FnMut(&mut S, &mut [Line; N], Turned) -> Option<(T, StoredWaker)>,
{
    type Got = T;

    #[inline]
    fn claim(&mut self, state: &mut S, lines: &mut [Line; N], turned: Turned) -> Option<(T, StoredWaker)> {
        (self.0)(state, lines, turned)
    }
}

/// Empty lines. One after the other: of a constant a call would be made that copies it.
const fn new_lines<const N: usize>() -> [Line; N] {
    let mut lines = MaybeUninit::<[Line; N]>::uninit();
    let first: *mut Line = lines.as_mut_ptr().cast();
    let mut at = 0;
    while at < N {
        // SAFETY: within the array.
        unsafe { first.add(at).write(Line::new()) };
        at += 1;
    }
    // SAFETY: all of it was filled.
    unsafe { lines.assume_init() }
}

impl<S: Guarded, const N: usize> Lines<S, N> {
    crate::sync::const_fn! {
        pub(crate) const fn new(state: S) -> Self {
            Self { shared: Short::new(Shared { state, lines: new_lines() }), guard: S::Guard::NEW }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_, S, N> {
        let (mark, shared) = self.guard.lock(&self.shared);
        Locked { _mark: mark, shared }
    }

    /// Runs `f` with state and lines under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S, &mut [Line; N]) -> R) -> R {
        let mut locked = self.lock();
        let (state, lines) = locked.parts();
        f(state, lines)
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

    /// Wakes whom `grant` chooses, as long as it chooses anyone, whatever a waker does. The lock is free in between.
    pub(crate) fn wake_on(&self, mut grant: impl FnMut(&mut S, &mut [Line; N]) -> StoredWaker) {
        to_the_end(|| {
            let woken = self.with(&mut grant);
            let any = !woken.is_none();
            woken.wake();
            any
        });
    }

    /// Looks at the state for `waiter`: `claim` takes what it wants of it and says whom that concerns, or answers none, and
    /// then the waiter stands in `LINE`: where it stood if it still does, else at the end. What was claimed is made into what
    /// the future gives out before any foreign code is called: if that panics, it is dropped, not forgotten.
    ///
    /// The waiter uses this line of this queue only, and its owner's drop calls `leave`.
    #[inline]
    pub(crate) fn poll<const LINE: usize, C, R>(
        &self,
        waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
        claim: impl FnMut(&mut S, &mut [Line; N], Turned) -> Option<(C, StoredWaker)>,
        make: impl FnOnce(C) -> R,
    ) -> Poll<R> {
        self.poll_claim::<LINE, _, R>(waiter, cx, ByClosure(claim), make)
    }

    /// As `poll`, with a claim that may be more than a closure.
    #[inline]
    pub(crate) fn poll_claim<const LINE: usize, C: Claim<S, N>, R>(
        &self,
        waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
        mut claim: C,
        make: impl FnOnce(C::Got) -> R,
    ) -> Poll<R> {
        let waiter = &*waiter.into_ref();
        let mut locked = self.lock();
        let Some(turned) = waiter.back() else {
            return self.poll_standing::<LINE, C, R>(locked, waiter, cx, claim, make);
        };
        let (state, lines) = locked.parts();
        if let Some((claimed, woken)) = claim.claim(state, lines, turned) {
            waiter.rest();
            drop(locked);
            let made = make(claimed);
            woken.wake();
            waiter.set_idle();
            return Poll::Ready(made);
        }
        let waker = StoredWaker::ours(cx.waker());
        let foreign = waker.is_none();
        // SAFETY: `Linked`: the waiter is pinned, is in no line, and leaves in `leave`, which its owner's drop calls.
        unsafe { lines[LINE].join(waiter, waker.unwrap_or_else(StoredWaker::nobodys)) };
        drop(locked);
        if foreign {
            self.lend(waiter, cx);
        }
        Poll::Pending
    }

    /// A step of one that stood in line before it, and was polled for another reason.
    #[cold]
    fn poll_standing<const LINE: usize, C: Claim<S, N>, R>(
        &self,
        mut locked: Locked<'_, S, N>,
        waiter: &Waiter,
        cx: &mut Context<'_>,
        mut claim: C,
        make: impl FnOnce(C::Got) -> R,
    ) -> Poll<R> {
        let (state, lines) = locked.parts();
        let turned = if lines[LINE].is_first(waiter) { Turned::First } else { Turned::Again };
        if let Some((claimed, woken)) = claim.claim(state, lines, turned) {
            // SAFETY: `Linked`: it is in this line.
            let own = unsafe { lines[LINE].leave(waiter) };
            drop(locked);
            let made = make(claimed);
            woken.wake();
            drop(own);
            return Poll::Ready(made);
        }
        drop(locked);
        self.lend(waiter, cx);
        Poll::Pending
    }

    /// Has the waiter, which stands in line or did a moment ago, woken by the waker of `cx`.
    #[cfg(any(feature = "std", loom))]
    #[cold]
    #[inline(never)]
    fn lend(&self, waiter: &Waiter, cx: &mut Context<'_>) {
        lend(waiter, cx, |exchange| self.with(|_, _| exchange()));
    }

    /// As above. Here any short lock keeps out all others, so one copy serves all.
    #[cfg(not(any(feature = "std", loom)))]
    #[inline]
    fn lend(&self, waiter: &Waiter, cx: &mut Context<'_>) {
        #[cold]
        #[inline(never)]
        fn lend_any(waiter: &Waiter, cx: &mut Context<'_>) {
            static ANY: Short<()> = Short::new(());
            lend(waiter, cx, |exchange| ANY.with(|()| exchange()));
        }
        lend_any(waiter, cx);
    }

    /// Takes `waiter` out of the line, if it is in it or holds a grant. `settle` is told which, and says whom that
    /// concerns: who that is, is woken.
    #[inline]
    pub(crate) fn leave<const LINE: usize>(
        &self,
        waiter: Pin<&mut Waiter>,
        settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> StoredWaker,
    ) {
        if !waiter.is_idle() {
            self.leave_now(&waiter, |lines| &mut lines[LINE], settle);
        }
    }

    /// As `leave`, of one that is not idle; which line it is in is found when it is looked for.
    #[cold]
    pub(crate) fn leave_now(
        &self,
        waiter: &Waiter,
        line: impl FnOnce(&mut [Line; N]) -> &mut Line,
        settle: impl FnOnce(&mut S, &mut [Line; N], Turned) -> StoredWaker,
    ) {
        let (woken, own) = self.with(|state, lines| {
            if waiter.is_at_rest() {
                // A panic has come between the end of its wait and the note of it.
                return (StoredWaker::NONE, StoredWaker::NONE);
            }
            let turned = waiter.back().unwrap_or(Turned::Again);
            // SAFETY: `Linked`: it is in this line if in any.
            let own = unsafe { line(lines).leave(waiter) };
            (settle(state, lines, turned), own)
        });
        woken.wake_then_drop(own);
    }
}

/// Has the waiter, which stands in line or did a moment ago, woken by the waker of `cx`. The clone of a foreign one is
/// foreign code, and so is the drop of the one before: neither is for under the lock, which `with_lock` takes.
#[inline]
fn lend(waiter: &Waiter, cx: &mut Context<'_>, with_lock: impl FnOnce(&mut dyn FnMut())) {
    let mut waker = StoredWaker::of(cx.waker());
    let mut old = None;
    with_lock(&mut || {
        if waiter.back().is_none() {
            // SAFETY: under the lock, and in line.
            old = Some(unsafe { waiter.set_waker(waker.take()) });
        }
    });
    if old.is_none() {
        // It was granted in between.
        waker.wake();
    }
}
