#![allow(unsafe_code)] // starts a slot with a body from the heap
//! `spawn`: tasks on the heap.

use super::{Loop, current};
use crate::context::table::Context;
use crate::task::Task;
use crate::task::body::{Body, Free, Name};
use crate::task::slot::Slot;
use alloc::boxed::Box;
use core::future::Future;

/// Starts a task on the running loop. asyncio: `create_task`.
///
/// Its first step is put at the end of what is ready: nothing of it runs before the caller next waits. The future need
/// not be `Send`; the task stays on this loop's thread.
///
/// ```
/// # corio_sim::run(async {
/// let sum = corio::spawn(async { 1 + 2 });
/// assert_eq!(sum.await, Ok(3));
/// # });
/// ```
///
/// On a loop that is closing (in a destructor of one of its last tasks) the future is dropped at once and the task is
/// [`Cancelled`](crate::Cancelled).
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> Task<F::Output> {
    spawn_on(current::get("spawn()"), future, ())
}

/// Starts a task with options.
///
/// ```
/// use corio::Spawn;
/// # corio_sim::run(async {
/// let task = corio::spawn_with(Spawn::new().name("rx"), async {});
/// assert_eq!(task.name(), Some("rx"));
/// # task.await.unwrap(); });
/// ```
///
/// # Panics
/// Outside a loop.
#[track_caller]
pub fn spawn_with<F: Future + 'static>(options: Spawn, future: F) -> Task<F::Output> {
    let here = current::get("spawn_with()");
    match (options.eager, options.name) {
        (false, None) => in_context(here, spawn_on(here, future, ()), options.context),
        (false, Some(name)) => in_context(here, spawn_on(here, future, name), options.context),
        (true, None) => begin_on(here, future, (), options.context),
        (true, Some(name)) => begin_on(here, future, name, options.context),
    }
}

/// How to start a task, for [`spawn_with`].
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    name: Option<&'static str>,
    context: Option<Context>,
    eager: bool,
}

impl Spawn {
    /// As [`spawn`] does it.
    pub const fn new() -> Self {
        Self { name: None, context: None, eager: false }
    }

    /// Gives the task a name, for its handle and for whoever looks at the loop. A task without one does not pay for it.
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    pub(crate) const fn task_name(&self) -> Option<&'static str> {
        self.name
    }

    pub(crate) const fn is_eager(&self) -> bool {
        self.eager
    }

    /// Gives the task that was started just now in `slot` its context, if it is to have one of its own.
    pub(crate) fn put_context(self, here: &'static Loop, slot: &'static Slot) {
        if let Some(context) = self.context {
            here.put_context(slot, context);
        }
    }

    /// Has the task run in `context` itself, not in a copy of the spawner's. asyncio: `create_task(..., context=...)`.
    ///
    /// What it sets is set there, for all who run there.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Runs the first step at once, within the call that spawns; a task that ends in it takes no turn at all. asyncio:
    /// `eager_start`.
    ///
    /// The step is the task's own: [`current_task`](crate::current_task) names it, and the caller goes on when it is over.
    /// If the step panics, so does the call, and the task counts as cancelled.
    ///
    /// ```
    /// # corio_sim::run(async {
    /// let task = corio::spawn_with(corio::Spawn::new().eager(), async { 5 });
    /// assert_eq!(task.outcome(), Some(Ok(&5)));
    /// # });
    /// ```
    pub const fn eager(mut self) -> Self {
        self.eager = true;
        self
    }
}

/// Gives a task, which has not made a step, the context that it was to have.
fn in_context<T>(here: &'static Loop, task: Task<T>, context: Option<Context>) -> Task<T> {
    if let (Some(context), Some(slot)) = (context, task.slot()) {
        here.put_context(slot, context);
    }
    task
}

pub(crate) fn spawn_on<F: Future + 'static, N: Name>(here: &'static Loop, future: F, name: N) -> Task<F::Output> {
    if here.is_closing() {
        return Task::refused();
    }
    let body = Box::into_raw(Box::new(Body::new(future, name, Free::Heap)));
    // SAFETY: the ambient loop is this thread's. The body is pinned on the heap until its table frees it.
    unsafe {
        let slot = here.ready().claim();
        let started = slot.start(here.ready(), body.cast(), false, true);
        here.adopt(slot);
        let task = Task::new(slot);
        started.tell();
        task
    }
}

/// As `spawn_on`, with the first step made at once.
fn begin_on<F: Future + 'static, N: Name>(
    here: &'static Loop,
    future: F,
    name: N,
    context: Option<Context>,
) -> Task<F::Output> {
    if here.is_closing() {
        return Task::refused();
    }
    let body = Box::into_raw(Box::new(Body::new(future, name, Free::Heap)));
    // SAFETY: as in `spawn_on`. Should the step panic, the task is the handle's, and is over.
    unsafe {
        let slot = here.ready().claim();
        slot.start_unqueued(here.ready(), body.cast(), true);
        here.adopt(slot);
        let task = in_context(here, Task::new(slot), context);
        here.step_within(slot);
        task
    }
}
