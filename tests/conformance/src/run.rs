//! One scenario, from its JSON to its trace.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::cell::Cell;

use corio::{Cancelled, Instant, Reactor, RunError, Runner, now};

use crate::{
    handle::Handle,
    ops,
    parse::{self, Mistake, Scenario},
    value::{Value, Vars},
    world::{Ctx, World},
};

/// Runs a scenario, given as JSON, by this reactor's clock; the lines of its trace. A reactor that fails has nothing to wait for any more.
///
/// # Errors
/// [`Mistake`] when it is no scenario: broken JSON, an unknown op, a name that nothing has.
pub fn run_on<R: Reactor>(reactor: R, json: &str) -> Result<Vec<String>, Mistake> {
    execute(&parse::scenario(json)?, reactor)
}

fn execute<R: Reactor>(scenario: &Scenario, reactor: R) -> Result<Vec<String>, Mistake> {
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
        Err(RunError::Park(stuck)) => Err(stuck),
        Err(RunError::Cancelled) => Ok(Err(Cancelled)),
        Ok(outcome) => Ok(Ok(outcome)),
    };
    let ended = match outcome {
        Err(stuck) => Err(stuck),
        Ok(outcome) => {
            main.main_ended(outcome);
            world.emit(clock.get(), &format!("end {}", main.outcome_text()));
            runner.close()
        }
    };
    if ended.is_ok() {
        for handle in world.named_handles().iter().filter(|handle| &*handle.label() != "main") {
            world.emit(clock.get(), &format!("final {} {}", handle.label(), handle.outcome_text()));
        }
    }

    let trace = world.end_trace();
    world.take_halt().map_or(Ok(trace), Err)
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
