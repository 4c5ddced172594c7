//! `Reactor`: all that a backend must supply.
//!
//! Three calls: a clock, a way to stop until something happens, and a handle that ends such a stop from elsewhere. The
//! loop, its timers and its queues are written once, in this crate, so no two backends can differ in behaviour.

use crate::Instant;

/// A clock, and a place to wait for events. What a backend implements.
///
/// A reactor that knows only time:
///
/// ```
/// use corio::{Instant, Reactor, Runner, Unpark};
/// use std::{convert::Infallible, thread, time};
///
/// struct Threads(time::Instant);
/// #[derive(Clone)]
/// struct UnparkThread(thread::Thread);
///
/// impl Unpark for UnparkThread {
///     fn unpark(&self) {
///         self.0.unpark(); // kept by the thread until it parks
///     }
/// }
///
/// impl Reactor for Threads {
///     type Error = Infallible;
///     type Unparker = UnparkThread;
///     fn now(&self) -> Instant {
///         Instant::from_nanos(self.0.elapsed().as_nanos() as u64)
///     }
///     fn park(&mut self, until: Option<Instant>) -> Result<(), Infallible> {
///         match until {
///             None => thread::park(),
///             Some(until) => thread::park_timeout(until - self.now()),
///         }
///         Ok(())
///     }
///     fn unparker(&self) -> UnparkThread {
///         UnparkThread(thread::current())
///     }
/// }
///
/// let mut runner = Runner::new(Threads(time::Instant::now()));
/// let three = runner.run(async {
///     corio::sleep(corio::Duration::from_millis(1)).await;
///     3
/// });
/// assert_eq!(three.unwrap(), 3);
/// ```
pub trait Reactor {
    /// What [`park`](Self::park) can fail with; `Infallible` on a chip.
    type Error;

    /// Ends a park from elsewhere. At most two words in size.
    ///
    /// Its `clone` may run under a short lock and so must not wake anything; cloning a reference count is fine.
    type Unparker: Unpark + Clone + Send + Sync + 'static;

    /// The time since the reactor's start. Never goes back.
    fn now(&self) -> Instant;

    /// Waits for an event, an unpark or the deadline, and wakes the tasks the events concern. It may return early, and
    /// returns once it has woken anyone: what it wakes on the loop's own thread is no reason for an unpark.
    ///
    /// `None`: until something happens. A deadline that is not in the future: look for events without waiting.
    ///
    /// # Errors
    /// When waiting is impossible. The loop stops; what is pending stays as it is.
    fn park(&mut self, until: Option<Instant>) -> Result<(), Self::Error>;

    /// A handle that ends the current [`park`](Self::park), or the next one if none is current.
    fn unparker(&self) -> Self::Unparker;
}

/// Ends a [`Reactor::park`].
pub trait Unpark {
    /// Ends the current park or the next one. May be called from any thread or interrupt, and more than once.
    fn unpark(&self);
}

#[cfg(all(test, not(loom), feature = "alloc"))]
pub(crate) use still::Still;

#[cfg(all(test, not(loom), feature = "alloc"))]
mod still {
    use super::{Reactor, Unpark};
    use crate::Instant;
    use core::convert::Infallible;

    /// Its time stands still, under tests that nothing wakes from outside.
    #[derive(Clone)]
    pub(crate) struct Still;

    impl Unpark for Still {
        fn unpark(&self) {}
    }

    impl Reactor for Still {
        type Error = Infallible;
        type Unparker = Self;

        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn park(&mut self, _: Option<Instant>) -> Result<(), Infallible> {
            panic!("nothing would wake it")
        }

        fn unparker(&self) -> Self {
            Self
        }
    }
}
