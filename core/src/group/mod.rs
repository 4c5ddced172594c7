#![allow(unsafe_code)] // children lead back to the group in its pinned frame
//! `group`: tasks that are left together. asyncio: `TaskGroup`.
//!
//! ```text
//!   group().await ─► frame { Circle: family, errors ; body(&Group) }
//!                      ▲ each child's end is an entry of the queue (see `task::child`):
//!                      │   the last one wakes a parent that waits at the exit
//!                      └── a failed one, the first time: cancels the others, in order of creation, then the parent
//! ```
//!
//! A scope (see `scope`) that waits while it is unwound: it takes the unwinding up, has its children unwind, and when the
//! last has ended it raises the flag again, or gives the errors instead.
//!
//! Invariant `InFrame`: a `Circle` does not move, and is dropped before its place is used again: it is in a pinned frame.

mod errors;
mod name;
mod pooled;

#[cfg(feature = "alloc")]
mod handle;
#[cfg(feature = "alloc")]
mod scoped;

pub use errors::{Errors, FewErrors, FewErrorsIter, GroupError};
#[cfg(feature = "alloc")]
pub use handle::GroupHandle;
pub use pooled::{PoolGroup, PoolGroupHandle};
#[cfg(feature = "alloc")]
pub use scoped::{Scope, ScopeHandle, ScopedChild, scope};

use crate::sched::{Loop, current};
use crate::scope::{self, Unwound};
use crate::task::StoredWaker;
use crate::task::awaited::Mark;
use crate::task::child::{Family, Parent};
use crate::task::slot::Slot;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use name::Name;

#[cfg(feature = "alloc")]
use crate::sched::Spawn;
#[cfg(feature = "alloc")]
use crate::task::{Child, TaskId};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use core::pin::pin;

/// Without an allocator tasks have no numbers, so a group cannot tell whether the task that it is in is still there. It
/// unwinds what it holds by itself then, as a group that is polled with a foreign waker does.
#[cfg(not(feature = "alloc"))]
#[derive(Clone, Copy)]
enum TaskId {}

/// Runs `body`, which may start tasks in the group that it is given, and waits for all of them. asyncio: `TaskGroup`.
///
/// However the body is left, no child is when this is done. The first failure, a child's or the body's own `Err`, cancels
/// whatever is left, the children in order of creation and then the body; when all have ended, all errors are given.
/// A child that was cancelled has not failed.
///
/// ```
/// use corio::{Duration, group, sleep};
///
/// async fn fetch(page: u32) -> Result<u32, &'static str> {
///     sleep(Duration::from_secs(1)).await;
///     if page == 13 { Err("no such page") } else { Ok(page * 2) }
/// }
///
/// # corio_sim::run(async {
/// let sum = group(async |g| {
///     let (one, two) = (g.spawn(fetch(1)), g.spawn(fetch(2)));
///     Ok(one.await.unwrap() + two.await.unwrap())
/// });
/// assert_eq!(sum.await.unwrap(), 6);
///
/// let failed = group(async |g| {
///     g.spawn(fetch(13));
///     g.spawn(async { sleep(Duration::from_secs(3600)).await; Ok(0) }); // cancelled after a second
///     Ok(())
/// });
/// assert_eq!(failed.await.unwrap_err().errors(), ["no such page"]);
/// # });
/// ```
///
/// # Cancel safety
/// **Not safe.** Who drops the future cancels the children too, but nobody waits for them, and their values and errors
/// are lost. Cancelling waits: a task that is cancelled within a group unwinds to it; then its children are cancelled
/// and waited for, and then the task unwinds further.
///
/// # Errors
/// [`GroupError`] with all errors of children, in the order in which they failed, and the body's last. If the task was
/// asked to end meanwhile by somebody else, it unwinds at its next wait.
///
/// # Panics
/// A child that panics counts as cancelled; the panic goes through the loop.
#[cfg(feature = "alloc")]
pub async fn group<T, E, F>(body: F) -> Result<T, GroupError<E>>
where
    F: AsyncFnOnce(&Group<E>) -> Result<T, E>,
{
    let group = pin!(Group(Circle::new()));
    let group = group.as_ref().get_ref();
    let body = pin!(Some(body(group)));
    Running::new(&group.0, body).await
}

/// The children of a [`group()`], for its body.
#[cfg(feature = "alloc")]
#[repr(transparent)]
pub struct Group<E>(Circle<E, Vec<E>>);

