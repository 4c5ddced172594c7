#![allow(unsafe_code)] // an intrusive list of pinned nodes
//! `Line`: those who wait, first come first, linked through nodes that live in the waiting futures.
//!
//! Nothing is allocated, any number may wait, and who is dropped takes its node out.
//!
//! Invariants:
//! - `Linked`: a waiter whose state is `WAITING` is in exactly one line, stays where it is, and leaves before it is
//!   freed. Lines and the links and wakers of their waiters are touched under the lock of the line only.
//! - `Filled`: the node of a waiter holds something only while its state is `WAITING`. A future that never waits pays
//!   for one byte.
//! - `Noted`: the state of a waiter changes under the lock only. Beside it its owner has a note of its own, which nobody else
//!   touches, that it is not idle: whoever finds it so takes the lock before anything else. It may say so too long, never
//!   too short a time.

use super::Turned;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::task::StoredWaker;
use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::ptr;

const IDLE: u8 = 0;
const WAITING: u8 = 1;
const GRANTED: u8 = 2;
/// Taken out of the line without a grant, because its task is about to drop it. If it does not, it begins anew.
const PASSED: u8 = 3;

/// A place in a line, pinned in the future that waits.
pub(crate) struct Waiter {
    node: UnsafeCell<MaybeUninit<Node>>,
    state: AtomicU8,
    /// `Noted`. No atomic: where a future ends, the compiler sees that there is nothing to leave.
    away: Cell<bool>,
    _pinned: PhantomPinned,
}

struct Node {
    /// Filled, but for the first of a line.
    prev: MaybeUninit<*const Waiter>,
    next: *const Waiter,
    waker: StoredWaker,
    /// When it joined, in the line's count of `grant_all`s.
    epoch: u32,
}

impl Node {
    /// True when it was in line when the round of `epoch` began.
    #[inline]
    fn is_older(&self, epoch: u32) -> bool {
        // Wrapping: right as long as fewer than 2^31 rounds begin while one is under way.
        (self.epoch.wrapping_sub(epoch) as i32) < 0
    }
}

