//! Several tasks at a time: `gather`, `wait`, `as_completed`, and `shield`.

use alloc::{borrow::ToOwned, boxed::Box, rc::Rc, vec::Vec};

use corio::{
    Cancelled, Duration, Either, GatherError, Until, as_completed, cancel_and_wait, gather, shield, try_gather, wait,
};

use super::{Act, Body, Flow, Outcome, Raised, run, tasks};
use crate::{
    handle::{AsChild as Child, Ended, Handle},
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Wait {
    Gather { of: Box<[Entry]>, return_exceptions: bool },
    Tasks { of: Box<[Entry]>, until: Return, timeout: Expr },
    AsCompleted { of: Box<[Entry]>, timeout: Expr, label: Option<Text>, body: Body },
    Shield { of: Entry },
}

/// A task to wait for.
#[derive(Debug)]
pub(crate) enum Entry {
    Named(Text),
    Spawned(tasks::Spawn),
}

/// When `wait` returns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Return {
    All,
    FirstCompleted,
    FirstException,
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    Ok(Some(Act::Wait(super::Wait::Combine(match fields.op() {
        "gather" => Wait::Gather { of: fields.entries("of")?, return_exceptions: fields.flag("return_exceptions")? },
        "wait" => {
            let until = match fields.opt_name("return_when")?.as_deref() {
                None | Some("all") => Return::All,
                Some("first_completed") => Return::FirstCompleted,
                Some("first_exception") => Return::FirstException,
                Some(_) => return fields.mistake("return_when"),
            };
            Wait::Tasks { of: fields.entries("of")?, until, timeout: fields.expr("timeout")? }
        }
        "as_completed" => Wait::AsCompleted {
            of: fields.entries("of")?,
            timeout: fields.expr("timeout")?,
            label: fields.opt_text("label")?,
            body: fields.opt_body("body")?,
        },
        "shield" if fields.has("h") => Wait::Shield { of: Entry::Named(fields.text("h")?) },
        "shield" => Wait::Shield { of: Entry::Spawned(tasks::parse_spawn(fields)?) },
        _ => return Ok(None),
    }))))
}

impl Entry {
    fn handle(&self, ctx: &Ctx) -> Outcome<Rc<Handle>> {
        match self {
            Entry::Named(name) => ctx.handle(name),
            Entry::Spawned(spawn) => spawn.start(ctx),
        }
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::Gather { of, return_exceptions } => {
                let handles = handles(of, ctx)?;
                let tasks = tasks_of(&handles, ctx)?;
                let values = if *return_exceptions {
                    gather(tasks).outcomes().await;
                    handles.iter().map(|handle| outcome_value(handle)).collect()
                } else {
                    match try_gather(tasks).await {
                        Ok(values) => values.into_iter().cloned().collect(),
                        Err(GatherError::Failed(raised)) => return Err(raised.clone()),
                        Err(GatherError::Cancelled) => return Err(Raised::Cancelled),
                    }
                };
                Ok(Flow::Value(Value::List(values)))
            }
            Wait::Tasks { of, until, timeout } => {
                let handles = handles(of, ctx)?;
                let until = match until {
                    Return::All => Until::All,
                    Return::FirstCompleted => Until::FirstCompleted,
                    Return::FirstException => Until::First(|outcome| matches!(outcome, Ok(Err(Raised::Error(_))))),
                };
                let waited = wait(tasks_of(&handles, ctx)?, until, limit(timeout, ctx)?).await;
                let [done, pending] = [&waited.done, &waited.pending].map(|tasks| {
                    let labels: Vec<_> = tasks.iter().map(|task| handle_of(*task, &handles).label()).collect();
                    labels.join(", ")
                });
                Ok(Flow::Value(Value::str(format!("done [{done}] pending [{pending}]"))))
            }
            Wait::AsCompleted { of, timeout, label, body } => {
                let handles = handles(of, ctx)?;
                let ended = as_completed(tasks_of(&handles, ctx)?);
                let mut next = match limit(timeout, ctx)? {
                    None => Next::Unlimited(ended),
                    Some(limit) => Next::Within(ended.within(limit)),
                };
                let mut index = 0;
                while let Some(task) = next.next().await {
                    let outcome = match task {
                        None => "err TimeoutError".to_owned(),
                        Some(task) => {
                            let handle = handle_of(task, &handles);
                            if matches!(handle.ended(), Some(Ended::Cancelled)) && ctx.is_cancelling() {
                                return Err(Raised::Cancelled);
                            }
                            handle.outcome_text()
                        }
                    };
                    let label = label.as_ref().map_or_else(|| Ok("next".to_owned()), |label| ctx.text(label))?;
                    ctx.log(&format!("{label} {index} -> {outcome}"));
                    index += 1;
                    match run(body, ctx).await? {
                        Flow::Value(_) => {}
                        Flow::Break => break,
                        left => return Ok(left),
                    }
                }
                Ok(Flow::DONE)
            }
            Wait::Shield { of } => {
                let handle = of.handle(ctx)?;
                let _outcome = shield(task_of(&handle, ctx)?).await;
                tasks::result(&handle).map(Flow::Value)
            }
        }
    }
}