#[cfg(feature = "alloc")]
impl<E> Group<E> {
    /// Starts a task in the group: see [`spawn`](crate::spawn()). It fails by returning `Err`.
    ///
    /// In a group that takes no more, for it is being left or was, the future is dropped at once and the child is
    /// [`Cancelled`](crate::Cancelled); see [`is_closed`](Self::is_closed).
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let here = current::get("Group::spawn()");
        if self.is_closed() {
            return Child::refused();
        }
        // SAFETY: the ambient loop; `InFrame`, and `drop` dissolves the family.
        unsafe { Family::spawn(&self.0, here, future, None) }
    }

    /// Starts a task with options: see [`spawn_with`](crate::spawn_with).
    ///
    /// With [`Spawn::eager`] the first step is made within the call. Even a child that ends in it is one of the group until
    /// the group is told, in a turn of its own: its error cancels nobody before.
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn_with<T, F>(&self, options: Spawn, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        // SAFETY: `InFrame`.
        unsafe { Self::spawn_at(self, options, future) }
    }

    /// # Safety
    /// `this` is there. When this returns it need not be, if the child was started eagerly.
    #[track_caller]
    unsafe fn spawn_at<T, F>(this: *const Self, options: Spawn, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let here = current::get("Group::spawn_with()");
        // SAFETY: by the caller's word; the ambient loop; `InFrame`, and `drop` dissolves the family.
        unsafe {
            if (*this).is_closed() {
                return Child::refused();
            }
            if options.is_eager() {
                return Family::begin(&raw const (*this).0, here, future, options);
            }
            let child = Family::spawn(&(*this).0, here, future, options.task_name());
            if let Some(slot) = child.slot() {
                options.put_context(here, slot);
            }
            child
        }
    }

    /// True when the group takes no more children: one has failed, or the body was left by an error or unwound, or
    /// [`cancel_all`](Self::cancel_all) was called, or the body was left and no child is.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// True when all children so far have ended, and the group has seen it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks all children to end, and takes no more. The body goes on; that they were cancelled is no failure.
    pub fn cancel_all(&self) {
        // SAFETY: `InFrame`.
        unsafe { Circle::cancel_all(&raw const self.0) };
    }

    /// The group by name, for its children, who may start more of their kind with it.
    pub fn handle(&self) -> GroupHandle<E> {
        // SAFETY: `InFrame`, and the drop takes the name back; it is that of this type.
        unsafe { GroupHandle::new(self.0.name.of(core::ptr::from_ref(self).cast())) }
    }
}

#[cfg(feature = "alloc")]
impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Group", f)
    }
}

/// A group, wherever its children live. Its errors are in an `L`.
#[repr(C)]
struct Circle<E, L> {
    family: Family,
    /// In the order in which they failed.
    errors: Cell<L>,
    /// The task that the group is in, when it is polled by that task's own waker.
    parent: Cell<Option<TaskId>>,
    /// Who polls, when it is not.
    poller: Cell<StoredWaker>,
    /// The way here of the handles.
    name: Name,
    stage: Cell<Stage>,
    /// It takes no more children, and those that it had were cancelled.
    aborting: Cell<bool>,
    asked: Cell<Asked>,
    /// What the parent awaits in the body, or awaited when it was asked to end.
    awaits: Cell<Mark>,
    _error: PhantomData<E>,
    _pinned: PhantomPinned,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The body runs.
    Body,
    /// The body was left.
    Exit,
    /// The body was left, and the parent waits for the last child.
    Waiting,
}

/// Whom the group has asked to end, when a child had failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nobody,
    /// The task that it is in.
    Task,
    /// Itself: it is in no task, or does not know.
    Itself,
}

// SAFETY: it is.
unsafe impl<E, L: Errors<E>> Parent for Circle<E, L> {
    type Error = E;

    fn family(&self) -> &Family {
        &self.family
    }

    #[inline]
    unsafe fn child_ended(this: NonNull<Self>, error: Option<E>) {
        // SAFETY: by the caller's word; it is not used any more when foreign code is called.
        unsafe {
            let circle = this.as_ref();
            let last = circle.stage.get() == Stage::Waiting && circle.family.is_empty();
            if last || error.is_some() {
                Self::tell(this, last, error);
            }
        }
    }
}

