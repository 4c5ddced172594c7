#![allow(unsafe_code)] // reads an output of the type that the handle remembers
//! `Task<T>`: the one handle of a task. It owns the outcome; dropping it cancels.

use super::StoredWaker;
use super::awaited::Awaits;
use super::body::Header;
use super::slot::Slot;
use super::waker;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

/// A task that runs on its own, and the right to its outcome. asyncio: `Task`.
///
/// Awaiting it gives `Ok` with what the future returned, or [`Cancelled`]. Dropping it cancels the task;
/// [`detach`](Self::detach) lets it go. It belongs to the thread of its loop.
///
/// ```
/// # corio_sim::run(async {
/// let task = corio::spawn(async { 7 });
/// assert_eq!(task.await, Ok(7));
///
/// let endless = corio::spawn(std::future::pending::<()>());
/// endless.cancel();
/// assert_eq!(endless.await, Err(corio::Cancelled));
/// # });
/// ```
///
/// # Cancel safety
/// **Not safe.** Who awaits `task` itself and is dropped drops the task, which cancels it. Awaiting `&mut task` and
/// dropping that loses nothing: the task goes on and its outcome stays. A task that is cancelled in either cancels the
/// one that it awaits, unless there is a [`shield`](crate::shield()) between.
///
/// # Panics
/// A panic in the task's future goes through the loop to whoever runs it; the task counts as cancelled.
#[must_use = "dropping a task cancels it; await it, or call `.detach()` to let it go"]
pub struct Task<T> {
    slot: Option<&'static Slot>,
    _output: PhantomData<*const T>,
}

/// The task was cancelled before it could finish. asyncio: `CancelledError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled")
    }
}

impl core::error::Error for Cancelled {}

impl<T> Task<T> {
    /// # Safety
    /// The slot was started with a handle, for a body whose output is `T`, by this thread's loop; there is no other
    /// handle.
    pub(crate) unsafe fn new(slot: &'static Slot) -> Self {
        Self { slot: Some(slot), _output: PhantomData }
    }

    /// A task that was not even started.
    pub(crate) fn refused() -> Self {
        Self { slot: None, _output: PhantomData }
    }

    /// The slot, if the task was started.
    #[cfg(feature = "alloc")]
    pub(crate) fn slot(&self) -> Option<&'static Slot> {
        self.slot
    }

    /// Asks the task to end: at its next turn it unwinds, its future is dropped instead of polled. False if it has ended
    /// already. asyncio: `Task.cancel`.
    ///
    /// If it waits for another task, or for a settable future, that is cancelled, and the task unwinds when
    /// that has ended. What it stands in may have the last word: a group waits for its children first, and a
    /// timeout whose time is up takes its own request back.
    ///
    /// A task cancelled before its first step never runs. One that cancels itself and returns without waiting again ends
    /// cancelled all the same, and what it returned is dropped; an `Err` too, where asyncio would keep the exception.
    pub fn cancel(&self) -> bool {
        self.slot.is_some_and(Slot::cancel)
    }

    /// How often the task was asked to end, up to 63 times. asyncio: `Task.cancelling`.
    pub fn cancelling(&self) -> u32 {
        self.slot.map_or(0, |slot| slot.cancels().into())
    }

    /// Takes one request to end back, and returns how many are left; with the last of them goes what has not taken effect
    /// yet. asyncio: `Task.uncancel`.
    pub fn uncancel(&self) -> u32 {
        self.slot.map_or(0, |slot| slot.uncancel().into())
    }

    /// True once the task has returned or was cancelled. asyncio: `Task.done`.
    pub fn is_done(&self) -> bool {
        self.slot.is_none_or(|slot| !slot.is_alive())
    }

    /// Lets the task go: it runs to its end, and what it returns is dropped.
    pub fn detach(self) {
        if let Some(slot) = ManuallyDrop::new(self).slot {
            let_go(slot);
        }
    }

    /// The name given at [`spawn_with`](crate::spawn_with). asyncio: `Task.get_name`.
    pub fn name(&self) -> Option<&'static str> {
        // SAFETY: the handle is there, so the body is; this is its loop's thread.
        self.slot.and_then(|slot| unsafe { Header::name(header(slot)) })
    }
}

pub(super) fn header(slot: &Slot) -> NonNull<Header> {
    // SAFETY: a slot with a handle was started with a body.
    unsafe { NonNull::new_unchecked(slot.header()) }
}

/// Has `waker` woken at the end of the task in `slot`, whose handle is polled.
#[inline]
pub(super) fn wait(slot: &'static Slot, waker: &Waker) {
    let Some(waiting) = waker::slot(waker) else { return wait_among(slot, waker) };
    // SAFETY: `OwnerOnly`: a handle is on its loop's thread; the body is there as long as the handle.
    if !unsafe { header(slot).as_ref().with_join(|join| join.set_only(waiting)) } {
        return wait_among(slot, waker);
    }
    note(slot, waiting);
}

/// The same, for a waker that is foreign, or where others wait.
#[cold]
fn wait_among(slot: &'static Slot, waker: &Waker) {
    // A foreign waker's clone runs before the place is touched, and the drop of the old one after.
    let stored = StoredWaker::of(waker);
    // SAFETY: as above.
    drop(unsafe { header(slot).as_ref().with_join(|join| join.set_handle(stored)) });
    if let Some(waiting) = waker::slot(waker) {
        note(slot, waiting);
    }
}

/// If `waiting` is the task whose step this is, it waits for the one in `slot`.
#[inline]
fn note(slot: &'static Slot, waiting: &'static Slot) {
    if slot.owner().speaks_for(waiting) {
        // SAFETY: its step is under way on this thread. `Noted`: a task's slot is always there.
        unsafe { waiting.await_on(Awaits::task(slot)) };
    }
}

/// The handle goes; if the loop is done with the task, the body goes with it. If not, the loop will free it: it may be
/// in the middle of dropping the future, which may own this very handle.
pub(super) fn let_go(slot: &'static Slot) {
    slot.drop_handle();
    if slot.is_settled() {
        // SAFETY: settled, and its only handle is gone: nobody else comes near the body.
        unsafe { Header::free(header(slot), slot) };
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Cancelled>;

    // Half of it is what a call would save and restore.
    #[cfg_attr(any(feature = "std", loom), inline(always))]
    #[cfg_attr(not(any(feature = "std", loom)), inline)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(slot) = this.slot else { return Poll::Ready(Err(Cancelled)) };
        if !slot.is_settled() {
            wait(slot, cx.waker());
            return Poll::Pending;
        }
        let header = header(slot);
        let mut output = MaybeUninit::<T>::uninit();
        // SAFETY: by `new`, the output is a `T`; settled, so the body is ours.
        let there = unsafe { Header::take_output(header, slot, output.as_mut_ptr().cast()) };
        this.slot = None;
        slot.drop_handle();
        // SAFETY: settled, its output taken and its only handle gone: nobody else comes near the body.
        unsafe { Header::release(header, slot) };
        // SAFETY: written if it was there.
        Poll::Ready(if there { Ok(unsafe { output.assume_init() }) } else { Err(Cancelled) })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.cancel();
            let_go(slot);
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name()).field("done", &self.is_done()).finish()
    }
}
