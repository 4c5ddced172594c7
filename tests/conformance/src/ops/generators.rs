//! Asynchronous generators.
//!
//! The language steps a generator by hand from any task, so those are in a table. A step takes its generator out, and a
//! step that is dropped in the middle takes it along: in asyncio a cancellation arrives within the generator and ends it.

use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::{
    cell::RefCell,
    pin::{Pin, pin},
};

use corio::{
    Comprehension, Generator,
    generator::{Body as Emits, Stream},
    try_generator,
};

use super::{Act, Body, Flow, Op, Outcome, Raised, flow::Guard, run};
use crate::{
    parse::{Args, Fields, Parsed},
    value::{Expr, Text, Value, Vars},
    world::Ctx,
};

#[derive(Debug)]
pub(crate) enum Now {
    Open { generator: Rc<str>, args: Args, name: Text },
}

#[derive(Debug)]
pub(crate) enum Wait {
    For { generator: Rc<str>, args: Args, var: Option<Rc<str>>, body: Body },
    Next { name: Text },
    Close { name: Text },
}

/// A generator as the scenario declares it: repetitions around an `emit` are unrolled.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) guard: Option<Text>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Set { var: Rc<str>, value: i64 },
    Emit { value: Expr },
    Return,
    Op(Op),
}

pub(crate) fn parse(fields: &Fields) -> Parsed<Option<Act>> {
    let wait = |op| Act::Wait(super::Wait::Generators(op));
    let (generator, args) = (|| fields.name("gen"), || fields.values("args"));
    Ok(Some(match fields.op() {
        "agen_open" => Act::Now(super::Now::Generators(Now::Open {
            generator: generator()?,
            args: args()?,
            name: fields.text("as")?,
        })),
        "agen_for" => wait(Wait::For {
            generator: generator()?,
            args: args()?,
            var: fields.opt_name("var")?,
            body: fields.opt_body("body")?,
        }),
        "agen_next" => wait(Wait::Next { name: fields.text("it")? }),
        "agen_close" => wait(Wait::Close { name: fields.text("it")? }),
        _ => return Ok(None),
    }))
}

impl Now {
    pub(crate) fn run(&self, ctx: &Ctx) -> Outcome<Value> {
        match self {
            Now::Open { generator, args, name } => {
                let opened = Opened::Idle(Box::pin(open(ctx, generator, args)?));
                ctx.world.keep_generator(ctx.text(name)?, opened);
                Ok(Value::None)
            }
        }
    }
}

impl Wait {
    pub(crate) async fn run(&self, ctx: &Ctx) -> Outcome<Flow> {
        match self {
            Wait::For { generator, args, var, body } => {
                let mut items = pin!(open(ctx, generator, args)?);
                let left = async {
                    while let Some(item) = items.next().await {
                        let item = item?;
                        if let Some(var) = var {
                            ctx.set(var, item);
                        }
                        match run(body, ctx).await? {
                            Flow::Value(_) => {}
                            Flow::Break => break,
                            left => return Ok(left),
                        }
                    }
                    Ok(Flow::DONE)
                }
                .await;
                items.close().await;
                left
            }
            Wait::Next { name } => {
                let mut step = Stepping::of(ctx, name)?;
                let next = step.items.as_mut().next().await;
                step.put_back();
                next.unwrap_or_else(|| Err(Raised::error("StopAsyncIteration"))).map(Flow::Value)
            }
            Wait::Close { name } => {
                drop(Stepping::of(ctx, name)?);
                Ok(Flow::DONE)
            }
        }
    }
}

fn open(ctx: &Ctx, generator: &Rc<str>, args: &Args) -> Outcome<Generator<impl Emits<Item = Outcome<Value>> + use<>>> {
    let template = ctx.world.generator(generator)?;
    let mut vars = Vars::from([("self".into(), ctx.value(&Expr::Var("self".into()))?)]);
    for (name, value) in args {
        vars.insert(name.clone(), ctx.value(value)?);
    }
    let ctx = Ctx::new(ctx.world.clone(), ctx.me.clone(), vars);
    Ok(try_generator(async move |mut y| {
        let _guard = template.guard.as_ref().map(|text| Guard::new(text, &ctx));
        for step in &template.steps {
            match step {
                Step::Set { var, value } => ctx.set(var, Value::Int(*value)),
                Step::Emit { value } => y.emit(ctx.value(value)?).await,
                Step::Return => break,
                Step::Op(op) => match run(core::slice::from_ref(op), &ctx).await? {
                    Flow::Value(_) => {}
                    _ => return Err(ctx.world.mistake("control flow out of a generator's op")),
                },
            }
        }
        Ok(())
    }))
}

type Items = Pin<Box<dyn Stream<Item = Outcome<Value>>>>;

/// A generator opened by hand.
pub(crate) enum Opened {
    Idle(Items),
    Running,
    /// Closed, or cancelled in the middle of a step.
    Over,
}

/// The step of one, which has it to itself.
struct Stepping {
    items: Items,
    place: Rc<RefCell<Opened>>,
    put_back: bool,
}

impl Stepping {
    fn of(ctx: &Ctx, name: &Text) -> Outcome<Self> {
        let place = ctx.world.opened_generator(&ctx.text(name)?)?;
        let items: Items = match place.replace(Opened::Running) {
            Opened::Idle(items) => items,
            Opened::Running => return Err(Raised::error("RuntimeError")),
            Opened::Over => Box::pin(corio::generator::iter([])),
        };
        Ok(Stepping { items, place, put_back: false })
    }

    fn put_back(mut self) {
        self.put_back = true;
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        let nothing = Box::pin(corio::generator::iter([]));
        let items: Items = core::mem::replace(&mut self.items, nothing);
        let after = if self.put_back { Opened::Idle(items) } else { Opened::Over };
        self.place.replace(after);
    }
}
