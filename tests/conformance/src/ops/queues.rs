//! Queues of the three orders.

use corio::{PutError, Shutdown, TryGetError, TryPutError};

use super::{Act, Outcome, Raised};
use crate::{
    objects::{Object, Queue},
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Put { object: Text, value: Expr },
    Get { object: Text },
    TaskDone { object: Text },
    Shutdown { object: Text, immediate: bool },
    State { object: Text },
}

#[derive(Debug)]
pub(crate) enum Wait {
    Put { object: Text, value: Expr },
    Get { object: Text },
    Join { object: Text },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let now = |op| Act::Now(super::Now::Queues(op));
    let wait = |op| Act::Wait(super::Wait::Queues(op));
    let object = || fields.text("o");
    Ok(Some(match fields.op() {
        "put_nowait" => now(Now::Put { object: object()?, value: fields.expr("v")? }),
        "get_nowait" => now(Now::Get { object: object()? }),
        "task_done" => now(Now::TaskDone { object: object()? }),
        "q_shutdown" => now(Now::Shutdown { object: object()?, immediate: fields.flag("immediate")? }),
        "q_state" => now(Now::State { object: object()? }),
        "put" => wait(Wait::Put { object: object()?, value: fields.expr("v")? }),
        "get" => wait(Wait::Get { object: object()? }),
        "join" => wait(Wait::Join { object: object()? }),
        _ => return Ok(None),
    }))
}

/// The same code on the three types of queue.
macro_rules! each {
    ($ctx:ident, $object:ident, $queue:ident => $code:expr) => {
        match $ctx.object($object)? {
            Object::Queue(Queue::Fifo($queue)) => $code,
            Object::Queue(Queue::Lifo($queue)) => $code,
            Object::Queue(Queue::Priority($queue)) => $code,
            _ => return Err($ctx.wrong_kind($object)),
        }
    };
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Put { object, value } => {
                let value = ctx.value(value)?;
                each!(ctx, object, queue => queue.try_put(value)).map_err(|e| match e {
                    TryPutError::Full(_) => Raised::error("QueueFull"),
                    TryPutError::ShutDown(_) => Raised::error("QueueShutDown"),
                })?;
            }
            Now::Get { object } => {
                return each!(ctx, object, queue => queue.try_get()).map_err(|e| match e {
                    TryGetError::Empty => Raised::error("QueueEmpty"),
                    TryGetError::ShutDown => Raised::error("QueueShutDown"),
                });
            }
            Now::TaskDone { object } => {
                each!(ctx, object, queue => queue.task_done()).map_err(|_| Raised::error("ValueError"))?;
            }
            Now::Shutdown { object, immediate } => {
                let how = if *immediate { Shutdown::Immediate } else { Shutdown::Drain };
                each!(ctx, object, queue => queue.shutdown(how));
            }
            Now::State { object } => {
                let (size, empty, full) = each!(ctx, object, queue => (queue.len(), queue.is_empty(), queue.is_full()));
                return Ok(Value::str(format!("size={size} empty={empty} full={full}")));
            }
        }
        Ok(Value::None)
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Wait::Put { object, value } => {
                let value = ctx.value(value)?;
                match each!(ctx, object, queue => queue.put(value).await) {
                    Ok(()) => Ok(Value::None),
                    Err(PutError::ShutDown(_)) => Err(Raised::error("QueueShutDown")),
                }
            }
            Wait::Get { object } => {
                each!(ctx, object, queue => queue.get().await).map_err(|_| Raised::error("QueueShutDown"))
            }
            Wait::Join { object } => {
                each!(ctx, object, queue => queue.join().await);
                Ok(Value::None)
            }
        }
    }
}
