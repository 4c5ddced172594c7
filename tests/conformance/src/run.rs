//! One scenario, from its JSON to its trace.

use std::{collections::BTreeSet, pin::pin};

use corio::{Instant, Reactor, RunError, Runner};
use corio_sim::SimReactor;

use crate::{
    feature::Feature,
    handle::{Handle, Main},
    ops,
    parse::{self, Mistake, Plan, Scenario},
    value::{Value, Vars},
    world::{Ctx, Halt, World},
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
    let mut runner = Runner::new(SimReactor::new());

    let vars = Vars::from([("self".into(), Value::str("main"))]);
    let ctx = Ctx::new(world.clone(), main.clone(), vars);
    let mut body = pin!(Main::new(main.clone(), ops::root(scenario.main.clone(), ctx)));
    match runner.run(body.as_mut()) {
        Ok(()) | Err(RunError::Cancelled) => {
            world.emit(now(&runner), &format!("end {}", main.outcome_text()));
            finish(&world, &mut runner);
        }
        Err(RunError::Park(_)) => world.emit(now(&runner), "deadlock"),
    }

    let trace = world.end_trace();
    drop(runner);
    match world.take_halt() {
        None => Ok(Answer::Trace(trace)),
        Some(Halt::Missing(feature)) => Ok(Answer::Missing([feature].into())),
        Some(Halt::Mistake(mistake)) => Err(mistake),
    }
}

/// Cancels what main left behind and logs how each task ended.
fn finish(world: &World, runner: &mut Runner<SimReactor>) {
    if runner.close().is_err() {
        world.emit(now(runner), "deadlock");
        return;
    }
    for handle in world.named_handles().iter().filter(|handle| &*handle.label() != "main") {
        world.emit(now(runner), &format!("final {} {}", handle.label(), handle.outcome_text()));
    }
}

fn now(runner: &Runner<SimReactor>) -> Instant {
    runner.reactor().now()
}
