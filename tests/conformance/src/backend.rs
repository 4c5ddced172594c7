//! The host's reactors.

use std::io;

use corio::{Instant, Reactor};
use corio_mio::MioReactor;
use corio_sim::{Deadlock, SimReactor};

use crate::{parse::Mistake, run::run_on};

/// Where scenarios are run on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In virtual time.
    Sim,
    /// In real time, by the operating system's clock and events.
    Mio,
}

impl Backend {
    /// Runs a scenario, given as JSON; the lines of its trace.
    ///
    /// # Errors
    /// As [`run_on`].
    pub fn run(self, json: &str) -> Result<Vec<String>, Mistake> {
        match self {
            Backend::Sim => run_on(SimReactor::new(), json),
            Backend::Mio => run_on(Steps::new().map_err(|e| Mistake(format!("no event loop: {e}")))?, json),
        }
    }
}

/// Runs a scenario, given as JSON, in virtual time; the lines of its trace.
///
/// # Errors
/// As [`run_on`].
pub fn run(json: &str) -> Result<Vec<String>, Mistake> {
    Backend::Sim.run(json)
}

/// Real time, in the steps of 10 ms that all times in scenarios are multiples of: what happens within one is simultaneous.
struct Steps(MioReactor);

const STEP: u64 = 10;

impl Steps {
    fn new() -> io::Result<Self> {
        MioReactor::new().map(Self)
    }
}

impl Reactor for Steps {
    type Error = Deadlock;
    type Unparker = <MioReactor as Reactor>::Unparker;

    fn now(&self) -> Instant {
        Instant::from_millis(self.0.now().as_millis() / STEP * STEP)
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Deadlock> {
        // Nothing comes from outside: a loop that waits for nothing waits for ever.
        let until = until.ok_or(Deadlock)?;
        self.0.park(Some(until)).map_err(|_| Deadlock)
    }

    fn unparker(&self) -> Self::Unparker {
        self.0.unparker()
    }
}
