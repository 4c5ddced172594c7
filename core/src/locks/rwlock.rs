#![allow(unsafe_code)] // the guards' access to the value
//! `RwLock<T>`: many readers or one writer, in order of arrival.
//!
//! Readers stand in one line and writers in another. A writer that joins begins a round in both, so each writer knows which
//! readers came before it, and the two lines are one order of arrival:
//!
//! ```text
//!   arrival    r1   r2   W   r3   X   r4
//!   readers    r1 ─ r2 ─ │ ─ r3 ─ │ ─ r4     with the round that had begun last: 0 0 │ 1 │ 2
//!   writers              W ────── X          with the round that it began:          1   2
//! ```
//!
//! Whatever frees the lock admits from the front: one writer, or all readers up to the next writer. To be granted is to be
//! counted in `Hold` already; the step that takes it up changes nothing.
//!
//! Invariants:
//! - `ManyOrOne`: there are as many read guards and grants to readers as `Hold` says, or one write guard or grant to a
//!   writer if it says so, and never both.
//! - `NoneForgotten`: nobody who could be let in waits in front, unless whoever let the last one in is about to, or the
//!   task of who waits is about to drop it.

use crate::task::StoredWaker;
use crate::wait::{Finally, Guarded, Line, Lines, Turned, Waiter};
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

const READERS: usize = 0;
const WRITERS: usize = 1;

/// How many read; or that one writes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hold(usize);

impl Hold {
    const FREE: Self = Self(0);
    const WRITTEN: Self = Self(usize::MAX);

    /// One more may read. Guards can be forgotten, so the count must not be trusted to stay low.
    #[inline]
    fn admits_reader(self) -> bool {
        self.0 < Self::WRITTEN.0 - 1
    }
}

impl Guarded for Hold {
    type Guard = ();
}

/// A value that many tasks may read at a time, or one may change, across their waits. Beyond asyncio.
///
/// ```
/// # corio_sim::run(async {
/// static LIMITS: corio::RwLock<[u8; 2]> = corio::RwLock::new([1, 9]);
/// {
///     let (one, other) = (LIMITS.read().await, LIMITS.read().await);
///     assert_eq!(one[0] + other[1], 10);
/// }
/// LIMITS.write().await[1] = 5;
/// assert_eq!(*LIMITS.read().await, [1, 5]);
/// # });
/// ```
///
/// Usable in a `static`, from tasks and threads; waiting allocates nothing. A task that holds a read guard and asks for
/// another may wait for ever, since a writer may have come in between; and so may one that holds a guard and asks to write.
///
/// # Fairness
/// First come, first served: a reader waits behind a writer that came before it, even while others read, and a newcomer
/// never overtakes a waiter. Readers that stand in line next to each other go in together.
pub struct RwLock<T: ?Sized> {
    lines: Lines<Hold, 2>,
    value: UnsafeCell<T>,
}

// SAFETY: `ManyOrOne`: readers on several threads share the value, writers move what is in it.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: owning the lock is owning the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

impl<T> RwLock<T> {
    crate::sync::const_fn! {
        /// A lock that is free.
        pub const fn new(value: T) -> Self {
            Self { lines: Lines::new(Hold::FREE), value: UnsafeCell::new(value) }
        }
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock to read, waiting in line while somebody writes or a writer waits.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. What was granted to it goes to the next waiter.
    #[inline]
    pub fn read(&self) -> RwLockRead<'_, T> {
        RwLockRead { lock: self, waiter: Waiter::new() }
    }

    /// Takes the lock to write, waiting in line until nobody else has it.
    ///
    /// # Cancel safety
    /// **Loses nothing.** Dropping the future leaves the line. Readers that waited behind it go on, and what was
    /// granted to it goes to the next waiter.
    #[inline]
    pub fn write(&self) -> RwLockWrite<'_, T> {
        RwLockWrite { lock: self, waiter: Waiter::new() }
    }

    /// Takes the lock to read if nobody writes and no writer waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.lines.with(read_as_newcomer).map(|()| self.read_guard())
    }

    /// Takes the lock to write if nobody has it and nobody waits for it.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.lines.with(write_as_newcomer).map(|()| self.write_guard())
    }

    /// True while somebody writes.
    pub fn is_written(&self) -> bool {
        self.lines.with(|hold, _| *hold == Hold::WRITTEN)
    }

    /// How many read.
    pub fn readers(&self) -> usize {
        self.lines.with(|hold, _| if *hold == Hold::WRITTEN { 0 } else { hold.0 })
    }

    /// The value, without locking: `&mut` says that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// For who was counted in `Hold`.
    #[inline]
    fn read_guard(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard { lock: self, _access: PhantomData }
    }

    /// For who was counted in `Hold`.
    #[inline]
    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, _access: PhantomData }
    }

    /// Lets go of something by `change`, and lets those in who then may.
    #[inline]
    fn release(&self, change: impl FnOnce(&mut Hold)) {
        let woken = self.lines.with(|hold, lines| {
            change(hold);
            admit(hold, lines)
        });
        self.admit_after(woken);
    }

    /// Goes on from the first who was let in to the others.
    #[inline]
    fn admit_after(&self, woken: StoredWaker) {
        if !woken.is_none() {
            let _others = Finally(|| self.lines.wake_on(admit));
            woken.wake();
        }
    }
}

