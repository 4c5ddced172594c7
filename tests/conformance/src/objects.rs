//! The objects of a scenario, each a thin skin over corio's.

use alloc::{collections::BTreeMap, rc::Rc};
use core::cell::Cell;

use corio::{
    Barrier, ContextVar, DynLifoQueue, DynPriorityQueue, DynQueue, Event, Mutex, Permit, RawCondition, RawLock,
};

use crate::{
    ops::{Outcome, Raised},
    parse::{ObjectSpec, QueueOrder},
    value::Value,
};

pub(crate) enum Object {
    Lock(Lock),
    Event(Event),
    Condition(Condition),
    Barrier(Barrier),
    Semaphore(Semaphore),
    Queue(Queue),
    Cell(Cell<i64>),
    Variable { var: &'static ContextVar<Value>, default: Value },
}

/// The language's lock is `RawLock`; where only `with` takes it, `Mutex` must behave the same and is tested in its place.
pub(crate) enum Lock {
    Scoped(Mutex<()>),
    Raw(Rc<RawLock>),
}

/// Its lock may be one of the scenario's.
pub(crate) type Condition = RawCondition<Rc<RawLock>>;

pub(crate) struct Semaphore {
    semaphore: corio::Semaphore,
    bound: Option<usize>,
}

pub(crate) enum Queue {
    Fifo(DynQueue<Value>),
    Lifo(DynLifoQueue<Value>),
    Priority(DynPriorityQueue<Value>),
}

/// All objects of a scenario.
pub(crate) fn make(specs: &BTreeMap<Rc<str>, ObjectSpec>) -> BTreeMap<Rc<str>, Object> {
    /// A variable lives in a static. Their values are in contexts, so scenarios may share them.
    static VARIABLES: [ContextVar<Value>; 8] = [const { ContextVar::new() }; 8];
    let mut variables = VARIABLES.iter();
    let mut variable = || variables.next().expect("scenarios have few variables");
    let objects = specs.iter().filter_map(|(name, spec)| Some((name.clone(), Object::new(spec, &mut variable)?)));
    let mut objects: BTreeMap<_, _> = objects.collect();
    for (name, spec) in specs {
        if let ObjectSpec::Condition { lock: Some(lock) } = spec
            && let Some(Object::Lock(Lock::Raw(lock))) = objects.get(lock)
        {
            let condition = Object::Condition(RawCondition::new(lock.clone()));
            objects.insert(name.clone(), condition);
        }
    }
    objects
}

impl Object {
    /// None for what is a handle.
    fn new(spec: &ObjectSpec, variable: impl FnOnce() -> &'static ContextVar<Value>) -> Option<Self> {
        Some(match *spec {
            ObjectSpec::Future => return None,
            ObjectSpec::Lock { scoped: true } => Object::Lock(Lock::Scoped(Mutex::new(()))),
            ObjectSpec::Lock { scoped: false } => Object::Lock(Lock::Raw(Rc::default())),
            ObjectSpec::Event => Object::Event(Event::new()),
            ObjectSpec::Condition { .. } => Object::Condition(RawCondition::new(Rc::default())),
            ObjectSpec::Barrier { parties } => Object::Barrier(Barrier::new(parties)),
            ObjectSpec::Semaphore { value, bounded } => Object::Semaphore(Semaphore {
                semaphore: corio::Semaphore::new(value),
                bound: bounded.then_some(value),
            }),
            ObjectSpec::Queue { order, maxsize } => Object::Queue(match order {
                QueueOrder::Fifo => Queue::Fifo(DynQueue::new(maxsize)),
                QueueOrder::Lifo => Queue::Lifo(DynLifoQueue::new(maxsize)),
                QueueOrder::Priority => Queue::Priority(DynPriorityQueue::new(maxsize)),
            }),
            ObjectSpec::Variable { ref default } => Object::Variable { var: variable(), default: default.clone() },
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
