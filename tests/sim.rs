//! The suite in the simulator.

use corio_sim::SimReactor;
use corio_suite::{Hosted, World};

mod every;

struct Backend;

impl World for Backend {
    const VIRTUAL: bool = true;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        corio_sim::run(main)
    }

    fn elsewhere(call: fn()) {
        std::thread::spawn(call).join().expect("a call from elsewhere panicked");
    }
}

impl Hosted for Backend {
    type Reactor = SimReactor;

    fn reactor() -> SimReactor {
        SimReactor::new()
    }
}
