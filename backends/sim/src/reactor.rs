//! The reactor of the simulation: parking is jumping.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use corio::{Instant, Reactor, Unpark};
use std::sync::Arc;

/// A reactor whose time is virtual.
///
/// The clock moves in [`park`](Reactor::park) only, that is when no task is ready: to the deadline, at once.
#[derive(Debug, Default)]
pub struct SimReactor {
    now: Instant,
    unparked: Arc<AtomicBool>,
}

impl SimReactor {
    /// A reactor at the start of time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on by `by`, as a program that computes for that long would find it.
    pub fn advance(&mut self, by: corio::Duration) {
        self.now += by;
    }
}

/// Nothing can ever happen again: no task is ready and no deadline is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlock;

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: no task is ready and no deadline is left")
    }
}

impl std::error::Error for Deadlock {}

/// Ends a park of the simulation.
#[derive(Clone, Debug)]
pub struct SimUnparker(Arc<AtomicBool>);

impl Unpark for SimUnparker {
    fn unpark(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Reactor for SimReactor {
    type Error = Deadlock;
    type Unparker = SimUnparker;

    fn now(&self) -> Instant {
        self.now
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Deadlock> {
        if self.unparked.swap(false, Ordering::Acquire) {
            return Ok(());
        }
        // A deadline of `MAX` never comes.
        let until = until.filter(|&until| until < Instant::MAX).ok_or(Deadlock)?;
        self.now = self.now.max(until);
        Ok(())
    }

    fn unparker(&self) -> SimUnparker {
        SimUnparker(Arc::clone(&self.unparked))
    }
}
