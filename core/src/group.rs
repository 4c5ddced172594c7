#![allow(unsafe_code)] // children lead back to the group in its pinned frame
//! `group`: tasks that are left together. asyncio: `TaskGroup`.
//!
//! ```text
//!   group().await ─► frame { Group: family, errors ; body(&Group) }
//!                      ▲ each child's end is an entry of the queue (see `task::child`):
//!                      │   the last one wakes a parent that waits at the exit
//!                      └── a failed one, the first time: cancels the others, in order of creation, then the parent
//! ```
//!
//! A scope (see `scope`) that waits while it is unwound: it takes the unwinding up, has its children unwind, and when the
//! last has ended it raises the flag again, or gives the errors instead.
//!
//! Invariant `InFrame`: a `Group` does not move, and is dropped before its place is used again: it is in a pinned frame.

use crate::sched::{Loop, Spawn, current};
use crate::scope::{self, Unwound};
use crate::task::child::{Family, Parent};
use crate::task::slot::Slot;
use crate::task::{Child, StoredWaker, TaskId, current_task};
use alloc::rc::Rc;
use alloc::vec::{self, Vec};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Context, Poll};

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
/// A task that is cancelled within a group unwinds to it; then its children are cancelled and waited for, and then the task
/// unwinds further. Who drops the future cancels the children too, but nobody waits for them.
///
/// # Errors
/// [`GroupError`] with all errors of children, in the order in which they failed, and the body's last. If the task was
/// asked to end meanwhile by somebody else, it unwinds at its next wait.
///
/// # Panics
/// A child that panics counts as cancelled; the panic goes through the loop.
pub async fn group<T, E, F>(body: F) -> Result<T, GroupError<E>>
where
    F: AsyncFnOnce(&Group<E>) -> Result<T, E>,
{
    let group = pin!(Group::new());
    let group = group.as_ref().get_ref();
    let body = pin!(Some(body(group)));
    Running { group, body, nested: false, left: None, cancelled: false }.await
}

/// The children of a [`group()`], for its body.
#[repr(C)]
pub struct Group<E> {
    family: Family,
    /// In the order in which they failed.
    errors: Cell<Vec<E>>,
    /// The task that the group is in, when it is polled by that task's own waker.
    parent: Cell<Option<TaskId>>,
    /// Who polls, when it is not.
    poller: Cell<StoredWaker>,
    /// The way here of the handles; null when the group is gone.
    handle: Cell<Option<Rc<Cell<*const Group<E>>>>>,
    stage: Cell<Stage>,
    /// It takes no more children, and those that it had were cancelled.
    aborting: Cell<bool>,
    asked: Cell<Asked>,
    /// What the parent awaits is in the body.
    awaits: Cell<bool>,
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
unsafe impl<E> Parent for Group<E> {
    type Error = E;

    fn family(&self) -> &Family {
        &self.family
    }

    unsafe fn child_ended(this: NonNull<Self>, error: Option<E>) {
        // SAFETY: by the caller's word; it is not used any more when foreign code is called.
        let group = unsafe { this.as_ref() };
        let last = group.stage.get() == Stage::Waiting && group.family.is_empty();
        if last || error.is_some() {
            group.tell(last, error);
        }
    }
}

impl<E> Group<E> {
    const fn new() -> Self {
        Self {
            family: Family::new(),
            errors: Cell::new(Vec::new()),
            parent: Cell::new(None),
            poller: Cell::new(StoredWaker::NONE),
            handle: Cell::new(None),
            stage: Cell::new(Stage::Body),
            aborting: Cell::new(false),
            asked: Cell::new(Asked::Nobody),
            awaits: Cell::new(false),
            _pinned: PhantomPinned,
        }
    }

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
        unsafe { Family::spawn(self, here, future, None) }
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
        let here = current::get("Group::spawn_with()");
        if self.is_closed() {
            return Child::refused();
        }
        // SAFETY: the ambient loop; `InFrame`, and `drop` dissolves the family. Nothing of the group is used after it.
        unsafe {
            if options.is_eager() {
                return Family::begin(self, here, future, options);
            }
            let child = Family::spawn(self, here, future, options.task_name());
            if let Some(slot) = child.slot() {
                options.put_context(here, slot);
            }
            child
        }
    }

    /// True when the group takes no more children: one has failed, or the body was left by an error or unwound, or
    /// [`cancel_all`](Self::cancel_all) was called, or the body was left and no child is.
    pub fn is_closed(&self) -> bool {
        self.aborting.get() || self.stage.get() != Stage::Body && self.family.is_empty()
    }

    /// True when all children so far have ended, and the group has seen it.
    pub fn is_empty(&self) -> bool {
        self.family.is_empty()
    }

    /// Asks all children to end, and takes no more. The body goes on; that they were cancelled is no failure.
    pub fn cancel_all(&self) {
        self.aborting.set(true);
        for child in self.family.alive() {
            child.cancel();
        }
    }

    /// The group by name, for its children, who may start more of their kind with it.
    pub fn handle(&self) -> GroupHandle<E> {
        let handle = self.handle.take().unwrap_or_else(|| Rc::new(Cell::new(core::ptr::from_ref(self))));
        self.handle.set(Some(handle.clone()));
        GroupHandle { group: handle }
    }

