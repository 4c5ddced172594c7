//! Handles: what a scenario calls a task by, shared by all who await it.
//!
//! A `corio::Task` has one owner, a scenario's task any number of awaiters. The handle owns the task and polls it with one
//! waker, [`Awaiters`], which passes a wake on to all who wait, in order of their arrival:
//!
//! ```text
//!   task ends ─► its waker, once ─► Awaiters ─► awaiter 1, awaiter 2 …   all in the next turn, in this order
//! ```
//!
//! So nothing is added to what the task itself does when it ends: the awaiters run one turn later, as asyncio's do.
//!
//! Main is no `Task`: the runner drives it. [`Main`] gives it the one thing that this lacks, to be cancelled by others.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
};

use corio::{Cancelled, Task};

use crate::{
    ops::{Outcome, Raised},
    value::{Value, ok_text},
};

/// How a task ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Value(Value),
    Error(Rc<str>),
    Cancelled,
}

pub(crate) struct Handle {
    label: Rc<str>,
    kind: Kind,
    ended: RefCell<Option<Ended>>,
    awaiters: Arc<Awaiters>,
    /// The handle this task is suspended on.
    waits_for: RefCell<Option<Rc<Handle>>>,
    /// This task was cancelled when what it waits for had ended: the cancellation is not passed on.
    woken: Cell<bool>,
    /// How often it had been cancelled when it ended; the task forgets when its outcome is taken.
    cancelled: Cell<u32>,
    /// The error it ended by. An error beats a cancellation that was requested in the same step.
    failure: RefCell<Option<Rc<str>>>,
}

enum Kind {
    Task(RefCell<Option<Task<Outcome<Value>>>>),
    Main { cancelling: Cell<u32>, due: Cell<bool>, waker: RefCell<Waker> },
}

impl Handle {
    fn new(label: Rc<str>, kind: Kind) -> Rc<Self> {
        Rc::new(Handle {
            label,
            kind,
            ended: RefCell::default(),
            awaiters: Arc::default(),
            waits_for: RefCell::default(),
            woken: Cell::default(),
            cancelled: Cell::default(),
            failure: RefCell::default(),
        })
    }

    /// The handle of a task that [`start`](Handle::start) will bring.
    pub(crate) fn task(label: Rc<str>) -> Rc<Self> {
        Handle::new(label, Kind::Task(RefCell::default()))
    }

    pub(crate) fn main() -> Rc<Self> {
        let waker = RefCell::new(Waker::noop().clone());
        Handle::new("main".into(), Kind::Main { cancelling: Cell::new(0), due: Cell::new(false), waker })
    }

    pub(crate) fn start(&self, task: Task<Outcome<Value>>) {
        if let Kind::Task(place) = &self.kind {
            *place.borrow_mut() = Some(task);
        }
    }

    pub(crate) fn label(&self) -> Rc<str> {
        self.label.clone()
    }

    /// Told by the task itself, in its last step.
    pub(crate) fn fails(&self, error: &Rc<str>) {
        *self.failure.borrow_mut() = Some(error.clone());
    }

    /// `None` while it is pending.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let mut ended = self.ended.borrow_mut();
        if ended.is_none() {
            *ended = self.poll_task().map(|outcome| self.judge(outcome));
        }
        ended.clone()
    }

    fn poll_task(&self) -> Option<Result<Outcome<Value>, Cancelled>> {
        let Kind::Task(place) = &self.kind else { return None };
        let mut task = place.borrow_mut();
        let task = task.as_mut()?;
        self.cancelled.set(task.cancelling());
        let waker = Waker::from(self.awaiters.clone());
        match Pin::new(task).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    fn judge(&self, outcome: Result<Outcome<Value>, Cancelled>) -> Ended {
        match outcome {
            Ok(Ok(value)) => Ended::Value(value),
            Ok(Err(Raised::Error(name))) => Ended::Error(name),
            Ok(Err(Raised::Cancelled | Raised::Halt)) => Ended::Cancelled,
            Err(Cancelled) => self.failure.take().map_or(Ended::Cancelled, Ended::Error),
        }
    }

    pub(crate) fn outcome_text(&self) -> String {
        match self.ended() {
            None => "pending".to_owned(),
            Some(Ended::Value(value)) => ok_text(&value),
            Some(Ended::Error(name)) => format!("err {name}"),
            Some(Ended::Cancelled) => "cancelled".to_owned(),
        }
    }

    pub(crate) fn cancel(&self) -> bool {
        self.woken.set(self.waits_for.borrow().is_some());
        match &self.kind {
            Kind::Task(task) => task.borrow().as_ref().is_some_and(Task::cancel),
            Kind::Main { cancelling, due, waker } => {
                if self.ended().is_some() {
                    return false;
                }
                cancelling.set(cancelling.get() + 1);
                due.set(true);
                waker.borrow().wake_by_ref();
                true
            }
        }
    }

    /// How many times it was cancelled.
    pub(crate) fn cancelling(&self) -> u32 {
        match &self.kind {
            Kind::Task(_) if self.ended().is_some() => self.cancelled.get(),
            Kind::Task(task) => task.borrow().as_ref().map_or(0, Task::cancelling),
            Kind::Main { cancelling, .. } => cancelling.get(),
        }
    }

    /// A cancellation would be passed on to what it waits for.
    pub(crate) fn waits_for_a_pending_one(&self) -> bool {
        self.waits_for.borrow().as_ref().is_some_and(|other| other.ended().is_none())
    }

    /// Waits, as the task of this handle, for the end of another. `on_cut` is called when the wait is dropped in the
    /// middle for a reason that asyncio would pass on to the other task.
    pub(crate) fn join<'a, F: FnMut()>(self: &'a Rc<Self>, other: &'a Rc<Handle>, on_cut: F) -> Join<'a, F> {
        Join { me: self, other, place: None, on_cut }
    }
}

