//! The tests on tokio: the `current_thread` runtime, tasks started with `tokio::spawn`.
//!
//! `tokio::spawn` asks for `Send`, though one thread runs all. What asks for no `Send`, as corio does not, is a
//! `LocalSet`: `bench-tokio-local` is the same tests with that.

use std::future::Future;

use corio_benches::Job;
use tokio::runtime::Runtime;
use tokio::spawn;

mod tests;

fn block_on(runtime: &Runtime, test: impl Future<Output = ()>) {
    runtime.block_on(test)
}

fn main() {
    tests::run(Job::from_args());
}
