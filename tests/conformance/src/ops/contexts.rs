//! Context variables.

use corio::{Context, ResetError};

use super::{Act, Outcome, Raised};
use crate::{
    objects::Object,
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Set { object: Text, value: Expr, token: Option<Text> },
    Get { object: Text },
    Reset { token: Text },
    Copy { label: Text },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let op = match fields.op() {
        "ctx_set" => Now::Set { object: fields.text("o")?, value: fields.expr("v")?, token: fields.opt_text("token")? },
        "ctx_get" => Now::Get { object: fields.text("o")? },
        "ctx_reset" => Now::Reset { token: fields.text("token")? },
        "ctx_copy" => Now::Copy { label: fields.text("as")? },
        _ => return Ok(None),
    };
    Ok(Some(Act::Now(super::Now::Contexts(op))))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Set { object, value, token } => {
                let Object::Variable { var, .. } = ctx.object(object)? else { return Err(ctx.wrong_kind(object)) };
                let given = var.set(ctx.value(value)?);
                if let Some(token) = token {
                    let label = ctx.text(token)?;
                    ctx.world.tokens.borrow_mut().insert(label.into(), Some((*var, given)));
                }
            }
            Now::Get { object } => {
                let Object::Variable { var, default } = ctx.object(object)? else {
                    return Err(ctx.wrong_kind(object));
                };
                return Ok(var.get().unwrap_or_else(|| default.clone()));
            }
            Now::Reset { token } => {
                let label = ctx.text(token)?;
                let mut tokens = ctx.world.tokens.borrow_mut();
                let Some(place) = tokens.get_mut(label.as_str()) else {
                    return Err(ctx.world.mistake(format!("no token {label}")));
                };
                // A token that is used is gone; corio's types let nobody use it again.
                let Some((var, token)) = place.take() else { return Err(Raised::error("RuntimeError")) };
                if let Err(ResetError(token)) = var.reset(token) {
                    *place = Some((var, token));
                    return Err(Raised::error("ValueError"));
                }
            }
            Now::Copy { label } => {
                let label = ctx.text(label)?;
                ctx.world.contexts.borrow_mut().insert(label.into(), Context::current());
            }
        }
        Ok(Value::None)
    }
}