// SAFETY: but for `state`, which is atomic, and `away`, which is its owner's (`Noted`), it is touched under the lock of its
// line (`Linked`).
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl Waiter {
    crate::sync::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                node: UnsafeCell::new(MaybeUninit::uninit()),
                state: AtomicU8::new(IDLE),
                away: Cell::new(false),
                _pinned: PhantomPinned,
            }
        }
    }

    /// # Safety
    /// Under the lock, and in a line (`Filled`). The reference must not outlive the next use of the same node.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the lock is what makes it unique")]
    unsafe fn node(&self) -> &mut Node {
        // SAFETY: by the caller's word.
        unsafe { (*self.node.get()).assume_init_mut() }
    }

    /// True if nobody but its owner knows of it. Asked by its owner (`Noted`).
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        !self.away.get()
    }

    /// It is idle: its owner has got what it waited for, and tells whom that concerns.
    #[inline]
    pub(super) fn set_idle(&self) {
        self.away.set(false);
    }

    /// Says so to the compiler.
    ///
    /// # Safety
    /// It is idle.
    #[inline]
    pub(crate) unsafe fn assume_idle(&self) {
        // SAFETY: by the caller's word.
        unsafe { core::hint::assert_unchecked(self.is_idle()) };
    }

    /// As what it comes back; none if it is in the line still. Under the lock.
    #[inline]
    pub(super) fn back(&self) -> Option<Turned> {
        match self.state() {
            WAITING => None,
            GRANTED => Some(Turned::Granted),
            _ => Some(Turned::New),
        }
    }

    /// True if it has nothing to leave, whatever its owner has noted. Under the lock.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.state() == IDLE
    }

    /// Takes the grant, if it has one, and is in no line. Under the lock.
    #[inline]
    pub(super) fn rest(&self) {
        self.set_state(IDLE);
    }

    /// Exchanges its waker. The old one is returned, to be dropped where no lock is held.
    ///
    /// # Safety
    /// Under the lock, and in line.
    #[inline]
    pub(super) unsafe fn set_waker(&self, waker: StoredWaker) -> StoredWaker {
        // SAFETY: `Filled`, by the caller's word.
        unsafe { core::mem::replace(&mut self.node().waker, waker) }
    }

    // Relaxed (both): `Noted`.
    #[inline]
    fn state(&self) -> u8 {
        self.state.load(Ordering::Relaxed)
    }

    #[inline]
    fn set_state(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

/// Those who wait, in order of arrival.
pub(crate) struct Line {
    first: *const Waiter,
    /// Filled while anybody is in line. So the first leaves by one store, and a new line is not a row of zeros that a
    /// function call would be made to clear.
    last: MaybeUninit<*const Waiter>,
    epoch: u32,
}

// SAFETY: the pointers are followed under the lock that the line is behind (`Linked`).
unsafe impl Send for Line {}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { first: ptr::null(), last: MaybeUninit::uninit(), epoch: 0 }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    #[inline]
    pub(crate) fn is_first(&self, waiter: &Waiter) -> bool {
        ptr::eq(self.first, waiter)
    }

    /// Puts `waiter` at the end, to be woken by `waker`.
    ///
    /// # Safety
    /// `Linked`: it is in no line, is not moved from here on, and leaves before it is freed.
    #[inline]
    pub(crate) unsafe fn join(&mut self, waiter: &Waiter, waker: StoredWaker) {
        let node = Node { prev: self.last, next: ptr::null(), waker, epoch: self.epoch };
        // SAFETY: by the caller's word, and `Linked` for the last.
        unsafe {
            (*waiter.node.get()).write(node);
            if self.first.is_null() {
                self.first = waiter;
            } else {
                (*self.last.assume_init()).node().next = waiter;
            }
        }
        self.last.write(waiter);
        waiter.away.set(true);
        waiter.set_state(WAITING);
    }

    /// Takes `waiter` out if it is in, and makes it idle. Its waker is returned, to be dropped where no lock is held.
    ///
    /// # Safety
    /// It is in this line or in none.
    pub(crate) unsafe fn leave(&mut self, waiter: &Waiter) -> StoredWaker {
        let mut waker = StoredWaker::NONE;
        if waiter.state() == WAITING {
            // SAFETY: by the caller's word; `Filled`, until here.
            unsafe {
                self.unlink(waiter);
                waker = ptr::read(&waiter.node().waker);
            }
        }
        waiter.rest();
        waiter.set_idle();
        waker
    }

    /// # Safety
    /// It is in this line.
    unsafe fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: `Linked`, `Filled`: it and its neighbours are in the line.
        unsafe {
            let (prev, next) = (waiter.node().prev, waiter.node().next);
            if self.is_first(waiter) {
                self.first = next;
            } else {
                (*prev.assume_init()).node().next = next;
            }
            match next.as_ref() {
                Some(next) => next.node().prev = prev,
                None => self.last = prev,
            }
        }
    }

    /// Takes `first` out of the line: into `state`.
    ///
    /// # Safety
    /// It is the first of this line.
    #[inline]
    unsafe fn take_first(&mut self, first: &Waiter, state: u8) -> StoredWaker {
        // SAFETY: `Linked`, `Filled`, until its state says otherwise.
        unsafe {
            let node = first.node();
            self.first = node.next;
            let waker = ptr::read(&node.waker);
            first.set_state(state);
            waker
        }
    }

    /// Grants the first, unless its task is about to drop it: then nobody, for the drop passes the matter on.
    #[inline]
    pub(crate) fn grant_first(&mut self) -> Option<StoredWaker> {
        // SAFETY: `Linked`.
        unsafe {
            match self.first.as_ref() {
                Some(first) if !first.node().waker.is_leaving() => Some(self.take_first(first, GRANTED)),
                _ => None,
            }
        }
    }

    /// Grants the first whose task is not about to drop it; nobody is a waker that does nothing. Those before it leave the
    /// line by this, so that each is passed over once only.
    #[inline]
    pub(crate) fn grant_next(&mut self) -> StoredWaker {
        if self.is_empty() { StoredWaker::NONE } else { self.grant_some() }
    }

    // Where flash counts, one copy serves all.
    #[cfg_attr(any(feature = "std", loom), inline)]
    #[cfg_attr(not(any(feature = "std", loom)), inline(never))]
    fn grant_some(&mut self) -> StoredWaker {
        // SAFETY: `Linked`.
        unsafe {
            while let Some(first) = self.first.as_ref() {
                if !first.node().waker.is_leaving() {
                    return self.take_first(first, GRANTED);
                }
                self.pass(first);
            }
        }
        StoredWaker::NONE
    }

    /// `grant_next` where it is seldom come to: one for all.
    #[cold]
    #[inline(never)]
    pub(crate) fn pass_on(&mut self) -> StoredWaker {
        self.grant_some()
    }

    /// Takes the first out without a grant.
    ///
    /// # Safety
    /// `first` is that.
    #[cold]
    unsafe fn pass(&mut self, first: &Waiter) {
        // SAFETY: by the caller's word. A waker that is leaving is one of ours: nothing need be dropped.
        drop(unsafe { self.take_first(first, PASSED) });
    }

    /// True when none is here to stay: all are about to be dropped by their tasks.
    pub(crate) fn all_leaving(&self) -> bool {
        let mut next = self.first;
        // SAFETY: `Linked`.
        unsafe {
            while let Some(waiter) = next.as_ref() {
                if !waiter.node().waker.is_leaving() {
                    return false;
                }
                next = waiter.node().next;
            }
        }
        true
    }

    /// Begins to grant all who are in line now. `grant_older` then gives them out one at a time, so that the lock is
    /// free in between.
    pub(crate) fn begin_grant_all(&mut self) -> u32 {
        self.epoch = self.epoch.wrapping_add(1);
        self.epoch
    }

    /// Grants the first, if it was in line when `begin_grant_all` returned `epoch`.
    pub(crate) fn grant_older(&mut self, epoch: u32) -> StoredWaker {
        // SAFETY: `Linked`.
        unsafe {
            match self.first.as_ref() {
                Some(first) if first.node().is_older(epoch) => self.take_first(first, GRANTED),
                _ => StoredWaker::NONE,
            }
        }
    }
}

/// Of two lines whose `grant_all`s begin together, who came first is known from the rounds.
impl Line {
    /// Takes those out whose tasks are about to drop them, from the first to the one before who stays.
    pub(crate) fn pass_leaving(&mut self) {
        // SAFETY: `Linked`.
        unsafe {
            while let Some(first) = self.first.as_ref()
                && first.node().waker.is_leaving()
            {
                self.pass(first);
            }
        }
    }

    /// The round, as `begin_grant_all` returned it, that had begun last when the first joined.
    pub(crate) fn first_epoch(&self) -> Option<u32> {
        // SAFETY: `Linked`, `Filled`.
        unsafe { self.first.as_ref().map(|first| first.node().epoch) }
    }
}
