//! Asynchronous generators and comprehensions. asyncio: PEP 525, PEP 530.
//!
//! A generator is an async closure that *emits*: between two items it may await whatever it likes, and what it keeps in
//! its variables is the state that one would otherwise put into a hand-written iterator.
//!
//! ```
//! use corio::{Duration, generator, sleep};
//! use core::pin::pin;
//!
//! # corio_sim::run(async {
//! let mut ticks = pin!(generator(async |mut y| {
//!     for n in 1..=3 {
//!         sleep(Duration::from_secs(60)).await;
//!         y.emit(n).await;
//!     }
//! }));
//! let mut sum = 0;
//! while let Some(n) = ticks.next().await {
//!     sum += n;
//! }
//! assert_eq!(sum, 6);
//! # });
//! ```
//!
//! The body runs within `next()`, on the consumer's task. A step costs no turn of the loop, and nothing is allocated: the
//! one place through which items go stands beside the body's future, in the pinned [`Generator`].
//!
//! ```text
//!   Generator ┌─ stage: the body's future ── Emitter ─┐ points to
//!   (pinned)  └─ slot: item, who waits ◄──────────────┘
//!
//!   next() ─► polls the body ─► emit() puts an item, is pending ─► next() takes it: Some
//!   next() ─► polls the body ─► emit() finds it taken, goes on …   the body ends: None, for ever
//! ```
//!
//! # What it shares with CPython's, and what not
//! - A generator that is closed before its first `next()` runs nothing.
//! - *Closing* drops the body where it stands, so its guards run there and then: by [`Generator::close`], or by dropping
//!   the generator, as a `break` does where it belongs to the loop's scope.
//! - An error ends the generator. That of a [`try_generator`] is its last item; a panic goes through `next()`.
//! - A generator is owned, so there are none for the loop to find and close at shutdown: it goes with its task.
//! - `send` and `throw` have no counterpart: a body has variables to share with its consumer, and ends by itself.
//! - Two consumers cannot step it at a time: the second borrow does not compile, where CPython raises `RuntimeError`. Those
//!   who want to share one put it into a [`Mutex`](crate::Mutex), and take turns.
//! - Whoever drops a pending `next()` loses nothing: the body stays where it waits, and the next `next()` goes on with it. In
//!   CPython a cancellation arrives inside the generator and ends it. In Rust the one who is cancelled is dropped whole,
//!   with the generators that it owns, to the same effect; what it only borrows it leaves in order, as `select` and
//!   [`timeout`](crate::timeout()) around `next()` want it.
//!
//! # Comprehensions
//! A generator is a [`Stream`], that of `futures-core`, so the adapters of `futures-util` and others fit. Those that the
//! clauses of a comprehension need are in [`Comprehension`], and work without an allocator:
//!
//! | Python | corio |
//! |---|---|
//! | `[f(x) async for x in xs if p(x)]` | `collect(xs.filter(p).map(f)).await` |
//! | `[await f(x) async for x in xs if await p(x)]` | `collect(xs.filter_async(p).then(f)).await` |
//! | `[y async for x in xs async for y in g(x)]` | `collect(xs.flat_map(g)).await` |
//! | `[y async for x in xs for y in g(x)]` | `collect(xs.flat_map(\|x\| iter(g(x)))).await` |
//! | `(f(x) async for x in xs)` | `xs.map(f)` |

mod comprehension;
mod emit;
mod steps;

pub use comprehension::{Comprehension, Filter, Iter, Map, Next, collect, iter, try_collect};
pub use emit::{Emit, Emitter};
#[doc(no_inline)]
pub use futures_core::stream::Stream;
pub use steps::{Body, Generator, generator, try_generator};
