#![allow(unsafe_code)] // the hook is in the state of the loop
//! Failures that nobody awaits, and the loop's hook that is told of them.

use super::{Handle, Loop};
use alloc::rc::Rc;
use core::fmt;
use core::panic::Location;

/// A failure that nobody was there to see.
///
/// The loop's hook is told of it: see [`Handle::on_failure`]. It shows itself as a sentence with the place in the source.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// What has failed.
    pub of: Failed,
    /// The error.
    pub error: &'a dyn fmt::Debug,
    /// Where the callback was registered, or the task let go.
    pub at: &'static Location<'static>,
}

/// What a [`Failure`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failed {
    /// A callback returned an error.
    Callback,
    /// A task that was let go by [`Task::detach_and_report`](crate::Task::detach_and_report) ended with an error.
    Task {
        /// The task's name.
        name: Option<&'static str>,
    },
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Failed::Callback => write!(f, "the callback registered at {} failed: {:?}", self.at, self.error),
            Failed::Task { name: Some(name) } => {
                write!(f, "the task `{name}` let go at {} failed: {:?}", self.at, self.error)
            }
            Failed::Task { name: None } => write!(f, "the task let go at {} failed: {:?}", self.at, self.error),
        }
    }
}

impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("of", &self.of).field("error", &self.error).field("at", &self.at).finish()
    }
}

/// What a callback may return: nothing, or a `Result` whose error goes to the loop's hook.
pub trait Ending {
    /// The error, if it failed.
    fn failure(&self) -> Option<&dyn fmt::Debug>;
}

impl Ending for () {
    fn failure(&self) -> Option<&dyn fmt::Debug> {
        None
    }
}

impl<E: fmt::Debug> Ending for Result<(), E> {
    fn failure(&self) -> Option<&dyn fmt::Debug> {
        self.as_ref().err().map(|error| error as _)
    }
}

/// Whom the loop tells of failures.
pub(super) type Hook = Rc<dyn Fn(&Failure<'_>)>;

impl Handle {
    /// Has `hook` told of each failure on the loop that nobody awaits, in place of whoever was told before: errors that
    /// leave callbacks, and those of tasks let go by [`Task::detach_and_report`](crate::Task::detach_and_report). asyncio:
    /// `loop.set_exception_handler`.
    ///
    /// Without a hook, failures are printed to the standard error where there is one (feature `std`), and lost where
    /// there is none. The loop goes on in any case. If the loop has ended nothing happens.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// # corio_sim::run(async {
    /// let seen = Rc::new(RefCell::new(Vec::new()));
    /// let log = seen.clone();
    /// let here = corio::Handle::current().unwrap();
    /// here.on_failure(move |failure| log.borrow_mut().push(format!("{:?}", failure.error)));
    /// corio::call_soon(|| Err("out of paper"));
    /// corio::yield_now().await;
    /// assert_eq!(*seen.borrow(), ["\"out of paper\""]);
    /// # });
    /// ```
    pub fn on_failure(&self, hook: impl Fn(&Failure<'_>) + 'static) {
        // Not where the loop is at its very end: nobody would take it out again.
        if let Some(place) = self.get().filter(|place| !place.is_closing()) {
            place.set_hook(Some(Rc::new(hook)));
        }
    }
}

impl Loop {
    pub(super) fn set_hook(&self, hook: Option<Hook>) {
        // SAFETY: `OwnThread`: callers are on the loop's thread. The old one is dropped outside.
        drop(unsafe { self.with(|state| core::mem::replace(&mut state.hook, hook)) });
    }

    /// Tells the hook.
    #[cold]
    pub(crate) fn report(&self, failure: &Failure<'_>) {
        // A copy: the hook may put another in its place.
        // SAFETY: `OwnThread`, as above.
        match unsafe { self.with(|state| state.hook.clone()) } {
            Some(hook) => hook(failure),
            None => print(failure),
        }
    }
}

#[cfg(feature = "std")]
fn print(failure: &Failure<'_>) {
    std::eprintln!("corio: {failure}");
}

/// There is nowhere to print to.
#[cfg(not(feature = "std"))]
fn print(_failure: &Failure<'_>) {}
