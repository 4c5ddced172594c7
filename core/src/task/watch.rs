#![allow(unsafe_code)] // reaches the header and the output of another task
//! Looking at a task from beside: waiting for its end, reading its outcome, and naming it without owning it.

use super::awaited::{Awaits, Mark};
use super::body::Header;
use super::handle::{Cancelled, Task, header};
use super::joiners::Key;
use super::ready::Ready;
use super::slot::Slot;
use super::{StoredWaker, waker};
use crate::sched::current;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

impl<T> Task<T> {
    /// Waits until the task has ended, without taking its outcome. Any number may wait, and all are told.
    ///
    /// As for whoever awaits the handle: to cancel one who waits here cancels the task.
    ///
    /// ```
    /// # corio_sim::run(async {
    /// let task = corio::spawn(async { 5 });
    /// task.ended().await;
    /// assert_eq!(task.outcome(), Some(Ok(&5)));
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// **Not safe.** A task that is cancelled here cancels the one that it waits for, as if it awaited that. Dropping
    /// the future just leaves the line, and loses nothing.
    pub fn ended(&self) -> Ended<'_> {
        Ended { watch: Watch::new(self.slot()), _task: PhantomData }
    }

    /// How the task ended, or none while it has not.
    pub fn outcome(&self) -> Option<Result<&T, Cancelled>> {
        let Some(slot) = self.slot() else { return Some(Err(Cancelled)) };
        if !slot.is_settled() {
            return None;
        }
        if !slot.has_output() {
            return Some(Err(Cancelled));
        }
        // SAFETY: settled, so the body is the handle's, which is borrowed; by `new` the output is a `T`.
        Some(Ok(unsafe { &*Header::value(header(slot)).cast::<T>() }))
    }

    /// Names the task: to cancel it, to ask for its name, without owning it.
    pub fn id(&self) -> TaskId {
        TaskId::of(self.slot())
    }
}

/// A pending [`Task::ended`].
#[must_use = "futures do nothing unless awaited"]
pub struct Ended<'a> {
    watch: Watch,
    /// Borrowed, and on its loop's thread.
    _task: PhantomData<(&'a (), *const ())>,
}

impl Ended<'_> {
    /// # Safety
    /// As long as it is there, so is a handle of the task.
    pub(super) unsafe fn new(slot: Option<&'static Slot>) -> Self {
        Self { watch: Watch::new(slot), _task: PhantomData }
    }
}

impl Future for Ended<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: pinned with it. The task is borrowed, so its handle is there.
        unsafe { self.map_unchecked_mut(|this| &mut this.watch).poll(cx.waker()) }
    }
}

impl fmt::Debug for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ended")
    }
}

/// One who waits for the end of a task without owning it.
struct Watch {
    slot: Option<&'static Slot>,
    /// As what it stands among the joiners of the task.
    key: Cell<Option<Key>>,
    _pinned: PhantomPinned,
}

impl Watch {
    fn new(slot: Option<&'static Slot>) -> Self {
        Self { slot, key: Cell::new(None), _pinned: PhantomPinned }
    }

    /// # Safety
    /// The handle of the task is there, on this thread.
    unsafe fn poll(self: Pin<&mut Self>, by: &Waker) -> Poll<()> {
        let Some(slot) = self.slot else { return Poll::Ready(()) };
        if slot.is_settled() {
            self.key.set(None);
            return Poll::Ready(());
        }
        let ours = waker::slot(by);
        let key = ours.map_or_else(|| Key::of(&*self), Key::of_slot);
        if self.key.get() != Some(key) || ours.is_none() {
            let foreign = if ours.is_some() { StoredWaker::NONE } else { StoredWaker::of(by) };
            // SAFETY: `OwnerOnly`, by the caller's word.
            let old = unsafe {
                header(slot).as_ref().with_join(|join| {
                    let old = self.key.get().map_or(StoredWaker::NONE, |key| join.unwatch(key));
                    match ours {
                        Some(watcher) => join.watch(watcher),
                        None => join.watch_foreign(foreign, key),
                    }
                    old
                })
            };
            self.key.set(Some(key));
            drop(old);
        }
        if let Some(waiting) = slot.owner().running_task(by) {
            // SAFETY: its step is under way on this thread. `Noted`: a task's slot is always there.
            unsafe { waiting.await_on(Awaits::task(slot)) };
        }
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (Some(slot), Some(key)) = (self.slot, self.key.get()) else { return };
        // SAFETY: `OwnerOnly`: this is not `Send`. The handle is there, so the body is, and settled or not it is this
        // very task's.
        unsafe {
            if !slot.is_settled() {
                drop(header(slot).as_ref().with_join(|join| join.unwatch(key)));
            }
        }
    }
}

