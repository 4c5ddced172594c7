//! Handles: what a scenario calls a task or a future by, shared by all who await it.

use alloc::{borrow::ToOwned, rc::Rc, string::String};
use core::{
    cell::{Cell, OnceCell, RefCell},
    fmt::Debug,
};

use corio::{Cancelled, Child, DoneHandle, Either, Event, Future, Task, TaskId, current_task};

use crate::{
    ops::{Outcome, Raised},
    value::{Value, ok_text},
};

/// A started task, alone or in a group, or a settable future.
pub(crate) type AsChild<'a> = Either<Either<&'a Task<Outcome<Value>>, &'a Child<Outcome<Value>>>, AsFuture<'a>>;
type AsFuture<'a> = &'a Rc<Future<Outcome<Value>>>;

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
    /// The error it ended by. An error beats a cancellation that was requested in the same step.
    failure: RefCell<Option<Rc<str>>>,
}

enum Kind {
    Task(OnceCell<Started>),
    Future(Rc<Future<Outcome<Value>>>),
    /// The runner owns it.
    Main {
        id: OnceCell<TaskId>,
        ended: RefCell<Option<Ended>>,
        end: Event,
        cancelled: Cell<u32>,
    },
}

/// A task that was started.
pub(crate) enum Started {
    Alone(Task<Outcome<Value>>),
    /// In a group, which has its error.
    InGroup(Child<Outcome<Value>>),
}

impl Started {
    fn outcome(&self) -> Option<Result<&Outcome<Value>, Cancelled>> {
        match self {
            Started::Alone(task) => task.outcome(),
            Started::InGroup(child) => child.outcome(),
        }
    }

    fn id(&self) -> TaskId {
        match self {
            Started::Alone(task) => task.id(),
            Started::InGroup(child) => child.id(),
        }
    }

    fn cancel(&self) -> bool {
        match self {
            Started::Alone(task) => task.cancel(),
            Started::InGroup(child) => child.cancel(),
        }
    }

    fn cancelling(&self) -> u32 {
        match self {
            Started::Alone(task) => task.cancelling(),
            Started::InGroup(child) => child.cancelling(),
        }
    }

    async fn ended(&self) {
        match self {
            Started::Alone(task) => task.ended().await,
            Started::InGroup(child) => child.ended().await,
        }
    }
}

impl Handle {
    fn new(label: Rc<str>, kind: Kind) -> Rc<Self> {
        Rc::new(Handle { label, kind, failure: RefCell::default() })
    }

    /// The handle of a task that [`start`](Handle::start) will bring.
    pub(crate) fn task(label: Rc<str>) -> Rc<Self> {
        Handle::new(label, Kind::Task(OnceCell::new()))
    }

    pub(crate) fn future(label: Rc<str>) -> Rc<Self> {
        Handle::new(label, Kind::Future(Rc::new(Future::new())))
    }

    /// Ends a future; an error if it has ended, or is a task.
    pub(crate) fn set(&self, outcome: Outcome<Value>) -> Outcome<()> {
        let Kind::Future(future) = &self.kind else { return Err(Raised::error("RuntimeError")) };
        future.set(outcome).map_err(|_| Raised::error("InvalidStateError"))
    }

    /// Has `f` called at its end; none for a task that has not been started.
    pub(crate) fn on_done<E: Debug>(&self, f: impl FnOnce() -> Result<(), E> + 'static) -> Option<DoneHandle> {
        match &self.kind {
            Kind::Task(task) => task.get().map(|task| task.id().on_done(|_| f())),
            Kind::Future(future) => Some(future.on_done(|_| f())),
            Kind::Main { id, .. } => id.get().map(|id| id.on_done(|_| f())),
        }
    }

    pub(crate) fn main() -> Rc<Self> {
        let main = Kind::Main {
            id: OnceCell::new(),
            ended: RefCell::default(),
            end: Event::new(),
            cancelled: Cell::default(),
        };
        Handle::new("main".into(), main)
    }

    pub(crate) fn start(&self, task: Started) {
        if let Kind::Task(place) = &self.kind {
            let _ = place.set(task);
        }
    }

    /// Said by main itself, in its first step.
    pub(crate) fn main_begins(&self) {
        if let (Kind::Main { id, .. }, Some(task)) = (&self.kind, current_task()) {
            let _ = id.set(task);
        }
    }

    /// Said by main itself, in its last step, however it ends.
    pub(crate) fn main_ends(&self) {
        if let Kind::Main { end, .. } = &self.kind {
            end.set();
        }
    }

    /// Said by the runner.
    pub(crate) fn main_ended(&self, outcome: Result<Outcome<Value>, Cancelled>) {
        if let Kind::Main { ended, .. } = &self.kind {
            *ended.borrow_mut() = Some(self.judge(outcome.as_ref().map_err(|cancelled| *cancelled)));
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
        match &self.kind {
            Kind::Task(task) => task.get()?.outcome().map(|outcome| self.judge(outcome)),
            Kind::Future(future) => future.outcome().map(|outcome| self.judge(outcome)),
            Kind::Main { ended, .. } => ended.borrow().clone(),
        }
    }

    fn judge(&self, outcome: Result<&Outcome<Value>, Cancelled>) -> Ended {
        match outcome {
            Ok(Ok(value)) => Ended::Value(value.clone()),
            Ok(Err(Raised::Error(name))) => Ended::Error(name.clone()),
            Ok(Err(Raised::Cancelled | Raised::Halt)) => Ended::Cancelled,
            Err(Cancelled) => self.failure.borrow().clone().map_or(Ended::Cancelled, Ended::Error),
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
        match &self.kind {
            Kind::Task(task) => task.get().is_some_and(Started::cancel),
            Kind::Future(future) => future.cancel(),
            Kind::Main { id, cancelled, .. } => {
                let taken = id.get().is_some_and(TaskId::cancel);
                cancelled.set(cancelled.get() + u32::from(taken));
                taken
            }
        }
    }

    /// How many times it was cancelled.
    pub(crate) fn cancelling(&self) -> u32 {
        match &self.kind {
            Kind::Task(task) => task.get().map_or(0, Started::cancelling),
            Kind::Future(_) => 0,
            Kind::Main { id, cancelled, .. } => match id.get() {
                Some(id) if !id.is_done() => id.cancelling(),
                _ => cancelled.get(),
            },
        }
    }

    /// The task, while it runs.
    pub(crate) fn id(&self) -> Option<TaskId> {
        match &self.kind {
            Kind::Task(task) => task.get().map(Started::id),
            Kind::Future(_) => None,
            Kind::Main { id, .. } => id.get().copied(),
        }
    }

    /// What combinators take, unless it is main.
    pub(crate) fn as_child(&self) -> Option<AsChild<'_>> {
        match &self.kind {
            Kind::Task(task) => Some(Either::First(match task.get()? {
                Started::Alone(task) => Either::First(task),
                Started::InGroup(child) => Either::Second(child),
            })),
            Kind::Future(future) => Some(Either::Second(future)),
            Kind::Main { .. } => None,
        }
    }

    /// Waits for its end.
    pub(crate) async fn join(&self) -> Ended {
        match &self.kind {
            Kind::Task(task) => {
                if let Some(task) = task.get() {
                    task.ended().await;
                }
            }
            Kind::Future(future) => drop(future.wait().await),
            Kind::Main { end, .. } => end.wait().await,
        }
        self.ended().unwrap_or(Ended::Cancelled)
    }
}
