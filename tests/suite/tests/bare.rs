//! The suite on corio as it is built for a chip (no `std`, no `alloc`, critical sections), run on a host in virtual time:
//! `cargo test -p corio-suite --no-default-features`.
//!
//! There is one loop, hence one test that runs all. Built together with something that needs corio's feature `std`, this file is empty.
#![cfg(not(feature = "std"))]

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corio::{Instant, Reactor, Runner, Unpark};
use corio_suite::World;

static UNPARKED: AtomicBool = AtomicBool::new(false);

#[derive(Default)]
struct Jumping(Instant);

#[derive(Clone)]
struct Unparker;

impl Unpark for Unparker {
    fn unpark(&self) {
        UNPARKED.store(true, Ordering::Release);
    }
}

impl Reactor for Jumping {
    type Error = Infallible;
    type Unparker = Unparker;

    fn now(&self) -> Instant {
        self.0
    }

    fn park(&mut self, until: Option<Instant>) -> Result<(), Infallible> {
        if !UNPARKED.swap(false, Ordering::Acquire) {
            match until {
                Some(until) if until < Instant::MAX => self.0 = self.0.max(until),
                _ => panic!("deadlock"),
            }
        }
        Ok(())
    }

    fn unparker(&self) -> Unparker {
        Unparker
    }
}

struct Bare(Runner<Jumping>);

impl World for Bare {
    const VIRTUAL: bool = true;

    fn run<F: Future>(&mut self, main: F) -> F::Output {
        match self.0.run(main) {
            Ok(output) => output,
            Err(_) => panic!("nobody has a handle of main"),
        }
    }

    fn elsewhere(call: fn()) {
        thread::spawn(call).join().expect("a call from elsewhere panicked");
    }
}

#[test]
fn the_suite_passes_without_a_heap() {
    let mut failed = Vec::new();
    macro_rules! run {
        ($($module:ident { $($test:ident)* })*) => { $($(
            let name = concat!(stringify!($module), "::", stringify!($test));
            // A runner each, so that a test that fails leaves nothing to the next.
            let run = || corio_suite::run_no_heap(&mut Bare(Runner::new(Jumping::default())), name);
            match std::panic::catch_unwind(run) {
                Ok(()) => println!("test {name} ... ok"),
                Err(_) => failed.push(name),
            }
        )*)* };
    }
    corio_suite::no_heap_tests!(run);
    corio_suite::no_heap_shared_tests!(run);
    corio_suite::no_heap_structured_tests!(run);
    corio_suite::no_heap_beyond_tests!(run);
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

#[test]
fn one_call_runs_them_all() {
    // As firmware does; in a process of its own, for no test is run twice.
    if std::env::var_os("CORIO_SUITE_ONE_CALL").is_some() {
        let mut passed = 0;
        let mut bare = Bare(Runner::new(Jumping::default()));
        corio_suite::no_heap(&mut bare, |_| passed += 1);
        corio_suite::no_heap_shared(&mut bare, |_| passed += 1);
        corio_suite::no_heap_structured(&mut bare, |_| passed += 1);
        corio_suite::no_heap_beyond(&mut bare, |_| passed += 1);
        assert!(passed > 100);
        return;
    }
    let this = std::env::current_exe().expect("the test has a path");
    let child = std::process::Command::new(this)
        .args(["--exact", "one_call_runs_them_all"])
        .env("CORIO_SUITE_ONE_CALL", "1")
        .output()
        .expect("the test can be started");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
