#![allow(unsafe_code)] // nodes in the bodies of tasks lead to their group, and back
//! Children: tasks that belong to a group. What each has for that is a node, in its body, beside the future.
//!
//! A body with a node has two owners, the group, until it has been told of the task's end, and the [`Child`] handle; it is
//! freed by whichever goes last. To the slot both together are its handle.
//!
//! Invariants:
//! - `InFamily`: a node is in the list of its family, in order of creation, from `spawn` until the group has been told, or
//!   is dropped. As long as it is, the family stays where it is, and the body is there.
//! - `Told`: at the end of a task with a node its slot is queued once more, before whoever waits for the end is woken; that
//!   step takes the node out of its family. Who frees the body before takes the step back (`Slot::untell`).

use super::body::{Body, Free, Header, Name};
use super::handle::{Cancelled, header, let_go, wait};
use super::joiners::Joiners;
use super::slot::Slot;
use super::watch::{Ended, TaskId};
use crate::sched::{Loop, Spawn};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};

/// What a child has in its body, beside its future.
pub(crate) struct Node {
    told: unsafe fn(*const Node),
    /// Neighbours in the family.
    prev: Cell<*const Node>,
    next: Cell<*const Node>,
    /// Null once the node is in none.
    family: Cell<*const Family>,
    task: Cell<Option<&'static Slot>>,
    /// A `Child` is there.
    held: Cell<bool>,
    /// The `Child` was polled, so that its waker may be among the joiners.
    polled: Cell<bool>,
    access: &'static Access,
    name: Option<&'static str>,
}

impl Name for Node {
    fn name(&self) -> Option<&'static str> {
        self.name
    }

    // SAFETY: (of the closure) by the caller's word: the table calls it with the node of its own body.
    const TELL: Option<unsafe fn(*const Self)> = Some(|node| unsafe { ((*node).told)(node) });

    fn value(&self, output: *const ()) -> *const () {
        // SAFETY: the body asks, whose output is what `access` is for.
        unsafe { (self.access.value)(output) }
    }

    /// An error does, as in asyncio.
    fn stands(&self, output: *const ()) -> bool {
        self.value(output).is_null()
    }
}

/// How to get at the value of a child, whose output is a `Result`, without knowing the type of its error.
struct Access {
    /// Where the value is in the output; null if that is an error.
    value: unsafe fn(*const ()) -> *const (),
    /// Moves the value out.
    take: unsafe fn(NonNull<Header>, &'static Slot, *mut ()),
}

struct AccessTo<T, E>(PhantomData<(T, E)>);

impl<T, E> AccessTo<T, E> {
    const TABLE: Access = Access { value: Self::value, take: Self::take };

    /// # Safety
    /// `output` points to a `Result<T, E>`.
    unsafe fn value(output: *const ()) -> *const () {
        // SAFETY: by the caller's word.
        match unsafe { &*output.cast::<Result<T, E>>() } {
            Ok(value) => ptr::from_ref(value).cast(),
            Err(_) => ptr::null(),
        }
    }

    /// # Safety
    /// (This one and the next) the task has ended, with an output, which is a `Result<T, E>`; `OwnerOnly`.
    unsafe fn take_output(header: NonNull<Header>, slot: &'static Slot) -> Result<T, E> {
        let mut output = MaybeUninit::<Result<T, E>>::uninit();
        // SAFETY: by the caller's word; written, for it was there.
        unsafe {
            Header::take_output(header, slot, output.as_mut_ptr().cast());
            output.assume_init()
        }
    }

    unsafe fn take(header: NonNull<Header>, slot: &'static Slot, to: *mut ()) {
        // SAFETY: by the caller's word; it has seen that there is a value, for which `to` is a place.
        unsafe {
            if let Ok(value) = Self::take_output(header, slot) {
                to.cast::<T>().write(value);
            }
        }
    }

    /// The error, if that is what the task has ended with.
    ///
    /// # Safety
    /// The task is settled, and its output, if it is there, a `Result<T, E>`; `OwnerOnly`.
    unsafe fn take_error(slot: &'static Slot) -> Option<E> {
        // SAFETY: by the caller's word.
        unsafe {
            if !slot.has_output() || !Header::value(header(slot)).is_null() {
                return None;
            }
            Self::take_output(header(slot), slot).err()
        }
    }
}

/// The children of a group that it has not seen the end of: a list through their nodes.
pub(crate) struct Family {
    first: Cell<*const Node>,
    last: Cell<*const Node>,
}

/// Whose the family is: what is told of each end.
///
/// # Safety
/// The family is the first field of a `repr(C)`.
pub(crate) unsafe trait Parent {
    type Error;

