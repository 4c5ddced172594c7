//! Sleeping, yielding, and time limits.

use alloc::{borrow::ToOwned, rc::Rc, string::ToString};

use corio::{Duration, Instant, TimeLimit, now, sleep, timeout, timeout_at, yield_now};

use super::{Act, Body, Flow, Outcome, Raised, combine, run, tasks};
use crate::{
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Clock,
    Reschedule { limit: Text, ms: Expr },
    LimitState { limit: Text },
}

#[derive(Debug)]
pub(crate) enum Wait {
    Sleep {
        ms: Expr,
    },
    Yield {
        times: Expr,
    },
    Timeout {
        ms: Expr,
        body: Body,
    },
    TimeoutAt {
        at: Expr,
        body: Body,
    },
    /// A timeout with a name.
    Limit {
        name: Text,
        ms: Expr,
        at: Option<Expr>,
        body: Body,
    },
    LimitBody {
        ms: Expr,
        body: Body,
    },
    LimitHandle {
        ms: Expr,
        handle: Text,
    },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let op = match fields.op() {
        "now" => return Ok(Some(Act::Now(super::Now::Time(Now::Clock)))),
        "sleep" => Wait::Sleep { ms: fields.expr("ms")? },
        "yield" => Wait::Yield { times: fields.number("n", 1)? },
        "reschedule" => {
            let op = Now::Reschedule { limit: fields.text("tm")?, ms: fields.expr("ms")? };
            return Ok(Some(Act::Now(super::Now::Time(op))));
        }
        "tm_state" => {
            return Ok(Some(Act::Now(super::Now::Time(Now::LimitState { limit: fields.text("tm")? }))));
        }
        "timeout" if fields.has("as") => Wait::Limit {
            name: fields.text("as")?,
            ms: fields.expr("ms")?,
            at: if fields.has("at") { Some(fields.expr("at")?) } else { None },
            body: fields.body("body")?,
        },
        "timeout" if fields.has("at") => Wait::TimeoutAt { at: fields.expr("at")?, body: fields.body("body")? },
        "timeout" => Wait::Timeout { ms: fields.expr("ms")?, body: fields.body("body")? },
        "wait_for" => {
            let ms = fields.expr("ms")?;
            if fields.has("h") {
                Wait::LimitHandle { ms, handle: fields.text("h")? }
            } else {
                Wait::LimitBody { ms, body: fields.body("body")? }
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(Act::Wait(super::Wait::Time(op))))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Clock => Ok(Value::Int(now().as_millis() as i64)),
            Now::Reschedule { limit, ms } => {
                let when = ctx.opt_int(ms)?.map(|ms| now() + millis(ms));
                let moved = ctx.limit(limit)?.reschedule(when);
                moved.map(|()| Value::None).map_err(|_| Raised::error("RuntimeError"))
            }
            Now::LimitState { limit } => {
                let limit = ctx.limit(limit)?;
                let when = limit.when().map_or_else(|| "none".to_owned(), |when| when.as_millis().to_string());
                Ok(Value::str(format!("expired={} when={when}", limit.has_expired())))
            }
        }
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::Sleep { ms } => {
                match ctx.int(ms)? {
                    ..=0 => yield_now().await,
                    ms => sleep(millis(ms)).await,
                }
                Ok(Flow::DONE)
            }
            Wait::Yield { times } => {
                for _ in 0..ctx.int(times)? {
                    yield_now().await;
                }
                Ok(Flow::DONE)
            }
            Wait::Timeout { ms, body } => limit(ctx, ctx.opt_int(ms)?, run(body, ctx)).await,
            Wait::TimeoutAt { at, body } => {
                let at = Instant::from_millis(ctx.int(at)?.unsigned_abs());
                expired(ctx, timeout_at(at, run(body, ctx)).await)
            }
            Wait::Limit { name, ms, at, body } => {
                let limit = Rc::new(match at {
                    Some(at) => TimeLimit::at(Instant::from_millis(ctx.int(at)?.unsigned_abs())),
                    None => TimeLimit::new(ctx.opt_int(ms)?.map(millis)),
                });
                ctx.world.add_limit(ctx.text(name)?, limit.clone());
                expired(ctx, limit.scope(run(body, ctx)).await)
            }
            Wait::LimitBody { ms, body } => {
                let ms = ctx.opt_int(ms)?;
                if ms.is_some_and(|ms| ms <= 0) {
                    return combine::without_time_or_body().await.map(Flow::Value);
                }
                let whole = async { run(body, ctx).await.and_then(|flow| tasks::returned(ctx, flow)).map(Flow::Value) };
                limit(ctx, ms, whole).await
            }
            Wait::LimitHandle { ms, handle } => {
                let (ms, handle) = (ctx.opt_int(ms)?, ctx.handle(handle)?);
                if ms.is_some_and(|ms| ms <= 0) {
                    return combine::without_time(&handle, ctx).await.map(Flow::Value);
                }
                limit(ctx, ms, async { tasks::join(&handle).await.map(Flow::Value) }).await
            }
        }
    }
}

/// A time limit around `inner`; none at all without `ms`.
async fn limit(ctx: &Ctx, ms: Option<i64>, inner: impl Future<Output = Outcome<Flow>>) -> Outcome<Flow> {
    match ms {
        None => inner.await,
        Some(ms) => expired(ctx, timeout(millis(ms), inner).await),
    }
}

fn expired<E>(ctx: &Ctx, outcome: Result<Outcome<Flow>, E>) -> Outcome<Flow> {
    match outcome {
        Ok(outcome) => outcome,
        Err(_) if ctx.world.is_halted() => Err(Raised::Halt),
        Err(_) => Err(Raised::error("TimeoutError")),
    }
}

pub(super) fn millis(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}
