//! The suite on the operating system, in real time.

use corio_mio::MioReactor;
use corio_suite::{Hosted, World};

struct Mio;

impl World for Mio {
    const VIRTUAL: bool = false;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        corio_mio::run(main).expect("the operating system polls")
    }

    fn elsewhere(call: fn()) {
        std::thread::spawn(call);
    }
}

impl Hosted for Mio {
    type Reactor = MioReactor;

    fn reactor() -> MioReactor {
        MioReactor::new().expect("a poll")
    }
}

macro_rules! no_heap {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_no_heap(&mut crate::Mio, concat!(stringify!($module), "::", stringify!($test)));
        }
    )*})*};
}

macro_rules! hosted {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_hosted(&mut crate::Mio, concat!(stringify!($module), "::", stringify!($test)));
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
