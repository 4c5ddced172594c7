#![allow(unsafe_code)] // reaches the state of the running loop
//! The contexts of the loop's tasks: which is the current one, who inherits it, and where it ends.

use super::Loop;
use crate::context::table::{Context, Entered};
use crate::task::slot::Slot;

/// The context of a task that has ended.
pub(super) type Gone = Option<Context>;

/// What a slot is in the table.
fn key(slot: Option<&'static Slot>) -> usize {
    slot.map_or(0, |slot| core::ptr::from_ref(slot).addr())
}

// SAFETY: (of all below) `OwnThread`: callers have found the loop as the ambient one, or start or end a task of it. The
// closures call nothing of a user's: what they take out is dropped outside.
impl Loop {
    /// The current context, if there is one.
    pub(crate) fn context(&self) -> Option<Context> {
        let running = self.ready().running();
        let has = running.is_some_and(Slot::has_context);
        // SAFETY: as above.
        unsafe { self.with(|state| state.contexts.current(key(running), has)) }
    }

    /// The current context, to be changed: a task that has none gets one by this. None: no task runs here.
    pub(crate) fn own_context(&self) -> Option<Context> {
        if let Some(context) = self.context() {
            return Some(context);
        }
        let running = self.ready().running()?;
        // A task that has ended is dropping its future: nobody would take the context out again.
        if !running.is_alive() {
            return Some(Context::new());
        }
        let context = Context::new();
        self.put_context(running, context.clone());
        Some(context)
    }

    /// Gives a task that was just started, or runs, a context.
    pub(crate) fn put_context(&self, slot: &'static Slot, context: Context) {
        slot.set_context();
        // SAFETY: as above.
        let before = unsafe { self.with(|state| state.contexts.set(key(Some(slot)), Some(context))) };
        drop(before);
    }

    /// Gives a task that was just started a copy of the current context, if there is anything in it.
    #[cold]
    pub(super) fn inherit(&self, slot: &'static Slot) {
        if let Some(context) = self.context()
            && !context.is_empty()
        {
            self.put_context(slot, context.copy());
        }
    }

    /// Takes the context of a task that has ended out of the table.
    ///
    /// # Safety
    /// `OwnThread`.
    pub(super) unsafe fn take_context(&self, slot: &'static Slot) -> Gone {
        if !slot.has_context() {
            return None;
        }
        // SAFETY: by the caller's word.
        unsafe { self.with(|state| state.contexts.set(key(Some(slot)), None)) }
    }

    /// Makes `context` the current one in the step that is under way; what is returned is for `leave_context`.
    pub(crate) fn enter_context(&self, context: Context) -> Entered {
        let running = key(self.ready().running());
        // SAFETY: as above.
        unsafe { self.with(|state| state.contexts.enter(Some((running, context)))) }
    }

    /// What was entered before is again.
    pub(crate) fn leave_context(&self, before: Entered) {
        // SAFETY: as above.
        let left = unsafe { self.with(|state| state.contexts.enter(before)) };
        drop(left);
    }
}