/// The name of a task that somebody else owns, or nobody.
///
/// It may outlive the task; then it names one that has ended.
#[derive(Clone, Copy)]
pub struct TaskId {
    slot: Option<&'static Slot>,
    id: u32,
    /// Of the task's loop.
    lease: u32,
    owner: Option<&'static Ready>,
    _not_send: PhantomData<*const ()>,
}

impl TaskId {
    pub(crate) fn of(slot: Option<&'static Slot>) -> Self {
        let owner = slot.map(Slot::owner);
        let lease = owner.map_or(0, Ready::lease);
        Self { slot, id: slot.map_or(0, Slot::id), lease, owner, _not_send: PhantomData }
    }

    /// True when it names the task that is in `slot`. Numbers go on from lease to lease of a loop.
    #[inline]
    pub(crate) fn is_of(&self, slot: &'static Slot) -> bool {
        self.slot.is_some_and(|it| core::ptr::eq(it, slot))
            && self.id == slot.id()
            && self.owner.is_some_and(|owner| core::ptr::eq(owner, slot.owner()))
    }

    /// The slot, while the task is in it, alive (`Named`). Only what is this thread's is looked at: the loop, if its lease has
    /// not ended; then the slot, if it is that loop's still.
    pub(crate) fn alive(&self) -> Option<&'static Slot> {
        let (slot, owner) = (self.slot?, self.owner?);
        let same = owner.lease() == self.lease && core::ptr::eq(slot.owner(), owner);
        (same && slot.id() == self.id && slot.is_alive()).then_some(slot)
    }

    /// Asks the task to end: see [`Task::cancel`].
    pub fn cancel(&self) -> bool {
        self.alive().is_some_and(Slot::cancel)
    }

    /// Asks what is in a scope of the task to unwind: see `Slot::cancel_scope`.
    pub(crate) fn cancel_scope(&self, awaits: Mark) {
        if let Some(slot) = self.alive() {
            slot.cancel_scope(awaits);
        }
    }

    /// What it waits for, if it is alive: see `Slot::awaited`.
    pub(crate) fn awaited(&self) -> Option<Mark> {
        self.alive().map(Slot::awaited)
    }

    /// Makes the task ready.
    pub(crate) fn wake(&self) {
        if let Some(slot) = self.alive() {
            slot.wake();
        }
    }

    /// How often the task was asked to end: see [`Task::cancelling`].
    pub fn cancelling(&self) -> u32 {
        self.alive().map_or(0, |slot| slot.cancels().into())
    }

    /// Takes one request to end back, and returns how many are left: see [`Task::uncancel`].
    pub fn uncancel(&self) -> u32 {
        self.alive().map_or(0, |slot| slot.uncancel().into())
    }

    /// True once the task has ended.
    pub fn is_done(&self) -> bool {
        self.alive().is_none()
    }

    /// The name given at [`spawn_with`](crate::spawn_with), while the task is alive.
    pub fn name(&self) -> Option<&'static str> {
        // SAFETY: alive, so the body is there; this is its loop's thread.
        self.alive().and_then(|slot| unsafe { Header::name(NonNull::new_unchecked(slot.header())) })
    }
}

impl PartialEq for TaskId {
    fn eq(&self, other: &Self) -> bool {
        let same = match (self.slot, other.slot) {
            (Some(a), Some(b)) => core::ptr::eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same && self.id == other.id && self.lease == other.lease
    }
}

impl Eq for TaskId {}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskId").field("id", &self.id).field("name", &self.name()).finish()
    }
}

/// The task whose step this is; none in a callback, and outside of a loop. asyncio: `current_task`.
///
/// ```
/// use corio::{Spawn, current_task, spawn_with};
/// # corio_sim::run(async {
/// let task = spawn_with(Spawn::new().name("worker"), async { current_task() });
/// let id = task.id();
/// assert_eq!(task.await, Ok(Some(id)));
/// # });
/// ```
pub fn current_task() -> Option<TaskId> {
    let running = current::find()?.ready().running()?;
    (!running.is_hidden()).then(|| TaskId::of(Some(running)))
}

/// The tasks of the running loop that have not ended, in order of creation. asyncio: `all_tasks`.
///
/// ```
/// use corio::{all_tasks, spawn};
/// # corio_sim::run(async {
/// let (a, b) = (spawn(async {}), spawn(async {}));
/// assert!(all_tasks().ends_with(&[a.id(), b.id()]));
/// # });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn all_tasks() -> alloc::vec::Vec<TaskId> {
    // SAFETY: `OwnThread`: the ambient loop is this thread's.
    let slots = unsafe { current::get("all_tasks()").tasks() };
    slots.into_iter().filter(|slot| !slot.is_hidden()).map(|slot| TaskId::of(Some(slot))).collect()
}
