//! The data: bindings that are shared until they are changed, contexts that hold them, and the contexts of one loop.
//!
//! Bindings are a sorted vector behind a reference count. To copy a context is to count one more; the first who sets a
//! variable then copies the vector, which is as long as the program has variables set: a handful of words.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;

/// The value of a variable, of a type that the variable knows.
pub(super) type Value = Rc<dyn Any>;

/// What variables are set to, by the variables' addresses.
#[derive(Clone, Default)]
struct Bindings(Option<Rc<Vec<(usize, Value)>>>);

impl Bindings {
    fn find(&self, var: usize) -> Result<usize, usize> {
        self.0.as_ref().map_or(Err(0), |all| all.binary_search_by_key(&var, |binding| binding.0))
    }

    fn get(&self, var: usize) -> Option<Value> {
        let at = self.find(var).ok()?;
        self.0.as_ref().map(|all| all[at].1.clone())
    }

    /// Sets a variable, or with none takes it out. What it was before is returned, to be dropped where nothing is borrowed.
    fn set(&mut self, var: usize, value: Option<Value>) -> Option<Value> {
        let found = self.find(var);
        let all = Rc::make_mut(self.0.get_or_insert_default());
        match (found, value) {
            (Ok(at), Some(value)) => Some(core::mem::replace(&mut all[at].1, value)),
            (Ok(at), None) => Some(all.remove(at).1),
            (Err(at), Some(value)) => {
                all.insert(at, (var, value));
                None
            }
            (Err(_), None) => None,
        }
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |all| all.len())
    }
}

/// What context variables are set to. asyncio: `contextvars.Context`.
///
/// Each task has one, a copy of its spawner's, made when it is spawned. So what a task sets is seen by itself and by
/// those that it spawns from then on. With a context of one's own one can run a function ([`run`](Self::run)), a future
/// ([`scope`](Self::scope)) or tasks ([`Spawn::context`](crate::Spawn::context)) in it:
///
/// ```
/// use corio::{Context, ContextVar};
/// static DEPTH: ContextVar<u32> = ContextVar::with_default(|| 0);
/// # corio_sim::run(async {
/// let deeper = Context::current();
/// deeper.run(|| DEPTH.set(7));
/// assert_eq!((DEPTH.get(), deeper.run(|| DEPTH.get())), (Some(0), Some(7)));
/// # });
/// ```
///
/// A copy takes constant time, and shares all until one of the two is changed. A clone is no copy but another handle of the same
/// context. It belongs to its thread.
#[derive(Clone, Default)]
pub struct Context(Rc<Cell<Bindings>>);

impl Context {
    /// A context in which nothing is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy, to be changed on its own. asyncio: `Context.copy`.
    pub fn copy(&self) -> Self {
        Self(Rc::new(Cell::new(self.with(|bindings| bindings.clone()))))
    }

    /// True when no variable is set in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many variables are set in it.
    pub fn len(&self) -> usize {
        self.with(|bindings| bindings.len())
    }

    pub(super) fn value(&self, var: usize) -> Option<Value> {
        self.with(|bindings| bindings.get(var))
    }

    /// Sets a variable, or with none takes it out; returns what it was before.
    pub(super) fn set_value(&self, var: usize, value: Option<Value>) -> Option<Value> {
        self.with(|bindings| bindings.set(var, value))
    }

    /// Names it without keeping it.
    pub(super) fn name(&self) -> Name {
        Name(Rc::downgrade(&self.0))
    }

    /// `f` calls nothing of a user's.
    fn with<R>(&self, f: impl FnOnce(&mut Bindings) -> R) -> R {
        let mut bindings = self.0.take();
        let result = f(&mut bindings);
        self.0.set(bindings);
        result
    }
}

/// The name of a context, which may be gone.
pub(super) struct Name(Weak<Cell<Bindings>>);

impl Name {
    pub(super) fn is_of(&self, context: &Context) -> bool {
        core::ptr::eq(self.0.as_ptr(), Rc::as_ptr(&context.0))
    }
}

/// The contexts of one loop. A task that has nothing to do with contexts does not appear here, and pays for nothing.
pub(crate) struct Contexts {
    /// Of the tasks that have one, by what their slots are.
    tasks: BTreeMap<usize, Context>,
    /// The context that was entered last, and whose step was under way then: in no other is it the current one.
    entered: Entered,
    /// There is one of the two.
    used: bool,
}

/// A context that was entered in the step of a slot (0: in none).
pub(crate) type Entered = Option<(usize, Context)>;

impl Contexts {
    pub(crate) const fn new() -> Self {
        Self { tasks: BTreeMap::new(), entered: None, used: false }
    }

    /// False when there is no current context, whoever asks.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.used
    }

    /// The context of whoever runs in the step of `slot`, which `has` one of its own, or not.
    pub(crate) fn current(&self, slot: usize, has: bool) -> Option<Context> {
        match &self.entered {
            Some((running, context)) if *running == slot => Some(context.clone()),
            _ if has => self.tasks.get(&slot).cloned(),
            _ => None,
        }
    }

    /// Makes `context` the one of the task in `slot`, or takes that away; returns what it was before.
    pub(crate) fn set(&mut self, slot: usize, context: Option<Context>) -> Option<Context> {
        let before = match context {
            Some(context) => self.tasks.insert(slot, context),
            None => self.tasks.remove(&slot),
        };
        self.look();
        before
    }

    /// Makes `entered` the context that was entered last; returns what was.
    pub(crate) fn enter(&mut self, entered: Entered) -> Entered {
        let before = core::mem::replace(&mut self.entered, entered);
        self.look();
        before
    }

    fn look(&mut self) {
        self.used = self.entered.is_some() || !self.tasks.is_empty();
    }
}
