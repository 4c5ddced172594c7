//! What the tasks of a running scenario share, and what each has of its own.

use alloc::{
    collections::BTreeMap,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use corio::{Context, ContextVar, GroupHandle, Instant, TimeLimit, Token, now};

use crate::{
    handle::Handle,
    objects::{self, Object},
    ops::{Body, Callback, Opened, Outcome, Raised, Template},
    parse::{Mistake, ObjectSpec, Scenario},
    value::{Expr, NoVariable, Text, Value, Vars},
};

/// A variable, and the way back to what it was.
pub(crate) type Given = (&'static ContextVar<Value>, Token<Value>);

pub(crate) struct World {
    tasks: BTreeMap<Rc<str>, Body>,
    generators: BTreeMap<Rc<str>, Rc<Template>>,
    objects: BTreeMap<Rc<str>, Object>,
    main: Rc<Handle>,
    handles: RefCell<BTreeMap<Rc<str>, Rc<Handle>>>,
    created: RefCell<Vec<Rc<Handle>>>,
    groups: RefCell<BTreeMap<Rc<str>, GroupHandle<Rc<str>>>>,
    limits: RefCell<BTreeMap<Rc<str>, Rc<TimeLimit>>>,
    opened: RefCell<BTreeMap<String, Rc<RefCell<Opened>>>>,
    /// What sets of context variables have given; none once it was used.
    pub(crate) tokens: RefCell<BTreeMap<Rc<str>, Option<Given>>>,
    pub(crate) contexts: RefCell<BTreeMap<Rc<str>, Context>>,
    callbacks: RefCell<BTreeMap<String, Callback>>,
    /// `None` once it has been taken.
    trace: RefCell<Option<Vec<String>>>,
    ended: Cell<bool>,
    halt: RefCell<Option<Mistake>>,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, main: Rc<Handle>) -> Rc<Self> {
        let futures = scenario.objects.iter().filter(|(_, spec)| matches!(spec, ObjectSpec::Future));
        let mut handles: BTreeMap<_, _> =
            futures.map(|(name, _)| (name.clone(), Handle::future(name.clone()))).collect();
        handles.insert(main.label(), main.clone());
        Rc::new(World {
            tasks: scenario.tasks.clone(),
            generators: scenario.generators.clone(),
            objects: objects::make(&scenario.objects),
            handles: handles.into(),
            callbacks: RefCell::default(),
            main,
            created: RefCell::default(),
            groups: RefCell::default(),
            limits: RefCell::default(),
            opened: RefCell::default(),
            tokens: RefCell::default(),
            contexts: RefCell::default(),
            trace: RefCell::new(Some(Vec::new())),
            ended: Cell::default(),
            halt: RefCell::default(),
        })
    }

    /// Adds a line to the trace.
    pub(crate) fn emit(&self, now: Instant, text: &str) {
        if !self.ended.get()
            && let Some(lines) = &mut *self.trace.borrow_mut()
        {
            lines.push(format!("t={} {text}", now.as_millis()));
        }
    }

    /// The last line: what is dropped in a deadlock is no part of the run, for CPython drops nothing there.
    pub(crate) fn deadlock(&self, now: Instant) {
        self.emit(now, "deadlock");
        self.ended.set(true);
    }

    /// What is dropped after this logs nothing: there is no loop any more that would tell the time.
    pub(crate) fn end_trace(&self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Gives the run up: its trace is thrown away. The first reason counts.
    pub(crate) fn mistake(&self, text: impl Into<String>) -> Raised {
        self.halt.borrow_mut().get_or_insert_with(|| Mistake(text.into()));
        Raised::Halt
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halt.borrow().is_some()
    }

    pub(crate) fn take_halt(&self) -> Option<Mistake> {
        self.halt.take()
    }

    pub(crate) fn template(&self, name: &Rc<str>) -> Outcome<Body> {
        self.tasks.get(name).cloned().ok_or_else(|| self.mistake(format!("no task {name}")))
    }

    pub(crate) fn generator(&self, name: &Rc<str>) -> Outcome<Rc<Template>> {
        self.generators.get(name).cloned().ok_or_else(|| self.mistake(format!("no generator {name}")))
    }

    /// Keeps a generator that was opened by hand, in place of one of the same name.
    pub(crate) fn keep_generator(&self, name: String, opened: Opened) {
        let replaced = self.opened.borrow_mut().insert(name, Rc::new(opened.into()));
        drop(replaced);
    }

    pub(crate) fn opened_generator(&self, name: &str) -> Outcome<Rc<RefCell<Opened>>> {
        self.opened.borrow().get(name).cloned().ok_or_else(|| self.mistake(format!("no open generator {name}")))
    }

    /// Binds a handle to its label, which may be another's no longer.
    pub(crate) fn add_task(&self, handle: Rc<Handle>) {
        self.handles.borrow_mut().insert(handle.label(), handle.clone());
        self.created.borrow_mut().push(handle);
    }

    pub(crate) fn add_group(&self, name: String, group: GroupHandle<Rc<str>>) {
        self.groups.borrow_mut().insert(name.into(), group);
    }

    pub(crate) fn add_limit(&self, name: String, limit: Rc<TimeLimit>) {
        self.limits.borrow_mut().insert(name.into(), limit);
    }

    /// Main, then every task in order of creation.
    pub(crate) fn all_handles(&self) -> Vec<Rc<Handle>> {
        core::iter::once(&self.main).chain(self.created.borrow().iter()).cloned().collect()
    }

    /// The handles that have a name, by name.
    pub(crate) fn named_handles(&self) -> Vec<Rc<Handle>> {
        self.handles.borrow().values().cloned().collect()
    }
}

impl World {
    /// Binds a callback to its name, which may be another's no longer.
    pub(crate) fn add_callback(&self, name: String, callback: Callback) {
        self.callbacks.borrow_mut().insert(name, callback);
    }

    /// Runs `f` with the callback of that name.
    pub(crate) fn with_callback<R>(&self, name: &str, f: impl FnOnce(&Callback) -> R) -> Outcome<R> {
        let callbacks = self.callbacks.borrow();
        callbacks.get(name).map(f).ok_or_else(|| self.mistake(format!("no callback {name}")))
    }
}

/// A running task: what it shares, its handle, its variables.
pub(crate) struct Ctx {
    pub(crate) world: Rc<World>,
    pub(crate) me: Rc<Handle>,
    vars: RefCell<Vars>,
}

impl Ctx {
    pub(crate) fn new(world: Rc<World>, me: Rc<Handle>, vars: Vars) -> Self {
        Ctx { world, me, vars: vars.into() }
    }

    /// For a callback made here: a copy of the variables.
    pub(crate) fn for_callback(&self) -> Self {
        let mut vars = self.vars.borrow().clone();
        vars.insert("self".into(), Value::str("cb"));
        Ctx::new(self.world.clone(), Handle::task("cb".into()), vars)
    }

    pub(crate) fn set(&self, name: &Rc<str>, value: Value) {
        self.vars.borrow_mut().insert(name.clone(), value);
    }

    pub(crate) fn log(&self, text: &str) {
        if self.world.trace.borrow().is_none() {
            return;
        }
        let label = self.vars.borrow().get("self").map_or_else(String::new, Value::to_string);
        self.world.emit(now(), &format!("{label}: {text}"));
    }

    /// Whether the task has a cancellation of its own on the way, which nothing in it may consume.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.me.cancelling() > 0
    }

    pub(crate) fn text(&self, text: &Text) -> Outcome<String> {
        text.read(&self.vars.borrow()).map_err(|e| self.no_variable(&e))
    }

    pub(crate) fn value(&self, expr: &Expr) -> Outcome<Value> {
        expr.read(&self.vars.borrow()).map_err(|e| self.no_variable(&e))
    }

    fn no_variable(&self, NoVariable(name): &NoVariable) -> Raised {
        self.world.mistake(format!("no variable {name}"))
    }

    /// A number, or none.
    pub(crate) fn opt_int(&self, expr: &Expr) -> Outcome<Option<i64>> {
        match self.value(expr)? {
            Value::None => Ok(None),
            Value::Int(n) => Ok(Some(n)),
            other => Err(self.world.mistake(format!("{other} is not a number"))),
        }
    }

    pub(crate) fn int(&self, expr: &Expr) -> Outcome<i64> {
        self.opt_int(expr)?.ok_or_else(|| self.world.mistake("none is not a number"))
    }

    pub(crate) fn object(&self, name: &Text) -> Outcome<&Object> {
        let name = self.text(name)?;
        self.world.objects.get(name.as_str()).ok_or_else(|| self.world.mistake(format!("no object {name}")))
    }

    pub(crate) fn cell(&self, name: &Text) -> Outcome<&Cell<i64>> {
        match self.object(name)? {
            Object::Cell(cell) => Ok(cell),
            _ => Err(self.wrong_kind(name)),
        }
    }

    /// The object is there, and not one for this op.
    pub(crate) fn wrong_kind(&self, name: &Text) -> Raised {
        match self.text(name) {
            Ok(name) => self.world.mistake(format!("{name} is of another kind")),
            Err(raised) => raised,
        }
    }

    pub(crate) fn group(&self, name: &Text) -> Outcome<GroupHandle<Rc<str>>> {
        let name = self.text(name)?;
        let group = self.world.groups.borrow().get(name.as_str()).cloned();
        group.ok_or_else(|| self.world.mistake(format!("no group {name}")))
    }

    pub(crate) fn limit(&self, name: &Text) -> Outcome<Rc<TimeLimit>> {
        let name = self.text(name)?;
        let limit = self.world.limits.borrow().get(name.as_str()).cloned();
        limit.ok_or_else(|| self.world.mistake(format!("no timeout {name}")))
    }

    pub(crate) fn handle(&self, name: &Text) -> Outcome<Rc<Handle>> {
        let name = self.text(name)?;
        let handle = self.world.handles.borrow().get(name.as_str()).cloned();
        handle.ok_or_else(|| self.world.mistake(format!("no handle {name}")))
    }
}