impl<E, L: Errors<E>> Circle<E, L> {
    fn new() -> Self {
        Self {
            family: Family::new(),
            errors: Cell::new(L::default()),
            parent: Cell::new(None),
            poller: Cell::new(StoredWaker::NONE),
            name: Name::new(),
            stage: Cell::new(Stage::Body),
            aborting: Cell::new(false),
            asked: Cell::new(Asked::Nobody),
            awaits: Cell::new(Mark::NOTHING),
            _error: PhantomData,
            _pinned: PhantomPinned,
        }
    }

    /// The `last` child has ended, or one has failed.
    ///
    /// # Safety
    /// `this` is there; it need not be when this returns.
    #[cold]
    unsafe fn tell(this: NonNull<Self>, last: bool, error: Option<E>) {
        // SAFETY: by the caller's word; after foreign code was called it is asked whether it is still there.
        unsafe {
            let circle = this.as_ref();
            let ask = error.is_some() && !circle.aborting.get();
            if let Some(error) = error {
                let mut errors = circle.errors.take();
                errors.push(error);
                circle.errors.set(errors);
            }
            let (parent, awaits) = (circle.parent.get(), circle.awaits.get());
            let poller = if last || ask { circle.poller.replace(StoredWaker::NONE) } else { StoredWaker::NONE };
            if ask {
                circle.aborting.set(true);
                circle.asked.set(if parent.is_some() { Asked::Task } else { Asked::Itself });
                #[cfg(feature = "alloc")]
                if parent.and_then(|parent| parent.awaited()) != Some(awaits) {
                    circle.awaits.set(Mark::NOTHING);
                }
            }
            let family: *const Family = &raw const (*this.as_ptr()).family;
            // From here on foreign code may be called, and the group be gone.
            #[cfg(feature = "alloc")]
            if let Some(parent) = parent
                && last
            {
                parent.wake();
            }
            if !ask {
                return poller.wake();
            }
            Family::cancel(family, |there| {
                if there {
                    #[cfg(feature = "alloc")]
                    if let Some(parent) = parent {
                        parent.cancel_scope(awaits);
                    }
                    #[cfg(not(feature = "alloc"))]
                    let _ = (parent, awaits);
                    poller.wake();
                }
            });
        }
    }
}

impl<E, L> Circle<E, L> {
    fn is_closed(&self) -> bool {
        self.aborting.get() || self.stage.get() != Stage::Body && self.family.is_empty()
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.family.is_empty()
    }

    /// # Safety
    /// `this` is there; it need not be when this returns, for foreign code is called.
    unsafe fn cancel_all(this: *const Self) {
        // SAFETY: by the caller's word.
        unsafe {
            (*this).aborting.set(true);
            Family::cancel(&raw const (*this).family, |_| ());
        }
    }

    /// Notes who polls. Returns the task whose step this is, if it is polled by its own waker.
    #[inline]
    fn set_poller(&self, here: Option<&'static Loop>, cx: &Context<'_>) -> Option<&'static Slot> {
        let task = here.and_then(|here| here.ready().running_task(cx.waker())).filter(|slot| slot.is_task());
        #[cfg(feature = "alloc")]
        match task {
            Some(slot) if self.parent.get().is_some_and(|parent| parent.is_of(slot)) => {}
            task => {
                self.parent.set(task.map(|slot| TaskId::of(Some(slot))));
                if self.asked.get() == Asked::Task {
                    // That one is asked in vain: this is somebody else's by now.
                    self.asked.set(Asked::Itself);
                }
            }
        }
        if task.is_none() || cfg!(not(feature = "alloc")) {
            drop(self.poller.replace(StoredWaker::of(cx.waker())));
        }
        task
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name).field("empty", &self.is_empty()).field("closed", &self.is_closed()).finish()
    }
}

impl<E, L> Drop for Circle<E, L> {
    fn drop(&mut self) {
        self.name.take_back();
        #[cfg(feature = "alloc")]
        if self.asked.get() == Asked::Task
            && let Some(parent) = self.parent.get()
            && crate::task::current_task() == Some(parent)
        {
            // It was not delivered. Who drops the group because another branch was first is not cancelled for it.
            parent.uncancel();
        }
        self.family.dissolve();
    }
}

