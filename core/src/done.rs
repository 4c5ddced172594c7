#![allow(unsafe_code)] // a callback stands among those who wait for a task
//! Callbacks at the end of a task or of a [`Future`]: `on_done`.
//!
//! Each is an entry of the loop (see `sched::entry`) that stands in line with the awaiters, and is queued when its turn in
//! that line has come.

use crate::future::{Future, Place};
use crate::sched::{Ending, Entry, Failed, Failure, Loop, call, current};
use crate::task::joiners::Key;
use crate::task::slot::Slot;
use crate::task::{Task, TaskId, waker};
use alloc::rc::{Rc, Weak};
use core::fmt;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

impl<T> Task<T> {
    /// Calls `f` when the task has ended, in the turn after its last step; if it has ended already, in the next turn.
    /// asyncio: `add_done_callback`.
    ///
    /// Callbacks and awaiters run in order of registration. `f` is told the name of the task; its outcome belongs to the
    /// handle. Whether the returned handle is kept or not makes no difference, and neither does what becomes of the task's.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// # corio_sim::run(async {
    /// let left = Rc::new(Cell::new(2));
    /// let count = || { let left = left.clone(); move |_| left.set(left.get() - 1) };
    /// let task = corio::spawn(async {});
    /// let first = task.on_done(count());
    /// task.on_done(count());
    /// assert!(first.remove());
    /// task.await.unwrap();
    /// corio::yield_now().await;
    /// assert_eq!(left.get(), 1);
    /// # });
    /// ```
    ///
    /// # Panics
    /// Outside a loop, if the task has ended.
    #[track_caller]
    pub fn on_done<R: Ending>(&self, f: impl FnOnce(TaskId) -> R + 'static) -> DoneHandle {
        self.id().on_done(f)
    }
}

impl TaskId {
    /// Calls `f` when the task has ended: see [`Task::on_done`].
    ///
    /// # Panics
    /// Outside a loop, if the task has ended.
    #[track_caller]
    pub fn on_done<R: Ending>(&self, f: impl FnOnce(TaskId) -> R + 'static) -> DoneHandle {
        let call = TaskDone { id: *self, own: None, f: Some(f), from: Location::caller() };
        let place = self.place();
        let entry = if self.is_done() { Entry::queue(place, call) } else { Entry::begin(place, call, false) };
        DoneHandle { entry, watched: Watched::Task(*self) }
    }

    /// The loop for its callbacks: its own, or when it has ended the one that runs.
    #[track_caller]
    fn place(&self) -> &'static Loop {
        match self.alive() {
            // SAFETY: `OwnThread`: alive, so its loop has not ended, and the name is on the thread of that.
            Some(task) => unsafe { Loop::of(task.owner()) },
            None => current::get("a callback for a task that has ended"),
        }
    }
}

impl<T: 'static, E: fmt::Debug + 'static> Task<Result<T, E>> {
    /// Lets the task go, as [`detach`](Task::detach) does; if it ends with an error, the loop's hook is told: see
    /// [`Handle::on_failure`](crate::Handle::on_failure). asyncio: a task that nobody awaits.
    ///
    /// # Panics
    /// Outside a loop, if the task has ended.
    #[track_caller]
    pub fn detach_and_report(self) {
        let at = Location::caller();
        let (place, of) = (self.id().place(), Failed::Task { name: self.name() });
        let watch = async move {
            if let Ok(Err(error)) = self.await {
                current::get("a callback").report(&Failure { of, error: &error, at });
            }
        };
        Entry::begin(place, watch, false);
    }
}

