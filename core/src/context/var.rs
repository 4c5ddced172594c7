//! `ContextVar`: what a variable is, wherever its values are.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::AtomicU8;

/// A variable whose value belongs to the context of whoever looks. asyncio: `contextvars.ContextVar`.
///
/// ```
/// use corio::{ContextVar, spawn};
/// static USER: ContextVar<&str> = ContextVar::new();
/// # corio_sim::run(async {
/// assert_eq!(USER.get(), None);
/// let token = USER.set("ann");
/// let child = spawn(async {
///     assert_eq!(USER.get(), Some("ann")); // as it was when the child was spawned
///     USER.set("bob");
/// });
/// USER.reset(token).unwrap();
/// child.await.unwrap();
/// assert_eq!(USER.get(), None);
/// # });
/// ```
///
/// It stands in a `static`. Reading it costs a look-up in the task's context and a clone of the value; for what is large
/// or not `Clone`, make it a variable of `Rc`s.
///
/// The future of a [`Runner::run`](crate::Runner::run) begins with nothing set. Those of a
/// [`Runner::run_all`](crate::Runner::run_all) are no tasks and have no context, unless they run in a
/// [`scope`](Self::scope).
pub struct ContextVar<T: 'static> {
    default: Option<fn() -> T>,
    /// So that it has an address of its own, whatever else it is made of.
    _place: AtomicU8,
    _value: PhantomData<fn() -> T>,
}

impl<T> ContextVar<T> {
    /// A variable without a value to begin with.
    pub const fn new() -> Self {
        Self { default: None, _place: AtomicU8::new(0), _value: PhantomData }
    }

    /// A variable that has the value of `default()` wherever it is not set.
    pub const fn with_default(default: fn() -> T) -> Self {
        Self { default: Some(default), _place: AtomicU8::new(0), _value: PhantomData }
    }

    /// The value where it is not set.
    pub(super) fn default(&self) -> Option<T> {
        self.default.map(|default| default())
    }

    pub(super) fn key(&'static self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl<T> Default for ContextVar<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextVar").field("default", &self.default.is_some()).finish_non_exhaustive()
    }
}
