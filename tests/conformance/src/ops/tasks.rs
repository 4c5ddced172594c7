//! Tasks and their handles.

use alloc::{rc::Rc, string::String};

use super::{Act, Body, Flow, Outcome, Raised, run};
use crate::{
    handle::{Ended, Handle, Started},
    parse::{Args, Fields, Parsed},
    value::{Text, Value, Vars},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Spawn(Spawn),
    Cancel { handle: Text },
    State { handle: Text },
    Result { handle: Text },
    Cancelling { handle: Text },
    AllTasks,
}

#[derive(Debug)]
pub(crate) enum Wait {
    Await { handle: Text },
    Group { name: Text, body: Body },
}

#[derive(Debug)]
pub(crate) struct Spawn {
    label: Text,
    body: Source,
    args: Args,
    group: Option<Text>,
    context: Option<Text>,
    eager: bool,
}

#[derive(Debug)]
enum Source {
    Template(Rc<str>),
    Inline(Body),
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let now = |op| Act::Now(super::Now::Tasks(op));
    let handle = || fields.text("h");
    Ok(Some(match fields.op() {
        "spawn" => now(Now::Spawn(parse_spawn(fields)?)),
        "cancel" => now(Now::Cancel { handle: handle()? }),
        "state" => now(Now::State { handle: handle()? }),
        "result" => now(Now::Result { handle: handle()? }),
        "cancelling" => now(Now::Cancelling { handle: handle()? }),
        "all_tasks" => now(Now::AllTasks),
        "await" => Act::Wait(super::Wait::Tasks(Wait::Await { handle: handle()? })),
        "group" => Act::Wait(super::Wait::Tasks(Wait::Group { name: fields.text("as")?, body: fields.body("body")? })),
        _ => return Ok(None),
    }))
}

/// The fields of a task to start; other ops have them too.
pub(crate) fn parse_spawn(fields: &Fields) -> Parsed<Spawn> {
    let body =
        if fields.has("body") { Source::Inline(fields.body("body")?) } else { Source::Template(fields.name("task")?) };
    let label = if fields.has("as") { fields.text("as")? } else { fields.text("task")? };
    Ok(Spawn {
        label,
        body,
        args: fields.values("args")?,
        group: fields.opt_text("group")?,
        context: fields.opt_text("context")?,
        eager: fields.flag("eager")?,
    })
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Spawn(spawn) => {
                spawn.start(ctx)?;
                Ok(Value::None)
            }
            Now::Cancel { handle } => Ok(Value::Bool(ctx.handle(handle)?.cancel())),
            Now::State { handle } => {
                let name = ctx.text(handle)?;
                let outcome = ctx.handle(handle)?.outcome_text();
                ctx.log(&format!("{name} is {outcome}"));
                Ok(Value::None)
            }
            Now::Result { handle } => result(&*ctx.handle(handle)?),
            Now::Cancelling { handle } => Ok(Value::Int(i64::from(ctx.handle(handle)?.cancelling()))),
            Now::AllTasks => {
                // In the order in which the scenario's spawns have ended, which is not that of creation for eager ones.
                let alive = corio::all_tasks();
                let listed = ctx.world.all_handles();
                let listed = listed.iter().filter(|handle| handle.id().is_some_and(|id| alive.contains(&id)));
                Ok(Value::List(listed.map(|handle| Value::Str(handle.label())).collect()))
            }
        }
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::Await { handle } => join(&*ctx.handle(handle)?).await.map(Flow::Value),
            Wait::Group { name, body } => group(ctx, ctx.text(name)?, body).await,
        }
    }
}

/// Waits for the end of a task, for its value or its error.
pub(crate) async fn join(handle: &Handle) -> Outcome<Value> {
    handle.join().await.into_result()
}

/// A body in a group. A cancelled outcome that leaves the body is no error of the group, but ends it as one does.
async fn group(ctx: &Ctx, name: String, body: &Body) -> Outcome<Flow> {
    let outcome = corio::group(async |g| {
        ctx.world.add_group(name, g.handle());
        match run(body, ctx).await {
            Err(Raised::Error(error)) => Err(error),
            Err(raised) => {
                g.cancel_all();
                Ok(Err(raised))
            }
            left => Ok(left),
        }
    });
    match outcome.await {
        Ok(left) => left,
        Err(failed) => Err(Raised::error(&format!("group[{}]", failed.errors().join(", ")))),
    }
}

/// How it has ended.
pub(crate) fn result(handle: &Handle) -> Outcome<Value> {
    handle.ended().map_or_else(|| Err(Raised::error("InvalidStateError")), Ended::into_result)
}

impl Spawn {
    pub(crate) fn start(&self, ctx: &Ctx) -> Outcome<Rc<Handle>> {
        let label: Rc<str> = ctx.text(&self.label)?.into();
        let mut vars = Vars::from([("self".into(), Value::Str(label.clone()))]);
        for (name, value) in &self.args {
            vars.insert(name.clone(), ctx.value(value)?);
        }
        let body = match &self.body {
            Source::Inline(body) => body.clone(),
            Source::Template(name) => ctx.world.template(name)?,
        };
        let handle = Handle::task(label);
        let mut options = if self.eager { corio::Spawn::new().eager() } else { corio::Spawn::new() };
        if let Some(context) = &self.context {
            let label = ctx.text(context)?;
            let contexts = ctx.world.contexts.borrow();
            let context = contexts.get(label.as_str());
            options = options.context(context.ok_or_else(|| ctx.world.mistake(format!("no context {label}")))?);
        }
        let root = root(body, Ctx::new(ctx.world.clone(), handle.clone(), vars));
        handle.start(match &self.group {
            None => Started::Alone(corio::spawn_with(options, root)),
            Some(name) => {
                let group = ctx.group(name)?;
                if group.is_closed() {
                    return Err(Raised::error("RuntimeError"));
                }
                Started::InGroup(group.spawn_with(options, async {
                    match root.await {
                        Err(Raised::Error(error)) => Err(error),
                        // A cancelled outcome is no error.
                        outcome => Ok(outcome),
                    }
                }))
            }
        });
        ctx.world.add_task(handle.clone());
        Ok(handle)
    }
}

/// The whole of a task.
pub(crate) async fn root(body: Body, ctx: Ctx) -> Outcome<Value> {
    let flow = run(&body, &ctx).await;
    let outcome = flow.and_then(|flow| returned(&ctx, flow));
    if let Err(Raised::Error(name)) = &outcome {
        ctx.me.fails(name);
    }
    outcome
}

/// The value of a body that `return` leaves.
pub(crate) fn returned(ctx: &Ctx, flow: Flow) -> Outcome<Value> {
    match flow {
        Flow::Value(_) => Ok(Value::None),
        Flow::Return(value) => Ok(value),
        Flow::Break => Err(ctx.world.mistake("break outside of a loop")),
    }
}

impl Ended {
    fn into_result(self) -> Outcome<Value> {
        match self {
            Ended::Value(value) => Ok(value),
            Ended::Error(name) => Err(Raised::Error(name)),
            Ended::Cancelled => Err(Raised::Cancelled),
        }
    }
}
