//! corio and its peers, side by side in one run.
//!
//! One program for each runtime (`bench-corio`, `bench-tokio`, …), so that what one of them links cannot change the
//! instruction counts of another. Each takes `TEST N`, runs the test N times over on one thread and prints one line of
//! `key=value`. The program `bench` builds them, runs them and writes the tables; `load` drives the echo servers.
//!
//! A test does the same work on every runtime, in that runtime's own words: `tokio::sync::mpsc`, `async_channel`,
//! `local_sync::mpsc`, `corio::Queue`. What all share is here: the arguments, the clocks, and the leaf futures that are
//! made of a waker and nothing else.
//!
//! | test | N counts | an operation |
//! |---|---|---|
//! | `spawn-join` | tasks | a task spawns one that is done at its first poll, and awaits it |
//! | `spawn-1000` | rounds | the same, a thousand spawned before the first is awaited |
//! | `switch-2` | polls of each | one of two tasks wakes itself and is polled again |
//! | `hand-over` | turns of each | one of two tasks wakes the other and waits in its turn |
//! | `yield-1`, `yield-2`, `yield-10000` | yields of each | the runtime's own `yield_now`, by that many tasks |
//! | `request-reply` | requests | a value through a queue to another task, its answer through a one-shot |
//! | `queue-1-1`, `queue-4-1` | messages | through a bounded queue of 16, from one producer or four |
//! | `mutex-free` | locks | lock, add one, unlock, with nobody else about |
//! | `mutex-8` | locks | eight tasks; each holds the lock across a yield, so the other seven wait |
//! | `far-sleep` | sleeps | a sleep of an hour: created, polled once, dropped |
//! | `sleeps` | sleeps | one task each, their deadlines spread evenly over a second |
//! | `wake-remote` | round trips | a thread wakes a task, which unparks the thread |
//! | `wake-parked` | round trips | the same, each after a pause in which the loop has gone to sleep |
//! | `echo-C-B` | (see `load`) | B bytes to the server and back, on C connections |

mod echo;
mod job;
mod lateness;
mod leaf;

use std::time::Duration;

pub use echo::{Echo, buffer_size, report_port};
pub use job::{Clocks, Job};
pub use lateness::Lateness;
pub use leaf::{Bell, Turns, poll_once, self_wake};

/// How many messages a bounded queue of the tests holds.
pub const QUEUE: usize = 16;
/// The delay of a far sleep.
pub const FAR: Duration = Duration::from_secs(3600);
/// Long enough for any loop to go to sleep in, even inside valgrind.
pub const PAUSE: Duration = Duration::from_millis(2);
