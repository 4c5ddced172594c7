//! The suite on the operating system, in real time.

use corio_mio::MioReactor;
use corio_suite::{Hosted, World};

mod every;

struct Backend;

impl World for Backend {
    const VIRTUAL: bool = false;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        corio_mio::run(main).expect("the operating system polls")
    }

    fn elsewhere(call: fn()) {
        std::thread::spawn(call);
    }
}

impl Hosted for Backend {
    type Reactor = MioReactor;

    fn reactor() -> MioReactor {
        MioReactor::new().expect("a poll")
    }
}
