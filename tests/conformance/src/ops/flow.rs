//! Control: what a body is made of, and how it is left.

use alloc::{boxed::Box, rc::Rc, string::ToString};

use super::{Act, Body, Flow, Outcome, Raised, run};
use crate::{
    parse::{Fields, Parsed},
    value::{Comparison, Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Log { text: Text },
    Set { var: Rc<str>, value: Expr },
    Raise { error: Expr },
}

/// Ops that leave the bodies around them; callbacks have none to leave.
#[derive(Debug)]
pub(crate) enum Leave {
    Return { value: Expr },
    Break,
}

#[derive(Debug)]
pub(crate) enum Wait {
    Block { body: Body },
    Repeat { times: Expr, var: Option<Rc<str>>, body: Body },
    If { a: Expr, comparison: Comparison, b: Expr, then: Body, otherwise: Body },
    Guard { text: Text, body: Body },
    Try { body: Body, catch: Box<[Rc<str>]>, handler: Body, otherwise: Body },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let now = |op| Act::Now(super::Now::Flow(op));
    let wait = |op| Act::Wait(super::Wait::Flow(op));
    Ok(Some(match fields.op() {
        "log" => now(Now::Log { text: fields.text("text")? }),
        "set" => now(Now::Set { var: fields.name("var")?, value: fields.expr("v")? }),
        "raise" => now(Now::Raise { error: fields.expr("e")? }),
        "return" => Act::Leave(Leave::Return { value: fields.expr("v")? }),
        "break" => Act::Leave(Leave::Break),
        "block" => wait(Wait::Block { body: fields.body("body")? }),
        "repeat" => {
            wait(Wait::Repeat { times: fields.expr("n")?, var: fields.opt_name("var")?, body: fields.body("body")? })
        }
        "if" => wait(Wait::If {
            a: fields.expr("a")?,
            comparison: fields.comparison("cmp")?,
            b: fields.expr("b")?,
            then: fields.opt_body("then")?,
            otherwise: fields.opt_body("else")?,
        }),
        "guard" => wait(Wait::Guard { text: fields.text("text")?, body: fields.body("body")? }),
        "try" => wait(Wait::Try {
            body: fields.body("body")?,
            catch: fields.names("catch", "*")?,
            handler: fields.opt_body("handler")?,
            otherwise: fields.opt_body("else")?,
        }),
        _ => return Ok(None),
    }))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Log { text } => ctx.log(&ctx.text(text)?),
            Now::Set { var, value } => ctx.set(var, ctx.value(value)?),
            Now::Raise { error } => return Err(Raised::error(&ctx.value(error)?.to_string())),
        }
        Ok(Value::None)
    }
}

impl Leave {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Leave::Return { value } => ctx.value(value).map(Flow::Return),
            Leave::Break => Ok(Flow::Break),
        }
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::Block { body } => run(body, ctx).await,
            Wait::Repeat { times, var, body } => {
                for i in 0..ctx.int(times)? {
                    if let Some(var) = var {
                        ctx.set(var, Value::Int(i));
                    }
                    match run(body, ctx).await? {
                        Flow::Value(_) => {}
                        Flow::Break => break,
                        left => return Ok(left),
                    }
                }
                Ok(Flow::DONE)
            }
            Wait::If { a, comparison, b, then, otherwise } => {
                let holds = comparison.holds(&ctx.value(a)?, &ctx.value(b)?);
                run(if holds { then } else { otherwise }, ctx).await
            }
            Wait::Guard { text, body } => {
                let _guard = Guard::new(text, ctx);
                run(body, ctx).await
            }
            Wait::Try { body, catch, handler, otherwise } => {
                let caught = match run(body, ctx).await {
                    Ok(Flow::Value(_)) => return run(otherwise, ctx).await,
                    Ok(left) => return Ok(left),
                    Err(Raised::Error(name)) if catches(catch, &name) => name,
                    Err(Raised::Cancelled) if catch.iter().any(|c| &**c == "cancelled") && !ctx.is_cancelling() => {
                        "cancelled".into()
                    }
                    Err(raised) => return Err(raised),
                };
                ctx.set(&"err".into(), Value::Str(caught));
                run(handler, ctx).await
            }
        }
    }
}

fn catches(catch: &[Rc<str>], error: &str) -> bool {
    catch.iter().any(|c| &**c == "*" || &**c == error || (&**c == "group" && error.starts_with("group[")))
}

/// Logs when the body is left: at its end, by an error, or because the task's future is dropped.
pub(crate) struct Guard<'a> {
    text: &'a Text,
    ctx: &'a Ctx,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(text: &'a Text, ctx: &'a Ctx) -> Self {
        Guard { text, ctx }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Ok(text) = self.ctx.text(self.text) {
            self.ctx.log(&text);
        }
    }
}
