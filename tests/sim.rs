//! The suite in the simulator.

use corio_sim::SimReactor;
use corio_suite::{Hosted, World};

struct Sim;

impl World for Sim {
    const VIRTUAL: bool = true;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        corio_sim::run(main)
    }

    fn elsewhere(call: fn()) {
        std::thread::spawn(call).join().expect("a call from elsewhere panicked");
    }
}

impl Hosted for Sim {
    type Reactor = SimReactor;

    fn reactor() -> SimReactor {
        SimReactor::new()
    }
}

macro_rules! no_heap {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_no_heap(&mut crate::Sim, concat!(stringify!($module), "::", stringify!($test)));
        }
    )*})*};
}

macro_rules! hosted {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_hosted(&mut crate::Sim, concat!(stringify!($module), "::", stringify!($test)));
        }
    )*})*};
}

mod no_heap {
    corio_suite::no_heap_tests!(no_heap);
    corio_suite::no_heap_shared_tests!(no_heap);
    corio_suite::no_heap_structured_tests!(no_heap);
    corio_suite::no_heap_beyond_tests!(no_heap);
}

mod hosted {
    corio_suite::hosted_tests!(hosted);
}
