#![allow(unsafe_code)] // starts a slot with a body from the heap
//! `spawn`: tasks on the heap.

use super::{Loop, current};
use crate::context::table::Context;
use crate::task::Task;
use crate::task::body::{Body, Free, Name};
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
    let task = match options.name {
        None => spawn_on(here, future, ()),
        Some(name) => spawn_on(here, future, name),
    };
    if let (Some(context), Some(slot)) = (options.context, task.slot()) {
        here.put_context(slot, context);
    }
    task
}

/// How to start a task, for [`spawn_with`].
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    name: Option<&'static str>,
    context: Option<Context>,
}

impl Spawn {
    /// As [`spawn`] does it.
    pub const fn new() -> Self {
        Self { name: None, context: None }
    }

    /// Gives the task a name, for its handle and for whoever looks at the loop. A task without one does not pay for it.
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Has the task run in `context` itself, not in a copy of the spawner's. asyncio: `create_task(..., context=...)`.
    ///
    /// What it sets is set there, for all who run there.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }
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
