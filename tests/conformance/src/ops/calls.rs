//! Callbacks, and the future that is set by hand.

use alloc::{rc::Rc, string::ToString};
use core::fmt;

use corio::{CallHandle, DoneHandle, Instant, TimerHandle, call_at, call_later, call_soon};

use super::{Act, Body, Flow, Outcome, Raised, time::millis};
use crate::{
    handle::Handle,
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Set { future: Text, value: Expr },
    Fail { future: Text, error: Expr },
    Call { when: When, call: Call },
    OnDone { handle: Text, call: Call },
    OffDone { callback: Text },
    Cancel { callback: Text },
}

/// When a callback is called.
#[derive(Debug)]
pub(crate) enum When {
    Soon,
    Later(Expr),
    At(Expr),
}

/// What a callback does.
#[derive(Debug)]
pub(crate) struct Call {
    text: Option<Text>,
    body: Body,
    name: Option<Text>,
}

/// A callback that has a name.
pub(crate) enum Callback {
    Call(CallHandle),
    Timer(TimerHandle),
    Done(DoneHandle),
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let call =
        || Ok(Call { text: fields.opt_text("text")?, body: fields.callback("do")?, name: fields.opt_text("as")? });
    let op = match fields.op() {
        "f_set" => Now::Set { future: fields.text("o")?, value: fields.expr("v")? },
        "f_err" => Now::Fail { future: fields.text("o")?, error: fields.expr("e")? },
        "call_soon" => Now::Call { when: When::Soon, call: call()? },
        "call_later" => Now::Call { when: When::Later(fields.expr("ms")?), call: call()? },
        "call_at" => Now::Call { when: When::At(fields.expr("at")?), call: call()? },
        "on_done" => Now::OnDone { handle: fields.text("h")?, call: call()? },
        "off_done" => Now::OffDone { callback: fields.text("cb")? },
        "cb_cancel" => Now::Cancel { callback: fields.text("cb")? },
        _ => return Ok(None),
    };
    Ok(Some(Act::Now(super::Now::Calls(op))))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Set { future, value } => ctx.handle(future)?.set(Ok(ctx.value(value)?))?,
            Now::Fail { future, error } => {
                let error = Raised::error(&ctx.value(error)?.to_string());
                ctx.handle(future)?.set(Err(error))?;
            }
            Now::Call { when, call } => {
                let run = call.prepare(ctx, None)?;
                let handle = match when {
                    When::Soon => Callback::Call(call_soon(run)),
                    When::Later(ms) => Callback::Timer(call_later(millis(ctx.int(ms)?), run)),
                    When::At(at) => Callback::Timer(call_at(Instant::from_millis(ctx.int(at)?.unsigned_abs()), run)),
                };
                call.keep(ctx, handle)?;
            }
            Now::OnDone { handle, call } => {
                let handle = ctx.handle(handle)?;
                if let Some(kept) = handle.on_done(call.prepare(ctx, Some(handle.clone()))?) {
                    call.keep(ctx, Callback::Done(kept))?;
                }
            }
            Now::OffDone { callback } => {
                let removed = ctx.world.with_callback(&ctx.text(callback)?, |callback| match callback {
                    Callback::Done(handle) => handle.remove(),
                    Callback::Call(_) | Callback::Timer(_) => false,
                })?;
                return Ok(Value::Int(removed.into()));
            }
            Now::Cancel { callback } => ctx.world.with_callback(&ctx.text(callback)?, |callback| {
                match callback {
                    Callback::Call(handle) => handle.cancel(),
                    Callback::Timer(handle) => handle.cancel(),
                    Callback::Done(_) => false,
                };
            })?,
        }
        Ok(Value::None)
    }
}

impl Call {
    /// The callback itself, with a copy of the variables as they are now; `of`: what it waits for the end of.
    fn prepare(
        &self,
        ctx: &Ctx,
        of: Option<Rc<Handle>>,
    ) -> Outcome<impl FnOnce() -> Result<(), CallbackError> + use<>> {
        let ctx = ctx.for_callback();
        let (text, body) = (self.text.clone(), self.body.clone());
        Ok(move || call(&ctx, text.as_ref(), of.as_deref(), &body).map_err(CallbackError))
    }

    fn keep(&self, ctx: &Ctx, callback: Callback) -> Outcome<()> {
        if let Some(name) = &self.name {
            ctx.world.add_callback(ctx.text(name)?, callback);
        }
        Ok(())
    }
}

fn call(ctx: &Ctx, text: Option<&Text>, of: Option<&Handle>, body: &Body) -> Outcome<()> {
    if let Some(text) = text {
        let text = ctx.text(text)?;
        match of {
            None => ctx.log(&text),
            Some(of) => ctx.log(&format!("{text} ({} {})", of.label(), of.outcome_text())),
        }
    }
    for op in body.iter() {
        let label = op.label(ctx)?;
        let flow = match &op.act {
            Act::Now(now) => now.run(ctx).map(Flow::Value),
            Act::Leave(_) | Act::Wait(_) => Err(ctx.world.mistake("a callback that waits")),
        };
        op.settle(label, flow, ctx)?;
    }
    Ok(())
}

/// An error that has left a callback; it shows itself as its name.
pub(crate) struct CallbackError(Raised);

impl fmt::Debug for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Raised::Error(name) => f.write_str(name),
            Raised::Cancelled => f.write_str("cancelled"),
            Raised::Halt => f.write_str("halt"),
        }
    }
}