    fn family(&self) -> &Family;

    /// A child has ended, perhaps by an error.
    ///
    /// # Safety
    /// `this` is there; it need not be when this returns, for what is done about the end may be its own.
    unsafe fn child_ended(this: NonNull<Self>, error: Option<Self::Error>);
}

impl Family {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Those that have not ended, in order of creation.
    #[cold]
    pub(crate) fn alive(&self) -> Vec<TaskId> {
        let mut alive = Vec::new();
        let mut next = self.first.get();
        // SAFETY: `InFamily`.
        while let Some(node) = unsafe { next.as_ref() } {
            next = node.next.get();
            alive.extend(node.task.get().filter(|task| task.is_alive()).map(|task| TaskId::of(Some(task))));
        }
        alive
    }

    /// # Safety
    /// `InFamily`; `parent` is the family, with the right to what is around it.
    unsafe fn push(&self, node: &Node, parent: *const Self) {
        let at: *const Node = node;
        node.family.set(parent);
        node.prev.set(self.last.get());
        // SAFETY: null or a node of the family.
        match unsafe { self.last.get().as_ref() } {
            Some(last) => last.next.set(at),
            None => self.first.set(at),
        }
        self.last.set(at);
    }

    /// # Safety
    /// `node` is in the family.
    unsafe fn remove(&self, node: &Node) {
        let (prev, next) = (node.prev.get(), node.next.get());
        node.family.set(ptr::null());
        // SAFETY: null or nodes of the family.
        unsafe {
            match prev.as_ref() {
                Some(prev) => prev.next.set(next),
                None => self.first.set(next),
            }
            match next.as_ref() {
                Some(next) => next.prev.set(prev),
                None => self.last.set(prev),
            }
        }
    }

    /// Starts a child of `parent`.
    ///
    /// # Safety
    /// `here` is the ambient loop. `parent` stays where it is until it has called `dissolve`.
    pub(crate) unsafe fn spawn<P: Parent, T, F>(
        parent: &P,
        here: &'static Loop,
        future: F,
        name: Option<&'static str>,
    ) -> Child<T>
    where
        F: Future<Output = Result<T, P::Error>> + 'static,
    {
        if here.is_closing() {
            return Child::refused();
        }
        let body = Box::into_raw(Box::new(Body::new(future, Node::of::<P, T>(name), Free::Heap)));
        // SAFETY: the ambient loop is this thread's. The body is pinned on the heap until its table frees it, and its node
        // with it: `InFamily`, so the group has been told, or has let it go, before that.
        unsafe {
            let slot = here.ready().claim();
            let started = slot.start(here.ready(), body.cast(), false, true);
            let child = parent.family().adopt(ptr::from_ref(parent).cast(), here, slot, Body::name_of(body));
            started.tell();
            child
        }
    }

