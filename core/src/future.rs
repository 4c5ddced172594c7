#![allow(unsafe_code)] // a value that is written once and then read through shared references
//! `Future`: a value that comes once, for any number of awaiters and callbacks.
//!
//! Those who wait stand in one line (see `line`), awaiters and callbacks alike, and are woken in order of arrival when the
//! future ends. As a task, a future is something that a cancellation is passed on to: whoever is cancelled while it awaits
//! one cancels the future.
//!
//! Invariants:
//! - `SetOnce`: the value is written while the stage is `Pending`, just before that is `Done`, and is not touched again before
//!   the drop.
//! - `OwnPlace`: what a task notes is its own place in the line, which says all that there is to ask, and leads along the
//!   line. So one that was leaked leads to nothing that is gone, or has moved.

mod line;

pub(crate) use line::Place;

use crate::sched::current;
use crate::task::awaited::{Awaited, Awaits, Table, Waiting};
use crate::task::slot::Slot;
use crate::task::{Cancelled, StoredWaker};
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::future::IntoFuture;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use line::{Line, Stage};

/// A value that is set once, and awaited by any number of tasks. asyncio: `Future`.
///
/// It is one object for all sides: in the frame of a task whose children borrow it, or behind an `Rc`. Awaiting `&future`
/// gives a reference to the value, or [`Cancelled`]. A failure is a value: a `Future<Result<V, E>>`.
///
/// ```
/// # corio_sim::run(async {
/// use std::rc::Rc;
/// let answer = Rc::new(corio::Future::new());
/// let side = answer.clone();
/// let worker = corio::spawn(async move { side.set(42).unwrap() });
/// assert_eq!((&*answer).await, Ok(&42));
/// assert_eq!(answer.wait().await, Ok(&42)); // the same, and as often as one likes
/// assert_eq!(answer.set(43), Err(43)); // once is once
/// # worker.await.unwrap(); });
/// ```
///
/// It belongs to one thread, as tasks do; waiting allocates nothing. Between threads, and from interrupts, there is
/// [`OneShot`](crate::OneShot).
///
/// # Cancellation
/// A task that is cancelled while it awaits a future cancels the future, for all who await it, and unwinds when its own turn
/// comes; a timeout around it does the same. Under a foreign combinator with wakers of its own nothing is passed on: what is
/// below is just dropped. Whoever should not have that say waits for an [`Event`](crate::Event) that is set beside it.
pub struct Future<T> {
    line: Line,
    value: UnsafeCell<MaybeUninit<T>>,
    /// The tasks that wait for it are cancelled with it: all is on one thread.
    _not_send: PhantomData<*const ()>,
}

impl<T> Future<T> {
    /// A future that is pending.
    pub const fn new() -> Self {
        Self { line: Line::new(), value: UnsafeCell::new(MaybeUninit::uninit()), _not_send: PhantomData }
    }

    /// Sets the value. Awaiters and callbacks run in the next turn, in order of arrival. asyncio: `set_result`,
    /// `set_exception`.
    ///
    /// # Errors
    /// When the future has ended; the value comes back.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.is_done() {
            return Err(value);
        }
        // SAFETY: `SetOnce`: pending until now.
        unsafe { (*self.value.get()).write(value) };
        self.line.end(Stage::Done);
        Ok(())
    }

    /// Ends the future without a value; false if it has ended. asyncio: `cancel`.
    pub fn cancel(&self) -> bool {
        let pending = !self.is_done();
        if pending {
            self.line.end(Stage::Cancelled);
        }
        pending
    }

    /// True once there is a value, or the future was cancelled. asyncio: `done`.
    pub fn is_done(&self) -> bool {
        self.line.stage() != Stage::Pending
    }

    /// True once the future was cancelled. asyncio: `cancelled`.
    pub fn is_cancelled(&self) -> bool {
        self.line.stage() == Stage::Cancelled
    }

    /// How it ended, or none while it is pending. asyncio: `result`, `exception`.
    pub fn outcome(&self) -> Option<Result<&T, Cancelled>> {
        match self.line.stage() {
            Stage::Pending => None,
            // SAFETY: `SetOnce`: written, and there as long as `self`.
            Stage::Done => Some(Ok(unsafe { (*self.value.get()).assume_init_ref() })),
            Stage::Cancelled => Some(Err(Cancelled)),
        }
    }

    /// How it ended, or none if it was pending, for whoever owns it.
    pub fn into_outcome(self) -> Option<Result<T, Cancelled>> {
        let stage = self.line.stage();
        // Without a value the drop has nothing to do: whoever waits is gone, or was leaked.
        self.line.forget_all();
        let this = core::mem::ManuallyDrop::new(self);
        match stage {
            Stage::Pending => None,
            // SAFETY: `SetOnce`: written, and nobody will look at it again.
            Stage::Done => Some(Ok(unsafe { (*this.value.get()).assume_init_read() })),
            Stage::Cancelled => Some(Err(Cancelled)),
        }
    }

    /// Waits for the end; not at all if it is there. `(&future).await` is the same.
    ///
    /// # Cancel safety
    /// **Not safe.** A task that is cancelled here cancels the future, as in asyncio, for all who wait for it;
    /// [`shield`](crate::shield()) keeps that from it. Dropping what this returns just leaves the line, and loses
    /// nothing.
    ///
    /// # Fairness
    /// Awaiters and callbacks run in order of arrival.
    pub fn wait(&self) -> FutureWait<'_, T> {
        let node = Node {
            awaited: Awaited::new(&Node::<T>::TABLE),
            place: Place::new(),
            future: self,
            waiting: Cell::new(None),
        };
        FutureWait { node, _future: PhantomData }
    }

    /// Has whoever is at `place` woken at the end, behind those who wait already; ready if it has ended. The owner of the
    /// place calls `leave` in its drop, and uses it for this future only.
    pub(crate) fn poll_end(&self, place: Pin<&mut Place>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_done() {
            // The clone of a foreign waker is foreign code, which may end the future.
            let waker = StoredWaker::of(cx.waker());
            if !self.is_done() {
                // SAFETY: pinned, and pending; the rest is the owner's word.
                drop(unsafe { self.line.stand(&place, waker) });
                return Poll::Pending;
            }
        }
        self.leave(place);
        Poll::Ready(())
    }

    /// Takes `place` out.
    pub(crate) fn leave(&self, place: Pin<&mut Place>) {
        // SAFETY: in this line or in none, by the word of the place's owner.
        drop(unsafe { self.line.leave(&place) });
    }
}

