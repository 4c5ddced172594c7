//! Shared numbers.

use super::{Act, Outcome};
use crate::{
    parse::{Fields, Parsed},
    value::{Expr, Text, Value},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Set { object: Text, value: Expr },
    Add { object: Text, n: Expr },
    Get { object: Text },
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let op = match fields.op() {
        "cell_set" => Now::Set { object: fields.text("o")?, value: fields.expr("v")? },
        "cell_add" => Now::Add { object: fields.text("o")?, n: fields.number("n", 1)? },
        "cell_get" => Now::Get { object: fields.text("o")? },
        _ => return Ok(None),
    };
    Ok(Some(Act::Now(super::Now::Cells(op))))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Set { object, value } => {
                ctx.cell(object)?.set(ctx.int(value)?);
                Ok(Value::None)
            }
            Now::Add { object, n } => {
                let cell = ctx.cell(object)?;
                cell.set(cell.get() + ctx.int(n)?);
                Ok(Value::Int(cell.get()))
            }
            Now::Get { object } => Ok(Value::Int(ctx.cell(object)?.get())),
        }
    }
}