/// A group from its first poll to its end.
struct Running<'a, F, T, E, L> {
    group: &'a Circle<E, L>,
    body: Pin<&'a mut Option<F>>,
    /// There is a pending scope within the body.
    nested: bool,
    /// The body was asked to unwind, because a child has failed.
    unwound: bool,
    /// How the body was left, if not by being unwound.
    left: Option<Result<T, E>>,
    /// The task unwinds, when the children have ended.
    cancelled: bool,
}

impl<'a, F, T, E, L: Errors<E>> Running<'a, F, T, E, L> {
    fn new(group: &'a Circle<E, L>, body: Pin<&'a mut Option<F>>) -> Self {
        Self { group, body, nested: false, unwound: false, left: None, cancelled: false }
    }
}

// No pin leads to what it holds.
impl<F, T, E, L> Unpin for Running<'_, F, T, E, L> {}

impl<F: Future<Output = Result<T, E>>, T, E, L: Errors<E>> Future for Running<'_, F, T, E, L> {
    type Output = Result<T, GroupError<E, L>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let group = this.group;
        let here = current::find();
        let task = group.set_poller(here, cx);
        if group.stage.get() == Stage::Body {
            let asked = group.asked.get();
            let unwinds = match asked {
                Asked::Nobody => false,
                Asked::Task => here.is_some_and(Loop::is_delivering),
                Asked::Itself => true,
            };
            if unwinds {
                here.map(|here| here.set_unwinding(true));
            }
            this.unwound |= asked != Asked::Nobody && here.is_some_and(Loop::is_unwinding);
            let beside = task.is_some_and(Slot::is_waiting);
            let Poll::Ready(held) = scope::poll(this.body.as_mut(), &mut this.nested, cx) else {
                let awaits = task.filter(|_| !beside).map_or(Mark::NOTHING, Slot::awaited);
                if asked == Asked::Nobody {
                    group.awaits.set(awaits);
                } else if let Some(task) = task
                    && asked == Asked::Task
                    && !this.unwound
                    && group.awaits.get() == Mark::NOTHING
                {
                    // The task may have unwound in a step that did not come here: it is asked once more.
                    group.awaits.set(awaits);
                    task.ask_again(awaits);
                }
                return Poll::Pending;
            };
            group.stage.set(Stage::Exit);
            group.awaits.set(Mark::NOTHING);
            match held {
                Ok(left) => {
                    this.left = Some(left);
                    if unwinds {
                        here.map(|here| here.set_unwinding(false));
                    }
                }
                Err(Unwound) => {
                    here.map(|here| here.set_unwinding(false));
                    this.cancelled = true;
                }
            }
            if !matches!(this.left, Some(Ok(_))) && !group.aborting.get() {
                // SAFETY: it is there as long as this is.
                unsafe { Circle::cancel_all(group) };
            }
        } else if here.is_some_and(|here| here.set_unwinding(false)) && !group.aborting.get() {
            // A request that came while it waited. Further ones change nothing.
            this.cancelled = true;
            // SAFETY: as above.
            unsafe { Circle::cancel_all(group) };
        }
        if !group.is_empty() {
            group.stage.set(Stage::Waiting);
            here.map(|here| here.ready().set_scoped(true));
            return Poll::Pending;
        }
        group.stage.set(Stage::Exit);
        let asked = group.asked.replace(Asked::Nobody);
        let taken_back = match asked {
            Asked::Nobody => false,
            Asked::Task => task.is_none_or(|task| task.uncancel() == 0 || !task.is_asked_from_outside()),
            Asked::Itself => true,
        };
        if taken_back {
            this.cancelled = false;
        }
        let mut errors = group.errors.take();
        match this.left.take() {
            Some(Ok(value)) if errors.as_ref().is_empty() && !this.cancelled => return Poll::Ready(Ok(value)),
            Some(Err(error)) => errors.push(error),
            _ => {}
        }
        if errors.as_ref().is_empty() {
            // The next scope outside, or the task's root. Polled again, it does the same again.
            this.cancelled = true;
            scope::unwind_on();
            return Poll::Pending;
        }
        if let Some(task) = task
            && task.cancels() > 0
        {
            // Requests of others take effect at the next wait; their number stays.
            let outside = task.is_asked_from_outside();
            task.uncancel();
            if outside {
                task.cancel();
            } else {
                task.cancel_scope(Mark::NOTHING);
            }
        }
        Poll::Ready(Err(GroupError::new(errors)))
    }
}