/// What `wait_for` does with no time at all: cancels the task, if it has not ended, and waits.
pub(crate) async fn without_time(handle: &Handle, ctx: &Ctx) -> Outcome<Value> {
    if handle.ended().is_some() {
        return tasks::result(handle);
    }
    let _outcome = cancel_and_wait(task_of(handle, ctx)?).await;
    match tasks::result(handle) {
        Err(Raised::Cancelled) => Err(Raised::error("TimeoutError")),
        result => result,
    }
}

/// The same for a body, which does not even begin.
pub(crate) async fn without_time_or_body() -> Outcome<Value> {
    match cancel_and_wait(corio::spawn(async {})).await {
        Err(Cancelled) => Err(Raised::error("TimeoutError")),
        Ok(()) => Ok(Value::None),
    }
}

enum Next<'a> {
    Unlimited(corio::AsCompleted<Child<'a>>),
    Within(corio::AsCompletedWithin<Child<'a>>),
}

impl<'a> Next<'a> {
    /// The next that has ended; within `None` one for which the time was up.
    async fn next(&mut self) -> Option<Option<Child<'a>>> {
        match self {
            Next::Unlimited(ended) => ended.next().await.map(Some),
            Next::Within(ended) => ended.next().await.map(Result::ok),
        }
    }
}

fn handles(of: &[Entry], ctx: &Ctx) -> Outcome<Vec<Rc<Handle>>> {
    of.iter().map(|entry| entry.handle(ctx)).collect()
}

fn tasks_of<'a>(handles: &'a [Rc<Handle>], ctx: &Ctx) -> Outcome<Vec<Child<'a>>> {
    handles.iter().map(|handle| task_of(handle, ctx)).collect()
}

fn task_of<'a>(handle: &'a Handle, ctx: &Ctx) -> Outcome<Child<'a>> {
    handle.as_child().ok_or_else(|| ctx.world.mistake(format!("{} cannot be waited for so", handle.label())))
}

fn handle_of<'a>(child: Child<'_>, handles: &'a [Rc<Handle>]) -> &'a Rc<Handle> {
    let address = |child: Child<'_>| match child {
        Either::First(Either::First(task)) => core::ptr::from_ref(task).addr(),
        Either::First(Either::Second(child)) => core::ptr::from_ref(child).addr(),
        Either::Second(future) => core::ptr::from_ref(future).addr(),
    };
    let mut handles = handles.iter();
    let found = handles.find(|handle| handle.as_child().is_some_and(|other| address(other) == address(child)));
    found.expect("it is one of those given")
}

/// How it has ended, as a value.
fn outcome_value(handle: &Handle) -> Value {
    match handle.ended() {
        Some(Ended::Value(value)) => value,
        _ => Value::str(handle.outcome_text()),
    }
}

fn limit(timeout: &Expr, ctx: &Ctx) -> Outcome<Option<Duration>> {
    Ok(ctx.opt_int(timeout)?.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs())))
}
