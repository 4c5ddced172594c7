#![allow(unsafe_code)] // enters nodes into the list of a loop
//! The name of a group, for handles that may outlive it.

#[cfg(feature = "alloc")]
mod flavour {
    use alloc::rc::Rc;
    use core::cell::Cell;

    /// The name of what it is in, once it has one.
    pub(crate) struct Name(Cell<Option<Reference>>);

    /// What is named, until it is gone.
    #[derive(Clone)]
    pub(crate) struct Reference(Rc<Cell<*const ()>>);

    impl Name {
        pub(crate) const fn new() -> Self {
            Self(Cell::new(None))
        }

        /// The name, of `what`.
        ///
        /// # Safety
        /// `what` is there until `take_back` is called, which is before this goes.
        pub(crate) unsafe fn of(&self, what: *const ()) -> Reference {
            let name = self.0.take().unwrap_or_else(|| Reference(Rc::new(Cell::new(what))));
            self.0.set(Some(name.clone()));
            name
        }

        /// Nothing has the name any more.
        pub(crate) fn take_back(&self) {
            if let Some(name) = self.0.take() {
                name.0.set(core::ptr::null());
            }
        }
    }

    impl Reference {
        /// What is named; null when it is gone.
        pub(crate) fn get(&self) -> *const () {
            self.0.get()
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod flavour {
    use crate::sched::Handle;
    use crate::task::named::Named;
    use core::cell::Cell;

    /// The name of what it is in, once it has one: with the loop that it was given on.
    pub(crate) struct Name {
        node: Named,
        on: Cell<Option<Handle>>,
    }

    /// What is named, until it is gone.
    #[derive(Clone)]
    pub(crate) struct Reference {
        number: u64,
        on: Option<Handle>,
    }

    impl Name {
        pub(crate) const fn new() -> Self {
            Self { node: Named::new(), on: Cell::new(None) }
        }

        /// The name, of `what`.
        ///
        /// # Safety
        /// `what` is there until `take_back` is called, which is before this goes; this does not move until then.
        pub(crate) unsafe fn of(&self, what: *const ()) -> Reference {
            if self.on.get().is_none_or(|on| on.has_ended()) {
                self.on.set(Handle::current());
                if let Some(here) = self.on.get().and_then(|on| on.get()) {
                    // SAFETY: the ambient loop is this thread's; `Linked`, by the caller's word.
                    unsafe { here.with(|state| state.names.add(&self.node, what)) };
                }
            }
            Reference { number: self.node.number(), on: self.on.get() }
        }

        /// Nothing has the name any more.
        pub(crate) fn take_back(&self) {
            if let Some(here) = self.on.take().and_then(|on| on.get()) {
                // SAFETY: a loop that a handle leads to is this thread's; `remove` calls nothing.
                unsafe { here.with(|state| state.names.remove(&self.node)) };
            }
        }
    }

    impl Reference {
        /// What is named; null when it is gone, or the loop is.
        pub(crate) fn get(&self) -> *const () {
            let Some(here) = self.on.and_then(|on| on.get()) else { return core::ptr::null() };
            // SAFETY: a loop that a handle leads to is this thread's; `get` calls nothing.
            unsafe { here.with(|state| state.names.get(self.number)) }
        }
    }
}

pub(crate) use flavour::{Name, Reference};
