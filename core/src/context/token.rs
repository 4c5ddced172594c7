//! To read, set and reset a variable in the current context.

use super::ContextVar;
use super::table::{Context, Name, Value};
use crate::sched::current;
use alloc::rc::Rc;
use core::fmt;
use core::marker::PhantomData;

impl<T: Clone> ContextVar<T> {
    /// The value in the current context, or the default. None: it has neither. asyncio: `ContextVar.get`.
    ///
    /// Outside of a loop nothing is set.
    pub fn get(&'static self) -> Option<T> {
        let context = current::find().and_then(|here| here.context());
        self.value_in(context.as_ref())
    }

    fn value_in(&'static self, context: Option<&Context>) -> Option<T> {
        match context.and_then(|context| context.value(self.key())) {
            Some(value) => value.downcast_ref().cloned(),
            None => self.default(),
        }
    }
}

impl<T> ContextVar<T> {
    /// Sets the variable in the current context. asyncio: `ContextVar.set`.
    ///
    /// The token, if it is kept, leads back to the value before; see [`reset`](Self::reset).
    ///
    /// # Panics
    /// Where there is no context: outside of a loop, and in a future of a `run_all`.
    #[track_caller]
    pub fn set(&'static self, value: T) -> Token<T> {
        let here = current::get("ContextVar::set()");
        let Some(context) = here.own_context() else {
            panic!("corio: ContextVar::set() needs a task; what is none may run in a `Context::scope`")
        };
        let before = context.set_value(self.key(), Some(Rc::new(value)));
        Token { var: self, context: context.name(), before, _not_send: PhantomData }
    }

    /// Makes the variable what it was before the [`set`](Self::set) that gave this token. asyncio: `ContextVar.reset`.
    ///
    /// # Errors
    /// When the token was given in another context, or for another variable. It comes back.
    pub fn reset(&'static self, token: Token<T>) -> Result<(), ResetError<T>> {
        match current::find().and_then(|here| here.context()) {
            Some(context) if token.context.is_of(&context) && core::ptr::eq(token.var, self) => {
                drop(context.set_value(self.key(), token.before));
                Ok(())
            }
            _ => Err(ResetError(token)),
        }
    }
}

impl Context {
    /// The value of `var` in this context, or its default.
    pub fn get<T: Clone>(&self, var: &'static ContextVar<T>) -> Option<T> {
        var.value_in(Some(self))
    }
}

/// The way back from a [`ContextVar::set`]. asyncio: `contextvars.Token`.
pub struct Token<T: 'static> {
    var: &'static ContextVar<T>,
    context: Name,
    before: Option<Value>,
    _not_send: PhantomData<*const T>,
}

impl<T: Clone> Token<T> {
    /// The value before, if the variable was set. asyncio: `Token.old_value`.
    pub fn old_value(&self) -> Option<T> {
        self.before.as_ref().and_then(|value| value.downcast_ref().cloned())
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("was_set", &self.before.is_some()).finish_non_exhaustive()
    }
}

/// A [`Token`] does not belong to this variable and this context. asyncio: the `ValueError` of `ContextVar.reset`.
pub struct ResetError<T: 'static>(pub Token<T>);

impl<T> fmt::Debug for ResetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetError")
    }
}

impl<T> fmt::Display for ResetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token is of another context or another variable")
    }
}

impl<T> core::error::Error for ResetError<T> {}