/// See [`Handle::join`].
pub(crate) struct Join<'a, F: FnMut()> {
    me: &'a Handle,
    other: &'a Rc<Handle>,
    place: Option<u64>,
    on_cut: F,
}

impl<F: FnMut() + Unpin> Future for Join<'_, F> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        if let Some(ended) = this.other.ended() {
            this.leave();
            return Poll::Ready(ended);
        }
        this.place = Some(this.other.awaiters.register(this.place, cx.waker()));
        *this.me.waits_for.borrow_mut() = Some(this.other.clone());
        Poll::Pending
    }
}

impl<F: FnMut()> Join<'_, F> {
    /// Says whether it was still waiting.
    fn leave(&mut self) -> bool {
        let Some(place) = self.place.take() else { return false };
        self.other.awaiters.forget(place);
        self.me.waits_for.take();
        true
    }
}

impl<F: FnMut()> Drop for Join<'_, F> {
    fn drop(&mut self) {
        if self.leave() && !self.me.woken.get() {
            (self.on_cut)();
        }
    }
}

/// The wakers of all who await one handle.
#[derive(Default)]
struct Awaiters(Mutex<Line>);

#[derive(Default)]
struct Line {
    next: u64,
    waiting: Vec<(u64, Waker)>,
}

impl Awaiters {
    /// At the end of the line, or again at the place it has.
    fn register(&self, place: Option<u64>, waker: &Waker) -> u64 {
        let mut line = self.line();
        if let Some((place, waiting)) = line.waiting.iter_mut().find(|(p, _)| Some(*p) == place) {
            waiting.clone_from(waker);
            return *place;
        }
        let place = line.next;
        line.next += 1;
        line.waiting.push((place, waker.clone()));
        place
    }

    fn forget(&self, place: u64) {
        self.line().waiting.retain(|(p, _)| *p != place);
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}

impl Wake for Awaiters {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut self.line().waiting);
        for (_, waker) in waiting {
            waker.wake();
        }
    }
}

/// The future that the runner drives: main's body, which can be cancelled.
pub(crate) struct Main<F> {
    handle: Rc<Handle>,
    body: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Outcome<Value>>> Main<F> {
    pub(crate) fn new(handle: Rc<Handle>, body: F) -> Self {
        Main { handle, body: Some(Box::pin(body)) }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let Kind::Main { due, waker, .. } = &self.handle.kind else { unreachable!("only main is driven so") };
        waker.borrow_mut().clone_from(cx.waker());
        if due.get() {
            self.body = None;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(Ended::Cancelled) };
        let outcome = body.as_mut().poll(cx);
        match outcome {
            Poll::Ready(Err(Raised::Error(name))) => Poll::Ready(Ended::Error(name)),
            Poll::Ready(Ok(value)) if !due.get() => Poll::Ready(Ended::Value(value)),
            Poll::Ready(_) => Poll::Ready(Ended::Cancelled),
            Poll::Pending => {
                if due.get() {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl<F: Future<Output = Outcome<Value>>> Future for Main<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(ended) = self.step(cx) else { return Poll::Pending };
        *self.handle.ended.borrow_mut() = Some(ended);
        self.handle.awaiters.clone().wake();
        Poll::Ready(())
    }
}
