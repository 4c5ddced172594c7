//! The tests on tokio once more: the `current_thread` runtime, tasks started with `spawn_local` in a `LocalSet`.

use std::future::Future;

use corio_benches::Job;
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, spawn_local as spawn};

#[path = "../bench-tokio/tests.rs"]
mod tests;

fn block_on(runtime: &Runtime, test: impl Future<Output = ()>) {
    LocalSet::new().block_on(runtime, test)
}

fn main() {
    tests::run(Job::from_args());
}
