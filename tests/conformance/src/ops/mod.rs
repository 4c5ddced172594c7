//! The ops, by area: each file has the typed form of its ops, reads them from their fields and runs them.
//!
//! An op that never waits is a [`Now`], one that may is a [`Wait`]; the difference is in the types because callbacks may
//! use only the first kind. Every body is run by [`run`], an ordinary async recursion whose one box is there.
//!
//! ```text
//!   task ─► run(body) ─► step(op) ─► Act::Wait ─► guard, with, timeout … ─► run(inner body) ─► …
//! ```
//!
//! Errors and cancelled outcomes of others are values that travel outward ([`Raised`]). A task's own cancellation is none
//! of these: corio drops the task's future, and the guards of `guard` and `with` run as Rust drops them.

mod calls;
mod cells;
mod combine;
mod contexts;
mod flow;
mod generators;
mod locks;
mod queues;
mod tasks;
mod time;

use alloc::{borrow::ToOwned, boxed::Box, rc::Rc, string::String};
use core::{future::Future, pin::Pin};

use crate::{
    parse::{Fields, Parsed},
    value::{Text, Value, ok_text},
    world::Ctx,
};
pub(crate) use calls::Callback;
pub(crate) use combine::Entry;
pub(crate) use generators::{Opened, Step, Template};
pub(crate) use tasks::{parse_spawn, root};

/// A list of ops, shared by all tasks that run it.
pub(crate) type Body = Rc<[Op]>;

#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) settle: Option<Text>,
    pub(crate) into: Option<Rc<str>>,
    pub(crate) act: Act,
}

#[derive(Debug)]
pub(crate) enum Act {
    Now(Now),
    Leave(flow::Leave),
    Wait(Wait),
}

/// Ops that never wait.
#[derive(Debug)]
pub(crate) enum Now {
    Flow(flow::Now),
    Calls(calls::Now),
    Tasks(tasks::Now),
    Time(time::Now),
    Locks(locks::Now),
    Queues(queues::Now),
    Cells(cells::Now),
    Contexts(contexts::Now),
    Generators(generators::Now),
}

/// Ops that may wait.
#[derive(Debug)]
pub(crate) enum Wait {
    Flow(flow::Wait),
    Tasks(tasks::Wait),
    Time(time::Wait),
    Locks(locks::Wait),
    Queues(queues::Wait),
    Generators(generators::Wait),
    Combine(combine::Wait),
}

/// How an op or a body was left, when not by an error.
#[derive(Debug)]
pub(crate) enum Flow {
    /// At its end, with the value of the op.
    Value(Value),
    Break,
    Return(Value),
}

impl Flow {
    pub(crate) const DONE: Flow = Flow::Value(Value::None);
}

/// What travels outward through the bodies.
#[derive(Clone, Debug)]
pub(crate) enum Raised {
    /// An error, by name.
    Error(Rc<str>),
    /// The outcome of awaiting something that was cancelled.
    Cancelled,
    /// The run is over: [`World::halt`](crate::world::World::halt) has the reason, nothing catches it.
    Halt,
}

impl Raised {
    pub(crate) fn error(name: &str) -> Self {
        Raised::Error(name.into())
    }
}

pub(crate) type Outcome<T> = Result<T, Raised>;

/// Reads an op; `None` when no area has it.
pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let areas = [
        flow::parse,
        calls::parse,
        tasks::parse,
        time::parse,
        locks::parse,
        queues::parse,
        cells::parse,
        generators::parse,
        combine::parse,
        contexts::parse,
    ];
    for area in areas {
        if let Some(act) = area(fields)? {
            return Ok(Some(act));
        }
    }
    Ok(None)
}

/// Runs a body to its end, or until an op leaves it.
pub(crate) fn run<'a>(body: &'a [Op], ctx: &'a Ctx) -> Pin<Box<dyn Future<Output = Outcome<Flow>> + 'a>> {
    Box::pin(async move {
        for op in body {
            match step(op, ctx).await? {
                Flow::Value(_) => {}
                left => return Ok(left),
            }
        }
        Ok(Flow::DONE)
    })
}

async fn step(op: &Op, ctx: &Ctx) -> Outcome<Flow> {
    let label = op.label(ctx)?;
    let flow = act(&op.act, ctx).await;
    op.settle(label, flow, ctx)
}

impl Op {
    fn label(&self, ctx: &Ctx) -> Outcome<Option<String>> {
        self.settle.as_ref().map(|label| ctx.text(label)).transpose()
    }

    /// What comes of an op that is over: it may be logged, and its value kept.
    fn settle(&self, label: Option<String>, flow: Outcome<Flow>, ctx: &Ctx) -> Outcome<Flow> {
        let flow = match label {
            None => flow?,
            Some(label) => {
                let outcome = match &flow {
                    Ok(Flow::Value(value)) => ok_text(value),
                    Ok(Flow::Break | Flow::Return(_)) => ok_text(&Value::None),
                    Err(Raised::Error(name)) => format!("err {name}"),
                    Err(Raised::Cancelled) if !ctx.is_cancelling() => "cancelled".to_owned(),
                    Err(raised) => return Err(raised.clone()),
                };
                ctx.log(&format!("{label} -> {outcome}"));
                match flow {
                    Ok(flow) => flow,
                    Err(_) => return Ok(Flow::DONE),
                }
            }
        };
        if let (Flow::Value(value), Some(name)) = (&flow, &self.into) {
            ctx.set(name, value.clone());
        }
        Ok(flow)
    }
}

async fn act(act: &Act, ctx: &Ctx) -> Outcome<Flow> {
    match act {
        Act::Now(now) => now.run(ctx).map(Flow::Value),
        Act::Leave(leave) => leave.run(ctx),
        Act::Wait(Wait::Flow(op)) => op.run(ctx).await,
        Act::Wait(Wait::Tasks(op)) => op.run(ctx).await,
        Act::Wait(Wait::Time(op)) => op.run(ctx).await,
        Act::Wait(Wait::Locks(op)) => op.run(ctx).await,
        Act::Wait(Wait::Queues(op)) => op.run(ctx).await.map(Flow::Value),
        Act::Wait(Wait::Generators(op)) => op.run(ctx).await,
        Act::Wait(Wait::Combine(op)) => op.run(ctx).await,
    }
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Flow(op) => op.run(ctx),
            Now::Calls(op) => op.run(ctx),
            Now::Tasks(op) => op.run(ctx),
            Now::Time(op) => op.run(ctx),
            Now::Locks(op) => op.run(ctx),
            Now::Queues(op) => op.run(ctx),
            Now::Cells(op) => op.run(ctx),
            Now::Contexts(op) => op.run(ctx),
            Now::Generators(op) => op.run(ctx),
        }
    }
}
