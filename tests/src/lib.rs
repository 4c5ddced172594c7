//! The suite on the backends of a host: see `sim.rs`, `mio.rs`. The tests themselves are in the crate `corio-suite`.
//!
//! # What must not compile
//!
//! A task may outlive its spawner, so its future borrows nothing:
//!
//! ```compile_fail,E0597
//! let mut runner = corio::Runner::new(Jumping);
//! # use corio_tests::Jumping;
//! let number = 5;
//! let task = runner.spawn(async { number });
//! drop(number);
//! # fn outlives<T>(_: &corio::Runner<T>) where T: corio::Reactor {}
//! let borrowed = &String::from("short");
//! runner.spawn(async move { borrowed.len() }).detach();
//! ```
//!
//! ```compile_fail,E0373
//! async fn spawner() {
//!     let number = 5;
//!     corio::spawn(async { number + 1 }).await.unwrap();
//! }
//! ```
//!
//! A future that does not fit the places of a pool is turned down when the program is compiled:
//!
//! ```compile_fail
//! static POOL: corio::TaskPool<[u64; 1], 2> = corio::TaskPool::new();
//! async fn large() -> u8 {
//!     let buffer = [1_u8; 500];
//!     corio::yield_now().await;
//!     buffer[17]
//! }
//! fn main() {
//!     let _ = POOL.spawn(large());
//! }
//! ```
//!
//! A queue for no items cannot be made:
//!
//! ```compile_fail
//! static NOTHING: corio::Queue<u8, 0> = corio::Queue::new();
//! fn main() {
//!     let _ = NOTHING.try_put(1);
//! }
//! ```
//!
//! A guard does not outlive its mutex, and the value is not to be had without one:
//!
//! ```compile_fail,E0597
//! let guard = {
//!     let mutex = corio::Mutex::new(1);
//!     mutex.try_lock()
//! };
//! drop(guard);
//! ```
//!
//! ```compile_fail,E0502
//! let mut mutex = corio::Mutex::new(1);
//! let guard = mutex.try_lock();
//! *mutex.get_mut() += 1;
//! drop(guard);
//! ```
//!
//! Lent futures stay borrowed for as long as the loop runs, and no longer; a runner runs one thing at a time:
//!
//! ```compile_fail,E0499
//! # fn nested<R: corio::Reactor>(runner: &mut corio::Runner<R>) {
//! let inner = async { runner.turn(); };
//! let _ = runner.run(inner);
//! # }
//! ```

/// The README's example runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
