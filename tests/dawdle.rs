//! The suite on a machine that is never in time: each look at the clock finds much of it gone. A test that counts on one
//! step being done before the next timer is due fails here, and not once in a thousand runs elsewhere.
//!
//! `CORIO_DAWDLE_SEED=7` has it late by more or less, or not at all, as that seed chooses.

use std::{cell::Cell, env, time::Duration};

use corio::{Instant, Reactor, Runner};
use corio_mio::MioReactor;
use corio_suite::{Hosted, World};

/// More than any of the tests' short times, and much less than their long one.
const MUCH: Duration = Duration::from_millis(450);

/// The operating system's time, and what was dawdled away.
struct LateReactor {
    system: MioReactor,
    dawdled: Cell<Duration>,
    /// What chooses, if anything does.
    random: Cell<Option<u64>>,
}

impl LateReactor {
    fn new() -> Self {
        let seed: Option<u64> =
            env::var("CORIO_DAWDLE_SEED").ok().map(|text| text.parse().expect("the seed is a number"));
        Self {
            system: MioReactor::new().expect("a poll"),
            dawdled: Cell::default(),
            random: Cell::new(seed.map(|seed| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)),
        }
    }

    /// What is gone since the last look.
    fn gone(&self) -> Duration {
        let Some(mut x) = self.random.get() else { return MUCH };
        // xorshift
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(Some(x));
        [MUCH, Duration::ZERO, MUCH / 450, MUCH / 50][(x >> 20) as usize % 4]
    }
}

impl Reactor for LateReactor {
    type Error = <MioReactor as Reactor>::Error;
    type Unparker = <MioReactor as Reactor>::Unparker;

    fn now(&self) -> Instant {
        self.dawdled.set(self.dawdled.get() + self.gone());
        self.system.now() + self.dawdled.get()
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Self::Error> {
        let until = until.map(|until| Instant::ZERO + (until - Instant::ZERO).saturating_sub(self.dawdled.get()));
        self.system.park(until)
    }

    fn unparker(&self) -> Self::Unparker {
        self.system.unparker()
    }
}

mod every;

struct Backend;

impl World for Backend {
    const VIRTUAL: bool = false;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        let mut runner = Runner::new(LateReactor::new());
        let output = runner.run(main).expect("the operating system polls");
        runner.close().expect("the operating system polls");
        output
    }

    fn elsewhere(call: fn()) {
        std::thread::spawn(call);
    }
}

impl Hosted for Backend {
    type Reactor = LateReactor;

    fn reactor() -> LateReactor {
        LateReactor::new()
    }
}