/// What is in it is never pinned.
impl<T> Unpin for Future<T> {}

impl<T> Default for Future<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        self.line.forget_all();
        if self.line.stage() == Stage::Done {
            // SAFETY: `SetOnce`: written, and not used again.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Future").field("outcome", &self.outcome()).finish()
    }
}

impl<'a, T> IntoFuture for &'a Future<T> {
    type Output = Result<&'a T, Cancelled>;
    type IntoFuture = FutureWait<'a, T>;

    fn into_future(self) -> FutureWait<'a, T> {
        self.wait()
    }
}

/// A pending [`Future::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct FutureWait<'a, T> {
    node: Node<T>,
    _future: PhantomData<&'a Future<T>>,
}

/// One who awaits the future.
#[repr(C)]
struct Node<T> {
    /// First, so that its address is the node's.
    awaited: Awaited,
    place: Place,
    /// It is there as long as the borrow of the `FutureWait`, which is not as long as this if that was leaked.
    future: *const Future<T>,
    /// The task that has noted this.
    waiting: Cell<Option<Waiting>>,
}

impl<T> Node<T> {
    const TABLE: Table = Table {
        // SAFETY: the table is that of such a node, which is there by the caller's word; `OwnPlace`.
        cancel: |this| unsafe { this.cast::<Self>().as_ref() }.place.cancel(),
        // SAFETY: as above.
        was_cancelled: |this| unsafe { this.cast::<Self>().as_ref() }.place.was_cancelled(),
    };

    /// Has `task`, whose step this is, note that it waits, and whoever noted it before forget it.
    fn note(self: Pin<&Self>, task: Option<&'static Slot>) {
        let awaits = Awaits::other(NonNull::from(&*self).cast());
        // SAFETY: `OwnThread`: the node is not `Send`. `Noted`: it is pinned, and its drop takes the note back.
        unsafe {
            if let Some(before) = self.waiting.take() {
                before.forget(awaits, self.place.was_cancelled());
            }
            self.waiting.set(task.map(|task| Waiting::note(task, awaits)));
        }
    }

    fn place(self: Pin<&mut Self>) -> Pin<&mut Place> {
        // SAFETY: pinned with it.
        unsafe { self.map_unchecked_mut(|this| &mut this.place) }
    }
}

impl<'a, T> core::future::Future for FutureWait<'a, T> {
    type Output = Result<&'a T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: pinned with it.
        let mut node = unsafe { self.map_unchecked_mut(|this| &mut this.node) };
        // SAFETY: borrowed for 'a.
        let future = unsafe { &*node.future };
        let polled = future.poll_end(node.as_mut().place(), cx);
        let task = current::find().and_then(|here| here.ready().running_task(cx.waker()));
        node.as_ref().note(task.filter(|_| polled.is_pending()));
        polled.map(|()| future.outcome().unwrap_or(Err(Cancelled)))
    }
}

impl<T> Drop for FutureWait<'_, T> {
    fn drop(&mut self) {
        // SAFETY: whoever polled it had it pinned, and it is not moved any more.
        let mut node = unsafe { Pin::new_unchecked(&mut self.node) };
        node.as_ref().note(None);
        // SAFETY: borrowed.
        unsafe { &*node.future }.leave(node.as_mut().place());
    }
}

impl<T> fmt::Debug for FutureWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FutureWait")
    }
}
