//! asyncio for Rust, from the microcontroller to the server.
//!
//! Tasks, locks, queues and timers over one small trait, [`Reactor`]. The same program, unchanged, runs on a server
//! (`corio-mio`), on a Cortex-M without an allocator (`corio-cortex-m`), and in a simulator where time is virtual
//! (`corio-sim`). What it observes, the order of everything above all, is what CPython's asyncio gives, checked against
//! recorded traces of CPython itself.
//!
//! ```
//! use corio::{Duration, Queue, spawn, timeout};
//!
//! corio_sim::run(async {
//!     static LINE: Queue<u32, 8> = Queue::new();
//!     let worker = spawn(async {
//!         let mut sum = 0;
//!         while let Ok(number) = LINE.get().await {
//!             sum += number;
//!         }
//!         sum
//!     });
//!     for number in 1..=4 {
//!         LINE.put(number).await.unwrap();
//!     }
//!     LINE.shutdown(corio::Shutdown::Drain);
//!     assert_eq!(timeout(Duration::from_secs(1), worker).await, Ok(Ok(10)));
//! });
//! ```
//!
//! # How it works, on one page
//!
//! ```text
//!   waker ──► Slot ──► Ready: near, far ──► one turn: pop, poll ──┐
//!     ▲                                                           │ a leaf future is pending:
//!     │     locks, queues ── a waiter joins a line ◄──────────────┤
//!     │     sleep, timeout ─ a deadline enters the heap ◄─────────┤
//!     │     a backend ────── a WaitCell keeps the waker ◄─────────┘
//!     └── timer due · lock handed on · socket ready · interrupt ◄── Reactor::park(until the next deadline)
//! ```
//!
//! **The loop is here, the reactor elsewhere.** A [`Reactor`] reads a clock, waits for events, and gives out a handle that
//! ends the wait. [`Runner`] does the rest, the same on every backend. Time belongs to the reactor: an [`Instant`] counts
//! from its start, and there is no global clock.
//!
//! **One turn is one iteration of asyncio's loop.** Exactly what is ready at its beginning is run, in order of arrival;
//! whatever that makes ready waits for the next turn; sleepers whose time has come are woken behind it. There is one queue and
//! no second kind of entry. That is why orders agree with CPython's to the last line of a trace.
//!
//! **A task lives in a slot, and a waker is the slot's address.** Slots never move and are never freed; they are used
//! again. So a waker has no reference count: a clone is a copy, a drop nothing, and a wake that comes too late finds the slot
//! free. Waking on the loop's own thread is a push to a plain FIFO; from another thread it is one compare-and-swap onto a
//! stack that the loop turns round; on bare metal it is a push within a short critical section. The future itself is in the
//! *body*, which is freed when the task has ended and its [`Task`] is gone: on the heap ([`spawn`]), in a `static`
//! ([`TaskPool`]), or with whoever called [`Runner::run_all`].
//!
//! **Waiting lives once.** Every lock and queue is a little state and its lines of waiters behind one short lock. A waiter
//! is a node inside the future that waits: nothing is allocated, any number may wait, a dropped one leaves, and what it
//! had been granted goes to the next. Two laws hold for all: *an idle waiter is never polled*, and *dropping a waiter at any
//! moment loses nothing*. Wakers are called when no lock is held.
//!
//! **Deadlines are a pairing heap** through nodes in the sleep futures: no capacity, O(1) to insert, O(log n) to expire or
//! drop, equal deadlines in order of registration. What comes in the order of its deadlines, as equal sleeps do, is
//! compared with one other node.
//!
//! **The running loop is ambient**, found through a thread-local (on bare metal through a static that turns save and restore), not
//! through the waker, so [`sleep()`] and [`spawn`] work inside any foreign combinator. A [`Handle`] names a loop where there is
//! no ambience.
//!
//! **A callback is an entry of the same queue.** What `call_soon` is given, or `on_done` of a task or a future, lives in
//! a body as a task's future does, and is called where a task would have its step; what a timer is to call is called in
//! the turn in which it is due. An error that leaves a callback goes to the hook of its loop.
//!
//! **Cancelling is an unwinding poll.** [`Task::cancel`] counts a request and passes it on to what the task waits for, if
//! that is another task, or a [`struct@Future`]; or else it queues the task's next step, which unwinds. A task that stands in no *scope* is just
//! dropped, guards and all. One that does (in a [`timeout()`], say) is polled once more with the loop's flag that says
//! "unwinding": the innermost scope drops what it holds, and decides whether it goes on, waits for something first, or leaves it to
//! the next scope outside. So drops stay synchronous, no leaf future knows of any of this, and still a scope can do
//! asynchronous work while it is cancelled. Lines pass over waiters whose task is about to drop them, as asyncio's do.
//!
//! **A group is a scope with tasks.** Its children are tasks as others are, linked through their own bodies; the end of one
//! tells the group by an entry of the queue, as asyncio's callbacks do. The children of a [`scope`](fn@scope) may borrow, so they are
//! no tasks: they live in the scope's own future, each with a slot and so a waker of its own.
//!
//! **A generator is its body and a place for one item**, side by side in one future: asking for the next polls the body. A
//! *context* is a list that is shared until it is changed; a task that has none costs nothing.
//!
//! | level | modules | what |
//! |---|---|---|
//! | 0 | `sync`, `time`, `reactor` | what differs between platforms; instants; what a backend supplies |
//! | 1 | `task` (slot, waker, ready, body) | what a wake reaches |
//! | 2 | `wait`, `timers` | lines of waiters, [`wait::WaitCell`]; deadlines |
//! | 3 | `sched` | the loop, its turns, spawning, the ambient loop |
//! | 4 | [`locks`], [`queues`], `sleep`, `future`, `calls`, `done`, [`mod@context`], [`mod@generator`]; the scopes: `timeout`, `limit`, `finally`, `group`, [`combine`] | what programs are written with |
//! | 5 | `runner` | a reactor and a loop, from start to end |
//!
//! # Cancel safety
//!
//! Whatever can be awaited says in its documentation what it costs to drop the future before it is ready, or to cancel a task
//! that waits there, which is the same unless it says otherwise. It begins with one of three terms:
//!
//! - **Loses nothing.** It is as if the call had not been made: what was on its way to the future stays where it was or goes to
//!   the next, and the call can be made again. (What is always given up is a place in line.) A future that holds others
//!   loses nothing of its own; what is lost with those is theirs to say.
//! - **May be restarted.** What others share is whole, and the call can be made again, from its beginning: what was passed to
//!   it is dropped with it, or what it had done until then is done once more.
//! - **Not safe.** Something is lost, and it says what. Let it run in a task of its own, and await that by `&mut task`.
//!
//! Each is tested so at every point at which it waits; `corio_sim::cancel_everywhere` does the same for futures of yours.
//!
//! # Features
//!
//! - `alloc`: tasks on the heap ([`spawn`]), any number of runners, queues with a size given at run time,
//!   contexts that tasks inherit.
//! - `std` (default): implies `alloc`; the ambient loop is a thread's, locks are a byte instead of a critical section.
//!
//! Without `std` a `critical-section` implementation must be linked. All wakers, primitives and cells may then be used from
//! interrupt handlers and other cores. Ambient functions ([`spawn`], [`now`], polling a [`Sleep`]) find the loop of their own
//! context: a handler that runs none finds none. On ARM's M profile a context is an exception number; on other bare
//! metal, and between cores, contexts cannot be told apart, and ambient functions are for the code that runs the loop, on
//! the one core that does.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", loom))]
extern crate std;

