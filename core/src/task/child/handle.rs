#![allow(unsafe_code)] // frees a body with its group, and reads a value of the type that the handle remembers
//! `Child<T>`: the handle of a task in a group.

use super::{Node, Release};
use crate::task::handle::{Cancelled, header, wait};
use crate::task::joiners::Joiners;
use crate::task::slot::Slot;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

#[cfg(feature = "alloc")]
use crate::task::body::Header;
#[cfg(feature = "alloc")]
use crate::task::watch::{Ended, TaskId};

/// A task of a [group](crate::group()), and the right to its value.
///
/// Awaiting it gives `Ok` with the value, or [`Cancelled`] if the child was cancelled, or failed: its error is the group's.
/// Other than a [`Task`](crate::Task) it belongs to the group, so dropping it does nothing to the child.
///
/// ```
/// use corio::{GroupError, group, sleep, Duration};
/// # corio_sim::run(async {
/// let sum: Result<u32, GroupError<&str>> = group(async |g| {
///     let a = g.spawn(async { Ok(1) });
///     let b = g.spawn(async { sleep(Duration::from_secs(1)).await; Ok(2) });
///     Ok(a.await.unwrap() + b.await.unwrap())
/// }).await;
/// assert_eq!(sum.unwrap(), 3);
/// # });
/// ```
///
/// # Cancel safety
/// **Not safe.** Who awaits `child` itself and is dropped loses its value. Awaiting `&mut child` and dropping that
/// loses nothing: the child goes on and its value stays. A task that is cancelled in either cancels the child.
pub struct Child<T> {
    /// None: it was not even started, or its value has been taken.
    node: Option<NonNull<Node>>,
    _value: PhantomData<*const T>,
}

impl<T> Child<T> {
    /// A child that was not even started.
    pub(crate) fn refused() -> Self {
        Self { node: None, _value: PhantomData }
    }

    /// # Safety
    /// The node is that of a child whose value is a `T`; it holds the body from here on.
    #[inline]
    pub(super) unsafe fn new(node: NonNull<Node>) -> Self {
        Self { node: Some(node), _value: PhantomData }
    }

    #[inline]
    pub(super) fn node(&self) -> Option<&Node> {
        // SAFETY: the body is there as long as this is.
        self.node.map(|node| unsafe { node.as_ref() })
    }

    pub(crate) fn slot(&self) -> Option<&'static Slot> {
        self.node()?.task.get()
    }

    /// Asks the child to end. The group goes on: a child that was cancelled has not failed. See
    /// [`Task::cancel`](crate::Task::cancel).
    pub fn cancel(&self) -> bool {
        self.slot().is_some_and(Slot::cancel)
    }

    /// How often the child was asked to end, up to 63 times.
    pub fn cancelling(&self) -> u32 {
        self.slot().map_or(0, |slot| slot.cancels().into())
    }

    /// Takes one request to end back: see [`Task::uncancel`](crate::Task::uncancel).
    pub fn uncancel(&self) -> u32 {
        self.slot().map_or(0, |slot| slot.uncancel().into())
    }

    /// True once the child has returned or was cancelled.
    pub fn is_done(&self) -> bool {
        self.slot().is_none_or(|slot| !slot.is_alive())
    }

    /// Gives up the right to the value. What is returned is the slot if the body is the caller's to free.
    fn give_up(&mut self) -> Option<&'static Slot> {
        // SAFETY: the body is there until this returns.
        let node = unsafe { self.node.take()?.as_ref() };
        node.held.set(false);
        if node.family.get().is_null() { node.task.get() } else { None }
    }
}

#[cfg(feature = "alloc")]
impl<T> Child<T> {
    /// The name given at [`Group::spawn_with`](crate::Group::spawn_with).
    pub fn name(&self) -> Option<&'static str> {
        self.node()?.name
    }

    /// Names the child: to cancel it, to ask for its name, without this handle.
    pub fn id(&self) -> TaskId {
        TaskId::of(self.slot())
    }

    /// Waits until the child has ended, without taking its value: see [`Task::ended`](crate::Task::ended).
    ///
    /// # Cancel safety
    /// **Not safe.** A task that is cancelled here cancels the child, as if it awaited that. Dropping the future just
    /// leaves the line, and loses nothing.
    pub fn ended(&self) -> Ended<'_> {
        // SAFETY: it borrows this, which is a handle of the task.
        unsafe { Ended::new(self.slot()) }
    }

    /// How the child ended, or none while it has not. One that failed counts as cancelled, for its error is the group's.
    pub fn outcome(&self) -> Option<Result<&T, Cancelled>> {
        let Some(node) = self.node() else { return Some(Err(Cancelled)) };
        let slot = node.task.get().filter(|slot| slot.is_settled())?;
        if !slot.has_output() {
            return Some(Err(Cancelled));
        }
        // SAFETY: settled, and the body is there; `OwnerOnly`: this is not `Send`. By `spawn` the value is a `T`.
        let value = unsafe { Header::value(header(slot)).cast::<T>().as_ref() };
        Some(value.ok_or(Cancelled))
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(node) = this.node() else { return Poll::Ready(Err(Cancelled)) };
        let Some(slot) = node.task.get() else { return Poll::Ready(Err(Cancelled)) };
        if !slot.is_settled() {
            node.polled.set(true);
            wait(slot, cx.waker());
            return Poll::Pending;
        }
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: settled, and the body is there; the value is a `T`, by `new`. An error is left for the group.
        let there = unsafe { (node.take)(header(slot), slot, value.as_mut_ptr().cast()) };
        let _release = this.give_up().map(Release);
        // SAFETY: written if it was there.
        Poll::Ready(if there { Ok(unsafe { value.assume_init() }) } else { Err(Cancelled) })
    }
}

impl<T> Drop for Child<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(node) = self.node()
            && node.polled.get()
        {
            forget_waker(node);
        }
        drop(self.give_up().map(Release));
    }
}

/// Who awaited the child does not any more.
#[cold]
fn forget_waker(node: &Node) {
    if let Some(slot) = node.task.get().filter(|slot| !slot.is_settled()) {
        // SAFETY: `OwnerOnly`: a node is not `Send`, nor is what leads to it.
        drop(unsafe { header(slot).as_ref().with_join(Joiners::unset_handle) });
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut child = f.debug_struct("Child");
        #[cfg(feature = "alloc")]
        child.field("name", &self.name());
        child.field("done", &self.is_done()).finish()
    }
}
