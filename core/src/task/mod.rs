//! Tasks: the slot that a waker names, the body that holds the future, and the handle that owns its outcome.
//!
//! ```text
//!   Waker ──► Slot { link, flags, owner ──► Ready of its loop, body ──► Header { vtable, join, live } future | output }
//!             never moves, never freed                                  freed when the task has ended and
//!             while the process lives                                   its handle is gone
//! ```
//!
//! Because a slot outlives every waker, a waker is nothing but its address: a clone copies it, a drop does nothing,
//! and a wake that comes too late finds the slot free, or at worst polls the next task in it once for nothing, which
//! the contract of `Future` allows.

pub(crate) mod awaited;
pub(crate) mod body;
pub(crate) mod child;
mod handle;
pub(crate) mod joiners;
#[cfg(not(feature = "alloc"))]
pub(crate) mod named;
pub(crate) mod pool;
pub(crate) mod ready;
pub(crate) mod slot;
mod stored;
pub(crate) mod waker;

#[cfg(feature = "alloc")]
pub(crate) mod callback;
#[cfg(feature = "alloc")]
pub(crate) mod heap;
#[cfg(feature = "alloc")]
mod watch;
#[cfg(feature = "alloc")]
pub(crate) mod watched;

pub use child::Child;
pub use handle::{Cancelled, Task};
pub use pool::{PoolFull, TaskPool};
pub(crate) use stored::StoredWaker;
#[cfg(feature = "alloc")]
pub use watch::{Ended, TaskId, all_tasks, current_task};
