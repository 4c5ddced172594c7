//! The reactor of the simulation: parking is jumping.

use crate::outside::Outside;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use corio::{Instant, Reactor, Unpark};
use std::sync::Arc;

/// A reactor whose time is virtual.
///
/// The clock moves in [`park`](Reactor::park) only, that is when no task is ready: to the deadline, at once, or to when
/// something happens [outside](Self::outside), if that is earlier.
#[derive(Debug, Default)]
pub struct SimReactor {
    now: Instant,
    unparked: Arc<AtomicBool>,
    outside: Outside,
}

impl SimReactor {
    /// A reactor at the start of time.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reactor at the start of time in which what asyncio leaves open goes as `seed` says: of things that happen outside
    /// at one instant, which comes first; whether they come before or behind the timers of that instant; and how long a
    /// loop that is busy runs before it hears of them. The order among ready tasks is never open: they run as they came.
    pub fn seeded(seed: u64) -> Self {
        Self { outside: Outside::seeded(seed), ..Self::default() }
    }

    /// The world outside of the loop: what other threads, and interrupts, are to do, and when.
    pub fn outside(&self) -> Outside {
        self.outside.clone()
    }

    /// Moves the clock on by `by`, as a program that computes for that long would find it.
    pub fn advance(&mut self, by: corio::Duration) {
        self.now += by;
    }
}

/// Nothing can ever happen again: no task is ready, no deadline is left, and nothing is to come from outside.
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
        let until = until.filter(|&until| until < Instant::MAX);
        let next = self.outside.next(self.now, until);
        self.now = self.now.max(next.or(until).ok_or(Deadlock)?);
        if next.is_some() {
            self.outside.happen(self.now);
        }
        Ok(())
    }

    fn unparker(&self) -> SimUnparker {
        SimUnparker(Arc::clone(&self.unparked))
    }
}
