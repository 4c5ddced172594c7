//! The suite on the backends of a host: see `sim.rs`, `mio.rs`. The tests themselves are in the crate `corio-suite`.
//!
//! # What must not compile
//!
//! Each beside its like that does.
//!
//! A task may outlive its spawner, so its future borrows nothing:
//!
//! ```
//! async fn spawner() -> Result<i32, corio::Cancelled> {
//!     let number = 5;
//!     corio::spawn(async move { number + 1 }).await
//! }
//! ```
//! ```compile_fail,E0373
//! async fn spawner() -> Result<i32, corio::Cancelled> {
//!     let number = 5;
//!     corio::spawn(async { number + 1 }).await
//! }
//! ```
//! ```compile_fail,E0597
//! fn spawn<R: corio::Reactor>(runner: &corio::Runner<R>) {
//!     let text = String::from("short-lived");
//!     let borrowed = &text;
//!     runner.spawn(async move { borrowed.len() }).detach();
//! }
//! ```
//!
//! A future that does not fit the places of a pool, and a queue for no items, are turned down when the program is built:
//!
//! ```
//! static POOL: corio::TaskPool<[u64; 80], 2> = corio::TaskPool::new();
//! static QUEUE: corio::Queue<u8, 1> = corio::Queue::new();
//! async fn large() -> u8 {
//!     let buffer = [1_u8; 500];
//!     corio::yield_now().await;
//!     buffer[17]
//! }
//! # fn main() { if false {
//! let _ = POOL.spawn(large());
//! let _ = QUEUE.try_put(1);
//! # } }
//! ```
//! ```compile_fail,E0080
//! static POOL: corio::TaskPool<[u64; 1], 2> = corio::TaskPool::new();
//! async fn large() -> u8 {
//!     let buffer = [1_u8; 500];
//!     corio::yield_now().await;
//!     buffer[17]
//! }
//! # fn main() { if false {
//! let _ = POOL.spawn(large());
//! # } }
//! ```
//! ```compile_fail,E0080
//! static QUEUE: corio::Queue<u8, 0> = corio::Queue::new();
//! # fn main() {
//! let _ = QUEUE.try_put(1);
//! # }
//! ```
//!
//! A guard does not outlive its mutex, and the value is not to be had around it:
//!
//! ```
//! let mut mutex = corio::Mutex::new(1);
//! drop(mutex.try_lock());
//! *mutex.get_mut() += 1;
//! ```
//! ```compile_fail,E0597
//! let guard = {
//!     let mutex = corio::Mutex::new(1);
//!     mutex.try_lock()
//! };
//! drop(guard);
//! ```
//! ```compile_fail,E0502
//! let mut mutex = corio::Mutex::new(1);
//! let guard = mutex.try_lock();
//! *mutex.get_mut() += 1;
//! drop(guard);
//! ```
//!
//! A runner runs one thing at a time:
//!
//! ```
//! # fn run<R: corio::Reactor>(runner: &mut corio::Runner<R>) {
//! runner.turn();
//! let _ = runner.run(async {});
//! # }
//! ```
//! ```compile_fail,E0501
//! # fn run<R: corio::Reactor>(runner: &mut corio::Runner<R>) {
//! let main = async { runner.turn() };
//! let _ = runner.run(main);
//! # }
//! ```
