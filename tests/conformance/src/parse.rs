//! From JSON to typed ops.
//!
//! Each file of `ops/` reads the ops of its area from [`Fields`]. An op that none of them knows is a mistake.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    string::String,
    vec::Vec,
};
use core::{
    cell::RefCell,
    fmt::{self, Display},
};

use serde_json::{Map, Value as Json};

use crate::{
    ops::{self, Body, Entry, Op, Step, Template},
    value::{Comparison, Expr, Text, Value, Vars},
};

/// A scenario that breaks the rules of the language.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake(pub(crate) String);

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Mistake {}

/// The variables given to a new task.
pub(crate) type Args = Box<[(Rc<str>, Expr)]>;

pub(crate) type Parsed<T> = Result<T, Mistake>;

/// A scenario all of whose ops and objects this interpreter has.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) objects: BTreeMap<Rc<str>, ObjectSpec>,
    pub(crate) tasks: BTreeMap<Rc<str>, Body>,
    pub(crate) generators: BTreeMap<Rc<str>, Rc<Template>>,
    pub(crate) main: Body,
}

/// An object as the scenario declares it.
#[derive(Clone, Debug)]
pub(crate) enum ObjectSpec {
    /// `scoped`: taken by `with` alone, so a `Mutex` can stand for it.
    Lock {
        scoped: bool,
    },
    Event,
    /// `lock`: of the scenario, if it does not have its own.
    Condition {
        lock: Option<Rc<str>>,
    },
    Barrier {
        parties: usize,
    },
    Semaphore {
        value: usize,
        bounded: bool,
    },
    Queue {
        order: QueueOrder,
        maxsize: usize,
    },
    Cell {
        value: i64,
    },
    /// A context variable.
    Variable {
        default: Value,
    },
    /// A handle, not an object of a world.
    Future,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum QueueOrder {
    Fifo,
    Lifo,
    Priority,
}

/// What the parser learns on its way, beside the ops.
#[derive(Default)]
struct Findings {
    /// Objects named by `acquire` and `release`.
    acquired: RefCell<BTreeSet<String>>,
}

impl Findings {
    fn may_acquire(&self, object: &str) -> bool {
        let acquired = self.acquired.borrow();
        acquired.contains(object) || acquired.iter().any(|name| name.contains('{'))
    }
}

pub(crate) fn scenario(json: &str) -> Parsed<Scenario> {
    let json: Json = serde_json::from_str(json).map_err(|e| Mistake(format!("not JSON: {e}")))?;
    let findings = Findings::default();
    let top = Fields::new("scenario", &json, &findings)?;

    let main = top.body("main")?;
    let mut tasks = BTreeMap::new();
    for (name, template) in top.table("tasks")? {
        tasks.insert(name.as_str().into(), body(template, &findings)?);
    }
    let mut generators = BTreeMap::new();
    for (name, spec) in top.table("gens")? {
        let spec = Fields::new(name, spec, &findings)?;
        let mut steps = Vec::new();
        unroll(spec.list("ops")?, &findings, &mut steps)?;
        generators.insert(name.as_str().into(), Rc::new(Template { guard: spec.opt_text("guard")?, steps }));
    }
    for (name, spec) in top.table("objects")? {
        Fields::new(name, spec, &findings)?.lends_lock()?;
    }
    let mut objects = BTreeMap::new();
    for (name, spec) in top.table("objects")? {
        objects.insert(name.as_str().into(), object(name, &Fields::new(name, spec, &findings)?)?);
    }

    Ok(Scenario { objects, tasks, generators, main })
}

fn object(name: &str, spec: &Fields) -> Parsed<ObjectSpec> {
    let size = |key, default| match spec.opt_int(key)?.map(usize::try_from) {
        None => Ok(default),
        Some(Ok(n)) => Ok(n),
        Some(Err(_)) => spec.mistake(key),
    };
    let queue = |order| Ok(ObjectSpec::Queue { order, maxsize: size("maxsize", 0)? });
    let kind = spec.string("kind")?;
    Ok(match kind {
        "lock" => ObjectSpec::Lock { scoped: !spec.findings.may_acquire(name) },
        "event" => ObjectSpec::Event,
        "condition" => ObjectSpec::Condition { lock: spec.opt_name("lock")? },
        "barrier" => ObjectSpec::Barrier { parties: size("parties", 0)? },
        "semaphore" => ObjectSpec::Semaphore { value: size("value", 1)?, bounded: false },
        "bounded_semaphore" => ObjectSpec::Semaphore { value: size("value", 1)?, bounded: true },
        "queue" => queue(QueueOrder::Fifo)?,
        "lifo_queue" => queue(QueueOrder::Lifo)?,
        "priority_queue" => queue(QueueOrder::Priority)?,
        "context_var" => match spec.expr("default")? {
            Expr::Const(default) => ObjectSpec::Variable { default },
            Expr::Text(text) => match text.read(&Vars::new()) {
                Ok(text) => ObjectSpec::Variable { default: Value::str(text) },
                Err(_) => return spec.mistake("default"),
            },
            _ => return spec.mistake("default"),
        },
        "future" => ObjectSpec::Future,
        "cell" => ObjectSpec::Cell { value: spec.opt_int("value")?.unwrap_or(0) },
        _ => return Err(Mistake(format!("unknown kind {kind}"))),
    })
}

fn body(json: &Json, findings: &Findings) -> Parsed<Body> {
    let ops = json.as_array().ok_or_else(|| Mistake("a body is a list of ops".to_owned()))?;
    ops.iter().map(|json| op(json, findings)).collect()
}

/// The steps of a generator: an `emit` stands at the top level, or in repetitions of a number that is written there.
fn unroll(ops: &[Json], findings: &Findings, steps: &mut Vec<Step>) -> Parsed<()> {
    for json in ops {
        let fields = Fields::new("op", json, findings)?;
        match fields.string("op")? {
            "emit" => steps.push(Step::Emit { value: fields.expr("v")? }),
            "return" => steps.push(Step::Return),
            "repeat" if emits(json) => {
                let times = fields.opt_int("n")?.map_or_else(|| fields.mistake("n"), Ok)?;
                for value in 0..times {
                    if let Some(var) = fields.opt_name("var")? {
                        steps.push(Step::Set { var, value });
                    }
                    unroll(fields.list("body")?, findings, steps)?;
                }
            }
            _ => steps.push(Step::Op(op(json, findings)?)),
        }
    }
    Ok(())
}

fn emits(json: &Json) -> bool {
    json["op"] == "emit" || json["body"].as_array().is_some_and(|ops| ops.iter().any(emits))
}

fn op(json: &Json, findings: &Findings) -> Parsed<Op> {
    let mut fields = Fields::new("op", json, findings)?;
    fields.owner = fields.string("op")?;
    let act = ops::parse(&fields)?.ok_or_else(|| Mistake(format!("unknown op {}", fields.owner)))?;
    Ok(Op { settle: fields.opt_text("settle")?, into: fields.opt_name("into")?, act })
}

/// The fields of one JSON object: an op, an object's declaration or the scenario itself.
pub(crate) struct Fields<'a> {
    owner: &'a str,
    map: &'a Map<String, Json>,
    findings: &'a Findings,
}

