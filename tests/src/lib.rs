//! The suite on the backends of a host: see `sim.rs`, `mio.rs`, `dawdle.rs`. The tests themselves are in the crate `corio-suite`.
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
//! What waits does not outlive what it waits for, and what is awaited is not moved meanwhile:
//!
//! ```
//! let event = corio::Event::new();
//! drop(event.wait());
//! let future = corio::Future::<u8>::new();
//! drop(future.wait());
//! let moved = future;
//! let limit = corio::TimeLimit::new(None);
//! drop(limit.scope(async {}));
//! # drop(moved);
//! # fn ended(task: corio::Task<u8>) {
//! drop(task.ended());
//! drop(task);
//! # }
//! ```
//! ```compile_fail,E0597
//! let waits = {
//!     let event = corio::Event::new();
//!     event.wait()
//! };
//! drop(waits);
//! ```
//! ```compile_fail,E0505
//! let future = corio::Future::<u8>::new();
//! let waits = future.wait();
//! let moved = future;
//! drop((waits, moved));
//! ```
//! ```compile_fail,E0505
//! # fn ended(task: corio::Task<u8>) {
//! let ended = task.ended();
//! drop(task);
//! drop(ended);
//! # }
//! ```
//! ```compile_fail,E0597
//! let scope = {
//!     let limit = corio::TimeLimit::new(None);
//!     limit.scope(async {})
//! };
//! drop(scope);
//! ```
//! ```compile_fail,E0597
//! let receiver = {
//!     let watch = corio::Watch::new(1);
//!     watch.subscribe()
//! };
//! drop(receiver);
//! ```
//!
//! A child may outlive the frame that its group is in, as any task may, so it borrows nothing; and the group is its body's, who
//! gives others a handle:
//!
//! ```
//! let group = corio::group(async |g| {
//!     let number = 5;
//!     g.spawn(async move { Ok::<_, ()>(number + 1) });
//!     Ok(g.handle())
//! });
//! # drop(group);
//! ```
//! ```compile_fail,E0373
//! let group = corio::group(async |g| {
//!     let number = 5;
//!     g.spawn(async { Ok::<_, ()>(number + 1) });
//!     Ok(())
//! });
//! # drop(group);
//! ```
//! ```compile_fail
//! let mut kept: Option<&corio::Group<()>> = None;
//! let group = corio::group(async |g| {
//!     kept = Some(g);
//!     Ok(())
//! });
//! # drop(group);
//! ```
//!
//! What belongs to a loop does not leave its thread, not even for a while:
//!
//! ```compile_fail,E0277
//! # fn send(task: corio::Task<u8>) {
//! std::thread::spawn(move || drop(task));
//! # }
//! ```
//! ```compile_fail,E0277
//! # fn lend(task: corio::Task<u8>) {
//! let ended = task.ended();
//! std::thread::scope(|threads| drop(threads.spawn(move || drop(ended))));
//! # }
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
