//! Locks, events and semaphores.

use std::rc::Rc;

use corio::{Event, MutexGuard, Permit};

use super::{Act, Body, Flow, Outcome, run};
use crate::{
    objects::{Lock, Object, Semaphore},
    parse::{Fields, Parsed},
    value::{Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Release { object: Text },
    Locked { object: Text },
    EventSet { object: Text },
    EventClear { object: Text },
    EventIsSet { object: Text },
}

#[derive(Debug)]
pub(crate) enum Wait {
    Acquire { object: Text },
    With { object: Text, var: Option<Rc<str>>, body: Body },
    Event { object: Text },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let now = |op| Act::Now(super::Now::Locks(op));
    let wait = |op| Act::Wait(super::Wait::Locks(op));
    Ok(Some(match fields.op() {
        "release" => now(Now::Release { object: fields.acquired()? }),
        "locked" => now(Now::Locked { object: fields.text("o")? }),
        "event_set" => now(Now::EventSet { object: fields.text("o")? }),
        "event_clear" => now(Now::EventClear { object: fields.text("o")? }),
        "event_is_set" => now(Now::EventIsSet { object: fields.text("o")? }),
        "acquire" => wait(Wait::Acquire { object: fields.acquired()? }),
        "with" => {
            wait(Wait::With { object: fields.text("o")?, var: fields.opt_name("var")?, body: fields.body("body")? })
        }
        "event_wait" => wait(Wait::Event { object: fields.text("o")? }),
        _ => return Ok(None),
    }))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Release { object } => match ctx.object(object)? {
                Object::Lock(lock) => lock.release()?,
                Object::Semaphore(semaphore) => semaphore.release()?,
                _ => return Err(ctx.wrong_kind(object)),
            },
            Now::Locked { object } => {
                return Ok(Value::Bool(match ctx.object(object)? {
                    Object::Lock(lock) => lock.is_locked(),
                    Object::Semaphore(semaphore) => semaphore.is_locked(),
                    _ => return Err(ctx.wrong_kind(object)),
                }));
            }
            Now::EventSet { object } => event(ctx, object)?.set(),
            Now::EventClear { object } => event(ctx, object)?.clear(),
            Now::EventIsSet { object } => return Ok(Value::Bool(event(ctx, object)?.is_set())),
        }
        Ok(Value::None)
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::Acquire { object } => {
                match ctx.object(object)? {
                    Object::Lock(lock) => lock.acquire().await,
                    Object::Semaphore(semaphore) => semaphore.acquire().await,
                    _ => return Err(ctx.wrong_kind(object)),
                }
                Ok(Flow::DONE)
            }
            Wait::With { object, var, body } => {
                let held = match ctx.object(object)? {
                    Object::Lock(lock) => hold_lock(lock).await,
                    Object::Semaphore(semaphore) => hold_semaphore(semaphore).await,
                    _ => return Err(ctx.wrong_kind(object)),
                };
                if let Some(var) = var {
                    ctx.set(var, Value::None);
                }
                let left = run(body, ctx).await;
                held.give_back()?;
                left
            }
            Wait::Event { object } => {
                event(ctx, object)?.wait().await;
                Ok(Flow::DONE)
            }
        }
    }
}

fn event<'a>(ctx: &'a Ctx, object: &Text) -> Outcome<&'a Event> {
    match ctx.object(object)? {
        Object::Event(event) => Ok(event),
        _ => Err(ctx.wrong_kind(object)),
    }
}

/// What `with` holds. corio's own guards give it back when dropped; [`Unscoped`] is for what was taken by hand.
enum Held<'a> {
    Mutex { _guard: MutexGuard<'a, ()> },
    Permit { _permit: Permit<'a> },
    Unscoped(Unscoped<'a>),
}

struct Unscoped<'a>(Option<Taken<'a>>);

enum Taken<'a> {
    Lock(&'a Lock),
    Semaphore(&'a Semaphore),
}

async fn hold_lock(lock: &Lock) -> Held<'_> {
    match lock {
        Lock::Scoped(mutex) => Held::Mutex { _guard: mutex.lock().await },
        Lock::Raw(raw) => {
            raw.acquire().await;
            Held::Unscoped(Unscoped(Some(Taken::Lock(lock))))
        }
    }
}

async fn hold_semaphore(semaphore: &Semaphore) -> Held<'_> {
    if semaphore.is_bounded() {
        semaphore.acquire().await;
        Held::Unscoped(Unscoped(Some(Taken::Semaphore(semaphore))))
    } else {
        Held::Permit { _permit: semaphore.permit().await }
    }
}

impl Held<'_> {
    /// The end of a `with` that is not dropped: only here can giving back be an error that someone sees.
    fn give_back(self) -> Outcome<()> {
        match self {
            Held::Mutex { .. } | Held::Permit { .. } => Ok(()),
            Held::Unscoped(mut unscoped) => unscoped.give_back(),
        }
    }
}

impl Unscoped<'_> {
    fn give_back(&mut self) -> Outcome<()> {
        match self.0.take() {
            Some(Taken::Lock(lock)) => lock.release(),
            Some(Taken::Semaphore(semaphore)) => semaphore.release(),
            None => Ok(()),
        }
    }
}

impl Drop for Unscoped<'_> {
    fn drop(&mut self) {
        // Given back twice is an error for the task to see, and this task is being dropped.
        self.give_back().ok();
    }
}
