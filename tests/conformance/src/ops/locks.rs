//! Locks, events, semaphores, conditions and barriers.

use alloc::rc::Rc;

use corio::{Barrier, BrokenBarrier, Event, MutexGuard, NotLocked, Permit, RawLock};

use super::{Act, Body, Flow, Outcome, Raised, run};
use crate::{
    objects::{Condition, Lock, Object, Semaphore},
    parse::{Fields, Parsed},
    value::{Comparison, Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Release { object: Text },
    Locked { object: Text },
    EventSet { object: Text },
    EventClear { object: Text },
    EventIsSet { object: Text },
    Notify { object: Text, n: Expr },
    NotifyAll { object: Text },
    BarrierState { object: Text },
}

#[derive(Debug)]
pub(crate) enum Wait {
    Acquire { object: Text },
    With { object: Text, var: Option<Rc<str>>, body: Body },
    Event { object: Text },
    Condition { object: Text },
    ConditionFor { object: Text, cell: Text, comparison: Comparison, b: Expr },
    Barrier { object: Text },
    Abort { object: Text },
    Reset { object: Text },
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
        "notify" => now(Now::Notify { object: fields.text("o")?, n: fields.number("n", 1)? }),
        "notify_all" => now(Now::NotifyAll { object: fields.text("o")? }),
        "cond_wait" => wait(Wait::Condition { object: fields.text("o")? }),
        "cond_wait_for" => wait(Wait::ConditionFor {
            object: fields.text("o")?,
            cell: fields.text("cell")?,
            comparison: fields.comparison("cmp")?,
            b: fields.expr("b")?,
        }),
        "barrier_wait" => wait(Wait::Barrier { object: fields.text("o")? }),
        "barrier_abort" => wait(Wait::Abort { object: fields.text("o")? }),
        "barrier_reset" => wait(Wait::Reset { object: fields.text("o")? }),
        "barrier_state" => now(Now::BarrierState { object: fields.text("o")? }),
        _ => return Ok(None),
    }))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Release { object } => match ctx.object(object)? {
                Object::Lock(lock) => lock.release()?,
                Object::Condition(condition) => condition.lock().release().map_err(not_locked)?,
                Object::Semaphore(semaphore) => semaphore.release()?,
                _ => return Err(ctx.wrong_kind(object)),
            },
            Now::Locked { object } => {
                return Ok(Value::Bool(match ctx.object(object)? {
                    Object::Lock(lock) => lock.is_locked(),
                    Object::Condition(condition) => condition.lock().is_locked(),
                    Object::Semaphore(semaphore) => semaphore.is_locked(),
                    _ => return Err(ctx.wrong_kind(object)),
                }));
            }
            Now::EventSet { object } => event(ctx, object)?.set(),
            Now::EventClear { object } => event(ctx, object)?.clear(),
            Now::EventIsSet { object } => return Ok(Value::Bool(event(ctx, object)?.is_set())),
            Now::Notify { object, n } => {
                let n = usize::try_from(ctx.int(n)?).unwrap_or(0);
                condition(ctx, object)?.notify(n).map_err(not_locked)?;
            }
            Now::NotifyAll { object } => condition(ctx, object)?.notify_all().map_err(not_locked)?,
            Now::BarrierState { object } => {
                let barrier = barrier(ctx, object)?;
                let (parties, waiting) = (barrier.parties(), barrier.waiting());
                let broken = barrier.is_broken();
                return Ok(Value::str(format!("parties={parties} waiting={waiting} broken={broken}")));
            }
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
                    Object::Condition(condition) => condition.lock().acquire().await,
                    Object::Semaphore(semaphore) => semaphore.acquire().await,
                    _ => return Err(ctx.wrong_kind(object)),
                }
                Ok(Flow::DONE)
            }
            Wait::With { object, var, body } => {
                let mut entered = Value::None;
                let held = match ctx.object(object)? {
                    Object::Lock(lock) => hold_lock(lock).await,
                    Object::Condition(condition) => hold_raw(condition.lock()).await,
                    Object::Barrier(barrier) => {
                        entered = arrive(barrier).await?;
                        Held::Nothing
                    }
                    Object::Semaphore(semaphore) => hold_semaphore(semaphore).await,
                    _ => return Err(ctx.wrong_kind(object)),
                };
                if let Some(var) = var {
                    ctx.set(var, entered);
                }
                let left = run(body, ctx).await;
                held.give_back()?;
                left
            }
            Wait::Event { object } => {
                event(ctx, object)?.wait().await;
                Ok(Flow::DONE)
            }
            Wait::Condition { object } => {
                condition(ctx, object)?.wait().await.map_err(not_locked)?;
                Ok(Flow::DONE)
            }
            Wait::ConditionFor { object, cell, comparison, b } => {
                let (condition, cell, b) = (condition(ctx, object)?, ctx.cell(cell)?, ctx.value(b)?);
                while !comparison.holds(&Value::Int(cell.get()), &b) {
                    condition.wait().await.map_err(not_locked)?;
                }
                Ok(Flow::DONE)
            }
            Wait::Barrier { object } => arrive(barrier(ctx, object)?).await.map(Flow::Value),
            Wait::Abort { object } => {
                barrier(ctx, object)?.abort();
                Ok(Flow::DONE)
            }
            Wait::Reset { object } => {
                barrier(ctx, object)?.reset();
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

fn condition<'a>(ctx: &'a Ctx, object: &Text) -> Outcome<&'a Condition> {
    match ctx.object(object)? {
        Object::Condition(condition) => Ok(condition),
        _ => Err(ctx.wrong_kind(object)),
    }
}

fn barrier<'a>(ctx: &'a Ctx, object: &Text) -> Outcome<&'a Barrier> {
    match ctx.object(object)? {
        Object::Barrier(barrier) => Ok(barrier),
        _ => Err(ctx.wrong_kind(object)),
    }
}

fn not_locked(NotLocked: NotLocked) -> Raised {
    Raised::error("RuntimeError")
}

/// The place in the order of arrival.
async fn arrive(barrier: &Barrier) -> Outcome<Value> {
    match barrier.wait().await {
        Ok(place) => Ok(Value::Int(place as i64)),
        Err(BrokenBarrier) => Err(Raised::error("BrokenBarrierError")),
    }
}

/// What `with` holds. corio's own guards give it back when dropped; [`Unscoped`] is for what was taken by hand.
enum Held<'a> {
    Mutex { _guard: MutexGuard<'a, ()> },
    Permit { _permit: Permit<'a> },
    Unscoped(Unscoped<'a>),
    Nothing,
}

struct Unscoped<'a>(Option<Taken<'a>>);

enum Taken<'a> {
    Lock(&'a RawLock),
    Semaphore(&'a Semaphore),
}

async fn hold_lock(lock: &Lock) -> Held<'_> {
    match lock {
        Lock::Scoped(mutex) => Held::Mutex { _guard: mutex.lock().await },
        Lock::Raw(raw) => hold_raw(raw).await,
    }
}

async fn hold_raw(lock: &RawLock) -> Held<'_> {
    lock.acquire().await;
    Held::Unscoped(Unscoped(Some(Taken::Lock(lock))))
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
            Held::Mutex { .. } | Held::Permit { .. } | Held::Nothing => Ok(()),
            Held::Unscoped(mut unscoped) => unscoped.give_back(),
        }
    }
}

impl Unscoped<'_> {
    fn give_back(&mut self) -> Outcome<()> {
        match self.0.take() {
            Some(Taken::Lock(lock)) => lock.release().map_err(not_locked),
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
