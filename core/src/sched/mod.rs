//! Scheduling: the loop itself, and how a future finds the one it runs in.

pub(crate) mod current;
mod handle;
mod scheduler;

#[cfg(feature = "alloc")]
mod contexts;
#[cfg(feature = "alloc")]
mod spawn;

#[cfg(feature = "alloc")]
pub use spawn::{Spawn, spawn, spawn_with};

pub use handle::Handle;
pub use scheduler::LoopMemory;
pub(crate) use scheduler::{Clock, Goal, Lease, Loop, WindUp};