impl<T: 'static> Future<T> {
    /// Calls `f` with the future when it has ended, in the next turn; if it has ended already, in the next turn too.
    /// asyncio: `add_done_callback`.
    ///
    /// Callbacks and awaiters run in order of registration. Whether the returned handle is kept or not makes no difference. A
    /// callback keeps the future until it has run, or is [removed](DoneHandle::remove), or its loop ends.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// # corio_sim::run(async {
    /// let answer = Rc::new(corio::Future::new());
    /// let seen = Rc::new(Cell::new(0));
    /// let note = seen.clone();
    /// answer.on_done(move |answer| if let Some(Ok(value)) = answer.outcome() { note.set(*value) });
    /// answer.set(7).unwrap();
    /// corio::yield_now().await;
    /// assert_eq!(seen.get(), 7);
    /// # });
    /// ```
    ///
    /// # Panics
    /// Outside a loop.
    #[track_caller]
    pub fn on_done<R: Ending>(self: &Rc<Self>, f: impl FnOnce(&Self) -> R + 'static) -> DoneHandle {
        let here = current::get("on_done()");
        let call = FutureDone { future: Some(self.clone()), place: Place::new(), f: Some(f), from: Location::caller() };
        let entry = if self.is_done() { Entry::queue(here, call) } else { Entry::begin(here, call, false) };
        let weak: Weak<dyn Ends> = Rc::<Self>::downgrade(self);
        DoneHandle { entry, watched: Watched::Future(weak) }
    }
}

/// A callback registered with [`Task::on_done`] or [`Future::on_done`].
///
/// Dropping it changes nothing. It belongs to the thread of its loop.
pub struct DoneHandle {
    entry: Option<Entry>,
    watched: Watched,
}

/// What a callback waits for the end of.
enum Watched {
    Task(TaskId),
    Future(Weak<dyn Ends>),
}

trait Ends {
    fn has_ended(&self) -> bool;
}

impl<T> Ends for Future<T> {
    fn has_ended(&self) -> bool {
        self.is_done()
    }
}

impl DoneHandle {
    /// Takes the callback back, and drops it. False: it was taken back already, or what it waits for has ended: then it
    /// has been called, or will be in this turn or the next. asyncio: `remove_done_callback`.
    pub fn remove(&self) -> bool {
        let ended = match &self.watched {
            Watched::Task(task) => task.is_done(),
            Watched::Future(future) => future.upgrade().is_none_or(|future| future.has_ended()),
        };
        !ended && self.entry.is_some_and(|entry| entry.drop_call())
    }
}

impl fmt::Debug for DoneHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoneHandle")
    }
}

/// Calls when the task has ended.
struct TaskDone<F> {
    id: TaskId,
    /// The entry's slot, while it stands among those who wait for the task.
    own: Option<&'static Slot>,
    f: Option<F>,
    from: &'static Location<'static>,
}

/// What is in it is never pinned.
impl<F> Unpin for TaskDone<F> {}

impl<F: FnOnce(TaskId) -> R, R: Ending> core::future::Future for TaskDone<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(task) = self.id.alive() {
            if self.own.is_none()
                && let Some(own) = waker::slot(cx.waker())
            {
                self.own = Some(own);
                // SAFETY: `OwnerOnly`: the name of a task is on the thread of its loop; alive, so its header is there.
                unsafe { task.with_join(|join| join.watch(own)) };
            }
            return Poll::Pending;
        }
        self.own = None;
        if let Some(f) = self.f.take() {
            let id = self.id;
            call(|| f(id), self.from);
        }
        Poll::Ready(())
    }
}

impl<F> Drop for TaskDone<F> {
    fn drop(&mut self) {
        if let (Some(task), Some(own)) = (self.id.alive(), self.own) {
            // SAFETY: as in `poll`. What comes back is the waker of a slot, whose drop does nothing.
            drop(unsafe { task.with_join(|join| join.unwatch(Key::of_slot(own))) });
        }
    }
}

pin_project_lite::pin_project! {
    /// Calls when the future has ended.
    struct FutureDone<T, F> {
        future: Option<Rc<Future<T>>>,
        #[pin]
        place: Place,
        f: Option<F>,
        from: &'static Location<'static>,
    }

    impl<T, F> PinnedDrop for FutureDone<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(future) = this.future {
                future.leave(this.place);
            }
        }
    }
}

impl<T, F: FnOnce(&Future<T>) -> R, R: Ending> core::future::Future for FutureDone<T, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if let Some(future) = this.future {
            ready!(future.poll_end(this.place, cx));
        }
        if let (Some(future), Some(f)) = (this.future.take(), this.f.take()) {
            call(|| f(&future), this.from);
        }
        Poll::Ready(())
    }
}
