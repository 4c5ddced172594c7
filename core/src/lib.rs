//! asyncio for Rust, from the microcontroller to the server.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", loom))]
extern crate std;

pub mod locks;
pub mod queues;
mod reactor;
mod runner;
mod sched;
mod sleep;
mod sync;
mod task;
mod time;
mod timeout;
mod timers;
pub mod wait;

pub use core::time::Duration;
pub use locks::{Event, Mutex, MutexGuard, NotLocked, Permit, RawLock, Semaphore};
#[cfg(feature = "alloc")]
pub use queues::{DynLifoQueue, DynPriorityQueue, DynQueue};
pub use queues::{
    LifoQueue, OneShot, PriorityQueue, PutError, Queue, QueueOf, ShutDown, Shutdown, Store, TaskDoneTooOften,
    TryGetError, TryPutError,
};
pub use reactor::{Reactor, Unpark};
pub use runner::{RunError, Runner, Turn};
#[cfg(not(feature = "alloc"))]
pub use sched::LoopMemory;
pub use sched::current::now;
#[cfg(feature = "alloc")]
pub use sched::{Spawn, spawn, spawn_with};
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};
pub use task::{Cancelled, PoolFull, Task, TaskPool};
pub use time::Instant;
pub use timeout::{TimedOut, Timeout, timeout, timeout_at};
