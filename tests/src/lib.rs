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
//!
//! The emitter of a generator belongs to its body, which cannot keep it elsewhere, give it to a spawned task, or exchange it with
//! another's; it emits one item at a time, and to one consumer:
//!
//! ```
//! # async fn consumer() {
//! let mut numbers = core::pin::pin!(corio::generator(async |mut y| {
//!     y.emit(1).await;
//!     y.emit(2).await;
//! }));
//! numbers.next().await;
//! # }
//! ```
//! ```compile_fail
//! let mut kept: Option<corio::Emitter<'_, u8>> = None;
//! let numbers = corio::generator(async |y| kept = Some(y));
//! # drop(numbers);
//! ```
//! ```compile_fail,E0521
//! let numbers = corio::generator(async |mut y| {
//!     corio::spawn(async move { y.emit(1).await }).detach();
//! });
//! # drop(numbers);
//! ```
//! ```compile_fail
//! let numbers = corio::generator(async |mut outer| {
//!     let inner = corio::generator(async |mut y| {
//!         core::mem::swap(&mut outer, &mut y);
//!         y.emit(1).await;
//!     });
//!     drop(inner);
//!     outer.emit(2).await;
//! });
//! # drop(numbers);
//! ```
//! ```compile_fail,E0499
//! # async fn consumer() {
//! let numbers = corio::generator(async |mut y| {
//!     let (one, two) = (y.emit(1), y.emit(2));
//!     one.await;
//!     two.await;
//! });
//! # drop(numbers); }
//! ```
//! ```compile_fail,E0499
//! # async fn consumer() {
//! let mut numbers = core::pin::pin!(corio::generator(async |mut y| y.emit(1).await));
//! let (one, two) = (numbers.next(), numbers.next());
//! one.await;
//! two.await;
//! # }
//! ```
//!
//! A generator stays on its thread, and does not move once it has begun:
//!
//! ```
//! fn takes<S: corio::Comprehension>(_: S) {}
//! takes(corio::generator(async |mut y| y.emit(1).await));
//! ```
//! ```compile_fail,E0277
//! fn takes<S: corio::Comprehension + Send>(_: S) {}
//! takes(corio::generator(async |mut y| y.emit(1).await));
//! ```
//! ```compile_fail,E0277
//! fn takes<S: corio::Comprehension + Unpin>(_: S) {}
//! takes(corio::generator(async |mut y| y.emit(1).await));
//! ```
