//! One scenario, from its JSON to its trace.

use std::{cell::Cell, collections::BTreeSet, io, rc::Rc};

use corio::{Cancelled, Instant, Reactor, RunError, Runner, now};
use corio_mio::MioReactor;
use corio_sim::{Deadlock, SimReactor};

use crate::{
    feature::Feature,
    handle::Handle,
    ops,
    parse::{self, Mistake, Plan, Scenario},
    value::{Value, Vars},
    world::{Ctx, World},
};

/// What became of a scenario.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ran; the lines of its trace.
    Trace(Vec<String>),
    /// It needs what corio, or this interpreter of it, does not have.
    Missing(BTreeSet<Feature>),
}

/// Where scenarios are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In virtual time.
    Sim,
    /// In real time, by the operating system's clock and events.
    Mio,
}

/// Runs a scenario, given as JSON, in virtual time.
///
/// # Errors
/// [`Mistake`] when it is no scenario: broken JSON, an unknown op, a name that nothing has.
pub fn run(json: &str) -> Result<Answer, Mistake> {
    run_on(Backend::Sim, json)
}

/// Runs a scenario, given as JSON.
///
/// # Errors
/// As [`run`].
pub fn run_on(backend: Backend, json: &str) -> Result<Answer, Mistake> {
    match (parse::scenario(json)?, backend) {
        (Plan::Missing(features), _) => Ok(Answer::Missing(features)),
        (Plan::Run(scenario), Backend::Sim) => execute(&scenario, SimReactor::new()),
        (Plan::Run(scenario), Backend::Mio) => {
            let reactor = Steps::new().map_err(|e| Mistake(format!("no event loop: {e}")))?;
            execute(&scenario, reactor)
        }
    }
}

fn execute<R: Reactor<Error = Deadlock>>(scenario: &Scenario, reactor: R) -> Result<Answer, Mistake> {
    let main = Handle::main();
    let world = World::new(scenario, main.clone());
    let clock = Rc::new(Cell::new(Instant::ZERO));
    let mut runner = Runner::new(Watched { reactor, clock: clock.clone(), world: world.clone() });

    let log = world.clone();
    runner.handle().on_failure(move |failure| log.emit(now(), &format!("loop: callback error {:?}", failure.error)));

    let vars = Vars::from([("self".into(), Value::str("main"))]);
    let ctx = Ctx::new(world.clone(), main.clone(), vars);
    let body = async {
        main.main_begins();
        let _end = OnDrop(|| main.main_ends());
        ops::root(scenario.main.clone(), ctx).await
    };
    let outcome = match runner.run(body) {
        Err(RunError::Park(deadlock)) => Err(deadlock),
        Err(RunError::Cancelled) => Ok(Err(Cancelled)),
        Ok(outcome) => Ok(Ok(outcome)),
    };
    let ended = match outcome {
        Err(deadlock) => Err(deadlock),
        Ok(outcome) => {
            main.main_ended(outcome);
            world.emit(clock.get(), &format!("end {}", main.outcome_text()));
            runner.close()
        }
    };
    match ended {
        Err(Deadlock) => {}
        Ok(()) => {
            for handle in world.named_handles().iter().filter(|handle| &*handle.label() != "main") {
                world.emit(clock.get(), &format!("final {} {}", handle.label(), handle.outcome_text()));
            }
        }
    }

    let trace = world.end_trace();
    world.take_halt().map_or(Ok(Answer::Trace(trace)), Err)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A reactor with a clock that can be read when the loop is gone.
struct Watched<R> {
    reactor: R,
    clock: Rc<Cell<Instant>>,
    world: Rc<World>,
}

impl<R: Reactor> Reactor for Watched<R> {
    type Error = R::Error;
    type Unparker = R::Unparker;

    fn now(&self) -> Instant {
        self.reactor.now()
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Self::Error> {
        let parked = self.reactor.park(until);
        self.clock.set(self.reactor.now());
        if parked.is_err() {
            self.world.deadlock(self.reactor.now());
        }
        parked
    }

    fn unparker(&self) -> Self::Unparker {
        self.reactor.unparker()
    }
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