#[cfg(feature = "alloc")]
mod calls;
pub mod combine;
pub mod context;
#[cfg(feature = "alloc")]
mod done;
mod finally;
mod future;
pub mod generator;
mod group;
mod limit;
pub mod locks;
#[cfg(all(test, loom))]
mod models;
pub mod queues;
mod reactor;
mod runner;
mod sched;
mod scope;
mod sleep;
mod sync;
mod task;
mod time;
mod timeout;
mod timers;
pub mod wait;

#[cfg(feature = "alloc")]
pub use calls::{CallHandle, TimerHandle, call_at, call_later, call_soon};
#[cfg(feature = "alloc")]
pub use combine::{
    AsCompleted, AsCompletedWithin, CancelAndWait, Fallible, Gather, GatherError, Shield, Tasks, TryTasks, TryWaitable,
    Until, Wait, Waitable, Waited, as_completed, cancel_and_wait, gather, shield, try_gather, wait,
};
pub use combine::{
    Either, Either3, Either4, Either5, Either6, Futures, Join, Row, Select, StaggeredRace, join, select, staggered_race,
};
pub use context::ContextVar;
#[cfg(feature = "alloc")]
pub use context::{Context, ResetError, Token};
pub use core::time::Duration;
#[cfg(feature = "alloc")]
pub use done::DoneHandle;
pub use finally::{Finally, Overrun, Within, finally};
pub use future::{Future, FutureWait};
pub use generator::{Comprehension, Emitter, Generator, collect, generator, try_collect, try_generator};
pub use group::{Errors, FewErrors, FewErrorsIter, GroupError, PoolGroup, PoolGroupHandle};
#[cfg(feature = "alloc")]
pub use group::{Group, GroupHandle, Scope, ScopeHandle, ScopedChild, group, scope};
pub use limit::{Limited, NotInForce, TimeLimit, timeout_scope};
pub use locks::{
    Barrier, BoundedPermit, BoundedSemaphore, BrokenBarrier, Condition, ConditionGuard, Event, Mutex, MutexGuard,
    NotLocked, OnceCell, Permit, RawCondition, RawLock, ReleasedTooOften, RwLock, RwLockReadGuard, RwLockWriteGuard,
    Semaphore, SetError,
};
pub use queues::{
    Broadcast, BroadcastReceiver, LifoQueue, OneShot, PriorityQueue, PutError, Queue, QueueOf, RecvError, SendError,
    ShutDown, Shutdown, Signal, Store, TaskDoneTooOften, TryGetError, TryPutError, TryRecvError, TrySendError, Watch,
    WatchReceiver,
};
#[cfg(feature = "alloc")]
pub use queues::{DynLifoQueue, DynPriorityQueue, DynQueue};
pub use reactor::{Reactor, Unpark};
pub use runner::{RunError, Runner, Turn};
pub use sched::current::now;
#[cfg(feature = "alloc")]
pub use sched::{Ending, Failed, Failure, Spawn, spawn, spawn_with};
pub use sched::{Handle, LoopMemory};
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};
pub use task::{Cancelled, Child, PoolFull, Task, TaskPool};
#[cfg(feature = "alloc")]
pub use task::{Ended, TaskId, all_tasks, current_task};
pub use time::Instant;
pub use timeout::{TimedOut, Timeout, timeout, timeout_at};