impl<'a> Fields<'a> {
    fn new(owner: &'a str, json: &'a Json, findings: &'a Findings) -> Parsed<Self> {
        let map = json.as_object().ok_or_else(|| Mistake(format!("{owner} is not an object: {json}")))?;
        Ok(Fields { owner, map, findings })
    }

    /// The name of the op.
    pub(crate) fn op(&self) -> &'a str {
        self.owner
    }

    /// The ops of a callback, none of which may wait.
    pub(crate) fn callback(&self, key: &str) -> Parsed<Body> {
        let body = self.opt_body(key)?;
        if body.iter().all(|op| matches!(op.act, ops::Act::Now(_))) { Ok(body) } else { self.mistake(key) }
    }

    /// The object of an `acquire` or `release`, which no scoped lock can stand for.
    pub(crate) fn acquired(&self) -> Parsed<Text> {
        self.findings.acquired.borrow_mut().insert(self.string("o")?.to_owned());
        self.text("o")
    }

    /// The lock that a condition shares is taken by others than `with`.
    fn lends_lock(&self) -> Parsed<()> {
        if self.has("lock") {
            self.findings.acquired.borrow_mut().insert(self.string("lock")?.to_owned());
        }
        Ok(())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn mistake<T>(&self, key: &str) -> Parsed<T> {
        Err(Mistake(match self.map.get(key) {
            None => format!("{} needs the field {key}", self.owner),
            Some(found) => format!("{} cannot have {key} = {found}", self.owner),
        }))
    }

    fn string(&self, key: &str) -> Parsed<&'a str> {
        self.map.get(key).and_then(Json::as_str).map_or_else(|| self.mistake(key), Ok)
    }

    fn opt_int(&self, key: &str) -> Parsed<Option<i64>> {
        match self.map.get(key) {
            None => Ok(None),
            Some(json) => json.as_i64().map_or_else(|| self.mistake(key), |n| Ok(Some(n))),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Parsed<bool> {
        match self.map.get(key) {
            None => Ok(false),
            Some(json) => json.as_bool().map_or_else(|| self.mistake(key), Ok),
        }
    }

    /// A name that is taken as it stands: of a variable, of a template.
    pub(crate) fn name(&self, key: &str) -> Parsed<Rc<str>> {
        self.string(key).map(Rc::from)
    }

    pub(crate) fn opt_name(&self, key: &str) -> Parsed<Option<Rc<str>>> {
        if self.has(key) { self.name(key).map(Some) } else { Ok(None) }
    }

    pub(crate) fn text(&self, key: &str) -> Parsed<Text> {
        Text::parse(self.string(key)?).map_or_else(|| self.mistake(key), Ok)
    }

    pub(crate) fn opt_text(&self, key: &str) -> Parsed<Option<Text>> {
        if self.has(key) { self.text(key).map(Some) } else { Ok(None) }
    }

    /// A value; none when the field is absent.
    pub(crate) fn expr(&self, key: &str) -> Parsed<Expr> {
        self.map.get(key).map_or(Ok(Expr::Const(Value::None)), |json| self.value(key, json))
    }

    /// A number; `default` when the field is absent.
    pub(crate) fn number(&self, key: &str, default: i64) -> Parsed<Expr> {
        if self.has(key) { self.expr(key) } else { Ok(Expr::Const(Value::Int(default))) }
    }

    fn value(&self, key: &str, json: &Json) -> Parsed<Expr> {
        Ok(match json {
            Json::Null => Expr::Const(Value::None),
            Json::Bool(b) => Expr::Const(Value::Bool(*b)),
            Json::Number(n) => Expr::Const(Value::Int(n.as_i64().map_or_else(|| self.mistake(key), Ok)?)),
            Json::String(s) => match s.strip_prefix('$') {
                Some(name) => Expr::Var(name.into()),
                None => Expr::Text(Text::parse(s).map_or_else(|| self.mistake(key), Ok)?),
            },
            Json::Array(items) => {
                Expr::List(items.iter().map(|item| self.value(key, item)).collect::<Parsed<Box<[_]>>>()?)
            }
            Json::Object(_) => return self.mistake(key),
        })
    }

    /// The members of an object of values, as `args`.
    pub(crate) fn values(&self, key: &str) -> Parsed<Args> {
        self.table(key)?.map(|(name, json)| Ok((name.as_str().into(), self.value(key, json)?))).collect()
    }

    pub(crate) fn comparison(&self, key: &str) -> Parsed<Comparison> {
        if !self.has(key) {
            return Ok(Comparison::Eq);
        }
        Comparison::parse(self.string(key)?).map_or_else(|| self.mistake(key), Ok)
    }

    /// A string, or a list of them.
    pub(crate) fn names(&self, key: &str, default: &str) -> Parsed<Box<[Rc<str>]>> {
        match self.map.get(key) {
            None => Ok([default.into()].into()),
            Some(Json::String(one)) => Ok([one.as_str().into()].into()),
            Some(Json::Array(many)) => {
                many.iter().map(|name| name.as_str().map(Rc::from).map_or_else(|| self.mistake(key), Ok)).collect()
            }
            Some(_) => self.mistake(key),
        }
    }

    fn list(&self, key: &str) -> Parsed<&'a [Json]> {
        match self.map.get(key) {
            Some(Json::Array(list)) => Ok(list),
            _ => self.mistake(key),
        }
    }

    /// A list of tasks, by name or to be started.
    pub(crate) fn entries(&self, key: &str) -> Parsed<Box<[Entry]>> {
        let entry = |json: &'a Json| match json {
            Json::String(name) => Text::parse(name).map_or_else(|| self.mistake(key), |name| Ok(Entry::Named(name))),
            spawn => Ok(Entry::Spawned(ops::parse_spawn(&Fields::new("spawn", spawn, self.findings)?)?)),
        };
        self.list(key)?.iter().map(entry).collect()
    }

    pub(crate) fn body(&self, key: &str) -> Parsed<Body> {
        self.map.get(key).map_or_else(|| self.mistake(key), |json| body(json, self.findings))
    }

    /// A body; empty when the field is absent.
    pub(crate) fn opt_body(&self, key: &str) -> Parsed<Body> {
        if self.has(key) { self.body(key) } else { Ok(Body::default()) }
    }

    /// The members of an object; none when the field is absent.
    fn table(&self, key: &str) -> Parsed<impl Iterator<Item = (&'a String, &'a Json)>> {
        let members = match self.map.get(key) {
            None => None,
            Some(Json::Object(members)) => Some(members),
            Some(_) => return self.mistake(key),
        };
        Ok(members.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read() {
        let json = r#"{"objects": {"l": {"kind": "lock"}},
            "main": [{"op": "with", "o": "l", "body": [{"op": "log", "text": "in"}]}]}"#;
        assert_eq!(scenario(json).map(|read| read.main.len()), Ok(1));
    }

    #[test]
    fn mistakes_are_told() {
        let told = |json| match scenario(json) {
            Err(mistake) => mistake.0,
            Ok(_) => String::new(),
        };
        assert_eq!(told(r#"{"main": [{"op": "sleeep"}]}"#), "unknown op sleeep");
        assert_eq!(told(r#"{"objects": {"x": {"kind": "lok"}}, "main": []}"#), "unknown kind lok");
        assert_eq!(told(r#"{"main": [{"op": "log"}]}"#), "log needs the field text");
        assert_eq!(told(r#"{"main": [{"op": "log", "text": 3}]}"#), "log cannot have text = 3");
        assert!(told("[").starts_with("not JSON"));
    }
}
