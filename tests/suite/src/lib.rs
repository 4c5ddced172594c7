//! What corio promises, as tests that run on any backend.
//!
//! A test is a function over a [`World`], which runs futures on the backend under test. It asserts order and outcome,
//! never a time that a busy machine could stretch; where time is virtual it asserts that too.
//!
//! There are five lists. [`no_heap`], [`no_heap_shared`], [`no_heap_structured`] and [`no_heap_beyond`] need neither
//! an allocator nor threads nor unwinding: that is what firmware runs, a list an image, for all together are more than
//! the flash of a small chip holds. `hosted_tests` (feature `std`) needs all three.
//!
//! # On a host
//! Each test becomes one of `cargo test`'s:
//!
//! ```text
//! macro_rules! instantiate {
//!     ($($module:ident { $($test:ident)* })*) => { $(mod $module { $(
//!         #[test]
//!         fn $test() {
//!             corio_suite::run_no_heap(&mut super::Backend, concat!(stringify!($module), "::", stringify!($test)));
//!         }
//!     )* })* };
//! }
//! corio_suite::no_heap_tests!(instantiate);
//! corio_suite::no_heap_shared_tests!(instantiate);
//! corio_suite::no_heap_structured_tests!(instantiate);
//! corio_suite::no_heap_beyond_tests!(instantiate);
//! ```
//!
//! # In firmware
//! One call runs them all, on one `Runner` or on one each, as the world likes; a failure panics:
//!
//! ```text
//! struct Board(Runner<SysTickReactor<12_500_000>>);
//!
//! impl World for Board {
//!     const VIRTUAL: bool = false;
//!     fn run<F: Future>(&mut self, main: F) -> F::Output {
//!         self.0.run(main).unwrap_or_else(|_| panic!("main was cancelled"))
//!     }
//!     fn elsewhere(call: fn()) {
//!         // leave `call` where an interrupt handler finds it, and pend that interrupt
//!     }
//! }
//!
//! corio_suite::no_heap(&mut Board(runner), |name| hprintln!("test {} ... ok", name));
//! ```
//!
//! Static memory: a [`TaskPool`](corio::TaskPool) of ten tasks of 40 words, and some 100 bytes a test. A test leaves no
//! task and no timer behind, and no test is run twice.
#![cfg_attr(not(feature = "std"), no_std)]

/// A list of tests, of functions in scope.
macro_rules! table {
    ($($module:ident { $($test:ident)* })*) => {
        &[$($(Test {
            name: concat!(stringify!($module), "::", stringify!($test)),
            run: $module::$test::<W>,
        },)*)*]
    };
}

#[macro_use]
mod list;

mod barriers;
mod bounded;
mod broadcast;
mod combine;
mod conditions;
mod futures;
mod gate;
mod generators;
mod groups;
mod harness;
mod locks;
mod once;
mod one_shot;
mod pool;
mod queues;
mod rwlock;
mod scopes;
mod signals;
mod tasks;
mod timers;
mod variables;
mod wait;
mod watched;

#[cfg(feature = "std")]
mod hosted;
#[cfg(feature = "std")]
pub use hosted::{Hosted, run_hosted};

use core::future::Future;
use core::marker::PhantomData;

use gate::{
    bounded_semaphore, event, getters, joiners, listeners, mutex, putters, raw_lock, semaphore, signal, speakers,
    watch, writers,
};

/// A backend under test.
pub trait World: 'static {
    /// The clock stands still while anything is ready, and then jumps to the next deadline.
    const VIRTUAL: bool;

    /// Runs `main` on a loop of the backend, to its end.
    fn run<F: Future>(&mut self, main: F) -> F::Output;

    /// Has `call` called once, from another thread or from an interrupt handler: before this returns, or while the loop
    /// goes on. Where time is virtual: before this returns, for the simulation does not wait for threads.
    fn elsewhere(call: fn());
}

/// One test of a list.
pub struct Test<W> {
    /// `module::sentence`.
    pub name: &'static str,
    /// Runs it; it panics when it fails.
    pub run: fn(&mut W),
}

/// Runs all tests that need no heap, in order; `passed` is told the name of each that has passed.
///
/// # Panics
/// When a test fails.
pub fn no_heap<W: World>(world: &mut W, mut passed: impl FnMut(&'static str)) {
    for test in NoHeap::<W>::TESTS {
        (test.run)(world);
        passed(test.name);
    }
}

/// As [`no_heap`], for the tests of what many share.
///
/// # Panics
/// When a test fails.
pub fn no_heap_shared<W: World>(world: &mut W, mut passed: impl FnMut(&'static str)) {
    for test in NoHeap::<W>::SHARED {
        (test.run)(world);
        passed(test.name);
    }
}

/// As [`no_heap`], for the tests of what holds other futures.
///
/// # Panics
/// When a test fails.
pub fn no_heap_structured<W: World>(world: &mut W, mut passed: impl FnMut(&'static str)) {
    for test in NoHeap::<W>::STRUCTURED {
        (test.run)(world);
        passed(test.name);
    }
}

/// As [`no_heap`], for the tests of what there is beyond asyncio.
///
/// # Panics
/// When a test fails.
pub fn no_heap_beyond<W: World>(world: &mut W, mut passed: impl FnMut(&'static str)) {
    for test in NoHeap::<W>::BEYOND {
        (test.run)(world);
        passed(test.name);
    }
}

/// Runs one of the tests that need no heap.
///
/// # Panics
/// When it fails, or there is none of that name.
pub fn run_no_heap<W: World>(world: &mut W, name: &str) {
    run_one(
        NoHeap::<W>::TESTS.iter().chain(NoHeap::<W>::SHARED).chain(NoHeap::<W>::STRUCTURED).chain(NoHeap::<W>::BEYOND),
        world,
        name,
    );
}

pub(crate) fn run_one<W: 'static>(tests: impl IntoIterator<Item = &'static Test<W>>, world: &mut W, name: &str) {
    match tests.into_iter().find(|test| test.name == name) {
        Some(test) => (test.run)(world),
        None => panic!("no test of that name"),
    }
}

struct NoHeap<W>(PhantomData<W>);

impl<W: World> NoHeap<W> {
    const TESTS: &'static [Test<W>] = no_heap_tests!(table);
    const SHARED: &'static [Test<W>] = no_heap_shared_tests!(table);
    const STRUCTURED: &'static [Test<W>] = no_heap_structured_tests!(table);
    const BEYOND: &'static [Test<W>] = no_heap_beyond_tests!(table);
}
