//! Queues: items on their way from task to task.

mod broadcast;
mod oneshot;
mod queue;
mod ring;
mod signal;
mod store;
mod watch;

pub use broadcast::{
    Broadcast, BroadcastReceiver, BroadcastRecv, BroadcastSend, RecvError, SendError, TryRecvError, TrySendError,
};
pub use oneshot::{OneShot, Recv};
pub use queue::{Get, Join, Put, PutError, QueueOf, ShutDown, Shutdown, TaskDoneTooOften, TryGetError, TryPutError};
pub use signal::{Signal, SignalWait};
#[cfg(feature = "alloc")]
pub use store::{DynFifo, DynLifo, DynPriority};
pub use store::{Fifo, Lifo, Priority, Store};
pub use watch::{Changed, Watch, WatchReceiver};

/// A queue for up to `N` items, first in, first out. asyncio: `Queue(N)`.
pub type Queue<T, const N: usize> = QueueOf<T, Fifo<T, N>>;

/// A queue for up to `N` items, last in, first out. asyncio: `LifoQueue(N)`.
pub type LifoQueue<T, const N: usize> = QueueOf<T, Lifo<T, N>>;

/// A queue for up to `N` items, smallest first. asyncio: `PriorityQueue(N)`.
///
/// # Panics
/// When comparing two items uses the queue itself: it runs under the queue's lock.
pub type PriorityQueue<T, const N: usize> = QueueOf<T, Priority<T, N>>;

/// A queue on the heap, with a size given at run time, first in, first out. asyncio: `Queue`.
#[cfg(feature = "alloc")]
pub type DynQueue<T> = QueueOf<T, DynFifo<T>>;

/// A queue on the heap, with a size given at run time, last in, first out. asyncio: `LifoQueue`.
#[cfg(feature = "alloc")]
pub type DynLifoQueue<T> = QueueOf<T, DynLifo<T>>;

/// A queue on the heap, with a size given at run time, smallest first. asyncio: `PriorityQueue`.
///
/// # Panics
/// When comparing two items uses the queue itself: it runs under the queue's lock.
#[cfg(feature = "alloc")]
pub type DynPriorityQueue<T> = QueueOf<T, DynPriority<T>>;