    /// The `last` child has ended, or one has failed.
    #[cold]
    fn tell(&self, last: bool, error: Option<E>) {
        let ask = error.is_some() && !self.aborting.get();
        if let Some(error) = error {
            let mut errors = self.errors.take();
            errors.push(error);
            self.errors.set(errors);
        }
        let (parent, awaits) = (self.parent.get(), self.awaits.get());
        let mut alive = Vec::new();
        if ask {
            self.aborting.set(true);
            self.asked.set(if parent.is_some() { Asked::Task } else { Asked::Itself });
            alive = self.family.alive();
        }
        let poller = self.poller.replace(StoredWaker::NONE);
        // From here on foreign code may be called, and the group be gone.
        match parent {
            Some(parent) if last => parent.wake(),
            _ => {}
        }
        for child in alive {
            child.cancel();
        }
        match parent {
            Some(parent) if ask => parent.cancel_scope(awaits),
            _ => {}
        }
        if last || ask {
            poller.wake();
        }
    }

    /// Notes who polls. Returns the task whose step this is, if it is polled by its own waker.
    fn set_poller(&self, cx: &Context<'_>) -> Option<&'static Slot> {
        let task = current::find().and_then(|here| here.ready().running_task(cx.waker())).filter(|slot| slot.is_task());
        self.parent.set(task.map(|slot| TaskId::of(Some(slot))));
        if task.is_none() {
            drop(self.poller.replace(StoredWaker::of(cx.waker())));
        }
        task
    }
}

impl<E> Drop for Group<E> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.set(core::ptr::null());
        }
        if self.asked.get() == Asked::Task
            && let Some(parent) = self.parent.get()
            && current_task() == Some(parent)
        {
            // It was not delivered. Who drops the group because another branch was first is not cancelled for it.
            parent.uncancel();
        }
        self.family.dissolve();
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("empty", &self.is_empty()).field("closed", &self.is_closed()).finish()
    }
}

/// A [`Group`] by name. It may outlive the group, which then takes no more.
pub struct GroupHandle<E> {
    group: Rc<Cell<*const Group<E>>>,
}

impl<E> GroupHandle<E> {
    fn get(&self) -> Option<&Group<E>> {
        // SAFETY: null, or the group, which is there until its drop has set this to null; this is not `Send`.
        unsafe { self.group.get().as_ref() }
    }

    /// Starts a task in the group: see [`Group::spawn`].
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        match self.get() {
            Some(group) => group.spawn(future),
            None => Child::refused(),
        }
    }

    /// Starts a task with options: see [`Group::spawn_with`].
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn spawn_with<T, F>(&self, options: Spawn, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        match self.get() {
            Some(group) => group.spawn_with(options, future),
            None => Child::refused(),
        }
    }

    /// True when the group takes no more children: see [`Group::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.get().is_none_or(Group::is_closed)
    }

    /// Asks all children to end, and takes no more: see [`Group::cancel_all`].
    pub fn cancel_all(&self) {
        if let Some(group) = self.get() {
            group.cancel_all();
        }
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone() }
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("closed", &self.is_closed()).finish()
    }
}

/// A group from its first poll to its end.
struct Running<'a, F, T, E> {
    group: &'a Group<E>,
    body: Pin<&'a mut Option<F>>,
    /// There is a pending scope within the body.
    nested: bool,
    /// How the body was left, if not by being unwound.
    left: Option<Result<T, E>>,
    /// The task unwinds, when the children have ended.
    cancelled: bool,
}

// No pin leads to what it holds.
impl<F, T, E> Unpin for Running<'_, F, T, E> {}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Running<'_, F, T, E> {
    type Output = Result<T, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let group = this.group;
        let here = current::find();
        let task = group.set_poller(cx);
        if group.stage.get() == Stage::Body {
            let unwinds = match group.asked.get() {
                Asked::Nobody => false,
                Asked::Task => here.is_some_and(Loop::is_delivering),
                Asked::Itself => true,
            };
            if unwinds {
                here.map(|here| here.set_unwinding(true));
            }
            let beside = task.is_some_and(Slot::is_waiting);
            let Poll::Ready(held) = scope::poll(this.body.as_mut(), &mut this.nested, cx) else {
                group.awaits.set(!beside && task.is_some_and(Slot::is_waiting));
                return Poll::Pending;
            };
            group.stage.set(Stage::Exit);
            group.awaits.set(false);
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
                group.cancel_all();
            }
        } else if here.is_some_and(|here| here.set_unwinding(false)) && !group.aborting.get() {
            // A request that came while it waited. Further ones change nothing.
            this.cancelled = true;
            group.cancel_all();
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
            Some(Ok(value)) if errors.is_empty() && !this.cancelled => return Poll::Ready(Ok(value)),
            Some(Err(error)) => errors.push(error),
            _ => {}
        }
        if errors.is_empty() {
            // The next scope outside, or the task's root. Polled again, it does the same again.
            this.cancelled = true;
            here.map(|here| here.set_unwinding(true));
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
                task.cancel_scope(false);
            }
        }
        Poll::Ready(Err(GroupError { errors }))
    }
}

/// What has failed in a [`group()`]. asyncio: `ExceptionGroup`.
///
/// There is at least one error. In a group within a group the errors may be such groups.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupError<E> {
    errors: Vec<E>,
}

impl<E> GroupError<E> {
    /// The children's errors in the order in which they failed, and the body's last.
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// The error that came first.
    pub fn into_first(self) -> E {
        self.errors.into_iter().next().expect("there is at least one")
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.errors).finish()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "failed in a group: ";
        for error in &self.errors {
            write!(f, "{before}{error}")?;
            before = "; ";
        }
        Ok(())
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for GroupError<E> {}