    /// As `spawn`, with the first step made at once.
    ///
    /// # Safety
    /// As `spawn`. When this returns, `parent` need not be there any more: the step is foreign code.
    pub(crate) unsafe fn begin<P: Parent, T, F>(parent: &P, here: &'static Loop, future: F, options: Spawn) -> Child<T>
    where
        F: Future<Output = Result<T, P::Error>> + 'static,
    {
        if here.is_closing() {
            return Child::refused();
        }
        let node = Node::of::<P, T>(options.task_name());
        let body = Box::into_raw(Box::new(Body::new(future, node, Free::Heap)));
        // SAFETY: as in `spawn`. Should the step panic, the child is the handle's and the family's, and is over.
        unsafe {
            let slot = here.ready().claim();
            slot.start_unqueued(here.ready(), body.cast(), true);
            let child = parent.family().adopt(ptr::from_ref(parent).cast(), here, slot, Body::name_of(body));
            options.put_context(here, slot);
            here.step_within(slot);
            // What it has started in that step is older: asyncio counts a child from when it is told of it.
            if let Some(node) = child.node()
                && let Some(family) = node.family.get().as_ref()
                && !node.next.get().is_null()
            {
                let at = node.family.get();
                family.remove(node);
                family.push(node, at);
            }
            child
        }
    }

    /// Numbers a task that was just started in `slot`, and puts its `node` in the family. `parent` is the family, with the
    /// right to what is around it.
    ///
    /// # Safety
    /// As `spawn`; the node is that of the task, in its body.
    #[inline]
    unsafe fn adopt<T>(
        &self,
        parent: *const Self,
        here: &'static Loop,
        slot: &'static Slot,
        node: *const Node,
    ) -> Child<T> {
        // SAFETY: by the caller's word.
        unsafe {
            here.adopt(slot);
            (*node).task.set(Some(slot));
            self.push(&*node, parent);
            Child { node: Some(NonNull::new_unchecked(node.cast_mut())), _value: PhantomData }
        }
    }

    /// Lets all children go, and cancels those that have not ended.
    pub(crate) fn dissolve(&self) {
        // SAFETY: `InFamily`; `OwnerOnly`: a family is not `Send`.
        while let Some(node) = unsafe { self.first.get().as_ref() } {
            let task = node.task.get();
            // SAFETY: as above.
            let last = unsafe { self.forget(node) };
            // What follows calls foreign code. The family is looked at afresh each time.
            if let Some(task) = task {
                let _release = last.then(|| Release(task));
                task.cancel();
            }
        }
    }

    /// Takes a child out, which nobody is told of any more. True: its body is the caller's now.
    ///
    /// # Safety
    /// `node` is in the family; `OwnerOnly`.
    unsafe fn forget(&self, node: &Node) -> bool {
        // SAFETY: by the caller's word.
        unsafe {
            self.remove(node);
        }
        !node.held.get()
    }
}

/// A body goes whose last owner is gone, also when what comes before panics.
struct Release(&'static Slot);

impl Drop for Release {
    fn drop(&mut self) {
        if self.0.is_settled() {
            self.0.untell();
        }
        let_go(self.0);
    }
}

impl Node {
    /// That of a child of a `P`, in no family yet.
    fn of<P: Parent, T>(name: Option<&'static str>) -> Self {
        Self {
            told: Self::told::<P, T>,
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            family: Cell::new(ptr::null()),
            task: Cell::new(None),
            held: Cell::new(true),
            polled: Cell::new(false),
            access: &AccessTo::<T, P::Error>::TABLE,
            name,
        }
    }

    /// The task has ended: what its last step does.
    ///
    /// # Safety
    /// `this` is a node of a task that is settled, and whose output is a `Result<T, P::Error>`; if it is in a family the
    /// parent of that is a `P`. It is called in a turn of the loop.
    unsafe fn told<P: Parent, T>(this: *const Self) {
        // SAFETY: by the caller's word; `InFamily`; the pointer to the family is good for its parent too.
        unsafe {
            let node = &*this;
            let family = node.family.get();
            let (Some(parent), Some(task)) = (NonNull::new(family.cast_mut().cast::<P>()), node.task.get()) else {
                // The group is gone.
                return;
            };
            let error = AccessTo::<T, P::Error>::take_error(task);
            let last = (*family).forget(node);
            let _release = last.then(|| Release(task));
            P::child_ended(parent, error);
        }
    }
}

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
/// Awaiting `&mut child` loses nothing when dropped: the child goes on and its value stays. Who awaits `child` itself and is
/// dropped loses the value.
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

    fn node(&self) -> Option<&Node> {
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

    /// How often the child was asked to end, up to 255 times.
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
    /// Dropping the future loses nothing.
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

    /// Gives up the right to the value. What is returned is the slot if the body is the caller's to free.
    fn give_up(&mut self) -> Option<&'static Slot> {
        // SAFETY: the body is there until this returns.
        let node = unsafe { self.node.take()?.as_ref() };
        node.held.set(false);
        if node.family.get().is_null() { node.task.get() } else { None }
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
        // SAFETY: settled, and the body is there; the value is a `T` by `spawn`. An error is left for the group.
        let there = slot.has_output()
            && unsafe {
                let there = !Header::value(header(slot)).is_null();
                if there {
                    (node.access.take)(header(slot), slot, value.as_mut_ptr().cast());
                }
                there
            };
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
        f.debug_struct("Child").field("name", &self.name()).field("done", &self.is_done()).finish()
    }
}