/// Whoever came to read and finds no writer, inside or in line, goes in. Readers that stand in line all the same are being
/// let in right now.
#[inline]
fn read_as_newcomer(hold: &mut Hold, lines: &mut [Line; 2]) -> Option<()> {
    let [readers, writers] = lines;
    // A reader in line waits for a writer in front of it, which may be about to leave: it is not overtaken meanwhile. Where
    // no writer is, those in line are being let in.
    let free = hold.admits_reader() && (writers.is_empty() || writers.all_leaving() && is_for_newcomers(readers));
    free.then(|| hold.0 += 1)
}

#[inline]
fn write_as_newcomer(hold: &mut Hold, lines: &mut [Line; 2]) -> Option<()> {
    let free = *hold == Hold::FREE && lines.iter().all(is_for_newcomers);
    free.then(|| *hold = Hold::WRITTEN)
}

#[inline]
fn is_for_newcomers(line: &Line) -> bool {
    line.is_empty() || line.all_leaving()
}

/// Begins a round in both lines: its number is later than those of all who are there.
#[inline]
fn begin_round(lines: &mut [Line; 2]) -> u32 {
    lines[READERS].begin_grant_all();
    lines[WRITERS].begin_grant_all()
}

/// Lets in who is in front, if they may come in now.
fn admit(hold: &mut Hold, lines: &mut [Line; 2]) -> StoredWaker {
    if !hold.admits_reader() || lines.iter().all(Line::is_empty) {
        return StoredWaker::NONE;
    }
    for line in &mut *lines {
        line.pass_leaving();
    }
    // A grant is made by round even where any would do: it must be made, whatever the waiter's task thinks of since.
    let writer = lines[WRITERS].first_epoch();
    let before = writer.unwrap_or_else(|| begin_round(lines));
    let reader = lines[READERS].grant_older(before);
    if !reader.is_none() {
        hold.0 += 1;
        return reader;
    }
    if writer.is_none() || *hold != Hold::FREE {
        return StoredWaker::NONE;
    }
    *hold = Hold::WRITTEN;
    lines[WRITERS].grant_older(before.wrapping_add(1))
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(value) => f.debug_struct("RwLock").field("value", &&*value).finish(),
            None => f.debug_struct("RwLock").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

pin_project_lite::pin_project! {
    /// A pending [`RwLock::read`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct RwLockRead<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T: ?Sized> PinnedDrop for RwLockRead<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.is_idle() {
                return;
            }
            this.lock.lines.leave::<READERS>(this.waiter, |hold, _, turned| {
                if turned == Turned::Granted {
                    hold.0 -= 1;
                }
                StoredWaker::NONE
            });
            this.lock.lines.wake_on(admit);
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockRead<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock: &'a RwLock<T> = this.lock;
        let claim = |hold: &mut Hold, lines: &mut [Line; 2], turned| {
            let inside = match turned {
                Turned::Granted => Some(()),
                Turned::New => read_as_newcomer(hold, lines),
                Turned::First | Turned::Again => None,
            };
            inside.map(|()| ((), StoredWaker::NONE))
        };
        lock.lines.poll::<READERS, _, _>(this.waiter, cx, claim, |()| lock.read_guard())
    }
}

impl<T: ?Sized> fmt::Debug for RwLockRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLockRead")
    }
}

pin_project_lite::pin_project! {
    /// A pending [`RwLock::write`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct RwLockWrite<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        waiter: Waiter,
    }

    impl<T: ?Sized> PinnedDrop for RwLockWrite<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.is_idle() {
                return;
            }
            this.lock.lines.leave::<WRITERS>(this.waiter, |hold, _, turned| {
                if turned == Turned::Granted {
                    *hold = Hold::FREE;
                }
                StoredWaker::NONE
            });
            this.lock.lines.wake_on(admit);
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockWrite<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock: &'a RwLock<T> = this.lock;
        let claim = |hold: &mut Hold, lines: &mut [Line; 2], turned| {
            let inside = match turned {
                Turned::Granted => Some(()),
                Turned::New => {
                    let inside = write_as_newcomer(hold, lines);
                    if inside.is_none() {
                        begin_round(lines);
                    }
                    inside
                }
                Turned::First | Turned::Again => None,
            };
            inside.map(|()| ((), StoredWaker::NONE))
        };
        lock.lines.poll::<WRITERS, _, _>(this.waiter, cx, claim, |()| lock.write_guard())
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWrite<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLockWrite")
    }
}

/// The right to read the value of an [`RwLock`]; its drop gives it back.
#[must_use = "the lock is given back when the guard drops"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// It is `Send` and `Sync` as a `&T` is.
    _access: PhantomData<&'a T>,
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `ManyOrOne`: nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release(|hold| hold.0 -= 1);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The right to change the value of an [`RwLock`]; its drop gives it back.
#[must_use = "the lock is given back when the guard drops"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// It is `Send` and `Sync` as a `&mut T` is, if `T` is `Sync`: downgraded, it is one of many.
    _access: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes from writing to reading, without letting anybody write in between. Readers in front of the line come in too.
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let lock = ManuallyDrop::new(this).lock;
        let guard = lock.read_guard();
        lock.release(|hold| *hold = Hold(1));
        guard
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `ManyOrOne`: nobody else is inside.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: `ManyOrOne`, and `&mut self` keeps out other uses of the guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release(|hold| *hold = Hold::FREE);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
