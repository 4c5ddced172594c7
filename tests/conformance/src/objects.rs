//! The objects of a scenario, each a thin skin over corio's.

use std::cell::Cell;

use corio::{DynLifoQueue, DynPriorityQueue, DynQueue, Event, Mutex, Permit, RawLock};

use crate::{
    ops::{Outcome, Raised},
    parse::{ObjectSpec, QueueOrder},
    value::Value,
};

pub(crate) enum Object {
    Lock(Lock),
    Event(Event),
    Semaphore(Semaphore),
    Queue(Queue),
    Cell(Cell<i64>),
}

/// The language's lock is `RawLock`; where only `with` takes it, `Mutex` must behave the same and is tested in its place.
pub(crate) enum Lock {
    Scoped(Mutex<()>),
    Raw(RawLock),
}

pub(crate) struct Semaphore {
    semaphore: corio::Semaphore,
    bound: Option<usize>,
}

pub(crate) enum Queue {
    Fifo(DynQueue<Value>),
    Lifo(DynLifoQueue<Value>),
    Priority(DynPriorityQueue<Value>),
}

impl Object {
    /// None for what is a handle.
    pub(crate) fn new(spec: &ObjectSpec) -> Option<Self> {
        Some(match *spec {
            ObjectSpec::Future => return None,
            ObjectSpec::Lock { scoped: true } => Object::Lock(Lock::Scoped(Mutex::new(()))),
            ObjectSpec::Lock { scoped: false } => Object::Lock(Lock::Raw(RawLock::new())),
            ObjectSpec::Event => Object::Event(Event::new()),
            ObjectSpec::Semaphore { value, bounded } => Object::Semaphore(Semaphore {
                semaphore: corio::Semaphore::new(value),
                bound: bounded.then_some(value),
            }),
            ObjectSpec::Queue { order, maxsize } => Object::Queue(match order {
                QueueOrder::Fifo => Queue::Fifo(DynQueue::new(maxsize)),
                QueueOrder::Lifo => Queue::Lifo(DynLifoQueue::new(maxsize)),
                QueueOrder::Priority => Queue::Priority(DynPriorityQueue::new(maxsize)),
            }),
            ObjectSpec::Cell { value } => Object::Cell(Cell::new(value)),
        })
    }
}

impl Lock {
    pub(crate) async fn acquire(&self) {
        match self {
            Lock::Raw(lock) => lock.acquire().await,
            Lock::Scoped(_) => unreachable!("a lock that is acquired by hand is never scoped"),
        }
    }

    pub(crate) fn release(&self) -> Outcome<()> {
        match self {
            Lock::Raw(lock) => lock.release().map_err(|_| Raised::error("RuntimeError")),
            Lock::Scoped(_) => unreachable!("a lock that is released by hand is never scoped"),
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        match self {
            Lock::Raw(lock) => lock.is_locked(),
            Lock::Scoped(mutex) => mutex.is_locked(),
        }
    }
}

impl Semaphore {
    pub(crate) fn is_bounded(&self) -> bool {
        self.bound.is_some()
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.semaphore.is_locked()
    }

    pub(crate) async fn permit(&self) -> Permit<'_> {
        self.semaphore.acquire().await
    }

    /// Takes a unit that `release` will give back.
    pub(crate) async fn acquire(&self) {
        self.permit().await.forget();
    }

    pub(crate) fn release(&self) -> Outcome<()> {
        if self.bound.is_some_and(|bound| self.semaphore.available() >= bound) {
            return Err(Raised::error("ValueError"));
        }
        self.semaphore.release();
        Ok(())
    }
}
