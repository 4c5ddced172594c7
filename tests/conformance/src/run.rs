//! One scenario, from its JSON to its trace.

use std::{cell::Cell, collections::BTreeSet, rc::Rc};

use corio::{Cancelled, Instant, Reactor, RunError, Runner};
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

/// Runs a scenario, given as JSON, in virtual time.
///
/// # Errors
/// [`Mistake`] when it is no scenario: broken JSON, an unknown op, a name that nothing has.
pub fn run(json: &str) -> Result<Answer, Mistake> {
    match parse::scenario(json)? {
        Plan::Missing(features) => Ok(Answer::Missing(features)),
        Plan::Run(scenario) => execute(&scenario),
    }
}

fn execute(scenario: &Scenario) -> Result<Answer, Mistake> {
    let main = Handle::main();
    let world = World::new(scenario, main.clone());
    let clock = Rc::new(Cell::new(Instant::ZERO));
    let mut runner = Runner::new(Watched { reactor: SimReactor::new(), clock: clock.clone() });

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
        Err(Deadlock) => world.emit(clock.get(), "deadlock"),
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

/// The simulator's reactor, with a clock that can be read when the loop is gone.
struct Watched {
    reactor: SimReactor,
    clock: Rc<Cell<Instant>>,
}

impl Reactor for Watched {
    type Error = <SimReactor as Reactor>::Error;
    type Unparker = <SimReactor as Reactor>::Unparker;

    fn now(&self) -> Instant {
        self.reactor.now()
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Self::Error> {
        let parked = self.reactor.park(until);
        self.clock.set(self.reactor.now());
        parked
    }

    fn unparker(&self) -> Self::Unparker {
        self.reactor.unparker()
    }
}
