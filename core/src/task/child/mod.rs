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
//! - `Visited`: a visit is in the list of the visits of its family while it is under way; it ends when the family does.

mod handle;

pub use handle::Child;

use super::body::{Body, Header, Name};
use super::handle::let_go;
use super::slot::Slot;
use crate::sched::Loop;
use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

#[cfg(feature = "alloc")]
use super::body::Free;
#[cfg(feature = "alloc")]
use crate::sched::Spawn;
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// What a child has in its body, beside its future.
pub(crate) struct Node {
    /// Neighbours in the family.
    prev: Cell<*const Node>,
    next: Cell<*const Node>,
    /// Null once the node is in none.
    family: Cell<*const Family>,
    task: Cell<Option<&'static Slot>>,
    take: Take,
    /// A `Child` is there.
    held: Cell<bool>,
    /// The `Child` was polled, so that its waker may be among the joiners.
    polled: Cell<bool>,
    #[cfg(feature = "alloc")]
    name: Option<&'static str>,
}

/// Moves the value of a task that is settled out, to a place for it. False: there is none, or it is the error.
type Take = unsafe fn(NonNull<Header>, &'static Slot, *mut ()) -> bool;

/// The node of an `F`, the child of a `P`.
#[repr(transparent)]
pub(crate) struct NodeOf<P, F>(Node, PhantomData<fn(P, F)>);

impl<P, F, T> Name for NodeOf<P, F>
where
    P: Parent,
    F: Future<Output = Result<T, P::Error>>,
{
    fn name(&self) -> Option<&'static str> {
        #[cfg(feature = "alloc")]
        return self.0.name;
        #[cfg(not(feature = "alloc"))]
        None
    }

    const TELL: Option<unsafe fn(NonNull<Header>, &'static Slot)> = Some(Self::told);

    #[cfg(feature = "alloc")]
    fn value(&self, output: *const ()) -> *const () {
        // SAFETY: the body asks, whose output it is.
        match unsafe { &*output.cast::<F::Output>() } {
            Ok(value) => ptr::from_ref(value).cast(),
            Err(_) => ptr::null(),
        }
    }

    /// An error does, as in asyncio.
    fn stands(&self, output: *const ()) -> bool {
        // SAFETY: the body asks, whose output it is.
        unsafe { &*output.cast::<F::Output>() }.is_err()
    }
}

impl<P, F, T> NodeOf<P, F>
where
    P: Parent,
    F: Future<Output = Result<T, P::Error>>,
{
    fn new() -> Self {
        let node = Node {
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            family: Cell::new(ptr::null()),
            task: Cell::new(None),
            take: Self::take,
            held: Cell::new(true),
            polled: Cell::new(false),
            #[cfg(feature = "alloc")]
            name: None,
        };
        Self(node, PhantomData)
    }

    /// # Safety
    /// (This one and the next) `header` is that of a body of an `F` with this node, which has settled in `slot`;
    /// `OwnerOnly`.
    unsafe fn take(header: NonNull<Header>, slot: &'static Slot, to: *mut ()) -> bool {
        // SAFETY: by the caller's word; where there is an output it is taken at most once: its mark goes with it.
        unsafe {
            if !slot.has_output() {
                return false;
            }
            let output = Body::<F, Self>::output_of(header);
            let there = (*output).is_ok();
            if there {
                slot.take_output();
                if let Ok(value) = ManuallyDrop::take(&mut *output) {
                    to.cast::<T>().write(value);
                }
            }
            there
        }
    }

    /// The task has ended: what its last step does, in a turn of the loop.
    unsafe fn told(header: NonNull<Header>, slot: &'static Slot) {
        // SAFETY: by the caller's word; `InFamily`; the pointer to the family is good for its parent too.
        unsafe {
            let node = &(*Body::<F, Self>::name_of(header.cast().as_ptr())).0;
            let family = node.family.get();
            let Some(parent) = NonNull::new(family.cast_mut().cast::<P>()) else {
                // The group is gone.
                return;
            };
            let mut error = None;
            if slot.has_output() {
                let output = Body::<F, Self>::output_of(header);
                if (*output).is_err() {
                    slot.take_output();
                    error = ManuallyDrop::take(&mut *output).err();
                }
            }
            let last = (*family).forget(node);
            let _release = last.then(|| Release(slot));
            P::child_ended(parent, error);
        }
    }
}

/// The children of a group that it has not seen the end of: a list through their nodes.
pub(crate) struct Family {
    first: Cell<*const Node>,
    last: Cell<*const Node>,
    visit: Cell<*const Visit>,
}

/// One who goes from child to child, while they come and go.
struct Visit {
    next: Cell<*const Node>,
    outer: *const Visit,
    /// The family is gone.
    over: Cell<bool>,
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
        Self { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()), visit: Cell::new(ptr::null()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Asks those that have not ended to end, in order of creation, and then calls `then`, all of it even if a waker panics
    /// that one of them has led to. That is foreign code, and may be the end of the family: `then` is told whether it is
    /// there still.
    ///
    /// # Safety
    /// `this` is there.
    #[cold]
    pub(crate) unsafe fn cancel(this: *const Self, then: impl FnOnce(bool)) {
        // SAFETY: by the caller's word, and `Visited`.
        unsafe {
            let visit =
                Visit { next: Cell::new((*this).first.get()), outer: (*this).visit.get(), over: Cell::new(false) };
            (*this).visit.set(&raw const visit);
            let leave = Leave { family: this, visit: &visit, then: Some(then) };
            visit.cancel_rest();
            drop(leave);
        }
    }

    /// # Safety
    /// `InFamily`; `parent` is the family, with the right to what is around it.
    #[inline]
    unsafe fn push(&self, node: &Node, parent: *const Self) {
        let at: *const Node = node;
        node.family.set(parent);
        node.prev.set(self.last.get());
        node.next.set(ptr::null());
        // SAFETY: null or a node of the family.
        match unsafe { self.last.get().as_ref() } {
            Some(last) => last.next.set(at),
            None => self.first.set(at),
        }
        self.last.set(at);
    }

    /// # Safety
    /// `node` is in the family.
    #[inline]
    unsafe fn remove(&self, node: &Node) {
        if !self.visit.get().is_null() {
            self.skip(node);
        }
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

    /// Has who would visit `node` next go on behind it.
    #[cold]
    fn skip(&self, node: &Node) {
        self.visits(|visit| {
            if ptr::eq(visit.next.get(), node) {
                visit.next.set(node.next.get());
            }
        });
    }

    fn visits(&self, f: impl Fn(&Visit)) {
        let mut visit = self.visit.get();
        // SAFETY: `Visited`.
        while let Some(it) = unsafe { visit.as_ref() } {
            f(it);
            visit = it.outer;
        }
    }

    /// Starts a child of `parent`.
    ///
    /// # Safety
    /// `here` is the ambient loop. `parent` stays where it is until it has called `dissolve`.
    #[cfg(feature = "alloc")]
    #[inline]
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
        let body = Self::body::<P, T, F>(future, name);
        // SAFETY: the ambient loop is this thread's. The body is pinned on the heap until its table frees it, and its node
        // with it: `InFamily`, so the group has been told, or has let it go, before that.
        unsafe {
            let slot = here.ready().claim();
            let started = slot.start(here.ready(), body.cast(), false, true);
            here.adopt(slot);
            let child = Self::take_in(parent, slot, Body::name_of(body));
            started.tell();
            child
        }
    }

    /// As `spawn`, with the first step made at once.
    ///
    /// # Safety
    /// As `spawn`. When this returns, `parent` need not be there any more: the step is foreign code. So it is no reference.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn begin<P: Parent, T, F>(
        parent: *const P,
        here: &'static Loop,
        future: F,
        options: Spawn,
    ) -> Child<T>
    where
        F: Future<Output = Result<T, P::Error>> + 'static,
    {
        if here.is_closing() {
            return Child::refused();
        }
        let body = Self::body::<P, T, F>(future, options.task_name());
        // SAFETY: as in `spawn`. Should the step panic, the child is the handle's and the family's, and is over.
        unsafe {
            let slot = here.ready().claim();
            slot.start_unqueued(here.ready(), body.cast(), true);
            here.adopt(slot);
            let child = Self::take_in(&*parent, slot, Body::name_of(body));
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

    /// A body with a node.
    #[cfg(feature = "alloc")]
    #[inline]
    fn body<P: Parent, T, F>(future: F, name: Option<&'static str>) -> *mut Body<F, NodeOf<P, F>>
    where
        F: Future<Output = Result<T, P::Error>> + 'static,
    {
        let mut node = NodeOf::new();
        node.0.name = name;
        Box::into_raw(Box::new(Body::new(future, node, Free::Heap)))
    }

    /// Starts a child of `parent` in a place of `pool`; if there is none, `future` comes back.
    ///
    /// # Safety
    /// As `spawn`.
    pub(crate) unsafe fn spawn_in<P: Parent, T, F, S, const N: usize>(
        parent: &P,
        here: &'static Loop,
        pool: &'static super::TaskPool<S, N>,
        future: F,
    ) -> Result<Child<T>, F>
    where
        F: Future<Output = Result<T, P::Error>> + 'static,
    {
        if here.is_closing() {
            return Ok(Child::refused());
        }
        // SAFETY: the ambient loop is this thread's. The body is pinned in its place until that is given back, and its node
        // with it: as above.
        pool.place(here, future, NodeOf::<P, F>::new).map(|(slot, node, started)| unsafe {
            let child = Self::take_in(parent, slot, node);
            started.tell();
            child
        })
    }

    /// Puts the node of a task, which was just started in `slot`, in the family of `parent`.
    ///
    /// # Safety
    /// As `spawn`; the node is that of the task, in its body.
    #[inline]
    unsafe fn take_in<P: Parent, T, F>(parent: &P, slot: &'static Slot, node: *const NodeOf<P, F>) -> Child<T> {
        // SAFETY: by the caller's word.
        unsafe {
            let at = NonNull::new_unchecked(node.cast_mut().cast::<Node>());
            at.as_ref().task.set(Some(slot));
            parent.family().push(at.as_ref(), ptr::from_ref(parent).cast());
            Child::new(at)
        }
    }

    /// Lets all children go, and cancels those that have not ended.
    pub(crate) fn dissolve(&self) {
        /// The others, when a waker panics that one of them has led to: `InFamily`.
        struct Rest<'a>(&'a Family);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.dissolve();
            }
        }
        self.visits(|visit| {
            visit.next.set(ptr::null());
            visit.over.set(true);
        });
        self.visit.set(ptr::null());
        let rest = Rest(self);
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
        core::mem::forget(rest);
    }

    /// Takes a child out, which nobody is told of any more. True: its body is the caller's now.
    ///
    /// # Safety
    /// `node` is in the family; `OwnerOnly`.
    #[inline]
    unsafe fn forget(&self, node: &Node) -> bool {
        // SAFETY: by the caller's word.
        unsafe {
            self.remove(node);
        }
        !node.held.get()
    }
}

impl Visit {
    /// # Safety
    /// `Visited`: nodes that it comes to are in the family.
    unsafe fn cancel_rest(&self) {
        // SAFETY: by the caller's word.
        while let Some(node) = unsafe { self.next.get().as_ref() } {
            self.next.set(node.next.get());
            if let Some(task) = node.task.get() {
                task.cancel();
            }
        }
    }
}

/// Brings a visit to its end, whatever happens in it.
struct Leave<'a, F: FnOnce(bool)> {
    family: *const Family,
    visit: &'a Visit,
    then: Option<F>,
}

impl<F: FnOnce(bool)> Drop for Leave<'_, F> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `Visited`: made where the visit begins, in whose frame this is.
        unsafe { self.visit.cancel_rest() };
        let there = !self.visit.over.get();
        if there {
            // SAFETY: as above: the family is there, for the visit is not over.
            unsafe { (*self.family).visit.set(self.visit.outer) };
        }
        if let Some(then) = self.then.take() {
            then(there);
        }
    }
}

/// A body goes whose last owner is gone, also when what comes before panics.
struct Release(&'static Slot);

impl Drop for Release {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_settled() {
            self.0.untell();
        }
        let_go(self.0);
    }
}
